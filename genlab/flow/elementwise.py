r"""Maps that treat each number by itself, with given parameters.

An elementwise map is monotone in each coordinate, so its Jacobian is diagonal and its inverse is
as cheap as itself. These maps are the moving parts of coupling and autoregressive layers, where a
network reads one part of the input and sets the parameters for the rest.

$$x_i = e^{s_i} z_i + t_i, \qquad \log|\partial x_i / \partial z_i| = s_i$$

Kernels return the log-derivative of each coordinate, in the direction travelled, **not yet
summed**: the layer that uses them knows which coordinates it moved.

Lesson: notebooks/04_normalizing_flows.ipynb
Sources: Dinh, Krueger and Bengio 2014 (arXiv:1410.8516), eq. 6; Dinh, Sohl-Dickstein and Bengio
2016 (arXiv:1605.08803), eq. 7 to 8.
"""

import math
from typing import Protocol, final, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.core.guards import require_alike
from genlab.core.shapes import Event, PerExample, sum_event


@runtime_checkable
class Elementwise(Protocol):
    """A family of monotone scalar maps with `n_params` unconstrained parameters each."""

    n_params: int

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and log|dx/dz| like `z`; `params` has shape `(*z.shape, n_params)`."""
        ...

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and log|dz/dx| like `x`."""
        ...


def affine_forward(
    z: Float[Tensor, " *n"], shift: Float[Tensor, " *n"], log_scale: Float[Tensor, " *n"]
) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""Stretch, then shift.

    $$x = e^{s} z + t, \qquad \log|\partial x/\partial z| = s$$

    Args:
        z: any shape.
        shift: $t$, like `z`.
        log_scale: $s$, like `z`; the scale is positive by construction, hence invertible.

    Returns:
        $x$ and log|dx/dz|, both like `z`, not summed.

    Example:
        >>> x, log_deriv = affine_forward(torch.ones(1), torch.ones(1), torch.tensor([3.0]).log())
        >>> x, log_deriv
        (tensor([4.]), tensor([1.0986]))

    Source: Dinh, Sohl-Dickstein and Bengio 2016, eq. 5.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    require_alike(z=z, shift=shift, log_scale=log_scale)
    return z * torch.exp(log_scale) + shift, log_scale


def affine_inverse(
    x: Float[Tensor, " *n"], shift: Float[Tensor, " *n"], log_scale: Float[Tensor, " *n"]
) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""Undo `affine_forward`: take the shift away first, then undo the stretch.

    $$z = e^{-s} (x - t), \qquad \log|\partial z/\partial x| = -s$$

    Args:
        x: any shape.
        shift: $t$, like `x`.
        log_scale: $s$, like `x`.

    Returns:
        $z$ and log|dz/dx|, both like `x`, not summed.

    Example:
        >>> affine_inverse(torch.tensor([5.0]), torch.ones(1), torch.tensor([2.0]).log())
        (tensor([2.]), tensor([-0.6931]))

    Source: Dinh, Sohl-Dickstein and Bengio 2016, eq. 8.
    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    require_alike(x=x, shift=shift, log_scale=log_scale)
    return (x - shift) * torch.exp(-log_scale), -log_scale


def soft_clamp(a: Float[Tensor, " *n"], limit: float) -> Float[Tensor, " *n"]:
    r"""Keep a log-scale between -limit and limit, smoothly, and unchanged near zero.

    $$\tilde a = c \tanh(a / c)$$

    A scale of $e^{40}$ has an inverse on paper and none in floating point.

    Args:
        a: any shape.
        limit: $c > 0$; infinity switches the clamp off.

    Returns:
        Like `a`.

    Raises:
        ValueError: the limit is not positive.

    Example:
        >>> soft_clamp(torch.tensor([0.0, 0.1, 100.0]), limit=2.0)
        tensor([0.0000, 0.0999, 2.0000])

    Lesson: notebooks/04_normalizing_flows.ipynb
    """
    if not limit > 0:
        raise ValueError(f"soft_clamp: limit is {limit}, expected > 0")
    return a if math.isinf(limit) else limit * torch.tanh(a / limit)


@final
class Shift:
    """Additive couplings (NICE): x = z + t. The log-derivative is 0: volume is preserved."""

    n_params = 1

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return x = z + t and zeros."""
        return affine_forward(z, params[..., 0], torch.zeros_like(z))

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return z = x - t and zeros."""
        return affine_inverse(x, params[..., 0], torch.zeros_like(x))


@final
class Affine:
    """The family of RealNVP and MAF: x = exp(s) z + t, with the log-scale softly clamped."""

    n_params = 2

    def __init__(self, limit: float = 3.0) -> None:
        self.limit = limit

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return x and log|dx/dz|, like `z`."""
        return affine_forward(z, params[..., 0], soft_clamp(params[..., 1], self.limit))

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return z and log|dz/dx|, like `x`."""
        return affine_inverse(x, params[..., 0], soft_clamp(params[..., 1], self.limit))


@final
class ElementwiseLayer(nn.Module):
    """A whole layer of one elementwise family, its parameters learned and the same for every x."""

    def __init__(self, element: Elementwise, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.element = element
        self.params = nn.Parameter(torch.zeros(*event_shape, element.n_params))

    def forward(self, z: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return x and log|det dx/dz|, `(b,)`."""
        x, log_deriv = self.element.forward(z, self.params.expand(*z.shape, -1))
        return x, sum_event(log_deriv)

    def inverse(self, x: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        z, log_deriv = self.element.inverse(x, self.params.expand(*x.shape, -1))
        return z, sum_event(log_deriv)
