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
# # 08 · WGAN and the gradient penalty: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import math

import numpy as np
import torch

import genlab_course as course

course.begin(lesson=8)


# %% [markdown]
# ## 08.w1-on-a-line
#
# Between two neighbouring places, the net mass that must cross is the difference of the distribution functions there, $|F_p - F_q|$. It
# travels the length of the gap. Cross first, take the absolute value, then add: flows to the right and to the left do not cancel, because
# they happen at different places.

# %%
def w1(x, p, q):
    crossing = np.cumsum(p - q)[:-1]
    return float(np.abs(crossing) @ np.diff(x))


course.exercise("08.w1-on-a-line", w1)

# %% [markdown]
# ## 08.js-of-thirds
#
# On $\{0, 1\}$ only $p$ has mass, so $m = p/2$ and $p\log(p/m) = \tfrac13\log 2$ each; on the shared outcome 2 the two agree and nothing
# is added. So $\mathrm{KL}(p\|m) = \tfrac23\log2$, the same for $q$ by symmetry, and JS is their average.

# %%
js_of_thirds = 2 / 3 * math.log(2)
course.exercise("08.js-of-thirds", js_of_thirds)


# %% [markdown]
# ## 08.soft-slope
#
# $\frac{d}{da}\big(aw - \lambda(a-1)^2\big) = w - 2\lambda(a-1) = 0$ gives $a = 1 + w/2\lambda$: too steep, in proportion to the distance.

# %%
def soft_slope(w, lam):
    return 1 + w / (2 * lam)


course.exercise("08.soft-slope", soft_slope)


# %% [markdown]
# ## 08.gradient-penalty
#
# The sum over the batch may be differentiated at once, because each critic value depends on its own point only. The square comes before
# any average; `create_graph=True` lets the penalty itself be differentiated.

# %%
def penalty(critic, real, fake, u):
    between = (u[:, None] * real + (1 - u[:, None]) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (gradient.norm(dim=1) - 1) ** 2


course.exercise("08.gradient-penalty", penalty)


# %% [markdown]
# ## 08.lipschitz-of-a-stack
#
# A matrix stretches a vector by at most its largest singular value, ReLU by at most 1, and factors multiply along the stack. The bound is
# reached only if the vector that one layer stretches most is the one that the next layer stretches most.

# %%
def product_bound(weights):
    return float(np.prod([np.linalg.norm(w, 2) for w in weights]))


course.exercise("08.lipschitz-of-a-stack", product_bound)
