"""pip, conda and Binder users get the same packages, in the versions that were tested."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}
LOCK = (ROOT / "requirements.lock").read_text()
PINNED = re.findall(r"^(\S+==.+?) \\((?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+)\n", LOCK, re.M)
CONSTRAINTS = [Requirement(text) for text, _ in PINNED]
WANTED = [
    Requirement(text)
    for group in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in group
]


def test_binder_has_the_environment_of_conda_users_and_voila():
    binder = yaml.safe_load((ROOT / "binder/environment.yml").read_text())
    demo = map(Requirement, PROJECT["optional-dependencies"]["demo"])
    voila = {f"{r.name}{_ordered(str(r.specifier))}" for r in demo}
    given = binder.pop("dependencies")
    assert {_split(d) for d in given if d not in CONDA["dependencies"]} == voila
    assert [d for d in CONDA["dependencies"] if d not in given] == []
    assert binder == {k: v for k, v in CONDA.items() if k != "dependencies"}


def test_conda_has_what_pip_installs():
    learner = map(Requirement, PROJECT["dependencies"])
    expected = {f"{CONDA_NAMES.get(r.name, r.name)}{_ordered(str(r.specifier))}" for r in learner}
    given = {d if re.match(r"(python|pip)\b", d) else _split(d) for d in CONDA["dependencies"]}
    assert given == expected | {"python=3.11", "pip"}


def _ordered(specifier):
    """The parts of a version range in a fixed order."""
    return ",".join(sorted(filter(None, specifier.split(","))))


def _split(dependency):
    """A conda dependency with its range in the same order."""
    name = re.match(r"[\w-]+", dependency).group()
    return name + _ordered(dependency[len(name) :])


def test_the_lock_is_versions_and_hashes_and_no_addresses():
    lines = [line for line in LOCK.splitlines() if not line.startswith("#")]
    hashes = [line for line in lines if "--hash" in line]
    assert sum(found.count("--hash") for _, found in PINNED) == len(hashes)
    assert len(PINNED) + len(hashes) == len(lines)
    assert "://" not in LOCK


def test_torch_is_not_pinned():
    assert "torch" not in {canonicalize_name(c.name) for c in CONSTRAINTS}
    assert [str(r) for r in WANTED if r.name == "torch"] == ["torch>=2.4"]


def test_every_requirement_has_a_tested_version_within_its_range():
    assert all(str(c.specifier).startswith("==") and "+" not in str(c) for c in CONSTRAINTS)
    tested = {canonicalize_name(c.name): next(iter(c.specifier)).version for c in CONSTRAINTS}
    for wanted in WANTED:
        if wanted.name not in ("torch", "setuptools"):  # which torch has a say in
            assert wanted.specifier.contains(tested[canonicalize_name(wanted.name)]), wanted
