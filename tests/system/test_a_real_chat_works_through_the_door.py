"""The Lounge (socket.io, uploads) with an IRC server behind it: two people, two browsers, one door."""
import hashlib
import json
import os
import re
import subprocess

import pytest

from house import can_connect, free_port, wait_for
from real_browser import Browser, installed, need, node

NGIRCD = """
[Global]
    Name = irc.door.test
    Info = behind the door
    Listen = 127.0.0.1
    Ports = {port}
    MotdPhrase = hello
    PidFile =
[Limits]
    MaxConnectionsIP = 0
[Options]
    DNS = no
    Ident = no
    PAM = no
    SyslogFacility = local1
"""
THE_LOUNGE = {"public": False, "host": "127.0.0.1", "reverseProxy": True, "messageStorage": [], "prefetch": False,
              "fileUpload": {"enable": True, "maxFileSize": 307200}}
PASSWORD = "only the second lock"
FILE_SIZE = 200 * 1024 * 1024


class Chat:
    """An IRC server and a Lounge in front of it, each with what it keeps in the house's folder."""

    def __init__(self, house):
        need("ngircd")
        self.house, self.irc, self.port = house, free_port(), free_port()
        self.home = house.folder / "lounge"
        self.home.mkdir()
        settings = house.folder / "ngircd.conf"
        settings.write_text(NGIRCD.format(port=self.irc))
        house.start("ngircd", "-n", "-f", settings, stdout=open(house.folder / "ngircd.log", "wb"), stderr=subprocess.STDOUT)
        (self.home / "config.js").write_text(f"module.exports = {json.dumps({**THE_LOUNGE, 'port': self.port})};\n")
        self.program = [node(), str(installed() / "node_modules/thelounge/index.js")]
        self.environment = {**os.environ, "THELOUNGE_HOME": str(self.home), "NODE_ENV": "production"}
        wait_for(lambda: can_connect(self.irc), "ngircd listens")
        (self.home / "users").mkdir()

    def add(self, name):
        """A user who is in #hall from the start."""
        subprocess.run([*self.program, "add", name, "--password", PASSWORD], env=self.environment, check=True,
                       capture_output=True, timeout=60)
        file = self.home / f"users/{name}.json"
        network = {"name": "the house", "host": "127.0.0.1", "port": self.irc, "tls": False, "nick": name, "username": name,
                   "realname": name, "channels": [{"name": "#hall"}]}
        file.write_text(json.dumps({**json.loads(file.read_text()), "networks": [network]}))

    def serve(self):
        self.house.start(*self.program, "start", env=self.environment, stdout=open(self.house.folder / "lounge.log", "wb"),
                         stderr=subprocess.STDOUT)
        wait_for(lambda: can_connect(self.port), "The Lounge listens", 60)


def sign_in(browser, name):
    assert browser.goto("/")["status"] == 200
    browser.fill("#signin-username", name)
    browser.fill("#signin-password", PASSWORD)
    browser.press("Enter")
    browser.wait("document.querySelector('.channel-list-item[data-name=\"#hall\"]') !== null")
    browser.click('.channel-list-item[data-name="#hall"]')
    browser.wait("document.querySelector('#input') !== null")


def wait_for_text(browser, text):
    browser.wait(f"document.querySelector('#chat .messages').innerText.includes({json.dumps(text)})")


@pytest.fixture
def parts(make_house):
    """The house with a chat behind it, and alice and bob in front, each with a browser and a .p12 in it."""
    house = make_house()
    chat = Chat(house)
    for name in ("alice", "bob"):
        chat.add(name)
    chat.serve()
    house.init(f"http://127.0.0.1:{chat.port}").serve()
    browsers = []
    try:
        for name, kind in (("alice", "chromium"), ("bob", "firefox")):
            house.person(name)
            facts = house.json("device", "add", name, "--label", "laptop", "--p12", house.folder / f"{name}.p12")
            browsers.append(Browser(kind, house, house.folder / f"{name}.p12", facts["password"]))
        yield house, *browsers
    finally:
        for browser in browsers:
            browser.close()


def test_two_people_sign_in_talk_and_hand_each_other_a_file(parts, tmp_path):
    house, alice, bob = parts
    sign_in(alice, "alice")
    sign_in(bob, "bob")
    for browser, other in ((alice, "bob"), (bob, "alice")):
        browser.wait(f"document.querySelector('#chat .userlist').innerText.includes({json.dumps(other)})")

    alice.fill("#input", "is anybody at the door?")
    alice.press("Enter")
    wait_for_text(bob, "is anybody at the door?")
    bob.fill("#input", "only those with a key")
    bob.press("Enter")
    wait_for_text(alice, "only those with a key")

    picture = tmp_path / "plan of the house.bin"
    picture.write_bytes(os.urandom(FILE_SIZE))
    alice.upload("#upload-input", picture)
    link = alice.wait("document.querySelector('#input').value.match(/uploads\\/\\S+/)?.[0]")
    alice.press("Enter")
    wait_for_text(bob, link)
    alice.screenshot("chat")
    bob.screenshot("chat")

    path = json.dumps("/" + re.search(r"uploads/\S+", link)[0])
    digest = bob.evaluate(f"""fetch({path}).then(answer => answer.arrayBuffer())
        .then(bytes => crypto.subtle.digest("SHA-256", bytes))
        .then(hash => [...new Uint8Array(hash)].map(one => one.toString(16).padStart(2, "0")).join(""))""")
    assert digest == hashlib.sha256(picture.read_bytes()).hexdigest()

    answer = house.json("device", "revoke", "bob/laptop")
    assert answer["closed"] >= 1 and not answer.get("silent"), answer
    house.wait_log("path=/socket.io/ status=200 why=C04")  # a WebSocket on a stream of HTTP/2; on HTTP/1.1 it is 101
    bob.wait("document.body.innerText.toLowerCase().includes('waiting to reconnect')")
    bob.screenshot("chat-revoked")
    alice.fill("#input", "he had a key until now")
    alice.press("Enter")
    wait_for_text(alice, "he had a key until now")
    # Its service worker would answer a reload from its cache; uploads it leaves to the network.
    assert bob.evaluate(f"fetch({path}, {{cache: 'no-store'}}).then(answer => answer.status)") == 403
