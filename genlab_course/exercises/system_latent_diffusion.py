"""Exercises of the latent diffusion lab: weights, scales, the pipeline and its cost."""

import math

import numpy as np
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


# ld.pipeline: from noise to a picture
def _denoise(x: Array) -> Array:  # a sampler whose result is easy to recognise
    return 0.5 * np.tanh(x)


def _decode(z: Array) -> Array:
    return 1 / (1 + np.exp(-z * z - z))


_NOISE = np.array([[0.3, -1.2], [2.0, 0.4]])


SHIFT = Exercise(
    id="ld.shift",
    task="Codes have standard deviation 5.5 and are diffused as they are. By how many nats "
    "does the log signal-to-noise ratio of every step rise?",
    right=2 * math.log(5.5),
    mistakes=Mistake.pairs(
        math.log(5.5),
        "You compared standard deviations; a signal-to-noise ratio compares variances.",
        -2 * math.log(5.5),
        "You have the sign of codes that are too small: larger codes drown later.",
        5.5**2,
        "You gave the factor of the ratio; asked is its logarithm.",
        20 * math.log10(5.5),
        "You answered in decibels; asked are nats.",
        2 * math.log2(5.5),
        "You answered in bits; asked are nats.",
    ),
    hints="What happens to the variance of the signal when every code is multiplied by c?\n"
    "It is multiplied by c^2, and the noise stays. Take the logarithm of the ratio.\n"
    "The rise is log c^2 with c = 5.5.",
)
PIXEL_STD = Exercise(
    id="ld.pixel-std",
    task="Write pixel_std(weight, n_pixels): the s of a Gaussian decoder for which the loss "
    "'mean of squares + weight x KL' is the negative bound up to scale and constant.",
    right=lambda weight, n_pixels: math.sqrt(weight * n_pixels / 2),
    cases=((1e-6, 3072), (2e-3, 64), (0.5, 12)),
    mistakes=Mistake.pairs(
        lambda weight, n_pixels: math.sqrt(weight / 2),
        "You took the loss for a *sum* of squares; a mean is a sum divided by D, and the "
        "divergence is not divided.",
        lambda weight, n_pixels: weight * n_pixels / 2,
        "You gave the variance s^2; asked is the standard deviation.",
        lambda weight, n_pixels: math.sqrt(weight * n_pixels),
        "You forgot the half in the exponent of the normal law.",
        lambda weight, n_pixels: math.sqrt(weight / (2 * n_pixels)),
        "You divided by D where you should multiply: a mean is small beside a sum.",
        lambda weight, n_pixels: math.sqrt(2 * weight * n_pixels),
        "You multiplied by the 2 of 2 s^2 instead of dividing by it.",
    ),
    hints="Write the negative bound of a Gaussian decoder, and multiply it until the squares "
    "stand alone.\n"
    "Times 2 s^2: sum of squares + 2 s^2 KL. Now divide by D.\n"
    "2 s^2 / D = weight.",
)
PIPELINE = Exercise(
    id="ld.pipeline",
    task="Write paint(noise, sample, decode, shift, spread): the picture, when `sample` makes "
    "codes that were shifted and divided by their spread.",
    right=lambda noise, sample, decode, shift, spread: decode(shift + spread * sample(noise)),
    cases=((_NOISE, _denoise, _decode, 0.4, 5.5), (_NOISE, _denoise, _decode, -1.0, 0.2)),
    mistakes=Mistake.pairs(
        lambda noise, sample, decode, shift, spread: decode(sample(noise)),
        "You decoded scaled codes: the decoder has never seen numbers of that size.",
        lambda noise, sample, decode, shift, spread: decode((sample(noise) - shift) / spread),
        "You scaled a second time instead of undoing it: codes were divided, so multiply.",
        lambda noise, sample, decode, shift, spread: decode(spread * (shift + sample(noise))),
        "You undid the two steps in the wrong order: what came last is undone first.",
        lambda noise, sample, decode, shift, spread: decode(spread * sample(noise)),
        "You forgot the shift: every code is off by the mean.",
        lambda noise, sample, decode, shift, spread: decode(sample(shift + spread * noise)),
        "You unscaled the noise: the sampler starts from standard normal noise.",
    ),
    hints="Three things happen, in this order: sample, undo the scaling, decode.\n"
    "Scaled = (z - shift) / spread. Solve for z.\n"
    "decode(shift + spread * sample(noise)).",
)
COST = Exercise(
    id="ld.cost",
    task="Write cost(steps, w, unet, decoder): multiply-adds of one picture by guided latent "
    "diffusion, given those of one pass of U-Net and decoder.",
    right=lambda steps, w, unet, decoder: steps * (1 if w in (0, 1) else 2) * unet + decoder,
    cases=((12, 2.0, 1000, 700), (50, 1.0, 10, 3000), (4, 0.0, 200, 90), (1, 7.5, 8, 5)),
    mistakes=Mistake.pairs(
        lambda steps, w, unet, decoder: steps * unet + decoder,
        "You forgot that guidance asks twice in every step: with the caption and without.",
        lambda steps, w, unet, decoder: 2 * steps * unet + decoder,
        "You charged two passes where one is enough: at w = 1 or 0 only one of the two "
        "answers counts.",
        lambda steps, w, unet, decoder: steps * ((1 if w in (0, 1) else 2) * unet + decoder),
        "You ran the decoder in every step; diffusion stays among the codes until the end.",
        lambda steps, w, unet, decoder: steps * (1 if w in (0, 1) else 2) * unet + 2 * decoder,
        "You charged the encoder, or the decoder twice: nothing is encoded when painting.",
        lambda steps, w, unet, decoder: steps * (1 if w in (0, 1) else 2) * (unet + decoder),
        "You ran the decoder with every pass; it runs once for each picture.",
    ),
    hints="Which networks run in every step, and which once?\n"
    "A guided step blends two answers of the U-Net. For w = 1 the blend is one of them.\n"
    "steps x (1 or 2) x unet + decoder.",
)

EXERCISES = bank(globals())
