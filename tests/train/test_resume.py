"""A file that survives a kill, and a run that goes on from it."""

import itertools
import os
import signal
from contextlib import closing

import processes
import pytest
import torch
from torch import nn

import genlab.train.resume
from genlab.core.weights import replace_file
from genlab.train import Checkpoint, fit, minibatches, resumable

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
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "line.checkpoint", IDENTITY)


def test_without_a_file_a_run_starts_at_its_beginning(checkpoint):
    run, _ = start()
    assert checkpoint.restore(run) == 0
    assert run.step == 0


def test_a_caller_that_stops_leaves_a_checkpoint_of_its_last_step(checkpoint):
    run, model = start()
    with closing(resumable(run, checkpoint, every=1e9)) as steps:
        for record, _ in steps:
            if record.step == 4:
                break
    again, restored = start()
    checkpoint.restore(again)
    assert again.step == 4
    torch.testing.assert_close(restored.m, model.m, rtol=0, atol=0)


@pytest.mark.parametrize("stop", range(1, 6))
def test_steps_in_two_sittings_are_the_steps_of_one(checkpoint, stop):
    whole, expected = start()
    records = list(whole)
    run, _ = start()
    with closing(resumable(run, checkpoint, every=1e9)) as steps:
        first = [next(steps)[0] for _ in range(stop)]
    run, model = start()
    second = [record for record, _ in resumable(run, checkpoint)]
    assert first + second == records
    torch.testing.assert_close(model.m, expected.m, rtol=0, atol=0)


def test_an_error_inside_a_step_leaves_the_earlier_checkpoint(checkpoint):
    run, model = start()
    steps = resumable(run, checkpoint, every=0)
    next(steps), next(steps)  # the first step is written when the second is asked for
    model.loss = lambda x, *, generator: (x / 0).sum() * model.m.sum()
    with pytest.raises(FloatingPointError):
        next(steps)
    again, _ = start()
    checkpoint.restore(again)
    assert again.step == 2


def test_checkpoints_are_written_by_the_clock(checkpoint):
    times = iter(range(100))
    run, _ = start()
    written = []
    checkpoint.write = lambda run, seconds: written.append(run.step)
    list(resumable(run, checkpoint, every=6.0, clock=lambda: float(next(times))))
    assert written == [3, 6]  # the clock is read twice a step


def test_the_last_step_is_written_before_the_run_is_finished(checkpoint):
    """An average takes the weights' place when a run ends: what is written must come before."""
    finished = []
    run, _ = start()
    run._finish = lambda: finished.append(checkpoint.path.exists())
    list(resumable(run, checkpoint, every=1e9))
    assert finished == [True]
    again, _ = start()
    checkpoint.restore(again)
    assert again.step == 6


def full(*_):
    raise OSError(28, "No space left on device")


def test_a_checkpoint_that_cannot_be_written_warns_and_ends_nothing(checkpoint, monkeypatch):
    whole, expected = start()
    records = list(whole)
    monkeypatch.setattr("genlab.train.resume.replace_file", full)
    run, model = start()
    with pytest.warns(UserWarning, match=r"no checkpoint of step \d: .*No space left") as warned:
        seen = [record for record, _ in resumable(run, checkpoint, every=0)]
    assert (seen, len(warned)) == (records, 6)
    torch.testing.assert_close(model.m, expected.m, rtol=0, atol=0)


def test_a_caller_that_stops_is_told_when_that_place_cannot_be_kept(checkpoint, monkeypatch):
    monkeypatch.setattr("genlab.train.resume.replace_file", full)
    steps = resumable(start()[0], checkpoint)
    next(steps), next(steps)
    with pytest.raises(OSError, match=r"step 2 could not be kept .*No space left"):
        steps.close()


@pytest.mark.parametrize("every", [-1.0, float("nan")])
def test_a_time_between_checkpoints_that_is_none_is_refused(checkpoint, every):
    with pytest.raises(ValueError, match=f"at least 0 seconds, got {every}"):
        next(resumable(start()[0], checkpoint, every=every))


def test_the_seconds_of_all_sittings_are_added(checkpoint):
    clock = iter([0.0, 0.0, 100.0, 100.0]).__next__
    with closing(resumable(start()[0], checkpoint, clock=clock)) as steps:
        assert next(steps)[1] == 100.0
    clock = iter([500.0, 500.0, 507.0, 507.0]).__next__
    with closing(resumable(start()[0], checkpoint, clock=clock)) as steps:
        assert next(steps)[1] == 107.0


def test_only_the_first_process_writes(checkpoint):
    run, _ = start()
    list(resumable(run, checkpoint, every=0, writes=False))
    assert not checkpoint.path.exists()


@pytest.mark.parametrize("at", [3, 40, -1], ids=["digest", "inside", "end"])
def test_a_damaged_checkpoint_is_refused(checkpoint, at):
    run, _ = start()
    checkpoint.write(run, 1.0)
    data = bytearray(checkpoint.path.read_bytes())
    data[at] ^= 1
    checkpoint.path.write_bytes(data)
    with pytest.raises(ValueError, match=r"line\.checkpoint is damaged: delete it"):
        checkpoint.restore(run)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint"])
def test_a_file_that_is_no_checkpoint_is_refused(checkpoint, content):
    checkpoint.path.write_bytes(content)
    with pytest.raises(ValueError, match="is damaged"):
        checkpoint.restore(start()[0])


def test_a_folder_in_the_place_of_the_checkpoint_is_refused(checkpoint):
    checkpoint.path.mkdir()
    with pytest.raises(ValueError, match="is a folder, expected a checkpoint or nothing"):
        checkpoint.restore(start()[0])


def test_the_checkpoint_of_another_run_is_refused_and_kept(checkpoint):
    run, _ = start()
    checkpoint.write(run, 1.0)
    other = Checkpoint(checkpoint.path, {"name": "line", "n_steps": 9})
    with pytest.raises(ValueError, match="n_steps: 6 there, 9 here"):
        other.restore(run)
    assert checkpoint.path.exists()


def test_an_identity_may_hold_tuples_and_versions(tmp_path):
    run, _ = start()
    identity = {"mults": (1, 2), "torch": torch.__version__, "clip": None}
    Checkpoint(tmp_path / "a", identity).write(run, 1.0)
    assert Checkpoint(tmp_path / "a", identity).restore(run) == 1.0


def test_a_checkpoint_can_be_removed_twice(checkpoint):
    checkpoint.write(start()[0], 1.0)
    checkpoint.remove()
    checkpoint.remove()
    assert not checkpoint.path.exists()


def train_in_a_child(folder, kill_at, where):
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
        for record, _ in resumable(run, Checkpoint(folder / "a.checkpoint", {}), every=0):
            if where == "step" and record.step == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        torch.save(model.state_dict(), folder / "end.pt")

    return processes.wait(processes.start(train))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("where", ["step", "write"])
@pytest.mark.parametrize("kill_at", range(1, 6))
def test_a_process_killed_at_any_moment_loses_nothing(tmp_path, where, kill_at):
    run, model = start()
    list(run)
    assert train_in_a_child(tmp_path, kill_at, where) == -signal.SIGKILL
    assert not (tmp_path / "end.pt").exists()
    assert train_in_a_child(tmp_path, None, where) == 0
    weights = torch.load(tmp_path / "end.pt", weights_only=True)
    torch.testing.assert_close(weights["m"], model.m.detach(), rtol=0, atol=0)
