"""The server of the demo pages: who is let in, what it gives away, and when its kernels end."""

import asyncio
import http.client
import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from genlab_course import demos

psutil = pytest.importorskip("psutil")
websocket = pytest.importorskip("websocket")  # of jupyter_server
pytest.importorskip("voila", reason="Voila is not installed")
FewKernels = pytest.importorskip("genlab_course.demo_server").FewKernels
pytestmark = pytest.mark.slow

TOKEN = "of-this-test"
PAGE = "/voila/render/03.ipynb"
CODE = "widgets.kl_fit"  # stands in the source of that page
IDLE = 3  # seconds, for the test
MOST = 2  # kernels, for the test
OUTSIDE = [
    f"{root}/{up * 9}{file}"
    for root in ("/voila/static", "/voila/templates", "/voila/files", "/voila/labextensions",
                 "/voila/api/themes", "/voila/render", "/voila/api/contents")
    for up in ("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "....//")
    for file in ("etc/passwd", "etc%2fpasswd")
]  # fmt: skip
SOURCES = [
    "/voila/files/03.ipynb", "/voila/api/contents/03.ipynb",
    "/voila/api/contents/03.ipynb?content=1",
    "/voila/static/03.ipynb", "/voila/templates/genlab_demo/index.html.j2", "/files/03.ipynb",
    "/api/contents/03.ipynb", "/nbconvert/script/03.ipynb", "/voila/files/../genlab-demo.json",
]  # fmt: skip


class Server:
    """A running server and its port."""

    def __init__(self, process, port):
        self.process, self.port = process, port

    def ask(self, path, token=TOKEN, **headers):
        """Send one path as it stands; return the answer's status and text."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        known = {"Authorization": f"token {token}"} if token else {}
        link.request("GET", path, headers=known | headers)
        answer = link.getresponse()
        self.cookies = answer.headers.get_all("Set-Cookie") or []
        text = answer.read().decode(errors="replace")
        link.close()
        return answer.status, text

    def kernels(self):
        """The processes that it has started."""
        return psutil.Process(self.process.pid).children()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    yield from served(tmp_path_factory.mktemp("demo") / "site", spare=0)


def served(folder, **more):
    """A running server of the pages."""
    demos.write_demos(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = demos.voila_command(folder, port, idle=IDLE, kernels=MOST, **more)
    environment = demos.voila_environment(folder, TOKEN)
    running = Server(subprocess.Popen(command, env=environment), port)
    for _ in range(720):  # a busy machine
        try:
            running.ask("/login")
            break
        except OSError:
            time.sleep(0.25)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.wait(15)


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1]])
def test_nobody_enters_without_the_token_and_no_kernel_starts_for_them(server, token):
    for path in ("/", "/voila/tree", PAGE, f"{PAGE}?token={token}"):
        status, _ = server.ask(path, token)
        assert status == 302  # to the form that asks for it
    assert server.ask("/voila/api/contents", token)[0] == 403
    assert server.kernels() == []


def test_the_address_with_the_token_opens_every_page_by_a_cookie(server):
    status, text = server.ask(f"/?token={TOKEN}", token="")
    assert status == 200
    assert "03 " in text
    cookie = "; ".join(c.partition(";")[0] for c in server.cookies)
    assert server.ask("/voila/tree", token="", Cookie=cookie)[0] == 200


def test_another_machines_name_is_refused_whatever_it_knows(server):
    for host in ("evil.example", f"evil.example:{server.port}", "169.254.169.254"):
        assert server.ask("/", Host=host)[0] == 403
        assert server.ask(PAGE, Host=host)[0] == 403
    assert server.ask("/", Host=f"localhost:{server.port}")[0] == 200
    assert server.kernels() == []


def test_no_file_outside_and_no_source_is_served(server):
    for path in OUTSIDE + SOURCES:
        _, text = server.ask(path)
        assert "root:" not in text, path
        assert CODE not in text, path
        assert "extends" not in text, path


def test_a_page_shows_no_code_and_its_kernel_ends_when_nobody_is_there(server):
    status, text = server.ask(PAGE)
    assert status == 200
    assert CODE not in text
    (kernel,) = server.kernels()  # this visitor never says goodbye
    psutil.wait_procs([kernel], timeout=IDLE + 30)
    assert server.kernels() == []


def test_another_site_or_name_cannot_reach_a_kernel(server):
    server.ask(PAGE)
    (kernel,) = server.kernels()
    (file,) = [part for part in kernel.cmdline() if part.endswith(".json")]
    ident = Path(file).stem.removeprefix("kernel-")
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}  # fmt: skip
    path = f"/api/kernels/{ident}/channels"
    assert server.ask(path, "", **upgrade)[0] == 403
    assert server.ask(path, Host="evil.example", Origin="http://evil.example", **upgrade)[0] == 403


def ident_of(kernel):
    (file,) = [part for part in kernel.cmdline() if part.endswith(".json")]
    return Path(file).stem.removeprefix("kernel-")


def newest(server):
    """Its kernel that started last: older ones may be going."""
    return max(server.kernels(), key=psutil.Process.create_time)


def ask_a_kernel(server, subprotocols):
    """Open a websocket and ask a kernel, in the older form, what it is."""
    server.ask(PAGE)
    address = f"ws://127.0.0.1:{server.port}/api/kernels/{ident_of(newest(server))}/channels"
    header = [f"Authorization: token {TOKEN}"]
    link = websocket.create_connection(
        address, header=header, subprotocols=subprotocols, timeout=60
    )
    try:
        about = {"msg_type": "kernel_info_request", "msg_id": "1", "session": "s",
                 "username": "", "version": "5.3"}  # fmt: skip
        link.send(json.dumps({"header": about, "parent_header": {}, "metadata": {}, "content": {},
                              "channel": "shell"}))  # fmt: skip
        return link.recv()
    finally:
        link.close()


@pytest.mark.parametrize("offered", [None, ["v0.kernel"]], ids=["none", "another"])
def test_a_client_of_the_older_protocol_is_refused_and_the_server_answers_on(server, offered):
    """One such message made it count to 10^18 for everybody."""
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        ask_a_kernel(server, offered)
    assert refused.value.status_code == 400
    assert server.ask("/login", "")[0] == 200


def test_a_client_of_the_newer_protocol_is_connected(server):
    server.ask(PAGE)
    address = f"ws://127.0.0.1:{server.port}/api/kernels/{ident_of(newest(server))}/channels"
    link = websocket.create_connection(
        address,
        header=[f"Authorization: token {TOKEN}"],
        subprotocols=["v1.kernel.websocket.jupyter.org"],
        timeout=60,
    )
    assert link.getsubprotocol() == "v1.kernel.websocket.jupyter.org"
    link.close()


@pytest.mark.verify
def test_a_visit_too_many_is_refused_in_a_sentence_and_let_in_when_others_have_left(server):
    psutil.wait_procs(server.kernels(), timeout=IDLE + 30)
    with ThreadPoolExecutor(2 * MOST) as visitors:
        answers = list(visitors.map(server.ask, [PAGE] * 2 * MOST))
    statuses = sorted(status for status, _ in answers)
    assert statuses == [200] * MOST + [503] * MOST
    assert all(f"{MOST} pages are open" in text for status, text in answers if status == 503)
    psutil.wait_procs(server.kernels(), timeout=IDLE + 30)
    assert server.ask(PAGE)[0] == 200


def test_the_token_stands_in_no_command_line(server):
    assert TOKEN not in " ".join(psutil.Process(server.process.pid).cmdline())


def of_the_modules(pid):
    """Whether a process has torch in its memory."""
    return any("libtorch" in part.path for part in psutil.Process(pid).memory_maps())


def test_a_kernel_that_waited_is_given_as_if_it_had_just_been_used():
    """Its idle time is over already: it was ended before its page could send the first cell."""
    given = SimpleNamespace(last_activity=datetime.now(UTC) - timedelta(hours=1))

    class Waiting(FewKernels):
        async def is_alive(self, kernel_id):
            return True

    async def ask():
        manager = Waiting()
        manager.waiting, manager._kernels = {"one": "python3"}, {"one": given}
        return await manager.start_kernel(kernel_name="python3")

    assert asyncio.run(ask()) == "one"
    assert datetime.now(UTC) - given.last_activity < timedelta(minutes=1)


@pytest.mark.verify
def test_a_kernel_with_the_imports_waits_for_a_page_and_another_for_the_next(tmp_path):
    server = served(tmp_path / "site", spare=1)
    running = next(server)
    try:
        deadline = time.time() + 240
        while not (running.kernels() and of_the_modules(running.kernels()[0].pid)):
            assert time.time() < deadline, "no kernel with torch"
            time.sleep(0.5)
        time.sleep(IDLE + 2)  # it outlives an idle time, and is ready
        (first,) = running.kernels()
        ident = ident_of(first)  # a quick machine may have ended it when the page has come
        status, page = running.ask(PAGE)
        assert status == 200
        assert ident in page, "the page had another"
        gone, _ = psutil.wait_procs([first], timeout=IDLE + 60)
        assert gone, "the page had another: what waits does not end by itself"
        while not any(of_the_modules(kernel.pid) for kernel in running.kernels()):
            assert time.time() < deadline, "no kernel for the next page"
            time.sleep(0.5)
    finally:
        server.close()
