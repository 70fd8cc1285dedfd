"""init for an IP address, a .local name, a name with a certificate of Let's Encrypt; each answers TLS as it should."""
import os
import pathlib
import subprocess

import pytest

from house import BINARY, House


def names(path):
    return subprocess.run(["openssl", "x509", "-in", path, "-noout", "-ext", "subjectAltName,extendedKeyUsage"], capture_output=True,
                          text=True, check=True).stdout


@pytest.mark.parametrize("site, wanted", [("127.0.0.1", "IP Address:127.0.0.1"), ("nas.local", "DNS:nas.local"),
                                          ("::1", "IP Address:0:0:0:0:0:0:0:1")])
def test_the_own_authority_makes_a_certificate_with_the_right_names(make_house, site, wanted):
    one = make_house(site=site)
    one.init(one.example())
    path = next((one.state / "server").glob("*.pem"))
    assert wanted in names(path) and "TLS Web Server Authentication" in names(path)
    assert subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", one.root, "-untrusted", path, path],
                          capture_output=True).returncode == 0
    if ":" in site:
        return
    one.serve()
    alice = one.device()
    assert one.status("/who", alice) == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="a private /etc/letsencrypt needs root")
def test_a_certificate_of_lets_encrypt_is_found_and_used(tmp_path):
    live = tmp_path / "letsencrypt/live/chat.example.com"
    live.mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", "/CN=chat.example.com", "-addext", "subjectAltName=DNS:chat.example.com",
                    "-addext", "basicConstraints=CA:FALSE", "-keyout", live / "privkey.pem", "-out", live / "fullchain.pem"],
                   check=True, capture_output=True)
    pathlib.Path("/etc/letsencrypt").mkdir(exist_ok=True)
    mine = not any(pathlib.Path("/etc/letsencrypt").iterdir())
    prefix = ["unshare", "-m", "sh", "-c", f"mount --bind {tmp_path}/letsencrypt /etc/letsencrypt && exec \"$@\"", "-"]
    try:
        done = subprocess.run([*prefix, BINARY, "init", "chat.example.com", "--to", "http://127.0.0.1:9", "--state", tmp_path / "s",
                               "--recovery-file", tmp_path / "r"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        text = (tmp_path / "s/chatelaine.conf").read_text()
        assert "/etc/letsencrypt/live/chat.example.com/fullchain.pem" in text
        assert not list((tmp_path / "s/server").glob("*")) if (tmp_path / "s/server").exists() else True
        check = subprocess.run([*prefix, BINARY, "config", "check", "--state", tmp_path / "s"], capture_output=True, text=True)
        assert check.returncode == 0, check.stderr
    finally:
        if mine:
            pathlib.Path("/etc/letsencrypt").rmdir()


def test_a_second_init_leaves_the_first_house_as_it_is(tmp_path):
    one = House(tmp_path)
    one.init("http://127.0.0.1:9")
    before = {p: p.read_bytes() for p in one.state.rglob("*") if p.is_file() and p.suffix in (".pem", ".key", ".conf", ".token")}
    done = one.run("init", "other.test", "--to", "http://127.0.0.1:9", "--recovery-file", tmp_path / "again", check=False)
    assert done.returncode == 1 and "already" in done.stderr and not (tmp_path / "again").exists()
    assert all(p.read_bytes() == b for p, b in before.items())
