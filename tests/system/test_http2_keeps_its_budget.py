"""A GET of 1 KB over HTTP/2 by a known device allocates nothing, and requests that come together share their system calls."""
from h2_client import Client
from test_the_hot_path_keeps_its_budget import REQUESTS, Debugger, a_door, system_calls

TOGETHER = 50


def ask(client, requests):
    while requests > 0:
        count = min(requests, TOGETHER)
        streams = []
        for _ in range(count):
            number = client.h2.get_next_available_stream_id()
            client.h2.send_headers(number, client.head(path="/download?bytes=1024"), end_stream=True)
            streams.append(number)
        got = {}
        client.flush()
        while len(got) < count:
            for event in client.h2.receive_data(client.tls.recv(65536)):
                name = type(event).__name__
                if name == "DataReceived":
                    client.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                elif name == "StreamEnded":
                    got[event.stream_id] = True
            client.flush()
        requests -= count


def test_no_allocation_a_request(make_house):
    house, device, pid = a_door(make_house, "chatelaine")
    client = Client(house, device)
    ask(client, 200)
    debugger = Debugger(house, pid)
    ask(client, REQUESTS)
    # More requests than ever before may wait at one moment, for which upstream connections are made; what a request
    # allocates would show as often as there were requests.
    assert debugger.count() <= REQUESTS // 50
    client.close()


def test_requests_that_come_together_share_their_system_calls(make_house):
    house, device, pid = a_door(make_house, "chatelaine")
    client = Client(house, device)
    ask(client, 200)
    counts, _ = system_calls(house, pid, lambda: ask(client, REQUESTS))
    # Two of each request go to the application and come back; those towards the client are for many.
    assert sum(counts.values()) <= 3.2 * REQUESTS, counts
    client.close()
