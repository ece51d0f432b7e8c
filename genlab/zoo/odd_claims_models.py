r"""The odd claims, trained: diffusion in one pass, and digits of many tokens at a time.

$$\text{digit\_edm} \xrightarrow{\ \text{distil}\ } \text{digit\_consistency}: 1 \text{ pass},
\qquad \text{digit\_masked\_diffusion}: K \text{ passes for 64 tokens}$$

Each card says what the claim costs: the distance from held-out digits for each number of passes,
and the kind of likelihood that is left.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Sources: Song et al. 2023 (arXiv:2303.01469); Sahoo et al. 2024 (arXiv:2406.07524).
"""

import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Generator, Tensor

from genlab.core.tensors import last, randn
from genlab.core.weights import read_card
from genlab.data.digits import load_digits
from genlab.score.consistency import ConsistencyModel
from genlab.score.edm import EDM, edm_sample
from genlab.train import Run
from genlab.zoo.cards import Figures, default_dtype, digit_distance, held_out_bits
from genlab.zoo.digit_consistency import (
    EDMRecipe,
    Recipe,
    digit_consistency,
    digit_edm,
    distil_digits,
    student_levels,
    teacher_levels,
    train_digit_edm,
)
from genlab.zoo.digit_diffusion import to_levels
from genlab.zoo.digit_masked import MaskedDiffusion, digit_masked, train_digit_masked
from genlab.zoo.digit_masked import Recipe as MaskedRecipe
from genlab.zoo.lessons import DIGITS, digits_digest
from genlab.zoo.train import Training, load

TEACHER_PASSES = (1, 2, 8, 32)
STUDENT_PASSES = (1, 2, 4)
MASKED_PASSES = (1, 4, 16, 64)

Draw = Callable[[int, Generator], Tensor]


def draw_teacher(model: EDM, n_passes: int) -> Draw:
    """Digits of every class alike, by Euler's method (DDIM) along the teacher's paths.

    Args:
        model: the teacher.
        n_passes: steps, one network pass each.

    Returns:
        `(n, generator)` to grey levels 0..16.
    """

    def draw(n: int, generator: Generator) -> Tensor:
        with default_dtype(torch.float32), torch.no_grad():
            edm, sigmas = copy.deepcopy(model).float(), teacher_levels(n_passes)
            x_T = sigmas[0] * randn((n, *edm.event_shape), generator=generator)
            denoiser = edm.denoiser(torch.arange(n) % 10)
            return to_levels(last(edm_sample(denoiser, x_T, sigmas, order=1)))

    return draw


def draw_student(model: ConsistencyModel, n_passes: int) -> Draw:
    """Digits of every class alike, by jumps of the student.

    Args:
        model: the student.
        n_passes: jumps, one network pass each.

    Returns:
        `(n, generator)` to grey levels 0..16.
    """

    def draw(n: int, generator: Generator) -> Tensor:
        with default_dtype(torch.float32):
            student = copy.deepcopy(model).float()
            labels, levels = torch.arange(n) % 10, student_levels(n_passes)
            return to_levels(student.sample(n, cond=labels, generator=generator, levels=levels))

    return draw


def draw_masked(model: MaskedDiffusion, n_passes: int) -> Draw:
    """Digits by masked diffusion.

    Args:
        model: the masked diffusion.
        n_passes: steps, one network pass each.

    Returns:
        `(n, generator)` to grey levels 0..16.
    """

    def draw(n: int, generator: Generator) -> Tensor:
        with default_dtype(torch.float32):
            single = copy.deepcopy(model).float()
            return single.sample(n, generator=generator, n_steps=n_passes)

    return draw


def _distances(draw_in: Callable[[int], Draw], passes: tuple[int, ...], who: str = "") -> Figures:
    """The distance for each number of passes, under a name that says how many."""
    found = {n: digit_distance(draw_in(n))["frechet"] for n in passes}
    return {f"{who}frechet_{n}_pass{'es' if n > 1 else ''}": v for n, v in found.items()}


def _teacher() -> EDM:
    edm: EDM = load(TEACHER)
    return edm


def _measure_teacher(model: EDM) -> Figures:
    return _distances(partial(draw_teacher, model), TEACHER_PASSES)


def _measure_student(model: ConsistencyModel) -> Figures:
    own = _distances(partial(draw_student, model), STUDENT_PASSES)
    return own | _distances(partial(draw_teacher, _teacher()), TEACHER_PASSES, "teacher_")


def _measure_masked(model: MaskedDiffusion) -> Figures:
    bits = held_out_bits(model, load_digits("test").images)
    return bits | _distances(partial(draw_masked, model), MASKED_PASSES)


def _distil(model: ConsistencyModel, recipe: Recipe) -> Run:
    return distil_digits(model, _teacher(), *load_digits("train"), recipe)


def _teacher_digest() -> str:
    """Name the digits and the teacher's weights."""
    return f"{digits_digest()}, teacher {read_card(TEACHER.path)['sha256'][:16]}"


TEACHER = Training(
    name="digit_edm",
    what="diffusion of the digits in EDM's terms: the teacher of digit_consistency",
    lesson=15,
    seconds=60,
    settings=EDMRecipe(),
    build=digit_edm,
    start=lambda model, recipe: train_digit_edm(model, *load_digits("train"), recipe),
    measure=_measure_teacher,
    data=DIGITS,
    digest=digits_digest,
    dtype=torch.float16,
)

TRAININGS: tuple[Training, ...] = (
    TEACHER,
    Training(
        name="digit_consistency",
        what="digits in one pass, by consistency distillation of digit_edm",
        lesson=15,
        seconds=120,
        settings=Recipe(),
        build=lambda recipe: digit_consistency(),
        start=_distil,
        measure=_measure_student,
        data=f"{DIGITS}; the teacher digit_edm",
        digest=_teacher_digest,
        dtype=torch.float16,
    ),
    Training(
        name="digit_masked_diffusion",
        what="masked diffusion of the digits: pixels appear many at a time",
        lesson=15,
        seconds=90,
        settings=MaskedRecipe(),
        build=digit_masked,
        start=lambda model, recipe: train_digit_masked(model, load_digits("train").images, recipe),
        measure=_measure_masked,
        data=DIGITS,
        digest=digits_digest,
        dtype=torch.float16,
    ),
)
