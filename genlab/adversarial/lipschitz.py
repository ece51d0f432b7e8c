r"""Keeping a critic 1-Lipschitz: clip, normalise, penalise, and measure what was achieved.

$$\lVert f\rVert_L = \sup_{x\ne y}\frac{|f(x)-f(y)|}{\lVert x-y\rVert}
= \sup_x \lVert\nabla f(x)\rVert$$

Lesson: notebooks/08_wgan_gradient_penalty.ipynb
Sources: Arjovsky, Chintala and Bottou 2017 (arXiv:1701.07875), algorithm 1; Miyato et al. 2018
(arXiv:1802.05957), eq. 6 to 8 and algorithm 1.
"""

from collections.abc import Callable, Iterable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from genlab.core.shapes import PerExample, sum_event


@torch.no_grad()
def clip_weights(parameters: Iterable[nn.Parameter], c: float) -> None:
    r"""Force every weight into $[-c, c]$, in place: the first cure, and a blunt one.

    $$w \leftarrow \min(c, \max(-c, w))$$

    The bound on the weights bounds the slope, but at a value that nobody chose.

    Args:
        parameters: the critic's.
        c: half-width of the box, positive.

    Raises:
        ValueError: `c` is not positive.

    Example:
        >>> w = nn.Parameter(torch.tensor([-3.0, 0.2]))
        >>> clip_weights([w], 0.5)
        >>> w.data
        tensor([-0.5000,  0.2000])

    Source: Arjovsky, Chintala and Bottou 2017 (arXiv:1701.07875), algorithm 1, line 7.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    if not c > 0:
        raise ValueError(f"clip_weights: c is {c}, expected a positive number")
    for parameter in parameters:
        parameter.clamp_(-c, c)


def power_iteration(
    w: Float[Tensor, " m n"], v: Float[Tensor, " n"]
) -> Iterator[tuple[Float[Tensor, ""], Float[Tensor, " n"]]]:
    r"""Approach the largest singular value of a matrix, one multiplication each way at a time.

    $$u = \frac{Wv}{\lVert Wv\rVert}, \qquad v \leftarrow \frac{W^\top u}{\lVert W^\top u\rVert},
    \qquad \hat\sigma = u^\top W v$$

    Each step shrinks the error of $v$ by $(\sigma_2/\sigma_1)^2$, and that of $\hat\sigma$, which
    never exceeds $\sigma_1$, by the square of it.

    Args:
        w: the matrix, `(m, n)`.
        v: a start, `(n,)`, not orthogonal to the first right singular vector.

    Yields:
        `(sigma, v)` after each step, for ever.

    Example:
        >>> from itertools import islice
        >>> w = torch.tensor([[3.0, 0.0], [0.0, 1.0]])
        >>> [round(float(s), 4) for s, _ in islice(power_iteration(w, torch.ones(2)), 3)]
        [2.8636, 2.9982, 3.0]

    Source: Miyato et al. 2018 (arXiv:1802.05957), appendix A, algorithm 1.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    while True:
        u = nn.functional.normalize(w @ v, dim=0)
        v = nn.functional.normalize(w.T @ u, dim=0)
        yield u @ w @ v, v


class _DivideByNorm(nn.Module):
    """A weight divided by its largest singular value, refreshed by one step of power iteration."""

    v: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        flat = weight.detach().flatten(1)
        self.register_buffer("v", torch.linalg.svd(flat, full_matrices=False).Vh[0].clone())

    def forward(self, weight: Tensor) -> Tensor:
        flat = weight.flatten(1)
        if self.training:
            _, v = next(power_iteration(flat.detach(), self.v))
            self.v = v
        u = nn.functional.normalize(flat.detach() @ self.v, dim=0)
        normed: Tensor = weight / (u @ flat @ self.v)
        return normed


def spectral_normalize(critic: nn.Module) -> nn.Module:
    r"""Divide each linear map of a network by its largest singular value, in place.

    $$\bar W = W / \sigma_1(W) \;\Rightarrow\; \lVert f\rVert_L \le
    \prod_\ell \lVert \bar W_\ell\rVert \cdot \lVert a_\ell\rVert_L \le 1$$

    holds for activations that are 1-Lipschitz (ReLU, leaky ReLU, tanh), and for convolutions
    only up to a constant, since the matrix is the kernel flattened.

    Args:
        critic: its `Linear` and `Conv2d` layers are changed.

    Returns:
        The same module.

    Raises:
        ValueError: it has no such layer.

    Example:
        >>> net = spectral_normalize(nn.Linear(3, 3))
        >>> round(float(torch.linalg.matrix_norm(net.weight.detach(), 2)), 4)
        1.0

    Source: Miyato et al. 2018 (arXiv:1802.05957), eq. 7 and 8.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    layers = [m for m in critic.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    if not layers:
        raise ValueError(f"{type(critic).__name__} has no Linear or Conv2d layer to normalise")
    for layer in layers:
        parametrize.register_parametrization(layer, "weight", _DivideByNorm(layer.weight))
    return critic


def slopes(f: Callable[[Tensor], PerExample], x: Float[Tensor, " b *event"]) -> PerExample:
    r"""Length of the gradient of a critic at each point: a lower bound on its Lipschitz constant.

    $$\lVert\nabla f(x_i)\rVert$$

    Args:
        f: example by example, `(b, *event) -> (b,)`.
        x: where to look, `(b, *event)`.

    Returns:
        `(b,)`, in units of `f` per unit of `x`; its maximum bounds the constant from below.

    Example:
        >>> slopes(lambda x: x @ torch.tensor([3.0, 4.0]), torch.zeros(2, 2))
        tensor([5., 5.])

    Source: Gulrajani et al. 2017 (arXiv:1704.00028), section 3.
    Lesson: notebooks/08_wgan_gradient_penalty.ipynb
    """
    with torch.enable_grad():
        x = x.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(f(x).sum(), x)
    return sum_event(gradient**2).sqrt()
