"""`show_source` shows the equation of a function and its body, and nothing else."""

from genlab.train import cosine
from genlab_course.source import source_parts


def test_the_equation_is_lifted_out_of_the_docstring():
    equations, code = source_parts(cosine)
    assert equations.startswith("$$")
    assert r"\cos(\pi k / n)" in equations
    assert '"""' not in code
    assert "def rate(step: int)" in code
