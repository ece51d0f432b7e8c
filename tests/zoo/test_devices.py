"""Every shipped model trains and draws on another device, with the numbers it has on the CPU."""

import copy
from typing import Any

import pytest
import torch
from elsewhere import GPU, Elsewhere

from genlab import cli
from genlab.cli import app
from genlab.core.tensors import drawn
from genlab.train import minibatches
from genlab.train.fit import fit
from genlab.zoo import find, recipes, train
from genlab.zoo.recipe import Recipe, seeded

QUICK = ("digit_vae", "digit_gan", "digit_ncsn")
SLOW = ("digit_transformer", "digit_flow", "digit_ebm", "digit_masked_diffusion")


def when(name: str) -> Any:
    """The others are tried by `make verify`."""
    return () if name in QUICK else pytest.mark.slow if name in SLOW else pytest.mark.verify


SHIPPED = [row for row in recipes() if row.ships]
EVERY_MODEL = [pytest.param(row, id=row.name, marks=when(row.name)) for row in SHIPPED]


def first(row: Recipe, model: Any) -> dict[str, float]:
    with seeded(row.seed):  # dropout draws from torch's global noise
        return next(row.train(model)).losses


@pytest.mark.parametrize("row", EVERY_MODEL)
def test_a_step_of_training_elsewhere_is_the_step_here(row: Recipe) -> None:
    here = first(row, row.untrained())
    with Elsewhere():
        there = first(row, row.untrained().to(GPU))
    assert there == pytest.approx(here, rel=1e-9)  # sums may be taken in another order


CAPTIONS = {
    "glide_base": ["a red seven"], "text_to_video": ["a red seven moving left"],
    "glide_upsampler": None, "glide_upsampler_plain": None,  # they are given small pictures
}  # fmt: skip


def sampled(model: Any, name: str, to: Any = "cpu") -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    if name.startswith("npe"):
        cond = torch.ones(1, model.x_mean.numel(), device=to)
        return model.sample(3, cond=cond, generator=generator)
    if name in CAPTIONS:
        return model.draw(CAPTIONS[name], generator=generator)
    return model.sample(2, generator=generator)


DRAWING = [
    p for p in EVERY_MODEL
    if hasattr(p.values[0].untrained(), "sample") or CAPTIONS.get(p.id)
]  # fmt: skip


@pytest.mark.parametrize("row", DRAWING)
def test_noise_of_the_cpu_gives_the_same_samples_elsewhere(row: Recipe) -> None:
    model = row.untrained().eval()
    here = sampled(copy.deepcopy(model), row.name)
    with Elsewhere():
        there = sampled(model.to(GPU), row.name, GPU)
        assert there.device == GPU
        torch.testing.assert_close(there.cpu(), here, rtol=1e-6, atol=1e-6)


def test_the_pretended_device_refuses_what_a_gpu_refuses() -> None:
    with Elsewhere():
        x, noise = torch.ones(3, device=GPU), torch.Generator().manual_seed(0)
        assert x.device == GPU
        assert (x + torch.ones(())).sum().item() == 6  # a number may come from the CPU
        with pytest.raises(RuntimeError, match="two devices"):
            x + torch.ones(3)
        with pytest.raises(RuntimeError, match="generator of the CPU"):
            torch.rand(3, device=GPU, generator=noise)
        with pytest.raises(RuntimeError, match="index"):
            torch.ones(3)[torch.zeros(2, dtype=torch.int64, device=GPU)]
        assert drawn(torch.rand, 3, device=GPU, generator=noise).device == GPU


LESSONS = ("digit", "text_trans", "mnist")
# On "meta" there are shapes and no values: what runs there waits for no number of the device.
VALUES_DECIDE = {"digit_ncsn": ("sample",), "digit_flow": ("loss", "sample")}  # a step, a mask


OF_LESSONS = [pytest.param(r, id=r.name) for r in SHIPPED if r.name.startswith(LESSONS)]


@pytest.mark.parametrize("row", OF_LESSONS)
def test_losses_and_samplers_of_the_lessons_run_without_values(row: Recipe) -> None:
    data = [x[:4].to("meta") for x in row.data()]
    model, noise = row.untrained().to("meta"), torch.Generator().manual_seed(0)
    waits = VALUES_DECIDE.get(row.name, ())
    if hasattr(model, "loss") and "loss" not in waits:
        cond = {} if len(data) == 1 else {"cond": data[1]}
        loss = model.loss(data[0], **cond, generator=noise)
        assert loss.shape == ()
        assert loss.is_meta
    if hasattr(model, "sample") and "sample" not in waits:
        assert model.sample(2, generator=noise).shape == (2, *model.event_shape)


def test_bfloat16_changes_the_loss_by_rounding_and_the_weights_stay_single() -> None:
    row, losses = find("digit_edm"), []
    torch.set_default_dtype(torch.float32)  # autocast leaves double precision as it is
    x, cond = row.data()
    for half in (False, True):
        noise = torch.Generator().manual_seed(0)
        batches = minibatches(x, 64, cond=cond, generator=noise)
        model = row.untrained()
        losses.append(next(fit(model, batches, n_steps=1, generator=noise, bfloat16=half)).loss)
        assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert losses[0] != losses[1] == pytest.approx(losses[0], rel=0.02)  # 8 bits: 0.4 % a number


def test_a_game_has_no_loss_to_compute_in_half_precision(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="digit_gan is not"):
        train.train(find("digit_gan"), tmp_path / "a.safetensors", n_steps=1, bfloat16=True)


@pytest.mark.parametrize(("cuda", "mps", "best"), [(1, 1, "cuda"), (0, 1, "mps"), (0, 0, "cpu")])
def test_auto_is_the_fastest_that_is_there(
    cuda: int, mps: int, best: str, monkeypatch: Any
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: bool(cuda))
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: bool(mps))
    assert cli._device("auto") == best


def test_a_device_that_is_not_there_is_named(tmp_path: Any) -> None:
    from typer.testing import CliRunner

    said = CliRunner().invoke(
        app, ["train", "digit_vae", "--device", "gpu", "--out", str(tmp_path)]
    )
    assert said.exit_code == 1
    assert "--device must be one of auto, cpu" in said.output
    assert "got gpu" in said.output


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.gpu
@pytest.mark.parametrize("row", EVERY_MODEL)
def test_a_step_on_a_gpu_is_the_step_here_up_to_rounding(row: Recipe) -> None:
    there = first(row, row.untrained().to("cuda"))
    assert there == pytest.approx(first(row, row.untrained()), rel=1e-3)
