"""Write the course as pages that need no network and no server: python docs/site.py [FOLDER].

nbconvert turns the notebooks with their stored outputs into HTML; nothing is executed. A formula
becomes MathML, which browsers draw by themselves in the font that comes with the pages; a widget is
the picture of its first state, a quiz its questions with the explanations folded away. `index.html`
lists and searches them all.
"""

import html
import json
import re
import shutil
import sys
from pathlib import Path

import nbformat
from math_core import LatexToMathML
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

from genlab.map import FRONTIER
from genlab_course import questions
from genlab_course.demos import PAGES
from genlab_course.learner import slug

ROOT = Path(__file__).resolve().parents[1]
SOURCE = f"https://github.com/{slug()}/blob/main/"  # followed by nobody who is offline
DOCUMENTS = ("glossary", "cheatsheet", "errata", "teaching")
QUIZ = re.compile(r"widgets\.quiz\((?:lesson=)?(?:(\d+)|\"(\w+)\")\)")
FONT = ROOT / "docs/fonts/genlab-math.woff2"
LATEX = LatexToMathML(fancy_error=False)
MATH_STYLE = """\
@font-face { font-family: "Genlab Math"; src: url("genlab-math.woff2"); }
math { font-family: "Genlab Math", math; font-size: 1.15em; }
.formula { overflow-x: auto; overflow-y: hidden; margin: 0.6em 0; padding: 0.3em 0;
  scrollbar-width: thin; }
.boxed { border: 1.5px solid; padding: 0.4em 0.6em; } .formula mtext { white-space: pre; }
"""
STYLE = """\
body { margin: 0 auto; max-width: 52rem; padding: 1rem; font: 17px/1.55 system-ui, sans-serif;
  color: #222; background: var(--ground); color-scheme: light dark; --ground: #fff; }
.code summary { font-size: 0.8em; opacity: 0.7; }
nav { font-size: 0.9em; } nav ul { columns: 2; } a { color: #00528c; }
img { max-width: 100%; background: #fff; border-radius: 6px; }
pre { --ground: #f4f4f4; overflow-x: auto; padding: 0.5em 0.8em; font-size: 0.85em;
  background-color: var(--ground); scrollbar-width: thin; }
.highlight { background: none; }
.jp-InputPrompt, .jp-OutputPrompt, .prompt, .anchor-link { display: none; }
.output_subarea pre, .jp-OutputArea pre { --ground: #fff; border-left: 3px solid #999; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td, th { border: 1px solid #bbb; padding: 0.2em 0.5em; text-align: left; }
blockquote { border-left: 4px solid #e69f00; margin-left: 0; padding-left: 1em; }
summary { cursor: pointer; } #found li { margin: 0.5em 0; } input { font: inherit; width: 60%; }
summary p, summary .formula { display: inline; }
.formula, pre {  /* a shadow where more can be scrolled to */
  background-image: linear-gradient(90deg, var(--ground) 50%, transparent),
    linear-gradient(270deg, var(--ground) 50%, transparent),
    linear-gradient(90deg, #8888, transparent), linear-gradient(270deg, #8888, transparent);
  background-position: -1px, right -1px top, left, right;
  background-size: 2em 100%, 2em 100%, 0.7em 100%, 0.7em 100%;
  background-attachment: local, local, scroll, scroll; background-repeat: no-repeat; }
@media (max-width: 40rem) { p, ul, ol, summary { overflow-x: auto; overflow-y: hidden; } }
@media (min-width: 70rem) { :is(main, main div) > .formula:not(.tagged) { margin-inline: -7rem; } }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; --ground: #161616; } a { color: #7cc0f5; } pre { --ground: #22262c; }
  .output_subarea pre, .jp-OutputArea pre { --ground: #161616; }
  img { filter: brightness(0.86); } td, th { border-color: #555; }
}
"""
SEARCH = """\
const box = document.getElementById('search'), found = document.getElementById('found');
box.addEventListener('input', () => {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  found.replaceChildren(...(words.length ? PAGES : []).flatMap(page => {
    const text = page.text.toLowerCase();
    if (!words.every(word => text.includes(word))) return [];
    const at = Math.max(0, text.indexOf(words[0]) - 60);
    const item = document.createElement('li'), link = document.createElement('a');
    link.href = page.href; link.textContent = page.title;
    item.append(link, ' … ' + page.text.slice(at, at + 160) + ' …');
    return [item];
  }));
});
"""


def formula(latex, display=False):
    """Return a formula as MathML; one on a line of its own can be scrolled where it is too wide."""
    latex = latex.strip()
    tagged = r"\tag" in latex
    if tagged and not latex.startswith(r"\begin"):
        latex = rf"\begin{{equation}}{latex}\end{{equation}}"
    drawn = LATEX.convert_with_local_state(latex, displaystyle=display)
    drawn = drawn.replace('<menclose notation="box">', '<mrow class="boxed">')
    drawn = drawn.replace("</menclose>", "</mrow>")  # browsers draw a border, and no menclose
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


def rendered(markdown, leads=None):
    """Return Markdown as HTML; links to notebooks and documents lead to their pages."""
    leads = leads or moved
    text = MarkdownWithMath(renderer=Renderer(escape=False)).render(markdown)
    return re.sub(r'href="([^"#]+)(#[^"]*)?"', lambda m: f'href="{leads(m[1])}{m[2] or ""}"', text)


def moved(target):
    """Return where a link of the repository leads on the site, which is one flat folder."""
    if "://" in target:
        return target
    path = Path(target)
    if path.suffix == ".ipynb":
        return f"solution_{path.stem}.html" if "solutions" in path.parts else f"{path.stem}.html"
    if path.suffix == ".md" and path.stem in DOCUMENTS:
        return f"{path.stem}.html"
    return SOURCE + re.sub(r"^(\.\./)+", "", target)


FOLDED = """\
{% extends 'index.html.j2' %}
{% block input %}
{%- if cell.metadata.get('jupyter', {}).get('source_hidden') -%}
<details class="code"><summary>code</summary>{{ super() }}</details>
{%- else -%}{{ super() }}{%- endif -%}
{% endblock input %}
"""


class Exporter(HTMLExporter):
    """nbconvert's HTML with our formulas; code that the notebook folds is folded."""

    raw_template = FOLDED

    def default_filters(self):
        """Replace one filter of nbconvert."""
        yield from super().default_filters()
        yield "markdown2html", lambda source: rendered(source)


def quiz(key):
    """Return a quiz as HTML, each option's explanation folded away."""
    parts = []
    for number, question in enumerate(questions(key), 1):
        parts.append(f"**{number}.** {question.text}\n")
        for option in question.options:
            verdict = "Right." if option.right else "Not this one."
            folded = rendered(f"**{verdict}** {option.why}")
            shown = re.sub(r"^<p>|</p>\s*$", "", rendered(option.text))
            parts.append(f"<details><summary>{shown}</summary>{folded}</details>\n")
    return "\n".join(rendered(p) if p.startswith("**") else p for p in parts)


def with_explanations(notebook):
    """Put each option's explanation into the quiz, which the stored notebook only asks.

    A widget's picture gets the words that say how to move it, for those who cannot see it.
    """
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            words = output.get("data", {}).get("text/plain", "")
            if words.startswith("Still picture"):
                output["metadata"]["image/png"] = {"alt": words}
        asked = cell.cell_type == "code" and QUIZ.search(cell.source)
        for output in cell.outputs if asked else []:
            key = int(asked[1]) if asked[1] else asked[2]
            output["data"] = nbformat.from_dict({"text/html": quiz(key)})
    return notebook


def page(title, body, ways=""):
    """Return a whole page."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}'
        '</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="site.css"></head>\n'
        f"<body>\n<nav>{ways}</nav>\n<main>\n{body}\n</main>\n</body></html>\n"
    )


def plain(body):
    """Return the text of a page, for the search."""
    text = re.sub(r"<(style|script|math|svg)\b.*?</\1>|<[^>]+>", " ", body, flags=re.DOTALL)
    return " ".join(html.unescape(text).split())


def found_notebooks():
    """Yield (title, name of the page, path) of every notebook, the solutions last."""
    for row in PAGES:
        pattern = f"{row.name}_*.ipynb" if isinstance(row.key, int) else f"systems/{row.name}.ipynb"
        for path in sorted((ROOT / "notebooks").glob(pattern)):
            yield row.title, path.stem, path
    for name, (title, _) in FRONTIER.items():
        yield title, name, ROOT / f"notebooks/frontier/{name}.ipynb"
    for path in sorted((ROOT / "notebooks/solutions").glob("*.ipynb")):
        yield f"Solutions: {path.stem.replace('_', ' ')}", f"solution_{path.stem}", path


def copy_font(folder):
    """Put the font of the formulas and its licence beside the pages."""
    for path in (FONT, FONT.with_name("GUST-FONT-LICENSE.txt")):
        shutil.copyfile(path, folder / path.name)


def write_site(folder, notebooks, documents=DOCUMENTS):
    """Write the pages, the index with its search, and one style sheet; return their number."""
    exporter, pages = Exporter(template_name="basic"), []
    for title, name, path in notebooks:
        notebook = with_explanations(nbformat.read(path, as_version=4))
        notebook.cells = [c for c in notebook.cells if "install" not in c.metadata.get("tags", ())]
        pages.append((title, name, exporter.from_notebook_node(notebook)[0]))
    for name in documents:
        text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        pages.append((text.partition("\n")[0].strip("# "), name, rendered(text)))
    folder.mkdir(parents=True, exist_ok=True)
    for k, (title, name, body) in enumerate(pages):
        beside = [
            (pages[j][1], sign) for j, sign in ((k - 1, "←"), (k + 1, "→")) if 0 <= j < len(pages)
        ]
        ways = " · ".join(
            ['<a href="index.html">all pages</a>']
            + [f'<a href="{other}.html">{sign} {other}</a>' for other, sign in beside]
        )
        (folder / f"{name}.html").write_text(page(title, body, ways), encoding="utf-8")
    day, night = (
        HtmlFormatter(style=s, nobackground=True).get_style_defs(".highlight")
        for s in ("friendly", "github-dark")
    )
    night = f"@media (prefers-color-scheme: dark) {{\n{night}\n}}"
    styles = "\n".join((MATH_STYLE, STYLE, day, night))
    (folder / "site.css").write_text(styles, encoding="utf-8")
    copy_font(folder)
    table = [{"title": t, "href": f"{n}.html", "text": plain(b)} for t, n, b in pages]
    (folder / "pages.js").write_text(f"const PAGES = {json.dumps(table)};\n", encoding="utf-8")
    links = "".join(f'<li><a href="{n}.html">{html.escape(t)}</a></li>' for t, n, _ in pages)
    body = (
        "<h1>genlab: generative models from first principles</h1>\n"
        '<p><label>Search <input id="search" type="search" autofocus></label></p>\n'
        f'<ul id="found"></ul>\n<ul>{links}</ul>\n'
        f'<script src="pages.js"></script><script>{SEARCH}</script>'
    )
    (folder / "index.html").write_text(page("genlab", body), encoding="utf-8")
    return len(pages)


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build/site")
    print(f"{write_site(place, list(found_notebooks()))} pages: {place / 'index.html'}")
