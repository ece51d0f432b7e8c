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
# # System 2 · Latent diffusion: compress first, then diffuse
#
# **After this lab you will be able to**
#
# - *derive* what the small weight of the divergence in a compressing VAE says about its pixels;
# - *explain* why codes are divided by their standard deviation, and predict what happens when they are not;
# - *build* the pipeline, noise to code to picture, and prove it equal to the package's;
# - *measure* what compression buys (multiply-adds, time) and what it costs (words of the caption, the decoder's share of the error);
# - *recognise* four ways in which it fails.
#
# About 60 minutes to read, about 45 seconds to run. You need lessons 06 (VAE) and 13 (DDIM, guidance); lesson 09's Frechet distance helps.

# %% tags=["keep-output"]
import math
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch.distributions import Normal, kl_divergence

import genlab_course as course
from genlab_course import widgets
from genlab.core import last
from genlab_course import check, check_close_mc, check_range
from genlab.data.captions import load_captioned, paint
from genlab.data.captions import read, write
from genlab.latent.vae import ImageVAE, ImageVAEConfig, code_std, weighted_error
from genlab.metrics.cost import network_passes
from genlab.metrics.cost import multiply_adds
from genlab.nn.transformer import Text, TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.edm import edm_sigmas
from genlab.score.edm import edm_loss
from genlab.zoo import card, find, load_model
from genlab.systems.text_diffusion import TextDiffusion
from genlab.systems.evaluation import digit_evaluator, shape_distance, word_scores
from genlab.train import fit, minibatches

course.begin("latent_diffusion")
torch.set_default_dtype(torch.float64)  # exact numbers first; networks will be in float32
course.draw_map("latent_diffusion");

# %% [markdown]
# A picture of 32 x 32 in colour is 3,072 numbers, and a diffusion model looks at all of them in every pass, tens of passes for each
# sample. Most of what it looks at is paper, or the inside of a stroke. Latent diffusion splits the labour along a line that you have met twice: a
# *VAE* (paradigm 2) learns once what pictures look like from close by, and turns each into a small code; a *diffusion model* (paradigm 4) learns what
# codes there are, and which caption each belongs to.
# $$\text{training:}\quad x \to z = \mu(x) \to \tilde z = \sigma_d\,\frac{z - m}{\sigma_z} \qquad\qquad
# \text{painting:}\quad \epsilon \to \tilde z_0 \to z = m + \frac{\sigma_z}{\sigma_d}\,\tilde z_0 \to x$$
# The data are captioned digits: real handwriting in one of six colours, with captions such as "a thin red seven leaning right" of which every
# word can be verified by measurement. The VAE makes $4\times8\times8$ numbers of $3\times32\times32$.
#
# ## Predict first
#
# 1. The code has 12 times fewer numbers than the picture. If the same U-Net runs on codes instead of pixels, by which factor do its multiply-adds fall?
# 2. Somebody forgets to divide the codes by their standard deviation, which is 5.5. Does the diffusion then see too much noise at each step, or too little?
# 3. The VAE's divergence weighs only 0.0018. Can this VAE, without any diffusion, draw digits from its prior?
# 4. Of all wrong words of the painted pictures, how many would a perfect diffusion model still have wrong: none, a few, most?

# %% [markdown]
# ## 1. The VAE, and what a small weight means
#
# **Step 1. The weight is a variance.** Let the decoder be Gaussian, $x\mid z\sim\mathcal N(m(z), s^2 I)$, with a fixed $s$. The bound of lesson 05 is
# $$\mathrm{ELBO} = -\frac{\lVert x - m\rVert^2}{2s^2} - \frac D2\log(2\pi s^2) - \mathrm{KL}(q\,\|\,p).$$
# Multiply by $-2s^2$, and the squared error stands alone:
# $$\lVert x - m\rVert^2 + 2s^2\,\mathrm{KL}(q\,\|\,p) = -2s^2\,\mathrm{ELBO} - D s^2\log(2\pi s^2).$$
# So "squared error plus a small weight times the divergence" is an honest bound of an honest model, whose pixels are known to $s=\sqrt{w/2}$.
# Ours has $s = 0.03$ for pixels in $[0, 1]$, a weight of $0.0018$. The check takes likelihood and divergence from `torch.distributions`.

# %%
g = torch.Generator().manual_seed(1)
x, m = torch.rand(2, 5, 3, 4, 4, generator=g)
mu, log_var = torch.randn(2, 5, 2, 2, 2, generator=g)
s, D = 0.03, 48

log_likelihood = Normal(m, s).log_prob(x).flatten(1).sum(1)
prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
kl = kl_divergence(Normal(mu, (0.5 * log_var).exp()), prior).flatten(1).sum(1)
left = weighted_error(x, m, mu, log_var, pixel_std=s)
right = -2 * s**2 * (log_likelihood - kl) - D * s**2 * math.log(2 * math.pi * s**2)
half_weight = (x - m).square().flatten(1).sum(1) + s**2 * kl
check(
    "squares + 2 s^2 KL = -2 s^2 ELBO + constant",
    left,
    right,
    atol=1e-12,
    unlike={"weight s^2 for 2 s^2": half_weight},
)
course.show_source(weighted_error)

# %% [markdown]
# So a VAE with a weight below 1 is still a VAE, one with a sharper decoder. What is lost is the hope that codes of data fill the prior; section 2 shows
# what becomes of it.
#
# **Step 2. What the weight buys: a linear decoder, solved.** Let $m(z) = Wz$ with orthogonal columns of lengths $\ell_j$. Minimise step 1's loss over $\mu$ and
# $\sigma^2$ of a picture $x$: set the derivatives to zero, coordinate by coordinate,
# $$\mu_j = \frac{w_j^\top x}{\ell_j^2 + s^2},\qquad \sigma_j^2 = \frac{s^2}{\ell_j^2 + s^2}.$$
# With $s \ll \ell_j$ the code is the least-squares fit and its noise is $s/\ell_j$: the weight sets how *blurred* a code may be, and so how far the diffusion
# model may later miss it. With $s\gg\ell_j$ the mean goes to 0 and the noise to 1, the prior: coordinate $j$ is switched off. The check lets an optimiser, which knows nothing of
# this, find the minimum.

# %%
lengths = torch.tensor([3.0, 0.5, 0.05])
W = torch.linalg.qr(torch.randn(10, 3, generator=g)).Q * lengths
x = torch.randn(1, 10, generator=g)
mu = torch.zeros(1, 3, requires_grad=True)
log_var = torch.zeros(1, 3, requires_grad=True)
s = 0.3
optimizer = torch.optim.LBFGS([mu, log_var], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-16,
                              line_search_fn="strong_wolfe")


def expected_loss():  # over z ~ N(mu, sigma^2): the squares get the variance of Wz on top
    spread = (log_var.exp() * lengths**2).sum(1)
    return (weighted_error(x, mu @ W.T, mu, log_var, pixel_std=s) + spread).sum()


def closure():
    optimizer.zero_grad()
    value = expected_loss()
    value.backward()
    return value


optimizer.step(closure)
check(
    "optimal means: regression, shrunk", mu, x @ W / (lengths**2 + s**2), atol=1e-6,
    unlike={"regression, not shrunk": x @ W / lengths**2},
)
check(
    "optimal variances: s^2 / (l^2 + s^2)", log_var.exp()[0], s**2 / (lengths**2 + s**2), atol=1e-5,
    unlike={"s^2 / l^2": s**2 / lengths**2},
)

# %% [markdown]
# **Step 3. Which directions survive.** Train $W$ as well, and you have probabilistic PCA (lesson 05): along a principal direction of the data with variance
# $\lambda_j$ the best length is $\ell_j^2 = \lambda_j - s^2$, or 0 if $\lambda_j < s^2$. A linear VAE keeps exactly the directions whose variance exceeds $s^2$. For our pictures, $x = g\,c$ with the
# colour $c$ independent of the digit $g$, they can be counted without a 3072 x 3072 matrix: $\mathbb E[cc^\top]$ has the eigenvector $(1,1,1)$ with value $\tfrac56$ and two others with $\tfrac13$, and
# only the first one meets the mean,
# $$\mathrm{Cov}(x)\ \text{splits into}\ \tfrac56 M - \tfrac34\,\bar g\bar g^\top,\quad \tfrac13 M,\quad \tfrac13 M,\qquad M = \mathbb E[gg^\top].$$
# The counts are a prediction for the nonlinear VAE too, taken up in section 9.

# %%
grey, attributes = load_captioned("painter")
g_flat = grey[:3000].flatten(1)
M, g_mean = g_flat.T @ g_flat / len(g_flat), g_flat.mean(0)
third = torch.linalg.eigvalsh(M / 3)
eigenvalues = torch.cat([torch.linalg.eigvalsh(5 / 6 * M - 0.75 * torch.outer(g_mean, g_mean)), third, third])
every_colour = torch.cat([paint(grey[:200], torch.full((200,), k)) for k in range(6)]).flatten(1)
some = g_flat[:200]
total = 1.5 * some.square().sum(1).mean() - 0.75 * some.mean(0).square().sum()
check(
    "total variance of 200 digits in 6 colours", every_colour.var(0, correction=0).sum(), total, atol=1e-8,
    unlike={"the mean not taken off": 1.5 * some.square().sum(1).mean()},
)
for s in (0.03, 0.3, 1.0, 3.0, 10.0):
    print(f"s = {s:<5} weight 2 s^2 = {2 * s * s:<7.4g} directions kept: {int((eigenvalues > s * s).sum()):>4}")
grey = grey.float()
del M, g_flat, every_colour, some  # 70 MB

# %% [markdown]
# A convolutional VAE does better than straight directions. Here is the shipped one (`genlab train latent_vae`): held-out digits, the four channels of their codes, what the decoder makes of
# them, and five times the difference.

# %%
torch.set_default_dtype(torch.float32)
model = load_model("latent_diffusion")
vae, sigma_d = model.vae, model.painter.sigma_data
held_grey, held_attributes = load_captioned("test")
held = paint(held_grey, held_attributes.colour)[:500]
captions = write(held_attributes)[:500]
claims = [read(c) for c in captions]
with torch.no_grad():
    mu, log_var = vae.encode(held)
    back = vae.decode(mu)


def pictures(ax, images, title=""):
    """Pictures `(n, 3, h, w)` side by side."""
    ax.imshow(torch.cat(list(F.pad(images, (1, 1, 1, 1), value=1.0)), 2).permute(1, 2, 0).clamp(0, 1))
    ax.set_axis_off()
    ax.set_title(title, loc="left", fontsize=9)


figure, axes = plt.subplots(7, 1, figsize=(8, 6.2))
pictures(axes[0], held[:10], "real, never seen by encoder or decoder")
for k in range(4):
    codes = F.pad(mu[:10, k], (1, 1, 1, 1), value=float("nan"))
    axes[1 + k].imshow(torch.cat(list(codes), 1), cmap="PuOr", vmin=-3, vmax=3)
    axes[1 + k].set_axis_off()
    axes[1 + k].set_title(f"code, channel {k + 1}: 8 x 8", loc="left", fontsize=9)
pictures(axes[5], back[:10], "decoded")
pictures(axes[6], 5 * (back[:10] - held[:10]).abs(), "5 x |error|")

# %%
rmse = (back - held).square().mean().sqrt().item()
check_range(
    "reconstruction: root mean square error", rmse, 0.015, 0.035, digits=4,
    unlike={"the mean picture for every picture": (held.mean(0) - held).square().mean().sqrt()},
)
check(
    "numbers in a picture / numbers in a code", held[0].numel() / mu[0].numel(), 12.0,
    unlike={"positions in place of numbers": held[0, 0].numel() / mu[0, 0].numel()},
)
prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
q = Normal(mu, (0.5 * log_var).exp())
price = kl_divergence(q, prior).flatten(1).sum(1)
g = torch.Generator().manual_seed(2)
z = mu + q.scale * torch.randn(mu.shape, generator=g)
drawn_price = (q.log_prob(z) - prior.log_prob(z)).flatten(1).sum(1)
check_close_mc(
    "KL by formula - KL by drawing, nats", drawn_price - price, 0.0,
    unlike={"without log q": -prior.log_prob(z).flatten(1).sum(1) - price},
)
check_range(
    "price of a code in bits; raw pixels have 24,576", price.mean() / math.log(2), 450, 800, digits=0,
    unlike={"in nats": price.mean()},
)

# %% [markdown]
# The root mean square error comes out near the assumed $s = 0.03$, so that was a good assumption: for given networks the bound is largest where $s^2$ is the mean squared error (lesson 06). The price in
# bits bounds what a code says about its picture: fewer than 600 bits of the 24,576 that the pixels take.
#
# ## 2. Alone it does not paint
#
# Codes of data need not fill the prior. Draw codes from $\mathcal N(0, I)$ and decode them: question 3. (The distances are Frechet distances in
# components of gradient histograms, no network asked, from 500 pictures to 4,000 real digits; what 500 other *real* digits have, the first line, is the bias of so few, lesson 09.)

# %%
g = torch.Generator().manual_seed(3)
with torch.no_grad():
    from_prior = vae.decode(torch.randn(500, *vae.latent_shape, generator=g))
distance = {"real digits": held, "decoded codes of real digits": back, "decoded draws of the prior": from_prior}
distance = {name: shape_distance(x) for name, x in distance.items()}
blotches = distance["decoded draws of the prior"]
for name in ("real digits", "decoded codes of real digits"):
    check_range(f"Frechet distance, {name}", distance[name], 0.5, 1.3, unlike={"draws of the prior": blotches})
check_range(
    "Frechet distance, decoded draws of the prior", blotches, 5, 200, unlike={"real digits": distance["real digits"]}
)
figure, ax = plt.subplots(figsize=(8, 1.2))
pictures(ax, from_prior[:10], "decoded draws of the prior")

# %% [markdown]
# Blotches. The decoder is sound; the prior is the wrong law for codes. Diffusion is what learns the right one: it replaces $p(z)=\mathcal N(0, I)$ by a
# model of the codes themselves, given the caption.
#
# ## 3. The scale of a code
#
# **Step 4. The scale is free.** Multiply the encoder's means and noise by $c$ and divide the decoder's first weights by $c$: the same pictures, the same
# reconstruction error. Only the divergence notices:
# $$\mathrm{KL}_c = \sum_j\tfrac12\big[c^2(\mu_j^2+\sigma_j^2) - 1 - \log\sigma_j^2 - 2\log c\big],\qquad
# \frac{d\,\mathrm{KL}_c}{dc} = 0 \iff c^2 = \frac{1}{\mathrm{mean}(\mu_j^2 + \sigma_j^2)}.$$
# A divergence that has any say therefore pulls codes to a mean square of 1. Where it has hardly any (the first Stable Diffusion used a weight of
# $10^{-6}$), the scale is an accident of the training; there it was 5.49, and $1/5.49 = 0.18215$ became a famous constant.

# %%
large = load_model("latent_diffusion").vae
c, head, stem = 5.5, large.encoder[-1], large.decoder[0]
with torch.no_grad():
    head.weight[:4] *= c
    head.bias[:4] *= c
    head.bias[4:] += 2 * math.log(c)
    stem.weight /= c
    mu_large, log_var_large = large.encode(held)
    same, encoder_alone = large.decode(mu_large), vae.decode(mu_large)
check(
    "codes times c, decoder by c: largest change", (same - back).abs().max(), 0.0, atol=1e-4,
    unlike={"the decoder left as it was": (encoder_alone - back).abs().max()},
)
square = (mu**2 + log_var.exp()).double()
n = mu[0].numel()
predicted = 0.5 * ((c**2 - 1) * square.flatten(1).sum(1)) - n * math.log(c)
found = kl_divergence(Normal(mu_large, (0.5 * log_var_large).exp()), prior).flatten(1).sum(1) - price
means_alone = 0.5 * (c**2 - 1) * mu.double().square().flatten(1).sum(1) - n * math.log(c)
check(
    "what the divergence notices, nats", found.double(), predicted, rtol=1e-3, atol=0.05,
    unlike={"the codes' noise left out": means_alone},
)
check_range(
    "mean square of our codes, draws included", square.mean(), 0.6, 1.1, digits=2,
    unlike={"times 5.5": (mu_large**2 + log_var_large.exp()).mean()},
)

# %% [markdown]
# **Step 5. What the schedule sees.** In the notation of lesson 12 a noisy code is $x_t = \alpha_t z + \sigma_t\epsilon$. Its signal-to-noise ratio is
# $\alpha_t^2\,\mathrm{Var}(z)/\sigma_t^2$, so that with codes of spread $c$ instead of 1
# $$\log\mathrm{SNR}_t(c) = \log\mathrm{SNR}_t(1) + 2\log c.$$
# For $c = 5.5$ that is $3.4$ nats at *every* step: the noise is too weak (question 2), structure shines through where the network should learn to invent it, and at the last step the codes are
# not noise yet, although sampling starts from pure noise. As a check, the ratio from what a regression can recover: of the best linear guess of $z$ from $x_t$, the
# explained share of the variance is $\mathrm{SNR}/(1+\mathrm{SNR})$.

# %%
g = torch.Generator().manual_seed(4)
alpha, sigma = math.cos(1.3), math.sin(1.3)  # a late step: much noise
log_ratio = {}
for c in (1.0, 5.5):
    z, eps = torch.randn(2, 400_000, generator=g, dtype=torch.float64)
    x_t = alpha * c * z + sigma * eps
    share = torch.corrcoef(torch.stack([c * z, x_t]))[0, 1] ** 2
    log_ratio[c] = torch.log(share / (1 - share)).item()
check(
    "shift of log SNR, c = 5.5", log_ratio[5.5] - log_ratio[1.0], 2 * math.log(5.5), atol=0.05,
    unlike={"log c: a ratio of amplitudes": math.log(c)},
)

# %% [markdown]
# **Step 6. What is divided by.** One shift for each channel, and one spread for all: the standard deviation over pictures, places and channels. Should the encoder's noise count?
# By the law of total variance the draws have $\mathrm{Var}(\mu) + \mathbb E\,\sigma^2$. We diffuse the means (the decoder likes them better), so their spread
# it is, measured once on training pictures before the painter is trained. And we scale to $\sigma_d = 0.5$ rather than 1: our painter is an EDM (lesson 13), whose noise levels were chosen for data of that
# spread. Only the ratio $\sigma/\sigma_d$ matters.

# %%
centred = mu - model.shift
draws = centred + q.scale * torch.randn(20, *mu.shape, generator=torch.Generator().manual_seed(5))
check_range(
    "spread of means, held-out / training", centred.std() / model.spread, 0.97, 1.03,
    unlike={"draws for means": draws.std() / model.spread},
)
check_range(
    "spread of draws / law of total variance", draws.std() / code_std(centred, log_var), 0.998, 1.002, digits=4,
    unlike={"the means' variance alone": draws.std() / centred.std()},
)
check_range("spread of scaled codes", model.encode(held).std(), 0.485, 0.515, unlike={"not scaled": mu.std()})

# %% [markdown]
# ## 4. Diffusion among codes
#
# **Step 7. A sanity check that costs nothing.** A U-Net whose last layer is zero answers 0, and EDM's denoiser is then $c_{\text{skip}}x$. On data of spread $v$ its weighted loss is
# $$\ell_0(\sigma) = \frac{\sigma^2 (v/\sigma_d)^2 + \sigma_d^2}{\sigma^2 + \sigma_d^2},$$
# which is 1 at every level if and only if $v = \sigma_d$. So the loss at step 0 tells whether the scale is right, before anything is trained. The left side of each check is the package's loss on normal codes.

# %%
g = torch.Generator().manual_seed(6)
for spread in (0.5, 5.5):
    z, eps = torch.randn(2, 100_000, 4, generator=g, dtype=torch.float64)
    for level in (0.1, 2.0):
        at = torch.full((len(z),), level, dtype=torch.float64)
        zero = edm_loss(lambda x, c: 0 * x, spread * z, at, eps, sigma_data=0.5)
        formula = (level**2 * (spread / 0.5) ** 2 + 0.25) / (level**2 + 0.25)
        kept = 0.25 / (level**2 + 0.25) * (spread * z + level * eps)  # c_skip x
        check_close_mc(
            f"loss of the answer 0: spread {spread}, sigma {level}", zero, formula,
            unlike={"not weighted": (kept - spread * z).square().mean(1)},
        )

# %% [markdown]
# **Step 8. How the caption gets in.** A small transformer turns the words into states $h_1,\dots,h_6$, and there are two roads from them into the U-Net. *Cross-attention*: at the bottom of the
# U-Net each of the 16 positions sends a query and reads the states, a softmax over words for each head. *The pooled vector*: the mean state shifts and scales every block, as the time does. Section 6
# measures which road carries which word. Here is cross-attention, from the trained weights, with `einsum`.

# %%
reader = model.painter.net.attention.read_text
text = model.painter.encode(["a thin red seven leaning right"])
places = torch.randn(1, 16, reader.w_q.in_features, generator=torch.Generator().manual_seed(7))


def my_cross_attention(x, words, heads, scaled=True):
    q, k, v = x @ reader.w_q.weight.T, words @ reader.w_k.weight.T, words @ reader.w_v.weight.T
    q, k, v = (a.unflatten(-1, (heads, -1)) for a in (q, k, v))
    logits = torch.einsum("bthd,bshd->bhts", q, k) / (math.sqrt(q.shape[-1]) if scaled else 1)
    mixed = torch.einsum("bhts,bshd->bthd", logits.softmax(-1), v)
    return mixed.flatten(2) @ reader.w_o.weight.T


mine = my_cross_attention(places, text.states, reader.n_head)
check(
    "my cross-attention = genlab's", mine, reader(places, text.states), atol=1e-5,
    unlike={"logits not scaled": my_cross_attention(places, text.states, reader.n_head, scaled=False)},
)

# %% [markdown]
# **Step 9. Guidance and DDIM, among codes.** Nothing changes from lesson 13: two answers of the denoiser, $D_w = D_\varnothing + w\,(D_c - D_\varnothing)$, and a step that keeps the predicted noise. With $x = \tilde z + \sigma\epsilon$,
# DDIM is $x \leftarrow D + \tfrac{\sigma'}{\sigma}(x - D)$: keep the guess, shrink the rest. Then comes what is new: undo the scaling, and decode, once. Write the pipeline.

# %%
prompts = ["a thin red seven leaning right", "a bold blue two upright", "a green eight leaning left"]


def my_paint(prompts, w, n_steps, seed):
    painter = model.painter
    levels = edm_sigmas(n_steps, sigma_min=painter.SIGMA_MIN, sigma_max=painter.sigma_max)
    told, free = painter.denoiser(prompts), painter.denoiser(None)
    noise = torch.randn(len(prompts), 4, 8, 8, generator=torch.Generator().manual_seed(seed))
    x = noise * (1 + levels[0] ** 2).sqrt()
    for sigma, lower in zip(levels[:-1], levels[1:], strict=True):
        at = sigma.expand(len(prompts))
        guess = free(x, at) + w * (told(x, at) - free(x, at))
        x = guess + lower / sigma * (x - guess)
    z = model.shift + x * model.spread / painter.sigma_data
    return vae.decode(z)


with torch.no_grad():
    mine, unguided = my_paint(prompts, 2.0, 8, seed=1), my_paint(prompts, 1.0, 8, seed=1)
theirs = model.draw(prompts, guidance_scale=2.0, n_steps=8, generator=torch.Generator().manual_seed(1))
check("my pipeline = genlab's, pixels", mine, theirs, atol=1e-3, unlike={"not guided": unguided})


def once():
    return model.draw(prompts, guidance_scale=2.0, n_steps=8)


passes = [network_passes(net, once) for net in (model.painter.net, vae.decoder, vae.encoder)]
check(
    "passes of U-Net (of two rows each), decoder, encoder", passes, [8, 1, 0],
    unlike={"a decoded picture in every step": [passes[0], passes[0], passes[2]]},
)

# %% [markdown]
# The same noise under five captions: change one word and see what else changes. Beside the pictures, the first channel of their codes.

# %%
variants = [
    "a thin red seven leaning right", "a thin cyan seven leaning right", "a bold red seven leaning right",
    "a thin red seven leaning left", "a thin red three leaning right",
]  # fmt: skip
figure, axes = plt.subplots(1, 5, figsize=(9, 2.2))
for ax, caption in zip(axes, variants, strict=True):
    g = torch.Generator().manual_seed(11)
    code = last(model.codes([caption], 1, guidance_scale=2.0, n_steps=12, generator=g)).detach()
    picture = model.decode(code)[0].permute(1, 2, 0).detach()
    shown = code[0, 0][:, :, None].expand(8, 8, 3) / 3 + 0.5
    shown = F.interpolate(shown.permute(2, 0, 1)[None], scale_factor=4)[0].permute(1, 2, 0)
    ax.imshow(torch.cat([shown.clamp(0, 1), picture], 1))
    ax.set_axis_off()
    words = caption.split()
    ax.set_title(" ".join(words[:3]) + "\n" + " ".join(words[3:]), fontsize=8)

# %% [markdown]
# ## 5. Training, watched
#
# The shipped painter took `genlab train latent_diffusion` a few minutes. Here is half of its width for a hundred steps: captions and colours are drawn afresh for each batch, pictures are encoded by the frozen
# VAE, and the loss is the EDM loss of lesson 13, on codes. By step 7 it must start at 1.

# %%
tiny = find("latent_diffusion").but(width=16, d_text=32, n_steps=100, lr=8e-3, average=0.95)
live = tiny.untrained()
records = widgets.watch(tiny.train(live), total=100, label="loss (no unit)")
first, final = records[0].loss, sum(r.loss for r in records[-20:]) / 20
check_range("loss at the first step", first, 0.9, 1.15, unlike={"of the last 20": final})
check_range("mean loss of the last 20", final, 0.5, 0.85, unlike={"first": first})

# %% [markdown]
# ## 6. What it paints
#
# One picture for each of the captions of held-out digits, judged word by word: the digit by a support vector machine that was fitted on digits which neither VAE nor painter has seen, the other words by the measurement that wrote the
# captions. First the same judgement without any diffusion: **real digits, encoded and decoded**. What is lost between the first row and the second is the decoder's share.

# %%
judge, kinds = digit_evaluator(), ("digit", "colour", "stroke", "slant", "all")
N = 250
rows = {
    "real, as they are": word_scores(held[:N], claims[:N], judge),
    "real, encoded and decoded": word_scores(back[:N], claims[:N], judge),
}
painted, codes = {}, {}
for w in (1.0, 2.0, 4.0, 10.0):
    g = torch.Generator().manual_seed(8)
    states = model.codes(captions[:N], N, guidance_scale=w, n_steps=10, generator=g)
    with torch.no_grad():
        codes[w] = last(states)
        painted[w] = model.decode(codes[w])
    rows[f"painted, w = {w:g}"] = word_scores(painted[w], claims[:N], judge)
print(f"{'':<26}" + "".join(f"{kind:>9}" for kind in kinds))
for name, scores in rows.items():
    print(f"{name:<26}" + "".join(f"{f'~{100 * scores[kind]:.0f} %':>9}" for kind in kinds))

# %% [markdown]
# Read the table downwards. The judge misreads some real digits. The codec then costs a few words in a hundred, nearly all of them strokes of digits that lie next to the edge between two words: a grey level more, and "thin" is no longer true.
# Painted pictures at $w = 1$ lose more, for the same reason and because the painter is imperfect. But guidance moves samples *away* from the edges, which real digits cannot do, and so the guided painter keeps *more* words than the reconstructions of real digits, whose decoder it uses: the decoder's
# share of the error is a fact about pictures like the real ones, not a ceiling for painted ones. (Question 4.) The exact claims, from the card (one picture for each of 1,000 captions, 12 steps, $w = 3$):

# %%
stated, codec = card("latent_diffusion")["metrics"], card("latent_vae")["metrics"]
print("kept by 1,000:", {kind: f"~{stated[f'kept_{kind}']:.3f}" for kind in kinds})
check_range(
    "all words kept by 1,000 painted pictures", stated["kept_all"], 0.985, 1.0,
    unlike={"painted, w = 1": rows["painted, w = 1"]["all"], "real, encoded and decoded": codec["kept_all"]},
)
check_range(
    "all words kept by real digits, encoded and decoded", codec["kept_all"], 0.93, 0.975,
    unlike={"real, as they are": rows["real, as they are"]["all"]},
)
far = {"real digits": held[:N], "encoded and decoded": back[:N]}
far |= {f"painted, w = {w:g}": painted[w] for w in (1.0, 2.0, 4.0)}
far = {name: shape_distance(x) for name, x in far.items()}
for name, value in far.items():
    print(f"Frechet distance of {N}, {name:<22} ~{value:.2f}")
painting = far["painted, w = 1"] - far["real digits"]
check_range(
    "what the codec adds to it", far["encoded and decoded"] - far["real digits"], -0.1, 0.15,
    unlike={"painting": painting},
)
check_range(
    "what guidance w = 2 adds", far["painted, w = 2"] - far["painted, w = 1"], 1.0, 3.0,
    unlike={"painting": painting},
)

# %% [markdown]
# The distances tell the other half. Encoding and decoding costs next to nothing in shapes; painting costs something, and guidance, which helped the words, moves the pictures away from the real ones again: cleaner, bolder, more alike than handwriting is. By this measure the error is the
# painter's, and almost none of it the decoder's.

# %%
figure, axes = plt.subplots(4, 1, figsize=(8, 4.0))
pictures(axes[0], held[:10], "real digits of ten captions")
for ax, w in zip(axes[1:], (1.0, 2.0, 10.0), strict=True):
    pictures(ax, painted[w][:10], f"painted from their captions, w = {w:g}")

# %% [markdown]
# **Which road carries the words?** Step 8 named two. Close one of them at a time: give the U-Net the states of the caption and the pooled vector of *no* caption, or the reverse; or give it
# the states of another caption and keep its own pooled vector.

# %%
text = model.painter.encode(captions[:N])
nothing, other = model.painter.drop(text), model.painter.encode([*captions[1:N], captions[0]])
roads = {
    "both roads, as trained": text,
    "pooled vector alone": Text(nothing.states, text.pooled),
    "cross-attention alone": Text(text.states, nothing.pooled),
    "states of another caption": Text(other.states, text.pooled),
    "no caption": nothing,
}
carried = {}
print(f"{'w = 2':<26}" + "".join(f"{kind:>9}" for kind in kinds))
for name, seen in roads.items():
    g = torch.Generator().manual_seed(8)
    carried[name] = word_scores(model.draw(seen, guidance_scale=2.0, n_steps=10, generator=g), claims[:N], judge)
    print(f"{name:<26}" + "".join(f"{f'~{100 * carried[name][kind]:.0f} %':>9}" for kind in kinds))
alone, read, blank = (carried[k] for k in ("pooled vector alone", "cross-attention alone", "no caption"))
for kind in ("digit", "stroke", "slant"):
    check_range(f"{kind}: kept by the pooled vector alone", alone[kind], 0.93, 1.0, unlike={"attention": read[kind]})
check_range("colour: kept by cross-attention alone", read["colour"], 0.97, 1.0, unlike={"pooled": alone["colour"]})
check_range("digit: kept by cross-attention alone", read["digit"], 0.03, 0.25, unlike={"pooled": alone["digit"]})

# %% [markdown]
# In this model cross-attention carries the *colour* and nothing else: digit, stroke and slant stay at the level of "no caption" when the pooled vector is missing, and are all there when it is the only road. The
# pooled vector reaches every block, so training never had to learn to read these words by attention. Being there is not the same as being used; only closing a road shows it. (Stable Diffusion 1
# has no pooled road at all.) The inputs with one road closed are not what the network was trained on, but the fourth row, with the states of another caption, leads to the same conclusion.

# %% [markdown]
# ## 7. What compression buys
#
# **Step 10. Counting multiply-adds.** A convolution with a kernel of $k\times k$ costs $h\,w\,c_{\text{in}}c_{\text{out}}k^2$: linear in the number of places. The same network on $32\times32$ instead of $8\times8$ costs 16 times as much in
# convolutions, and more in attention, which is quadratic. The left side below counts every product that PyTorch performs; the right side is the formula, summed over the layers of the decoder by hand.

# %%
w1 = vae.config.width
by_hand = 64 * 9 * (4 * 2 * w1 + 2 * (2 * w1) ** 2 + 2 * w1 * 4 * w1) + 256 * 9 * (2 * w1**2 + w1 * 12)
counted = multiply_adds(lambda: vae.decode(torch.zeros(1, 4, 8, 8)))
small = 64 * 9 * (4 * 2 * w1 + 2 * (2 * w1) ** 2 + 2 * w1 * 4 * w1 + 2 * w1**2 + w1 * 12)
check("decoder, multiply-adds: counted and by hand", counted, by_hand, unlike={"8 x 8 throughout": small})


def pixel_painter(width, mults, patch=1):
    """The same family on pixels: untrained, for its cost has nothing to do with its weights."""
    d, c = model.painter.net.config.d_context, 3 * patch**2
    sizes = UNetConfig(c_in=c, c_out=c, width=width, mults=mults, time_scale=250.0, d_context=d, d_pooled=d)
    net, words = UNet(sizes), TextEncoder(28, d=d, n_layer=1)
    return TextDiffusion(net, words, event_shape=(3, 32, 32), sigma_data=0.5, patch=patch).eval()


# %%
shape = model.painter.net.config
rivals = {
    "pixels: as many parameters, 3 levels": pixel_painter(16, (1, 2, 4)),
    "pixels: the same U-Net": pixel_painter(shape.width, shape.mults),
    "pixels: the same, on squares of 4 x 4": pixel_painter(shape.width, shape.mults, patch=4),
}
ways = {"latent: U-Net on 8 x 8, then decoder": (model.painter, model.paint)}
ways |= {name: (painter, painter.sample) for name, painter in rivals.items()}
work, seconds = {}, {}
for name, (_, paint_it) in ways.items():
    work[name] = multiply_adds(lambda p=paint_it: p(captions[:1], guidance_scale=2.0, n_steps=12))
    times = []
    for _ in range(2):
        start = time.process_time()
        paint_it(captions[:12], guidance_scale=2.0, n_steps=6)
        times.append(time.process_time() - start)
    seconds[name] = min(times)
first = next(iter(ways))
print(f"{'one guided picture, 12 steps':<38} {'parameters':>10} {'multiply-adds':>14} {'ratio':>6} {'time':>7}")
for name, (painter, _) in ways.items():
    ratio, slower = work[name] / work[first], seconds[name] / seconds[first]
    n_parameters = sum(p.numel() for p in painter.parameters())
    print(f"{name:<38} {n_parameters:>10,} {work[name]:>14,} {ratio:>6.1f} {f'~{slower:.0f} x':>7}")
slowdown = {name: seconds[name] / seconds[first] for name in rivals}
by_name = [slowdown[name] for name in rivals]
check_range("as many parameters: times slower", by_name[0], 2, 12, digits=0, unlike={"squares": by_name[2]})
check_range("the same U-Net: times slower", by_name[1], 5, 40, digits=0, unlike={"squares": by_name[2]})
every_step = 12 * counted / (work[first] + 11 * counted)
check_range(
    "fraction of the decoder in the work", counted / work[first], 0.0, 0.05,
    unlike={"decoding in every step": every_step},
)

# %% [markdown]
# Question 1: not 12. The numbers of a *picture* fall by 12; what a U-Net pays for is *places*, and there are 16 times fewer, while its inner channels are its own affair. The fairest rival is the second line, a pixel-space U-Net with
# as many parameters, which spends its channels where the places are few. The whole latent chain, captions read and decoder included, is several times faster, in the same run on the same core. The decoder's part is small because it runs once, not in every step.
#
# The last line keeps the claim honest: whoever lets a pixel-space network see squares of $4\times4$ pixels as one place, 48 channels deep, has its cost down too. That *is* a compression of places, by a fixed map without loss, and 48 numbers a place remain to be drawn instead of 4. So the gain in time is
# not magic of the VAE; the VAE's part is that few numbers suffice. (`python benchmarks/latent_diffusion.py` measures with more repetitions, and the two-stage pixel system of the GLIDE lab beside it.)
#
# ## 8. Paint
#
# **Before you move the sliders:** with two steps, will colour, digit or stroke be the first to be right? And at which guidance do you expect the picture to break?

# %% tags=["keep-output"]
widgets.latent_sampler(model, judge)

# %%
figure, axes = plt.subplots(3, 5, figsize=(8.5, 4.6))
for row, n_steps in zip(axes, (2, 4, 12), strict=True):
    for ax, w in zip(row, (1.0, 2.0, 4.0, 7.0, 10.0), strict=True):
        g = torch.Generator().manual_seed(5)
        picture = model.draw(["a bold magenta five upright"], guidance_scale=w, n_steps=n_steps, generator=g)
        ax.imshow(picture[0].permute(1, 2, 0))
        ax.set(xticks=[], yticks=[])
        ax.set_title(f"{n_steps} steps, w = {w:g}", fontsize=8)


# %% [markdown]
# ## 9. It fails
#
# **Failure 1: no scaling.** Give the codes a spread of 5.5, as those of the first Stable Diffusion had, eleven times as large as the painter expects, and diffuse them as they are; and once more codes a tenth as large as they should be. Same network, same steps as in
# section 5. Step 7 says where the loss starts; the judge says where it ends.

# %%
def trained_at(spread):
    """A live painter that sees codes of this spread, where it expects 0.5."""
    other = tiny.untrained()
    other.shift.copy_(model.shift)
    other.spread.copy_(model.spread * 0.5 / spread)
    return other, [r.loss for r in tiny.but(rescale=False).train(other)]


wrong = {5.5: trained_at(5.5), 0.05: trained_at(0.05)}
outcome = {}
for name, painter in {"as it should be, 0.5": live, "5.5": wrong[5.5][0], "0.05": wrong[0.05][0]}.items():
    g = torch.Generator().manual_seed(9)
    x = painter.draw(captions[:200], guidance_scale=2.0, n_steps=8, generator=g)
    outcome[name] = (x, word_scores(x, claims[:200], judge)["colour"], shape_distance(x))
well = {"at spread 0.5": records[0].loss}
check_range("spread 5.5: loss at the first step", wrong[5.5][1][0], 3, 150, digits=0, unlike=well)
check_range("spread 0.05: loss at the first step", wrong[0.05][1][0], 0.2, 0.8, digits=2, unlike=well)
kept = {name: colour for name, (_, colour, _) in outcome.items()}
bands = ((0.8, 1, "5.5"), (0.1, 0.7, "as it should be, 0.5"), (0.1, 0.75, "as it should be, 0.5"))
for (name, (_, colour, distance)), (low, high, rival) in zip(outcome.items(), bands, strict=True):
    check_range(f"spread {name}: colours kept", colour, low, high, digits=2, unlike={rival: kept[rival]})
    print(f"    and the Frechet distance of its shapes: ~{distance:.0f}")
figure, axes = plt.subplots(3, 1, figsize=(8, 3.2))
for ax, (name, (x, *_)) in zip(axes, outcome.items(), strict=True):
    pictures(ax, x[:10], f"100 steps at spread {name}")

# %% [markdown]
# Another form of the mistake forgets the scale only *afterwards*, at the decoder. Ours forgives a little, for its codes happen to have a spread of 0.8, not far from the 0.5 of the painter. The decoder of step 4, the same but for its scale, does not:

# %%
with torch.no_grad():
    late = {"our decoder": vae.decode(codes[2.0]), "the decoder of step 4": large.decode(codes[2.0])}
kept = [word_scores(x, claims[:N], judge)["all"] for x in late.values()]
check_range(
    "not unscaled, our decoder: all words kept", kept[0], 0.4, 0.95, digits=2,
    unlike={"unscaled": rows["painted, w = 2"]["all"]},
)
check_range(
    "not unscaled, the decoder of step 4: all words kept", kept[1], 0.0, 0.3, digits=2,
    unlike={"our decoder": kept[0]},
)


# %% [markdown]
# **Failure 2: a heavy divergence.** Step 3 counted the directions that survive. Two small VAEs, eight features wide, trained live for the same short while: $s = 0.03$, and $s = 3$, a weight of 18, at which a linear VAE would keep two directions.

# %%
def small_vae(pixel_std, n_steps=120):
    torch.manual_seed(20)
    small = ImageVAE(ImageVAEConfig(width=8, pixel_std=pixel_std))
    g = torch.Generator().manual_seed(20)
    batches = minibatches(grey, 64, generator=g,
                          change=lambda b: paint(b, torch.randint(6, (len(b),), generator=g)))  # fmt: skip
    list(fit(small, batches, n_steps=n_steps, lr=8e-3, generator=g, clip=5.0))
    with torch.no_grad():
        mu, log_var = small.encode(held[:N])
        return small.decode(mu), kl_divergence(Normal(mu, (0.5 * log_var).exp()), Normal(0.0 * mu, 1 + 0.0 * mu))


figure, axes = plt.subplots(2, 1, figsize=(8, 2.2))
error, price = {}, {}
for ax, s in zip(axes, (0.03, 3.0), strict=True):
    x, divergence = small_vae(s)
    error[s], price[s] = (x - held[:N]).square().mean().sqrt(), divergence.flatten(1).sum(1).mean()
    pictures(ax, x[:10], f"s = {s}: decoded means")
for s, other, error_band, price_band in ((0.03, 3.0, (0.05, 0.15), (80, 900)), (3.0, 0.03, (0.15, 0.25), (0, 10))):
    check_range(f"s = {s}: root mean square error", error[s], *error_band, unlike={f"s = {other}": error[other]})
    check_range(f"s = {s}: price of a code, nats", price[s], *price_band, digits=1, unlike={f"s = {other}": price[other]})


# %% [markdown]
# With the heavy weight every posterior is the prior: even the two directions that a linear VAE would keep gain so little (their variance is 12.7, $s^2$ is 9) that this one has not taken them up. The decoder, given no information, paints the mean of all pictures. No painter can put back what the code does not hold. With the light weight even a hundred steps make legible digits.
#
# **Failure 3: guidance leaves the decoder's domain.** In pixels a guess can be clipped to $[-1, 1]$. A code has no bounds that anybody knows, and the decoder was trained where real codes are. Ask the encoder whether it recognises what it reads: how far is
# $\mathrm{encode}(\mathrm{decode}(z))$ from $z$? Small for codes of real digits; from $w = 2$ on it grows, as the spread does.

# %%
def round_trip(codes):
    """Root mean square of encode(decode(z)) - z, in units of the spread of real codes."""
    with torch.no_grad():
        again = model.encode(model.decode(codes))
    return (again - codes).square().mean().sqrt().item() / sigma_d


print(f"{'':<14} {'spread / real':>13} {'|enc(dec(z)) - z|':>18} {'all words kept':>15}")
real_codes = model.encode(held[:N])
print(f"{'real codes':<14} {'~1.0':>13} {f'~{round_trip(real_codes):.2f}':>18} {'':>15}")
trip = {}
for w, z in codes.items():
    trip[w] = round_trip(z)
    kept = 100 * rows[f"painted, w = {w:g}"]["all"]
    print(f"{f'w = {w:g}':<14} {f'~{z.std() / sigma_d:.1f}':>13} {f'~{trip[w]:.2f}':>18} {f'~{kept:.0f} %':>15}")
check_range(
    "w = 10 against real codes: factor", trip[10.0] / round_trip(real_codes), 4.0, 40.0, digits=0,
    unlike={"w = 2": trip[2.0] / round_trip(real_codes)},
)

# %% [markdown]
# **Failure 4: compressing too far.** What if the code were smaller? Keep only the first $j$ principal components of the shipped codes, put the mean in for the rest, and decode: a linear bottleneck within the code. Colour survives four of them; digit, stroke and
# slant need thirty to sixty, and only from half of the components on do all words survive as often as with the whole code. The captions decide how far one may compress: a codec for colours alone could be thirty times smaller.

# %%
training_codes = model.encode(paint(grey[:500], attributes.colour[:500])).flatten(1)
mean = training_codes.mean(0)
_, _, axes_of_codes = torch.linalg.svd(training_codes - mean, full_matrices=False)
flat_codes = real_codes.flatten(1) - mean
sizes, curves, errors = (4, 8, 16, 32, 64, 128, 256), {kind: [] for kind in kinds}, []
cut = {}
for j in sizes:
    V = axes_of_codes[:j]
    with torch.no_grad():
        x = model.decode((mean + flat_codes @ V.T @ V).reshape(real_codes.shape))
    cut[j] = x
    errors.append((x - held[:N]).square().mean().sqrt().item())
    for kind, score in word_scores(x, claims[:N], judge).items():
        curves[kind].append(score)
check("all 256 components: nothing is lost", cut[256], back[:N], atol=1e-3, unlike={"128 of them": cut[128]})
check_range(
    "8 components: all words kept", curves["all"][1], 0.0, 0.6, digits=2, unlike={"256": curves["all"][-1]}
)
check_range(
    "8 components: colour kept", curves["colour"][1], 0.9, 1.0, digits=2, unlike={"digit": curves["digit"][1]}
)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.0))
for kind in kinds:
    left.plot(sizes, curves[kind], marker="o", label=kind)
left.set(xscale="log", xlabel="components kept of 256", ylabel="fraction of words kept", ylim=(0, 1.03))
left.legend(fontsize=8)
right.plot(sizes, errors, marker="o")
right.set(xscale="log", xlabel="components kept of 256", ylabel="root mean square error");

# %% [markdown]
# ## Exercises
#
# Replace `...` and run the cell. If your answer is wrong, the checker names the likely mistake; `course.hint("ld.pipeline")` gives three hints, one
# at a time. Solutions stand in `notebooks/solutions/`.
#
# **ld.shift** (compute). Codes have standard deviation 5.5 and are diffused as they are. By how many nats does the log signal-to-noise ratio of every step rise?

# %%
nats = ...
course.exercise("ld.shift", nats)


# %% [markdown]
# **ld.pixel-std** (derive). A VAE is trained on "*mean* of squares over the D pixels + weight x KL". Which $s$ does its Gaussian decoder assume?

# %%
def pixel_std(weight, n_pixels): ...


course.exercise("ld.pixel-std", pixel_std)


# %% [markdown]
# **ld.pipeline** (build). `sample` turns noise into codes that were shifted and divided by their spread; `decode` reads codes as the encoder made them. Return the picture.

# %%
def paint_one(noise, sample, decode, shift, spread): ...


course.exercise("ld.pipeline", paint_one)


# %% [markdown]
# **ld.cost** (build). Multiply-adds of one picture: `steps` steps at guidance `w`, given the cost of one pass of the U-Net and of the decoder. Which networks run when?

# %%
def cost(steps, w, unet, decoder): ...


course.exercise("ld.cost", cost)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz("latent_diffusion")

# %% [markdown]
# ## Summary
#
# 1. A VAE compresses, a diffusion model learns the law of the codes: two paradigms, trained one after the other, meeting in a shift and a scale.
# 2. A small weight of the divergence is a small assumed noise of pixels, $w = 2s^2$: still a bound.
# 3. The weight sets how blurred a code may be; a direction whose variance is below $s^2$ is switched off.
# 4. Such a VAE cannot paint alone: its codes do not fill the prior.
# 5. The scale of a code is free, so it means nothing; the schedule's signal-to-noise ratio takes it at its word. Divide it out.
# 6. The loss of a network that answers 0 is 1 exactly when the scale is right.
# 7. The caption has two roads into the U-Net: here cross-attention carries the colour, the pooled vector everything else. Guidance asks twice in each step, the decoder runs once.
# 8. A U-Net pays for places: 16 times fewer of them.
# 9. Encode and decode real data to know the codec's share of the error, in the words that you promise.
# 10. It fails with no scale, with a heavy divergence, with guidance beyond the decoder's domain, and with codes too small for the caption.
#
# **Back to your predictions.** 1: by 16 or more, not 12. 2: too little. 3: no, blotches. 4: a few, those that the codec costs; but guidance can buy them back.
#
# | its row on the map | objective | sampler | evaluations | $\log p$ | pays with |
# |---|---|---|---|---|---|
# | latent diffusion | ELBO of the codec; then denoising of codes | DDIM on codes, one pass of the decoder | steps x 2 (guided) + 1 | none as trained (a bound is possible) | two trainings; the codec's errors are final |
#
# **What production systems add.** *Perceptual and adversarial losses* in the codec, so that the decoder invents plausible texture instead of a mean; codes of 4 to 16 channels at an eighth of the side. *Vector-quantised* codes as an alternative to the small
# divergence. *Frozen language models* with hundreds of states to read (CLIP, T5), at every level of the U-Net and not only the lowest, or transformers in its place. *Fewer steps* by distillation. *Control*: codes of a given picture as a start (image to image), masks (inpainting), side
# networks. And later codecs are shifted and scaled by channel, exactly for the reason of step 5.
#
# ## Sources
#
# - Latent diffusion: Rombach et al. 2022 (arXiv:2112.10752), sections 3.1 to 3.3, appendix G (the scale), table 2 (how far to compress).
# - The weight: Kingma and Welling 2013 (arXiv:1312.6114), eq. 7 and 10; Higgins et al. 2017, "beta-VAE", eq. 4; Tipping and Bishop 1999 (the linear case).
# - Scales and loss: Karras et al. 2022 (arXiv:2206.00364), table 1; 2024 (arXiv:2312.02696), section 2 (codes to spread 0.5). Guidance: Ho and Salimans 2022 (arXiv:2207.12598), eq. 6. DDIM: Song, Meng
#   and Ermon 2020 (arXiv:2010.02502), eq. 12.
# - Attention to text: Rombach et al. 2022, eq. 3 of section 3.3; Nichol et al. 2021 (arXiv:2112.10741), section 4.
