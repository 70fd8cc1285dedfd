"""no-certificate = watch: everybody passes as before, nobody with an identity that was not proved; then it says who would have been refused."""
import datetime
import os
import re
import signal
import sqlite3

import pytest

from house import House, read_answer, wait_for
from websocket_client import WebSocket


KARACHI = "/usr/share/zoneinfo/Asia/Karachi"


def rows_of(house, *words):
    return house.json("watch", *words)["rows"]


def row_of(house, **wanted):
    for row in rows_of(house):
        if all(row[key] == value for key, value in wanted.items()):
            return row
    return None


def watching(make_house, mode="watch", more=""):
    one = make_house(config=more)
    one.init(one.example())
    one.set("no-certificate", f'"{mode}"')
    return one


def in_seconds(seconds, form="%Y-%m-%dT%H:%M:%SZ", hours=0):
    when = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds, hours=hours)
    return when.strftime(form)


def test_it_lets_pass_counts_and_says_what_to_do(make_house):
    one = watching(make_house, "watch until 2099-12-24")
    alice, lost = one.device("alice"), one.device("alice", "lost")
    one.person("bob")
    one.device("carol", "phone")
    one.run("device", "revoke", "alice/lost")
    stranger = House(one.folder / "other")
    stranger.folder.mkdir()
    stranger.init("http://127.0.0.1:9")
    forged = stranger.device("mallory")
    one.serve()

    assert one.status("/who", alice) == 200 and "alice" in one.curl("/who", alice).stdout
    words = ["-H", "X-Chatelaine-Person: alice", "-H", "x_chatelaine_device: 1"]
    for device in (None, forged):
        told = one.curl("/headers", device, *words).stdout.lower()
        assert "x-forwarded-for" in told and "chatelaine-person" not in told and "chatelaine_device" not in told, told
    assert one.status("/who", lost) == 403, "a revocation is a decision that was made"
    assert one.status("/health?x=secret-token", None, "-A", "kube-probe/1.29") == 404
    assert one.status("/who", None, "-A", "RC Mobile; ios 17.1; v4.42.0 (1)") == 200

    wait_for(lambda: row_of(one, path="/health"), "the first report comes by itself")
    one.stop()  # what was counted since is told too
    row = row_of(one, path="/health")
    assert row == {**row, "site": "door.test", "location": "", "address": "127.0.0.1", "client": "Kubernetes probe", "code": "C01",
                   "times": 1, "device": None, "name": None}
    assert row_of(one, path="/headers", code="C06")["times"] == 1
    assert row_of(one, path="/who", client="Rocket.Chat app (phone)")["times"] == 1
    assert "secret-token" not in str(rows_of(one))
    assert rows_of(one, "--since", "1h") == rows_of(one) and rows_of(one, "--since", "2098-01-01") == []
    assert rows_of(one, "--site", "DOOR.test") == rows_of(one) and rows_of(one, "--site", "b.test") == []

    told = one.run("watch").stdout
    assert re.search(r"watched +door\.test: .* until 2099-12-24 00:00 ", told)
    assert "1 of 3 people seen with a certificate" in told
    assert re.search(r"not yet +bob \(no device\)", told)
    assert re.search(r"not yet +carol \(has a device, was never here with it\)", told)
    assert 'location "/health" { no-certificate = allow }' in told
    assert "Rocket.Chat app (phone) at door.test" in told
    status = one.run("status").stdout
    assert "door.test is only watched, until 2099-12-24" in status and "1 of 3 people are ready" in status

    assert "forgotten" in one.run("watch", "--reset").stdout
    assert rows_of(one) == []
    assert "Nobody was met" in one.run("watch").stdout


def test_a_websocket_of_nobody_ends_on_the_day_and_alices_does_not(make_house):
    one = watching(make_house)
    alice = one.device("alice")
    one.set("no-certificate", f'"watch until {in_seconds(3)}"')
    one.serve()
    nobody, hers = WebSocket(one, None, "/echo"), WebSocket(one, alice, "/echo")
    nobody.send("hello")
    while nobody.read_text() != "hello":
        pass
    assert one.status("/who") == 200
    nobody.stream.settimeout(20)
    while True:
        opcode, payload = nobody.read()
        if opcode == 8:
            break
    assert int.from_bytes(payload[:2], "big") == 1008
    wait_for(lambda: one.status("/who") == 403, "enforced without a reload")
    assert one.status("/who", alice) == 200
    hers.send("still here")
    while hers.read_text() != "still here":
        pass
    assert "is enforced already" in one.run("watch").stdout
    assert "only watched" not in one.run("status").stdout


@pytest.mark.skipif(os.geteuid() != 0 or not os.path.exists(KARACHI), reason="needs root and tzdata")
@pytest.mark.parametrize("hours, expected", [(5, 403), (6, 200)])
def test_a_day_without_a_zone_is_the_machines_though_gateways_have_no_files(make_house, hours, expected):
    """Five hours ahead of UTC: what is now there was five hours ago, were it read as UTC."""
    one = watching(make_house, f"watch until {in_seconds(0, '%Y-%m-%dT%H:%M:%S', hours=hours)}")
    one.serve(prefix=["unshare", "-m", "sh", "-c", f'mount --bind {KARACHI} /etc/localtime && exec "$@"', "sh"])
    assert one.status("/who") == expected


def test_known_devices_are_watched_apart_and_a_group_can_be_enforced(make_house):
    one = watching(make_house, "explain", """
    who = {"staff"}
    not-allowed = watch
    enforced = {"sales"}
    location "/headers" { not-allowed = explain }""")
    one.person("ann", "--groups", "sales")
    one.person("bob", "--groups", "others")
    ann, bob = one.device("ann"), one.device("bob")
    one.serve()
    assert [one.status("/who", device) for device in (ann, bob, None)] == [403, 200, 403]
    assert one.status("/headers", bob) == 403
    assert "bob" in one.curl("/who", bob).stdout, "who is known is told as who he is"
    one.stop()
    assert [(row["name"], row["code"], row["times"]) for row in rows_of(one)] == [("bob/laptop", "C08", 2)]
    assert "bob/laptop is in none of the groups that may enter door.test/who" in one.run("watch").stdout


def send_many(house, paths, agent):
    """Requests one behind the other on one connection, 100 at a time."""
    stream = house.tls()
    for at in range(0, len(paths), 100):
        some = paths[at:at + 100]
        stream.sendall(b"".join(b"GET " + path + b" HTTP/1.1\r\nHost: " + house.site.encode() + b"\r\nUser-Agent: " + agent +
                                b"\r\n\r\n" for path in some))
        data = b""
        while data.count(b"HTTP/1.1 ") < len(some):
            more = stream.recv(65536)
            assert more, data[-300:]
            data += more
    stream.close()


def test_hostile_paths_are_few_rows_and_no_terminal_obeys_them(make_house):
    one = watching(make_house)
    one.serve()
    send_many(one, [b"/%1b%5d0;owned%07/x" + b"%d" % i for i in range(10)] + [b"/\x22><script>/%c2%9b31m", b"/" + b"a" * 3000], b"\x22evil <b>")
    send_many(one, [b"/p%d/q%d" % (i, i) for i in range(10000)], b"curl/8")
    one.stop()
    rows = rows_of(one)
    assert sum(row["times"] for row in rows) >= 10000 and len(rows) <= 65
    for told in (one.run("watch").stdout, one.run("watch", "--json").stdout):
        assert all(c in "\n" or c.isprintable() for c in told) and "\x1b" not in told
    assert all(len(row["path"]) < 80 for row in rows)


def test_what_was_told_outlives_any_kill_and_what_was_not_is_told_again(make_house):
    one = watching(make_house)
    one.set("workers", "1")
    one.serve()
    assert one.status("/before") == 404
    wait_for(lambda: row_of(one, path="/before"), "the report of the first")
    authority, = one.parts("authority")
    gateway, = one.parts("gateway")
    os.kill(gateway, signal.SIGKILL)
    os.kill(authority, signal.SIGKILL)
    wait_for(lambda: one.parts("gateway") not in ([], [gateway]) and one.parts("authority") not in ([], [authority]), "both are there again")
    wait_for(lambda: one.run("watch", check=False).returncode == 0, "the authority answers")
    assert row_of(one, path="/before")["times"] == 1
    # A gateway keeps what it could not tell.
    authority, = one.parts("authority")
    os.kill(authority, signal.SIGSTOP)
    wait_for(lambda: one.status("/during") == 404, "the door works without it")
    os.kill(authority, signal.SIGKILL)
    wait_for(lambda: one.parts("authority") not in ([], [authority]), "a new one")
    wait_for(lambda: row_of(one, path="/during"), "told again")
    assert row_of(one, path="/during")["times"] == 1 or one.log_text().count("path=/during") > 1
    found = sqlite3.connect(f"file:{one.state}/registry.db?mode=ro", uri=True).execute("SELECT count(*) FROM watched").fetchone()
    assert found[0] == 2


@pytest.mark.parametrize("line, complaint", [
    ('no-certificate = "watch until tomorrow"', 'no day; write it as 2026-12-24'),
    ('no-certificate = "watch until 2026-02-30"', 'no day'),
    ('no-certificate = "watch 2026-12-24"', 'write watch, or "watch until'),
    ('no-certificate = perhaps', 'explain, drop, watch or allow'),
    ('not-allowed = drop', 'explain or watch'),
    ('enforced = {"everyone"}', 'write explain in place of watch'),
])
def test_a_wrong_word_is_named_with_its_remedy(make_house, line, complaint):
    one = make_house()
    one.init("http://127.0.0.1:9")
    key = line.split(" =")[0]
    if key == "no-certificate":
        one.set(key, line.split("= ", 1)[1])
    else:
        one.add_to_site("    " + line)
    done = one.run("config", "check", check=False)
    assert done.returncode != 0 and complaint in done.stdout + done.stderr, done.stdout + done.stderr


def test_follow_shows_what_comes_in(make_house):
    one = watching(make_house)
    one.serve()
    log = open(one.folder / "follow.txt", "wb")
    one.start(os.environ.get("CHATELAINE", "build/release/chatelaine"), "watch", "--follow", "--state", one.state, stdout=log)
    wait_for(lambda: b"From now on" in (one.folder / "follow.txt").read_bytes(), "it follows")
    assert one.status("/late") == 404
    wait_for(lambda: b"/late" in (one.folder / "follow.txt").read_bytes(), "the row comes by itself")
