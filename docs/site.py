"""Write the course as pages that need no network and no server: python docs/site.py --help.

nbconvert turns the notebooks with their stored outputs into HTML; no cell is executed. A formula
becomes MathML, which browsers draw by themselves in the font that comes with the pages; a living
figure moves as in JupyterLab, any other widget is the picture of its first state, a quiz its
questions with the explanations folded away. `index.html` shows and searches them all, and `api/`
has the documentation of every module.
"""

import argparse
import ast
import base64
import html
import io
import json
import posixpath
import re
import shutil
import struct
from itertools import count
from pathlib import Path

import in_page
import nbformat
import night
import pdoc
import printed
import river
from math_core import LatexToMathML
from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters.highlight import Highlight2HTML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image, ImageChops, ImageStat
from pygments.formatters import HtmlFormatter

from genlab.map import FRONTIER
from genlab_course import questions
from genlab_course.figures import vector
from genlab_course.places import key_of
from genlab_course.start_page import HERO, slug
from genlab_course.widgets import living
from genlab_course.widgets.explorer import caption

ROOT = Path(__file__).resolve().parents[1]
SOURCE = f"https://github.com/{slug()}/blob/main/"  # followed by nobody who is offline
DOCUMENTS = ("glossary", "cheatsheet", "errata", "teaching")
NO_NOTEBOOK = ("", "index", *DOCUMENTS)  # names of pages
DOTS = re.compile(r" ?(?:in place of the dots )?and run the cell(?=\. Each one is shown)")
HERE = re.compile(r", or \[read it on the site\]\([^)]*\)")
QUIZ = re.compile(r"widgets\.quiz\((?:lesson=)?(?:(\d+)|\"(\w+)\")\)")
CALL = re.compile(r"widgets\.\w+\(.*\)")  # a cell that only asks a kernel for a figure
HERO_STILL = f"{HERO.stem}_still.png"
FONTS = ROOT / "docs/fonts"
ASSETS = ROOT / "docs/site"
LATEX = LatexToMathML(fancy_error=False)
NEAR = r"(?:&\w+;|[^\s<>&;]){0,12}"  # an entity is one character
TOUCHING = re.compile(rf"{NEAR}(?:<math>.*?</math>{NEAR})+", re.DOTALL)
LIVING = {  # on the first page: what is asked of the reader
    "forward_process": "Diffusion turns data into noise, then noise back into data. Drag a point.",
    "game_orbit": "Each player follows its own gradient, and they spiral apart. Drag the start.",
    "digits_live": "A network in this page draws the digit you ask for.",
}


NUMBERED = re.compile(r"\\begin\{(equation|align|gather|multline)\*?\}")  # may hold a number


def formula(latex, display=False):
    """Return a formula as MathML; one on a line of its own can be scrolled where it is too wide."""
    latex = re.sub(r"(\\[bB]igg?r? *\\rVert)\^", r"\1{}^", latex.strip())  # bars keep their size
    tagged = r"\tag" in latex
    if tagged and not NUMBERED.match(latex):
        latex = rf"\begin{{equation}}{latex}\end{{equation}}"
    drawn = LATEX.convert_with_local_state(latex, displaystyle=display)
    drawn = drawn.replace('<menclose notation="box">', '<mrow class="boxed">')
    drawn = drawn.replace("</menclose>", "</mrow>")  # browsers draw a border, and no menclose
    drawn = re.sub(r"(<(?:msup|msubsup)><mi)(>f</mi>)", r'\1 class="leans"\2', drawn)
    kind = "formula tagged" if tagged else "formula"
    return f'<div class="{kind}">{drawn}</div>' if display else drawn


class Renderer(IPythonRenderer):
    """Markdown as HTML, formulas as MathML."""

    def block_math(self, body):
        """Return a formula on a line of its own."""
        return formula(body, display=True)

    def inline_math(self, body):
        """Return a formula in a line."""
        return formula(body)

    def latex_environment(self, name, body):
        """Return an environment such as `align`."""
        return formula(rf"\begin{{{name}}}{body}\end{{{name}}}", display=True)


def together(found):
    """Keep a formula in a line and what touches it together, or a line could begin with a comma."""
    touches = re.sub("<math>.*?</math>", "", found[0], count=1, flags=re.DOTALL)
    return f'<span class="together">{found[0]}</span>' if touches else found[0]


PARAGRAPH = re.compile(r"<p>((?:(?!</p>).)*?<div class=\"formula.*?)</p>", re.DOTALL)
FORMULA = re.compile(r"(<div class=\"formula.*?</div>)", re.DOTALL)


def apart(found):
    """Set formulas between paragraphs: a browser would leave the words behind one in none."""
    parts = FORMULA.split(found[1])
    words = (f"<p>{part.strip()}</p>" if part.strip() else "" for part in parts[::2])
    return "".join(part for pair in zip(words, [*parts[1::2], ""], strict=True) for part in pair)


def rendered(markdown, leads=None):
    """Return Markdown as HTML; links to notebooks and documents lead to their pages."""
    leads = leads or moved
    text = MarkdownWithMath(renderer=Renderer(escape=False)).render(markdown)
    text = PARAGRAPH.sub(apart, TOUCHING.sub(together, text))
    return re.sub(r'href="([^"#]+)(#[^"]*)?"', lambda m: f'href="{leads(m[1])}{m[2] or ""}"', text)


def moved(target, folder=""):
    """Return where a link from a file in `folder` leads on the site, which is one flat folder."""
    if "://" in target:
        return target
    path = Path(target)
    if path.suffix == ".ipynb":
        return f"solution_{path.stem}.html" if "solutions" in path.parts else f"{path.stem}.html"
    if path.suffix == ".md" and path.stem in DOCUMENTS:
        return f"solution_{path.stem}.html" if "solutions" in path.parts else f"{path.stem}.html"
    return SOURCE + posixpath.normpath(posixpath.join(folder, target)).replace("../", "")


CELLS = """\
{% extends 'index.html.j2' %}
{% block markdowncell scoped %}
<section class="text">{{ cell.source | markdown2html }}</section>
{% endblock markdowncell %}
{% block input_group %}
{%- if cell.metadata.get('shown_alone') -%}
{%- else -%}
{%- set taught = cell | open_code -%}{%- set rest = cell | folded_code -%}
{%- if taught %}<div class="{{ cell | width }}">{{ taught | highlight_code }}</div>{% endif -%}
{%- if rest -%}
<details class="code"><summary>code</summary>{{ rest | highlight_code }}</details>
{%- endif -%}
{%- endif -%}
{% endblock input_group %}
{% block stream_stdout %}{{ output.text | printed }}{% endblock stream_stdout %}
{% block stream_stderr %}{{ output.text | printed }}{% endblock stream_stderr %}
{% block data_text scoped %}
<div class="output_text">{{ output.data['text/plain'] | printed }}</div>
{% endblock data_text %}
"""


SHOWS = {
    "subplots",
    "show",
    "film",
    "draw_map",
    "explore",
    "print",
    "begin",
    "figure",
    "show_source",
}


def shows(statement):
    """Whether a statement checks, draws or prints."""
    called = {
        node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for node in ast.walk(statement)
        if isinstance(node, ast.Call)
    }
    return bool(called & SHOWS) or any(name.startswith(("check", "more_checks")) for name in called)


def opened(cell):
    """Return how many lines of a cell's code stand open; the rest, which checks or draws, folds.

    A function, a class and what computes stay beside their equation; of what the notebook folds
    nothing is open, of an exercise all.
    """
    lines = len(cell.source.splitlines())
    if cell.metadata.get("jupyter", {}).get("source_hidden"):
        return 0
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:  # a magic, an unfinished line
        return lines
    if "..." in cell.source and "exercise(" in cell.source:
        return lines
    kinds = (ast.FunctionDef, ast.ClassDef)
    taught = [k for k, node in enumerate(body) if isinstance(node, kinds)]
    behind = range(taught[-1] + 1 if taught else 0, len(body))
    first = next((k for k in behind if shows(body[k])), None)
    if first is None:
        return lines
    above = body[first - 1].end_lineno if taught and first else 0
    return above


def open_code(cell):
    """Return the part of a cell's code that stands open."""
    return "\n".join(cell.source.splitlines()[: opened(cell)]).strip("\n")


def folded_code(cell):
    """Return the part of a cell's code that is folded."""
    return "\n".join(cell.source.splitlines()[opened(cell) :]).strip("\n")


def width(cell):
    """Return the class of a cell's open code: of lines that the column of text does not hold."""
    longest = max(map(len, open_code(cell).splitlines()), default=0)
    return "listing wide" if longest > CODE_COLUMNS else "listing"


CODE_COLUMNS = 74


class Exporter(HTMLExporter):
    """nbconvert's HTML with our formulas and our cells."""

    raw_template = CELLS

    def body(self, notebook):
        """Return a notebook as HTML.

        HTMLExporter would read it again as a whole, which takes as long as all else, to describe
        pictures that have no words (ours have) and to let the keyboard reach cells of JupyterLab.
        """
        lexer = notebook.metadata.get("language_info", {}).get("pygments_lexer")
        self.register_filter("highlight_code", Highlight2HTML(pygments_lexer=lexer, parent=self))
        return TemplateExporter.from_notebook_node(self, notebook)[0]

    def default_filters(self):
        """Replace filters of nbconvert, and add ours."""
        yield from super().default_filters()
        yield "markdown2html", lambda source: rendered(source)
        yield "printed", printed.printed
        yield "open_code", open_code
        yield "folded_code", folded_code
        yield "width", width


def quiz(key):
    """Return a quiz as HTML, each option's explanation folded away."""
    asked = []
    for number, question in enumerate(questions(key), 1):
        options = []
        for k, option in enumerate(question.options):
            verdict = ("right", "Right.") if option.right else ("wrong", "Not this one.")
            folded = rendered('<b class="{}">{}</b> '.format(*verdict) + option.why)
            shown = re.sub(r"^<p>|</p>\s*$", "", rendered(option.text))
            kind = "option is-right" if option.right else "option"
            options.append(
                f'<details class="{kind}" data-option="{k}"><summary>{shown}</summary>{folded}'
                "</details>"
            )
        text = rendered(f"**{number}.** {question.text}")
        asked.append(
            f'<div class="question" data-id="quiz.{key}.{number}">{text}{"".join(options)}</div>'
        )
    return f'<div class="quiz">{"".join(asked)}<p class="score" aria-live="polite"></p></div>'


RIBBON = "The map of the course; "


def without_ribbon(cell):
    """Return a cell without the ribbon of families: the accent of a page says the same."""
    outputs = cell.get("outputs", ())
    left = [o for o in outputs if not o.get("data", {}).get("text/plain", "").startswith(RIBBON)]
    if len(left) < len(outputs):
        cell.outputs = left
        if last_line(cell).startswith("course.draw_map("):
            cell.metadata["shown_alone"] = True
    return cell


def gathered(cells):
    """Join folded code that shows nothing to the folded code behind it: one mark for all."""
    kept = []
    for cell in cells:
        alone = cell.metadata.get("shown_alone")
        folded = cell.cell_type == "code" and not alone and opened(cell) == 0
        before = kept[-1] if kept else None
        if folded and before and before.metadata.get("joins"):
            cell.source = f"{before.source}\n\n\n{cell.source}"
            cell.metadata["jupyter"] = {"source_hidden": True}
            kept.pop()
        cell.metadata["joins"] = folded and not cell.outputs
        kept.append(cell)
    return kept


def last_line(cell):
    """Return the last line of a cell, "" where it is empty: what makes the widget that it shows."""
    return (cell.source.strip().splitlines() or [""])[-1]


def last_frame(file):
    """Return what a film comes to, as PNG bytes: its end, or its middle if it ends as it began."""
    frames = Image.open(io.BytesIO(file))

    def frame(k):
        frames.seek(k)
        return frames.convert("RGB")

    first, middle, last = (frame(k) for k in (0, frames.n_frames // 2, frames.n_frames - 1))
    moved, half = (
        sum(ImageStat.Stat(ImageChops.difference(first, other)).mean) for other in (last, middle)
    )
    buffer = io.BytesIO()
    (middle if moved < half / 2 else last).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def film(source, still, alt, more=""):
    """Return a film that can be stopped: paper, and who wants no motion, are shown its still."""
    moving, resting = (
        f'<img class="{kind}" alt="{html.escape(alt)}" src="{file}"{more}>'
        for kind, file in (("moving", source), ("resting", still))
    )
    button = '<button type="button" aria-label="stop the film">❚❚</button>'
    return f'<div class="film">{moving}{resting}{button}</div>'


def picture(kind, output):
    """Return a film or a picture as HTML; the hero, which is webp, lies beside the pages."""
    data, about = output["data"], output.get("metadata", {}).get(kind, {})
    width, alt = (
        f' width="{about["width"]}"' if "width" in about else "",
        data.get("text/plain", ""),
    )
    if kind == "image/webp":
        return film(HERO.name, HERO_STILL, alt, width)
    source = f"data:{kind};base64,{data[kind]}"
    if kind == "image/gif":
        still = base64.b64encode(last_frame(base64.b64decode(data[kind]))).decode()
        return film(source, f"data:image/png;base64,{still}", alt, width)
    return f'<img alt="{html.escape(alt)}" src="{source}"{width}>'


def first_state(output):
    """Return a widget's still picture as HTML, without the words in it that speak of its cell."""
    words, data = output["data"]["text/plain"], base64.b64decode(output["data"]["image/png"])
    width, height = struct.unpack(">II", data[16:24])
    shown = height - caption(words, width)[1]
    said = html.escape(words.replace("Run", "In the notebook, run", 1))
    cropped = f'<img style="aspect-ratio: {width} / {shown}" '
    shown = picture("image/png", output).replace("<img ", cropped, 1)
    return f'<p class="still"><small>{said}</small></p>{shown}'


def alive(output, number, call, books):
    """Return HTML for what nbconvert cannot show: living figures, widgets, films; or ""."""
    data, about = output.get("data", {}), output.get("metadata", {})
    words = data.get("text/plain", "")
    if "living" in about:
        name, settings = about["living"]["name"], about["living"]["settings"]
        return living.page(name, f"living-{number}", beside=True, settings=settings)
    if words.startswith("Still picture. Run"):
        return books.get(call) or first_state(output)
    moving = data.keys() & {"image/webp", "image/gif"}
    return picture(*moving, output) if moving else ""


WAITS = re.compile(r"\[(.+)\] not attempted")
FOUND = re.compile(r"\[(.+)\] predicted: you said .+?; here it is (.+)", re.DOTALL)
OPENS = re.compile(r"\[([^]]+)\]\((https://(?:colab|mybinder)[^)]+)\)")
ASKS = re.compile(r"\w+ = \.\.\.|course\.(?:exercise|solution)\(.*\)(?:  #.*)?")


def runs(notebook):
    """Return links to where a notebook runs, as its first cell has them."""
    found = OPENS.findall(notebook.cells[0].source if notebook.cells else "")
    return " or ".join(f'<a href="{address}">{name}</a>' for name, address in found)


def to_do(output, name, links="", answers=True):
    """Return an exercise or a prediction that the page itself asks for; None for other outputs.

    Removes lines that announce a solution from `output`; "" if no other line is left.
    """
    printed = output.get("text", "").splitlines(keepends=True)
    left = [line for line in printed if "one solution opens here" not in line]
    if len(left) < len(printed):
        output["text"] = "".join(left)
        return None if left else ""
    says = output.get("data", {}).get("text/plain", "")
    if found := FOUND.fullmatch(says):
        return in_page.predicted(*found.groups())
    if not (waits := WAITS.fullmatch(says)):
        return None
    solved = answers and (ROOT / "notebooks/solutions" / f"{name}.ipynb").is_file()
    worked = f"solution_{name}.html#{waits[1]}" if solved else ""
    return in_page.card(waits[1], rendered, links=links, worked=worked, answers=answers)


def shown_otherwise(cell, output, number, books, asked):
    """Change one output of a cell to what a page without a kernel shows of it.

    `asked` returns the HTML of an exercise, or None; see `to_do`.
    """
    data, about = output.get("data", {}), output.get("metadata", {})
    words = data.get("text/plain", "")
    if (task := asked(output)) is not None:
        output.update(output_type="display_data", data={"text/html": task}, metadata={})
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if "<form" in task and all(map(ASKS.fullmatch, lines)):
            cell.metadata["shown_alone"] = True
    elif shown := alive(output, number, last_line(cell), books):
        output["data"] = nbformat.from_dict({"text/html": shown})
        if CALL.fullmatch(cell.source.strip()):
            cell.metadata["shown_alone"] = True
    elif vector.MIME in data:
        data["text/html"] = f'<div class="drawn">{data[vector.MIME]}</div>'
    elif "image/png" in data and words and not words.startswith("<"):
        about.setdefault("image/png", {})["alt"] = words
    elif "text/markdown" in data:  # not part of the outline
        data["text/markdown"] = re.sub(r"^#", "###", data["text/markdown"], flags=re.M)


def with_explanations(notebook, books, page="", answers=True):
    """Let living figures live, turn widgets into flip-books, put explanations into the quiz.

    A picture gets the words that say what is on it, for those who cannot see it; an exercise that
    needs no function is answered in the page.
    """
    links = runs(notebook)
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            shown_otherwise(cell, output, number, books, lambda o: to_do(o, page, links, answers))
        if cell.cell_type == "markdown":
            cell.source = DOTS.sub("", HERE.sub("", cell.source))
        asked = cell.cell_type == "code" and QUIZ.search(cell.source)
        for output in cell.outputs if asked else []:
            key = int(asked[1]) if asked[1] else asked[2]
            output["data"] = nbformat.from_dict({"text/html": quiz(key)})
            cell.metadata["shown_alone"] = True
    return notebook


def contents(body):
    """Return the list of a page's sections, "" where there are fewer than three."""
    found = re.findall(
        r'<h2 id="([^"]+)">(.*?)(?:<a class="anchor-link".*?)?</h2>', body, re.DOTALL
    )
    if len(found) < 3:
        return ""
    items = "".join(f'<li><a href="#{ident}">{words}</a></li>' for ident, words in found)
    return f'<details class="contents"><summary>Contents</summary><ol>{items}</ol></details>'


def row_of(name):
    """Return to which row of pages one belongs: 0 notebooks, 1 solutions, 2 documents."""
    return 1 if name.startswith("solution_") else 2 * (name in DOCUMENTS)


def ways(pages, k):
    """Return the links from page `k` to its neighbours; a row's last leads to the first page."""
    row = [page for page in pages if row_of(page[1]) == row_of(pages[k][1])]
    name = pages[k][1]
    k, row, links = row.index(pages[k]), [*row, ("The whole course", "index")], []
    for other, kind, sign in ((k - 1, "before", "← {}"), (k + 1, "next", "{} →")):
        if other >= 0:
            title, target = (html.escape(part) for part in row[other][:2])
            shown = f"<span>{title.removeprefix('Solutions: ')}</span>"
            links.append(f'<a class="{kind}" href="{target}.html">{sign.format(shown)}</a>')
    if row_of(name) == 1:
        links.insert(-1, f'<a href="{name.removeprefix("solution_")}.html">the exercises</a>')
    return "".join(links)


def beside(text, name, folder):
    """Put the pictures that stand in a page into files, and say what of them the night keeps."""
    numbers = count()

    def put(found):
        file, data = f"{name}_{next(numbers)}.{found[1]}", base64.b64decode(found[2])
        (folder / file).write_bytes(data)
        return f'src="{file}"{night.marks(data)}'

    return re.sub(r'src="data:image/(png|gif);base64,([^"]+)"', put, text)


def placed(text):
    """Give each picture one of two widths, that of the text or that of text and margin."""

    def place_of(found):
        tag = found[0]
        if int(found[1]) <= TEXT_WIDTH:
            return tag
        named = tag.replace('class="', 'class="wide ', 1)
        return named if named != tag else tag.replace("<img ", '<img class="wide" ', 1)

    return re.sub(r'<(?:img|svg [^>]*class="figure")[^>]*?\swidth="?(\d+)', place_of, text)


TEXT_WIDTH = 660  # pixels of a picture that still goes into the column of text


def families_of(name):
    """Return the families that a page is about, as the river has them; that of a solution's too."""
    if name in NO_NOTEBOOK:
        return river.ALL
    return river.families(key_of(name.removeprefix("solution_")))


def eyebrow(name):
    """Return the line above a title: what kind of page it is, and of which family."""
    key = name.removeprefix("solution_")
    if name in NO_NOTEBOOK:
        return ""
    kind = f"Lesson {key[:2]}" if key[:2].isdigit() else "Frontier" if key in FRONTIER else "Lab"
    parts = [kind, "solutions"] if key != name else [kind]
    about = ", ".join(river.SAID[family] for family in families_of(name) if family in river.SAID)
    return f'<p class="eyebrow">{" · ".join([*parts, about] if about else parts)}</p>'


RIVER = '<link rel="stylesheet" href="river.css"><script src="river.js" defer></script>'
STICK = {page: figure for figure, page in living.STICKY.items()}


def stuck(name):
    """Return what a page needs for the figure that obeys its derivation, "" for most pages."""
    if name not in STICK:
        return ""
    start = "stick({ render, stages, terms });"
    module = f'<script type="module">\n{living.source(STICK[name])}{start}</script>'
    scripts = "".join(f'<script src="{file}.js"></script>' for file in ("lines", "sticky"))
    return f'<link rel="stylesheet" href="sticky.css">{scripts}{module}\n'


def page(title, body, links="", name=""):
    """Return a whole page: its neighbours above and below, its outline beside it."""
    wide = name == "index"
    listed = "" if wide else contents(body)
    below = f'<nav class="ways">{links}</nav>' if links else ""
    runs = re.sub(r"<p><em>(Open in <a .*?)</em></p>", r'<p class="run">\1</p>', body, count=1)
    kind = "landing" if wide else "page with-contents" if listed else "page"
    return (
        f'<!DOCTYPE html>\n<html lang="en" data-family="{families_of(name)[0]}" '
        f'data-page="{name}"><head>'
        f'<meta charset="utf-8"><title>{html.escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:;base64,="><link rel="stylesheet" href="math.css">'
        f'<link rel="stylesheet" href="site.css">{RIVER * wide}</head>\n'
        f'<body>\n<header><a class="home" href="index.html">genlab</a>{links}</header>\n'
        f'<div class="{kind}">{listed}\n<main>{eyebrow(name)}\n{runs}\n{below}</main></div>\n'
        '<script src="page.js"></script><script src="answers.js"></script>'
        f"{stuck(name)}</body></html>\n"
    )


def plain(body):
    """Return the text of a page, for the search."""
    text = re.sub(r"</?(a|b|code|em|i|span|strong)\b[^>]*>", "", body)
    text = re.sub(r"<(style|script|math|svg)\b.*?</\1>|<[^>]+>", " ", text, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def sections(title, href, body):
    """Yield what the search knows of a page: each of its sections, with its heading and place."""
    parts = re.split(r'<h[23] id="([^"]+)">(.*?)</h[23]>', body, flags=re.DOTALL)
    yield {"title": title, "href": href, "text": plain(parts[0])}
    for ident, heading, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        named = plain(re.sub(r'<a class="anchor-link".*?</a>', "", heading, flags=re.DOTALL))
        yield {"title": title, "section": named, "href": f"{href}#{ident}", "text": plain(text)}


def found_notebooks():
    """Yield (title, name of the page, path) of every notebook, the solutions last."""
    titles = {}
    for row in river.asked().values():
        path = ROOT / "notebooks" / row.name
        titles[path.stem] = row.title
        yield row.title, path.stem, path
    for path in sorted((ROOT / "notebooks/solutions").glob("*.ipynb")):
        yield f"Solutions: {titles[path.stem]}", f"solution_{path.stem}", path


def copy_assets(folder, bodies=()):
    """Put styles, script, hero, networks and the font of the formulas beside the pages.

    The styles have the colours by night of all that is drawn in the bodies of the pages.
    """
    day, dark = (
        HtmlFormatter(style=s, nobackground=True).get_style_defs(".highlight")
        for s in ("friendly", "github-dark")
    )
    dark = f"@media (prefers-color-scheme: dark) {{\n{dark}\n}}"
    drawn = night.colours(bodies)
    styles = (ASSETS / "site.css").read_text(encoding="utf-8")
    (folder / "site.css").write_text("\n".join((styles, day, dark, drawn)), encoding="utf-8")
    for path in (
        ASSETS / "math.css",
        ASSETS / "page.js",
        ASSETS / "answers.js",
        ASSETS / "river.css",
        ASSETS / "river.js",
        ASSETS / "lines.js",
        ASSETS / "sticky.css",
        ASSETS / "sticky.js",
        HERO,
        *FONTS.glob("*.woff2"),
        *FONTS.glob("LICENSE-*.txt"),
    ):
        shutil.copyfile(path, folder / path.name)
    (folder / HERO_STILL).write_bytes(last_frame(HERO.read_bytes()))
    for name in living.NETWORKS:
        (folder / f"{name}.data.js").write_text(living.data_script(name), encoding="utf-8")


def landing(pages, answers=True):
    """Return the first page: what moves, where to begin, the search, the course, its proofs."""
    parts = [
        "<h1>Generative models from first principles</h1>",
        '<p class="lead">Draw a shape. Five machines learn it, here, from nothing.</p>',
        f'<div class="opening">{living.page(living.STAGE, living.STAGE)}</div>',
        "<p>Fifteen lessons, seven systems in miniature and a frontier. Each objective and each "
        "sampler is derived, written in a few lines that you can run, trained in front of you on a "
        "laptop's CPU, and checked by a second route.</p>",
        '<p class="buttons"><a href="01_four_paradigm_map.html">▶ Start: lesson 01</a>'
        f'<a href="{SOURCE}README.md">Run it yourself</a><a href="teaching.html">Teach it</a>'
        '<a href="api/genlab.html">The library</a>'
        '<input id="search" type="search" placeholder="Search" aria-label="Search all pages"></p>',
        '<ul id="found"></ul>',
    ]
    figures = []
    for k, (name, question) in enumerate(LIVING.items()):
        figure = living.page(name, name, beside=True, autoplay=k == 0)
        figures.append(f"<section><h3>{question}</h3>{figure}</section>")
    parts += [f'<div class="living">{"".join(figures)}</div>']
    parts += ["<h2>The course</h2>", river.river(pages, answers)]
    parts += ["<h2>Why you can trust it</h2>", river.proofs(rendered, SOURCE, answers)]
    for heading, kind in (("Reference", 2), ("Solutions", 1)):
        rows = [(t, n) for t, n, *_ in pages if row_of(n) == kind]
        links = "".join(
            f'<li><a href="{n}.html">{html.escape(t.removeprefix("Solutions: "))}</a></li>'
            for t, n in rows
        )
        parts += [f"<h2>{heading}</h2>", f'<ul class="plain">{links}</ul>'] if rows else []
    return page("genlab", "\n".join(parts), name="index")


def write_site(folder, notebooks, documents=DOCUMENTS, books=None, answers=True):
    """Write the pages, the index with its search, and what they load; return their number.

    `books` has the flip-books of widgets by their calls (docs/flipbooks.py); without one, a widget
    is a picture. Without `answers`, for a class, no exercise is judged, hinted at or solved.
    """
    exporter, pages = Exporter(template_name="basic"), []
    folder.mkdir(parents=True, exist_ok=True)
    for title, name, path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        notebook = with_explanations(notebook, books or {}, name, answers)
        learned = (c for c in notebook.cells if "install" not in c.metadata.get("tags", ()))
        notebook.cells = gathered(map(without_ribbon, learned))
        pages.append((title, name, path, exporter.body(notebook)))
    for name in documents:
        path = ROOT / "docs" / f"{name}.md"
        text = path.read_text(encoding="utf-8")
        pages.append(
            (
                text.partition("\n")[0].strip("# "),
                name,
                path,
                rendered(text, lambda t: moved(t, "docs")),
            )
        )
    for k, (title, name, _, body) in enumerate(pages):
        text = beside(page(title, placed(body), ways(pages, k), name), name, folder)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    copy_assets(folder, [body for *_, body in pages])
    table = [part for t, n, _, b in pages for part in sections(t, f"{n}.html", b)]
    (folder / "pages.js").write_text(f"const PAGES = {json.dumps(table)};\n", encoding="utf-8")
    (folder / "index.html").write_text(landing(pages, answers), encoding="utf-8")
    return len(pages)


INSIDE = re.compile(r"<h2>Submodules</h2>\s*(<ul>.*?</ul>)", re.DOTALL)


def write_api(folder, *modules):
    """Write the documentation of modules, formulas drawn as on the other pages.

    Each page leads home, and lists what is in its module where a phone hides the list at the side.
    """
    pdoc.render.configure(docformat="markdown")
    pdoc.render.env.filters["to_html"] = rendered
    pdoc.pdoc(*modules, output_directory=folder / "api")
    for path in (folder / "api").rglob("*.html"):
        up = "../" * (len(path.relative_to(folder).parts) - 1)
        text = path.read_text(encoding="utf-8")
        text = text.replace("</head>", f'<link rel="stylesheet" href="{up}math.css"></head>', 1)
        text = text.replace("</body>", f'<script src="{up}page.js"></script></body>', 1)
        home = f'<p class="home"><a href="{up}index.html">genlab: the course</a></p>'
        text = text.replace('<main class="pdoc">', f'<main class="pdoc">{home}', 1)
        if inside := INSIDE.search(text):
            listed = f'<div class="inside">{inside[0]}</div></main>'
            text = text.replace("</main>", listed, 1)
        path.write_text(text, encoding="utf-8")


def main(folder, only=(), answers=True):
    """Write the whole site anew, or only the notebooks whose names begin with a word of `only`."""
    from flipbooks import flipbooks  # it makes every widget, which the tests of the pages need not

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = [row for row in found_notebooks() if answers or not row[1].startswith("solution_")]
    if only:
        write_site(folder, [r for r in found if r[1].startswith(tuple(only))], answers=answers)
        return
    cells = (c for *_, path in found for c in nbformat.read(path, as_version=4).cells)
    books = flipbooks(folder, rendered, {last_line(cell) for cell in cells})
    written = write_site(folder, found, books=books, answers=answers)
    print(f"{written} pages: {folder / 'index.html'}")
    write_api(folder, "genlab")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build/site")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        help="beginning of a notebook, such as 12; repeatable",
    )
    parser.add_argument(
        "--without-answers", action="store_true", help="for a class: no solutions, nothing judged"
    )
    given = parser.parse_args()
    main(given.folder, given.only, not given.without_answers)
