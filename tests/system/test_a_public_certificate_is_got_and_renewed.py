"""init --acme and acme: certbot and uacme as they are, against Pebble, an ACME server for tests. In a network and mounts of
their own, so that port 80 is port 80."""
import json
import os
import shutil
import signal
import subprocess

import pytest
from house import BINARY, SANITIZED, wait_for

SITE, SECOND = "chat.example.com", "wiki.example.com"
NEEDED = ["pebble", "pebble-challtestsrv", "certbot", "uacme", "unshare", "nsenter", "ip"]
pytestmark = pytest.mark.skipif(os.geteuid() != 0 or SANITIZED or any(not shutil.which(one) for one in NEEDED),
                                reason="needs root, " + ", ".join(NEEDED))


class Internet:
    """A machine with a public name, an authority that can reach it, and nobody else."""

    def __init__(self, folder):
        self.folder, self.children = folder, []
        self.state = folder / "state"
        for name in ("letsencrypt", "lib", "log", "uacme"):
            (folder / name).mkdir()
        self.certificates()
        binds = [(folder / "letsencrypt", "/etc/letsencrypt"), (folder / "lib", "/var/lib/letsencrypt"),
                 (folder / "log", "/var/log/letsencrypt"), (folder / "bundle.pem", "/etc/ssl/certs/ca-certificates.crt")]
        for _, place in binds[:3]:
            os.makedirs(place, exist_ok=True)
        script = "ip link set lo up; " + "".join(f"mount --bind {ours} {place}; " for ours, place in binds)
        script += f"mkdir -p /etc/ssl/uacme; mount --bind {folder}/uacme /etc/ssl/uacme; touch {folder}/made; exec sleep infinity"
        self.holder = subprocess.Popen(["unshare", "-mn", "sh", "-ec", script], stdin=subprocess.DEVNULL)
        wait_for(lambda: (folder / "made").exists(), "a network of our own")
        self.start("pebble-challtestsrv", "-defaultIPv6", "", "-defaultIPv4", "127.0.0.1", "-http01", "", "-https01", "",
                   "-tlsalpn01", "")
        config = {"pebble": {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000",
                             "certificate": f"{folder}/pebble.pem", "privateKey": f"{folder}/pebble.key", "httpPort": 80,
                             "tlsPort": 443, "ocspResponderURL": "", "externalAccountBindingRequired": False}}
        (folder / "pebble.json").write_text(json.dumps(config))
        self.start("pebble", "-config", folder / "pebble.json", "-dnsserver", "127.0.0.1:8053",
                   PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT="0", PEBBLE_AUTHZREUSE="0")
        wait_for(lambda: self.run("curl", "-sf", "https://localhost:14000/dir", check=False).returncode == 0, "pebble listens")

    def certificates(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", self.folder / "pebble.key", "-out", self.folder / "pebble.pem"], check=True, capture_output=True)
        (self.folder / "bundle.pem").write_text((self.folder / "pebble.pem").read_text())

    def words(self, words):
        return ["nsenter", "-t", str(self.holder.pid), "-m", "-n", "--", *map(str, words)]

    def environment(self, **more):
        return {**os.environ, "REQUESTS_CA_BUNDLE": str(self.folder / "pebble.pem"), **more}

    def run(self, *words, check=True, **more):
        done = subprocess.run(self.words(words), capture_output=True, text=True, timeout=100, env=self.environment(**more),
                              stdin=subprocess.DEVNULL)
        if check:
            assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    def chatelaine(self, *words, **more):
        return self.run(BINARY, *words, "--state", self.state, **more)

    def start(self, *words, **more):
        log = open(self.folder / f"{os.path.basename(words[0])}.log", "ab")
        child = subprocess.Popen(self.words(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 env=self.environment(**more))
        self.children.append(child)
        return child

    def serve(self):
        child = self.start(BINARY, "serve", "--state", self.state)
        log = self.folder / "chatelaine.log"
        wait_for(lambda: "event=ready" in log.read_text() or child.poll() is not None, "event=ready")
        assert child.poll() is None, log.read_text()
        return child

    def presented(self, name=SITE):
        """Issuer and serial of what a browser would see."""
        done = self.run("sh", "-c", f"openssl s_client -connect 127.0.0.1:443 -servername {name} </dev/null 2>/dev/null |"
                        " openssl x509 -noout -issuer -serial", check=False)
        return done.stdout

    def close(self):
        for child in reversed(self.children):
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            child.wait(20)
        self.holder.kill()
        self.holder.wait()


DIRECTORY = "https://localhost:14000/dir"


@pytest.fixture
def internet(tmp_path):
    one = Internet(tmp_path)
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
