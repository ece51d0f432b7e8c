"""The recipe: averaged weights, the penalty's turn, and figures that know which side is which."""

import dataclasses

import pytest
import torch
from torch import Generator

from genlab.core.tensors import last
from genlab.data.captions import load_captioned
from genlab.train.fit import EMA
from genlab.zoo import stylegan_models
from genlab.zoo.stylegan_models import (
    TRAININGS,
    Recipe,
    _measure,
    drawn_at,
    pictures,
    realism,
    style_gan,
    train_style_gan,
)

SMALL = Recipe(
    d_latent=4, d_style=4, n_mapping=1, channels=(3, 3, 3), critic_channels=(3, 3, 3),
    critic_width=4, n_steps=5, batch_size=4, interval=3,
)  # fmt: skip


@pytest.fixture
def x(generator):
    return torch.randn(20, 1, 16, 16, generator=generator)


def test_a_model_is_the_same_every_time_and_leaves_the_global_noise_alone():
    before = torch.get_rng_state()
    first, second = (style_gan(SMALL).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_is_sampled_after_training_is_the_average(x):
    """Second route: the same run, its averages kept by hand."""
    gan = style_gan(SMALL)
    last(train_style_gan(gan, x, SMALL))
    again = style_gan(SMALL)
    by_hand = EMA(again.generator_net, SMALL.decay)
    run = train_style_gan(again, x, SMALL)
    for _ in range(SMALL.n_steps):
        next(run)
        by_hand.update(again.generator_net)
    average = by_hand.average.state_dict()
    for name, found in gan.generator_net.state_dict().items():
        if name != "mean_style":
            torch.testing.assert_close(found, average[name], msg=name)
    centre = gan.styles(10_000, Generator().manual_seed(SMALL.seed)).mean(0)
    torch.testing.assert_close(gan.generator_net.mean_style, centre)


def test_the_penalty_is_paid_in_every_third_step(x):
    gan, paid = style_gan(SMALL), []
    penalty = gan.penalty
    gan.penalty = lambda x: paid.append(run.step) or penalty(x)
    run = train_style_gan(gan, x, SMALL)
    list(run)
    assert paid == [0, 3]


def test_the_rates_are_held_and_fall_in_the_last_steps(x, monkeypatch):
    seen, fit = {}, stylegan_models.fit_adversarial
    monkeypatch.setattr(
        stylegan_models, "fit_adversarial", lambda *a, **b: seen.update(b) or fit(*a, **b)
    )
    recipe = dataclasses.replace(SMALL, n_steps=100, n_fall=40, lr=(0.3, 0.1))
    train_style_gan(style_gan(recipe), x, recipe)
    critic, painter = seen["lr"]
    assert [critic(0), critic(60), painter(0), painter(60)] == [0.3, 0.3, 0.1, 0.1]
    assert [critic(80), painter(80)] == pytest.approx([0.15, 0.05])
    assert [critic(100), painter(100)] == pytest.approx([0, 0])


def test_training_moves_both_players(x):
    gan, before = style_gan(SMALL), style_gan(SMALL).state_dict()
    last(train_style_gan(gan, x, SMALL))
    after = gan.state_dict()
    for name in ("critic.head.weight", "generator_net.constant", "generator_net.map.0.weight"):
        assert not torch.equal(before[name], after[name])


def test_no_generator_has_seen_the_judges_digits_nor_the_held_out():
    seen = {row.numpy().tobytes() for row in pictures().flatten(1)}
    for part in ("judge", "test"):
        others = [row.numpy().tobytes() for row in pictures(part).flatten(1)]
        assert sum(row in seen for row in others) == 0


def test_pictures_fill_the_range_of_the_model():
    x = pictures("test")
    assert (x.min(), x.max()) == (-1, pytest.approx(1, abs=0.02))


def test_copies_of_one_digit_are_precise_and_reach_nothing():
    digit = load_captioned("test", 16).grey[:1].expand(200, -1, -1)
    found = realism(digit)
    assert found.precision == 1
    assert found.recall <= 1e-3


def test_real_digits_set_the_ceiling():
    found = realism(load_captioned("judge", 16).grey[:1000])
    assert found.precision == pytest.approx(0.86, abs=0.03)
    assert found.recall == pytest.approx(0.85, abs=0.03)


def test_samples_at_truncation_zero_are_one_picture():
    gan = style_gan(SMALL)  # its noise is switched off, its mean style is zero
    x = drawn_at(gan, 0.0, 3)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, x[:1].expand(3, -1, -1))


def test_a_card_states_the_ceiling_beside_the_figures():
    found = _measure(style_gan(SMALL), 50)
    assert found["kind"] == "none"
    assert found["precision"] <= found["real_precision"]
    assert {"recall", "recall_at_0.7", "recall_at_0.4"} < found.keys()


def test_the_training_is_listed_with_its_recipe():
    (training,) = TRAININGS
    assert training.name == "stylegan"
    assert dataclasses.asdict(training.settings) == dataclasses.asdict(Recipe())
    assert len(training.digest()) == 16
