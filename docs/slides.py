"""Write the lessons as slides that need no network: python docs/slides.py [FOLDER] [--code].

nbconvert writes them for reveal.js, which is copied beside them from a package; nothing is
executed. A section begins a slide, a step a slide below it, and so does what would not fit. Code is
left out, but for exercises, unless `--code` asks for it.
"""

import base64
import html
import importlib.util
import math
import re
import shutil
import struct
import sys
from pathlib import Path

import nbformat
from nbconvert.exporters import SlidesExporter

spec = importlib.util.spec_from_file_location("site_of_docs", Path(__file__).with_name("site.py"))
site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(site)

LIMIT = 19  # lines of text that a slide holds; a heading takes two of them
WIDTH = 96  # characters in a line
TALLEST = 450  # pixels of a figure
TEMPLATE = """\
{%- extends 'reveal/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block notebook_css -%}{%- endblock -%}
{%- block any_cell -%}{{ super() | replace('<img ', '<img loading="lazy" ') }}{%- endblock -%}
{%- block footer_js -%}
<link rel="stylesheet" href="slides.css">
<script src="reveal/dist/reveal.js"></script>
<script>Reveal.initialize({width: 1280, height: 720, margin: 0.02, center: false, hash: true,
  slideNumber: 'h.v', transition: 'none'});</script>
{%- endblock -%}
"""
STYLE = """\
html, body, main { height: 100%; margin: 0; }
.reveal .slides { text-align: left; font-size: 24px; line-height: 1.3; }
.reveal .slides section { padding: 0; width: 100%; box-sizing: border-box; }
.reveal .slides section section { padding: 10px 40px; }
.reveal p, .reveal ul, .reveal ol, .reveal table { margin: 0 0 0.5em; }
.reveal ul, .reveal ol { display: block; margin-left: 1.3em; }
.reveal h1 { font-size: 40px; } .reveal h2 { font-size: 34px; } .reveal h3 { font-size: 28px; }
.reveal h1, .reveal h2, .reveal h3 { text-transform: none; margin: 0 0 0.4em; }
.reveal pre { width: 100%; margin: 0 0 0.5em; font-size: 16px; line-height: 1.25; box-shadow: none;
  white-space: pre-wrap; background: #f4f4f4; padding: 0.4em 0.8em; box-sizing: border-box; }
.reveal section img { margin: 0 auto 0.5em; display: block; max-width: 100%; max-height: 450px; }
.reveal table { font-size: 18px; } .reveal table th, .reveal table td { padding: 0.15em 0.5em; }
.reveal blockquote { width: auto; margin: 0 0 0.5em; padding: 0.2em 0.8em; font-style: normal;
  border-left: 5px solid #e69f00; box-shadow: none; background: none; }
.reveal math { font-size: 1em; } .reveal .formula { margin: 0.3em 0; }
.reveal .genlab-reading { font-size: 18px; }
.anchor-link { display: none; }
.reveal summary { cursor: pointer; } .reveal details { margin: 0.2em 0; }
"""


def lines(block):
    """Return how many lines of a slide a block of Markdown takes, as far as its text can tell."""
    if block.startswith("<img "):
        data = re.search(r"base64,([^\"]{32})", block)[1]
        return 1 + math.ceil(
            min(struct.unpack(">I", base64.b64decode(data)[20:24])[0], TALLEST) / 28
        )
    if block.startswith("```"):
        return 1 + sum(math.ceil((len(r) or 1) / 130) for r in block.splitlines()[1:-1]) * 0.72
    if "genlab-reading" in block:  # a release's reading, in smaller type
        rows = re.split(r"</(?:p|tr|li)>", re.sub(r"<style>.*?</style>", "", block))
        shown = [site.plain(row) for row in rows]
        return 1 + 0.75 * sum(math.ceil(len(row) / 128) for row in shown)
    if block.startswith("<table"):
        return 1 + block.count("<tr")
    if block.startswith("<p><strong>"):
        return 2 * (1 + block.count("<summary>"))
    if block.startswith("#"):
        return 2
    shown = re.sub(r"\$\$.*?\$\$", "\n", block, flags=re.DOTALL)
    shown = re.sub(r"\]\([^)]*\)|\\[a-zA-Z]+|[\\{}$^*`]", "", shown)
    shown = re.sub(r"\n(?!\s*([-|>]|\d+\.))", " ", shown) if not block.startswith("|") else shown
    formulas = re.findall(r"\$\$(.*?)\$\$", block, re.DOTALL)
    text = sum(math.ceil(len(row) / WIDTH) for row in shown.splitlines())
    return 0.4 + text + sum(2.5 + 1.3 * f.count(r"\\" + "\n") for f in formulas)


def cut(block, most=LIMIT - 2):
    """Return a block in pieces of at most `most` lines, cut between rows, items or sentences."""
    if lines(block) <= most or block.startswith(("<", "#")):
        return [block]
    head, tail, rows = "", "", re.split(r"\n(?=\s*(?:[-*] |\d+\. ))", block)
    if block.startswith("```"):
        head, *rows, tail = block.splitlines()
    elif block.startswith("|"):
        first, second, *rows = block.splitlines()
        head = f"{first}\n{second}"
    elif len(rows) == 1:
        rows = re.split(r"(?<=[.:$])\n(?=[A-Z*])", block)
    pieces = [[rows[0]]]
    whole = lambda some: "\n".join([*filter(None, [head]), *some, *filter(None, [tail])])  # noqa: E731
    for row in rows[1:]:
        if lines(whole([*pieces[-1], row])) > most:
            pieces.append([])
        pieces[-1].append(row)
    return [whole(piece) for piece in pieces]


def blocks(markdown):
    """Return the headings, paragraphs, lists and tables of a text, none longer than a slide."""
    apart = re.sub(r"^(#+ .*|(?=\*\*Step ).*)$", r"\n\1", markdown, flags=re.MULTILINE)
    apart = re.sub(r"^(#+ .*)$", r"\1\n", apart, flags=re.MULTILINE)
    parts = re.split(r"\n\s*\n", apart.strip())
    return [piece for part in parts for piece in cut(part.strip("\n"))]


def slide_types(parts, limit=LIMIT):
    """Return for each block whether it begins a slide, begins a subslide or goes on ("-")."""
    types, used, after_heading = [], 0.0, False
    for part in parts:
        heading = re.match(r"(#+) ", part)
        kind = "-"
        if not types or (heading and len(heading[1]) <= 2):
            kind = "slide"
        elif not after_heading and (
            heading or part.startswith("**Step ") or used + lines(part) > limit
        ):
            kind = "subslide"
        used = lines(part) + (used if kind == "-" else 0)
        after_heading = bool(heading)
        types.append(kind)
    return types


def told(notebook, code=False):
    """Return what a notebook shows as blocks of Markdown: text, figures, printed lines, quiz."""
    parts = []
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts += blocks(cell.source)
            continue
        exercise = "course.exercise(" in cell.source
        if code or exercise:
            parts += cut(f"```python\n{cell.source}\n```")
        for output in [] if exercise else cell.outputs:
            data = output.get("data", {})
            if "image/png" in data:
                picture = data["image/png"].replace("\n", "")
                parts.append(f'<img alt="figure" src="data:image/png;base64,{picture}">')
            elif "text/markdown" in data:
                parts += blocks(data["text/markdown"])
            elif "text/html" in data:  # a table or a quiz
                parts += filter(None, re.split(r"(?=<p><strong>\d+\.)", data["text/html"]))
            elif output.get("name") == "stdout" and output.text.strip():
                parts += cut(f"```text\n{output.text.rstrip()}\n```")
    return parts


class Exporter(SlidesExporter):
    """nbconvert's slides with our template and formulas."""

    raw_template = TEMPLATE

    def default_filters(self):
        """Replace one filter of nbconvert."""
        yield from super().default_filters()
        yield "markdown2html", lambda source: site.rendered(source, moved)


def moved(target):
    """Return where a link leads: to other slides, or to the repository."""
    page = site.moved(target)
    known = {f"{name}.html" for _, name, _ in lessons()}
    return page if "://" in page or page in known else f"{site.SOURCE}docs/{target}"


def lessons():
    """Return (title, name, path) of every lesson and lab."""
    return [row for row in site.found_notebooks() if not row[1].startswith("solution_")]


def write_slides(folder, notebooks, code=False):
    """Write one file a notebook, the index, a style sheet and reveal.js; return their number."""
    package = importlib.util.find_spec("sphinx_revealjs").submodule_search_locations[0]
    leave = shutil.ignore_patterns("*.map", "*.esm.js")
    dist = Path(package) / "_static/revealjs/dist"
    shutil.copytree(dist, folder / "reveal/dist", ignore=leave, dirs_exist_ok=True)
    shutil.copy(dist.parent / "LICENSE", folder / "reveal/LICENSE")
    (folder / "slides.css").write_text(site.MATH_STYLE + STYLE, encoding="utf-8")
    site.copy_font(folder)
    exporter = Exporter(reveal_url_prefix="reveal", reveal_theme="white")
    for title, name, path in notebooks:
        parts = told(site.with_explanations(nbformat.read(path, as_version=4)), code)
        deck = nbformat.v4.new_notebook(metadata={"title": title})
        for kind, part in zip(slide_types(parts), parts, strict=True):
            cell = nbformat.v4.new_markdown_cell(part, metadata={"slideshow": {"slide_type": kind}})
            deck.cells.append(cell)
        (folder / f"{name}.html").write_text(exporter.from_notebook_node(deck)[0], encoding="utf-8")
    links = "".join(f'<li><a href="{n}.html">{html.escape(t)}</a></li>' for t, n, _ in notebooks)
    body = (
        f"<h1>genlab: slides</h1><p>Arrow keys or space; Esc for the overview.</p><ul>{links}</ul>"
    )
    page = site.page("genlab: slides", body).replace("site.css", "index.css")
    (folder / "index.css").write_text(site.STYLE, encoding="utf-8")
    (folder / "index.html").write_text(page, encoding="utf-8")
    return len(notebooks)


if __name__ == "__main__":
    given = [argument for argument in sys.argv[1:] if argument != "--code"]
    place = Path(given[0] if given else site.ROOT / "build/slides")
    print(f"{write_slides(place, lessons(), '--code' in sys.argv)} lessons: {place / 'index.html'}")
