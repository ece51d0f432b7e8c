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
# # 13 · Diffusion models II: worked solutions
#
# Try each exercise of the lesson first; `course.hint("13.passes")` gives three hints, one at a time.

# %%
import math

import torch

from genlab import score
import genlab_course as course
from genlab.core import last
from genlab_course import check
from genlab.oracles import Gaussian

course.begin(lesson=13)
torch.set_default_dtype(torch.float64)
bar = score.alphas_bar_from_betas(score.linear_betas(1000))

# %% [markdown]
# ## 13.passes
#
# Heun looks at two slopes in each step except the last, which ends at zero noise where no slope exists: $2\cdot30-1 = 59$. Each guided
# slope asks the network twice. Second route: count them.

# %%
passes = 2 * (2 * 30 - 1)
course.exercise("13.passes", passes)

calls = []


def counting(x, t, label):
    calls.append(1)
    return 0 * x


guided = score.guided_eps_model(counting, torch.tensor([3]), null=10, guidance_scale=5.0)
denoiser = score.denoiser_from_eps(guided, bar)
last(score.edm_sample(denoiser, torch.ones(1, 1), score.edm_sigmas(30)))
guided_steps = len(calls)
calls.clear()
once = score.guided_eps_model(counting, torch.tensor([3]), null=10, guidance_scale=1.0)
last(score.edm_sample(score.denoiser_from_eps(once, bar), torch.ones(1, 1), score.edm_sigmas(30)))
check("evaluations: formula vs counted", passes, guided_steps, unlike={"no guidance": len(calls)})


# %% [markdown]
# ## 13.ddim-step
#
# Solve $x_t = \alpha_t x_0 + \sigma_t\epsilon$ for $x_0$ with the predicted noise, then write the same equation at the new level.

# %%
def step(x_t, eps_hat, a_t, a_s):
    x0_hat = (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()
    return a_s.sqrt() * x0_hat + (1 - a_s).sqrt() * eps_hat


course.exercise("13.ddim-step", step)
x, eps = torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(0))
other = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
check("two steps with one noise are one long step",
      step(step(x, eps, bar[900], bar[500]), eps, bar[500], bar[9]), step(x, eps, bar[900], bar[9]),
      atol=1e-12,
      unlike={"another noise on the way": step(step(x, other, bar[900], bar[500]), eps, bar[500], bar[9])})


# %% [markdown]
# ## 13.markov-sigma
#
# The posterior variance of lesson 12, $\tilde\beta = \frac{1-\bar\alpha_s}{1-\bar\alpha_t}\beta$, with the $\beta$ of the whole step,
# $1-\bar\alpha_t/\bar\alpha_s$. Second route: condition a joint normal distribution. Given $x_0$, the pair $(x_s, x_t)$ has the covariance
# $\mathrm{Cov} = \sqrt{\bar\alpha_t/\bar\alpha_s}\,(1-\bar\alpha_s)$, and the variance of $x_s$ given $x_t$ is
# $\mathrm{Var}(x_s) - \mathrm{Cov}^2/\mathrm{Var}(x_t)$.

# %%
def markov_sigma(a_t, a_s):
    return math.sqrt((1 - a_s) / (1 - a_t) * (1 - a_t / a_s))


course.exercise("13.markov-sigma", markov_sigma)
a_t, a_s = float(bar[700]), float(bar[400])
covariance = math.sqrt(a_t / a_s) * (1 - a_s)
check("sigma^2: formula vs conditioning", markov_sigma(a_t, a_s) ** 2,
      (1 - a_s) - covariance**2 / (1 - a_t), atol=1e-12,
      unlike={"the forward step's": 1 - a_t / a_s})


# %% [markdown]
# ## 13.two-m
#
# The line through the two guesses has the slope $(\text{now} - \text{before})/(\lambda_t-\lambda_r)$; half of the new step after $\lambda_t$ it
# has the value below. Second route: the package's step, from which the first-order step is subtracted; what is left is the weight of the
# guess times the extrapolation.

# %%
def guess_of_2m(now, before, lam_r, lam_t, lam_s):
    return now + (lam_s - lam_t) / (2 * (lam_t - lam_r)) * (now - before)


course.exercise("13.two-m", guess_of_2m)
lams = torch.tensor([-1.0, -0.4, 0.5])
a_r, a_t, a_s = torch.sigmoid(2 * lams)
one = lambda v: torch.full((1, 1), v)
second = score.dpm_solver_2m_step(one(0.7), one(1.2), one(0.9), a_r, a_t, a_s)
first = score.dpm_solver_step(one(0.7), one(guess_of_2m(1.2, 0.9, *lams.tolist())), a_t, a_s)
check("2M step vs first-order step with this guess", second, first, atol=1e-12,
      unlike={"no memory": score.dpm_solver_step(one(0.7), one(1.2), a_t, a_s)})


# %% [markdown]
# ## 13.guided-variance
#
# From step 12: a difference of two points of the flow is proportional to $(1+\tau)^{(1-w)/2}(v+\tau)^{w/2}$. At large $\tau$ this is $\sqrt\tau$, the
# width of the noise; at $\tau=0$ it is $v^{w/2}$. So a standard deviation is multiplied by $v^{w/2}$ and a variance by $v^w$. Second route:
# run guided DDIM between perfect networks.

# %%
def guided_variance(v, w):
    return v**w


course.exercise("13.guided-variance", guided_variance)
levels = torch.sigmoid(torch.linspace(12.0, -12.0, 2000))
whole = score.exact_eps_model(Gaussian(torch.zeros(1), torch.eye(1)), levels)
part = score.exact_eps_model(Gaussian(torch.tensor([0.7]), torch.tensor([[0.4]])), levels)
ends = last(score.ddim_sample(lambda x, t: score.cfg_eps(whole(x, t), part(x, t), guidance_scale=2.5),
                              torch.tensor([[-1.0], [1.0]]), torch.arange(1999, -1, -1), alphas_bar=levels))
sharpened = score.tilted_gaussian(0.7, 0.4, guidance_scale=2.5).cov
check("v^w vs 2000 guided steps", guided_variance(0.4, 2.5), ((ends[1] - ends[0]) / 2) ** 2,
      atol=2e-3, unlike={"the sharpened one's": sharpened})


# %% [markdown]
# ## 13.guided-network
#
# Two evaluations, one of them with the label that stands for "no class" in every row.

# %%
def guided_noise(net, x, t, label, null, w):
    eps_u = net(x, t, torch.full_like(label, null))
    return eps_u + w * (net(x, t, label) - eps_u)


course.exercise("13.guided-network", guided_noise)
net = lambda x, t, label: torch.sin(x) * label[:, None]
label, t = torch.tensor([3, 8, 1, 0]), torch.zeros(4, dtype=torch.long)
theirs = score.guided_eps_model(net, label, null=10, guidance_scale=3.0)(x, t)
check("mine vs genlab's", guided_noise(net, x, t, label, 10, 3.0), theirs, atol=1e-12,
      unlike={"w counted from 0": guided_noise(net, x, t, label, 10, 4.0)})
