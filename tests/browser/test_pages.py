"""The pages of the site as a reader meets them: what is answered in them, and how they are set."""

import importlib.util
import sys

import numpy as np
import pytest

from genlab_course.grading import all_exercises, assess
from tests.browser import lab

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DOCS = lab.ROOT / "docs"


def module(name):
    """Return a script of docs, as a module."""
    pytest.importorskip("math_core", reason="the extra 'site' is not installed")
    if str(DOCS) not in sys.path:
        sys.path.append(str(DOCS))  # at the end: its site.py is not Python's
    spec = importlib.util.spec_from_file_location(f"{name}_of_docs", DOCS / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


NINE = {  # the notebooks of the standard; a rebuilt page is struck from LATER and comes here
    "02_autoregressive", "12_diffusion_i", "15_four_paradigm_landscape", "latent_diffusion",
    "discrete_and_parallel", "few_step", "flow_matching", "predict_the_large_run", "speedrun",
}  # fmt: skip
LATER = {  # not yet
    "01_four_paradigm_map", "03_maximum_likelihood_and_kl", "04_normalizing_flows",
    "05_latent_variables_and_elbo", "06_vae_in_practice", "07_gans_minimax",
    "08_wgan_gradient_penalty", "09_evaluation", "10_energy_based_models", "11_score_matching",
    "13_diffusion_ii", "14_score_sdes", "flow_density_estimator", "glide", "language_and_image",
    "language_model", "stylegan", "text_to_video",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(browser, tmp_path_factory):
    """The site of the nine notebooks."""
    folder = tmp_path_factory.mktemp("pages")
    site = module("site")
    rows = list(site.found_notebooks())
    assert {name for _, name, _ in rows if not name.startswith("solution_")} == NINE | LATER
    site.write_site(folder, [row for row in rows if row[1] in NINE], ("cheatsheet",))
    return folder


@pytest.fixture(scope="module")
def reader(browser):
    """A window of a browser without a network, and what went wrong in it."""
    context = browser.new_context(viewport={"width": 1400, "height": 900}, offline=True)
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(f"{page.url}: {error}"))
    yield page
    context.close()


TO_THE_END = """async () => {
    for (let y = 0; y < document.documentElement.scrollHeight; y += 400) {
        scrollTo(0, y);
        await new Promise(requestAnimationFrame);
    }
}"""
MARKS = """() => new Set([...document.querySelectorAll(".contents a")]
    .filter(a => document.getElementById(decodeURIComponent(a.hash.slice(1)))
        ?? document.getElementById(a.hash.slice(1)))).size"""


@pytest.mark.parametrize("name", sorted(NINE))
def test_a_page_is_read_to_its_end_without_an_error(name, folder, reader):
    reader.goto((folder / f"{name}.html").as_uri())
    assert reader.evaluate(MARKS) == reader.locator(".contents a").count() > 5
    reader.evaluate(TO_THE_END)
    assert reader.errors == []


def as_written(answer):
    """Return an answer as a reader gives it to the page: text, or the chosen of a set."""
    if isinstance(answer, str):
        return answer
    values = np.asarray(answer, dtype=float).ravel()
    return ", ".join(repr(float(value)) for value in values)


def test_a_page_judges_every_number_and_choice_as_the_course_does(folder, reader):
    here = module("in_page")
    asked, expected = [], []
    for task in all_exercises():
        kind = here.kind(task)
        if not kind:
            continue
        known = here.entries(task, kind)
        answers = [task.right, *(m.wrong for m in task.mistakes)]
        if kind == "number":
            inside = here.tolerance(task, np.asarray(float(task.right)))
            step = inside.atol + inside.rtol * abs(float(task.right))
            answers += [task.right + k * step for k in (-1.3, -0.8, 0.8, 1.3)]
        for answer in answers:
            given = list(map(str, answer)) if kind == "set" else as_written(answer)
            asked.append([task.id, kind, known, given])
            reply = assess(task, answer)
            expected.append((task.id, given, reply == "right", here.said(reply)))
    assert len({row[0] for row in asked}) > 25
    reader.goto((folder / "12_diffusion_i.html").as_uri())
    replies = reader.evaluate("rows => rows.map((row) => judged(...row))", asked)
    found = [
        (id, given, bool(reply.get("right")), reply["says"])
        for (id, _, _, given), reply in zip(asked, replies, strict=True)
    ]
    for want, got in zip(expected, found, strict=True):
        assert got[:3] == want[:3]
        if "expected answer" not in want[3]:
            assert got[3] == want[3], want
