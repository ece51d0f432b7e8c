r"""The multi-layer perceptron: affine maps with a pointwise nonlinearity in between.

$$h_0 = x, \qquad h_k = \phi(W_k h_{k-1} + b_k), \qquad y = W_{K+1} h_K + b_{K+1}$$

It knows no objective: lessons use it as a density-ratio, a velocity, a conditioner, a decoder.

Lesson: notebooks/01_four_paradigm_map.ipynb
"""

from collections.abc import Callable
from itertools import pairwise
from typing import final

from jaxtyping import Float
from torch import Tensor, nn


@final
class MLP(nn.Module):
    r"""`depth` hidden layers of `width` units, linear output.

    Args:
        d_in: number of input features (the last axis).
        d_out: number of output features.
        width: units of each hidden layer.
        depth: number of hidden layers; 0 gives one affine map.
        activation: makes the nonlinearity $\phi$ (a class such as `nn.SiLU`).

    Raises:
        ValueError: a size below 1, or a negative depth.

    Example:
        >>> import torch
        >>> net = MLP(2, 3, width=16, depth=2)
        >>> net(torch.zeros(5, 2)).shape
        torch.Size([5, 3])
    """

    def __init__(
        self,
        d_in: int,
        d_out: int,
        width: int = 64,
        depth: int = 2,
        activation: Callable[[], nn.Module] = nn.SiLU,
    ) -> None:
        super().__init__()
        if min(d_in, d_out, width) < 1 or depth < 0:
            raise ValueError(
                "d_in, d_out and width must be at least 1 and depth at least 0, "
                f"got d_in={d_in}, d_out={d_out}, width={width}, depth={depth}"
            )
        sizes = [d_in] + [width] * depth
        layers: list[nn.Module] = []
        for a, b in pairwise(sizes):
            layers += [nn.Linear(a, b), activation()]
        self.net = nn.Sequential(*layers, nn.Linear(sizes[-1], d_out))

    def forward(self, x: Float[Tensor, " *b d_in"]) -> Float[Tensor, " *b d_out"]:
        """Map the last axis from `d_in` to `d_out` features; leading axes are a batch."""
        out: Tensor = self.net(x)
        return out
