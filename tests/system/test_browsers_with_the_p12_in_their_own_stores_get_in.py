"""Chromium and Firefox, each with a .p12 of ours in its own store: page, WebSocket, live list; and out on revocation."""
import pytest

from real_browser import Browser, Marionette
from websocket_client import WebSocket

BOTH = pytest.mark.parametrize("kind", ["chromium", "firefox"])


@pytest.fixture
def open_browser():
    opened = []

    def start(*words, **more):
        opened.append(Browser(*words, **more))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def p12_of(house, person, label, *words):
    house.person(person)
    file = house.folder / f"{person}.p12"
    facts = house.json("device", "add", person, "--label", label, "--p12", file, *words)
    return facts["device"], file, facts["password"]


@BOTH
def test_the_page_knows_who_it_is_echoes_and_closes_when_the_device_is_revoked(house, open_browser, kind):
    device, p12, password = p12_of(house, "alice", "laptop")
    bob = house.device("bob", "phone")
    browser = open_browser(kind, house, p12, password)

    assert browser.goto("/")["status"] == 200
    assert browser.evaluate("document.getElementById('person').textContent") == "alice"
    assert browser.evaluate("document.getElementById('device').textContent") == device

    browser.wait("document.getElementById('state').textContent === 'only you'")
    others = WebSocket(house, bob, "/live")
    browser.wait("document.getElementById('people').textContent.includes('bob')")
    browser.wait("document.getElementById('state').textContent === '2 here'")

    browser.fill("#text", "hello, door")
    browser.press("Enter")
    browser.wait("document.getElementById('talk').textContent.includes('hello, door')")
    browser.screenshot("example")
    others.close()
    browser.wait("document.getElementById('news').textContent === 'bob left'")

    browser.evaluate("""new Promise(go => {
        const socket = new WebSocket(location.href.replace("https", "wss") + "echo");
        window.ended = new Promise(end => { socket.onclose = event => { window.code = event.code; end(); }; });
        socket.onopen = () => go(true);
    })""")
    answer = house.json("device", "revoke", device[:12])
    # Page and both WebSockets share one connection of HTTP/2 (RFC 8441): a tunnel of HTTP/1.1 would have its own, and be a 101.
    assert answer["closed"] == 1 and not answer.get("silent"), answer
    assert browser.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "h2"
    house.wait_log("path=/live status=200 why=C04")
    house.wait_log("path=/echo status=200 why=C04")
    browser.wait("window.code")
    assert browser.evaluate("window.code") == 1008
    browser.wait("document.getElementById('closed').open")
    browser.screenshot("revoked-while-open")

    again = browser.reload()
    assert again["status"] == 403 and "C04" in again["text"]
    assert "revoked" in browser.evaluate("document.body.innerText")
    browser.screenshot("revoked-reload")


@BOTH
def test_without_a_certificate_a_person_reads_what_to_do(house, open_browser, kind):
    browser = open_browser(kind, house)
    answer = browser.goto("/")
    assert answer["status"] == 403 and "C01" in answer["text"]
    shown = browser.evaluate("document.body.innerText")
    assert "No required SSL certificate was sent" in shown and "expire" in shown
    browser.screenshot("no-certificate")


@pytest.mark.parametrize("profile", ["compatible", "modern"])
def test_firefox_imports_the_p12_by_itself_and_refuses_a_wrong_password(house, profile):
    """As its certificate manager does: 0 is done, 6 a wrong password (nsIX509CertDB)."""
    _, p12, password = p12_of(house, "alice", "laptop", "--profile", profile)
    with Marionette(house.folder / "firefox") as firefox:
        assert firefox.import_p12(p12, "not the password") == 6
        assert firefox.user_certificates() == []
        assert firefox.import_p12(p12, password) == 0
        imported, = firefox.user_certificates()
    assert "laptop" in imported["subject"], imported
    assert imported["has_chain"], "the issuing CA came with it"
