"""kill -9, SIGSTOP, SIGTERM and Ctrl-C of each part, under traffic: others serve, what ended comes back by itself,
nothing issued is unknown, no revocation is forgotten."""
import concurrent.futures
import contextlib
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest
from house import BINARY, House, can_connect, read_answer, wait_for
from websocket_client import WebSocket


class Traffic:
    """Threads that ask /who by new full handshakes until they are told to end; what they got is in `good` and `bad`."""

    def __init__(self, house, device, clients=3):
        self.house, self.device, self.ending = house, device, threading.Event()
        self.good, self.bad, self.lock = 0, [], threading.Lock()
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        while not self.ending.is_set():
            try:
                with self.house.tls(self.device) as stream:
                    stream.sendall(f"GET /who HTTP/1.1\r\nHost: {self.house.site}\r\nConnection: close\r\n\r\n".encode())
                    answer = read_answer(stream)
                # With the identity headers, as the application read them.
                fine = answer is not None and answer[0] == 200 and self.device.id.encode() in answer[2]
                trouble = answer
            except OSError as error:
                fine, trouble = False, error
            with self.lock:
                self.good += fine
                if not fine:
                    self.bad.append(trouble)

    def more(self, count=20):
        """Until so many more have succeeded from now on."""
        goal = self.good + count
        wait_for(lambda: self.good >= goal, f"traffic goes on ({self.good} good, bad: {self.bad[-3:]})")

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()


def joined(house, count):
    def all_there():
        done = house.run("status", "--json", check=False)
        return done.returncode == 0 and len(json.loads(done.stdout)["gateways"]) == count
    wait_for(all_there, "all gateways have joined")


def test_others_serve_while_a_killed_gateway_comes_back(house):
    alice = house.device()
    before = house.parts("gateway")
    assert len(before) >= 2
    with Traffic(house, alice) as traffic:
        traffic.more()
        os.kill(before[0], signal.SIGKILL)
        traffic.more()
        wait_for(lambda: len(house.parts("gateway")) == len(before) and before[0] not in house.parts("gateway"), "it is back")
        joined(house, len(before))
        traffic.more()
    # What was in its hands ended with it; nobody else noticed.
    assert len(traffic.bad) <= len(traffic.threads), traffic.bad
    house.wait_log("event=ended part=gateway")
    kept = house.tls(alice)
    kept.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] == 200
    answer = house.json("device", "revoke", "alice/laptop")
    assert answer["gateways"] == len(before) and answer["closed"] >= 1 and not answer["silent"]
    assert kept.recv(1) == b""


def test_traffic_goes_on_without_the_authority_and_it_comes_back(house):
    alice, bob = house.device("alice"), house.device("bob")
    live = WebSocket(house, bob, "/live")
    with Traffic(house, alice) as traffic:
        traffic.more()
        for _ in range(3):
            authority, = house.parts("authority")
            os.kill(authority, signal.SIGKILL)
            traffic.more()
            wait_for(lambda: house.parts("authority") not in ([], [authority]), "another one is there")
        joined(house, len(house.parts("gateway")))
        traffic.more()
        assert traffic.bad == []
        # The roster it filled anew is the one that holds now.
        carol = house.device("carol")
        assert house.status("/who", carol) == 200
        assert house.json("device", "revoke", "bob/laptop")["closed"] == 1
    assert live.read_until_close()[0] == 1008
    assert house.status("/who", bob) == 403 and house.status("/who", alice) == 200


def test_what_is_issued_or_revoked_while_the_authority_is_killed_at_random_is_never_unknown(house):
    """Thirty kills at random moments of device add and device revoke, and starts while commands go on without a server."""
    house.person("alice")
    randomness = random.Random(20)
    ending = threading.Event()
    released, revoked, refused, lock = [], [], [], threading.Lock()

    def add(worker):
        number = 0
        while not ending.is_set():
            number += 1
            label = f"d{worker}x{number}"
            folder = house.folder / label
            done = house.run("device", "add", "alice", "--label", label, "--pem", folder, "--json", check=False)
            with lock:
                if done.returncode == 0:
                    released.append((label, json.loads(done.stdout)))
                else:
                    refused.append(done.stderr)
                    assert not (folder / "cert.pem").exists(), "nothing is released that was not acknowledged"
                victim = released[randomness.randrange(len(released))] if released and number % 3 == 0 else None
            if victim:
                done = house.run("device", "revoke", f"alice/{victim[0]}", check=False)
                with lock:
                    if done.returncode == 0:
                        revoked.append(victim[0])

    with concurrent.futures.ThreadPoolExecutor(2) as workers:
        adding = [workers.submit(add, n) for n in range(2)]
        try:
            for _ in range(6):
                for number in range(5):
                    count = len(released)
                    wait_for(lambda: len(released) > count, "the authority answers", 30)
                    time.sleep(randomness.random() * 0.06)  # the random moment
                    # The last one by way of the supervisor, which also makes the back-off start anew.
                    authority = wait_for(lambda: house.parts("authority"), "the authority is started again", 30)[0]
                    victim = authority if number < 4 else house.process.pid
                    os.kill(victim, signal.SIGKILL)
                    wait_for(lambda: not is_alive(victim), "its end")
                house.process.wait()
                house.log.rename(house.folder / f"before-{count}.log")
                house.serve()
        finally:
            ending.set()
        for each in adding:
            each.result()
    joined(house, len(house.parts("gateway")))
    assert len(released) > 10 and len(revoked) >= 2
    known = {d["device"]: d for d in every_device(house)}
    for label, facts in released:
        assert facts["device"] in known, f"{label} was released and is not recorded"
        shown = house.json("device", "show", facts["device"])
        assert facts["serial"].lower() in json.dumps(shown).lower()
        admitted = status_with(house, house.folder / label)
        assert admitted == (200 if known[facts["device"]]["state"] == "active" else 403), label
    for label in revoked:
        assert status_with(house, house.folder / label) == 403, f"the revocation of {label} was forgotten"
    assert house.json("status")["rows_refused_count"] == 0


def every_device(house):
    return house.json("device", "list")["devices"]


def status_with(house, folder):
    done = house.curl("/who", None, "--cert", folder / "cert.pem", "--key", folder / "key.pem", "-o", "/dev/null", "-w", "%{http_code}")
    return int(done.stdout or 0)


def test_no_child_outlives_the_supervisor_and_a_new_start_needs_no_hand_work(house):
    alice = house.device()
    children = house.parts()
    with Traffic(house, alice) as traffic:
        traffic.more(5)
        house.process.kill()
        house.process.wait()
        # At once: the dead one's socket, lock, ports and database stay behind as they are.
        house.log.rename(house.folder / "first.log")
        house.serve()
        traffic.more(5)
    wait_for(lambda: not any(is_alive(pid) for pid in children), "the first one's children have ended")
    assert house.status("/who", alice) == 200
    assert house.json("device", "revoke", "alice/laptop")["gateways"] == len(house.parts("gateway"))


def is_alive(pid):
    try:
        return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_stopped_authority_stops_no_traffic_and_a_revocation_says_so(house):
    alice = house.device()
    authority, = house.parts("authority")
    os.kill(authority, signal.SIGSTOP)
    with Traffic(house, alice) as traffic:
        traffic.more()
        done = house.run("device", "revoke", "alice/laptop", check=False)
        assert done.returncode == 3, done
        assert "in time" in done.stderr or "answer" in done.stderr, done.stderr
        traffic.more()
        # Nobody helps it: the watchdog does.
        wait_for(lambda: house.parts("authority") not in ([], [authority]), "the watchdog has replaced it", 40)
        joined(house, len(house.parts("gateway")))
        assert traffic.bad == []
    house.wait_log("event=watchdog")
    assert house.json("device", "revoke", "alice/laptop")["device"] == alice.id
    assert house.status("/who", alice) == 403


def test_a_stopped_authority_that_goes_on_does_what_it_was_asked(house):
    alice = house.device()
    authority, = house.parts("authority")
    os.kill(authority, signal.SIGSTOP)
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        asked = other.submit(house.run, "device", "revoke", "alice/laptop", "--json")
        house.curl("/who", alice, check=True)
        os.kill(authority, signal.SIGCONT)
        assert json.loads(asked.result().stdout)["gateways"] == len(house.parts("gateway"))
    assert house.parts("authority") == [authority]
    assert house.status("/who", alice) == 403


def test_a_stopped_gateway_does_not_delay_a_revocation(house):
    alice = house.device()
    gateways = house.parts("gateway")
    kept = [house.tls(alice) for _ in range(8)]  # some of them in the stopped one's hands
    for stream in kept:
        stream.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
        assert read_answer(stream)[0] == 200
    os.kill(gateways[0], signal.SIGSTOP)
    began = time.monotonic()
    answer = house.json("device", "revoke", "alice/laptop")
    took = time.monotonic() - began
    assert took < 2, f"{took} s; the promise is one"
    assert answer["silent"] == [1] and answer["gateways"] == len(gateways), answer
    assert not answer["not_ended"], answer
    for stream in kept:
        with contextlib.suppress(ConnectionResetError):
            assert stream.recv(1) == b"", "ended with its process, or closed"
    wait_for(lambda: len(house.parts("gateway")) == len(gateways) and gateways[0] not in house.parts("gateway"), "it is replaced")
    joined(house, len(gateways))
    assert house.status("/who", alice) == 403


def test_a_gateway_that_dies_while_the_authority_stands_still_joins_again(house):
    alice = house.device()
    gateways = house.parts("gateway")
    authority, = house.parts("authority")
    os.kill(authority, signal.SIGSTOP)
    os.kill(gateways[0], signal.SIGKILL)
    wait_for(lambda: len(house.parts("gateway")) == len(gateways) and gateways[0] not in house.parts("gateway"), "it is started again")
    assert house.status("/who", alice) == 200, "the others serve"
    os.kill(authority, signal.SIGCONT)
    joined(house, len(gateways))
    assert house.json("device", "revoke", "alice/laptop")["gateways"] == len(gateways)


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
def test_a_stop_under_load_is_clean(house, how):
    alice = house.device()
    live = WebSocket(house, alice, "/live")
    children = house.parts()
    with Traffic(house, alice) as traffic:
        traffic.more()
        house.process.send_signal(getattr(signal, how))
        assert house.process.wait(20) == 0, house.log_text()[-2000:]
    assert live.read_until_close()[0] in (1001, 1012), "going away, and said so"
    assert not any(is_alive(pid) for pid in children)
    assert not (house.state / "authority.sock").exists()
    assert "level=error" not in house.log_text(), house.log_text()
    assert house.run("status").returncode == 0, "commands work without it"


def test_ctrl_c_on_the_terminal_is_a_clean_stop(make_house):
    """The terminal signals the whole group: the parts leave it to the supervisor."""
    one = make_house()
    one.init(one.example())
    alice = one.device()
    one.process = subprocess.Popen([BINARY, "serve", "--state", str(one.state)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=open(one.log, "ab"), start_new_session=True)
    one.wait_log("event=ready")
    children = one.parts()
    with Traffic(one, alice, clients=1) as traffic:
        traffic.more(5)
        os.killpg(one.process.pid, signal.SIGINT)
        assert one.process.wait(20) == 0
    assert not any(is_alive(pid) for pid in children)
    assert "event=ended" not in one.log_text()


def test_sigterm_ends_parts_that_stand_still_too(house):
    children = house.parts()
    os.kill(house.parts("gateway")[0], signal.SIGSTOP)
    os.kill(house.parts("authority")[0], signal.SIGSTOP)
    house.process.send_signal(signal.SIGTERM)
    assert house.process.wait(40) == 0
    assert not any(is_alive(pid) for pid in children)


def test_a_part_that_dies_again_and_again_is_started_ever_more_slowly(house):
    waits = []
    for number in range(1, 5):
        gateway = wait_for(lambda: [p for p in house.parts("gateway") if slot_of(p) == 1], "gateway 1 is there")[0]
        os.kill(gateway, signal.SIGKILL)
        wait_for(lambda: house.log_text().count("part=gateway slot=1") == number, "its end is noticed")
        line = [text for text in house.log_text().splitlines() if "part=gateway slot=1" in text][-1]
        assert "signal=9" in line
        waits.append(int(line.split("again_in_ms=")[1].split()[0]))
    assert all(later >= 1.8 * sooner for sooner, later in zip(waits, waits[1:])), waits
    assert waits[0] <= 150 and waits[-1] <= 30000
    assert house.status("/who", house.device()) == 200, "meanwhile the other one serves"


def slot_of(pid):
    return int(open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")[3])
