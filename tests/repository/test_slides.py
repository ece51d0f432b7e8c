"""The slides of `make slides` need no network, begin with the sections, and fit."""

import base64
import importlib.util
import re
import struct

import nbformat
import pytest

from tests.repository.test_site import DOCS, Page

pytest.importorskip("sphinx_revealjs", reason="the extra 'site' is not installed")
spec = importlib.util.spec_from_file_location("slides_of_docs", DOCS / "slides.py")
slides = importlib.util.module_from_spec(spec)
spec.loader.exec_module(slides)
LONG = "One sentence of a text that goes on for a while.\n" * 60


def test_types_follow_headings_steps_and_length():
    parts = ["# A", "text", "## B", "**Step 1.** x", "**Step 2.** y", "### C", "z", "z " * 800, "z"]
    expected = ["slide", "-", "slide", "-", "subslide", "subslide", "-", "subslide", "-"]
    assert slides.slide_types(parts, limit=20) == expected


def test_a_figure_is_measured_by_its_pixels():
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 800, 280) + b"\x08\0"
    picture = f'<img alt="" src="data:image/png;base64,{base64.b64encode(head).decode()}">'
    assert slides.lines(picture) == 1 + 10


@pytest.mark.parametrize(
    "block",
    [
        "\n".join(f"- item {k} of a list" for k in range(40)),
        "```text\n" + "a printed line\n" * 60 + "```",
        "| a | b |\n|---|---|\n" + "\n".join("| 1 | 2 |" for _ in range(40)),
        LONG.strip(),
    ],
)
def test_a_long_block_is_cut_into_pieces_that_fit_and_lose_nothing(block):
    pieces = slides.cut(block)
    assert len(pieces) > 1
    assert max(map(slides.lines, pieces)) <= slides.LIMIT - 2
    rows = [row for piece in pieces for row in piece.splitlines()]
    assert set(rows) == set(block.splitlines())
    assert len(rows) >= len(block.splitlines())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Slides of one small notebook and of one lesson."""
    folder = tmp_path_factory.mktemp("slides")
    small = nbformat.v4.new_notebook()
    small.cells = [
        nbformat.v4.new_markdown_cell("# Small\n\nIt holds $x^2$.\n## One\ntext\n\n## Two\n\ntext"),
        nbformat.v4.new_code_cell("secret = 1"),
    ]
    nbformat.write(small, folder / "small.ipynb")
    rows = [row for row in slides.lessons() if row[1][:2] == "08"]
    assert slides.write_slides(folder, [("Small", "small", folder / "small.ipynb"), *rows]) == 2
    return folder


def test_no_slide_loads_anything_from_another_machine(folder):
    for path in (*folder.glob("*.html"), folder / "reveal/dist/theme/white.css"):
        text = path.read_text(encoding="utf-8")
        loaded = Page(path).loaded + re.findall(r"@import\s*(?:url\()?([^)\s;]+)", text)
        assert [address for address in loaded if "//" in address.partition(",")[0]] == [], path
        for address in loaded:
            if path.suffix == ".html" and not address.startswith("data:"):
                assert (folder / address).exists(), address
    fonts = re.findall(r"url\(([^)]*)\)", (folder / "slides.css").read_text())
    assert [(folder / name.strip('"')).exists() for name in fonts] == [True]


def test_every_section_begins_a_slide_and_code_is_left_out(folder):
    for path in (folder / "small.html", *folder.glob("08_*.html")):
        text = path.read_text(encoding="utf-8")
        begun = [
            part.partition("</section>")[0] for part in re.split(r"<section\s*><section", text)
        ]
        assert sum(part.count("<h2") for part in begun[1:]) == text.count("<h2") > 1
        assert all(part.count("<h2") + part.count("<h1") == 1 for part in begun[1:])
        shown = text.partition("<main>")[2].partition("</main>")[0]
        assert "$" not in slides.site.plain(re.sub(r"<pre.*?</pre>", "", shown, flags=re.DOTALL))
    small = (folder / "small.html").read_text(encoding="utf-8")
    assert "secret" not in small
    assert small.count("<math") == 1


def test_code_is_shown_when_it_is_asked_for(folder):
    small = nbformat.read(folder / "small.ipynb", as_version=4)
    assert "```python\nsecret = 1\n```" in slides.told(small, code=True)


@pytest.mark.parametrize("row", slides.lessons(), ids=lambda row: row[1])
def test_no_slide_is_longer_than_the_limit(row):
    notebook = slides.site.with_explanations(nbformat.read(row[2], as_version=4))
    parts, used = slides.told(notebook), []
    for kind, part in zip(slides.slide_types(parts), parts, strict=True):
        used = [*used, 0] if kind != "-" else used
        used[-1] += slides.lines(part)
    assert max(used) <= slides.LIMIT
