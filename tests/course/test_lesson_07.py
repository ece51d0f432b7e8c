"""Lesson 07: what its exercises accept and name, its pictures, its measure of coverage."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from genlab_course.exercises import lesson_07 as bank
from genlab_course.figures import lesson_07
from genlab_course.grading import assess, find_exercise


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def said(name, answer):
    return assess(find_exercise(f"07.{name}"), answer)


def round_with_backward_of_inputs(G, D, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    with torch.no_grad():
        fake = G(z)
    opt_d.zero_grad(set_to_none=False)
    loss_d = d_loss(D, x, fake)
    loss_d.backward()
    opt_d.step()
    opt_g.zero_grad()
    loss_g = g_loss(D, x, G(z_new))
    loss_g.backward(inputs=list(G.parameters()))
    opt_g.step()
    return loss_d.item(), loss_g.item()


def round_that_holds_the_discriminator(G, D, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d = d_loss(D, x, G(z).detach())
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    D.requires_grad_(False)
    loss_g = g_loss(D, x, G(z_new))
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    D.requires_grad_(True)
    return [loss_d.item(), loss_g.item()]


def r1_by_func(discriminator, x, gamma):
    def logit(one):
        return discriminator(one[None]).squeeze()

    slope = torch.func.vmap(torch.func.grad(logit))(x)
    return 0.5 * gamma * (slope**2).sum(tuple(range(1, x.ndim))).mean()


RIGHT = [
    ("best-discriminator", lambda p, q: np.asarray(p) / (np.asarray(p) + np.asarray(q))),
    ("best-discriminator", lambda p, q: torch.sigmoid(p.log() - q.log())),
    ("slopes", lambda d: [-d, d - 1]),
    ("losses", lambda r, f: (
        -(F.logsigmoid(r) + F.logsigmoid(-f)).mean(), -F.logsigmoid(f).mean())),
    ("losses", lambda r, f: (
        F.binary_cross_entropy_with_logits(r, torch.ones_like(r))
        + F.binary_cross_entropy_with_logits(f, torch.zeros_like(f)),
        F.binary_cross_entropy_with_logits(f, torch.ones_like(f)))),
    ("round", round_with_backward_of_inputs),
    ("round", round_that_holds_the_discriminator),
    ("r1", r1_by_func),
    ("coverage", lambda x, c, std: sum(
        bool(((x - one).norm(dim=1) < 3 * std).float().mean() >= 0.01) for one in c)),
    ("relativistic", lambda r, f: (-F.logsigmoid(r - f).mean(), -F.logsigmoid(f - r).mean())),
    ("pearson", lambda t: t * (1 + t / 2) - (t / 2) ** 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer"), RIGHT)
def test_a_right_answer_is_accepted_in_several_idioms(name, answer):
    assert said(name, answer) == "right"


def round_without_a_step(G, D, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    return d_loss(D, x, G(z)).item(), g_loss(D, x, G(z_new)).item()


def round_with_stale_logits(G, D, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    loss_d, loss_g = d_loss(D, x, G(z).detach()), g_loss(D, x, G(z_new))
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_d.item(), loss_g.item()


def round_that_returns_tensors(*given):
    losses = []
    G, D, opt_g, opt_d, x, z, z_new, d_loss, g_loss = given
    for opt, loss, noise in ((opt_d, d_loss, z), (opt_g, g_loss, z_new)):
        fake = G(noise).detach() if opt is opt_d else G(noise)
        losses.append(loss(D, x, fake))
        opt.zero_grad()
        losses[-1].backward()
        opt.step()
    return losses


WRONG = [
    ("round", bank.not_detached, "detach the fakes"),
    ("round", round_without_a_step, "neither network has moved"),
    ("round", round_with_stale_logits, "call it again"),
    ("round", round_that_returns_tensors, ".item()"),
    ("round", lambda *given: bank.game_round(*given) and None, "return the two losses"),
    ("r1", bank.graph_not_kept, "create_graph=True"),
    ("r1", lambda D, x, gamma: bank.r1(D, x, gamma).item(), "not a number"),
    ("r1", lambda D, x, gamma: 3 * bank.r1(D, x, gamma), "3, 3 times (10)"),
    ("losses", lambda r, f: (-(torch.sigmoid(r) + 1e-8).log().mean()
                             - (1 - torch.sigmoid(f) + 1e-8).log().mean(),
                             -(torch.sigmoid(f) + 1e-8).log().mean()), "not yet"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "answer", "says"), WRONG)
def test_a_wrong_answer_that_comes_first_to_mind_is_told_so(name, answer, says):
    assert says in said(name, answer)


def test_every_named_mistake_gets_its_own_sentence():
    for task in bank.EXERCISES:
        for mistake in task.mistakes:
            assert assess(task, mistake.wrong) == f"not yet: {mistake.says}", mistake


def test_the_measure_sees_a_blob_and_the_colleagues_does_not():
    angle = 2 * math.pi * torch.arange(8) / 8
    centres = 1.5 * torch.stack([angle.cos(), angle.sin()], 1)
    far = centres.repeat(50, 1) * 1.5  # 0.75 outside of each centre, five standard deviations
    assert bank.coverage(far, centres, 0.15) == 0
    assert bank.counted_every_sample(far, centres, 0.15) == 8


def test_the_ground_shows_the_discriminators_opinion_where_it_is():
    rightwards = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Flatten(0))
    nn.init.constant_(rightwards[0].weight, 0.0)
    rightwards[0].weight.data[0, 0] = 5.0  # real to the right, fake to the left
    seen = lesson_07.look(nn.Identity(), rightwards, torch.zeros(3, 2))
    assert seen.opinion[:, 0].max() < 0.01
    assert seen.opinion[:, -1].min() > 0.99
    torch.testing.assert_close(seen.opinion[0], seen.opinion[-1])


def test_the_pictures_have_the_panels_that_their_words_name():
    means = torch.eye(2)
    seen = lesson_07.Look(torch.randn(5, 2), torch.rand(40, 40))
    frames = list(lesson_07.game({"a": {1: seen, 2: seen}, "b": {1: seen, 2: seen}}, means))
    assert [len(frame.axes) for frame in frames] == [2, 2]
    assert len(lesson_07.stills({1: seen, 2: seen, 3: seen}, means, "three").axes) == 3
    line = torch.linspace(-5, 9, 15)
    p = torch.rand(15)
    assert len(lesson_07.duel(line, {"near": (p, p, p), "far": (p, p, p)}).axes) == 4
    assert len(lesson_07.ratio(line, p, p, line[:3]).axes) == 1
    assert len(lesson_07.machine().axes) == 2
    assert len(lesson_07.players(torch.randn(9, 2), torch.randn(9, 2)).axes) == 1
    assert (
        len(lesson_07.digits({"x": torch.rand(4, 1, 8, 8), "y": torch.rand(4, 1, 8, 8)}).axes) == 2
    )
    assert len(lesson_07.flat(torch.rand(60), {1: 5.0, 60: 1.0}, 0.1).axes) == 3


def test_a_loss_that_comes_ten_times_nearer_to_log_4_is_seen_to_do_so():
    gap = torch.tensor([0.1, 0.01]).repeat_interleave(300)
    figure = lesson_07.flat(math.log(4) - gap, {1: 5.0, 600: 1.0}, 0.1)
    seen = [ax.lines[0].get_ydata() for ax in figure.axes if ax.get_yscale() == "log"]
    assert any(abs(line[0] / line[-1] - 10) < 1e-3 for line in seen)
