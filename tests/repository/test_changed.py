"""What a change selects: no less than it can reach, and little more."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests import changed


def chosen(*files):
    """Stems of the notebooks and names of the tests that a change of these files reaches."""
    tests, notebooks = changed.reached(set(files))
    return {path.stem for path in notebooks}, {str(path) for path in tests}


CASES = """
genlab/adversarial/games.py                    07_gans_minimax stylegan       not 11_score_matching
genlab/zoo/npe.py                              flow_density_estimator         not 12_diffusion_i
genlab/score/energy.py                         10_energy_based_models         not 07_gans_minimax
genlab/zoo/weights/mnist_vae.safetensors       06_vae_in_practice             not 12_diffusion_i
genlab/data/mnist10k.npz                       glide                  not predict_the_large_run
genlab/zoo/weights/digit_classifier.json  09_evaluation  not predict_the_large_run
genlab_course/exercises/lesson_03.py           03_maximum_likelihood_and_kl   not 02_autoregressive
genlab_course/quizzes/system_glide.md          glide                          not stylegan
genlab_course/widgets/living/kl_fit.js         03_maximum_likelihood_and_kl   not speedrun
notebooks/src/05_latent_variables_and_elbo.py  05_latent_variables_and_elbo   not glide
notebooks/systems/glide.ipynb                  glide                          not speedrun
"""  # a file, notebooks that its change reaches, and one that it does not


@pytest.mark.parametrize("case", CASES.strip().splitlines())
def test_a_change_selects_the_notebooks_that_depend_on_the_file(case):
    file, *among, _, stranger = case.split()
    assert (changed.ROOT / file).exists()
    notebooks, _ = chosen(file)
    assert set(among) <= notebooks
    assert stranger not in notebooks


def test_a_change_selects_the_tests_that_import_the_file_and_those_that_read_the_repository():
    _, tests = chosen("genlab/adversarial/games.py")
    assert {"tests/adversarial/test_games.py", "genlab/adversarial/games.py"} <= tests
    assert "tests/repository/test_documents.py" in tests  # reads files
    assert "tests/flow/test_spline.py" not in tests
    _, tests = chosen("tests/flow/test_spline.py")
    assert "tests/flow/test_spline.py" in tests
    assert "tests/adversarial/test_games.py" not in tests


@pytest.mark.parametrize(
    "file",
    ["tests/conftest.py", "pyproject.toml", "Makefile", "requirements.lock", "a_new_file.py",
     "tests/support/elsewhere.py", "genlab/data/nobody_names_this.bin"],
)  # fmt: skip
def test_what_cannot_be_followed_selects_everything(file):
    tests, notebooks = changed.reached({file})
    assert len(notebooks) == len(changed.notebooks())
    assert len(tests) == len(changed.tests())


def test_no_change_selects_nothing_and_prose_no_notebook():
    assert changed.reached(set()) == ([], [])
    notebooks, tests = chosen("README.md")
    assert not notebooks
    assert "tests/repository/test_documents.py" in tests


@pytest.mark.parametrize("stem", ["12_diffusion_i", "08_wgan_gradient_penalty"])
def test_what_a_notebook_imports_is_among_what_it_is_said_to_depend_on(stem):
    """Its import statements run in a process of their own, which then says what was loaded."""
    path = Path(f"notebooks/src/{stem}.py")
    nodes = [n for n in ast.walk(changed.tree(path)) if isinstance(n, ast.Import | ast.ImportFrom)]
    imports = "\n".join(map(ast.unparse, nodes))
    says = "print(*(m for m in sys.modules if m.split('.')[0] in ('genlab', 'genlab_course')))"
    program = f"{imports}\nimport sys\n{says}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "genlab" in loaded, done.stderr
    assert {str(changed.modules()[m]) for m in loaded} <= changed.notebooks()[path]


def test_packages_that_import_on_demand_offer_what_their_modules_have():
    import importlib

    kernels = (
        "genlab.score",
        "genlab.solvers",
        "genlab.oracles",
        "genlab.flow",
        "genlab.adversarial",
    )
    for package in (*kernels, "genlab_course"):
        table = changed.offers(package)
        assert table
        files = {m.removeprefix(f"{package}.") for m in table.values()}
        assert not files & table.keys()  # an imported file would stand before the name
        for name, module in table.items():
            there = importlib.import_module(module)
            assert hasattr(there, "reset_here" if name == "reset" else name), (package, name)


def test_a_median_notebook_depends_on_less_than_half_of_the_library():
    far, near, n_modules, n_notebooks = changed.medians()
    assert n_notebooks == 27
    assert far <= 35  # of 115; 91 of 94 while the zoo imported all
    assert near <= 8
    assert n_modules > 100
