"""Prometheus reads /metrics on an address that only this machine or a private network reaches; what it reads is right, well-formed,
and never goes back, whatever becomes of a worker or of the configuration."""
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest
from house import free_port, needs, wait_for

SAMPLE = re.compile(r'^(chatelaine_[a-z0-9_]+)(\{(?:[a-z]+="(?:[^"\\\n]|\\[\\"n])*"(?:,(?=[a-z])|(?=\})))*\})? (\d+(?:\.\d+)?)$')


@pytest.fixture
def door(make_house):
    house = make_house()
    house.init(house.example())
    house.metrics_port = free_port()
    house.set("listen-metrics", f'{{"127.0.0.1:{house.metrics_port}"}}')
    house.set("workers", 2)
    return house.serve()


def ask(door, method="GET", path="/metrics", connection=None):
    connection = connection or http.client.HTTPConnection("127.0.0.1", door.metrics_port, timeout=20)
    connection.request(method, path)
    answer = connection.getresponse()
    return answer, answer.read().decode()


def figures(door):
    """{sample with its labels: value}."""
    _, text = ask(door)
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}


def figure(door, sample):
    return figures(door).get(sample, 0)


def becomes(door, sample, value):
    wait_for(lambda: figure(door, sample) == value, f"{sample} becomes {value}")


def test_each_line_is_well_formed(door):
    door.status("/", door.device())
    answer, text = ask(door)
    assert answer.getheader("content-type").startswith("text/plain; version=0.0.4")
    types, helped, seen = {}, set(), set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types and kind in ("counter", "gauge", "histogram")
            assert (kind == "counter") == name.endswith("_total"), line
            types[name] = kind
        elif line.startswith("# HELP "):
            helped.add(line.split(" ")[2])
        else:
            match = SAMPLE.match(line)
            assert match, line
            assert line.rsplit(" ", 1)[0] not in seen, line
            seen.add(line.rsplit(" ", 1)[0])
            name = match[1]
            family = name if name in types else re.sub("_(bucket|sum|count)$", "", name)
            assert family in types and (family == name or types[family] == "histogram"), line
    assert helped == set(types) and text.endswith("\n")


@pytest.mark.skipif(bool(needs("promtool")), reason="needs promtool, of Debian's prometheus")
def test_promtool_finds_nothing_to_object_to(door):
    door.status("/", door.device())
    _, text = ask(door)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and not done.stderr and not done.stdout, done.stdout + done.stderr


def test_what_happened_is_counted(door):
    device, site = door.device(), door.site
    assert door.status("/who", device) == 200
    assert door.status("/who", device) == 200
    assert door.status("/who") == 403
    assert door.curl("/who", device, "-H", "Host: elsewhere.test", "-o", "/dev/null").returncode == 0
    becomes(door, f'chatelaine_requests_total{{site="{site}",status="2xx"}}', 2)
    becomes(door, f'chatelaine_requests_total{{site="{site}",status="4xx"}}', 1)
    now = figures(door)
    assert now['chatelaine_requests_total{site="(none)",status="4xx"}'] == 1
    assert now['chatelaine_refusals_total{code="C01"}'] == 1
    assert now['chatelaine_refusals_total{code="C11"}'] == 1
    assert now[f'chatelaine_refused_requests_total{{site="{site}"}}'] == 1
    assert now['chatelaine_requests_begun_total{protocol="http/1.1"}'] + now['chatelaine_requests_begun_total{protocol="h2"}'] == 4
    assert now['chatelaine_tls_handshakes_total{result="full"}'] == 4
    assert now["chatelaine_connections_total"] == 4
    assert now["chatelaine_workers"] == 3
    assert now["chatelaine_roster_certificates"] == 1
    assert now["chatelaine_roster_age_seconds"] < 3600
    assert now[f'chatelaine_upstream_first_byte_seconds_count{{site="{site}"}}'] == 2
    assert now[f'chatelaine_certificate_not_after_seconds{{site="{site}"}}'] > time.time() + 86400
    assert now["chatelaine_config_last_reload_successful"] == 1
    assert now["chatelaine_config_generation"] == 1
    assert now["chatelaine_upstream_connections_total"] >= 1


def test_histograms_are_cumulative_and_add_up(door):
    device = door.device()
    for _ in range(3):
        assert door.status("/", device) == 200
    becomes(door, f'chatelaine_requests_total{{site="{door.site}",status="2xx"}}', 3)
    now = figures(door)
    for name in ("upstream_connect", "upstream_first_byte", "upstream_duration"):
        buckets = [(sample, value) for sample, value in now.items() if sample.startswith(f"chatelaine_{name}_seconds_bucket")]
        ends = [float(re.search('le="([^"]+)"', sample)[1]) for sample, _ in buckets]
        assert ends == sorted(ends) and ends[-1] == float("inf") and len(ends) == 20
        counts = [value for _, value in buckets]
        assert counts == sorted(counts) and counts[-1] == 3 == now[f'chatelaine_{name}_seconds_count{{site="{door.site}"}}']


def test_a_connection_is_kept_and_each_method_and_path_gets_its_answer(door):
    connection = http.client.HTTPConnection("127.0.0.1", door.metrics_port, timeout=20)
    answer, text = ask(door, "HEAD", connection=connection)
    assert answer.status == 200 and text == "" and int(answer.getheader("content-length")) > 1000
    first = connection.sock
    answer, text = ask(door, connection=connection)
    assert answer.status == 200 and len(text) == int(answer.getheader("content-length"))
    answer, text = ask(door, path="/elsewhere", connection=connection)
    assert answer.status == 404 and "/metrics" in text
    answer, text = ask(door, method="DELETE", connection=connection)
    assert answer.status == 405 and answer.getheader("allow") == "GET, HEAD"
    assert connection.sock is first
    connection.close()


def test_a_killed_worker_takes_no_figure_with_it(door):
    device = door.device()
    for _ in range(6):
        assert door.status("/", device) == 200
    sample = f'chatelaine_requests_total{{site="{door.site}",status="2xx"}}'
    becomes(door, sample, 6)
    for pid in door.parts("gateway"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: door.log_text().count("event=ended") == 2, "both are missed")

    def again():
        try:
            return figure(door, 'chatelaine_worker_restarts_total{part="gateway"}') == 2
        except OSError:
            return False
    wait_for(again, "they are back")
    assert figure(door, sample) == 6
    assert figure(door, "chatelaine_connections_open") == 0
    assert door.status("/", device) == 200
    becomes(door, sample, 7)


def test_a_changed_configuration_keeps_the_figures(door):
    assert door.status("/", door.device()) == 200
    sample = f'chatelaine_requests_total{{site="{door.site}",status="2xx"}}'
    becomes(door, sample, 1)
    text = door.config.read_text()
    first = text[text.index("site "):].replace(f'"{door.site}"', '"aaa.test"')
    cert = door.folder / "aaa.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=aaa.test",
                    "-addext", "subjectAltName=DNS:aaa.test", "-days", "9", "-keyout", door.folder / "aaa.key", "-out", cert],
                   check=True, capture_output=True)
    first = re.sub(r'\n\s*certificate = .*', f'\n\tcertificate = "{cert}"', first)
    first = re.sub(r'\n\s*key = .*', f'\n\tkey = "{door.folder / "aaa.key"}"', first)
    door.config.write_text(text[:text.index("site ")] + first + "\n" + text[text.index("site "):])
    becomes(door, "chatelaine_config_generation", 2)
    wait_for(lambda: 'chatelaine_certificate_not_after_seconds{site="aaa.test"}' in figures(door), "the new site is known")
    assert figure(door, sample) == 1
    door.config.write_text("nonsense\n")
    becomes(door, "chatelaine_config_last_reload_successful", 0)
    becomes(door, "chatelaine_config_reloads_failed_total", 1)
    assert figure(door, sample) == 1


@pytest.mark.parametrize("address", ["0.0.0.0:9100", "[::]:9100", "8.8.8.8:9100"])
def test_an_address_for_everyone_is_refused_unless_it_is_meant(make_house, address):
    house = make_house()
    house.init("http://127.0.0.1:9")
    house.set("listen-metrics", f'{{"{address}"}}')
    done = house.run("config", "check", check=False)
    assert done.returncode == 1 and "metrics-for-all = yes" in done.stderr and address in done.stderr
    house.set("metrics-for-all", "yes")
    house.run("config", "check")


def test_nobody_at_this_gate_stops_anybody(door):
    """Garbage, half heads, and more connections than it takes: clients at the door do not notice, and it serves on."""
    crowd = []
    for number in range(100):
        try:
            one = socket.create_connection(("127.0.0.1", door.metrics_port), timeout=5)
            one.sendall([b"GET /metr", b"\x16\x03\x01\x02\x00\x01", b"GET /metrics HTTP/9.9\r\n\r\n", b""][number % 4])
            crowd.append(one)
        except OSError:
            pass
    assert door.status("/", door.device()) == 200
    for one in crowd:
        one.close()
    wait_for(lambda: ask(door)[0].status == 200, "it serves on")
