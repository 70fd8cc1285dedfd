"""A changed certificate or config is used from the next handshake or request on, without closing anything; a broken one
changes nothing and is named in the log."""
import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading

import pytest
from house import free_port, read_answer, wait_for
from websocket_client import WebSocket


def self_signed(folder, name, site, key="ec"):
    """A server's certificate as a public authority would give it, of another key."""
    folder.mkdir(exist_ok=True)
    cert, keyfile = folder / f"{name}.pem", folder / f"{name}.key"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else ["-newkey", "rsa:2048"]
    subprocess.run(["openssl", "req", "-x509", *kind, "-nodes", "-days", "30", "-subj", f"/CN={name}", "-addext",
                    f"subjectAltName=DNS:{site}", "-keyout", keyfile, "-out", cert], check=True, capture_output=True)
    return cert, keyfile


def presented(house):
    """The server's certificate in a handshake without a client's, DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with house.tls(context=context) as stream:
        return stream.getpeercert(True)


def der(path):
    return ssl.PEM_cert_to_DER_cert(path.read_text()[: path.read_text().index("END CERTIFICATE-----") + 24])


def everyone_presents(house, path):
    """Both gateways: so many handshakes in a row that one with the old could hardly hide."""
    wanted = der(path)
    wait_for(lambda: all(presented(house) == wanted for _ in range(12)), f"{path.name} is presented")


@pytest.fixture
def public(make_house, tmp_path):
    """A house whose certificate and key are files elsewhere, as certbot's are."""
    one = make_house()
    one.init(one.example())
    one.live = tmp_path / "live"
    first = self_signed(tmp_path / "made", "first", one.site)
    one.live.mkdir()
    shutil.copy(first[0], one.live / "fullchain.pem")
    shutil.copy(first[1], one.live / "privkey.pem")
    text = one.config.read_text().splitlines()
    for number, line in enumerate(text):
        if line.strip().startswith("certificate ="):
            text[number] = f'    certificate = "{one.live}/fullchain.pem"'
        elif line.strip().startswith("key ="):
            text[number] = f'    key = "{one.live}/privkey.pem"'
    one.config.write_text("\n".join(text) + "\n")
    one.serve()
    everyone_presents(one, first[0])
    one.made = tmp_path / "made"
    return one


def rename_into(source, target):
    fresh = target.with_suffix(".new")
    shutil.copy(source, fresh)
    os.rename(fresh, target)


def test_a_replaced_certificate_is_used_by_the_next_handshake_and_closes_nothing(public):
    house = public
    alice = house.device()
    insecure = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
    insecure.load_cert_chain(alice.cert, alice.key)
    kept = house.tls(context=insecure)
    live = WebSocket(house, alice, "/live", stream=house.tls(context=insecure))
    children = house.parts()
    second = self_signed(house.made, "second", house.site)
    # As renewals do it: one file, then some time later the other.
    rename_into(second[1], house.live / "privkey.pem")
    kept.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] == 200
    rename_into(second[0], house.live / "fullchain.pem")
    everyone_presents(house, second[0])
    # Written in place, certificate first, another kind of key.
    third = self_signed(house.made, "third", house.site, "rsa")
    (house.live / "fullchain.pem").write_bytes(third[0].read_bytes())
    (house.live / "privkey.pem").write_bytes(third[1].read_bytes())
    everyone_presents(house, third[0])
    kept.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] == 200, "kept through all of it"
    live.send("still here")
    assert wait_for(lambda: "still here" in live.read_text(), "the WebSocket goes on")
    assert house.parts() == children, "nobody was started again for it"


def test_a_key_that_comes_much_later_than_its_certificate_leaves_the_pair_of_before(public):
    house = public
    before = house.made / "first.pem"
    second = self_signed(house.made, "second", house.site)
    mark = len(house.log_text())
    rename_into(second[0], house.live / "fullchain.pem")
    house.wait_log("the ones before still hold", mark)
    assert presented(house) == der(before)
    rename_into(second[1], house.live / "privkey.pem")
    everyone_presents(house, second[0])


BROKEN = {"empty": b"", "half of it": None, "no certificate": b"hello\n",
          "no PEM": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}


@pytest.mark.parametrize("what", [*BROKEN, "gone", "for another name", "unreadable words"])
def test_a_broken_certificate_leaves_the_old_one_and_is_named(public, what):
    house = public
    before, mark = house.made / "first.pem", len(house.log_text())
    target = house.live / "fullchain.pem"
    if what == "gone":
        target.unlink()
    elif what == "for another name":
        other = self_signed(house.made, "other", "other.test")
        rename_into(other[1], house.live / "privkey.pem")
        rename_into(other[0], target)
    elif what == "unreadable words":
        target.write_bytes(os.urandom(4096))
    else:
        target.write_bytes(BROKEN[what] if BROKEN[what] is not None else before.read_bytes()[:300])
    house.wait_log("the ones before still hold", mark)
    assert str(target) in house.log_text()[mark:], "which file it is"
    assert presented(house) == der(before)
    # A gateway that is started meanwhile knows the old one too.
    gateway = house.parts("gateway")[0]
    count = len(house.parts("gateway"))
    os.kill(gateway, signal.SIGKILL)
    wait_for(lambda: len(house.json("status")["gateways"]) == count and gateway not in house.parts("gateway"), "it is back")
    everyone_presents(house, before)
    good = self_signed(house.made, "good", house.site)
    rename_into(good[1], house.live / "privkey.pem")
    rename_into(good[0], target)
    everyone_presents(house, good[0])


def test_sighup_with_a_bad_config_keeps_the_old_one_and_names_the_mistake(house):
    alice = house.device()
    good, mark = house.config.read_text(), len(house.log_text())
    house.config.write_text(good.replace("no-certificate = explain", "no-certificate = perhaps"))
    house.process.send_signal(signal.SIGHUP)
    house.wait_log("the ones before still hold", mark)
    said = house.log_text()[mark:]
    assert f"{house.config}:" in said and "perhaps" in said and "explain" in said
    assert house.status("/who", alice) == 200 and house.status("/who") == 403
    mark = len(house.log_text())
    house.config.write_text(good.replace("no-certificate = explain", "no-certificate = allow"))
    house.process.send_signal(signal.SIGHUP)
    wait_for(lambda: all(house.status("/who") == 200 for _ in range(6)), "the good one is taken up")
    house.config.write_text(good)
    wait_for(lambda: all(house.status("/who") == 403 for _ in range(6)), "by itself, too")


class Application:
    """Answers every request with its name."""

    def __init__(self, house, name):
        self.port = free_port()
        house.start("/usr/bin/python3", "-c", f'''
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "{len(name)}")
        self.end_headers()
        self.wfile.write(b"{name}")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("127.0.0.1", {self.port}), Answer).serve_forever()
''')
        wait_for(lambda: can_connect(self.port), f"application {name} listens")


def can_connect(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True


def test_a_changed_upstream_is_taken_up_and_no_connection_is_refused(make_house):
    one = make_house()
    first, second = Application(one, "first"), Application(one, "second")
    one.init(f"http://127.0.0.1:{first.port}")
    one.serve()
    alice = one.device()
    kept = one.tls(alice)
    ending, troubles = threading.Event(), []

    def visit():
        while not ending.is_set():
            try:
                with one.tls(alice) as stream:
                    stream.sendall(f"GET / HTTP/1.1\r\nHost: {one.site}\r\nConnection: close\r\n\r\n".encode())
                    answer = read_answer(stream)
                if answer is None or answer[0] != 200:
                    troubles.append(answer)
            except OSError as error:
                troubles.append(error)

    def asked():
        kept.sendall(f"GET / HTTP/1.1\r\nHost: {one.site}\r\n\r\n".encode())
        return read_answer(kept)[2]

    assert asked() == b"first"
    visiting = threading.Thread(target=visit)
    visiting.start()
    try:
        for name, application in (("second", second), ("first", first), ("second", second)):
            one.set("upstream", f'{{"http://127.0.0.1:{application.port}"}}')
            one.process.send_signal(signal.SIGHUP)
            wait_for(lambda: asked() == name.encode(), f"the kept connection reaches {name}")
        for _ in range(30):
            one.process.send_signal(signal.SIGHUP)
            assert asked() == b"second"
        wait_for(lambda: all(one.curl("/", alice).stdout == "second" for _ in range(6)), "new ones too")
    finally:
        ending.set()
        visiting.join()
    assert troubles == []


def test_a_device_that_is_known_stays_known_through_a_reload(house):
    """Sessions, live sockets and revocation go on across a change of rules."""
    alice, bob = house.device("alice"), house.device("bob")
    live = WebSocket(house, alice, "/live")
    house.set("contact", '"door@example.com"')
    house.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "door@example.com" in house.curl("/").stdout and "door@example.com" in house.curl("/").stdout, "the new contact")
    live.send("through it")
    assert wait_for(lambda: "through it" in live.read_text(), "alice's WebSocket goes on")
    assert house.json("device", "revoke", "alice/laptop")["closed"] == 1
    assert live.read_until_close()[0] == 1008
    assert house.status("/who", bob) == 200
