"""Every ceiling of one device, of one address and of one worker: somebody meets it, and meanwhile a second client is served.
Addresses come by the PROXY protocol; 127.0.0.1 is the balancer here."""
import contextlib
import json
import select
import socket
import ssl
import threading

import pytest
from h2_client import EXTENDED, Client, websocket
from house import read_answer, wait_for
from upstream import Upstream

CROWD, GOOD = "192.0.2.66", "198.51.100.1"


@pytest.fixture
def make_busy(make_house):
    """make_busy(key=value, ...): a house with these ceilings."""
    def make(upstream=None, site="", **keys):
        one = make_house(config=site)
        one.init(upstream or one.example())
        one.set("proxy-from", '{"127.0.0.1"}')
        for key, value in keys.items():
            one.set(key.replace("_", "-"), f'"{value}"')
        return one.serve()
    return make


@pytest.fixture
def kept():
    with contextlib.ExitStack() as stack:
        yield stack.enter_context


def plain(house, client):
    one = socket.create_connection(("127.0.0.1", house.port), timeout=20)
    family, ours = ("TCP6", "2001:db8::1") if ":" in client else ("TCP4", "203.0.113.1")
    one.sendall(f"PROXY {family} {client} {ours} 4711 443\r\n".encode())
    return one


def tls(house, client=CROWD, device=None):
    context = house.context(device)
    context.set_alpn_protocols(["http/1.1"])
    return context.wrap_socket(plain(house, client), server_hostname=house.site)


def ask(house, stream, path="/who", *fields):
    lines = "".join(f"{field}\r\n" for field in fields)
    stream.sendall(f"GET {path} HTTP/1.1\r\nHost: {house.site}\r\n{lines}\r\n".encode())
    return read_answer(stream)


def is_let_in(house, client=CROWD, device=None):
    """A handshake and an answer, whatever it says."""
    try:
        with tls(house, client, device) as stream:
            return ask(house, stream) is not None
    except (OSError, ssl.SSLError):
        return False


def has_ended(stream):
    return bool(select.select([stream], [], [], 20)[0])


def test_requests_a_second_of_a_device(make_busy):
    house = make_busy(device_requests=1)
    alice, bob = house.device(), house.device("bob")
    with tls(house, CROWD, alice) as stream, tls(house, CROWD, bob) as beside:
        statuses = [ask(house, stream)[0] for _ in range(20)]
        assert statuses[:10] == [200] * 10 and 429 in statuses[10:]
        while (answer := ask(house, stream, "/", "Accept: application/json"))[0] == 200:
            pass
        status, fields, body = answer
        assert status == 429 and 1 <= int(fields["retry-after"]) <= 10
        assert json.loads(body)["code"] == "C37" and "connection" not in fields
        assert ask(house, beside)[0] == 200, "another device, the same address"
    status, _, body = (lambda s: (ask(house, s, "/", "Accept: text/html")))(tls(house, GOOD, alice))
    assert status == 429 and b"Wait a moment" in body, "the same device, whatever its address"
    house.wait_log("why=C37")


def test_requests_a_second_of_an_address(make_busy):
    house = make_busy(address_requests=1)
    alice = house.device()
    refused = 0
    while refused < 3:
        with tls(house, "2001:db8:0:1200::1") as stream:
            for _ in range(20):
                status, fields, _ = ask(house, stream)
                if status == 429:
                    refused += 1
                    assert fields["retry-after"] and fields["connection"] == "close"
                    break
                assert status == 403
    with tls(house, "2001:db8:0:12ff::9") as stream:
        assert ask(house, stream)[0] == 429, "an IPv6 address is its /56"
    with tls(house, "2001:db8:0:1300::1") as stream:
        assert ask(house, stream)[0] == 403
    with tls(house, "2001:db8:0:1200::1", alice) as stream:
        assert ask(house, stream)[0] == 200, "a device is not counted as its address"


def test_connections_at_once(make_busy, kept):
    house = make_busy(address_connections=5, device_connections=8)
    alice, bob = house.device(), house.device("bob")
    for _ in range(5):
        assert ask(house, kept(tls(house)))[0] == 403
    assert not is_let_in(house)
    assert is_let_in(house, GOOD)
    held = [kept(tls(house, GOOD, alice)) for _ in range(8)]
    assert all(ask(house, one)[0] == 200 for one in held)
    assert not is_let_in(house, "198.51.100.77", alice), "from everywhere together"
    assert is_let_in(house, GOOD, bob) and is_let_in(house, GOOD)
    held.pop().close()
    wait_for(lambda: is_let_in(house, GOOD, alice), "there is room again")
    # A worker that dies takes its counts with it.
    import os
    import signal
    for pid in house.parts("gateway"):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: is_let_in(house), "nobody is counted any more")


def test_websockets_beside_each_other_on_one_connection_are_open_requests(make_house):
    house = make_house(config="")
    house.init(house.example())
    house.set("device-open-requests", '"3"')
    house.serve()
    client = Client(house, house.device())
    client.until(lambda: EXTENDED in client.settings)
    live = [websocket(client, "/live") for _ in range(8)]
    assert [one.status for one in live] == [200] * 4 + [429] * 4, "the first is the connection's own"
    client.h2.reset_stream(live[1].id)
    client.flush()
    wait_for(lambda: websocket(client, "/live").status == 200, "one went, another may come")


def test_handshakes_a_second(make_busy):
    house = make_busy(address_handshakes=1, device_handshakes=2)
    alice, bob = house.device(), house.device("bob")
    assert sum(is_let_in(house) for _ in range(14)) in range(10, 14)
    assert is_let_in(house, GOOD)
    house.wait_log("event=turned-away")
    assert house.log_text().count("event=turned-away") <= 2, "one line for many"
    assert sum(is_let_in(house, f"198.51.100.{n}", alice) for n in range(2, 30)) in range(20, 28)
    assert is_let_in(house, "198.51.100.200", bob)


def test_strangers_never_take_the_reserve_and_the_oldest_idle_goes_first(make_busy, kept):
    house = make_busy(connections=40, reserve=25, workers=1)
    alice = house.device()
    first = kept(tls(house, CROWD, alice))
    assert ask(house, first)[0] == 200
    strangers = [kept(tls(house, f"192.0.2.{n}")) for n in range(60)]
    assert all(has_ended(one) for one in strangers[:30]), "the oldest of them make room for the newest"
    assert ask(house, strangers[-1])[0] == 403
    devices = [kept(tls(house, GOOD, alice)) for _ in range(10)]
    assert all(ask(house, one)[0] == 200 for one in [first, *devices]), "none of ours was closed for a stranger"
    # Silent ones that never shake hands go first as well.
    silent = [kept(plain(house, f"192.0.2.{n}")) for n in range(100)]
    assert all(ask(house, one)[0] == 200 for one in [first, *devices])
    assert is_let_in(house, GOOD, alice)
    assert any(select.select([one], [], [], 0)[0] for one in silent)


def test_public_paths_do_not_take_what_devices_need(make_busy, kept):
    """Slow readers of a public path hold requests at once; devices have theirs."""
    def big(caller):
        while request := caller.request():
            size = 1 << 20 if request.target.startswith("/public") else 2
            caller.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n")
            caller.send(b"x" * size)

    with Upstream(big) as upstream:
        house = make_busy(upstream.url, 'location "/public" { no-certificate = allow }', connections=40, reserve=50,
                          workers=1)
        alice = house.device()
        readers = [kept(tls(house, f"192.0.2.{n}")) for n in range(40)]
        for one in readers:
            with contextlib.suppress(OSError):
                one.sendall(f"GET /public HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
        for _ in range(5):
            with tls(house, GOOD, alice) as stream:
                assert ask(house, stream, "/x")[0] == 200


def test_a_body_too_slow_and_an_answer_too_slowly_taken(make_busy, kept):
    """A byte at a time is progress, and too little of it."""
    def serve(caller):
        while request := caller.request():
            if request.method == "POST":
                caller.until(b"never")
            caller.send("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
            caller.send_what_fits(b"x" * 100_000_000)
            return

    with Upstream(serve) as upstream:
        house = make_busy(upstream.url, idle_time="2s", least_rate="10K")
        alice = house.device()
        up, down = tls(house, CROWD, alice), tls(house, CROWD, alice)
        kept(up), kept(down)
        up.sendall(f"POST / HTTP/1.1\r\nHost: {house.site}\r\nContent-Length: 1000000\r\n\r\n".encode())
        down.sendall(f"GET / HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
        over = threading.Event()

        def drip():
            while not over.wait(0.05):
                with contextlib.suppress(OSError):
                    up.send(b"a")
                with contextlib.suppress(OSError):
                    down.recv(1)

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            assert read_answer(up)[0] == 408
            house.wait_log("status=200 why=C21 end=late")
        finally:
            over.set()
            dripping.join()
