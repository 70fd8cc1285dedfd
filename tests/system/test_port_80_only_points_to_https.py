"""Plain HTTP: for our sites the way to https, for a certificate authority its answers, for all else nothing. Never the
application."""
import errno
import os
import socket
import struct

import pytest
from house import SANITIZED, free_port, read_answer
from inside import CAN, Inside

TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr_oA"
OPENAT2, FD_CHALLENGES = 437, 7
CHALLENGES = "/.well-known/acme-challenge/"


@pytest.fixture
def street(make_house):
    """A house with a site more, port 80 and an ACME folder."""
    one = make_house()
    one.init(one.example())
    one.plain = free_port()
    one.acme = one.folder / "acme"
    (one.acme / CHALLENGES[1:]).mkdir(parents=True)
    (one.acme / CHALLENGES[1:] / TOKEN).write_text(TOKEN + ".thumbprint")
    one.set("listen-http", f'{{"127.0.0.1:{one.plain}"}}')
    one.set("acme-folder", f'"{one.acme}"')
    return one.serve()


def say(house, text):
    """What plain HTTP answers to these bytes: status, fields, body; and whether the connection ends."""
    with socket.create_connection(("127.0.0.1", house.plain), timeout=20) as stream:
        stream.sendall(text.encode("latin-1"))
        return read_answer(stream)


def get(house, path, host=None, method="GET", more=""):
    return say(house, f"{method} {path} HTTP/1.1\r\nHost: {host or house.site}\r\n{more}\r\n")


def test_a_site_is_found_by_https_with_its_path_kept(street):
    status, fields, _ = get(street, "/channel/general?msg=1&x=%2F", f"{street.site.upper()}.:80")
    assert status == 301
    assert fields["location"] == f"https://{street.site}:{street.port}/channel/general?msg=1&x=%2F"
    assert fields["connection"] == "close"


def test_what_is_no_get_keeps_its_method(street):
    status, fields, _ = get(street, "/api/login", method="POST", more="Content-Length: 3\r\n\r\nabc")
    assert (status, fields["location"]) == (308, f"https://{street.site}:{street.port}/api/login")


def test_a_name_that_is_none_of_ours_learns_nothing(street):
    for host in ("other.test", "127.0.0.1", "door.test.other.test", "x", ""):
        status, fields, body = say(street, f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
        assert status in (400, 404), host
        assert "location" not in fields and street.site.encode() not in body


def test_no_request_reaches_the_application(street):
    device = street.device()
    for more in ("", "X-Chatelaine-Device: me\r\n", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Upgrade: h2c\r\nConnection: Upgrade\r\n"):
        status, _, body = get(street, "/", more=more)
        assert status == 301 and b"example" not in body.lower()
    street.curl("/", device, check=True)
    lines = [line for line in (street.folder / "example.log").read_text().splitlines() if "GET" in line]
    assert len(lines) <= 1


NO_REQUESTS = ["GET / HTTP/1.1\r\nHost: door.test\r\nHost: x\r\n\r\n", "GET /\x01 HTTP/1.1\r\nHost: door.test\r\n\r\n",
               "GET /%00 HTTP/1.1\r\nHost: door.test\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
               "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"]


def test_what_is_no_plain_request_is_refused(street):
    for request in NO_REQUESTS:
        status, fields, _ = say(street, request)
        assert status in (400, 505) and "location" not in fields, request


def test_an_answer_for_the_certificate_authority_is_shown_whatever_the_host(street):
    for host in (street.site, "new.test"):
        status, fields, body = get(street, CHALLENGES + TOKEN, host)
        assert (status, body.decode()) == (200, TOKEN + ".thumbprint")
        assert fields["content-type"].startswith("text/plain")
    assert get(street, CHALLENGES + TOKEN, method="HEAD")[0] == 200
    later = "laterToken_0-9"
    (street.acme / CHALLENGES[1:] / later).write_text("made while it runs")
    assert get(street, CHALLENGES + later)[2] == b"made while it runs"
    street.wait_log(f"token={later}")


NO_ANSWERS = ["none-such", "", ".", "..", "../secret", "..%2Fsecret", "%2e%2e/secret", "link", "folder",
              "pipe", "large", "a.txt", "a/b", "x" * 129, "..\\secret", "out/secret"]


def test_nothing_but_plain_answers_leaves_the_folder(street):
    folder = street.acme / CHALLENGES[1:]
    (folder.parent / "secret").write_text("SECRET")
    (street.folder / "out").mkdir()
    (street.folder / "out" / "secret").write_text("SECRET")
    (folder / "link").symlink_to(street.folder / "out" / "secret")
    (folder / "out").symlink_to(street.folder / "out")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    (folder / "large").write_text("SECRET" * 4096)
    (folder / "a.txt").write_text("SECRET")
    for name in NO_ANSWERS:
        status, _, body = get(street, CHALLENGES + name)
        assert status in (301, 400, 404), (name, status, body)
        assert b"SECRET" not in body


@pytest.mark.skipif(not CAN or SANITIZED, reason="acts from inside by ptrace")
def test_a_gateway_reads_no_other_file(street):
    """By Landlock: its one rule is the folder, and reading."""
    answer = CHALLENGES[1:] + TOKEN
    with Inside(street.parts("gateway")[0]) as it:
        how = struct.pack("QQQ", os.O_RDONLY, 0, 0)
        assert it.call(OPENAT2, FD_CHALLENGES, answer, how, 24) >= 0
        for path in (str(street.folder / "recovery.txt"), "/etc/hostname", "../recovery.txt"):
            assert it.call(OPENAT2, FD_CHALLENGES, path, how, 24) == -errno.EACCES
        assert it.call(OPENAT2, -100, "/etc/hostname", how, 24) == -errno.EPERM
        how = struct.pack("QQQ", os.O_WRONLY, 0, 0)
        assert it.call(OPENAT2, FD_CHALLENGES, answer, how, 24) == -errno.EACCES


def test_crowds_on_port_80_do_not_stop_the_door(street):
    device = street.device()
    crowd = []
    for _ in range(300):
        one = socket.create_connection(("127.0.0.1", street.plain), timeout=20)
        one.sendall(b"GET / HT")
        crowd.append(one)
    assert street.status("/", device) == 200
    assert get(street, "/")[0] == 301
    for one in crowd:
        one.close()


def test_without_a_folder_there_are_no_answers(make_house):
    one = make_house()
    one.init(one.example())
    one.plain = free_port()
    one.set("listen-http", f'{{"127.0.0.1:{one.plain}"}}')
    one.set("acme-folder", f'"{one.folder}/not/there"')
    one.serve()
    assert get(one, CHALLENGES + TOKEN)[0] == 404
    assert "acme-folder" in one.log_text() and "not/there" in one.log_text()
    assert get(one, "/")[0] == 301
