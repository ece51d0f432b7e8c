"""Every recipe of a lab: seeded, resumable, started from what it should be."""

import pytest
import torch

from genlab.zoo import MODULES, language_and_image, text_to_video
from genlab.zoo.recipe import Recipe
from tests.support.recipes import run_of, tiny

LABS = ("npe", "language_model", "latent_diffusion", "glide", "stylegan", "text_to_video",
        "language_and_image")  # fmt: skip


EVERY = pytest.mark.parametrize("name", [name for lab in LABS for name in MODULES[lab]])


@EVERY
def test_a_model_is_the_same_every_time_and_leaves_the_global_noise_alone(name):
    before = torch.get_rng_state()
    first, second = (tiny(name).untrained().state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[key], second[key]) for key in first)


@EVERY
def test_a_run_that_is_resumed_ends_the_same_and_in_evaluation_mode(name):
    torch.set_default_dtype(torch.float32)  # as `genlab train` runs, and twice as fast
    row = tiny(name)
    whole, half, again = (row.untrained() for _ in range(3))
    torch.manual_seed(5)
    list(run_of(row, whole))
    torch.manual_seed(5)
    run = run_of(row, half)
    next(run), next(run)
    state = run.state_dict()
    rest = run_of(row, again)
    rest.load_state_dict(state)
    list(rest)
    for key, value in whole.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert not whole.training or name == "stylegan"


@pytest.mark.parametrize(
    ("module", "setting", "change"),
    [(text_to_video, "inflated", "inflate"), (language_and_image, "pretrained", "start_from")],
)
def test_it_starts_inflated_from_the_shipped_image_model(monkeypatch, module, setting, change):
    seen = []
    monkeypatch.setattr(module, change, lambda *pair: seen.append(pair))
    monkeypatch.setattr(Recipe, "load", lambda row: row.name)
    row = tiny(module.RECIPES[0].name, **{setting: True})
    model = row.untrained()
    row.train(model)
    assert seen == [(getattr(model, "painter", model), "glide_base")]
