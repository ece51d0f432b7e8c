"""The opening stage where no script runs: its recorded run as vector graphics, by day and night."""

from typing import Any

from genlab_course.figures import BLUE, GREEN, ORANGE, RED, SKY

RING = 0.62  # radius of the ring, where the square is 2 wide
NAMES = {  # machine: what it is called, and its colour
    "autoregressive": ("Autoregressive", BLUE),
    "flow": ("Normalising flow", SKY),
    "vae": ("VAE", ORANGE),
    "gan": ("GAN", RED),
    "diffusion": ("Diffusion", GREEN),
}
STYLE = """<style>
.genlab-still { display: flex; flex-wrap: wrap; gap: 14px; font: 15px/1.5 system-ui, sans-serif; }
.genlab-still figure { flex: 1 1 150px; margin: 0; }
.genlab-still svg { display: block; width: 100%; }
.genlab-still rect { fill: #8881; stroke: #8886; }
.genlab-still circle { fill: none; stroke: #888; }
.genlab-still path { fill: none; stroke: var(--own); stroke-width: 24; stroke-linecap: round; }
@media (prefers-color-scheme: dark) {
  .genlab-still path { stroke: color-mix(in srgb, var(--own) 70%, white); }
}
</style>"""


def square(name: str, inside: str, colours: str = "") -> str:
    """One square with its name above it."""
    width, part = (20, 0.35) if colours else (36, 1)
    return (
        f'<figure style="{colours}"><b>{name}</b><svg viewBox="-1010 -1010 2020 2020">'
        '<rect x="-1000" y="-1000" width="2000" height="2000" rx="70" stroke-width="8"/>'
        f'<circle r="{1000 * RING:g}" stroke-width="{width}" opacity="{part}"/>{inside}'
        "</svg></figure>"
    )


def dots(points: list[int]) -> str:
    """Points [x, y, x, y, ...] in thousandths, y upwards, as one path of round ends."""
    pairs = zip(points[::2], points[1::2], strict=True)
    return "".join(f"M{x} {-y}h0" for x, y in pairs if max(abs(x), abs(y)) < 1000)


def recorded(run: dict[str, Any]) -> str:
    """HTML of a recorded run: the ring that was drawn, and what each machine makes of it."""
    drawn = square("Draw a shape", "")
    machines = "".join(
        square(name, f'<path d="{dots(run[kind]["points"])}"/>', f"--own: {colour}")
        for kind, (name, colour) in NAMES.items()
    )
    said = "A ring, and what five generative models make of it after twenty seconds of training."
    return (
        f'{STYLE}<div class="genlab-still" role="img" aria-label="{said}">{drawn}{machines}</div>'
    )
