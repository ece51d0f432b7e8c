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
# # 04 · Normalizing flows: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import math

import torch

import genlab_course as course

course.begin(lesson=4)


# %% [markdown]
# ## 04.stretch
#
# Undo the map, last step first: $z=(x-b)/a$. Ask the base at that $z$. Then subtract the logarithm of the stretch, $\log|a|$: the same mass lies on more length. The bars matter for $a<0$.

# %%
def log_density(x, a, b):
    z = (x - b) / a
    return -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - math.log(abs(a))


course.exercise("04.stretch", log_density)


# %% [markdown]
# ## 04.stack
#
# The last layer touched $x$ last, so it is undone first. Each inverse reports the log-determinant of the way back, at the point that it was given; on the way to the base they are added. The base is $d$ independent normals: $d$ constants.

# %%
def my_log_prob(x, layers):
    log_det = 0.0
    for layer in reversed(layers):
        x, step = layer.inverse(x)  # (n, d), (n,)
        log_det = log_det + step
    base = -0.5 * x**2 - 0.5 * math.log(2 * math.pi)  # (n, d)
    return base.sum(1) + log_det


course.exercise("04.stack", my_log_prob)


# %% [markdown]
# ## 04.coupling
#
# The half that stays is the same on both ways, so the network gives the same $s$ and $t$. Back to $z$, the shift is undone first, since it was done last. Work on a copy: the layers before this one still need the points that you were given.

# %%
def my_coupling(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    if way == "sample":
        b[:, ~stays] = s.exp() * a[:, ~stays] + t
        return b, s.sum(1)
    b[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return b, -s.sum(1)


course.exercise("04.coupling", my_coupling)


# %% [markdown]
# ## 04.block
#
# Given $x$, everything that the network reads is there: one evaluation. Given $z$, column $i$ of the answer is right only once the columns before it are: fill them from left to right, and ask again for each.

# %%
def my_block(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) * (-s).exp(), -s.sum(1)
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


course.exercise("04.block", my_block)


# %% [markdown]
# ## 04.sweeps
#
# Each sweep makes *all* coordinates anew, from the noise $z$; the last guess is only read. After sweep $k$ the first $k$ coordinates are final.

# %%
def my_sweeps(z, net, n):
    x = torch.zeros_like(z)
    for _ in range(n):
        s, t = net(x)
        x = s.exp() * z + t
    return x


course.exercise("04.sweeps", my_sweeps)


# %% [markdown]
# ## 04.whole-numbers
#
# Two lines. The noise spreads a level over its bin, so that a spike no longer pays. And a density becomes the probability of a bin by the bin's volume, $17^{-d}$: in nats, $+d\log17$ in the code length.

# %%
def my_bits(log_prob, x, u, levels):
    d = x.shape[1]
    y = (x + u) / levels  # (n, d)
    nats = -log_prob(y) + d * math.log(levels)  # (n,)
    return nats.mean() / (d * math.log(2))


course.exercise("04.whole-numbers", my_bits)
