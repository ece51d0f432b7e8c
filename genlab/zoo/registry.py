"""Every trained model that ships: its recipe by name, its weights, its card.

`genlab train NAME` runs one of these recipes; `load_model(NAME)` loads what it made, and `card`
says what that is. Lesson 15 sets them side by side.
Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import difflib
from pathlib import Path
from typing import Any

import torch

from genlab.core.weights import read_card
from genlab.zoo import (
    glide_models,
    language_and_image_models,
    language_model_models,
    latent_diffusion_models,
    npe_models,
    odd_claims_models,
    score_models,
    stylegan_models,
    text_to_video_models,
)
from genlab.zoo.lessons import LESSONS
from genlab.zoo.train import Training, load

TRAININGS: tuple[Training, ...] = (
    *LESSONS,
    *score_models.TRAININGS,
    *odd_claims_models.TRAININGS,
    *npe_models.TRAININGS,
    *language_model_models.TRAININGS,
    *latent_diffusion_models.TRAININGS,
    *glide_models.TRAININGS,
    *stylegan_models.TRAININGS,
    *text_to_video_models.TRAININGS,
    *language_and_image_models.TRAININGS,
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
        >>> load_model("digit_vae").sample(2, generator=torch.Generator().manual_seed(0)).shape
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
