"""The widget that completes a prompt and draws it."""

import re

import pytest

from genlab import widgets
from genlab.systems.language_and_image_models import Recipe, language_and_image


@pytest.fixture(scope="module")
def explorer():
    model = language_and_image(Recipe(d_model=16, n_layer=1, width=8, mults=(1, 1), seed=3)).eval()
    return widgets.write_and_draw(model.float())


def written(explorer):
    return re.search("“(.*?)”", explorer.text)[1]


def test_what_is_written_begins_with_the_prompt(explorer):
    explorer.set(prompt="a bold cyan", temperature=1.0, guidance=2.0, seed=1)
    assert written(explorer).startswith("a bold cyan ")


def test_no_prompt_is_a_prompt(explorer):
    explorer.set(prompt="", seed=2)
    assert written(explorer)


@pytest.mark.parametrize("moved", [{"prompt": "a blue"}, {"temperature": 0.1}, {"seed": 5}])
def test_each_control_of_the_text_changes_the_picture(explorer, moved):
    explorer.set(prompt="a thin", temperature=10.0, guidance=2.0, seed=1)
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


def test_guidance_changes_what_is_drawn_and_not_what_is_written(explorer):
    explorer.set(prompt="a red", temperature=1.0, guidance=2.0)
    seed = next(s for s in range(31) if (explorer.set(seed=s), "drawn from" in explorer.text)[1])
    text = written(explorer)
    explorer.set(seed=seed, guidance=0.0)
    assert written(explorer) == text


def test_without_an_image_token_nothing_is_drawn_and_the_caption_says_so(explorer):
    """Untrained, one text in five meets the token: some seed does not."""
    explorer.set(prompt="a", temperature=1.0, guidance=2.0)
    found = set()
    for seed in range(12):
        explorer.set(seed=seed)
        found.add("no image token" in explorer.text)
    assert True in found


def test_an_unknown_word_is_named_and_stops_nothing(explorer):
    explorer.set(prompt="a purple")
    assert "'purple'" in explorer.text
    assert "nothing is written" in explorer.text
    explorer.set(prompt="a red")
    assert written(explorer).startswith("a red")
