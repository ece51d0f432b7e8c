"""The flow as a model: its density is a density, and it is the density of its samples."""

import pytest
import torch
from torch.testing import assert_close

from genlab.core import Sampleable, Trainable, likelihood_kind
from genlab.flow.autoregressive import IAF, MAF, masked_flow
from genlab.flow.continuous import Continuous
from genlab.flow.coupling import Coupling, alternating_mask, coupling_flow, nice, real_nvp
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import Affine

FLOWS = {
    "nice": lambda: nice(2, n_layers=3, width=8),
    "realnvp": lambda: real_nvp(2, n_layers=3, width=8),
    "spline": lambda: coupling_flow(2, RationalQuadratic(5, 3.0), n_layers=3, width=8),
    "maf": lambda: masked_flow(MAF, 2, n_layers=2, width=8),
    "iaf": lambda: masked_flow(IAF, 2, n_layers=2, width=8),
}


@pytest.fixture(params=FLOWS, ids=str)
def flow(request, stirred):
    return stirred(FLOWS[request.param](), spread=0.25)


def test_it_has_the_capabilities_of_a_flow(flow):
    assert isinstance(flow, Sampleable)
    assert isinstance(flow, Trainable)
    assert likelihood_kind(flow) == "exact"


def test_density_integrates_to_one_on_a_grid(flow):
    side = torch.linspace(-12, 12, 481)
    points = torch.cartesian_prod(side, side)
    with torch.no_grad():
        total = flow.log_prob(points).exp().sum() * (side[1] - side[0]) ** 2
    # spline knots leave kinks in the second derivative: the rule's error is of order h^2
    assert float(total) == pytest.approx(1.0, abs=2e-3)


def test_samples_follow_the_density(flow):
    """E_p[q/p] = 1 for any density q that p covers; a wrong inverse or log-det breaks it."""
    n = 20_000
    x = flow.sample(n, generator=torch.Generator().manual_seed(5))
    spread = torch.distributions.MultivariateNormal(x.mean(0), 0.25 * torch.cov(x.T))
    with torch.no_grad():
        ratio = (spread.log_prob(x) - flow.log_prob(x)).exp()
    # Monte Carlo: five standard errors of the mean
    assert abs(float(ratio.mean()) - 1) < 5 * float(ratio.std()) / n**0.5


def test_average_log_prob_is_minus_the_entropy_read_off_the_way_out(flow, generator):
    z = torch.randn(64, 2, generator=generator)
    x, log_prob = flow.sample_with_log_prob(z)
    assert_close(flow.log_prob(x), log_prob)


def test_loss_is_the_mean_negative_log_likelihood(flow, generator):
    x = torch.randn(32, 2, generator=generator)
    assert_close(flow.loss(x), -flow.log_prob(x).sum() / 32)


def test_same_seed_same_sample(flow):
    a, b = (flow.sample(4, generator=torch.Generator().manual_seed(7)) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a, flow.sample(4, generator=torch.Generator().manual_seed(8)))


CONDITIONED = {
    "couplings": lambda: Coupling(alternating_mask(3), Affine(), width=12, d_cond=2),
    "maf": lambda: MAF(3, Affine(), width=12, d_cond=2),
    "iaf": lambda: IAF(3, Affine(), width=12, d_cond=2),
    "continuous": lambda: Continuous(3, width=12, n_steps=40, d_cond=2),
}


@pytest.mark.parametrize("make", CONDITIONED.values(), ids=CONDITIONED)
def test_condition_reaches_the_layers_and_does_not_spoil_the_inverse(make, stirred, generator):
    flow = Flow(StandardNormal((3,)), [stirred(make()), stirred(make())])
    x, cond = torch.randn(4, 3, generator=generator), torch.randn(4, 2, generator=generator)
    assert not torch.equal(flow.log_prob(x, cond=cond), flow.log_prob(x, cond=-cond))
    z, log_det = flow.inverse(x, cond)
    again, log_det_back = flow(z, cond)
    # 40 steps of RK4 for the continuous layer, rounding for the others
    assert_close(again, x, rtol=0, atol=1e-6)
    assert_close(log_det, -log_det_back, rtol=0, atol=1e-6)
