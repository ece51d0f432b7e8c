"""Energy-based models: the constant, both gradients, the chains, and the two ways round them."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.nn.functional import binary_cross_entropy_with_logits, softplus
from torch.testing import assert_close

from genlab.core import last
from genlab.core.stats import normal_log_prob
from genlab.oracles.continuous import Gaussian, GaussianMixture
from genlab.score.energy import (
    EBM,
    NCE,
    PersistentChains,
    annealed_importance,
    contrastive_loss,
    contrastive_negatives,
    log_mean_exp,
    log_partition,
    nce_logits,
    nce_loss,
    score_from_energy,
)
from genlab.solvers import mala

DX = 0.01
GRID = torch.linspace(-9, 9, 1801, dtype=torch.float64)
Z_QUARTIC = 2 * math.gamma(1.25)  # of exp(-x^4)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def within(values, expected):
    """Whether the mean of the draws is the expected one, within five standard errors."""
    return abs(values.mean() - expected) < 5 * values.std() / len(values) ** 0.5


# The constant


@pytest.mark.parametrize(
    ("energy", "z"),
    [
        (lambda x: (x - 1.3) ** 2 / 2, math.sqrt(2 * math.pi)),
        (lambda x: x**4, Z_QUARTIC),
        (lambda x: x.abs(), 2.0),
    ],
)
def test_a_grid_finds_the_known_constants(energy, z):
    # |x| has a kink, where the rule's error is dx^2 / 12 times the jump of the slope
    log_z = log_partition(energy(GRID), math.log(DX))
    assert log_z.exp().item() == pytest.approx(z, abs=3e-4)


def test_draws_estimate_the_constant_without_bias(generator):
    n, repeats = 50, 4000
    x = 2 * torch.randn(repeats, n, generator=generator)
    log_q = Normal(0.0, 2.0).log_prob(x)
    z_hat = log_partition(x**4, -log_q - math.log(n)).exp()
    assert within(z_hat, Z_QUARTIC)
    assert z_hat.log().mean() < math.log(Z_QUARTIC)  # Jensen: too low on average
    assert_close(log_mean_exp(-(x**4) - log_q), z_hat.log())


def test_huge_energies_do_not_overflow_and_no_points_are_refused():
    assert log_partition(torch.tensor([-2000.0, -2000.0]), 0.0) == pytest.approx(2000 + math.log(2))
    for none in (torch.zeros(0), torch.zeros(3, 0)):
        with pytest.raises(ValueError, match="n_points is 0"):
            log_partition(none, 0.0)
    log_w = torch.tensor([1.0, 3.0]).log()
    assert log_mean_exp(log_w).item() == pytest.approx(math.log(2))
    assert_close(log_mean_exp(log_w.expand(3, 4, 2)), torch.full((3, 4), math.log(2)))


# The two gradients


def test_the_slope_is_that_of_the_normalised_density_and_leaves_no_trace():
    p = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0, 0.5], [1.0, 0.0]]), torch.tensor([0.6, 0.9])
    )
    x = torch.randn(20, 2)
    with torch.no_grad():
        slope = score_from_energy(lambda x: -p.log_prob(x) + 17.0, x)  # an unknown constant
    assert_close(slope, p.score(x))
    assert not slope.requires_grad
    assert not x.requires_grad
    assert not score_from_energy(lambda x: (x**4).sum(1), x).requires_grad


def test_the_slope_can_itself_be_differentiated():
    x = torch.randn(5, 1, requires_grad=True)
    slope = score_from_energy(lambda x: (x**4).sum(1), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), x)
    assert_close(second, -12 * x.detach() ** 2)


def test_the_two_phases_give_the_gradient_of_the_likelihood():
    # theta_1 x^2 + theta_2 x^4: the negative phase by weighting the grid with the model's density,
    # the likelihood's own gradient by differentiating through log Z
    theta = torch.tensor([0.3, 0.2], requires_grad=True)
    energy = lambda x: theta[0] * x**2 + theta[1] * x**4
    data = torch.tensor([-1.2, 0.4, 0.5, 2.0])
    nll = energy(data).mean() + log_partition(energy(GRID), math.log(DX))
    (exact,) = torch.autograd.grad(nll, theta)
    negative = ((-energy(GRID)).softmax(0).detach() * energy(GRID)).sum()
    loss = contrastive_loss(energy(data), negative.expand(4)).mean()
    assert_close(torch.autograd.grad(loss, theta)[0], exact)


# The samples of the negative phase


@pytest.mark.parametrize("k", [1, 3, 10])
def test_negatives_have_gone_the_known_part_of_the_way(k, generator):
    n, mu, m, eta, v0 = 60_000, 2.0, -1.0, 0.2, 0.25
    weight = torch.ones((), requires_grad=True)
    x = m + v0**0.5 * torch.randn(n, 1, generator=generator)
    negatives = contrastive_negatives(
        lambda x: weight * (mu - x), x, step_size=eta, n_steps=k, generator=generator
    )
    end = 1 / (1 - eta / 2)  # where the variance settles
    variance = end + (1 - eta) ** (2 * k) * (v0 - end)
    assert within(negatives, mu + (1 - eta) ** k * (m - mu))
    assert abs(negatives.var() / variance - 1) < 5 * (2 / n) ** 0.5
    assert not negatives.requires_grad


def test_rows_are_different_and_states_go_back_to_them(generator):
    pool = PersistentChains(10, (3,), generator=generator)
    before = pool.states.clone()
    rows, states = pool.take(4, generator=generator)
    assert len(set(rows.tolist())) == 4
    assert_close(states, before[rows])
    pool.put(rows, states + 5)
    assert_close(pool.states[rows], before[rows] + 5)
    pool.put(rows, states.requires_grad_())
    assert not pool.states.requires_grad
    assert PersistentChains(1, (3,)).states.shape == (1, 3)
    pool.put(rows, states + 5)
    rest = [i for i in range(10) if i not in rows.tolist()]
    assert_close(pool.states[rest], before[rest])


def test_a_known_proportion_starts_afresh_and_the_pool_stays(generator):
    n, p = 20_000, 0.3
    pool = PersistentChains(n, (1,), start_std=2.0, p_restart=p, generator=generator)
    pool.put(torch.arange(n), torch.full((n, 1), 100.0))
    _, states = pool.take(n, generator=generator)
    fresh = states[states < 50]
    assert abs(len(fresh) / n - p) < 5 * (p * (1 - p) / n) ** 0.5
    assert abs(fresh.std() / 2.0 - 1) < 5 * (0.5 / len(fresh)) ** 0.5
    states.zero_()
    assert (pool.states == 100).all()


# The model


def tiny(n_chains=8, **options):
    torch.manual_seed(1)
    pool = PersistentChains(n_chains, (2,), generator=seeded())
    net = nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1))
    return EBM(net, event_shape=(2,), step_size=0.1, n_steps=3, chains=pool, **options)


def test_the_quadratic_confines():
    ebm, x = tiny(base_std=0.5), torch.randn(7, 2)
    assert_close(ebm.energy(x), ebm.energy_net(x).squeeze(1) + 2 * x.square().sum(1))


def test_the_loss_moves_the_chains_and_holds_the_negatives_still():
    # the gradient is that of the phases with the negatives as numbers, not through the chain
    ebm, twin = tiny(base_std=1.0, data_noise=0.3), tiny(base_std=1.0)
    x, g = torch.randn(8, 2), seeded(3)
    loss = ebm.loss(x, generator=seeded(3))
    noised = x + 0.3 * torch.randn(x.shape, generator=g)
    rows, states = twin.chains.take(8, generator=g)
    negatives = twin.walk(states, 3, g)
    expected = (twin.energy(noised) - twin.energy(negatives)).mean()
    assert_close(loss, expected)
    for model, value in ((ebm, loss), (twin, expected)):
        value.backward()
        assert model.energy_net[0].weight.grad is not None
    assert_close(ebm.energy_net[0].weight.grad, twin.energy_net[0].weight.grad)
    assert_close(ebm.chains.states[rows], negatives)


# Noise-contrastive estimation

LOG_Q = Normal(0.0, 1.5).log_prob(GRID)


class Quartic(nn.Module):
    def __init__(self, a=0.5, b=0.1):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([a, b]))

    def forward(self, x):
        return self.theta[0] * x**2 + self.theta[1] * x**4


@pytest.mark.parametrize("ratio", [1.0, 5.0])
def test_the_minimum_knows_the_constant(ratio):
    """In the mean over all draws, by quadrature, the loss is flat at the data's law, log Z too."""
    truth = torch.tensor([0.2, 0.3])
    energy = lambda t: t[0] * GRID**2 + t[1] * GRID**4
    log_z = log_partition(energy(truth), math.log(DX))
    guess = torch.cat([truth, log_z[None]]).requires_grad_()
    g = nce_logits(-energy(guess) - guess[2], LOG_Q, ratio=ratio)
    p, q = (-energy(truth) - log_z).exp(), LOG_Q.exp()
    loss = (p * softplus(-g) + ratio * q * softplus(g)).sum() * DX
    (slope,) = torch.autograd.grad(loss, guess)
    assert_close(slope, torch.zeros(3), rtol=0, atol=1e-12)


def test_one_example_pays_for_all_its_noise_and_extreme_logits_stay_finite():
    g_data, g_noise = torch.randn(4), torch.randn(4, 3)
    labels = torch.cat([torch.ones(4, 1), torch.zeros(4, 3)], 1)
    logits = torch.cat([g_data[:, None], g_noise], 1)
    loss = binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(1)
    assert_close(nce_loss(g_data, g_noise), loss)
    big = torch.tensor([1000.0])
    assert nce_loss(-big, big[:, None]).item() == pytest.approx(2000.0)


def test_the_model_is_unnormalised_and_uses_fresh_noise_at_the_ratio(generator):
    noise = Gaussian(torch.zeros(1), torch.eye(1))
    model = NCE(Quartic(), noise, ratio=3)
    assert model.log_z.item() == 0.0
    model.log_z.data.fill_(0.3)
    x = torch.randn(5, 1, generator=generator)
    log_q = Normal(0.0, 1.0).log_prob(x)
    log_odds = -(0.5 * x**2 + 0.1 * x**4) - 0.3 - log_q - math.log(3)
    assert_close(model.logits(x), log_odds.squeeze(1))
    drawn = noise.sample(15, generator=seeded(4))
    want = nce_loss(model.logits(x), model.logits(drawn).reshape(5, 3)).mean()
    assert_close(model.loss(x, generator=seeded(4)), want)


# Annealed importance sampling


def quartic(x):
    return (x**4).sum(1)


def wide(x):
    return normal_log_prob(x, 0.0, 1.0)


def annealed(x0, betas, energy=quartic, **options):
    return last(annealed_importance(wide, energy, x0, betas, **options))


@pytest.mark.parametrize(("n_mcmc", "step_size"), [(0, 0.1), (1, 0.05), (3, 0.3)])
def test_the_mean_weight_is_z_however_badly_the_chains_mix(n_mcmc, step_size, generator):
    x0 = torch.randn(20_000, 2, generator=generator)
    options = {"step_size": step_size, "n_mcmc": n_mcmc, "generator": generator}
    w = annealed(x0, torch.linspace(0, 1, 6), **options).log_w.exp()
    assert within(w, Z_QUARTIC**2)


NORMAL = Gaussian(torch.zeros(1), torch.eye(1))
ONE = torch.zeros(1, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: contrastive_negatives(wide, ONE, step_size=0.1, n_steps=0), "n_steps is 0"),
        (lambda: PersistentChains(0, (1,)), "expected"),
        (lambda: PersistentChains(3, (1,), p_restart=1.1), "expected"),
        (lambda: PersistentChains(3, (1,)).take(4), "n is 4"),
        (lambda: nce_logits(ONE[0], ONE[0], ratio=-1.0), "ratio is -1, expected > 0"),
        (lambda: NCE(Quartic(), NORMAL, ratio=0), "ratio is 0"),
        *(
            (lambda b=b: annealed(ONE, torch.tensor(b), step_size=0.1), r"betas (has shape|holds)")
            for b in ([0.0], [0.0, 1.2], [-0.1, 1.0], [0.0, math.nan])
        ),
    ],
)
def test_impossible_requests_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_samples_go_on_from_stored_chains():
    ebm = tiny()
    x = ebm.sample(4, generator=seeded(1))
    _, start = ebm.chains.take(4, generator=(again := seeded(1)))
    assert torch.equal(x, ebm.walk(start, 3, again))


def test_particles_take_adjusted_steps_along_the_slope_of_each_level():
    """The same walk with the plain solver and slopes by hand, on the same noise."""
    x, betas = torch.randn(6, 2, generator=seeded(1)), (0.0, 0.3, 1.0)
    options = {"step_size": 0.05, "n_mcmc": 3}
    ours = annealed_importance(
        wide, quartic, x, torch.tensor(betas), generator=seeded(2), **options
    )
    log_w, g, (start, *states) = torch.zeros(6), seeded(2), ours
    assert_close(start, (x, log_w))
    for (before, b), state in zip(pairwise(betas), states, strict=True):
        log_w = log_w + (b - before) * (-quartic(x) - wide(x))
        log_f = lambda x, b=b: (1 - b) * wide(x) - b * quartic(x)
        slope = lambda x, b=b: -(1 - b) * x - 4 * b * x**3
        x = last(mala(log_f, slope, x, step_size=0.05, n_steps=3, generator=g))
        assert_close(state, (x, log_w))


def test_one_step_between_two_levels_is_the_least_that_anneals():
    x, ends = torch.randn(5, 2, generator=seeded(1)), torch.tensor([0.0, 1.0])
    once = annealed(x, ends, step_size=0.1, generator=seeded(2))
    assert_close(once, annealed(x, ends, step_size=0.1, n_mcmc=1, generator=seeded(2)))
    assert not torch.equal(once.x, x)
