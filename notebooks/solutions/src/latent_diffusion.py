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
# Try each exercise of the lab first; `course.hint("ld.sampler")` gives three hints, one at a time. What is built or repaired stands in the lab itself, in the
# folded cell *One solution*; here it is used once, and the answers by hand are derived.

# %%
import math

import torch

import genlab_course as course
from genlab.latent.vae import weighted_error
from genlab.metrics.cost import multiply_adds
from genlab.systems.latent_diffusion import sampling_times
from genlab.zoo import load_model
from genlab_course import check

course.begin("latent_diffusion")
model = load_model("latent_diffusion")

# %% [markdown]
# ## ld.captions
#
# Both pairs are known with probability $(48/60)^2 = 0.64$. The check counts all $60\cdot60$ couples of pairs.

# %%
course.exercise("ld.captions", 1 - (48 / 60) ** 2)
pairs = torch.cartesian_prod(torch.arange(10), torch.arange(6))
unseen = (pairs.sum(1) % 5 == 0).double()
either = 1 - (1 - unseen)[:, None] * (1 - unseen)
check("counted over all couples of pairs", either.mean(), 0.36, unlike={"one object": unseen.mean()})


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
x, mean = torch.rand(2, 4, 48, generator=g, dtype=torch.float64)
mu, log_var = torch.randn(2, 4, 6, generator=g, dtype=torch.float64)
kl = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)
ours = (x - mean).square().mean(1) + 0.01 * kl
theirs = weighted_error(x, mean, mu, log_var, pixel_std=pixel_std(0.01, 48)) / 48
not_shared = weighted_error(x, mean, mu, log_var, pixel_std=math.sqrt(0.01 / 2)) / 48
check("mean of squares + 0.01 KL", ours, theirs, atol=1e-12, unlike={"D forgotten": not_shared})

# %% [markdown]
# ## ld.bag
#
# The words fix two digits, two colours and the relation, and all pairs are equally likely. Which digit stands in the first place, and which colour, remain to be guessed: two choices of two, $1/4$.

# %%
course.exercise("ld.bag", 1 / 4)

# %% [markdown]
# ## ld.training-step, ld.cross-attention, ld.sampler
#
# The loss of a network that knows the answer is 0; the sampler then arrives at the code, in one step or in twenty.

# %%
loss, sampler = (course.yours(id) for id in ("ld.training-step", "ld.sampler"))
z0, eps = torch.randn(2, 3, 4, 8, 8, generator=g)
t, rows = torch.rand(3, generator=g), torch.zeros(3, 8, dtype=torch.int64)
exact = lambda z, t, c: (z - z0) / t[:, None, None, None]
found = loss(exact, model.text_encoder, z0, rows, t, eps, torch.zeros(3, dtype=torch.bool))
wrong = loss(lambda z, t, c: eps, model.text_encoder, z0, rows, t, eps, torch.zeros(3, dtype=torch.bool))
end = sampler(exact, eps, None, None, sampling_times(20), 2.0)
off = torch.stack([found, (end - z0).abs().max()])
check("a network that knows: no loss, and the sampler arrives", off, torch.zeros(2), atol=1e-4,
      unlike={"it answers the noise": torch.stack([wrong, (eps - z0).abs().max()])})  # fmt: skip


# %% [markdown]
# ## ld.pipeline
#
# Scaled codes are $(z - m)/\sigma_z$; solved for $z$, that is $m + \sigma_z\tilde z$: what was done last is undone first. The decoder comes at the end, and the encoder nowhere.

# %%
def paint(noise, sample, decode, shift, spread):
    return decode(shift + spread * sample(noise))


course.exercise("ld.pipeline", paint)
codes = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(2))
made = paint(codes, lambda z: z, model.vae.decode, model.shift, model.spread)
unscaled = paint(codes, lambda z: z, model.vae.decode, model.shift, 1.0)
check("with the shipped scale", made, model.decode(codes), atol=1e-6, unlike={"not scaled": unscaled})


# %% [markdown]
# ## ld.cost
#
# In each step the network answers with the caption and without it, unless $w$ is 1 or 0, where the blend is one of the answers. The decoder runs once, the encoder never. The difference between
# two numbers of steps is the network's part alone.

# %%
def cost(steps, w, unet, decoder):
    return steps * (1 if w in (0, 1) else 2) * unet + decoder


course.exercise("ld.cost", cost)
total = {n: multiply_adds(lambda n=n: model.draw(["a red one"], guidance_scale=2.0, n_steps=n)) for n in (4, 8)}
states = model.encode_captions(["a red one"])
unet = multiply_adds(lambda: model.net(codes[:1], torch.zeros(1), context=states))
check("four more guided steps, multiply-adds", total[8] - total[4], cost(4, 2.0, unet, 0),
      unlike={"one evaluation a step": cost(4, 1.0, unet, 0)})  # fmt: skip
