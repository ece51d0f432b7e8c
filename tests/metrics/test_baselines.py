"""The baselines: units checked on data whose answer is known."""

import math

import pytest
import torch

from genlab.metrics.baselines import (
    gaussian_mixture,
    histogram_log_probs,
    kernel_density,
    pixel_histogram,
)


def parts(generator, n=400, d=2, levels=17):
    """Uniform grey levels: every model's best answer is log2(17) = 4.087 bits."""
    return [torch.randint(levels, (m, 1, 1, d), generator=generator) for m in (n, 100, 100)]


def test_histogram_rows_are_distributions():
    rows = histogram_log_probs(torch.randint(5, (30, 1, 2, 2)), 5, 0.5).exp().sum(-1)
    torch.testing.assert_close(rows, torch.ones(4))


def test_smoothing_is_the_rule_of_succession():
    p = histogram_log_probs(torch.tensor([[0], [0], [1]]), 3, 1.0).exp()
    torch.testing.assert_close(p, torch.tensor([[3, 2, 1]]) / 6)


def test_uniform_grey_levels_cost_log_of_their_number(generator):
    row = pixel_histogram(*parts(generator))
    assert row.kind == "exact"
    # 400 images estimate 16 frequencies per pixel: about 16 / (2 * 400 * log 2) = 0.03 bits extra
    assert row.test == pytest.approx(math.log2(17), abs=0.15)


@pytest.mark.parametrize(
    "fit",
    [
        lambda *p, generator: kernel_density(*p, bandwidths=(0.1, 0.2), generator=generator),
        lambda *p, generator: gaussian_mixture(
            *p, shapes=(("diag", 5), ("full", 5)), generator=generator
        ),
    ],
    ids=["kernel density", "mixture"],
)
def test_densities_carry_the_constant_of_dequantisation(fit, generator):
    # The uniform density has log p(y) = 0, so all of the 4.087 bits come from the constant; smooth
    # kernels leak over the edges of [0, 1], which costs up to half a bit.
    row = fit(*parts(generator), generator=generator)
    assert row.kind == "bound"
    assert math.log2(17) - 0.1 < row.test < math.log2(17) + 0.6


def test_a_density_follows_a_constant_pixel_down_to_zero_bits(generator):
    # A pixel that is always 0 is uniform on [0, 1/17] after dequantisation: a perfect density gives
    # log 17 nats back, so 0 bits; a single Gaussian of the same variance pays
    # log2(sqrt(2 pi e / 12)) = 0.2546 bits for its shape.
    zeros = [torch.zeros(m, 1, 1, 1, dtype=torch.int64) for m in (20_000, 4000, 4000)]
    row = gaussian_mixture(*zeros, shapes=(("diag", 1),), floors=(1e-8,), generator=generator)
    assert row.test == pytest.approx(0.5 * math.log2(2 * math.pi * math.e / 12), abs=0.01)


def test_the_validation_part_chooses(generator):
    # repeated points: the narrow bandwidth is right for the test part, the wide one for validation
    train = torch.full((50, 1, 1, 1), 8)
    far = torch.randint(17, (50, 1, 1, 1), generator=generator)
    row = kernel_density(train, far, train, bandwidths=(0.02, 0.3), generator=generator)
    assert row.setting == "bandwidth 0.3"


def test_a_pseudo_count_must_be_positive():
    with pytest.raises(ValueError, match="pseudo_count"):
        histogram_log_probs(torch.tensor([[0]]), 2, 0.0)
