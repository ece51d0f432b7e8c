"""The instructor's pages in a real browser: pictures that follow the keys, and no other machine."""

import statistics
import subprocess
import time
import urllib.request

import pytest

from genlab_course import demos
from tests.browser import lab
from tests.browser.test_lessons import press, save_picture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("demo")]

# Of each widget: how far below its question's top it ends.
REACH = """() => {
    const top = (e) => e.getBoundingClientRect().top;
    const questions = [...document.querySelectorAll('.jp-MarkdownCell')].slice(1);
    return [...document.querySelectorAll('.jp-CodeCell:not(.jp-mod-noOutputs)')].map((cell, k) =>
        cell.getBoundingClientRect().bottom - top(k ? questions[k] : document.querySelector('h1')));
}"""
READY = demos.ready()
FIRST, OTHERS = 6, 2  # steps of the first control, for the median, and of each other
TOKEN = "of-this-test"


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory):
    """The address of a Voila server of our own."""
    pytest.importorskip("voila", reason="Voila is not installed")
    folder, port = tmp_path_factory.mktemp("demo") / "site", lab._free_port()
    demos.write_demos(folder)
    places = {f"JUPYTER_{k}_DIR": str(folder.parent / k) for k in ("CONFIG", "RUNTIME")}
    environment = {**demos.voila_environment(folder, TOKEN), **places, "PYTHONPATH": str(lab.ROOT)}
    with (folder.parent / "server.log").open("w") as log:
        command = demos.voila_command(folder, port)
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}/"
        ask = lambda: urllib.request.urlopen(f"{url}?token={TOKEN}", timeout=10)
        lab.wait_until_up(ask, process, folder.parent / "server.log")
        yield url
    finally:
        process.terminate()
        process.wait(15)


@pytest.fixture
def window(browser, address):
    """A page of the size of a projector, which has been let in."""
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    shown = lab.Window(context.new_page())
    shown.page.goto(f"{address}?token={TOKEN}")
    yield shown
    context.close()


def move(window, k):
    """Move control k some steps; return the pictures that were seen, and the ms to each new one."""
    window.watch(k)
    pictures, delays = {window.picture()}, []
    for _ in range(OTHERS if k else FIRST):
        delays += filter(None, [press(window)])
        pictures.add(window.picture())
    window.put_back()
    return pictures, delays


SOON = ("01", "05", "glide")  # the rest: `make tour`
EVERY = [
    pytest.param(demo, id=demo.name, marks=[pytest.mark.tour] * (not demo.name.startswith(SOON)))
    for demo in READY
]


@pytest.mark.parametrize("demo", EVERY)
def test_a_page_shows_pictures_and_no_code_and_follows_the_keys(window, address, demo, report_row):
    start = time.perf_counter()
    window.page.goto(f"{address}voila/render/{demo.name}.ipynb", timeout=240_000)
    moves = any(lab.draws(part.code) for part in demo.demos)
    place = "img" if moves else ":is(textarea, canvas)"
    window.page.wait_for_selector(f"#rendered_cells {place}", timeout=240_000)
    seconds = time.perf_counter() - start
    window.page.wait_for_timeout(500)  # the other pictures and the maths are still being drawn
    assert window.page.locator("h1").inner_text() == demo.title
    assert window.page.locator(".jp-CodeMirrorEditor, .highlight").count() == 0
    assert window.page.locator(".jp-RenderedText[data-mime-type*=stderr]").count() == 0

    read = all("release" in part.code or "clinic" in part.code for part in demo.demos)
    assert read or max(window.page.evaluate(REACH)) <= 1080  # a question and its widget, together

    if not moves:  # words (tests/widgets/test_releases.py), or no kernel (tests/browser/living)
        assert (window.outside, window.errors) == ([], [])
        return
    names = window.controls()
    assert names, "no slider or drop-down moves a picture"
    first, *others = [move(window, k) for k in range(len(names))]
    pictures, delays = first
    save_picture(window.page, f"demo_{demo.name}")
    assert len(pictures) > 1, f"the picture does not follow {names[0]!r}"
    ms = f"{min(delays):.0f}, {statistics.median(delays):.0f}, {max(delays):.0f}"
    medians = [(statistics.median(d), n) for (_, d), n in zip(others, names[1:], strict=True) if d]
    ms += "; slowest other: {1} {0:.0f}".format(*max(medians)) if medians else ""
    n_formulas, n_unreadable = window.maths()
    counts = f"{n_formulas:>8}  {len(names):>8}  {0:>4}"
    report_row(f"{'demo ' + demo.name:<32}  {seconds:>9.1f}  {counts}  {ms}")
    assert (n_unreadable, window.outside, window.errors) == (0, [], [])
