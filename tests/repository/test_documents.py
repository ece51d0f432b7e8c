"""The documents keep their form, and nothing in the repository speaks of somebody's machine."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OURS = ("genlab", "genlab_course", "tests", "notebooks", "docs", "binder", ".ci", ".github")
TEXT = {
    ".py",
    ".md",
    ".toml",
    ".yml",
    ".yaml",
    ".cfg",
    ".ipynb",
    ".txt",
    ".json",
    ".cff",
    ".css",
    ".html",
    "",
}
# Paths of one machine, and addresses of package registries: pip and conda are told those by their
# owner. jovyan lives in every image that repo2docker builds, not on a machine.
FORBIDDEN = re.compile(
    r"(?<![\w.:/])/(work|root|home|tmp|Users)/(?!jovyan)\w|pypi\.org|files\.pythonhosted|registry\.npmjs|repo\.anaconda"
)


def text_files():
    """Yield the text files of the repository."""
    top = [p for p in ROOT.iterdir() if p.is_file()]
    below = [p for folder in OURS for p in (ROOT / folder).rglob("*") if p.is_file()]
    for path in top + below:
        hidden = {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        if path.suffix in TEXT and not hidden and path != Path(__file__):
            yield path


def test_no_file_names_a_machine_or_a_registry():
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in text_files()
        if (match := FORBIDDEN.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


def test_the_changelog_has_an_entry_and_a_heading_for_numbers():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = text.split("\n## ")[1]
    assert newest.startswith("[")
    assert re.search(r"^- \S", newest, re.MULTILINE)
    assert "### Numerical changes" in newest


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("LICENSE", "MIT License"),
        ("LICENSE-TEXT", "CC BY 4.0"),
        ("genlab/data/mnist10k.md", "CC BY-SA 3.0"),
    ],
)
def test_the_licences_are_there_and_named_in_the_readme(name, says):
    assert says in (ROOT / name).read_text(encoding="utf-8")
    assert f"({name})" in (ROOT / "README.md").read_text(encoding="utf-8")


def makefile_targets():
    """Return {target: its one-line help, or None} of the targets that a person calls."""
    text = (ROOT / "Makefile").read_text()
    phony = re.findall(r"^\.PHONY: (\S+)$", text, re.MULTILINE)
    helps = dict(re.findall(r"^([a-z-]+):.*?## (.+)$", text, re.MULTILINE))
    return {name: helps.get(name) for name in phony}


def test_every_target_that_a_person_calls_says_what_it_does():
    hidden = {"unit"}  # parts of `make test`
    assert [
        name for name, text in makefile_targets().items() if not text and name not in hidden
    ] == []


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/measurements.md"])
def test_every_make_command_in_the_documents_exists(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text, re.MULTILINE))
    assert named <= set(makefile_targets())


@pytest.mark.parametrize(
    "path", sorted((ROOT / "docs/decisions").glob("*.md")), ids=lambda p: p.stem
)
def test_a_decision_is_short_and_gives_its_reason(path):
    text = path.read_text(encoding="utf-8")
    assert re.match(rf"# {int(path.stem[:3])}\. \S", text)
    assert "**Decision.**" in text
    assert "**Why.**" in text
    assert len(text.splitlines()) <= 20


def test_the_citation_names_this_version_and_licence():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert cited["version"] == project["version"]
    assert cited["license"] == project["license"].split(" AND ")[0]  # of the code
    assert {"cff-version", "message", "title", "authors"} <= set(cited)
    assert cited["repository-code"] in (ROOT / "README.md").read_text().replace(
        "mybinder.org/v2/gh/", "github.com/"
    )


FORMS = sorted(p for p in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if p.stem != "config")


@pytest.mark.parametrize("path", FORMS, ids=lambda p: p.stem)
def test_a_form_for_issues_is_one_that_github_accepts(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] in {"input", "textarea", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]
        if field["type"] == "dropdown":
            assert all(isinstance(option, str) for option in field["attributes"]["options"])


def test_there_are_forms_for_equations_notebooks_and_ideas():
    assert [path.stem for path in FORMS] == ["equation", "idea", "notebook"]


def test_the_decisions_are_numbered_without_a_gap():
    numbers = [int(path.stem[:3]) for path in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
