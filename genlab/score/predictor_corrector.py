r"""Predictor and corrector: step down in noise, then let Langevin mend the law at that level.

$$x \leftarrow \text{reverse-time step from } t \text{ to } s, \qquad
x \leftarrow x + \eta\,\nabla\log p_s(x) + \sqrt{2\eta}\;z \quad (k \text{ times})$$

The predictor errs by the length of its step. The corrector knows nothing of the step: whatever law
it is given, it pulls towards $p_s$. With the corrector alone on the variance-exploding path this
is annealed Langevin dynamics; with the predictor alone it is the reverse-time equation.

Lesson: notebooks/14_score_sdes.ipynb
Sources: Song et al. 2021 (arXiv:2011.13456), algorithms 1, 4 and 5; Song and Ermon 2019
(arXiv:1907.05600), algorithm 1.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.core import Event, last, randn, sum_event
from genlab.core.guards import require_between
from genlab.solvers.mcmc import langevin_step
from genlab.solvers.ode import require_times
from genlab.solvers.sde import euler_maruyama_step

from .sde import ScoreModel, reverse_drift
from .sde_paths import SDE

StepRule: TypeAlias = Callable[[Tensor, Tensor, Tensor], float]


def snr_step_size(score: Event, z: Event, *, snr: float) -> float:
    r"""Langevin step whose push is a given share of its noise, measured on the batch.

    $$\eta = 2\,\Big(r\,\frac{\overline{\lVert z\rVert}}{\overline{\lVert s\rVert}}\Big)^2$$

    Then the push $\eta\,s$ has r times the mean length of the noise $\sqrt{2\eta}\,z$: the same at
    every level, though scores grow like $1/\sigma$.

    Args:
        score: $\nabla\log p$ at the states, `(b, *event)`.
        z: the noise of this step, like `score`.
        snr: r, positive.

    Returns:
        One number for the batch: norms are averaged over it, as in the published code. (A step for
        each example would depend on the example's own noise, which biases it.)

    Raises:
        ValueError: `snr` is not positive.

    Example:
        >>> snr_step_size(torch.full((2, 1), 4.0), torch.ones(2, 1), snr=0.5)  # 2 (0.5 / 4)^2
        0.03125

    Source: Song et al. 2021 (arXiv:2011.13456), algorithm 4, line 5 ($\epsilon$ there).
    Lesson: notebooks/14_score_sdes.ipynb
    """
    if not snr > 0:
        raise ValueError(f"snr_step_size: snr is {snr}, expected > 0")
    norms = [float(sum_event(v**2).sqrt().mean()) for v in (z, score)]
    return float(2 * (snr * norms[0] / norms[1]) ** 2)


def level_step_size(sigma: Float[Tensor, ""], *, share: float) -> float:
    r"""Langevin step proportional to the variance of the noise: the rule of NCSN.

    $$\eta = c\,\sigma^2$$

    Args:
        sigma: noise scale of the level.
        share: c, positive. NCSN's $\epsilon$ at its lowest level L is $2c\,\sigma_L^2$.

    Returns:
        One number.

    Raises:
        ValueError: `share` is not positive.

    Example:
        >>> level_step_size(torch.tensor(2.0), share=0.5)
        2.0

    Source: Song and Ermon 2019 (arXiv:1907.05600), algorithm 1, line 3.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    if not share > 0:
        raise ValueError(f"level_step_size: share is {share}, expected > 0")
    return float(share * sigma**2)


def correct(
    score: ScoreModel,
    x: Event,
    t: Float[Tensor, ""],
    *,
    n_steps: int,
    step_size: StepRule,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Corrector: Langevin steps towards $p_t$, the time standing still.

    $$x \leftarrow x + \eta\,\nabla\log p_t(x) + \sqrt{2\eta}\;z$$

    Args:
        score: $(x, t) \mapsto \nabla\log p_t(x)$ with `t` of shape `(b,)`.
        x: states, `(b, *event)`.
        t: the time, `()`.
        n_steps: Langevin steps, one evaluation of the score each.
        step_size: $(t, s, z) \mapsto \eta$, see `snr_step_size` and `level_step_size`.
        generator: source of the noise.

    Yields:
        The states after each step, without gradients.

    Source: Song et al. 2021 (arXiv:2011.13456), algorithms 4 and 5, lines 6 to 8.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    require_between(0, math.inf, n_steps=n_steps)
    for _ in range(n_steps):
        z = randn(x.shape, like=x, generator=generator)
        with torch.no_grad():
            slope = score(x, t.expand(len(x)))
            x = langevin_step(x, slope, z, step_size=step_size(t, slope, z))
        yield x


def predictor_corrector_sample(
    sde: SDE,
    score: ScoreModel,
    x_T: Event,
    ts: Float[Tensor, " n"],
    *,
    n_corrector: int = 1,
    step_size: StepRule | None = None,
    predict: bool = True,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Sampler: at each time a reverse-time step (the predictor), then Langevin (the corrector).

    $$x_s = x_t + (s-t)\big[a\,x_t - g^2 s_\theta(x_t, t)\big] + g\sqrt{t-s}\,z, \quad
    \text{then } k \text{ times } x_s \leftarrow x_s + \eta\,s_\theta(x_s, s) + \sqrt{2\eta}\,z$$

    Args:
        sde: the forward equation.
        score: $(x, t) \mapsto \nabla\log p_t(x)$ with `t` of shape `(b,)`.
        x_T: draws from the law at `ts[0]`, `(b, *event)`.
        ts: times, falling.
        n_corrector: k, Langevin steps at each time but the first.
        step_size: $(t, s, z) \mapsto \eta$; `snr_step_size` with r = 0.16 when None.
        predict: False leaves the predictor out: annealed Langevin on the levels of `ts[1:]`.
        generator: source of the noise.

    Yields:
        The states at each of the n times, `x_T` first; 1 + k evaluations of the score a step.

    Raises:
        ValueError: `ts` is no path of times, or `n_corrector` is negative.

    Example:
        >>> from genlab.score.sde_paths import VP
        >>> ts = torch.linspace(1, 0.1, 5)
        >>> len(list(predictor_corrector_sample(VP(), lambda x, t: -x, torch.ones(3, 2), ts)))
        5

    Source: Song et al. 2021 (arXiv:2011.13456), algorithm 1 and appendix G.
    Lesson: notebooks/14_score_sdes.ipynb
    """
    require_times(ts)
    if n_corrector < 0:
        raise ValueError(f"n_corrector is {n_corrector}, expected at least 0")
    rule = step_size or (lambda t, s, z: snr_step_size(s, z, snr=0.16))

    def drift(t: Tensor, x: Tensor) -> Tensor:
        with torch.no_grad():
            return reverse_drift(sde, score, x, t.expand(len(x)))

    def mend(x: Tensor, s: Tensor) -> Tensor:
        steps = correct(score, x, s, n_steps=n_corrector, step_size=rule, generator=generator)
        return last(steps) if n_corrector else x

    def states() -> Iterator[Tensor]:
        x = x_T
        yield x
        for t, s in pairwise(ts):
            if predict:
                z = randn(x.shape, like=x, generator=generator)
                x = euler_maruyama_step(drift, sde.strength, t, s, x, z)
            x = mend(x, s)
            yield x

    return states()
