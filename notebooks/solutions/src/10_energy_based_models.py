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
# # 10 · Energy-based models: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import math

import numpy as np

import genlab_course as course

course.begin(lesson=10)


# %% [markdown]
# ## 10.quadratic-z
#
# Substitute $u=\sqrt c\,(x-\mu)$, so $dx=du/\sqrt c$: $\int e^{-\frac c2(x-\mu)^2}dx=\frac1{\sqrt c}\int e^{-u^2/2}du=\sqrt{2\pi/c}$. A steeper valley holds less; where it lies does not matter. It is the factor in front of a normal density of
# variance $1/c$, turned upside down.

# %%
def quadratic_z(c, mu):
    return math.sqrt(2 * math.pi / c)


course.exercise("10.quadratic-z", quadratic_z)


# %% [markdown]
# ## 10.settled-variance
#
# The step is $x'=(1-\eta c)\,x+\sqrt{2\eta}\,z$. The two terms are independent, so variances add: $v'=(1-\eta c)^2v+2\eta$. At rest $v'=v$, and $1-(1-\eta c)^2=\eta c\,(2-\eta c)$, so
# $$v=\frac{2\eta}{\eta c\,(2-\eta c)}=\frac1{c\,(1-\eta c/2)} .$$
# The relative bias depends on $\eta c$: a step that is harmless in a wide direction is too long in a steep one.

# %%
def settled_variance(eta, c):
    return 1 / (c * (1 - eta * c / 2))


course.exercise("10.settled-variance", settled_variance)


# %% [markdown]
# ## 10.gradient-in-c
#
# Positive phase: $-\partial E/\partial c=-x^2/2$. Negative phase: the model's own average of $\partial E/\partial c=x'^2/2$, and under the model $x'$ has the variance $1/c$: $+\frac1{2c}$. Together
# $$\frac{\partial\log p(x)}{\partial c}=\frac1{2c}-\frac{x^2}2,$$
# zero when the data's mean square is $1/c$. The second route differentiates $-\frac c2x^2-\log\sqrt{2\pi/c}$ directly.

# %%
def gradient_in_c(x, c):
    return 1 / (2 * c) - x**2 / 2


course.exercise("10.gradient-in-c", gradient_in_c)


# %% [markdown]
# ## 10.acceptance
#
# The proposal is normal with mean $x-\eta E'(x)$ and variance $2\eta$, so $\log q(y\mid x)=-\frac{(y-x+\eta E'(x))^2}{4\eta}$ up to a constant that is the same both ways. The ratio compares coming back with going there, and its logarithm is cut off at $\log1=0$. $Z$ has cancelled.

# %%
def log_acceptance(x, y, energy, slope, eta):
    there = -((y - x + eta * slope(x)) ** 2) / (4 * eta)
    back = -((x - y + eta * slope(y)) ** 2) / (4 * eta)
    return min(0.0, energy(x) - energy(y) + back - there)


course.exercise("10.acceptance", log_acceptance)


# %% [markdown]
# ## 10.annealed-weights
#
# At a fixed place, $\log f_\beta=(1-\beta)\log q-\beta E$ changes by $(\beta'-\beta)(-E-\log q)$ when the level is raised. The moves in between change no weight. With two levels, 0 and 1, what is left is the plain importance weight $e^{-E}/q$.

# %%
def log_weight(betas, log_q, energy):
    return float(np.sum(np.diff(betas) * (-energy - log_q)))


course.exercise("10.annealed-weights", log_weight)
