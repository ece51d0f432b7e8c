"""Coupling layers: half of the numbers stay, and tell the other half how to move.

NICE = Dinh, Krueger and Bengio 2014 (arXiv:1410.8516), eq. 5 to 7; RealNVP = Dinh, Sohl-Dickstein
and Bengio 2016 (arXiv:1605.08803), eq. 4 to 8.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import require_between, require_positive, sum_event
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import Affine, Elementwise, Move, Moved, Net, Shift
from genlab.nn.layers import MLP


def couple(
    move: Move,
    conditioner: Net,
    a: Float[Tensor, " b d"],
    stays: Bool[Tensor, " d"],
    cond: Float[Tensor, " b c"] | None = None,
) -> Moved:
    r"""One coupling layer, in either direction: `move` is $\tau$ to sample, $\tau^{-1}$ to score.

    $$b_A = a_A, \quad b_B = \tau(a_B; \theta(a_A)), \qquad
    \log|\det \partial b/\partial a| = \sum_{i \in B} \log|\tau'_i|$$

    Returns $b$ and log|det db/da|, nats (RealNVP, eq. 4 to 8).
    """
    a_A = a[:, stays]
    a_B = a[:, ~stays]
    read = a_A if cond is None else torch.cat([a_A, cond], dim=1)
    b_B, log_deriv = move(a_B, conditioner(read).reshape(*a_B.shape, -1))
    b = a.clone()
    b[:, ~stays] = b_B
    return b, sum_event(log_deriv)


def alternating_mask(d: int, parity: int = 0) -> Bool[Tensor, " d"]:
    """Every other coordinate stays; the next layer, of other parity, moves those."""
    require_positive(d=d)
    return torch.arange(d) % 2 == parity % 2


class Coupling(nn.Module):
    """A coupling layer of any elementwise family; starts out with all its parameters at zero."""

    stays: Tensor

    def __init__(
        self, stays: Bool[Tensor, " d"], element: Elementwise, *, width: int = 64, d_cond: int = 0
    ) -> None:
        super().__init__()
        n_stay = int(stays.sum())
        n_move = int((~stays).sum())
        if n_stay == 0 or n_move == 0:
            raise ValueError(f"Coupling: {n_stay} stay and {n_move} move, expected at least 1 each")
        self.register_buffer("stays", stays)
        self.element = element
        self.conditioner = MLP(n_stay + d_cond, n_move * element.n_params, width, 2)
        start_at_zero(self.conditioner)

    def forward(self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return couple(self.element.forward, self.conditioner, z, self.stays, cond)

    def inverse(self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return couple(self.element.inverse, self.conditioner, x, self.stays, cond)


def start_at_zero(net: nn.Module) -> None:
    """Set the last layer of a conditioner to zero, so that the flow starts out simple."""
    *_, last_layer = (m for m in net.modules() if isinstance(m, nn.Linear))
    nn.init.zeros_(last_layer.weight)
    nn.init.zeros_(last_layer.bias)


def coupling_flow(
    d: int, element: Elementwise, *, n_layers: int = 6, width: int = 64, d_cond: int = 0
) -> Flow:
    """A standard normal pushed through `n_layers` couplings of one family, halves alternating."""
    require_between(1, math.inf, n_layers=n_layers)
    masks = [alternating_mask(d, k) for k in range(n_layers)]
    layers = [Coupling(stays, element, width=width, d_cond=d_cond) for stays in masks]
    return Flow(StandardNormal((d,)), layers)


def nice(d: int, *, n_layers: int = 6, width: int = 64) -> Flow:
    """Additive couplings: NICE without its final scaling layer, so that volume is preserved."""
    return coupling_flow(d, Shift(), n_layers=n_layers, width=width)


def real_nvp(d: int, *, n_layers: int = 6, width: int = 64) -> Flow:
    """RealNVP on vectors: affine couplings."""
    return coupling_flow(d, Affine(), n_layers=n_layers, width=width)


check_public(__name__)
