"""Split the releases in halves, once, before any rule of the reader is written.

`python split.py ALL.toml` wrote open.toml and held_out.toml; without an argument it checks them.
"""

import json
import random
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent
SEED = 1507
HALVES = ("open", "held_out")
FIELDS = ("id", "kind", "traits", "paradigms", "objective", "sampling", "likelihood", "flags")


def stratum(release):
    """Return what both halves should have in equal parts: claims, hybrids, negations."""
    return [release[name] for name in ("flags", "paradigms", "traits", "kind")]


def split(releases):
    """Return both halves: neighbours by stratum, in shuffled order, go to different halves."""
    chance = random.Random(SEED)
    order = chance.sample(sorted(releases, key=lambda r: r["id"]), len(releases))
    order.sort(key=stratum)
    pairs = [chance.sample(order[i : i + 2], 2) for i in range(0, len(order), 2)]
    return tuple(sorted(half, key=lambda r: r["id"]) for half in zip(*pairs, strict=True))


def read(name):
    """Return the releases of one half."""
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))["release"]


def as_toml(release):
    """Return one release as a TOML table."""
    lines = [f"{name} = {json.dumps(release[name])}" for name in FIELDS]
    return "\n".join(["[[release]]", *lines, f'text = """\n{release["text"]}"""', ""])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        everything = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["release"]
        for name, half in zip(HALVES, split(everything), strict=True):
            text = "\n".join(as_toml(release) for release in half)
            (HERE / f"{name}.toml").write_text(text, encoding="utf-8")
    halves = [read(name) for name in HALVES]
    same = split(halves[0] + halves[1]) == tuple(halves)
    print([len(half) for half in halves], "as the seed gives them" if same else "NOT the split")
    sys.exit(not same)
