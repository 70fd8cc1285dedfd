import os
import pathlib
import re
import subprocess

import pytest

from house import BINARY as CHATELAINE

TOP = pathlib.Path(__file__).parents[2]


def said(*words):
    return subprocess.run([CHATELAINE, *words], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Both pages as `make install` puts them down, and as a terminal shows them."""
    out = tmp_path_factory.mktemp("man")
    subprocess.run([TOP / "script/manual", CHATELAINE, "0.0.0", out], check=True, cwd=TOP)
    shown = {}
    for name in ("chatelaine.1", "chatelaine.conf.5"):
        made = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-c", "-rLL=300n", out / name],
                              capture_output=True, text=True, check=True)
        assert made.stderr == ""
        text = re.sub(r".\x08", "", made.stdout).replace("\u2010", "-").replace("\u2212", "-")
        shown[name] = re.sub(r"\s+", " ", text)
    return shown


def test_every_command_is_in_its_page_with_its_arguments(pages):
    page = pages["chatelaine.1"]
    listed = re.findall(r"^  (\S.*)$", said("--help"), re.M)
    assert len(listed) > 10
    for line in listed:
        words = re.split(r"\s{2,}", line)[0]
        assert words in page, words


def test_every_key_is_in_its_page_with_its_default(pages):
    page = pages["chatelaine.conf.5"]
    keys = re.findall(r"^ *#([a-z0-9-]+)( = |(?= \"))(.*)$", said("config", "reference"), re.M)
    assert len(keys) > 20
    for key, _, value in keys:
        assert f" {key} " in page, key
    assert "idle-time Between requests." in page
    assert "duration; from 1s to 1h; default 75s." in page


def test_install_brings_the_pages_along(tmp_path):
    build = pathlib.Path(CHATELAINE).parents[1]
    subprocess.run(["make", "-s", f"BUILD={build}", "install", f"DESTDIR={tmp_path}", "PREFIX=/usr"], cwd=TOP,
                   check=True, env={**os.environ, "MAKEFLAGS": ""}, stdout=subprocess.DEVNULL)
    assert (tmp_path / "usr/bin/chatelaine").exists()
    for page in ("man1/chatelaine.1", "man5/chatelaine.conf.5"):
        text = (tmp_path / "usr/share/man" / page).read_text()
        assert "@" not in re.sub(r"\S+@example\.com", "", text)
