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
# # 13 · Diffusion models II: training and sampling
#
# **After this lesson you will be able to**
#
# - *derive* DDIM from the one thing that training fixes, and *say* what the noise parameter $\eta$ trades;
# - *invert* a sampler: turn an image into its noise and back, and edit it on the way;
# - *build* second-order samplers (DPM-Solver++ and Heun/EDM) and *measure* their order of convergence;
# - *derive* classifier guidance and classifier-free guidance, and *compute* the distribution that guidance really samples, which is not the
#   sharpened posterior;
# - *produce*, *measure* and *repair* too few steps, too much guidance, and a network in the wrong scale.
#
# About 80 minutes to read, about 50 seconds to run. You need lesson 12 (the forward chain, $\bar\alpha_t$, the noise-prediction loss, the
# ancestral sampler) and, from lesson 11, that the best noise prediction is the score up to a factor.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import copy
import math
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.svm import SVC

import genlab_course as course
from genlab import score
from genlab_course import widgets
from genlab.core import last
from genlab.core.stats import integrate
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import show, show_images
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.metrics.features import load_classifier
from genlab.metrics.distances import frechet_distance
from genlab.metrics.cost import network_passes
from genlab.metrics.coverage import knn_radius, precision_recall
from genlab.train import EMA
from genlab.nn.layers import MLP
from genlab.oracles import Gaussian, GaussianMixture
from genlab.zoo import find, load_model
from genlab.zoo.diffusion import NO_CLASS
from genlab.solvers.mcmc import langevin_step

course.begin(lesson=13)
torch.set_default_dtype(torch.float64)  # exact numbers first; training: float32
course.draw_map(lesson=13, slim=True)


# %% [markdown]
# Lesson 12 left you with a good model and a slow sampler: one network evaluation for each of the $T$ steps of training, for every sample. Its
# sampler also cannot be asked for a particular digit. This lesson takes the *same trained network* and changes only what is done with
# its answers: fewer steps, better steps, steps backwards, and steps that lean towards a condition.
#
# ## Predict first
#
# Write your answers down; each comes back with a number.
#
# 1. A text-to-image system quotes "50 DDIM steps with guidance". How many network evaluations is that for one image, and how many of
#    them have to come one after the other? And 18 steps of Heun's method with guidance?
# 2. You halve the step of DDIM, then of DPM-Solver++ (2M). By what factor does each error fall, if the network is perfect?
# 3. Data are $\mathcal N(0,1)$; one class of them is $\mathcal N(1, 0.25)$. Sharpening that class with $w = 3$ gives
#    $p(x)^{1-w}p(x\mid c)^w \propto \mathcal N(1.2,\ 0.32^2)$. Guided sampling with $w=3$: will its samples be as wide as that, wider, or
#    narrower?
# 4. Our digits network, 8 steps, nothing else changed: does an independent classifier recognise more of DDPM's samples, or of DDIM's?
#    And what is most of the difference due to?

# %% [markdown]
# ## 1. One network, many chains
#
# **Step 1. What training fixes.** The loss of lesson 12 draws $x_0$, a step $t$ and noise, and forms
# $x_t = \alpha_t x_0 + \sigma_t\epsilon$ with $\alpha_t = \sqrt{\bar\alpha_t}$, $\sigma_t = \sqrt{1-\bar\alpha_t}$. It never looks at two
# steps of one chain together. So it fixes each $q(x_t\mid x_0)$, and says nothing about how $x_t$ and $x_s$ depend on each other. Every joint distribution
# with these marginals has the same loss and the same best network.
#
# **Step 2. A family of joint distributions.** Take a lower level $s < t$ (for the sampler that is the *next* state). We look for
# $$x_s = \alpha_s x_0 + \sqrt{\sigma_s^2 - \sigma^2}\;\epsilon + \sigma z, \qquad \epsilon = \frac{x_t - \alpha_t x_0}{\sigma_t},\quad
# z\sim\mathcal N(0,I)\ \text{fresh}.$$
# Given $x_0$, both $\epsilon$ and $z$ are standard normal and independent, so the variances add to $\sigma_s^2$ and $x_s$ has the right
# marginal *for every* $\sigma$ between 0 and $\sigma_s$. Part of the old noise is kept, part is replaced; $\sigma$ says how much.
#
# **Step 3. Which $\sigma$ is DDPM?** Lesson 12's forward chain is Markov: once you know $x_s$, the noisier $x_t$ tells nothing more about
# $x_0$. Given $x_0$, the pair $(x_s,x_t)$ is jointly normal, $x_s$ has variance $\sigma_s^2$, and step 2 gives the covariance
# $\sigma_t\sqrt{\sigma_s^2-\sigma^2}$. So
# $$\mathbb E[x_t\mid x_s,x_0]=\alpha_tx_0+\frac{\sigma_t\sqrt{\sigma_s^2-\sigma^2}}{\sigma_s^2}\,(x_s-\alpha_sx_0),$$
# and the variance of $x_t$ given both does not depend on $x_0$. The chain is Markov if $x_0$ drops out of this mean, that is if
# $\alpha_t\sigma_s^2=\alpha_s\sigma_t\sqrt{\sigma_s^2-\sigma^2}$. The right side falls from a value above the left one to 0 as $\sigma$
# grows, so this happens for exactly one $\sigma$,
# $$\sigma^2 = \frac{\sigma_s^2}{\sigma_t^2}\Big(1 - \frac{\bar\alpha_t}{\bar\alpha_s}\Big),$$
# which between neighbours is the posterior variance $\tilde\beta_t$ of lesson 12. Scale it: $\eta\sigma$, with $\eta=1$ the Markov chain and
# $\eta=0$ no fresh noise at all.

# %%
def leftover(variance, a_t, a_s):
    """Covariance of x_0 and x_t given x_s, by step 2, for x_0 ~ N(0, 1)."""
    x_0 = torch.tensor([1.0, 0, 0])  # in terms of (x_0, eps, z)
    x_t = torch.tensor([a_t**0.5, (1 - a_t) ** 0.5, 0])
    x_s = torch.tensor([a_s**0.5, (1 - a_s - variance) ** 0.5, variance**0.5])
    return x_0 @ x_t - (x_0 @ x_s) * (x_s @ x_t) / (x_s @ x_s)


betas = score.linear_betas(1000)
bar = score.alphas_bar_from_betas(betas)
t, s = 700, 699
variance = (1 - bar[s]) / (1 - bar[t]) * (1 - bar[t] / bar[s])
check("between neighbours: lesson 12's posterior variance", variance,
      score.posterior_variances(betas)[t], unlike={"the forward step's beta": betas[t]})

a_t, a_s = float(bar[700]), float(bar[400])  # 300 levels in one step
scan = torch.linspace(0, 1 - a_s, 20_001)
what_is_left = torch.stack([leftover(v, a_t, a_s) for v in scan.tolist()])
(turns,) = (what_is_left[:-1].sign() != what_is_left[1:].sign()).nonzero(as_tuple=True)
check("variances between 0 and sigma_s^2 that are Markov", len(turns), 1)
markov = (1 - a_s) / (1 - a_t) * (1 - a_t / a_s)
check("    and where: scan, formula", scan[turns[0]], markov, atol=1e-4,
      unlike={"without sigma_s^2 / sigma_t^2": 1 - a_t / a_s})
print(f"eta = 0: what x_t still tells, across 300 steps  {what_is_left[0]:.4f}")


# %% [markdown]
# With $\eta < 1$ the forward process that belongs to the sampler is *not* Markov. Nothing is lost by that: nobody ever runs that forward process,
# and the training loss does not contain it.
#
# **Step 4. Put the guess in.** The sampler, the **denoising diffusion implicit model** (DDIM), does not know $x_0$. It takes the network's noise for $\epsilon$, and the $x_0$ that goes with it:
# $$\hat x_0 = \frac{x_t - \sigma_t\,\hat\epsilon}{\alpha_t}, \qquad
# x_s = \alpha_s\hat x_0 + \sqrt{\sigma_s^2-\eta^2\sigma^2}\;\hat\epsilon + \eta\,\sigma z .$$
# Read it aloud: *guess the clean image, then put the noise back, less of it.* Three steps by hand, $\bar\alpha$ = 0.01, 0.30, 0.70, 1, from
# $x = 2$, with the network answering 1.8, 1.4 and 0.5:

# %%
def my_ddim_step(x_t, eps_hat, z, a_t, a_s, eta):
    x0_hat = (x_t - (1 - a_t).sqrt() * eps_hat) / a_t.sqrt()
    sigma = eta * ((1 - a_s) / (1 - a_t) * (1 - a_t / a_s)).sqrt()
    return a_s.sqrt() * x0_hat + (1 - a_s - sigma**2).sqrt() * eps_hat + sigma * z


levels = torch.tensor([0.01, 0.30, 0.70, 1.0])
x, zero = torch.tensor([[2.0]]), torch.zeros(1, 1)
guesses, states, slips = [], [], []
for (a_t, a_s), answer in zip(pairwise(levels), (1.8, 1.4, 0.5), strict=True):
    eps_hat = torch.tensor([[answer]])
    guesses.append(score.x0_from_eps(x, eps_hat, a_t.sqrt(), (1 - a_t).sqrt()))
    slips.append((x - (1 - a_t) * eps_hat) / a_t)
    x = my_ddim_step(x, eps_hat, zero, a_t, a_s, eta=0.0)
    states.append(x)
guesses, states, slips = (torch.cat(v).flatten() for v in (guesses, states, slips))
check("three guesses and three states, by hand", torch.stack([guesses, states]),
      [[2.0902261, 2.7012362, 3.2904245], [2.6508521, 3.0268280, 3.2904245]], atol=5e-8,
      unlike={"variances for their roots": torch.stack([slips, states])})

# %% [markdown]
# **The equation becomes code.** Four lines, and the package's function has the same four. The cell compares them for random inputs, and
# checks three things that the formula promises: the fresh noise has the standard deviation $\eta\sigma$; $\eta=1$ between neighbours is
# lesson 12's ancestral step; with the *true* noise the state stays on the path of its own $x_0$, however long the step.

# %%
generator = torch.Generator().manual_seed(13)
x_t, eps_hat, z = torch.randn(3, 5, 2, generator=generator)
etas = (0.0, 0.4, 1.0)
mine, theirs, squared = (
    torch.stack([f(x_t, eps_hat, z, bar[700], bar[300], eta=eta) for eta in values])
    for f, values in ((my_ddim_step, etas), (score.ddim_step, etas),
                      (my_ddim_step, (0, 0.16, 1)))
)  # fmt: skip
check("mine = genlab's, eta = 0, 0.4, 1", mine, theirs, atol=1e-12,
      unlike={"eta counted twice": squared})
neighbour = [score.ddim_step(x_t, eps_hat, k * z, bar[700], bar[699], eta=0.4)
             for k in (0, 1)]
sigma = score.posterior_variances(betas)[700].sqrt()
check("fresh noise of a step with eta = 0.4",
      neighbour[1] - neighbour[0], 0.4 * sigma * z,
      atol=1e-12, unlike={"eta counted twice": 0.4**2 * sigma * z})
options = {"beta": betas[700], "alpha_bar": bar[700]}
ancestral, too_wide = (
    score.ddpm_step(x_t, eps_hat, z, variance=v[700], **options)
    for v in (score.posterior_variances(betas), betas)
)
check("eta = 1 is the ancestral step",
      my_ddim_step(x_t, eps_hat, z, bar[700], bar[699], 1.0),
      ancestral, atol=1e-12, unlike={"variance beta": too_wide})
x_0 = torch.randn(5, 2, generator=generator)
on_path = score.add_noise(x_0, bar[900].sqrt(), (1 - bar[900]).sqrt(), eps_hat)
landed = my_ddim_step(on_path, eps_hat, z, bar[900], bar[100], 0.0)
check("with the true noise: 800 levels in one step", landed,
      score.add_noise(x_0, bar[100].sqrt(), (1 - bar[100]).sqrt(), eps_hat), atol=1e-12,
      unlike={"the old amount of noise": bar[100].sqrt() * x_0
              + (1 - bar[900]).sqrt() * eps_hat})
course.show_source(score.ddim_step)

# %% [markdown]
# That last line is why DDIM may take long steps: its only error is that $\hat\epsilon$ *changes along the way*, and it changes slowly.
#
# ## 2. A perfect network to test with
#
# Before a trained network comes in, we use one that makes no mistakes. For a Gaussian mixture the best noise prediction is known in closed
# form (`score.exact_eps_model`), so whatever is then wrong is the sampler's fault. In one dimension even the *answer* is known without any
# solver: the noiseless flow preserves the order of points, so it must carry each quantile of the noised distribution to the same quantile of the
# data. We find quantiles by bisection on the distribution function; this route shares nothing with any sampler.

# %%
data_law = GaussianMixture(torch.tensor([0.3, 0.7]),
                           torch.tensor([[-1.5], [1.0]]), torch.tensor([0.3, 0.5]))
u = (torch.arange(400) + 0.5) / 400  # probabilities


def quantiles(law, u):
    """Invert the distribution function of a mixture on the line by bisection."""
    low, high = torch.full_like(u, -30.0), torch.full_like(u, 30.0)
    for _ in range(60):
        middle = (low + high) / 2
        below = (law.weights * torch.special.ndtr(
            (middle[:, None] - law.means[:, 0]) / law.stds)).sum(1) < u
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return middle[:, None]


def at_level(a):
    """Where the exact flow is at level a: the quantiles of the noised data."""
    return quantiles(data_law.noised(float(a) ** 0.5, (1 - float(a)) ** 0.5), u)


def mass_below(x, law):
    """Integral of the density up to each point, by the trapezoid rule."""
    points = torch.linspace(0, 1, 4001) * (x + 9) - 9
    return torch.trapezoid(
        law.log_prob(points.reshape(-1, 1)).exp().reshape(points.shape), points)


# %%
noised = data_law.noised(0.6, 0.8)
unscaled = GaussianMixture(data_law.weights, noised.means,
                           (data_law.stds**2 + 0.64).sqrt())
check("mass below the quantiles, by quadrature",
      mass_below(at_level(0.36), noised), u, atol=1e-6,
      unlike={"noise only added": mass_below(quantiles(unscaled, u), noised)})
fine = torch.sigmoid(torch.linspace(12.0, -12.0, 4000))  # 4000 levels, even in log SNR
walk = score.ddim_sample(score.exact_eps_model(data_law, fine), at_level(fine[-1]),
                         torch.arange(3999, -1, -1), alphas_bar=fine)
one_normal = data_law.moment_match()
affine = one_normal.mean + one_normal.cov.sqrt() * torch.special.ndtri(u)[:, None]
check("DDIM with 4000 steps carries quantiles to quantiles", last(walk), at_level(1.0),
      atol=2e-2,  # first order
      unlike={"the flow of a normal with its moments": affine})

# %%
normal_law = Gaussian(torch.tensor([2.0]), torch.tensor([[0.25]]))
eps_model = score.exact_eps_model(normal_law, bar)
# the flow of a normal distribution is affine: three points tell its scale
start = torch.tensor([[-1.0], [0.0], [1.0]])
print("steps   standard deviation of the samples (the data's: 0.5)")
for n_steps in (5, 10, 20, 50, 200):
    x = last(score.ddim_sample(eps_model, start,
                               score.ddim_timesteps(1000, n_steps), alphas_bar=bar))
    print(f"{n_steps:>5}   {(x[2] - x[0]).item() / 2:.4f}")

# %% [markdown]
# ## 3. Backwards: inversion
#
# **Step 5. Walk the noiseless step the other way.** With $\eta = 0$ the step from $t$ to $s$ is a deterministic map; solve it for $x_t$:
# $$x_t = \alpha_t\,\frac{x_s - \sigma_s\hat\epsilon}{\alpha_s} + \sigma_t\,\hat\epsilon .$$
# There is a catch: $\hat\epsilon$ was predicted *at* $x_t$, which we do not know yet. Use $\epsilon_\theta(x_s, t)$ instead and the error is
# of the order of the step; or use it as a first guess for $x_t$ and repeat, $x_t^{(k+1)} = \text{step up with } \epsilon_\theta(x_t^{(k)}, t)$,
# until nothing moves.

# %%
x_data = at_level(1.0)
coarse = torch.sigmoid(torch.linspace(9.0, -9.0, 1000))
perfect = score.exact_eps_model(data_law, coarse)


def round_trip(n_steps, n_refine):
    """The data after a walk up to noise and the sampler's walk back."""
    steps = score.ddim_timesteps(1000, n_steps)
    noise = last(score.ddim_invert(perfect, x_data, steps, alphas_bar=coarse,
                                   n_refine=n_refine))
    return last(score.ddim_sample(perfect, noise, steps, alphas_bar=coarse))


print("largest error of the round trip\nsteps   usual inversion   with 2 refinements")
for n_steps in (25, 50, 100):
    usual, refined = ((round_trip(n_steps, k) - x_data).abs().max() for k in (0, 2))
    print(f"{n_steps:>5}   {usual:.4f}            {refined:.4f}")
check("25 steps, 40 refinements: the round trip closes",
      round_trip(25, 40), x_data, atol=1e-9,
      unlike={"the usual inversion": round_trip(25, 0)})
noise = last(score.ddim_invert(perfect, x_data, torch.arange(999, -1, -1),
                               alphas_bar=coarse))
standardised = (x_data - x_data.mean()) / x_data.std()
check("inverted data are standard normal noise", noise, torch.special.ndtri(u)[:, None],
      atol=0.06, unlike={"data shifted and scaled": standardised})  # first order


# %% [markdown]
# So an image comes from *one* noise, and you can compute it. Section 6 uses that to edit real digits.
#
# ## 4. Better steps
#
# **Step 6. The flow without approximation.** Let the step of DDIM become infinitely short and write $\lambda = \log(\alpha/\sigma)$, half the
# log signal-to-noise ratio, which runs from very negative (noise) to infinity (data). The step says that $x/\sigma$ changes only through
# $\hat x_0$: from $x = \alpha\hat x_0 + \sigma\hat\epsilon$ with $\hat\epsilon$ held, $d(x/\sigma) = \hat x_0\,d(\alpha/\sigma) =
# \hat x_0\,e^{\lambda}d\lambda$. Integrate:
# $$\frac{x_s}{\sigma_s} = \frac{x_t}{\sigma_t} + \int_{\lambda_t}^{\lambda_s} e^{\lambda}\,\hat x_0(\lambda)\,d\lambda .$$
# This is exact. All that a solver must approximate is how the *guess* changes along the way.
#
# **Step 7. First order.** Hold $\hat x_0$ still: the integral is $(e^{\lambda_s}-e^{\lambda_t})\hat x_0$, and
# $x_s = \tfrac{\sigma_s}{\sigma_t}x_t + (\alpha_s - \alpha_t\tfrac{\sigma_s}{\sigma_t})\,\hat x_0$. Rearranged, this is DDIM.
#
# **Step 8. Second order for the price of first.** The previous step made a guess too, at $\lambda_r$. Draw the straight line through the two
# guesses and read it in the *middle* of the new step, where a straight line's average over the step is (to this order):
# $$D = \hat x_0(t) + \frac{h}{2\,h_{\text{before}}}\big(\hat x_0(t) - \hat x_0(r)\big), \qquad h = \lambda_s-\lambda_t,\quad
# h_{\text{before}} = \lambda_t - \lambda_r .$$
# Put $D$ where $\hat x_0$ stood. That is DPM-Solver++ (2M): one network evaluation a step, and the memory of the last guess.

# %%
def my_2m_step(x_t, x0_hat, x0_before, a_r, a_t, a_s):
    lam_r, lam_t, lam_s = (0.5 * (a / (1 - a)).log() for a in (a_r, a_t, a_s))
    D = x0_hat + (lam_s - lam_t) / (2 * (lam_t - lam_r)) * (x0_hat - x0_before)
    ratio = ((1 - a_s) / (1 - a_t)).sqrt()
    return ratio * x_t + (a_s.sqrt() - a_t.sqrt() * ratio) * D


before = torch.randn(5, 2, generator=generator)
guess = score.x0_from_eps(x_t, eps_hat, bar[700].sqrt(), (1 - bar[700]).sqrt())
check("first order is DDIM", score.dpm_solver_step(x_t, guess, bar[700], bar[300]),
      score.ddim_step(x_t, eps_hat, z, bar[700], bar[300]), atol=1e-12,
      unlike={"old noise not reduced": x_t
              + (bar[300].sqrt() - bar[700].sqrt()) * guess})
lam_r, lam_t, lam_s = (float(score.half_log_snr(bar[k])) for k in (900, 700, 300))
at_the_end = guess + (lam_s - lam_t) / (lam_t - lam_r) * (guess - before)
check("my 2M step = genlab's",
      my_2m_step(x_t, guess, before, bar[900], bar[700], bar[300]),
      score.dpm_solver_2m_step(x_t, guess, before, bar[900], bar[700], bar[300]),
      atol=1e-12,
      unlike={"line read at the end": score.dpm_solver_step(
          x_t, at_the_end, bar[700], bar[300])})


lam = torch.linspace(lam_t, lam_s, 20_001)[:, None, None]
along = lambda f: (1 - bar[300]).sqrt() * (
    x_t / (1 - bar[700]).sqrt() + integrate((f * guess).movedim(0, -1), lam[:, 0, 0]))
check("the integral of step 6 with a still guess, by quadrature", along(lam.exp()),
      score.dpm_solver_step(x_t, guess, bar[700], bar[300]), atol=1e-6,
      unlike={"without exp(lambda)": along(torch.ones_like(lam))})

# %% [markdown]
# **Step 9. The same flow in the data's own unit.** Divide by $\alpha$: $\tilde x = x/\alpha = x_0 + \tilde\sigma\epsilon$ with
# $\tilde\sigma = \sigma/\alpha = e^{-\lambda}$. The signal is never scaled down and the noise level itself is the time:
# $$\frac{d\tilde x}{d\tilde\sigma} = \frac{\tilde x - D(\tilde x, \tilde\sigma)}{\tilde\sigma},$$
# where $D$ is the guess of $x_0$. An Euler step here is DDIM yet again. Karras et al. (EDM) take **Heun's** step: go ahead with the slope,
# look at the slope there, come back and go with the average. Two evaluations a step, second order.

# %%
sigma = ((1 - bar[700]) / bar[700]).sqrt()
sigma_next = ((1 - bar[300]) / bar[300]).sqrt()
euler = score.edm_step(lambda x, sigma: x - sigma[:, None] * eps_hat,
                       x_t / bar[700].sqrt(), sigma, sigma_next, order=1)
check("an Euler step in sigma is DDIM", bar[300].sqrt() * euler,
      score.ddim_step(x_t, eps_hat, z, bar[700], bar[300]), atol=1e-12,
      unlike={"left in the data's unit": euler})


def errors(n_steps):
    """Mean error of three solvers against the exact quantiles, lambda = -4 to 4."""
    table = torch.sigmoid(2 * torch.linspace(4.0, -4.0, n_steps + 1))
    x_T = at_level(table[-1])
    goal = at_level(table[0])
    order = torch.arange(n_steps, -1, -1)
    model = score.exact_eps_model(data_law, table)
    runs = (score.dpm_solver_sample(model, x_T, order, alphas_bar=table, order=k)
            for k in (1, 2))
    found = [list(run)[n_steps - 1] for run in runs]
    levels = ((1 - table) / table).sqrt().flip(0)
    heun = last(score.edm_sample(lambda x, s: data_law.denoiser(x, 1.0, s),
                                 x_T / table[-1].sqrt(), levels))
    return [(x - goal).abs().mean().item() for x in (*found, table[0].sqrt() * heun)]


counts = [20, 40, 80, 160, 320]
measured = np.array([errors(n) for n in counts])
orders = np.log2(measured[3] / measured[4])
print("orders from 160 to 320 steps, DDIM, 2M, Heun:", orders.round(2))
check("order of DDIM, DPM-Solver++ (2M) and Heun", orders, [1, 2, 2], atol=0.15,
      unlike={"2M that forgets its first guess": orders[[0, 0, 2]]})

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(6.6, 3.8))
for column, (name, colour, style, marker, passes) in enumerate((
    ("DDIM, 1 evaluation a step", "#0072B2", "-", "o", 1),
    ("DPM-Solver++ (2M), 1 evaluation a step", "#009E73", "--", "s", 1),
    ("Heun (EDM), 2 evaluations a step", "#D55E00", "-.", "^", 2),
)):
    ax.loglog([passes * n for n in counts], measured[:, column],
              color=colour, linestyle=style, marker=marker, label=name)
ax.loglog([20, 640], [0.5, 0.5 / 32], color="#999999", linestyle=":", linewidth=1)
ax.loglog([20, 640], [0.5, 0.5 / 32**2], color="#999999", linestyle=":", linewidth=1)
ax.annotate("slope 1", (330, 0.036), fontsize=9, color="#666666")
ax.annotate("slope 2", (330, 0.0024), fontsize=9, color="#666666")
ax.set_xticks([20, 40, 80, 160, 320, 640],
              labels=["20", "40", "80", "160", "320", "640"], minor=False)
ax.minorticks_off()
ax.set(xlabel="network evaluations", ylabel="mean error of a quantile",
       title="exact network: the error falls as the order says")
ax.legend(loc="lower left")
show(figure,
     "Mean error against network evaluations, both axes logarithmic: DDIM's line falls "
     "with slope 1; those of DPM-Solver++ (2M) and of Heun's method fall with slope 2, "
     "and 2M's is the lowest at every budget.")  # fmt: skip


# %% [markdown]
# Doubling the steps halves DDIM's error and quarters that of the other two (question 2). Count network *evaluations*, not steps: Heun makes two a step.
#
# ## 5. Too few steps
#
# **It fails.** Now a tight budget, still with the perfect network, on the usual schedule of 1000 training steps. "DDPM with 9 steps" is not
# one sampler: it is the ancestral sampler on a chain that visits only 9 of the levels, and its step variance may be $\beta$ or
# $\tilde\beta$ *of that short chain* (the latter is $\eta=1$). We measure $W_1$ to the data's exact quantiles (lesson 08): how far, on
# average, must mass move?

# %%
def strided_ddpm(eps_model, x_T, steps, bar, generator):
    """The ancestral sampler of the chain of `steps`, its own betas as variances."""
    up = steps.flip(0)
    kept = bar[up]
    betas = torch.cat([1 - kept[:1], 1 - kept[1:] / kept[:-1]])
    return last(score.ddpm_sample(lambda x, t: eps_model(x, up[t]), x_T,
                                  betas=betas, variances=betas, generator=generator))


def w1_to_data(x):
    """W1 between samples and the data: sorted samples against exact quantiles."""
    x = x.flatten().sort().values
    exact = quantiles(data_law, (torch.arange(len(x)) + 0.5) / len(x)).flatten()
    return (x - exact).abs().mean().item()


def few_steps(n):
    """Samples of five samplers that may look at the perfect network n times (n odd)."""
    g, model = torch.Generator().manual_seed(13), score.exact_eps_model(data_law, bar)
    even, flow = score.ddim_timesteps(1000, n), torch.special.ndtri(u)[:, None]
    many = torch.randn(20_000, 1, generator=g)
    levels = score.edm_sigmas((n + 1) // 2, sigma_min=0.01, sigma_max=80.0)
    return {
        "DDPM, variance beta": strided_ddpm(model, many, even, bar, g),
        "DDPM, variance beta-tilde": last(
            score.ddim_sample(model, many, even, alphas_bar=bar, eta=1.0, generator=g)),
        "DDIM": last(score.ddim_sample(model, flow, even, alphas_bar=bar)),
        "DPM-Solver++ (2M)": last(score.dpm_solver_sample(
            model, flow, score.log_snr_timesteps(bar, n), alphas_bar=bar)),
        "Heun (EDM)": last(score.edm_sample(lambda x, s: data_law.denoiser(x, 1.0, s),
                                            80 * flow, levels)),
    }


budgets = [5, 9, 19, 49, 99]
runs = {n: few_steps(n) for n in budgets}
few = {name: [w1_to_data(runs[n][name]) for n in budgets] for name in runs[5]}
print(f"{'W1 to the data at NFE':<34}" + "".join(f"{n:>7}" for n in budgets))
for name, values in few.items():
    print(f"{name:<34}" + "".join(f" ~{v:.3f}" for v in values))

# %%
ddim, second = np.array(few["DDIM"]), np.array(few["DPM-Solver++ (2M)"])
check_range("9 evaluations: DDPM with beta-tilde over DDIM",
            few["DDPM, variance beta-tilde"][1] / ddim[1],
            1.2, 2.0, digits=1,
            unlike={"with beta": few["DDPM, variance beta"][1] / ddim[1]})
check_range("49 evaluations: DDIM over 2M", ddim[3] / second[3], 7.0, 11.0, digits=1,
            unlike={"at 9 evaluations": ddim[1] / second[1]})
check_range("5 evaluations: Heun from sigma = 80 over DDIM",
            few["Heun (EDM)"][0] / ddim[0], 8.0, 12.0,
            digits=1, unlike={"at 49 evaluations": few["Heun (EDM)"][3] / ddim[3]})

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.7), sharex=True, sharey=True)
grid = torch.linspace(-3.2, 3.2, 400)
titles = {"DDPM, variance beta": r"DDPM, variance $\beta$",
          "DDPM, variance beta-tilde": r"DDPM, variance $\tilde\beta$",
          "DDIM": "DDIM", "DPM-Solver++ (2M)": "DPM-Solver++ (2M)"}  # fmt: skip
for ax, (name, title) in zip(axes, titles.items(), strict=True):
    ax.hist(runs[9][name].flatten().numpy(),
            bins=60, range=(-3.2, 3.2), density=True, color="#56B4E9")
    ax.plot(grid, data_law.log_prob(grid[:, None]).exp(),
            color="#222222", linestyle="-", linewidth=1.5)
    ax.set(title=f"{title}\n{few[name][1]:.2f} from the data", xlabel="x")
axes[0].set_ylabel("density, 9 evaluations")
show(figure,
     "Samples after 9 evaluations (histograms) and the data's density, a line with two "
     "peaks: DDPM with variance beta fits best; DDIM's peaks are too narrow and high, "
     "those of DDPM with beta-tilde still more so; 2M's are too low.")  # fmt: skip

# %% [markdown]
# Every sampler degrades, and with a perfect network the repair is order: at 49 evaluations 2M is about ten times nearer than DDIM. Which DDPM
# you mean matters as much as the step count: with $\tilde\beta$ it is the worst of the first-order samplers, because its noise is right
# only for a single known $x_0$; with $\beta$ it beats DDIM here. And Heun's method, which beats DDIM from 49 evaluations on, is *useless* with
# 5 evaluations from $\tilde\sigma = 80$: three steps over four decades of noise is not the regime in which order means anything.
#
# So a step count alone says nothing. It needs the sampler's name, its variance, its network evaluations, and the network: ours comes next.
#
# Question before you move anything: with three modes and 8 evaluations, where do DDIM's trajectories leave the exact ones, in the noise or near the
# data? Then switch the sampler to 2M, and to DDPM. Drag in the left panel to start the thick path elsewhere; play `evaluations` and watch the slopes on the right.
#
# <details><summary>Answer</summary>
#
# Near the data. The mean distance to the exact trajectories is below 0.01 down to a half log-SNR of $-2$ and then grows to 0.19: between
# $-1$ and 1 the guess of $x_0$ decides for a mode and changes fastest, while DDIM holds it still. 2M ends at 0.14. DDPM leaves the exact
# trajectories at once, and that is no error: with fresh noise only the distribution of the ends is promised (here $W_1=0.26$, of which 240 points cost about 0.1 by chance: the dotted line).
#
# </details>

# %% tags=["keep-output"]
widgets.sampler_steps()

# %% [markdown]
# ## 6. A real network
#
# We train a U-Net like that of lesson 12, here on the 8 x 8 digits: it is conditioned on the class, and the label is withheld in a tenth of the rows. On the way
# we keep two copies at step 300 and at the last one: the weights as they were then, and their average (EMA). The live curve should end near
# 0.07.

# %%
torch.set_default_dtype(torch.float32)
images, labels = load_digits("train")
held_out, held_labels = load_digits("test")
recipe = find("digit_diffusion")
model = recipe.untrained()
average, kept = EMA(model, recipe.settings["average"]), {}


def observed(records):
    """Pass the records on; keep the weights and their average at two steps."""
    for record in records:
        average.update(model)
        if record.step in (300, recipe.settings["n_steps"]):
            moving, smooth = copy.deepcopy(model).eval(), copy.deepcopy(average.average)
            kept[record.step] = moving, smooth
        yield record
records = widgets.watch(observed(recipe.train(model, to_unit(images), labels)),
                        total=recipe.settings["n_steps"])
tail = float(np.mean([r.loss for r in records[-50:]]))
check_range("mean loss of the last 50 steps", tail, 0.055, 0.09,
            unlike={"the first step": records[0].loss})

# %% [markdown]
# **How the samples are evaluated.** An independent classifier (a support vector machine, fitted on real training digits only) says which digit it sees; the
# Fréchet distance of lesson 09 compares 200 samples with the training digits (200 *real* test digits are not at 0 either: that is the yardstick (a network trained on these digits may come below it));
# recall asks how much of the real variety is reached.

# %%
classifier = SVC(C=10.0, gamma=0.001).fit(images.flatten(1).numpy(), labels.numpy())
features = load_classifier()
real = features.features(images)
wanted = torch.arange(10).repeat(20)
noises = torch.randn(200, 1, 8, 8, generator=torch.Generator().manual_seed(13))
net, bar32 = model.eps_net, model.alphas_bar
seen = classifier.predict(held_out.flatten(1).numpy())
check_range("the classifier on real test digits",
            (seen == held_labels.numpy()).mean(), 0.97, 1.0,
            unlike={"labels in another order": (
                seen == held_labels.roll(1).numpy()).mean()})


def recognised(x):
    """Fraction of samples in which the classifier sees the digit asked for."""
    return float((classifier.predict(from_unit(x).flatten(1).numpy())
                  == wanted.numpy()).mean())


def frechet(x):
    return frechet_distance(real, features.features(from_unit(x))).item()


def recall(x):
    return precision_recall(real, features.features(from_unit(x))).recall


# %%
def clipped(eps_model):
    """The noise that belongs to the guess of x0, cut to the data's range [-1, 1]."""
    def model(x, t):
        a = bar32[t[0]]
        guess = score.x0_from_eps(x, eps_model(x, t), a.sqrt(), (1 - a).sqrt())
        return score.eps_from_x0(x, guess.clamp(-1, 1), a.sqrt(), (1 - a).sqrt())

    return model


def sample(sampler, n_steps, *, network=net, guidance_scale=1.0, eta=0.0, interval=None,
           clip=False, top=100):  # fmt: skip
    """Samples from the same noise, with a seeded stream; `top` levels are used."""
    told = score.guided_eps_model(network, wanted, null=NO_CLASS, interval=interval,
                                  guidance_scale=guidance_scale)  # fmt: skip
    g = torch.Generator().manual_seed(0)
    if sampler == "heun":
        levels = score.edm_sigmas(n_steps, sigma_min=0.045, sigma_max=20.0)
        denoise = score.denoiser_from_eps(told, bar32)
        cut = lambda x, sigma: denoise(x, sigma).clamp(-1, 1)
        return last(score.edm_sample(cut if clip else denoise, 20 * noises, levels))
    told = clipped(told) if clip else told
    if sampler == "2m":
        steps = score.log_snr_timesteps(bar32, n_steps)
        return last(score.dpm_solver_sample(told, noises, steps, alphas_bar=bar32))
    steps = score.ddim_timesteps(top, n_steps)
    return last(score.ddim_sample(told, noises, steps, alphas_bar=bar32, eta=eta,
                                  generator=g))


# %%
check_range("Fréchet distance of 200 real test digits",
            frechet(to_unit(held_out)), 0.19, 0.22,
            unlike={"of the training digits": frechet(to_unit(images))})
shaky = {}
for step, networks in kept.items():
    moving, averaged = (
        frechet(sample("ddim", 15, network=n.eps_net, eta=1.0)) for n in networks
    )
    shaky[step] = moving / averaged
    print(f"step {step}, Fréchet distance: moving weights ~{moving:.2f}, "
          f"averaged ~{averaged:.2f}")
check_range("step 300: moving over averaged", shaky[300], 1.2, 4.0, digits=1,
            unlike={"at the last step": shaky[recipe.settings["n_steps"]]})

# %% [markdown]
# At step 300 the learning rate is high and the weights shake; their average is the better network although it never took a gradient step.
# A sampler that forgets to load the averaged weights has a bug that raises no error: everything works, a little worse.
#
# **It fails.** No guidance, the same 200 starting noises, four budgets.

# %%
budgets = (4, 8, 16, 32)


def table(title, ways):
    """Fraction recognised and Fréchet distance of each sampler, at four budgets."""
    print(f"{title:<19}  recognised at NFE 4, 8, 16, 32      Fréchet distance")
    found = {}
    for name, run in ways.items():
        made = [run(n) for n in budgets]
        found[name] = [[recognised(x) for x in made], [frechet(x) for x in made]]
        shown = ["".join(f" ~{v:.2f} " for v in values) for values in found[name]]
        print(f"{name:<19}  {shown[0]:<37}{shown[1]}")
    return found


plain = table("as they are", {
    "DDPM (eta = 1)": lambda n: sample("ddim", n, eta=1.0),
    "DDIM": lambda n: sample("ddim", n),
    "DPM-Solver++ (2M)": lambda n: sample("2m", n),
})  # fmt: skip
seen_by = {name: rows[0] for name, rows in plain.items()}
check_range("32 evaluations, DDIM: recognised", seen_by["DDIM"][3], 0.78, 0.9,
            unlike={"DDPM": seen_by["DDPM (eta = 1)"][3]})

# %% [markdown]
# At every budget the noiseless sampler loses by 13 points or more (question 4). It is tempting to conclude that fresh noise is what DDIM
# lacks. Before you do, look at the input of each of them. The guess of step 4 divides by $\alpha_t$, and at the top of our schedule $\alpha_T = 0.0066$:
# whatever error the network makes in $\hat\epsilon$ is multiplied by $\sigma_T/\alpha_T \approx 152$ in $\hat x_0$. Nobody could guess an
# image from pure noise, but one could at least guess the class's mean image. How does our network's guess compare with that?

# %%
x0, digit = to_unit(images), labels
mean_image = torch.stack([x0[digit == d].mean(0) for d in range(10)])
spread = (x0 - mean_image[digit]).square().mean().sqrt()
ratios = {}
for level in (99, 76, 60, 30):
    a, g = bar32[level], torch.Generator().manual_seed(1)
    fresh_noise = torch.randn(x0[:300].shape, generator=g)
    state = score.add_noise(x0[:300], a.sqrt(), (1 - a).sqrt(), fresh_noise)
    with torch.no_grad():
        eps_hat = net(state, torch.full((300,), level), digit[:300])
    guess = score.x0_from_eps(state, eps_hat, a.sqrt(), (1 - a).sqrt())
    ratios[level] = float((guess - x0[:300]).square().mean().sqrt() / spread)
    print(f"step {level}: noise/signal {float(((1 - a) / a).sqrt()):>6.1f}, "
          f"error of the guess over that of the mean image ~{ratios[level]:.1f}")
check_range("top step: error of the guess / of the mean image",
            ratios[99], 3.0, 40.0, digits=1,
            unlike={"at step 30": ratios[30]})

# %% [markdown]
# At the top the guess is many times worse than knowing nothing but the class. It leaves the range $[-1,1]$ of the data, and DDIM carries
# that error to the end, while DDPM replaces part of it. **The repair is to clip the guess**, $\hat x_0\leftarrow\mathrm{clip}(\hat x_0,-1,1)$,
# and to compute the noise again from it (`clipped` above; Ho et al.'s code does it at every step). A second repair is a control: leave the
# guess alone and start at step 76, where noise/signal is 20 and not 152. If the top of the schedule is to blame, it must help as well.

# %%
quality = table("guess clipped", {
    "DDPM (eta = 1)": lambda n: sample("ddim", n, eta=1.0, clip=True),
    "DDIM": lambda n: sample("ddim", n, clip=True),
    "DPM-Solver++ (2M)": lambda n: sample("2m", n, clip=True),
    "Heun from 20": lambda n: sample("heun", n // 2 + 1, clip=True),  # one more
})  # fmt: skip
low = table("unclipped, lower",
            {"DDIM from step 76": lambda n: sample("ddim", n, top=77)})
lost = np.subtract(plain["DDPM (eta = 1)"][0], plain["DDIM"][0])
still = np.subtract(quality["DDPM (eta = 1)"][0], quality["DDIM"][0])
lower = np.subtract(plain["DDPM (eta = 1)"][0], low["DDIM from step 76"][0])
for name, left_over in (("clipping", still), ("a lower start", lower)):
    removed = ", ".join(f"~{part:.2f}" for part in 1 - left_over / lost)
    print(f"fraction of DDIM's deficit that {name} removes: {removed}")
gained = {name: quality[name][0][1] - plain[name][0][1] for name in plain}
check_range("8 evaluations: what clipping gains for DDIM",
            gained["DDIM"], 0.05, 0.2, digits=2,
            unlike={"for DDPM": gained["DDPM (eta = 1)"]})

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4.2))
looks = {"DDPM (eta = 1)": ("#D55E00", "^", ":"), "DDIM": ("#0072B2", "o", "-"),
         "DPM-Solver++ (2M)": ("#009E73", "s", "--"),
         "Heun from 20": ("#CC79A7", "D", "-.")}
for name, (share, distance) in quality.items():
    colour, marker, line = looks[name]
    passes = [n + (name == "Heun from 20") for n in budgets]
    left.semilogx(passes, share, color=colour,
                  marker=marker, linestyle=line, label=name)
    right.loglog(passes, distance, color=colour, marker=marker, linestyle=line)
for name, (share, distance) in plain.items():
    colour, marker, line = looks[name]
    style = {"color": colour, "marker": marker, "linestyle": line, "alpha": 0.35}
    left.semilogx(budgets, share, **style, label=f"{name}, unclipped")
    right.loglog(budgets, distance, **style)
for ax in (left, right):
    ax.set_xticks(budgets, budgets)
    ax.minorticks_off()
    ax.set_xlabel("network evaluations")
left.set(ylabel="fraction recognised", title="clipping brings the samplers together",
         ylim=(0, 1.02))
right.set(ylabel="Fréchet distance", title="closeness to the data (log scale)")
right.set_yticks([0.2, 0.5, 1, 2, 5], ["0.2", "0.5", "1", "2", "5"])
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
show(figure,
     "Fraction recognised and Fréchet distance against evaluations, 4 to 32. "
     "Unclipped (pale), DDIM is recognised less than DDPM at every budget and 2M "
     "hardly at all with 4; clipped, all three lie above 0.85.")  # fmt: skip

# %%
fall = {name: rows[1][0] / rows[1][3] for name, rows in plain.items()}
check_range("DDPM: Fréchet at 4 evaluations / at 32",
            fall["DDPM (eta = 1)"], 2.6, 4.5, digits=1,
            unlike={"DDIM": fall["DDIM"]})

# %% [markdown]
# One network and one set of starts can mislead, so `benchmarks/samplers.py` repeats the table with three trainings and three sets of starts
# (`docs/measurements.md`). DDIM's deficit, the fraction recognised by DDPM minus that by DDIM, with its standard error over the trainings:
#
# | evaluations | 4 | 8 | 16 | 32 | 100 |
# |---|---|---|---|---|---|
# | as they are | .235 ± .009 | .191 ± .011 | .157 ± .013 | .148 ± .009 | .128 ± .012 |
# | guess clipped | .029 ± .002 | .051 ± .004 | .060 ± .003 | .075 ± .005 | .062 ± .009 |
# | from noise/signal 20, unclipped | .051 ± .006 | .069 ± .005 | .075 ± .007 | .076 ± .008 | |
#
# **Most of the deficit with few steps, and half of it with many, is the division by $\alpha_T$.** A smaller advantage of fresh noise
# remains, and it grows with the number of steps, up to 32. In Fréchet distance clipped DDPM is behind by .09 ± .01 at 4 evaluations, and ahead
# by .06 ± .01 at 32. Two errors add up: with few steps it is mostly the *solver's*, which order repairs; with many it is the *network's*, which no
# solver can repair, and of which fresh noise forgets a part. Clipping also rescues the second-order samplers: unclipped, 2M with 4 evaluations
# is recognised no more often than a guess would be.
#
# > **A common misconception:** "with few steps DDPM degrades and DDIM does not." It is the first lesson that one takes from table 1 of Song,
# > Meng and Ermon, where 10 steps cost DDPM (FID 41) far more than DDIM (13). That is a fact about their network and data. On our digits both
# > distances are two to three and a half times larger with 4 evaluations than with 32, clipped or not. Measure yours, and quote sampler and
# > network evaluations with every step count.
#
# **Inversion at work.** Take six real test digits, walk each up to its noise *under its own label*, and walk down again under another label.
# What the label does not decide (slant, thickness) should stay. The measure: how much more the edit resembles its original (correlation
# of pixels) than fresh samples of the new class do.

# %%
chosen = [int((held_labels == d).nonzero()[k])
          for d, k in ((0, 1), (1, 0), (4, 2), (7, 1), (9, 0), (3, 1))]
originals, own = to_unit(held_out[chosen]), held_labels[chosen]
other = torch.tensor([6, 7, 9, 9, 4, 8])
steps = score.ddim_timesteps(100, 50)


def told(label, w=1.0):
    return score.guided_eps_model(net, label, null=NO_CLASS, guidance_scale=w)


noise = last(score.ddim_invert(told(own), originals, steps, alphas_bar=bar32,
                               n_refine=3))
back = last(score.ddim_sample(told(own), noise, steps, alphas_bar=bar32))
edited = last(score.ddim_sample(told(other, 2.0), noise, steps, alphas_bar=bar32))
fresh = last(score.ddim_sample(clipped(told(other.repeat(10), 2.0)),
                               noises[:60], steps[::2],
                               alphas_bar=bar32)).unflatten(0, (10, 6))  # fmt: skip


def alike(x, y):
    """Correlation of pixels, image by image."""
    x, y = ((v.flatten(-2).squeeze(-2)
             - v.flatten(-2).squeeze(-2).mean(-1, keepdim=True)) for v in (x, y))
    return (x * y).sum(-1) / (x.norm(dim=-1) * y.norm(dim=-1))


plain = last(score.ddim_invert(told(own), originals, steps, alphas_bar=bar32))
plain = last(score.ddim_sample(told(own), plain, steps, alphas_bar=bar32))
usual = (plain - originals).abs().max()
check_range("round trip, refined: largest error",
            (back - originals).abs().max(), 0.0, 0.15,
            unlike={"the usual inversion": usual})
gain = (alike(edited, originals) - alike(fresh, originals).mean(0)).mean()
shuffled = originals.roll(1, 0)
others = (alike(edited, shuffled) - alike(fresh, shuffled).mean(0)).mean()
check_range("edits resemble their originals more than fresh samples, by",
            gain, 0.1, 0.6,
            unlike={"than another's original": others})

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(4, 1, figsize=(7.4, 3.8))
rows = {"originals": originals, "there and back": back,
        "same noise,\nlabel 6 7 9 9 4 8": edited,
        "fresh samples\nof 6 7 9 9 4 8": fresh[0]}  # fmt: skip
for ax, (name, row) in zip(axes, rows.items(), strict=True):
    show_images(ax, row.clamp(-1.2, 1.2), n_columns=6)
    ax.set_anchor("E")
    ax.text(-1.5, 3.5, name, ha="right", va="center", fontsize=9)
show(figure,
     "Four rows of six digits: originals; the same after inversion and back, not to be "
     "told apart; the same noise under another label, other digits of like slant and "
     "thickness; fresh samples of those labels.")  # fmt: skip

# %% [markdown]
# ## 7. Guidance
#
# **Step 10. Bayes' rule, differentiated.** At each noise level $p_t(x\mid c) \propto p_t(x)\,p_t(c\mid x)$, so
# $$\nabla\log p_t(x\mid c) = \nabla\log p_t(x) + \nabla\log p_t(c\mid x).$$
# **Classifier guidance** takes an unconditional score, adds the slope of a classifier trained on *noisy* images, and multiplies that slope
# by $w$ to be obeyed more. In terms of noise ($\hat\epsilon = -\sigma_t\,\text{score}$): $\hat\epsilon = \epsilon_u - w\,\sigma_t\nabla\log p_t(c\mid x)$.
#
# **Step 11. Without a classifier** (**classifier-free guidance**). The same rule read backwards gives the classifier's slope as a difference of two scores that one network
# knows, if it was conditioned on the class in some rows of training and not in others:
# $$\hat\epsilon = \epsilon_u + w\,(\epsilon_c - \epsilon_u).$$
# $w=0$ is unconditional, $w=1$ plain conditional, $w>1$ exaggerates. Two evaluations a step.

# %%
torch.set_default_dtype(torch.float64)


def my_cfg(eps_u, eps_c, w):
    return eps_u + w * (eps_c - eps_u)


eps_u = torch.tensor([[0.6]])
eps_c = torch.tensor([[1.0]])
scales = (0.0, 1.0, 5.0, 15.0)
ours = [score.cfg_eps(eps_u, eps_c, guidance_scale=w).item() for w in scales]
check("guided noise at w = 0, 1, 5, 15", ours, [0.6, 1.0, 2.6, 6.6], atol=1e-12,
      unlike={"(1 + w) eps_c - w eps_u": [((1 + w) * eps_c - w * eps_u).item()
                                          for w in scales]})
two = GaussianMixture(torch.tensor([0.5, 0.5]),
                      torch.tensor([[-1.0], [1.0]]), torch.tensor([0.7, 0.7]))
# the class c: the right-hand component
right = Gaussian(torch.tensor([1.0]), torch.tensor([[0.49]]))
x, t = torch.randn(6, 1, generator=generator), torch.full((6,), 500)
alpha, sigma = bar[500].sqrt(), (1 - bar[500]).sqrt()
y = x.clone().requires_grad_()
# an exact classifier of noisy data
log_c = two.noised(alpha.item(), sigma.item()).responsibilities(y)[:, 1].log().sum()
(slope,) = torch.autograd.grad(log_c, y)
free, classy = score.exact_eps_model(two, bar), score.exact_eps_model(right, bar)
check("exact classifier guidance = classifier-free guidance",
      score.classifier_guided_eps(free(x, t), slope, sigma, guidance_scale=3.0),
      my_cfg(free(x, t), classy(x, t), 3.0), atol=1e-12,
      unlike={"sigma forgotten": free(x, t) - 3 * slope})

# %%
told_two = score.guided_eps_model(net, torch.tensor([2, 7]),
                                  null=NO_CLASS, guidance_scale=4.0)
told_once = score.guided_eps_model(net, torch.tensor([2, 7]),
                                   null=NO_CLASS, guidance_scale=1.0)


def evaluations(eps_model):
    """Of 50 DDIM steps and of 18 Heun steps, counted."""
    denoise = score.denoiser_from_eps(eps_model, bar32)
    levels = score.edm_sigmas(18, sigma_min=0.045, sigma_max=20.0)
    steps = score.ddim_timesteps(100, 50)
    runs = (
        lambda: last(score.ddim_sample(eps_model, noises[:2], steps, alphas_bar=bar32)),
        lambda: last(score.edm_sample(denoise, 20 * noises[:2], levels)),
    )
    return [network_passes(net, run) for run in runs]


check("evaluations: 50 guided DDIM steps, 18 guided Heun steps",
      evaluations(told_two), [100, 70],
      unlike={"without guidance": evaluations(told_once)})

# %% [markdown]
# The two evaluations of a guided step do not depend on each other: put in one batch of two rows, they are one **sequential pass**. The 100
# **network evaluations** of 50 guided DDIM steps are what the sample costs; its 50 sequential passes are how long it takes if the batch is
# small (question 1). Heun with 18 steps: 70 and 35. The counter above counts evaluations, because our loop makes one call for each.
#
# **Papers and libraries count $w$ differently.** Ho and Salimans write $(1+w')\epsilon_c - w'\epsilon_u$: their $w'=0$ is our $w=1$. A
# "guidance scale of 7.5" from a program is $w'=6.5$ in the paper.
#
# **In training** the whole trick is one line: hide the label of some rows, each by its own draw. Check that the right rows lose it, and how many:

# %%
shown = torch.tensor([3, 1, 4, 1, 5])
draws = torch.tensor([0.05, 0.50, 0.0999, 0.10, 0.93])
check("labels after dropping with p = 0.1",
      score.drop_condition(shown, draws, p_drop=0.1, null=10),
      torch.tensor([10, 1, 10, 1, 5]),
      unlike={"the batch's first draw for all": torch.where(draws[0] < 0.1, 10, shown)})
many = score.drop_condition(torch.zeros(20_000, dtype=torch.long),
                            torch.rand(20_000, generator=generator),
                            p_drop=0.1, null=10)
check_close_mc("fraction of hidden labels", (many == 10).double(), 0.1,
               unlike={"the kept ones": (many != 10).double()})

# %% [markdown]
# ## 8. What does guidance sample?
#
# At every level the guided score is exactly that of $p_t(x)^{1-w}\,p_t(x\mid c)^w$. At $t=0$ this is the *sharpened posterior*
# $\propto p(x\mid c)\,p(c\mid x)^{w-1}$. Does guidance sample it?
#
# **Step 12. A case with a closed form.** Data $\mathcal N(0,1)$, class $\mathcal N(m, v)$ with $v<1$, in the coordinates of step 9, with
# $\tau=\tilde\sigma^2$. The two scores are $-x/(1+\tau)$ and $-(x-m)/(v+\tau)$, and the flow $dx/d\tau = -\tfrac12\,\text{score}$ is linear:
# $$\frac{dx}{d\tau} = \frac12\Big[(1-w)\frac{x}{1+\tau} + w\,\frac{x-m}{v+\tau}\Big].$$
# Without $m$ it integrates to $x \propto (1+\tau)^{(1-w)/2}(v+\tau)^{w/2}$. For large $\tau$ this grows like $\sqrt\tau$, as the noise does, so a
# standard normal at the top becomes, at $\tau=0$, a normal with standard deviation $v^{w/2}$: **the samples' variance is $v^w$**. The sharpened distribution has
# precision $w/v + 1 - w$, that is variance $v/(w + (1-w)v)$. Variation of constants gives the mean as well:
# $$\text{guided: } \mathcal N\Big(w m\!\int_0^1\!\big(v+(1-v)u^2\big)^{\frac{w-1}2}du,\ v^w\Big),\qquad
# \text{sharpened: } \mathcal N\Big(\frac{wm}{w+(1-w)v},\ \frac{v}{w+(1-w)v}\Big).$$
# For $m=1$, $v=\tfrac14$, $w=3$: the integral is elementary, the mean is $m(1+2v)=1.5$ and the variance $\tfrac1{64}$; the sharpened distribution is
# $\mathcal N(1.2, 0.1)$.

# %%
m, v, w = 1.0, 0.25, 3.0
guided = score.guided_gaussian(m, v, guidance_scale=w)
sharpened = score.tilted_gaussian(m, v, guidance_scale=w)
check("guided mean and variance: m (1 + 2v), v^3",
      [guided.mean.item(), guided.cov.item()], [1.5, 1 / 64], atol=1e-6,
      unlike={"the sharpened one": [sharpened.mean.item(), sharpened.cov.item()]})
axis = torch.linspace(-8, 8, 8001)
log_p = Gaussian(torch.zeros(1), torch.eye(1)).log_prob(axis[:, None])
log_pc = Gaussian(torch.tensor([m]), torch.tensor([[v]])).log_prob(axis[:, None])
product = (log_p + w * (log_pc - log_p)).exp()
product = product / integrate(product, axis)
centre = integrate(axis * product, axis)
spread = integrate((axis - centre) ** 2 * product, axis)
check("sharpened mean and variance: formula, quadrature",
      [sharpened.mean.item(), sharpened.cov.item()],
      [centre.item(), spread.item()], atol=1e-9,
      unlike={"the guided one": [guided.mean.item(), guided.cov.item()]})
top = torch.sigmoid(torch.linspace(12.0, -12.0, 2000))
whole = score.exact_eps_model(Gaussian(torch.zeros(1), torch.eye(1)), top)
part = score.exact_eps_model(Gaussian(torch.tensor([m]), torch.tensor([[v]])), top)
ends = last(score.ddim_sample(lambda x, t: my_cfg(whole(x, t), part(x, t), w),
                              torch.tensor([[-1.0], [0.0], [1.0]]),
                              torch.arange(1999, -1, -1), alphas_bar=top))
found = [ends[1].item(), ((ends[2] - ends[0]) / 2).item()]
check("guided DDIM, 2000 steps: mean, standard deviation",
      found, [guided.mean.item(), guided.cov.sqrt().item()], atol=0.002,
      unlike={"the sharpened one": [sharpened.mean.item(),
                                    sharpened.cov.sqrt().item()]})

# %% [markdown]
# The samples are 2.5 times *narrower* than the sharpened distribution, and further out (question 3). Each guided score is the score of *some*
# density; the trouble is that these densities are not the noised versions of *one* density. Raising to a power and adding noise do not
# commute, so the scores of the noised sharpened distribution are *not* the guided ones. The guided field belongs to no diffusion process, except at $w=0$ and
# $w=1$.
#
# **Step 13. Two classes.** Now data with a second class to lean away from: components at $\pm1$, standard deviation 0.7, and the right one asked for. The
# sharpened distribution is known by quadrature. Push quantiles through the guided flow as in section 2: no Monte Carlo error.

# %%
line = torch.linspace(-5, 9, 2801)


def sharpened_law(w):
    """Density of p^(1-w) p_c^w on `line`, and its quantiles at the probabilities u."""
    log_p, log_c = two.log_prob(line[:, None]), right.log_prob(line[:, None])
    tilt = log_p + w * (log_c - log_p)
    density = (tilt - tilt.max()).exp()
    density = density / integrate(density, line)
    below = torch.cat([torch.zeros(1), torch.cumulative_trapezoid(density, line)])
    i = torch.searchsorted(below, u)
    part = (u - below[i - 1]) / (below[i] - below[i - 1])
    return density, line[i - 1] + part * (line[i] - line[i - 1])


grid_bar = torch.sigmoid(torch.linspace(11.0, -11.0, 400))
free = score.exact_eps_model(two, grid_bar)
classy = score.exact_eps_model(right, grid_bar)
down, flow = torch.arange(399, -1, -1), torch.special.ndtri(u)[:, None]


def guided_quantiles(w):
    model = lambda x, t: my_cfg(free(x, t), classy(x, t), w)
    return last(score.ddim_sample(model, flow, down, alphas_bar=grid_bar)).flatten()


scales = [1.0, 2.0, 3.0, 5.0, 8.0]
print("   w   sharpened: mean   sd     guided: mean   sd      W1 between them")
distance = {}
for w in scales:
    q, p = guided_quantiles(w), sharpened_law(w)[1]
    distance[w] = (q - p).abs().mean().item()
    print(f"{w:>4.0f}   {p.mean():>14.2f}  {p.std():>5.2f}   "
          f"{q.mean():>11.2f}  {q.std():>5.2f}   {distance[w]:>10.3f}")
check("w = 1: guidance samples the class",
      guided_quantiles(1.0), sharpened_law(1.0)[1], atol=0.05,
      unlike={"w = 2": guided_quantiles(2.0)})
check_range("w = 3: W1 between guided and sharpened", distance[3.0], 0.5, 0.6,
            unlike={"w = 1": distance[1.0], "w = 2": distance[2.0]})

# %% [markdown]
# **Step 14. The proof that the score is at fault.** Represent the sharpened distribution as a fine comb of narrow normals; *its* noised scores are exact.
# The same sampler, on the same levels, then arrives at the sharpened distribution. There is also a repair for those who want that distribution from the two scores they
# have: at each level, let Langevin steps (lesson 10) with the guided score settle the samples before moving on. At low noise the guided
# score *is* the right one, and the chain forgets how it got there.

# %%
density, goal = sharpened_law(3.0)
comb = density[::20] / density[::20].sum()
kept = comb > 1e-12
noised_comb = GaussianMixture(comb[kept] / comb[kept].sum(), line[::20][kept][:, None],
                              torch.full((int(kept.sum()),), 0.1))
thin = slice(None, None, 4)
true_flow = last(score.ddim_sample(score.exact_eps_model(noised_comb, grid_bar),
                                   flow[thin], down, alphas_bar=grid_bar)).flatten()
check_range("W1, scores of the noised sharpened data",
            (true_flow - goal[thin]).abs().mean(),
            0.0, 0.03, unlike={"guided scores": distance[3.0]})


def with_langevin(n_langevin, w=3.0, n_levels=80):
    """2000 sorted samples: guided DDIM, Langevin steps of its score at each level."""
    table = torch.sigmoid(torch.linspace(8.0, -8.0, n_levels))
    g = torch.Generator().manual_seed(13)
    free = score.exact_eps_model(two, table)
    classy = score.exact_eps_model(right, table)
    x = torch.randn(2000, 1, generator=g)
    for a_t, a_s, k in zip(table.flip(0), [*table.flip(0)[1:], torch.ones(())],
                           range(n_levels - 1, -1, -1), strict=True):
        t, sigma = torch.full((2000,), k), (1 - a_t).sqrt()
        for _ in range(n_langevin):
            slope = -my_cfg(free(x, t), classy(x, t), w) / sigma
            x = langevin_step(x, slope, torch.randn(2000, 1, generator=g),
                              step_size=float(0.3 * sigma**2))
        x = score.ddim_step(x, my_cfg(free(x, t), classy(x, t), w), 0 * x, a_t, a_s)
    return x.flatten().sort().values


repaired = {k: (with_langevin(k)[2::5] - goal).abs().mean().item() for k in (0, 1, 5)}
check_range("W1, with 1 Langevin step a level", repaired[1], 0.03, 0.2,
            unlike={"without": repaired[0]})
check_range("W1, with 5 Langevin steps a level", repaired[5], 0.0, 0.09,
            unlike={"with 1": repaired[1]})

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.3), sharey=True)
for ax, w in zip(axes, (1.0, 3.0, 8.0), strict=True):
    density, _ = sharpened_law(w)
    ax.plot(line, two.log_prob(line[:, None]).exp(),
            color="#999999", linestyle=":", linewidth=1.5, label="all data")
    ax.plot(line, density, color="#222222",
            linestyle="-", label="sharpened (exact)")
    ax.hist(guided_quantiles(w).numpy(), bins=45, range=(-3, 5),
            density=True, color="#E69F00", alpha=0.8, label="guided samples")
    ax.set(title=f"w = {w:.0f}", xlabel="x", xlim=(-3.5, 4.5))
axes[0].set_ylabel("density")
figure.suptitle("guidance overshoots the density whose scores it uses")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
show(figure,
     "Histograms of guided samples over the sharpened density at w = 1, 3 and 8: equal "
     "at 1; at 3 and 8 the samples lie to its right and are narrower.")  # fmt: skip

# %% [markdown]
# The same in the plane, with three classes that overlap near the middle. The dots are guided samples, each with a line from where it lands at $w=1$; the
# shade is the sharpened distribution. Click on a class to be guided there. Question before you move it: raise $w$ slowly from 1. Which moves first, the samples' mean
# or their spread? Then bring the classes closer together (`gap`), and see which of the two distributions reacts.
#
# <details><summary>Answer</summary>
#
# Both move from the start: from $w=1$ to $w=1.5$ (gap 0.9) the mean goes from 0.76 to 1.02 along the arm and the spread from 0.68 to 0.59. The sharpened
# distribution moves far less (from 0.76 to 0.88, and from 0.72 to 0.67; the missing 0.04 at $w=1$ are the price of 40 DDIM steps). At $w=3$ and gaps of 1.3, 0.9 and 0.5 the guided
# mean lies 0.90, 0.74 and 0.58 beyond the mean of its class; the sharpened distribution's lies 0.22, 0.27 and 0.33 beyond it, *more* as the classes
# approach, for only where classes overlap is there much to sharpen.
#
# </details>

# %% tags=["keep-output"]
widgets.guidance()

# %% [markdown]
# ## 9. Too much guidance
#
# **It fails.** The digits again, $\eta=1$, 16 steps, unclipped, and $w$ from 1 to 15. Is the digit recognised? How far are the samples from
# the data? How much of the variety is left (recall), and how large are the balls that recall draws around the samples (lesson 09)? What
# fraction of the pixels lies outside the range $[-1,1]$ that images have?

# %%
torch.set_default_dtype(torch.float32)


def outside(x):
    return (x.abs() > 1.02).float().mean().item()


strength = [1.0, 2.0, 4.0, 8.0, 15.0]
pushed = {w: sample("ddim", 16, guidance_scale=w, eta=1.0) for w in strength}
print("   w   recognised   Fréchet   recall   radius   pixels out of range")
rows = {}
for w, x in pushed.items():
    radius = knn_radius(features.features(from_unit(x)), 3).median().item()
    rows[w] = (recognised(x), frechet(x), recall(x), outside(x), radius)
    print("{:>4.0f}   ~{:.3f}       ~{:.2f}     ~{:.2f}    ~{:.1f}     ~{:.2f}".format(
        w, *rows[w][:3], radius, rows[w][3]))
check_range("recall at w = 8", rows[8.0][2], 0.0, 0.25, digits=2,
            unlike={"at w = 1": rows[1.0][2], "at w = 15": rows[15.0][2]})
check_range("Fréchet distance at w = 8 / at w = 1",
            rows[8.0][1] / rows[1.0][1], 4.0, 25.0, digits=1,
            unlike={"at w = 2": rows[2.0][1] / rows[1.0][1]})
check_range("pixels out of range at w = 8", rows[8.0][3], 0.35, 0.7, digits=2,
            unlike={"at w = 1": rows[1.0][3]})
check_range("median radius, w = 15 over w = 8",
            rows[15.0][4] / rows[8.0][4], 1.3, 3.0, digits=1,
            unlike={"w = 4": rows[4.0][4] / rows[8.0][4]})

# %% [markdown]
# From $w=2$ to $w=8$ the classifier sees every digit that was asked for, while the samples leave the data and resemble each other more and more:
# recognition alone is a metric that guidance exploits, as lesson 09 warned of the inception score. The last row is a warning about recall. At
# $w=15$ the samples scatter far outside the data: the distance from one to its third neighbour nearly doubles, and balls of that size hold
# many real digits. Recall *rises* above that of $w=2$, while a sixth of the samples is not recognised and half to two thirds of the pixels
# are out of range.
#
# Repairs, in the order in which to try them: **less** ($w$ near 2 here); **clip the guess**, as in section 6; **guide only in the middle** of
# the noise levels, where the class is decided.

# %%
repairs = {
    "w = 8": pushed[8.0],
    "w = 8, guess clipped to [-1, 1]": sample(
        "ddim", 16, guidance_scale=8.0, eta=1.0, clip=True),
    "w = 8, only steps 30 to 60": sample(
        "ddim", 16, guidance_scale=8.0, eta=1.0, interval=(30, 60)),
    "w = 2": pushed[2.0],
}
print(f"{'':<32}recognised   Fréchet   recall   out of range")
for name, x in repairs.items():
    print(f"{name:<32}~{recognised(x):.3f}       ~{frechet(x):.2f}     "
          f"~{recall(x):.2f}    ~{outside(x):.2f}")
clip = repairs["w = 8, guess clipped to [-1, 1]"]
middle = repairs["w = 8, only steps 30 to 60"]
check_range("clipped: pixels out of range", outside(clip), 0.0, 0.01,
            unlike={"unclipped": outside(pushed[8.0])})

check_range("only in the middle: Fréchet over that of w = 8",
            frechet(middle) / rows[8.0][1], 0.35, 0.65, digits=2,
            unlike={"w = 2": rows[2.0][1] / rows[8.0][1]})

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 4, figsize=(11.4, 3.8))
figure.get_layout_engine().set(wspace=0.06)
panels = {"w = 1": pushed[1.0], "w = 2": pushed[2.0], "w = 8": pushed[8.0],
          "w = 8, clipped": repairs["w = 8, guess clipped to [-1, 1]"]}  # fmt: skip
some = [10 * k + d for k in range(5) for d in (0, 3, 6, 8)]
for ax, (name, x) in zip(axes, panels.items(), strict=True):
    show_images(ax, x[some].clamp(-1.5, 1.5), n_columns=4, title=name)
show(figure,
     "Five samples each of the digits 0, 3, 6 and 8: varied at w = 1 and 2; at w = 8, "
     "clipped or not, those of one digit are almost the same stark "
     "picture.")  # fmt: skip

# %% [markdown]
# Look at the columns: at $w=8$ all sixes are one six. Clipping brings the pixels back into their range and hardly any of the variety.
#
# ## 10. A network in its own scale
#
# Section 6 found the fault: the noise prediction is good at every level, but the guess made from it is multiplied by
# $\sigma_t/\alpha_t$, up to 152. Clipping hides that. Lesson 12's $v$ avoids it, and so does a network that is given its own scale.
#
# **Step 15. Four scales.** Karras et al. call this **preconditioning**. Let a raw network $F$ be used as
# $$D(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}x,\ c_{\text{noise}}), \qquad x = x_0 + \sigma\epsilon,\quad \mathrm{std}(x_0)=\sigma_d .$$
# Ask for three things. (i) Its input has unit variance: $c_{\text{in}} = 1/\sqrt{\sigma^2+\sigma_d^2}$. (ii) So has its target, $(x_0 - c_{\text{skip}}x)/c_{\text{out}}$:
# $c_{\text{out}}^2 = (1-c_{\text{skip}})^2\sigma_d^2 + c_{\text{skip}}^2\sigma^2$. (iii) Its errors are amplified as little as possible: minimise
# that over $c_{\text{skip}}$; it is a parabola, and the minimum is at
# $$c_{\text{skip}} = \frac{\sigma_d^2}{\sigma^2+\sigma_d^2}, \qquad c_{\text{out}} = \frac{\sigma\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}} .$$
# Without noise the network does nothing; in pure noise it makes the whole guess, and its error is never multiplied by more than $\sigma_d$.

# %%
torch.set_default_dtype(torch.float64)
levels, sigma_d = torch.tensor([0.01, 0.1, 0.5, 2.0, 10.0, 80.0]), 0.6
c = score.edm_precondition(levels, sigma_data=sigma_d)
skips = torch.linspace(0, 1, 100_001)[:, None]
amplified = ((1 - skips) ** 2 * sigma_d**2 + skips**2 * levels**2).min(0)
check("c_skip: formula vs search", c.c_skip, skips[amplified.indices, 0], atol=1e-5,
      unlike={"standard deviations for variances": sigma_d / (levels + sigma_d)})
no_skip = ((1 - 0 * levels) ** 2 * sigma_d**2).sqrt()
check("c_out: formula vs search", c.c_out, amplified.values.sqrt(), atol=1e-6,
      unlike={"c_skip = 0": no_skip})
sample_x0 = sigma_d * torch.randn(200_000, 1, generator=generator)
sample_x = sample_x0 + levels * torch.randn(200_000, 6, generator=generator)
worst = lambda *values: torch.cat([v.var(0) for v in values]).sub(1).abs().max()
target = (sample_x0 - c.c_skip * sample_x) / c.c_out
check_range("largest |variance - 1| of input and target, 6 levels",
            worst(c.c_in * sample_x, target),
            0.0, 0.02,
            unlike={"input divided by sigma_d": worst(sample_x / sigma_d, target)})
silent = lambda width: score.edm_denoise(
    lambda x, c: 0 * x, sample_x[:, 2:3], levels[2].expand(200_000), sigma_data=width)
check("a silent network is the best denoiser of normal data", silent(sigma_d),
      Gaussian(torch.zeros(1), sigma_d**2 * torch.eye(1)).denoiser(
          sample_x[:, 2:3], 1.0, 0.5),
      atol=1e-12, unlike={"sigma_data = 0.5": silent(0.5)})

# %% [markdown]
# **Does it matter?** Three ways to use one small network on a mixture in the plane whose best denoiser is known: predict $x_0$ directly;
# predict the noise, $D = x - \sigma F$; with EDM's scales. Same network, same 600 steps, noise levels spread evenly in $\log\sigma$ from
# 0.01 to 50. We plot how far each lands from the *exact* denoiser.

# %%
torch.set_default_dtype(torch.float32)
plane = GaussianMixture(torch.tensor([0.3, 0.7]),
                        torch.tensor([[-1.0, 0.5], [0.6, -0.3]]),
                        torch.tensor([0.15, 0.2]))
width = float(plane.moment_match().cov.diagonal().mean().sqrt())
uses = {
    "predict x0": lambda F, x, s: F(x, s.log() / 4),
    "predict the noise": lambda F, x, s: x - s[:, None] * F(x, s.log() / 4),
    "EDM's scales": lambda F, x, s: score.edm_denoise(F, x, s, sigma_data=width),
}
weights = {"predict x0": lambda s: torch.ones_like(s),
           "predict the noise": lambda s: 1 / s**2,
           "EDM's scales": lambda s: 1 / s**2 + 1 / width**2}
probe = torch.logspace(math.log10(0.01), math.log10(50), 13)


# %%
def train_and_probe(use, weight, n_steps=600):
    """Error of one trained use against the exact denoiser, by level of `probe`."""
    torch.manual_seed(13)
    body, g = MLP(3, 2, 64, 2), torch.Generator().manual_seed(13)
    F = lambda x, c: body(torch.cat([x, c[:, None]], 1))
    optimizer = torch.optim.Adam(body.parameters(), lr=3e-3)
    for step in range(n_steps):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / n_steps)
        x0 = plane.sample(128, generator=g)
        s = 0.01 * 5000 ** torch.rand(128, generator=g)
        x = x0 + s[:, None] * torch.randn(128, 2, generator=g)
        loss = (weight(s) * (use(F, x, s) - x0).square().mean(1)).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    test, noise = plane.sample(2000, generator=g), torch.randn(2000, 2, generator=g)
    with torch.no_grad():
        wrong = [
            use(F, test + s * noise, s.expand(2000))
            - plane.denoiser(test + s * noise, 1.0, s)
            for s in probe
        ]
        return [error.square().mean().sqrt().item() for error in wrong]


off = {name: train_and_probe(use, weights[name]) for name, use in uses.items()}

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(6.6, 3.8))
looks = (("#0072B2", "-", "o"), ("#D55E00", ":", "s"), ("#009E73", "--", "^"))
for (name, values), (colour, line, marker) in zip(off.items(), looks, strict=True):
    ax.loglog(probe, values, color=colour, linestyle=line, marker=marker, label=name)
ax.set(xlabel="noise level σ (unit of the data)",
       ylabel="distance from the exact denoiser",
       title="each naive use fails at one end")
ax.legend(loc="upper left")
show(figure,
     "Distance from the exact denoiser against the noise level, both logarithmic: "
     "noise prediction is the worst at high noise, predicting x0 at low noise; EDM's "
     "scales are near the lower of the two everywhere.")  # fmt: skip

# %%
over = {name: np.array(values) / off["EDM's scales"] for name, values in off.items()}
check_range("σ = 0.01: predict x0 / EDM", over["predict x0"][0], 3.0, 80.0, digits=1,
            unlike={"predict the noise": over["predict the noise"][0]})
check_range("σ = 50: predict the noise / EDM",
            over["predict the noise"][-1], 20.0, 3000.0, digits=0,
            unlike={"predict x0": over["predict x0"][-1]})

# %% [markdown]
# ## 11. Pictures
#
# Two networks with EDM's scales, trained once on 8,000 MNIST digits by `genlab train mnist16_diffusion` and `mnist28_diffusion` (about five minutes each) and
# shipped with their model cards. Guidance 2, Heun's method with 10 steps: 38 network evaluations for each image.

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(2, 1, figsize=(7.2, 4.4), height_ratios=(3, 2))
for ax, size in zip(axes, (16, 28), strict=True):
    image_model = load_model(f"mnist{size}_diffusion")
    image_model.n_steps = 10
    digits = torch.arange(10).repeat(3 if size == 16 else 2)
    drawn = image_model.sample(len(digits), cond=digits,
                               generator=torch.Generator().manual_seed(13),
                               guidance_scale=2.0)
    n_weights = sum(p.numel() for p in image_model.parameters())
    show_images(ax, drawn.clamp(-1, 1), title=f"{size} x {size}, {n_weights:,} weights")
show(figure,
     "The digits 0 to 9, drawn by two networks: three rows of 16 x 16 pixels, all "
     "legible, and two rows of 28 x 28, of which one 2 is spoilt.")  # fmt: skip

# %% [markdown]
# The 28-pixel network has not seen more data than the 16-pixel one, and saw them fewer times. Lower the guidance to 1 in the cell above and
# compare how often a digit is spoilt (the model cards say: recognised 0.92 at 16 pixels, 0.84 at 28).
#
# Below, the 16-pixel network runs in the page itself, by Euler's steps (DDIM). Ask for a single `digit` and raise `guidance w` from 0: from
# where on do all ten obey? Then play `time`: at which noise level is the digit decided?
#
# <details><summary>Answer</summary>
#
# At $w=0$ the label is not used. At 1 more than nine in ten are what was asked for, at 2 nearly all (its model card says 0.92 and 0.995). Ten samples conditioned on seven differ from their mean by 0.37 a pixel at $w=0$, 0.31 at 1, 0.28 at 2 and hardly less beyond (0.26 at 6): most of the variety is spent by then.
# The guess changes until $\sigma\approx 1$, where it is within about 0.1 a pixel of the final image; the rest is detail.
#
# </details>

# %% tags=["keep-output"]
widgets.digits_live()

# %% [markdown]
# ## Predict first, again
#
# 1. 100 network evaluations in 50 sequential passes; and $2\times(2\cdot18-1) = 70$ in 35 (section 7).
# 2. By 2 and by 4: the measured orders are 1.01 and 2.01 (section 4).
# 3. Narrower: standard deviation 0.125 against 0.32, and centred at 1.5 instead of 1.2 (section 8).
# 4. Of DDPM's, .99 against .83. Most of the difference is the division by the tiny $\alpha_T$: clip the guess and DDIM reaches .94. What
#    remains is a small advantage of fresh noise over this network's errors (section 6); with a perfect network the same sampler, $\eta=1$, is behind DDIM at every budget (section 5).
#
# ## Exercises
#
# Replace each `...`; an untouched exercise prints "not attempted". `course.hint("13.passes")` gives up to three hints. Worked solutions are in
# `solutions/`.

# %%
# network evaluations at guidance scale 5; the last step goes to zero noise
passes_of_30_guided_heun_steps = ...

course.exercise("13.passes", passes_of_30_guided_heun_steps)


# %%
def step(x_t, eps_hat, a_t, a_s):
    """The noiseless DDIM step from a_t to a_s."""
    ...


course.exercise("13.ddim-step", step)


# %%
def markov_sigma(a_t, a_s):
    """Standard deviation of the fresh noise that makes the step DDPM's."""
    ...


course.exercise("13.markov-sigma", markov_sigma)


# %%
def guess_of_2m(now, before, lam_r, lam_t, lam_s):
    """The step's guess (lam_t to lam_s), from those now and before (at lam_r)."""
    ...


course.exercise("13.two-m", guess_of_2m)


# %%
def guided_variance(v, w):
    """Variance of guided samples of a class N(m, v) inside N(0, 1) data."""
    ...


course.exercise("13.guided-variance", guided_variance)


# %%
def guided_noise(net, x, t, label, null, w):
    """Guided net(x, t, label) at scale w (1: conditional); `null` labels no class."""
    ...


course.exercise("13.guided-network", guided_noise)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(13)

# %% [markdown]
# ## Summary
#
# 1. Training fixes the marginals $q(x_t\mid x_0)$; every sampler that respects them may use the network.
# 2. DDIM: guess $x_0$, put the *predicted* noise back, less of it. $\eta=1$ is DDPM, $\eta=0$ a deterministic flow.
# 3. Deterministic means invertible: an image has one noise, and can be edited through it.
# 4. In $\lambda=\log(\alpha/\sigma)$ the flow is exact up to how the guess changes; holding it still is DDIM, order 1.
# 5. A straight line through two guesses (2M) or two slopes (Heun) give order 2; count network evaluations, not steps.
# 6. Order repairs the solver's error only. Clip the guess where $\alpha_t$ is tiny: that removes most of DDIM's deficit with few steps and
#    half of it with many. A smaller advantage of fresh noise remains, and grows with the number of steps, up to 32.
# 7. Guidance: $\epsilon_u + w(\epsilon_c-\epsilon_u)$, two evaluations; an exact classifier gives the same field.
# 8. It does *not* sample the sharpened posterior: for a normal class the variance is $v^w$, not $v/(w+(1-w)v)$.
# 9. Too much of it saturates pixels and removes variety, while a classifier recognises every sample.
# 10. Sample with averaged weights; keep the network's inputs, targets and errors in unit scale.
#
# | paradigm | objective | sampler | evaluations | likelihood | pays |
# |---|---|---|---|---|---|
# | score / diffusion (this lesson) | the same noise-prediction MSE, labels hidden in 10 % | DDIM, 2M, Heun; guided | 10 to 100 evaluations, twice as many with guidance | bound for the chain; through the flow in lesson 14 | steps; guidance trades variety for obedience |
#
# **What production systems add.** Prediction of $v$ or EDM's scales; text instead of labels; samplers of this lesson with 20 to 30 steps;
# guidance that varies with the noise level; and *distillation* (consistency models, latent consistency): a second training that teaches a
# network to jump along this lesson's flow in 1 to 8 evaluations.
#
# ## Sources
#
# - Song, Meng and Ermon 2020, "Denoising Diffusion Implicit Models" (arXiv:2010.02502): eq. 7 to 12 and 16; section 4.3 (inversion).
# - Lu et al. 2022, "DPM-Solver" (arXiv:2206.00927) and "DPM-Solver++" (arXiv:2211.01095): eq. 8, 9; algorithm 2 (2M).
# - Karras et al. 2022, "Elucidating the Design Space of Diffusion-Based Generative Models" (arXiv:2206.00364): eq. 5, 7, 8; table 1;
#   algorithms 1 and 2; appendix B.6 (the four scales).
# - Dhariwal and Nichol 2021, "Diffusion Models Beat GANs on Image Synthesis" (arXiv:2105.05233): eq. 14.
# - Ho and Salimans 2022, "Classifier-Free Diffusion Guidance" (arXiv:2207.12598): eq. 6; algorithms 1 and 2.
# - Bradley and Nakkiran 2024, "Classifier-Free Guidance is a Predictor-Corrector" (arXiv:2408.09000): section 3.
# - Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval" (arXiv:2404.07724).
# - Pan et al. 2023, "Effective Real Image Editing with Accelerated Iterative Diffusion Inversion" (arXiv:2309.04907): section 3.
