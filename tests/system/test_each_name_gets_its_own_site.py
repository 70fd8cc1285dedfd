"""Which certificate, which rules, which application for which name; and no way from one site into another."""
import socket
import ssl
import subprocess

import pytest

from house import read_answer
from recording_upstream import RecordingUpstream

SITE = """
site "%(name)s" {
    %(more)s
    upstream = {"http://127.0.0.1:%(port)d"}
    certificate = %(certificate)s
    key = %(key)s
}
"""


def certificate(folder, label, names, *key):
    """Signed by the test's own public authority."""
    made = folder / f"{label}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", *key, "-nodes", "-keyout", folder / f"{label}.key", "-out", made, "-days", "9", "-subj",
                    f"/CN={label}", "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-addext", "basicConstraints=critical,CA:FALSE",
                    "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)], check=True, capture_output=True)
    return str(made), str(folder / f"{label}.key")


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    """Sites door.test, a.test (also www.a.test; RSA and EC), *.wild.test, open.wild.test, b.test (rules as a.test's)."""
    from house import House
    folder = tmp_path_factory.mktemp("town")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", folder / "ca.key", "-out",
                    folder / "ca.pem", "-days", "9", "-subj", "/CN=a public authority"], check=True, capture_output=True)
    ec = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    rsa, rsa_key = certificate(folder, "rsa", ["a.test", "www.a.test"], "rsa:2048")
    ec_a, ec_a_key = certificate(folder, "ec", ["a.test", "www.a.test"], *ec)
    wild, wild_key = certificate(folder, "wild", ["*.wild.test"], *ec)
    b, b_key = certificate(folder, "b", ["b.test"], *ec)
    one = House(folder)
    one.applications = {name: RecordingUpstream(lambda request, name=name: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name.encode()))
                        for name in ("door.test", "a.test", "*.wild.test", "open.wild.test", "b.test")}
    one.init(one.applications["door.test"].url)
    text = one.config.read_text()
    for name, more, cert, key in (("a.test", 'also = {"WWW.a.test"}  who = {"staff"}', f'{{"{rsa}", "{ec_a}"}}', f'{{"{rsa_key}", "{ec_a_key}"}}'),
                                  ("*.wild.test", "", f'"{wild}"', f'"{wild_key}"'),
                                  ("open.wild.test", "no-certificate = allow", f'"{wild}"', f'"{wild_key}"'),
                                  ("b.test", 'who = {"staff"}', f'"{b}"', f'"{b_key}"')):
        text += SITE % {"name": name, "more": more, "port": one.applications[name].port, "certificate": cert, "key": key}
    one.config.write_text(text)
    one.person("alice", "--groups", "staff")
    one.serve()
    one.alice = one.device()
    one.authorities = folder / "all.pem"
    one.authorities.write_text(one.root.read_text() + (folder / "ca.pem").read_text())
    yield one
    one.close()
    for application in one.applications.values():
        application.close()


def context(town, device=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(str(town.authorities))
    made.check_hostname = False
    if device:
        made.load_cert_chain(device.cert, device.key)
    return made


def get(stream, host, path="/"):
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    answer = read_answer(stream)
    return answer and (answer[0], answer[2].decode("latin-1"))


def ask(town, name, host=None, device=None, made=None):
    with (made or context(town, device)).wrap_socket(socket.create_connection(("127.0.0.1", town.port), timeout=20), server_hostname=name) as stream:
        names = {value for _, value in stream.getpeercert().get("subjectAltName", ())}
        return get(stream, host or name), names


def test_an_exact_name_then_a_wildcard_of_one_label_then_nobodys(town):
    for name, site in (("a.test", "a.test"), ("www.a.test", "a.test"), ("WWW.A.TEST", "a.test"), ("b.test", "b.test"), ("x.wild.test", "*.wild.test"),
                       ("open.wild.test", "open.wild.test"), ("door.test", "door.test")):
        answer, names = ask(town, name, device=town.alice)
        assert answer == (200, site), name
        assert "*.wild.test" in names if "wild" in name else name.lower() in names, (name, names)
    for application in town.applications.values():
        application.take()
    for name in ("nobody.test", "x.y.wild.test", "wild.test", "xa.test", "a.test.nobody.test", "web.a.test"):
        answer, names = ask(town, name, device=town.alice)
        assert answer[0] == 421 and "C11" in answer[1] and names == {"door.test"}, name
        for host in ("a.test", "x.wild.test", "b.test", "nobody.test"):
            assert ask(town, name, host, device=town.alice)[0][0] == 421, (name, host)
    assert ask(town, "nobody.test", "open.wild.test")[0][0] == 421, "not even what is open"
    assert not any(application.take() for application in town.applications.values())


def test_each_client_gets_the_key_that_it_can_check(town):
    for algorithms, label in (("rsa_pss_rsae_sha256", "rsa"), ("ecdsa_secp256r1_sha256", "ec"), ("ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256", "ec")):
        for version in ("-tls1_2", "-tls1_3"):
            said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{town.port}", "-servername", "www.a.test", "-CAfile", town.authorities,
                                   "-sigalgs", algorithms, version], text=True, input="", capture_output=True, timeout=30).stdout
            assert "Verify return code: 0 (ok)" in said and f"subject=CN = {label}\n" in said, (algorithms, version, said)


def test_another_host_on_the_connection_is_served_when_its_rules_are_the_same(town):
    assert ask(town, "a.test", "b.test", town.alice)[0] == (200, "b.test")
    assert ask(town, "b.test", "www.a.test", town.alice)[0] == (200, "a.test")
    assert ask(town, "www.a.test", "a.test", town.alice)[0] == (200, "a.test")
    for name, host in (("a.test", "door.test"), ("open.wild.test", "a.test"), ("open.wild.test", "x.wild.test"), ("x.wild.test", "open.wild.test"),
                       ("a.test", "open.wild.test"), ("door.test", "a.test")):
        answer = ask(town, name, host, town.alice)[0]
        assert answer[0] == 421 and "C12" in answer[1], (name, host)
    assert ask(town, "open.wild.test")[0] == (200, "open.wild.test") and ask(town, "a.test")[0][0] == 403


def test_no_session_goes_from_one_site_to_another(town):
    for first, second, may in (("a.test", "a.test", True), ("a.test", "b.test", False), ("a.test", "x.wild.test", False), ("a.test", "door.test", False),
                               ("a.test", "nobody.test", False), ("open.wild.test", "a.test", False), ("open.wild.test", "x.wild.test", False)):
        made = context(town, town.alice)
        with made.wrap_socket(socket.create_connection(("127.0.0.1", town.port), timeout=20), server_hostname=first) as stream:
            assert get(stream, first)[0] == 200
            session = stream.session
        with made.wrap_socket(socket.create_connection(("127.0.0.1", town.port), timeout=20), server_hostname=second, session=session) as stream:
            assert get(stream, second)[0] == (421 if second == "nobody.test" else 200)
            assert stream.session_reused == may, (first, second)


class Records:
    """A client whose first flight goes out as it likes: records of `size` bytes, in writes of `piece` bytes."""

    def __init__(self, town, name, size, piece, many=0, device=None):
        made = context(town, device)
        made.set_alpn_protocols([f"{number:0250d}" for number in range(many)] + ["http/1.1"])
        self.coming, self.going = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = made.wrap_bio(self.coming, self.going, server_hostname=name)
        self.plain = socket.create_connection(("127.0.0.1", town.port), timeout=20)
        self.plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.hello = 0
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        flight = self.cut(self.going.read(), size)
        for at in range(0, len(flight), piece or len(flight)):
            self.plain.sendall(flight[at:at + (piece or len(flight))])
        self.run(self.tls.do_handshake)

    def cut(self, flight, size):
        message, version = b"", flight[1:3]
        while flight:
            length = int.from_bytes(flight[3:5], "big")
            message, flight = message + flight[5:5 + length], flight[5 + length:]
        self.hello = len(message)
        parts = [message[at:at + size] for at in range(0, len(message), size)]
        return b"".join(b"\x16" + version + len(part).to_bytes(2, "big") + part for part in parts)

    def run(self, step):
        while True:
            try:
                done = step()
            except ssl.SSLWantReadError:
                done = None
            data = self.going.read()
            if data:
                self.plain.sendall(data)
            if done is not None or step == self.tls.do_handshake and self.tls.version() and self.tls.cipher() and self.is_done():
                return done
            more = self.plain.recv(65536)
            if not more:
                raise EOFError
            self.coming.write(more)

    def is_done(self):
        try:
            self.tls.do_handshake()
            return True
        except ssl.SSLWantReadError:
            return False

    def sendall(self, data):
        self.tls.write(data)
        self.plain.sendall(self.going.read())

    def recv(self, size):
        return self.run(lambda: self.tls.read(size))


@pytest.mark.parametrize("size, piece, many", [(1, 1, 0), (1, 0, 0), (16384, 1, 0), (7, 0, 0), (100, 3, 70), (16384, 0, 70), (16384, 0, 240)],
                         ids=["bytes", "records-of-one", "one-byte-writes", "records-of-seven", "large-in-small", "over-16K", "60K"])
def test_a_first_flight_in_any_pieces_says_the_same(town, size, piece, many):
    for name, host, expected in (("a.test", "a.test", (200, "a.test")), ("x.wild.test", "x.wild.test", (200, "*.wild.test")),
                                 ("open.wild.test", "a.test", 421), ("nobody.test", "a.test", 421)):
        client = Records(town, name, size, piece, many, town.alice)
        assert client.hello > many * 250
        answer = get(client, host)
        assert answer == expected or answer[0] == expected, (name, answer)
        client.plain.close()
    client = Records(town, "a.test", size, piece, many)
    assert get(client, "a.test")[0] == 403, "nor does it get anybody in"
    client.plain.close()


def test_what_does_not_fit_together_is_named(town, tmp_path):
    text = town.config.read_text()
    rsa, ec, key = (str(town.folder / name) for name in ("rsa.pem", "ec.pem", "ec.key"))
    start = text.index('site "a.test"')
    for before, after, complaint in (
            (f'{{"{rsa}", "{ec}"}}', f'{{"{rsa}"}}', "two keys and one certificate"), (f'{{"{rsa}", "{ec}"}}', f'{{"{ec}", "{rsa}"}}', "key"),
            (f'{{"{rsa}", "{ec}"}}', f'{{"{rsa}", "{ec}", "{ec}"}}', "at most two"), ('"WWW.a.test"', '"c.test"', 'is not for "c.test", which also names it'),
            ('"WWW.a.test"', '"b.test"', "b.test"), ('"WWW.a.test"', '"a.test"', "it is there twice"), ('"WWW.a.test"', '"a b"', "a b")):
        assert before in text
        (tmp_path / "tried.conf").write_text(text[:start] + text[start:].replace(before, after, 1))
        done = town.run("config", "check", "--config", tmp_path / "tried.conf", check=False)
        assert done.returncode != 0 and complaint in done.stdout + done.stderr, (after, done.stdout + done.stderr)
    assert town.run("config", "check").returncode == 0 and key
