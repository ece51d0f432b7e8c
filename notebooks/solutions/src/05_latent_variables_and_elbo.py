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
# Try each exercise first, and ask for its three hints. Every solution is followed by one check that the reply does not make.

# %%
import math

import torch
import torch.nn.functional as F

import genlab_course as course
from genlab import core, latent
from genlab_course import check

course.begin(lesson=5)
torch.set_default_dtype(torch.float64)
generator = core.make_generator(5)

# %% [markdown]
# **05.1, no ink.** Seeing no ink turns the decoder's row into 0.7 and 0.1. The price of the code does not look at $x$ and stays 0.020. The posterior is now $.35/.4=.875$ for $z=0$, so a guess of 0.6 for $z=1$ is far off, and the gap shows it: 0.63 nats, more than ten times that of row 3.

# %%
likelihood, q = torch.tensor([0.7, 0.1]), torch.tensor([0.4, 0.6])
recon = (q * likelihood.log()).sum()
price = (q * (q / 0.5).log()).sum()
elbo = recon - price
gap = math.log(0.5 * 0.7 + 0.5 * 0.1) - elbo
my_row = torch.stack([recon, price, elbo, gap])

course.exercise("05.other-side", my_row)
posterior = torch.tensor([0.875, 0.125])
check(
    "its gap by Bayes and a KL",
    gap,
    core.kl_categorical(q, posterior),
    unlike={"KL(posterior || q)": core.kl_categorical(posterior, q)},
)
print([round(value, 3) for value in my_row.tolist()])


# %% [markdown]
# **05.2, the E-step.** With one-hot pictures the sum over the pixels in (7) is a sum of products: over pixel and level, picture times log table. Add the log of the weights. `logsumexp` over the templates is $\log p(x)$, and what is left after subtracting it is the log of the posterior.

# %%
def e_step(x, log_weights, log_tables):
    log_joint = torch.einsum("ndl,kdl->nk", x, log_tables) + log_weights
    log_px = log_joint.logsumexp(1)
    return (log_joint - log_px[:, None]).exp(), log_px


course.exercise("05.e-step", e_step)
weights = torch.tensor([0.7, 0.3]).log()
tables = torch.tensor([[[0.2, 0.8], [0.5, 0.5]], [[0.6, 0.4], [0.1, 0.9]]]).log()
all_four = F.one_hot(torch.cartesian_prod(torch.arange(2), torch.arange(2)), 2).double()
log_px = e_step(all_four, weights, tables)[1]
check(
    "the probabilities of all four pictures of two pixels sum to 1",
    log_px.exp().sum(),
    1.0,
    unlike={"weights forgotten": e_step(all_four, 0 * weights, tables)[1].exp().sum()},
)


# %% [markdown]
# **05.3, the M-step.** `einsum` counts: for each template, pixel and level it adds up $q_{ik}$ of the pictures that show this level. Then count and divide, along the levels. The pseudo-count belongs into the sum as well, so that each table sums to 1.

# %%
def m_step(x, q, pseudo_count):
    counts = torch.einsum("nk,ndl->kdl", q, x) + pseudo_count
    return q.mean(0).log(), (counts / counts.sum(-1, keepdim=True)).log()


course.exercise("05.m-step-tables", m_step)
x = F.one_hot(torch.randint(3, (30, 4), generator=generator), 3).double()
q = torch.rand(30, 2, generator=generator)
q = q / q.sum(1, keepdim=True)
weights, tables = (part.requires_grad_() for part in m_step(x, q, 0.5))


def climbed(weights, tables):  # what the M-step maximises, with the pseudo-counts
    joint = torch.einsum("ndl,kdl->nk", x, tables.log_softmax(-1)) + weights.log_softmax(0)
    return (q * joint).sum() + 0.5 * tables.log_softmax(-1).sum()


slope = torch.autograd.grad(climbed(weights, tables), (weights, tables))
other = [part.detach().requires_grad_() for part in m_step(x, q, 0.0)]
slope_other = torch.autograd.grad(climbed(*other), other)
check(
    "no slope at your answer",
    torch.cat([part.flatten() for part in slope]),
    torch.zeros(26),
    unlike={"without the pseudo-count": torch.cat([part.flatten() for part in slope_other])},
)


# %% [markdown]
# **05.4, the loss of a guesser.** $q$ stands in (9) twice, as a weight and inside the logarithm. `log_softmax` gives $\log q$ without passing through a $q$ of zero. With `softmax(...).log()` a logit of $-900$ gives $0\cdot(-\infty)$, which is nan, and one nan in a batch destroys all weights.

# %%
def guesser_elbo(logits, log_joint):
    log_q = logits.log_softmax(-1)
    return (log_q.exp() * (log_joint - log_q)).sum(-1)


course.exercise("05.guesser-elbo", guesser_elbo)
log_joint = torch.randn(5, 4, generator=generator)
check(
    "logits = log p(x, z): the bound is log p(x)",
    guesser_elbo(log_joint, log_joint),
    log_joint.logsumexp(1),
    unlike={"all z alike": guesser_elbo(0 * log_joint, log_joint)},
)


# %% [markdown]
# **05.5, log of the mean.** Adding a constant to all log-weights adds it to the result. So take out the largest *of each column*: then the biggest term of the mean is $e^0=1$. `log_w.logsumexp(0) - math.log(len(log_w))` does the same.

# %%
def log_mean_weight(log_w):
    top = log_w.max(0).values
    return top + (log_w - top).exp().mean(0).log()


course.exercise("05.log-mean-weight", log_mean_weight)
near = torch.randn(6, 3, generator=generator)
check(
    "near -1000: as near 0, shifted",
    log_mean_weight(near - 1000) + 1000,
    near.exp().mean(0).log(),
    unlike={"mean of the logs": near.mean(0)},
)


# %% [markdown]
# **05.6, what does the code say?** How far is each code from the average code? If all are equal the answer is 0, whatever the prior. `torch.xlogy` knows that $0\log0=0$.

# %%
def information(q):
    average = q.mean(0)
    return torch.xlogy(q, q / average).sum(1).mean()


course.exercise("05.information", information)
alike = torch.tensor([[0.9, 0.1]] * 4)
to_prior = core.kl_categorical(alike, torch.tensor([0.5, 0.5]).expand(4, 2)).mean()
check(
    "codes that are all alike, far from the prior",
    information(alike),
    0.0,
    unlike={"the price": to_prior},
)


# %% [markdown]
# **05.7, a schedule.** While $\beta<1$, the line of optima is tilted towards codes that say much. After half of the training, decoder and codes depend on $z$, and at $\beta=1$ nothing pulls them back. A ramp, `min(1, step / (n_steps / 2))`, works as well. `step / n_steps` never reaches 1 before the last step, and five steps at a low price are too few.

# %%
def schedule(step, n_steps):
    return 0.5 if step < n_steps / 2 else 1.0


course.exercise("05.warm-start", schedule)
codes = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
silent = torch.full((2, 2), 0.5)
at_half = [latent.mutual_information(q) * (1 - schedule(0, 100)) for q in (codes, silent)]
check(
    "at half the price, speaking codes are worth half of log 2 more",
    at_half[0] - at_half[1],
    0.5 * math.log(2),
    unlike={"at the full price": (1 - schedule(99, 100)) * latent.mutual_information(codes)},
)
