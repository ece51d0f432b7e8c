"""The map: one vocabulary, every lesson on it, any combination of clues placed, and by rules."""

from typing import get_args

import pytest

from genlab.core.capabilities import Kind
from genlab.map import (
    ADVERSARIAL,
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
        ("flow_matching", (SCORE,)),
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
        assert used == set(words) - {"two-stage"}  # which is how a hybrid is drawn


def test_the_kinds_of_likelihood_are_those_of_an_object_and_one_that_only_a_family_has():
    assert set(LIKELIHOODS) == {*get_args(Kind), "indirect"}


@pytest.mark.parametrize("paradigm", PARADIGMS, ids=lambda p: p.name)
def test_the_objective_alone_decides(paradigm):
    assert {place(objective=word) for word in paradigm.objectives} == {(paradigm.name,)}


def test_one_pass_leaves_three_families_and_the_likelihood_tells_them_apart():
    assert place(sampler="one-pass") == (FLOW, LATENT, ADVERSARIAL)
    for kind, family in (("exact", FLOW), ("bound", LATENT), ("none", ADVERSARIAL)):
        assert place(sampler="one-pass", likelihood=kind) == (family,)


def test_length_concerns_the_sequential_family_only_and_guidance_asks_twice():
    assert evaluations((AUTOREGRESSIVE,), tokens=500, steps=50) == 500
    assert evaluations((SCORE,), tokens=500, steps=50) == 50
    assert evaluations((ADVERSARIAL,), tokens=500, steps=50) == 1
    assert evaluations((LATENT, SCORE), steps=50, guided=True) == 101


def test_a_hybrid_pays_for_each_part_and_few_steps_for_their_shortcut():
    assert pays((LATENT, SCORE), "two-stage") == (PAYS[LATENT], PAYS[SCORE], PAYS["two-stage"])
    assert pays((SCORE,), "one-pass") == (PAYS["few-step"],)
    assert pays((ADVERSARIAL,), "one-pass") == (PAYS[ADVERSARIAL],)


def test_unknown_clues_lessons_and_families_are_refused():
    with pytest.raises(ValueError, match="unknown clue 'magic'"):
        place(objective="magic")
    with pytest.raises(ValueError, match="1 to 15, got 0"):
        lit(0)
    with pytest.raises(ValueError, match="'toaster'; there are: language_model"):
        lit("toaster")
