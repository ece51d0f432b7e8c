"""The recipes of the lab: seeded, trained a few steps, and averaged at the end."""

import dataclasses

import pytest
import torch

from genlab.zoo import glide_models
from genlab.zoo.glide_models import TRAININGS
from genlab.zoo.glide_recipes import BASE, PLAIN, READER, UPSAMPLER, glide_base, glide_upsampler

EVERY = pytest.mark.parametrize("training", TRAININGS, ids=[t.name for t in TRAININGS])
TINY = {"width": 8, "d_text": 8, "n_layer": 1, "batch_size": 4}


@EVERY
def test_a_model_is_the_same_every_time_and_leaves_the_global_noise_alone(training):
    before = torch.get_rng_state()
    recipe = dataclasses.replace(training.settings, **TINY)
    first, second = (training.build(recipe).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


@EVERY
def test_a_few_steps_change_every_weight_and_end_in_evaluation_mode(training):
    recipe = dataclasses.replace(training.settings, **TINY, n_steps=4, p_drop=0.5)
    model = training.build(recipe)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    records = list(training.start(model, recipe))
    assert len(records) == 4
    assert not model.training
    still = [n for n, p in model.named_parameters() if torch.equal(p, before[n])]
    assert still == []


@EVERY
def test_a_run_that_is_taken_up_again_takes_the_same_steps(training):
    recipe = dataclasses.replace(training.settings, **TINY, n_steps=4)
    whole = training.build(recipe)
    list(training.start(whole, recipe))
    half = training.build(recipe)
    run = training.start(half, recipe)
    next(run), next(run)
    state = run.state_dict()
    other = training.build(recipe)
    again = training.start(other, recipe)
    again.load_state_dict(state)
    list(again)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


@EVERY
def test_the_finished_model_holds_the_average_and_not_the_last_step(training):
    recipe = dataclasses.replace(training.settings, **TINY, n_steps=3)
    last, averaged = training.build(recipe), training.build(recipe)
    run = training.start(last, recipe)
    for _ in range(3):
        next(run)
    list(training.start(averaged, recipe))
    same = [
        torch.equal(a, b) for a, b in zip(last.parameters(), averaged.parameters(), strict=True)
    ]
    assert sum(same) < 3  # of a hundred; "told nothing" may not have been told yet


def test_the_three_networks_have_the_sizes_that_the_lab_states():
    def size(t):
        return sum(p.numel() for p in t.build(t.settings).parameters())

    sizes = dict(zip(("base", "upsampler", "plain", "reader"), map(size, TRAININGS), strict=True))
    assert sizes["base"] * 2 + sizes["upsampler"] * 2 < 4e6  # bytes in half precision
    assert sizes["reader"] < 2e5


def test_the_upsampler_for_comparison_differs_in_one_number():
    assert dataclasses.replace(PLAIN, s_max=UPSAMPLER.s_max) == UPSAMPLER
    assert glide_upsampler(dataclasses.replace(PLAIN, **TINY)).s_max == 0


def test_large_pictures_are_seen_in_patches():
    assert (BASE.size, UPSAMPLER.size, READER.size) == (16, 32, 16)
    net = glide_base(BASE).net
    assert (net.config.c_in, net.config.c_out) == (12, 12)


def test_the_digits_are_named_by_their_content():
    assert len({t.digest() for t in TRAININGS}) == 1
    assert glide_models._digest() == glide_models._digest()


def test_the_measured_base_is_judged_at_every_scale(monkeypatch):
    monkeypatch.setattr(glide_models, "N_JUDGED", 8)
    monkeypatch.setattr(glide_models, "SCALES", (1.0, 3.0))
    monkeypatch.setattr(glide_models, "LIMITED", (3.0,))
    monkeypatch.setattr(glide_models, "digit_judge", lambda: lambda grey: torch.zeros(len(grey)))
    monkeypatch.setattr(
        "genlab.zoo.glide_judging.digit_judge", lambda: lambda grey: torch.zeros(len(grey))
    )
    torch.set_default_dtype(torch.float64)
    recipe = dataclasses.replace(BASE, **TINY)
    found = glide_models._measure_base(glide_base(recipe).eval())
    assert {
        "digit_w1",
        "all_w3",
        "frechet_w3",
        "recall_w1",
        "slant_free",
        "all_limited_w3",
    } <= found.keys()
    assert len(found) == 3 * 8 + 5


def test_both_upsamplers_are_judged_on_real_and_on_drawn_pictures(monkeypatch):
    monkeypatch.setattr(glide_models, "N_JUDGED", 8)
    monkeypatch.setattr(glide_models, "digit_judge", lambda: lambda grey: torch.zeros(len(grey)))
    base = glide_base(dataclasses.replace(BASE, **TINY)).float().eval()
    monkeypatch.setattr(glide_models, "load", lambda training, dtype: base)
    up = glide_upsampler(dataclasses.replace(UPSAMPLER, **TINY)).eval()
    full, plain = glide_models._measure_upsampler(up), glide_models._measure_plain(up)
    assert {"recall_sharpened_drawn", "frechet_ours_real", "slant_32"} <= full.keys()
    assert len(full) == 2 * 3 * 3 + 5
    assert plain == {key: full[key] for key in plain}
