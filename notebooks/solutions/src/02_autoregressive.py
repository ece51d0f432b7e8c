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

import genlab_course as course
from genlab_course import check

course.begin(lesson=2)


# %% [markdown]
# **Exercise 1.** The log of a product is a sum, one term per piece:
# $$-\log p(x_{1:n}) = -\sum_i \log p(x_i\mid x_{<i}).$$
# Nothing is divided by $n$: the joint probability of a longer text *is* smaller, and its NLL larger.

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
# **Exercise 2.** Divide by the number of tokens, then exponentiate with the base of the logarithm that was used (nats: $e$). It is one over the geometric mean of the conditionals.

# %%
def perplexity(nll_nats, n_tokens):
    return math.exp(nll_nats / n_tokens)


course.exercise("02.perplexity", perplexity)
check(
    "DOG: one over the geometric mean",
    perplexity(sequence_nll([0.3, 0.5, 0.4]), 3),
    (0.3 * 0.5 * 0.4) ** (-1 / 3),
    unlike={"one over the arithmetic mean": 1 / np.mean([0.3, 0.5, 0.4])},
)


# %% [markdown]
# **Exercise 3.** Position $i$ of the *shifted* input holds $x_{i-1}$, which the prediction of $x_i$ may read. So a query sees its own position and all before it: the lower triangle with its diagonal.

# %%
def causal_attention_mask(n):
    return np.tril(np.ones((n, n)))


course.exercise("02.causal-mask", causal_attention_mask)
check(
    "visible keys per query: 1, 2, ..., n",
    causal_attention_mask(6).sum(1),
    np.arange(1, 7),
    unlike={"without the diagonal": np.tril(np.ones((6, 6)), -1).sum(1)},
)


# %% [markdown]
# **Exercise 4.** The pass that writes token $t$ compares $t$ queries with $t$ keys. Adding up gives
# $$\sum_{t=1}^{n} t^2 = \frac{n(n+1)(2n+1)}{6},$$
# a third of $n^3$. With the cache it is one query per pass, $\sum_t t = n(n+1)/2$: the ratio is $(2n+1)/3$.

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
check(
    "ratio to the cached count",
    pairs_without_cache(n) / sum(range(1, n + 1)),
    (2 * n + 1) / 3,
    unlike={"visible pairs only": visible_pairs / sum(range(1, n + 1))},
)


# %% [markdown]
# **Exercise 5.** Sort downwards and accumulate. A piece is dropped only if those *before* it already reach $p$, so the running total without the piece itself decides, and the piece that crosses the threshold stays. Then rescale.

# %%
def top_p_probs(probs, p):
    probs = np.asarray(probs, dtype=float)
    order = np.argsort(-probs, kind="stable")
    before = np.cumsum(probs[order]) - probs[order]
    kept = np.zeros_like(probs)
    kept[order[before < p]] = probs[order[before < p]]
    return kept / kept.sum()


course.exercise("02.top-p", top_p_probs)
check(
    "fair die, p = 0.49: three sides stay",
    top_p_probs(np.full(6, 1 / 6), 0.49),
    np.array([1, 1, 1, 0, 0, 0]) / 3,
    unlike={"the crossing piece dropped": np.isin(np.arange(6), [0, 1]) / 2},
)
