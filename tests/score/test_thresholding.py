"""Dynamic thresholds: what fits is kept, what does not is scaled by its own quantile."""

import pytest
import torch

from genlab.score.thresholding import dynamic_threshold


def test_a_guess_that_fits_is_returned():
    guess = torch.linspace(-1, 1, 24).reshape(2, 12)
    torch.testing.assert_close(dynamic_threshold(guess), guess)


def test_a_guess_that_is_too_large_is_only_rescaled_at_p_one():
    torch.manual_seed(0)
    guess = 3 * torch.randn(4, 3, 8, 8)
    found = dynamic_threshold(guess, p=1.0)
    ratio = guess / found
    torch.testing.assert_close(ratio.flatten(1).amin(1), ratio.flatten(1).amax(1))
    torch.testing.assert_close(found.abs().flatten(1).amax(1), torch.ones(4))


def test_each_example_has_its_own_threshold():
    guess = torch.tensor([[0.5, -2.0], [0.5, 0.5]])
    torch.testing.assert_close(
        dynamic_threshold(guess, p=1.0), torch.tensor([[0.25, -1.0], [0.5, 0.5]])
    )


def test_values_above_the_quantile_are_cut_at_one():
    guess = torch.cat([torch.linspace(0, 4, 9), torch.tensor([100.0])])[None]
    found = dynamic_threshold(guess, p=0.8)
    s = float(torch.quantile(guess, 0.8))
    torch.testing.assert_close(found[0], (guess[0] / s).clamp(max=1))


@pytest.mark.parametrize("p", [0.0, 1.1])
def test_a_share_outside_its_interval_is_refused(p):
    with pytest.raises(ValueError, match="p must lie"):
        dynamic_threshold(torch.zeros(1, 2), p=p)
