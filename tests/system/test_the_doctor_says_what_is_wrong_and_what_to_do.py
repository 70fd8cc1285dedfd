"""doctor, in a network where names lead where the test says and nginx stands where a CDN would."""
import json
import subprocess

import pytest
from house import BINARY, SANITIZED, wait_for
from internet import Internet, lacks

SITE = "chat.example.com"
pytestmark = pytest.mark.skipif(SANITIZED or bool(lacks(["nginx", "faketime"])), reason=f"needs {', '.join(lacks(['nginx', 'faketime']))}")


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A served house on 127.0.0.1, with port 80; 127.0.0.2 and 127.0.0.3 are nginx in front of it."""
    one = Internet(tmp_path_factory.mktemp("doctor"), hosts=f"127.0.0.1 localhost {SITE}\n127.0.0.2 cdn\n")
    one.start("python3", "-c", APPLICATION)
    one.chatelaine("init", SITE, "--to", "http://127.0.0.1:3000", "--recovery-file", one.folder / "recovery.txt")
    config = one.state / "chatelaine.conf"
    text = config.read_text()
    text = text.replace('{"0.0.0.0:443", "[::]:443"}', '{"127.0.0.1:443"}').replace('{"0.0.0.0:80", "[::]:80"}', '{"127.0.0.1:80"}')
    config.write_text(text.replace("# acme", "acme").replace("# listen-http", "listen-http"))
    one.serve()
    made(one.folder, "cdn")
    (one.folder / "nginx.conf").write_text(NGINX.format(folder=one.folder, state=one.state, site=SITE))
    one.start("nginx", "-c", one.folder / "nginx.conf", "-g", "daemon off;")
    wait_for(lambda: one.run("curl", "-sk", "https://127.0.0.2/", check=False).returncode == 0, "nginx listens")
    yield one
    one.close()


APPLICATION = """
import http.server
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", 3000), Answer).serve_forever()
"""

NGINX = """
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2; fastcgi_temp_path {folder}/n3; uwsgi_temp_path {folder}/n4;
    scgi_temp_path {folder}/n5;
    server {{
        listen 127.0.0.2:443 ssl; listen 127.0.0.2:80;
        ssl_certificate {folder}/cdn.pem; ssl_certificate_key {folder}/cdn.key;
        add_header CF-RAY "8e0f-FRA" always;
        location / {{ return 403 "x"; }}
    }}
    server {{
        listen 127.0.0.3:443 ssl;
        ssl_certificate {state}/server/{site}.pem; ssl_certificate_key {state}/server/{site}.key;
        location / {{ return 200 "x"; }}
    }}
}}
"""


def made(folder, name, *words, subject=None):
    """A certificate of its own for the site."""
    subprocess.run([*words, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{subject or SITE}", "-keyout", folder / f"{name}.key",
                    "-out", folder / f"{name}.pem"], check=True, capture_output=True)


def lead_to(machine, *addresses, name=SITE):
    machine.hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{one} {name}\n" for one in addresses))


def doctor(machine, site=SITE, *words):
    """Exit status and findings: about -> [(finding, text, todo)]."""
    done = machine.chatelaine("doctor", site, "--json", *words, check=False)
    found = {}
    for row in json.loads(done.stdout)["findings"]:
        found.setdefault(row["about"], []).append((row["finding"], row["text"], row.get("todo", "")))
    return done.returncode, found


def only(found, about):
    assert len(found[about]) == 1, found
    return found[about][0]


def test_a_house_in_order_has_nothing_bad(machine):
    lead_to(machine, "127.0.0.1")
    code, found = doctor(machine)
    assert code == 0, found
    assert only(found, "TLS")[0] == "good" and "the door itself, TLSv1.3" in only(found, "TLS")[1]
    assert "shows what lies in acme-folder" in only(found, "port 80")[1]
    assert only(found, "certificate")[0] == "doubtful" and "ca cert" in only(found, "certificate")[2]
    assert only(found, "application")[:2] == ("good", "http://127.0.0.1:3000: answers 200")
    text = machine.chatelaine("doctor", SITE).stdout
    assert "0 bad" in text and "\n  ok    TLS" in text
    assert list((machine.state / "acme/.well-known/acme-challenge").iterdir()) == []


def test_who_ends_tls_in_front_is_named_with_the_way_out(machine):
    lead_to(machine, "127.0.0.2")
    code, found = doctor(machine)
    assert code == 1
    finding, text, todo = only(found, "TLS")
    assert finding == "bad" and "Cloudflare ends TLS here: no client certificate ever reaches the door" in text
    assert "grey cloud" in todo
    assert only(found, "port 80")[0] == "bad" and "nginx" in only(found, "port 80")[1]

    lead_to(machine, "127.0.0.3")
    code, found = doctor(machine)
    assert code == 1 and "a server with a copy of our certificate ends TLS here" in only(found, "TLS")[1]


def test_each_address_of_the_name_is_looked_at(machine):
    lead_to(machine, "127.0.0.1", "::1")
    code, found = doctor(machine)
    assert code == 1
    finding, text, todo = only(found, "door")
    assert finding == "bad" and text == "[::1]:443: Connection refused" and "AAAA" in todo
    assert only(found, "TLS")[0] == "good"

    lead_to(machine, "127.0.0.1", name="other.example.com")
    code, found = doctor(machine)
    assert code == 1 and only(found, "name")[0] == "bad" and "A record" in only(found, "name")[2]


def test_a_certificate_that_browsers_refuse_is_said_why(machine):
    lead_to(machine, "127.0.0.1")
    config = machine.state / "chatelaine.conf"
    before = config.read_text()
    made(machine.folder, "past", "faketime", "-f", "-60d")
    made(machine.folder, "unknown")
    try:
        for name, said, todo in (("past", "it has expired", "chatelaine acme"), ("unknown", "nobody trusts it", "fullchain.pem")):
            presented = machine.presented()
            config.write_text(before.replace(f"{machine.state}/server/{SITE}.pem", f"{machine.folder}/{name}.pem")
                              .replace(f"{machine.state}/server/{SITE}.key", f"{machine.folder}/{name}.key"))
            wait_for(lambda: machine.presented() != presented, f"{name} is presented")
            code, found = doctor(machine)
            assert code == 1
            assert [row for row in found["certificate"] if said in row[1] and todo in row[2]], found
            config.write_text(before)
            wait_for(lambda: machine.presented() == presented, "the one before is back")
    finally:
        config.write_text(before)


def test_an_application_that_is_away_and_a_site_that_is_not_there(machine):
    lead_to(machine, "127.0.0.1")
    config = machine.folder / "other.conf"
    config.write_text((machine.state / "chatelaine.conf").read_text().replace(":3000", ":3999"))
    code, found = doctor(machine, SITE, "--config", config)
    assert code == 1 and only(found, "application")[1] == "http://127.0.0.1:3999: Connection refused"
    code, found = doctor(machine, "localhost")
    assert code == 1 and 'no site "localhost"' in only(found, "config")[1]
    assert machine.chatelaine("doctor", "a b", check=False).returncode == 2
    config.write_text("site {")
    code, found = doctor(machine, SITE, "--config", config)
    assert code == 1 and only(found, "config")[0] == "bad"


def test_from_another_machine_it_still_sees_the_outside(machine):
    lead_to(machine, "127.0.0.2")
    done = machine.run(BINARY, "doctor", SITE, "--json", "--state", machine.folder / "nowhere", check=False)
    rows = json.loads(done.stdout)["findings"]
    assert any("Cloudflare ends TLS here" in row["text"] for row in rows)
    assert any("from outside alone" in row["text"] for row in rows)
