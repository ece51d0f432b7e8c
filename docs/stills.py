"""Draw the still picture of each living figure, at twice its size: python docs/stills.py [NAME].

A notebook that is read and not run shows it, and so does a page whose scripts are switched off:
the new picture goes into the notebooks that hold it, no cell is run. The words that stand in it
are kept with it, so that a test sees when the figure says others.
"""

import base64
import io
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from genlab_course.widgets import living
from tests.browser.lab import CHROMIUM, FLAGS
from tests.browser.living import bench

MOST = 118_000  # bytes of a picture; fewer colours until it fits
DONE = ".genlab-living:not([data-working])"
ROOT = Path(__file__).resolve().parents[1]
HEAD = '<!doctype html><meta charset="utf-8"><body style="margin: 0">'


def draw(page, name, folder, words):
    """Open a figure as a file and return its picture, controls included, as PNG bytes."""
    kept = PngInfo()
    kept.add_itxt("words", words)
    path = Path(folder, "figure.html")
    path.write_text(
        HEAD + living.page(name, "figure", settings=bench.STILL.get(name, {})), encoding="utf-8"
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
        few.save(buffer, "PNG", optimize=True, pnginfo=kept)
        if len(buffer.getvalue()) < MOST:
            break
    return buffer.getvalue()


def into_notebooks(name, still):
    """Put a picture into each stored output of the figure; return how many files changed."""
    changed = 0
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        for cell in json.loads(text)["cells"]:
            for output in cell.get("outputs", []):
                if output.get("metadata", {}).get("living", {}).get("name") == name:
                    old = "".join(output["data"]["image/png"]).strip()
                    text = text.replace(old, base64.b64encode(still).decode())
        if text != path.read_text(encoding="utf-8"):
            path.write_text(text, encoding="utf-8")
            changed += 1
    return changed


def main(names):
    """Draw some stills, and put them where they are shown."""
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 760, "height": 900}, device_scale_factor=2)
        with bench.opened(browser) as bare:
            for name in names:
                bare.load(name)
                seen = bench.look(bare, name, bench.STILL.get(name, {}), 760)
                still = draw(
                    page, name, folder, "\n".join([*bench.words(seen["draws"]), seen["says"]])
                )
                target = living.FOLDER / "stills" / f"{name}.png"
                target.write_bytes(still)
                n = into_notebooks(name, still)
                print(f"{target.name}: {len(still) / 1000:.0f} kB, in {n} notebooks")


if __name__ == "__main__":
    main(sys.argv[1:] or living.NAMES)
