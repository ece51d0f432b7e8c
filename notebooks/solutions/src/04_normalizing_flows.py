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
# # 04 · Normalizing flows: worked solutions
#
# Try each exercise of the lesson first; `course.hint("04.stretch")` gives three hints, one at a time.

# %%
import math

import numpy as np
import torch

from genlab import flow
import genlab_course as course
from genlab_course import check

course.begin(lesson=4)
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 04.parallelogram
#
# The unit square becomes a parallelogram of area $|\det A| = |2 \cdot 3 - 1 \cdot 1| = 5$. The mass on it is still 1 and still uniform, so
# the density is $\tfrac15$. The product of the diagonal, 6, would be right for a triangular matrix only. A second route: $A^{-1}$ has
# determinant $\tfrac15$, and that is the factor by which it shrinks a window on the way back.

# %%
parallelogram = 1 / 5
course.exercise("04.parallelogram", parallelogram)
A = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
check(
    "1 / |det A| = |det of the inverse map|",
    parallelogram,
    torch.linalg.inv(A).det().abs(),
    unlike={"product of the diagonal": 1 / A.diagonal().prod()},
)


# %% [markdown]
# ## 04.stretch
#
# Undo the map, last step first: $z = (x - b)/a$. Ask the base at that $z$. Then pay for the stretch, $\log|dx/dz| = \log|a|$, which is
# subtracted because we went from base to data in writing $dx/dz$. The bars matter for $a < 0$.

# %%
def log_density(x, a, b):
    z = (x - b) / a
    return -0.5 * z**2 - 0.5 * math.log(2 * math.pi) - math.log(abs(a))


course.exercise("04.stretch", log_density)
x = torch.linspace(-40, 40, 80_001)
normal = torch.distributions.Normal(0.4, 1.7)  # x = a z + b has mean b, standard deviation |a|
stretch_added = torch.distributions.Normal(0.0, 1.0).log_prob((x - 0.4) / 1.7) + math.log(1.7)
check(
    "it is the normal density of x",
    log_density(x, -1.7, 0.4),
    normal.log_prob(x),
    unlike={"log |a| added": stretch_added.clone()},
)


# %% [markdown]
# ## 04.log-det
#
# $\partial z / \partial x$ is triangular (diagonal, even) with $e^{-s_i}$ on the diagonal. The determinant is the product, its logarithm
# the sum of $-s_i$: over the coordinates, separately for each example.

# %%
def log_det_inverse(log_scale):
    return -log_scale.sum(axis=1)


course.exercise("04.log-det", log_det_inverse)
s = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
jacobian = flow.dense_log_det(lambda x: (x - 1.0) * torch.exp(-s), torch.zeros(4, 3))
check(
    "against the autograd Jacobian",
    log_det_inverse(s),
    jacobian,
    unlike={"log|det dx/dz|": s.sum(1), "mean": -s.mean(1)},
)


# %% [markdown]
# ## 04.evaluations
#
# Ask of each flow: what do its parameters read, and do you hold it complete? A coupling reads the half that never changes, so one
# evaluation, both ways. MAF reads $x$: complete when you score, built up coordinate by coordinate when you sample. IAF reads $z$: the
# reverse. The size of the batch plays no part.

# %%
def evaluations_needed(kind, direction, d):
    waits = {("maf", "sample"), ("iaf", "score")}
    return d if (kind, direction) in waits else 1


course.exercise("04.evaluations", evaluations_needed)


# %% [markdown]
# ## 04.coupling-inverse
#
# $x_A = z_A$, so both networks can be evaluated again. What remains is one linear equation in each coordinate: subtract the shift, which
# was added last, then undo the stretch.

# %%
def inverse(x_A, x_B, s, t):
    return (x_B - t(x_A)) * np.exp(-s(x_A))


course.exercise("04.coupling-inverse", inverse)
kept, moved = np.array([0.4, -2.0]), np.array([1.0, 0.5])
x = np.exp(np.sin(kept)) * moved + kept**2
check(
    "it returns to where it came from",
    inverse(kept, x, np.sin, np.square),
    moved,
    unlike={"stretch undone before the shift": x * np.exp(-np.sin(kept)) - np.square(kept)},
)


# %% [markdown]
# ## 04.bits
#
# The probability of an image is about the density times the volume of its bin, $L^{-D}$. That adds $D \log L$ to the NLL in nats.
# Dividing by $D$ shares it out and dividing by $\log 2$ turns nats into bits. A density that is 1 everywhere on $[0,1]^D$ gives every
# image $\log_2 L$ bits per dimension, the price of writing each pixel down with no model at all.

# %%
def bits_of_image(nll_nats, n_dims, levels):
    return (nll_nats + n_dims * math.log(levels)) / (n_dims * math.log(2))


course.exercise("04.bits", bits_of_image)
check(
    "no model at all: log2(17) bits",
    bits_of_image(0.0, 64, 17),
    math.log2(17),
    unlike={"log L counted once for the image": bits_of_image(0.0, 1, 17) / 64},
)
