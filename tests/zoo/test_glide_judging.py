"""The judges of the lab: real pictures pass, enlarged ones fall behind, captions are true."""

import torch

from genlab.data.captions import load_captioned, paint, read
from genlab.zoo import glide_judging
from genlab.zoo.glide_judging import (
    best_sharpening,
    enlarged,
    free_captions,
    guidance_curve,
    held_out_captions,
    likeness,
    small_pictures,
)


def large_pictures(n):
    grey, attributes = load_captioned("test", 32)
    return paint(grey, attributes.colour)[:n]


def test_held_out_pictures_are_nearer_to_real_ones_than_enlarged_ones_are():
    real, cubic = likeness(large_pictures(300)), likeness(enlarged(small_pictures(300), 0.0))
    assert real.frechet < 0.6 * cubic.frechet
    assert real.recall > cubic.recall + 0.2


def test_colour_does_not_count():
    x = large_pictures(100)
    assert likeness(x) == likeness(x.flip(1))


def test_the_best_sharpening_is_at_least_as_near_as_bicubic():
    small = small_pictures(200)
    amount, found = best_sharpening(small)
    assert amount in glide_judging.AMOUNTS
    assert found == likeness(enlarged(small, amount))
    assert found.frechet <= likeness(enlarged(small, 0.0)).frechet


def test_small_pictures_are_those_of_the_captions():
    """Digit by digit: what is said of the k-th is true of the k-th."""
    captions = [read(c) for c in held_out_captions(50)]
    attributes = load_captioned("test", 16).attributes
    assert [c.digit for c in captions] == attributes.digit[:50].tolist()
    assert [c.colour for c in captions] == attributes.colour[:50].tolist()
    assert small_pictures(50).shape == (50, 3, 16, 16)


def test_free_captions_say_all_four_words():
    claims = [read(c) for c in free_captions(300, torch.Generator().manual_seed(0))]
    assert {c.stroke for c in claims} == {0, 2}
    assert {c.slant for c in claims} == {0, 1, 2}
    assert {c.digit for c in claims} == set(range(10))


def test_every_scale_gets_the_same_captions_and_the_same_noise(monkeypatch):
    monkeypatch.setattr(glide_judging, "judged", lambda x, captions: {"x": x, "said": captions})

    def draw(captions, w, generator):
        return torch.randn(2, generator=generator)

    first, second = guidance_curve(draw, (1.0, 3.0), 4, 7)
    torch.testing.assert_close(first["x"], second["x"])
    assert first["said"] == second["said"] == held_out_captions(4)
