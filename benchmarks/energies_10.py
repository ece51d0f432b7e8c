"""Lesson 10's trainings over seeds: python benchmarks/energies_10.py [PART ...].

The page's own classes, functions and settings, read from its text; the learner's functions are the
worked answers. Parts: plane (four ways to train one energy), ladder, control (its walks with other
lengths, without springs, with exact energies), ghosts, project, digits (with three tries to do
better, and a ladder that was not trained).
"""

import math
import sys

import torch
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab import score
from genlab.data.digits import load_digits, to_unit
from genlab.metrics.distances import frechet_distance  # noqa: F401 - of the page
from genlab.metrics.features import load_classifier
from genlab.oracles import Gaussian, GaussianMixture
from genlab.zoo import load_model
from genlab.zoo.energy import denoise, fresh_samples
from genlab_course.exercises.lesson_10 import (
    descent,
    langevin,
    negatives_from,
    update,  # noqa: F401 - of the page
)

NEEDED = {
    "crescents", "above", "Landscape", "train", "on_grid", "tied", "walk", "train_ladder",
    "batch", "quality",
}  # fmt: skip
define("10_energy_based_models", NEEDED, globals())

data = crescents(0.2)  # noqa: F821 - of the page, as are the names below
line = torch.linspace(-3.5, 3.5, 141)
cells = torch.cartesian_prod(line, line)
upper = above(cells)  # noqa: F821
wide = Gaussian(torch.zeros(2), 4 * torch.eye(2))
truth = on_grid(lambda x: -data.log_prob(x))  # noqa: F821
digits = to_unit(load_digits("train").images)
classifier = load_classifier()


def describe(x):
    """The classifier's features of pictures in [-1, 1]."""
    return classifier.features(8 * (x.double() + 1)).detach()


held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
reference = describe(to_unit(held_out))
kinds = torch.bincount(load_digits("train").labels, minlength=10) / len(digits)
rng = torch.Generator()
TRIALS = {  # on digits
    "as on the page": {},
    "twice the updates, three times the rate": {"n_steps": 200, "rate": 3e-3},
    "chains of 30 steps of half the size": {"chain": (30, 0.05)},
    "six rungs, width 256": {
        "n_steps": 300, "n_noises": 7, "rate": 3e-4, "width": 256, "chain": (30, 0.05)
    },
}  # fmt: skip


def begin(seed):
    """Seed weights and noise, and return the page's draw of data points."""
    torch.manual_seed(seed)
    rng.manual_seed(100 + seed)
    return lambda: data.sample(128, generator=rng)


def share(x):
    """The fraction of points in the upper crescent."""
    return above(x).float().mean().item()  # noqa: F821


def plane(name, seed):
    """Train one energy; return its mass above, KL, the chains' share and fresh chains' share."""
    points = begin(seed)
    energy = Landscape(2, wide)  # noqa: F821
    pool = wide.sample(1000, generator=rng)
    n_steps = 1 if name == "CD-1" else 10

    def step(x):
        return langevin(energy, x, 0.01, n_steps, rng)

    def negatives(x):
        if name.startswith("CD"):
            return step(x)
        rows = torch.randperm(1000, generator=rng)[: len(x)]
        if "afresh" in name:
            new = torch.rand(len(rows), generator=rng) < 0.05
            pool[rows[new]] = wide.sample(int(new.sum()), generator=rng)
        return negatives_from(pool, rows, step)

    train(energy, points, negatives, 1000)  # noqa: F821
    p = on_grid(energy)  # noqa: F821
    kl = torch.xlogy(truth, truth / p.clamp(min=1e-30)).sum().item()
    chains = step(data.sample(1000, generator=rng)) if name.startswith("CD") else pool
    fresh = langevin(energy, wide.sample(1000, generator=rng), 0.01, 300, rng)
    return p[upper].sum().item(), kl, share(chains), share(fresh)


NOISE = [0.0, *torch.logspace(math.log10(0.2), math.log10(2.0), 5).tolist()]


def trained(seed):
    """The page's ladder of the crescents."""
    points = begin(seed)
    return train_ladder(NOISE, points, data.moment_match(), 200, rate=1e-2)  # noqa: F821


def cloud():
    """Points at the noise of the top."""
    return data.moment_match().noised(1.0, NOISE[-1]).sample(2000, generator=rng)


def ladder(seed):
    """The share above of 2,000 samples of the page's ladder."""
    return share(descent(trained(seed), cloud(), tied, walk))  # noqa: F821


def control(seed):
    """Shares above: learned rungs and exact ones, walks of 15, 60, 150 steps, tied and free.

    The last number is the mass above in the cleanest learned rung.
    """
    rungs = trained(seed)
    exact = []
    for c, (_, s) in zip(NOISE, rungs, strict=False):
        sharp = data.noised(1.0, c)
        exact.append((lambda x, sharp=sharp: -sharp.log_prob(x), s))
    width = {s: (c**2 + 0.15**2) for c, (_, s) in zip(NOISE, rungs, strict=False)}
    found = []
    for energies, steps in ((rungs, (15, 60, 150)), (exact, (15, 60, 150))):
        for tie in (tied, lambda energy, y, s: energy):  # noqa: F821
            for n in steps:

                def stroll(e, x, s, n=n, own=energies is rungs):
                    eta = 0.1 * s**2 if own else min(0.1 * s**2, 0.3 * width[s])
                    return langevin(e, x, eta, n, rng)

                found.append(share(descent(energies, cloud(), tie, stroll)))
    return (*found, on_grid(rungs[0][0])[upper].sum().item())  # noqa: F821


def islands(seed):
    """The project: total variation of eight masses, and the fraction of samples on an island."""
    begin(seed)
    mass, angle = torch.arange(1.0, 9.0) / 36, torch.arange(8) * math.pi / 4
    centres = 2.5 * torch.stack([angle.cos(), angle.sin()], 1)
    modes = GaussianMixture(mass, centres, torch.full((8,), 0.2))
    noise = [0.0, *torch.logspace(math.log10(0.25), math.log10(3.0), 5).tolist()]
    normal = modes.moment_match()
    draw = lambda: modes.sample(128, generator=rng)  # noqa: E731
    rungs = train_ladder(noise, draw, normal, 400, rate=1e-2)  # noqa: F821
    top = normal.noised(1.0, noise[-1]).sample(2000, generator=rng)
    away, nearest = torch.cdist(descent(rungs, top, tied, walk), centres).min(1)  # noqa: F821
    found = nearest.bincount(minlength=8) / len(top)
    return (found - mass).abs().sum().item() / 2, (away < 3 * 0.2).float().mean().item()


def of_digits(seed, n_steps=100, n_noises=5, rate=1e-3, width=128, chain=(15, 0.1)):
    """Fréchet distance and total variation of 1,000 digits of a ladder; the page's unless told."""
    global walk

    def walk(energy, x, s):
        return langevin(energy, x, chain[1] * s**2, chain[0], rng)

    begin(seed)
    normal = of_pixels()
    blur = torch.logspace(math.log10(0.15), math.log10(2.0), n_noises).tolist()
    rungs = train_ladder(blur, batch, normal, n_steps, rate=rate, width=width)  # noqa: F821
    top = normal.noised(1.0, blur[-1]).sample(1000, generator=rng).reshape(-1, 1, 8, 8)
    x = descent(rungs, top, tied, walk)  # noqa: F821
    return quality(x + blur[0] ** 2 * score.score_from_energy(rungs[0][0], x))  # noqa: F821


def of_pixels():
    """One normal with the mean and covariance of the digits' pixels."""
    pixels = digits.flatten(1)
    return Gaussian(pixels.mean(0), torch.cov(pixels.T) + 1e-4 * torch.eye(64))


def of_one_normal(seed):
    """Fréchet distance and total variation of its samples."""
    begin(seed)
    return quality(of_pixels().sample(1000, generator=rng).reshape(-1, 1, 8, 8))  # noqa: F821


def of_one_energy(seed):
    """The same of fresh chains of the shipped energy, as the page draws them."""
    single = load_model("digit_ebm")
    rng.manual_seed(100 + seed)
    fresh = fresh_samples(single, 1000, n_steps=600, generator=rng)
    return quality(denoise(single, fresh, sigma=0.3))  # noqa: F821


def ghost(std, seed):
    """Mass where no data lie after CD-1, from an energy with half of its mass there."""
    begin(seed)
    only_low = data.sample(8000, generator=rng)
    only_low = only_low[~above(only_low)]  # noqa: F821
    energy = Landscape(2, crescents(0.5, std))  # noqa: F821

    def some():
        return only_low[torch.randint(len(only_low), (128,), generator=rng)]

    train(energy, some, lambda x: langevin(energy, x, 0.002, 1, rng), 400)  # noqa: F821
    return on_grid(energy)[upper].sum().item()  # noqa: F821


def cure(seed, n_steps):
    """The narrow ghost, trained on with chains that live on: mass without data, misfit below."""
    begin(seed)
    only_low = data.sample(8000, generator=rng)
    only_low = only_low[~above(only_low)]  # noqa: F821
    energy = Landscape(2, crescents(0.5, 0.1))  # noqa: F821
    pool = energy.given.sample(500, generator=rng)

    def some():
        return only_low[torch.randint(len(only_low), (128,), generator=rng)]

    def negatives(x):
        rows = torch.randperm(500, generator=rng)[: len(x)]
        return negatives_from(pool, rows, lambda x: langevin(energy, x, 0.002, 10, rng))

    train(energy, some, negatives, n_steps)  # noqa: F821
    p = on_grid(energy)  # noqa: F821
    low, true = p[~upper] / p[~upper].sum(), truth[~upper] / truth[~upper].sum()
    misfit = torch.xlogy(true, true / low.clamp(min=1e-30)).sum().item()
    return p[upper].sum().item(), misfit


def told(name, rows):
    """Print the columns of rows, one row a seed."""
    columns = zip(*rows, strict=True)
    print(f"{name}:", "; ".join(" ".join(f"{v:.3f}" for v in c) for c in columns), flush=True)


def print_plane():
    """Four ways to train one energy."""
    print("mass above; KL (nats); chains of training, above; fresh chains, above")
    for name in ("CD-1", "CD-10", "persistent", "persistent, 5 % afresh"):
        told(name, [plane(name, seed) for seed in range(5)])


def print_ladder():
    """The page's ladder."""
    told("ladder, share above", [(ladder(seed),) for seed in range(5)])


def print_control():
    """Other walks on learned and on exact rungs."""
    print("15, 60, 150 steps: learned, tied; learned, free; exact, tied; exact, free; last rung")
    told("share above", [control(seed) for seed in range(3)])


def print_digits():
    """Ladders of digits and their rivals."""
    print("Fréchet distance; total variation of the kinds")
    for name, settings in TRIALS.items():
        told(f"ladder, {name}", [of_digits(seed, **settings) for seed in range(3)])
    told("ladder, not trained", [of_digits(seed, n_steps=0, rate=1e-3) for seed in range(3)])
    told("one normal", [of_one_normal(seed) for seed in range(6)])
    told("one energy, fresh chains", [of_one_energy(seed) for seed in range(3)])


def print_ghosts():
    """A place that no chain visits, and its repair."""
    for std in (0.1, 0.15, 0.3):
        told(f"mass without data, std {std}", [(ghost(std, seed),) for seed in range(5)])
    for n_steps in (100, 400):
        name = f"narrow, then a pool for {n_steps} updates: mass without data; misfit below"
        told(name, [cure(seed, n_steps) for seed in range(3)])


def print_project():
    """The project's islands."""
    told("project: total variation; on the islands", [islands(seed) for seed in range(3)])


PARTS = {
    "plane": print_plane,
    "ladder": print_ladder,
    "control": print_control,
    "digits": print_digits,
    "ghosts": print_ghosts,
    "project": print_project,
}


def main():
    """Print each part's numbers, seed by seed."""
    torch.set_num_threads(1)
    for part in sys.argv[1:] or PARTS:
        PARTS[part]()


if __name__ == "__main__":
    main()
