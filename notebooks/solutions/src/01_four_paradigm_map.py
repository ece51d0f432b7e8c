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
# Try each exercise first, with its three hints. A solution teaches most when you already know where you were stuck.

# %%
import math

import numpy as np
import torch

import genlab_course as course
from genlab_course import check
from genlab.map import ADVERSARIAL, AUTOREGRESSIVE, LATENT, SCORE, evaluations

course.begin(lesson=1)


# %% [markdown]
# ## Exercise 1: $p(y\mid x)$ from a joint
#
# Knowing $x$ leaves one row of the table. A row of the joint sums to $p(x)$, not to 1, so rescale it.

# %%
def p_y_given_x(joint, x):
    return joint[x] / joint[x].sum()


course.exercise("01.bayes", p_y_given_x)

joint = np.array([[0.1, 0.3], [0.4, 0.2]])
by_bayes = (
    (joint[0] / joint.sum(0)) * joint.sum(0) / joint[0].sum()
)  # p(x | y) p(y) / p(x)
check(
    "a row rescaled, and Bayes' rule",
    p_y_given_x(joint, 0),
    by_bayes,
    unlike={"p(x | y)": joint[0] / joint.sum(0)},
)


# %% [markdown]
# Dividing by `joint.sum(0)` instead gives $p(x\mid y)$: a distribution over $x$, one for each $y$. The two answer opposite questions, and
# confusing them is common enough to have a name of its own, the prosecutor's fallacy.

# %% [markdown]
# ## Exercise 2: the marginal
#
# $x$ can come about through any $z$. The ways exclude one another, so their probabilities add: $p(x)=\sum_z p(z)\,p(x\mid z)$. The
# logarithm comes last.

# %%
def log_marginal(prior, likelihood):
    return math.log(np.sum(prior * likelihood))


course.exercise("01.marginal", log_marginal)

prior, likelihood = np.array([0.5, 0.5]), np.array([0.2, 0.8])
average_of_logs = np.sum(prior * np.log(likelihood))
check(
    "log p(x) for the example",
    log_marginal(prior, likelihood),
    math.log(0.5),
    unlike={"average of the logs": average_of_logs},
)


# %% [markdown]
# Averaging the logs gives a lower number, because the logarithm is concave. It is not useless. With a better choice of weights than the prior's it becomes the ELBO of lesson 05.

# %% [markdown]
# ## Exercise 3: the score of a normal distribution
#
# $\log\mathcal N(x;m,s^2)=-\frac{(x-m)^2}{2s^2}-\log s-\frac12\log2\pi$. Only the first term contains $x$; its derivative is $-(x-m)/s^2$.

# %%
def score(x, mean, std):
    return -(x - mean) / std**2


course.exercise("01.score", score)

x = torch.tensor(1.3, dtype=torch.float64, requires_grad=True)
log_p = torch.distributions.Normal(0.5, 2.0).log_prob(x)
(slope,) = torch.autograd.grad(log_p, x, retain_graph=True)
(slope_of_p,) = torch.autograd.grad(log_p.exp(), x)
check(
    "by hand, and by autograd",
    score(1.3, 0.5, 2.0),
    slope,
    unlike={"the slope of p": slope_of_p},
)

# %% [markdown]
# The sign says *uphill*: to the right of the mean the slope is negative and points back. The square in the denominator says that a wide
# distribution has gentle slopes.

# %% [markdown]
# ## Exercise 4: five descriptions
#
# Read the objective first and the sampler second.
#
# - (a) "predicts each sample from those before it": sequential, next-token likelihood. Autoregressive; 256 samples, 256 evaluations.
# - (b) "reconstruction plus a KL term": that is the ELBO. A VAE; a new image needs one evaluation of the decoder, and no encoder.
# - (c) "against a discriminator": a game. A GAN; one evaluation of the generator, and no discriminator.
# - (d) "removes noise in 50 steps": diffusion; guidance asks twice at each step, hence 100 evaluations.
# - (e) a hybrid: a VAE around a diffusion model. 100 evaluations inside, one more to decode. The encoder is needed for training only.

# %%
families = ("AR", "VAE", "GAN", "diffusion", "hybrid")
stages_of_e = {"VAE", "diffusion"}
passes = [256, 1, 1, 100, 101]

course.exercise("01.classify", families)
course.exercise("01.hybrid", stages_of_e)
course.exercise("01.passes", passes)


def by_rule(guided):
    return [
        evaluations((AUTOREGRESSIVE,), tokens=256),
        evaluations((LATENT,)),
        evaluations((ADVERSARIAL,)),
        evaluations((SCORE,), steps=50, guided=guided),
        evaluations((LATENT, SCORE), steps=50, guided=guided),
    ]


check(
    "evaluations by hand, and by the rule of the map",
    passes,
    by_rule(guided=True),
    unlike={"one for each guided step": by_rule(guided=False)},
)

# %% [markdown]
# ## Exercise 5: choosing
#
# - (a) Fifty milliseconds leave time for one or two evaluations: a GAN, a VAE or a coupling flow.
# - (b) Ranking sentences by probability needs $\log p(x)$ itself: autoregressive.
# - (c) Quality first, seconds to spare: diffusion.
#
# A column of the map decides each: evaluations, likelihood, quality at any price.

# %%
course.exercise("01.choose", ["GAN", "AR", "diffusion"])
