"""What "chatelaine share-port" prints, put into a real nginx: some names are nginx's own sites, ours come to the door with
the client's address, a WebSocket among them; and init names the command where nginx holds the port."""
import os
import re
import socket
import ssl
import subprocess

import pytest
from house import BINARY, can_connect, free_port, needs, read_answer, wait_for

MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"
pytestmark = pytest.mark.skipif(bool(needs("nginx")) or not os.path.exists(MODULE), reason="no nginx with stream")


def block(text, word):
    """The printed block as it is."""
    return re.search(rf"^{word} {{\n.*?^}}\n", text, re.S | re.M).group(0)


@pytest.fixture
def shared(make_house):
    """A house behind nginx, which has a site of its own: (house, port)."""
    one = make_house()
    one.init(one.example())
    port, rest = free_port(), free_port()
    printed = one.run("share-port", one.site, "--port", port, "--door", f"127.0.0.1:{one.port}", "--rest",
                      f"127.0.0.1:{rest}").stdout
    listen, real, header = re.search(r"(listen 127.*? ssl proxy_protocol;)\n#\s+(set_real.*?;)\n#\s+(real_ip.*?;)", printed).groups()
    one.set("proxy-from", re.search(r"proxy-from = (.*)", printed).group(1))
    assert f'listen = {{"127.0.0.1:{one.port}"}}' in printed
    folder = one.folder
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=old.test", "-keyout", folder / "old.key", "-out", folder / "old.pem", "-days", "2"],
                   check=True, capture_output=True)
    stream = block(printed, "stream").replace(f"        listen [::]:{port};\n", "")  # the machine may have no IPv6
    (folder / "nginx.conf").write_text(
        f"load_module {MODULE};\npid {folder}/nginx.pid;\nevents {{}}\n{stream}"
        f"http {{ access_log off;\n" + "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in
                                              ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")) +
        f"server {{ {listen} {real} {header} server_name old.test;\n ssl_certificate {folder}/old.pem;"
        f" ssl_certificate_key {folder}/old.key;\n location / {{ return 200 \"nginx's own, $remote_addr\"; }} }} }}\n")
    one.serve()
    one.start("nginx", "-c", folder / "nginx.conf", "-e", folder / "nginx-error.log", "-g", "daemon off;",
              stderr=subprocess.DEVNULL)
    wait_for(lambda: can_connect(port), "nginx listens")
    return one, port


def through(house, port, name, device=None, source="127.0.0.3"):
    context = house.context(device)
    if name != house.site:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))
    return context.wrap_socket(plain, server_hostname=name)


def get(stream, host, path="/headers"):
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    return read_answer(stream)


def test_each_name_goes_where_it_belongs(shared):
    house, port = shared
    alice = house.device()
    with through(house, port, house.site, alice) as stream:
        status, _, body = get(stream, house.site)
    assert status == 200 and b"x-real-ip: 127.0.0.3" in body.lower(), "the client's own address"
    with through(house, port, house.site) as stream:
        assert get(stream, house.site)[0] == 403, "and no certificate is asked for by anybody else"
    house.wait_log("from=127.0.0.3 ")
    with through(house, port, "old.test") as stream:
        assert get(stream, "old.test")[2] == b"nginx's own, 127.0.0.3"
    with through(house, port, house.site, alice) as stream:
        stream.sendall(f"GET /echo HTTP/1.1\r\nHost: {house.site}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
        assert stream.recv(4096).startswith(b"HTTP/1.1 101 ")


def test_what_cannot_be_shared_is_said():
    for words, why in ((["192.0.2.1"], "an IP address"), ([], "SITEs are needed"), (["a b"], "SITE"),
                       (["a.test", "--port", "0"], "--port 0"), (["a.test", "--door", "x"], "expected ADDRESS:PORT")):
        done = subprocess.run([BINARY, "share-port", *words], capture_output=True, text=True)
        assert done.returncode in (1, 2) and why in done.stderr
