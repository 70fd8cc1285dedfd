"""@mattermost/client and @rocket.chat/ddp-client, as their applications use them, through the door to a stand-in server:
REST, uploads, WebSockets, whose certificate it was, and what they meet without one and after it was revoked."""
import json
import select
import subprocess

import pytest

from house import PATIENCE, can_connect, free_port, wait_for
from real_browser import PROJECT, installed, need, node

KINDS = ["mattermost", "rocketchat"]
ALICE = "alice@example.com"


def scripts():
    """Node.js looks for packages from where a script is."""
    cache = installed()
    for name in ("chat_server.mjs", "chat_client.mjs"):
        target = cache / name
        text = (PROJECT / name).read_text()
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
    return cache


class LibraryError(Exception):
    def __init__(self, words):
        super().__init__(json.dumps(words))
        self.words = words


class Library:
    """One Node.js process with one client library in it."""

    def __init__(self, kind, house, device=None, version="h1"):
        words = [device.cert, device.key] if device else []
        self.log = house.folder / f"{kind}-{version}.log"
        self.process = subprocess.Popen([node(), "chat_client.mjs", kind, house.url, str(house.root), version, *words],
                                        cwd=scripts(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.log, "ab"))
        assert self._answer() == "ready"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()  # it may be trying to connect, and would for a while
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 3 * PATIENCE)
        line = self.process.stdout.readline() if ready else b""
        assert line, f"no answer: {self.log.read_text()[-3000:]}"
        words = json.loads(line)
        if "error" in words:
            raise LibraryError(words["error"])
        return words["value"]

    def start(self, verb, **words):
        self.process.stdin.write((json.dumps({"do": verb, **words}) + "\n").encode())
        self.process.stdin.flush()

    def __call__(self, verb, **words):
        self.start(verb, **words)
        return self._answer()


@pytest.fixture
def chat(make_house):
    """chat(kind): a house with that preset before the stand-in of that server."""
    need("npm")

    def make(kind):
        house, port = make_house(), free_port()
        house.start(node(), "chat_server.mjs", kind, port, cwd=scripts(), stdout=subprocess.DEVNULL,
                    stderr=open(house.folder / "server.log", "ab"))
        wait_for(lambda: can_connect(port), "the stand-in listens")
        house.init(f"http://127.0.0.1:{port}", "--preset", kind)
        return house.serve()

    return make


def seen(house, device):
    return json.loads(house.curl("/seen", device, check=True).stdout)


def values(request, name):
    return [value for known, value in request["fields"] if known == name]


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("kind", KINDS)
def test_requests_uploads_and_sockets(chat, kind, version):
    house = chat(kind)
    alice = house.device()
    with Library(kind, house, alice, version) as library:
        assert library("ping")["status" if kind == "mattermost" else "version"] in ("OK", "8.1")
        me = library("me")
        assert (me["person"], me["device"]) == ("alice", alice.id)
        if kind == "mattermost":
            assert me["email"] == ALICE, "as CheckForClientSideCert reads the subject"
        else:
            assert me["proxied"] == "true"
        for size in (1, 70_000, 12_000_000):
            assert library("upload", size=size)
        assert library("fetch", path="/bulk")["size"] == 3 << 20
        who = library("connect")
        assert (who["person"], who["device"]) == ("alice", alice.id), "the upgrade is a request like any other"
        assert who["certificate"] == (ALICE if kind == "mattermost" else "")
        for text in ("is anybody at the door?", "only those with a key"):
            assert library("talk", text=text)
        if kind == "rocketchat":
            assert library("unknown")["error"] == 404
    house.wait_log("path=/api/v4/users/me" if kind == "mattermost" else "path=/api/v1/me")
    spoken = {line.split(" protocol=")[1].split()[0] for line in house.log_text().splitlines()
              if " path=/api/" in line and "websocket" not in line}
    assert spoken == {version}


def test_no_client_says_who_it_is_to_mattermost(chat):
    house = chat("mattermost")
    alice = house.device()
    lie = {"X-SSL-Client-Cert-Subject-DN": "/CN=root/emailAddress=root@example.com", "X-SSL-Client-Cert": "lie",
           "X_SSL_Client_Cert_Subject_DN": "/emailAddress=root@example.com", "X-Chatelaine-Person": "root"}
    for version in ("h1", "h2"):
        with Library("mattermost", house, alice, version) as library:
            answer = library("fetch", path="/api/v4/users/me", fields=lie)
            assert json.loads(answer["text"])["email"] == ALICE
            library("connect")
    for request in seen(house, alice):
        subjects = values(request, "x-ssl-client-cert-subject-dn")
        assert len(subjects) == 1 and subjects[0].startswith("/") and f"/emailAddress={ALICE}" in subjects[0]
        assert "root@" not in json.dumps(request) and len(values(request, "x-chatelaine-person")) == 1
        certificate, = values(request, "x-ssl-client-cert")
        assert certificate.startswith("-----BEGIN%20CERTIFICATE-----%0A")


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_mattermosts_phone_is_told_that_it_needs_a_certificate(chat, version):
    """Its app asks for the ping, and understands a 401 only."""
    house = chat("mattermost")
    with Library("mattermost", house, None, version) as library:
        with pytest.raises(LibraryError) as refused:
            library("ping")
        assert refused.value.words["status_code"] == 401
        assert "certificate" in refused.value.words["message"]
        assert library("fetch", path="/api/v4/system/ping")["status"] == 401
        with pytest.raises(LibraryError) as refused:
            library("me")
        assert refused.value.words["status_code"] == 403
        assert "certificate" in refused.value.words["message"]
        library.start("connect")
        wait_for(lambda: house.log_text().count("path=/api/v4/websocket status=403") >= 3, "the library tries, and tries again")
    assert seen(house, house.device()) == []


@pytest.mark.parametrize("version", ["h1", "h2"])
def test_rocketchats_library_is_refused_in_its_own_form(chat, version):
    house = chat("rocketchat")
    with Library("rocketchat", house, None, version) as library:
        for verb in ("ping", "me"):
            with pytest.raises(LibraryError) as refused:
                library(verb)
            assert refused.value.words["status"] == 403 and "json" in refused.value.words["type"]
            words = json.loads(refused.value.words["text"])
            assert "certificate" in words["error"]
        library.start("connect")
        house.wait_log("path=/websocket status=403")
    assert seen(house, house.device()) == []


@pytest.mark.parametrize("version", ["h1", "h2"])
@pytest.mark.parametrize("kind", KINDS)
def test_revoked_in_the_middle_the_socket_closes_and_no_other_opens(chat, kind, version):
    house = chat(kind)
    alice, bob = house.device(), house.device("bob")
    with Library(kind, house, alice, version) as gone, Library(kind, house, bob, version) as other:
        for library in (gone, other):
            library("me")
            library("connect")
            assert library("talk", text="before")
        answer = house.json("device", "revoke", "alice/laptop")
        assert answer["closed"] >= 1 and answer["silent"] == []
        sockets = gone("closed")
        assert sockets["closes"][0]["code"] == 1008, sockets
        with pytest.raises(LibraryError) as refused:
            gone("me")
        assert refused.value.words.get("status_code", refused.value.words.get("status")) == 403, refused.value
        sockets = gone("refused", times=4)
        assert sockets["opened"] == 1, "it tries again and again, and no other socket opens"
        assert other("talk", text="after") and other("me")["person"] == "bob"
        assert other("sockets")["closes"] == []
    upgrades = [request for request in seen(house, bob) if values(request, "upgrade")]
    assert len(upgrades) == 2, "the server has seen none of the other tries"
