r"""The shipped models of the GLIDE-style lab, and what their cards measure.

$$\text{base } p(x_{16}\mid c), \qquad \text{upsampler } p(x_{32}\mid x_{16}, c), \qquad
\text{reader } p(c\mid x_{16} + \sigma\epsilon)$$

Judges: a support vector machine and measurements (`genlab.systems.evaluation`), and wavelet
features (`genlab.metrics.features`), fitted on four thousand digits that no painter saw.
The upsampler's card needs the shipped base, because its figures are those of the whole.

Lesson: notebooks/systems/glide.ipynb
Source: Nichol et al. 2021 (arXiv:2112.10741), section 4.
"""

import copy
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.data.captions import load_captioned, read
from genlab.systems.evaluation import digit_judge, word_scores
from genlab.systems.glide import Glide, NoisyReader
from genlab.systems.text_diffusion import CaptionedPainter
from genlab.zoo.cards import SEED, Figures, default_dtype, digest
from genlab.zoo.glide_judging import (
    best_sharpening,
    enlarged,
    free_captions,
    guidance_curve,
    held_out_captions,
    likeness,
    small_pictures,
)
from genlab.zoo.glide_recipes import (
    BASE,
    PLAIN,
    READER,
    UPSAMPLER,
    Recipe,
    glide_base,
    glide_reader,
    glide_upsampler,
    train_glide,
    train_reader,
)
from genlab.zoo.train import Training, load

SCALES = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)  # of the card's curve, guided at every noise level
LIMITED = (3.0, 5.0)  # of its points that are guided in `Glide.interval` only
BEST = 3.0  # the scale that the lab draws with
N_JUDGED = 500  # pictures for each figure


def _single(model: Any) -> Any:
    """A copy that draws in single precision, as lessons do."""
    return copy.deepcopy(model).float()


def _measure_base(model: Any) -> Figures:
    """The curve over guidance scales for held-out captions, and the words of free captions.

    `_w3` guides at every noise level, `_limited_w3` where words are decided, as `Glide` does.
    """
    painter: CaptionedPainter = _single(model)

    def draw(captions: list[str], w: float, generator: Generator, limited: bool = False) -> Tensor:
        interval = Glide.interval if limited else None
        x = painter.sample(captions, guidance_scale=w, interval=interval, generator=generator)
        return ((x + 1) / 2).clamp(0, 1)

    found: Figures = {}
    with default_dtype(torch.float32):
        for way, scales in (("", SCALES), ("limited_", LIMITED)):
            paint = partial(draw, limited=bool(way))
            for w, row in zip(scales, guidance_curve(paint, scales, N_JUDGED, SEED), strict=True):
                found |= {f"{name}_{way}w{w:g}": value for name, value in row.items()}
        captions = free_captions(N_JUDGED, Generator().manual_seed(SEED))
        x = draw(captions, BEST, Generator().manual_seed(SEED), limited=True)
        words = word_scores(x, [read(c) for c in captions], digit_judge())
    return found | {f"{name}_free": value for name, value in words.items()}


def _measure_upsampler(model: Any) -> Figures:
    """Enlarged real pictures and enlarged drawn ones, against bicubic and the best sharpening."""
    with default_dtype(torch.float32):
        real, drawn, ours = _enlarged_by(model)
        found: Figures = {}
        for kind, small in (("real", real), ("drawn", drawn)):
            rows = {
                "ours": likeness(ours[kind]),
                "bicubic": likeness(enlarged(small, 0.0)),
                "sharpened": best_sharpening(small)[1],
            }
            for name, row in rows.items():
                found |= {f"{key}_{name}_{kind}": v for key, v in row._asdict().items()}
        captions = held_out_captions(N_JUDGED)
        words = word_scores(ours["drawn"], [read(c) for c in captions], digit_judge())
    return found | {f"{key}_32": value for key, value in words.items()}


def _measure_plain(model: Any) -> Figures:
    """The same pictures, without what they are compared with."""
    with default_dtype(torch.float32):
        _, _, ours = _enlarged_by(model)
        rows = {kind: likeness(pictures)._asdict() for kind, pictures in ours.items()}
    return {f"{key}_ours_{kind}": v for kind, row in rows.items() for key, v in row.items()}


def _enlarged_by(model: Any) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Real small pictures, drawn ones, and what an upsampler makes of each."""
    glide = Glide(load(TRAININGS[0], dtype=torch.float32), _single(model))
    captions, generator = held_out_captions(N_JUDGED), Generator().manual_seed(SEED)
    real = small_pictures(N_JUDGED)
    up = glide.upsampler.sample(captions, 2 * real - 1, generator=generator)
    drawn, large = glide.draw(captions, guidance_scale=BEST, generator=generator)
    return real, drawn, {"real": (up + 1) / 2, "drawn": large}


def _measure_reader(model: Any) -> Figures:
    """Share of held-out digits that are read through noise."""
    reader: NoisyReader = _single(model)
    found: Figures = {}
    with default_dtype(torch.float32), torch.no_grad():
        x, digit = 2 * small_pictures(1000) - 1, load_captioned("test", 16).attributes.digit
        for sigma in (0.1, 0.5, 1.0, 2.0):
            noise = torch.randn(x.shape, generator=Generator().manual_seed(SEED))
            logits = reader(x + sigma * noise, torch.full((len(x),), sigma))[0]
            found[f"digit_sigma{sigma:g}"] = (logits.argmax(1) == digit).double().mean().item()
    return found


def _digest() -> str:
    """Name the painter's digits and their words by their content."""
    grey, attributes = load_captioned("painter", 32)
    return digest((255 * grey).round(), *attributes)


def _training(
    name: str, what: str, recipe: Recipe, seconds: float, build: Any, start: Any, measure: Any
) -> Training:
    return Training(
        name=name, what=what, lesson=13, seconds=seconds, settings=recipe, build=build, start=start,
        measure=measure, data="genlab.data.captions, part 'painter': 5,000 digits of MNIST, "
        "coloured and described afresh at every step; MNIST, CC BY-SA 3.0",
        digest=_digest, dtype=torch.float16,
    )  # fmt: skip


TRAININGS: tuple[Training, ...] = (
    _training(
        "glide_base", "captioned digits of 16 x 16 in pixel space: U-Net and text encoder", BASE,
        240, glide_base, train_glide, _measure_base,
    ),
    _training(
        "glide_upsampler", "16 x 16 to 32 x 32: U-Net beside the noisy small picture", UPSAMPLER,
        150, glide_upsampler, train_glide, _measure_upsampler,
    ),
    _training(
        "glide_upsampler_plain", "the same without noise on the small picture: for comparison",
        PLAIN, 150, glide_upsampler, train_glide, _measure_plain,
    ),
    _training(
        "glide_reader", "words of noisy pictures: the slope for classifier guidance", READER,
        30, glide_reader, train_reader, _measure_reader,
    ),
)  # fmt: skip
