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
# `alphas_bar[t]` picks one level for each image; three more axes let it meet $(b,1,h,w)$. Then the jump, and the mean squared error.

# %%
def my_loss(network, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None, None, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - network(x_t, t)) ** 2).mean()


course.exercise("12.training-step", my_loss)


# %% [markdown]
# ## 12.sampler
#
# From the last step to the first: the mean with the predicted noise, then fresh noise of standard deviation $\sqrt{\beta_t}$, but none when the example is finished.

# %%
def my_walk(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        eps_hat = network(x, torch.full((len(x),), t))
        mean = x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat
        x = mean / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


course.exercise("12.sampler", my_walk)


# %% [markdown]
# ## 12.repair
#
# First bug: at $t=0$, `alphas_bar[t - 1]` is the *last* entry in Python, nearly 0, where $\bar\alpha_0=1$ is meant. The coefficient of $x_t$ is then about
# $1/\beta_1=1000$, and the picture explodes. Second bug: it is the guess of the data that lies in $[-1,1]$. About a third of the draws of a standard normal do
# not, so a clipped noise is a wrong noise.

# %%
def clipped_walk(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for t in reversed(range(len(betas))):
        a, beta = alphas_bar[t], betas[t]
        before = alphas_bar[t - 1] if t > 0 else torch.ones_like(a)
        eps_hat = network(x, torch.full((len(x),), t))
        x0_hat = ((x - (1 - a).sqrt() * eps_hat) / a.sqrt()).clamp(-1, 1)
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if t > 0:
            x = x + beta.sqrt() * z[t]
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


# %% [markdown]
# ## 12.v-against-eps
#
# With $x_t$ fixed, an error $\delta$ of $\hat x_0$ is an error $-\frac a\sigma\delta$ of $\hat\epsilon$, with $a=\sqrt{\bar\alpha}$, because $a\hat x_0+\sigma\hat\epsilon=x_t$. Then $\hat v=a\hat\epsilon-\sigma\hat x_0$ is wrong by
# $-\big(\frac{a^2}\sigma+\sigma\big)\delta=-\frac1\sigma\delta$. The ratio of the squares is $\frac1{\sigma^2}\big/\frac{a^2}{\sigma^2}=1/a^2=1/\bar\alpha$.
# In other words: an error of $v$ costs $a$ times itself in $\epsilon$, which is never more than itself.

# %%
def loss_ratio(alpha_bar):
    return 1 / alpha_bar


course.exercise("12.v-against-eps", loss_ratio)
