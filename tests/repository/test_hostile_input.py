"""What a notebook's user sees: a wrong input gets its right number or a sentence, never a figure.

The suite checks annotations and notebooks do not, so each call here is made unchecked.
"""

import math
import re

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from genlab import adversarial, core
from genlab.autoregressive.decoding import draw, generate_naive
from genlab.autoregressive.likelihood import token_log_probs
from genlab.core import last
from genlab.data import toys
from genlab.data.digits import from_unit
from genlab.data.moving import measure_motion
from genlab.flow.spline import rq_spline_forward, rq_spline_inverse, spline_parameters
from genlab.latent.vae import active_units
from genlab.metrics import coverage, distances
from genlab.metrics.coverage import inception_score
from genlab.metrics.distances import frechet_1d, kid
from genlab.nn import transformer
from genlab.score import edm, masked
from genlab.score.consistency import consistency_precondition, huber_distance
from genlab.score.diffusion import cosine_betas, ddpm_loss, ddpm_vlb, ddpm_vlb_term
from genlab.score.edm import edm_sigmas
from genlab.score.guidance import dynamic_threshold
from genlab.score.matching import dsm_floor, dsm_loss, ladder_overlap
from genlab.score.samplers import ddim_sample, log_snr_timesteps
from genlab.solvers import mcmc

pytestmark = pytest.mark.usefixtures("as_a_user")

NAN = math.nan
ROW, COLUMN = torch.zeros(3), torch.zeros(3, 1)
X = torch.linspace(-1, 1, 6).reshape(3, 2)
BAR = torch.linspace(0.95, 0.05, 10)
BETAS = torch.linspace(0.05, 0.3, 10)
Q, MASKED = torch.zeros(1, 1, 2, 4), torch.tensor([[True, False], [False, False]])


def spoiled(x, value=NAN):
    """A copy of `x` whose second number is `value`."""
    x = x.clone()
    x.view(-1)[1] = value
    return x


def half(x, t, *rest):
    return 0.5 * x


def wave(x):
    return torch.stack([x.sin(), x.cos(), 0.1 * x], -1)


def steps(*indices):
    return torch.tensor(indices)


REFUSED = {
    "relaxation_time: NaN": (
        lambda: mcmc.relaxation_time(spoiled(torch.eye(3))), "sums to nan, expected 1"),
    "relaxation_time: rows": (lambda: mcmc.relaxation_time(torch.eye(2) * 3), "sums to 3"),
    "normal_log_prob: (b, 1) and (b,)": (
        lambda: core.normal_log_prob(COLUMN, ROW, 1.0), r"\(3, 1\).*\(3, 3\)"),
    "memorization_probe: NaN rows": (
        lambda: coverage.memorization_probe(spoiled(X), X, X + 1), "fake holds nan"),
    "transport_prices: distance below 0": (
        lambda: distances.transport_prices(-torch.ones(3, 3), ROW + 1, ROW + 1),
        "distance holds -1"),
    "draw: NaN": (lambda: draw(spoiled(X), ROW), "softmax of the logits holds nan"),
    "draw: (b, 1) numbers": (lambda: draw(X, COLUMN), r"u \(3, 1\)"),
    "discriminator_loss": (
        lambda: adversarial.discriminator_loss(COLUMN, ROW), r"logits_real \(3, 1\)",
    ),
    "ddim_sample: t = -1": (
        lambda: last(ddim_sample(half, X, steps(9, 5, -1), alphas_bar=BAR)),
        r"timesteps holds -1, expected 0\.\.9"),
    "ddpm_vlb_term: t = -1": (
        lambda: ddpm_vlb_term(half, X, steps(0, 1, -1), X, betas=BETAS, variances=BETAS),
        "t holds -1"),
    "log_snr_timesteps: NaN": (lambda: log_snr_timesteps(spoiled(BAR), 4), "log_snr holds nan"),
    "log_snr_timesteps: rises": (lambda: log_snr_timesteps(BAR.flip(0), 4), "fall_of_alphas_bar"),
    "mala: NaN slope": (
        lambda: last(mcmc.mala(lambda x: -x.sum(1), lambda x: x * NAN, X, step_size=0.1,
                               n_steps=2)),
        "score holds nan"),
    "cosine_betas: largest": (lambda: cosine_betas(10, largest=2.0), r"largest in \(0, 1\), got"),
    "edm_sigmas: rho -1": (lambda: edm_sigmas(5, rho=-1.0), r"rho must lie in .*, got -1\.0"),
    "ddpm_loss: a model of other shape": (
        lambda: ddpm_loss(lambda x, t: x[:, :1], X, steps(0, 1, 2), X, alphas_bar=BAR),
        r"eps_hat \(3, 1\)"),
    "token_log_probs: more rows": (
        lambda: token_log_probs(torch.zeros(4, 2, 3), torch.zeros(3, 2).long()), r"\(4, 2\)"),
    "attention: a query without a key": (
        lambda: transformer.attention(Q, Q, Q, MASKED), "query 1 without a key"),
    "edm_denoise: sigma": (
        lambda: edm.edm_denoise(half, X, ROW - 1, sigma_data=0.5), "sigma holds -1"),
    "ladder_overlap: ratio": (lambda: ladder_overlap(-1.0, 8), "ratio is -1"),
    "active_units: NaN": (lambda: active_units(spoiled(X)), "mu holds nan"),
    "from_unit": (lambda: from_unit(spoiled(X)), "x holds nan"),
    "measure_motion": (lambda: measure_motion(spoiled(torch.rand(1, 8, 4, 4))), "videos holds nan"),
    "langevin: n_steps": (
        lambda: list(mcmc.langevin(lambda x: -x, X, step_size=0.1, n_steps=-1)), "n_steps is -1"),
    "generate_naive": (
        lambda: list(generate_naive(wave, torch.zeros(1, 1).long(), -1)), "n_new is -1"),
    "unmask_step: the mask is a token": (
        lambda: masked.unmask_step(
            steps(0, 1)[None], torch.zeros(1, 2, 3), ROW[None, :2], ROW[None, :2], 1.0, 0.5,
            mask=2),
        r"mask is 2, expected a number outside 0\.\.2"),
    "spline_parameters: bound": (lambda: spline_parameters(torch.zeros(8), -1.0), "bound is -1"),
    "dynamic_threshold: empty": (lambda: dynamic_threshold(X[:0]), "guess has shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_sentence_names_the_value_and_what_was_expected(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert re.search("expected|must|without a key", str(caught.value))


GREY = torch.tensor([[0, 3], [9, 4], [2, 2], [16, 7]])


OF_GREY = {
    "normal_log_prob": lambda x: core.normal_log_prob(x, 7.5, 1.5),
    "Moons": lambda x: toys.Moons().log_prob(x),
    "knn_radius": lambda x: coverage.knn_radius(x, 2),
    "kid": lambda x: kid(x, x + 3),
    "transport_plan": lambda x: distances.transport_plan(x[:2], ROW[:2] + 0.5, ROW[:2] + 0.5).moved,
    "dsm_loss": lambda x: dsm_loss(lambda y: -y, x, x, sigma=1.5),
    "inception_score": lambda x: inception_score(nn.functional.one_hot(x[:, 0].long()).to(x)),
}


@pytest.mark.parametrize("name", OF_GREY)
def test_grey_levels_count_as_real_numbers(name):
    of = OF_GREY[name]
    assert_close(of(GREY), of(GREY.double()), rtol=1e-12, atol=1e-12)


def test_a_spline_with_a_nan_parameter_is_nan_and_not_the_identity():
    raw = torch.zeros(3, 8)
    raw[:, 0] = NAN
    for spline in (rq_spline_forward, rq_spline_inverse):
        assert all(bool(out.isnan().all()) for out in spline(ROW + 0.5, *spline_parameters(raw, 4)))


def test_an_empty_batch_has_an_empty_answer():
    none = X[:0]
    assert huber_distance(none, none).shape == (0,)
    assert dsm_floor(none, sigma=1.0).shape == (0,)
    assert frechet_1d(ROW[:0], ROW[:0], ROW[:0], ROW[:0]).shape == (0,)
    assert consistency_precondition(ROW[:0], sigma_data=0.5).c_skip.shape == (0,)
    eps = X.new_zeros(10, 0, 2)
    assert ddpm_vlb(half, none, eps, betas=BETAS, variances=BETAS).shape == (0,)
