"""Muon: steps for the matrices inside a network, made orthogonal; AdamW for the rest."""

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn


def orthogonalize(g: Float[Tensor, " m n"], n_steps: int = 5) -> Float[Tensor, " m n"]:
    r"""Set the singular values of a matrix to about 1, and leave its directions.

    $$X_0 = G / \lVert G\rVert_F, \qquad
    X \leftarrow a X + b\,(XX^\top) X + c\,(XX^\top)^2 X, \qquad
    s \leftarrow a s + b s^3 + c s^5$$

    Large values end between 0.68 and 1.13. Jordan et al. 2024 ("Muon: an optimizer for hidden
    layers"), Newton-Schulz iteration.
    """
    a, b, c = 3.4445, -4.7750, 2.0315  # steep at 0, and near 1 where it settles
    tall = g.size(0) > g.size(1)
    x = g.T if tall else g  # the smaller side outside: smaller products
    x = x / (x.norm() + 1e-7)
    for _ in range(n_steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


def inner(net: nn.Module, edges: Iterable[str]) -> list[nn.Parameter]:
    """Matrices and kernels of a net but for those of its parts `edges`; ValueError if it lacks one.

    >>> [tuple(p.shape) for p in inner(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)), ["1"])]
    [(3, 2)]
    """
    outer = set(edges)
    owned = [(name.split(".")[0], p) for name, p in net.named_parameters()]
    if unknown := outer - {part for part, _ in owned}:
        raise ValueError(f"{type(net).__name__} has no {', '.join(sorted(unknown))}")
    return [p for part, p in owned if p.ndim in (2, 4) and part not in outer]


class Muon(torch.optim.Optimizer):
    r"""Muon for `matrices` and kernels, AdamW for the rest of `parameters`, one learning rate.

    $$m \leftarrow \mu m + (1-\mu)\,g, \qquad
    W \leftarrow (1 - \eta\lambda)\,W - 0.2\,\eta\sqrt{\max(\text{rows, columns})}\;
    \mathrm{orthogonalize}\big(\mu m + (1-\mu) g\big)$$

    Liu et al. 2025 (arXiv:2502.16982), eq. 4; Loshchilov and Hutter 2019 (arXiv:1711.05101).
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        parameters: Iterable[nn.Parameter],
        *,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        inner = list(matrices)
        others = [p for p in parameters if all(p is not m for m in inner)]
        groups = [{"params": p, "muon": m} for p, m in ((inner, True), (others, False))]
        defaults = {"lr": 1.0, "weight_decay": weight_decay, "momentum": momentum, "betas": betas}
        super().__init__([g for g in groups if g["params"]], defaults)
        if any(p.ndim not in (2, 4) for g in self.param_groups if g["muon"] for p in g["params"]):
            raise ValueError("Muon: orthogonal steps are for matrices, got another shape")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient; `closure` is not used."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    update = (self._muon if group["muon"] else self._adam)(p, p.grad, group)
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.sub_(group["lr"] * update)

    def _muon(self, p: nn.Parameter, grad: Tensor, group: dict[str, Any]) -> Tensor:
        m = self.state[p].setdefault("m", torch.zeros_like(p))
        m.lerp_(grad, 1 - group["momentum"])
        g = grad.lerp(m, group["momentum"]).flatten(1)  # a kernel is a matrix of its outputs
        return (0.2 * math.sqrt(max(g.shape)) * orthogonalize(g)).view_as(p)

    def _adam(self, p: nn.Parameter, grad: Tensor, group: dict[str, Any]) -> Tensor:
        state = self.state[p]
        (b1, b2) = group["betas"]
        m = state.setdefault("m", torch.zeros_like(p))
        v = state.setdefault("v", torch.zeros_like(p))
        k = state["k"] = state.get("k", 0) + 1
        m.lerp_(grad, 1 - b1)
        v.lerp_(grad.square(), 1 - b2)
        return (m / (1 - b1**k)) / ((v / (1 - b2**k)).sqrt() + 1e-8)
