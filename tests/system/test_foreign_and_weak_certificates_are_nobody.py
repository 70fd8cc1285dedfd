"""Only a certificate that this house wrote for a device opens the door, in its time, and only with a key that is worth it."""
import base64
import json
import os
import pathlib
import re
import ssl
import subprocess
import time

import pytest

from house import BINARY, Device, House
from recording_upstream import RecordingUpstream

EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def openssl(*words, **more):
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stderr
    return done.stdout


def self_signed(folder, name, subject, key=EC, extensions=()):
    cert, private = folder / f"{name}.pem", folder / f"{name}.key"
    openssl("req", "-x509", *key, "-nodes", "-days", "365", "-subj", subject, "-keyout", private, "-out", cert,
            *(word for one in extensions for word in ("-addext", one)))
    return cert, private


class Place:
    def __init__(self, folder):
        self.folder, self.upstream = folder, RecordingUpstream()
        self.house = House(folder)
        self.house.init(self.upstream.url)
        self.house.add_to_site('location "/open" { no-certificate = allow }')
        self.alice = self.house.device("alice", "laptop")
        self.subject = self.slash_subject(self.alice.cert)
        self.house.serve()

    @staticmethod
    def slash_subject(cert):
        return "/" + openssl("x509", "-in", cert, "-noout", "-subject", "-nameopt", "RFC2253").strip().split("=", 1)[1]

    def knock(self, cert, key, *words, path="/page"):
        """An HTTP answer's bytes by openssl s_client, which shows whatever certificate it is given; "" when the handshake fails."""
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.house.port}", "-servername", self.house.site,
                               "-CAfile", str(self.house.root), "-cert", str(cert), "-key", str(key), "-quiet", "-ign_eof", *words],
                              input=f"GET {path} HTTP/1.1\r\nHost: {self.house.site}\r\nConnection: close\r\n\r\n",
                              capture_output=True, text=True, timeout=30)
        return done.stdout

    def expect_nobody(self, cert, key, *words, code="C06"):
        for version in ("-tls1_3", "-tls1_2"):
            answer = self.knock(cert, key, version, *words)
            if answer:
                assert answer.startswith("HTTP/1.1 403 ") and re.search(r"<code>(C\d\d)</code>", answer)[1] in code, answer
            assert self.upstream.take() == []
            # Where anybody may go he may go too, as nobody.
            if self.knock(cert, key, version, *words, path="/open"):
                (request,) = self.upstream.take()
                assert not request.all("X-Chatelaine-Device") and not request.all("X-Chatelaine-Person")

    def close(self):
        self.house.close()
        self.upstream.close()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    one = Place(tmp_path_factory.mktemp("place"))
    yield one
    one.close()


def test_the_right_certificate_opens_in_both_versions(place):
    """Or the rest of this file shows nothing."""
    for version in ("-tls1_3", "-tls1_2"):
        assert place.knock(place.alice.cert, place.alice.key, version).startswith("HTTP/1.1 200 ")
        assert place.upstream.take()[0].one("X-Chatelaine-Device") == place.alice.id


def test_our_own_server_certificate_is_no_device(place):
    server = place.house.state / "server"
    place.expect_nobody(server / "door.test.pem", server / "door.test.key")


def plain_key(place, path):
    """The authority's key files are the house's own; openssl reads them only if they are not encrypted."""
    return "ENCRYPTED" not in path.read_text()


def test_our_own_authority_is_no_device(place):
    shown = 0
    for name in ("issuing", "next"):
        cert, key = place.house.state / f"{name}.pem", place.house.state / f"{name}.key"
        assert plain_key(place, key)
        place.expect_nobody(cert, key)
        shown += 1
    assert shown == 2
    assert not plain_key(place, place.house.state / "root.key"), "the root's key needs the phrase"


def test_what_the_stolen_issuing_key_signs_is_no_device(place):
    """Recognised, not validated: a chain that is right in every way is not enough."""
    folder = place.folder
    openssl("req", *EC, "-nodes", "-subj", place.subject, "-keyout", folder / "stolen.key", "-out", folder / "stolen.csr")
    (folder / "stolen.ext").write_text("extendedKeyUsage=clientAuth\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n"
                                       f"subjectAltName=email:alice@example.com\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
    serial = openssl("x509", "-in", place.alice.cert, "-noout", "-serial").strip().split("=")[1]
    openssl("x509", "-req", "-in", folder / "stolen.csr", "-CA", place.house.state / "issuing.pem", "-CAkey",
            place.house.state / "issuing.key", "-set_serial", f"0x{serial}", "-days", "30", "-extfile", folder / "stolen.ext", "-out",
            folder / "stolen.pem")
    openssl("verify", "-purpose", "sslclient", "-CAfile", place.house.root, "-untrusted", place.house.state / "issuing.pem",
            folder / "stolen.pem")
    place.expect_nobody(folder / "stolen.pem", folder / "stolen.key", "-cert_chain", str(place.house.state / "issuing.pem"))


def test_a_self_signed_copy_of_a_device_is_nobody(place):
    uri = re.search(r"URI:(\S+)", openssl("x509", "-in", place.alice.cert, "-noout", "-ext", "subjectAltName"))[1]
    place.expect_nobody(*self_signed(place.folder, "copy", place.subject,
                                     extensions=[f"subjectAltName=email:alice@example.com,URI:{uri}", "extendedKeyUsage=clientAuth"]))


def test_a_foreign_authority_of_the_same_names_is_nobody(place, tmp_path):
    """Another house of the same site, with a person and a device that are called the same."""
    other = House(tmp_path / "other")
    other.folder.mkdir()
    other.init("http://127.0.0.1:1")
    twin = other.device("alice", "laptop")
    assert place.slash_subject(twin.cert) == place.subject
    place.expect_nobody(twin.cert, twin.key)
    place.expect_nobody(twin.cert, twin.key, "-cert_chain", twin.chain)


def test_anothers_certificate_without_its_key_does_not_even_shake_hands(place):
    with pytest.raises(ssl.SSLError):
        place.house.context().load_cert_chain(place.alice.cert, self_signed(place.folder, "thief", "/CN=thief")[1])
    # The certificate goes first in the chain of a stranger, and behind him.
    stranger, key = self_signed(place.folder, "stranger", "/CN=stranger")
    place.expect_nobody(stranger, key, "-cert_chain", place.alice.cert)


@pytest.mark.parametrize("key,codes", [(["-newkey", "rsa:1024"], "C06"),
                                       # OpenSSL's client sends no certificate where it cannot sign with it.
                                       (["-newkey", "rsa:512"], "C06 C01"),
                                       (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-192"], "C06 C01"),
                                       (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "C06 C01")])
def test_a_weak_key_in_a_handshake_is_nobody(place, key, codes):
    made = self_signed(place.folder, "weak" + key[-1].replace(":", ""), place.subject, key)
    place.expect_nobody(*made, "-cipher", "ALL:@SECLEVEL=0", "-ciphersuites", "TLS_AES_128_GCM_SHA256", code=codes)


def test_a_huge_chain_is_refused_and_others_are_served(place):
    extras = place.folder / "extras.pem"
    extras.write_text(pathlib.Path(place.alice.chain).read_text() * 400)
    place.knock(place.alice.cert, place.alice.key, "-cert_chain", str(extras))
    place.upstream.take()
    assert place.house.status("/page", place.alice) == 200
    assert "event=ended" not in place.house.log_text()
    place.upstream.take()


# -- time ---------------------------------------------------------------------------------------------------------


def at(when, *words):
    """One of our commands under another clock."""
    done = subprocess.run(["faketime", "-f", when, BINARY, *map(str, words)], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def old_place(tmp_path_factory):
    """A house that was made 500 days ago, with a device of then, one of now and one of next month."""
    one = Place.__new__(Place)
    one.folder, one.upstream = tmp_path_factory.mktemp("old"), RecordingUpstream()
    one.house = House(one.folder)
    state = ["--state", one.house.state]
    at("-500d", "init", one.house.site, "--to", one.upstream.url, "--listen", f"127.0.0.1:{one.house.port}", "--recovery-file",
       one.folder / "recovery.txt", *state)
    one.house.root = one.folder / "root.pem"
    one.house.root.write_text(one.house.run("ca", "cert").stdout)
    one.house.add_to_site('location "/open" { no-certificate = allow }')
    at("-500d", "person", "add", "alice", "--email", "alice@example.com", *state)

    def add(label, when):
        folder = one.folder / label
        return Device(label, folder, json.loads(at(when, "device", "add", "alice", "--label", label, "--pem", folder, "--json", *state)))

    one.old, one.present, one.future = add("old", "-500d"), add("present", "+0d"), add("future", "+30d")
    # A life is 365 days and up to a tenth more or less: one that ended in the last weeks, which the door still remembers.
    now = time.time()
    tries = (add(f"late{number}", "-380d") for number in range(100))
    one.late = next(device for device in tries if now - 25 * 86400 < device.facts["not_after"] < now - 86400)
    # The house's own server certificate has run out meanwhile.
    cert, key = self_signed(one.folder, "server", "/CN=x", extensions=["subjectAltName=DNS:door.test"])
    one.house.set("certificate", f'"{cert}"')
    one.house.set("key", f'"{key}"')
    one.house.serve()
    yield one
    one.close()


def test_out_of_its_time_a_certificate_is_nobody(old_place):
    assert old_place.knock(old_place.present.cert, old_place.present.key).startswith("HTTP/1.1 200 ")
    old_place.upstream.take()
    old_place.expect_nobody(old_place.late.cert, old_place.late.key, code="C02")
    old_place.expect_nobody(old_place.future.cert, old_place.future.key, code="C03")
    # Long ago: nobody remembers it.
    assert old_place.old.facts["not_after"] < time.time() - 31 * 86400
    old_place.expect_nobody(old_place.old.cert, old_place.old.key, code="C06")


# -- requests to sign -----------------------------------------------------------------------------------------------


def ask_to_sign(place, name, *words, subject="/CN=whatever", **more):
    """A CSR by openssl, and what our command says to it."""
    csr = place.folder / f"{name}.csr"
    openssl("req", "-new", *words, "-nodes", "-subj", subject, "-keyout", place.folder / f"{name}.csr.key", "-out", csr)
    return sign(place, name, csr)


def sign(place, name, csr):
    return place.house.run("device", "add", "alice", "--label", name, "--csr", csr, "--out", place.folder / f"{name}.crt", check=False)


def expect_refusal(place, done, name, *words):
    assert done.returncode == 1 and done.stderr.startswith("chatelaine device add: "), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    assert not (place.folder / f"{name}.crt").exists()
    assert place.house.run("device", "show", f"alice/{name}", check=False).returncode == 1, "nothing half done"


@pytest.mark.parametrize("key,words", [(["-newkey", "rsa:1024"], ["RSA", "1024", "2048"]), (["-newkey", "rsa:512"], ["RSA"]),
                                       (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-192"], []),
                                       (["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], []),
                                       (["-newkey", "dsa"], [])], ids=lambda v: v[-1] if v else "-")
def test_a_weak_key_is_not_signed_and_told_why(place, key, words):
    if key[-1] == "dsa":
        openssl("genpkey", "-genparam", "-algorithm", "DSA", "-pkeyopt", "dsa_paramgen_bits:1024", "-out", place.folder / "dsa.params")
        key = ["-newkey", f"dsa:{place.folder}/dsa.params"]
    expect_refusal(place, ask_to_sign(place, "weak", *key), "weak", "key", *words)


def test_a_request_signed_by_sha1_or_md5_is_not_signed(place):
    for digest in ("-sha1", "-md5"):
        expect_refusal(place, ask_to_sign(place, "digest", "-newkey", "rsa:2048", digest), "digest", "SHA-256")


def test_a_request_that_its_key_did_not_sign_is_not_signed(place):
    csr = place.folder / "broken.csr"
    openssl("req", "-new", *EC, "-nodes", "-subj", "/CN=x", "-keyout", place.folder / "broken.key", "-out", csr)
    lines = csr.read_text().splitlines()
    der = bytearray(base64.b64decode("".join(lines[1:-1])))
    der[-4] ^= 1
    csr.write_text("\n".join([lines[0], base64.b64encode(der).decode(), lines[-1]]) + "\n")
    expect_refusal(place, sign(place, "broken", csr), "broken", "not signed by the key")


@pytest.mark.parametrize("content", [b"", b"\n", b"-----BEGIN CERTIFICATE REQUEST-----\0\n", b"\xff\xfe", b"-----BEGIN CERTIFICATE REQUEST-----\n", b"\x30\x82", b"\0" * 100, b"x" * 100000,
                                     b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"],
                         ids=range(9))
def test_what_is_no_request_is_told_so(place, content):
    csr = place.folder / "no.csr"
    csr.write_bytes(content)
    expect_refusal(place, sign(place, "no", csr), "no")


@pytest.mark.parametrize("content", [b"pass\0word\n", b"\xff\n", b"\nword\n", b""], ids=range(4))
def test_a_password_file_that_is_no_text_is_told_so(place, content):
    file = place.folder / "password"
    file.write_bytes(content)
    done = place.house.run("device", "add", "alice", "--label", "no", "--p12", place.folder / "no.p12", "--password-file", file, check=False)
    assert done.returncode == 1 and str(file) in done.stderr, done.stderr
    assert not (place.folder / "no.p12").exists()


def test_a_certificate_or_key_in_place_of_a_request_is_told_so(place):
    for wrong in (place.alice.cert, place.alice.key):
        done = sign(place, "wrong", wrong)
        expect_refusal(place, done, "wrong", "certificate request")
        assert "PRIVATE" not in done.stdout, "no secret is repeated"


def test_only_the_key_is_taken_from_a_request(place):
    """It asks to be an authority, a server, somebody else and to live for ever."""
    config = place.folder / "greedy.cnf"
    config.write_text("""[req]
distinguished_name=dn
req_extensions=ext
attributes=attr
prompt=no
[dn]
O=CN=dev1
CN=admin
emailAddress=root@example.com
[attr]
challengePassword=secret
[ext]
basicConstraints=critical,CA:TRUE,pathlen:5
keyUsage=critical,keyCertSign,cRLSign
extendedKeyUsage=serverAuth,OCSPSigning,anyExtendedKeyUsage
subjectAltName=email:root@example.com,DNS:door.test,URI:https://evil.test/
nameConstraints=permitted;DNS:evil.test
1.2.3.4=ASN1:UTF8String:evil
""")
    csr = place.folder / "greedy.csr"
    openssl("req", "-new", *EC, "-nodes", "-config", config, "-keyout", place.folder / "greedy.csr.key", "-out", csr)
    done = sign(place, "greedy", csr)
    assert done.returncode == 0, done.stderr
    certificate = place.folder / "greedy.crt"
    text = openssl("x509", "-in", certificate, "-noout", "-text", "-nameopt", "RFC2253")
    subject = re.search(r"Subject: (.*)", text)[1]
    assert re.fullmatch(r"CN=alice - greedy - \d{4}", subject), subject
    assert "CA:TRUE" not in text and "CA:FALSE" in text
    assert re.search(r"X509v3 Extended Key Usage:[^\n]*\n\s+TLS Web Client Authentication\n", text)
    assert re.search(r"X509v3 Key Usage:[^\n]*\n\s+Digital Signature\n", text)
    san = re.search(r"Subject Alternative Name:[^\n]*\n\s+(.*)", text)[1]
    assert "email:alice@example.com" in san and "root" not in text and "evil" not in text and "DNS:" not in san and "dev1" not in text
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == openssl("req", "-in", csr, "-noout", "-pubkey")
    assert place.knock(certificate, place.folder / "greedy.csr.key").startswith("HTTP/1.1 200 ")
    assert place.upstream.take()[0].one("X-Chatelaine-Person") == "alice"


def test_one_key_is_one_device(place):
    """A request that is sent again, for another person too, does not make the key a second device."""
    done = ask_to_sign(place, "first", *EC)
    assert done.returncode == 0, done.stderr
    place.house.person("mallory")
    done = place.house.run("device", "add", "mallory", "--label", "second", "--csr", place.folder / "first.csr", "--out",
                           place.folder / "second.crt", check=False)
    assert done.returncode == 1 and "key" in done.stderr, done.stderr + done.stdout
    assert not (place.folder / "second.crt").exists()
