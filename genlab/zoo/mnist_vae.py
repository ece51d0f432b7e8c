r"""The VAE of MNIST at 16 x 16 in black and white: for pictures, with its weights.

$$\text{encoder: } \{0,1\}^{256}\to(\mu, \log\sigma^2)\in\mathbb R^{2\times16},\qquad
p(x\mid z) = \prod_j \pi_j(z)^{x_j}\,\big(1-\pi_j(z)\big)^{1-x_j}$$

Some convolutions, the plain bound, a few minutes of training. The weights ship with a card, and
`python -m genlab.zoo.mnist_vae` writes both again.

Lesson: notebooks/06_vae_in_practice.ipynb
Source: Kingma and Welling 2013 (arXiv:1312.6114), algorithm 1 and eq. 11.
"""

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.weights import load_weights, save_weights
from genlab.data.digits import load_mnist
from genlab.latent.vae import CategoricalVAE
from genlab.train import Run, cosine, fit, minibatches

WEIGHTS = Path(__file__).parent / "weights" / "mnist_vae.safetensors"
COMMAND = "python -m genlab.zoo.mnist_vae"  # the command that writes them
EVENT_SHAPE = (1, 16, 16)


@final
@dataclass(frozen=True)
class MnistRecipe:
    """Every number that decides what the trained model is."""

    latent_dim: int = 16  # numbers in a code
    width: int = 24  # channels at 8 x 8; twice as many at 4 x 4
    dropout: float = 0.1  # share of pixels hidden from the encoder while it trains
    n_steps: int = 6000
    batch_size: int = 64
    lr: float = 3e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    weight_decay: float = 0.05
    seed: int = 6  # of weights, order of the data and latent draws


def binarize(images: Int[Tensor, " n 1 h w"]) -> Int[Tensor, " n 1 h w"]:
    r"""Black and white: ink where a grey level of 0..255 is 128 or more.

    Args:
        images: grey levels 0..255.

    Returns:
        Like `images`, 0 or 1.

    Example:
        >>> binarize(torch.tensor([[[[0, 127, 128, 255]]]])).flatten()
        tensor([0, 0, 1, 1])

    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    return (images >= 128).to(images.dtype)


def mnist_vae(recipe: MnistRecipe = MnistRecipe()) -> CategoricalVAE:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A VAE on images of 0 and 1, `(b, 1, 16, 16)`; two levels a pixel, hence a Bernoulli law.

    Example:
        >>> vae = mnist_vae(MnistRecipe(width=4))
        >>> vae.sample(2, generator=torch.Generator().manual_seed(0)).shape
        torch.Size([2, 1, 16, 16])
    """
    k, w = recipe.latent_dim, recipe.width
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        encoder = nn.Sequential(
            nn.Dropout(recipe.dropout),
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
        head = nn.Linear(8, 2)
    return CategoricalVAE(encoder, decoder, head, latent_dim=k, event_shape=EVENT_SHAPE)


@final
class _PixelsLast(nn.Module):
    """From channels of a picture to features of each pixel."""

    def forward(self, h: Float[Tensor, " b r h w"]) -> Float[Tensor, " b d r"]:
        return h.flatten(2).transpose(1, 2)


def train_mnist_vae(
    vae: CategoricalVAE, images: Int[Tensor, " n 1 16 16"], recipe: MnistRecipe = MnistRecipe()
) -> Run:
    """Train it on images of 0 and 1; one record a step. Afterwards it is in evaluation mode.

    Args:
        vae: from `mnist_vae`, changed in place.
        images: black and white, from `binarize`.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`, the loss in nats for each image; nothing but the setting of `vae` happens
        until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    vae.train()
    return fit(
        vae,
        minibatches(images, recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        generator=generator,
        weight_decay=recipe.weight_decay,
        finish=vae.eval,
    )


def load_mnist_vae(path: Path = WEIGHTS) -> CategoricalVAE:
    """Load the trained model, ready to evaluate, without gradients of its weights.

    Args:
        path: a file written by the recipe; by default the one that ships.

    Returns:
        The model of the default recipe.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds another network.

    Example:
        >>> load_mnist_vae().latent_dim
        16

    Lesson: notebooks/06_vae_in_practice.ipynb
    """
    return load_weights(mnist_vae(), path, recipe=COMMAND).requires_grad_(False)


def bound_in_nats(vae: CategoricalVAE, split: str, n_draws: int = 10) -> float:
    """Mean one-draw bound of one part of the data, nats an image.

    Args:
        vae: the trained model.
        split: "train", "val" or "test".
        n_draws: draws for each image, averaged.

    Returns:
        Negative; minus 177.4 for a model that guesses.
    """
    images, generator = binarize(load_mnist(split, size=16).images), Generator().manual_seed(0)
    with torch.no_grad():
        draws = [vae.elbo(images, generator=generator).mean() for _ in range(n_draws)]
    return float(torch.stack(draws).mean())


def main() -> None:
    """Train, measure, and write weights and card."""
    parser = argparse.ArgumentParser(description="Train the VAE of MNIST and write its weights.")
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write")
    path: Path = parser.parse_args().out
    torch.set_num_threads(1)  # layers this small are slower when threads wait for each other
    recipe, start = MnistRecipe(), time.process_time()
    vae = mnist_vae(recipe)
    for record in train_mnist_vae(vae, binarize(load_mnist("train", size=16).images), recipe):
        if record.step % 500 == 0:
            print(f"step {record.step}: loss {record.loss:.2f} nats", flush=True)
    seconds = time.process_time() - start
    card = {
        "model": "genlab.zoo.mnist_vae.mnist_vae",
        "recipe": COMMAND,
        "what": asdict(recipe),
        "seed": recipe.seed,
        "data": "genlab.data.digits at 16 x 16, part 'train' (8,000 images), black and white at 128"
        "; MNIST, CC BY-SA 3.0",
        "metrics": {f"bound_{s}_nats": round(bound_in_nats(vae, s), 2) for s in ("val", "test")},
        "seconds": round(seconds, 1),
    }
    save_weights(vae, path, card, dtype=torch.float16)
    print(f"wrote {path.name} and {path.with_suffix('.json').name}")


if __name__ == "__main__":
    main()
