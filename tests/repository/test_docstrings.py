"""Every public function says what it does; one that shows an equation says where it comes from."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SLUGS = {
    "01_four_paradigm_map",
    "02_autoregressive",
    "03_maximum_likelihood_and_kl",
    "04_normalizing_flows",
    "05_latent_variables_and_elbo",
    "06_vae_in_practice",
    "07_gans_minimax",
    "08_wgan_gradient_penalty",
    "09_evaluation",
    "10_energy_based_models",
    "11_score_matching",
    "12_diffusion_i",
    "13_diffusion_ii",
    "14_score_sdes",
    "15_four_paradigm_landscape",
}
FILES = sorted((ROOT / "genlab").rglob("*.py"))


def public_definitions(path):
    """Yield the public functions, classes and methods that the file `path` defines."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                    yield f"{node.name}.{method.name}", method


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_public_name_has_a_docstring(path):
    assert [name for name, node in public_definitions(path) if not ast.get_docstring(node)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_an_equation_names_its_source_or_its_lesson(path):
    module = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    named_for_the_file = "Source" in module or "Lesson" in module
    bare = [
        name
        for name, node in public_definitions(path)
        if "$$" in (doc := ast.get_docstring(node) or "")
        and not (named_for_the_file or "Source:" in doc or "Lesson:" in doc)
    ]
    assert bare == []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_every_lesson_that_is_named_is_one_of_the_course(path):
    text = path.read_text(encoding="utf-8")
    named = {part.split(".ipynb")[0] for part in text.split("notebooks/")[1:] if part[:2].isdigit()}
    assert named <= SLUGS
