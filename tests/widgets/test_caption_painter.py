"""The widget that draws a caption: each control is seen, and a wrong word is answered."""

import dataclasses
import re

import pytest
import torch

from genlab import widgets
from genlab.systems import load_model
from genlab.systems.glide import Glide
from genlab.systems.glide_recipes import BASE, UPSAMPLER, glide_base, glide_upsampler

TINY = {"width": 8, "d_text": 8, "n_layer": 1}


@pytest.fixture(scope="module")
def explorer():
    torch.set_default_dtype(torch.float32)
    stages = [
        build(dataclasses.replace(recipe, **TINY)).eval()
        for build, recipe in ((glide_base, BASE), (glide_upsampler, UPSAMPLER))
    ]
    torch.manual_seed(0)
    for stage in stages:
        for p in stage.parameters():  # untrained networks predict zero: move them
            p.data.add_(0.2 * torch.randn_like(p))
    return widgets.caption_painter(Glide(*stages), lambda grey: torch.full((len(grey),), 7))


@pytest.fixture(autouse=True)
def single_precision():
    torch.set_default_dtype(torch.float32)


START = {"prompt": "a thin red seven leaning right", "w": 3.0, "s": 0.1, "seed": 1}


@pytest.mark.parametrize(
    "moved", [{"prompt": "a blue seven"}, {"w": 6.0}, {"s": 0.4}, {"seed": 2}], ids=str
)
def test_each_control_changes_the_picture(explorer, moved):
    explorer.set(**START)
    before = explorer.picture
    explorer.set(**moved)
    assert explorer.picture != before


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("a purple seven", "purple"), ("a red cat", "cat"), ("", "nothing"), ("a <b>", "&lt;b&gt;")],
)
def test_a_word_outside_of_the_language_is_answered_and_nothing_is_drawn(explorer, prompt, said):
    explorer.set(**START)
    before = explorer.picture
    explorer.set(prompt=prompt)
    assert "Not drawn" in explorer.text
    assert said in explorer.text
    assert "one of" in explorer.text
    assert explorer.picture == before


def test_capitals_and_a_full_stop_are_read(explorer):
    explorer.set(**START)
    first = explorer.text
    explorer.set(prompt="A thin RED seven leaning right.")
    assert explorer.text == first


def test_the_text_counts_what_the_judge_reads(explorer):
    """This judge sees a seven everywhere: no zero is kept."""
    explorer.set(**START | {"prompt": "a red zero"})
    assert "0 of 3 keep every word" in explorer.text
    assert re.search(r"between the three \d\.\d{3}", explorer.text)


@pytest.mark.slow
def test_guidance_does_not_take_the_ink_away():
    glide = Glide(load_model("glide_base"), load_model("glide_upsampler"))
    shipped = widgets.caption_painter(glide, lambda grey: torch.full((len(grey),), 7))

    def ink(w):
        shipped.set(w=w)
        return sum(float(ax.images[0].get_array().max(-1).mean()) for ax in shipped._figure.axes)

    free = ink(1.0)
    assert all(0.7 * free < ink(w) < 1.5 * free for w in (3.0, 6.0, 10.0))
