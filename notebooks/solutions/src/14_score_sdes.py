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
# # 14 · Score-based SDEs: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import math

import numpy as np
import torch

from genlab import score
import genlab_course as course
from genlab.core import std_normal_log_prob
from genlab_course import check
from genlab.solvers import euler

course.begin(lesson=14)
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 14.forgotten-half
#
# Normal data stay normal under $dx=-\tfrac x2dt+dW$, so the score is $-x$ at all times. The SDE's drift is
# $ax-g^2s=-\tfrac x2+x=\tfrac x2$. Used as an ODE, $\dot x=\tfrac x2$ is followed from $t=2$ down to 0: each point is multiplied by
# $e^{-1}$, the variance by $e^{-2}=0.135$. With the half in place the velocity is $-\tfrac x2+\tfrac x2=0$.

# %%
variance_after = math.exp(-2)
course.exercise("14.forgotten-half", variance_after)


# %% [markdown]
# ## 14.strength-of-a-path
#
# In a short time $h$ the drift turns a variance $v$ into $(1+ah)^2v=v+2ahv+\dots$ and the noise adds $g^2h$. So
# $\tfrac{d}{dt}\sigma^2=2a\sigma^2+g^2$, with $a=\dot\alpha/\alpha$ because the mean obeys $\dot\alpha=a\alpha$. Solve for $g^2$, and write
# $\tfrac{d}{dt}\sigma^2=2\sigma\dot\sigma$. A second look, on the straight path at $t=0.3$: $\alpha=0.7$, $\sigma=0.3$, both changing at
# rate 1, and the table says $2t/(1-t)$.

# %%
def noise_strength(sigma, d_sigma, alpha, d_alpha):
    return 2 * sigma * d_sigma - 2 * d_alpha / alpha * sigma**2


course.exercise("14.strength-of-a-path", noise_strength)
check("straight path at t = 0.3", noise_strength(0.3, 1.0, 0.7, -1.0), 2 * 0.3 / 0.7,
      unlike={"the drift forgotten": noise_strength(0.3, 1.0, 0.7, 0.0)})


# %% [markdown]
# ## 14.flow-step
#
# Three conversions in a row, each with its trap: $s=-\epsilon/\sigma$ (sign, and standard deviation, not variance), $v=-\tfrac x2-\tfrac12s$ (the
# half), and a step *down* in time, so minus $h$ times $v$.

# %%
def flow_step(x, eps, t, h):
    sigma = math.sqrt(-math.expm1(-t))
    velocity = -x / 2 - 0.5 * (-eps / sigma)
    return x - h * velocity


course.exercise("14.flow-step", flow_step)
check("the lesson's worked example", flow_step(1.2, 0.8, 0.5, 0.05), 1.1981159, atol=5e-8,
      unlike={"a step up in time": flow_step(1.2, 0.8, 0.5, -0.05)})


# %% [markdown]
# ## 14.ode-log-prob
#
# Carry the point and a running total. Where the velocity diverges, points spread on their way to the noise: they were closer together at
# the data, so the divergence *adds* to the log-density. The prior is asked at the far end. The package does the same with RK4 and takes the
# divergence by autograd; with Euler in its place the two must agree.

# %%
def log_density(velocity, divergence, x0, n):
    x, total = np.array(x0, dtype=float), np.zeros(len(x0))
    for k in range(n):
        t = k / n
        total = total + divergence(x, t) / n
        x = x + velocity(x, t) / n
    return -0.5 * x**2 - 0.5 * math.log(2 * math.pi) + total


course.exercise("14.ode-log-prob", log_density)
x0 = np.array([-1.0, 0.2, 0.7])
ours = log_density(lambda x, t: -np.sinh(x), lambda x, t: -np.cosh(x), x0, 10)
theirs = score.ode_log_prob(
    lambda x, t: -torch.sinh(x), torch.tensor(x0)[:, None], torch.linspace(0, 1, 11),
    prior_log_prob=std_normal_log_prob, method=euler,
)  # fmt: skip
check("mine = genlab's, with Euler's method", ours, theirs,
      unlike={"the divergence subtracted": log_density(
          lambda x, t: -np.sinh(x), lambda x, t: np.cosh(x), x0, 10)})


# %% [markdown]
# ## 14.flow-matching-pair
#
# The point lies on the line from the data (at $t=0$) to the noise (at $t=1$); the target is the derivative of the point in $t$. It does not
# depend on $t$. In the papers' clock both would be turned round: $s=1-t$, and the target $x_0-\epsilon$.

# %%
def matching_pair(x0, eps, t):
    return np.stack([(1 - t) * x0 + t * eps, eps - x0])


course.exercise("14.flow-matching-pair", matching_pair)
