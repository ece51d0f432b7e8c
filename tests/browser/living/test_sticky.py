"""Figures that obey a derivation: their mathematics against genlab's."""

import pytest

from genlab_course.widgets import living
from tests.browser.living import bench as benches
from tests.browser.living import replay

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def one(browser):
    """The bench of all tests here."""
    with benches.opened(browser) as bench:
        yield bench


@pytest.mark.parametrize("name", living.STICKY)
def test_at_every_stage_its_numbers_are_genlabs_and_planted_mistakes_are_told_apart(name, one):
    golden, text = replay.golden(name), living.source(name)
    (control,) = one.load(name)
    assert control["name"] == "stage"
    stages = range(control["min"], control["max"] + 1)
    settings = replay.settings(golden, [control], 8) + [{"stage": stage} for stage in stages]
    expected = [golden.expected(case) for case in settings]

    def furthest():
        """How far the numbers are apart at most, in tolerances."""
        found = one.mathematics(settings)
        return max(replay.worst(a, b, 1e-9) for a, b in zip(found, expected, strict=True))

    assert furthest() <= 1
    planted = replay.mistakes(name)
    assert len(planted) >= 3
    for mistake in planted:
        assert text.count(mistake["old"]) == 1, mistake
        one.load(name, text.replace(mistake["old"], mistake["new"]))
        assert furthest() > 1, f"not told apart: {mistake['mistake']}"


@pytest.mark.parametrize("name", living.STICKY)
def test_every_stage_is_another_picture_with_a_sentence_and_no_word_is_cut(name, one):
    (control,) = one.load(name)
    for width in (304, 272, 400, 1000):
        seen = set()
        for stage in range(control["max"] + 1):
            one.open({"stage": stage}, width)
            seen.add("\n".join(one.do("drawn")))
            assert len(one.do("says")) > 30
            room = one.page.evaluate("document.querySelector('canvas').clientWidth")
            for mark in one.marks("text"):
                assert mark["wide"][0] > -1, (width, stage, mark)
                assert mark["wide"][1] < room + 1, (width, stage, mark)
        assert len(seen) == control["max"] + 1
