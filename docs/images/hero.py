"""Draw the film of start page and lesson 01 from genlab itself: python docs/images/hero.py.

The five models of lesson 01 learn one ring of points (half a minute), then each turns the same
number of noise points into samples. At each moment all five have had the same budget of
evaluations, so four soon wait for the last. Between two evaluations the points move straight.
"""

from pathlib import Path

import torch
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

import genlab_course
from genlab.data.toys import GaussianRing
from genlab.flow.model import Flow
from genlab.flow.transforms import push_forward
from genlab_course.figures import for_text
from genlab_course.lesson_01 import COLOURS, EXTENT, RECIPES, film, learn

PANEL, GAP, TOP, FOOT = 168, 10, 30, 28
N_POINTS, N_FRAMES, FPS, HOLD_S = 110, 30, 6, 1.2
INK = "#333333"


def fonts(*sizes):
    """The font of the course's figures in some sizes."""
    return [ImageFont.truetype(findfont("DejaVu Sans"), size) for size in sizes]


@torch.no_grad()
def states(model):
    """What one sampler passes through, and how many evaluations of the network that took."""
    found = film(model, N_POINTS, seed=3)
    n = len(found) - 1
    if isinstance(model, Flow):  # its layers, which are one evaluation together
        found = [state for state, _ in push_forward(model.transforms, found[0])]
    return torch.stack([state.float() for state in found]), n


def between(found, part):
    """The points at a part of the way, on a straight line between two states."""
    at = part * (len(found) - 1)
    k = min(int(at), len(found) - 2)
    return torch.lerp(found[k], found[k + 1], at - k)


def frame(films, budget, large, small):
    """One picture: five panels, each with its name and what it has spent of a common budget."""
    scale, n = 2, len(films)
    width, height = n * PANEL + (n - 1) * GAP, TOP + PANEL + FOOT
    sheet = Image.new("RGB", (scale * width, scale * height), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (name, (found, n_evaluations)) in enumerate(films.items()):
        left, colour = scale * column * (PANEL + GAP), COLOURS[name]
        side, top, part = scale * PANEL, scale * TOP, min(budget / n_evaluations, 1.0)
        pen.rectangle((left, top, left + side - 1, top + side - 1), "#F7F7F7")
        points = between(found, part)
        for x, y in points[points.abs().amax(1) < EXTENT].tolist():
            cx = left + (x / EXTENT + 1) / 2 * (side - 8) + 4
            cy = top + (1 - y / EXTENT) / 2 * (side - 8) + 4
            pen.ellipse((cx - 5, cy - 5, cx + 5, cy + 5), colour)
        title = RECIPES[name].title.split(" (")[0]
        dark = tuple(round(255 * part) for part in for_text(colour))
        pen.text((left + side / 2, top / 2), title, dark, large, "mm")
        done = int(part * n_evaluations + 1e-6)
        words = f"{done} of {n_evaluations} evaluation{'s' if n_evaluations > 1 else ''}"
        pen.text((left + side / 2, top + side + scale * FOOT / 2), words, INK, small, "mm")
    return sheet.resize((width, height), Image.Resampling.LANCZOS)


def main():
    """Write hero.webp: noise, six seconds of sampling, the ring."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    data = GaussianRing().sample(4000, generator=torch.Generator().manual_seed(1)).float()
    films = {}
    for name in RECIPES:
        model, run = learn(name, data, seed=0)
        for _ in run:
            pass
        films[name] = states(model)
    large, small = fonts(28, 22)
    most = max(n for _, n in films.values())
    budgets = [most * u * u for u in torch.linspace(0, 1, N_FRAMES).tolist()]  # slow at first
    frames = [frame(films, budget, large, small) for budget in budgets]
    times = [600] + [1000 // FPS] * (N_FRAMES - 2) + [round(1000 * HOLD_S)]
    target = Path(genlab_course.__file__).parent / "data" / "hero.webp"
    more = {"save_all": True, "append_images": frames[1:], "duration": times, "loop": 0}
    frames[0].save(target, quality=13, method=6, **more)
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
