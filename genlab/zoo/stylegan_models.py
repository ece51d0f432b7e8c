r"""The shipped StyleGAN: sizes, training, and the figures of its card.

$$\text{precision}, \text{recall} \quad\text{of 1,000 samples against 1,000 held-out digits}$$

Trained on the 5,000 digits of the "painter", so that the judge of digits, fitted on others, can
read what it paints. The features of precision and recall are gradient histograms: no network, no
weights, nothing that the critic could have learned to please.

Lesson: notebooks/systems/stylegan.ipynb
Sources: Karras et al. 2020 (arXiv:1912.04958), appendix B; Kynkaanniemi et al. 2019
    (arXiv:1904.06991), eqs. 1-3 (the figures).
"""

import copy
from dataclasses import dataclass
from functools import cache
from typing import final

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from genlab.adversarial.stylegan import StyleCritic, StyleGenerator
from genlab.data.captions import load_captioned
from genlab.metrics.coverage import PrecisionRecall, precision_recall
from genlab.metrics.features import gradient_histograms
from genlab.systems.stylegan import StyleGAN, grey
from genlab.train import Run, fit_adversarial, hold_then_cosine, minibatches
from genlab.train.fit import EMA
from genlab.zoo.cards import SEED, Figures, default_dtype, digest
from genlab.zoo.train import Training

N_SAMPLES = 1000  # as many as there are held-out digits
NEIGHBOURS = 3  # that set the radius of a ball: the metric's default


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    d_latent: int = 32  # numbers in a latent draw
    d_style: int = 64  # numbers in a style
    n_mapping: int = 2  # layers of the mapping network
    mapping_rate: float = 1.0  # how fast it learns, as a share of the other layers' speed
    channels: tuple[int, int, int] = (64, 32, 16)  # of the generator at 4 x 4, 8 x 8, 16 x 16
    critic_channels: tuple[int, int, int] = (16, 32, 64)  # at 16 x 16, 8 x 8, 4 x 4
    critic_width: int = 64  # units of the critic's hidden dense layer
    gamma: float = 0.5  # weight of R1
    interval: int = 8  # steps from one penalty to the next
    mixing: float = 0.2  # share of training samples with two styles
    n_steps: int = 21_000  # steps of each player
    n_fall: int = 1_500  # the last of them, in which the rates fall to zero
    batch_size: int = 64  # real pictures, and as many generated ones, a step
    lr: tuple[float, float] = (8e-3, 4e-3)  # critic's, generator's
    decay: float = 0.995  # of the generator's averaged weights
    seed: int = 4  # of weights, order of the data, styles and noise


def style_gan(recipe: Recipe = Recipe()) -> StyleGAN:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes, penalty and seed.

    Returns:
        A StyleGAN of pictures in [-1, 1], `(b, 1, 16, 16)`.

    Example:
        >>> style_gan().sample(2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16])
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        painter = StyleGenerator(
            recipe.d_latent, recipe.d_style, recipe.n_mapping, recipe.channels,
            mapping_rate=recipe.mapping_rate,
        )  # fmt: skip
        critic = StyleCritic(recipe.critic_channels, recipe.critic_width)
    return StyleGAN(
        painter, critic, gamma=recipe.gamma, interval=recipe.interval, mixing=recipe.mixing
    )


def train_style_gan(
    gan: StyleGAN, x: Float[Tensor, " n 1 16 16"], recipe: Recipe = Recipe()
) -> Run:
    """Play the game, and average the generator's weights beside it.

    Args:
        gan: from `style_gan`, changed in place.
        x: training pictures in [-1, 1].
        recipe: steps, rates and seed.

    Returns:
        The run of `fit_adversarial`. No step is taken until it is consumed; when it has ended, the
        generator holds its averaged weights and the mean of its styles.
    """
    generator = Generator().manual_seed(recipe.seed)
    average = EMA(gan.generator_net, recipe.decay)
    n_fall = min(recipe.n_fall, recipe.n_steps)
    critic, painter = (hold_then_cosine(lr, recipe.n_steps - n_fall, n_fall) for lr in recipe.lr)

    def finish() -> None:
        average.copy_to(gan.generator_net)
        gan.set_mean_style(Generator().manual_seed(recipe.seed))

    return fit_adversarial(
        gan,
        minibatches(x, recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        lr=(critic, painter),
        betas=(0.0, 0.99),
        generator=generator,
        before=gan.at_step,
        after=lambda _: average.update(gan.generator_net),
        finish=finish,
        keep={"average": average},
    )


def pictures(part: str = "painter") -> Float[Tensor, " n 1 16 16"]:
    """Digits as the model draws them.

    Args:
        part: "painter" to train on, "judge" or "test".

    Returns:
        -1 (paper) to 1 (ink), in torch's default dtype.

    Example:
        >>> pictures("test").shape
        torch.Size([1000, 1, 16, 16])
    """
    return 2 * load_captioned(part, 16).grey[:, None] - 1


def drawn_at(gan: StyleGAN, truncation: float, n: int = N_SAMPLES) -> Float[Tensor, " n 16 16"]:
    """Draw with the seed of all figures, in single precision.

    Args:
        gan: trained, of any precision; a copy is drawn from.
        truncation: of the styles.
        n: how many.

    Returns:
        Grey values in [0, 1].
    """
    with default_dtype(torch.float32):
        generator = Generator().manual_seed(SEED)
        single = copy.deepcopy(gan).float()
        return grey(single.sample(n, generator=generator, truncation=truncation))


@cache
def _held_out() -> Float[Tensor, " 1000 f"]:
    return gradient_histograms(load_captioned("test", 16).grey.float())


def realism(images: Float[Tensor, " n 16 16"]) -> PrecisionRecall:
    """Precision and recall against the 1,000 held-out digits.

    Two sets of 1,000 real digits have about 0.86 and 0.85: the ceiling.

    Args:
        images: grey values in [0, 1], best 1,000 of them.

    Returns:
        Two shares, in gradient histograms, with balls to the third neighbour.
    """
    return precision_recall(_held_out(), gradient_histograms(images.float()), NEIGHBOURS)


def _measure(gan: StyleGAN, n: int = N_SAMPLES) -> Figures:
    ceiling = realism(load_captioned("judge", 16).grey[:N_SAMPLES])
    figures: Figures = {"kind": "none", "real_precision": ceiling[0], "real_recall": ceiling[1]}
    for psi, suffix in ((1.0, ""), (0.7, "_at_0.7"), (0.4, "_at_0.4")):
        found = realism(drawn_at(gan, psi, n))
        figures |= {f"precision{suffix}": found.precision, f"recall{suffix}": found.recall}
    return figures


def _digest() -> str:
    return digest((255 * load_captioned("painter", 32).grey).round())


TRAININGS: tuple[Training, ...] = (
    Training(
        name="stylegan",
        what="StyleGAN of MNIST at 16 x 16: styles, noise, lazy R1",
        lesson=7,
        seconds=900,
        settings=Recipe(),
        build=style_gan,
        start=lambda gan, recipe: train_style_gan(gan, pictures(), recipe),
        measure=_measure,
        data="genlab.data.captions, part 'painter': 5,000 digits of 16 x 16, grey"
        "; MNIST, CC BY-SA 3.0",
        digest=_digest,
        dtype=torch.float16,
    ),
)
