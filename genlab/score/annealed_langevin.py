r"""Annealed Langevin dynamics: walk down a ladder of noise levels, from easy to true.

$$x \leftarrow x + \eta_i\, s(x, \sigma_i) + \sqrt{2\eta_i}\; z, \qquad \eta_i = r\,\sigma_i^2,
\qquad \sigma_1 > \sigma_2 > \dots > \sigma_L$$

At the largest noise all modes are one hill, so chains share themselves out in the right
proportions; each rung only has to repair what the one above left blurred. One small level alone
never compares two distant modes.

Lesson: notebooks/11_score_matching.ipynb
Sources: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1; Song and Ermon 2020
(arXiv:2006.09011), techniques 1, 2 and 4.
"""

import math
from collections.abc import Callable, Iterator
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core.guards import require_between
from genlab.core.rng import randn
from genlab.core.shapes import Event
from genlab.solvers.mcmc import langevin_step

from .tweedie import x0_from_score

LevelScore: TypeAlias = Callable[[Tensor, Tensor], Tensor]


def noise_ladder(sigma_max: float, sigma_min: float, n_levels: int) -> Float[Tensor, " l"]:
    r"""Noise levels with one ratio from rung to rung.

    $$\sigma_i = \sigma_{\max}\,(\sigma_{\min}/\sigma_{\max})^{(i-1)/(L-1)}$$

    Args:
        sigma_max: about the largest distance between two examples, or the top is no one hill.
        sigma_min: the noise that a sample may still carry, positive.
        n_levels: L, at least 2; see `ladder_overlap`.

    Returns:
        `(l,)`, falling, in torch's default dtype.

    Raises:
        ValueError: the ladder does not lead down, or has fewer than two rungs.

    Example:
        >>> noise_ladder(4.0, 1.0, 3).round(decimals=3)
        tensor([4., 2., 1.])

    Source: Song and Ermon 2019 (arXiv:1907.05600), section 4.1; technique 1 of arXiv:2006.09011.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not 0 < sigma_min < sigma_max:
        raise ValueError(f"need 0 < sigma_min < sigma_max, got {sigma_min:g} and {sigma_max:g}")
    if n_levels < 2:
        raise ValueError(f"n_levels must be at least 2, got {n_levels}")
    return torch.logspace(math.log10(sigma_max), math.log10(sigma_min), n_levels)


def ladder_overlap(ratio: float, d: int) -> float:
    r"""How much of a rung's noise looks like noise of the rung above: choose about a half.

    $$\Phi\big(\sqrt{2D}(\gamma-1) + 3\gamma\big) - \Phi\big(\sqrt{2D}(\gamma-1) - 3\gamma\big)$$

    The length of D-dimensional noise is nearly normal, with mean $\sigma\sqrt D$ and deviation
    $\sigma/\sqrt2$: a thin shell. This is the share within three deviations of the shell above.
    Where shells do not touch, a chain steps onto inputs that the next level was never trained on.

    Args:
        ratio: $\gamma = \sigma_{i}/\sigma_{i+1} \ge 1$.
        d: D, numbers in an example.

    Returns:
        A probability.

    Raises:
        ValueError: `ratio` or `d` is below 1.

    Example:
        >>> round(ladder_overlap(1.36, 64), 2), round(ladder_overlap(1.36, 3072), 2)
        (0.5, 0.0)

    Source: Song and Ermon 2020 (arXiv:2006.09011), technique 2.
    Lesson: notebooks/11_score_matching.ipynb
    """
    require_between(1, math.inf, ratio=ratio, d=d)
    gap, width = math.sqrt(2 * d) * (ratio - 1), 3 * ratio
    phi = torch.special.ndtr(torch.tensor([gap + width, gap - width], dtype=torch.float64))
    return float(phi[0] - phi[1])


def rung_variance(ratio: float, rate: float, n_steps: int) -> float:
    r"""Spread after some steps at one rung, in units of its noise: choose the rate that gives 1.

    $$\frac{v}{\sigma_i^2} = (1-r)^{2n}\Big(\gamma^2 - \frac{1}{1 - r/2}\Big) + \frac{1}{1-r/2}$$

    For data that are a single point, and chains that arrive with the spread of the rung above.

    Args:
        ratio: $\gamma$, the rung above over this one.
        rate: r, step size over $\sigma_i^2$.
        n_steps: n, steps at this rung.

    Returns:
        The variance over $\sigma_i^2$.

    Raises:
        ValueError: `rate` outside (0, 2), where chains diverge, or a negative number.

    Example:
        >>> rung_variance(2.0, 0.5, 0), round(rung_variance(2.0, 0.5, 50), 4)
        (4.0, 1.3333)

    Source: Song and Ermon 2020 (arXiv:2006.09011), proposition 3 and technique 4.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not 0 < rate < 2:
        raise ValueError(f"rate must lie in (0, 2), got {rate:g}")
    require_between(0, math.inf, ratio=ratio, n_steps=n_steps)
    settled = 1 / (1 - rate / 2)
    return (1 - rate) ** (2 * n_steps) * (ratio**2 - settled) + settled


def annealed_langevin(
    score: LevelScore,
    x_T: Event,
    sigmas: Float[Tensor, " l"],
    *,
    rate: float,
    n_steps: int,
    denoise: bool = False,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Langevin chains at each level in turn; the end of one is the start of the next.

    $$x \leftarrow x + r\sigma_i^2\, s(x, \sigma_i) + \sigma_i\sqrt{2r}\; z$$

    The step goes with $\sigma_i^2$, so the drift and the noise of a step keep one proportion on
    the whole ladder. Without `denoise` a sample carries the noise of the lowest rung.

    Args:
        score: $(x, \sigma) \mapsto \nabla\log p_\sigma(x)$ with `sigma` of shape `(b,)`.
        x_T: noise of the highest level, `(b, *event)`.
        sigmas: the ladder, `(l,)`, falling.
        rate: r in (0, 2); the papers' $\epsilon$ is $2r\sigma_L^2$ (2019) or $r\sigma_L^2$ (2020).
        n_steps: steps at each level.
        denoise: end with Tweedie's formula at the last level, one network pass more.
        generator: source of the noise.

    Yields:
        States like `x_T`, one network pass each.

    Raises:
        ValueError: `rate` or `n_steps` is out of range.

    Example:
        >>> run = annealed_langevin(lambda x, s: -x, torch.zeros(3, 2), torch.tensor([2.0, 1.0]),
        ...                         rate=0.1, n_steps=5)
        >>> len(list(run))
        10

    Source: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1; the denoising step is that of
        Song and Ermon 2020 (arXiv:2006.09011), section 6.
    Lesson: notebooks/11_score_matching.ipynb
    """
    if not 0 < rate < 2:
        raise ValueError(f"rate must lie in (0, 2), got {rate:g}")
    require_between(0, math.inf, n_steps=n_steps)
    x, level = x_T, sigmas[-1].expand(len(x_T))
    for sigma in sigmas:
        step_size, level = rate * float(sigma) ** 2, sigma.expand(len(x))
        for _ in range(n_steps):
            with torch.no_grad():
                z = randn(x.shape, like=x, generator=generator)
                x = langevin_step(x, score(x, level), z, step_size=step_size)
            yield x
    if denoise:
        with torch.no_grad():
            x = x0_from_score(x, score(x, level), torch.ones_like(level), level)
        yield x
