"""The functions and classes of a lesson's page, for scripts that measure them over seeds."""

import ast
from pathlib import Path

SOURCES = Path(__file__).parents[1] / "notebooks/src"


def define(slug, wanted, names):
    """Run the definitions `wanted` of the page `slug`, read from its text, on `names`."""
    path = SOURCES / f"{slug}.py"
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [part for part in tree.body if getattr(part, "name", None) in wanted]
    missing = sorted(set(wanted) - {part.name for part in tree.body})
    if missing:
        raise ValueError(f"{path.name} defines no {', '.join(missing)}; was it renamed?")
    exec(compile(tree, str(path), "exec"), names)
