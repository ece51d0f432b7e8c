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
RETOLD_TWINS = {  # among the eight authors of `retold`: the first goes where the second goes
    "j060": "j003", "j063": "j003", "k064": "k007", "k069": "k008", "p925": "j030",
    "q022": "p919", "q031": "p963", "q052": "p953", "q066": "j065", "q070": "p944",
    "s021": "k007", "s022": "k009", "s044": "k056", "s050": "q068", "s052": "k052",
    "s054": "n051", "s060": "q048", "t001": "n050", "t002": "n057", "t003": "s043",
    "t004": "k052", "t005": "j033", "t010": "p959", "t014": "k053", "t019": "q055",
    "t022": "m027", "t023": "j038", "t024": "j068", "t025": "j034", "t026": "j035",
    "t027": "m026", "t028": "s037", "t029": "p941", "t030": "n035", "t031": "k007",
    "t032": "p961", "t034": "p942", "t037": "p933", "t039": "m041", "t040": "n033",
    "t041": "j056", "t048": "m016", "t050": "j065", "t052": "p921", "t053": "p902",
    "t055": "p924", "t057": "k004", "t059": "q048", "t060": "j009", "t061": "k023",
    "t064": "q051", "t068": "q049", "t070": "j020",
}  # fmt: skip
FIELDS = ("id", "system", "kind", "traits", "paradigms", "objective", "sampling", "likelihood",
          "flags")  # fmt: skip


def stratum(release):
    """Return what both halves should have in equal parts: claims, hybrids, negations."""
    return [release[name] for name in ("flags", "paradigms", "traits", "kind")]


def author(release):
    """Return the letters of a release's id."""
    return release["id"].rstrip("0123456789")


def split(releases, stratum=stratum):
    """Return both halves: neighbours by stratum, in shuffled order, go to different halves."""
    chance = random.Random(SEED)
    order = chance.sample(sorted(releases, key=lambda r: r["id"]), len(releases))
    order.sort(key=stratum)
    two = [order[i : i + 2] for i in range(0, len(order), 2)]
    pairs = [chance.sample(pair, len(pair)) for pair in two]
    halves = [pair[0] for pair in pairs], [pair[1] for pair in pairs if len(pair) == 2]
    return tuple(sorted(half, key=lambda r: r["id"]) for half in halves)


def split_with_twins(releases, twins, stratum=stratum):
    """Return both halves; a release that is a twin of another goes where that one goes."""
    halves = split([r for r in releases if r["id"] not in twins], stratum)
    here = [{r["id"] for r in half} for half in halves]
    return tuple(
        sorted((r for r in releases if twins.get(r["id"], r["id"]) in ids), key=lambda r: r["id"])
        for ids in here
    )


def split_retold(releases):
    """Return the open half of `retold`, and the other half in two lots; labels play no part."""
    known, other = split_with_twins(releases, RETOLD_TWINS, author)
    return known, *split_with_twins(other, RETOLD_TWINS, author)


def read(name):
    """Return the releases of one half."""
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))["release"]


def as_toml(release):
    """Return one release as a TOML table."""
    fields = [name for name in FIELDS if name in release]
    lines = [f"{name} = {json.dumps(release[name], ensure_ascii=False)}" for name in fields]
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
