r"""The shipped film maker: `genlab train text_to_video`, and the figures of its card.

The film maker starts as the painter of the lab GLIDE, inflated. Every step draws fresh motions and
colours: 5,000 digits make 150,000 films. The first part of the training is still that of an image
model: a step sees one frame of many films, and so eight times as many digits for the same number of
pixels. Then temporal layers, which start at zero, join the frames.

Lesson: notebooks/systems/text_to_video.ipynb
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.core.tensors import make_generator, randn
from genlab.data.captions import COLOURS, DIGITS, MAX_WORDS, WORDS, encode
from genlab.data.moving import MOTIONS, SIZE, animate, frames_in_colour, small_digits, write_moving
from genlab.nn.transformer import TextEncoder
from genlab.nn.unet import UNetConfig, VideoUNet, VideoUNetConfig
from genlab.systems.evaluation import Wanted, film_judge, film_scores, wanted
from genlab.systems.text_diffusion import CaptionedPainter
from genlab.systems.text_to_video import FilmMaker, scale
from genlab.systems.text_to_video import Films_text_to_video as Films
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.fit import EMA
from genlab.zoo.cards import SEED, Figures, default_dtype, digest
from genlab.zoo.glide_models import TRAININGS as GLIDE
from genlab.zoo.train import Training, load

N_FILMS, GUIDANCE, N_PASSES = 500, 3.0, 12  # of the card's figures
AT_ONCE = 50  # films in memory together


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    width: int = 48  # channels at full resolution
    mults: tuple[int, ...] = (1, 2)  # channels of the levels, in units of width
    patch: int = 2  # pixels on a side that one place of the network holds
    d_text: int = 64  # width of the text's states
    n_layer: int = 2  # blocks of the text encoder
    positions: bool = True  # frames know their number
    p_drop: float = 0.1  # share of captions hidden
    p_alone: float = 0.15  # share of films whose frames do not see each other
    log_sigma: tuple[float, float] = (-0.5, 1.3)  # of the noise levels of single frames
    shift: float = 0.6  # more for films
    n_steps: int = 3300
    n_stills: int = 700  # the first of them, on single frames
    batch_stills: int = 64  # of them
    batch_size: int = 12  # films, of 8 frames each
    lr: float = 2e-3  # highest rate, in each part: 50 steps of rise, then half a cosine to zero
    decay: float = 0.998  # of the averaged weights
    seed: int = 5  # of weights, order of the data, motions, colours and noise


def film_maker(recipe: Recipe = Recipe()) -> FilmMaker:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A film maker for 8 frames of 16 x 16.

    Example:
        >>> film_maker().event_shape
        (3, 8, 16, 16)
    """
    channels = 3 * recipe.patch**2
    image = UNetConfig(
        c_in=channels, c_out=channels, width=recipe.width, mults=recipe.mults, time_scale=250.0,
        d_context=recipe.d_text, d_pooled=recipe.d_text,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = VideoUNet(
            VideoUNetConfig(image, recipe.patch, recipe.positions, SIZE // recipe.patch)
        )
        reader = TextEncoder(len(WORDS), d=recipe.d_text, n_layer=recipe.n_layer)
    return FilmMaker(
        net,
        reader,
        log_sigma=recipe.log_sigma,
        shift=recipe.shift,
        p_drop=recipe.p_drop,
        p_alone=recipe.p_alone,
    )


def caption_table() -> Int[Tensor, " 10 6 5 6"]:
    """Rows of word numbers of all 300 captions, by digit, colour and motion.

    Example:
        >>> caption_table()[7, 0, 0].count_nonzero()
        tensor(5)
    """
    sizes = (len(DIGITS), len(COLOURS), len(MOTIONS))
    parts = torch.cartesian_prod(*(torch.arange(n) for n in sizes)).unbind(1)
    return encode(write_moving(*parts)).reshape(*sizes, MAX_WORDS)


def film_batch(
    generator: Generator, most: Callable[[], int | None] = lambda: None
) -> Callable[[tuple[Tensor, Tensor]], tuple[Tensor, Tensor]]:
    """Fresh motions and colours for a minibatch: the `change` of `minibatches`.

    Args:
        generator: of the minibatches, too.
        most: says how many digits of the minibatch to use now; all when None.

    Returns:
        (grey digits `(b, 14, 14)`, labels) to (scaled films, rows of word numbers).
    """
    table = caption_table()

    def change(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        grey, digit = (part[: most()] for part in batch)
        colour = torch.randint(len(COLOURS), digit.shape, generator=generator)
        motion = torch.randint(len(MOTIONS), digit.shape, generator=generator)
        films = frames_in_colour(animate(grey, motion), colour)
        return scale(films), table[digit, colour, motion]

    return change


@torch.no_grad()
def inflate(model: FilmMaker, elder: CaptionedPainter) -> None:
    """Copy a trained painter of pictures into a film maker of the same sizes.

    What only films need starts at zero: the film maker then paints every frame as the painter
    paints a picture, each for itself.

    Args:
        model: changed in place.
        elder: whose network, reader and state for "told nothing" are copied.

    Raises:
        ValueError: the painter has no text encoder.

    Source: Singer et al. 2022 (arXiv:2209.14792), section 3.2 (temporal layers that begin as the
        identity on a trained image model).
    """
    if not isinstance(elder.reader, TextEncoder):
        raise ValueError("this painter has no text encoder that a film maker could start from")
    model.net.image.load_state_dict(elder.net.state_dict())
    model.reader.load_state_dict(elder.reader.state_dict())
    model.no_caption.load_state_dict(elder.no_caption.state_dict())


def _start(model: FilmMaker, recipe: Recipe) -> Run:
    """Begin as the shipped painter of the lab GLIDE, then train."""
    inflate(model, load(GLIDE[0]))
    return train_film_maker(model, recipe)


def train_film_maker(model: FilmMaker, recipe: Recipe = Recipe()) -> Run:
    """Train it, on single frames and then on films; the model ends with its averaged weights.

    Args:
        model: from `film_maker`, changed in place.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`; nothing happens until it is consumed.
    """
    generator = make_generator(recipe.seed)
    grey, digit = small_digits("painter")
    n_stills = min(recipe.n_stills, recipe.n_steps)
    parts = (n_stills, recipe.n_steps - n_stills)
    rates = [cosine(recipe.lr, max(1, n), warmup=min(50, n)) for n in parts]
    average = EMA(model, recipe.decay)

    def before(step: int) -> None:
        model.stills = step < n_stills

    def finish() -> None:
        average.copy_to(model)
        model.stills = False
        model.eval()

    films = film_batch(generator, lambda: None if model.stills else recipe.batch_size)
    model.train()
    return fit(
        model,  # type: ignore[arg-type]  # pairs: fit calls loss(films, cond=rows)
        minibatches(grey, recipe.batch_stills, cond=digit, generator=generator, change=films),
        n_steps=recipe.n_steps,
        lr=lambda step: rates[0](step) if step < n_stills else rates[1](step - n_stills),
        generator=generator, clip=1.0,
        before=before, after=lambda _: average.update(model), finish=finish,
        keep={"average": average},
    )  # fmt: skip


@torch.no_grad()
def shot(model: FilmMaker, claims: Wanted, *, joined: bool = True, shared: bool = False) -> Films:
    """Make one film for each claim as the card's figures are measured: single precision, guided.

    Args:
        model: of any precision; a copy is used.
        claims: what the captions say.
        joined: all frames together; False: each alone, told its number.
        shared: every frame starts from the same noise.

    Returns:
        `(n, 3, 8, 16, 16)` in [0, 1].
    """
    with default_dtype(torch.float32):
        maker = copy.deepcopy(model).float().eval()
        noise = randn((len(claims.digit), *maker.event_shape), generator=make_generator(SEED))
        noise = noise[:, :, :1].expand_as(noise) if shared else noise
        captions = write_moving(*claims)
        films = [
            maker.sample(
                captions[k : k + AT_ONCE], guidance_scale=GUIDANCE, n_steps=N_PASSES,
                joined=joined, noise=noise[k : k + AT_ONCE],
            )
            for k in range(0, len(captions), AT_ONCE)
        ]  # fmt: skip
        return torch.cat(films)


def measure(model: FilmMaker) -> Figures:
    """Measure 500 films for 500 captions, and 500 of single frames for comparison.

    Args:
        model: trained, of any precision.

    Returns:
        `film_scores` of joined films; "alone: ..." where each frame was made by itself.
    """
    claims = wanted(N_FILMS)
    together = film_scores(shot(model, claims).double(), claims, film_judge())
    alone = film_scores(shot(model, claims, joined=False).double(), claims, film_judge())
    return together | {f"alone: {name}": value for name, value in alone.items()}


def _digest() -> str:
    grey, digit = small_digits("painter")
    return digest((255 * 4 * grey.double()).round(), digit)


TRAININGS: tuple[Training, ...] = (
    Training(
        name="text_to_video",
        what="films of moving digits from captions: a spatio-temporal U-Net, guided diffusion",
        lesson=13,
        seconds=760,
        settings=Recipe(),
        build=film_maker,
        start=_start,
        measure=measure,
        data="genlab.data.moving, part 'painter': 5,000 digits, motions and colours drawn afresh"
        "; MNIST, CC BY-SA 3.0",
        digest=_digest,
        dtype=torch.float16,
    ),
)
