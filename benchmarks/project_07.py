"""Lesson 07's project: digits that pass for real (python benchmarks/project_07.py).

The page's networks and round, three seeds: its own game, longer; the pair with R1 and R2; and the
pair with a running mean of the generator's weights and falling rates.
"""

import torch
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab.core import make_generator
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.train import EMA
from genlab_course.exercises import lesson_07 as answers

OF_PAGE = "bare", "believed", "with_r1", "paired", "paired_believed", "digit_nets"
losses, pair_losses, r1 = answers.losses, answers.pair_losses, answers.r1
define("07_gans_minimax", OF_PAGE, globals())
digits = to_unit(load_digits("train").images)
held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
classifier = load_classifier()
ROUNDS = 2500


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


def trained(d_loss, g_loss, seed, *, falling=False):
    """The generator after the game, and the running mean of its weights."""
    G, D = digit_nets(seed)  # noqa: F821 - of the page
    players = [torch.optim.Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.9)) for net in (G, D)]
    rates = [torch.optim.lr_scheduler.LinearLR(o, 1.0, 0.1 if falling else 1.0, ROUNDS)
             for o in players]  # fmt: skip
    average = EMA(G, 0.99)
    rng = make_generator(seed)
    for _ in range(ROUNDS):
        x = digits[torch.randint(len(digits), (128,), generator=rng)]
        z, z_new = torch.randn(2, 128, 16, generator=rng)
        answers.game_round(G, D, *players, x, z, z_new, d_loss, g_loss)
        for rate in rates:
            rate.step()
        average.update(G)
    return G, average.average


def main():
    """Print a line for each way and seed."""
    torch.set_num_threads(1)
    ways = {
        "R1": (with_r1, believed, {}),  # noqa: F821 - of the page
        "pairs, R1 and R2, falling rates": (paired, paired_believed, {"falling": True}),  # noqa: F821
    }
    for name, (d_loss, g_loss, settings) in ways.items():
        for seed in range(3):
            G, mean = trained(d_loss, g_loss, seed, **settings)
            for kind, network in (("last weights", G), ("their mean", mean)):
                far, precision, recall = measured(network)
                print(f"{name:32} seed {seed}, {kind:12}: Fréchet {far:.3f}, "
                      f"precision {precision:.2f}, recall {recall:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
