"""Defaults that shape what is trained or drawn, each pinned by its effect."""

from types import SimpleNamespace

import torch
from torch import nn

from genlab.data.language import ALONE
from genlab.data.scenes import PAPER, compose
from genlab.latent.vae import ImageVAE, ImageVAEConfig
from genlab.nn.dit import DiT, DiTConfig
from genlab.nn.unet import UNetConfig, VideoUNet, VideoUNetConfig
from genlab.score.energy import PersistentChains
from genlab.systems.glide import Glide
from genlab.train.muon import Muon


def stirred(net):
    """Random weights, so that no layer is closed."""
    torch.manual_seed(0)
    for p in net.parameters():
        p.data = 0.3 * torch.randn(p.shape)
    return net.eval().requires_grad_(False)


def test_muon_decays_no_weight():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    before = [p.detach().clone() for p in net.parameters()]
    muon = Muon([net[0].weight, net[1].weight], [net[0].bias, net[1].bias])
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    muon.step()
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters(), strict=True))


def test_frames_know_their_number():
    """Without it a video played backwards would be answered backwards."""
    image = UNetConfig(c_in=2, c_out=2, width=8, mults=(1, 2), n_head=2, d_context=4, side=4)
    net = stirred(VideoUNet(VideoUNetConfig(image)))
    x, t = torch.randn(1, 2, 3, 4, 4), torch.ones(1)
    assert (net(x.flip(2), t) - net(x, t).flip(2)).abs().max() > 1e-3


def test_a_dit_reads_times_in_0_to_1():
    sizes = {"c_in": 1, "c_out": 1, "side": 2, "width": 8, "n_layer": 1, "n_head": 2}
    ours, steps = (stirred(DiT(DiTConfig(**sizes, **more))) for more in ({}, {"time_scale": 1.0}))
    x, t = torch.randn(2, 1, 2, 2), torch.tensor([0.25, 0.5])
    torch.testing.assert_close(ours(x, t), steps(x, 1000 * t))


def test_chains_begin_at_unit_standard_deviation():
    """Monte Carlo: five standard errors of a standard deviation."""
    states = PersistentChains(20_000, (1,), generator=torch.Generator().manual_seed(0)).states
    assert abs(float(states.std()) - 1) < 5 / (2 * 20_000) ** 0.5


def test_a_code_of_an_image_has_four_channels():
    assert ImageVAE(ImageVAEConfig(size=8, width=8)).latent_shape == (4, 2, 2)


def test_glide_draws_the_small_picture_in_12_steps_and_the_large_one_in_6():
    class Counted:
        def __init__(self):
            self.n_steps = None

        def draw(self, *_, n_steps, **__):
            self.n_steps = n_steps
            return torch.zeros(1, 3, 8, 8)

    glide = SimpleNamespace(base=Counted(), upsampler=Counted(), interval=None)
    Glide.draw(glide, ["a red seven"])
    assert (glide.base.n_steps, glide.upsampler.n_steps) == (12, 6)


def corners(facts, n=400):
    """Rows and columns at which the first object begins in many scenes of solid squares."""
    squares = torch.ones(n, 20, 20)
    x = compose(squares, 0 * squares, facts.expand(n, -1), torch.Generator().manual_seed(0))
    ink = (x - x.new_tensor(PAPER)[:, None, None]).abs().sum(1) > 0.1
    rows, columns = (ink.any(axis).int().argmax(1) for axis in (2, 1))
    return sorted(set(rows.tolist())), sorted(set(columns.tolist()))


def test_an_object_moves_by_4_pixels_alone_and_by_2_towards_another():
    alone = torch.tensor([[1, 0, ALONE, 0, 0]])
    assert corners(alone) == ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
    assert corners(torch.tensor([[1, 0, 0, 2, 0]])) == ([7, 8, 9, 10, 11], [0, 1, 2])  # left of
    assert corners(torch.tensor([[1, 0, 3, 2, 0]])) == ([16, 17, 18], [7, 8, 9, 10, 11])  # below
