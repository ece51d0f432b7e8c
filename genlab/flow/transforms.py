"""Change of variables: a density carried through an invertible map x = f(z).

**A map returns the log-determinant of the direction that it has just travelled**, in nats. Rezende
and Mohamed 2015 (arXiv:1505.05770); RealNVP = Dinh, Sohl-Dickstein and Bengio 2016
(arXiv:1605.08803); Glow = Kingma and Dhariwal 2018 (arXiv:1807.03039).
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.core import Event, PerExample, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import require_positive

Moved: TypeAlias = tuple[Event, PerExample]  # where the examples arrive, log|det| of the way there
Net: TypeAlias = Callable[[Tensor], Tensor]  # from what is read to parameters
Move: TypeAlias = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # and these to b, log|db/da|


@runtime_checkable
class Transform(Protocol):
    """An invertible map f: z -> x whose Jacobian determinant is cheap, both ways."""

    def forward(self, z: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return x = f(z) and log|det dx/dz|, `(b,)`."""

    def inverse(self, x: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return z with f(z) = x and log|det dz/dx|, `(b,)`."""


def flow_log_prob(
    base_log_prob: Callable[[Tensor], Tensor], inverse: Callable[[Tensor], Moved], x: Event
) -> PerExample:
    r"""Log-density of $x = f(z)$, exact, nats per example (the sum over dimensions, not the mean).

    $$\log p_X(x) = \log p_Z\big(f^{-1}(x)\big) + \log|\det J_{f^{-1}}(x)|$$

    Integrates to one for every invertible $f$ (Rezende and Mohamed 2015, eq. 5).
    """
    z, log_det_inverse = inverse(x)
    return base_log_prob(z) + log_det_inverse


def dense_log_det(f: Callable[[Tensor], Tensor], a: Event) -> PerExample:
    r"""Log-determinant $\log|\det \partial f/\partial a|$ of any smooth map by autograd, nats."""
    # Examples do not mix, so the Jacobian of the batch *sum* holds every example's own Jacobian.
    full = torch.autograd.functional.jacobian(lambda a: f(a).flatten(1).sum(0), a)  # type: ignore[no-untyped-call]
    jacobian = full.flatten(2).transpose(0, 1)
    n_out, n_in = jacobian.shape[1:]
    if n_out != n_in:
        raise ValueError(f"the map has {n_out} outputs, expected as many as inputs, {n_in}")
    return torch.linalg.slogdet(jacobian).logabsdet


def push_forward(
    layers: Sequence[Transform], z: Event, cond: Float[Tensor, " b c"] | None = None
) -> Iterator[Moved]:
    r"""Sampler: the state after each layer, from $z$ to $x = f_K \circ \dots \circ f_1(z)$.

    $$\log|\det J_f(z)| = \sum_k \log|\det J_{f_k}(z_{k-1})|$$

    Yields $(z_k, \log|\det \partial z_k / \partial z_0|)$ for k = 0..K (Rezende, eq. 6 and 7).
    """
    return _travel([f.forward for f in layers], z, cond)


def pull_back(
    layers: Sequence[Transform], x: Event, cond: Float[Tensor, " b c"] | None = None
) -> Iterator[Moved]:
    r"""The way back: yields $(z_k, \log|\det \partial z_k / \partial x|)$ for k = K..0."""
    return _travel([f.inverse for f in reversed(layers)], x, cond)


def _travel(
    steps: Iterable[Callable[..., Moved]], a: Event, cond: Float[Tensor, " b c"] | None
) -> Iterator[Moved]:
    log_det = a.new_zeros(a.shape[0])
    yield a, log_det
    for step in steps:
        a, log_det_k = step(a, cond)
        log_det = log_det + log_det_k
        yield a, log_det


# Monotone maps of single numbers: the families that couplings and masked flows are made of


@runtime_checkable
class Elementwise(Protocol):
    """A family of monotone scalar maps with `n_params` unconstrained parameters each."""

    n_params: int

    def forward(
        self, z: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        """Return x and log|dx/dz| like `z`; `params` holds `n_params` for each number."""

    def inverse(
        self, x: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        """Return z and log|dz/dx| like `x`."""


def affine_forward(
    z: Float[Tensor, " *n"], shift: Float[Tensor, " *n"], log_scale: Float[Tensor, " *n"]
) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""Stretch, then shift: $x$ and log|dx/dz|, not summed (RealNVP, eq. 5).

    $$x = e^{s} z + t, \qquad \log|\partial x/\partial z| = s$$
    """
    return z * torch.exp(log_scale) + shift, log_scale


def affine_inverse(
    x: Float[Tensor, " *n"], shift: Float[Tensor, " *n"], log_scale: Float[Tensor, " *n"]
) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""Take the shift away first, then undo the stretch: $z$ and log|dz/dx| (RealNVP, eq. 8).

    $$z = e^{-s} (x - t), \qquad \log|\partial z/\partial x| = -s$$
    """
    return (x - shift) * torch.exp(-log_scale), -log_scale


def soft_clamp(a: Float[Tensor, " *n"], limit: float) -> Float[Tensor, " *n"]:
    r"""Keep a log-scale within a limit, $c \tanh(a / c)$: at $e^{40}$ floats have no inverse."""
    require_positive(limit=limit)
    return a if math.isinf(limit) else limit * torch.tanh(a / limit)


class Shift:
    """Additive couplings (NICE): x = z + t. The log-derivative is 0: volume is preserved."""

    n_params = 1

    def forward(
        self, z: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        return affine_forward(z, params[..., 0], torch.zeros_like(z))

    def inverse(
        self, x: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        return affine_inverse(x, params[..., 0], torch.zeros_like(x))


class Affine:
    """The family of RealNVP and MAF: x = exp(s) z + t, with the log-scale softly clamped."""

    n_params = 2

    def __init__(self, limit: float = 3.0) -> None:
        require_positive(limit=limit)
        self.limit = limit

    def forward(
        self, z: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        return affine_forward(z, params[..., 0], soft_clamp(params[..., 1], self.limit))

    def inverse(
        self, x: Float[Tensor, " *n"], params: Float[Tensor, " *n p"]
    ) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
        return affine_inverse(x, params[..., 0], soft_clamp(params[..., 1], self.limit))


class ElementwiseLayer(nn.Module):
    """A whole layer of one elementwise family, its parameters learned and the same for every x."""

    def __init__(self, element: Elementwise, event_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.element = element
        self.params = nn.Parameter(torch.zeros(*event_shape, element.n_params))

    def forward(self, z: Event, cond: Float[Tensor, " b c"] | None = None) -> Moved:
        x, log_deriv = self.element.forward(z, self.params.expand(*z.shape, -1))
        return x, sum_event(log_deriv)

    def inverse(self, x: Event, cond: Float[Tensor, " b c"] | None = None) -> Moved:
        z, log_deriv = self.element.inverse(x, self.params.expand(*x.shape, -1))
        return z, sum_event(log_deriv)


def lu_forward(
    z: Float[Tensor, " b d"], lower: Float[Tensor, " d d"], upper: Float[Tensor, " d d"]
) -> Moved:
    r"""Multiply by $W = LU$; log|det dx/dz| is the same for every example (Glow, eq. 10 and 11).

    $$x = L U z, \qquad \log|\det W| = \sum_i \log |L_{ii}| + \log|U_{ii}|$$
    """
    return z @ upper.T @ lower.T, _log_abs_diagonal(lower, upper).expand(len(z))


def lu_inverse(
    x: Float[Tensor, " b d"], lower: Float[Tensor, " d d"], upper: Float[Tensor, " d d"]
) -> Moved:
    r"""Undo `lu_forward` by two triangular solves, $O(d^2)$ each.

    $$z = U^{-1} L^{-1} x, \qquad \log|\det W^{-1}| = -\log|\det W|$$
    """
    y = torch.linalg.solve_triangular(lower, x.T, upper=False)
    z = torch.linalg.solve_triangular(upper, y, upper=True).T
    return z, -_log_abs_diagonal(lower, upper).expand(len(x))


def _log_abs_diagonal(lower: Tensor, upper: Tensor) -> Tensor:
    return (lower.diagonal().abs().log() + upper.diagonal().abs().log()).sum()


class Linear(nn.Module):
    """A learned x = L U z + t; L has ones on its diagonal, U has exp(s). Starts as the identity."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.below = nn.Parameter(torch.zeros(d, d))
        self.above = nn.Parameter(torch.zeros(d, d))
        self.log_diagonal = nn.Parameter(torch.zeros(d))
        self.shift = nn.Parameter(torch.zeros(d))

    def factors(self) -> tuple[Float[Tensor, " d d"], Float[Tensor, " d d"]]:
        """L and U, triangular with a positive diagonal, hence never singular."""
        lower = self.below.tril(-1) + torch.eye(len(self.shift)).to(self.below)
        return lower, self.above.triu(1) + torch.diag(self.log_diagonal.exp())

    def forward(self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        x, log_det = lu_forward(z, *self.factors())
        return x + self.shift, log_det

    def inverse(self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return lu_inverse(x - self.shift, *self.factors())


class Permutation(nn.Module):
    """Reorders the coordinates: x_i = z_{order(i)}; log-determinant 0."""

    order: Tensor

    def __init__(self, order: Int[Tensor, " d"]) -> None:
        super().__init__()
        if not torch.equal(order.sort().values, torch.arange(len(order))):
            raise ValueError(f"order is {order.tolist()}, expected 0..{len(order) - 1}, each once")
        self.register_buffer("order", order)

    def forward(self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return z.index_select(1, self.order), z.new_zeros(len(z))

    def inverse(self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        return torch.zeros_like(x).index_copy(1, self.order, x), x.new_zeros(len(x))


class HistogramMarginals(nn.Module):
    r"""Carries N(0, I) onto the data's histograms, k bins on [0, 1] for each coordinate.

    $$x = F^{-1}(\Phi(z)), \qquad F(x) = \sum_{j < m} p_j + p_m (k x - m), \quad F'(x) = k\, p_m,
    \quad m = \lfloor k x \rfloor$$
    """

    probs: Tensor

    def __init__(self, probs: Float[Tensor, " d k"], tail: float = 1e-6) -> None:
        super().__init__()
        require_positive(probs=probs)  # an empty bin has no quantile: smooth the counts
        self.register_buffer("probs", probs / probs.sum(1, keepdim=True))
        self.k, self.tail = probs.shape[1], tail

    def forward(self, z: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        u = torch.special.ndtr(z).clamp(self.tail, 1 - self.tail)
        edges = torch.cumsum(self.probs, 1)
        m = torch.searchsorted(edges, u.T.contiguous(), right=True).clamp(max=self.k - 1).T
        p, below = self._bin(m)
        x = (m + (u - below) / p) / self.k
        return x, sum_event(-torch.log(self.k * p) - 0.5 * z**2 - 0.5 * math.log(2 * math.pi))

    def inverse(self, x: Float[Tensor, " b d"], cond: Float[Tensor, " b c"] | None = None) -> Moved:
        m = (x * self.k).long().clamp(0, self.k - 1)
        p, below = self._bin(m)
        u = below + p * (x * self.k - m)
        z = torch.special.ndtri(u.clamp(self.tail, 1 - self.tail))
        return z, sum_event(torch.log(self.k * p) + 0.5 * z**2 + 0.5 * math.log(2 * math.pi))

    def _bin(self, m: Int[Tensor, " b d"]) -> tuple[Float[Tensor, " b d"], Float[Tensor, " b d"]]:
        """Probability of bin m, and of all bins below it."""
        tables = (self.probs, torch.cumsum(self.probs, 1) - self.probs)
        p, below = (t.expand(len(m), -1, -1).gather(2, m[..., None])[..., 0] for t in tables)
        return p, below


check_public(__name__)
