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
# # 06 · The VAE in practice: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import math

import numpy as np

from genlab import course

course.begin(lesson=6)


# %% [markdown]
# ## 06.kl
#
# Each latent contributes $\tfrac12(\sigma^2+\mu^2-1-\log\sigma^2)$, which vanishes at $\mu=0,\ \log\sigma^2=0$. Independent latents add up, so the
# last axis is summed; examples are kept apart.

# %%
def divergence(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(-1)


course.exercise("06.kl", divergence)


# %% [markdown]
# ## 06.step
#
# With $\epsilon$ a constant, $\partial z/\partial\mu=1$ and $\partial z/\partial\log\sigma^2=\tfrac12\sigma\epsilon$. The reconstruction sends back
# $-(x-z)$ through both; the divergence adds $\mu$ and $\tfrac12(\sigma^2-1)$.

# %%
def one_step(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    nll = 0.5 * (x - z) ** 2 + 0.5 * math.log(2 * math.pi)
    kl = 0.5 * (mu**2 + sigma**2 - 1 - log_var)
    d_z = -(x - z)
    return nll + kl, d_z + mu, d_z * eps * sigma / 2 + (sigma**2 - 1) / 2


course.exercise("06.step", one_step)


# %% [markdown]
# ## 06.reinforce
#
# The score in $\mu$ is $(z-\mu)/\sigma^2$. Its mean is zero, so anything that does not depend on the same draw may be taken off $f$. The mean of the
# others qualifies. The mean of all does not: it would shrink the estimate by $(K-1)/K$.

# %%
def reinforce(f, z, mu, sigma):
    others = (f.sum() - f) / (len(f) - 1)
    return float(np.mean((f - others) * (z - mu) / sigma**2))


course.exercise("06.reinforce", reinforce)


# %% [markdown]
# ## 06.bits
#
# One nat is $1/\log2$ bits. A density has to be turned into a probability first: times the width of a bin, $1/L$, which costs $\log_2L$ bits for each
# dimension.

# %%
def bits_of(nll, n_dims, levels, is_density):
    return nll / (n_dims * math.log(2)) + (math.log2(levels) if is_density else 0.0)


course.exercise("06.bits", bits_of)


# %% [markdown]
# ## 06.waste
#
# The aggregate is a mixture of $n$ normals. By the law of total variance its variance is that of the means plus the mean of the variances. The
# normal with these moments goes into the formula of 06.kl. (The mixture's own divergence is at least this large: for given moments the normal has
# the largest entropy.)

# %%
def waste_of(mu, log_var):
    mean, var = mu.mean(0), mu.var(0) + np.exp(log_var).mean(0)
    return 0.5 * (mean**2 + var - 1 - np.log(var))


course.exercise("06.waste", waste_of)
