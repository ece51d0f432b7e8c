r"""The shipped language-and-image model: sizes, recipe and held-out figures.

Captions of the painter's 5,000 digits, in colours that are drawn anew for each batch, with words
about stroke and slant said three times in four. The language model starts from nothing. The painter
starts as the one of the lab GLIDE, whose own text encoder is left behind: it has to learn what the
states mean, not what digits look like. One loss trains both.

Lesson: notebooks/systems/language_and_image.ipynb
"""

from dataclasses import dataclass
from typing import final

import torch
import torch.nn.functional as F
from torch import Generator, nn

from genlab.data.captions import load_captioned
from genlab.nn.transformer import TransformerConfig
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.language_and_image import CaptionLM, LanguageAndImage
from genlab.systems.text_diffusion import CaptionedPainter, captioned_batch
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.fit import EMA
from genlab.zoo.cards import digest
from genlab.zoo.glide_models import TRAININGS as GLIDE
from genlab.zoo.language_and_image_figures import SAID, measure_language_and_image
from genlab.zoo.train import Training, load


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    d_model: int = 64  # width of the language model, and of what the painter reads
    n_layer: int = 2
    n_head: int = 4
    n_kv_head: int = 2
    width: int = 48  # channels of the painter at full resolution
    mults: tuple[int, ...] = (1, 2)  # channels of its levels, in units of width
    patch: int = 2  # side of the squares of pixels that it sees as one place
    p_mean: float = -0.5  # mean of log sigma in training: words are decided in much noise
    sigma_max: float = 20.0  # noise level at which sampling starts
    n_waves: int = 2  # of the pictures of places that it sees beside its own
    sigma_data: float = 0.5  # standard deviation of the scaled pixels
    p_drop: float = 0.1  # share of rows in which the painter is told nothing
    p_alone: float = 0.1  # share in which it is told the image token's state only
    p_cross: float = 0.1  # share in which it is told nothing but by cross-attention
    weight: float = 60.0  # of the picture's loss beside the nats of the text
    joint: bool = True  # the painter's gradient reaches the language model
    say_stroke: float = SAID  # how often a caption speaks of a stroke that has a word
    say_slant: float = SAID
    n_steps: int = 1800
    batch_size: int = 32
    lr: float = 2e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    weight_decay: float = 0.01
    clip: float = 100.0  # largest norm of a gradient
    decay: float = 0.997  # of the averaged weights
    seed: int = 6  # of weights, order, colours, words, noise


def language_and_image(recipe: Recipe = Recipe()) -> LanguageAndImage:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A model of captions and of 16 x 16 pictures in [-1, 1].

    Example:
        >>> model = language_and_image(Recipe(d_model=16, n_layer=1, width=8))
        >>> model.lm.states(torch.zeros(1, 7, dtype=torch.int64)).shape
        torch.Size([1, 7, 16])
    """
    d = recipe.d_model
    config = TransformerConfig(
        d_model=d, n_layer=recipe.n_layer, n_head=recipe.n_head, n_kv_head=recipe.n_kv_head,
        d_hidden=2 * d, rope_base=100.0,
    )  # fmt: skip
    channels, beside = 3 * recipe.patch**2, 4 * recipe.n_waves * recipe.patch**2
    unet = UNetConfig(
        c_in=channels + beside, c_out=channels, width=recipe.width, mults=recipe.mults,
        time_scale=250.0, d_context=d, d_pooled=d,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        lm = CaptionLM(config)
        nn.init.normal_(lm.net.embedding.weight)  # so that the word itself stays in its state
        painter = CaptionedPainter(
            UNet(unet), None, event_shape=(3, 16, 16), sigma_data=recipe.sigma_data,
            p_drop=recipe.p_drop, p_mean=recipe.p_mean, patch=recipe.patch, skip=False,
            sigma_max=recipe.sigma_max,
        )  # fmt: skip
    return LanguageAndImage(
        lm,
        painter,
        weight=recipe.weight,
        p_alone=recipe.p_alone,
        p_cross=recipe.p_cross,
        joint=recipe.joint,
        n_waves=recipe.n_waves,
    )


@torch.no_grad()
def begin_as(painter: CaptionedPainter, elder: CaptionedPainter) -> None:
    r"""Copy a trained painter, who sees nothing beside its picture, into one who does.

    $$W_{\text{in}} = [\,W_{\text{in}}^{\text{elder}},\ 0\,]$$

    Told the same states, both answer the same, whatever stands beside; the zeros can learn.

    Args:
        painter: of the same sizes, changed in place.
        elder: whose weights are copied; its text encoder is not.

    Source: Zhang, Rao and Agrawala 2023 (arXiv:2302.05543), section 3.1 (new inputs begin at zero).
    """
    weights, stem = elder.net.state_dict(), painter.net.stem.weight
    known = weights["stem.weight"]
    weights["stem.weight"] = F.pad(known, (0, 0, 0, 0, 0, stem.shape[1] - known.shape[1]))
    painter.net.load_state_dict(weights)
    painter.no_caption.load_state_dict(elder.no_caption.state_dict())


def train_language_and_image(model: LanguageAndImage, recipe: Recipe = Recipe()) -> Run:
    """Train both parts with one loss; afterwards they hold their averages, in evaluation mode.

    Args:
        model: from `language_and_image`, changed in place.
        recipe: steps, rates, shares and seed.

    Returns:
        The run of `fit`; no step is taken until it is consumed.
    """
    grey, attributes = load_captioned("painter", 16)
    generator = Generator().manual_seed(recipe.seed + 1)
    average = EMA(model, recipe.decay)

    def finish() -> None:
        average.copy_to(model)
        model.eval()

    model.train()
    return fit(
        model,  # type: ignore[arg-type]  # pairs: fit calls loss(x, cond=rows)
        minibatches(
            grey.to(model.lm.place.dtype), recipe.batch_size, cond=torch.stack(attributes, 1),
            generator=generator,
            change=captioned_batch(recipe.say_stroke, recipe.say_slant, generator),
        ),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        generator=generator,
        clip=recipe.clip,
        weight_decay=recipe.weight_decay,
        after=lambda _: average.update(model),
        finish=finish,
        keep={"average": average},
    )  # fmt: skip


def _start(model: LanguageAndImage, recipe: Recipe) -> Run:
    """Begin with the shipped painter of the lab GLIDE, then train both parts."""
    begin_as(model.painter, load(GLIDE[0]))
    return train_language_and_image(model, recipe)


def painters_digest() -> str:
    """Name the digits and their attributes by their content.

    Returns:
        Sixteen hexadecimal digits.
    """
    grey, attributes = load_captioned("painter", 16)
    return digest((1020 * grey).round(), *attributes)


TRAININGS: tuple[Training, ...] = (
    Training(
        name="language_and_image",
        what="language model of captions; its states tell glide_base's painter what to draw",
        lesson=13,
        seconds=200,
        settings=Recipe(),
        build=language_and_image,
        start=_start,
        measure=measure_language_and_image,
        data="genlab.data.captions, part 'painter' (5,000 digits of 16 x 16), colours at random"
        "; MNIST, CC BY-SA 3.0",
        digest=painters_digest,
        dtype=torch.float16,
    ),
)
