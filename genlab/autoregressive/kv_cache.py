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
