"""Predictor-corrector: step rules, its two halves as special cases, what the corrector mends."""

import math

import pytest
import torch

from genlab.core import last
from genlab.metrics.kernel import median_bandwidth, rbf_kernel
from genlab.metrics.two_sample import mmd_permutation_test
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.exact_fields import exact_score
from genlab.score.predictor_corrector import (
    correct,
    level_step_size,
    predictor_corrector_sample,
    snr_step_size,
)
from genlab.score.sde import reverse_sde_sample
from genlab.score.sde_paths import VE, VP
from genlab.solvers import langevin


def seeded(seed=3):
    return torch.Generator().manual_seed(seed)


def test_push_is_the_stated_share_of_the_noise(generator):
    score, z = 30 * torch.randn(2, 50, 4, 2, generator=generator)
    eta = snr_step_size(score, z, snr=0.3)
    push = (eta * score).flatten(1).norm(dim=1).mean()
    noise = (math.sqrt(2 * eta) * z).flatten(1).norm(dim=1).mean()
    assert float(push / noise) == pytest.approx(0.3)


def test_step_follows_the_level_of_the_noise(generator):
    """Scores at noise sigma have size 1 / sigma: both rules then give steps like sigma^2."""
    eps, z = torch.randn(2, 50, 2, generator=generator)
    for rule in (
        lambda sigma: snr_step_size(-eps / sigma, z, snr=0.16),
        lambda sigma: level_step_size(torch.tensor(sigma), share=0.1),
    ):
        assert rule(0.5) / rule(0.1) == pytest.approx(25.0)


def test_without_corrector_it_is_the_reverse_equation():
    score = exact_score(Gaussian(torch.ones(2), 0.3 * torch.eye(2)), VP())
    x_T, ts = torch.randn(5, 2), torch.linspace(1, 0, 7)
    ours = predictor_corrector_sample(VP(), score, x_T, ts, n_corrector=0, generator=seeded())
    plain = reverse_sde_sample(VP(), score, x_T, ts, generator=seeded())
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


def test_without_predictor_it_is_langevin_on_a_ladder_of_levels():
    """Annealed Langevin written with the plain solver, level by level, on the same noise."""
    data, sde = Gaussian(torch.ones(2), 0.3 * torch.eye(2)), VE(0.1, 5.0)
    score, x, ts = exact_score(data, sde), torch.randn(5, 2), torch.tensor([1.0, 0.6, 0.2, 0.05])
    share = lambda t, s, z: level_step_size(sde.sigma(t), share=0.2)
    ours = predictor_corrector_sample(
        sde, score, x, ts, n_corrector=3, step_size=share, predict=False, generator=seeded()
    )
    generator, expected = seeded(), [x]
    for t in ts[1:]:
        law = data.noised(1.0, float(sde.sigma(t)))
        eta = 0.2 * float(sde.sigma(t)) ** 2
        chain = langevin(law.score, expected[-1], step_size=eta, n_steps=3, generator=generator)
        expected.append(last(chain))
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b)


def test_corrector_settles_at_the_law_of_its_level(generator):
    data, sde, n = Gaussian(torch.tensor([2.0]), torch.tensor([[0.09]])), VP(0.5, 3.0), 4000
    t = torch.tensor(0.5)
    law = data.noised(float(sde.alpha(t)), float(sde.sigma(t)))
    variance = float(law.cov)
    eta = 0.1 * variance
    x = last(
        correct(
            exact_score(data, sde), torch.zeros(n, 1), t,
            n_steps=80, step_size=lambda t, s, z: eta, generator=generator,
        )
    )  # fmt: skip
    # 80 steps forget the start up to 0.9^80 = 2e-4; the step biases the variance by 1/(1 - 0.05)
    settled = variance / (1 - 0.05)
    assert abs(x.mean().item() - float(law.mean)) < 5 * math.sqrt(variance / n) + 1e-3
    assert abs(x.var().item() - settled) < 5 * settled * math.sqrt(2 / n) + 1e-3


def test_corrector_mends_what_few_predictor_steps_break():
    """Ten coarse steps leave a Gaussian too wide; with Langevin at each level it is closer."""
    data, sde, n = Gaussian(torch.zeros(1), 0.04 * torch.eye(1)), VP(), 4000
    score, ts = exact_score(data, sde), torch.linspace(1, 0, 11) ** 2
    x_T = torch.randn(n, 1, generator=seeded(1))
    share = lambda t, s, z: level_step_size(
        (sde.alpha(t) ** 2 * 0.04 + sde.sigma(t) ** 2).sqrt(), share=0.2
    )
    gaps = []
    for k in (0, 4):
        x = last(
            predictor_corrector_sample(
                sde, score, x_T, ts, n_corrector=k, step_size=share, generator=seeded(2)
            )
        )
        gaps.append(abs(x.std().item() - 0.2))
    assert gaps[1] < 0.5 * gaps[0]


@pytest.mark.slow
def test_law_of_a_mixture_is_recovered(generator):
    data = GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.5, 0.0], [1.0, 0.5]]), torch.tensor([0.4, 0.6])
    )
    sde, n = VP(), 2000
    ts = torch.linspace(1, 0, 151) ** 2
    one = torch.tensor(1.0)
    x_T = data.noised(float(sde.alpha(one)), float(sde.sigma(one))).sample(n, generator=generator)
    x = last(predictor_corrector_sample(sde, exact_score(data, sde), x_T, ts, generator=generator))
    match = data.moment_match()
    spread = match.cov.diagonal().sqrt()
    assert bool(((x.mean(0) - match.mean).abs() < 5 * spread / math.sqrt(n) + 0.02).all())
    assert bool(((x.T.cov() - match.cov).abs() < 5 * spread**2 * math.sqrt(2 / n) + 0.03).all())
    real = data.sample(500, generator=generator)
    width = median_bandwidth(x[:500], real)
    kernel = lambda a, b: rbf_kernel(a, b, bandwidth=width)
    assert mmd_permutation_test(x[:500], real, kernel, generator=generator).p_value > 0.01


def test_impossible_requests_are_refused():
    x, ts = torch.zeros(2, 1), torch.linspace(1, 0, 3)
    with pytest.raises(ValueError, match="snr is 0"):
        snr_step_size(x, x, snr=0.0)
    with pytest.raises(ValueError, match="share is -1"):
        level_step_size(torch.tensor(1.0), share=-1.0)
    with pytest.raises(ValueError, match="n_corrector is -1"):
        predictor_corrector_sample(VP(), lambda x, t: -x, x, ts, n_corrector=-1)
