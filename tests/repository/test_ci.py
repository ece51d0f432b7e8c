"""One workflow runs what the Makefile runs, on the Pythons and the torch of pyproject.toml.

Another publishes a tag. They are parsed here; only GitHub's machines can run them.
"""

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import distributions, packages_distributions, requires
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
JOBS = WORKFLOW["jobs"]
MATRIX = JOBS["tests"]["strategy"]["matrix"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
COMMANDS = [step["run"] for step in STEPS if "run" in step]


def test_the_pythons_are_those_of_the_classifiers_and_the_ones_that_are_only_tried():
    named = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if ":: 3." in c]
    assert PROJECT["requires-python"] == f">={named[0]}"
    tried = re.findall(r"'(3\.\d+)'", JOBS["tests"].get("continue-on-error", ""))
    assert MATRIX["python"] == [*named, *tried]
    assert {row["python"] for row in MATRIX["include"]} <= set(named)
    rows = MATRIX["include"]
    systems = {*MATRIX["os"], *(row["os"] for row in rows)}
    assert systems == {"ubuntu-latest", "macos-latest", "windows-latest"}
    oldest = re.search(r"torch>=([\d.]+)", " ".join(PROJECT["dependencies"]))[1]
    assert {*MATRIX["torch"], *(row["torch"] for row in rows)} == {"", oldest}


def test_every_command_is_one_of_the_makefile():
    called = {t for run in COMMANDS if run.startswith("make ") for t in run.split()[1:]}
    called -= {"${{", "matrix.part", "}}"}
    assert called == {"types", "unit", "notebooks"}
    parts = {part.split()[0] for part in JOBS["proof"]["strategy"]["matrix"]["part"]}
    assert parts == {"statistics", "portability", "verify", "mutants", "bite", "random-mutants"}
    called |= parts
    assert called <= set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))
    fast = re.search(r"^test-fast:.*\n.*-m (\".*\")$", MAKEFILE, re.MULTILINE)[1]
    (tests,) = [run for run in COMMANDS if "-m pytest" in run]
    assert tests.endswith(f"-m {fast}")


def test_lint_waits_for_no_torch_and_runs_what_make_lint_runs():
    """Their versions are those of the extra `dev`."""
    install, run = [step["run"] for step in JOBS["lint"]["steps"] if "run" in step]
    dev = PROJECT["optional-dependencies"]["dev"]
    wanted = {r for r in dev if r.startswith(("ruff", "import-linter"))}
    assert set(install.replace('"', "").split()[4:]) == wanted
    recipe = MAKEFILE[MAKEFILE.index("\nlint:") :].partition("\n\n")[0]
    for command in run.split(" && "):
        assert command.split()[0] in recipe
    assert run.count(" && ") == recipe.count("exit 1") - 1


def test_contributing_says_what_runs_on_a_change_and_what_at_night():
    said = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    start = said.index("On a pull request CI runs")
    change, _, night = said[start : said.index("`make test` is")].partition("At night")
    assert [what for what in PARTS if what in change] == ["lint", "types", "fast tests"]
    parts = JOBS["proof"]["strategy"]["matrix"]["part"]
    for part in {"unit", "notebooks", "tour", *(part.split()[0] for part in parts)}:
        assert f"`make {part}`" in night


PARTS = ("lint", "types", "fast tests", "notebooks")


def test_every_night_a_new_sample_of_random_mistakes_in_all_its_parts():
    sample = [run for run in COMMANDS if "random-mutants PART" in run]
    assert [run for run in sample if 'SEED="$(date -u +%Y%m%d)"' in run] == sample != []
    parts = [p.split()[1] for p in JOBS["proof"]["strategy"]["matrix"]["part"] if " " in p]
    assert parts == [f"{k}/{len(parts)}" for k in range(1, len(parts) + 1)]
    assert "schedule" in JOBS["proof"]["if"]


def test_it_may_only_read_its_actions_have_a_version_and_old_runs_stop():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", s["uses"]) for s in STEPS if "uses" in s)
    assert {"group", "cancel-in-progress"} <= set(WORKFLOW["concurrency"])
    assert all("timeout-minutes" in job for job in JOBS.values())
    assert WORKFLOW[True]["schedule"]  # YAML 1.1 reads the key `on` as true


RELEASE = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))


def test_a_tag_is_built_checked_opened_and_only_then_published_without_a_secret():
    assert RELEASE[True]["push"] == {"tags": ["v*"]}
    build, publish = RELEASE["jobs"]["build"], RELEASE["jobs"]["publish"]
    commands = "\n".join(step["run"] for step in build["steps"] if "run" in step)
    living = "import genlab_course.widgets.living"
    said = ("__version__", "-m build", "twine check --strict", "install", "genlab start", living)
    places = [commands.index(words) for words in said[1:]]
    assert said[0] in commands
    assert places[0] < places[1] < commands.index("dist/*.whl") < places[3] < places[4]
    assert publish["needs"] == "build"
    assert RELEASE["permissions"] == {"contents": "read"}
    assert "permissions" not in build
    assert publish["permissions"] == {"id-token": "write"}
    assert not any("run" in step for step in publish["steps"])
    used = [step["uses"] for job in (build, publish) for step in job["steps"] if "uses" in step]
    ours = [name for name in used if re.fullmatch(r"actions/[\w-]+@v\d+", name)]
    assert set(used) - set(ours) == {"pypa/gh-action-pypi-publish@release/v1"}
    assert all("timeout-minutes" in job for job in (build, publish))
    assert "secrets." not in (ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8")


PAGES = yaml.safe_load((ROOT / ".github/workflows/pages.yml").read_text(encoding="utf-8"))


def test_the_site_is_published_within_a_time_and_no_publication_is_broken_off():
    assert PAGES["concurrency"] == {"group": "pages", "cancel-in-progress": False}
    assert all("timeout-minutes" in job for job in PAGES["jobs"].values())


def test_the_lock_is_never_given_with_its_hashes_to_an_editable_install():
    """pip would ask for a hash of the checkout."""
    places = ["README.md", "CONTRIBUTING.md", "Makefile", "docs/hub.md", ".github/workflows/ci.yml"]
    for place in places:
        text = (ROOT / place).read_text(encoding="utf-8")
        assert not re.search(r"-c \S*requirements\.lock", text), place
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    assert "genlab lab" in container["postAttachCommand"]


OURS = {path.name for path in ROOT.iterdir() if path.is_dir()} | {
    path.stem for folder in ("tests/support", "docs") for path in (ROOT / folder).glob("*.py")
}
HERE = {canonicalize_name(d.name) for d in distributions()}


def imported(path):
    """Names of the top-level packages and of our modules that a file imports, wherever in it."""
    tree, found = ast.parse(path.read_text(encoding="utf-8")), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def installed(extras):
    """Distributions that `pip install -e ".[extras]"` brings, of those that are here."""
    found, waiting = set(), [("genlab", tuple(extras))]
    while waiting:
        name, asked = waiting.pop()
        for wanted in map(Requirement, requires(name) or []):
            marker = wanted.marker
            if marker is None or any(marker.evaluate({"extra": e}) for e in ("", *asked)):
                key = canonicalize_name(wanted.name), tuple(wanted.extras)
                if key[0] in HERE and key not in found:
                    found.add(key)
                    waiting.append(key)
    return {name for name, _ in found}


def test_a_test_imports_only_what_every_row_installs_or_is_skipped_without_it():
    rows = re.findall(r'-e "\.\[([\w,]+)\]"', "\n".join(COMMANDS))
    assert len(rows) == 2
    of_modules = packages_distributions()
    everywhere = set.intersection(*(installed(row.split(",")) for row in rows))
    missing = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        names = imported(path)
        called = [ROOT / "benchmarks" / f"{n.partition('.')[2]}.py" for n in names]
        for benchmark in filter(Path.is_file, called):
            names |= imported(benchmark)
        skipped = re.findall(r'importorskip\(\s*"(\w+)', path.read_text(encoding="utf-8"))
        packages = {name.partition(".")[0] for name in names}
        for package in packages - OURS - sys.stdlib_module_names - set(skipped):
            given = {canonicalize_name(d) for d in of_modules.get(package, ["?"])}
            if not given & everywhere:
                missing.append(f"{path.relative_to(ROOT)}: {package}")
    assert missing == []
