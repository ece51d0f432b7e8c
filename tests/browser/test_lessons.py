"""Every lesson works for a reader: it runs, shows its maths, answers the keys and stays offline.

The same inspection is made of two small notebooks, a good one and one with every fault, so that it
is known to see them."""

import os
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import jupytext
import nbformat
import pytest

from genlab_course.widgets import living
from tests.browser import lab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("lab")]

FIRST = [None] * 12  # on the first control: one step each, for the median
OTHERS = ["Home", "End", None]  # on the others: from end to end, or two options further
LESSONS = sorted((lab.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
LABS = [
    p
    for kind in ("systems", "frontier")
    for p in sorted((lab.ROOT / "notebooks" / kind).glob("*.ipynb"))
]

BAD = """\
# %% [markdown]
# Maths that cannot be read: $$\\frac{1}$$ and maths that never ends: `x` $$ x^2

# %%
from IPython.display import HTML
HTML("<img src='http://192.0.2.1/picture.png'>")

# %%
import ipywidgets
import matplotlib.pyplot as plt
from genlab_course import widgets

# %%
figure, axes = plt.subplots(figsize=(4, 2))
dead = ipywidgets.FloatSlider(description="dead", max=1)
widgets.explore(figure, lambda dead: None, dead=dead)

# %%
raise ValueError("broken on purpose")
"""


@dataclass
class Inspection:
    """What was seen of one notebook."""

    seconds: float = 0.0
    n_formulas: int = 0
    n_controls: int = 0
    n_questions: int = 0
    faults: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)  # ms from key to picture

    def row(self, name):
        """Return the line of the table."""
        d = self.delays
        ms = f"{min(d):.0f}, {statistics.median(d):.0f}, {max(d):.0f}" if d else "none"
        counts = f"{self.n_formulas:>8}  {self.n_controls:>8}  {self.n_questions:>4}"
        return f"{name:<32}  {self.seconds:>9.1f}  {counts}  {ms}"


def inspect(page, server, path, before=lambda: None):
    """Open the notebook `path`, run it, move every control, answer its quiz; return what it saw.

    What a learner does `before` it runs is done first.
    """
    seen, lesson = Inspection(), lab.Lesson(page, server, path)
    before()
    start = time.perf_counter()
    lesson.run_all()
    seen.seconds = time.perf_counter() - start
    save_picture(page, f"{Path(path).stem}_run")

    seen.faults += [f"a cell shows an error: {error}" for error in lesson.cell_errors()]
    seen.n_formulas, n_unreadable = lesson.maths()
    seen.faults += ["no maths is rendered"] * (seen.n_formulas == 0)
    seen.faults += ["MathJax cannot read a formula"] * (n_unreadable > 0)
    seen.faults += ["raw $$ in the text"] * ("$$" in lesson.prose())

    text = (server.root / path).read_text(encoding="utf-8")
    n_living = sum(text.count(f"widgets.{name}(") for name in living.NAMES)
    figures = page.locator(".genlab-living:has(canvas)")
    if n_living != figures.count():
        seen.faults.append(f"{figures.count()} living figures of {n_living}")
    elif n_living:
        seen.faults += living_faults(page, figures.first)

    names = lesson.controls()
    wanted = lab.draws(text)
    seen.faults += ["no slider or drop-down moves a picture"] * (wanted and not names)
    for k, name in enumerate(names):
        lesson.watch(k)
        pictures = {lesson.picture()}
        for key in FIRST if k == 0 else OTHERS:
            delay = press(lesson, key)
            seen.delays += [delay] if k == 0 and delay else []
            pictures.add(lesson.picture())
        seen.faults += [f"the picture does not follow {name!r}"] * (len(pictures) == 1)
        save_picture(page, f"{Path(path).stem}_moved_{k}")
        lesson.put_back()

    seen.n_controls = len(names)
    n_questions, n_explained = lesson.answer_quiz()
    seen.faults += ["a question of the quiz does not answer"] * (n_explained < n_questions)
    seen.n_questions = n_questions

    seen.faults += [f"the page asked another machine: {url}" for url in lesson.outside]
    seen.faults += [f"the console shows an error: {text}" for text in lesson.errors]
    return seen


def living_faults(page, figure):
    """What is wrong when a key moves the first slider of a living figure, which has a kernel."""
    slider, canvas = figure.locator("input[type=range]").first, figure.locator("canvas").first
    active = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    picture = lambda: canvas.evaluate("canvas => canvas.toDataURL()")
    slider.scroll_into_view_if_needed()
    slider.focus()
    before = page.evaluate(active), slider.input_value(), picture()
    for key in ("ArrowLeft", "ArrowLeft"):
        slider.press(key)
    for _ in range(20):
        page.wait_for_timeout(250)
        after = page.evaluate(active), slider.input_value(), picture()
        if before[2] != after[2]:
            break
    faults = ["a key on a living figure moved the notebook"] * (before[0] != after[0])
    faults += ["a key did not move a living figure's slider"] * (before[1] == after[1])
    return faults + ["a living figure did not follow its slider"] * (before[2] == after[2])


def press(lesson, key=None):
    """Press a key, and let the page come to rest before the next one."""
    delay = lesson.press(key)
    lesson.page.wait_for_timeout(150)
    return delay


def save_picture(page, name):
    """Save the page as a picture in the folder that GENLAB_SCREENSHOTS names, if it does."""
    if folder := os.environ.get("GENLAB_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder, f"{name}.png")))


@pytest.mark.tour  # one, with a learner's answer, on every change: test_exercises.py
@pytest.mark.parametrize("path", [*LESSONS, *LABS], ids=lambda path: path.stem)
def test_a_lesson_runs_shows_its_maths_answers_and_stays_offline(path, page, server, report_row):
    seen = inspect(page, server, path.relative_to(lab.ROOT).as_posix())
    report_row(seen.row(path.stem))
    assert seen.faults == []
    assert seen.n_questions >= 5, "every lesson ends with a quiz of five to eight questions"


def small_notebook(server, name, text):
    """Write a notebook of the cells `text` into the folder that the server shows."""
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, server.root / f"{name}.ipynb")
    return f"{name}.ipynb"


def test_the_inspection_sees_each_fault(page, server):
    faults = inspect(page, server, small_notebook(server, "bad", BAD)).faults
    for says in (
        "a cell shows an error: ValueError: broken on purpose",
        "MathJax cannot read a formula",
        "raw $$ in the text",
        "the picture does not follow 'dead'",
        "the page asked another machine: http://192.0.2.1/picture.png",
        "the console shows an error",
    ):
        assert any(fault.startswith(says) for fault in faults), (says, faults)
