"""Widgets that need a kernel, as flip-books for pages without one: frames along each control.

A widget is made as its demo page makes it, each control is walked from end to end while the others
keep their values (except where `EACH` says otherwise), and the pictures become files.
"""

import html
import io
import json
import re

import numpy as np
from PIL import Image

from genlab_course.demos import BEGIN, PAGES
from genlab_course.widgets import Explorer, living
from genlab_course.widgets.explorer import Later

N_FRAMES = 9  # about this many for each control


EACH = {("style_mixer", "strength"): "attribute"}  # a slider for each option of another control
ALSO = {("posterior_ellipse", "angle"): [0.56]}  # where q can match the posterior
LATER = {  # what a page makes when it is asked to, and the notebook's call of the same
    "five": "widgets.five_samplers(films)"
}


def widgets(calls):
    """Yield (call, name, widget) of each demo page's widget that some notebook calls alike.

    A call is the line of code that makes a widget; other calls, on a learner's own models, are
    other widgets.
    """
    for page in PAGES:
        for demo in page.demos:
            *before, last = demo.code.strip().splitlines()
            waiting = re.fullmatch(r"widgets\.later\(.*, (\S+)\)", last)
            call = LATER.get(waiting[1], last) if waiting else last
            name = call.partition("widgets.")[2].partition("(")[0]
            if name in living.NAMES or call not in calls:
                continue
            scope = {}
            exec(BEGIN.format(key=page.key).replace("\nwidgets.project()", ""), scope)
            exec("\n".join(before), scope)
            made = eval(last, scope)
            if isinstance(made, Later):
                made.press()
                made = made.children[0]
            if isinstance(made, Explorer):
                yield call, name, made


def stops(control, also=()):
    """The values of a control at which a frame is drawn, each after the words for it."""
    if hasattr(control, "options"):
        options = list(control.options)
        pairs = [o if isinstance(o, tuple) else (str(o), o) for o in options]
        now = [option for _, option in pairs].index(control.value)
        some = np.linspace(0, len(pairs) - 1, min(N_FRAMES, len(pairs))).round()
        return [pairs[k] for k in sorted({now, *some.astype(int).tolist()})]
    if not hasattr(control, "min"):
        return []
    low, high, kind = control.min, control.max, type(control.value)
    n = high - low + 1  # of whole numbers; where they are 5 to 13, they are the stops
    whole = n == round(n) and low == round(low) and N_FRAMES <= 2 * n <= 3 * N_FRAMES
    places = np.linspace(0, round((high - low) / control.step), round(n) if whole else N_FRAMES)
    values = [low + control.step * k for k in np.unique(places.round())]
    if hasattr(control, "base"):
        values = [control.base**v for v in values]
    shown = sorted({control.value, *also, *(kind(round(v, 10)) for v in values)})
    return [(f"{v:.4g}", v) for v in shown]


def moves(name, controls):
    """Yield each control with the settings held fixed; `EACH` repeats it for another's options."""
    others = {key: other for (owner, key), other in EACH.items() if owner == name}
    for key in controls:
        if key in others:
            yield from ((key, {others[key]: option}) for option in controls[others[key]].options)
        elif key not in others.values():
            yield key, {}


def flipbook(name, widget, folder, render):
    """Write the frames of a widget into a folder; return the HTML of its flip-book.

    `render` makes HTML of the captions, which have formulas between dollar signs.
    """

    def keep(file):
        buffer = io.BytesIO()
        Image.open(io.BytesIO(widget.picture)).convert("RGB").save(buffer, "WEBP", quality=60)
        (folder / file).write_bytes(buffer.getvalue())
        return {"src": file, "text": render(widget.text)}

    first, rows = keep(f"flip_{name}.webp"), []
    for key, beside in moves(name, widget.controls):
        control, frames = widget.controls[key], []
        value, found = control.value, stops(control, ALSO.get((name, key), ()))
        begun = {other: widget.controls[other].value for other in beside}
        for k, (label, stop) in enumerate(found):
            widget.set(**{key: stop}, **beside)
            file = "_".join(["flip", name, key, *beside.values(), f"{k}.webp"])
            frames.append({"label": label, **keep(file)})
        widget.set(**{key: value}, **begun)
        if len(frames) > 1:
            given, at = html.escape(json.dumps(frames)), [stop for _, stop in found].index(value)
            said = html.escape(", ".join([control.description, *beside.values()]))
            about = f'data-frames="{given}" data-start="{at}" aria-label="{said}"'
            if hasattr(control, "options"):
                labels = [html.escape(frame["label"]) for frame in frames]
                choices = "".join(
                    f'<option value="{k}"{" selected" * (k == at)}>{label}</option>'
                    for k, label in enumerate(labels)
                )
                moved = f"<select {about}>{choices}</select>"
            else:
                last = len(frames) - 1
                moved = f'<input type="range" min="0" max="{last}" value="{at}" {about}>'
            rows.append(f"<label><span>{said}</span>{moved}<output></output></label>")
    words = f"{html.escape(name)}: one frame for each position of each slider"
    image = f'<img src="{first["src"]}" alt="{words}">'
    one = "<small>One control at a time: moving one sets the others back to their initial values. "
    one += "In the notebook you can combine them.</small>"
    more = one if len(rows) > 1 else ""
    said = f"<figcaption>{first['text']}</figcaption>"
    return f'<figure class="flip">{"".join(rows)}{more}{image}{said}</figure>'


def flipbooks(folder, render, calls):
    """The flip-books of the widgets that some calls make, by these calls."""
    return {call: flipbook(name, w, folder, render) for call, name, w in widgets(calls)}
