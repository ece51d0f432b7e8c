"""Every row of both tables does what its example says."""

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genlab.atlas.findings import find
from genlab.atlas.paradigms import LESSONS
from genlab.atlas.phrases import compiled, number
from genlab.atlas.role_table import ROLES, WORDS
from genlab.atlas.roles import generic, loner, mentions
from genlab.atlas.rules import RULES
from genlab.atlas.scope import POLARITIES, polarity
from genlab.atlas.steps import counts
from genlab.atlas.triggers import TRIGGERS

AXES = {"paradigm", "objective", "sign", "flag", "likelihood"}


@pytest.mark.parametrize("rule", RULES, ids=lambda r: f"{r.says} | {r.example[:30]}")
def test_a_rule_fires_in_its_example_and_has_a_lesson(rule):
    fired = [f for f in find(rule.example) if f.rule is rule]
    assert fired
    assert any(f.asserted for f in fired) or rule.says == "likelihood: none"
    assert rule.lesson in LESSONS
    assert rule.says.split(": ")[0] in AXES


@pytest.mark.parametrize("trigger", TRIGGERS, ids=lambda t: t.example)
def test_a_trigger_gives_its_polarity_to_the_phrase_in_brackets(trigger):
    text = trigger.example.lower()
    start, end = text.index("["), text.index("]") - 1
    plain = text.replace("[", "").replace("]", "")
    assert polarity(plain, start, end) == trigger.polarity
    assert trigger.polarity in POLARITIES


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("without [adversarial] training", "negated"),
        ("no [teacher] or [discriminator], and a [flow] samples", "negated negated asserted"),
        ("neither a [gan] nor a [vae]", "negated negated"),
        ("it does not need a [critic]", "negated"),
        ("it is free of [adversarial] losses", "negated"),
        ("a [flow] instead of a [gan]", "asserted negated"),
        ("the [gan] is replaced by a [flow]", "past asserted"),
        ("we replace the [gan] by a [flow]", "past asserted"),
        ("it dispenses with the [critic]", "negated"),
        ("we abandon [diffusion]", "negated"),
        ("unlike [gans], a [flow] is exact", "compared asserted"),
        ("unlike [gans], [vaes] and [flows], we use [diffusion]",
         "compared compared compared asserted"),
        ("our [flow] outperforms [diffusion] baselines", "asserted compared"),
        ("compared with a [gan], the [flow] is slow", "compared asserted"),
        ("our [flow] is faster than [diffusion]", "asserted compared"),
        ("its predecessor was a [gan]", "past"),
        ("not only [diffusion] but also a [flow]", "asserted asserted"),
        ("nothing but a [flow]", "asserted"),
        ("a [discriminator] is used only for evaluation", "aside"),
        ("[diffusion] is planned for version 6", "planned"),
        ("a non-[autoregressive] network", "negated"),
        ("distilled from an [autoregressive] teacher", "teacher"),
        ("[discriminator]: none", "negated"),
        ("removed: the [gan]", "negated"),
        ("in the [generator] as well as in the [discriminator]", "asserted asserted"),
        ("it performs as well as [diffusion]", "compared"),
        ("baselines and [gans] were seen through", "compared"),
    ],
)  # fmt: skip
def test_the_scope_of_negation_comparison_and_time(text, expected):
    found, plain = [], ""
    for piece in re.split(r"(\[.*?\])", text):
        if piece.startswith("["):
            found.append(len(plain))
        plain += piece.strip("[]")
    assert [polarity(plain, at, at + 1) for at in found] == expected.split()


@pytest.mark.parametrize("role", ROLES, ids=lambda r: r.name)
def test_what_stands_beside_a_result_or_in_a_remark_on_the_field_is_only_mentioned(role):
    text = role.example.lower()
    start = text.index("[")
    plain = text.replace("[", "").replace("]", "")
    assert any(a <= start < b for a, b in mentions(plain))


@pytest.mark.parametrize("row", WORDS, ids=lambda row: row.name)
def test_a_row_of_words_finds_the_phrase_in_brackets(row):
    text = row.example.lower()
    start, end = text.index("["), text.index("]") - 1
    plain = text.replace("[", "").replace("]", "")
    ends_there = row.finds.search(plain[:end])
    assert row.finds.search(plain, start) or (ends_there and ends_there.end() == end)
    assert row.lesson in LESSONS
    assert len(row.says.split()) > 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("it was tried on rows from [gans]", True),
        ("we train [gans]", False),
        ("several [diffusion] models exist", True),
        ("a [ctgan] is trained", False),
        ("rows like those, says [ctgan]", True),
        ("a transformer [models] the codes", False),
    ],
)
def test_a_bare_plural_or_name_is_a_family_and_not_a_component(text, expected):
    start, end = text.index("["), text.index("]") - 1
    assert generic(text.replace("[", "").replace("]", ""), start, end) == expected


def test_the_indefinite_subject_of_a_sentence_that_builds_nothing_is_no_component():
    assert loner("a gan was unstable.", 2, 5)
    assert not loner("a gan turns the codes to pixels.", 2, 5)
    r = find("Our flow is exact. A GAN was unstable.")
    assert {f.value for f in r if f.axis == "paradigm" and f.asserted} >= {"flow"}


def test_a_pattern_spans_few_words_and_no_word_that_turns_the_sense():
    pattern = compiled("noise ~ removed")
    assert pattern.search("noise is slowly removed")
    assert not pattern.search("noise is not removed")
    assert not pattern.search("noise a b c d e removed")
    with pytest.raises(ValueError, match="no list is named 'colour'"):
        compiled("a {colour}")


def test_two_parts_of_a_rule_may_stand_far_apart_in_one_sentence_but_not_in_two():
    far = "Static comes in, and many, many layers further on it has been, we hope, removed."
    noise = [f for f in find(far) if " && " in f.rule.pattern and f.value == "score-based"]
    assert [f.phrase for f in noise] == ["Static"]
    apart = find("Static comes in. Whatever is wrong is removed.")
    assert not [f for f in apart if " && " in f.rule.pattern]


def test_a_finding_quotes_the_text_with_its_capitals_and_place():
    text = "It is new. A Normalizing\nFLOW."
    (place,) = {
        (f.phrase, f.start, f.end) for f in find(text) if f.value == "flow" and not f.rule.hint
    }
    assert place == ("Normalizing\nFLOW", 13, 29)


def test_numbers_are_read_in_digits_and_words():
    assert [number(w) for w in ("1,000", "four", "a single", "fifty")] == [1000, 4, 1, 50]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It takes 30 steps.", [(30, 30)]),
        ("Trained for 900 steps.", []),
        ("One to four steps are enough.", [(1, 4)]),
        ("It needs fifty network evaluations.", [(50, 50)]),
        ("Unlike models with 1,000 steps, it needs ten steps.", [(10, 10)]),
        ("It writes four tokens a step.", []),
        ("Five hundred iterations are needed.", [(500, 500)]),
        ("It paints in three rounds: one draws, two enlarge.", []),
    ],
)
def test_sampling_steps_are_counted_and_training_steps_are_not(text, expected):
    assert [(s.low, s.high) for s in counts(text)] == expected


CUES = (
    "a the no not without flow flows gan diffusion language model latent code step steps one "
    "two and , . ; : - than unlike predict noise token tokens by teacher energy score"
)
WORDS = st.sampled_from(CUES.split())


@settings(max_examples=30, deadline=None)
@given(st.lists(WORDS, max_size=120))
def test_any_text_of_cue_words_is_read_and_phrases_are_its_own(words):
    text = " ".join(words)
    for f in find(text):
        assert text[f.start : f.end] == f.phrase
        assert f.polarity in POLARITIES


@pytest.mark.slow
@pytest.mark.parametrize("piece", ["one ", "no flow ", "a of the ", "token by ", "x-", "noise, "])
def test_a_long_text_takes_time_that_grows_with_its_length_only(piece):
    def seconds(n):
        start = time.process_time()
        find(piece * (n // len(piece)))
        return time.process_time() - start

    seconds(1_000)  # patterns are compiled once
    assert seconds(8_000) < 40 * seconds(1_000) + 1
