"""Exercises of lesson 02: autoregressive models."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


# 02.sequence-nll: from the conditionals that the model gave to the pieces that came
def _nll(conditionals: Sequence[float]) -> float:
    return -math.fsum(math.log(p) for p in conditionals)


# 02.causal-mask: which positions may the next-piece distribution at each position read?
def _mask(n: int, *, diagonal: int = 0) -> Array:
    return np.tril(np.ones((n, n)), diagonal)


# 02.top-p: the nucleus
def _nucleus(
    probs: Sequence[float], p: float, keep: Callable[[Array, float], NDArray[np.bool_]]
) -> Array:
    q = np.asarray(probs, dtype=np.float64)
    order = np.argsort(-q, kind="stable")
    kept = np.zeros(len(q))
    kept[order[keep(q[order], p)]] = 1.0
    kept *= q
    return np.asarray(kept / kept.sum())


def _until_reached(ordered: Array, p: float) -> NDArray[np.bool_]:
    return np.asarray(np.cumsum(ordered) - ordered < p)


def _without_crossing(ordered: Array, p: float) -> NDArray[np.bool_]:
    inside = np.cumsum(ordered) <= p
    inside[0] = True
    return np.asarray(inside)


def _top_p(probs: Sequence[float], p: float) -> Array:
    return _nucleus(probs, p, _until_reached)


def _top_p_unscaled(probs: Sequence[float], p: float) -> Array:
    q = np.asarray(probs, dtype=np.float64)
    return np.where(_top_p(probs, p) > 0, q, 0.0)


def _top_p_threshold(probs: Sequence[float], p: float) -> Array:
    q = np.asarray(probs, dtype=np.float64)
    kept = np.where(q >= p * q.max(), q, 0.0)
    return np.asarray(kept / kept.sum())


def _top_p_tail(probs: Sequence[float], p: float) -> Array:
    q = np.asarray(probs, dtype=np.float64)
    order = np.argsort(q, kind="stable")
    kept = np.zeros(len(q))
    kept[order[np.cumsum(q[order]) - q[order] < p]] = 1.0
    kept *= q
    return np.asarray(kept / kept.sum())


# 02.pairs: query-key pairs computed for a text of n tokens
def _pairs_naive(n: int) -> int:
    return sum(t * t for t in range(1, n + 1))


SEQUENCE_NLL = Exercise(
    id="02.sequence-nll",
    task="Negative log-likelihood, in nats, of a sequence whose pieces got these conditionals.",
    right=_nll,
    cases=(([0.3, 0.5, 0.4],), ([0.9],), ([0.25, 0.25],)),
    mistakes=Mistake.pairs(
        lambda c: _nll(c) / len(c),
        "you averaged over the pieces; the log of a product is a sum.",
        lambda c: -_nll(c),
        "the sign: a probability below 1 has a negative log.",
        lambda c: _nll(c) / math.log(2),
        "these are bits: you took logarithms to base 2, and nats were asked for.",
        lambda c: math.prod(c),
        "this is the joint probability itself, not its log.",
        lambda c: -math.log(math.fsum(c)),
        "you took the log of a sum; probabilities of successive pieces multiply.",
    ),
    hints="What does a logarithm make of a product?\n"
    "One term per piece; each is positive when the conditional is below 1.\n"
    "For the two pieces 0.25, 0.25 the joint is 1/16. How many nats is that, and how many per "
    "piece?",
)
PERPLEXITY = Exercise(
    id="02.perplexity",
    task="Perplexity of a text of n_tokens tokens with a total NLL of nll_nats.",
    right=lambda nll_nats, n_tokens: math.exp(nll_nats / n_tokens),
    cases=((2.813411, 3), (100.0, 50), (4.0875 * math.log(2), 1)),
    mistakes=Mistake.pairs(
        lambda nll, n: math.exp(nll),
        "you did not divide by the number of tokens: this is one over the joint "
        "probability of the whole text.",
        lambda nll, n: 2 ** (nll / n),
        "you mixed units: nats in the exponent of a 2.",
        lambda nll, n: math.exp(-nll / n),
        "upside down: this is the typical probability per token, below 1.",
        lambda nll, n: math.exp(nll) / n,
        "you divided after the exponential: the mean belongs in the exponent.",
        lambda nll, n: nll / n,
        "this is the mean NLL per token; perplexity counts choices, not nats.",
    ),
    hints="A uniform model over 17 levels must come out as 17.\n"
    "Perplexity is the reciprocal of the geometric mean of the conditionals.\n"
    "Write the geometric mean of n numbers with logarithms, then take one over it.",
)
CAUSAL_MASK = Exercise(
    id="02.causal-mask",
    task="An n x n array of 0 and 1: may the query at position i look at the key at j?",
    right=_mask,
    cases=((1,), (2,), (5,)),
    mistakes=Mistake.pairs(
        lambda n: _mask(n, diagonal=-1),
        "off by one: position 0 may look at nothing at all, and its softmax is 0 / 0. "
        "The input was already shifted by the begin token.",
        lambda n: _mask(n).T,
        "transposed: everybody looks at the future and never at the past.",
        lambda n: np.ones((n, n)),
        "everybody looks at everybody: a bidirectional encoder, not a language model.",
        lambda n: _mask(n, diagonal=1),
        "off by one the other way: each position sees the very token it must predict.",
        lambda n: np.eye(n),
        "every position looks at itself only: causal, but it has no memory.",
    ),
    hints="Row i is the query. Which columns lie in its past?\n"
    "The input at position i is the token before the one predicted there, so it may be read.\n"
    "numpy can make a lower triangle of ones; decide about its diagonal.",
)
TOP_P = Exercise(
    id="02.top-p",
    task="Probabilities after top-p: the smallest set of likeliest pieces that reaches p.",
    right=_top_p,
    cases=(
        ([0.5, 0.3, 0.2], 0.6),
        ([0.1, 0.4, 0.3, 0.2], 0.45),
        ([0.05, 0.9, 0.05], 0.5),
        ([0.1, 0.5, 0.25, 0.15], 0.8),  # no tie at the border, which the task leaves open
    ),
    mistakes=Mistake.pairs(
        lambda probs, p: _nucleus(probs, p, _without_crossing),
        "you dropped the piece that crosses the threshold; what is left does not reach p.",
        _top_p_unscaled,
        "right set, but what is left does not sum to 1.",
        _top_p_tail,
        "you collected from the unlikely end: this keeps the tail, not the nucleus.",
        _top_p_threshold,
        "you compared each probability with a fraction of the largest one (that is min-p); "
        "top-p compares the running total.",
    ),
    hints="Sort from likely to unlikely and add up as you go.\n"
    "A piece goes only if the pieces before it already reach p.\n"
    "Compute the running total without the piece itself, and keep where it is below p; then "
    "put the pieces back in their places and rescale.",
)
PAIRS = Exercise(
    id="02.pairs",
    task="Pairs (query, key) one attention layer computes to write n tokens, without a cache.",
    right=_pairs_naive,
    cases=((1,), (2,), (10,), (500,)),
    mistakes=Mistake.pairs(
        lambda n: sum(range(1, n + 1)),
        "this is the count *with* a cache: one query per token, against all keys so far.",
        lambda n: n * (n + 1) * (n + 2) / 6,
        "you counted the visible pairs only; a hidden pair is computed first, then masked.",
        lambda n: n * n,
        "this is the last pass alone; each of the passes before it cost something too.",
        lambda n: n**3,
        "you charged every pass the price of the last one; texts start short.",
        lambda n: _pairs_naive(n - 1),
        "off by one: the pass that writes token t reads t tokens, begin token included.",
    ),
    hints="The pass that writes token t reads t tokens (the begin token and t - 1 others).\n"
    "A pass over t tokens compares every query with every key, hidden pairs included.\n"
    "Add up t times t for t from 1 to n.",
    atol=0.5,
)

EXERCISES = bank(globals())
