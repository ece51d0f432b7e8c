"""DDPM: its objective's optimum and floor, its step by Gaussian conditioning, its sampler's law."""

import math

import pytest
import torch

from genlab.core import HasElbo, Sampleable, Trainable, last, likelihood_kind
from genlab.oracles import GaussianMixture
from genlab.score import (
    DDPM,
    Bins,
    alphas_bar_from_betas,
    ddpm_loss,
    ddpm_sample,
    ddpm_step,
    ddpm_vlb,
    eps_from_score,
    linear_betas,
    posterior_variances,
)
from genlab.train import fit, minibatches

BETAS = torch.linspace(1e-3, 0.2, 60, dtype=torch.float64)
BAR = alphas_bar_from_betas(BETAS)


def mixture() -> GaussianMixture:
    return GaussianMixture(
        torch.tensor([0.3, 0.7]),
        torch.tensor([[-1.0, 0.0], [1.0, 0.5]]),
        torch.tensor([0.4, 0.6]),
    )


def gaussian_eps(mean: float, std: float):
    """The exact noise prediction for N(mean, std^2) data, by regression of eps on x_t."""

    def eps_model(x, t):
        a = BAR[t][:, None]
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * std**2 + 1 - a)

    return eps_model


def test_exact_noise_prediction_of_a_mixture_minimises_the_loss(generator):
    n, k = 20_000, 25
    sigma = (1 - BAR[k]).sqrt()
    noised = mixture().noised(BAR[k].sqrt().item(), sigma.item())
    x0 = mixture().sample(n, generator=generator)
    eps, t = torch.randn(n, 2, generator=generator), torch.full((n,), k)

    def loss(scale):
        def model(x, t):
            return scale * eps_from_score(noised.score(x), sigma)

        return ddpm_loss(model, x0, t, eps, alphas_bar=BAR).mean()

    assert loss(1.0) < loss(0.9)
    assert loss(1.0) < loss(1.1)


def test_loss_has_a_positive_floor_even_for_the_best_network(generator):
    n, k = 100_000, 20
    x0, eps = torch.randn(n, 1, generator=generator), torch.randn(n, 1, generator=generator)
    values = ddpm_loss(gaussian_eps(0, 1), x0, torch.full((n,), k), eps, alphas_bar=BAR)
    # For N(0, 1) data the variance of eps given x_t is alpha bar. Five standard errors.
    assert abs(values.mean() - BAR[k]) < 5 * values.std() / math.sqrt(n)


@pytest.mark.parametrize(("eps_hat", "expected"), [(0.4, 0.01), (0.3, 0.0), (-0.3, 0.36)])
def test_worked_losses_of_the_course(eps_hat, expected):
    loss = ddpm_loss(
        lambda x, t: torch.full_like(x, eps_hat),
        torch.tensor([[2.0]]),
        torch.tensor([4]),
        torch.tensor([[0.3]]),
        alphas_bar=alphas_bar_from_betas(torch.full((10,), 0.1)),
    )
    assert abs(loss.item() - expected) < 1e-12


def test_loss_shows_the_network_the_noised_example_at_its_level():
    seen = {}

    def model(x, t):
        seen.update(x=x, t=t)
        return x

    x0, eps = torch.tensor([[2.0], [2.0]]), torch.tensor([[0.3], [0.3]])
    bar = alphas_bar_from_betas(torch.full((10,), 0.1))
    ddpm_loss(model, x0, torch.tensor([4, 9]), eps, alphas_bar=bar)
    assert seen["t"].tolist() == [4, 9]
    assert abs(seen["x"][0].item() - 1.7288458) < 1e-7
    assert abs(seen["x"][1].item() - (2 * 0.5904900 + 0.3 * 0.8070450)) < 1e-6


def test_loss_is_a_mean_over_dimensions_and_keeps_the_examples_apart():
    x0, t = torch.zeros(3, 4, 2), torch.tensor([0, 1, 2])
    eps = torch.arange(3.0)[:, None, None].expand(3, 4, 2)
    loss = ddpm_loss(lambda x, t: torch.zeros_like(x), x0, t, eps, alphas_bar=BAR)
    torch.testing.assert_close(loss, torch.tensor([0.0, 1.0, 4.0]))


def test_mean_of_a_step_is_the_conditional_mean_of_the_previous_state():
    # Everything is jointly Gaussian for Gaussian data: E[x_s | x_t] by covariance over variance.
    m, s, t = 0.7, 0.5, 30
    a_t, a_s, beta = BAR[t], BAR[t - 1], BETAS[t]
    x_t = torch.linspace(-2, 2, 7)[:, None]
    var_s, var_t = a_s * s**2 + 1 - a_s, a_t * s**2 + 1 - a_t
    expected = a_s.sqrt() * m + (1 - beta).sqrt() * var_s / var_t * (x_t - a_t.sqrt() * m)
    eps_hat = gaussian_eps(m, s)(x_t, torch.full((7,), t))
    got = ddpm_step(
        x_t, eps_hat, torch.zeros(7, 1), beta=beta, alpha_bar=a_t, variance=torch.tensor(1.0)
    )
    torch.testing.assert_close(got, expected)


def test_noise_of_a_step_has_the_variance_asked_for(generator):
    z, zero = torch.randn(1000, 1, generator=generator), torch.zeros(1000, 1)
    got = ddpm_step(zero, zero, z, beta=BETAS[5], alpha_bar=BAR[5], variance=torch.tensor(0.09))
    torch.testing.assert_close(got, 0.3 * z)


@pytest.mark.parametrize("choice", ["beta", "posterior"])
def test_sampler_has_the_law_that_its_linear_recursion_predicts(choice, generator):
    m, s, n = 0.7, 0.5, 50_000
    variances = BETAS if choice == "beta" else posterior_variances(BETAS)
    mean, var = 0.0, 1.0  # of x_T; each step is linear for Gaussian data
    for t in range(len(BETAS) - 1, -1, -1):
        a, b = BAR[t].item(), BETAS[t].item()
        slope = (1 - b / (a * s**2 + 1 - a)) / math.sqrt(1 - b)
        shift = b * math.sqrt(a) * m / (a * s**2 + 1 - a) / math.sqrt(1 - b)
        noise = variances[t].item() if t > 0 else 0.0
        mean, var = slope * mean + shift, slope**2 * var + noise
    x = last(
        ddpm_sample(
            gaussian_eps(m, s),
            torch.randn(n, 1, generator=generator),
            betas=BETAS,
            variances=variances,
            generator=generator,
        )
    )
    # Monte Carlo: five standard errors of a normal sample's mean and variance.
    assert abs(x.mean().item() - mean) < 5 * math.sqrt(var / n)
    assert abs(x.var().item() - var) < 5 * var * math.sqrt(2 / n)


def test_more_steps_bring_the_sampler_to_the_data(generator):
    def std_after(n_steps):
        betas = linear_betas(n_steps, first=0.1 / n_steps, last=20 / n_steps)
        bar = alphas_bar_from_betas(betas)

        def eps_model(x, t):
            a = bar[t][:, None]
            return (1 - a).sqrt() * x / (a * 0.25 + 1 - a)

        x_T = torch.randn(4000, 1, generator=torch.Generator().manual_seed(1))
        g = torch.Generator().manual_seed(2)
        steps = ddpm_sample(eps_model, x_T, betas=betas, variances=posterior_variances(betas),
                            generator=g)  # fmt: skip
        return last(steps).std().item()

    errors = [abs(std_after(n) - 0.5) for n in (25, 400)]
    # 4,000 draws leave 0.006 on the standard deviation; few steps leave 0.1.
    assert errors[1] < 0.02 < errors[0]


def test_no_noise_is_added_at_the_last_step():
    betas = torch.tensor([0.5])

    def run(seed):
        g = torch.Generator().manual_seed(seed)
        steps = ddpm_sample(lambda x, t: x, torch.ones(2, 1), betas=betas, variances=betas,
                            generator=g)  # fmt: skip
        return last(steps)

    torch.testing.assert_close(run(0), run(1), rtol=0, atol=0)


def test_sampler_yields_one_state_per_step_without_gradients():
    weight = torch.tensor(1.0, requires_grad=True)
    states = list(ddpm_sample(lambda x, t: weight * x, torch.ones(2, 1), betas=BETAS,
                              variances=BETAS))  # fmt: skip
    assert len(states) == len(BETAS)
    assert not states[-1].requires_grad
    assert torch.is_grad_enabled()


def test_step_indices_outside_the_schedule_are_refused():
    with pytest.raises(ValueError, match=r"t holds 60, expected 0\.\.59"):
        ddpm_loss(lambda x, t: x, torch.zeros(1, 1), torch.tensor([60]), torch.zeros(1, 1),
                  alphas_bar=BAR)  # fmt: skip


class LinearNet(torch.nn.Module):
    """One weight for each step: enough to be optimal on centred Gaussian data."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(len(BETAS)))

    def forward(self, x, t):
        return self.weight[t][:, None] * x


def test_model_has_a_bound_and_follows_its_seed():
    model = DDPM(LinearNet(), BETAS, event_shape=(1,))
    _: HasElbo = model
    _s: Sampleable = model
    _t: Trainable = model
    assert likelihood_kind(model) == "bound"
    a, b = (model.sample(3, generator=torch.Generator().manual_seed(1)) for _ in range(2))
    torch.testing.assert_close(a, b, rtol=0, atol=0)
    with pytest.raises(ValueError, match="cond must be None"):
        model.sample(1, cond=torch.zeros(1))


def test_model_passes_its_variances_and_bins_on(generator):
    variances = 0.5 * BETAS
    model = DDPM(
        LinearNet(), BETAS, event_shape=(1,), variances=variances, bins=Bins(0.5, -1.0, 1.0)
    )
    x = torch.tensor([[0.5], [1.0]])
    got = model.elbo(x, generator=torch.Generator().manual_seed(4))
    eps = torch.randn(len(BETAS), 2, 1, generator=torch.Generator().manual_seed(4))
    expected = ddpm_vlb(
        model.eps_net, x, eps, betas=BETAS, variances=variances, bins=Bins(0.5, -1.0, 1.0)
    )
    torch.testing.assert_close(got, expected)
    calm, wild = (
        DDPM(LinearNet(), BETAS, event_shape=(1,), variances=v).sample(500, generator=generator)
        for v in (0.01 * BETAS, BETAS)
    )
    assert calm.std() < wild.std()


def test_training_finds_the_exact_noise_prediction(generator):
    data = 0.5 * torch.randn(4000, 1, generator=generator)
    model = DDPM(LinearNet(), BETAS, event_shape=(1,))
    batches = minibatches(data, 2000, generator=generator)
    list(fit(model, batches, n_steps=400, lr=0.02, generator=generator))
    exact = (1 - BAR).sqrt() / (0.25 * BAR + 1 - BAR)
    # Adam's last steps still jitter by about its rate.
    assert (model.eps_net.weight - exact).abs().max() < 0.1


class ClassNet(torch.nn.Module):
    """Exact noise prediction for N(m_c, 0.5^2) in class c, and for the point 0 without a class."""

    def forward(self, x, t, cond=None):
        a = BAR[t][:, None]
        if cond is None:
            return x / (1 - a).sqrt()
        mean = torch.tensor([-2.0, 1.0])[cond][:, None]
        return (1 - a).sqrt() * (x - a.sqrt() * mean) / (a * 0.25 + 1 - a)


def test_each_sample_obeys_its_own_condition(generator):
    model = DDPM(ClassNet(), BETAS, event_shape=(1,), conditional=True)
    cond = torch.tensor([0, 1]).repeat(2000)
    x = model.sample(4000, cond=cond, generator=generator)
    for c, mean in ((0, -2.0), (1, 1.0)):
        values = x[cond == c]
        # Monte Carlo, and a little for the Gaussian steps of a chain of sixty.
        assert abs(values.mean().item() - mean) < 5 * values.std() / math.sqrt(2000) + 0.02


def test_without_a_condition_the_network_is_asked_without_one(generator):
    model = DDPM(ClassNet(), BETAS, event_shape=(1,), conditional=True)
    assert model.sample(50, generator=generator).abs().max() < 0.2  # the point 0, noised a little


def test_the_right_condition_has_the_higher_bound(generator):
    model = DDPM(ClassNet(), BETAS, event_shape=(1,), conditional=True)
    x = -2 + 0.5 * torch.randn(200, 1, generator=generator)
    right, wrong = (
        model.elbo(x, cond=torch.full((200,), c), generator=generator).mean() for c in (0, 1)
    )
    assert right > wrong + 5


def test_the_loss_shows_the_condition_to_the_network(generator):
    model = DDPM(ClassNet(), BETAS, event_shape=(1,), conditional=True)
    x = 1 + 0.5 * torch.randn(4000, 1, generator=generator)
    right, wrong = (model.loss(x, cond=torch.full((4000,), c), generator=generator) for c in (1, 0))
    assert right < wrong


def test_conditions_that_do_not_fit_the_examples_are_refused():
    model = DDPM(ClassNet(), BETAS, event_shape=(1,), conditional=True)
    with pytest.raises(ValueError, match="each of 3 examples, got 2"):
        model.sample(3, cond=torch.tensor([0, 1]))
