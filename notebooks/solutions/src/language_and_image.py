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
# # System 6 · Language and image: worked solutions
#
# Try each exercise of the lab first; `course.hint("language_and_image.share")` gives three hints, one at a time.

# %%
import numpy as np
import torch
import torch.nn.functional as F

import genlab_course as course
from genlab.autoregressive.decoding import used as genlab_used
from genlab_course import check, check_close_mc
from genlab.nn.attention import attention_weights

course.begin("language_and_image")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## language_and_image.chance
#
# The picture shows the words of another caption, drawn independently. Digits agree once in 10, colours once in 6. The slant: a caption that says none, one
# in four, keeps it whatever is drawn; the others agree once in three. So $\tfrac1{10}\cdot\tfrac16\cdot\big(\tfrac14 + \tfrac34\cdot\tfrac13\big) = \tfrac1{120}$. The second route draws two million pairs.

# %%
chance_of_all = 1 / 10 * 1 / 6 * (1 / 4 + 3 / 4 * 1 / 3)
course.exercise("language_and_image.chance", chance_of_all)
g = torch.Generator().manual_seed(0)
n = 2_000_000
same = [torch.randint(k, (2, n), generator=g).diff(dim=0)[0] == 0 for k in (10, 6, 3)]
unsaid = torch.rand(n, generator=g) < 0.25
check_close_mc("by drawing", (same[0] & same[1] & (same[2] | unsaid)).double(), chance_of_all,
               unlike={"every slant said": (same[0] & same[1] & same[2]).double()})  # fmt: skip


# %% [markdown]
# ## language_and_image.joint
#
# The chain rule over the tokens of the text, padding left out, then once more from the text to the picture. Everything is a logarithm, so everything adds; a mean over tokens would have
# another unit than the picture's nats. Check: two words with known probabilities and a padding token.

# %%
def log_joint(log_p, mine, bound):
    return (log_p * mine).sum(1) + bound


course.exercise("language_and_image.joint", log_joint)
likely = np.log(np.array([[0.5, 0.25, 0.9], [0.5, 0.1, 0.9]]))
mine = np.array([[1, 1, 0], [1, 1, 0]])
of_words = np.log([0.5 * 0.25, 0.5 * 0.1])  # the third is padding
check("words, then the picture", log_joint(likely, mine, np.array([-3.0, -4.0])), of_words + [-3.0, -4.0],
      unlike={"padding counted": likely.sum(1) + [-3.0, -4.0], "mean over words": of_words / 2 + [-3.0, -4.0]})  # fmt: skip


# %% [markdown]
# ## language_and_image.share
#
# A zero key has score $q^\top 0 = 0$, so it adds $e^0 = 1$ to the denominator. Check against `genlab`'s attention, with zeros among the keys.

# %%
def share(scores, n_zero):
    z = np.exp(scores).sum()
    return z / (z + n_zero)


course.exercise("language_and_image.share", share)
q, k = torch.randn(1, 1, 1, 4, generator=g), torch.randn(1, 1, 5, 4, generator=g)
weights = attention_weights(q, F.pad(k, (0, 0, 0, 3)))[0, 0, 0]
scores = (q @ k.mT / 2)[0, 0, 0]
zeros_ignored = attention_weights(q, k)[0, 0, 0]
check("my fraction = attention on the words", share(scores.numpy(), 3), weights[:5].sum(),
      unlike={"zeros that do nothing": zeros_ignored.sum()})  # fmt: skip


# %% [markdown]
# ## language_and_image.used
#
# A token belongs to its text when no stop stands *before* it. A cumulative sum counts the stops up to and including the token; take the token itself off again.

# %%
def used(tokens, stop):
    is_stop = tokens == stop
    return is_stop.cumsum(1) - is_stop == 0


course.exercise("language_and_image.used", used)
rows = torch.randint(4, (50, 6), generator=g)
strictly = (rows == 3).cumsum(1) == 0
check("my mask = genlab's", used(rows.numpy(), 3), genlab_used(rows, 3).numpy(),
      unlike={"the stop itself left out": strictly})  # fmt: skip
