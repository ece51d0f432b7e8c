"""Lesson 07's games over seeds: ring, 25 modes, digits (python benchmarks/gan_games.py [PART]).

The page's own networks, rounds, losses and measures; the answers are the worked solutions.
"""

import math
import sys

import torch
from page import define
from torch import nn

from genlab import adversarial
from genlab.core import make_generator
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.data.toys import GaussianRing
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab_course.exercises import lesson_07 as answers
from genlab_course.figures import lesson_07  # noqa: F401 - of the page

OF_PAGE = ("perceptron", "bare", "believed", "play", "on_ring", "with_r1", "paired",
           "paired_believed", "digit_nets")  # fmt: skip
losses, game_round = answers.losses, answers.game_round
r1, pair_losses, coverage = answers.r1, answers.pair_losses, answers.coverage
ring = GaussianRing()
points = ring.sample(5000, generator=make_generator(0))
z_shown = torch.randn(300, 2, generator=make_generator(1))
define("07_gans_minimax", OF_PAGE, globals())

SIDE = 2.0 * torch.arange(-2.0, 3.0)
GRID, STD = torch.cartesian_prod(SIDE, SIDE), 0.2  # 25 modes, two apart
ROUNDS, WIDTH = 2500, 128


def minimax(D, x, fake):
    """The generator's loss of the game as first stated."""
    return adversarial.minimax_generator_loss(D(fake)).mean()


def pairs_alone(D, x, fake):
    """The relativistic loss of the discriminator without a penalty."""
    return pair_losses(D(x), D(fake))[0]


GAMES = {  # on the ring: losses, settings
    "bare": ("bare", "believed", {}),
    "R1": ("with_r1", "believed", {}),
    "R1, minimax loss": ("with_r1", "minimax", {}),
    "no R1, momentum 0.5": ("bare", "believed", {"betas": (0.5, 0.9)}),
    "R1, generator ten times as fast": ("with_r1", "believed", {"rates": (1e-3, 1e-2)}),
    "no R1, generator ten times as fast": ("bare", "believed", {"rates": (1e-3, 1e-2)}),
    "pairs, R1 and R2": ("paired", "paired_believed", {}),
}
LOSSES = {
    "bare": ("bare", "believed"),
    "R1": ("with_r1", "believed"),
    "pairs, no penalty": ("pairs_alone", "paired_believed"),
    "pairs, R1 and R2": ("paired", "paired_believed"),
}


@torch.no_grad()
def report(generator, centres, std):
    """Modes covered (a quarter of an even share counts), KL to even, fraction within 3 std."""
    x = generator(torch.randn(4000, 2, generator=make_generator(99)))
    distance, nearest = torch.cdist(x, centres).min(1)
    share = nearest.bincount(minlength=len(centres)) / len(x)
    close = nearest[distance < 3 * std].bincount(minlength=len(centres)) / len(x)
    covered = coverage(x, centres, std) if len(centres) == 8 else int((close >= 0.01).sum())
    kl = torch.xlogy(share, len(centres) * share).sum().item()
    return covered, kl, (distance < 3 * std).float().mean().item()


def on_grid_of_25(d_loss, g_loss, seed):
    """The generator after a game on 25 modes with light momentum, and its measures."""
    torch.manual_seed(seed)
    G = perceptron(2, 2, WIDTH)  # noqa: F821 - of the page
    D = nn.Sequential(perceptron(2, 1, WIDTH), nn.Flatten(0))  # noqa: F821
    rng = make_generator(0)
    data = GRID[torch.randint(25, (20_000,), generator=rng)]
    data = data + STD * torch.randn(data.shape, generator=rng)
    for _ in play(G, D, data, d_loss, g_loss, ROUNDS, seed=seed, betas=(0.5, 0.9)):  # noqa: F821
        pass
    return report(G, GRID, STD)


def on_digits(seed):
    """What a game on digits reached: log 4 less D's loss, and the distance, after 100 and 1,000."""
    images = {part: load_digits(part).images for part in ("train", "val", "test")}
    features = load_classifier().features
    held_out = features(torch.cat([images["val"], images["test"]]).double()).detach()
    z = torch.randn(1000, 16, generator=make_generator(1))
    G, D = digit_nets(seed)  # noqa: F821 - of the page
    losses_of_d, distances = [], []
    rounds = play(G, D, to_unit(images["train"]), with_r1, believed, 1000, seed=seed,  # noqa: F821
                  n_z=16, betas=(0.5, 0.9))  # fmt: skip
    for step, (d_loss, _) in rounds:
        losses_of_d.append(d_loss)
        if step in (100, 1000):
            with torch.no_grad():
                x = from_unit(G(z), whole=False).double()
            distances.append(frechet_distance(held_out, features(x).detach()).item())
    d_losses = torch.tensor(losses_of_d)
    gaps = [math.log(4) - part.mean().item() for part in (d_losses[80:180], d_losses[-100:])]
    return gaps, distances


def main():
    """Print a line for each game and seed."""
    torch.set_num_threads(1)
    parts = sys.argv[1:] or ["ring", "grid", "digits"]
    if "ring" in parts:
        for name, (d_loss, g_loss, settings) in GAMES.items():
            for seed in range(6):
                d, g = globals()[d_loss], globals()[g_loss]
                G, _, history = on_ring(d, g, seed, **settings)  # noqa: F821 - of the page
                covered, kl, close = report(G, ring.means, ring.std)
                late = history[-300:, 0]
                print(f"ring, {name:36} seed {seed}: modes {covered}, KL {kl:.3f}, within 3 std "
                      f"{close:.2f}, D's loss {late.mean():.3f}, its std {late.std():.3f}",
                      flush=True)  # fmt: skip
    if "grid" in parts:
        for name, (d_loss, g_loss) in LOSSES.items():
            for seed in range(3):
                covered, kl, close = on_grid_of_25(globals()[d_loss], globals()[g_loss], seed)
                print(f"25 modes, {name:20} seed {seed}: modes {covered}, KL {kl:.3f}, "
                      f"within 3 std {close:.2f}", flush=True)  # fmt: skip
    if "digits" in parts:
        for seed in range(3):
            gaps, distances = on_digits(seed)
            print(f"digits, R1, seed {seed}: log 4 less D's loss {gaps[0]:.3f} to {gaps[1]:.3f}, "
                  f"{gaps[0] / gaps[1]:.1f} times; Fréchet {distances[0]:.2f} to "
                  f"{distances[1]:.2f}, {distances[0] / distances[1]:.1f} times",
                  flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
