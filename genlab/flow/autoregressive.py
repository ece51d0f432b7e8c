r"""Masked autoregressive flows: each number moved by what stands before it.

Give coordinate i parameters that read only the coordinates before it. The Jacobian is triangular,
so its determinant is the product of its diagonal. What the parameters read decides who is fast:

$$\text{MAF:}\quad x_i = \tau\big(z_i;\, \theta_i(x_{<i})\big), \qquad\qquad
\text{IAF:}\quad x_i = \tau\big(z_i;\, \theta_i(z_{<i})\big).$$

With all of $x$ given, MAF has every parameter after one network evaluation: one pass to score, d
passes to sample. IAF reads $z$: one pass to sample, d passes to score somebody else's x. Two
kernels say it all, `one_pass` and `sequential`; each flow uses one of them in each direction.

Papamakarios, Pavlakou and Murray 2017 (MAF, arXiv:1705.07057), eq. 3 to 5; Kingma et al. 2016 (IAF,
arXiv:1606.04934), eq. 10; Germain et al. 2015 (MADE, arXiv:1502.03509).
"""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.tensors import PerExample, last, sum_event
from genlab.flow.coupling import start_at_zero
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import Affine, Elementwise, Permutation, Transform
from genlab.nn.layers import MaskedMLP


def one_pass(
    move: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    conditioner: Callable[[Tensor], Tensor],
    a: Float[Tensor, " b d"],
) -> tuple[Float[Tensor, " b d"], PerExample]:
    r"""Move every coordinate at once, when what the parameters read is what we have.

    $$b_i = \tau(a_i; \theta_i(a_{<i})), \qquad
    \log|\det \partial b/\partial a| = \sum_i \log|\partial \tau/\partial a_i|$$

    $b$ and log|det db/da|, `(b,)`, nats; one evaluation of `conditioner`. Papamakarios et al. 2017,
    eq. 4 and 5; Kingma et al. 2016, eq. 10.
    """
    b, log_deriv = move(a, conditioner(a))
    return b, sum_event(log_deriv)


def sequential(
    move: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    conditioner: Callable[[Tensor], Tensor],
    a: Float[Tensor, " b d"],
) -> Iterator[tuple[Float[Tensor, " b d"], PerExample]]:
    r"""Move one coordinate at a time, when the parameters read the *result*.

    $$b_i = \tau(a_i; \theta_i(b_{<i})), \qquad i = 1, \dots, d$$

    After each of the d evaluations of `conditioner`: $b$, filled in up to coordinate i, and log|det
    db/da| so far, `(b,)`, nats. Papamakarios et al. 2017, eq. 3.
    """
    b, log_det = torch.zeros_like(a), a.new_zeros(a.shape[0])
    for i in range(a.shape[1]):
        b_i, log_deriv = move(a[:, i], conditioner(b)[:, i])
        b = torch.cat([b[:, :i], b_i[:, None], b[:, i + 1 :]], dim=1)  # not in place: autograd
        log_det = log_det + log_deriv
        yield b, log_det


class MAF(nn.Module):
    """Parameters read x: one network evaluation to score, d to sample."""

    def __init__(
        self, d: int, element: Elementwise, *, width: int = 64, depth: int = 2, d_cond: int = 0
    ) -> None:
        super().__init__()
        self.element = element
        self.conditioner = masked_conditioner(d, element, width, depth, d_cond)

    def forward(
        self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return x and log|det dx/dz|, `(b,)`; d network evaluations."""
        return last(sequential(self.element.forward, lambda x: self.conditioner(x, cond), z))

    def inverse(
        self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return z and log|det dz/dx|, `(b,)`; one network evaluation."""
        return one_pass(self.element.inverse, lambda x: self.conditioner(x, cond), x)


class IAF(nn.Module):
    """Parameters read z: one network evaluation to sample, d to score. Arguments as for `MAF`."""

    def __init__(
        self, d: int, element: Elementwise, *, width: int = 64, depth: int = 2, d_cond: int = 0
    ) -> None:
        super().__init__()
        self.element = element
        self.conditioner = masked_conditioner(d, element, width, depth, d_cond)

    def forward(
        self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return x and log|det dx/dz|, `(b,)`; one network evaluation."""
        return one_pass(self.element.forward, lambda z: self.conditioner(z, cond), z)

    def inverse(
        self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return z and log|det dz/dx|, `(b,)`; d network evaluations."""
        return last(sequential(self.element.inverse, lambda z: self.conditioner(z, cond), x))


def masked_conditioner(
    d: int, element: Elementwise, width: int, depth: int, d_cond: int
) -> MaskedMLP:
    """A MADE network whose parameters for coordinate i read coordinates before i only."""
    net = MaskedMLP(d, element.n_params, width=width, depth=depth, d_context=d_cond)
    start_at_zero(net)
    return net


def masked_flow(
    layer: type[MAF] | type[IAF],
    d: int,
    element: Elementwise | None = None,
    *,
    n_layers: int = 4,
    width: int = 64,
    d_cond: int = 0,
) -> Flow:
    """A standard normal pushed through `n_layers` of MAF or IAF, the order reversed in between."""
    layers: list[Transform] = []
    for _ in range(n_layers):
        layers.append(layer(d, element or Affine(), width=width, d_cond=d_cond))
        layers.append(Permutation(torch.arange(d).flip(0)))
    return Flow(StandardNormal((d,)), layers)
