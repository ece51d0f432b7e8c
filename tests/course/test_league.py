"""The league table: measured right, written and read alike, and nobody wins every column."""

import dataclasses

import pytest
import torch

from genlab.core.capabilities import likelihood_kind
from genlab.data.digits import load_digits
from genlab.zoo import card, load_model
from genlab_course import league
from genlab_course.league import Row, load_league, quality, write

ROWS = load_league()


def row(**changes):
    """A row with some fields changed."""
    return dataclasses.replace(ROWS[0], **changes)


def test_real_training_digits_are_near_and_noise_is_far():
    real = quality(load_digits("train").images, torch.Generator().manual_seed(0))
    noise = torch.randint(17, (400, 1, 8, 8), generator=torch.Generator().manual_seed(0))
    far = quality(noise, torch.Generator().manual_seed(0))
    assert real["frechet"] < 0.15 < 5 < far["frechet"]
    assert real["precision"] > 0.8
    assert real["recall"] > 0.8
    assert far["precision"] < 0.2
    assert far["recall"] < 0.2


def test_the_error_bar_is_the_scatter_of_independent_sets():
    images = load_digits("train").images
    judge = league.load_classifier()
    held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
    real = judge.features(held_out.double())
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(images), generator=generator)
    parts = [judge.features(images[order[200 * k : 200 * k + 200]].double()) for k in range(6)]
    scatter = torch.stack([league.frechet_distance(real, part) for part in parts]).std().item()
    bars = [
        quality(images[order[200 * k : 200 * k + 200]], generator)["frechet_error"]
        for k in range(3)
    ]
    assert scatter / 3 < sum(bars) / 3 < 3 * scatter  # six sets tell a deviation to a third


def test_the_table_can_be_read_as_it_was_written(tmp_path):
    rows = [row(frechet=0.123449, bits_per_dim=None), row(name="b", recall=0.5)]
    write(rows, tmp_path / "league.json")
    again = load_league(tmp_path / "league.json")
    assert again[0].frechet == 0.1234
    assert again[0].bits_per_dim is None
    assert again[1] == dataclasses.replace(rows[1], **{
        f.name: float(f"{v:.4g}") for f in dataclasses.fields(Row)
        if isinstance(v := getattr(rows[1], f.name), float)
    })  # fmt: skip


def test_a_missing_table_says_how_to_make_one(tmp_path):
    with pytest.raises(FileNotFoundError, match="genlab league --remake"):
        load_league(tmp_path / "none.json")


@pytest.mark.parametrize("seen", ROWS, ids=lambda row: row.name)
def test_a_row_agrees_with_the_models_card(seen):
    metrics = card(seen.name)["metrics"]
    assert seen.kind == metrics.get("kind", "none") == likelihood_kind(load_model(seen.name))
    if seen.bits_per_dim is None:
        assert "bits_per_dim" not in metrics
    else:
        assert seen.bits_per_dim == pytest.approx(metrics["bits_per_dim"], rel=1e-3)
    assert seen.parameters == sum(p.numel() for p in load_model(seen.name).parameters())


def test_no_row_is_best_in_every_column():
    best = {
        min((r for r in ROWS if r.bits_per_dim), key=lambda r: r.bits_per_dim).name,
        min(ROWS, key=lambda r: r.frechet).name,
        max(ROWS, key=lambda r: r.samples_per_second).name,
        min(ROWS, key=lambda r: r.parameters).name,
    }
    assert len(best) >= 3


def test_every_family_of_the_map_is_in_the_table():
    assert {r.family for r in ROWS} == {
        *("autoregressive", "flow", "latent-variable", "adversarial", "score / diffusion")
    }


def test_one_row_is_measured_again_as_it_was():
    make, family = next(pair for pair in league.LESSONS if pair[0]().name == "digit_vae")
    found = league.measure(make(), family, league.draws()["digit_vae"])
    stated = next(r for r in ROWS if r.name == "digit_vae")
    assert found.frechet == pytest.approx(stated.frechet, rel=0.01)
    assert found.precision == pytest.approx(stated.precision, abs=0.01)
    assert found.recall == pytest.approx(stated.recall, abs=0.01)
    assert found.passes == stated.passes == 1
