"""Locations by prefix, exact path and regular expression; networks, methods, ceilings, headers, an application of their own."""
import socket as sockets

import pytest

from h2_client import Client
from house import read_answer
from recording_upstream import RecordingUpstream

RULES = r"""
    request-headers-set = {"X-Tenant: blue"}
    response-headers-remove = {"X-Powered-By"}
    response-headers-set = {"Strict-Transport-Security: max-age=31536000"}
    location "~ ^/api/v[0-9]+/hooks" { no-certificate = allow }
    location "~* \\.png$" { no-certificate = allow }
    location "= /livez" { no-certificate = allow  methods = {"GET"} }
    location "^~ /api/v1/hooks/shut" { }
    location "/post" { methods = {"POST", "PUT"} }
    location "/near" { no-certificate = allow  allow-from = {"127.0.0.0/8"} }
    location "/far" { allow-from = {"192.0.2.0/24", "2001:db8::/32"} }
    location "/small" { body-ceiling = 1000 }
    location "/other" { upstream = {"http://127.0.0.1:%d"}  request-headers-remove = {"Accept-Language"}
                        request-headers-set = {"X-Tenant: green", "X-More: a b"}  response-headers-set = {"X-Frame-Options: DENY"} }
"""
ANSWER = (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Powered-By: a guess\r\nX_Powered_By: twin\r\n"
          b"Strict-Transport-Security: max-age=1\r\nX-Frame-Options: SAMEORIGIN\r\n\r\n")


@pytest.fixture
def applications():
    made = [RecordingUpstream(lambda request, name=name: ANSWER + name) for name in (b"first", b"other")]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def ruled(make_house, applications):
    one = make_house(config=RULES % applications[1].port)
    one.init(applications[0].url)
    one.serve()
    one.alice = one.device()
    return one


def ask(one, path, *words, device=None, method="GET", body=b""):
    """By our own bytes, so that nobody on this side tidies the path. Status, fields, body."""
    with one.tls(device) as stream:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {one.site}", *words]
        if body and not any("chunked" in word for word in words):
            lines.append(f"Content-Length: {len(body)}")
        stream.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        return read_answer(stream)


def test_what_is_open_is_open_and_no_spelling_opens_more(ruled, applications):
    for path in ("/api/v1/hooks", "/api/v12/hooks/x", "/api/v1/hooks?x=/../..", "/a/b.png", "/b.PNG", "/livez", "/api/v1/%68ooks"):
        assert ask(ruled, path)[0] == 200, path
    applications[0].take()
    for path in ("/", "/api/v/hooks", "/api/vx/hooks", "/x/api/v1/hooks", "/API/v1/hooks", "/api/v1/Hooks", "/livez/", "/LIVEZ", "/livezz",
                 "/api/v1/hooks/shut", "/api/v1/hooks/shut/x.png", "/api/v1/hooks/SHUT/x",
                 "/api/v1/hooks/../../../secret", "/api/v1/hooks/%2e%2e/%2e%2e/%2e%2e/secret", "/api/v1/hooks/..%2f..%2f..%2fsecret",
                 "/api/v1/hooks/..%252f..%252f..%252fsecret", "/api/v1/hooks/..%5c..%5c..%5csecret", "/api/v1/hooks/..;/..;/..;/secret",
                 "/secret;/api/v1/hooks", "/secret;x.png", "/secret%3bx.png", "/secret%3fx.png", "/secret%253fx.png", "/secret%23x.png",
                 "/secret%00.png", "/secret?x.png", "//api/v1/hooks/../../../secret", "/api//v1/hooks/..//..//../secret",
                 "/api/v1/hooks/%c0%ae%c0%ae/%c0%ae%c0%ae/%c0%ae%c0%ae/secret", "/secret%0a.png", "/secret/%2e%2e%2fx.png/..", "/secret\\x.png/.."):
        assert ask(ruled, path)[0] in (400, 403), path
    assert not applications[0].take(), "nothing of it reached the application"
    for path in ("/api/v1/hooks/shut", "/LIVEZ", "/secret%3bx.png", "/secret?x.png"):
        assert ask(ruled, path, device=ruled.alice)[0] == 200, path


def test_a_method_that_is_not_taken_is_told_which_are(ruled, applications):
    status, fields, body = ask(ruled, "/livez", "Accept: application/json", method="DELETE")
    assert status == 405 and fields["allow"] == "GET, HEAD" and b'"C35"' in body
    assert ask(ruled, "/livez", method="POST", body=b"x")[0] == 405
    assert ask(ruled, "/post", device=ruled.alice)[1]["allow"] == "POST, PUT"
    assert ask(ruled, "/post/x", device=ruled.alice, method="PUT", body=b"x")[0] == 200
    assert ask(ruled, "/post")[0] == 403, "a stranger does not learn of methods"
    for version in ("--http1.1", "--http2"):
        assert ruled.curl("/livez", None, "--head", version).stdout.split()[1] == "200"
        assert ruled.curl("/livez", None, "--head", "-X", "DELETE", version).stdout.split()[1] == "405"
    assert [request.method for request in applications[0].take()] == ["PUT", "HEAD", "HEAD"]


def test_requests_come_from_the_networks_of_the_rule(ruled, make_house, applications):
    assert ask(ruled, "/near")[0] == 200
    status, _, body = ask(ruled, "/far/x", "X-Forwarded-For: 192.0.2.7", "Accept: application/json", device=ruled.alice)
    assert status == 403 and b'"C14"' in body, "who says by himself where he is, is not believed"
    for path in ("//x/far", "/\\x/far", "///x/far/y", "/\\/x//%66ar", "//x/FAR/"):
        assert ask(ruled, path, device=ruled.alice)[0] == 403, f"{path} is /far to whoever takes x for a host"
    assert ask(ruled, "//x/y", device=ruled.alice)[0] == 200
    behind = make_house(site="behind.test", config='location "/far" { allow-from = {"192.0.2.0/24", "2001:db8::/32"}  no-certificate = allow }')
    behind.init(applications[0].url)
    behind.set("trusted-proxies", '{"127.0.0.1", "10.0.0.0/8"}')
    behind.serve()
    applications[0].take()
    for said, status in (("192.0.2.7", 200), ("198.51.100.1, 192.0.2.7", 200), ("192.0.2.7, 10.1.2.3", 200), ("::ffff:192.0.2.7", 200),
                         ("2001:db8::5", 200), ("192.0.2.7, 198.51.100.1", 403), ("198.51.100.1", 403), ("nobody", 403), ("192.0.2.7, x", 403),
                         ("192.0.2.7, 10.1.2.3, ", 403), ("192.0.2.7" + ", 192.0.2.7" * 500, 403), ("", 403)):
        assert ask(behind, "/far", f"X-Forwarded-For: {said}")[0] == status, said[:60]
    assert ask(behind, "/far")[0] == 403, "the proxy itself is no client"
    assert [request.one("X-Real-IP") for request in applications[0].take()] == ["192.0.2.7"] * 3 + ["::ffff:192.0.2.7", "2001:db8::5"]


def test_a_body_over_its_ceiling_is_refused_before_it_is_all_there(ruled, applications):
    alice = ruled.alice
    assert ask(ruled, "/small", device=alice, method="POST", body=b"x" * 1000)[0] == 200
    assert ask(ruled, "/large", device=alice, method="POST", body=b"x" * 100000)[0] == 200
    assert len(applications[0].take()) == 2
    status, _, body = ask(ruled, "/small", "Accept: application/json", device=alice, method="POST", body=b"x" * 1001)
    assert status == 413 and b'"C22"' in body
    assert ask(ruled, "/SMALL", "Content-Length: 999999999999", "Expect: 100-continue", device=alice, method="POST")[0] == 413
    assert not applications[0].take()
    for chunks, status in ((b"3e8\r\n" + b"x" * 1000 + b"\r\n0\r\n\r\n", 200), (b"3e9\r\n" + b"x" * 1001 + b"\r\n", 413)):
        assert ask(ruled, "/small", "Transfer-Encoding: chunked", device=alice, method="POST", body=chunks)[0] == status
    large = ruled.folder / "large"
    large.write_bytes(b"x" * 60000)
    for words in (("--http1.1",), ("--http1.1", "-H", "Transfer-Encoding: chunked"), ("--http2",), ("--http2", "-H", "Content-Length:")):
        assert ruled.status("/small", alice, "-T", large, *words) == 413, words
    with ruled.tls(alice) as stream:
        stream.sendall(f"POST /small HTTP/1.1\r\nHost: {ruled.site}\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(10):
            stream.sendall(b"64\r\n" + b"x" * 100 + b"\r\n")
        stream.sendall(b"1\r\nx\r\n")
        assert read_answer(stream)[0] == 413
    assert [len(request.body) for request in applications[0].take()] == [1000], "half a request is none"


def test_headers_are_set_and_taken_away_both_ways(ruled, applications):
    alice = ruled.alice
    words = ("Accept-Language: de", "X-Tenant: mine", "x_tenant: mine too", "X-More: mine", "Connection: X-Tenant, keep-alive",
             "X-Chatelaine-Person: root")
    _, fields, body = ask(ruled, "/x", *words, device=alice)
    request, = applications[0].take()
    assert request.all("X-Tenant") == ["blue"] and request.one("Accept-Language") == "de" and request.one("X-More") == "mine"
    assert request.one("X-Chatelaine-Person") == "alice" and body == b"first"
    assert fields["strict-transport-security"] == "max-age=31536000" and fields["x-frame-options"] == "SAMEORIGIN"
    assert not any("powered" in name for name in fields)
    for end in (b"0\r\nX-Tenant: mine\r\nx_tenant: mine too\r\nX-Sum: 1\r\n\r\n", b"1\r\ny\r\n0\r\nX-Tenant: mine\r\nX-Sum: 1\r\n\r\n"):
        ask(ruled, "/x", "Transfer-Encoding: chunked", device=alice, method="POST", body=b"1\r\nx\r\n" + end)
        request, = applications[0].take()
        assert request.all("X-Tenant") == ["blue"] and request.one("X-Sum") == "1", "nor by a trailer"
    client = Client(ruled, alice)
    stream = client.open(client.head("POST", "/x"), end=False)
    client.h2.send_data(stream.id, b"x")
    client.h2.send_headers(stream.id, [("x-tenant", "mine"), ("x-sum", "1")], end_stream=True)
    client.flush()
    assert client.wait(stream).status == 200
    request, = applications[0].take()
    assert request.all("X-Tenant") == ["blue"] and request.one("X-Sum") == "1", "nor over HTTP/2"
    _, fields, body = ask(ruled, "/other/x", *words, device=alice)
    request, = applications[1].take()
    assert request.all("X-Tenant") == ["green"] and request.one("X-More") == "a b" and not request.all("Accept-Language")
    assert request.one("X-Chatelaine-Person") == "alice" and body == b"other" and not applications[0].take()
    assert fields["x-frame-options"] == "DENY" and fields["strict-transport-security"] == "max-age=1"
    assert not any("powered" in name for name in fields), "a list that the location does not give is the site's"


def test_status_shows_each_hole(make_house, applications):
    one = make_house(config='preset = "rocketchat"\n open = {"health", "webhooks"}\n location "/near" { no-certificate = allow '
                            'allow-from = {"127.0.0.1"} }')
    one.init(applications[0].url)
    one.config.write_text("\n".join(line for line in one.config.read_text().splitlines() if "preset = " not in line or "rocketchat" in line))
    one.serve()
    assert ask(one, "/livez")[0] == 200 and ask(one, "/hooks/a/b", method="POST", body=b"{}")[0] == 200
    assert ask(one, "/hooks/a/b")[0] == 405 and ask(one, "/_oauth/google")[0] == 403 and ask(one, "/livez/x")[0] == 403
    open_places = one.json("status")["open"]
    assert f"{one.site}: /near (no-certificate = allow); only from 127.0.0.1" in open_places
    assert f"{one.site}: /hooks (open = webhooks); only POST" in open_places and f"{one.site}: = /livez (open = health); only GET" in open_places
    assert "open to all" in one.run("status").stdout
    assert "no certificate is asked for at door.test: = /livez (open = health)" in one.log_text()


IMPOSSIBLE = [
    ('location "~ ^/(a" { }', "the ( is not closed"),
    ('location "~ ^/(a)\\\\1" { }', "references back to a group are not known"),
    ('location "~ ^/.*a.{14}b" { }', "write a simpler expression"),
    ('location "api" { }', "begin it with /"),
    ('location "= /a/../b" { }', "not a plain path"),
    ('location "^~ /" { }', "that is the whole site"),
    ('location "/a" { allow-from = {"10.0.0.1/8"} }', "the address has bits behind its prefix"),
    ('location "/a" { methods = {"get"} }', "write GET, POST or the like"),
    ('open = {"everything"}', 'has no opening "everything"; there are health, public-files'),
    ('request-headers-set = {"X-Chatelaine-Person: root"}', "is written by this program alone"),
    ('request-headers-set = {"x_ssl_client_verify: SUCCESS"}', "is written by this program alone"),
    ('request-headers-remove = {"X-Forwarded-For"}', "is written by this program alone"),
    ('request-headers-set = {"Content-Length: 5"}', "is written by this program alone"),
    ('request-headers-set = {"Connection: close"}', "is written by this program alone"),
    ('response-headers-remove = {"Transfer-Encoding"}', "is written by this program alone"),
    ('response-headers-set = {"X-A: b\x01"}', "control character"),
    ('response-headers-set = {"X A: b"}', "is no header's name"),
    ('location "/a" { upstream = {"ftp://x"} }', "upstream"),
]


def test_what_cannot_be_is_named(make_house):
    one = make_house()
    one.init("http://127.0.0.1:1")
    plain = one.config.read_text()
    for lines, complaint in IMPOSSIBLE:
        one.config.write_text(plain)
        one.add_to_site("\n" + lines)
        done = one.run("config", "check", check=False)
        assert done.returncode != 0 and complaint in done.stdout + done.stderr, (lines, done.stdout + done.stderr)
