"""The speed-run: 16 x 16 digits from a network that trains for 180 processor-seconds.

The clock is the processor's: waiting for others does not count. 180 s are 90 s of two cores.
"""

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.core.weights import save_weights
from genlab.data.digits import N_CLASSES, from_unit, load_mnist, to_unit
from genlab.files import require_room
from genlab.score.edm import EDM
from genlab.train import Record
from genlab.train.fit import keep_freed_memory
from genlab.train.muon import Muon
from genlab.zoo import find, load_model
from genlab.zoo.cards import Figures
from genlab.zoo.classifiers import judge
from genlab.zoo.edm import kernels
from genlab.zoo.recipe import Plan, by_loss
from genlab.zoo.sources import MNIST16

SECONDS, N = 180.0, 1000  # of the training; images that are evaluated


class Settings(NamedTuple):
    """Settings of a training; `FORMER` is how mnist16_diffusion was trained before the record."""

    lr: float = 5e-3
    muon: bool = True  # orthogonal steps for kernels and matrices; AdamW takes the rest
    fall: float = 0.5  # the last part of the time, in which the rate falls; 0: along a cosine
    p_drop: float = 0.0  # labels that are dropped, for guidance
    p_mean: float = -0.8  # of log sigma in training
    average: float = 0.998
    clip: float | None = None  # the largest norm of a gradient
    beta2: float = 0.99  # of AdamW, whatever it trains


RECORD = Settings()
FORMER = Settings(3e-3, False, 0.0, 0.1, -1.2, 0.995, 1.0, 0.999)


def untrained(recipe: Settings, seed: int) -> EDM:
    """The network of mnist16_diffusion, its channels last in memory."""
    row = find("mnist16_diffusion").but(seed=seed, p_drop=recipe.p_drop, p_mean=recipe.p_mean)
    edm: EDM = row.untrained().to(memory_format=torch.channels_last)
    return edm


def optimizer_of(recipe: Settings, edm: EDM) -> torch.optim.Optimizer:
    """Muon with AdamW for the rest, or AdamW for everything."""
    betas = (0.9, recipe.beta2)
    if recipe.muon:
        return Muon(kernels(edm.net), edm.parameters(), betas=betas)
    return torch.optim.AdamW(edm.parameters(), betas=betas, weight_decay=0.0)


def run(
    edm: EDM, recipe: Settings, seed: int, seconds: float, n_steps: int | None = None
) -> Iterator[tuple[Record, float]]:
    """Train until the time is over, or `n_steps`: each record, and the part that is over."""
    keep_freed_memory()
    images, labels = load_mnist("train", 16)
    optimizer = optimizer_of(recipe, edm)
    start, part = time.process_time(), 0.0

    def rate(step: int) -> float:
        if recipe.fall:
            return recipe.lr * min(1.0, part / 0.03, (1 - part) / recipe.fall)
        return recipe.lr * min(1.0, (step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * part))

    plan = Plan(
        n_steps=10**9, batch_size=64, lr=rate, clip=recipe.clip, average=recipe.average, seed=seed
    )
    steps = by_loss(edm, to_unit(images, 255), labels, plan=plan, optimizer=optimizer)
    for record in steps:
        spent = time.process_time() - start
        part = steps.step / n_steps if n_steps else spent / seconds
        yield record, part
        if part >= 1:
            steps.n_steps = steps.step  # the next call leaves averaged weights


def draw(edm: EDM, n: int, seed: int) -> Int[Tensor, " n 1 16 16"]:
    """Grey levels of every class alike, by Heun's method in 18 steps, 35 evaluations."""
    noise = Generator().manual_seed(1000 + seed)
    labels = torch.arange(n) % N_CLASSES
    made = [edm.sample(len(c), cond=c, generator=noise) for c in labels.split(100)]
    return from_unit(torch.cat(made), 255)


def judged(images: Tensor, letter: str) -> Figures:
    """What evaluator A or B says, and in `floor` its Fréchet distance of as many real digits."""
    net = load_model(f"digit16_evaluator_{letter}", dtype=torch.float32)
    mine, other = {"a": ("val", "test"), "b": ("test", "val")}[letter]
    floor = judge(net, load_mnist(other, 16).images[: len(images)], mine)["frechet"]
    return judge(net, images, mine) | {"floor": floor}


def play(
    seed: int, seconds: float, path: Path, n: int = N, letters: str = "a", *, force: bool = False
) -> Iterator[str]:
    """The command: train, write the weights, and say in lines what was reached."""
    if path.suffix != ".safetensors":
        raise ValueError(f"expected a path that ends in .safetensors, got {path.name}")
    if path.is_file() and not force:
        raise FileExistsError(f"{path} exists: --force replaces it, --out names another place")
    edm = untrained(RECORD, seed)
    require_room(path, 4 * sum(p.numel() for p in edm.parameters()))
    n_steps = sum(1 for _ in run(edm, RECORD, seed, seconds))
    yield f"{n_steps} steps in {seconds:g} processor-seconds"
    images = draw(edm, n, seed)
    found = {letter: judged(images, letter) for letter in letters}
    for letter, says in found.items():
        near = "precision {precision:.2f}, recall {recall:.2f}".format(**says)
        frechet = "Fréchet {frechet:.3f} (real digits {floor:.3f})".format(**says)
        yield f"evaluator {letter.upper()}: {frechet}, {near}"
    recipe = f"genlab speedrun digits16 --seed {seed} --seconds {seconds:g}"
    card = {"recipe": recipe, "seed": seed, "data": MNIST16["source"], "metrics": found}
    save_weights(edm, path, card | {"seconds": seconds, "steps": n_steps})
    yield f"wrote {path} and its card"
