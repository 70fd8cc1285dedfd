"""no-certificate = drop, allow and explain, who = groups, locations; and a WebSocket library of others as the client."""
import asyncio
import socket as sockets
import subprocess

import pytest
import websockets

from house import read_answer


def test_drop_refuses_the_handshake_itself(make_house):
    one = make_house()
    one.init(one.example())
    one.set("no-certificate", "drop")
    one.serve()
    alice = one.device()
    assert one.status("/who", alice) == 200
    for version in ("1.2", "1.3"):
        done = one.curl("/who", None, "--tlsv" + version, "--tls-max", version)
        assert done.returncode != 0 and done.stdout == "", "no byte of HTTP reaches a stranger"
    said = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{one.port}", "-servername", one.site, "-ign_eof"], text=True,
                          input=f"GET / HTTP/1.1\r\nHost: {one.site}\r\n\r\n", capture_output=True, timeout=30)
    assert "alert certificate required" in said.stdout + said.stderr
    one.run("device", "revoke", "alice/laptop")
    assert one.curl("/who", alice).returncode != 0


def test_a_public_location_is_public_and_nothing_beside_it(make_house):
    one = make_house(config='location "/headers" { no-certificate = allow }')
    one.init(one.example())
    one.serve()
    alice = one.device()
    assert one.status("/headers") == 200 and one.status("/headers/x") != 403
    for path in ("/", "/who", "/headersx", "/headers/../who", "/%68eaders/..%2fwho"):
        assert one.status(path, None, "--path-as-is") in (400, 403), path
    assert one.status("/who", alice) == 200


def test_groups_decide_and_a_device_of_nobodys_group_is_told_so(make_house):
    one = make_house(config='who = {"staff", "guests"}\n    location "/who" { who = {"staff"} }')
    one.init(one.example())
    one.person("alice", "--groups", "staff")
    one.person("gus", "--groups", "guests,others")
    one.person("otto", "--groups", "others")
    one.serve()
    alice, gus, otto = (one.device(name) for name in ("alice", "gus", "otto"))
    assert [one.status("/", device) for device in (alice, gus, otto)] == [200, 200, 403]
    assert [one.status("/who", device) for device in (alice, gus, otto)] == [200, 403, 403]
    assert "C08" in one.curl("/", otto).stdout


def test_without_sni_only_a_host_with_equal_rules_is_served(house):
    alice = house.device()
    context = house.context(alice)
    context.check_hostname = False
    with context.wrap_socket(sockets.create_connection(("127.0.0.1", house.port), timeout=20)) as stream:
        stream.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
        assert read_answer(stream)[0] == 200


@pytest.mark.parametrize("text", ["hello", "\u00e9\u4e16\U0001f511" * 50], ids=["short", "long"])
def test_a_websocket_library_gets_its_echo(house, text):
    alice = house.device()

    async def talk():
        uri = f"wss://{house.site}:{house.port}/echo"
        plain = sockets.create_connection(("127.0.0.1", house.port), timeout=20)
        plain.setblocking(False)
        async with websockets.connect(uri, ssl=house.context(alice), sock=plain, server_hostname=house.site) as talker:
            await talker.send(text)
            async for message in talker:
                if message == text:
                    return True

    assert asyncio.run(asyncio.wait_for(talk(), 30))
