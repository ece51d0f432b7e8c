"""Every trained model that ships: `load_model(NAME)`, its card, and the recipe that remakes it.

A recipe's file is imported when it is first asked for, and with it what this model needs.
"""

import difflib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from genlab.core.weights import read_card

WEIGHTS = Path(__file__).parent / "weights"
MODULES = {  # of this package, and the recipes in it
    "autoregressive": ("digit_pixelcnn", "digit_transformer", "text_transformer"),
    "flow": ("digit_flow", "moons_flow"),
    "vae": ("digit_vae", "mnist_vae", "mnist_plane"),
    "gan": ("digit_gan", "mnist_gan", "digit_wgan"),
    "classifiers": ("digit_classifier", "digit16_evaluator_a", "digit16_evaluator_b"),
    "energy": ("digit_ebm",),
    "matching": ("digit_ncsn",),
    "diffusion": ("digit_diffusion",),
    "edm": ("mnist16_diffusion", "mnist28_diffusion", "digit_edm", "digits16"),
    "consistency": ("digit_consistency",),
    "masked": ("digit_masked_diffusion",),
    "npe": ("npe_linear_gaussian", "npe_two_moons", "npe_two_moons_masked", "npe_epidemic"),
    "language_model": ("language_model",),
    "latent_diffusion": (
        "scene_evaluator", "latent_vae", "latent_diffusion", "latent_dit", "pixel_diffusion",
    ),
    "glide": ("glide_base", "glide_upsampler", "glide_upsampler_plain", "glide_reader"),
    "stylegan": ("stylegan",),
    "text_to_video": ("text_to_video",),
    "language_and_image": ("language_and_image",),
}  # fmt: skip
NAMES = tuple(name for names in MODULES.values() for name in names)
__all__ = ["MODULES", "NAMES", "card", "find", "load_model", "recipes"]


def recipes() -> tuple[Any, ...]:
    """Every recipe; this imports all of them, and with them all systems."""
    return tuple(find(name) for name in NAMES)


def find(name: str, beside: Sequence[Any] = ()) -> Any:
    """The `Recipe` of a name, or a row from `beside`; ValueError with the nearest name if none."""
    for row in beside:
        if row.name == name:
            return row
    module = next((module for module, names in MODULES.items() if name in names), None)
    if module is None:
        known = [*NAMES, *(row.name for row in beside)]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "`genlab train` lists them all"
        raise ValueError(f"no model is named {name!r}; {hint}")
    rows = importlib.import_module(f"{__name__}.{module}").RECIPES
    return next(row for row in rows if row.name == name)


def load_model(name: str, path: Path | None = None, *, dtype: torch.dtype | None = None) -> Any:
    """A trained model, to evaluate, without gradients of its weights: `Recipe.load`."""
    return find(name).load(path, dtype=dtype)


def card(name: str) -> dict[str, Any]:
    """What `genlab train NAME` wrote beside the shipped weights."""
    if name not in NAMES:
        find(name)  # raises, with the nearest name
    return read_card(WEIGHTS / f"{name}.safetensors")
