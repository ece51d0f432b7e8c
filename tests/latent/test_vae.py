"""Decoders are distributions, models are bounds of them, and codes say what they say."""

import dataclasses
import itertools
import math

import pytest
import torch
from torch import nn

from genlab.core import kl_diag_normal, likelihood_kind
from genlab.core.stats import normal_log_prob
from genlab.latent import elbo, importance_bound, vae
from genlab.latent.vae import (
    VAE,
    CategoricalVAE,
    ImageVAE,
    ImageVAEConfig,
    Residual,
    active_units,
    bernoulli_log_prob,
    categorical_log_prob,
    code_information,
    free_bits,
    kl_per_unit,
    weighted_error,
)
from genlab.train import fit, minibatches
from genlab.zoo import find


def test_categorical_probabilities_of_all_images_add_up_to_one(generator):
    images = torch.tensor(list(itertools.product(range(5), repeat=3)))
    logits = torch.randn(3, 5, generator=generator)
    total = categorical_log_prob(images, logits.expand(125, 3, 5)).exp().sum()
    torch.testing.assert_close(total, torch.tensor(1.0))


def test_categorical_with_two_levels_is_bernoulli(generator):
    logits = torch.randn(6, 4, generator=generator)
    x = (torch.rand(6, 4, generator=generator) < 0.5).double()
    pairs = torch.stack([torch.zeros_like(logits), logits], -1)
    torch.testing.assert_close(categorical_log_prob(x.long(), pairs), bernoulli_log_prob(x, logits))


def linear_vae() -> VAE:
    torch.manual_seed(1)
    return VAE(nn.Linear(3, 4), nn.Linear(2, 3), latent_dim=2, event_shape=(3,), log_scale=-0.5)


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


def seeded(seed=7):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", ["gaussian", "categorical", "image"])
def test_a_vae_has_a_bound_and_no_density_and_repeats_by_its_seed(kind, generator):
    vae, x = {
        "gaussian": lambda: (linear_vae(), torch.ones(2, 3)),
        "categorical": lambda: (tiny(), IMAGES),
        "image": lambda: (small_vae(latent_channels=3), torch.rand(2, 3, 8, 8)),
    }[kind]()
    assert likelihood_kind(vae) == "bound"
    assert vae.sample(5).shape == (5, *vae.event_shape) == (5, *x.shape[1:])
    assert torch.equal(vae.sample(3, generator=seeded()), vae.sample(3, generator=seeded()))
    assert torch.equal(vae.elbo(x, generator=seeded()), vae.elbo(x, generator=seeded()))
    assert not vae.sample(2, generator=generator).requires_grad
    assert vae.loss(x, generator=generator).requires_grad


def test_training_learns_the_scale_and_the_likelihood_of_a_gaussian(generator):
    data = torch.randn(2000, 3, generator=generator) * 0.5
    vae = linear_vae()
    list(fit(vae, minibatches(data, 250, generator=generator), n_steps=600, lr=0.01,
             generator=generator))  # fmt: skip
    with torch.no_grad():
        bound = vae.elbo(data, generator=generator).mean().item()
    entropy = 3 * (0.5 * math.log(2 * math.pi * math.e) + math.log(0.5))
    assert abs(bound + entropy) < 0.08  # nats; the best bound is the entropy itself


IMAGES = torch.tensor(list(itertools.product(range(3), repeat=2)))


def tiny(seed: int = 0) -> CategoricalVAE:
    """Two pixels of three levels, one latent."""
    torch.manual_seed(seed)
    decoder = nn.Sequential(nn.Linear(1, 4), nn.Unflatten(1, (2, 2)))
    return CategoricalVAE(nn.Linear(2, 2), decoder, nn.Linear(2, 3), latent_dim=1, event_shape=(2,))


def exact(vae) -> torch.Tensor:
    """Log-probability of each image in IMAGES by integration over the one latent."""
    z = torch.linspace(-9, 9, 4001)
    prior = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    with torch.no_grad():
        rows = [vae.decoder_log_prob(x.expand(len(z), 2), z[:, None]).exp() for x in IMAGES]
    return torch.stack([torch.trapezoid(prior * row, z) for row in rows]).log()


def test_the_bound_lies_below_the_integral_and_many_draws_reach_it(generator):
    vae, truth = tiny(), exact(tiny())
    with torch.no_grad():
        draws = vae.elbo(IMAGES.repeat(2000, 1), generator=generator)
        one = draws.view(2000, len(IMAGES)).mean(0)
        many = vae.importance_bound(IMAGES, 2_000, generator=generator)
    assert (one < truth - 1e-3).all()
    torch.testing.assert_close(many, truth, atol=0.05, rtol=0)  # 2,000 weighted draws


def test_samples_have_the_frequencies_of_the_integral(generator):
    vae, n = tiny(), 40_000
    x = vae.sample(n, generator=generator)
    counts = torch.bincount(3 * x[:, 0] + x[:, 1], minlength=9) / n
    p = exact(vae).exp()
    torch.testing.assert_close(p.sum(), torch.tensor(1.0))
    # Monte Carlo: five standard errors of a frequency.
    assert ((counts - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()


def test_loss_is_minus_the_bound_plus_the_extra_weight_of_the_divergence():
    vae = tiny()
    kl = kl_diag_normal(*vae.encode(IMAGES)).mean()
    bound = vae.elbo(IMAGES, generator=seeded()).mean()
    torch.testing.assert_close(vae.loss(IMAGES, generator=seeded()), -bound)
    torch.testing.assert_close(vae.loss(IMAGES, beta=3.0, generator=seeded()), -bound + 2 * kl)
    torch.testing.assert_close(vae.elbo(IMAGES, generator=seeded()).mean(), bound)


def test_each_latent_has_free_bits_of_its_own_in_the_loss():
    torch.manual_seed(0)
    pixels = nn.Sequential(nn.Linear(2, 6), nn.Unflatten(1, (2, 3)))
    vae = CategoricalVAE(nn.Linear(2, 4), pixels, nn.Linear(3, 3), latent_dim=2, event_shape=(2,))
    mu, log_var = vae.encode(IMAGES)
    each = (0.5 * (mu**2 + log_var.exp() - 1 - log_var)).mean(0)
    recon = vae.elbo(IMAGES, generator=seeded()).mean() + each.sum()
    floor = float(each.detach().mean())  # some latents lie below it, some above
    assert each.min() < floor < each.max()
    expected = sum(max(kl, floor) for kl in each.tolist()) - recon
    torch.testing.assert_close(vae.loss(IMAGES, floor=floor, generator=seeded()), expected)


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


def test_a_unit_is_active_when_its_mean_moves_and_not_when_it_is_far_away():
    mu = torch.tensor([[0.0, 5.0, 0.05], [0.3, 5.0, -0.05], [-0.3, 5.0, 0.0]])
    assert active_units(mu).tolist() == [True, False, False]  # variances .09, 0, .0025
    assert active_units(mu, threshold=0.001).tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("mu", "sigma", "kl"),
    [(0, 1, 0), (1, 1, 0.5), (0, 2, 0.8068528), (2, 1, 2), (0, 0.5, 0.3181472), (1, 2, 1.3068528)],
)
def test_divergence_of_the_course_table(mu, sigma, kl):
    value = kl_per_unit(torch.tensor([[float(mu)]]), torch.tensor([[2 * math.log(sigma)]]))
    assert value.item() == pytest.approx(kl, abs=5e-8)  # seven printed digits


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


def test_below_the_floor_the_price_is_flat_and_above_it_is_not():
    kl = torch.tensor([[0.0, 2.0], [0.8, 4.0]], requires_grad=True)  # of the batch, not of a row
    torch.testing.assert_close(free_bits(kl, 0.0), kl.sum(1).mean())
    price = free_bits(kl, 0.5)
    price.backward()
    torch.testing.assert_close(price, torch.tensor(0.5 + 3.0))
    torch.testing.assert_close(kl.grad, torch.tensor([[0.0, 0.5], [0.0, 0.5]]))


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
    constant = -192 * s**2 * math.log(2 * math.pi * s**2)
    expected = -2 * s**2 * bound + constant
    found = weighted_error(pictures, mean, mu, log_var, pixel_std=s)
    torch.testing.assert_close(found, expected)


def test_the_loss_of_the_model_is_its_elbo_in_these_units(pictures):
    vae = small_vae()
    loss = vae.loss(pictures, generator=torch.Generator().manual_seed(5))
    elbo = vae.elbo(pictures, generator=torch.Generator().manual_seed(5)).mean()
    constant = -192 * 0.01 * math.log(2 * math.pi * 0.01)
    torch.testing.assert_close(loss, -2 * 0.01 * elbo + constant)


X, CODE = torch.zeros(2, 2), torch.zeros(2, 2)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: bernoulli_log_prob(X + 0.5, X), "a pixel is 0.5"),
        (lambda: categorical_log_prob(X.long() + 3, torch.zeros(2, 2, 3)), "holds 3"),
        (lambda: VAE(nn.Identity(), nn.Identity(), latent_dim=0, event_shape=(2,)), "is 0"),
        (lambda: small_vae(size=30), "got 30, 8"),
    ],
)
def test_what_would_be_a_silent_wrong_number_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        call()


def test_bernoulli_refuses_grey():
    with pytest.raises(ValueError, match=r"a pixel is 0\.5"):
        bernoulli_log_prob(torch.tensor([[0.0, 0.5]]), torch.zeros(1, 2))


def test_the_weight_of_the_divergence_rises_in_a_line_and_stays():
    weight = vae.kl_annealing(4, beta=2.0)
    assert [weight(step) for step in (0, 1, 3, 4, 9)] == [0.0, 0.5, 1.5, 2.0, 2.0]
    flat = vae.kl_annealing(0)
    assert [flat(step) for step in (0, 1, 9)] == [1.0, 1.0, 1.0]


def plain_vae(**options):
    torch.manual_seed(0)
    return VAE(nn.Linear(3, 4), nn.Linear(2, 3), latent_dim=2, event_shape=(3,), **options)


def test_an_encoder_gives_the_means_and_then_the_log_variances_within_twenty():
    model, x = plain_vae(), torch.randn(5, 3)
    nn.init.zeros_(model.encoder.weight)
    model.encoder.bias.data = torch.tensor([90.0, -1.0, -30.0, 50.0])
    mu, log_var = model.encode(x)
    torch.testing.assert_close(mu, torch.tensor([90.0, -1.0]).expand(5, 2))
    assert log_var.tolist() == [[-20.0, 20.0]] * 5


@pytest.mark.parametrize(("options", "scale"), [({}, 1.0), ({"log_scale": math.log(0.3)}, 0.3)])
def test_a_sample_is_a_code_then_the_decoders_mean_and_noise_of_its_scale(options, scale):
    model, draw = plain_vae(**options), torch.Generator().manual_seed(4)
    z = torch.randn(6, 2, generator=draw)
    x = model.decoder(z) + scale * torch.randn(6, 3, generator=draw)
    torch.testing.assert_close(model.sample(6, generator=torch.Generator().manual_seed(4)), x)


def test_the_bounds_of_the_model_are_those_of_its_parts():
    model, x = plain_vae(log_scale=-0.5), torch.randn(4, 3)
    mu, log_var = model.encode(x)
    eps = torch.randn(2, 4, 2, generator=torch.Generator().manual_seed(4))
    given = {"decoder_log_prob": model.decoder_log_prob}
    many = model.importance_bound(x, 2, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(many, importance_bound(x, mu, log_var, eps, **given))
    one = model.elbo(x, generator=torch.Generator().manual_seed(4))
    eps = torch.randn(4, 2, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(one, elbo(x, mu, log_var, eps, **given))
    loss = model.loss(x, generator=torch.Generator().manual_seed(4))
    torch.testing.assert_close(loss, -one.mean())
    normal = torch.distributions.Normal(model.decoder(mu), math.exp(-0.5))
    torch.testing.assert_close(model.decoder_log_prob(x, mu), normal.log_prob(x).sum(1))


def test_levels_enter_from_minus_one_to_one_and_the_mean_image_is_their_mean():
    seen, head = [], nn.Linear(1, 5)
    encoder = nn.Linear(2, 4)
    encoder.register_forward_hook(lambda _m, given, _out: seen.append(given[0]))
    model = CategoricalVAE(encoder, nn.Unflatten(1, (2, 1)), head, latent_dim=2, event_shape=(2,))
    model.encode(torch.tensor([[0, 1], [2, 3], [4, 4]]))
    assert seen[0].tolist() == [[-1.0, -0.5], [0.0, 0.5], [1.0, 1.0]]
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    torch.testing.assert_close(model.mean_image(torch.zeros(3, 2)), torch.full((3, 2), 2.0))
    head.bias.data[4] = 900.0
    torch.testing.assert_close(model.mean_image(torch.zeros(3, 2)), torch.full((3, 2), 4.0))
    assert model.draw(torch.zeros(1, 2)).tolist() == [[4, 4]]
    assert model.sample(3).tolist() == [[4, 4]] * 3


class Left(nn.Module):
    """The pixel to the left of each; white in front of a row."""

    def forward(self, x):
        return nn.functional.pad(x, (1, 0), value=1.0)[..., :-1]


def test_a_causal_decoder_draws_each_pixel_from_those_that_it_has_drawn():
    """A head that wants the opposite of the pixel to the left."""
    head, decoder = nn.Linear(1, 2, bias=False), nn.Linear(2, 4)
    head.weight.data = torch.tensor([[900.0], [-900.0]])
    for p in decoder.parameters():
        nn.init.zeros_(p)
    model = CategoricalVAE(
        nn.Flatten(), nn.Sequential(decoder, nn.Unflatten(1, (4, 1))), head,
        causal=Left(), latent_dim=2, event_shape=(1, 1, 4),
    )  # fmt: skip
    assert model.sample(2).tolist() == [[[[0, 1, 0, 1]]]] * 2
    assert model.draw(torch.zeros(1, 2)).tolist() == [[[[0, 1, 0, 1]]]]
    with pytest.raises(ValueError, match="logits needs x"):
        model.logits(torch.zeros(1, 2))
    decoded, drawn = [], []
    model.decoder.register_forward_hook(lambda *_: decoded.append(1))
    head.register_forward_hook(lambda *_: drawn.append(1))
    model.draw(torch.zeros(1, 2))
    assert (len(decoded), len(drawn)) == (1, 4)  # a code is decoded once, a pixel is drawn once


def test_a_residual_block_adds_its_last_bias_alone_at_first_and_then_what_its_layers_find():
    block, x = Residual(8), torch.randn(2, 8, 4, 6)
    assert torch.equal(block(x), x + block.conv_2.bias[:, None, None])
    nn.init.zeros_(block.conv_2.bias)
    nn.init.dirac_(block.conv_2.weight)
    inner = block.norm_2(block.conv_1(nn.functional.silu(block.norm_1(x))))
    torch.testing.assert_close(block(x) - x, nn.functional.silu(inner))


@pytest.mark.parametrize(("channels", "size", "width", "k"), [(1, 8, 8, 3), (3, 12, 16, 2)])
def test_codes_of_images_have_a_quarter_of_the_side_and_pixels_lie_between_0_and_1(
    channels, size, width, k
):
    model = ImageVAE(ImageVAEConfig(channels, size, k, width, pixel_std=0.1))
    x = torch.rand(2, channels, size, size)
    mu, log_var = model.encode(x)
    assert mu.shape == log_var.shape == (2, k, size // 4, size // 4) == (2, *model.latent_shape)
    mean = model.decode(mu)
    assert mean.shape == x.shape == model.sample(2).shape
    assert (mean > 0).all()
    assert (mean < 1).all()
    assert model.scale() == 0.1


@pytest.mark.parametrize("sizes", [{"size": 30}, {"width": 20}])
def test_an_image_that_cannot_be_halved_twice_or_groups_that_do_not_divide_are_refused(sizes):
    with pytest.raises(ValueError, match="need size % 4 and width % 8 = 0"):
        ImageVAE(ImageVAEConfig(**sizes))


def test_a_unit_is_active_from_a_variance_of_one_hundredth():
    """Burda et al. 2015, section 5.2: the threshold that they use."""
    edge = math.sqrt(0.005)  # of two means at +- a the variance is 2 a^2
    mu = torch.tensor([[0.99 * edge, 1.01 * edge]])
    assert active_units(torch.cat([mu, -mu])).tolist() == [False, True]
