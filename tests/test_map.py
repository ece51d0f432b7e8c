"""The map: one vocabulary, every lesson on it, any combination of clues placed, and by rules."""

from typing import get_args

import pytest

from genlab.core.capabilities import Kind
from genlab.map import (
    ADVERSARIAL,
    ANY_FAMILY,
    AUTOREGRESSIVE,
    FAMILIES,
    FLOW,
    LATENT,
    LIKELIHOODS,
    OBJECTIVES,
    PARADIGMS,
    PAYS,
    SAMPLERS,
    SCORE,
    evaluations,
    lit,
    pays,
    place,
)


@pytest.mark.parametrize(
    ("lesson", "families"),
    [
        (2, (AUTOREGRESSIVE,)),
        (3, (AUTOREGRESSIVE, FLOW)),
        (6, (LATENT,)),
        (8, (ADVERSARIAL,)),
        (12, (SCORE,)),
        ("latent_diffusion", (LATENT, SCORE)),
        ("flow_density_estimator", (FLOW,)),
        ("flow_matching", (FLOW, SCORE)),
        ("few_step", (SCORE,)),
        ("speedrun", (SCORE,)),
        ("discrete_and_parallel", (AUTOREGRESSIVE, SCORE)),
        ("predict_the_large_run", (AUTOREGRESSIVE,)),
        *((about_all, FAMILIES) for about_all in (1, 9, 15)),
    ],
)
def test_a_lesson_lights_its_own_paradigm(lesson, families):
    assert lit(lesson) == families


def test_every_row_speaks_the_words_of_the_map_and_every_word_is_in_a_row():
    assert tuple(p.name for p in PARADIGMS) == FAMILIES
    for field, words in (
        ("objectives", OBJECTIVES), ("samplers", SAMPLERS), ("likelihoods", LIKELIHOODS)
    ):  # fmt: skip
        used = {word for p in PARADIGMS for word in getattr(p, field)}
        assert used == set(words) - {"two-stage"} - ANY_FAMILY  # a hybrid's, and anybody's


def test_the_kinds_of_likelihood_are_those_of_an_object_and_one_that_only_a_family_has():
    assert set(LIKELIHOODS) == {*get_args(Kind), "indirect"}


SHARED = {
    "distillation": (AUTOREGRESSIVE, FLOW, SCORE),  # MiniLLM, Parallel WaveNet, a consistency model
    "matching of samples": (ADVERSARIAL, SCORE),  # a kernel for a critic, drifting
    "reward": FAMILIES,
}


@pytest.mark.parametrize("word", OBJECTIVES)
def test_an_objective_alone_decides_but_for_three_that_families_share(word):
    usual = tuple(p.name for p in PARADIGMS if word in p.objectives[:1] or p.name == SCORE)[:1]
    assert place(objective=word) == SHARED.get(word, usual)


def test_one_pass_leaves_four_families_and_of_all_likelihoods_only_exact_leaves_one():
    assert place(sampler="one-pass") == (FLOW, LATENT, ADVERSARIAL, SCORE)
    left = {kind: place(sampler="one-pass", likelihood=kind) for kind in LIKELIHOODS}
    assert left == {
        "exact": (FLOW,),
        "bound": (FLOW, LATENT),  # a flow that is asked about whole pixels
        "none": (ADVERSARIAL, SCORE),  # a model that was trained to jump
        "indirect": (),
        "unnormalised": (),
    }


def test_one_step_models_and_flows_that_take_many_have_their_place():
    assert place("distillation", "one-pass", "none") == (SCORE,)
    assert place("distillation", "one-pass", "exact") == (FLOW,)
    assert place("change of variables", "sequential", "exact") == (FLOW,)
    assert place(sampler="multi-step", likelihood="exact") == (FLOW,)
    assert place(sampler="multi-step", likelihood="none") == (SCORE,)


def test_a_hybrid_lies_outside_and_each_of_its_parts_inside():
    assert place(sampler="two-stage") == ()
    assert place("cross-entropy", "parallel-refinement") == ()  # block diffusion
    assert place("cross-entropy", "sequential") == (AUTOREGRESSIVE,)
    assert place("denoising of tokens", "parallel-refinement") == (SCORE,)


@pytest.mark.parametrize("paradigm", PARADIGMS, ids=lambda p: p.name)
def test_a_reward_moves_nobody(paradigm):
    for sampler in SAMPLERS:
        for kind in LIKELIHOODS:
            assert place("reward", sampler, kind) == place(None, sampler, kind)
    assert paradigm.name in place("reward", paradigm.samplers[0], paradigm.likelihoods[0])


def test_length_concerns_the_sequential_family_only_and_guidance_asks_twice():
    assert evaluations((AUTOREGRESSIVE,), tokens=500, steps=50) == 500
    assert evaluations((SCORE,), tokens=500, steps=50) == 50
    assert evaluations((ADVERSARIAL,), tokens=500, steps=50) == 1
    assert evaluations((LATENT, SCORE), steps=50, guided=True) == 101


def test_a_hybrid_pays_for_each_part_and_few_steps_for_their_shortcut():
    assert pays((LATENT, SCORE), "two-stage") == (PAYS[LATENT], PAYS[SCORE], PAYS["two-stage"])
    assert pays((SCORE,), "one-pass") == (PAYS[SCORE, "one-pass"],)
    assert pays((ADVERSARIAL,), "one-pass") == (PAYS[ADVERSARIAL],)


def test_who_samples_in_sequence_pays_in_latency_and_who_loops_pays_for_the_loop():
    for paradigm in PARADIGMS:
        for sampler in paradigm.samplers:
            said = pays((paradigm.name,), sampler)[0][0]
            cost = evaluations((paradigm.name,), sampler=sampler, tokens=500, steps=50)
            assert cost == {"sequential": 500, "one-pass": 1}.get(sampler, 50)
            assert ("latency grows" in said) == (cost == 500)
            assert ("for every" in said) == (cost == 50)


def test_unknown_clues_lessons_and_families_are_refused():
    with pytest.raises(ValueError, match="unknown clue 'magic'"):
        place(objective="magic")
    with pytest.raises(ValueError, match="unknown sampler 'magic'"):
        evaluations((FLOW,), sampler="magic")
    with pytest.raises(ValueError, match="1 to 15, got 0"):
        lit(0)
    with pytest.raises(ValueError, match="'toaster'; there are: language_model"):
        lit("toaster")
