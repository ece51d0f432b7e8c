"""Draw the still picture of each living figure, at twice its size: python docs/stills.py [NAME].

A notebook that is read and not run shows it, and so does a page whose scripts are switched off.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from genlab_course.widgets import living
from tests.browser.lab import CHROMIUM, FLAGS

MOST = 118_000  # bytes of a picture; fewer colours until it fits
DONE = ".genlab-living:not([data-working])"
SETTINGS = {"digits_live": {"time": 58}}  # where the first settings say less than others
HEAD = '<!doctype html><meta charset="utf-8"><body style="margin: 0">'


def draw(page, name, folder):
    """Open a figure as a file and return its picture, controls included, as PNG bytes."""
    path = Path(folder, "figure.html")
    path.write_text(
        HEAD + living.page(name, "figure", settings=SETTINGS.get(name, {})), encoding="utf-8"
    )
    page.goto(path.as_uri())
    page.wait_for_selector("#figure canvas")
    page.wait_for_timeout(800)
    page.wait_for_selector(DONE, timeout=120_000)  # a network has finished
    shot = Image.open(io.BytesIO(page.locator(".genlab-living").screenshot()))
    for step, colours in ((5, 256), (8.5, 96), (10.2, 80), (12.75, 64)):  # 255 stays
        buffer = io.BytesIO()
        calm = shot.convert("RGB").point(lambda v, step=step: round(step * round(v / step)))
        few = calm.quantize(colours, kmeans=3, dither=Image.Dither.NONE)  # thin lines keep theirs
        few.save(buffer, "PNG", optimize=True)
        if len(buffer.getvalue()) < MOST:
            break
    return buffer.getvalue()


if __name__ == "__main__":
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 760, "height": 900}, device_scale_factor=2)
        for name in sys.argv[1:] or living.NAMES:
            target = living.FOLDER / "stills" / f"{name}.png"
            target.write_bytes(draw(page, name, folder))
            print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")
