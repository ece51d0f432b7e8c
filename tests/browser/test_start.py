"""The front door: `make lab`, its start page, the copies that it opens, and a terminal."""

import contextlib
import json
import shutil

import pytest

from genlab_course.copies import prepare
from genlab_course.places import shipped
from tests.browser import lab
from tests.browser.test_lessons import save_picture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("lab")]

CLEAN = "() => window.jupyterapp.shell.currentWidget.context.model.dirty === false"
SHOWN = "path => window.jupyterapp.shell.currentWidget?.context?.path === path"
BUTTON = """() => [
    getComputedStyle(document.querySelector('.jp-OutputArea a')).backgroundColor,
    getComputedStyle(document.querySelector('.jp-OutputArea h3 + div')).display]"""
# What stands on the screen of the terminal, its lines joined: a narrow window breaks them.
SCREEN = """() => {
    const buffer = window.jupyterapp.shell.currentWidget.content._term?.buffer.active;
    const length = buffer?.length ?? 0; // it comes after its tab
    return Array.from({length}, (_, k) => buffer.getLine(k).translateToString(true))
        .join('');
}"""


def test_the_start_page_leads_to_ones_own_copy_of_lesson_01_and_its_command_works(page, server):
    mine = server.root / "my"
    start = lab.Lesson(page, server, "my/START.ipynb")
    first = page.locator(".jp-OutputArea a", has_text="01 The four-paradigm map").first
    page.wait_for_function("() => document.querySelector('.jp-OutputArea img')?.naturalWidth")
    page.wait_for_timeout(1000)  # what would pop up or be changed on opening
    save_picture(page, "start")
    assert page.locator(".Toastify__toast").count() == 0
    assert page.evaluate(CLEAN), "the start page opens as if it were not saved"
    first.click()
    page.wait_for_function(SHOWN, arg="my/01_four_paradigm_map.ipynb", timeout=30_000)
    page.wait_for_function(lab.KERNEL_IS_IDLE, timeout=60_000, polling=200)
    page.wait_for_timeout(1000)
    assert page.evaluate(CLEAN), "a lesson opens as if it were not saved"
    assert (start.outside, start.errors) == ([], [])
    assert "`genlab reset 04`" in (mine / "START.ipynb").read_text(encoding="utf-8")
    page.evaluate(
        "async () => { await window.jupyterapp.commands.execute('terminal:create-new'); }"
    )
    page.wait_for_function(f"() => ({SCREEN})().trim().length > 0", timeout=20_000)
    page.locator(".jp-Terminal .xterm-helper-textarea").focus()
    page.keyboard.type("genlab reset 04; echo done: $?\n")
    page.wait_for_function(f"() => /done: \\d/.test(({SCREEN})())", timeout=60_000)
    assert "done: 0" in page.evaluate(SCREEN), page.evaluate(SCREEN)
    kept = list((mine / "backups").glob("04_*.ipynb"))
    assert len(kept) == 1


OPEN = "() => [...document.querySelectorAll('.jp-SideBar .lm-mod-current')].map(e => e.dataset.id)"


def test_the_contents_are_open_at_the_first_start_and_stay_as_one_leaves_them(page, server):
    door, there = f"{server.url}/?token={server.token}", ".jp-NotebookPanel .jp-Cell"
    page.goto(door)
    page.wait_for_selector(there, timeout=60_000)
    page.wait_for_function(f"() => ({OPEN})().includes('table-of-contents')", timeout=20_000)
    page.locator(".jp-TableOfContents", has_text="One map, and likelihood").first.wait_for()
    cards = page.locator(".jp-OutputArea a img")
    assert cards.count() == len(shipped())
    assert page.evaluate(BUTTON) == ["rgb(0, 114, 178)", "flex"], "the sanitiser took the styles"
    page.locator(".jp-SideBar [data-id='filebrowser']").click()
    page.wait_for_function(f"() => ({OPEN})().includes('filebrowser')")
    page.wait_for_timeout(3000)  # until it is kept
    page.goto(door)
    page.wait_for_selector(there, timeout=60_000)
    page.wait_for_function(f"() => ({OPEN})().includes('filebrowser')", timeout=20_000)


def test_a_copy_that_jupyterlab_has_saved_is_renewed_by_the_next_update(page, server, tmp_path):
    mine, name = server.root / "my", "02_autoregressive.ipynb"
    lab.Lesson(page, server, f"my/{name}")
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:hide-all-cell-code')")
    for _ in range(100):
        with contextlib.suppress(json.JSONDecodeError):  # read while it is being written
            cells = json.loads((mine / name).read_text(encoding="utf-8"))["cells"]
            if any(cell["metadata"].get("jupyter", {}).get("source_hidden") for cell in cells):
                break
        page.wait_for_timeout(200)
    else:
        pytest.fail("JupyterLab has not saved what was hidden")

    update = shutil.copytree(lab.ROOT / "notebooks", tmp_path / "notebooks")
    newer = json.loads((update / name).read_text(encoding="utf-8"))
    newer["cells"][0]["source"] = "# A newer version"
    (update / name).write_text(json.dumps(newer), encoding="utf-8")
    assert prepare(mine, update).renewed == (name,)
    assert "# A newer version" in (mine / name).read_text(encoding="utf-8")
