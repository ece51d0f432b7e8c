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
# # 07 · GANs: worked solutions
#
# Try each exercise of the lesson first; `course.hint("07.value")` gives three hints, one at a time.

# %%
import math

import numpy as np
import torch

from genlab import adversarial
import genlab_course as course
from genlab_course import check

course.begin(lesson=7)
torch.set_default_dtype(torch.float64)
p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])


# %% [markdown]
# ## 07.best-critic
#
# The discriminator chooses $D$ at each outcome by itself. The derivative of $p\log D + q\log(1-D)$ is $p/D - q/(1-D)$; setting it to zero gives
# $p(1-D) = qD$, so $D = p/(p+q)$. Second route: a long gradient ascent on the three logits, which knows no formula.

# %%
def best_discriminator(p, q):
    return p / (p + q)


course.exercise("07.best-critic", best_discriminator)
logits = torch.zeros(3, requires_grad=True)
for _ in range(2000):
    value = (torch.tensor(p) * logits.sigmoid().log() + torch.tensor(q) * (-logits).sigmoid().log()).sum()
    (slope,) = torch.autograd.grad(value, logits)
    logits = (logits + slope).detach().requires_grad_()
check(
    "D*: formula vs gradient ascent",
    best_discriminator(p, q),
    logits.sigmoid(),
    atol=1e-9,
    unlike={"the odds p / q": p / q},
)


# %% [markdown]
# ## 07.slopes
#
# With $D = \mathrm{sigmoid}(l)$, $dD/dl = D(1-D)$. So $\frac{d}{dl}\log(1-D) = -\frac{D(1-D)}{1-D} = -D$ and
# $\frac{d}{dl}(-\log D) = -\frac{D(1-D)}{D} = -(1-D)$. Both are negative: a more believable sample lowers both losses.

# %%
def slopes_at(d):
    return -d, -(1 - d)


course.exercise("07.slopes", slopes_at)
logit = torch.tensor(math.log(0.2 / 0.8), requires_grad=True)
by_autograd = [
    torch.autograd.grad(loss, logit, retain_graph=True)[0]
    for loss in (torch.log(1 - logit.sigmoid()), -torch.log(logit.sigmoid()))
]
check(
    "slopes at D = 0.2 vs autograd",
    slopes_at(0.2),
    torch.stack(by_autograd),
    unlike={"the two exchanged": slopes_at(0.2)[::-1]},
)


# %% [markdown]
# ## 07.value
#
# With $m = (p+q)/2$ the best discriminator is $p/2m$, and $1 - D^* = q/2m$. Each expectation is then a KL divergence to $m$ less $\log 2$:
# $V = \mathrm{KL}(p\|m) + \mathrm{KL}(q\|m) - 2\log 2 = 2\,\mathrm{JS} - \log 4$.

# %%
def value_at_best(p, q):
    m = (p + q) / 2
    kl_p, kl_q = (p * np.log(p / m)).sum(), (q * np.log(q / m)).sum()
    return kl_p + kl_q - math.log(4)


course.exercise("07.value", value_at_best)
D = p / (p + q)
js = (p * np.log(2 * D) + q * np.log(2 * (1 - D))).sum() / 2
check(
    "V at D*: derived vs played",
    value_at_best(p, q),
    (p * np.log(D) + q * np.log(1 - D)).sum(),
    unlike={"JS counted once": js - math.log(4)},
)


# %% [markdown]
# ## 07.look-ahead
#
# Take a trial step, read both directions there, go back and step with them. In matrix form the new state is $(I + \eta A + \eta^2A^2)z$ with
# $A^2 = -I$, so the length shrinks by $\sqrt{(1-\eta^2)^2 + \eta^2}$.

# %%
def look_ahead(x, y, lr):
    x_ahead, y_ahead = x - lr * y, y + lr * x
    return x - lr * y_ahead, y + lr * x_ahead


course.exercise("07.look-ahead", look_ahead)
shrunk = math.hypot(*look_ahead(3.0, 4.0, 0.2)) / 5
z, lr, field = torch.tensor([3.0, 4.0]), 0.2, adversarial.bilinear_field
plain = adversarial.simultaneous_step(z, field=field, lr=lr)
check(
    "factor of one step vs the formula",
    shrunk,
    math.sqrt((1 - lr**2) ** 2 + lr**2),
    unlike={"a plain step": plain.norm() / 5},
)
there = adversarial.extragradient_step(z, field=field, lr=lr)
check("    and vs the package", look_ahead(3.0, 4.0, 0.2), there, unlike={"a plain step": plain})


# %% [markdown]
# ## 07.mode-kl
#
# $\mathrm{KL}(s\|u) = \sum_i s_i \log(k s_i) = \log k - H(s)$. A mode without samples has $s_i = 0$ and adds nothing: $s\log s \to 0$. (The other
# direction would be infinite, and say nothing about how bad it is.)

# %%
def mode_kl(x, centres):
    nearest = ((x[:, None] - centres) ** 2).sum(-1).argmin(1)
    share = np.bincount(nearest, minlength=len(centres)) / len(x)
    seen = share[share > 0]
    return (seen * np.log(seen * len(centres))).sum()


course.exercise("07.mode-kl", mode_kl)
corners = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0], [4.0, 4.0]])
check(
    "one mode of four, and all four evenly",
    [mode_kl(corners[:1], corners), mode_kl(corners, corners)],
    [math.log(4), 0.0],
    unlike={"the entropy of the fractions": [0.0, math.log(4)]},
)
