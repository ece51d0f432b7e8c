r"""A finite data set taken at its word: the distribution that a perfect memoriser learns.

$$p(x) = \tfrac1N \sum_i \delta(x - x_i), \qquad
\mathbb E[x_0 \mid x_t] = \sum_i \operatorname{softmax}_i\Big(
-\frac{\lVert x_t - \alpha x_i\rVert^2}{2\sigma^2}\Big)\, x_i$$

Point masses have no density, so this class has no `log_prob`; its noised version is a mixture
of normals and has one. A denoiser trained to the very optimum on N examples is this function,
and it can only ever give them back.

Lesson: notebooks/12_diffusion_i.ipynb
Source: Karras et al. 2022 (arXiv:2206.00364), appendix B.3, eq. 57.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from genlab.core import expand, mean_event, sum_event
from genlab.oracles.mixture import GaussianMixture


@final
@dataclass(frozen=True)
class Empirical:
    r"""Equal point masses on a finite set of examples.

    Args:
        points: the examples, `(n, *event)`, at least one.

    Raises:
        ValueError: there are no points.

    Example:
        >>> data = Empirical(torch.tensor([[-1.0], [1.0]]))
        >>> data.denoiser(torch.tensor([[0.0]]), alpha=1.0, sigma=0.5)
        tensor([[0.]])

    Lesson: notebooks/12_diffusion_i.ipynb
    """

    points: Float[Tensor, " n *event"]

    def __post_init__(self) -> None:
        if self.points.ndim < 1 or len(self.points) == 0:
            raise ValueError(
                f"Empirical: points have shape {tuple(self.points.shape)}, expected at least one"
            )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.points.shape[1:])

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: torch.Generator | None = None
    ) -> Float[Tensor, " n *event"]:
        """Draw points with replacement (or take `cond`, `(n,)`, as their indices)."""
        if cond is None:
            cond = torch.randint(len(self.points), (n,), generator=generator)
        return self.points[cond]

    def noised(self, alpha: float, sigma: float) -> GaussianMixture:
        r"""Distribution of $x_t = \alpha x_0 + \sigma\epsilon$, over flattened examples.

        It is the kernel density estimate of the scaled points with bandwidth $\sigma$.
        """
        flat = self.points.flatten(1)
        n = len(flat)
        ones = torch.ones(n, dtype=flat.dtype, device=flat.device)
        return GaussianMixture(ones / n, alpha * flat, sigma * ones)

    def denoiser(
        self, x_t: Float[Tensor, " b *event"], alpha: Tensor | float, sigma: Tensor | float
    ) -> Float[Tensor, " b *event"]:
        r"""Weighted average of the points: the displayed equation at the top of this file.

        Args:
            x_t: noisy examples, `(b, *event)`.
            alpha: signal scale, one number or `(b,)`.
            sigma: noise scale, one number or `(b,)`, positive.

        Returns:
            Posterior means, `(b, *event)`, inside the convex hull of the points.
        """
        alpha = expand(torch.as_tensor(alpha, dtype=x_t.dtype), x_t)
        sigma = torch.as_tensor(sigma, dtype=x_t.dtype).reshape(-1, 1)
        gaps = [sum_event((x_t - alpha * point) ** 2) for point in self.points]
        weights = (-torch.stack(gaps, 1) / (2 * sigma**2)).softmax(1)
        return (weights @ self.points.flatten(1)).reshape(x_t.shape)

    def nearest(self, x: Float[Tensor, " b *event"]) -> Float[Tensor, " b"]:
        """Root mean square distance to the closest point, `(b,)`: zero for a copy."""
        gaps = torch.stack([mean_event((x - point) ** 2) for point in self.points], 1)
        return gaps.min(1).values.sqrt()
