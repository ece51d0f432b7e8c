"""Show a function of the package as a lesson reads it: the equation, then the code under it."""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

from IPython.display import Markdown, display

_DISPLAYED = re.compile(r"\$\$.+?\$\$", re.DOTALL)


def source_parts(obj: Callable[..., Any]) -> tuple[str, str]:
    """The displayed equations of a docstring, and the source code without the docstring."""
    code = textwrap.dedent(inspect.getsource(obj))
    node = ast.parse(code).body[0]
    doc = ""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        doc = ast.get_docstring(node, clean=True) or ""
        first = node.body[0]
        lines = code.splitlines()
        del lines[first.lineno - 1 : first.end_lineno if doc else first.lineno - 1]
        code = "\n".join(lines)
    return "\n\n".join(_DISPLAYED.findall(doc)), code.rstrip()


def show_source(obj: Callable[..., Any]) -> None:
    """Display a function or class of genlab: where it lives, its equation, and its body."""
    equations, code = source_parts(obj)
    place = f"`{obj.__module__}.{obj.__qualname__}`"
    display(Markdown("\n\n".join(filter(None, [place, equations, f"```python\n{code}\n```"]))))
