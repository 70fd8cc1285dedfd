"""A gateway that was taken over cannot get out of the supervisor's reach: one that can be told nothing any more would
keep its connections whatever is revoked. And what each part holds by descriptor is what it needs, no more."""
import contextlib
import os
import pathlib
import signal
import socket
import struct

import inside
import pytest
from house import BINARY, wait_for
from inside import Inside, descriptors

from_inside = pytest.mark.skipif(not inside.CAN, reason="needs root, and ptrace on x86-64")
sanitized = b"__asan_init" in open(BINARY, "rb").read()
filtered = pytest.mark.skipif(sanitized, reason="a sanitized build runs without seccomp")

EPOLL_CTL, EPOLL_CTL_DEL = 233, 2


def epolls(pid):
    return [fd for fd, what in descriptors(pid).items() if what == "anon_inode:[eventpoll]"]


def is_replaced(house, gateway, count):
    wait_for(lambda: gateway not in house.parts("gateway"), "it is ended")
    wait_for(lambda: len(house.json("status")["gateways"]) == count, "another one has joined")
    house.device("bob", "phone")
    answer = house.json("device", "revoke", "bob/phone")
    assert answer["gateways"] == count and not answer["silent"] and not answer["not_ended"]


@from_inside
def test_a_gateway_that_closes_its_way_to_the_supervisor_is_replaced(house):
    before = house.parts("gateway")
    with Inside(before[0]) as it:
        with contextlib.suppress(ProcessLookupError):
            assert it.call(inside.CLOSE, 3) == 0
    is_replaced(house, before[0], len(before))


@from_inside
def test_a_gateway_that_takes_no_orders_does_not_outlive_an_authority(house):
    """It never hears of the next authority, nor that one of it; its roster is the old one for ever."""
    before = house.parts("gateway")
    with Inside(before[0]) as it:
        for epoll in epolls(before[0]):
            it.call(EPOLL_CTL, epoll, EPOLL_CTL_DEL, 3, 0)
        assert it.call(inside.SHUTDOWN, 3, socket.SHUT_RD) == 0
    assert house.parts("gateway") == before, "so far nobody could know"
    os.kill(house.parts("authority")[0], signal.SIGKILL)
    is_replaced(house, before[0], len(before))


@from_inside
def test_a_gateway_that_floods_the_supervisor_is_replaced(house):
    before = house.parts("gateway")
    order = struct.pack("=II", 1, 0)
    with Inside(before[0]) as it:
        with contextlib.suppress(ProcessLookupError):
            for _ in range(20000):
                it.send(3, order)
    is_replaced(house, before[0], len(before))


@from_inside
@filtered
def test_a_gateway_makes_tcp_sockets_alone(house):
    with Inside(house.parts("gateway")[0]) as it:
        for family in (socket.AF_INET, socket.AF_INET6):
            assert it.call(inside.SOCKET, family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, 0) > 0
            assert it.call(inside.SOCKET, family, socket.SOCK_STREAM, socket.IPPROTO_TCP) > 0
            for kind, protocol in ((socket.SOCK_DGRAM, 0), (socket.SOCK_RAW, 1), (socket.SOCK_SEQPACKET, 0),
                                   (socket.SOCK_STREAM, 132), (socket.SOCK_STREAM, 262), (socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, 17)):
                assert it.call(inside.SOCKET, family, kind, protocol) == -1, (family, kind, protocol)


def listeners():
    """Inodes of listening TCP sockets."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            found |= {line.split()[9] for line in pathlib.Path(table).read_text().splitlines()[1:] if line.split()[3] == "0A"}
    return found


@from_inside
def test_each_part_holds_what_it_needs(house):
    house.device()
    log = os.path.realpath(house.log)
    for part in house.parts():
        role = "gateway" if part in house.parts("gateway") else "authority"
        held = descriptors(part)
        assert held[0] == "/dev/null"
        files = {what for fd, what in held.items() if what.startswith("/") and fd > 2 and not what.startswith("/memfd:")}
        memories = {what.split()[0][7:] for what in held.values() if what.startswith("/memfd:")}
        ports = {what for what in held.values() if what.startswith("socket:[") and what[8:-1] in listeners()}
        assert held[2] == log
        if role == "gateway":
            assert files == set(), "no file"
            assert memories == {"scoreboard", "session", "meter"}, "the roster is mapped, and its descriptor gone"
            assert len(ports) == 1
        else:
            assert all(name.startswith(str(house.state.resolve()) + "/") for name in files), files
            assert memories == {"scoreboard", "roster"}
            assert ports == set(), "no listening port"
