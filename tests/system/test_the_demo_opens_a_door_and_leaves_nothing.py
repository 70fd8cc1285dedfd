"""script/demo as a person uses it: what it prints works when pasted, and Ctrl-C ends it and cleans up."""
import os
import re
import signal
import subprocess

from house import ROOT, can_connect, free_port, wait_for


def test_the_printed_lines_work_and_ctrl_c_cleans_up(tmp_path):
    port = free_port()
    out = tmp_path / "out"
    # A terminal's foreground job has SIGINT as it is by default; a background one of a script would not.
    demo = subprocess.Popen([str(ROOT / "script/demo"), "--port", str(port)], stdin=subprocess.DEVNULL, stdout=open(out, "wb"),
                            stderr=subprocess.STDOUT, start_new_session=True, env={**os.environ, "TMPDIR": str(tmp_path)},
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        wait_for(lambda: "Ctrl-C ends" in out.read_text() or demo.poll() is not None, "the demo's text", patience=300)
        text = out.read_text()
        assert demo.poll() is None, text
        works, refused = re.findall(r"(?m)^   (curl(?:.*\\\n)*.*)$", text)
        page = subprocess.run(["sh", "-c", works], capture_output=True, text=True, timeout=60)
        assert page.returncode == 0 and "alice" in page.stdout, page.stderr
        page = subprocess.run(["sh", "-c", refused], capture_output=True, text=True, timeout=60)
        assert "No required SSL certificate was sent" in page.stdout
        password = re.search(r"password  (\S+)", text).group(1)
        p12 = re.search(r"file      (\S+\.p12)", text).group(1)
        opened = subprocess.run(["openssl", "pkcs12", "-in", p12, "-passin", f"pass:{password}", "-nokeys"], capture_output=True)
        assert opened.returncode == 0
        revoke = re.search(r"(?m)^   (.*device revoke .*)$", text).group(1)
        assert "revoked" in subprocess.run(["sh", "-c", revoke], capture_output=True, text=True).stdout
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.wait(60)
    assert not can_connect(port)
    assert not list(tmp_path.glob("chatelaine-demo.*")), "its folder is still there"
