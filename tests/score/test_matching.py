"""Score matching: every objective against quadrature, closed forms and the others."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import integrate, std_normal_log_prob
from genlab.nn.mlp import MLP
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.matching import dsm_floor, dsm_loss, esm_loss, hyvarinen_loss, sliced_loss
from genlab.solvers.divergence import rademacher
from genlab.train import fit

GRID = torch.linspace(-14, 14, 4001, dtype=torch.float64)[:, None]


def bumps() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.5, 0.8])
    )


def plane() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.2, 0.8]),
        torch.tensor([[-2.0, 1.0], [1.0, 0.5]]),
        torch.tensor([0.5, 1.0]),
    )


def wrong_score(x):
    """A model that is no density's exact answer here, with an asymmetric Jacobian in 2-D."""
    return torch.sin(x) - 0.3 * x + 0.2 * x.flip(1) ** 2


def mean_on_grid(law, values):
    """E[values] by quadrature."""
    return integrate(law.log_prob(GRID).exp() * values, GRID[:, 0])


@pytest.mark.parametrize(
    ("a", "expected"), [(0.0, 0.5), (0.5, 0.125), (0.8, 0.02), (1.0, 0.0), (1.5, 0.125)]
)
def test_explicit_loss_of_a_straight_score_is_the_courses_parabola(a, expected):
    p = Gaussian(torch.zeros(1), torch.eye(1))
    loss = mean_on_grid(p, esm_loss(lambda x: -a * x, p.score, GRID))
    assert abs(loss.item() - expected) < 1e-9  # quadrature of a smooth integrand


@pytest.mark.parametrize("a", [0.0, 0.5, 1.0, 1.5])
def test_hyvarinen_loss_of_a_straight_score_is_its_parabola_without_the_constant(a):
    p = Gaussian(torch.zeros(1), torch.eye(1))
    loss = mean_on_grid(p, hyvarinen_loss(lambda x: -a * x, GRID))
    assert abs(loss.item() - (-a + a**2 / 2)) < 1e-9


@pytest.mark.parametrize("model", [wrong_score, torch.cos, lambda x: 2 * x])
def test_explicit_and_hyvarinen_differ_by_a_constant_of_the_data(model):
    p = bumps()
    gap = esm_loss(model, p.score, GRID) - hyvarinen_loss(model, GRID)
    constant = mean_on_grid(p, p.score(GRID)[:, 0] ** 2 / 2)
    torch.testing.assert_close(mean_on_grid(p, gap), constant, atol=1e-8, rtol=0)


def test_hyvarinen_loss_at_the_true_score_is_minus_half_the_fisher_information(generator):
    p = plane()
    x = p.sample(200_000, generator=generator)
    both = hyvarinen_loss(p.score, x) + 0.5 * (p.score(x) ** 2).sum(1)
    assert abs(both.mean()) < 5 * both.std() / math.sqrt(len(x))  # five standard errors


def test_sliced_loss_averaged_over_all_signs_is_the_exact_trace():
    x = torch.randn(5, 3)
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3)))
    probes = signs[:, None, :].expand(-1, 5, -1)

    def model(x):
        return torch.sin(x @ torch.tensor([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0], [0.0, 1.0, 1.0]]))

    exact = hyvarinen_loss(model, x)
    torch.testing.assert_close(sliced_loss(model, x, probes), exact)
    torch.testing.assert_close(sliced_loss(model, x, probes, reduced=False), exact)


def test_plain_slices_project_the_score_too():
    x, v = torch.tensor([[1.0, 2.0]]), torch.tensor([[[1.0, -1.0]]])
    # s = (x0, 3 x1): v'Jv = 1 + 3; half the square of v's = half of (1 - 6)^2, against half |s|^2
    model = lambda x: x * torch.tensor([1.0, 3.0])
    assert sliced_loss(model, x, v, reduced=False).item() == pytest.approx(4 + 12.5)
    assert sliced_loss(model, x, v).item() == pytest.approx(4 + 18.5)


def test_sliced_loss_is_unbiased_on_random_probes(generator):
    x = torch.randn(1, 4, generator=generator).expand(20_000, -1)
    probes = rademacher((1, *x.shape), like=x, generator=generator)
    for reduced in (True, False):
        values = sliced_loss(wrong_score, x, probes, reduced=reduced)
        error = values.mean() - hyvarinen_loss(wrong_score, x[:1])
        assert abs(error) < 5 * values.std() / math.sqrt(len(x))


@pytest.mark.parametrize(
    ("x0", "eps", "output", "expected"),
    [
        (2.0, 0.5, -0.5, 0.0),
        (2.0, 0.5, -0.4, 0.005),
        (2.0, 0.5, 0.0, 0.125),
        (0.0, 1.0, -1.0, 0.0),
        (-1.0, -0.5, 0.5, 0.0),
        (3.0, 0.0, 0.0, 0.0),
    ],
)
def test_worked_rows_of_the_course(x0, eps, output, expected):
    seen = []

    def model(x):
        seen.append(x.item())
        return torch.full_like(x, output)

    loss = dsm_loss(model, torch.tensor([[x0]]), torch.tensor([[eps]]), sigma=1.0)
    assert seen == [x0 + eps]
    assert abs(loss.item() - expected) < 1e-12


def test_the_regression_target_is_the_slope_of_the_noise_kernel():
    x0, eps, sigma = torch.randn(6, 3), torch.randn(6, 3), torch.rand(6) + 0.2

    def kernel_slope(x_t):
        log_q = -((x_t - x0) ** 2).sum(1) / (2 * sigma**2)
        return torch.autograd.grad(log_q.sum(), x_t)[0]

    found = dsm_loss(lambda x: kernel_slope(x.requires_grad_()), x0, eps, sigma=sigma)
    torch.testing.assert_close(found, torch.zeros(6), atol=1e-24, rtol=0)  # rounding, squared


@pytest.mark.parametrize("model", [wrong_score, torch.cos, lambda x: 0 * x])
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_denoising_is_explicit_matching_of_the_noised_law_plus_its_floor(model, sigma):
    p = bumps()
    noised = p.noised(1.0, sigma)
    line = torch.linspace(-8, 8, 321)
    pairs = torch.cartesian_prod(line, line)  # (x0, eps): an integral over the plane
    x0, eps = pairs[:, :1], pairs[:, 1:]
    joint = (p.log_prob(x0) + std_normal_log_prob(eps)).exp() * (line[1] - line[0]) ** 2
    dsm = (joint * dsm_loss(model, x0, eps, sigma=sigma)).sum()
    explicit = mean_on_grid(noised, esm_loss(model, noised.score, GRID))
    floor = mean_on_grid(noised, dsm_floor(noised.score(GRID), sigma=sigma))
    torch.testing.assert_close(dsm, explicit + floor, atol=1e-7, rtol=1e-6)  # two quadratures


@given(s=st.floats(0.1, 3.0), sigma=st.floats(0.1, 3.0), d=st.integers(1, 4))
def test_floor_of_normal_data_is_known(s, sigma, d):
    """E[floor] = D s^2 / (2 sigma^2 (s^2 + sigma^2)): a quarter for s = sigma = D = 1."""
    v = s**2 + sigma**2
    root = torch.full((1, d), math.sqrt(v))  # E[x^2] = v is reached by x = +-sqrt(v)
    floor = dsm_floor(-root / v, sigma=sigma)
    assert floor.item() == pytest.approx(d * s**2 / (2 * sigma**2 * v))
    assert floor.item() > 0


def test_floor_is_a_quarter_for_a_standard_normal_and_unit_noise(generator):
    n = 200_000
    x0, eps = torch.randn(2, n, 1, generator=generator)
    values = dsm_loss(lambda x: -x / 2, x0, eps, sigma=1.0)
    assert abs(values.mean() - 0.25) < 5 * values.std() / math.sqrt(n)


def test_the_row_that_looks_perfect_is_not_the_best_answer():
    """For N(0, 1) data and unit noise the best output at 2.5 is -1.25, not that row's -0.5."""
    x0, eps = torch.randn(2, 100_000, 1)
    near = (x0 + eps - 2.5).abs()[:, 0] < 0.05
    mean_target = (-eps[near]).mean()
    # 2.5 standard errors of about 1100 rows with spread 0.7, plus the width of the bin
    assert abs(mean_target + 1.25) < 0.08


def test_sigma_may_differ_from_row_to_row():
    x0, eps, sigma = torch.randn(3, 2), torch.randn(3, 2), torch.tensor([0.1, 1.0, 4.0])
    rows = [
        dsm_loss(wrong_score, x0[i : i + 1], eps[i : i + 1], sigma=float(sigma[i]))
        for i in range(3)
    ]
    torch.testing.assert_close(dsm_loss(wrong_score, x0, eps, sigma=sigma), torch.cat(rows))


def test_losses_sum_over_the_event():
    x0, eps = torch.randn(2, 1, 2, 2), torch.randn(2, 1, 2, 2)
    flat = dsm_loss(torch.cos, x0.flatten(1), eps.flatten(1), sigma=0.7)
    torch.testing.assert_close(dsm_loss(torch.cos, x0, eps, sigma=0.7), flat)
    torch.testing.assert_close(
        hyvarinen_loss(torch.cos, x0), hyvarinen_loss(torch.cos, x0.flatten(1))
    )


@pytest.mark.parametrize("sigma", [0.0, -1.0])
def test_a_noise_level_must_be_positive(sigma):
    with pytest.raises(ValueError, match=f"sigma is {sigma:g}, expected > 0"):
        dsm_loss(torch.cos, torch.zeros(1, 1), torch.zeros(1, 1), sigma=sigma)
    with pytest.raises(ValueError, match=f"sigma is {sigma:g}, expected > 0"):
        dsm_floor(torch.zeros(1, 1), sigma=sigma)


@pytest.mark.parametrize("name", ["explicit", "hyvarinen", "sliced", "denoising"])
def test_every_objective_has_its_gradient_in_the_parameters(name):
    net, x, eps = MLP(2, 2, 8, 1), torch.randn(4, 2), torch.randn(4, 2)
    losses = {
        "explicit": lambda: esm_loss(net, plane().score, x),
        "hyvarinen": lambda: hyvarinen_loss(net, x),
        "sliced": lambda: sliced_loss(net, x, rademacher((1, 4, 2), like=x)),
        "denoising": lambda: dsm_loss(net, x, eps, sigma=0.5),
    }
    losses[name]().mean().backward()
    # the last bias moves no slope, but it moves the output: its gradient is that of |s|^2 / 2
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


class Fitted(torch.nn.Module):
    """A network with one of the objectives as its loss."""

    def __init__(self, objective):
        super().__init__()
        self.net, self.objective = MLP(1, 1, 32, 2), objective

    def loss(self, x, *, generator=None):
        return self.objective(self.net, x, generator).mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "sigma"),
    [
        (lambda s, x, g: hyvarinen_loss(s, x), 0.0),
        (lambda s, x, g: sliced_loss(s, x, rademacher((1, *x.shape), like=x, generator=g)), 0.0),
        (lambda s, x, g: dsm_loss(s, x, torch.randn(x.shape, generator=g), sigma=0.5), 0.5),
    ],
    ids=["hyvarinen", "sliced", "denoising"],
)
def test_each_objective_learns_the_score_that_it_promises(objective, sigma, generator):
    p = bumps()
    model = Fitted(objective)
    batches = (p.sample(512, generator=generator) for _ in itertools.count())
    for _ in fit(model, batches, n_steps=600, lr=3e-3, generator=generator):
        pass
    target = p.noised(1.0, sigma) if sigma else p
    error = mean_on_grid(target, esm_loss(model.net, target.score, GRID))
    size = mean_on_grid(target, 0.5 * target.score(GRID)[:, 0] ** 2)
    assert error < 0.05 * size  # measured 0.005 to 0.02
    if sigma:  # and not the score of the clean data
        assert error < 0.2 * mean_on_grid(target, esm_loss(model.net, p.score, GRID))
