"""The widget of lesson 12 forgets a digit, and only the log SNR decides when."""

import math
import re

import numpy as np
import pytest
import torch

from genlab.core.stats import integrate
from genlab.oracles import GaussianMixture
from genlab_course.widgets.score import (
    DATA,
    GRID,
    PATHS,
    SAMPLERS,
    SCHEDULES,
    descend,
    forward_process,
    guided,
    islands,
    langevin_bias,
    sampler_steps,
    score_field,
    shade,
    trajectories,
    two_hills,
    watershed,
)
from genlab_course.widgets.score import N_PATHS as N


@pytest.fixture(scope="module")
def widget():
    return forward_process()


def readings(text):
    numbers = re.findall(r"-?\d+\.\d+", text)
    return tuple(float(n) for n in numbers)  # log SNR, this digit, ten digits


@pytest.mark.parametrize("schedule", list(SCHEDULES)[:2])
def test_the_first_step_leaves_the_digit_and_the_last_nothing(widget, schedule):
    widget.set(schedule=schedule, step=1, digit=3)
    assert readings(widget.text)[1] > 0.99
    widget.set(step=100)
    ratio, _, ten = readings(widget.text)
    assert ratio < -9
    assert ten == pytest.approx(0.1, abs=0.03)


def test_a_schedule_made_for_more_steps_does_not_reach_the_noise(widget):
    widget.set(schedule="linear, made for 1000 steps", step=100, digit=3)
    ratio, _, ten = readings(widget.text)
    assert ratio > -1
    assert ten > 0.4


def test_what_is_known_falls_with_the_step(widget):
    known = []
    widget.set(schedule="cosine")
    for step in (1, 30, 60, 90):
        widget.set(step=step)
        known.append(readings(widget.text)[2])
    assert known == sorted(known, reverse=True)


def reading(text):
    wanted, found = re.search(r"wanted ([\d.]+), found ([\d.e+]+)", text).groups()
    return float(wanted), float(found)


def test_the_plain_chain_shows_the_formulas_bias():
    widget = langevin_bias()
    widget.set(step_size=0.5)
    wanted, found = reading(widget.text)
    assert wanted == pytest.approx(1.0, abs=2e-3)  # the picture ends at 4 standard deviations
    assert found == pytest.approx(1 / 0.75, rel=5 * (2 / 1500) ** 0.5)  # Monte Carlo, 1,500 chains


def test_metropolis_mends_the_law_and_says_what_it_refused():
    widget = langevin_bias()
    widget.set(step_size=0.5, metropolis=True)
    _, found = reading(widget.text)
    assert found == pytest.approx(1.0, rel=5 * (2 / 1500) ** 0.5)
    assert 50 < float(re.search(r"(\d+) % of the moves", widget.text).group(1)) < 100


def test_beyond_two_the_plain_chain_leaves_the_picture():
    widget = langevin_bias()
    widget.set(step_size=10**0.35)
    assert "have left the picture" in widget.text
    widget.set(metropolis=True)
    assert "have left the picture" not in widget.text


@pytest.mark.parametrize("gap", [0.5, 2.0, 4.0])
def test_scale_one_samples_the_class(gap):
    now = guided(1.0, gap)
    assert abs(now.samples.mean().item() - gap / 2) < 0.02
    assert now.distance < 0.06  # first order in 80 steps, and 1200 draws of the sharpened law


@pytest.mark.parametrize("w", [0.0, 3.0, 10.0])
def test_sharpened_law_is_normalised(w):
    total = integrate(guided(w, 2.0).density, GRID)
    torch.testing.assert_close(total, torch.ones((), dtype=torch.float64))


def test_strong_guidance_overshoots_the_sharpened_law():
    now = guided(5.0, 2.0)
    mean = integrate(GRID * now.density, GRID)
    assert now.samples.mean() > mean + 0.5
    assert now.distance > 0.5


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("n_passes", [3, 8, 40])
def test_path_has_a_level_for_every_state(sampler, n_passes):
    lam, path, spent = trajectories(sampler, n_passes)
    assert path.shape == (len(lam), N)
    assert (lam.diff() > 0).all()
    assert spent in (n_passes, n_passes - 1)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_many_passes_reach_the_data(sampler):
    _, path, _ = trajectories(sampler, 400)
    exact = DATA.moment_match()
    assert abs(path[-1].mean() - exact.mean.item()) < 0.05
    assert abs(path[-1].std() - exact.cov.item() ** 0.5) < 0.05


def test_noiseless_paths_do_not_cross():
    _, path, _ = trajectories("DPM-Solver++ (2M)", 60)
    assert (path[-1].diff() > 0).all()


def test_caption_counts_heuns_passes_and_not_its_steps():
    widget = sampler_steps()
    widget.set(sampler="Heun (EDM)", passes=20)
    assert "10 steps, 19 network evaluations" in widget.text


def test_more_passes_bring_the_samples_nearer():
    distances = []
    for passes in (4, 12, 40):
        widget = sampler_steps()
        widget.set(passes=passes)
        distances.append(float(widget.text.split("W1 to the data ")[1]))
    assert distances == sorted(distances, reverse=True)
    assert torch.tensor(distances).min() < 0.05


def place(text):
    found = re.search(r"watershed at (-?[\d.]+)", text)
    return float(found.group(1)) if found else math.nan


def equal_islands():
    return GaussianMixture(
        torch.tensor([0.5, 0.5]), torch.tensor([[-2.0, 0.0], [2.0, 0.0]]), torch.tensor([0.5, 0.5])
    )


def test_little_noise_puts_the_watershed_in_the_middle_and_more_noise_pushes_it_aside():
    widget = score_field()
    places = []
    for sigma in (0.05, 0.5, 1.0):
        widget.set(sigma=sigma)
        places.append(place(widget.text))
    assert 0 < places[0] < 0.15  # v log 4 / 2a with v = 0.25: the weights hardly count
    assert places[0] < places[1] < places[2]  # the heavy mode takes ground from the light one


@pytest.mark.parametrize(("sigma", "valleys"), [(1.8, True), (2.0, False)])
def test_two_equal_modes_are_one_hill_from_the_level_that_algebra_gives(sigma, valleys):
    """s'(0) = (a^2 - v) / v^2 changes sign at v = a^2, that is sigma = sqrt(4 - 1/4) = 1.94."""
    widget = score_field(equal_islands())
    widget.set(sigma=sigma)
    assert math.isnan(place(widget.text)) != valleys
    assert ("one hill" in widget.text) != valleys


def test_a_halved_score_is_a_quarter_wrong():
    law = islands()
    widget = score_field(law, {"half": lambda x, s: 0.5 * law.noised(1.0, float(s[0])).score(x)})
    widget.set(sigma=1.0)
    assert "half: relative error 25.0 %" in widget.text


def test_watershed_ignores_hills():
    axis = torch.linspace(-1, 1, 21)
    assert math.isnan(watershed(axis, -axis))
    assert watershed(axis, axis) == pytest.approx(0.0, abs=1e-12)


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


def test_an_unknown_path_is_refused():
    with pytest.raises(ValueError, match="expected one of VP"):
        descend("VPN", 0.0)
