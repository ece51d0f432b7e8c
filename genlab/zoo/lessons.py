"""The trained models of lessons 02 to 09, by name.

Each is the recipe of its paradigm, with the figures that its card states: how probable the held-out
data are, with the kind of that number, and how far its samples are from them.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from genlab.core.stats import bits_per_dim
from genlab.data.digits import load_digits
from genlab.data.text import load_text
from genlab.latent.vae import CategoricalVAE
from genlab.metrics.features import WEIGHTS as CLASSIFIER
from genlab.metrics.features import DigitClassifier
from genlab.train import Run
from genlab.zoo.cards import SEED, Figures, digest, digit_distance, drawn, held_out_bits
from genlab.zoo.digit_features import Recipe as ClassifierRecipe
from genlab.zoo.digit_features import accuracy, new_digit_classifier, start_digit_classifier
from genlab.zoo.digit_flow import Recipe as FlowRecipe
from genlab.zoo.digit_flow import digit_flow, train_digit_flow
from genlab.zoo.digit_gan import Recipe as GANRecipe
from genlab.zoo.digit_gan import digit_gan, to_grey, train_digit_gan
from genlab.zoo.digit_pixelcnn import Recipe as PixelCNNRecipe
from genlab.zoo.digit_pixelcnn import digit_pixelcnn, train_digit_pixelcnn
from genlab.zoo.digit_transformer import Recipe as ImageRecipe
from genlab.zoo.digit_transformer import digit_transformer, train_digit_transformer
from genlab.zoo.digit_vae import Recipe as VAERecipe
from genlab.zoo.digit_vae import digit_vae, train_digit_vae
from genlab.zoo.digit_wgan import Recipe as WGANRecipe
from genlab.zoo.digit_wgan import digit_wgan, train_digit_wgan
from genlab.zoo.text_transformer import Recipe as TextRecipe
from genlab.zoo.text_transformer import text_transformer, train_text_transformer, windows
from genlab.zoo.train import Training

DIGITS = "genlab.data.digits, part 'train': 1,397 images of 8 x 8, 17 grey levels"
TEXT = "genlab.data.text, part 'train': the manual of the Python that trained, 90 %"


def _images(split: str = "train") -> Tensor:
    return load_digits(split).images


def digits_digest() -> str:
    """Name the digits by their content.

    Returns:
        16 hexadecimal digits.
    """
    return digest(*(part for split in ("train", "val", "test") for part in load_digits(split)))


def text_digest() -> str:
    """Name the manual of this Python by its content: other versions have another one.

    Returns:
        16 hexadecimal digits.
    """
    return digest(windows(load_text("train"), 1), windows(load_text("test"), 1))


def _measure_pixels(model: Any) -> Figures:
    x = _images("test").reshape(-1, *model.event_shape)
    return held_out_bits(model, x) | digit_distance(partial(drawn, model))


def _measure_vae(model: CategoricalVAE) -> Figures:
    generator = Generator().manual_seed(SEED)
    tight = model.importance_bound(_images("test"), 500, generator=generator)
    return {
        **held_out_bits(model, _images("test")),
        "bits_per_dim_500_draws": bits_per_dim(-tight, 64).mean().item(),
        **digit_distance(partial(drawn, model)),
    }


def _measure_game(model: Any) -> Figures:
    return digit_distance(lambda n, generator: to_grey(drawn(model, n, generator)))


def _measure_text(model: Any) -> Figures:
    bits = held_out_bits(model, windows(load_text("test")))
    return {"bits_per_byte": bits["bits_per_dim"], "kind": bits["kind"]}


def _measure_classifier(net: DigitClassifier) -> Figures:
    return {f"accuracy_{split}": accuracy(net, split) for split in ("train", "val", "test")}


def _start_classifier(net: DigitClassifier, recipe: ClassifierRecipe) -> Run:
    return start_digit_classifier(net, *load_digits("train"), recipe)


_of_digits = partial(Training, data=DIGITS, digest=digits_digest)

LESSONS: tuple[Training, ...] = (
    _of_digits(
        name="digit_pixelcnn",
        what="PixelCNN of the digits: two stacks of masked convolutions",
        lesson=2,
        seconds=10,
        settings=PixelCNNRecipe(),
        build=digit_pixelcnn,
        start=lambda model, recipe: train_digit_pixelcnn(model, _images(), recipe),
        measure=_measure_pixels,
        dtype=torch.float16,
    ),
    _of_digits(
        name="digit_transformer",
        what="transformer of the digits: a pixel is a token",
        lesson=2,
        seconds=10,
        settings=ImageRecipe(),
        build=digit_transformer,
        start=lambda model, recipe: train_digit_transformer(model, _images(), recipe),
        measure=_measure_pixels,
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
    _of_digits(
        name="digit_flow",
        what="spline flow of the digits, with uniform dequantisation",
        lesson=4,
        seconds=15,
        settings=FlowRecipe(),
        build=lambda recipe: digit_flow(_images().flatten(1), recipe),
        start=lambda model, recipe: train_digit_flow(model, _images().flatten(1), recipe),
        measure=_measure_pixels,
    ),
    _of_digits(
        name="digit_vae",
        what="VAE of the digits: 8 latents, categorical pixels",
        lesson=6,
        seconds=10,
        settings=VAERecipe(),
        build=digit_vae,
        start=lambda model, recipe: train_digit_vae(model, _images(), recipe),
        measure=_measure_vae,
        dtype=torch.float16,
    ),
    _of_digits(
        name="digit_gan",
        what="GAN of the digits: non-saturating, R1 penalty",
        lesson=7,
        seconds=15,
        settings=GANRecipe(),
        build=digit_gan,
        start=lambda model, recipe: train_digit_gan(model, _images(), recipe),
        measure=_measure_game,
        dtype=torch.float16,
    ),
    _of_digits(
        name="digit_wgan",
        what="WGAN of the digits, gradient penalty",
        lesson=8,
        seconds=10,
        settings=WGANRecipe(),
        build=digit_wgan,
        start=lambda model, recipe: train_digit_wgan(model, _images(), recipe),
        measure=_measure_game,
        dtype=torch.float16,
    ),
    _of_digits(
        name="digit_classifier",
        what="feature network of the metrics: a classifier of the digits",
        lesson=9,
        seconds=10,
        settings=ClassifierRecipe(),
        build=lambda recipe: new_digit_classifier(recipe.seed),
        start=_start_classifier,
        measure=_measure_classifier,
        folder=CLASSIFIER.parent,
    ),
)
