"""Another version of the program takes over the listening sockets and everything that runs, under load, in the same
process; one that cannot leaves the old one serving and says why."""
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
from house import BINARY, read_answer, wait_for
from reload_load import Load
from websocket_client import WebSocket

NEW = "9.9.9"


def version_of(binary):
    return subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]


def other_version(folder, version=NEW):
    """The same program with another version string of the same length."""
    data = pathlib.Path(BINARY).read_bytes()
    old = version_of(BINARY).encode()
    assert len(old) == len(version)
    made = folder / f"chatelaine-{version}"
    made.write_bytes(data.replace(old, version.encode()))
    made.chmod(0o755)
    assert version_of(made) == version
    return made


def put(source, target):
    """As a package does: a new file takes the name."""
    fresh = target.with_suffix(".new")
    shutil.copy(source, fresh)
    os.rename(fresh, target)


@pytest.fixture
def one(make_house, tmp_path):
    made = make_house()
    made.binary = tmp_path / "bin" / "chatelaine"
    made.binary.parent.mkdir()
    shutil.copy(BINARY, made.binary)
    made.init(made.example())
    made.set("workers", "2")
    made.old = version_of(BINARY)
    return made.serve()


def versions(house, role):
    """Of the running processes: by their executables' text."""
    found = set()
    for pid in house.parts(role):
        try:
            text = pathlib.Path(f"/proc/{pid}/exe").read_bytes()
        except OSError:
            continue
        found.add(NEW if NEW.encode() in text else house.old)
    return found


def test_the_new_version_takes_over_under_load(one, tmp_path):
    alice = one.device()
    live = WebSocket(one, alice, "/live")
    supervisor, before = one.process.pid, set(one.parts("gateway"))
    put(other_version(tmp_path), one.binary)
    with Load(one, alice) as load:
        load.more(5)
        done = one.run("upgrade")
        assert f"version {NEW} serves" in done.stdout and one.old in done.stdout
        load.more(20)
    assert load.bad == []
    assert one.process.pid == supervisor and one.process.poll() is None
    assert versions(one, "authority") == {NEW}
    assert one.json("status")["version"] == NEW
    live.send("on the old one")
    assert wait_for(lambda: "old one" in live.read_text(), "the WebSocket goes on")
    wait_for(lambda: len(set(one.parts("gateway")) - before) == 2, "two new ones serve")
    # The old version's gateways are under the new one's authority and rules.
    assert one.json("device", "revoke", "alice/laptop")["closed"] == 1
    assert live.read_until_close()[0] == 1008
    wait_for(lambda: versions(one, "gateway") == {NEW}, "the old ones have ended")
    # And it is a house like any other: reloads, restarts, another upgrade.
    one.set("workers", "1")
    assert one.json("config", "reload")["outcome"] == "new-gateways"
    put(BINARY, one.binary)
    one.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: f"version {one.old} serves" in one.log_text(), "back by the same way")
    bob = one.device("bob")
    assert one.status("/who", bob) == 200
    one.stop()


def test_sessions_and_counters_are_kept(one, tmp_path):
    alice = one.device()
    before = one.json("status")
    context = one.context(alice)
    with one.tls(context=context) as first:
        first.sendall(f"GET /who HTTP/1.1\r\nHost: {one.site}\r\n\r\n".encode())
        assert read_answer(first)[0] == 200
        session = first.session
    put(other_version(tmp_path), one.binary)
    one.run("upgrade")
    import socket
    plain = socket.create_connection(("127.0.0.1", one.port))
    with context.wrap_socket(plain, server_hostname=one.site, session=session) as again:
        assert again.session_reused
        again.sendall(f"GET /who HTTP/1.1\r\nHost: {one.site}\r\n\r\n".encode())
        assert alice.id.encode() in read_answer(again)[2]
    assert one.json("status")["audit_records"] >= before["audit_records"]


BROKEN = {
    "a text": lambda path: path.write_text("hello\n"),
    "another program": lambda path: shutil.copy("/bin/true", path),
    "cut short": lambda path: path.write_bytes(pathlib.Path(BINARY).read_bytes()[:50000]),
    "no program": lambda path: shutil.copy(BINARY, path) and path.chmod(0o644),
    "gone": lambda path: None,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_new_version_leaves_the_old_one_serving(one, what):
    alice = one.device()
    parts = one.parts()
    one.binary.unlink()
    BROKEN[what](one.binary)
    if one.binary.exists() and what != "no program":
        one.binary.chmod(0o755)
    running, one.binary = one.binary, BINARY
    done = one.run("upgrade", check=False)
    assert done.returncode == 1 and str(running) in done.stderr and f"version {one.old} goes on" in done.stderr
    assert one.parts() == parts, "nobody was touched"
    assert one.status("/who", alice) == 200
    assert one.json("config", "reload")["outcome"] == "nothing-changed"


def test_a_version_that_finds_the_configuration_wrong_is_refused_with_its_reason(one, tmp_path):
    """As one that no longer knows a key would."""
    parts = one.parts()
    data = other_version(tmp_path).read_bytes()
    assert data.count(b"stop-time\0") >= 1
    broken = tmp_path / "broken"
    broken.write_bytes(data.replace(b"stop-time\0", b"stoq-time\0"))
    broken.chmod(0o755)
    one.set("stop-time", "9s")
    one.run("config", "reload")
    put(broken, one.binary)
    running, one.binary = one.binary, BINARY
    done = one.run("upgrade", check=False)
    assert done.returncode == 1 and "unknown key" in done.stderr and "stop-time" in done.stderr
    assert one.parts() == parts
    assert running.exists()


def came_back(house, alice, live):
    wait_for(lambda: f"version {house.old} goes on" in house.log_text(), f"the old version is back:\n{house.log_text()[-3000:]}")
    live.send("still me")
    assert wait_for(lambda: "still me" in live.read_text(), "the WebSocket was not touched")
    wait_for(lambda: versions(house, "gateway") == versions(house, "authority") == {house.old}, "all parts are of the old one")
    wait_for(lambda: len(house.json("status")["gateways"]) == 2, "its authority has all gateways")
    assert house.status("/who", alice) == 200 and house.process.poll() is None
    assert house.json("config", "reload")["outcome"] == "nothing-changed"


def test_a_version_whose_gateways_do_not_start_goes_back(one, tmp_path):
    """It may have so many descriptors: enough for its authority, one too few for its gateways."""
    alice = one.device()
    live = WebSocket(one, alice, "/live")
    before = set(one.parts("gateway"))
    script = tmp_path / "script"
    script.write_text(f'#!/bin/sh\n[ "$1" = serve ] && ulimit -n 39\nexec {other_version(tmp_path)} "$@"\n')
    script.chmod(0o755)
    put(script, one.binary)
    with Load(one, alice, uploads=0) as load:
        one.process.send_signal(signal.SIGUSR2)
        wait_for(lambda: "goes on" in one.log_text(), "it gives up")
    assert load.bad == []
    assert set(one.parts("gateway")) == before
    came_back(one, alice, live)
    assert f"going back to version {one.old}" in one.log_text()


def test_a_version_whose_authority_does_not_start_goes_back(one, tmp_path):
    """It proves well and takes over; then somebody else holds the state folder's lock."""
    alice = one.device()
    live = WebSocket(one, alice, "/live")
    real, marker = other_version(tmp_path), tmp_path / "go-on"
    script = tmp_path / "script"
    script.write_text(f"""#!/bin/sh
[ "$1" = serve ] && flock {one.state}/lock sh -c 'while [ ! -e {marker} ]; do sleep 0.05; done' </dev/null >/dev/null 2>&1 &
exec {real} "$@"
""")
    script.chmod(0o755)
    put(script, one.binary)
    one.process.send_signal(signal.SIGUSR2)
    try:
        wait_for(lambda: "its authority does not start" in one.log_text(), f"it gives up:\n{one.log_text()[-2000:]}")
    finally:
        marker.touch()
    came_back(one, alice, live)


def test_kills_while_it_changes_leave_a_door_that_serves(one, tmp_path):
    alice = one.device()
    put(other_version(tmp_path), one.binary)
    old = one.parts()
    one.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "takes over" in one.log_text(), "the new version is there")
    for pid in old:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_for(lambda: f"version {NEW} serves" in one.log_text(), "it goes on")
    wait_for(lambda: versions(one, "gateway") == {NEW} and len(one.parts("gateway")) == 2, "two new ones")
    assert one.status("/who", alice) == 200


def test_a_handover_from_anywhere_else_is_no_handover(make_house):
    """The environment says that there is one; the descriptor is not."""
    house = make_house()
    house.init(house.example())
    os.environ["CHATELAINE_HANDOVER"] = "2"
    try:
        house.serve()
    finally:
        del os.environ["CHATELAINE_HANDOVER"]
    assert "no handover" in house.log_text()
    assert house.status("/who") == 403


def stop(pid):
    os.kill(pid, signal.SIGSTOP)


def go_on(pid):
    try:
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        pass


def first_new(house, role, before):
    return wait_for(lambda: sorted(set(house.parts(role)) - set(before)), f"a new {role}")[0]


def test_a_reload_between_two_versions_waits_for_the_new_gateways(one, tmp_path):
    """The gateways that serve are still of the version before: what ours reads is not for them, and that they took it
    is not the end of the upgrade."""
    before = one.parts()
    put(other_version(tmp_path), one.binary)
    one.process.send_signal(signal.SIGUSR2)
    authority = first_new(one, "authority", before)
    stop(authority)
    old = [pid for pid in one.parts("gateway") if pid in before]
    stop(old[0])  # one that does not take files yet
    try:
        one.set("stop-time", "7s")
        one.process.send_signal(signal.SIGHUP)
        # A check, if one is started, has read and sent before this one has.
        assert one.run("config", "check").returncode == 0
    finally:
        go_on(authority)
        wait_for(lambda: f"version {NEW}" in one.log_text(), "it goes on")
        go_on(old[0])
    wait_for(lambda: f"version {NEW} serves" in one.log_text(), "the upgrade is done")
    wait_for(lambda: versions(one, "gateway") == {NEW} and len(one.parts("gateway")) == 2, "and its gateways serve")
    assert f"going back to version {one.old}" not in one.log_text()


def test_what_changed_while_another_version_tried_is_seen_afterwards(one, tmp_path):
    alice = one.device()
    assert one.status("/who", alice) == 200
    real, marker = other_version(tmp_path), tmp_path / "go-on"
    script = tmp_path / "script"
    script.write_text(f"""#!/bin/sh
[ "$1" = serve ] && flock {one.state}/lock sh -c 'while [ ! -e {marker} ]; do sleep 0.05; done' </dev/null >/dev/null 2>&1 &
exec {real} "$@"
""")
    script.chmod(0o755)
    put(script, one.binary)
    one.process.send_signal(signal.SIGUSR2)
    wait_for(lambda: "takes over" in one.log_text(), "it tries")
    one.set("workers", "1")  # seen by the other version alone
    wait_for(lambda: "its authority does not start" in one.log_text(), "it gives up")
    marker.touch()
    wait_for(lambda: f"version {one.old} goes on" in one.log_text(), "the old version is back")
    wait_for(lambda: len(one.json("status")["gateways"]) == 1, "it has read the file")
    assert one.status("/who", alice) == 200


def descriptors(house):
    folder = f"/proc/{house.process.pid}/fd"
    return sorted(os.readlink(f"{folder}/{number}").split("[")[0] for number in os.listdir(folder))


def test_upgrades_leave_no_descriptor_behind(one, tmp_path):
    newer = other_version(tmp_path)
    counts = []
    for round in range(3):
        put(BINARY if round % 2 else newer, one.binary)
        one.run("upgrade")
        wait_for(lambda: len(one.parts("gateway")) == 2, "the old ones have ended")
        counts.append(descriptors(one))
    assert counts[0] == counts[1] == counts[2], "\n".join(map(str, counts))
