"""Exercises of the language model's lab: tokens, bits, the cache, positions."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


# lm.merge: replace a pair, left to right
def _merge(tokens: list[int], pair: tuple[int, int], new: int) -> list[int]:
    out: list[int] = []
    i = 0
    while i < len(tokens):
        found = tuple(tokens[i : i + 2]) == tuple(pair)
        out.append(new if found else tokens[i])
        i += 2 if found else 1
    return out


def _wrong_merge(
    tokens: list[int], pairs: list[tuple[int, ...]], new: int, *, most: int = 99, step: int = 2
) -> list[int]:
    out: list[int] = []
    i = 0
    while i < len(tokens):
        found = tuple(tokens[i : i + 2]) in pairs and most > 0
        out.append(new if found else tokens[i])
        i, most = i + (step if found else 1), most - found
    return out


_MERGES = (
    ([1, 1, 1, 2, 1, 1], (1, 1), 9),
    ([3, 4, 5, 3, 4, 4, 3], (3, 4), 9),
    ([5, 4, 3], (3, 4), 9),
)


# lm.top-p: the nucleus
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


# lm.rotate: scores of a new query against cached keys, as complex numbers
def _turned(q: Array, keys: Array, angles: object) -> Array:
    product = (q[0] + 1j * q[1]) * (keys[:, 0] - 1j * keys[:, 1]) * np.exp(1j * np.asarray(angles))
    return np.asarray(product.real / math.sqrt(2))


def _scores(q: Array, keys: Array, position: int, omega: float) -> Array:
    return _turned(q, keys, omega * (position - np.arange(len(keys))))


_Q = np.array([0.7, -1.1])
_KEYS = np.array([[1.0, 0.2], [-0.4, 0.9], [0.3, -1.3], [0.8, 0.5]])

BITS = Exercise(
    id="lm.bits",
    right=3.6 * 0.35 / math.log(2),
    mistakes=Mistake.pairs(
        3.6 / math.log(2),
        "You gave bits per token; a token here is nearly 3 bytes.",
        3.6 / math.log(2) / 0.35,
        "You turned the ratio round: a text has fewer tokens than bytes.",
        3.6 * 0.35 * math.log(2),
        "You multiplied by log 2: a bit is 0.69 nats, so there are more bits than nats.",
        math.exp(3.6),
        "You gave the perplexity, which depends on the tokenizer.",
    ),
)
MERGE = Exercise(
    id="lm.merge",
    right=_merge,
    cases=_MERGES,
    mistakes=Mistake.pairs(
        lambda tokens, pair, new: _merge(list(tokens)[::-1], (pair[1], pair[0]), new)[::-1],
        "You went from right to left: in 1 1 1 the first two are to be joined.",
        lambda tokens, pair, new: _wrong_merge(tokens, [pair], new, most=1),
        "You replaced the first occurrence only.",
        lambda tokens, pair, new: _wrong_merge(tokens, [pair], new, step=1),
        "You kept the second half of the pair: after a replacement go on two further.",
        lambda tokens, pair, new: _wrong_merge(tokens, [pair, pair[::-1]], new),
        "You replaced the pair in either order: (a, b) and (b, a) are different pairs.",
    ),
)
CACHE = Exercise(
    id="lm.cache",
    right=2 * 6 * 32 * 512 * 4,
    mistakes=(
        Mistake(2 * 6 * 160 * 512 * 4, "You kept keys for every query head; five share one here."),
        Mistake(6 * 32 * 512 * 4, "You kept the keys and forgot the values, or the reverse."),
        Mistake(2 * 32 * 512 * 4, "You counted one layer; each keeps its own."),
        Mistake(2 * 6 * 32 * 512, "You counted numbers; asked are bytes."),
        Mistake(2 * 6 * 32 * 512 * 512 * 4, "You kept a table of pairs; only rows are kept."),
    ),
    rtol=1e-9,
)
ROTATE = Exercise(
    id="lm.rotate",
    right=_scores,
    cases=((_Q, _KEYS, 4, 0.3), (_Q, _KEYS, 3, 1.1)),
    mistakes=Mistake.pairs(
        lambda q, keys, position, omega: _scores(q, keys, 0, omega),
        "You left the query at position 0; with a cache it stands after all of the old ones.",
        lambda q, keys, position, omega: _scores(q, keys, position + 1, omega),
        "Your query stands one too far: positions count from 0.",
        lambda q, keys, position, omega: _turned(q, keys, 0.0),
        "You rotated nothing: these scores do not know where anything stands.",
        lambda q, keys, position, omega: _turned(q, keys, omega * position),
        "You rotated the query and left the keys where they were: every key at 0.",
        lambda q, k, p, o: _turned(q, k, o * (np.arange(len(k)) - p)),
        "You turned the wrong way round: the angle grows with the position.",
        lambda q, keys, position, omega: _scores(q, keys, position, omega) * math.sqrt(2),
        "You forgot to divide by the root of the head's width, 2 here.",
    ),
)

TOP_P = Exercise(
    id="lm.top-p",
    right=_top_p,
    cases=(
        ([0.5, 0.3, 0.2], 0.6),
        ([0.1, 0.4, 0.3, 0.2], 0.45),
        ([0.05, 0.9, 0.05], 0.5),
        ([0.1, 0.5, 0.25, 0.15], 0.8),  # no tie at the border, which the task leaves open
    ),
    mistakes=Mistake.pairs(
        lambda probs, p: _nucleus(probs, p, _without_crossing),
        "you dropped the token that crosses the threshold; what is left does not reach p.",
        _top_p_unscaled,
        "right set, but what is left does not sum to 1.",
        _top_p_tail,
        "you collected from the unlikely end: this keeps the tail, not the nucleus.",
        _top_p_threshold,
        "you compared each probability with a fraction of the largest one (that is min-p); "
        "top-p compares the running total.",
    ),
)

EXERCISES = bank(globals())
