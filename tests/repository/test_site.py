"""The pages of `make site` need no network: maths, links, quizzes and search are in them."""

import base64
import contextlib
import doctest
import html
import inspect
import io
import json
import re
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from PIL import Image
from scripts import DOCS, script

from genlab.map import FAMILIES, lit
from genlab_course import check, check_close_mc, check_range, widgets
from genlab_course.demos import PAGES
from genlab_course.figures import vector
from genlab_course.grading import find_exercise
from genlab_course.places import key_of

site = script("site")
night, printed = site.night, site.printed
NAMES = {name for _, name, _ in site.found_notebooks()} | set(site.DOCUMENTS) | {"index"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A site of one lesson, one lab and two documents."""
    folder = tmp_path_factory.mktemp("site")
    some = [
        row for row in site.found_notebooks() if row[1][:2] == "05" or row[1].startswith("flow_d")
    ]
    assert len(some) == 2
    assert site.write_site(folder, some, ("glossary", "errata", "teaching")) == 5
    return folder


class Page(HTMLParser):
    """The links and the loaded addresses of a page, and the ids in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.ids, self.tags = [], [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        self.ids.add(given.get("id"))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in ("script", "img", "link", "iframe"):
            self.loaded += [given[k] for k in ("src", "href") if k in given]


def test_no_page_loads_anything_from_another_machine(folder):
    for path in folder.glob("*.html"):
        loaded = Page(path).loaded
        assert [address for address in loaded if "//" in address.partition(",")[0]] == [], path
    fonts = re.findall(r"url\(([^)]*)\)", (folder / "math.css").read_text())
    assert len(fonts) == 5
    files = [folder / name.strip('"') for name in fonts]
    assert sum(file.stat().st_size for file in files) < 250_000
    assert len(list(folder.glob("LICENSE-*.txt"))) == 4  # of four families


def test_formulas_are_drawn_by_the_browser_and_none_is_left_over(folder):
    for name, least in (("05_latent_variables_and_elbo", 150), ("glossary", 20), ("errata", 5)):
        tags = Page(folder / f"{name}.html").tags
        assert tags.count("math") >= least
        assert "merror" not in tags
    text = site.plain((folder / "errata.html").read_text(encoding="utf-8"))
    assert "$" not in text


def test_links_lead_to_pages_of_the_site_or_to_the_repository(folder):
    for path in folder.glob("*.html"):
        for link in Page(path).links:
            if link.startswith(site.SOURCE):
                there = link.removeprefix(site.SOURCE).partition("#")[0]
                assert (DOCS.parent / there).exists(), (path.name, link)
            if "://" in link or link.startswith(("#", "api/")):
                continue
            target, _, part = link.partition("#")
            assert target.removesuffix(".html") in NAMES, (path.name, link)
            if part and (folder / target).exists():
                assert part in Page(folder / target).ids, (path.name, link)


def test_a_quiz_is_there_with_its_explanations_and_a_widget_is_a_picture(folder):
    path = folder / "05_latent_variables_and_elbo.html"
    text = path.read_text(encoding="utf-8")
    asked = site.questions(5)
    source = DOCS.parent / "notebooks" / "src" / path.with_suffix(".py").name
    written = source.read_text(encoding="utf-8")
    folded = written.count("<details>")  # answers to a widget's question
    kinds = ("code", "hint", "chip", "rest", "contents", "option", "option is-right")
    counts = {kind: text.count(f'<details class="{kind}"') for kind in kinds}
    assert Page(path).tags.count("details") == folded + sum(counts.values())
    assert counts["contents"] == 1
    assert counts["option is-right"] == len(asked)
    assert counts["option"] == sum(len(q.options) - 1 for q in asked)
    assert counts["code"] > 5
    said = re.findall(r'<b class="(\w+)">(Right|Not this one)\.</b>', text)
    verdicts = {True: ("right", "Right"), False: ("wrong", "Not this one")}
    assert said == [verdicts[bool(o.right)] for q in asked for o in q.options]
    assert "(children=" not in text
    assert "Run this cell" in text


def test_a_page_lists_its_sections_and_leads_to_its_neighbours(folder):
    lesson = (folder / "05_latent_variables_and_elbo.html").read_text(encoding="utf-8")
    listed = re.search(r'class="contents">(.*?)</details>', lesson, re.DOTALL)[1]
    sections = set(re.findall(r'<h2 id="([^"]+)"', lesson))
    assert set(re.findall(r'href="#([^"]+)"', listed)) == sections
    assert len(sections) > 5
    assert lesson.count('class="next" href="flow_density_estimator.html"') == 2  # above and below
    first = (folder / "index.html").read_text(encoding="utf-8")
    stations = re.findall(r'<a href="([^"]+)" data-asks', first)
    assert stations == ["05_latent_variables_and_elbo.html", "flow_density_estimator.html"]
    for href, asks in re.findall(r'<a href="([^"]+)" data-asks="([^"]+)"', first):
        kept = re.findall(r'data-id="([^"]+)"', (folder / href).read_text(encoding="utf-8"))
        assert set(json.loads(html.unescape(asks))) <= set(kept)  # what fills its station
    assert first.count("▶ Start") == 1


def test_what_a_station_needs_is_read_from_the_head_of_its_notebook():
    assert doctest.testmod(site.river) == (0, 3)  # failed, tried
    assert site.river.needs(site.river.head("14_score_sdes.ipynb"))[0] == [4, 11, 12, 13]
    needed = site.river.needs(site.river.head("frontier/few_step.ipynb"))
    assert needed == ([9], ["flow_matching"])


def test_every_picture_and_film_of_a_notebook_lies_beside_its_page(folder):
    path = DOCS.parent / "notebooks/05_latent_variables_and_elbo.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    outputs = [o for c in notebook["cells"] for o in c.get("outputs", [])]
    shown = [o["data"] for o in outputs if "living" not in o.get("metadata", {}) and "data" in o]
    shown = [d for d in shown if vector.MIME not in d]  # a drawing is a part of its page
    stored = [
        base64.b64decode("".join(d[kind]))
        for d in shown
        for kind in ("image/gif", "image/png")
        if kind in d
    ]
    text = (folder / f"{path.stem}.html").read_text(encoding="utf-8")
    named = re.findall(rf'src="({path.stem}_\d+\.(?:png|gif))"', text)
    ribbons = [d for d in shown if "".join(d["text/plain"]).startswith(site.RIBBON)]
    stored = [
        s for s in stored if s not in [base64.b64decode("".join(d["image/png"])) for d in ribbons]
    ]
    there = [(folder / name).read_bytes() for name in named]
    assert sum(s[:3] == b"GIF" for s in stored) >= 1
    assert [picture for picture in there if picture in stored] == stored != []
    assert "read it on the site" not in text
    assert 'src="data:image' not in text


def test_a_picture_has_one_of_two_widths():
    shown = site.placed('<img alt="" src="a.png" width="661"><img src="b.png" width="660">')
    assert shown.count('class="wide"') == 1
    assert shown.index('class="wide"') < shown.index("a.png")
    film = site.placed(site.film("a.gif", "b.png", "", ' width="720"'))
    assert re.findall('class="(wide [^"]*)"', film) == ["wide moving", "wide resting"]
    for inches, drawn_as in ((8.2, "figure"), (8.4, "wide figure")):
        drawn = vector.svg(plt.figure(figsize=(inches, 1)), "an empty page")
        assert re.findall('class="([^"]*)"', site.placed(drawn)) == [drawn_as]


def test_a_check_is_a_chip_with_its_two_numbers_and_the_mistake_that_it_would_have_caught():
    buffer = io.StringIO()
    with contextlib.redirect_stdout(buffer):
        check("log of a product", np.log(6), np.log(2) + np.log(3), unlike={"base 2": np.log2(6)})
        check("a claim that is longer than the forty-six letters of its column", 0.5, 0.5)
        check("all of them", [1.0, 2.0], [1.0, 2.0], unlike={"shifted": [2.0, 3.0]})
        check("so it is", True, True)
        check_range("bits", 2.0314, 1.9, 2.2, unlike={"nats": 1.4})
        check_close_mc("coin", np.array([0.0, 1.0] * 50), 0.5, unlike={"both heads": 1.0})
    text = printed.printed(buffer.getvalue())
    assert text.count('<details class="chip">') == 6
    words = re.sub(r"<[^>]+>", "|", text)
    for said in (
        "log of a product",
        "a claim that is longer than the forty-six letters of its column",
        "Two routes: |1.791759| and |1.791759|.",
        "Would have caught: |base 2|, which gives |2.584963|.",
        "Two routes agree in all 2 numbers, to 1e-9.",
        "Would have caught: |shifted|.",
        "|~2.031|, held between 1.9 and 2.2.",
        "Would have caught: |nats|, which gives |~1.400|.",
        "The mean of 100 draws is |~0.5000|; exact: |0.500000|.",
        "Would have caught: |both heads|, which gives |~1.0000|.",
    ):
        assert said in words, said


def test_sentences_stand_in_the_margin_and_tables_keep_their_columns_in_the_text():
    text = printed.printed("a sentence <\na   b\n1   2\nok  c")
    column, _, aside = text.partition('<aside class="margin">')
    chip = '<details class="chip"><summary>c</summary><div class="why"></div></details>'
    assert aside == f"{chip}</aside>"
    assert column.startswith('<pre class="printed"><span>a sentence &lt;')
    assert "a   b\n1   2" in column
    many = "\n".join(f"ok  claim {k}" for k in range(9))
    assert "<summary>5 more checks</summary>" in printed.printed(many)
    assert printed.printed("[05.m] what follows runs with the worked solution") == ""
    assert "wide" in printed.printed("x  " + 80 * "y")


def test_every_check_that_a_notebook_shows_is_read_as_one():
    for path in sorted(DOCS.parent.glob("notebooks/**/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                for line in "".join(output.get("text", "")).splitlines():
                    if line.startswith("ok  "):
                        chip = printed.chip(line)
                        shown = line[4:].strip().partition("  ")[2].strip()
                        assert not shown or "<b>" in chip or "agree" in chip, line
                        assert ("(unlike" in line) <= ("caught" in chip), line


def test_code_that_only_checks_or_draws_is_folded_and_code_that_teaches_is_not():
    def cell(source):
        return nbformat.v4.new_code_cell(source)

    assert not site.opened(cell('check("a", 1, 1)'))
    assert not site.opened(cell("figure, axes = plt.subplots()\naxes.plot(x)"))
    assert site.opened(cell("x = torch.randn(3)\nloss = (x**2).mean()"))
    both = cell("def loss(x):\n    return x\n\n\none = 1\ncheck('a', loss(one), 1)")
    assert site.open_code(both) == "def loss(x):\n    return x\n\n\none = 1"
    assert site.folded_code(both) == "check('a', loss(one), 1)"
    again = cell("check('a', 1, 1)\n\n\ndef loss(x):\n    return x")
    assert site.folded_code(again) == ""
    assert site.opened(cell("x_5 = ...\ncourse.exercise('12.shortcut', x_5)"))
    hidden, open_ = cell("x = 1"), cell("check('a', x, 1)")
    hidden.metadata["jupyter"] = {"source_hidden": True}
    (both,) = site.gathered([hidden, open_])
    assert both.source == "x = 1\n\n\ncheck('a', x, 1)"
    assert not site.opened(both)


def test_by_night_a_plot_is_turned_and_the_digits_in_it_are_not():
    rng = np.random.default_rng(0)
    plot = np.full((300, 600, 3), 255, np.uint8)
    plot[40:42, 20:500] = 0  # a line
    plot[200:280, 400:480] = (0, 114, 178)  # a bar has one colour
    assert night.kept(png(plot)) == []
    plot[100:180, 100:180] = rng.integers(0, 256, (8, 8, 1), np.uint8).repeat(10, 0).repeat(10, 1)
    ((left, top, right, bottom),) = night.kept(png(plot))
    assert np.allclose(
        (left * 600, top * 300, right * 600, bottom * 300), (100, 100, 180, 180), atol=2
    )
    assert 'data-night="whole"' in night.marks(png(plot[102:178, 102:178]))


def png(pixels):
    """Return pixels as the bytes of a picture."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_an_entity_beside_a_formula_stays_whole():
    assert "&quot;" in site.rendered('"$d$-dimension"').replace("</span>", "|")


def test_a_link_to_a_worked_solution_leads_to_it_and_not_to_its_lesson():
    assert site.moved("solutions/05_elbo.ipynb") == "solution_05_elbo.html"
    assert site.moved("../solutions/05_elbo.ipynb") == "solution_05_elbo.html"
    assert site.moved("../05_elbo.ipynb") == "05_elbo.html"
    assert 'href="solution_05_elbo.html#q"' in site.rendered("[it](solutions/05_elbo.ipynb#q)")


def test_over_a_figure_stands_no_call_to_a_kernel_that_is_not_there(folder):
    lesson = (folder / "05_latent_variables_and_elbo.html").read_text(encoding="utf-8")
    assert not re.search(r'<span class="n">widgets</span>.*>elbo_gap<', lesson)
    assert not re.search(r'<span class="n">widgets</span>.*>quiz<', lesson)
    text = site.plain(lesson)
    assert "widgets.elbo_gap" not in text
    assert "import" in text  # code that teaches stays


def test_of_a_film_the_end_rests_and_of_one_that_returns_the_middle():
    def film(*greys):
        frames = [Image.new("L", (4, 4), grey) for grey in greys]
        buffer = io.BytesIO()
        frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
        return np.asarray(Image.open(io.BytesIO(site.last_frame(buffer.getvalue()))).convert("L"))

    assert set(film(0, 50, 100, 200).flat) == {200}
    assert set(film(0, 100, 200, 100, 1).flat) == {200}


def test_an_exercise_leads_to_its_solution_and_is_no_button(folder):
    name = "05_latent_variables_and_elbo"
    lesson = (folder / f"{name}.html").read_text(encoding="utf-8")
    assert "not attempted" not in lesson
    assert "opens here" not in lesson
    for task in ("05.other-side", "05.m-step-tables"):  # a list of numbers, a function
        assert (
            f'href="solution_05_latent_variables_and_elbo.html#{task}">a worked solution' in lesson
        )
    after = lesson.partition('data-task="05.m-step-tables"')[2]
    assert "colab.research" in after.partition("</p>")[0]
    stream = {"output_type": "stream", "text": "a\n[a] one solution opens here\nb\nc\n"}
    assert site.to_do(stream, "05") is None
    assert stream["text"] == "a\nb\nc\n"  # what else is printed stays
    stream = {"output_type": "stream", "text": "[a] one solution opens here\n"}
    assert site.to_do(stream, "05") == ""


def test_headings_that_a_cell_shows_are_none_of_the_page():
    shown = nbformat.v4.new_output("display_data", {"text/markdown": "# Sheet\n\n## Part"})
    cell = nbformat.v4.new_code_cell("sheet()", outputs=[shown])
    site.with_explanations(nbformat.v4.new_notebook(cells=[cell]), {})
    assert cell.outputs[0]["data"]["text/markdown"] == "### Sheet\n\n#### Part"


def test_a_still_is_shown_with_one_notice(folder):
    path = DOCS.parent / "notebooks/05_latent_variables_and_elbo.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    data = [
        o["data"] for c in cells for o in c.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    (still,) = (d for d in data if "".join(d["text/plain"]).startswith("Still picture. Run"))
    drawn = Image.open(io.BytesIO(base64.b64decode("".join(still["image/png"])))).convert("L")
    text = (folder / f"{path.stem}.html").read_text(encoding="utf-8")
    (shape,) = re.findall(r'style="aspect-ratio: (\d+) / (\d+)"', text)
    width, height = map(int, shape)
    assert width == drawn.width
    below = np.asarray(drawn)[height:]
    assert below[:8].min() == 255  # between the picture and the words
    assert below[8:].min() < 128  # the words, which the page does not show
    assert text.index("<small>Still picture. In") < text.index('style="aspect-ratio')
    assert text.count("<small>Still picture. In the notebook, run this cell") == 1


def test_a_formula_and_the_comma_behind_it_stay_in_one_line():
    shown = site.rendered("So $x$, ($y$) and $a$/$b$ are; $z$ is not.")
    kept = re.findall(r'<span class="together">(.*?)</span>', shown)
    assert [re.sub(r"<math>.*?</math>", "#", part) for part in kept] == ["#,", "(#)", "#/#"]
    assert shown.count("<math>") == 5
    assert "together" not in site.rendered("$$x,$$")


def test_words_behind_a_formula_are_a_paragraph_of_their_own():
    shown = re.sub(r"<math.*?</math>", "#", site.rendered("One\n$$x$$\ntwo $y$\n\n$$z$$\n\nend"))
    assert re.sub(r"\s+", "", re.sub(r"<(/?)(\w+)[^>]*>", r"<\1\2>", shown)) == (
        "<p>One</p><div>#</div><p>two#</p><div>#</div><p>end</p>"
    )


def test_the_last_page_of_each_kind_leads_to_the_first_page():
    pages = [*site.found_notebooks(), *((n, n) for n in site.DOCUMENTS)]
    leads = {row[1]: re.findall(r'class="next" href="(.*?)"', site.ways(pages, k)) for k, row in
             enumerate(pages)}  # fmt: skip
    ends = [name for name, (lead,) in leads.items() if lead == "index.html"]
    solved = [name for name in leads if name.startswith("solution_")]
    notebooks = [name for name in leads if name not in solved and name not in site.DOCUMENTS]
    assert ends == [notebooks[-1], solved[-1], site.DOCUMENTS[-1]]
    first = site.ways(pages, len(notebooks))
    assert 'class="before"' not in first
    assert f'href="{notebooks[0]}.html">the exercises' in first
    assert "Solutions: " not in first


def test_a_page_has_the_colour_and_the_families_of_its_station_in_the_river():
    short = ("autoregressive", "flow", "latent", "adversarial", "score")
    for _, name, _ in site.found_notebooks():
        key = key_of(name.removeprefix("solution_"))
        about = lit(int(key) if key.isdigit() else key)
        text = site.page("title", "", name=name)
        colour = "map" if about == FAMILIES else short[FAMILIES.index(about[0])]
        assert f'data-family="{colour}"' in text, name
        (eyebrow,) = re.findall(r'<p class="eyebrow">(.*)</p>', text)
        said = eyebrow.split(" · ")[-1].split(", ") if colour != "map" else []
        assert len(said) == len(about) or colour == "map", eyebrow


def test_every_widget_of_the_notebooks_that_waits_on_its_demo_page_has_a_flip_book():
    books = script("flipbooks")
    code = "\n".join(p.read_text(encoding="utf-8") for p in DOCS.parent.glob("notebooks/src/*.py"))
    waiting = [d.code for page in PAGES for d in page.demos if "widgets.later(" in d.code]
    made = [re.search(r"widgets\.later\(.*, (\S+)\)$", code)[1] for code in waiting]
    called = [n for n in made if f"widgets.{n.split('.')[-1]}(" in code or n in books.LATER]
    assert sorted(called) == sorted(books.LATER)
    for name, call in books.LATER.items():
        assert name.removeprefix("widgets.") in call
    assert all(f"\n{call}\n" in code for call in books.LATER.values())
    for name, control in (*books.EACH, *books.ALSO):  # both are still called so
        made = inspect.getsource(getattr(widgets, name))
        named = {control, books.EACH.get((name, control), control)}
        assert all(f" {each}=" in made or f"({each}=" in made for each in named), (name, named)


def test_every_picture_says_what_is_on_it(folder):
    for path in folder.glob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert [tag for tag in re.findall(r"<img\b[^>]*>", text) if "alt=" not in tag] == [], path


def test_living_figures_live_in_the_lesson_and_on_the_first_page(folder):
    lesson = (folder / "05_latent_variables_and_elbo.html").read_text(encoding="utf-8")
    first = (folder / "index.html").read_text(encoding="utf-8")
    assert lesson.count('<div id="living-') == lesson.count("el.end = render(") == 1
    assert [name for name in site.LIVING if f'<div id="{name}">' in first] == list(site.LIVING)
    assert first.count("<section>") == len(site.LIVING)
    assert first.count("el.end = render(") == 1 + len(site.LIVING)  # the opening stage, and these
    assert first.count('"autoplay": true') == 1
    for name in re.findall(r'src="(\w+)\.data\.js"', first):
        assert "globalThis.living_" in (folder / f"{name}.data.js").read_text()[:40]


def test_the_librarys_pages_draw_their_formulas(tmp_path):
    site.write_api(tmp_path, "genlab.core")
    page = tmp_path / "api/genlab/core/stats.html"
    text = page.read_text(encoding="utf-8")
    assert text.count("<math") > 5
    styles = re.findall(r'href="([^"]*math\.css)"', text)
    assert [(page.parent / s).resolve() for s in styles] == [tmp_path.resolve() / "math.css"]
    (home,) = re.findall(r'<p class="home"><a href="(.*?)"', text)
    assert (page.parent / home).resolve() == tmp_path.resolve() / "index.html"
    above = (tmp_path / "api/genlab/core.html").read_text(encoding="utf-8")
    inside = above.partition('<div class="inside">')[2].partition("</main>")[0]
    assert 'href="core/stats.html"' in inside  # where a phone shows it
    assert 'class="inside"' not in text
    assert f'src="{home.removesuffix("index.html")}page.js"' in text


def test_the_search_knows_every_page_and_its_words(folder):
    text = (folder / "pages.js").read_text(encoding="utf-8")
    pages = json.loads(re.fullmatch(r"const PAGES = (.*);\n", text)[1])
    assert {page["href"].partition("#")[0] for page in pages} == {
        p.name for p in folder.glob("*.html") if p.name != "index.html"
    }
    assert any("posterior" in page["text"] and "<" not in page["title"] for page in pages)
    parts = [page for page in pages if page["title"].startswith("05")]
    headings = [page.get("section") for page in parts]
    assert headings[0] is None
    assert "Predict first" in headings
    assert all("\N{PILCROW SIGN}" not in heading for heading in headings[1:])


def test_an_excerpt_reads_as_the_page_does():
    assert (
        site.plain("<p>A <b>GAN</b>, or <a href='x'>one</a>.</p><p>Two</p>") == "A GAN, or one. Two"
    )


def test_closing_bars_keep_their_size_under_a_power():
    for bar in (r"\bigr\rVert", r"\Big \rVert", r"\Biggr\rVert"):
        latex = rf"\bigl\lVert x{bar}^2"
        assert site.formula(latex) == site.formula(latex.replace("^", "{}^"))


def test_pages_for_a_class_hold_no_answer_no_hint_and_no_way_to_a_solution():
    waiting = {"data": {"text/plain": "[08.js-of-thirds] not attempted"}}
    for_all = site.to_do(waiting, "08_wgan_gradient_penalty")
    assert "data-known" in for_all
    assert 'href="solution_08_wgan_gradient_penalty.html#08.js-of-thirds"' in for_all
    assert for_all.count('class="hint"') == 3
    for_class = site.to_do(waiting, "08_wgan_gradient_penalty", answers=False)
    assert not any(part in for_class for part in ("data-known", "href", "hint"))


def test_the_source_of_a_page_shows_neither_an_answer_nor_a_mistake():
    shown = site.to_do({"data": {"text/plain": "[12.shortcut] not attempted"}}, "no page")
    task = find_exercise("12.shortcut")
    assert not any(f"{m.says}" in shown for m in task.mistakes)
    assert "1.72" not in shown


def test_an_f_with_a_prime_gets_room_and_other_letters_do_not():
    assert 'class="leans"' in site.formula("f'(z)")
    assert "leans" not in site.formula(r"g'(z) + f_\theta")
