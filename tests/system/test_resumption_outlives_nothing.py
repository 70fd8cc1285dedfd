"""TLS sessions resume for known devices, at any gateway, and end with what they stood for; nothing live outlives its certificate."""
import contextlib
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import time

from house import read_answer, wait_for
from websocket_client import WebSocket

HERE = pathlib.Path(__file__).parent


def connect(house):
    plain = socket.create_connection(("127.0.0.1", house.port), timeout=20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


class Client:
    """One device with one TLS configuration, so that Python lets it offer its sessions."""

    def __init__(self, house, device, name=None, most=ssl.TLSVersion.TLSv1_3):
        self.house, self.name = house, house.site if name is None else name
        self.context = house.context(device)
        self.context.maximum_version = most
        self.context.set_alpn_protocols(["http/1.1"])
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE  # whom they trust is told elsewhere

    def visit(self, session=None, name=None, path="/headers"):
        """(resumed, status, body, the session that came)"""

        plain = connect(self.house)
        name = self.name if name is None else name
        with self.context.wrap_socket(plain, server_hostname=name or None, session=session) as stream:
            stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {self.house.site}\r\n\r\n".encode())
            status, _, body = read_answer(stream)
            return stream.session_reused, status, body.decode(), stream.session

    def session(self):
        resumed, status, _, session = self.visit()
        assert not resumed and status == 200 and session and session.has_ticket
        return session


def s_client(house, *words, request="/headers"):
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", "-servername", house.site,
                           "-CAfile", str(house.root), "-alpn", "http/1.1", "-ign_eof", *map(str, words)],
                          capture_output=True, text=True, timeout=30, errors="replace",
                          input=f"GET {request} HTTP/1.1\r\nHost: {house.site}\r\nConnection: close\r\n\r\n")
    return done.stdout


def a_house(make_house, config="", workers=1):
    house = make_house(config=config)
    house.init(house.example())
    house.set("workers", workers)
    return house


# -- it works -----------------------------------------------------------------------------------------------------------

def test_openssl_resumes_and_is_known_by_the_same_headers(house):
    alice, bob = house.device("alice", "laptop"), house.device("bob", "laptop")
    kept = house.folder / "session.pem"
    first = s_client(house, "-cert", alice.cert, "-key", alice.key, "-sess_out", kept)
    assert "\nNew, TLSv1.3" in first and first.count("New Session Ticket arrived") == 1
    # Without the certificate at hand: only the session says who it is.
    again = s_client(house, "-sess_in", kept)
    assert "\nReused, TLSv1.3" in again

    def identity(text):
        return sorted(line for line in text.splitlines() if line.lower().startswith("x-chatelaine-"))

    assert identity(again) == identity(first) and any(alice.id in line for line in identity(again))
    # Nor does another device's certificate, offered with it, make it somebody else.
    again = s_client(house, "-sess_in", kept, "-cert", bob.cert, "-key", bob.key)
    assert "\nReused, TLSv1.3" in again and identity(again) == identity(first)


def test_a_dialect_that_sends_the_certificate_sends_it_on_resumption_too(make_house):
    house = a_house(make_house, '\theaders = {"nginx", "rfc9440"}').serve()
    client = Client(house, house.device())
    _, _, first, session = client.visit()
    resumed, status, body, _ = client.visit(session)
    assert resumed and status == 200

    def headers(text):
        return sorted(line for line in text.splitlines() if re.match("(?i)x-ssl-client|client-cert", line))

    assert headers(body) == headers(first) and any("BEGIN%20CERTIFICATE" in line for line in headers(body))


def test_many_resume_from_one_ticket_and_each_gets_another(house):
    """Browsers open several connections at once with the only ticket that they have."""
    client = Client(house, house.device())
    session = client.session()
    for _ in range(6):
        resumed, status, _, another = client.visit(session)
        assert resumed and status == 200 and another.id != session.id
    assert client.visit(another)[0], "and so on"


def test_every_gateway_resumes_what_another_one_began_also_after_they_were_killed(make_house):
    house = a_house(make_house, workers=2).serve()
    client = Client(house, house.device())
    session = client.session()

    def roles():
        return set(re.findall(r"role=(gateway\.\d) event=exchange", house.log_text()))

    def visit():
        assert client.visit(session)[0]
        return roles() == {"gateway.1", "gateway.2"}

    wait_for(visit, "both have resumed it")
    before = house.parts("gateway")
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: len(house.parts("gateway")) == 2 and not set(before) & set(house.parts("gateway")), "they are back")
    resumed, status, _, _ = wait_for(lambda: retry(lambda: client.visit(session)), "an answer")
    assert resumed and status == 200


def retry(call):
    try:
        return call()
    except OSError:
        return None


# -- it ends ------------------------------------------------------------------------------------------------------------

def test_not_after_revocation(house):
    client = Client(house, house.device("alice", "laptop"))
    session = client.session()
    assert client.visit(session)[0]
    house.run("device", "revoke", "alice/laptop")
    resumed, status, body, session = client.visit(session)
    assert not resumed and status == 403 and "C04" in body
    assert session is None or not session.has_ticket, "nor is another ticket given"


def test_not_for_another_name_or_none(make_house):
    house = make_house()
    house.init(house.example())
    other = house.folder / "other"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=other.test", "-addext", "subjectAltName=DNS:other.test", "-keyout", f"{other}.key", "-out",
                    f"{other}.pem"], check=True, capture_output=True)
    text = house.config.read_text()
    block = text[text.index('site "'):].replace(f'site "{house.site}"', 'site "other.test"')
    block = re.sub(r'(certificate|key) = .*\.(pem|key)"', rf'\1 = "{other}.\2"', block)
    house.config.write_text(text + "\n" + block)
    device = house.device()
    house.serve()
    client = Client(house, device)
    session = client.session()
    assert not client.visit(session, name="other.test")[0]
    assert not client.visit(session, name="")[0]
    assert not client.visit(session, name="nobody.test")[0]
    assert client.visit(session)[0], "while its own name still resumes it"
    # And the other way: what began without a name goes on without one only.
    _, _, _, nameless = client.visit(name="")
    assert not client.visit(nameless)[0]


def test_not_after_a_rule_has_changed(make_house):
    house = a_house(make_house)
    house.person("alice", "--groups", "staff")
    client = Client(house, house.device("alice", "laptop"))
    house.serve()
    session = client.session()
    assert client.visit(session)[0]
    house.add_to_site('    who = {"staff"}')
    house.process.send_signal(signal.SIGHUP)
    house.wait_log("new files are in use")
    resumed, status, _, another = client.visit(session)
    assert not resumed and status == 200, "still welcome, but asked anew"
    assert client.visit(another)[0]


def test_not_by_tls_1_2(house):
    device = house.device()
    client = Client(house, device, most=ssl.TLSVersion.TLSv1_2)
    resumed, status, _, session = client.visit()
    assert not resumed and status == 200
    assert not session.has_ticket
    assert not client.visit(session)[0], "nor by the session's id"
    kept = house.folder / "session.pem"
    words = ["-cert", device.cert, "-key", device.key, "-tls1_2"]
    s_client(house, *words, "-sess_out", kept)
    assert "\nNew, TLSv1.2" in s_client(house, *words, "-sess_in", kept)


def test_strangers_get_no_ticket_and_push_nobody_out(house):
    client = Client(house, house.device())
    session = client.session()
    assert "New Session Ticket" not in s_client(house)
    stranger = Client(house, None)
    for _ in range(200):
        resumed, status, _, nothing = stranger.visit()
        assert not resumed and status == 403 and (nothing is None or not nothing.has_ticket)
    assert client.visit(session)[0]


# -- not-after ----------------------------------------------------------------------------------------------------------

@contextlib.contextmanager
def clock_moved(folder, seconds):
    """For the commands in it; see shifted.c."""
    library, before = folder / "shifted.so", dict(os.environ)
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, HERE / "shifted.c"], check=True)
    os.environ.update(LD_PRELOAD=str(library), SHIFT=str(int(seconds)))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def house_with_a_certificate_that_ends_in(make_house, seconds):
    """A house of last year, with a device whose certificate is in its last seconds."""
    model = make_house()
    with clock_moved(model.folder, 0):
        model.init("http://127.0.0.1:1")
        life = model.device().facts["not_after"] - time.time()
    house = make_house()
    application = house.example()
    with clock_moved(house.folder, seconds - life):
        house.init(application)
        device = house.device()
    house.set("workers", 1)
    assert seconds - 5 < device.facts["not_after"] - time.time() < seconds + 5, "the clock was moved"
    return house, device


def test_nothing_outlives_not_after(make_house):
    house, device = house_with_a_certificate_that_ends_in(make_house, 8)
    house.serve()
    client = Client(house, device)
    session = client.session()
    assert client.visit(session)[0]
    kept = client.context.wrap_socket(connect(house), server_hostname=house.site)
    kept.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] == 200
    idle = client.context.wrap_socket(connect(house), server_hostname=house.site)
    live = WebSocket(house, device, "/live", stream=client.context.wrap_socket(connect(house), server_hostname=house.site))
    assert time.time() <= device.facts["not_after"], "all of it began in time"

    code, reason = live.read_until_close()
    assert code == 1008 and "expired" in reason
    assert time.time() >= device.facts["not_after"]
    assert kept.recv(1) == b"" and idle.recv(1) == b""
    resumed, status, body, _ = client.visit(session)
    assert not resumed and status == 403 and "C02" in body


