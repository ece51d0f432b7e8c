"""Lesson 05's project: templates that share their counts (python benchmarks/project_05.py).

EM of the page with another M-step: the pseudo-counts of a pixel are shared out like its histogram.
Their number was chosen on the validation digits. Nine starts, alone and as three averages of three.
"""

import math

import torch
import torch.nn.functional as F

from genlab.core import make_generator
from genlab.data.digits import load_digits
from genlab_course.exercises.lesson_05 import e_step

BITS = 64 * math.log(2)
digits = {
    part: F.one_hot(load_digits(part).images.flatten(1).long(), 17).double()
    for part in ("train", "val", "test")
}
histogram = digits["train"].sum(0) + 0.3
histogram = 17 * histogram / histogram.sum(-1, keepdim=True)  # one for each level on average


def m_step(x, q, pseudo_count):
    """The page's M-step, with pseudo-counts that are shared out like the histogram."""
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count * histogram
    return q.mean(0).log(), (counts / counts.sum(-1, keepdim=True)).log()


def fitted(seed, pseudo_count=1.0, n_templates=20, n_steps=30):
    """Weights and tables after EM from another random start."""
    generator = make_generator(seed)
    q = torch.rand(len(digits["train"]), n_templates, generator=generator).double() ** 3
    q = q / q.sum(1, keepdim=True)
    for _ in range(n_steps):
        q, _ = e_step(digits["train"], *m_step(digits["train"], q, pseudo_count))
    return m_step(digits["train"], q, pseudo_count)


def bits(models, part):
    """Bits per dimension of the average of some mixtures, a mixture itself."""
    log_px = torch.stack([e_step(digits[part], *model)[1] for model in models])
    log_px = log_px.logsumexp(0) - math.log(len(models))
    return (-log_px.mean() / BITS).item()


if __name__ == "__main__":
    for pseudo_count in (0.3, 0.5, 1.0, 2.0):
        found = [bits([fitted(seed, pseudo_count)], "val") for seed in range(3)]
        print(pseudo_count, "validation:", *(f"{value:.3f}" for value in found))
    models = [fitted(seed) for seed in range(9)]
    print("alone, test:", *(f"{bits([model], 'test'):.3f}" for model in models))
    threes = [models[k : k + 3] for k in (0, 3, 6)]
    print("three together, test:", *(f"{bits(three, 'test'):.3f}" for three in threes))
