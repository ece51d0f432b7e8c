"""The decoding explorer, driven without a browser."""

import itertools
import re

import pytest
import torch

from genlab.autoregressive.tokens import train_bpe
from genlab.nn.transformer import TransformerConfig
from genlab.systems.language_model import LanguageModel
from genlab_course import widgets
from genlab_course.widgets.autoregressive import decoding, receptive_field

LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]]).log()


def make():
    return decoding(LOGITS, "abcd", ["first", "second"])


def test_the_caption_counts_what_can_be_drawn():
    widget = make()
    assert widget.text.startswith("4 of 4 tokens")
    widget.set(top_k=2)
    assert widget.text.startswith("2 of 4 tokens can be drawn; the model gave them 0.800")


def test_top_p_keeps_the_crossing_piece():
    widget = make()
    widget.set(top_p=0.6)
    assert widget.text.startswith("2 of 4 tokens")


def test_a_low_temperature_lowers_the_entropy():
    widget = make()
    assert "Entropy 1.14 nats before, 1.14 after" in widget.text
    widget.set(temperature=0.1)
    assert "Entropy 1.14 nats before, 0.04 after" in widget.text


def test_changing_the_context_changes_the_picture():
    widget = make()
    before = widget.picture
    widget.set(context="second")
    assert widget.picture != before
    assert "Entropy 1.39 nats before" in widget.text


@pytest.mark.parametrize("temperature", [0.1, 1.0, 3.9])
@pytest.mark.parametrize("top_k", [1, 4])
@pytest.mark.parametrize("top_p", [0.05, 1.0])
def test_every_corner_of_the_controls_works(temperature, top_k, top_p):
    widget = make()
    widget.set(temperature=temperature, top_k=top_k, top_p=top_p)
    assert widget.picture.startswith(b"\x89PNG")


def test_logits_must_fit():
    with pytest.raises(ValueError, match=r"\(2, 4\)"):
        decoding(LOGITS, "abc", ["first", "second"])


@pytest.fixture
def widget():
    return receptive_field()


def test_deep_two_stacks_read_the_whole_past(widget):
    widget.set(network="two stacks", layers=8, row=4, column=3)
    assert "35 others: 35 are read, 0 are out of reach" in widget.text


def test_a_raster_stack_has_a_blind_spot(widget):
    widget.set(network="one raster stack", layers=8, row=4, column=3)
    # rows 3, 2, 1, 0 above column 3 are read up to columns 4, 5, 6, 7: 3 + 2 + 1 + 0 are missed
    assert "29 are read, 6 are out of reach. Forbidden pixels read: 0." in widget.text


def test_without_a_mask_forbidden_pixels_are_read(widget):
    widget.set(network="no mask (bug)", layers=1, row=4, column=3)
    assert "Forbidden pixels read: 5." in widget.text  # itself, one to the right, three below


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


def test_every_corner_of_the_controls_works_prompt_box(box):
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
