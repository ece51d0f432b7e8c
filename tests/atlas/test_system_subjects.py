"""The seven systems are placed by watching them, stage by stage, where the map says they are."""

import pytest
import torch

from genlab.atlas.fingerprint import families, fingerprint
from genlab.atlas.paradigms import SYSTEMS
from genlab.atlas.system_subjects import SUBJECTS, latent_diffusion


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
