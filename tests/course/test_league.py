"""The league table: measured right, written and read alike, and nobody wins every column."""

import dataclasses

import pytest

from genlab.core.capabilities import likelihood_kind
from genlab.zoo import card, load_model
from genlab_course import league
from genlab_course.league import load_league, write

ROWS = load_league()


def row(**changes):
    """A row with some fields changed."""
    return dataclasses.replace(ROWS[0], **changes)


def test_the_table_can_be_read_as_it_was_written(tmp_path):
    rows = [row(frechet=0.123449, bits_per_dim=None), row(name="b", recall=0.5)]
    write(rows, tmp_path / "league.json")
    first, second = load_league(tmp_path / "league.json")
    assert (first.frechet, first.bits_per_dim) == (0.1234, None)
    assert second.recall == 0.5


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


def test_one_row_is_measured_again_as_it_was():
    make, family = next(pair for pair in league.LESSONS if pair[0]().name == "digit_vae")
    found = league.measure(make(), family, league.draws()["digit_vae"])
    stated = next(r for r in ROWS if r.name == "digit_vae")
    assert found.frechet == pytest.approx(stated.frechet, rel=0.01)
    assert found.precision == pytest.approx(stated.precision, abs=0.01)
    assert found.recall == pytest.approx(stated.recall, abs=0.01)
    assert found.passes == stated.passes == 1
