"""Write the living figures as files for pages of one's own: python docs/modules.py [FOLDER].

For each figure two files that need no other and no network, the weights of a network included:
NAME.js, an ES module (`show(place, settings)`, and `default { render }` for whatever knows
anywidget's modules, such as MyST), and NAME.here.js, a script that stands a figure where its tag
is, in a page that is opened as a file as well. `example.html` shows both.
"""

import argparse
import base64
import html
import re
import shutil
from pathlib import Path

from genlab_course.widgets import living

ROOT = Path(__file__).resolve().parents[1]
NAMES = (*living.NAMES, living.STAGE)
SHOWN = ("kl_fit", "earth_mover", "forward_process")  # on the page of examples
HEAD = "// {name}, a living figure of genlab (MIT licence), made by `make modules`.\n"
EXPORTS = re.compile(r"^export (?:default )?\{ (?:render|load|about, controls) \};\n", re.MULTILINE)
SHOW = """
const HELD = %s; // weights of a network, or a recorded run
// Put the figure into a place (an element, or a selector of one); returns what takes it away again.
%sfunction show(place, settings = {}, autoplay = false) {
  const el = typeof place === "string" ? document.querySelector(place) : place, heard = {};
  const state = { data: HELD, settings, autoplay };
  const model = {
    get: (key) => state[key],
    set(key, value) { state[key] = value; (heard[`change:${key}`] ?? []).forEach((f) => f()); },
    on: (event, f) => (heard[event] ??= []).push(f),
    save_changes() {},
  };
  return render({ model, el });
}
"""
DEFAULT = (
    'export default { render: ({ model, el }) => show(el, model?.get?.("settings") ?? {}) };\n'
)
HERE = """
const tag = document.currentScript, place = document.createElement("div");
tag.replaceWith(place);
show(place, JSON.parse(tag.dataset.settings ?? "{}"), "autoplay" in tag.dataset);
"""


def data(name):
    """Return what a figure holds, as JavaScript."""
    held = living.weights(name)
    if name == living.STAGE:
        return held.decode().strip()
    return f'"{base64.b64encode(held).decode()}"' if held else "null"


def module(name):
    """Return a figure as one ES module."""
    text = EXPORTS.sub("", living.source(name))
    return HEAD.format(name=name) + text + SHOW % (data(name), "export ") + DEFAULT


def here(name):
    """Return a figure as a script that stands it where its tag is."""
    text = re.sub(r"^export ", "", EXPORTS.sub("", living.source(name)), flags=re.MULTILINE)
    inside = text + SHOW % (data(name), "") + HERE
    return HEAD.format(name=name) + f'(() => {{\n"use strict";\n{inside}}})();\n'


LINES = {
    "a plain page, from a server or opened as a file": '<script src="NAME.here.js"></script>',
    "the same with settings": (
        """<script src="NAME.here.js" data-settings='{"steps": 60}'></script>"""
    ),
    "a page from a server, at a place that it has": (
        '<script type="module">import { show } from "./NAME.js"; show("#here");</script>'
    ),
    "MyST": "```{anywidget} NAME.js\n```",
    "Quarto": '```{=html}\n<script src="NAME.here.js"></script>\n```',
}


def example():
    """Return the page that shows some figures, and the lines that do it."""
    rows = "".join(
        f"<h3>{html.escape(where)}</h3>\n<pre>{html.escape(line.replace('NAME', 'kl_fit'))}</pre>\n"
        for where, line in LINES.items()
    )
    figures = "".join(
        f'<h3>{name}</h3>\n<script src="{name}.here.js"></script>\n' for name in SHOWN
    )
    others = ", ".join(sorted(set(NAMES) - set(SHOWN)))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><title>Living figures</title>\n'
        "<style>body { max-width: 47rem; margin: 2rem auto; padding: 0 1rem; "
        "font: 1.05rem/1.5 system-ui, sans-serif; } "
        "pre { overflow-x: auto; padding: 0.6rem 0.8rem; background: #8882; border-radius: 6px; } "
        "h3 { margin: 1.6rem 0 0.4rem; font-size: 1rem; }</style></head>\n"
        "<body><h1>Living figures in a page of your own</h1>\n"
        "<p>Each figure is one file. Copy it beside your page and write one line:</p>\n"
        f"{rows}<h2>Some of them</h2>\n{figures}<h2>The others</h2>\n<p>{others}</p>\n"
        "</body></html>\n"
    )


def write(folder):
    """Write all modules and the page of examples; return how many figures there are."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / f"{name}.js").write_text(module(name), encoding="utf-8")
        (folder / f"{name}.here.js").write_text(here(name), encoding="utf-8")
    (folder / "example.html").write_text(example(), encoding="utf-8")
    shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
    return len(NAMES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/modules")
    given = parser.parse_args()
    count = write(given.folder)
    print(f"{count} figures: {given.folder / 'example.html'}")
