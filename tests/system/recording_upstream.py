"""An application that believes nothing: it keeps the very bytes that reach it, and reads them as strictly as can be."""
import base64
import hashlib
import socket
import threading

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"


class Last(bytes):
    """An answer behind which the application closes."""


class Garbage(Exception):
    """What came could be read in two ways, or in none."""


class Request:
    def __init__(self, head, body, trailers, raw):
        self.head, self.body, self.raw = head, body, raw
        lines = head.decode("latin-1").split("\r\n")
        self.line, self.fields = lines[0], [tuple(line.split(": ", 1)) for line in lines[1:]]
        self.trailers = [(name, value.strip(" ")) for name, _, value in
                         (line.partition(":") for line in trailers.decode("latin-1").split("\r\n") if line)]
        self.method, self.target, self.version = self.line.split(" ")

    def all(self, name):
        """Every value of the fields and trailers with this name; case, _ and - are one."""
        return [value for key, value in self.fields + self.trailers if fold(key) == fold(name)]

    def one(self, name):
        values = self.all(name)
        assert len(values) == 1, f"{name}: {values}"
        return values[0]


def fold(name):
    """As the sloppiest upstream might: all that is no letter or digit is one character."""
    return "".join(c.lower() if c.isalnum() else "-" for c in name)


class Wire:
    """Bytes as they come, all kept."""

    def __init__(self, stream):
        self.stream, self.kept, self.at = stream, b"", 0

    def until(self, mark):
        while mark not in self.kept[self.at:]:
            self.more()
        end = self.kept.index(mark, self.at) + len(mark)
        return self._take(end - self.at)

    def count(self, size):
        while len(self.kept) - self.at < size:
            self.more()
        return self._take(size)

    def more(self):
        more = self.stream.recv(65536)
        if not more:
            raise EOFError
        self.kept += more

    def _take(self, size):
        self.at += size
        return self.kept[self.at - size:self.at]


def read_chunked(wire):
    body = b""
    while True:
        line = wire.until(b"\r\n")[:-2]
        if not line or line.strip(b"0123456789abcdef"):
            raise Garbage(f"chunk size {line!r}")
        size = int(line, 16)
        if size == 0:
            break
        body += wire.count(size)
        if wire.count(2) != b"\r\n":
            raise Garbage("chunk end")
    trailers = b""
    while not trailers.endswith(b"\r\n\r\n") and trailers != b"\r\n":
        trailers += wire.until(b"\r\n")
    return body, trailers[:-2]


def read_request(wire):
    """One request in the one form that nobody can misread; Garbage for any other."""
    start = wire.at
    head = wire.until(b"\r\n\r\n")[:-4]
    if any(c < 0x20 and c != 9 for c in head.replace(b"\r\n", b"")) or b"\0" in head:
        raise Garbage("control characters")
    lines = head.split(b"\r\n")
    if len(lines[0].split(b" ")) != 3 or not lines[0].endswith(b" HTTP/1.1"):
        raise Garbage(f"request line {lines[0]!r}")
    names = []
    for line in lines[1:]:
        name, colon, value = line.partition(b": ")
        if not colon or not name or name.strip() != name or value.strip() != value or b" " in name:
            raise Garbage(f"field {line!r}")
        names.append(fold(name.decode("latin-1")))
    lengths, codings = names.count("content-length"), names.count("transfer-encoding")
    if names.count("host") != 1 or lengths + codings > 1:
        raise Garbage(f"{names.count('host')} Host, {lengths} Content-Length, {codings} Transfer-Encoding")
    values = dict(line.split(b": ", 1) for line in lines[1:])
    body = trailers = b""
    if lengths:
        text = values.get(b"Content-Length", b"")
        if not text.isdigit() or str(int(text)).encode() != text:
            raise Garbage(f"Content-Length {text!r}")
        body = wire.count(int(text))
    elif codings:
        if values.get(b"Transfer-Encoding") != b"chunked":
            raise Garbage("Transfer-Encoding")
        body, trailers = read_chunked(wire)
    return Request(head, body, trailers, wire.kept[start:wire.at])


class RecordingUpstream:
    """`requests`: what was understood; `garbage`: why something was not; `wires`: all bytes, a connection each.
    answer(request) gives the bytes to send, Last(bytes) to close behind them. A WebSocket is taken up and echoes
    nothing."""

    def __init__(self, answer=None):
        self.answer, self.take_up = answer or (lambda request: FINE), take_up
        self.requests, self.garbage, self.wires = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.streams = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                stream, _ = self.listener.accept()
            except OSError:
                return
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = Wire(stream)
            self.streams.append(stream)
            self.wires.append(wire)
            threading.Thread(target=self._serve, args=(stream, wire), daemon=True).start()

    def _serve(self, stream, wire):
        try:
            while True:
                request = read_request(wire)
                self.requests.append(request)
                wants_socket = request.all("Upgrade") == ["websocket"]
                answer = self.take_up(request) if wants_socket else self.answer(request)
                stream.sendall(answer)
                if wants_socket and answer.startswith(b"HTTP/1.1 101 "):
                    while True:
                        wire.more()
                if isinstance(answer, Last):
                    return
        except (EOFError, OSError):
            pass
        except Garbage as why:
            self.garbage.append(f"{why}: {wire.kept!r}")
        finally:
            stream.close()

    def take(self):
        """The requests since the last call."""
        taken, self.requests = self.requests, []
        return taken

    def everything(self):
        return b"".join(wire.kept for wire in self.wires)

    def close(self):
        self.listener.close()
        for stream in self.streams:
            try:
                stream.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def take_up(request):
    key = request.one("Sec-WebSocket-Key")
    proof = base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()
    return ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {proof}\r\n\r\n").encode()


def all_bytes(stream):
    """What comes until the other side closes."""
    data = b""
    try:
        while True:
            more = stream.recv(65536)
            if not more:
                return data
            data += more
    except OSError:
        return data
