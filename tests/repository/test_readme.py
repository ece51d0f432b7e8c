"""What the README says is true: its links, its table of lessons and its tree."""

import re
from pathlib import Path

import pytest

from genlab.atlas import LESSONS

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
PAPER = re.compile(r"https://(arxiv\.org/abs/\d{4}\.\d{4,5}|doi\.org/10\.\d{4,}/\S+)$")
ROWS = {
    int(cells[0]): cells[1:]
    for line in README.splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 5
    and cells[0].isdigit()
}
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_local_link_leads_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    local = [target for _, target in LINK.findall(text) if not re.match(r"https?://|#", target)]
    gone = [t for t in local if not (ROOT / document).parent.joinpath(t.partition("#")[0]).exists()]
    assert gone == []


def test_the_table_has_every_lesson_under_its_name():
    titles = {n: LINK.sub(r"\1", row[0]).removesuffix(" (planned)") for n, row in ROWS.items()}
    assert titles == LESSONS


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_lesson_is_linked_when_it_is_written_and_planned_when_not(lesson):
    written = sorted((ROOT / "notebooks").glob(f"{lesson:02d}_*.ipynb"))
    linked = [target for _, target in LINK.findall(ROWS[lesson][0])]
    assert linked == [path.relative_to(ROOT).as_posix() for path in written]
    assert ROWS[lesson][0].endswith("(planned)") != bool(written)


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_row_names_package_tests_and_papers(lesson):
    _, package, tests, papers = ROWS[lesson]
    assert all(t.startswith("genlab/") for _, t in LINK.findall(package))
    assert all(t.startswith("tests/") for _, t in LINK.findall(tests))
    assert all(PAPER.match(t) for _, t in LINK.findall(papers))
    assert all(map(LINK.search, (package, tests, papers)))


def tree():
    """Yield the paths that the tree of the README names."""
    folders = []
    for line in re.search(r"```text\n(.*?)```", README, re.DOTALL)[1].splitlines():
        name, depth = line.split()[0], (len(line) - len(line.lstrip())) // 2
        folders[depth:] = [name]
        yield Path(*folders)


def test_the_tree_names_what_exists():
    assert [path for path in tree() if not (ROOT / path).exists()] == []


def test_the_tree_leaves_out_no_part_of_the_package():
    named = {path.name for path in tree() if path.parent.name == "genlab"}
    parts = {
        p.name
        for p in (ROOT / "genlab").iterdir()
        if not p.name.startswith(("_", ".")) and (p.is_dir() or p.suffix == ".py")
    }
    assert parts <= named
