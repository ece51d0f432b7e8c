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
# Try each exercise of the lab first; `course.hint("ld.sampler")` gives three hints, one at a time. What is built or repaired stands in the lab itself, behind
# `course.solution`; here it is used once, and the answers by hand are derived.

# %%
import math

import torch

import genlab_course as course
from genlab.metrics.cost import multiply_adds
from genlab.systems.latent_diffusion import sampling_times
from genlab.zoo import load_model
from genlab_course import check

course.begin("latent_diffusion")
model = load_model("latent_diffusion")


# %% [markdown]
# ## ld.same-snr
#
# $\mathrm{SNR}_c(t')=\mathrm{SNR}_1(t)$; the root of both sides is $c\,(1-t')/t'=(1-t)/t$. So $t'/(1-t')=c\,t/(1-t)$, and solved for $t'$: $t'=c\,t/(1-t+c\,t)$. At $c=5.5$ and $t=\tfrac34$ that is
# $16.5/17.5=0.943$. With $c=e^{0.8}$ it gives the times of the package.
# (Programmed as $r/(1+r)$ with $r=c\,t/(1-t)$ it is nan at $t=1$, where drawing begins: $\infty/\infty$.)

# %%
def same_snr(t, c):
    return c * t / (1 - t + c * t)


course.exercise("ld.same-snr", same_snr)
t = torch.tensor([0.1, 0.5, 0.75])
late = same_snr(t, 5.5)
check("as deep in noise", 5.5 * (1 - late) / late, (1 - t) / t, rtol=1e-5,
      unlike={"5.5 t": 5.5 * (1 - 5.5 * t) / (5.5 * t)})  # fmt: skip
even = torch.linspace(1, 0, 7)
check("the package's times", same_snr(even, math.exp(0.8)), sampling_times(6), atol=1e-6,
      unlike={"even": even})  # fmt: skip

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
g = torch.Generator().manual_seed(1)
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
# ## ld.swap-states
#
# The layer is asked twice in each step, with the caption and with the empty one; only the first question is patched. A new tensor is made: written in place, `states` would change for all layers that read it later.

# %%
def swap_states(read, x, states, given, instead, words):
    if torch.equal(states, given):
        states = torch.where(words[:, :, None], instead, states)
    return read(x, states)


course.exercise("ld.swap-states", swap_states)
captions = ["a red seven left of a blue three", "a gold seven left of a blue three"]
red, gold = model.encode_captions(captions[:1]), model.encode_captions(captions[1:])
layer, x = model.net.attention.read_text, torch.randn(1, 16, 96, generator=torch.Generator().manual_seed(2))
one_word = torch.arange(8)[None] == 1
found = swap_states(layer, x, red, red, gold, one_word)
by_hand = layer(x, torch.cat([red[:, :1], gold[:, 1:2], red[:, 2:]], 1))
check("one word exchanged", found, by_hand, atol=0.0, unlike={"every word": layer(x, gold)})


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
unet = multiply_adds(lambda: model.net(z0[:1], torch.zeros(1), context=states))
check("four more guided steps, multiply-adds", total[8] - total[4], cost(4, 2.0, unet, 0),
      unlike={"one evaluation a step": cost(4, 1.0, unet, 0)})  # fmt: skip
