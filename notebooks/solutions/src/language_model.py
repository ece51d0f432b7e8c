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
# # System 1 · A language model: worked solutions
#
# Try each exercise of the lab first; `course.hint("lm.bits")` gives three hints, one at a time.

# %%
import math

import numpy as np
import torch

import genlab_course as course
from genlab.autoregressive import likelihood
from genlab.autoregressive.tokens import merge as genlab_merge
from genlab_course import check
from genlab.nn.attention import attention_weights
from genlab.nn.layers import rope_angles, rotate
from genlab.nn.transformer import Transformer, TransformerConfig

course.begin("language_model")
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## lm.bits
#
# The whole text costs $3{,}500 \times 3.6 = 12{,}600$ nats. A bit is $\log 2$ nats, and the text has 10,000 bytes.

# %%
bits_per_byte = 3500 * 3.6 / math.log(2) / 10_000
course.exercise("lm.bits", bits_per_byte)
log_prob = torch.tensor(-3.6 * 3500)
check("by genlab", bits_per_byte, likelihood.bits_per_byte(log_prob, 10_000),
      unlike={"bits per token": likelihood.bits_per_byte(log_prob, 3500)})  # fmt: skip


# %% [markdown]
# ## lm.merge
#
# Look at two tokens, step by two after a replacement and by one otherwise. In `1 1 1` that joins the first two: the third finds no
# partner left of it.

# %%
def merge(tokens, pair, new):
    out, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            out.append(new)
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


course.exercise("lm.merge", merge)
tokens = torch.randint(3, (500,), generator=torch.Generator().manual_seed(0)).tolist()
mine = merge(tokens, (1, 1), 9)
backwards = merge(tokens[::-1], (1, 1), 9)[::-1]
check("500 random tokens, as genlab merges them", mine, genlab_merge(tokens, (1, 1), 9), unlike={"from right to left": backwards})

# %% [markdown]
# ## lm.cache
#
# A key and a value ($2$) in each of 6 layers, for the one key-value head of width $160/5 = 32$, at 512 positions, 4 bytes each. The
# second route fills the cache of such a model and weighs it.

# %%
cache_bytes = 2 * 6 * 32 * 512 * 4
course.exercise("lm.cache", cache_bytes)
config = TransformerConfig(d_model=160, n_layer=6, n_head=5, n_kv_head=1, d_hidden=32)
net = Transformer(10, config).float()
with torch.no_grad():
    _, cache = net.extend(torch.zeros(1, 512, dtype=torch.int64))
check("weighed", cache_bytes, sum(a.numel() * a.element_size() for kv in cache for a in kv[:2]),
      unlike={"keys alone": sum(kv.k.numel() * kv.k.element_size() for kv in cache)})  # fmt: skip


# %% [markdown]
# ## lm.rotate
#
# Only the distance enters: turn the query through $\omega\,(\text{position} - m)$, take the inner product with key $m$, divide by the root of
# the width. The second route rotates query and keys by their own angles, as the model does.

# %%
def scores(q, keys, position, omega):
    angle = omega * (position - np.arange(len(keys)))
    turned = np.stack(
        [q[0] * np.cos(angle) - q[1] * np.sin(angle), q[0] * np.sin(angle) + q[1] * np.cos(angle)], 1
    )
    return (turned * keys).sum(1) / math.sqrt(2)


course.exercise("lm.rotate", scores)
g = torch.Generator().manual_seed(1)
q, keys = torch.randn(1, 2, generator=g), torch.randn(6, 2, generator=g)
angles = rope_angles(torch.arange(6), 2, q)  # a head of width 2 has one frequency, 1
rotated_q, rotated_k = rotate(q, rope_angles(torch.tensor([6]), 2, q)), rotate(keys, angles)
by_genlab = attention_weights(rotated_q[None, None], rotated_k[None, None])[0, 0, 0]
mine = torch.tensor(scores(q[0].numpy(), keys.numpy(), 6, 1.0)).softmax(0)
other_way = torch.tensor(scores(q[0].numpy(), keys.numpy(), 6, -1.0)).softmax(0)
check("attention weights, by genlab", mine, by_genlab, unlike={"turned the other way": other_way})


# %% [markdown]
# ## lm.top-p
#
# Sort downwards and add up. A token goes only if those *before* it already reach $p$, so the running total without the token itself decides, and the token that crosses the threshold stays. Then rescale.

# %%
def top_p_probs(probs, p):
    probs = np.asarray(probs, dtype=float)
    order = np.argsort(-probs, kind="stable")
    before = np.cumsum(probs[order]) - probs[order]
    kept = np.zeros_like(probs)
    kept[order[before < p]] = probs[order[before < p]]
    return kept / kept.sum()


course.exercise("lm.top-p", top_p_probs)
check("fair die, p = 0.49: three sides stay", top_p_probs(np.full(6, 1 / 6), 0.49), np.array([1, 1, 1, 0, 0, 0]) / 3,
      unlike={"the crossing token dropped": np.isin(np.arange(6), [0, 1]) / 2})  # fmt: skip
