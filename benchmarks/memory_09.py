"""Lesson 09, a model that learns 100 digits by heart (python benchmarks/memory_09.py).

The page's network, its `bits` and its `sample`, read from its text; six training seeds, and for
each seed other training digits.
"""

import math

import torch
from page import define
from torch.nn import functional as F

from genlab.data.digits import load_digits
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.nn.layers import MaskedMLP

LOOKS = (25, 50, 100, 200, 400, 800)


def page(made):
    """The page's `bits` and `sample` of a network."""
    names = {"torch": torch, "F": F, "math": math, "made": made}
    define("09_evaluation", ("bits", "sample"), names)
    return names["bits"], names["sample"]


def nearest(box, own):
    """Distance of each picture to the nearest training digit."""
    return torch.cdist(box.flatten(1), own.flatten(1)).amin(1)


def trained(seed, images, held_out, net):
    """(step, bits of training and of held-out digits, Fréchet distance, copies) at each look."""
    rows = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))[:100]
    own = images[rows]
    torch.manual_seed(seed)
    made = MaskedMLP(64, 17, width=512).float()
    bits, sample = page(made)
    adam = torch.optim.Adam(made.parameters(), lr=3e-3)
    limit = nearest(held_out, own).quantile(0.05)
    reference = net.features(held_out)
    for step in range(1, LOOKS[-1] + 1):
        loss = bits(own)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if step in LOOKS:
            box = sample(400, torch.Generator().manual_seed(step))
            distance = frechet_distance(reference, net.features(box))
            copies = (nearest(box, own) < limit).double().mean()
            with torch.no_grad():
                yield step, bits(own), bits(held_out), distance, copies


def main():
    """Print every look of six trainings."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    images = load_digits("train").images.double()
    held_out = torch.cat([load_digits(part).images for part in ("val", "test")]).double()
    net = load_classifier()
    for seed in range(6):
        for step, *found in trained(seed, images, held_out, net):
            own, new, distance, copies = map(float, found)
            row = f"bits {own:.2f} and {new:.2f}, Fréchet {distance:.2f}, copies {copies:.2f}"
            print(f"seed {seed}, step {step:3}: {row}", flush=True)


if __name__ == "__main__":
    main()
