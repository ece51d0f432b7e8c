"""What a notebook and a class need, each loaded when it is first asked for.

So `genlab --help` and the commands with it wait for no torch.
"""

import importlib
from typing import Any

OFFERS = {  # module: what notebooks take from it
    "checks": ("CheckFailed", "check", "check_close_mc", "check_range", "more_checks"),
    "grading": ("exercise", "hint", "predicted", "solution", "yours"),
    "figures": ("begin", "draw_map", "film", "hero", "show", "show_images"),
    "copies": ("reset",),
    "standings": ("progress",),
    "quiz": ("questions",),
    "source": ("show_source",),
    "work": ("download", "keep", "restore"),
}
__all__ = [name for names in OFFERS.values() for name in names]


def __getattr__(name: str) -> Any:
    for module, names in OFFERS.items():
        if name in names:
            here = importlib.import_module(f"{__name__}.{module}")
            return getattr(here, "reset_here" if name == "reset" else name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
