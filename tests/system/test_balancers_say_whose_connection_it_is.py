"""PROXY v1 and v2 on listen: from those whom proxy-from names it must come, and the client is who it says; from others
it is refused."""
import socket
import ssl
import struct

import pytest
from house import read_answer

V2 = b"\r\n\r\n\x00\r\nQUIT\n"


def v1(client="192.0.2.7", port=4711):
    six = ":" in client
    return f"PROXY TCP{6 if six else 4} {client} {'2001:db8::1' if six else '198.51.100.1'} {port} 443\r\n".encode()


def v2(client="192.0.2.7", port=4711, tlvs=b"", command=0x21):
    if ":" in client:
        addresses = socket.inet_pton(socket.AF_INET6, client) + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
        family = 0x21
    else:
        addresses, family = socket.inet_aton(client) + socket.inet_aton("198.51.100.1"), 0x11
    body = addresses + struct.pack("!HH", port, 443) + tlvs
    return V2 + bytes([command, family]) + struct.pack("!H", len(body)) + body


@pytest.fixture
def behind(make_house):
    """A house whose balancer is 127.0.0.1; strangers come from 127.0.0.2."""
    one = make_house()
    one.init(one.example())
    one.set("proxy-from", '{"127.0.0.1"}')
    return one.serve()


def tls(house, header, device=None, source="127.0.0.1", pieces=None):
    plain = socket.create_connection(("127.0.0.1", house.port), timeout=20, source_address=(source, 0))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces or [header]:
        plain.sendall(piece)
    context = house.context(device)
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(plain, server_hostname=house.site)


def who(house, stream, *fields):
    lines = "".join(f"{field}\r\n" for field in fields)
    stream.sendall(f"GET /headers HTTP/1.1\r\nHost: {house.site}\r\n{lines}\r\n".encode())
    return read_answer(stream)


def is_cut(plain):
    plain.settimeout(20)
    try:
        return plain.recv(100) == b""
    except ConnectionResetError:
        return True


TRUE = [
    (v1(), "192.0.2.7"), (v1("2001:db8::7"), "2001:db8::7"), (v2(), "192.0.2.7"), (v2("2001:db8::7"), "2001:db8::7"),
    (v2(tlvs=b"\x04\x02\x58" + bytes(600)), "192.0.2.7"),
    (b"PROXY UNKNOWN\r\n", "127.0.0.1"), (V2 + b"\x20\0\0\0", "127.0.0.1")]
FALSE = [
    (b"\x16\x03\x01\x02\x00\x01", "no PROXY header"), (b"GET / HTTP/1.1\r\n", "no PROXY header"),
    (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "two addresses and two ports are needed"),
    (v2(command=0x22), "version and command 0x22"), (v1() + v1(), "a second PROXY header")]


def test_the_client_is_who_the_header_says(behind):
    device = behind.device()
    for header, client in TRUE:
        before = len(behind.log_text())
        with tls(behind, header, device) as stream:
            status, _, body = who(behind, stream, "X-Real-IP: 203.0.113.9", "X-Forwarded-For: 203.0.113.9")
        assert status == 200
        text = body.decode().lower()
        assert f"x-real-ip: {client}" in text and f"x-forwarded-for: {client}" in text and "203.0.113.9" not in text
        behind.wait_log(f"from={client} ", before)
    header = v2("2001:db8::8")
    with tls(behind, None, device, pieces=[header[i:i + 1] for i in range(len(header))]) as stream:
        assert who(behind, stream)[0] == 200
    behind.wait_log("from=2001:db8::8 ")


def test_a_strangers_header_is_refused_with_a_line_in_the_log(behind):
    for header in (v1(), v2()):
        with socket.create_connection(("127.0.0.1", behind.port), timeout=20, source_address=("127.0.0.2", 0)) as plain:
            before = len(behind.log_text())
            plain.sendall(header)
            assert is_cut(plain)
        behind.wait_log("from=127.0.0.2 text=\"a PROXY header from an address that proxy-from does not name", before)
    with tls(behind, b"", behind.device(), source="127.0.0.2") as stream:
        assert who(behind, stream)[0] == 200, "a stranger without one is a client as any other"


def test_a_balancer_that_says_it_wrong_is_refused(behind):
    for header, why in FALSE:
        before = len(behind.log_text())
        with socket.create_connection(("127.0.0.1", behind.port), timeout=20) as plain:
            plain.sendall(header)
            assert is_cut(plain)
        behind.wait_log(why, before)


def test_its_time_is_the_handshakes(make_house):
    one = make_house()
    one.init(one.example())
    one.set("proxy-from", '{"127.0.0.0/8"}')
    one.set("handshake-time", "1s")
    one.serve()
    with socket.create_connection(("127.0.0.1", one.port), timeout=20) as plain:
        plain.sendall(b"PROXY TCP4")
        assert is_cut(plain)


def test_a_wrong_network_is_named(make_house):
    one = make_house()
    one.init("http://127.0.0.1:1")
    one.set("proxy-from", '{"10.0.0.5/8"}')
    one.serve(wait=False)
    assert one.process.wait(20) == 1
    one.wait_log("proxy-from")
