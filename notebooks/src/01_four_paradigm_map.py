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
# # 01 · The four-paradigm map
#
# **After this lesson you will be able to**
#
# - *say* what a generative model is asked to do, and how that differs from classifying;
# - *write* a distribution in the four ways that the whole field is built on, and check each by hand;
# - *place* a system on the map from its objective, its sampler and its likelihood, and predict what it costs;
# - *decompose* a hybrid into its parts;
# - *tell* a likelihood from a bound, and a bound from nothing, before you compare two numbers.
#
# About 60 minutes to read, about 35 seconds to run. You need conditional probability, the normal distribution and a little PyTorch. No
# earlier lesson.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.distributions import Normal

import genlab_course as course
from genlab_course import widgets
from genlab.core import NoLikelihoodError, last, log_likelihood, make_generator
from genlab_course import check, check_close_mc, check_range, lesson_01, show_source
from genlab_course.figures import show
from genlab_course.lesson_01 import COLOURS, draw_first_map
from genlab.data.toys import GaussianRing, plane
from genlab.metrics.cost import network_passes
from genlab.metrics.distances import energy_distance
from genlab.oracles import GaussianMixture

course.begin(lesson=1)
# exact numbers first; training will switch to float32
torch.set_default_dtype(torch.float64)
course.hero()
show(
    course.draw_map(lesson=1),
    "The map of the course: autoregressive, flow, latent-variable, adversarial and "
    "score / diffusion, each with its formula, what it learns, how it samples, its "
    "network evaluations, its likelihood and its price.",
)

# %% [markdown]
# The animation shows what you will have made by the end: five models that learned one ring of points, each turning noise into samples in its own way.
#
# The map has five entries: four paradigms, and flows, a second likelihood family beside the autoregressive one. By the end of this lesson
# you will have trained all five on the same data, in this notebook, and measured what their entries say.
#
# ## Predict first
#
# Write your answers down before you run anything. Section 8 takes them up again.
#
# 1. Five models learn one distribution of points in the plane. To draw one batch of points, how often must each of them run its network?
# 2. Which of the five can tell you the density at a given point: exactly, by a bound, not at all?
# 3. The best expected log-likelihood that any model can reach on this data is $-1.123$ nats. One model will report $-2.0$. Is it worse
#    than a model that reports $-1.2$, and if so, by how much?
# 4. The data are eight separate clusters. You train a GAN with the textbook loss and the optimiser that you use for everything else. How many of the eight will its
#    samples reach?

# %% [markdown]
# ## 1. What "generative" means
#
# A **discriminative** model learns $p(y\mid x)$: given a photo, which label? A **generative** model learns $p(x)$, or $p(x\mid c)$ under a
# condition $c$: which photos exist, and how likely is each? From the joint distribution both follow, by one division each:
# $$p(y\mid x)=\frac{p(x,y)}{\sum_{y'}p(x,y')}, \qquad p(y\mid x)=\frac{p(x\mid y)\,p(y)}{\sum_{y'}p(x\mid y')\,p(y')}.$$
# The second form is Bayes' rule: whoever can generate $x$ for each $y$ can also classify. Here is a tiny world: a hundred animals,
# recorded by colour $x$ and kind $y$. We classify a grey one by counting, and by Bayes' rule from the generative side.

# %%
animals = (
    [("grey", "cat")] * 18 + [("grey", "dog")] * 6 + [("brown", "cat")] * 10
    + [("brown", "dog")] * 36 + [("white", "cat")] * 12 + [("white", "dog")] * 18
)  # fmt: skip
grey = [kind for colour, kind in animals if colour == "grey"]
by_counting = grey.count("cat") / len(grey)  # route 1: look at the grey ones only

p_kind = {"cat": 0.4, "dog": 0.6}  # route 2: how kinds arise, and colours from kinds
p_grey_given = {"cat": 18 / 40, "dog": 6 / 60}
evidence = sum(p_grey_given[k] * p_kind[k] for k in p_kind)
check(
    "p(cat | grey): counting, and Bayes' rule",
    by_counting,
    p_grey_given["cat"] * p_kind["cat"] / evidence,
    unlike={"p(grey | cat)": p_grey_given["cat"]},
)

# %% [markdown]
# The opposite direction is impossible. $p(y\mid x)$ does not determine $p(x)$, so no classifier, however accurate, can draw a photo. Two
# worlds with the same classifier and different animals show why:

# %%
p_cat_given = np.array([0.75, 0.2, 0.4])  # the classifier, for grey, brown, white
for world, p_colour in {
    "A": np.array([0.24, 0.46, 0.30]),
    "B": np.array([0.90, 0.05, 0.05]),
}.items():
    joint = np.stack([p_colour * p_cat_given, p_colour * (1 - p_cat_given)])
    draws = np.random.default_rng(0).choice(6, size=20_000, p=joint.ravel())
    grey = np.isin(draws, [0, 3])  # draw 0 is a grey cat, draw 3 a grey dog
    check_close_mc(
        f"world {world}: p(cat | grey) from its animals",
        (draws == 0)[grey].astype(float),
        p_cat_given[0],
        unlike={"p(grey | cat)": (draws == 0)[draws < 3].astype(float)},
    )
    print(f"    ... and ~{grey.mean():.2f} of its animals are grey")

# %% [markdown]
# So what do we ask of a generative model? Three things, and no model is good at all of them:
#
# - **sample**: draw new $x$, quickly;
# - **evaluate** (or *score*): say how likely a given $x$ is;
# - **condition**: do either under a condition $c$, such as a caption or the first half of a sentence.
#
# "Learning a distribution" means choosing parameters $\theta$ so that $p_\theta$ is close to the data's $p$. Everything that differs between
# the paradigms differs because $p(x)$ of an image or a text cannot be written down as a table. There are four ways around that.

# %% [markdown]
# ## 2. Four ways to write a distribution
#
# ### Way 1: the chain rule (autoregressive models)
#
# Split $x$ into $n$ variables (pixels, or the tokens of a text) and write the joint as a product of conditionals:
# $$p(x_1,\dots,x_n)=\prod_{i=1}^n p(x_i\mid x_1,\dots,x_{i-1}).$$
# *Why it holds:* each factor is a ratio of two marginals, and the product telescopes. It is an identity, for every distribution and every
# order of the variables. It also tells you how to sample: draw the first variable, condition on it, draw the second, and so on. This is called
# **ancestral sampling**. We check the two together. Take a random table of three yes-no variables, compute each conditional from it, draw one
# after the other, and compare how often each outcome is drawn with the table. Multiplying the conditionals and comparing the product would prove
# nothing: whatever numbers stand in numerator and denominator, they cancel.

# %%
table = np.random.default_rng(1).dirichlet(np.ones(8)).reshape(2, 2, 2)
outcomes = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]


def mass(known):
    """Probability that the variables listed in `known` have these values."""
    return sum(
        table[x] for x in outcomes if all(x[i] == value for i, value in known.items())
    )


def draw(order, rng):
    """One outcome by ancestral sampling: each variable given those before it."""
    known = {}
    for i in order:
        p_one = mass(known | {i: 1}) / mass(known)
        known[i] = int(rng.random() < p_one)
    return known[0], known[1], known[2]


rng, n = np.random.default_rng(2), 10_000
without_conditions = [math.prod(mass({i: x[i]}) for i in range(3)) for x in outcomes]
for order in ((0, 1, 2), (2, 0, 1)):
    drawn = [draw(order, rng) for _ in range(n)]
    p = np.array([table[x] for x in outcomes])
    errors = lambda found: (np.array(found) - p) / np.sqrt(p * (1 - p) / n)  # standard errors
    check(
        f"sampled in the order {order}: frequencies, table",
        errors([drawn.count(x) / n for x in outcomes]),
        np.zeros(8),
        atol=5,
        unlike={"drawn without their conditions": errors(without_conditions)},
    )

# %% [markdown]
# A network then stands for each factor. The likelihood is **exact**, because it is a product of numbers that the network outputs. The price:
# $x_i$ cannot be drawn before $x_1,\dots,x_{i-1}$, so a sample of $n$ variables costs $n$ **network evaluations**, one after another.
#
# ### Way 2: a hidden cause (latent-variable models)
#
# Suppose every $x$ was made from a hidden $z$. Then sum over all the ways in which $x$ can have come about:
# $$p(x)=\int p(x\mid z)\,p(z)\,dz.$$
# Sampling is easy: draw $z$, then $x$. Evaluating is the hard direction, because of the integral. Here is one that we can do: if
# $z\sim\mathcal N(0,1)$ and $x\mid z\sim\mathcal N(2z,\,0.5^2)$, then $x$ is normal with variance $2^2+0.5^2$. Quadrature does the integral
# without knowing that, and so does the average of $p(x\mid z)$ over random $z$.

# %%
x_seen = 1.3
z, dz = torch.linspace(-10, 10, 2001), 0.01  # the trapezoid rule; both ends are empty
joint = Normal(0.0, 1.0).log_prob(z) + Normal(2 * z, 0.5).log_prob(torch.tensor(x_seen))
by_quadrature = joint.exp().sum().item() * dz
closed_form = math.exp(-0.5 * x_seen**2 / 4.25) / math.sqrt(2 * math.pi * 4.25)
check(
    "marginal: quadrature over z, and the sum of variances",
    by_quadrature,
    closed_form,
    unlike={
        "standard deviations added": Normal(0.0, 2.0 + 0.5)
        .log_prob(torch.tensor(x_seen))
        .exp()
    },
)

z = torch.randn(100_000, generator=make_generator(2))
log_p_given_z = Normal(2 * z, 0.5).log_prob(torch.tensor(x_seen))
check_close_mc(
    "marginal: average of p(x | z) over the prior",
    log_p_given_z.exp(),
    closed_form,
    unlike={"average of the logarithms": log_p_given_z.mean().exp()},
)


# %% [markdown]
# With a thousand hidden numbers and a deep network for $p(x\mid z)$, neither route survives. What survives is a **lower bound** on
# $\log p(x)$, the ELBO, and lesson 05 derives it. The price: a bound is not a likelihood.
#
# ### Way 3: only a sampler (adversarial models)
#
# Drop the density altogether: $z\sim\mathcal N(0,I)$ and $x=G(z)$, nothing else. The samples certainly follow *some* distribution. What would
# it take to evaluate it? In one dimension: find **every** $z$ with $G(z)=x$ and add up their contributions,
# $$p(x)=\sum_{z\,:\,G(z)=x}\frac{\mathcal N(z;0,1)}{|G'(z)|}.$$
# For the cubic $G(z)=z^3-2z$ a polynomial solver finds up to three such $z$. We integrate the resulting density over an interval and compare
# with the fraction of samples that land there.

# %%
def contributions(x):
    """One term of the sum for each real z with z^3 - 2z = x."""
    roots = np.roots([1.0, 0.0, -2.0, -x])
    found = roots[abs(roots.imag) < 1e-9].real
    return np.exp(-0.5 * found**2) / math.sqrt(2 * math.pi) / abs(3 * found**2 - 2)


def probability(density):
    """Integral of `density` from 0 to 1/2, by Gauss-Legendre quadrature."""
    ticks, w = np.polynomial.legendre.leggauss(60)
    return sum(
        0.25 * wi * density(0.25 + 0.25 * t) for t, wi in zip(ticks, w, strict=True)
    )


z = torch.randn(200_000, generator=make_generator(3))
samples = z**3 - 2 * z
check_close_mc(
    "P(0 < x < 1/2): samples, and all preimages",
    ((samples > 0) & (samples < 0.5)).double(),
    probability(lambda x: contributions(x).sum()),
    unlike={"the first preimage only": probability(lambda x: contributions(x)[0])},
)


# %% [markdown]
# For a deep network nobody can list the preimages, and with fewer $z$ than pixels almost every image has none. A GAN therefore has **no
# likelihood** that anyone can compute. It is trained by a game: a **discriminator** tries to tell data from samples, and the generator tries
# to make it fail.
#
# **Flows** are the exception that keeps the formula usable: choose $f$ *invertible*, so that the sum has exactly one term,
# $$p(x)=p_Z\big(f^{-1}(x)\big)\,\left|\frac{d f^{-1}(x)}{dx}\right|.$$
# We check it for $f(z)=z^3+z$ against the slope of the distribution function, which needs no Jacobian: $P(X\le x)=\Phi(f^{-1}(x))$.

# %%
def undo(x):
    """The one real z with z^3 + z = x, by bisection."""
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if middle**3 + middle < x else (low, middle)
    return low


x_seen, h = 1.7, 1e-4
z_seen = undo(x_seen)
by_formula = math.exp(-0.5 * z_seen**2) / math.sqrt(2 * math.pi) / (3 * z_seen**2 + 1)
cdf = [0.5 * (1 + math.erf(undo(x_seen + step) / math.sqrt(2))) for step in (-h, h)]
check(
    "change of variables, and the slope of the CDF",
    by_formula,
    (cdf[1] - cdf[0]) / (2 * h),
    atol=1e-8,
    unlike={
        "the slope of f^-1 forgotten": Normal(0.0, 1.0)
        .log_prob(torch.tensor(z_seen))
        .exp()
    },
)

# %% [markdown]
# ### Way 4: only the slope (score and diffusion models)
#
# The last idea gives up the *value* of the density and keeps its direction of increase, the **score** $s(x)=\nabla_x\log p(x)$. What is
# gained: a constant factor drops out, since $\nabla\log(c\,p)=\nabla\log p$. Nothing needs to be normalised. Take the data of this lesson,
# eight Gaussians on a ring: the closed-form score, autograd on $\log p$, and finite differences of the *unnormalised* sum must agree.

# %%
ring = GaussianRing()  # eight modes, radius 1.5, standard deviation 0.15
oracle = GaussianMixture(ring.weights, ring.means, ring.stds)
x = torch.tensor([[1.2, 0.9], [0.1, -1.4], [-1.6, 0.3]])

y = x.clone().requires_grad_()
(by_autograd,) = torch.autograd.grad(ring.log_prob(y).sum(), y)
(slope_of_p,) = torch.autograd.grad(ring.log_prob(y).exp().sum(), y)
check(
    "score: closed form, and autograd on log p",
    oracle.score(x),
    by_autograd,
    unlike={"the slope of p": slope_of_p},
)


def log_unnormalised(x):
    return torch.log(
        7.0 * torch.exp(-(torch.cdist(x, ring.means) ** 2) / (2 * 0.15**2)).sum(1)
    )


steps = 1e-5 * torch.eye(2)


def differences(f):
    return torch.stack([(f(x + e) - f(x - e)) / 2e-5 for e in steps], 1)


check(
    "score: closed form, and differences of log(7 p Z)",
    oracle.score(x),
    differences(log_unnormalised),
    atol=1e-5,
    unlike={
        "the slope of 7 p Z itself": differences(lambda x: log_unnormalised(x).exp())
    },
)

# %% [markdown]
# How does one *learn* a slope without knowing the density? By removing noise. Add noise of a known amount, $x_t=\alpha x_0+\sigma\epsilon$, and
# ask a network which $\epsilon$ was added. The best possible answer is the average $\epsilon$ given $x_t$, and that is the score in disguise:
# $$\mathbb E[\epsilon\mid x_t]=-\sigma\,\nabla_{x_t}\log p_t(x_t).$$
# *Why:* differentiate $p_t(x_t)=\int p(x_0)\,\mathcal N(x_t;\alpha x_0,\sigma^2I)\,dx_0$ under the integral; each $x_0$ contributes
# $-(x_t-\alpha x_0)/\sigma^2=-\epsilon/\sigma$, weighted by how probable it is. Lesson 11 takes the steps one by one. The check: the left side by
# brute-force integration over a lattice of $x_0$, the right side from the noised mixture in closed form.

# %%
alpha, sigma = 0.8, 0.6
lattice, _ = plane(3.0, 200)  # 40,000 candidates for x_0
weight = ring.log_prob(lattice) - torch.cdist(x, alpha * lattice) ** 2 / (2 * sigma**2)
expected_eps = (x - alpha * weight.softmax(1) @ lattice) / sigma
check(
    "expected noise = -sigma x score of the noised data",
    expected_eps,
    -sigma * oracle.noised(alpha, sigma).score(x),
    atol=1e-6,
    unlike={
        "score of the clean data": -sigma * oracle.score(x),
        "signal not scaled": -sigma * oracle.noised(1.0, sigma).score(x),
    },
)

# %% [markdown]
# A sampler then starts from pure noise and follows the score to the data in many small steps. The price is those steps, one network evaluation each.
#
# ## 3. The map
#
# Three questions place almost any system: what is the **objective**, how does the **sampler** work, which **likelihood** is there?
#
# | paradigm | $p(x)$ is written as | objective | sampler | likelihood |
# |---|---|---|---|---|
# | autoregressive | $\prod_i p(x_i\mid x_{<i})$ | cross-entropy of the next token | sequential: one token after another | exact |
# | flow | $p_Z(f^{-1}(x))\,\lvert\det J_{f^{-1}}(x)\rvert$ | change of variables: negative log-likelihood | one-pass: a draw, pushed through $f$ | exact |
# | latent-variable | $\int p(x\mid z)\,p(z)\,dz$ | ELBO | one-pass: a draw, then the decoder | bound |
# | adversarial | $x=G(z)$, never written | minimax game | one-pass: a draw, then the generator | none |
# | score, diffusion | only $\nabla_x\log p_t(x)$ | denoising: mean square error of predicted noise | multi-step: a loop from noise to data | indirect, or a bound |
#
# Reading the map: what you *sample* cheaply you cannot always *evaluate*, and the other way round. The table gives each family's usual words; the instrument below knows others, too (section 7). It draws the map with
# the number of function evaluations (NFE: how often the network is evaluated for one sample) across and knowledge of $p(x)$ upwards. **Question:** set the sampler to "one-pass". Which likelihood leaves only one
# family, and which leave a choice of two? Then choose "encoder + latent denoiser + decoder" from the list: why are two entries lit?

# %% tags=["keep-output"]
widgets.paradigm_map()

# %% [markdown]
# <details><summary>Answer</summary>
#
# Four families can draw in one pass: flows, VAEs, GANs, and diffusion models that were trained to jump from noise to data (frontier, *few steps*). Only "exact" leaves one of them, the flow.
# "bound" leaves the VAE, and a flow that is asked about whole pixels (lesson 04). "none" leaves the GAN, and the diffusion model that jumps: it no longer walks the path that its
# likelihood came from. In both cases the objective decides: ELBO or change of variables, a game or distillation. The second system has two objectives, the ELBO for encoder and decoder and predicted noise
# for the denoiser between them, so it is a hybrid: 50 guided steps cost 100 evaluations, and the decoder one more.
# </details>
#
# ### One notation for the whole course
#
# | quantity | symbol | in code | note |
# |---|---|---|---|
# | data, noisy data, estimate of the data | $x_0,\ x_t,\ \hat x_0$ | `x0`, `x_t`, `x0_hat` | plain `x` when there is no noise |
# | time | $t$ | `t` | 0 is data; noise grows with $t$, in every lesson |
# | noise, predicted noise | $\epsilon,\ \hat\epsilon$ | `eps`, `eps_hat` | standard normal |
# | signal and noise scale | $\alpha_t,\ \sigma_t$ | `alpha`, `sigma` | $x_t=\alpha_t x_0+\sigma_t\epsilon$ |
# | DDPM's tables | $\beta_t,\ \bar\alpha_t$ | `betas`, `alphas_bar` | $\alpha_t^2=\bar\alpha_t$ |
# | score | $\nabla_x\log p(x)$ | `score` | slope of the log-density |
# | latent variable | $z$ | `z`, `mu`, `log_var` | prior $p(z)$, encoder $q(z\mid x)$, decoder $p(x\mid z)$ |
# | invertible map | $f$ | `log_det` | logarithm of $\lvert\det J\rvert$ |
# | generator and discriminator | $G,\ D$ | `generator_net`, `discriminator` | $D=\mathrm{sigmoid}(\text{logit})$ |
# | likelihood | $\log p(x)$ | `log_prob` | nats per example; `elbo` for a bound |
# | divergence | $\mathrm{KL}(p\,\Vert\,q)$ | `kl_...` | nats, never negative |
# | guidance | $w$ | `guidance_scale` | $w=1$ is plainly conditional |
# | random numbers | | `generator` | a seeded `torch.Generator`, always passed in |
#
# All logarithms are natural, so information is in **nats**. Formulas are for one example; a batch is an axis in front.

# %% [markdown]
# ## 4. What is the best that a model can do?
#
# For a model that knows its density, the expected $\log q(x)$ over data splits into a constant and a **Kullback-Leibler divergence**, which is
# never negative (lesson 03):
# $$\mathbb E_p\log q(x)=-H(p)-\mathrm{KL}(p\,\Vert\,q)\ \le\ -H(p).$$
# In expectation no model beats $-H(p)$, where $H$ is the **entropy** of the data; the average over a finite sample scatters around its
# expectation. We know our data, so we know that ceiling: integrate $-p\log p$ over the plane; or reason that eight equal, well-separated Gaussians have the entropy of one plus $\log 8$ for the choice. And the simplest model,
# one round Gaussian of the right variance $v$, is exactly this far below: $\mathbb E_p\log q=-\log(2\pi v)-1$.

# %%
points, cell = plane(3.2, 256)
log_p = ring.log_prob(points)
entropy = -(log_p.exp() * log_p).sum().item() * cell
check(
    "entropy: integral, and log 8 + one Gaussian",
    entropy,
    math.log(8) + math.log(2 * math.pi * math.e * 0.15**2),
    atol=2e-3,  # the eight overlap a little
    unlike={"the choice forgotten": math.log(2 * math.pi * math.e * 0.15**2)},
)

v = 1.5**2 / 2 + 0.15**2  # variance of each coordinate
log_q = Normal(0.0, math.sqrt(v)).log_prob(points).sum(1)
check(
    "one Gaussian: integral of p log q, and closed form",
    (log_p.exp() * log_q).sum().item() * cell,
    -math.log(2 * math.pi * v) - 1,
    unlike={
        "variance of the distance": -math.log(2 * math.pi * (1.5**2 + 2 * 0.15**2)) - 1
    },
)
one_gaussian = -math.log(2 * math.pi * v) - 1
print(f"ceiling {-entropy:.3f} nats, one Gaussian {one_gaussian:.3f} nats")


# %% [markdown]
# ## 5. From the equations to code
#
# Three of the five objectives fit in three lines each. Later lessons derive them; here you see what they look like as code: the **evidence
# lower bound** (ELBO) from one draw of noise, which is $\log p(x\mid z)$ minus the divergence of $q(z\mid x)$ from the prior; the generator's
# loss $-\log D$ on a logit $l$; and the diffusion loss, the squared error of the predicted noise.

# %%
def my_elbo(x, mu, log_var, eps, decoder_log_prob):
    z = mu + (log_var / 2).exp() * eps
    kl = 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(1)
    return decoder_log_prob(x, z) - kl


def my_generator_loss(logits):
    return -torch.log(1 / (1 + torch.exp(-logits)))


def my_ddpm_loss(eps_model, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean(1)


# %% [markdown]
# Each of them has a property that you can check without its formula. With the *exact* posterior as $q$, which we know for the example of way 2,
# the bound is tight: its average over the noise is $\log p(x)$. The generator's loss has the slope $-(1-D)$ in the logit, so a sample that the
# discriminator rejects is pushed hard. And for normal data $\mathcal N(0,s^2)$ the best guess of the noise is known, and so is its mean
# squared error, $\bar\alpha_t s^2/(\bar\alpha_t s^2+1-\bar\alpha_t)$. The package states the same equations once, with their sources and tests.

# %%
from genlab.adversarial import non_saturating_generator_loss
from genlab.latent import elbo
from genlab.score import alphas_bar_from_betas, ddpm_loss, linear_betas

g = make_generator(4)
eps, x_seen = torch.randn(50_000, 1, generator=g), torch.full((50_000, 1), 1.3)
mu, log_var = 2 * x_seen / 4.25, torch.full_like(eps, math.log(0.25 / 4.25))


def decoder(x, z):  # way 2
    return Normal(2 * z, 0.5).log_prob(x).sum(1)


values = my_elbo(x_seen, mu, log_var, eps, decoder)
check_close_mc(
    "ELBO with the exact posterior = log p(x)",
    values,
    math.log(closed_form),
    unlike={
        "the divergence forgotten": decoder(x_seen, mu + (log_var / 2).exp() * eps)
    },
)

# %%
logits = torch.linspace(-4, 4, 9, requires_grad=True)
(slope,) = torch.autograd.grad(my_generator_loss(logits).sum(), logits)
(other,) = torch.autograd.grad(torch.log(1 - torch.sigmoid(logits)).sum(), logits)
d = torch.sigmoid(logits)
check(
    "generator's loss: slope = -(1 - D)",
    slope,
    d - 1,
    unlike={"minimax log(1 - D)": other},
)

s, bar = 0.5, alphas_bar_from_betas(linear_betas(50))
t = torch.randint(50, (50_000,), generator=g)
x0 = s * torch.randn(50_000, 1, generator=g)


def best_guess(x, t):
    a = bar[t][:, None]
    return (1 - a).sqrt() * x / (a * s**2 + 1 - a)


losses = my_ddpm_loss(best_guess, x0, t, eps, bar)
check_close_mc(
    "diffusion loss of the best guess",
    losses,
    (bar * s**2 / (bar * s**2 + 1 - bar)).mean().item(),
    unlike={"alpha-bar for its root": my_ddpm_loss(best_guess, x0, t, eps, bar**2)},
)

# %%
theirs = elbo(x_seen, mu, log_var, eps, decoder_log_prob=decoder)
wrong = elbo(x_seen, mu, 2 * log_var, eps, decoder_log_prob=decoder)
check(
    "my ELBO, and the package's", values, theirs, unlike={"std = exp(log_var)": wrong}
)
theirs = ddpm_loss(best_guess, x0, t, eps, alphas_bar=bar)
wrong = ddpm_loss(best_guess, x0, t, eps, alphas_bar=bar**2)
check(
    "my diffusion loss, and the package's", losses, theirs, unlike={"alpha-bar": wrong}
)
theirs, wrong = (
    non_saturating_generator_loss(logits),
    -non_saturating_generator_loss(-logits),
)
check(
    "my generator's loss, and the package's",
    my_generator_loss(logits),
    theirs,
    unlike={"minimax log(1 - D)": wrong},
)
show_source(ddpm_loss)

# %% [markdown]
# ## 6. One distribution, learned five ways
#
# Now the data: 10,000 points of the ring for training, and fresh ones to measure with. Every model gets networks of two or three hidden layers
# of 64 to 128 units and a few seconds. `lesson_01.learn` makes a model and the run that trains it. The five share the data, the seed and the
# machine. They differ in their objective, and also in what was tuned by hand for each: networks, number of steps, batch size, learning rate,
# and for the GAN a penalty and other settings of the optimiser. The table that the cell prints comes from `lesson_01.RECIPES`.

# %%
torch.set_default_dtype(torch.float32)
g = make_generator(1)
data, held_out, reference = (
    ring.sample(n, generator=g) for n in (10_000, 2_000, 4_000)
)
models, records = {}, {}


def train(name):
    """Train one of the five, with a bar and a live curve."""
    models[name], run = lesson_01.learn(name, data)
    recipe = lesson_01.RECIPES[name]
    label, often = f"loss / {recipe.unit}", recipe.n_steps // 10
    records[name] = widgets.watch(run, recipe.n_steps, label=label, every=often)


for recipe in lesson_01.RECIPES.values():
    sizes = f"{recipe.n_steps:5d} steps of {recipe.batch_size} points, rate {recipe.lr}"
    print(f"{recipe.title:22s} {sizes}")

# %% [markdown]
# **Autoregressive.** The variables are the two coordinates, each cut into 64 bins. One network with a softmax gives $p(x_1)$ and then
# $p(x_2\mid x_1)$. The loss is $-\log p(x_1)-\log p(x_2\mid x_1)$.

# %%
train("autoregressive")

# %% [markdown]
# **Flow.** Four invertible layers, each bending one coordinate by a spline that depends on the other. The loss is $-\log p(x)$ by the change
# of variables.

# %%
train("flow")

# %% [markdown]
# **Latent-variable.** A **variational autoencoder** (VAE) with two latent numbers. The loss is $-\mathrm{ELBO}$.

# %%
train("vae")

# %% [markdown]
# **Adversarial.** Two networks and two losses that pull against each other, with a penalty on the discriminator's slope (lesson 08). Do not
# look for progress in these curves. At the equilibrium the discriminator says $D=\tfrac12$ everywhere, so its loss is $\log 4\approx1.386$ and
# the generator's $\log 2\approx0.693$. A discriminator that has learned nothing says the same, and has the same losses.

# %%
train("gan")

# %% [markdown]
# **Diffusion.** One network that is shown a noisy point and one of 100 noise levels, and predicts the noise. The loss is a mean squared error.

# %%
train("diffusion")

# %% [markdown]
# Five losses, and only the first two can be compared: nats, nats of a *bound*, nats of a *game*, a mean squared error. That is why the next
# cell does not compare losses. It asks each model the same three questions, without knowing which model it is:
#
# - **evaluations** (NFE): a hook on every layer counts how often the network is used while a batch of samples is made;
# - **likelihood**: `log_likelihood(model, x)` returns the values *together with their kind*, and raises for a model that has none;
# - **distance**: the energy distance $2\,\mathbb E\lVert x-y\rVert-\mathbb E\lVert x-x'\rVert-\mathbb E\lVert y-y'\rVert$ between 4,000 samples
#   and 4,000 fresh data points, which needs samples only.

# %%
rows = {
    name: lesson_01.measure(model, held_out, reference, generator=g)
    for name, model in models.items()
}
noise_floor = energy_distance(ring.sample(4_000, generator=g), reference).item()

print(f"{'model':24s} {'NFE':>6s}   {'log-likelihood / nats':24s} distance")
for name, row in rows.items():
    title, likelihood = lesson_01.RECIPES[name].title, row.likelihood_text
    print(f"{title:24s} {row.passes:6d}   {likelihood:24s} ~{row.distance:.4f}")
ceiling = f"{-entropy:.2f} {'(ceiling)':18s}"
print(f"{'the data itself':24s} {'':6s}   {ceiling} ~{noise_floor:.4f}")

# %%
round_one = math.sqrt(v) * torch.randn(4_000, 2, generator=g)
simple = {"one Gaussian": Normal(0.0, math.sqrt(v)).log_prob(held_out).sum(1).mean()}
check(
    "evaluations, counted and from the sampler's recipe",
    [row.passes for row in rows.values()],
    [held_out.shape[1], 1, 1, 1, len(models["diffusion"].alphas_bar)],
    unlike={"one for every model": np.ones(5)},
)
for name, low, high in (
    ("autoregressive", -1.25, -1.12),
    ("flow", -1.28, -1.12),
    ("vae", -2.2, -1.8),
    ("diffusion", -1.6, -1.25),
):
    label = f"{name}: {rows[name].kind} log-likelihood"
    check_range(label, rows[name].log_likelihood, low, high, unlike=simple)
check_range(
    "largest distance of the five",
    max(row.distance for row in rows.values()),
    0.0,
    0.03,
    unlike={"one Gaussian": energy_distance(round_one, reference)},
)
try:
    log_likelihood(models["gan"], held_out)
except NoLikelihoodError as error:
    print(f"GAN: {error}")

# %% [markdown]
# Read the table as an illustration and not as a ranking of families: each recipe was tuned by hand for this one ring, for a few seconds of
# training, and run with one seed. What does not depend on the tuning are the network evaluations and the kinds of likelihood.
#
# Here is the whole lesson in one picture. Above, samples; in the middle, all that the model can say about $p(x)$; below, the numbers.

# %%
figure = draw_first_map(ring, models, rows)
figure.set_size_inches(11.2, 4.7)
show(
    figure,
    "The data, a ring of eight blobs, and five models. Above, samples: the VAE's and "
    "the GAN's blobs are joined by bridges. In the middle, two exact densities, the "
    "exponential of a bound, none for the GAN, and the slope of log p for diffusion. "
    "Below, evaluations, log-likelihood and distance to the data.",
)

# %% [markdown]
# Look for the signatures, because you will meet them again at every scale:
#
# - The *autoregressive* density is made of cells: it is constant within a bin, and its value there is exact.
# - The *flow* has a density that is normalised and positive everywhere. The space between the islands is nearly empty, not empty; the
#   steeper the map may be, the emptier it gets (lesson 04).
# - The *VAE* spreads: its samples are the decoder's mean plus a Gaussian, so what it cannot explain becomes **blur**.
# - The *GAN* draws **sharp** points, in places sharper than the data, with clear **bridges** from island to island, and it cannot say
#   anything about a point you show it.
# - *Diffusion* has a field of arrows that lead to the ring, and samples along bridges, too. It needs 100 evaluations to follow the arrows.
#
# ### Watch them work
#
# The slider shows each sampler's state after the same *fraction* of its network evaluations. **Question:** after half of them, which of the five
# already resembles the data, and which has drawn one coordinate and not yet the other?

# %% tags=["keep-output"]
widgets.five_samplers(models)

# %% [markdown]
# <details><summary>Answer</summary>
#
# None of them. The flow, the VAE and the GAN have a single evaluation, and half of it does not count. The autoregressive model has drawn $x_1$, with the
# right spread, and not yet $x_2$. The diffusion model, after 50 of 100 evaluations, still shows a cloud: at that level the ring is scaled by 0.45 and
# buried in noise of standard deviation 0.9. Its clusters come apart in the last fifth of the evaluations.
# </details>
#
# ## 7. It fails
#
# Each paradigm pays for its strength somewhere. Here are four failures, produced on purpose and measured.
#
# ### Autoregressive: the longer, the slower
#
# Two coordinates cost two evaluations. A text of $n$ tokens costs $n$, and no amount of hardware makes the last token independent of the one
# before. We count for a small (untrained) transformer:

# %%
from genlab.autoregressive.lm import TransformerLM
from genlab.nn.transformer import TransformerConfig

torch.manual_seed(0)
sizes = TransformerConfig(d_model=16, n_layer=1, n_head=2, n_kv_head=2, d_hidden=32)
lengths = [4, 8, 16, 32, 64]
counted = []
for n in lengths:
    writer = TransformerLM(n_tokens=10, length=n, config=sizes)
    counted.append(network_passes(writer, lambda w=writer: w.sample(2, generator=g)))
check(
    "evaluations for texts of 4, 8, 16, 32, 64 tokens",
    counted,
    lengths,
    unlike={"one for any length": np.ones(5)},
)

# %% [markdown]
# ### Latent-variable: the bound is below the likelihood
#
# Our VAE has two latent numbers, so for once its integral can be done: a lattice of 40,000 values of $z$ gives $\log p(x)$ itself. Then the
# distance of the reported $-2.0$ from the ceiling splits into what the *model* lacks and what the *bound* lacks. As a second route, the
# importance-weighted bound of lesson 05 with 2,000 draws of $z$ must come close to the lattice from below. And now that the VAE has a value of
# the same kind as the autoregressive model's, we can compare the two, point by point.

# %%
vae, some = models["vae"], held_out[:1_000]
lattice, cell = plane(6.0, 200)
with torch.no_grad():
    centres, scale = vae.decoder(lattice), vae.log_scale.exp()
    log_prior = Normal(0.0, 1.0).log_prob(lattice).sum(1)
    blocks = [
        (log_prior - torch.cdist(x, centres) ** 2 / (2 * scale**2)).logsumexp(1)
        for x in some.split(20)
    ]
    values = torch.cat(blocks) + math.log(cell) - torch.log(2 * torch.pi * scale**2)
    bounds = torch.stack([vae.elbo(some, generator=g) for _ in range(50)]).mean(0)
    tighter = vae.importance_bound(some[:200], 2_000, generator=g)
    other = models["autoregressive"].log_prob(some)

best, exact, bound = (v.mean().item() for v in (ring.log_prob(some), values, bounds))
print(f"the VAE: exact ~{exact:.2f}, bound ~{bound:.2f}; ceiling here {best:.2f}")

# %%
check_range(
    "lattice - importance-weighted bound",
    (values[:200] - tighter).mean(),
    -0.02,
    0.1,
    unlike={"lattice - ELBO": (values - bounds).mean()},
)
check_range(
    "the bound's part of the distance to the ceiling",
    (exact - bound) / (best - bound),
    0.5,
    0.8,
    unlike={
        "2,000 draws": (values[:200] - tighter).mean()
        / (ring.log_prob(some[:200]) - tighter).mean()
    },
)
ahead = other - values
check_range(
    "autoregressive - VAE, both exact",
    ahead.mean(),
    0.1,
    0.4,
    unlike={"the bound taken for the value": (other - bounds).mean()},
)
error = ahead.std() / math.sqrt(len(some))
print(f"    ... with a standard error of ~{error:.2f} nats")

# %% [markdown]
# So this is the answer to question 3. From $-2.0$ alone you cannot tell, because it is a bound. The lattice can: yes, the VAE is worse than
# the model that reports $-1.2$, but by little more than 0.2 nats and not by 0.8. The other 0.6 nats, more than half of its distance to the
# ceiling, belong to the bound and not to the model.
#
# ### Adversarial: lost modes
#
# One number of the optimiser is changed: its momentum, from 0 to the usual 0.9. Data, networks and objective stay the same, and there is no
# penalty in either run. We count the clusters that receive at least 2 % of the samples within three standard deviations of their centre.
# A shapeless cloud passes that test, too: one Gaussian of the data's size reaches all eight, and so does a bare ring through their centres. So
# we also ask which fraction of all samples lies that close to a centre. Each setting is run with three seeds.

# %%
from genlab.train import fit_adversarial, minibatches


def coverage(x):
    """Clusters that are reached, and the fraction of samples that lie in a cluster."""
    distance, nearest = torch.cdist(x, ring.means.float()).min(1)
    counts = torch.bincount(nearest[distance < 0.45], minlength=8)
    return int((counts >= 0.02 * len(x)).sum()), float((distance < 0.45).float().mean())


def play(momentum, seed, n_steps=600):
    torch.manual_seed(seed)
    gan, noise = lesson_01.gan(gamma=0.0), make_generator(seed)
    batches, betas = minibatches(data, 250, generator=noise), (momentum, 0.99)
    last(
        fit_adversarial(
            gan, batches, n_steps=n_steps, lr=1e-3, betas=betas, generator=noise
        )
    )
    return gan.sample(2_000, generator=noise)


# %%
collapsed, steady = ([play(m, seed) for seed in (5, 6, 7)] for m in (0.9, 0.0))
modes, inside = {}, {}
clouds = {"momentum 0.9": collapsed, "no momentum": steady}
angle = torch.linspace(0, 2 * math.pi, 4_001)[1:]
ring_only = 1.5 * torch.stack([angle.cos(), angle.sin()], 1)
clouds |= {"one Gaussian": [round_one], "bare ring": [ring_only]}
clouds |= {"the data": [reference]}
for name, runs in clouds.items():
    modes[name], inside[name] = zip(*map(coverage, runs), strict=True)
    shares = ", ".join(f"~{f:.2f}" for f in inside[name])
    print(f"{name:13s} clusters reached {modes[name]}, fraction in one {shares}")
check_range(
    "clusters of 8, momentum 0.9, best of three",
    max(modes["momentum 0.9"]),
    0,
    5,
    digits=0,
    unlike={"no momentum": min(modes["no momentum"])},
)
check_range(
    "samples in a cluster, no momentum, worst",
    min(inside["no momentum"]),
    0.8,
    1.0,
    unlike={
        "bare ring": max(inside["bare ring"]),
        "one Gaussian": max(inside["one Gaussian"]),
    },
)

# %% [markdown]
# So the loss is not to blame: at the equilibrium of the game all clusters are covered, and with the same loss the other optimiser comes close
# to it. What loses the clusters is the *dynamics*: two players who overshoot chase each other around the equilibrium, and the generator's
# points become a streak that sweeps through a few clusters and beyond (first panel of the next figure). With more steps some of these runs
# recover, and some do not. Lessons 07 and 08 look for remedies, of which the penalty of section 6 is one.

# %% [markdown]
# ### Diffusion: too few steps
#
# The network is the same; only the number of steps changes. The deterministic sampler DDIM (lesson 13) jumps over levels, the ancestral one
# adds fresh noise at each step.

# %%
from genlab.score import ddim_sample, ddim_timesteps

diffusion = models["diffusion"]
start, fresh = torch.randn(2_000, 2, generator=g), reference[:2_000]
counts = [1, 2, 5, 10, 20, 50]
quality = {"DDIM": [], "with fresh noise": []}
few = {}
for n in counts:
    for label, eta in (("DDIM", 0.0), ("with fresh noise", 1.0)):
        steps = ddim_sample(
            diffusion.eps_net,
            start,
            ddim_timesteps(100, n),
            alphas_bar=diffusion.alphas_bar,
            eta=eta,
            generator=make_generator(5),
        )
        few[label, n] = last(steps)
        quality[label].append(energy_distance(few[label, n], fresh).item())

check_range(
    "DDIM: distance with 2 steps / with 50",
    quality["DDIM"][1] / quality["DDIM"][5],
    30,
    1000,
    digits=0,
    unlike={"with 20 / with 50": quality["DDIM"][4] / quality["DDIM"][5]},
)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 4, figsize=(11.0, 3.2), width_ratios=[1, 1, 1, 1.6])
pictures = {
    "GAN, momentum 0.9": (collapsed[0], COLOURS["gan"]),
    "GAN, no momentum": (steady[0], COLOURS["gan"]),
    "diffusion, 2 steps": (few["DDIM", 2], COLOURS["diffusion"]),
}
for ax, (title, (points, colour)) in zip(axes, pictures.items(), strict=False):
    ax.plot(*ring.means.T, "o", markersize=13, mfc="none", markeredgecolor="#BBBBBB")
    ax.plot(*points.T, ".", markersize=2, alpha=0.5, color=colour)
    outside = float((points.abs() > 2.6).any(1).float().mean())
    ax.set(xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), xticks=[], yticks=[], aspect="equal")
    ax.set(title=title, xlabel=f"outside the frame: {outside:.0%}")
for (label, values), style in zip(quality.items(), ("o-", "s:"), strict=True):
    colour = COLOURS["diffusion"]
    axes[3].loglog(counts, values, style, label=f"diffusion, {label}", color=colour)
for name in ("autoregressive", "flow", "vae", "gan"):
    at = rows[name].passes, rows[name].distance
    axes[3].plot(*at, "*", markersize=13, color=COLOURS[name], label=name)
grey = {"color": "#888888", "linewidth": 1, "linestyle": "--"}
axes[3].axhline(noise_floor, **grey, label="two samples of the data")
axes[3].set(xlabel="network evaluations a sample", ylabel="energy distance to the data")
axes[3].legend(fontsize=7.5, ncols=2, loc="lower center", bbox_to_anchor=(0.45, 1.0))
show(
    figure,
    "Three clouds over eight circles, the data's blobs: a GAN with momentum 0.9, "
    "collapsed to a band at the top, one without, on the whole ring, and two steps of "
    "diffusion, a lump in the middle. Right: the distance of diffusion falls with the "
    "evaluations, from 0.4 to 0.003; the flow and the autoregressive model are lower, "
    "with 1 and 2 evaluations.",
)

# %% [markdown]
# The right panel is the trade-off in one curve: the models that need one or two evaluations stand at the left edge, and the diffusion model comes
# closer to the data the more evaluations you allow. Where the stars and the curve stand depends on this data, these networks and this noise schedule.
#
# ### Four borderline cases of the map
#
# **Energy-based models** get a lesson (10) but no row: an energy $E=-\log p+\text{const}$ is a density without its constant, and what one uses
# of it is its slope. They belong with the score models.
#
# **Not every flow samples in one pass.** Coupling flows do. A masked autoregressive flow (MAF) evaluates in one pass and samples in $d$:

# %%
from genlab.flow import MAF, masked_flow

counted = []
for d in (2, 5, 9):
    maf = masked_flow(MAF, d, n_layers=2, width=16)
    evaluating = network_passes(maf, lambda m=maf, n=d: m.log_prob(torch.zeros(3, n)))
    counted.append(
        [evaluating, network_passes(maf, lambda m=maf: m.sample(3, generator=g))]
    )
check(
    "MAF in 2, 5, 9 dimensions: evaluate 1, sample d",
    counted,
    [[1, 2], [1, 5], [1, 9]],
    unlike={
        "one pass both ways": np.ones((3, 2)),
        "d both ways": [[d, d] for d in (2, 5, 9)],
    },
)

# %% [markdown]
# **A diffusion model has a likelihood, too.** Above, the ancestral chain reported a *bound*. And in the limit of many steps the deterministic
# sampler is an invertible map from noise to data, so the formula for flows applies to it and gives an *exact* value, at the cost of many evaluations
# (lesson 14). For Gaussian data with its exact noise prediction the map is linear, $x_0=c\,x_T$, and the formula can be followed by hand:

# %%
torch.set_default_dtype(torch.float64)
s, bar = 0.5, alphas_bar_from_betas(linear_betas(4000, first=2.5e-5, last=5e-3))


def exact_eps(x, t):
    a = bar[t][:, None]
    return (1 - a).sqrt() * x / (a * s**2 + 1 - a)


c = last(
    ddim_sample(exact_eps, torch.ones(1, 1), ddim_timesteps(4000, 4000), alphas_bar=bar)
).item()
x_seen = torch.tensor(0.7)
noise_law = Normal(0.0, (bar[-1] * s**2 + 1 - bar[-1]).sqrt())
through_the_sampler = noise_law.log_prob(x_seen / c) - math.log(c)
check(
    "log p by the sampler's own map, and of N(0, 1/4)",
    through_the_sampler,
    Normal(0.0, s).log_prob(x_seen),
    atol=2e-3,  # 4,000 steps are not infinitely many
    unlike={"the stretch c forgotten": noise_law.log_prob(x_seen / c)},
)
torch.set_default_dtype(torch.float32)


# %% [markdown]
# The chain with its bound and the map with its exact value are two different distributions that share one network. This course makes them
# different objects, so that nobody reports the likelihood of one for the samples of the other.
#
# **Not every diffusion model needs many steps.** A student can be trained to jump from noise to data in one evaluation (frontier, *few steps*). Its samples come from neither the chain nor the map, so it has neither
# likelihood. By its sampler and its likelihood it stands where the GAN stands; only the objective tells the two apart.
#
# ## 8. Your predictions
#
# 1. *Network evaluations:* 2, 1, 1, 1 and 100, counted by the hook. The autoregressive count grows with the length, the diffusion count with the steps, the
#    other three stay at one.
# 2. *Density:* exact for two, a bound for two, none for the GAN, whose object has no method that would return one.
# 3. *Minus two against minus one point two:* the first is a bound, so the two numbers alone do not order the models. The VAE's exact value, from
#    the lattice, does: it is worse, by a little over 0.2 nats and not by 0.8.
# 4. *Modes:* with the usual momentum few of the eight, although full coverage is the game's equilibrium. Two players who each descend their own
#    loss need not arrive there.

# %% [markdown]
# ## 9. Exercises
#
# Fill in the answers and run the cells again. `course.exercise` says whether you are right and, if not, which mistake it recognises;
# `course.hint("01.bayes")` gives up to three hints. An untouched exercise says *not attempted* and breaks nothing.
#
# **Exercise 1 (compute).** Write $p(y\mid x)$ from a table of the joint whose rows are $x$.

# %%
def p_y_given_x(joint, x):
    return ...


course.exercise("01.bayes", p_y_given_x)


# %% [markdown]
# **Exercise 2 (compute).** $z$ has finitely many values with probabilities `prior`; `likelihood` holds $p(x\mid z)$ for the $x$ that was seen.
# Write $\log p(x)$.

# %%
def log_marginal(prior, likelihood):
    return ...


course.exercise("01.marginal", log_marginal)


# %% [markdown]
# **Exercise 3 (derive).** Write the score of $\mathcal N(\text{mean},\text{std}^2)$ at $x$.

# %%
def score(x, mean, std):
    return ...


course.exercise("01.score", score)

# %% [markdown]
# **Exercise 4 (place).** Five descriptions:
#
# (a) an audio model that predicts each sample from the samples before it; 256 samples are wanted;
# (b) a network that squeezes a 256 x 256 image to 64 numbers and back, trained on reconstruction plus a KL term;
# (c) a network from 512 numbers to a 1024 x 1024 face, trained against a discriminator;
# (d) a network that removes noise in 50 steps, each guided (asked with and without the condition);
# (e) an encoder, then (d) on the encoder's code, then a decoder.
#
# Name the family of each; decompose (e) into the families of its stages; count the network evaluations for one new output of each.

# %%
# each of them AR, VAE, GAN, diffusion, flow or hybrid
families = None  # for example ("AR", "AR", "AR", "AR", "AR")
stages_of_e = None  # a set of names
passes = None  # a list of five whole numbers

course.exercise("01.classify", families)
course.exercise("01.hybrid", stages_of_e)
course.exercise("01.passes", passes)

# %% [markdown]
# **Exercise 5 (choose).** Which family for (a) an avatar app that must answer within 50 milliseconds; (b) ranking sentences by how probable they
# are; (c) images from text, where quality comes first and a few seconds may pass?

# %%
choices = None  # a list of three names

course.exercise("01.choose", choices)

# %% [markdown]
# ## 10. Quiz

# %% tags=["keep-output"]
widgets.quiz(1)

# %% [markdown]
# ## Summary
#
# 1. A generative model learns $p(x)$ or $p(x\mid c)$; $p(y\mid x)$ does not determine it.
# 2. We ask it to sample, to evaluate and to condition. No paradigm is best at all three.
# 3. Chain rule: exact likelihood, one network evaluation for each variable.
# 4. Latent variable: one evaluation, a lower bound on the likelihood.
# 5. Only a sampler: one evaluation, a game for an objective, no likelihood.
# 6. Only the slope: noise prediction for an objective, many evaluations, a bound or an indirect likelihood.
# 7. Flows: an invertible sampler, exact likelihood, one evaluation (for couplings).
# 8. Objective, sampler, likelihood: three questions place a system. Two objectives mean a hybrid.
# 9. No expected log-likelihood exceeds minus the entropy of the data. A bound may lie far below the likelihood of its model.
# 10. Losses of different paradigms have different units. Compare likelihoods *of the same kind*, or samples.
#
# **Cheat sheet.** AR: $\prod_i p(x_i\mid x_{<i})$, NFE $n$, exact. Flow: $\lvert\det J\rvert$, NFE 1, exact. VAE: ELBO, NFE 1, bound. GAN: game,
# NFE 1, none. Diffusion: $\lVert\epsilon-\epsilon_\theta\rVert^2$, NFE $S$, bound or ODE.
#
# **What production systems add.** Scale by a factor of a million; text and images in place of points, hence transformers and U-Nets in place of
# our small networks (lessons 02, 12); and hybrids: a compressor in front of a diffusion model, a language model that writes the condition
# (lesson 15). The objectives are the ones that you trained here.
#
# **Where this map is filled.** [Lesson 15](15_four_paradigm_landscape.ipynb) puts every model of the course on it by measurement, and asks
# your four questions again, of finished models. Keep your answers until then.
#
# ## Sources
#
# - Stanford CS236, *Deep Generative Models*, lecture 1; Berkeley CS294-158, spring 2024, lecture 1: the questions and the families.
# - Uria et al. 2016, *Neural autoregressive distribution estimation* (arXiv:1605.02226), eq. 1: the chain rule as a model.
# - Kingma and Welling 2013, *Auto-encoding variational Bayes* (arXiv:1312.6114), eq. 3: the ELBO.
# - Goodfellow et al. 2014, *Generative adversarial nets* (arXiv:1406.2661), eq. 1: the game. Mescheder et al. 2018 (arXiv:1801.04406), eq. 9:
#   the penalty.
# - Rezende and Mohamed 2015, *Variational inference with normalizing flows* (arXiv:1505.05770), eq. 5: change of variables.
# - Ho, Jain and Abbeel 2020, *Denoising diffusion probabilistic models* (arXiv:2006.11239), eq. 5 and 14: bound and loss. Song, Meng and Ermon
#   2020, *DDIM* (arXiv:2010.02502), eq. 12.
# - Szekely and Rizzo 2013, *Energy statistics*, eq. 5: the distance.
