r"""The n-gram model: the autoregressive baseline that only counts.

$$p_k(x \mid c) = \frac{N(c, x) + T(c)\, p_{k-1}(x \mid c')}{N(c) + T(c)}, \qquad
p_{-1}(x) = \frac1V$$

The context $c$ is the last $k$ tokens and $c'$ the last $k - 1$; $N$ counts what was seen in
training and $T(c)$ how many different tokens followed $c$. A context seen often is trusted; one
that keeps being followed by something new passes the question on to the shorter context.

Lesson: notebooks/02_autoregressive.ipynb
Sources: Shannon 1948, section 3; Witten and Bell 1991 (IEEE Trans. Inf. Theory 37), method C, in
    the interpolated form of Chen and Goodman 1996 (arXiv:cmp-lg/9606011), section 2.
"""

from typing import final

import torch
from jaxtyping import Float, Int
from torch import Tensor


def _lookup(table: Tensor, values: Tensor, keys: Tensor) -> Tensor:
    """Values of `keys` in a sorted table, 0 where a key is missing."""
    place = torch.searchsorted(table, keys).clamp(max=len(table) - 1)
    return torch.where(table[place] == keys, values[place], torch.zeros_like(values[place]))


@final
class NGram:
    r"""Counts of a token stream, for all context lengths up to `order`.

    Args:
        tokens: `(n,)` training stream, longer than `order`.
        n_tokens: size of the vocabulary $V$.
        order: longest context, 0 for a model of single tokens.

    Raises:
        ValueError: `order` is negative, the stream too short, or a context needs over 63 bits.

    Example:
        >>> model = NGram(torch.tensor([0, 1, 0, 1, 0, 1, 0]), n_tokens=2, order=1)
        >>> model.token_log_probs(torch.tensor([0, 1]))[1].exp()
        tensor(0.8611, dtype=torch.float64)

    Source: Chen and Goodman 1996 (arXiv:cmp-lg/9606011), section 2.
    """

    def __init__(self, tokens: Int[Tensor, " n"], n_tokens: int, order: int) -> None:
        if order < 0 or len(tokens) <= order:
            raise ValueError(f"order must be in 0..{len(tokens) - 1}, got {order}")
        if n_tokens ** (order + 1) >= 2**63:
            raise ValueError(f"{n_tokens} ** {order + 1} contexts do not fit in 63 bits")
        self.n_tokens, self.order = n_tokens, order
        self.tables = [self._count(tokens, k) for k in range(order + 1)]

    def _keys(self, tokens: Tensor, k: int) -> Tensor:
        """Every run of k + 1 tokens as one number, the last token as its lowest digit."""
        runs = tokens.unfold(0, k + 1, 1)
        return (runs * self.n_tokens ** torch.arange(k, -1, -1)).sum(-1)

    def _count(self, tokens: Tensor, k: int) -> tuple[Tensor, ...]:
        runs, n_runs = torch.unique(self._keys(tokens, k), return_counts=True)
        contexts, first = torch.unique(runs // self.n_tokens, return_inverse=True)
        kinds = torch.bincount(first)
        n_contexts = torch.zeros_like(kinds).index_add(0, first, n_runs)
        return runs, n_runs, contexts, n_contexts, kinds

    def token_log_probs(self, tokens: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
        """Log-probability of every token of a stream given those before it, nats.

        The first tokens have shorter contexts. Summed, this is the exact log-probability.
        """
        probs = torch.full(tokens.shape, 1 / self.n_tokens, dtype=torch.float64)
        for k, (runs, n_runs, contexts, n_contexts, kinds) in enumerate(self.tables):
            if len(tokens) <= k:
                break
            keys = self._keys(tokens, k)
            seen = _lookup(contexts, n_contexts, keys // self.n_tokens)
            novel = _lookup(contexts, kinds, keys // self.n_tokens)
            mixed = (_lookup(runs, n_runs, keys) + novel * probs[k:]) / (seen + novel).clamp(min=1)
            probs[k:] = torch.where(seen > 0, mixed, probs[k:])
        return probs.log()
