"""The decoding explorer, driven without a browser."""

import re

import pytest
import torch

from genlab.autoregressive.tokens import train_bpe
from genlab.nn.transformer import TransformerConfig
from genlab.systems.language_model import LanguageModel
from genlab_course import widgets
from genlab_course.widgets.autoregressive import decoding, receptive_field

LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]]).log()


@pytest.mark.parametrize(
    ("moved", "says"),
    [
        ({}, "4 of 4 tokens"),
        ({}, "Entropy 1.14 nats before, 1.14 after"),
        ({"top_k": 2}, "2 of 4 tokens can be drawn; the model gave them 0.800"),
        ({"top_p": 0.6}, "2 of 4 tokens"),  # the piece that crosses is kept
        ({"temperature": 0.1}, "Entropy 1.14 nats before, 0.04 after"),
        ({"context": "second"}, "Entropy 1.39 nats before"),
    ],
)
def test_the_caption_counts_what_can_be_drawn(moved, says):
    widget = decoding(LOGITS, "abcd", ["first", "second"])
    widget.set(**moved)
    assert says in widget.text


@pytest.mark.parametrize(
    ("network", "layers", "says"),
    [
        ("two stacks", 8, "35 others: 35 are read, 0 are out of reach"),
        # rows 3, 2, 1, 0 above column 3 are read up to columns 4, 5, 6, 7: 3 + 2 + 1 + 0 are missed
        ("one raster stack", 8, "29 are read, 6 are out of reach. Forbidden pixels read: 0."),
        ("no mask (bug)", 1, "Forbidden pixels read: 5."),  # itself, one to the right, three below
    ],
)
def test_the_pixels_that_a_stack_reads_are_counted(network, layers, says):
    widget = receptive_field()
    widget.set(network=network, layers=layers, row=4, column=3)
    assert says in widget.text


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


def test_every_two_ends_of_the_controls_work_together(box):
    for temperature, top_k, top_p in ((0.05, 1, 1.0), (0.05, 264, 0.05), (2, 1, 0.05), (2, 264, 1)):
        box.set(temperature=temperature, top_k=top_k, top_p=top_p, prompt="")
        assert box.picture.startswith(b"\x89PNG")
        assert not re.search(r"\b(nan|inf)\b", box.text)
