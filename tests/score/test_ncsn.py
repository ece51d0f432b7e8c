"""NCSN: one network for every level, its weighting, its capabilities, and what it learns."""

import math

import pytest
import torch

from genlab.core.protocols import (
    HasScore,
    NoLikelihoodError,
    Sampleable,
    Trainable,
    likelihood_kind,
    log_likelihood,
)
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.annealed_langevin import noise_ladder
from genlab.score.matching import dsm_loss
from genlab.score.ncsn import NCSN, LevelMLP, ncsn_loss
from genlab.score.tweedie import score_from_x0
from genlab.train import cosine, fit, minibatches


def islands() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.8, 0.2]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
    )


def make(**options) -> NCSN:
    net = LevelMLP(2, width=options.pop("width", 32), depth=2)
    return NCSN(net, noise_ladder(5.0, 0.1, 8), event_shape=(2,), **options)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 7.0])
def test_loss_is_denoising_score_matching_times_the_square_of_the_level(sigma):
    x0, eps, level = torch.randn(4, 3), torch.randn(4, 3), torch.full((4,), sigma)
    score = lambda x, s: -torch.sin(x) / s[:, None]
    expected = sigma**2 * dsm_loss(lambda x: score(x, level), x0, eps, sigma=sigma)
    torch.testing.assert_close(ncsn_loss(score, x0, eps, sigma=level), expected)


def test_loss_of_a_silent_network_does_not_depend_on_the_level():
    x0, eps = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]]).expand(3, 2)
    loss = ncsn_loss(lambda x, s: 0 * x, x0, eps, sigma=torch.tensor([0.01, 1.0, 50.0]))
    torch.testing.assert_close(loss, torch.full((3,), 12.5))


def test_weighted_floor_of_normal_data_lies_between_none_and_half_a_unit(generator):
    """D s^2 / (2 (s^2 + sigma^2)): all of 1/2 for little noise, nothing for much."""
    n = 100_000
    x0, eps = torch.randn(2, n, 1, generator=generator)
    for sigma in (0.1, 1.0, 10.0):
        level = torch.full((n,), sigma)
        values = ncsn_loss(lambda x, s: -x / (1 + s[:, None] ** 2), x0, eps, sigma=level)
        floor = 0.5 / (1 + sigma**2)
        assert abs(values.mean() - floor) < 5 * values.std() / math.sqrt(n)


def test_a_silent_network_leaves_the_score_of_a_normal_with_the_datas_size():
    model = make(data_std=1.7)
    torch.nn.init.zeros_(model.net.out.weight)
    torch.nn.init.zeros_(model.net.out.bias)
    x = torch.randn(3, 2)
    for sigma in (0.1, 1.0, 5.0):
        normal = Gaussian(torch.zeros(2), 1.7**2 * torch.eye(2)).noised(1.0, sigma)
        torch.testing.assert_close(model.score(x, torch.full((3,), sigma)), normal.score(x))


def test_what_is_left_to_the_network_has_the_same_size_at_every_level(generator):
    """Solve the model's equation for the network's output at the regression target."""
    law, sizes = islands(), []
    for sigma in (0.1, 1.0, 5.0):
        eps = torch.randn(20_000, 2, generator=generator)
        x_t = law.sample(20_000, generator=generator) + sigma * eps
        silent = -x_t / (sigma**2 + 1.5**2)
        per_unit = 1.5 / (sigma * math.sqrt(sigma**2 + 1.5**2))
        target = (-eps / sigma - silent) / per_unit  # what f is regressed on
        sizes.append(target.square().mean().sqrt().item())
    assert all(0.8 < size < 1.25 for size in sizes)  # E x^2 is (4.25 + 0.25) / 2 = 1.5^2


def test_a_constant_output_counts_less_the_more_noise_there_is():
    model = make(data_std=2.0)
    torch.nn.init.zeros_(model.net.out.weight)
    torch.nn.init.ones_(model.net.out.bias)
    sigma = torch.tensor([0.1, 2.0])
    found = model.score(torch.zeros(2, 2), sigma)
    expected = 2 / (sigma * (sigma**2 + 4).sqrt())
    torch.testing.assert_close(found, expected[:, None].expand(2, 2))


@pytest.mark.parametrize("sigma", [0.1, 1.0, 10.0])
def test_weighing_by_the_data_makes_the_floor_the_same_everywhere(sigma, generator):
    """For N(0, 4) data it is a half, although the classic floor falls to nothing."""
    n = 100_000
    x0, eps = torch.randn(2, n, 1, generator=generator)
    level = torch.full((n,), sigma)
    exact = lambda x, s: -x / (4 + s[:, None] ** 2)
    values = ncsn_loss(exact, 2 * x0, eps, sigma=level, data_std=2.0)
    assert abs(values.mean() - 0.5) < 5 * values.std() / math.sqrt(n)


def test_the_model_weighs_by_its_data(generator):
    """A silent network is left with a target of size 1: half a unit for each of two numbers."""
    model = make(data_std=1.5)
    torch.nn.init.zeros_(model.net.out.weight)
    torch.nn.init.zeros_(model.net.out.bias)
    data = 1.5 * torch.randn(100_000, 2, generator=generator)
    assert abs(model.loss(data, generator=generator) - 1.0) < 0.02


def test_network_hears_its_level():
    net = LevelMLP(2, width=16, depth=1)
    x = torch.ones(2, 2)
    a, b = net(x, torch.tensor([0.1, 3.0]))
    assert not torch.allclose(a, b)


def test_network_takes_images_and_returns_images():
    net = LevelMLP(16, width=8, depth=1)
    assert net(torch.zeros(3, 1, 4, 4), torch.ones(3)).shape == (3, 1, 4, 4)


def test_network_refuses_events_of_another_size():
    with pytest.raises(ValueError, match="expected 16"):
        LevelMLP(16, width=8, depth=1)(torch.zeros(3, 2), torch.ones(3))


def test_training_visits_every_level_and_no_other(generator):
    model = make()
    seen = []
    net = model.net
    model.net.register_forward_hook(lambda module, inputs, out: seen.append(inputs[1]))
    for _ in range(40):
        model.loss(torch.zeros(16, 2), generator=generator)
    levels = torch.cat(seen).unique().flip(0)
    torch.testing.assert_close(levels, model.sigmas)
    assert net is model.net


def test_each_example_of_a_batch_has_a_level_of_its_own(generator):
    model, seen = make(), []
    model.net.register_forward_hook(lambda module, inputs, out: seen.append(inputs[1]))
    model.loss(torch.zeros(64, 2), generator=generator)
    assert len(seen[0].unique()) == len(model.sigmas)  # missing one: 8 (7/8)^64, one in 600


def test_sampling_starts_with_the_noise_of_the_highest_level(generator):
    model, seen = make(n_steps=1), []
    model.net.register_forward_hook(lambda module, inputs, out: seen.append(inputs))
    model.sample(4000, generator=generator)
    x, sigma = seen[0]
    assert (sigma == model.sigmas[0]).all()
    size = (x * (25 + 1) ** 0.5).square().mean().sqrt()  # undo the scaling of the input
    assert abs(size - 5) < 5 * 5 / math.sqrt(2 * 8000)


def test_loss_repeats_with_its_seed_and_leaves_the_global_state_alone():
    model, x = make(), torch.randn(6, 2)
    before = torch.get_rng_state()
    a, b = (model.loss(x, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert a == b
    assert torch.equal(before, torch.get_rng_state())


def test_samples_have_the_right_shape_and_repeat_with_their_seed():
    model = make(n_steps=2)
    a, b = (model.sample(5, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert a.shape == (5, 2)
    assert torch.equal(a, b)
    assert not a.requires_grad


def test_it_scores_and_samples_but_has_no_likelihood():
    model = make()
    _: Trainable = model
    __: Sampleable = model
    ___: HasScore = model
    assert isinstance(model, Trainable)
    assert isinstance(model, Sampleable)
    assert isinstance(model, HasScore)
    assert likelihood_kind(model) == "none"
    with pytest.raises(NoLikelihoodError):
        log_likelihood(model, torch.zeros(1, 2))


def test_conditions_are_refused():
    with pytest.raises(ValueError, match="cond must be None"):
        make().sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="cond must be None"):
        make().loss(torch.zeros(1, 2), cond=torch.zeros(1))


@pytest.mark.slow
def test_it_learns_the_score_at_every_level_and_the_weights_of_the_modes(generator):
    law = islands()
    model = make(width=64, data_std=1.5, rate=0.3, n_steps=20)
    data = law.sample(20_000, generator=generator)
    batches = minibatches(data, 256, generator=generator)
    for _ in fit(model, batches, n_steps=800, lr=cosine(4e-3, 800), generator=generator):
        pass
    n = 4000
    for sigma in model.sigmas.tolist():
        level = torch.full((n,), sigma)
        x = law.noised(1.0, sigma).sample(n, generator=generator)
        true = score_from_x0(x, law.denoiser(x, 1.0, sigma), torch.ones(n), level)
        with torch.no_grad():
            error = (model.score(x, level) - true).square().mean()
        assert error < 0.12 * true.square().mean()
    samples = model.sample(2000, generator=generator)
    assert abs((samples[:, 0] < 0).double().mean() - 0.8) < 0.06  # the exact score gives 0.77
