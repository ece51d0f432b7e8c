"""Trained weights on disk: `NAME.safetensors`, and `NAME.json`, the card that says what they are.

Weights without their recipe cannot be judged, so the two are written together, and the card holds
a digest of the weights: a file that was cut short or changed is refused, with the command that
writes it again. Lesson: notebooks/09_evaluation.ipynb
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from genlab.core.files import replace_files

REQUIRED = ("recipe", "seed", "data", "metrics", "seconds")  # what every card says

M = TypeVar("M", bound=nn.Module)


def save_weights(
    module: nn.Module,
    path: Path,
    card: Mapping[str, Any],
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a module's weights and buffers, and their card beside them.

    Args:
        module: the trained module; a weight with two names is written once.
        path: `NAME.safetensors`; the card becomes `NAME.json`.
        card: what a reader must know, at least `recipe` (the command that remakes the file),
            `seed`, `data`, `metrics` and `seconds`; values that JSON can hold. Added to it:
            `parameters` (numbers in the file), `bytes`, `dtype`, `versions`, `sha256`.
        dtype: precision of the real numbers in the file, float32 or float16.

    Raises:
        ValueError: another ending, another precision, a card that leaves something out, or a
            weight that is not finite in that precision.

    Example:
        >>> import tempfile
        >>> card = dict(recipe="genlab train line", seed=0, data="none", metrics={}, seconds=0.0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "line.safetensors")
        ...     save_weights(nn.Linear(2, 1), path, card)
        ...     read_card(path)["parameters"], load_weights(nn.Linear(2, 1), path).training
        (3, False)
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"expected a path that ends in .safetensors, got {path.name}")
    if dtype not in (torch.float32, torch.float16):
        raise ValueError(f"weights are written in float32 or float16, got {dtype}")
    if missing := [name for name in REQUIRED if name not in card]:
        raise ValueError(f"the card lacks {', '.join(missing)}")
    precision = str(dtype).removeprefix("torch.")
    weights = {}
    for name, w in _distinct(module).items():
        weights[name] = w.to("cpu", dtype if w.is_floating_point() else w.dtype).contiguous()
        if not weights[name].isfinite().all():
            raise ValueError(f"{name} is not finite in {precision}")
    data = save(weights)
    full = {
        **card,
        "parameters": sum(w.numel() for w in weights.values()),
        "bytes": len(data),
        "dtype": precision,
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    text = json.dumps(full, indent=2, ensure_ascii=False) + "\n"
    # the card first: a process that is killed between the two leaves no weights without a card
    replace_files({path.with_suffix(".json"): text.encode(), path: data})


def load_weights(
    module: M, path: Path, *, dtype: torch.dtype | None = None, recipe: str | None = None
) -> M:
    """Put a file's weights into a module, which is then ready to evaluate.

    Args:
        module: built as the module that was saved; it stays as it was when the file is refused.
        path: `NAME.safetensors`, by `save_weights`.
        dtype: precision of the module afterwards; its own when None.
        recipe: the command that remakes the file, for the messages; by default the card's, or
            `genlab train NAME`.

    Returns:
        The same module, in evaluation mode.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file or its card is damaged, or it holds other names or shapes.
    """
    remake = f"`{recipe or _recipe(path)}` writes it again"
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; {remake}")
    data = path.read_bytes()
    digest = read_card(path).get("sha256") if path.with_suffix(".json").is_file() else None
    if digest and digest != hashlib.sha256(data).hexdigest():
        why = "it is not the file that its card was written for"
        raise ValueError(f"{path.name} is damaged ({why}); {remake}")
    try:
        weights = load(data)
    except SafetensorError as error:
        raise ValueError(f"{path.name} is damaged ({error}); {remake}") from error
    wanted = {name: tuple(w.shape) for name, w in _distinct(module).items()}
    found = {name: tuple(w.shape) for name, w in weights.items()}
    if found != wanted:
        odd = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        kind = type(module).__name__
        raise ValueError(f"{path.name} is not a {kind}: {', '.join(odd)} differ; {remake}")
    if dtype is not None:
        module.to(dtype)
    module.load_state_dict(weights, strict=False)  # a second name of a weight is not in the file
    return module.eval()


def read_card(path: Path) -> dict[str, Any]:
    """Read the card of a file of weights.

    Args:
        path: `NAME.safetensors`; the card is `NAME.json` beside it.

    Returns:
        What `save_weights` wrote.

    Raises:
        FileNotFoundError: there is no card.
        ValueError: the card is not a JSON object.
    """
    place = path.with_suffix(".json")
    remake = f"`genlab train {path.stem} --force --out {path.parent}` writes it again"
    if not place.is_file():
        raise FileNotFoundError(f"no card at {place}; {remake}")
    try:
        card = json.loads(place.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place.name} is damaged ({error}); {remake}") from error
    if not isinstance(card, dict):
        raise ValueError(f"{place.name} is damaged (not a JSON object); {remake}")
    return card


def _recipe(path: Path) -> str:
    """Return the command that a file's card names, or the one that its name suggests."""
    try:
        return str(read_card(path)["recipe"])
    except (FileNotFoundError, ValueError, KeyError):
        return f"genlab train {path.stem}"


def _distinct(module: nn.Module) -> dict[str, Tensor]:
    """Return weights and buffers by name, each tensor under its first name only."""
    seen: set[int] = set()
    found = {}
    for name, w in module.state_dict(keep_vars=True).items():
        if id(w) not in seen:
            seen.add(id(w))
            found[name] = w.detach()
    return found
