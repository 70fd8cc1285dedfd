"""An application that also listens beside the door is warned of, at start and by status; one on loopback is not."""
from house import can_connect, free_port, wait_for


def application(house, address):
    port = free_port()
    house.start("/usr/bin/python3", "-m", "http.server", port, "--bind", address, cwd=house.folder, stdout=open("/dev/null", "w"),
                stderr=open("/dev/null", "w"))
    wait_for(lambda: can_connect(port), "the application listens")
    return f"http://127.0.0.1:{port}"


def test_an_application_on_all_addresses_is_a_side_door(make_house):
    one = make_house()
    one.init(application(one, "0.0.0.0"))
    one.serve()
    one.wait_log("event=side-door")
    assert "bind it to 127.0.0.1" in one.log_text()
    assert any("side door" in problem for problem in one.json("status")["problems"])


def test_an_application_on_loopback_is_none(make_house):
    one = make_house()
    one.init(application(one, "127.0.0.1"))
    one.serve()
    assert "event=side-door" not in one.log_text()
    assert not any("side door" in problem for problem in one.json("status")["problems"])
