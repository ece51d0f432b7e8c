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
# # 12 · Diffusion I: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import math

import torch

import genlab_course as course

course.begin(lesson=12)

# %% [markdown]
# ## 12.shortcut
#
# Each step keeps nine tenths of the signal's *variance*; after five steps $\bar\alpha_5=0.9^5=0.59049$ is left, and the noise has the rest. Amplitudes are
# square roots: $2\sqrt{0.59049}+0.3\sqrt{0.40951}=1.7288458$.

# %%
x_5 = 2 * math.sqrt(0.9**5) + 0.3 * math.sqrt(1 - 0.9**5)
course.exercise("12.shortcut", x_5)


# %% [markdown]
# ## 12.posterior
#
# Regression with the five numbers of the pair: gain = cov / var$_t$, mean = $\mathbb E\,x_{t-1}$ + gain · ($x_t-\mathbb E\,x_t$), and the variance loses cov$^2$ / var$_t$.
# Simplified, the factor of $x_0$ is $\sqrt{\bar\alpha_{t-1}}\,\beta_t/(1-\bar\alpha_t)$ and the variance $\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t$, because
# $1-\bar\alpha_t-\alpha_t(1-\bar\alpha_{t-1})=\beta_t$.

# %%
def my_posterior(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k > 0 else torch.ones_like(betas[0])
    cov, var = (1 - betas[k]).sqrt() * (1 - before), 1 - alphas_bar[k]
    mean = before.sqrt() * x0 + cov / var * (x_t - alphas_bar[k].sqrt() * x0)
    return mean, (1 - before) - cov**2 / var


course.exercise("12.posterior", my_posterior)


# %% [markdown]
# ## 12.bound-weight
#
# The divergence of $\mathcal N(\tilde\mu,\tilde\beta I)$ from $\mathcal N(\mu_\theta,\tau^2I)$ sees the means as $\lVert\tilde\mu-\mu_\theta\rVert^2/2\tau^2$. Both means are
# $(x_t-\frac{\beta}{\sqrt{1-\bar\alpha}}\,\cdot)/\sqrt{1-\beta}$ with the true or the predicted noise in the gap, so their difference is
# $\frac{\beta}{\sqrt{(1-\beta)(1-\bar\alpha)}}(\epsilon_\theta-\epsilon)$. Square it and divide by $2\tau^2$.

# %%
def weight(beta, alpha_bar, variance):
    return beta**2 / (2 * variance * (1 - beta) * (1 - alpha_bar))


course.exercise("12.bound-weight", weight)


# %% [markdown]
# ## 12.training-step
#
# `alphas_bar[k]` picks one level for each image; three more axes let it meet $(n,1,h,w)$. Then the jump, and the mean squared error.

# %%
def my_loss(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, k)) ** 2).mean()


course.exercise("12.training-step", my_loss)


# %% [markdown]
# ## 12.sampler
#
# From the last step to the first: the mean with the predicted noise, then fresh noise of standard deviation $\sqrt{\beta_t}$, but none when the example is finished.

# %%
def my_walk(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), k))
        mean = x - betas[k] / (1 - alphas_bar[k]).sqrt() * eps_hat
        x = mean / (1 - betas[k]).sqrt()
        if k > 0:
            x = x + betas[k].sqrt() * z[k]
    return x


course.exercise("12.sampler", my_walk)


# %% [markdown]
# ## 12.repair
#
# First bug: at `k = 0`, `alphas_bar[k - 1]` is the *last* entry in Python, nearly 0, where $\bar\alpha_0=1$ is meant. The coefficient of $x_t$ is then about
# $1/\beta_1=1000$, and the picture explodes. Second bug: it is the guess of the data that lies in $[-1,1]$. About a third of the draws of a standard normal do
# not, so a clipped noise is a wrong noise.

# %%
def clipped_walk(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta = alphas_bar[k], betas[k]
        before = alphas_bar[k - 1] if k > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), k))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


course.exercise("12.repair", clipped_walk)

# %% [markdown]
# ## 12.few-steps
#
# The exact reverse step is a mixture over the possible $x_0$. Its variance is the variance within the parts, $\tilde\beta_t$, plus the variance between them. A sampler
# with $\tau_t^2=\tilde\beta_t$ leaves the second part out in every step, so the core of each peak is too narrow.

# %%
prediction = "narrow"
course.exercise("12.few-steps", prediction)
