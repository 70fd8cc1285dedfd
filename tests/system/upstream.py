"""An application of a test's own: each connection is given to one function, in a thread; what it was asked is kept."""
import select
import socket
import struct
import threading


class Request:
    def __init__(self, line, fields):
        self.line, self.fields = line, fields
        self.method, self.target = line.split(" ")[:2]


class Caller:
    """One connection from the door."""

    def __init__(self, upstream, plain, number):
        self.upstream, self.socket, self.number, self.left = upstream, plain, number, b""

    def read(self, most=65536):
        """Some bytes; b"" at the end, a reset included."""
        if self.left:
            data, self.left = self.left[:most], self.left[most:]
            return data
        try:
            return self.socket.recv(most)
        except OSError:
            return b""

    def until(self, mark):
        data = b""
        while mark not in data:
            more = self.read()
            if not more:
                raise EOFError(data)
            data += more
        data, self.left = data.split(mark, 1)
        return data

    def exactly(self, count):
        data = b""
        while len(data) < count:
            more = self.read(count - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def request(self):
        """The next request's head, or None at the connection's end."""
        try:
            lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        except EOFError:
            return None
        fields = {}
        for line in lines[1:]:
            name, value = line.split(":", 1)
            fields[name.lower()] = value.strip()
        self.upstream.asked.append(Request(lines[0], fields))
        return self.upstream.asked[-1]

    def chunked(self):
        """A chunked body and its trailer lines."""
        body = b""
        while True:
            size = int(self.until(b"\r\n"), 16)
            if size == 0:
                trailers = []
                while line := self.until(b"\r\n"):
                    trailers.append(line.decode())
                return body, trailers
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"

    def send(self, data):
        self.socket.sendall(data.encode() if isinstance(data, str) else data)

    def send_what_fits(self, data, quiet=0.5):
        """Until the peer takes no more for a while; how many bytes it took."""
        sent = 0
        self.socket.setblocking(False)
        while sent < len(data) and select.select([], [self.socket], [], quiet)[1]:
            try:
                sent += self.socket.send(data[sent:sent + 65536])
            except BlockingIOError:
                pass
        self.socket.setblocking(True)
        return sent

    def reset(self):
        """Ends it with RST, whatever was said before."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Upstream:
    """with Upstream(serve): serve(caller) for each connection, which ends when it returns."""

    def __init__(self, serve, backlog=64):
        self.serve, self.asked, self.callers, self.failures = serve, [], [], []
        self.ended = 0  # callers whose connection is closed
        self.listening = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self.listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                plain, _ = self.listening.accept()
            except OSError:
                return
            self.callers.append(Caller(self, plain, len(self.callers)))
            threading.Thread(target=self._serve, args=(self.callers[-1],), daemon=True).start()

    def _serve(self, caller):
        try:
            self.serve(caller)
        except (OSError, EOFError):
            pass
        except Exception as error:  # told by close(), in the test's own thread
            self.failures.append(error)
        finally:
            caller.socket.close()
            self.ended += 1

    def close(self):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for caller in self.callers:
            try:
                caller.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        assert not self.failures, self.failures

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
