"""Samplers and estimators against what is known of them, over 200 seeds, at a stated error rate.

Every p-value of the table goes through Holm's procedure at a family-wise rate of one false alarm in
1,000 choices of the seeds; these are fixed, so that a red run can be repeated. That the tests would
notice is shown too: mistakes are planted, and each is rejected at the same level.
"""

import math

import pytest
import torch

from genlab.solvers.mcmc import langevin_step
from tests.statistics import cases

pytestmark = [pytest.mark.statistics, pytest.mark.usefixtures("as_a_user")]
FALSE_ALARMS = 1e-3  # of the whole table


def holm(p_values, rate):
    """Return the names that are rejected, at most `rate` of true hypotheses in one run of many."""
    rejected = []
    for i, name in enumerate(sorted(p_values, key=p_values.get)):
        if p_values[name] > rate / (len(p_values) - i):
            break
        rejected.append(name)
    return rejected


def test_no_sampler_or_estimator_leaves_its_law_and_the_p_values_are_uniform():
    found = {
        f"{name}: {what}": p
        for name, (draw, law) in cases.cases().items()
        for what, p in cases.p_values(name, draw, law).items()
    }
    assert not {name: found[name] for name in holm(found, FALSE_ALARMS)}
    # neither too small (a mistake just missed) nor too large (draws more even than chance)
    assert cases.kolmogorov(torch.tensor(list(found.values()))) > FALSE_ALARMS


def test_holm_rejects_the_smallest_one_by_one():
    assert holm({"a": 0.04, "b": 0.001, "c": 0.02}, 0.05) == ["b", "c", "a"]
    assert holm({"a": 0.04, "b": 0.001, "c": 0.03}, 0.05) == ["b"]


def test_the_test_is_that_of_scipy_and_its_own_p_values_are_uniform(generator):
    from scipy.stats import kstest

    u = torch.rand(200, 50, generator=generator)
    p = cases.kolmogorov(u)
    assert abs(kstest(u[3], "uniform").pvalue - float(p[3])) < 1e-9
    assert cases.kolmogorov(p) > 0.001


def half_noise(x, score, z, *, step_size, temperature=1.0):
    return langevin_step(x, score, z / math.sqrt(2), step_size=step_size, temperature=temperature)


def wider(how):
    """The same noise, a tenth too large."""
    return lambda *a, **k: 1.1 * how(*a, **k)


def eta_twice(x_t, eps_hat, z, a_t, a_s, *, eta=0.0):
    return REAL["samplers.ddim_step"](x_t, eps_hat, z, a_t, a_s, eta=eta**2)


def all_accepted(log_prob, score, x, z, u, *, step_size):
    return REAL["mcmc.mala_step"](log_prob, score, x, z, 0 * u, step_size=step_size)


def from_the_target(p, q):
    return p


def missing_log_k(log_w):
    return log_w.logsumexp(0)


def unclamped_draw(logits, u, *, check):
    return REAL["decoding.draw"](1.1 * logits, u, check=check)


def once_weighted(log_w):
    return (log_w.detach().softmax(0) * log_w).sum(0)


def with_the_diagonal(x, y, kernel):
    return kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()


def gaussian_probes(shape, *, like, generator=None):
    return torch.randn(tuple(shape), generator=generator, dtype=like.dtype)


def all_at_once(x_t, logits, u_when, u_what, t, s, **rest):
    return REAL["masked.unmask_step"](x_t, logits, 0 * u_when, u_what, t, s, **rest)


PLANTED = [  # what is replaced, by what, and the row that must reject it
    ("mcmc.langevin_step", half_noise, "mcmc.langevin"),
    ("stochastic.randn", wider, "solvers.euler_maruyama"),
    ("diffusion.randn", wider, "diffusion.ddpm_sample, small variance"),
    ("samplers.ddim_step", eta_twice, "samplers.ddim_sample, eta = 0.5"),
    ("mcmc.mala_step", all_accepted, "mcmc.mala, at rest"),
    ("speculative.residual", from_the_target, "speculative.speculative_sample, k = 1"),
    ("decoding.draw", unclamped_draw, "decoding.generate_naive"),
    ("masked.unmask_step", all_at_once, "masked.masked_sample, 3 steps"),
    ("elbo.log_mean_weight", missing_log_k, "elbo.importance_bound, 2 draws"),
    ("elbo.doubly_reparameterized", once_weighted, "elbo.doubly_reparameterized"),
    ("distances.mmd2", with_the_diagonal, "distances.kid, no difference"),
    ("ode.rademacher", gaussian_probes, "ode.hutchinson_divergence"),
]
REAL = {}


@pytest.mark.parametrize(("place", "wrong", "name"), PLANTED, ids=[row[0] for row in PLANTED])
def test_a_planted_mistake_is_rejected(place, wrong, name, monkeypatch):
    table = cases.cases()
    module, _, attribute = place.partition(".")
    module = getattr(cases, module)
    REAL[place] = getattr(module, attribute)
    monkeypatch.setattr(module, attribute, wrong(REAL[place]) if wrong is wider else wrong)
    found = cases.p_values(name, *table[name])
    assert min(found.values()) < FALSE_ALARMS / (2 * len(table))  # Holm's strictest
