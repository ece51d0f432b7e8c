"""The flow for images."""

import pytest
import torch
from torch.testing import assert_close

from genlab.flow.dequantization import VariationalNoise
from genlab.flow.elementwise import Affine
from genlab.flow.pixels import pixel_flow, pixel_histograms

L = 5


@pytest.fixture
def images(generator):
    """Neighbours that agree: what a histogram of single pixels cannot see."""
    first = torch.randint(L, (200, 1), generator=generator)
    return torch.cat([first, (first + 1) % L, first, torch.full_like(first, 2)], 1)


def test_histograms_are_frequencies(images):
    p = pixel_histograms(images, L, extra=1e-9)
    for level in range(L):
        assert_close(p[:, level], (images == level).double().mean(0), rtol=0, atol=1e-7)


def test_no_level_is_impossible(images):
    p = pixel_histograms(images, L)
    assert float(p.min()) > 0
    assert_close(p.sum(1), torch.ones(4))


def test_histograms_refuse_a_level_out_of_range():
    with pytest.raises(ValueError, match=r"expected 0\.\.4"):
        pixel_histograms(torch.tensor([[5]]), L)


def test_untrained_it_is_the_histogram_model(images, generator):
    model = pixel_flow(images, L, width=8)
    p = pixel_histograms(images, L)
    wanted = sum(p[j, images[:, j]].log() for j in range(4))
    # the quantile is clamped at 1e-6 and the spline joins its tails at 3: rounding elsewhere
    assert_close(model.elbo(images, generator=generator), wanted, rtol=0, atol=1e-3)


def test_training_learns_what_pixels_know_of_each_other(images, generator):
    torch.manual_seed(0)
    model = pixel_flow(images, L, width=16, n_layers=2)
    before = float(model.loss(images, generator=generator).detach())
    optimiser = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in range(60):
        optimiser.zero_grad()
        loss = model.loss(images, generator=generator)
        loss.backward()
        optimiser.step()
    assert float(loss.detach()) < before - 0.5  # nats; two pixels are copies of the first


def test_samples_are_levels(images, generator):
    x = pixel_flow(images, L, width=8).sample(20, generator=generator)
    assert x.shape == (20, 4)
    assert x.dtype == torch.int64
    assert 0 <= int(x.min()) <= int(x.max()) < L


def test_it_takes_learned_noise(images, generator):
    noise = VariationalNoise(4, L, Affine(), width=8)
    model = pixel_flow(images, L, width=8, noise=noise)
    model.loss(images, generator=generator).backward()
    assert all(p.grad is not None for p in noise.parameters())
