r"""Diffusion models of MNIST, told the digit: `python -m genlab.zoo.mnist_diffusion --size 16`.

$$D(x, \sigma, c), \qquad c \in \{0, \dots, 9,\ \text{no class}\}$$

Pictures need minutes, not seconds, so two networks are trained once and shipped with their cards:
16 x 16 and 28 x 28 pixels, EDM's preconditioning around the course's U-Net. They are for looking
at; numbers of the course come from the 8 x 8 digits.

Lesson: notebooks/13_diffusion_ii.ipynb
Sources: Karras et al. 2022 (arXiv:2206.00364), table 1; Ho and Salimans 2022 (arXiv:2207.12598),
algorithm 1.
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from genlab.core.tensors import require_finite
from genlab.core.weights import load_weights, save_weights
from genlab.data.digits import MNIST_LEVELS as N_LEVELS
from genlab.data.digits import N_CLASSES, load_mnist
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.edm import EDM
from genlab.train import Record, cosine, fit, minibatches
from genlab.train.fit import EMA

NO_CLASS = N_CLASSES  # the label that means "not told"


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    size: int = 16  # pixels on a side, 16 or 28
    width: int = 24  # channels of the U-Net at full resolution
    mults: tuple[int, ...] = (1, 2, 2)  # channels of its levels, in units of width
    sigma_data: float = 0.5  # standard deviation of the scaled pixels
    p_drop: float = 0.1  # share of rows whose class is withheld
    n_steps: int = 2000
    batch_size: int = 64
    lr: float = 3e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    decay: float = 0.995  # of the averaged weights
    seed: int = 13  # of weights, order of the data, noise and dropped labels


RECIPES = {
    16: Recipe(),
    28: Recipe(size=28, width=16, mults=(1, 2, 3), sigma_data=0.62, n_steps=1500),
}


def weights_path(size: int) -> Path:
    """Where the shipped weights of one size lie."""
    return Path(__file__).parent / "weights" / f"mnist{size}_diffusion.safetensors"


def scale(images: Int[Tensor, " n 1 s s"]) -> Float[Tensor, " n 1 s s"]:
    r"""Grey levels 0..255 to [-1, 1], in torch's default dtype: $x = 2g/255 - 1$.

    Example:
        >>> scale(torch.tensor([0, 255]).reshape(2, 1, 1, 1)).flatten()
        tensor([-1.,  1.])
    """
    return images.to(torch.get_default_dtype()) * (2 / (N_LEVELS - 1)) - 1


def to_levels(x: Float[Tensor, " n 1 s s"]) -> Int[Tensor, " n 1 s s"]:
    r"""Undo `scale`: the nearest grey level 0..255, with everything outside [-1, 1] cut off.

    Example:
        >>> to_levels(torch.tensor([-1.2, 1.0]).reshape(2, 1, 1, 1)).flatten()
        tensor([  0, 255])
    """
    require_finite(x=x)
    return ((x + 1) * ((N_LEVELS - 1) / 2)).round().clamp(0, N_LEVELS - 1).long()


def mnist_diffusion(recipe: Recipe = RECIPES[16]) -> EDM:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A class-conditional EDM on images in [-1, 1].

    Example:
        >>> edm = mnist_diffusion()
        >>> edm.event_shape, edm.null
        ((1, 16, 16), 10)
    """
    config = UNetConfig(
        width=recipe.width, mults=recipe.mults, n_classes=N_CLASSES, time_scale=250.0
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = UNet(config)
    shape = (1, recipe.size, recipe.size)
    return EDM(net, event_shape=shape, sigma_data=recipe.sigma_data, null=NO_CLASS,
               p_drop=recipe.p_drop)  # fmt: skip


def train_mnist_diffusion(
    model: EDM,
    images: Int[Tensor, " n 1 s s"],
    labels: Int[Tensor, " n"],
    recipe: Recipe = RECIPES[16],
) -> Iterator[Record]:
    """Train it; one record a step. After the last one the model holds its averaged weights.

    Args:
        model: from `mnist_diffusion`, changed in place.
        images: the training images, 0..255.
        labels: their digits.
        recipe: steps, rates and seed.

    Yields:
        The records of `fit`; the loss is a weighted mean square.
    """
    generator = Generator().manual_seed(recipe.seed)
    batches = minibatches(scale(images), recipe.batch_size, cond=labels, generator=generator)
    rate = cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps))
    average = EMA(model, recipe.decay)
    model.train()
    for record in fit(
        model, batches, n_steps=recipe.n_steps, lr=rate, generator=generator, clip=1.0
    ):
        average.update(model)
        yield record
    average.copy_to(model)
    model.eval()


def load_mnist_diffusion(size: int = 16) -> EDM:
    """Read the shipped model of one size.

    Args:
        size: 16 or 28.

    Returns:
        The trained model, in evaluation mode.

    Raises:
        ValueError: another size.
    """
    if size not in RECIPES:
        raise ValueError(f"size must be 16 or 28, got {size}")
    return load_weights(mnist_diffusion(RECIPES[size]), weights_path(size))


def measure(model: EDM, size: int) -> dict[str, Any]:
    """Held-out loss, and the share of samples that a classifier of real digits recognises.

    Args:
        model: a trained model.
        size: 16 or 28.

    Returns:
        Rounded numbers for the card.
    """
    from sklearn.svm import SVC

    images, labels = load_mnist("train", size)
    judge = SVC(C=10.0).fit(images.flatten(1).numpy() / 255, labels.numpy())
    held_out, digits = load_mnist("test", size)
    with torch.no_grad():
        loss = model.loss(scale(held_out), cond=digits, generator=Generator().manual_seed(0))
    wanted = torch.arange(10).repeat(20)
    found: dict[str, Any] = {
        "test loss": round(float(loss), 4),
        "judge on real test digits": round(
            float(judge.score(held_out.flatten(1).numpy() / 255, digits.numpy())), 4
        ),
    }
    for w in (1.0, 2.0):
        x = model.sample(200, cond=wanted, generator=Generator().manual_seed(1), guidance_scale=w)
        seen = judge.predict(to_levels(x).flatten(1).numpy() / 255)
        share = float((torch.as_tensor(seen) == wanted).double().mean())
        found[f"recognised of 200 samples, guidance {w:g}"] = round(share, 4)
    return found


def main() -> None:
    """Train one size, measure, and write weights and card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, choices=sorted(RECIPES), default=16)
    parser.add_argument("--out", type=Path, default=None, help="file to write")
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.size]
    model = mnist_diffusion(recipe)
    images, labels = load_mnist("train", recipe.size)
    start = time.process_time()
    for record in train_mnist_diffusion(model, images, labels, recipe):
        if record.step % 100 == 0:
            print(f"step {record.step} of {recipe.n_steps}: loss {record.loss:.4f}", flush=True)
    seconds = time.process_time() - start
    path = arguments.out or weights_path(recipe.size)
    card = {
        "model": "genlab.zoo.mnist_diffusion.mnist_diffusion",
        "recipe": f"python -m genlab.zoo.mnist_diffusion --size {recipe.size}",
        "what": "EDM preconditioning around genlab.nn.unet.UNet, told the digit; averaged weights",
        "settings": asdict(recipe),
        "seed": recipe.seed,
        "data": f"genlab.data.digits, part 'train' (8,000 images of {recipe.size} x {recipe.size})"
        "; MNIST, CC BY-SA 3.0",
        "metrics": measure(model, recipe.size),
        "seconds": round(seconds, 1),
        "seconds_of": "processor time of the training alone",
    }
    path.parent.mkdir(exist_ok=True)
    save_weights(model, path, card, dtype=torch.float16)
    print(f"wrote {path.name} and {path.with_suffix('.json').name}")


if __name__ == "__main__":
    main()
