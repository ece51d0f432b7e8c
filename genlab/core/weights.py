"""Weights and the card beside them, which says what they are and how to make them again."""

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

from genlab.files import replace_files

REQUIRED = ("recipe", "seed", "data", "metrics", "seconds")  # what every card says

M = TypeVar("M", bound=nn.Module)


def save_weights(
    module: nn.Module, path: Path, card: Mapping[str, Any], *, dtype: torch.dtype = torch.float32
) -> None:
    """Write a module's weights and buffers, and their card beside them."""
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
    try:
        text = json.dumps(full, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except ValueError as error:
        found = f"metrics are {card['metrics']}"
        raise ValueError(f"{found}, expected a card of finite numbers: JSON has no NaN") from error
    # the card first: a process that is killed between the two leaves no weights without a card
    replace_files({path.with_suffix(".json"): text.encode(), path: data})


def load_weights(
    module: M, path: Path, *, dtype: torch.dtype | None = None, recipe: str | None = None
) -> M:
    """Put a file's weights into a module, which is then ready to evaluate.

    FileNotFoundError: no such file or card. ValueError: damaged, or another network's.
    """
    remake = f"`{recipe or _recipe(path)}` writes it again"
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}; {remake}")
    data = path.read_bytes()
    digest = read_card(path, recipe=recipe).get("sha256")
    actual = hashlib.sha256(data).hexdigest()
    if digest != actual:
        why = f"its card was written for a file with sha256 {digest}, this one has {actual}"
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


def read_card(path: Path, *, recipe: str | None = None) -> dict[str, Any]:
    """Read the card of a file of weights; an error names the command that writes it again."""
    place = path.with_suffix(".json")
    command = recipe or f"genlab train {path.stem} --force --out {path.parent}"
    remake = f"`{command}` writes it again"
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
