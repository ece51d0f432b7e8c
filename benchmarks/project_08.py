"""Lesson 08's project: which part holds (python benchmarks/project_08.py).

The page's networks and rounds on digits, three seeds: its own game, the non-saturating loss with R1
and the pair with R1 and R2, each with falling rates and a running mean of the generator's weights;
and how steep the critics are between real and fake digits.
"""

import sys

import torch
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab import adversarial
from genlab.core import make_generator
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.train import EMA
from genlab_course.exercises import lesson_07, lesson_08

OF_PAGE = "perceptron", "digit_nets"
define("08_wgan_gradient_penalty", OF_PAGE, globals())
digits = to_unit(load_digits("train").images)
held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
classifier = load_classifier()
ROUNDS = 1500


def describe(images):
    """Features of digits (n, 1, 8, 8) with 17 grey levels."""
    return classifier.features(images.double()).detach()


reference = describe(held_out)


@torch.no_grad()
def measured(generator):
    """Fréchet distance of 1,000 samples to held-out digits, precision and recall of 400."""
    z = torch.randn(1000, 16, generator=make_generator(1))
    features = describe(from_unit(generator(z), whole=False))
    found = precision_recall(reference, features[:400])
    return frechet_distance(reference, features).item(), found.precision, found.recall


def with_penalty(f, x, fake, u):
    """The page's critic, and its generator."""
    return lesson_08.critic_loss(f, x, fake, u), lambda made: -f(made).mean()


def with_r1(f, x, fake, u):
    """The non-saturating loss of lesson 07 with R1."""
    value = lesson_07.losses(f(x), f(fake))[0] + lesson_07.r1(f, x, 1.0)
    return value, lambda made: lesson_07.losses(f(x), f(made))[1]


def in_pairs(f, x, fake, u):
    """The relativistic pair of lesson 07 with R1 and R2."""
    held = lesson_07.r1(f, x, 1.0) + lesson_07.r1(f, fake, 1.0)
    return lesson_07.pair_losses(f(x), f(fake))[0] + held, lambda made: lesson_07.pair_losses(
        f(x), f(made)
    )[1]


def trained(losses, seed, n_critic):
    """The generator, the running mean of its weights, and the critic's steepest slope."""
    G, f = digit_nets(seed)  # noqa: F821
    players = [torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.9)) for net in (G, f)]
    rates = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, ROUNDS) for o in players]
    average = EMA(G, 0.99)
    rng = make_generator(seed)
    for _ in range(ROUNDS):
        for _ in range(n_critic):
            x = digits[torch.randint(len(digits), (128,), generator=rng)]
            fake = G(torch.randn(128, 16, generator=rng)).detach()
            value, for_generator = losses(f, x, fake, torch.rand(128, generator=rng))
            players[1].zero_grad()
            value.backward()
            players[1].step()
        players[0].zero_grad()
        for_generator(G(torch.randn(128, 16, generator=rng))).backward()
        players[0].step()
        for rate in rates:
            rate.step()
        average.update(G)
    u = torch.rand(128, 1, 1, 1, generator=rng)
    return G, average.average, adversarial.slopes(f, u * x + (1 - u) * fake).max().item()


def main():
    """Print a line for each way and seed."""
    torch.set_num_threads(1)
    ways = {"penalty": (with_penalty, 3), "R1": (with_r1, 1), "pairs": (in_pairs, 1)}
    for name in sys.argv[1:] or ways:
        losses, n_critic = ways[name]
        for seed in range(3):
            G, mean, steep = trained(losses, seed, n_critic)
            for kind, network in (("last weights", G), ("their mean", mean)):
                far, precision, recall = measured(network)
                print(f"{name:8} seed {seed}, {kind:12}: Fréchet {far:.3f}, precision "
                      f"{precision:.2f}, recall {recall:.2f}, steepest slope {steep:.2f}",
                      flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
