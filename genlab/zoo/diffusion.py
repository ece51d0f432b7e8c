"""Diffusion of the digits: a U-Net for all classes and for none (lesson 12)."""

from typing import Any

import torch
from torch import Generator, Tensor

from genlab.core.stats import bits_per_dim
from genlab.data.digits import EVENT_SHAPE, N_CLASSES, N_LEVELS, load_digits, to_unit
from genlab.metrics.features import load_classifier
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.diffusion import DDPM, Bins, linear_rate_betas
from genlab.score.guidance import drop_condition
from genlab.train import Run
from genlab.zoo.cards import SEED, Figures, digit_distance, draw_classes
from genlab.zoo.recipe import Plan, Recipe, by_loss
from genlab.zoo.sources import DIGITS, scaled_digits

NO_CLASS = N_CLASSES  # the label of an unconditional pass
GREY = Bins(width=2 / (N_LEVELS - 1), low=-1.0, high=1.0)  # where `to_unit` puts the levels


def digit_diffusion(T: int, first: float, last: float, width: int, mults: tuple[int, ...]) -> DDPM:
    """Noise prediction at steps 0..T-1 of a linear schedule; the network is told the class."""
    net = UNet(UNetConfig(width=width, mults=mults, n_classes=N_CLASSES))
    betas = linear_rate_betas(T, first=first, last=last)
    return DDPM(net, betas, event_shape=EVENT_SHAPE, conditional=True, bins=GREY)


def dropping(model: DDPM, x: Tensor, cond: Tensor, *, plan: Plan, p_drop: float) -> Run:
    """Train with a proportion `p_drop` of the labels replaced by `NO_CLASS` (arXiv:2207.12598)."""

    def change(batch: tuple[Tensor, Tensor], generator: Generator) -> tuple[Tensor, Tensor]:
        x, label = batch
        u = torch.rand(label.shape, generator=generator)
        return x, drop_condition(label, u, p_drop=p_drop, null=NO_CLASS)

    return by_loss(model, x, cond, plan=plan, change=change)


def conditional_bits(model: Any, images: Tensor, *, n_draws: int = 2) -> float:
    r"""Bits per dimension of images under "a class, then an image of it", a bound, mean over them.

    $$\log p(x) = \log\sum_c \tfrac1{10}\,p(x\mid c) \ge \mathrm{ELBO}(x\mid\hat c(x)) - \log 10$$

    for the guess $\hat c(x)$ of the metrics' classifier.
    """
    guess = load_classifier()(images).argmax(1)
    x = to_unit(images)
    generator = Generator().manual_seed(SEED)
    bounds = [model.elbo(x, cond=guess, generator=generator) for _ in range(n_draws)]
    nats = torch.stack(bounds).mean() - torch.tensor(float(N_CLASSES)).log()
    return float(bits_per_dim(-nats, images[0].numel()))


def _measure_chain(model: DDPM) -> Figures:
    bits = conditional_bits(model, load_digits("test").images)
    return {"bits_per_dim": bits, "kind": "bound", **digit_distance(draw_classes(model))}


RECIPES = (
    Recipe(
        "digit_diffusion", "diffusion of the digits: 100 steps, conditional and unconditional",
        lesson=12, seconds=20, seed=12,
        build=digit_diffusion,
        sizes={"T": 100, "first": 0.1, "last": 20.0, "width": 16, "mults": (1, 2)},
        data=scaled_digits, **DIGITS,
        plan=Plan(n_steps=600, batch_size=64, lr=5e-3, warmup=50, average=0.99),
        more={"p_drop": 0.1},
        loop=dropping, measure=_measure_chain, dtype=torch.float32,
    ),
)  # fmt: skip
