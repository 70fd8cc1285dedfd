"""With the users chatelaine and chatelaine-gateway there, nothing that meets the outside is root; their files stay theirs."""
import os
import pathlib
import subprocess

import pytest

from house import BINARY, House

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


def test_each_part_has_its_user_and_the_files_stay_theirs(namespaced):
    one = namespaced
    one.init(one.example())
    assert set(owners(one.state).values()) == {AUTHORITY}
    alice = one.device("alice", "laptop")  # not running: root opens the house, as its owner
    assert set(owners(one.state).values()) == {AUTHORITY}
    assert os.stat(alice.key).st_uid == 0, "what root asked for is root's"
    one.serve(prefix=one.prefix)
    assert all(uids(pid) == {GATEWAY} for pid in one.parts("gateway"))
    assert all(uids(pid) == {AUTHORITY} for pid in one.parts("authority"))
    assert one.status("/who", alice) == 200
    bob = one.device("bob", "phone")  # running
    assert one.status("/who", bob) == 200
    one.stop()
    assert set(owners(one.state).values()) == {AUTHORITY}
