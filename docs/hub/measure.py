"""Start the hub, let a class in at once, run a lesson in every server, and print what it took.

    python docs/hub/measure.py --learners 10 [--lesson 01_four_paradigm_map]

Run it in the environment of the hub. Each learner logs in with the form, asks for a server, waits
for the start page, opens the working copy, runs its cells one by one through the kernel's
websocket, and saves it. Seconds count from the moment at which all ask for their servers. A
picture is an output of type image/*. Memory is sampled, in MB of 2^20 bytes: rss is what a process
has in memory; pss shares common pages (torch's code) among those who use them, so that it adds up.
Everything stays on this machine and ends by itself.
"""

import argparse
import json
import os
import re
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from urllib.parse import quote

import psutil
import requests
import websocket

HERE = Path(__file__).resolve().parent
PASSWORD = "one for the whole class"
PATIENCE = 1500  # seconds, for everything


@dataclass
class Learner:
    """What one learner waited for, and what their processes used."""

    name: str
    ready: float = 0.0  # seconds until the start page
    plot: float = 0.0  # until the first picture
    last: float = 0.0  # until the last cell
    cells: int = 0
    errors: list[str] = field(default_factory=list)
    server_rss: float = 0.0  # peak, MB
    kernel_rss: float = 0.0
    pss: float = 0.0  # peak of the sum of all their processes, MB
    idle_pss: float = 0.0  # of the server before its kernel
    cpu: dict[int, float] = field(default_factory=dict)  # seconds of the processor, by process

    @property
    def work(self):
        """Seconds of one core for everything."""
        return sum(self.cpu.values())


class Session:
    """A learner at the hub: logged in by the form, then with a token of their own."""

    def __init__(self, address, name):
        self.address, self.name, self.http = address, name, requests.Session()
        self.http.get(f"{address}/hub/login", timeout=60).raise_for_status()
        xsrf = self.http.cookies.get("_xsrf", path="/hub/")
        form = {"username": name, "password": PASSWORD, "_xsrf": xsrf}
        page = self.http.post(f"{address}/hub/login?next=%2Fhub%2Fhome", data=form, timeout=60)
        page.raise_for_status()
        headers = {"X-XSRFToken": self.http.cookies.get("_xsrf", path="/hub/")}
        headers["Referer"] = f"{address}/hub/token"
        url = f"{address}/hub/api/users/{name}/tokens"
        answer = self.http.post(url, json={"note": "measure"}, headers=headers, timeout=60)
        answer.raise_for_status()
        self.headers = {"Authorization": f"token {answer.json()['token']}"}

    def ask(self, method, path, **more):
        """Send a request with the token; raise unless it succeeds."""
        url = f"{self.address}{path}"
        answer = requests.request(method, url, headers=self.headers, timeout=300, **more)
        answer.raise_for_status()
        return answer

    def server(self, method, path, **more):
        """Send a request to the learner's own server."""
        return self.ask(method, f"/user/{self.name}/{path}", **more)

    def start_server(self):
        """Ask for a server, and wait until it serves the start page."""
        api = f"/hub/api/users/{self.name}/server"
        self.ask("POST", api)
        said = {}
        with self.ask("GET", f"{api}/progress", stream=True) as events:  # as the hub's page does
            for line in events.iter_lines():
                if line.startswith(b"data:"):
                    said = json.loads(line[5:])
        if not said.get("ready"):
            raise RuntimeError(f"the server did not start: {said.get('message')}")
        page = self.server("GET", "lab/tree/my/START.ipynb")
        assert "jupyter-config-data" in page.text, "not a page of JupyterLab"

    def channel(self, kernel):
        """Open a kernel's websocket."""
        url = f"{self.address}/user/{self.name}/api/kernels/{kernel}/channels"
        return websocket.create_connection(
            url.replace("http", "ws", 1), header=self.headers, timeout=PATIENCE
        )


def received(channel):
    """Return the next message; one with buffers comes as bytes, its JSON first."""
    data = channel.recv()
    if isinstance(data, bytes):
        n = struct.unpack("!I", data[:4])[0]
        offsets = [*struct.unpack(f"!{n}I", data[4 : 4 * (n + 1)]), len(data)]
        data = data[offsets[0] : offsets[1]].decode()
    return json.loads(data)


def run_cell(channel, code):
    """Run one cell to its end; yield the messages that belong to it."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    header |= {"username": "", "session": uuid.uuid4().hex, "date": "2026-01-01T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    parts = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    channel.send(json.dumps(parts | {"channel": "shell", "buffers": []}))
    while True:
        message = received(channel)
        if message["parent_header"].get("msg_id") == header["msg_id"]:
            yield message
            if message["content"].get("execution_state") == "idle":
                return


def run_lesson(session, learner, path, since):
    """Open a notebook, run and save it; note when first picture and last cell came."""
    notebook = session.server("GET", f"api/contents/{quote(path)}").json()["content"]
    wanted = {"path": path, "name": "", "type": "notebook", "kernel": {"name": "python3"}}
    kernel = session.server("POST", "api/sessions", json=wanted).json()["kernel"]["id"]
    channel = session.channel(kernel)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code" and cell["source"].strip():
            for message in run_cell(channel, cell["source"]):
                if any(kind.startswith("image/") for kind in message["content"].get("data", {})):
                    learner.plot = learner.plot or time.monotonic() - since
                if message["header"]["msg_type"] == "error":
                    learner.errors.append(message["content"]["ename"])
            learner.cells += 1
    learner.last = time.monotonic() - since
    channel.close()
    notebook["metadata"]["learner"] = learner.name
    saved = {"type": "notebook", "content": notebook}
    session.server("PUT", f"api/contents/{quote(path)}", json=saved)


class Watch(threading.Thread):
    """Samples the memory and the processor time of everything under the hub."""

    def __init__(self, hub, learners):
        super().__init__(daemon=True)
        self.hub, self.learners = psutil.Process(hub), {one.name: one for one in learners}
        self.owner, self.done, self.own, self.total = {}, threading.Event(), 0.0, 0.0

    def run(self):
        """Sample every two seconds until `done`."""
        while not self.done.wait(2):
            self.sample()

    def sample(self):
        """Add one look at all processes."""
        pss, kernels, own = {}, set(), 0.0
        for process in [self.hub, *self.hub.children(recursive=True)]:
            try:
                if process.pid not in self.owner:
                    self.owner[process.pid] = process.environ().get("JUPYTERHUB_USER")
                share = pss_of(process.pid)
                one = self.learners.get(self.owner[process.pid])
                if one is None:
                    own += share
                    continue
                is_kernel = any("ipykernel" in part for part in process.cmdline())
                name = "kernel_rss" if is_kernel else "server_rss"
                rss = process.memory_info().rss / 2**20
                setattr(one, name, max(getattr(one, name), rss))
                one.cpu[process.pid] = sum(process.cpu_times()[:2])
                pss[one.name] = pss.get(one.name, 0.0) + share
                kernels |= {one.name} if is_kernel else set()
            except (psutil.Error, OSError):
                self.owner.pop(
                    process.pid, None
                )  # it has just ended, or is not yet what it will be
        for name, share in pss.items():
            one = self.learners[name]
            one.pss = max(one.pss, share)
            if name not in kernels and not one.plot:
                one.idle_pss = max(one.idle_pss, share)
        self.own, self.total = max(self.own, own), max(self.total, own + sum(pss.values()))


def pss_of(pid):
    """Return a process's proportional share of memory in MB (Linux)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1]) / 1024


def start_hub(folder, port):
    """Start the hub in a folder of its own; return the process when it answers."""
    environment = {**os.environ, "GENLAB_HUB": str(folder), "GENLAB_HUB_PASSWORD": PASSWORD}
    environment["GENLAB_HUB_ADDRESS"] = f"http://127.0.0.1:{port}"
    config, own = HERE / "jupyterhub_config.py", free_port()
    command = [sys.executable, "-m", "jupyterhub", "-f", str(config)]
    command += [
        f"--JupyterHub.hub_port={own}",
        f"--ConfigurableHTTPProxy.api_url=http://127.0.0.1:{free_port()}",
    ]
    log = (folder / "hub.log").open("w")
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    for _ in range(240):
        try:
            requests.get(f"http://127.0.0.1:{port}/hub/api", timeout=5).raise_for_status()
            return process
        except requests.RequestException:
            if process.poll() is not None:
                break
            time.sleep(0.5)
    stop(process)
    raise RuntimeError(f"the hub did not start:\n{(folder / 'hub.log').read_text()[-3000:]}")


def stop(process):
    """End the hub and whatever it started."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in psutil.wait_procs(family, timeout=20)[1]:
        left.kill()


def free_port():
    """Return a port of this machine that nobody listens on."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def attend(address, learner, path, together):
    """One learner's morning."""
    try:
        session = Session(address, learner.name)
        together.wait(PATIENCE)
        since = time.monotonic()
        session.start_server()
        learner.ready = time.monotonic() - since
        run_lesson(session, learner, path, since)
    except Exception as error:
        learner.errors.append(f"{type(error).__name__}: {error}")
        together.abort()


def measure(n, lesson, folder):
    """Return (learners, the watch) after a class of `n` has run a lesson at once."""
    port = free_port()
    hub = start_hub(folder, port)
    learners = [Learner(f"learner-{k:02d}") for k in range(1, n + 1)]
    watch, together = Watch(hub.pid, learners), threading.Barrier(n)
    try:
        watch.start()
        address, path = f"http://127.0.0.1:{port}", f"my/{lesson}.ipynb"
        threads = [
            threading.Thread(target=attend, args=(address, one, path, together), daemon=True)
            for one in learners
        ]
        for thread in threads:
            thread.start()
        end = time.monotonic() + PATIENCE
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        watch.sample()
    finally:
        watch.done.set()
        watch.join()
        stop(hub)
    for one in learners:
        saved = json.loads((folder / "learners" / one.name / path).read_text())
        if saved["metadata"].get("learner") != one.name:
            one.errors.append("the saved notebook is not theirs")
    return learners, watch


COLUMNS = {
    "start page, s": "ready",
    "first picture, s": "plot",
    "last cell, s": "last",
    "core-seconds": "work",
    "server, MB rss": "server_rss",
    "kernel, MB rss": "kernel_rss",
    "both, MB pss": "pss",
}


def report(learners, watch):
    """Return the lines of the table."""
    lines = [" | ".join(["", "learner", *COLUMNS, ""]).strip()]
    lines.append("|---" * (len(COLUMNS) + 1) + "|")
    rows = {one.name: [getattr(one, name) for name in COLUMNS.values()] for one in learners}
    rows["median"] = [statistics.median(column) for column in zip(*rows.values(), strict=True)]
    for name, values in rows.items():
        lines.append(f"| {name} | " + " | ".join(f"{value:.0f}" for value in values) + " |")
    idle = statistics.median(one.idle_pss for one in learners)
    lines += [
        "",
        f"{learners[0].cells} cells each; a server before its kernel {idle:.0f} MB pss; hub, proxy",
        f"and culler {watch.own:.0f} MB pss; everything together {watch.total:.0f} MB pss",
    ]
    return lines


def main():
    """Measure and print; exit with status 1 when anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", type=int, default=10, choices=range(1, 41), metavar="N")
    parser.add_argument("--lesson", default="01_four_paradigm_map")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hub-") as folder:
        before = os.getloadavg()[0]
        learners, watch = measure(asked.learners, asked.lesson, Path(folder))
        log = (Path(folder) / "hub.log").read_text()
    print("\n".join(report(learners, watch)))
    print(
        f"load average {before:.1f} before, {os.getloadavg()[0]:.1f} after; {os.cpu_count()} cores"
    )
    wrong = [f"{one.name}: {error}" for one in learners for error in one.errors]
    if wrong:
        print("\n".join(["", *wrong, log[-3000:]]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
