"""What docs/PRIVSEP.md says that a taken-over gateway (and authority) cannot do, tried from inside running ones:
files, Unix sockets, programs, the roster, questions it may not ask, other processes."""
import contextlib
import errno
import json
import os
import pwd
import shutil
import signal
import socket
import struct
import subprocess

import inside
import pytest
from house import BINARY, SANITIZED, House, wait_for
from inside import Inside, descriptors, mappings, status_of

from_inside = pytest.mark.skipif(not inside.CAN, reason="needs root, and ptrace on x86-64")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
filtered = pytest.mark.skipif(SANITIZED, reason="a sanitized build runs without seccomp")

REFUSED = (-errno.EPERM, -errno.EACCES)


def refused(number):
    return number in REFUSED


def frame(ticket, words, flags=0):
    text = json.dumps(words).encode()
    return struct.pack("<II", len(text) | flags, ticket) + text


def the_authority_channel(it, pid):
    """The gateway's descriptor to the authority: a Unix socket pair that is not the orders (3)."""
    def is_pair(fd):
        with open("/proc/net/unix") as table:
            return descriptors(pid)[fd][8:-1] in {line.split()[6] for line in table.readlines()[1:]}

    found = [fd for fd, what in descriptors(pid).items() if fd > 3 and what.startswith("socket:") and is_pair(fd)]
    assert len(found) == 1, descriptors(pid)
    return found[0]


def ask(it, fd, name, words, ticket=77):
    """The answer to a question asked from inside; other frames on the way are passed over."""
    assert it.send(fd, frame(ticket, {"question": name, "words": words})) > 0
    data, came = b"", None

    def more():
        nonlocal data, came
        got, descriptor = it.receive(fd)
        came = came or descriptor
        if isinstance(got, bytes):
            data += got
        while len(data) >= 8:
            size, number = struct.unpack("<II", data[:8])
            size &= 0x7FFFFFFF
            if len(data) < 8 + size:
                return None
            text, data = data[8:8 + size], data[8 + size:]
            if number == ticket | 0x80000000:
                return json.loads(text)
        return None

    return wait_for(more, f"the answer to {name}"), came


@from_inside
@filtered
def test_a_gateway_opens_no_file_makes_no_unix_socket_and_starts_no_program(house):
    pid = house.parts("gateway")[0]
    with Inside(pid) as it:
        assert it.call(inside.GETPID) == pid, "the tool works: an allowed call is answered"
        for path in ("/etc/passwd", "/", f"{house.state}/registry.db", f"{house.state}/cli.token", "/proc/self/mem", "/dev/null"):
            for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT, os.O_PATH, os.O_DIRECTORY):
                assert refused(it.call(inside.OPEN, path, flags, 0o600)), path
                assert refused(it.call(inside.OPENAT, inside.AT_FDCWD, path, flags, 0o600)), path
        for number, *words in ((inside.UNLINK, "/tmp/x"), (inside.RENAME, "/tmp/x", "/tmp/y"), (inside.MKDIR, "/tmp/x", 0o700),
                               (inside.READLINK, "/proc/self/exe", it.scratch, 100), (inside.CHMOD, "/tmp", 0o777),
                               (inside.OPEN_BY_HANDLE_AT, 0, it.scratch, 0), (inside.STAT, "/etc/passwd", it.scratch)):
            assert refused(it.call(number, *words)), number
        for family, kind in ((socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_UNIX, socket.SOCK_DGRAM),
                             (socket.AF_NETLINK, socket.SOCK_RAW), (socket.AF_PACKET, socket.SOCK_RAW), (38, socket.SOCK_SEQPACKET)):
            assert refused(it.call(inside.SOCKET, family, kind, 0)), family
        assert refused(it.call(inside.SOCKETPAIR, socket.AF_UNIX, socket.SOCK_STREAM, 0, it.scratch))
        fd = it.call(inside.SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
        assert fd >= 0, "TCP is what it is for"
        unix = struct.pack("=H", socket.AF_UNIX) + f"{house.state}/authority.sock".encode() + b"\0"
        assert it.call(inside.CONNECT, fd, unix, len(unix)) < 0
        assert refused(it.call(inside.BIND, fd, struct.pack("=HHI8x", socket.AF_INET, 0, 0), 16)), "it listens on nothing new"
        it.call(inside.CLOSE, fd)
        for number, *words in ((inside.EXECVE, "/bin/true", 0, 0), (inside.EXECVEAT, inside.AT_FDCWD, "/bin/true", 0, 0, 0),
                               (inside.FORK,), (inside.CLONE, signal.SIGCHLD, 0), (inside.UNSHARE, 0x10000000),
                               (inside.MOUNT, "none", "/tmp", "tmpfs", 0, 0), (inside.IO_URING_SETUP, 4, it.scratch),
                               (inside.BPF, 0, it.scratch, 0), (inside.USERFAULTFD, 0), (inside.KEYCTL, 0, 0),
                               (inside.PERF_EVENT_OPEN, it.scratch, 0, -1, -1, 0), (inside.MEMFD_CREATE, "x", 0)):
            assert refused(it.call(number, *words)), number
        anonymous = inside.MAP_PRIVATE | inside.MAP_ANONYMOUS
        assert refused(it.call(inside.MMAP, 0, 4096, inside.PROT_READ | inside.PROT_EXEC, anonymous, -1, 0)), "no code of its own"
        assert refused(it.call(inside.MPROTECT, it.scratch, 4096, inside.PROT_READ | inside.PROT_EXEC))
    assert house.status("/who", house.device()) == 200, "and goes on serving"


@from_inside
@filtered
def test_a_gateway_reaches_no_other_process(house):
    pid, other = house.parts("gateway")[:2] if len(house.parts("gateway")) > 1 else (house.parts("gateway")[0], os.getpid())
    # Of the same user, so that only the sandbox stands between them.
    sleeper = subprocess.Popen(["sleep", "600"], user=int(status_of(pid)["Uid"].split()[0]))
    try:
        with Inside(pid) as it:
            fd = it.call(inside.SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
            for target in (other, sleeper.pid, house.process.pid, house.parts("authority")[0]):
                for number, *words in ((inside.KILL, target, 9), (inside.KILL, -1, 9), (inside.TGKILL, target, target, 9),
                                       (inside.TKILL, target, 9), (inside.PTRACE, 16, target, 0, 0), (inside.PIDFD_OPEN, target, 0),
                                       (inside.PROCESS_VM_WRITEV, target, it.scratch, 1, it.scratch, 1, 0),
                                       (inside.FCNTL, fd, 8, target), (inside.FCNTL, fd, 10, 9), (inside.FCNTL, fd, 15, it.scratch)):
                    assert refused(it.call(number, *words)), (number, words)
            it.call(inside.CLOSE, fd)
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


def writes_of_the_roster_fail(it, fd, size):
    read, write, shared = inside.PROT_READ, inside.PROT_WRITE, inside.MAP_SHARED
    assert refused(it.call(inside.MMAP, 0, size, read | write, shared, fd, 0)), "mapped writable"
    assert refused(it.call(inside.MMAP, 0, size, write, shared, fd, 0))
    assert refused(it.call(inside.WRITE, fd, b"x" * 64, 64)), "written through its descriptor"
    at = it.call(inside.MMAP, 0, size, read, shared, fd, 0)
    assert at > 0, "reading is what it may"
    assert refused(it.call(inside.MPROTECT, at, size, read | write)), "made writable afterwards"
    it.call(inside.MUNMAP, at, size)


@from_inside
def test_a_gateway_cannot_write_the_roster(house):
    alice = house.device()
    pid = house.parts("gateway")[0]
    rosters = [m for m in mappings(pid) if "memfd:roster" in m[3]]
    assert len(rosters) == 1 and rosters[0][2] == "r--s"
    start, end = rosters[0][:2]
    with Inside(pid) as it:
        assert refused(it.call(inside.MPROTECT, start, end - start, inside.PROT_READ | inside.PROT_WRITE))
        assert refused(it.call(inside.MPROTECT, start, 4096, inside.PROT_WRITE))
        channel = the_authority_channel(it, pid)
        answer, fd = ask(it, channel, "roster", {})
        assert answer["status"] == "ok" and fd is not None, "the descriptor itself, as it is handed out"
        writes_of_the_roster_fail(it, fd, end - start)
        assert it.call(inside.FCNTL, fd, 1033, 0x8) < 0, "nor add a seal that would stop the authority"
        it.call(inside.CLOSE, fd)
    assert house.status("/who", alice) == 200


@from_inside
def test_a_gateway_may_not_ask_what_commands_ask(house):
    alice = house.device()
    pid = house.parts("gateway")[0]
    token = (house.state / "cli.token").read_text().strip()
    asked = {"person-add": {"name": "mallory", "email": "m@example.com", "admin": True},
             "device-add": {"person": "alice", "label": "mallory", "form": "pem"},
             "device-revoke": {"device": "alice/laptop"}, "device-list": {}, "person-remove": {"person": "alice"},
             "status": {}, "ca-cert": {}, "hello": {"token": token}, "no-such-question": {}, "": {}}
    with Inside(pid) as it:
        channel = the_authority_channel(it, pid)
        answers = {name: ask(it, channel, name, words, 100 + n)[0] for n, (name, words) in enumerate(asked.items())}
        # The role is the descriptor's: no field of the question changes it.
        claimed, _ = ask(it, channel, "status", {"role": 2, "who": "cli"}, 200)
        assert ask(it, channel, "seen", {"devices": [alice.id[:32]]}, 201)[0]["status"] == "ok", "what it may ask is answered"
    for name, answer in answers.items():
        assert answer["status"] == "refused" and "words" not in answer, (name, answer)
    assert claimed["status"] == "refused"
    assert len({answer["error"] for name, answer in answers.items()}) == 1, "asking reveals nothing"
    for name in list(asked)[:-1]:
        house.wait_log(f"question={name}")
    assert "event=question-refused" in house.log_text() and "as=gateway" in house.log_text()
    assert [d["label"] for d in house.json("device", "list")["devices"]] == ["laptop"]
    assert house.run("person", "show", "mallory", check=False).returncode == 1
    assert house.status("/who", alice) == 200
    assert house.parts("gateway").count(pid) == 1, "a refused question is no reason to end it"


LIES = {"a length out of bounds": struct.pack("<II", 300 * 1024, 1) + b"x" * 4096,
        "no JSON": struct.pack("<II", 5, 1) + b"hello",
        "a duplicate key": struct.pack("<II", 31, 1) + b'{"question":"a","question":"b"}',
        "too deep": frame(1, {"question": "roster", "words": json.loads('{"a":' * 17 + "1" + "}" * 17)}),
        "a descriptor that did not come": frame(1, {"question": "roster", "words": {}}, 0x80000000)}


@from_inside
@pytest.mark.parametrize("what", LIES)
def test_a_gateway_that_lies_is_ended_and_another_takes_its_place(house, what):
    alice = house.device()
    before = house.parts("gateway")
    liar = before[0]
    with Inside(liar) as it:
        channel = the_authority_channel(it, liar)
        with contextlib.suppress(ProcessLookupError):  # so fast it may be
            assert it.send(channel, LIES[what]) > 0
    wait_for(lambda: liar not in house.parts("gateway"), f"the liar is ended ({what})")
    wait_for(lambda: len(house.json("status")["gateways"]) == len(before), "another one has joined")
    assert house.status("/who", alice) == 200
    answer = house.json("device", "revoke", "alice/laptop")
    assert answer["gateways"] == len(before) and not answer["silent"]


@from_inside
def test_a_gateway_that_lets_go_of_the_authority_does_not_live_on(house):
    """A revocation could not reach its connections."""
    house.device()
    before = house.parts("gateway")
    with Inside(before[0]) as it:
        channel = the_authority_channel(it, before[0])
        with contextlib.suppress(ProcessLookupError):
            it.call(inside.SHUTDOWN, channel, socket.SHUT_RDWR)
    wait_for(lambda: before[0] not in house.parts("gateway"), "it is ended")
    wait_for(lambda: len(house.json("status")["gateways"]) == len(before), "another one has joined")
    assert house.json("device", "revoke", "alice/laptop")["gateways"] == len(before)


@from_inside
def test_orders_from_a_gateway_end_nobody(house):
    """ORDER_KILL_GATEWAY is the authority's word alone; other numbers mean nothing."""
    before = house.parts()
    gateway = house.parts("gateway")[0]
    with Inside(gateway) as it:
        for number in (0, 1, 2, 257, 258, 513, 514, 0xFFFFFFFF):
            assert it.send(3, struct.pack("=II", 2, number)) == 8
        assert it.send(3, struct.pack("=II", 99, 1)) == 8
    assert house.status("/who", house.device()) == 200
    assert house.parts() == before


@as_root
def test_users_capabilities_and_filters_are_as_promised(house):
    gateway_user = "chatelaine-gateway" if has_user("chatelaine-gateway") else "nobody"
    for gateway in house.parts("gateway"):
        facts = status_of(gateway)
        assert set(facts["Uid"].split()) == {str(pwd.getpwnam(gateway_user).pw_uid)}, "all four ids, so that there is no way back"
        assert facts["Groups"] == "" and "0" not in facts["Gid"].split()
    for part in house.parts():
        facts = status_of(part)
        assert {facts[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
        assert facts["NoNewPrivs"] == "1"
        assert facts["Seccomp"] == ("0" if SANITIZED else "2")
        assert SANITIZED or os.stat(f"/proc/{part}/mem").st_uid == 0, "not dumpable: its own user reads no memory of it"
        limit = [line for line in open(f"/proc/{part}/limits") if line.startswith("Max core file size")][0].split()
        assert limit[4:6] == ["0", "0"], "no core with keys in it"


def has_user(name):
    try:
        return bool(pwd.getpwnam(name))
    except KeyError:
        return False


@from_inside
@filtered
def test_the_authority_has_its_folder_and_nothing_else(house):
    pid = house.parts("authority")[0]
    outside = house.folder / "outside.txt"
    outside.write_text("x")
    sleeper = subprocess.Popen(["sleep", "600"])
    try:
        with Inside(pid) as it:
            fd = it.call(inside.OPENAT, inside.AT_FDCWD, f"{house.state}/registry.db", os.O_RDONLY, 0)
            assert fd >= 0, "its own files are its own"
            it.call(inside.CLOSE, fd)
            for path in ("/etc/passwd", "/etc/shadow", "/root", str(outside), "/proc/1/environ", f"{house.state}/../outside.txt"):
                assert refused(it.call(inside.OPENAT, inside.AT_FDCWD, path, os.O_RDONLY, 0)), path
            assert refused(it.call(inside.OPENAT, inside.AT_FDCWD, f"{house.folder}/new", os.O_RDWR | os.O_CREAT, 0o600))
            assert it.call(inside.UNLINK, str(outside)) < 0 and outside.exists()
            for family in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX, socket.AF_NETLINK):
                assert refused(it.call(inside.SOCKET, family, socket.SOCK_STREAM, 0)), family
            for number, *words in ((inside.EXECVE, "/bin/true", 0, 0), (inside.FORK,), (inside.CLONE, signal.SIGCHLD, 0),
                                   (inside.KILL, sleeper.pid, 9), (inside.TGKILL, sleeper.pid, sleeper.pid, 9),
                                   (inside.PTRACE, 16, sleeper.pid, 0, 0), (inside.SETUID, 0), (inside.UNSHARE, 0x10000000),
                                   (inside.FCNTL, 3, 8, sleeper.pid)):
                assert refused(it.call(number, *words)), number
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


class Unprivileged(House):
    """All of a house as nobody: no root anywhere."""

    def __init__(self, folder):
        super().__init__(folder)
        os.chown(folder, 65534, 65534)
        self.user = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--no-new-privs"]

    def run(self, *words, check=True, user=None, **more):
        done = subprocess.run([*(user or self.user), BINARY, *map(str, words), "--state", str(self.state)], capture_output=True,
                              text=True, timeout=60, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done


@pytest.fixture
def open_folder():
    """Where another user may go: pytest's own folders are root's alone."""
    folder = f"/tmp/chatelaine-test-{os.getpid()}"
    os.mkdir(folder, 0o755)
    yield folder
    shutil.rmtree(folder)


@as_root
def test_without_root_everything_works_too(open_folder):
    one = Unprivileged(open_folder)
    try:
        one.init(one.example())
        assert set(os.stat(path).st_uid for path in one.state.rglob("*")) == {65534}
        one.serve(prefix=one.user)
        alice = one.device()
        assert alice.id in one.curl("/who", alice, check=True).stdout
        kept = one.tls(alice)
        assert one.json("status")["people"] == 1
        assert one.json("device", "revoke", "alice/laptop")["closed"] == 1
        assert kept.recv(1) == b""
        for part in one.parts():
            facts = status_of(part)
            assert (facts["NoNewPrivs"], facts["CapEff"]) == ("1", "0" * 16)
            assert facts["Seccomp"] == ("0" if SANITIZED else "2")
        if inside.CAN and not SANITIZED:
            with Inside(one.parts("gateway")[0]) as it:
                assert refused(it.call(inside.OPENAT, inside.AT_FDCWD, f"{one.state}/cli.token", 0, 0)), "its own user's file"
                assert refused(it.call(inside.TGKILL, one.process.pid, one.process.pid, 9))
                assert refused(it.call(inside.SOCKET, socket.AF_UNIX, socket.SOCK_STREAM, 0))
            with Inside(one.parts("authority")[0]) as it:
                assert refused(it.call(inside.OPENAT, inside.AT_FDCWD, "/etc/passwd", 0, 0))
        one.stop()
    finally:
        one.close()


@as_root
def test_the_cli_socket_is_for_its_own_user_with_its_token(open_folder):
    one = Unprivileged(open_folder)
    try:
        one.init(one.example())
        one.serve(prefix=one.user)
        sock = one.state / "authority.sock"
        assert oct(sock.stat().st_mode & 0o777) == "0o600" and oct((one.state / "cli.token").stat().st_mode & 0o777) == "0o600"
        other = ["setpriv", "--reuid", "65533", "--regid", "65533", "--clear-groups"]
        done = one.run("status", check=False, user=other)
        assert done.returncode in (1, 3) and not done.stdout
        assert "may not" in done.stderr and "nobody" in done.stderr, "whose it is, and not that it is not there"
        # Whoever gets past the file modes is met by the peer's credentials, then by the token.
        os.chmod(one.state, 0o755)
        os.chmod(sock, 0o666)
        os.chmod(one.state / "cli.token", 0o644)
        done = one.run("status", check=False, user=other)
        assert done.returncode in (1, 3) and "people" not in done.stdout
        one.wait_log("user 65533 may not ask")
        os.chmod(one.state / "cli.token", 0o600)
        assert one.run("status").returncode == 0
        with socket.socket(socket.AF_UNIX) as stranger:
            stranger.connect(str(sock))
            stranger.sendall(frame(1, {"question": "status", "words": {}}))
            assert b"refused" in stranger.recv(4096)
            stranger.sendall(frame(2, {"question": "hello", "words": {"token": "00" * 32}}))
            assert b"refused" in stranger.recv(4096)
            stranger.sendall(frame(3, {"question": "device-list", "words": {}}))
            assert b"refused" in stranger.recv(4096)
        one.wait_log("wrong token")
    finally:
        one.close()
