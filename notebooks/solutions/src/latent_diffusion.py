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
# # System 2 · Latent diffusion: worked solutions
#
# Try each exercise of the lab first; `course.hint("ld.pipeline")` gives three hints, one at a time.

# %%
import math

import torch

import genlab_course as course
from genlab_course import check, check_close_mc
from genlab.latent.vae import weighted_error
from genlab.metrics.cost import multiply_adds
from genlab.zoo import load_model

course.begin("latent_diffusion")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## ld.shift
#
# Codes $c$ times as large have $c^2$ times the variance; the noise that is added stays. So $\log\mathrm{SNR}$ rises by $2\log c$, at every step alike. The check draws codes and measures their variance.

# %%
nats = 2 * math.log(5.5)
course.exercise("ld.shift", nats)
z = 5.5 * torch.randn(200_000, generator=torch.Generator().manual_seed(0))
check_close_mc("variance of the codes", z**2, math.exp(nats), unlike={"exp of half of it": math.exp(nats / 2)})


# %% [markdown]
# ## ld.pixel-std
#
# The negative bound is $\lVert x - m\rVert^2/(2s^2) + \mathrm{KL}$ and a constant. Times $2s^2/D$: mean of squares plus $(2s^2/D)\,\mathrm{KL}$. So $w = 2s^2/D$, and $s = \sqrt{wD/2}$. The check divides
# the package's loss, which has the *sum*, by D.

# %%
def pixel_std(weight, n_pixels):
    return math.sqrt(weight * n_pixels / 2)


course.exercise("ld.pixel-std", pixel_std)
g = torch.Generator().manual_seed(1)
x, mean = torch.rand(2, 4, 48, generator=g)
mu, log_var = torch.randn(2, 4, 6, generator=g)
kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)
ours = (x - mean).square().mean(1) + 0.01 * kl
theirs = weighted_error(x, mean, mu, log_var, pixel_std=pixel_std(0.01, 48)) / 48
not_shared = weighted_error(x, mean, mu, log_var, pixel_std=math.sqrt(0.01 / 2)) / 48
check("mean of squares + 0.01 KL", ours, theirs, atol=1e-12, unlike={"D forgotten": not_shared})


# %% [markdown]
# ## ld.pipeline
#
# Scaled codes are $(z - m)/\sigma_z$; solved for $z$, that is $m + \sigma_z\tilde z$: what was done last is undone first. The decoder comes at the end, and the encoder nowhere.

# %%
def paint_one(noise, sample, decode, shift, spread):
    return decode(shift + spread * sample(noise))


course.exercise("ld.pipeline", paint_one)
torch.set_default_dtype(torch.float32)
model = load_model("latent_diffusion")
codes = 0.5 * torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(2))
mine = paint_one(codes, lambda z: z, model.vae.decode, model.shift, model.spread / 0.5)
unscaled = paint_one(codes, lambda z: z, model.vae.decode, model.shift, 1.0)
check("with the shipped scale", mine, model.decode(codes), atol=1e-6, unlike={"not scaled": unscaled})


# %% [markdown]
# ## ld.cost
#
# In each step the U-Net answers with the caption and without it, unless $w$ is 1 or 0, where the blend is one of the answers. The decoder runs once, the encoder never. Counted on the shipped model: the difference between
# two numbers of steps is the U-Net's share alone, and what is left at no steps is the decoder, with the text encoder that reads the caption once.

# %%
def cost(steps, w, unet, decoder):
    return steps * (1 if w in (0, 1) else 2) * unet + decoder


course.exercise("ld.cost", cost)
caption = ["a red one"]
total = {n: multiply_adds(lambda n=n: model.draw(caption, guidance_scale=2.0, n_steps=n)) for n in (4, 8)}
text = model.painter.read(caption)
unet = multiply_adds(
    lambda: model.painter.net(torch.zeros(1, 4, 8, 8), torch.zeros(1), context=text.states, pooled=text.pooled)
)
decoder = multiply_adds(lambda: model.decode(codes[:1]))
check("four more guided steps, multiply-adds", total[8] - total[4], cost(4, 2.0, unet, 0),
      unlike={"one pass a step": cost(4, 1.0, unet, 0)})  # fmt: skip
reading = multiply_adds(lambda: model.painter.read(caption))
check("8 guided steps in all", total[8], cost(8, 2.0, unet, decoder) + reading,
      unlike={"a decoded picture in every step": 8 * cost(1, 2.0, unet, decoder) + reading})  # fmt: skip
