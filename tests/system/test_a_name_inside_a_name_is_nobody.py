"""A name that looks like another's, or like a header's syntax: refused with a sentence, or so written that every
parser reads this one and no other."""
import pathlib
import re
import socket
import ssl
import subprocess
import urllib.parse

import pytest

from house import Device, House, read_answer
from recording_upstream import RecordingUpstream

VICTIM = "dev1"
REFUSED_NAMES = ["O=CN=dev1", "x/CN=dev1", "x,CN=dev1", "x+CN=dev1", "CN=dev1", "/CN=dev1", "x/emailAddress=dev1@example.com",
                 "x\nCN=dev1", "x\r\nX-Chatelaine-Device: dev1", "x\rdev1", "x\tdev1", "dev1\u202ex", "dev1\u200b", "dev1\ufeff",
                 "dev1\u00ad", "dev1\x7f", "dev1\x85x", "dev1\u2028x", "", " ", "x" * 200, "é" * 60, "alice/laptop",
                 b"dev\xff1", b"dev\xc0\xb11", b"dev\xed\xa0\x801"]
HARD_NAMES = ['"dev1"', "dev1,", "dev1, emailAddress", "dev1;", "#dev1", "dev1\\", "\\,dev1", "dev1+dev1", "<dev1>", "dev1%0d%0aX",
              "%64ev1", "Ðev1", "dév1", "дев1", "😀 dev1", "x" * 64, "é" * 32, "a  b", "o'neil", "dev1-laptop", "$(dev1)", "`dev1`",
              "\\xC3\\xA9", "é", ":dev1:", "dev1;Hash", "*", "dev1%", "0123456789abcdef0123456789abcdef"]
HARD_LABELS = ['"lap,top"', "lap;top\\", "läptop", "💻", "#1", "\\2F", "x" * 48, "lap+top", "lap%2Ftop"]
REFUSED_EMAILS = ["dev1@example.com/emailAddress=x@x.test", "x/y@x.test", "x=y@x.test", "x@x.test,dev1@example.com", "x@x.test\n",
                  "x@x.test\r\nX-Chatelaine-Device: dev1", '"x y"@x.test', "x@@x.test", "x", "@x.test", "x@", "x@x..test", "ü@x.test",
                  "x@x.test/CN=dev1", "x" * 65 + "@x.test", "x@" + "x" * 260, "x\\@x.test", "<x@x.test>", "x@x.test>", "x,y@x.test"]


class Quiet:
    """A house that nobody serves: for what is refused."""

    def __init__(self, folder):
        self.house = House(folder)
        self.house.init("http://127.0.0.1:1")
        self.house.person(VICTIM)

    def refused(self, *words):
        before = self.house.json("person", "list"), self.house.json("device", "list")
        done = self.house.run(*words, check=False)
        assert done.returncode in (1, 2), f"{words}: {done.stdout}"
        assert done.stdout == "" and done.stderr.startswith("chatelaine ") and len(done.stderr.split()) > 4, done.stderr
        assert not any(ord(c) < 32 and c != "\n" or ord(c) in range(0x7f, 0xa0) or 0x200b <= ord(c) <= 0x202e for c in done.stderr)
        assert len(done.stderr.splitlines()) <= 3
        assert (self.house.json("person", "list"), self.house.json("device", "list")) == before


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    one = Quiet(tmp_path_factory.mktemp("quiet"))
    yield one
    one.house.close()


def test_people_with_anothers_name_inside_are_refused_with_a_sentence(quiet):
    for name in REFUSED_NAMES:
        quiet.refused("person", "add", as_argument(name), "--email", "x@x.test")


def as_argument(name):
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def test_a_person_cannot_be_called_as_another_persons_device_is(quiet):
    """ "dev1 - x" with a laptop, and dev1 with an "x - laptop", would be one name in a certificate."""
    quiet.refused("person", "add", "dev1 - x", "--email", "x@x.test")


def test_the_next_command_that_is_printed_can_be_pasted(quiet):
    for name in ("$(touch pasted)", "`touch pasted`", "o'neil", "; touch pasted", "\"; touch pasted"):
        said = quiet.house.run("person", "add", name, "--email", f"p{abs(hash(name))}@x.test").stdout
        words = subprocess.run(["sh", "-c", f"printf '%s\\n' {said.split('Next: ')[1]}"], cwd=quiet.house.folder, check=True,
                               capture_output=True, text=True).stdout.splitlines()
        assert words[:4] == ["chatelaine", "device", "add", name]
    assert not (quiet.house.folder / "pasted").exists()


def test_labels_with_a_name_inside_are_refused_with_a_sentence(quiet):
    for number, label in enumerate(REFUSED_NAMES):
        folder = quiet.house.folder / f"refused{number}"
        quiet.refused("device", "add", VICTIM, "--label", as_argument(label), "--pem", folder)
        assert not folder.exists(), "nothing half done"


def test_addresses_that_hold_another_are_refused_with_a_sentence(quiet):
    for email in REFUSED_EMAILS:
        if email != email.strip():
            continue
        quiet.refused("person", "add", "mallory", "--email", email)


def test_a_name_is_taken_once_whatever_its_case_and_spaces(quiet):
    for name in ("dev1", "DEV1", " dev1 ", "Dev1"):
        quiet.refused("person", "add", name, "--email", "other@x.test")
    quiet.refused("person", "add", "other", "--email", "DEV1@EXAMPLE.com")


# -- what is taken -------------------------------------------------------------------------------------------


def subject_of(path):
    """The certificate's own subject, as the standard library reads it."""
    return [pair for part in ssl._ssl._test_decode_cert(str(path))["subject"] for pair in part]


def read_rfc4514(text):
    """RFC 4514 section 3, strictly; the parts in the order of the certificate."""
    parts, at = [], 0
    raw = text.encode("latin-1")
    while True:
        equals = raw.index(b"=", at)
        kind, at, value = raw[at:equals].decode(), equals + 1, b""
        assert re.fullmatch(r"[A-Za-z]+", kind)
        assert raw[at:at + 1] not in (b" ", b"#"), "an edge that is not escaped"
        while at < len(raw) and raw[at:at + 1] != b",":
            one = raw[at:at + 1]
            assert one not in b'"+;<>', f"{one} stands unescaped in {text}"
            if one != b"\\":
                value, at = value + one, at + 1
            elif re.fullmatch(rb"[0-9A-F]{2}", raw[at + 1:at + 3]):
                value, at = value + bytes([int(raw[at + 1:at + 3], 16)]), at + 3
            else:
                assert raw[at + 1:at + 2] in tuple(bytes([c]) for c in b' "#+,;<=>\\')
                value, at = value + raw[at + 1:at + 2], at + 2
        parts.append((kind, value.decode("utf-8")))
        if at >= len(raw):
            return parts[::-1]
        at += 1


def read_slash(text):
    """As Mattermost does, and then the bytes that \\x stands for."""
    assert text[0] == "/"
    parts = []
    for part in text[1:].split("/"):
        kind, value = part.split("=")
        raw = re.sub(rb"\\x([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), value.encode("latin-1"))
        parts.append((kind, raw.decode("utf-8")))
    return parts


def read_xfcc(text):
    parts = re.findall(r'(\w+)=("(?:[^"\\]|\\.)*"|[^;,"]*)(;|$)', text)
    assert "".join(f"{k}={v}{end}" for k, v, end in parts) == text, "something stands between the parts"
    assert [k for k, _, _ in parts] == ["Hash", "Cert", "Subject", "URI"]
    return {k: re.sub(r"\\(.)", r"\1", v[1:-1]) if v.startswith('"') else v for k, v, _ in parts}


LONG = {"commonName": "CN", "emailAddress": "emailAddress", "organizationName": "O"}


class Street:
    """Two served sites, whose applications hear all dialects together."""

    def __init__(self, folder):
        self.upstream = RecordingUpstream()
        self.house = House(folder)
        self.house.init(self.upstream.url)
        self.house.add_to_site('headers = {"chatelaine", "nginx", "wott", "xfcc"}')
        own = self.house.folder
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                        "-addext", "subjectAltName=DNS:chat.test", "-keyout", own / "chat.key", "-out", own / "chat.pem"],
                       check=True, capture_output=True)
        with self.house.config.open("a") as config:
            config.write(f'site "chat.test" {{\n upstream = {{"{self.upstream.url}"}}\n headers = {{"mattermost"}}\n'
                         f' certificate = "{own}/chat.pem"\n key = "{own}/chat.key"\n}}\n')
        self.house.set("workers", 1)
        self.house.serve()

    def ask(self, device, site):
        context = self.house.context(device)
        if site == "chat.test":
            context.load_verify_locations(self.house.folder / "chat.pem")
        plain = socket.create_connection(("127.0.0.1", self.house.port), timeout=20)
        with context.wrap_socket(plain, server_hostname=site) as stream:
            stream.sendall(f"GET / HTTP/1.1\r\nHost: {site}\r\n\r\n".encode())
            assert read_answer(stream)[0] == 200
        (request,) = self.upstream.take()
        assert not self.upstream.garbage, self.upstream.garbage
        return request

    def prove(self, device, name, email):
        own = [(LONG[kind], value) for kind, value in subject_of(device.cert)]
        request = self.ask(device, "door.test")
        assert request.one("X-Chatelaine-Device") == request.one("Ssl-Client") == device.id
        assert urllib.parse.unquote(request.one("X-Chatelaine-Person"), errors="strict") == name
        assert urllib.parse.unquote(request.one("X-Chatelaine-Email")) == email
        assert request.head.isascii(), "no framework need guess the character set"
        assert read_rfc4514(request.one("X-SSL-Client-Cert-Subject-DN")) == own
        xfcc = read_xfcc(request.one("X-Forwarded-Client-Cert"))
        assert read_rfc4514(xfcc["Subject"]) == own and device.id in xfcc["URI"]
        slash = read_slash(self.ask(device, "chat.test").one("X-SSL-Client-Cert-Subject-DN"))
        assert [value for kind, value in slash if kind == "emailAddress"] == [email]
        assert [value for kind, value in slash if kind == "CN"] == [value for kind, value in own if kind == "CN"]
        return tuple(slash), request.one("X-SSL-Client-Cert-Subject-DN"), request.one("X-Chatelaine-Person")

    def close(self):
        self.house.close()
        self.upstream.close()


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    one = Street(tmp_path_factory.mktemp("street"))
    yield one
    one.close()


def hard(street, number, name, label, email):
    street.house.run("person", "add", name, "--email", email)
    folder = street.house.folder / f"hard{number}"
    facts = street.house.json("device", "add", name, "--label", label, "--pem", folder)
    return Device(name, pathlib.Path(folder), facts)


def test_hard_names_are_read_as_themselves_by_every_parser(street):
    said = {}
    for number, name in enumerate(HARD_NAMES):
        email = f"hard{number}@x.test"
        for form in street.prove(hard(street, number, name, "laptop", email), name, email):
            assert said.setdefault(form, name) == name, f"{name} and {said[form]} look alike"


def test_hard_labels_are_read_as_themselves_by_every_parser(street):
    for number, label in enumerate(HARD_LABELS):
        name, email = f"label{number}", f"label{number}@x.test"
        device = hard(street, 100 + number, name, label, email)
        street.prove(device, name, email)
        assert street.house.json("device", "show", f"{name}/{label}")["device"] == device.id


def test_hard_addresses_are_one_address_to_every_parser(street):
    for number, local in enumerate(["a+dev1", "o'neil", "a&b", "a%40b", "{dev1}", "a|b", "a?b", "#a", "*", "a^b", "a" * 64]):
        street.prove(hard(street, 200 + number, f"mail{number}", "x", f"{local}@x.test"), f"mail{number}", f"{local}@x.test")
