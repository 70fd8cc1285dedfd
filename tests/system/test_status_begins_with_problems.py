"""What a person, a script and a monitoring program hear of the house: first what is wrong and what to do, then figures. With the
server running and without, and whatever strangers have written into it."""
import json
import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest
from house import BINARY, free_port, wait_for


def problems(house, *words):
    return "\n".join(house.json("status", *words)["problems"])


def check(house):
    done = house.run("status", "--check", check=False)
    assert done.stdout.count("\n") == 1, done.stdout + done.stderr
    return done.returncode, done.stdout


def certificate(house, days, name=None):
    """A self-made one for the site, so long before its end; in place of the present one."""
    cert, key = house.folder / f"own{days}.pem", house.folder / f"own{days}.key"
    name = name or house.site
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name}", "-days", str(days), "-keyout", key, "-out", cert], check=True, capture_output=True)
    house.set("certificate", f'"{cert}"')
    house.set("key", f'"{key}"')
    return cert, key


def test_a_house_in_order_says_so(house):
    house.device()
    assert problems(house) == ""
    code, line = check(house)
    assert code == 0 and line.startswith("CHATELAINE OK - ") and "| connections=" in line
    text = house.run("status").stdout
    assert text.startswith("running       yes\n") and f"site          {house.site} -> http://" in text


def test_without_a_server_it_still_tells(house):
    house.device()
    house.stop()
    answer = house.json("status")
    assert answer["running"] is False and answer["people"] == 1
    assert "chatelaine is not running" in answer["problems"][0]
    assert check(house)[0] == 2
    assert house.run("status").stdout.startswith("CRITICAL      chatelaine is not running: nobody gets in; start it")


@pytest.mark.parametrize("days, code, word", [(5, 1, "expires in 4 days"), (1, 2, "expires in 23 hours")])
def test_a_certificate_that_ends_is_said_in_time(house, days, code, word):
    certificate(house, days)
    wait_for(lambda: word in problems(house) and "not what the running" not in problems(house), word)
    assert check(house)[0] == code


def test_a_certificate_of_another_name_or_key_is_said(house):
    cert, _ = certificate(house, 300, "other.test")
    assert "is not for that name" in problems(house) and check(house)[0] == 2
    _, key = certificate(house, 301)
    house.set("certificate", f'"{cert}"')
    house.set("key", f'"{key}"')
    assert str(key) in problems(house) and check(house)[0] == 2


def test_a_configuration_that_is_not_the_running_one_is_said(house):
    good = house.config.read_text()
    house.config.write_text(good + "\nnonsense = 1\n")
    house.wait_log("outcome=refused")
    assert "nonsense" in problems(house)
    code, line = check(house)
    assert code == 1 and "nonsense" in line
    house.config.write_text(good)
    wait_for(lambda: problems(house) == "", "all is well again")
    # Right by itself, but nobody took it up: the supervisor is stopped, so that it sees no change.
    os.kill(house.process.pid, signal.SIGSTOP)
    try:
        house.set("contact", '"somebody@example.com"')
        assert "is not what the running chatelaine works by" in problems(house)
    finally:
        os.kill(house.process.pid, signal.SIGCONT)
    wait_for(lambda: problems(house) == "", "it has followed")


def test_holes_are_shown_and_are_no_problem(make_house):
    house = make_house(config='\tlocation "/api/info" { no-certificate = allow }')
    house.init(house.example())
    house.serve()
    assert problems(house) == "" and check(house)[0] == 0
    hole, = house.json("status")["open"]
    assert "/api/info" in hole and "open to all   " + hole in house.run("status").stdout


def test_a_part_that_ended_and_an_application_that_is_away_are_said(make_house):
    house = make_house()
    house.init(f"http://127.0.0.1:{free_port()}")
    house.set("workers", 1)
    device = house.device()
    house.serve()
    for _ in range(4):
        assert house.status("/", device) == 502
    wait_for(lambda: "does not answer; is it running?" in problems(house), "the application is away")
    assert check(house)[0] == 2
    os.kill(house.parts("gateway")[0], signal.SIGKILL)
    wait_for(lambda: "a part ended unasked" in problems(house), "it is said")


def test_a_device_that_nobody_renews_is_said(make_house):
    house = make_house()
    house.init(house.example())
    alice, carol = house.device("alice", "laptop"), house.device("carol", "old")
    house.run("device", "revoke", "carol/old")

    def problems_in(seconds):
        done = subprocess.run(["faketime", "-f", f"{seconds:+d}s", BINARY, "status", "--json", "--state", str(house.state)],
                              capture_output=True, text=True)
        return "\n".join(json.loads(done.stdout)["problems"])
    five_days_before = [int(device.facts["not_after"] - time.time()) - 5 * 86400 for device in (alice, carol)]
    assert re.search("alice/laptop: its certificate ends in [45] days and nothing has renewed it", problems_in(five_days_before[0]))
    assert "carol/old" not in problems_in(five_days_before[1])
    assert "nothing has renewed it" not in problems_in(0)
    assert "this machine's clock is" in problems_in(-2 * 86400)


def test_figures_by_site_reason_and_device(house):
    alice, bob = house.device("alice", "laptop"), house.device("bob", "phone")
    with house.tls(alice) as one, house.tls(alice) as two, house.tls(bob) as three:
        for stream in (one, two, three):
            stream.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
            assert stream.recv(100).startswith(b"HTTP/1.1 200")
        assert house.status("/") == 403
        wait_for(lambda: house.json("status")["figures"]["refusals"], "the refusal is counted")
        answer = house.json("status")
        assert answer["figures"]["connections_open"] == 3
        assert [(r["code"], r["count"]) for r in answer["figures"]["refusals"]] == [("C01", 1)]
        here = {(d["person"], d["label"]): d["connections"] for d in answer["present"]["devices"]}
        assert here == {("alice", "laptop"): 2, ("bob", "phone"): 1} and answer["present"]["more"] == 0
        site, = (s for s in answer["site_figures"] if s["site"] == house.site)
        assert site["refused"] == 1 and site["requests"] >= 1
        text = house.run("status").stdout
        assert re.search(r"refused       C01 [^\n]+: 1 \(\+1\)\n", text) and "connected     alice/laptop  connections 2" in text
    wait_for(lambda: not house.json("status")["present"]["devices"], "they have left")


def test_it_repeats_each_second_and_ends_cleanly(house):
    """Into a pipe without one escape; on a terminal in place; a reader that goes away is no trouble."""
    one = subprocess.Popen([BINARY, "status", "--watch", "--json", "--state", str(house.state)], stdout=subprocess.PIPE, text=True)
    assert [json.loads(one.stdout.readline())["running"] for _ in range(2)] == [True, True]
    one.send_signal(signal.SIGINT)
    assert one.wait(20) == 0
    one.stdout.close()
    main, side = pty.openpty()
    two = subprocess.Popen([BINARY, "status", "--watch", "--state", str(house.state)], stdout=side, stdin=side)
    os.close(side)
    data = b""

    def drawn_twice():
        nonlocal data
        if select.select([main], [], [], 0)[0]:
            data += os.read(main, 65536)
        return data.count(b"\x1b[H\x1b[2J") == 2
    wait_for(drawn_twice, "it draws again")
    two.send_signal(signal.SIGINT)
    assert two.wait(20) == 0
    os.close(main)
    three = subprocess.Popen([BINARY, "status", "--watch", "--state", str(house.state)], stdout=subprocess.PIPE)
    assert b"\x1b" not in three.stdout.read(100)
    three.stdout.close()
    assert three.wait(20) in (0, -signal.SIGPIPE)


def test_what_a_stranger_wrote_does_not_reach_the_terminal(house):
    """An upstream's name, a file's name: whatever is shown is escaped."""
    evil = house.folder / "\u202etxt.wolla"
    house.add_to_site(f'\tallow-file = "{evil}"')
    done = house.run("status")
    assert "\u202e" not in done.stdout and "\\xe2\\x80\\xaetxt.wolla" in done.stdout
    line = house.run("status", "--check", check=False).stdout
    assert "\u202e" not in line and line.startswith("CHATELAINE CRITICAL")


def test_check_without_a_house_is_unknown(tmp_path):
    done = subprocess.run([BINARY, "status", "--check", "--state", str(tmp_path / "none")], capture_output=True, text=True)
    assert done.returncode == 3 and done.stdout.startswith("CHATELAINE UNKNOWN")
    assert subprocess.run([BINARY, "status", "--check", "--watch"], capture_output=True).returncode == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_disk_that_is_nearly_full_is_said(make_house):
    house = make_house()
    disk = house.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode != 0:
        pytest.skip("no mount here")
    try:
        house.init(house.example())
        house.set("access-log", f'"{disk}/access.log"')
        house.serve()
        assert problems(house) == ""
        (disk / "ballast").write_bytes(bytes(3 * 1024 * 1024 + 900 * 1024))
        assert "(access log) has" in problems(house) and check(house)[0] == 1
        house.stop()
    finally:
        house.stop(expect=None)
        subprocess.run(["umount", disk], check=True)
