"""What a notebook's user sees: a wrong input gets its right number or a sentence, never a figure.

The suite checks annotations and notebooks do not, so each call here is made unchecked.
"""

import math
import re

import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from torch.testing import assert_close

from genlab import adversarial, core
from genlab.adversarial.games import play
from genlab.adversarial.gan import wgan_critic_loss
from genlab.autoregressive.decoding import draw, generate_cached, generate_naive, write_until
from genlab.autoregressive.likelihood import sequence_log_prob, token_log_probs
from genlab.core import last
from genlab.data.captions import measure_colour, measure_slant, measure_stroke
from genlab.data.digits import from_unit
from genlab.data.moving import measure_motion
from genlab.flow.dequantization import pixel_histograms
from genlab.flow.spline import rq_spline_forward, rq_spline_inverse, spline_parameters
from genlab.flow.transforms import affine_forward, affine_inverse
from genlab.latent.em import ppca_m_step, ppca_ml
from genlab.latent.vae import active_units, kl_annealing
from genlab.metrics import calibration, coverage, distances
from genlab.metrics.distances import energy_distance, frechet_1d, frechet_distance, kid, rbf_kernel
from genlab.nn.attention import attention
from genlab.score import edm, masked
from genlab.score.consistency import consistency_precondition, huber_distance
from genlab.score.diffusion import cosine_betas, ddpm_loss, ddpm_sample, ddpm_vlb, ddpm_vlb_term
from genlab.score.edm import edm_sigmas
from genlab.score.energy import annealed_importance, contrastive_loss, nce_logits, nce_loss
from genlab.score.flow_matching import straightness
from genlab.score.guidance import dynamic_threshold
from genlab.score.matching import annealed_langevin, dsm_floor, dsm_loss, ladder_overlap, ncsn_loss
from genlab.score.samplers import ddim_invert, ddim_sample, dpm_solver_sample, log_snr_timesteps
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
    "relaxation_time: one state": (lambda: mcmc.relaxation_time(torch.ones(1, 1)), "2 rows or"),
    "stationary: rows": (lambda: mcmc.stationary(torch.eye(2) * 3), "sums to 3"),
    "stationary: empty": (lambda: mcmc.stationary(torch.zeros(0, 0)), r"\(0, 0\)"),
    "langevin_matrix: one slope": (
        lambda: mcmc.langevin_matrix(torch.ones(1), X[:, 0], step_size=9.0),
        r"x has shape \(3,\), expected \(1,\)"),
    "normal_log_prob: (b, 1) and (b,)": (
        lambda: core.normal_log_prob(COLUMN, ROW, 1.0), r"\(3, 1\).*\(3, 3\)"),
    "memorization_probe: NaN rows": (
        lambda: coverage.memorization_probe(spoiled(X), X, X + 1), "fake holds nan"),
    "memorization_probe: NaN column": (
        lambda: coverage.memorization_probe(X, spoiled(X), X + 1), "train holds nan"),
    "precision_recall: NaN": (
        lambda: coverage.precision_recall(X, spoiled(X), k=1), "features holds nan"),
    "density_coverage: NaN": (
        lambda: coverage.density_coverage(X, spoiled(X), k=1), "features holds nan"),
    "sbc_ranks: NaN": (lambda: calibration.sbc_ranks(spoiled(X), X[:, None]), "theta holds nan"),
    "transport_plan: empty": (
        lambda: distances.transport_plan(torch.zeros(0, 0), ROW[:0], ROW[:0]), "1 rows or more"),
    "transport_prices: distance below 0": (
        lambda: distances.transport_prices(-torch.ones(3, 3), ROW + 1, ROW + 1),
        "distance holds -1"),
    "frechet_1d: (b, 1) and (b,)": (
        lambda: frechet_1d(ROW, ROW, COLUMN, ROW), r"mu2 has shape \(3, 1\)"),
    "draw: NaN": (lambda: draw(spoiled(X), ROW), "softmax of the logits holds nan"),
    "draw: all forbidden": (lambda: draw(X - torch.inf, ROW), "softmax of the logits holds nan"),
    "draw: +inf": (lambda: draw(spoiled(X, math.inf), ROW), "softmax of the logits holds nan"),
    "draw: (b, 1) numbers": (lambda: draw(X, COLUMN), r"u has shape \(3, 1\)"),
    "discriminator_loss": (
        lambda: adversarial.discriminator_loss(COLUMN, ROW), r"logits_real has shape \(3, 1\)",
    ),
    "wgan_critic_loss": (lambda: wgan_critic_loss(COLUMN, ROW), r"f_real has shape \(3, 1\)"),
    "optimal_logits": (
        lambda: adversarial.optimal_logits(COLUMN, ROW), r"log_p has shape \(3, 1\)"),
    "contrastive_loss": (lambda: contrastive_loss(COLUMN, ROW), r"energy_data has shape \(3, 1\)"),
    "nce_logits": (lambda: nce_logits(COLUMN, ROW, ratio=1.0), r"since log_model has \(3, 1\)"),
    "nce_loss": (lambda: nce_loss(COLUMN, X), r"logits_data has shape \(3, 1\)"),
    "annealed_importance": (
        lambda: last(annealed_importance(
            lambda x: x[:, :1], lambda x: x[:, 0], X, ROW[:2], step_size=0.1)),
        r"log_base \(3, 1\)"),
    "affine_forward": (lambda: affine_forward(COLUMN, ROW, ROW), r"since z has \(3, 1\)"),
    "affine_inverse": (lambda: affine_inverse(COLUMN, ROW, ROW), r"since x has \(3, 1\)"),
    "ddim_sample: t = -1": (
        lambda: last(ddim_sample(half, X, steps(9, 5, -1), alphas_bar=BAR)),
        r"timesteps holds -1, expected 0\.\.9"),
    "ddim_invert: t = -1": (
        lambda: last(ddim_invert(half, X, steps(9, 5, -1), alphas_bar=BAR)), "holds -1"),
    "dpm_solver_sample: t = -1": (
        lambda: last(dpm_solver_sample(half, X, steps(9, 5, -1), alphas_bar=BAR)), "holds -1"),
    "ddpm_vlb_term: t = -1": (
        lambda: ddpm_vlb_term(half, X, steps(0, 1, -1), X, betas=BETAS, variances=BETAS),
        "t holds -1"),
    "ddpm_vlb_term: t = 10": (
        lambda: ddpm_vlb_term(half, X, steps(0, 1, 10), X, betas=BETAS, variances=BETAS),
        "t holds 10"),
    "log_snr_timesteps: NaN": (lambda: log_snr_timesteps(spoiled(BAR), 4), "log_snr holds nan"),
    "log_snr_timesteps: 0": (lambda: log_snr_timesteps(spoiled(BAR, 0.0), 4), "log_snr holds -inf"),
    "log_snr_timesteps: -1": (lambda: log_snr_timesteps(spoiled(BAR, -1.0), 4), "holds nan"),
    "log_snr_timesteps: rises": (lambda: log_snr_timesteps(BAR.flip(0), 4), "fall_of_alphas_bar"),
    "annealed_importance: step size": (
        lambda: last(annealed_importance(
            lambda x: -(x**2).sum(1), lambda x: (x**2).sum(1), X, torch.linspace(0, 1, 3),
            step_size=NAN)),
        "step_size is nan"),
    "mala: NaN slope": (
        lambda: last(mcmc.mala(lambda x: -x.sum(1), lambda x: x * NAN, X, step_size=0.1,
                               n_steps=2)),
        "score holds nan"),
    "mala: NaN density": (
        lambda: last(mcmc.mala(lambda x: x.sum(1) * NAN, lambda x: x, X, step_size=0.1,
                               n_steps=2)),
        "log_prob holds nan"),
    "cosine_betas: largest": (lambda: cosine_betas(10, largest=2.0), r"largest in \(0, 1\), got"),
    "cosine_betas: offset": (lambda: cosine_betas(10, offset=-0.5), r"got -0\.5"),
    "edm_sigmas: rho -1": (lambda: edm_sigmas(5, rho=-1.0), r"rho must lie in .*, got -1\.0"),
    "edm_sigmas: rho 1e6": (lambda: edm_sigmas(5, rho=1e6), "rho must lie in"),
    "edm_sigmas: sigma_max": (lambda: edm_sigmas(5, sigma_max=math.inf), "sigma_max, got"),
    "ddpm_sample: lengths": (
        lambda: last(ddpm_sample(half, X, betas=BETAS[1:], variances=BETAS)),
        r"since betas has \(9,\)"),
    "ddpm_loss: a model of other shape": (
        lambda: ddpm_loss(lambda x, t: x[:, :1], X, steps(0, 1, 2), X, alphas_bar=BAR),
        r"eps_hat \(3, 1\)"),
    "dsm_loss: a model of other shape": (
        lambda: dsm_loss(lambda x: x[:, :1], X, X, sigma=0.5), r"score \(3, 1\)"),
    "token_log_probs: more rows": (
        lambda: token_log_probs(torch.zeros(4, 2, 3), torch.zeros(3, 2).long()), r"\(4, 2\)"),
    "sequence_log_prob: more positions": (
        lambda: sequence_log_prob(torch.zeros(3, 5, 3), torch.zeros(3, 2).long()), r"\(3, 5\)"),
    "attention: a query without a key": (
        lambda: attention(Q, Q, Q, MASKED), "query 1 without a key"),
    "attention, fused: a query without a key": (
        lambda: attention(Q, Q, Q, MASKED, fused=True), "query 1 without a key"),
    "edm_precondition: sigma_data": (
        lambda: edm.edm_precondition(ROW + 1, sigma_data=-1.0), "sigma_data is -1"),
    "edm_loss: sigma": (
        lambda: edm.edm_loss(half, X, ROW - 1, X, sigma_data=0.5), "sigma holds -1"),
    "edm_loss: sigma_data": (
        lambda: edm.edm_loss(half, X, ROW + 1, X, sigma_data=0.0), "is 0"),
    "consistency_precondition: sigma_data": (
        lambda: consistency_precondition(ROW + 1, sigma_data=0.0), "sigma_data is 0"),
    "ncsn_loss: data_std": (
        lambda: ncsn_loss(half, X, X, sigma=ROW + 1, data_std=-1.0), "data_std is -1"),
    "ladder_overlap: ratio": (lambda: ladder_overlap(-1.0, 8), "ratio is -1"),
    "active_units: NaN": (lambda: active_units(spoiled(X)), "mu holds nan"),
    "active_units: threshold": (lambda: active_units(X, NAN), "threshold is nan"),
    "from_unit": (lambda: from_unit(spoiled(X)), "x holds nan"),
    "measure_colour": (
        lambda: measure_colour(spoiled(torch.rand(1, 3, 4, 4))), "images holds nan"),
    "measure_stroke": (
        lambda: measure_stroke(spoiled(torch.rand(1, 4, 4)), steps(3)), "grey holds nan"),
    "measure_slant": (lambda: measure_slant(spoiled(torch.rand(1, 4, 4))), "images holds nan"),
    "measure_motion": (lambda: measure_motion(spoiled(torch.rand(1, 8, 4, 4))), "videos holds nan"),
    "langevin: n_steps": (
        lambda: list(mcmc.langevin(lambda x: -x, X, step_size=0.1, n_steps=-1)), "n_steps is -1"),
    "annealed_langevin: n_steps": (
        lambda: list(annealed_langevin(half, X, ROW + 1, rate=0.1, n_steps=-1)),
        "n_steps is -1"),
    "play: n_steps": (lambda: list(play(X, lambda z: z, n_steps=-1)), "n_steps is -1"),
    "generate_naive": (
        lambda: list(generate_naive(wave, torch.zeros(1, 1).long(), -1)), "n_new is -1"),
    "generate_cached": (
        lambda: list(generate_cached(lambda x, c: (wave(x), c), torch.zeros(1, 1).long(), -1)),
        "n_new is -1"),
    "write_until": (
        lambda: list(write_until(lambda x, c: (wave(x), c), lambda h: h,
                                 torch.zeros(1, 1).long(), -1, stop=2)),
        "n_new is -1"),
    "mask_count: the mask is a token": (
        lambda: masked.mask_count(steps(0, 1)[None], steps(1), ROW[None, :2], mask=1),
        "mask is 1, which x0 holds"),
    "unmask_step: the mask is a token": (
        lambda: masked.unmask_step(
            steps(0, 1)[None], torch.zeros(1, 2, 3), ROW[None, :2], ROW[None, :2], 1.0, 0.5,
            mask=2),
        r"mask is 2, expected a number outside 0\.\.2"),
    "unmask_step: NaN": (
        lambda: masked.unmask_step(
            steps(0, 3)[None], torch.full((1, 2, 3), NAN), ROW[None, :2], ROW[None, :2], 1.0, 0.5,
            mask=3),
        "softmax of the logits holds nan"),
    "spline_parameters: bound": (lambda: spline_parameters(torch.zeros(8), -1.0), "bound is -1"),
    "spline_parameters: floor": (
        lambda: spline_parameters(torch.zeros(8), 4.0, floor=-1.0), "floor is -1"),
    "pixel_histograms: extra": (
        lambda: pixel_histograms(torch.zeros(3, 2).long(), 4, extra=-1.0), "extra is -1"),
    "straightness: no states": (
        lambda: straightness(X[:0, :, None], ROW[:0]), "2 rows or more"),
    "dynamic_threshold: empty": (lambda: dynamic_threshold(X[:0]), "guess has shape"),
    "ppca_ml: empty": (lambda: ppca_ml(X[:0], 1), "x has shape"),
    "ppca_m_step: empty": (lambda: ppca_m_step(X[:0], X[:0, :1], torch.eye(1)), "x has shape"),
}  # fmt: skip


def answer(call):
    """What `call` says as it refuses its input, or that it took it."""
    try:
        call()
    except ValueError as error:
        return str(error)
    return "nothing"


def test_a_sentence_names_the_value_and_what_was_expected():
    said = {name: answer(call) for name, (call, _) in REFUSED.items()}
    faults = {
        name: f"said {said[name]!r}, not {message!r} and what was expected"
        for name, (_, message) in REFUSED.items()
        if not re.search(message, said[name])
        or not re.search("expected|must|without a key", said[name])
    }
    assert faults == {}


GREY = torch.tensor([[0, 3], [9, 4], [2, 2], [16, 7]])


OF_GREY = {
    "normal_log_prob": lambda x: core.normal_log_prob(x, 7.5, 1.5),
    "mean_event": lambda x: core.mean_event(x),
    "nearest_distance": lambda x: coverage.nearest_distance(x, x[:2] + 1),
    "knn_radius": lambda x: coverage.knn_radius(x, 2),
    "frechet_distance": lambda x: frechet_distance(x, x + 3),
    "kid": lambda x: kid(x, x + 3),
    "energy_distance": lambda x: energy_distance(x, x + 3),
    "rbf_kernel": lambda x: rbf_kernel(x, x),
    "transport_plan": lambda x: distances.transport_plan(x[:2], ROW[:2] + 0.5, ROW[:2] + 0.5).moved,
    "transport_prices": lambda x: (
        distances.transport_prices(x[:2] * 0 + 1, x[0] * 0 + 1, x[0] * 0 + 1).f
    ),
}


@pytest.mark.parametrize("name", OF_GREY)
def test_grey_levels_count_as_real_numbers(name):
    of = OF_GREY[name]
    assert_close(of(GREY), of(GREY.double()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("measure", [frechet_distance, kid, energy_distance])
def test_half_precision_is_computed_in_single(measure):
    x, y = GREY.half(), GREY.half() + 3
    assert_close(measure(x, y), measure(x.float(), y.float()))


def test_a_plan_of_whole_costs_moves_all_the_mass():
    p = torch.tensor([0.25, 0.75])
    assert_close(distances.transport_plan(GREY[:2], p, p).moved.sum(1), p)


def test_a_spline_with_a_nan_parameter_is_nan_and_not_the_identity():
    raw = torch.zeros(3, 8)
    raw[:, 0] = NAN
    for spline in (rq_spline_forward, rq_spline_inverse):
        assert all(bool(out.isnan().all()) for out in spline(ROW + 0.5, *spline_parameters(raw, 4)))


def test_annealing_has_not_begun_before_the_first_step():
    assert [kl_annealing(10)(k) for k in (-5, 0, 5)] == [0.0, 0.0, 0.5]


def test_an_empty_batch_has_an_empty_answer():
    none = X[:0]
    assert huber_distance(none, none).shape == (0,)
    assert dsm_floor(none, sigma=1.0).shape == (0,)
    assert frechet_1d(ROW[:0], ROW[:0], ROW[:0], ROW[:0]).shape == (0,)
    assert consistency_precondition(ROW[:0], sigma_data=0.5).c_skip.shape == (0,)
    eps = X.new_zeros(10, 0, 2)
    assert ddpm_vlb(half, none, eps, betas=BETAS, variances=BETAS).shape == (0,)


def test_tensors_with_a_gradient_are_measured_as_they_are():
    x, y = X.clone().requires_grad_(), (X + 1).requires_grad_()
    third = torch.full((3,), 1 / 3, requires_grad=True)
    probe, cost = coverage.memorization_probe, (x @ y.T - 5).abs()
    assert probe(x, y, x + 2) == probe(x.detach(), y.detach(), x.detach() + 2)
    assert distances.transport_plan(cost, third, third).cost > 0
    assert distances.transport_prices((x[:, 0] - x[:, :1]).abs(), third, third).value == 0
    assert calibration.c2st(x, y, KNeighborsClassifier(1), n_folds=2).value >= 0
