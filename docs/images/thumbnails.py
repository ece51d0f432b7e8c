"""Cut the picture that stands for each notebook: python docs/images/thumbnails.py.

Each was chosen by hand: a part of the source of the cell that shows it, which of the cell's
pictures it is, and the part of that picture, from left, top to right, bottom. Start page and
demo index show them; run this again when a picture has changed.
"""

import base64
import io
from pathlib import Path

import nbformat
from PIL import Image, ImageOps

from genlab_course.places import key_of, shipped
from genlab_course.standings import THUMBNAILS

SIZE = (320, 180)
QUALITY = 28
CHOSEN = {
    "01": ("pictures.your_map(ring, models", 0, (0.17, 0.0, 0.665, 0.665)),
    "02": ("widgets.causal_mask()", 0, (0.0, 0.185, 0.75, 0.8)),
    "03": ("widgets.kl_fit()", 0, (0.2, 0.285, 0.8, 0.615)),
    "04": ("widgets.flow_grid()", 0, (0.0, 0.09, 1.0, 0.665)),
    "05": ("widgets.elbo_gap()", 0, (0.3, 0.3, 0.98, 0.58)),
    "06": ("widgets.latent_walk()", 0, (0.0, 0.13, 0.57, 0.72)),
    "07": ("widgets.game_orbit()", 0, (0.07, 0.17, 0.58, 0.73)),
    "08": ("widgets.earth_mover()", 0, (0.12, 0.13, 0.72, 0.57)),
    "09": ("lesson_09.stars(", 0, (0.0, 0.0, 0.66, 0.62)),
    "10": ("widgets.langevin_bias()", 0, (0.0, 0.195, 0.64, 0.55)),
    "11": ("widgets.score_walk()", 0, (0.0, 0.14, 1.0, 0.82)),
    "12": ("widgets.forward_process()", 0, (0.03, 0.165, 0.97, 0.80)),
    "13": ("widgets.digits_live()", 0, (0.0, 0.315, 0.5, 0.755)),
    "14": ("widgets.sde_paths()", 0, (0.0, 0.0, 1.0, 0.79)),
    "15": ("lesson_15.frame(reels, k)", 0, (0.0, 0.0, 1.0, 1.0)),
    "flow_density_estimator": ("x_seen = torch.tensor([[0.0, 0.3]])", 0, (0.5, 0.0, 1.0, 1.0)),
    "glide": ('"columns: " + ', 0, (0.495, 0.13, 1.0, 0.765)),
    "language_and_image": ("widgets.write_and_draw(model)", 0, (0.41, 0.075, 1.0, 0.78)),
    "language_model": ("widgets.next_token()", 0, (0.0, 0.17, 0.78, 0.585)),
    "latent_diffusion": ("    film(", 0, (0.0, 0.0, 1.0, 1.0)),
    "stylegan": ("widgets.style_mixer(gan", 0, (0.0, 0.0, 1.0, 0.49)),
    "text_to_video": ('"generated videos, frames 0 to 7"', 0, (0.15, 0.055, 1.0, 1.0)),
    "discrete_and_parallel": ("film(frames, alt=draw.FILLING", 0, (0.0, 0.0, 0.66, 1.0)),
    "few_step": ("draw.rows(", 0, (0.127, 0.16, 0.65, 0.905)),
    "speedrun": ("import warnings", 0, (0.104, 0.18, 0.46, 0.81)),
    "predict_the_large_run": ("asked.items() <= r.items()", 0, (0.07, 0.05, 1.0, 0.9)),
    "flow_matching": ("letter's dots come from one connected", 0, (0.52, 0.67, 1.0, 1.0)),
}


def pictures(cell):
    """Yield what a cell shows, of a film its last frame."""
    for output in cell.get("outputs", ()):
        for kind in ("image/png", "image/gif", "image/webp"):
            if kind in output.get("data", {}):
                drawn = Image.open(io.BytesIO(base64.b64decode(output["data"][kind])))
                drawn.seek(getattr(drawn, "n_frames", 1) - 1)
                yield drawn.convert("RGB")


def cut(path, part, number, box):
    """Return the chosen part of a picture, on a ground of the colour of its corner."""
    cells = nbformat.read(path, as_version=4).cells
    shown = [list(pictures(cell)) for cell in cells if part in cell.source]
    drawn = next(found for found in shown if found)[number]
    w, h = drawn.size
    drawn = drawn.crop((int(box[0] * w), int(box[1] * h), int(box[2] * w), int(box[3] * h)))
    return ImageOps.pad(drawn, SIZE, Image.Resampling.LANCZOS, drawn.getpixel((0, 0)))


if __name__ == "__main__":
    total = 0
    Path(THUMBNAILS).mkdir(exist_ok=True)
    for path in shipped().values():
        target = THUMBNAILS / f"{key_of(path.name)}.webp"
        cut(path, *CHOSEN[key_of(path.name)]).save(target, "WEBP", quality=QUALITY, method=6)
        total += target.stat().st_size
        print(f"{target.name}: {target.stat().st_size / 1000:.1f} kB")
    print(f"all: {total / 1000:.0f} kB")
