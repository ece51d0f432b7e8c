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
# # System 5 · Text to video: worked solutions
#
# Try each exercise of the lab first; `course.hint("video.pairs")` gives three hints, one at a time.

# %%
import math

import numpy as np
import torch
from torch.distributions import MultivariateNormal, kl_divergence

import genlab_course as course
from genlab_course import check
from genlab.nn.unet import TemporalAttention, attention_pairs
from genlab.systems.text_to_video import mixed_noise

course.begin("text_to_video")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## video.pairs
#
# In space each of the 16 frames has $64^2$ pairs, in time each of the 64 positions has $16^2$: $16\cdot4096 + 64\cdot256 = 81{,}920$. Full attention would
# weigh $1024^2$, which is $FN/(F+N) = 12.8$ times as many.

# %%
pairs = 16 * 64**2 + 64 * 16**2
course.exercise("video.pairs", pairs)
listed = [(f, n) for f in range(16) for n in range(64)]
by_hand = sum((a[0] == b[0]) + (a[1] == b[1]) for a in listed for b in listed)
check("listed one by one", by_hand, pairs, unlike={"full attention": attention_pairs(16, 64, factorised=False)})


# %% [markdown]
# ## video.information
#
# For normal distributions with mean zero, $\mathrm{KL}(\mathcal N(0, R)\,\|\,\mathcal N(0, I)) = \tfrac12(\mathrm{tr} R - F - \log\det R)$, and the trace of a
# correlation matrix is $F$. What is left is the determinant. The vector of ones is an eigenvector of $R$ with value $1 + (F-1)\rho$; everything
# orthogonal to it has the value $1-\rho$. The other route is torch's own divergence.

# %%
def information(rho, n_frames):
    return -0.5 * ((n_frames - 1) * math.log(1 - rho) + math.log(1 + (n_frames - 1) * rho))


course.exercise("video.information", information)
R = 0.3 * torch.eye(5) + 0.7 * torch.ones(5, 5)
videos, frames = (MultivariateNormal(torch.zeros(5), cov) for cov in (R, torch.eye(5)))
check("torch's divergence", information(0.7, 5), kl_divergence(videos, frames), unlike={"the other way": kl_divergence(frames, videos)})


# %% [markdown]
# ## video.noise
#
# Weights $u$ and $v$ give variance $u^2 + v^2$ and, between two frames, covariance $u^2$: only the common part is the same. So $u^2 = a$ and $v^2 = 1 - a$. To check the covariance
# without drawing anything, feed in the unit vectors: the map is linear.

# %%
def mixed(common, own, share):
    return math.sqrt(share) * common + math.sqrt(1 - share) * own


course.exercise("video.noise", mixed)
common, own = np.eye(4)[:, :1], np.eye(4)[:, 1:]  # four independent sources: one common, three own
columns = mixed(common, own, 0.3)
added = 0.3 * common + 0.7 * own
check("covariance of three frames", columns.T @ columns, 0.7 * np.eye(3) + 0.3, unlike={"no roots": added.T @ added})
theirs = mixed_noise(torch.tensor(common)[:, None], torch.tensor(own)[:, None], correlation=0.3)[:, 0]
check("the package's", columns, theirs, unlike={"no roots": added})


# %% [markdown]
# ## video.tokens
#
# Give videos and frames an axis each, exchange frames and positions, and let videos and positions run together. If the regrouping were wrong, temporal attention would mix positions
# or videos: so compare one sequence with what stands at one position of one video.

# %%
def tokens_along_time(x, n_frames):
    frames, places, width = x.shape
    return x.reshape(frames // n_frames, n_frames, places, width).transpose(0, 2, 1, 3).reshape(-1, n_frames, width)


course.exercise("video.tokens", tokens_along_time)
x = np.random.default_rng(0).normal(size=(2 * 3, 4, 8))  # two videos, three frames, four positions
check("video 1, position 2", tokens_along_time(x, 3)[1 * 4 + 2], x[3:6, 2], unlike={"axes not exchanged": x.reshape(-1, 3, 8)[6]})
layer = TemporalAttention(8, n_head=2)
torch.nn.init.normal_(layer.to_out.weight)
maps = torch.tensor(x).mT.reshape(6, 8, 2, 2)
other = maps.clone()
other[3:6, :, 1, 0] += 1.0  # position 2 of video 1
changed = (layer(maps, torch.arange(3.0), None) - layer(other, torch.arange(3.0), None)).abs().amax((1, 2, 3)) > 1e-9
as_one_video = (layer(maps, torch.arange(6.0), None) - layer(other, torch.arange(6.0), None)).abs().amax((1, 2, 3)) > 1e-9
check("a change in video 1 stays in video 1", changed.double(), [0, 0, 0, 1, 1, 1],
      unlike={"read as one video of six frames": as_one_video.double()})  # fmt: skip
