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
# # 05 · Latent variables and the ELBO: solutions
#
# Try the exercises in the lesson first: the checker there names the likely mistake. Each solution below comes with a check by another route.

# %%
import numpy as np
import torch

from genlab import latent
import genlab_course as course
from genlab.core import kl_categorical
from genlab_course import check
from genlab.oracles import Gaussian
from genlab.oracles.continuous import kl_gaussian

course.begin(lesson=5)
torch.set_default_dtype(torch.float64)

# %% [markdown]
# **1. The other side.** Seeing $x=0$ turns the decoder's row into $.7,.1$. The price of the code does not look at $x$ and stays 0.020136. The posterior is now
# $.35/.4=.875$ for $z=0$, so a guess of $.6$ for $z=1$ is far off, and the gap shows it: .63 nats, more than ten times that of row 3.

# %%
likelihood, prior, q = np.array([0.7, 0.1]), np.array([0.5, 0.5]), np.array([0.4, 0.6])
recon = q @ np.log(likelihood)
kl = q @ np.log(q / prior)
elbo = recon - kl
gap = np.log(0.5 * 0.7 + 0.5 * 0.1) - elbo
my_row = np.array([recon, kl, elbo, gap])
course.exercise("05.other-side", my_row)
posterior = torch.tensor([0.875, 0.125])
check(
    "its gap by Bayes and a KL",
    gap,
    kl_categorical(torch.tensor(q), posterior).item(),
    atol=1e-12,
    unlike={"KL(posterior || q)": kl_categorical(posterior, torch.tensor(q))},
)
print(my_row.round(6))


# %% [markdown]
# **2. The split.** Two averages under $q$. Where $q$ is 0 its terms are 0.

# %%
def split(log_lik, prior, q):
    return q @ log_lik - q @ np.log(q / prior)


course.exercise("05.split", split)
joint = torch.tensor(np.log(likelihood) + np.log(prior))[None]
by_enumeration = latent.discrete_elbo(torch.tensor(q)[None], joint).item()
check(
    "reconstruction - KL = E_q log w",
    split(np.log(likelihood), prior, q),
    by_enumeration,
    atol=1e-12,
    unlike={"entropy of q forgotten": q @ np.log(likelihood * prior)},
)


# %% [markdown]
# **3. Mean field.** With equal means the KL of two normals is $\tfrac12\big[\sum_j\Lambda_{jj}v_j-k-\sum_j\log v_j-\log\det\Lambda\big]$, $\Lambda$ being the inverse
# of `cov`. Its derivative in $v_j$ is $\tfrac12(\Lambda_{jj}-1/v_j)$, zero at $v_j=1/\Lambda_{jj}$. Then each $\Lambda_{jj}v_j$ is 1, their sum cancels $k$, and
# $\tfrac12\big(\sum_j\log\Lambda_{jj}-\log\det\Lambda\big)$ is left.

# %%
def mean_field_gap(cov):
    precision = np.linalg.inv(cov)
    return 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])


course.exercise("05.mean-field", mean_field_gap)
cov = torch.tensor([[0.5, 0.2], [0.2, 0.4]])
zero, best = torch.zeros(2), (1 / torch.linalg.inv(cov).diagonal()).diag()
check(
    "the formula = KL of the two normals",
    mean_field_gap(cov.numpy()),
    kl_gaussian(Gaussian(zero, best), Gaussian(zero, cov)).item(),
    unlike={"variances cov_jj": 0.5 * (cov.diagonal().log().sum() + torch.logdet(cov))},
)
worse = min(kl_gaussian(Gaussian(zero, f * best), Gaussian(zero, cov)).item() for f in (0.9, 1.1))
print(f"a tenth more or less variance: {worse:.6f} instead of {mean_field_gap(cov.numpy()):.6f}")


# %% [markdown]
# **4. The log of the mean, safely.** Adding a constant to all log-weights adds it to the result; so take out the largest, and the biggest term of the sum
# is $e^0=1$.

# %%
def many_draws(log_w):
    top = log_w.max(0)
    return top + np.log(np.exp(log_w - top).mean(0))


course.exercise("05.log-mean-weight", many_draws)
log_w = np.array([[-1.0, 0.3], [-2.0, 0.1], [0.5, -0.7]]) - 1000
check(
    "as without the shift by 1000",
    many_draws(log_w),
    np.log(np.exp(log_w + 1000).mean(0)) - 1000,
    unlike={"mean of the logs": log_w.mean(0), "K not divided out": np.logaddexp.reduce(log_w)},
)


# %% [markdown]
# **5. The M-step.** $\partial/\partial m_k$ of $-\sum_iq_{ik}\lVert x_i-m_k\rVert^2/2s_k^2$ vanishes where $m_k\sum_iq_{ik}=\sum_iq_{ik}x_i$: a weighted average, and
# the width does not matter.

# %%
def component_means(x, q):
    return q.T @ x / q.sum(0)[:, None]


course.exercise("05.m-step", component_means)
x = torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
r = torch.rand(30, 3, generator=torch.Generator().manual_seed(1))
r = r / r.sum(1, keepdim=True)
m = torch.tensor(component_means(x.numpy(), r.numpy()), requires_grad=True)
(r * ((x[:, None] - m) ** 2).sum(-1)).sum().backward()
at_start = (r[..., None] * (zero - x[:, None])).sum(0)  # half the gradient at means of zero
check(
    "the bound is flat there",
    m.grad,
    0.0,
    atol=1e-12,
    unlike={"at means of zero": at_start.clone()},
)


# %% [markdown]
# **6. Information.** How far is each code from the average code? If all are equal the answer is 0, whatever the prior: that is collapse.

# %%
def information(q):
    return (q * np.log(q / q.mean(0))).sum(1).mean()


course.exercise("05.information", information)
codes = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.2, 0.7]])
entropy = lambda p: -(p * np.log(p)).sum(-1)  # noqa: E731
check(
    "I = H(mean code) - mean H(code)",
    information(codes),
    entropy(codes.mean(0)) - entropy(codes).mean(),
    atol=1e-12,
    unlike={"KL to a uniform prior": (codes * np.log(3 * codes)).sum(1).mean()},
)
