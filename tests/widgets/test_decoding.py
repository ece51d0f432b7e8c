"""The decoding explorer, driven without a browser."""

import pytest
import torch

from genlab.widgets.decoding import decoding

LOGITS = torch.tensor([[0.5, 0.3, 0.15, 0.05], [0.25, 0.25, 0.25, 0.25]]).log()


def make():
    return decoding(LOGITS, "abcd", ["first", "second"])


def test_the_caption_counts_what_can_be_drawn():
    widget = make()
    assert widget.text.startswith("4 of 4 pieces")
    widget.set(top_k=2)
    assert widget.text.startswith("2 of 4 pieces can be drawn; the model gave them 0.800")


def test_top_p_keeps_the_crossing_piece():
    widget = make()
    widget.set(top_p=0.6)
    assert widget.text.startswith("2 of 4 pieces")


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
