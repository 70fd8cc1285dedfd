"""Unix sockets and host names as upstreams, by the resolver: kept connections do without it, it comes back when it is
killed, it follows a name that moves, and a gateway gets no other socket from it. Of two upstreams one may die under load."""
import errno
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import inside
import pytest
from house import SANITIZED, can_connect, free_port, wait_for
from inside import Inside, descriptors, status_of
from test_a_gateway_is_shut_in import ask
from upstream import Upstream

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
from_inside = pytest.mark.skipif(not inside.CAN, reason="needs root, and ptrace on x86-64")


def answers(text):
    def serve(caller):
        while caller.request():
            caller.send(f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}")
    return serve


class UnixUpstream(Upstream):
    def __init__(self, path, serve, backlog=64):
        self.serve, self.asked, self.callers, self.failures, self.ended = serve, [], [], [], 0
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        os.chmod(path, 0o666)
        self.listening.listen(backlog)
        self.url = f"unix:{path}"
        threading.Thread(target=self._accept, daemon=True).start()


def open_up(folder):
    """The resolver is another user: it must reach a socket in there."""
    for one in (folder, *folder.parents):
        if one.stat().st_uid == os.geteuid() and one != pathlib.Path("/tmp") and one.is_relative_to("/tmp"):
            one.chmod(0o755)


def serving(house, url, *words, **more):
    house.init(url, *words)
    house.set("workers", "1")
    house.serve(**more)
    return house.device()


def reload(house):
    after = len(house.log_text())
    house.process.send_signal(signal.SIGHUP)
    house.wait_log("event=reload outcome=", after)


@pytest.mark.skipif(not shutil.which("nginx"), reason="needs nginx")
def test_nginx_on_a_unix_socket_and_a_resolver_that_is_killed(make_house, tmp_path):
    open_up(tmp_path)
    (tmp_path / "nginx.conf").write_text(f"""daemon off; master_process off; pid {tmp_path}/pid; error_log stderr;
        events {{ }} http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p;
        fastcgi_temp_path {tmp_path}/f; uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s;
        server {{ listen unix:{tmp_path}/app.sock; location / {{ return 200 "$connection $request_uri"; }}
        location /once {{ keepalive_timeout 0; return 200 "once"; }} }} }}""")
    house = make_house()
    house.start("nginx", "-c", tmp_path / "nginx.conf", stdout=subprocess.DEVNULL, stderr=open(tmp_path / "nginx.log", "w"))
    wait_for(lambda: (tmp_path / "app.sock").exists(), "nginx listens")
    alice = serving(house, f"unix:{tmp_path}/app.sock")
    resolver, = house.parts("resolver")
    first = house.curl("/a", alice, check=True).stdout
    os.kill(resolver, signal.SIGSTOP)  # not needed by who has a connection
    for _ in range(3):
        assert house.curl("/a", alice, check=True).stdout == first
    # And who has none waits for the next one.
    os.kill(resolver, signal.SIGKILL)
    for _ in range(3):
        assert house.curl("/once", alice, check=True).stdout == "once"
    wait_for(lambda: house.parts("resolver") not in ([], [resolver]), "another resolver")
    house.stop()
    assert not [p for p in pathlib.Path("/proc").iterdir() if p.name == str(resolver)]


def test_a_socket_that_nobody_listens_on_is_502_and_says_why(make_house, tmp_path):
    open_up(tmp_path)
    house = make_house()
    alice = serving(house, f"unix:{tmp_path}/none.sock")
    assert house.status("/", alice) == 502
    house.wait_log("No such file")
    with UnixUpstream(tmp_path / "none.sock", answers("there")) as upstream:
        assert house.curl("/", alice).stdout == "there"
        assert len(upstream.asked) == 1


@as_root
def test_a_name_is_followed_where_it_moves_and_kept_when_it_is_lost(make_house, tmp_path):
    hosts, nobody = tmp_path / "hosts", tmp_path / "resolv.conf"
    nobody.write_text("nameserver 127.0.0.254\noptions timeout:1 attempts:1\n")
    house = make_house()
    with Upstream(answers("old")) as old:
        class New(Upstream):
            def __init__(self):
                super().__init__(answers("new"))
                self.listening.close()
                self.listening = socket.create_server(("127.0.0.2", old.port))
                threading.Thread(target=self._accept, daemon=True).start()

        with New() as new:
            hosts.write_text("127.0.0.1 localhost app.door.test\n")
            prefix = ["unshare", "-m", "sh", "-c", f"mount --bind {hosts} /etc/hosts && mount --bind {nobody} /etc/resolv.conf "
                      "&& exec \"$@\"", "-"]
            alice = serving(house, f"http://app.door.test:{old.port}", prefix=prefix)
            assert house.curl("/", alice).stdout == "old"
            hosts.write_text("127.0.0.1 localhost\n127.0.0.2 app.door.test\n")
            reload(house)
            house.wait_log("upstream name app.door.test is 127.0.0.2")
            wait_for(lambda: old.ended, "the idle connection to the old address ends")
            assert house.curl("/", alice).stdout == "new"
            hosts.write_text("127.0.0.1 localhost\n")
            reload(house)
            house.wait_log("the addresses before still hold")
            assert house.curl("/", alice).stdout == "new"
            assert len(old.asked) == 1 and len(new.asked) == 2


def test_one_of_two_dies_under_load_and_comes_back_and_no_get_fails(make_house):
    house = make_house()
    one = house.example()
    dying = house.children[-1]
    port = int(one.rsplit(":", 1)[1])
    two = house.example()
    house.init(one)
    house.set("upstream", json.dumps([one, two]).replace("[", "{").replace("]", "}"))
    house.serve()
    alice = house.device()
    context = house.context(alice)
    statuses, stop = [], threading.Event()

    def load():
        line = http.client.HTTPSConnection("127.0.0.1", house.port, context=context, timeout=30)
        line._create_connection = lambda *_, **__: socket.create_connection(("127.0.0.1", house.port), timeout=30)
        line.host = house.site
        while not stop.is_set():
            try:
                line.request("GET", "/who")
                answer = line.getresponse()
                answer.read()
                statuses.append(answer.status)
            except (OSError, http.client.HTTPException) as error:
                statuses.append(repr(error))
                return

    threads = [threading.Thread(target=load) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(statuses) > 200, "the load runs")
    dying.kill()
    dying.wait()
    wait_for(lambda: f"127.0.0.1:{port} is down" in house.log_text(), "it is noticed")
    at = len(statuses)
    wait_for(lambda: len(statuses) > at + 200, "the load goes on")
    back = Upstream.__new__(Upstream)
    back.serve, back.asked, back.callers, back.failures, back.ended = answers("back"), [], [], [], 0
    back.listening = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=back._accept, daemon=True).start()
    wait_for(lambda: len(back.asked) > 20, "it takes its part again")
    stop.set()
    for thread in threads:
        thread.join()
    back.close()
    assert set(statuses) == {200}, {s: statuses.count(s) for s in set(statuses)}
    house.wait_log(f"127.0.0.1:{port} answers again")


def pairs(pid):
    with open("/proc/net/unix") as table:
        inodes = {line.split()[6] for line in table.readlines()[1:]}
    return [fd for fd, what in descriptors(pid).items() if fd > 3 and what.startswith("socket:") and what[8:-1] in inodes]


@from_inside
def test_a_taken_over_gateway_gets_the_configured_socket_and_no_other(make_house, tmp_path):
    open_up(tmp_path)
    house = make_house()
    with UnixUpstream(tmp_path / "app.sock", answers("x")), UnixUpstream(tmp_path / "other.sock", answers("y")) as other:
        alice = serving(house, f"unix:{tmp_path}/app.sock")
        pid, = house.parts("gateway")
        wait_for(lambda: len(pairs(pid)) == 2, "ways to the authority and the resolver")
        with Inside(pid) as it:
            def dial(fd, path, name="dial"):
                return ask(it, fd, name, {"socket": str(path), "ms": 1000}, ticket=991)

            way = [fd for fd in pairs(pid) if dial(fd, tmp_path / "app.sock")[1] is not None]
            assert len(way) == 1, "the resolver hands the socket over, the authority does not"
            for path in (tmp_path / "other.sock", house.state / "authority.sock", "/run/dbus/system_bus_socket",
                         f"{tmp_path}/./app.sock", f"{tmp_path}/app.sock/", f"{tmp_path}/app.sock\x01", "", "app.sock", "x" * 5000):
                answer, fd = dial(way[0], path)
                assert fd is None and answer.get("status") != "ok" and "error" in json.dumps(answer), (path, answer)
            for name in ("addresses", "resolve", "connect"):
                assert dial(way[0], "localhost", name)[1] is None
        assert not other.callers
        assert house.status("/", alice) == 200


@from_inside
@pytest.mark.skipif(SANITIZED, reason="a sanitized build runs without seccomp")
def test_the_resolver_and_who_asks_for_names_are_shut_in(make_house, tmp_path):
    open_up(tmp_path)
    house = make_house()
    refused = (-errno.EPERM, -errno.EACCES)
    alice = serving(house, f"unix:{tmp_path}/app.sock")
    pid, = house.parts("resolver")
    asker, = (int(p.name) for p in pathlib.Path("/proc").iterdir() if p.name.isdigit()
              and status_of(p.name).get("PPid") == str(pid))
    secrets = ("issuing.key", "registry.db", "cli.token", "server")
    for one in (pid, asker):
        assert status_of(one)["NoNewPrivs"] == "1" and status_of(one)["Seccomp"] == "2"
        assert int(status_of(one)["CapEff"], 16) == 0
        with Inside(one) as it:
            for name in secrets:
                assert it.call(inside.OPENAT, inside.AT_FDCWD, f"{house.state}/{name}", os.O_RDONLY, 0) in refused, name
            for number, *words in ((inside.EXECVE, "/bin/true", 0, 0), (inside.FORK,), (inside.KILL, house.process.pid, 9),
                                   (inside.PTRACE, 16, house.process.pid, 0, 0), (inside.MKDIR, "/tmp/x", 0o700)):
                assert it.call(number, *words) in refused, number
            assert it.call(inside.OPENAT, inside.AT_FDCWD, "/etc/hosts", os.O_RDWR, 0) in refused
            reads = it.call(inside.OPENAT, inside.AT_FDCWD, "/etc/hosts", os.O_RDONLY, 0)
            assert reads >= 0 if one == asker else reads in refused
            tcp = it.call(inside.SOCKET, socket.AF_INET, socket.SOCK_STREAM, 0)
            assert tcp >= 0 if one == asker else tcp in refused
            for fd in (reads, tcp):
                if fd >= 0:
                    it.call(inside.CLOSE, fd)
    assert not any("registry" in what or "bundle" in what for what in descriptors(asker).values())
    assert len(descriptors(asker)) <= 3, "its pipe, and where it complains"
    with UnixUpstream(tmp_path / "app.sock", answers("x")):
        assert house.status("/", alice) == 200
