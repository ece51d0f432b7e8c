r"""Numbers as vectors: sinusoidal embeddings of time, rotary embeddings of position.

Both rest on the same ladder of frequencies
$\omega_k = \text{max\_period}^{-k/K}$, $k = 0, \dots, K-1$, from one turn per $2\pi$ steps down to
almost none. A network reads a time $t$ through $(\cos \omega_k t, \sin \omega_k t)$; attention
reads a position by *rotating* its queries and keys through the angles $\omega_k t$, so that their
inner product depends on the distance alone:

$$\langle R_m q, R_n k\rangle = \langle R_{m-n}\, q, k\rangle .$$

Lesson: notebooks/02_autoregressive.ipynb (RoPE), notebooks/12_diffusion_i.ipynb (time)
Sources: Vaswani et al. 2017 (arXiv:1706.03762), section 3.5; Su et al. 2021 (arXiv:2104.09864),
    eqs. 15 and 34.
"""

import math

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


def frequencies(n: int, max_period: float, like: Tensor) -> Float[Tensor, " n"]:
    r"""The geometric ladder $\omega_k = \text{max\_period}^{-k/n}$ for $k = 0..n-1$."""
    k = torch.arange(n, dtype=like.dtype, device=like.device)
    return torch.exp(-math.log(max_period) * k / n)


def time_embedding(
    t: Shaped[Tensor, " b"], dim: int, *, max_period: float = 10_000.0, scale: float = 1.0
) -> Float[Tensor, " b dim"]:
    r"""Sinusoidal embedding of a time or of a step index.

    $$e(t) = \big(\cos(\omega_k s t)\big)_k \,\Vert\, \big(\sin(\omega_k s t)\big)_k,
    \qquad k = 0, \dots, \tfrac{\text{dim}}{2} - 1$$

    Args:
        t: `(b,)` integers 0..T-1 (leave `scale` at 1) or reals in [0, 1] (use `scale=1000`).
        dim: even number of features.
        max_period: the slowest wave turns once in about `max_period` steps of `scale * t`.
        scale: what `t` is multiplied by first.

    Returns:
        `(b, dim)` in [-1, 1], cosines first; floating like `t`, or the default dtype.

    Raises:
        ValueError: `dim` is odd or below 2.

    Example:
        >>> time_embedding(torch.tensor([0.0]), 4)
        tensor([[1., 1., 0., 0.]])

    Source: Vaswani et al. 2017 (arXiv:1706.03762), section 3.5, with the cosines first, as in
        DDPM code, instead of alternating.
    Lesson: notebooks/12_diffusion_i.ipynb
    """
    if dim < 2 or dim % 2:
        raise ValueError(f"dim must be an even number of at least 2, got {dim}")
    t = t if t.is_floating_point() else t.to(torch.get_default_dtype())
    angles = (scale * t)[:, None] * frequencies(dim // 2, max_period, t)
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def rope_angles(
    positions: Int[Tensor, " t"], head_dim: int, like: Tensor, *, base: float = 10_000.0
) -> Float[Tensor, " t half"]:
    r"""Angle $m\,\omega_k$ of every position $m$ and frequency $k = 0..\text{head\_dim}/2 - 1$.

    Args:
        positions: `(t,)` absolute positions; with a cache they do not start at 0.
        head_dim: even size of one attention head.
        like: a tensor with the dtype and device wanted.
        base: the longest period, in units of $2\pi$ positions.

    Returns:
        `(t, head_dim // 2)` in radians.

    Raises:
        ValueError: `head_dim` is odd.

    Example:
        >>> rope_angles(torch.tensor([0, 3]), 4, torch.zeros(1), base=100.0)
        tensor([[0.0000, 0.0000],
                [3.0000, 0.3000]])
    """
    if head_dim % 2:
        raise ValueError(f"head_dim must be even for rotary positions, got {head_dim}")
    return positions.to(like.dtype)[:, None] * frequencies(head_dim // 2, base, like)


def rotate(x: Float[Tensor, " *b t d"], angles: Float[Tensor, " t half"]) -> Tensor:
    r"""Turn the pairs $(x_k, x_{k + d/2})$ of every vector through its position's angles.

    $$\begin{pmatrix} x_k' \\ x_{k+d/2}' \end{pmatrix} =
    \begin{pmatrix} \cos\theta_k & -\sin\theta_k \\ \sin\theta_k & \cos\theta_k \end{pmatrix}
    \begin{pmatrix} x_k \\ x_{k+d/2} \end{pmatrix}$$

    A rotation: lengths are kept, and the inner product of two rotated vectors depends on the
    difference of their positions only.

    Args:
        x: `(..., t, d)` queries or keys.
        angles: `(t, d // 2)` from `rope_angles`.

    Returns:
        Like `x`.

    Example:
        >>> x = torch.tensor([[1.0, 0.0]])
        >>> rotate(x, torch.tensor([[torch.pi / 2]])).round(decimals=6).abs()
        tensor([[0., 1.]])

    Source: Su et al. 2021 (arXiv:2104.09864), eq. 34, pairing the two *halves* of a vector, as
        Llama does, instead of its neighbours: the same map after a permutation of coordinates.
    Lesson: notebooks/02_autoregressive.ipynb
    """
    first, second = x.chunk(2, dim=-1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
