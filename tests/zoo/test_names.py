"""One table says in which file a recipe stands, and a model imports what it needs and no more."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from genlab import zoo

NOT_RECIPES = {"__init__", "cards", "recipe", "sources", "texts", "train"}


def test_the_table_and_the_files_agree():
    folder = Path(zoo.__file__).parent
    assert set(zoo.MODULES) == {path.stem for path in folder.glob("*.py")} - NOT_RECIPES
    stated = {
        module: tuple(row.name for row in import_module(f"genlab.zoo.{module}").RECIPES)
        for module in zoo.MODULES
    }
    assert stated == zoo.MODULES
    assert len(set(zoo.NAMES)) == len(zoo.NAMES)


@pytest.mark.parametrize(
    ("name", "strangers"),
    [
        ("digit_edm", ("adversarial", "autoregressive", "flow", "latent", "systems", "zoo.npe")),
        ("digit_gan", ("autoregressive", "flow", "latent", "score", "systems", "zoo.edm")),
    ],
)
def test_a_model_is_loaded_without_the_other_paradigms(name, strangers):
    program = (
        "import sys; from genlab.zoo import load_model\n"
        f"load_model({name!r}); print(*(m for m in sys.modules if m.startswith('genlab.')))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = done.stdout.split()
    assert "genlab.zoo" in loaded, done.stderr
    assert not [m for m in loaded if m.startswith(tuple(f"genlab.{s}" for s in strangers))]


def test_a_card_is_read_without_its_model():
    program = (
        "import sys; from genlab.zoo import card\n"
        "card('stylegan'); print('genlab.zoo.stylegan' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_a_setting_that_a_recipe_has_not_is_named():
    with pytest.raises(ValueError, match="digit_gan has no p_mean, widht"):
        zoo.find("digit_gan").but(p_mean=0.0, widht=3, width=4)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_a_mistyped_setting_is_refused_by_what_builds_or_trains_and_not_further_down(name):
    row = zoo.find(name)
    for function, settings in ((row.build, row.sizes), (row.loop, {"plan": row.plan} | row.more)):
        asked = inspect.signature(function)
        asked.bind_partial(**settings)
        with pytest.raises(TypeError, match="unexpected keyword argument 'widht'"):
            asked.bind_partial(**settings, widht=3)
