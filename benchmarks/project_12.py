"""Lesson 12's project: the page's network trained longer, recognised digits and copies by seed.

    python benchmarks/project_12.py

Three training seeds of the page's 640 steps, and of 4,000 with an average of 0.995; network, loop
and mark are the page's. Two draws of 200 samples each. A sample is close if a training digit is
nearer to it than r, the 1 % quantile of the test digits' distances to their nearest training digit.
"""

import time
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from genlab import score
from genlab.core import last
from genlab.data.digits import load_mnist, to_unit
from genlab.train import EMA

ROWS = {"page": (640, 0.98), "longer": (4000, 0.995)}  # steps, d of the average
SEEDS, DRAWS, BATCH, T = (12, 21, 22), (1, 2), 32, 100
BETAS = torch.linspace(0.001, 0.2, T)


class ResBlock(nn.Module):
    """The page's: two convolutions, added to their input; e shifts and scales in between."""

    def __init__(self, c_in, c_out, width):
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(8, c_in), nn.GroupNorm(8, c_out)
        self.conv_1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.conv_2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.shift_scale = nn.Linear(width, 2 * c_out)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        nn.init.zeros_(self.conv_2.weight), nn.init.zeros_(self.conv_2.bias)

    def forward(self, h, e):
        shift, scale = self.shift_scale(e)[:, :, None, None].chunk(2, dim=1)
        a = self.norm_2(self.conv_1(F.silu(self.norm_1(h))))
        return self.shortcut(h) + self.conv_2(F.silu((1 + scale) * a + shift))


class UNet(nn.Module):
    """The page's: (noisy picture, step, label) -> the noise in it."""

    def __init__(self, channels=(16, 32, 64), width=64):
        super().__init__()
        self.speeds, up = 1000 ** (-torch.arange(width // 2) / (width // 2)), channels[::-1]
        self.embed_t = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.embed_label, self.stem = nn.Embedding(10, width), nn.Conv2d(1, up[-1], 3, padding=1)
        pairs = zip((channels[0], *channels[:-1]), channels, strict=True)
        self.down = nn.ModuleList(ResBlock(i, o, width) for i, o in pairs)
        self.middle = ResBlock(up[0], up[0], width)
        pairs = zip((up[0], *up[:-1]), up, strict=True)
        self.up = nn.ModuleList(ResBlock(i + o, o, width) for i, o in pairs)
        self.norm, self.out = nn.GroupNorm(8, channels[0]), nn.Conv2d(channels[0], 1, 3, padding=1)
        nn.init.zeros_(self.out.weight), nn.init.zeros_(self.out.bias)

    def forward(self, x, t, label):
        a = t[:, None] * self.speeds
        e = self.embed_t(torch.cat([a.sin(), a.cos()], dim=1)) + self.embed_label(label)
        e = F.silu(e)
        h, skips = self.stem(x), []
        for k, block in enumerate(self.down):
            h = block(F.avg_pool2d(h, 2) if k else h, e)
            skips.append(h)
        h = self.middle(h, e)
        for k, block in enumerate(self.up):
            h = F.interpolate(h, scale_factor=2.0) if k else h
            h = block(torch.cat([h, skips.pop()], dim=1), e)
        return self.out(F.silu(self.norm(h)))


def trained(digits, labels, n_steps, most, seed):
    """The average of the weights after the page's loop, and the mean of the last 100 losses."""
    torch.manual_seed(seed)
    generator, alphas_bar = torch.Generator().manual_seed(seed), (1 - BETAS).cumprod(0)
    network, losses = UNet(), []
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
