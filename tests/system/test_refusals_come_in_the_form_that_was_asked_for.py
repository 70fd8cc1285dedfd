"""Pages for people, JSON for programs, nothing behind a HEAD's head, a site's own pages; every code explained."""
import base64
import json
import re

import pytest

from house import read_answer, wait_for
from recording_upstream import RecordingUpstream

JSON = "Accept: application/json"


@pytest.fixture
def refusing(make_house):
    application = RecordingUpstream(lambda request: b"")  # takes what comes and says nothing
    one = make_house(config='location "/small" { body-ceiling = 10 }\n location "= /get" { methods = {"GET"} }\n location "/down" '
                            '{ upstream = {"http://127.0.0.1:1"} }\n location "/garbled" { upstream = {"http://127.0.0.1:%d"} }')
    garbled = RecordingUpstream(lambda request: b"HTTP/1.1 what\r\n\r\n")
    one.extra %= garbled.port
    one.init(application.url)
    one.set("first-byte-time", "1s")
    one.set("head-time", "1s")
    one.set("contact", '"the <b>keeper</b>"')
    one.serve()
    one.alice = one.device()
    yield one
    application.close()
    garbled.close()


def talk(one, request, device=None):
    with one.tls(device) as stream:
        stream.sendall(request.encode())
        status, fields, body = read_answer(stream)
        return status, fields, body.decode()


def test_each_refusal_is_a_row_of_the_table(refusing):
    host = f"Host: {refusing.site}\r\n"
    rows = [("GET / HTTP/1.1\r\n", host, None, 403, "C01"), ("POST /small HTTP/1.1\r\nContent-Length: 11\r\n", host, refusing.alice, 413, "C22"),
            ("DELETE /get HTTP/1.1\r\n", host, refusing.alice, 405, "C35"), ("GET / HTTP/1.1\r\n", "Host: nobody.test\r\n", None, 421, "C11"),
            ("GET / HTTP/1.1\r\nExpect: more\r\n", host, None, 417, "C24"), ("GET /down HTTP/1.1\r\n", host, refusing.alice, 502, "C30"),
            ("GET /garbled HTTP/1.1\r\n", host, refusing.alice, 502, "C32"), ("GET /slow HTTP/1.1\r\n", host, refusing.alice, 504, "C31"),
            ("TRACE / HTTP/1.1\r\n", host, None, 501, "C26"), ("GET / HTTP/2.5\r\n", host, None, 505, "C27"),
            (f"GET /{'x' * 9000} HTTP/1.1\r\n", host, None, 414, "C23"), (f"GET / HTTP/1.1\r\nCookie: {'x' * 17000}\r\n", host, None, 431, "C25"),
            ("GET / HTTP/1.1\r\nNo colon\r\n", host, None, 400, "C20")]
    for line, fields, device, status, code in rows:
        got = talk(refusing, f"{line}{fields}{JSON}\r\n\r\n", device)
        assert got[0] == status and code in got[2] and "{{" not in got[2], (line[:60], got)
        assert got[1]["cache-control"] == "no-store"
        if code in ("C01", "C22", "C35", "C11", "C30", "C31", "C32"):
            told = json.loads(got[2])
            assert got[1]["content-type"] == "application/json" and (told["code"], told["status"]) == (code, status)
            assert re.fullmatch("[0-9a-f]{16}", told["request"]) and f"id={told['request']}" in wait_for(
                lambda: f"id={told['request']}" in refusing.log_text() and refusing.log_text(), "its line in the log")
            page = talk(refusing, f"{line}{fields}\r\n", device)
            assert page[1]["content-type"].startswith("text/html") and code in page[2] and "the &lt;b&gt;keeper&lt;/b&gt;" in page[2]
            assert "keeper" in told["contact"]
        if status == 405:
            assert got[1]["allow"] == "GET, HEAD"
    with refusing.tls() as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: ")
        status, _, body = read_answer(stream)
        assert status == 408 and b"C21" in body


def test_weights_decide_and_a_head_has_no_body(refusing):
    host = f"Host: {refusing.site}\r\n"
    for accept, kind in (("text/html;q=0.5, application/json", "application/json"), ("application/json;q=0.4, text/html;q=0.5", "text/html"),
                         ("*/*", "text/html"), ("application/json;q=0", "text/html"), ("application/json, text/plain, */*", "application/json")):
        assert talk(refusing, f"GET / HTTP/1.1\r\n{host}Accept: {accept}\r\n\r\n")[1]["content-type"].startswith(kind), accept
    for version in ("--http1.1", "--http2"):
        for words, kind in ((("-H", JSON), "application/json"), ((), "text/html")):
            said = refusing.curl("/", None, "--head", version, *words)
            assert said.returncode == 0 and " 403" in said.stdout.splitlines()[0] and kind in said.stdout
            length = int(re.search(r"(?i)content-length: (\d+)", said.stdout).group(1))
            body = refusing.curl("/", None, version, *words).stdout
            assert length == len(body.encode()) and "C01" in body, version
    with refusing.tls() as stream:
        stream.sendall(f"HEAD / HTTP/1.1\r\n{host}\r\nHEAD / HTTP/1.1\r\n{host}Connection: close\r\n\r\n".encode())
        data = b""
        while more := stream.recv(65536):
            data += more
        assert data.count(b"HTTP/1.1 403") == 2 and b"<" not in data


def test_a_websocket_that_may_not_be_gets_an_http_answer_that_a_log_can_show(refusing):
    key = base64.b64encode(bytes(16)).decode()
    request = (f"GET /websocket HTTP/1.1\r\nHost: {refusing.site}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               f"Sec-WebSocket-Key: {key}\r\n\r\n")
    status, fields, body = talk(refusing, request)
    assert status == 403 and "upgrade" not in fields and json.loads(body)["code"] == "C01"
    status, fields, body = talk(refusing, request.replace("/websocket", "/down"), refusing.alice)
    assert status == 502 and json.loads(body)["code"] == "C30"


def test_every_code_is_explained_and_an_id_can_be_found(refusing):
    body = json.loads(talk(refusing, f"GET / HTTP/1.1\r\nHost: {refusing.site}\r\n{JSON}\r\n\r\n")[2])
    assert body["error"] in refusing.run("explain", body["code"]).stdout and "grep" in refusing.run("explain", body["request"]).stdout
    wait_for(lambda: f"id={body['request']}" in refusing.log_text(), "its line")
    line, = (line for line in refusing.log_text().splitlines() if f"id={body['request']}" in line)
    assert "why=C01" in line


def test_a_site_has_pages_of_its_own_and_a_broken_one_is_refused_by_name(make_house):
    application = RecordingUpstream()
    one = make_house()
    own, other = one.folder / "403.html", one.folder / "other.html"
    own.write_text("<style>p{color:red}</style><p>Ours: {code} {status} {what} {contact} {id}")
    other.write_text("<p>Else: {code}")
    one.extra = f'error-page = {{"403={own}", "default={other}"}}\n location "= /get" {{ methods = {{"GET"}} }}'
    one.init(application.url)
    one.set("contact", '"<script>"')
    one.serve()
    alice = one.device()
    body = one.curl("/").stdout
    assert body.startswith("<style>p{color:red}</style><p>Ours: C01 403 No required SSL certificate was sent") and "&lt;script&gt;" in body
    assert re.search(" [0-9a-f]{16}$", body)
    assert one.curl("/get", alice, "-X", "PUT").stdout == "<p>Else: C35"
    assert '"C01"' in one.curl("/", None, "-H", JSON).stdout and "Ours" in one.curl("/", None, "--http1.1").stdout
    seen = one.log_text().count("broken")
    assert not seen
    own.write_text("<p>{broken}")
    wait_for(lambda: f"error-page {own}: line 1: there is no {{broken}}" in one.log_text(), "a line that names the file")
    assert "Ours" in one.curl("/").stdout, "the one before still holds"
    own.write_text("<p>New: {code}")
    wait_for(lambda: one.curl("/").stdout == "<p>New: C01", "the new page")
    text = one.config.read_text()
    for pages, complaint in ((f'"403={own}", "403={other}"', "are for the same status"), ('"403=/nowhere/x.html"', "/nowhere/x.html"),
                             (f'"200={own}"', "write"), (f'"{own}"', "write")):
        one.config.write_text(re.sub(r"error-page = \{.*\}", f"error-page = {{{pages}}}", text))
        done = one.run("config", "check", check=False)
        assert done.returncode != 0 and complaint in done.stdout + done.stderr, (pages, done.stdout + done.stderr)
    application.close()
