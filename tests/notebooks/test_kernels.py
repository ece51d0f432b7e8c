"""A forked kernel is what a fresh one is, is charged for its memory, and can be done without."""

import ast
import json
import signal
import threading
from contextlib import contextmanager

import pytest
from jupyter_client.manager import KernelManager

from tests.notebooks import kernels

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not kernels.Kitchen.CAN_BE, reason="a warm process needs /proc"),
]

FEW = ("ipykernel.kernelapp", "numpy.random")  # what a warm process needs to be one
SEEN = """
import os, signal, sys, threading
seen = {
    "arguments": [os.path.basename(argument) for argument in sys.argv[:-1]],
    "path": sys.path,
    "folder": os.getcwd(),
    "names": sorted(name for name in globals() if name[:2] == "__"),
    "variables": {k: v for k, v in os.environ.items() if k != "JPY_PARENT_PID"},
    "modules": [m for m in sys.modules if m.split(".")[0] in ("genlab", "ipywidgets", "tests")],
    "signals": [str(signal.getsignal(s)) for s in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM)],
    "leads": os.getpgid(0) == os.getpid(),
    "threads": sorted(type(thread).__name__ for thread in threading.enumerate()),
}
"""
OF_LIBRARIES = """
import matplotlib.pyplot as plt, torch
plt.plot([1, 2])
seen |= {
    "torch": [torch.get_num_threads(), torch.get_num_interop_threads()],
    "numbers": torch.manual_seed(0) and torch.rand(2).tolist(),
    "matplotlib": [plt.get_backend(), repr(plt.rcParams)],
}
"""
SLEEPS = """
import time
slept = time.perf_counter()
try:
    time.sleep(20)
except KeyboardInterrupt:
    slept -= time.perf_counter()
"""


@contextmanager
def kernel(folder, specs):
    """Yield the manager of a kernel, and a function that runs a cell and returns a value."""
    manager = KernelManager(kernel_spec_manager=specs)
    manager.start_kernel(cwd=str(folder), env=kernels.environment())
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)

    def value(code, expression):
        asked = {"value": f"__import__('json').dumps({expression})"}
        content = client.execute(code, user_expressions=asked, reply=True, timeout=60)["content"]
        assert content["status"] == "ok", content
        text = content["user_expressions"]["value"]["data"]["text/plain"]
        return json.loads(ast.literal_eval(text))

    try:
        yield manager, value
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # as make sets it: numpy starts the others


@pytest.fixture
def warm(monkeypatch):
    """Specifications of kernels that a process with few libraries forks."""
    monkeypatch.setattr(kernels.Kitchen, "one", kernels.Kitchen(*FEW))
    yield kernels.Warm()
    kernels.Kitchen.close()


def seen_by(specs, folder, code):
    """What a notebook sees in its kernel."""
    with kernel(folder, specs) as (manager, value):
        forked = isinstance(manager.provisioner.process, kernels.Forked)
        assert forked == isinstance(specs, kernels.Warm)
        return value(code, "seen")


def test_a_forked_kernel_shows_a_notebook_what_a_fresh_one_shows(warm, tmp_path):
    fresh = seen_by(kernels.CurrentInterpreter(), tmp_path, SEEN)
    assert fresh["folder"] == str(tmp_path)
    assert seen_by(warm, tmp_path, SEEN) == fresh


@pytest.mark.verify
def test_with_torch_and_matplotlib_imported_it_is_the_same_and_has_none_of_the_course(tmp_path):
    fresh = seen_by(kernels.CurrentInterpreter(), tmp_path, SEEN + OF_LIBRARIES)
    assert seen_by(kernels.Warm(), tmp_path, SEEN + OF_LIBRARIES) == fresh
    kernels.Kitchen.close()


@pytest.mark.verify
@pytest.mark.parametrize("libraries", [FEW, ()])
def test_siblings_that_set_no_seed_draw_different_numbers(libraries, tmp_path, monkeypatch):
    monkeypatch.setattr(kernels.Kitchen, "one", kernels.Kitchen(*libraries))
    draw = "import numpy as np, random, sys\ntorch = sys.modules.get('torch')"
    numbers = "[np.random.rand(), random.random(), torch.rand(1).item() if torch else 0]"
    with (
        kernel(tmp_path, kernels.Warm()) as (_, one),
        kernel(tmp_path, kernels.Warm()) as (_, other),
    ):
        drawn = one(draw, numbers), other(draw, numbers)
    kernels.Kitchen.close()
    same = [a == b for a, b in zip(*drawn, strict=True)]
    assert same == [False, False, libraries == FEW]


@pytest.mark.verify
def test_a_forked_kernel_is_charged_for_what_it_takes_and_for_what_it_was_given(warm, tmp_path):
    with kernel(tmp_path, warm) as (manager, value):
        process, kitchen = manager.provisioner.process, kernels.Kitchen.one.process
        before = kernels.peak_megabytes(process)
        assert before > kernels.peak_megabytes(kitchen) - 1
        value("import numpy as np; np.ones(25_000_000)", "0")  # 200 MB
        assert 190 < kernels.peak_megabytes(process) - before < 220


@pytest.mark.verify
def test_it_can_be_interrupted_and_ends_when_it_is_told_to(warm, tmp_path):
    with kernel(tmp_path, warm) as (manager, value):
        process = manager.provisioner.process
        threading.Timer(1, process.send_signal, [signal.SIGINT]).start()
        assert value(SLEEPS, "slept") > -15
        assert process.poll() is None
    assert process.poll() == 0


@pytest.mark.verify
def test_it_ends_with_the_process_that_asked_for_it(warm, tmp_path):
    with kernel(tmp_path, warm) as (manager, _):
        kernels.Kitchen.close()
        manager.provisioner.process.wait()


@pytest.mark.parametrize(
    "why", ["it has died", pytest.param("it has threads", marks=pytest.mark.verify)]
)
def test_where_the_warm_process_cannot_fork_a_fresh_kernel_is_started(why, warm, tmp_path):
    kitchen = kernels.Kitchen.one
    if why == "it has died":
        kitchen.process.kill()
        kitchen.process.wait()
    else:
        kitchen.can_fork = False
    with kernel(tmp_path, warm) as (manager, value):
        assert not isinstance(manager.provisioner.process, kernels.Forked)
        assert value("x = 1", "x + 1") == 2


@pytest.mark.verify
def test_a_process_with_several_threads_does_not_fork(tmp_path, monkeypatch):
    text = "import threading, time\nthreading.Thread(target=time.sleep, args=(2,)).start()\n"
    (tmp_path / "many.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    for name, can in (("json", True), ("many", False)):
        monkeypatch.setattr(kernels.Kitchen, "one", kernels.Kitchen(name))
        assert kernels.Kitchen.one.can_fork == can
        kernels.Kitchen.close()
