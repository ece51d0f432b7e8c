"""The seven systems are placed by watching them, stage by stage, where the map says they are."""

import pytest
import torch

from genlab.atlas.fingerprint import families, fingerprint, likelihood, sampling
from genlab.atlas.paradigms import SYSTEMS
from genlab.atlas.system_subjects import SUBJECTS, WEIGHTS, latent_diffusion, trained
from genlab.systems import load_model
from genlab.systems.zoo import TRAININGS

SHIPPED = {training.name for training in TRAININGS}


@pytest.fixture(autouse=True)
def single_precision():
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(torch.float64)


def test_every_system_of_the_map_can_be_watched():
    assert list(SUBJECTS) == list(SYSTEMS)
    assert all(make().name == name for name, make in SUBJECTS.items())


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_placed_where_the_map_puts_it(name):
    placed = [where for (where,) in families(fingerprint(SUBJECTS[name]()))]
    assert sorted(placed) == sorted(part.name for part in SYSTEMS[name][1])


@pytest.mark.parametrize(
    ("name", "way", "kind"),
    [
        ("language_model", "sequential", "exact"),
        ("latent_diffusion", "two-stage", "none"),
        ("glide", "two-stage", "none"),
        ("stylegan", "one-pass", "none"),
        ("text_to_video", "multi-step", "none"),
        ("language_and_image", "two-stage", "none"),
        ("flow_density_estimator", "one-pass", "exact"),
    ],
)
def test_the_sampler_and_the_likelihood_of_the_whole_are_seen(name, way, kind):
    seen = fingerprint(SUBJECTS[name]())
    assert (sampling(seen), likelihood(seen)) == (way, kind)


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [
        ("latent_diffusion", "painter of codes", "decoder"),
        ("glide", "painter", "enlarger"),
        ("language_and_image", "writer", "painter"),
    ],
)
def test_a_hybrid_is_seen_to_work_in_this_order(name, first, then):
    after = {f.stage: f.after for f in fingerprint(SUBJECTS[name]())}
    assert after == {first: (), then: (first,)}


@pytest.mark.parametrize("name", [n for n, parts in WEIGHTS.items() if SHIPPED.issuperset(parts)])
def test_training_changes_no_fingerprint(name):
    assert list(WEIGHTS) == list(SUBJECTS)
    bare, full = fingerprint(SUBJECTS[name]()), fingerprint(trained(name))
    for a, b in zip(bare, full, strict=True):
        assert (a.production, a.kind, a.after) == (b.production, b.kind, b.after)
        assert (a.passes, a.growth_with_length, a.growth_with_steps) == (
            (b.passes, b.growth_with_length, b.growth_with_steps)
        )


def test_the_decoder_of_codes_is_used_once_whatever_the_steps():
    decoder, painter = fingerprint(latent_diffusion(n_steps=4))
    assert (decoder.passes, decoder.growth_with_steps, decoder.kind) == (1, 1.0, "bound")
    assert (painter.passes, painter.growth_with_steps, painter.kind) == (4, 2.0, "none")


def test_a_writer_follows_the_length_and_a_painter_behind_it_the_steps():
    (alone,) = fingerprint(SUBJECTS["language_model"]())
    assert (alone.growth_with_length, alone.kind) == (2.0, "exact")
    writer, painter = fingerprint(SUBJECTS["language_and_image"]())
    assert (writer.growth_with_steps, painter.growth_with_steps) == (1.0, 2.0)
    assert (writer.kind, painter.kind) == ("exact", "none")


def test_a_trained_system_has_the_shipped_weights():
    found = next(trained("stylegan").stages[0].network.parameters())
    torch.testing.assert_close(found, next(load_model("stylegan").parameters()))
