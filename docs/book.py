"""Print the course as one book: python docs/book.py [build/book.pdf] [--only 12 ...].

The pages of the site become chapters of one document, which a headless Chromium prints (the one of
the browser tests; GENLAB_CHROMIUM names another). Links between pages lead to chapters, living
figures are their stills, films their last frames, and every answer is open.
"""

import argparse
import html
import importlib.util
import os
import re
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

SITE = Path(__file__).with_name("site.py")
CHROMIUM = os.environ.get("GENLAB_CHROMIUM", "/usr/bin/chromium")
FOOT = (
    '<div style="width: 100%; text-align: center; font: 8px sans-serif; color: #666">'
    '<span class="pageNumber"></span></div>'
)
STYLE = """
.chapter { break-before: page; } .title { break-after: page; padding-top: 30vh; }
.title h1 { font-size: 34pt; } .listed { font: 11pt/1.7 var(--sans); list-style: none; padding: 0; }
.listed a { color: inherit; }
"""


def site():
    """Return docs/site.py as a module; by `import` one gets Python's own of that name."""
    spec = importlib.util.spec_from_file_location("site_of_docs", SITE)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def chapter(name, text, names):
    """Return a page's <main> as a chapter: no script, ids and links of its own."""
    body = re.search(r"<main>(.*)</main>", text, re.DOTALL)[1]
    body = re.sub(r"<script\b.*?</script>|<nav class=\"ways\">.*?</nav>", "", body, flags=re.DOTALL)

    def leads(found):
        page, _, part = found[1].partition("#")
        there = name if not page else page.removesuffix(".html")
        if there not in names or not (page.endswith(".html") or not page):
            return found[0]
        return f'href="#{there}--{part}"' if part else f'href="#{there}"'

    body = re.sub(r'\bid="([^"]*)"', rf'id="{name}--\1"', body)
    body = re.sub(r'href="([^"]*)"', leads, body)
    body = body.replace("url(#", f"url(#{name}--")  # of a figure that is drawn
    family = re.search(r'data-family="([^"]*)"', text)[1]
    return f'<main class="chapter" id="{name}" data-family="{family}">{body}</main>'


def bound(folder, pages):
    """Write book.html into a folder of pages, (title, name) in order; return its path."""
    names = {name for _, name in pages}
    listed = "".join(f'<li><a href="#{n}">{html.escape(t)}</a></li>' for t, n in pages)
    chapters = "".join(
        chapter(name, (folder / f"{name}.html").read_text(encoding="utf-8"), names)
        for _, name in pages
    )
    cover = (
        '<main class="title"><h1>Generative models from first principles</h1>'
        "<p>Fifteen lessons, seven systems in miniature and a frontier.</p></main>"
        f'<main class="chapter"><h1>Contents</h1><ol class="listed">{listed}</ol></main>'
    )
    path = folder / "book.html"
    path.write_text(
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Generative models from '
        'first principles</title><link rel="stylesheet" href="math.css">'
        f'<link rel="stylesheet" href="site.css"><style>{STYLE}</style></head>'
        f'<body><div class="page">{cover}{chapters}</div><script src="page.js"></script>'
        "</body></html>",
        encoding="utf-8",
    )
    return path


def printed(browser, path, pdf):
    """Print a page that lies on the disk as a PDF with page numbers and an outline."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri(), timeout=300_000)
    page.evaluate("() => document.fonts.ready")
    page.set_default_timeout(600_000)
    page.pdf(
        path=pdf, prefer_css_page_size=True, print_background=True, outline=True, tagged=True,
        display_header_footer=True, header_template="<span></span>", footer_template=FOOT,
    )  # fmt: skip
    page.close()


def main(pdf, only=()):
    """Write the pages, without solutions, into a folder that goes; bind and print them."""
    pages = site()
    rows = [row for row in pages.found_notebooks() if not row[1].startswith("solution_")]
    rows = [row for row in rows if not only or row[1].startswith(tuple(only))]
    documents = () if only else ("glossary", "cheatsheet")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pages.write_site(folder, rows, documents)
        titled = [(title, name) for title, name, _ in rows]
        titled += [(name.capitalize(), name) for name in documents]
        path = bound(folder, titled)
        pdf.parent.mkdir(parents=True, exist_ok=True)
        with sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            printed(browser, path, pdf)
            browser.close()
    print(f"{pdf}: {pdf.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pdf", nargs="?", type=Path, default=Path("build/book.pdf"))
    parser.add_argument("--only", nargs="+", default=(), help="beginnings of notebooks, such as 12")
    given = parser.parse_args()
    main(given.pdf, given.only)
