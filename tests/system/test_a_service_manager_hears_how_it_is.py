"""sd_notify(3), heard on a socket of the test's own: ready, reloading, alive, stopping; and the unit that is installed."""
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
from house import BINARY, ROOT, wait_for


class Manager:
    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.socket.settimeout(0.05)
        self.heard = []

    def listen(self):
        try:
            while True:
                self.heard.append(dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines()))
        except TimeoutError:
            return self.heard

    def wait(self, what, after=0):
        wait_for(lambda: any(what.items() <= note.items() for note in self.listen()[after:]), f"{what} among {self.heard[after:]}")


@pytest.fixture(params=["a path", "a name"])
def managed(request, make_house, tmp_path):
    name = str(tmp_path / "notify") if request.param == "a path" else f"@chatelaine-test-{os.getpid()}"
    one = make_house()
    one.init(one.example())
    one.manager = Manager(name)
    os.environ.update(NOTIFY_SOCKET=name, WATCHDOG_USEC="30000000")
    try:
        one.serve()
    finally:
        for variable in ("NOTIFY_SOCKET", "WATCHDOG_USEC"):
            del os.environ[variable]
    return one


def test_each_change_is_told(managed):
    one, manager = managed, managed.manager
    manager.wait({"READY": "1", "MAINPID": str(one.process.pid)})
    manager.wait({"WATCHDOG": "1"})
    mark = len(manager.heard)
    one.set("workers", "1")
    one.run("config", "reload")
    manager.wait({"RELOADING": "1"}, mark)
    manager.wait({"READY": "1", "STATUS": "1 gateways serve"}, mark)
    mark = len(manager.heard)
    one.set("workers", "none")
    assert one.run("config", "reload", check=False).returncode == 1
    wait_for(lambda: any("refused" in note.get("STATUS", "") for note in manager.listen()[mark:]), "a refusal is told too")
    one.stop()
    manager.wait({"STOPPING": "1"})
    assert any(int(note.get("EXTEND_TIMEOUT_USEC", 0)) > 10_000_000 for note in manager.heard)


def test_after_an_upgrade_it_is_ready_with_the_same_process(make_house, tmp_path):
    one = make_house()
    one.binary = tmp_path / "chatelaine"
    shutil.copy(BINARY, one.binary)
    one.init(one.example())
    one.manager = Manager(str(tmp_path / "notify"))
    os.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
    try:
        one.serve()
    finally:
        del os.environ["NOTIFY_SOCKET"]
    one.manager.wait({"READY": "1"})
    mark = len(one.manager.heard)
    one.run("upgrade")
    one.manager.wait({"RELOADING": "1"}, mark)
    one.manager.wait({"READY": "1"}, mark)
    one.manager.wait({"MAINPID": str(one.process.pid)}, mark)
    # No part can speak for the service: it does not know the socket.
    for pid in one.parts():
        assert b"NOTIFY_SOCKET" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()


def test_what_is_installed_names_what_is_there(tmp_path):
    unit = (ROOT / "packaging/chatelaine.service").read_text()
    assert "Type=notify\n" in unit and "NotifyAccess=main\n" in unit
    installed = subprocess.run(["make", "-n", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=ROOT, capture_output=True,
                               text=True, check=True).stdout
    for file in ("lib/systemd/system/chatelaine.service", "lib/sysusers.d/chatelaine.conf", "lib/tmpfiles.d/chatelaine.conf"):
        assert f"{tmp_path}/usr/{file}" in installed
    users = (ROOT / "packaging/sysusers.conf").read_text()
    source = (ROOT / "src/serve/house_user.c").read_text()
    for user in ("chatelaine", "chatelaine-gateway", "chatelaine-resolver"):
        assert f"u {user} " in users and f'"{user}"' in source
    # Every command of the unit is one that the program has.
    for line in unit.splitlines():
        if line.startswith(("ExecStart=", "ExecReload=")):
            words = line.split("=", 1)[1].split()
            assert subprocess.run([BINARY, *words[1:-2], "--help"], capture_output=True).returncode == 0
