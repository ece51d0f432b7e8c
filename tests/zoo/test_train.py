"""A row becomes a file with its card, whatever stops the process on the way."""

import dataclasses
import io

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from genlab.core.weights import read_card
from genlab.zoo import MODULES, NAMES, find
from genlab.zoo.recipe import Plan, Recipe, by_loss
from genlab.zoo.train import train


class Line(nn.Module):
    """Learns a mean from noisy data."""

    def __init__(self, dropout):
        super().__init__()
        self.m, self.dropout = nn.Parameter(torch.rand(2)), dropout

    def loss(self, x, *, generator=None):
        noise = torch.randn(x.shape, dtype=self.m.dtype, generator=generator)
        kept = nn.functional.dropout(x + noise, self.dropout)
        return (kept - self.m).square().sum(1).mean()


LINE = Recipe(
    "line",
    "a mean",
    lesson=1,
    seconds=1,
    seed=3,
    build=Line,
    sizes={"dropout": 0.3},
    data=lambda: (torch.arange(20.0).reshape(10, 2),),
    source="ten points",
    digest=lambda: "0123",
    plan=Plan(n_steps=8, batch_size=4, lr=0.1),
    measure=lambda model: {"m": float(model.m[0]), "dtype": str(model.m.dtype)},
    dtype=torch.float32,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "line.safetensors"


def stop_at(step):
    return lambda record, n_steps, seconds: record.step == step


def test_the_card_says_all_that_a_reader_must_know_and_the_model_can_be_loaded(path):
    with pytest.raises(FileNotFoundError, match=r"`genlab train line --force --out .*` writes it"):
        LINE.load(path)
    card = train(LINE, path)
    assert card == read_card(path)
    assert card["recipe"] == "genlab train line"
    assert card["settings"] == {"dropout": 0.3, "n_steps": 8, "batch_size": 4, "lr": 0.1, "seed": 3}
    assert (card["seed"], card["data"], card["data_sha256"]) == (3, "ten points", "0123")
    model = LINE.load(path)
    assert card["metrics"] == {"m": float(model.m[0].detach()), "dtype": "torch.float64"}
    assert not model.training
    assert not model.m.requires_grad
    assert LINE.load(path, dtype=torch.float32).m.dtype == load_file(path)["m"].dtype


@pytest.mark.parametrize(
    ("how", "command"),
    [
        ({"bfloat16": True}, "genlab train line --bfloat16"),
        ({"n_steps": 3, "bfloat16": True}, "genlab train line --steps 3 --bfloat16"),
    ],
)
def test_the_command_on_a_card_has_every_option_that_changed_the_training(how, command, path):
    assert train(LINE, path, **how)["recipe"] == command


def test_a_file_in_half_precision_says_what_the_rounding_costs(path):
    half = dataclasses.replace(LINE, dtype=torch.float16)
    card = train(half, path)
    in_file = load_file(path)["m"]
    assert in_file.dtype == torch.float16
    assert card["metrics"]["m"] == float(in_file[0])
    assert card["metrics_in_float32"]["m"] == pytest.approx(card["metrics"]["m"], rel=2**-11)
    assert card["metrics_in_float32"]["m"] != card["metrics"]["m"]


def test_a_file_that_is_there_is_never_replaced_unasked(path):
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="--force replaces it, --out names another place"):
        train(LINE, path)
    assert path.read_text() == "mine"
    train(LINE, path, force=True)
    assert LINE.load(path).m.shape == (2,)


def test_a_stopped_training_writes_no_weights_and_goes_on_where_it_was(path, tmp_path):
    whole = train(LINE, tmp_path / "whole" / "line.safetensors")
    assert train(LINE, path, watch=stop_at(3)) is None
    assert not path.exists()
    seen = []
    card = train(LINE, path, watch=lambda record, n, seconds: seen.append((record.step, n)))
    assert seen == [(step, 8) for step in range(4, 9)]
    assert card["sha256"] == whole["sha256"]


def test_a_process_alone_keeps_its_run_whatever_rank_the_environment_says(path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert train(LINE, path, watch=stop_at(2)) is None
    assert path.with_suffix(".checkpoint").exists()


def test_weights_whose_card_a_kill_prevented_are_made_again(path, tmp_path):
    """The checkpoint beside them tells that they are nobody's own."""
    whole = train(LINE, tmp_path / "whole" / "line.safetensors")
    assert train(LINE, path, watch=stop_at(8)) is None
    path.write_bytes(b"half of a pair")
    assert train(LINE, path)["sha256"] == whole["sha256"]
    assert sorted(p.suffix for p in path.parent.glob("line.*")) == [".json", ".safetensors"]
    path.with_suffix(".json").unlink()
    with pytest.raises(FileExistsError):
        train(LINE, path)


def never(*_):
    raise AssertionError("a step was taken")


@pytest.mark.parametrize("force", [False, True])
def test_a_place_that_cannot_be_written_is_found_before_the_first_step(tmp_path, force):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(NotADirectoryError, match="file is a file"):
        train(LINE, tmp_path / "file" / "line.safetensors", force=force, watch=never)
    with pytest.raises(IsADirectoryError, match="is a folder"):
        train(LINE, tmp_path / "folder.safetensors", force=force, watch=never)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_disk_without_room_is_found_before_the_first_step(path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, data):
            if len(data) >= 8:  # two weights in single precision
                raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda dir: Full())
    with pytest.raises(OSError, match="No space left on device"):
        train(LINE, path, watch=never)


def test_a_result_that_cannot_be_written_is_kept_in_the_checkpoint(path, monkeypatch):
    whole = train(LINE, path.with_name("whole.safetensors"))

    with monkeypatch.context() as patch:
        patch.setattr("genlab.zoo.train.save_weights", full)
        with pytest.raises(OSError, match=r"No space left.*goes on from its last checkpoint"):
            train(LINE, path)
    assert not path.exists()
    assert not path.with_suffix(".json").exists()
    assert train(LINE, path, watch=never)["sha256"] == whole["sha256"]


@pytest.mark.parametrize(
    "other",
    [LINE.but(seed=4), dataclasses.replace(LINE, digest=lambda: "4567")],
    ids=["seed", "data"],
)
def test_a_checkpoint_of_another_row_is_refused(path, other):
    train(LINE, path, watch=stop_at(3))
    with pytest.raises(ValueError, match="belongs to another run"):
        train(other, path)


def test_the_global_noise_neither_matters_nor_changes(path, tmp_path):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = train(LINE, path)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    second = train(LINE, tmp_path / "b.safetensors")
    assert first["sha256"] == second["sha256"]


def quick(name):
    """A row of the zoo whose figures cost nothing."""
    row = find(name).but()  # a plain row, also of a stand-in
    return dataclasses.replace(row, measure=lambda model: {}, dtype=torch.float32)


LABS = (
    "npe", "language_model", "latent_diffusion", "glide", "stylegan", "text_to_video",
    "language_and_image",
)  # fmt: skip
# Small ones of the labs end alike in test_recipe.py by day.
BY_NIGHT = {name for lab in LABS for name in MODULES[lab]} - {"npe_linear_gaussian"}
BY_NIGHT |= {"mnist28_diffusion"}  # the loop of mnist16_diffusion


def when(name):
    """A marked name: the dear ones wait for `make verify`."""
    return pytest.param(name, marks=[pytest.mark.verify] * (name in BY_NIGHT))


@pytest.mark.parametrize("name", [when(name) for name in NAMES if name != "digits16"])
def test_every_training_ends_alike_in_one_sitting_and_in_three(tmp_path, name):
    torch.set_default_dtype(torch.float32)  # as `genlab train` runs, and twice as fast
    whole = train(quick(name), tmp_path / "whole.safetensors", n_steps=4)
    path = tmp_path / "pieces.safetensors"
    assert train(quick(name), path, n_steps=4, watch=stop_at(1)) is None
    torch.manual_seed(99)
    assert train(quick(name), path, n_steps=4, watch=stop_at(3)) is None
    assert train(quick(name), path, n_steps=4)["sha256"] == whole["sha256"]


def test_weights_come_from_the_seed_of_the_row_and_leave_the_global_noise_alone():
    before = torch.get_rng_state()
    a, b, c = LINE.untrained(), LINE.untrained(), LINE.but(seed=4).untrained()
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(a.m, b.m)
    assert not torch.equal(a.m, c.m)


def test_what_a_change_draws_comes_from_the_generator_of_the_order():
    seen = []

    def change(batch, generator):
        seen.append((batch[:, 0].tolist(), torch.rand((), generator=generator).item()))
        return batch

    for _ in range(2):
        plan = Plan(n_steps=3, batch_size=4, lr=0.1, seed=3, warmup=10)
        list(by_loss(Line(0.0), *LINE.data(), plan=plan, change=change))
    assert seen[:3] == seen[3:]
    assert len({draw for _, draw in seen}) == 3


def full(*_, **__):
    raise OSError(28, "No space left on device")


def test_a_checkpoint_that_cannot_be_written_warns_and_ends_nothing(path, monkeypatch):
    whole = train(LINE, path.with_name("whole.safetensors"))
    monkeypatch.setattr("genlab.train.resume.replace_file", full)
    with pytest.warns(UserWarning, match=r"no checkpoint of step \d: .*No space") as warned:
        card = train(LINE, path, every=0)
    assert (card["sha256"], len(warned)) == (whole["sha256"], 1)  # not one a step
    with pytest.raises(OSError, match=r"step 2 could not be kept .*No space left"):
        train(LINE, path, force=True, watch=stop_at(2))
