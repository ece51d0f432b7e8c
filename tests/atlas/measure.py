"""Measure the release reader on a half of the labelled releases: python tests/atlas/measure.py open

Prints the accuracy of each step (lists as sets, exactly), then every error: id, what was expected,
what was found. The texts are not printed.
"""

import runpy
import sys
from functools import cache
from pathlib import Path

from genlab.atlas.reader import read_release

READ = runpy.run_path(str(Path(__file__).parent / "releases/split.py"))["read"]
STEPS = ("paradigms", "objective", "sampling", "likelihood", "flags")


def comparable(value):
    return frozenset(value) if isinstance(value, list | tuple) else value


@cache
def errors(half):
    """Return id, step, expected and found of every error."""
    return [
        (release["id"], step, release[step], getattr(reading, step))
        for release in READ(half)
        for reading in [read_release(release["text"])]
        for step in STEPS
        if comparable(release[step]) != comparable(getattr(reading, step))
    ]


def accuracy(half):
    """Return the number of releases, and of those that are right, for each step."""
    wrong, n = errors(half), len(READ(half))
    return n, {step: n - sum(e[1] == step for e in wrong) for step in STEPS}


def words(value):
    return ", ".join(value) or "none" if isinstance(value, list | tuple) else value


if __name__ == "__main__":
    for half in sys.argv[1:]:
        n, right = accuracy(half)
        print(half, {step: f"{count}/{n}" for step, count in right.items()})
        for name, step, expected, found in errors(half):
            print(f"{name} {step}: {words(expected)} -> {words(found)}")
