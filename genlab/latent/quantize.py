"""Discrete codes: the nearest entry of a codebook, rounded numbers, and gradients through both.

VQ = van den Oord, Vinyals and Kavukcuoglu 2017 (arXiv:1711.00937); FSQ = Mentzer, Minnen,
Agustsson and Tschannen 2023 (arXiv:2309.15505).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_finite, require_index


def straight_through(x: Float[Tensor, "*b"], y: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """The value of `y` with the gradient of `x` (Bengio et al. 2013, arXiv:1308.3432)."""
    return x + (y - x).detach()


def vector_quantize(
    x: Float[Tensor, "*b d"], codebook: Float[Tensor, " k d"]
) -> tuple[Float[Tensor, "*b d"], Int[Tensor, "*b"]]:
    r"""The entry of the codebook nearest to each vector, straight-through, and its index.

    $$i = \arg\min_k \lVert x - e_k\rVert, \qquad z = x + \mathrm{sg}(e_i - x)$$

    VQ, eq. 1 and 2. No gradient reaches the codebook: `codebook_loss` moves it.
    """
    require_finite(x=x, codebook=codebook)
    apart = torch.cdist(x.reshape(-1, x.shape[-1]), codebook)
    index = apart.argmin(1).reshape(x.shape[:-1])
    return straight_through(x, codebook[index]), index


def codebook_loss(
    x: Float[Tensor, "*b d"],
    codebook: Float[Tensor, " k d"],
    index: Int[Tensor, "*b"],
    *,
    commitment: float = 0.25,
) -> Float[Tensor, "*b"]:
    r"""What pulls the chosen entries to the vectors, and the vectors to them, summed over d.

    $$\lVert \mathrm{sg}(x) - e_i\rVert^2 + \beta\,\lVert x - \mathrm{sg}(e_i)\rVert^2$$

    VQ, eq. 3, its last two terms; $\beta$ is the commitment.
    """
    require_finite(x=x, codebook=codebook)
    require_index(len(codebook), index=index)
    chosen = codebook[index]
    pull = (x.detach() - chosen).square().sum(-1)
    return pull + commitment * (x - chosen.detach()).square().sum(-1)


def finite_scalar_quantize(
    x: Float[Tensor, "*b d"], levels: Sequence[int], *, eps: float = 1e-3
) -> Float[Tensor, "*b d"]:
    r"""Bound each number and round it to one of $L$ levels in [-1, 1], straight-through.

    $$z = \frac{\mathrm{round}\big(h\tanh(x + s) - o\big)}{\lfloor L/2\rfloor}, \qquad
      h = (1 + \epsilon)\,\frac{L - 1}2, \qquad \tanh s = \frac oh$$

    FSQ, section 3.1 and its appendix. The offset $o$ is a half for an even $L$, so that x = 0 lies
    where the nearest level is 0.
    """
    require_finite(x=x)
    half, offset, width = _grid(x, levels, eps)
    bounded = (x + (offset / half).atanh()).tanh() * half - offset
    return straight_through(bounded, bounded.round()) / width


def finite_scalar_index(z: Float[Tensor, "*b d"], levels: Sequence[int]) -> Int[Tensor, "*b"]:
    """Number each vector of levels, 0 to their product - 1; the first level counts fastest."""
    require_finite(z=z)
    _, _, width = _grid(z, levels, 0.0)
    digits = (z * width + width).round().long()
    size = torch.tensor(levels).to(z.device)
    return (digits * (size.cumprod(0) // size)).sum(-1)


def codebook_usage(index: Int[Tensor, "*b"], n_codes: int) -> Float[Tensor, ""]:
    r"""Perplexity of the codes, $e^{H}$: `n_codes` when all are used alike, 1 when only one is."""
    require_index(n_codes, index=index)
    p = torch.bincount(index.flatten(), minlength=n_codes) / index.numel()
    return torch.exp(-torch.xlogy(p, p).sum())


def _grid(x: Tensor, levels: Sequence[int], eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Half the range, the offset of even numbers of levels, and the width that divides."""
    if len(levels) != x.shape[-1] or min(levels) < 2:
        raise ValueError(f"expected {x.shape[-1]} numbers of levels, each 2 or more, got {levels}")
    require_between(0, 1, eps=eps)
    size = torch.tensor(levels).to(x.device)
    half = ((size - 1) * (1 + eps) / 2).to(x)
    return half, torch.where(size % 2 == 0, 0.5, 0.0).to(x), (size // 2).to(x)


check_public(__name__)
