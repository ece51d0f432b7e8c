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
# # 03 · Maximum likelihood and the KL view: solutions
#
# One worked answer for each exercise of the lesson, with the reasoning. Try first, then ask for hints, then read.

# %%
import math

import numpy as np
import torch

from genlab import core, oracles
import genlab_course as course
from genlab_course import check

course.begin(lesson=3)
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 1. Compute: a KL by hand
#
# Term by term: $0.6\log\frac{0.6}{0.3}=0.6\log 2=0.4159$; $0.3\log 1=0$; $0.1\log\frac{0.1}{0.4}=-0.1\log 4=-0.1386$. The sum is $0.6\log2-0.2\log2=0.4\log 2$.

# %%
answer = 0.4 * math.log(2)
course.exercise("03.kl-value", answer)
p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.3, 0.3, 0.4])
reverse = core.kl_categorical(q, p)
check("0.4 log 2", answer, core.kl_categorical(p, q), unlike={"KL(q || p)": reverse})


# %% [markdown]
# ## 2. Compute: the mean NLL from counts
#
# An outcome that was seen $N_v$ times contributes $N_v$ equal terms $-\log q_v$. Divide by the number of observations $\sum_v N_v$, not by the number of outcomes.

# %%
def nll_from_counts(counts, q):
    return -(counts * np.log(q)).sum() / counts.sum()


course.exercise("03.nll-from-counts", nll_from_counts)
data = np.array([0, 0, 1, 2, 1, 0, 1, 0, 1, 2])  # the same as counts (4, 4, 2)
q = np.array([0.5, 0.3, 0.2])
check(
    "from counts = from the raw data",
    nll_from_counts(np.bincount(data), q),
    -np.log(q[data]).mean(),
    unlike={"divided by the number of outcomes": -(np.bincount(data) * np.log(q)).mean()},
)


# %% [markdown]
# ## 3. Derive: the forward fit to a mixture
#
# By step 8 the answer has the mean and the variance of the mixture. The mean is $\mu=\sum_k\pi_k m_k$. For the variance use $\mathbb E[x^2]=\sum_k\pi_k(s_k^2+m_k^2)$ and subtract $\mu^2$:
#
# $$s^{\star2}=\underbrace{\sum_k\pi_k s_k^2}_{\text{inside the components}}+\underbrace{\sum_k\pi_k(m_k-\mu)^2}_{\text{between them}}.$$

# %%
def best_gaussian(weights, means, stds):
    mean = (weights * means).sum()
    second = (weights * (stds**2 + means**2)).sum()
    return mean, np.sqrt(second - mean**2)


course.exercise("03.forward-fit", best_gaussian)
weights, means, stds = np.array([0.6, 0.4]), np.array([-2.0, 2.0]), np.array([0.6, 0.6])
mixture = oracles.GaussianMixture(*(torch.tensor(a) for a in (weights, means[:, None], stds)))
x = torch.linspace(-12, 12, 2401)
p = mixture.log_prob(x[:, None]).exp()
mean = core.integrate(p * x, x)
width = core.integrate(p * (x - mean) ** 2, x).sqrt()
check(
    "mean and standard deviation, by quadrature",
    torch.stack([mean, width]),
    best_gaussian(weights, means, stds),
    unlike={"only inside the components": [mean.item(), np.sqrt((weights * stds**2).sum())]},
)


# %% [markdown]
# ## 4. Derive: the Fisher information of a Poisson rate
#
# $\log p_\lambda(n)=-\lambda+n\log\lambda-\log n!$, so the slope is $\frac n\lambda-1=\frac{n-\lambda}{\lambda}$. Its mean square is $\operatorname{Var}[n]/\lambda^2=\lambda/\lambda^2=1/\lambda$. Large rates are *harder* to
# know absolutely, although easier relatively.

# %%
def fisher_poisson(rate):
    return 1 / rate


course.exercise("03.fisher-poisson", fisher_poisson)
n = torch.arange(0, 80)
log_p = torch.distributions.Poisson(torch.tensor(7.0)).log_prob(n)
mean_square = (log_p.exp() * (n / 7.0 - 1) ** 2).sum()
check(
    "mean squared slope, by enumeration",
    mean_square,
    fisher_poisson(7.0),
    unlike={"variance of n": (log_p.exp() * (n - 7.0) ** 2).sum()},
)


# %% [markdown]
# ## 5. Build: a loss with its error bar
#
# Convert every image first: then the mean and the spread are in the same unit. The error of a *mean* is the spread over $\sqrt N$.

# %%
def report(log_probs, n_dims):
    bits = -log_probs / (n_dims * math.log(2))
    return bits.mean(), bits.std(ddof=1) / math.sqrt(len(bits))


course.exercise("03.error-bar", report)


# %% [markdown]
# ## 6. Build: additive smoothing
#
# Add, then divide each row by its own *new* sum, which is the old one plus $k\alpha$. In Bayesian words: the posterior mean under a symmetric Dirichlet prior with concentration $\alpha$.

# %%
def smooth(counts, alpha):
    counts = counts + alpha
    return counts / counts.sum(axis=1, keepdims=True)


course.exercise("03.smoothing", smooth)
table = np.array([[3.0, 0.0, 1.0], [0.0, 5.0, 5.0]])
check(
    "every row is a distribution",
    smooth(table, 0.5).sum(1),
    1.0,
    unlike={"divided by the old sum": ((table + 0.5) / table.sum(1, keepdims=True)).sum(1)},
)
check(
    "much smoothing forgets the data",
    smooth(table, 1e12),
    1 / 3,
    unlike={"little smoothing": smooth(table, 0.5)},
)
