r"""Muon: steps that are orthogonal matrices, for the weight matrices inside a network.

A gradient of a matrix is dominated by a few directions. Among all steps $X$ that lengthen no vector
more than a step of size one does, the steepest is the gradient with its singular values set to 1:

$$\arg\max_{\lVert X\rVert_2 \le 1} \langle G, X\rangle = U V^\top, \qquad G = U S V^\top ,$$

so rare directions move as far as common ones. The factor is found without a decomposition, by five
steps of a polynomial that pushes every singular value towards 1. Embeddings, gains and biases are
no such maps and keep AdamW.

Lesson: notebooks/systems/language_model.ipynb
Sources: Bernstein and Newhouse 2024 (arXiv:2409.20325), propositions 5 and 6; Jordan et al. 2024
    ("Muon: an optimizer for hidden layers"); Liu et al. 2025 (arXiv:2502.16982), eq. 4.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # steep at 0, and near 1 where it settles


def orthogonalize(g: Float[Tensor, " m n"], n_steps: int = 5) -> Float[Tensor, " m n"]:
    r"""Set the singular values of a matrix to about 1, and leave its directions.

    $$X_0 = G / \lVert G\rVert_F, \qquad
    X \leftarrow a X + b\,(XX^\top) X + c\,(XX^\top)^2 X, \qquad
    s \leftarrow a s + b s^3 + c s^5$$

    The polynomial acts on each singular value alone. These coefficients trade exactness for speed:
    small values grow 3.4 times a step, and large ones end between 0.68 and 1.13, not at 1.

    Args:
        g: any matrix, not all zero.
        n_steps: times that the polynomial is applied.

    Returns:
        About $UV^\top$, where $G = USV^\top$; the scale of `g` does not matter.

    Example:
        >>> s = torch.linalg.svdvals(orthogonalize(torch.tensor([[50.0, 1.0], [0.0, 2.0]])))
        >>> bool((s > 0.6).all() and (s < 1.2).all())
        True

    Source: Jordan et al. 2024 ("Muon: an optimizer for hidden layers"), Newton-Schulz iteration.
    Lesson: notebooks/systems/language_model.ipynb
    """
    a, b, c = COEFFICIENTS
    tall = g.shape[0] > g.shape[1]
    x: Tensor = g.T if tall else g  # the smaller side outside: smaller products
    x = x / (x.norm() + 1e-7)
    for _ in range(n_steps):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


@final
class Muon(torch.optim.Optimizer):
    r"""Muon for the matrices that are named, AdamW for everything else, with one rate for both.

    $$m \leftarrow \mu m + (1-\mu)\,g, \qquad
    W \leftarrow (1 - \eta\lambda)\,W - 0.2\,\eta\sqrt{\max(\text{rows, columns})}\;
    \mathrm{orthogonalize}\big(\mu m + (1-\mu) g\big)$$

    The factor gives a step the root mean square of a typical step of Adam, so that one rate and one
    decay serve both.

    Args:
        matrices: weights of linear maps inside the network.
        others: embeddings, gains, biases.
        weight_decay: $\lambda$, decoupled.
        momentum: $\mu$.
        betas: averaging of AdamW.

    Source: Liu et al. 2025 (arXiv:2502.16982), eq. 4; Loshchilov and Hutter 2019
        (arXiv:1711.05101), algorithm 2.
    Lesson: notebooks/systems/language_model.ipynb
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        others: Iterable[nn.Parameter],
        *,
        weight_decay: float = 0.0,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        groups = [
            {"params": list(matrices), "muon": True},
            {"params": list(others), "muon": False},
        ]
        defaults = {"lr": 1.0, "weight_decay": weight_decay, "momentum": momentum, "betas": betas}
        super().__init__([g for g in groups if g["params"]], defaults)
        if any(p.ndim != 2 for g in self.param_groups if g["muon"] for p in g["params"]):
            raise ValueError("Muon: orthogonal steps are for matrices, got another shape")

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient.

        Args:
            closure: not used.
        """
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                update = self._muon(p, group) if group["muon"] else self._adam(p, group)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(group["lr"] * update)

    def _muon(self, p: nn.Parameter, group: dict[str, Any]) -> Tensor:
        """Step of a matrix, before the rate."""
        assert p.grad is not None
        state, mu = self.state[p], group["momentum"]
        m = state.setdefault("m", torch.zeros_like(p))
        m.lerp_(p.grad, 1 - mu)
        return 0.2 * math.sqrt(max(p.shape)) * orthogonalize(p.grad.lerp(m, mu))

    def _adam(self, p: nn.Parameter, group: dict[str, Any]) -> Tensor:
        """Step of Adam, before the rate."""
        assert p.grad is not None
        state, (b1, b2) = self.state[p], group["betas"]
        m = state.setdefault("m", torch.zeros_like(p))
        v = state.setdefault("v", torch.zeros_like(p))
        k = state["k"] = state.get("k", 0) + 1
        m.lerp_(p.grad, 1 - b1)
        v.lerp_(p.grad.square(), 1 - b2)
        update: Tensor = (m / (1 - b1**k)) / ((v / (1 - b2**k)).sqrt() + 1e-8)
        return update
