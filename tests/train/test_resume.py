"""A stored run goes on to the same bits, in another process and after any kill."""

import hashlib
import io
import itertools
import os
import signal

import processes
import pytest
import torch
from torch import nn

import genlab.train.resume
from genlab.files import replace_file
from genlab.train import fit, minibatches
from genlab.train.resume import restore, store

IDENTITY = {"name": "line", "n_steps": 6}


class Line(nn.Module):
    """Learns a mean from noisy data."""

    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.zeros(2))

    def loss(self, x, *, generator=None):
        return (x + torch.randn(x.shape, generator=generator) - self.m).square().sum(1).mean()


def start():
    """A new run, and its model."""
    noise, model = torch.Generator().manual_seed(2), Line()
    x = torch.randn(10, 2, generator=torch.Generator().manual_seed(3))
    batches = minibatches(x, 4, generator=noise)
    return fit(model, batches, n_steps=6, lr=0.1, generator=noise), model


@pytest.fixture
def path(tmp_path):
    return tmp_path / "line.checkpoint"


@pytest.mark.parametrize("at", [3, 40, -1], ids=["digest", "inside", "end"])
def test_a_damaged_checkpoint_is_refused(path, at):
    run, _ = start()
    store(run, path, IDENTITY, 1.0)
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"line\.checkpoint is damaged: delete it"):
        restore(run, path, IDENTITY)


@pytest.mark.parametrize(
    "state",
    [
        {"run": {}, "seconds": 1.0},
        {"identity": 3, "run": {}, "seconds": 1.0},
        {"identity": {}, "run": [], "seconds": 1.0},
        {"identity": {}, "run": {}, "seconds": "1"},
        [1, 2],
    ],
    ids=["no identity", "its type", "a run's type", "of seconds", "a list"],
)
def test_a_whole_checkpoint_of_another_layout_is_refused_in_a_sentence(path, state):
    run, _ = start()
    file = io.BytesIO()
    torch.save(state, file)
    path.write_bytes(hashlib.sha256(file.getvalue()).digest() + file.getvalue())
    with pytest.raises(ValueError, match=r"line\.checkpoint has another layout, .*: delete it to"):
        restore(run, path, IDENTITY)
    assert path.exists()


@pytest.mark.parametrize("part", ["step", "parts"])
def test_a_run_of_another_layout_is_refused_in_a_sentence(path, part):
    run, _ = start()
    store(run, path, IDENTITY, 1.0)
    state = torch.load(io.BytesIO(path.read_bytes()[32:]), weights_only=True)
    del state["run"][part]
    file = io.BytesIO()
    torch.save(state, file)
    path.write_bytes(hashlib.sha256(file.getvalue()).digest() + file.getvalue())
    with pytest.raises(ValueError, match=r"line\.checkpoint has another layout, .*: delete it to"):
        restore(run, path, IDENTITY)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"name": "line", "n_steps": 9}, "n_steps: 6 there, 9 here"),
        ({"name": "line"}, "n_steps: 6 there, None here"),
        (IDENTITY | {"seed": 1}, "seed: None there, 1 here"),
    ],
)
def test_the_checkpoint_of_another_run_is_refused_and_kept(path, other, said):
    run, _ = start()
    store(run, path, IDENTITY, 1.0)
    with pytest.raises(ValueError, match=said):
        restore(run, path, other)
    assert path.exists()


def train_in_a_child(path, kill_at, where):
    """Train in a process of its own, which may kill itself; return its exit status."""
    writes = itertools.count(1)

    def write_and_die(path, data):
        if next(writes) == kill_at:  # half of the new file is on the disk
            path.with_name(f".{path.name}.1").write_bytes(data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        replace_file(path, data)

    def train():
        torch.set_num_threads(1)
        if where == "write":
            genlab.train.resume.replace_file = write_and_die
        run, model = start()
        restore(run, path, {})
        for record in run:
            store(run, path, {}, 0.0)
            if where == "step" and record.step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        torch.save(model.state_dict(), path.with_suffix(".end"))

    return processes.wait(processes.start(train))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("where", ["step", "write"])
@pytest.mark.parametrize("kill_at", range(1, 6))
def test_a_process_killed_at_any_moment_loses_nothing(path, where, kill_at):
    run, model = start()
    list(run)
    assert train_in_a_child(path, kill_at, where) == -signal.SIGKILL
    assert not path.with_suffix(".end").exists()
    assert train_in_a_child(path, None, where) == 0
    weights = torch.load(path.with_suffix(".end"), weights_only=True)
    torch.testing.assert_close(weights["m"], model.m.detach(), rtol=0, atol=0)
