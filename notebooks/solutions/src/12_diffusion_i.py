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
# The divergence of $\mathcal N(\tilde\mu,\tilde\beta I)$ from $\mathcal N(\mu_\theta,vI)$ sees the means as $\lVert\tilde\mu-\mu_\theta\rVert^2/2v$. Both means are
# $(x_t-\frac{\beta}{\sqrt{1-\bar\alpha}}\,\cdot)/\sqrt{1-\beta}$ with the true or the predicted noise in the gap, so their difference is
# $\frac{\beta}{\sqrt{(1-\beta)(1-\bar\alpha)}}(\epsilon_\theta-\epsilon)$. Square it and divide by $2v$.

# %%
def weight(beta, alpha_bar, v):
    return beta**2 / (2 * v * (1 - beta) * (1 - alpha_bar))


course.exercise("12.bound-weight", weight)


# %% [markdown]
# ## 12.v-against-eps
#
# With $x_t$ fixed, an error $\delta$ of $\hat x_0$ is an error $-\frac\alpha\sigma\delta$ of $\hat\epsilon$, because $\alpha\hat x_0+\sigma\hat\epsilon=x_t$. Then $\hat v=\alpha\hat\epsilon-\sigma\hat x_0$ is wrong by
# $-\big(\frac{\alpha^2}\sigma+\sigma\big)\delta=-\frac1\sigma\delta$. The ratio of the squares is $\frac1{\sigma^2}\big/\frac{\alpha^2}{\sigma^2}=1/\alpha^2=1/\bar\alpha$.
# In other words: an error of $v$ costs $\alpha$ times itself in $\epsilon$, which is never more than itself.

# %%
def loss_ratio(alpha_bar):
    return 1 / alpha_bar


course.exercise("12.v-against-eps", loss_ratio)


# %% [markdown]
# ## 12.training-step
#
# The product up to and including step $t$ (its index counts from 0), one level for each example, with a second axis so that it meets $(b,d)$. No sum over the batch: whoever calls it decides.

# %%
def noise_loss(eps_model, x0, t, eps, betas):
    a = (1 - betas).cumprod(0)[t][:, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean(1)


course.exercise("12.training-step", noise_loss)


# %% [markdown]
# ## 12.sampler
#
# From the top down; the mean of step 12 with the predicted noise; fresh noise of standard deviation $\sqrt{\beta_t}$, but none when the example is finished.

# %%
def walk_back(eps_model, x_T, z, betas):
    alphas_bar, x = (1 - betas).cumprod(0), x_T
    for t in range(len(betas) - 1, -1, -1):
        eps_hat = eps_model(x, torch.full((len(x),), t))
        x = (x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat) / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + betas[t].sqrt() * z[t]
    return x


course.exercise("12.sampler", walk_back)
