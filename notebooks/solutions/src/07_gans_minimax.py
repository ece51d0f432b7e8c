# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 · GANs: worked solutions
#
# Try each exercise of the lesson first, and ask for its three hints.

# %%
import torch
import torch.nn.functional as F
from torch import nn

import genlab_course as course
from genlab import adversarial
from genlab_course import check

course.begin(lesson=7)
torch.set_default_dtype(torch.float64)


# %% [markdown]
# **07.1, the best discriminator.** The slope of $p\log D+q\log(1-D)$ is $\frac pD-\frac q{1-D}$, and it falls in $D$. It is zero where $p(1-D)=qD$, that is, $p=(p+q)D$.

# %%
def best(p, q):
    return p / (p + q)


course.exercise("07.best-discriminator", best)
p, q = torch.tensor([0.5, 0.5]), torch.tensor([0.7, 0.3])
check("sigmoid of log p - log q", best(p, q), adversarial.optimal_logits(p.log(), q.log()).sigmoid(),
      unlike={"fake": best(q, p)})  # fmt: skip


# %% [markdown]
# **07.2, two slopes.** With $dD/dl=D(1-D)$: the slope of $\log(1-D)$ is $-\frac1{1-D}\cdot D(1-D)=-D$, and that of $-\log D$ is $-\frac1D\cdot D(1-D)=-(1-D)$.

# %%
def slopes(d):
    return -d, -(1 - d)


course.exercise("07.slopes", slopes)


# %% [markdown]
# **07.3, two losses.** $-\log D=-\log\sigma(l)=\mathrm{softplus}(-l)$, and $1-\sigma(l)=\sigma(-l)$ gives $-\log(1-D)=\mathrm{softplus}(l)$. The library's function stays exact for $l=\pm1000$, where the sigmoid has rounded to 0 or 1.

# %%
def losses(l_real, l_fake):
    of_discriminator = F.softplus(-l_real).mean() + F.softplus(l_fake).mean()
    of_generator = F.softplus(-l_fake).mean()
    return of_discriminator, of_generator


course.exercise("07.losses", losses)
l_real, l_fake = torch.tensor([2.0, -900.0]), torch.tensor([-1.0, 700.0])
named = adversarial.discriminator_loss(l_real, l_fake).mean()
swapped = adversarial.discriminator_loss(l_fake, l_real).mean()
check("genlab's loss, far out too", losses(l_real, l_fake)[0], named,
      unlike={"real and fake exchanged": swapped})  # fmt: skip


# %% [markdown]
# **07.4, a round.** Two blocks of five lines. In the first, `detach` cuts the fakes off. In the second it must not, and the discriminator is called *again*, because it has moved. `opt_d.zero_grad()` stands right before the discriminator's `backward()`, so what the generator's turn left there is gone.

# %%
def game_round(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    fake = generator(z).detach()
    loss_d = d_loss(discriminator, x, fake)
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()

    loss_g = g_loss(discriminator, x, generator(z_new))
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


course.exercise("07.round", game_round)


# %% [markdown]
# **07.5, the penalty.** Each logit depends on its own $x$ alone, so the gradient of the *sum* of the logits holds, row by row, the slope of each. `create_graph=True` keeps the graph of that slope, so that the penalty can itself be differentiated in the weights.

# %%
def r1(discriminator, x, gamma):
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return gamma / 2 * slope.flatten(1).square().sum(1).mean()


course.exercise("07.r1", r1)
straight = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
length = straight[0].weight.square().sum()
check("a straight discriminator: gamma / 2 times its squared slope",
      r1(straight, torch.randn(6, 3), 0.4), 0.2 * length,
      unlike={"its slope": 0.2 * length.sqrt()})  # fmt: skip


# %% [markdown]
# **07.6, a measure that a blob passes.** Samples that are far from every centre are dropped before the counting, and the fractions stay fractions of *all* samples.

# %%
def coverage(x, centres, std):
    distance, nearest = torch.cdist(x, centres).min(1)
    nearest = nearest[distance < 3 * std]
    fraction = nearest.bincount(minlength=len(centres)) / len(x)
    return int((fraction >= 0.01).sum())


course.exercise("07.coverage", coverage)


# %% [markdown]
# **07.7, two lines.** $-\log\sigma(g)=\mathrm{softplus}(-g)$ with the gap $g=l(x)-l(G(z))$ of a pair. The generator hopes for the opposite order, $-g$.

# %%
def pair_losses(l_real, l_fake):
    gap = l_real - l_fake
    return F.softplus(-gap).mean(), F.softplus(gap).mean()


course.exercise("07.relativistic", pair_losses)


# %% [markdown]
# **07.8, another game** (*Going further*). The slope of $ut-(u-1)^2$ in $u$ is $t-2(u-1)$, so $u=1+\frac t2$, and the value there is $t+\frac{t^2}2-\frac{t^2}4=t+\frac{t^2}4$.

# %%
def conjugate(t):
    return t + t**2 / 4


course.exercise("07.pearson", conjugate)
t, u = torch.tensor([0.5, -1.2]), torch.linspace(0, 4, 401)
check("the largest u t - (u - 1)^2 on a grid", conjugate(t), (u * t[:, None] - (u - 1) ** 2).amax(1),
      unlike={"the best u": 1 + t / 2})  # fmt: skip
