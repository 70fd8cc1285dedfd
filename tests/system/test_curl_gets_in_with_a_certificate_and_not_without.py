"""curl with PEM and with p12, openssl s_client, --resolve; what people without a certificate read."""
import subprocess

from house import read_answer


def test_with_pem_the_application_answers_and_knows_who_it_is(house):
    alice = house.device("alice", "laptop")
    done = house.curl("/who", alice, check=True)
    assert alice.id in done.stdout and "alice" in done.stdout


def test_with_a_p12_the_application_answers(house):
    house.person("bob")
    facts = house.json("device", "add", "bob", "--label", "phone", "--kind", "phone", "--p12", house.folder / "bob.p12")
    assert facts["password"] and facts["serial"] and facts["not_after"] > 0
    done = house.curl("/who", None, "--cert-type", "P12", "--cert", f"{house.folder}/bob.p12:{facts['password']}", check=True)
    assert facts["device"] in done.stdout


def test_without_a_certificate_a_person_reads_what_to_do(house):
    done = house.curl("/", None, "-i", check=True)
    assert " 403 " in done.stdout.splitlines()[0]
    assert "No required SSL certificate was sent" in done.stdout
    assert "expire" in done.stdout, "browsers hide expired certificates, so the page must mention it"
    assert "C01" in done.stdout


def test_a_program_that_asks_for_json_gets_json(house):
    done = house.curl("/api", None, "-H", "Accept: application/json", check=True)
    assert '"code"' in done.stdout and "C01" in done.stdout and "<" not in done.stdout


def test_openssl_s_client_speaks_tls_1_2_and_1_3_with_a_certificate(house):
    alice = house.device("alice", "laptop")
    for version in ("-tls1_2", "-tls1_3"):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", "-servername", house.site,
                               "-CAfile", str(house.root), "-cert", alice.cert, "-key", alice.key, "-quiet", version,
                               "-verify_return_error", "-ign_eof"], text=True, capture_output=True, timeout=30,
                              input=f"GET /who HTTP/1.1\r\nHost: {house.site}\r\nConnection: close\r\n\r\n")
        assert "200" in done.stdout.splitlines()[0], done.stdout + done.stderr
        assert alice.id in done.stdout


def test_tls_1_1_and_cbc_suites_are_refused(house):
    for words in (["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES128-SHA"]):
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{house.port}", "-servername", house.site, *words],
                              capture_output=True, text=True, input="", timeout=30)
        assert done.returncode != 0 or "Cipher is (NONE)" in done.stdout


def test_plain_http_on_the_tls_port_is_told_to_use_https(house):
    done = subprocess.run(["curl", "-sS", "-i", "--max-time", "10", f"http://127.0.0.1:{house.port}/"], capture_output=True, text=True)
    assert " 400 " in done.stdout.splitlines()[0] and "https" in done.stdout


def test_an_unknown_host_gets_421_and_nothing_of_any_site(house):
    alice = house.device("alice", "laptop")
    with house.tls(alice) as stream:
        stream.sendall(b"GET / HTTP/1.1\r\nHost: other.test\r\n\r\n")
        status, _, body = read_answer(stream)
    assert status == 421 and b"Chatelaine example" not in body


def test_keep_alive_and_pipelining_answer_in_order(house):
    alice = house.device("alice", "laptop")
    with house.tls(alice) as stream:
        for _ in range(3):
            stream.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
            assert read_answer(stream)[0] == 200
