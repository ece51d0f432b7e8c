"""The labelled releases keep their form. Nothing here prints a text of the held-out half."""

import re
import runpy
import tomllib
from collections import Counter

import pytest

from genlab.atlas import paradigms as atlas

SPLIT = runpy.run_path(__file__.replace("test_releases.py", "releases/split.py"))
OPEN, HELD_OUT = (SPLIT["read"](name) for name in SPLIT["HALVES"])
RELEASES = OPEN + HELD_OUT

ORDER = ("autoregressive", "flow", "latent-variable", "adversarial", "score-based")
OBJECTIVES = {  # each with the paradigms that may have it
    "cross-entropy": {"autoregressive"},
    "elbo": {"latent-variable"},
    "adversarial": {"adversarial"},
    "denoising": {"score-based"},
    "flow-matching": {"score-based"},
    "masked-prediction": {"score-based"},
    "energy": {"score-based"},
    "change-of-variables": {"flow"},
    "distillation": {"score-based", "flow", "autoregressive"},
}
FLAGS = {  # each with the paradigms without which it makes no sense
    "few-step-diffusion": {"score-based"},
    "parallel-autoregression": {"autoregressive"},
    "discrete-diffusion": {"score-based"},
    "adversarial-diffusion": {"score-based", "adversarial"},
    "many-pass-flow": {"flow"},
    "likelihood-overclaim": set(),
    "free-lunch": set(),
    "misleading-name": set(),
    "not-generative": set(),
    "outside-map": set(),
}
VOCABULARY = {
    "kind": {"abstract", "card", "announcement", "blog", "changelog", "description"},
    "sampling": {
        "sequential", "one-pass", "multi-step", "parallel-refinement", "two-stage",
        "optimisation", "none", "cannot tell",
    },
    "likelihood": {"exact", "bound", "indirect", "unnormalised", "none", "cannot tell"},
    "traits": {"negation", "comparison", "trap-word"},
    "paradigms": set(ORDER),
    "objective": set(OBJECTIVES),
    "flags": set(FLAGS),
}  # fmt: skip


def words(release):
    return re.findall(r"[\w'-]+", release["text"].lower())


def failing(check):
    """Return the ids of the releases that do not pass; ids only, so that no text is shown."""
    return [release["id"] for release in RELEASES if not check(release)]


def test_the_seed_gives_these_halves():
    assert SPLIT["SEED"] == 1507
    same = SPLIT["split"](RELEASES) == SPLIT["split"](RELEASES[::-1]) == (OPEN, HELD_OUT)
    assert same


def test_the_halves_are_disjoint_large_and_sorted():
    ids = [release["id"] for release in RELEASES]
    assert len(set(ids)) == len(ids) == 200
    assert len(OPEN) == len(HELD_OUT) == 100
    assert ids == sorted(ids[:100]) + sorted(ids[100:])


def test_the_paradigms_are_those_of_the_map():
    names = [p.name.replace("score / diffusion", "score-based") for p in atlas.PARADIGMS]
    assert tuple(names) == ORDER


def as_list(value):
    return value if isinstance(value, list) else [value]


def test_the_fields_are_complete_and_in_the_vocabulary():
    assert failing(lambda r: set(r) == {"id", "text", *VOCABULARY}) == []
    assert failing(lambda r: re.fullmatch(r"r\d{3}", r["id"])) == []
    for field, allowed in VOCABULARY.items():
        assert failing(lambda r, f=field, a=allowed: set(as_list(r[f])) <= a) == [], field
        assert failing(lambda r, f=field: len(set(as_list(r[f]))) == len(as_list(r[f]))) == []
    assert failing(lambda r: r["paradigms"] == sorted(r["paradigms"], key=ORDER.index)) == []


def test_the_texts_have_the_length_and_quote_nobody():
    foreign = re.compile(r"[\"“”«»‘’\\]|https?:|www\.|\barxiv|\bdoi\b|\bet al", re.IGNORECASE)
    assert failing(lambda r: 40 <= len(r["text"].split()) <= 140) == []
    assert failing(lambda r: not foreign.search(r["text"])) == []
    assert failing(lambda r: max(map(len, r["text"].split("\n"))) <= 120) == []


def test_no_two_texts_share_a_phrase_of_eight_words():
    phrases = [
        {tuple(words(release)[i : i + 8]) for i in range(len(words(release)) - 7)}
        for release in RELEASES
    ]
    assert sum(map(len, phrases)) == len(set().union(*phrases))


@pytest.mark.parametrize("half", [OPEN, HELD_OUT], ids=SPLIT["HALVES"])
def test_each_half_covers_every_label(half):
    least = {"paradigms": 10, "objective": 2, "flags": 2, "traits": 18, "kind": 3, "likelihood": 2}
    for field, number in (least | {"sampling": 1}).items():
        count = Counter(value for release in half for value in as_list(release[field]))
        assert set(count) == VOCABULARY[field], field
        assert min(count.values()) >= number, field
    assert sum(len(release["paradigms"]) > 1 for release in half) >= 25
    assert sum(not release["paradigms"] for release in half) >= 10
    assert sum(bool(release["flags"]) for release in half) >= 30


def test_objective_and_flags_belong_to_a_paradigm():
    assert failing(lambda r: all(OBJECTIVES[o] & set(r["paradigms"]) for o in r["objective"])) == []
    assert failing(lambda r: all(FLAGS[flag] <= set(r["paradigms"]) for flag in r["flags"])) == []
    assert failing(lambda r: bool(r["objective"]) == bool(r["paradigms"])) == []
    both = ("masked-prediction", "discrete-diffusion")
    assert failing(lambda r: (both[0] in r["objective"]) == (both[1] in r["flags"])) == []


def test_what_draws_no_samples_has_no_paradigm():
    assert failing(lambda r: "not-generative" not in r["flags"] or not r["paradigms"]) == []
    assert failing(lambda r: ("not-generative" in r["flags"]) == (r["sampling"] == "none")) == []


def test_sampling_is_possible_for_the_paradigms():
    def possible(release):
        here, flags = release["paradigms"], release["flags"]
        slow_flow = "many-pass-flow" in flags
        return {
            "sequential": here == ["autoregressive"] or slow_flow,
            "parallel-refinement": "discrete-diffusion" in flags,
            "optimisation": "outside-map" in flags,
            "multi-step": "score-based" in here or slow_flow,
            "one-pass": "autoregressive" not in here and not slow_flow,
            "two-stage": bool(here),
        }.get(release["sampling"], True)

    assert failing(possible) == []


EXPLAINED = {  # likelihoods that this table does not give but the guide does
    "c025": {"indirect"},  # few steps of a solver: no student
    "d034": {"bound"},  # few steps, no student
    "d042": {"bound"},  # few passes of a masked model, no student
    "g037": {"bound"},  # few passes of a masked model, no student
    "h038": {"indirect"},  # few steps, no student
    "h055": {"indirect"},  # few steps, no student
    "d015": {"unnormalised"},  # an energy, though trained by denoising
    "p922": {"unnormalised"},  # the same
    "n068": {"indirect"},  # few steps, no student
    "vb074": {"indirect"}, "vb079": {"indirect"}, "vd044": {"indirect"},  # the same
    "wa035": {"bound"}, "wb023": {"indirect"},  # the same
}  # fmt: skip


LOOSE = {"m006": {"distillation"}}  # objectives without a component: a student of no named family


def weakest_link(release):
    """Return the likelihoods that the guide allows."""
    here, objective = set(release["paradigms"]), release["objective"]
    if not here:
        return {"cannot tell", "none", "exact"}  # what the text says, if it says anything
    if here == {"flow", "adversarial"}:
        return {"exact"}  # invertible: whatever trained it
    few_steps = "few-step-diffusion" in release["flags"]
    if "adversarial" in here or few_steps or release["sampling"] == "optimisation":
        return {"none"}
    if "energy" in objective:
        return {"unnormalised"}
    if "latent-variable" in here or "masked-prediction" in objective:
        return {"bound"}
    # of a diffusion model a bound, where the text reports one
    return {"indirect", "bound"} if "score-based" in here else {"exact"}


def test_the_likelihood_is_that_of_the_weakest_link():
    assert failing(lambda r: r["likelihood"] in weakest_link(r)) == []


def test_the_guide_defines_every_label():
    guide = (SPLIT["HERE"] / "LABELLING.md").read_text(encoding="utf-8")
    for field, labels in VOCABULARY.items():
        if field != "kind":
            assert [label for label in labels if label not in guide] == [], field
    assert len(guide.splitlines()) <= 65


def test_the_tables_come_back_from_toml():
    text = "\n".join(SPLIT["as_toml"](release) for release in OPEN)
    same = tomllib.loads(text)["release"] == OPEN
    assert same


LATER = {
    "unseen": 60,
    "unseen_2": 40,
    "papers_open": 120,
    "papers_held_out": 120,
    "more_open": 98,
    "more_held_out": 102,
    "retold_open": 271,
    "retold_held_out": 143,
    "retold_reserve": 146,
    "retold_practice": 600,
    "plain_open": 71,
    "plain_held_out": 69,
}
RETOLD = [name for name in LATER if name.startswith(("retold", "plain"))]


@pytest.mark.parametrize("name", LATER)
def test_the_later_releases_have_the_same_form(name):
    later = SPLIT["read"](name)
    ids = [r["id"] for r in later]
    assert len(later) == len(set(ids)) == LATER[name]
    assert ids == sorted(ids)
    fields = {"id", "text", *VOCABULARY} | ({"system"} if name in RETOLD else set())
    assert [r["id"] for r in later if set(r) != fields] == []
    for field, allowed in VOCABULARY.items():
        assert [r["id"] for r in later if not set(as_list(r[field])) <= allowed] == [], field
    least, most = (20, 320) if name in RETOLD else (40, 200)
    assert [r["id"] for r in later if not least <= len(r["text"].split()) <= most] == []


@pytest.mark.parametrize("name", LATER)
def test_the_labels_of_the_later_releases_agree(name):
    for r in SPLIT["read"](name):
        here = set(r["paradigms"])
        assert r["likelihood"] in weakest_link(r) | EXPLAINED.get(r["id"], set()), r["id"]
        loose = LOOSE.get(r["id"], set())
        assert all(OBJECTIVES[o] & here for o in set(r["objective"]) - loose), r["id"]
        assert all(FLAGS[flag] <= here for flag in r["flags"]), r["id"]


def test_the_seed_gives_the_halves_of_the_papers():
    halves = [SPLIT["read"](name) for name in ("papers_open", "papers_held_out")]
    assert SPLIT["split"](halves[0] + halves[1]) == tuple(halves)


def test_the_seed_gives_the_halves_of_the_texts_by_two_more_authors():
    halves = [SPLIT["read"](name) for name in ("more_open", "more_held_out")]
    twins = {second: first for first, second in SPLIT["TWINS"].items()}
    assert SPLIT["split_with_twins"](halves[0] + halves[1], twins) == tuple(halves)
    for half in halves:
        ids = {r["id"] for r in half}
        assert all((a in ids) == (b in ids) for a, b in SPLIT["TWINS"].items())


def test_the_seed_gives_the_lots_of_the_retold_releases():
    lots = [SPLIT["read"](name) for name in RETOLD[:3]]
    assert SPLIT["split_retold"]([r for lot in lots for r in lot]) == tuple(lots)
    for lot in lots:
        ids = {r["id"] for r in lot}
        assert all((a in ids) == (b in ids) for a, b in SPLIT["RETOLD_TWINS"].items())


def test_no_system_is_described_in_both_halves_of_the_plain_descriptions():
    halves = [SPLIT["read"](name) for name in ("plain_open", "plain_held_out")]
    names = [{re.sub(r"[^a-z0-9]", "", r["system"].lower()) for r in half} for half in halves]
    assert names[0] & names[1] == set()
    first = {}
    for r in sorted((r for half in halves for r in half), key=lambda r: r["id"]):
        first.setdefault(re.sub(r"[^a-z0-9]", "", r["system"].lower()), r["id"])
    twins = {
        r["id"]: first[re.sub(r"[^a-z0-9]", "", r["system"].lower())]
        for half in halves
        for r in half
    }
    twins = {a: b for a, b in twins.items() if a != b}
    every = halves[0] + halves[1]
    assert SPLIT["split_with_twins"](every, twins, SPLIT["author"]) == tuple(halves)
