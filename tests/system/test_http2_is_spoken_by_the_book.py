"""RFC 9113 and RFC 7541 clause by clause: each row is what a client sends and what must come of it. Whatever a row does to its own
connection, the door then still serves the next one."""
import struct

import pytest
from h2_frames import (ACK, CANCEL, COMPRESSION_ERROR, CONTINUATION, DATA, ENABLE_CONNECT_PROTOCOL, ENABLE_PUSH, END_HEADERS,
                       END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE,
                       MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, NO_ERROR, PADDED, PING, PREFACE, PRIORITY,
                       PRIORITY_FLAG, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM, SETTINGS, STREAM_CLOSED_ERROR, WINDOW_UPDATE, Peer,
                       frame, literal, number, settings, text, window_update)
from house import House


@pytest.fixture(scope="module")
def door(tmp_path_factory):
    one = House(tmp_path_factory.mktemp("book"))
    one.init(one.example())
    one.serve()
    one.me = one.device()
    yield one
    one.close()


def peer(door, **more):
    stream = door.tls(door.me, alpn=("h2",))
    assert stream.selected_alpn_protocol() == "h2"
    return Peer(stream, f"{door.site}:{door.port}", **more)


# What must come. Each gets the peer and says what is wrong, or nothing. -----------------------------------------------------------

def answered(one, status=200, stream=1):
    got = one.answer(stream)
    if not isinstance(got, tuple) or got[0] != status:
        return f"no {status}: {got}"


def connection_error(*codes):
    """GOAWAY with one of these codes and the end; the end alone will do (RFC 9113 section 5.4.1)."""
    def check(one):
        got = one.until(lambda f: f.kind == GOAWAY)
        if got is not None and got.code not in codes:
            return f"GOAWAY with {got.code}, not {codes}"
        if one.until(lambda f: False) is None and one.ended:
            return None
        return "the connection goes on"
    return check


def stream_error(*codes, stream=1):
    """RST_STREAM with one of these codes; the larger measure of GOAWAY and end is allowed (section 5.4.2)."""
    def check(one):
        got = one.until(lambda f: (f.kind == RST_STREAM and f.stream == stream) or (f.kind == GOAWAY and f.code != NO_ERROR))
        if got is not None and got.code not in codes:
            return f"{got} with {got.code}, not {codes}"
    return check


def malformed(*codes, stream=1):
    """As a stream error, or an answer 4xx before it (section 8.1.1)."""
    def check(one):
        got = one.answer(stream)
        if isinstance(got, tuple):
            return None if 400 <= got[0] < 500 else f"answered {got[0]}"
        if got is not None and got.code not in (codes or (PROTOCOL_ERROR,)):
            return f"{got} with {got.code}"
    return check


def alive(one):
    """A PING comes back: the connection was not harmed."""
    one.send(frame(PING, 0, 0, b"arealive"))
    if one.until(lambda f: f.kind == PING and f.flags & ACK and f.payload == b"arealive") is None:
        return f"ended: {one.seen}"


def never_answered(one, stream=1):
    """Where nghttp2 overlooks what the book calls an error of the connection: nothing may come of it."""
    wrong = alive(one)
    if wrong or [f for f in one.seen if f.stream == stream and f.kind in (HEADERS, DATA)]:
        return wrong or "answered"


def both(*checks):
    def check(one):
        for each in checks:
            wrong = each(one)
            if wrong:
                return wrong
    return check


BODY = ("content-length", "4")
OPEN = END_HEADERS
PING8 = b"\x00" * 8
BIG = 16384


def window_of_one(one):
    """One octet at a time: exactly what the window allows, and the rest when it opens."""
    one.send(one.request(1))
    got = one.until(lambda f: f.kind == DATA and f.stream == 1)
    if got is None or len(got.payload) != 1:
        return f"not one octet: {got}"
    wrong = alive(one)
    if wrong or len([f for f in one.seen if f.kind == DATA and f.payload]) != 1:
        return wrong or "more than the window allows"
    one.send(window_update(1, 65535), window_update(0, 65535))
    return answered(one)


def window_grown_by_settings(one):
    one.send(one.request(1))
    wrong = alive(one)
    if wrong or [f for f in one.seen if f.kind == DATA and f.payload]:
        return wrong or "DATA without a window"
    one.send(settings((INITIAL_WINDOW_SIZE, 1)))
    got = one.until(lambda f: f.kind == DATA and f.payload)
    if got is None or len(got.payload) != 1:
        return f"not one octet: {got}"
    one.send(settings((INITIAL_WINDOW_SIZE, 65535)))
    return answered(one)


def window_made_negative(one):
    one.send(one.request(1))
    if one.until(lambda f: f.kind == DATA and len(f.payload) == 3) is None:
        return "no three octets"
    one.send(settings((INITIAL_WINDOW_SIZE, 2)), window_update(1, 2))
    wrong = alive(one)
    octets = sum(len(f.payload) for f in one.seen if f.kind == DATA)
    if wrong or octets != 4:
        return wrong or f"{octets} octets where the window allows 4"
    one.send(settings((INITIAL_WINDOW_SIZE, 65535)))
    return answered(one)


# (section, what it is about, what is sent: peer -> bytes, what must come, the peer's own first settings)
ROWS = [
    # -- starting, and what is to be ignored --
    ("3.4", "a GET is answered", lambda p: p.request(1), answered),
    ("4.1", "frames of an unknown type are ignored", lambda p: frame(0x16, 0, 0, PING8) + p.request(1), answered),
    ("4.1", "undefined flags are ignored", lambda p: frame(PING, 0x16, 0, PING8), alive),
    ("4.1", "the reserved bit is ignored", lambda p: frame(PING, 0, 0x80000000, PING8), alive),
    ("4.2", "DATA of 2^14 octets", lambda p: p.request(1, ("content-length", str(BIG)), method="POST", flags=OPEN)
     + frame(DATA, END_STREAM, 1, b"x" * BIG), answered),
    ("4.2", "DATA of more", lambda p: p.request(1, method="POST", flags=OPEN) + frame(DATA, END_STREAM, 1, b"x" * (BIG + 1)),
     stream_error(FRAME_SIZE_ERROR)),
    ("4.2", "HEADERS of more", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head(("x", "y" * BIG))),
     connection_error(FRAME_SIZE_ERROR)),
    ("4.3", "a field block that cannot be decoded", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff"),
     connection_error(COMPRESSION_ERROR)),
    ("4.3", "PRIORITY inside a field block", lambda p: p.request(1, flags=END_STREAM) + frame(PRIORITY, 0, 1, bytes(5)),
     connection_error(PROTOCOL_ERROR)),
    ("4.3", "HEADERS of another stream inside a field block", lambda p: p.request(1, flags=END_STREAM) + p.request(3),
     connection_error(PROTOCOL_ERROR)),
    # -- streams --
    ("5.1", "idle: DATA", lambda p: frame(DATA, END_STREAM, 1, b"test"), connection_error(PROTOCOL_ERROR)),
    ("5.1", "idle: RST_STREAM", lambda p: frame(RST_STREAM, 0, 1, struct.pack("!L", CANCEL)), connection_error(PROTOCOL_ERROR)),
    ("5.1", "idle: WINDOW_UPDATE", lambda p: window_update(1, 100), connection_error(PROTOCOL_ERROR)),
    ("5.1", "idle: CONTINUATION", lambda p: frame(CONTINUATION, END_HEADERS, 1, p.head()), connection_error(PROTOCOL_ERROR)),
    ("5.1", "idle: PRIORITY is no harm", lambda p: frame(PRIORITY, 0, 1, bytes(4) + b"\x10") + p.request(3), lambda p: answered(p, 200, 3)),
    ("5.1", "half-closed: DATA", lambda p: p.request(1) + frame(DATA, END_STREAM, 1, b"test"), stream_error(STREAM_CLOSED_ERROR)),
    ("5.1", "half-closed: HEADERS", lambda p: p.request(1) + p.request(1), stream_error(STREAM_CLOSED_ERROR)),
    ("5.1", "half-closed: CONTINUATION", lambda p: p.request(1) + frame(CONTINUATION, END_HEADERS, 1, p.head()),
     connection_error(STREAM_CLOSED_ERROR, PROTOCOL_ERROR)),
    ("5.1", "after RST_STREAM: DATA", lambda p: p.request(1, method="POST", flags=OPEN) + frame(RST_STREAM, 0, 1, struct.pack("!L", CANCEL))
     + frame(DATA, END_STREAM, 1, b"test"), alive),
    ("5.1", "after RST_STREAM: HEADERS", lambda p: p.request(1, method="POST", flags=OPEN) + frame(RST_STREAM, 0, 1, struct.pack("!L", CANCEL))
     + p.request(1), never_answered),
    ("5.1", "after RST_STREAM: CONTINUATION", lambda p: p.request(1, method="POST", flags=OPEN)
     + frame(RST_STREAM, 0, 1, struct.pack("!L", CANCEL)) + frame(CONTINUATION, END_HEADERS, 1, p.head()),
     connection_error(STREAM_CLOSED_ERROR, PROTOCOL_ERROR)),
    ("5.1.1", "an even stream", lambda p: p.request(2), connection_error(PROTOCOL_ERROR)),
    ("5.1.1", "a lower stream than before", lambda p: p.request(5) + p.request(3), lambda p: never_answered(p, 3)),
    ("5.4.1", "the connection closes after its error", lambda p: frame(PING, 0, 0, bytes(9)), connection_error(FRAME_SIZE_ERROR)),
    ("5.5", "an extension frame is ignored", lambda p: frame(0xff, 0, 0, b"x"), alive),
    ("5.5", "but not inside a field block", lambda p: p.request(1, flags=END_STREAM) + frame(0xff, 0, 1, b"x")
     + frame(CONTINUATION, END_HEADERS, 1), connection_error(PROTOCOL_ERROR)),
    # -- DATA --
    ("6.1", "on stream 0", lambda p: frame(DATA, END_STREAM, 0, b"test"), connection_error(PROTOCOL_ERROR)),
    ("6.1", "padded", lambda p: p.request(1, BODY, method="POST", flags=OPEN) + frame(DATA, END_STREAM | PADDED, 1, b"\x06test" + bytes(6)),
     answered),
    ("6.1", "more padding than there is", lambda p: p.request(1, BODY, method="POST", flags=OPEN)
     + frame(DATA, END_STREAM | PADDED, 1, b"\x06test"), connection_error(PROTOCOL_ERROR)),
    ("6.1", "padding alone, without its length", lambda p: p.request(1, BODY, method="POST", flags=OPEN)
     + frame(DATA, END_STREAM | PADDED, 1, b""), connection_error(PROTOCOL_ERROR, FRAME_SIZE_ERROR)),
    # -- HEADERS --
    ("6.2", "on stream 0", lambda p: p.request(0), connection_error(PROTOCOL_ERROR)),
    ("6.2", "padded", lambda p: frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\x04" + p.head() + bytes(4)), answered),
    ("6.2", "more padding than there is", lambda p: frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\xff" + p.head()[:20]),
     connection_error(PROTOCOL_ERROR)),
    ("6.2", "with priority", lambda p: frame(HEADERS, END_STREAM | END_HEADERS | PRIORITY_FLAG, 1, b"\x80\0\0\0\xff" + p.head()), answered),
    ("6.2", "with priority and padding", lambda p: frame(HEADERS, END_STREAM | END_HEADERS | PRIORITY_FLAG | PADDED, 1,
     b"\x02\x80\0\0\0\xff" + p.head() + bytes(2)), answered),
    # -- PRIORITY --
    ("6.3", "is ignored", lambda p: frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") + p.request(1) + frame(PRIORITY, 0, 1, b"\0\0\0\x03\x10"), answered),
    ("6.3", "on stream 0", lambda p: frame(PRIORITY, 0, 0, bytes(5)), connection_error(PROTOCOL_ERROR)),
    ("6.3", "of another length", lambda p: p.request(1, method="POST", flags=OPEN) + frame(PRIORITY, 0, 1, bytes(4)), stream_error(FRAME_SIZE_ERROR)),
    # -- RST_STREAM --
    ("6.4", "on stream 0", lambda p: frame(RST_STREAM, 0, 0, bytes(4)), connection_error(PROTOCOL_ERROR)),
    ("6.4", "of another length", lambda p: p.request(1, method="POST", flags=OPEN) + frame(RST_STREAM, 0, 1, bytes(3)), connection_error(FRAME_SIZE_ERROR)),
    ("6.4", "ends its stream and no other", lambda p: p.request(1, method="POST", flags=OPEN) + frame(RST_STREAM, 0, 1, bytes(4)) + p.request(3),
     lambda p: answered(p, 200, 3)),
    # -- SETTINGS --
    ("6.5", "are acknowledged", lambda p: settings((MAX_CONCURRENT_STREAMS, 100)),
     lambda p: None if p.until(lambda f: f.kind == SETTINGS and f.flags & ACK) else "no ACK"),
    ("6.5", "ACK with a payload", lambda p: frame(SETTINGS, ACK, 0, bytes(6)), connection_error(FRAME_SIZE_ERROR)),
    ("6.5", "on a stream", lambda p: frame(SETTINGS, 0, 1, bytes(6)), connection_error(PROTOCOL_ERROR)),
    ("6.5", "of another length", lambda p: frame(SETTINGS, 0, 0, bytes(3)), connection_error(FRAME_SIZE_ERROR)),
    ("6.5.2", "ENABLE_PUSH of 2", lambda p: settings((ENABLE_PUSH, 2)), connection_error(PROTOCOL_ERROR)),
    ("6.5.2", "a window above 2^31-1", lambda p: settings((INITIAL_WINDOW_SIZE, 0x80000000)), connection_error(FLOW_CONTROL_ERROR)),
    ("6.5.2", "frames below 2^14", lambda p: settings((MAX_FRAME_SIZE, 16383)), connection_error(PROTOCOL_ERROR)),
    ("6.5.2", "frames above 2^24-1", lambda p: settings((MAX_FRAME_SIZE, 1 << 24)), connection_error(PROTOCOL_ERROR)),
    ("6.5.2", "an unknown one is ignored", lambda p: settings((0xff, 1)), alive),
    ("6.5.2", "MAX_HEADER_LIST_SIZE and HEADER_TABLE_SIZE of the client are heeded", lambda p: settings((MAX_HEADER_LIST_SIZE, 65536),
     (HEADER_TABLE_SIZE, 0)) + p.request(1), answered),
    ("6.5.3", "the last of several holds", lambda p: settings((INITIAL_WINDOW_SIZE, 100), (INITIAL_WINDOW_SIZE, 1)), window_of_one),
    # -- PUSH_PROMISE --
    ("8.4", "no client pushes", lambda p: frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack("!L", 2) + p.head()), connection_error(PROTOCOL_ERROR)),
    # -- PING --
    ("6.7", "comes back", lambda p: b"", alive),
    ("6.7", "an ACK is not answered", lambda p: frame(PING, ACK, 0, b"unwanted"),
     both(alive, lambda p: "answered" if [f for f in p.seen if f.kind == PING and f.payload == b"unwanted"] else None)),
    ("6.7", "on a stream", lambda p: frame(PING, 0, 1, PING8), connection_error(PROTOCOL_ERROR)),
    ("6.7", "of another length", lambda p: frame(PING, 0, 0, bytes(6)), connection_error(FRAME_SIZE_ERROR)),
    # -- GOAWAY --
    ("6.8", "on a stream", lambda p: frame(GOAWAY, 0, 1, bytes(8)), connection_error(PROTOCOL_ERROR)),
    ("6.8", "lets what is under way end", lambda p: p.request(1) + frame(GOAWAY, 0, 0, bytes(8)), answered),
    ("7", "an unknown code is no harm", lambda p: p.request(1, method="POST", flags=OPEN) + frame(RST_STREAM, 0, 1, b"\0\0\0\xff") + p.request(3),
     lambda p: answered(p, 200, 3)),
    # -- WINDOW_UPDATE --
    ("6.9", "of nothing, for the connection", lambda p: window_update(0, 0), connection_error(PROTOCOL_ERROR)),
    ("6.9", "of nothing, for a stream", lambda p: p.request(1, method="POST", flags=OPEN) + window_update(1, 0), stream_error(PROTOCOL_ERROR)),
    ("6.9", "of another length", lambda p: frame(WINDOW_UPDATE, 0, 0, bytes(3)), connection_error(FRAME_SIZE_ERROR)),
    ("6.9.1", "the connection's window above 2^31-1", lambda p: window_update(0, 0x7fffffff) + window_update(0, 0x7fffffff),
     connection_error(FLOW_CONTROL_ERROR)),
    ("6.9.1", "a stream's window above 2^31-1", lambda p: p.request(1, method="POST", flags=OPEN) + window_update(1, 0x7fffffff)
     + window_update(1, 0x7fffffff), stream_error(FLOW_CONTROL_ERROR)),
    ("6.9.1", "no more is sent than the window allows", lambda p: settings((INITIAL_WINDOW_SIZE, 1)), window_of_one),
    ("6.9.2", "a window of nothing grows by SETTINGS", lambda p: settings((INITIAL_WINDOW_SIZE, 0)), window_grown_by_settings),
    ("6.9.2", "a window made smaller than what was sent", lambda p: settings((INITIAL_WINDOW_SIZE, 3)), window_made_negative),
    ("6.9.2", "a window grown above 2^31-1 by SETTINGS", lambda p: p.request(1, method="POST", flags=OPEN) + window_update(1, 0x7fff0000)
     + settings((INITIAL_WINDOW_SIZE, 0x7fffffff)), stream_error(FLOW_CONTROL_ERROR)),
    # -- CONTINUATION --
    ("6.10", "several", lambda p: frame(HEADERS, END_STREAM, 1, p.head()) + frame(CONTINUATION, 0, 1, literal("x-one", "1"))
     + frame(CONTINUATION, END_HEADERS, 1, literal("x-two", "2")), answered),
    ("6.10", "a field cut anywhere", lambda p: frame(HEADERS, END_STREAM, 1, p.head()[:17]) + frame(CONTINUATION, 0, 1)
     + frame(CONTINUATION, END_HEADERS, 1, p.head()[17:]), answered),
    ("6.10", "followed by something else", lambda p: frame(HEADERS, END_STREAM, 1, p.head()) + frame(CONTINUATION, 0, 1)
     + frame(DATA, END_STREAM, 1, b"x"), connection_error(PROTOCOL_ERROR)),
    ("6.10", "on stream 0", lambda p: frame(HEADERS, END_STREAM, 1, p.head()) + frame(CONTINUATION, END_HEADERS, 0), connection_error(PROTOCOL_ERROR)),
    ("6.10", "after the end of a block", lambda p: p.request(1, method="POST", flags=OPEN) + frame(CONTINUATION, END_HEADERS, 1),
     connection_error(PROTOCOL_ERROR)),
    ("6.10", "after the end of another", lambda p: frame(HEADERS, END_STREAM, 1, p.head()) + frame(CONTINUATION, END_HEADERS, 1)
     + frame(CONTINUATION, END_HEADERS, 1), connection_error(PROTOCOL_ERROR)),
    ("6.10", "after DATA", lambda p: p.request(1, method="POST", flags=OPEN) + frame(DATA, 0, 1, b"x") + frame(CONTINUATION, END_HEADERS, 1),
     connection_error(PROTOCOL_ERROR)),
    # -- requests --
    ("8.1", "HEAD has no body", lambda p: p.request(1, method="HEAD"), lambda p: answered(p) or ("a body" if p.answer()[2] else None)),
    ("8.1", "POST with trailers", lambda p: p.request(1, method="POST", flags=OPEN) + frame(DATA, 0, 1, b"test")
     + frame(HEADERS, END_STREAM | END_HEADERS, 1, literal("x-check", "1")), answered),
    ("8.1", "a second head that does not end the stream", lambda p: p.request(1, method="POST", flags=OPEN) + frame(DATA, 0, 1, b"x")
     + frame(HEADERS, END_HEADERS, 1, literal("x-check", "1")), stream_error(PROTOCOL_ERROR)),
    ("8.1", "DATA behind the trailers", lambda p: p.request(1, method="POST", flags=OPEN) + frame(HEADERS, END_STREAM | END_HEADERS, 1,
     literal("x", "1")) + frame(DATA, END_STREAM, 1, b"x"), stream_error(STREAM_CLOSED_ERROR)),
    ("8.2.1", "a name in capitals", lambda p: p.request(1, ("X-Test", "ok")), malformed()),
    ("8.2.1", "a name with a colon in it", lambda p: p.request(1, ("x:test", "ok")), malformed()),
    ("8.2.1", "a name with a space", lambda p: p.request(1, ("x test", "ok")), malformed()),
    ("8.2.1", "an empty name", lambda p: p.request(1, ("", "ok")), malformed()),
    ("8.2.1", "a name beyond ASCII", lambda p: p.request(1, ("x\xe9", "ok")), malformed()),
    ("8.2.1", "a value with CR LF", lambda p: p.request(1, ("x-test", "a\r\nx-chatelaine-device: b")), malformed()),
    ("8.2.1", "a value with LF alone", lambda p: p.request(1, ("x-test", "a\nb")), malformed()),
    ("8.2.1", "a value with NUL", lambda p: p.request(1, ("x-test", "a\0b")), malformed()),
    ("8.2.1", "a value that begins with a space", lambda p: p.request(1, ("x-test", " a")), malformed()),
    ("8.2.1", "a value that ends with a tab", lambda p: p.request(1, ("x-test", "a\t")), malformed()),
    ("8.2.2", "Connection", lambda p: p.request(1, ("connection", "keep-alive")), malformed()),
    ("8.2.2", "Transfer-Encoding", lambda p: p.request(1, ("transfer-encoding", "chunked"), method="POST"), malformed()),
    ("8.2.2", "Upgrade", lambda p: p.request(1, ("upgrade", "websocket")), malformed()),
    ("8.2.2", "Keep-Alive", lambda p: p.request(1, ("keep-alive", "300")), malformed()),
    ("8.2.2", "Proxy-Connection", lambda p: p.request(1, ("proxy-connection", "close")), malformed()),
    ("8.2.2", "TE other than trailers", lambda p: p.request(1, ("te", "gzip")), malformed()),
    ("8.2.2", "TE of trailers", lambda p: p.request(1, ("te", "trailers")), answered),
    ("8.2.3", "cookies in crumbs", lambda p: p.request(1, ("cookie", "a=1"), ("cookie", "b=2")), answered),
    ("8.3", "an unknown pseudo field", lambda p: p.request(1, (":test", "ok")), malformed()),
    ("8.3", "a pseudo field of answers", lambda p: p.request(1, (":status", "200")), malformed()),
    ("8.3", "a pseudo field in trailers", lambda p: p.request(1, method="POST", flags=OPEN) + frame(HEADERS, END_STREAM | END_HEADERS, 1,
     literal(":method", "GET")), malformed()),
    ("8.3", "a pseudo field behind others", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.encode([(":method", "GET"),
     (":scheme", "https"), ("x", "y"), (":path", "/"), (":authority", p.site)])), malformed()),
    ("8.3.1", "an empty path", lambda p: p.request(1, path=""), malformed()),
    ("8.3.1", "a path without a slash", lambda p: p.request(1, path="x"), malformed()),
    ("8.3.1", "a path with a space", lambda p: p.request(1, path="/a b"), malformed()),
    ("8.3.1", "no method", lambda p: p.request(1, drop=(":method",)), malformed()),
    ("8.3.1", "no scheme", lambda p: p.request(1, drop=(":scheme",)), malformed()),
    ("8.3.1", "no path", lambda p: p.request(1, drop=(":path",)), malformed()),
    ("8.3.1", "no authority and no Host", lambda p: p.request(1, drop=(":authority",)), malformed()),
    ("8.3.1", "Host in place of the authority", lambda p: p.request(1, ("host", p.site), drop=(":authority",)), answered),
    ("8.3.1", "Host that is another's", lambda p: p.request(1, ("host", "other.test")), malformed()),
    ("8.3.1", "an authority with a user", lambda p: p.request(1, authority="me@" + p.site), malformed()),
    ("8.3.1", "another site's authority", lambda p: p.request(1, authority="other.test"), lambda p: answered(p, 421)),
    ("8.3.1", "a scheme that is none of HTTP's", lambda p: p.request(1, scheme="ftp"), malformed()),
    ("8.3.1", "a method with a space", lambda p: p.request(1, method="GET /"), malformed()),
    ("8.3.1", "method twice", lambda p: p.request(1, (":method", "GET")), malformed()),
    ("8.3.1", "method twice, at the front", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(":method", "GET") + p.head()), malformed()),
    ("8.3.1", "scheme twice", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(":scheme", "https") + p.head()), malformed()),
    ("8.3.1", "path twice", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(":path", "/") + p.head()), malformed()),
    ("8.3.1", "authority twice", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(":authority", p.site) + p.head()), malformed()),
    ("8.1.1", "less body than its length says", lambda p: p.request(1, ("content-length", "9"), method="POST", flags=OPEN)
     + frame(DATA, END_STREAM, 1, b"test"), malformed()),
    ("8.1.1", "more body than its length says", lambda p: p.request(1, ("content-length", "1"), method="POST", flags=OPEN)
     + frame(DATA, 0, 1, b"te") + frame(DATA, END_STREAM, 1, b"st"), malformed()),
    ("8.1.1", "a length and no body", lambda p: p.request(1, BODY, method="POST"), malformed()),
    ("8.1.1", "two lengths", lambda p: p.request(1, BODY, ("content-length", "5"), method="POST", flags=OPEN) + frame(DATA, END_STREAM, 1, b"test"),
     malformed()),
    ("8.1.1", "a length that is none", lambda p: p.request(1, ("content-length", "4x"), method="POST", flags=OPEN)
     + frame(DATA, END_STREAM, 1, b"test"), malformed()),
    ("8.5", "CONNECT is for WebSockets alone", lambda p: p.request(1, method="CONNECT", drop=(":scheme", ":path")),
     lambda p: malformed()(p) and answered(p, 501)),
    ("8441-4", ":protocol without CONNECT", lambda p:
     frame(HEADERS, END_STREAM | END_HEADERS, 1, literal(":protocol", "websocket") + p.head()), malformed()),
    ("8441-4", "CONNECT by a protocol that nobody speaks here", lambda p: frame(HEADERS, END_HEADERS, 1,
     literal(":protocol", "connect-udp") + p.head(method="CONNECT")), lambda p: answered(p, 501)),
    # -- HPACK --
    ("7541-2.3.3", "index 0", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + b"\x80"), connection_error(COMPRESSION_ERROR)),
    ("7541-2.3.3", "an index beyond the table", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + number(70, 7, 0x80)),
     connection_error(COMPRESSION_ERROR)),
    ("7541-2.3.3", "a name by an index beyond the table", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + number(70, 6, 0x40) + text("x")),
     connection_error(COMPRESSION_ERROR)),
    ("7541-4.2", "a table's size that changes behind fields", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + number(1, 5, 0x20)),
     connection_error(COMPRESSION_ERROR)),
    ("7541-4.2", "a table's size that changes in front", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, number(0, 5, 0x20)
     + number(4096, 5, 0x20) + p.head()), answered),
    ("7541-5.1", "a number without end", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + b"\xff" + b"\xff" * 32 + b"\x01"),
     connection_error(COMPRESSION_ERROR)),
    ("7541-5.2", "a string longer than its block", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + b"\x00\x7f\x01x"),
     connection_error(COMPRESSION_ERROR)),
    ("7541-5.2", "Huffman padding of eight bits and more", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + b"\x00\x85\xf2\xb2\x4a\x84\xff"
     + b"\x84\x49\x50\x9f\xff"), connection_error(COMPRESSION_ERROR)),
    ("7541-5.2", "Huffman padding of zeros", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head() + b"\x00\x85\xf2\xb2\x4a\x87\xff"
     + b"\x83\x49\x50\x90"), connection_error(COMPRESSION_ERROR)),
    ("7541-5.2", "the end-of-string symbol inside", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, p.head()
     + b"\x00\x88\xf2\xb2\x4a\x87\xff\xff\xff\xff" + b"\x83\x49\x50\x9f"), connection_error(COMPRESSION_ERROR)),
    ("7541-6.1", "fields of the static table", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x87\x84\x01" + text(p.site)), answered),
    ("7541-6.2", "each kind of literal", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82\x87\x84" + b"\x41" + text(p.site)
     + b"\x40" + text("x-a") + text("1") + b"\x10" + text("x-b") + text("2") + b"\x00" + text("x-c") + text("3") + b"\xbe"), answered),
    ("7541-6.3", "a table larger than we allow", lambda p: frame(HEADERS, END_STREAM | END_HEADERS, 1, number(1 << 20, 5, 0x20) + p.head()),
     connection_error(COMPRESSION_ERROR)),
]


@pytest.mark.parametrize("section,about,send,check", ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_clause(door, section, about, send, check):
    one = peer(door)
    one.send(send(one))
    wrong = check(one)
    one.stream.close()
    assert not wrong, f"{wrong}\n{one.seen}"


def test_a_preface_that_is_none_ends_the_connection(door):
    for preface in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", PREFACE + frame(PING, 0, 0, PING8)):
        one = peer(door, preface=False)
        one.send(preface)
        assert connection_error(PROTOCOL_ERROR)(one) is None, preface


def test_the_answers_of_streams_that_were_refused_are_said_so(door):
    """Above SETTINGS_MAX_CONCURRENT_STREAMS; those below are served."""
    one = peer(door)
    first = one.until(lambda f: f.kind == SETTINGS and not f.flags & ACK)
    told = {key: value for key, value in struct.iter_unpack("!HL", first.payload)}
    most = told[MAX_CONCURRENT_STREAMS]
    assert told[ENABLE_CONNECT_PROTOCOL] == 1 and 16 <= most <= 1000
    one.send(*[one.request(1 + 2 * i, ("content-length", "1"), method="POST", flags=OPEN) for i in range(most + 1)])
    assert stream_error(REFUSED_STREAM, PROTOCOL_ERROR, stream=1 + 2 * most)(one) is None
    one.send(frame(DATA, END_STREAM, 1, b"x"))
    assert answered(one) is None


def test_after_all_that_the_door_still_serves(door):
    assert door.status("/", door.me) == 200
    assert "event=ended" not in door.log_text()
