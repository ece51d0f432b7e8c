r"""Rational-quadratic splines: a flexible monotone map with a closed-form inverse.

$$x = x^k + \frac{h^k\,[s\,\xi^2 + \delta^k\,\xi(1-\xi)]}
{s + [\delta^{k+1} + \delta^k - 2s]\,\xi(1-\xi)}, \qquad s = h^k / w^k, \quad \xi = (z - z^k)/w^k$$

Durkan, Bekasov, Murray and Papamakarios 2019 (arXiv:1906.04032), eq. 4 to 8 and appendix A.
"""

import math
from collections import namedtuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, softplus

from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_finite, require_positive

# The piece of the spline that holds one point: its left knot, size, mean slope and end slopes
Bin = namedtuple("Bin", "left bottom w h s d0 d1")


def find_bin(
    a: Float[Tensor, " *n"],
    widths: Float[Tensor, " *n k"],
    heights: Float[Tensor, " *n k"],
    slopes: Float[Tensor, " *n k+1"],
    *,
    by_height: bool,
) -> Bin:
    """Look up the piece that holds `a`, counted along z (or along x, `by_height`) from -B."""
    sizes = torch.stack([widths, heights], -2)
    right = torch.cumsum(sizes, -1) - sizes.sum(-1, keepdim=True) / 2
    k = (a[..., None] >= right[..., int(by_height), :-1]).sum(-1, keepdim=True)
    both = k[..., None].expand(*k.shape[:-1], 2, 1)
    w, h = sizes.gather(-1, both)[..., 0].unbind(-1)
    left, bottom = (right - sizes).gather(-1, both)[..., 0].unbind(-1)
    d0, d1 = slopes.gather(-1, torch.cat([k, k + 1], -1)).unbind(-1)
    return Bin(left, bottom, w, h, h / w, d0, d1)


def rq_spline_forward(
    z: Float[Tensor, " *n"],
    widths: Float[Tensor, " *n k"],
    heights: Float[Tensor, " *n k"],
    slopes: Float[Tensor, " *n k+1"],
) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""The spline $x$ and log|dx/dz|, not summed; the identity outside [-B, B] (eq. 4 and 5).

    $$\frac{dx}{dz} = \frac{s^2\,[\delta^{k+1}\xi^2 + 2 s\,\xi(1-\xi) + \delta^k(1-\xi)^2]}
    {(s + [\delta^{k+1} + \delta^k - 2 s]\,\xi(1-\xi))^2}$$
    """
    inside = ~(z.abs() >= widths.sum(-1) / 2)  # NaN is not outside, where it would vanish
    b = find_bin(torch.where(inside, z, 0.0), widths, heights, slopes, by_height=False)
    xi = (torch.where(inside, z, b.left) - b.left) / b.w
    below, log_slope = _rise(b, xi)
    x = b.bottom + b.h * below
    return torch.where(inside, x, z), torch.where(inside, log_slope, 0.0)


def rq_spline_inverse(
    x: Float[Tensor, " *n"],
    widths: Float[Tensor, " *n k"],
    heights: Float[Tensor, " *n k"],
    slopes: Float[Tensor, " *n k+1"],
) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""The root $\xi$ in [0, 1] of a quadratic, in the form that does not cancel (eq. 6 to 8).

    $$\xi = \frac{2c}{-b - \sqrt{b^2 - 4ac}}, \quad a = h(s - \delta^k) + \eta, \quad
    b = h\delta^k - \eta, \quad c = -s\,(x - x^k)$$

    with $\eta = (x - x^k)(\delta^{k+1} + \delta^k - 2s)$. Returns $z$ and log|dz/dx|, not summed.
    """
    inside = ~(x.abs() >= heights.sum(-1) / 2)
    k = find_bin(torch.where(inside, x, 0.0), widths, heights, slopes, by_height=True)
    rise = torch.where(inside, x, k.bottom) - k.bottom
    eta = rise * (k.d1 + k.d0 - 2 * k.s)
    a = k.h * (k.s - k.d0) + eta
    b = k.h * k.d0 - eta
    c = -k.s * rise
    xi = 2 * c / (-b - torch.sqrt((b**2 - 4 * a * c).clamp(min=0.0)))
    z = k.left + xi * k.w
    log_slope = _rise(k, xi)[1]
    return torch.where(inside, z, x), torch.where(inside, -log_slope, 0.0)


def _rise(b: Bin, xi: Tensor) -> tuple[Tensor, Tensor]:
    """How far up its bin the curve is at xi, from 0 to 1, and its log-slope."""
    rest = 1 - xi
    square = xi**2
    mixed = xi * rest
    denominator = b.s + (b.d1 + b.d0 - 2 * b.s) * mixed
    numerator = b.d1 * square + 2 * b.s * mixed + b.d0 * rest**2
    log_slope = torch.log(numerator * (b.s / denominator) ** 2)
    return (b.s * square + b.d0 * mixed) / denominator, log_slope


def spline_parameters(
    raw: Float[Tensor, " *n p"], bound: float, *, floor: float = 1e-3
) -> tuple[Float[Tensor, " *n k"], Float[Tensor, " *n k"], Float[Tensor, " *n k+1"]]:
    """Unconstrained numbers, 3 k - 1, to widths, heights and slopes; zeros give the identity."""
    n_bins, rest = divmod(raw.shape[-1] + 1, 3)
    if rest:
        raise ValueError(f"spline_parameters: {raw.shape[-1]} parameters, expected 3 k - 1")
    require_positive(bound=bound)
    require_between(0, 1 / n_bins, floor=floor)
    sizes, d = torch.split(raw, [2 * n_bins, n_bins - 1], dim=-1)
    shares = floor + (1 - floor * n_bins) * sizes.reshape(*sizes.shape[:-1], 2, n_bins).softmax(-1)
    widths, heights = (2 * bound * shares).unbind(-2)
    at_one = math.log(math.expm1(1 - floor))
    return widths, heights, pad(floor + softplus(d + at_one), (1, 1), value=1.0)


class RationalQuadratic:
    """The elementwise family of neural spline flows, for `Coupling` and the masked flows."""

    def __init__(self, n_bins: int = 8, bound: float = 4.0) -> None:
        require_between(1, math.inf, n_bins=n_bins)
        require_positive(bound=bound)
        require_finite(bound=bound)
        self.n_params, self.bound = 3 * n_bins - 1, bound

    def forward(
        self, z: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        return rq_spline_forward(z, *spline_parameters(params, self.bound))

    def inverse(
        self, x: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        return rq_spline_inverse(x, *spline_parameters(params, self.bound))


check_public(__name__)
