"""The film strip: other words, other noise, other frames; and words that it does not know."""

import dataclasses

import pytest
import torch

from genlab import widgets
from genlab.systems import load_model
from genlab.systems.text_to_video_models import Recipe, film_maker
from genlab.widgets.film_strip import ALONE, SHARED, canvas


@pytest.fixture(scope="module")
def explorer():
    torch.set_default_dtype(torch.float32)
    maker = film_maker(dataclasses.replace(Recipe(), width=8, d_text=8)).eval()
    for p in maker.parameters():
        p.data += 0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    return widgets.film_strip(maker)


@pytest.mark.parametrize(
    "moved",
    [{"frame": 5}, {"seed": 3}, {"how": ALONE}, {"how": SHARED}, {"prompt": "A blue two turning."}],
)
def test_each_control_changes_the_picture(explorer, moved):
    start = {"frame": 0, "seed": 1, "how": "together", "prompt": "a red seven moving left"}
    explorer.set(**start)
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before
    explorer.set(**start)
    assert explorer.picture == before


def test_another_language_is_refused_politely(explorer):
    explorer.set(prompt="a red seven moving left")
    before = explorer.picture
    explorer.set(prompt="a <b>pink</b> elephant")
    assert "another language" in explorer.text
    assert "<b>pink" not in explorer.text
    assert explorer.picture == before
    explorer.set(prompt="a red seven moving left")
    assert "unexplained" in explorer.text


def test_frames_stand_side_by_side():
    film = torch.rand(3, 2, 4, 4)
    picture = canvas(film)
    torch.testing.assert_close(picture[:, :4], film[:, 0].permute(1, 2, 0))
    torch.testing.assert_close(picture[:, 5:], film[:, 1].permute(1, 2, 0))
    assert picture[:, 4].min() == 1


@pytest.mark.slow
@pytest.mark.parametrize("motion", ["left", "right", "up", "down"])
def test_so_few_steps_lose_no_motion(motion):
    """The shipped model, three seeds: what is measured in the film is what the caption says."""
    torch.set_default_dtype(torch.float32)
    shipped = widgets.film_strip(load_model("text_to_video"), f"a red seven moving {motion}")
    for seed in (1, 2, 3):
        shipped.set(seed=seed)
        assert f"Measured: moving {motion}." in shipped.text
