"""An https upstream is spoken to when its certificate leads to upstream-ca and has its name, and not otherwise; it sees
our own certificate; and an answer that TLS cut short is never taken for a whole one."""
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
from house import House, can_connect, free_port, wait_for
from upstream import Upstream

NAMES = "DNS:app.internal,IP:127.0.0.1"


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)


class Paper:
    """A CA of the test's own, and what it signs."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.pem, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key, "-out",
                self.pem, "-days", "30", "-subj", "/CN=Test upstream CA", "-addext", "keyUsage=critical,keyCertSign")

    def sign(self, name, names=NAMES, days=("-days", "30")):
        base = self.folder / f"{self.name}-{name}"
        request, extensions = base.with_suffix(".csr"), base.with_suffix(".ext")
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                base.with_suffix(".key"), "-out", request, "-subj", f"/CN={name}")
        extensions.write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-out",
                base.with_suffix(".pem"), "-extfile", extensions, *days)
        return base.with_suffix(".pem"), base.with_suffix(".key")


@pytest.fixture(scope="module")
def paper(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paper")
    made = Paper(folder)
    made.good, made.other_name = made.sign("good"), made.sign("other", "DNS:other.internal")
    made.expired = made.sign("expired", days=("-days", "-1"))
    made.ours = made.sign("ours", "DNS:door.internal")
    made.stranger = Paper(folder, "stranger")
    made.by_stranger = made.stranger.sign("good")
    return made


class TlsUpstream(Upstream):
    def __init__(self, serve, certificate, client_ca=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*map(str, certificate))
        if client_ca:
            self.context.load_verify_locations(str(client_ca))
            self.context.verify_mode = ssl.CERT_REQUIRED
        super().__init__(serve)
        self.url = f"https://127.0.0.1:{self.port}"

    def _serve(self, caller):
        try:
            caller.socket = self.context.wrap_socket(caller.socket, server_side=True, suppress_ragged_eofs=False)
        except (OSError, ssl.SSLError):
            return
        super()._serve(caller)


def answers(caller):
    while caller.request():
        caller.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere")


def conf(ca, **keys):
    lines = {"upstream-ca": f'"{ca}"', **{key.replace("_", "-"): f'"{value}"' for key, value in keys.items()}}
    return "\n".join(f"    {key} = {value}" for key, value in lines.items())


def reload(house):
    after = len(house.log_text())
    house.process.send_signal(signal.SIGHUP)
    house.wait_log("event=reload outcome=", after)


@pytest.fixture
def door(make_house):
    """door(upstream URLs, config lines): a house before them, serving, and a device."""
    def make(urls, lines):
        house = make_house()
        house.init("http://127.0.0.1:1")
        house.set("upstream", json.dumps([urls] if isinstance(urls, str) else urls).replace("[", "{").replace("]", "}"))
        house.set("workers", "1")
        house.add_to_site(lines)
        house.serve()
        return house, house.device()
    return make


@pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx")
def test_nginx_that_requires_a_certificate_gets_ours(door, paper, tmp_path):
    port = free_port()
    (tmp_path / "nginx.conf").write_text(f"""daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;
        events {{ }} http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;
        fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
        server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {paper.good[0]}; ssl_certificate_key {paper.good[1]};
        ssl_client_certificate {paper.pem}; ssl_verify_client on; keepalive_timeout 60; client_max_body_size 0;
        location / {{ return 200 "$ssl_client_s_dn $ssl_server_name $ssl_session_reused $host $request_method"; }} }} }}""")
    house, alice = door(f"https://127.0.0.1:{port}", conf(paper.pem, upstream_name="app.internal",
                                                          upstream_certificate=paper.ours[0], upstream_key=paper.ours[1]))
    house.start("nginx", "-c", tmp_path / "nginx.conf", stdout=subprocess.DEVNULL, stderr=open(tmp_path / "nginx.log", "w"))
    wait_for(lambda: can_connect(port), "nginx listens")
    assert house.curl("/x", alice).stdout == f"CN=ours app.internal . {house.site} GET"
    # A large body through TLS on both sides is whole.
    (tmp_path / "body").write_bytes(os.urandom(3 << 20))
    assert house.curl("/x", alice, "--http1.1", "--data-binary", f"@{tmp_path}/body").stdout.endswith("POST")
    # Without our certificate nginx says so in HTTP.
    house.set("upstream-certificate", f'"{paper.by_stranger[0]}"')
    house.set("upstream-key", f'"{paper.by_stranger[1]}"')
    reload(house)
    assert "400" in house.curl("/x", alice, "-i").stdout


def test_a_wrong_certificate_gets_no_request(door, paper):
    with TlsUpstream(answers, paper.other_name) as named, TlsUpstream(answers, paper.expired) as expired, \
            TlsUpstream(answers, paper.by_stranger) as strange:
        house, alice = door([named.url, expired.url, strange.url], conf(paper.pem))
        for body in ((), ("-d", "secret")):
            for _ in range(3):
                assert house.status("/", alice, *body) == 502
        for why in ("IP address mismatch", "expired", "unable to get local issuer"):
            house.wait_log(why)
        assert not (named.asked or expired.asked or strange.asked)


def test_the_certificate_itself_may_be_pinned_and_its_name_still_counts(door, paper):
    with TlsUpstream(answers, paper.good) as upstream:
        house, alice = door(upstream.url, conf(paper.good[0]))
        assert house.curl("/", alice).stdout == "here"
        # A changed file is taken up: the text of the configuration is the same.
        ca = house.folder / "ca.pem"
        ca.write_text(paper.good[0].read_text())
        house.set("upstream-ca", f'"{ca}"')
        reload(house)
        assert house.curl("/", alice).stdout == "here"
        ca.write_text(paper.stranger.pem.read_text())
        reload(house)
        assert house.status("/", alice) == 502


def test_an_upstream_that_does_not_take_our_certificate_is_down(door, paper):
    with TlsUpstream(answers, paper.good, client_ca=paper.pem) as upstream:
        house, alice = door(upstream.url, conf(paper.pem))
        assert house.status("/", alice) == 502
        house.wait_log("alert")
        assert not upstream.asked


def test_an_answer_until_close_is_whole_only_with_a_goodbye(door, paper):
    def serve(caller):
        asked = caller.request()
        caller.send("HTTP/1.1 200 OK\r\n\r\nall of it")
        if asked.target == "/whole":
            caller.socket.unwrap()
        else:
            socket.socket(fileno=os.dup(caller.socket.fileno())).shutdown(socket.SHUT_RDWR)

    with TlsUpstream(serve, paper.good) as upstream:
        house, alice = door(upstream.url, conf(paper.pem))
        whole = house.curl("/whole", alice)
        assert whole.returncode == 0 and whole.stdout == "all of it"
        cut = house.curl("/cut", alice)
        assert cut.returncode != 0, "curl must see that it is not whole"


HALVES = [
    ("", "needs upstream-ca"),
    ('upstream-ca = "/nonexistent.pem"', "/nonexistent.pem"),
    ('upstream-ca = "{ca}"\n upstream-certificate = "{ours[0]}"', "upstream-certificate and upstream-key go together"),
    ('upstream-ca = "{ours[1]}"', "there is no certificate in it"),
    ('upstream-ca = "{ca}"\n upstream-certificate = "{ours[0]}"\n upstream-key = "{good[1]}"', "another certificate's"),
]


def test_half_a_configuration_is_refused_with_what_to_do(make_house, paper):
    house = make_house()
    house.init("http://127.0.0.1:1")
    house.set("upstream", '{"https://127.0.0.1:1"}')
    whole = house.config.read_text()
    for lines, text in HALVES:
        house.config.write_text(whole)
        house.add_to_site(lines.format(ca=paper.pem, ours=paper.ours, good=paper.good))
        done = house.run("config", "check", check=False)
        assert done.returncode == 1 and text in done.stderr, done.stderr


def test_the_systems_roots_are_a_word_and_believe_no_stranger(door, paper):
    if not os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        pytest.skip("this machine has none")
    with TlsUpstream(answers, paper.good) as upstream:
        house, alice = door(upstream.url, conf("system"))
        assert house.status("/", alice) == 502
        house.wait_log("not accepted")
