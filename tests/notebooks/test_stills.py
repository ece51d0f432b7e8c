"""What a stored notebook shows where nothing runs: pictures and questions, and no raw reprs."""

import base64
import io

import matplotlib.pyplot as plt
import nbformat
import pytest

from tests.notebooks import build
from tests.notebooks.test_build import run_build

pytestmark = pytest.mark.slow

TEXT = """\
# %%
import ipywidgets
import matplotlib.pyplot as plt
from genlab_course import widgets

# %%
figure, axes = plt.subplots(figsize=(4, 2))
(line,) = axes.plot([0, 1], [0, 1])
slope = ipywidgets.FloatSlider(description="slope", value=1, max=2)
widgets.explore(figure, lambda slope: line.set_ydata([0, slope]), slope=slope)

# %%
widgets.quiz(3)
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """The outputs of each cell but the first, as stored by the build."""
    source = tmp_path_factory.mktemp("stills") / "src/small.py"
    source.parent.mkdir()
    source.write_text(TEXT)
    assert run_build(source) == (0, "")
    _, *cells = nbformat.read(build.notebook_path(source), as_version=4).cells
    return [cell.outputs for cell in cells]


def pixels(data):
    return plt.imread(io.BytesIO(base64.b64decode(data["image/png"])), format="png")


def test_a_figure_with_controls_is_its_picture_and_says_that_it_can_be_run(outputs):
    (output,) = outputs[0]
    assert set(output.data) == {"text/plain", "image/png"}
    assert output.data["text/plain"] == "Still picture. Run this cell to move: slope."
    height, width, _ = pixels(output.data).shape
    assert width == 2 * output.metadata["image/png"]["width"] == 640  # sharp on any screen
    assert height > 320  # a line of words stands below the figure


def test_a_quiz_is_its_questions_and_gives_no_answer_away(outputs):
    from genlab_course import questions

    (output,) = outputs[1]
    assert set(output.data) == {"text/plain", "text/markdown"}
    text = output.data["text/markdown"]
    for question in questions(3):
        assert question.text in text
        assert all(f" {option.text}" in text for option in question.options)
        assert not any(option.why in text for option in question.options)
    assert "Right" not in text
