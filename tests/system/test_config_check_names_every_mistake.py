"""One run of "config check" names every mistake with its line, key and remedy, and warns of what is legal but doubtful."""
import json


def check(house, *words):
    return house.run("config", "check", *words, check=False)


def test_every_mistake_is_named_in_one_run(make_house, tmp_path):
    house = make_house()
    house.init("http://127.0.0.1:3000")
    good = house.config.read_text()
    text = good.replace("no-certificate = explain", "no-certificate = perhaps\n    colour = blue\n    upstram = {\"a\",\n \"b\"}")
    text = "idle-time = 5 minutes\n".replace("5 minutes", "5min") + "workers = 100000\nstate-of-mind \"x\" { a = 1 }\n" + text
    text += "contact = \"a@example.com\"\ncontact = \"b@example.com\"\n"
    text += f'site "other.test" {{\n    upstream = {{"gopher://x"}}\n    certificate = "{tmp_path}/none.pem"\n}}\n'
    other = tmp_path / "draft.conf"
    other.write_text(text)
    done = check(house, "--file", other)
    assert done.returncode == 1
    lines = text.splitlines()
    said = done.stderr.splitlines()

    def named(line_text, *words):
        number = next(n for n, line in enumerate(lines, 1) if line_text in line)
        assert any(s.startswith(f"{other}:{number}:") and all(w in s for w in words) for s in said), (line_text, done.stderr)
    named("idle-time", "idle-time", "5min", "write")
    named("workers", "100000", "0 to 64")
    named("state-of-mind", "unknown key")
    named("perhaps", "no-certificate", "explain")
    named("colour", 'unknown key "colour"')
    named("upstram", 'did you mean "upstream"')
    named("b@example.com", "contact is given twice")
    named("gopher", "gopher")
    named("none.pem", "none.pem")
    assert any("key is missing" in s for s in said), said
    assert len(said) == 10, said
    assert json.loads(house.run("config", "check", "--file", other, "--json", check=False).stdout)["mistakes"] == said
    assert check(house).returncode == 0


def test_both_sites_certificates_are_named(make_house):
    house = make_house()
    house.init("http://127.0.0.1:3000")
    cert, key = (next(line.split("=")[1].strip() for line in house.config.read_text().splitlines()
                      if line.strip().startswith(f"{word} =")) for word in ("certificate", "key"))
    with open(house.config, "a") as config:
        for name in ("one.example", "two.example"):
            config.write(f'site "{name}" {{\n upstream = {{"http://127.0.0.1:3000"}}\n certificate = {cert}\n key = {key}\n}}\n')
    done = check(house)
    assert done.returncode == 1 and "one.example" in done.stderr and "two.example" in done.stderr


def test_a_missing_brace_is_named_by_where_it_opened(make_house):
    house = make_house()
    house.init("http://127.0.0.1:3000")
    house.config.write_text(house.config.read_text().rstrip().rstrip("}"))
    done = check(house)
    assert done.returncode == 1 and f"{house.config}:" in done.stderr and "site" in done.stderr


def test_what_is_right_but_doubtful_is_a_warning(make_house):
    house = make_house()
    house.init("http://127.0.0.1:3000")
    assert check(house).stderr == ""
    house.set("no-certificate", "allow")
    house.set("trusted-proxies", '{"0.0.0.0/0"}')
    house.set("stop-time", "10m")
    house.set("upstream", f'{{"http://127.0.0.1:{house.port}", "http://192.0.2.1:80"}}')
    done = check(house)
    assert done.returncode == 0 and f"{house.config} is good" in done.stdout
    for word in ("everyone enters", "trusted-proxies", "stop-time", "in a circle", "192.0.2.1"):
        assert word in done.stderr, (word, done.stderr)
    assert all(line.startswith("warning: ") for line in done.stderr.splitlines())
    assert len(json.loads(house.run("config", "check", "--json").stdout)["warnings"]) == 5
