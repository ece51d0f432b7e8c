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
TWINS = {  # the same public system in the words of both authors of `more`: never one on each side
    "h002": "g042", "h003": "g016", "h004": "g043", "h005": "g039", "h009": "g026", "h020": "g080",
    "h021": "g017", "h022": "g005", "h026": "g081", "h027": "g075", "h031": "g030", "h033": "g046",
    "h034": "g029", "h035": "g098", "h041": "g009", "h043": "g063", "h049": "g066", "h051": "g018",
    "h052": "g072", "h054": "g051", "h058": "g010", "h071": "g022", "h075": "g020", "h081": "g057",
    "h083": "g049", "h090": "g089", "h094": "g086", "h099": "g003",
}  # fmt: skip
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


def split_with_twins(releases):
    """Return both halves; of two releases in `TWINS` the second goes where the first goes."""
    by_id = {r["id"]: r for r in releases}
    halves = split([r for r in releases if r["id"] not in TWINS.values()])
    return tuple(
        sorted(
            half + [by_id[TWINS[r["id"]]] for r in half if r["id"] in TWINS], key=lambda r: r["id"]
        )
        for half in halves
    )


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
