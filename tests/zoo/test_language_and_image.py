"""The recipe of language and image: where it starts, and its gap in text."""

import math

import pytest
import torch

from genlab.zoo import glide, language_and_image
from tests.support.recipes import tiny


class Oracle:
    """A language model that knows the distribution, with `off` outside of it."""

    def __init__(self, truth, off):
        self.truth, self.off = truth, off

    def log_prob(self, rows):
        return (self.truth.p * (1 - self.off)).log()


@pytest.mark.parametrize("off", [0.0, 0.3])
def test_leaving_the_grammar_costs_what_it_must(off):
    truth = language_and_image.training_captions()
    kl, found = language_and_image.text_gap(Oracle(truth, off), truth)
    assert kl == pytest.approx(-math.log(1 - off), abs=1e-12)
    assert found == pytest.approx(off, abs=1e-12)


def test_an_untrained_model_is_far_from_the_distribution():
    """It gives about log 30 nats to each token; the captions have 5 to 7 of them."""
    truth = language_and_image.training_captions()
    kl, off = language_and_image.text_gap(tiny("language_and_image").untrained().lm, truth)
    entropy = -(truth.p * truth.p.log()).sum().item()
    assert 4 * math.log(30) - entropy < kl < 7 * math.log(30) - entropy
    assert off > 0.999


def test_a_denoiser_starts_as_the_pretrained_one():
    """Which has a text encoder; that one is left behind."""
    torch.manual_seed(1)
    sizes = {"width": 8, "mults": (1, 2), "patch": 2, "sigma_data": 0.5}
    pretrained = glide.glide_base(16, d_text=16, n_layer=1, **sizes)
    with torch.no_grad():
        for p in pretrained.parameters():
            p.add_(0.1 * torch.randn_like(p))  # the zero-started layers, too
    model = tiny("language_and_image").untrained()
    before = {name: w.clone() for name, w in model.lm.state_dict().items()}
    language_and_image.start_from(model.painter, pretrained)
    x, sigma = torch.randn(2, 3, 16, 16), torch.tensor([0.5, 3.0])
    for given in (torch.randn(2, 7, 16), None):
        mine = model.painter.denoiser(given)(x, sigma)
        torch.testing.assert_close(mine, pretrained.denoiser(given)(x, sigma))
    assert all(torch.equal(w, before[name]) for name, w in model.lm.state_dict().items())
