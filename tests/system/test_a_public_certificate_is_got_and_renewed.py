"""init --acme and acme: certbot and uacme as they are, against Pebble, an ACME server for tests. In a network and mounts of
their own, so that port 80 is port 80."""
import json
import os
import shutil
import subprocess

import pytest
from house import SANITIZED, wait_for
from internet import ACME_TOOLS, Internet, lacks

SITE, SECOND = "chat.example.com", "wiki.example.com"
pytestmark = pytest.mark.skipif(SANITIZED or bool(lacks(ACME_TOOLS)), reason=f"needs {', '.join(lacks(ACME_TOOLS))}")
DIRECTORY = "https://localhost:14000/dir"


@pytest.fixture
def internet(tmp_path):
    one = Internet(tmp_path, acme=True)
    yield one
    one.close()


def init(internet, *words, **more):
    return internet.chatelaine("init", SITE, "--to", "http://127.0.0.1:3000", "--recovery-file", internet.folder / "recovery.txt",
                               *words, **more)


def test_certbot_gets_one_for_init_and_renews_it_through_the_running_door(internet):
    done = init(internet, "--acme", "it@example.com", "--acme-server", DIRECTORY)
    assert f"{SITE} has its certificate: /etc/letsencrypt/live/{SITE}/fullchain.pem" in done.stdout
    config = (internet.state / "chatelaine.conf").read_text()
    assert f'certificate = "/etc/letsencrypt/live/{SITE}/fullchain.pem"' in config
    assert "\nlisten-http = " in config

    internet.serve()
    first = internet.presented()
    assert "Pebble Intermediate" in first
    assert "no action taken" in internet.chatelaine("acme", "--email", "it@example.com", "--server", DIRECTORY).stdout
    assert internet.presented() == first

    # As certbot's own timer does it, with nothing said about Chatelaine.
    internet.run("certbot", "renew", "--cert-name", SITE, "--force-renewal", "--no-random-sleep-on-renew")
    wait_for(lambda: internet.presented() not in ("", first), "the renewed certificate is presented")
    assert "Pebble Intermediate" in internet.presented()


def test_a_renewal_that_needs_nginx_is_named_with_the_command_that_mends_it(internet):
    init(internet, "--acme", "it@example.com", "--acme-server", DIRECTORY)
    renewal = internet.folder / f"letsencrypt/renewal/{SITE}.conf"
    text = renewal.read_text().replace("authenticator = webroot", "authenticator = nginx")
    renewal.write_text("\n".join(line for line in text.splitlines() if "webroot" not in line or "[[" in line) + "\n")

    # Somebody who comes from nginx: the certificate is found, and its renewal would end.
    shutil.rmtree(internet.state)
    (internet.folder / "recovery.txt").unlink()
    done = init(internet)
    assert "will not renew itself" in done.stdout
    command = [line.strip() for line in done.stdout.splitlines() if line.strip().startswith("certbot renew")][0]
    internet.serve()
    first = internet.presented()
    internet.run(*command.split(), "--no-random-sleep-on-renew")  # there is no terminal here
    wait_for(lambda: internet.presented() not in ("", first), "the renewed certificate is presented")
    assert "authenticator = webroot" in renewal.read_text()
    assert f"{internet.state}/acme" in renewal.read_text()
    assert "will not" not in internet.chatelaine("acme", "--server", DIRECTORY).stderr


def test_uacme_does_it_as_well_for_a_second_site(internet):
    init(internet, "--acme", "it@example.com", "--acme-server", DIRECTORY)
    config = internet.state / "chatelaine.conf"
    (internet.state / "server").mkdir(exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    f"/CN={SECOND}", "-addext", f"subjectAltName=DNS:{SECOND}", "-keyout", internet.state / "server/s.key",
                    "-out", internet.state / "server/s.pem"], check=True, capture_output=True)
    config.write_text(config.read_text() + f'''
site "{SECOND}" {{
    upstream = {{"http://127.0.0.1:3001"}}
    certificate = "{internet.state}/server/s.pem"   # for now
    key = "{internet.state}/server/s.key"
    location "/x" {{ no-certificate = explain }}
}}
''')
    internet.serve()
    tools = internet.folder / "tools"
    tools.mkdir()
    for place in ("/usr/bin", "/bin", "/usr/sbin", "/sbin"):
        for name in os.listdir(place):
            if name != "certbot" and not (tools / name).exists():
                (tools / name).symlink_to(f"{place}/{name}")
    done = internet.chatelaine("acme", SECOND, "--email", "it@example.com", "--server", DIRECTORY, PATH=str(tools))
    assert f"{SECOND} has its certificate: /etc/ssl/uacme/{SECOND}/cert.pem" in done.stdout
    assert f"/etc/ssl/uacme/{SECOND}/cert.pem" in config.read_text()
    wait_for(lambda: "Pebble Intermediate" in internet.presented(SECOND), "uacme's certificate is presented")
    assert "Pebble Intermediate" in internet.presented(SITE)
    # Once more is no error and gets no other one.
    first = internet.presented(SECOND)
    internet.chatelaine("acme", SECOND, "--server", DIRECTORY, PATH=str(tools))
    assert internet.presented(SECOND) == first


def test_what_cannot_be_is_said_and_changes_nothing(internet):
    holder = internet.start("/usr/bin/python3", "-m", "http.server", "80", "--bind", "0.0.0.0")
    wait_for(lambda: internet.run("curl", "-s", "http://127.0.0.1/", check=False).returncode == 0, "another holds port 80")
    done = init(internet, "--acme", "it@example.com", "--acme-server", DIRECTORY, check=False)
    assert done.returncode == 1
    assert "0.0.0.0:80 is in use by" in done.stderr and f"pid {holder.pid}" in done.stderr
    assert "chatelaine acme --email it@example.com" in done.stderr
    config = (internet.state / "chatelaine.conf").read_text()
    assert f"{internet.state}/server/{SITE}.pem" in config

    holder.terminate()
    holder.wait()
    # A name that leads elsewhere: the authority finds nobody there.
    internet.run("curl", "-s", "-d", json.dumps({"host": SITE, "addresses": ["127.0.0.9"]}), "http://127.0.0.1:8055/add-a")
    (internet.state / "chatelaine.conf").write_text(config.replace('{"0.0.0.0:80", "[::]:80"}', '{"127.0.0.1:80"}'))
    config = (internet.state / "chatelaine.conf").read_text()
    done = internet.chatelaine("acme", "--server", DIRECTORY, check=False)
    assert done.returncode == 1 and "certbot did not get a certificate" in done.stderr
    assert (internet.state / "chatelaine.conf").read_text() == config
    for words, said in ((["other.example.com"], 'no site "other.example.com"'),):
        done = internet.chatelaine("acme", *words, check=False)
        assert done.returncode == 1 and said in done.stderr
    # Nobody is left on port 80.
    assert internet.run("curl", "-s", "http://127.0.0.1/", check=False).returncode == 7
