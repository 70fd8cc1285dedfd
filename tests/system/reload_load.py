"""Load that counts what went wrong: kept connections, fresh handshakes, and uploads, all until the end of a `with`."""
import threading

from house import read_answer, wait_for


class Load:
    """Clients in threads; `good` answers, `bad` ones with what they were. A kept connection that was told "Connection:
    close" (or that the door may end while it is idle, and did so before a byte of the request left) is made anew."""

    def __init__(self, house, device, kept=3, fresh=1, uploads=1, ports=None):
        self.house, self.device, self.ports = house, device, ports or [house.port]
        self.ending, self.lock = threading.Event(), threading.Lock()
        self.good, self.bad = 0, []
        jobs = [self.keep] * kept + [self.come_and_go] * fresh + [self.upload] * uploads
        self.threads = [threading.Thread(target=self.run, args=(job, n)) for n, job in enumerate(jobs)]

    def count(self, fine, trouble):
        with self.lock:
            self.good += fine
            if not fine:
                self.bad.append(trouble)

    def run(self, job, number):
        while not self.ending.is_set():
            try:
                job(number)
            except OSError as error:
                self.count(False, (job.__name__, repr(error)))

    def connect(self, number):
        return self.house.tls(self.device, port=self.ports[number % len(self.ports)])

    def ask(self, stream, head, body=b""):
        stream.sendall(head.encode() + body)
        answer = read_answer(stream)
        self.count(answer is not None and answer[0] == 200, answer)
        return answer

    def keep(self, number):
        with self.connect(number) as stream:
            while not self.ending.is_set():
                answer = self.ask(stream, f"GET /who HTTP/1.1\r\nHost: {self.house.site}\r\n\r\n")
                if answer is None or answer[1].get("connection") == "close":
                    return

    def come_and_go(self, number):
        with self.connect(number) as stream:
            self.ask(stream, f"GET /who HTTP/1.1\r\nHost: {self.house.site}\r\nConnection: close\r\n\r\n")

    def upload(self, number):
        """A body that takes a while, in pieces: it is under way when things change."""
        with self.connect(number) as stream:
            stream.sendall(f"POST /upload HTTP/1.1\r\nHost: {self.house.site}\r\nContent-Length: 300000\r\n"
                           "Connection: close\r\n\r\n".encode())
            for _ in range(30):
                stream.sendall(b"x" * 10000)
                self.ending.wait(0.002)
            answer = read_answer(stream)
            self.count(answer is not None and answer[0] == 200, ("upload", answer))

    def more(self, count=20):
        goal = self.good + count
        wait_for(lambda: self.good >= goal or self.bad, f"load goes on ({self.good} good)")
        assert not self.bad, self.bad[:3]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        for thread in self.threads:
            thread.join()
