"""Every ceiling of HTTP/2 is hit by one client, and another one does not notice."""
import socket
import struct
import threading

import pytest

from h2_client import Client
from house import wait_for
from upstream import Upstream

CALM = 11
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Counting:
    """An application that counts what it is asked; /wait gets no answer, /endless one without end; /stuck reads no body."""

    def __init__(self):
        self.asked, self.cut, self.go_on = [], 0, threading.Event()
        self.upstream = Upstream(self.serve, backlog=512)
        # What its kernel takes is none of the door's: little.
        self.upstream.listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)

    def serve(self, caller):
        while True:
            request = caller.request()
            if request is None:
                return
            path = request.line.split(" ")[1]
            self.asked.append(path)
            if path == "/wait":
                while caller.read():
                    pass
                self.cut += 1
                return
            if path == "/endless":
                caller.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                try:
                    while True:
                        caller.send(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                except OSError:
                    self.cut += 1
                    return
            if path == "/stuck":
                self.go_on.wait(60)
            left = int(request.fields.get("content-length", 0))
            while left and (data := caller.read()):
                left -= len(data)
            caller.send(FINE)


class Place:
    def __init__(self, house, application):
        self.house, self.application = house, application
        self.mallory, self.alice = house.device("mallory", "laptop"), house.device("alice", "laptop")
        self.good = Client(house, self.alice)

    def attacker(self):
        return Client(self.house, self.mallory)

    def others_do_not_notice(self):
        stream = self.good.get("/good")
        assert stream.status == 200 and not self.good.goaways


@pytest.fixture
def place(make_house):
    application = Counting()
    with application.upstream as upstream:
        house = make_house().init(upstream.url)
        house.set("workers", "1")
        house.serve()
        place = Place(house, application)
        place.others_do_not_notice()
        yield place
        place.others_do_not_notice()
        place.good.close()


def flood(client, data, times):
    """Until the door has had enough: the client hears why."""
    client.tls.settimeout(10)
    try:
        for _ in range(times):
            client.raw(data)
    except (BrokenPipeError, ConnectionResetError, OSError):
        pass
    try:
        client.until_closed()
    except OSError:
        client.closed = True


def test_a_rapid_reset_ends_its_connection_and_hardly_reaches_the_application(place):
    before = len(place.application.asked)
    client = place.attacker()
    number = 1
    for _ in range(40):
        for _ in range(50):
            client.h2.send_headers(number, client.head(path="/cancelled"), end_stream=True)
            client.h2.reset_stream(number, 8)
            number += 2
        try:
            client.flush()
        except OSError:
            break
    try:
        client.until_closed()
    except OSError:
        pass
    assert client.closed and client.goaways and client.goaways[-1][1] == CALM
    place.others_do_not_notice()
    cancelled = [path for path in place.application.asked[before:] if path == "/cancelled"]
    assert len(cancelled) <= 20, f"{len(cancelled)} of 2000 cancelled requests reached the application"
    place.house.wait_log("too many streams reset")


FLOODS = {
    "ping": frame(6, 0, 0, b"12345678"),
    "settings": frame(4, 0, 0),
    "priority": frame(2, 0, 7, b"\0\0\0\0\x01"),
    "empty data": frame(0, 0, 1),
    "window updates": frame(8, 0, 0, b"\0\0\0\x01"),
    "unknown frames": frame(0xbb, 0, 0, b"grease"),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_frames_that_carry_nothing_ends_its_connection(place, kind):
    client = place.attacker()
    client.open(client.head("POST", "/up"), end=False)
    flood(client, FLOODS[kind] * 100, 30)
    # The socket may be reset under what was still being sent; the log says why in any case.
    assert client.closed
    place.house.wait_log("HTTP/2: too many frames that carry nothing")


def test_continuations_without_an_end_are_cut_short(place):
    client = place.attacker()
    flood(client, frame(1, 0, 1, b"\x82") + frame(9, 0, 1, b"\x00\x01x\x01y") * 200, 1)
    assert client.closed
    place.house.wait_log("HTTP/2")


def test_no_more_streams_than_announced(place):
    client = place.attacker()
    client.until(lambda: 3 in client.settings)
    assert client.settings[3] == 100
    for _ in range(100):
        client.open(client.head(path="/wait"))
    wait_for(lambda: place.application.asked.count("/wait") == 100, "a hundred requests wait")
    client.h2.remote_settings[3] = 1000
    client.h2.remote_settings.acknowledge()
    client.open(client.head(path="/wait"))
    client.until_closed()
    assert place.application.asked.count("/wait") == 100
    wait_for(lambda: place.application.cut == 100, "all hundred are cut with the connection")


def memory(house):
    """Kilobytes of all gateways that are their own."""
    total = 0
    for pid in house.parts("gateway"):
        with open(f"/proc/{pid}/status") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    return total


def test_fifty_slow_readers_on_one_connection_hold_what_one_window_is_and_no_more(place):
    client = place.attacker()
    client.holds.add(None)
    start = memory(place.house)
    streams = [client.open(client.head(path="/endless")) for _ in range(50)]
    # The connection's window is the client's: once it is used up the door reads no further.
    client.until(lambda: sum(len(s.body) for s in streams) == 65535)
    wait_for(lambda: place.application.asked.count("/endless") == 50, "all fifty are asked for")
    for _ in range(20):
        place.others_do_not_notice()
    # Fifty spills of 16 KB, heads, and fifty receive buffers of upstreams that are not read.
    assert memory(place.house) - start < 12000
    client.h2.increment_flow_control_window(1 << 20)
    for stream in streams[:5]:
        client.h2.increment_flow_control_window(1 << 20, stream.id)
    client.flush()
    client.until(lambda: sum(len(s.body) for s in streams) == 65535 + (1 << 20))
    assert min(len(s.body) for s in streams) > 10000, "those that have a window share the connection's evenly"
    assert memory(place.house) - start < 12000
    client.close()
    wait_for(lambda: place.application.cut >= 50, "all are cut")


def test_a_slow_reader_of_one_stream_does_not_slow_the_streams_beside_it(place):
    client = place.attacker()
    slow = client.open(client.head(path="/endless"))
    client.holds.add(slow.id)
    client.h2.increment_flow_control_window(1 << 20)
    client.flush()
    client.until(lambda: len(slow.body) == 65535)
    for _ in range(50):
        assert client.get("/quick").status == 200
    assert len(slow.body) == 65535
    client.close()


def test_thousands_of_connections_leave_no_memory_behind(place):
    def round_of(count):
        for _ in range(count):
            client = place.attacker()
            assert client.get("/").status == 200
            client.close()

    round_of(60)
    start = memory(place.house)
    round_of(200)
    assert memory(place.house) - start < 1500


# -- uploads ---------------------------------------------------------------------------------------------------------

LARGE = 16 << 20
NARROW, WIDE, WIDE_MOST = 65535, 1 << 20, 4


def upload(client, path, size=LARGE):
    return client.open(client.head("POST", path, fields=[("content-length", str(size))]), end=False)


def has_heard(client):
    """The door has read all that was sent, and what it says to it has come."""
    pings = len(client.pings)
    client.h2.ping(b"are you?")
    client.flush()
    client.until(lambda: len(client.pings) > pings)


def send_what_is_let_in(client, stream):
    """Until nothing was let in for a few round trips; how much it was."""
    sent = quiet = 0
    while quiet < 5:
        room = min(client.h2.local_flow_control_window(stream.id), client.h2.max_outbound_frame_size)
        quiet = 0 if room else quiet + 1
        if room:
            client.h2.send_data(stream.id, bytes(room))
            sent += room
            client.flush()
        else:
            has_heard(client)
    return sent


def test_a_large_upload_that_is_read_gets_a_larger_window(place):
    client = place.attacker()
    stream = upload(client, "/sink", 8 << 20)
    assert client.h2.local_flow_control_window(stream.id) == NARROW
    client.send(stream, bytes(NARROW))
    client.until(lambda: client.h2.local_flow_control_window(stream.id) > WIDE // 2)
    client.send(stream, bytes((8 << 20) - NARROW), end=True)
    assert client.wait(stream).status == 200
    little = upload(client, "/sink", 98304)
    client.send(little, bytes(NARROW))
    client.until(lambda: client.h2.local_flow_control_window(little.id) > 0)
    assert client.h2.local_flow_control_window(little.id) <= NARROW
    client.close()


def test_uploads_that_nobody_reads_hold_their_windows_and_not_more(place):
    client = place.attacker()
    client.tls.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    start = memory(place.house)
    stuck = [upload(client, "/stuck") for _ in range(WIDE_MOST + 4)]
    let_in = [send_what_is_let_in(client, stream) for stream in stuck]
    assert sum(size >= WIDE for size in let_in) >= WIDE_MOST, "the kernel takes the first of each, so that windows grow"
    assert memory(place.house) - start < ((WIDE_MOST + 2) * WIDE + 4 * NARROW) // 1024
    # The connection lets the others in all the while.
    for _ in range(3):
        beside = upload(client, "/sink", WIDE)
        client.send(beside, bytes(WIDE), end=True)
        assert client.wait(beside).status == 200
    place.others_do_not_notice()
    place.application.go_on.set()
    client.send(stuck[0], bytes(LARGE - let_in[0]), end=True)
    assert client.wait(stuck[0]).status == 200
    client.close()
    place.others_do_not_notice()
