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
# # 15 · The four-paradigm landscape: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import numpy as np
import torch

import genlab_course as course
from genlab_course.exercises.lesson_15 import CLINIC, Key
from genlab_course.fingerprint import fingerprint
from genlab_course.fingerprint import masked_diffusion, pixelcnn, vae
from genlab_course.reader import releases

course.begin(lesson=15)
torch.set_default_dtype(torch.float64)


# %% [markdown]
# ## 15.count
#
# In one call of a network each of its layers is used once. So watch every layer that owns parameters, and read both counts off the one that is used most (of several, off the one used first): a
# sampler may loop over a part of the network and never run the whole. The sum over all layers counts depth, not calls. Take the hooks off at the end, or the next
# run counts into this one.

# %%
def counted(network, draw):
    uses = {}

    def note(layer, inputs):
        uses.setdefault(layer, []).append(len(inputs[0]))

    layers = [layer for layer in network.modules() if list(layer.parameters())]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    draw()
    for hook in hooks:
        hook.remove()
    busiest = max(uses.values(), key=len)
    return len(busiest), sum(busiest)


course.exercise("15.count", counted)

# %% [markdown]
# ## The clinic
#
# One form in full, as a learner would fill it in:

# %%
llada = {
    "phrase": "the network guesses the hidden tokens",
    "objective": ("denoising of tokens", "disclosed"),
    "sampler": ("parallel-refinement", "disclosed"),
    "gives": ("bound", "disclosed"),
    "place": ("score / diffusion", "disclosed"),
    "post-training": ("supervised", "disclosed"),
}
course.exercise("15.llada", llada)

# %% [markdown]
# And the keys of all twelve, with their evidence. They are argued by hand; where two answers can be defended, both are accepted.

# %%
for key, one in CLINIC.items():
    course.exercise(f"15.{key.replace('_', '-')}", Key(one))
    print(f"\n{one['name']} ({one['year']})\n{Key(one)}\n")

# %% [markdown]
# ## 15.bill
#
# The parts work one after the other, so their calls add up: one for each token, one for each step, one for the decoder. A guided step evaluates
# the network on two rows (with the text and without), so its 30 calls are 60 evaluations.

# %%
course.exercise("15.bill", (100 + 30 + 1, 100 + 30 * 2 + 1))


# %% [markdown]
# ## 15.place
#
# First what the calls follow and how the output comes into being, the likelihood last. Asked in another order, a distilled model
# can be taken for a GAN, and a language model behind an interface that hides its likelihood for a diffusion model. One clue of the likelihood
# comes earlier: an autoregressive model knows it exactly, so that many calls with only a bound are another row's.

# %%
def placed(passes, share, follows_steps, kind):
    if follows_steps or kind == "unnormalised":
        return "score"
    if passes > 1:
        return "score" if share > 0.5 or kind == "bound" else "autoregressive"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


course.exercise("15.place", placed)
for make, family in ((pixelcnn, "autoregressive"), (vae, "latent-variable"), (masked_diffusion, "score")):
    (seen,) = fingerprint(make())
    share = 1.0 if np.isnan(seen.share) else seen.share
    print(family, placed(seen.passes, share, seen.follows_steps, seen.kind) == family)

# %% [markdown]
# ## 15.bounds
#
# (a) What is at most 1.77 is below 1.96. (b) The bound lies above the exact value: the true number may lie on either side. (c) Two bounds. (d) Two exact values.

# %%
course.exercise("15.bounds", ["second", "refuse", "refuse", "first"])


# %% [markdown]
# ## 15.leakage
#
# What leaks is knowledge of a *system*, and it leaks into every text about it: count texts, by system.

# %%
def leaked(train, test):
    known = {row["system"] for row in train}
    return sum(row["system"] in known for row in test) / len(test)


course.exercise("15.leakage", leaked)
print(f"the bank's own split: {leaked(releases('train'), releases('test')):.0%}; "
      f"the texts set aside: {leaked(releases('test'), releases('aside')):.0%}")
