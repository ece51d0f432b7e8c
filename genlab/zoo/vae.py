"""Latent variables: VAEs of digits, and of MNIST in black and white (lesson 06)."""

from dataclasses import replace
from functools import partial

import torch
from torch import Generator, Tensor, nn

from genlab.core.stats import bits_per_dim
from genlab.data.digits import EVENT_SHAPE, N_LEVELS, binarize, load_digits, load_mnist
from genlab.latent.vae import CategoricalVAE, kl_annealing
from genlab.nn.layers import MLP, MaskedConv2d, raster_mask
from genlab.train import Hooks, Run
from genlab.zoo.cards import (
    SEED,
    Figures,
    default_dtype,
    digit_distance,
    held_out_bits,
    samples_of,
    single,
)
from genlab.zoo.recipe import Plan, Recipe, by_loss
from genlab.zoo.sources import DIGITS, MNIST16

N_PIXELS = 64


def digit_vae(
    latent_dim: int, width: int, depth: int, rank: int, dropout: float, causal: bool
) -> CategoricalVAE:
    """Two perceptrons; a pixel's 17 logits are made of `rank` features.

    `dropout` hides pixels from the encoder; a `causal` decoder sees earlier pixels.
    """
    encoder = MLP(N_PIXELS, 2 * latent_dim, width, 2)
    decoder = MLP(latent_dim, N_PIXELS * rank, width, depth)
    head = nn.Linear(rank, N_LEVELS)
    return CategoricalVAE(
        nn.Sequential(nn.Flatten(), nn.Dropout(dropout), encoder),
        nn.Sequential(decoder, nn.Unflatten(1, (N_PIXELS, rank))),
        head,
        latent_dim=latent_dim,
        event_shape=EVENT_SHAPE,
        causal=_causal_features(rank) if causal else None,
    )


def _causal_features(rank: int, channels: int = 24) -> nn.Module:
    """A small PixelCNN: features of each pixel from those before it in raster order."""
    first = MaskedConv2d(1, channels, raster_mask(5, 5, sees_itself=False))
    second = MaskedConv2d(channels, channels, raster_mask(3, 3, sees_itself=True))
    last = nn.Conv2d(channels, rank, 1)
    return nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), last)


def annealed(
    vae: CategoricalVAE, x: Tensor, *, plan: Plan, beta: float, floor: float, n_warm: int
) -> Run:
    """Train with `floor` free nats a latent; the divergence's weight rises to `beta`."""
    weight, now = kl_annealing(n_warm, beta), 0

    def before(step: int) -> None:
        nonlocal now
        now = step

    def loss(x: Tensor, *, generator: Generator) -> Tensor:
        return vae.loss(x, beta=weight(now), floor=floor, generator=generator)

    return by_loss(vae, x, plan=replace(plan, loss=loss, hooks=Hooks(before=before)))


def _measure_vae(model: CategoricalVAE) -> Figures:
    tight = model.importance_bound(
        load_digits("test").images, 500, generator=Generator().manual_seed(SEED)
    )
    return {
        **held_out_bits(model, load_digits("test").images),
        "bits_per_dim_500_draws": bits_per_dim(-tight, N_PIXELS).mean().item(),
        **digit_distance(partial(samples_of, model)),
    }


class _PixelsLast(nn.Module):
    """From channels of a picture to features of each pixel."""

    def forward(self, h: Tensor) -> Tensor:
        return h.flatten(2).transpose(1, 2)


def mnist_vae(latent_dim: int, width: int, dropout: float) -> CategoricalVAE:
    """Convolutions to 4 x 4 and back, of images of 16 x 16 in black and white."""
    k, w = latent_dim, width
    encoder = nn.Sequential(
        nn.Dropout(dropout),
        nn.Conv2d(1, w, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(2 * w * 16, 128),
        nn.SiLU(),
        nn.Linear(128, 2 * k),
    )
    decoder = nn.Sequential(
        nn.Linear(k, 128),
        nn.SiLU(),
        nn.Linear(128, 2 * w * 16),
        nn.SiLU(),
        nn.Unflatten(1, (2 * w, 4, 4)),
        nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1),
        nn.SiLU(),
        nn.ConvTranspose2d(w, 8, 4, stride=2, padding=1),
        nn.SiLU(),
        _PixelsLast(),
    )
    return CategoricalVAE(encoder, decoder, nn.Linear(8, 2), latent_dim=k, event_shape=(1, 16, 16))


def mnist_plane(width: int, dropout: float) -> CategoricalVAE:
    """Perceptrons from images of 16 x 16 in black and white to codes in a plane, and back."""
    return CategoricalVAE(
        nn.Sequential(nn.Flatten(), nn.Dropout(dropout), MLP(256, 4, 24, 1)),
        nn.Sequential(MLP(2, 256, width, 2), nn.Unflatten(1, (256, 1))),
        nn.Linear(1, 2),
        latent_dim=2,
        event_shape=(1, 16, 16),
    )


def _measure_mnist_vae(vae: CategoricalVAE) -> Figures:
    """Mean one-draw bound on each held-out part of MNIST, in nats an image."""
    found: Figures = {"kind": "bound"}
    for split in ("val", "test"):
        images = binarize(load_mnist(split, size=16).images)
        generator = Generator().manual_seed(SEED)
        with torch.no_grad(), default_dtype(torch.float32):
            model = single(vae)
            draws = [model.elbo(images, generator=generator).mean() for _ in range(10)]
        found[f"bound_{split}_nats"] = float(torch.stack(draws).mean())
    return found


RECIPES = (
    Recipe(
        "digit_vae", "VAE of the digits: 8 latents, categorical pixels",
        lesson=6, seconds=10, seed=6,
        build=digit_vae,
        sizes={"latent_dim": 8, "width": 256, "depth": 1, "rank": 6, "dropout": 0.1,
               "causal": False},
        data=lambda: (load_digits("train").images,), **DIGITS,
        plan=Plan(n_steps=1200, batch_size=64, lr=3e-3, warmup=50, weight_decay=0.1),
        more={"beta": 1.0, "floor": 0.0, "n_warm": 0},
        loop=annealed, measure=_measure_vae,
    ),
    Recipe(
        "mnist_vae", "VAE of MNIST at 16 x 16 in black and white: convolutions, for pictures",
        lesson=6, seconds=90, seed=6,
        build=mnist_vae, sizes={"latent_dim": 16, "width": 24, "dropout": 0.1},
        data=lambda: (binarize(load_mnist("train", 16).images),), **MNIST16,
        plan=Plan(n_steps=6000, batch_size=64, lr=3e-3, warmup=100, weight_decay=0.05),
        measure=_measure_mnist_vae,
    ),
    Recipe(
        "mnist_plane", "VAE of MNIST at 16 x 16 in black and white: two latents, to walk among",
        lesson=6, seconds=70, seed=6,
        build=mnist_plane, sizes={"width": 64, "dropout": 0.0},
        data=lambda: (binarize(load_mnist("train", 16).images),), **MNIST16,
        plan=Plan(n_steps=20_000, batch_size=128, lr=4e-3, warmup=100, weight_decay=0.01),
        measure=_measure_mnist_vae,
    ),
)  # fmt: skip
