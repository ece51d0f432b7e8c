"""How much of the league table is the training seed? Each recipe of lesson 15 trained again.

    python benchmarks/league_seeds.py [NAME ...]

A model is trained with its shipped seed and with others, and drawn three times. The distance is
that of the table, Frechet's to the 400 held-out images; the standard deviation is that of the
trainings' means.
"""

import argparse
import statistics
import unittest.mock

import torch

from genlab.zoo import find
from genlab.zoo.cards import default_dtype
from genlab_course import league

NAMES = ("diffusion", "pixelcnn", "gan", "flow", "ncsn", "wgan", "transformer", "ebm", "vae")


def trained(row, seed):
    """The recipe's model from another seed, in the precision in which the table draws."""
    row = row.but(seed=seed)
    with default_dtype(torch.float32):
        torch.manual_seed(seed)
        model = row.untrained()
        for _ in row.train(model):
            pass
    return model.eval().requires_grad_(False)


def main():
    """Print the distances of each model, one line a training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=[f"digit_{name}" for name in NAMES])
    parser.add_argument("--others", type=int, nargs="*", default=[101, 102, 103])
    options = parser.parse_args()
    for name in options.names:
        means = []
        for seed in (find(name).seed, *options.others):
            model = trained(find(name), seed)
            with unittest.mock.patch.object(league, "load_model", return_value=model):
                draw = league.draws()[name]
                found = [
                    league.quality(
                        draw(league.N_SAMPLES, torch.Generator().manual_seed(k)),
                        torch.Generator().manual_seed(k),
                    )["frechet"]
                    for k in range(3)
                ]
            means.append(statistics.mean(found))
            print(f"{name} seed {seed}: " + " ".join(f"{v:.3f}" for v in found), flush=True)
        print(f"{name}: mean {statistics.mean(means):.3f}, sd over trainings "
              f"{statistics.stdev(means):.3f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
