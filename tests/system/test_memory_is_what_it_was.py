"""Streams that move much past those who are slow, connections opened and closed by the thousand, requests by the ten
thousand: afterwards, and meanwhile, a gateway's memory and descriptors are where they were.

CHATELAINE_FULL_SIZE=1 takes the sizes that a release is tried with: 1 GB a stream, 5,000 connections, a million requests."""
import contextlib
import os
import pathlib
import re
import resource
import subprocess
import threading

import pytest

from house import PATIENCE, ROOT, SANITIZED, wait_for
from upstream import Upstream

pytestmark = pytest.mark.skipif(SANITIZED, reason="it keeps what is freed for a while")

FULL = bool(os.environ.get("CHATELAINE_FULL_SIZE"))
MB = 1 << 20
STREAMS = 50
BODY = (1024 if FULL else 8) * MB
CONNECTIONS = 5000 if FULL else 200
REQUESTS = 1_000_000 if FULL else 20_000
IDLE = 5000 if FULL else 1500
LONG = 3600 if FULL else 120


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """bench/load_h2.c: Python is too slow to make anybody sweat."""
    made = tmp_path_factory.mktemp("load") / "load_h2"
    subprocess.run(["cc", "-O2", "-o", made, ROOT / "bench/load_h2.c", "-lssl", "-lcrypto", "-lnghttp2"], check=True)
    return made


class Gate:
    """A house of one gateway, its memory and its descriptors."""

    def __init__(self, house, program):
        self.house, self.program = house, program
        for key in ("device-connections", "device-requests", "device-handshakes", "address-connections", "address-requests",
                    "address-handshakes"):
            house.set(key, 0)
        house.set("workers", 1)
        house.set("connections", 6000)
        self.device = house.device()
        house.serve()
        self.pid, = house.parts("gateway")

    def words(self, verb, certificate=True, **numbers):
        who = [self.device.cert, self.device.key] if certificate else ["-", "-"]
        return [self.program, str(self.house.port), self.house.site, *who, verb, *(f"{k}={v}" for k, v in numbers.items())]

    def load(self, verb, **words):
        done = subprocess.run(self.words(verb, **words), capture_output=True, text=True, timeout=LONG)
        assert done.returncode == 0, done.stderr

    @contextlib.contextmanager
    def holding(self, verb, **words):
        """Until its input ends: it holds what it has opened."""
        child = subprocess.Popen(self.words(verb, **words), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            assert child.stdout.readline() == b"open\n", child.stderr.read().decode()
            yield
            _, errors = child.communicate(b"\n", timeout=LONG)
            assert child.returncode == 0, errors.decode()
        finally:
            child.kill()
            child.wait()

    def memory(self):
        """Of its own, in bytes."""
        return int(re.search(r"RssAnon:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text()).group(1)) * 1024

    def most(self):
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.pid}/status").read_text()).group(1)) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def settle(self, descriptors):
        wait_for(lambda: self.descriptors() <= descriptors, f"{self.descriptors()} descriptors become {descriptors}")

    def is_quick(self):
        for version in ("--http1.1", "--http2"):
            assert self.house.status("/who", self.device, version) in (200, 404)

    def still_runs(self):
        assert self.house.parts("gateway") == [self.pid]
        assert "event=ended" not in self.house.log_text()


@pytest.fixture
def gate(make_house, program):
    made = []

    def make(url=None):
        house = make_house()
        house.init(url or house.example())
        made.append(Gate(house, program))
        return made[-1]

    yield make
    for one in made:
        one.still_runs()


def show(text):
    """For people: pytest -s."""
    print(f"\n{text}", flush=True)


# -- streams ------------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("clients, streams", [(10, 5), (1, STREAMS)], ids=["ten-connections", "one-connection"])
@pytest.mark.parametrize("window", [65535, 64 * MB], ids=["small-windows", "large-windows"])
def test_fifty_streams_down_past_who_does_not_read(gate, clients, streams, window):
    one = gate()
    one.load("down", bytes=MB, clients=clients, streams=streams, window=window)
    one.is_quick()
    before, most = one.memory(), one.most()
    with one.holding("down", bytes=BODY, clients=clients, streams=streams, window=window, hold=1):
        held = one.memory() - before
        for _ in range(3):
            one.is_quick()
    grown = one.most() - most
    show(f"down {clients}x{streams} window {window}: {held / MB:.1f} MB more while held, {grown / MB:.1f} MB more at most")
    assert grown < 24 * MB, "fifty spills of 128 KB, and what lies between them; far less than what went through"


@pytest.mark.parametrize("clients, streams", [(10, 5), (1, STREAMS)], ids=["ten-connections", "one-connection"])
def test_fifty_streams_up_past_who_does_not_read(gate, clients, streams):
    may_read, waiting = threading.Event(), []
    may_read.set()

    def serve(caller):
        buffer = bytearray(MB)
        while request := caller.request():
            if request.method == "GET":
                caller.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                continue
            if not may_read.is_set():
                waiting.append(caller)
                may_read.wait(LONG)
            tail, caller.left = caller.left[-8:], b""
            while not tail.endswith(b"\r\n0\r\n\r\n"):  # chunked: an end inside the body would be another letter
                size = caller.socket.recv_into(buffer)
                if size == 0:
                    return
                tail = (tail + bytes(buffer[max(0, size - 8):size]))[-8:]
            caller.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with Upstream(serve) as upstream:
        one = gate(upstream.url)
        one.load("up", bytes=MB, clients=clients, streams=streams)
        one.is_quick()
        before, most = one.memory(), one.most()
        may_read.clear()
        child = subprocess.Popen(one.words("up", bytes=BODY, clients=clients, streams=streams), stderr=subprocess.PIPE)
        try:
            wait_for(lambda: len(waiting) == STREAMS, "each stream has a connection to the application", 2 * PATIENCE)
            for _ in range(3):
                one.is_quick()
            held = one.memory() - before
            may_read.set()
            _, errors = child.communicate(timeout=LONG)
            assert child.returncode == 0, errors.decode()
        finally:
            may_read.set()
            child.kill()
            child.wait()
        grown = one.most() - most
        show(f"up {clients}x{streams}: {held / MB:.1f} MB more while held, {grown / MB:.1f} MB more at most")
        assert grown < 24 * MB


# -- connections and requests -------------------------------------------------------------------------------------------

WAYS = {
    "h1": {"version": 1}, "h2": {"version": 2},
    "h1-resumed": {"version": 1, "resumed": 1}, "h2-resumed": {"version": 2, "resumed": 1},
    "h1-socket": {"version": 1, "socket": 1}, "h2-socket": {"version": 2, "socket": 1},
    "h1-stranger": {"version": 1, "certificate": False}, "h2-stranger": {"version": 2, "certificate": False},
}


def test_thousands_of_connections_leave_nothing(gate):
    one = gate()
    one.house.add_to_site('location "/download" { no-certificate = "allow" }')
    one.house.json("config", "reload")
    one.pid, = wait_for(lambda: one.house.parts("gateway") if len(one.house.parts("gateway")) == 1 else None, "one gateway")
    for words in WAYS.values():
        one.load("churn", count=CONNECTIONS // 4, **words)
    one.settle(one.descriptors())
    descriptors, lines = one.descriptors(), []
    for name, words in WAYS.items():
        before = one.memory()
        one.load("churn", count=CONNECTIONS, **words)
        one.settle(descriptors)
        lines.append((name, one.memory() - before))
    show(f"{CONNECTIONS} connections each, KB more: " + ", ".join(f"{name} {grown // 1024}" for name, grown in lines))
    for name, grown in lines:
        assert grown < 1.5 * MB, name


def test_many_requests_leave_nothing(gate):
    one = gate()
    one.load("get", count=REQUESTS // 2, clients=8, streams=4)
    before = one.memory()
    one.load("get", count=REQUESTS, clients=8, streams=4)
    one.settle(8 * 4 + 100)  # connections to the application are kept for a while, one for each that was under way at most
    show(f"{REQUESTS} requests: {(one.memory() - before) // 1024} KB more")
    assert one.memory() - before < MB / 2, "26 bytes a request"


@pytest.mark.parametrize("version, most", [(1, 32), (2, 48)])
def test_an_idle_connection_costs_what_it_should(gate, version, most):
    one = gate()
    one.load("churn", count=20, version=version)
    before, descriptors = one.memory(), one.descriptors()
    with one.holding("idle", count=IDLE, version=version):
        each = (one.memory() - before) / IDLE / 1024
        one.is_quick()
    one.settle(descriptors + 8)
    show(f"{IDLE} idle, HTTP/{version}: {each:.1f} KB each; afterwards {(one.memory() - before) // 1024} KB more in all")
    assert each < most
    assert one.memory() - before < 36 * MB, "a crowd's memory goes back to the system, but for the last of it"
    again = one.memory()
    with one.holding("idle", count=IDLE, version=version):
        pass
    one.settle(descriptors + 8)
    assert one.memory() - again < 8 * MB, "and a second crowd's"
