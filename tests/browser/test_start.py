"""The start page of `make lab` in a real JupyterLab: lesson 01, as a copy, is one click away."""

import shutil

import pytest

from genlab.course import copies
from genlab.course.start import write_start
from tests.browser import lab
from tests.browser.test_lessons import save_picture

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("small notebooks")]


def test_the_start_page_leads_to_ones_own_copy_of_lesson_01(page, server):
    mine = server.root / "my"
    shutil.copytree(lab.ROOT / "docs/images", server.root / "docs/images", dirs_exist_ok=True)
    write_start(mine, copies.prepare(mine))
    start = lab.Lesson(page, server, "my/START.ipynb")
    first = page.locator(".jp-RenderedMarkdown a", has_text="01 The four-paradigm map").first
    page.wait_for_function("() => document.querySelector('.jp-RenderedMarkdown img').naturalWidth")
    save_picture(page, "start")
    first.click()
    page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.context?.path"
        " === 'my/01_four_paradigm_map.ipynb'",
        timeout=30_000,
    )
    assert (start.outside, start.errors) == ([], [])
