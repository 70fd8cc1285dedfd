"""What two programs could read in two ways is refused, or written anew in the one way that all read alike; and an
application that answers in two ways is not believed either."""
import re
import urllib.parse

import pytest

from house import House
from recording_upstream import FINE, Last, RecordingUpstream, all_bytes
from websocket_client import WebSocket

HOST = b"Host: door.test\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: door.test\r\n\r\n"
REFUSED = None


def post(fields, body, target=b"/form"):
    return b"POST " + target + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n" + body


def get(fields=b"", target=b"/page"):
    return b"GET " + target + b" HTTP/1.1\r\n" + HOST + fields + b"\r\n"


CHUNKED = b"Transfer-Encoding: chunked\r\n"
ABC = b"3\r\nabc\r\n0\r\n\r\n"

# name: (bytes, REFUSED or [(method, target, body)]: what the application may see of it)
REQUESTS = {
    # two framings
    "CL.TE": (post(b"Content-Length: 4\r\n" + CHUNKED, b"0\r\n\r\n" + SMUGGLED), REFUSED),
    "TE.CL": (post(CHUNKED + b"Content-Length: 4\r\n", b"2a\r\n" + SMUGGLED + b"\r\n0\r\n\r\n"), REFUSED),
    "TE.TE": (post(CHUNKED + b"Transfer-Encoding: x\r\n", ABC), REFUSED),
    "TE twice": (post(CHUNKED * 2, ABC), REFUSED),
    "TE list": (post(b"Transfer-Encoding: chunked, identity\r\n", ABC), REFUSED),
    "TE identity, chunked": (post(b"Transfer-Encoding: identity, chunked\r\n", ABC), REFUSED),
    "TE identity and CL": (post(b"Transfer-Encoding: identity\r\nContent-Length: 3\r\n", b"abc"), REFUSED),
    "TE gzip": (post(b"Transfer-Encoding: gzip, chunked\r\n", ABC), REFUSED),
    "TE xchunked": (post(b"Transfer-Encoding: xchunked\r\n", ABC), REFUSED),
    "TE quoted": (post(b'Transfer-Encoding: "chunked"\r\n', ABC), REFUSED),
    "TE with a parameter": (post(b"Transfer-Encoding: chunked;q=1\r\n", ABC), REFUSED),
    "TE with VT": (post(b"Transfer-Encoding: \x0bchunked\r\n", ABC), REFUSED),
    "TE with NUL": (post(b"Transfer-Encoding: chunked\0\r\n", ABC), REFUSED),
    "TE with CR": (post(b"Transfer-Encoding: chunked\r\r\n", ABC), REFUSED),
    "TE empty": (post(b"Transfer-Encoding:\r\nContent-Length: 3\r\n", b"abc"), REFUSED),
    "TE comma": (post(b"Transfer-Encoding: chunked,\r\n", ABC), REFUSED),
    "TE space before colon": (post(b"Transfer-Encoding : chunked\r\n", ABC), REFUSED),
    "TE underscore": (post(b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n", b"abc"), REFUSED),
    "TE dot": (post(b"Transfer.Encoding: chunked\r\nContent-Length: 3\r\n", b"abc"), REFUSED),
    "TE folded": (post(b"Transfer-Encoding:\r\n chunked\r\n", ABC), REFUSED),
    "TE in HTTP/1.0": (b"POST /form HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + ABC, REFUSED),
    "TE upper case": (post(b"TRANSFER-ENCODING:\tCHUNKED \t\r\n", ABC), [("POST", "/form", b"abc")]),
    "CL twice, equal": (post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"), REFUSED),
    "CL twice, unequal": (post(b"Content-Length: 0\r\nContent-Length: 43\r\n", SMUGGLED), REFUSED),
    "CL list": (post(b"Content-Length: 3, 3\r\n", b"abc"), REFUSED),
    "CL plus": (post(b"Content-Length: +3\r\n", b"abc"), REFUSED),
    "CL minus": (post(b"Content-Length: -3\r\n", b"abc"), REFUSED),
    "CL minus zero": (post(b"Content-Length: -0\r\n", b""), REFUSED),
    "CL leading zero": (post(b"Content-Length: 003\r\n", b"abc"), REFUSED),
    "CL hex": (post(b"Content-Length: 0x3\r\n", b"abc"), REFUSED),
    "CL underscored digits": (post(b"Content-Length: 1_0\r\n", b"abcabcabca"), REFUSED),
    "CL inner space": (post(b"Content-Length: 1 0\r\n", b"abcabcabca"), REFUSED),
    "CL fraction": (post(b"Content-Length: 3.0\r\n", b"abc"), REFUSED),
    "CL wrapping 2^64": (post(b"Content-Length: 18446744073709551619\r\n", b"abc"), REFUSED),
    "CL empty": (post(b"Content-Length:\r\n", b""), REFUSED),
    "CL NUL": (post(b"Content-Length: 3\0\r\n", b"abc"), REFUSED),
    "CL space before colon": (post(b"Content-Length : 45\r\n", SMUGGLED), REFUSED),
    "CL underscore": (post(b"Content_Length: 45\r\n", SMUGGLED), REFUSED),
    "CL folded": (post(b"Content-Length:\r\n 3\r\n", b"abc"), REFUSED),
    "CL other digits": (post("Content-Length: \u0663\r\n".encode(), b"abc"), REFUSED),
    "CL padded": (post(b"Content-Length: \t 3 \t\r\n", b"abc"), [("POST", "/form", b"abc")]),
    "GET with a body": (get(b"Content-Length: 43\r\n") + SMUGGLED, [("GET", "/page", SMUGGLED)]),
    # named away by Connection
    "Connection names CL": (post(b"Connection: Content-Length\r\nContent-Length: 43\r\n", SMUGGLED), REFUSED),
    "Connection names TE": (post(b"Connection: Transfer-Encoding\r\n" + CHUNKED, ABC), REFUSED),
    "Connection names Host": (get(b"Connection: Host\r\n"), REFUSED),
    "Connection is no list": (get(b"Connection: a b\r\n"), REFUSED),
    "Connection names Cookie": (get(b"Connection: Cookie\r\nCookie: a=b\r\n"), [("GET", "/page", b"")]),
    # chunks
    "chunk size minus": (post(CHUNKED, b"-3\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size plus": (post(CHUNKED, b"+3\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size 0x": (post(CHUNKED, b"0x3\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size of 17 digits": (post(CHUNKED, b"10000000000000003\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size over 2^63": (post(CHUNKED, b"ffffffffffffffff\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size empty": (post(CHUNKED, b"\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size with space": (post(CHUNKED, b"3 \r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size after space": (post(CHUNKED, b" 3\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk size underscored": (post(CHUNKED, b"0_3\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk line ends in LF": (post(CHUNKED, b"3\nabc\r\n0\r\n\r\n"), REFUSED),
    "chunk line ends in CR": (post(CHUNKED, b"3\rabc\r\n0\r\n\r\n"), REFUSED),
    "chunk ends in LF": (post(CHUNKED, b"3\r\nabc\n0\r\n\r\n"), REFUSED),
    "chunk ends in two other bytes": (post(CHUNKED, b"3\r\nabcXY0\r\n\r\n"), REFUSED),
    "chunk longer than said": (post(CHUNKED, b"3\r\nabcd\r\n0\r\n\r\n"), REFUSED),
    "last chunk's line ends in LF": (post(CHUNKED, b"3\r\nabc\r\n0\n\r\n"), REFUSED),
    "body ends in LF LF": (post(CHUNKED, b"3\r\nabc\r\n0\r\n\n"), REFUSED),
    "extension with LF": (post(CHUNKED, b"3;a\nabc\r\n0\r\n\r\n"), REFUSED),
    "extension with CR": (post(CHUNKED, b"3;a\rb\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "extension with a request": (post(CHUNKED, b"3;\n" + SMUGGLED + b"\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "extension without end": (post(CHUNKED, b"3;" + b"a" * 20000 + b"\r\nabc\r\n0\r\n\r\n"), REFUSED),
    "extension, plain": (post(CHUNKED, b'3;a="b";c\r\nabc\r\n0;d\r\n\r\n'), [("POST", "/form", b"abc")]),
    "size in capitals, with zeros": (post(CHUNKED, b"000A\r\nabcdefghij\r\n00\r\n\r\n"), [("POST", "/form", b"abcdefghij")]),
    "trailer frames": (post(CHUNKED, b"3\r\nabc\r\n0\r\nContent-Length: 43\r\n\r\n" + SMUGGLED), REFUSED),
    "trailer with bare LF": (post(CHUNKED, b"3\r\nabc\r\n0\r\nA: b\nC: d\r\n\r\n"), REFUSED),
    # lines
    "head in bare LF": (b"GET /page HTTP/1.1\nHost: door.test\n\n", REFUSED),
    "one bare LF": (get(b"A: b\nC: d\r\n"), REFUSED),
    "one bare CR": (get(b"A: b\rC: d\r\n"), REFUSED),
    "CR CR LF": (get(b"A: b\r\r\n"), REFUSED),
    "NUL in a value": (get(b"A: b\0c\r\n"), REFUSED),
    "NUL in a name": (get(b"A\0b: c\r\n"), REFUSED),
    "control in a value": (get(b"A: \x1b[2J\r\n"), REFUSED),
    "obs-fold": (get(b"A: b\r\n c\r\n"), REFUSED),
    "fold of the first field": (b"GET /page HTTP/1.1\r\n Host: door.test\r\n\r\n", REFUSED),
    "empty name": (get(b": b\r\n"), REFUSED),
    "line without colon": (get(b"GET /smuggled HTTP/1.1\r\n"), REFUSED),
    "name with space": (get(b"A b: c\r\n"), REFUSED),
    "name in UTF-8": (get("Ä: c\r\n".encode()), REFUSED),
    "101 fields": (get(b"".join(b"A%d: b\r\n" % n for n in range(101))), REFUSED),
    "head of 20 KiB": (get(b"A: " + b"b" * 20000 + b"\r\n"), REFUSED),
    # request line
    "HTTP/0.9": (b"GET /page\r\n\r\n", REFUSED),
    "HTTP/1.2": (b"GET /page HTTP/1.2\r\n" + HOST + b"\r\n", REFUSED),
    "HTTP/2.0": (b"GET /page HTTP/2.0\r\n" + HOST + b"\r\n", REFUSED),
    "HTTP/01.1": (b"GET /page HTTP/01.1\r\n" + HOST + b"\r\n", REFUSED),
    "http/1.1": (b"GET /page http/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED),
    "two spaces": (b"GET  /page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "tab": (b"GET\t/page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "space behind": (b"GET /page HTTP/1.1 \r\n" + HOST + b"\r\n", REFUSED),
    "space in the target": (b"GET /pa ge HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "space before": (b" GET /page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "get": (b"get /page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "CONNECT": (b"CONNECT door.test:443 HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "TRACE": (b"TRACE /page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "method with CR": (b"GE\rT /page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "an empty line before": (b"\r\n" + get(), [("GET", "/page", b"")]),
    "two empty lines before": (b"\r\n\r\n" + get(), REFUSED),
    "HTTP/1.0": (b"GET /page HTTP/1.0\r\n" + HOST + b"Connection: keep-alive\r\n\r\n", [("GET", "/page", b"")]),
    "unknown method": (b"BREW /page HTTP/1.1\r\n" + HOST + b"\r\n", [("BREW", "/page", b"")]),
    # host
    "no Host": (b"GET /page HTTP/1.1\r\n\r\n", REFUSED),
    "Host twice": (get(b"Host: door.test\r\n"), REFUSED),
    "Host twice, unequal": (get(b"Host: evil.test\r\n"), REFUSED),
    "Host list": (b"GET /page HTTP/1.1\r\nHost: door.test, evil.test\r\n\r\n", REFUSED),
    "Host with user": (b"GET /page HTTP/1.1\r\nHost: door.test@evil.test\r\n\r\n", REFUSED),
    "Host with path": (b"GET /page HTTP/1.1\r\nHost: door.test/x\r\n\r\n", REFUSED),
    "Host empty": (b"GET /page HTTP/1.1\r\nHost:\r\n\r\n", REFUSED),
    "Host with space": (b"GET /page HTTP/1.1\r\nHost: door.test evil.test\r\n\r\n", REFUSED),
    "Host with space before colon": (b"GET /page HTTP/1.1\r\nHost : door.test\r\n\r\n", REFUSED),
    "Host underscore twin": (get(b"HOST_: evil.test\r\n"), [("GET", "/page", b"")]),
    "absolute, other host": (b"GET http://evil.test/page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "absolute, same host": (b"GET http://door.test/page HTTP/1.1\r\n" + HOST + b"\r\n", [("GET", "/page", b"")]),
    "absolute, https": (b"GET https://DOOR.test/page HTTP/1.1\r\n" + HOST + b"\r\n", [("GET", "/page", b"")]),
    "absolute, user": (b"GET http://evil@door.test/page HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "absolute, other scheme": (b"GET file:///etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "authority form": (b"GET door.test HTTP/1.1\r\n" + HOST + b"\r\n", REFUSED),
    "star with GET": (get(target=b"*"), REFUSED),
    "star with OPTIONS": (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", [("OPTIONS", "*", b"")]),
    "fragment": (get(target=b"/page#x"), REFUSED),
    "NUL in the target": (get(target=b"/pa\0ge"), REFUSED),
    "UTF-8 in the target": (get(target="/pä".encode()), REFUSED),
    # upgrades and expectations
    "h2c": (get(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
            [("GET", "/page", b"")]),
    "WebSocket without key": (get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"), REFUSED),
    "WebSocket with POST": (b"POST /page HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
                            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", REFUSED),
    "WebSocket with a body": (get(b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                  b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nContent-Length: 43\r\n") + SMUGGLED, REFUSED),
    "Upgrade without Connection": (get(b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                       b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), [("GET", "/page", b"")]),
    "Expect nonsense": (post(b"Expect: 200-ok\r\nContent-Length: 3\r\n", b"abc"), REFUSED),
    "Expect twice": (post(b"Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3\r\n", b"abc"), REFUSED),
    # honest pipelining is two requests and no more
    "pipelined": (post(b"Content-Length: 3\r\n", b"abc") + get(), [("POST", "/form", b"abc"), ("GET", "/page", b"")]),
}


class Place:
    def __init__(self, folder):
        self.upstream = RecordingUpstream()
        self.house = House(folder)
        self.house.init(self.upstream.url)
        self.house.add_to_site('location "/admin" { who = {"admins"} }\nlocation "/open" { no-certificate = allow }')
        self.house.set("workers", 1)
        self.alice = self.house.device("alice", "laptop")
        self.house.serve()

    def exchange(self, raw, device=None):
        with self.house.tls(device) as stream:
            stream.sendall(raw)
            return all_bytes(stream)

    def close(self):
        self.house.close()
        self.upstream.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    one = Place(tmp_path_factory.mktemp("place"))
    yield one
    one.close()


def statuses(answers):
    return [int(code) for code in re.findall(rb"(?:^|fine|\r\n\r\n|</html>\n)HTTP/1\.1 (\d+) ", answers)]


PROBE = get(b"Connection: close\r\n", b"/probe")


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_has_one_meaning_or_none(place, name):
    raw, meaning = REQUESTS[name]
    if meaning is REFUSED:
        answers = place.exchange(raw, place.alice)
        (status,) = statuses(answers)
        assert 400 <= status <= 599 and b"fine" not in answers
        assert place.upstream.take() == []
    else:
        # The probe comes in the same breath: what was left of the request would stand in front of it.
        answers = place.exchange(raw + PROBE, place.alice)
        seen = place.upstream.take()
        assert [(r.method, r.target, r.body) for r in seen] == meaning + [("GET", "/probe", b"")]
        assert statuses(answers) == [200] * len(seen)
        for request in seen:
            assert request.version == "HTTP/1.1" and request.one("Host") == place.house.site
            assert not request.all("Cookie") and not request.all("Upgrade") and not request.all("HTTP2-Settings")
            assert b";" not in request.raw.split(b"\r\n\r\n", 1)[1], "extensions go no further"
    assert place.upstream.garbage == []


def test_byte_by_byte_is_as_at_once(place):
    """The same bytes in the smallest pieces have the same meaning."""
    for name in ("CL.TE", "TE.CL", "one bare LF", "extension with LF", "TE upper case", "pipelined", "obs-fold"):
        raw, meaning = REQUESTS[name]
        with place.house.tls(place.alice) as stream:
            try:
                for at in range(len(raw)):
                    stream.sendall(raw[at:at + 1])
                if meaning is not REFUSED:
                    stream.sendall(PROBE)
            except OSError:
                assert meaning is REFUSED, "it was closed early"
            answers = all_bytes(stream)
        seen = [(r.method, r.target, r.body) for r in place.upstream.take()]
        if meaning is REFUSED:
            assert seen == [] and b"fine" not in answers, name
        else:
            assert seen == meaning + [("GET", "/probe", b"")], name


# -- paths and rules ------------------------------------------------------------------------------------------


def loosely(target):
    """As the most forgiving application would read it."""
    path = target.split("?")[0].split("#")[0]
    while urllib.parse.unquote(path, "latin-1") != path:
        path = urllib.parse.unquote(path, "latin-1")
    path = path.split("?")[0].split("#")[0].replace("\\", "/").replace("\xc0\xaf", "/")
    kept = []
    for part in path.split("/"):
        part = part.split(";")[0]
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    return "/" + "/".join(kept)


TRICKS = ["/admin", "/admin/", "/admin/x", "/admin?x", "/%61dmin", "/a%64min", "/%2561dmin", "/%252561dmin", "/./admin", "//admin",
          "///admin", "/x/../admin", "/x/%2e%2e/admin", "/x/.%2e/admin", "/x/%2E./admin", "/x/..%2fadmin", "/x/..%2Fadmin",
          "/x%2f..%2fadmin", "/x/..%5cadmin", "/x\\..\\admin", "/\\admin", "/%5cadmin", "/%2fadmin", "/%2f%2fadmin", "/admin;x",
          "/admin;x=y/z", "/;x/admin", "/x/..;/admin", "/x/..;a=b/admin", "/x/%2e%2e;/admin", "/admin%3bx", "/admin%3fx", "/admin%23x",
          "/admin%2f", "/admin%2fx", "/admin%5cx", "/admin//x", "/admin/.", "/admin/./x", "/%c0%afadmin", "/x/%c0%ae%c0%ae/admin",
          "/x/..%c0%afadmin", "/%252fadmin", "/x/%252e%252e/admin", "/admin%252fx", "/x/%%32%65%%32%65/admin", "/admin%00", "/admin%00.png",
          "/admin%0a", "/x/../../admin", "/../admin", "/%2e%2e/admin", "/x//../admin", "/open/../admin", "/open/%2e%2e/admin",
          "/open/..%2fadmin", "/open/..;/admin", "/open//../admin", "/open/%252e%252e/admin", "/open/..%5cadmin",
          "/open;/../admin", "/open/x/../../admin", "/open%2f..%2fadmin", "/open/..%00/admin", "http://door.test/admin",
          "http://door.test//admin", "/x/..//admin", "/.//admin", "/%2e/admin", "/.;/admin", "/admin%09", "/ad%0dmin"]


@pytest.mark.parametrize("device", ["alice", None])
def test_no_spelling_of_a_path_gets_around_a_rule(place, device):
    """Alice is no admin; and nobody at all may only go to /open."""
    who = place.alice if device else None
    for trick in TRICKS:
        answers = place.exchange(get(b"Connection: close\r\n", trick.encode()), who)
        for request in place.upstream.take():
            assert not loosely(request.target).startswith("/admin"), f"{trick} became {request.target}"
            if not who:
                assert loosely(request.target).startswith("/open"), f"{trick} became {request.target}"
            assert request.target.isascii() and " " not in request.target
        assert len(statuses(answers)) == 1, trick


def test_nobody_gets_out_of_an_open_location(place):
    out = ["", "x/..", "..", "%2e%2e", "..%2f", "..%2fsecret", "..;/secret", "%2e%2e%2fsecret", "..%5csecret", ".%2e/secret",
           "%252e%252e%252fsecret", "..%c0%afsecret", "x/../../secret", "//../../secret", ";/../../secret", "..%3b/secret"]
    for trick in ["/open/" + tail for tail in out] + ["/open%2f../secret", "/openx", "/open;x/../secret", "/open%2e", "/OPEN/../secret"]:
        place.exchange(get(b"Connection: close\r\n", trick.encode()), None)
        for request in place.upstream.take():
            assert re.match(r"/open(/|$)", loosely(request.target)), f"{trick} became {request.target}"
    assert statuses(place.exchange(get(b"Connection: close\r\n", b"/open/x"), None)) == [200]
    (request,) = place.upstream.take()
    assert request.target == "/open/x"


# -- hostile applications ---------------------------------------------------------------------------------------

OK = b"HTTP/1.1 200 OK\r\n"
POISON = OK + b"Content-Length: 6\r\nX-Poison: 1\r\n\r\npoison"
BROKEN = None

# name: (the application's bytes, BROKEN: 502 for the client, or the body that the client may see as whole)
ANSWERS = {
    "CL and TE": (OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", BROKEN),
    "CL twice": (OK + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "CL plus": (OK + b"Content-Length: +4\r\n\r\nevil", BROKEN),
    "CL hex": (OK + b"Content-Length: 0x4\r\n\r\nevil", BROKEN),
    "CL list": (OK + b"Content-Length: 4, 4\r\n\r\nevil", BROKEN),
    "CL minus": (OK + b"Content-Length: -1\r\n\r\nevil", BROKEN),
    "CL over 2^64": (OK + b"Content-Length: 18446744073709551620\r\n\r\nevil", BROKEN),
    "TE twice": (OK + CHUNKED + CHUNKED + b"\r\n4\r\nevil\r\n0\r\n\r\n", BROKEN),
    "TE unknown": (OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n", BROKEN),
    "TE identity": (OK + b"Transfer-Encoding: identity\r\n\r\nevil", BROKEN),
    "TE in HTTP/1.0": (b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n4\r\nevil\r\n0\r\n\r\n", BROKEN),
    "bare LF": (b"HTTP/1.1 200 OK\nContent-Length: 4\n\nevil", BROKEN),
    "LF in a value": (OK + b"X: a\nSet-Cookie: evil\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "CR in a value": (OK + b"X: a\rSet-Cookie: evil\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "NUL in a value": (OK + b"X: a\0b\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "space before colon": (OK + b"Content-Length : 4\r\n\r\nevil", BROKEN),
    "obs-fold": (OK + b"X: a\r\n evil\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "control in the reason": (b"HTTP/1.1 200 O\x1bK\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "status 999": (b"HTTP/1.1 999 Evil\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "status 2OO": (b"HTTP/1.1 2OO OK\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "HTTP/2.0": (b"HTTP/2.0 200 OK\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "HTTP/0.9": (b"evil evil evil evil\r\n\r\n", BROKEN),
    "random bytes": (bytes(range(256)) * 16, BROKEN),
    "TLS": (b"\x16\x03\x01\x02\x00" + bytes(200), BROKEN),
    "head without end": (OK + b"X: " + b"a" * 70000, BROKEN),
    "too many fields": (OK + b"".join(b"X%d: a\r\n" % n for n in range(2000)) + b"Content-Length: 4\r\n\r\nevil", BROKEN),
    "101 that nobody asked for": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nevil", BROKEN),
    "101 to h2c": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nevil", BROKEN),
    "1xx for ever": (b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 5000 + POISON, BROKEN),
    "100 with a body": (b"HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nevil" + POISON, BROKEN),
    "204 with a body": (b"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", BROKEN),
    "nothing": (b"", BROKEN),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", BROKEN),
    "surplus of a length": (OK + b"Content-Length: 4\r\n\r\nfine" + POISON, b"fine"),
    "surplus of chunks": (OK + CHUNKED + b"\r\n4\r\nfine\r\n0\r\n\r\n" + POISON, b"fine"),
    "surplus of 204": (b"HTTP/1.1 204 No Content\r\n\r\n" + POISON, b""),
    "surplus of 304": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n" + POISON, b""),
    "until the end": (OK + b"\r\nfine", b"fine"),
    "Connection names fields": (OK + b"Connection: close, X-Evil\r\nX-Evil: evil\r\nContent-Length: 4\r\n\r\nfine", b"fine"),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """An application whose answer to /evil is said by the test."""
    one = Place(tmp_path_factory.mktemp("hostile"))
    one.evil = b""
    one.upstream.answer = lambda request: one.evil if request.target == "/evil" else FINE
    yield one
    one.close()


@pytest.mark.parametrize("name", ANSWERS)
def test_an_application_that_answers_in_two_ways_is_not_believed(hostile, name):
    raw, meaning = ANSWERS[name]
    hostile.evil = Last(raw) if meaning is BROKEN or name == "until the end" else raw
    answers = hostile.exchange(get(target=b"/evil") + PROBE, hostile.alice)
    assert b"evil" not in answers and b"poison" not in answers and b"X-Poison" not in answers
    if meaning is BROKEN:
        assert [status for status in statuses(re.sub(rb"HTTP/1.1 103 .*?\r\n\r\n", b"", answers, flags=re.S))][0] == 502, answers[:300]
    else:
        assert statuses(answers)[-1] == 200 and answers.endswith(b"fine")
    hostile.upstream.take()
    # Nobody else is given what was left over.
    for _ in range(3):
        assert hostile.exchange(get(b"Connection: close\r\n", b"/after"), hostile.alice).endswith(b"\r\n\r\nfine")
    hostile.upstream.take()


def test_surplus_that_comes_later_is_given_to_nobody(hostile):
    """An application that speaks on a kept connection before it was asked."""
    for round in range(5):
        assert hostile.exchange(get(b"Connection: close\r\n", b"/before"), hostile.alice).endswith(b"fine")
        for stream in hostile.upstream.streams:
            try:
                stream.sendall(POISON)
            except OSError:
                pass
        answers = hostile.exchange(get(b"Connection: close\r\n", b"/after"), hostile.alice)
        assert b"poison" not in answers and (answers.endswith(b"fine") or statuses(answers) == [502])
    hostile.upstream.take()


@pytest.mark.parametrize("raw", [OK + b"Content-Length: 100\r\n\r\nhalf", OK + CHUNKED + b"\r\n64\r\nhalf",
                                 OK + CHUNKED + b"\r\n4\r\nhalf\r\n", OK + CHUNKED + b"\r\n4\r\nhalf\r\n0\r\n",
                                 OK + CHUNKED + b"\r\n4\r\nhalf\r\nzz\r\n", OK + CHUNKED + b"\r\n4\r\nhalfXY0\r\n\r\n",
                                 OK + CHUNKED + b"\r\n4\r\nhalf\r\n0\r\nContent-Length: 4\r\n\r\n"])
def test_half_an_answer_never_looks_whole(hostile, raw):
    hostile.evil = Last(raw)
    answers = hostile.exchange(get(target=b"/evil") + PROBE, hostile.alice)
    assert b"fine" not in answers and len(statuses(answers)) <= 1
    if answers and statuses(answers) != [502]:
        head, body = answers.split(b"\r\n\r\n", 1)
        if b"content-length" in head.lower():
            assert b"Content-Length: 100" in head and len(body) < 100
        else:
            assert not body.endswith(b"0\r\n\r\n")
    hostile.upstream.take()


def test_a_head_request_has_no_body_whatever_the_application_sends(hostile):
    hostile.evil = OK + b"Content-Length: 4\r\n\r\nevil"
    answers = hostile.exchange(b"HEAD /evil HTTP/1.1\r\n" + HOST + b"\r\n" + PROBE, hostile.alice)
    assert b"evil" not in answers and statuses(answers) == [200, 200] and answers.endswith(b"fine")
    hostile.upstream.take()


@pytest.mark.parametrize("raw", [
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 4\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nevil",
    FINE, b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 4\r\n\r\nfine"])
def test_only_a_true_101_opens_a_tunnel(hostile, raw, monkeypatch):
    monkeypatch.setattr(hostile.upstream, "take_up", lambda request: raw)
    with pytest.raises(AssertionError) as refused:
        WebSocket(hostile.house, hostile.alice, "/socket")
    assert " 101 " not in str(refused.value).splitlines()[0]
    hostile.upstream.take()
    monkeypatch.undo()
    WebSocket(hostile.house, hostile.alice, "/socket").close()
    hostile.upstream.take()
