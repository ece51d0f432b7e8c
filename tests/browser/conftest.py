"""One JupyterLab and one Chromium for all lessons, and the table of what was measured."""

import pytest

from tests.browser import lab

ROWS = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[ROWS] = []


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[ROWS]:
        terminalreporter.section("lessons in the browser")
        counts = "run all s  formulas  controls  quiz"
        heading = f"{'lesson':<32}  {counts}  key to picture, ms (min, median, max)"
        terminalreporter.write_line("\n".join([heading, *config.stash[ROWS]]))


@pytest.fixture(scope="session")
def rows(pytestconfig):
    """Lines of the table that is printed at the end."""
    return pytestconfig.stash[ROWS]


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
