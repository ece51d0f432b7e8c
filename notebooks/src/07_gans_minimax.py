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
# # 07 · GANs: the minimax game
#
# **After this lesson you will be able to**
#
# - *state* the game between a generator and a discriminator, and *derive* the best discriminator and what the generator then descends;
# - *compute* the value of the game, its Jensen-Shannon divergence and its ceiling by hand;
# - *explain*, with numbers, why the generator's loss is changed in practice, and what that change really minimises;
# - *predict* when gradient steps settle, circle or leave, and *build* a step that settles;
# - *produce* mode collapse and a vanishing gradient on purpose, *measure* them, and say which cure worked.
#
# About 75 minutes to read, about 40 seconds to run. You need lesson 03 (KL divergence) and lesson 01 (the map).

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch

import genlab_course as course
from genlab.zoo import find, load_model
from genlab import adversarial
from genlab_course import widgets
from genlab.core import NoLikelihoodError, last, log_likelihood, normal_log_prob
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import film, show, show_images
from genlab.data.digits import from_unit, load_digits, load_mnist, to_unit
from genlab.data.toys import GaussianRing
from genlab.metrics.coverage import memorization_probe, precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.nn.layers import MLP
from genlab.oracles import Gaussian, GaussianMixture, kl_gaussian
from genlab.train import fit_adversarial, minibatches
from genlab.data.digits import binarize

course.begin(lesson=7)
torch.set_default_dtype(torch.float64)  # exact numbers first; training: float32
course.draw_map(lesson=7, slim=True)

# %% [markdown]
# Every model so far was trained by asking how probable the data are under it. The model of this lesson is trained without that question. A *generator* turns noise into
# samples, a **discriminator** tries to tell them from data, and each is trained against the other: a **generative adversarial network**, or **GAN**.
# (A Wasserstein GAN, lesson 08, has a *critic* in its place.) The density of the samples exists, but no formula
# evaluates it, and none is needed: the discriminator's mistakes are the only signal. The price is that training is no longer the descent of one
# number.
#
# ## Predict first
#
# Write your answers down. You will meet each question again, with a number.
#
# 1. The data put (0.5, 0.5) on two outcomes, the generator (0.7, 0.3). How sure can the best discriminator be on the first outcome?
# 2. A fake is recognised: the discriminator gives it $D = 0.01$. By what factor do the slopes of $\log(1-D)$ and of $-\log D$ differ?
# 3. In $\min_x \max_y xy$, both players take small gradient steps at the same time. Do they reach $(0, 0)$ if the steps are small enough?
# 4. A generator has lost five of eight modes. Is the divergence to blame, the generator's size, or the way the two are trained?
# 5. The discriminator's loss has stood still for a thousand steps. Are the samples still improving?

# %% [markdown]
# ## 1. The derivation
#
# ### Step 1. Two players, one value
#
# Let $p$ be the distribution of the data and $q$ that of $G(z)$, $z \sim \mathcal N(0, I)$. The discriminator outputs $D(x) \in (0, 1)$, its probability
# that $x$ is real. It is scored by the log-probability that it gives to the truth, on real and fake examples alike:
# $$\min_G \max_D\ V(D, G), \qquad V(D, G) = \mathbb E_{x\sim p}\log D(x) + \mathbb E_{z}\log\big(1 - D(G(z))\big).$$
# The discriminator wants $V$ large, the generator wants it small. In code the discriminator returns a *logit* $l$ with $D = \mathrm{sigmoid}(l)$, because
# $-\log D = \mathrm{softplus}(-l)$ stays finite however sure it is. First check: enumerate $V$ over two outcomes with the probability $D$
# itself, against the package's loss averaged over a batch of examples with those frequencies.

# %%
p, q = np.array([0.5, 0.5]), np.array([0.7, 0.3])
logit = np.array([-0.2, 0.9])  # some discriminator, not a good one
D = 1 / (1 + np.exp(-logit))
value = (p * np.log(D) + q * np.log(1 - D)).sum()

real_batch = torch.tensor(np.repeat(logit, [5, 5]))  # ten real examples, half and half
fake_batch = torch.tensor(np.repeat(logit, [7, 3]))
check(
    "value: enumeration vs a batch",
    value,
    -adversarial.discriminator_loss(real_batch, fake_batch).mean(),
    unlike={
        "real and fake exchanged": -adversarial.discriminator_loss(
            fake_batch, real_batch
        ).mean()
    },
)

# %% [markdown]
# Notice that we did not need a formula for $q$. A GAN has no likelihood, and its class says so: there is no such method, and calling it is an error
# that says what to do instead.

# %%
gan = find("digit_gan").untrained()
try:
    log_likelihood(gan, torch.zeros(1, 1, 8, 8))
except NoLikelihoodError as error:
    print(error)

# %% [markdown]
# ### Step 2. The best discriminator, one outcome at a time
#
# Hold the generator still. $V$ is a sum over $x$ and the discriminator may choose $D(x)$ freely at each, so it maximises each term by itself:
# $p \log D + q \log(1-D)$. The derivative $p/D - q/(1-D)$ vanishes once, and the second derivative is negative:
# $$D^*(x) = \frac{p(x)}{p(x)+q(x)}, \qquad l^*(x) = \log p(x) - \log q(x).$$
# It is Bayes' rule with half of the examples real. The second route below knows no calculus: it tries 100,000 values of $D$ for each outcome.

# %%
examples = [
    (np.array([0.5, 0.5]), np.array([0.7, 0.3])),
    (np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.5, 0.3])),
]
tries = (np.arange(100_000) + 0.5) / 100_000
for p, q in examples:
    found = [
        tries[np.argmax(a * np.log(tries) + b * np.log(1 - tries))]
        for a, b in zip(p, q, strict=True)
    ]
    logits = adversarial.optimal_logits(torch.tensor(p).log(), torch.tensor(q).log())
    check(
        f"D* of {len(p)} outcomes: search vs sigmoid of l*",
        found,
        logits.sigmoid(),
        atol=1e-5,
        unlike={"the odds p / q": p / q, "the chance of a fake": q / (p + q)},
    )
    print("    D* =", " ".join(f"{d:.4f}" for d in logits.sigmoid()))



# %% [markdown]
# ### Step 3. What the best discriminator measures
#
# Put $D^*$ back and write $m = (p+q)/2$. Each logarithm is $\log\frac{p}{2m} = \log\frac pm - \log 2$, so
# $$V(D^*, G) = -\log 4 + \mathrm{KL}(p\,\|\,m) + \mathrm{KL}(q\,\|\,m) = -\log 4 + 2\,\mathrm{JS}(p\,\|\,q).$$
# JS is the **Jensen-Shannon divergence**. It is why the game is worth playing: against the best discriminator the generator descends a divergence that is zero only at $q = p$. Route
# one plugs $D^*$ into $V$. Route two needs no discriminator: $\mathrm{JS} = H(m) - \tfrac12 H(p) - \tfrac12 H(q)$, from three entropies.

# %%
def entropy(p):
    return -(p * np.log(p)).sum()


for p, q in examples:
    D = p / (p + q)
    played = (p * np.log(D) + q * np.log(1 - D)).sum()
    js = entropy((p + q) / 2) - entropy(p) / 2 - entropy(q) / 2
    check(
        f"V at D*, {len(p)} outcomes: played vs -log 4 + 2 JS",
        played,
        -np.log(4) + 2 * js,
        unlike={"JS counted once": -np.log(4) + js},
    )
    kl_p, kl_q = (float((side * np.log(2 * side / (p + q))).sum()) for side in (p, q))
    print(f"    by hand: KL(p || m) {kl_p:.4f}, KL(q || m) {kl_q:.4f}, JS {js:.4f}")
print(f"equal distributions, D* = 1/2: V = -log 4 = {-math.log(4):.4f}")

# %% [markdown]
# ### Step 4. A ceiling, and what lies under it
#
# Where only $p$ has mass, $p/m = 2$. If that holds everywhere, both KL divergences equal $\log 2$, and they can never be larger. So
# $\mathrm{JS} \le \log 2$, reached by *any* two distributions that do not overlap. Two unit Gaussians at distance $\delta$ approach it, and once
# they are there the divergence no longer says how far apart they are. The check integrates JS numerically on a fine grid; its partner
# averages $\tfrac12[\log 2D^*]$ over samples of $p$ and $\tfrac12[\log 2(1-D^*)]$ over samples of $q$, as a trained pair would see it.

# %%
one, other = torch.eye(2)
both = sum(torch.xlogy(side, 2 * side / (one + other)).sum() for side in (one, other))
check(
    "JS of two distributions without overlap: log 2",
    adversarial.jensen_shannon(one, other),
    math.log(2),
    unlike={"the sum of both KL, not their mean": both},
)
x = torch.linspace(-15, 25, 8001)


def on_grid(mean, std=1.0):
    density = normal_log_prob(x[:, None], mean, std).exp()
    return density / density.sum()


noise = torch.randn(40_000, 2, generator=torch.Generator().manual_seed(0))
for delta in (1.0, 3.0, 8.0):
    js = adversarial.jensen_shannon(on_grid(0.0), on_grid(delta)).item()
    log_ratio_real = delta**2 / 2 - delta * noise[:, 0]  # log p - log q at x ~ p
    log_ratio_fake = -(delta**2) / 2 - delta * noise[:, 1]  # and at x ~ q
    pairs = math.log(2) - adversarial.discriminator_loss(
        log_ratio_real, log_ratio_fake) / 2
    swapped = math.log(2) - adversarial.discriminator_loss(
        log_ratio_fake, log_ratio_real) / 2
    check_close_mc(
        f"JS of two Gaussians, distance {delta:g}",
        pairs,
        js,
        unlike={"p and q exchanged": swapped},
    )

# %% [markdown]
# **A common misconception: "GANs lose modes because of the Jensen-Shannon divergence."** It tempts because one divergence can prefer fewer
# modes than another. Goodfellow (2016, section 3.2.5) argued that the choice of divergence cannot be the main cause, and you can compute
# it. Let $p$ have eight equal modes and let $q$ cover $k$ of them evenly. Enumerate JS and compare it with the closed form
# $$\mathrm{JS}(k) = \tfrac12\Big[\tfrac k8\log\tfrac{2k}{k+8} + \big(1-\tfrac k8\big)\log 2 + \log\tfrac{16}{k+8}\Big].$$
# It falls strictly with every mode gained, and so does what the practical loss of step 7 minimises. At the best discriminator, a generator that
# *can* cover all eight modes evenly loses by dropping one. The divergence alone does not drop modes. (A generator too small to cover them
# all is another matter: then the divergences differ in what they sacrifice, as in lesson 03.)

# %%
k = torch.arange(1, 9)
q = (torch.arange(8) < k[:, None]) / k[:, None]
p = torch.full((8, 8), 1 / 8)
closed = 0.5 * (k / 8 * (2 * k / (k + 8)).log()
                + (1 - k / 8) * math.log(2) + (16 / (k + 8)).log())
without = 0.5 * (k / 8 * (2 * k / (k + 8)).log() + (16 / (k + 8)).log())
check(
    "JS when k of 8 modes are covered",
    adversarial.jensen_shannon(p, q),
    closed,
    unlike={"the modes that q misses forgotten": without},
)
practical = adversarial.non_saturating_divergence(p, q)
both_fall = (closed.diff() < 0) & (practical.diff() < 0)
check("covering one more mode always lowers both", bool(both_fall.all()), True)
print("JS for k = 1..8:", " ".join(f"{v:.4f}" for v in closed))

# %% [markdown]
# ### Step 5. A network finds the log-ratio without knowing either density
#
# The discriminator sees samples, nothing else, and step 2 says where training must take it: $l = \log p - \log q$. Take a mixture for $p$ and a
# Gaussian for $q$, train a small network on `discriminator_loss`, and compare it with the two oracles, which it has never met.

# %%
torch.set_default_dtype(torch.float32)
seed = torch.Generator().manual_seed(7)
torch.manual_seed(7)
real = GaussianMixture(
    torch.tensor([0.4, 0.6]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.5, 0.7])
)
fake = Gaussian(torch.zeros(1), 2.0 * torch.eye(1))
discriminator = MLP(1, 1, 64, 2)
adam = torch.optim.Adam(discriminator.parameters(), lr=5e-3)
for _ in range(500):
    l_real, l_fake = (discriminator(law.sample(512, generator=seed)).squeeze(1)
                      for law in (real, fake))
    adam.zero_grad()
    adversarial.discriminator_loss(l_real, l_fake).mean().backward()
    adam.step()

grid = torch.linspace(-3, 3, 121)[:, None]
truth = adversarial.optimal_logits(real.log_prob(grid), fake.log_prob(grid))
learned = discriminator(grid).squeeze(1).detach()
weight = real.log_prob(grid).exp() + fake.log_prob(grid).exp()
error = (weight * (learned - truth).abs()).sum() / weight.sum()
untrained = (weight * truth.abs()).sum() / weight.sum()
check_range(
    "mean |learned logit - (log p - log q)|",
    error,
    0.0,
    0.15,
    unlike={"a discriminator that says 0 everywhere": untrained},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(6.6, 3.4))
ax.plot(grid, truth, label=r"oracle: $\log p - \log q$")
ax.plot(grid, learned, label="discriminator, from samples alone")
ax.set(xlabel="x", ylabel="logit", title="a trained discriminator is a density ratio")
ax.legend(loc="lower center")
show(figure, "Logit against x: the trained discriminator's dashed curve, with two "
     "humps and a dip between them, lies on the oracle's log p - log q; they part a "
     "little at the left edge.")

# %% [markdown]
# ### Step 6. A sure discriminator leaves the generator without a slope
#
# The generator feels the discriminator through the logit of its own samples. By the chain rule, with $D' = D(1-D)$,
# $$\frac{d}{dl}\log(1-D) = -D, \qquad \frac{d}{dl}\big(-\log D\big) = -(1-D).$$
# A recognised fake has $D \approx 0$: the loss of the game is flat exactly where the generator has most to learn. The second loss,
# **non-saturating**, asks for the same thing (a larger $D$) and keeps its slope. At $D = 0.01$ the two are 0.01 and 0.99. Autograd against
# central differences:

# %%
torch.set_default_dtype(torch.float64)
d = torch.tensor([0.01, 0.3, 0.9])
logit = (d / (1 - d)).log().requires_grad_()
h = 1e-5
for loss, formula, exchanged in (
    (adversarial.minimax_generator_loss, -d, d - 1),
    (adversarial.non_saturating_generator_loss, d - 1, -d),
):
    (slope,) = torch.autograd.grad(loss(logit).sum(), logit)
    difference = (loss(logit + h) - loss(logit - h)) / (2 * h)
    name = loss.__name__.removesuffix("_generator_loss")
    check(
        f"{name}: autograd vs difference",
        slope,
        difference,
        unlike={"the other loss": exchanged},
    )
    in_d = slope / (d * (1 - d))
    check(
        f"{name}: vs the formula, D = .01, .3, .9",
        slope,
        formula,
        unlike={"slope in D": in_d},
    )

# %% [markdown]
# **For a batch the two losses may disagree.** For one sample their gradients have the same direction: they differ by the positive factor
# $(1-D)/D$. For a batch the factors differ from sample to sample, and a sum with other weights is another direction. Two fakes suffice.
# One is recognised ($D = 0.01$), and moving the generator's parameter $w$ up would raise its logit. The other is believed ($D = 0.9$), and moving
# $w$ down would raise its logit. The two losses then disagree about the *sign* of the step.

# %%
d = torch.tensor([0.01, 0.9])
# how each logit changes with the generator's parameter w
wishes = torch.tensor([1.0, -1.0])
w = torch.zeros((), requires_grad=True)
logits = torch.log(d / (1 - d)) + wishes * w
slopes = []
for loss in (adversarial.minimax_generator_loss,
             adversarial.non_saturating_generator_loss):
    slopes.append(torch.autograd.grad(loss(logits).mean(), w, retain_graph=True)[0])
by_hand = [-(d * wishes).mean(), -((1 - d) * wishes).mean()]
check(
    "batch slope, minimax and non-saturating",
    torch.stack(slopes),
    by_hand,
    unlike={
        "one factor for the whole batch": [
            by_hand[0],
            by_hand[0] * (1 - d.mean()) / d.mean(),
        ]
    },
)
per_sample = ((1 - d) / d).tolist()
print(
    f"factor of each sample: {per_sample[0]:.0f} and {per_sample[1]:.4f}; "
    f"of the batch: {slopes[1] / slopes[0]:.0f}"
)

# %% [markdown]
# ### Step 7. What does the practical generator descend?
#
# It is no longer playing the game of step 1, so step 3 no longer says what it minimises. Hold the discriminator at $D^*$ and take the slope of
# $\mathbb E_q[-\log D^*]$ in the generator's parameters: only $q$ moves, and $-\log D^* = \log\frac{p+q}{p}$. Compare
# $\nabla\,\mathrm{KL}(q\|p) = \int \nabla q\,\log\frac qp$ and $\nabla\,2\,\mathrm{JS} = \int \nabla q\,\log\frac{2q}{p+q}$ (the other
# terms integrate to zero). Their difference is $\int \nabla q\,\log\frac{p+q}{2p}$, which is ours up to a constant:
# $$\nabla\,\mathbb E_q[-\log D]\,\big|_{D = D^*} = \nabla\,\big[\mathrm{KL}(q\,\|\,p) - 2\,\mathrm{JS}(p\,\|\,q)\big].$$
# A reverse KL: mode-seeking (lesson 03), minus a term that pushes apart. Route one: autograd through samples $x = \mu + \epsilon$ laid out
# on a grid, discriminator frozen. Route two: central differences of the bracket, with $\mathrm{KL} = \mu^2/2$ in closed form.

# %%
eps = torch.linspace(-9, 9, 4001)[:, None]
on_cells = normal_log_prob(eps, 0.0, 1.0).exp()
on_cells = on_cells / on_cells.sum()


def frozen_slope(loss, mu):
    shift = torch.tensor(mu, requires_grad=True)
    sample = shift + eps  # moves with the generator; the discriminator below does not
    logits = adversarial.optimal_logits(
        normal_log_prob(sample, 0.0, 1.0), normal_log_prob(sample, mu, 1.0)
    )
    return torch.autograd.grad((on_cells * loss(logits)).sum(), shift)[0]


def js_at(mu):
    return adversarial.jensen_shannon(on_grid(0.0), on_grid(mu))


def slope_of(divergence, mu):
    return (divergence(mu + 1e-4) - divergence(mu - 1e-4)) / 2e-4


for mu in (1.0, 4.0):
    check(
        f"minimax slope at mu = {mu:g} vs 2 JS",
        frozen_slope(adversarial.minimax_generator_loss, mu),
        slope_of(lambda m: 2 * js_at(m), mu),
        atol=1e-6,
        unlike={"JS, not twice JS": slope_of(js_at, mu)},
    )
    check(
        "    non-saturating vs KL(q || p) - 2 JS",
        frozen_slope(adversarial.non_saturating_generator_loss, mu),
        slope_of(lambda m: m**2 / 2 - 2 * js_at(m), mu),
        atol=1e-6,
        unlike={
            "the reverse KL alone": slope_of(lambda m: m**2 / 2, mu),
            "KL(q || p) - JS": slope_of(lambda m: m**2 / 2 - js_at(m), mu),
        },
    )

# %% [markdown]
# ### Step 8. Any convex function gives a game
#
# Jensen-Shannon is one member of a family. For convex $f$ let $D_f(p\|q) = \mathbb E_q f(p/q)$; it is an **f-divergence**, zero for equal
# distributions, if $f(1) = 0$. With the **convex conjugate** $f^*(t) = \sup_u\,[ut - f(u)]$, a convex function is the upper envelope of its
# tangents, $f(u) = \sup_t\,[ut - f^*(t)]$. Choosing one $t = T(x)$ for each $x$ instead of the best one can only lose, so
# $$D_f(p\,\|\,q) \ge \mathbb E_p\,T(x) - \mathbb E_q\,f^*\big(T(x)\big), \qquad \text{equal at}\quad T^*(x) = f'\Big(\frac{p(x)}{q(x)}\Big).$$
# The right side contains samples only, so there is a GAN for every $f$, the **f-GAN**. Two things must then hold at $T^*$. The bound equals the divergence (left side
# in closed form, where there is one, for two Gaussians). And it is *flat* there: change $T^*$ by a small multiple of some function,
# here $1/(1+u)$ with $u = p/q$, in either direction, and the bound falls, with slope zero at $T^*$.

# %%
mean, std = 0.5, 0.8
P, Q = on_grid(mean, std), on_grid(0.0)
log_p, log_q = normal_log_prob(x[:, None], mean, std), normal_log_prob(x[:, None], 0, 1)
log_ratio = log_p - log_q
u = log_ratio.exp()
law_p, law_q = (
    Gaussian(torch.tensor([mean]), torch.tensor([[std**2]])),
    Gaussian(torch.zeros(1), torch.eye(1)),
)
pearson = math.exp(mean**2 / (2 - std**2)) / (std * math.sqrt(2 - std**2)) - 1
entropies = [torch.special.entr(law).sum() for law in ((P + Q) / 2, P, Q)]
rows = {
    "KL(p || q)": (adversarial.KL, kl_gaussian(law_p, law_q)),
    "KL(q || p)": (adversarial.REVERSE_KL, kl_gaussian(law_q, law_p)),
    "Pearson": (adversarial.PEARSON, pearson),
    "JS": (adversarial.JENSEN_SHANNON,
           entropies[0] - (entropies[1] + entropies[2]) / 2),
    "the game": (adversarial.GAME, adversarial.best_value(P, Q)),
}


# %% [markdown]
# Now the bound, and its slope when $T$ is tilted by $s/(1+u)$:

# %%
def bound(row, t, conjugate=None):
    inside = (P > 1e-300) & (u > 1e-12)  # where both densities are numbers
    return (P * t - Q * (conjugate or row.conjugate)(t))[inside].sum()


def tilt(row, conjugate=None):
    up, down = (
        bound(row, row.slope(u) + s / (1 + u), conjugate) for s in (1e-3, -1e-3)
    )
    return (up - down) / 2e-3


# %%
tight = [bound(row, row.slope(u)) for row, _ in rows.values()]
swapped = [
    rows[name][1] for name in ("KL(q || p)", "KL(p || q)", "Pearson", "JS", "the game")
]
truths = [float(truth) for _, truth in rows.values()]
check(
    "f-GAN: five bounds at T* vs closed forms",
    tight,
    truths,
    atol=1e-7,
    unlike={"KLs exchanged": swapped},
)
check(
    "f-GAN: slope of the five bounds at T*",
    [tilt(row) for row, _ in rows.values()],
    0.0,
    atol=1e-6,
    unlike={
        "Pearson's conjugate without t": tilt(adversarial.PEARSON, lambda t: t**2 / 4)
    },
)
moved = [
    bound(row, row.slope(u) + s / (1 + u))
    for row, _ in rows.values()
    for s in (-0.1, 0.1)
]
best = [b for b in tight for _ in range(2)]
lower = all(b < t for b, t in zip(moved, best, strict=True))
check("    any of them falls when T* is moved by a tenth", lower, True)
print(
    "the five:",
    " ".join(f"{name} {value:.4f};" for name, value in zip(rows, truths, strict=True)),
)

# %% [markdown]
# The last row is the game of step 1: with $T = \log D$ its conjugate is $-\log(1 - e^T)$, and the bound *is* $V(D, G)$. Its $f$ has
# $f(1) = -\log 4$ instead of 0, so for equal distributions it gives the value of the game at the equilibrium. In practice a
# network outputs any real number $v$ and an activation $a$ maps it to where $f^*$ is finite; for the game $a(v) = \log\mathrm{sigmoid}(v)$.

# %%
v_real, v_fake = torch.randn(2, 64, generator=torch.Generator().manual_seed(1))
game_bound = adversarial.f_gan_bound(adversarial.GAME, v_real, v_fake)
check(
    "f-GAN with the game's row vs -discriminator_loss",
    game_bound,
    -adversarial.discriminator_loss(v_real, v_fake),
    unlike={
        "real and fake exchanged": adversarial.f_gan_bound(
            adversarial.GAME, v_fake, v_real
        )
    },
)

# %% [markdown]
# ### Step 9. The game itself: two numbers
#
# So far one player held still. Now both move. The simplest game is $\min_x\max_y\,xy$, with its only equilibrium at $(0,0)$. The directions
# are $v = (-y, x)$: always perpendicular to the position. Follow them exactly and you circle for ever. Take a *step* of length $\eta|z|$
# along the tangent, and Pythagoras sends you outwards by
# $$|z_{k+1}| = \sqrt{1+\eta^2}\;|z_k|$$
# for every $\eta > 0$: a smaller rate only delays it. Four ways out. *Take turns*: then $x^2+y^2-\eta xy$ is conserved, an ellipse.
# *Average* that bounded orbit: its mean goes to the equilibrium like $1/n$. *Look ahead* (extragradient: use the direction found one step
# further): the factor becomes $\sqrt{1-\eta^2+\eta^4}$, below 1 for $0 < \eta < 1$. *Extrapolate* (optimistic): for small $\eta$ nearly the
# same factor, with one gradient a step.

# %%
start, eta, n = torch.tensor([1.0, 0.5]), 0.2, 150
turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
field = adversarial.bilinear_field
stepping = {
    "simultaneous": partial(adversarial.simultaneous_step, field=field, lr=eta),
    "alternating": partial(adversarial.alternating_step, field=field, lr=eta),
    "extragradient": partial(adversarial.extragradient_step, field=field, lr=eta),
}
orbits = {
    name: torch.stack([start, *adversarial.play(start, step, n_steps=n)])
    for name, step in stepping.items()
}
states = adversarial.play_optimistic(start, field=field, lr=eta, n_steps=n)
orbits["optimistic"] = torch.stack([start, *states])

growth = {name: orbit[-1].norm() / orbit[0].norm() for name, orbit in orbits.items()}
check(
    "simultaneous: growth in 150 steps",
    growth["simultaneous"],
    (1 + eta**2) ** (n / 2),
    unlike={
        "the exact flow, a circle": torch.linalg.matrix_exp(n * eta * turn)[0].norm()
    },
)
check(
    "extragradient: growth in 150 steps",
    growth["extragradient"],
    (1 - eta**2 + eta**4) ** (n / 2),
    unlike={"eta^4 dropped": (1 - eta**2) ** (n / 2)},
)
X, Y = orbits["alternating"].T
kept = X**2 + Y**2 - eta * X * Y
check(
    "alternating: x^2 + y^2 - eta x y at all steps",
    kept,
    kept[0],
    unlike={"x^2 + y^2": X**2 + Y**2},
)

# %% [markdown]
# The average can be had without adding up. Each alternating step moves $x$ by $-\eta y_k$ and $y$ by $+\eta x_{k+1}$, so the sums telescope:
# $$\frac1n\sum_{k=1}^n x_k = \frac{y_n-y_0}{\eta n},\qquad \frac1n\sum_{k=0}^{n-1} y_k = \frac{x_0-x_n}{\eta n}.$$
# On an ellipse the right sides are bounded by a constant over $n$: that is the $1/n$.
#
# In the complex plane, $z = x + iy$, an optimistic step reads $z_{k+1} = (1 + 2i\eta)\,z_k - i\eta\,z_{k-1}$, and the larger root of its
# characteristic polynomial must be the factor that the orbit shows once the smaller one has died out.

# %%
roots = np.roots([1, -(1 + 2j * eta), 1j * eta])
radii = orbits["optimistic"].norm(dim=1)
factor = (radii[-1] / radii[-51]) ** (1 / 50)
check(
    "optimistic: factor a step vs the larger root",
    factor,
    abs(roots).max(),
    atol=1e-6,
    unlike={"the factor of extragradient": math.sqrt(1 - eta**2 + eta**4)},
)
added_up = torch.stack([X[1:].mean(), Y[:-1].mean()])
telescoped = torch.stack([Y[-1] - Y[0], X[0] - X[-1]]) / (eta * n)
swapped = torch.stack([X[-1] - X[0], Y[0] - Y[-1]]) / (eta * n)
check(
    "alternating: means, added up",
    added_up,
    telescoped,
    unlike={"x and y swapped": swapped},
)
for name in ("simultaneous", "alternating"):
    far = orbits[name][-1].norm()
    mean = last(adversarial.running_mean(orbits[name])).norm()
    print(f"{name}: distance of the last state {far:.3f}, of the average {mean:.3f}")

# %% [markdown]
# The average of the bounded orbit goes to the equilibrium; that of the spiral lies nearer than its last state, but grows with it. Is this toy a caricature? The smallest real GAN, the **Dirac GAN**, says no: data at
# the point 0, a generator that makes the point $\theta$, a discriminator $l(x) = \psi x$. Its field near the equilibrium is the same rotation, at
# half the speed. Now add to the discriminator's loss a penalty on its slope *at the data*, $R_1 = \frac\gamma2\|\nabla l\|^2 = \frac\gamma2\psi^2$. The
# linearised field becomes $\begin{pmatrix}0&\frac12\\-\frac12&-\gamma\end{pmatrix}$ with eigenvalues of real part $-\gamma/2$ as
# long as $\gamma \le 1$: friction.

# %%
lr, gamma, steps = 0.01, 0.4, 2000
J = torch.func.jacrev(partial(adversarial.dirac_field, gamma=gamma))(torch.zeros(2))
eigenvalues = torch.linalg.eigvals(J)
check(
    "smallest GAN: real part of the eigenvalues",
    eigenvalues.real,
    -gamma / 2,
    unlike={"without R1": torch.linalg.eigvals(turn / 2).real},
)
rates = {}
for g in (0.0, gamma):
    step = partial(
        adversarial.simultaneous_step,
        field=partial(adversarial.dirac_field, gamma=g), lr=lr
    )
    path = torch.stack(
        list(adversarial.play(torch.tensor([1e-3, 0.0]), step, n_steps=steps)))
    rates[g] = torch.log(path[-1].norm() / path[0].norm()) / (lr * steps)
leaving = math.log(1 + lr**2 / 4) / (2 * lr)  # by Pythagoras, at half the speed
check(
    "rate without R1 (> 0: leaves)",
    rates[0.0],
    leaving,
    rtol=1e-3,
    unlike={"at full speed": math.log(1 + lr**2) / (2 * lr)},
)
check_range(
    "measured rate with R1 (about -gamma / 2)",
    rates[gamma],
    -0.23,
    -0.17,
    unlike={"without R1": rates[0.0]},
)


# %% jupyter={"source_hidden": true}
def scene(k):
    """The four orbits up to step k, and their distances from the equilibrium."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6))
    for name, orbit in orbits.items():
        (drawn,) = left.plot(*orbit[: k + 1].T, linewidth=1.3, label=name)
        left.plot(*orbit[k], "o", color=drawn.get_color(), markersize=6)
        right.semilogy(orbit[: k + 1].norm(dim=1))
    left.plot(0, 0, "+", color="black", markersize=12)
    left.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xlabel="x (minimises)",
             ylabel="y (maximises)", title="one game, four ways to step")  # fmt: skip
    right.set(xlabel="step", ylabel="distance from the equilibrium", xlim=(0, n),
              ylim=(0.03, 30), title="who arrives?")  # fmt: skip
    labels = left.get_legend_handles_labels()
    figure.legend(*labels, loc="outside lower center", ncols=4)
    return figure


film(
    (scene(k) for k in range(0, n + 1, 6)),
    "Four orbits from one start: simultaneous steps spiral outwards and leave the "
    "picture, alternating ones stay on a ring, extragradient and optimistic ones "
    "spiral into the equilibrium; beside them their distances from it: rising, level, "
    "falling.",
    seconds=5, width=688,
)  # fmt: skip

# %% [markdown]
# Now play the smallest GAN yourself: four ways to step, from one start that you can drag; the line at the upper right is the discriminator's
# logit, and the sample climbs it. Press play first, with `R1 gamma` at 0: who leaves, who circles, who arrives? Then decide before you move a
# slider: is there a rate at which simultaneous steps settle without $\gamma$? Which $\gamma$ settles fastest, and what happens beyond it?

# %% tags=["keep-output"]
widgets.game_orbit()

# %% [markdown]
# The answers, counted. Without $\gamma$ this field too is perpendicular to the position, so Pythagoras sends simultaneous steps outwards at every
# rate. With it, near the equilibrium the field is linear, and the slowest of its two directions decides: with friction $\gamma<1$ both die out at
# rate $\gamma/2$ while they turn; beyond $\gamma=1$ nothing turns any more, one direction dies fast and the other slower and slower. That is an
# overdamped oscillator.

# %%
slow_rates = np.arange(0.05, 0.85, 0.05)
shrinking = [
    bool(
        adversarial.simultaneous_step(start, field=adversarial.dirac_field, lr=r).norm()
        < start.norm()
    )
    for r in slow_rates
]
check("no rate lets simultaneous steps settle", any(shrinking), False)
gammas = np.arange(0.1, 2.05, 0.1)
slowest = []
for g in gammas:
    J = torch.func.jacrev(partial(adversarial.dirac_field, gamma=float(g)))(
        torch.zeros(2))
    slowest.append(torch.linalg.eigvals(J).real.max().item())
fastest = gammas[np.argmin(slowest)]
most_friction = gammas[np.argmin([-g / 2 for g in gammas])]
check(
    "the gamma that settles fastest",
    fastest,
    1.0,
    unlike={"-gamma/2 for every gamma": most_friction},
)
# of r^2 + 2 r + 1/4 = 0, the characteristic equation at gamma = 2
root = -1 + math.sqrt(3) / 2
check(
    "beyond it: slowest rate at gamma = 2",
    slowest[-1],
    root,
    unlike={"-gamma / 2": -gammas[-1] / 2},
)


# %% [markdown]
# ## 2. The equation becomes code
#
# The formulas are three short functions. Write them yourself; a cell compares them with the package's. What surrounds them is a loop that
# alternates: one step of the discriminator on real and generated examples, one step of the generator through the discriminator
# (`genlab.train.fit_adversarial`, Goodfellow et al. 2014, algorithm 1).

# %%
def my_discriminator_loss(l_real, l_fake):
    log_sigmoid = torch.nn.functional.logsigmoid
    return -log_sigmoid(l_real) - log_sigmoid(-l_fake)


def my_generator_loss(l_fake):
    return -torch.nn.functional.logsigmoid(l_fake)


def my_r1(discriminator, x):
    logit = lambda one: discriminator(one[None]).squeeze()
    slope = torch.func.vmap(torch.func.grad(logit))(x)
    return slope.flatten(1).square().sum(1)


# %%
mine = torch.stack([my_discriminator_loss(v_real, v_fake), my_generator_loss(v_fake)])
theirs = torch.stack(
    [
        adversarial.discriminator_loss(v_real, v_fake),
        adversarial.non_saturating_generator_loss(v_fake),
    ]
)
other = [
    adversarial.discriminator_loss(v_fake, v_real),
    adversarial.minimax_generator_loss(v_fake),
]
check(
    "my two losses = the package's",
    mine,
    theirs,
    unlike={"labels swapped, minimax": torch.stack(other)},
)
net = MLP(2, 1, 16, 2)
points = torch.randn(32, 2, generator=torch.Generator().manual_seed(2)).requires_grad_()
slopes_there = torch.autograd.grad(net(points).sum(), points)[0].norm(dim=1)
check(
    "my R1 = the package's",
    my_r1(net, points),
    adversarial.r1_penalty(net(points).squeeze(1), points),
    unlike={"the slope, not its square": slopes_there},
)
course.show_source(adversarial.r1_penalty)

# %% [markdown]
# ## 3. Train on the digits
#
# Two small perceptrons, the non-saturating loss, $R_1$ with $\gamma = 1$, 1,500 steps of each player (`find("digit_gan").settings` has every number).
# No likelihood will tell us how good the result is, and the two losses will not either, so measure the *samples*: the Fréchet distance
# between features of generated and of held-out images (lesson 09 takes it apart; the features are those of a small digit classifier), and
# precision and recall: what fraction of samples looks like data, and what fraction of the data the samples reach.

# %%
torch.set_default_dtype(torch.float32)
train_images = load_digits("train").images
held_out = torch.cat([load_digits("val").images, load_digits("test").images])
classifier = load_classifier()


def describe(images):
    return classifier.features(images.double()).detach()


reference = describe(held_out)


def draw(gan, n, seed=1):
    return from_unit(gan.sample(n, generator=torch.Generator().manual_seed(seed)),
                     whole=False)


def distance(gan):
    return frechet_distance(reference, describe(draw(gan, 1000))).item()


gan = find("digit_gan").untrained()
frechet, shots = {}, {}


def with_snapshots(records):
    for record in records:
        if record.step in (1, 100, 200, 400, 700, 1000, 1500):
            frechet[record.step] = distance(gan)
        if record.step in (1, 20, 40, 60, 80) or record.step % 100 == 0:
            shots[record.step] = draw(gan, 16, seed=2)  # with a generator of its own
        yield record


# %%
run = widgets.watch(
    with_snapshots(find("digit_gan").train(gan, to_unit(train_images))),
    total=1500, label="loss, nats"
)
check_range(
    "Fréchet distance to held-out digits",
    frechet[1500],
    0.2,
    1.1,
    unlike={"after one step": frechet[1], "after 100 steps": frechet[100]},
)

# %%
quality = precision_recall(reference, describe(draw(gan, 400)))
floor = frechet_distance(reference, describe(train_images[:1000])).item()
real_quality = precision_recall(reference, describe(train_images[:400]))
made = classifier.probs(draw(gan, 1000).double()).argmax(1).bincount(minlength=10)
few = precision_recall(reference, describe(draw(find("digit_gan").untrained(), 400)))
check_range(
    "the same distance for real training images",
    floor,
    0.05,
    0.15,
    unlike={"generated images": frechet[1500]},
)
check_range(
    "precision of the samples",
    quality.precision,
    0.5,
    0.85,
    unlike={"real images": real_quality.precision},
)
check_range(
    "recall of the samples", quality.recall, 0.6, 0.95, unlike={"untrained": few.recall}
)
check_range("fraction of the rarest digit among samples", made.min() / 1000, 0.03, 0.1)
print(f"precision of real images ~{real_quality.precision:.2f}: not 1, see lesson 09")


# %% jupyter={"source_hidden": true}
def scene(step):
    """The same 16 latent draws after so many steps, beside data."""
    figure, axes = plt.subplots(1, 2, figsize=(10.6, 1.7))
    figure.get_layout_engine().set(wspace=0.04)
    show_images(axes[0], shots[step], n_columns=8,
                title=f"generated, after step {step:,}")  # fmt: skip
    show_images(axes[1], held_out[:16], n_columns=8, title="held-out data")
    return figure


film(
    (scene(step) for step in shots),
    "Sixteen generated images during training, beside sixteen digits that were held "
    "out: grey noise becomes blots, then strokes, and in the end most of them digits.",
    seconds=5, width=848,
)  # fmt: skip

# %% [markdown]
# Strokes are crisp and all ten digits are there, but some images show no digit, and the precision is well below that of real images. A few
# seconds of training leave the Fréchet distance several times above that of real images.
#
# ### The same game, larger: MNIST
#
# Now train on MNIST at $16\times16$. Convolutions know which pixels are neighbours; the loss, $R_1$ and its weight stay as they were. This takes some minutes of
# training, so the weights ship with their recipe: `genlab train mnist_gan`. There is no feature network for MNIST here, so the Fréchet
# distance is taken between the first 32 principal components of the pixels, fitted to the training images. And a question that crisp samples always
# raise: did the generator just store them? Below each sample stands its nearest training image.

# %%
big = load_model("mnist_gan")
known, unknown = (to_unit(load_mnist(part, size=16).images, 255)
                  for part in ("train", "test"))
made = big.sample(1000, generator=torch.Generator().manual_seed(1))
axes32 = torch.linalg.svd(known.flatten(1) - known.flatten(1).mean(0),
                          full_matrices=False).Vh[:32]
project = lambda x: (x.flatten(1) @ axes32.T).double()
far = frechet_distance(project(unknown), project(made)).item()
same = frechet_distance(project(unknown), project(known[:1000])).item()
pure_noise = torch.randn(
    1000, 1, 16, 16, generator=torch.Generator().manual_seed(1)
).clamp(-1, 1)
of_noise = frechet_distance(project(unknown), project(pure_noise)).item()
check_range(
    "MNIST: Fréchet distance of the samples",
    far,
    0.7,
    3.0,
    unlike={"real images": same, "noise": of_noise},
)

# %%
parts = (made, known, unknown)
probe = memorization_probe(*((x[:400] if x is made else x).flatten(1) for x in parts))
copies = memorization_probe(
    *((x[:400] if x is known else x).flatten(1) for x in (known, *parts[1:]))
)
check_range(
    "fraction nearest to a training image",
    probe.share_closer_to_train,
    0.8,
    0.97,
    unlike={"copies": copies.share_closer_to_train},
)
print(f"the same for an honest generator: {probe.honest_share:.3f}")

pick = made[:12]
twin = known[torch.cdist(pick.flatten(1), known.flatten(1)).argmin(1)]

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(3, 1, figsize=(10, 2.5))
rows = {"generated": pick, "the nearest\ntraining images": twin,
        "held-out data": unknown[:12]}  # fmt: skip
for ax, (name, images) in zip(axes, rows.items(), strict=True):
    show_images(ax, images, n_columns=12)
    ax.set_anchor("E")
    ax.text(-4, 7.5, name, ha="right", va="center")
show(figure, "Twelve generated digits, the training image nearest to each below it, "
     "and twelve held-out digits: the nearest images are similar, "
     "but not the same.")  # fmt: skip

# %% [markdown]
# The nearest images are other images, and the fraction is close to that of an honest generator (lesson 09 derives its $n/(n+m)$). Now compare
# with the VAE of lesson 06, samples with samples. Lesson 06 measured blur as the energy of fast waves: the VAE's *mean images* lack more than half
# of it. They are averages, not samples. Its samples have their energy back, and so do the samples of the GAN, so this number does not
# separate the two. What separates them is where the energy is. The VAE draws its pixels independently given $z$; the GAN's generator
# draws none. Count the pixels that differ from all four neighbours, in images cut at half grey:

# %%
wave = torch.fft.fftfreq(16)
fast = (wave[:, None] ** 2 + wave**2).sqrt() > 0.25


def fast_energy(images):
    waves = torch.fft.fft2(images.reshape(-1, 16, 16), norm="ortho")
    return (waves.abs() ** 2)[:, fast].sum(1).mean().item()


def specks(images):
    x = torch.nn.functional.pad(images.reshape(-1, 16, 16), (1, 1, 1, 1))
    steps = ((0, 1), (0, -1), (1, 0), (-1, 0))
    differs = torch.stack([x.roll(step, (1, 2)) != x for step in steps]).all(0)
    return differs[:, 1:-1, 1:-1].sum((1, 2)).float().mean().item()


# %%
vae = load_model("mnist_vae")
codes = torch.randn(1000, 16, generator=torch.Generator().manual_seed(2))
with torch.no_grad():
    smooth = vae.mean_image(codes)
    drawn = vae.sample(1000, generator=torch.Generator().manual_seed(2)).float()
inked = binarize(load_mnist("test", size=16).images).float()
of_means = fast_energy(smooth) / fast_energy(inked)
check_range("fast energy, VAE means / data", of_means, 0.3, 0.6)
for name, images, data in (("GAN", made, unknown), ("VAE", drawn, inked)):
    ratio = fast_energy(images) / fast_energy(data)
    check_range(
        f"fast energy, {name} samples / data",
        ratio,
        0.85,
        1.2,
        unlike={"VAE means": of_means},
    )
found = {"data": inked, "GAN": (made > 0).float(), "VAE": drawn}
found = {name: specks(images) for name, images in found.items()}
check_range(
    "specks, VAE samples / data",
    found["VAE"] / found["data"],
    1.5,
    4,
    unlike={"GAN": found["GAN"] / found["data"]},
)

# %% [markdown]
# ## 4. What to look at
#
# Move the generator's density and watch the best discriminator answer. At which mean is the minimax slope largest, and what has become of it at
# 6? What does the other slope do there? Shrink `std` to 0.4: where is the discriminator now sure, and of what?

# %% tags=["keep-output"]
widgets.gan_game()

# %%
mus = torch.linspace(0.05, 8, 60)
torch.set_default_dtype(torch.float64)
flat = [frozen_slope(adversarial.minimax_generator_loss, m.item()) for m in mus]
steep = [frozen_slope(adversarial.non_saturating_generator_loss, m.item()) for m in mus]

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
left.plot(mus, [js_at(m.item()) for m in mus])
left.axhline(math.log(2), color="black", linestyle=":", linewidth=1)
left.set(
    xlabel=r"distance $\mu$ of two unit Gaussians",
    ylabel="JS, nats",
    title="the ceiling log 2 is soon reached",
)
right.semilogy(mus, flat, label="minimax")
right.semilogy(mus, steep, label="non-saturating")
right.set(
    xlabel=r"distance $\mu$",
    ylabel="slope of the loss",
    title="at the best discriminator",
    ylim=(1e-4, 20),
)
right.legend(loc="lower left")
show(figure, "Left: JS rises with the distance of two Gaussians and reaches its "
     "ceiling log 2 near 5. Right, on a logarithmic scale: the non-saturating slope "
     "keeps rising, the minimax slope peaks near 1.6 and falls below "
     "a thousandth.")  # fmt: skip

# %% [markdown]
# The figure answers the first three questions. The last one, with `std` at 0.4 and the mean at 2: the generator is now a narrow peak, and the
# discriminator is sure that everything *beside* the peak is real. At the peak itself, where nearly all samples lie, it leans to "fake":
# $D^* \approx 0.05$.

# %%
turn_at = mus[np.argmax(flat)]
largest_js = mus[np.argmax([js_at(m.item()) for m in mus])]
check_range(
    "mean at which the minimax slope is largest",
    turn_at,
    1.5,
    1.8,
    digits=2,
    unlike={"where JS itself is largest": largest_js},
)
at_6 = frozen_slope(adversarial.minimax_generator_loss, 6.0).item()
other_at_6 = frozen_slope(adversarial.non_saturating_generator_loss, 6.0).item()
check_range(
    "its slope at 6 over its largest",
    at_6 / max(flat).item(),
    0.02,
    0.04,
    unlike={"the other slope": other_at_6 / max(steep).item()},
)
side = torch.tensor([[2.0], [0.0]])  # at the peak, and five standard deviations beside
sure = adversarial.optimal_logits(
    normal_log_prob(side, 0.0, 1.0), normal_log_prob(side, 2.0, 0.4)
).sigmoid()
odds = np.array(
    [0.4 * math.exp(-(2.0**2) / 2), 0.4 * math.exp(5.0**2 / 2)]
)  # p / q, by hand
peak = odds / 0.4
check(
    "D* at the peak and beside it",
    sure,
    odds / (1 + odds),
    unlike={"peak height forgotten": peak / (1 + peak)},
)

# %% [markdown]
# ## 5. It fails
#
# ### Failure 1. The vanishing gradient
#
# With two Gaussians at distance 8 the exact slopes are those at the right edge of the figure. Does it happen with a *learned* discriminator? Take
# a fresh generator for the ring of eight Gaussians, hold it still, and train the discriminator alone. The better it gets, the less the minimax
# loss tells the generator.

# %%
at_8 = [
    frozen_slope(loss, 8.0)
    for loss in (
        adversarial.minimax_generator_loss,
        adversarial.non_saturating_generator_loss,
    )
]
print(f"distance 8, best discriminator: minimax {at_8[0]:.5f}, "
      f"non-saturating {at_8[1]:.5f}")

torch.set_default_dtype(torch.float32)
ring = GaussianRing()


def ring_gan(seed, *, gamma=0.0, batch_aware=False):
    torch.manual_seed(seed)
    discriminator = MLP(4 if batch_aware else 2, 1, 64, 2)
    if batch_aware:
        discriminator = adversarial.BatchAware(discriminator)
    return adversarial.GAN(MLP(2, 2, 64, 2), discriminator, latent_dim=2,
                           event_shape=(2,), gamma=gamma)


def slopes_of(gan):
    z = torch.randn(1000, 2, generator=torch.Generator().manual_seed(0))
    logits, found = gan.logits(gan.generator_net(z)), []
    for loss in (adversarial.minimax_generator_loss,
                 adversarial.non_saturating_generator_loss):
        weights = list(gan.generator_parameters())
        grads = torch.autograd.grad(loss(logits).mean(), weights, retain_graph=True)
        found.append(math.sqrt(sum(float(g.square().sum()) for g in grads)))
    return found


# %%
still = ring_gan(0)
adam = torch.optim.Adam(still.discriminator_parameters(), lr=3e-3)
seed = torch.Generator().manual_seed(0)
slopes = {}
for step in range(601):
    if step in (50, 200, 600):
        slopes[step] = slopes_of(still)
    adam.zero_grad()
    still.discriminator_loss(ring.sample(128, generator=seed),
                             generator=seed).backward()
    adam.step()
print("discriminator's steps   generator's gradient: minimax   non-saturating")
for step, (minimax, other) in slopes.items():
    print(f"{step:14}   {'':21} ~{minimax:.4f}            ~{other:.2f}")
minimax, other = (slopes[600][k] / slopes[50][k] for k in (0, 1))
check_range(
    "minimax gradient, after 600 over after 50",
    minimax,
    0.0,
    0.2,
    unlike={"non-saturating": other},
)
apart = [math.log10(slopes[step][1] / slopes[step][0]) for step in (600, 50)]
check_range(
    "log10 of non-saturating over minimax",
    apart[0],
    3,
    9,
    digits=1,
    unlike={"after 50 steps": apart[1]},
)


# %% [markdown]
# ### Failure 2. Mode collapse
#
# Let the generator run ahead: its learning rate ten times the discriminator's, and both with heavy momentum (Adam's 0.9, the default of every
# library). Nothing else is unusual. Before you run the next cell: what is the generator's best reply to a discriminator that does not move?
#
# It is to put all samples at *one point*, wherever $D$ is largest. A fast generator is pulled towards $\max_D\min_G$, and everything that
# step 3 promised was about $\min_G\max_D$. Three numbers measure the result. Assign each sample to its nearest mode; **covered** counts the
# modes that hold at least 1 % of the samples within three standard deviations of their centre. **KL** is that of the fractions
# to uniform (0 = even, $\log 8 \approx 2.08$ = one mode). **Within 3 std** is the fraction of samples that lie so close to *any* mode. The third
# one is needed: a single round blob over the whole ring covers the modes, and evenly, yet hits them only by chance.

# %%
def modes(x):
    distance, nearest = torch.cdist(x, ring.means).min(1)
    share = nearest.bincount(minlength=8) / len(x)
    close = distance < 3 * ring.std
    covered = int((nearest[close].bincount(minlength=8) / len(x) >= 0.01).sum())
    return (
        covered,
        torch.xlogy(share, 8 * share).sum().item(),
        close.float().mean().item(),
    )


def play_ring(gan, lr, momentum, seed, n_steps=600, keep=()):
    rng, kept, losses = torch.Generator().manual_seed(seed), {}, []
    batches = minibatches(ring.sample(5000, generator=rng), 128, generator=rng)
    for r in fit_adversarial(gan, batches, n_steps=n_steps, lr=lr, betas=momentum,
                             generator=rng):
        losses.append((r.losses["discriminator"], r.losses["generator"]))
        if r.step in keep:
            kept[r.step] = gan.sample(250, generator=torch.Generator().manual_seed(1))
    return kept, np.array(losses)


rng = torch.Generator().manual_seed(5)
data_row, blob_row = (
    modes(ring.sample(2000, generator=rng)),
    modes(torch.randn(2000, 2, generator=rng)),
)
for name, row in (("the data", data_row), ("a round blob", blob_row)):
    print(f"{name:<14} covered {row[0]}   KL {row[1]:.3f}   within 3 std {row[2]:.2f}")
within = 1 - math.exp(-(3.0**2) / 2)  # of a normal in the plane
check_range(
    "data: within 3 std, less 1 - exp(-9/2)",
    data_row[2] - within,
    -0.01,
    0.01,
    unlike={"the blob": blob_row[2] - within},
)

# %% [markdown]
# Now for the collapse and its cures, one change at a time, each for 600 steps and with three seeds. Three keep the fast generator: with $R_1$;
# with *minibatch statistics* (the discriminator also sees the standard deviation of its batch, so a batch of copies looks wrong although each copy
# looks right); with light momentum. The others begin with equal rates: alone; with $R_1$; with light momentum.

# %%
FAST, EVEN = (3e-4, 3e-3), (1e-3, 1e-3)  # rates of discriminator and generator
HEAVY, LIGHT = (0.9, 0.99), (0.5, 0.9)  # momentum
games = {
    "fast generator": ({}, FAST, HEAVY),
    "fast generator, R1": ({"gamma": 1.0}, FAST, HEAVY),
    "fast generator, minibatch statistics": ({"batch_aware": True}, FAST, HEAVY),
    "fast generator, light momentum": ({}, FAST, LIGHT),
    "equal rates": ({}, EVEN, HEAVY),
    "equal rates, R1": ({"gamma": 1.0}, EVEN, HEAVY),
    "equal rates, light momentum": ({}, EVEN, LIGHT),
}
found, final, losses = {}, {}, {}
print(f"{'':<37} covered    KL of three seeds     within 3 std")
for name, (change, lr, momentum) in games.items():
    rows = []
    for seed in (5, 4, 3):
        player = ring_gan(seed, **change)
        final[name], losses[name] = play_ring(
            player, lr, momentum, seed, keep=range(30, 601, 30)
        )
        rows.append(
            modes(player.sample(2000, generator=torch.Generator().manual_seed(99)))
        )
    found[name] = np.array(rows)
    covered, kl, near = found[name].T
    print(
        f"{name:<37}",
        " ".join(f"~{c:.0f}" for c in covered),
        " ",
        " ".join(f"~{v:.3f}" for v in kl),
        " ",
        " ".join(f"~{v:.2f}" for v in near),
    )

# %%
sick = list(games)[:4]
check_range(
    "fast generator: most modes in twelve runs",
    max(found[k][:, 0].max() for k in sick),
    1,
    6,
    digits=0,
)
check_range(
    "    smallest KL",
    min(found[k][:, 1].min() for k in sick),
    0.2,
    2.08,
    unlike={"a blob": blob_row[1]},
)
for name in list(games)[-2:]:
    covered, kl, near = found[name].T
    check_range(
        f"{name}: fewest modes",
        covered.min(),
        8,
        8,
        digits=0,
        unlike={"fast": found[sick[0]][:, 0].min()},
    )
    check_range(
        "    largest KL",
        kl.max(),
        0.0,
        0.06,
        unlike={"fast": found[sick[0]][:, 1].min()},
    )
    check_range(
        "    least within 3 std",
        near.min(),
        0.45,
        0.85,
        unlike={"a blob": blob_row[2], "data": data_row[2]},
    )


# %% jupyter={"source_hidden": true}
def scene(step):
    """Samples of three games after so many steps, and the eight modes."""
    figure, axes = plt.subplots(1, 3, figsize=(8, 3), sharex=True, sharey=True)
    for ax, name in zip(axes, (list(games)[0], *list(games)[-2:]), strict=True):
        ax.plot(*final[name][step].T, ".", color="#0072B2", markersize=3)
        ax.plot(*ring.means.T, "o", color="#E69F00", markersize=9, fillstyle="none")
        ax.set(xlim=(-4.2, 4.2), ylim=(-4.2, 4.2), aspect="equal", title=name,
               xticks=[-3, 0, 3], yticks=[-3, 0, 3], xlabel="$x_1$")  # fmt: skip
    axes[0].set_ylabel("$x_2$")
    figure.suptitle(f"step {step}")
    return figure


film(
    (scene(step) for step in range(30, 601, 30)),
    "Three generators on a ring of eight modes: samples of the fast generator are a "
    "streak that keeps moving and never settles on the modes; with equal rates and R1, "
    "or with light momentum, they spread over the whole ring.",
    seconds=6, width=640,
)  # fmt: skip

# %% [markdown]
# The fast generator is a streak that keeps moving: the discriminator learns to reject where it stands, and it goes elsewhere. That is the rotation
# of step 9, in function space. It covers few modes, and most of its samples hit none.
#
# What do three seeds allow you to say? With the fast generator, none of the three changes cured it. Equal rates *alone* cover everything
# with one seed and lose modes with the others. Equal rates with $R_1$, or with light momentum, covered all eight modes evenly every time.
# So on this ring it took both: a discriminator that keeps pace, *and* friction or less momentum. The single runs also depend on the
# processor, since a game amplifies differences in rounding. On another machine the first five rows will differ from those printed here.
#
# And "cured" means even coverage, no more: only about 0.6 of the cured samples lie within three standard deviations of a mode, against
# 0.99 of the data. The others lie on the bridges between modes. A continuous generator would have to stretch its noise enormously between two
# modes (lesson 04), and 600 steps do not get it there.
#
# ### Failure 3. The losses say nothing, so there is no stopping rule
#
# Put the losses of the collapsed run beside those of the last row. If you had only these curves, which run would you keep?

# %% jupyter={"source_hidden": true}
run_a, run_b = losses["fast generator"], losses["equal rates, light momentum"]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
for ax, curves, title in ((axes[0], run_a, "run A"), (axes[1], run_b, "run B")):
    for curve, name in zip(curves.T, ("discriminator", "generator"), strict=True):
        ax.plot(curve, label=name, linewidth=1)
    for level in (math.log(4), math.log(2)):
        ax.axhline(level, color="black", linestyle=":", linewidth=1)
    ax.set(xlabel="step", ylabel="loss, nats", title=title, ylim=(0.3, 1.8))
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
show(figure, "Losses of two runs against steps: in both the discriminator's swings "
     "about log 4 and the generator's about log 2, dotted; from the curves alone "
     "neither run looks broken.")  # fmt: skip

# %%
late_a, late_b = run_a[300:], run_b[300:]
check_range(
    "run A: discriminator's mean loss (equilibrium: 1.386)",
    late_a[:, 0].mean(),
    1.38,
    1.45,
    unlike={"run B": late_b[:, 0].mean()},
)
sides = late_a[:, 1].mean(), late_b[:, 1].mean()
check_range(
    "run A: generator's mean loss (0.693)",
    sides[0],
    0.64,
    0.7,
    unlike={"run B": sides[1]},
)

# %% [markdown]
# Run A, the collapsed one, sits at the equilibrium's own values $\log 4$ and $\log 2$ (dotted), and its generator has the *lower* loss: it
# wins against a discriminator that is always one move behind. Its losses do swing more, but a swing has no scale that you could know in
# advance.
#
# Now look again at the run on the digits. From step 200 on the discriminator's loss hardly moved. The samples did.

# %%
discriminator_curve = np.array([r.losses["discriminator"] for r in run])
early, late = discriminator_curve[100:300].mean(), discriminator_curve[1300:].mean()
check_range("change of the discriminator's loss since step 200",
            late - early, -0.1, 0.12)
check_range(
    "Fréchet distance, step 200 over step 1500",
    frechet[200] / frechet[1500],
    3,
    30,
    digits=1,
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for name in ("discriminator", "generator"):
    smooth = np.convolve([r.losses[name] for r in run], np.ones(25) / 25, "valid")
    left.plot(smooth, label=name, linewidth=1.3)
left.axhline(math.log(4), color="black", linestyle=":", linewidth=1)
left.set(xlabel="step", ylabel="loss, nats", ylim=(0, 2),
         title="the losses stand still (dotted: log 4)")  # fmt: skip
left.legend(loc="lower right")
right.semilogy(list(frechet), list(frechet.values()), "o-")
right.axhline(floor, color="black", linestyle=":", linewidth=1)
right.set(xlabel="step", ylabel="Fréchet distance",
          title="the samples improve (dotted: real images)")  # fmt: skip
show(figure, "Left: both losses stand almost still from step 200 on. Right, on a "
     "logarithmic scale: the Fréchet distance of the samples falls from above 10 to "
     "below 1; that of real images is 0.1.")  # fmt: skip

# %% [markdown]
# A loss of $\log 4$ means only that *this* discriminator cannot tell real from fake. So one measures samples instead, or builds a discriminator whose loss is
# itself an estimate of a distance (lesson 08).
#
# **Other remedies, and where they belong.** *Feature matching* replaces the generator's loss by
# $\|\mathbb E_p\phi - \mathbb E_q\phi\|^2$ for a hidden layer $\phi$ of the discriminator: a target that does not run away, blind to everything
# but means. *Minibatch discrimination* is the learned form of the statistic you have just seen. *Unrolled GANs* differentiate the generator
# through a few future discriminator steps: the look-ahead of step 9, for one player. *Wasserstein* critics (lesson 08) change what is measured.
# Feature matching and that statistic fit in a line each:

# %%
torch.set_default_dtype(torch.float64)
features = torch.tensor([[0.0, 2.0], [4.0, 2.0]])
copies = torch.tensor([[2.0, 2.0], [2.0, 2.0]])  # the same means, no variety
check(
    "feature matching between data and copies",
    adversarial.feature_matching_loss(features, copies).sum(),
    0.0,
    unlike={"matching each example": (features - copies).square().sum()},
)
spread = [adversarial.with_spread(b)[0, 2] for b in (features, copies)]
first = torch.stack([b[:, 0] for b in (features, copies)])
check(
    "minibatch statistics of data and of copies",
    torch.stack(spread),
    first.std(1, correction=0),
    atol=1e-5,
    unlike={"the variance": first.var(1, correction=0)},
)


# %% [markdown]
# ## 6. Exercises
#
# Replace `...` and run the cell; `course.hint("07.value")` gives up to three hints.
#
# **07.best-critic** (compute). `p` and `q` are arrays of probabilities. Return the best discriminator's $D$ for each outcome.

# %%
def best_discriminator(p, q): ...


course.exercise("07.best-critic", best_discriminator)


# %% [markdown]
# **07.slopes** (compute). Return the pair of slopes, in the discriminator's *logit*, of $\log(1-D)$ and of $-\log D$ where $D = d$.

# %%
def slopes_at(d): ...


course.exercise("07.slopes", slopes_at)


# %% [markdown]
# **07.value** (derive). Return the value of the game at the best discriminator, in nats, from `p` and `q`. Derive it through the divergence, then
# check it against the first route of step 3.

# %%
def value_at_best(p, q): ...


course.exercise("07.value", value_at_best)


# %% [markdown]
# **07.look-ahead** (build). One extragradient step of $\min_x\max_y xy$ with rate `lr`; return the new `(x, y)`.

# %%
def look_ahead(x, y, lr): ...


course.exercise("07.look-ahead", look_ahead)


# %% [markdown]
# **07.mode-kl** (build). `x` holds samples, `centres` the modes, both `(n, 2)` arrays. Return the KL divergence, in nats, from the fractions of samples at
# the nearest modes to the uniform distribution. A mode without samples must not break it.

# %%
def mode_kl(x, centres): ...


course.exercise("07.mode-kl", mode_kl)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(7)

# %% [markdown]
# ## Summary
#
# 1. A GAN is a sampler $G(z)$ and a discriminator; the density of $G(z)$ exists and is never evaluated. It has no likelihood.
# 2. The best discriminator is $D^* = p/(p+q)$; its logit is the log-ratio of the densities, and a network finds it from samples.
# 3. Against it the game is worth $-\log 4 + 2\,\mathrm{JS}$, with $\mathrm{JS} \le \log 2$: zero only for equal distributions, flat for distant ones.
# 4. The minimax generator has slope $D$ in the logit, the non-saturating one $1-D$: 0.01 against 0.99 for a recognised fake.
# 5. Their gradients agree in direction for a sample and may disagree for a batch. At the best discriminator the second descends
#    $\mathrm{KL}(q\|p) - 2\,\mathrm{JS}$.
# 6. Every convex $f$ gives a bound that samples can climb; the first game is one row of that table (with $f(1) = -\log 4$, not 0).
# 7. Simultaneous steps leave an equilibrium they circle; turns, averages, look-ahead and friction ($R_1$) keep or bring them back.
# 8. Mode collapse comes from the dynamics: against a discriminator that lags, the best reply is one point. The divergence wants all modes. Count
#    covered modes *and* the fraction of samples near one, over several seeds.
# 9. A confident discriminator leaves the minimax loss almost no gradient, as you measured. That is why the non-saturating loss is used.
# 10. Losses of a game are no progress bar. Measure the samples.
#
# **Back to your predictions.** 1: $D^* = 0.4167$, far from sure. 2: 99. 3: no, for no rate; the factor is $\sqrt{1+\eta^2}$. 4: the training;
# the same networks covered all eight with every seed once the rates were equal and there was friction or less momentum. 5: yes, by a factor of several in
# Fréchet distance.
#
# | the cheat sheet's row | objective | sampler | evaluations | $\log p(x)$ | pays with |
# |---|---|---|---|---|---|
# | GAN | $\min_G\max_D V$; in practice $-\log D(G(z))$ | $z \sim \mathcal N(0,I)$, $x = G(z)$ | 1 | none | dynamics: lost modes, no stopping rule |
#
# **What production systems add.** Convolutional networks with modulated styles, $R_1$ applied only every few steps, an average of the
# generator's weights for sampling (the averaging of step 9), augmentation of what the discriminator sees, and conditioning on a class or a text.
# Two relatives answer other questions: *CycleGAN* plays two games to translate between unpaired sets, with the demand that there and back
# is the identity; *BiGAN* adds an encoder and lets the discriminator score pairs $(x, z)$.
#
# ## Sources
#
# - The game, $D^*$, its value, the non-saturating loss: Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1 to 6, proposition 1, theorem 1.
# - What the practical loss descends: Arjovsky and Bottou 2017 (arXiv:1701.04862), theorem 2.5.
# - f-GAN: Nowozin, Cseke and Tomioka 2016 (arXiv:1606.00709), eq. 2 to 6, tables 1 and 2.
# - Games: Goodfellow 2016 (arXiv:1701.00160), section 7; Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), definition 2.1 and eq. 9;
#   Korpelevich 1976; Daskalakis et al. 2018 (arXiv:1711.00141), eq. 1.
# - Remedies: Salimans et al. 2016 (arXiv:1606.03498), section 3; Karras et al. 2018 (arXiv:1710.10196), section 3; Metz et al. 2017
#   (arXiv:1611.02163), section 2. Relatives: Zhu et al. 2017 (arXiv:1703.10593); Donahue et al. 2017 (arXiv:1605.09782).
# - Courses: Stanford CS236 lecture 9; Berkeley CS294-158 lecture 5.
