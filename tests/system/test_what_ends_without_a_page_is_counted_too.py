"""A dropped handshake, a body that goes wrong behind its answer's beginning, a flood that is turned away: no page says so to
anybody, but the figures do."""
import contextlib
import http.client
import ssl

import pytest
from house import free_port, wait_for
from upstream import Upstream


def refusals(port, code):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith(f'chatelaine_refusals_total{{code="{code}"}} '):
            return float(line.rsplit(" ", 1)[1])
    return 0


def test_each_has_its_code(make_house):
    def early(caller):
        caller.request()
        caller.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nearly\r\n")
        caller.read()
        caller.read()

    with Upstream(early) as upstream:
        house, port = make_house(), free_port()
        house.init(upstream.url)
        house.set("no-certificate", "drop")
        house.set("listen-metrics", f'{{"127.0.0.1:{port}"}}')
        house.set("device-handshakes", "1")
        house.serve()
        alice, revoked = house.device(), house.device("bob")
        assert house.run("device", "revoke", "bob/laptop")
        for device in (None, revoked):
            with pytest.raises((ssl.SSLError, OSError)), house.tls(device) as stream:
                stream.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert stream.recv(1) == b"", "an end, or an alert"
                raise OSError
        wait_for(lambda: refusals(port, "C01") == 1, "no certificate")
        wait_for(lambda: refusals(port, "C04") == 1, "a revoked one")
        with house.tls(alice) as stream:
            stream.sendall(f"POST / HTTP/1.1\r\nHost: {house.site}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n".encode())
            answer = b""
            while b"early" not in answer:
                answer += stream.recv(65536)
            with contextlib.suppress(OSError):
                stream.sendall(b"0\r\nTrai ler: x\r\n\r\n")
            with contextlib.suppress(OSError):
                while stream.recv(65536):
                    pass
        wait_for(lambda: refusals(port, "C20") == 1, "trailers that are none")
        for _ in range(15):
            with contextlib.suppress(OSError):
                house.tls(alice).close()
        wait_for(lambda: refusals(port, "C37") >= 1, "too many handshakes")
