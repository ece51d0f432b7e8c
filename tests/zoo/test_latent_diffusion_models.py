"""The recipes of the latent diffusion: seeded, the VAE first and then left alone."""

import torch

from genlab.core.weights import load_weights
from genlab.zoo.latent_diffusion_models import (
    PAINTER,
    TRAININGS,
    VAE,
    Recipe,
    VAERecipe,
    latent_diffusion,
    latent_vae,
    train_latent_diffusion,
    train_latent_vae,
)

SMALL_VAE = VAERecipe(width=8, n_steps=12, batch_size=16)
SMALL = Recipe(width=8, d_text=8, n_steps=12, batch_size=16)


def system():
    return latent_diffusion(SMALL, latent_vae(SMALL_VAE))


def test_models_are_the_same_every_time_and_leave_the_global_noise_alone():
    before = torch.get_rng_state()
    for build in (lambda: latent_vae(SMALL_VAE), system):
        first, second = (build().state_dict() for _ in range(2))
        assert all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(before, torch.get_rng_state())


def test_a_few_steps_teach_the_vae_something():
    model = latent_vae(SMALL_VAE)
    losses = [record.loss for record in train_latent_vae(model, SMALL_VAE)]
    assert losses[-1] < losses[0]
    assert not model.training


def test_the_painters_training_sets_the_scale_and_leaves_the_vae_alone():
    model = system()
    vae = {name: w.clone() for name, w in model.vae.state_dict().items()}
    painter = {name: w.clone() for name, w in model.painter.state_dict().items()}
    losses = [record.loss for record in train_latent_diffusion(model, SMALL)]
    assert model.spread != 1
    assert all(torch.equal(vae[name], w) for name, w in model.vae.state_dict().items())
    assert any(not torch.equal(painter[n], w) for n, w in model.painter.state_dict().items())
    assert 0.5 < losses[0] < 2.0  # a network that answers 0 has loss 1
    assert not model.training


def test_the_painter_sees_the_codes_of_pictures_between_black_and_white():
    """The VAE records what it is given; colours and shades lie in [0, 1]."""
    model, seen = system(), []
    model.vae.encoder.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    next(train_latent_diffusion(model, SMALL))
    assert len(seen) == 2  # once for the scale, once for the batch
    assert all(x.min() == 0 and 0.9 < x.max() <= 1 for x in seen)


def test_guesses_of_codes_are_not_clipped():
    assert system().painter.limit is None


def test_nothing_of_the_vae_asks_for_a_gradient():
    assert not any(p.requires_grad for p in system().vae.parameters())


def test_the_scale_may_be_left_as_it_is():
    model = system()
    model.spread.fill_(7.0)
    next(train_latent_diffusion(model, SMALL, rescale=False))
    assert model.spread == 7


def test_a_training_that_is_taken_up_again_ends_with_the_same_weights():
    whole, parts = system(), system()
    list(train_latent_diffusion(whole, SMALL))
    run = train_latent_diffusion(parts, SMALL)
    for _ in range(5):
        next(run)
    state, again = run.state_dict(), system()
    run = train_latent_diffusion(again, SMALL)
    run.load_state_dict(state)
    list(run)
    for name, w in whole.state_dict().items():
        assert torch.equal(w, again.state_dict()[name]), name


def test_the_painter_starts_from_the_shipped_vae():
    model = latent_diffusion()
    PAINTER.start(model, PAINTER.settings)
    shipped = load_weights(latent_vae(), VAE.path)
    for name, w in shipped.state_dict().items():
        assert torch.equal(w, model.vae.state_dict()[name]), name


def test_the_shipped_painter_holds_the_shipped_vae():
    model = load_weights(latent_diffusion(), PAINTER.path)
    for name, w in load_weights(latent_vae(), VAE.path).state_dict().items():
        torch.testing.assert_close(model.vae.state_dict()[name], w)


def test_both_files_together_are_small():
    assert sum(t.path.stat().st_size for t in TRAININGS) < 3e6
