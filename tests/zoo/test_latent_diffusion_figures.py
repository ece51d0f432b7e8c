"""What the cards say: judged on pictures whose words and errors are known."""

import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from genlab.data.captions import load_captioned, paint
from genlab.zoo.latent_diffusion_figures import (
    held_out_pictures,
    measure_painter,
    measure_vae,
    shape_distance,
)


class Codec:
    """Keeps every second pixel, or every one."""

    def __init__(self, factor):
        self.factor = factor

    def encode(self, x):
        z = avg_pool2d(x, self.factor)
        return z, torch.zeros_like(z)

    def decode(self, z):
        return interpolate(z, scale_factor=float(self.factor))

    def elbo(self, x, *, generator):
        return -x.flatten(1).sum(1)


class Copyist(torch.nn.Module):
    """Paints, whatever the noise, the real digit of each caption, in another colour if asked."""

    def __init__(self, wrong_colour=False):
        super().__init__()
        self.wrong_colour = wrong_colour
        self.asked = []

    def paint(self, captions, *, guidance_scale, n_steps, generator):
        grey, attributes = load_captioned("test")
        self.asked.append(guidance_scale)
        wrong = self.wrong_colour and guidance_scale != 1
        return paint(grey, (attributes.colour + wrong) % 6)


@pytest.mark.slow
def test_a_codec_without_loss_keeps_what_the_judge_can_read():
    found = measure_vae(Codec(1))
    assert found["rmse"] == 0
    assert found["kept_colour"] == found["kept_stroke"] == found["kept_slant"] == 1
    assert found["kept_digit"] == found["kept_all"] > 0.97
    x, _ = held_out_pictures()
    assert found["kl_nats"] == pytest.approx(0.5 * x.square().flatten(1).sum(1).mean().item())
    assert found["elbo_nats"] == pytest.approx(-x.flatten(1).sum(1).mean().item())
    assert found["frechet"] < 0.6  # a thousand digits: mostly bias


@pytest.mark.slow
def test_a_codec_that_pools_loses_shapes():
    fine, coarse = measure_vae(Codec(2)), measure_vae(Codec(8))
    assert coarse["rmse"] > fine["rmse"] > 0
    assert coarse["kept_digit"] < fine["kept_digit"]
    assert coarse["frechet"] > fine["frechet"]


@pytest.mark.slow
def test_a_painter_is_judged_by_its_own_captions_guided_and_plain():
    found = measure_painter(Copyist(wrong_colour=True))
    assert found["kept_colour"] == found["kept_all"] == 0  # guided: the wrong colour
    assert found["kept_all_unguided"] > 0.97
    assert found["kept_stroke"] == found["kept_slant"] == 1


def test_blurred_digits_are_farther_from_real_ones():
    x = held_out_pictures()[0][:300]
    blurred = interpolate(avg_pool2d(x, 4), scale_factor=4.0)
    assert shape_distance(blurred) > 2 * shape_distance(x)


def test_colour_does_not_count_in_the_distance():
    grey, attributes = load_captioned("test")
    red, blue = (paint(grey[:200], 0 * attributes.colour[:200] + k) for k in (0, 2))
    assert shape_distance(red) == pytest.approx(shape_distance(blue))
