"""Packages whose files are imported when a name of theirs is first asked for.

So a lesson on diffusion depends on no energy, and a change there cannot reach it.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def on_demand(package: str, offers: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that offers, by module, names; AttributeError for others."""

    def find(name: str) -> Any:
        for module, names in offers.items():
            if name in names:
                inside = module if module.startswith("genlab.") else f"{package}.{module}"
                return getattr(importlib.import_module(inside), name)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
