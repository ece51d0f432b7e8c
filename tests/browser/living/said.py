"""The numbers in each figure's sentence, in their order, from what genlab computes (golden).

A number that is None is not held; one that the figure rounds to some digits is rounded here too.
"""

import math
import re

import numpy as np

NUMBER = re.compile(r"(?<![\w.])([−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?!\w)")


def numbers(words):
    """The numbers in a sentence, as they are printed."""
    return [found.replace("−", "-") for found in NUMBER.findall(words)]


def is_print_of(printed, value):
    """Whether a printed number is `value` to the last of its digits."""
    mantissa, _, power = printed.partition("e")
    unit = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return value is None or abs(float(printed) - float(value)) <= unit / 2 + 1e-7


def causal_mask(settings, n):
    copies = [i + 1 for i in n["order"] if n["reach"][i * 8 + i]]
    why = [] if n["honest"] else [len(copies)] if len(copies) > 1 else copies
    return [*why, n["score"], n["entropy"], 100 * float(n["follows"]), 90]


def digits_live(settings, n):
    calls = n["at"] * settings["many"] * (1 if settings["guidance"] in (0, 1) else 2)
    now = np.asarray(n["states"])[:, n["at"]]
    apart = [] if settings["digit"] == "all ten" else [now.std(0).__pow__(2).mean() ** 0.5]
    return [n["at"], settings["steps"], calls, None, *apart]


def earth_mover(settings, n):
    shifts, k = np.linspace(0, 5, 101), round(settings["shift"] / 0.05)
    ends = [max(0, k - 1), min(100, k + 1)]
    run = np.diff(shifts[ends])[0]
    return [np.diff(n[curve][ends])[0] / run for curve in ("w1Curve", "jsCurve")]


def elbo_gap(settings, n):
    return [n[k] for k in ("evidence", "elbo", "gap", "reconstruction", "toPrior")]


def flow_grid(settings, n):
    return [settings["walked"], 4, n["logDet"], n["before"], n["here"]]


def forward_process(settings, n):
    if settings["time"] <= 100:
        return [n["t"], 100, n["signal"], n["noise"]]
    return [100 - n["t"], 100, 100 * n["home"]]


def game_orbit(settings, n):
    ends = [float(n[f"{m} distance"][-1])
            for m in ("simultaneous", "alternating", "extragradient", "optimistic")]  # fmt: skip
    gamma = [settings["gamma"]] if settings["gamma"] else []
    printed = [float(f"{d:.2g}") for d in ends if d <= 1000]  # others are "far away"
    return [*gamma, settings["rate"], math.hypot(*settings["start"]), settings["steps"], *printed]


def guidance(settings, n):
    return [settings["weight"], *n["guided"], *n["wanted"]]


def kl_fit(settings, n):
    return [*n["at"], n["forward"], n["reverse"], 100 * n["lost"], 200]


def langevin_bias(settings, n):
    (share, width, square), wanted, eta = n["summary"], n["wanted"], n["eta"]
    law = [share, wanted[0], width, wanted[1]]
    if settings["target"] != "two valleys":
        law = [square, 1, 1 / (1 - eta / 2)]
    gone = [100 * n["left"]] if n["left"] > 0.005 else []
    moves = [100 * n["accepted"]] if settings["chain"] == "Metropolis" else []
    return [eta, 100 * n["wrong"], *law, *gone, *moves]


def latent_walk(settings, n):
    within = [100 * (1 - math.exp(-(r**2) / 2)) for r in (1, 2)]  # of a normal in the plane
    return [settings["walk"], *n["here"], n["bits"], n["blendBits"], *within]


def next_token(settings, n):
    gone = 100 * n["plain"][n["p"] == 0].sum()
    text = [len(n["cost"]), float(np.mean(n["cost"]))] if n["cost"] else []
    kept = int((n["p"] > 0).sum())
    return [n["bits"], settings["temperature"], settings["top"], kept, len(n["p"]), gone, *text]


def sampler_steps(settings, n):
    return [settings["steps"], n["error"], n["gap"]]


def score_walk(settings, n):
    return [n["sigma"], settings["steps"], 120, 100 * n["wrong"]]


def straight_flow(settings, n):
    part = 100 * settings["frame"] / 60
    return [part, settings["steps"], n["curvedMiss"], n["straightMiss"]]


def on_sliders(name, settings, n):
    """What the sliders of a figure ought to say: their settings, or where its q has come to."""
    if name in ("kl_fit", "elbo_gap"):
        return settings | dict(zip(("mean", "width"), map(float, n["at"]), strict=True))
    return settings
