"""A kept-alive GET of 1 KB by a known device costs four system calls and no allocation, whatever the dialect; with its log line.

Counted on the release binary as it runs, one gateway, TLS 1.3, keep-alive towards the example too. Times are for `make bench`.
"""
import os
import re
import signal
import subprocess

import pytest

from house import read_answer, wait_for

REQUESTS, CLIENTS = 1000, 64
ALLOCATORS = ("malloc", "calloc", "realloc", "memalign", "posix_memalign", "aligned_alloc")


def a_door(make_house, headers):
    house = make_house(config=f"\theaders = {{{headers}}}")
    house.init(house.example(), "--preset", "generic")
    house.set("workers", 1)
    device = house.device()
    house.serve()
    return house, device, house.parts("gateway")[0]


class Clients:
    """Kept-alive connections; each round asks on all of them, then reads all answers."""

    def __init__(self, house, device, count):
        self.streams = [house.tls(device) for _ in range(count)]
        assert {stream.version() for stream in self.streams} == {"TLSv1.3"}
        self.request = f"GET /download?bytes=1024 HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode()

    def ask(self, requests):
        while requests > 0:
            now = self.streams[:requests]
            for stream in now:
                stream.sendall(self.request)
            for stream in now:
                status, _, body = read_answer(stream)
                assert status == 200 and len(body) == 1024
            requests -= len(now)


def traced_by(pid):
    status = open(f"/proc/{pid}/status").read()
    return int(re.search(r"TracerPid:\s*(\d+)", status).group(1))


def is_still(pid):
    """Stopped by its tracer."""
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] == "t"


def system_calls(house, pid, work):
    """What work() makes the gateway call: {name: count}, every call of every kind."""
    table = house.folder / "strace.txt"
    strace = house.start("strace", "-c", "-f", "-p", pid, "-o", table, stderr=subprocess.DEVNULL)
    wait_for(lambda: traced_by(pid) == strace.pid, "strace has attached")
    work()
    strace.send_signal(signal.SIGINT)
    strace.wait(30)
    counts, errors = {}, {}
    for line in table.read_text().splitlines():
        words = line.split()
        if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
            counts[words[-1]] = int(words[3])
            errors[words[-1]] = int(words[4]) if len(words) == 6 else 0
    return counts, errors


class Debugger:
    """gdb with a breakpoint that never stops on each allocator of the C library."""

    def __init__(self, house, pid):
        self.pid, self.out = pid, house.folder / "gdb.txt"
        commands = ["set pagination off", "set confirm off", "handle SIGINT stop nopass print"]
        for number, name in enumerate(ALLOCATORS, 1):
            commands += [f"break {name}", f"ignore {number} 100000000"]
        commands += ["echo armed\\n", *["continue", "info breakpoints", "echo counted\\n"] * 2, "detach"]
        words = [word for command in commands for word in ("-ex", command)]
        self.process = house.start("gdb", "-q", "-nx", "-batch", "-p", pid, *words,
                                   stdout=open(self.out, "wb"), stderr=subprocess.STDOUT)
        wait_for(lambda: "armed" in self.text() and not is_still(pid), f"gdb has armed: {self.text()}")

    def text(self):
        return self.out.read_text(errors="replace")

    def count(self):
        """All hits since the start."""
        before = self.text().count("counted")
        os.kill(self.pid, signal.SIGINT)  # gdb takes it, the gateway does not see it
        wait_for(lambda: self.text().count("counted") > before, f"gdb has counted: {self.text()}")
        wait_for(lambda: not is_still(self.pid), "it goes on")
        last = self.text().split("counted")[before]
        shown = re.findall(r"^(\d+)\s+breakpoint ", last, re.M)
        assert len(shown) == len(ALLOCATORS), f"a breakpoint is missing: {last}"
        return sum(int(n) for n in re.findall(r"already hit (\d+) time", last))


@pytest.mark.parametrize("headers", ['"chatelaine"', '"chatelaine", "nginx"'])
def test_four_system_calls_a_request(make_house, headers):
    house, device, pid = a_door(make_house, headers)
    clients = Clients(house, device, CLIENTS)
    clients.ask(4 * CLIENTS)
    counts, errors = system_calls(house, pid, lambda: clients.ask(REQUESTS))
    told = f"{counts} with errors {errors}"

    # From the client and from the upstream one read each, to each of them one write; none in vain.
    assert counts["recvfrom"] == 2 * REQUESTS and errors["recvfrom"] == 0, told
    # The watchdog's word to the supervisor is one sendmsg (and a look for orders) every two seconds, whatever goes on.
    pulses = counts["sendmsg"] - 2 * REQUESTS
    assert 0 <= pulses <= 10 and errors["sendmsg"] == 0, told
    assert counts.get("recvmsg", 0) <= 20, told
    # Nothing else for any request: no option set, no epoll_ctl, no clock. Log lines go many at once (poll and write).
    assert set(counts) <= {"recvfrom", "sendmsg", "epoll_wait", "poll", "write", "recvmsg"}, told
    without_waiting = sum(count for name, count in counts.items() if name != "epoll_wait")
    assert without_waiting <= 4.2 * REQUESTS, told
    # One wait for each edge at most, and less when many clients are served in a turn.
    assert counts["epoll_wait"] <= 2.1 * REQUESTS, told
    wait_for(lambda: house.log_text().count("event=exchange") == 4 * CLIENTS + REQUESTS, "a log line for each request")


@pytest.mark.parametrize("headers", ['"chatelaine"', '"chatelaine", "nginx"'])
def test_no_allocation_a_request(make_house, headers):
    house, device, pid = a_door(make_house, headers)
    clients = Clients(house, device, CLIENTS)
    clients.ask(4 * CLIENTS)
    debugger = Debugger(house, pid)
    before = len(os.listdir(f"/proc/{pid}/fd"))
    with house.tls(device) as another:
        another.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\nConnection: close\r\n\r\n".encode())
        while another.recv(4096):
            pass
    wait_for(lambda: len(os.listdir(f"/proc/{pid}/fd")) == before, "that connection is over")
    counts = [debugger.count()]
    assert counts[0] > 100, "a handshake allocates; so the count counts"
    # When more requests than ever before wait at one moment, one more upstream connection is made; in a round
    # without one nothing is allocated. What a request allocates would show in every round.
    for _ in range(4):
        clients.ask(REQUESTS)
        counts.append(debugger.count())
        if counts[-1] == counts[-2]:
            return
    assert False, f"each round of {REQUESTS} requests allocated: {counts}"


def test_all_gateways_listen_on_the_same_socket(make_house):
    """So that a connection goes to whoever is free, and a gateway that ends leaves none waiting in a queue of its own."""
    house = make_house()
    house.init(house.example())
    house.set("workers", 2)
    house.serve()

    with open("/proc/net/tcp") as table:
        inodes = {line.split()[9] for line in table if line.split()[1].endswith(f":{house.port:04X}") and line.split()[3] == "0A"}
    assert len(inodes) == 1
    socket, = (f"socket:[{inode}]" for inode in inodes)
    gateways = house.parts("gateway")
    assert len(gateways) == 2
    for pid in gateways:
        assert socket in [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
