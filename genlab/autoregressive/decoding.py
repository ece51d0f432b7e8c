r"""Decoding: logits reshaped and drawn from, token by token, with a key-value cache and without.

What the cache saves is counted in multiplications: n new positions, m of them cached before, take

$$C(n, m) = \underbrace{L\,n\,(2 d^2 + 2 d\, d_{kv} + 3 d\, d_h) + n\,d\,V}_{\text{per position}}
+ \underbrace{2 L\, d\, n\,(m + n)}_{\text{pairs: scores and averages}} .$$

(Shazeer 2019, arXiv:1911.02150, section 2; Pope et al. 2022, arXiv:2211.05102, section 2).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import Rng, draw, drawn, require_between
from genlab.nn.transformer import TransformerConfig

Reshape = Callable[[Tensor], Tensor]  # logits (b, k) to logits (b, k)
LogitsOf = Callable[[Tensor], Tensor]  # tokens (b, t) to logits (b, t, k) of what follows each
Extend = Callable[[Tensor, Any], tuple[Tensor, Any]]  # new tokens, cache: what follows, new cache


def apply_temperature(logits: Float[Tensor, " b k"], temperature: float) -> Tensor:
    r"""Sharpen (below 1) or flatten (above 1) a distribution.

    $$p_\tau(k) \propto p(k)^{1/\tau}, \qquad \text{that is } a_k \leftarrow a_k / \tau$$
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}; greedy is top_k = 1")
    return logits / temperature


def keep_top_k(logits: Float[Tensor, " *b k"], top_k: int) -> Tensor:
    """Keep exactly the k most likely tokens, of equal ones the first; 1 is greedy decoding.

    Fan et al. 2018 (arXiv:1805.04833), section 5.1.
    """
    require_between(1, math.inf, top_k=top_k)
    index = logits.argsort(dim=-1, descending=True, stable=True)[..., :top_k]
    dropped = torch.ones_like(logits, dtype=torch.bool).scatter(-1, index, False)
    return logits.masked_fill(dropped, -torch.inf)


def keep_top_p(logits: Float[Tensor, " *b k"], top_p: float) -> Tensor:
    r"""Keep the smallest set of most likely tokens whose probability reaches p (the nucleus).

    $$V = \{(1), \dots, (m)\}, \qquad m = \min\Big\{m : \sum_{j \le m} p_{(j)} \ge p\Big\}$$

    Holtzman et al. 2019 (arXiv:1904.09751), eqs. 2 and 3.
    """
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be in (0, 1], got {top_p}")
    if top_p == 1:
        return logits
    ordered, index = logits.sort(dim=-1, descending=True, stable=True)
    probs = ordered.softmax(dim=-1)
    before = probs.cumsum(dim=-1) - probs
    dropped = torch.zeros_like(logits, dtype=torch.bool).scatter(-1, index, before >= top_p)
    return logits.masked_fill(dropped, -torch.inf)


def reshape_logits(
    logits: Float[Tensor, " b k"],
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float = 1.0,
) -> Tensor:
    """Temperature first, then top-k, then top-p: the usual order."""
    logits = apply_temperature(logits, temperature)
    logits = logits if top_k is None else keep_top_k(logits, top_k)
    return keep_top_p(logits, top_p)


def _uniform(tokens: Tensor, generator: Rng) -> Tensor:
    where: dict[str, Any] = {"device": tokens.device, "generator": generator}
    return drawn(torch.rand, len(tokens), dtype=torch.float64, **where)


@torch.no_grad()
def generate_naive(
    logits_of: LogitsOf,
    tokens: Int[Tensor, " b t"],
    n_new: int,
    *,
    reshape: Reshape = reshape_logits,
    generator: Rng = None,
) -> Iterator[Tensor]:
    r"""Draw $x_{t+1} \sim p(\cdot \mid x_{\le t})$ in turn, reading the whole text for each."""
    require_between(0, math.inf, n_new=n_new)
    for k in range(n_new):
        logits = reshape(logits_of(tokens)[:, -1])
        new = draw(logits, _uniform(tokens, generator), check=k == 0)
        tokens = torch.cat([tokens, new[:, None]], dim=1)
        yield tokens


@torch.no_grad()
def generate_cached(
    extend: Extend,
    tokens: Int[Tensor, " b t"],
    n_new: int,
    *,
    reshape: Reshape = reshape_logits,
    generator: Rng = None,
) -> Iterator[Tensor]:
    """The same draws, reading each token once: only what is new goes through the network."""
    require_between(0, math.inf, n_new=n_new)
    unread, cache = tokens, ()
    for k in range(n_new):
        logits, cache = extend(unread, cache)
        new = draw(reshape(logits[:, -1]), _uniform(tokens, generator), check=k == 0)
        unread = new[:, None]
        tokens = torch.cat([tokens, unread], dim=1)
        yield tokens


class Written(NamedTuple):
    """Texts on their way: what has been read so far, and where each text has ended."""

    tokens: Int[Tensor, " b t"]  # with padding after the token that stopped
    states: Float[Tensor, " b t c"]  # zero at the padding
    stopped: Bool[Tensor, " b"]  # who have drawn the stop token


def used(tokens: Int[Tensor, " b t"], stop: int) -> Bool[Tensor, " b t"]:
    """Whether each token belongs to its text: up to the first `stop`, that one included."""
    ended = (tokens == stop).cumsum(1)
    return ended - (tokens == stop).long() == 0


@torch.no_grad()
def write_until(
    read: Extend,
    head: Callable[[Tensor], Tensor],
    prompt: Int[Tensor, " b t"],
    n_new: int,
    *,
    stop: int,
    pad: int = 0,
    reshape: Reshape = reshape_logits,
    generator: Rng = None,
) -> Iterator[Written]:
    """Continue texts until each has drawn `stop` (`pad` follows) or has `n_new` more tokens."""
    if prompt.size(1) == 0 or bool((prompt == stop).any()):
        raise ValueError("a prompt needs at least one token, and none that stops")
    require_between(0, math.inf, n_new=n_new)
    states, cache = read(prompt, ())
    tokens, stopped = prompt, torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    for k in range(n_new):
        u = _uniform(prompt, generator)
        new = draw(reshape(head(states[:, -1])), u, check=k == 0).masked_fill(stopped, pad)
        state, cache = read(new[:, None], cache)
        tokens = torch.cat([tokens, new[:, None]], 1)
        states = torch.cat([states, state.masked_fill(stopped[:, None, None], 0)], 1)
        stopped = stopped | (new == stop)
        yield Written(tokens, states, stopped)
        if bool(stopped.all()):
            return


def multiplications(config: TransformerConfig, n_tokens: int, n_new: int, n_past: int = 0) -> int:
    """Multiplications C(n, m) of one pass for one sequence, pairs that the mask hides included."""
    require_between(0, math.inf, n_new=n_new, n_past=n_past)
    d = config.d_model
    d_kv = d // config.n_head * config.n_kv_head
    n_mlp = 2 if config.gpt2 else 3
    per_position = 2 * d * d + 2 * d * d_kv + n_mlp * d * config.d_hidden
    pairs = n_new * (n_past + n_new)
    return config.n_layer * (n_new * per_position + 2 * d * pairs) + n_new * d * n_tokens


def naive_cost(config: TransformerConfig, n_tokens: int, n_prompt: int, n_new: int) -> list[int]:
    """Cost of each new token when the whole text is read again: C(t, 0), growing with t."""
    return [multiplications(config, n_tokens, n_prompt + j) for j in range(n_new)]


def cached_cost(config: TransformerConfig, n_tokens: int, n_prompt: int, n_new: int) -> list[int]:
    """Cost of each new token with a cache: the prompt once, then C(1, t - 1)."""
    first = multiplications(config, n_tokens, n_prompt)
    rest = [multiplications(config, n_tokens, 1, n_prompt + j - 1) for j in range(1, n_new)]
    return [first, *rest][:n_new]


def cache_numbers(config: TransformerConfig, n_positions: int) -> int:
    r"""Numbers that the cache holds for one sequence: $2 L\, d_{kv}$ per position."""
    d_kv = config.d_model // config.n_head * config.n_kv_head
    return 2 * config.n_layer * d_kv * n_positions


check_public(__name__)
