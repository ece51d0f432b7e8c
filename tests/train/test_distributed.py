"""Two processes follow the gradient of one: the same batch, the same noise, the same weights."""

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed.fsdp  # once, and not in every fork
from processes import start, wait
from safetensors.torch import load_file
from torch import Generator

from genlab.core.weights import read_card
from genlab.train import Hooks, distributed
from genlab.zoo import find
from genlab.zoo.train import train

pytest.importorskip("accelerate")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

SMALL = {"width": 8, "mults": (1,), "batch_size": 6, "n_steps": 4, "warmup": 2}
ROW = dataclasses.replace(
    find("digits16").but(**SMALL), measure=lambda model: {}, digest=lambda: "0", dtype=torch.float32
)
SHARDED = pytest.mark.parametrize("shard", [False, True], ids=["ddp", "fsdp2"])
ROUNDING = {"rtol": 1e-9, "atol": 1e-12}  # of sums in double precision, in another order


def together(work, n=2):
    """Fork `n` processes that do `work()` as one process group; return their numbers."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]

    def member(rank):
        os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n)}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        torch.set_num_threads(1)
        work()

    return [start(lambda rank=rank: member(rank)) for rank in range(n)]


def ended(pids):
    return [wait(pid) for pid in pids]


def gradients(place, shard):
    """Store loss and whole gradients of a step as every process has them."""
    distributed.SHARD = 0 if shard else distributed.SHARD
    group, model, noise = distributed.World("cpu"), ROW.untrained(), Generator().manual_seed(7)
    for p in model.parameters():  # outputs that start at 0 would hide most gradients
        p.data.add_(torch.linspace(-0.1, 0.1, p.numel()).reshape(p.shape))
    joined = group.fit_arguments(model)
    x, cond = (part[:6] for part in ROW.data())
    loss = joined.get("loss", model.loss)(x.double(), cond=cond, generator=noise)
    loss.backward()
    grads = joined.get("hooks", Hooks()).pack({n: p.grad for n, p in model.named_parameters()})
    torch.save({"loss": loss.item(), "noise": noise.get_state(), "grads": grads},
               place / f"{group.size}-{group.rank}")  # fmt: skip


@SHARDED
def test_the_gradient_of_two_processes_is_that_of_one(tmp_path, shard):
    gradients(tmp_path, False)
    assert ended(together(lambda: gradients(tmp_path, shard))) == [0, 0]
    alone = torch.load(tmp_path / "1-0")
    for rank in (0, 1):
        here = torch.load(tmp_path / f"2-{rank}")
        assert here["loss"] == pytest.approx(alone["loss"], rel=1e-12)
        assert torch.equal(here["noise"], alone["noise"])
        torch.testing.assert_close(here["grads"], alone["grads"], **ROUNDING)


def run(path, shard=False, slowly=0.0, seen=None):
    distributed.SHARD = 0 if shard else distributed.SHARD

    def watch(record, n_steps, seconds):
        time.sleep(slowly)
        if seen is not None:
            seen.append(record)

    return train(ROW, path, every=0, watch=watch)


@SHARDED
def test_a_training_by_two_ends_with_the_weights_of_one(tmp_path, shard):
    alone, together_, seen = tmp_path / "a.safetensors", tmp_path / "b" / "a.safetensors", []
    run(alone, seen=seen)

    def work():
        mine = []
        card = run(together_, shard, seen=mine)
        assert bool(card) == (os.environ["RANK"] == "0")
        for a, b in zip(mine, seen, strict=True):  # every process reports the whole batch
            assert a.loss == pytest.approx(b.loss, rel=1e-9)
            assert a.grad_norm == pytest.approx(b.grad_norm, rel=1e-9)

    assert ended(together(work)) == [0, 0]
    torch.testing.assert_close(load_file(together_), load_file(alone), rtol=1e-5, atol=1e-6)
    assert sorted(p.name for p in together_.parent.iterdir()) == ["a.json", "a.safetensors"]


@SHARDED
def test_killed_processes_go_on_where_they_were_and_end_with_the_same_bits(tmp_path, shard):
    whole, path = tmp_path / "whole" / "a.safetensors", tmp_path / "a.safetensors"
    pids = together(lambda: run(whole, shard))
    killed = together(lambda: run(path, shard, slowly=0.5))
    checkpoint = path.with_suffix(".checkpoint")
    end = time.monotonic() + 120
    while not checkpoint.exists():
        assert time.monotonic() < end, "two minutes without a checkpoint"
        time.sleep(0.02)
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert ended(killed) == [-signal.SIGKILL] * 2
    assert ended(pids) == [0, 0]
    assert not path.exists()

    def work():
        steps = []
        run(path, shard, seen=steps)
        assert steps[0].step > 1

    assert ended(together(work)) == [0, 0]
    assert read_card(path)["sha256"] == read_card(whole)["sha256"]


def test_one_process_that_is_told_to_stop_stops_all(tmp_path):
    path = tmp_path / "a.safetensors"

    def work():
        told = lambda record, *_: os.environ["RANK"] == "1" and record.step == 2
        assert train(ROW, path, watch=told) is None

    assert ended(together(work)) == [0, 0]
    assert path.with_suffix(".checkpoint").exists()


def test_a_checkpoint_that_only_one_process_sees_is_refused():
    def work():
        with pytest.raises(ValueError, match="must be a shared folder"):
            distributed.World("cpu").same(float(os.environ["RANK"]))

    assert ended(together(work)) == [0, 0]


def test_weights_and_average_are_divided_between_the_processes():
    def work():
        distributed.SHARD = 0
        model = ROW.untrained()
        average = distributed.World("cpu").fit_arguments(model, 0.9)["average"].average
        for net in (model, average):
            parts = [w.to_local().numel() for w in net.parameters()]
            # a half, and a little more: rows that cannot be halved go to the first
            assert sum(parts) < 0.6 * sum(w.numel() for w in net.parameters())

    assert ended(together(work)) == [0, 0]


def test_a_batch_without_equal_parts_and_noise_of_another_kind_are_refused():
    with (
        distributed.LocalRows(slice(2, 4), 4),
        pytest.raises(ValueError, match="the noise of multinomial"),
    ):
        torch.multinomial(torch.ones(3), 1, generator=Generator())
    with distributed.LocalRows(slice(2, 4), 4):
        a = torch.randint(9, (2, 3), generator=Generator().manual_seed(0))
        b = torch.rand(2, generator=Generator().manual_seed(0))
        c = torch.rand((), generator=Generator().manual_seed(0))
    assert torch.equal(a, torch.randint(9, (4, 3), generator=Generator().manual_seed(0))[2:])
    assert torch.equal(b, torch.rand(4, generator=Generator().manual_seed(0))[2:])
    assert torch.equal(c, torch.rand((), generator=Generator().manual_seed(0)))

    def work():
        with pytest.raises(ValueError, match="6 examples cannot form 4 equal parts"):
            gradients(Path(), False)

    assert ended(together(work, 4)) == [0] * 4


def test_several_processes_without_accelerate_are_told_what_is_missing(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(ValueError, match=r"pip install 'genlab\[scale\]'"):
        distributed.World("cpu")


def test_one_process_imports_nothing_for_several():
    program = (
        "import sys; from genlab.train.distributed import World\n"
        "assert World('cpu').fit_arguments(None) == {}\n"
        "print([m for m in ('accelerate', 'torch.distributed.fsdp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


PROGRAM = """
import os
from genlab.zoo.recipe import Recipe
from genlab.cli import app
Recipe.figures = lambda *_: {"processes": int(os.environ["WORLD_SIZE"])}
app()
"""
LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--nproc-per-node", "2"],
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"],
}


@pytest.mark.verify
@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_both_launchers_train_from_the_command_line(tmp_path, launcher):
    (script := tmp_path / "program.py").write_text(PROGRAM)
    call = [sys.executable, "-m", *LAUNCHERS[launcher], str(script), "train"]
    options = ["--size", "S", "--steps", "2", "--out", str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*call, "digits16", *options], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("wrote") == 1
    assert "processes 2" in done.stdout
    assert sorted(p.suffix for p in (tmp_path / "out").iterdir()) == [".json", ".safetensors"]
    refused = subprocess.run(
        [*call, "digit_gan", *options[2:]], capture_output=True, text=True, env=environment
    )
    assert refused.returncode != 0
    assert "one process trains it" in refused.stderr
