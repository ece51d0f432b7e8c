"""The rows of the latent diffusion lab: the split is kept, the VAE is left alone, words counted."""

import pytest
import torch
from torch import Generator

from genlab.data.language import ALONE, encode_scenes, read_scenes
from genlab.data.scenes import draw_scenes, held_out_pair, load_objects
from genlab.zoo import card, find
from genlab.zoo import latent_diffusion as scenes
from genlab.zoo.latent_diffusion import LATENT_VAE, RECIPES, real_scenes, scenes_of

SMALL = {"width": 16, "d_text": 8, "batch_size": 4, "n_steps": 2}
PARTS = ("net", "text_encoder")
DRAWING = [row.name for row in RECIPES if row.name.endswith(("diffusion", "dit"))]


def test_each_digit_is_the_first_object_once_and_the_second_once(generator):
    grey, digit = (a[:50] for a in load_objects("generator"))
    x, facts = scenes_of((grey, digit), generator, p_two=1.0)
    assert x.shape == (50, 3, 32, 32)
    assert torch.equal(facts[:, 0], digit)
    assert torch.equal(facts[:, 3], digit.roll(1))
    for d, c in ((0, 1), (3, 4)):
        assert not held_out_pair(facts[:, d], facts[:, c]).any()


def test_a_share_of_the_scenes_shows_two_objects(generator):
    batch = load_objects("generator")
    facts = scenes_of(batch, generator)[1]
    assert abs((facts[:, 2] != ALONE).double().mean() - 0.7) < 0.03


def test_generators_and_evaluator_learn_from_disjoint_digits_and_neither_from_the_reference():
    rows = {row.name: row.data()[0] for row in RECIPES}
    marks = {name: {tuple(g.flatten().tolist()) for g in grey} for name, grey in rows.items()}
    reference = {tuple(g.flatten().tolist()) for g in load_objects("reference").grey}
    assert not marks["scene_evaluator"] & marks["latent_diffusion"]
    assert not reference & (marks["scene_evaluator"] | marks["latent_vae"])


@pytest.mark.parametrize("name", DRAWING)
def test_the_scale_is_set_and_the_codec_left_alone(name):
    row = find(name).but(**SMALL)
    model, seen = row.untrained(), []
    model.net.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    losses = [record.loss for record in row.train(model)]
    if name != "pixel_diffusion":
        for key, weight in LATENT_VAE.load().state_dict().items():
            assert torch.equal(weight, model.vae.state_dict()[key]), key
    assert not any(p.requires_grad for p in model.vae.parameters())
    assert model.spread != 1
    assert 1.5 < losses[0] < 2.8  # a network that answers 0 has loss 2 on scaled codes
    assert seen[0].shape == (4, *model.vae.latent_shape)


def test_the_scale_may_be_left_as_it_is():
    row = find("latent_diffusion").but(**SMALL, rescale=False)
    model = row.untrained()
    model.spread.fill_(7.0)
    next(row.train(model))
    assert model.spread == 7


@pytest.mark.parametrize("name", ["latent_diffusion", "latent_dit"])
def test_the_shipped_generators_hold_the_shipped_vae(name):
    model = find(name).load()
    for key, weight in LATENT_VAE.load().state_dict().items():
        torch.testing.assert_close(model.vae.state_dict()[key], weight)


@pytest.mark.parametrize("name", ["latent_diffusion", "latent_dit"])
def test_codes_of_another_vae_are_other_data(name, monkeypatch):
    stated, digits = card(name)["data_sha256"], card("latent_vae")["data_sha256"]
    assert stated == f"{digits}, latent_vae {card('latent_vae')['sha256'][:16]}"
    assert find(name).digest() == stated
    monkeypatch.setattr(scenes, "read_card", lambda _: {"sha256": "0123456789abcdef0123"})
    assert find(name).digest() == f"{digits}, latent_vae 0123456789abcdef"


@pytest.mark.parametrize("name", DRAWING)
def test_layers_of_the_text_are_not_called_by_the_name_of_a_networks_layers(name):
    row = find(name)
    assert "n_layer" not in row.settings  # a DiT calls its own so
    one, three = (
        {part: sum(p.numel() for p in getattr(model, part).parameters()) for part in PARTS}
        for model in (row.untrained(), row.but(text_layers=3).untrained())
    )
    assert three["net"] == one["net"]
    assert three["text_encoder"] > 2 * one["text_encoder"]


def test_the_shipped_system_keeps_its_words():
    """30 captions of each kind: far from chance, which is 1 in 60 and 1 in 3,600."""
    torch.set_default_dtype(torch.float32)
    model, evaluator = find("latent_diffusion").load(), find("scene_evaluator").load()
    for p_two in (0.0, 1.0):
        facts = real_scenes(30, p_two=p_two)[1]
        x = model.draw(
            encode_scenes(facts),
            guidance_scale=3.0,
            n_steps=8,
            generator=Generator().manual_seed(0),
        )
        assert scenes.scores(x, facts, evaluator)["all"] > 0.7


class Copyist(torch.nn.Module):
    """Draws real scenes of its captions if guided, and of others if not."""

    def draw(self, rows, *, guidance_scale, generator):
        for p_two in (0.0, 1.0):
            for held_out in (False, True):
                x, facts = real_scenes(scenes.N_DRAWN, p_two=p_two, held_out=held_out)
                if torch.equal(encode_scenes(facts), rows):
                    return x if guidance_scale == scenes.GUIDANCE else x.roll(1, 0)
        raise AssertionError("captions of no real scenes")


@pytest.mark.slow
@pytest.mark.verify
def test_generators_are_measured_by_their_own_captions_guided_and_plain():
    found = scenes._measure_latent(Copyist())
    for objects in ("one", "two"):
        assert found[f"all_{objects}"] > 0.97
        assert found[f"all_{objects}_held_out"] > 0.95
        assert found[f"all_{objects}_unguided"] < 0.1
        assert found[f"colour_{objects}"] == 1


def test_real_scenes_are_always_the_same_and_of_the_reference():
    (x, facts), (y, _) = (real_scenes(5, p_two=0.5) for _ in range(2))
    assert torch.equal(x, y)
    again = draw_scenes(load_objects("reference"), 5, Generator().manual_seed(0), p_two=0.5)
    assert torch.equal(x, again[0])
    assert torch.equal(facts, again[1])
    assert (read_scenes(["a red one"])[:, 2] == ALONE).all()
