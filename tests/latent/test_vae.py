"""Three decoders: each is a distribution, in nats, summed over the event."""

import dataclasses
import itertools
import math

import pytest
import torch
from torch import nn

from genlab.core import HasElbo, Sampleable, Trainable, kl_diag_normal, likelihood_kind
from genlab.core.stats import normal_log_prob
from genlab.latent import (
    VAE,
    CategoricalVAE,
    active_units,
    bernoulli_log_prob,
    categorical_log_prob,
    code_information,
    free_bits,
    gaussian_log_prob,
    kl_annealing,
    kl_per_unit,
)
from genlab.latent.vae import (
    ImageVAE,
    ImageVAEConfig,
    Residual,
    code_std,
    loss_constant,
    weighted_error,
)
from genlab.train import fit, minibatches
from genlab.zoo import find


def test_bernoulli_probabilities_of_all_images_add_up_to_one(generator):
    images = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)))
    logits = 3 * torch.randn(4, generator=generator)
    total = bernoulli_log_prob(images, logits.expand(16, 4)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_bernoulli_with_a_logit_of_log_three_gives_ink_three_quarters():
    x, logits = torch.tensor([[1.0], [0.0]]), torch.full((2, 1), math.log(3))
    expected = torch.tensor([0.75, 0.25])
    torch.testing.assert_close(bernoulli_log_prob(x, logits).exp(), expected)


def test_bernoulli_stays_finite_where_the_probability_underflows():
    value = bernoulli_log_prob(torch.ones(1, 1), torch.full((1, 1), -800.0))
    torch.testing.assert_close(value, torch.tensor([-800.0]))


def test_bernoulli_refuses_grey():
    with pytest.raises(ValueError, match=r"a pixel is 0.5, expected 0 or 1"):
        bernoulli_log_prob(torch.tensor([[0.0, 0.5]]), torch.zeros(1, 2))


def test_categorical_probabilities_of_all_images_add_up_to_one(generator):
    images = torch.tensor(list(itertools.product(range(5), repeat=3)))
    logits = torch.randn(3, 5, generator=generator)
    total = categorical_log_prob(images, logits.expand(125, 3, 5)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_categorical_is_a_sum_over_the_pixels_of_each_example():
    x = torch.zeros(2, 1, 8, 8, dtype=torch.int64)
    value = categorical_log_prob(x, torch.zeros(2, 1, 8, 8, 17))
    torch.testing.assert_close(value, torch.full((2,), -64 * math.log(17)))


def test_categorical_with_two_levels_is_bernoulli(generator):
    logits = torch.randn(6, 4, generator=generator)
    x = (torch.rand(6, 4, generator=generator) < 0.5).double()
    pairs = torch.stack([torch.zeros_like(logits), logits], -1)
    torch.testing.assert_close(categorical_log_prob(x.long(), pairs), bernoulli_log_prob(x, logits))


@pytest.mark.parametrize("level", [-1, 3])
def test_categorical_refuses_a_level_that_has_no_probability(level):
    with pytest.raises(ValueError, match=r"expected 0\.\.2"):
        categorical_log_prob(torch.tensor([[level]]), torch.zeros(1, 1, 3))


def test_gaussian_density_integrates_to_one_for_any_scale():
    x = torch.linspace(-30, 30, 60_001)[:, None]
    for log_scale in (-1.0, 0.0, 1.0):
        density = gaussian_log_prob(x, torch.full_like(x, 0.3), torch.tensor(log_scale)).exp()
        integral = torch.trapezoid(density, x[:, 0])
        torch.testing.assert_close(integral, torch.tensor(1.0))


def test_the_mean_square_error_is_the_best_squared_scale(generator):
    x, mean = torch.rand(2, 1, 50, generator=generator)
    log_scale = (0.5 * ((x - mean) ** 2).mean().log()).requires_grad_(True)
    gaussian_log_prob(x, mean, log_scale).sum().backward()
    assert abs(log_scale.grad.item()) < 1e-10  # rounding of 50 terms


def test_a_dequantised_density_stays_below_its_bin():
    u = ((torch.arange(20_000) + 0.5) / 20_000)[:, None]
    for scale, most in ((0.02, 3.0), (0.1, 0.1)):
        y, centre = (3 + u) / 17, torch.full_like(u, 0.25)
        bound = gaussian_log_prob(y, centre, torch.tensor(scale).log()).mean() - math.log(17)
        normal = torch.distributions.Normal(0.25, scale)
        exact = (normal.cdf(torch.tensor(4 / 17)) - normal.cdf(torch.tensor(3 / 17))).log()
        assert exact - most < bound < exact


def linear_vae() -> VAE:
    torch.manual_seed(1)
    return VAE(nn.Linear(3, 4), nn.Linear(2, 3), latent_dim=2, event_shape=(3,), log_scale=-0.5)


def test_a_vae_has_a_bound_and_no_density():
    vae = linear_vae()
    _: HasElbo = vae
    _s: Sampleable = vae
    _t: Trainable = vae
    assert likelihood_kind(vae) == "bound"
    assert not hasattr(vae, "log_prob")


def test_samples_follow_the_marginal_of_the_linear_model(generator):
    vae, n = linear_vae(), 100_000
    x = vae.sample(n, generator=generator)
    w, b = vae.decoder.weight.detach(), vae.decoder.bias.detach()
    covariance = w @ w.T + math.exp(-1.0) * torch.eye(3)
    std = covariance.diagonal().sqrt()
    # Monte Carlo: five standard errors of means and covariances of normal draws.
    assert ((x.mean(0) - b).abs() < 5 * std / math.sqrt(n)).all()
    allowed = 5 * math.sqrt(2 / n) * std[:, None] * std
    assert ((torch.cov(x.T) - covariance).abs() < allowed).all()


def test_elbo_averages_below_the_exact_marginal_and_the_importance_bound_closes_the_gap(generator):
    vae = linear_vae()
    nn.init.zeros_(vae.encoder.weight)  # q is the prior, which covers every posterior
    nn.init.zeros_(vae.encoder.bias)
    x = vae.sample(200, generator=generator)
    w, b = vae.decoder.weight.detach(), vae.decoder.bias.detach()
    truth = torch.distributions.MultivariateNormal(b, w @ w.T + math.exp(-1.0) * torch.eye(3))
    with torch.no_grad():
        bound = torch.stack([vae.elbo(x, generator=generator) for _ in range(50)]).mean().item()
        tight = vae.importance_bound(x, 2_000, generator=generator).mean().item()
    exact = truth.log_prob(x).mean().item()
    assert bound < exact - 0.05
    assert abs(tight - exact) < 0.02  # 2,000 draws for each of 200 points


def test_same_generator_same_elbo_and_same_sample():
    vae, x = linear_vae(), torch.ones(4, 3)
    g = [torch.Generator().manual_seed(7) for _ in range(4)]
    torch.testing.assert_close(vae.elbo(x, generator=g[0]), vae.elbo(x, generator=g[1]))
    torch.testing.assert_close(vae.sample(3, generator=g[2]), vae.sample(3, generator=g[3]))


def test_samples_carry_no_gradient_and_the_loss_does(generator):
    vae = linear_vae()
    assert not vae.sample(2, generator=generator).requires_grad
    assert vae.loss(torch.ones(2, 3), generator=generator).requires_grad


def test_loss_is_minus_the_mean_elbo():
    vae, x = linear_vae(), torch.randn(5, 3, generator=torch.Generator().manual_seed(2))
    loss = vae.loss(x, generator=torch.Generator().manual_seed(3))
    values = vae.elbo(x, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(loss, -values.mean())


def test_training_learns_the_scale_and_the_likelihood_of_a_gaussian(generator):
    data = torch.randn(2000, 3, generator=generator) * 0.5
    vae = linear_vae()
    list(fit(vae, minibatches(data, 250, generator=generator), n_steps=600, lr=0.01,
             generator=generator))  # fmt: skip
    with torch.no_grad():
        bound = vae.elbo(data, generator=generator).mean().item()
    entropy = 3 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.5))
    assert abs(bound + entropy) < 0.08  # nats; the best bound is the entropy itself


def test_conditions_and_empty_latents_are_refused():
    vae = linear_vae()
    with pytest.raises(ValueError, match="cond must be None"):
        vae.sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="cond must be None"):
        vae.loss(torch.zeros(1, 3), cond=torch.zeros(1))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        VAE(nn.Identity(), nn.Identity(), latent_dim=0, event_shape=(2,))


IMAGES = torch.tensor(list(itertools.product(range(3), repeat=2)))


def tiny(seed: int = 0) -> CategoricalVAE:
    """Two pixels of three levels, one latent."""
    torch.manual_seed(seed)
    decoder = nn.Sequential(nn.Linear(1, 4), nn.Unflatten(1, (2, 2)))
    return CategoricalVAE(nn.Linear(2, 2), decoder, nn.Linear(2, 3), latent_dim=1, event_shape=(2,))


def exact(vae: CategoricalVAE) -> torch.Tensor:
    """Log-probability of each image in IMAGES by integration over the one latent."""
    z = torch.linspace(-9, 9, 4001)
    prior = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    with torch.no_grad():
        rows = [vae.decoder_log_prob(x.expand(len(z), 2), z[:, None]).exp() for x in IMAGES]
    return torch.stack([torch.trapezoid(prior * row, z) for row in rows]).log()


def test_its_images_have_total_probability_one_and_only_a_bound():
    vae = tiny()
    torch.testing.assert_close(exact(vae).exp().sum(), torch.tensor(1.0))
    assert likelihood_kind(vae) == "bound"


def test_the_bound_lies_below_the_integral_and_many_draws_reach_it(generator):
    vae, truth = tiny(), exact(tiny())
    with torch.no_grad():
        draws = vae.elbo(IMAGES.repeat(2000, 1), generator=generator)
        one = draws.view(2000, len(IMAGES)).mean(0)
        many = vae.importance_bound(IMAGES, 20_000, generator=generator)
    assert (one < truth - 1e-3).all()
    torch.testing.assert_close(many, truth, atol=0.05, rtol=0)  # 20,000 weighted draws


def test_samples_have_the_frequencies_of_the_integral(generator):
    vae, n = tiny(), 40_000
    x = vae.sample(n, generator=generator)
    counts = torch.bincount(3 * x[:, 0] + x[:, 1], minlength=9) / n
    p = exact(vae).exp()
    # Monte Carlo: five standard errors of a frequency.
    assert ((counts - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()


def test_loss_is_minus_the_bound_plus_the_extra_weight_of_the_divergence():
    vae = tiny()
    seeded = lambda: torch.Generator().manual_seed(4)
    kl = kl_diag_normal(*vae.encode(IMAGES)).mean()
    bound = vae.elbo(IMAGES, generator=seeded()).mean()
    torch.testing.assert_close(vae.loss(IMAGES, generator=seeded()), -bound)
    vae.beta = 3.0
    torch.testing.assert_close(vae.loss(IMAGES, generator=seeded()), -bound + 2 * kl)
    torch.testing.assert_close(vae.elbo(IMAGES, generator=seeded()).mean(), bound)


def test_mean_image_is_the_mean_of_its_draws(generator):
    vae, z = tiny(), torch.full((50_000, 1), 0.7)
    draws = vae.decode(z, generator=generator).double()
    with torch.no_grad():
        mean = vae.mean_image(z[:1])[0]
    # Monte Carlo: five standard errors; a level in 0..2 scatters by at most 1.
    assert ((draws.mean(0) - mean).abs() < 5 / math.sqrt(len(z))).all()


def test_a_causal_decoder_reads_earlier_pixels_only(generator):
    vae = find("digit_vae").but(causal=True, width=16).untrained()
    x = torch.randint(0, 17, (1, 1, 8, 8), generator=generator)
    y = x.clone()
    y[0, 0, 4, 3] = (y[0, 0, 4, 3] + 5) % 17
    z = torch.zeros(1, 8)
    with torch.no_grad():
        changed = (vae.logits(z, x) != vae.logits(z, y)).any(-1).flatten()
    assert not changed[: 4 * 8 + 4].any()
    assert changed[4 * 8 + 4]


def test_a_causal_decoder_samples_and_asks_for_its_pixels(generator):
    vae = find("digit_vae").but(causal=True, width=16).untrained()
    assert vae.sample(2, generator=generator).shape == (2, 1, 8, 8)
    with pytest.raises(ValueError, match="sees earlier pixels"):
        vae.logits(torch.zeros(1, 8))


def test_conditions_are_refused():
    with pytest.raises(ValueError, match="cond must be None"):
        tiny().loss(IMAGES, cond=IMAGES)
    with pytest.raises(ValueError, match="cond must be None"):
        tiny().sample(1, cond=IMAGES)


def test_a_unit_is_active_when_its_mean_moves_and_not_when_it_is_far_away():
    mu = torch.tensor([[0.0, 5.0, 0.05], [0.3, 5.0, -0.05], [-0.3, 5.0, 0.0]])
    assert active_units(mu).tolist() == [True, False, False]  # variances .09, 0, .0025
    assert active_units(mu, threshold=0.001).tolist() == [True, False, True]


def test_units_add_up_to_the_divergence(generator):
    mu, log_var = torch.randn(2, 5, 3, generator=generator)
    torch.testing.assert_close(kl_per_unit(mu, log_var).sum(1), kl_diag_normal(mu, log_var))


@pytest.mark.parametrize(
    ("mu", "sigma", "kl"),
    [(0, 1, 0), (1, 1, 0.5), (0, 2, 0.8068528), (2, 1, 2), (0, 0.5, 0.3181472), (1, 2, 1.3068528)],
)
def test_divergence_of_the_course_table(mu, sigma, kl):
    value = kl_per_unit(torch.tensor([[float(mu)]]), torch.tensor([[2 * math.log(sigma)]]))
    assert value.item() == pytest.approx(kl, abs=5e-8)  # seven printed digits


def test_equal_codes_carry_no_information_however_far_from_the_prior(generator):
    mu, log_var = torch.full((40, 2), 3.0), torch.full((40, 2), -4.0)
    told = code_information(mu, log_var, torch.randn(40, 2, generator=generator))
    torch.testing.assert_close(told, torch.zeros(40), atol=1e-9, rtol=0)  # rounding
    assert kl_diag_normal(mu, log_var).min() > 9


def test_codes_far_apart_carry_the_log_of_their_number(generator):
    mu, log_var = 100 * torch.arange(8.0)[:, None], torch.zeros(8, 1)
    told = code_information(mu, log_var, torch.randn(8, 1, generator=generator))
    torch.testing.assert_close(told, torch.full((8,), math.log(8)))


def test_information_of_two_codes_is_that_of_a_noisy_channel(generator):
    n, line = 4000, torch.linspace(-8, 8, 16_001)
    densities = [
        torch.exp(-0.5 * ((line - m) / 0.5) ** 2) / (0.5 * 2.5066282746) for m in (-0.6, 0.6)
    ]
    middle = (densities[0] + densities[1]) / 2
    truth = sum(torch.trapezoid(d * (d / middle).log(), line) for d in densities).item() / 2
    mu = torch.tensor([-0.6, 0.6]).repeat(n // 2)[:, None]
    told = code_information(
        mu, torch.full((n, 1), 2 * math.log(0.5)), torch.randn(n, 1, generator=generator)
    )
    # Monte Carlo: five standard errors.
    assert abs(told.mean().item() - truth) < 5 * told.std().item() / math.sqrt(n)


def test_without_a_floor_free_bits_is_the_mean_divergence(generator):
    kl = torch.rand(6, 3, generator=generator)
    torch.testing.assert_close(free_bits(kl, 0.0), kl.sum(1).mean())


def test_below_the_floor_the_price_is_flat_and_above_it_is_not():
    kl = torch.tensor([[0.1, 2.0], [0.3, 4.0]], requires_grad=True)
    price = free_bits(kl, 0.5)
    price.backward()
    torch.testing.assert_close(price, torch.tensor(0.5 + 3.0))
    torch.testing.assert_close(kl.grad, torch.tensor([[0.0, 0.5], [0.0, 0.5]]))


def test_the_floor_looks_at_the_batch_and_not_at_single_examples():
    kl = torch.tensor([[0.0], [1.2]])
    torch.testing.assert_close(free_bits(kl, 0.5), torch.tensor(0.6))


def test_annealing_rises_to_beta_and_stays():
    weight = kl_annealing(10, beta=2.0)
    assert [weight(k) for k in (0, 5, 10, 1000)] == [0.0, 1.0, 2.0, 2.0]
    assert kl_annealing(0)(0) == 1.0


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="floor is -1"):
        free_bits(torch.zeros(2, 2), -1.0)
    with pytest.raises(ValueError, match="n_warm is -3"):
        kl_annealing(-3)
    with pytest.raises(ValueError, match="1 examples, expected at least two"):
        active_units(torch.zeros(1, 2))


SMALL = ImageVAEConfig(size=8, width=8, latent_channels=2, pixel_std=0.1)


def small_vae(**changes):
    torch.manual_seed(3)
    return ImageVAE(dataclasses.replace(SMALL, **changes))


@pytest.fixture
def pictures(generator):
    return torch.rand(6, 3, 8, 8, generator=generator)


@pytest.mark.parametrize("s", [0.02, 0.5, 3.0])
def test_the_weighted_error_is_a_bound_in_other_units(s, pictures, generator):
    """-2 s^2 times (log-likelihood - KL), plus a constant that no parameter moves."""
    mean = torch.rand(pictures.shape, generator=generator)
    mu, log_var = torch.randn(2, 6, 2, 2, 2, generator=generator)
    bound = normal_log_prob(pictures, mean, s) - kl_diag_normal(mu, log_var)
    expected = -2 * s**2 * bound + loss_constant(3 * 8 * 8, s)
    found = weighted_error(pictures, mean, mu, log_var, pixel_std=s)
    torch.testing.assert_close(found, expected)


def test_the_loss_of_the_model_is_its_elbo_in_these_units(pictures):
    vae = small_vae()
    loss = vae.loss(pictures, generator=torch.Generator().manual_seed(5))
    elbo = vae.elbo(pictures, generator=torch.Generator().manual_seed(5)).mean()
    torch.testing.assert_close(loss, -2 * 0.01 * elbo + loss_constant(192, 0.1))


def test_the_error_is_summed_over_pixels_and_codes():
    x, code = torch.ones(2, 3, 4, 4), torch.zeros(2, 5)
    assert weighted_error(x, 0 * x, code, code, pixel_std=1.0).tolist() == [48, 48]
    only_kl = weighted_error(x, x, code + 1, code, pixel_std=0.1)  # 5 times 1/2 nat, times 0.02
    torch.testing.assert_close(only_kl, torch.full((2,), 0.05))


def test_the_spread_of_codes_is_that_of_their_draws(generator):
    mu = 2 * torch.randn(400, 3, 4, generator=generator) + 5
    log_var = torch.randn(400, 3, 4, generator=generator)
    draws = mu + (0.5 * log_var).exp() * torch.randn(200, 400, 3, 4, generator=generator)
    # Monte Carlo: 960,000 draws, nearly normal; 5 standard errors of a standard deviation
    error = 5 * draws.std() / math.sqrt(2 * draws.numel())
    assert abs(code_std(mu, log_var) - draws.std()) < error


def test_a_codes_spread_has_the_unit_of_the_code(generator):
    mu, log_var = torch.randn(2, 30, 4, generator=generator)
    torch.testing.assert_close(
        code_std(3 * mu, log_var + 2 * math.log(3)), 3 * code_std(mu, log_var)
    )


def test_the_scale_of_a_code_is_free(pictures, generator):
    """Codes c times as large and a decoder that divides by c: the same pictures."""
    vae, c = small_vae(), 7.0
    mu, log_var = vae.encode(pictures)
    before = vae.decode(mu)
    head, stem = vae.encoder[-1], vae.decoder[0]
    with torch.no_grad():
        head.weight[:2] *= c
        head.bias[:2] *= c
        head.bias[2:] += 2 * math.log(c)
        stem.weight /= c
    large, log_var_large = vae.encode(pictures)
    torch.testing.assert_close(large, c * mu)
    torch.testing.assert_close(log_var_large, log_var + 2 * math.log(c))
    torch.testing.assert_close(vae.decode(large), before)


def test_shapes_follow_the_configuration(pictures):
    vae = small_vae(latent_channels=3)
    mu, log_var = vae.encode(pictures)
    assert mu.shape == log_var.shape == (6, *vae.latent_shape) == (6, 3, 2, 2)
    assert vae.decode(mu).shape == pictures.shape
    assert vae.sample(5).shape == (5, *vae.event_shape)


def test_pixels_of_the_mean_lie_between_black_and_white(generator):
    z = 100 * torch.randn(4, 2, 2, 2, generator=generator)
    assert bool(((pixels := small_vae().decode(z)) >= 0).all() and (pixels <= 1).all())


def test_a_place_of_the_code_sees_its_own_part_of_the_picture(pictures):
    """Convolutions: the far corner's pixels change nothing but through the group norms."""
    vae = small_vae(size=32)
    x = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    y = x.clone()
    y[..., -4:, -4:] = 1 - y[..., -4:, -4:]
    nn.init.zeros_(vae.encoder[3].conv_1.weight)
    vae.encoder[4] = nn.Identity()
    change = (vae.encode(x)[0] - vae.encode(y)[0]).abs().sum(1)[0]
    assert change[:6, :6].max() == 0
    assert change[-1, -1] > 0


def test_a_residual_starts_as_its_shortcut(generator):
    x = torch.randn(2, 8, 4, 4, generator=generator)
    block = Residual(8)
    bias = block.conv_2.bias[:, None, None]
    torch.testing.assert_close(block(x), x + bias)


def test_an_image_vae_has_a_bound_and_no_density():
    vae = small_vae()
    _: HasElbo = vae
    _s: Sampleable = vae
    _t: Trainable = vae
    assert likelihood_kind(vae) == "bound"
    assert not hasattr(vae, "log_prob")


def test_a_prior_draw_has_the_noise_of_its_pixels():
    """Decoder at a constant: what is left is the pixels' own spread."""
    vae = small_vae(pixel_std=0.2)
    nn.init.zeros_(vae.decoder[7].weight)
    nn.init.zeros_(vae.decoder[7].bias)
    x = vae.sample(200, generator=torch.Generator().manual_seed(0))
    assert abs(x.mean() - 0.5) < 0.01
    assert abs(x.std() - 0.2) < 0.01
    assert not x.requires_grad


def test_it_learns_to_give_pictures_back(generator):
    shade = torch.rand(64, 3, 1, 1, generator=generator)
    x = shade.expand(64, 3, 8, 8)
    vae = small_vae()
    batches = minibatches(x, 32, generator=generator)
    losses = [r.loss for r in fit(vae, batches, n_steps=120, lr=1e-2, generator=generator)]
    assert losses[-1] < 0.5 * losses[0]


def test_bad_sizes_conditions_and_weights_are_refused(pictures):
    with pytest.raises(ValueError, match="got 30, 8"):
        small_vae(size=30)
    with pytest.raises(ValueError, match="got 8, 12"):
        small_vae(width=12)
    with pytest.raises(ValueError, match="cond must be None"):
        small_vae().loss(pictures, cond=torch.zeros(6))
    with pytest.raises(ValueError, match="cond must be None"):
        small_vae().sample(1, cond=torch.zeros(1))
    with pytest.raises(ValueError, match="must be positive, got 0"):
        weighted_error(pictures, pictures, pictures, pictures, pixel_std=0.0)
    with pytest.raises(ValueError, match="1 pictures"):
        code_std(pictures[:1], pictures[:1])
