"""Lesson 06's failure 2 at ten times the steps: what a code pays and carries, and its bound.

    python benchmarks/collapse_06.py [STEPS]

The page's own classes and functions, read from its text; three training seeds, 3,000 steps unless
told otherwise (the page has 300). The weight of the annealed run rises for four fifths of them.
"""

import sys

import torch
import torch.nn.functional as F
from page import define
from torch import nn

from genlab import latent
from genlab.data.digits import binarize, load_mnist
from genlab_course.exercises.lesson_06 import parts

NEEDED = {"VAE", "train", "Strong", "weighted", "measured"}


def page():
    """The definitions of the page that are needed, on its digits."""
    digits, test = (
        binarize(load_mnist(part, 16).images).flatten(1).float() for part in ("train", "test")
    )
    names = {
        "torch": torch, "nn": nn, "F": F, "latent": latent,
        "digits": digits, "test": test, "parts": parts,
    }  # fmt: skip
    define("06_vae_in_practice", NEEDED, names)
    return names


def main():
    """Print bound, paid, carried and active numbers of each training."""
    torch.set_num_threads(1)
    n_steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    of = page()
    for name, build, loss in (
        ("long path", lambda: of["Strong"](4), of["weighted"]()),
        ("annealed", lambda: of["Strong"](4), of["weighted"](warm=n_steps * 4 // 5)),
        ("free bits", lambda: of["Strong"](4), of["weighted"](floor=0.5)),
        ("short path", lambda: of["Strong"](2), of["weighted"]()),
        ("plain VAE", lambda: of["VAE"](8, 64), of["weighted"]()),
        ("mean over pixels", lambda: of["VAE"](8, 64), of["weighted"](beta=256)),
    ):
        for seed in (0, 1, 2):
            torch.manual_seed(seed)
            model = build()
            of["train"](model, loss, n_steps, seed, lr=1e-2, batch=32)
            (bound, paid, carried), active = of["measured"](model, seed)
            row = f"bound {bound:.2f}, paid {paid:.2f}, carried {carried:.2f}, active {active}"
            print(f"{name}, seed {seed}: {row}", flush=True)


if __name__ == "__main__":
    main()
