"""The course as a river on the first page, and the three proofs beneath it."""

import json
import re
from itertools import pairwise

import pytest
from scripts import script

from genlab.map import FRONTIER, LESSONS, SYSTEMS, lit

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("site")]
LINKS = """() => [...document.querySelectorAll("main a")].map((a) => a.getAttribute("href"))
    .filter((href) => /^\\w+\\.html$/.test(href))"""
STATIONS = """() => [...document.querySelectorAll(".river > li > a")].map((a) => {
    const { left, top, width, height } = a.querySelector(".node").getBoundingClientRect();
    return { href: a.getAttribute("href"), family: a.dataset.family,
        x: left + width / 2, y: top + height / 2 };
})"""
ENDS = """() => [...document.querySelectorAll(".river .strand.on")].map((path) => {
    const box = path.getBoundingClientRect();
    return [path.dataset.family, box.top, box.bottom, box.left];
})"""


@pytest.fixture(scope="module")
def first(browser, tmp_path_factory):
    """The first page of the whole course in a window, and what went wrong in it."""
    folder, site = tmp_path_factory.mktemp("river"), script("site")
    rows = list(site.found_notebooks())
    site.copy_assets(folder)
    for weights in folder.glob("*.data.js"):  # no network computes beside the river
        weights.unlink()
    (folder / "index.html").write_text(site.landing(rows), encoding="utf-8")
    context = browser.new_context(viewport={"width": 1400, "height": 900}, offline=True,
                                  reduced_motion="reduce")  # fmt: skip
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((folder / "index.html").as_uri())
    page.rows = rows
    yield page
    context.close()
    assert errors == []


def test_the_river_leads_to_every_notebook_once_and_its_stations_stand_in_order(first):
    names = [name for _, name, _ in first.rows if not name.startswith("solution_")]
    assert len(names) == len(LESSONS) + len(SYSTEMS) + len(FRONTIER)
    links = first.locator(".river a").evaluate_all("all => all.map((a) => a.getAttribute('href'))")
    assert sorted(links) == sorted(f"{name}.html" for name in names)
    for width in (1400, 400):
        first.set_viewport_size({"width": width, "height": 900})
        stations, ends = first.evaluate(f"() => [({STATIONS})(), ({ENDS})()]")  # of one moment
        assert [int(s["href"][:2]) for s in stations] == list(LESSONS)
        assert [s["y"] for s in stations] == sorted(s["y"] for s in stations)
        assert max(s["x"] for s in stations) - min(s["x"] for s in stations) < 1  # one line
        for above, below in pairwise(stations):  # a strong strand joins two
            n = int(above["href"][:2])
            between = [e for e in ends if abs(e[1] - above["y"]) < 4 and abs(e[2] - below["y"]) < 4]
            assert len(between) == len(set(lit(n)) & set(lit(n + 1)))
        assert first.evaluate("document.documentElement.scrollWidth") == width
    first.set_viewport_size({"width": 1400, "height": 900})


AFTER = {  # as docs/contents.md and the labs' first paragraphs have it
    "language_model": "02", "predict_the_large_run": "03", "flow_density_estimator": "04",
    "stylegan": "07", "discrete_and_parallel": "12", "glide": "13", "text_to_video": "13",
    "language_and_image": "13", "flow_matching": "13", "speedrun": "13", "latent_diffusion": "14",
    "few_step": "flow_matching",
}  # fmt: skip


def test_an_island_hangs_where_its_last_prerequisite_stands(first):
    above = """(a) => a.parentElement.parentElement.parentElement.querySelector(":scope > a")
        .getAttribute("href")"""
    islands = first.locator(".islands a")
    found = {}
    for k in range(islands.count()):
        href = islands.nth(k).get_attribute("href").removesuffix(".html")
        found[href] = re.sub(r"^(\d\d)_.*", r"\1", islands.nth(k).evaluate(above)[:-5])
    assert found == AFTER


def test_what_a_reader_has_answered_fills_the_stations(first):
    asks = json.loads(first.locator(".river a").nth(0).get_attribute("data-asks"))
    keep = "([ids, prefix]) => ids.forEach((id) => localStorage.setItem(prefix + id, '0'))"
    first.evaluate(keep, [asks, "genlab:"])
    first.evaluate(keep, [["quiz.2.1"], "genlab:"])
    first.reload()
    assert first.locator(".river .done").count() == first.locator(".river .begun").count() == 1
    assert first.locator(".river .done").get_attribute("href").startswith("01")
    following = first.locator(".river [aria-current='step']")
    assert following.get_attribute("href").startswith("02")
    assert re.search(r"1 of \d+ answered", following.inner_text())
    first.evaluate("localStorage.clear()")


def test_each_proof_lives_with_the_keyboard_alone(first):
    first.reload()
    red = first.locator(".proofs .red:visible")
    assert red.count() == 0
    for k in range(2):
        box = first.locator(".proofs input[type=checkbox]").nth(k)
        box.focus()
        first.keyboard.press("Space")
        assert red.count() == 1
        first.keyboard.press("Space")
    answer, says = first.locator(".proofs .line"), first.locator(".proofs output")
    assert "the ceiling" in says.inner_text()
    answer.fill("0.4621")  # of three outcomes one is shared: 2/3 of log 2
    answer.press("Enter")
    assert "Right" in says.inner_text()
    answer.fill("0.6931")
    answer.press("Enter")
    assert "the ceiling" in says.inner_text()
    first.evaluate("localStorage.clear()")
