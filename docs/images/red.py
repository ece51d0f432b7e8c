"""Draw one check of the course, green and red: python docs/images/red.py.

Both cells are run as they are shown: the second differs from the first by one forgotten factor.
"""

import contextlib
import io
import textwrap
from pathlib import Path

import torch
from matplotlib.font_manager import findfont
from PIL import Image, ImageDraw, ImageFont

from genlab_course.checks import CheckFailed, check

CELL = """\
mu, log_var = torch.tensor(0.6), torch.tensor(-0.8)
q, p = Normal(mu, (log_var / 2).exp()), Normal(0, 1)
z = torch.linspace(-8, 8, 4001)
by_hand = {factor}(mu**2 + log_var.exp() - 1 - log_var)
integral = torch.trapezoid(q.log_prob(z).exp() * (q.log_prob(z) - p.log_prob(z)), z)
check("KL by hand = KL by integration", by_hand, integral, atol=1e-6)"""
WIDTH, LINE, MARGIN, SIZE = 1480, 36, 28, 25
INK, CODE, GREEN, RED, MARK = "#333333", "#f5f5f5", "#00704f", "#b3261e", "#ffe3c2"


def output_of(code):
    """What running the cell prints, or the last line of its traceback."""
    names = {"torch": torch, "Normal": torch.distributions.Normal, "check": check}
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            exec(code, names)
        except CheckFailed as error:
            print(f"CheckFailed: {error}")
    return said.getvalue().rstrip()


def draw(path):
    """Write the picture: two cells with their outputs."""
    torch.set_default_dtype(torch.float64)
    font = ImageFont.truetype(findfont("DejaVu Sans Mono"), SIZE)
    cells = [CELL.format(factor="0.5 * "), CELL.format(factor="")]
    rows = CELL.count("\n") + 1
    height = (2 * rows + 3) * LINE + 6 * MARGIN  # one line of output, and two
    picture = Image.new("RGB", (WIDTH, height), "white")
    pen = ImageDraw.Draw(picture)
    top = MARGIN
    for cell in cells:
        pen.rectangle((MARGIN, top, WIDTH - MARGIN, top + rows * LINE + MARGIN), fill=CODE)
        for number, line in enumerate(cell.splitlines()):
            y = top + MARGIN // 2 + number * LINE
            if "by_hand =" in line:
                pen.rectangle((MARGIN, y, WIDTH - MARGIN, y + LINE), fill=MARK)
            pen.text((2 * MARGIN, y + 3), line, fill=INK, font=font)
        top += rows * LINE + MARGIN + MARGIN // 4
        said = output_of(cell)
        colour = GREEN if said.startswith("ok") else RED
        lines = [said] if colour == GREEN else textwrap.wrap(said, 84)
        pen.rectangle((MARGIN, top, MARGIN + 6, top + len(lines) * LINE), fill=colour)
        for line in lines:
            pen.text((2 * MARGIN, top + 3), line, fill=colour, font=font)
            top += LINE
        top += 5 * MARGIN // 4
    picture.quantize(32).save(path, optimize=True)


if __name__ == "__main__":
    draw(Path(__file__).with_suffix(".png"))
