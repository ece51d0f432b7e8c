r"""Integrals over a line, good enough to check every one-dimensional formula of the course.

$$\int f(x)\,dx \approx \sum_i \tfrac12 (f_i + f_{i+1})(x_{i+1} - x_i)$$

On a smooth density that vanishes at both ends the trapezoidal rule converges faster than any
power of the step: with ten points in each standard deviation what is left is rounding.

Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
Source: Trefethen and Weideman 2014, SIAM Review 56, section 5 (why it is that accurate).
"""

import torch
from jaxtyping import Float
from torch import Tensor


def integrate(values: Float[Tensor, " *b n"], x: Float[Tensor, " n"]) -> Float[Tensor, " *b"]:
    r"""Integral of a function given on a grid.

    $$\int f(x)\,dx$$

    Args:
        values: f at the grid points, `(*b, n)`.
        x: the grid, `(n,)`, rising.

    Returns:
        `(*b,)`.

    Example:
        >>> x = torch.linspace(0, 1, 101)
        >>> integrate(x, x)
        tensor(0.5000)

    Source: Trefethen and Weideman 2014, eq. 5.1.
    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """
    return torch.trapezoid(values, x)


def kl_on_grid(
    log_p: Float[Tensor, " *b n"], log_q: Float[Tensor, " *b n"], x: Float[Tensor, " n"]
) -> Float[Tensor, " *b"]:
    r"""Divergence between two densities on a line, by quadrature.

    $$\mathrm{KL}(p\,\|\,q) = \int p(x) \log\frac{p(x)}{q(x)}\,dx$$

    Args:
        log_p: log-density that the average is taken under, `(*b, n)`; may be minus infinity.
        log_q: the other one, `(*b, n)`.
        x: the grid, `(n,)`, rising, wide and fine enough for `log_p`.

    Returns:
        `(*b,)`, in nats.

    Raises:
        ValueError: p does not integrate to 1 on this grid (within 1e-3).

    Example:
        >>> x = torch.linspace(-8, 8, 201)
        >>> kl_on_grid(-x**2 / 2 - 0.9189385, -(x - 1)**2 / 2 - 0.9189385, x)
        tensor(0.5000)

    Source: Cover and Thomas, Elements of Information Theory, 2nd ed., eq. 8.46.
    Lesson: notebooks/03_maximum_likelihood_and_kl.ipynb
    """
    p = log_p.exp()
    mass = integrate(p, x)
    if not bool(((mass - 1).abs() < 1e-3).all()):
        worst = float(mass.flatten()[(mass - 1).abs().argmax()])
        raise ValueError(f"kl_on_grid: p integrates to {worst:.4g} on this grid, expected 1")
    return integrate(torch.where(p > 0, p * (log_p - log_q), 0.0), x)
