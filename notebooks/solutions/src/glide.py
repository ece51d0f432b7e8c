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
# # System 3 · GLIDE-style diffusion: worked solutions
#
# Try each exercise of the lab first; `course.hint("glide.hide")` gives three hints, one at a time.

# %%
import numpy as np
import torch

import genlab_course as course
from genlab_course import check
from genlab.nn.text import NoCaption
from genlab.systems.glide import shrink
from genlab.systems.glide import NoisyClassifier, classifier_guided

course.begin("glide")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## glide.sharpened
#
# Exponents are factors of precisions: $w\cdot 1 + (1 - w)\cdot\tfrac14 = 2 - \tfrac14 = \tfrac74$. The precision-weighted means add up to $w\cdot 1\cdot 2 = 4$, so the mean is $4 / \tfrac74 = \tfrac{16}7$: beyond the
# caption's own 2. Second route: the maximum of the log-density on a fine grid, which for a normal distribution is its mean.

# %%
mean = (2 * 1 * 2 + (1 - 2) * (1 / 4) * 0) / (2 * 1 + (1 - 2) * (1 / 4))
course.exercise("glide.sharpened", mean)
x = torch.linspace(2, 3, 700_001)
log_density = -(1 - 2) * x**2 / 8 - 2 * (x - 2) ** 2 / 2
one_each = -(x**2) / 8 - 2 * (x - 2) ** 2 / 2  # p(x) to the power 1
check("the same as the highest point", mean, x[log_density.argmax()], atol=1e-5,
      unlike={"p(x) multiplied in": x[one_each.argmax()]})  # fmt: skip


# %% [markdown]
# ## glide.classifier
#
# By Tweedie the guess is $x + \sigma^2$ times the score, and by Bayes the guided score is the unconditional one plus $w$ times the slope of the classifier. Second route: `classifier_guided` of the package, which goes through the noise, with a network of random weights as the classifier.

# %%
def pulled(guess, slope, sigma, w):
    return guess + w * sigma**2 * slope


course.exercise("glide.classifier", pulled)
torch.manual_seed(0)
reader, x = NoisyClassifier(8), torch.randn(1, 3, 16, 16)
sigma, words = torch.tensor([1.5]), torch.tensor([[7, 0, 2, 1]])
leaf = x.clone().requires_grad_(True)
(slope,) = torch.autograd.grad(reader.log_prob_of_words(leaf, sigma, words).sum(), leaf)
guided = classifier_guided(lambda x, sigma: x / 2, reader, words, guidance_scale=3.0)(x, sigma)
check("my guess = genlab's", pulled(x / 2, slope, 1.5, 3.0), guided.detach(),
      unlike={"sigma for its square": x / 2 + 3.0 * 1.5 * slope})  # fmt: skip


# %% [markdown]
# ## glide.hide
#
# One decision a row, for all of its words: `(u < p)` gets two more axes. Hiding word by word would leave a caption that still says something.

# %%
def hide(states, u, p, nothing):
    return np.where((u < p)[:, None, None], nothing, states)


course.exercise("glide.hide", hide)
states, u = torch.randn(5, 3, 4), torch.tensor([0.05, 0.5, 0.09, 0.2, 0.95])
module = NoCaption(4)
torch.nn.init.normal_(module.state)
theirs = module(states, u < 0.1)
mine = hide(states.numpy(), u.numpy(), 0.1, module.state.detach().numpy())
by_word = np.where((u.numpy() < 0.1)[:, None, None] & (np.arange(3) > 0)[:, None], module.state.detach().numpy(), states.numpy())
check("my states = genlab's", mine, theirs, unlike={"the first word left": by_word})


# %% [markdown]
# ## glide.consistent
#
# Adding one number to all four pixels of a block moves its mean by that number, and no smaller change does: the four changes must sum to four times the error, and the sum of their squares is least when they are equal. It is the orthogonal projection onto the pictures that shrink to `small`; Haar's details
# are left as they were.

# %%
def consistent(large, small):
    h, w = small.shape
    means = large.reshape(h, 2, w, 2).mean((1, 3))
    return large + (small - means).repeat(2, 0).repeat(2, 1)


course.exercise("glide.consistent", consistent)
large, small = torch.rand(3, 8, 8), torch.rand(3, 4, 4)
moved = torch.stack([torch.tensor(consistent(a.numpy(), b.numpy())) for a, b in zip(large, small, strict=True)])
check("it shrinks to the small picture", shrink(moved[None])[0], small, unlike={"not moved": shrink(large[None])[0]})
rest = moved - large
other = rest + torch.tensor([[0.1, -0.1], [0.05, -0.05]]).repeat(4, 4)  # block means unchanged
smaller = rest / 2  # shorter, but the means are wrong
longer = bool((other**2).sum() > (rest**2).sum())
check("another change with these means is longer", longer, True,
      unlike={"a change with other means": bool((smaller**2).sum() > (rest**2).sum())})  # fmt: skip
