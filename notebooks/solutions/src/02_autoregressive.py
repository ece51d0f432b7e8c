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
# # 02 · Autoregressive models: solutions
#
# Try each exercise first, and ask for its three hints. Every solution is followed by one check that the reply does not make.

# %%
import math

import numpy as np
import torch
import torch.nn.functional as F

import genlab_course as course
from genlab.core import make_generator
from genlab_course import check

course.begin(lesson=2)


# %% [markdown]
# **02.1, surprise of a word.** The log of a product is a sum, one term per token:
# $$-\log p(x_{1:n}) = -\sum_i \log p(x_i\mid x_{<i}).$$
# Nothing is divided by $n$: the probability of a longer text *is* smaller, and its NLL larger.

# %%
def sequence_nll(conditionals):
    return -sum(math.log(p) for p in conditionals)


course.exercise("02.sequence-nll", sequence_nll)
check(
    "DOG: sum of terms, log of the product",
    sequence_nll([0.3, 0.5, 0.4]),
    -math.log(0.3 * 0.5 * 0.4),
    unlike={"mean for sum": -np.log([0.3, 0.5, 0.4]).mean()},
)


# %% [markdown]
# **02.2, the loss.** Normalise over the last axis, pick the log-probability of the token that came, take the mean. PyTorch's `cross_entropy` does the same on a flat list of tokens.

# %%
def next_token_loss(logits, x):
    log_p = logits.log_softmax(-1)
    chosen = log_p.gather(-1, x[..., None])
    return -chosen.mean()


course.exercise("02.loss", next_token_loss)
logits = torch.randn(4, 6, 17, generator=make_generator(1))
x = torch.randint(17, (4, 6), generator=make_generator(2))
check(
    "my loss, PyTorch's cross-entropy",
    next_token_loss(logits, x),
    F.cross_entropy(logits.flatten(0, 1), x.flatten()),
    atol=1e-6,
    unlike={"shifted once more": next_token_loss(logits[:, :-1], x[:, 1:])},
)


# %% [markdown]
# **02.3, the mask.** Position $i$ of the *shifted* input holds $x_{i-1}$, which the prediction of $x_i$ may read. So a position sees itself and all before it: the lower triangle with its diagonal.

# %%
def causal_mask(n):
    return torch.ones(n, n).tril()


course.exercise("02.causal-mask", causal_mask)
check(
    "visible positions: 1, 2, ..., n",
    causal_mask(6).sum(1),
    torch.arange(1, 7),
    unlike={"without the diagonal": torch.ones(6, 6).tril(-1).sum(1)},
)


# %% [markdown]
# **02.4, read.** Compare all queries with all keys in one matrix product, hide the future *before* the softmax, and take the mean of the values. A hidden score must be $-\infty$, because a score of 0 would still get the weight $e^0$ before the division.

# %%
def read(q, k, v, mask):
    scores = q @ k.mT / math.sqrt(q.shape[-1])  # (b, h, t, t)
    scores = scores.masked_fill(~mask, -math.inf)
    weights = scores.softmax(dim=-1)  # each row adds up to 1
    return weights @ v  # (b, h, t, d)


course.exercise("02.read", read)
q, k, v = torch.randn(3, 2, 4, 6, 8, generator=make_generator(3))
mask = causal_mask(6) > 0
check(
    "my attention, PyTorch's",
    read(q, k, v, mask),
    F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
    atol=1e-6,
    unlike={"no mask": read(q, k, v, mask | True)},
)

# %% [markdown]
# **02.5, which may be trained?** (1) and (4). Without the mask (2) reads everything. Without the shift, position $i$ of (3) holds $x_i$ itself, and the diagonal of the mask lets it through. The window of (4) hides more than it must, and that is allowed.

# %%
trainable = [1, 4]
course.exercise("02.trainable", trainable)


# %% [markdown]
# **02.6, the sampler.** The network stood *outside* the loop, so every row was computed from the empty picture. And row $i-1$ is the distribution of token $i-1$. Inside the loop, read row $i$ of the picture as it is now.
# The check uses a network that is certain: each token is the one before it plus one.

# %%
@torch.no_grad()
def sample(network, x, start, generator):
    x = x.clone()
    for i in range(start, x.shape[1]):
        probs = network(x)[:, i].softmax(-1)
        x[:, i] = torch.multinomial(probs, 1, generator=generator)[:, 0]
    return x


def count_up(x):
    return 50.0 * F.one_hot(F.pad(x[:, :-1] + 1, (1, 0)) % 7, 7)


course.exercise("02.sampler", sample)
blank = torch.zeros(1, 7, dtype=torch.int64)
check(
    "a network that counts",
    sample(count_up, blank, 0, make_generator(1))[0],
    torch.arange(7),
    unlike={"decided on the empty picture": count_up(blank)[0].argmax(-1)},
)


# %% [markdown]
# **02.7, the cost.** The forward pass that draws token $t$, on $t$ positions, compares $t$ queries with $t$ keys. Adding up gives
# $$\sum_{t=1}^{n} t^2 = \frac{n(n+1)(2n+1)}{6},$$
# a third of $n^3$. With the cache it is one query per forward pass, $\sum_t t = n(n+1)/2$: the ratio is $(2n+1)/3$.

# %%
def pairs_without_cache(n):
    return sum(t * t for t in range(1, n + 1))


course.exercise("02.pairs", pairs_without_cache)
n = 500
visible_pairs = sum(t * (t + 1) // 2 for t in range(1, n + 1))
check(
    "sum and closed form",
    pairs_without_cache(n),
    n * (n + 1) * (2 * n + 1) // 6,
    unlike={"visible pairs only": visible_pairs},
)
