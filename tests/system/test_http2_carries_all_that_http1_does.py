"""curl, h2load and python3-h2 through the door: requests, bodies, trailers, WebSocket over HTTP/2, and what ends them."""
import re
import subprocess
import threading

import pytest

from h2_client import EXTENDED, Client, Pipe, websocket
from house import needs, wait_for
from recording_upstream import FINE, Last, RecordingUpstream, take_up
from websocket_client import WebSocket

pytestmark = pytest.mark.skipif(needs("h2load", "curl"), reason="needs curl and h2load")


class Framed(WebSocket):
    """The frames of websocket_client over a stream that is a tunnel already."""

    def __init__(self, client, stream):
        self.stream = Pipe(client, stream)


class Place:
    def __init__(self, house, upstream):
        self.house, self.upstream = house, upstream
        self.alice = house.device("alice", "laptop")

    def client(self, **more):
        return Client(self.house, self.alice, **more)


@pytest.fixture
def place(make_house):
    """A house in front of an upstream that keeps what it gets."""
    upstream = RecordingUpstream()
    house = make_house().init(upstream.url)
    house.serve()
    yield Place(house, upstream)
    upstream.close()
    assert not upstream.garbage, upstream.garbage


def test_curl_gets_http2_by_itself_and_http1_when_told(house):
    alice = house.device("alice", "laptop")
    for words, version in (((), "2"), (("--http1.1",), "1.1")):
        done = house.curl("/who", alice, "-w", "%{http_version}", *words, check=True)
        assert alice.id in done.stdout and done.stdout.endswith(version)


def test_it_can_be_turned_off(make_house):
    house = make_house()
    house.init(house.example())
    house.set("http2", "false")
    house.serve()
    alice = house.device("alice", "laptop")
    assert house.curl("/who", alice, "-w", "%{http_version}", check=True).stdout.endswith("1.1")


def test_a_request_becomes_the_same_as_by_http1(place):
    words = ("-H", "Accept: a/b", "-H", "Cookie: a=1; b=2; c=3", "-H", "X-Odd: \x80\xff".encode("latin-1").decode("latin-1"),
             "--data", "body", "-A", "same")
    for version in ("--http1.1", "--http2"):
        assert place.house.curl("/a/../b%7e?q=%20", place.alice, "--path-as-is", version, *words, check=True).stdout == "fine"
    one, two = place.upstream.take()
    assert one.line == two.line == "POST /b~?q=%20 HTTP/1.1"
    assert one.body == two.body == b"body"
    assert sorted((n.lower(), v) for n, v in one.fields) == sorted((n.lower(), v) for n, v in two.fields)


def test_cookie_crumbs_are_joined_and_pseudo_fields_leave_no_trace(place):
    client = place.client()
    assert client.get("/", [("cookie", "a=1"), ("x-one", "1"), ("cookie", "b=2"), ("cookie", "c=3"), ("te", "trailers")]).status == 200
    seen = place.upstream.take()[0]
    assert seen.all("cookie") == ["a=1; b=2; c=3"] and seen.one("x-one") == "1" and seen.one("te") == "trailers"
    assert not [n for n, _ in seen.fields if n.startswith(":")]
    client.close()


def test_trailers_pass_both_ways(place):
    place.upstream.answer = lambda request: (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
                                             b"X-Sum: 42\r\nContent-Length: 7\r\n\r\n" if request.target == "/" else FINE)
    client = place.client()
    stream = client.open(client.head("POST", "/up"), end=False)
    client.send(stream, b"part")
    client.h2.send_headers(stream.id, [("x-check", "9"), ("x-ssl-client-verify", "SUCCESS")], end_stream=True)
    client.flush()
    assert client.wait(stream).status == 200
    seen = place.upstream.take()[0]
    assert seen.body == b"part" and seen.trailers == [("x-check", "9")]
    client.close()


def test_trailers_of_an_answer_come_as_trailers(place):
    place.upstream.answer = lambda request: (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 42\r\n\r\n")
    client = place.client()
    stream = client.get("/")
    assert stream.body == b"abc" and stream.trailers == {"x-sum": "42"}
    client.close()


def test_answers_without_a_body_have_none(place):
    heads = {"/204": b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n", "/304": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
             "/head": b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"}
    place.upstream.answer = lambda request: heads[request.target]
    client = place.client()
    for path, status in (("/204", 204), ("/304", 304)):
        stream = client.get(path)
        assert (stream.status, stream.body, stream.ended) == (status, b"", True)
    stream = client.wait(client.open(client.head("HEAD", "/head")))
    assert stream.status == 200 and stream.fields["content-length"] == "1000" and stream.body == b""
    client.close()


def test_interim_answers_come_before_the_answer(place):
    place.upstream.answer = lambda request: b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + FINE
    client = place.client()
    stream = client.open(client.head("POST", "/", [("expect", "100-continue"), ("content-length", "4")]), end=False)
    client.until(lambda: 100 in stream.interim)
    client.send(stream, b"body", end=True)
    assert client.wait(stream).status == 200 and stream.interim == [100, 103]
    assert place.upstream.take()[0].body == b"body"
    client.close()


def test_a_websocket_over_http2_talks_with_an_http1_upstream(house):
    alice = house.device("alice", "laptop")
    client = Client(house, alice)
    client.until(lambda: EXTENDED in client.settings)
    assert client.settings[EXTENDED] == 1
    stream = websocket(client, "/echo")
    assert stream.status == 200
    talk = Framed(client, stream)
    for size in (5, 300, 70000):
        talk.send("x" * size)
        assert talk.read_text() == "x" * size
    beside = client.get("/who")
    assert beside.status == 200 and alice.id.encode() in beside.body
    client.h2.end_stream(stream.id)
    client.flush()
    assert client.wait(stream).ended, "the client's END_STREAM goes on, the application's end comes back"
    client.close()


def test_a_websockets_words_reach_the_application_and_its_answer_comes_back(place):
    place.upstream.take_up = lambda request: take_up(request).replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n")
    client = place.client()
    stream = websocket(client, "/socket?a=b", [("sec-websocket-protocol", "chat, other"), ("origin", place.house.url)])
    assert stream.status == 200 and stream.fields["sec-websocket-protocol"] == "chat"
    assert "sec-websocket-accept" not in stream.fields
    seen = place.upstream.take()[0]
    assert seen.line == "GET /socket?a=b HTTP/1.1" and seen.one("sec-websocket-protocol") == "chat, other"
    assert seen.one("upgrade") == "websocket" and seen.one("sec-websocket-version") == "13" and seen.one("x-chatelaine-device")
    place.upstream.take_up = lambda request: Last(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno")
    refused = websocket(client, "/socket")
    assert client.wait(refused).status == 403 and refused.body == b"no"
    client.close()


def test_other_connects_are_refused(place):
    client = place.client()
    assert client.wait(websocket(client, "/", protocol="connect-udp")).status == 501
    plain = client.open([(":method", "CONNECT"), (":authority", "inside.test:22")], end=False)
    assert client.wait(plain).status == 501
    assert not place.upstream.take()
    client.close()


def test_a_cancelled_stream_cuts_its_upstream_at_once(make_house):
    gone = threading.Event()
    seen = threading.Event()

    def serve(caller):
        caller.request()
        seen.set()
        while caller.read():
            pass
        gone.set()

    from upstream import Upstream
    with Upstream(serve) as upstream:
        house = make_house().init(upstream.url)
        house.serve()
        client = Client(house, house.device("alice", "laptop"))
        stream = client.open(client.head(path="/wait"))
        assert seen.wait(10)
        client.h2.reset_stream(stream.id, 8)
        client.flush()
        assert gone.wait(10)
        client.close()


def test_revocation_ends_http2_connections_and_their_websockets(house):
    alice, bob = house.device("alice", "laptop"), house.device("bob", "laptop")
    client, other = Client(house, alice), Client(house, bob)
    live = websocket(client, "/live")
    slow = client.open(client.head(path="/slow?seconds=30"))
    theirs = websocket(other, "/live")
    answer = house.json("device", "revoke", "alice/laptop")
    assert answer["closed"] == 1 and not answer.get("silent")
    code, _ = Framed(client, live).read_until_close()
    assert code == 1008
    client.until_closed()
    assert slow.status is None and slow.reset is not None and client.goaways
    talk = Framed(other, theirs)
    talk.send("still here")
    wait_for(lambda: "still here" in talk.read_text(), "bob's WebSocket goes on")
    assert other.get("/who").status == 200
    other.close()


def test_a_rule_that_changes_ends_only_the_streams_that_it_refuses(make_house):
    house = make_house()
    house.init(house.example())
    allowed = house.folder / "allow.txt"
    alice = house.device("alice", "laptop")
    allowed.write_text(alice.id + "\n")
    house.add_to_site(f'  location "/slow" {{ allow-file = "{allowed}" }}')
    house.serve()
    client = Client(house, alice)
    live = websocket(client, "/echo")
    slow = client.open(client.head(path="/slow?seconds=30"))
    assert client.get("/who").status == 200
    allowed.write_text("")
    assert client.wait(slow).reset is not None and slow.status is None
    talk = Framed(client, live)
    talk.send("on")
    assert talk.read_text() == "on"
    assert client.get("/who").status == 200 and client.get("/slow?seconds=0").status == 403
    client.close()


def test_h2load_finds_every_request_answered(house):
    alice = house.device("alice", "laptop")
    done = subprocess.run(["h2load", "-n", "3000", "-c", "6", "-m", "50", f"--connect-to=127.0.0.1:{house.port}", f"{house.url}/"],
                          capture_output=True, text=True, timeout=60)
    assert re.search(r"3000 total, 3000 started, 3000 done, 0 succeeded, 3000 failed, 0 errored", done.stdout), done.stdout
    assert "status codes: 0 2xx, 0 3xx, 3000 4xx" in done.stdout, "h2load shows no certificate, and each request has its answer"
    assert house.status("/who", alice) == 200


def test_stopping_says_goaway_and_finishes_what_is_under_way(house):
    alice = house.device("alice", "laptop")
    client = Client(house, alice)
    assert client.get("/who").status == 200
    slow = client.open(client.head(path="/slow?seconds=1"))
    assert client.get("/who").status == 200
    ends = threading.Thread(target=house.stop)
    ends.start()
    client.wait(slow)
    assert slow.status == 200 and slow.ended
    client.until_closed()
    assert [code for _, code in client.goaways] == [0] * len(client.goaways) and client.goaways[0][0] == 2**31 - 1
    assert client.goaways[-1][0] == slow.id + 2
    ends.join()
