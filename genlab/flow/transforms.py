r"""Change of variables: a density carried through an invertible map.

The sampler is $x = f(z)$ with $z \sim p_Z$. Probability is neither made nor lost on the way, so

$$\log p_X(x) = \log p_Z\big(f^{-1}(x)\big)
+ \log\Big|\det \frac{\partial f^{-1}(x)}{\partial x}\Big|.$$

One rule for every map of this folder: **a map returns the log-determinant of the direction that it
has just travelled.** `forward(z)` returns $x$ and $\log|\det \partial x/\partial z|$; `inverse(x)`
returns $z$ and $\log|\det \partial z/\partial x|$. At matching points the two are negatives of each
other.

Rezende and Mohamed 2015 (arXiv:1505.05770), eq. 5 to 7; Papamakarios et al. 2021
(arXiv:1912.02762), section 2.1.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import softplus

from genlab.core.tensors import Event, PerExample, require_alike, sum_event


@runtime_checkable
class Transform(Protocol):
    """An invertible map f: z -> x whose Jacobian determinant is cheap, both ways."""

    def forward(self, z: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return $x = f(z)$ and log|det dx/dz|, `(b,)`."""
        ...

    def inverse(self, x: Tensor, cond: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Return $z = f^{-1}(x)$ and log|det dz/dx|, `(b,)`."""
        ...


def flow_log_prob(
    base_log_prob: Callable[[Tensor], Tensor],
    inverse: Callable[[Tensor], tuple[Tensor, Tensor]],
    x: Event,
) -> PerExample:
    r"""Log-density of $x = f(z)$, exact, nats per example (the sum over dimensions, not the mean).

    $$\log p_X(x) = \log p_Z\big(f^{-1}(x)\big) + \log|\det J_{f^{-1}}(x)|$$

    Integrates to one over $x$ for every invertible $f$ and every normalised base.

    Rezende and Mohamed 2015, eq. 5.
    """
    z, log_det_inverse = inverse(x)
    return base_log_prob(z) + log_det_inverse


def dense_log_det(f: Callable[[Tensor], Tensor], a: Event) -> PerExample:
    r"""Log-determinant of any smooth map from its full autograd Jacobian, nats.

    $$\log|\det \partial f(a)/\partial a|$$

    d backward passes and $O(d^3)$ operations: what flows are built to avoid, and therefore an
    independent check of each of them.

    ValueError: the output has another number of dimensions than the input.
    """

    # Examples do not mix, so the Jacobian of the batch *sum* holds every example's own Jacobian.
    def summed(a: Tensor) -> Tensor:
        return f(a).flatten(1).sum(0)

    full: Tensor = torch.autograd.functional.jacobian(summed, a)  # type: ignore[no-untyped-call]
    jacobian = full.flatten(2).transpose(0, 1)
    if jacobian.shape[1] != jacobian.shape[2]:
        raise ValueError(
            f"dense_log_det: the map has {jacobian.shape[1]} outputs, "
            f"expected as many as inputs, {jacobian.shape[2]}"
        )
    return torch.linalg.slogdet(jacobian).logabsdet


def push_forward(
    transforms: Sequence[Transform], z: Event, cond: Tensor | None = None
) -> Iterator[tuple[Event, PerExample]]:
    r"""Sampler: yield the state after each layer, from $z$ to $x = f_K \circ \dots \circ f_1(z)$.

    $$\log|\det J_f(z)| = \sum_k \log|\det J_{f_k}(z_{k-1})|$$

    $(z_k, \log|\det \partial z_k / \partial z_0|)$ for k = 0..K; log-determinants `(b,)`, nats.
    Rezende and Mohamed 2015, eq. 6 and 7.
    """
    return _travel([f.forward for f in transforms], z, cond)


def pull_back(
    transforms: Sequence[Transform], x: Event, cond: Tensor | None = None
) -> Iterator[tuple[Event, PerExample]]:
    r"""The way back: yield the state after undoing each layer, the last one first.

    $$\log|\det J_{f^{-1}}(x)| = \sum_k \log|\det J_{f_k^{-1}}(z_k)|$$

    $(z_k, \log|\det \partial z_k / \partial x|)$ for k = K..0; log-determinants `(b,)` in nats.
    """
    return _travel([f.inverse for f in reversed(transforms)], x, cond)


def _travel(
    steps: Iterable[Callable[..., tuple[Tensor, Tensor]]], a: Tensor, cond: Tensor | None
) -> Iterator[tuple[Tensor, Tensor]]:
    log_det = a.new_zeros(a.shape[0])
    yield a, log_det
    for step in steps:
        a, log_det_k = step(a, cond)
        log_det = log_det + log_det_k
        yield a, log_det


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
    r"""Stretch, then shift (Dinh, Sohl-Dickstein and Bengio 2016, eq. 5).

    $$x = e^{s} z + t, \qquad \log|\partial x/\partial z| = s$$

    $x$ and log|dx/dz|, both like `z`, not summed.
    """
    require_alike(z=z, shift=shift, log_scale=log_scale)
    return z * torch.exp(log_scale) + shift, log_scale


def affine_inverse(
    x: Float[Tensor, " *n"], shift: Float[Tensor, " *n"], log_scale: Float[Tensor, " *n"]
) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""Undo `affine_forward`: take the shift away first, then undo the stretch.

    $$z = e^{-s} (x - t), \qquad \log|\partial z/\partial x| = -s$$

    $z$ and log|dz/dx|, both like `x`, not summed. Dinh, Sohl-Dickstein and Bengio 2016, eq. 8.
    """
    require_alike(x=x, shift=shift, log_scale=log_scale)
    return (x - shift) * torch.exp(-log_scale), -log_scale


def soft_clamp(a: Float[Tensor, " *n"], limit: float) -> Float[Tensor, " *n"]:
    r"""Keep a log-scale between -limit and limit, smoothly, and unchanged near zero.

    $$\tilde a = c \tanh(a / c)$$

    A scale of $e^{40}$ has an inverse on paper and none in floating point.

    ValueError: the limit is not positive.
    """
    if not limit > 0:
        raise ValueError(f"soft_clamp: limit is {limit}, expected > 0")
    return a if math.isinf(limit) else limit * torch.tanh(a / limit)


class Shift:
    """Additive couplings (NICE): x = z + t. The log-derivative is 0: volume is preserved."""

    n_params = 1

    def forward(self, z: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return x = z + t and zeros."""
        return affine_forward(z, params[..., 0], torch.zeros_like(z))

    def inverse(self, x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return z = x - t and zeros."""
        return affine_inverse(x, params[..., 0], torch.zeros_like(x))


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


def lu_forward(
    z: Float[Tensor, " b d"], lower: Float[Tensor, " d d"], upper: Float[Tensor, " d d"]
) -> tuple[Float[Tensor, " b d"], PerExample]:
    r"""Multiply by $W = LU$ (Kingma and Dhariwal 2018, eq. 10 and 11).

    $$x = L U z, \qquad \log|\det W| = \sum_i \log |L_{ii}| + \log|U_{ii}|$$

    $x$ and log|det dx/dz|, the same for every example, `(b,)`, nats.
    """
    return z @ upper.T @ lower.T, _log_abs_diagonal(lower, upper).expand(len(z))


def lu_inverse(
    x: Float[Tensor, " b d"], lower: Float[Tensor, " d d"], upper: Float[Tensor, " d d"]
) -> tuple[Float[Tensor, " b d"], PerExample]:
    r"""Undo `lu_forward` by two triangular solves, $O(d^2)$ each.

    $$z = U^{-1} L^{-1} x, \qquad \log|\det W^{-1}| = -\log|\det W|$$

    $z$ and log|det dz/dx|, the same for every example, `(b,)`, nats. ValueError: the factors are in
    half precision.
    """
    if torch.finfo(lower.dtype).bits < 32:
        raise ValueError(f"lu_inverse: factors are {lower.dtype}, expected float32 or float64")
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

    def forward(
        self, z: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return x and log|det dx/dz|, `(b,)`."""
        x, log_det = lu_forward(z, *self.factors())
        return x + self.shift, log_det

    def inverse(
        self, x: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        return lu_inverse(x - self.shift, *self.factors())


class Permutation(nn.Module):
    """Reorders the coordinates: x_i = z_{order(i)}; log-determinant 0.

    ValueError: `order` is not a permutation.
    """

    order: Tensor

    def __init__(self, order: Int[Tensor, " d"]) -> None:
        super().__init__()
        if not torch.equal(order.sort().values, torch.arange(len(order))):
            raise ValueError(
                f"Permutation: order is {order.tolist()}, expected each of 0..{len(order) - 1} once"
            )
        self.register_buffer("order", order)

    def forward(
        self, z: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return x and log|det dx/dz| = 0."""
        return z[:, self.order], z.new_zeros(len(z))

    def inverse(
        self, x: Float[Tensor, " b d"], cond: Tensor | None = None
    ) -> tuple[Float[Tensor, " b d"], PerExample]:
        """Return z and log|det dz/dx| = 0."""
        return x[:, self.order.argsort()], x.new_zeros(len(x))


LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)


def sigmoid_forward(z: Float[Tensor, " *n"]) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""From the line to (0, 1).

    $$x = \frac{1}{1 + e^{-z}}, \qquad \log \frac{\partial x}{\partial z} = \log x + \log(1 - x)$$

    $x$ in (0, 1) and log|dx/dz|, both like `z`, not summed; the latter computed from `z`, so that
    it stays finite where $1 - x$ rounds to zero.
    """
    return torch.sigmoid(z), -softplus(z) - softplus(-z)


def sigmoid_inverse(x: Float[Tensor, " *n"]) -> tuple[Float[Tensor, " *n"], Float[Tensor, " *n"]]:
    r"""From (0, 1) to the line: the logit.

    $$z = \log\frac{x}{1-x}, \qquad \log \frac{\partial z}{\partial x} = -\log x - \log(1 - x)$$

    $z$ and log|dz/dx|, both like `x`, not summed. ValueError: a value is outside (0, 1).
    """
    if not bool(((x > 0) & (x < 1)).all()):
        raise ValueError(
            f"sigmoid_inverse: x runs from {x.min().item()} to {x.max().item()}, "
            "expected values strictly between 0 and 1"
        )
    log_x, log_1mx = torch.log(x), torch.log1p(-x)
    return log_x - log_1mx, -log_x - log_1mx


def histogram_cdf(
    x: Float[Tensor, " b d"], probs: Float[Tensor, " d k"]
) -> tuple[Float[Tensor, " b d"], Float[Tensor, " b d"]]:
    r"""Cumulative distribution of a histogram with k equal bins on [0, 1], one per coordinate.

    $$F(x) = \sum_{j < m} p_j + p_m (k x - m), \qquad F'(x) = k\, p_m, \qquad
    m = \lfloor k x \rfloor$$

    $u = F(x)$ in [0, 1] and log|du/dx|, like `x`, not summed.
    """
    k = probs.shape[1]
    m = (x * k).long().clamp(0, k - 1)
    before = torch.cumsum(probs, 1) - probs
    p, below = (a.expand(len(x), -1, -1).gather(2, m[..., None])[..., 0] for a in (probs, before))
    return below + p * (x * k - m), torch.log(k * p)


def histogram_quantile(
    u: Float[Tensor, " b d"], probs: Float[Tensor, " d k"]
) -> tuple[Float[Tensor, " b d"], Float[Tensor, " b d"]]:
    r"""Undo `histogram_cdf`.

    $$F^{-1}(u) = \frac1k \Big(m + \frac{u - \sum_{j<m} p_j}{p_m}\Big)$$

    $x$ in [0, 1] and log|dx/du|, like `u`, not summed.
    """
    k = probs.shape[1]
    edges = torch.cumsum(probs, 1)
    m = torch.searchsorted(edges, u.T.contiguous(), right=True).clamp(max=k - 1).T
    before = edges - probs
    p, below = (a.expand(len(u), -1, -1).gather(2, m[..., None])[..., 0] for a in (probs, before))
    return (m + (u - below) / p) / k, -torch.log(k * p)


class Sigmoid(nn.Module):
    """Carries the line onto (0, 1) in every coordinate; nothing to learn."""

    def forward(self, z: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return x in (0, 1) and log|det dx/dz|, `(b,)`."""
        x, log_deriv = sigmoid_forward(z)
        return x, sum_event(log_deriv)

    def inverse(self, x: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        z, log_deriv = sigmoid_inverse(x)
        return z, sum_event(log_deriv)


class HistogramMarginals(nn.Module):
    """Carries N(0, I) onto the data's per-coordinate histograms, which it counts, not learns.

    Within `tail` of the ends of [0, 1] the quantile is clamped, so a round trip is exact for all
    but that share of the probability.
    """

    probs: Tensor

    def __init__(self, probs: Float[Tensor, " d k"], tail: float = 1e-6) -> None:
        super().__init__()
        if not bool((probs > 0).all()):
            raise ValueError(
                f"HistogramMarginals: a bin has probability {probs.min().item()}, "
                "expected > 0 (smooth the counts)"
            )
        self.register_buffer("probs", probs / probs.sum(1, keepdim=True))
        self.tail = tail

    def forward(self, z: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return x in [0, 1] and log|det dx/dz|, `(b,)`."""
        u = torch.special.ndtr(z).clamp(self.tail, 1 - self.tail)
        x, log_deriv = histogram_quantile(u, self.probs)
        return x, sum_event(log_deriv - 0.5 * z**2 - LOG_SQRT_2PI)

    def inverse(self, x: Event, cond: Tensor | None = None) -> tuple[Event, PerExample]:
        """Return z and log|det dz/dx|, `(b,)`."""
        u, log_deriv = histogram_cdf(x, self.probs)
        z = torch.special.ndtri(u.clamp(self.tail, 1 - self.tail))
        return z, sum_event(log_deriv + 0.5 * z**2 + LOG_SQRT_2PI)
