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
# # 06 · The VAE in practice
#
# **After this lesson you will be able to**
#
# - *differentiate* an average over random draws in two ways, and *measure* which is quieter and when;
# - *walk* one training step of a VAE by hand, gradients included;
# - *choose* a decoder, and *say* what its likelihood means in bits per dimension;
# - *train* a VAE on real digits and print its two bounds as bounds;
# - *produce*, *diagnose* and *repair* posterior collapse, and *measure* blur and the amortisation gap.
#
# About 120 minutes to read, about 40 seconds to run. You need lesson 05 (the ELBO and its gap) and bits per dimension from lesson 02.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import torch

import genlab_course as course
from genlab.zoo import card, find, load_model
from genlab import latent
from genlab_course import widgets
from genlab.core import bits_per_dim, dequantize, kl_diag_normal, last
from genlab.core import likelihood_kind, randn
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import OKABE_ITO, film, show, show_images
from genlab.data.digits import load_digits
from genlab.nn.layers import MLP
from genlab.train import fit, minibatches

course.begin(lesson=6)
# exact numbers first; training will switch to float32
torch.set_default_dtype(torch.float64)
course.draw_map(lesson=6, slim=True)

# %% [markdown]
# Lesson 05 had latents that could be enumerated, or models that could be integrated. Now neither is possible: the decoder $p(x\mid z)$ is a network, and so is the
# guess $q(z\mid x)$, the encoder. This pair is the **variational autoencoder (VAE)**. What remains is the evidence lower bound (ELBO), and the question how to
# climb it when it is an average over random draws.
#
# ## Predict first
#
# Write your answers down. Each question returns, with a number.
#
# 1. Two unbiased estimators of the same gradient, with 64 latents. Does the noisier one have about 2, 50 or 2,000 times the variance?
# 2. A colleague's reconstruction loss is a *mean* over the 64 pixels, and the divergence a sum. What will the model do with $z$?
# 3. Free bits let each of 8 latents have half a nat of divergence for nothing, 4 nats in all. If about that much is paid, how many nats of *information* about $x$ is it?
# 4. A VAE trained on exact log-probabilities, without any squared error: are its mean images still blurred?

# %% [markdown]
# ## 1. The gradient of an average
#
# **Step 1. The problem.** The bound contains $\mathbb E_{q_\phi}f(z)$, and $\phi$ are parameters of the distribution of the draws. Take the smallest case, which has
# an answer in closed form: $f(z)=\tfrac12(x-z)^2$ under $q=\mathcal N(\mu,\sigma^2)$. Then $\mathbb E f=\tfrac12\big((x-\mu)^2+\sigma^2\big)$, so
# $$\frac{\partial}{\partial\mu}\mathbb Ef=-(x-\mu),\qquad \frac{\partial}{\partial\log\sigma^2}\mathbb Ef=\tfrac12\sigma^2 .$$
#
# **Step 2. Reparameterise.** Write $z=\mu+\sigma\epsilon$ with $\epsilon\sim\mathcal N(0,1)$. The distribution of $\epsilon$ has no
# parameters, so derivative and average may change places if $f$ is smooth:
# $$\nabla_\phi\,\mathbb E_q f(z)=\mathbb E_\epsilon\,f'(\mu+\sigma\epsilon)\,\nabla_\phi(\mu+\sigma\epsilon).$$
#
# **Step 3. Or differentiate the density.** Because $\nabla q=q\,\nabla\log q$,
# $$\nabla_\phi\,\mathbb E_q f(z)=\int f\,\nabla q=\mathbb E_q\,f(z)\,\nabla_\phi\log q(z).$$
# This **score-function estimator** (REINFORCE) never differentiates $f$. Both are averages, so both can be estimated with draws; which value do you
# expect them to have, and which scatter?

# %%
x, mu0, n = 1.2, 0.5, 200_000
a = x - mu0
generator = torch.Generator().manual_seed(6)
eps = torch.randn(n, generator=generator)
mu = torch.full((n,), mu0, requires_grad=True)
log_var = torch.zeros(n, requires_grad=True)

f = lambda z: 0.5 * (x - z) ** 2
z = latent.reparameterize(mu, log_var, eps)
by_path = torch.autograd.grad(f(z).sum(), (mu, log_var))
z = z.detach()
half_forgotten = (z - x) * eps  # as if dz / dlog_var were sigma eps
log_q = -0.5 * ((z - mu) ** 2 * (-log_var).exp() + log_var)
by_score = torch.autograd.grad(latent.score_function(log_q, f(z)).sum(), (mu, log_var))
for name, (d_mu, d_log_var) in {
    "reparameterised": by_path,
    "score function": by_score,
}.items():
    check_close_mc(f"{name}: d/dmu", d_mu, -a, unlike={"sign": abs(a)})
    check_close_mc(
        f"{name}: d/dlog_var", d_log_var, 0.5, unlike={"half forgotten": half_forgotten}
    )


# %% [markdown]
# **Step 4. The same mean, another variance.** The first estimate of $\partial/\partial\mu$ is $z-x$, with variance $\sigma^2=1$. The second is
# $\tfrac12(a-\epsilon)^2\epsilon$ with $a=x-\mu$, whose mean square follows from the even moments 1, 3, 15 of a normal: $(a^4+18a^2+15)/4$. Now add
# $d-1$ further latents. Each multiplies *its* loss onto *our* score, although it has nothing to do with it, and the mean square becomes
# $$\tfrac14(a^4+18a^2+15)+(d-1)\tfrac12(a^2+1)(a^2+3)+(d-1)(a^2+\tfrac12)+\big((d-1)\tfrac12(a^2+1)\big)^2 ,$$
# which grows like $d^2$. A **baseline** subtracts the mean of the other draws' losses, and leaves growth like $d$. The formula is checked by Gauss-Hermite
# quadrature in 1 to 4 dimensions, which is exact for polynomials like this one.

# %%
def mean_square(d):
    rest = (d - 1) * (a**2 + 1) / 2
    others = rest * (a**2 + 3) + (d - 1) * (a**2 + 0.5) + rest**2
    return (a**4 + 18 * a**2 + 15) / 4 + others


nodes, mass = (torch.tensor(v) for v in np.polynomial.hermite_e.hermegauss(4))
by_quadrature = []
for d in (1, 2, 3, 4):
    e = torch.cartesian_prod(*[nodes] * d).reshape(-1, d)
    p = torch.cartesian_prod(*[mass / mass.sum()] * d).reshape(-1, d).prod(1)
    by_quadrature.append((p * (0.5 * ((a - e) ** 2).sum(1) * e[:, 0]) ** 2).sum())
check(
    "mean square of the score function, d = 1 to 4",
    [mean_square(d) for d in (1, 2, 3, 4)],
    torch.stack(by_quadrature),
    unlike={
        "variance of the others forgotten": [
            mean_square(d) - (d - 1) * (a**2 + 0.5) for d in (1, 2, 3, 4)
        ]
    },
)

# %%
dims, variances = (
    (1, 4, 16, 64),
    {"score function": [], "with baseline": [], "reparameterised": []},
)
for d in dims:
    # 8 draws share a leave-one-out baseline
    eps = torch.randn(8, 4000, d, generator=generator)
    value = 0.5 * ((a - eps) ** 2).sum(-1)
    plain = value * eps[..., 0]
    lower = (value - latent.leave_one_out(value)) * eps[..., 0]
    if d == 1:
        own = (value - value.mean(0)) * eps[..., 0]
        check_close_mc(
            "mean with leave-one-out baseline",
            lower.mean(0),
            -a,
            unlike={"own draw in the baseline": own.mean(0)},
        )
    variances["score function"].append(plain.var().item())
    variances["with baseline"].append(lower.var().item())
    variances["reparameterised"].append((eps[..., 0] - a).var().item())

# %%
at_64 = {
    name: values[-1] / variances["reparameterised"][-1]
    for name, values in variances.items()
}
check_range(
    "variance ratio, 64 latents",
    at_64["score function"],
    1800,
    3100,
    digits=0,
    unlike={"with baseline": at_64["with baseline"]},
)
# from 16 to 64 latents
power = lambda v: math.log(v[3] / v[2]) / math.log(dims[3] / dims[2])
powers = {name: power(values) for name, values in variances.items()}
check_range(
    "power of d, score function",
    powers["score function"],
    1.6,
    2.1,
    digits=2,
    unlike={"with baseline": powers["with baseline"]},
)
check_range(
    "power of d, with baseline",
    powers["with baseline"],
    0.7,
    1.2,
    digits=2,
    unlike={"without": powers["score function"]},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7.0, 3.2))
for (name, values), mark in zip(variances.items(), "^so", strict=True):
    ax.loglog(dims, values, marker=mark, label=name)
ax.set(xlabel="latents d", ylabel="variance of one draw", xticks=dims, xticklabels=dims)
ax.set(title="three unbiased estimators of one gradient coordinate")
ax.legend(loc="upper left")
show(
    figure,
    "Variance of one draw against the number of latents, 1 to 64, both axes "
    "logarithmic: the score function rises from 5 to more than 2,000, with a baseline "
    "from 4 to 70, and the reparameterised estimator stays at 1.",
)

# %% [markdown]
# So question 1: about 2,000. A factor of 2,000 in variance means 2,000 times as many draws for the same accuracy. A baseline that includes *its own* draw
# would make the estimate biased; leaving it out does not.
#
# > **A common misconception: "the reparameterised gradient always has the lower variance."** It does for smooth, slowly varying losses like a VAE's, which makes the claim tempting
# > (Mohamed et al. 2020 compare the estimators on several $f$). For $f=\cos 8z$ its mean square is near $8^2/2$,
# > that of the score function near $\tfrac12$. And when $f$ *jumps* it is not even unbiased: $f=[z>0]$ has derivative zero wherever it has one, but
# > $\partial\,P(z>0)/\partial\mu=\varphi(\mu/\sigma)/\sigma$ with the standard normal density $\varphi$. For discrete latents and for rewards one uses the score function. The check takes
# > $f=\cos wz$ at $w=1$, where both terms of each formula count, and at $w=8$.

# %%
line = torch.linspace(-10, 10, 40_001)
density = torch.exp(-(line**2) / 2) / math.sqrt(2 * math.pi)
average = lambda values: torch.trapezoid(density * values, line)
waves = (1.0, 8.0)
path = [average((-w * torch.sin(w * (mu0 + line))) ** 2).item() for w in waves]
score = [average((torch.cos(w * (mu0 + line)) * line) ** 2).item() for w in waves]


def formulas(w, sign=1):
    wave = sign * math.exp(-2 * w**2) * math.cos(2 * w * mu0)
    return w**2 / 2 * (1 - wave), 0.5 * (1 + (1 - 4 * w**2) * wave)


by_formula, flipped = ([formulas(w, sign) for w in waves] for sign in (1, -1))
check(
    "cos z, cos 8z: mean squares, path and score",
    list(zip(path, score, strict=True)),
    by_formula,
    unlike={"sign of the second term": flipped},
)

eps = torch.randn(n, generator=generator)
jump = (mu0 + eps > 0).double()
mean = torch.tensor(mu0, requires_grad=True)
# [z > 0] once more
(slope,) = torch.autograd.grad(((mean + eps).sign() + 1).mean() / 2, mean)
check_close_mc(
    "[z > 0]: score function",
    jump * eps,
    math.exp(-(mu0**2) / 2) / math.sqrt(2 * math.pi),
    unlike={"reparameterised": slope},
)

# %% [markdown]
# ## 2. The price of a code, in closed form
#
# **Step 5.** For $q=\mathcal N(\mu,\sigma^2)$ and the prior $\mathcal N(0,1)$, put the two log-densities under the average: the logarithm of the scale gives
# $-\log\sigma$, the exponents give $\tfrac12\mathbb E z^2-\tfrac12\mathbb E\epsilon^2=\tfrac12(\mu^2+\sigma^2)-\tfrac12$. Hence
# $$\mathrm{KL}\big(\mathcal N(\mu,\sigma^2)\,\|\,\mathcal N(0,1)\big)=\tfrac12\big(\sigma^2+\mu^2-1-\log\sigma^2\big),$$
# summed over latents. One of the two terms of the bound needs no draws at all. The second route integrates $q\log(q/p)$ numerically.

# %%
m, s = torch.tensor([[0.0, 1], [1, 1], [0, 2], [2, 1], [0, 0.5], [1, 2]]).T
log_ratio = lambda m, s: -s.log() - line**2 / 2 + (m + s * line) ** 2 / 2
kl = kl_diag_normal(m[:, None], 2 * s.log()[:, None])
print(
    "  ".join(
        f"N({a:g}, {b:g}²): {nats:.4f}" for a, b, nats in zip(m, s, kl, strict=True)
    )
)
check(
    "KL to N(0, 1): closed form = integral",
    kl,
    [average(log_ratio(a, b)).item() for a, b in zip(m, s, strict=True)],
    unlike={"log sigma for log sigma^2": (s**2 + m**2 - 1 - s.log()) / 2},
)

# %% [markdown]
# ## 3. One training step by hand
#
# **Step 6.** One pixel $x=1.2$, one latent. The encoder answers $\mu=.5,\ \log\sigma^2=0$; the noise comes out as $\epsilon=-.3$; the decoder is
# $\mathcal N(z,1)$. *Encode, draw, decode, price, add, go back*:
# $$z=.5-.3=.2,\quad -\log p(x\mid z)=\tfrac12(1.2-.2)^2+\tfrac12\log2\pi=1.4189385,\quad \mathrm{KL}=.125,\quad\text{loss}=1.5439385 .$$
# Backwards: $\partial\,\text{loss}/\partial z=-(x-z)=-1$. It reaches $\mu$ with factor 1 and $\log\sigma^2$ with factor $\tfrac12\sigma\epsilon=-.15$, and the price
# adds its own pull:
# $$\frac{\partial\,\text{loss}}{\partial\mu}=-(x-z)+\mu=-.5,\qquad
# \frac{\partial\,\text{loss}}{\partial\log\sigma^2}=-(x-z)\tfrac12\sigma\epsilon+\tfrac12(\sigma^2-1)=.15 .$$

# %%
seen, noise = torch.tensor([[1.2]]), torch.tensor([[-0.3]])
mu = torch.tensor([[0.5]], requires_grad=True)
log_var = torch.tensor([[0.0]], requires_grad=True)
z = latent.reparameterize(mu, log_var, noise)
decoder = lambda x, z: latent.gaussian_log_prob(x, z, torch.tensor(0.0))
loss = -latent.elbo(seen, mu, log_var, noise, decoder_log_prob=decoder)
loss.sum().backward()
check(
    "loss, by hand",
    loss.item(),
    0.5 * (1.2 - 0.2) ** 2 + 0.5 * math.log(2 * math.pi) + 0.5**2 / 2,
    unlike={"KL counted twice": loss.item() + kl_diag_normal(mu, log_var).item()},
)
check(
    "gradients in mu and log_var, by hand",
    [mu.grad.item(), log_var.grad.item()],
    [-(1.2 - 0.2) + 0.5, -(1.2 - 0.2) * -0.3 / 2],
    unlike={"the KL's pull forgotten": [-(seen - z).item(), log_var.grad.item()]},
)


# %% [markdown]
# **From equation to code.** The bound for any decoder is four lines. They must agree with the package on random codes; and there, where $\log\sigma^2\ne0$, the pull of the KL on
# $\log\sigma^2$ shows as well.

# %%
def my_elbo(x, mu, log_var, eps, decoder_log_prob):
    z = mu + torch.exp(log_var / 2) * eps
    price = 0.5 * (log_var.exp() + mu**2 - 1 - log_var).sum(1)
    return decoder_log_prob(x, z) - price


xs, ms, vs, es = torch.randn(4, 7, 3, generator=generator)
torch.testing.assert_close(
    my_elbo(xs, ms, vs, es, decoder),
    latent.elbo(xs, ms, vs, es, decoder_log_prob=decoder),
)
vs.requires_grad_()
(by_autograd,) = torch.autograd.grad(-my_elbo(xs, ms, vs, es, decoder).sum(), vs)
from_x = -(xs - ms - (vs / 2).exp() * es) * (vs / 2).exp() * es / 2
check(
    "dloss/dlog_var on random codes",
    by_autograd,
    from_x + (vs.exp() - 1) / 2,
    unlike={"KL counted twice": from_x + (vs.exp() - 1)},
)
course.show_source(latent.elbo)

# %% [markdown]
# **Why $\log\sigma^2$?** A network's output is any real number, a variance $v$ is not. Let each unit of variance cost the reconstruction $c$ nats and add the
# KL: up to a constant the loss is $c\,v+\tfrac12v-\tfrac12\log v$, with its minimum at $v^*=1/(1+2c)$. Descend in $v$ itself and the first step from $v=1$ goes to a negative $v$, where the logarithm is not defined; descend in $\log v$ and you arrive.

# %%
c, direct, logarithm = 50.0, 1.0, 0.0
direct -= 0.03 * (c + 0.5 - 0.5 / direct)
for _ in range(3000):
    logarithm -= 0.03 * ((c + 0.5) * math.exp(logarithm) - 0.5)
print(f"variance predicted directly, after one step: {direct:.2f}")
check(
    "variance by its logarithm, after 3000 steps",
    math.exp(logarithm),
    1 / (1 + 2 * c),
    unlike={"the KL's v/2 forgotten": 1 / (2 * c)},
)

# %% [markdown]
# ## 4. What a decoder's likelihood means
#
# **Step 7. Three readings of the decoder's output.** It is a table of parameters, and the loss is minus a log-likelihood only if something sums or
# integrates to one. *Bernoulli*: two levels. *Categorical*: a softmax over $L$ levels. Enumerate all small images:

# %%
bits = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)))
levels = torch.tensor(list(itertools.product(range(5), repeat=3)))
logits = torch.randn(4, generator=generator)
tables = torch.randn(3, 5, generator=generator)
check(
    "Bernoulli: all 16 images",
    latent.bernoulli_log_prob(bits, logits.expand(16, 4)).exp().sum(),
    1.0,
    unlike={"1 - p of the zeros forgotten": logits.sigmoid().pow(bits).prod(1).sum()},
)
wrong_axis = tables.softmax(0)[torch.arange(3), levels]
check(
    "categorical: all 125 images",
    latent.categorical_log_prob(levels, tables.expand(125, 3, 5)).exp().sum(),
    1.0,
    unlike={"softmax over the pixels": wrong_axis.prod(1).sum()},
)

grey = torch.arange(17) / 16
p = torch.tensor([[0.3], [0.5]])
totals = (p**grey * (1 - p) ** (1 - grey)).sum(1)  # of the 17 would-be probabilities
# at p = .3 a geometric series, at p = .5 seventeen equal terms
r = (0.3 / 0.7) ** (1 / 16)
check(
    "cross-entropy on grey levels: total mass",
    totals,
    [0.7 * (1 - r**17) / (1 - r), 17 / 2],
    unlike={"one": latent.bernoulli_log_prob(bits, logits.expand(16, 4)).exp().sum()},
)
print(f"total mass: {totals[0]:.2f} at p = .3, {totals[1]:.2f} at p = .5")
try:
    latent.bernoulli_log_prob(torch.tensor([[0.5]]), torch.zeros(1, 1))
except ValueError as error:
    print(error)

# %% [markdown]
# > **A common misconception: "binary cross-entropy on grey values is a log-likelihood."** (Loaiza-Ganem and Cunningham 2019 call this a pervasive error.) The would-be
# > probabilities of the 17 levels add up to 8.1 at $p=.3$, and to 8.5 at $p=.5$. The missing constant depends on $p$, so it also moves the optimum. The package refuses such pixels, as you see.
#
# **Step 8. A density on grey levels is a bound again.** A *Gaussian* decoder gives densities. Spread level $k$ evenly over its bin, $y=(k+u)/L$. By Jensen
# $$\mathbb E_u\log p(y)-\log L\ \le\ \log\int_0^1 \tfrac1L\,p\big(\tfrac{k+u}L\big)\,du=\log P(k),$$
# so a density's nats, less $\log L$ a pixel, lie below the log-probability of the discrete model that it implies. Here is the loss of this step for one pixel
# whose bin lies at the decoder's mean, for three scales.

# %%
u = (torch.arange(20_000) + 0.5) / 20_000
losses = []
for scale in (0.01, 0.03, 0.2):
    y = ((5 + u) / 17)[:, None]
    centre = torch.full_like(y, 5.5 / 17)
    bound = latent.gaussian_log_prob(
        y, centre, torch.tensor(scale).log()
    ).mean() - math.log(17)
    exact = (2 * torch.special.ndtr(torch.tensor(0.5 / 17 / scale)) - 1).log()
    losses.append((exact - bound).item())
    print(f"scale {scale:4.2f}: bound {bound:8.4f} nats, exact bin {exact:8.4f}")
check(
    "scale .2: the loss is Var((y - m)^2) / 8s^4",
    losses[2],
    (1 / 17**4 / 180) / (8 * 0.2**4),
    rtol=5e-3,
    atol=0,
    unlike={
        "fourth moment for the variance": ((y - 5.5 / 17) ** 4).mean() / (8 * scale**4)
    },
)

# %% [markdown]
# The last comparison is the first term of the expansion of $\log\mathbb E e^{t}-\mathbb Et$, half a variance. For scales well above a bin the loss is negligible; for a
# decoder sharper than a bin it is large. **And the scale must be learned.** Given the errors, the best $s^2$ is their mean square. "MSE loss" is $s=1$ held
# fixed, as wide as the whole range of the pixels:

# %%
y, mean = (
    torch.rand(1, 640, generator=generator),
    torch.rand(1, 640, generator=generator),
)
mse = ((y - mean) ** 2).mean()


def slope_at(log_scale):
    log_scale = log_scale.clone().requires_grad_()
    return torch.autograd.grad(
        latent.gaussian_log_prob(y, mean, log_scale).sum(), log_scale
    )[0]


check(
    "slope of the likelihood at s^2 = MSE",
    slope_at(0.5 * mse.log()),
    0.0,
    unlike={"at s = MSE": slope_at(mse.log())},
)

# %%
torch.set_default_dtype(torch.float32)
train, test = load_digits("train").images, load_digits("test").images


def gaussian_bits(learn_scale):
    torch.manual_seed(6)
    vae = latent.VAE(
        MLP(64, 16, 128, 2), MLP(8, 64, 128, 1), latent_dim=8, event_shape=(64,)
    )
    vae.log_scale.requires_grad_(learn_scale)
    g = torch.Generator().manual_seed(6)
    grey = minibatches(train.flatten(1), 64, generator=g)
    spread = (dequantize(x, 17, generator=g).float() for x in grey)
    last(fit(vae, spread, n_steps=700, lr=3e-3, generator=g))
    with torch.no_grad():
        y = dequantize(test.flatten(1), 17, generator=g).float()
        return bits_per_dim(-vae.elbo(y, generator=g), 64, levels=17).mean().item()


learned, fixed = gaussian_bits(True), gaussian_bits(False)
check_range(
    "Gaussian, s learned (bound), bits/dim",
    learned,
    3.2,
    3.9,
    digits=2,
    unlike={"s = 1": fixed},
)
check_range(
    "Gaussian, s = 1 fixed (bound), bits/dim",
    fixed,
    5.3,
    5.6,
    digits=2,
    unlike={"guessing among 17 levels": math.log2(17)},
)

# %% [markdown]
# With $s=1$ the VAE is worse than guessing. It may still draw acceptable pictures, which is why the mistake is easy to miss.
#
# ## 5. Training on real digits
#
# We take the categorical decoder: the digits have 17 levels, so its numbers can be compared with lesson 02's without any correction. The encoder sees 64 pixels and
# answers with 8 means and 8 log-variances; the decoder turns 8 numbers into 64 tables.

# %%
recipe = find("digit_vae")
vae = recipe.untrained()
with torch.no_grad():
    untrained = bits_per_dim(
        -vae.elbo(test, generator=torch.Generator().manual_seed(6)), 64
    ).mean()
records = widgets.watch(
    recipe.train(vae, train), total=recipe.settings["n_steps"], label="loss (nats)"
)
g = torch.Generator().manual_seed(6)
with torch.no_grad():
    draws = torch.stack(
        [bits_per_dim(-vae.elbo(test, generator=g), 64) for _ in range(20)]
    )
    tight = bits_per_dim(-vae.importance_bound(test, 500, generator=g), 64)
print(
    "likelihood kind:",
    likelihood_kind(vae),
    "| has log_prob:",
    hasattr(vae, "log_prob"),
)
check_range(
    "ELBO (bound), test bits/dim at most",
    draws.mean(),
    1.92,
    2.05,
    digits=2,
    unlike={"untrained": untrained},
)
print(f"500 draws (bound), test bits/dim at most ~{tight.mean():.2f}")
nats_between = lambda a, b: (a.mean() - b.mean()) * 64 * math.log(2)
check_range(
    "what 500 draws recover, nats per image",
    nats_between(draws, tight),
    0.8,
    4,
    unlike={"ten more draws of the ELBO": nats_between(draws[:10], draws[10:])},
)

# %% [markdown]
# Both are upper bounds on the bits, and we print them as such. The second is the better one to compare by. Still, the exact number of lesson 02's PixelCNN against
# an upper bound of a VAE leaves open by how much the VAE really loses. So never quote an ELBO *as* the likelihood.
#
# The figure has data, the decoder's means at their codes, its means at codes from the prior, and samples: $z\sim\mathcal N(0,I)$, then each pixel from its table. The pixels' own draws are independent
# *given* $z$, hence the speckle.

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    mu, log_var = vae.encode(test)
    rebuilt = vae.mean_image(mu)
    z = randn((1000, 8), generator=torch.Generator().manual_seed(7))
    means = vae.mean_image(z)
    sampled = vae.draw(z, generator=torch.Generator().manual_seed(8))
names = (
    "held-out digits",
    "mean image of their codes",
    "mean images, prior codes",
    "samples, prior codes",
)


def four_grids(*groups):
    figure, axes = plt.subplots(1, 4, figsize=(11.0, 3.1))
    figure.get_layout_engine().set(w_pad=0.1)
    for ax, images, name in zip(axes, groups, names, strict=True):
        show_images(ax, images[:16], n_columns=4, title=name)
    return figure


figure = four_grids(test, rebuilt, means, sampled)
show(
    figure,
    "Four grids of sixteen digits of 8 x 8 pixels: held-out digits, their smoother "
    "reconstructions, smooth mean images of codes from the prior, and samples with "
    "the same shapes but grainy strokes.",
)

# %% [markdown]
# ## 6. Looking at the code
#
# Train the same model with *two* latents and its codes can be drawn. **A question for the widget:** walk from the ones to the zeros in a straight line. Do you pass
# through digits that exist, and through which? And what stands at $(3,3)$, where hardly a code lies?

# %% tags=["keep-output"]
plane = recipe.but(latent_dim=2, depth=2, n_steps=700)
vae2 = plane.untrained()
last(plane.train(vae2, train))
widgets.latent_plane(vae2)

# %% jupyter={"source_hidden": true}
labels = load_digits("test").labels
side = torch.linspace(-2.2, 2.2, 9)
grid = torch.stack([torch.stack([a, b]) for b in side.flip(0) for a in side])
with torch.no_grad():
    mu2, log_var2 = vae2.encode(test)
    atlas_of_codes = vae2.mean_image(grid)
ratio = (1, 1.1)
figure, (left, right) = plt.subplots(1, 2, figsize=(11.0, 5.5), width_ratios=ratio)
for digit in range(10):
    look = {"color": OKABE_ITO[digit % 7], "marker": f"${digit}$", "markersize": 7}
    left.plot(*mu2[labels == digit].T, linestyle="", **look)
left.set(
    xlabel="$z_1$",
    ylabel="$z_2$",
    title="codes of the held-out digits",
    xlim=(-3.2, 3.2),
    ylim=(-3.2, 3.2),
)
title = "decoded, $z$ from $-2.2$ to $2.2$"
show_images(right, atlas_of_codes, n_columns=9, title=title)
show(
    figure,
    "Left: codes of the held-out digits in the plane, each drawn as its digit; zeros, "
    "sixes, fours, ones, twos and threes have regions of their own, others mix near "
    "the centre. Right: the plane decoded on a grid of 9 x 9, where the digits change "
    "from region to region without a break.",
)

# %% [markdown]
# What the widget shows can be counted. Walk from the middle of the ones to the middle of the zeros, ask at each step for the nearest test code, and
# measure how far the decoded mean is from the nearest training image, on the way and at the corner $(3,3)$.

# %%
middle = lambda digit: mu2[labels == digit].mean(0)
steps = torch.linspace(0, 1, 21)[:, None]
path = (1 - steps) * middle(1) + steps * middle(0)
met = [int(labels[(mu2 - point).norm(dim=1).argmin()]) for point in path]
distances = lambda images: torch.cdist(images.flatten(1), train.flatten(1).float())
to_training = lambda images: distances(images).min(1).values
with torch.no_grad():
    off = to_training(vae2.mean_image(torch.cat([path, torch.tensor([[3.0, 3.0]])])))
print("nearest code on the way, step by step:", " ".join(f"~{digit}" for digit in met))

# %%
ends = [float(met[0]), float(met[-1])]
check("digits at the two ends", ends, [1.0, 0.0], unlike={"path reversed": ends[::-1]})
apart, nearest = torch.cdist(mu2, mu2).topk(2, largest=False)  # the nearest is the code itself
other = labels[nearest[:, 1]]
check_range(
    "nearest other code shows the same digit",
    (other == labels).double().mean(),
    0.5,
    0.8,
    digits=2,
    unlike={"labels of the images before": (other == labels.roll(1)).double().mean()},
)
neighbours = apart[:, 1]
check_range(
    "at (3, 3): nearest code is away by",
    (mu2 - 3).norm(dim=1).min(),
    0.5,
    4,
    unlike={"between neighbouring codes": neighbours.median()},
)
print(
    f"grey levels to the nearest image: ~{off[:-1].min():.0f} to "
    f"~{off[:-1].max():.0f} on the way, ~{off[-1]:.0f} at (3, 3)"
)

# %% [markdown]
# Yes, you pass through digits that exist. On the borders between them the mean image is a blend that looks like no digit. At $(3,3)$ the decoder still draws something: it
# returns an image for every $z$, also for those that training never visited.
#
# **Interpolation.** Halfway between two images in pixel space lies their average, a double exposure. Halfway between their codes lies another decoded image. We measure how far the
# midpoints are from the nearest training image. One warning: the middle of two independent codes has only half of a code's expected squared length.

# %%
g = torch.Generator().manual_seed(9)
pairs = torch.randn(2, 20_000, 8, generator=g, dtype=torch.float64)
check_close_mc(
    "squared length of a midpoint, 8 latents",
    (pairs.mean(0) ** 2).sum(1),
    8 / 2,
    unlike={"of a code": (pairs[0] ** 2).sum(1)},
)

ends = mu[:100], mu[100:200]
with torch.no_grad():
    by_code = vae.mean_image((ends[0] + ends[1]) / 2).flatten(1)
    start, stop = rebuilt[:100].flatten(1), rebuilt[100:200].flatten(1)
nearest = lambda images: to_training(images).mean().item()
apart, close = nearest((start + stop) / 2), nearest(by_code)
print(
    f"grey levels to the nearest image: ~{apart:.1f} in pixel space, "
    f"~{close:.1f} in code space"
)
check_range("midpoints of codes are closer by", apart - close, 0.5, 8, digits=1)

# %% jupyter={"source_hidden": true}
walk = torch.linspace(0, 1, 9)[:, None]
three = ((0, 5), (3, 11), (8, 2))
mix = lambda codes, i, j: (1 - walk) * codes[i] + walk * codes[j]
with torch.no_grad():
    along = torch.cat([vae.mean_image(mix(mu, i, j)) for i, j in three])
faded = torch.cat([mix(rebuilt.flatten(1), i, j) for i, j in three])
figure, (upper, lower) = plt.subplots(2, 1, figsize=(6.6, 5.2))
show_images(upper, along, n_columns=9, title="straight in code space")
title = "straight in pixel space"
show_images(lower, faded.view(-1, 8, 8), n_columns=9, title=title)
show(
    figure,
    "Three walks between pairs of digits in nine steps. In code space strokes move "
    "and each picture has one set of strokes; in pixel space the middle pictures show "
    "both digits at once, in grey.",
)

# %% [markdown]
# The same question where you can hold the ends: a VAE with two latents of MNIST at 16 x 16 (`genlab train mnist_plane`), decoded in the page. Play `walk`: what happens to the
# stroke, in the plane and in the pixels? Then drag the right-hand end down to a 0. Is the walk still clearer than the fade? And what stands in the corners with `plane up to` 6?
#
# <details><summary>Answer</summary>
#
# In the plane the 1 stands up and grows a roof; in the pixels one digit shines through the other: halfway 28 bits of the pixels are open against 43. From the 1 down to a 0 at
# $(-1.5,-1.4)$ the walk crosses something that is neither 5 nor 8, then a 2, and on such borders it is as undecided as the fade (halfway 57 against 54 bits). In the corners, where the prior has next to nothing, the decoder
# is *sure*: 4 to 17 bits. A clear picture is no evidence that anything like it was in the data.
#
# </details>

# %% tags=["keep-output"]
widgets.latent_walk()


# %% [markdown]
# ## 7. It fails: collapse, blur and the amortisation gap
#
# **Collapse by one character.** `recon.mean()` over the pixels where `recon.sum()` was meant: up to a factor of the whole loss that is $\beta=64$. We train it, and
# three more weights, and look at four numbers: the bound in bits, the KL, the **active units** (latents whose mean varies with $x$), and the mutual
# information $I_q(x;z)$, the nats that a code tells about which image it belongs to. Its estimate over $n$ images cannot exceed $\log n$. Every run of this section has
# 360 steps, so "collapsed" means collapsed after 360 steps.

# %%
def diagnose(model, seed=1):
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        mu, log_var = model.encode(train)
        eps = torch.randn(4, *mu.shape, generator=g)
        told = [latent.code_information(mu, log_var, e).mean() for e in eps]
        bound = [model.elbo(test, generator=g).mean() for _ in range(5)]
    told, bound = torch.stack(told).mean(), torch.stack(bound).mean()
    price = latent.kl_per_unit(mu, log_var).sum(1).mean()
    active = int(latent.active_units(mu).sum())
    return bits_per_dim(-bound, 64).item(), price.item(), told.item(), active


def trained(**changes):
    short = recipe.but(n_steps=360, **changes)
    model = short.untrained()
    last(short.train(model, train))
    return diagnose(model)


print(
    f"no estimate over {len(train)} images can exceed {math.log(len(train)):.2f} nats"
)
weights = {beta: trained(beta=beta) for beta in (0.25, 1.0, 4.0, 64.0)}
for beta, (bits_, price, told, active) in weights.items():
    print(
        f"beta {beta:5g}: ~{bits_:.2f} bits, divergence ~{price:.1f}, "
        f"information ~{told:.1f}, active ~{active}"
    )

# %%
quarter, one, four, mean_over_pixels = weights.values()
check(
    "beta = 64 (mean over pixels): active units",
    mean_over_pixels[3],
    0,
    unlike={"beta = 1": one[3]},
)
check_range(
    "beta = 64: information, nats",
    mean_over_pixels[2],
    -0.02,
    0.02,
    unlike={"beta = 1": one[2]},
)
check_range(
    "beta = 64: bits/dim, a pixel histogram's",
    mean_over_pixels[0],
    2.36,
    2.5,
    digits=2,
    unlike={"beta = 1": one[0]},
)
more = {
    name: [a - b for a, b in zip(run, one, strict=True)]
    for name, run in (("quarter", quarter), ("four", four))
}
check_range(
    "beta = 1/4: more information than beta = 1",
    more["quarter"][2],
    0.5,
    3,
    unlike={"beta = 4": more["four"][2]},
)
check_range(
    "beta = 1/4: more bits/dim than beta = 1",
    more["quarter"][0],
    0.02,
    0.17,
    unlike={"beta = 4": more["four"][0]},
)

# %% [markdown]
# Question 2: nothing at all. The repair is `sum`. Note the row $\beta=\tfrac14$: more information (its estimate is close to its ceiling), a worse bound. The
# objective $\mathbb E_q\log p(x\mid z)-\beta\,\mathrm{KL}$ of the **$\beta$-VAE** trades one for the other.
#
# **A large KL is not information.** Averaged over the data, the price of the codes splits exactly:
# $$\tfrac1n\textstyle\sum_i\mathrm{KL}\big(q(z\mid x_i)\|p\big)=I_q(x;z)+\mathrm{KL}\big(q(z)\|p\big),\qquad q(z)=\tfrac1n\sum_iq(z\mid x_i).$$
# An encoder that sends *every* image to $\mathcal N(3,1)$ pays 4.5 nats a latent and says nothing. For the two-latent VAE we integrate the last term over a lattice
# and compare it with the divergence less the estimated information.

# %%
same = torch.full((50, 1), 3.0), torch.zeros(50, 1)
noise = torch.randn(50, 1, generator=torch.Generator().manual_seed(1))
check_range(
    "N(3, 1) for all: information, nats",
    latent.code_information(*same, noise).mean(),
    -1e-5,
    1e-5,
    unlike={"the KL": kl_diag_normal(*same).mean()},
)
check(
    "N(3, 1) for all: active units",
    int(latent.active_units(same[0]).sum()),
    0,
    unlike={"mean square for variance": int(((same[0] ** 2).mean(0) > 0.01).sum())},
)

m, v = mu2.double(), log_var2.double()
axis = torch.linspace(-7, 7, 351, dtype=torch.float64)
parts = [
    torch.exp(-0.5 * ((axis[:, None] - m[:, j]) ** 2 / v[:, j].exp()))
    / (2 * math.pi * v[:, j].exp()).sqrt()
    for j in (0, 1)
]
q = parts[0] @ parts[1].T / len(m)  # the aggregate on the lattice
log_p = -0.5 * (axis[:, None] ** 2 + axis**2) - math.log(2 * math.pi)
waste = (torch.xlogy(q, q) - q * log_p).sum() * (axis[1] - axis[0]) ** 2
eps = torch.randn(
    200, *m.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64
)
information = torch.stack([latent.code_information(m, v, e).mean() for e in eps])
check_close_mc(
    "KL - information = KL(q(z) || p), integrated",
    kl_diag_normal(m, v).mean() - information,
    waste.item(),
    unlike={"information itself": information},
)

# %% [markdown]
# **A decoder that can do without $z$.** Let each pixel's table also see the pixels before it (a small PixelCNN together with the latent), and let the path from $z$ be four
# layers deep. While the path from $z$ is still untrained, a code costs nats and gains nothing; so $q$ moves to the prior, and then nothing reaches the decoder through $z$ any more. Three
# repairs: raise the weight $\beta$ of the KL slowly from 0 to 1 (**KL annealing**); replace $\sum_j\mathrm{KL}_j$ by $\sum_j\max(\lambda,\mathrm{KL}_j)$ with $\lambda=\tfrac12$ nat, so that the
# first half nat of each latent is free (**free bits**); or leave a short path, of one layer, from $z$ to the pixels.

# %%
strong = {"causal": True, "depth": 4}
runs = {
    "collapsed": trained(**strong),
    "KL annealed": trained(**strong, n_warm=320),
    "free bits": trained(**strong, floor=0.5),
    "short path from z": trained(causal=True, depth=1),
}
for name, (bits_, price, told, active) in runs.items():
    print(
        f"{name:<17} ~{bits_:.2f} bits, divergence ~{price:.1f}, "
        f"information ~{told:.1f}, active ~{active}"
    )

# %%
bits_of, paid, told_of, active_of = (
    {name: run[i] for name, run in runs.items()} for i in range(4)
)
annealed, free = "KL annealed", "free bits"
short, gone = "short path from z", "collapsed"
check("collapsed: active units", active_of[gone], 0, unlike={short: active_of[short]})
for name, low, high, other in (
    (gone, -0.02, 0.1, annealed),
    (annealed, 0.3, 1.9, short),
    (short, 2.0, 5.0, gone),
):
    check_range(
        f"{name}: information, nats",
        told_of[name],
        low,
        high,
        unlike={other: told_of[other]},
    )

# %%
share = {name: told_of[name] / paid[name] for name in (free, annealed)}
check_range(
    "free bits: divergence, nats",
    paid[free],
    3.0,
    5.0,
    unlike={"its information": told_of[free]},
)
check_range(
    "free bits: fraction that is information",
    share[free],
    0.25,
    0.7,
    digits=2,
    unlike={annealed: share[annealed]},
)
less = {name: bits_of[gone] - bits_of[name] for name in (free, short)}
check_range(
    "short path: bits/dim below the collapsed",
    less[short],
    0.03,
    0.2,
    unlike={free: less[free]},
)

# %% jupyter={"source_hidden": true}
everything = {f"β = {beta:g}": row for beta, row in weights.items()} | runs
_, all_paid, all_told, _ = zip(*everything.values(), strict=True)
figure, ax = plt.subplots(figsize=(8.5, 3.5))
places = torch.arange(len(everything)).numpy()
ax.barh(places, all_paid, color="#BBBBBB", label="divergence: what is paid")
look = {"height": 0.45, "color": "#0072B2"}
ax.barh(places, all_told, label="information: what the code carries", **look)
for place, row in zip(places, everything.values(), strict=True):
    ax.text(row[1] + 0.2, place, f"{row[0]:.2f} bits", va="center", fontsize=9)
ax.set(yticks=places, yticklabels=list(everything), xlim=(0, 19.5))
ax.invert_yaxis()
title = "upper four: plain decoder; lower four: decoder sees earlier pixels"
ax.set(xlabel="nats per image", title=title)
ax.legend(loc="lower right")
show(
    figure,
    "Bars for eight runs, what is paid in grey and the information in blue. Plain "
    "decoder: 16 nats paid at beta 0.25, 7 at 1, 1 at 4, none at 64. Decoder that "
    "sees earlier pixels: none when collapsed, little when annealed, about 3.6 with "
    "free bits, half of it information, and 3.7 with a short path from z, most of it.",
)

# %% [markdown]
# Look at free bits. The KL (3.6) is close to the 4 nats that are free, and only about *half* of it is information: the rest comes from codes that lie where the prior is not. Judged by the
# KL alone the collapse is repaired; judged by information, half of it is; and judged by the bound, nothing was gained over the collapsed run. Annealing pays 0.8
# nats, and seven eighths of it are information. That was question 3. (These are single runs of 360 steps; longer training changes the numbers.)
#
# **Blur, measured.** Split each image into waves (its discrete Fourier transform) and average the energy of those with more than $\tfrac14$ wave per pixel, half the highest
# frequency along an axis. A mean image averages
# everything that shares a code, and by the law of total variance
# $$\operatorname{Var}x=\operatorname{Var}\mathbb E[x\mid z]+\mathbb E\operatorname{Var}[x\mid z]$$
# holds for every wave, so a conditional mean *cannot* have more energy than what it is the mean of. The smallest example: a stroke at column 2 or 3, nobody knows
# which. And for the model's own samples the loss is known exactly: given $z$ the pixels are independent, the waves are a rotation of the pixels, so
# *every* wave gets the same fraction of the pixels' variances, $\tfrac1{64}\sum_j\operatorname{Var}[x_j\mid z]$. This noise of all frequencies is the speckle.

# %%
frequency = torch.fft.fftfreq(8)
fast = (frequency[:, None] ** 2 + frequency**2).sqrt() > 0.25


def fast_energy(images, fast=fast):
    waves = torch.fft.fft2(images.double().view(-1, *fast.shape), norm="ortho")
    return (waves.abs() ** 2)[:, fast].sum(1)


strokes = torch.zeros(2, 8, 8)
strokes[0, :, 2] = strokes[1, :, 3] = 16
of_mean = fast_energy(strokes.mean(0, keepdim=True)).item()
check(
    "two strokes: energy lost by their mean",
    fast_energy(strokes).mean() - of_mean,
    fast_energy((strokes[0] - strokes[1]) / 2).item(),
    atol=1e-9,
    unlike={"energy of the mean": of_mean},
)

# %%
with torch.no_grad():
    tables = vae.logits(z).softmax(-1).double()  # of the 1,000 prior codes drawn above
grey = torch.arange(17.0, dtype=torch.float64)
variances = (tables @ grey**2 - (tables @ grey) ** 2).flatten(1).sum(1)
speckle = fast_energy(sampled) - fast_energy(means) - fast.double().mean() * variances
data_energy = fast_energy(test).mean()
check_close_mc(
    "samples - means - speckle, over the data's",
    speckle / data_energy,
    0.0,
    unlike={
        "speckle forgotten": (fast_energy(sampled) - fast_energy(means)) / data_energy
    },
)
at_codes, at_prior, of_samples = (
    (fast_energy(images).mean() / data_energy).item()
    for images in (rebuilt, means, sampled)
)
check_range(
    "fast energy, means at the codes / data",
    at_codes,
    0.5,
    0.85,
    unlike={"samples": of_samples},
)
check_range(
    "fast energy, means at prior codes / data",
    at_prior,
    0.4,
    0.75,
    unlike={"samples": of_samples},
)
check_range(
    "fast energy, samples / data", of_samples, 0.87, 1.3, unlike={"means": at_codes}
)

# %% jupyter={"source_hidden": true}
radius = (frequency[:, None] ** 2 + frequency**2).sqrt()
starts = (0.0, 0.125, 0.25, 0.375, 0.5)
rings = [(radius > low) & (radius <= low + 0.125) for low in starts]
figure, ax = plt.subplots(figsize=(7.5, 3.3))
shown = {
    "data": test,
    "samples": sampled,
    "means at codes": rebuilt,
    "means at prior codes": means,
}
for (name, images), mark in zip(shown.items(), "os^v", strict=True):
    waves = torch.fft.fft2(images.double().view(-1, 8, 8), norm="ortho").abs() ** 2
    ax.semilogy([waves[:, ring].mean() for ring in rings], marker=mark, label=name)
ax.set(xticks=range(5), xticklabels=["1/16", "3/16", "5/16", "7/16", "9/16"])
ax.set(
    xlabel="frequency (waves per pixel, middle of the ring)",
    ylabel="mean energy (grey levels²)",
    title="means lose the fast waves, samples replace them by speckle",
)
ax.legend(loc="upper right")
show(
    figure,
    "Mean energy of five rings of frequency on a logarithmic axis, all falling from "
    "280: at the fastest ring the samples keep 8, the data 4, and the means at codes "
    "and at prior codes less than 2.",
)


# %% [markdown]
# (The figure has rings up to $\tfrac58$ wave per pixel; the corners beyond are left out.) Is a squared error in the loss to blame for the blur? There is none in this training loss, and the
# means are smooth all the same (question 4: yes). The averaging comes with the picture that we chose to show: $\mathbb E[x\mid z]$ is the image with the least squared error given the code, and
# whatever $z$ does not determine is averaged in it. Draws from the same tables have about the energy of the data, but as independent
# speckle. To sharpen the samples, let $z$ carry more (more latents, hierarchies) or let the pixels depend on each other.
#
# **The amortisation gap.** One network guesses all codes at once. Hold the model, free each test image's own $(\mu,\log\sigma^2)$, and climb the bound. What is gained is the
# **amortisation gap**, the part that comes from sharing one encoder across all images. What then still separates the bound from the 500-draw bound is at least partly the price of a Gaussian $q$.

# %%
def gap_parts(images, n_draws=20):
    with torch.no_grad():
        start = vae.encode(images)
    climb = latent.refine(
        images,
        *start,
        decoder_log_prob=vae.decoder_log_prob,
        n_steps=80,
        generator=torch.Generator().manual_seed(3),
    )
    better = last(climb)
    g = torch.Generator().manual_seed(4)
    eps = torch.randn(n_draws, *better.mu.shape, generator=g)
    bound = lambda m, v, e: latent.elbo(
        images, m, v, e, decoder_log_prob=vae.decoder_log_prob
    )
    value = lambda m, v: torch.stack([bound(m, v, e) for e in eps]).mean()
    with torch.no_grad():
        before, after = value(*start), value(better.mu, better.log_var)
        g = torch.Generator().manual_seed(5)
        best = vae.importance_bound(images, 500, generator=g).mean()
    return (after - before).item(), (best - after).item()


for name, images in (("held-out", test[:100]), ("training", train[:100])):
    amortised, family = gap_parts(images)
    print(f"{name}: best Gaussian to 500 draws ~{family:.2f} nats per image")
    check_range(
        f"{name}: amortisation gap, nats per image", amortised, 0.4, 3.0, digits=2
    )

# %% [markdown]
# About a nat per image at least (the climb may not have reached the top), on held-out and on training images alike. So this encoder underfits rather than overfits; that one
# pixel in ten was hidden from it in training (dropout) helps. The amortisation gap is a part of a bad test ELBO for which the *model* is not to blame, and whoever needs a few
# good codes can recover it by optimising $q$ for each image.
#
# ### The same model, larger: MNIST
#
# The $8\times8$ digits are small enough to compute with; to look at images, take MNIST at $16\times16$, in black and white (ink where a grey level of 0 to 255 is 128 or more). Two
# levels a pixel make the decoder *Bernoulli*: 256 logits. Convolutions and a few minutes of training give better pictures than this page can wait for, so
# the weights ship with the recipe that remakes them, `genlab train mnist_vae`. First the likelihood. Do not compare these bits with those of
# the 17-level digits: other images, other levels, and a coin for every pixel costs exactly one bit.

# %%
from genlab.data.digits import load_mnist
from genlab.data.digits import binarize

mnist, its_card = load_model("mnist_vae"), card("mnist_vae")
print(f"{its_card['parameters']:,} weights, {its_card['settings']['n_steps']:,} steps")
shown, kept = (binarize(load_mnist(part, size=16).images) for part in ("train", "test"))
g = torch.Generator().manual_seed(6)
with torch.no_grad():
    mean_elbo = lambda images: torch.stack(
        [mnist.elbo(images, generator=g).mean() for _ in range(5)]
    ).mean()
    nats, nats_seen = mean_elbo(kept), mean_elbo(shown[:2000])
    also_seen = mean_elbo(shown[2000:4000])
    tables = mnist.logits(torch.zeros(1000, 16))
    by_softmax = mnist.decoder_log_prob(kept, torch.zeros(1000, 16))
logit = lambda ink, blank: latent.bernoulli_log_prob(
    kept.float(), tables[..., ink] - tables[..., blank]
)
check(
    "softmax of two levels = Bernoulli",
    by_softmax,
    logit(1, 0),
    atol=1e-3,
    rtol=1e-5,
    unlike={"levels exchanged": logit(0, 1)},
)

# %%
one_code = bits_per_dim(-by_softmax.mean(), 256)  # every image from the code z = 0
check_range(
    "ELBO (bound), test bits per pixel at most",
    bits_per_dim(-nats, 256),
    0.16,
    0.19,
    unlike={"one code for all": one_code},
)
check_range(
    "of it, what images that it has not seen cost",
    bits_per_dim(nats_seen - nats, 256),
    0.002,
    0.02,
    unlike={
        "training images for test images": bits_per_dim(nats_seen - also_seen, 256)
    },
)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    code = mnist.encode(kept)[0]
    rebuilt, z = mnist.mean_image(code), torch.randn(1000, 16, generator=g)
    means, drawn = mnist.mean_image(z), mnist.draw(z, generator=g)
figure = four_grids(kept, rebuilt, means, drawn)
show(
    figure,
    "Four grids of sixteen digits of 16 x 16 pixels: black-and-white test digits, "
    "their smooth reconstructions, mean images of codes from the prior, most of which "
    "are readable digits, and samples of the same codes with ragged edges.",
)

# %% [markdown]
# On these images the interpolation is easier to judge. A double exposure is nobody's handwriting; the path through the codes turns one digit into another by moving its
# strokes. Count the pixels that would have to flip to reach the nearest of 8,000 training images, and the fast waves, as before.

# %%
pairs = ((1, 5), (3, 11), (8, 2), (4, 7))
walk = torch.linspace(0, 1, 10)[:, None]
with torch.no_grad():
    along = torch.cat(
        [mnist.mean_image((1 - walk) * code[i] + walk * code[j]) for i, j in pairs]
    )
    half_code = mnist.mean_image((code[:100] + code[100:200]) / 2)
blend = lambda a, b: (1 - walk) * a.float().flatten() + walk * b.float().flatten()
faded = torch.cat([blend(kept[i], kept[j]) for i, j in pairs]).view(-1, 1, 16, 16)
half_pixel = (kept[:100] + kept[100:200]) / 2
to_nearest = lambda x: (
    torch.cdist(x.flatten(1), shown.flatten(1).float(), p=1).min(1).values.mean()
)
apart, close = to_nearest(half_pixel), to_nearest(half_code)
check_range(
    "midpoints of codes: ink to nearest, pixels",
    close,
    12,
    16,
    digits=1,
    unlike={"in pixel space": apart},
)

# %%
wave = torch.fft.fftfreq(16)
fast16 = (wave[:, None] ** 2 + wave**2).sqrt() > 0.25
real_energy = fast_energy(kept, fast16).mean()
shares = [
    fast_energy(images, fast16).mean() / real_energy
    for images in (rebuilt, means, drawn)
]
print(
    "MNIST, fast energy over the data's:",
    "  ".join(f"~{share:.2f}" for share in shares),
)
check_range(
    "MNIST, fast energy, means at codes / data",
    shares[0],
    0.3,
    0.7,
    unlike={"samples": shares[2]},
)
check_range(
    "MNIST, fast energy, samples / data",
    shares[2],
    0.85,
    1.2,
    unlike={"means": shares[0]},
)


# %% jupyter={"source_hidden": true}
def at(step):
    """Both walks of the four pairs at one step, as one frame."""
    figure, axes = plt.subplots(2, 1, figsize=(6.4, 4.2))
    for ax, images, name in zip(axes, (along, faded), ("code", "pixel"), strict=True):
        four = images.view(len(pairs), len(walk), 16, 16)[:, step]
        title = f"{100 * walk[step].item():3.0f} % of the way, straight in {name} space"
        show_images(ax, four, n_columns=4, title=title)
    return figure


there = list(range(len(walk)))
frames = (at(step) for step in [*there, 9, 9, *there[::-1]])
film(
    frames,
    "Four digits turn into four others and back. In code space the strokes bend, and "
    "there is one digit at a time; in pixel space one digit shines through the other.",
    seconds=4.5,
    width=520,
)


# %% [markdown]
# The blur is there at twice the size, too, and by this measure stronger (.51 of the data's fast energy at the codes, where the small digits keep .74): the means are smooth where the code does not say how a stroke runs, and the samples have the energy of the data as
# salt-and-pepper noise. (The lab on latent diffusion uses a VAE like this one as its compressor, with lesson 12's model on the codes.)
#
# ## Predict first, again
#
# 1. About 2,000 (step 4), and worse with every latent.
# 2. It ignores $z$: zero active units, the bits of a pixel histogram (section 7).
# 3. Between one and two: about half of what is paid (section 7).
# 4. Yes: a mean given a code is smooth by the law of total variance.
#
# ## 8. Exercises
#
# Replace `...` and run the cell. If your answer is wrong, the checker names the likely mistake; `course.hint("06.kl")` gives three hints, one at a time. Worked solutions are in
# `solutions/`.
#
# **1. Compute.** The divergence of each row of codes, `mu` and `log_var` of shape `(b, k)` (NumPy arrays), in nats.

# %%
def divergence(mu, log_var):
    return ...


course.exercise("06.kl", divergence)


# %% [markdown]
# **2. Derive.** One step by hand for any numbers: (loss, $\partial/\partial\mu$, $\partial/\partial\log\sigma^2$) for a decoder $\mathcal N(z,1)$.

# %%
def one_step(x, mu, log_var, eps):
    return ...


course.exercise("06.step", one_step)


# %% [markdown]
# **3. Derive.** The score-function estimate of $\partial\,\mathbb Ef/\partial\mu$ from `K` draws `z` of $\mathcal N(\mu,\sigma^2)$ with values `f`, each with the mean of
# the *others* as its baseline.

# %%
def reinforce(f, z, mu, sigma):
    return ...


course.exercise("06.reinforce", reinforce)


# %% [markdown]
# **4. Compute.** Bits per dimension of a model with `nll` nats per image; `is_density` says whether it is a density on data dequantised to $[0,1)$.

# %%
def bits_of(nll, n_dims, levels, is_density):
    return ...


course.exercise("06.bits", bits_of)


# %% [markdown]
# **5. Build.** How far is the aggregate from the prior? Approximate $q(z)$ by one normal for each latent with the right mean and variance; return its divergence, `(k,)`.

# %%
def waste_of(mu, log_var):
    return ...


course.exercise("06.waste", waste_of)

# %% [markdown]
# ## 9. Quiz

# %% tags=["keep-output"]
widgets.quiz(6)

# %% [markdown]
# ## 10. Summary
#
# 1. Reparameterised, $z=\mu+\sigma\epsilon$, the noise has no parameters and the gradient passes through $z$.
# 2. The score-function estimator needs no derivative of $f$; its variance grows like $d^2$ (like $d$ with a baseline).
# 3. The Gaussian divergence is $\tfrac12\sum(\sigma^2+\mu^2-1-\log\sigma^2)$: no draws needed.
# 4. Predict $\log\sigma^2$, never $\sigma^2$.
# 5. A decoder's output is a likelihood only if it sums to one; a density on grey levels adds $\log L$ a pixel and is a bound.
# 6. Sum over pixels *and* latents; a mean over one of them is another $\beta$.
# 7. Print ELBO and 500-draw bound as bounds, in the unit of the data.
# 8. Collapse: ask whether codes of different images differ (active units, mutual information), not how large the KL is.
# 9. Annealing and free bits repair parts of it; a short path from $z$ to $x$ repaired more in our runs.
# 10. Measure blur of the means, speckle of the samples and the amortisation gap of the encoder: each has a number.
#
# | paradigm | minimises | samples by | likelihood | pays with |
# |---|---|---|---|---|
# | latent-variable (VAE) | $-\mathbb E_q\log p(x\mid z)+\mathrm{KL}(q\|p(z))$ | one prior draw, one evaluation of the decoder | a lower bound | blur, collapse, a gap |
#
# **What production systems add.** Convolutional encoders and decoders; perceptual and adversarial terms for sharpness; a very *small* weight of the divergence; and a second
# generative model on the codes. As the compressor under latent diffusion the VAE is in daily use.
#
# ## Sources
#
# - Stanford CS236, lecture 6; Berkeley CS294-158, lecture 4. Kingma and Welling 2013 (arXiv:1312.6114), eq. 3 and 10, section 2.4, appendices B and C; Kingma and Welling 2019
#   (arXiv:1906.02691), chapter 2.
# - Williams 1992 (REINFORCE); Mohamed et al. 2020 (arXiv:1906.10652), sections 4, 5 and 7; Kool, van Hoof and Welling 2019 (leave-one-out baseline).
# - Theis, van den Oord and Bethge 2015 (arXiv:1511.01844), section 3.1 (densities on discrete data). Loaiza-Ganem and Cunningham 2019 (arXiv:1907.06845): the missing
#   constant of binary cross-entropy. Rybkin, Daniilidis and Levine 2021 (arXiv:2006.13202): learned scale.
# - Bowman et al. 2015 (arXiv:1511.06349): annealing. Kingma et al. 2016 (arXiv:1606.04934), appendix C.8: free bits. Higgins et al. 2017: beta-VAE. Burda et al. 2015
#   (arXiv:1509.00519): active units, the many-draw bound. Hoffman and Johnson 2016: the split of the divergence.
# - Cremer, Li and Duvenaud 2018 (arXiv:1801.03558), eq. 5 and 6: the amortisation gap.
