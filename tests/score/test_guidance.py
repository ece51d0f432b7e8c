"""Guidance: worked numbers, invariants, and the exact distribution that it does (not) sample."""

import pytest
import torch

from genlab.core import last
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score import (
    alphas_bar_from_betas,
    cfg_eps,
    classifier_guided_eps,
    ddim_sample,
    drop_condition,
    exact_eps_model,
    guided_eps_model,
    guided_gaussian,
    linear_betas,
    tilted_gaussian,
)
from genlab.score.guidance import dynamic_threshold

BAR = alphas_bar_from_betas(linear_betas(400, first=2.5e-4, last=0.05))


def conditional(x, t, label):
    return x + label[:, None].to(x.dtype)


@pytest.mark.parametrize("w", [0.0, 1.0, 3.0])
def test_guided_model_blends_row_by_row(w, generator):
    x, t = torch.randn(3, 2, generator=generator), torch.zeros(3, dtype=torch.long)
    label = torch.tensor([0, 5, 7])
    model = guided_eps_model(conditional, label, null=10, guidance_scale=w)
    torch.testing.assert_close(model(x, t), x + (10 + w * (label - 10))[:, None])


def test_inside_its_interval_a_step_costs_two_evaluations_and_outside_it_is_conditional(generator):
    calls = []
    net = lambda x, t, label: calls.append(label) or conditional(x, t, label)
    x, label = torch.randn(2, 1, generator=generator), torch.tensor([1, 2])
    model = guided_eps_model(net, label, null=10, guidance_scale=4.0, interval=(10, 20))
    for t, n_evaluations in ((9, 1), (10, 2), (20, 2), (21, 1)):
        calls.clear()
        got = model(x, torch.full((2,), t))
        assert len(calls) == n_evaluations
        if n_evaluations == 1:
            torch.testing.assert_close(got, conditional(x, None, label))


def test_condition_is_dropped_in_the_rows_that_were_drawn():
    cond = torch.tensor([3, 1, 4, 1])
    u = torch.tensor([0.05, 0.5, 0.0999, 0.1])
    torch.testing.assert_close(
        drop_condition(cond, u, p_drop=0.1, null=10), torch.tensor([10, 1, 10, 1])
    )
    torch.testing.assert_close(cond, torch.tensor([3, 1, 4, 1]))  # the caller's labels are kept


MIXTURE = GaussianMixture(
    torch.tensor([0.4, 0.6], dtype=torch.float64),
    torch.tensor([[-1.0], [1.5]], dtype=torch.float64),
    torch.tensor([0.5, 0.4], dtype=torch.float64),
)


def test_an_exact_classifier_gives_the_same_guidance_as_the_two_predictors(generator):
    # Bayes: grad log p(c | x_t) = score(x_t | c) - score(x_t)
    x, t, w = torch.randn(6, 1, generator=generator), torch.full((6,), 150), 3.0
    sigma = (1 - BAR[150]).sqrt()
    noised = MIXTURE.noised(BAR[150].sqrt().item(), sigma.item())
    y = x.clone().requires_grad_()
    log_prob = noised.responsibilities(y)[:, 1].log().sum()
    (slope,) = torch.autograd.grad(log_prob, y)
    eps_u = exact_eps_model(MIXTURE, BAR)(x, t)
    eps_c = exact_eps_model(Gaussian(MIXTURE.means[1], 0.16 * torch.eye(1)), BAR)(x, t)
    torch.testing.assert_close(
        classifier_guided_eps(eps_u, slope, sigma, guidance_scale=w),
        cfg_eps(eps_u, eps_c, guidance_scale=w),
    )


def gaussian_class(mean, variance):
    """Class-conditional N(mean, variance) of standard normal data."""
    return Gaussian(torch.tensor([mean]), torch.tensor([[variance]]))


@pytest.mark.parametrize(("w", "v"), [(1.0, 0.25), (2.0, 0.25), (3.0, 0.25), (4.0, 0.5)])
def test_guided_ddim_arrives_at_the_guided_gaussian_and_not_at_the_tilted_one(w, v, generator):
    n, steps = 400, torch.arange(399, -1, -1)
    bar = torch.sigmoid(torch.linspace(9.0, -9.0, n))
    unconditional = exact_eps_model(gaussian_class(0.0, 1.0), bar)
    class_model = exact_eps_model(gaussian_class(1.0, v), bar)

    def eps_model(x, t):
        return cfg_eps(unconditional(x, t), class_model(x, t), guidance_scale=w)

    z = torch.tensor([[-1.0], [0.0], [1.0]])
    x = last(ddim_sample(eps_model, z, steps, alphas_bar=bar)).squeeze(1)
    mean, std = x[1].item(), (x[2] - x[0]).item() / 2
    guided = guided_gaussian(1.0, v, guidance_scale=w)
    # an affine map of a standard normal, so mean and deviation are read off; the tolerance is the
    # solver's (first order, 400 steps) and the top level's (log SNR -9)
    assert abs(mean - guided.mean.item()) < 0.02
    assert abs(std - guided.cov.item() ** 0.5) < 0.01
    if w > 1:
        tilted = tilted_gaussian(1.0, v, guidance_scale=w)
        assert abs(mean - tilted.mean.item()) > 0.1
        assert abs(std - tilted.cov.item() ** 0.5) > 0.05


@pytest.mark.parametrize("w", [0.5, 2.0, 4.0])
def test_tilted_gaussian_is_the_normalised_product_of_powers(w):
    m, v = 1.0, 0.3
    x = torch.linspace(-9, 11, 40_001)
    log_p = -0.5 * x**2
    log_p_c = -0.5 * (x - m) ** 2 / v
    density = (log_p + w * (log_p_c - log_p)).exp()
    density = density / torch.trapezoid(density, x)
    mean = torch.trapezoid(x * density, x)
    variance = torch.trapezoid((x - mean) ** 2 * density, x)
    got = tilted_gaussian(m, v, guidance_scale=w)
    torch.testing.assert_close(got.mean.squeeze(), mean, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(got.cov.squeeze(), variance, rtol=1e-6, atol=1e-8)


X, LABEL = torch.ones(1, 2), torch.tensor([1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: drop_condition(LABEL, X[:, 0], p_drop=1.5, null=10), "p_drop is 1.5"),
        (lambda: dynamic_threshold(X, p=0.0), "p is 0"),
        (lambda: dynamic_threshold(X, p=1.1), "p is 1.1"),
        (
            lambda: guided_eps_model(
                conditional, LABEL, null=10, guidance_scale=2.0, interval=(5, 2)
            ),
            r"\(5, 2\)",
        ),
        (lambda: guided_gaussian(1.0, 1.5, guidance_scale=2.0), "variance is 1.5"),
        (lambda: tilted_gaussian(1.0, 0.0, guidance_scale=2.0), "variance is 0"),
        (lambda: tilted_gaussian(1.0, 0.5, guidance_scale=-2.0), "guidance_scale is -2"),
    ],
)
def test_impossible_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_scale_one_is_the_conditional_model_and_scale_zero_the_unconditional(generator):
    x, t = torch.randn(4, 2, generator=generator), torch.zeros(4, dtype=torch.long)
    label = torch.tensor([0, 1, 2, 3])
    for w, shown in ((1.0, label), (0.0, torch.full_like(label, 10))):
        model = guided_eps_model(conditional, label, null=10, guidance_scale=w)
        torch.testing.assert_close(model(x, t), conditional(x, t, shown))


@pytest.mark.parametrize(("w", "expected"), [(0, 0.6), (1, 1.0), (5, 2.6), (15, 6.6)])
def test_worked_numbers_of_the_course(w, expected):
    eps_u, eps_c = torch.tensor([[0.6]]), torch.tensor([[1.0]])
    assert abs(cfg_eps(eps_u, eps_c, guidance_scale=w).item() - expected) < 1e-12


def test_a_guess_is_clipped_at_its_own_quantile_and_scaled_only_when_that_exceeds_one():
    guess = torch.tensor([[-4.0, 2.0, 0.0, 1.0], [0.9, -0.5, 0.2, 0.1]])
    whole = torch.stack([guess[0] / 4, guess[1]])
    torch.testing.assert_close(dynamic_threshold(guess, p=1.0), whole)
    half = torch.tensor([-1.0, 1.0, 0.0, 1 / 1.5])  # the median of 0, 1, 2, 4 is 1.5
    torch.testing.assert_close(dynamic_threshold(guess.view(2, 2, 2), p=0.5)[0].flatten(), half)
    ramp = torch.arange(201.0)[None]
    torch.testing.assert_close(dynamic_threshold(ramp), ramp.clamp(max=199) / 199)  # 99.5 %


@pytest.mark.parametrize("v", [0.04, 0.5, 1.0])
def test_guidance_of_scale_three_has_its_integral_in_closed_form(v):
    guided = guided_gaussian(2.0, v, guidance_scale=3.0)  # of v + (1 - v) u^2
    assert guided.mean.item() == pytest.approx(3 * 2.0 * (v + (1 - v) / 3), rel=1e-6)
    assert guided.cov.item() == pytest.approx(v**3)
    alone = guided_gaussian(2.0, v, guidance_scale=1.0)
    assert (alone.mean.item(), alone.cov.item()) == pytest.approx((2.0, v))
