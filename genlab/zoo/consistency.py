"""A generator of one pass that is distilled from `digit_edm` (lesson 15)."""

from dataclasses import replace
from functools import partial

import torch
from torch import Generator, Tensor

from genlab.core.weights import read_card
from genlab.data.digits import N_CLASSES, from_unit
from genlab.score.consistency import ConsistencyModel, Distillation
from genlab.score.edm import EDM, edm_sigmas
from genlab.train import Hooks, Run
from genlab.zoo.cards import Draw, Figures, distances, in_single
from genlab.zoo.edm import SIGMA_MAX, SIGMA_MIN, TEACHER, measure_teacher
from genlab.zoo.recipe import Plan, Recipe, by_loss
from genlab.zoo.sources import DIGITS, digits_digest, scaled_digits

LEVELS = {1: (SIGMA_MAX,), 2: (SIGMA_MAX, 0.4), 4: (SIGMA_MAX, 1.0, 0.4, 0.2)}


def student_of(teacher: EDM) -> ConsistencyModel:
    """An untrained student, with the teacher as its network; it draws in one pass."""
    return ConsistencyModel(teacher, levels=(SIGMA_MAX,), sigma_min=SIGMA_MIN)


def distil(
    student: ConsistencyModel,
    x: Tensor,
    cond: Tensor,
    teacher: EDM | None = None,
    *,
    plan: Plan,
    n_levels: int,
    order: int,
    target_decay: float,
    p_drop: float,
) -> Run:
    """Distil a teacher (`digit_edm`) into a student that starts as its copy (arXiv:2303.01469)."""
    there = next(student.parameters()).device
    teacher = TEACHER.load().to(there) if teacher is None else teacher.eval()
    student.edm.load_state_dict(teacher.state_dict())
    levels = edm_sigmas(n_levels, sigma_min=student.sigma_min, sigma_max=SIGMA_MAX)[:-1]
    pair = Distillation(
        student, teacher.denoiser, levels, order=order, target_decay=target_decay, p_drop=p_drop
    ).to(there)
    hooks = Hooks(after=lambda _: pair.target.update(student), keep={"target": pair.target})
    return by_loss(pair, x, cond, plan=replace(plan, hooks=hooks))


def student_levels(n_passes: int) -> tuple[float, ...]:
    """Noise levels of the student's jumps, chosen on the validation images."""
    if n_passes not in LEVELS:
        raise ValueError(f"levels are known for {sorted(LEVELS)} passes, got {n_passes}")
    return LEVELS[n_passes]


def draw_student(model: ConsistencyModel, n_passes: int) -> Draw:
    """Grey levels of every class alike, by jumps of the student."""
    levels = student_levels(n_passes)

    def draw(n: int, generator: Generator) -> Tensor:
        with in_single(model) as student:
            cond = torch.arange(n) % N_CLASSES
            return from_unit(student.sample(n, cond=cond, levels=levels, generator=generator))

    return draw


def _measure_student(model: ConsistencyModel) -> Figures:
    own = distances(partial(draw_student, model), (1, 2, 4))
    return own | measure_teacher(TEACHER.load(), "teacher_")


def _teacher_digest() -> str:
    return f"{digits_digest()}, teacher {read_card(TEACHER.path)['sha256'][:16]}"


RECIPES = (
    Recipe(
        "digit_consistency", "digits in one pass, by consistency distillation of digit_edm",
        lesson=15, seconds=120, seed=16,
        build=lambda: student_of(TEACHER.untrained()), sizes={},
        data=scaled_digits, source=f"{DIGITS['source']}; the teacher digit_edm",
        digest=_teacher_digest,
        plan=Plan(n_steps=1200, batch_size=64, lr=1e-3, warmup=100, clip=1.0, average=0.995),
        more={"n_levels": 18, "order": 2, "target_decay": 0.95, "p_drop": 0.1},
        loop=distil, measure=_measure_student,
    ),
)  # fmt: skip
