r"""Masked diffusion: noise that hides tokens, and a network that guesses all of them at once.

$$q(x_t^i \mid x_0^i):\ \text{hidden with probability } t, \qquad
-\log p(x_0) \le \int_0^1 \mathbb E\Big[\frac1t \sum_{i\ \text{hidden}}
-\log p_\theta(x_0^i \mid x_t)\Big] dt$$

Diffusion with a noise for words: time runs from the text at t = 0 to nothing at t = 1. Backwards,
each hidden token appears at a random moment, drawn from the network's guess; tokens that appear in
one step are drawn *independently*. One at a time this is an autoregressive model in a random order;
many at a time it is parallel, and the price is their dependence.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Sources: Austin et al. 2021 (arXiv:2107.03006), section 3.1 and appendix A.2.2 (absorbing state);
Sahoo et al. 2024 (arXiv:2406.07524), sections 3.2 to 3.5 (the weighted cross-entropy); Hoogeboom et
al. 2022 (arXiv:2110.02037), section 3 (any order).
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from genlab.core.tensors import (
    PerExample,
    expand,
    require_alike,
    require_between,
    require_finite,
    require_positive,
    sum_event,
)

Tokens: TypeAlias = Int[Tensor, " b *event"]
Filler: TypeAlias = Callable[[Tensor], Tensor]  # tokens (b, *event) to logits (b, *event, v)


def mask_tokens(x0: Tokens, t: PerExample, u: Tensor, *, mask: int) -> Tokens:
    r"""The noise: hide each token with probability t.

    $$x_t^i = \begin{cases}\text{mask} & u_i < t\\ x_0^i & \text{otherwise}\end{cases}$$

    Args:
        x0: tokens, `(b, *event)`.
        t: share hidden, `(b,)`, in [0, 1].
        u: uniform in [0, 1), like `x0`: the same u for two times hides *more* at the later one.
        mask: the token that means "hidden".

    Returns:
        Like `x0`.

    Raises:
        ValueError: t outside [0, 1].

    Example:
        >>> x0, u = torch.tensor([[5, 6, 7]]), torch.tensor([[0.1, 0.9, 0.4]])
        >>> mask_tokens(x0, torch.tensor([0.5]), u, mask=9)
        tensor([[9, 6, 9]])

    Source: Sahoo et al. 2024 (arXiv:2406.07524), section 3.1, with alpha = 1 - t.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    require_between(0, 1, t=t)
    _require_unmasked(x0, mask)
    return torch.where(u < expand(t, u), mask, x0)


def mask_count(x0: Tokens, count: Int[Tensor, " b"], u: Tensor, *, mask: int) -> Tokens:
    r"""The same noise with its luck removed: hide exactly `count` tokens, chosen at random.

    A count drawn evenly from 1..n hides like a time drawn evenly from (0, 1): both hide each set of
    m tokens with density $1/(m\binom nm)$ once weighted (`masked_nll`), and a count varies less.

    Args:
        x0: tokens, `(b, *event)`.
        count: how many of each, `(b,)`, in 0..n.
        u: uniform in [0, 1), like `x0`; the smallest ones are hidden.
        mask: the token that means "hidden".

    Returns:
        Like `x0`.

    Example:
        >>> x0, u = torch.tensor([[5, 6, 7]]), torch.tensor([[0.1, 0.9, 0.4]])
        >>> mask_count(x0, torch.tensor([1]), u, mask=9)
        tensor([[9, 6, 7]])

    Source: Hoogeboom et al. 2022 (arXiv:2110.02037), section 3.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    _require_unmasked(x0, mask)
    rank = u.flatten(1).argsort(1).argsort(1).reshape(x0.shape)
    return torch.where(rank < expand(count, rank), mask, x0)


def masked_nll(
    logits: Float[Tensor, " b *event v"], x0: Tokens, hidden: Bool[Tensor, " b *event"], t: Tensor
) -> PerExample:
    r"""One term of the bound: cross-entropy of the hidden tokens, weighted by 1/t.

    $$\ell = \frac1t \sum_{i\ \text{hidden}} -\log p_\theta(x_0^i \mid x_t)$$

    Averaged over an even t in (0, 1) and its masks it is at least $-\log p_\theta(x_0)$, with
    equality when the guesses are the conditionals of one joint law. Small t are rare news about few
    tokens, so each counts more: without the weight the sum is no bound on anything. Tokens in sight
    cost nothing: the process back never changes them.

    Args:
        logits: guesses, v values for each token; "hidden" is not among them.
        x0: tokens, `(b, *event)`.
        hidden: where $x_t$ shows the mask.
        t: share hidden, `(b,)`, in (0, 1]: the time, or count / n for `mask_count`.

    Returns:
        `(b,)` nats, summed over the event.

    Raises:
        ValueError: t outside (0, 1].

    Example:
        >>> hidden = torch.tensor([[True, False]])
        >>> masked_nll(torch.zeros(1, 2, 4), torch.tensor([[0, 3]]), hidden, torch.tensor([0.5]))
        tensor([2.7726])

    Source: Sahoo et al. 2024 (arXiv:2406.07524), section 3.5, with alpha = 1 - t.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    require_positive(t=t)
    require_between(0, 1, t=t)
    require_alike(x0=x0, hidden=hidden, logits=logits.shape[:-1])
    log_p = logits.log_softmax(-1).gather(-1, x0[..., None]).squeeze(-1)
    return sum_event(torch.where(hidden, -log_p, 0)) / t


def turns_log_prob(model: Filler, x0: Tokens, turn: Tokens, *, mask: int) -> PerExample:
    r"""Log-probability of tokens that appear in given turns, those of one turn independently.

    $$\log p(x_0 \mid \text{turns}) = \sum_k \sum_{i:\ \text{turn}_i = k}
      \log p_\theta(x_0^i \mid x_0^j,\ \text{turn}_j < k)$$

    Turns that are all different make an autoregressive model in that order. A sampler of K even
    steps gives each token a turn in 0..K-1, evenly and independently: the average of this over
    such turns is its bound, and the average of the exponential is its law.

    Args:
        model: tokens with some hidden to logits of all.
        x0: tokens, `(b, *event)`.
        turn: when each appears, like `x0`, from 0; one pass for each turn that occurs.
        mask: the token that means "hidden".

    Returns:
        `(b,)` nats, summed over the event.

    Raises:
        ValueError: a negative turn.

    Example:
        >>> even = lambda x: torch.zeros(*x.shape, 4)
        >>> turns_log_prob(even, torch.tensor([[0, 3]]), torch.tensor([[1, 0]]), mask=4).exp()
        tensor([0.0625])

    Source: Hoogeboom et al. 2022 (arXiv:2110.02037), eq. 2 and section 3.1 (several in parallel).
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    require_between(0, math.inf, turn=turn)
    _require_unmasked(x0, mask)
    total = torch.zeros(len(x0), device=x0.device)
    one = torch.ones(len(x0), device=x0.device)
    for k in sorted(
        set(turn.flatten().tolist())
    ):  # a turn in which nothing appears has nothing to add
        logits = model(torch.where(turn < k, x0, mask))
        total = total - masked_nll(logits, x0, turn == k, one)
    return total


def unmask_step(
    x_t: Tokens,
    logits: Float[Tensor, " b *event v"],
    u_when: Tensor,
    u_what: Tensor,
    t: float,
    s: float,
    *,
    mask: int,
) -> Tokens:
    r"""One step back, from share t hidden to share s: some hidden tokens appear.

    $$x_s^i = \begin{cases} x_t^i & \text{not hidden}\\
      \sim p_\theta(\cdot \mid x_t) & \text{hidden, with probability } (t-s)/t\\
      \text{mask} & \text{hidden, otherwise}\end{cases}$$

    Args:
        x_t: tokens, `(b, *event)`.
        logits: guesses for `x_t`.
        u_when: uniform in [0, 1), like `x_t`: which ones appear.
        u_what: uniform in [0, 1), like `x_t`: as what.
        t: share hidden now, in (0, 1].
        s: share hidden afterwards, in [0, t).
        mask: the token that means "hidden".

    Returns:
        Like `x_t`; nothing that was in sight has changed.

    Raises:
        ValueError: shares out of order.

    Example:
        >>> x, half = torch.tensor([[2, 9, 9]]), torch.tensor([[0.5, 0.2, 0.8]])
        >>> unmask_step(x, torch.zeros(1, 3, 4), half, half, 1.0, 0.5, mask=9)
        tensor([[2, 0, 9]])

    Source: Sahoo et al. 2024 (arXiv:2406.07524), section 3.2.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if not 0 <= s < t <= 1:
        raise ValueError(f"expected 0 <= s < t <= 1, got t = {t} and s = {s}")
    if 0 <= mask < logits.shape[-1]:
        raise ValueError(f"mask is {mask}, expected a number outside 0..{logits.shape[-1] - 1}")
    cumulative = logits.double().softmax(-1).cumsum(-1)
    threshold = u_what[..., None].to(cumulative) * cumulative[..., -1:]
    require_finite(**{"the softmax of the logits": cumulative[..., -1]})
    drawn = (cumulative <= threshold).sum(-1)
    appears = (x_t == mask) & (u_when < (t - s) / t)
    return torch.where(appears, drawn, x_t)


@torch.no_grad()
def masked_sample(
    model: Filler, x_T: Tokens, n_steps: int, *, mask: int, generator: Generator | None = None
) -> Iterator[Tokens]:
    r"""Sampler: from everything hidden to nothing, in even steps of one pass each.

    $$t: 1 \to \tfrac{K-1}K \to \dots \to \tfrac1K \to 0$$

    Args:
        model: tokens with some hidden to logits of all.
        x_T: where to start, usually the mask everywhere; what is in sight stays as it is.
        n_steps: K, at least 1; far fewer than tokens, or more.
        mask: the token that means "hidden".
        generator: source of the uniform numbers.

    Yields:
        States like `x_T`; in the last one nothing is hidden.

    Raises:
        ValueError: `n_steps` is below 1.

    Example:
        >>> even, hidden = lambda x: torch.zeros(*x.shape, 4), torch.full((1, 6), 4)
        >>> [int((x == 4).sum()) for x in masked_sample(even, hidden, 1, mask=4)]
        [0]

    Source: Sahoo et al. 2024 (arXiv:2406.07524), section 3.2.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if n_steps < 1:
        raise ValueError(f"n_steps must be at least 1, got {n_steps}")
    x = x_T
    for k in range(n_steps, 0, -1):
        u_when, u_what = torch.rand((2, *x.shape), dtype=torch.float64, generator=generator).to(
            x.device
        )
        x = unmask_step(x, model(x), u_when, u_what, k / n_steps, (k - 1) / n_steps, mask=mask)
        yield x


def _require_unmasked(x0: Tensor, mask: int) -> None:
    if not x0.is_meta and bool((x0 == mask).any()):
        raise ValueError(f"mask is {mask}, which x0 holds: expected a number that is no token")
