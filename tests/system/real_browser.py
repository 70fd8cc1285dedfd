"""Chromium and Firefox as people have them: the .p12 in their own store, the root trusted there, no other help.

No picker can be clicked without a screen, so Chromium is told by enterprise policy, and Firefox by a preference, to
show the certificate that it has. Each browser gets a home folder, a profile and a mount namespace of its own; the
machine's /etc stays as it is.
"""
import fcntl
import hashlib
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile

from house import PATIENCE, ROOT, can_connect, free_port, wait_for

PROJECT = ROOT / "tests/browser"
CACHE = ROOT / "build/browser-npm"  # outlives runs; made by npm from the committed lock file
# Debian 12's own npm 9.2 cannot read a lock file with an override of a dependency on GitHub.
NPM = ["npm", "exec", "--yes", "--package=npm@10.9.9", "--", "npm"]
APT = "apt install chromium firefox-esr libnss3-tools npm, or run script/packages test"


def installed():
    """The folder with node_modules as package-lock.json wants it; npm is asked only if it is not there yet."""
    need("npm")
    wanted = [PROJECT / "package.json", PROJECT / "package-lock.json"]
    digest = hashlib.sha256(b"".join(f.read_bytes() for f in wanted)).hexdigest()
    stamp = CACHE / "installed"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == digest:
            return CACHE
        stamp.unlink(missing_ok=True)
        for file in wanted:
            shutil.copy(file, CACHE)
        done = subprocess.run([*NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"], cwd=CACHE,
                              capture_output=True, text=True)
        assert done.returncode == 0, ("the browser tests need the packages of tests/browser/package.json, and npm could not get "
                                      f"them into {CACHE} (is the npm registry reachable?):\n{done.stderr[-2000:]}")
        stamp.write_text(digest)
    return CACHE


def node():
    """The Node.js of the lock file: Debian's own may be older than what the packages want."""
    found = sorted(installed().glob("node_modules/node-linux-*/bin/node"))
    assert found, f"npm has no Node.js for this machine: none of node-linux-* of tests/browser/package.json is in {CACHE}"
    return str(found[0])


def need(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    assert not missing, f"this test needs {', '.join(missing)}: {APT}"


def fill_store(store, root=None, p12=None, password=None):
    """An NSS store (cert9.db, key4.db) in a folder: the root trusted for servers, the .p12 imported."""
    need("certutil", "pk12util")
    store = pathlib.Path(store)
    store.mkdir(parents=True, exist_ok=True)
    nss = f"sql:{store}"
    for words in (["certutil", "-N", "-d", nss, "--empty-password"],
                  root and ["certutil", "-A", "-d", nss, "-n", "the house's root", "-t", "C,,", "-i", str(root)],
                  p12 and ["pk12util", "-i", str(p12), "-d", nss, "-W", password, "-K", ""]):
        if words:
            done = subprocess.run(words, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


class Browser:
    """One browser with one page. Every verb waits for its answer; close() ends all of it."""

    def __init__(self, kind, house, p12=None, password=None):
        need({"chromium": "chromium", "firefox": "firefox-esr"}[kind], "npm", "unshare")
        self.kind, self.house = kind, house
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=house.folder))
        profile = self.folder / "profile"
        fill_store(self.folder / ".pki/nssdb" if kind == "chromium" else profile, house.root, p12, password)
        self.process = subprocess.Popen(
            [*self._own_etc(), node(), "drive.mjs", kind, str(profile)], cwd=self._scripts(), env=self._environment(),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=open(self.folder / "browser.log", "wb"),
            start_new_session=True)
        assert self._answer() == "ready"

    def _scripts(self):
        """The driver beside its node_modules, because Node.js looks for packages from where the script is."""
        cache = installed()
        shutil.copy(PROJECT / "drive.mjs", cache / "drive.mjs")
        return cache

    def _environment(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MOZ_", "DBUS_", "DISPLAY"))}
        return {**kept, "HOME": str(self.folder), "NODE_ENV": "production", "XDG_RUNTIME_DIR": str(self.folder)}

    def _own_etc(self):
        """In front of a command: /etc/hosts knows the site, and Chromium's policy has it choose by itself."""
        etc = self.folder / "etc"
        managed = etc / "chromium/policies/managed"
        managed.mkdir(parents=True)
        choose = json.dumps({"pattern": self.house.url, "filter": {}})
        (managed / "choose.json").write_text(json.dumps({"AutoSelectCertificateForUrls": [choose]}))
        (etc / "hosts").write_text(f"127.0.0.1 localhost {self.house.site}\n")
        script = 'mount --bind "$1/hosts" /etc/hosts; [ ! -d /etc/chromium ] || mount --bind "$1/chromium" /etc/chromium; shift; exec "$@"'
        return ["unshare", "-m" if os.geteuid() == 0 else "-rm", "sh", "-ec", script, "sh", str(etc)]

    def _answer(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 3 * PATIENCE)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            log = (self.folder / "browser.log").read_text(errors="replace")
            raise AssertionError(f"{self.kind} does not answer:\n{log[-3000:]}")
        words = json.loads(line)
        if "error" in words:
            raise BrowserError(words["error"])
        return words["value"]

    def _do(self, verb, **words):
        self.process.stdin.write((json.dumps({"do": verb, **words}) + "\n").encode())
        self.process.stdin.flush()
        return self._answer()

    def goto(self, path="/"):
        """The document's HTTP status and text. A connection that ends is a BrowserError."""
        return self._do("goto", url=self.house.url + path)

    def reload(self):
        return self._do("reload")

    def evaluate(self, script):
        return self._do("evaluate", script=script)

    def wait(self, script):
        """Until the expression is true in the page; its value."""
        return self._do("wait", script=script)

    def fill(self, selector, text):
        self._do("fill", selector=selector, text=text)

    def click(self, selector):
        self._do("click", selector=selector)

    def press(self, key):
        self._do("press", key=key)

    def upload(self, selector, file):
        self._do("upload", selector=selector, file=str(file))

    def screenshot(self, name):
        """For people: into CHATELAINE_SCREENSHOTS if that is set, else beside the test's other files."""
        folder = pathlib.Path(os.environ.get("CHATELAINE_SCREENSHOTS", self.house.folder))
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}-{self.kind}.png"
        self._do("screenshot", file=str(file))
        assert file.read_bytes().startswith(b"\x89PNG")

    def close(self):
        """The driver ends when its input does, the browser with it; what is left of their session is killed."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            pass
        end_session(self.process)


class BrowserError(Exception):
    pass


class Marionette:
    """Firefox driven from inside, with the rights of its own windows: for its certificate manager's importer."""

    IMPORT = """
        const file = Components.classes["@mozilla.org/file/local;1"].createInstance(Components.interfaces.nsIFile);
        file.initWithPath(arguments[0]);
        return Components.classes["@mozilla.org/security/x509certdb;1"]
            .getService(Components.interfaces.nsIX509CertDB).importPKCS12File(file, arguments[1]);"""
    LIST = """
        const store = Components.classes["@mozilla.org/security/x509certdb;1"].getService(Components.interfaces.nsIX509CertDB);
        const all = store.getCerts(), user = Components.interfaces.nsIX509Cert.USER_CERT;
        return all.filter(one => one.certType & user).map(one => ({subject: one.subjectName,
            has_chain: all.some(other => other.subjectName === one.issuerName)}));"""

    def __init__(self, profile):
        need("firefox-esr")
        self.profile, self.number = pathlib.Path(profile), 0
        self.profile.mkdir()
        port = free_port()
        (self.profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n'
                                              'user_pref("network.captive-portal-service.enabled", false);\n')
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "MOZ_", "DISPLAY"))}
        self.process = subprocess.Popen(
            ["firefox-esr", "--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", str(profile)],
            env={**environment, "HOME": str(profile)}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=open(self.profile / "firefox.log", "wb"), start_new_session=True)
        wait_for(lambda: can_connect(port), "Firefox listens", 3 * PATIENCE)
        self.stream = socket.create_connection(("127.0.0.1", port), timeout=3 * PATIENCE).makefile("rwb")
        self._read()
        self.ask("WebDriver:NewSession", {})
        self.ask("Marionette:SetContext", {"value": "chrome"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        end_session(self.process)

    def _read(self):
        size = b""
        while not size.endswith(b":"):
            size += self.stream.read(1) or b":"
        return json.loads(self.stream.read(int(size[:-1])))

    def ask(self, command, words):
        self.number += 1
        text = json.dumps([0, self.number, command, words]).encode()
        self.stream.write(b"%d:%s" % (len(text), text))
        self.stream.flush()
        _, number, error, value = self._read()
        assert number == self.number and not error, error
        return value

    def run(self, script, *arguments):
        return self.ask("WebDriver:ExecuteScript", {"script": script, "args": [str(a) for a in arguments]})["value"]

    def import_p12(self, file, password):
        return self.run(self.IMPORT, file, password)

    def user_certificates(self):
        return self.run(self.LIST)


def end_session(leader):
    """Kills a process that began a session, and all of that session; waits until they are gone."""
    for pid in session_of(leader.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    leader.wait()
    wait_for(lambda: not session_of(leader.pid), "all of the browser has ended")


def session_of(leader):
    """Live pids of the session that a process began. Zombies do not count."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(words[3]) == leader and words[0] != "Z":
                found.append(int(entry.name))
    return found
