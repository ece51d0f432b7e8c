"""Mean images of the shipped VAE with two latents, in double precision, and their open bits."""

import math
from functools import lru_cache

import torch

from genlab.zoo import load_model

N_RANDOM = 8  # a plane of pictures is many numbers


def code(rng):
    """A code a little beyond the plane that is on show first."""
    return [rng.uniform(-3, 3) for _ in range(2)]


HIDDEN = {"from": code, "to": code}


@lru_cache(maxsize=1)
def model():
    return load_model("mnist_plane", dtype=torch.float64)


def decode(codes):
    with torch.no_grad():
        return model().mean_image(torch.as_tensor(codes, dtype=torch.float64)).flatten(1)


def open_bits(picture):
    """Entropy of independent pixels, from torch's own distribution."""
    return torch.distributions.Bernoulli(probs=picture).entropy().sum() / math.log(2)


def expected(settings):
    ends = torch.tensor([settings["from"], settings["to"]], dtype=torch.float64)
    t = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
    at, (first, last) = settings["walk"] / 100, decode(ends)
    here, reach = torch.lerp(*ends, at), settings["reach"]
    picture, blend = decode(here[None])[0], torch.lerp(first, last, at)
    middles = (torch.arange(9, dtype=torch.float64) + 0.5) * 2 * reach / 9 - reach
    up, along = torch.meshgrid(middles.flip(0), middles, indexing="ij")
    sheet = decode(torch.stack([along, up], -1).reshape(-1, 2)).reshape(9, 9, 16, 16)
    return {
        "here": here, "picture": picture, "blend": blend,
        "bits": open_bits(picture), "blendBits": open_bits(blend),
        "walked": decode(torch.lerp(*ends, t)), "faded": torch.lerp(first, last, t),
        "atlas": sheet.transpose(1, 2).reshape(-1),
    }  # fmt: skip
