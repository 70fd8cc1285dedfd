"""What the tutorials about client certificates lead to, step by step, with our commands in the place of theirs."""
import json
import os
import pathlib
import re
import subprocess

import pytest

from house import House, needs, read_answer, wait_for
from recording_upstream import RecordingUpstream
from websocket_client import WebSocket


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=120, **more)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


# -- a request of openssl's, signed by us ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", [["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], ["-newkey", "rsa:2048"],
                                 ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]], ids=lambda k: k[-1])
def test_a_csr_of_openssl_is_signed_and_curl_gets_in(house, key):
    own = house.folder
    run("openssl", "req", "-new", *key, "-nodes", "-keyout", own / "dev1.key", "-out", own / "dev1.csr", "-subj", "/C=US/O=Acme/CN=dev1")
    house.person("alice")
    facts = house.json("device", "add", "alice", "--label", "dev1", "--kind", "server", "--csr", own / "dev1.csr", "--out", own / "dev1.crt")
    done = house.curl("/who", None, "--cert", own / "dev1.crt", "--key", own / "dev1.key", check=True)
    assert facts["device"] in done.stdout
    # The chain is beside it, and fits.
    run("openssl", "verify", "-purpose", "sslclient", "-CAfile", house.root, "-untrusted", own / "dev1.crt", own / "dev1.crt")


def test_an_existing_file_is_not_written_over_by_a_certificate(house):
    own = house.folder
    run("openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", own / "k", "-out", own / "csr",
        "-subj", "/CN=x")
    house.person("alice")
    done = house.run("device", "add", "alice", "--label", "x", "--csr", own / "csr", "--out", own / "k", check=False)
    assert done.returncode == 1 and "there already" in done.stderr
    assert "PRIVATE KEY" in (own / "k").read_text()
    assert house.run("device", "show", "alice/x", check=False).returncode == 1


def test_without_a_certificate_with_a_wrong_name_and_with_resolve(house):
    alice = house.device("alice", "laptop")
    assert house.status("/", alice) == 200 and house.status("/") == 403
    # curl itself refuses a server that it has no reason to trust, and a name that is not the certificate's.
    done = run("sh", "-c", f"curl -sS --resolve {house.site}:{house.port}:127.0.0.1 {house.url}/ 2>&1 || true")
    assert "certificate" in done
    done = run("sh", "-c", f"curl -sS --cacert {house.root} https://127.0.0.1:{house.port}/ 2>&1 || true")
    assert "127.0.0.1" in done
    # As the tutorials have it: the name by --resolve, the certificate by two files or by one.
    both = house.folder / "both.pem"
    both.write_text(pathlib.Path(alice.cert).read_text() + pathlib.Path(alice.key).read_text())
    assert house.status("/", None, "--cert", both) == 200


# -- one .p12, imported everywhere --------------------------------------------------------------------------------------


class Bundle:
    def __init__(self, house, profile, password):
        self.file = house.folder / f"{profile}.p12"
        words = []
        if password:
            (house.folder / "password").write_text(password + "\n")
            words = ["--password-file", house.folder / "password"]
        facts = house.json("device", "add", "alice", "--label", profile, "--p12", self.file, "--profile", profile, *words)
        self.device, self.password, self.serial = facts["device"], password or facts["password"], facts["serial"]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    house = House(tmp_path_factory.mktemp("bundles"))
    house.init(house.example())
    house.person("alice")
    house.serve()
    made = {profile: Bundle(house, profile, None) for profile in ("compatible", "modern")}
    yield house, made
    house.close()


PROFILES = pytest.mark.parametrize("profile", ["compatible", "modern"])


@PROFILES
def test_openssl_reads_the_p12_without_the_legacy_provider(bundles, profile):
    house, made = bundles
    bundle = made[profile]
    out = run("openssl", "pkcs12", "-in", bundle.file, "-passin", f"pass:{bundle.password}", "-nodes")
    assert out.count("BEGIN CERTIFICATE") >= 2 and out.count("PRIVATE KEY-----") == 2, "the key, the certificate and its chain"
    assert "friendlyName: " in out and house.site in re.search(r"friendlyName: (.*)", out)[1]
    pem = house.folder / f"{profile}.pem"
    pem.write_text(out)
    assert bundle.device in house.curl("/who", None, "--cert", pem, check=True).stdout
    done = subprocess.run(["openssl", "pkcs12", "-in", str(bundle.file), "-passin", "pass:wrong", "-noout"], capture_output=True)
    assert done.returncode != 0, "a wrong password is noticed: there is a MAC"


@PROFILES
def test_curl_takes_the_p12_itself(bundles, profile):
    house, made = bundles
    bundle = made[profile]
    done = house.curl("/who", None, "--cert-type", "P12", "--cert", f"{bundle.file}:{bundle.password}", check=True)
    assert bundle.device in done.stdout


@PROFILES
@pytest.mark.skipif(needs("pk12util", "certutil"), reason="no NSS tools")
def test_nss_imports_the_p12(bundles, profile, tmp_path):
    """What Firefox, Chromium and Thunderbird store certificates with."""
    _, made = bundles
    store = f"sql:{tmp_path}"
    run("certutil", "-N", "-d", store, "--empty-password")
    run("pk12util", "-i", made[profile].file, "-d", store, "-W", made[profile].password)
    keys = run("certutil", "-K", "-d", store)
    assert len(re.findall(r"^< *\d+>", keys, re.M)) == 1, keys
    name = re.search(r"[0-9a-f]{40}\s+(.*)", keys)[1]
    shown = run("certutil", "-L", "-d", store, "-n", name)
    assert made[profile].serial in shown.replace(":", "").replace("\n", "").replace(" ", "").lower()
    run("certutil", "-L", "-d", store)


@PROFILES
@pytest.mark.skipif(needs("certtool"), reason="no GnuTLS tools")
def test_gnutls_imports_the_p12(bundles, profile):
    _, made = bundles
    out = run("certtool", "--p12-info", "--inder", "--infile", made[profile].file, "--password", made[profile].password)
    assert out.count("BEGIN CERTIFICATE") >= 2 and "PRIVATE KEY" in out and "FAILED" not in out.upper()


@PROFILES
@pytest.mark.skipif(needs("keytool"), reason="no Java")
def test_java_imports_the_p12(bundles, profile, tmp_path):
    house, made = bundles
    bundle = made[profile]
    run("keytool", "-importkeystore", "-noprompt", "-srckeystore", bundle.file, "-srcstoretype", "PKCS12", "-srcstorepass", bundle.password,
        "-destkeystore", tmp_path / "keys.jks", "-deststorepass", "changeit", "-J-Xshare:auto", "-J-XX:TieredStopAtLevel=1")
    out = run("keytool", "-list", "-v", "-keystore", tmp_path / "keys.jks", "-storepass", "changeit", "-J-XX:TieredStopAtLevel=1")
    assert out.count("PrivateKeyEntry") == 1 and f"Serial number: {bundle.serial.lstrip('0')}" in out


# -- the list of devices, and "Access Granted!" ------------------------------------------------------------------------------


def granted(request):
    """The tutorial's application: it lets in whom the proxy names, and says who."""
    verified = request.all("Ssl-Client-Verify") == ["SUCCESS"]
    text = f"Access Granted! {request.one('Ssl-Client')}".encode() if verified else b"Access Denied!"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text


class ListPlace:
    def __init__(self, house):
        self.house, self.upstream = house, RecordingUpstream(granted)
        self.list = house.folder / "list" / "allow.txt"
        self.list.parent.mkdir()
        self.list.write_text("# nobody yet\n")
        house.init(self.upstream.url, "--preset", "device-list")
        house.set("allow-file", f'"{self.list}"')
        self.alice, self.bob = house.device("alice", "dev1"), house.device("bob", "dev2")

    def says(self, device):
        return self.house.curl("/", device).stdout

    def is_granted(self, device):
        return self.says(device) == f"Access Granted! {device.id}"

    def write(self, text, mode="wb"):
        with open(self.list, mode) as file:
            file.write(text.encode() if isinstance(text, str) else text)

    def replace(self, text):
        """As editors do: a new file in the place of the old one."""
        new = self.list.with_name("new")
        new.write_bytes(text.encode() if isinstance(text, str) else text)
        os.replace(new, self.list)


@pytest.fixture
def place(make_house):
    one = ListPlace(make_house())
    yield one
    one.upstream.close()


def test_a_device_on_the_list_is_granted_access_and_one_off_it_is_told(place):
    place.write(place.alice.id + "\n")
    place.house.serve()
    assert place.is_granted(place.alice)
    said = place.says(place.bob)
    assert "Granted" not in said and "C09" in said and "list" in said
    said = place.house.curl("/").stdout
    assert "Granted" not in said and "C01" in said
    # What the tutorials' application would have believed.
    forged = place.house.curl("/", place.bob, "-H", f"Ssl-Client: {place.alice.id}", "-H", "Ssl-Client-Verify: SUCCESS").stdout
    assert "Granted" not in forged
    assert all(request.one("Ssl-Client") == place.alice.id for request in place.upstream.requests)


def test_the_list_may_be_written_in_every_honest_way(place):
    """A device for each way to write its line, all in one list; the last line has no end."""
    ways = ["\ufeff{id}", "{digits}\r", "{DIGITS}", "  {digits}\t", "{id} # a comment", "{ID}\r", "{digits}#", "{digits}\n{digits}", "\n\r\n{id}",
            "# before\n{id}", "nonsense\n{digits}", "{id}"]
    devices = [place.house.device("carol", f"way{number}") for number in range(len(ways))]
    place.house.serve()
    assert not any(place.is_granted(device) for device in devices)
    lines = [way.replace("{id}", device.id).replace("{digits}", device.id[:32]).replace("{DIGITS}", device.id[:32].upper())
             .replace("{ID}", device.id.upper()) for way, device in zip(ways, devices)]
    place.replace("\n".join(lines))
    wait_for(lambda: place.is_granted(devices[-1]), "the list is read")
    for way, device in zip(ways, devices):
        assert place.is_granted(device), repr(way)
    assert "event=allow-file-line" in place.house.log_text(), "a line that is no id is reported"
    # Written in place, without a rename.
    place.write(f"{devices[0].id}\n")
    wait_for(lambda: not place.is_granted(devices[-1]), "the shorter list is read")
    assert place.is_granted(devices[0])


def test_what_is_no_device_on_the_list_lets_nobody_in(place):
    ways = ["{31}", "{digits}0", "{digits}.d.other.test", "{digits}x", "{31} {1}", "carol/way", "#{digits}", "\0{digits}", "{digits}\0", "-{digits}",
            '"{digits}"', "{digits},{digits}", "{digits}.d.", "{digits}.d.door.test.evil.test", "0x{digits}", "id={digits}", "{digits}\r\r", "*"]
    devices = [place.house.device("carol", f"way{number}") for number in range(len(ways))]
    place.house.serve()
    lines = [way.replace("{digits}", device.id[:32]).replace("{31}", device.id[:31]).replace("{1}", device.id[31])
             for way, device in zip(ways, devices)]
    place.replace("\n".join([*lines, place.bob.id]))
    wait_for(lambda: place.is_granted(place.bob), "the list is read")
    for way, device in zip(ways, devices):
        assert not place.is_granted(device), repr(way)


def test_a_list_that_changes_all_the_time_is_read_all_the_same(place):
    """Whoever can touch the file must not be able to keep a lost device in."""
    place.write(f"{place.alice.id}\n{place.bob.id}\n")
    place.house.serve()
    assert place.is_granted(place.alice)

    def told():
        place.replace(f"{place.bob.id}\n")
        return not place.is_granted(place.alice)

    wait_for(told, "alice is out although the file never rests")


def test_a_line_that_goes_ends_what_is_live(place):
    place.write(f"{place.alice.id}\n{place.bob.id}\n")
    place.house.serve()
    kept = place.house.tls(place.alice)
    kept.sendall(f"GET / HTTP/1.1\r\nHost: {place.house.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] == 200
    live, others = WebSocket(place.house, place.alice, "/live"), WebSocket(place.house, place.bob, "/live")
    place.replace(f"{place.bob.id}\n")
    code, _ = live.read_until_close()
    assert code == 1008
    # The kept connection is closed, or its next request is refused: nothing is granted on it.
    try:
        kept.sendall(f"GET / HTTP/1.1\r\nHost: {place.house.site}\r\n\r\n".encode())
        answer = read_answer(kept)
    except OSError:
        answer = None
    assert answer is None or answer[0] == 403
    assert not place.is_granted(place.alice) and place.is_granted(place.bob)
    others.send(b"", opcode=9)
    wait_for(lambda: any(wire.kept[wire.at:] for wire in place.upstream.wires), "bob's WebSocket goes on")


@pytest.mark.parametrize("how", ["removed", "a folder", "renamed away", "a broken link"])
def test_a_list_that_cannot_be_read_lets_nobody_in_and_says_so(place, how):
    place.write(f"{place.alice.id}\n")
    place.house.serve()
    assert place.is_granted(place.alice)
    if how == "renamed away":
        place.list.rename(place.list.with_name("elsewhere"))
    else:
        place.list.unlink()
    if how == "a folder":
        place.list.mkdir()
    elif how == "a broken link":
        place.list.symlink_to("nowhere")
    wait_for(lambda: "C10" in place.says(place.alice), "the refusal that says so")
    assert "event=allow-file-unreadable" in place.house.log_text()
    assert any("allow" in problem for problem in place.house.json("status")["problems"])
    if how == "a folder":
        place.list.rmdir()
    place.replace(f"{place.alice.id}\n")
    wait_for(lambda: place.is_granted(place.alice), "back when the list is back")


def test_a_house_without_a_list_starts_and_refuses(place):
    place.list.unlink()
    place.house.serve()
    assert "C10" in place.says(place.alice)
    place.write(f"{place.alice.id}\n")
    wait_for(lambda: place.is_granted(place.alice), "the list appears")


# -- Rocket.Chat and Mattermost ---------------------------------------------------------------------------------------------


class ChatPlace:
    def __init__(self, house, preset):
        self.house, self.upstream = house, RecordingUpstream()
        house.init(self.upstream.url, "--preset", preset)
        self.alice = house.device("alice", "phone", "--kind", "phone")
        house.serve()

    def ask(self, path, *words):
        assert self.house.status(path, self.alice, *words) == 200
        (request,) = self.upstream.take()
        return request

    def socket(self, path):
        WebSocket(self.house, self.alice, path).close()
        (request,) = self.upstream.take()
        return request


def test_rocketchat_hears_what_its_manual_asks_for(make_house):
    place = ChatPlace(make_house(), "rocketchat")
    name = f"{place.house.site}:{place.house.port}"
    for request in (place.ask("/api/info"), place.ask("/home?x=1", "-H", "X-Nginx-Proxy: false"), place.socket("/websocket"),
                    place.socket("/sockjs/123/abcdefgh/websocket")):
        assert request.one("Host") in (name, place.house.site)
        assert request.one("X-Real-IP") == request.one("X-Forwarded-For") == "127.0.0.1"
        assert request.one("X-Forwarded-Proto") == "https" and request.one("X-Forwarded-Host") == request.one("Host")
        assert request.one("X-Nginx-Proxy") == "true"
        assert request.one("X-Chatelaine-Device") == place.alice.id
    done = place.house.curl("/api/info", None, "-w", "%{http_code}", "-H", "Accept: application/json")
    assert done.stdout.endswith("403") and json.loads(done.stdout[:-3])["code"] == "C01"
    assert place.upstream.take() == []
    place.upstream.close()


def test_mattermost_hears_who_it_is_on_every_path_and_its_phone_app_is_understood(make_house):
    place = ChatPlace(make_house(), "mattermost")
    requests = [place.ask(path) for path in ("/", "/api/v4/users/login", "/static/x.js", "/plugins/x", "/api/v4/system/ping")]
    requests += [place.socket(path) for path in ("/api/v4/websocket", "/api/v4/users/websocket", "/api/v3/users/websocket")]
    for request in requests:
        subject = request.one("X-SSL-Client-Cert-Subject-DN")
        # As the server does it: split at "/", then the value behind "emailAddress=".
        emails = [part.split("=")[1] for part in subject.split("/") if part.split("=")[0] == "emailAddress"]
        assert emails == ["alice@example.com"] and request.one("X-SSL-Client-Cert").startswith("-----BEGIN%20CERTIFICATE-----")
        assert request.one("X-Forwarded-Proto") == "https" and request.one("X-Real-IP") == "127.0.0.1"
    # "Server requires client certificate" is what the app shows on a 401 from here.
    done = place.house.curl("/api/v4/system/ping", None, "-i", "--http1.1", check=True)
    head, body = done.stdout.replace("\r\n", "\n").split("\n\n", 1)
    assert head.startswith("HTTP/1.1 401 ") and "application/json" in head and json.loads(body)["code"] == "C01"
    done = place.house.curl("/api/v4/system/ping?time=1", None, "-o", "/dev/null", "-w", "%{http_code}")
    assert done.stdout == "401"
    assert place.house.status("/api/v4/websocket") in (401, 403)
    assert place.upstream.take() == []
    place.upstream.close()
