"""Consistency: one evaluation from any point of a noiseless path to the data where it ends.

Equations are those of Song et al. 2023 (arXiv:2303.01469). MeanFlow (Geng et al. 2025,
arXiv:2505.13447) jumps between any two times of the straight path of flow matching.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.func import jvp

from genlab.core import Event, PerExample, Scalar, expand, last, mean_event, randn, sum_event
from genlab.core.checked import check_public
from genlab.core.tensors import Rng, drawn, require_between
from genlab.score.diffusion import add_noise
from genlab.score.edm import EDM, Denoiser, Preconditioning, edm_precondition, edm_step
from genlab.score.guidance import drop_condition
from genlab.train.fit import EMA

Distance = Callable[[Tensor, Tensor], Tensor]  # (b, *event) twice to (b,)
Average = Callable[[Tensor, Tensor, Tensor], Tensor]  # (x, r, t) to the mean velocity in [r, t]


def consistency_precondition(
    sigma: Float[Tensor, " *b"], *, sigma_data: float, sigma_min: float = 0.0
) -> Preconditioning:
    r"""EDM's scales, but that the smallest level passes its input through untouched (eq. 5).

    $$c_{\text{skip}} = \frac{\sigma_d^2}{(\sigma-\sigma_{\min})^2+\sigma_d^2},\quad
      c_{\text{out}} = \frac{(\sigma-\sigma_{\min})\,\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}}$$

    NaN below the smallest level.
    """
    c = edm_precondition(sigma, sigma_data=sigma_data)
    below = sigma < sigma_min * (1 - 1e-6)  # beyond rounding
    above = (sigma - sigma_min).clamp(min=0).masked_fill(below, math.nan)
    c_out = above * sigma_data / (sigma**2 + sigma_data**2).sqrt()
    return c._replace(c_skip=1 / (1 + (above / sigma_data) ** 2), c_out=c_out)


def consistency_function(
    net: Denoiser, x: Event, sigma: PerExample, *, sigma_data: float, sigma_min: float
) -> Event:
    r"""Consistency function around a raw network F: where the path through x ends (eq. 5).

    $$f(x,\sigma) = c_{\text{skip}}\,x + c_{\text{out}}\,F(c_{\text{in}}\,x,\ c_{\text{noise}}),
      \qquad f(x, \sigma_{\min}) = x$$
    """
    c = consistency_precondition(sigma, sigma_data=sigma_data, sigma_min=sigma_min)
    raw = net(expand(c.c_in, x) * x, c.c_noise)
    return expand(c.c_skip, x) * x + expand(c.c_out, x) * raw


def squared_distance(a: Event, b: Event) -> PerExample:
    r"""Mean square of the difference, $\tfrac1D\lVert a-b\rVert^2$."""
    return mean_event((a - b) ** 2)


def huber_distance(a: Event, b: Event) -> PerExample:
    r"""A distance that outliers cannot dominate (Song and Dhariwal 2023, arXiv:2310.14189, 3.3).

    $$d(a, b) = \sqrt{\lVert a-b\rVert^2 + c^2} - c, \qquad c = 0.00054\sqrt D$$
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
    r"""Distance of the student at one level from the target one step of the teacher below (eq. 7).

    $$\ell = d\big(f_\theta(x_\sigma, \sigma),\ f_{\bar\theta}(\hat x_{\sigma'}, \sigma')\big),
      \qquad x_\sigma = x_0 + \sigma\epsilon$$

    $\bar\theta$ averages the student's past weights and gets no gradient.
    """
    x = add_noise(x0, torch.ones_like(sigma), sigma, eps)
    with torch.no_grad():
        goal = target(edm_step(teacher, x, sigma, sigma_next, order=order), sigma_next)
    return distance(student(x, sigma), goal)


def consistency_sample(
    function: Denoiser,
    x_T: Event,
    levels: Sequence[float],
    *,
    sigma_min: float,
    generator: Rng = None,
) -> Iterator[Event]:
    r"""Sampler: jump to the end of the path; noise that up again, and jump once more (algorithm 1).

    $$x \leftarrow f\Big(x + \sqrt{\sigma_i^2 - \sigma_{\min}^2}\;z,\ \sigma_i\Big)$$

    Yields a sample for each of the falling levels; `x_T` has standard deviation `levels[0]`.
    """
    if list(levels) != sorted(set(levels), reverse=True) or not levels or levels[-1] < sigma_min:
        raise ValueError(f"levels must fall and end above {sigma_min}, got {list(levels)}")
    x = x_T
    for i, level in enumerate(levels):
        if i:
            z = randn(x.shape, like=x, generator=generator)
            x = x + math.sqrt(level**2 - sigma_min**2) * z
        with torch.no_grad():
            x = function(x, x.new_full((len(x),), level))
        yield x


def mean_flow_loss(
    average: Average, x0: Event, eps: Event, r: PerExample, t: PerExample
) -> PerExample:
    r"""Squared error of the MeanFlow identity on straight lines, a mean over the event.

    $$\ell = \tfrac1D\Big\lVert u(x_t, r, t) - \mathrm{sg}\big[v - (t-r)\,(v\cdot\nabla_x u
      + \partial_t u)\big]\Big\rVert^2, \qquad v = \epsilon - x_0$$

    At r = t it is the flow-matching loss (Geng et al. 2025, algorithm 1). ValueError for r > t.
    """
    require_between(0, 1, r=r, t=t)
    if bool((r > t).any()):
        raise ValueError(f"r must be at most t, got r - t up to {float((r - t).max())}")
    x = add_noise(x0, 1 - t, t, eps)
    v = eps - x0
    u, change = jvp(average, (x, r, t), (v, torch.zeros_like(r), torch.ones_like(t)))[:2]
    target = v - expand(t - r, x) * change
    return mean_event((u - target.detach()) ** 2)


class ConsistencyModel(nn.Module):
    """A generator of one evaluation, or a few: EDM's network inside the scales of consistency."""

    def __init__(self, edm: EDM, *, levels: Sequence[float], sigma_min: float) -> None:
        super().__init__()
        self.edm, self.levels, self.sigma_min = edm, tuple(levels), sigma_min
        self.event_shape = edm.event_shape

    def function(self, cond: Int[Tensor, " b"] | None = None) -> Denoiser:
        r"""The consistency function, $(x, \sigma) \mapsto$ clean, for given labels."""
        raw, sigma_data = self.edm.raw(cond), self.edm.sigma_data
        return partial(consistency_function, raw, sigma_data=sigma_data, sigma_min=self.sigma_min)

    def sample(
        self,
        n: int,
        *,
        cond: Int[Tensor, " n"] | None = None,
        generator: Rng = None,
        levels: Sequence[float] | None = None,
    ) -> Event:
        levels = self.levels if levels is None else levels
        f = self.function(cond)
        like = next(self.edm.net.parameters())
        x_T = levels[0] * randn((n, *self.event_shape), like=like, generator=generator)
        jumps = consistency_sample(f, x_T, levels, sigma_min=self.sigma_min, generator=generator)
        return last(jumps)


class Distillation(nn.Module):
    """What `fit` minimises to distil a teacher: `loss`, at levels that fall to the student's least.

    Call `target.update(student)` after each step; `teacher` maps labels to a denoiser.
    """

    sigmas: Tensor

    def __init__(
        self,
        student: ConsistencyModel,
        teacher: Callable[[Tensor | None], Denoiser],
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

    def loss(self, x: Event, *, cond: Tensor | None = None, generator: Rng = None) -> Scalar:
        """Distance at random neighbouring levels, mean over the batch; not nats."""
        here: dict[str, Any] = {"device": x.device, "generator": generator}
        i = drawn(torch.randint, len(self.sigmas) - 1, (len(x),), **here)
        eps, null = randn(x.shape, like=x, generator=generator), self.student.edm.null
        if cond is not None and null is not None:
            u = drawn(torch.rand, len(x), **here)
            cond = drop_condition(cond, u, p_drop=self.p_drop, null=null)
        average = self.target.average.function(cond)
        return consistency_distillation_loss(
            self.student.function(cond), average, self.teacher(cond), x, eps,
            self.sigmas[i], self.sigmas[i + 1], order=self.order, distance=self.distance,
        ).mean()  # fmt: skip


check_public(__name__)
