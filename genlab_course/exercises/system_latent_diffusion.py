"""Exercises of the latent diffusion lab: weights, scales, the pipeline and its cost."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genlab_course.exercise import Exercise, Mistake

Array = NDArray[np.float64]

# ld.pixel-std: which Gaussian likelihood does a weight of the divergence assume?


def _pixel_std(weight: float, n_pixels: int) -> float:
    return math.sqrt(weight * n_pixels / 2)


# ld.pipeline: from noise to a picture


def _denoise(x: Array) -> Array:  # a sampler whose result is easy to recognise
    return 0.5 * np.tanh(x)


def _decode(z: Array) -> Array:
    return 1 / (1 + np.exp(-z * z - z))


def _pipeline(
    noise: Array,
    sample: Callable[[Array], Array],
    decode: Callable[[Array], Array],
    shift: float,
    spread: float,
) -> Array:
    return decode(shift + spread * sample(noise))


_NOISE = np.array([[0.3, -1.2], [2.0, 0.4]])

# ld.cost: multiply-adds of one guided picture


def _cost(steps: int, w: float, unet: int, decoder: int) -> int:
    return steps * (1 if w in (0, 1) else 2) * unet + decoder


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        id="ld.shift",
        task="Codes have standard deviation 5.5 and are diffused as they are. By how many nats "
        "does the log signal-to-noise ratio of every step rise?",
        right=2 * math.log(5.5),
        mistakes=(
            Mistake(
                math.log(5.5),
                "You compared standard deviations; a signal-to-noise ratio compares variances.",
            ),
            Mistake(
                -2 * math.log(5.5),
                "You have the sign of codes that are too small: larger codes drown later.",
            ),
            Mistake(5.5**2, "You gave the factor of the ratio; asked is its logarithm."),
            Mistake(20 * math.log10(5.5), "You answered in decibels; asked are nats."),
            Mistake(2 * math.log2(5.5), "You answered in bits; asked are nats."),
        ),
        hints=(
            "What happens to the variance of the signal when every code is multiplied by c?",
            "It is multiplied by c^2, and the noise stays. Take the logarithm of the ratio.",
            "The rise is log c^2 with c = 5.5.",
        ),
    ),
    Exercise(
        id="ld.pixel-std",
        task="Write pixel_std(weight, n_pixels): the s of a Gaussian decoder for which the loss "
        "'mean of squares + weight x KL' is the negative bound up to scale and constant.",
        right=_pixel_std,
        cases=((1e-6, 3072), (2e-3, 64), (0.5, 12)),
        mistakes=(
            Mistake(
                lambda weight, n_pixels: math.sqrt(weight / 2),
                "You took the loss for a *sum* of squares; a mean is a sum divided by D, and the "
                "divergence is not divided.",
            ),
            Mistake(
                lambda weight, n_pixels: weight * n_pixels / 2,
                "You gave the variance s^2; asked is the standard deviation.",
            ),
            Mistake(
                lambda weight, n_pixels: math.sqrt(weight * n_pixels),
                "You forgot the half in the exponent of the normal law.",
            ),
            Mistake(
                lambda weight, n_pixels: math.sqrt(weight / (2 * n_pixels)),
                "You divided by D where you should multiply: a mean is small beside a sum.",
            ),
            Mistake(
                lambda weight, n_pixels: math.sqrt(2 * weight * n_pixels),
                "You multiplied by the 2 of 2 s^2 instead of dividing by it.",
            ),
        ),
        hints=(
            "Write the negative bound of a Gaussian decoder, and multiply it until the squares "
            "stand alone.",
            "Times 2 s^2: sum of squares + 2 s^2 KL. Now divide by D.",
            "2 s^2 / D = weight.",
        ),
    ),
    Exercise(
        id="ld.pipeline",
        task="Write paint(noise, sample, decode, shift, spread): the picture, when `sample` makes "
        "codes that were shifted and divided by their spread.",
        right=_pipeline,
        cases=((_NOISE, _denoise, _decode, 0.4, 5.5), (_NOISE, _denoise, _decode, -1.0, 0.2)),
        mistakes=(
            Mistake(
                lambda noise, sample, decode, shift, spread: decode(sample(noise)),
                "You decoded scaled codes: the decoder has never seen numbers of that size.",
            ),
            Mistake(
                lambda noise, sample, decode, shift, spread: decode(
                    (sample(noise) - shift) / spread
                ),
                "You scaled a second time instead of undoing it: codes were divided, so multiply.",
            ),
            Mistake(
                lambda noise, sample, decode, shift, spread: decode(
                    spread * (shift + sample(noise))
                ),
                "You undid the two steps in the wrong order: what came last is undone first.",
            ),
            Mistake(
                lambda noise, sample, decode, shift, spread: decode(spread * sample(noise)),
                "You forgot the shift: every code is off by the mean.",
            ),
            Mistake(
                lambda noise, sample, decode, shift, spread: decode(sample(shift + spread * noise)),
                "You unscaled the noise: the sampler starts from standard normal noise.",
            ),
        ),
        hints=(
            "Three things happen, in this order: sample, undo the scaling, decode.",
            "Scaled = (z - shift) / spread. Solve for z.",
            "decode(shift + spread * sample(noise)).",
        ),
    ),
    Exercise(
        id="ld.cost",
        task="Write cost(steps, w, unet, decoder): multiply-adds of one picture by guided latent "
        "diffusion, given those of one pass of U-Net and decoder.",
        right=_cost,
        cases=((12, 2.0, 1000, 700), (50, 1.0, 10, 3000), (4, 0.0, 200, 90), (1, 7.5, 8, 5)),
        mistakes=(
            Mistake(
                lambda steps, w, unet, decoder: steps * unet + decoder,
                "You forgot that guidance asks twice in every step: with the caption and without.",
            ),
            Mistake(
                lambda steps, w, unet, decoder: 2 * steps * unet + decoder,
                "You charged two passes where one is enough: at w = 1 or 0 only one of the two "
                "answers counts.",
            ),
            Mistake(
                lambda steps, w, unet, decoder: (
                    steps * ((1 if w in (0, 1) else 2) * unet + decoder)
                ),
                "You ran the decoder in every step; diffusion stays among the codes until the end.",
            ),
            Mistake(
                lambda steps, w, unet, decoder: (
                    steps * (1 if w in (0, 1) else 2) * unet + 2 * decoder
                ),
                "You charged the encoder, or the decoder twice: nothing is encoded when painting.",
            ),
            Mistake(
                lambda steps, w, unet, decoder: (
                    steps * (1 if w in (0, 1) else 2) * (unet + decoder)
                ),
                "You ran the decoder with every pass; it runs once for each picture.",
            ),
        ),
        hints=(
            "Which networks run in every step, and which once?",
            "A guided step blends two answers of the U-Net. For w = 1 the blend is one of them.",
            "steps x (1 or 2) x unet + decoder.",
        ),
    ),
)
