"""Work is downloaded from a notebook by a click, and put back by a cell."""

import json
import zipfile

import pytest

from genlab_course.demos import as_notebook
from tests.browser import lab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("lab")]


def test_a_click_downloads_the_work_and_a_cell_puts_it_back(page, server):
    mine = server.root / "my"
    cells = [("code", "import genlab_course as course\n\ncourse.download()")]
    (mine / "work.ipynb").write_text(json.dumps(as_notebook(cells)))
    notebook = lab.Lesson(page, server, "my/work.ipynb")
    notebook.run_all()
    with page.expect_download() as waiting:
        page.locator(".jp-OutputArea a[download]").click()
    waiting.value.save_as(mine / "mine.zip")
    assert waiting.value.suggested_filename.startswith("genlab-")
    with zipfile.ZipFile(mine / "mine.zip") as file:
        assert {"work.ipynb", "01_four_paradigm_map.ipynb"} <= set(file.namelist())
    (mine / "01_four_paradigm_map.ipynb").unlink()
    cells = [("code", "import genlab_course as course\n\ncourse.restore('mine.zip')")]
    (mine / "back.ipynb").write_text(json.dumps(as_notebook(cells)))
    back = lab.Lesson(page, server, "my/back.ipynb")
    back.run_all()
    assert (mine / "01_four_paradigm_map.ipynb").is_file()
    assert "put back: 1 notebooks" in page.locator(".jp-OutputArea").inner_text()
    assert notebook.cell_errors() == []
