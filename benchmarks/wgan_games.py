"""Lesson 08's games over seeds (python benchmarks/wgan_games.py).

Arrows that three losses give to the same samples; a critic whose slopes are pulled to 0; a fast
generator on the ring with one critic step a round and with five; digits over 600 rounds. The page's
own networks, rounds and losses; the answers are the worked solutions.
"""

import functools
import sys

import torch
import torch.nn.functional as F
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab import adversarial  # noqa: F401 - of the page
from genlab.core import make_generator
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.data.toys import GaussianRing
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab_course.exercises import lesson_08 as answers

OF_PAGE = ("perceptron", "told_apart", "priced", "obeyed", "pulled_to_zero", "play", "digit_nets",
           "lighter", "on_ring", "covered")  # fmt: skip
penalty, critic_loss = answers.gradient_penalty, answers.critic_loss
ring = GaussianRing()
points = ring.sample(5000, generator=make_generator(0))
above = 0.35 * torch.randn(30, 2, generator=make_generator(0)) + torch.tensor([0.0, 4.3])
define("08_wgan_gradient_penalty", OF_PAGE, globals())
digits = to_unit(load_digits("train").images)
held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
classifier = load_classifier()
ROUNDS = 600


def distance(generator):
    """Fréchet distance of 1,000 samples to the held-out digits."""
    describe = lambda images: classifier.features(images.double()).detach()  # noqa: E731
    with torch.no_grad():
        x = from_unit(generator(torch.randn(1000, 16, generator=make_generator(1))), whole=False)
    return frechet_distance(describe(held_out), describe(x)).item()


def on_digits(seed):
    """Fréchet distance after some rounds, and the critic's mean gap over the last 40."""
    G, f = digit_nets(seed)  # noqa: F821 - of the page
    found, gaps = {}, []
    for step, gap in play(G, f, digits, ROUNDS, n_z=16, n_critic=3, seed=seed):  # noqa: F821
        gaps.append(gap)
        if step in (100, 200, 400, ROUNDS):
            found[step] = distance(G), sum(gaps[-40:]) / 40
    return found


def arrows():
    """Arrows of three losses over seeds."""
    losses = {
        "the game's loss": (told_apart, lambda logit: -F.softplus(logit)),  # noqa: F821
        "non-saturating": (told_apart, lambda logit: F.softplus(-logit)),  # noqa: F821
        "a critic": (priced, lambda price: -price),  # noqa: F821
    }
    for name, (of_judge, of_sample) in losses.items():
        for seed in range(3):
            seen = obeyed(of_judge, of_sample, seed=seed)  # noqa: F821
            sizes = [f"{seen[k][1].norm(dim=1).mean():.2g}" for k in (48, 240, 480)]
            print(f"{name:16} seed {seed}: arrows after 48, 240, 480 steps {sizes}", flush=True)


def swing():
    """Arrows of a critic whose slopes are pulled to 1, and to 0, three times as long."""
    for target, of_judge in ((1, priced), (0, pulled_to_zero)):  # noqa: F821
        for lam in (10, 1.8):
            judged = functools.partial(of_judge, lam=lam)
            for seed in range(3):
                seen = obeyed(judged, lambda price: -price, n_walk=720, seed=seed)  # noqa: F821
                sizes = [f"{seen[k][1].norm(dim=1).mean():.2f}" for k in (240, 480, 720, 960)]
                print(f"slopes pulled to {target}, weight {lam}, seed {seed}: arrows after 240, "
                      f"480, 720, 960 steps {sizes}", flush=True)  # fmt: skip


def ring_games():
    """A fast generator on the ring."""
    for weight, loss in ((1, lighter), (10, critic_loss)):  # noqa: F821
        for n_critic in (1, 5):
            for seed in range(3):
                x, late = on_ring(n_critic, seed, loss)  # noqa: F821
                print(f"ring, weight {weight}, {n_critic} critic steps, seed {seed}: modes "
                      f"{covered(x)}, gap {late.mean():.2f}", flush=True)  # noqa: F821 # fmt: skip


def digit_games():
    """Digits over 600 rounds."""
    for seed in range(3):
        for step, (far, gap) in on_digits(seed).items():
            print(
                f"digits, seed {seed}, {step} rounds: Fréchet {far:.2f}, gap {gap:.2f}", flush=True
            )


def main():
    """Print a line for each game and seed."""
    torch.set_num_threads(1)
    games = {"arrows": arrows, "swing": swing, "ring": ring_games, "digits": digit_games}
    for name in sys.argv[1:] or games:
        games[name]()


if __name__ == "__main__":
    main()
