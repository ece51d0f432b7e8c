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
# # 01 · The four-paradigm map: one ring, learned five ways
#

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal

import genlab_course as course
from genlab.adversarial import GAN
from genlab.core import NoLikelihoodError, log_likelihood, make_generator
from genlab.data.toys import GaussianRing, plane
from genlab.latent import elbo as vae_bound
from genlab.metrics.cost import network_passes
from genlab.metrics.distances import energy_distance
from genlab.nn.layers import MLP
from genlab.oracles import GaussianMixture
from genlab.score import DDPM, ddpm_loss, linear_betas
from genlab_course import check, check_close_mc, check_range, lesson_01, widgets
from genlab_course.figures import film, show
from genlab_course.figures import lesson_01 as pictures

course.begin(lesson=1)
course.hero()

# %% [markdown]
# Five models have learned the same ring of eight blobs, and each turns noise into new points. The number under a panel counts how often its network is evaluated. Four need one or two. The fifth needs a hundred, and many of today's image models work like the fifth. **Why would anybody wait that long?** On this page you write the samplers, train the networks, and draw this picture again with your own.
#
# **After this lesson you will be able to**
#
# - *write* a distribution in five ways, and *build* the sampler that belongs to each;
# - *count* the network evaluations that one sample costs;
# - *tell* a likelihood from a bound before you compare two numbers;
# - *place* a system of today on the map, stage by stage.
#
# You need conditional probability, the normal distribution and a little PyTorch.
#
# Two sittings of about 75 and 75 minutes, exercises included; the cells run in 45 seconds.
#
# ## Predict first
#
# Make three guesses. The lesson shows them to you again.
#
# 1. You show each of the five models a point, and ask it for the exact probability density there. How many of the five can answer?

# %%
course.exercise("01.predict-exact", ...)  # 0 to 5

# %% [markdown]
# 2. On the same test points one model reports an average log-likelihood of $-1.2$ nats, another reports "at least $-2.0$". Both are honest. Section 9 computes the exact value of the second, too. How much worse than the first will it be, in nats (units of the natural logarithm): `"0"`, `"0.25"` or `"0.8"`?

# %%
course.exercise("01.predict-gap", ...)  # "0", "0.25" or "0.8"

# %% [markdown]
# 3. You train a generative adversarial network (GAN) on the eight blobs, with Adam at its usual momentum of 0.9. How many of the eight will its samples reach, in a typical run?

# %%
course.exercise("01.predict-clusters", ...)  # 0 to 8

# %% tags=["keep-output"] jupyter={"source_hidden": true}
course.draw_map(lesson=1, slim=True)

# %% [markdown]
# Now play. Draw a shape in the left square, and five small models learn it in your browser. Which puts points *off* your line, and which leaves a part of it empty?

# %% tags=["keep-output"]
widgets.draw_a_shape()

# %% [markdown]
# <details><summary>What to see</summary>
#
# On the ring, a fifth of the VAE's points lie off the line, and at most 3 % of the others' do. Then draw several separate pieces, and look for *bridges* between them and for pieces that are lost. This lesson explains each of these faults.
# </details>

# %% [markdown]
# ## 1. What is a generative model asked?
#
# A program that sorts photos learns $p(y\mid x)$: given a photo $x$, which label $y$? It is **discriminative**. A program that *makes* photos must know which exist and how likely each is, $p(x)$. It is **generative**. If it knows $p(x\mid y)$, it can sort as well, by Bayes' rule.
#
# **Your turn 01.1 · sort with a generative model** *(compute, 3 minutes)*. In a village, 40 % of the animals are cats and 60 % are dogs. Of the cats 45 % are grey, of the dogs 10 %. You see a grey animal. What is the probability that it is a cat?

# %%
p_cat_given_grey = ...

course.exercise("01.grey", p_cat_given_grey)

# %% [markdown]
# It does not work the other way round. If you know only how likely a cat is, given each colour, you cannot say how many animals are grey. **$p(y\mid x)$ alone does not determine $p(x)$.**
#
# What do we ask of a generative model? To **sample**: draw a new $x$. To **evaluate**: say how likely a given $x$ is. To **condition**: do either when something is known, such as a caption (lesson 13).
#
# Why not simply keep a table of $p(x)$? There are more than $10^{78}$ pictures of 8 x 8 pixels with 17 grey levels. Every paradigm is a way around that table. Our data are points in the plane: 10,000 to train with, and fresh ones to measure with.

# %% jupyter={"source_hidden": true}
ring = GaussianRing()  # eight blobs on a circle of radius 1.5, each of std 0.15
rng = make_generator(1)
data = ring.sample(10_000, generator=rng)  # (10000, 2), to train with
held_out = ring.sample(2_000, generator=rng)  # (2000, 2), to evaluate on
reference = ring.sample(4_000, generator=rng)  # (4000, 2), to compare samples with

# %% jupyter={"source_hidden": true}
show(
    pictures.the_data(reference[:1_500], ring),
    "Left: 1,500 points in eight round blobs on a circle. Right: the normal density "
    "with standard deviation 2, with the point x = 1 marked at height 0.176.",
)


# %% [markdown]
# The right panel is our *tiny case*: under a normal distribution with mean 0 and standard deviation 2, the number 1 has the density 0.176. Each section asks for this one density in its own way.
#
# Four of the five models are trained by this loop. Only `loss` changes.

# %%
def train(loss, parameters, n_steps, rate, batch=250, seed=0):
    """Minimise loss(x, rng) over batches of the data."""
    rng = make_generator(seed)
    optimizer = torch.optim.Adam(parameters, rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        x = data[torch.randint(len(data), (batch,), generator=rng)]  # (batch, 2)
        optimizer.zero_grad()
        loss(x, rng).backward()
        nn.utils.clip_grad_norm_(parameters, 10.0)
        optimizer.step()
        falling.step()  # the rate falls to 0


# %% jupyter={"source_hidden": true}
class Counted:
    """A network that keeps what it is shown, once for each evaluation."""

    def __init__(self, network):
        self.network, self.shown = network, []

    def __call__(self, *inputs):
        self.shown.append(inputs[0])
        return self.network(*inputs)


# %% [markdown]
# The folded class is our meter: wrapped around a network, `Counted` keeps what the network is shown, and so the **number of function evaluations (NFE)** for a batch.
#
# ## 2. Can you draw one number after another?
#
# You write a word letter by letter, and each letter must fit those before it. A distribution can be taken apart in the same way.
#
# **Step 1. Let the ratios telescope.** A conditional probability is a ratio: the joint probability over that of what is known. Multiply such ratios, and each denominator cancels the numerator before it:
# $$p(x_1,\dots,x_n)=\frac{p(x_1)}{1}\cdot\frac{p(x_1,x_2)}{p(x_1)}\cdots\frac{p(x_1,\dots,x_n)}{p(x_1,\dots,x_{n-1})}=\prod_{i=1}^np(x_i\mid x_1,\dots,x_{i-1}).\tag{1}$$
# This **chain rule** is an identity, for every distribution and every order. A model whose network gives these factors is **autoregressive**. Its likelihood is **exact**: a product of numbers that the network puts out.
#
# *The tiny case.* Ask two questions about the number. Is it positive? With probability 1/2. If so, is it below 2, one standard deviation? With probability 0.683. So it lies in the bin from 0 to 2 with probability 0.341. Divide by the width 2, and the density is 0.171: the *average* in this bin, instead of the 0.176 at 1.
#
# To sample, walk (1) from left to right: draw the first number, then the second given the first, and so on. This is **ancestral sampling**.
#
# **Your turn 01.2 · one after another** *(build, 10 minutes)*. `next_logits(known)` takes the whole numbers drawn so far, of shape `(n, i)`, and returns logits of the next one (log-probabilities up to a constant), of shape `(n, n_bins)`. At first `known` has no columns, `(n, 0)`. Draw `n` rows of `length` numbers, and return them. Use `torch.multinomial(p, 1, generator=rng)`.

# %%
def my_ancestral(next_logits, n, length, rng):
    """Draw n rows of whole numbers, each given those to its left."""
    ...


course.exercise("01.ancestral", my_ancestral)

# %% [markdown]
# Does it draw from the right distribution? Take three numbers, each 0, 1 or 2, with a known table of probabilities, and count 20,000 of your draws. If somebody forgets to *condition*, every single number still has the right frequencies. Which frequencies would show the mistake?

# %% jupyter={"source_hidden": true}
ancestral = course.yours("01.ancestral")
course.solution("01.ancestral")
table = pictures.example_table()  # (3, 3, 3), sums to 1


def told(known):
    """Logits of the next number, from the table."""
    rows = table.reshape(3 ** known.shape[1], 3, -1).sum(2)  # (3^i, 3)
    code = sum((3**i * column for i, column in enumerate(known.T.flip(0))),
               torch.zeros(len(known), dtype=torch.long))  # fmt: skip
    return rows[code].log()


def forgetful(known):
    """Logits of the next number, whatever the others are."""
    alone = table.sum([i for i in range(3) if i != known.shape[1]])
    return alone.log().expand(len(known), 3)


def z_scores(logits, n=20_000):
    """Each outcome's frequency minus its probability, in standard errors."""
    x = ancestral(logits, n, 3, make_generator(2))
    counts = torch.bincount(x @ torch.tensor([9, 3, 1]), minlength=27)
    p = table.flatten()
    return (counts / n - p) / (p * (1 - p) / n).sqrt()


check(
    "27 frequencies, in standard errors from the table",
    z_scores(told), torch.zeros(27), atol=5,
    unlike={"not conditioned": z_scores(forgetful)},
)  # fmt: skip

# %% [markdown]
# **How to read an `ok` line.** The left side names two routes to one result, which agree within the printed bound. The brackets name a mistake that was also tried and did *not* agree. So an `ok` says: right, and this mistake would have been seen. Here the frequencies of *triples* show it. Further checks print one line together, such as "7 more checks hold". A tilde, ~2.03, marks a number that may differ a little on your machine.
#
# Now the ring. Each coordinate is cut into 64 bins. One network gives the logits of the first bin and, given the first, those of the second. The loss is minus the logarithm of (1); the last term divides by the area of a cell, so that it becomes a density.

# %% jupyter={"source_hidden": true}
torch.manual_seed(0)
ar = lesson_01.autoregressive()  # a network with 64 logits; `cells` finds the bins


def next_logits(known):  # (n, 0) or (n, 1), bins
    if known.shape[1] == 0:
        return ar.log_p_first(len(known))  # (n, 64)
    return ar.log_p_second(known[:, 0])  # (n, 64)


# %%
def ar_loss(x, rng):
    bins = ar.cells(x)  # (b, 2), whole numbers 0 to 63
    first = F.cross_entropy(next_logits(bins[:1, :0]).expand(len(x), -1), bins[:, 0])
    second = F.cross_entropy(next_logits(bins[:, :1]), bins[:, 1])
    return first + second + 2 * math.log(ar.bin_width)  # nats


train(ar_loss, list(ar.parameters()), n_steps=300, rate=8e-3)

# %%
asked, rng = Counted(next_logits), make_generator(5)
with torch.no_grad():
    bins = ancestral(asked, 4_000, 2, rng)  # (4000, 2)

# %% jupyter={"source_hidden": true}
inside = torch.rand(4_000, 2, generator=rng)  # anywhere in the cell
x, films = (bins + inside) * ar.bin_width - ar.extent, {}  # (4000, 2)
films["autoregressive"] = pictures.states("autoregressive", asked.shown, x)
show(pictures.panels(films), "The first of five panels holds your samples of the ring.")
with torch.no_grad(), course.more_checks():
    some = data[:400]
    of_cell = ar.log_prob(some) + 2 * math.log(ar.bin_width)  # a probability
    check("this loss = minus genlab's log p", ar_loss(some, rng),
          -ar.log_prob(some).mean(), atol=1e-4,
          unlike={"not divided by the area": -of_cell.mean()})  # fmt: skip


# %% [markdown]
# The first panel is yours: 2 evaluations, because the second coordinate must wait for the first. A text of 500 tokens needs 500.
#
# ## 3. Can you bend noise into data?
#
# Roll out dough. Where you stretch it, it gets thinner, but no dough is lost. A **flow** stretches and bends the density of noise $z$ into that of the data, by a map $x=f(z)$ that can be undone.
#
# **Step 2. No mass is lost.** A small piece around $z$ is mapped to a piece around $x$, and holds the same probability. Its volume is multiplied by the absolute determinant of the **Jacobian**, the matrix of all slopes:
# $$p(x)\,\Big|\det\frac{\partial f}{\partial z}\Big|=p_Z(z),\qquad x=f(z).\tag{2}$$
# This is the **change of variables**. The likelihood is exact again.
#
# *The tiny case.* Let $f(z)=2z$. Then 1 comes from $z=0.5$, where the standard normal has the density 0.352. Everything is stretched by 2, so the density at 1 is 0.352 / 2 = 0.176.
#
# **Your turn 01.3 · push and keep account** *(derive, 6 minutes)*. `f(z)` takes noise of shape `(n, d)` and returns two things: $x$, and the logarithm of the determinant in (2), of shape `(n,)`. The noise is standard normal in $d$ dimensions. Solve (2) for $\log p(x)$. Return $x$ and this logarithm, in nats, of shape `(n,)`.

# %%
def my_push(f, z):
    """Points x = f(z) and their log-density."""
    ...


course.exercise("01.push", my_push)

# %% [markdown]
# Our map has four layers. Each bends one coordinate along an increasing curve that depends on the other coordinate, so it can be undone (lesson 04). In training $x$ is given, so the map runs backwards, and the logarithm of the determinant changes its sign.

# %%
torch.manual_seed(0)
flow = lesson_01.flow()  # flow(z) gives x, log|det|; flow.inverse(x) gives z, log|det|


def flow_loss(x, rng):
    z, log_det = flow.inverse(x)  # (b, 2), (b,)
    return -(Normal(0.0, 1.0).log_prob(z).sum(1) + log_det).mean()  # nats


train(flow_loss, list(flow.parameters()), n_steps=450, rate=6e-3)

# %%
push, asked = course.yours("01.push"), Counted(flow)
with torch.no_grad():
    x, log_p = push(asked, torch.randn(4_000, 2, generator=rng))  # (4000, 2), (4000,)

# %% jupyter={"source_hidden": true}
course.solution("01.push")
films["flow"] = pictures.states("flow", asked.shown, x)
show(pictures.panels(films), "Two of five panels hold samples of the ring.")
with torch.no_grad(), course.more_checks():
    z, log_det = flow.inverse(data[:400])
    wrong = (log_det - Normal(0.0, 1.0).log_prob(z).sum(1)).mean()
    check("the flow's loss = minus genlab's log p", flow_loss(data[:400], rng),
          -flow.log_prob(data[:400]).mean(), atol=1e-4,
          unlike={"sign of the determinant": wrong})  # fmt: skip

# %% [markdown]
# One evaluation, and you know the density of each point that you drew. Is the sign of your determinant right? The inverse map, run on your points, must give the same densities.

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    some = torch.randn(500, 2, generator=make_generator(6))
    x_some, log_p_some = push(flow, some)
    backwards = flow.log_prob(x_some)
    log_det = flow(some)[1]
check(
    "log p where you drew = log p by the inverse map", log_p_some, backwards,
    atol=1e-3, unlike={"sign of the determinant": log_p_some + 2 * log_det},
)  # fmt: skip
points, cell = plane(4.0, 300)
with torch.no_grad(), course.more_checks():
    mass = flow.log_prob(points).exp().sum() * cell
    check_range("mass of the flow's density on a grid", mass, 0.97, 1.02,
                unlike={"half a nat too high": mass * math.exp(0.5)})  # fmt: skip


# %% [markdown]
# ## 4. What if a hidden cause made the data?
#
# You see a shadow and think of the hand that made it. A **latent-variable model** says that each $x$ was made from a hidden $z$: draw $z$ from a simple **prior** $p(z)$, then $x$ given $z$. To *evaluate* $x$, you must average over all the causes that it might have had:
# $$p(x)=\int p(x\mid z)\,p(z)\,dz=\mathbb E_{z\sim p(z)}\,p(x\mid z).\tag{3}$$
# *The tiny case.* Let $z$ be standard normal, and $x$ normal around $1.6\,z$ with standard deviation 1.2. The variances add, 2.56 + 1.44 = 4, so the density at 1 is 0.176 again.
#
# With hundreds of hidden numbers nobody can do this integral. Can we get a number that is never too high?
#
# **Step 3. Guess the cause.** Let $q(z)$ be any guess of where $z$ may have been. Multiply and divide by it. The logarithm is concave, so the logarithm of a mean is at least the mean of the logarithm (Jensen's inequality):
# $$\log p(x)=\log\mathbb E_{q}\frac{p(x\mid z)\,p(z)}{q(z)}\ \ge\ \mathbb E_q\log p(x\mid z)-\underbrace{\mathbb E_q\log\frac{q(z)}{p(z)}}_{\mathrm{KL}(q\,\Vert\,p)}.\tag{4}$$
# The right side is the **evidence lower bound (ELBO)**. Its first term asks whether the guessed causes explain $x$. The second, the Kullback-Leibler (KL) divergence, is the price of the guess: how far it is from the prior (lesson 03).
#
# *The tiny case.* If we guess without looking at the number, $q=p(z)$, the bound is $-2.337$. Given that the number is 1, the true distribution of the cause is, by Bayes' rule, normal with variance 1 / (1 + 2.56 / 1.44) = 0.36 and mean 0.36 · 1.6 / 1.44 = 0.4. With this $q$ the bound is $-1.737$, and that is log 0.176: **with the right guess the bound is tight.** The gap, here 0.600, is the KL divergence between guess and truth.
#
# In a **variational autoencoder (VAE)** one network, the *encoder*, gives the mean and log-variance of $q$ for each $x$. Another, the *decoder*, gives the mean of $x$ given $z$; its standard deviation is learned too. Both are trained by the bound. (Lesson 05 derives its KL term.)

# %%
def elbo(x, encoder, decoder, log_std, rng):
    """The bound (4) with one draw of z for each x, in nats."""
    mu, log_var = encoder(x).chunk(2, dim=1)  # (b, k) each
    z = mu + (log_var / 2).exp() * torch.randn(mu.shape, generator=rng)  # (b, k)
    log_p = Normal(decoder(z), log_std.exp()).log_prob(x).sum(1)  # (b,)
    kl = 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(1)  # (b,)
    return log_p - kl


torch.manual_seed(0)
vae = lesson_01.vae()  # two hidden numbers


def vae_loss(x, rng):
    return -elbo(x, vae.encoder, vae.decoder, vae.log_scale, rng).mean()


train(vae_loss, list(vae.parameters()), n_steps=1500, rate=1e-2)

# %% [markdown]
# Is it coded correctly? Take the tiny case in three dimensions, with the slopes 1.6, 0.5 and $-2$, and the exact $q$. Then the mean of `elbo` must be $\log p(x)$. Suppose somebody wrote `mean` for `sum` in the KL term. Would this show it?

# %% jupyter={"source_hidden": true}
slopes, std = torch.tensor([1.6, 0.5, -2.0]), torch.tensor(1.2)
total = slopes**2 + std**2  # variance of each coordinate of x
x_seen = torch.tensor([1.0, -0.7, 2.0]).expand(20_000, 3)


def exact_encoder(x):
    return torch.cat([x * slopes / total, (std**2 / total).log().expand(len(x), 3)], 1)


values = elbo(x_seen, exact_encoder, lambda z: slopes * z, std.log(), make_generator(3))
mu, log_var = exact_encoder(x_seen).chunk(2, dim=1)
kl = 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(1)
truth = Normal(0.0, total.sqrt()).log_prob(x_seen[0]).sum().item()
check_close_mc("mean ELBO with the exact q = log p(x)", values, truth,
               unlike={"mean for sum in the KL": values + kl - kl / 3})  # fmt: skip
with torch.no_grad(), course.more_checks():
    some, parts = data[:400], (vae.encoder, vae.decoder, vae.log_scale)
    mu, log_var = vae.encode(some)
    one = torch.randn(400, 1, generator=make_generator(3)).expand(400, 2)
    of_one = vae_bound(some, mu, log_var, one, decoder_log_prob=vae.decoder_log_prob)
    check("the ELBO of each point = genlab's", elbo(some, *parts, make_generator(3)),
          vae.elbo(some, generator=make_generator(3)), atol=1e-3,
          unlike={"one noise for both numbers": of_one})  # fmt: skip


# %% [markdown]
# **Your turn 01.4 · draw a cause, then a point** *(build, 10 minutes)*. `decoder(z)` takes hidden numbers of shape `(n, k)` and returns the means of the points. Draw `n` causes from the standard normal prior, then one point for each, with standard deviation `std` in every coordinate. Use `torch.randn(..., generator=rng)`. Evaluate the decoder once.

# %%
def my_decode(decoder, n, k, std, rng):
    """Draw n points: a hidden z of k numbers for each, then x given z."""
    ...


course.exercise("01.decode", my_decode)

# %%
decode, asked = course.yours("01.decode"), Counted(vae.decoder)
with torch.no_grad():
    x = decode(asked, 4_000, 2, vae.log_scale.exp(), rng)  # (4000, 2)

# %% jupyter={"source_hidden": true}
course.solution("01.decode")
films["VAE"] = pictures.states("VAE", asked.shown, x)
show(pictures.panels(films), "Three panels; the VAE's blobs are wide and joined.")

# %% [markdown]
# One evaluation again. The blobs are wide and joined by bridges. What $z$ does not explain becomes the same round noise around every point. In a picture that is *grain*. The decoder's mean alone averages all pictures that share a $z$: **blur**.
#
# **Pause.** Three of the five panels are yours.

# %% [markdown]
# ## 5. What if nobody asks for a density?
#
# Forgers do not write down which banknotes are likely. They print notes until the inspector cannot tell them from real ones.
#
# **Step 4. Take the noise away.** Call your sampler with `std = 0`. Each $z$ now gives exactly one point, $x=G(z)$, and sampling works as before. But what happens to (3)? Here is the tiny case, as an average of $p(1\mid z)$ over a hundred hidden $z$, tried 1,000 times:

# %% jupyter={"source_hidden": true}
z = torch.randn(1_000, 100, generator=make_generator(4))  # (1000, 100)
for std in (1.2, 0.1, 0.001):
    p = Normal(1.6 * z, std).log_prob(torch.tensor(1.0)).exp().mean(1)  # (1000,)
    print(f"std {std}: average ~{p.median():.3f} in the median of 1,000 trials, "
          f"at most ~{p.max():.2f}; "
          f"below 0.001 in ~{(p < 0.001).float().mean():.0%}")  # fmt: skip


# %% [markdown]
# The exact values are 0.176, 0.205 and 0.205. The smaller the noise, the fewer $z$ count. In the end nearly every trial misses them all and gives 0, and a rare hit gives far too much. The samples still follow *some* distribution. But to evaluate it you would have to find every $z$ with $G(z)=x$, and for a deep network nobody can. **There is no likelihood to train with.** So how can such a **generator** $G$ be trained?
#
# **Step 5. Let a second network judge.** A **discriminator** $D$ is trained to give real points a probability near 1 and generated points one near 0. The generator is trained to be taken for real. Together they are a **generative adversarial network (GAN)**:
# $$\text{for }D:\ \min\ \mathbb E_x\big[-\log D(x)\big]+\mathbb E_z\big[-\log(1-D(G(z)))\big];\qquad\text{for }G:\ \min\ \mathbb E_z\big[-\log D(G(z))\big].\tag{5}$$
# In the code `D` returns a logit, so `-log D` is `softplus(-logit)`, and `-log(1 - D)` is `softplus(logit)`. Two losses need a loop of their own:

# %%
def d_loss(real, fake):  # logits of D, (b, 1) each
    return (F.softplus(-real) + F.softplus(fake)).mean()


def g_loss(fake):
    return F.softplus(-fake).mean()


def play(seed, momentum=0.0, n_steps=600):
    """Train a generator and a discriminator against each other."""
    torch.manual_seed(seed)
    rng = make_generator(seed)
    G = MLP(4, 2, width=64, depth=2, activation=nn.ReLU)  # four numbers of noise
    D = MLP(2, 1, width=64, depth=2, activation=nn.ReLU)  # a point to a logit
    for_G = torch.optim.Adam(G.parameters(), 2e-3, betas=(momentum, 0.99))
    for_D = torch.optim.Adam(D.parameters(), 2e-3, betas=(momentum, 0.99))
    for _ in range(n_steps):
        x = data[torch.randint(len(data), (250,), generator=rng)]  # (250, 2)
        fake = G(torch.randn(250, 4, generator=rng))  # (250, 2)
        for_D.zero_grad()
        d_loss(D(x), D(fake.detach())).backward()  # detach: G needs its graph below
        for_D.step()
        for_G.zero_grad()
        g_loss(D(fake)).backward()
        for_G.step()
    return G, D


G, D = play(seed=5)
asked = Counted(G)
with torch.no_grad():
    x = decode(asked, 4_000, 4, 0.0, rng)  # your sampler, without its noise

# %% jupyter={"source_hidden": true}
films["GAN"] = pictures.states("GAN", asked.shown, x)
show(pictures.panels(films), "Four panels; the GAN's points are sharp, with bridges.")
with course.more_checks():
    real, fake = torch.linspace(-3, 1, 50), torch.linspace(-4, 2, 50)  # logits
    p_real, p_fake = real.sigmoid(), fake.sigmoid()  # (5) is written with these
    of_d, of_g = (-p_real.log() - (1 - p_fake).log()).mean(), -p_fake.log().mean()
    saturating = (1 - p_fake).log().mean()
    check("the two losses = (5)", [d_loss(real, fake), g_loss(fake)], [of_d, of_g],
          atol=1e-5, unlike={"saturating": [of_d, saturating]})  # fmt: skip

# %% [markdown]
# The sampler is your own, with the noise set to 0. It needs one evaluation, and nothing blurs what $G$ says: training has squeezed the points almost onto lines. Some lie on bridges between the blobs, because a continuous $G$ cannot tear its input apart. The momentum of Adam is 0 here, and section 9 shows why.
#
# ## 6. Can you follow the slope uphill?
#
# In fog you cannot see how high a mountain is, but you can feel which way is up. The last idea gives up the *value* of the density and keeps the slope of its logarithm, the **score** $\nabla\log p$. A constant factor drops out of it, so nothing has to be normalised.
#
# *The tiny case.* The logarithm of the density is $-x^2/8$ and a constant, so the score at $x=1$ is $-0.25$.
#
# How do you learn a slope without knowing the density? By guessing noise. Mix a data point with standard normal noise $\epsilon$. The number $\bar\alpha_t$ says how much of the data's variance is kept, and it falls from nearly 1 to nearly 0 as $t$ grows:
# $$x_t=\sqrt{\bar\alpha_t}\;x_0+\sqrt{1-\bar\alpha_t}\;\epsilon .\tag{6}$$
#
# **Step 6. The best guess of the noise is the score.** The density of $x_t$ is a mean over all $x_0$ of normals around the faded $x_0$. Differentiate each normal, as in the second line; by (6), the factor in front is $\epsilon$ up to sign and scale. Divide by $p_t(x_t)$: by Bayes' rule the mean over all $x_0$ becomes one given $x_t$:
# $$\begin{gathered}\nabla\log p_t(x_t)=\frac{\mathbb E_{x_0}\big[\nabla\,\mathcal N(x_t;\sqrt{\bar\alpha_t}\,x_0,(1-\bar\alpha_t)I)\big]}{p_t(x_t)}=-\frac{\mathbb E[\epsilon\mid x_t]}{\sqrt{1-\bar\alpha_t}},\\
# \text{since}\quad\nabla\,\mathcal N=-\frac{x_t-\sqrt{\bar\alpha_t}\,x_0}{1-\bar\alpha_t}\,\mathcal N=-\frac{\epsilon}{\sqrt{1-\bar\alpha_t}}\,\mathcal N .\end{gathered}\tag{7}$$
# And the best guess of $\epsilon$ by squared error is exactly its mean given $x_t$. So "guess the noise" *is* "learn the slope".
#
# *The tiny case.* If 0.64 of the variance is kept, $x_t$ has the variance 0.64 · 4 + 0.36 = 2.92. At $x_t=1$ the slope is −1 / 2.92 = −0.342, and the expected noise is 0.6 · 0.342 = 0.205.
#
# Does (7) hold in the plane, for blobs of unequal weight? Compute the score in closed form, and the expected noise by a sum over 40,000 candidates for $x_0$. Would the check notice if somebody took the score of the *clean* data?

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
weights = torch.arange(1.0, 9.0) / 36
uneven = GaussianMixture(weights, ring.means.double(), ring.stds.double())
x_t, kept = torch.tensor([[1.2, 0.9], [0.1, -1.4], [-1.6, 0.3]]), 0.64
lattice, _ = plane(3.0, 200)  # 40,000 candidates for x_0
spread = torch.cdist(x_t, kept**0.5 * lattice) ** 2 / (2 * (1 - kept))
posterior = (uneven.log_prob(lattice) - spread).softmax(1)  # (3, 40000)
expected_eps = (x_t - kept**0.5 * posterior @ lattice) / (1 - kept) ** 0.5
minus = -((1 - kept) ** 0.5)
noised = uneven.noised(kept**0.5, (1 - kept) ** 0.5)
check("expected noise = -sqrt(1 - alpha bar) x score", expected_eps,
      minus * noised.score(x_t), atol=1e-6,
      unlike={"score of the clean data": minus * uneven.score(x_t)})  # fmt: skip
torch.set_default_dtype(torch.float32)

# %% [markdown]
# A **diffusion model** is a network that guesses the noise at each of $T=100$ levels. Its loss is the mean squared error of the guess.

# %%
betas = linear_betas(100, first=0.002, last=0.12)  # (100,), noise added in each step
alphas_bar = (1 - betas).cumprod(0)  # (100,); the index k = t - 1 counts from 0
torch.manual_seed(0)
noise_net = lesson_01.NoiseNet()  # noise_net(x_t, k): a guess of eps, like x_t


def noise_loss(x0, rng):
    k = torch.randint(100, (len(x0),), generator=rng)  # (b,), a level for each point
    eps = torch.randn(x0.shape, generator=rng)
    a = alphas_bar[k][:, None]  # (b, 1)
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps  # (b, 2)
    return ((eps - noise_net(x_t, k)) ** 2).mean()


train(noise_loss, list(noise_net.parameters()), n_steps=1500, rate=4e-3, batch=500)

# %% jupyter={"source_hidden": true}
again = make_generator(8)
k = torch.randint(100, (400,), generator=again)
eps = torch.randn(400, 2, generator=again)
with torch.no_grad(), course.more_checks():
    ours, halves = noise_loss(data[:400], make_generator(8)), (data[:400], k, eps)
    kept = DDPM(noise_net, betas, event_shape=(2,)).alphas_bar  # genlab's own table
    late = torch.cat([torch.ones(1), kept[:-1]])
    theirs, squared, shifted = (ddpm_loss(noise_net, *halves, alphas_bar=a).mean()
                                for a in (kept, kept**2, late))
    check("this noise loss = genlab's ddpm_loss", ours, theirs, rtol=1e-5,
          unlike={"alpha bar squared": squared, "one level late": shifted})  # fmt: skip
    short = linear_betas(100, first=0.002, last=0.02)
    check_range("variance of the data kept at t = 100", alphas_bar[-1], 0, 0.01,
                unlike={"betas up to 0.02 only": (1 - short).prod()})  # fmt: skip


# %% [markdown]
# The sampler starts from pure noise and goes down level by level. From level $t-1$ to $t$ a fraction $\beta_t$ of the variance was replaced by noise, so $\bar\alpha_t=(1-\beta_1)\cdots(1-\beta_t)$. Each step back removes a part of the guessed noise, by (7) a step up the slope, and adds a little fresh normal noise $\epsilon'$, so that the points do not all move to a mean (derived in lesson 12):
# $$x_{t-1}=\frac1{\sqrt{1-\beta_t}}\Big(x_t-\frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon_\theta(x_t,t)\Big)+\sqrt{\beta_t}\;\epsilon',\qquad \epsilon'=0\text{ in the last step, to }x_0.\tag{8}$$
#
# **Your turn 01.5 · the denoising loop** *(build, 10 minutes)*. Walk (8) from the last level, `k = len(betas) - 1`, down to `k = 0`. The network is asked as `network(x, k)`, where `k` is a tensor of shape `(n,)` with the same whole number in each row. Return $x_0$.

# %%
def my_denoise(network, x, betas, rng):
    """Walk x from pure noise to data; x has the shape (n, d)."""
    ...


course.exercise("01.denoise", my_denoise)

# %%
denoise, asked = course.yours("01.denoise"), Counted(noise_net)
with torch.no_grad():
    x = denoise(asked, torch.randn(4_000, 2, generator=rng), betas, rng)  # (4000, 2)

# %% jupyter={"source_hidden": true}
course.solution("01.denoise")
films["diffusion"] = pictures.states("diffusion", asked.shown, x)
film(
    pictures.race(films, n_frames=26),
    alt="Five panels, from noise to the ring, by your samplers. Four finish after 1 or "
    "2 evaluations. Diffusion takes 100, and its blobs come apart in the last fifth.",
    seconds=5.2, width=800,
)  # fmt: skip

# %% [markdown]
# This is the opening picture, drawn by your samplers.
#
# In the figure below you set one `budget` of evaluations for all five. The second handle is the `length` of what is drawn, such as a text of that many tokens. Predict: (a) With a budget of 50, can you see eight blobs in the diffusion panel? (b) At which length does the autoregressive model cost as much as the diffusion model?

# %% tags=["keep-output"]
widgets.five_samplers(films)

# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) No. After 50 of 100 evaluations the ring is still scaled by less than one half and buried in noise. The blobs come apart in the last fifth. (b) At a length of 100. The autoregressive count grows with the length; the diffusion count does not, it grows with the number of steps.
# </details>
#
# ## 7. What may be compared?
#
# You have trained five models. Can you rank them by their losses? No: two are in nats, one is a bound in nats, one is the state of a game, and one is a mean squared error. So we ask every model three other questions. How many evaluations does a batch take? What is known about $p(x)$? And how far are the samples from fresh data? The last is measured by the **energy distance**, which needs only samples: twice the mean distance between a sample and a data point, minus the mean distance within each of the two clouds. It is zero only if the distributions agree.
#
# The library wraps your trained networks and gives each log-likelihood *together with its kind*. For diffusion, the chain of 100 steps has a bound like (4), derived in lesson 12.

# %% jupyter={"source_hidden": true}
models = {
    "autoregressive": ar,
    "flow": flow,
    "VAE": vae,
    "GAN": GAN(G, D, latent_dim=4, event_shape=(2,)),
    "diffusion": DDPM(noise_net, betas, event_shape=(2,)),
}
rows = {}
for name, model in models.items():
    n_asked = len(films[name]) - 1  # states, without the last
    distance = energy_distance(films[name][-1], reference).item()
    try:
        with torch.no_grad():
            kind, values = log_likelihood(model, held_out, generator=rng)
        rows[name] = n_asked, kind, values.mean().item(), distance
    except NoLikelihoodError:
        rows[name] = n_asked, "none", math.nan, distance

# %% jupyter={"source_hidden": true}
figure = pictures.your_map(ring, models, films, rows)
show(
    figure,
    "The data and five models. Above, your samples. In the middle, what each knows "
    "about p(x): two exact densities, the exponential of a bound, nothing for the GAN, "
    "and arrows for diffusion, the slope of the log-density of slightly noised data, "
    "darker where steeper. Below: evaluations, likelihood, distance.",
)

# %% jupyter={"source_hidden": true}
ceiling = ring.log_prob(held_out).mean().item()
print(f"{'model':16}{'NFE':>4}   log-likelihood / nats   energy distance")
for name, (n_asked, kind, value, distance) in rows.items():
    sign = ">= " if kind == "bound" else ""
    said = "none" if kind == "none" else f"{sign}~{value:.2f} {kind}"
    print(f"{name:16}{n_asked:4}   {said:22}  ~{distance:.4f}")
floor = energy_distance(ring.sample(4_000, generator=rng), reference)
print(f"{'the data itself':16}{'':4}   {f'{ceiling:.2f} exact':22}  ~{floor:.4f}")
counted = [row[0] for row in rows.values()]
hooked = [network_passes(m, lambda m=m: m.sample(8)) for m in models.values()]
states = [len(found) for found in films.values()]
check("evaluations: your samplers, genlab's own", counted, hooked,
      unlike={"states for evaluations": states})  # fmt: skip
with course.more_checks():
    noise = torch.cat([found[0] for found in list(films.values())[1:]])  # of four
    uniform = torch.rand(100, generator=make_generator(0))
    check_close_mc("mean square of the noise at the start", noise**2, 1.0,
                   unlike={"uniform": uniform**2})  # fmt: skip
course.predicted("01.predict-exact", sum(row[1] == "exact" for row in rows.values()))


# %% [markdown]
# This figure is **the map**, drawn by you. Its arrows are the slope for slightly noised data, darker where steeper. In words:
#
# | paradigm | writes $p(x)$ as | objective | sampler | NFE | likelihood |
# |---|---|---|---|---|---|
# | autoregressive | product of conditionals (1) | cross-entropy of the next token | sequential: one token after another | one a token | exact |
# | flow | stretched noise (2) | change of variables, as minus the log-likelihood | one-pass: one draw, then the map | 1 | exact |
# | latent-variable (VAE) | average over causes (3) | ELBO (4) | one-pass: one draw, then the decoder | 1 | bound |
# | adversarial (GAN) | nothing; $x=G(z)$ | minimax game, here with two losses (5) | one-pass: one draw, then the generator | 1 | none |
# | diffusion | its slope only (7) | denoising: squared error of the noise | multi-step: one level after another | one a step | bound |
#
# Why do we say *four* paradigms? Autoregressive models and flows share one principle, an exact likelihood; they have two rows because they sample differently. The other three are bound, game and slope. (Energy-based models, which know the density up to a factor, wait for lesson 10.)
#
# *Flow matching*, behind most large image models since 2024, belongs in the row *diffusion* (frontier). And the kind of likelihood belongs to the sampler: run as a differential equation, the same diffusion network has a density (lesson 14).
#
# **Did the wait pay?** Not on this ring: our autoregressive model came about as close with two evaluations. What does the wait buy? Against flow, VAE and GAN, easy training: a plain squared error, with no map that must be invertible, no guess of a hidden cause, no game that can lose blobs. The autoregressive model trains as plainly. But it pays for every number that it draws, and diffusion draws all of them at once.
#
# Read the numbers as an illustration: each model was tuned by hand for this ring and trained once, for seconds. The energy distance sees large gaps, but hardly notices bridges; section 9 counts them.
#
# **Your turn 01.6 · repair the leaderboard** *(repair, 6 minutes)*. A colleague ranks models by `ranked`. Each argument is a pair of kind and number, in nats on the same test points: `("exact", -1.2)` is a log-likelihood, `("bound", -2.0)` means *at least* $-2.0$, `("none", nan)` is a model without one. Return `"first"` or `"second"` if that model certainly has the higher log-likelihood, and `"cannot tell"` otherwise. In one case a bound *does* decide.

# %%
def ranked(a, b):
    return "first" if a[1] > b[1] else "second"


def my_better(a, b):
    """Which of two models has the higher log-likelihood, if one can tell."""
    ...


course.exercise("01.better", my_better)

# %% jupyter={"source_hidden": true}
better = course.yours("01.better")
course.solution("01.better")
for one, other in (("autoregressive", "VAE"), ("flow", "diffusion"), ("VAE", "GAN")):
    print(f"{one} or {other}?", better(rows[one][1:3], rows[other][1:3]))

# %% [markdown]
# None of these pairs can be ordered by likelihood, however far apart the printed numbers are.
#
# ## 8. Where do today's systems stand?
#
# A car is more than its engine, and a system of today is more than one model. It is built in stages, and each *stage* has its place on the map: a **compressor** that turns a picture into a code and back, a **generator** of codes, **guidance** that compares two guesses in each step (with and without the caption, lesson 13; or one from a weaker model), and **distillation** that trains a model to need fewer steps.
#
# | system | compressor | generator | guidance | distillation or shortcut |
# |---|---|---|---|---|
# | representation autoencoder and diffusion transformer (2510.11690) | a pretrained encoder, a trained decoder | diffusion | by a weaker model | no |
# | VAR (2404.02905) | discrete codes at ten sizes | autoregressive, over *sizes*: all tokens of a size at once | yes | no |
# | LLaDA (2502.09992) | none | diffusion on masked tokens | no | no |
# | MeanFlow (2505.13447) | VAE | a diffusion-like model that learns to jump | trained in | one step |
# | Transfusion (2408.11039) | VAE | autoregressive for text, diffusion for pictures, one network | for pictures | no |
#
# **Your turn 01.7 · count the stages** *(compute, 6 minutes)*. How many network evaluations does one output take? Count a guided step as two, even where a program puts both into one batch. Count each stage that runs while an output is *made*. The numbers of steps are chosen for this exercise.
#
# (a) The first system, 50 guided steps. (b) VAR, ten sizes, guided. (c) LLaDA writes 256 tokens in 64 steps. (d) MeanFlow, one step. (e) Transfusion writes a caption of 60 tokens and then a picture in 25 guided steps.

# %%
evaluations = ...  # a list of five whole numbers

course.exercise("01.stages", evaluations)


# %% [markdown]
# <details><summary>What the counts say</summary>
#
# 101, 21, 64, 2 and 111. A model that draws a picture of 256 tokens one by one needs 256 evaluations, or 512 guided. VAR draws all tokens of a size at once, so it pays for ten sizes. LLaDA fills four tokens in each step. The price: both treat the tokens that they draw together as independent (frontier, *discrete and parallel*). MeanFlow's single jump has no known density. So by sampler and likelihood it stands where the GAN stands, and only its objective tells the two apart. A flow can be slow, too: the layers of TarFlow (2412.06329) run token after token.
# </details>
#
# ## 9. It fails
#
# **The GAN loses blobs.** Change one number of its training, the momentum, from 0 to the usual 0.9. Nothing else changes. We train six times with each. A blob counts as reached if at least 2 % of the samples lie within three standard deviations of its centre. A shapeless cloud passes that test, too. So we also measure which fraction of *all* samples lies in a blob, and print it for two controls, the data, and your five models.

# %%
def coverage(x):
    """Blobs that are reached, and the fraction of samples that lie in a blob."""
    distance, nearest = torch.cdist(x, ring.means).min(1)  # (n,), (n,)
    fractions = nearest[distance < 0.45].bincount(minlength=8) / len(x)  # (8,)
    return int((fractions >= 0.02).sum()), float(fractions.sum())


clouds = {}
for momentum in (0.9, 0.0):
    for seed in range(5, 11):
        player = play(seed, momentum)[0]
        with torch.no_grad():
            clouds[momentum, seed] = decode(player, 2_000, 4, 0.0, make_generator(seed))

# %% jupyter={"source_hidden": true}
found = {key: coverage(x) for key, x in clouds.items()}
round_one = reference.std() * torch.randn(2_000, 2, generator=rng)
angle = 2 * math.pi * torch.rand(2_000, generator=rng)
bare_ring = 1.5 * torch.stack([angle.cos(), angle.sin()], 1)
show(
    pictures.clouds(clouds, found, ring),
    "Six clouds with momentum 0.9 in the upper row, streaks over few of the blobs; six "
    "with momentum 0 below, on the whole ring. Under each, blobs reached.",
)
controls = {"one Gaussian": coverage(round_one), "bare ring": coverage(bare_ring)}
yours = {name: coverage(found_by[-1]) for name, found_by in films.items()}
for name, it in {**controls, "the data itself": coverage(reference), **yours}.items():
    print(f"{name:16} reaches {it[0]} of 8, ~{it[1]:.0%} inside a blob")
heavy, light = ([found[m, s] for s in range(5, 11)] for m in (0.9, 0.0))
check_range("blobs, momentum 0.9, best of six", max(n for n, _ in heavy), 0, 3,
            digits=0, unlike={"momentum 0": min(n for n, _ in light)})  # fmt: skip
with course.more_checks():
    inside = {name: f for name, (_, f) in controls.items()}
    check_range("fraction inside, momentum 0, worst", min(f for _, f in light), 0.8, 1,
                unlike=inside)  # fmt: skip
    fewest = min(f for _, f in yours.values())
    check_range("fraction inside, the worst of your five", fewest, 0.78, 1,
                unlike=inside)  # fmt: skip
course.predicted("01.predict-clusters", f"~{sum(n for n, _ in heavy) / 6:.0f} of 8")

# %% [markdown]
# The loss alone is not to blame: without momentum the same loss reaches all eight, six times out of six. The blobs are lost in the *motion* of the players, and the points end as a streak over few of them. The discriminator's momentum does it: in six more runs each, momentum for it alone reached at most one blob, for the generator alone all eight. *Repair*: no momentum. Lessons 07 and 08 find others. Look at the list once more: the diffusion model puts fewer points into the blobs than the flow.
#
# **The bound looks like a bad model.** Our VAE reports about $-2.0$, and the autoregressive model about $-1.2$. Is the VAE that much worse? It has only two hidden numbers, so for once we can do the integral (3), on a lattice of 40,000 values of $z$. With many draws of $z$ from the encoder's $q$, reweighted, the bound comes close to it (lesson 05).

# %%
some = held_out[:500]
lattice, cell = plane(6.0, 200)  # 40,000 values of z
with torch.no_grad():
    mean, std = vae.decoder(lattice), vae.log_scale.exp()  # (40000, 2), ()
    log_prior = Normal(0.0, 1.0).log_prob(lattice).sum(1)  # (40000,)
    log_p = torch.cat([
        (log_prior - torch.cdist(x, mean) ** 2 / (2 * std**2)).logsumexp(1)
        for x in some.split(20)
    ])  # (500,)
    exact = log_p + math.log(cell) - torch.log(2 * math.pi * std**2)
    bound = torch.stack([vae.elbo(some, generator=rng) for _ in range(50)]).mean(0)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    tighter = vae.importance_bound(some[:200], 2_000, generator=rng)
    other = ar.log_prob(some)
worse, gap = (other - exact).mean().item(), (exact - bound).mean().item()
show(
    pictures.bars(ceiling=ring.log_prob(some).mean(), other=other.mean(),
                  exact=exact.mean(), bound=bound.mean()),
    "From the ceiling of -1.1 down: the autoregressive model near -1.2, the VAE's own "
    "log-likelihood near -1.4, and its bound near -2.0.",
)  # fmt: skip
check_range("VAE worse than autoregressive, both exact", worse, 0.1, 0.4,
            unlike={"the bound taken for the value": worse + gap})  # fmt: skip
with course.more_checks():
    left = (exact[:200] - tighter).mean()
    check_range("lattice - bound from 2,000", left, -0.02, 0.1, unlike={"ELBO": gap})
course.predicted("01.predict-gap", f"~{worse:.2f} nats")

# %% [markdown]
# Our VAE is worse by about 0.25 nats, not by 0.8 or more. The other 0.6 nats belong to the bound: $q$, one Gaussian made by the encoder, misses the true distribution of the causes. *Repair*: 2,000 draws for each point, at 2,000 times the cost.
#
# ## Summary
#
# 1. A generative model learns $p(x)$ or $p(x\mid c)$; $p(y\mid x)$ alone does not determine it. We ask it to sample, to evaluate and to condition.
# 2. Chain rule: exact likelihood, one evaluation a token. Flow: exact, one evaluation, an invertible map.
# 3. Hidden cause: one evaluation and a lower bound, the ELBO, which is tight for the right $q$. With the decoder's noise set to 0 you have a GAN's sampler, and no likelihood.
# 4. Diffusion: the best guess of the noise is the score. One evaluation a step, and a bound. Why wait for it? Training is one plain squared error, and all numbers of a sample are drawn at once. The wait can be cut afterwards (the project; frontier, *few steps*).
# 5. Prediction 1: two of the five give the exact density of a point, two give a bound, one gives nothing. Evaluations: 2, 1, 1, 1 and 100.
# 6. Prediction 2: our VAE, "at least $-2.0$", was worse by about 0.25 nats, not 0.8; the two numbers alone could not tell. A bound decides against another model only when it exceeds the other's exact value.
# 7. Prediction 3: with momentum 0.9 the GAN reaches few of the eight, in our six runs at most two; without momentum, all.
# 8. Systems are built in stages. Place each stage, then add the evaluations.
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(1)

# %% [markdown]
# ## Project: five evaluations
#
# *(2 to 3 hours.)* The diffusion panel took 100 evaluations. Bring it to **at most 5**, counted by `Counted`.
#
# - **Target**: an energy distance of at most 0.005 between 4,000 samples and 4,000 fresh points, for each of three training seeds. At least 80 % of the samples must lie in a blob, because the distance hardly sees bridges.
# - **Where you start**: five equal deterministic jumps reach 0.023 to 0.029, ten about 0.005, a hundred 0.001 to 0.002. Two samples of the data are about 0.0003 apart.
# - **It can be done**: five chosen levels with a second-order step reached 0.0024 to 0.0035, with 84 to 87 % of the samples in a blob (three trainings, on one of which the levels were chosen; two draws of each; `benchmarks/project_01.py`). Plain jumps along the same levels stay above 0.01.
# - **Ideas**: choose *which* levels to visit; use the trend of the last two guesses, not only the last one; train a second network to imitate two steps of the first.
# - **Submit** your sampler, a table with a row for each change and three seeds in each row, a picture of the samples, and the change that did *not* help.
#
# The lesson ends here. One optional section:
#
# - *One notation for the whole course*, 4 minutes
#
# ## Going further: one notation for the whole course
#
# | quantity | symbol | in code | note |
# |---|---|---|---|
# | data, noisy data, estimate of the data | $x_0,\ x_t,\ \hat x_0$ | `x0`, `x_t`, `x0_hat` | plain `x` when there is no noise |
# | time | $t$ | `t`; `k` $=t-1$ in tables | 0 is data; noise grows with $t$, in every lesson |
# | noise, predicted noise | $\epsilon,\ \hat\epsilon$ | `eps`, `eps_hat` | standard normal |
# | DDPM's tables | $\beta_t,\ \bar\alpha_t$ | `betas`, `alphas_bar` | $\bar\alpha_t=(1-\beta_1)\cdots(1-\beta_t)$ |
# | signal and noise scale | $\alpha_t,\ \sigma_t$ | `alpha`, `sigma` | $x_t=\alpha_t x_0+\sigma_t\epsilon$; in lessons 13 and 14 $\alpha_t^2=\bar\alpha_t$ |
# | score | $\nabla_x\log p(x)$ | `score` | slope of the log-density |
# | latent variable | $z$ | `z`, `mu`, `log_var` | prior $p(z)$, encoder $q(z\mid x)$, decoder $p(x\mid z)$ |
# | invertible map | $f$ | `log_det` | logarithm of $\lvert\det J\rvert$ |
# | generator and discriminator | $G,\ D$ | `generator_net`, `discriminator` | $D=\mathrm{sigmoid}(\text{logit})$ |
# | likelihood | $\log p(x)$ | `log_prob` | nats per example; `elbo` for a bound |
# | divergence | $\mathrm{KL}(p\,\Vert\,q)$ | `kl_...` | nats, never negative |
# | guidance | $w$ | `guidance_scale` | $w=1$ is plainly conditional |
# | random numbers | | `generator`, `rng` | a seeded `torch.Generator`, always passed in |
#
# All logarithms are natural, so information is in **nats**. Formulas are for one example; a batch is an axis in front.
#
# ## What production systems add
#
# Scale by a factor of a million, and transformers or U-Nets for our small networks (lessons 02, 12). Hybrids, as in section 8: codes of a pretrained encoder (Zheng et al. 2025, arXiv:2510.11690), next-size prediction (Tian et al. 2024, arXiv:2404.02905), continuous tokens with a diffusion head (Li et al. 2024, arXiv:2406.11838), masked diffusion for text (Nie et al. 2025, arXiv:2502.09992), one network for text and pictures (Zhou et al. 2024, arXiv:2408.11039), one-step generation (Geng et al. 2025, arXiv:2505.13447), flows at scale (Zhai et al. 2024, arXiv:2412.06329). Lesson 15 asks the same questions of finished models.
#
# ## Sources
#
# - Stanford CS236, *Deep Generative Models*, lecture 1; Berkeley CS294-158, spring 2024, lecture 1: the questions and the families.
# - Uria et al. 2016 (arXiv:1605.02226), eq. 1: the chain rule as a model.
# - Rezende and Mohamed 2015 (arXiv:1505.05770), eq. 5: change of variables.
# - Kingma and Welling 2013 (arXiv:1312.6114), eq. 3: the ELBO.
# - Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1 and section 3: the game.
# - Ho, Jain and Abbeel 2020 (arXiv:2006.11239), eq. 14 and algorithm 2: loss and sampler. Vincent 2011 (Neural Computation 23): the score and the noise.
# - Szekely and Rizzo 2013, *Energy statistics*, eq. 5: the distance.
