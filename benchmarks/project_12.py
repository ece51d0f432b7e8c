"""Lesson 12's project: the page's network trained longer, recognised digits and copies by seed.

    python benchmarks/project_12.py

Three training seeds of the page's 640 steps, and of 4,000 with an average of 0.995; network, loop
and mark are the page's. Two draws of 200 samples each. A sample is close if a training digit is
nearer to it than r, the 1 % quantile of the test digits' distances to their nearest training digit.
"""

import time
from functools import partial

import torch
import torch.nn.functional as F  # noqa: F401 - of the page
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab import score
from genlab.core import last
from genlab.data.digits import load_mnist, to_unit
from genlab.train import EMA

ROWS = {"page": (640, 0.98), "longer": (4000, 0.995)}  # steps, d of the average
SEEDS, DRAWS, BATCH, T = (12, 21, 22), (1, 2), 32, 100
BETAS = torch.linspace(0.001, 0.2, T)


OF_PAGE = "time_embedding", "ResBlock", "UNet"
define("12_diffusion_i", OF_PAGE, globals())


def trained(digits, labels, n_steps, most, seed):
    """The average of the weights after the page's loop, and the mean of the last 100 losses."""
    torch.manual_seed(seed)
    generator, alphas_bar = torch.Generator().manual_seed(seed), (1 - BETAS).cumprod(0)
    network, losses = UNet(), []  # noqa: F821 - of the page
    average, optimizer = EMA(network, most), torch.optim.Adam(network.parameters())
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=n_steps)
    for _ in range(n_steps):
        rows, t = (torch.randint(n, (BATCH,), generator=generator) for n in (len(digits), T))
        eps = torch.randn(BATCH, 1, 12, 12, generator=generator)
        told = partial(network, label=labels[rows])
        loss = score.ddpm_loss(told, digits[rows], t, eps, alphas_bar=alphas_bar).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        average.update(network)
        losses.append(loss.item())
    return average.average, sum(losses[-100:]) / 100


def main():
    """Print recognised digits and close samples for every row, seed and draw."""
    torch.set_num_threads(1)
    (digits, labels), (test, _) = (load_mnist(split, 16) for split in ("train", "test"))
    digits, test = (to_unit(x, 255)[:, :, 2:14, 2:14].contiguous() for x in (digits, test))
    r = torch.cdist(test.flatten(1), digits.flatten(1)).amin(1).quantile(0.01)
    for name, (n_steps, most) in ROWS.items():
        for seed in SEEDS:
            begin = time.process_time()
            model, loss = trained(digits, labels, n_steps, most, seed)
            took = time.process_time() - begin
            print(f"{name:<7} seed {seed}, {took:.0f} s of one thread, loss {loss:.4f}:")
            for draw in DRAWS:
                g, asked = torch.Generator().manual_seed(draw), torch.arange(10).repeat(20)
                x, told = torch.randn(200, 1, 12, 12, generator=g), partial(model, label=asked)
                x = last(score.ddpm_sample(told, x, betas=BETAS, variances=BETAS, generator=g))
                near, at = torch.cdist(x.flatten(1), digits.flatten(1)).topk(5, largest=False)
                right = (labels[at].mode(1).values == asked).double().mean()
                close, least = int((near[:, 0] < r).sum()), near[:, 0].min()
                print(f"    recognised {right:.3f}; {close} closer than {r:.2f}; least {least:.2f}")


if __name__ == "__main__":
    main()
