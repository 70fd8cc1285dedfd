"""Who can write the registry's file can lock people out, and can let nobody in: what is not the authority's own is not
believed, and is reported."""
import hashlib
import os
import shutil
import sqlite3
import ssl
import subprocess

import pytest

from house import Device, House, wait_for
from recording_upstream import RecordingUpstream


class Place:
    def __init__(self, folder):
        self.upstream = RecordingUpstream()
        self.house = House(folder)
        self.house.init(self.upstream.url)
        self.house.add_to_site('location "/admin" { who = {"admins"} }')
        self.house.set("workers", 1)
        self.alice, self.bob = self.house.device("alice", "laptop"), self.house.device("bob", "laptop")
        self.mallory, self.carol = self.house.device("mallory", "laptop"), self.house.device("carol", "laptop")
        self.before = folder / "before.db"
        self.copy(self.before)
        self.house.run("device", "revoke", "mallory/laptop", "--reason", "keyCompromise")
        self.house.run("person", "remove", "carol")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                        "-keyout", folder / "key.pem", "-out", folder / "cert.pem"], check=True, capture_output=True)
        self.stranger = Device("stranger", folder, {"device": None})
        self.clean = folder / "clean.db"
        self.copy(self.clean)
        self.revoked = (self.house.state / "revoked.list").read_bytes()

    @property
    def database(self):
        return self.house.state / "registry.db"

    def copy(self, to):
        assert not self.database.with_name("registry.db-wal").exists()
        shutil.copy(self.database, to)

    def restore(self):
        self.house.stop(expect=None)
        for name in ("registry.db-wal", "registry.db-shm"):
            self.database.with_name(name).unlink(missing_ok=True)
        shutil.copy(self.clean, self.database)
        (self.house.state / "revoked.list").write_bytes(self.revoked)
        if self.house.log.exists():
            self.house.log.unlink()

    def edit(self, *statements, **values):
        values = {**self.values(), **values}
        with sqlite3.connect(self.database) as db:
            for text in statements:
                db.execute(text, {name: value for name, value in values.items() if f":{name}" in text})
        db.close()

    def values(self):
        """What statements call by name."""
        found = {}
        for device in (self.alice, self.bob, self.mallory, self.carol, self.stranger):
            name = device.name.split("/")[0]
            der = ssl.PEM_cert_to_DER_cert(open(device.cert).read())
            found[name + "_der"], found[name + "_print"] = der, hashlib.sha256(der).digest()
            found[name] = bytes.fromhex(device.id[:32]) if device.id else bytes(16)
        with sqlite3.connect(self.database) as db:
            for name, identity in db.execute("SELECT name, id FROM person"):
                found[name + "_person"] = identity
        db.close()
        return found

    def enters(self, device, path="/page"):
        status = self.house.status(path, device)
        reached = self.upstream.take()
        assert (status == 200) == (len(reached) == 1), status
        return status == 200

    def close(self):
        self.house.close()
        self.upstream.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    one = Place(tmp_path_factory.mktemp("place"))
    yield one
    one.close()


@pytest.fixture
def place(kept):
    kept.restore()
    return kept


def test_with_nothing_edited_the_right_ones_enter(place):
    place.house.serve()
    assert place.enters(place.alice) and place.enters(place.bob)
    assert not any(place.enters(device) for device in (place.mallory, place.carol, place.stranger))
    assert not place.enters(place.alice, "/admin")
    assert "row-refused" not in place.house.log_text()


COPY = ("INSERT INTO certificate SELECT {print}, randomblob(20), randomblob(32), {device}, profile, not_before, not_after, 'active', 0, '', "
        "created, subject, subject_slash, issuer, {der}, {mac} FROM certificate WHERE fingerprint = :alice_print")


def forged(device=":alice", mac="mac"):
    return COPY.format(print=":stranger_print", device=device, der=":stranger_der", mac=mac)


REVOKED_CERTIFICATE = "UPDATE certificate SET state = 'active', revoked = 0, reason = '' WHERE device = :{}"
REVOKED_DEVICE = "UPDATE device SET state = 'active', reason = '' WHERE id = :{}"

# name: (statements, who must stay outside, who is not touched by it)
EDITS = {
    "revoked becomes active": ([REVOKED_CERTIFICATE.format("mallory"), REVOKED_DEVICE.format("mallory")], "mallory", "alice bob"),
    "only the certificate becomes active": ([REVOKED_CERTIFICATE.format("mallory")], "mallory", "alice bob"),
    "only the device becomes active": ([REVOKED_DEVICE.format("mallory")], "mallory", "alice bob"),
    "a removed person comes back": (["UPDATE person SET state = 'active' WHERE id = :carol_person", REVOKED_CERTIFICATE.format("carol"),
                                     REVOKED_DEVICE.format("carol")], "carol", "alice bob"),
    "a stranger's certificate for alice's device, her MAC": ([forged()], "stranger", "alice bob"),
    "the same with a MAC of zeros": ([forged(mac="zeroblob(32)")], "stranger", "alice bob"),
    "the same with an empty MAC": ([forged(mac="x''")], "stranger", "alice bob"),
    "the same with a MAC of text": ([forged(mac="'" + "0" * 32 + "'")], "stranger", "alice bob"),
    "a device of one's own": (["INSERT INTO device SELECT :stranger, person, 'x', 'x', kind, 'active', created, changed, '', mac FROM device "
                               "WHERE id = :alice", forged(device=":stranger")], "stranger", "alice bob"),
    "a device without a person": (["INSERT INTO device SELECT :stranger, NULL, 'x', 'x', kind, 'active', created, changed, '', mac FROM "
                                   "device WHERE id = :alice", forged(device=":stranger")], "stranger", "alice bob"),
    "a stranger's fingerprint in alice's row": (["UPDATE certificate SET fingerprint = :stranger_print, der = :stranger_der "
                                                 "WHERE fingerprint = :alice_print"], "stranger", "bob"),
    "a revoked fingerprint in alice's row": (["DELETE FROM certificate WHERE fingerprint = :mallory_print",
                                              "UPDATE certificate SET fingerprint = :mallory_print, der = :mallory_der WHERE "
                                              "fingerprint = :alice_print"], "mallory", "bob"),
    "mallory's certificate to bob's device": (["UPDATE certificate SET device = :bob, state = 'active', revoked = 0, reason = '' "
                                               "WHERE fingerprint = :mallory_print"], "mallory", "alice bob"),
    "mallory's certificate to bob's device, with bob's MAC": (["UPDATE certificate SET device = :bob, state = 'active', revoked = 0, "
                                                               "reason = '', mac = (SELECT mac FROM certificate WHERE fingerprint = "
                                                               ":bob_print) WHERE fingerprint = :mallory_print"], "mallory", "alice bob"),
    "alice's certificate to bob's device": (["UPDATE certificate SET device = :bob WHERE fingerprint = :alice_print"], "alice", "bob"),
    "alice's device to bob": (["UPDATE device SET person = :bob_person, label = 'y', label_key = 'y' WHERE id = :alice"], "alice", "bob"),
    "alice's device to nobody": (["UPDATE device SET person = NULL WHERE id = :alice"], "alice", "bob"),
    "alice into admins": (["UPDATE person SET groups = 'admins' WHERE id = :alice_person"], "alice", "bob"),
    "alice is an admin": (["UPDATE person SET role = 'admin' WHERE id = :alice_person"], "alice", "bob"),
    "alice gets bob's name": (["UPDATE person SET name = 'Bob', name_key = 'bob2' WHERE id = :alice_person"], "alice", "bob"),
    "alice gets bob's address": (["UPDATE person SET email = 'bob@example.com' WHERE id = :alice_person"], "alice", "bob"),
    "alice and bob exchange names": (["UPDATE person SET name_key = 'x' WHERE id = :bob_person",
                                      "UPDATE person SET name = 'bob', name_key = 'bob' WHERE id = :alice_person",
                                      "UPDATE person SET name = 'alice', name_key = 'alice' WHERE id = :bob_person"], "alice bob", ""),
    "alice and bob exchange MACs": (["UPDATE person SET mac = (SELECT mac FROM person WHERE id = :bob_person) WHERE id = :alice_person"],
                                    "alice", "bob"),
    "alice lives longer": (["UPDATE certificate SET not_after = not_after + 100000000 WHERE fingerprint = :alice_print"], "alice", "bob"),
    "alice was born earlier": (["UPDATE certificate SET not_before = 0 WHERE fingerprint = :alice_print"], "alice", "bob"),
    "alice lives for ever": (["UPDATE certificate SET not_after = 9223372036854775807 WHERE fingerprint = :alice_print"], "alice", "bob"),
    "alice's subject is another's": (["UPDATE certificate SET subject = 'CN=dev1' WHERE fingerprint = :alice_print"], "alice", "bob"),
    "alice's slash form is another's": (["UPDATE certificate SET subject_slash = '/CN=dev1/emailAddress=bob@example.com' WHERE "
                                         "fingerprint = :alice_print"], "alice", "bob"),
    "a line end in a subject": (["UPDATE certificate SET subject = subject || char(13, 10) || 'X-Evil: 1' WHERE fingerprint = :alice_print"],
                                "alice", "bob"),
    "a state in capitals": (["UPDATE certificate SET state = 'ACTIVE' WHERE fingerprint = :mallory_print"], "mallory", "alice bob"),
    "a state of bytes": (["UPDATE certificate SET state = CAST('active' AS BLOB) WHERE fingerprint = :mallory_print",
                          "UPDATE device SET state = CAST('active' AS BLOB) WHERE id = :mallory"], "mallory", "alice bob"),
    "a state that is none": (["UPDATE device SET state = 'welcome' WHERE id = :mallory"], "mallory", "alice bob"),
    "a fingerprint of text": ([forged().replace(":stranger_print", "CAST(:stranger_print AS TEXT)")], "stranger", "alice bob"),
    "a MAC that is too long": (["UPDATE certificate SET mac = mac || x'00' WHERE fingerprint = :alice_print"], "alice", "bob"),
    "a MAC that is too short": (["UPDATE certificate SET mac = substr(mac, 1, 31) WHERE fingerprint = :alice_print"], "alice", "bob"),
    "a profile of another kind": (["UPDATE certificate SET profile = 'agent' WHERE fingerprint = :alice_print"], "alice", "bob"),
    "a very long label": (["UPDATE device SET label = hex(zeroblob(100000)) WHERE id = :alice"], "alice", "bob"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_while_stopped_lets_nobody_in_and_is_reported(place, name):
    statements, outside, untouched = EDITS[name]
    place.edit(*statements)
    problems = place.house.json("status")["problems"]
    assert any("changed by hand" in problem for problem in problems), "also while nothing runs"
    place.house.serve()
    for who in {*outside.split(), "mallory", "carol", "stranger"}:
        assert not place.enters(getattr(place, who)), f"{who} got in"
    for who in untouched.split():
        assert place.enters(getattr(place, who)), f"{who} was not touched"
    assert not place.enters(place.alice, "/admin") and not place.enters(place.bob, "/admin")
    place.house.wait_log("event=row-refused")
    problems = place.house.json("status")["problems"]
    assert any("changed by hand" in problem for problem in problems)


def test_other_bytes_beside_a_true_fingerprint_let_nobody_in(place):
    place.edit("UPDATE certificate SET der = :stranger_der WHERE fingerprint = :alice_print")
    place.house.serve()
    assert not place.enters(place.stranger) and place.enters(place.alice) and place.enters(place.bob)


def test_an_edit_while_running_lets_nobody_in_after_the_authority_has_read_it(place):
    place.house.serve()
    assert place.enters(place.alice) and not place.enters(place.mallory)
    place.edit(REVOKED_CERTIFICATE.format("mallory"), REVOKED_DEVICE.format("mallory"), forged(),
               "UPDATE person SET groups = 'admins' WHERE id = :bob_person")
    # A deed for each of them reads the rows anew; and so does an authority that starts again.
    for words in (["device", "add", "mallory", "--label", "more", "--pem", place.house.folder / "mallory-more"],
                  ["device", "add", "bob", "--label", "more", "--pem", place.house.folder / "bob-more"]):
        place.house.run(*words, check=False)
        shutil.rmtree(words[-1], ignore_errors=True)
    assert not place.enters(place.mallory) and not place.enters(place.stranger) and not place.enters(place.bob, "/admin")
    (authority,) = place.house.parts("authority")
    os.kill(authority, 9)
    place.house.wait_log("event=row-refused")
    assert not place.enters(place.mallory) and not place.enters(place.stranger) and not place.enters(place.bob, "/admin")
    wait_for(lambda: not place.enters(place.bob), "bob's person is not believed any more")
    assert place.enters(place.alice)


def test_what_is_planted_in_the_file_does_not_undo_a_revocation(place):
    """A trigger that puts the rows back as they were, with the MACs that they had."""
    place.edit("CREATE TRIGGER undo_certificate AFTER UPDATE ON certificate BEGIN UPDATE certificate SET state = OLD.state, "
               "revoked = OLD.revoked, reason = OLD.reason, mac = OLD.mac WHERE fingerprint = OLD.fingerprint; END",
               "CREATE TRIGGER undo_device AFTER UPDATE ON device BEGIN UPDATE device SET state = OLD.state, changed = OLD.changed, "
               "reason = OLD.reason, mac = OLD.mac WHERE id = OLD.id; END")
    place.house.serve()
    assert place.enters(place.alice)
    place.house.run("device", "revoke", "alice/laptop")
    assert not place.enters(place.alice)
    place.house.stop()
    place.house.serve()
    assert not place.enters(place.alice)


def test_rows_of_before_a_revocation_let_nobody_in(place):
    """Rows that were the authority's own once, MAC and all, put back by who kept a copy."""
    with sqlite3.connect(place.database) as db:
        db.execute("ATTACH ? AS old", (str(place.before),))
        for table in ("person", "device", "certificate"):
            db.execute(f"REPLACE INTO {table} SELECT * FROM old.{table}")
    db.close()
    place.house.serve()
    assert not place.enters(place.mallory) and not place.enters(place.carol)
    assert place.enters(place.alice) and place.enters(place.bob)


@pytest.mark.parametrize("statements,words", [
    (["UPDATE house SET value = CAST('evil.test' AS BLOB) WHERE name = 'trust-domain'"], ["trust-domain", "changed by hand"]),
    (["UPDATE house SET value = randomblob(16) WHERE name = 'authority'"], ["authority", "changed by hand"]),
    (["DELETE FROM house"], ["lacks"]),
    (["UPDATE migration SET version = 4711 WHERE version = (SELECT max(version) FROM migration)"], ["newer"]),
    (["DROP TABLE seen", "DROP TABLE certificate"], ["registry"]),
    (["ALTER TABLE certificate RENAME TO hidden", "CREATE VIEW certificate AS SELECT * FROM hidden"], ["registry"]),
], ids=range(6))
def test_a_house_that_was_edited_is_refused_with_a_sentence(place, statements, words):
    place.edit(*statements)
    for command in (["person", "list"], ["serve"]):
        done = place.house.run(*command, check=False)
        assert done.returncode == 1, (command, done.stdout, done.stderr)
        for word in words:
            assert word in done.stderr, done.stderr
    assert not place.enters(place.alice) and not place.enters(place.stranger)


def test_the_row_key_of_another_house_is_refused_with_a_sentence(place):
    file = place.house.state / "row.key"
    own = file.read_bytes()
    try:
        file.write_bytes(os.urandom(32).hex().encode() + b"\n")
        done = place.house.run("serve", check=False)
        assert done.returncode == 1 and "row.key" in done.stderr, done.stderr
    finally:
        file.write_bytes(own)
