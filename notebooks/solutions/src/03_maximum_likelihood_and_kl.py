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
# # 03 · Maximum likelihood and the two directions of KL: solutions
#
# Try each exercise first, and ask for its three hints. Every solution is followed by one check that the reply does not make.

# %%
import copy
import math

import torch
from torch.distributions import Normal

import genlab_course as course
from genlab import core
from genlab_course import check

course.begin(lesson=3)
torch.set_default_dtype(torch.float64)
generator = core.make_generator(3)

# %% [markdown]
# **03.1, another town.** Term by term: $0.6\log\frac{0.6}{0.3}=0.6\log 2=0.4159$; $0.3\log 1=0$; $0.1\log\frac{0.1}{0.4}=-0.1\log 4=-0.1386$. The sum is $0.6\log2-0.2\log2=0.4\log 2=0.277$.

# %%
excess = 0.4 * math.log(2)

course.exercise("03.kl-value", excess)
p, q = torch.tensor([0.6, 0.3, 0.1]), torch.tensor([0.3, 0.3, 0.4])
reverse = core.kl_categorical(q, p)
check(
    "0.4 log 2", excess, core.kl_categorical(p, q), unlike={"KL(q || p)": reverse}
)


# %% [markdown]
# **03.2, the gradient.** One observation has the slope $q-\text{one-hot}$ (lesson 02). The mean of the one-hot vectors of a row is the vector of its fractions, so the mean slope is
# $$q-\hat p,\qquad\hat p=\frac{\text{counts}}{\text{their sum in that row}}.$$
# It is zero exactly where the prediction equals the fractions.

# %%
def gradient(theta, counts):
    p_hat = counts / counts.sum(-1, keepdim=True)
    return theta.softmax(-1) - p_hat


course.exercise("03.gradient", gradient)
counts = torch.randint(1, 9, (4, 5), generator=generator).double()
p_hat = counts / counts.sum(-1, keepdim=True)
check(
    "no slope at the fractions",
    gradient(p_hat.log(), counts),
    torch.zeros(4, 5),
    unlike={"at the counts as logits": gradient(counts, counts)},
)


# %% [markdown]
# **03.3, the reverse loss.** A place is $z=m+s\,\epsilon$; its log-density under $q$ is that of a normal. With `Normal` it is one line. By hand it is $-\frac12\epsilon^2-\log s-\frac12\log2\pi$, because $(z-m)/s$ is $\epsilon$ again. What matters is that `z` stays a function of `m` and `s`: then $\log p(z)$ pulls the samples uphill, and autograd sees it.

# %%
def reverse_loss(m, s, eps, log_p):
    z = m + s * eps
    log_q = Normal(m, s).log_prob(z)
    return (log_q - log_p(z)).mean()


course.exercise("03.reverse-loss", reverse_loss)
m, s = torch.tensor(0.5), torch.tensor(0.7)
eps = torch.randn(400_000, generator=generator)
exact = -s.log() + (s**2 + m**2 - 1) / 2  # KL of N(m, s^2) from N(0, 1)
check(
    "KL from a standard normal, in closed form",
    reverse_loss(m, s, eps, Normal(0.0, 1.0).log_prob),
    exact,
    atol=0.01,
    unlike={"s taken for the variance": reverse_loss(m, s.sqrt(), eps, Normal(0.0, 1.0).log_prob)},
)


# %% [markdown]
# **03.4, a report.** Convert first: then the mean, the spread and the differences are all in bits per dimension. The gain is a number for each picture, and its error is found as that of any mean.

# %%
def report(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    root = len(bits) ** 0.5
    return bits.mean(), bits.std() / root, gain.mean(), gain.std() / root


course.exercise("03.report", report)
scores = -100 - 12 * torch.randn(500, generator=generator)
check(
    "a rival that is worse by the same on each picture: no doubt",
    report(scores, scores - 64 * math.log(2), 64)[2:],
    [1.0, 0.0],
    unlike={"the unpaired bar": [1.0, 2**0.5 * report(scores, scores, 64)[1]]},
)


# %% [markdown]
# **03.5, the wrong model is kept.** Bug one: `log_prob(x).exp()` of a picture is about $e^{-100}$, the constant $10^{-12}$ is larger by a factor of $10^{31}$, and the loss is $-\log10^{-12}=27.6$ in *every* round, so the first round stays the best one. `log_prob` is a logarithm already. Bug two: `state_dict()` returns the model's own tensors. The next steps change them, and at the end "the best" are the last. Keep a copy.

# %%
def early_stopping(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            nll = -model.log_prob(x_val).mean().item()
        if nll < lowest:
            lowest, best = nll, copy.deepcopy(model.state_dict())
    model.load_state_dict(best)
    return model, lowest


course.exercise("03.early-stopping", early_stopping)
check(
    "the loss of every round, with the constant",
    -math.log(math.exp(-100) + 1e-12),
    12 * math.log(10),
    unlike={"without it": -math.log(math.exp(-100))},
)


# %% [markdown]
# **03.6, three estimates.** The reverse KL averages under $q$, so both models score the samples of $q$. From $\log r=\log p-\log q$ all three follow; the mean comes last.

# %%
def estimates(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    k1 = -log_r
    k2 = log_r**2 / 2
    k3 = log_r.exp() - 1 - log_r
    return k1.mean(), k2.mean(), k3.mean()


course.exercise("03.estimates", estimates)
old, new = Normal(0.0, 1.0), Normal(0.1, 1.0)
z_p, z_q = (torch.randn(400_000, generator=generator) + model.mean for model in (old, new))
check(
    "two normals, 0.1 apart: KL = 0.1^2 / 2",
    estimates(z_p, z_q, old.log_prob, new.log_prob),
    3 * [0.005],
    atol=0.001,
    unlike={"k1 over samples of p": estimates(z_q, z_p, old.log_prob, new.log_prob)},
)


# %% [markdown]
# **03.7, photons.** $\log p_\lambda(n)=-\lambda+n\log\lambda-\log n!$, so the slope is $\frac n\lambda-1=\frac{n-\lambda}{\lambda}$. Its mean square is $\operatorname{Var}[n]/\lambda^2=\lambda/\lambda^2=1/\lambda$. Large rates are *harder* to know absolutely, although easier relatively.

# %%
def fisher_poisson(rate):
    return 1 / rate


course.exercise("03.fisher-poisson", fisher_poisson)
n = torch.arange(0, 80)
log_p = torch.distributions.Poisson(torch.tensor(7.0)).log_prob(n)
check(
    "mean squared slope, by enumeration",
    (log_p.exp() * (n / 7.0 - 1) ** 2).sum(),
    fisher_poisson(7.0),
    unlike={"variance of n": (log_p.exp() * (n - 7.0) ** 2).sum()},
)
