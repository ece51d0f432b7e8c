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
# # 11 · Score matching: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import numpy as np

import genlab_course as course

course.begin(lesson=11)


# %% [markdown]
# ## 11.parabola
#
# The score of $\mathcal N(0, s^2)$ is $-x/s^2$. The model differs from it by $(1/s^2 - a)\,x$; square, average with $\mathbb E x^2 = s^2$,
# halve: $\tfrac12(a - 1/s^2)^2\,s^2$. For $s = 1$ it is the lesson's $\tfrac12(1-a)^2$.

# %%
def explicit_loss(a, s):
    return 0.5 * (a - 1 / s**2) ** 2 * s**2


course.exercise("11.parabola", explicit_loss)


# %% [markdown]
# ## 11.floor
#
# At its best the model answers with the noised score, $-\tilde x/(s^2+\sigma^2)$. A least-squares residual is the target's mean square less
# that of its conditional mean:
# $$\frac12\Big(\frac1{\sigma^2} - \frac{1}{s^2+\sigma^2}\Big) = \frac{s^2}{2\sigma^2(s^2+\sigma^2)} .$$
# Large when the noise is small: the target $-\epsilon/\sigma$ is long and unpredictable.

# %%
def floor_of(s, sigma):
    return s**2 / (2 * sigma**2 * (s**2 + sigma**2))


course.exercise("11.floor", floor_of)


# %% [markdown]
# ## 11.dsm-loss
#
# The model sees the noisy example only. Its target is $\nabla_{x_t}\log\mathcal N(x_t; x_0, \sigma^2I) = -(x_t-x_0)/\sigma^2 = -\epsilon/\sigma$; minus
# the target is plus $\epsilon/\sigma$. Sum over the numbers of an example, so that the constant of the lesson has its $D$.

# %%
def dsm(score_model, x0, eps, sigma):
    error = score_model(x0 + sigma * eps) + eps / sigma
    return 0.5 * (error**2).sum(1)


course.exercise("11.dsm-loss", dsm)


# %% [markdown]
# ## 11.tweedie
#
# Solve $x_t = \alpha x_0 + \sigma\epsilon$ for $x_0$ and take the mean given $x_t$, with $\mathbb E[\epsilon\mid x_t] = -\sigma\,s(x_t)$:
# $(x_t + \sigma^2 s)/\alpha$. One $\sigma$ turns the score into noise of size 1, the other into the noise that is in $x_t$.

# %%
def clean_guess(x_t, score_value, alpha, sigma):
    return (x_t + sigma**2 * score_value) / alpha


course.exercise("11.tweedie", clean_guess)


# %% [markdown]
# ## 11.ladder
#
# One ratio is one difference of logarithms, and $L$ rungs have $L-1$ gaps. The score of noise of size $\sigma$ is about $\sqrt D/\sigma$ long: with
# $\eta = r\sigma^2$ the drift is $r\sigma\sqrt D$ and the shaking $\sigma\sqrt{2r}\sqrt D$, one proportion everywhere.

# %%
def ladder_and_steps(sigma_max, sigma_min, n_levels, rate):
    sigmas = np.geomspace(sigma_max, sigma_min, n_levels)
    return np.stack([sigmas, rate * sigmas**2])


course.exercise("11.ladder", ladder_and_steps)
