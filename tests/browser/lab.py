"""A JupyterLab of our own on loopback, and a headless Chromium that drives it."""

import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from genlab_course.widgets import living

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("GENLAB_CHROMIUM", "/usr/bin/chromium"))
FLAGS = [
    "--no-sandbox",  # the sandbox needs rights that a container rarely gives
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SETTINGS = {
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # every cell in the page
    "@jupyterlab/docmanager-extension/plugin": {"autosaveInterval": 4},
}
WORDS = {"later", "quiz", "clinic", "release_reader", "watch"}  # without a picture that one moves
TWO_FRAMES = """() => new Promise((done) =>  // observers of sizes are told at the end of the first
    requestAnimationFrame(() => requestAnimationFrame(done)))"""
LOCAL = ("http://127.0.0.1", "ws://127.0.0.1", "data:", "blob:")


def draws(code):
    """Whether some code shows a widget whose kernel draws (others: tests/browser/living)."""
    called = set(re.findall(r"\bwidgets\.(\w+)\(", code))
    return bool(called - WORDS - {*living.NAMES, living.STAGE})


def _free_port():
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """The address of a running JupyterLab, and its notebooks' kernels."""

    def __init__(self, port, token, root):
        self.url, self.token, self.root = f"http://127.0.0.1:{port}", token, root

    def ask(self, path, method="GET"):
        """Send one request to the server's own interface; return its answer."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.url}/api/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def stop_kernels(self):
        """End the kernel of every notebook that is open."""
        for session in self.ask("sessions"):
            self.ask(f"sessions/{session['id']}", "DELETE")


@contextmanager
def server(folder):
    """Run `make lab` in `folder`, with a copy of the notebooks beside the learner's copies."""
    root = folder / "root"
    shutil.copytree(ROOT / "notebooks", root / "notebooks")
    shutil.copytree(ROOT / "docs" / "images", root / "docs" / "images")
    for name in ("pyproject.toml", "requirements.lock"):  # what the target depends on
        shutil.copy(ROOT / name, root)
    (root / ".venv").symlink_to(sys.prefix)
    for name, value in SETTINGS.items():
        path = folder / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    places = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "IPYTHONDIR": "ipython",
        "GENLAB_MY": "root/my",
    }
    environment = {**os.environ, **{k: str(folder / v) for k, v in places.items()}}
    environment["PYTHONPATH"] = str(ROOT)
    environment.pop("JUPYTERLAB_WORKSPACES_DIR", None)  # `genlab lab` sets it
    running = Server(_free_port(), secrets.token_hex(16), root)
    arguments = (
        f"--no-browser --ip=127.0.0.1 --port={running.url.rpartition(':')[2]} "
        f"--ServerApp.port_retries=0 --IdentityProvider.token={running.token} "
        "--LabApp.expose_app_in_browser=True"
    )
    # The environment is there already: -o says that its stamp is not to be renewed.
    makefile, stamp = str(ROOT / "Makefile"), ".venv/.lab"
    command = ["make", "-f", makefile, "-o", stamp, "lab", f"LAB_ARGS={arguments}"]
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until_up(lambda: running.ask("status"), process, folder / "server.log")
        yield running
        running.stop_kernels()
    finally:
        _end(process)


def _end(process):
    """End make and what it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_up(ask, process, log, seconds=120):
    """Wait until the server answers what `ask` asks; raise with its log when it does not."""
    for _ in range(4 * seconds):
        try:
            return ask()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.25)
    raise RuntimeError(f"The server did not start:\n{log.read_text()}")


class Window:
    """A page of the browser with pictures and their controls; keeps what went wrong in it."""

    def __init__(self, page):
        self.page, self.outside, self.errors = page, [], []
        page.on("request", lambda r: r.url.startswith(LOCAL) or self.outside.append(r.url))
        page.on("console", lambda m: m.type == "error" and self.errors.append(m.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def maths(self):
        """Return (number of rendered formulas, number of those that MathJax could not read)."""
        locate = self.page.locator
        return locate("mjx-container").count(), locate(
            "mjx-merror, mjx-container [data-mjx-error]"
        ).count()

    def controls(self):
        """Return the names of the controls that have a picture, sliders before drop-downs."""
        return self.page.evaluate(FIND_CONTROLS)

    def watch(self, k):
        """Focus control k of `controls()` and watch its picture."""
        self.page.evaluate(WATCH_CONTROL, k)

    def put_back(self):
        """Choose again what a drop-down showed before: one choice can leave another no effect."""
        if self.page.evaluate(PUT_BACK):
            self.page.wait_for_timeout(500)

    def picture(self):
        """Return a digest of the picture that the watched control moves."""
        return self.page.evaluate(DIGEST)

    def press(self, key=None):
        """Move the watched control by `key`, by one step if there is none given.

        Return the ms to a new picture, or None.
        """
        from playwright.sync_api import TimeoutError  # not the built-in one

        step = self.page.evaluate(NEXT_MOVE)
        key = step and (key or step)
        if key:  # a drop-down has moved itself: headless Chromium opens its list on a key
            self.page.keyboard.press(key)
        try:
            self.page.wait_for_function(A_NEW_PICTURE, timeout=3000, polling=10)
        except TimeoutError:
            return None
        return self.page.evaluate(DELAY)


class Lesson(Window):
    """One notebook open in a page of the browser."""

    def __init__(self, page, running, path):
        super().__init__(page)
        workspace = f"{Path(path).stem}-{secrets.token_hex(4)}"  # a new one opens nothing else
        page.goto(f"{running.url}/lab/workspaces/{workspace}/tree/{path}?token={running.token}")
        page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=60_000)
        page.wait_for_function(KERNEL_IS_IDLE, timeout=60_000, polling=200)

    def run_all(self, seconds=240):
        """Run every cell through the menu, as a reader does, and wait for the last one."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.locator(".lm-Menu-itemLabel", has_text="Run All Cells").first.click()
        self.page.wait_for_function(ALL_CELLS_HAVE_RUN, timeout=1000 * seconds, polling=500)
        self.page.wait_for_timeout(500)  # the last maths and pictures are still being drawn

    def cell_errors(self):
        """Return the errors that cells show, as `NAME: message`."""
        return self.page.evaluate(CELL_ERRORS)

    def prose(self):
        """Return the text of the rendered Markdown cells as a reader sees it."""
        return "\n".join(self.page.locator(".jp-RenderedMarkdown").all_inner_texts())

    def answer_quiz(self):
        """Click the first option of every question; return (questions, explanations shown)."""
        cards = self.page.locator(".widget-vbox:has(> .widget-hbox .widget-toggle-button)")
        for k in range(cards.count()):
            cards.nth(k).locator(".widget-toggle-button").first.click()
        for _ in range(40):  # the kernel writes the explanations
            answered = ["Right." in t or "Not this one." in t for t in cards.all_inner_texts()]
            if all(answered):
                break
            self.page.wait_for_timeout(250)
        return len(answered), sum(answered)


KERNEL_IS_IDLE = """() => {
    const panel = window.jupyterapp?.shell.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return kernel?.status === 'idle' && kernel.connectionStatus === 'connected';
}"""

ALL_CELLS_HAVE_RUN = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const code = panel.content.widgets.filter(
        cell => cell.model.type === 'code' && cell.model.sharedModel.getSource().trim());
    const done = cell => cell.model.executionCount !== null
        && !cell.inputArea.promptNode.textContent.includes('*');
    return panel.sessionContext.session?.kernel?.status === 'idle' && code.every(done);
}"""

RUN_A_CELL = """async code => {
    const {commands, shell} = window.jupyterapp;
    await commands.execute('notebook:insert-cell-below');
    const cell = shell.currentWidget.content.activeCell;
    cell.model.sharedModel.setSource(code);
    await commands.execute('notebook:run-cell');
    return cell.model.outputs.toJSON().map(output => output.text ?? '').join('');
}"""

CELL_ERRORS = """() => window.jupyterapp.shell.currentWidget.content.widgets
    .filter(cell => cell.model.type === 'code')
    .flatMap(cell => cell.model.outputs.toJSON())
    .filter(output => output.output_type === 'error')
    .map(output => `${output.ename}: ${output.evalue}`)"""

# Every control with the picture in the smallest box around both; drop-downs come last.
FIND_CONTROLS = """() => {
    const sliders = document.querySelectorAll('.noUi-handle');
    const menus = document.querySelectorAll('.widget-dropdown select');
    window.controls = [];
    for (const control of [...sliders, ...menus]) {
        let box = control.parentElement;
        while (box && !box.classList.contains('jp-OutputArea-output')) {
            const picture = box.querySelector('img');
            if (picture) {
                const row = control.closest('.widget-inline-hbox');
                const name = row?.querySelector('.widget-label')?.textContent ?? '?';
                window.controls.push({control, picture, name});
                break;
            }
            box = box.parentElement;
        }
    }
    return window.controls.map(found => found.name);
}"""

# The time from a key (or a choice) to a new picture.
WATCH_CONTROL = """k => {
    const {control, picture} = window.controls[k];
    window.genlab?.observer.disconnect();
    const observer = new MutationObserver(() => {
        window.genlab.drawn ??= performance.now();
    });
    const first = control.selectedIndex;
    window.genlab = {control, picture, observer, first, pressed: null, drawn: null};
    control.scrollIntoView({block: 'center'});
    control.focus();
    control.addEventListener('keydown', () => {
        window.genlab.pressed = performance.now();
        window.genlab.drawn = null;
    }, true);
    observer.observe(picture, {attributes: true, attributeFilter: ['src']});
}"""

PUT_BACK = """() => {
    const {control, first} = window.genlab;
    if (control.tagName !== 'SELECT') return false;
    control.selectedIndex = first;
    control.dispatchEvent(new Event('change', {bubbles: true}));
    return true;
}"""

# Or a slider that stands at its end already, which moves nothing.
A_NEW_PICTURE = """() => {
    const {control, drawn, pressed, before} = window.genlab;
    const stays = before !== null && control.getAttribute('aria-valuenow') === before;
    return drawn !== null || (stays && pressed !== null && performance.now() - pressed > 500);
}"""

DELAY = """() => {
    const {drawn, pressed} = window.genlab;
    return drawn === null ? null : drawn - pressed;
}"""

NEXT_MOVE = """() => {
    const control = window.genlab.control;
    window.genlab.drawn = null;
    window.genlab.before = control.getAttribute('aria-valuenow');
    if (control.tagName === 'SELECT') {
        window.genlab.pressed = performance.now();
        control.selectedIndex = (control.selectedIndex + 1) % control.options.length;
        control.dispatchEvent(new Event('change', {bubbles: true}));
        return null;
    }
    const value = name => parseFloat(control.getAttribute(name));
    return value('aria-valuenow') < value('aria-valuemax') ? 'ArrowRight' : 'ArrowLeft';
}"""

DIGEST = """async () => {
    const bytes = await (await fetch(window.genlab.picture.src)).arrayBuffer();
    const hash = await crypto.subtle.digest('SHA-256', bytes);
    return Array.from(new Uint8Array(hash)).map(b => b.toString(16).padStart(2, '0')).join('');
}"""
