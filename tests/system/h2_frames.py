"""HTTP/2 by the frame, well-formed or not: for what no library would send."""
import struct

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITY_FLAG = 0x4, 0x8, 0x20
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED_ERROR, FRAME_SIZE_ERROR,
 REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM) = range(12)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL = 8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b"", length=None):
    """Nine octets and the payload (RFC 9113 section 4.1); `length` may lie."""
    size = len(payload) if length is None else length
    return struct.pack("!BHBBL", size >> 16, size & 0xffff, kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack("!HL", key, value) for key, value in pairs))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack("!L", increment))


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def __repr__(self):
        return f"<{self.kind} flags={self.flags:#x} stream={self.stream} {self.payload[:24]!r}>"

    @property
    def code(self):
        """Of RST_STREAM and GOAWAY."""
        return struct.unpack("!L", self.payload[:4] if self.kind == RST_STREAM else self.payload[4:8])[0]


class Peer:
    """One connection: its own encoder and decoder, and all frames that came."""

    def __init__(self, stream, site, preface=True, first=()):
        self.stream, self.site = stream, site
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.unread, self.seen, self.ended = b"", [], False
        if preface:
            self.send(PREFACE + settings(*first))

    def send(self, *pieces):
        """What the other end cut off meanwhile is no failure: what it said will tell."""
        try:
            self.stream.sendall(b"".join(pieces))
        except OSError:
            pass

    def head(self, *more, method="GET", path="/", scheme="https", authority=None, drop=()):
        """A header block; `drop` leaves out pseudo fields."""
        pseudo = [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority or self.site)]
        return self.encode([(name, value) for name, value in pseudo if name not in drop] + list(more))

    def encode(self, fields):
        return b"".join(literal(name, value) for name, value in fields)

    def request(self, stream=1, *more, flags=END_STREAM | END_HEADERS, **head):
        return frame(HEADERS, flags, stream, self.head(*more, **head))

    def read(self):
        """The next frame; None: the end."""
        while len(self.unread) < 9 or len(self.unread) < 9 + int.from_bytes(self.unread[:3], "big"):
            try:
                more = self.stream.recv(65536)
            except OSError as error:
                if "timed out" in str(error):
                    raise
                more = b""
            if not more:
                self.ended = True
                return None
            self.unread += more
        size = int.from_bytes(self.unread[:3], "big")
        kind, flags, stream = struct.unpack("!BBL", self.unread[3:9])
        got = Frame(kind, flags, stream & 0x7fffffff, self.unread[9:9 + size])
        self.unread = self.unread[9 + size:]
        self.seen.append(got)
        return got

    def until(self, wanted):
        """The first frame that `wanted` likes, among those that came and will come; None: the end came first."""
        for got in self.seen:
            if wanted(got):
                return got
        while (got := self.read()) is not None:
            if wanted(got):
                return got
        return None

    def answer(self, stream=1):
        """Status, fields and body of an answer, or the RST_STREAM or GOAWAY in its place."""
        fields, body = [], b""
        at = 0
        while True:
            while at == len(self.seen):
                if self.read() is None:
                    return None
            got = self.seen[at]
            at += 1
            if got.kind == GOAWAY and got.code != NO_ERROR:
                return got
            if got.stream != stream:
                continue
            if got.kind == RST_STREAM:
                return got
            if got.kind == HEADERS:
                fields += self.decoder.decode(got.payload)
            if got.kind == DATA:
                body += got.payload
            if got.kind in (HEADERS, DATA) and got.flags & END_STREAM:
                return int(dict(fields)[":status"]), dict(fields), body


def text(data):
    """A string literal without Huffman coding (RFC 7541 section 5.2)."""
    data = data.encode("latin-1") if isinstance(data, str) else data
    return number(len(data), 7) + data


def number(value, bits, first=0):
    """RFC 7541 section 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = bytes([first | most]), value - most
    while value >= 128:
        out, value = out + bytes([value % 128 + 128]), value // 128
    return out + bytes([value])


def literal(name, value):
    """Without indexing, new name (section 6.2.2): each block stands alone."""
    return b"\x00" + text(name) + text(value)
