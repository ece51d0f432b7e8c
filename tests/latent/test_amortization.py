"""Climbing the bound of one example finds the best Gaussian of the family."""

import pytest
import torch

from genlab.core import last
from genlab.latent import refine
from genlab.oracles import LinearLatent

DOUBLE = {"dtype": torch.float64}
MODEL = LinearLatent(torch.tensor([[1.0], [0.5]], **DOUBLE), torch.zeros(2, **DOUBLE), std=0.7)


def climb(x, n_steps=400):
    start = torch.zeros(len(x), 1), torch.zeros(len(x), 1)
    return last(
        refine(
            x, *start, decoder_log_prob=MODEL.cond_log_prob, n_steps=n_steps, n_draws=8,
            generator=torch.Generator().manual_seed(1),
        )
    )  # fmt: skip


def test_with_one_latent_it_finds_the_posterior_of_the_linear_model(generator):
    x = MODEL.sample(20, generator=generator)
    found = climb(x)
    mean, cov = MODEL.posterior(x)
    # The last steps are short, and each still sees the noise of 8 draws.
    torch.testing.assert_close(found.mu, mean, atol=0.06, rtol=0)
    torch.testing.assert_close(found.log_var, cov.log().expand(20, 1), atol=0.1, rtol=0)


def test_nothing_that_was_passed_in_is_changed(generator):
    x = MODEL.sample(3, generator=generator)
    mu, log_var = torch.zeros(3, 1, requires_grad=True), torch.zeros(3, 1)
    found = last(refine(x, mu, log_var, decoder_log_prob=MODEL.cond_log_prob, n_steps=3))
    assert torch.equal(mu, torch.zeros(3, 1))
    assert mu.grad is None
    assert not found.mu.requires_grad
    assert found.elbo.shape == (3,)


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="n_steps is 0"):
        last(refine(*torch.zeros(3, 1, 1), decoder_log_prob=MODEL.cond_log_prob, n_steps=0))
