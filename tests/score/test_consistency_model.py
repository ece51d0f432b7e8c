"""The one-pass generator and the pair that trains it; a network against the exact quantile map."""

import math

import pytest
import torch
from torch import nn

from genlab.core import last
from genlab.core.protocols import Sampleable, likelihood_kind
from genlab.data.digits import load_digits
from genlab.metrics.passes import network_passes
from genlab.nn.mlp import MLP
from genlab.oracles import GaussianMixture
from genlab.score import EDM, edm_sigmas, exact_flow_1d
from genlab.score.consistency import exact_consistency_1d, squared_distance
from genlab.score.consistency_model import ConsistencyModel, Distillation
from genlab.score.digit_consistency import (
    SIGMA_MAX,
    SIGMA_MIN,
    EDMRecipe,
    Recipe,
    digit_consistency,
    digit_edm,
    distil_digits,
    train_digit_edm,
)
from genlab.train import cosine, fit, minibatches

SMALL = EDMRecipe(width=8, n_steps=3, batch_size=8)
FEW = Recipe(n_steps=3, batch_size=8)


@pytest.fixture
def law():
    return GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.0], [0.8]]), torch.tensor([0.3, 0.2])
    )


class Told(nn.Module):
    """A small network on the line that is told the level."""

    def __init__(self):
        super().__init__()
        self.net = MLP(2, 1, width=48, depth=3)

    def forward(self, x, c_noise):
        return self.net(torch.cat([x, c_noise[:, None]], 1))


def perfect(law):
    """A teacher without a fault."""
    return lambda cond: lambda x, sigma: law.denoiser(x, 1.0, sigma)


def test_it_samples_and_has_no_likelihood():
    model = digit_consistency(SMALL)
    _: Sampleable = model
    assert likelihood_kind(model) == "none"
    assert model.event_shape == (1, 8, 8)


@pytest.mark.parametrize("levels", [(20.0,), (20.0, 1.0), (20.0, 3.0, 0.5)])
def test_one_pass_for_each_level(levels, generator):
    model = digit_consistency(SMALL)
    draw = lambda: model.sample(2, generator=generator, levels=levels)
    assert network_passes(model.edm.net, draw) == len(levels)


def test_it_reads_the_label_and_begins_at_the_first_level():
    model = digit_consistency(SMALL)
    last(train_digit_edm(model.edm, *load_digits("train"), SMALL))
    one = lambda **more: model.sample(2, generator=torch.Generator().manual_seed(0), **more)
    assert not torch.equal(one(cond=torch.tensor([1, 2])), one(cond=torch.tensor([1, 3])))
    assert torch.equal(one(), one(cond=torch.tensor([10, 10])))  # not told
    noise = 5.0 * torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    by_hand = model.function()(noise, torch.full((2,), 5.0))
    torch.testing.assert_close(one(levels=(5.0,)), by_hand.detach())


def test_a_student_starts_as_its_teacher_and_leaves_it_alone():
    teacher, student = digit_edm(SMALL), digit_consistency(EDMRecipe(width=8, seed=99))
    last(train_digit_edm(teacher, *load_digits("train"), SMALL))
    run = distil_digits(student, teacher, *load_digits("train"), FEW)
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    for name, weight in student.edm.state_dict().items():
        assert torch.equal(weight, before[name])
    assert len(list(run)) == 3
    for name, weight in teacher.state_dict().items():
        assert torch.equal(weight, before[name])
    assert not all(torch.equal(w, before[name]) for name, w in student.edm.state_dict().items())
    assert not student.training


def pair(law, **more):
    edm = EDM(Told(), event_shape=(1,), sigma_data=0.9)
    student = ConsistencyModel(edm, levels=(10.0,), sigma_min=0.02)
    sigmas = edm_sigmas(18, sigma_min=0.02, sigma_max=10.0)[:-1]
    return Distillation(student, perfect(law), sigmas, distance=squared_distance, **more)


def test_the_goal_is_an_average_of_past_weights_and_gets_no_gradient(law, generator):
    both = pair(law, target_decay=0.5)
    for p in both.student.parameters():
        p.data.add_(1.0)
    both.target.update(both.student)  # the first update keeps a tenth
    then = both.target.average.edm.net.net.net[0].bias
    now = both.student.edm.net.net.net[0].bias
    torch.testing.assert_close(now - then, torch.full_like(now, 0.1))
    both.loss(law.sample(8, generator=generator), generator=generator).backward()
    assert all(p.grad is None for p in both.target.average.parameters())
    trained = {id(p) for p in both.parameters() if p.requires_grad}
    assert trained == {id(p) for p in both.student.parameters()}


def test_the_loss_compares_with_the_average_not_with_the_newest_weights(law, generator):
    both = pair(law, target_decay=0.99)
    x = law.sample(64, generator=generator)
    seeded = lambda: float(both.loss(x, generator=torch.Generator().manual_seed(1)).detach())
    before = seeded()
    for p in both.target.average.parameters():
        p.data.add_(0.3)
    assert abs(seeded() - before) > 1e-6


def test_every_pair_of_neighbours_is_visited(law):
    both, seen = pair(law), []
    both.teacher = lambda cond: lambda x, s: seen.append(s) or 0 * x
    both.loss(law.sample(4000), generator=torch.Generator().manual_seed(0))
    high, low = seen
    assert set(high.tolist()) == set(both.sigmas[:-1].tolist())
    assert set(low.tolist()) == set(both.sigmas[1:].tolist())
    step = dict(zip(both.sigmas.tolist(), both.sigmas[1:].tolist(), strict=False))
    assert all(step[h] == s for h, s in zip(high.tolist(), low.tolist(), strict=True))


@pytest.mark.slow
def test_a_small_network_learns_the_quantile_map(law):
    both = pair(law)
    g = torch.Generator().manual_seed(0)
    data, n_steps = law.sample(20_000, generator=g), 1200
    run = fit(
        both, minibatches(data, 256, generator=g), n_steps=n_steps,
        lr=cosine(5e-3, n_steps, warmup=50), generator=g,
        after=lambda _: both.target.update(both.student),
    )  # fmt: skip
    last(run)
    u = (torch.arange(400) + 0.5) / 400
    x_T, sigma = exact_flow_1d(law, u, 1.0, 10.0), torch.full((400,), 10.0)
    end = exact_consistency_1d(law, x_T, sigma, sigma_min=0.02)
    with torch.no_grad():
        got = both.student.function()(x_T, sigma)
    mean = law.denoiser(x_T, 1.0, sigma)  # one jump of the teacher
    error = lambda a: float((a - end).square().mean().sqrt())
    assert error(got) < 0.15  # W2 to the law: the map on the line is the optimal one
    assert error(got) < 0.2 * error(mean)


@pytest.mark.slow
def test_a_broken_off_distillation_goes_on_to_the_same_weights():
    teacher = digit_edm(SMALL)
    digits = load_digits("train")
    whole, parts = digit_consistency(SMALL), digit_consistency(SMALL)
    last(distil_digits(whole, teacher, *digits, FEW))
    first = distil_digits(digit_consistency(SMALL), teacher, *digits, FEW)
    next(first)
    second = distil_digits(parts, teacher, *digits, FEW)
    second.load_state_dict(first.state_dict())
    last(second)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)


def test_both_averages_follow_the_student_in_a_distillation():
    run = distil_digits(digit_consistency(SMALL), digit_edm(SMALL), *load_digits("train"), FEW)
    last(run)
    parts = run.state_dict()["parts"]
    assert parts["target"]["n_updates"] == parts["average"]["n_updates"] == FEW.n_steps


def test_the_recipes_levels_span_the_stated_range():
    run = distil_digits(digit_consistency(SMALL), digit_edm(SMALL), *load_digits("train"), FEW)
    sigmas = run.state_dict()["parts"]["model"]["sigmas"]
    assert len(sigmas) == FEW.n_levels
    assert math.isclose(float(sigmas[0]), SIGMA_MAX, rel_tol=1e-6)
    assert math.isclose(float(sigmas[-1]), SIGMA_MIN, rel_tol=1e-6)
