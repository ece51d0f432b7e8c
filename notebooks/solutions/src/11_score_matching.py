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
# Try each exercise of the lesson first, and ask for its three hints.

# %%
import torch

import genlab_course as course
from genlab.oracles import Gaussian
from genlab_course import check, check_range

course.begin(lesson=11)


# %% [markdown]
# **11.1, the loss.** The network sees the noisy example only. Its target is $-\epsilon/\sigma$, so the error is its answer *plus* $\epsilon/\sigma$. The squared length is a sum over the $d$ numbers of a row.

# %%
def dsm_loss(score, x0, eps, sigma):
    error = score(x0 + sigma * eps) + eps / sigma
    return 0.5 * error.square().sum(1)


course.exercise("11.dsm-loss", dsm_loss)


# %% [markdown]
# **11.2, the floor.** The noised data are $\mathcal N(0,s^2+\sigma^2)$ with the score $-\tilde x/(s^2+\sigma^2)$, whose mean square is $1/(s^2+\sigma^2)$. So
# $$C_\sigma=\frac12\Big(\frac1{\sigma^2}-\frac1{s^2+\sigma^2}\Big)=\frac{s^2}{2\sigma^2(s^2+\sigma^2)}.$$

# %%
def floor(s, sigma):
    return s**2 / (2 * sigma**2 * (s**2 + sigma**2))


course.exercise("11.floor", floor)
rng = torch.Generator().manual_seed(0)
x0, eps = torch.randn(2, 200_000, 1, generator=rng)
at_best = dsm_loss(lambda x: -x / (2**2 + 0.5**2), 2 * x0, eps, 0.5).mean() / floor(2, 0.5)
check_range("the loss of the best answer, over the floor", at_best, 0.98, 1.02,
            unlike={"the loss of answering 0": 1 / (2 * 0.5**2) / floor(2, 0.5)})  # fmt: skip


# %% [markdown]
# **11.3, the clean guess.** Solve $x_t=\alpha x_0+\sigma\epsilon$ for $x_0$ and take the mean given $x_t$. That of $\epsilon$ is $-\sigma$ times the score.

# %%
def clean_guess(x_t, score, alpha, sigma):
    return (x_t + sigma**2 * score) / alpha


course.exercise("11.tweedie", clean_guess)
data = Gaussian(torch.zeros(1), torch.eye(1))
x_t = torch.tensor([[2.5], [-0.3]])
slope = data.noised(0.6, 0.8).score(x_t)
undivided = lambda x_t, score, alpha, sigma: x_t + sigma**2 * score
check("data N(0, 1): the posterior's mean", clean_guess(x_t, slope, 0.6, 0.8),
      data.denoiser(x_t, 0.6, 0.8), atol=1e-6,
      unlike={"no division by alpha": undivided(x_t, slope, 0.6, 0.8)})  # fmt: skip


# %% [markdown]
# **11.4, the loss over levels.** A level of shape $(n,)$ multiplies rows only after it has been given further axes. The score is told the levels as they came.

# %%
def level_loss(score, x0, eps, sigma, weight):
    s = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = score(x0 + s * eps, sigma) + eps / s
    return weight * 0.5 * error.square().flatten(1).sum(1)


course.exercise("11.level-loss", level_loss)


# %% [markdown]
# **11.5, annealed Langevin.** Two loops. The points where one level ends are those where the next begins. `x = x + ...` makes new points and leaves the caller's alone.

# %%
def annealed(score, x, sigmas, rate, n_steps, rng):
    for sigma in sigmas:
        level, eta = sigma.expand(len(x)), rate * sigma**2
        for _ in range(n_steps):
            noise = torch.randn(x.shape, generator=rng)
            x = x + eta * score(x, level) + (2 * eta).sqrt() * noise
    return x + sigma**2 * score(x, level)


course.exercise("11.annealed", annealed)


# %% [markdown]
# **11.6, from noise to slope.** The score is the mean of $-\epsilon/\sigma$. So the noise wants a sign and a division, each row by its own level.

# %%
def slope_of(predict, x, level):
    return -predict(x, level) / level.reshape(-1, *[1] * (x.ndim - 1))


course.exercise("11.noise-for-slope", slope_of)


# %% [markdown]
# **11.7, one slice.** The gradient of $\sum_i v_is_i(x)$ in $x$ is the row $v^\top\nabla s$; times $v$ once more it is $v^\top\nabla s\,v$. Rows do not meet in $s$, so one backward pass through the sum of all serves all.

# %%
def sliced(score, x, v):
    x = x.detach().requires_grad_()
    s = score(x)
    (row,) = torch.autograd.grad((s * v).sum(), x, create_graph=True)
    return (row * v).sum(1) + 0.5 * s.square().sum(1)


course.exercise("11.sliced", sliced)
