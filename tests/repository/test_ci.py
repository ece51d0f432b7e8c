"""The workflow runs what the Makefile runs, on the Pythons and the torch that pyproject.toml names.

It is parsed here; only GitHub's machines can run it.
"""

import re
import tomllib
from pathlib import Path

import yaml

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
    assert called == {"lint", "types", "unit", "notebooks"}
    assert called <= set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))
    fast = re.search(r"^test-fast:.*\n.*-m (\".*\")$", MAKEFILE, re.MULTILINE)[1]
    (tests,) = [run for run in COMMANDS if "-m pytest" in run]
    assert tests.endswith(f"-m {fast}")


def test_it_may_only_read_its_actions_have_a_version_and_old_runs_stop():
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert not any("permissions" in job for job in JOBS.values())
    assert all(re.fullmatch(r"actions/[\w-]+@v\d+", s["uses"]) for s in STEPS if "uses" in s)
    assert {"group", "cancel-in-progress"} <= set(WORKFLOW["concurrency"])
    assert all("timeout-minutes" in job for job in JOBS.values())
    assert WORKFLOW[True]["schedule"]  # YAML 1.1 reads the key `on` as true
