"""Maps onto a bounded interval."""

import pytest
import scipy.stats
import torch
from torch.testing import assert_close

from genlab.flow.bounded import (
    HistogramMarginals,
    Sigmoid,
    histogram_cdf,
    histogram_quantile,
    sigmoid_forward,
    sigmoid_inverse,
)
from genlab.flow.model import Flow, StandardNormal


@pytest.fixture
def probs(generator):
    p = torch.rand(3, 17, generator=generator) + 0.05
    return p / p.sum(1, keepdim=True)


def test_sigmoid_density_is_scipys_logistic(generator):
    z = 5 * torch.randn(50, generator=generator)
    _, log_deriv = sigmoid_forward(z)
    assert_close(log_deriv, torch.from_numpy(scipy.stats.logistic.logpdf(z.numpy())))


def test_log_derivative_of_the_sigmoid_is_finite_where_it_saturates():
    _, log_deriv = sigmoid_forward(torch.tensor([-200.0, 200.0]))
    assert_close(log_deriv, torch.tensor([-200.0, -200.0]))


@pytest.mark.parametrize("bad", [0.0, 1.0, -0.1, 1.1])
def test_logit_refuses_what_is_not_strictly_inside(bad):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        sigmoid_inverse(torch.tensor([0.5, bad]))


def test_histogram_cdf_is_scipys(probs, generator):
    x = torch.rand(40, 3, generator=generator)
    u, log_deriv = histogram_cdf(x, probs)
    for j in range(3):
        law = scipy.stats.rv_histogram(
            (probs[j].numpy(), [k / 17 for k in range(18)]), density=False
        )
        assert_close(u[:, j], torch.from_numpy(law.cdf(x[:, j].numpy())))
        assert_close(log_deriv[:, j].exp(), torch.from_numpy(law.pdf(x[:, j].numpy())))


def test_quantile_undoes_the_cdf_up_to_the_ends(probs):
    x = torch.linspace(0, 1, 103)[:, None].expand(103, 3).contiguous()
    u, there = histogram_cdf(x, probs)
    back, again = histogram_quantile(u, probs)
    assert_close(back, x)
    inside = (x * 17 % 1 > 1e-6) & (x * 17 % 1 < 1 - 1e-6)  # on an edge either bin may answer
    assert_close(again[inside], -there[inside])


def test_with_that_layer_alone_a_flow_is_the_histogram(probs, generator):
    flow = Flow(StandardNormal((3,)), [HistogramMarginals(probs, tail=0.0)])
    levels = torch.randint(17, (20, 3), generator=generator)
    y = (levels + torch.rand(20, 3, generator=generator)) / 17
    wanted = sum((17 * probs[j, levels[:, j]]).log() for j in range(3))
    assert_close(flow.log_prob(y), wanted)


def test_the_tail_keeps_the_ends_of_the_interval_finite(probs):
    layer = HistogramMarginals(probs, tail=1e-6)
    z, log_det = layer.inverse(torch.tensor([[0.0, 0.5, 1.0]]))
    assert bool(torch.isfinite(z).all() and torch.isfinite(log_det).all())


def test_histogram_refuses_an_empty_bin():
    with pytest.raises(ValueError, match="smooth the counts"):
        HistogramMarginals(torch.tensor([[0.0, 1.0]]))


def test_samples_of_a_sigmoid_flow_lie_in_the_unit_interval(generator):
    x = Flow(StandardNormal((4,)), [Sigmoid()]).sample(200, generator=generator)
    assert float(x.min()) > 0
    assert float(x.max()) < 1
