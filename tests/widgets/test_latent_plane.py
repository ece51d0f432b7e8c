"""The widget of lesson 06 decodes the code that the sliders name."""

import re

import pytest
import torch

from genlab.core import last
from genlab.data.digits import load_digits
from genlab.latent import Recipe, digit_vae, train_digit_vae
from genlab.widgets.latent_plane import latent_plane


@pytest.fixture(scope="module")
def plane():
    torch.set_default_dtype(torch.float32)
    recipe = Recipe(latent_dim=2, n_steps=60)
    vae = digit_vae(recipe)
    last(train_digit_vae(vae, load_digits("train").images, recipe))
    return vae


def test_every_corner_of_the_plane_gives_its_own_picture(plane):
    widget = latent_plane(plane)
    seen = set()
    for z1 in (-3.0, 0.0, 3.0):
        for z2 in (-3.0, 0.0, 3.0):
            widget.set(z1=z1, z2=z2)
            seen.add(widget.picture)
    assert len(seen) == 9


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


def test_codes_that_are_no_points_of_a_plane_are_refused():
    with pytest.raises(ValueError, match="3 latents, expected 2"):
        latent_plane(digit_vae(Recipe(latent_dim=3)))
