r"""Continuous flows, from the base at $t = 1$ to the data at $t = 0$, by a solver.

$$\frac{dx_t}{dt} = v(x_t, t), \qquad
\log\Big|\det\frac{\partial x_0}{\partial x_1}\Big| = \int_1^0 \nabla\cdot v(x_t, t)\,dt$$

Chen et al. 2018 (arXiv:1806.07366), eq. 8; FFJORD: Grathwohl et al. 2019 (arXiv:1810.01367).
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.checked import check_public
from genlab.core.tensors import require_between
from genlab.flow.coupling import start_at_zero
from genlab.flow.transforms import Moved
from genlab.nn.layers import MLP
from genlab.solvers.ode import Velocity, ride


class Continuous(nn.Module):
    """A continuous layer: an MLP for the velocity, `n_steps` of RK4 from t = 1 to t = 0."""

    def __init__(self, d: int, *, width: int = 64, n_steps: int = 8, d_cond: int = 0) -> None:
        super().__init__()
        require_between(1, math.inf, n_steps=n_steps)
        self.net = MLP(d + 1 + d_cond, d, width, 2, nn.Tanh)
        self.n_steps = n_steps
        start_at_zero(self.net)

    def velocity(self, cond: Float[Tensor, " b c"] | None = None) -> Velocity:
        """The field v(x, t), with `cond` filled in."""
        more = [] if cond is None else [cond]
        return lambda x, t: self.net(torch.cat([x, t[:, None], *more], 1))

    def forward(self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return ride(self.velocity(cond), z, torch.linspace(1, 0, self.n_steps + 1))

    def inverse(self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return ride(self.velocity(cond), x, torch.linspace(0, 1, self.n_steps + 1))


check_public(__name__)
