"""The prompt box: each control changes what is written, and the caption counts."""

import itertools
import re

import pytest
import torch

from genlab import widgets
from genlab.autoregressive.bpe import train_bpe
from genlab.nn.transformer import TransformerConfig
from genlab.systems.language_model import LanguageModel

TEXT = "the cat sat on the mat & the <cat> sat on the hat. "


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    config = TransformerConfig(d_model=16, n_layer=1, n_head=2, n_kv_head=1, d_hidden=24)
    model = LanguageModel(264, 40, config)
    model.merges.copy_(torch.tensor(train_bpe(TEXT, 264)))
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(8 if p.ndim > 1 else 1)
    return model.eval()


@pytest.fixture
def box(model):
    return widgets.prompt_box(model, "the cat", n_new=6)


def written(box):
    return re.search(r"<b>(.*)</b>", box.text, re.DOTALL)[1]


@pytest.mark.parametrize(
    "moved",
    [{"temperature": 2.0}, {"top_k": 2}, {"top_p": 0.3}, {"draw": 2}, {"prompt": "on the mat"}],
)
def test_each_control_changes_the_picture(box, moved):
    before = box.picture
    box.set(**moved)
    assert box.picture != before


def test_the_caption_counts_the_tokens_that_can_come_next(box):
    box.set(top_p=1.0, top_k=3)
    assert "3 of 264 tokens can come next" in box.text


def test_one_token_to_choose_from_is_greedy_whatever_the_draw(box):
    box.set(top_k=1)
    first = written(box)
    box.set(draw=7)
    assert written(box) == first


def test_what_is_written_is_what_the_model_completes(box, model):
    box.set(temperature=1.0, top_p=1.0, draw=3)
    g = torch.Generator().manual_seed(3)
    *_, text = model.complete("the cat", 6, generator=g)
    assert "the cat" + written(box).replace("&amp;", "&") == text.replace("<", "&lt;").replace(
        ">", "&gt;"
    )


def test_marks_of_html_in_a_prompt_are_written_as_they_are(box):
    box.set(prompt="<b>5 & $x$</b>")
    assert "&lt;b&gt;5 &amp; $x$&lt;/b&gt;" in box.text


def test_every_corner_of_the_controls_works(box):
    for temperature, top_k, top_p in itertools.product((0.05, 2.0), (1, 264), (0.05, 1.0)):
        box.set(temperature=temperature, top_k=top_k, top_p=top_p, prompt="")
        assert box.picture.startswith(b"\x89PNG")
        assert not re.search(r"\b(nan|inf)\b", box.text)


@pytest.mark.parametrize("moved", [{"temperature": 0.05}, {"temperature": 2.0}, {"top_p": 0.05}])
def test_no_name_of_an_axis_is_cut_off(box, moved):
    box.set(**moved)
    for ax in box._figure.axes:
        assert ax.yaxis.label.get_window_extent().x0 >= 0
        labels = [t.get_window_extent() for t in ax.get_yticklabels() if t.get_text()]
        assert min(label.x0 for label in labels) >= ax.yaxis.label.get_window_extent().x1 - 1
