"""The digits' flow: it begins as the histogram of each pixel, and learns from there."""

import torch
from genlab.zoo.digit_flow import Recipe, digit_flow, train_digit_flow

from genlab.core import last
from genlab.data.digits import load_digits
from genlab.flow.dequantization import pixel_histograms

SMALL = Recipe(n_layers=2, width=16, n_steps=60)


def pixels(split):
    return load_digits(split).images.flatten(1)


def bound(model, x):
    with torch.no_grad():
        return model.elbo(x, generator=torch.Generator().manual_seed(0)).mean()


def test_the_same_recipe_gives_the_same_weights_and_leaves_the_global_seed_alone():
    before = torch.get_rng_state()
    one, two = digit_flow(pixels("train"), SMALL), digit_flow(pixels("train"), SMALL)
    assert torch.equal(before, torch.get_rng_state())
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_untrained_it_is_the_histogram_of_each_pixel():
    x = pixels("val")
    table = pixel_histograms(pixels("train"), 17).log()
    expected = table[torch.arange(64), x].sum(1).mean()
    torch.testing.assert_close(
        bound(digit_flow(pixels("train")), x), expected, rtol=1e-6, atol=0.05
    )  # splines start near the identity, not at it


def test_some_steps_beat_the_histogram_and_leave_evaluation_mode():
    model = digit_flow(pixels("train"), SMALL)
    before = bound(model, pixels("val"))
    last(train_digit_flow(model, pixels("train"), SMALL))
    assert not model.training
    assert bound(model, pixels("val")) > before + 5  # nats per image
