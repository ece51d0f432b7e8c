"""Exercises of the language model's lab: tokens, bits, the cache, positions."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]

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


# lm.merge: replace a pair, left to right
def _merge(tokens: list[int], pair: tuple[int, int], new: int) -> list[int]:
    out: list[int] = []
    i = 0
    while i < len(tokens):
        found = tuple(tokens[i : i + 2]) == tuple(pair)
        out.append(new if found else tokens[i])
        i += 2 if found else 1
    return out


_MERGES = (
    ([1, 1, 1, 2, 1, 1], (1, 1), 9),
    ([3, 4, 5, 3, 4, 4, 3], (3, 4), 9),
    ([5, 4, 3], (3, 4), 9),
)


def went_from_right_to_left(tokens, pair, new):
    out = []
    i = len(tokens)
    while i > 0:
        if tuple(tokens[max(i - 2, 0) : i]) == pair:
            out.append(new)
            i -= 2
        else:
            out.append(tokens[i - 1])
            i -= 1
    return out[::-1]


def replaced_the_first_only(tokens, pair, new):
    out = []
    i = 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            out.append(new)
            return out + tokens[i + 2 :]
        out.append(tokens[i])
        i += 1
    return out


def kept_the_second_half(tokens, pair, new):
    out = []
    i = 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            out.append(new)
            i += 1
        else:
            out.append(tokens[i])
            i += 1
    return out


def replaced_either_order(tokens, pair, new):
    out = []
    i = 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) in (pair, pair[::-1]):
            out.append(new)
            i += 2
        else:
            out.append(tokens[i])
            i += 1
    return out


MERGE = Exercise(
    id="lm.merge",
    right=_merge,
    cases=_MERGES,
    mistakes=Mistake.pairs(
        went_from_right_to_left,
        "You went from right to left: in 1 1 1 the first two are to be joined.",
        replaced_the_first_only,
        "You replaced the first occurrence only.",
        kept_the_second_half,
        "You kept the second half of the pair: after a replacement go on two further.",
        replaced_either_order,
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


# lm.rotate: scores of a new query against cached keys, as complex numbers
def _scores(q: Array, keys: Array, position: int, omega: float) -> Array:
    angle = omega * (position - np.arange(len(keys)))
    query, key = q[0] + 1j * q[1], keys[:, 0] - 1j * keys[:, 1]
    return np.asarray((query * key * np.exp(1j * angle)).real / math.sqrt(2))


_Q = np.array([0.7, -1.1])
_KEYS = np.array([[1.0, 0.2], [-0.4, 0.9], [0.3, -1.3], [0.8, 0.5]])


def left_the_query_at_zero(q, keys, position, omega):
    angle = omega * (0 - np.arange(len(keys)))
    query, key = q[0] + 1j * q[1], keys[:, 0] - 1j * keys[:, 1]
    return (query * key * np.exp(1j * angle)).real / math.sqrt(2)


def put_the_query_one_too_far(q, keys, position, omega):
    angle = omega * (position + 1 - np.arange(len(keys)))
    query, key = q[0] + 1j * q[1], keys[:, 0] - 1j * keys[:, 1]
    return (query * key * np.exp(1j * angle)).real / math.sqrt(2)


def rotated_nothing(q, keys, position, omega):
    query, key = q[0] + 1j * q[1], keys[:, 0] - 1j * keys[:, 1]
    return (query * key).real / math.sqrt(2)


def left_the_keys_at_zero(q, keys, position, omega):
    angle = omega * position
    query, key = q[0] + 1j * q[1], keys[:, 0] - 1j * keys[:, 1]
    return (query * key * np.exp(1j * angle)).real / math.sqrt(2)


def turned_the_wrong_way(q, keys, position, omega):
    angle = omega * (np.arange(len(keys)) - position)
    query, key = q[0] + 1j * q[1], keys[:, 0] - 1j * keys[:, 1]
    return (query * key * np.exp(1j * angle)).real / math.sqrt(2)


def did_not_divide_by_the_root(q, keys, position, omega):
    angle = omega * (position - np.arange(len(keys)))
    query, key = q[0] + 1j * q[1], keys[:, 0] - 1j * keys[:, 1]
    return (query * key * np.exp(1j * angle)).real


ROTATE = Exercise(
    id="lm.rotate",
    right=_scores,
    cases=((_Q, _KEYS, 4, 0.3), (_Q, _KEYS, 3, 1.1)),
    mistakes=Mistake.pairs(
        left_the_query_at_zero,
        "You left the query at position 0; with a cache it stands after all of the old ones.",
        put_the_query_one_too_far,
        "Your query stands one too far: positions count from 0.",
        rotated_nothing,
        "You rotated nothing: these scores do not know where anything stands.",
        left_the_keys_at_zero,
        "You rotated the query and left the keys where they were: every key at 0.",
        turned_the_wrong_way,
        "You turned the wrong way round: the angle grows with the position.",
        did_not_divide_by_the_root,
        "You forgot to divide by the root of the head's width, 2 here.",
    ),
)


def _top_p(probs: Sequence[float], p: float) -> Array:
    q = np.array(probs)
    order = np.argsort(-q, kind="stable")
    before = np.cumsum(q[order]) - q[order]
    kept = np.zeros(len(q))
    kept[order[before < p]] = q[order[before < p]]
    return np.asarray(kept / kept.sum())


def dropped_the_token_that_crosses(probs, p):
    q = np.array(probs)
    order = np.argsort(-q, kind="stable")
    inside = np.cumsum(q[order]) <= p
    inside[0] = True
    kept = np.zeros(len(q))
    kept[order[inside]] = q[order[inside]]
    return kept / kept.sum()


def did_not_normalise(probs, p):
    q = np.array(probs)
    order = np.argsort(-q, kind="stable")
    before = np.cumsum(q[order]) - q[order]
    kept = np.zeros(len(q))
    kept[order[before < p]] = q[order[before < p]]
    return kept


def collected_from_the_unlikely_end(probs, p):
    q = np.array(probs)
    order = np.argsort(q, kind="stable")
    before = np.cumsum(q[order]) - q[order]
    kept = np.zeros(len(q))
    kept[order[before < p]] = q[order[before < p]]
    return kept / kept.sum()


def compared_with_the_largest(probs, p):
    q = np.array(probs)
    kept = np.where(q >= p * q.max(), q, 0.0)
    return kept / kept.sum()


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
        dropped_the_token_that_crosses,
        "you dropped the token that crosses the threshold; what is left does not reach p.",
        did_not_normalise,
        "right set, but what is left does not sum to 1.",
        collected_from_the_unlikely_end,
        "you collected from the unlikely end: this keeps the tail, not the nucleus.",
        compared_with_the_largest,
        "you compared each probability with a fraction of the largest one (that is min-p); "
        "top-p compares the running total.",
    ),
)

EXERCISES = bank(globals())
