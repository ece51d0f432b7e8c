"""One JupyterLab, one site and one Chromium for all, and the table of what was measured.

`make browser` gives the tests of one group to one worker: its JupyterLab, its site is begun once.
"""

import pytest
from scripts import script

from genlab_course.widgets import living
from tests.browser import lab

ROW = "row of the table of lessons"


class Table:
    """Gathers the rows from all workers and prints them when the session ends."""

    def __init__(self):
        self.rows = []

    def pytest_runtest_logreport(self, report):
        """Keep the row of a lesson that was inspected."""
        if report.when == "call":
            self.rows += [value for name, value in report.user_properties if name == ROW]

    def pytest_terminal_summary(self, terminalreporter):
        """Print one line a lesson."""
        if self.rows:
            terminalreporter.section("lessons in the browser")
            counts = "run all s  formulas  controls  quiz"
            heading = f"{'lesson':<32}  {counts}  key to picture, ms (min, median, max)"
            terminalreporter.write_line("\n".join([heading, *sorted(self.rows)]))


def pytest_configure(config):
    """Print the table in the process that the reader sees, not in the workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Table())


LONGEST = ("test_lessons", "test_exercises")  # half a minute and more each


def pytest_collection_modifyitems(items):
    """Begin with the longest, or one worker ends minutes after the others."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture
def report_row(record_property):
    """Give a line to the table that is printed at the end."""
    return lambda line: record_property(ROW, line)


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium."""
    if not lab.CHROMIUM.exists():
        pytest.skip(f"no {lab.CHROMIUM}: install Chromium, or name one in GENLAB_CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=str(lab.CHROMIUM), headless=True, args=lab.FLAGS
        )
        yield chromium
        chromium.close()


ALSO = ("05_", "09_", "solution_03_")  # formulas of their own, the map, answers


@pytest.fixture(scope="session")
def folder(browser, tmp_path_factory):
    """The site of the notebooks of the standard and a few others: written once, read by all."""
    from tests.browser.test_pages import HELD

    folder, site = tmp_path_factory.mktemp("site"), script("site")
    read = HELD.union(living.STICKY.values())
    rows = [row for row in site.found_notebooks() if row[1] in read or row[1].startswith(ALSO)]
    site.write_site(folder, rows, ("glossary", "cheatsheet"))
    return folder


@pytest.fixture(scope="session")
def server(browser, tmp_path_factory):
    """A JupyterLab that serves a copy of the notebooks."""
    with lab.server(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture
def page(browser, server):
    """A new page in a window of its own; the kernels that it started end with it."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    yield context.new_page()
    context.close()
    server.stop_kernels()
