"""A figure as SVG: words, colours, ids, bytes."""

import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

import genlab_course as course
from genlab_course import figures
from genlab_course.figures import vector

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def shown(monkeypatch):
    """What `course.show` displays, as bundles."""
    bundles = []
    monkeypatch.setattr(figures, "display", lambda data, **_: bundles.append(data))
    return bundles


def plot(n=20):
    """A figure with marks, lines, an image, a formula and words of two lines."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(6, 3), layout="constrained")
    left.plot(np.arange(n), np.sin(np.arange(n)), "o-", color=figures.RED, clip_on=True)
    left.fill_between([0, 5], [0, 1], color=figures.SKY, alpha=0.3)
    left.set(xlabel=r"step $x_{t-1}$", ylabel="loss (nats)", title="A sentence to leave with")
    left.text(4, 0, "first\nsecond", ha="right", color="#555555")
    right.imshow(np.arange(16).reshape(4, 4), cmap="gray", interpolation="nearest")
    return figure


def drawn(shown, figure, alt="a wave and a picture"):
    course.show(figure, alt)
    return shown[-1][vector.MIME]


def test_the_words_of_a_figure_are_words(shown):
    tree = ElementTree.fromstring(drawn(shown, plot()))
    words = {"".join(text.itertext()) for text in tree.iter(f"{SVG}text")}
    assert {"A sentence to leave with", "loss (nats)", "first", "second", "step xt−1"} <= words
    assert tree.get("aria-label") == "a wave and a picture"
    sides = {"".join(t.itertext()): t.get("text-anchor") for t in tree.iter(f"{SVG}text")}
    assert (sides["first"], sides["loss (nats)"]) == ("end", "middle")  # in narrower letters, too


def test_each_colour_of_a_figure_is_a_variable_with_that_colour_beside_it(shown):
    text = drawn(shown, plot())
    bare = re.sub(r"base64,[^\"]*|var\(--[\w-]+, #[0-9a-f]{6}\)", "", text)
    assert not re.search(r"#[0-9a-f]{3,8}\b|rgb|black|white", bare)
    assert {"var(--red, #d55e00)", "var(--paper, #ffffff)", "var(--ink, #000000)",
            "var(--c-555555, #555555)"} <= set(re.findall(r"var\([^)]*\)", text))  # fmt: skip


def test_the_same_figure_is_the_same_bytes_and_two_share_no_id(shown):
    first, again, other = (drawn(shown, plot(n)) for n in (20, 20, 30))
    assert first == again
    ids = [re.findall(r' id="([^"]+)"', text) for text in (first, other)]
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])
    for text, own in zip((first, other), ids, strict=True):
        assert len(own) == len(set(own))
        assert set(re.findall(r'(?:url\(|href=")#([^")]+)', text)) == set(own)


def test_an_image_in_a_figure_keeps_its_values_as_squares(shown):
    tree = ElementTree.fromstring(drawn(shown, plot()))
    (image,) = tree.iter(f"{SVG}image")
    assert (image.get("width"), image.get("height")) == ("4", "4")  # not drawn larger
    assert "pixelated" in image.get("style")


def test_a_figure_of_very_many_marks_stays_a_picture_alone(shown):
    figure, ax = plt.subplots()
    ax.scatter(*np.random.default_rng(0).normal(size=(2, 5000)))
    course.show(figure, "a cloud")
    assert set(shown[-1]) == {"image/png", "text/plain"}


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        (r"$q(x_t\mid x_{t-1})$ adds noise", "q(xt | xt−1) adds noise"),
        (r"$\mathdefault{10^{-2}}$", "10−2"),
        (r"$1-\varepsilon$", "1 − ε"),
        (r"$-a + a^2/2$", "−a + a2/2"),
        (r"$\bar\alpha_t$", "α\u0304t"),
        (r"$\mathcal{N}(0,I)$", "𝒩(0,I)"),
        (r"it costs \$5", "it costs $5"),
    ],
)
def test_a_formula_flows_as_the_letters_that_one_would_write(text, letters):
    assert "".join(run[0] for run in vector.flowing(text)) == letters


def test_the_letters_of_a_formula_lean_and_its_indices_stand_lower_and_smaller():
    (x, leans, *_), (t, _, size, height), *_ = vector.flowing("$x_t = 1$")
    assert (x, leans, t) == ("x", True, "t")
    assert size < 0.8
    assert height < 0
    assert vector.flowing(r"$\frac{1}{2}$") is None  # it is drawn
