"""What the package says of itself: rules of current setuptools, and who may do what with it."""

import inspect
import json
import re
import tomllib
from pathlib import Path

import yaml
from packaging.licenses import canonicalize_license_expression

import genlab
from genlab_course import start_page
from genlab_course.start_page import slug

ROOT = Path(__file__).resolve().parents[2]
TABLES = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = TABLES["project"]
REPOSITORY = PROJECT["urls"]["Repository"]  # the one place that says whose it is
HOSTS = "github.com", "mybinder.org/v2/gh", "colab.research.google.com/github"
ADDRESS = re.compile(rf"(?:{'|'.join(map(re.escape, HOSTS))})/([\w.-]+/[\w-]+)")
LICENCES = {
    "MIT": "LICENSE",
    "CC-BY-4.0": "LICENSE-TEXT",
    "CC-BY-SA-3.0": "genlab/data/mnist10k.md",
    "PSF-2.0": "genlab/data/manual.md",
}
MNIST = re.compile(r"mnist|data\.(captioned|captions|moving)", re.IGNORECASE)


def test_the_licence_is_an_expression_whose_files_are_there():
    said = PROJECT["license"]
    assert said == canonicalize_license_expression(said) == " AND ".join(LICENCES)
    assert PROJECT["license-files"] == list(LICENCES.values())
    assert all((ROOT / path).is_file() for path in LICENCES.values())
    assert not any(c.startswith("License ::") for c in PROJECT["classifiers"])


def test_the_manual_of_python_comes_with_its_licence_and_its_copyright():
    said = (ROOT / LICENCES["PSF-2.0"]).read_text(encoding="utf-8")
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2\n" in said
    assert "Copyright © 2001-2023 Python Software Foundation" in said
    assert LICENCES["PSF-2.0"] in (ROOT / "LICENSE-TEXT").read_text(encoding="utf-8")
    assert f"]: {LICENCES['PSF-2.0']}\n" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_package_says_whose_it_is_and_where():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert PROJECT["authors"] == cited["authors"]
    assert PROJECT["version"] == genlab.__version__ == cited["version"]
    assert cited["repository-code"] == REPOSITORY


def test_every_address_of_ours_is_the_one_of_pyproject():
    owner, name = slug().split("/")
    assert f"https://github.com/{owner}/{name}" == REPOSITORY
    assert PROJECT["urls"]["Changelog"].startswith(f"{REPOSITORY}/")
    assert start_page.metadata(PROJECT["name"])["Name"] == PROJECT["name"]
    assert f'metadata("{PROJECT["name"]}")' in inspect.getsource(slug)
    places = ["docs", ".github", "notebooks", "binder", "genlab_course", ".devcontainer"]
    below = [path for place in places for path in (ROOT / place).rglob("*")]
    kinds = {".md", ".cff", ".yml", ".py", ".ipynb", ".json", ".toml", ""}
    ours = 0
    for path in [*ROOT.glob("*.*"), *below]:
        if path.is_file() and path.suffix in kinds and ".ipynb_checkpoints" not in path.parts:
            text = path.read_text(encoding="utf-8", errors="replace")
            for found in ADDRESS.finditer(text.replace("SLUG", slug())):
                mine = {owner, name} & set(found[1].split("/"))
                if mine or not found[0].startswith("github.com"):  # others have repositories too
                    assert found[1] == slug(), f"{path}: {found[0]}"
                    ours += 1
    assert ours > 5
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f'"{PROJECT["name"]} @ {REPOSITORY}/archive/refs/heads/main.zip"' in readme


def test_every_notebook_that_shows_mnist_is_named_with_its_licence():
    said = (ROOT / "LICENSE-TEXT").read_text(encoding="utf-8")
    assert "CC BY-SA 3.0" in said
    named = set(re.findall(r"notebooks/\S+\.ipynb", said))
    sources = [*(ROOT / "notebooks").glob("src/*.py"), *(ROOT / "notebooks").glob("*/src/*.py")]
    shows = {
        path.parents[1].joinpath(f"{path.stem}.ipynb").relative_to(ROOT).as_posix()
        for path in sources
        if MNIST.search(path.read_text(encoding="utf-8"))
    }
    assert named == shows


CARDS = sorted((ROOT / "genlab").rglob("weights/*.json"))


def test_a_model_of_mnist_names_the_licence_on_its_card():
    data = {path.stem: json.loads(path.read_text(encoding="utf-8"))["data"] for path in CARDS}
    of_mnist = {name for name, text in data.items() if MNIST.search(text)}
    assert of_mnist
    assert {name for name, text in data.items() if "CC BY-SA 3.0" in text} == of_mnist
