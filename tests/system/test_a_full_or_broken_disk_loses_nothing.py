"""A full disk, a read-only one, broken files, wrong words: a sentence that says what and what to do, an exit status that
means it, nothing half done, and the door goes on meanwhile."""
import contextlib
import json
import os
import pathlib
import pty
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

import pytest
from house import BINARY, ROOT, House, can_connect, free_port, needs, read_answer, wait_for

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def is_a_sentence(done, *words, status=1):
    """One error for a person: the exit status, every word, no more than a few lines, no stray assertion."""
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("at=")]  # serve's log
    is_placed = re.match(r"/\S+\.conf(:\d+)?: ", lines[0])  # a mistake in a file is said as compilers say theirs
    assert (lines[0].startswith("chatelaine") or is_placed) and len(lines) <= 4, done.stderr
    for word in words:
        assert re.search(word, "\n".join(lines)), (word, done.stderr)


# A full disk ---------------------------------------------------------------------

@pytest.fixture
def small_disk(tmp_path):
    """A folder of 3 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture
def small_house(small_disk, tmp_path):
    one = House(small_disk)
    one.log = tmp_path / "serve.log"
    one.folder = tmp_path  # what commands write is elsewhere; the state is on the small disk
    one.init(one.example())
    one.serve()
    yield one
    one.close()


def fill(folder):
    """Every byte of it."""
    with open(folder / "filler", "wb", buffering=0) as filler:
        for size in (65536, 4096, 512, 1):
            with contextlib.suppress(OSError):
                while filler.write(b"x" * size) == size:
                    pass


@as_root
def test_on_a_full_disk_nothing_is_released_and_the_door_goes_on(small_house, small_disk):
    house = small_house
    alice = house.device("alice")
    house.person("bob")
    fill(small_disk)
    refused = 0
    for number in range(30):  # the journal may have room for a few
        target = house.folder / f"bob{number}"
        done = house.run("device", "add", "bob", "--label", f"l{number}", "--pem", target, check=False)
        if done.returncode != 0:
            refused += 1
            is_a_sentence(done, "disk|full|space", status=1)
            assert not target.exists(), "no certificate without a record"
        else:
            assert (target / "cert.pem").exists()
        if refused == 3:
            break
    assert refused == 3, "the disk was full"
    assert house.status("/who", alice) == 200, "the door goes on"
    assert house.json("device", "list")["devices"], "questions are answered"
    (small_disk / "filler").unlink()
    carol = house.device("carol")
    assert house.status("/who", carol) == 200, "with room again it works, without a restart"
    released = {f"l{n}" for n in range(30) if (house.folder / f"bob{n}" / "cert.pem").exists()}
    assert {d["label"] for d in house.json("device", "list", "bob")["devices"]} == released
    house.stop()
    house.log.rename(house.folder / "before.log")
    house.serve()
    assert house.status("/who", carol) == 200 and house.json("status")["rows_refused_count"] == 0


@as_root
def test_on_a_full_disk_a_revocation_does_not_claim_what_it_did_not_do(small_house, small_disk):
    house = small_house
    alice = house.device("alice")
    fill(small_disk)
    claimed = False
    for number in range(40):
        done = house.run("device", "add", "alice", "--label", f"l{number}", "--pem", house.folder / f"l{number}", check=False)
        if done.returncode != 0:
            break
    done = house.run("device", "revoke", "alice/laptop", check=False)
    if done.returncode == 0:
        claimed = True
    else:
        is_a_sentence(done, "disk|full|space")
        assert "is revoked" not in done.stdout
    assert house.status("/who", alice) == (403 if claimed else 200), "what it said is so"
    house.process.kill()
    house.process.wait()
    (small_disk / "filler").unlink()
    house.log.rename(house.folder / "before.log")
    house.serve()
    assert house.status("/who", alice) == (403 if claimed else 200), "and stays so"
    assert house.json("device", "revoke", "alice/laptop")["gateways"] >= 1
    assert house.status("/who", alice) == 403


@as_root
def test_init_on_a_full_disk_leaves_nothing(small_disk, tmp_path):
    fill(small_disk)
    done = House(small_disk).run("init", "x.test", "--to", "http://127.0.0.1:1", "--recovery-file", tmp_path / "r.txt", check=False)
    is_a_sentence(done, "space|full|disk")
    assert not (small_disk / "state").exists() or not os.listdir(small_disk / "state")
    assert not (tmp_path / "r.txt").exists() or (tmp_path / "r.txt").stat().st_size, "no empty phrase"


@as_root
def test_a_read_only_state_is_said_and_the_door_goes_on(small_house, small_disk):
    house = small_house
    alice = house.device()
    house.stop()
    house.log.rename(house.folder / "before.log")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    try:
        is_a_sentence(house.run("person", "add", "bob", "--email", "b@example.com", check=False), "[Rr]ead-only")
        started = subprocess.run([BINARY, "serve", "--state", house.state], capture_output=True, text=True, timeout=30)
        assert started.returncode == 1 and re.search("[Rr]ead-only", started.stderr), started
    finally:
        subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    house.serve()
    assert house.status("/who", alice) == 200


# Logs ------------------------------------------------------------------------------

def test_a_log_that_nobody_reads_stops_nothing(make_house):
    one = make_house()
    one.init(one.example())
    alice = one.device()
    reading, writing = os.pipe()
    try:
        one.process = subprocess.Popen([BINARY, "serve", "--state", str(one.state)], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=writing)
        os.set_blocking(writing, False)
        wait_for(lambda: can_connect(one.port), "it listens")
        wait_for(lambda: one.run("status", check=False).returncode == 0, "it answers")
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(writing, b"x")
        with one.tls(alice) as stream:
            for _ in range(3000):  # more lines than any ring holds
                stream.sendall(f"GET /who HTTP/1.1\r\nHost: {one.site}\r\n\r\n".encode())
                assert read_answer(stream)[0] == 200
        bob = one.device("bob")
        assert one.status("/who", bob) == 200
        assert one.json("device", "revoke", "bob/laptop")["silent"] == []
        children = one.parts()
        os.kill(one.parts("gateway")[0], signal.SIGKILL)
        wait_for(lambda: len(one.parts()) == len(children) and one.parts() != children, "the supervisor is not stopped by it either")
        assert one.status("/who", alice) == 200
    finally:
        os.close(reading)
        os.close(writing)
        one.stop()


# Configurations -------------------------------------------------------------------------

MISTAKES = {
    "an unknown key": (lambda t: t + "\ncolour = blue\n", ["colour", r"\d+", "unknown|no such|no key"]),
    "a key misspelt": (lambda t: t.replace("upstream =", "upstrem ="), ["upstrem", r"\d+", "upstream"]),
    "a value that is none": (lambda t: t.replace("no-certificate = explain", "no-certificate = maybe"),
                             ["no-certificate", "maybe", "explain", r"\d+"]),
    "a brace that is missing": (lambda t: t[: t.rindex("}")], [r"\d+"]),
    "no site": (lambda t: t[: t.index("site ")], ["site"]),
    "an address that is none": (lambda t: re.sub(r"listen = .*", 'listen = {"127.0.0.1:99999"}', t), ["listen", "99999", r"\d+"]),
    "a certificate that is not there": (lambda t: re.sub(r"    certificate = .*", '    certificate = "/nowhere/cert.pem"', t),
                                        ["/nowhere/cert.pem", "[Nn]o such file"]),
    "an upstream that is none": (lambda t: re.sub(r"upstream = .*", 'upstream = {"ftp://x"}', t), ["upstream", "ftp", r"\d+"]),
    "a preset that is none": (lambda t: re.sub(r"preset = \w+", "preset = wordpress", t), ["preset", "wordpress", "rocketchat"]),
    "bytes that are no text": (lambda t: t + "\0\xff", []),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_in_the_config_is_named_by_file_line_key_and_remedy(make_house, what):
    one = make_house()
    one.init("http://127.0.0.1:1")
    change, words = MISTAKES[what]
    one.config.write_text(change(one.config.read_text()), encoding="latin-1")
    for command in (["config", "check"], ["serve"]):
        done = one.run(*command, check=False)
        is_a_sentence(done, re.escape(str(one.config)) if "there" not in what else "", *words)
    assert one.run("person", "list", check=False).returncode == 0, "people are not in that file"


# Databases ---------------------------------------------------------------------------------

def flip(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 0xFF]))


def sql(path, *statements):
    database = sqlite3.connect(path)
    for statement in statements:
        database.execute(statement)
    database.commit()
    database.close()


def another(path):
    path.unlink()
    sql(path, "create table diary (day, text)", "insert into diary values (1, 'dear diary')")


def flip_pages(path):
    for at in range(4096, path.stat().st_size, 4096):
        for more in range(8):
            flip(path, at + more)


BROKEN = {
    "bytes flipped in its head": lambda path: [flip(path, n) for n in range(16)],
    "bytes flipped in its pages": flip_pages,
    "cut in the middle": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut to a page": lambda path: os.truncate(path, 4096),
    "empty": lambda path: os.truncate(path, 0),
    "not a database": lambda path: path.write_text("Dear diary\n" * 1000),
    "of a newer chatelaine": lambda path: sql(path, "insert into migration select max(version) + 1000, 0 from migration"),
    "another program's": another,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_registry_is_refused_with_a_sentence_and_left_as_it_is(make_house, what):
    one = make_house()
    one.init("http://127.0.0.1:1")
    one.device()
    database = one.state / "registry.db"
    for tail in ("-wal", "-shm"):
        pathlib.Path(str(database) + tail).unlink(missing_ok=True)
    BROKEN[what](database)
    before = database.read_bytes() if database.is_file() else None
    is_a_sentence(one.run("device", "list", check=False), "registry.db")
    is_a_sentence(one.run("device", "add", "alice", "--label", "x", "--pem", one.folder / "x", check=False), "registry.db")
    assert not (one.folder / "x").exists()
    started = subprocess.run([BINARY, "serve", "--state", one.state], capture_output=True, text=True, timeout=30)
    assert started.returncode == 1 and "registry.db" in started.stderr, started
    assert before is None or database.read_bytes() == before, "what can be rescued is left alone"


def test_keys_that_are_missing_or_cut_are_refused_by_name(make_house):
    one = make_house()
    one.init("http://127.0.0.1:1")
    one.person("alice")
    names = [p for p in one.state.iterdir() if p.is_file() and p.suffix in (".key", ".pem", ".token") and p.name != "root.key"]  # encrypted; only "ca rotate" opens it
    assert len(names) >= 4, list(one.state.iterdir())
    for path in names:
        kept = path.read_bytes()
        for wrong in (b"", kept[: len(kept) // 2]):
            path.write_bytes(wrong)
            target = one.folder / f"{path.name}-{len(wrong)}"
            done = one.run("device", "add", "alice", "--label", target.name, "--pem", target, check=False)
            is_a_sentence(done, re.escape(path.name))
            assert not target.exists()
        path.write_bytes(kept)


# Two at once --------------------------------------------------------------------------------

def test_a_second_serve_and_a_second_init_are_refused(house):
    alice = house.device()
    is_a_sentence(house.run("serve", check=False), f"running on this state folder|{house.port} is in use")
    config = house.config.read_text()
    house.config.write_text(config.replace(str(house.port), str(free_port())))
    second = house.run("serve", check=False)
    is_a_sentence(second, "running on this state folder")
    house.config.write_text(config)
    is_a_sentence(house.run("init", "other.test", "--to", "http://127.0.0.1:1", "--recovery-file", house.folder / "r2", check=False),
                  "already")
    assert not (house.folder / "r2").exists()
    assert house.status("/who", alice) == 200


@pytest.mark.parametrize("holder", ["python", "nginx"])
def test_a_busy_port_names_who_holds_it_and_three_ways_on(make_house, holder):
    if holder == "nginx" and needs("nginx"):
        pytest.skip("no nginx")
    one = make_house()
    one.init("http://127.0.0.1:1")
    if holder == "nginx":
        (one.folder / "nginx.conf").write_text(
            f"daemon off; pid {one.folder}/nginx.pid; error_log {one.folder}/error.log; events {{}}\n"
            f"http {{ access_log off; server {{ listen 127.0.0.1:{one.port}; }} }}\n")
        child = one.start("nginx", "-p", one.folder, "-c", one.folder / "nginx.conf", stderr=subprocess.DEVNULL)
    else:
        child = one.start("/usr/bin/python3", "-m", "http.server", "--bind", "127.0.0.1", one.port,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: can_connect(one.port), "the other one listens")
    done = one.run("serve", check=False)
    is_a_sentence(done, f"127.0.0.1:{one.port} is in use by {holder}", r"\(1\)", r"\(2\)", r"\(3\)")
    assert str(child.pid) in done.stderr or holder == "nginx"
    assert not (one.state / "authority.sock").exists()


# Words ------------------------------------------------------------------------------------------

def test_wrong_words_exit_2_what_is_not_there_1_and_what_cannot_be_reached_3(make_house):
    one = make_house()
    is_a_sentence(one.run("person", "list", check=False), "init")
    one.init("http://127.0.0.1:1")
    for words in (["nonsense"], ["device"], ["device", "nonsense"], ["device", "add"], ["device", "add", "alice"],
                  ["device", "add", "alice", "--label", "x"], ["device", "add", "alice", "--label", "x", "--p12"],
                  ["device", "add", "alice", "--label", "x", "--p12", "a", "--pem", "b"], ["device", "list", "--wrong"],
                  ["person", "add"], ["person", "add", "bob"], ["init"], ["init", "x.test"], ["serve", "one", "two"],
                  ["device", "revoke"], ["cert", "inspect"], ["status", "--colour", "blue"]):
        done = one.run(*words, check=False)
        assert done.returncode == 2, (words, done)
        assert done.stderr and not done.stdout, (words, done)
    for words in (["device", "show", "nobody/nothing"], ["device", "revoke", "ffff"], ["person", "show", "nobody"],
                  ["device", "add", "nobody", "--label", "x", "--pem", one.folder / "x"], ["cert", "inspect", "/nowhere.pem"]):
        is_a_sentence(one.run(*words, check=False))
    # Somebody holds the socket and does not answer.
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(one.state / "authority.sock"))
        deaf.listen(8)
        is_a_sentence(one.run("device", "list", check=False), "answer|time", status=3)
    # A socket that a dead one left is nobody.
    assert one.run("device", "list").returncode == 0


# init ---------------------------------------------------------------------------------------------

def test_init_without_a_terminal_or_a_file_for_the_phrase_makes_nothing(make_house):
    one = make_house()
    done = one.run("init", "x.test", "--to", "http://127.0.0.1:1", check=False)
    is_a_sentence(done, "--recovery-file", "terminal")
    assert not one.state.exists()
    assert not re.search(r"(\w+[- ]){8,}", done.stdout), "the phrase went nowhere"
    (one.folder / "there").write_text("mine")
    is_a_sentence(one.run("init", "x.test", "--to", "http://127.0.0.1:1", "--recovery-file", one.folder / "there", check=False), "there already")
    assert (one.folder / "there").read_text() == "mine" and not one.state.exists()
    is_a_sentence(one.run("init", "x.test", "--to", "http://127.0.0.1:1", "--recovery-file", "/nowhere/r.txt", check=False), "/nowhere/r.txt")
    assert not one.state.exists() or not os.listdir(one.state)
    for words in (["bad name!", "--to", "http://127.0.0.1:1"], ["x.test", "--to", "gopher://x"],
                  ["x.test", "--to", "http://127.0.0.1:1", "--listen", "everywhere"], ["x.test", "--to", "http://127.0.0.1:1", "--preset", "none"]):
        is_a_sentence(one.run("init", *words, "--recovery-file", one.folder / "r.txt", check=False))
        assert not one.state.exists() and not (one.folder / "r.txt").exists(), words


def test_on_a_terminal_init_shows_the_phrase_once(make_house):
    one = make_house()
    child, terminal = pty.fork()
    if child == 0:
        try:
            os.execv(BINARY, [BINARY, "init", "x.test", "--to", "http://127.0.0.1:1", "--state", str(one.state)])
        finally:
            os._exit(127)
    text = b""
    with contextlib.suppress(OSError):
        while more := os.read(terminal, 4096):
            text += more
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, text
    phrase = re.search(rb"RECOVERY PHRASE\s+(\S[^\r\n]+)", text).group(1).strip()
    assert len(phrase) >= 26
    for path in one.state.rglob("*"):
        assert not path.is_file() or phrase not in path.read_bytes(), f"kept nowhere, but in {path}"


def test_an_init_that_is_killed_leaves_no_half_house(make_house):
    """At many moments; whatever is left, the next init either stands on a whole house or makes one."""
    one = make_house()
    began = time.monotonic()
    one.run("init", "x.test", "--to", "http://127.0.0.1:1", "--recovery-file", one.folder / "r0")
    whole = time.monotonic() - began
    shutil.rmtree(one.state)
    unfinished = 0
    for number in range(1, 25):
        phrase = one.folder / f"r{number}"
        words = [BINARY, "init", "x.test", "--to", "http://127.0.0.1:1", "--recovery-file", phrase, "--state", one.state]
        child = subprocess.Popen([str(w) for w in words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(whole * number / 24)  # the moment of the kill
        child.kill()
        child.wait()
        if (one.state / "registry.db").exists():
            assert one.run("person", "list").returncode == 0, "it is whole"
            assert phrase.exists() and phrase.read_text().strip(), "and can be opened by its phrase"
        else:
            unfinished += 1
            is_a_sentence(one.run("person", "list", check=False), "init")
            again = one.folder / f"again{number}"
            one.run("init", "x.test", "--to", "http://127.0.0.1:1", "--recovery-file", again)
            assert one.run("person", "add", "alice", "--email", "a@example.com").returncode == 0
        shutil.rmtree(one.state)
    assert unfinished >= 3, "some were killed in the middle"
