r"""The GAN of MNIST at 16 x 16: for pictures, with its weights.

$$G: \mathbb R^{32} \to [-1, 1]^{16\times16}, \qquad l: \mathbb R^{16\times16} \to \mathbb R$$

The game of the 8 x 8 digits (non-saturating, with an $R_1$ penalty), played by convolutions that
know which pixels are neighbours. Some minutes of training. The weights ship with a card, and
`python -m genlab.zoo.mnist_gan` writes both again.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Radford, Metz and Chintala 2016 (arXiv:1511.06434), section 3; Mescheder, Geiger and
Nowozin 2018 (arXiv:1801.04406), eq. 9.
"""

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.adversarial.gan import GAN
from genlab.core.weights import load_weights, save_weights
from genlab.data.digits import load_mnist
from genlab.train import Run, fit_adversarial, minibatches

WEIGHTS = Path(__file__).parent / "weights" / "mnist_gan.safetensors"
COMMAND = "python -m genlab.zoo.mnist_gan"  # the command that writes them
EVENT_SHAPE = (1, 16, 16)


@final
@dataclass(frozen=True)
class MnistRecipe:
    """Every number that decides what the trained model is."""

    latent_dim: int = 32  # numbers in a latent draw
    width: int = 32  # channels at 8 x 8 of both players; twice as many at 4 x 4
    gamma: float = 1.0  # weight of the R1 penalty
    n_steps: int = 5000  # steps of each player
    batch_size: int = 64  # real images, and as many generated ones, a step
    lr: float = 1e-3  # of both players
    seed: int = 7  # of weights, order of the data and latent draws


def mnist_gan(recipe: MnistRecipe = MnistRecipe()) -> GAN:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A GAN on images in [-1, 1], `(b, 1, 16, 16)`.

    Example:
        >>> gan = mnist_gan(MnistRecipe(width=4))
        >>> gan.sample(2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16])
    """
    k, w = recipe.latent_dim, recipe.width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        painter = nn.Sequential(
            nn.Linear(k, 2 * w * 16),
            nn.LeakyReLU(0.2),
            nn.Unflatten(1, (2 * w, 4, 4)),
            nn.ConvTranspose2d(2 * w, w, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(w, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )
        critic = nn.Sequential(
            nn.Conv2d(1, w, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(w, 2 * w, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * w * 16, 1),
        )
    return GAN(painter, critic, latent_dim=k, event_shape=EVENT_SHAPE, gamma=recipe.gamma)


def train_mnist_gan(
    gan: GAN, images: Int[Tensor, " n 1 16 16"], recipe: MnistRecipe = MnistRecipe()
) -> Run:
    """Train it on grey levels 0..255; one record a step, with both losses.

    Args:
        gan: from `mnist_gan`, changed in place.
        images: the training images.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit_adversarial`; nothing happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    batches = minibatches(to_unit(images), recipe.batch_size, generator=generator)
    return fit_adversarial(gan, batches, n_steps=recipe.n_steps, lr=recipe.lr, generator=generator)


def load_mnist_gan(path: Path = WEIGHTS) -> GAN:
    """Load the trained pair, ready to sample, without gradients of its weights.

    Args:
        path: a file written by the recipe; by default the one that ships.

    Returns:
        The model of the default recipe.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds another network.

    Example:
        >>> load_mnist_gan().latent_dim
        32

    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return load_weights(mnist_gan(), path, recipe=COMMAND).requires_grad_(False)


def to_unit(images: Int[Tensor, " n 1 h w"]) -> Float[Tensor, " n 1 h w"]:
    r"""Scale grey levels 0..255 to [-1, 1], in torch's default dtype: $x = g/127.5 - 1$.

    Args:
        images: grey levels.

    Returns:
        Like `images`.

    Example:
        >>> to_unit(torch.tensor([[[[0, 255]]]])).flatten()
        tensor([-1.,  1.])
    """
    return images.to(torch.get_default_dtype()) / 127.5 - 1


def pixel_moments(x: Float[Tensor, " n 1 h w"]) -> tuple[float, float]:
    """Mean ink and its standard deviation over the images, in the unit of `x`.

    Args:
        x: images.

    Returns:
        Two numbers that a card can state, and a test can measure again.
    """
    ink = x.flatten(1).mean(1)
    return float(ink.mean()), float(ink.std())


def main() -> None:
    """Train, measure, and write weights and card."""
    parser = argparse.ArgumentParser(description="Train the GAN of MNIST and write its weights.")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write")
    path: Path = parser.parse_args().out
    torch.set_num_threads(1)  # layers this small are slower when threads wait for each other
    recipe, start = MnistRecipe(), time.process_time()
    gan, images = mnist_gan(recipe), load_mnist("train", size=16).images
    for record in train_mnist_gan(gan, images, recipe):
        if record.step % 500 == 0:
            losses = ", ".join(f"{name} {value:.2f}" for name, value in record.losses.items())
            print(f"step {record.step}: {losses}", flush=True)
    seconds = time.process_time() - start
    mean, spread = pixel_moments(gan.sample(1000, generator=Generator().manual_seed(0)))
    real_mean, real_spread = pixel_moments(to_unit(images))
    card = {
        "model": "genlab.zoo.mnist_gan.mnist_gan",
        "recipe": COMMAND,
        "what": asdict(recipe),
        "seed": recipe.seed,
        "data": "genlab.data.digits at 16 x 16, part 'train' (8,000 images), grey levels"
        "; MNIST, CC BY-SA 3.0",
        "metrics": {
            "mean_ink": round(mean, 3),
            "mean_ink_of_the_data": round(real_mean, 3),
            "std_ink": round(spread, 3),
            "std_ink_of_the_data": round(real_spread, 3),
        },
        "seconds": round(seconds, 1),
    }
    save_weights(gan, path, card, dtype=torch.float16)
    print(f"wrote {path.name} and {path.with_suffix('.json').name}")


if __name__ == "__main__":
    main()
