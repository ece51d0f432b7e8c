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
# # 01 · The four-paradigm map: solutions
#
# Try each exercise first, and ask for its three hints. Every solution is followed by one check that the reply does not make.

# %%
import math

import torch
from torch.distributions import Normal

import genlab_course as course
from genlab.core import make_generator
from genlab.map import AUTOREGRESSIVE, LATENT, SCORE, evaluations
from genlab.score import ddpm_sample, linear_betas
from genlab_course import check, check_range

course.begin(lesson=1)

# %% [markdown]
# **01.1, sort with a generative model.** Bayes' rule: $p(\text{cat}\mid\text{grey})=p(\text{grey}\mid\text{cat})\,p(\text{cat})/p(\text{grey})$. Of 100 animals, 18 are grey cats and 6 are grey dogs.

# %%
p_cat_given_grey = 0.45 * 0.4 / (0.45 * 0.4 + 0.1 * 0.6)

course.exercise("01.grey", p_cat_given_grey)
animals = torch.tensor([[18.0, 6.0], [22.0, 54.0]])  # grey or not, cats and dogs
check(
    "by counting 100 animals",
    p_cat_given_grey,
    animals[0, 0] / animals[0].sum(),
    rtol=1e-6,
    unlike={"p(grey | cat)": animals[0, 0] / animals[:, 0].sum()},
)


# %% [markdown]
# **01.2, one after another.** The numbers drawn so far are the condition of the next one. Start with no columns, draw one, and join it on the right.

# %%
def ancestral(next_logits, n, length, rng):
    x = torch.zeros(n, 0, dtype=torch.long)
    for _ in range(length):
        p = next_logits(x).softmax(1)  # (n, n_bins)
        new = torch.multinomial(p, 1, generator=rng)  # (n, 1)
        x = torch.cat([x, new], 1)
    return x  # (n, length)


def copies(known):
    """A first number of 0 to 4, and then the same number again with probability 0.9."""
    if known.shape[1] == 0:
        return torch.zeros(len(known), 5)
    again = torch.nn.functional.one_hot(known[:, -1], 5).bool()
    return torch.where(again, math.log(0.9), math.log(0.025))


course.exercise("01.ancestral", ancestral)
x = ancestral(copies, 20_000, 3, make_generator(0))
check_range(
    "fraction of neighbours that are equal",
    (x[:, 1:] == x[:, :-1]).float().mean(), 0.89, 0.91,
    unlike={"rows mixed: not conditioned": (x[1:, 1:] == x[:-1, :-1]).float().mean()},
)  # fmt: skip


# %% [markdown]
# **01.3, push and keep account.** The logarithm of (2) is $\log p(x)+\log|\det|=\log p_Z(z)$. Bring the determinant to the other side. The log-density of $d$ independent normal numbers is the sum of theirs.

# %%
def push(f, z):
    x, log_det = f(z)  # (n, d), (n,)
    log_p_z = Normal(0.0, 1.0).log_prob(z).sum(1)  # (n,)
    return x, log_p_z - log_det


course.exercise("01.push", push)
z = torch.randn(5, 2, generator=make_generator(1))
log_2, log_3 = math.log(2.0), math.log(3.0)
_, log_p = push(lambda z: (z * torch.tensor([2.0, 3.0]), torch.full((5,), log_2 + log_3)), z)
wide = Normal(0.0, torch.tensor([2.0, 3.0])).log_prob(z * torch.tensor([2.0, 3.0])).sum(1)
check(
    "stretched by 2 and 3: the normal with these standard deviations", log_p, wide, atol=1e-5,
    unlike={"determinant added": log_p + 2 * (log_2 + log_3)},
)  # fmt: skip


# %% [markdown]
# **01.4, draw a cause, then a point.** The first noise goes into the decoder, the second is added to what comes out.

# %%
def decode(decoder, n, k, std, rng):
    z = torch.randn(n, k, generator=rng)
    mean = decoder(z)  # (n, d)
    return mean + std * torch.randn(mean.shape, generator=rng)


course.exercise("01.decode", decode)
x = decode(lambda z: 1.6 * z, 50_000, 1, 1.2, make_generator(2))
check_range(
    "variance of the tiny case: 1.6^2 + 1.2^2 = 4", x.var(), 3.9, 4.1,
    unlike={"noise forgotten": decode(lambda z: 1.6 * z, 50_000, 1, 0.0, make_generator(2)).var()},
)  # fmt: skip


# %% [markdown]
# **01.5, the denoising loop.** Downwards from the noisiest level, and no fresh noise in the last step.

# %%
def denoise(network, x, betas, rng):
    alphas_bar = (1 - betas).cumprod(0)  # (T,)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))  # (n, d)
        x = (x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * torch.randn(x.shape, generator=rng)
    return x


course.exercise("01.denoise", denoise)
betas = linear_betas(20, first=0.01, last=0.3)
start = torch.randn(200, 2, generator=make_generator(3))


def guess(x, k):
    """The exact noise for data that are standard normal."""
    return (1 - (1 - betas).cumprod(0)[k]).sqrt()[:, None] * x


ours = denoise(guess, start, betas, make_generator(4))
*_, theirs = ddpm_sample(guess, start, betas=betas, variances=betas, generator=make_generator(4))
_, *upwards = ddpm_sample(
    guess, start, betas=betas.flip(0), variances=betas, generator=make_generator(4)
)
check(
    "genlab's sampler with the same noise", ours, theirs, atol=1e-5,
    unlike={"betas in the other order": upwards[-1]},
)  # fmt: skip


# %% [markdown]
# **01.6, repair the leaderboard.** A model that reports a bound lies anywhere above it. It is certainly better if already its bound exceeds the other's exact value, and never certainly worse.

# %%
def better(a, b):
    (kind_a, value_a), (kind_b, value_b) = a, b
    if kind_b == "exact" and kind_a in ("exact", "bound") and value_a > value_b:
        return "first"
    if kind_a == "exact" and kind_b in ("exact", "bound") and value_b > value_a:
        return "second"
    return "cannot tell"


course.exercise("01.better", better)
reports = [(kind, value) for kind in ("exact", "bound", "none") for value in (-2.0, -1.5, -1.0)]
other = {"first": "second", "second": "first", "cannot tell": "cannot tell"}
said = [better(a, b) for a in reports for b in reports]
turned = [other[better(b, a)] for a in reports for b in reports]
check(
    "81 pairs, and the same pairs exchanged",
    [word == same for word, same in zip(said, turned, strict=True)], [True] * 81,
    unlike={"words not exchanged": [w == other[t] for w, t in zip(said, turned, strict=True)]},
)  # fmt: skip

# %% [markdown]
# **01.7, count the stages.** Each stage that runs while an output is made, guided steps twice: (a) 2 · 50 and the decoder; (b) 2 · 10 and the decoder; (c) 64; (d) one jump and the decoder; (e) 60 tokens, 2 · 25 steps, the decoder.

# %%
course.exercise("01.stages", [101, 21, 64, 2, 111])


def by_rule(guided):
    """(a) and (e), added up by the rule of the map."""
    latent = evaluations((LATENT, SCORE), steps=50, guided=guided)
    picture = evaluations((LATENT, SCORE), steps=25, guided=guided)
    return [latent, evaluations((AUTOREGRESSIVE,), tokens=60) + picture]


check(
    "(a) and (e), by the rule of the map", [101, 111], by_rule(guided=True),
    unlike={"one for each guided step": by_rule(guided=False)},
)  # fmt: skip
