"""A state folder that belongs to somebody else, looked at by root: what its owner may not read is not read for him, and
the token of another house is not told to his socket."""
import os
import socket
import subprocess
import threading

import pytest
from house import BINARY

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
MALLORY = 65534


@pytest.fixture
def his_folder(tmp_path):
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and str(folder) != "/":
            folder.chmod(folder.stat().st_mode | 0o055)
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    (secret / "cli.token").write_text("ab" * 32 + "\n")
    state = tmp_path / "his"
    state.mkdir()
    (state / "cli.token").symlink_to(secret / "cli.token")
    os.chown(state, MALLORY, MALLORY)
    return state


@as_root
def test_the_token_of_another_house_is_not_told(his_folder):
    heard = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(his_folder / "authority.sock"))
        listener.listen()

        def listen():
            one, _ = listener.accept()
            with one:
                heard.append(one.recv(4096))

        ear = threading.Thread(target=listen, daemon=True)
        ear.start()
        done = subprocess.run([BINARY, "status", "--state", str(his_folder)], capture_output=True, text=True, timeout=30)
        ear.join(20)
    assert heard == [b""], "the command hangs up without a word"
    assert done.returncode == 1 and "Permission denied" in done.stderr
    assert "abab" not in done.stdout + done.stderr


@as_root
def test_without_a_server_the_folder_is_opened_as_its_owner(his_folder):
    (his_folder / "registry.db").write_bytes(b"x" * 100)
    (his_folder / "row.key").symlink_to(his_folder / "cli.token")
    done = subprocess.run([BINARY, "status", "--state", str(his_folder)], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "Permission denied" in done.stderr
    assert {path.lstat().st_uid for path in his_folder.iterdir() if path.name == "lock"} == {MALLORY}


@as_root
def test_a_registry_that_is_gone_for_a_moment_makes_nobody_root(make_house):
    """In a folder in which others make files, its owner can take it away between two looks; then nobody is root there."""
    house = make_house()
    house.init("http://127.0.0.1:1")
    house.state.chmod(0o1770)
    done = house.run("person", "list", check=False)
    assert done.returncode == 1 and "others may write there" in done.stderr and "chown chatelaine" in done.stderr
    house.state.chmod(0o700)
    assert house.run("person", "list").returncode == 0


@as_root
def test_the_folder_for_challenges_is_no_link_of_somebody_elses(make_house, tmp_path):
    house = make_house()
    house.init("http://127.0.0.1:1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = tmp_path / "acme"
    link.symlink_to(elsewhere)
    os.lchown(link, 65534, 65534)
    house.set("acme-folder", f'"{link}"')
    house.set("listen-http", '{"127.0.0.1:1"}')
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "certbot").write_text("#!/bin/sh\nexit 0\n")
    (tools / "certbot").chmod(0o755)
    house.config.write_text(house.config.read_text().replace(f'site "{house.site}"', 'site "door.example.org"'))
    done = house.run("acme", "door.example.org", check=False, env={"PATH": f"{tools}:{os.environ['PATH']}"})
    assert done.returncode == 1 and "a link that root did not make" in done.stderr, done.stderr
    assert not any(elsewhere.iterdir())
