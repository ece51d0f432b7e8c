"""A figure as SVG: its words are words, its colours variables, the same figure the same bytes.

A page that names the variables (`--ink`, `--paper`, `--blue`, `--c-555555`, ...) gives the figure
its own colours, by night others; anywhere else the colour that stands beside each name is shown.
Pictures in a figure stay pictures, each value one sharp square.
"""

import hashlib
import html
import io
import re
from itertools import count
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.colors import rgb2hex
from matplotlib.figure import Figure
from matplotlib.font_manager import weight_dict
from matplotlib.image import AxesImage
from matplotlib.text import Text

NAMES = {
    "#000000": "ink", "#222222": "ink", "#ffffff": "paper", "#0072b2": "blue", "#e69f00": "orange",
    "#009e73": "green", "#d55e00": "red", "#cc79a7": "pink", "#56b4e9": "sky", "#1a1a1a": "dark",
    "#fefefe": "light",
}  # fmt: skip
MOST = 150_000  # bytes: a figure of more marks is shown as a picture
MIME = "application/vnd.genlab.figure+svg"  # unknown elsewhere: other viewers show the picture
SQUARE = ("nearest", "none", "antialiased", "auto", None)  # each value of an image one square
ANCHORS = {"left": ("start", 0.0), "center": ("middle", 0.5), "right": ("end", 1.0)}
DROPPED = re.compile(
    r"<!--.*?-->|<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL
)
NUMBERS = re.compile(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*|(?<= width=")[^"]*|(?<= height=")[^"]*')
REFERENCE = re.compile(r'(?<=url\(#)[^)]+|(?<=href="#)[^"]+')
FORMULA = re.compile("\ue000(\\d+)\ue000")
NAMELESS = re.compile(r"var\(--(c-[0-9a-f]{6}), (#[0-9a-f]{6})\)")  # as written by _coloured


def svg(figure: Figure, alt: str) -> str:
    """Return a figure that was drawn once, and so is laid out, as an `<svg>` element.

    The figure is not to be drawn again: its size and its images are changed.
    """
    figure.set_layout_engine("none")
    figure.dpi = 72
    for image in figure.findobj(AxesImage):
        if image.get_interpolation() in SQUARE:
            image.set_interpolation("none")
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "genlab", "image.composite_image": False}):
        renderer = _Renderer(figure, stream)
        figure.draw(renderer)
        renderer.finalize()
    body = stream.getvalue().partition("<svg")[2].partition(">")[2]
    body = FORMULA.sub(lambda found: renderer.formulas[int(found[1])], DROPPED.sub("", body))
    body = re.sub(r"\n\s*", "\n", NUMBERS.sub(_rounded, body.replace("xlink:href", "href")))
    body = body.replace("base64,\n", "base64,").replace("crisp-edges;image-rendering:", " ")
    width, height = (round(80 * inches) for inches in figure.get_size_inches())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="figure" role="img" '
        f'aria-label="{html.escape(alt)}" width="{width}" height="{height}" '
        f'viewBox="0 0 {renderer.width:g} {renderer.height:g}" font-family="sans-serif" '
        f'style="fill: #000000" stroke-linejoin="round">'
    )
    return _named(_coloured(head + body))


def _rounded(found: re.Match[str]) -> str:
    numbers = re.sub(r"-?\d+\.\d{2,}", lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."),
                     found[0])  # fmt: skip
    return re.sub(r"\s*([A-Za-z])\s*", r"\1", numbers)


def _coloured(text: str) -> str:
    """Write each colour as a variable with the colour beside it."""

    def variable(found: re.Match[str]) -> str:
        name = NAMES.get(found[0], f"c-{found[0][1:]}")
        return f"var(--{name}, {found[0]})"

    return re.sub(r'(?<= style=")[^"]*', lambda s: re.sub(r"#[0-9a-f]{6}\b", variable, s[0]), text)


def _named(text: str) -> str:
    """Drop the ids that nothing refers to; the others are like those of no other figure."""
    own, numbers = f"v{hashlib.sha256(text.encode()).hexdigest()[:6]}-", count()
    names = {old: f"{own}{next(numbers)}" for old in dict.fromkeys(REFERENCE.findall(text))}

    def new(found: re.Match[str]) -> str:
        return f' id="{names[found[1]]}"' if found[1] in names else ""

    return re.sub(r' id="([^"]*)"', new, REFERENCE.sub(lambda found: names[found[0]], text))


class _Renderer(RendererSVG):
    """matplotlib's renderer, but a text may be narrower than it was laid out for."""

    def __init__(self, figure: Figure, stream: io.StringIO) -> None:
        width, height = 72 * figure.get_size_inches()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        super().__init__(width, height, stream, image_dpi=160, metadata=nothing)
        self.formulas: list[str] = []
        self.sides = {
            line: text.get_horizontalalignment() for text in figure.findobj(Text)
            for line in text.get_text().split("\n")
        }  # fmt: skip

    def draw_text(
        self, gc: Any, x: float, y: float, s: str, prop: Any, angle: float,
        ismath: Any = False, mtext: Any = None,
    ) -> None:  # fmt: skip
        """Write a text from where it is held: its left, middle or right; draw a hard formula."""
        size = prop.get_size_in_points()
        runs = flowing(s) if ismath else [(s, False, 1.0, 0.0)]
        if runs is None:
            with matplotlib.rc_context({"svg.fonttype": "path"}):
                super().draw_text(gc, x, y, s, prop, angle, ismath, mtext)
            return
        side = mtext.get_horizontalalignment() if mtext else self.sides.get(s, "left")
        turned = angle and not (mtext and mtext.get_rotation_mode() == "anchor")
        anchor, part = ANCHORS["center" if turned else side]
        along = part * self.get_text_width_height_descent(s, prop, ismath)[0]
        x += along * np.cos(np.deg2rad(angle))
        y -= along * np.sin(np.deg2rad(angle))
        style = {"x": f"{x:.2f}", "y": f"{y:.2f}", "font-size": f"{size:g}"}
        if angle:
            style["transform"] = f"rotate({-angle:g} {x:.2f} {y:.2f})"
        if anchor != "start":
            style["text-anchor"] = anchor
        if (weight := weight_dict.get(prop.get_weight(), prop.get_weight())) != 400:
            style["font-weight"] = f"{weight}"
        if prop.get_style() != "normal":
            style["font-style"] = "italic"
        if "mono" in prop.get_family()[0]:
            style["font-family"] = "monospace"
        if "  " in s:
            style["xml:space"] = "preserve"
        alpha = gc.get_alpha() if gc.get_forced_alpha() else gc.get_rgb()[3]
        shade = "" if alpha == 1 else f"; opacity: {alpha:g}"
        style["style"] = f"fill: {rgb2hex(gc.get_rgb())}{shade}"
        self.formulas.append("".join(_spans(runs, size)))
        self.writer.element("text", f"\ue000{len(self.formulas) - 1}\ue000", attrib=style)


GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ϵ", "varepsilon": "ε",
    "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ",
    "psi": "ψ", "omega": "ω",
}  # fmt: skip
SIGNS = {
    "mid": " | ", "sum": "∑", "prod": "∏", "int": "∫", "cdot": "·", "times": " × ", "nabla": "∇",
    "partial": "∂", "infty": "∞", "approx": " ≈ ", "leq": " ≤ ", "geq": " ≥ ", "le": " ≤ ",
    "ge": " ≥ ", "neq": " ≠ ", "to": " → ", "sim": " ~ ", "pm": " ± ", "in": " ∈ ", "|": "‖",
    "log": "log ", "exp": "exp ", "max": "max ", "min": "min ", ",": " ", ";": " ", " ": " ",
    "%": "%", "{": "{", "}": "}", "Delta": "Δ", "Sigma": "Σ", "ell": "ℓ", "circ": "∘",
    "dots": "…", "ldots": "…", "cdots": "⋯", "rightarrow": " → ", "propto": " ∝ ",
}  # fmt: skip
MARKS = {"bar": "\u0304", "hat": "\u0302", "tilde": "\u0303", "dot": "\u0307"}
SPREAD = {"=": " = ", "<": " < ", ">": " > ", "+": " + ", "-": " − "}  # between two terms
UPRIGHT = ("mathdefault", "mathrm", "text", "operatorname")
TOKEN = re.compile(r"\\[A-Za-z]+|\\.|.", re.DOTALL)
Run = tuple[str, bool, float, float]  # letters, whether they lean, size, height over the line


def flowing(text: str) -> list[Run] | None:
    """Return a text with formulas between dollars as runs of letters; None if it needs more."""
    runs: list[Run] = []
    parts = re.split(r"(?<!\\)\$", text)
    for k, part in enumerate(parts):
        if k % 2:
            try:
                runs += _formula(TOKEN.findall(part), 1.0, 0.0)
            except LookupError:
                return None
        elif part:
            runs.append((part.replace(r"\$", "$"), False, 1.0, 0.0))
    return runs


def _formula(tokens: list[str], size: float, height: float) -> list[Run]:
    """Return the runs of a formula; LookupError for what no line of letters can hold."""
    runs: list[Run] = []
    mark, rest = "", iter(tokens)
    for token in rest:
        name = token[1:]
        if token in "_^":
            lift = (0.36 if token == "^" else -0.2) * size
            runs += _formula(_group(rest), 0.72 * size, height + lift)
        elif token == "{":
            runs += _formula(_group(rest, opened=True), size, height)
        elif name in MARKS and token != name:
            mark = MARKS[name]
        elif name in UPRIGHT:
            runs += [(letters, False, part, lift) for letters, _, part, lift in
                     _formula(_group(rest), size, height)]  # fmt: skip
        elif name == "mathcal" and _group(rest) == ["N"]:
            runs.append(("𝒩", False, size, height))
        elif token[0] == "\\":
            greek = GREEK.get(name)
            runs.append(((greek or SIGNS[name]) + mark, bool(greek), size, height))
            mark = ""
        elif not token.isspace():
            before = runs[-1][0].strip()[-1:] if runs else "("
            sign = SPREAD.get(token, token)
            if size < 1 or (token in "+-" and before in "(=|<>"):
                sign = sign.strip()
            runs.append((sign + mark, token.isalpha(), size, height))
            mark = ""
    return runs


def _group(rest: Any, *, opened: bool = False) -> list[str]:
    """Return the tokens of what stands next: one token, or what braces hold."""
    token = "{" if opened else next(rest, "")
    if token != "{":
        return [token]
    found, depth = [], 1
    for token in rest:
        depth += {"{": 1, "}": -1}.get(token, 0)
        if not depth:
            break
        found.append(token)
    return found


def _spans(runs: list[Run], size: float) -> list[str]:
    """Return runs as text and `<tspan>`s, each on its own height."""
    spans, last = [], 0.0
    for letters, leans, part, height in runs:
        style = ' font-style="italic"' if leans else ""
        if part != 1:
            style += f' font-size="{part * size:.4g}"'
        if height != last:
            style += f' dy="{size * (last - height):.4g}"'
        last = height
        words = html.escape(letters, quote=False)
        spans.append(f"<tspan{style}>{words}</tspan>" if style else words)
    return spans
