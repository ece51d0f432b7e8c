"""Every trained model that ships: its recipe by name, its weights, its card.

`genlab train NAME` runs one of these recipes; `load_model(NAME)` loads what it made, and `card`
says what that is. The models of the lessons stand here; lesson 15 sets them side by side.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import difflib
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.adversarial import digit_gan, to_grey, train_digit_gan
from genlab.adversarial.digit_gan import Recipe as GANRecipe
from genlab.adversarial.digit_wgan import Recipe as WGANRecipe
from genlab.adversarial.digit_wgan import digit_wgan, train_digit_wgan
from genlab.autoregressive.digit_pixelcnn import Recipe as PixelCNNRecipe
from genlab.autoregressive.digit_pixelcnn import digit_pixelcnn, train_digit_pixelcnn
from genlab.autoregressive.digit_transformer import Recipe as ImageRecipe
from genlab.autoregressive.digit_transformer import digit_transformer, train_digit_transformer
from genlab.autoregressive.text_transformer import Recipe as TextRecipe
from genlab.autoregressive.text_transformer import (
    text_transformer,
    train_text_transformer,
    windows,
)
from genlab.core.stats import bits_per_dim
from genlab.core.weights import read_card
from genlab.data.digits import load_digits
from genlab.data.text import load_text
from genlab.flow.digit_flow import Recipe as FlowRecipe
from genlab.flow.digit_flow import digit_flow, train_digit_flow
from genlab.latent.categorical_vae import CategoricalVAE
from genlab.latent.digit_vae import Recipe as VAERecipe
from genlab.latent.digit_vae import digit_vae, train_digit_vae
from genlab.metrics.features import WEIGHTS as CLASSIFIER
from genlab.metrics.features import DigitClassifier
from genlab.systems.digit_features import Recipe as ClassifierRecipe
from genlab.systems.digit_features import accuracy, new_digit_classifier, start_digit_classifier
from genlab.systems.figures import SEED, Figures, digest, digit_distance, held_out_bits
from genlab.systems.training import Training, load
from genlab.train import Run

DIGITS = "genlab.data.digits, part 'train': 1,397 images of 8 x 8, 17 grey levels"
TEXT = "genlab.data.text, part 'train': the manual of the Python that trained, 90 %"


def _images(split: str = "train") -> Tensor:
    return load_digits(split).images


def _rows(split: str = "train") -> Tensor:
    return _images(split).flatten(1)


def _digits_digest() -> str:
    return digest(*(part for split in ("train", "val", "test") for part in load_digits(split)))


def text_digest() -> str:
    """Name the manual of this Python by its content: other versions have another one.

    Returns:
        16 hexadecimal digits.
    """
    return digest(windows(load_text("train"), 1), windows(load_text("test"), 1))


def _measure_pixels(model: Any) -> Figures:
    return held_out_bits(model, _images("test")) | digit_distance(partial(_draw, model))


def _measure_flow(model: Any) -> Figures:
    return held_out_bits(model, _rows("test")) | digit_distance(partial(_draw, model))


def _measure_vae(model: CategoricalVAE) -> Figures:
    generator = Generator().manual_seed(SEED)
    tight = model.importance_bound(_images("test"), 500, generator=generator)
    return {
        **held_out_bits(model, _images("test")),
        "bits_per_dim_500_draws": bits_per_dim(-tight, 64).mean().item(),
        **digit_distance(partial(_draw, model)),
    }


def _measure_game(model: Any) -> Figures:
    return digit_distance(lambda n, generator: to_grey(_draw(model, n, generator)))


def _measure_text(model: Any) -> Figures:
    bits = held_out_bits(model, windows(load_text("test")))
    return {"bits_per_byte": bits["bits_per_dim"], "kind": bits["kind"]}


def _measure_classifier(net: DigitClassifier) -> Figures:
    return {f"accuracy_{split}": accuracy(net, split) for split in ("train", "val", "test")}


def _draw(model: Any, n: int, generator: Generator) -> Tensor:
    samples: Tensor = model.sample(n, generator=generator)
    return samples


def _start_classifier(net: DigitClassifier, recipe: ClassifierRecipe) -> Run:
    return start_digit_classifier(net, *load_digits("train"), recipe)


TRAININGS: tuple[Training, ...] = (
    Training(
        name="digit_pixelcnn",
        what="PixelCNN of the digits: two stacks of masked convolutions",
        lesson=2,
        seconds=10,
        settings=PixelCNNRecipe(),
        build=digit_pixelcnn,
        start=lambda model, recipe: train_digit_pixelcnn(model, _images(), recipe),
        measure=_measure_pixels,
        data=DIGITS,
        digest=_digits_digest,
        dtype=torch.float16,
    ),
    Training(
        name="digit_transformer",
        what="transformer of the digits: a pixel is a token",
        lesson=2,
        seconds=10,
        settings=ImageRecipe(),
        build=digit_transformer,
        start=lambda model, recipe: train_digit_transformer(model, _images(), recipe),
        measure=_measure_pixels,
        data=DIGITS,
        digest=_digits_digest,
        dtype=torch.float16,
    ),
    Training(
        name="text_transformer",
        what="transformer of Python's manual: a character is a token",
        lesson=2,
        seconds=10,
        settings=TextRecipe(),
        build=text_transformer,
        start=lambda model, recipe: train_text_transformer(
            model, windows(load_text("train"), recipe.length), recipe
        ),
        measure=_measure_text,
        data=TEXT,
        digest=text_digest,
        dtype=torch.float16,
    ),
    Training(
        name="digit_flow",
        what="spline flow of the digits, with uniform dequantisation",
        lesson=4,
        seconds=15,
        settings=FlowRecipe(),
        build=lambda recipe: digit_flow(_rows(), recipe),
        start=lambda model, recipe: train_digit_flow(model, _rows(), recipe),
        measure=_measure_flow,
        data=DIGITS,
        digest=_digits_digest,
    ),
    Training(
        name="digit_vae",
        what="VAE of the digits: 8 latents, categorical pixels",
        lesson=6,
        seconds=10,
        settings=VAERecipe(),
        build=digit_vae,
        start=lambda model, recipe: train_digit_vae(model, _images(), recipe),
        measure=_measure_vae,
        data=DIGITS,
        digest=_digits_digest,
        dtype=torch.float16,
    ),
    Training(
        name="digit_gan",
        what="GAN of the digits: non-saturating, R1 penalty",
        lesson=7,
        seconds=15,
        settings=GANRecipe(),
        build=digit_gan,
        start=lambda model, recipe: train_digit_gan(model, _images(), recipe),
        measure=_measure_game,
        data=DIGITS,
        digest=_digits_digest,
        dtype=torch.float16,
    ),
    Training(
        name="digit_wgan",
        what="WGAN of the digits, gradient penalty",
        lesson=8,
        seconds=10,
        settings=WGANRecipe(),
        build=digit_wgan,
        start=lambda model, recipe: train_digit_wgan(model, _images(), recipe),
        measure=_measure_game,
        data=DIGITS,
        digest=_digits_digest,
        dtype=torch.float16,
    ),
    Training(
        name="digit_classifier",
        what="feature network of the metrics: a classifier of the digits",
        lesson=9,
        seconds=10,
        settings=ClassifierRecipe(),
        build=lambda recipe: new_digit_classifier(recipe.seed),
        start=_start_classifier,
        measure=_measure_classifier,
        data=DIGITS,
        digest=_digits_digest,
        folder=CLASSIFIER.parent,
    ),
)


def find(name: str) -> Training:
    """Look a training up by its name.

    Args:
        name: as on the command line.

    Returns:
        The training.

    Raises:
        ValueError: there is none of that name; the nearest is suggested.

    Example:
        >>> find("digit_vae").lesson
        6
    """
    by_name = {training.name: training for training in TRAININGS}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(by_name)}"
        raise ValueError(f"no model is named {name!r}; {hint}")
    return by_name[name]


def load_model(name: str, path: Path | None = None, *, dtype: torch.dtype | None = None) -> Any:
    """Load a trained model, ready to evaluate, without gradients of its weights.

    Args:
        name: one of `TRAININGS`.
        path: a file that you trained yourself; the shipped one when None.
        dtype: its precision; torch's default when None.

    Returns:
        The model, as its paradigm's module builds it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no model of that name, or the file is damaged or holds another model.

    Example:
        >>> load_model("digit_vae").sample(2, generator=Generator().manual_seed(0)).shape
        torch.Size([2, 1, 8, 8])

    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    return load(find(name), path, dtype=dtype)


def card(name: str) -> dict[str, Any]:
    """Read the card of a shipped model: recipe, seed, data, held-out figures, seconds.

    Args:
        name: one of `TRAININGS`.

    Returns:
        What `genlab train NAME` wrote beside the weights.

    Raises:
        FileNotFoundError: there is no card.
        ValueError: no model of that name, or the card is damaged.

    Example:
        >>> card("digit_vae")["metrics"]["kind"]
        'bound'

    Lesson: notebooks/15_four_paradigm_landscape.ipynb
    """
    return read_card(find(name).path)
