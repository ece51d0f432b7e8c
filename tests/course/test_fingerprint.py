"""Hooks count passes, see what is new and which network begins when, and leave no trace."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from genlab.map import ADVERSARIAL, AUTOREGRESSIVE, FLOW, LATENT, SCORE, SYSTEMS
from genlab.zoo import load_model
from genlab_course import fingerprint as eye
from genlab_course.exercises.lesson_15 import _SEEN, placed
from genlab_course.fingerprint import (
    LESSONS,
    ODD_CLAIMS,
    SUBJECTS,
    Fingerprint,
    Stage,
    Subject,
    fingerprint,
    pixelcnn,
    sampling,
    whole,
)


def test_watching_changes_nothing():
    subject = pixelcnn()
    hooks = lambda: sum(len(m._forward_pre_hooks) for m in subject.stages[0].network.modules())
    before = hooks()
    a, b = fingerprint(subject), fingerprint(subject)
    assert a == b
    assert hooks() == before == 0


def test_hooks_are_removed_when_drawing_fails():
    model = OwnPress()

    def fail(n, generator):
        raise RuntimeError("out of ink")

    with pytest.raises(RuntimeError, match="out of ink"):
        fingerprint(Subject("press", (Stage("all", model, (16,), model),), fail))
    assert not any(m._forward_pre_hooks for m in model.modules())


WAYS = {
    "autoregressive": {"sequential"},
    "score / diffusion": {"multi-step", "one-pass", "parallel-refinement"},
}


@pytest.mark.parametrize(("make", "where"), [*LESSONS, *ODD_CLAIMS])
def test_every_model_of_the_lessons_is_placed_right_and_its_sampler_named(make, where):
    seen = fingerprint(make())
    assert seen[0].families[0] == where
    assert sampling(seen) in WAYS.get(where, {"one-pass"})


@pytest.mark.parametrize("make", [make for make, where in LESSONS if where == "autoregressive"])
def test_a_model_that_writes_piece_by_piece_is_seen_to_write_one_piece_a_pass(make):
    subject = make()
    (seen,) = fingerprint(subject)
    n = math.prod(subject.stages[0].event_shape)
    assert seen.passes == n
    assert 0.5 / n < seen.share <= 1 / n  # a pixel drawn as it stood, blank, is not seen to change
    assert seen.growth_with_length == 2


# --- black boxes: no method but `sample`, names that mislead, and one that claims


class Scribe(nn.Module):
    """Calls itself a diffusion model; writes one token after another, with the past in a cache."""

    event_shape = (12,)

    def __init__(self):
        super().__init__()
        self.denoiser = nn.ModuleList([nn.Embedding(7, 4), nn.GRUCell(4, 8), nn.Linear(8, 7)])

    def sample(self, n, *, generator=None):
        embed, cell, head = self.denoiser
        token, state, out = torch.zeros(n, 1, dtype=torch.long), torch.zeros(n, 8), []
        for _ in range(self.event_shape[0]):
            state = cell(embed(token)[:, 0], state)
            token = head(state).softmax(1).multinomial(1, generator=generator)
            out.append(token)
        return torch.cat(out, 1)


class Sculptor(nn.Module):
    """Calls itself a GAN; repaints the whole image in every pass."""

    event_shape = (1, 4, 4)

    def __init__(self, n_steps=5):
        super().__init__()
        self.generator, self.n_steps = nn.Conv2d(1, 1, 3, padding=1), n_steps

    def sample(self, n, *, generator=None):
        x = torch.randn(n, 1, 4, 4, generator=generator)
        for _ in range(self.n_steps):
            x = x - 0.1 * self.generator(x)
        return x


class OwnPress(nn.Module):
    """Calls itself autoregressive; prints the image in one pass."""

    event_shape = (16,)

    def __init__(self):
        super().__init__()
        self.next_token = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 16))

    def sample(self, n, *, generator=None):
        return self.next_token(torch.randn(n, 3, generator=generator))


class Typist(nn.Module):
    """Writes token after token into one and the same tensor, and reads it whole each time."""

    event_shape = (8,)

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 4), nn.Linear(4, 4)

    def sample(self, n, *, generator=None):
        page = torch.zeros(n, 8, dtype=torch.long)
        for i in range(8):
            law = self.head(self.embed(page).mean(1)).softmax(1)
            page[:, i] = 1 + law.multinomial(1, generator=generator)[:, 0]
        return page


def test_four_black_boxes_are_placed_by_what_they_do():
    (scribe,) = fingerprint(whole("diffusion", Scribe()))
    assert (scribe.passes, scribe.share) == (12, pytest.approx(1 / 12))
    assert scribe.families == (AUTOREGRESSIVE, FLOW)  # a masked autoregressive flow does the same
    (sculptor,) = fingerprint(
        whole("gan", Sculptor(), more_steps=lambda: whole("gan", Sculptor(10)))
    )
    assert (sculptor.passes, sculptor.share, sculptor.growth_with_steps) == (5, 1.0, 2.0)
    assert sculptor.families == ("score / diffusion",)
    (typist,) = fingerprint(whole("typist", Typist()))
    assert (typist.share, typist.families) == (pytest.approx(1 / 8), (AUTOREGRESSIVE, FLOW))
    (press,) = fingerprint(whole("autoregressive", OwnPress()))
    assert press.production == "one pass"
    assert press.families == (ADVERSARIAL, SCORE)  # a student with one step does the same


def in_turn(*models):
    """Models that work one after the other; watched in the reverse order, which must not matter."""

    def draw(n, generator):
        for model in models:
            model.sample(n, generator=generator)

    stages = (Stage(type(m).__name__, m, m.event_shape, m) for m in reversed(models))
    return Subject("both", tuple(stages), draw)


def test_the_order_of_the_stages_is_seen_and_makes_two_stages_of_them():
    denoiser, writer = fingerprint(in_turn(Scribe(), Sculptor()))
    assert denoiser.families == ("score / diffusion",)
    assert writer.families[0] == AUTOREGRESSIVE
    assert (denoiser.after, writer.after) == (("Scribe",), ())
    assert sampling((denoiser, writer)) == "two-stage"
    assert sampling((denoiser,)) == "two-stage"  # alone, it still came after another
    assert sampling(fingerprint(in_turn(OwnPress(), Sculptor()))) == "two-stage"
    assert (
        sampling(fingerprint(in_turn(OwnPress(), OwnPress()))) == "one-pass"
    )  # a pipe, not a loop


@pytest.mark.parametrize(
    ("production", "way"),
    [
        ((1, math.nan, 1.0), "one-pass"),
        ((1, math.nan, 2.0), "one-pass"),  # a distilled model asked for one step
        ((64, 1 / 64, None), "sequential"),
        ((8, 0.12, 2.0), "parallel-refinement"),  # several tokens a pass, as many as one likes
        ((50, 1.0, 2.0), "multi-step"),
    ],
)
def test_the_table_of_samplers(production, way):
    passes, share, growth = production
    assert sampling((Fingerprint("net", passes, share, None, growth, "none"),)) == way


@pytest.mark.parametrize("seen", _SEEN)
def test_the_function_of_lesson_15_answers_the_usual_family_of_a_fingerprint(seen):
    passes, share, follows, kind = seen
    stage = Fingerprint("net", passes, share, None, 2.0 if follows else 1.0, kind)
    assert stage.families[0].startswith(placed(*seen))


def test_a_vae_and_a_flow_of_whole_pixels_look_alike():
    for make in (eye.vae, lambda: whole("digit_flow")):
        assert fingerprint(make())[0].families == (LATENT, FLOW)


@pytest.fixture(autouse=True)
def single_precision():
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(torch.float64)


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_placed_where_the_map_puts_it(name):
    placed = {f.families[0] for f in fingerprint(SUBJECTS[name]())}
    assert placed == set(SYSTEMS[name][1])


@pytest.mark.parametrize(
    ("name", "way", "kinds"),
    [
        ("language_model", "sequential", {"exact"}),
        ("latent_diffusion", "two-stage", {"none", "bound"}),
        ("glide", "two-stage", {"none"}),
        ("stylegan", "one-pass", {"none"}),
        ("text_to_video", "multi-step", {"none"}),
        ("language_and_image", "two-stage", {"exact", "none"}),
        ("flow_density_estimator", "one-pass", {"exact"}),
    ],
)
def test_the_sampler_of_the_whole_and_the_likelihoods_of_its_stages_are_seen(name, way, kinds):
    seen = fingerprint(SUBJECTS[name]())
    assert (sampling(seen), {f.kind for f in seen}) == (way, kinds)


class Guided(nn.Module):
    """A denoiser that is asked for two predictions a step, in one call or in two."""

    event_shape = (4,)

    def __init__(self, *, batched):
        super().__init__()
        self.layer, self.time, self.batched = nn.Linear(4, 4), nn.Linear(1, 4), batched

    def step(self, x):
        return self.layer(x) + self.time(torch.zeros(len(x), 1))

    def sample(self, n, *, generator=None):
        x = torch.randn(n, 4, generator=generator)
        for _ in range(5):
            x = self.step(torch.cat([x, x]))[:n] if self.batched else self.step(self.step(x))
        return x


@pytest.mark.parametrize(("batched", "passes"), [(True, 5), (False, 10)])
def test_evaluations_are_the_work_and_passes_the_wait(batched, passes):
    (found,) = fingerprint(whole("guided", Guided(batched=batched)), n=3)
    assert (found.passes, found.evaluations) == (passes, 10)


def test_a_fingerprint_can_be_fooled_where_it_believes_what_is_declared():
    gan = load_model("digit_gan")

    def with_dial(n_steps=2):
        def draw(n, g):
            return [gan.sample(n, generator=g) for _ in range(n_steps)][-1]

        stages = (Stage("model", gan, gan.event_shape, gan),)
        return Subject("dummy", stages, draw, more_steps=lambda: with_dial(2 * n_steps))

    without = dataclasses.replace(eye.consistency(), more_steps=None)
    assert fingerprint(with_dial())[0].families == (SCORE,)
    assert fingerprint(without)[0].families == (ADVERSARIAL, SCORE)
