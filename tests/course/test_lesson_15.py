"""The clinic's releases are complete, and its keys accept and refuse what they should."""

from pathlib import Path

import pytest

from genlab.map import FAMILIES
from genlab_course.exercises.lesson_15 import BLANKS, CLINIC, HOW, NOTHING, Key, judge, parts, shown
from genlab_course.grading import assess, find_exercise

READ = Path(__file__).resolve().parents[2] / "docs" / "decisions" / "015-releases.md"


def flat(key):
    return " ".join(CLINIC[key]["text"].split())


def test_each_release_has_all_its_parts_and_every_phrase_stands_in_its_text():
    faults = []
    for key, one in CLINIC.items():
        text = flat(key)
        holds = {
            "120 to 250 words": 120 <= len(text.split()) <= 250,
            "its year": one["year"] in range(2024, 2027),
            "a question": one["ask"].endswith("?"),
            "a phrase that points elsewhere": one["decoys"],
        }
        faults += [(key, part) for part, there in holds.items() if not there]
        phrases = [*one["decides"], one["idle"], *(d["phrase"] for d in one["decoys"])]
        phrases += [one[blank]["phrase"] for blank in BLANKS]
        faults += [(key, phrase) for phrase in phrases if phrase not in text]
    assert not faults, faults


def test_each_key_speaks_the_words_of_the_map_and_has_evidence_unless_nothing_is_said():
    faults = []
    for key in CLINIC:
        for blank, words in BLANKS.items():
            part = CLINIC[key][blank]
            if not set(part["how"]) <= set(HOW):
                faults.append((key, blank, part["how"]))
            if not part["no"]:
                faults.append((key, blank, "a wrong value without its reason"))
            values = [*part["is"], *part.get("may", []), *part["no"]]
            faults += [(key, blank, v) for v in values if not parts(v) <= {*words, NOTHING}]
            if (part["phrase"] == "") != (part["how"][0] == "not said"):
                faults.append((key, blank, "evidence, or nothing said"))
    assert not faults, faults


def test_every_source_is_listed_among_those_that_were_read():
    listed = READ.read_text(encoding="utf-8")
    sources = [source for one in CLINIC.values() for source in one["sources"]]
    assert [source for source in sources if source not in listed] == []


def test_every_family_occurs_and_two_releases_state_nothing():
    placed = [parts(one["place"]["is"][0]) for one in CLINIC.values()]
    assert set().union(*placed) - {NOTHING} == set(FAMILIES)
    assert sum(place == {NOTHING} for place in placed) == 2
    assert frozenset(["latent-variable"]) not in placed  # the lesson says that there is none
    assert sum(one.get("core", False) for one in CLINIC.values()) == 4
    core = [one for one in CLINIC.values() if one.get("core")]
    for blank in ("objective", "sampler", "gives"):
        assert len({one[blank]["is"][0] for one in core}) == 4


def test_the_marked_phrase_is_judged_first_and_a_decoy_gets_its_reason():
    key = Key(CLINIC["deepseek_v3"])
    assert "ELBO" in judge(CLINIC["deepseek_v3"], {**key, "phrase": "multi-head latent attention"})
    assert "copy it" in judge(CLINIC["deepseek_v3"], {**key, "phrase": "predicts the next token"})
    assert "would fit" in judge(CLINIC["deepseek_v3"], {**key, "phrase": "reads up to 128"})
    assert "would fit" in judge(CLINIC["deepseek_v3"], {**key, "phrase": NOTHING})
    assert judge(CLINIC["deepseek_v3"], {**key, "phrase": "Several  future tokens"}) == ""
    assert "would fit" in judge(
        CLINIC["llada"], {**Key(CLINIC["llada"]), "phrase": "for each text"}
    )
    whole = {**Key(CLINIC["llada"]), "phrase": "predicts all hidden tokens at once"}
    assert judge(CLINIC["llada"], whole) == ""
    silent = Key(CLINIC["sora2"])
    assert silent["phrase"] == NOTHING
    assert "analogy" in judge(CLINIC["sora2"], {**silent, "phrase": "a GPT-3.5 moment"})


@pytest.mark.parametrize(
    ("key", "named"),
    [("flux_schnell", "distillation + minimax game"), ("wan", "flow matching"),
     ("transfusion", "cross-entropy + denoising")],
)  # fmt: skip
def test_an_elbo_of_the_codec_that_no_sentence_names_may_be_left_out_or_inferred(key, named):
    one, card = CLINIC[key], Key(CLINIC[key])
    assert card["objective"] == (named, "disclosed")
    assert judge(one, {**card, "objective": (f"{named} + ELBO", "inferred")}) == ""


def test_harmless_parts_are_accepted_and_a_guess_on_a_silent_text_is_not():
    flux = CLINIC["flux_schnell"]
    fuller = {**Key(flux), "place": ("Latent-Variable + score + adversarial", "inferred")}
    assert judge(flux, fuller) == ""
    assert "not accounted for" in judge(flux, {**fuller, "place": ("latent-variable + score", "")})
    guess = {**Key(CLINIC["midjourney_v7"]), "place": ("score", "inferred")}
    assert "good bet" in judge(CLINIC["midjourney_v7"], guess)


def test_how_one_knows_is_graded_after_the_value():
    key = Key(CLINIC["llada"])
    assert "'inferred' is not" in judge(CLINIC["llada"], {**key, "gives": ("bound", "inferred")})
    assert "none of" in judge(CLINIC["llada"], {**key, "gives": ("perfect", "disclosed")})


@pytest.mark.parametrize("key", ["wan", "transfusion", "flux_schnell"])
def test_a_latent_diffusion_has_no_likelihood_as_trained(key):
    for said in ("exact", "indirect", "bound"):
        assert judge(CLINIC[key], {**Key(CLINIC[key]), "gives": (said, "inferred")})
    assert judge(CLINIC[key], {**Key(CLINIC[key]), "gives": ("none", "inferred")}) == ""


def test_the_disguises_are_accepted_in_the_words_of_the_first_exercise():
    exercise = find_exercise("15.disguises")
    for said in (("diffusion", "GAN", "GAN"), ("score / diffusion", "adversarial", "gan")):
        assert "not yet" not in assess(exercise, said)
    assert "not yet" in assess(exercise, ("diffusion", "GAN", "flow"))


@pytest.mark.parametrize("answer", [{"phrase": "x"}, 5, ["a"], {**Key(CLINIC["var"]), "place": 3}])
def test_a_card_that_is_none_is_answered_in_a_sentence(answer):
    assert assess(find_exercise("15.var"), answer).startswith("not yet: ")


def test_the_printed_key_shows_evidence_decoys_and_the_question():
    said = repr(Key(CLINIC["wan"]))
    for part in ("decides: ", "evidence: ", "points elsewhere: ", "we would ask: ", "read: https"):
        assert part in said
    assert shown("wan").startswith("> **Wan2.1** (2025)")
