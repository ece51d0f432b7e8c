"""The clinic's releases are complete, and its keys accept and refuse what they should."""

from pathlib import Path

import pytest
import torch

from genlab.map import FAMILIES
from genlab_course.exercises.lesson_15 import (
    BLANKS,
    CLINIC,
    HOW,
    NOTHING,
    Key,
    Parts,
    counted,
    judge,
    parts,
    read_against_key,
    shown,
)
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


def test_every_family_occurs_seven_releases_are_of_2026_and_one_states_nothing():
    placed = [parts(one["place"]["is"][0]) for one in CLINIC.values()]
    assert set().union(*placed) - {NOTHING} == set(FAMILIES)
    assert len(CLINIC) == 12
    assert sum(one["year"] == 2026 for one in CLINIC.values()) == 7
    assert sum(place == {NOTHING} for place in placed) == 1
    assert frozenset(["latent-variable"]) not in placed  # the lesson says that there is none
    core = [one for one in CLINIC.values() if one.get("core")]
    assert len(core) == 3
    for blank, kinds in (("objective", 3), ("sampler", 3), ("gives", 2)):
        assert len({one[blank]["is"][0] for one in core}) == kinds
    tuned = {p for one in CLINIC.values() for p in parts(one["post-training"]["is"][0])}
    assert tuned == {"supervised", "reward", "distillation", NOTHING}


def test_the_marked_phrase_is_judged_first_and_a_decoy_gets_its_reason():
    deep = CLINIC["deepseek_v3"]
    key = Key(deep)
    assert "ELBO" in judge(deep, {**key, "phrase": "multi-head latent attention"})
    assert "copy it" in judge(deep, {**key, "phrase": "predicts the next token"})
    assert "longer piece" in judge(deep, {**key, "phrase": "causal chain"})
    assert "would fit" in judge(deep, {**key, "phrase": "reads up to 128"})
    assert "would fit" in judge(deep, {**key, "phrase": NOTHING})
    assert judge(deep, {**key, "phrase": "The  exact next token"}) == ""
    whole = {**Key(CLINIC["llada"]), "phrase": "predicts all hidden tokens at once"}
    assert judge(CLINIC["llada"], whole) == ""
    silent = Key(CLINIC["gpt_image_2"])
    assert silent["phrase"] == NOTHING
    assert "unit of billing" in judge(
        CLINIC["gpt_image_2"], {**silent, "phrase": "lists prices by tokens"}
    )


def test_a_report_that_contradicts_the_maker_is_refused_as_a_witness():
    gemma = CLINIC["diffusion_gemma"]
    digest = {**Key(gemma), "phrase": "starts from a fully masked sequence"}
    assert "the maker is the witness" in judge(gemma, digest)


def test_llada_may_be_placed_in_both_rows_but_not_in_the_autoregressive_alone():
    llada = CLINIC["llada"]
    both = {**Key(llada), "place": ("autoregressive + score", "inferred")}
    assert judge(llada, both) == ""
    alone = judge(llada, {**both, "place": ("autoregressive", "inferred")})
    assert "all orders at once" in alone
    assert "or both" in alone


def test_deepseek_v3_predicts_one_token_more_and_keeps_the_causal_chain():
    text = flat("deepseek_v3")
    assert "one token more" in text
    assert "keeps the causal chain" in text
    assert "several future tokens" not in text


@pytest.mark.parametrize(
    ("key", "named"),
    [("glm_image", "cross-entropy + flow matching"), ("flux2_klein", "distillation"),
     ("pocket_tts", "flow matching + distillation")],
)  # fmt: skip
def test_an_elbo_of_the_codec_that_no_sentence_names_may_be_left_out_or_inferred(key, named):
    one, card = CLINIC[key], Key(CLINIC[key])
    assert card["objective"][0] == named
    assert judge(one, {**card, "objective": (f"{named} + ELBO", "inferred")}) == ""


def test_harmless_parts_are_accepted_and_a_guess_on_a_silent_text_is_not():
    klein = CLINIC["flux2_klein"]
    fuller = {**Key(klein), "place": ("Latent-Variable + score", "inferred")}
    assert judge(klein, fuller) == ""
    assert "invertible" in judge(klein, {**fuller, "place": ("flow", "")})
    guess = {**Key(CLINIC["gpt_image_2"]), "place": ("score", "inferred")}
    assert "good bet" in judge(CLINIC["gpt_image_2"], guess)


def test_a_part_of_what_came_after_training_is_told_what_is_missing():
    deep = CLINIC["deepseek_v3"]
    said = judge(deep, {**Key(deep), "post-training": ("reward", "disclosed")})
    assert "True, and not all" in said


def test_how_one_knows_is_graded_after_the_value():
    key = Key(CLINIC["llada"])
    looped = {**key, "sampler": ("parallel-refinement", "inferred")}
    assert "'inferred' is not" in judge(CLINIC["llada"], looped)
    assert "none of" in judge(CLINIC["llada"], {**key, "gives": ("perfect", "disclosed")})


@pytest.mark.parametrize("key", ["glm_image", "flux2_klein"])
def test_a_latent_diffusion_has_no_likelihood_as_trained(key):
    for said in ("exact", "indirect", "bound"):
        assert judge(CLINIC[key], {**Key(CLINIC[key]), "gives": (said, "inferred")})
    assert judge(CLINIC[key], {**Key(CLINIC[key]), "gives": ("none", "inferred")}) == ""


def likelihoods(key):
    """Every word that the key takes for the likelihood."""
    one, words = CLINIC[key], (*BLANKS["gives"], NOTHING)
    ways = [(word, how) for word in words for how in HOW]
    return {word for word, how in ways if not judge(one, {**Key(one), "gives": (word, how)})}


def test_one_rule_of_the_likelihood_what_the_sampler_draws_all_of_it():
    # a loop over tokens that keeps the surest draws from something else than its loss bounds
    assert likelihoods("diffusion_gemma") == {"none", "bound", NOTHING}
    assert likelihoods("llada") == {"bound", "none"}
    # exact of codes is a term of a bound on pixels; the usual denoising loss is none
    assert likelihoods("ernie5") == likelihoods("starflow2") == {"none", "bound", NOTHING}
    assert likelihoods("glm_image") == {"none", NOTHING}
    # jumps, and generators without a density
    assert likelihoods("flux2_klein") == likelihoods("r3gan") == {"none"}
    assert likelihoods("meanflow") == likelihoods("weathernext2") == {"none", NOTHING}
    assert likelihoods("pocket_tts") == {"none", NOTHING}
    assert likelihoods("deepseek_v3") == {"exact"}
    assert likelihoods("gpt_image_2") == {NOTHING}


def test_the_program_is_held_to_the_keys_of_the_learner():
    """A bound of GLM-Image is wrong for both: nothing of the whole was trained by one."""
    (*_, (said, _, verdict)) = read_against_key(CLINIC["glm_image"])
    assert said == "bound"
    assert verdict == "wrong"
    assert judge(CLINIC["glm_image"], {**Key(CLINIC["glm_image"]), "gives": (said, "inferred")})


def test_pocket_tts_is_read_by_its_own_training_and_not_by_the_paper_of_its_family():
    pocket = CLINIC["pocket_tts"]
    assert "consistency" not in str([pocket["decides"], pocket["objective"]["phrase"]])
    parent = {**Key(pocket), "phrase": "speaks of consistency modelling"}
    assert "a parent paper is not its product" in judge(pocket, parent)
    assert judge(pocket, {**Key(pocket), "post-training": ("distillation", "disclosed")}) == ""


def test_llada_was_tuned_on_examples_as_its_makers_say():
    llada = CLINIC["llada"]
    assert judge(llada, {**Key(llada), "post-training": ("supervised", "disclosed")}) == ""


def test_a_phrase_that_says_nothing_is_told_sends_nobody_to_hunt_for_a_family():
    silent = CLINIC["gpt_image_2"]
    said = judge(silent, {**Key(silent), "phrase": "What was minimised, and how one picture"})
    assert "no family follows" in said
    assert "cannot tell" in said


def test_two_of_the_twelve_texts_speak_of_a_likelihood():
    assert [key for key in CLINIC if "likelihood" in CLINIC[key]["text"]] == ["llada", "starflow2"]


def test_a_placing_function_may_use_the_map_s_own_word_for_score():
    task = find_exercise("15.place")

    def in_words(*facts):
        family = task.right(*facts)
        return "score / diffusion" if family == "score" else family

    assert assess(task, in_words) == "right"


def test_the_broken_function_misplaces_three_cases_of_the_bank():
    as_it_stood = next(m.wrong for m in find_exercise("15.place").mistakes)
    task = find_exercise("15.place")
    assert sum(as_it_stood(*case) != task.right(*case) for case in task.cases) == 3


def test_shared_systems_over_texts_are_not_taken_for_a_comparison_of_texts():
    def first_try(train, test):
        met = {row["system"] for row in train} & {row["system"] for row in test}
        return len(met) / len(test)

    said = assess(find_exercise("15.leakage"), first_try)
    assert "number of systems by a number of texts" in said


def test_a_counter_reads_both_numbers_off_one_layer_and_adds_the_rows_of_every_call():
    task = find_exercise("15.count")
    says = [m.says for m in task.mistakes]
    for part in ("guide some of its steps only", "come from two layers"):
        (wrong,) = (m.wrong for m, said in zip(task.mistakes, says, strict=True) if part in said)
        assert part in assess(task, wrong)
    network = Parts()

    def tie():  # first and last are used once each: the one used first speaks
        network.last(torch.zeros(2, 4))
        network.first(torch.zeros(5, 3))

    assert counted(network, tie) == (1, 2)


@pytest.mark.parametrize(
    "answer", [{"phrase": "x"}, 5, ["a"], {**Key(CLINIC["ernie5"]), "place": 3}]
)
def test_a_card_that_is_none_is_answered_in_a_sentence(answer):
    assert assess(find_exercise("15.ernie5"), answer).startswith("not yet: ")


def test_the_printed_key_shows_evidence_decoys_and_the_question():
    said = repr(Key(CLINIC["r3gan"]))
    for part in ("decides: ", "evidence: ", "points elsewhere: ", "we would ask: ", "read: https"):
        assert part in said
    assert shown("r3gan").startswith("> **R3GAN** (2024)")


def test_the_reader_is_held_against_the_keys_blank_by_blank():
    said = {key: read_against_key(one) for key, one in CLINIC.items()}
    verdicts = {key: [verdict for *_, verdict in answers] for key, answers in said.items()}
    assert verdicts["deepseek_v3"] == ["right"] * 4
    assert verdicts["llada"] == ["wrong"] * 4
    assert all(0.93 < sure < 0.97 for _, sure, _ in said["llada"])
    assert verdicts["gpt_image_2"] == ["right"] * 4  # it gives no answer, and there is none
    assert said["meanflow"][2][0] == "multi-step"
    assert verdicts["meanflow"] == ["right", "right", "wrong", "wrong"]
    every = [verdict for answers in verdicts.values() for verdict in answers]
    assert [every.count(v) for v in ("right", "wrong", "no answer")] == [21, 12, 15]


def test_a_counter_may_use_either_kind_of_hook_and_must_take_them_off():
    task = find_exercise("15.count")

    def after_each_use(network, draw):
        uses = {}
        hooks = []
        for name, layer in network.named_modules():
            if any(True for _ in layer.parameters()):
                note = lambda m, i, o, name=name: uses.setdefault(name, []).append(i[0].shape[0])
                hooks.append(layer.register_forward_hook(note))
        draw()
        [hook.remove() for hook in hooks]
        most = max(uses.values(), key=len)
        return torch.tensor([len(most), sum(most)])

    def left_on(network, draw):
        uses = {}
        for layer in network.modules():
            if list(layer.parameters()):
                note = lambda m, i, o: uses.setdefault(m, []).append(len(i[0]))
                layer.register_forward_hook(note)
        draw()
        most = max(uses.values(), key=len)
        return len(most), sum(most)

    assert assess(task, after_each_use) == "right"
    assert "remove them" in assess(task, left_on)
    network = Parts()
    assert counted(network, lambda: network(torch.zeros(5, 3))) == (1, 5)


def uses_of(layers, draw):
    """The batches that each of some layers was given, in the order of first use."""
    uses = {}
    hooks = []
    for layer in layers:
        if list(layer.parameters()):
            note = lambda m, i: uses.setdefault(m, []).append(len(i[0]))
            hooks.append(layer.register_forward_pre_hook(note))
    draw()
    for hook in hooks:
        hook.remove()
    return list(uses.values())


def test_a_counter_that_watches_the_outermost_parts_alone_is_told_so():
    def outermost(network, draw):
        most = max(uses_of(network.children(), draw), key=len)
        return len(most), sum(most)

    def named(network, draw):
        parts = [layer for _, layer in network.named_children()]
        most = max(uses_of(parts, draw), key=len)
        return len(most), sum(most)

    for wrong in (outermost, named):
        assert "inside another" in assess(find_exercise("15.count"), wrong)


def test_of_layers_that_are_used_equally_often_the_first_one_used_counts():
    def most_rows(network, draw):
        return max((len(rows), sum(rows)) for rows in uses_of(network.modules(), draw))

    def last_one(network, draw):
        most = sorted(uses_of(network.modules(), draw), key=len)[-1]
        return len(most), sum(most)

    for wrong in (most_rows, last_one):
        assert "used first" in assess(find_exercise("15.count"), wrong)


def test_a_hybrid_s_bill_is_asked_in_the_order_of_the_lesson():
    """Calls, then evaluations: as equations (1) and (2), the counter and every printed line."""
    task = find_exercise("15.bill")
    assert assess(task, (100 + 30 + 1, 100 + 2 * 30 + 1)) == "right"
    assert "other way round" in assess(task, (161, 131))


def test_a_fine_tuning_that_the_text_names_may_be_called_disclosed():
    gemma = CLINIC["diffusion_gemma"]
    assert "fine-tuned it for two tasks" in flat("diffusion_gemma")
    assert judge(gemma, {**Key(gemma), "post-training": ("supervised", "disclosed")}) == ""


def test_what_cannot_be_told_was_not_disclosed():
    gemma = CLINIC["diffusion_gemma"]
    said = judge(gemma, {**Key(gemma), "post-training": (NOTHING, "disclosed")})
    assert "'disclosed' is not" in said


def test_a_phrase_that_holds_half_of_one_that_decides_is_taken():
    gemma = CLINIC["diffusion_gemma"]
    later = {**Key(gemma), "phrase": "refined as a whole, with attention in both directions"}
    assert judge(gemma, later) == ""
    less = {**later, "phrase": "as a whole, with attention in both directions"}
    assert "would fit" in judge(gemma, less)


@pytest.mark.parametrize("key", CLINIC)
def test_a_phrase_that_points_elsewhere_gets_its_own_reason_and_an_idle_one_is_refused(key):
    one = CLINIC[key]
    for decoy in one["decoys"]:
        assert judge(one, {**Key(one), "phrase": decoy["phrase"]}) == f"phrase: {decoy['why']}"
    assert judge(one, {**Key(one), "phrase": one["idle"]})
