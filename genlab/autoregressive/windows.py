r"""Scoring a text that is longer than the context: windows that overlap.

$$\log p(x_{1:n}) \approx \sum_{i=1}^n \log p\big(x_i \mid x_{s(i)}, \dots, x_{i-1}\big), \qquad
i - s(i) \ge \min(i - 1,\ c - s)$$

A window of $c$ tokens moves on by the stride $s$. Each token is scored once, in the first window
that reaches it, so it sees at least $c - s$ tokens before it. A stride of $c$ cuts the text into
blocks whose first tokens see nothing; a stride of 1 gives each the longest context and costs $c$
times as much. Every choice is the exact likelihood of *some* causal model of the whole text, so
bits measured with it are bits that a compressor could reach.

Lesson: notebooks/systems/language_model.ipynb
Source: Baevski and Auli 2019 (arXiv:1809.10853), section 4.4 (context windows that overlap).
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.autoregressive.chain_rule import token_log_probs

LogitsOf = Callable[[Tensor], Tensor]  # tokens (b, t) to logits (b, t, k) *of* those tokens


def overlapping_windows(n: int, context: int, stride: int) -> Iterator[tuple[int, int, int]]:
    r"""Where windows begin and end, and which of their tokens are new.

    Args:
        n: tokens of the text, at least 1.
        context: tokens of a window, $c$.
        stride: new tokens in each window after the first, 1..c.

    Yields:
        (begin, first new, end): the window is `begin:end`, and `first:end` is to be scored.

    Raises:
        ValueError: a stride outside 1..context, or an empty text.

    Example:
        >>> list(overlapping_windows(10, 6, 3))
        [(0, 0, 6), (3, 6, 9), (4, 9, 10)]
    """
    if not 1 <= stride <= context or n < 1:
        raise ValueError(f"need 1 <= stride <= context and a text, got {stride}, {context}, n={n}")
    end = min(context, n)
    yield 0, 0, end
    while end < n:
        first, end = end, min(end + stride, n)
        yield end - context, first, end


@torch.no_grad()
def windowed_log_probs(
    logits_of: LogitsOf, x: Int[Tensor, " n"], context: int, stride: int
) -> Float[Tensor, " n"]:
    r"""Log-probability of each token of a long text, each scored once.

    $$\ell_i = \log p\big(x_i \mid x_{s(i)}, \dots, x_{i-1}\big)$$

    Args:
        logits_of: a causal model; row i of its answer is computed from the tokens before i.
        x: one text.
        context: longest window that the model can read.
        stride: new tokens for each window after the first.

    Returns:
        `(n,)`, nats, at most 0; their sum is the log-probability of the text.

    Raises:
        ValueError: as `overlapping_windows`.

    Example:
        >>> uniform = lambda x: torch.zeros(*x.shape, 4)
        >>> windowed_log_probs(uniform, torch.arange(4), 2, 1).sum().exp() * 4**4
        tensor(1.)

    Source: Baevski and Auli 2019 (arXiv:1809.10853), section 4.4.
    Lesson: notebooks/systems/language_model.ipynb
    """
    parts = []
    for begin, first, end in overlapping_windows(len(x), context, stride):
        window = x[None, begin:end]
        parts.append(token_log_probs(logits_of(window), window)[0, first - begin :])
    return torch.cat(parts)
