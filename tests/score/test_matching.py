"""Score matching: every objective against quadrature, closed forms and the others."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genlab.core import integrate, last, std_normal_log_prob
from genlab.core.capabilities import (
    HasScore,
    NoLikelihoodError,
    Sampleable,
    Trainable,
    likelihood_kind,
    log_likelihood,
)
from genlab.metrics.calibration import mmd_permutation_test
from genlab.metrics.distances import wasserstein_1d
from genlab.nn.layers import MLP
from genlab.oracles import Empirical, Gaussian, GaussianMixture
from genlab.score import eps_from_score, x0_from_eps
from genlab.score.matching import (
    NCSN,
    LevelMLP,
    annealed_langevin,
    dsm_floor,
    dsm_loss,
    esm_loss,
    hyvarinen_loss,
    ladder_overlap,
    ncsn_loss,
    noise_ladder,
    posterior_covariance,
    rung_variance,
    score_from_x0,
    sliced_loss,
    x0_from_score,
)
from genlab.solvers.mcmc import langevin
from genlab.solvers.ode import rademacher
from genlab.train import cosine, fit, minibatches

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


numbers = st.floats(0.1, 3.0)


@given(alpha=numbers, sigma=numbers)
def test_denoiser_of_a_mixture_from_its_noised_score(alpha, sigma):
    x = 3 * torch.randn(16, 2)
    a, s = torch.tensor(alpha), torch.tensor(sigma)
    found = x0_from_score(x, plane().noised(alpha, sigma).score(x), a, s)
    torch.testing.assert_close(found, plane().denoiser(x, alpha, sigma))


def test_denoiser_of_a_correlated_normal_is_its_linear_regression():
    law = Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.6], [0.6, 0.5]]))
    x, sigma = torch.randn(8, 2), 0.7
    gain = law.cov @ torch.linalg.inv(law.cov + sigma**2 * torch.eye(2))
    found = x0_from_score(x, law.noised(1.0, sigma).score(x), torch.tensor(1.0), torch.tensor(0.7))
    torch.testing.assert_close(found, law.mean + (x - law.mean) @ gain.T)


def test_score_of_a_point_cloud_is_the_slope_of_its_kernel_estimate():
    cloud = Empirical(torch.randn(20, 3))
    x, sigma = torch.randn(7, 3), 0.6
    found = score_from_x0(x, cloud.denoiser(x, 1.0, sigma), torch.tensor(1.0), torch.tensor(sigma))
    y = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(cloud.noised(1.0, sigma).log_prob(y).sum(), y)
    torch.testing.assert_close(found, slope)


@given(alpha=numbers, sigma=numbers)
def test_the_two_directions_undo_each_other(alpha, sigma):
    x, score = torch.randn(2, 5, 3)
    a, s = torch.tensor(alpha), torch.tensor(sigma)
    back = score_from_x0(x, x0_from_score(x, score, a, s), a, s)
    torch.testing.assert_close(back, score)


def test_it_is_the_same_guess_as_by_the_noise():
    x, score = torch.randn(2, 5, 1, 4, 4)
    a, s = torch.rand(2, 5) + 0.1
    by_noise = x0_from_eps(x, eps_from_score(score, s), a, s)
    torch.testing.assert_close(x0_from_score(x, score, a, s), by_noise)


def test_the_mean_of_the_data_near_a_noised_point_is_what_the_formula_says(generator):
    p, sigma, at = plane(), 0.8, torch.tensor([[-0.5, 0.5]])
    x0 = p.sample(400_000, generator=generator)
    weights = (-((at - x0) ** 2).sum(1) / (2 * sigma**2)).softmax(0)  # Bayes, by samples
    estimate = weights @ x0
    error = (weights**2 @ (x0 - estimate) ** 2).sqrt()
    found = x0_from_score(
        at, p.noised(1.0, sigma).score(at), torch.tensor(1.0), torch.tensor(sigma)
    )
    assert ((estimate - found[0]).abs() < 5 * error).all()  # five standard errors


def test_covariance_of_a_normal_does_not_depend_on_where_it_is_asked():
    law = Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.6], [0.6, 0.5]]))
    x, alpha, sigma = torch.randn(4, 2), 0.6, 0.7
    precision = torch.linalg.inv(law.cov) + alpha**2 / sigma**2 * torch.eye(2)
    found = posterior_covariance(law.noised(alpha, sigma).score, x, alpha=alpha, sigma=sigma)
    torch.testing.assert_close(found, torch.linalg.inv(precision).expand(4, -1, -1))


def test_covariance_of_a_point_cloud_by_its_responsibilities():
    cloud = Empirical(torch.randn(20, 3))
    x, sigma = torch.randn(2, 3), 0.9
    found = posterior_covariance(cloud.noised(1.0, sigma).score, x, alpha=1.0, sigma=sigma)
    weights = (-((x[:, None] - cloud.points) ** 2).sum(2) / (2 * sigma**2)).softmax(1)
    off = cloud.points - (weights @ cloud.points)[:, None]
    torch.testing.assert_close(found, torch.einsum("bn,bni,bnj->bij", weights, off, off))


def test_covariance_takes_images_flat():
    images = torch.randn(2, 1, 2, 2)
    found = posterior_covariance(lambda x: -x / 5, images, alpha=1.0, sigma=1.0)
    torch.testing.assert_close(found, (0.8 * torch.eye(4)).expand(2, -1, -1))  # I + J = 4/5 I


def test_mean_of_the_covariance_explains_the_floor_of_denoising_score_matching(generator):
    from genlab.score.matching import dsm_floor

    p, sigma = plane(), 0.8
    noised = p.noised(1.0, sigma)
    x = noised.sample(20_000, generator=generator)
    covariance = posterior_covariance(noised.score, x, alpha=1.0, sigma=sigma)
    by_trace = covariance.diagonal(dim1=1, dim2=2).sum(1) / (2 * sigma**4)
    gap = by_trace - dsm_floor(noised.score(x), sigma=sigma)
    assert abs(gap.mean()) < 5 * gap.std() / math.sqrt(len(x))


@pytest.mark.parametrize(("alpha", "sigma"), [(0.0, 1.0), (1.0, 0.0), (1.0, -1.0)])
def test_covariance_needs_signal_and_noise(alpha, sigma):
    with pytest.raises(ValueError, match="alpha and sigma must be positive"):
        posterior_covariance(torch.cos, torch.zeros(1, 2), alpha=alpha, sigma=sigma)


def islands() -> GaussianMixture:
    """Two modes ten standard deviations apart, four to one."""
    return GaussianMixture(
        torch.tensor([0.8, 0.2]), torch.tensor([[-2.5, 0.0], [2.5, 0.0]]), torch.tensor([0.5, 0.5])
    )


def exact(law):
    """The score of the noised law at any level, row by row."""

    def score(x, sigma):
        return score_from_x0(x, law.denoiser(x, 1.0, sigma), torch.ones_like(sigma), sigma)

    return score


@given(high=st.floats(1.0, 50.0), low=st.floats(0.01, 0.9), n=st.integers(2, 30))
def test_a_ladder_falls_by_one_ratio_from_end_to_end(high, low, n):
    sigmas = noise_ladder(high, low, n)
    assert sigmas.shape == (n,)
    torch.testing.assert_close(sigmas[[0, -1]], torch.tensor([high, low]))
    ratios = sigmas[:-1] / sigmas[1:]
    torch.testing.assert_close(ratios, ratios[:1].expand(n - 1))
    assert (ratios > 1).all()


@pytest.mark.parametrize(("high", "low", "n"), [(1.0, 1.0, 3), (1.0, 2.0, 3), (1.0, 0.0, 3)])
def test_a_ladder_must_lead_down_to_some_noise(high, low, n):
    with pytest.raises(ValueError, match="0 < sigma_min < sigma_max"):
        noise_ladder(high, low, n)


def test_a_ladder_has_at_least_two_rungs():
    with pytest.raises(ValueError, match="n_levels"):
        noise_ladder(2.0, 1.0, 1)


@pytest.mark.parametrize(("ratio", "d"), [(1.05, 64), (1.3, 64), (1.6, 64), (1.5, 1000)])
def test_overlap_counts_how_much_noise_of_one_rung_looks_like_the_one_above(ratio, d, generator):
    n = 20_000
    lengths = torch.randn(n, d, generator=generator).norm(dim=1)
    above = ratio * torch.randn(n, d, generator=generator).norm(dim=1)
    inside = ((lengths - above.mean()).abs() < 3 * above.std()).double().mean()
    # the formula takes lengths as normal with deviation 1/sqrt 2: right to a few per cent
    assert abs(ladder_overlap(ratio, d) - inside) < 0.04


def test_overlap_is_one_for_equal_rungs_and_falls_with_the_ratio_and_the_dimension():
    assert ladder_overlap(1.0, 64) == pytest.approx(math.erf(3 / math.sqrt(2)))
    falling = [ladder_overlap(r, 64) for r in (1.0, 1.1, 1.3, 1.6, 2.0)]
    assert all(a > b for a, b in itertools.pairwise(falling))
    assert ladder_overlap(1.2, 1000) < ladder_overlap(1.2, 10)


@given(rate=st.floats(0.05, 0.9), n_steps=st.integers(0, 20), ratio=st.floats(1.0, 3.0))
def test_variance_at_a_rung_is_that_of_the_recursion(rate, n_steps, ratio):
    v = ratio**2
    for _ in range(n_steps):
        v = (1 - rate) ** 2 * v + 2 * rate
    assert rung_variance(ratio, rate, n_steps) == pytest.approx(v)


def test_variance_at_a_rung_is_that_of_the_chain_on_a_single_point(generator):
    """Data: one point. Start at the spread of the rung above, run, and measure."""
    n, sigmas = 40_000, torch.tensor([0.7])
    start = 1.4 * torch.randn(n, 1, generator=generator)
    score = lambda x, sigma: -x / sigma[:, None] ** 2
    x = last(annealed_langevin(score, start, sigmas, rate=0.3, n_steps=4, generator=generator))
    expected = 0.7**2 * rung_variance(2.0, 0.3, 4)
    # the variance of n normals has standard error v sqrt(2 / n)
    assert abs(x.var() - expected) < 5 * expected * math.sqrt(2 / n)


def test_every_step_is_yielded_and_the_network_is_told_its_level():
    seen = []

    def score(x, sigma):
        assert sigma.shape == (3,)
        seen.append(sigma[0].item())
        return -x / sigma[:, None] ** 2

    steps = list(
        annealed_langevin(score, torch.zeros(3, 2), torch.tensor([4.0, 1.0]), rate=0.1, n_steps=2)
    )
    assert len(steps) == 4
    assert seen == [4.0, 4.0, 1.0, 1.0]


def test_step_sizes_go_with_the_square_of_the_level():
    """Signal-to-noise of a step is then the same at each rung."""
    drift = []
    score = lambda x, sigma: torch.ones_like(x)
    sigmas = torch.tensor([4.0, 2.0, 0.5])
    noise = torch.Generator().manual_seed(5)
    states = list(
        annealed_langevin(score, torch.zeros(1, 1), sigmas, rate=0.1, n_steps=1, generator=noise)
    )
    replay = torch.Generator().manual_seed(5)
    x = torch.zeros(1, 1)
    for sigma, state in zip((4.0, 2.0, 0.5), states, strict=True):
        eta = 0.1 * sigma**2
        z = torch.randn(1, 1, generator=replay)
        drift.append((state - x - math.sqrt(2 * eta) * z).item() / eta)
        x = state
    assert drift == pytest.approx([1.0, 1.0, 1.0])


def test_the_last_step_may_be_tweedies(generator):
    """Denoising a single point gives that point, exactly."""
    score = lambda x, sigma: (3.0 - x) / sigma[:, None] ** 2
    run = annealed_langevin(
        score, torch.zeros(5, 1), torch.tensor([2.0, 0.5]), rate=0.1, n_steps=2, denoise=True,
        generator=generator,
    )  # fmt: skip
    states = list(run)
    assert len(states) == 5
    torch.testing.assert_close(states[-1], torch.full((5, 1), 3.0))


def test_no_gradient_leaks_and_the_callers_mode_is_kept():
    w = torch.ones(1, requires_grad=True)
    run = annealed_langevin(
        lambda x, s: -w * x, torch.zeros(2, 1), torch.tensor([1.0]), rate=0.1, n_steps=2
    )
    for x in run:
        assert not x.requires_grad
        assert torch.is_grad_enabled()


@pytest.mark.parametrize("rate", [0.0, -0.1, 2.0])
def test_a_rate_outside_its_range_is_refused(rate):
    with pytest.raises(ValueError, match="rate"):
        next(
            annealed_langevin(
                lambda x, s: -x, torch.zeros(1, 1), torch.ones(1), rate=rate, n_steps=1
            )
        )


@pytest.fixture(scope="module")
def samples():
    """Two thousand finished chains with exact scores."""
    torch.set_default_dtype(torch.float64)
    g = torch.Generator().manual_seed(1)
    sigmas = noise_ladder(6.0, 0.05, 24)
    start = 6.0 * torch.randn(2000, 2, generator=g)
    return last(
        annealed_langevin(
            exact(islands()), start, sigmas, rate=0.08, n_steps=25, denoise=True, generator=g
        )
    )


def test_annealing_gets_the_weights_of_the_modes_right(samples):
    share = (samples[:, 0] < 0).double().mean().item()
    assert abs(share - 0.8) < 5 * math.sqrt(0.8 * 0.2 / len(samples))


def test_annealing_recovers_the_moments_of_each_mode(samples):
    for k, centre in enumerate((-2.5, 2.5)):
        mine = samples[(samples[:, 0] < 0) == (k == 0)]
        n = len(mine)
        assert abs(mine[:, 0].mean() - centre) < 5 * 0.5 / math.sqrt(n)
        # 4 per cent: what the finite rate leaves, besides the Monte Carlo error
        assert abs(mine[:, 1].std() / 0.5 - 1) < 0.04 + 5 / math.sqrt(4 * n)


def test_annealed_samples_pass_a_two_sample_test(samples, generator):
    truth = islands().sample(500, generator=generator)
    kernel = lambda a, b: torch.exp(-(torch.cdist(a, b) ** 2) / 2)
    found = mmd_permutation_test(samples[:500], truth, kernel, generator=generator)
    assert found.p_value > 0.01


def test_one_small_level_leaves_the_weights_to_the_start(generator):
    law = islands()
    start = 6.0 * torch.randn(2000, 2, generator=generator)
    x = last(langevin(law.score, start, step_size=0.02, n_steps=600, generator=generator))
    share = (x[:, 0] < 0).double().mean().item()
    assert 0.4 < share < 0.6  # half of the starts lie on either side; the truth is 0.8
    right = x[x[:, 0] > 0][:300, 1]
    truth = law.sample(300, cond=torch.ones(300, dtype=torch.int64), generator=generator)[:, 1]
    assert wasserstein_1d(right, truth) < 0.1  # within one mode the chain is fine


def islands_ncsn() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.8, 0.2]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
    )


def make(**options) -> NCSN:
    net = LevelMLP(2, width=options.pop("width", 32), depth=2)
    return NCSN(net, noise_ladder(5.0, 0.1, 8), event_shape=(2,), **options)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 7.0])
def test_loss_is_denoising_score_matching_times_the_square_of_the_level(sigma):
    x0, eps, level = torch.randn(4, 3), torch.randn(4, 3), torch.full((4,), sigma)
    score = lambda x, s: -torch.sin(x) / s[:, None]
    expected = sigma**2 * dsm_loss(lambda x: score(x, level), x0, eps, sigma=sigma)
    torch.testing.assert_close(ncsn_loss(score, x0, eps, sigma=level), expected)


def test_loss_of_a_silent_network_does_not_depend_on_the_level():
    x0, eps = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]]).expand(3, 2)
    loss = ncsn_loss(lambda x, s: 0 * x, x0, eps, sigma=torch.tensor([0.01, 1.0, 50.0]))
    torch.testing.assert_close(loss, torch.full((3,), 12.5))


def test_weighted_floor_of_normal_data_lies_between_none_and_half_a_unit(generator):
    """D s^2 / (2 (s^2 + sigma^2)): all of 1/2 for little noise, nothing for much."""
    n = 100_000
    x0, eps = torch.randn(2, n, 1, generator=generator)
    for sigma in (0.1, 1.0, 10.0):
        level = torch.full((n,), sigma)
        values = ncsn_loss(lambda x, s: -x / (1 + s[:, None] ** 2), x0, eps, sigma=level)
        floor = 0.5 / (1 + sigma**2)
        assert abs(values.mean() - floor) < 5 * values.std() / math.sqrt(n)


def test_a_silent_network_leaves_the_score_of_a_normal_with_the_datas_size():
    model = make(data_std=1.7)
    torch.nn.init.zeros_(model.net.out.weight)
    torch.nn.init.zeros_(model.net.out.bias)
    x = torch.randn(3, 2)
    for sigma in (0.1, 1.0, 5.0):
        normal = Gaussian(torch.zeros(2), 1.7**2 * torch.eye(2)).noised(1.0, sigma)
        torch.testing.assert_close(model.score(x, torch.full((3,), sigma)), normal.score(x))


def test_what_is_left_to_the_network_has_the_same_size_at_every_level(generator):
    """Solve the model's equation for the network's output at the regression target."""
    law, sizes = islands_ncsn(), []
    for sigma in (0.1, 1.0, 5.0):
        eps = torch.randn(20_000, 2, generator=generator)
        x_t = law.sample(20_000, generator=generator) + sigma * eps
        silent = -x_t / (sigma**2 + 1.5**2)
        per_unit = 1.5 / (sigma * math.sqrt(sigma**2 + 1.5**2))
        target = (-eps / sigma - silent) / per_unit  # what f is regressed on
        sizes.append(target.square().mean().sqrt().item())
    assert all(0.8 < size < 1.25 for size in sizes)  # E x^2 is (4.25 + 0.25) / 2 = 1.5^2


def test_a_constant_output_counts_less_the_more_noise_there_is():
    model = make(data_std=2.0)
    torch.nn.init.zeros_(model.net.out.weight)
    torch.nn.init.ones_(model.net.out.bias)
    sigma = torch.tensor([0.1, 2.0])
    found = model.score(torch.zeros(2, 2), sigma)
    expected = 2 / (sigma * (sigma**2 + 4).sqrt())
    torch.testing.assert_close(found, expected[:, None].expand(2, 2))


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_weighing_by_the_data_makes_the_floor_the_same_everywhere(sigma, generator):
    """For N(0, 4) data it is a half, although the classic floor falls to nothing."""
    n = 100_000
    x0, eps = torch.randn(2, n, 1, generator=generator)
    level = torch.full((n,), sigma)
    exact = lambda x, s: -x / (4 + s[:, None] ** 2)
    values = ncsn_loss(exact, 2 * x0, eps, sigma=level, data_std=2.0)
    assert abs(values.mean() - 0.5) < 5 * values.std() / math.sqrt(n)


def test_the_model_weighs_by_its_data(generator):
    """A silent network is left with a target of size 1: half a unit for each of two numbers."""
    model = make(data_std=1.5)
    torch.nn.init.zeros_(model.net.out.weight)
    torch.nn.init.zeros_(model.net.out.bias)
    data = 1.5 * torch.randn(100_000, 2, generator=generator)
    assert abs(model.loss(data, generator=generator) - 1.0) < 0.02


def test_network_hears_its_level():
    net = LevelMLP(2, width=16, depth=1)
    x = torch.ones(2, 2)
    a, b = net(x, torch.tensor([0.1, 3.0]))
    assert not torch.allclose(a, b)


def test_network_takes_images_and_returns_images():
    net = LevelMLP(16, width=8, depth=1)
    assert net(torch.zeros(3, 1, 4, 4), torch.ones(3)).shape == (3, 1, 4, 4)


def test_network_refuses_events_of_another_size():
    with pytest.raises(ValueError, match="expected 16"):
        LevelMLP(16, width=8, depth=1)(torch.zeros(3, 2), torch.ones(3))


def test_training_visits_every_level_and_no_other(generator):
    model = make()
    seen = []
    net = model.net
    model.net.register_forward_hook(lambda module, inputs, out: seen.append(inputs[1]))
    for _ in range(40):
        model.loss(torch.zeros(16, 2), generator=generator)
    levels = torch.cat(seen).unique().flip(0)
    torch.testing.assert_close(levels, model.sigmas)
    assert net is model.net


def test_each_example_of_a_batch_has_a_level_of_its_own(generator):
    model, seen = make(), []
    model.net.register_forward_hook(lambda module, inputs, out: seen.append(inputs[1]))
    model.loss(torch.zeros(64, 2), generator=generator)
    assert len(seen[0].unique()) == len(model.sigmas)  # missing one: 8 (7/8)^64, one in 600


def test_sampling_starts_with_the_noise_of_the_highest_level(generator):
    model, seen = make(n_steps=1), []
    model.net.register_forward_hook(lambda module, inputs, out: seen.append(inputs))
    model.sample(4000, generator=generator)
    x, sigma = seen[0]
    assert (sigma == model.sigmas[0]).all()
    size = (x * (25 + 1) ** 0.5).square().mean().sqrt()  # undo the scaling of the input
    assert abs(size - 5) < 5 * 5 / math.sqrt(2 * 8000)


def test_loss_repeats_with_its_seed_and_leaves_the_global_state_alone():
    model, x = make(), torch.randn(6, 2)
    before = torch.get_rng_state()
    a, b = (model.loss(x, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert a == b
    assert torch.equal(before, torch.get_rng_state())


def test_samples_have_the_right_shape_and_repeat_with_their_seed():
    model = make(n_steps=2)
    a, b = (model.sample(5, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert a.shape == (5, 2)
    assert torch.equal(a, b)
    assert not a.requires_grad


def test_it_scores_and_samples_but_has_no_likelihood():
    model = make()
    _: Trainable = model
    __: Sampleable = model
    ___: HasScore = model
    assert isinstance(model, Trainable)
    assert isinstance(model, Sampleable)
    assert isinstance(model, HasScore)
    assert likelihood_kind(model) == "none"
    with pytest.raises(NoLikelihoodError):
        log_likelihood(model, torch.zeros(1, 2))


def test_conditions_are_refused():
    with pytest.raises(ValueError, match="cond must be None"):
        make().sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="cond must be None"):
        make().loss(torch.zeros(1, 2), cond=torch.zeros(1))


@pytest.mark.slow
def test_it_learns_the_score_at_every_level_and_the_weights_of_the_modes(generator):
    law = islands_ncsn()
    model = make(width=64, data_std=1.5, rate=0.3, n_steps=20)
    data = law.sample(20_000, generator=generator)
    batches = minibatches(data, 256, generator=generator)
    for _ in fit(model, batches, n_steps=800, lr=cosine(4e-3, 800), generator=generator):
        pass
    n = 4000
    for sigma in model.sigmas.tolist():
        level = torch.full((n,), sigma)
        x = law.noised(1.0, sigma).sample(n, generator=generator)
        true = score_from_x0(x, law.denoiser(x, 1.0, sigma), torch.ones(n), level)
        with torch.no_grad():
            error = (model.score(x, level) - true).square().mean()
        assert error < 0.12 * true.square().mean()
    samples = model.sample(2000, generator=generator)
    assert abs((samples[:, 0] < 0).double().mean() - 0.8) < 0.06  # the exact score gives 0.77
