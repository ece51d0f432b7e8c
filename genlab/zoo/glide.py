"""GLIDE's lab: small pictures, their enlargement, and a classifier of noisy pictures."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.data.captions import load_captioned, paint
from genlab.data.language import MAX_WORDS, WORDS
from genlab.nn.text import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.evaluation import (
    Likeness,
    drawn_scores,
    free_captions,
    held_out_captions,
    held_out_pictures,
    likeness,
    proportion,
)
from genlab.systems.glide import Glide, NoisyClassifier, Upsampler, enlarged
from genlab.systems.text_diffusion import TextDiffusion, captioned_batch
from genlab.train import Run
from genlab.zoo.cards import SEED, Figures, default_dtype, digest, named, single
from genlab.zoo.recipe import Plan, Recipe, by_loss

GUIDANCE = 3.0  # the scale that the labs draw with


def captioned(size: int) -> tuple[Tensor, Tensor]:
    """Grey digits of the training part, and their attributes as columns."""
    grey, attributes = load_captioned("painter", size)
    return grey, torch.stack(attributes, 1)


def captioned_digest(size: int, levels: int) -> str:
    """Name these digits by their content, grey as whole numbers up to `levels`."""
    grey, attributes = load_captioned("painter", size)
    return digest((levels * grey).round(), *attributes)


def by_captions(
    model: Any, grey: Tensor, columns: Tensor, *, plan: Plan, p_stroke: float, p_slant: float
) -> Run:
    """Train on pictures that are coloured and described afresh at every step."""
    change = partial(captioned_batch, p_stroke=p_stroke, p_slant=p_slant)
    return by_loss(model, grey, columns, plan=plan, change=change)


SCALES = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)  # of the card's curve, guided at every noise level
LIMITED = (3.0, 5.0)  # of its points that are guided in `Glide.interval` only
AMOUNTS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0)  # of sharpening; 0 is bicubic alone
N_DRAWN = 500  # pictures for each figure


def glide_base(
    size: int,
    width: int,
    mults: tuple[int, ...],
    patch: int,
    d_text: int,
    n_layer: int,
    sigma_data: float,
    p_mean: float = -1.2,
    sigma_max: float = 40.0,
    p_drop: float = 0.1,
    *,
    concatenated: int = 0,
) -> TextDiffusion:
    """A U-Net of pictures that reads texts and answers the picture itself (`skip=False`).

    With 0 layers there is no text encoder; `concatenated` channels are seen beside the picture.
    """
    positions = patch**2
    config = UNetConfig(
        c_in=(3 + concatenated) * positions, c_out=3 * positions, width=width, mults=mults,
        d_context=d_text, time_scale=250.0, side=size // patch,
    )  # fmt: skip
    encoder = TextEncoder(len(WORDS), MAX_WORDS, d=d_text, n_layer=n_layer) if n_layer else None
    return TextDiffusion(
        UNet(config), encoder, event_shape=(3, size, size), sigma_data=sigma_data, p_drop=p_drop,
        p_mean=p_mean, patch=patch, skip=False, sigma_max=sigma_max,
    )  # fmt: skip


def glide_upsampler(
    size: int,
    width: int,
    mults: tuple[int, ...],
    patch: int,
    d_text: int,
    n_layer: int,
    sigma_data: float,
    p_mean: float,
    sigma_max: float,
    p_drop: float,
    s_max: float,
) -> Upsampler:
    """The model of large pictures, which sees four channels of the small one."""
    denoiser = glide_base(
        size, width, mults, patch, d_text, n_layer, sigma_data, p_mean, sigma_max, p_drop,
        concatenated=4,
    )  # fmt: skip
    return Upsampler(denoiser, s_max=s_max)


def by_words(model: NoisyClassifier, grey: Tensor, columns: Tensor, *, plan: Plan) -> Run:
    """Train the classifier of noisy pictures, on fresh colours."""

    def coloured(batch: Any, generator: Generator) -> tuple[Tensor, Tensor]:
        grey, words = batch
        colour = torch.randint(6, (len(grey),), generator=generator)
        words = torch.stack([words[:, 0], colour, words[:, 2], words[:, 3]], 1)
        return 2 * paint(grey, colour) - 1, words

    return by_loss(model, grey, columns, plan=plan, change=coloured)


def _measure_base(model: Any) -> Figures:
    """Held-out captions over scales, guided always or in `Glide.interval`; free captions."""
    base = single(model)

    def draw(captions: list[str], w: float, interval: tuple[float, float] | None) -> Tensor:
        generator = Generator().manual_seed(SEED)
        x = base.draw(captions, guidance_scale=w, interval=interval, generator=generator)
        return ((x + 1) / 2).clamp(0, 1)

    found = Figures()
    held_out = held_out_captions(N_DRAWN)
    curve = [("", w, None) for w in SCALES] + [("limited_", w, Glide.interval) for w in LIMITED]
    with default_dtype(torch.float32):
        for way, w, interval in curve:
            x = draw(held_out, w, interval)
            row = drawn_scores(held_out, x) | likeness(x)._asdict()
            found |= named(f"{{}}_{way}w{w:g}", row)
        captions = free_captions(N_DRAWN, Generator().manual_seed(SEED))
        x = draw(captions, GUIDANCE, Glide.interval)
        return found | named("{}_free", drawn_scores(captions, x))


def best_sharpening(small: Tensor) -> tuple[float, Likeness]:
    """The amount of sharpening in [0, 1] that comes nearest to real pictures, and its likeness."""
    found = ((amount, likeness(enlarged(small, amount))) for amount in AMOUNTS)
    return min(found, key=lambda pair: pair[1].frechet)


def _measure_upsampler(model: Any, *, compared: bool = True) -> Figures:
    """Enlarged real and drawn pictures; if `compared`, bicubic, the best sharpening and words."""
    found = Figures()
    generator = Generator().manual_seed(SEED)
    with default_dtype(torch.float32):
        glide = Glide(GLIDE_BASE.load(dtype=torch.float32), single(model))
        captions = held_out_captions(N_DRAWN)
        real = held_out_pictures()[0][:N_DRAWN]
        up = glide.upsampler.draw(captions, 2 * real - 1, generator=generator)
        drawn = glide.draw(captions, guidance_scale=GUIDANCE, generator=generator)
        for kind, (small, large) in {"real": (real, (up + 1) / 2), "drawn": drawn}.items():
            rows = {"ours": likeness(large)}
            if compared:
                rows["bicubic"] = likeness(enlarged(small, 0.0))
                rows["sharpened"] = best_sharpening(small)[1]
            for name, row in rows.items():
                found |= named(f"{{}}_{name}_{kind}", row._asdict())
        return found | (named("{}_32", drawn_scores(captions, drawn[1])) if compared else {})


def _measure_noisy_classifier(model: Any) -> Figures:
    """Fraction of held-out digits that are recognised through noise."""
    found = Figures()
    classifier = single(model)
    with default_dtype(torch.float32), torch.no_grad():
        pictures, attributes = held_out_pictures()
        x = 2 * pictures - 1
        for sigma in (0.1, 0.5, 1.0, 2.0):
            noise = torch.randn(x.shape, generator=Generator().manual_seed(SEED))
            logits = classifier(x + sigma * noise, torch.full((len(x),), sigma))[0]
            found[f"digit_sigma{sigma:g}"] = proportion(logits.argmax(1) == attributes.digit)
    return found


_glide = partial(
    Recipe, lesson=13, seed=3,
    source="genlab.data.captions, part 'painter': 5,000 digits of MNIST, coloured and described "
    "afresh at every step; MNIST, CC BY-SA 3.0",
    digest=partial(captioned_digest, 32, 255),
)  # fmt: skip
SIZES = {"size": 16, "width": 48, "mults": (1, 2), "patch": 2, "d_text": 64, "n_layer": 2,
         "sigma_data": 0.5, "p_mean": -0.5, "sigma_max": 20.0, "p_drop": 0.1}  # fmt: skip
PLAN = Plan(n_steps=3000, batch_size=32, lr=2e-3, warmup=100, clip=1.0, average=0.997)
WORDS_SAID = {"p_stroke": 0.85, "p_slant": 0.85}
GLIDE_BASE = _glide(
    "glide_base", "captioned digits of 16 x 16 in pixel space: U-Net and text encoder",
    seconds=240, build=glide_base, sizes=SIZES, data=lambda: captioned(16), plan=PLAN,
    loop=by_captions, more=WORDS_SAID, measure=_measure_base,
)  # fmt: skip
GLIDE_UPSAMPLER = _glide(
    "glide_upsampler", "16 x 16 to 32 x 32: U-Net on the noisy small picture, concatenated",
    seconds=150, build=glide_upsampler,
    sizes=SIZES | {"size": 32, "width": 24, "d_text": 32, "n_layer": 1, "p_mean": -0.9,
                   "s_max": 0.5},
    data=lambda: captioned(32), plan=replace(PLAN, n_steps=1200),
    loop=by_captions, more=WORDS_SAID, measure=_measure_upsampler,
)  # fmt: skip
GLIDE_PLAIN = _glide(
    "glide_upsampler_plain", "the same without noise on the small picture: for comparison",
    seconds=150, build=glide_upsampler, sizes=GLIDE_UPSAMPLER.sizes | {"s_max": 0.0},
    data=lambda: captioned(32), plan=GLIDE_UPSAMPLER.plan, loop=by_captions,
    more=WORDS_SAID,    measure=partial(_measure_upsampler, compared=False),
)  # fmt: skip
GLIDE_CLASSIFIER = _glide(
    "glide_reader", "words of noisy pictures: the slope for classifier guidance",
    seconds=30, build=NoisyClassifier, sizes={"width": 32}, data=lambda: captioned(16),
    plan=replace(PLAN, n_steps=1200), loop=by_words, measure=_measure_noisy_classifier,
)  # fmt: skip
RECIPES = (GLIDE_BASE, GLIDE_UPSAMPLER, GLIDE_PLAIN, GLIDE_CLASSIFIER)
