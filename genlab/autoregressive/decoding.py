r"""Decoding: how a sequence is drawn, one piece after another, from next-piece logits.

$$x_i \sim p(\cdot \mid x_{<i}), \qquad i = 1, \dots, n$$

Between the logits and the draw one may *reshape* the distribution: a temperature makes it sharper
or flatter, top-k and top-p cut its tail off. These are pure functions from logits to logits, and
what they sample from is no longer the model: quality is bought with diversity.

Two loops draw the sequence. `generate_naive` reads the whole text again for every piece;
`generate_cached` reads each piece once and keeps keys and values. Given the same random numbers
they produce the same pieces; only the work differs (see `genlab.autoregressive.kv_cache`).

Lesson: notebooks/02_autoregressive.ipynb
Sources: Fan, Lewis and Dauphin 2018 (arXiv:1805.04833), section 5.1 (top-k);
    Holtzman et al. 2019 (arXiv:1904.09751), section 3.1 (top-p).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.core.guards import require_alike, require_between, require_finite

Reshape = Callable[[Tensor], Tensor]  # logits (b, k) to logits (b, k)
LogitsOf = Callable[[Tensor], Tensor]  # tokens (b, t) to logits (b, t, k) of what follows each
Extend = Callable[[Tensor, Any], tuple[Tensor, Any]]  # new tokens and cache to the same, grown


def apply_temperature(logits: Float[Tensor, " b k"], temperature: float) -> Tensor:
    r"""Sharpen (below 1) or flatten (above 1) a distribution.

    $$p_\tau(k) \propto p(k)^{1/\tau}, \qquad \text{that is } a_k \leftarrow a_k / \tau$$

    At 1 nothing changes; towards 0 the most likely piece takes all, towards infinity all are equal.
    Applied at every step it does *not* give the joint distribution $p(x)^{1/\tau}$: each step is
    renormalised on its own.

    Args:
        logits: unnormalised log-probabilities.
        temperature: $\tau > 0$.

    Returns:
        Logits like the input.

    Raises:
        ValueError: the temperature is not positive (for greedy decoding use `keep_top_k(_, 1)`).

    Example:
        >>> apply_temperature(torch.tensor([[4.0, 1.0]]).log(), 0.5).softmax(-1)
        tensor([[0.9412, 0.0588]])

    Source: Ackley, Hinton and Sejnowski 1985 (Cognitive Science 9), eq. 3.
    Lesson: notebooks/02_autoregressive.ipynb
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}; greedy is top_k = 1")
    return logits / temperature


def keep_top_k(logits: Float[Tensor, " b k"], top_k: int) -> Tensor:
    r"""Keep the k most likely pieces and forbid the others.

    $$a_j \leftarrow -\infty \quad \text{unless } a_j \text{ is among the } k \text{ largest}$$

    Args:
        logits: unnormalised log-probabilities.
        top_k: how many to keep; more than there are keeps all. Ties at the border are all kept.

    Returns:
        Logits like the input, minus infinity where forbidden.

    Raises:
        ValueError: `top_k` is below 1.

    Example:
        >>> keep_top_k(torch.tensor([[0.5, 0.3, 0.2]]).log(), 2).softmax(-1)
        tensor([[0.6250, 0.3750, 0.0000]])

    Source: Fan, Lewis and Dauphin 2018 (arXiv:1805.04833), section 5.1.
    Lesson: notebooks/02_autoregressive.ipynb
    """
    if top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    border = logits.topk(min(top_k, logits.shape[-1]), dim=-1).values[..., -1:]
    return logits.masked_fill(logits < border, -torch.inf)


def keep_top_p(logits: Float[Tensor, " b k"], top_p: float) -> Tensor:
    r"""Keep the smallest set of most likely pieces whose probability reaches p (the nucleus).

    $$V = \{(1), \dots, (m)\}, \qquad m = \min\Big\{m : \sum_{j \le m} p_{(j)} \ge p\Big\}$$

    The piece that crosses the threshold belongs to the set: a piece is dropped only if those
    before it already reach p. So the most likely piece always stays.

    Args:
        logits: unnormalised log-probabilities.
        top_p: in (0, 1]; 1 keeps all.

    Returns:
        Logits like the input, minus infinity where forbidden.

    Raises:
        ValueError: `top_p` is outside (0, 1].

    Example:
        >>> keep_top_p(torch.tensor([[0.5, 0.3, 0.2]]).log(), 0.6).softmax(-1)
        tensor([[0.6250, 0.3750, 0.0000]])

    Source: Holtzman et al. 2019 (arXiv:1904.09751), eqs. 2 and 3.
    Lesson: notebooks/02_autoregressive.ipynb
    """
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    ordered, index = logits.sort(dim=-1, descending=True, stable=True)
    probs = ordered.softmax(dim=-1)
    before = probs.cumsum(dim=-1) - probs
    dropped = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, index, before >= top_p)
    return logits.masked_fill(dropped & (top_p < 1), -torch.inf)


def reshape_logits(
    logits: Float[Tensor, " b k"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> Tensor:
    """Temperature first, then top-k, then top-p: the usual order.

    Args:
        logits: unnormalised log-probabilities.
        temperature: positive; 1 changes nothing.
        top_k: pieces to keep; None keeps all.
        top_p: probability to keep, of what is left; 1 keeps all.

    Returns:
        Logits like the input.

    Example:
        >>> reshape_logits(torch.tensor([[0.5, 0.3, 0.2]]).log(), top_k=2, top_p=0.5).softmax(-1)
        tensor([[1., 0., 0.]])
    """
    logits = apply_temperature(logits, temperature)
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    return keep_top_p(logits, top_p)


def draw(logits: Float[Tensor, " b k"], u: Float[Tensor, " b"]) -> Int[Tensor, " b"]:
    r"""Draw one piece per row by inverting the cumulative distribution: the randomness comes in.

    $$x = \min\{j : p_0 + \dots + p_j > u\}$$

    Args:
        logits: unnormalised log-probabilities; minus infinity forbids a piece.
        u: `(b,)`, uniform in [0, 1).

    Returns:
        `(b,)` int64; piece j for a fraction $p_j$ of all u.

    Raises:
        ValueError: a row of logits holds NaN, plus infinity, or nothing but minus infinity; or
            there is not one u for each row.

    Example:
        >>> draw(torch.zeros(4, 4), torch.tensor([0.1, 0.3, 0.6, 0.9]))
        tensor([0, 1, 2, 3])

    Lesson: notebooks/02_autoregressive.ipynb
    """
    probs = logits.double().softmax(dim=-1)
    cumulative = probs.cumsum(dim=-1)
    require_alike(u=u, rows=logits.shape[:-1])
    require_finite(**{"the softmax of the logits": cumulative[..., -1]})
    # Scaling by the last sum (1 up to rounding) keeps u < 1 inside; forbidden pieces have width 0.
    threshold = u.to(cumulative)[..., None] * cumulative[..., -1:]
    return (cumulative <= threshold).sum(dim=-1)


def _uniform(tokens: Tensor, generator: Generator | None) -> Tensor:
    return torch.rand(len(tokens), dtype=torch.float64, device=tokens.device, generator=generator)


@torch.no_grad()
def generate_naive(
    logits_of: LogitsOf,
    tokens: Int[Tensor, " b t"],
    n_new: int,
    *,
    reshape: Reshape = reshape_logits,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    r"""Draw tokens one at a time, reading the whole text again for each.

    $$x_{t+1} \sim p(\cdot \mid x_{\le t})$$

    Args:
        logits_of: a causal model of whole sequences.
        tokens: `(b, t)` the prompts, at least one token each.
        n_new: how many tokens to add, not negative.
        reshape: changes the logits before each draw; as they are by default.
        generator: source of the uniform numbers, one per new token and sequence.

    Yields:
        `(b, t + 1)`, `(b, t + 2)`, ..., `(b, t + n_new)`.

    Example:
        >>> from genlab.core import last
        >>> after = lambda x: 99.0 * torch.nn.functional.one_hot((x + 1) % 5, 5)
        >>> last(generate_naive(after, torch.tensor([[3]]), 4))
        tensor([[3, 4, 0, 1, 2]])

    Lesson: notebooks/02_autoregressive.ipynb
    """
    require_between(0, math.inf, n_new=n_new)
    for _ in range(n_new):
        logits = reshape(logits_of(tokens)[:, -1])
        new = draw(logits, _uniform(tokens, generator))
        tokens = torch.cat([tokens, new[:, None]], dim=1)
        yield tokens


@torch.no_grad()
def generate_cached(
    extend: Extend,
    tokens: Int[Tensor, " b t"],
    n_new: int,
    *,
    reshape: Reshape = reshape_logits,
    generator: Generator | None = None,
) -> Iterator[Tensor]:
    r"""The same draws, reading each token once: only what is new goes through the network.

    $$(k_t, v_t) \text{ are functions of } x_{\le t}, \text{ so they never change once computed}$$

    Args:
        extend: a causal model with a cache, `extend(new_tokens, cache) -> (logits, cache)`.
        tokens: `(b, t)` the prompts, at least one token each.
        n_new: how many tokens to add.
        reshape: changes the logits before each draw; as they are by default.
        generator: source of the uniform numbers, one per new token and sequence.

    Yields:
        `(b, t + 1)`, `(b, t + 2)`, ..., `(b, t + n_new)`: equal to those of `generate_naive`.

    Example:
        >>> from genlab.core import last
        >>> after = lambda x, cache: (99.0 * torch.nn.functional.one_hot((x + 1) % 5, 5), ())
        >>> last(generate_cached(after, torch.tensor([[3]]), 4))
        tensor([[3, 4, 0, 1, 2]])

    Lesson: notebooks/02_autoregressive.ipynb
    """
    require_between(0, math.inf, n_new=n_new)
    unread, cache = tokens, ()
    for _ in range(n_new):
        logits, cache = extend(unread, cache)
        new = draw(reshape(logits[:, -1]), _uniform(tokens, generator))
        unread = new[:, None]
        tokens = torch.cat([tokens, unread], dim=1)
        yield tokens
