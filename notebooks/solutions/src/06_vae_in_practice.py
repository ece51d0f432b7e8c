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
# Try the exercises of the lesson first. Each answer below is run, and checked by a second route where there is one.

# %%
import math

import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

import genlab_course as course
from genlab_course import check, check_close_mc

course.begin(lesson=6)
torch.set_default_dtype(torch.float64)


# %% [markdown]
# ## 06.kl
#
# Each latent contributes $\tfrac12(\sigma^2+\mu^2-1-\log\sigma^2)$, which vanishes at $\mu=0,\ \log\sigma^2=0$. Independent latents add up, so the
# last axis is summed; examples are kept apart.

# %%
def divergence(mu, log_var):
    return 0.5 * (mu**2 + np.exp(log_var) - 1 - log_var).sum(-1)


course.exercise("06.kl", divergence)
m, v = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0))
check(
    "against torch.distributions",
    divergence(m.numpy(), v.numpy()),
    kl_divergence(Normal(m, (v / 2).exp()), Normal(0.0, 1.0)).sum(1),
    unlike={
        "the other direction": kl_divergence(
            Normal(torch.zeros(3), 1.0), Normal(m, (v / 2).exp())
        ).sum(1)
    },
)


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
m, v = torch.tensor([0.4, -0.7], requires_grad=True)
z = m + (v / 2).exp() * 0.9
loss = 0.5 * (1.5 - z) ** 2 + 0.5 * math.log(2 * math.pi) + (m**2 + v.exp() - 1 - v) / 2
gradients = [g.item() for g in torch.autograd.grad(loss, (m, v))]
mine = one_step(1.5, 0.4, -0.7, 0.9)
check(
    "gradients = autograd's",
    mine[1:],
    gradients,
    unlike={
        "half of sigma eps forgotten": [
            mine[1],
            (z - 1.5).item() * math.exp(-0.35) * 0.9 + (math.exp(-0.7) - 1) / 2,
        ]
    },
)


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
draws = np.random.default_rng(0).normal(0.3, 0.8, (20_000, 4))  # 4 draws, 20,000 times
losses = 0.5 * (1.2 - draws) ** 2
estimates = [reinforce(f, z, 0.3, 0.8) for f, z in zip(losses, draws, strict=True)]
own = (losses - losses.mean(1, keepdims=True)) * (draws - 0.3) / 0.8**2
check_close_mc(
    "its mean: -(x - mu)",
    np.array(estimates),
    -(1.2 - 0.3),
    unlike={"own draw in the baseline": own.mean(1)},
)


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
m, v = torch.randn(2, 50, 1, generator=torch.Generator().manual_seed(1))
line = torch.linspace(-60, 60, 60_001)
q = Normal(m, (v / 2).exp()).log_prob(line).exp().mean(0)
mean = torch.trapezoid(q * line, line)
std = torch.trapezoid(q * (line - mean) ** 2, line).sqrt()
check(
    "one latent: moments of the aggregate integrated",
    waste_of(m.numpy(), v.numpy()),
    kl_divergence(Normal(mean, std), Normal(0.0, 1.0)),
    atol=1e-6,
    unlike={"variance of the means alone": divergence(m.mean(0).numpy(), np.log(m.numpy().var(0)))},
)
