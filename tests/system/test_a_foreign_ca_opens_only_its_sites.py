"""Certificates of a company's own CA open the sites that the config names, by a sound path and one typed field, and
nothing else; what the CA revokes is cut off while it is connected; nobody of it passes for one of ours."""
import json
import socket
import ssl
import subprocess

import pytest
from corp_ca import CorpCA, Leaf, openssl
from house import read_answer, wait_for
from recording_upstream import RecordingUpstream
from websocket_client import WebSocket

OTHER = "other.test"


def section(corp, *lines, name="corp", sites='{"door.test"}', identity="email"):
    return "\n".join([f'foreign-ca "{name}" {{', f'    certificate = "{corp.root}"', f"    sites = {sites}",
                      f'    identity = "{identity}"', *(f"    {line}" for line in lines), "}", ""])


@pytest.fixture
def corp(tmp_path):
    return CorpCA(tmp_path / "corp")


def open_house(make_house, corp, *lines, site_lines="", mode="explain", **options):
    """A house with the CA's section, in front of the example; a second site without it."""
    one = make_house(config=site_lines)
    one.init(one.example())
    one.set("no-certificate", mode)
    text = one.config.read_text()
    upstream = next(line for line in text.splitlines() if line.strip().startswith("upstream"))
    cert, key = one.folder / "other.pem", one.folder / "other.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9", "-subj", "/CN=o",
            "-addext", f"subjectAltName=DNS:{OTHER}", "-keyout", key, "-out", cert)
    other = f'site "{OTHER}" {{\n{upstream}\n    certificate = "{cert}"\n    key = "{key}"\n{site_lines}\n}}\n'
    one.config.write_text(f"workers = 2\n{text}\n{other}{section(corp, *lines, **options)}")
    return one.serve()


def get(house, leaf, name, host, path="/who"):
    """One request on a connection for `name`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if leaf:
        context.load_cert_chain(leaf.cert, leaf.key)
    with house.tls(context=context, name=name) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return read_answer(stream)


def fields(house, leaf, *words):
    done = house.curl("/headers", leaf, *words, check=True)
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in done.stdout.splitlines())}


def test_its_certificate_counts_at_its_site_and_at_no_other(make_house, corp):
    house = open_house(make_house, corp)
    alice = corp.leaf("alice")
    assert house.status("/who", alice) == 200
    assert house.status("/who", corp.leaf("bob", with_chain=False)) == 403, "without what lies between there is no path"
    assert get(house, alice, house.site, house.site)[0] == 200
    status, _, body = get(house, alice, OTHER, OTHER)
    assert status == 403 and b"C06" in body
    assert get(house, alice, house.site, OTHER)[0] == 421, "a connection of one site opens none with other rules"
    assert get(house, alice, OTHER, house.site)[0] == 421
    assert get(house, alice, None, house.site)[0] in (200, 421) and get(house, alice, "nobody.test", OTHER)[0] in (403, 421)
    assert house.status("/who", house.device()) == 200, "ours go on as ever"


def test_only_its_sites_ask_for_it(make_house, corp):
    house = open_house(make_house, corp)

    def asked(name):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", "-servername", name], input="",
                              capture_output=True, text=True, timeout=30)
        return done.stdout.split("Acceptable client certificate CA names")[1].split("Requested Signature")[0]

    assert "Corp Root" in asked(house.site) and "Corp" not in asked(OTHER)


def test_the_application_is_told_a_name_that_none_of_ours_can_have(make_house, corp):
    house = open_house(make_house, corp, 'groups = {"corp"}')
    alice = corp.leaf("alice")
    said = fields(house, alice, "-H", "X-Chatelaine-Person: root", "-H", "X_Chatelaine_Email: root@example.com")
    assert said["x-chatelaine-device"] == said["x-chatelaine-person"] == "corp/alice@corp.example"
    assert said["x-chatelaine-groups"] == "corp" and "x-chatelaine-email" not in said
    assert "root" not in str(said)
    wrong = house.run("person", "add", "corp/alice@corp.example", "--email", "a@example.com", check=False)
    assert wrong.returncode != 0 and "/" in wrong.stderr


def test_an_address_is_told_only_of_domains_that_it_may_name(make_house, corp):
    house = open_house(make_house, corp, 'domains = {"corp.example"}')
    assert fields(house, corp.leaf("alice"))["x-chatelaine-email"] == "alice@corp.example"
    done = house.curl("/who", corp.leaf("mallory", "email:root@example.com"))
    assert "C54" in done.stdout


@pytest.mark.parametrize("what, code", [
    ({"san": "email:a@corp.example,email:b@corp.example"}, "C54"),
    ({"san": ""}, "C54"),
    ({"san": "URI:https://corp.example/a"}, "C54"),
    ({"usage": "serverAuth"}, "C51"),
    ({"usage": ""}, "C51"),
    ({"lines": ["keyUsage = critical,keyEncipherment"]}, "C51"),
], ids=["two-addresses", "no-name", "other-name", "for-servers", "for-nothing", "cannot-sign"])
def test_what_is_wrong_with_a_certificate_is_told(make_house, corp, what, code):
    house = open_house(make_house, corp)
    done = house.curl("/who", corp.leaf("alice", **what), "-H", "Accept: application/json", check=True)
    assert json.loads(done.stdout)["code"] == code
    house.wait_log("event=foreign-refused")


def test_no_session_of_its_certificates_is_resumed(make_house, corp):
    house = open_house(make_house, corp)
    alice, ours = corp.leaf("alice"), house.device()

    def tickets(who):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", "-servername", house.site,
                               "-cert", who.cert, "-key", who.key, "-cert_chain", who.cert, "-ign_eof"], text=True, timeout=30,
                              input=f"GET /who HTTP/1.1\r\nHost: {house.site}\r\nConnection: close\r\n\r\n", capture_output=True)
        assert "200 OK" in done.stdout, done.stdout + done.stderr
        return done.stdout.count("New Session Ticket arrived")

    assert tickets(ours) == 1 and tickets(alice) == 0


def test_a_new_list_ends_what_it_revokes_and_nothing_else(make_house, corp, tmp_path):
    crl = corp.crl(tmp_path / "corp.crl")
    house = open_house(make_house, corp, f'crl = "{crl}"', f'intermediates = "{corp.issuing}"')
    alice, bob = corp.leaf("alice"), corp.leaf("bob", with_chain=False)
    gone, stays = WebSocket(house, alice, "/echo"), WebSocket(house, bob, "/echo")
    corp.revoke(alice)
    corp.crl(crl)
    assert gone.read_until_close()[0] == 1008
    assert "C52" in house.curl("/who", alice).stdout
    stays.send("still here")
    assert stays.read_text() == "still here" and house.status("/who", bob) == 200
    crl.write_text("not a list")
    house.wait_log("the ones before still hold")
    assert "C52" in house.curl("/who", alice).stdout and house.status("/who", bob) == 200
    stays.close()


@pytest.mark.parametrize("mode, status, code", [("warn", 200, ""), ("refuse", 503, "C53")])
def test_a_list_that_is_out_of_date_is_said_aloud(make_house, corp, tmp_path, mode, status, code):
    alice, gone = corp.leaf("alice"), corp.leaf("gone")
    corp.revoke(gone)
    crl = corp.crl(tmp_path / "corp.crl", "-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
    house = open_house(make_house, corp, f'crl = "{crl}"', f'intermediates = "{corp.issuing}"', f'crl-expired = "{mode}"')
    assert house.status("/who", alice) == status and code in house.curl("/who", alice).stdout
    assert "C52" in house.curl("/who", gone).stdout, "what stands in it stays revoked"
    assert "out of date" in house.log_text()
    said = house.json("status")
    assert any("out of date" in problem for problem in said["problems"])
    assert said["foreign_cas"][0]["foreign_ca"] == "corp" and "1 revoked" in said["foreign_cas"][0]["facts"]
    # A fresh list mends it without a restart.
    corp.crl(crl)
    wait_for(lambda: house.status("/who", alice) == 200, "alice is let in")


def test_files_of_identities_say_who_and_in_which_groups(make_house, corp, tmp_path):
    people, groups = tmp_path / "people.txt", tmp_path / "groups.txt"
    people.write_text("# who\nalice@CORP.example\nbob@corp.example\n")
    groups.write_text("alice@corp.example staff,admins\n")
    house = open_house(make_house, corp, f'allow-file = "{people}"', f'groups-file = "{groups}"', 'groups = {"corp"}',
                       site_lines='    location "/headers" { who = {"staff"} }')
    alice, bob, eve = corp.leaf("alice"), corp.leaf("bob"), corp.leaf("eve")
    assert [house.status("/who", one) for one in (alice, bob, eve)] == [200, 200, 403]
    assert "C55" in house.curl("/who", eve).stdout and "C08" in house.curl("/headers", bob).stdout
    assert fields(house, alice)["x-chatelaine-groups"] == "corp,staff,admins"
    live = WebSocket(house, bob, "/echo")
    people.write_text("alice@corp.example\n")
    assert live.read_until_close()[0] == 1008
    groups.unlink()
    wait_for(lambda: house.status("/headers", alice) == 403, "the groups are gone with their file")
    people.unlink()
    wait_for(lambda: "C56" in house.curl("/who", alice).stdout, "nobody enters without the list")


def test_a_sites_own_list_names_them_with_their_ca(make_house, corp, tmp_path):
    listed = tmp_path / "allow.txt"
    listed.write_text("corp/alice@corp.example\nother/bob@corp.example\n")
    house = open_house(make_house, corp, site_lines=f'    allow-file = "{listed}"')
    assert house.status("/who", corp.leaf("alice")) == 200
    assert "C09" in house.curl("/who", corp.leaf("bob")).stdout


def test_drop_lets_it_in_and_others_see_the_handshake_fail(make_house, corp):
    house = open_house(make_house, corp, mode="drop")
    assert house.status("/who", corp.leaf("alice")) == 200
    assert house.curl("/who", corp.leaf("eve", usage="serverAuth")).returncode != 0
    assert house.curl("/who").returncode != 0


def test_another_ca_of_the_same_name_is_nobody(make_house, corp, tmp_path):
    house = open_house(make_house, corp)
    false = CorpCA(tmp_path / "false")
    assert house.status("/who", false.leaf("alice")) == 403
    mixed = false.leaf("alice")
    text = "".join(open(part).read() for part in (mixed.alone, corp.issuing, corp.root, false.issuing, false.root))
    mixed.alone.with_suffix(".mixed").write_text(text)
    assert house.status("/who", Leaf(mixed.alone.with_suffix(".mixed"), mixed.key)) == 403
    ca = Leaf(corp.issuing, corp.issuing_key)
    assert "C51" in house.curl("/who", ca).stdout, "a CA's own certificate is nobody's"


def test_a_chain_of_eleven_or_of_too_many_bytes_is_refused(make_house, corp):
    house = open_house(make_house, corp)
    alice = corp.leaf("alice")
    for copies, status in ((8, 200), (10, 403)):
        long = alice.alone.with_suffix(f".{copies}")
        long.write_text(alice.alone.read_text() + corp.issuing.read_text() + corp.root.read_text() * (copies - 1))
        assert house.status("/who", Leaf(long, alice.key)) == status, copies
    flood = alice.alone.with_suffix(".flood")
    flood.write_text(alice.alone.read_text() + corp.root.read_text() * 150)
    with pytest.raises((OSError, ssl.SSLError, AssertionError)):
        answer = get(house, Leaf(flood, alice.key), house.site, house.site)
        assert answer is not None
    assert house.status("/who", alice) == 200


@pytest.mark.parametrize("lines, words", [
    (['certificate = "/nonexistent.pem"'], "/nonexistent.pem"),
    (['sites = {"nosuch.test"}'], "nosuch.test"),
    (['identity = "subject"'], "email, uri, spiffe, dns"),
    (['crl-expired = "refuse"'], "needs a crl"),
    (['groups = {"everyone"}'], "everyone"),
    (['domains = {"corp.example"}', 'identity = "cn"'], "domains"),
], ids=["no-file", "no-site", "no-field", "no-list", "everyone", "domains"])
def test_a_section_that_cannot_hold_keeps_the_door_shut(make_house, corp, lines, words):
    house = make_house()
    house.init(house.example())
    text = section(corp)
    for line in lines:
        key = line.split(" =")[0]
        kept = [old for old in text.splitlines() if not old.strip().startswith(f"{key} =")]
        text = "\n".join(kept[:-1] + ["    " + line] + kept[-1:]) + "\n"
    house.config.write_text(house.config.read_text() + text)
    house.serve(wait=False)
    assert house.process.wait(20) != 0
    assert "foreign-ca" in house.log_text() and words in house.log_text(), house.log_text()


def test_an_empty_set_of_roots_keeps_the_door_shut_and_later_changes_nothing(make_house, corp, tmp_path):
    house = open_house(make_house, corp)
    alice = corp.leaf("alice")
    kept = corp.root.read_text()
    corp.root.write_text("")
    house.wait_log("the ones before still hold")
    assert house.status("/who", alice) == 200
    house.stop()
    house.serve(wait=False)
    assert house.process.wait(20) != 0
    corp.root.write_text(kept)


def test_a_root_that_goes_ends_what_it_let_in(make_house, corp, tmp_path):
    house = open_house(make_house, corp)
    live = WebSocket(house, corp.leaf("alice"), "/echo")
    corp.root.write_text(CorpCA(tmp_path / "next", "Next Root").root.read_text())
    assert live.read_until_close()[0] == 1008
