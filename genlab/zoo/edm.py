"""Diffusion in EDM's terms, of the digits and of MNIST; and the row with a dial (lesson 13)."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from genlab.core.tensors import last, randn
from genlab.data.digits import N_CLASSES, from_unit, load_mnist, to_unit
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.edm import EDM, LogNormal, edm_loss, edm_sample, edm_sigmas
from genlab.train import Run
from genlab.train.muon import Muon, inner
from genlab.zoo.cards import SEED, Draw, Figures, distances, in_single
from genlab.zoo.recipe import Plan, Recipe, by_loss
from genlab.zoo.sources import DIGITS, MNIST16, mnist_digest, scaled_digits

SIGMA_MIN, SIGMA_MAX = 0.02, 20.0  # a grey level is 0.125 wide; the digits' deviation is 0.75


def edm(
    size: int,
    width: int,
    mults: tuple[int, ...],
    sigma_data: float,
    p_drop: float,
    depth: int = 1,
    p_mean: float = -1.2,
) -> EDM:
    """A class-conditional U-Net in EDM's preconditioning (Karras et al. 2022, table 1)."""
    config = UNetConfig(
        width=width, mults=mults, n_block=depth, n_classes=N_CLASSES, time_scale=250.0
    )
    return EDM(
        UNet(config), event_shape=(1, size, size), sigma_data=sigma_data, null=N_CLASSES,
        p_drop=p_drop, p_mean=p_mean,
    )  # fmt: skip


def teacher_levels(n_passes: int) -> Float[Tensor, " s"]:
    """Noise levels of the teacher's sampler in steps of one pass, on the student's range."""
    levels = edm_sigmas(n_passes + 1, sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX)
    return torch.cat([levels[:n_passes], levels[-1:]])


def draw_teacher(model: EDM, n_passes: int) -> Draw:
    """Grey levels of every class alike, by Euler's method (DDIM) along the teacher's paths."""

    def draw(n: int, generator: Generator) -> Tensor:
        with torch.no_grad(), in_single(model) as teacher:
            sigmas = teacher_levels(n_passes)
            x_T = sigmas[0] * randn((n, *teacher.event_shape), generator=generator)
            denoiser = teacher.denoiser(torch.arange(n) % N_CLASSES)
            return from_unit(last(edm_sample(denoiser, x_T, sigmas, order=1)))

    return draw


def measure_teacher(model: EDM, who: str = "") -> Figures:
    """The distance by `draw_teacher` in 1, 2, 8 and 32 passes."""
    return distances(partial(draw_teacher, model), (1, 2, 8, 32), who)


def kernels(net: nn.Module) -> list[nn.Parameter]:
    """Matrices and kernels between hidden features: neither the first nor the last layer."""
    return inner(net, ("stem", "conv_out", "embed_class"))


def falling_late(
    model: EDM,
    x: Tensor,
    cond: Tensor,
    *,
    plan: Plan,
    betas: tuple[float, float],
    rise: float,
    fall: float,
) -> Run:
    """Train as the speed-run does: Muon, whose AdamW has `betas`, and a rate that falls late.

    It rises in the first part `rise` of the steps, and falls to nothing in the last part `fall`.
    """
    muon = Muon(kernels(model.net), model.parameters(), weight_decay=plan.weight_decay, betas=betas)
    n = plan.n_steps
    late = plan.scaled_by(lambda k: min(1.0, (k + 1) / (rise * n), (1 - k / n) / fall))
    late = replace(late, weight_decay=0.0)  # Muon has it
    return by_loss(model, x, cond, plan=late, optimizer=muon)


def _mnist(size: int) -> tuple[Tensor, Tensor]:
    images, labels = load_mnist("train", size)
    return to_unit(images, 255), labels


def _measure_mnist(model: EDM) -> Figures:
    """Held-out loss, and the proportion of samples that a classifier of real digits recognises."""
    from sklearn.svm import SVC

    images, labels = load_mnist("train", model.event_shape[-1])
    held_out, digits = load_mnist("test", model.event_shape[-1])

    def ink(x: Tensor) -> Any:
        return x.flatten(1).numpy() / 255

    classifier = SVC(C=10.0).fit(ink(images), labels.numpy())
    with torch.no_grad(), in_single(model) as edm:
        generator = Generator().manual_seed(SEED)
        x0 = to_unit(held_out, 255)
        # the paper's levels for every model, so that losses compare
        sigma = LogNormal().draw(len(x0), like=x0, generator=generator)
        eps = randn(x0.shape, like=x0, generator=generator)
        loss = edm_loss(edm.raw(digits), x0, sigma, eps, sigma_data=edm.sigma_data).mean()
    found: Figures = {
        "test_loss": loss.item(),
        "recognised_of_real": float(classifier.score(ink(held_out), digits.numpy())),
    }
    wanted = torch.arange(N_CLASSES).repeat(20)
    for w in (1.0, 2.0):
        noise = Generator().manual_seed(1)
        with in_single(model) as edm:
            x = edm.sample(len(wanted), cond=wanted, guidance_scale=w, generator=noise)
        seen = torch.as_tensor(classifier.predict(ink(from_unit(x, 255))))
        found[f"recognised_w{w:g}"] = (seen == wanted).double().mean().item()
    return found


TEACHER = Recipe(
    "digit_edm", "diffusion of the digits in EDM's terms: the teacher of digit_consistency",
    lesson=15, seconds=60, seed=15,
    build=edm,
    sizes={"size": 8, "width": 16, "mults": (1, 2), "sigma_data": 0.75, "p_drop": 0.1},
    data=scaled_digits, **DIGITS,
    plan=Plan(n_steps=2000, batch_size=64, lr=4e-3, warmup=100, clip=1.0, average=0.995),
    measure=measure_teacher,
)  # fmt: skip
LATE = Plan(n_steps=2000, batch_size=64, lr=5e-3, average=0.998)
SHAPE = {"betas": (0.9, 0.99), "rise": 0.03, "fall": 0.5}


PICTURES = Recipe(
    "mnist16_diffusion", "EDM of MNIST at 16 x 16, conditional: for pictures",
    lesson=13, seconds=310, seed=13,
    build=edm,
    sizes={"size": 16, "width": 24, "mults": (1, 2, 2), "sigma_data": 0.5, "p_drop": 0.1,
           "p_mean": -0.8},
    data=partial(_mnist, 16), **MNIST16,
    plan=LATE, more=SHAPE, loop=falling_late, measure=_measure_mnist,
)  # fmt: skip
MNIST28 = Recipe(
    "mnist28_diffusion", "EDM of MNIST at 28 x 28, conditional: for pictures",
    lesson=13, seconds=370, seed=13,
    build=edm,
    sizes={"size": 28, "width": 16, "mults": (1, 2, 3), "sigma_data": 0.62, "p_drop": 0.1,
           "p_mean": -0.8},
    data=partial(_mnist, 28), source=MNIST16["source"].replace("16", "28"),
    digest=partial(mnist_digest, 28),
    plan=replace(LATE, n_steps=1500), more=SHAPE, loop=falling_late, measure=_measure_mnist,
)  # fmt: skip


# A row in four sizes (docs/scale.md says why): from one to the next width, batch and steps double,
# and depth grows by one; the rate is 3e-3 (24 / width) sqrt(batch / 64).
DIAL: dict[str, dict[str, Any]] = {
    "S": {"width": 16, "depth": 1, "n_steps": 1000, "batch_size": 64, "lr": 4.5e-3,
          "warmup": 100, "average": 0.995},
    "M": {"width": 32, "depth": 2, "n_steps": 2000, "batch_size": 128, "lr": 3.2e-3,
          "warmup": 200, "average": 0.9975},
    "L": {"width": 64, "depth": 3, "n_steps": 4000, "batch_size": 256, "lr": 2.2e-3,
          "warmup": 400, "average": 0.99875},
    "XL": {"width": 128, "depth": 4, "n_steps": 8000, "batch_size": 512, "lr": 1.6e-3,
           "warmup": 800, "average": 0.999375},
}  # fmt: skip
DIGITS16 = replace(
    PICTURES, name="digits16", what="mnist16_diffusion in sizes S, M, L and XL; no weights ship",
    seconds=120, sizes=PICTURES.sizes | {"depth": 1, "p_mean": -1.2},
    plan=Plan(n_steps=1000, batch_size=64, lr=4.5e-3, clip=1.0), more={}, loop=by_loss, dial=DIAL,
    ships=False,
).at("S")  # fmt: skip
RECIPES = (PICTURES, MNIST28, TEACHER, DIGITS16)
