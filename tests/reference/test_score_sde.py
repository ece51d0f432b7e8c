"""Probability-flow ODE and its likelihood against torchdiffeq and scipy on the exact score."""

import pytest
import torch
from mixtures import mixture

from genlab.score.exact import exact_score
from genlab.score.sde import VE, VP, SubVP, probability_flow
from genlab.solvers.ode import exact_divergence, ride

pytestmark = pytest.mark.reference
SDES = [VP(), SubVP(), VE(0.1, 10.0)]


def velocity_of(sde):
    score = exact_score(mixture(), sde)
    return lambda x, t: probability_flow(sde, score, x, t)


@pytest.mark.parametrize("sde", SDES, ids=repr)
def test_likelihood_agrees_with_dopri5_of_torchdiffeq(sde, generator):
    torchdiffeq = pytest.importorskip("torchdiffeq")
    x0, velocity = mixture().sample(6, generator=generator), velocity_of(sde)

    def slope(t, state):
        x, _ = state
        return exact_divergence(lambda y: velocity(y, t.expand(len(y))), x)

    with torch.no_grad():
        end, log_det = torchdiffeq.odeint(
            slope, (x0, torch.zeros(6)), torch.tensor([0.0, 1.0]), method="dopri5",
            rtol=1e-9, atol=1e-11,
        )  # fmt: skip
    x_T, ours = ride(velocity, x0, torch.linspace(0, 1, 201))
    torch.testing.assert_close(x_T, end[-1], rtol=0, atol=1e-6)
    torch.testing.assert_close(ours, log_det[-1], rtol=0, atol=1e-6)
    one = torch.tensor(1.0)
    law = mixture().noised(float(sde.alpha(one)), float(sde.sigma(one)))
    theirs = law.log_prob(end[-1]) + log_det[-1]
    torch.testing.assert_close(theirs, mixture().log_prob(x0), rtol=0, atol=1e-7)
