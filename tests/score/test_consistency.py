"""Consistency: the boundary, the loss on exact paths, and a network against the known answer."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from genlab.core import last
from genlab.metrics.cost import network_passes
from genlab.nn.layers import MLP
from genlab.oracles import GaussianMixture
from genlab.score import EDM, edm_precondition, edm_sample, edm_sigmas, exact_flow_1d
from genlab.score.consistency import (
    ConsistencyModel,
    Distillation,
    consistency_distillation_loss,
    consistency_function,
    consistency_precondition,
    consistency_sample,
    huber_distance,
    mean_flow_loss,
    squared_distance,
)
from genlab.train import Hooks, cosine, fit, minibatches
from genlab.zoo import find
from genlab.zoo.consistency import distil, student_of


def exact_consistency_1d(data, x, sigma, *, sigma_min):
    """The consistency function of a mixture on the line: a noiseless path keeps its quantile."""
    spread = (data.stds**2 + sigma[:, None] ** 2).sqrt()
    u = torch.special.ndtr((x - data.means[:, 0]) / spread) @ data.weights
    tiny = torch.finfo(u.dtype).eps
    return exact_flow_1d(data, u.clamp(tiny, 1 - tiny), 1.0, sigma_min)


LAW = GaussianMixture(
    *(torch.tensor(a, dtype=torch.float64) for a in ([0.3, 0.7], [[-1.0], [0.8]], [0.3, 0.2]))
)
MU, S = 0.4, 0.6  # of a normal distribution
TEACHER = lambda x, sigma: LAW.denoiser(x, 1.0, sigma)
END = lambda x, sigma: exact_consistency_1d(LAW, x, sigma, sigma_min=0.02)


def test_whatever_the_network_says_a_clean_example_is_its_own(generator):
    x = torch.randn(5, 1, 3, 3, generator=generator)
    sigma = torch.full((5,), 0.02)
    f = consistency_function(lambda x, c: 1e3 + x**2, x, sigma, sigma_data=0.5, sigma_min=0.02)
    torch.testing.assert_close(f, x)


def test_the_function_adds_the_network_to_its_input_by_the_two_scales():
    x, sigma = torch.tensor([[5.0]]), torch.tensor([3.0])
    echo = lambda x, c_noise: x  # of c_in x, 1 / sqrt(10); c_skip = 1 / 5, c_out = 2 / sqrt(10)
    f = consistency_function(echo, x, sigma, sigma_data=1.0, sigma_min=1.0)
    torch.testing.assert_close(f, (1 / 5 + 2 / 10) * x)


@given(sigma=st.floats(0.01, 50.0), sigma_data=st.floats(0.2, 2.0))
def test_with_nothing_taken_off_the_scales_are_edms(sigma, sigma_data):
    ours = consistency_precondition(torch.tensor(sigma), sigma_data=sigma_data)
    theirs = edm_precondition(torch.tensor(sigma), sigma_data=sigma_data)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b)


def test_the_exact_function_is_where_a_long_walk_of_the_teacher_ends():
    x, n = torch.tensor([[-20.0], [-3.0], [0.5], [9.0]]), 400
    sigmas = torch.logspace(1, math.log10(0.02), n + 1)
    walked = last(edm_sample(TEACHER, x, sigmas))
    torch.testing.assert_close(END(x, torch.full((4,), 10.0)), walked, atol=2e-4, rtol=0)


@pytest.mark.parametrize(("order", "falls"), [(1, 16), (2, 64)])
def test_exact_paths_have_a_loss_that_falls_with_the_solvers_error(order, falls, generator):
    # a solver of order p errs by h^(p+1) in one step; the loss is the square: 2^(2p+2) a halving
    x0, eps = LAW.sample(400, generator=generator), torch.randn(400, 1, generator=generator)
    sigma, losses = torch.full((400,), 0.8), []
    for h in (0.04, 0.02, 0.01):
        loss = consistency_distillation_loss(
            END, END, TEACHER, x0, eps, sigma, sigma - h, order=order
        )
        losses.append(float(loss.mean()))
    for wide, half in pairwise(losses):
        assert abs(math.log2(wide / half) - math.log2(falls)) < 0.35


def test_the_loss_is_the_distance_of_neighbours_and_moves_the_student_alone(generator):
    a, b, c = (torch.tensor(v, requires_grad=True) for v in (0.7, 0.9, 0.0))
    x0, eps = torch.randn(2, 3, 2, generator=generator)
    high, low = torch.tensor([2.0, 1.0, 0.5]), torch.tensor([1.0, 0.8, 0.1])
    loss = consistency_distillation_loss(
        lambda x, s: a * x, lambda x, s: b * x, lambda x, s: c * x, x0, eps, high, low, order=1
    )
    # by hand: D = 0, so a step scales x by s'/s, and x = x0 + s eps
    x = x0 + high[:, None] * eps
    expected = ((a * x - b * x * (low / high)[:, None]) ** 2).mean(1)
    torch.testing.assert_close(loss, expected)
    loss.sum().backward()
    assert a.grad is not None
    assert b.grad is c.grad is None  # the cleaner side is the goal, found by the teacher


def test_distances_by_hand():
    a, b = torch.zeros(2, 4), torch.tensor([[3.0, 4.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    torch.testing.assert_close(squared_distance(a, b), torch.tensor([25 / 4, 0.0]))
    c = 0.00054 * 2
    torch.testing.assert_close(huber_distance(a, b), torch.tensor([math.sqrt(25 + c**2) - c, 0.0]))


def test_further_levels_are_reached_by_fresh_noise(generator):
    levels, calls = (8.0, 2.0, 0.2), []
    f = lambda x, s: calls.append(x) or 0 * x
    jumps = list(
        consistency_sample(f, torch.ones(20_000, 1), levels, sigma_min=0.1, generator=generator)
    )
    assert len(jumps) == 3
    for x, level in zip(calls[1:], levels[1:], strict=True):
        std = math.sqrt(level**2 - 0.1**2)  # what f returns has level sigma_min already
        assert abs(float(x.std()) / std - 1) < 5 / math.sqrt(2 * 20_000)


@pytest.mark.parametrize("levels", [(30.0,), (30.0, 0.7)])
def test_exact_jumps_sample_the_data(levels, generator):
    n = 4000
    u = (torch.arange(n) + 0.5) / n
    x_T = exact_flow_1d(LAW, u, 1.0, 30.0)[torch.randperm(n, generator=generator)]
    x = last(consistency_sample(END, x_T, levels, sigma_min=0.02, generator=generator))
    noised = LAW.noised(1.0, 0.02)
    below = torch.special.ndtr((x - noised.means[:, 0]) / noised.stds) @ noised.weights
    gap = (below.sort().values - u).abs().max()  # Kolmogorov-Smirnov
    assert float(gap) < 1.63 / math.sqrt(n)


TWO = torch.ones(2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_flow_loss(END, TWO, TWO, TWO, TWO / 2), "at most t"),
        (lambda: mean_flow_loss(END, TWO, TWO, -TWO, TWO / 2), "r holds"),
        (lambda: mean_flow_loss(END, TWO, TWO, TWO * 0.6, torch.tensor([0.8, 0.5])), "at most t"),
        *(
            (lambda k=k: next(consistency_sample(END, TWO[:, None], k, sigma_min=0.02)), "levels")
            for k in ((), (1.0, 2.0), (1.0, 1.0), (1.0, 0.001))
        ),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_level_below_the_smallest_shows_as_nan():
    c = consistency_precondition(torch.tensor([0.01, 0.02, 0.5]), sigma_data=0.5, sigma_min=0.02)
    assert c.c_skip.isnan().tolist() == c.c_out.isnan().tolist() == [True, False, False]


SMALL = find("digit_edm").but(width=8, n_steps=3, batch_size=8)
FEW = find("digit_consistency").but(n_steps=3, batch_size=8)


def student(row=SMALL):
    return student_of(row.untrained())


def distilled(student, teacher):
    """The run that distils a small teacher into a student of its size."""
    plan = replace(FEW.plan, seed=FEW.seed)
    return distil(student, *FEW.data(), teacher, plan=plan, **FEW.more)


@pytest.fixture
def data():
    return LAW


class Conditioned(nn.Module):
    """A small network on the line that reads the level."""

    def __init__(self):
        super().__init__()
        self.net = MLP(2, 1, width=48, depth=3)

    def forward(self, x, c_noise):
        return self.net(torch.cat([x, c_noise[:, None]], 1))


def perfect(data):
    """A teacher without a fault."""
    return lambda cond: lambda x, sigma: data.denoiser(x, 1.0, sigma)


def normal_average(x, r, t):
    """The mean velocity of the flow to N(0, S^2), whose paths keep x / std(t)."""
    std = lambda t: ((1 - t) ** 2 * S**2 + t**2).sqrt()
    return x * ((1 - std(r) / std(t)) / (t - r))[:, None]


def test_the_exact_mean_velocity_is_where_the_gradient_of_the_loss_vanishes():
    # data and noise by quadrature: x0 = S z_i, eps = z_j, with weights w_i w_j
    z, w = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(40))
    x0, eps = (a.reshape(-1, 1) for a in torch.meshgrid(S * z, z, indexing="ij"))
    weight = (w[:, None] * w).reshape(-1) / w.sum() ** 2
    for r, t in ((0.0, 1.0), (0.2, 0.7)):
        times = (torch.full((1600,), a, dtype=torch.float64) for a in (r, t))
        factor = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        u = lambda x, r, t: factor * normal_average(x, r, t)  # noqa: B023
        loss = (weight * mean_flow_loss(u, x0, eps, *times)).sum()
        assert abs(torch.autograd.grad(loss, factor)[0]) < 1e-8


def test_the_derivative_is_along_the_path_and_the_target_does_not_learn(generator):
    a = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    u = lambda x, r, t: torch.sin(a * x + r[:, None]) * (1 + t[:, None] ** 2)
    x0, eps = torch.randn(2, 5, 2, generator=generator, dtype=torch.float64)
    r, t = torch.rand(2, 5, generator=generator, dtype=torch.float64).sort(0).values
    loss = mean_flow_loss(u, x0, eps, r, t)
    at, h = (lambda t: (1 - t[:, None]) * x0 + t[:, None] * eps), 1e-5
    change = (u(at(t + h), r, t + h) - u(at(t - h), r, t - h)) / (2 * h)
    target = (eps - x0 - (t - r)[:, None] * change).detach()
    expected = ((u(at(t), r, t) - target) ** 2).mean(1)
    torch.testing.assert_close(loss, expected, atol=1e-8, rtol=0)
    slopes = (torch.autograd.grad(value.sum(), a)[0] for value in (loss, expected))
    torch.testing.assert_close(*slopes, atol=1e-7, rtol=0)


@pytest.mark.parametrize("levels", [(20.0,), (20.0, 1.0), (20.0, 3.0, 0.5)])
def test_one_evaluation_for_each_level(levels, generator):
    model = student()
    draw = lambda: model.sample(2, generator=generator, levels=levels)
    assert network_passes(model.edm.net, draw) == len(levels)


def test_it_reads_the_label_and_begins_at_the_first_level():
    model = student()
    last(SMALL.train(model.edm))
    one = lambda **more: model.sample(2, generator=torch.Generator().manual_seed(0), **more)
    assert not torch.equal(one(cond=torch.tensor([1, 2])), one(cond=torch.tensor([1, 3])))
    noise = 5.0 * torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    by_hand = model.function()(noise, torch.full((2,), 5.0))
    torch.testing.assert_close(one(levels=(5.0,)), by_hand.detach())


def test_a_student_starts_as_its_teacher_and_leaves_it_alone():
    teacher, pupil = SMALL.untrained(), student(SMALL.but(seed=99))
    last(SMALL.train(teacher))
    run = distilled(pupil, teacher)
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    torch.testing.assert_close(pupil.edm.state_dict(), before)
    last(run)
    torch.testing.assert_close(teacher.state_dict(), before)
    assert not all(torch.equal(w, before[name]) for name, w in pupil.edm.state_dict().items())
    assert not pupil.training


def pair(data, **more):
    edm = EDM(Conditioned(), event_shape=(1,), sigma_data=0.9)
    student = ConsistencyModel(edm, levels=(10.0,), sigma_min=0.02)
    sigmas = edm_sigmas(18, sigma_min=0.02, sigma_max=10.0)[:-1]
    return Distillation(student, perfect(data), sigmas, distance=squared_distance, **more)


def test_the_goal_is_an_average_of_past_weights_and_gets_no_gradient(data, generator):
    both = pair(data, target_decay=0.5)
    for p in both.student.parameters():
        p.data.add_(1.0)
    both.target.update(both.student)  # the first update keeps a tenth
    then = both.target.average.edm.net.net.net[0].bias
    now = both.student.edm.net.net.net[0].bias
    torch.testing.assert_close(now - then, torch.full_like(now, 0.1))
    both.loss(data.sample(8, generator=generator), generator=generator).backward()
    assert all(p.grad is None for p in both.target.average.parameters())
    trained = {id(p) for p in both.parameters() if p.requires_grad}
    assert trained == {id(p) for p in both.student.parameters()}


def test_the_loss_compares_with_the_average_not_with_the_newest_weights(data, generator):
    both = pair(data, target_decay=0.99)
    x = data.sample(64, generator=generator)
    seeded = lambda: float(both.loss(x, generator=torch.Generator().manual_seed(1)).detach())
    before = seeded()
    for p in both.target.average.parameters():
        p.data.add_(0.3)
    assert abs(seeded() - before) > 1e-6


@pytest.mark.parametrize(
    ("null", "p_drop", "share"), [(7, None, 0.1), (7, 0.4, 0.4), (None, 0.4, 0.0)]
)
def test_a_share_of_the_labels_is_dropped_for_student_and_teacher_alike(null, p_drop, share):
    class Labelled(nn.Linear):
        def forward(self, x, c_noise, label):
            shown.append(label)
            return x

    n, shown = 2000, []
    edm = EDM(Labelled(1, 1), event_shape=(1,), sigma_data=0.9, null=null)
    teacher = lambda cond: shown.append(cond) or (lambda x, sigma: 0 * x)
    more = {} if p_drop is None else {"p_drop": p_drop}
    student = ConsistencyModel(edm, levels=(10.0,), sigma_min=0.02)
    both = Distillation(student, teacher, torch.tensor([2.0, 1.0, 0.5]), **more)
    both.loss(
        torch.ones(n, 1), cond=torch.full((n,), 3), generator=torch.Generator().manual_seed(0)
    )
    assert len(shown) == 3
    for label in shown:
        assert torch.equal(label, shown[0])
        found = (label != 3).double().mean()
        assert abs(found - share) <= 5 * math.sqrt(share * (1 - share) / n)


def test_every_pair_of_neighbours_is_visited(data):
    both, seen = pair(data), []
    both.teacher = lambda cond: lambda x, s: seen.append(s) or 0 * x
    both.loss(data.sample(4000), generator=torch.Generator().manual_seed(0))
    high, low = seen
    assert set(high.tolist()) == set(both.sigmas[:-1].tolist())
    assert set(low.tolist()) == set(both.sigmas[1:].tolist())
    step = dict(zip(both.sigmas.tolist(), both.sigmas[1:].tolist(), strict=False))
    assert all(step[h] == s for h, s in zip(high.tolist(), low.tolist(), strict=True))


@pytest.mark.slow
def test_a_small_network_learns_the_quantile_map(data):
    both = pair(data)
    g = torch.Generator().manual_seed(0)
    x0, n_steps = data.sample(20_000, generator=g), 1200
    run = fit(
        both, minibatches(x0, 256, generator=g), n_steps=n_steps,
        lr=cosine(5e-3, n_steps, warmup=50), generator=g,
        hooks=Hooks(after=lambda _: both.target.update(both.student)),
    )  # fmt: skip
    last(run)
    u = (torch.arange(400) + 0.5) / 400
    x_T, sigma = exact_flow_1d(data, u, 1.0, 10.0), torch.full((400,), 10.0)
    end = exact_consistency_1d(data, x_T, sigma, sigma_min=0.02)
    with torch.no_grad():
        got = both.student.function()(x_T, sigma)
    mean = data.denoiser(x_T, 1.0, sigma)  # one jump of the teacher
    error = lambda a: float((a - end).square().mean().sqrt())
    assert error(got) < 0.15  # W2 to the data: the map on the line is the optimal one
    assert error(got) < 0.2 * error(mean)


def test_both_averages_follow_the_student_in_a_distillation():
    run = distilled(student(), SMALL.untrained())
    last(run)
    parts = run.state_dict()["parts"]
    assert parts["target"]["n_updates"] == parts["average"]["n_updates"] == FEW.plan.n_steps
