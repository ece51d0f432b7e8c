"""Games: GANs of digits and of MNIST (lessons 07 and 08)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Generator, nn

from genlab.adversarial.gan import GAN, WGAN
from genlab.data.digits import EVENT_SHAPE, from_unit, load_digits, load_mnist, to_unit
from genlab.nn.layers import MLP
from genlab.zoo.cards import SEED, Figures, digit_distance, samples_of
from genlab.zoo.recipe import Plan, Recipe, by_game
from genlab.zoo.sources import DIGITS, MNIST16

N_PIXELS = 64


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
    return digit_distance(
        lambda n, generator: from_unit(samples_of(model, n, generator), whole=False)
    )


def _measure_ink(gan: GAN) -> Figures:
    """Mean ink of samples and of data in [-1, 1], and its deviation over the images."""
    samples = samples_of(gan, 1000, Generator().manual_seed(SEED))
    found: Figures = {}
    for name, x in (("", samples), ("_of_the_data", to_unit(load_mnist("train", 16).images, 255))):
        ink = x.flatten(1).mean(1)
        found |= {f"mean_ink{name}": ink.mean().item(), f"std_ink{name}": ink.std().item()}
    return found


BETAS = (0.5, 0.9)  # of both players' Adam
RECIPES = (
    Recipe(
        "digit_gan", "GAN of the digits: non-saturating, R1 penalty",
        lesson=7, seconds=15, seed=7,
        build=digit_gan, sizes={"latent_dim": 16, "width": 256, "gamma": 1.0},
        data=lambda: (to_unit(load_digits("train").images),), **DIGITS,
        plan=Plan(n_steps=1500, batch_size=128, lr=1e-3),
        more={"n_critic": 1, "betas": BETAS},
        loop=by_game, measure=_measure_game,
    ),
    Recipe(
        "mnist_gan", "GAN of MNIST at 16 x 16: convolutions, R1 penalty, for pictures",
        lesson=7, seconds=150, seed=7,
        build=mnist_gan, sizes={"latent_dim": 32, "width": 32, "gamma": 1.0},
        data=lambda: (to_unit(load_mnist("train", 16).images, 255),), **MNIST16,
        plan=Plan(n_steps=5000, batch_size=64, lr=1e-3),
        more={"n_critic": 1, "betas": BETAS},
        loop=by_game, measure=_measure_ink,
    ),
    Recipe(
        "digit_wgan", "WGAN of the digits, gradient penalty",
        lesson=8, seconds=10, seed=8,
        build=digit_wgan, sizes={"latent_dim": 16, "width": 192, "penalty": 10.0},
        data=lambda: (to_unit(load_digits("train").images),), **DIGITS,
        plan=Plan(n_steps=450, batch_size=64, lr=(1e-3, 5e-4)),
        more={"n_critic": 3, "betas": BETAS},
        loop=by_game, measure=_measure_game,
    ),
)  # fmt: skip
