"""Record the opening stage: python docs/images/stage.py (minutes; a quiet machine is quicker).

Chromium opens the stage, lets the ring draw itself and five machines learn it, and writes what they
made of it (stills/draw_a_shape.json), which stands in where nothing moves, and the still picture;
then a spiral is learned, and its film is the README's first picture (docs/images/stage.webp).
"""

import io
import json
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageSequence
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from genlab_course.widgets import living
from tests.browser.lab import CHROMIUM, FLAGS

KINDS = ("autoregressive", "flow", "vae", "gan", "diffusion")
HEAD = '<!doctype html><meta charset="utf-8"><body style="margin: 0; font-family: system-ui">'
TELL = """() => new Promise(done => document.getElementById("stage").addEventListener("trained",
    ({ detail }) => done(Object.fromEntries(Object.entries(detail).map(([kind, { said }]) =>
        [kind, { ...said, points: Array.from(said.points, v => Math.round(1000 * v)) }])))))"""


def write_film(path):
    """Write every second picture of a film that was kept, without loss."""
    with Image.open(path) as kept:
        frames = [frame.convert("RGB") for frame in ImageSequence.Iterator(kept)][::2]
    shown = [1000 // 7] * (len(frames) - 1) + [1800]  # milliseconds
    target = Path(__file__).with_suffix(".webp")
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=shown, loop=0,
                   lossless=True, method=5)  # fmt: skip
    print(f"{target.name}: {target.stat().st_size / 1000:.0f} kB")


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
        page.evaluate("document.querySelector('.genlab-stage .film').hidden = true")
        shot = Image.open(io.BytesIO(page.locator(".genlab-stage").screenshot())).convert("RGB")
        page.get_by_role("button", name="spiral").click()
        with page.expect_download() as kept:
            page.get_by_role("button", name="Keep this film").click()
        write_film(kept.value.path())
    few = shot.quantize(128, kmeans=3, dither=Image.Dither.NONE)
    few.save(living.FOLDER / "stills" / f"{living.STAGE}.png", optimize=True)
    print({kind: said["loss"] for kind, said in run.items()})


if __name__ == "__main__":
    main()
