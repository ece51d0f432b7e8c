"""Conversions between prediction targets: round trips, closed forms and the exact score."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.score import (
    add_noise,
    eps_from_score,
    eps_from_v,
    eps_from_x0,
    score_from_eps,
    v_from_eps,
    x0_from_eps,
    x0_from_v,
)

angles = st.floats(0.01, 1.5)  # alpha = cos, sigma = sin: the variance-preserving path


def state(angle: float, seed: int):
    g = torch.Generator().manual_seed(seed)
    x0, eps = torch.randn(4, 3, 2, generator=g), torch.randn(4, 3, 2, generator=g)
    a = torch.full((4,), angle, dtype=torch.float64)
    return x0.double(), eps.double(), a.cos(), a.sin()


@settings(deadline=None, max_examples=30)
@given(angles, st.integers(0, 10**6))
def test_every_target_gives_the_others_back(angle, seed):
    x0, eps, alpha, sigma = state(angle, seed)
    x_t = add_noise(x0, alpha, sigma, eps)
    v = v_from_eps(x_t, eps, alpha, sigma)
    # Rounding is amplified by 1 / alpha and 1 / sigma, at most about 100.
    close = {"rtol": 1e-9, "atol": 1e-9}
    torch.testing.assert_close(x0_from_eps(x_t, eps, alpha, sigma), x0, **close)
    torch.testing.assert_close(eps_from_x0(x_t, x0, alpha, sigma), eps, **close)
    torch.testing.assert_close(eps_from_v(x_t, v, alpha, sigma), eps, **close)
    torch.testing.assert_close(x0_from_v(x_t, v, alpha, sigma), x0, **close)
    torch.testing.assert_close(eps_from_score(score_from_eps(eps, sigma), sigma), eps, **close)


def test_v_is_the_path_turned_by_a_quarter():
    x0, eps, alpha, sigma = state(0.7, 1)
    x_t = add_noise(x0, alpha, sigma, eps)
    step = 1e-6
    ahead = add_noise(x0, (torch.tensor(0.7 + step)).cos(), torch.tensor(0.7 + step).sin(), eps)
    # v is the derivative of x_t in the angle; the error of a forward difference is of order step.
    torch.testing.assert_close(
        v_from_eps(x_t, eps, alpha, sigma), (ahead - x_t) / step, rtol=0, atol=1e-5
    )


def test_worked_number_of_the_course():
    x_t = add_noise(
        torch.tensor([[2.0]]),
        torch.tensor(0.9**5).sqrt(),
        torch.tensor(1 - 0.9**5).sqrt(),
        torch.tensor([[0.3]]),
    )
    assert abs(x_t.item() - 1.7288458) < 1e-7


def test_score_of_a_noised_gaussian_is_the_expected_noise_over_sigma():
    # x0 ~ N(m, s^2): E[eps | x_t] is linear, and log p_t is known; autograd gives its slope.
    m, s, alpha, sigma = 0.7, 0.5, torch.tensor(0.8), torch.tensor(0.6)
    x_t = torch.linspace(-2, 2, 9)[:, None].requires_grad_()
    variance = (alpha * s) ** 2 + sigma**2
    law = torch.distributions.Normal(alpha * m, variance.sqrt())
    (slope,) = torch.autograd.grad(law.log_prob(x_t).sum(), x_t)
    expected_eps = sigma * (x_t.detach() - alpha * m) / variance
    torch.testing.assert_close(score_from_eps(expected_eps, sigma), slope)


def test_noise_levels_belong_to_examples():
    x_t = add_noise(torch.ones(2, 3), torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0]),
                    5 * torch.ones(2, 3))  # fmt: skip
    torch.testing.assert_close(x_t, torch.tensor([[1.0] * 3, [5.0] * 3]))
