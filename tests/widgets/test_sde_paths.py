"""The widget of the ways back: one law for every amount of noise, exact background."""

import numpy as np
import pytest
import torch

from genlab.widgets.sde_paths import NOISE, PATHS, descend, sde_paths, shade, two_hills


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_every_descent_ends_at_the_data(path, noise):
    # W1 of two sets of 1000 points on a law with deviation 1.3: at most about 0.13 by chance
    assert descend(path, noise).distance < 0.16


def test_noise_changes_the_paths_and_not_their_starts():
    calm, rough = descend("VP", 0.0), descend("VP", 1.0)
    np.testing.assert_allclose(calm.heights[0], rough.heights[0])
    assert calm.memory > 0.8
    assert abs(rough.memory) < 0.16  # 5 / sqrt(1000)
    up = calm.heights[0] > np.median(calm.heights[0])
    assert (calm.started_high == up).all()


def test_trajectories_of_the_ode_keep_their_order():
    d = descend("VP", 0.0)
    order = d.heights[0].argsort()
    assert (np.diff(d.heights[-1][order]) > 0).all()


@pytest.mark.parametrize("path", PATHS)
def test_background_columns_are_densities(path):
    grid = torch.linspace(-8, 8, 401, dtype=torch.float64)
    columns = shade(path, torch.tensor([0.0, 0.3, 0.98], dtype=torch.float64), grid)
    mass = torch.trapezoid(columns, grid, dim=0)
    torch.testing.assert_close(mass, torch.ones(3), rtol=0, atol=1e-6)
    torch.testing.assert_close(columns[:, 0], two_hills().log_prob(grid[:, None]).exp())


@pytest.fixture(scope="module")
def widget():
    return sde_paths()


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("noise", [NOISE[0], 0.5, NOISE[-1]])
def test_every_setting_gives_a_picture_and_a_caption(widget, path, noise):
    widget.set(path=path, noise=noise)
    assert widget.picture.startswith(b"\x89PNG")
    assert "Correlation of start and end" in widget.text


def test_coming_back_restores_the_picture(widget):
    widget.set(path="VP", noise=0.0)
    first = widget.picture
    widget.set(noise=1.0)
    assert widget.picture != first
    widget.set(noise=0.0)
    assert widget.picture == first


def test_an_unknown_path_is_refused():
    with pytest.raises(ValueError, match="expected one of VP"):
        descend("VPN", 0.0)
