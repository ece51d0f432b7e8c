"""Score matching: every objective against quadrature, closed forms and the others."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mixtures import mixture
from scipy.stats import norm
from torch.testing import assert_close

from genlab.core import integrate, last, std_normal_log_prob
from genlab.oracles import Gaussian, GaussianMixture
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
    score_from_x0,
    sliced_loss,
    x0_from_score,
)
from genlab.train import cosine, fit, minibatches

GRID = torch.linspace(-14, 14, 4001, dtype=torch.float64)[:, None]


def correlated():
    return Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.6], [0.6, 0.5]]))


def wrong_score(x):
    """A model that is no density's exact answer here, with an asymmetric Jacobian in 2-D."""
    return torch.sin(x) - 0.3 * x + 0.2 * x.flip(1) ** 2


def mean_on_grid(p, values):
    """E[values] by quadrature."""
    return integrate(p.log_prob(GRID).exp() * values, GRID[:, 0])


def within(values, expected):
    """Whether the mean of the draws is the expected one, within five standard errors."""
    return abs(values.mean() - expected) < 5 * values.std() / math.sqrt(len(values))


# The objectives


@pytest.mark.parametrize("model", [wrong_score, torch.cos, lambda x: 2 * x])
def test_explicit_and_hyvarinen_differ_by_a_constant_of_the_data(model):
    p = mixture(((-1.5,), (1.0,)))
    gap = esm_loss(model, p.score, GRID) - hyvarinen_loss(model, GRID)
    constant = mean_on_grid(p, p.score(GRID)[:, 0] ** 2 / 2)
    assert_close(mean_on_grid(p, gap), constant, atol=1e-8, rtol=0)


def test_sliced_loss_averaged_over_all_signs_is_the_exact_trace():
    x = torch.randn(5, 3)
    matrix = torch.tensor([[1.0, 2.0, 0.0], [0.5, -1.0, 3.0], [0.0, 1.0, 1.0]])
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=3)))
    probes = signs[:, None, :].expand(-1, 5, -1)
    model = lambda x: torch.sin(x @ matrix)
    assert_close(sliced_loss(model, x, probes), hyvarinen_loss(model, x))


def test_the_denoising_target_is_the_slope_of_the_noise_kernel_at_the_noised_example():
    x0, eps, sigma = torch.randn(6, 3), torch.randn(6, 3), torch.rand(6) + 0.2

    def kernel_slope(x_t):
        log_q = -((x_t - x0) ** 2).sum(1) / (2 * sigma**2)
        return torch.autograd.grad(log_q.sum(), x_t)[0]

    found = dsm_loss(lambda x: kernel_slope(x.requires_grad_()), x0, eps, sigma=sigma)
    assert_close(found, torch.zeros(6), atol=1e-24, rtol=0)  # rounding, squared
    assert dsm_loss(lambda x: 0 * x, x0[:1], 0.5 + 0 * eps[:1], sigma=1.0).item() == 3 * 0.125


@pytest.mark.parametrize("model", [wrong_score, torch.cos, lambda x: 0 * x])
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_denoising_is_explicit_matching_of_the_noised_data_plus_its_floor(model, sigma):
    p = mixture(((-1.5,), (1.0,)))
    noised = p.noised(1.0, sigma)
    line = torch.linspace(-8, 8, 321)
    pairs = torch.cartesian_prod(line, line)  # (x0, eps): an integral over the plane
    x0, eps = pairs[:, :1], pairs[:, 1:]
    joint = (p.log_prob(x0) + std_normal_log_prob(eps)).exp() * (line[1] - line[0]) ** 2
    dsm = (joint * dsm_loss(model, x0, eps, sigma=sigma)).sum()
    explicit = mean_on_grid(noised, esm_loss(model, noised.score, GRID))
    floor = mean_on_grid(noised, dsm_floor(noised.score(GRID), sigma=sigma))
    assert_close(dsm, explicit + floor, atol=1e-7, rtol=1e-6)  # two quadratures


# Tweedie's formula

numbers = st.floats(0.1, 3.0)


@given(alpha=numbers, sigma=numbers)
def test_denoiser_of_a_mixture_from_its_noised_score_and_back(alpha, sigma):
    x = 3 * torch.randn(16, 2)
    a, s = torch.tensor(alpha), torch.tensor(sigma)
    score = mixture().noised(alpha, sigma).score(x)
    found = x0_from_score(x, score, a, s)
    assert_close(found, mixture().denoiser(x, alpha, sigma))
    assert_close(score_from_x0(x, found, a, s), score)


def test_covariance_of_normal_data_does_not_depend_on_where_it_is_asked():
    p, x, alpha, sigma = correlated(), torch.randn(4, 2), 0.6, 0.7
    precision = torch.linalg.inv(p.cov) + alpha**2 / sigma**2 * torch.eye(2)
    found = posterior_covariance(p.noised(alpha, sigma).score, x, alpha=alpha, sigma=sigma)
    assert_close(found, torch.linalg.inv(precision).expand(4, -1, -1))
    images = torch.randn(2, 1, 2, 2)
    found = posterior_covariance(lambda x: -x / 5, images, alpha=1.0, sigma=1.0)
    assert_close(found, (0.8 * torch.eye(4)).expand(2, -1, -1))  # I + J = 4/5 I


# The ladder and annealed Langevin


@given(high=st.floats(1.0, 50.0), low=st.floats(0.01, 0.9), n=st.integers(2, 30))
def test_a_ladder_falls_by_one_ratio_from_end_to_end(high, low, n):
    sigmas = noise_ladder(high, low, n)
    assert_close(sigmas[[0, -1]], torch.tensor([high, low]))
    ratios = sigmas[:-1] / sigmas[1:]
    assert_close(ratios, ratios[:1].expand(n - 1))
    assert (ratios > 1).all()


@pytest.mark.parametrize(("ratio", "d"), [(1.0, 2), (1.3, 2), (1.05, 64), (2.0, 64)])
def test_overlap_is_the_share_of_radii_within_three_deviations_of_the_level_above(ratio, d):
    # in high dimensions the radius of N(0, s^2 I) is about N(s sqrt(d), s^2 / 2)
    centre, width = ratio * math.sqrt(d), 3 * ratio / math.sqrt(2)
    radius = norm(math.sqrt(d), math.sqrt(0.5))
    share = radius.cdf(centre + width) - radius.cdf(centre - width)
    assert ladder_overlap(ratio, d) == pytest.approx(share, rel=1e-9, abs=1e-15)


def test_without_steps_the_state_is_only_denoised_and_without_that_not_touched():
    x, sigmas = torch.tensor([[9.0]]), torch.tensor([4.0, 0.5])
    run = lambda **more: list(annealed_langevin(point, x, sigmas, rate=1.0, n_steps=0, **more))
    assert run() == []
    (clean,) = run(denoise=True)
    assert_close(clean, torch.tensor([[3.0]]))


def point(x, sigma):
    """Score of one noised point, 3."""
    return (3.0 - x) / sigma[:, None] ** 2


def test_every_level_is_a_chain_that_starts_where_the_last_one_ended(generator):
    """Data: one point. The mean and variance of each level's chain obey a recursion."""
    n, rate, sigmas, seen = 40_000, 0.3, torch.tensor([4.0, 0.7]), []
    score = lambda x, sigma: seen.append(sigma) or point(x, sigma)
    x_T = 1.0 + 8.0 * torch.randn(n, 1, generator=generator)
    options = {"rate": rate, "n_steps": 2, "denoise": True, "generator": generator}
    states = list(annealed_langevin(score, x_T, sigmas, **options))
    assert [level[0].item() for level in seen] == [4.0, 4.0, 0.7, 0.7, pytest.approx(0.7)]
    mean, variance = 1.0, 64.0
    for x, sigma in zip(states, (4.0, 4.0, 0.7, 0.7), strict=False):
        mean = mean + rate * (3 - mean)
        variance = (1 - rate) ** 2 * variance + 2 * rate * sigma**2
        assert within(x, mean)
        # the variance of n normals has standard error v sqrt(2 / n)
        assert abs(x.var() - variance) < 5 * variance * math.sqrt(2 / n)
    assert_close(states[4], torch.full((n, 1), 3.0))  # denoising a single point gives that point


# The noise-conditional score network


def make(width=32, **options):
    net = LevelMLP(2, width=width, depth=2)
    return NCSN(net, noise_ladder(5.0, 0.1, 8), event_shape=(2,), **options)


def silent(bias=0.0, **options):
    """A model whose network answers with a constant."""
    model = make(**options)
    torch.nn.init.zeros_(model.net.out.weight)
    torch.nn.init.constant_(model.net.out.bias, bias)
    return model


def test_by_default_a_level_network_has_three_blocks_of_128_and_the_chain_ten_steps_a_level():
    net = LevelMLP(2)
    assert tuple(net.inp.weight.shape) == (128, 2)
    assert [tuple(layer.weight.shape) for layer in net.hears] == [(128, 32)] * 3
    model = NCSN(net, noise_ladder(2.0, 0.1, 4), event_shape=(2,))
    seen = watched(model)
    assert model.sample(3).shape == (3, 2)
    assert len(seen) == 4 * 10 + 1
    assert (model.data_std, model.rate) == (1.0, 0.1)


def test_a_level_network_is_a_residual_one_that_hears_the_level_in_every_block(generator):
    net, x = LevelMLP(4, width=8, depth=2), torch.randn(3, 2, 2, generator=generator)
    sigma = torch.tensor([0.1, 1.0, 3.0])
    for block in range(2):
        torch.nn.init.zeros_(net.writes[block].weight)
        torch.nn.init.zeros_(net.writes[block].bias)
    plain = net.out(net.inp(x.flatten(1))).reshape(3, 2, 2)
    assert_close(net(x, sigma), plain)  # closed blocks pass their input on
    for block in range(2):
        torch.nn.init.eye_(net.writes[block].weight)
        kept = {k: v.clone() for k, v in net.state_dict().items()}
        for layer in (net.reads[block], net.hears[block]):
            torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(net.reads[block].bias, 0.5)
        torch.nn.init.constant_(net.hears[block].bias, 1.5)  # 0.5 + 1.5 are heard by every unit
        raised = net.inp(x.flatten(1)) + torch.nn.functional.silu(torch.tensor(2.0))
        assert_close(net(x, sigma), net.out(raised).reshape(3, 2, 2))
        net.load_state_dict(kept)
        change = net(x, sigma) - net(x, 2 * sigma)
        assert float(change.detach().abs().min()) > 0
        torch.nn.init.zeros_(net.writes[block].weight)


def watched(model):
    """The inputs that the model's network is going to see."""
    seen = []
    model.net.register_forward_hook(lambda module, inputs, out: seen.append(inputs))
    return seen


@pytest.mark.parametrize("sigma", [0.1, 1.0, 7.0])
def test_loss_is_denoising_score_matching_times_the_square_of_the_level(sigma):
    x0, eps, level = torch.randn(4, 3), torch.randn(4, 3), torch.full((4,), sigma)
    score = lambda x, s: -torch.sin(x) / s[:, None]
    expected = sigma**2 * dsm_loss(lambda x: score(x, level), x0, eps, sigma=sigma)
    assert_close(ncsn_loss(score, x0, eps, sigma=level), expected)


def test_a_silent_network_leaves_the_score_of_normal_data_of_that_size(generator):
    model, x = silent(data_std=1.7), torch.randn(3, 2)
    for sigma in (0.1, 1.0, 5.0):
        normal = Gaussian(torch.zeros(2), 1.7**2 * torch.eye(2)).noised(1.0, sigma)
        assert_close(model.score(x, torch.full((3,), sigma)), normal.score(x))
    # it is left with a target of size 1: half a unit for each of two numbers
    data = 1.7 * torch.randn(100_000, 2, generator=generator)
    assert abs(model.loss(data, generator=generator) - 1.0) < 0.02


def test_training_visits_every_level_and_each_example_has_its_own(generator):
    model = make()
    seen = watched(model)
    model.loss(torch.zeros(640, 2), generator=generator)
    assert_close(seen[0][1].unique().flip(0), model.sigmas)


def test_sampling_starts_with_the_noise_of_the_highest_level(generator):
    model = make(n_steps=1)
    seen = watched(model)
    model.sample(4000, generator=generator)
    x, sigma = seen[0]
    assert (sigma == model.sigmas[0]).all()
    size = (x * (25 + 1) ** 0.5).square().mean().sqrt()  # undo the scaling of the input
    assert abs(size - 5) < 5 * 5 / math.sqrt(2 * 8000)


X = torch.zeros(1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dsm_loss(torch.cos, X, X, sigma=0.0), "sigma is 0, expected > 0"),
        (lambda: dsm_floor(X, sigma=-1.0), "sigma is -1, expected > 0"),
        (lambda: posterior_covariance(torch.cos, X, alpha=0.0, sigma=1.0), "alpha is 0"),
        (lambda: posterior_covariance(torch.cos, X, alpha=1.0, sigma=-1.0), "sigma is -1"),
        (lambda: ladder_overlap(0.9, 2), "ratio is 0.9"),
        (lambda: ladder_overlap(1.1, 0), "d is 0"),
        (lambda: noise_ladder(1.0, 1.0, 3), "expected"),
        (lambda: noise_ladder(1.0, 0.0, 3), "expected"),
        (lambda: noise_ladder(2.0, 1.0, 1), "expected"),
        *(
            (lambda r=r: last(annealed_langevin(point, X, X[0] + 1, rate=r, n_steps=1)), "rate")
            for r in (0.0, 2.0)
        ),
    ],
)
def test_impossible_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
def test_it_learns_the_score_at_every_level_and_the_weights_of_the_modes(generator):
    p = GaussianMixture(
        torch.tensor([0.8, 0.2]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.full((2,), 0.5)
    )
    n = 4000
    model = make(width=64, data_std=1.5, rate=0.3, n_steps=20)
    batches = minibatches(p.sample(20_000, generator=generator), 256, generator=generator)
    last(fit(model, batches, n_steps=800, lr=cosine(4e-3, 800), generator=generator))
    for sigma in model.sigmas.tolist():
        level = torch.full((n,), sigma)
        x = p.noised(1.0, sigma).sample(n, generator=generator)
        true = score_from_x0(x, p.denoiser(x, 1.0, sigma), torch.ones(n), level)
        with torch.no_grad():
            error = (model.score(x, level) - true).square().mean()
        assert error < 0.12 * true.square().mean()
    samples = model.sample(2000, generator=generator)
    assert abs((samples[:, 0] < 0).double().mean() - 0.8) < 0.06  # the exact score gives 0.77


def test_the_row_that_looks_perfect_is_not_the_best_answer(generator):
    """For N(0, 1) data and unit noise the best output at 2.5 is -1.25, not that row's -0.5."""
    x0, eps = torch.randn(2, 100_000, 1, generator=generator)
    near = (x0 + eps - 2.5).abs()[:, 0] < 0.05
    # 2.5 standard errors of about 1100 rows with spread 0.7, plus the width of the bin
    assert abs((-eps[near]).mean() + 1.25) < 0.08
