"""Whoever took over the authority answers what he likes to commands, which root runs on a terminal: no control
sequence of his gets there, and --json stays JSON."""
import json
import socket
import struct
import threading

import pytest

EVIL = "x\x1b]0;owned\x07\x9b31m\u202e\x7f"


def receive(caller, size):
    data = b""
    while len(data) < size:
        more = caller.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def impostor(path, answer):
    """Answers hello as it should be and everything else with `answer`."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen(16)

    def serve():
        while True:
            try:
                caller, _ = listening.accept()
            except OSError:
                return
            try:
                while True:
                    size, ticket = struct.unpack("<II", receive(caller, 8))
                    asked = json.loads(receive(caller, size & 0x7FFFFFFF))
                    said = {"status": "ok", "words": {}} if asked["question"] == "hello" else answer
                    text = json.dumps(said, ensure_ascii=False).encode()
                    caller.sendall(struct.pack("<II", len(text), ticket | 1 << 31) + text)
            except (EOFError, OSError):
                caller.close()
    threading.Thread(target=serve, daemon=True).start()
    return listening


PERSON = {"person": EVIL, "name": EVIL, "email": EVIL, "groups": [EVIL], "role": EVIL, "state": EVIL, "created": 1, "devices": 1}
DEVICE = {"device": EVIL, "person": EVIL, "label": EVIL, "kind": EVIL, "state": EVIL, "reason": EVIL, "created": 1, "seen": 1,
          "not_after": 1, "serial": EVIL}
WATCHED = {"site": EVIL, "location": EVIL, "path": EVIL, "address": EVIL, "client": EVIL, "code": EVIL, "device": EVIL,
           "name": EVIL, "times": 1, "first": 1, "last": 1}
ANSWERS = {
    ("person", "list"): {"people": [PERSON], "persons": [PERSON]},
    ("person", "show", "x"): PERSON,
    ("device", "list"): {"devices": [DEVICE]},
    ("device", "show", "x"): DEVICE,
    ("watch",): {"rows": [WATCHED], "people": [{"name": EVIL, "groups": [EVIL], "devices": 1, "seen": 1}]},
    ("status",): {"version": EVIL, "problems": [EVIL], "sites": [EVIL], "gateways": [1], "rows_refused": [EVIL],
                  "ending": [{"device": EVIL, "person": EVIL, "label": EVIL, "not_after": 1}], "devices": [DEVICE]},
    ("config", "reload"): {"outcome": EVIL, "said": EVIL, "gateways": 1, "draining": 0},
}


def is_harmless(text):
    return not any(ord(c) < 32 and c not in "\n\t" or 0x7F <= ord(c) < 0xA0 or c == "\u202e" for c in text)


@pytest.mark.parametrize("how", ["words", "error"])
def test_no_control_reaches_the_terminal(make_house, how):
    house = make_house()
    house.init("http://127.0.0.1:1")
    for command, words in ANSWERS.items():
        answer = {"status": "ok", "words": words} if how == "words" else {"status": "refused", "error": EVIL}
        listening = impostor(house.state / "authority.sock", answer)
        try:
            shown = house.run(*command, check=False)
            told = house.run(*command, "--json", check=False)
        finally:
            listening.close()
            (house.state / "authority.sock").unlink()
        assert is_harmless(shown.stdout) and is_harmless(shown.stderr), (command, shown.stdout, shown.stderr)
        assert is_harmless(told.stdout) and is_harmless(told.stderr), (command, told.stdout, told.stderr)
        assert json.loads(told.stdout) is not None, command
        assert "x" in shown.stdout + shown.stderr, command
