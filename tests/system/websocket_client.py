"""A WebSocket client of few words over a house's TLS socket (RFC 6455): enough to see every frame as it comes."""
import base64
import os
import struct

from house import wait_for  # noqa: F401  (re-exported for tests)


class WebSocket:
    def __init__(self, house, device, path, stream=None, fields=()):
        self.stream = stream or house.tls(device)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET {path} HTTP/1.1", f"Host: {house.site}", "Upgrade: websocket", "Connection: Upgrade",
                 f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", *fields]
        self.stream.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.stream.recv(1)
            assert more, f"the upgrade ended: {head!r}"
            head += more
        self.head = head.decode("latin-1")
        assert " 101 " in self.head.splitlines()[0], self.head

    def send(self, payload, opcode=1, final=True):
        payload = payload.encode() if isinstance(payload, str) else payload
        mask = os.urandom(4)
        size = len(payload)
        head = bytes([(0x80 if final else 0) | opcode])
        if size < 126:
            head += bytes([0x80 | size])
        elif size < 65536:
            head += bytes([0x80 | 126]) + struct.pack(">H", size)
        else:
            head += bytes([0x80 | 127]) + struct.pack(">Q", size)
        self.stream.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def _take(self, count):
        data = b""
        while len(data) < count:
            more = self.stream.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def read(self):
        """One frame: (opcode, payload)."""
        first, second = self._take(2)
        size = second & 0x7F
        if size == 126:
            size, = struct.unpack(">H", self._take(2))
        elif size == 127:
            size, = struct.unpack(">Q", self._take(8))
        return first & 0x0F, self._take(size)

    def read_text(self):
        while True:
            opcode, payload = self.read()
            if opcode == 1:
                return payload.decode()

    def read_until_close(self):
        """The Close frame's code and reason, after whatever came before it."""
        while True:
            opcode, payload = self.read()
            if opcode == 8:
                return struct.unpack(">H", payload[:2])[0], payload[2:].decode()

    def close(self):
        self.stream.close()
