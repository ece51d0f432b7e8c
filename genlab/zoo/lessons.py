"""The models of lessons 02 to 09, a row each: sizes, training and measure of every shipped file."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Generator, Tensor, nn

from genlab.adversarial.gan import GAN, WGAN
from genlab.autoregressive.images import ImageTransformer, PixelCNN, TwoStacks
from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.tokens import CharTokenizer
from genlab.core.stats import bits_per_dim
from genlab.data.digits import EVENT_SHAPE, N_LEVELS, from_unit, load_digits, load_mnist, to_unit
from genlab.data.text import load_text
from genlab.flow.dequantization import DequantisedFlow, pixel_flow
from genlab.latent.vae import CategoricalVAE, kl_annealing
from genlab.metrics.features import DigitClassifier
from genlab.nn.layers import MLP, MaskedConv2d, raster_mask
from genlab.nn.transformer import TransformerConfig
from genlab.train import Run
from genlab.zoo.cards import (
    SEED,
    Figures,
    default_dtype,
    digest,
    digit_distance,
    drawn,
    held_out_bits,
    single,
)
from genlab.zoo.train import Model, by_game, by_loss

N_PIXELS = 64
ALPHABET = "\n" + "".join(map(chr, range(32, 127)))  # newline and printable ASCII


def windows(text: str, length: int = 64) -> Int[Tensor, " n length"]:
    """Cut a text into windows of equal length, as tokens; what is left over is dropped."""
    tokens = CharTokenizer(ALPHABET).encode(text)
    return tokens[: len(tokens) // length * length].reshape(-1, length)


def digits_digest() -> str:
    """Name the digits by their content."""
    return digest(*(part for split in ("train", "val", "test") for part in load_digits(split)))


def text_digest() -> str:
    """Name the manual's text by its content."""
    return digest(windows(load_text("train"), 1), windows(load_text("test"), 1))


def mnist_digest(size: int) -> str:
    """Name the images of MNIST at 16 x 16 or 28 x 28, and their labels, by their content."""
    return digest(*load_mnist("train", size), *load_mnist("test", size))


DIGITS: Any = {
    "source": "genlab.data.digits, part 'train': 1,397 images of 8 x 8, 17 grey levels",
    "digest": digits_digest,
}
TEXT: Any = {
    "source": "genlab.data.text, part 'train': the manual of Python 3.11.7, 90 %; PSF-2.0",
    "digest": text_digest,
}
MNIST16: Any = {
    "source": "genlab.data.digits, part 'train': 8,000 images of 16 x 16; MNIST, CC BY-SA 3.0",
    "digest": partial(mnist_digest, 16),
}


def _images(split: str = "train") -> Tensor:
    return load_digits(split).images


# Autoregressive models and a flow, with exact likelihoods


def pixelcnn(width: int, n_layer: int) -> PixelCNN:
    """Two stacks of masked convolutions, a softmax over 17 levels (arXiv:1606.05328, 2.2)."""
    return PixelCNN(TwoStacks(1, width, n_layer=n_layer), width)


def _config(n_head: int, **sizes: Any) -> TransformerConfig:
    return TransformerConfig(n_head=n_head, n_kv_head=n_head, **sizes)


def image_transformer(**sizes: int) -> ImageTransformer:
    """Pixels are tokens, in raster order (Chen et al. 2020, section 3)."""
    return ImageTransformer(N_LEVELS, EVENT_SHAPE, _config(**sizes))


def text_transformer(length: int, **sizes: int) -> TransformerLM:
    """A language model of characters, which are bytes here."""
    return TransformerLM(len(ALPHABET), length, _config(**sizes))


def digit_flow(n_layers: int, width: int, n_bins: int) -> DequantisedFlow:
    """Spline couplings, each followed by a linear map, scaled to the training digits."""
    pixels = _images().flatten(1)
    return pixel_flow(pixels, N_LEVELS, n_layers=n_layers, width=width, n_bins=n_bins)


def _measure_pixels(model: Any) -> Figures:
    x = _images("test").reshape(-1, *model.event_shape)
    return held_out_bits(model, x) | digit_distance(partial(drawn, model))


def _measure_text(model: Any) -> Figures:
    bits = held_out_bits(model, windows(load_text("test")))
    return {"bits_per_byte": bits["bits_per_dim"], "kind": bits["kind"]}


# Latent variables


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


def annealed(vae: Any, x: Tensor, *, beta: float, floor: float, n_warm: int, **options: Any) -> Run:
    """Train with `floor` free nats a latent; the divergence's weight rises to `beta`."""
    weight = kl_annealing(n_warm, beta)
    vae.floor = floor
    return by_loss(vae, x, before=lambda step: setattr(vae, "beta", weight(step)), **options)


def _measure_vae(model: CategoricalVAE) -> Figures:
    tight = model.importance_bound(_images("test"), 500, generator=Generator().manual_seed(SEED))
    return {
        **held_out_bits(model, _images("test")),
        "bits_per_dim_500_draws": bits_per_dim(-tight, N_PIXELS).mean().item(),
        **digit_distance(partial(drawn, model)),
    }


def binarize(images: Int[Tensor, " n 1 h w"]) -> Int[Tensor, " n 1 h w"]:
    """Black and white: ink where a grey level of 0..255 is 128 or more."""
    return (images >= 128).to(images.dtype)


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


# Games


def _perceptrons(
    latent_dim: int, width: int, activation: Callable[[], nn.Module] = nn.SiLU
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator of images in [-1, 1]."""
    generator = MLP(latent_dim, N_PIXELS, width, 2, activation)
    discriminator = nn.Sequential(nn.Flatten(), MLP(N_PIXELS, 1, width, 2, activation))
    return nn.Sequential(generator, nn.Tanh(), nn.Unflatten(1, EVENT_SHAPE)), discriminator


def digit_gan(latent_dim: int, width: int, gamma: float) -> GAN:
    """Two perceptrons; images in [-1, 1]."""
    nets = _perceptrons(latent_dim, width, partial(nn.LeakyReLU, 0.2))
    return GAN(*nets, latent_dim=latent_dim, event_shape=EVENT_SHAPE, gamma=gamma)


def digit_wgan(latent_dim: int, width: int, penalty: float) -> WGAN:
    """Two perceptrons; gradient penalty: Gulrajani et al. 2017 (arXiv:1704.00028), algorithm 1."""
    nets = _perceptrons(latent_dim, width)
    return WGAN(*nets, latent_dim=latent_dim, event_shape=EVENT_SHAPE, penalty=penalty)


def mnist_gan(latent_dim: int, width: int, gamma: float) -> GAN:
    """Convolutions from 4 x 4 to 16 x 16 and back (Radford et al. 2016, section 3)."""
    k, w = latent_dim, width
    generator = nn.Sequential(
        nn.Linear(k, 2 * w * 16),
        nn.LeakyReLU(0.2),
        nn.Unflatten(1, (2 * w, 4, 4)),
        nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(w, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, w, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * w * 16, 1),
    )
    return GAN(generator, discriminator, latent_dim=k, event_shape=(1, 16, 16), gamma=gamma)


def _measure_game(model: Any) -> Figures:
    return digit_distance(lambda n, generator: from_unit(drawn(model, n, generator), whole=False))


def _measure_ink(gan: GAN) -> Figures:
    """Mean ink of samples and of data in [-1, 1], and its deviation over the images."""
    samples = drawn(gan, 1000, Generator().manual_seed(SEED))
    found: Figures = {}
    for name, x in (("", samples), ("_of_the_data", to_unit(load_mnist("train", 16).images, 255))):
        ink = x.flatten(1).mean(1)
        found |= {f"mean_ink{name}": ink.mean().item(), f"std_ink{name}": ink.std().item()}
    return found


# The feature network of the metrics


def scaled_features(net: DigitClassifier, x: Tensor, cond: Tensor, **options: Any) -> Run:
    """Train the classifier, and scale its features when it is done."""
    return by_loss(net, x, cond, finish=lambda: net.eval().set_scale(x), **options)


def accuracy(net: DigitClassifier, split: str) -> float:
    """Proportion of the images of one part whose digit is recognised."""
    images, labels = load_digits(split)
    return float((net(images).argmax(1) == labels).double().mean())


def _measure_classifier(net: DigitClassifier) -> Figures:
    return {f"accuracy_{split}": accuracy(net, split) for split in ("train", "val", "test")}


LESSONS: tuple[Model, ...] = (
    Model(
        "digit_pixelcnn", "PixelCNN of the digits: two stacks of masked convolutions",
        lesson=2, seconds=10, seed=2,
        build=pixelcnn, sizes={"width": 32, "n_layer": 4},
        data=lambda: (_images(),), **DIGITS,
        fit={"n_steps": 440, "batch_size": 32, "lr": 1e-2, "warmup": 20, "weight_decay": 0.01},
        measure=_measure_pixels,
    ),
    Model(
        "digit_transformer", "transformer of the digits: a pixel is a token",
        lesson=2, seconds=10, seed=2,
        build=image_transformer, sizes={"d_model": 32, "n_layer": 2, "n_head": 4, "d_hidden": 64},
        data=lambda: (_images(),), **DIGITS,
        fit={"n_steps": 440, "batch_size": 16, "lr": 1e-2, "warmup": 20, "weight_decay": 0.01},
        measure=_measure_pixels,
    ),
    Model(
        "text_transformer", "transformer of Python's manual: a character is a token",
        lesson=2, seconds=10, seed=2,
        build=text_transformer,
        sizes={"length": 64, "d_model": 64, "n_layer": 1, "n_head": 4, "d_hidden": 128},
        data=lambda: (windows(load_text("train")),), **TEXT,
        fit={"n_steps": 600, "batch_size": 16, "lr": 3e-3, "warmup": 20, "weight_decay": 0.01},
        measure=_measure_text,
    ),
    Model(
        "digit_flow", "spline flow of the digits, with uniform dequantisation",
        lesson=4, seconds=15, seed=4,
        build=digit_flow, sizes={"n_layers": 4, "width": 64, "n_bins": 5},
        data=lambda: (_images().flatten(1),), **DIGITS,
        fit={"n_steps": 400, "batch_size": 128, "lr": 5e-3, "warmup": 50, "clip": 50.0,
             "weight_decay": 0.3},
        measure=_measure_pixels, dtype=torch.float32,
    ),
    Model(
        "digit_vae", "VAE of the digits: 8 latents, categorical pixels",
        lesson=6, seconds=10, seed=6,
        build=digit_vae,
        sizes={"latent_dim": 8, "width": 256, "depth": 1, "rank": 6, "dropout": 0.1,
               "causal": False},
        data=lambda: (_images(),), **DIGITS,
        fit={"n_steps": 1200, "batch_size": 64, "lr": 3e-3, "warmup": 50, "weight_decay": 0.1,
             "beta": 1.0, "floor": 0.0, "n_warm": 0},
        loop=annealed, measure=_measure_vae,
    ),
    Model(
        "mnist_vae", "VAE of MNIST at 16 x 16 in black and white: convolutions, for pictures",
        lesson=6, seconds=90, seed=6,
        build=mnist_vae, sizes={"latent_dim": 16, "width": 24, "dropout": 0.1},
        data=lambda: (binarize(load_mnist("train", 16).images),), **MNIST16,
        fit={"n_steps": 6000, "batch_size": 64, "lr": 3e-3, "warmup": 100, "weight_decay": 0.05},
        measure=_measure_mnist_vae,
    ),
    Model(
        "mnist_plane", "VAE of MNIST at 16 x 16 in black and white: two latents, to walk among",
        lesson=6, seconds=70, seed=6,
        build=mnist_plane, sizes={"width": 64, "dropout": 0.0},
        data=lambda: (binarize(load_mnist("train", 16).images),), **MNIST16,
        fit={"n_steps": 20_000, "batch_size": 128, "lr": 4e-3, "warmup": 100,
             "weight_decay": 0.01},
        measure=_measure_mnist_vae,
    ),
    Model(
        "digit_gan", "GAN of the digits: non-saturating, R1 penalty",
        lesson=7, seconds=15, seed=7,
        build=digit_gan, sizes={"latent_dim": 16, "width": 256, "gamma": 1.0},
        data=lambda: (to_unit(_images()),), **DIGITS,
        fit={"n_steps": 1500, "batch_size": 128, "lr": 1e-3},
        loop=by_game, measure=_measure_game,
    ),
    Model(
        "mnist_gan", "GAN of MNIST at 16 x 16: convolutions, R1 penalty, for pictures",
        lesson=7, seconds=150, seed=7,
        build=mnist_gan, sizes={"latent_dim": 32, "width": 32, "gamma": 1.0},
        data=lambda: (to_unit(load_mnist("train", 16).images, 255),), **MNIST16,
        fit={"n_steps": 5000, "batch_size": 64, "lr": 1e-3},
        loop=by_game, measure=_measure_ink,
    ),
    Model(
        "digit_wgan", "WGAN of the digits, gradient penalty",
        lesson=8, seconds=10, seed=8,
        build=digit_wgan, sizes={"latent_dim": 16, "width": 192, "penalty": 10.0},
        data=lambda: (to_unit(_images()),), **DIGITS,
        fit={"n_steps": 450, "n_critic": 3, "batch_size": 64, "lr": (1e-3, 5e-4)},
        loop=by_game, measure=_measure_game,
    ),
    Model(
        "digit_classifier", "feature network of the metrics: a classifier of the digits",
        lesson=9, seconds=10, seed=0,
        build=lambda: DigitClassifier(torch.float64), sizes={},
        data=lambda: tuple(load_digits("train")), **DIGITS,
        fit={"n_steps": 1000, "batch_size": 128, "lr": 3e-3, "weight_decay": 0.01},
        loop=scaled_features, measure=_measure_classifier, dtype=torch.float32,
    ),
)  # fmt: skip
