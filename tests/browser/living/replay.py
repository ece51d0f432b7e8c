"""What the tests of living figures share: settings to try, and the numbers of genlab for them."""

import importlib
import math
import random
import tomllib
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent
N_RANDOM = 6
DRAWN = 25  # of the list whose last two settings are drawn: they do not change with N_RANDOM


def golden(name):
    """What genlab says of a figure: `expected(settings)`, and perhaps what shapes its cases.

    `HIDDEN` (random values of what has no label), `RTOL`; of a network, which takes its time, also
    `FIRST` (settings beside those at an end) and `N_RANDOM`.
    """
    return importlib.import_module(f"tests.browser.living.golden.{name}")


def mistakes(name):
    """The mistakes to plant in a figure: dicts of `mistake`, `old`, `new`."""
    path = HERE / "mistakes" / f"{name}.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))["mistake"]


def settings(golden, controls, n_random=N_RANDOM):
    """The settings to try of a figure, shaped by its golden module."""
    hidden, first = getattr(golden, "HIDDEN", {}), getattr(golden, "FIRST", {})
    return cases(controls, hidden, getattr(golden, "N_RANDOM", n_random), first=first)


def cases(controls, hidden, n_random=N_RANDOM, seed=0, *, first=()):
    """Settings to try: both ends of each control, each option, then some at random."""
    rng, first = random.Random(seed), {c["name"]: c["value"] for c in controls} | dict(first)
    shown = [c for c in controls if c.get("label")]
    ends = [
        {**first, c["name"]: end}
        for c in shown
        for end in (c["options"] if "options" in c else (c["min"], c["max"]))
    ]

    def draw(control):
        if "options" in control:
            return rng.choice(control["options"])
        if not control.get("label"):
            return hidden[control["name"]](rng)
        n = rng.randint(0, round((control["max"] - control["min"]) / control["step"]))
        return round(control["min"] + n * control["step"], 10)

    return [first, *ends, *({c["name"]: draw(c) for c in controls} for _ in range(n_random))]


def as_numbers(value):
    """A tensor, an array, a number or lists of them, as an array of doubles."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    return np.asarray(value, dtype=np.float64)


def worst(found, expected, rtol):
    """How far two sets of named numbers are apart, in tolerances: 1 is the most that passes.

    A tolerance is `rtol` times the largest number of that name, and at least `rtol`.
    """
    assert set(expected) <= set(found), set(expected) - set(found)
    apart = 0.0
    for name, value in expected.items():
        one, other = as_numbers(found[name]), as_numbers(value)
        if one.shape != other.shape:
            return math.inf
        same = (one == other) | (np.isnan(one) & np.isnan(other))
        if not np.isfinite(np.where(same, 0, one - other)).all():
            return math.inf
        scale = max(1.0, float(np.abs(np.where(np.isfinite(other), other, 0)).max(initial=0)))
        apart = max(apart, float(np.abs(np.where(same, 0, one - other)).max(initial=0)) / scale)
    return apart / rtol


class Normals:
    """The stage's `normals(seed)`: mulberry32, then the cosine of Box and Muller."""

    def __init__(self, seed):
        self.state = seed % 2**32

    def uniform(self):
        """The next number in [0, 1)."""
        self.state = (self.state + 0x6D2B79F5) % 2**32
        t = ((self.state ^ (self.state >> 15)) * (self.state | 1)) % 2**32
        t ^= (t + ((t ^ (t >> 7)) * (t | 61)) % 2**32) % 2**32
        return ((t ^ (t >> 14)) % 2**32) / 2**32

    def __call__(self):
        """The next standard normal number."""
        u, v = self.uniform(), self.uniform()
        return math.sqrt(-2 * math.log(1 - u)) * math.cos(2 * math.pi * v)

    def tensor(self, *shape):
        """The next numbers, as a tensor of doubles of some shape, filled row by row."""
        n = math.prod(shape)
        return torch.tensor([self() for _ in range(n)], dtype=torch.float64).reshape(shape)
