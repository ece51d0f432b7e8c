"""Codes are scaled and unscaled, noise is moved by DDIM, and the caption comes in by attention."""

from itertools import pairwise

import pytest
import torch

from genlab.core import Sampleable, likelihood_kind
from genlab.core.tensors import last
from genlab.data.language import MAX_SCENE_WORDS, SCENE_WORDS, encode_scenes, read_scenes
from genlab.latent.vae import ImageVAE, ImageVAEConfig
from genlab.metrics.cost import network_passes
from genlab.nn.dit import DiT, DiTConfig
from genlab.nn.text import TextEncoder
from genlab.nn.unet import UNet, UNetConfig
from genlab.score.samplers import ddim_step
from genlab.systems.latent_diffusion import LOG_ODDS, LatentDiffusion, Pixels, sampling_times

CAPTIONS = ["a red one", "a blue two left of a black nine", "a gold nine above a gold four"]
ROWS = encode_scenes(read_scenes(CAPTIONS))


def stirred(module, seed=0):
    """Random weights, so that no layer is zero."""
    g = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.data = 0.3 * torch.randn(p.shape, generator=g)
    return module


def small_unet():
    return UNet(
        UNetConfig(c_in=2, c_out=2, width=8, n_head=2, d_context=8, time_scale=1000.0,
                   everywhere=True, side=4)
    )  # fmt: skip


def system(net=None, **numbers):
    torch.manual_seed(0)
    vae = ImageVAE(ImageVAEConfig(size=16, width=8, latent_channels=2))
    encoder = TextEncoder(len(SCENE_WORDS), MAX_SCENE_WORDS, d=8, n_layer=1, n_head=2)
    return LatentDiffusion(
        stirred(vae), stirred(net or small_unet(), 1), stirred(encoder, 2), **numbers
    ).eval()


@pytest.fixture
def model():
    made = system()
    made.shift.copy_(torch.tensor([0.3, -2.0])[:, None, None])
    made.spread.fill_(5.5)
    return made


def noise(seed=1):
    return torch.Generator().manual_seed(seed)


# Scale


def test_codes_of_pictures_have_mean_0_and_spread_1(model, generator):
    x = torch.rand(64, 3, 16, 16, generator=generator)
    model.set_scale(x)
    codes = model.encode(x)
    assert codes.std(correction=0).item() == pytest.approx(1.0)
    assert codes.mean((0, 2, 3)).abs().max() < 1e-12
    torch.testing.assert_close(model.shift.flatten(), model.vae.encode(x)[0].mean((0, 2, 3)))


def test_decoding_reads_unscaled_codes(model, generator):
    x = torch.rand(3, 3, 16, 16, generator=generator)
    mu = model.vae.encode(x)[0]
    torch.testing.assert_close(model.decode(model.encode(x)), model.vae.decode(mu))


def test_pixels_stand_in_for_a_vae(generator):
    encoder = TextEncoder(len(SCENE_WORDS), MAX_SCENE_WORDS, d=8, n_head=2)
    made = LatentDiffusion(Pixels((3, 8, 8)), small_unet(), encoder)
    x = torch.rand(5, 3, 8, 8, generator=generator)
    made.set_scale(x)
    torch.testing.assert_close(made.decode(made.encode(x)), x)


# Loss


@pytest.mark.parametrize(("target", "least"), [("velocity", 2.0), ("noise", 1.0)])
def test_a_network_that_answers_zero_has_this_loss_on_scaled_codes(target, least, generator):
    made = system(target=target)
    torch.nn.init.zeros_(made.net.conv_out.weight)
    torch.nn.init.zeros_(made.net.conv_out.bias)
    z = torch.randn(4000, 2, 4, 4, generator=generator)
    loss = made.loss(z, cond=ROWS[:1].expand(4000, -1), generator=generator)
    assert abs(loss.item() - least) < 0.04  # Monte Carlo over 128,000 numbers


class Asked(torch.nn.Module):
    """Remembers what it is asked, and answers the noise exactly, since it knows the code."""

    def __init__(self, z0, target):
        super().__init__()
        self.z0, self.target, self.seen = z0, target, []

    def forward(self, z, t, *, context):
        self.seen.append((z, t, context))
        t = t[:, None, None, None]
        eps = (z - (1 - t) * self.z0) / t
        return eps if self.target == "noise" else eps - self.z0


@pytest.mark.parametrize("target", ["velocity", "noise"])
def test_a_network_that_knows_the_code_has_no_loss_and_draws_it(target, generator):
    z0 = torch.randn(3, 2, 4, 4, generator=generator)
    made = system(Asked(z0, target), target=target)
    assert made.loss(z0, cond=ROWS, generator=generator).item() < 1e-20
    assert (last(made.codes(CAPTIONS, 3, n_steps=3, generator=generator)) - z0).abs().max() < 1e-9


def test_a_tenth_of_the_captions_is_dropped_in_training_only(generator):
    z0 = torch.zeros(2000, 2, 4, 4)
    rows = ROWS[1:2].expand(2000, -1)
    for training, low, high in ((True, 0.08, 0.12), (False, 0.0, 0.0)):
        net = Asked(z0, "velocity")
        made = system(net).train(training)
        made.loss(z0, cond=rows, generator=generator)
        empty = (net.seen[0][2] == made.no_caption(1)).all((1, 2))
        assert low <= empty.double().mean() <= high


def test_times_are_logit_normal(generator):
    z0 = torch.zeros(5000, 2, 4, 4)
    net = Asked(z0, "velocity")
    system(net).loss(z0, cond=ROWS[:1].expand(5000, -1), generator=generator)
    u = net.seen[0][1].logit()
    assert abs(u.mean() - 0.8) < 0.05
    assert abs(u.std() - 1) < 0.05


def test_pictures_are_no_codes(model, generator):
    x = torch.rand(3, 3, 16, 16, generator=generator)
    with pytest.raises(ValueError, match=r"\(2, 4, 4\), got \(3, 16, 16\): use model.encode"):
        model.loss(x, cond=ROWS)


def test_the_vae_is_not_trained(model, generator):
    model.loss(torch.randn(3, 2, 4, 4, generator=generator), cond=ROWS).backward()
    assert not any(p.requires_grad for p in model.vae.parameters())
    assert all(p.grad is not None for p in model.text_encoder.parameters())


# Sampler


def test_the_times_of_sampling_are_even_ones_with_raised_log_odds():
    ts = sampling_times(8)
    assert (ts[0], ts[-1]) == (1, 0)
    even = torch.linspace(1, 0, 9)[1:-1]
    torch.testing.assert_close(ts[1:-1].logit(), even.logit() + LOG_ODDS)


def test_a_picture_is_the_decoded_last_state(model):
    codes = last(model.codes(CAPTIONS, 3, guidance_scale=3.0, n_steps=4, generator=noise()))
    drawn = model.draw(CAPTIONS, guidance_scale=3.0, n_steps=4, generator=noise())
    torch.testing.assert_close(drawn, model.decode(codes))


def test_the_sampler_is_ddim(model):
    """Euler's step of the velocity is DDIM's, on a schedule rescaled to alpha^2 + sigma^2 = 1."""
    n, w = 5, 2.0
    velocity = model.guided_velocity(CAPTIONS, 3, guidance_scale=w)
    states = list(model.codes(CAPTIONS, 3, guidance_scale=w, n_steps=n, generator=noise(2)))
    ts = sampling_times(n)
    assert len(states) == n + 1
    for (t, s), (z_t, z_s) in zip(pairwise(ts), pairwise(states), strict=True):
        with torch.no_grad():
            eps_hat = z_t + (1 - t) * velocity(z_t, t.expand(3))
        norm_t, norm_s = (((1 - r) ** 2 + r**2).sqrt() for r in (t, s))
        a_t, a_s = (((1 - r) / n) ** 2 for r, n in ((t, norm_t), (s, norm_s)))
        if t == 1:  # alpha is 0 there, and DDIM's own formula divides by it
            continue
        by_ddim = ddim_step(z_t / norm_t, eps_hat, torch.zeros_like(z_t), a_t, a_s, eta=0.0)
        torch.testing.assert_close(norm_s * by_ddim, z_s)


def test_guidance_blends_two_answers(model):
    z = torch.randn(3, 2, 4, 4, generator=noise())
    t = torch.full((3,), 0.4)
    plain = model.guided_velocity(CAPTIONS, 3)(z, t)
    free = model.guided_velocity(None, 3)(z, t)
    guided = model.guided_velocity(CAPTIONS, 3, guidance_scale=2.5)(z, t)
    torch.testing.assert_close(guided, free + 2.5 * (plain - free))
    assert (plain - free).abs().max() > 1e-3


def test_the_decoder_runs_once_and_the_encoder_never(model):
    def draw():
        model.draw(CAPTIONS, guidance_scale=2.0, n_steps=6)

    assert network_passes(model.net, draw) == 6
    assert network_passes(model.vae.decoder, draw) == 1
    assert network_passes(model.vae.encoder, draw) == 0


def test_without_captions_it_is_unconditional(model):
    one, other = (model.sample(2, cond=cond, generator=noise(4)) for cond in (None, ROWS[:2]))
    assert one.shape == other.shape == (2, 3, 16, 16)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_as_many_pictures_are_drawn_as_there_are_captions(model, n):
    for w in (1.0, 2.0):
        with pytest.raises(ValueError, match=f"{n} pictures but 3 captions"):
            next(model.codes(CAPTIONS, n, guidance_scale=w))
    with pytest.raises(ValueError, match=f"{n} pictures but 3 captions"):
        model.sample(n, cond=ROWS)
    with pytest.raises(ValueError, match="3 pictures but 1 captions"):
        model.sample(3, cond=ROWS[:1])


# The caption


def test_the_order_of_the_words_matters_by_the_positions_alone(model):
    row = ROWS[1:2]
    swapped = row[:, [0, 6, 7, 3, 4, 5, 1, 2]]  # colours and digits exchanged
    assert sorted(swapped[0].tolist()) == sorted(row[0].tolist())
    z, t = torch.randn(1, 2, 4, 4, generator=noise()), torch.tensor([0.5])

    def answer(rows):
        return model.velocity(z, t, model.text_encoder(rows))

    assert (answer(row) - answer(swapped)).abs().max() > 1e-4
    model.text_encoder.positions.data.zero_()
    torch.testing.assert_close(answer(row), answer(swapped))


@pytest.mark.parametrize(
    "net", [small_unet, lambda: DiT(DiTConfig(c_in=2, c_out=2, side=4, width=16, d_context=8))]
)
def test_attention_is_the_only_road_of_the_caption(net):
    """Blind the cross-attention, and every caption gets the same answer."""
    made = system(net())
    z, t = torch.randn(3, 2, 4, 4, generator=noise()), torch.full((3,), 0.5)
    z = z[:1].expand(3, -1, -1, -1)

    def spread():
        answers = made.velocity(z, t, made.encode_captions(CAPTIONS))
        return (answers - answers[:1]).abs().max()

    assert spread() > 1e-4
    readers = [m for m in made.net.modules() if type(m).__name__ == "CrossAttention"]
    assert len(readers) >= 4
    for reader in readers:
        reader.w_o.weight.data.zero_()
    assert spread() < 1e-12


def test_text_tokens_and_states_are_the_same_caption(model):
    states = model.encode_captions(CAPTIONS)
    torch.testing.assert_close(states, model.encode_captions(ROWS))
    drawn, again = (model.draw(c, n_steps=2, generator=noise()) for c in (CAPTIONS, states))
    torch.testing.assert_close(drawn, again)
    with pytest.raises(ValueError, match="pink"):
        model.encode_captions(["a pink one"])


def test_it_samples_and_has_no_likelihood(model):
    _: Sampleable = model
    assert likelihood_kind(model) == "none"
    assert not hasattr(model, "elbo")
    assert model.event_shape == (3, 16, 16)
