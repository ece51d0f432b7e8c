"""The widget of few steps shows what the samplers do, at every place of its controls."""

import pytest
import torch

from genlab.widgets.sampler_steps import LAW, SAMPLERS, N, sampler_steps, trajectories


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
    exact = LAW.moment_match()
    assert abs(path[-1].mean() - exact.mean.item()) < 0.05
    assert abs(path[-1].std() - exact.cov.item() ** 0.5) < 0.05


def test_noiseless_paths_do_not_cross():
    _, path, _ = trajectories("DPM-Solver++ (2M)", 60)
    assert (path[-1].diff() > 0).all()


def test_every_move_changes_the_picture():
    widget = sampler_steps()
    for place in (*({"sampler": s} for s in SAMPLERS[1:]), {"passes": 3}, {"passes": 40}):
        before = widget.picture
        widget.set(**place)
        assert widget.picture != before
        assert "network passes" in widget.text


def test_caption_counts_heuns_passes_and_not_its_steps():
    widget = sampler_steps()
    widget.set(sampler="Heun (EDM)", passes=20)
    assert "10 steps, 19 network passes" in widget.text


def test_more_passes_bring_the_samples_nearer():
    distances = []
    for passes in (4, 12, 40):
        widget = sampler_steps()
        widget.set(passes=passes)
        distances.append(float(widget.text.split("W1 to the data ")[1]))
    assert distances == sorted(distances, reverse=True)
    assert torch.tensor(distances).min() < 0.05
