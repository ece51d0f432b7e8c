"""The recipe of the student, beside its teacher; both and masked diffusion count passes."""

import pytest
import torch

from genlab.data.digits import load_digits
from genlab.metrics.cost import network_passes
from genlab.zoo import find, load_model
from genlab.zoo.consistency import draw_student, student_of
from genlab.zoo.edm import draw_teacher
from genlab.zoo.masked import draw_masked
from tests.support.recipes import seed

EDM = find("digit_edm").but(width=8)
MASKED = find("digit_masked_diffusion").but(width=8, n_steps=3, batch_size=8)


CASES = [
    (draw_teacher, EDM.untrained, (1, 2, 8)),
    (draw_student, lambda: student_of(EDM.untrained()), (1, 2, 4)),
    (draw_masked, MASKED.untrained, (1, 4)),
]


@pytest.mark.parametrize(("draw", "build", "passes"), CASES)
def test_a_figure_is_of_as_many_passes_as_its_name_says(draw, build, passes, generator):
    model = build().double().eval()
    for n in passes:
        assert network_passes(model, lambda n=n: draw(model, n)(3, generator)) == n
    images = draw(model, passes[-1])(12, generator)
    assert images.shape == (12, 1, 8, 8)
    assert images.dtype == torch.int64
    assert 0 <= int(images.min()) <= int(images.max()) <= 16
    assert torch.get_default_dtype() == torch.float64
    assert next(model.parameters()).dtype == torch.float64  # a copy was drawn from


@pytest.mark.slow
def test_one_pass_of_the_student_beats_one_pass_of_the_teacher():
    real = load_digits("val").images.double().flatten(1)
    spread = {}
    for name, draw in (("digit_consistency", draw_student), ("digit_edm", draw_teacher)):
        images = draw(load_model(name), 1)(200, seed(5)).double().flatten(1)
        spread[name] = float(images.std(0).mean() / real.std(0).mean())
    assert spread["digit_edm"] < 0.9  # means of classes: too little variety
    assert 0.85 < spread["digit_consistency"] < 1.1
