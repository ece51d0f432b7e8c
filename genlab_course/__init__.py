"""The course: what a notebook calls stands in `genlab_course.notebook`, loaded when asked for.

So `genlab --help` and the commands with it wait for no torch.
"""

import importlib
from typing import Any


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name == "notebook":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    offered = vars(importlib.import_module(f"{__name__}.notebook"))
    globals().update({key: value for key, value in offered.items() if not key.startswith("_")})
    if name not in offered:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return offered[name]
