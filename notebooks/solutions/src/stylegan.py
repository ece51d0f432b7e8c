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
# # System 4 · StyleGAN: worked solutions
#
# Try each exercise of the lab first; `course.hint("style.lazy")` gives three hints, one at a time.

# %%
import numpy as np
import torch

from genlab import adversarial
import genlab_course as course
from genlab_course import check

course.begin("stylegan")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## style.lazy
#
# Over sixteen steps the penalty would have been paid sixteen times with weight $\gamma/2$. Paid once, it must count for all of them: $16\cdot 10/2 = 80$. The second route adds up what
# `lazy_weight` gives over an interval.

# %%
factor = 16 * 10 / 2
course.exercise("style.lazy", factor)
total = sum(10 / 2 * adversarial.lazy_weight(step, 16) for step in range(16))
always = sum(10 / 2 * adversarial.lazy_weight(step, 1) for step in range(15))
check("paid in sixteen steps = paid lazily", total, 16 * 10 / 2, unlike={"one step left out": always})


# %% [markdown]
# ## style.demodulate
#
# Scale the columns that read each input, then divide each output's weights by their root sum of squares, over inputs *and* kernel. Checks: `genlab`'s weights, and unit variance for unit
# inputs, which is what the division is for.

# %%
def demodulated(weight, style):
    scaled = weight * style[None, :, None]
    return scaled / np.sqrt((scaled**2).sum((1, 2), keepdims=True))


course.exercise("style.demodulate", demodulated)
g = torch.Generator().manual_seed(0)
weight, style = torch.randn(5, 4, 3, 3, generator=g), torch.randn(4, generator=g)
mine = demodulated(weight.flatten(2).numpy(), style.numpy())
theirs = adversarial.modulated_weight(weight, style[None])[0].flatten(2)
unstyled = weight.flatten(2).numpy() / np.sqrt((weight.flatten(2).numpy() ** 2).sum((1, 2), keepdims=True))
check("my weights = genlab's", mine, theirs, atol=1e-7, unlike={"the style left out": unstyled})
over_inputs = (mine**2).sum(1)
check("variance of each output, for unit inputs", (mine**2).sum((1, 2)), np.ones(5), atol=1e-12,
      unlike={"one place of the kernel": over_inputs[:, 0]})  # fmt: skip


# %% [markdown]
# ## style.truncate
#
# A point on the line from the mean to the style, $\psi$ of the way. At the ends: the mean itself, and the style itself.

# %%
def truncated(w, mean, psi):
    return mean + psi * (w - mean)


course.exercise("style.truncate", truncated)
w, mean = torch.randn(6, 3, generator=g), torch.randn(3, generator=g)
for psi in (0.0, 0.7, 1.0):
    check(f"my truncation = genlab's, psi = {psi}", truncated(w, mean, psi), adversarial.truncate(w, mean, psi),
          unlike={"psi and 1 - psi exchanged": truncated(w, mean, 1 - psi)})  # fmt: skip


# %% [markdown]
# ## style.direction
#
# The regression of the *style* on the *attribute*, for a step of one standard deviation: a covariance over a standard deviation. Second route: a least-squares line for each coordinate of
# $w$, its slope times $\mathrm{std}(a)$.

# %%
def direction(w, a):
    centred = a - a.mean()
    return (w - w.mean(0)).T @ centred / (len(a) * a.std())


course.exercise("style.direction", direction)
w, noise = torch.randn(500, 3, generator=g), torch.randn(500, generator=g)
a = w @ torch.tensor([1.0, -2.0, 0.5]) + noise
mine = direction(w.numpy(), a.numpy())
predictor = torch.linalg.lstsq(w - w.mean(0), a[:, None] - a.mean()).solution[:, 0]
wrong = {"weights of a predictor": predictor * a.std(correction=0) / predictor.square().sum()}
check("my direction = genlab's", mine, adversarial.attribute_direction(w, a), atol=1e-12, unlike=wrong)
line = torch.stack([a, torch.ones(500)], 1)
slopes = torch.linalg.lstsq(line, w).solution[0]
check("= slopes of lines through (a, w_j), times std(a)", mine, slopes * a.std(correction=0), atol=1e-12,
      unlike={"the slopes alone": slopes})  # fmt: skip
