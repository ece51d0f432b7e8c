r"""Consistency: one pass from any point of a noiseless path to the data where that path ends.

$$f(x_\sigma, \sigma) = x_0 \quad\text{for all points } x_\sigma \text{ of one path}, \qquad
f(x, \sigma_{\min}) = x$$

The probability flow leads every noisy point to one clean example. A sampler walks there in many
passes; a consistency function is told only that neighbours on a path have the same end, and that a
clean example is its own. By induction from the clean end it learns the whole way. What is lost is
the likelihood: a one-pass sampler with no change of variables to read a density from.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Sources: Song, Dhariwal, Chen and Sutskever 2023 (arXiv:2303.01469), eq. 5 to 8, algorithms 1 and 2;
Song and Dhariwal 2023 (arXiv:2310.14189), section 3.3 (the robust distance).
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import (
    Event,
    PerExample,
    expand,
    last,
    mean_event,
    randn,
    require_between,
    require_positive,
    sum_event,
)
from genlab.oracles.continuous import GaussianMixture
from genlab.score.diffusion import add_noise
from genlab.score.edm import EDM, Denoiser, Preconditioning
from genlab.score.exact import exact_flow_1d
from genlab.score.guidance import drop_condition
from genlab.train.fit import EMA

Distance = Callable[[Tensor, Tensor], Tensor]  # (b, *event) twice to (b,)


def consistency_precondition(
    sigma: Float[Tensor, " *b"], *, sigma_data: float, sigma_min: float = 0.0
) -> Preconditioning:
    r"""EDM's scales, bent so that the smallest level passes its input through untouched.

    $$c_{\text{skip}} = \frac{\sigma_d^2}{(\sigma-\sigma_{\min})^2+\sigma_d^2},\quad
      c_{\text{out}} = \frac{(\sigma-\sigma_{\min})\,\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{in}} = \frac1{\sqrt{\sigma^2+\sigma_d^2}},\quad
      c_{\text{noise}} = \tfrac14\log\sigma$$

    At $\sigma_{\min}$, $c_{\text{skip}} = 1$ and $c_{\text{out}} = 0$: the boundary condition holds
    for every network. Without it a function that answers 0 everywhere is perfectly consistent.

    Args:
        sigma: noise levels, at least `sigma_min`.
        sigma_data: $\sigma_d$, standard deviation of the data.
        sigma_min: the level that counts as clean; 0 gives EDM's own scales.

    Returns:
        The four scales.

    Raises:
        ValueError: a level below `sigma_min`.

    Example:
        >>> c = consistency_precondition(torch.tensor(0.1), sigma_data=0.5, sigma_min=0.1)
        >>> float(c.c_skip), float(c.c_out)
        (1.0, 0.0)

    Source: Song et al. 2023 (arXiv:2303.01469), eq. 5 and appendix C.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    require_positive(sigma_data=sigma_data)
    require_between(sigma_min * (1 - 1e-6), math.inf, sigma=sigma)
    above, total = (sigma - sigma_min).clamp(min=0), sigma**2 + sigma_data**2
    c_skip = 1 / (1 + (above / sigma_data) ** 2)
    return Preconditioning(
        c_skip, above * sigma_data / total.sqrt(), 1 / total.sqrt(), sigma.log() / 4
    )


def consistency_function(
    net: Denoiser, x: Event, sigma: PerExample, *, sigma_data: float, sigma_min: float
) -> Event:
    r"""The consistency function around a raw network.

    $$f(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}\,x,\ c_{\text{noise}}),
      \qquad f(x, \sigma_{\min}) = x$$

    Args:
        net: F, $(c_{\text{in}} x, c_{\text{noise}}) \mapsto$ like x.
        x: noisy data $x_0 + \sigma\epsilon$, `(b, *event)`.
        sigma: noise level of each, `(b,)`, at least `sigma_min`.
        sigma_data: standard deviation of the data.
        sigma_min: the level that counts as clean, positive.

    Returns:
        Where the path through `x` ends, like `x`.

    Raises:
        ValueError: a level below `sigma_min`.

    Example:
        >>> x, sigma = torch.ones(2, 1), torch.tensor([0.1, 0.6])
        >>> consistency_function(lambda x, c: 0 * x, x, sigma, sigma_data=0.5, sigma_min=0.1)
        tensor([[1.0000],
                [0.5000]])

    Source: Song et al. 2023 (arXiv:2303.01469), eq. 5.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    c = consistency_precondition(sigma, sigma_data=sigma_data, sigma_min=sigma_min)
    raw = net(expand(c.c_in, x) * x, c.c_noise)
    return expand(c.c_skip, x) * x + expand(c.c_out, x) * raw


def path_step(
    denoiser: Denoiser, x: Event, sigma: PerExample, sigma_next: PerExample, *, order: int = 2
) -> Event:
    r"""`edm_step` with levels of each example's own: along the teacher's path to a lower level.

    $$\hat x_{\sigma'} = x + (\sigma'-\sigma)\,\tfrac12(d + d'), \qquad
      d = \frac{x - D(x,\sigma)}{\sigma}$$

    Args:
        denoiser: the teacher, $(x, \sigma) \mapsto \hat x_0$.
        x: states, `(b, *event)`.
        sigma: their levels, `(b,)`.
        sigma_next: lower levels, `(b,)`, positive.
        order: 2 for Heun (two passes), 1 for Euler, which is DDIM (one).

    Returns:
        Like `x`.

    Raises:
        ValueError: a level that does not fall, or another order.

    Example:
        >>> levels = torch.tensor([2.0, 4.0]), torch.tensor([1.0, 1.0])
        >>> path_step(lambda x, s: 0 * x, torch.ones(2, 1), *levels).flatten()
        tensor([0.5000, 0.2500])

    Source: Song et al. 2023 (arXiv:2303.01469), eq. 6; Karras et al. 2022 (arXiv:2206.00364),
        algorithm 1.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order}")
    if not bool(((sigma_next > 0) & (sigma_next < sigma)).all()):
        raise ValueError("a step must lower the noise, to a level above 0")
    step = expand(sigma_next - sigma, x)
    slope = (x - denoiser(x, sigma)) / expand(sigma, x)
    ahead = x + step * slope
    if order == 1:
        return ahead
    slope_ahead = (ahead - denoiser(ahead, sigma_next)) / expand(sigma_next, x)
    return x + step * (slope + slope_ahead) / 2


def squared_distance(a: Event, b: Event) -> PerExample:
    r"""Mean square of the difference, $\tfrac1D\lVert a-b\rVert^2$."""
    return mean_event((a - b) ** 2)


def huber_distance(a: Event, b: Event) -> PerExample:
    r"""A distance that outliers cannot dominate: square near 0, straight far away.

    $$d(a, b) = \sqrt{\lVert a-b\rVert^2 + c^2} - c, \qquad c = 0.00054\sqrt D$$

    Args:
        a: `(b, *event)`.
        b: like `a`.

    Returns:
        `(b,)`, 0 exactly where both are equal; no nats.

    Example:
        >>> bool(huber_distance(torch.ones(1, 2), torch.tensor([[4.0, 5.0]])) < 5)
        True

    Source: Song and Dhariwal 2023 (arXiv:2310.14189), section 3.3.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    c = 0.00054 * math.sqrt(math.prod(a.shape[1:]))
    return (sum_event((a - b) ** 2) + c**2).sqrt() - c


def consistency_distillation_loss(
    student: Denoiser,
    target: Denoiser,
    teacher: Denoiser,
    x0: Event,
    eps: Event,
    sigma: PerExample,
    sigma_next: PerExample,
    *,
    order: int = 2,
    distance: Distance = squared_distance,
) -> PerExample:
    r"""Neighbours on the teacher's path must end at the same place.

    $$\ell = d\big(f_\theta(x_\sigma, \sigma),\ f_{\bar\theta}(\hat x_{\sigma'}, \sigma')\big),
      \qquad x_\sigma = x_0 + \sigma\epsilon$$

    $\hat x_{\sigma'}$ is one solver step of the teacher from $x_\sigma$; $\bar\theta$ is an average
    of the student's past weights, and no gradient flows through it: the cleaner side is the
    teacher of the noisier one, never the other way. Zero, up to the solver's error, exactly for
    the end of the teacher's path; the weight of each level is 1.

    Args:
        student: $f_\theta$, $(x, \sigma) \mapsto$ clean.
        target: $f_{\bar\theta}$.
        teacher: denoiser of the diffusion model.
        x0: data, `(b, *event)`.
        eps: standard normal noise, like `x0`.
        sigma: level of each, `(b,)`.
        sigma_next: the next lower level of each, `(b,)`.
        order: of the teacher's step.
        distance: d.

    Returns:
        `(b,)`; no nats.

    Example:
        >>> end = lambda x, s: 0 * x  # data that are all 0: every path ends there
        >>> consistency_distillation_loss(end, end, end, torch.zeros(1, 2), torch.ones(1, 2),
        ...                               torch.tensor([2.0]), torch.tensor([1.0]))
        tensor([0.])

    Source: Song et al. 2023 (arXiv:2303.01469), eq. 7 with weight 1, algorithm 2.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    x = add_noise(x0, torch.ones_like(sigma), sigma, eps)
    with torch.no_grad():
        goal = target(path_step(teacher, x, sigma, sigma_next, order=order), sigma_next)
    return distance(student(x, sigma), goal)


def consistency_sample(
    function: Denoiser,
    x_T: Event,
    levels: Sequence[float],
    *,
    sigma_min: float,
    generator: Generator | None = None,
) -> Iterator[Event]:
    r"""Sampler: jump to the end of the path; noise that up again, and jump once more.

    $$x \leftarrow f\Big(x + \sqrt{\sigma_i^2 - \sigma_{\min}^2}\;z,\ \sigma_i\Big)$$

    With one level it is a one-pass generator. Each further level costs a pass, and repairs what the
    longer jump before it got wrong.

    Args:
        function: f.
        x_T: noise of standard deviation `levels[0]` (not 1), `(b, *event)`.
        levels: decreasing, above `sigma_min`.
        sigma_min: the level of what f returns.
        generator: source of the fresh noise, not used for the first level.

    Yields:
        Samples like `x_T`, one network pass each.

    Raises:
        ValueError: levels that do not fall, or end below `sigma_min`.

    Example:
        >>> jumps = consistency_sample(lambda x, s: 0 * x, torch.ones(2, 3), (80.0, 1.0),
        ...                            sigma_min=0.002)
        >>> len(list(jumps))
        2

    Source: Song et al. 2023 (arXiv:2303.01469), algorithm 1.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if list(levels) != sorted(set(levels), reverse=True) or not levels or levels[-1] < sigma_min:
        raise ValueError(f"levels must fall and end above {sigma_min}, got {list(levels)}")
    x = x_T
    for i, level in enumerate(levels):
        with torch.no_grad():
            if i:
                z = randn(x.shape, like=x, generator=generator)
                x = x + math.sqrt(level**2 - sigma_min**2) * z
            x = function(x, torch.full((len(x),), level, dtype=x.dtype, device=x.device))
        yield x


def exact_consistency_1d(
    law: GaussianMixture, x: Float[Tensor, " n 1"], sigma: PerExample, *, sigma_min: float
) -> Float[Tensor, " n 1"]:
    r"""The consistency function of a law on the line: a noiseless path keeps its quantile.

    $$f(x, \sigma) = F_{\sigma_{\min}}^{-1}\big(F_\sigma(x)\big)$$

    What distillation would reach with a perfect teacher and a perfect student; no solver is
    involved.

    Args:
        law: a mixture on the line.
        x: points of the noised law.
        sigma: their levels.
        sigma_min: the level that counts as clean.

    Returns:
        The ends of their paths, like `x`. Beyond eight standard deviations the quantile is out of
        a double's reach, and the end is that of the nearest one within.

    Raises:
        ValueError: the law is not on the line.

    Example:
        >>> law = GaussianMixture(torch.ones(1), torch.zeros(1, 1), torch.ones(1))
        >>> end = exact_consistency_1d(law, torch.ones(1, 1), torch.tensor([1.0]), sigma_min=1e-3)
        >>> round(float(end), 3)  # one of sqrt(2) standard deviations, of one
        0.707

    Source: Song et al. 2023 (arXiv:2303.01469), section 3, definition; `exact_flow_1d`.
    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    if law.event_shape != (1,):
        raise ValueError(f"the law has shape {law.event_shape}, expected one on the line")
    spread = (law.stds**2 + sigma[:, None] ** 2).sqrt()
    u = torch.special.ndtr((x - law.means[:, 0]) / spread) @ law.weights
    tiny = torch.finfo(u.dtype).eps
    return exact_flow_1d(law, u.clamp(tiny, 1 - tiny), 1.0, sigma_min)


Teacher = Callable[[Tensor | None], Denoiser]  # labels to a denoiser, such as `EDM.denoiser`


@final
class ConsistencyModel(nn.Module):
    r"""A generator of one pass, or a few: EDM's network inside the scales of consistency.

    It has no likelihood: the map from noise to data is known, its inverse and its Jacobian are not.

    Args:
        edm: whose network, event shape and labels are used; its own scales are not.
        levels: of the noise, for the passes of `sample`; the first is the widest.
        sigma_min: the level that counts as clean.

    Example:
        >>> from genlab.nn.unet import UNet, UNetConfig
        >>> edm = EDM(UNet(UNetConfig(width=8)), event_shape=(1, 8, 8), sigma_data=0.5)
        >>> ConsistencyModel(edm, levels=(20.0, 1.0), sigma_min=0.02).sample(2).shape
        torch.Size([2, 1, 8, 8])
    """

    def __init__(
        self,
        edm: EDM,
        *,
        levels: Sequence[float],
        sigma_min: float,
    ) -> None:
        super().__init__()
        self.edm, self.levels, self.sigma_min = edm, tuple(levels), sigma_min
        self.event_shape = edm.event_shape

    def function(self, cond: Int[Tensor, " b"] | None = None) -> Denoiser:
        r"""The consistency function, $(x, \sigma) \mapsto$ clean, for given labels."""
        net, scales = self.edm.raw(cond), {"sigma_data": self.edm.sigma_data}
        return lambda x, sigma: consistency_function(
            net, x, sigma, sigma_min=self.sigma_min, **scales
        )

    @torch.no_grad()
    def sample(
        self,
        n: int,
        *,
        cond: Int[Tensor, " n"] | None = None,
        generator: Generator | None = None,
        levels: Sequence[float] | None = None,
    ) -> Event:
        """Draw `n` examples: one pass for each level."""
        levels = self.levels if levels is None else levels
        like = next(self.edm.net.parameters())
        x_T = levels[0] * randn((n, *self.event_shape), like=like, generator=generator)
        function = self.function(cond)
        return last(
            consistency_sample(function, x_T, levels, sigma_min=self.sigma_min, generator=generator)
        )


@final
class Distillation(nn.Module):
    """What `fit` minimises: the student's distance from its own average, a teacher's step on.

    Whoever trains it calls `target.update(student)` after each step.

    Args:
        student: trained in place.
        teacher: a trained model's `denoiser`; nothing here changes it.
        sigmas: noise levels, decreasing to the student's `sigma_min`.
        order: of the teacher's step.
        target_decay: of the average that sets the goal.
        p_drop: share of labels withheld, when there are labels.
        distance: between the student's guess and its goal.
    """

    sigmas: Tensor

    def __init__(
        self,
        student: ConsistencyModel,
        teacher: Teacher,
        sigmas: Float[Tensor, " n"],
        *,
        order: int = 2,
        target_decay: float = 0.95,
        p_drop: float = 0.1,
        distance: Distance = huber_distance,
    ) -> None:
        super().__init__()
        self.student, self.teacher = student, teacher
        self.target = EMA(student, target_decay)  # no submodule: nothing trains it
        self.order, self.p_drop, self.distance = order, p_drop, distance
        self.register_buffer("sigmas", sigmas)

    def loss(
        self, x: Event, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Distance at random neighbouring levels, mean over the batch; not nats."""
        i = torch.randint(len(self.sigmas) - 1, (len(x),), generator=generator)
        eps = randn(x.shape, like=x, generator=generator)
        null = self.student.edm.null
        if cond is not None and null is not None:
            u = torch.rand(len(x), generator=generator)
            cond = drop_condition(cond, u, p_drop=self.p_drop, null=null)
        return consistency_distillation_loss(
            self.student.function(cond),
            self.target.average.function(cond),
            self.teacher(cond),
            x,
            eps,
            self.sigmas[i],
            self.sigmas[i + 1],
            order=self.order,
            distance=self.distance,
        ).mean()
