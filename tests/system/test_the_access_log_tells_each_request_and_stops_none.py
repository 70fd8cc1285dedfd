"""The line of each request: where it goes, what stands in it, that nobody forges one, and that neither a moved file nor a full
disk nor a pipe that nobody reads costs a request, or a line that found room."""
import json
import os
import pathlib
import re
import signal
import stat
import subprocess
import threading
import urllib.request

import pytest
from house import free_port, read_answer, wait_for


def a_door(make_house, **keys):
    house = make_house()
    house.init(house.example())
    for key, value in keys.items():
        house.set(key.replace("_", "-"), value)
    return house


def lines_of(path):
    return path.read_text().splitlines() if path.exists() else []


def metrics(house):
    with urllib.request.urlopen(f"http://127.0.0.1:{house.metrics_port}/metrics", timeout=20) as answer:
        return answer.read().decode()


def ask_often(house, device, count, until=None):
    """Requests on one kept connection; how many were answered 200."""
    answered = 0
    with house.tls(device) as stream:
        while answered < count or (until and not until.is_set()):
            stream.sendall(f"GET /?n={answered} HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
            status, _, _ = read_answer(stream)
            assert status == 200
            answered += 1
    return answered


def test_a_file_has_the_lines_and_standard_error_has_them_no_more(make_house):
    house = a_door(make_house)
    log = house.folder / "access.log"
    house.set("access-log", f'"{log}"')
    device = house.device()
    house.serve()
    assert house.status("/who?token=secret", device) == 200
    assert house.status("/who") == 403
    wait_for(lambda: len(lines_of(log)) == 2, "two lines")
    first, second = lines_of(log)
    assert re.match(r"at=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z id=[0-9a-f]{16} from=127\.0\.0\.1 protocol=h[12] "
                    rf"site={house.site} device={device.id[:32]} person=alice method=GET path=/who status=200 us=\d+ "
                    r"connect_us=\d+ first_byte_us=\d+ up=0 down=\d+$", first), first
    assert "device=- method=GET path=/who status=403 why=C01 us=" in second
    assert "secret" not in log.read_text() and "event=exchange" not in house.log_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o640


def test_json_is_json_and_holds_what_was_asked_for(make_house):
    house = a_door(make_house, access_log_format="json", access_log_with='{"query", "agent"}')
    log = house.folder / "access.log"
    house.set("access-log", f'"{log}"')
    device = house.device()
    house.serve()
    assert house.status("/%22%7d%c3%a9%ff%e2%80%ae?a=%22b", device, "-A", 'evil "} \u00e9\u202e') in (200, 404)
    wait_for(lambda: lines_of(log), "a line")
    data = log.read_bytes()
    assert "\u202e".encode() not in data and data.count(b"\n") == 1
    line = json.loads(data)
    assert line["site"] == house.site and line["person"] == "alice" and line["method"] == "GET"
    assert line["query"] == "a=%22b" and line["path"].startswith("/") and isinstance(line["us"], int)
    assert "evil" in line["agent"]


def test_off_writes_none(make_house):
    house = a_door(make_house, access_log="off").serve()
    assert house.status("/") == 403
    house.stop()
    assert "event=exchange" not in house.log_text()


def test_a_moved_file_loses_no_line_under_load(make_house):
    house = a_door(make_house, workers=2)
    log = house.folder / "access.log"
    house.set("access-log", f'"{log}"')
    device = house.device()
    house.serve()
    done, counts = threading.Event(), []
    crowd = [threading.Thread(target=lambda: counts.append(ask_often(house, device, 200, done))) for _ in range(4)]
    for one in crowd:
        one.start()
    try:
        for number in range(5):
            moved = house.folder / f"access.log.{number}"
            wait_for(lambda: len(lines_of(log)) > 20, "lines")
            log.rename(moved)
            house.process.send_signal(signal.SIGUSR1)
            wait_for(log.exists, "a new file")
    finally:
        done.set()
        for one in crowd:
            one.join()
    assert len(counts) == 4
    total = sum(counts)
    house.stop()
    lines = [line for path in house.folder.glob("access.log*") for line in lines_of(path)]
    assert len(lines) == total
    assert len({re.search(r" id=([0-9a-f]{16}) ", line)[1] for line in lines}) == total
    assert all(line.startswith("at=") and " status=200 " in line for line in lines)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_stops_nobody_and_what_found_no_room_is_counted(make_house):
    house = a_door(make_house, workers=1)
    disk = house.folder / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode != 0:
        pytest.skip("no mount here")
    try:
        log, ballast = disk / "access.log", disk / "ballast"
        ballast.write_bytes(bytes(2000 * 1024))
        house.set("access-log", f'"{log}"')
        house.metrics_port = free_port()
        house.set("listen-metrics", f'{{"127.0.0.1:{house.metrics_port}"}}')
        device = house.device()
        house.serve()
        assert ask_often(house, device, 3000) == 3000
        wait_for(lambda: re.search(r'dropped_total{log="access"} [1-9]', metrics(house)), "dropped lines are counted")
        ballast.unlink()
        log.rename(disk / "old.log")
        (disk / "old.log").unlink()
        house.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: house.status("/after", device) and "path=/after" in "".join(lines_of(log)), "lines go on")
        assert all(line.startswith("at=") for line in lines_of(log))
        house.stop()
    finally:
        house.stop(expect=None)
        subprocess.run(["umount", disk], check=True)


def test_a_pipe_that_nobody_reads_stops_nobody(make_house):
    house = a_door(make_house, workers=2)
    pipe = house.folder / "pipe"
    os.mkfifo(pipe)
    house.set("access-log", f'"{pipe}"')
    device = house.device()
    house.serve()
    assert ask_often(house, device, 1500) == 1500
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    data = b""

    def read():
        nonlocal data
        try:
            data += os.read(reader, 65536)
        except BlockingIOError:
            pass
        return house.status("/now", device) == 404 and b"path=/now" in data
    wait_for(read, "the newest line comes behind those that had waited")
    os.close(reader)
    whole = data[:data.rindex(b"\n")].split(b"\n")
    assert all(line.startswith(b"at=") and b" down=" in line for line in whole)
    assert house.status("/", device) == 200


def test_what_cannot_be_opened_is_said_with_what_to_do(make_house):
    house = a_door(make_house, access_log='"/nowhere/at/all.log"')
    house.serve(wait=False)
    assert house.process.wait(20) == 1
    assert "there is no folder /nowhere/at; make it: install -d" in house.log_text()
    house.process = None
    house.set("access-log", '"relative.log"')
    done = house.run("config", "check", check=False)
    assert done.returncode == 1 and "neither stderr nor off nor a path" in done.stderr


def test_a_signal_or_a_change_that_finds_no_file_leaves_the_old_one(make_house):
    house = a_door(make_house)
    folder = house.folder / "logs"
    folder.mkdir()
    log = folder / "access.log"
    house.set("access-log", f'"{log}"')
    device = house.device()
    house.serve()
    folder.rename(house.folder / "elsewhere")
    house.process.send_signal(signal.SIGUSR1)
    house.wait_log("lines go on where they went")
    assert house.status("/still", device)
    wait_for(lambda: "path=/still" in "".join(lines_of(house.folder / "elsewhere/access.log")), "the line in the old file")
    other = house.folder / "other.log"
    house.set("access-log", f'"{other}"')
    wait_for(lambda: house.status("/other", device) and "path=/other" in "".join(lines_of(other)), "the new file is in use")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_configurations_owner_gets_no_file_of_roots(make_house, tmp_path):
    house = a_door(make_house)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and str(folder) != "/":
            folder.chmod(folder.stat().st_mode | 0o055)
    treasure = tmp_path / "treasure"
    treasure.write_text("mine\n")
    treasure.chmod(0o644)
    house.set("access-log", f'"{treasure}"')
    os.chown(house.config, 65534, 65534)
    house.serve(wait=False)
    assert house.process.wait(20) == 1
    assert "others than root could write" in house.log_text()
    house.process = None
    assert treasure.read_text() == "mine\n"
    link = tmp_path / "link"
    link.symlink_to(treasure)
    os.chown(house.config, 0, 0)
    house.set("access-log", f'"{link}"')
    house.serve(wait=False)
    assert house.process.wait(20) == 1 and treasure.read_text() == "mine\n"
    house.process = None


def test_a_storm_of_signals_ends_no_gateway_that_stands_still_for_a_moment(make_house):
    house = make_house()
    house.init(house.example())
    house.set("workers", "1")
    house.set("access-log", f'"{house.folder}/access.log"')
    house.serve()
    gateway = house.parts("gateway")
    os.kill(gateway[0], signal.SIGSTOP)
    try:
        for _ in range(600):
            house.process.send_signal(signal.SIGUSR1)
            pathlib.Path(f"/proc/{house.process.pid}/status").read_text()
            wait_for(lambda: not int(pending(house.process.pid), 16), "it was seen")
    finally:
        os.kill(gateway[0], signal.SIGCONT)
    (house.folder / "access.log").rename(house.folder / "moved.log")
    house.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: (house.folder / "access.log").exists(), "the last one counts")
    assert house.parts("gateway") == gateway


def pending(pid):
    """Signals that the process has not taken yet, in hex."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return text[text.index("ShdPnd:") + 7:].split()[0]
