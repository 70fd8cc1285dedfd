"""Bodies stream through: 4 GB up and down in constant memory; who is slow slows only itself; every way that bodies begin and end."""
import asyncio
import contextlib
import hashlib
import json
import queue
import re
import select
import socket
import ssl
import struct
import threading

import pytest
import websockets

from house import SANITIZED, free_port, read_answer, wait_for
from upstream import Caller, Upstream
from websocket_client import WebSocket

GB = 1 << 30
KERNEL = 24 << 20  # what four socket buffers of this machine may take of a body that nobody reads; far less than its size
PATTERN = hashlib.shake_128(b"chatelaine").digest(1 << 20)


@pytest.fixture
def door(make_house):
    """door(serve, key=value...): a house of one gateway before an application of serve(caller); (house, device, upstream)."""
    houses = []
    with contextlib.ExitStack() as stack:
        def make(serve, url=None, **settings):
            upstream = stack.enter_context(Upstream(serve))
            house = make_house()
            house.init(url or upstream.url)
            for name, value in {"workers": 1, **settings}.items():
                house.set(name.replace("_", "-"), value)
            device = house.device()
            houses.append(house.serve())
            return house, device, upstream

        yield make
        for house in houses:
            assert "event=ended" not in house.log_text(), "no part of it has died"


def head(house, line, *fields):
    return "\r\n".join([f"{line} HTTP/1.1", f"Host: {house.site}", *fields, "", ""]).encode()


def memory(pid):
    """The most that was ever resident, in bytes."""
    return int(re.search(r"VmHWM:\s*(\d+) kB", open(f"/proc/{pid}/status").read()).group(1)) * 1024


def read_all(stream):
    """Until the end; (bytes, whether the end was clean)."""
    data = b""
    while True:
        try:
            more = stream.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            return data, False
        if not more:
            return data, True
        data += more


def read_whole(stream, size):
    """An answer of that length: (status, fields, SHA-256 of its body), not held in memory."""
    caller = Caller(None, stream, 0)
    lines = caller.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
    digest = hashlib.sha256()
    while size and (data := caller.read()):
        digest.update(data)
        size -= len(data)
    return int(lines[0].split()[1]), lines[1:], digest.digest()


def ask(house, device, line, *fields, body=b""):
    """One request on a connection of its own; (status, fields, body)."""
    with house.tls(device) as stream:
        stream.sendall(head(house, line, *fields) + body)
        return read_answer(stream)


# -- size ------------------------------------------------------------------------------------------------------------

@pytest.mark.skipif(SANITIZED, reason="it keeps what is freed for a while")
def test_4_gb_up_and_down_in_constant_memory(make_house):
    house = make_house()
    house.init(house.example())
    house.set("workers", 1)
    device = house.device()
    house.serve()
    gateway, = house.parts("gateway")

    def most():
        return memory(gateway)

    def hollow(name, size):
        with open(house.folder / name, "wb") as file:
            file.truncate(size)
        return house.folder / name

    def up(size):
        done = house.curl("/upload", device, "--http1.1", "-T", hollow("hollow", size), "--max-time", 240, check=True)
        assert json.loads(done.stdout) == {"bytes": size}

    def down(size):
        done = house.curl(f"/download?bytes={size}", device, "--http1.1", "-o", "/dev/null", "-w", "%{size_download}",
                          "--max-time", 240, check=True)
        assert int(done.stdout) == size

    up(64 << 20)
    down(64 << 20)
    warm = most()
    up(4 * GB)
    assert most() - warm < 1 << 20
    down(4 * GB)
    assert most() - warm < 1 << 20


# -- slowness: whoever does not read stops who writes, and nobody else ---------------------------------------------------

@pytest.mark.skipif(SANITIZED, reason="it keeps what is freed for a while")
def test_a_client_that_does_not_read_stops_the_application_and_loses_nothing(door):
    size, sent, may_end = 256 << 20, [], threading.Event()
    body = PATTERN * (size // len(PATTERN))

    def serve(caller):
        while request := caller.request():
            if request.target == "/quick":
                caller.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            caller.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
            sent.append(caller.send_what_fits(body))
            may_end.wait(20)
            caller.send(memoryview(body)[sent[0]:])

    house, device, _ = door(serve)
    gateway, = house.parts("gateway")
    assert ask(house, device, "GET /quick")[0] == 200
    with house.tls(device) as stream:
        stream.sendall(head(house, "GET /large"))
        wait_for(lambda: sent, "the application is stopped")
        assert 0 < sent[0] < KERNEL
        before = memory(gateway)
        assert ask(house, device, "GET /quick")[0] == 200, "others run"
        may_end.set()
        status, _, answer = read_whole(stream, size)
        assert status == 200 and answer == hashlib.sha256(body).digest()
    assert memory(gateway) - before < 4 << 20


def test_an_application_that_does_not_read_stops_the_client_and_loses_nothing(door):
    size, may_read = 256 << 20, threading.Event()
    body = PATTERN * (size // len(PATTERN))

    def serve(caller):
        while request := caller.request():
            if request.method == "GET":
                caller.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            may_read.wait(20)
            sum_, left = hashlib.sha256(), size
            while left and (data := caller.read(min(left, 1 << 20))):
                sum_.update(data)
                left -= len(data)
            caller.send("HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n" + sum_.hexdigest())

    house, device, _ = door(serve)
    gateway, = house.parts("gateway")
    assert ask(house, device, "GET /quick")[0] == 200
    with house.tls(device) as stream:
        stream.sendall(head(house, "POST /large", f"Content-Length: {size}"))
        stream.settimeout(0.5)
        sent = 0
        with contextlib.suppress(TimeoutError):  # half a second without room: it is stopped
            while sent < size:
                sent += stream.send(memoryview(body)[sent:sent + 16384])
        assert 0 < sent < KERNEL
        before = memory(gateway)
        assert ask(house, device, "GET /quick")[0] == 200, "others run"
        may_read.set()
        stream.settimeout(30)
        # The record that had no room is OpenSSL's already: the same bytes are offered again.
        stream.sendall(memoryview(body)[sent:])
        assert read_answer(stream)[2].decode() == hashlib.sha256(body).hexdigest()
    assert memory(gateway) - before < 4 << 20


@pytest.mark.parametrize("words", [
    [b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"], [b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", b"0\r\n\r\n"],
    [b"Content-Length: 3\r\n\r\nabc"], [b"Content-Length: 3\r\n\r\na", b"bc"]])
def test_the_example_counts_what_comes_with_the_head(house, words):
    device = house.device()
    with house.tls(device) as stream:
        for number, part in enumerate(words):
            stream.sendall(f"POST /upload HTTP/1.1\r\nHost: {house.site}\r\n".encode() + part if number == 0 else part)
        status, _, body = read_answer(stream)
    assert status == 200 and json.loads(body) == {"bytes": 3}


def test_each_piece_passes_as_it_comes(door):
    """Nothing waits for the whole of it, in either direction."""
    heard = queue.Queue()

    def serve(caller):
        caller.request()
        for _ in range(5):
            heard.put(caller.exactly(1))
        caller.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        for letter in "vwxyz":
            caller.send(letter)
            assert heard_back.get(timeout=20)

    heard_back = queue.Queue()
    house, device, _ = door(serve)
    with house.tls(device) as stream:
        stream.sendall(head(house, "POST /", "Content-Length: 5"))
        for letter in b"abcde":
            stream.sendall(bytes([letter]))
            assert heard.get(timeout=20) == bytes([letter])
        data = b""
        for letter in b"vwxyz":
            while not data.endswith(b"\r\n\r\n" + b"vwxyz"[:b"vwxyz".index(letter) + 1]):
                data += stream.recv(1000)
            heard_back.put(True)


# -- how bodies begin and end -----------------------------------------------------------------------------------------

def test_chunks_both_ways_with_trailers(door):
    def serve(caller):
        request = caller.request()
        assert request.fields["transfer-encoding"] == "chunked" and "content-length" not in request.fields
        body, trailers = caller.chunked()
        told.append((hashlib.sha256(body).hexdigest(), [line.replace(" ", "").lower() for line in trailers]))
        caller.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        for size in (1, 2, 1000, 65536, 300000):
            caller.send(b"%x;ext=1\r\n" % size + PATTERN[:size] + b"\r\n")
        caller.send("0\r\nX-Sum: down\r\n\r\n")

    told = []
    house, device, _ = door(serve)
    with house.tls(device) as stream:
        stream.sendall(head(house, "POST /", "Transfer-Encoding: chunked", "Trailer: X-Sum"))
        for size in (3, 1, 70000, 16384, 500000):
            stream.sendall(b"%X\r\n" % size + PATTERN[:size] + b"\r\n")
        stream.sendall(b"0\r\nX-Sum: up\r\nX-SSL-Client-Verify: SUCCESS\r\n\r\n")
        caller = Caller(None, stream, 0)
        answer = caller.until(b"\r\n\r\n").decode().lower()
        assert " 200 " in answer and "transfer-encoding: chunked" in answer
        body, trailers = caller.chunked()
    assert body == b"".join(PATTERN[:size] for size in (1, 2, 1000, 65536, 300000))
    assert trailers == ["X-Sum: down"]
    sent = b"".join(PATTERN[:size] for size in (3, 1, 70000, 16384, 500000))
    assert told == [(hashlib.sha256(sent).hexdigest(), ["x-sum:up"])], "and no identity comes by a trailer"


def test_expect_100_continue(door):
    def serve(caller):
        while request := caller.request():
            data = caller.exactly(int(request.fields.get("content-length", 0)))
            caller.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)

    house, device, upstream = door(serve)
    with house.tls(device) as stream:
        stream.sendall(head(house, "POST /", "Content-Length: 5", "Expect: 100-continue"))
        assert Caller(None, stream, 0).until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue"
        stream.sendall(b"hello")
        assert read_answer(stream)[::2] == (200, b"hello")
        stream.sendall(head(house, "GET /"))
        assert read_answer(stream)[0] == 200, "the connection goes on"
    asked = len(upstream.asked)
    # A stranger is told no before any byte of the body: no 100.
    with house.tls(None) as stream:
        stream.sendall(head(house, "POST /", "Content-Length: 5", "Expect: 100-continue"))
        assert read_answer(stream)[0] == 403
    assert len(upstream.asked) == asked


def test_answers_without_a_body_leave_the_connection_in_step(door):
    def serve(caller):
        while request := caller.request():
            caller.send({"/204": "HTTP/1.1 204 No Content\r\nX-Is: 204\r\n\r\n",
                         "/304": "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 77\r\n\r\n",
                         "/head": "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n",
                         "/chunked-head": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                         "/empty": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                         "/103": "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
                                 "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
                         "/last": "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast"}[request.target])

    house, device, upstream = door(serve)
    with house.tls(device) as stream:
        caller = Caller(None, stream, 0)

        def heads(line, count=1):
            stream.sendall(head(house, line))
            return [caller.until(b"\r\n\r\n").decode() for _ in range(count)]

        assert " 204 " in heads("GET /204")[0]
        assert " 304 " in heads("GET /304")[0]
        answer, = heads("HEAD /head")
        assert " 200 " in answer and "content-length: 12345" in answer.lower()
        assert " 200 " in heads("HEAD /chunked-head")[0]
        assert " 200 " in heads("GET /empty")[0]
        hints, answer = heads("GET /103", 2)
        assert " 103 " in hints and "</style.css>" in hints and " 200 " in answer
        assert caller.exactly(2) == b"ok"
        assert " 200 " in heads("GET /last")[0] and caller.exactly(4) == b"last"
    assert len(upstream.callers) == 1, "nor does the application see another connection"


def test_a_body_that_ends_with_the_connection(door):
    """As HTTP/1.0 servers answer: the client gets it chunked, and knows that it is whole."""
    def serve(caller):
        caller.request()
        caller.send(b"HTTP/1.0 200 OK\r\n\r\n" + PATTERN)

    house, device, _ = door(serve)
    with house.tls(device) as stream:
        stream.sendall(head(house, "GET /"))
        caller = Caller(None, stream, 0)
        assert "transfer-encoding: chunked" in caller.until(b"\r\n\r\n").decode().lower()
        assert caller.chunked() == (PATTERN, [])


def test_an_early_answer_reaches_a_client_that_is_still_sending(door):
    def serve(caller):
        caller.request()
        caller.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nmuch")

    house, device, _ = door(serve)
    with house.tls(device) as stream:
        stream.sendall(head(house, "POST /", f"Content-Length: {64 << 20}"))
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for _ in range(8):
                stream.sendall(PATTERN)
        status, _, body = read_answer(stream)
    assert (status, body) == (413, b"much")
    done = house.curl("/", device, "-T", make_hollow(house, 64 << 20), "-w", "%{http_code}")
    assert "413" in done.stdout, done.stderr


def make_hollow(house, size):
    with open(house.folder / "hollow", "wb") as file:
        file.truncate(size)
    return house.folder / "hollow"


# -- who goes away in the middle --------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_in_its_body_ends_the_request(door, way):
    ends, begun = queue.Queue(), threading.Event()

    def serve(caller):
        caller.request()
        data = b""
        while more := caller.read():
            data += more
            if b"789" in data:
                begun.set()
        ends.put(data)

    house, device, _ = door(serve)
    with house.tls(device) as stream:
        stream.sendall(head(house, "POST /", way))
        stream.sendall(b"a\r\n0123456789\r\n" if "chunked" in way else b"0123456789")
        assert begun.wait(20)
    data = ends.get(timeout=20)
    assert not data.endswith(b"0\r\n\r\n"), "half a body must not look whole"
    assert len(data) < 1000000


def test_a_client_that_leaves_in_the_answer_ends_it(door):
    ends = queue.Queue()

    def serve(caller):
        caller.request()
        caller.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + PATTERN)
        ends.put(caller.read())

    house, device, _ = door(serve)
    with house.tls(device) as stream:
        stream.sendall(head(house, "GET /"))
        assert stream.recv(100)
    assert ends.get(timeout=20) == b""


def test_a_request_is_repeated_on_a_stale_connection_only_if_that_is_harmless(door):
    """An application that closes kept connections at the worst moment: when the next request is there."""
    def serve(caller):
        for served in range(1000):
            request = caller.request()
            if not request:
                return
            if served and request.target == "/late":
                caller.exactly(int(request.fields.get("content-length", 0)))
                return
            caller.exactly(int(request.fields.get("content-length", 0)))
            caller.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    house, device, upstream = door(serve)

    def seen(method):
        return sum(request.method == method and request.target == "/late" for request in upstream.asked)

    with house.tls(device) as stream:
        def once(line, *fields, body=b""):
            stream.sendall(head(house, line, *fields) + body)
            return read_answer(stream)

        assert once("GET /")[0] == 200
        assert once("GET /late")[0] == 200
        assert seen("GET") == 2 and len(upstream.callers) == 2, "a GET goes to a fresh one"
        for method, fields, body in (("POST", ["Content-Length: 5"], b"hello"), ("POST", ["Content-Length: 0"], b""),
                                     ("DELETE", [], b""), ("PUT", ["Content-Length: 5"], b"hello")):
            before = seen(method)
            assert once("GET /")[0] == 200
            answer = once(f"{method} /late", *fields, body=body)
            assert answer[0] == 502 and b"C32" in answer[2]
            assert seen(method) == before + 1, f"a {method} is never sent twice"


def test_a_post_goes_to_a_connection_that_is_still_there(door):
    """Closed while idle, before the request: nothing of a POST is sent into it, and it succeeds."""
    def serve(caller):
        caller.request()
        caller.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    house, device, upstream = door(serve)
    with house.tls(device) as stream:
        for number in range(20):
            stream.sendall(head(house, "POST /", "Content-Length: 5") + b"hello")
            assert read_answer(stream)[0] == 200
            # Before, not while, the next is sent: for the moment between a look and a write there is no cure.
            wait_for(lambda: upstream.ended > number, "the application has closed it")
    assert len(upstream.asked) == 20


# -- applications that fail -------------------------------------------------------------------------------------------

def answers(text):
    def serve(caller):
        caller.request()
        caller.send(text)
        caller.read()
    return serve


def resets(text):
    def serve(caller):
        caller.request()
        caller.send(text)
        caller.reset()
    return serve


def closes(text):
    def serve(caller):
        caller.request()
        caller.send(text)
    return serve


def drips(caller):
    """A letter at a time, and never done."""
    caller.request()
    for letter in "HTTP/1.1 200 OK\r\nX-Long: " + "a" * 10000:
        caller.send(letter)
        if select.select([caller.socket], [], [], 0.01 + 0.005 * (caller.number % 8))[0]:
            return  # the door has gone


@pytest.mark.parametrize("serve, status, code", [
    (closes(""), 502, "C32"), (resets(""), 502, "C32"), (closes("HTTP/1.1 200 O"), 502, "C32"),
    (resets("HTTP/1.1 200 O"), 502, "C32"), (answers("SSH-2.0-OpenSSH_9.2\r\n\r\n"), 502, "C32"),
    (answers("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), 502, "C32"),
    (answers("HTTP/1.1 200 OK\r\nX-A: " + "a" * 100000 + "\r\n\r\n"), 502, "C32"),
    (answers(""), 504, "C31"), (answers("HTTP/1.1 200 OK\r\n"), 504, "C31"), (drips, 504, "C31"),
], ids=["closes", "resets", "closes-in-head", "resets-in-head", "garbage", "two-lengths", "endless-head", "hangs",
        "hangs-in-head", "a-letter-at-a-time"])
def test_before_the_answer_a_page_says_what_is_wrong(door, serve, status, code):
    house, device, _ = door(serve, first_byte_time='"1s"')
    got, fields, body = ask(house, device, "POST /", "Content-Length: 0")
    assert (got, code in body.decode()) == (status, True), body
    assert "html" in fields["content-type"]
    house.wait_log(f"why={code}")


def test_a_deadline_and_a_byte_in_the_same_moment(door):
    """Many that drip: some letter comes in the very turn in which time is up."""
    house, device, _ = door(drips, first_byte_time='"1s"')
    streams = [house.tls(device) for _ in range(60)]
    for stream in streams:
        stream.sendall(head(house, "GET /"))
    for stream in streams:
        assert read_answer(stream)[0] == 504
        stream.close()


def test_nobody_listens_or_nobody_accepts(door):
    house, device, _ = door(answers(""), url=f"http://127.0.0.1:{free_port()}")
    got, _, body = ask(house, device, "GET /")
    assert got == 502 and b"C30" in body

    with contextlib.ExitStack() as stack:
        deaf = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(8):  # its queue is full, so that a SYN gets no answer
            plain = stack.enter_context(socket.socket())
            plain.setblocking(False)
            plain.connect_ex(deaf.getsockname())
        house, device, _ = door(answers(""), url=f"http://127.0.0.1:{deaf.getsockname()[1]}", connect_time='"200ms"')
        got, _, body = ask(house, device, "GET /")
        assert got == 502 and b"C30" in body


@pytest.mark.parametrize("serve", [closes, resets])
@pytest.mark.parametrize("text", ["HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf",
                                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"])
def test_half_an_answer_never_looks_whole(door, serve, text):
    house, device, _ = door(serve(text))
    with house.tls(device) as stream:
        stream.sendall(head(house, "GET /"))
        data, _ = read_all(stream)
    assert b"0\r\n\r\n" not in data and data.count(b"HTTP/1.1") <= 1
    assert b" 502 " not in data or b"half" not in data
    assert house.curl("/", device, "-o", "/dev/null").returncode != 0


# -- WebSockets ---------------------------------------------------------------------------------------------------------

def test_a_quiet_websocket_outlives_what_idle_connections_get(make_house):
    house = make_house()
    house.init(house.example())
    house.set("idle-time", '"1s"')
    device = house.device()
    house.serve()
    quiet = WebSocket(house, device, "/echo")
    for _ in range(3):  # three idle connections, one after the other, live and die in the meantime
        with house.tls(device) as idle:
            assert idle.recv(1) == b""
    quiet.send("still here")
    assert quiet.read_text() == "still here"
    quiet.close()


@contextlib.contextmanager
def websocket_server():
    """python3-websockets echoes each message; its port. It would end a connection with anything out of order."""
    loop, started = asyncio.new_event_loop(), queue.Queue()

    async def echo(connection, *_):
        async for message in connection:
            await connection.send(message)

    async def run():
        server = await websockets.serve(echo, "127.0.0.1", 0, subprotocols=["chat.v2", "chat.v1"], max_size=None,
                                        compression=None, ping_interval=None)
        started.put(server)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(run(), loop)
    server = started.get(timeout=20)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        asyncio.run_coroutine_threadsafe(server.wait_closed(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)


def test_messages_of_any_size_in_any_fragments_and_the_subprotocol(door):
    with websocket_server() as port:
        house, device, _ = door(answers(""), url=f"http://127.0.0.1:{port}")
        one = WebSocket(house, device, "/", fields=["Sec-WebSocket-Protocol: chat.v1, chat.v0", f"Origin: {house.url}"])
        assert "sec-websocket-protocol: chat.v1" in one.head.lower()

        large = (PATTERN * 20)[:20_000_001]
        one.send(large, opcode=2)
        assert whole(one) == large

        one.send(b"a" * 70000, opcode=1, final=False)
        one.send("in between", opcode=9)
        assert one.read() == (10, b"in between")
        for letter in "bcdefg":
            one.send(letter, opcode=0, final=False)
        one.send("", opcode=0)
        assert whole(one) == b"a" * 70000 + b"bcdefg"

        one.send(struct.pack(">H", 1000) + b"bye", opcode=8)
        assert one.read_until_close()[0] == 1000


def whole(connection):
    """One message from its frames."""
    data = b""
    while True:
        first, second = connection._take(2)
        size = second & 0x7F
        if size > 125:
            size, = struct.unpack(*((">H", connection._take(2)) if size == 126 else (">Q", connection._take(8))))
        data += connection._take(size)
        if first & 0x80:
            return data
