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
# # 11 · Score matching and score-based generation
#
# **After this lesson you will be able to**
#
# - *derive* three objectives that learn $\nabla\log p$ from samples alone (Hyvärinen's, sliced, denoising) and say what each costs;
# - *prove* and *compute* the constant between the denoising and the explicit objective, and so the loss that no network can beat;
# - *turn* a score into a denoiser and back (Tweedie's formula);
# - *explain*, with numbers, the three ways in which a single noise level fails, and how a ladder of levels repairs them;
# - *build* a noise-conditional score network, train it on digits and sample it by annealed Langevin.
#
# About 75 minutes to read, about 35 seconds to run. You need lesson 10 (energies, Langevin) and, from analysis, integration by parts.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy.optimize import brentq
from torch import nn

import genlab_course as course
from genlab.zoo import find
from genlab import score
from genlab_course import widgets
from genlab.core import integrate, kl_on_grid, last, std_normal_log_prob
from genlab.core.capabilities import NoLikelihoodError, likelihood_kind, log_likelihood
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import film, show, show_images
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.metrics.features import load_classifier
from genlab.metrics.distances import frechet_distance
from genlab.nn.layers import MLP
from genlab.oracles import Empirical, Gaussian, GaussianMixture
from genlab.solvers import langevin, langevin_matrix, relaxation_time
from genlab.train import cosine, fit, minibatches

course.begin(lesson=11)
torch.set_default_dtype(torch.float64)  # exact numbers first; training: float32
course.draw_map(lesson=11, slim=True)

# %% [markdown]
# Lesson 10 wrote $p = e^{-E}/Z$ and spent its effort on $Z$. Every remedy there had a price: chains inside the training loop, or a bias.
# This lesson throws $Z$ away before it can do harm. It learns the **score**
# $$s(x) = \nabla_x \log p(x),$$
# the direction in which the log-density rises fastest. The score is all that Langevin dynamics asks for, so whoever has it can sample.
#
# ## Predict first
#
# Write your answers down; each comes back with a number.
#
# 1. Data from $\mathcal N(0, 1)$, noise of $\sigma = 1$, a perfect network. What is its denoising loss: 0, 0.25, 0.5 or 1?
# 2. Two far modes, four fifths of the data in the left one. You run Langevin dynamics with the *exact* score from a wide start, for 600
#    steps. What fraction of the chains is on the left then? And after 100,000 steps?
# 3. You train at the single level $\sigma = 1$ on modes of standard deviation 0.5, and sample. What is the standard deviation of a mode of the samples?
# 4. How many backward passes does Hyvärinen's objective need for one $8\times8$ digit? For a colour image of $256\times256$?

# %% [markdown]
# ## 1. What a score knows, and what not
#
# **Step 1. The constant is gone.** Since $\log p(x) = -E(x) - \log Z$ and $Z$ does not depend on $x$,
# $$\nabla_x\log p(x) = -\nabla_x E(x).$$
# A wrong $Z$ cannot hurt what does not contain it. We take a mixture in the plane, multiply its density by $e^5$, differentiate
# numerically, and compare with the mixture's own score.

# %%
plane = GaussianMixture(
    torch.tensor([0.3, 0.7]), torch.tensor([[-1.5, 0.5], [1.0, -0.5]]),
    torch.tensor([0.6, 0.9])
)
generator = torch.Generator().manual_seed(11)
x = torch.randn(6, 2, generator=generator)
# log p up to a constant that we pretend not to know
minus_energy = lambda x: plane.log_prob(x) + 5.0
h = 1e-5
by_differences = torch.stack(
    [(minus_energy(x + h * e) - minus_energy(x - h * e)) / (2 * h)
     for e in torch.eye(2)], 1
)
one_sided = torch.stack(
    [(minus_energy(x + h * e) - minus_energy(x)) / (2 * h) for e in torch.eye(2)], 1
)
check(
    "score = slope of an unnormalised log p",
    by_differences,
    plane.score(x),
    atol=1e-8,
    unlike={"one step, divided by two": one_sided},
)

# %% [markdown]
# **Step 2. Differences come back.** Walk from $a$ to $b$ and add up the slope on the way:
# $$\log p(b) - \log p(a) = \int_0^1 s\big(a + u(b-a)\big)\cdot(b-a)\,du .$$
# So a score determines the density up to one number, which must make the total 1. In one dimension nothing else is missing. Keep this
# fact in mind: section 7 is about how little of it survives in practice when the path crosses a region without data.

# %%
a, b = torch.tensor([-1.0, 0.0]), torch.tensor([2.0, 1.0])
u = torch.linspace(0, 1, 2001)
along = plane.score(a + u[:, None] * (b - a)) @ (b - a)
truth = plane.log_prob(torch.stack([a, b])).diff()
check(
    "log p(b) - log p(a) from the score alone",
    integrate(along, u),
    truth,
    atol=1e-6,
    unlike={"length of the path forgotten": integrate(along / (b - a).norm(), u)},
)

# %% [markdown]
# ## 2. The objective that needs the answer
#
# **Step 3. Explicit score matching.** The natural distance between a model $s$ and the true score is the mean square,
# $$J_{\mathrm{SM}}(s) = \tfrac12\,\mathbb E_{p}\,\lVert s(x) - \nabla\log p(x)\rVert^2,$$
# half of what is called the **Fisher divergence**. It is zero only if the two agree wherever there are data. Take $p = \mathcal N(0,1)$,
# whose score is $-x$, and the model $s(x) = -ax$. Then $s - \nabla\log p = (1-a)x$, and as $\mathbb E x^2 = 1$,
# $$J_{\mathrm{SM}} = \tfrac12(1-a)^2 .$$

# %%
line = torch.linspace(-14, 14, 4001)[:, None]


def mean(law, values):
    """E[values] under a density on the line, by quadrature on `line`."""
    return integrate(law.log_prob(line).exp() * values.detach(), line[:, 0])


normal = Gaussian(torch.zeros(1), torch.eye(1))
slopes = (0.0, 0.5, 0.8, 1.0, 1.5)
straight = lambda a: lambda x: -a * x
explicit = [
    mean(normal, score.esm_loss(straight(a), normal.score, line)).item() for a in slopes
]
check(
    "J_SM at five values of a: (1 - a)^2 / 2",
    explicit,
    [(1 - a) ** 2 / 2 for a in slopes],
    unlike={"no half": [(1 - a) ** 2 for a in slopes]},
)

# %% [markdown]
# A parabola with its bottom at the truth. But to compute it we used $\nabla\log p$, which is what we are looking for. We have samples of
# $p$ and nothing else.
#
# ## 3. Integration by parts removes the answer
#
# **Step 4. Expand the square.**
# $$J_{\mathrm{SM}} = \tfrac12\mathbb E_p\lVert s\rVert^2 \;-\; \mathbb E_p\big[s\cdot\nabla\log p\big] \;+\; \underbrace{\tfrac12\mathbb E_p\lVert\nabla\log p\rVert^2}_{\text{not ours to change}} .$$
# The first term needs only samples. The last does not contain $s$. The unknown sits in the middle.
#
# **Step 5. The middle term, in one dimension.** Because $p\,(\log p)' = p'$,
# $$\mathbb E_p\big[s\,(\log p)'\big] = \int s\,p'\,dx = \underbrace{\big[s\,p\big]_{-\infty}^{\infty}}_{0} - \int s'\,p\,dx = -\,\mathbb E_p[s'] .$$
# The derivative has moved from the density, which we do not know, to the model, which we do.
#
# **Step 6. In D dimensions** do this for each coordinate and add: $s'$ becomes $\sum_j \partial s_j/\partial x_j = \operatorname{tr}\nabla s$.
# Hyvärinen's objective is what remains,
# $$J_{\mathrm{H}}(s) = \mathbb E_p\Big[\operatorname{tr}\nabla s(x) + \tfrac12\lVert s(x)\rVert^2\Big], \qquad
# J_{\mathrm{SM}} = J_{\mathrm H} + \tfrac12\mathbb E_p\lVert\nabla\log p\rVert^2 .$$
# For the parabola: $\operatorname{tr}\nabla s = -a$, so $J_{\mathrm H} = -a + a^2/2$, and the constant is $\tfrac12$.

# %%
check(
    "J_H at five values of a: -a + a^2 / 2",
    [mean(normal, score.hyvarinen_loss(straight(a), line)).item() for a in slopes],
    [-a + a**2 / 2 for a in slopes],
    unlike={"sign of the trace": [a + a**2 / 2 for a in slopes]},
)

bumps = GaussianMixture(
    torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.5, 0.8])
)
constant = mean(bumps, 0.5 * bumps.score(line)[:, 0] ** 2)
gaps = []
for model in (torch.cos, lambda x: 2 * x, lambda x: torch.sin(3 * x) - x):
    j_sm = mean(bumps, score.esm_loss(model, bumps.score, line))
    gaps.append((j_sm - mean(bumps, score.hyvarinen_loss(model, line))).item())
check(
    "mixture, three models: J_SM - J_H",
    gaps,
    constant,
    atol=1e-8,
    unlike={"no half": mean(bumps, bumps.score(line)[:, 0] ** 2)},
)

# %% [markdown]
# Three models that have nothing to do with the data, and always the same constant. Note the sign: $J_{\mathrm H}$ rewards a *negative*
# trace (at the data, the score should point inwards from all sides: a hill) and charges for the size of $s$.
#
# **Does the identity hold for every density?** No: step 5 needs $[s\,p]$ to vanish at the border. The exponential
# distribution $p = e^{-x}$ on $x\ge0$ does not vanish at 0, and the identity is off by exactly $p(0)\,s(0)$.

# %%
half = torch.linspace(0, 60, 200_001)
p_half = torch.exp(-half)
# the model s = cos x; the true score is -1
s, s_slope = torch.cos(half), -torch.sin(half)
j_sm = integrate(p_half * 0.5 * (s + 1) ** 2, half)
by_parts = integrate(p_half * (s_slope + 0.5 * s**2), half) + 0.5  # 1/2 E[(-1)^2] = 1/2
check(
    "exponential distribution: what the border adds",
    j_sm - by_parts,
    1.0,
    atol=1e-6,
    unlike={"the other sign": -p_half[0] * s[0]},
)

# %% [markdown]
# **Can you minimise $J_{\mathrm H}$ over a data set?** The derivation needs $p$, not a finite sample of it. Over finitely
# many points the objective has *no minimum*: let the score cross zero at every data point with slope $-1/h^2$, as the score of narrow
# spikes does. At the points $s = 0$ and $s' = -1/h^2$, so $J_{\mathrm H} = -1/h^2$, as low as you please. A flexible network can find this.

# %%
three_points = Empirical(torch.tensor([[-1.0], [0.0], [1.5]]))
widths, at_points = (0.2, 0.05, 0.01), []
for h in widths:
    spikes = three_points.noised(1.0, h)
    at_points.append(
        score.hyvarinen_loss(spikes.score, three_points.points).mean().item()
    )
check(
    "J_H on three points, spikes of std h: -1 / h^2",
    at_points,
    [-1 / h**2 for h in widths],
    rtol=1e-3,
    unlike={"half of it": [-1 / (2 * h**2) for h in widths]},
)

# %% [markdown]
# ## 4. Slices make the trace cheap
#
# The trace needs $\partial s_j/\partial x_j$ for each $j$, and backward differentiation gives one row of the Jacobian a backward pass: $D$ backward passes
# for $D$ numbers. For a colour image of $256\times256$ that is $3\cdot256^2 = 196{,}608$ backward passes for a single value of the loss.
#
# **Step 7. A random direction estimates the trace.** Let $v$ have independent entries with mean 0 and variance 1, so that
# $\mathbb E[vv^\top] = I$. Then (**Hutchinson's estimate**; with it the objective is called **sliced score matching**)
# $$\mathbb E\big[v^\top J v\big] = \sum_{ij} J_{ij}\,\mathbb E[v_iv_j] = \operatorname{tr} J ,$$
# and $v^\top J$ is *one* backward pass. With signs $v_i = \pm1$ the diagonal enters without error, because $v_i^2 = 1$ always; what varies
# is $\sum_{i<j}(J_{ij}+J_{ji})\,v_iv_j$, whose variance is $\sum_{i<j}(J_{ij}+J_{ji})^2$. In three dimensions there are eight sign vectors:
# we try them all.

# %%
mix = torch.tensor([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0], [0.0, 1.0, 1.0]])
field = lambda x: torch.sin(x @ mix)
at = torch.randn(1, 3, generator=generator)
signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)
slices = torch.stack(
    [score.sliced_loss(field, at, v[None, None])[0].detach() for v in signs])
check(
    "mean over all eight signs = exact trace",
    slices.mean(),
    score.hyvarinen_loss(field, at)[0],
    unlike={"a single slice": slices[0]},
)

jacobian = torch.autograd.functional.jacobian(lambda x: field(x[None])[0], at[0])
above = torch.triu(torch.ones(3, 3), 1) > 0
check(
    "their variance = what stands off the diagonal",
    slices.var(correction=0),
    ((jacobian + jacobian.T)[above] ** 2).sum(),
    unlike={"one triangle only": (jacobian[above] ** 2).sum()},
)


# %% [markdown]
# Now the price, counted rather than claimed: a hook on the input fires at each backward pass that reaches it.

# %%
def backward_passes(loss):
    """How often one evaluation of a loss differentiates in its 8 x 8 image."""
    image, count = torch.zeros(1, 1, 8, 8, requires_grad=True), []
    image.register_hook(lambda gradient: count.append(1))
    net = nn.Sequential(nn.Flatten(), MLP(64, 64, 16, 1), nn.Unflatten(1, (1, 8, 8)))
    loss(net, image)
    return len(count)


one_slice = torch.ones(1, 1, 1, 8, 8)
by_slice = backward_passes(lambda s, x: score.sliced_loss(s, x, one_slice))
check(
    "backward passes for one digit, exact trace",
    backward_passes(score.hyvarinen_loss),
    64,
    unlike={"one slice": by_slice},
)

# %% [markdown]
# (That was question 4.) Slicing pays with variance and still differentiates through a gradient. The next idea needs no derivative in $x$
# at all.
#
# ## 5. Noise removes the derivative
#
# **Step 8. Spoil the data on purpose.** Add noise of a known size, $\tilde x = x + \sigma\epsilon$ with $\epsilon\sim\mathcal N(0,I)$. The
# density of $\tilde x$ is a blurred copy of the data, $p_\sigma(\tilde x) = \int p(x)\,q(\tilde x\mid x)\,dx$, and unlike $p$ the kernel is
# known:
# $$\nabla_{\tilde x}\log q(\tilde x\mid x) = \nabla_{\tilde x}\Big(-\frac{\lVert\tilde x-x\rVert^2}{2\sigma^2}\Big) = -\frac{\tilde x - x}{\sigma^2} = -\frac{\epsilon}{\sigma} .$$
#
# **Step 9. The average of the kernel's slopes is the slope of the average.** Differentiate under the integral, and use
# $\nabla q = q\,\nabla\log q$:
# $$\nabla\log p_\sigma(\tilde x) = \frac{\int p(x)\,\nabla q(\tilde x\mid x)\,dx}{p_\sigma(\tilde x)}
# = \int \underbrace{\frac{p(x)\,q(\tilde x\mid x)}{p_\sigma(\tilde x)}}_{p(x\mid\tilde x)}\nabla\log q(\tilde x\mid x)\,dx
# = \mathbb E\Big[-\frac{\epsilon}{\sigma}\,\Big|\,\tilde x\Big] .$$
# Each single slope $-\epsilon/\sigma$ is very noisy; the mean of all of them, given what you see, is the score. We compute the right side
# by Bayes on a grid of clean points, and the left from the closed form of the noised mixture.

# %%
sigma = 0.6
seen = torch.tensor([-2.0, -0.3, 0.4, 1.7])
log_joint = bumps.log_prob(line) - (seen[:, None] - line[:, 0]) ** 2 / (2 * sigma**2)
posterior = log_joint.softmax(1)  # p(x | seen) on the grid
kernel_slopes = -(seen[:, None] - line[:, 0]) / sigma**2
noised = bumps.noised(1.0, sigma)
check(
    "E[-eps/sigma | x~] = score of the noised data",
    (posterior * kernel_slopes).sum(1),
    noised.score(seen[:, None])[:, 0],
    atol=1e-8,
    unlike={"score of the clean data": bumps.score(seen[:, None])[:, 0]},
)

# %% [markdown]
# **Step 10. So regress.** The function of $\tilde x$ with the least mean square distance to a random target is the target's conditional
# mean. By step 9 that mean is the score. Hence **denoising score matching** (DSM):
# $$J_{\mathrm{DSM}}(s) = \tfrac12\,\mathbb E\,\big\lVert s(x + \sigma\epsilon) + \epsilon/\sigma\big\rVert^2 .$$
# No trace, no second derivative, no unknown. Six rows by hand, for $\sigma = 1$ (input $x+\epsilon$, target $-\epsilon$):

# %%
x0, eps = torch.tensor(
    [[2.0, 2.0, 2.0, 0.0, -1.0, 3.0], [0.5, 0.5, 0.5, 1.0, -0.5, 0.0]]
)
output = torch.tensor([-0.5, -0.4, 0.0, -1.0, 0.5, 0.0])
losses = score.dsm_loss(lambda x: output[:, None], x0[:, None], eps[:, None], sigma=1.0)
print("   x    eps   input  target  output   loss")
for row in torch.stack([x0, eps, x0 + eps, 0 - eps, output, losses], 1).tolist():
    print("{:5.1f} {:5.1f} {:6.1f} {:7.1f} {:7.1f} {:8.3f}".format(*row))
check(
    "the six losses",
    losses,
    [0.0, 0.005, 0.125, 0.0, 0.0, 0.0],
    unlike={"no half": (output + eps) ** 2},
)

# %% [markdown]
# **Step 11. What has been matched, and the constant.** Expand both squares, under the distribution of $\tilde x$:
# $$J_{\mathrm{DSM}} = \tfrac12\mathbb E\lVert s\rVert^2 - \mathbb E\big[s\cdot(-\tfrac\epsilon\sigma)\big] + \tfrac12\mathbb E\big\lVert\tfrac\epsilon\sigma\big\rVert^2,
# \qquad
# J_{\mathrm{SM}}^{\,p_\sigma} = \tfrac12\mathbb E\lVert s\rVert^2 - \mathbb E\big[s\cdot\nabla\log p_\sigma\big] + \tfrac12\mathbb E\lVert\nabla\log p_\sigma\rVert^2 .$$
# The first terms are one and the same. So are the middle ones: average $-\epsilon/\sigma$ for fixed $\tilde x$ first, and step 9 turns one
# into the other. The last differ, and $\mathbb E\lVert\epsilon\rVert^2 = D$:
# $$\boxed{\;J_{\mathrm{DSM}}(s) = J_{\mathrm{SM}}^{\,p_\sigma}(s) + C_\sigma, \qquad
# C_\sigma = \frac{D}{2\sigma^2} - \tfrac12\,\mathbb E\lVert\nabla\log p_\sigma\rVert^2\;}$$
# Both have the same minimiser, the score of the **noised** data. The left side below is an integral over the plane of all $(x, \epsilon)$,
# the right side two integrals over $\tilde x$.

# %%
side = torch.linspace(-8, 8, 321)
pairs = torch.cartesian_prod(side, side)
x0, eps = pairs[:, :1], pairs[:, 1:]
joint = (bumps.log_prob(x0) + std_normal_log_prob(eps)).exp() * (side[1] - side[0]) ** 2
floor = mean(noised, score.dsm_floor(noised.score(line), sigma=sigma))
both = []
for model in (torch.cos, lambda x: 0 * x, noised.score):
    dsm = (joint * score.dsm_loss(model, x0, eps, sigma=sigma)).sum()
    both.append(
        torch.stack([dsm, mean(noised, score.esm_loss(model, noised.score, line))])
    )
dsm, explicit = torch.stack(both).detach().T
check(
    "J_DSM = J_SM + C: cos x, 0, the score of p_sigma",
    dsm,
    explicit + floor,
    atol=1e-7,
    unlike={
        "C = D / 2 sigma^2": explicit + 1 / (2 * sigma**2),
        "C = 0": explicit.clone(),
    },
)
print(f"C = {floor:.6f}")

# %% [markdown]
# **Step 12. The floor.** For data $\mathcal N(0, s^2)$ the noised distribution is $\mathcal N(0, s^2+\sigma^2)$, its score $-\tilde x/(s^2+\sigma^2)$, and
# $$C_\sigma = \frac1{2\sigma^2} - \frac{1}{2(s^2+\sigma^2)} = \frac{s^2}{2\sigma^2(s^2+\sigma^2)} > 0 .$$
# With $s = \sigma = 1$ this is $\tfrac14$, at the optimum $s^*(\tilde x) = -\tilde x/2$. A model $s(x) = -ax$ has $J_{\mathrm{DSM}} = (a-\tfrac12)^2 + \tfrac14$.

# %%
joint = (normal.log_prob(x0)
         + std_normal_log_prob(eps)).exp() * (side[1] - side[0]) ** 2
dsm_of = lambda slope: (
    joint * score.dsm_loss(lambda x: -slope * x, x0, eps, sigma=1.0)).sum()
check(
    "N(0,1), sigma = 1: J_DSM at a = 0.2, 0.5, 1",
    [dsm_of(a).item() for a in (0.2, 0.5, 1.0)],
    [0.34, 0.25, 0.5],
    atol=1e-7,
    unlike={
        "clean score, plus 1/4": [(1 - a) ** 2 / 2 + 0.25 for a in (0.2, 0.5, 1.0)]
    },
)
draws = torch.randn(2, 50_000, 1, generator=generator)
check_close_mc(
    "the same floor, by 50,000 draws",
    score.dsm_loss(lambda x: -x / 2, *draws, sigma=1.0),
    0.25,
    unlike={"with the clean score": score.dsm_loss(lambda x: -x, *draws, sigma=1.0)},
)

# %% [markdown]
# **A common misconception:** *a well trained network has a denoising loss of zero.* It cannot, unless the data are one single point: $C_\sigma > 0$, because from $\tilde x$ nobody can tell
# which $\epsilon$ was drawn. Look at the first row of the table again: input 2.5, target $-0.5$, loss 0. It looks perfect. Yet the input 2.5
# comes from many pairs $(x,\epsilon)$, and the best answer to it is $-1.25$. A straight model that reproduces the "perfect" row,
# $s(x) = -0.2\,x$, has the loss 0.34 and not 0.25. (That was question 1.)

# %%
# p(x | 2.5)
posterior = (normal.log_prob(line) - (2.5 - line[:, 0]) ** 2 / 2).softmax(0)
best = posterior @ -(2.5 - line[:, 0])
check(
    "the best output for the input 2.5",
    best,
    -1.25,
    atol=1e-8,
    unlike={"score of the clean data": normal.score(torch.tensor([[2.5]]))},
)

# %% jupyter={"source_hidden": true}
slopes = torch.linspace(-0.3, 2.0, 100)
figure, ax = plt.subplots(figsize=(7, 3.9))
ax.plot(slopes, (1 - slopes) ** 2 / 2, label="explicit: $(1-a)^2/2$")
ax.plot(slopes, -slopes + slopes**2 / 2, label="Hyvärinen: $-a + a^2/2$")
ax.plot(slopes, (slopes - 0.5) ** 2 + 0.25, label="denoising, σ = 1: $(a-½)^2 + ¼$")
ax.plot([1, 1, 0.5], [0, -0.5, 0.25], "o", color="#222222", label="the best $a$")
ax.axhline(0, color="#999999", linewidth=0.8, linestyle="-")
ax.set(xlabel="$a$ in the model $s(x) = -ax$", ylabel="mean loss", ylim=(-0.7, 1.3),
       title="three objectives for N(0, 1) data")  # fmt: skip
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=2)
show(figure, "Three parabolas of the loss against the slope a: the explicit one has "
     "its lowest point at a = 1 and height 0, Hyvärinen's at 1 and -0.5, the denoising "
     "one at 0.5 and 0.25.")  # fmt: skip

# %% [markdown]
# Compare the three parabolas. The first two have their bottom at the true slope 1, at different heights. The third has it at $\tfrac12$:
# it answers another question. The value of a minimum says nothing about the quality of a model, and losses at different $\sigma$ cannot be
# compared: for $s = 1$ the floor is 49.5 at $\sigma = 0.1$ and 0.00005 at $\sigma = 10$.

# %%
floors = []
for level in (0.1, 10.0):
    law = normal.noised(1.0, level)
    wide = torch.linspace(-12, 12, 4001)[:, None] * math.sqrt(1 + level**2)
    value = law.log_prob(wide).exp() * score.dsm_floor(law.score(wide), sigma=level)
    floors.append(integrate(value, wide[:, 0]).item())
check(
    "floor at sigma = 0.1 and 10",
    floors,
    [1 / (2 * 0.01 * 1.01), 1 / (2 * 100 * 101)],
    atol=0,
    rtol=1e-7,
    unlike={"1 / 2 sigma^2": [1 / (2 * level**2) for level in (0.1, 10.0)]},
)

# %% [markdown]
# ## 6. Tweedie: a score is a denoiser
#
# **Step 13. Ask for the clean example.** From $x = \tilde x - \sigma\epsilon$, take the mean given $\tilde x$ and insert step 9,
# $\mathbb E[\epsilon\mid\tilde x] = -\sigma\nabla\log p_\sigma$:
# $$\mathbb E[x\mid\tilde x] = \tilde x + \sigma^2\,\nabla\log p_\sigma(\tilde x) .$$
# This is **Tweedie's formula**. It assumes nothing about the data. Read forwards, it denoises with a score; read backwards, it says that whoever
# trains a denoiser by least squares has trained a score. The check uses the mixture's own denoiser (a posterior over components, no score
# in it). For a normal with $\sigma = s$ the guess is half of what is seen.

# %%
x = 2 * torch.randn(50, 2, generator=generator)
one, level = torch.tensor(1.0), torch.tensor(0.8)
noised_score = plane.noised(1.0, 0.8).score(x)
check(
    "Tweedie = posterior mean of a mixture",
    score.x0_from_score(x, noised_score, one, level),
    plane.denoiser(x, 1.0, 0.8),
    unlike={"sigma for sigma^2": x + level * noised_score},
)

# %% [markdown]
# **Step 14. How sure is the guess?** Differentiate step 13 once more. The posterior $p(x\mid\tilde x) \propto p(x)\,e^{-\lVert x\rVert^2/2\sigma^2} e^{x\cdot\tilde x/\sigma^2}$
# is an exponential family with parameter $\tilde x/\sigma^2$; its mean changes with the parameter at the rate of its covariance, so
# $\nabla_{\tilde x}\,\mathbb E[x\mid\tilde x] = \mathrm{Cov}[x\mid\tilde x]/\sigma^2$ and
# $$\mathrm{Cov}[x\mid\tilde x] = \sigma^2\big(I + \sigma^2\,\nabla^2\log p_\sigma(\tilde x)\big) .$$
# And the floor of step 12 becomes plain: it is the uncertainty that is left, $C_\sigma = \mathbb E\operatorname{tr}\mathrm{Cov}[x\mid\tilde x]\,/\,2\sigma^4$.

# %%
points = Empirical(torch.randn(12, 2, generator=generator))
at = torch.tensor([[0.3, -0.4]])
# which point was it?
weights = (-((at - points.points) ** 2).sum(1) / (2 * 0.8**2)).softmax(0)
apart = points.points - weights @ points.points
by_bayes = (weights[:, None, None] * apart[:, :, None] * apart[:, None, :]).sum(0)
by_score = score.posterior_covariance(points.noised(1.0, 0.8).score,
                                      at, alpha=1.0, sigma=0.8)[0]
check(
    "covariance by the score = by Bayes, 12 points",
    by_score,
    by_bayes,
    unlike={"all points alike": torch.cov(points.points.T, correction=0)},
)

spread = score.posterior_covariance(noised.score, line, alpha=1.0, sigma=sigma)[:, 0, 0]
check(
    "C = mean posterior variance / 2 sigma^4",
    mean(noised, spread) / (2 * sigma**4),
    floor,
    atol=1e-8,
    unlike={"2 sigma^2": mean(noised, spread) / (2 * sigma**2)},
)


# %% [markdown]
# ## The equation becomes code
#
# The whole objective is two lines. Noise comes in as an argument, each row may have its own level, and the square is summed over the
# numbers of an example, so that it matches step 11 with its $D$.

# %%
def my_dsm_loss(model, x0, eps, sigma):
    sigma = sigma.reshape(-1, *[1] * (x0.ndim - 1))
    error = model(x0 + sigma * eps) + eps / sigma
    return 0.5 * (error**2).flatten(1).sum(1)


x0, eps = torch.randn(2, 40, 1, 4, 4, generator=generator)
levels = 0.1 + torch.rand(40, generator=generator)
error = torch.sin(x0 + levels[:, None, None, None] * eps) + eps
check(
    "my loss = genlab's",
    my_dsm_loss(torch.sin, x0, eps, levels),
    score.dsm_loss(torch.sin, x0, eps, sigma=levels),
    unlike={"1/sigma forgotten": 0.5 * (error**2).flatten(1).sum(1)},
)
course.show_source(score.dsm_loss)


# %% [markdown]
# ## 7. One noise level is not enough
#
# We now have a loss that any network can be trained on. It seems that all is done: choose a small $\sigma$, train, run Langevin. It fails in
# three ways, and none of them is the network's fault. The stage is a mixture in the plane: two round modes of standard deviation 0.5 at $(\mp2, 0)$,
# four fifths of the data in the left one.
#
# **First failure: wrong weights, with the exact score.** Near a mode $k$ the mixture is $\pi_k\,\mathcal N_k$, everything else being
# negligible, and $\nabla\log(\pi_k\mathcal N_k) = \nabla\log\mathcal N_k$: the weight is a constant, and constants are gone. On the line, compare
# the weights $0.8:0.2$ with $0.5:0.5$. By likelihood the two distributions are $0.8\log\frac{0.8}{0.5} + 0.2\log\frac{0.2}{0.5} = 0.1927$ nats apart.
# By their scores, hardly at all:

# %%
def pair(share):
    """Two modes on a line, at -2 and 2, a fraction `share` of the mass in the left."""
    return GaussianMixture(torch.tensor([share, 1 - share]),
                           torch.tensor([[-2.0], [2.0]]), torch.tensor([0.5, 0.5]))


uneven, even = pair(0.8), pair(0.5)
kl = kl_on_grid(uneven.log_prob(line), even.log_prob(line), line[:, 0])
check(
    "KL of the two distributions (nats)",
    kl,
    0.8 * math.log(0.8 / 0.5) + 0.2 * math.log(0.2 / 0.5),
    atol=2e-4,
    unlike={"p and q exchanged": 0.5 * math.log(0.5 / 0.8) + 0.5 * math.log(0.5 / 0.2)},
)
blind = mean(uneven, score.esm_loss(even.score, uneven.score, line))
print(
    f"J_SM of the two distributions: {blind:.6f}, that is 1/{kl / blind:.0f} of the KL"
)
depth = uneven.log_prob(torch.tensor([[-2.0], [0.0], [2.0]]))
depth = (depth - depth[1]).tolist()
print(f"the valley seen from the left mode: {depth[0]:.2f} nats, "
      f"from the right one {depth[2]:.2f}")

# %% [markdown]
# Score matching therefore hardly learns the weights (it is not charged for getting them wrong), and Langevin can use them only very slowly: a chain has
# to cross the valley between the modes, which is 7.8 nats deep from the heavy side and $7.8-\log4=6.4$ from the light one. How long does that take? In the plane the two
# coordinates move independently, so the first one is a chain on the line, and lesson 10's transition matrix gives its distribution after any number of steps, without
# a single draw. The chains begin at $5z$, centred at 0.

# %%
places = torch.linspace(-15, 15, 601)
matrix = langevin_matrix(uneven.score(places[:, None])[:, 0], places, step_size=0.02)
begin = std_normal_log_prob(places[:, None] / 5).softmax(0)
left_after = lambda n: (
    (begin @ torch.linalg.matrix_power(matrix, n))[places < 0].sum().item()
)
left_by_matrix = {n: left_after(n) for n in (600, 10_000, 30_000, 100_000)}
print(
    "fraction on the left:", {n: f"{share:.3f}" for n, share in left_by_matrix.items()}
)


def kramers(*valleys):
    """Steps to forget by Kramers' rates out of the given modes (lesson 10)."""
    top = brentq(lambda x: uneven.score(torch.tensor([[x]])).item(), -1.0, 1.0)
    rates = 0.0
    for mode in valleys:
        x = torch.tensor([[mode], [top]])
        bend = (
            score.posterior_covariance(uneven.score, x, alpha=1.0, sigma=1.0)[:, 0, 0]
            - 1
        )
        rates += (
            bend.prod().abs().sqrt() * uneven.log_prob(x).diff().exp() / (2 * math.pi)
        )
    return (1 / (0.02 * rates)).item()


check_range(
    "steps to forget the side, by the matrix",
    relaxation_time(matrix),
    17_000,
    17_400,
    digits=0,
    unlike={"escapes from the heavy mode alone": kramers(-2.0)},
)
print(f"Kramers, both modes: {kramers(-2.0, 2.0):.0f}; "
      f"inside a mode: {1 / (0.02 / 0.25):.1f} steps")

# %% [markdown]
# Inside a mode a chain forgets its start in a dozen steps; the side it forgets in 17,000. The faster escape, the one from the *light* side, sets that time. After 600 steps about half of the
# chains are on the left, as at the start. After 100,000 the fraction is 0.797 and all but settled (at 0.798; the last 0.002 are the bias of the step). Here are 2,000 chains in the plane after 600 steps, with the *exact* score.

# %%
torch.set_default_dtype(torch.float32)
islands = GaussianMixture(
    torch.tensor([0.8, 0.2]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]),
    torch.tensor([0.5, 0.5])
)
generator = torch.Generator().manual_seed(11)


def walk(slope, step_size, n_steps=600):
    """Langevin chains from a wide start."""
    start = 5 * torch.randn(2000, 2, generator=generator)
    with torch.no_grad():
        return last(langevin(slope, start,
                             step_size=step_size, n_steps=n_steps, generator=generator))


share = lambda x: (x[:, 0] < 0).float().mean().item()
by_exact_score = walk(islands.score, 0.02)
check_close_mc(
    "600 steps: chains on the left, against the matrix",
    (by_exact_score[:, 0] < 0).double(),
    left_by_matrix[600],
    unlike={"the target": left_by_matrix[100_000]},
)
print(f"standard deviation across (true: 0.5): ~{by_exact_score[:, 1].std():.3f}")


# %% [markdown]
# Inside a mode everything is right; between the modes nothing is. After 600 steps the fraction on the left is that of the start. (That was question 2: about a half after 600 steps, 0.8 after 100,000.)
#
# **Second failure: a large level learns another distribution.** Train at $\sigma = 1$. By step 11 the network learns the score of $p_1$, whose modes
# have the variance $0.5^2 + 1^2$, so a standard deviation of 1.118. The network learns that score well, but it is not the score that we wanted.
#
# **Third failure: a small level leaves deserts.** Train at $\sigma = 0.1$. Now $p_\sigma$ is nearly $p$. But the loss is an average over
# $p_\sigma$, and where no data fall nobody corrects the network. Langevin chains start there.

# %%
class OneLevel(nn.Module):
    """A score network for a single noise level; its loss is times sigma squared."""

    def __init__(self, sigma):
        super().__init__()
        self.sigma, self.net = sigma, MLP(2, 2, 64, 2)

    def loss(self, x, *, generator=None):
        eps = torch.randn(x.shape, generator=generator)
        return self.sigma**2 * score.dsm_loss(self.net, x, eps, sigma=self.sigma).mean()


def trained(model, n_steps=800, lr=3e-3):
    """Train on 20,000 points of the islands."""
    generator = torch.Generator().manual_seed(11)
    batches = minibatches(islands.sample(20_000, generator=generator),
                          256, generator=generator)
    for _ in fit(model, batches, n_steps=n_steps,
                 lr=cosine(lr, n_steps), generator=generator):
        pass
    return model.eval()


def relative_error(model, truth, x):
    """Mean square error of a score over the mean square of the true one."""
    with torch.no_grad():
        return ((model(x) - truth(x)).square().sum() / truth(x).square().sum()).item()


torch.manual_seed(11)
coarse, fine = trained(OneLevel(1.0)), trained(OneLevel(0.1))

# %%
blurred, nearly = islands.noised(1.0, 1.0), islands.noised(1.0, 0.1)
x = blurred.sample(4000, generator=generator)
x_clean = islands.sample(4000, generator=generator)
check_range(
    "sigma = 1: error against the noised score",
    relative_error(coarse.net, blurred.score, x),
    0.0,
    0.02,
    digits=4,
    unlike={
        "against the data's score": relative_error(coarse.net, islands.score, x_clean)
    },
)
wide = walk(coarse.net, 0.05)
check_range(
    "sigma = 1: std of its samples (1.118)",
    wide[:, 1].std(),
    1.03,
    1.22,
    unlike={"of the data": x_clean[:, 1].std()},
)

x = nearly.sample(4000, generator=generator)
desert = torch.stack([torch.linspace(-1, 1, 81), torch.zeros(81)], 1)
check_range(
    "sigma = 0.1: error between the modes",
    relative_error(fine.net, nearly.score, desert),
    0.2,
    1.6,
    unlike={"where the data are": relative_error(fine.net, nearly.score, x)},
)
by_fine = walk(fine.net, 0.02)
print(f"sigma = 0.1: fraction of its chains on the left ~{share(by_fine):.2f}")

# %% [markdown]
# (That was question 3: 1.118, not 0.5.) The next picture shows the three failures side by side: the arrows of the coarse network, the error of
# the fine one over the plane, and where the chains with the exact score ended.

# %% jupyter={"source_hidden": true}
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.6, 3.2))
side = torch.linspace(-4.5, 4.5, 91)
grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), -1).reshape(-1, 2)
box = (-4.5, 4.5, -4.5, 4.5)
for ax, law in ((left, islands), (middle, nearly)):
    density = law.log_prob(grid).reshape(91, 91)
    ax.contour(side, side, density,
               levels=[-9, -6, -3], colors="#222222", linewidths=0.8)
some = grid.reshape(91, 91, 2)[::6, ::6].reshape(-1, 2)
with torch.no_grad():
    arrows = coarse.net(some)
    true = nearly.score(grid)
    wrong = (fine.net(grid) - true).norm(dim=1) / (1 + true.norm(dim=1))
left.quiver(*some.T.numpy(), *arrows.T.numpy(), color="#0072B2", width=0.005)
left.set(title="σ = 1: the arrows of wider modes")
shown = middle.imshow(wrong.clamp(0.03, 3).log10().reshape(91, 91), extent=box,
                      origin="lower", cmap="magma")  # fmt: skip
figure.colorbar(shown, ax=middle, label="log₁₀ of error / (1 + length)", shrink=0.85)
middle.set(title="σ = 0.1: right only near the data")
right.plot(*by_exact_score[:700].T.numpy(),
           ".", color="#D55E00", markersize=2, linestyle="")
on_left = 100 * share(by_exact_score)
right.set(title=f"exact score, {on_left:.0f} : {100 - on_left:.0f}",
          xlim=(-4.5, 4.5), ylim=(-4.5, 4.5))  # fmt: skip
for ax in (left, middle, right):
    ax.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal")
show(figure, "Left: arrows of the network trained at σ = 1, pointing at two wide "
     "modes. Middle: the error of the one trained at 0.1, dark (small) near the modes, "
     "bright between and far from them. Right: chains with the exact score, about half "
     "of them on either island.")  # fmt: skip

# %% [markdown]
# ## 8. A ladder of levels
#
# Large noise sees everything blurred, small noise sees sharply and only what is near. Use both: many levels, and *one* network that is conditioned on
# the level.
#
# **Step 15. Noise makes modes meet.** Between two equal modes at $\mp a$ of variance $s^2$ the noised score has the slope
# $(a^2 - v)/v^2$ at the middle, $v = s^2+\sigma^2$. It is positive (a valley) while $v < a^2$; at $\sigma^2 = a^2 - s^2$ the valley is gone. Here
# $a = 2$ and $s = 0.5$, so beyond $\sigma = 1.936$ there is one hill and chains walk freely.

# %%
torch.set_default_dtype(torch.float64)
even = pair(0.5)
h = torch.tensor([[1e-4]])
slope_in_the_middle = lambda level: (even.noised(1.0, level).score(h) / h).item()
check(
    "the level at which two hills merge",
    brentq(slope_in_the_middle, 0.5, 4.0),
    math.sqrt(2**2 - 0.5**2),
    atol=1e-6,
    unlike={"variances added": math.sqrt(2**2 + 0.5**2)},
)


# %% [markdown]
# **Step 16. Together the levels know the weights.** Let $\tau = \sigma^2$. Adding noise smears every density by the heat equation,
# $\partial_\tau p = \tfrac12\nabla^2 p$. Differentiate $\mathrm{KL}(p\|q) = \int p\log\frac pq$ for two distributions that are noised alike:
# $$\partial_\tau\mathrm{KL} = \int \partial_\tau p\,\log\tfrac pq - \int \tfrac pq\,\partial_\tau q
# = -\tfrac12\int\nabla p\cdot\nabla\log\tfrac pq + \tfrac12\int p\,\nabla\log\tfrac pq\cdot\nabla\log q
# = -\tfrac12\,\mathbb E_p\big\lVert\nabla\log p - \nabla\log q\big\rVert^2 ,$$
# by two integrations by parts (and $\int\partial_\tau p = 0$). The right side is $-J_{\mathrm{SM}}$ at this level. At infinite noise the KL is 0; add
# up along the reverse process, with $d\tau = 2\sigma\,d\sigma = 2\sigma^2\,d\log\sigma$:
# $$\mathrm{KL}(p\,\|\,q) = \int_0^\infty 2\sigma^2\,J_{\mathrm{SM}}(\sigma)\; d\log\sigma .$$
# What no single small level sees, the levels see together. The formula says which weight belongs to which variable: 1 in $\tau$, $2\sigma$ in $\sigma$, $2\sigma^2$ in $\log\sigma$. It does
# *not* say how to space the levels; the area is the same in each. For rungs evenly spaced in $\log\sigma$, as in step 18, the weight is therefore proportional to $\sigma^2$.

# %%
def divergences(sigma):
    """J_SM and KL of the two noised densities, on a grid that grows with the noise."""
    p, q = uneven.noised(1.0, sigma), even.noised(1.0, sigma)
    x = (5 + 9 * sigma) * torch.linspace(-1, 1, 2001)[:, None]
    j = integrate(p.log_prob(x).exp() * score.esm_loss(q.score, p.score, x), x[:, 0])
    return j, kl_on_grid(p.log_prob(x), q.log_prob(x), x[:, 0])


log_sigma = torch.linspace(math.log(0.01), math.log(300), 301)
j, kl_at = (torch.stack(v)
            for v in zip(*[divergences(float(s)) for s in log_sigma.exp()],
                         strict=True))
near = [divergences(math.sqrt(1 + d))[1] for d in (1e-4, -1e-4)]
check(
    "at sigma = 1: d KL / d sigma^2 = -J_SM",
    (near[0] - near[1]) / 2e-4,
    -divergences(1.0)[0],
    atol=1e-7,
    unlike={"half of J_SM forgotten": -2 * divergences(1.0)[0]},
)
tau = torch.linspace(0, 300, 601) + 1e-3  # equal steps in sigma^2, up to sigma = 17
j_tau = torch.stack([divergences(math.sqrt(float(t)))[0] for t in tau])
kl_above = divergences(math.sqrt(float(tau[-1])))[
    1
]  # what higher levels would still add
in_tau = integrate(j_tau, tau) + kl_above
check(
    "KL by equal steps in log sigma and in sigma^2",
    torch.stack([integrate(2 * log_sigma.exp() ** 2 * j, log_sigma), in_tau]),
    torch.stack([kl, kl]),
    rtol=0.01,
    unlike={"weight 1 in log sigma": [integrate(j, log_sigma).item(), in_tau.item()]},
)
rungs = score.noise_ladder(20.0, 0.1, 16)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3.9))
levels = log_sigma.exp()
ax.fill_between(levels, 2 * levels**2 * j, color="#56B4E9", alpha=0.5,
                label="$2\\sigma^2 J_{SM}$: area = KL of the data")  # fmt: skip
ax.plot(levels, kl_at, color="#D55E00", linestyle="-",
        label="KL of the noised densities (nats)")  # fmt: skip
at_rungs = [2 * s**2 * divergences(float(s))[0] for s in rungs]
ax.plot(rungs, at_rungs, "|", color="#222222", markersize=9, label="16 rungs")
ax.axvline(math.sqrt(3.75), color="#999999", linewidth=1, linestyle=":")
ax.set(xscale="log", xlabel="noise level σ (dotted: two equal hills merge)",
       ylabel="nats", title="where the weights of the modes can be seen")  # fmt: skip
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
show(figure, "Against the noise level, logarithmic: the KL of the two noised "
     "densities falls from 0.19 to 0, and the score's part of it is a hump around 1.9, "
     "where the hills merge; sixteen rungs from 0.1 to 20 cover it.")  # fmt: skip

# %% [markdown]
# Almost everything that distinguishes $0.8:0.2$ from $0.5:0.5$ is visible around the level at which the hills merge, and nowhere else.
#
# **Step 17. One network, one loss.** The **noise-conditional score network** (NCSN) minimises a weighted sum of denoising losses,
# $$\frac1L\sum_{i=1}^L\lambda(\sigma_i)\;\tfrac12\,\mathbb E\big\lVert s_\theta(x+\sigma_i\epsilon, \sigma_i) + \epsilon/\sigma_i\big\rVert^2 .$$
# The classic weight is step 16's $\lambda = \sigma^2$, which makes it a prediction of the noise, $\tfrac12\lVert\sigma s_\theta + \epsilon\rVert^2$. Without it
# the smallest level would drown the others, since its floor alone is $\approx D/2\sigma^2$. We add a factor, $\lambda = \sigma^2(1+\sigma^2/s_d^2)$ with
# $s_d$ the size of the data, because high up there is little left to predict besides the noise itself; section 10 measures what happens
# without it. For normal data of size $s_d$ the floor is then $\tfrac12$ at each level:

# %%
levels, floors = torch.tensor([0.1, 1.0, 10.0]), []
for level in levels.tolist():
    law = Gaussian(torch.zeros(1), 4 * torch.eye(1)).noised(1.0, level)
    x = math.sqrt(4 + level**2) * torch.linspace(-12, 12, 2001)[:, None]
    value = law.log_prob(x).exp() * score.dsm_floor(law.score(x), sigma=level)
    floors.append(integrate(value, x[:, 0]))
floors = torch.stack(floors)
check(
    "N(0, 4), sigma = 0.1, 1, 10: lambda C",
    levels**2 * (1 + levels**2 / 4) * floors,
    0.5,
    atol=1e-7,
    unlike={"classic weight": levels**2 * floors},
)

# %% [markdown]
# **Step 18. How far apart are the rungs?** Noise in $D$ dimensions has a length close to $\sigma\sqrt D$, with standard deviation $\sigma/\sqrt2$: a thin shell. A
# chain that comes down from a rung lives in the upper shell; if the lower network never saw such inputs in training, it guesses. So
# neighbouring shells should overlap. For the $D = 64$ of our digits and a ratio $\gamma = 1.35$ they do, by half; for a larger image the rungs
# must be closer.
#
# **Step 19. How large are the steps?** One Langevin step moves by $\eta\,s$ and shakes by $\sqrt{2\eta}\,z$. The score is about $\sqrt D/\sigma$ long, so the two
# keep the same proportion on every rung if $\eta = r\,\sigma^2$. Take as data a single point. Then $x' = (1-r)x + \sigma\sqrt{2r}\,z$: the variance in
# units of $\sigma^2$ goes $u' = (1-r)^2u + 2r$, starts at $\gamma^2$, and settles at $1/(1-r/2)$, the bias of lesson 10.

# %%
lengths = torch.randn(20_000, 64, generator=generator).norm(dim=1)
above = 1.35 * lengths.flip(0)
inside = ((lengths - above.mean()).abs() < 3 * above.std()).double().mean()
check_range(
    "shells of ratio 1.35 in 64 dimensions: overlap",
    inside,
    0.47,
    0.56,
    unlike={"in 256 dimensions, by the formula": score.ladder_overlap(1.35, 256)},
)
print(f"by the formula {score.ladder_overlap(1.35, 64):.3f}, ", end="")
print(f"in 3 x 256 x 256 dimensions {score.ladder_overlap(1.35, 3 * 256**2):.3f}")


def rung(n_steps, noise=0.2):
    """Variance of x / sigma after n steps with r = 0.1, coming from the rung above."""
    u = 1.35**2
    for _ in range(n_steps):
        u = (1 - 0.1) ** 2 * u + noise
    return u


settled = 1 / (1 - 0.1 / 2)
# the recursion, solved for 10 steps
solved = (1 - 0.1) ** (2 * 10) * (1.35**2 - settled) + settled
check(
    "variance after 10 steps at a rung, and in the end",
    [solved, settled],
    [rung(10), rung(10_000)],
    unlike={"noise r for 2r": [rung(10, noise=0.1), rung(10_000, noise=0.1)]},
)

# %% [markdown]
# **Annealed Langevin dynamics** is now one sentence: start at $\mathcal N(0, \sigma_1^2I)$, run a few steps on each rung, pass the result down, and
# finish with Tweedie's formula, which removes the noise of the last rung.

# %%
course.show_source(score.annealed_langevin)

# %%
torch.set_default_dtype(torch.float32)
torch.manual_seed(11)
ladder = score.NCSN(
    score.LevelMLP(2, width=64, depth=2), score.noise_ladder(6.0, 0.1, 16),
    event_shape=(2,), data_std=1.5, rate=0.3, n_steps=20,
)


# %%
def ladder_errors():
    """Relative error of the ladder's score at each of its levels."""
    errors = []
    for level in ladder.sigmas:
        law = islands.noised(1.0, float(level))
        x = law.sample(4000, generator=generator)
        at_level = lambda x, level=level: ladder.score(x, level.expand(len(x)))
        errors.append(relative_error(at_level, law.score, x))
    return errors


untrained = ladder_errors()
trained(ladder, n_steps=1200, lr=5e-3)
errors = ladder_errors()
check_range(
    "largest relative error on the ladder",
    max(errors),
    0.0,
    0.1,
    unlike={"before training": max(untrained)},
)
print(f"median relative error ~{np.median(errors):.4f}")


# %% [markdown]
# One small network, sixteen score fields. Now the chains: do they find $0.8:0.2$? We run the same dynamics with the exact score too, so
# that an error can be blamed on the right part.

# %%
def exact_score(x, level):
    """The islands' score at any level, by their denoiser and Tweedie's formula."""
    return score.score_from_x0(x, islands.denoiser(x, 1.0, level),
                               torch.ones_like(level), level)


start = ladder.sigmas[0] * torch.randn(4000, 2, generator=generator)
options = {"rate": ladder.rate,
           "n_steps": ladder.n_steps, "denoise": True, "generator": generator}
by_exact = last(score.annealed_langevin(exact_score, start, ladder.sigmas, **options))
walked = list(score.annealed_langevin(ladder.score, start, ladder.sigmas, **options))
single_level = {"one level, 600 steps": share(by_exact_score)}
check_range(
    "left, exact scores, annealed", share(by_exact), 0.74, 0.83, unlike=single_level
)
check_range(
    "left, one network, annealed", share(walked[-1]), 0.73, 0.85, unlike=single_level
)
check_range(
    "std of a mode (true: 0.5)",
    walked[-1][:, 1].std(),
    0.46,
    0.54,
    unlike={"trained at sigma = 1 alone": wide[:, 1].std()},
)

# %% jupyter={"source_hidden": true}
shares = [share(x) for x in (start, *walked)]  # before and after each of the steps
level_at = lambda k: float(ladder.sigmas[min(max(k - 1, 0) // 20, 15)])


def scene(k):
    """The chains after k of 320 steps, and the fraction on the left so far."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.5), width_ratios=(1, 1.2))
    x = (start, *walked)[k][:500]
    for side, colour in ((x[:, 0] < 0, "#0072B2"), (x[:, 0] >= 0, "#E69F00")):
        left.plot(*x[side].T.numpy(), ".", color=colour, markersize=2)
    left.set(title=f"σ = {level_at(k):.2f}", xlabel="$x_1$", ylabel="$x_2$",
             xlim=(-7, 7), ylim=(-7, 7), aspect="equal")  # fmt: skip
    right.plot(shares[: k + 1], color="#0072B2", linestyle="-")
    right.plot(k, shares[k], "o", color="#0072B2")
    right.axhline(0.8, color="#999999", linestyle="-", linewidth=1)
    right.text(4, 0.81, "the data", color="#666666")
    right.axhline(share(by_exact_score), color="#D55E00", linestyle=":", linewidth=1)
    right.text(150, share(by_exact_score) - 0.035,
               "one level, 600 steps", color="#D55E00")
    right.set(xlabel="step, 20 on each rung", ylabel="fraction of chains on the left",
              xlim=(0, 325), ylim=(0.4, 0.9),
              title="the ladder finds 4 : 1")  # fmt: skip
    return figure


film(
    (scene(k) for k in range(0, 321, 16)),
    "Chains on the ladder: a wide cloud shrinks and parts into two islands as σ falls "
    "from 6 to 0.1; their fraction on the left rises from one half to four fifths, the "
    "data's, while chains on one level stayed near one half.",
    seconds=6, width=640,
)  # fmt: skip

# %% [markdown]
# The fraction of one half has become about four fifths. With the exact score the chains end a point short, because the ladder moves on before
# they have quite followed (more rungs or more steps close that gap); the network adds an error of its own, here about three points.
#
# **Walk with them.** Three islands, their exact score as arrows ($\sigma$ times the score, long ones cut), and 300 walkers from anywhere.
# Questions before you press play: the islands hold 60, 30 and 10 % of the data. How will the walkers divide at $\sigma=0.1$, *one level*? How
# with *annealing*? And five walkers that you drop on one point, where do they end in either walk?

# %% tags=["keep-output"]
widgets.score_walk()

# %% [markdown]
# <details><summary>The answer</summary>
#
# At one small level about a third ends on each island: the arrows know only which island is near, so colours divide the plane like a map, and five
# from inside one colour stay together. With annealing the colours are mixed at first and part as $\sigma$ falls: 56, 30 and 13 %, close to the data; the five
# go different ways. Raise *noise σ* with one level: the walkers roam, but over islands that are as blurred as the noise says.
# </details>
#
# **The learned field against the exact one.** Broad black arrows are exact, thin orange ones learned: where the orange lies inside the black,
# the two agree. All are multiplied by $\sigma$, and long ones are cut.

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.7), sharey=True)
axis = torch.linspace(-4, 4, 10)
at = torch.cartesian_prod(axis, axis)
for ax, rung in zip(axes, (12, 8, 4), strict=True):
    level = ladder.sigmas[rung]
    law = islands.noised(1.0, float(level))
    density = law.log_prob(grid).exp().sqrt().reshape(91, 91)
    ax.contourf(side, side, density, levels=6, cmap="Greys", alpha=0.6)
    with torch.no_grad():
        fields = level * law.score(at), level * ladder.score(at, level.expand(len(at)))
    looks = (("#222222", 0.009), ("#E69F00", 0.004))
    for arrows, (colour, width) in zip(fields, looks, strict=True):
        arrows = arrows / arrows.norm(dim=1, keepdim=True).clamp(min=1)  # cut long ones
        ax.quiver(*at.T.numpy(), *arrows.T.numpy(), color=colour, width=width,
                  angles="xy", scale_units="xy", scale=2)  # fmt: skip
    ax.set(title=f"σ = {level:.2f}", xlabel="$x_1$", aspect="equal")
axes[0].set_ylabel("$x_2$")
show(figure, "Arrows of the exact and of the learned score on grey densities at σ = "
     "0.23, 0.68 and 2.01: two islands at the smallest level, one hill at the largest; "
     "the thin orange arrows lie inside the black ones almost everywhere.")  # fmt: skip

# %% [markdown]
# Move the noise yourself. Question before you do: the red line is the *watershed*, from where the arrows lead to either mode. At small noise it
# stands in the middle, as if the modes were equal. Where does it go as $\sigma$ rises, and at which level is it gone? (Two equal hills would
# merge at 1.94.) Then choose the single-level network and look where its arrows are wrong.

# %% tags=["keep-output"]
networks = {"single level 0.1": lambda x, level: fine.net(x), "ladder": ladder.score}
widgets.score_field(islands, networks)

# %% [markdown]
# The watershed moves towards the *light* mode: the heavy one takes ground as soon as the two can see each other, and that is how the weights
# enter. It is gone at $\sigma\approx1.2$: uneven hills merge sooner than equal ones. The single-level network is wrong between the modes and far outside, where it saw no data.

# %%
valleys = []
x1 = torch.linspace(-2.5, 2.5, 2001)
line_2d = torch.stack([x1, torch.zeros_like(x1)], 1)
for level in torch.linspace(0.05, 2, 79):
    slope = islands.noised(1.0, float(level)).score(line_2d)[:, 0]
    rising = ((slope[:-1] < 0) & (slope[1:] >= 0)).nonzero()
    valleys.append(float(x1[rising[0, 0]]) if len(rising) else math.nan)
last_valley = float(torch.linspace(0.05, 2, 79)[np.isfinite(valleys).nonzero()[0][-1]])
check_range(
    "watershed at the smallest level",
    valleys[0],
    0.0,
    0.15,
    unlike={
        "at the last level that has one": np.array(valleys)[np.isfinite(valleys)][-1]
    },
)
check_range(
    "level from which there is one hill",
    last_valley,
    1.1,
    1.4,
    unlike={"two equal hills": math.sqrt(2**2 - 0.5**2)},
)

# %% [markdown]
# ## 9. Real digits
#
# The same functions, now in 64 dimensions. Digits are scaled to $[-1, 1]$; the largest distance between two of them is 9.6, so the ladder starts
# at $\sigma_1 = 10$; it ends at 0.2, one and a half grey levels, with 14 rungs of ratio 1.35. The network is a residual perceptron of some
# 450,000 weights that gets $\log\sigma$ as an input.

# %%
train, held_out = load_digits("train").images, load_digits("test").images
flat = to_unit(train).flatten(1)
print(f"largest distance between two digits: {torch.cdist(flat, flat).max():.2f}")
recipe = find("digit_ncsn")
digits = recipe.untrained()
records = widgets.watch(recipe.train(digits, to_unit(train)), total=1500)
n_weights = sum(p.numel() for p in digits.parameters())
n_passes = len(digits.sigmas) * digits.n_steps + 1
print(f"{n_weights} weights, {len(digits.sigmas)} levels, "
      f"{n_passes} network evaluations a sample")
losses = [r.loss for r in records]
check_range(
    "loss of the last 100 steps (64 numbers)",
    np.mean(losses[-100:]),
    9,
    15,
    digits=2,
    unlike={"first 20 steps": np.mean(losses[:20])},
)

# %% [markdown]
# The loss levels off well above zero, as step 11 says it must. It is useless as a grade; samples are graded by lesson 09's Fréchet distance
# in the features of the course's classifier. The floor is what 200 real test digits get; a small set has a larger distance, so compare it with sets of 200 samples (0.40 to 0.46 below), not with a thousand.

# %%
classifier = load_classifier()
real = classifier.features(train)


def frechet(images):
    """Fréchet distance to the training digits, in the classifier's features."""
    found = classifier.features(from_unit(images, whole=False))
    return frechet_distance(real, found).item()


def drawn(model, n=1000, **options):
    """Samples by annealed Langevin, every state if asked."""
    generator = torch.Generator().manual_seed(1)
    noise = model.sigmas[0] * torch.randn(n, 1, 8, 8, generator=generator)
    options = {"rate": model.rate, "n_steps": model.n_steps, **options}
    return score.annealed_langevin(model.score, noise, model.sigmas,
                                   denoise=True, generator=generator, **options)


samples = last(drawn(digits))
linear = Gaussian(flat.mean(0), torch.cov(flat.T) + 1e-4 * torch.eye(64))
normal_draws = linear.sample(1000, generator=generator).reshape(-1, 1, 8, 8)
check_range(
    "Fréchet distance of 1000 samples",
    frechet(samples),
    0.18,
    0.34,
    digits=2,
    unlike={"of a normal distribution": frechet(normal_draws)},
)
percent = lambda x: (
    100 * classifier.probs(from_unit(x, whole=False)).argmax(1).bincount(minlength=10)
    / len(x)
)
kinds = percent(samples)
print(f"200 real test digits: {frechet(to_unit(held_out)):.2f}")
print(f"rarest digit ~{kinds.min():.1f} %, most frequent ~{kinds.max():.1f} %")

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(2, 1, figsize=(9.6, 4.3), height_ratios=(1, 4))
show_images(axes[0], to_unit(train[:12]), n_columns=12, title="real digits")
show_images(axes[1], samples[:48].clamp(-1, 1), n_columns=12, title="ours")
show(figure, "A row of twelve real digits and four rows of ours: many of ours can be "
     "read, with more grey in them than the real ones, and some are "
     "no digit.")  # fmt: skip

# %% [markdown]
# And twelve chains on their way down the ladder, each state divided by $1+\sigma/3$ to be seen; the last frame is denoised.

# %% jupyter={"source_hidden": true}
states = list(drawn(digits, n=12))
per_rung = len(states) // len(digits.sigmas)


def scene(k):
    """The twelve chains after k + 1 steps."""
    rung = min(k // per_rung, len(digits.sigmas) - 1)
    denoised = k == len(states) - 1
    scale = 1.0 if denoised else float(1 + digits.sigmas[rung] / 3)
    figure, ax = plt.subplots(figsize=(6, 2.3))
    show_images(ax, (states[k] / scale).clamp(-1.5, 1.5), n_columns=6,
                title="denoised" if denoised
                else f"σ = {digits.sigmas[rung]:.2f}")  # fmt: skip
    return figure


ends = [*range(per_rung - 1, len(states) - 1, per_rung), len(states) - 1]
film(
    (scene(k) for k in ends),
    "Twelve chains go down the ladder: static at σ = 10, blurred strokes below σ = 1, "
    "and at the end, denoised, pale digits, not all of them legible.",
    seconds=5, width=480,
)  # fmt: skip

# %% [markdown]
# **What the network knows about digits it has never seen.** Tweedie's formula turns it into a denoiser for any level, so we may compare it with
# other denoisers on the held-out digits: the best *linear* one (data taken as normal), and the **memoriser**, which is the exact minimiser of
# our training loss, the score of 1,397 blurred points.

# %%
memoriser = Empirical(to_unit(train))


def denoised(model, x_t, level):
    """Tweedie's guess of a score network."""
    sigma = torch.full((len(x_t),), level)
    with torch.no_grad():
        return score.x0_from_score(x_t, model.score(x_t, sigma),
                                   torch.ones_like(sigma), sigma)


def errors_at(images, level):
    """Mean square error a pixel of the three denoisers."""
    x0 = to_unit(images)
    x_t = x0 + level * torch.randn(x0.shape, generator=torch.Generator().manual_seed(2))
    guesses = (
        denoised(digits, x_t, level),
        linear.denoiser(x_t.flatten(1), 1.0, level).reshape(x0.shape),
        memoriser.denoiser(x_t, 1.0, level),
    )
    return [(guess - x0).square().mean().item() for guess in guesses]


# %%
new = {level: errors_at(held_out, level) for level in (0.2, 0.5, 1.0, 3.0)}
print("held-out error    network   linear    memoriser")
for level, row in new.items():
    print(f"sigma = {level:<6}    " + "   ".join(f"~{e:.4f}" for e in row))
old = errors_at(train[:400], 0.2)
over_network = {level: row[2] / row[0] for level, row in new.items()}
check_range(
    "sigma = 0.2, seen: memoriser over network",
    old[2] / old[0],
    0.0,
    0.001,
    digits=5,
    unlike={"new digits": over_network[0.2]},
)
check_range(
    "sigma = 0.2, new: memoriser over network",
    over_network[0.2],
    2.5,
    6.0,
    digits=2,
    unlike={
        "linear over network": new[0.2][1] / new[0.2][0],
        "sigma = 1": over_network[1.0],
    },
)
check_range(
    "sigma = 0.5, new: network over linear",
    new[0.5][0] / new[0.5][1],
    0.75,
    0.95,
    unlike={"sigma = 3": new[3.0][0] / new[3.0][1]},
)

# %% jupyter={"source_hidden": true}
levels = (0.5, 1.0, 1.5, 2.2, 3.0)
x0 = to_unit(held_out[5:6])
same = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(3))
noisy = torch.cat([x0 + level * same for level in levels])
guesses = torch.cat([
    denoised(digits, x_t[None], level) for x_t, level in zip(noisy, levels, strict=True)
])
clipped = (noisy / noisy.abs().amax((1, 2, 3), keepdim=True)).clamp(-1, 1)
figure, axes = plt.subplots(2, 1, figsize=(7.4, 2.8))
rows = {"noisy": torch.cat([x0, clipped]),
        "guess": torch.cat([x0, guesses.clamp(-1, 1)])}  # fmt: skip
for ax, (name, row) in zip(axes, rows.items(), strict=True):
    show_images(ax, row, n_columns=6)
    ax.set_anchor("E")
    ax.text(-1.5, 3.5, name, ha="right", va="center")
for k, title in enumerate(("a new digit", *[f"σ = {level:g}" for level in levels])):
    axes[0].text(9 * k + 3.5, -1.2, title, ha="center")
show(figure, "A held-out one with noise of 0.5, 1, 1.5, 2.2 and 3 above, and Tweedie's "
     "guess below: sharp at 0.5, a blurred average of digits at 3.")  # fmt: skip


# %% [markdown]
# **A lower training loss is not a better model.** On its own training digits the memoriser's error is less than
# a thousandth of ours, and on new digits it is several times larger: at small noise it returns the nearest training digit, whatever you show it. A
# *perfect* minimiser of the training loss could only ever give the data back. That score networks invent new digits at all is due to what
# they *cannot* fit. (At $\sigma = 1$ the memoriser even beats us on new digits: under that much noise 1,397 blurred points are a fair stand-in
# for all digits, and our small network has not quite learned them.)
#
# ## 10. It fails: what goes wrong, on purpose
#
# Section 7 has shown the three classic failures and section 8 their repair. Five more, each produced and measured.
#
# **The top of the ladder is hardly learned.** With the classic $\lambda = \sigma^2$ the loss at $\sigma = 10$ is the prediction of noise in an input that is nearly
# all noise; how digits look on average, which is all that the score can add up there, hides behind the first decimals. We train two small
# networks for 400 steps, which differ only in the weight, and ask each for its guess at $\sigma = 10$.

# %%
class Classic(nn.Module):
    """Trains a network with the weight sigma squared."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def loss(self, x, *, generator=None):
        rung = torch.randint(len(self.model.sigmas), (len(x),), generator=generator)
        eps = torch.randn(x.shape, generator=generator)
        return score.ncsn_loss(self.model.score,
                               x, eps, sigma=self.model.sigmas[rung]).mean()


def error_at_the_top(classic):
    """Error of the guess at sigma = 10 after a short training, over the linear one."""
    model = recipe.but(width=128, depth=2).untrained()
    generator = torch.Generator().manual_seed(11)
    batches = minibatches(to_unit(train), 128, generator=generator)
    for _ in fit(Classic(model) if classic else model,
                 batches, n_steps=400, lr=cosine(4e-3, 400), generator=generator):
        pass
    x0 = to_unit(held_out)
    x_t = x0 + 10 * torch.randn(x0.shape, generator=torch.Generator().manual_seed(4))
    best = linear.denoiser(x_t.flatten(1), 1.0, 10.0).reshape(x0.shape)
    return ((denoised(model, x_t, 10.0) - x0).square().mean()
            / (best - x0).square().mean()).item()


check_range(
    "error at the top over the linear one, repaired",
    error_at_the_top(classic=False),
    0.97,
    1.2,
    unlike={"classic weight": error_at_the_top(classic=True)},
)

# %% [markdown]
# **More steps, worse samples.** With an exact score, more Langevin steps bring each rung closer to where its chain settles, which is the right distribution up to the bias of the step: a variance too large by
# $1/(1-r/2)$ in the direction of a single point (step 19). With a learned score each rung drifts towards the distribution that
# the *network* has, errors included, and a long chain arrives there. We draw three sets of 200.

# %%
sets = {n: last(drawn(digits, n=600, n_steps=n)) for n in (10, 40)}
distances = {n: [frechet(part) for part in x.chunk(3)] for n, x in sets.items()}
for n, x in sets.items():
    kinds = percent(x)
    print(
        f"{n} steps a rung: Fréchet distances",
        " ".join(f"~{d:.2f}" for d in distances[n]),
        end="",
    )
    print(f", digits ~{kinds.min():.0f} to ~{kinds.max():.0f} %, "
          f"spread ~{kinds.std():.1f} %")
check_range(
    "Fréchet distance of 200, 40 steps a rung",
    np.mean(distances[40]),
    0.45,
    0.6,
    digits=2,
    unlike={"10 steps a rung": np.mean(distances[10])},
)


# %% [markdown]
# The longer chains are worse in every set. Part of the damage is in the proportions of the digits. In a larger run, 500 samples for each of three sampling seeds, the ten percentages had a standard deviation
# of 1.6 to 2.4 with 10 steps a rung, 2.1 to 3.0 with 40 and 2.9 to 3.7 with 80 (chance alone gives 1.3): the sevens, for one, fell from 8 to 10 per cent to 4 to 6. The Fréchet distance was 0.25 to 0.29, 0.33 to 0.37 and 0.46 to 0.56.
# The repair is not a longer chain but a better network, or a sampler that needs fewer steps of it: lessons 13 and 14.
#
# **The forgotten $1/\sigma$, and the sign.** A network trained to predict noise gives $-\sigma s$, not $s$. Used as if it were a score, it is too weak at small
# levels by the factor $\sigma$, and too strong at large ones, where the chain explodes as soon as $r\sigma > 2$. With the wrong sign every rung drives
# the points away. Exact scores, so nothing else is to blame:

# %%
def spread_with(slope, n_steps=20):
    """Root mean square of the second coordinate after annealing; the truth is 0.5."""
    sigmas = score.noise_ladder(6.0, 0.1, 16)
    generator = torch.Generator().manual_seed(5)
    x = 6.0 * torch.randn(2000, 2, generator=generator)
    run = score.annealed_langevin(slope, x, sigmas,
                                  rate=0.3, n_steps=n_steps, generator=generator)
    return last(run)[:, 1].square().mean().sqrt().item()


weak = lambda x, level: level[:, None] * exact_score(x, level)
flipped = lambda x, level: -exact_score(x, level)
check_range(
    "std of a mode",
    spread_with(exact_score),
    0.46,
    0.57,
    unlike={
        "1/sigma forgotten": spread_with(weak),
        "wrong sign": spread_with(flipped, n_steps=5),
    },
)

# %% [markdown]
# **A score that is no gradient.** A true score is the gradient of one function, so its Jacobian is symmetric, and step 14's covariance has no
# negative eigenvalue. A network that outputs 64 numbers promises neither. We ask ours for the covariance of its guess at $\sigma = 0.5$.

# %%
x_t = to_unit(held_out[:8]) + 0.5 * torch.randn(
    8, 1, 8, 8, generator=torch.Generator().manual_seed(6))
level = torch.full((1,), 0.5)
believed = score.posterior_covariance(lambda x: digits.score(x, level.expand(len(x))),
                                      x_t, alpha=1.0, sigma=0.5)
crooked = (believed - believed.mT).norm() / (believed + believed.mT).norm()
true = score.posterior_covariance(linear.noised(1.0, 0.5).score,
                                  x_t.flatten(1), alpha=1.0, sigma=0.5)
check_range(
    "asymmetry of the network's Jacobian",
    crooked,
    0.1,
    0.3,
    unlike={"of a true score's": (true - true.mT).norm() / (true + true.mT).norm()},
)
uncertainty = believed.diagonal(dim1=1, dim2=2).mean()
makes = errors_at(held_out, 0.5)[0]
print(
    f"mean posterior variance it believes in ~{uncertainty:.4f}, "
    f"error it makes ~{makes:.4f}"
)
check_range(
    "variance it believes in over the error it makes",
    uncertainty / makes,
    0.8,
    1.35,
    digits=2,
    unlike={"variance of the data over the error": flat.var(0).mean() / makes},
)

# %% [markdown]
# The asymmetry costs little here: the symmetric part is what the trace sees, and the variance that it predicts is close to the error that it
# makes. Where a true gradient is needed, let the network output one number, an energy, and differentiate it (lesson 10).
#
# **No likelihood.** A score network has no $\log p$, and its class has no method for one.

# %%
print("likelihood kind:", likelihood_kind(digits),
      "| has log_prob:", hasattr(digits, "log_prob"))
try:
    log_likelihood(digits, to_unit(held_out[:1]))
except NoLikelihoodError as error:
    print(str(error).split(":")[0])


# %% [markdown]
# Lesson 14 will build, on the very same network, another object that does have one.
#
# ## Predict first, again
#
# 1. 0.25 (step 12).
# 2. About a half after 600 steps, the fraction of the *starts*; 0.797 after 100,000 (section 7).
# 3. 1.118: the standard deviations of the noised modes (section 7).
# 4. 64, and 196,608 (section 4).
#
# ## Exercises
#
# Replace each `...`; an untouched exercise prints "not attempted". `course.hint("11.parabola")` gives up to three hints. Worked solutions are
# in `solutions/`.

# %%
def explicit_loss(a, s):
    """J_SM of the model -a x on data N(0, s^2)."""
    ...


course.exercise("11.parabola", explicit_loss)


# %%
def floor_of(s, sigma):
    """Least denoising loss on data N(0, s^2) at noise level sigma."""
    ...


course.exercise("11.floor", floor_of)


# %%
def dsm(score_model, x0, eps, sigma):
    """Denoising loss of each row; x0, eps (b, d), sigma a number; a half, and a sum."""
    ...


course.exercise("11.dsm-loss", dsm)


# %%
def clean_guess(x_t, score_value, alpha, sigma):
    """E[x0 | x_t] for x_t = alpha x0 + sigma eps, from the score at x_t."""
    ...


course.exercise("11.tweedie", clean_guess)


# %%
def ladder_and_steps(sigma_max, sigma_min, n_levels, rate):
    """Two rows: the noise levels, falling by one ratio, and each one's step size."""
    ...


course.exercise("11.ladder", ladder_and_steps)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(11)

# %% [markdown]
# ## Summary
#
# 1. The score $\nabla\log p$ does not contain $Z$, and Langevin dynamics needs nothing else.
# 2. Explicit matching needs the answer; by parts, it becomes $\mathbb E[\operatorname{tr}\nabla s + \frac12\lVert s\rVert^2]$ plus a constant, if $p\,s$ vanishes at the border.
# 3. The exact trace costs $D$ backward passes, a slice one; on finite data neither objective has a minimum.
# 4. Noise replaces the derivative: regress on $-\epsilon/\sigma$, and get the score of the *noised* data.
# 5. $J_{\mathrm{DSM}} = J_{\mathrm{SM}} + C_\sigma$ with $C_\sigma > 0$ unless the data are one single point: a quarter for $\mathcal N(0,1)$ and $\sigma = 1$.
# 6. Tweedie: $\mathbb E[x\mid\tilde x] = \tilde x + \sigma^2 s$. A score is a denoiser, and its Jacobian the denoiser's uncertainty.
# 7. One level fails: blind to weights, or the wrong distribution, or wrong where no data are.
# 8. All levels together know the KL: $\int 2\sigma^2J_{\mathrm{SM}}\,d\log\sigma$. In $\log\sigma$ the weight is proportional to $\sigma^2$; overlapping shells ask for a geometric ladder.
# 9. Annealed Langevin walks down the ladder with steps of $r\sigma^2$; the modes' weights are settled where the hills part.
# 10. A perfect minimiser on finite data memorises; what generalises is the network's imperfection.
#
# | paradigm | objective | sampler | evaluations | likelihood | pays |
# |---|---|---|---|---|---|
# | score (NCSN) | $\sum_i\lambda_i\,\tfrac12\mathbb E\lVert s_\theta + \epsilon/\sigma_i\rVert^2$ | annealed Langevin | levels × steps: 141 here | none | many evaluations a sample |
#
# **What production systems add.** A convolutional U-Net in place of the perceptron, averaged weights, hundreds to thousands of levels or a
# continuum of them, and better samplers than Langevin: the chain of lesson 12, the solvers of lesson 13, the differential equations of
# lesson 14. The objective is the one of this lesson, up to its weight: for a path $x_t = \alpha x_0 + \sigma\epsilon$ noise prediction is
# $2\sigma^2 J_{\mathrm{DSM}}$.
#
# ## Sources
#
# - Hyvärinen 2005, "Estimation of Non-Normalized Statistical Models by Score Matching", JMLR 6: eq. 2 and theorem 1.
# - Vincent 2011, "A Connection Between Score Matching and Denoising Autoencoders", Neural Computation 23: section 4 and appendix.
# - Song, Garg, Shi and Ermon 2019, "Sliced Score Matching" (arXiv:1905.07088): section 3.1.
# - Song and Ermon 2019, "Generative Modeling by Estimating Gradients of the Data Distribution" (arXiv:1907.05600): sections 3 and 4,
#   eq. 5 and 6, algorithm 1.
# - Song and Ermon 2020, "Improved Techniques for Training Score-Based Generative Models" (arXiv:2006.09011): techniques 1, 2 and 4.
# - Efron 2011, "Tweedie's Formula and Selection Bias", J. Amer. Statist. Assoc. 106: eq. 2.8.
# - Lyu 2009, "Interpretation and Generalization of Score Matching", UAI: theorem 1 (the derivative of KL along the noise).
# - Karras et al. 2022, "Elucidating the Design Space" (arXiv:2206.00364): table 1 and appendix B, for the weight and the memoriser.
