r"""The shells around consistency: a generator of one pass, and the pair that trains it.

$$x_0 = f_\theta(\sigma_{\max}\,\epsilon,\ \sigma_{\max}), \qquad
\bar\theta \leftarrow \mu\,\bar\theta + (1-\mu)\,\theta$$

The student has the teacher's network and starts as its copy. Its goal is set by an average of its
own past weights: with the newest ones instead, goal and guess would chase each other.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Source: Song, Dhariwal, Chen and Sutskever 2023 (arXiv:2303.01469), eq. 7 and 8, algorithms 1 and 2.
"""

from collections.abc import Callable, Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.iterate import last
from genlab.core.rng import randn
from genlab.core.shapes import Event
from genlab.nn.ema import EMA

from .consistency import (
    Distance,
    consistency_distillation_loss,
    consistency_function,
    consistency_sample,
    huber_distance,
)
from .edm import Denoiser
from .edm_model import EDM
from .guidance import drop_condition

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
