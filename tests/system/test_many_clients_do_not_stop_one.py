"""Idle clients, slow heads, half ClientHellos, floods of handshakes, no descriptors left: meanwhile an enrolled device is
served, each attacker meets a ceiling, and afterwards everything is as before."""
import contextlib
import os
import re
import resource
import select
import socket
import ssl
import threading

import pytest
from house import SANITIZED, read_answer, wait_for

MANY = 2000


@pytest.fixture(autouse=True)
def enough_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < MANY + 1000:
        pytest.skip(f"{hard} descriptors are too few for this test")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def attackers():
    """Sockets of the attack; all closed at the end."""
    with contextlib.ExitStack() as stack:
        made = []

        def add(one):
            made.append(stack.enter_context(one))
            return one
        add.made = made
        yield add


def plain(house):
    return socket.create_connection(("127.0.0.1", house.port), timeout=20)


def a_client_hello(house):
    """The bytes of a real one."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = house.context().wrap_bio(incoming, outgoing, server_hostname=house.site)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


def is_served(house, device, times=5):
    """By new handshakes and on one connection."""
    for _ in range(times):
        with house.tls(device) as stream:
            for _ in range(2):
                stream.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
                assert read_answer(stream)[0] == 200


def has_ended(stream, patience=20):
    """The other side has closed it (whatever it said before)."""
    stream.settimeout(patience)
    try:
        while stream.recv(65536):
            pass
    except (ConnectionResetError, BrokenPipeError, ssl.SSLError):
        pass
    except TimeoutError:
        return False
    return True


def open_sockets(house):
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in house.parts("gateway"))


def memory(house):
    """KiB of the gateways' own memory."""
    return sum(int(re.search(r"RssAnon:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1)) for pid in house.parts("gateway"))


def ticks(house):
    """CPU ticks of the gateways so far."""
    return sum(sum(int(n) for n in open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13]) for pid in house.parts("gateway"))


def test_two_thousand_idle_clients(house, attackers):
    alice = house.device()
    is_served(house, alice)
    before, fds = memory(house), open_sockets(house)
    context = house.context()  # no certificate: anybody can do this
    for _ in range(MANY):
        attackers(context.wrap_socket(plain(house), server_hostname=house.site))
    is_served(house, alice)
    assert SANITIZED or (memory(house) - before) / MANY < 48, "KiB an idle client"
    quiet = ticks(house)
    select.select([], [], [], 0.5)
    assert ticks(house) - quiet < 25, "idle clients cost no time"
    bob = house.device("bob")
    is_served(house, bob, 1)
    assert house.json("device", "revoke", "bob/laptop")["silent"] == []
    for one in attackers.made:
        one.close()
    wait_for(lambda: open_sockets(house) <= fds + 8, "all of them are let go")
    is_served(house, alice)


def test_heads_that_come_a_byte_at_a_time_are_ended_by_a_total_deadline(make_house, attackers):
    one = make_house()
    one.init(one.example())
    one.set("head-time", "3s")
    one.serve()
    alice = one.device()
    context = one.context()
    streams = [attackers(context.wrap_socket(plain(one), server_hostname=one.site)) for _ in range(300)]
    text = f"GET / HTTP/1.1\r\nHost: {one.site}\r\n".encode() + b"X-Slow: " + b"a" * 100000
    ending = threading.Event()

    def drip():
        at = 0
        while not ending.is_set():
            for stream in streams:
                with contextlib.suppress(OSError):
                    stream.send(text[at:at + 1])
            at += 1

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        is_served(one, alice, 20)
        # Each byte is progress, and moves no deadline.
        for stream in streams[:20] + streams[-20:]:
            assert has_ended(stream)
        is_served(one, alice, 20)
    finally:
        ending.set()
        dripping.join()


@pytest.mark.parametrize("cut", [0, 1, 5, 100, -1])
def test_half_client_hellos_are_ended_by_a_deadline(make_house, attackers, cut):
    """Nothing sent, a byte, a record's head, half a hello, all but the last byte."""
    one = make_house()
    one.init(one.example())
    one.set("handshake-time", "2s")
    one.serve()
    alice = one.device()
    hello, fds = a_client_hello(one)[:cut], open_sockets(one)
    for _ in range(400):
        stream = attackers(plain(one))
        stream.sendall(hello)
    is_served(one, alice)
    for stream in attackers.made:
        assert has_ended(stream)
    wait_for(lambda: open_sockets(one) <= fds + 8, "their descriptors are free")
    is_served(one, alice)


def test_handshakes_that_are_broken_off_leave_nothing_behind(house):
    """A flood without certificates: hello, then gone at once; by reset too."""
    alice = house.device()
    hello = a_client_hello(house)
    is_served(house, alice)
    before, fds = memory(house), open_sockets(house)

    def flood():
        for number in range(700):
            with contextlib.suppress(OSError), plain(house) as stream:
                stream.sendall(hello)
                if number % 2:
                    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    floods = [threading.Thread(target=flood) for _ in range(3)]
    for one in floods:
        one.start()
    is_served(house, alice)  # behind those who came before, and no later
    for one in floods:
        one.join()
    is_served(house, alice)
    wait_for(lambda: open_sockets(house) <= fds + 8, "all of them are let go")
    assert SANITIZED or memory(house) - before < 32 * 1024
    assert "event=watchdog" not in house.log_text()


def test_without_descriptors_it_does_not_spin_and_recovers(make_house, attackers):
    """Started with few: what is too much is turned away at once, and what was there goes on."""
    one = make_house()
    one.init(one.example())
    one.set("workers", "1")
    one.serve(prefix=["prlimit", "--nofile=80:80"])
    alice = one.device()
    kept = one.tls(alice)
    kept.sendall(f"GET /who HTTP/1.1\r\nHost: {one.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] == 200
    for _ in range(300):
        attackers(plain(one))
    spent = ticks(one)
    select.select([], [], [], 1)
    assert ticks(one) - spent < 30, "of a hundred: it does not spin"
    kept.sendall(f"GET /who HTTP/1.1\r\nHost: {one.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] in (200, 502), "who was in is served; an application out of reach is said"
    turned_away = [stream for stream in attackers.made if select.select([stream], [], [], 0)[0]]
    assert turned_away, "closed at once instead of waiting for nobody"
    for stream in attackers.made:
        stream.close()
    wait_for(lambda: one.status("/who", alice) == 200, "it recovers by itself")
    is_served(one, alice)
    assert one.parts("gateway") and "event=ended" not in one.log_text()
    assert one.json("device", "revoke", "alice/laptop")["silent"] == []


def test_the_ceiling_of_connections_turns_away_and_recovers(make_house, attackers):
    one = make_house()
    one.init(one.example())
    one.set("workers", "1")
    one.set("connections", "100")
    one.serve()
    alice = one.device()
    for _ in range(150):
        attackers(plain(one))
    gone = wait_for(lambda: [s for s in attackers.made if select.select([s], [], [], 0)[0]], "some are turned away")
    assert len(gone) <= 60, "up to the ceiling they are kept"
    for stream in attackers.made:
        stream.close()
    wait_for(lambda: one.status("/who", alice) == 200, "it recovers by itself")
