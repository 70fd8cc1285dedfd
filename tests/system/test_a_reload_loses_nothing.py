"""What running gateways can take, they take in place; anything else starts new gateways on the same sockets, and the old
ones drain: no request is lost, WebSockets stay until drain-time is over and get 1012, and nobody keeps rules that are gone."""
import os
import shutil
import signal
import socket
import subprocess

import pytest
from house import free_port, read_answer, wait_for
from reload_load import Load
from websocket_client import WebSocket


def reload(house, outcome):
    """SIGHUP, and wait until it is done; the line in the log."""
    mark = len(house.log_text())
    house.process.send_signal(signal.SIGHUP)

    def line():
        return next((text for text in house.log_text()[mark:].splitlines() if f"event=reload outcome={outcome}" in text), None)
    return wait_for(line, f"a reload with outcome {outcome}; the log:\n{house.log_text()[mark:][-3000:]}")


@pytest.fixture
def one(make_house):
    made = make_house()
    made.init(made.example())
    made.set("workers", "1")
    return made.serve()


def certificates(folder, site):
    """Two pairs of certificate and key for the site, each its own root."""
    pairs = []
    for name in ("first", "second"):
        pair = folder / f"{name}.pem", folder / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{site}", "-keyout", pair[1], "-out",
                        pair[0]], check=True, capture_output=True)
        pairs.append(pair)
    return pairs


def test_fifty_reloads_under_load_lose_no_request(make_house, tmp_path):
    house = make_house()
    house.init(house.example())
    pairs = certificates(tmp_path, house.site)
    (tmp_path / "roots.pem").write_text("".join(pair[0].read_text() for pair in pairs))
    house.root = tmp_path / "roots.pem"
    live = tmp_path / "live.pem", tmp_path / "live.key"

    def install(number):
        for source, target in zip(pairs[number % 2], live):
            shutil.copy(source, tmp_path / "new")
            os.rename(tmp_path / "new", target)
    install(0)
    house.set("certificate", f'"{live[0]}"')
    house.set("key", f'"{live[1]}"')
    house.set("workers", "1")
    first, other = f'"127.0.0.1:{house.port}"', f'"127.0.0.1:{free_port()}"'
    house.serve()
    alice = house.device()
    websocket = WebSocket(house, alice, "/live")
    with Load(house, alice) as load:
        load.more(5)
        for cycle in range(10):
            reload(house, "nothing-changed")
            house.set("contact", f'"{cycle}@example.com"')
            reload(house, "in-place")
            install(cycle + 1)
            reload(house, "in-place")
            house.set("workers", str(2 - cycle % 2))
            reload(house, "new-gateways")
            house.set("listen", f"{{{first}, {other}}}" if cycle % 2 == 0 else f"{{{first}}}")
            reload(house, "new-gateways")
            load.more(5)
    assert load.bad == []
    assert house.curl("/who", alice).stdout.count(alice.id) >= 1
    websocket.send("through all of it")
    assert wait_for(lambda: "all of it" in websocket.read_text(), "the WebSocket of the first gateway goes on")
    wait_for(lambda: len(house.parts("gateway")) == 2, "and nothing else holds a gateway of before")
    assert "event=ended" not in house.log_text(), "no gateway died of it"


def test_a_websocket_outlives_new_gateways_until_its_time_is_over(one):
    alice = one.device()
    live = WebSocket(one, alice, "/live")
    before = one.parts("gateway")
    one.set("workers", "2")
    reload(one, "new-gateways")
    assert set(before) < set(one.parts("gateway")), "the old one drains"
    live.send("still here")
    assert wait_for(lambda: "still here" in live.read_text(), "the WebSocket goes on")
    one.set("drain-time", "1s")
    one.set("workers", "1")
    younger = WebSocket(one, alice, "/live")
    reload(one, "new-gateways")
    assert younger.read_until_close()[0] == 1012
    live.send("I had ten minutes")
    assert wait_for(lambda: "ten minutes" in live.read_text(), "what was promised before is kept")


def test_only_so_many_generations_drain_and_the_oldest_has_to_go(one):
    alice = one.device()
    held = []
    for number in range(6):
        held.append(WebSocket(one, alice, "/live"))
        one.set("idle-time", f"{60 + number}s")
        reload(one, "new-gateways")
    assert held[0].read_until_close()[0] == 1012
    for live in held[2:]:
        live.send("not me")
        assert wait_for(lambda: "not me" in live.read_text(), "younger ones stay")


def test_a_kept_connection_is_told_to_close_by_its_next_answer(one):
    alice = one.device()
    kept = one.tls(alice)

    def ask():
        kept.sendall(f"GET /who HTTP/1.1\r\nHost: {one.site}\r\n\r\n".encode())
        return read_answer(kept)
    assert ask()[1].get("connection") != "close"
    one.set("idle-time", "60s")
    reload(one, "new-gateways")
    status, fields, body = ask()
    assert (status, fields["connection"]) == (200, "close") and alice.id.encode() in body
    assert kept.recv(1) == b""
    wait_for(lambda: len(one.parts("gateway")) == 1, "nothing holds the old one")


def test_what_drains_takes_later_rules_and_revocations(one):
    """Never a policy that would refuse them; and the authority may be another one by then."""
    alice, bob = one.device("alice"), one.device("bob")
    revoked, ruled_out, kept = (WebSocket(one, who, "/live") for who in (alice, bob, bob))
    one.set("workers", "2")
    reload(one, "new-gateways")
    os.kill(one.parts("authority")[0], signal.SIGKILL)
    wait_for(lambda: one.run("status", "--json", check=False).returncode == 0 and
             len(one.json("status")["gateways"]) == 3, "all three have joined the new authority")
    assert one.json("device", "revoke", "alice/laptop")["closed"] == 1
    assert revoked.read_until_close()[0] == 1008
    kept.send("me not")
    assert wait_for(lambda: "me not" in kept.read_text(), "bob is as welcome as before")
    one.set("who", '{"staff"}')
    reload(one, "in-place")
    assert ruled_out.read_until_close()[0] == 1008
    assert kept.read_until_close()[0] == 1008


def test_new_rules_that_come_with_new_gateways_reach_the_old_ones_too(one):
    bob = one.device("bob")
    live = WebSocket(one, bob, "/live")
    one.set("who", '{"staff"}')
    one.set("workers", "2")
    reload(one, "new-gateways")
    assert live.read_until_close()[0] == 1008


def test_a_busy_port_refuses_the_reload_and_nothing_changes(one):
    alice = one.device()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before, good = one.parts(), one.config.read_text()
        one.set("listen", f'{{"127.0.0.1:{one.port}", "127.0.0.1:{port}"}}')
        reload(one, "refused")
        assert f"127.0.0.1:{port} is in use by" in one.log_text()
        assert one.parts() == before and one.status("/who", alice) == 200
    reload(one, "new-gateways")
    one.config.write_text(good)
    reload(one, "new-gateways")
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0, "the vanished address is closed"
    assert one.status("/who", alice) == 200


def test_a_storm_of_sighups_is_one_reload_after_another(one):
    alice = one.device()
    with Load(one, alice, kept=1, fresh=1, uploads=0) as load:
        for number in range(200):
            if number % 40 == 0:
                one.set("workers", str(1 + number // 40 % 2))
            one.process.send_signal(signal.SIGHUP)
        load.more(20)
    assert load.bad == []
    one.set("workers", "3")
    reload(one, "new-gateways")
    wait_for(lambda: len(one.parts("gateway")) == 3 and not one.parts("check"), "what was said last holds")



@pytest.mark.parametrize("whom", ["old", "new"])
def test_a_kill_in_the_middle_of_a_reload_leaves_a_door_that_serves(one, whom):
    alice = one.device()
    old = set(one.parts("gateway"))
    one.set("workers", "2")
    one.process.send_signal(signal.SIGHUP)
    new = wait_for(lambda: set(one.parts("gateway")) - old, "new gateways start")
    for pid in new if whom == "new" else old:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_for(lambda: "outcome=new-gateways" in one.log_text(), "it is tried again until it is done")
    wait_for(lambda: len(one.parts("gateway")) == 2 and not old & set(one.parts("gateway")), "two serve")
    assert one.status("/who", alice) == 200


def test_a_config_that_vanishes_changes_nothing(one):
    alice = one.device()
    good = one.config.read_text()
    one.config.unlink()
    reload(one, "refused")
    assert one.status("/who", alice) == 200
    one.config.write_text(good)
    reload(one, "nothing-changed")


def test_another_state_folder_is_refused(one, tmp_path):
    shutil.copytree(one.state, tmp_path / "elsewhere", ignore=shutil.ignore_patterns("*.sock"))
    one.set("state", f'"{tmp_path}/elsewhere"')
    reload(one, "refused")
    assert "another house" in one.log_text()


def test_a_stop_loses_nothing_that_was_under_way(make_house):
    house = make_house()
    house.init(house.example())
    house.set("stop-time", "20s")
    house.serve()
    alice = house.device()
    live = WebSocket(house, alice, "/live")
    streams = [house.tls(alice) for _ in range(4)]
    for stream in streams:
        stream.sendall(f"POST /upload HTTP/1.1\r\nHost: {house.site}\r\nContent-Length: 20\r\n\r\n0123456789".encode())
    idle = house.tls(alice)
    idle.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
    assert read_answer(idle)[0] == 200
    house.process.send_signal(signal.SIGTERM)
    assert live.read_until_close()[0] == 1001, "told at once"
    assert idle.recv(1) == b"", "nothing was under way"
    assert house.process.poll() is None
    for stream in streams:
        stream.sendall(b"0123456789")
        assert read_answer(stream)[0] == 200
    assert house.process.wait(20) == 0


def test_a_stop_waits_no_longer_than_it_may(make_house):
    house = make_house()
    house.init(house.example())
    house.set("stop-time", "1s")
    house.serve()
    alice = house.device()
    stream = house.tls(alice)
    stream.sendall(f"POST /upload HTTP/1.1\r\nHost: {house.site}\r\nContent-Length: 20\r\n\r\n0123456789".encode())
    house.process.send_signal(signal.SIGTERM)
    assert house.process.wait(20) == 0
    assert not house.parts()


def test_config_reload_says_what_became_of_it(one):
    alice = one.device()
    assert one.run("config", "reload").stdout == "nothing has changed\n"
    one.set("contact", '"it@example.com"')
    assert "in place by 1 gateway" in one.run("config", "reload").stdout
    assert "it@example.com" in one.curl("/").stdout, "in use when the command says so"
    one.set("workers", "2")
    assert one.json("config", "reload")["outcome"] == "new-gateways"
    assert len(one.json("status")["gateways"]) >= 2
    good = one.config.read_text()
    one.config.write_text(good.replace("no-certificate = explain", "no-certificate = perhaps\n    colour = blue"))
    done = one.run("config", "reload", check=False)
    assert done.returncode == 1
    assert "perhaps" in done.stderr and 'unknown key "colour"' in done.stderr and str(one.config) in done.stderr
    assert one.status("/who", alice) == 200
    one.config.write_text(good)
    one.stop()
    done = one.run("config", "reload", check=False)
    assert done.returncode == 1 and "not running" in done.stderr


def test_many_who_ask_for_a_reload_all_get_an_answer(one):
    from concurrent.futures import ThreadPoolExecutor
    one.set("workers", "2")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: one.json("config", "reload")["outcome"], range(8)))
    assert set(answers) <= {"new-gateways", "nothing-changed"} and "new-gateways" in answers


def test_a_list_that_is_named_anew_and_changes_before_it_is_watched_is_read_again(one, tmp_path):
    """The check has read it, a gateway is slow to take the files: a line that goes just then is gone."""
    bob = one.device("bob")
    assert one.status("/who", bob) == 200
    listed = tmp_path / "lists" / "allow.txt"
    listed.parent.mkdir()
    listed.write_text(f"{bob.id}\n")
    memories = f"/proc/{one.process.pid}/fd"
    before = len(os.listdir(memories))
    gateway = one.parts("gateway")[0]
    os.kill(gateway, signal.SIGSTOP)
    try:
        one.add_to_site(f'    allow-file = "{listed}"')
        wait_for(lambda: len(os.listdir(memories)) > before and not one.parts("check") and
                 len(os.listdir(memories)) > before, "it was read, and waits for the gateway")
        listed.write_text("# nobody\n")
    finally:
        os.kill(gateway, signal.SIGCONT)
    wait_for(lambda: one.status("/who", bob) == 403, "the line's going is seen")
