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
# # System 7 · A flow density estimator: worked solutions
#
# Try each exercise of the lab first; `course.hint("npe.box")` gives three hints, one at a time.

# %%
import math

import numpy as np
import torch

import genlab_course as course
from genlab_course import check, check_close_mc
from genlab.metrics.calibration import sbc_ranks
from genlab.systems.npe import onto_box

course.begin("flow_density_estimator")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## npe.information
#
# The loss starts at the entropy of the prior, $\tfrac12\log(2\pi e)$, and ends at that of the posterior, whose precision is the sum of
# the prior's and the data's, $1 + 1/0.25 = 5$. The difference is $\tfrac12\log 5$. The second route asks how much the parameter says
# about the data: $H[x] - H[x\mid\theta]$, with variances $1.25$ and $0.25$.

# %%
nats = 0.5 * math.log(5)
course.exercise("npe.information", nats)
check("the same from the data's side", nats, 0.5 * math.log(1.25 / 0.25),
      unlike={"standard deviation for variance": 0.5 * math.log(1.5 / 0.5)})  # fmt: skip


# %% [markdown]
# ## npe.box
#
# The map is elementwise with slope $(h - l)\,\varphi(z_i)$. Going from $z$ to $\theta$ spreads the mass by that slope, so its logarithm is
# subtracted, once for each dimension. Two checks: the transforms of `genlab`, and that a standard normal becomes uniform.

# %%
def log_on_box(log_q_z, z, low, high):
    log_slope = math.log(high - low) - 0.5 * z**2 - 0.5 * math.log(2 * math.pi)
    return log_q_z - log_slope.sum(1)


course.exercise("npe.box", log_on_box)
z = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
log_q_z = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
to_unit, to_box = onto_box(2, (-1.0, 2.0))
u, first = to_unit.forward(z)
theta, second = to_box.forward(u)
check("log-determinants of the two layers", log_on_box(log_q_z, z, -1.0, 2.0), log_q_z - first - second,
      unlike={"added, not subtracted": log_q_z + first + second})  # fmt: skip
check("a normal becomes uniform: log 1/9", log_on_box(log_q_z, z, -1.0, 2.0), -math.log(9),
      unlike={"one dimension only": log_q_z - (first + second) / 2})  # fmt: skip


# %% [markdown]
# ## npe.reweight
#
# Both posteriors are likelihood times prior over evidence. In their ratio the likelihood cancels, the priors stay, and the ratio of the two
# evidences is a constant that dividing by the sum removes. Check on a case that is known: draws of $\mathcal N(0, 1)$ as draws of
# $\mathcal N(0.5, 1)$, whose mean is $0.5$.

# %%
def weights(log_old, log_new):
    ratio = np.exp(log_new - log_old)
    return ratio / ratio.sum()


course.exercise("npe.reweight", weights)
draws = torch.randn(100_000, generator=torch.Generator().manual_seed(1)).numpy()
w = weights(-(draws**2) / 2, -((draws - 0.5) ** 2) / 2)
other_way = weights(-((draws - 0.5) ** 2) / 2, -(draws**2) / 2)
check_close_mc("mean of the reweighted draws", len(draws) * w * draws, 0.5,
               unlike={"the ratio upside down": len(draws) * other_way * draws})  # fmt: skip


# %% [markdown]
# ## npe.ranks
#
# Put each truth next to the draws of its own row, compare, and count along the row. A truth below all of its draws has rank 0, above all of them
# rank $L$: there are $L + 1$ possible ranks.

# %%
def ranks(truth, draws):
    return (draws < truth[:, None]).sum(1)


course.exercise("npe.ranks", ranks)
g = torch.Generator().manual_seed(2)
truth, draws = torch.randn(50, generator=g), torch.randn(50, 9, generator=g)
theirs = sbc_ranks(truth[:, None], draws[:, :, None])[:, 0]
check("my ranks = genlab's", ranks(truth.numpy(), draws.numpy()), theirs,
      unlike={"draws above the truth": (draws > truth[:, None]).sum(1)})  # fmt: skip
