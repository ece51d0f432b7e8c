"""How the cards of the odd claims are measured: passes, precision, names."""

import pytest
import torch
from genlab.zoo.digit_consistency import EDMRecipe, digit_consistency, digit_edm
from genlab.zoo.digit_masked import Recipe, digit_masked

from genlab.data.digits import load_digits
from genlab.metrics.cost import network_passes
from genlab.zoo import odd_claims_models as odd
from genlab.zoo.train import load

EDM = EDMRecipe(width=8)
CASES = [
    (odd.draw_teacher, digit_edm(EDM), (1, 2, 8)),
    (odd.draw_student, digit_consistency(EDM), (1, 2, 4)),
    (odd.draw_masked, digit_masked(Recipe(width=8)), (1, 4)),
]


@pytest.mark.parametrize(("draw", "model", "passes"), CASES)
def test_a_figure_is_of_as_many_passes_as_its_name_says(draw, model, passes, generator):
    for n in passes:
        assert network_passes(model, lambda n=n: draw(model, n)(3, generator)) == n


@pytest.mark.parametrize(("draw", "model", "passes"), CASES)
def test_samples_are_grey_levels_drawn_in_single_precision(draw, model, passes, generator):
    images = draw(model.double().eval(), passes[-1])(12, generator)
    assert images.shape == (12, 1, 8, 8)
    assert images.dtype == torch.int64
    assert 0 <= int(images.min()) <= int(images.max()) <= 16
    assert torch.get_default_dtype() == torch.float64
    assert next(model.parameters()).dtype == torch.float64  # a copy was drawn from


def test_one_pass_of_a_teacher_is_its_best_guess_of_everything(generator):
    model = digit_edm(EDM).eval()  # untrained: D is the skip connection, almost 0 at this level
    images = odd.draw_teacher(model, 1)(5, generator)
    assert bool(((images - 8).abs() <= 1).all())


def test_the_distilled_models_data_name_their_teacher():
    student = next(t for t in odd.TRAININGS if t.name == "digit_consistency")
    assert "digit_edm" in student.data
    assert odd.TEACHER.digest() in student.digest()
    assert student.digest() != odd.TEACHER.digest()


@pytest.mark.slow
def test_one_pass_of_the_student_beats_one_pass_of_the_teacher():
    student = next(t for t in odd.TRAININGS if t.name == "digit_consistency")
    real = load_digits("val").images.double().flatten(1)
    nearest = {}
    for name, draw, training in (
        ("student", odd.draw_student, student),
        ("teacher", odd.draw_teacher, odd.TEACHER),
    ):
        images = draw(load(training), 1)(200, torch.Generator().manual_seed(5)).double().flatten(1)
        nearest[name] = float(images.std(0).mean() / real.std(0).mean())
    assert nearest["teacher"] < 0.9  # means of classes: too little variety
    assert 0.85 < nearest["student"] < 1.1
