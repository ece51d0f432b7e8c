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
    """Split a function or class into its displayed equations and its code without docstring.

    Args:
        obj: a function, method or class of the package.

    Returns:
        `(equations, code)`: the displayed formulae of the docstring, and the dedented source.

    Raises:
        TypeError: the object has no Python source.
    """
    code = textwrap.dedent(inspect.getsource(obj))
    node = ast.parse(code).body[0]
    doc = ast.get_docstring(node, clean=True) or "" if isinstance(node, _Documented) else ""
    if doc and isinstance(node, _Documented):
        first = node.body[0]
        lines = code.splitlines()
        del lines[first.lineno - 1 : first.end_lineno]
        code = "\n".join(lines)
    return "\n\n".join(_DISPLAYED.findall(doc)), code.rstrip()


_Documented = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def show_source(obj: Callable[..., Any]) -> None:
    """Display a function of genlab: its equation, where it lives, and its body.

    Args:
        obj: the function or class.
    """
    equations, code = source_parts(obj)
    place = f"`{obj.__module__}.{obj.__qualname__}`"
    display(Markdown("\n\n".join(filter(None, [place, equations, f"```python\n{code}\n```"]))))  # type: ignore[no-untyped-call]
