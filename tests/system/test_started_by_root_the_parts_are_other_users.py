"""With the users chatelaine and chatelaine-gateway there, nothing that meets the outside is root; their files stay theirs."""
import os
import pathlib
import signal
import subprocess

import pytest

from house import BINARY, House, wait_for

AUTHORITY, GATEWAY = 61234, 61235
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")


def in_namespace(folder):
    """A prefix that runs a command where /etc/passwd and /etc/group know the two users; the machine's own stay as they are."""
    for name, line in (("passwd", "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin\n"), ("group", "{0}:x:{1}:\n")):
        text = pathlib.Path("/etc", name).read_text()
        for user, uid in (("chatelaine", AUTHORITY), ("chatelaine-gateway", GATEWAY)):
            text += line.format(user, uid)
        (folder / name).write_text(text)
    return ["unshare", "-m", "sh", "-c",
            f"mount --bind {folder}/passwd /etc/passwd && mount --bind {folder}/group /etc/group && exec \"$@\"", "-"]


class Namespaced(House):
    def __init__(self, folder):
        super().__init__(folder)
        self.prefix = in_namespace(self.folder)

    def run(self, *words, check=True, env=None, **more):
        done = subprocess.run([*self.prefix, BINARY, *map(str, words), "--state", str(self.state)], capture_output=True,
                              text=True, timeout=60, **more)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done


@pytest.fixture
def namespaced(tmp_path):
    # The authority's user must reach its state folder; pytest's own folders are root's alone.
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to("/tmp") and folder != pathlib.Path("/tmp"):
            folder.chmod(0o755)
    one = Namespaced(tmp_path)
    yield one
    one.close()


def uids(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return set(map(int, line.split()[1:]))


def owners(state):
    return {path: path.stat().st_uid for path in (state, *state.rglob("*"))}


def theirs(state):
    """All is the authority's, but for what root obeys."""
    roots = {path for path, uid in owners(state).items() if uid == 0 and not path.is_relative_to(state / "acme")}
    assert roots == {state, state / "chatelaine.conf"}
    assert set(owners(state).values()) == {0, AUTHORITY}
    assert state.stat().st_mode & 0o7777 == 0o1770 and state.stat().st_gid == AUTHORITY
    assert (state / "chatelaine.conf").stat().st_mode & 0o022 == 0


def test_each_part_has_its_user_and_the_files_stay_theirs(namespaced):
    one = namespaced
    one.init(one.example())
    theirs(one.state)
    alice = one.device("alice", "laptop")  # not running: root opens the house, as its owner
    theirs(one.state)
    assert os.stat(alice.key).st_uid == 0, "what root asked for is root's"
    one.serve(prefix=one.prefix)
    assert all(uids(pid) == {GATEWAY} for pid in one.parts("gateway"))
    assert all(uids(pid) == {AUTHORITY} for pid in one.parts("authority"))
    assert one.status("/who", alice) == 200
    bob = one.device("bob", "phone")  # running
    assert one.status("/who", bob) == 200
    one.stop()
    theirs(one.state)


def as_authority(one, script):
    """What the authority's user can do in the state folder, were it taken over; answers sh's exit status."""
    return subprocess.run(["setpriv", f"--reuid={AUTHORITY}", f"--regid={AUTHORITY}", "--clear-groups", "sh", "-c", script],
                          cwd=one.state, capture_output=True, text=True, timeout=30)


def test_the_authority_cannot_change_what_root_obeys(namespaced):
    one = namespaced
    one.init(one.example())
    one.serve(prefix=one.prefix)
    before = one.config.read_bytes()
    for deed in ("echo x >> chatelaine.conf", "rm -f chatelaine.conf && echo x > chatelaine.conf", "mv chatelaine.conf away",
                 "echo x > new && mv -f new chatelaine.conf", "chmod 666 chatelaine.conf", "mv ../state ../elsewhere"):
        assert as_authority(one, deed).returncode != 0, deed
    assert one.config.read_bytes() == before


def reload_refused(one, *words):
    done = one.run("config", "reload", check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_root_obeys_no_configuration_that_others_could_write(namespaced):
    one = namespaced
    one.init(one.example())
    alice = one.device("alice", "laptop")
    one.serve(prefix=one.prefix)
    good = one.config.read_bytes()
    for spoil, mend in ((lambda: os.chown(one.config, AUTHORITY, AUTHORITY), lambda: os.chown(one.config, 0, AUTHORITY)),
                        (lambda: one.config.chmod(0o666), lambda: one.config.chmod(0o640)),
                        (lambda: os.chown(one.state, AUTHORITY, AUTHORITY), lambda: os.chown(one.state, 0, AUTHORITY))):
        spoil()
        reload_refused(one, "others than root could write", "chown root")
        mend()
    one.config.unlink()
    assert as_authority(one, "ln -s /etc/hostname chatelaine.conf").returncode == 0
    reload_refused(one, "link")
    one.config.unlink()
    one.config.write_bytes(good)
    assert one.json("config", "reload")["outcome"] == "nothing-changed"
    assert one.status("/who", alice) == 200


def test_no_file_of_roots_is_read_for_the_authority(namespaced):
    """It may put files where the configuration names some: its own, and no other's."""
    one = namespaced
    one.init(one.example())
    one.serve(prefix=one.prefix)
    secret = one.folder / "secret"
    secret.write_text("root's own\n")
    secret.chmod(0o600)
    site = one.state / "server" / f"{one.site}.pem"
    for deed in (f"rm -f {site} && ln -s {secret} {site}", f"mv server mine && ln -s {one.folder} server && cp mine/* . "):
        assert as_authority(one, deed).returncode == 0
        reload_refused(one, "a link")
        as_authority(one, "[ -L server ] && rm server && mv mine server")
        as_authority(one, f"[ -L {site} ] && rm {site}")


def test_a_house_of_an_earlier_version_is_mended(namespaced):
    one = namespaced
    one.init(one.example())
    os.chown(one.state, AUTHORITY, AUTHORITY)
    one.state.chmod(0o700)
    os.chown(one.config, AUTHORITY, AUTHORITY)
    one.serve(prefix=one.prefix)
    theirs(one.state)
    assert "belong to root from now on" in one.log_text()


def test_somebody_elses_house_is_refused_with_what_to_do(namespaced):
    one = namespaced
    one.init(one.example())
    os.chown(one.state, 65534, 65534)
    os.chown(one.config, 65534, 65534)
    done = one.run("serve", check=False)
    assert done.returncode == 1 and "others than root could write" in done.stderr and f"chown root {one.config}" in done.stderr


def test_the_check_reads_and_does_nothing_else(namespaced):
    """Seen by chance, so many times asked for."""
    one = namespaced
    one.init(one.example())
    one.serve(prefix=one.prefix)

    def seen():
        one.process.send_signal(signal.SIGHUP)
        for pid in one.parts("check"):
            try:
                text = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            status = dict(line.split(":", 1) for line in text.splitlines())
            if status.get("Seccomp", "0").strip() == "2":
                return status
    status = wait_for(seen, "a check at work")
    assert status["NoNewPrivs"].strip() == "1"
    assert int(status["CapEff"], 16) == 1 << 2, "to read any file, no more"
