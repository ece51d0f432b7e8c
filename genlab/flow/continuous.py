r"""Continuous flows: infinitely many infinitely small layers.

Let a velocity carry the points, $\frac{dx_t}{dt} = v(x_t, t)$, from the base at $t = 1$ to the data
at $t = 0$. A step of length $h$ multiplies volume by $\det(I + h\,\partial v/\partial x) \approx 1
+ h\,\nabla\cdot v$, so along a path the log-determinant is an integral of a trace:

$$\log\Big|\det\frac{\partial x_0}{\partial x_1}\Big| = \int_1^0 \nabla\cdot v(x_t, t)\,dt.$$

No triangle is needed: any smooth network is invertible, by running time backwards. The price is
many evaluations of it, $d$ backward passes at each for the exact trace (sampling alone needs none),
and a likelihood that is exact up to the solver's error.

Time runs as in the rest of the course: data at 0, base at 1. Chen et al. and Grathwohl et al. put
the base at the start; replace $t$ by $1 - t$ and $v$ by $-v$.

Chen, Rubanova, Bettencourt and Duvenaud 2018 (arXiv:1806.07366), eq. 8; Grathwohl et al. 2019
(FFJORD, arXiv:1810.01367), eq. 3 and 4.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.tensors import PerExample, last
from genlab.flow.coupling import start_at_zero
from genlab.flow.model import Flow, StandardNormal
from genlab.nn.layers import MLP
from genlab.solvers.ode import exact_divergence, rk4

Velocity = Callable[[Tensor, Tensor], Tensor]


def ride(
    velocity: Velocity, a: Float[Tensor, " b d"], ts: Float[Tensor, " n"]
) -> tuple[Float[Tensor, " b d"], PerExample]:
    r"""Carry points and the logarithm of their volume along a velocity, by RK4.

    $$\frac{d}{dt}\begin{pmatrix} x_t \\ \ell_t \end{pmatrix} =
    \begin{pmatrix} v(x_t, t) \\ \nabla\cdot v(x_t, t) \end{pmatrix}, \qquad
    \ell = 0 \text{ at the start}$$

    Where they arrive, $b$, and log|det db/da|, `(b,)`, nats; error $O(h^4)$ in the step. Grathwohl
    et al. 2019, eq. 4.
    """

    def slope(t: Tensor, state: Tensor) -> Tensor:
        v, div = exact_divergence(lambda x: velocity(x, t.expand(len(x))), state[:, :-1])
        return torch.cat([v, div[:, None]], 1)

    state = last(rk4(slope, torch.cat([a, torch.zeros_like(a[:, :1])], 1), ts.to(a)))
    return state[:, :-1], state[:, -1]


class Continuous(nn.Module):
    """A continuous layer: an MLP for the velocity, `n_steps` of RK4 from t = 1 to t = 0."""

    def __init__(
        self, d: int, *, width: int = 64, depth: int = 2, n_steps: int = 8, d_cond: int = 0
    ) -> None:
        super().__init__()
        self.net = MLP(d + 1 + d_cond, d, width, depth, nn.Tanh)
        self.n_steps = n_steps
        start_at_zero(self.net)

    def velocity(self, cond: Tensor | None = None) -> Velocity:
        """The field v(x, t), with `cond` filled in."""
        more = [] if cond is None else [cond]

        def v(x: Tensor, t: Tensor) -> Tensor:
            return self.net(torch.cat([x, t[:, None], *more], 1))

        return v

    def forward(
        self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return x and log|det dx/dz|, `(b,)`; 4 n_steps evaluations, d backward passes each."""
        return ride(self.velocity(cond), z, torch.linspace(1, 0, self.n_steps + 1))

    def inverse(
        self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return z and log|det dz/dx|, `(b,)`; 4 n_steps evaluations, d backward passes each."""
        return ride(self.velocity(cond), x, torch.linspace(0, 1, self.n_steps + 1))


def continuous_flow(d: int, *, width: int = 64, n_steps: int = 8, d_cond: int = 0) -> Flow:
    """A standard normal carried by one learned velocity."""
    return Flow(StandardNormal((d,)), [Continuous(d, width=width, n_steps=n_steps, d_cond=d_cond)])
