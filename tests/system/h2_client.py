"""HTTP/2 by python3-h2 over a TLS socket: a client that can be told to misbehave."""
import socket

import h2.config
import h2.connection
import h2.events

EXTENDED = 8  # SETTINGS_ENABLE_CONNECT_PROTOCOL


class Stream:
    def __init__(self, number):
        self.id = number
        self.status, self.fields, self.body, self.trailers = None, {}, b"", {}
        self.interim = []
        self.ended = False
        self.reset = None


class Client:
    def __init__(self, house, device=None, context=None, timeout=20, quiet=True):
        self.house = house
        self.tls = house.tls(device, context=context, alpn=("h2",), timeout=timeout)
        assert self.tls.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False,
                                           normalize_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.streams = {}
        self.goaways, self.pings, self.settings = [], [], {}
        self.closed, self.held = False, b""
        self.holds = set()  # of these streams, and of None the connection, nothing is acknowledged
        if quiet:
            self.h2.initiate_connection()
            self.flush()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.tls.sendall(data)

    def raw(self, data):
        self.tls.sendall(data)

    def head(self, method="GET", path="/", fields=(), authority=None, scheme="https", **pseudo):
        named = [(":method", method), (":scheme", scheme), (":authority", authority or f"{self.house.site}:{self.house.port}"),
                 (":path", path)]
        return named + [(":" + name, value) for name, value in pseudo.items()] + list(fields)

    def open(self, head, end=True):
        number = self.h2.get_next_available_stream_id()
        self.streams[number] = Stream(number)
        self.h2.send_headers(number, head, end_stream=end)
        self.flush()
        return self.streams[number]

    def send(self, stream, data, end=False):
        """As far as the windows go, waiting for them."""
        while data or end:
            room = min(self.h2.local_flow_control_window(stream.id), self.h2.max_outbound_frame_size, len(data))
            if data and room == 0:
                self.step()
                assert not stream.reset and not self.closed, (stream.reset, self.goaways)
                continue
            part, data = data[:room], data[room:]
            self.h2.send_data(stream.id, part, end_stream=end and not data)
            self.flush()
            if not data:
                return

    def step(self):
        """One read; False: the connection is over."""
        try:
            data = self.tls.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.closed = True
            return False
        self.held += data
        while len(self.held) >= 9 and len(self.held) >= 9 + int.from_bytes(self.held[:3], "big"):
            size = 9 + int.from_bytes(self.held[:3], "big")
            frame, self.held = self.held[:size], self.held[size:]
            for event in self.h2.receive_data(frame):
                self.take(event)
            if self.goaways:
                # A GOAWAY is the end for python3-h2; for RFC 9113 it is not.
                self.h2.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
        try:
            self.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # what it said last, and its end, are still to be read
        return True

    def take(self, event):
        stream = self.streams.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived) and stream:
            stream.fields = dict(event.headers)
            stream.status = int(stream.fields[":status"])
        elif isinstance(event, h2.events.InformationalResponseReceived) and stream:
            stream.interim.append(int(dict(event.headers)[":status"]))
        elif isinstance(event, h2.events.DataReceived):
            if stream:
                stream.body += event.data
            if event.stream_id not in self.holds and None not in self.holds and event.flow_controlled_length:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived) and stream:
            stream.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded) and stream:
            stream.ended = True
        elif isinstance(event, h2.events.StreamReset) and stream:
            stream.reset = int(event.error_code)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.goaways.append((event.last_stream_id, int(event.error_code)))
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings.append(event.ping_data)
        elif isinstance(event, h2.events.RemoteSettingsChanged):
            self.settings.update({int(k): v.new_value for k, v in event.changed_settings.items()})

    def until(self, condition):
        while not condition():
            if not self.step():
                assert condition(), f"the connection ended: {self.goaways}"

    def wait(self, stream):
        self.until(lambda: stream.ended or stream.reset is not None)
        return stream

    def until_closed(self):
        while self.step():
            pass

    def get(self, path="/", fields=(), **more):
        return self.wait(self.open(self.head(path=path, fields=fields, **more)))

    def close(self):
        try:
            self.tls.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.tls.close()


class Pipe:
    """A stream's bytes both ways, as websocket_client wants a socket: sendall, recv, close."""

    def __init__(self, client, stream):
        self.client, self.stream, self.at = client, stream, 0

    def sendall(self, data):
        self.client.send(self.stream, data)

    def recv(self, most):
        self.client.until(lambda: len(self.stream.body) > self.at or self.stream.ended or self.stream.reset is not None)
        data = self.stream.body[self.at:self.at + most]
        self.at += len(data)
        return data

    def close(self):
        self.client.close()


def websocket(client, path, fields=(), **pseudo):
    """RFC 8441: the stream, answered or refused."""
    words = {"protocol": "websocket", **pseudo}
    stream = client.open(client.head("CONNECT", path, [("sec-websocket-version", "13"), *fields], **words), end=False)
    client.until(lambda: stream.status is not None or stream.reset is not None)
    return stream
