"""Whatever a client sends, an application reads one identity: that of the certificate, or none."""
import base64
import hashlib
import pathlib
import re
import socket
import ssl
import subprocess
import urllib.parse

import pytest

from house import House, read_answer
from recording_upstream import RecordingUpstream, fold
from websocket_client import WebSocket

HEADERS = {
    "chatelaine": ["X-Chatelaine-Device", "X-Chatelaine-Person", "X-Chatelaine-Email", "X-Chatelaine-Groups"],
    "rfc9440": ["Client-Cert", "Client-Cert-Chain"],
    "nginx": ["X-SSL-Client-Cert", "X-SSL-Client-Cert-Subject-DN", "X-SSL-Client-Cert-Issuer-DN", "X-SSL-Client-Serial",
              "X-SSL-Client-Verify"],
    "mattermost": ["X-SSL-Client-Cert", "X-SSL-Client-Cert-Subject-DN"],
    "wott": ["Ssl-Client", "Ssl-Client-Verify"],
    "xfcc": ["X-Forwarded-Client-Cert"],
}
# What no dialect of ours writes, but applications are known to believe.
OTHERS = ["X-Chatelaine-Role", "X-Chatelaine", "X-SSL-Client-S-DN", "X-SSL-Client-I-DN", "X-SSL-Cert", "SSL-Client-S-DN",
          "SSL-Client-Cert", "Remote-User", "X-Remote-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Client-Cert",
          "X-Client-DN", "X-Client-Verify", "X-Forwarded-Tls-Client-Cert", "X-Amzn-Mtls-Clientcert", "X-ARR-ClientCert",
          "X-Auth-Request-User", "X-WebAuth-User"]
ALL = sorted({name for names in HEADERS.values() for name in names})
WORDS = [{"chatelaine", "rfc9440", "nginx", "wott", "xfcc"}, {"mattermost"}, {"chatelaine"}]
FORGED = "forged-identity"
PLAIN = "harmless-and-kept"


def spellings(name):
    """Case, and every character that some upstream takes for a hyphen; single ones and all of them."""
    yield name
    yield name.lower()
    yield name.upper()
    yield name.swapcase()
    for mark in "_.!#$%&'*+^`|~":
        yield name.replace("-", mark)
        yield name.lower().replace("-", mark, 1)
        yield mark.join(name.upper().rsplit("-", 1))


class Place:
    def __init__(self, folder, words):
        folder.mkdir(exist_ok=True)
        self.words, self.upstream = words, RecordingUpstream()
        self.house = House(folder)
        self.house.init(self.upstream.url)
        listed = ", ".join(f'"{word}"' for word in sorted(words))
        self.house.add_to_site(f'headers = {{{listed}}}\nlocation "/open" {{ no-certificate = allow }}')
        self.house.set("workers", 2)
        self.house.person("alice", "--groups", "staff,admins")
        self.alice = self.house.device("alice", "laptop")
        self.house.serve()

    def ours(self):
        return sorted({name for word in self.words for name in HEADERS[word]})

    def send(self, stream, lines, body=b"", target="/"):
        text = "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {self.house.site}", *lines]) + "\r\n\r\n"
        stream.sendall(text.encode("latin-1") + body)
        return read_answer(stream)

    def expect(self, request, known=True):
        """Exactly our lines, in our spelling and once, and nothing else that sounds like one."""
        identity = {fold(name) for name in ALL + OTHERS}
        found = sorted(name for name, _ in request.fields + request.trailers if fold(name) in identity)
        if known:
            assert found == self.ours(), found
        else:
            assert set(found) <= {"X-SSL-Client-Verify", "Ssl-Client-Verify"}
            assert all(value == "NONE" for name, value in request.fields if name in found)
        assert FORGED.encode() not in request.raw

    def close(self):
        self.house.close()
        self.upstream.close()


@pytest.fixture(scope="module", params=range(len(WORDS)), ids=lambda n: "+".join(sorted(WORDS[n])))
def place(request, tmp_path_factory):
    one = Place(tmp_path_factory.mktemp(f"place{request.param}"), WORDS[request.param])
    yield one
    one.close()


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    one = Place(tmp_path_factory.mktemp("everything"), WORDS[0])
    yield one
    one.close()


@pytest.fixture(scope="module")
def mattermost(tmp_path_factory):
    one = Place(tmp_path_factory.mktemp("mattermost"), WORDS[1])
    yield one
    one.close()


def test_no_spelling_of_a_header_passes_in_a_head(place):
    with place.house.tls(place.alice) as stream:
        for name in ALL + OTHERS:
            names = list(dict.fromkeys(spellings(name)))
            assert place.send(stream, [f"{one}: {FORGED}" for one in names] + [f"X-Harmless: {PLAIN}"])[0] == 200, name
            (request,) = place.upstream.take()
            place.expect(request)
            assert request.one("X-Harmless") == PLAIN


def test_repeated_and_padded_headers_do_not_pass(place):
    padded = [f"{{}}:{FORGED}", f"{{}}: \t {FORGED}\t ", f"{{}}:   {FORGED}", "{}:", f"{{}}: {FORGED}, {FORGED}"]
    with place.house.tls(place.alice) as stream:
        for name in ALL:
            assert place.send(stream, [line.format(name) for line in padded * 3])[0] == 200
            place.expect(place.upstream.take()[0])


@pytest.mark.parametrize("line", ["{} : v", "{}\t: v", " {}: v", "\t{}: v", "{}\x0b: v", "{}\0: v", "{} x: v", "{}\r: v",
                                  "X-Harmless: a\n{}: v", "X-Harmless: a\r{}: v", "{}\xad: v", ":{}: v", "X-Harmless: a\r\n {}: v",
                                  "(x){}: v", "{}@: v", "\"{}\": v"])
def test_a_malformed_header_line_is_refused_and_never_forwarded(everything, line):
    for name in ("X-Chatelaine-Device", "x_ssl_client_cert_subject_dn"):
        with everything.house.tls(everything.alice) as stream:
            status, fields, _ = everything.send(stream, [line.format(name)])
            assert status == 400 and fields["connection"] == "close"
            assert stream.recv(1) == b""
        assert everything.upstream.take() == []


def test_no_header_passes_in_a_trailer(place):
    lines = [f"{name}: {FORGED}\r\n" for name in ALL + ["X-Forwarded-For", "X-Real-IP", "X_Chatelaine_Device",
                                                        "x.ssl.client.cert.subject.dn"]]
    with place.house.tls(place.alice) as stream:
        for line in lines + ["".join(lines)]:
            body = f"4\r\nbody\r\n0\r\nX-Sum: {PLAIN}\r\n{line}\r\n".encode()
            status, _, _ = place.send(stream, ["Transfer-Encoding: chunked", "TE: trailers", "Trailer: X-Sum, X-Chatelaine-Device"],
                                      body)
            (request,) = place.upstream.take()
            assert status == 200 and request.body == b"body"
            place.expect(request)
            assert [name for name, _ in request.trailers if name != "X-Sum"] == []
            assert request.all("X-Sum") == [PLAIN], "an honest trailer arrives"


def test_no_header_passes_in_an_upgrade(place):
    for names in (ALL + OTHERS, [name.replace("-", "_").lower() for name in ALL]):
        live = WebSocket(place.house, place.alice, "/socket", fields=[f"{name}: {FORGED}" for name in names])
        live.close()
        (request,) = place.upstream.take()
        assert request.one("Upgrade") == "websocket"
        place.expect(request)


def test_connection_cannot_take_ours_away(place):
    names = ALL + ["X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host"]
    for value in [name.lower() for name in names] + [", ".join(names[:20]), "close, " + ", ".join(names[:20]),
                                                     "x_chatelaine_device, X_SSL_CLIENT_CERT_SUBJECT_DN"]:
        with place.house.tls(place.alice) as stream:
            assert place.send(stream, [f"Connection: {value}", f"{names[0]}: {FORGED}"])[0] == 200
        (request,) = place.upstream.take()
        place.expect(request)
        for name in ("X-Forwarded-For", "X-Real-IP"):
            assert request.one(name) == "127.0.0.1"
        assert request.one("X-Forwarded-Proto") == "https"


def test_forwarding_headers_are_replaced_for_everybody(everything):
    lies = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 6.6.6.7, 6.6.6.8", "x_forwarded_for: 6.6.6.6", "X-Real-IP: 6.6.6.6",
            "X.Real.IP: 6.6.6.6", "Forwarded: for=6.6.6.6;host=evil.test", "X-Forwarded-Host: evil.test", "X-Forwarded-Proto: http",
            "X-Forwarded-Server: evil.test", "X-Forwarded-Port: 666", "X-Client-IP: 6.6.6.6", "True-Client-IP: 6.6.6.6",
            "CF-Connecting-IP: 6.6.6.6", "X-Original-URL: /evil.test", "X-Rewrite-URL: /evil.test", "Proxy: http://evil.test"]
    with everything.house.tls(everything.alice) as stream:
        assert everything.send(stream, lies)[0] == 200
    (request,) = everything.upstream.take()
    assert b"6.6.6" not in request.raw and b"evil" not in request.raw and b"666" not in request.raw
    assert request.one("X-Forwarded-For") == request.one("X-Real-IP") == "127.0.0.1"
    assert request.one("X-Forwarded-Proto") == "https" and request.one("X-Forwarded-Host") == everything.house.site


def test_a_trusted_proxy_is_believed_about_addresses_and_about_no_identity(make_house):
    upstream = RecordingUpstream()
    one = make_house()
    one.init(upstream.url)
    one.set("trusted-proxies", '{"127.0.0.1", "10.0.0.0/8"}')
    alice = one.device("alice", "laptop")
    one.serve()
    with one.tls(alice) as stream:
        for sent, real, whole in (("203.0.113.9", "203.0.113.9", "203.0.113.9, 127.0.0.1"),
                                  ("6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9", "6.6.6.6, 203.0.113.9, 10.1.2.3, 127.0.0.1"),
                                  ("nonsense", "127.0.0.1", "nonsense, 127.0.0.1")):
            stream.sendall(f"GET / HTTP/1.1\r\nHost: {one.site}\r\nX-Forwarded-For: {sent}\r\nX-Real-IP: 6.6.6.6\r\n"
                           f"X-Chatelaine-Device: {FORGED}\r\n\r\n".encode())
            assert read_answer(stream)[0] == 200
            (request,) = upstream.take()
            assert request.one("X-Real-IP") == real and request.one("X-Forwarded-For") == whole
            assert request.one("X-Chatelaine-Device") == alice.id
    upstream.close()


def test_nobody_at_an_open_location_is_nobody_to_the_application(place):
    """Without a certificate, with a stranger's, and with one that was revoked."""
    revoked = place.house.device("mallory", "laptop")
    place.house.run("device", "revoke", revoked.id)
    folder = pathlib.Path(place.house.folder)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                    folder / "self.key", "-out", folder / "self.pem", "-subj", "/CN=alice/emailAddress=alice@example.com"],
                   check=True, capture_output=True)
    stranger = place.house.context()
    stranger.load_cert_chain(folder / "self.pem", folder / "self.key")
    for context in (place.house.context(), place.house.context(revoked), stranger):
        with place.house.tls(context=context) as stream:
            lines = [f"{one}: {FORGED}" for name in ALL for one in (name, name.replace("-", "_"))]
            assert place.send(stream, lines, target="/open/x")[0] == 200
            (request,) = place.upstream.take()
            place.expect(request, known=False)
            assert b"mallory" not in request.raw and b"alice" not in request.raw
            assert place.send(stream, lines)[0] == 403, "and nobody beside it"
            assert place.upstream.take() == []


# -- what stands in our own lines ------------------------------------------------------------------------------


def der_of(path):
    return ssl.PEM_cert_to_DER_cert(pathlib.Path(path).read_text())


def ask(place, device=None):
    with place.house.tls(device or place.alice) as stream:
        assert place.send(stream, [])[0] == 200
    (request,) = place.upstream.take()
    return request


def test_chatelaine_words_are_the_registrys(everything):
    request = ask(everything)
    assert request.one("X-Chatelaine-Device") == everything.alice.id
    assert request.one("X-Chatelaine-Person") == "alice" and request.one("X-Chatelaine-Email") == "alice@example.com"
    assert sorted(request.one("X-Chatelaine-Groups").split(",")) == ["admins", "staff"]


def test_rfc9440_is_a_structured_field_with_the_certificate_and_its_chain(everything):
    request = ask(everything)
    item = re.fullmatch(r":([A-Za-z0-9+/]+=*):", request.one("Client-Cert"))
    assert base64.b64decode(item[1], validate=True) == der_of(everything.alice.cert)
    item = re.fullmatch(r":([A-Za-z0-9+/]+=*):", request.one("Client-Cert-Chain"))
    assert base64.b64decode(item[1], validate=True) == der_of(everything.house.state / "issuing.pem")


def openssl_says(certificate, *words):
    done = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", *words], capture_output=True, text=True, check=True)
    return done.stdout.strip().split("=", 1)[1]


def test_nginx_lines_are_what_nginx_would_say(everything):
    request = ask(everything)
    pem = urllib.parse.unquote(request.one("X-SSL-Client-Cert"))
    assert pem.startswith("-----BEGIN CERTIFICATE-----\n") and ssl.PEM_cert_to_DER_cert(pem) == der_of(everything.alice.cert)
    assert request.one("X-SSL-Client-Cert-Subject-DN") == openssl_says(everything.alice.cert, "-subject", "-nameopt", "RFC2253")
    assert request.one("X-SSL-Client-Cert-Issuer-DN") == openssl_says(everything.alice.cert, "-issuer", "-nameopt", "RFC2253")
    assert request.one("X-SSL-Client-Serial") == openssl_says(everything.alice.cert, "-serial")
    assert request.one("X-SSL-Client-Verify") == "SUCCESS"


def test_wott_lines_name_the_device(everything):
    request = ask(everything)
    assert request.one("Ssl-Client") == everything.alice.id and request.one("Ssl-Client-Verify") == "SUCCESS"


def test_xfcc_is_what_envoy_would_say(everything):
    parts = dict(re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^;,"]*)(?:;|$)', ask(everything).one("X-Forwarded-Client-Cert")))
    der = der_of(everything.alice.cert)
    assert parts["Hash"] == hashlib.sha256(der).hexdigest()
    assert ssl.PEM_cert_to_DER_cert(urllib.parse.unquote(parts["Cert"].strip('"'))) == der
    assert parts["Subject"].strip('"') == openssl_says(everything.alice.cert, "-subject", "-nameopt", "RFC2253")
    assert everything.alice.id in parts["URI"]


def test_mattermost_reads_one_e_mail_out_of_the_slash_form(mattermost):
    request = ask(mattermost)
    parts = request.one("X-SSL-Client-Cert-Subject-DN").split("/")
    assert parts[0] == "" and [p for p in parts if p.startswith("emailAddress=")] == ["emailAddress=alice@example.com"]
    assert all(part.count("=") == 1 for part in parts[1:])
    assert ssl.PEM_cert_to_DER_cert(urllib.parse.unquote(request.one("X-SSL-Client-Cert"))) == der_of(mattermost.alice.cert)


def test_a_resumed_session_is_told_as_fully_as_a_first_one(everything):
    """The certificate is not sent again then, and the next worker may never have seen it."""
    context, session, resumed = everything.house.context(everything.alice), None, 0
    first = None
    for _ in range(24):
        plain = socket.create_connection(("127.0.0.1", everything.house.port), timeout=20)
        with context.wrap_socket(plain, server_hostname=everything.house.site, session=session) as stream:
            assert everything.send(stream, [])[0] == 200
            resumed += stream.session_reused
            session = stream.session
        (request,) = everything.upstream.take()
        everything.expect(request)
        first = first or request.fields
        assert request.fields == first
    assert resumed > 0, "nothing was resumed, so nothing was shown"
