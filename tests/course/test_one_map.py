"""One fact has one answer: the map, the bank, the clinic, the reader, widgets, our own models."""

import itertools
import re
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
import torch

from genlab.flow import MAF, Continuous, Flow, StandardNormal, masked_flow
from genlab.map import FAMILIES, FLOW, LATENT, LIKELIHOODS, OBJECTIVES, PARADIGMS, SAMPLERS, place
from genlab_course import reader
from genlab_course.exercises.lesson_15 import CLINIC, NOTHING, parts
from genlab_course.fingerprint import LESSONS, ODD_CLAIMS, fingerprint, sampling, whole
from genlab_course.reader import CANNOT_TELL, releases, truth
from genlab_course.widgets import clinic, paradigm_map
from genlab_course.widgets.landscape import OPEN

ROOT = Path(__file__).resolve().parents[2]
BANK = tuple(row for split in ("train", "test", "aside") for row in releases(split))
WORDS = {"objective": OBJECTIVES, "sampling": SAMPLERS, "likelihood": LIKELIHOODS}
OFF_THE_MAP = {"sampling": {"optimisation", "none"}}  # a sample is trained; nothing is drawn
NOT_LEARNT = {"reward", "matching of samples"}  # the bank has no label for them


def clue(field, word):
    """What `place` may be told of a label; None for what the map has no word for."""
    known = word != CANNOT_TELL and word not in OFF_THE_MAP.get(field, ())
    return word if known else None


def several_parts(row):
    return len(row["paradigms"]) > 1 or row["sampling"] == "two-stage"


def test_every_labelled_release_of_one_part_is_placed_where_its_label_says():
    off = Counter()
    for row in BANK:
        if several_parts(row) or not row["paradigms"]:
            continue
        (family,) = truth(row, "paradigms")
        said = (clue(field, truth(row, field)) for field in ("sampling", "likelihood"))
        for objective, sampler, likelihood in itertools.product(
            truth(row, "objective") or (None,), *((one,) for one in said)
        ):
            if family not in place(objective, sampler, likelihood):
                off[family, objective, sampler, likelihood] += 1
    assert off == {}


def accepted(release, blank):
    """Every answer that a key takes for a blank, as sets of words."""
    part = release[blank]
    more = [frozenset([*extra]) for n in range(3)
            for extra in itertools.combinations(part.get("may", ()), n)]  # fmt: skip
    return {parts(value) | extra for value in part["is"] for extra in more}


def one_part(release):
    """The families that a key accepts as its only place, unless it works in stages."""
    if parts(release["sampler"]["is"][0]) == {"two-stage"}:
        return set()
    alone = {frozenset.union(p) for p in accepted(release, "place") if len(p) == 1}
    return {family for p in alone for family in p} - {NOTHING}


def test_every_answer_that_a_clinic_key_of_one_part_accepts_is_placed_where_it_says():
    off = []
    for key, release in CLINIC.items():
        answers = (accepted(release, blank) for blank in ("objective", "sampler", "gives"))
        for family in one_part(release):
            for objectives, samplers, likelihoods in itertools.product(*answers):
                for words in itertools.product(objectives, samplers, likelihoods):
                    if family not in place(*(None if w == NOTHING else w for w in words)):
                        off.append((key, family, *words))
    assert off == []
    alone = {key for key in CLINIC if one_part(CLINIC[key])}
    assert alone == {"deepseek_v3", "llada", "r3gan", "meanflow"}


def squashed(name):
    return re.sub(r"[^a-z0-9]", "", name.split("(")[0].lower())


def test_a_release_that_stands_in_bank_and_clinic_has_the_same_answers_in_both():
    """Compared are texts that speak of the same parts; what a codec leaves is told in 015."""
    blanks = {"objective": "objective", "sampling": "sampler", "likelihood": "gives"}
    met, off = set(), Counter()
    for key, release in CLINIC.items():
        for row in (r for r in BANK if squashed(r["named"]) == squashed(release["name"])):
            made_of = frozenset(truth(row, "paradigms")) or {NOTHING}
            if made_of not in accepted(release, "place"):
                continue
            met.add(key)
            for field, blank in blanks.items():
                label = truth(row, field) or CANNOT_TELL
                words = frozenset([label]) if isinstance(label, str) else frozenset(label)
                codec = LATENT in parts(release["place"]["is"][0]) and blank == "gives"
                if words not in accepted(release, blank) and not (codec and len(made_of) > 1):
                    off[key, blank, tuple(sorted(words))] += 1
    assert off == {}
    assert met >= {"r3gan", "meanflow"}  # the bank ends before the releases of 2026


def test_the_reader_speaks_the_words_of_the_map_and_two_it_has_not_learnt():
    fields = dict(zip(reader.FIELDS, zip(*reader.model().combinations, strict=True), strict=True))
    for field, words in {"paradigms": FAMILIES, **WORDS}.items():
        said = {reader.of_the_map(field, label) for label in fields[field]}
        said = {w for one in said for w in (one if isinstance(one, tuple) else (one,))}
        said -= {CANNOT_TELL, *OFF_THE_MAP.get(field, ())}
        assert said - set(words) == set()
        assert set(words) - said == (NOT_LEARNT if field == "objective" else set())
    told = (ROOT / "docs" / "reader.md").read_text(encoding="utf-8")
    assert [word for word in NOT_LEARNT if f"*{word}*" not in told] == []


def test_the_menus_of_the_widgets_are_the_tables_of_the_map():
    widget = paradigm_map()
    for name, words in (("objective", OBJECTIVES), ("sampler", SAMPLERS),
                        ("likelihood", LIKELIHOODS)):  # fmt: skip
        offered = [value for _, value in widget.controls[name].options]
        assert offered == [OPEN, *words]
    blanks = clinic().blanks
    for field, words in WORDS.items():
        said = {part for option in blanks[field].options for part in option.split(" + ")}
        outside = {CANNOT_TELL, "none of the map's", *OFF_THE_MAP.get(field, ())}
        assert said - {*words} - outside == set()


def continuous(n_steps=4):
    flow = Flow(StandardNormal((5,)), [Continuous(5, width=16, n_steps=n_steps)])
    for weight in flow.parameters():
        torch.nn.init.constant_(weight, 0.1)  # untrained it stands still
    return whole("continuous", flow, more_steps=lambda: continuous(2 * n_steps))


OURS = (
    *LESSONS,
    *ODD_CLAIMS,
    (partial(whole, "digit_flow"), FLOW),  # of whole pixels: a bound (lesson 04)
    (lambda: whole("maf", masked_flow(MAF, 5, n_layers=2, width=16)), FLOW),
    (continuous, FLOW),
)


@pytest.mark.parametrize(("make", "where"), OURS)
def test_every_model_of_the_course_is_where_the_map_allows_what_it_was_seen_to_do(make, where):
    torch.set_default_dtype(torch.float32)
    seen = fingerprint(make())
    torch.set_default_dtype(torch.float64)
    kind = seen[0].kind
    assert where in place(sampler=sampling(seen), likelihood=kind)
    assert where in seen[0].families


def test_the_first_map_of_lesson_01_names_the_usual_words_of_the_map():
    text = (ROOT / "notebooks" / "src" / "01_four_paradigm_map.py").read_text(encoding="utf-8")
    table = text.split("| paradigm | writes $p(x)$ as")[1].split("\n#\n")[0]
    rows = [line.rsplit(" | ", 4) for line in table.splitlines() if line.startswith("# | ")]
    for paradigm, (_, objective, sampler, _, likelihood) in zip(PARADIGMS, rows, strict=True):
        assert objective.startswith(paradigm.objectives[0])
        assert sampler.split(":")[0] == paradigm.samplers[0]
        assert set(re.findall(r"\w+", likelihood)) - {"or", "a"} <= set(paradigm.likelihoods)
