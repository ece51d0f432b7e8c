"""Lesson 04: right answers in other idioms, slips that come first to mind, and its pictures."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from torch.distributions import Independent, Normal

from genlab.data.toys import Moons
from genlab.flow import Affine, coupling_flow, dense_log_det
from genlab.zoo import load_model
from genlab_course.exercises.lesson_04 import block, coupling, log_prob, sweeps
from genlab_course.figures import lesson_04
from genlab_course.grading import assess, find_exercise


@pytest.fixture
def shipped():
    return load_model("moons_flow")


def test_the_learners_density_of_a_stack_is_that_of_genlabs_flow(shipped):
    x = Moons().sample(50, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        assert torch.allclose(log_prob(x, shipped.layers), shipped.log_prob(x), atol=1e-4)


def test_the_learners_coupling_and_block_have_the_determinant_of_autograd():
    a = torch.randn(6, 4, generator=torch.Generator().manual_seed(1)).double()
    stays = torch.tensor([True, False, True, False])
    half = lambda x: (x.sin(), x.cos())
    moved, log_det = coupling(a, half, "sample", stays)
    jacobian = dense_log_det(lambda z: coupling(z, half, "sample", stays)[0], a)
    assert torch.allclose(log_det, jacobian)
    assert torch.allclose(coupling(moved, half, "score", stays)[0], a)
    causal = lambda x: (x.cumsum(1).roll(1, 1).mul(torch.arange(4).clamp(max=1)).tanh(), 0 * x)
    drawn, log_det = block(a, causal, "sample")
    assert torch.equal(sweeps(a, causal, 4), drawn)
    scored = dense_log_det(lambda x: block(x, causal, "score")[0], drawn)
    assert torch.allclose(-log_det, scored)


def stacked_with_torchs_normal(x, layers):
    total = 0
    for k in range(len(layers) - 1, -1, -1):
        x, step = layers[k].inverse(x)
        total += step
    return Normal(0.0, 1.0).log_prob(x).sum(-1) + total


def coupled_side_by_side(a, net, way, stays):
    s, t = net(a[:, stays])
    sign = 1 if way == "sample" else -1
    moves = a[:, ~stays]
    moved = torch.exp(s) * moves + t if sign == 1 else (moves - t) / torch.exp(s)
    b = torch.empty_like(a)
    b[:, stays], b[:, ~stays] = a[:, stays], moved
    return b, sign * s.sum(dim=-1)


def block_column_by_column(a, net, way):
    if way == "score":
        s, t = net(a)
        return (a - t) / s.exp(), -s.sum(-1)
    x = torch.zeros(a.shape, dtype=a.dtype)
    log_det = torch.zeros(len(a), dtype=a.dtype)
    for i in range(a.shape[1]):
        s, t = net(x.clone())
        x[:, i] = t[:, i] + a[:, i] * s[:, i].exp()
        log_det += s[:, i]
    return x, log_det


def coupling_in_place(a, net, way, stays):
    s, t = net(a[:, stays])
    if way == "sample":
        a[:, ~stays] = s.exp() * a[:, ~stays] + t
        return a, s.sum(1)
    a[:, ~stays] = (a[:, ~stays] - t) * (-s).exp()
    return a, -s.sum(1)


def coupling_that_always_samples(a, net, way, stays):
    return coupling(a, net, "sample", stays)


def a_as_variance(x, a, b):
    return Normal(b, math.sqrt(abs(a))).log_prob(torch.tensor(x)).item()


def stacked_without_a_start(x, layers):
    dets = []
    for layer in reversed(layers):
        x, det = layer.inverse(x)
        dets += [det]
    return Normal(0.0, 1.0).log_prob(x).sum(1) + torch.stack(dets).sum(0)


def with_steps_summed(x, layers):
    total = 0.0
    for layer in reversed(layers):
        x, det = layer.inverse(x)
        total += det.sum()
    return Normal(0.0, 1.0).log_prob(x).sum(1) + total


def with_one_base(x, layers):
    total = 0.0
    for layer in reversed(layers):
        x, det = layer.inverse(x)
        total += det
    return Normal(0.0, 1.0).log_prob(x).sum() + total


def coupling_that_shifts_first(a, net, way, stays):
    s, t = net(a[:, stays])
    b = a.clone()
    b[:, ~stays] = (b[:, ~stays] + t) * s.exp() if way == "sample" else b[:, ~stays] / s.exp() - t
    return b, s.sum(1) if way == "sample" else -s.sum(1)


def block_in_single_precision(a, net, way):
    if way == "score":
        return block(a, net, way)
    x = torch.zeros(a.shape, dtype=torch.float32)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
    return x, s.sum(1)


def block_of_zeros(a, net, way):
    if way == "score":
        return block(a, net, way)
    x = torch.zeros_like(a)
    for i in range(a.shape[1]):
        s, t = net(x)
        x[:, i] = torch.exp(s[:, i]) * x[:, i] + t[:, i]
    return x, s.sum(1)


def sweeps_in_single_precision(z, net, n):
    x = torch.zeros(z.shape, dtype=torch.float32)
    for _ in range(n):
        s, t = net(x)
        x = s.exp() * z + t
    return x


def sweeps_that_ask_once(z, net, n):
    s, t = net(torch.zeros_like(z))
    for _ in range(n):
        x = s.exp() * z + t
    return x


def constant_in_bits(log_prob, x, u, levels):
    d = x.shape[1]
    return (d * math.log2(levels) - log_prob((x + u) / levels)).mean() / d / math.log(2)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("stack", stacked_with_torchs_normal),
        ("coupling", coupled_side_by_side),
        ("block", block_column_by_column),
    ],
)
def test_an_answer_in_another_idiom_is_right(name, answer):
    assert assess(find_exercise(f"04.{name}"), answer) == "right"


@pytest.mark.parametrize(
    ("name", "answer", "says"),
    [
        ("stretch", lambda x, a, b: -0.5 * ((x - b) / a) ** 2 - math.log(abs(a)), "constant"),
        ("coupling", coupling_in_place, "work on a copy"),
        ("coupling", coupling_that_always_samples, "both ways do the same"),
        ("coupling", coupling_that_shifts_first, "you shift, then scale"),
        ("stretch", a_as_variance, "variance"),
        ("stack", stacked_without_a_start, "may be empty"),
        ("stack", with_steps_summed, "log-determinants over the points"),
        ("stack", with_one_base, "log-densities over the points"),
        ("block", block_in_single_precision, "zeros_like"),
        ("block", block_of_zeros, "still zero"),
        ("sweeps", sweeps_in_single_precision, "zeros_like"),
        ("sweeps", sweeps_that_ask_once, "ask it again"),
        ("sweeps", lambda z, net, n: sweeps(z, net, n - 1), "one sweep too few"),
        ("whole-numbers", constant_in_bits, "in bits already"),
        ("whole-numbers", lambda p, x, u, n: -p(x / n).mean() / x.shape[1], "not yet"),
    ],
)
def test_a_slip_that_comes_first_to_mind_is_named(name, answer, says):
    assert says in assess(find_exercise(f"04.{name}"), answer)


def test_the_pictures_of_the_lesson_can_be_drawn():
    still = lambda points, walked: (points, torch.zeros(len(points)))
    assert len(lesson_04.grid_frame(still, 0.5).axes) == 1
    assert len(lesson_04.slivers().axes) == 3
    layers = coupling_flow(2, Affine(), n_layers=4, width=8).layers
    assert "4 layers" in lesson_04.learned_grid(layers, Moons()).axes[2].get_title()
    digits = torch.rand(10, 64) * 16
    wall = lesson_04.sweep_wall({1: digits, 2: digits}, digits, {1: 0.5, 2: 0.1})
    assert "2 sweeps: 10% wrong" in [text.get_text() for text in wall.axes[1].texts]
    x = torch.randn(200, 2)
    assert len(lesson_04.bridge(x).axes) == 1
    density = Independent(Normal(torch.zeros(2), 1.0), 1).log_prob(x).exp()
    left, right, _ = lesson_04.spike({"a": (x, density), "b": (x, density)}).axes
    assert left.get_title() == "a"
    assert math.isclose(float(density.max()), 0.159, abs_tol=0.02)
    assert right.texts
    plt.close("all")


def test_a_stack_that_would_stop_the_notebook_is_told_so():
    def needs_layers(x, layers):
        dets = []
        for layer in reversed(layers):
            x, step = layer.inverse(x)
            dets.append(step)
        return Normal(0.0, 1.0).log_prob(x).sum(1) + torch.stack(dets).sum(0)

    def cannot_train(x, layers):
        return log_prob(x, layers).detach()

    def zero_without_layers(x, layers):
        return log_prob(x, layers) if len(layers) else torch.zeros(len(x))

    answers = (needs_layers, cannot_train, zero_without_layers)
    said = [assess(find_exercise("04.stack"), f) for f in answers]
    assert all(words.startswith("not yet") for words in said), said
    assert "gradient" in said[1], said
    assert "without layers" in said[2], said


def test_a_block_that_writes_over_its_z_is_told_so():
    def in_place(a, net, way):
        if way == "score":
            return block(a, net, way)
        x = torch.zeros_like(a)
        for i in range(a.shape[1]):
            s, t = net(x)
            x[:, i] = s[:, i].exp() * a[:, i] + t[:, i]
        return a.copy_(x), s.sum(1)

    assert "wrote over z" in assess(find_exercise("04.block"), in_place)


def test_rows_of_digits_carry_their_names():
    figure = lesson_04.drawn({"a": torch.zeros(10, 64), "b": torch.full((12, 64), 16)})
    assert [ax.texts[0].get_text() for ax in figure.axes] == ["a", "b"]
    assert (figure.axes[1].images[0].get_array() == 1).all()
