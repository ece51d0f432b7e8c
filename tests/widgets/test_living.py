"""Living figures as widgets: one module each, a still picture, settings that a notebook may set.

What they compute and how they move is tested in a browser (tests/browser/living)."""

import base64
import json
from pathlib import Path

import pytest

from genlab.zoo import find
from genlab_course import widgets
from genlab_course.widgets import living
from tests.browser.living import replay

ROOT = Path(__file__).resolve().parents[2]


def load_bytes(name):
    """The shipped file of a model."""
    return find(name).path.read_bytes()


@pytest.mark.parametrize("name", living.NAMES)
def test_a_figure_is_one_module_with_a_still_golden_numbers_and_three_mistakes(name):
    text = living.source(name)
    assert "import " not in text
    assert text.count("export const {") == text.count("export default") == 1
    assert living.still(name).startswith(b"\x89PNG")
    assert len(living.still(name)) < 120_000
    assert callable(replay.golden(name).expected)
    assert len(replay.mistakes(name)) >= 3
    assert widgets.FIGURES[name] == "living"


def test_a_notebook_that_is_read_shows_the_still_and_says_how_to_move_it():
    figure = widgets.kl_fit(mean=2.0)
    data, more = figure._repr_mimebundle_()
    assert data["text/plain"].startswith("Still picture of kl_fit.")
    assert "application/vnd.jupyter.widget-view+json" in data
    assert more["living"] == {"name": "kl_fit", "settings": {"mean": 2.0}}


def test_a_network_travels_in_the_figure_and_not_in_the_stored_output():
    figure = widgets.digits_live()
    assert figure.data == load_bytes("mnist16_diffusion")
    assert len(str(figure._repr_mimebundle_())) < 200_000
    assert widgets.kl_fit().data == b""


def test_a_page_without_a_kernel_holds_the_settings_and_nothing_from_elsewhere():
    page = living.page("kl_fit", "here", settings={"mean": 2.0})
    assert '"mean": 2.0' in page
    assert "http" not in page


def test_settings_that_a_figure_has_not_are_named():
    said = r"kl_fit has no setting 'maen', 'wide'; there are: shape, mean, width, minimise, steps"
    with pytest.raises(ValueError, match=said):
        widgets.kl_fit(wide=1.0, maen=2.0, mean=0.0)
    with pytest.raises(ValueError, match=said):
        living.page("kl_fit", "here", settings={"maen": 2.0, "wide": 1.0})
    assert "from" in widgets.latent_walk(**{"from": [0.0, 0.0]}).settings


def test_unknown_figures_are_named():
    with pytest.raises(ValueError, match=r"no living figure 'kl'; there are: .*kl_fit"):
        living.source("kl")


def test_the_notebooks_hold_the_stills_that_ship():
    shown = 0
    for path in sorted(ROOT.glob("notebooks/**/*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            for output in cell.get("outputs", []):
                if "living" in output.get("metadata", {}):
                    name = output["metadata"]["living"]["name"]
                    stored = base64.b64decode("".join(output["data"]["image/png"]))
                    assert stored == living.still(name), (
                        f"{path.name}: python docs/stills.py {name}"
                    )
                    shown += 1
    assert shown == len(living.NAMES) + 1  # and the opening stage
