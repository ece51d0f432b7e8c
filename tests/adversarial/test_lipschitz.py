"""Clipping, power iteration, spectral normalisation, and the slopes that are left."""

from itertools import islice, pairwise

import pytest
import torch
from torch import nn

from genlab.adversarial.lipschitz import clip_weights, power_iteration, slopes, spectral_normalize
from genlab.nn.mlp import MLP


def test_clipping_moves_only_what_is_outside():
    w = nn.Parameter(torch.tensor([-2.0, -0.1, 0.3, 5.0]))
    clip_weights([w], 0.3)
    torch.testing.assert_close(w.data, torch.tensor([-0.3, -0.1, 0.3, 0.3]))


def test_an_empty_box_is_refused():
    with pytest.raises(ValueError, match="c is 0"):
        clip_weights([], 0)


def test_power_iteration_reaches_the_largest_singular_value(generator):
    w = torch.randn(6, 4, generator=generator)
    *_, (sigma, _) = islice(power_iteration(w, torch.ones(4)), 200)
    torch.testing.assert_close(sigma, torch.linalg.svdvals(w)[0])


def test_power_iteration_gains_the_squared_ratio_at_each_step():
    w = torch.diag(torch.tensor([2.0, 1.0]))
    errors = [2 - float(s) for s, _ in islice(power_iteration(w, torch.ones(2)), 6)]
    ratios = [b / a for a, b in pairwise(errors[2:])]
    # the value is quadratic in the vector, whose error shrinks by (1/2)^2: 1/16 for the value
    assert all(r == pytest.approx(1 / 16, rel=0.02) for r in ratios)


def test_a_normalised_layer_has_norm_one_after_its_weight_has_moved(generator):
    layer = spectral_normalize(nn.Linear(5, 3))
    with torch.no_grad():
        layer.parametrizations.weight.original.mul_(torch.rand(3, 5, generator=generator) + 1)
    for _ in range(300):
        layer(torch.zeros(1, 5))
    norm = torch.linalg.matrix_norm(layer.weight, 2)
    torch.testing.assert_close(norm, torch.ones_like(norm))


def test_a_normalised_network_is_one_lipschitz(generator):
    net = spectral_normalize(MLP(2, 1, 32, 3)).eval()
    x, y = 3 * torch.randn(2, 500, 2, generator=generator)
    rise = (net(x) - net(y)).abs().squeeze(1)
    assert bool((rise <= (x - y).norm(dim=1) * (1 + 1e-9)).all())  # rounding


def test_training_reaches_the_weight_through_the_division():
    layer = spectral_normalize(nn.Linear(2, 1, bias=False))
    layer(torch.tensor([[1.0, 0.0]])).sum().backward()
    gradient = layer.parametrizations.weight.original.grad
    # w / |w| does not change when w grows: the gradient has no part along w
    original = layer.parametrizations.weight.original
    torch.testing.assert_close((gradient * original).sum(), torch.zeros(()))
    assert gradient.abs().sum() > 0


def test_a_normalised_critic_trains_for_more_than_one_step(generator):
    critic = spectral_normalize(MLP(2, 1, 8, 2))
    optimizer = torch.optim.SGD(critic.parameters(), lr=0.1)
    x, values = torch.randn(64, 2, generator=generator), []
    for _ in range(3):  # a step that kept the graph of the one before it would fail here
        loss = critic(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[2] < values[1] < values[0]


def test_a_network_without_linear_layers_is_refused():
    with pytest.raises(ValueError, match="no Linear"):
        spectral_normalize(nn.ReLU())


def test_slopes_agree_with_finite_differences(generator):
    net = MLP(1, 1, 16, 2)
    x = torch.randn(20, 1, generator=generator)
    h = 1e-6
    rise = (net(x + h) - net(x - h)).abs().squeeze(1) / (2 * h)
    found = slopes(lambda x: net(x).squeeze(1), x)
    torch.testing.assert_close(found, rise.detach(), atol=1e-7, rtol=1e-5)  # rounding over h
