"""A chatelaine of one test's own: its state folder, its port, its log, its devices."""
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import ssl
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = os.environ.get("CHATELAINE", str(ROOT / "build/release/chatelaine"))
with open(BINARY, "rb") if os.path.exists(BINARY) else open(os.devnull, "rb") as _binary:
    SANITIZED = b"__asan_init" in _binary.read()  # it keeps what is freed for a while, and filters no system call
PATIENCE = 20  # seconds until a condition that should come true is given up; no test measures time by it


_given = set()


def free_port(host="127.0.0.1"):
    """A port that nobody listens on, and that no other call of this run was told of: who asked may listen there later."""
    while True:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, 0))
            port = probe.getsockname()[1]
        if port not in _given:
            _given.add(port)
            return port


def wait_for(condition, what, patience=PATIENCE):
    """Until condition() is true; its value. Polls, because the other side is another process."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        select.select([], [], [], 0.02)
    raise AssertionError(f"in vain: {what}")


class Device:
    def __init__(self, name, folder, facts):
        self.name, self.folder, self.id = name, folder, facts["device"]
        self.facts = facts
        self.cert, self.key, self.chain = (str(folder / n) for n in ("cert.pem", "key.pem", "chain.pem"))

    def curl(self):
        return ["--cert", self.cert, "--key", self.key]


class House:
    """init, serve, ask; everything is ended by close()."""

    def __init__(self, folder, site="door.test", config="", **options):
        self.folder = pathlib.Path(folder)
        self.state = self.folder / "state"
        self.site, self.port = site, free_port()
        self.children, self.devices = [], {}
        self.binary = BINARY
        self.log = self.folder / "serve.log"
        self.process = None
        self.extra, self.options = config, options

    # -- commands ---------------------------------------------------------
    def run(self, *words, check=True, env=None, **more):
        done = subprocess.run([str(self.binary), *map(str, words), "--state", str(self.state)], capture_output=True, text=True,
                              timeout=60, env={**os.environ, **(env or {})}, **more)
        if check and done.returncode != 0:
            raise AssertionError(f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def json(self, *words):
        return json.loads(self.run(*words, "--json").stdout)

    def init(self, upstream, *words):
        self.run("init", self.site, "--to", upstream, "--listen", f"127.0.0.1:{self.port}", "--recovery-file",
                 self.folder / "recovery.txt", *words)
        self.root = self.folder / "root.pem"
        self.root.write_text(self.run("ca", "cert").stdout)
        if self.extra:
            self.add_to_site(self.extra)
        return self

    @property
    def config(self):
        return self.state / "chatelaine.conf"

    def add_to_site(self, lines):
        """Puts lines into the (one) site block."""
        text = self.config.read_text()
        cut = text.rindex("}")
        self.config.write_text(text[:cut] + lines + "\n}\n")

    def set(self, key, value):
        """Replaces a key's line in the config, or adds it to the top."""
        lines = self.config.read_text().splitlines()
        for number, line in enumerate(lines):
            if line.strip().startswith(f"{key} =") or line.strip().startswith(f"# {key} ="):
                indent = line[: len(line) - len(line.lstrip())]
                lines[number] = f"{indent}{key} = {value}"
                break
        else:
            lines.insert(0, f"{key} = {value}")
        self.config.write_text("\n".join(lines) + "\n")

    # -- people ------------------------------------------------------------
    def person(self, name, *words):
        self.run("person", "add", name, "--email", f"{name}@example.com", *words)

    def device(self, person="alice", label="laptop", *words):
        """A device with PEM files; the person is made when unknown."""
        if self.run("person", "show", person, check=False).returncode != 0:
            self.person(person)
        folder = self.folder / f"{person}-{label}"
        facts = self.json("device", "add", person, "--label", label, "--pem", folder, *words)
        self.devices[f"{person}/{label}"] = Device(f"{person}/{label}", folder, facts)
        return self.devices[f"{person}/{label}"]

    # -- processes ----------------------------------------------------------
    def serve(self, *words, wait=True, prefix=()):
        self.process = subprocess.Popen([*prefix, str(self.binary), "serve", "--state", str(self.state), *words],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=open(self.log, "ab"))
        if wait:
            wait_for(lambda: "event=ready" in self.log_text() or self.process.poll() is not None, "event=ready in the log")
            assert self.process.poll() is None, self.log_text()
        return self

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def wait_log(self, text, after=0):
        wait_for(lambda: text in self.log_text()[after:], f"{text!r} in the log:\n{self.log_text()[-3000:]}")

    def parts(self, role=None):
        """Pids of the supervisor's children, or of those with this role."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text()
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if int(stat.rsplit(")", 1)[1].split()[1]) == self.process.pid and len(words) > 2:
                if stat.rsplit(")", 1)[1].split()[0] != "Z" and (role is None or words[2].decode() == role):
                    found.append(int(entry.name))
        return sorted(found)

    def stop(self, expect=0):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                code = self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("SIGTERM did not end it\n" + self.log_text()[-2000:])
            if expect is not None:
                assert code == expect, self.log_text()[-2000:]
        self.process = None

    def start(self, *words, **more):
        """Another process of this test, ended by close()."""
        child = subprocess.Popen([str(w) for w in words], stdin=subprocess.DEVNULL, **more)
        self.children.append(child)
        return child

    def example(self):
        """The example application; answers its URL."""
        port = free_port()
        self.start(BINARY, "example", "--listen", f"127.0.0.1:{port}", stderr=open(self.folder / "example.log", "ab"),
                   stdout=subprocess.DEVNULL)
        wait_for(lambda: can_connect(port), "the example listens")
        return f"http://127.0.0.1:{port}"

    def close(self):
        try:
            self.stop(expect=None)
        finally:
            for child in self.children:
                if child.poll() is None:
                    child.terminate()
            for child in self.children:
                try:
                    child.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
        self.believe_the_sanitizers()

    def believe_the_sanitizers(self):
        """A sanitized build (CHATELAINE=build/asan/chatelaine) tells what it found in the log."""
        for log in {self.log, *self.folder.glob("*.log")}:
            text = log.read_text(errors="replace") if log.exists() else ""
            for word in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "Assertion `"):
                assert word not in text, text[text.index(word) - 200:][:6000]

    # -- clients --------------------------------------------------------------
    @property
    def url(self):
        return f"https://{self.site}:{self.port}"

    def curl(self, path="/", device=None, *words, check=False):
        who = device.curl() if device else []
        done = subprocess.run(["curl", "-sS", "--max-time", "30", "--cacert", str(self.root), "--resolve",
                               f"{self.site}:{self.port}:127.0.0.1", *who, *map(str, words), self.url + path],
                              capture_output=True, text=True, errors="replace")
        if check:
            assert done.returncode == 0, done.stderr
        return done

    def status(self, path="/", device=None, *words):
        """The HTTP status as curl sees it."""
        done = self.curl(path, device, "-o", "/dev/null", "-w", "%{http_code}", *words)
        return int(done.stdout or 0)

    def tls(self, device=None, name=None, context=None, alpn=("http/1.1",), timeout=20, port=None):
        """A TLS socket to the door."""
        context = context or self.context(device)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        plain = socket.create_connection(("127.0.0.1", port or self.port), timeout=timeout)
        return context.wrap_socket(plain, server_hostname=self.site if name is None else name)

    def context(self, device=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(str(self.root))
        if device:
            context.load_cert_chain(device.cert, device.key)
        return context


def can_connect(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def read_answer(stream):
    """One HTTP/1.1 answer from a socket: status, fields (lower case), body. For content-length and chunked."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = stream.recv(65536)
        if not more:
            return None if not data else (0, {}, data)
        data += more
    head, body = data.split(b"\r\n\r\n", 1)
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, value = line.split(":", 1)
        fields[name.lower()] = value.strip()
    status = int(lines[0].split()[1])
    if "content-length" in fields:
        while len(body) < int(fields["content-length"]):
            more = stream.recv(65536)
            if not more:
                break
            body += more
    elif fields.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            more = stream.recv(65536)
            if not more:
                break
            body += more
    return status, fields, body


def needs(*programs):
    """For pytest.mark.skipif: what is not installed. script/check installs all of it."""
    return [p for p in programs if not shutil.which(p)]
