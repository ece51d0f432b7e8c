r"""What the key-value cache saves, counted in multiplications instead of seconds.

One pass of a decoder over $n$ new positions, $m$ of them already cached, multiplies

$$C(n, m) = \underbrace{L\,n\,(2 d^2 + 2 d\, d_{kv} + 3 d\, d_h) + n\,d\,V}_{\text{per position}}
+ \underbrace{2 L\, d\, n\,(m + n)}_{\text{pairs: scores and averages}} .$$

Without a cache, token $t$ costs $C(t, 0)$: a text of $T$ tokens costs $O(T^2)$ positions and
$O(T^3)$ pairs. With it, token $t$ costs $C(1, t - 1)$: $O(T)$ positions, $O(T^2)$ pairs. The
price is memory: $2 L\, d_{kv}$ numbers for each position kept.

Lesson: notebooks/02_autoregressive.ipynb
Source: Shazeer 2019 (arXiv:1911.02150), section 2; Pope et al. 2022 (arXiv:2211.05102), section 2.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from genlab.core.tensors import require_alike, require_between, require_finite
from genlab.nn.transformer import TransformerConfig


def multiplications(config: TransformerConfig, n_tokens: int, n_new: int, n_past: int = 0) -> int:
    r"""Multiplications in the matrix products of one pass, for one sequence.

    $$C(n, m) = L\,n\,(2 d^2 + 2 d\, d_{kv} + 3 d\, d_h) + n\,d\,V + 2 L\,d\,n\,(m + n)$$

    Pairs that the mask hides are counted, since a plain implementation computes them too. A GELU
    MLP has two matrices where the gated one has three: $2\,d\,d_h$ instead of $3\,d\,d_h$.

    Args:
        config: the sizes $L$, $d$, $d_h$ and the heads; $d_{kv} = d\, h_{kv} / h$.
        n_tokens: size of the vocabulary $V$.
        n_new: positions read in this pass, $n$.
        n_past: positions whose keys and values are cached, $m$.

    Returns:
        An exact count.

    Raises:
        ValueError: a negative number of positions.

    Example:
        >>> config = TransformerConfig(d_model=4, n_layer=1, n_head=1, n_kv_head=1, d_hidden=8)
        >>> multiplications(config, n_tokens=10, n_new=1, n_past=2)
        224

    Lesson: notebooks/02_autoregressive.ipynb
    """
    if n_new < 0 or n_past < 0:
        raise ValueError(f"positions must not be negative, got n_new={n_new}, n_past={n_past}")
    d = config.d_model
    d_kv = d // config.n_head * config.n_kv_head
    n_mlp = 2 if config.gelu else 3
    per_position = 2 * d * d + 2 * d * d_kv + n_mlp * d * config.d_hidden
    pairs = n_new * (n_past + n_new)
    return config.n_layer * (n_new * per_position + 2 * d * pairs) + n_new * d * n_tokens


def naive_cost(config: TransformerConfig, n_tokens: int, n_prompt: int, n_new: int) -> list[int]:
    r"""Cost of each new token when the whole text is read again: $C(t, 0)$, growing with $t$.

    Args:
        config: the sizes.
        n_tokens: size of the vocabulary.
        n_prompt: tokens of the prompt, at least 1.
        n_new: tokens to generate.

    Returns:
        `n_new` counts; token j is drawn from a text of `n_prompt + j` tokens.

    Example:
        >>> config = TransformerConfig(d_model=4, n_layer=1, n_head=1, n_kv_head=1, d_hidden=8)
        >>> naive_cost(config, 10, n_prompt=1, n_new=3)
        [208, 432, 672]
    """
    return [multiplications(config, n_tokens, n_prompt + j) for j in range(n_new)]


def cached_cost(config: TransformerConfig, n_tokens: int, n_prompt: int, n_new: int) -> list[int]:
    r"""Cost of each new token with a cache: the prompt once, then $C(1, t - 1)$.

    Args:
        config: the sizes.
        n_tokens: size of the vocabulary.
        n_prompt: tokens of the prompt, at least 1.
        n_new: tokens to generate.

    Returns:
        `n_new` counts; the first one includes reading the prompt.

    Example:
        >>> config = TransformerConfig(d_model=4, n_layer=1, n_head=1, n_kv_head=1, d_hidden=8)
        >>> cached_cost(config, 10, n_prompt=1, n_new=3)
        [208, 216, 224]
    """
    first = multiplications(config, n_tokens, n_prompt)
    rest = [multiplications(config, n_tokens, 1, n_prompt + j - 1) for j in range(1, n_new)]
    return [first, *rest][:n_new]


def cache_numbers(config: TransformerConfig, n_positions: int) -> int:
    r"""Numbers that the cache holds for one sequence: $2 L\, d_{kv}$ per position.

    Args:
        config: the sizes; fewer key-value heads make it smaller.
        n_positions: positions kept.

    Returns:
        A count of numbers (times 4 bytes in single precision).

    Example:
        >>> config = TransformerConfig(d_model=64, n_layer=2, n_head=4, n_kv_head=1)
        >>> cache_numbers(config, 100)
        6400
    """
    d_kv = config.d_model // config.n_head * config.n_kv_head
    return 2 * config.n_layer * d_kv * n_positions


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


Read = Callable[[Tensor, Any], tuple[Tensor, Any]]  # new tokens and cache to states and cache
Head = Callable[[Tensor], Tensor]  # states (b, c) to logits (b, k)


class Written(NamedTuple):
    """Texts on their way: what has been read so far, and where each text has ended."""

    tokens: Int[Tensor, " b t"]  # with padding after the token that stopped
    states: Float[Tensor, " b t c"]  # zero at the padding
    stopped: Bool[Tensor, " b"]  # whose last word has been said


def used(tokens: Int[Tensor, " b t"], stop: int) -> Bool[Tensor, " b t"]:
    """Whether each token belongs to its text: up to the first `stop`, that one included.

    Args:
        tokens: texts.
        stop: the token that ends one.

    Returns:
        True for the text, False for what fills up the row.

    Example:
        >>> used(torch.tensor([[5, 9, 0, 9], [1, 2, 3, 4]]), 9).int().tolist()
        [[1, 1, 0, 0], [1, 1, 1, 1]]
    """
    ended = (tokens == stop).cumsum(1)
    return ended - (tokens == stop).long() == 0


@torch.no_grad()
def write_until(
    read: Read,
    head: Head,
    prompt: Int[Tensor, " b t"],
    n_new: int,
    *,
    stop: int,
    pad: int = 0,
    reshape: Reshape = reshape_logits,
    generator: Generator | None = None,
) -> Iterator[Written]:
    r"""Continue texts until each has drawn `stop`, or has `n_new` more tokens.

    $$x_{t+1} \sim p(\cdot \mid x_{\le t}) \text{ if } x_t \ne \text{stop},
    \qquad x_{t+1} = \text{pad} \text{ afterwards}$$

    Args:
        read: a causal network with a cache, `read(new_tokens, cache) -> (states, cache)`.
        head: from states to logits of the next token.
        prompt: `(b, t)`, at least one token each, without `stop`.
        n_new: how many tokens may be added.
        stop: ends a text.
        pad: fills up the rows of texts that have ended.
        reshape: changes the logits before each draw.
        generator: source of the uniform numbers, one per new token and text, ended ones included,
            so that a text does not depend on when its neighbours end.

    Yields:
        What has been written after each new token, its state included; no more once all have ended.

    Raises:
        ValueError: no prompt, or one that has ended already.

    Example:
        >>> read = lambda x, cache: (torch.nn.functional.one_hot((x + 1) % 5, 5).float(), ())
        >>> for written in write_until(read, lambda h: 99 * h, torch.tensor([[1], [2]]), 9, stop=4):
        ...     print(written.tokens.tolist())
        [[1, 2], [2, 3]]
        [[1, 2, 3], [2, 3, 4]]
        [[1, 2, 3, 4], [2, 3, 4, 0]]

    Lesson: notebooks/systems/language_and_image.ipynb
    """
    if prompt.shape[1] == 0 or bool((prompt == stop).any()):
        raise ValueError("a prompt needs at least one token, and none that stops")
    require_between(0, math.inf, n_new=n_new)
    states, cache = read(prompt, ())
    tokens, stopped = prompt, torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    for _ in range(n_new):
        u = torch.rand(len(prompt), dtype=torch.float64, generator=generator).to(prompt.device)
        new = draw(reshape(head(states[:, -1])), u).masked_fill(stopped, pad)
        state, cache = read(new[:, None], cache)
        tokens = torch.cat([tokens, new[:, None]], 1)
        states = torch.cat([states, state.masked_fill(stopped[:, None, None], 0)], 1)
        stopped = stopped | (new == stop)
        yield Written(tokens, states, stopped)
        if bool(stopped.all()):
            return
