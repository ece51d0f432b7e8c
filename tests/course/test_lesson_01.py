"""The five models of the first map: what each can do, what it costs, and their picture."""

import matplotlib.pyplot as plt
import pytest
import torch

from genlab.core import likelihood_kind
from genlab.data.toys import GaussianRing
from genlab_course import lesson_01
from genlab_course.lesson_01 import draw_first_map, film

NAMES = list(lesson_01.RECIPES)
each_model = pytest.mark.parametrize("name", NAMES)
PASSES = {"autoregressive": 2, "flow": 1, "vae": 1, "gan": 1, "diffusion": 100}
KINDS = {
    "autoregressive": "exact",
    "flow": "exact",
    "vae": "bound",
    "gan": "none",
    "diffusion": "bound",
}


@pytest.fixture
def data(generator):
    torch.set_default_dtype(torch.float32)
    return GaussianRing().sample(1000, generator=generator)


@each_model
def test_measurement_finds_passes_and_kind_without_knowing_the_model(name, data):
    model, _ = lesson_01.learn(name, data)
    row = lesson_01.measure(model, data[:20], data[:50], generator=torch.Generator())
    assert row.passes == PASSES[name]
    assert row.kind == KINDS[name] == likelihood_kind(model)
    assert (row.log_likelihood is None) == (row.kind == "none")
    assert row.distance > 0


@each_model
def test_a_few_steps_of_training_move_the_parameters_and_repeat(name, data):
    def after(n):
        model, run = lesson_01.learn(name, data, seed=3)
        for _ in range(n):
            next(run)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    torch.testing.assert_close(after(2), after(2), rtol=0, atol=0)
    assert (after(2) - after(0)).abs().max() > 1e-4


@each_model
def test_film_shows_every_pass_and_ends_inside_the_picture(name, data):
    model, _ = lesson_01.learn(name, data)
    frames = film(model, 7, seed=1)
    assert len(frames) == PASSES[name] + 1
    assert all(f.shape == (7, 2) and not f.requires_grad for f in frames)
    torch.testing.assert_close(frames[-1], film(model, 7, seed=1)[-1])


def test_bounds_are_marked_and_a_missing_likelihood_is_a_dash():
    assert lesson_01.Row(1, "bound", -2.0, 0.1).likelihood_text == ">= ~-2.00 (bound)"
    assert lesson_01.Row(1, "exact", -1.2, 0.1).likelihood_text == "~-1.20 (exact)"
    assert lesson_01.Row(1, "none", None, 0.1).likelihood_text == "-"


def test_the_picture_has_two_panels_a_model_and_says_no_density_once(data):
    ring = GaussianRing()
    models = {name: lesson_01.learn(name, data)[0] for name in NAMES}
    rows = {name: lesson_01.Row(1, "none", None, 0.5) for name in NAMES}
    figure = draw_first_map(ring, models, rows, n_points=50)
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert len(figure.axes) == 12
    assert words.count("no density") == 1
    plt.close(figure)


def test_unknown_names_and_unknown_models_are_refused(data):
    with pytest.raises(ValueError, match="no recipe 'magic'"):
        lesson_01.learn("magic", data)
    with pytest.raises(ValueError, match="no film for Linear"):
        film(torch.nn.Linear(1, 1), 3)


@pytest.mark.slow
def test_the_autoregressive_recipe_comes_close_to_the_entropy(data, generator):
    many = GaussianRing().sample(10_000, generator=generator)
    model, run = lesson_01.learn("autoregressive", many)
    list(run)
    with torch.no_grad():
        value = model.log_prob(GaussianRing().sample(2_000, generator=generator)).mean().item()
    # The ceiling is -1.123 nats; 2,000 points leave 0.02, the bins and the training 0.1.
    assert -1.3 < value < -1.06
