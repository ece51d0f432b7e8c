"""The pictures of *Predict the large run* show what they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from genlab_course.figures import predict_the_large_run as draw

C = np.array([1.0, 3.0, 8.0, 17.0, 33.0])
LOSS = 1.0 + 1.6 * C**-0.16
GRID = np.geomspace(1, 1000, 12)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def words(figure):
    """Return all texts of a figure that are placed at marks or lines, and its titles."""
    texts = [text.get_text() for ax in figure.axes for text in ax.texts]
    return texts + [ax.get_title() for ax in figure.axes]


def ends(ax):
    """Return the last value of each line of more than two points."""
    return sorted(float(line.get_ydata()[-1]) for line in ax.lines if len(line.get_ydata()) > 5)


def test_the_three_laws_meet_on_the_runs_and_part_at_the_target():
    (ax,) = draw.three_laws(C, LOSS, 1100.0).axes
    lowest, middle, highest = ends(ax)
    assert lowest < middle < highest
    assert highest - lowest > 0.2
    curves = [line for line in ax.lines if len(line.get_ydata()) > 5]
    near = [np.interp(np.log(C), np.log(c.get_xdata()), c.get_ydata()) for c in curves]
    assert np.abs(near - LOSS).max() < 0.06


def test_the_first_run_names_its_levels_and_shows_its_text():
    levels = {"blind": 4.56, "letters": 3.1}
    figure = draw.first_run(np.arange(8), np.linspace(4, 2, 8), levels, "the text")
    assert {"blind", "letters", "the text"} <= set(words(figure))


def test_budgets_have_a_curve_each_and_our_runs_their_errors():
    curves = {f"C = {c}": LOSS + c for c in (0.0, 0.5, 1.0)}
    figure = draw.budgets(C, curves, (C[:3], LOSS[:3]), C, (LOSS, 0.01 * LOSS))
    assert set(curves) <= set(words(figure))
    assert len(figure.axes[1].containers) == 1


def test_the_valley_carries_its_laws_to_the_target():
    gammas, floors = np.linspace(0.05, 0.3, 6), np.linspace(0, 1, 5)
    excess = np.add.outer((gammas - 0.2) ** 2, (floors - 0.5) ** 2) * 100
    figure = draw.valley((gammas, floors, excess), GRID, [GRID**-0.1, GRID**-0.2], (C, LOSS, 0.1))
    assert len([line for line in figure.axes[1].lines if len(line.get_ydata()) == 12]) == 2
    assert len([text for text in words(figure) if text.startswith("least $")]) == 3


def test_the_envelope_marks_every_run_and_names_the_outcome():
    bands = {name: (GRID**-p, 0.01 * GRID) for name, p in (("a", 0.1), ("b", 0.2), ("c", 0.3))}
    runs = {"width 2": (100.0, [1.5, 1.4]), "width 3": (1000.0, [1.2, 1.1, 1.15])}
    figure = draw.envelope(GRID, bands, (C, LOSS, 0.1), runs)
    ax = figure.axes[0]
    marked = [line.get_ydata() for line in ax.lines if line.get_markersize() == 11]
    assert [len(values) for values in marked] == [2, 3]
    assert {"a", "b", "c", "the large run: 1.15"} <= set(words(figure))


def test_below_the_envelope_each_run_stands_less_the_first_forecast():
    bands = {name: (GRID**-p, 0.01 * GRID) for name, p in (("a", 0.1), ("b", 0.2), ("c", 0.3))}
    figure = draw.envelope(GRID, bands, (C, LOSS, 0.1), {"width 2": (1000.0, [1.2, 1.1])})
    below = figure.axes[1]
    (bars,) = [line.get_ydata() for line in below.lines if line.get_markersize() == 11]
    assert bars == pytest.approx(np.array([1.2, 1.1]) - 1000**-0.1)
    assert "width 2" in {text.get_text() for text in below.texts}


def test_between_two_budgets_of_the_grid_the_forecast_is_read_on_the_logarithm_of_compute():
    straight = {name: (2 - 0.1 * np.log(GRID), 0.01 * GRID) for name in "abc"}
    half_way = float(np.sqrt(GRID[-2] * GRID[-1]))
    run = {"width 2": (half_way, [2 - 0.1 * np.log(half_way)])}
    at = np.sqrt(GRID[:-1] * GRID[1:])[[1, 3, 5]]
    figure = draw.envelope(GRID, straight, (at, 2 - 0.1 * np.log(at), 0.1), run)
    marks = [line for line in figure.axes[1].lines if line.get_markersize() in (5, 11)]
    assert [len(line.get_ydata()) for line in marks] == [3, 1]
    assert np.concatenate([m.get_ydata() for m in marks]) == pytest.approx(0, abs=1e-9)


def test_a_law_has_the_same_colour_before_and_after_the_envelope():
    before = [line.get_color() for line in draw.three_laws(C, LOSS, 1100.0).axes[0].lines]
    bands = {name: (GRID**-p, 0.01 * GRID) for name, p in (("a", 0.1), ("b", 0.2), ("c", 0.3))}
    after = draw.envelope(GRID, bands, (C, LOSS, 0.1), {"large": (1000.0, [1.2])}).axes[0].lines
    assert before[:3] == [line.get_color() for line in after if len(line.get_ydata()) == 12]


def test_networks_are_shown_with_what_they_write():
    figure = draw.written({"width 1": "one text", "width 2": "another"})
    assert {"one text", "another"} <= set(words(figure))


def test_the_two_errors_lead_from_the_forecast_to_the_outcome():
    (ax,) = draw.two_errors((1.40, 0.03), (0.14, 0.04), 1.47).axes
    tops = [patch.get_y() + patch.get_height() for patch in ax.patches]
    assert tops == pytest.approx([1.40, 1.54, 1.47, 1.47])
    assert {"1.400 ± 0.030", "+0.140 ± 0.040", "-0.070 ± 0.050", "1.470"} <= set(words(ax.figure))


def test_the_labels_of_the_two_errors_add_up_to_the_outcome_and_the_price_is_as_printed():
    (ax,) = draw.two_errors((1.4053, 0.04), (0.13527, 0.012), 1.4657).axes
    forecast, *errors, outcome = [float(text.get_text().split()[0]) for text in ax.texts]
    assert forecast + sum(errors) == pytest.approx(outcome, abs=1e-9)
    assert errors[0] == 0.135


def test_rates_and_the_two_forecasts_are_shown():
    sweep = (np.array([0.5, 1, 2]), np.array([0.1, 0.0, 0.2]))
    ladder = ((C, LOSS, 0.01 * LOSS), (1000.0, 1.4, 0.05))
    figure = draw.rates({"width 1": sweep}, {"width 7": (0.2, 0.15)}, {"good": ladder}, 1.47)
    assert {"width 1", "good", "the large run"} <= set(words(figure))
    assert {"one rate for all", "width 7", "its forecast"} <= set(words(figure))
