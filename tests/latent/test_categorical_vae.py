"""The VAE of discrete pixels: its bound, its loss, its sampler."""

import itertools
import math

import pytest
import torch
from torch import nn

from genlab.core import kl_diag_normal, likelihood_kind
from genlab.latent import CategoricalVAE, Recipe, digit_vae

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
    vae = digit_vae(Recipe(causal=True, width=16))
    x = torch.randint(0, 17, (1, 1, 8, 8), generator=generator)
    y = x.clone()
    y[0, 0, 4, 3] = (y[0, 0, 4, 3] + 5) % 17
    z = torch.zeros(1, 8)
    with torch.no_grad():
        changed = (vae.logits(z, x) != vae.logits(z, y)).any(-1).flatten()
    assert not changed[: 4 * 8 + 4].any()
    assert changed[4 * 8 + 4]


def test_a_causal_decoder_samples_and_asks_for_its_pixels(generator):
    vae = digit_vae(Recipe(causal=True, width=16))
    assert vae.sample(2, generator=generator).shape == (2, 1, 8, 8)
    with pytest.raises(ValueError, match="sees earlier pixels"):
        vae.logits(torch.zeros(1, 8))


def test_conditions_are_refused():
    with pytest.raises(ValueError, match="cond must be None"):
        tiny().loss(IMAGES, cond=IMAGES)
    with pytest.raises(ValueError, match="cond must be None"):
        tiny().sample(1, cond=IMAGES)
