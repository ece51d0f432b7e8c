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
# # 05 · Latent variables and the ELBO
#
# **After this lesson you will be able to**
#
# - *derive* the bound, its split into reconstruction and divergence, and its gap, and verify all three where everything can be enumerated;
# - *compute* the gap exactly for probabilistic PCA, and say for which $q$ it vanishes;
# - *run* EM and see it as climbing one bound in two directions;
# - *tighten* the bound with many draws, and say what that does to its gradient;
# - *explain* why an ELBO is not a likelihood, and *measure* whether a model uses its latent at all.
#
# About 120 minutes to read, about 15 seconds to run. You need lesson 03 (the KL divergence) and bits per dimension from lesson 02.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import itertools
import math
from fractions import Fraction

import matplotlib.pyplot as plt
import torch
from matplotlib.patches import Ellipse
from torch import nn

import genlab_course as course
from genlab import latent
from genlab_course import widgets
from genlab.core import bits_per_dim, entropy, kl_categorical, last
from genlab.core import log_likelihood, normal_log_prob
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import film, show, show_images
from genlab.data.digits import load_digits
from genlab.oracles import Gaussian, GaussianMixture, LinearLatent
from genlab.oracles.continuous import kl_gaussian
from genlab.train import Record, cosine, fit, minibatches

course.begin(lesson=5)
# exact numbers first; training will switch to float32
torch.set_default_dtype(torch.float64)
course.draw_map(lesson=5, slim=True)

# %% [markdown]
# So far you have written the density of $x$ down: token by token, or as a bent Gaussian. Both know $\log p(x)$ exactly. (On our map
# autoregressive models and flows are two families of one paradigm, that of exact likelihood. **Latent-variable models** are the second paradigm.)
# Now you will explain $x$ by something nobody observed, and the price is that $\log p(x)$ slips out of reach. What you can still compute is
# the **evidence lower bound (ELBO)**; with networks on both sides of it the model is called a **variational autoencoder (VAE)**, the subject of lesson 06.
#
# ## Predict first
#
# Write your answers down. Each question returns, with a number.
#
# 1. The true posterior probability of $z=1$ is $0.8$; somebody guesses $0.7$. What does the bound lose: about 0.3, 0.03 or 0.003 nats?
# 2. On the same images model A has an ELBO of $-100$ nats and model B of $-101$. Which gives the images the higher probability?
# 3. You replace one draw by 64 and the bound becomes tighter. Does the gradient that trains $q$ become better or worse?
# 4. Can a model be at the maximum of its likelihood, with a perfectly tight bound, and still ignore $z$?

# %% [markdown]
# ## 1. Something nobody observed
#
# **Step 1. Tell a story and sum over its beginnings.** Draw a hidden cause $z\sim p(z)$, then what you see, $x\sim p(x\mid z)$. That is also
# the sampler, and it is all there is to sampling. The probability of $x$ adds up every way in which it could have come about:
# $$p(x)=\sum_z p(z)\,p(x\mid z)\qquad\text{or}\qquad p(x)=\int p(z)\,p(x\mid z)\,dz .$$
#
# The smallest case has a binary $z$ with prior $\tfrac12,\tfrac12$, a binary $x$, and a decoder that says how probable $x=1$ is under each $z$. We
# see $x=1$. Four small examples, called rows 1 to 4, will return in each step: two decoders, and for each of them a guess $q(z{=}1)$ and the right answer.

# %%
# p(1|0), p(1|1), q(1)
ROWS = [(0.2, 0.8, 0.7), (0.2, 0.8, 0.8), (0.3, 0.9, 0.6), (0.3, 0.9, 0.75)]
likelihood = torch.tensor([[p0, p1] for p0, p1, _ in ROWS])
prior = torch.tensor([0.5, 0.5])
q = torch.tensor([[1 - q1, q1] for *_, q1 in ROWS])
log_joint = likelihood.log() + prior.log()  # log p(x = 1, z), one column for each z

half, tenth = Fraction(1, 2), Fraction(1, 10)
by_hand = [half * 2 * tenth + half * 8 * tenth] * 2 + [
    half * 3 * tenth + half * 9 * tenth
] * 2
log_px = latent.log_marginal(log_joint)
check(
    "log p(x=1) of the four rows, by exact fractions",
    log_px,
    [math.log(f) for f in by_hand],
    unlike={"prior forgotten": likelihood.sum(1).log()},
)

# %% [markdown]
# Which cause was it? Bayes' rule divides one way by all ways: $p(z\mid x)=p(x,z)/p(x)$. The second route uses no formula: it tells the story
# 200,000 times, keeps the runs that ended in $x=1$, and counts their causes.

# %%
posterior = latent.discrete_posterior(log_joint)
generator = torch.Generator().manual_seed(5)
for row in (0, 2):
    z = (torch.rand(200_000, generator=generator) < 0.5).long()
    x = torch.rand(200_000, generator=generator) < likelihood[row, z]
    check_close_mc(
        f"row {row + 1}: posterior of z=1, by counting",
        z[x].double(),
        posterior[row, 1].item(),
        unlike={"all runs counted": z.double()},
    )


# %% [markdown]
# **Step 2. Why this sum is a wall.** Two values of $z$ are two decoder calls. Ten latents with eight values each are $8^{10}$, a billion. Could
# you average $p(x\mid z)$ over draws from the prior instead? The average is unbiased, but almost every draw explains *this* $x$ badly. Take $k$
# latents with $x_j=z_j+\tfrac12\epsilon_j$, $\epsilon_j\sim\mathcal N(0,1)$, and an $x$ one standard deviation from the centre in each coordinate. The
# relative mean square of one draw, $\mathbb E\,p(x\mid z)^2/p(x)^2$, is a product over coordinates, $r^k$; so $n$ draws leave a relative error of
# $\sqrt{(r^k-1)/n}$. The closed form of $r$ (a square of a normal density is a normal density again) is checked by integrating over $z$:

# %%
def normal(x, variance):
    return math.exp(-(x**2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)


s, x1 = 0.5, math.sqrt(1 + 0.5**2)  # noise, and one standard deviation of x
r = normal(x1, 1 + s**2 / 2) / (2 * s * math.sqrt(math.pi) * normal(x1, 1 + s**2) ** 2)
grid = torch.linspace(-12, 12, 20_001)
p_z = torch.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)
p_xz = torch.exp(-((x1 - grid) ** 2) / (2 * s**2)) / math.sqrt(2 * math.pi) / s
second, first = torch.trapezoid(p_z * p_xz**2, grid), torch.trapezoid(p_z * p_xz, grid)
check(
    "r = E[p(x|z)^2] / p(x)^2",
    r,
    second / first**2,
    unlike={"square of the mean": torch.trapezoid(p_z * p_xz, grid) ** 2 / first**2},
)
for k in (1, 5, 10, 20, 40):
    draws = (r**k - 1) / 0.1**2
    print(f"latents: {k:2d}   prior draws for p(x) within 10 %: {draws:9.3g}")

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.2))
left.plot(grid, p_z, label="prior p(z)")
left.plot(grid, p_xz, label="p(x|z), x given")
left.plot(grid, p_z * p_xz / first, label="posterior p(z|x)")
left.set(
    xlim=(-3.5, 3.5),
    xlabel="z",
    ylabel="density",
    title="most prior draws explain x badly",
)
left.legend(loc="upper left", fontsize=9)
ks = torch.arange(1, 41)
right.semilogy(ks, (r**ks - 1) / 0.01)
title = "the draws for 10 % accuracy explode"
right.set(xlabel="number of latents k", ylabel="prior draws", title=title)
show(
    figure,
    "Left: densities over z; the wide prior is centred at 0, the narrow likelihood "
    "and posterior lie near 1. Right: on a logarithmic axis the prior draws needed "
    "rise along a straight line from about a hundred for one latent to nearly 1e18 "
    "for forty.",
)

# %% [markdown]
# Forty latents is a small VAE. We need draws that know about $x$.
#
# ## 2. The bound, in four steps
#
# **Step 3. Draw from a guess, and correct.** Let $q(z\mid x)$ be a distribution that you can draw from and that excludes no $z$ which could have
# made $x$: $q>0$ wherever $p(x,z)>0$. Multiply and divide by it: the sum becomes an average of *weights*,
# $$p(x)=\sum_z q(z\mid x)\,\underbrace{\frac{p(x,z)}{q(z\mid x)}}_{w(z)}=\mathbb E_q\,w .$$
# Nothing is lost yet. (If $q$ does exclude some $z$, their part of the sum is missing: $\mathbb E_q\,w<p(x)$, and the bound below still holds.) But you want $\log p(x)$, and the logarithm bends downwards: the log of an average is at least the average of the logs
# (Jensen's inequality). So
# $$\log p(x)=\log\mathbb E_q\,w\;\ge\;\mathbb E_q\log w=:\mathrm{ELBO}(q).$$
# The picture is row 1. Its two weights are $\tfrac13$ and $\tfrac47$; the chord at their mean lies below the curve, and the vertical distance is
# what the exchange of log and average costs.

# %%
weights = (log_joint - q.log()).exp()
check(
    "E_q w = p(x), every row",
    (q * weights).sum(1),
    [float(f) for f in by_hand],
    unlike={"weights without the prior": (q * likelihood / q).sum(1)},
)
surely_one = torch.tensor([0.0, 1.0])  # a q that excludes z = 0
covered = (surely_one * (log_joint[0].exp() / surely_one).nan_to_num(posinf=0.0)).sum()
check(
    "q = (0, 1): E_q w is only p(x, z=1)",
    covered,
    float(half * 8 * tenth),
    unlike={"p(x)": log_px[0].exp()},
)
elbo = (q * weights.log()).sum(1)  # the average of the logs
check(
    "row 1 by hand: .3 log(1/3) + .7 log(4/7)",
    elbo[0],
    0.3 * math.log(1 / 3) + 0.7 * math.log(4 / 7),
    unlike={"log of the average": log_px[0]},
)

# %% jupyter={"source_hidden": true}
curve = torch.linspace(0.25, 0.7, 200)
figure, (ax, close) = plt.subplots(1, 2, figsize=(9.5, 3.6))
gap = f"gap, {log_px[0] - elbo[0]:.3f} nats"
for panel in (ax, close):
    panel.plot(curve, curve.log(), label="log w")
    label = "chord between the two weights"
    panel.plot(weights[0], weights[0].log(), "o--", label=label)
    look = {"color": "#D55E00", "linewidth": 4, "linestyle": "-"}
    panel.vlines(0.5, elbo[0], log_px[0], label=gap, **look)
    panel.set(xlabel="weight w", ylabel="nats")
ax.set(title="Jensen, row 1: the log lies above its chord")
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
close.set(xlim=(0.45, 0.55), ylim=(-0.84, -0.58), title="the same at E w = 1/2, closer")
line = {"arrowprops": {"arrowstyle": "-"}}
close.annotate("log E w = log p(x)", (0.5, log_px[0]), (0.46, -0.64), **line)
close.annotate("E log w = ELBO", (0.5, elbo[0]), (0.515, -0.78), **line)
show(
    figure,
    "The logarithm and the chord between the weights 0.33 and 0.57, in full and "
    "magnified: at the mean weight one half the logarithm, log p(x), lies 0.028 nats "
    "above the chord, the ELBO.",
)

# %% [markdown]
# **Step 4. Split it into what can be computed.** The joint is $p(x\mid z)\,p(z)$. Put the logarithm of the prior with that of $q$:
# $$\mathrm{ELBO}=\underbrace{\mathbb E_q\log p(x\mid z)}_{\text{reconstruction}}-\underbrace{\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big)}_{\text{price of the code}} .$$
# One term wants codes that explain $x$; the other charges for every nat by which a code departs from the prior. Neither contains $p(x)$.

# %%
recon = (q * likelihood.log()).sum(1)
kl_prior = kl_categorical(q, prior.expand(4, 2))
print("         reconstruction  KL to the prior      ELBO")
for row in range(4):
    print(f"row {row + 1} {recon[row]:18.6f} {kl_prior[row]:16.6f} {elbo[row]:9.6f}")
check(
    "reconstruction - KL = E_q log w",
    recon - kl_prior,
    elbo,
    atol=1e-12,
    unlike={"KL(prior || q)": recon - kl_categorical(prior.expand(4, 2), q)},
)

# %% [markdown]
# **Step 5. What did the bound cost?** Subtract it from $\log p(x)=\mathbb E_q\log p(x)$ and write $p(x,z)=p(z\mid x)\,p(x)$; the $p(x)$
# cancels and a divergence you know is left:
# $$\log p(x)-\mathrm{ELBO}(q)=\mathbb E_q\log\frac{q(z\mid x)}{p(z\mid x)}=\mathrm{KL}\big(q(z\mid x)\,\|\,p(z\mid x)\big)\ \ge 0 .$$
# The bound is tight exactly when $q$ *is* the posterior. Left: enumerated likelihood minus ELBO. Right: Bayes, then a KL.

# %%
gap = log_px - elbo
gap_as_kl = kl_categorical(q, posterior)
check(
    "gap = KL(q || posterior), every row",
    gap,
    gap_as_kl,
    atol=1e-12,
    unlike={
        "KL(posterior || q)": kl_categorical(posterior, q),
        "KL(q || prior)": kl_prior,
    },
)
print("gaps:", "  ".join(f"{value:.6f}" for value in gap_as_kl))


# %% [markdown]
# So question 1: 0.03 nats. Let $p$ be the posterior probability of $z=1$. A guess that is off by $\delta$ costs about $\frac{\delta^2}{2p(1-p)}$, a
# *squared* error: being roughly right is cheap. That is a statement about the curvature of the ELBO at its top, and finite differences can test it.

# %%
def elbo_of(q1, row=0):
    guess = torch.tensor([1 - q1, q1])
    return (guess * (log_joint[row] - guess.log())).sum().item()


h = 1e-4
slope = lambda q1, row: (elbo_of(q1 + h, row) - elbo_of(q1 - h, row)) / (2 * h)
bend = lambda q1: (elbo_of(q1 + h) - 2 * elbo_of(q1) + elbo_of(q1 - h)) / h**2
check(
    "slope of the ELBO at both posteriors",
    [slope(0.8, 0), slope(0.75, 2)],
    [0.0, 0.0],
    atol=1e-6,
    unlike={"at the guesses .7 and .6": [slope(0.7, 0), slope(0.6, 2)]},
)
check(
    "curvature there = -1 / (p (1 - p))",
    bend(0.8),
    -1 / (0.8 * 0.2),
    atol=1e-3,
    unlike={"at the guess .7": bend(0.7)},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(8.0, 3.3))
grid_q = torch.linspace(0.02, 0.98, 193)
decoders = ((0, "#0072B2", "decoder .2, .8"), (2, "#E69F00", "decoder .3, .9"))
for row, colour, name in decoders:
    look = {"color": colour, "linestyle": "-"}
    ax.plot(
        grid_q, [elbo_of(v.item(), row) for v in grid_q], label=f"ELBO, {name}", **look
    )
    label = f"log p(x) = {log_px[row]:.4f}"
    ax.axhline(log_px[row], color=colour, linestyle=":", label=label)
    for i in (row, row + 1):
        look = {"color": "#D55E00", "linewidth": 3, "linestyle": "-"}
        label = "gap" if i == 0 else None
        ax.vlines(q[i, 1], elbo[i], log_px[i], label=label, **look)
        ax.plot(q[i, 1], elbo[i], "o", color=colour)
        away = {"xytext": (6, -12), "textcoords": "offset points"}
        ax.annotate(f"row {i + 1}", (q[i, 1], elbo[i]), **away)
ax.set(xlabel="guess q(z=1)", ylabel="nats", ylim=(-1.2, -0.45))
ax.set(title="the ELBO touches log p(x) once, at the posterior")
figure.legend(loc="outside right center", fontsize=9)
show(
    figure,
    "The ELBO of two decoders against the guess q(z=1): each is an arch below a "
    "dotted line at log p(x), -0.6931 and -0.5108 nats, and touches it at one guess, "
    "rows 2 and 4; at rows 1 and 3 a gap is left.",
)

# %% [markdown]
# **A question.** With the decoder $.2, .8$ move $q(z{=}1)$ to where the *reconstruction* is best. Is the ELBO best there? Is it at
# least better than for the $q$ that never looked at $x$, $q=\tfrac12$? Decide before you open the answer; the cell after it computes both.
#
# <details><summary>The answer</summary>
#
# The reconstruction is a straight line in $q(z{=}1)$ and rises up to 1. There the ELBO is $\log .8-\log 2=\log .4$, far below its top; and it is exactly
# what $q=\tfrac12$ gives, $\tfrac12\log .2+\tfrac12\log .8=\log .4$. In this example the best reconstruction is worth no more than never having looked at $x$.
# </details>

# %%
at_one = latent.discrete_elbo(surely_one[None], log_joint[:1]).item()
check(
    "ELBO at q(1) = 1: as at q(1) = 1/2",
    at_one,
    elbo_of(0.5),
    unlike={"reconstruction at q(1) = 1": likelihood[0, 1].log()},
)


# %% [markdown]
# **From equation to code.** The displayed formula is one line. Yours and the package's must agree on every row, and on a guess that excludes a
# value of $z$, where $0\log 0$ has to be $0$.

# %%
def my_elbo(q, log_joint):
    return (q * log_joint - torch.xlogy(q, q)).sum(-1)


edge = torch.tensor([[1.0, 0.0]] * 4)
for guess in (q, edge):
    torch.testing.assert_close(
        my_elbo(guess, log_joint), latent.discrete_elbo(guess, log_joint)
    )
course.show_source(latent.discrete_elbo)

# %% [markdown]
# ## 3. A continuous latent where everything is known
#
# **Step 6. Probabilistic PCA.** Let $z\sim\mathcal N(0,I)$ and $x\mid z\sim\mathcal N(Wz+\mu,\sigma^2I)$: a VAE with a linear decoder. A linear
# map of a Gaussian plus Gaussian noise is Gaussian, so the integral can be done:
# $$p(x)=\mathcal N(\mu,\,WW^\top+\sigma^2I),\qquad p(z\mid x)=\mathcal N\big(\Sigma W^\top(x-\mu)/\sigma^2,\ \Sigma\big),\quad \Sigma^{-1}=I+W^\top W/\sigma^2 .$$
# Two independent routes: integrate over a fine lattice of $z$ for the marginal; and for the posterior condition the *joint* normal of
# $(z,x)$, which uses the inverse of a $3\times3$ matrix in place of a $2\times2$ one.

# %%
W = torch.tensor([[1.0, 0.7], [0.9, -0.3], [0.4, 0.8]])
model = LinearLatent(W, torch.tensor([0.5, -0.2, 0.1]), std=0.6)
x = model.sample(6, generator=generator)

axis = torch.linspace(-7, 7, 281)
lattice = torch.cartesian_prod(axis, axis)
p_lattice = torch.exp(-(lattice**2).sum(1) / 2) / (2 * math.pi)
cell = (axis[1] - axis[0]) ** 2
integrals = []
for v in x:
    p_x_given_z = model.cond_log_prob(v.expand(len(lattice), -1), lattice).exp()
    integrals.append((p_lattice * p_x_given_z).sum() * cell)
sigma_alone = Gaussian(model.mean, W @ W.T + 0.6 * torch.eye(3))
check(
    "log p(x): closed form = integral over z",
    model.log_prob(x),
    torch.stack(integrals).log(),
    atol=1e-9,
    unlike={"sigma for sigma^2": sigma_alone.log_prob(x)},
)

# %%
mean, cov = model.posterior(x)
gain = W.T @ torch.linalg.inv(W @ W.T + 0.6**2 * torch.eye(3))
check(
    "posterior mean: by conditioning the joint",
    mean,
    (x - model.mean) @ gain.T,
    atol=1e-12,
    unlike={"mu not subtracted": x @ gain.T},
)
check(
    "posterior covariance: the same",
    cov,
    torch.eye(2) - gain @ W,
    atol=1e-12,
    unlike={"prior's precision I forgotten": torch.linalg.inv(W.T @ W / 0.6**2)},
)
check(
    "ELBO with the exact posterior = log p(x)",
    latent.ppca_elbo(model, x, mean, cov),
    model.log_prob(x),
    atol=1e-12,
    unlike={
        "with the prior's covariance": latent.ppca_elbo(model, x, mean, torch.eye(2))
    },
)

# %% [markdown]
# **Now find a posterior by hand.** One latent number $z\sim\mathcal N(0,1)$, and $x\mid z\sim\mathcal N(z, .6^2)$, of which $x=1.5$ was seen. Drag $q$ by its
# peak: sideways it moves, upwards it narrows. Below, the blue line is the ELBO; it can only come up to the dashed one, and the bar between the
# two is the gap. Decide before you drag: (a) where is the gap zero? (b) Put $q$ where the *reconstruction* is best: is the ELBO best there?
# (c) Choose the decoder `folded`, $x\mid z\sim\mathcal N(z^2, .6^2)$, which does not say on which side $z$ was. How small can the gap become now? Then let
# the play button climb the ELBO, once from `mean of q` $= -1$ and once from $+1$.

# %% tags=["keep-output"]
widgets.elbo_gap()

# %% [markdown]
# <details><summary>The answers</summary>
#
# (a) At the posterior of step 6 in one dimension: mean $1.5/1.36=1.10$ and standard deviation $.6/\sqrt{1.36}=.51$. (b) No. The reconstruction is best for the
# narrowest $q$, at $z=1.5$; there the KL to the prior takes back more than was won. (c) About .75 nats. A normal $q$ can sit on one of the two
# hills, and that alone costs about $\log 2=.69$; the rest is that a hill is not quite normal. Both climbs end at the same ELBO, on different hills.
# </details>

# %%
line = LinearLatent(torch.tensor([[1.0]]), torch.tensor([0.0]), std=0.6)
seen = torch.tensor([[1.5]])
by_hand = lambda mean, std: (
    line.log_prob(seen)
    - line.elbo_of(seen, torch.tensor([[mean]]), 2 * torch.tensor([[std]]).log())
)
check(
    "(a) gap at mean 1.5 / 1.36, std .6 / sqrt(1.36)",
    by_hand(1.5 / 1.36, 0.6 / math.sqrt(1.36)),
    [0.0],
    atol=1e-12,
    unlike={"on the best reconstruction": by_hand(1.5, 0.2)},
)
z_line = torch.linspace(-5, 5, 2001)
log_hills = -0.5 * z_line**2 - 0.5 * ((1.5 - z_line**2) / 0.6) ** 2
log_hills = log_hills - torch.trapezoid(log_hills.exp(), z_line).log()


def folded_gap(mean, std):  # KL(q || posterior) in nats
    log_q = -0.5 * ((z_line - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))
    return torch.trapezoid(log_q.exp() * (log_q - log_hills), z_line).item()


places = [(m / 50, s / 50) for m in range(-75, 76) for s in range(10, 50)]
smallest = min(folded_gap(*place) for place in places)
check(
    "(c) smallest gap of the folded decoder",
    smallest,
    0.75,
    atol=5e-3,
    unlike={"log 2": math.log(2)},
)

# %% [markdown]
# **Step 7. A guess that cannot be right.** Encoders nearly always give independent coordinates, $q=\mathcal N(m,\operatorname{diag}v)$ (**mean
# field**), and here the posterior is correlated. With $\Lambda=\Sigma^{-1}$ and the right means the KL of the two normals in $k$ dimensions is
# $\tfrac12\big(\sum_j\Lambda_{jj}v_j-k-\sum_j\log v_j-\log\det\Lambda\big)$. Its derivative in $v_j$, $\tfrac12(\Lambda_{jj}-1/v_j)$, vanishes at
# $v_j=1/\Lambda_{jj}$; insert that, and what is left is
# $$\text{gap}=\tfrac12\Big(\sum_j\log\Lambda_{jj}-\log\det\Lambda\Big),$$
# the same for every $x$. The second route is likelihood minus bound; gradient ascent on the bound finds the variances for itself.

# %%
precision = torch.linalg.inv(cov)
log_var = -precision.diagonal().log()
gap_pca = model.log_prob(x) - model.elbo_of(x, mean, log_var.expand(6, 2))
formula = 0.5 * (precision.diagonal().log().sum() - torch.logdet(precision))
marginal = model.elbo_of(x, mean, cov.diagonal().log().expand(6, 2))  # v_j = Sigma_jj
check(
    "mean-field gap, formula = log p - ELBO",
    formula,
    gap_pca,
    atol=1e-12,
    unlike={"variances of the posterior": model.log_prob(x) - marginal},
)
# a third party: let gradient ascent find the variances
free = torch.zeros(2, requires_grad=True)
optimiser = torch.optim.LBFGS(
    [free], max_iter=100, tolerance_grad=1e-12, tolerance_change=1e-14
)


def negative_bound():
    optimiser.zero_grad()
    loss = -model.elbo_of(x, mean, free.expand(6, 2)).mean()
    loss.backward()
    return loss


optimiser.step(negative_bound)
check(
    "best variances by ascent = 1 / precision_jj",
    free.exp(),
    log_var.exp(),
    atol=1e-6,
    unlike={"variances of the posterior": cov.diagonal()},
)


# %% [markdown]
# **The bound depends on a choice that the likelihood cannot see.** Rotate the latent space, $W\to WR$: $WW^\top$, and with it every $p(x)$, stays as
# it is. The posterior turns, and a mean-field $q$ fits it well or badly. At the principal axes ($W^\top W$ diagonal) the gap is zero.

# %%
def rotated(angle):
    c, s = math.cos(angle), math.sin(angle)
    return LinearLatent(W @ torch.tensor([[c, -s], [s, c]]), model.mean, 0.6)


def mean_field(m, x):
    mean, cov = m.posterior(x)
    log_var = -torch.linalg.inv(cov).diagonal().log()
    return m.elbo_of(x, mean, log_var.expand(len(x), -1))


gram = W.T @ W
principal = 0.5 * math.atan2(2 * gram[0, 1].item(), (gram[0, 0] - gram[1, 1]).item())
check(
    "a rotation leaves every log p(x) alone",
    rotated(1.0).log_prob(x),
    model.log_prob(x),
    atol=1e-12,
    unlike={"a stretch of W": LinearLatent(1.1 * W, model.mean, 0.6).log_prob(x)},
)
no_gap = rotated(principal).log_prob(x) - mean_field(rotated(principal), x)
check(
    "gap of the mean field at the principal axes",
    no_gap,
    0.0,
    atol=1e-12,
    unlike={"as W stands": model.log_prob(x) - mean_field(model, x)},
)

# %% jupyter={"source_hidden": true}
# a posterior with correlation .9
strong = torch.tensor([[1.0, 0.9], [0.9, 1.0]])
narrow = (1 / torch.linalg.inv(strong).diagonal()).diag()
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.8))
ellipses = (
    (strong, "posterior", "#0072B2", "-"),
    (narrow, "best mean-field q", "#E69F00", "--"),
)
for c, name, colour, style in ellipses:
    values, vectors = torch.linalg.eigh(c)
    tilt = math.degrees(math.atan2(vectors[1, 1].item(), vectors[0, 1].item()))
    # long axis first: two sigma on each side
    axes = (4 * values.flip(0).sqrt()).tolist()
    look = {"fill": False, "color": colour, "linestyle": style, "linewidth": 2.5}
    left.add_patch(Ellipse((0, 0), *axes, angle=tilt, label=name, **look))
left.set(xlim=(-2.8, 2.8), ylim=(-2.8, 2.8), aspect="equal")
left.set(xlabel="$z_1$", ylabel="$z_2$", title="correlation .9, two-sigma ellipses")
left.legend(loc="upper left", fontsize=9)
angles = torch.linspace(0, math.pi, 121)
turned = [mean_field(rotated(a.item()), x).mean() for a in angles]
right.plot(angles, turned, label="ELBO, best mean field")
mean_log_px = model.log_prob(x).mean()
right.axhline(mean_log_px, color="#D55E00", linestyle=":", label="log p(x)")
right.set(
    xlabel="rotation of the latent space (radians)",
    ylabel="nats, mean of six x",
    title="same model, same data, other ELBO",
    ylim=(-5.125, -4.965),
)
right.legend(fontsize=9, loc="lower center", ncols=2)
show(
    figure,
    "Left: a long tilted ellipse, the posterior, and inside it the circle of the best "
    "mean-field guess, as narrow as the ellipse is thick. Right: the mean-field ELBO "
    "waves with the rotation of the latent space and touches the dotted line of log "
    "p(x) twice, at the principal axes.",
)

# %% [markdown]
# The left picture has a posterior with correlation .9. Each coordinate of the best $q$ has standard deviation $1/\sqrt{\Lambda_{jj}}$, the spread of $z_j$ when
# the other coordinate is *known*: here .44, where the posterior's own is 1. The average is taken under $q$, so $q$ avoids places where the posterior
# is small (the mode-seeking direction of lesson 03). In the widget, turn the latent space until $q$ can be right. How large do its two standard deviations become?

# %% tags=["keep-output"]
widgets.posterior_ellipse()

# %% [markdown]
# <details><summary>The answer</summary>
#
# At the principal axes the posterior has no correlation, and $q$ *is* the posterior: its two standard deviations, .36 and .57, are half of the half axes of the two-sigma ellipse, as the check says.
# </details>

# %%
best_axes = rotated(principal).posterior(x)[1]
q_stds = (1 / torch.linalg.inv(best_axes).diagonal()).sqrt()
check(
    "principal axes: q as wide as the posterior",
    q_stds.sort().values,
    torch.linalg.eigvalsh(cov).sqrt(),
    atol=1e-12,
    unlike={"before the turn": precision.diagonal().rsqrt().sort().values},
)

# %% [markdown]
# ## 4. EM: climb the bound in two directions
#
# **Step 8. One function, two arguments.** $\mathrm{ELBO}(q,\theta)$ depends on the guess and on the model. **Expectation-maximisation (EM)** improves one at a time:
# $$\text{E: } q\leftarrow p_\theta(z\mid x)\ \ (\text{gap}\to0),\qquad\text{M: }\theta\leftarrow\arg\max_\theta\ \mathbb E_q\log p_\theta(x,z).$$
# After the E-step the bound *equals* the log-likelihood. The M-step raises the bound, and the log-likelihood lies above the bound. Hence the likelihood
# never falls. `latent.em` is those two lines in a loop; it yields after each half.

# %%
course.show_source(latent.em)
data = model.sample(300, generator=generator)
start = LinearLatent(torch.randn(3, 1, generator=generator), torch.zeros(3), std=2.0)
climb = list(
    latent.em(
        start,
        lambda m: m.posterior(data),
        lambda q: latent.ppca_m_step(data, *q),
        n_steps=400,
    )
)

bound = torch.stack([latent.ppca_elbo(h.model, data, *h.q).mean() for h in climb])
truth = torch.stack([h.model.log_prob(data).mean() for h in climb])
check(
    "half-steps, of 799, in which the bound falls",
    int((bound.diff() < -1e-12).sum()),
    0,
)
check(
    "gap after each E-step",
    (truth - bound)[::2],
    0.0,
    atol=1e-12,
    unlike={"after each M-step": (truth - bound)[1::2]},
)

# %% [markdown]
# Where does the climb end? For this model the maximum is known in closed form (Tipping and Bishop 1999): the best $W$ and $\sigma^2$ follow from the eigenvalues of the
# sample covariance, $\sigma^2$ being the mean of those that are left out. EM never computed an eigenvalue, so this is a second route.

# %%
best, found = latent.ppca_ml(data, 1), climb[-1].model
eigenvalues = torch.linalg.eigvalsh(torch.cov(data.T, correction=0))
check(
    "EM's noise = mean of the two small eigenvalues",
    found.std**2,
    eigenvalues[:2].mean().item(),
    atol=1e-9,
    unlike={"mean of all three": eigenvalues.mean(), "the smallest": eigenvalues[0]},
)
check(
    "EM's covariance = that of the closed form",
    found.marginal().cov,
    best.marginal().cov,
    atol=1e-8,
    unlike={"W W' without the noise": best.weight @ best.weight.T},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(8.0, 3.2))
halves = torch.arange(16) / 2  # the start lies far below the picture
ax.plot(halves, truth[:16], "o-", markersize=4, label="log p(x)")
ax.plot(halves, bound[:16], "s--", markersize=4, drawstyle="default", label="bound")
highest = best.log_prob(data).mean()
look = {"color": "#D55E00", "linestyle": ":"}
ax.axhline(highest, label="maximum, from eigenvalues", **look)
ax.set(
    xlabel="iteration (E on whole numbers, M half a step later)",
    ylabel="nats per example",
)
ax.set(title="E closes the gap, M opens it again, higher up", ylim=(-4.9, -4.44))
ax.legend(loc="center right")
show(
    figure,
    "Log-likelihood and bound over eight iterations of EM: the bound rises with every "
    "half step and meets the log-likelihood at every E-step; both approach the dotted "
    "maximum at -4.47 nats.",
)

# %% [markdown]
# The same loop with another M-step fits a mixture of Gaussians; its E-step is what clustering books call responsibilities. A mixture has no closed-form
# optimum, but at a maximum the gradient of the likelihood is zero. Autograd confirms it:

# %%
equal = torch.tensor([0.5, 0.5])
blobs = GaussianMixture(
    equal, torch.tensor([[-1.0, 0.0], [1.5, 0.5]]), torch.tensor([0.8, 0.5])
)
points = blobs.sample(400, generator=generator)


def climb_mixture(start):
    return last(
        latent.em(
            start,
            lambda m: m.responsibilities(points),
            lambda q: latent.gaussian_m_step(points, q),
            n_steps=400,
        )
    ).model


def gradient_at(m):
    """The gradient of the mean log-likelihood in means and standard deviations."""
    means, stds = m.means.clone().requires_grad_(), m.stds.clone().requires_grad_()
    GaussianMixture(m.weights, means, stds).log_prob(points).mean().backward()
    return torch.cat([means.grad.flatten(), stds.grad])


begin = GaussianMixture(equal, points[:2].clone(), torch.ones(2))
fitted = climb_mixture(begin)
check(
    "EM's end: the likelihood is flat",
    gradient_at(fitted),
    0.0,
    atol=1e-8,
    unlike={"at its start": gradient_at(begin)},
)

# %% [markdown]
# > **A common misconception: "EM finds the maximum-likelihood fit."** It finds *a* stationary point, and which one depends on the start (Wu 1983). Start both components
# > at the same place and nothing can ever tell them apart: after one step their standard deviations fit, and from then on
# > nothing changes, while a better fit is half a nat per point away. For this model the maximum does not even exist. Put one component on a single data point
# > and shrink its standard deviation: the likelihood grows without bound. A good local maximum is what you want, and what EM finds from a good start.

# %%
stuck = climb_mixture(
    GaussianMixture(equal, points.mean(0).repeat(2, 1), torch.ones(2))
)
ahead = lambda m: (fitted.log_prob(points) - m.log_prob(points)).mean()
check(
    "400 steps later the twins are still twins",
    stuck.means[0],
    stuck.means[1],
    atol=1e-12,
    unlike={"the other start": fitted.means[0]},
)
check_range(
    "what that costs, nats per point",
    ahead(stuck),
    0.4,
    0.7,
    unlike={"the fit itself": ahead(fitted)},
)
two = torch.stack([points[0], points.mean(0)])
spike = lambda std: GaussianMixture(equal, two, torch.tensor([std, 1.3]))
check_range(
    "spike of std 1e-150: ahead of the fit by, nats",
    -ahead(spike(1e-150)),
    0.1,
    3.0,
    unlike={"spike of std .1": -ahead(spike(0.1))},
)


# %% [markdown]
# ## 5. Many draws
#
# **Step 9. Average the weights before taking the log.** The mean of $K$ weights, $\tfrac1K\sum_k w_k$, still has the expectation $p(x)$. This is the
# **importance-weighted bound**:
# $$\mathcal L_K=\mathbb E\log\frac1K\sum_{k=1}^Kw_k,\qquad \mathrm{ELBO}=\mathcal L_1\le\mathcal L_2\le\dots\le\log p(x),\qquad\text{gap}\approx\frac{\operatorname{Var}w}{2K\,p(x)^2}.$$
# *Why it never falls.* The mean of $K+1$ weights is the average of the $K+1$ means that leave one of them out. The log of that average is at least the
# average of the logs, and each leave-one-out mean is a mean of $K$ weights: $\mathcal L_{K+1}\ge\mathcal L_K$. *Why $1/K$.* If the weights have a finite variance, the mean $m$
# comes close to $p(x)$ and $\log m\approx\log p(x)+\frac{m-p(x)}{p(x)}-\frac{(m-p(x))^2}{2p(x)^2}$. In expectation the middle term is zero and the last is
# $-\frac{\operatorname{Var}w}{2K\,p(x)^2}$.
#
# In row 1 the number of ones among $K$ draws is binomial, so the expectation is a sum with $K+1$ terms: *no sampling*, and the claims can be
# checked to the last digit. For small $K$ a second route lists all $2^K$ outcomes.

# %%
def expected_bound(n_draws, row=0):
    ones = torch.arange(n_draws + 1.0)
    zeros = n_draws - ones
    log_binomial = math.lgamma(n_draws + 1) - torch.lgamma(ones + 1)
    log_binomial = log_binomial - torch.lgamma(zeros + 1)
    log_prob = log_binomial + ones * q[row, 1].log() + zeros * q[row, 0].log()
    mean_weight = (ones * weights[row, 1] + zeros * weights[row, 0]) / n_draws
    return (log_prob.exp() * mean_weight.log()).sum()


bounds = torch.stack([expected_bound(k) for k in range(1, 65)])
listed = []
for k in (1, 2, 3, 4):
    outcomes = torch.tensor(list(itertools.product((0, 1), repeat=k)))
    listed.append((q[0][outcomes].prod(1) * weights[0][outcomes].mean(1).log()).sum())
check(
    "L_1 to L_4: binomial sum = all outcomes listed",
    bounds[:4],
    torch.stack(listed),
    atol=1e-12,
    unlike={"mean of the logs": elbo[0].repeat(4)},
)
stuck = int((bounds.diff() <= 0).sum())
check("steps from K to K + 1 < 65 that do not raise it", stuck, 0)

# %%
variance = (q[0] * (weights[0] - 0.5) ** 2).sum().item()
far = expected_bound(4096).item()
check(
    "K gap at K = 4096 = Var w / 2 p(x)^2",
    4096 * (log_px[0].item() - far),
    variance / (2 * 0.25),
    rtol=1e-3,
    unlike={"Var w / p(x)^2": variance / log_px[0].exp().item() ** 2},
)

# 8 draws, 5 times
log_w = weights[0].log()[(torch.rand(8, 5, generator=generator) < 0.7).long()]
mine = torch.log(torch.exp(log_w).mean(0))
torch.testing.assert_close(mine, latent.log_mean_weight(log_w))

# %% [markdown]
# An easy mistake is to average the *logarithms*. The result still is a bound, it still trains, and no plot will tell you: however many draws you use, it
# stays the ELBO.

# %%
draws = (torch.rand(64, 20_000, generator=generator) < 0.7).long()
log_w = weights[0].log()[draws]
check_close_mc(
    "64 draws, mean of logs: the ELBO again",
    log_w.mean(0),
    elbo[0].item(),
    unlike={"L_64": bounds[63]},
)
check_close_mc(
    "64 draws, log of mean: L_64",
    latent.log_mean_weight(log_w),
    bounds[63].item(),
    unlike={"mean of logs": log_w.mean(0)},
)

# %% [markdown]
# Now on probabilistic PCA, with a $q$ that is off on purpose (shifted, and a little too wide, so that no weight is huge): what remains after $K$ draws,
# against the exact $\log p(x)$. The estimate's own scatter falls as well. But $\mathcal L_K$ is a bound at *every* $K$, 64 draws cost 64 decoder calls, and
# not all of them count: the **effective sample size** $\big(\sum_kw_k\big)^2/\sum_kw_k^2$ is $K$ only when all weights are equal, which is when $q$ is the posterior.
# A draw of $q$ is made as $z=m+e^{v/2}\epsilon$ from standard normal noise $\epsilon$, where $v$ is the log-variance. That makes $z$ a smooth function of $m$ and $v$, which
# step 10 needs; lesson 06 takes up this *reparameterisation*.

# %%
upright = rotated(principal)
right_mean, right_cov = upright.posterior(x[:1])
wrong_mean, wrong_log_var = right_mean + 0.3, right_cov.diagonal().log()[None] + 0.3


def weights_of(
    m, v, n_draws, n_times, *, through_z_only=False, decoder=upright.cond_log_prob
):
    rows = n_draws * n_times
    eps = torch.randn(rows, 2, generator=generator)
    m, v = (t.expand(n_draws, n_times, 2).reshape(rows, 2) for t in (m, v))
    args = (x[:1].expand(rows, 3), m, v, eps)
    options = {"decoder_log_prob": decoder, "through_z_only": through_z_only}
    log_w = latent.log_weight(*args, **options)
    return log_w.reshape(n_draws, n_times)


# %%
exact = model.log_prob(x[:1]).item()
remaining, scatter, estimates = {}, {}, {}
for k in (1, 4, 16, 64):
    drawn = weights_of(wrong_mean, wrong_log_var, k, 4000)
    estimates[k] = latent.log_mean_weight(drawn)
    counted = latent.effective_sample_size(drawn.T).mean()
    remaining[k] = exact - estimates[k].mean().item()
    scatter[k] = estimates[k].std().item()
    print(
        f"K = {k:2d}: gap ~{remaining[k]:.4f} nats, "
        f"one estimate scatters by ~{scatter[k]:.3f}, "
        f"effective sample size ~{counted:.1f}"
    )
check_close_mc(
    "K = 1: the ELBO in closed form",
    estimates[1],
    upright.elbo_of(x[:1], wrong_mean, wrong_log_var).item(),
    unlike={"K = 4": estimates[4], "log p(x)": exact},
)
check_range(
    "gap at K = 64 over gap at K = 16",
    remaining[64] / remaining[16],
    0.05,
    0.40,
    unlike={"scatter over scatter": scatter[64] / scatter[16]},
)


# %% [markdown]
# **Step 10. A better bound, a worse gradient.** As $K$ grows the bound depends less and less on $q$: in the limit it is $\log p(x)$ whatever $q$ is. So the gradient in the
# parameters of $q$ shrinks like $1/K$ while its scatter shrinks only like $1/\sqrt K$. For the decoder's parameters the gradient does not shrink. The usual
# measure is signal over noise, the mean of one estimate over its standard deviation.
#
# Can the gradient of $q$ be repaired? Let $\phi$ be its parameters and $\tilde w_k=w_k/\sum_jw_j$. They act on $\log w_k=\log p(x,z_k)-\log q_\phi(z_k)$ in two ways, through $z_k$ and directly:
# $$\nabla_\phi\mathcal L_K=\mathbb E\sum_k\tilde w_k\Big(\frac{\partial\log w_k}{\partial z_k}\frac{\partial z_k}{\partial\phi}-\nabla_\phi\log q_\phi(z_k)\Big).$$
# The second term is the noisy one. But $\mathbb E_q\,g(z)\nabla_\phi\log q_\phi(z)$ and $\mathbb E_q\,g'(z)\,\partial z/\partial\phi$ are two formulas for the same gradient, that
# of $\mathbb E_q\,g$ with $g$ held fixed (lesson 06, steps 2 and 3). Apply this to $g=\tilde w_k$, whose derivative in $z_k$ is $\tilde w_k(1-\tilde w_k)\,\partial\log w_k/\partial z_k$, and subtract:
# $$\nabla_\phi\mathcal L_K=\mathbb E\sum_k\tilde w_k^2\,\frac{\partial\log w_k}{\partial z_k}\frac{\partial z_k}{\partial\phi}.$$
# This is the **doubly reparameterised** gradient (Tucker et al. 2018): the same mean, other noise. Before you run the cell: of the decoder's gradient, the plain one of $q$ and the doubly
# reparameterised one of $q$, which curve falls?

# %%
def gradients(n_draws, what, n=4000):
    m = wrong_mean.expand(n, 2).clone().requires_grad_()  # one copy for each estimate
    shift = torch.zeros(n, 3, requires_grad=True)  # moves the decoder's mean

    def decoder(x, z):
        moved = upright.decode(z) + shift.expand(n_draws, n, 3).reshape(-1, 3)
        return normal_log_prob(x, moved, model.std)

    through_z = what in ("doubly", "not squared")
    log_w = weights_of(
        m, wrong_log_var, n_draws, n, through_z_only=through_z, decoder=decoder
    )
    value = (
        latent.doubly_reparameterized(log_w)
        if what == "doubly"
        else latent.log_mean_weight(log_w)
    )
    return torch.autograd.grad(value.sum(), shift if what == "decoder" else m)[0]


# %%
KS = (1, 4, 16, 64)
names = {
    "decoder": "decoder",
    "plain": "q, plain",
    "doubly": "q, doubly reparameterised",
}
snr = {
    what: [latent.signal_to_noise(gradients(k, what))[0].item() for k in KS]
    for what in names
}
power = lambda what: math.log(snr[what][3] / snr[what][1]) / math.log(KS[3] / KS[1])
check_range(
    "power of K in SNR, q, plain",
    power("plain"),
    -0.75,
    -0.25,
    digits=2,
    unlike={"decoder": power("decoder")},
)
for what in ("decoder", "doubly"):
    check_range(
        f"power of K in SNR, {names[what]}",
        power(what),
        0.25,
        0.7,
        digits=2,
        unlike={"q, plain": power("plain")},
    )

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.5))
left.semilogx(range(1, 65), bounds, label="expected bound, row 1")
left.axhline(log_px[0], color="#D55E00", linestyle=":", label="log p(x)")
left.set(xlabel="draws K", ylabel="nats", title="the bound closes ...")
left.legend(loc="lower right")
for (what, name), marker in zip(names.items(), "os^", strict=True):
    right.loglog(KS, snr[what], marker=marker, label=name)
title = "... and the plain gradient of q drowns"
right.set(xlabel="draws K", ylabel="mean / standard deviation", title=title)
right.set_ylim(0.008, 15)
right.legend(fontsize=9, loc="lower left")
for ax in (left, right):
    ax.set(xticks=KS, xticklabels=KS)
show(
    figure,
    "Against the number of draws K from 1 to 64. Left: the expected bound rises from "
    "-0.721 nats to the dotted log p(x) at -0.693. Right: signal-to-noise ratios of "
    "three gradients; the decoder's and the doubly reparameterised one rise, the "
    "plain one of q falls from 0.7 to 0.1.",
)

# %% [markdown]
# So question 3 has two answers: better for the decoder, *worse* for $q$ (Rainforth et al. 2018 prove the powers $+\tfrac12$ and $-\tfrac12$), and the
# doubly reparameterised gradient repairs it. The two estimators of $q$'s gradient must agree on average. At $K=1$ another route is autograd on the closed-form ELBO.

# %%
plain, doubly, unsquared = (
    gradients(4, what, n=20_000)[:, 0] for what in ("plain", "doubly", "not squared")
)
check_close_mc(
    "K = 4: plain minus doubly reparameterised",
    plain - doubly,
    0.0,
    unlike={"weights not squared": plain - unsquared},
)
m = wrong_mean.clone().requires_grad_()
upright.elbo_of(x[:1], m, wrong_log_var).sum().backward()
single = gradients(1, "doubly", n=20_000)[:, 0]
check_close_mc(
    "K = 1: doubly reparameterised = closed form",
    single,
    m.grad[0, 0].item(),
    unlike={"K = 4": doubly},
)

# %% [markdown]
# ## 6. Real data: a mixture on the digits
#
# **Step 11. A latent with twenty values.** On the $8\times8$ digits with 17 grey levels let $z$ choose one of $K$ templates, and let each pixel be
# drawn by itself from its template's table. Given $z$ the pixels are independent; *summed over* $z$ they are not. Twenty values can be enumerated, so
# this model has an exact likelihood, and every bound on it can be checked. EM first, with a pseudo-count of 0.3 for each level (otherwise a
# level never seen has probability 0, and the first image that has it an infinite cost).

# %%
train, val, test = (load_digits(split).images for split in ("train", "val", "test"))
BITS = 64 * math.log(2)


@torch.no_grad()
def e_step(model):
    return latent.discrete_posterior(model.log_joint(train))


def m_step(q):
    return latent.categorical_m_step(train, q, n_levels=17, pseudo_count=0.3)


def fit_em(n_components, n_steps=40):
    generator = torch.Generator().manual_seed(5)
    # each image leans to a few
    q = torch.rand(len(train), n_components, generator=generator) ** 3
    start = m_step(q / q.sum(1, keepdim=True))
    return latent.em(start, e_step, m_step, n_steps=n_steps)


def em_records(halves):
    for h in halves:
        if h.half == "E":
            with torch.no_grad():
                nats = -latent.discrete_elbo(h.q, h.model.log_joint(train)).mean()
            bits = nats.item() / BITS
            yield Record(h.step, {"bits per dimension, training": bits}, 0.0)


history = widgets.watch(em_records(fit_em(20)), total=40, label="bits / dimension")
check_range(
    "after 40 steps of EM, bits / dimension",
    history[-1].loss,
    1.95,
    2.1,
    unlike={"after 1": history[0].loss},
)

# %% [markdown]
# How many templates? The training likelihood always wants more. On the validation images the gain comes from the first ten, and further ones
# cost a few hundredths of a bit, as the table shows. We keep twenty all the same: two for each digit make a better picture. With one
# template the model is the pixel histogram where lesson 02 began; that one needs no EM, only counting, so it is a check.

# %%
table, halves = {}, {}
for k in (1, 5, 10, 20, 40):
    halves[k] = list(fit_em(k, n_steps=30))
    with torch.no_grad():
        table[k] = [
            (-halves[k][-1].model.log_prob(part).mean() / BITS).item()
            for part in (train, val)
        ]
    print(
        f"K = {k:2d}: ~{table[k][0]:.3f} training, "
        f"~{table[k][1]:.3f} validation, bits / dimension"
    )
# part 0: training, 1: validation
gained = lambda few, many, part: table[few][part] - table[many][part]
check_range(
    "validation: K = 20 better than K = 1 by",
    gained(1, 20, 1),
    0.15,
    0.25,
    unlike={"training": gained(1, 20, 0)},
)
check_range(
    "training: K = 40 better than K = 20 by",
    gained(20, 40, 0),
    0.01,
    0.1,
    unlike={"validation": gained(20, 40, 1)},
)

# %%
counts = torch.nn.functional.one_hot(train.flatten(1), 17).sum(0) + 0.3
histogram = (counts / counts.sum(-1, keepdim=True)).log()
nats = -histogram[torch.arange(64), test.flatten(1)].sum(1)
one = -halves[1][-1].model.log_prob(test)
check(
    "K = 1 is the histogram of lesson 02 (bits)",
    bits_per_dim(nats, 64).mean(),
    bits_per_dim(one, 64).mean(),
    unlike={"of the training images": table[1][0]},
)


@torch.no_grad()
def penalised(h):
    bound = latent.discrete_elbo(h.q, h.model.log_joint(train)).sum()
    return bound + 0.3 * h.model.log_probs.log_softmax(-1).sum()


climbed = torch.stack([penalised(h) for h in halves[20]])
check(
    "half-steps in which bound + penalty falls", int((climbed.diff() < -1e-6).sum()), 0
)

# %% [markdown]
# **Step 12. The same model without the sum.** Suppose you could not enumerate. A network (one linear layer and a softmax) guesses $q(z\mid x)$, and
# gradient ascent raises the ELBO in both sets of parameters at once: EM with both halves cut short, and the E-step replaced by a network
# that must serve all images (**amortised inference**). That is lesson 06 with a discrete $z$. The object below has `elbo` and no `log_prob`, so its
# number is printed as a bound. Predict: will the guesses be worse on training or on test images?

# %%
torch.set_default_dtype(torch.float32)
torch.manual_seed(5)
generator = torch.Generator().manual_seed(5)
guessed = torch.rand(len(train), 20, generator=generator) ** 3
begin = m_step(guessed / guessed.sum(1, keepdim=True))
guesser = latent.AmortizedMixture(begin, nn.Linear(64 * 17, 20))
batches = minibatches(train, 128, generator=generator)
training = fit(guesser, batches, n_steps=350, lr=cosine(0.03, 350))
records = widgets.watch(training, total=350, label="- ELBO (nats)")
torch.set_default_dtype(torch.float64)

by_em = halves[20][-1].model
guesser = guesser.double()
contenders = {
    "EM": by_em,
    "through q": guesser,
    "through q, the sum done": guesser.mixture,
}
with torch.no_grad():
    one_template = bits_per_dim(nats, 64).mean()
    for name, m in contenders.items():
        kind, values = log_likelihood(m, test)
        test_bits = bits_per_dim(-values, 64).mean()
        check_range(
            f"test bits/dim, {name} ({kind})",
            test_bits,
            2.12,
            2.26,
            unlike={"one template": one_template},
        )

# %%
with torch.no_grad():
    missing = {
        name: guesser.mixture.log_prob(part) - guesser.elbo(part)
        for name, part in (("training", train), ("test", test))
    }
    truth = latent.discrete_posterior(guesser.mixture.log_joint(test))
    guess = guesser.encode(test)
    check(
        "test images: gap = KL(q || posterior)",
        missing["test"],
        kl_categorical(guess, truth),
        atol=1e-9,
        unlike={"KL(posterior || q)": kl_categorical(truth, guess)},
    )
    gap_of = {name: values.mean().item() for name, values in missing.items()}
check_range(
    "mean gap, training images, nats",
    gap_of["training"],
    0.0,
    0.1,
    unlike={"test": gap_of["test"]},
)
check_range(
    "mean gap, test images, nats",
    gap_of["test"],
    0.15,
    1.2,
    unlike={"training": gap_of["training"]},
)

# %% [markdown]
# All three numbers are in bits per dimension, the unit of lesson 02, so you may compare them. The last two belong to *one* model, and its bound is the
# larger (worse) number, as it must be. (The first line is another model; a bound of one may well lie below the likelihood of another.) The network
# guesses the codes of the training images almost perfectly and those of the test images less well. The *model* did not become worse by that, only the bound.
#
# Is the network too small? One linear layer and a softmax sound like a weak guesser. But for this model Bayes' rule *is* a linear layer and a softmax. With
# the templates' tables $p_k$ and the weights $\pi_k$
# $$\log p(z=k\mid x)=\log\pi_k+\sum_j\log p_k[j,x_j]+\text{const},$$
# which is linear in the one-hot pixels: let the layer's weights be the log tables and its bias $\log\pi$, and the guess is the exact posterior of every image. So the gap on the test
# images is no lack of capacity. It is a failure to generalise: the layer was fitted to the training images, and learned something else that answers them equally well.

# %%
bayes = nn.Linear(64 * 17, 20).double()
bayes.weight.data = guesser.mixture.log_probs.detach().log_softmax(-1).flatten(1)
bayes.bias.data = guesser.mixture.log_prior().detach()
with torch.no_grad():
    check(
        "layer from the tables: its ELBO = log p(x)",
        latent.AmortizedMixture(guesser.mixture, bayes).elbo(test),
        guesser.mixture.log_prob(test),
        unlike={"the trained layer": guesser.elbo(test)},
    )

# %% [markdown]
# Now look at the templates and at what they make. Each sample is a template with independent pixels, so strokes are noisy in a way that
# no single template can repair. The animation shows how EM finds the templates.

# %% jupyter={"source_hidden": true}
levels = torch.arange(17.0)


@torch.no_grad()
def mean_ink(mixture):
    return (mixture.log_probs.softmax(-1) * levels).sum(-1)[order]


def sheet(h):
    """The twenty templates before EM's M-step number h.step, as one frame."""
    figure, ax = plt.subplots(figsize=(6.4, 1.75))
    bits = -latent.discrete_elbo(h.q, h.model.log_joint(train)).mean() / BITS
    title = f"EM, {h.step - first:2d} M-steps done: {bits:.2f} bits per dimension"
    show_images(ax, mean_ink(h.model), title=title)
    return figure


with torch.no_grad():
    order = by_em.log_prior().argsort(descending=True)
    drawn = by_em.sample(20, generator=torch.Generator().manual_seed(1))
    e_halves = [h for h in halves[20] if h.half == "E"]
    first = e_halves[0].step
    frames = [sheet(e_halves[k]) for k in (0, 1, 2, 3, 4, 5, 6, 8, 10, 14, 20, 29)]
film(
    frames,
    "Twenty images of 8 x 8 pixels, all the same grey blur at first, turn within a few "
    "steps of EM into blurred templates, many of them like digits; over 29 steps the "
    "bits per dimension fall from 2.43 to 2.04.",
)
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.2))
figure.get_layout_engine().set(w_pad=0.12)
pictures = (
    (mean_ink(by_em), "20 templates, by weight (mean ink)"),
    (drawn, "20 samples"),
    (test[:20], "20 test images"),
)
for ax, (images, title) in zip(axes, pictures, strict=True):
    show_images(ax, images, n_columns=5, title=title)
show(
    figure,
    "Three grids of twenty images: smooth grey templates that look like digits, "
    "samples with the same outlines but grainy strokes, and the clean strokes of test "
    "images.",
)

# %% [markdown]
# *Optional: what the KL term buys.* Averaged over a data set, the price of the code splits once more, with the aggregated posterior
# $q(z)=\tfrac1n\sum_iq(z\mid x_i)$:
# $$\tfrac1n\sum_i\mathrm{KL}\big(q(z\mid x_i)\|p(z)\big)=\underbrace{I_q(x;z)}_{\text{information about which image}}+\underbrace{\mathrm{KL}\big(q(z)\|p(z)\big)}_{\text{codes used unlike the prior}} .$$
# The check takes the information from two entropies, $H[q(z)]-\tfrac1n\sum_iH[q(z\mid x_i)]$, so that it is not itself computed as a divergence, and the codes of the
# *test* images, whose average is not the prior. After an M-step of EM the prior *is* the aggregated posterior of the training images, so there the second term
# must vanish, and every nat paid is information.

# %%
with torch.no_grad():
    code, weight = guesser.encode(test), guesser.mixture.log_prior().exp()
    paid = kl_categorical(code, weight.expand_as(code)).mean()
    q_z = latent.aggregated_posterior(code)
    told, mismatch = entropy(q_z) - entropy(code).mean(), kl_categorical(q_z, weight)
    final = halves[20][-1]
    settled = kl_categorical(
        latent.aggregated_posterior(final.q), final.model.log_prior().exp()
    )
    by_em_code = latent.mutual_information(final.q)
    ignores = latent.mutual_information(weight.expand(50, 20))
check(
    "test images: price = information + mismatch",
    paid,
    told + mismatch,
    unlike={"mismatch forgotten": entropy(q_z) - entropy(code).mean()},
)
check(
    "training images, after an M-step: mismatch",
    settled,
    0.0,
    unlike={"test images": kl_categorical(q_z, weight)},
)
check_range(
    "information in z, nats (log 20 = 2.996)",
    by_em_code,
    2.5,
    2.996,
    unlike={"codes that ignore x": ignores},
)

# %% [markdown]
# ## 7. It fails
#
# **An ELBO is not a likelihood.** Model A is the true model of the data, in a latent basis that mean field cannot follow. Model B has the principal axes,
# and a noise that is too large. Every number below is exact, on the same 2,000 fresh examples, each model with its best mean-field $q$.

# %%
fresh = model.sample(2000, generator=torch.Generator().manual_seed(7))
angles = torch.linspace(0, math.pi / 2, 91)
unlucky = max(angles.tolist(), key=lambda a: -mean_field(rotated(a), x).mean().item())
A, B = rotated(unlucky), LinearLatent(rotated(principal).weight, model.mean, 0.7)
for name, m in (("A", A), ("B", B)):
    exact, bound = m.log_prob(fresh).mean(), mean_field(m, fresh).mean()
    print(f"model {name}: log p(x) {exact:.4f}   ELBO {bound:.4f}   nats per example")

lead = A.log_prob(fresh) - B.log_prob(fresh)
expected = kl_gaussian(A.marginal(), B.marginal()).item()  # A is the truth here
lead_by_elbo = mean_field(A, fresh) - mean_field(B, fresh)
check_close_mc(
    "A's lead by likelihood = KL(A || B)",
    lead,
    expected,
    unlike={"by ELBO": lead_by_elbo},
)
lost = torch.linalg.inv(A.posterior(fresh)[1])  # the precision; B loses nothing
lost = 0.5 * (lost.diagonal().log().sum() - torch.logdet(lost))
check(
    "A's lead by ELBO = lead - A's gap",
    lead_by_elbo,
    lead - lost,
    atol=1e-12,
    unlike={"gap forgotten": A.log_prob(fresh) - B.log_prob(fresh)},
)
check_range(
    "A's lead by ELBO, nats per example",
    lead_by_elbo.mean(),
    -0.2,
    -0.01,
    unlike={"by likelihood": lead.mean()},
)


# %% [markdown]
# So the model with the higher ELBO need not be the better model: two bounds with unknown gaps cannot be ranked, and question 2 has no answer. What
# you may say is that each likelihood is *at least* its ELBO. What helps is to take many draws (step 9) and to watch how far the bound still rises as $K$ grows.

# %%
def tightened(m, n_draws):
    mean, cov = m.posterior(fresh)
    v = -torch.linalg.inv(cov).diagonal().log().expand(2000, 2)
    eps = torch.randn(n_draws, 2000, 2, generator=torch.Generator().manual_seed(8))
    return (
        latent.importance_bound(fresh, mean, v, eps, decoder_log_prob=m.cond_log_prob)
        .mean()
        .item()
    )


with_draws = {k: tightened(A, k) - tightened(B, k) for k in (1, 50)}
check_range(
    "A's lead with 50 draws",
    with_draws[50],
    0.005,
    0.1,
    unlike={"1 draw": with_draws[1]},
)


# %% [markdown]
# **Posterior collapse.** $q(z\mid x)$ becomes the prior, and $z$ says nothing about $x$. Two images, $00$ and $11$, equally frequent, binary $z$. The *weak*
# decoder draws the two pixels independently given $z$. The *strong* one has a table of all four images for each $z$, so it can hold the whole data
# distribution in one table and has no need of $z$. Both can reach $\log p(x)=-\log2$. The diagnosis is the mutual information, not the loss.

# %%
def train_tiny(images, n_levels, *, betas=(1.0,), seed=0):
    g = torch.Generator().manual_seed(seed)
    table = 0.1 * torch.randn(2, images.shape[1], n_levels, generator=g)
    mixture = latent.CategoricalMixture(torch.zeros(2), table)
    encoder = nn.Linear(images.shape[1] * n_levels, 2)
    nn.init.zeros_(encoder.bias)
    encoder.weight.data = 0.1 * torch.randn(encoder.weight.shape, generator=g)
    for beta in betas:  # the same mixture and encoder are trained further
        tiny = latent.AmortizedMixture(mixture, encoder, beta=beta)
        last(fit(tiny, itertools.repeat(images), n_steps=250, lr=0.1))
    with torch.no_grad():
        return tiny.elbo(images).mean().item(), latent.mutual_information(
            tiny.encode(images)
        ).item()


# %%
pixels, tables = torch.tensor([[0, 0], [1, 1]]), torch.tensor([[0], [3]])
runs = {
    "weak decoder": train_tiny(pixels, 2),
    "strong decoder": train_tiny(tables, 4),
    "strong, KL weighed 0.5": train_tiny(tables, 4, betas=(0.5,)),
    "strong, annealed 0.5 to 1": train_tiny(tables, 4, betas=(0.5, 1.0)),
}
for name, (value, information) in runs.items():
    print(f"{name:<26} ELBO ~{value:.3f}   information in z ~{information:.3f} nats")
elbos, told_by_z = zip(*runs.values(), strict=True)
spread = lambda values: max(values) - min(values)
check_range(
    "four ELBOs: largest less smallest",
    spread(elbos),
    0.0,
    0.005,
    unlike={"of the four informations": spread(told_by_z)},
)
check(
    "information in z: log 2, 0, log 2, log 2",
    told_by_z,
    [math.log(2), 0, math.log(2), math.log(2)],
    atol=0.04,
    unlike={"z always used": entropy(equal).repeat(4)},
)

# %% [markdown]
# Read the four ELBOs again: they agree to a few thousandths of a nat. The bound does not depend on whether $z$ is used, as long as $x$ is explained, and every error of $q$ costs
# something while using $z$ gains nothing. So the optimiser drifts to $q=p$. The repairs either make $z$ necessary (a weaker decoder) or cheap
# (a divergence weighed by $\beta<1$, for ever, as in a *$\beta$-VAE*, or at the start: *KL annealing*; or *free bits*, a number of nats that cost nothing, in
# lesson 06).
#
# **Collapse at the very maximum of the likelihood.** You may think that a poor $q$ is to blame. Probabilistic PCA on the digits has an exact posterior and a
# closed-form optimum, and collapses all the same: with the noise *held* at $\sigma$, a latent lives only while its eigenvalue exceeds $\sigma^2$, and
# $$I(x;z)=\tfrac12\sum_j\log\max\Big(1,\frac{\lambda_j}{\sigma^2}\Big).$$

# %%
ink = train.flatten(1).double()
spectrum = torch.linalg.eigvalsh(torch.cov(ink.T, correction=0)).flip(0)
for std in (1.0, 3.0, 6.0, 9.0):
    by_spectrum = 0.5 * (spectrum[:10] / std**2).clamp_min(1).log().sum()
    active = int((spectrum[:10] > std**2).sum())
    print(
        f"sigma = {std:.0f}: {active:2d} of 10 latents alive, "
        f"I(x; z) = {by_spectrum:.3f} nats"
    )

# %%
W_start = torch.randn(64, 10, generator=torch.Generator().manual_seed(2))
halves_held = latent.em(
    LinearLatent(W_start, ink.mean(0), 9.0),
    lambda m: m.posterior(ink),
    lambda q: latent.ppca_m_step(ink, *q, std=9.0),
    n_steps=150,
)
W_em = last(halves_held).model.weight  # EM computes no eigenvalue of the covariance
surviving = torch.linalg.eigvalsh(W_em.T @ W_em).flip(0)
information = 0.5 * torch.logdet(torch.eye(10) + W_em.T @ W_em / 81)
check(
    "EM at sigma = 9: I(x; z) by the formula",
    information,
    0.5 * (spectrum[:10] / 81).clamp_min(1).log().sum(),
    rtol=1e-3,
    unlike={"without the max": 0.5 * (spectrum[:10] / 81).log().sum()},
)
check(
    "EM at sigma = 9: lengths^2 of the first three",
    surviving[:3],
    spectrum[:3] - 81,
    rtol=1e-4,
    unlike={"noise not subtracted": spectrum[:3].clone()},
)
check_range(
    "EM at sigma = 9: largest dead direction of W",
    surviving[4],
    0.0,
    0.01,
    unlike={"smallest alive": surviving[3]},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(8.0, 3.2))
ax.semilogy(range(1, 21), spectrum[:20], "o-")
for std, colour in ((3.0, "#009E73"), (6.0, "#E69F00"), (9.0, "#D55E00")):
    ax.axhline(std**2, color=colour, linestyle="--")
    ax.text(0.6, 0.93 * std**2, f"noise, sigma = {std:.0f}", color=colour, va="top")
ax.set(
    xlabel="latent direction",
    ylabel="variance (grey levels squared)",
    xticks=range(1, 21, 2),
    title="eigenvalues of the digits: a latent below the line of the noise is dead",
    ylim=(6, 230),
)
show(
    figure,
    "The first twenty eigenvalues of the digits, falling from 180 to 11 on a "
    "logarithmic axis, and dashed lines of the noise: all twenty lie above the noise "
    "of sigma 3, ten above that of 6, four above that of 9.",
)

# %% [markdown]
# So question 4: yes. The repair here is to *learn* $\sigma$: its optimum is the mean of the left-out eigenvalues (section 4), below every kept one, so all ten live.

# %%
alive = lambda m: int(((m.weight**2).sum(0) > 1e-9).sum())
check(
    "latents alive with the learned noise",
    alive(latent.ppca_ml(ink, 10)),
    10,
    unlike={"noise held at 9": alive(latent.ppca_ml(ink, 10, std=9.0))},
)

# %% [markdown]
# ## Predict first, again
#
# 1. About 0.03 nats (step 5): a guess that is off by a little costs its square.
# 2. Nobody can say. In section 7 the model with the lower ELBO is the one with the higher likelihood, and 50 draws turn the order round.
# 3. Worse, with the plain gradient; better once it is doubly reparameterised (step 10).
# 4. Yes: six of ten latents, with an exact posterior and at the maximum of the likelihood (section 7).
#
# ## 8. Exercises
#
# Replace `...` and run the cell. If your answer is wrong, the checker names the likely mistake; `course.hint("05.split")` gives three hints, one at a time.
#
# **1. Compute.** Decoder $.3,.9$, prior $\tfrac12,\tfrac12$, guess $q(z{=}1)=.6$, but now you see $x=0$. Give (reconstruction, KL to the prior, ELBO, gap).

# %%
my_row = ...
course.exercise("05.other-side", my_row)


# %% [markdown]
# **2. Derive.** The ELBO for a latent with $k$ values from `log_lik` ($\log p(x\mid z)$), `prior` and `q`, three arrays of length $k$.

# %%
def split(log_lik, prior, q):
    return ...


course.exercise("05.split", split)


# %% [markdown]
# **3. Derive.** The posterior is normal with covariance matrix `cov`; $q$ is normal with the same mean and variances `v` that *you may choose*. Return the
# gap of the best choice.

# %%
def mean_field_gap(cov):
    return ...


course.exercise("05.mean-field", mean_field_gap)


# %% [markdown]
# **4. Build.** The importance-weighted bound from `log_w`, an array `(K, b)`, one number for each example. Real log-weights are around $-1000$.

# %%
def many_draws(log_w):
    return ...


course.exercise("05.log-mean-weight", many_draws)


# %% [markdown]
# **5. Build.** The M-step of a mixture: from data `x` `(n, d)` and responsibilities `q` `(n, k)` the component means `(k, d)`.

# %%
def component_means(x, q):
    return ...


course.exercise("05.m-step", component_means)


# %% [markdown]
# **6. Diagnose.** Codes `q` `(n, k)` of $n$ equally frequent images. Return the mutual information $I_q(x;z)$ in nats.

# %%
def information(q):
    return ...


course.exercise("05.information", information)

# %% [markdown]
# ## 9. Quiz

# %% tags=["keep-output"]
widgets.quiz(5)

# %% [markdown]
# ## 10. Summary
#
# 1. A latent-variable model explains $x$ by an unobserved $z$; $p(x)$ sums over all $z$, and that sum is out of reach for all but small latents.
# 2. Averaging over the prior is unbiased and hopeless: the draws needed grow like $r^k$.
# 3. Jensen gives $\log p(x)\ge\mathbb E_q\log w$, the ELBO, for any $q$.
# 4. ELBO = reconstruction $-$ KL to the prior. Gap = KL to the posterior, in that direction.
# 5. The gap is second order in the error of $q$, and a mean-field $q$ of a correlated posterior has too small variances.
# 6. EM is coordinate ascent on the ELBO: E closes the gap, M lifts the bound.
# 7. $K$ draws: log of the mean, not mean of the logs; the gap falls like $1/K$.
# 8. The plain gradient of $q$ gets relatively noisier as $K$ grows; the doubly reparameterised one gets cleaner.
# 9. ELBOs with unknown gaps do not rank models; print the kind beside the number.
# 10. Collapse is invisible in the ELBO: measure $I(x;z)$.
#
# | paradigm | minimises | samples by | likelihood | pays with |
# |---|---|---|---|---|
# | latent-variable | $-\mathbb E_q\log p(x\mid z)+\mathrm{KL}(q\|p(z))$ | $z\sim p(z)$, then $x\sim p(x\mid z)$ | a lower bound (exact only where $z$ can be summed) | a gap you do not see; collapse |
#
# **What production systems add.** Neural encoders and decoders with continuous latents (lesson 06); hierarchies of latents; vector-quantised codes with an
# autoregressive prior; and, above all, the VAE as the compressor under latent diffusion. Mixtures and pPCA live on as baselines, and as the place where
# claims like those of section 7 can be proved.
#
# **Sources.** Stanford CS236, lecture 5; Berkeley CS294-158, lecture 4. Dempster, Laird, Rubin 1977 and Wu 1983 (EM); Neal and Hinton 1998, theorem 2 (EM as coordinate
# ascent). Bishop, *PRML*: 9.56-9.60 (mixtures of discrete pixels), 9.70-9.72 (bound and gap), 12.45-12.46 and 12.54-12.57 (pPCA, closed form and EM); Tipping and Bishop 1999.
# Kingma and Welling 2013 (arXiv:1312.6114), eq. 1-3. Burda, Grosse, Salakhutdinov 2015 (arXiv:1509.00519), eq. 8, theorem 1. Rainforth et al. 2018
# (arXiv:1802.04537), theorem 1. Tucker et al. 2018 (arXiv:1810.04152). Hoffman and Johnson 2016 (ELBO surgery). Lucas et al. 2019 (arXiv:1911.02469): collapse in linear
# VAEs.
