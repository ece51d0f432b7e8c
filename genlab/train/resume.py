"""Runs that survive: a file says where a run stands, and the next process goes on from there."""

import hashlib
import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from genlab.files import replace_file
from genlab.train.fit import Run


def store(
    run: Run, path: Path, identity: Mapping[str, Any], seconds: float, *, write: bool = True
) -> None:
    """Write where a run stands between two steps, and the seconds that it has taken.

    The `identity` (settings, seed, ..., as JSON) must be the same in the process that goes on. Of
    several processes, which gather their state together, only one is to `write`.
    """
    buffer = io.BytesIO()
    torch.save(
        {"identity": _plain(identity), "seconds": float(seconds), "run": run.state_dict()}, buffer
    )
    data = buffer.getvalue()
    if write:
        replace_file(path, hashlib.sha256(data).digest() + data)


def restore(run: Run, path: Path, identity: Mapping[str, Any]) -> float:
    """Take a run to where it was stored, and return the seconds until then; 0 without a file.

    ValueError: the file is damaged, of another layout (an older genlab's), or of another identity.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, expected a checkpoint or nothing")
    if not path.exists():
        return 0.0
    state = _unpack(path.read_bytes())
    here = _plain(identity)
    if state is None:
        raise ValueError(f"{path.name} is damaged: delete it to start from the beginning")
    if any(not isinstance(state.get(name), kind) for name, kind in LAYOUT.items()):
        raise ValueError(_of_another_layout(path))
    differ = "; ".join(
        f"{name}: {state['identity'].get(name)} there, {here.get(name)} here"
        for name in here | state["identity"]
        if state["identity"].get(name) != here.get(name)
    )
    if differ:
        raise ValueError(
            f"{path.name} belongs to another run ({differ}): repeat that one to its end, "
            "or delete the file to start from the beginning"
        )
    try:
        run.load_state_dict(state["run"])
    except (KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(_of_another_layout(path)) from error
    return state["seconds"]


LAYOUT = {"identity": dict, "run": dict, "seconds": float}  # of what is stored


def _of_another_layout(path: Path) -> str:
    return (
        f"{path.name} has another layout, perhaps an older version's: delete it to start from the "
        "beginning, or go on with the version that wrote it"
    )


def _plain(identity: Mapping[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(dict(identity)))


def _unpack(file: bytes) -> dict[str, Any] | None:
    digest = file[:32]
    data = file[32:]
    if hashlib.sha256(data).digest() != digest:
        return None
    try:
        state = torch.load(io.BytesIO(data), weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError):
        return None
    return state if isinstance(state, dict) else {}
