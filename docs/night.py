"""Which parts of a stored picture are pictures themselves, and keep their light by night.

By night a plot's white ground turns dark and its lines light (`filter: invert`, hues kept). A
digit, a photograph or a map of colours in it must not be turned: a white digit on black would
become a black one on white. Those parts are the full rectangles of many levels.

A figure that is drawn, an SVG whose colours are variables, needs no filter: its variables get
other values by night.
"""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import find_objects, label, maximum_filter, minimum_filter

from genlab_course.figures import vector

GROUND = 245  # this light and lighter is paper
HOLE, LEAST = 1 / 80, 1 / 34  # of the picture's width: a white pixel of a digit, a small panel
WHITE = 15  # of sixteen levels
FULL, INKED = 0.9, 0.35  # of a rectangle: what belongs to the part, and what is not paper


def kept(file):
    """Return the rectangles, in parts of width and height (left, top, right, bottom), of a file.

    Of a film its last frame decides.
    """
    image = Image.open(io.BytesIO(file))
    image.seek(getattr(image, "n_frames", 1) - 1)
    pixels = np.asarray(image.convert("RGB"))
    ink = pixels.min(-1) < GROUND
    height, width = ink.shape
    least = int(LEAST * width)
    found = []
    for rows, columns in _cut(ink, slice(0, height), slice(0, width)):
        part = ink[rows, columns]
        if min(part.shape) < least:
            continue
        boxes = [(rows, columns)]
        if part.mean() < INKED or not _pictured(pixels[rows, columns]):
            boxes = _solid(part, rows.start, columns.start, width)
        for y, x in boxes:
            if ink[y, x].mean() > INKED and _pictured(pixels[y, x]):
                found.append((x.start / width, y.start / height, x.stop / width, y.stop / height))
    return found


def _cut(ink, rows, columns):
    """Yield the parts of a picture between its white rows and columns, cut again and again."""
    for axis in (1, 0):
        filled = ink[rows, columns].any(axis)
        named, n = label(filled)
        spans = [span for (span,) in find_objects(named)]
        if n > 1 or (n == 1 and not filled.all()):
            for span in spans:
                start = (rows if axis else columns).start
                inner = slice(start + span.start, start + span.stop)
                yield from _cut(ink, *((inner, columns) if axis else (rows, inner)))
            return
    if ink[rows, columns].size and ink[rows, columns].any():
        yield rows, columns


def _solid(part, top, left, width):
    """Return the full rectangles of a part that holds lines and words as well; halves suffice."""
    halved = np.pad(part[::2, ::2].astype(np.uint8), 20)
    solid = _opened(_closed(halved, max(3, int(HOLE * width / 2))), int(LEAST * width / 2))
    named, _ = label(solid[20:-20, 20:-20])
    return [
        (slice(top + 2 * y.start, top + 2 * y.stop), slice(left + 2 * x.start, left + 2 * x.stop))
        for k, (y, x) in enumerate(find_objects(named), 1)
        if (named[y, x] == k).mean() > FULL
    ]


def _closed(ink, size):
    return minimum_filter(maximum_filter(ink, size), size)


def _opened(ink, size):
    return maximum_filter(minimum_filter(ink, size), size)


def _pictured(pixels):
    """Whether a part is a picture: black stays black; a bar or a diagram on white is none."""
    levels = (pixels >> 4).reshape(-1, 3).astype(np.int32) @ (256, 16, 1)
    parts = np.bincount(levels, minlength=4096) / levels.size
    first = int(parts.argmax())
    red, rest = divmod(first, 256)
    green, blue = divmod(rest, 16)
    if max(red, green, blue) - min(red, green, blue) > 1:  # a colour, and not a grey
        return bool(parts[first] < 0.5)
    if red == WHITE:
        return bool(parts[0] > 0.2)
    return red <= 1 or bool(parts[first] < 0.97)


def marks(file):
    """Return attributes of an <img>: what of it is kept by night; "" for all of it inverted."""
    parts = kept(file)
    area = sum((right - left) * (bottom - top) for left, top, right, bottom in parts)
    if area > 0.8:
        return ' data-night="whole"'
    if not parts:
        return ""
    said = ";".join(",".join(f"{edge:.4f}" for edge in part) for part in parts)
    return f' data-night="{said}"'


TURNED = "oklch(from {} min(0.9, calc(1.05 - 0.86 * l + 2 * c)) c h)"  # pale dark, dark pale


def colours(texts):
    """Return styles that give each colour drawn in some pages another by night.

    What is light becomes dark and what is dark light, in its hue; the lively ones stay light. The
    colours with names have theirs in docs/site/site.css.
    """
    found = sorted({pair for text in texts for pair in vector.NAMELESS.findall(text)})
    set_ = "".join(f" --{name}: {TURNED.format(colour)};" for name, colour in found)
    return (
        "@media screen and (prefers-color-scheme: dark) {\n"
        f"@supports (color: oklch(from red l c h)) {{ :root {{{set_} }} }}\n}}"
    )
