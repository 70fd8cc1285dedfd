"""revoke = gone: new handshakes, kept-alive connections, live WebSockets; and the command says how many."""
import json

from house import read_answer, wait_for
from websocket_client import WebSocket


def test_new_handshakes_kept_connections_and_websockets_end(house):
    alice = house.device("alice", "laptop")
    bob = house.device("bob", "laptop")
    kept = house.tls(alice)
    kept.sendall(f"GET /who HTTP/1.1\r\nHost: {house.site}\r\n\r\n".encode())
    assert read_answer(kept)[0] == 200
    socket = WebSocket(house, alice, "/live")
    others = WebSocket(house, bob, "/live")

    answer = house.json("device", "revoke", "alice/laptop", "--reason", "keyCompromise")
    assert answer["closed"] == 2 and answer["gateways"] >= 1 and not answer.get("silent")

    code, _ = socket.read_until_close()
    assert code == 1008
    assert kept.recv(1) == b""
    done = house.curl("/who", alice)
    assert "C04" in done.stdout or "revoked" in done.stdout.lower()
    others.send("still here")
    wait_for(lambda: "still here" in others.read_text(), "bob's WebSocket goes on")
    assert house.status("/who", bob) == 200
    assert json.loads(house.run("device", "show", "alice/laptop", "--json").stdout)["state"] == "revoked"


def test_removing_a_person_revokes_all_devices(house):
    laptop = house.device("alice", "laptop")
    phone = house.device("alice", "phone")
    assert house.status("/who", laptop) == 200 and house.status("/who", phone) == 200
    answer = house.json("person", "remove", "alice")
    assert len(answer["revoked"]) == 2 and not answer["silent"]
    assert house.status("/who", laptop) == 403 and house.status("/who", phone) == 403


def test_a_revocation_while_nothing_runs_holds_at_the_next_start(make_house):
    one = make_house()
    one.init(one.example())
    alice = one.device("alice", "laptop")
    one.run("device", "revoke", alice.id[:8])
    one.serve()
    assert one.status("/who", alice) == 403
