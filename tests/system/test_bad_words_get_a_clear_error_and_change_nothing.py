"""Commands with bad input: which exit status, what the sentence names, and that nothing was done."""
import json
import os
import subprocess

import pytest

from house import BINARY


@pytest.fixture(scope="module")
def still_house(tmp_path_factory):
    """A house that does not run: commands open the state folder themselves."""
    from house import House
    one = House(tmp_path_factory.mktemp("still"))
    one.init("http://127.0.0.1:9")
    one.device("alice", "laptop")
    yield one
    one.close()


WRONG = [
    (2, "frobnicate", "unknown command"),
    (2, "devise list", 'did you mean "device"'),
    (2, "device", "device add"),
    (2, "device add", "whose device"),
    (2, "device add alice", "--label is needed"),
    (2, "device add alice --label phone", "exactly one of"),
    (2, "device add alice --label phone --p12 a --pem b", "exactly one of"),
    (2, "device add alice --label phone --csr a", "--out"),
    (2, "device add alice --label phone --p12", "needs a value"),
    (2, "device add alice --labl phone --p12 x", "did you mean --label"),
    (2, "device add alice --label a --label b --p12 x", "twice"),
    (2, "person add bob", "--email is needed"),
    (2, "person list everybody", "takes no words"),
    (2, "explain", "one code is needed"),
    (1, "device add nobody --label x --pem {tmp}/x", "nobody"),
    (1, "device add alice --label laptop --pem {tmp}/x", "already"),
    (1, "device add alice --label a/b --pem {tmp}/x", '"/"'),
    (1, "device add alice --label x --kind toaster --pem {tmp}/x", "phone, laptop, server, shared"),
    (1, "device add alice --label x --p12 {tmp}/x --profile rc2", "compatible"),
    (1, "device add alice --label x --pem {tmp}/none/x", "no folder"),
    (1, "device add alice --label x --csr /etc/hostname --out {tmp}/x", "CERTIFICATE REQUEST"),
    (1, "device add alice --label x --csr {tmp}/absent --out {tmp}/x", "absent"),
    (1, "device show zz", "zz"),
    (1, "device revoke alice/toaster", "toaster"),
    (1, "person add alice --email other@example.com", "already"),
    (1, "person add bob --email nonsense", "nonsense"),
    (1, "person show nobody", "nobody"),
    (1, "person remove nobody", "nobody"),
    (1, "cert inspect /etc/hostname", "/etc/hostname"),
    (1, "explain C99", "C99"),
    (1, "init other.test --to http://127.0.0.1:1", "already"),
]


@pytest.mark.parametrize("code, words, text", WRONG, ids=[w[1] for w in WRONG])
def test_wrong_words(still_house, tmp_path, code, words, text):
    before = still_house.json("status")
    done = still_house.run(*words.format(tmp=tmp_path).split(), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert text in done.stderr
    assert list(tmp_path.iterdir()) == []
    after = still_house.json("status")
    for figure in ("people", "devices", "certificates"):
        assert before[figure] == after[figure]


def test_with_json_the_error_is_json_too(still_house):
    done = still_house.run("device", "show", "zz", "--json", check=False)
    assert done.returncode == 1 and "zz" in json.loads(done.stdout)["error"]


@pytest.mark.parametrize("words, text", [
    ("bad/name --to http://127.0.0.1:1", "SITE"),
    ("x.test --to ftp://127.0.0.1", "--to"),
    ("x.test --to http://127.0.0.1:1 --listen 443", "--listen"),
    ("x.test --to http://127.0.0.1:1 --preset wordpress", "rocketchat"),
    ("x.test --to http://127.0.0.1:1", "not a terminal|this is none"),
])
def test_init_refuses_before_it_makes_anything(tmp_path, words, text):
    done = subprocess.run([BINARY, "init", *words.split(), "--state", str(tmp_path / "s")], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 1 and any(t in done.stderr for t in text.split("|")), done.stderr
    assert not (tmp_path / "s").exists()


def test_a_file_that_is_there_is_never_overwritten(still_house, tmp_path):
    (tmp_path / "mine.p12").write_text("mine")
    done = still_house.run("device", "add", "alice", "--label", "again", "--p12", tmp_path / "mine.p12", check=False)
    assert done.returncode == 1 and (tmp_path / "mine.p12").read_text() == "mine"
    os.symlink("/nonexistent-target", tmp_path / "link.p12")
    done = still_house.run("device", "add", "alice", "--label", "again", "--p12", tmp_path / "link.p12", check=False)
    assert done.returncode == 1


def test_devices_are_named_by_id_prefix_and_label(still_house):
    id = still_house.devices["alice/laptop"].id
    for name in (id, id[:10], "alice/laptop"):
        assert still_house.json("device", "show", name)["device"] == id


def test_secrets_are_in_files_that_only_their_owner_reads(still_house, tmp_path):
    still_house.run("device", "add", "alice", "--label", "modes", "--pem", tmp_path / "d")
    assert (tmp_path / "d").stat().st_mode & 0o777 == 0o700
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in (tmp_path / "d").iterdir())
    still_house.run("device", "add", "alice", "--label", "modes2", "--p12", tmp_path / "x.p12")
    assert (tmp_path / "x.p12").stat().st_mode & 0o777 == 0o600


def test_an_encrypted_key_opens_with_the_password_only(still_house, tmp_path):
    facts = still_house.json("device", "add", "alice", "--label", "enc", "--pem", tmp_path / "e", "--encrypt")
    opened = subprocess.run(["openssl", "pkey", "-in", tmp_path / "e/key.pem", "-passin", f"pass:{facts['password']}", "-noout"])
    assert opened.returncode == 0
    assert subprocess.run(["openssl", "pkey", "-in", tmp_path / "e/key.pem", "-passin", "pass:wrong", "-noout"],
                          capture_output=True).returncode != 0


@pytest.mark.parametrize("line, text", [
    ("frobnicate = 1", "frobnicate"),
    ("workers = many", "workers"),
    ('listen = {"everywhere"}', "listen"),
    ('listen = {"127.0.0.1:1"', "line"),
    ("idle-time = 3parsecs", "idle-time"),
])
def test_a_config_mistake_is_named_by_file_line_and_key(make_house, line, text):
    one = make_house()
    one.init("http://127.0.0.1:9")
    kept = [l for l in one.config.read_text().splitlines() if not l.startswith(line.split(" ")[0] + " ")]
    one.config.write_text("\n".join([line] + kept) + "\n")
    for command in (("config", "check"), ("serve",)):
        done = one.run(*command, check=False)
        assert done.returncode == 1, done.stderr
        assert f"{one.config}:" in done.stderr and (text in done.stderr or text == "line"), done.stderr
