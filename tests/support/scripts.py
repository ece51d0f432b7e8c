"""The scripts of docs/ as modules: one of them is called site, as a module of Python's own is."""

import functools
import importlib.util
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"


@functools.cache
def script(name):
    """The module of a script, such as "site" or "images/thumbnails"; run once in a process."""
    if name in ("site", "book", "in_page", "flipbooks"):
        pytest.importorskip("math_core", reason="the extra 'site' is not installed")
    if str(DOCS) not in sys.path:
        sys.path.append(str(DOCS))  # at the end: its site.py is not Python's
    spec = importlib.util.spec_from_file_location(f"{name}_of_docs", DOCS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded
