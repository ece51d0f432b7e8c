"""The speed-run: a few steps of it, and what the command says and refuses."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from genlab.core.weights import read_card
from genlab.train.fit import EMA
from genlab_course import speedrun
from genlab_course.cli import app


@pytest.fixture(autouse=True)
def single():
    torch.set_default_dtype(torch.float32)


def call(*arguments):
    return CliRunner().invoke(app, ["speedrun", *map(str, arguments)], env={"COLUMNS": "200"})


@pytest.mark.parametrize("letters", ["a", "ab"])
def test_the_command_trains_says_what_was_reached_and_writes_weights(tmp_path, letters):
    path = tmp_path / "run.safetensors"
    more = ["--report"] if letters == "ab" else []
    result = call("digits16", "--seconds", 0.5, "-n", 40, "--out", path, *more)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].endswith("steps in 0.5 processor-seconds")
    assert [line[:12] for line in lines[1:-1]] == [f"evaluator {x.upper()}:" for x in letters]
    card = read_card(path)
    assert card["steps"] == int(lines[0].split()[0]) >= 1
    for letter in letters:
        assert card["metrics"][letter]["frechet"] > card["metrics"][letter]["floor"] > 0
    edm = speedrun.untrained(speedrun.RECORD, 0)
    edm.load_state_dict(load_file(path))


def test_a_file_that_is_there_is_kept_unless_forced(tmp_path):
    (path := tmp_path / "run.safetensors").write_bytes(b"mine")
    result = call("digits16", "--seconds", 0.1, "-n", 40, "--out", path)
    assert (result.exit_code, path.read_bytes()) == (1, b"mine")
    assert "--force replaces it" in result.output
    assert call("digits16", "--seconds", 0.1, "-n", 40, "--out", path, "--force").exit_code == 0
    assert path.read_bytes() != b"mine"


def test_some_steps_on_two_threads_help_and_leave_averaged_weights(monkeypatch):
    ticks = SimpleNamespace(process_time=itertools.count().__next__)  # a step takes a second
    monkeypatch.setattr(speedrun, "time", ticks)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        edm = speedrun.untrained(speedrun.RECORD, 0)
        records = list(speedrun.run(edm, speedrun.RECORD, 0, 16))
    finally:
        torch.set_num_threads(before)
    losses = [record.loss for record, _ in records]
    assert [part for _, part in records] == [k / 16 for k in range(1, 17)]
    assert sum(losses[-3:]) < sum(losses[:3])
    assert not edm.training


def test_orthogonal_steps_are_for_what_lies_between_the_first_and_the_last_layer():
    net = speedrun.untrained(speedrun.RECORD, 0).net
    chosen = {id(p) for p in speedrun.kernels(net)}
    names = {name for name, p in net.named_parameters() if id(p) in chosen}
    assert {"down.0.conv_1.weight", "attention.to_qkv.weight", "up.1.shortcut.weight"} <= names
    assert not any(part in name for name in names for part in ("stem", "conv_out", "class", "bias"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["digits28"], "the only speed-run is digits16, got 'digits28'"),
        (["digits16", "--out", "run.pt"], "expected a path that ends in .safetensors, got run.pt"),
        (["digits16", "--out", "a.safetensors"], "a.safetensors is a folder"),
    ],
)
def test_what_cannot_be_done_is_said_before_the_first_step(tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.safetensors").mkdir()
    monkeypatch.setattr(speedrun, "run", lambda *_: pytest.fail("a step was taken"))
    result = call(*arguments)
    assert result.exit_code == 1
    assert says in " ".join(result.output.split())


def test_the_same_seed_begins_with_the_same_weights_and_another_does_not():
    a, b, c = (speedrun.untrained(speedrun.RECORD, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert not torch.equal(a["net.stem.weight"], c["net.stem.weight"])


def test_what_the_recipe_says_reaches_the_loop(monkeypatch):
    seen, clock = {}, iter([0, 1, 40, 75, 100])  # at the start and after each step, of 100 seconds

    class Steps(list):
        n_steps = step = 0

    monkeypatch.setattr(
        speedrun, "by_loss", lambda *_, **how: seen.update(how) or Steps([None] * 4)
    )
    monkeypatch.setattr(speedrun, "time", SimpleNamespace(process_time=clock.__next__))
    edm = speedrun.untrained(speedrun.RECORD, 0)
    steps = speedrun.run(edm, speedrun.RECORD, 5, 100)
    rates = [seen["plan"].lr(0) / 5e-3 for _ in steps]
    assert rates == pytest.approx([1 / 3, 1, 0.5, 0])  # rises in 3 %, falls in the last half
    assert (seen["plan"].average, seen["plan"].seed) == (0.998, 5)
    assert edm.levels.mean == -0.8
    assert type(seen["optimizer"]).__name__ == "Muon"


def test_the_weights_that_are_left_are_the_average(monkeypatch):
    copied, real = [], EMA.copy_to
    monkeypatch.setattr(EMA, "copy_to", lambda self, net: (copied.append(1), real(self, net)))
    clock = SimpleNamespace(process_time=itertools.count().__next__)
    monkeypatch.setattr(speedrun, "time", clock)
    list(speedrun.run(speedrun.untrained(speedrun.RECORD, 0), speedrun.RECORD, 0, 2))
    assert copied == [1]


@pytest.mark.parametrize(("letter", "mine", "other"), [("a", "val", "test"), ("b", "test", "val")])
def test_each_evaluator_has_a_part_of_its_own(monkeypatch, letter, mine, other):
    names, load = [], speedrun.load_model
    monkeypatch.setattr(speedrun, "load_model", lambda n, **k: names.append(n) or load(n, **k))
    same, far = (
        speedrun.judged(speedrun.load_mnist(part, 16).images[:60], letter) for part in (mine, other)
    )
    assert same["frechet"] == pytest.approx(0, abs=1e-6)
    assert far["frechet"] == pytest.approx(far["floor"], rel=1e-6)
    assert set(names) == {f"digit16_evaluator_{letter}"}


def test_every_class_is_drawn_alike(monkeypatch):
    asked, edm = [], speedrun.untrained(speedrun.RECORD, 0)

    def sample(n, cond, generator):
        asked.append(cond)
        return torch.zeros(n, 1, 16, 16)

    monkeypatch.setattr(edm, "sample", sample)
    speedrun.draw(edm, 120, 0)
    assert torch.cat(asked).bincount().tolist() == [12] * 10
