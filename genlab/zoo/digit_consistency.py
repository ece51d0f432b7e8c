r"""One pass for a digit: EDM of the 8 x 8 digits, and the one-pass generator distilled from it.

$$\text{teacher } D(x, \sigma, c) \;\longrightarrow\; \text{student } f(x, \sigma, c), \qquad
x_0 = f(\sigma_{\max}\,\epsilon,\ \sigma_{\max},\ c)$$

The student is the teacher's network, copied, with other scales around it. It is shown real digits
only to know where the paths lie; what it learns are the teacher's paths, so the teacher's faults
are its floor.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
Sources: Song et al. 2023 (arXiv:2303.01469), algorithms 1 and 2, appendix C; Karras et al. 2022
(arXiv:2206.00364), table 1.
"""

from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.data.digits import EVENT_SHAPE, N_CLASSES
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.consistency import ConsistencyModel, Distillation
from genlab.score.edm import EDM, edm_sigmas
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.fit import EMA
from genlab.zoo.digit_diffusion import NO_CLASS, scale

SIGMA_MIN, SIGMA_MAX = 0.02, 20.0  # a grey level is 0.125 wide; the digits' deviation is 0.75
LEVELS = {1: (SIGMA_MAX,), 2: (SIGMA_MAX, 0.4), 4: (SIGMA_MAX, 1.0, 0.4, 0.2)}


@final
@dataclass(frozen=True)
class EDMRecipe:
    """Every number that decides what the trained teacher is."""

    width: int = 16  # channels of the U-Net at full resolution
    mults: tuple[int, ...] = (1, 2)  # channels of its two levels, in units of width
    sigma_data: float = 0.75  # standard deviation of the scaled pixels
    p_drop: float = 0.1  # share of rows whose class is withheld
    n_steps: int = 2000
    batch_size: int = 64
    lr: float = 4e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    decay: float = 0.995  # of the averaged weights
    seed: int = 15  # of weights, order of the data, noise and dropped labels


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the distilled model is."""

    n_levels: int = 18  # N: noise levels between SIGMA_MIN and SIGMA_MAX
    order: int = 2  # of the teacher's step: Heun
    target_decay: float = 0.95  # of the averaged weights that set the goal
    p_drop: float = 0.1  # share of rows whose class is withheld
    n_steps: int = 1200
    batch_size: int = 64
    lr: float = 1e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    decay: float = 0.995  # of the averaged weights that are kept
    seed: int = 16  # of the order of the data, levels, noise and dropped labels


def digit_edm(recipe: EDMRecipe = EDMRecipe()) -> EDM:
    """Make the untrained teacher; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A class-conditional EDM on images in [-1, 1].

    Example:
        >>> digit_edm(EDMRecipe(width=8)).null
        10
    """
    config = UNetConfig(
        width=recipe.width, mults=recipe.mults, n_classes=N_CLASSES, time_scale=250.0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = UNet(config)
    return EDM(net, event_shape=EVENT_SHAPE, sigma_data=recipe.sigma_data, null=NO_CLASS,
               p_drop=recipe.p_drop)  # fmt: skip


def digit_consistency(recipe: EDMRecipe = EDMRecipe()) -> ConsistencyModel:
    """Make the untrained student of such a teacher; it draws in one pass.

    Args:
        recipe: the teacher's.

    Returns:
        A class-conditional `ConsistencyModel` on images in [-1, 1].

    Example:
        >>> digit_consistency(EDMRecipe(width=8)).sample(2, cond=torch.tensor([3, 7])).shape
        torch.Size([2, 1, 8, 8])
    """
    return ConsistencyModel(digit_edm(recipe), levels=(SIGMA_MAX,), sigma_min=SIGMA_MIN)


def teacher_levels(n_passes: int) -> Float[Tensor, " s"]:
    """Noise levels of the teacher's sampler in steps of one pass, on the student's range.

    Args:
        n_passes: at least 1.

    Returns:
        `(n_passes + 1,)`, decreasing from SIGMA_MAX, the last one 0.

    Example:
        >>> [round(float(level), 2) for level in teacher_levels(2)]
        [20.0, 1.44, 0.0]
    """
    levels = edm_sigmas(n_passes + 1, sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX)
    return torch.cat([levels[:n_passes], levels[-1:]])


def student_levels(n_passes: int) -> tuple[float, ...]:
    """Noise levels of the student's jumps, chosen on the validation images.

    Args:
        n_passes: 1, 2 or 4.

    Returns:
        As many levels, decreasing.

    Raises:
        ValueError: another number of passes.

    Example:
        >>> student_levels(1)
        (20.0,)
    """
    if n_passes not in LEVELS:
        raise ValueError(f"levels are known for {sorted(LEVELS)} passes, got {n_passes}")
    return LEVELS[n_passes]


def train_digit_edm(
    model: EDM,
    images: Int[Tensor, " n 1 8 8"],
    labels: Int[Tensor, " n"],
    recipe: EDMRecipe = EDMRecipe(),
) -> Run:
    """Train the teacher on grey levels 0..16; afterwards it holds its averaged weights.

    Args:
        model: from `digit_edm`, changed in place.
        images: the training images.
        labels: their digits.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`; nothing is trained until it is consumed.
    """
    return _fit(model, model, images, labels, recipe)


def distil_digits(
    student: ConsistencyModel,
    teacher: EDM,
    images: Int[Tensor, " n 1 8 8"],
    labels: Int[Tensor, " n"],
    recipe: Recipe = Recipe(),
) -> Run:
    """Distil a teacher into a student that starts as its copy.

    Args:
        student: a `ConsistencyModel` of the teacher's sizes, changed in place.
        teacher: trained.
        images: where the paths lie: the training images.
        labels: their digits.
        recipe: levels, steps, rates and seed.

    Returns:
        The run of `fit`; nothing is trained until it is consumed.
    """
    student.edm.load_state_dict(teacher.state_dict())
    levels = edm_sigmas(recipe.n_levels, sigma_min=student.sigma_min, sigma_max=SIGMA_MAX)[:-1]
    pair = Distillation(
        student, teacher.eval().denoiser, levels,
        order=recipe.order, target_decay=recipe.target_decay, p_drop=recipe.p_drop,
    )  # fmt: skip
    return _fit(pair, student, images, labels, recipe)


def _fit(
    trained: EDM | Distillation,
    model: EDM | ConsistencyModel,
    images: Tensor,
    labels: Tensor,
    recipe: EDMRecipe | Recipe,
) -> Run:
    """Run `fit` with an average of `model`, and the moving target of a distillation."""
    generator = Generator().manual_seed(recipe.seed)
    average: EMA[Any] = EMA(model, recipe.decay)
    keep = {"average": average}
    if isinstance(trained, Distillation):
        keep["target"] = trained.target

    def after(_: int) -> None:
        for mean in keep.values():
            mean.update(model)

    def finish() -> None:
        average.copy_to(model)
        model.eval()

    model.train()
    return fit(
        trained,
        minibatches(scale(images), recipe.batch_size, cond=labels, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        generator=generator,
        clip=1.0,
        after=after,
        finish=finish,
        keep=keep,
    )
