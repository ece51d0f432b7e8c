r"""The shipped latent diffusion: first the VAE, then the painter on its codes.

$$\text{latent\_vae}: \min \lVert x - m\rVert^2 + 2s^2\,\mathrm{KL}, \qquad
\text{latent\_diffusion}: \min \lVert D(\tilde z + \sigma\epsilon, \sigma, c) - \tilde z\rVert^2$$

Both learn from the painter's 5,000 digits, whose colours are drawn afresh at every step; what they
are worth is measured in `genlab.zoo.latent_diffusion_figures`.

Lesson: notebooks/systems/latent_diffusion.ipynb
Source: Rombach et al. 2022 (arXiv:2112.10752), section 3.
"""

from dataclasses import dataclass
from typing import final

import torch
from torch import Generator, Tensor

from genlab.core.weights import load_weights
from genlab.data.captions import WORDS, load_captioned, paint
from genlab.latent.vae import ImageVAE, ImageVAEConfig
from genlab.nn.transformer import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.systems.latent_diffusion import LatentDiffusion
from genlab.systems.text_diffusion import CaptionedPainter, captioned_batch
from genlab.train import Run, cosine, fit, minibatches
from genlab.train.fit import EMA
from genlab.zoo.cards import digest
from genlab.zoo.latent_diffusion_figures import measure_painter, measure_vae
from genlab.zoo.train import SHIPPED, Training


@final
@dataclass(frozen=True)
class VAERecipe:
    """Every number that decides what the trained VAE is."""

    latent_channels: int = 4  # of a code of 8 x 8
    width: int = 24  # features at 16 x 16
    pixel_std: float = 0.03  # s: the divergence weighs 2 s^2 = 0.0018
    n_steps: int = 1000
    batch_size: int = 32
    lr: float = 3e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    seed: int = 20  # of weights, order of the data, colours and draws


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained painter of codes is."""

    width: int = 32  # channels of the U-Net at 8 x 8
    mults: tuple[int, ...] = (1, 2)  # channels of its two levels, in units of width
    d_text: int = 48  # width of the text encoder
    n_layer: int = 1  # its blocks
    sigma_data: float = 0.5  # spread to which codes are scaled
    p_mean: float = -0.5  # of log sigma in training
    p_drop: float = 0.1  # share of captions hidden
    p_stroke: float = 0.8  # share of captions that say a word about the stroke
    p_slant: float = 0.8  # and about the slant
    n_steps: int = 4000
    batch_size: int = 32
    lr: float = 2e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    decay: float = 0.998  # of the averaged weights
    seed: int = 21  # of weights, order of the data, colours, words and noise


def latent_vae(recipe: VAERecipe = VAERecipe()) -> ImageVAE:
    """Make the untrained VAE; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A VAE of pictures `(3, 32, 32)` in [0, 1].
    """
    config = ImageVAEConfig(
        latent_channels=recipe.latent_channels, width=recipe.width, pixel_std=recipe.pixel_std
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return ImageVAE(config)


def train_latent_vae(model: ImageVAE, recipe: VAERecipe = VAERecipe()) -> Run:
    """Train it on captioned digits, without their captions.

    Args:
        model: from `latent_vae`, changed in place.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`, its loss `weighted_error`; nothing happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    grey, _ = load_captioned("painter")

    def coloured(batch: Tensor) -> Tensor:
        return paint(batch, torch.randint(6, (len(batch),), generator=generator))

    model.train()
    return fit(
        model,
        minibatches(grey, recipe.batch_size, generator=generator, change=coloured),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        generator=generator,
        clip=5.0,
        finish=model.eval,
    )


def latent_diffusion(recipe: Recipe = Recipe(), vae: ImageVAE | None = None) -> LatentDiffusion:
    """Make the untrained system; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.
        vae: trained; an untrained one of the standard recipe when None, to be overwritten.

    Returns:
        VAE and painter, whose scale has not been set.
    """
    vae = vae or latent_vae()
    k, d = vae.latent_shape[0], recipe.d_text
    config = UNetConfig(
        c_in=k, c_out=k, width=recipe.width, mults=recipe.mults, time_scale=250.0,
        d_context=d, d_pooled=d,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net, reader = UNet(config), TextEncoder(len(WORDS), d=d, n_layer=recipe.n_layer)
        painter = CaptionedPainter(
            net, reader, event_shape=vae.latent_shape, sigma_data=recipe.sigma_data,
            p_drop=recipe.p_drop, p_mean=recipe.p_mean, limit=None,
        )  # fmt: skip
    return LatentDiffusion(vae, painter)


def train_latent_diffusion(
    model: LatentDiffusion, recipe: Recipe = Recipe(), *, rescale: bool = True
) -> Run:
    """Train the painter on the codes of captioned digits; the VAE stays as it is.

    Args:
        model: from `latent_diffusion`, with a trained VAE; changed in place.
        recipe: steps, rates and seed.
        rescale: set the scale of the codes first; False leaves what is there.

    Returns:
        The run of `fit`; afterwards the painter holds its averaged weights.
    """
    generator = Generator().manual_seed(recipe.seed)
    grey, attributes = load_captioned("painter")
    if rescale:
        model.set_scale(paint(grey[:1000], attributes.colour[:1000]))
    fresh = captioned_batch(recipe.p_stroke, recipe.p_slant, generator)

    def coded(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        x, rows = fresh(batch)
        return model.encode((x + 1) / 2), rows

    average = EMA(model.painter, recipe.decay)

    def finish() -> None:
        average.copy_to(model.painter)
        model.eval()

    model.train()
    model.vae.eval()
    columns = torch.stack(attributes, 1)
    return fit(
        model,  # type: ignore[arg-type]  # pairs: fit calls loss(codes, cond=rows)
        minibatches(
            grey, recipe.batch_size, cond=columns, generator=generator, change=coded
        ),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        generator=generator,
        clip=1.0,
        after=lambda _: average.update(model.painter),
        finish=finish,
        keep={"average": average},
    )  # fmt: skip


def _digest() -> str:
    grey, attributes = load_captioned("painter")
    return digest((grey * 255).round(), *attributes)


def _start_painter(model: LatentDiffusion, recipe: Recipe) -> Run:
    """Put the shipped VAE in, then train the painter."""
    load_weights(model.vae, VAE.path, recipe=f"genlab train {VAE.name} --out {SHIPPED}")
    return train_latent_diffusion(model, recipe)


DATA = (
    "genlab.data.captions, part 'painter' (5,000 digits of 32 x 32, coloured afresh each step)"
    "; MNIST, CC BY-SA 3.0"
)
VAE = Training(
    name="latent_vae",
    what="VAE of captioned digits: 3 x 32 x 32 pixels to codes of 4 x 8 x 8",
    lesson=6,
    seconds=60,
    settings=VAERecipe(),
    build=latent_vae,
    start=train_latent_vae,
    measure=measure_vae,
    data=DATA,
    digest=_digest,
    dtype=torch.float16,
)
PAINTER = Training(
    name="latent_diffusion",
    what="text to image by diffusion on the codes of latent_vae, which it contains",
    lesson=13,
    seconds=240,
    settings=Recipe(),
    build=latent_diffusion,
    start=_start_painter,
    measure=measure_painter,
    data=DATA,
    digest=_digest,
    dtype=torch.float16,
)
TRAININGS: tuple[Training, ...] = (VAE, PAINTER)
