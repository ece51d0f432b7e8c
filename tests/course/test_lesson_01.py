"""The five models of the first map: what each can do, what it costs, and their picture."""

import pytest
import torch

from genlab.core import likelihood_kind
from genlab.data.toys import GaussianRing
from genlab_course import lesson_01
from genlab_course.lesson_01 import film

NAMES = list(lesson_01.RECIPES)
each_model = pytest.mark.parametrize("name", NAMES)
PASSES = {"autoregressive": 2, "flow": 1, "vae": 1, "gan": 1, "diffusion": 100}


@pytest.fixture
def data(generator):
    torch.set_default_dtype(torch.float32)
    return GaussianRing().sample(1000, generator=generator)


@each_model
def test_measurement_finds_passes_and_kind_without_knowing_the_model(name, data):
    model, _ = lesson_01.learn(name, data)
    row = lesson_01.measure(model, data[:20], data[:50], generator=torch.Generator())
    assert row.passes == PASSES[name]
    assert row.kind == likelihood_kind(model)
    assert (row.log_likelihood is None) == (row.kind == "none")
    assert row.distance > 0


@each_model
def test_film_shows_every_pass_and_ends_inside_the_picture(name, data):
    model, _ = lesson_01.learn(name, data)
    frames = film(model, 7, seed=1)
    assert len(frames) == PASSES[name] + 1
    assert all(f.shape == (7, 2) and not f.requires_grad for f in frames)
    torch.testing.assert_close(frames[-1], film(model, 7, seed=1)[-1])


@pytest.mark.slow
def test_the_autoregressive_recipe_comes_close_to_the_entropy(data, generator):
    many = GaussianRing().sample(10_000, generator=generator)
    model, run = lesson_01.learn("autoregressive", many)
    list(run)
    with torch.no_grad():
        value = model.log_prob(GaussianRing().sample(2_000, generator=generator)).mean().item()
    # The ceiling is -1.123 nats; 2,000 points leave 0.02, the bins and the training 0.1.
    assert -1.3 < value < -1.06
