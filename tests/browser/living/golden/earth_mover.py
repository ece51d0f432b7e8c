"""Two laws on a grid: W1 and the quantiles by SciPy, JS by genlab."""

import numpy as np
import torch
from scipy.stats import beta, wasserstein_distance

from genlab.adversarial.games import jensen_shannon

X = np.linspace(-4, 9, 651)
LEVELS = (np.arange(180) + 0.5) / 180
KNOWN = {}  # the curves of one model and width


def piles(model, shift, width):
    """Centre and half-width of each."""
    if model == "one pile":
        return [(shift, width)]
    return [(shift - width, width / 2), (shift + width, width / 2)]


def places(pile, levels):
    """Quantiles of a pile: Beta(3, 3), stretched."""
    centre, half = pile
    return centre - half + 2 * half * beta.ppf(levels, 3, 3)


def masses(model, shift, width):
    scaled = [(X - centre) / half for centre, half in piles(model, shift, width)]
    density = sum(np.clip(1 - z * z, 0, None) ** 2 for z in scaled)
    return density / density.sum()


def distances(model, shift, width):
    p, q = masses("one pile", 0.0, width), masses(model, shift, width)
    js = jensen_shannon(torch.from_numpy(p), torch.from_numpy(q))
    return wasserstein_distance(X, X, p, q), float(js)


def curves(model, width):
    if (model, width) not in KNOWN:
        pairs = [distances(model, shift, width) for shift in np.linspace(0, 5, 101)]
        KNOWN[model, width] = np.array(pairs).T
    return KNOWN[model, width]


def prices(p, q):
    """A function of slope at most 1 whose gap is W1, by SciPy; level where no mass has to pass."""
    passing = np.cumsum(p - q)[:-1]
    steps = np.select([passing > 1e-9, passing < -1e-9], [-1.0, 1.0], 0.0) * np.diff(X)
    f = np.concatenate([[0.0], np.cumsum(steps)])
    assert np.isclose((p - q) @ f, wasserstein_distance(X, X, p, q))
    return f - f.max()


def expected(settings):
    model, shift, width = (settings[k] for k in ("model", "shift", "width"))
    w1, js = distances(model, shift, width)
    w1_curve, js_curve = curves(model, width)
    parts = piles(model, shift, width)
    split = np.split(LEVELS, len(parts))  # the left pile holds the lower levels
    levels = [len(parts) * u - k for k, u in enumerate(split)]
    start = np.concatenate([places(pile, u) for pile, u in zip(parts, levels, strict=True)])
    end = places((0.0, width), LEVELS)
    part = np.interp(2.5 * settings["moved"] - 1.5 * LEVELS, [0, 1], [0, 1])
    return {
        "prices": prices(masses("one pile", 0.0, width), masses(model, shift, width)),
        "p": masses("one pile", 0.0, width), "q": masses(model, shift, width), "w1": w1, "js": js,
        "w1Curve": w1_curve, "jsCurve": js_curve, "from": start, "to": end, "part": part,
        "work": (np.abs(start - end) * part).mean(),
    }  # fmt: skip
