"""Masked autoregressive flows: each number moved by the numbers before it.

MAF = Papamakarios, Pavlakou and Murray 2017 (arXiv:1705.07057), eq. 3 to 5; IAF = Kingma et al.
2016 (arXiv:1606.04934), eq. 10.
"""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import last, require_between, require_positive, sum_event
from genlab.flow.coupling import start_at_zero
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import Affine, Elementwise, Move, Moved, Net, Permutation
from genlab.nn.layers import MaskedMLP


def one_pass(move: Move, conditioner: Net, a: Float[Tensor, " b d"]) -> Moved:
    r"""Move every coordinate at once, when the parameters read what is given (MAF, eq. 4 and 5).

    $$b_i = \tau(a_i; \theta_i(a_{<i})), \qquad
    \log|\det \partial b/\partial a| = \sum_i \log|\partial \tau/\partial a_i|$$
    """
    b, log_deriv = move(a, conditioner(a))
    return b, sum_event(log_deriv)


def sequential(move: Move, conditioner: Net, a: Float[Tensor, " b d"]) -> Iterator[Moved]:
    r"""Move one coordinate at a time, when the parameters read the *result* (MAF, eq. 3).

    $$b_i = \tau(a_i; \theta_i(b_{<i})), \qquad i = 1, \dots, d$$

    Yields $b$, filled in up to coordinate i, and log|det db/da| so far, nats.
    """
    b = torch.zeros_like(a)
    log_det = a.new_zeros(a.shape[0])
    for i in range(a.shape[1]):
        b_i, log_deriv = move(a[:, i], conditioner(b)[:, i])
        b = torch.cat([b[:, :i], b_i[:, None], b[:, i + 1 :]], dim=1)  # not in place: autograd
        log_det = log_det + log_deriv
        yield b, log_det


class _Masked(nn.Module):
    """A MADE network whose parameters for coordinate i read coordinates before i only."""

    def __init__(self, d: int, element: Elementwise, *, width: int = 64, d_cond: int = 0) -> None:
        super().__init__()
        self.element = element
        self.conditioner = MaskedMLP(d, element.n_params, width=width, d_context=d_cond)
        start_at_zero(self.conditioner)


class MAF(_Masked):
    """Parameters read x: one network evaluation to score, d to sample."""

    def forward(self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return last(sequential(self.element.forward, lambda x: self.conditioner(x, cond), z))

    def inverse(self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return one_pass(self.element.inverse, lambda x: self.conditioner(x, cond), x)


class IAF(_Masked):
    """Parameters read z: one network evaluation to sample, d to score."""

    def forward(self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return one_pass(self.element.forward, lambda z: self.conditioner(z, cond), z)

    def inverse(self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return last(sequential(self.element.inverse, lambda z: self.conditioner(z, cond), x))


def masked_flow(
    layer: type[MAF] | type[IAF], d: int, *, n_layers: int = 4, width: int = 64
) -> Flow:
    """A standard normal pushed through affine layers of MAF or IAF, the order reversed between."""
    require_positive(d=d, width=width)
    require_between(1, math.inf, n_layers=n_layers)
    layers: list[MAF | IAF | Permutation] = []
    for _ in range(n_layers):
        layers += [layer(d, Affine(), width=width), Permutation(torch.arange(d).flip(0))]
    return Flow(StandardNormal((d,)), layers)


check_public(__name__)
