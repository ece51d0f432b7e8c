"""The table of lesson 01: any combination is placed, and by rules."""

import pytest

from genlab.map import AR, FAMILIES, GAN, LIKELIHOODS, OBJECTIVES, SAMPLERS, VAE, passes, place
from genlab.map import FLOW_PLACING as FLOW
from genlab.map import SCORE_PLACING as SCORE
from genlab.map import SYSTEMS_PLACING as SYSTEMS


def test_without_clues_everything_is_possible():
    assert place() == FAMILIES


@pytest.mark.parametrize(("objective", "family"), list(OBJECTIVES.items()))
def test_the_objective_alone_decides(objective, family):
    assert place(objective=objective) == (family,)


def test_one_pass_leaves_three_families_and_the_likelihood_tells_them_apart():
    sampler = "one draw, one pass"
    assert place(sampler=sampler) == (FLOW, VAE, GAN)
    assert [place(sampler=sampler, likelihood=kind) for kind in LIKELIHOODS] == [
        (FLOW,),
        (VAE,),
        (GAN,),
    ]


def test_every_family_has_a_sampler_and_a_likelihood():
    for table in (SAMPLERS, LIKELIHOODS):
        assert set().union(*table.values()) == set(FAMILIES)


def test_clues_that_contradict_leave_nothing():
    assert place(objective="predict the noise (mean square)", sampler="one draw, one pass") == ()


def test_a_guided_latent_diffusion_costs_two_passes_a_step_and_one_to_decode():
    system = SYSTEMS["encoder + latent denoiser + decoder"]
    assert system.families == (VAE, SCORE)
    assert passes(system.families, steps=system.steps, guided=system.guided) == 101


def test_length_concerns_the_sequential_family_only():
    assert passes((AR,), pieces=500, steps=50) == 500
    assert passes((SCORE,), pieces=500, steps=50) == 50
    assert passes((GAN,), pieces=500, steps=50) == 1


def test_unknown_clues_and_families_are_refused():
    with pytest.raises(ValueError, match="unknown clue 'magic'"):
        place(objective="magic")
    with pytest.raises(ValueError, match="unknown families"):
        passes(("magic",))
    with pytest.raises(ValueError, match="got 0 and 1"):
        passes((AR,), pieces=0)
