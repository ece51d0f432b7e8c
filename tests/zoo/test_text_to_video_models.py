"""The recipe of the film maker: seeded, taken up again bit for bit, measured on its own judge."""

import dataclasses

import pytest
import torch

from genlab.core.tensors import make_generator
from genlab.data.captions import decode
from genlab.data.moving import measure_motion, read_moving, small_digits
from genlab.systems.evaluation import wanted
from genlab.systems.text_to_video import FilmMaker, to_colours
from genlab.zoo import text_to_video_models
from genlab.zoo.glide_models import TRAININGS as GLIDE
from genlab.zoo.text_to_video_models import (
    TRAININGS,
    Recipe,
    caption_table,
    film_batch,
    film_maker,
    inflate,
    measure,
    shot,
    train_film_maker,
)

TINY = Recipe(width=8, d_text=8, n_steps=4, n_stills=2, batch_stills=6, batch_size=2)


def test_a_maker_is_the_same_every_time_and_leaves_the_global_noise_alone():
    before = torch.get_rng_state()
    first, second = (film_maker(TINY).state_dict() for _ in range(2))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_table_holds_the_caption_of_every_film():
    rows = caption_table()
    for digit, colour, motion in ((7, 0, 0), (0, 5, 4), (3, 2, 3)):
        (caption,) = decode(rows[digit, colour, motion][None])
        assert read_moving(caption) == (digit, colour, motion)


def test_captions_of_a_minibatch_tell_the_truth():
    grey, digit = small_digits("painter")
    films, rows = film_batch(make_generator(0))((grey[:20], digit[:20]))
    colours = to_colours(films)
    claims = [read_moving(c) for c in decode(rows)]
    assert [c[0] for c in claims] == digit[:20].tolist()
    assert [c[2] for c in claims] == measure_motion(colours.amax(1)).tolist()
    assert len({c[1:] for c in claims}) > 8


def test_a_run_that_is_taken_up_again_ends_the_same():
    straight, broken = film_maker(TINY), film_maker(TINY)
    losses = [record.loss for record in train_film_maker(straight, TINY)]
    run = train_film_maker(broken, TINY)
    for _ in range(2):
        next(run)
    state = run.state_dict()
    again = film_maker(TINY)
    run = train_film_maker(again, TINY)
    run.load_state_dict(state)
    assert [record.loss for record in run] == losses[2:]
    for a, b in zip(straight.parameters(), again.parameters(), strict=True):
        assert torch.equal(a, b)


def test_an_inflated_painter_paints_each_frame_as_it_paints_a_picture():
    torch.set_default_dtype(torch.float32)
    model, elder = film_maker(), GLIDE[0].build(GLIDE[0].settings)
    with torch.no_grad():
        for p in elder.parameters():  # much of a fresh painter is zero, and so says nothing
            p.add_(0.05 * torch.randn_like(p))
    inflate(model, elder)
    x, sigma = torch.randn(2, 3, 8, 16, 16), torch.tensor([0.5, 3.0])
    captions = ["a red seven moving left", "a cyan two turning"]
    for w in (0.0, 1.0):
        film = model.denoiser(captions, guidance_scale=w)(x, sigma)
        for f in (0, 5):
            alone = elder.denoiser(captions, guidance_scale=w)(x[:, :, f], sigma)
            torch.testing.assert_close(film[:, :, f], alone, atol=1e-5, rtol=1e-4)


def test_a_painter_without_a_text_encoder_cannot_be_inflated():
    elder = GLIDE[0].build(GLIDE[0].settings)
    elder.reader = None
    with pytest.raises(ValueError, match="no text encoder"):
        inflate(film_maker(), elder)


def test_the_shipped_recipe_starts_inflated(monkeypatch):
    seen = []
    monkeypatch.setattr(text_to_video_models, "load", lambda training: training.name)
    monkeypatch.setattr(
        text_to_video_models, "inflate", lambda model, elder: seen.append((model, elder))
    )
    model = film_maker(TINY)
    TRAININGS[0].start(model, TINY)
    assert seen == [(model, "glide_base")]


def test_stills_come_first_and_then_films(monkeypatch):
    shapes, model = [], film_maker(TINY)
    plain = model.net.forward
    monkeypatch.setattr(
        model.net, "forward", lambda x, *a, **k: shapes.append(x.shape[:3]) or plain(x, *a, **k)
    )
    list(train_film_maker(model, TINY))
    assert shapes == 2 * [(6, 3, 1)] + 2 * [(2, 3, 8)]
    assert not model.stills


def test_the_rate_rises_and_falls_in_both_parts():
    recipe = dataclasses.replace(TINY, n_steps=40, n_stills=20, lr=1e-2)
    model, moved = film_maker(recipe), []
    before = model.net.image.stem.weight.detach().clone()
    for _ in train_film_maker(model, recipe):
        now = model.net.image.stem.weight.detach().clone()
        moved.append(float((now - before).norm()))
        before = now
    first, second = moved[:20], moved[20:39]
    for part in (first, second):
        assert part[0] < max(part[5:12]) > 2 * part[-1]


def test_after_the_training_it_holds_the_average_and_evaluates():
    trained, raw = film_maker(TINY), film_maker(TINY)
    list(train_film_maker(trained, TINY))
    run = train_film_maker(raw, TINY)
    for _ in range(4):
        next(run)
    assert not trained.training
    assert raw.training
    assert not torch.equal(trained.net.image.stem.weight, raw.net.image.stem.weight)


def test_shots_are_of_single_precision_and_repeat():
    model, claims = film_maker(TINY).double(), wanted(2)
    films = shot(model, claims)
    assert films.dtype == torch.float32
    assert torch.equal(films, shot(model, claims))
    assert torch.get_default_dtype() == torch.float64


def test_shared_noise_is_the_same_in_all_frames_of_a_film_and_not_in_its_colours(monkeypatch):
    monkeypatch.setattr(FilmMaker, "sample", lambda self, captions, *, noise, **options: noise)
    shared, apart = (shot(film_maker(TINY), wanted(2), shared=same) for same in (True, False))
    assert torch.equal(shared, shared[:, :, :1].expand_as(shared))
    assert not torch.equal(apart, apart[:, :, :1].expand_as(apart))
    assert not torch.equal(shared, shared[:, :1].expand_as(shared))
    assert not torch.equal(shared[0], shared[1])


def test_the_card_measures_films_that_are_joined_and_films_that_are_not(monkeypatch):
    monkeypatch.setattr(text_to_video_models, "N_FILMS", 4)
    monkeypatch.setattr(
        text_to_video_models, "film_judge", lambda: lambda grey: torch.zeros(len(grey)).long()
    )
    found = measure(film_maker(TINY).double())
    kinds = {"motion", "colour", "digit", "same digit", "all words", "residual"}
    assert set(found) == kinds | {f"alone: {kind}" for kind in kinds}
    assert found["same digit"] == 1


@pytest.mark.slow
def test_a_short_training_learns_something():
    recipe = dataclasses.replace(TINY, n_steps=40, n_stills=0, batch_size=4, lr=5e-3)
    losses = [record.loss for record in train_film_maker(film_maker(recipe), recipe)]
    assert sum(losses[-10:]) < sum(losses[:10])


def test_the_training_is_listed_with_its_name():
    assert [t.name for t in TRAININGS] == ["text_to_video"]
