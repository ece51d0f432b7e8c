"""Lesson 01's project: five evaluations for the diffusion column (python benchmarks/project_01.py).

Three trainings by the page's own loop and loss, two draws of 4,000 samples from each. The five
levels of `FIVE` were chosen on the training of seed 0, with draws that are not used here.
"""

import torch
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab.core import make_generator
from genlab.data.toys import GaussianRing
from genlab.metrics.distances import energy_distance
from genlab.score import linear_betas
from genlab_course import lesson_01

OF_PAGE = "train", "noise_loss"
define("01_four_paradigm_map", OF_PAGE, globals())
ring = GaussianRing()
data = ring.sample(10_000, generator=make_generator(1))
alphas_bar = (1 - linear_betas(100, first=0.002, last=0.12)).cumprod(0)

FIVE = (88, 71, 41, 17, 5)  # levels k = t - 1 that are visited
EQUAL = {n: tuple(round(100 * (1 - i / n)) - 1 for i in range(n)) for n in (5, 10)}


def trained(seed):
    """The network of the page, trained from another seed."""
    global noise_net
    torch.manual_seed(seed)
    noise_net = lesson_01.NoiseNet()
    train(noise_loss, list(noise_net.parameters()), 1500, 4e-3, 500, seed)  # noqa: F821 - of the page
    return noise_net


@torch.no_grad()
def walk(network, x, levels, second_order):
    """Jump along the levels with the network's guess of x_0, or with its trend over two levels."""
    log_ratio = (alphas_bar / (1 - alphas_bar)).log() / 2  # of signal to noise
    before = None
    for i, k in enumerate(levels):
        alpha, sigma = alphas_bar[k].sqrt(), (1 - alphas_bar[k]).sqrt()
        x0 = (x - sigma * network(x, torch.full((len(x),), k))) / alpha  # (n, 2)
        if i + 1 == len(levels):
            return x0
        next_alpha = alphas_bar[levels[i + 1]].sqrt()
        next_sigma = (1 - alphas_bar[levels[i + 1]]).sqrt()
        step = log_ratio[levels[i + 1]] - log_ratio[k]
        towards = x0
        if second_order and before is not None:
            past = log_ratio[k] - log_ratio[levels[i - 1]]
            towards = x0 + (x0 - before) * step / (2 * past)
        x = next_sigma / sigma * x + next_alpha * (1 - (-step).exp()) * towards
        before = x0
    raise ValueError("levels: expected at least one")


def main():
    """Print the energy distance of each sampler, and the fraction of its points in a blob."""
    torch.set_num_threads(1)
    ways = {
        "5 equal jumps": (EQUAL[5], False),
        "10 equal jumps": (EQUAL[10], False),
        "100 jumps": (tuple(range(99, -1, -1)), False),
        "5 chosen levels, first order": (FIVE, False),
        "5 chosen levels, second order": (FIVE, True),
    }
    for seed in (0, 1, 2):
        network = trained(seed)
        for name, (levels, second_order) in ways.items():
            said = []
            for draw in (31, 32):
                rng = make_generator(draw)
                start = torch.randn(4_000, 2, generator=rng)
                x = walk(network, start, levels, second_order)
                distance = energy_distance(x, ring.sample(4_000, generator=rng))
                inside = (torch.cdist(x, ring.means).min(1)[0] < 0.45).float().mean()
                said.append(f"{distance:.4f} ({inside:.0%} in a blob)")
            print(f"seed {seed}  {name:30}  {', '.join(said)}", flush=True)


if __name__ == "__main__":
    main()
