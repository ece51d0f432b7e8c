"""What the documents point at exists: links and their anchors, commands, tests, licences."""

import json
import re
from functools import cache
from pathlib import Path

from genlab_course.grading import all_exercises

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
OURS = ("genlab", "genlab_course", "tests", "notebooks", "docs", "binder", ".ci", ".github")
TEXT = {
    "", ".cff", ".cfg", ".css", ".html", ".ipynb", ".js", ".json", ".md", ".py", ".toml", ".txt",
    ".yaml", ".yml",
}  # fmt: skip
# Paths of one machine, and addresses of package registries: pip and conda are told those by their
# owner. jovyan lives in every image that repo2docker builds, not on a machine.
FORBIDDEN = re.compile(
    r"(?<![\w.:/])/(work|root|home|tmp|Users)/(?!jovyan)\w|pypi\.org|files\.pythonhosted|registry\.npmjs|repo\.anaconda"
)


def read(path):
    """The text of a file, given from the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def test_no_file_names_a_machine_or_a_registry():
    below = [p for folder in OURS for p in (ROOT / folder).rglob("*")]
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in [*ROOT.iterdir(), *below]
        if path.is_file() and path.suffix in TEXT and path.name not in {".git", Path(__file__).name}
        if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)
        if (match := FORBIDDEN.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


def test_a_name_keeps_its_accent_and_a_hint_that_is_named_exists():
    ids = {exercise.id for exercise in all_exercises()}
    folders = ("notebooks", "genlab_course", "genlab", "docs", "benchmarks")
    for path in (p for name in folders for p in (ROOT / name).rglob("*.[pm][yd]")):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bFrechet\b", text), path
        assert set(re.findall(r"`course\.hint\(\"([^\"]+)\"\)`", text)) <= ids, path


@cache
def anchors(path):
    """The parts of an address after # that Jupyter or GitHub make of a file's headings."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    headings = re.findall(r"^#{1,6} (.+?)\s*$", text, re.MULTILINE)
    if path.suffix == ".md":
        return {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}
    strange = str.maketrans({"$": "", "(": "%28", ")": "%29"})
    return {re.sub(r"\s+", "-", h.translate(strange)) for h in headings}


def dead_links(page):
    """The targets of a page that are on this machine and lead nowhere."""
    gone = []
    text = page.read_text(encoding="utf-8")
    inline, at_the_foot = r"\]\(([^)\s]+)\)", r"(?m)^\[[^\]]+\]: (\S+)$"
    for target in re.findall(inline, text) + re.findall(at_the_foot, text):
        if re.match(r"https?://", target):
            continue
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        if not path.exists() or (heading and heading not in anchors(path)):
            gone.append(target)
    return gone


def test_every_local_link_leads_to_a_file_and_a_heading_in_it():
    found = {page.relative_to(ROOT).as_posix(): dead_links(page) for page in PAGES}
    assert {page: targets for page, targets in found.items() if targets} == {}


def test_the_readme_is_a_door():
    """It is read in a terminal, too: sixty lines of a hundred characters, targets at the foot."""
    lines = read("README.md").splitlines()
    targets = [line for line in lines if re.match(r"\[[^\]]+\]: ", line)]
    said = lines[: len(lines) - len(targets)]
    assert lines == said + targets
    assert len(said) <= 60
    assert [line for line in said if len(line) > 100] == []
    names = {re.match(r"\[([^\]]+)\]", line).group(1) for line in targets}
    assert set(re.findall(r"\]\[([^\]]+)\]", "\n".join(said))) == names


def test_every_make_command_in_the_documents_exists_and_says_what_it_does():
    makefile = read("Makefile")
    helps = dict(re.findall(r"^([a-z-]+):.*?## (.+)$", makefile, re.MULTILINE))
    phony = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    assert phony - set(helps) == {"unit"}  # a part of `make test`
    for page in PAGES:
        named = re.findall(r"(?:^|`)make ([a-z][a-z-]*)", page.read_text(encoding="utf-8"), re.M)
        if page.name != "CHANGELOG.md":  # it may speak of what has gone
            assert set(named) <= phony, page


def test_every_test_that_the_errata_name_exists():
    tests = [p.read_text(encoding="utf-8") for p in (ROOT / "tests").rglob("test_*.py")]
    found = {name for text in tests for name in re.findall(r"^def (test_\w+)", text, re.M)}
    named = set(re.findall(r"`(test_\w+)`", read("docs/errata.md")))
    assert len(named) > 20
    assert named <= found
