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
# # 10 · Energy-based models: worked solutions
#
# Try each exercise of the lesson first, and ask for its three hints.

# %%
import math

import numpy as np
import torch

import genlab_course as course
from genlab import score
from genlab_course import check

course.begin(lesson=10)


# %% [markdown]
# **10.1, the slope of log Z.** $Z$ is a sum of $e^{-E}$, so its slope in one energy is $-e^{-E}$ of that box. The logarithm divides by $Z$: what is left is $-e^{-E}/Z=-p$.

# %%
def slopes(energies):
    return -torch.softmax(-energies, 0)


course.exercise("10.slope-of-log-z", slopes)
boxes = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
(by_autograd,) = torch.autograd.grad(torch.logsumexp(-boxes, 0), boxes)
check("minus the probabilities", slopes(boxes.detach()), by_autograd,
      unlike={"not divided by Z": -(-boxes.detach()).exp()})  # fmt: skip


# %% [markdown]
# **10.2, the chain.** The slope of the *sum* of all energies in $x$ holds each point's own slope. `detach` ends the graph of the step before, and `x = x - ...` makes new points.

# %%
def langevin(energy, x, eta, n_steps, rng):
    for _ in range(n_steps):
        x = x.detach().requires_grad_()
        (slope,) = torch.autograd.grad(energy(x).sum(), x)
        noise = torch.randn(x.shape, generator=rng)
        x = x.detach() - eta * slope + math.sqrt(2 * eta) * noise
    return x


course.exercise("10.langevin", langevin)


# %% [markdown]
# **10.3, where it settles.** At rest $v=(1-\eta c)^2v+2\eta$. Since $1-(1-\eta c)^2=\eta c\,(2-\eta c)$,
# $$v=\frac{2\eta}{\eta c\,(2-\eta c)}=\frac1{c\,(1-\eta c/2)}.$$

# %%
def settled_variance(eta, c):
    return 1 / (c * (1 - eta * c / 2))


course.exercise("10.settled-variance", settled_variance)
variance = 0.0
for _ in range(200):  # the recursion itself, from a point
    variance = (1 - 0.1 * 3) ** 2 * variance + 2 * 0.1
check("the recursion ends there", settled_variance(0.1, 3.0), variance,
      unlike={"a step twice as long": settled_variance(0.2, 3.0)})  # fmt: skip


# %% [markdown]
# **10.4, one step of training.** The gap's slope is that of the mean negative log-likelihood. The negatives carry no graph, so nothing has to be cut.

# %%
def update(energy, optimizer, x, negatives):
    gap = energy(x).mean() - energy(negatives).mean()
    optimizer.zero_grad()
    gap.backward()
    optimizer.step()
    return gap.item()


course.exercise("10.update", update)


# %% [markdown]
# **10.5, a pool that never moves.** Her chains take their steps, and the pool never hears of it: every update begins again at the first noise.

# %%
def negatives_from(pool, rows, walk):
    x = walk(pool[rows])
    pool[rows] = x
    return x


course.exercise("10.pool", negatives_from)


# %% [markdown]
# **10.6, one valley.** $E''=b\,(12x^2-4)$ is least at $x=0$, where it is $-4b$. The spring adds $1/s^2$, which is enough up to $s=1/2\sqrt b$.

# %%
def longest_spring(b):
    return 1 / (2 * math.sqrt(b))


course.exercise("10.spring", longest_spring)
x = torch.linspace(-2, 2, 4001, dtype=torch.float64)
bend = 6 * (12 * x**2 - 4)
check("the least curvature is then 0", bend.min() + 1 / longest_spring(6) ** 2, 0.0,
      atol=1e-9, unlike={"a spring twice as long": bend.min() + 6})  # fmt: skip


# %% [markdown]
# **10.7, the descent.** From the noisiest rung to the cleanest. On each, the points where the rung above has ended are the noisy copies, and the walk begins at them.

# %%
def descent(rungs, x, tied, walk):
    for energy, s in reversed(rungs):
        x = walk(tied(energy, x, s), x, s)
    return x


course.exercise("10.descent", descent)


# %% [markdown]
# **10.8, accept or stay.** The proposal is normal with mean $x-\eta E'(x)$ and variance $2\eta$, so $\log q(y\mid x)=-(y-x+\eta E'(x))^2/4\eta$ up to a constant that is the same both ways. $Z$ has cancelled.

# %%
def log_acceptance(x, y, energy, slope, eta):
    there = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return min(0.0, energy(x) - energy(y) + back - there)


course.exercise("10.acceptance", log_acceptance)


# %% [markdown]
# **10.9, the weight of a path.** At a fixed place $\log f_\beta$ changes by $(\beta'-\beta)(-E-\log q)$ when the level is raised. The moves in between change no weight. With two levels, 0 and 1, what is left is the plain importance weight $e^{-E}/q$.

# %%
def log_weight(betas, log_q, energy):
    return float(np.sum(np.diff(betas) * (-energy - log_q)))


course.exercise("10.annealed-weights", log_weight)
x = torch.linspace(-1, 1, 5, dtype=torch.float64)[:, None]
log_q = lambda x: -x.square().sum(1) / 2
energy = lambda x: x.square().sum(1)
path = list(score.annealed_importance(
    log_q, energy, x, torch.linspace(0, 1, 4), step_size=0.1,
    generator=torch.Generator().manual_seed(0)))  # fmt: skip
heights = [(log_q(state.x)[0], energy(state.x)[0]) for state in path[:-1]]
check("genlab's weight of the first particle",
      log_weight(np.linspace(0, 1, 4), *np.array(heights).T), path[-1].log_w[0], rtol=1e-5,
      unlike={"the base left out": -np.mean([e for _, e in heights])})  # fmt: skip
