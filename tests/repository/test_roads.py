"""What is typed at one place is refused there: no `**options` goes through two functions."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = (ast.FunctionDef, ast.Lambda)


def handed_on(tree):
    """For each function that takes `**name`: itself, and what it gives `**name` to."""
    for function in ast.walk(tree):
        if isinstance(function, FUNCTIONS) and function.args.kwarg:
            name = function.args.kwarg.arg
            for call in (c for c in ast.walk(function) if isinstance(c, ast.Call)):
                stars = [k.value for k in call.keywords if k.arg is None]
                if any(isinstance(star, ast.Name) and star.id == name for star in stars):
                    yield getattr(function, "name", "lambda"), ast.unparse(call.func)


def tunnels(texts):
    """Functions that give their `**options` to a function which hands them on again."""
    roads = [road for text in texts for road in handed_on(ast.parse(text))]
    takers = {taker for taker, _ in roads if taker != "__init__"}
    return [
        f"{taker} -> {given}"
        for taker, given in roads
        if given.split(".")[-1] in takers and not given.startswith("super()")
    ]


def test_no_options_go_through_more_than_one_call():
    files = (
        path
        for package in ROOT.glob("genlab*/__init__.py")
        for path in package.parent.rglob("*.py")
    )
    assert tunnels(path.read_text(encoding="utf-8") for path in files) == []


def test_a_tunnel_of_two_calls_is_noticed():
    first = "def samples_of(model, **options):\n    return model.sample(**options)"
    second = "def draw(model, **options):\n    return lambda n: samples_of(model, **options)"
    assert tunnels([first]) == []
    assert tunnels([first, second]) == ["draw -> samples_of"]
