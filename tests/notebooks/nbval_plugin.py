"""A pytest plugin that makes nbval compare numbers as numbers, and measures each notebook.

    python -m pytest -p tests.notebooks.nbval_plugin --nbval --nbval-current-env \\
        --nbval-sanitize-with tests/notebooks/sanitize.cfg notebooks

nbval runs every cell and compares its outputs as text. This plugin changes four things: numbers are
compared within a tolerance and `~` numbers not at all (compare.py); a trailing `;` silences a cell,
as it does for a reader; Output widgets, `clear_output` and updated displays leave what a front end
would have saved; and the kernel is this checkout's, with no network. Several notebooks have theirs
forked from a process that has imported torch (warm.py), unless `--fresh-kernels` is given. It adds
one test to each notebook, its memory budget, and prints a table of times and memory at the end. """

import os
import subprocess
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile

from tests.notebooks import kernels
from tests.notebooks.compare import Tolerant

pytest_plugins = ["nbval.plugin"]  # not loaded by itself, since its import is slow

SECONDS_BUDGET = 60
MEGABYTES_BUDGET = 900
MEASURED = "notebook measurements"  # the property that carries them from a worker to the reader

SEVERAL = 3  # notebooks from which on a warm process is worth its imports
WARM = pytest.StashKey[bool]()

PICTURES = ("image/gif", "image/webp", "application/vnd.genlab.figure+svg")  # nbval skips a PNG
CAPTURED = ("stream", "display_data", "execute_result", "clear_output", "update_display_data")
DISPLAYS = ("stream", "display_data", "execute_result", "error")


def saved_by_a_front_end(messages):
    """Return the messages of one cell as a front end would keep them.

    What an Output widget captures goes to the widget, not to the cell; `clear_output` removes what
    came before it (or waits for the next output); an updated display replaces the one with its id.
    """
    others, shown, capturing, pending_clear = [], [], set(), False
    for message in messages:
        kind, content = message["msg_type"], message["content"]
        if kind == "comm_msg":
            state = content.get("data", {}).get("state", {})
            if "msg_id" in state:
                (capturing.add if state["msg_id"] else capturing.discard)(content["comm_id"])
        elif capturing and kind in CAPTURED:
            continue
        elif kind == "clear_output":
            pending_clear = content.get("wait", False)
            if not pending_clear:
                shown = []
        elif kind == "update_display_data":
            _update(shown, content)
        elif kind in DISPLAYS:
            shown = [message] if pending_clear else [*shown, message]
            pending_clear = False
        else:
            others.append(message)
    *before, idle = others
    return [*before, *shown, idle]


def _update(shown, content):
    """Replace, in `shown`, the data of the displays that have the id of `content`."""
    wanted = content.get("transient", {}).get("display_id")
    for message in shown:
        old = message["content"]
        if wanted is not None and old.get("transient", {}).get("display_id") == wanted:
            old["data"], old["metadata"] = content["data"], content["metadata"]


class Kernel(RunningKernel):
    """An offline kernel of this checkout; it reads the messages of a cell to their end at once."""

    def __init__(self, folder, startup_timeout, warm):  # nbval's cannot pass an environment
        specs = kernels.Warm() if warm else kernels.CurrentInterpreter()
        self.km = KernelManager(kernel_spec_manager=specs)
        self.km.start_kernel(cwd=folder, env=kernels.environment(), stderr=subprocess.DEVNULL)
        self.kc = self.km.client()
        self.kc.start_channels()
        self.kc.wait_for_ready(timeout=startup_timeout)
        self._ensure_iopub_up()
        self.await_reply(self.kc.execute(kernels.STARTUP, silent=True), timeout=startup_timeout)
        self.cell_id, self.queue, self.idle_of = None, [], None

    @property
    def peak_megabytes(self):
        """Peak resident memory of the kernel so far in MB, or None where it cannot be read."""
        return kernels.peak_megabytes(self.km.provisioner.process)

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Run a cell with history, as a front end does: only then is a trailing `;` heeded."""
        self.queue = []
        self.cell_id = self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )
        return self.cell_id

    def get_cell_message(self, timeout):
        """Return the next message of the running cell that a front end would have kept."""
        if not self.queue:
            messages, idle = [], False
            while not idle:
                message = self.get_message("iopub", timeout=timeout)
                if message["parent_header"].get("msg_id") == self.cell_id:
                    messages.append(message)
                    idle = message["content"].get("execution_state") == "idle"
            self.idle_of = self.cell_id
            self.queue = saved_by_a_front_end(messages)
        return self.queue.pop(0)

    def await_idle(self, parent_id, timeout):
        """Wait until the kernel has finished `parent_id`; the end of a cell was read already."""
        if parent_id != getattr(self, "idle_of", None):
            super().await_idle(parent_id, timeout)


class Notebook(IPyNbFile):
    """A notebook whose cells are compared tolerantly and whose time and memory are measured."""

    start = None

    def setup(self):
        """Start the kernel in the notebook's own folder."""
        seconds = self.config.option.nbval_kernel_startup_timeout
        self.kernel = Kernel(str(self.path.parent), seconds, self.config.stash[WARM])
        self.skip_compare = (*self.skip_compare, *PICTURES)
        self.setup_sanitize_files()

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """Return the next message of the running cell."""
        return self.kernel.get_cell_message(timeout)

    def collect(self):
        """Yield a test for each code cell and one for the memory of them all."""
        for cell in super().collect():
            yield Cell.from_parent(
                self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell, options=cell.options
            )
        yield MemoryBudget.from_parent(self, name="memory budget")

    def measurements(self):
        """Return (notebook, seconds since its first cell began, peak memory in MB or None)."""
        name = os.path.relpath(self.path, self.config.rootpath)
        alive = self.kernel is not None and self.kernel.is_alive()
        return name, time.perf_counter() - self.start, self.kernel.peak_megabytes if alive else None


class Cell(IPyNbCell):
    """A code cell."""

    def sanitize(self, s):
        """Return `s` ready for comparison."""
        s = super().sanitize(s)
        return Tolerant(s) if isinstance(s, str) else s

    def runtest(self):
        """Run the cell, compare its outputs and note what the notebook has used so far."""
        self.parent.start = self.parent.start or time.perf_counter()
        try:
            super().runtest()
        finally:
            self.user_properties.append((MEASURED, self.parent.measurements()))


class MemoryBudget(pytest.Item):
    """The last test of a notebook: it has stayed within the memory of a small server."""

    def runtest(self):
        """Fail when the peak is over the budget."""
        kernel = self.parent.kernel
        peak = kernel.peak_megabytes if kernel.is_alive() else None
        if peak is not None and peak > MEGABYTES_BUDGET:
            pytest.fail(
                f"peak memory {peak:.0f} MB, over the budget of {MEGABYTES_BUDGET} MB",
                pytrace=False,
            )

    def reportinfo(self):
        """Return where the test stands and its title."""
        return self.path, 0, f"{self.parent.name}::memory budget"


class Table:
    """Gathers the measurements from all workers and prints them when the session ends."""

    def __init__(self):
        self.rows = {}

    def pytest_runtest_logreport(self, report):
        """Keep the longest time and the highest peak that a notebook's cells have reported."""
        for name, value in report.user_properties:
            if name == MEASURED:
                notebook, seconds, peak = value
                old_seconds, old_peak = self.rows.get(notebook, (0.0, None))
                known = [p for p in (old_peak, peak) if p is not None]
                self.rows[notebook] = max(old_seconds, seconds), max(known, default=None)

    def pytest_terminal_summary(self, terminalreporter):
        """Print one line a notebook."""
        if self.rows:
            terminalreporter.section("notebooks: time and memory")
            terminalreporter.write_line("\n".join(table_lines(self.rows)))


def table_lines(rows):
    """Return the lines of the table; `rows` maps a notebook to (seconds, peak MB or None)."""
    width = max(map(len, rows))
    lines = [f"{'notebook':<{width}}  seconds  budget  peak MB  budget"]
    for notebook, (seconds, peak) in sorted(rows.items()):
        memory = "n/a" if peak is None else f"{peak:.0f}"
        over = ["OVER TIME BUDGET"] * (seconds > SECONDS_BUDGET)
        over += ["OVER MEMORY BUDGET"] * ((peak or 0) > MEGABYTES_BUDGET)
        numbers = f"{seconds:>7.1f}  {SECONDS_BUDGET:>6}  {memory:>7}  {MEGABYTES_BUDGET:>6}"
        lines.append("  ".join([f"{notebook:<{width}}", numbers, *over]))
    return lines


def pytest_addoption(parser):
    """Add the option that imports everything anew for each notebook."""
    parser.addoption("--fresh-kernels", action="store_true", help="fork no kernel from a warm one")


def pytest_unconfigure():
    """End the warm process."""
    kernels.Kitchen.close()


def pytest_configure(config):
    """Print the table in the process that the reader sees, not in the workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table(), "notebook-table")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path, parent):
    """Replace nbval's collector of a notebook by ours."""
    nodes = yield
    return [
        Notebook.from_parent(parent, path=node.path) if type(node) is IPyNbFile else node
        for node in nodes
    ]


def pytest_collection_modifyitems(config, items):
    """Run the short notebooks last, so that no worker ends long before another."""
    several = len({item.path for item in items}) >= SEVERAL
    config.stash[WARM] = several and not config.option.fresh_kernels and kernels.Kitchen.CAN_BE
    items.sort(key=lambda item: "solutions" in item.path.parts)
