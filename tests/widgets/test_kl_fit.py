"""The KL widget shows the divergences of the Gaussian that its sliders describe."""

import re

import pytest
import torch

from genlab.widgets.kl_fit import both_kl, kl_fit, two_modes


def shown(widget):
    return tuple(float(n) for n in re.findall(r"<b>([\d.]+)</b>", widget.text))


def test_the_moment_match_has_the_smallest_forward_divergence():
    best = two_modes().moment_match()
    mean, std = float(best.mean[0]), float(best.cov[0, 0]) ** 0.5
    at_best = both_kl(two_modes(), mean, std)[0]
    for shift, stretch in ((0.1, 1.0), (-0.1, 1.0), (0.0, 1.05), (0.0, 0.95)):
        assert both_kl(two_modes(), mean + shift, std * stretch)[0] > at_best


def test_each_mode_is_a_local_minimum_of_the_reverse_divergence():
    for mode in (-2.0, 2.0):
        at_mode = both_kl(two_modes(), mode, 0.6)[1]
        for shift in (-0.3, 0.3):
            assert both_kl(two_modes(), mode + shift, 0.6)[1] > at_mode


def test_forward_divergence_agrees_with_monte_carlo(generator):
    p = two_modes()
    x = p.sample(100_000, generator=generator)
    q = torch.distributions.Normal(torch.tensor(0.5), torch.tensor(1.5))
    gaps = p.log_prob(x) - q.log_prob(x).squeeze(1)
    # Monte Carlo: five standard errors
    assert abs(both_kl(p, 0.5, 1.5)[0] - gaps.mean()) < 5 * gaps.std() / 100_000**0.5


@pytest.mark.parametrize("mean", [-4.0, 0.0, 4.0])
@pytest.mark.parametrize("width", [0.3, 1.0, 3.0])
def test_every_place_of_the_sliders_gives_a_picture_and_both_numbers(mean, width):
    widget = kl_fit()
    widget.set(mean=mean, width=width)
    assert widget.picture.startswith(b"\x89PNG")
    assert shown(widget) == pytest.approx(both_kl(two_modes(), mean, width)[:2], abs=5e-4)


def test_moving_changes_the_picture_and_coming_back_restores_it():
    widget = kl_fit()
    first = widget.picture
    widget.set(mean=1.0)
    assert widget.picture != first
    widget.set(mean=0.0)
    assert widget.picture == first
