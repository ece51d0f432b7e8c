"""The widgets of lesson 05 show the closed-form gap and the code nearest by."""

import math
import re

import numpy as np
import pytest
import torch

from genlab.core import last
from genlab.data.digits import load_digits
from genlab.zoo import find
from genlab_course.widgets import posterior_ellipse
from genlab_course.widgets.latent import latent_plane


def numbers(text: str) -> list[float]:
    return [float(n) for n in re.findall(r"-?\d+\.\d+", text)]


def test_the_best_width_of_q_is_one():
    widget = posterior_ellipse()
    widget.set(angle=1.0, width=1.0)
    best = numbers(widget.text)[0]
    for width in (0.9, 1.1):
        widget.set(width=width)
        assert numbers(widget.text)[0] > best


def test_the_curve_of_the_gap_is_that_of_the_width_which_the_slider_says():
    widget = posterior_ellipse()
    curve = widget._figure.axes[1].lines[0]
    widget.set(width=1.0)
    best = np.array(curve.get_ydata())
    for width in (0.6, 1.7):  # two latents: the KL of a scaled normal
        widget.set(width=width)
        more = width**2 - 1 - 2 * math.log(width)
        np.testing.assert_allclose(np.array(curve.get_ydata()) - best, more, atol=1e-9)


@pytest.fixture(scope="module")
def plane():
    torch.set_default_dtype(torch.float32)
    recipe = find("digit_vae").but(latent_dim=2, n_steps=60)
    vae = recipe.untrained()
    last(recipe.train(vae))
    return vae


def test_at_the_code_of_a_test_digit_the_nearest_code_is_its_own(plane):
    images, labels = load_digits("test")
    with torch.no_grad():
        mu, _ = plane.encode(images)
    i = int(mu.norm(dim=1).argmin())
    widget = latent_plane(plane)
    widget.set(z1=round(mu[i, 0].item(), 1), z2=round(mu[i, 1].item(), 1))
    away, digit = re.search(r"([\d.]+) away, belongs to a (\d)", widget.text).groups()
    at = torch.tensor([widget.controls["z1"].value, widget.controls["z2"].value])
    nearest = (mu - at).norm(dim=1)
    assert float(away) == pytest.approx(nearest.min().item(), abs=6e-3)  # two printed digits
    assert int(digit) == int(labels[nearest.argmin()])
