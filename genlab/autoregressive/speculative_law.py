r"""Speculative decoding without luck: every outcome of a round, with its exact probability.

$$\Pr(x_1 \dots x_i \text{ kept, then } y) = \prod_{j \le i} \min\big(p(x_j), q(x_j)\big) \cdot
(1 - \beta)\, p'(y)$$

The chances of all drafts, of keeping and of replacing are multiplied out. Summed over what may have
happened behind the scenes, the law of the text is p: an equality of tables, not of histograms.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Source: Leviathan, Kalman and Matias 2023 (arXiv:2211.17192), appendix A.1.
"""

import itertools
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from .speculative import acceptance, residual

Text = tuple[int, ...]
NextLaw = Callable[[Text], Tensor]  # a text to the law (v,) of its next token


def round_outcomes(p_of: NextLaw, q_of: NextLaw, k: int, start: Text = ()) -> dict[Text, float]:
    """Every text that one round can add, and how probable it is.

    Args:
        p_of: the target.
        q_of: the draft.
        k: tokens to draft.
        start: the text so far.

    Returns:
        New tokens, 1 to k + 1 of them, to probabilities that sum to 1.

    Example:
        >>> p, q = torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0])
        >>> round_outcomes(lambda text: p, lambda text: q, 1)
        {(1,): 0.5, (0, 0): 0.25, (0, 1): 0.25}

    Source: Leviathan et al. 2023 (arXiv:2211.17192), appendix A.1.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    p = p_of(start)
    if k == 0:
        return {(y,): float(p[y]) for y in range(len(p)) if p[y] > 0}
    q = q_of(start)
    lost, instead = 1 - acceptance(p, q), residual(p, q)
    found: dict[Text, float] = {
        (y,): float(lost * w) for y, w in enumerate(instead) if w > 0 and lost > 0
    }
    for x, both in enumerate(torch.minimum(p, q)):
        if both > 0:
            for rest, chance in round_outcomes(p_of, q_of, k - 1, (*start, x)).items():
                text = (x, *rest)
                found[text] = found.get(text, 0.0) + float(both) * chance
    return found


def completed_law(outcomes: Mapping[Text, float], p_of: NextLaw, n: int) -> Tensor:
    """Law of the first n tokens, when what a round left open is filled up by the target.

    Args:
        outcomes: of `round_outcomes` from an empty text.
        p_of: the target.
        n: at least as many tokens as the longest outcome has.

    Returns:
        Probabilities, n axes.
    """
    v = len(p_of(()))
    law = torch.zeros((v,) * n, dtype=torch.float64)
    for text, chance in outcomes.items():
        for rest in itertools.product(range(v), repeat=n - len(text)):
            weight, whole = chance, text
            for y in rest:
                weight, whole = weight * float(p_of(whole)[y]), (*whole, y)
            law[whole] += weight
    return law


def expected_length(outcomes: Mapping[Text, float]) -> float:
    """Tokens that a round adds on average."""
    return sum(len(text) * chance for text, chance in outcomes.items())
