"""EDM: the preconditioning's three properties, Heun's order, guidance and dropped labels."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from genlab.oracles import Gaussian
from genlab.score import (
    EDM,
    alphas_bar_from_betas,
    ddim_step,
    denoiser_from_eps,
    edm_denoise,
    edm_loss,
    edm_precondition,
    edm_sample,
    edm_sigmas,
    edm_step,
    linear_betas,
)
from genlab.score.edm import guided_denoiser

SIGMAS = st.floats(0.01, 50.0)


@given(sigma=SIGMAS, sigma_data=st.floats(0.2, 2.0))
def test_input_and_target_of_the_raw_network_have_unit_variance(sigma, sigma_data):
    # x = y + n with Var y = sigma_data^2, Var n = sigma^2, independent: second moments by hand
    c = edm_precondition(torch.tensor(sigma), sigma_data=sigma_data)
    var_x = sigma_data**2 + sigma**2
    assert abs(float(c.c_in**2) * var_x - 1) < 1e-9
    # the network's target is (y - c_skip x) / c_out = ((1 - c_skip) y - c_skip n) / c_out
    variance = (1 - c.c_skip) ** 2 * sigma_data**2 + c.c_skip**2 * sigma**2
    assert abs(float(variance / c.c_out**2) - 1) < 1e-9


def test_denoiser_of_normal_data_is_the_skip_connection_alone(generator):
    # for y ~ N(0, sigma_data^2 I) the best denoiser is linear: the network has nothing to add
    x, sigma = 3 * torch.randn(5, 2, generator=generator), torch.tensor([0.1, 0.5, 1.0, 5.0, 20.0])
    law = Gaussian(torch.zeros(2), 0.25 * torch.eye(2))
    got = edm_denoise(lambda x, c_noise: 0 * x, x, sigma, sigma_data=0.5)
    torch.testing.assert_close(got, law.denoiser(x, 1.0, sigma))


@pytest.mark.parametrize("sigma", [0.05, 0.5, 5.0])
def test_a_network_that_says_nothing_has_loss_one_at_every_level(sigma, generator):
    # the weight makes the loss of F = 0 on N(0, sigma_data^2) data equal to its target's variance
    n = 40_000
    x0 = 0.5 * torch.randn(n, 1, generator=generator)
    eps = torch.randn(n, 1, generator=generator)
    loss = edm_loss(lambda x, c: 0 * x, x0, torch.full((n,), sigma), eps, sigma_data=0.5)
    assert loss.shape == (n,)
    assert abs(loss.mean().item() - 1) < 5 * loss.std().item() / math.sqrt(n)  # Monte Carlo


def test_the_raw_network_sees_a_scaled_input_and_a_quarter_of_the_log_level():
    x, sigma, seen = torch.tensor([[1.0], [5.0]]), torch.tensor([3.0, math.e**4]), []
    net = lambda x, c_noise: seen.append((x, c_noise)) or x
    got = edm_denoise(net, x, sigma, sigma_data=1.0)
    ((scaled, c_noise),) = seen
    torch.testing.assert_close(c_noise, torch.tensor([math.log(3) / 4, 1.0]))
    torch.testing.assert_close(scaled[0, 0], torch.tensor(1 / math.sqrt(10)))
    torch.testing.assert_close(got[0, 0], torch.tensor(1 / 10 + 3 / 10))  # c_skip + c_out c_in


def flow(std, z, sigma):
    """Where the exact flow of N(0, std^2) data is: quantile z of the noised law."""
    return z * math.sqrt(std**2 + sigma**2)


def test_heun_has_order_two_and_euler_order_one():
    law = Gaussian(torch.tensor([0.0]), torch.tensor([[0.25]]))
    z = torch.tensor([[-1.5], [0.7]])

    def error(n, order):
        sigmas = torch.linspace(3.0, 0.2, n + 1)
        x = flow(0.5, z, 3.0)
        for sigma, sigma_next in pairwise(sigmas):
            x = edm_step(lambda x, s: law.denoiser(x, 1.0, s), x, sigma, sigma_next, order=order)
        return (x - flow(0.5, z, 0.2)).abs().max().item()

    for order in (1, 2):
        errors = [error(n, order) for n in (20, 40, 80)]
        for coarse, fine in pairwise(errors):
            assert abs(math.log2(coarse / fine) - order) < 0.15


def test_one_euler_step_is_one_ddim_step_in_other_coordinates(generator):
    # x_vp = x_ve / sqrt(1 + sigma^2), alpha_bar = 1 / (1 + sigma^2)
    x, eps = torch.randn(2, 4, 3, generator=generator)
    sigma, sigma_next = torch.tensor(2.0), torch.tensor(0.7)
    a_t, a_s = 1 / (1 + sigma**2), 1 / (1 + sigma_next**2)
    ve = edm_step(lambda x, s: x - s[:, None] * eps, x, sigma, sigma_next, order=1)
    vp = ddim_step(a_t.sqrt() * x, eps, 0 * x, a_t, a_s)
    torch.testing.assert_close(a_s.sqrt() * ve, vp)


def test_eighteen_steps_cost_thirty_five_passes():
    calls = []
    denoiser = lambda x, sigma: calls.append(sigma) or 0 * x
    states = list(edm_sample(denoiser, torch.ones(2, 1), edm_sigmas(18)))
    assert (len(states), len(calls)) == (18, 35)


def test_noise_predictor_becomes_a_denoiser_at_every_level_between(generator):
    betas = linear_betas(2000, first=1e-5, last=0.01)
    bar = alphas_bar_from_betas(betas)
    law = Gaussian(torch.tensor([1.0]), torch.tensor([[0.25]]))

    def eps_model(x, t):  # reads the table between its entries, as a network's embedding does
        low = t.floor().long().clamp(max=1998)
        a = torch.lerp(bar[low], bar[low + 1], t - low)
        alpha, sigma = a.sqrt(), (1 - a).sqrt()
        return (x - alpha[:, None] * law.denoiser(x, alpha, sigma)) / sigma[:, None]

    x = torch.randn(5, 1, generator=generator)
    sigma = torch.tensor([0.05, 0.2, 1.0, 5.0, 9.0])
    got = denoiser_from_eps(eps_model, bar)(x, sigma)
    # interpolation of a table of 2000 entries: second order in its spacing
    torch.testing.assert_close(got, law.denoiser(x, 1.0, sigma), atol=1e-4, rtol=0)


def test_levels_are_looked_up_in_the_log_and_end_with_the_table():
    known = torch.tensor([0.1, 0.4, 3.0])  # sigma at t = 0, 1, 2
    asked = []
    model = denoiser_from_eps(lambda x, t: asked.append(t) or 0 * x, 1 / (1 + known**2))
    sigma = torch.tensor([0.001, 0.1, 0.2, 0.4, math.sqrt(1.2), 3.0, 99.0])
    x = torch.ones(7, 1)
    assert torch.equal(model(x, sigma), x)
    torch.testing.assert_close(asked[0], torch.tensor([0.0, 0.0, 0.5, 1.0, 1.5, 2.0, 2.0]))


class Net(nn.Module):
    """A raw network without weights."""

    def __init__(self, function):
        super().__init__()
        self.forward = function


def test_guided_guess_continues_the_line_between_the_two(generator):
    net = lambda x, c_noise, label: x + c_noise[:, None] + label[:, None]
    model = EDM(Net(net), event_shape=(2,), sigma_data=0.5, null=10)
    x, sigma = torch.randn(4, 2, generator=generator), torch.tensor([0.1, 0.5, 1.0, 4.0])
    label = torch.tensor([0, 3, 5, 9])
    free, given = model.denoiser()(x, sigma), model.denoiser(label)(x, sigma)
    guided = model.denoiser(label, guidance_scale=2.5)(x, sigma)
    torch.testing.assert_close(guided - free, 2.5 * (given - free))


def test_labels_are_given_only_to_a_network_that_knows_them():
    asked, x, sigma = [], torch.ones(3, 1), torch.ones(3)
    label = torch.tensor([4, 5, 6])
    for null in (10, 0):
        model = EDM(
            Net(lambda x, c, y: asked.append(y) or x), event_shape=(1,), sigma_data=1.0, null=null
        )
        model.denoiser()(x, sigma), model.denoiser(label)(x, sigma)
        assert [y.tolist() for y in asked] == [[null] * 3, [4, 5, 6]]
        asked.clear()
    plain = EDM(Net(lambda x, c: 2 * x), event_shape=(1,), sigma_data=1.0)
    torch.testing.assert_close(plain.denoiser()(x, sigma), 1.5 * x)  # (1 + 2) / 2
    labelled = EDM(Net(lambda x, c, y: y[:, None] + 0 * x), event_shape=(1,), sigma_data=1.0)
    got = labelled.denoiser(label)(x, sigma)
    torch.testing.assert_close(got, 0.5 + label[:, None] / math.sqrt(2))


def test_the_loss_is_the_mean_over_levels_whose_log_is_normal():
    seen = []
    net = Net(lambda x, c_noise: seen.append(c_noise) or 0 * x)
    model = EDM(net, event_shape=(1,), sigma_data=0.5)
    x = 0.5 * torch.randn(40_000, 1)
    loss = model.loss(x)
    assert abs(loss.item() - 1) < 5 * math.sqrt(2 / 40_000)  # a network that says nothing
    log_sigma = 4 * seen[0]
    assert abs(log_sigma.mean().item() + 1.2) < 5 * 1.2 / 200  # the paper's -1.2 and 1.2
    assert abs(log_sigma.std().item() - 1.2) < 5 * 1.2 / 200 / math.sqrt(2)


def test_a_network_that_says_nothing_samples_a_normal_of_the_data_deviation(generator):
    class Silent(nn.Linear):
        def forward(self, x, c_noise, label):
            calls.append(label)
            return 0 * x

    calls, n = [], 4000
    model = EDM(Silent(1, 1), event_shape=(2,), sigma_data=0.5, null=3, n_steps=40)
    x = model.sample(n, generator=generator)
    assert (x.shape, len(calls)) == ((n, 2), 2 * 40 - 1)
    # the error of forty steps, 16 / n^2, and Monte Carlo
    assert abs(x.std().item() / 0.5 - 1) < 0.01 + 5 / math.sqrt(2 * 2 * n)
    calls.clear()
    cond = torch.zeros(n, dtype=torch.long)
    again = model.sample(n, cond=cond, generator=generator.manual_seed(0), guidance_scale=2.0)
    assert len(calls) == 2 * (2 * 40 - 1)  # twice that if guided
    torch.testing.assert_close(again, x)


def test_labels_are_dropped_in_training_alone():
    asked, n = [], 4000
    net = lambda x, c_noise, label: asked.append(label) or x
    model = EDM(Net(net), event_shape=(1,), sigma_data=0.5, null=10, p_drop=0.25)
    for mode in (True, False):
        cond, g = torch.zeros(n, dtype=torch.long), torch.Generator().manual_seed(1)
        model.train(mode).loss(torch.zeros(n, 1), cond=cond, generator=g)
    fraction = (asked[0] == 10).double().mean().item()
    assert abs(fraction - 0.25) < 5 * math.sqrt(0.25 * 0.75 / n)  # Monte Carlo
    assert (asked[1] == 0).all()


def test_impossible_arguments_are_refused():
    x = torch.zeros(1, 1)
    for low, high in ((0.0, 1.0), (1.0, 1.0), (2.0, 1.0), (1.0, math.inf)):
        with pytest.raises(ValueError, match="expected 0 < sigma_min < sigma_max"):
            edm_sigmas(4, sigma_min=low, sigma_max=high)
    for after in (1.0, 2.0):
        with pytest.raises(ValueError, match="must lower the noise"):
            edm_step(lambda x, s: x, x, torch.tensor(1.0), torch.tensor(after))
    with pytest.raises(ValueError, match="n_steps is 1"):
        edm_sigmas(1)
    with pytest.raises(ValueError, match="order must be 1 or 2, got 3"):
        edm_step(lambda x, s: x, x, torch.tensor(1.0), torch.tensor(0.5), order=3)
    with pytest.raises(ValueError, match="there is no cond"):
        EDM(nn.Identity(), event_shape=(2,), sigma_data=0.5).denoiser(guidance_scale=2.0)
    with pytest.raises(ValueError, match="must rise"):
        guided_denoiser(lambda x, s: x, lambda x, s: x, guidance_scale=2.0, interval=(2.0, 1.0))


def test_levels_are_even_in_their_root_and_end_at_zero():
    squares = edm_sigmas(4, sigma_min=1.0, sigma_max=16.0, rho=2.0)
    torch.testing.assert_close(squares, torch.tensor([16.0, 9.0, 4.0, 1.0, 0.0]))
    torch.testing.assert_close(edm_sigmas(2), torch.tensor([80.0, 0.002, 0.0]))  # no fewer
    for rho in (0.5, 1.0, 7.0, 1000.0):
        first, middle, end, _ = edm_sigmas(3, rho=rho) ** (1 / rho)
        torch.testing.assert_close(middle, (first + end) / 2)
        torch.testing.assert_close(edm_sigmas(3, rho=rho)[[0, 2]], torch.tensor([80.0, 0.002]))
    torch.testing.assert_close(edm_sigmas(3), edm_sigmas(3, rho=7.0))
    for rho in (0.0, 1001.0):
        with pytest.raises(ValueError, match="rho must lie"):
            edm_sigmas(3, rho=rho)


def test_guidance_calls_only_the_guesses_that_it_needs(generator):
    calls = []
    free = lambda x, level: calls.append("free") or 2 * x
    given = lambda x, level: calls.append("given") or 5 * x + level[:, None]
    both = lambda x, level: (calls.append("both") or 2 * x, 5 * x + level[:, None])
    x, options = torch.randn(3, 2, generator=generator), {"interval": (1.0, 2.0)}
    at_one = guided_denoiser(free, given, guidance_scale=3.0, interval=(1.0, 1.0))
    torch.testing.assert_close(at_one(x, torch.ones(3)), 11 * x + 3.0)
    calls.clear()
    for scale, level, expected, called in (
        (0.0, 1.5, 2 * x, ["free"]),
        (1.0, 1.5, 5 * x + 1.5, ["given"]),
        (3.0, 0.9, 5 * x + 0.9, ["given"]),  # outside the interval, whose ends belong to it
        (3.0, 1.0, 11 * x + 3.0, ["free", "given"]),  # 2 x + 3 (3 x + 1)
        (3.0, 2.0, 11 * x + 6.0, ["free", "given"]),
        (3.0, 2.1, 5 * x + 2.1, ["given"]),
    ):
        level = torch.full((3,), level)
        guess = guided_denoiser(free, given, guidance_scale=scale, **options)
        torch.testing.assert_close(guess(x, level), expected)
        assert calls == called
        calls.clear()
        guess = guided_denoiser(free, given, guidance_scale=scale, both=both, **options)
        torch.testing.assert_close(guess(x, level), expected)
        assert calls == (["both"] if len(called) == 2 else called)
        calls.clear()


def test_the_loss_of_a_known_error_is_its_mean_square_times_both_precisions():
    x0, guess = torch.tensor([[1.0, 3.0]]), torch.tensor([[2.0, 1.0]])  # mean square (1 + 4) / 2
    net, sigma = lambda x, c: guess, torch.tensor([0.1])
    loss = edm_loss(net, x0, sigma, 0 * x0, sigma_data=0.5, skip=False)
    torch.testing.assert_close(loss, torch.tensor([2.5 * (100 + 4)]))
    loss = edm_loss(net, x0, sigma, 0 * x0, sigma_data=0.5, skip=False, floor=0.25)
    torch.testing.assert_close(loss, torch.tensor([2.5 * (16 + 4)]))
