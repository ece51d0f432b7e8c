"""Classifiers that only compare: the metrics' feature network, and two frozen evaluators.

The evaluators are of 16 x 16 MNIST digits: recipes are tuned by A, and reported by B.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.data.digits import load_digits, load_mnist
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import DigitClassifier
from genlab.train import Hooks, Run
from genlab.zoo.cards import Figures
from genlab.zoo.recipe import Plan, Recipe, by_loss
from genlab.zoo.sources import DIGITS, MNIST16


def scaled_features(net: DigitClassifier, x: Tensor, cond: Tensor, *, plan: Plan) -> Run:
    """Train the classifier, and scale its features when it is done."""
    hooks = Hooks(finish=lambda: net.set_scale(x))
    return by_loss(net, x, cond, plan=replace(plan, hooks=hooks))


def accuracy(net: DigitClassifier, split: str) -> float:
    """Proportion of the images of one part whose digit is recognised."""
    images, labels = load_digits(split)
    return float((net(images).argmax(1) == labels).double().mean())


def _measure_classifier(net: DigitClassifier) -> Figures:
    return {f"accuracy_{split}": accuracy(net, split) for split in ("train", "val", "test")}


class ResidualBlock(nn.Module):
    r"""$h + \mathrm{conv}\,\phi(\mathrm{norm}\,h)$, at one resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, width)
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, h: Float[Tensor, " n c s s"]) -> Tensor:
        return h + self.conv(nn.functional.gelu(self.norm(h)))


def plain_classifier(a: int, b: int, c: int) -> DigitClassifier:
    """Three convolutions, then a linear layer on all positions of the last one."""
    layers: list[nn.Module] = []
    for c_in, c_out, stride in ((1, a, 1), (a, b, 2), (b, c, 2)):
        layers += [nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1), nn.SiLU()]
    body = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * c, 32), nn.SiLU())
    return DigitClassifier(body=body, top=255)


def residual_classifier(a: int, b: int) -> DigitClassifier:
    """Strided patches, residual blocks, and means over quarters of the picture."""
    stem = nn.Conv2d(1, a, 5, stride=2, padding=2)
    down = nn.Conv2d(a, b, 3, stride=2, padding=1)
    deep = (stem, ResidualBlock(a), ResidualBlock(a), down, ResidualBlock(b), nn.AvgPool2d(2))
    body = nn.Sequential(*deep, nn.Flatten(), nn.Linear(4 * b, 32), nn.GELU())
    return DigitClassifier(body=body, top=255)


def judge(net: DigitClassifier, images: Tensor, split: str = "test") -> Figures:
    """Fréchet distance, precision and recall of grey levels 0..255 against a held-out part.

    It uses the first `len(images)` images of `split`, at most 1,000. Real digits of the other
    held-out part give the floor: `judge(net, load_mnist("val", 16).images)`.
    """
    real = load_mnist(split, 16).images[: len(images)]
    with torch.no_grad():
        a = net.features(real).double()
        b = net.features(images).double()
    near = precision_recall(a, b)
    return {"frechet": frechet_distance(a, b).item(), **near._asdict()}


def _measure_evaluator(net: DigitClassifier) -> Figures:
    """How many held-out digits are recognised, and what real digits get from this evaluator."""
    images, labels = load_mnist("val", 16)
    with torch.no_grad():
        right = (net(images).argmax(1) == labels).double().mean()
    floor = {f"{name}_of_real": value for name, value in judge(net, images).items()}
    return {"accuracy_val": float(right), **floor}


def _part(first: int) -> tuple[Tensor, Tensor]:
    images, labels = load_mnist("train", 16)
    return images[first : first + 4000], labels[first : first + 4000]


def _evaluator(
    letter: str,
    first: int,
    seed: int,
    build: Callable[..., DigitClassifier],
    sizes: dict[str, int],
    lr: float,
) -> Recipe:
    where = f"4,000 of them, from number {first:,}"
    return Recipe(
        f"digit16_evaluator_{letter}",
        f"evaluator {letter.upper()} of 16 x 16 digits: 32 features of a classifier, frozen",
        lesson=9, seconds=30, seed=seed,
        build=build, sizes=sizes,
        data=partial(_part, first), **(MNIST16 | {"source": f"{MNIST16['source']}; {where}"}),
        plan=Plan(n_steps=1200, batch_size=64, lr=lr, weight_decay=0.01, warmup=50),
        loop=scaled_features, measure=_measure_evaluator, dtype=torch.float32,
    )  # fmt: skip


RECIPES = (
    Recipe(
        "digit_classifier", "feature network of the metrics: a classifier of the digits",
        lesson=9, seconds=10, seed=0,
        build=lambda: DigitClassifier(torch.float64), sizes={},
        data=lambda: tuple(load_digits("train")), **DIGITS,
        plan=Plan(n_steps=1000, batch_size=128, lr=3e-3, weight_decay=0.01),
        loop=scaled_features, measure=_measure_classifier, dtype=torch.float32,
    ),
    _evaluator("a", 0, 31, plain_classifier, {"a": 16, "b": 24, "c": 32}, lr=2e-3),
    _evaluator("b", 4000, 47, residual_classifier, {"a": 20, "b": 32}, lr=3e-3),
)  # fmt: skip
