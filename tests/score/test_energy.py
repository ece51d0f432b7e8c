"""Energies: both gradients, and the model around them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.functional import softplus

from genlab.core import last
from genlab.core.capabilities import (
    HasEnergy,
    NoLikelihoodError,
    Sampleable,
    Trainable,
    likelihood_kind,
    log_likelihood,
)
from genlab.core.stats import normal_log_prob, std_normal_log_prob
from genlab.oracles.continuous import Gaussian, GaussianMixture
from genlab.score.energy import (
    EBM,
    NCE,
    PersistentChains,
    ais_log_weight,
    annealed_importance,
    annealed_log_prob,
    contrastive_loss,
    contrastive_negatives,
    effective_sample_size,
    energy_penalty,
    log_mean_exp,
    log_partition,
    nce_logits,
    nce_loss,
    score_from_energy,
)

GRID = torch.linspace(-9, 9, 1801, dtype=torch.float64)
DX = 0.01


def tiny(**options):
    defaults = {"event_shape": (2,), "step_size": 0.1, "n_steps": 3}
    return EBM(nn.Sequential(nn.Linear(2, 8), nn.SiLU(), nn.Linear(8, 1)), **defaults | options)


_trainable: Trainable = tiny()
_sampleable: Sampleable = tiny()
_has_energy: HasEnergy = tiny()


# the gradient in x


def test_the_slope_is_that_of_the_normalised_density():
    p = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0, 0.5], [1.0, 0.0]]), torch.tensor([0.6, 0.9])
    )
    x = torch.randn(20, 2)
    energy = lambda x: -p.log_prob(x) + 17.0  # an energy with an unknown constant
    torch.testing.assert_close(score_from_energy(energy, x), p.score(x))


def test_the_slope_can_itself_be_differentiated():
    x = torch.randn(5, 1, requires_grad=True)
    slope = score_from_energy(lambda x: (x**4).sum(1), x, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), x)
    torch.testing.assert_close(second, -12 * x.detach() ** 2)


def test_the_slope_leaves_no_trace():
    x = torch.randn(5, 1)
    with torch.no_grad():
        slope = score_from_energy(lambda x: (x**2).sum(1), x)
    assert not slope.requires_grad
    assert not x.requires_grad


# the gradient in theta


def test_the_two_phases_give_the_gradient_of_the_likelihood():
    # theta_1 x^2 + theta_2 x^4: the negative phase by weighting the grid with the model's density,
    # the likelihood's own gradient by differentiating through log Z
    theta = torch.tensor([0.3, 0.2], requires_grad=True)
    energy = lambda x: theta[0] * x**2 + theta[1] * x**4
    data = torch.tensor([-1.2, 0.4, 0.5, 2.0])
    nll = energy(data).mean() + log_partition(energy(GRID), math.log(DX))
    (exact,) = torch.autograd.grad(nll, theta)
    weights = (-energy(GRID)).softmax(0).detach()
    negative = (weights * energy(GRID)).sum()
    (phases,) = torch.autograd.grad(
        contrastive_loss(energy(data), negative.expand(4)).mean(), theta
    )
    torch.testing.assert_close(phases, exact)


def test_the_positive_phase_pushes_the_energy_of_the_data_down():
    e = torch.tensor([1.0], requires_grad=True)
    contrastive_loss(e, torch.zeros(1)).sum().backward()
    assert e.grad.item() == 1  # descending the loss lowers it


# the model


def test_it_has_an_energy_and_no_likelihood():
    ebm = tiny()
    assert likelihood_kind(ebm) == "unnormalised"
    assert not hasattr(ebm, "log_prob")
    with pytest.raises(NoLikelihoodError, match="log Z"):
        log_likelihood(ebm, torch.zeros(1, 2))


def test_the_quadratic_confines():
    ebm = tiny(base_std=0.5)
    x = torch.randn(7, 2)
    torch.testing.assert_close(ebm.energy(x), tiny_net(ebm, x) + 2 * x.square().sum(1))


def tiny_net(ebm, x):
    return ebm.energy_net(x).squeeze(1)


@pytest.mark.parametrize("persistent", [False, True])
def test_loss_and_samples_repeat_with_their_seed(persistent, generator):
    def run():
        torch.manual_seed(1)
        g = torch.Generator().manual_seed(2)
        pool = PersistentChains(20, (2,), generator=g) if persistent else None
        ebm = tiny(chains=pool, base_std=1.0)
        loss = ebm.loss(torch.ones(8, 2), generator=g)
        return loss, ebm.sample(5, generator=g)

    (loss_a, x_a), (loss_b, x_b) = run(), run()
    assert torch.equal(loss_a, loss_b)
    assert torch.equal(x_a, x_b)
    assert x_a.shape == (5, 2)
    assert not x_a.requires_grad


def test_negatives_are_held_still():
    # the gradient is that of the phases with the negatives as numbers, not through the chain
    torch.manual_seed(0)
    ebm = tiny(base_std=1.0, n_steps=5)
    x = torch.randn(6, 2)
    ebm.loss(x, generator=torch.Generator().manual_seed(3)).backward()
    got = [p.grad.clone() for p in ebm.parameters()]
    g = torch.Generator().manual_seed(3)
    torch.randn(x.shape, generator=g)  # the data's noise, whose weight is zero
    negatives = ebm.walk(x, 5, g)
    loss = (ebm.energy(x) - ebm.energy(negatives)).mean()
    for have, want in zip(got, torch.autograd.grad(loss, list(ebm.parameters())), strict=True):
        torch.testing.assert_close(have, want)


def test_chains_stay_where_they_arrived():
    pool = PersistentChains(8, (2,), generator=torch.Generator().manual_seed(0))
    ebm = tiny(chains=pool)
    before = pool.states.clone()
    ebm.loss(torch.zeros(8, 2), generator=torch.Generator().manual_seed(0))
    assert (pool.states != before).all()


def test_persistent_chains_go_on_from_where_they_were():
    pool = PersistentChains(8, (2,), generator=torch.Generator().manual_seed(0))
    pool.put(torch.arange(8), torch.full((8, 2), 50.0))
    tiny(chains=pool).loss(torch.zeros(8, 2), generator=torch.Generator().manual_seed(0))
    assert pool.states.min() > 40  # three steps of 0.1 do not bring them to the data


def test_a_condition_is_refused():
    with pytest.raises(ValueError, match="unconditional"):
        tiny().sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="unconditional"):
        tiny().loss(torch.zeros(1, 2), cond=torch.zeros(1))


class Quadratic(nn.Module):
    """E = c/2 (x - m)^2: maximum likelihood has a closed form."""

    def __init__(self):
        super().__init__()
        self.m, self.log_c = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return 0.5 * self.log_c.exp() * (x - self.m) ** 2


@pytest.mark.slow
def test_persistent_chains_learn_mean_and_variance():
    from genlab.train import fit, minibatches

    g = torch.Generator().manual_seed(0)
    data = 1.5 + 0.7 * torch.randn(4000, 1, generator=g)
    pool = PersistentChains(1000, (1,), generator=g)
    ebm = EBM(Quadratic(), event_shape=(1,), step_size=0.05, n_steps=10, chains=pool)
    batches = minibatches(data, 500, generator=g)
    lr = lambda k: 0.05 * (1 - k / 400)
    for _ in fit(ebm, batches, n_steps=400, lr=lr, generator=g):
        pass
    # Monte Carlo noise of the phases, and the chain's own bias of eta c / 2 = 5 % in the variance
    assert abs(ebm.energy_net.m.item() - data.mean().item()) < 0.06
    assert abs(math.exp(-ebm.energy_net.log_c.item()) / data.var().item() - 0.95) < 0.1


N = 60_000


@pytest.mark.parametrize("k", [1, 3, 10])
def test_the_mean_of_the_negatives_has_gone_the_known_part_of_the_way(k, generator):
    mu, m, eta = 2.0, -1.0, 0.2
    x = m + 0.5 * torch.randn(N, 1, generator=generator)
    negatives = contrastive_negatives(
        lambda x: mu - x, x, step_size=eta, n_steps=k, generator=generator
    )
    expected = mu + (1 - eta) ** k * (m - mu)
    assert abs(negatives.mean() - expected) < 5 * negatives.std() / N**0.5


@pytest.mark.parametrize("k", [1, 4])
def test_the_variance_of_the_negatives_lies_between_data_and_chain(k, generator):
    eta, v0 = 0.3, 0.25
    x = v0**0.5 * torch.randn(N, 1, generator=generator)
    negatives = contrastive_negatives(
        lambda x: -x, x, step_size=eta, n_steps=k, generator=generator
    )
    end = 1 / (1 - eta / 2)  # where the variance of the unadjusted chain settles
    expected = end + (1 - eta) ** (2 * k) * (v0 - end)
    assert abs(negatives.var() / expected - 1) < 5 * (2 / N) ** 0.5


def test_negatives_carry_no_gradient():
    weight = torch.ones((), requires_grad=True)
    x = contrastive_negatives(lambda x: -weight * x, torch.ones(2, 1), step_size=0.1, n_steps=2)
    assert not x.requires_grad


def test_less_than_one_step_is_refused():
    with pytest.raises(ValueError, match="expected at least 1"):
        contrastive_negatives(lambda x: -x, torch.ones(1, 1), step_size=0.1, n_steps=0)


@given(a=st.floats(-5, 5), b=st.floats(-5, 5))
def test_the_penalty_pulls_both_energies_to_zero(a, b):
    e = torch.tensor([a], requires_grad=True)
    f = torch.tensor([b], requires_grad=True)
    energy_penalty(e, f).sum().backward()
    assert (e.grad.item(), f.grad.item()) == pytest.approx((2 * a, 2 * b))


def test_rows_are_different_and_states_go_back_to_them(generator):
    pool = PersistentChains(10, (3,), generator=generator)
    before = pool.states.clone()
    rows, states = pool.take(4, generator=generator)
    assert len(set(rows.tolist())) == 4
    torch.testing.assert_close(states, before[rows])
    pool.put(rows, states + 5)
    torch.testing.assert_close(pool.states[rows], before[rows] + 5)
    rest = [i for i in range(10) if i not in rows.tolist()]
    torch.testing.assert_close(pool.states[rest], before[rest])


def test_taking_does_not_move_the_pool(generator):
    pool = PersistentChains(10, (3,), p_restart=1.0, generator=generator)
    before = pool.states.clone()
    _, states = pool.take(10, generator=generator)
    states.zero_()
    torch.testing.assert_close(pool.states, before)


def test_a_known_share_starts_afresh(generator):
    n, share = 20_000, 0.3
    pool = PersistentChains(n, (1,), start_std=2.0, p_restart=share, generator=generator)
    pool.put(torch.arange(n), torch.full((n, 1), 100.0))
    _, states = pool.take(n, generator=generator)
    fresh = states[states < 50]
    assert abs(len(fresh) / n - share) < 5 * (share * (1 - share) / n) ** 0.5
    assert abs(fresh.std() / 2.0 - 1) < 5 * (0.5 / len(fresh)) ** 0.5


def test_the_pool_is_saved_with_the_model(generator):
    pool = PersistentChains(5, (2,), generator=generator)
    other = PersistentChains(5, (2,), generator=generator)
    other.load_state_dict(pool.state_dict())
    torch.testing.assert_close(other.states, pool.states)


@pytest.mark.parametrize(("n_chains", "p_restart"), [(0, 0.0), (3, -0.1), (3, 1.1)])
def test_impossible_pools_are_refused(n_chains, p_restart):
    with pytest.raises(ValueError, match="expected at least 1 and in"):
        PersistentChains(n_chains, (1,), p_restart=p_restart)


def test_more_rows_than_chains_are_refused():
    with pytest.raises(ValueError, match="at most the pool's 3"):
        PersistentChains(3, (1,)).take(4)


LOG_Q = -0.5 * (GRID / 1.5) ** 2 - math.log(1.5) - 0.5 * math.log(2 * math.pi)


class Quartic(nn.Module):
    def __init__(self, a=0.5, b=0.1):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([a, b]))

    def forward(self, x):
        return self.theta[0] * x**2 + self.theta[1] * x**4


def population_loss(log_model, log_data, ratio):
    g = nce_logits(log_model, LOG_Q, ratio=ratio)
    per_point = log_data.exp() * softplus(-g) + ratio * LOG_Q.exp() * softplus(g)
    return per_point.sum() * DX


@pytest.mark.parametrize("ratio", [1.0, 5.0])
def test_the_minimum_knows_the_constant(ratio):
    energy = lambda t: t[0] * GRID**2 + t[1] * GRID**4
    truth = torch.tensor([0.2, 0.3])
    log_z = torch.logsumexp(-energy(truth), 0) + math.log(DX)
    log_data = -energy(truth) - log_z
    guess = torch.tensor([0.5, 0.1, 0.0], requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [guess], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure():
        optimizer.zero_grad()
        loss = population_loss(-energy(guess) - guess[2], log_data, ratio)
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(guess[:2].detach(), truth, rtol=0, atol=1e-5)
    assert guess[2].item() == pytest.approx(log_z.item(), abs=1e-5)


@given(shift=st.floats(-1, 1).filter(lambda s: abs(s) > 0.05))
def test_a_wrong_constant_raises_the_loss(shift):
    log_data = -0.5 * GRID**2 - 0.5 * math.log(2 * math.pi)
    right = population_loss(log_data, log_data, 1.0)
    assert population_loss(log_data + shift, log_data, 1.0) > right


def test_the_optimal_logit_is_the_posterior_of_the_label():
    # Bayes: with nu noise draws for each example, P(data | x) = p / (p + nu q)
    p, q, nu = 0.3, 0.2, 4.0
    g = nce_logits(torch.tensor(p).log(), torch.tensor(q).log(), ratio=nu)
    assert g.sigmoid().item() == pytest.approx(p / (p + nu * q))


def test_one_example_pays_for_all_its_noise():
    g_data, g_noise = torch.randn(4), torch.randn(4, 3)
    labels = torch.cat([torch.ones(4, 1), torch.zeros(4, 3)], 1)
    logits = torch.cat([g_data[:, None], g_noise], 1)
    loss = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(1)
    torch.testing.assert_close(nce_loss(g_data, g_noise), loss)


def test_extreme_logits_stay_finite():
    big = torch.tensor([1000.0])
    assert nce_loss(-big, big[:, None]).item() == pytest.approx(2000.0)


def test_the_model_is_unnormalised_and_trainable():
    model = NCE(Quartic(), Gaussian(torch.zeros(1), torch.eye(1)))
    _: Trainable = model
    _e: HasEnergy = model
    assert likelihood_kind(model) == "unnormalised"


def test_its_loss_uses_fresh_noise_at_the_ratio(generator):
    noise = Gaussian(torch.zeros(1), torch.eye(1))
    model = NCE(Quartic(), noise, ratio=3)
    x = torch.randn(5, 1, generator=generator)
    loss = model.loss(x, generator=torch.Generator().manual_seed(4))
    drawn = noise.sample(15, generator=torch.Generator().manual_seed(4))
    want = nce_loss(model.logits(x), model.logits(drawn).reshape(5, 3)).mean()
    torch.testing.assert_close(loss, want)


@pytest.mark.parametrize("ratio", [0.0, -1.0])
def test_ratios_that_mean_nothing_are_refused(ratio):
    with pytest.raises(ValueError, match="expected > 0"):
        nce_logits(torch.zeros(1), torch.zeros(1), ratio=ratio)


def test_models_refuse_no_noise_and_conditions():
    noise = Gaussian(torch.zeros(1), torch.eye(1))
    with pytest.raises(ValueError, match="expected at least 1"):
        NCE(Quartic(), noise, ratio=0)
    with pytest.raises(ValueError, match="unconditional"):
        NCE(Quartic(), noise).loss(torch.zeros(1, 1), cond=torch.zeros(1))


@pytest.mark.slow
def test_training_recovers_log_z():
    from genlab.train import fit, minibatches

    g = torch.Generator().manual_seed(0)
    data = 0.8 * torch.randn(20_000, 1, generator=g)  # E = x^2 / 1.28, Z = .8 sqrt(2 pi)
    model = NCE(Quartic(0.4, 0.01), Gaussian(torch.zeros(1), 2.0 * torch.eye(1)), ratio=2)
    lr = lambda k: 0.03 * (1 - k / 600)
    for _ in fit(model, minibatches(data, 1000, generator=g), n_steps=600, lr=lr, generator=g):
        pass
    x = torch.linspace(-3, 3, 13)[:, None]
    log_p = (-model.energy(x) - model.log_z).detach()
    exact = torch.distributions.Normal(0.0, 0.8).log_prob(x).squeeze(1)
    near = x.squeeze(1).abs() < 2
    # 20,000 examples fix a log-density to a few hundredths in the bulk
    assert (log_p - exact)[near].abs().max() < 0.1


@pytest.mark.parametrize(
    ("energy", "z"),
    [
        (lambda x: x**2 / 2, math.sqrt(2 * math.pi)),
        (lambda x: (x - 1.3) ** 2 / 2, math.sqrt(2 * math.pi)),
        (lambda x: x**4, 2 * math.gamma(1.25)),
        (lambda x: x.abs(), 2.0),
    ],
)
def test_a_grid_finds_the_known_constants(energy, z):
    # |x| has a kink, where the rule's error is dx^2 / 12 times the jump of the slope
    log_z = log_partition(energy(GRID), math.log(DX))
    assert log_z.exp().item() == pytest.approx(z, abs=3e-4)


def test_enumeration_is_the_same_sum():
    states = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 4)
    coupling = 0.5 * (states[:, :-1] * states[:, 1:]).sum(1)  # an open chain of spins
    assert log_partition(-coupling, 0.0).exp().item() == pytest.approx(
        2 * (2 * math.cosh(0.5)) ** 3
    )


def test_draws_estimate_the_constant_without_bias(generator):
    n, repeats = 50, 4000
    x = 2 * torch.randn(repeats, n, generator=generator)
    log_q = -0.5 * (x / 2) ** 2 - math.log(2) - 0.5 * math.log(2 * math.pi)
    z_hat = log_partition(x**4, -log_q - math.log(n)).exp()
    assert abs(z_hat.mean() - 2 * math.gamma(1.25)) < 5 * z_hat.std() / repeats**0.5
    # and the logarithm is too low on average (Jensen)
    assert z_hat.log().mean() < math.log(2 * math.gamma(1.25))


def test_uniform_draws_weigh_the_volume(generator):
    x = 3 * (2 * torch.rand(200_000, generator=generator) - 1)
    z_hat = log_partition(x**4, math.log(6 / len(x))).exp()
    std = 6 * torch.exp(-(x**4)).std() / len(x) ** 0.5
    assert abs(z_hat - 2 * math.gamma(1.25)) < 5 * std


@given(shift=st.floats(-50, 50))
def test_a_constant_in_the_energy_goes_into_the_constant(shift):
    plain = log_partition(GRID**2 / 2, math.log(DX))
    moved = log_partition(GRID**2 / 2 + shift, math.log(DX))
    assert moved.item() == pytest.approx(plain.item() - shift, abs=1e-10)


def test_huge_energies_do_not_overflow():
    assert log_partition(torch.tensor([-2000.0, -2000.0]), 0.0) == pytest.approx(2000 + math.log(2))


def test_no_points_are_refused():
    with pytest.raises(ValueError, match="expected at least one"):
        log_partition(torch.zeros(0), 0.0)


@given(shift=st.floats(-500, 500))
def test_the_mean_is_taken_before_the_logarithm(shift):
    log_w = torch.tensor([1.0, 3.0]).log() + shift
    assert log_mean_exp(log_w).item() == pytest.approx(math.log(2) + shift)


def test_equal_weights_all_count_and_one_heavy_one_counts_alone():
    assert effective_sample_size(torch.full((7,), -900.0)).item() == pytest.approx(7)
    assert effective_sample_size(torch.tensor([0.0, -800.0])).item() == pytest.approx(1)
    assert effective_sample_size(torch.tensor([3.0, 1.0]).log()).item() == pytest.approx(1.6)


LOG_Z = math.log(2 * math.gamma(1.25))  # of one coordinate of E = sum x^4


def quartic(x):
    return (x**4).sum(1)


def wide(x):
    return normal_log_prob(x, 0.0, 1.0)


@pytest.mark.parametrize(("n_mcmc", "step_size"), [(0, 0.1), (1, 0.05), (3, 0.3)])
def test_the_mean_weight_is_z_however_badly_the_chains_mix(n_mcmc, step_size, generator):
    n, d = 20_000, 2
    x0 = torch.randn(n, d, generator=generator)
    walk = annealed_importance(
        wide, quartic, x0, torch.linspace(0, 1, 6), step_size=step_size, n_mcmc=n_mcmc,
        generator=generator,
    )  # fmt: skip
    w = last(walk).log_w.exp()
    assert abs(w.mean() - math.exp(d * LOG_Z)) < 5 * w.std() / n**0.5


def test_the_mean_log_weight_is_below_and_the_way_back_above(generator):
    n, d = 2000, 10
    betas = torch.linspace(0, 1, 11)
    up = last(
        annealed_importance(wide, quartic, torch.randn(n, d, generator=generator), betas,
                            step_size=0.05, generator=generator)
    )  # fmt: skip
    exact = exact_quartic(n, d, generator)
    down = last(
        annealed_importance(wide, quartic, exact, betas.flip(0), step_size=0.05,
                            generator=generator)
    )  # fmt: skip
    assert up.log_w.mean() < d * LOG_Z < -down.log_w.mean()
    for estimate, sign in ((up.log_w, 1), (down.log_w, -1)):
        w = (estimate - sign * d * LOG_Z).exp()  # mean 1 in both directions
        assert abs(w.mean() - 1) < 5 * w.std() / n**0.5


def exact_quartic(n, d, generator):
    """|x|^4 is Gamma(1/4): exact draws from the density proportional to exp(-x^4)."""
    torch.manual_seed(int(torch.randint(2**30, (1,), generator=generator)))
    size = torch.distributions.Gamma(0.25, 1.0).sample((n, d)) ** 0.25
    return size * (2 * torch.randint(0, 2, (n, d), generator=generator) - 1)


def test_one_jump_is_plain_importance_sampling(generator):
    x0 = torch.randn(50, 3, generator=generator)
    end = last(annealed_importance(wide, quartic, x0, torch.tensor([0.0, 1.0]), step_size=0.1))
    torch.testing.assert_close(end.log_w, -quartic(x0) - wide(x0))


def test_weights_are_equal_when_the_base_is_the_target(generator):
    x0 = torch.randn(50, 3, generator=generator)
    end = last(
        annealed_importance(wide, lambda x: -wide(x) + 4.0, x0, torch.linspace(0, 1, 7),
                            step_size=0.3, generator=generator)
    )  # fmt: skip
    torch.testing.assert_close(end.log_w, torch.full((50,), -4.0))


def test_more_levels_bring_the_bound_up(generator):
    def bound(k):
        x0 = torch.randn(400, 20, generator=generator)
        walk = annealed_importance(
            wide, quartic, x0, torch.linspace(0, 1, k), step_size=0.03, generator=generator
        )
        return last(walk).log_w.mean().item()

    assert bound(2) < bound(10) < bound(60) < 20 * LOG_Z + 0.1


def test_particles_end_at_the_target(generator):
    # chains that mix well: after the last level the moments are those of exp(-x^4)
    x0 = torch.randn(20_000, 1, generator=generator)
    end = last(
        annealed_importance(wide, quartic, x0, torch.linspace(0, 1, 21), step_size=0.1, n_mcmc=5,
                            generator=generator)
    )  # fmt: skip
    square = math.gamma(0.75) / math.gamma(0.25)
    assert abs(end.x.square().mean() - square) < 5 * end.x.square().std() / 20_000**0.5


def test_a_step_size_may_depend_on_the_level():
    seen = []

    def step_size(beta):
        seen.append(beta)
        return 0.1

    walk = annealed_importance(
        wide, quartic, torch.zeros(2, 1), torch.linspace(0, 1, 4), step_size=step_size
    )
    assert [round(state.beta, 6) for state in walk] == [0, 0.333333, 0.666667, 1]
    assert seen == pytest.approx([1 / 3, 2 / 3, 1])


@given(beta=st.floats(0, 1), later=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_weight_is_the_ratio_of_two_levels(beta, later, seed):
    g = torch.Generator().manual_seed(seed)
    x, w = torch.randn(4, 2, generator=g), torch.randn(4, generator=g)
    log_q, energy = std_normal_log_prob(x), quartic(x)
    step = ais_log_weight(w, log_q, energy, beta=beta, beta_next=later) - w
    ratio = annealed_log_prob(log_q, energy, beta=later) - annealed_log_prob(
        log_q, energy, beta=beta
    )
    torch.testing.assert_close(step, ratio)


def test_the_ends_of_the_path_are_the_two_laws():
    log_q, energy = torch.tensor([-1.0]), torch.tensor([5.0])
    assert annealed_log_prob(log_q, energy, beta=0.0).item() == -1
    assert annealed_log_prob(log_q, energy, beta=1.0).item() == -5


@pytest.mark.parametrize("betas", [[0.0], [0.0, 1.2], [-0.1, 1.0]])
def test_paths_that_lead_nowhere_are_refused(betas):
    with pytest.raises(ValueError, match="at least two numbers"):
        annealed_importance(wide, quartic, torch.zeros(1, 1), torch.tensor(betas), step_size=0.1)
