"""Record the opening stage: python docs/images/stage.py (minutes; a quiet machine is quicker).

Chromium opens the stage, lets the ring draw itself and five machines learn it, and writes what they
made of it (stills/draw_a_shape.json), which stands in where nothing moves, and the still picture.
"""

import io
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from genlab_course.widgets import living
from tests.browser.lab import CHROMIUM, FLAGS

KINDS = ("autoregressive", "flow", "vae", "gan", "diffusion")
HEAD = '<!doctype html><meta charset="utf-8"><body style="margin: 0; font-family: system-ui">'
TELL = """() => new Promise(done => document.getElementById("stage").addEventListener("trained",
    ({ detail }) => done(Object.fromEntries(Object.entries(detail).map(([kind, { said }]) =>
        [kind, { ...said, points: Array.from(said.points, v => Math.round(1000 * v)) }])))))"""


def main():
    """Write the record and the still picture."""
    if not living.RECORDED.exists():
        empty = {kind: {"points": []} for kind in KINDS}
        living.RECORDED.write_text(json.dumps(empty), encoding="utf-8")
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        browser = driver.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        page = browser.new_page(viewport={"width": 1320, "height": 600}, device_scale_factor=1.5)
        page.set_default_timeout(600_000)
        path = Path(folder, "stage.html")
        path.write_text(HEAD + living.page(living.STAGE, "stage"), encoding="utf-8")
        page.goto(path.as_uri())
        run = page.evaluate(TELL)
        living.RECORDED.write_text(json.dumps(run, separators=(",", ":")) + "\n", encoding="utf-8")
        page.wait_for_timeout(1500)
        shot = Image.open(io.BytesIO(page.locator(".genlab-stage").screenshot())).convert("RGB")
    few = shot.quantize(128, dither=Image.Dither.NONE)
    few.save(living.FOLDER / "stills" / f"{living.STAGE}.png", optimize=True)
    print({kind: said["loss"] for kind, said in run.items()})


if __name__ == "__main__":
    main()
