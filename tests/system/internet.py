"""A network and mounts of a test's own, in which port 80 is port 80 and names are what the test says: the door's machine as the
Internet sees it, with Pebble, an ACME server for tests, if wanted."""
import json
import os
import shutil
import signal
import subprocess

from house import BINARY, wait_for

ACME_TOOLS = ["pebble", "pebble-challtestsrv", "certbot", "uacme"]


def lacks(tools):
    """What is missing to run here."""
    missing = [one for one in ["unshare", "nsenter", "ip", *tools] if not shutil.which(one)]
    return missing + ([] if os.geteuid() == 0 else ["root"])


class Internet:
    """A machine with a public name, an authority that can reach it, and nobody else."""

    def __init__(self, folder, acme=False, hosts=""):
        self.folder, self.children = folder, []
        self.state = folder / "state"
        for name in ("letsencrypt", "lib", "log", "uacme"):
            (folder / name).mkdir()
        self.certificates()
        binds = [(folder / "letsencrypt", "/etc/letsencrypt"), (folder / "lib", "/var/lib/letsencrypt"),
                 (folder / "log", "/var/log/letsencrypt"), (folder / "bundle.pem", "/etc/ssl/certs/ca-certificates.crt")]
        self.hosts = folder / "hosts"
        self.hosts.write_text(hosts or "127.0.0.1 localhost\n")
        binds.append((self.hosts, "/etc/hosts"))
        for _, place in binds[:3]:
            os.makedirs(place, exist_ok=True)
        script = "ip link set lo up; " + "".join(f"mount --bind {ours} {place}; " for ours, place in binds)
        script += f"mkdir -p /etc/ssl/uacme; mount --bind {folder}/uacme /etc/ssl/uacme; touch {folder}/made; exec sleep infinity"
        self.holder = subprocess.Popen(["unshare", "-mn", "sh", "-ec", script], stdin=subprocess.DEVNULL)
        wait_for(lambda: (folder / "made").exists(), "a network of our own")
        if acme:
            self.start_pebble()

    def start_pebble(self):
        folder = self.folder
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

    def presented(self, name="chat.example.com"):
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
