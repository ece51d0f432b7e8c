r"""Recipes of the GLIDE-style lab: what is built, and how it is trained.

$$\text{base } p(x_{16}\mid c), \qquad \text{upsampler } p(x_{32}\mid x_{16}, c), \qquad
\text{reader } p(c\mid x_{16} + \sigma\epsilon)$$

Five thousand digits, painted and described afresh at every step.

Lesson: notebooks/systems/glide.ipynb
Source: Nichol et al. 2021 (arXiv:2112.10741), section 4.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Generator, Tensor, nn

from genlab.data.captions import WORDS, load_captioned, paint
from genlab.nn.transformer import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.glide import NoisyReader, Upsampler
from genlab.systems.text_diffusion import CaptionedPainter, captioned_batch
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.fit import EMA


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    size: int = 16  # pixels on a side
    width: int = 48  # channels of the U-Net at full resolution
    mults: tuple[int, ...] = (1, 2)  # channels of its levels, in units of width
    patch: int = 2  # side of the squares of pixels that it sees as one place
    d_text: int = 64  # width of the text encoder
    n_layer: int = 2  # its blocks
    sigma_data: float = 0.5  # scale of the pixels
    p_mean: float = -0.5  # mean of log sigma in training: words are decided in much noise
    sigma_max: float = 20.0  # noise level at which sampling starts
    p_drop: float = 0.1  # share of captions hidden
    p_word: float = 0.85  # share of captions that say a word about stroke, and about slant
    s_max: float = 0.5  # largest noise on the small picture that an upsampler sees
    n_steps: int = 3000
    batch_size: int = 32
    lr: float = 2e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    decay: float = 0.997  # of the averaged weights
    seed: int = 3  # of weights, order, colours, words, noise and hidden captions


BASE = Recipe()
UPSAMPLER = Recipe(size=32, width=24, mults=(1, 2), d_text=32, n_layer=1, p_mean=-0.9, n_steps=1200)
PLAIN = dataclasses.replace(UPSAMPLER, s_max=0.0)  # never shown a spoiled small picture
READER = Recipe(width=32, n_steps=1200, p_word=1.0)


def _painter(recipe: Recipe, beside: int) -> CaptionedPainter:
    """A network with its reader; `beside` channels are seen and not painted."""
    places = recipe.patch**2
    config = UNetConfig(
        c_in=(3 + beside) * places, c_out=3 * places, width=recipe.width, mults=recipe.mults,
        d_context=recipe.d_text, d_pooled=recipe.d_text, time_scale=250.0,
    )  # fmt: skip
    return CaptionedPainter(
        UNet(config),
        TextEncoder(len(WORDS), d=recipe.d_text, n_layer=recipe.n_layer),
        event_shape=(3, recipe.size, recipe.size),
        sigma_data=recipe.sigma_data, p_drop=recipe.p_drop, p_mean=recipe.p_mean,
        patch=recipe.patch, skip=False, sigma_max=recipe.sigma_max,
    )  # fmt: skip


def _seeded(recipe: Recipe, make: Callable[[], nn.Module]) -> Any:
    """Make a module from the recipe's seed; torch's global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return make()


def glide_base(recipe: Recipe = BASE) -> CaptionedPainter:
    """Make the untrained painter of small pictures.

    Args:
        recipe: sizes and seed.

    Example:
        >>> glide_base().event_shape
        (3, 16, 16)
    """
    painter: CaptionedPainter = _seeded(recipe, lambda: _painter(recipe, 0))
    return painter


def glide_upsampler(recipe: Recipe = UPSAMPLER) -> Upsampler:
    """Make the untrained painter of large pictures beside small ones.

    Args:
        recipe: sizes and seed.

    Example:
        >>> glide_upsampler().painter.event_shape
        (3, 32, 32)
    """
    upsampler: Upsampler = _seeded(
        recipe, lambda: Upsampler(_painter(recipe, 4), s_max=recipe.s_max)
    )
    return upsampler


def glide_reader(recipe: Recipe = READER) -> NoisyReader:
    """Make the untrained reader of noisy pictures.

    Args:
        recipe: sizes and seed.

    Example:
        >>> glide_reader().width
        32
    """
    reader: NoisyReader = _seeded(recipe, lambda: NoisyReader(recipe.width))
    return reader


def train_glide(model: Any, recipe: Recipe) -> Run:
    """Train a painter or an upsampler on fresh pictures and captions of the painter's digits.

    Args:
        model: from `glide_base` or `glide_upsampler`, changed in place.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`; after the last step the model holds its averaged weights.
    """
    return _run(model, recipe, lambda g: captioned_batch(recipe.p_word, recipe.p_word, g))


def train_reader(model: NoisyReader, recipe: Recipe) -> Run:
    """Train the reader of noisy pictures on fresh colours.

    Args:
        model: from `glide_reader`, changed in place.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`.
    """

    def coloured(generator: Generator) -> Callable[[Any], Any]:
        def change(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
            grey, words = batch
            colour = torch.randint(6, (len(grey),), generator=generator)
            words = torch.stack([words[:, 0], colour, words[:, 2], words[:, 3]], 1)
            return 2 * paint(grey, colour) - 1, words

        return change

    return _run(model, recipe, coloured)


def _run(model: Any, recipe: Recipe, change: Callable[[Generator], Any]) -> Run:
    """The loop that all three share: averaged weights, a rate that rises and falls."""
    generator = Generator().manual_seed(recipe.seed)
    grey, attributes = load_captioned("painter", recipe.size)
    batches = minibatches(
        grey, recipe.batch_size, cond=torch.stack(attributes, 1), generator=generator,
        change=change(generator),
    )  # fmt: skip
    average = EMA(model, recipe.decay)

    def finish() -> None:
        average.copy_to(model)
        model.eval()

    model.train()
    return fit(
        model, batches, n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        generator=generator, clip=1.0, keep={"average": average},
        after=lambda _: average.update(model), finish=finish,
    )  # fmt: skip
