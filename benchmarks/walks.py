"""How many files of genlab a reader visits who follows one call to its end.

`python benchmarks/walks.py` prints, for each walk, how many files and functions are entered, and
the files in the order of their first call (-v: with the functions). Importing, building and loading
come before a walk; the door that checks arguments (`core/checked.py`) is left out, since no call
names it.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import torch

import genlab
from genlab.zoo import find, load_model

PACKAGE = Path(genlab.__file__).parent
DOOR = PACKAGE / "core" / "checked.py"
CAPTION = ["a red seven left of a blue three"]


def visited(walk: Callable[[], object]) -> dict[str, list[str]]:
    """Files of genlab that a call enters, each with the functions entered there, in order."""
    found: dict[str, list[str]] = {}

    def see(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        path = Path(code.co_filename)
        if event == "call" and PACKAGE in path.parents and path != DOOR:
            functions = found.setdefault(str(path.relative_to(PACKAGE)), [])
            if code.co_qualname not in functions:
                functions.append(code.co_qualname)

    sys.setprofile(see)
    try:
        walk()
    finally:
        sys.setprofile(None)
    return found


def token() -> Callable[[], object]:
    """A language model decodes one token."""
    model = load_model("language_model", dtype=torch.float32)
    return lambda: list(model.complete("The ", 1))


def drawing() -> Callable[[], object]:
    """A caption becomes a picture by latent diffusion."""
    model = load_model("latent_diffusion", dtype=torch.float32)
    return lambda: model.draw(CAPTION, guidance_scale=3.0, n_steps=2)


def step() -> Callable[[], object]:
    """A caption takes part in one training step of latent diffusion."""
    recipe = find("latent_diffusion")
    run = recipe.train(recipe.untrained())
    return lambda: next(iter(run))


def small_picture() -> Callable[[], object]:
    """A caption becomes a picture by GLIDE."""
    model = load_model("glide_base", dtype=torch.float32)
    return lambda: model.draw(["a thin red seven"], guidance_scale=3.0, n_steps=2)


def video() -> Callable[[], object]:
    """A caption becomes a video."""
    model = load_model("text_to_video", dtype=torch.float32)
    return lambda: model.draw(["a red seven turning"], guidance_scale=3.0, n_steps=2)


def main() -> None:
    """Print every walk."""
    for begin in (token, step, drawing, small_picture, video):
        found = visited(begin())
        n = sum(len(functions) for functions in found.values())
        print(f"{begin.__doc__} {len(found)} files, {n} functions")
        for file, functions in found.items():
            print(f"  {file}: {', '.join(functions)}" if "-v" in sys.argv else f"  {file}")


if __name__ == "__main__":
    main()
