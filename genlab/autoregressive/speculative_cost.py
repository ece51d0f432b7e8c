r"""What speculation saves, measured: rounds are counted while texts are written.

$$\frac{\text{tokens}}{\text{pass}} = \frac1R \sum_{r=1}^R (\text{kept}_r + 1)
\;\approx\; \frac{1 - a^{k+1}}{1 - a}$$

The formula supposes that each draft is kept with the same chance a, whatever came before. In a text
it is not: where one guess failed, the next is hard too. The measured number says by how much.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Source: Leviathan, Kalman and Matias 2023 (arXiv:2211.17192), eq. 1 and section 4.1.
"""

from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from .decoding import LogitsOf
from .speculative import expected_tokens
from .speculative_loop import Draft, speculative_sample


class Speculation(NamedTuple):
    """What a draft was worth."""

    first_kept: float  # a: share of rounds that kept their first drafted token
    tokens_per_pass: float  # of the target
    predicted: float  # tokens a pass by the formula, from `first_kept`

    @property
    def passes_per_token(self) -> float:
        """Passes of the target for each token; 1 is ordinary decoding."""
        return 1 / self.tokens_per_pass


def measure_speculation(
    logits_of: LogitsOf,
    draft: Draft,
    tokens: Int[Tensor, " b t"],
    n_new: int,
    *,
    k: int,
    generator: Generator | None = None,
) -> Speculation:
    """Continue texts, and count.

    Args:
        logits_of: the target.
        draft: proposes.
        tokens: the prompts.
        n_new: tokens to add to each.
        k: tokens to draft in a round, at least 1.
        generator: source of the uniform numbers.

    Returns:
        Shares over all rounds of all texts; a round is one pass of the target for one text.

    Raises:
        ValueError: nothing is drafted.

    Example:
        >>> from genlab.autoregressive.speculative_loop import draft_from
        >>> after = lambda x: 99.0 * torch.nn.functional.one_hot((x + 1) % 5, 5)
        >>> measure_speculation(after, draft_from(after), torch.tensor([[3]]), 8, k=3)
        Speculation(first_kept=1.0, tokens_per_pass=4.0, predicted=4.0)

    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    n_rounds, n_first, n_kept, end = 0, 0, 0, tokens.shape[1] + n_new
    length = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
    for step in speculative_sample(logits_of, draft, tokens, n_new, k=k, generator=generator):
        kept = step.kept[length < end]
        n_rounds += len(kept)
        n_first += int((kept > 0).sum())
        n_kept += int(kept.sum())
        length = step.length
    rate = n_first / n_rounds
    return Speculation(rate, 1 + n_kept / n_rounds, expected_tokens(rate, k))
