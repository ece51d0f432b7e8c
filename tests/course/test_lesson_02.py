"""The worked solutions that drive lesson 02 do what genlab does."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot, pad

from genlab.autoregressive.decoding import generate_naive
from genlab.autoregressive.likelihood import sequence_log_prob
from genlab.core import last
from genlab.nn.attention import attention, causal_mask
from genlab_course.figures import lesson_02
from genlab_course.grading import assess, find_exercise


def right(name):
    return find_exercise(f"02.{name}").right


def test_the_loss_and_the_mask_are_genlabs():
    logits, x = torch.randn(3, 5, 7), torch.randint(7, (3, 5))
    want = -sequence_log_prob(logits, x).mean() / 5
    torch.testing.assert_close(right("loss")(logits, x), want)
    assert torch.equal(right("causal-mask")(6) > 0, causal_mask(6, 6))


def test_attention_is_genlabs_and_its_gradient_too():
    q, k, v = torch.randn(3, 2, 4, 6, 8).double().requires_grad_()
    mask = causal_mask(6, 6)
    by_both = [f(q, k, v, mask) for f in (right("read"), attention)]
    torch.testing.assert_close(*by_both)
    slopes = [torch.autograd.grad(out.square().sum(), (q, k, v)) for out in by_both]
    torch.testing.assert_close(*slopes)


def test_the_sampler_is_genlabs_on_a_model_that_is_certain():
    def after(tokens):  # each token is the one before it plus its place, modulo 3
        return 50.0 * one_hot((tokens + torch.arange(tokens.shape[1])) % 3, 3)

    def network(x):
        return after(pad(x[:, :-1], (1, 0), value=2))

    x, g = torch.zeros(2, 7, dtype=torch.int64), torch.Generator().manual_seed(1)
    by_genlab = last(generate_naive(after, torch.full((2, 1), 2), 7, generator=g))[:, 1:]
    assert torch.equal(right("sampler")(network, x, 0, g), by_genlab)


def test_a_loss_in_the_idiom_of_cross_entropy_is_right():
    def mine(logits, x):
        return cross_entropy(logits.flatten(0, 1), x.flatten())

    assert assess(find_exercise("02.loss"), mine) == "right"


def test_a_sampler_that_hands_over_a_prefix_is_told_to_hand_over_everything():
    def by_prefix(network, x, start, generator):
        for i in range(start, x.shape[1]):
            probs = network(x[:, :i])[:, -1].softmax(-1)
            x[:, i] = torch.multinomial(probs, 1, generator=generator)[:, 0]
        return x

    assert "hand it all of x" in assess(find_exercise("02.sampler"), by_prefix)


def test_a_row_whose_lower_halves_were_drawn_is_marked():
    digits = torch.randint(17, (10, 64))
    axes = lesson_02.walls({"a": digits, "b": digits}, half=1).axes
    assert [len(ax.lines) for ax in axes] == [0, 1]
    plt.close("all")


def test_each_picture_of_the_lesson_has_its_message():
    digits = torch.randint(17, (20, 64))
    assert lesson_02.sheet(digits, 5).shape == (17, 89, 3)
    figure = lesson_02.walls({"a": digits[:10], "b": digits[10:]}, "Two rows")
    assert [text.get_text() for ax in figure.axes for text in ax.texts] == ["a", "b"]
    v = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    k = torch.tensor([[0.0, 0.0], [0.0, math.log(2)], [0.0, math.log(7)]]) * math.sqrt(2)
    figure = lesson_02.draw_query(torch.tensor([0.0, 1.0]), k, v, ("begin", "B", "A"))
    written = [text.get_text() for text in figure.axes[1].texts]
    assert written == ["0.1", "0.2", "0.7"]  # 1 : 2 : 7
    assert "never left" in lesson_02.draw_block().axes[0].get_title()
    found = {"one": torch.ones(64, 64).tril(-1) > 0, "two": torch.ones(64, 64) > 0}
    orange = [int((ax.images[0].get_array() == 2).sum()) for ax in lesson_02.draw_leaks(found).axes]
    assert orange == [0, 64 * 65 // 2, 0, 55]
    bars = lesson_02.draw_bits([3.0] * 30, {"a": 2.4, "b": 1.9}).axes[1]
    assert [text.get_text() for text in bars.texts] == ["2.40", "1.90"]
    curves = {"written": torch.ones(4), "predicted": torch.ones(4)}
    assert len(lesson_02.draw_compounding(curves).axes[0].lines) == 2
    plt.close("all")


def test_each_pixel_shows_its_surprise_and_a_row_its_mean():
    bits = torch.zeros(3, 64)
    bits[0, 9] = 6.4  # second row, second column of the first digit
    figure = lesson_02.surprises(torch.zeros(3, 64), {"a": bits, "b": torch.ones(3, 64)})
    shown = figure.axes[1].images[0].get_array()
    assert shown.shape == (8, 26)
    assert shown[1, 1] == pytest.approx(6.4)
    assert [ax.texts[0].get_text() for ax in figure.axes[1:3]] == [
        "a:\n0.0 bits a pixel", "b:\n1.0 bits a pixel"]  # fmt: skip
