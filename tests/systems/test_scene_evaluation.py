"""The evaluator looks where the caption says, measures the ink, and reads the digit there."""

import pytest
import torch

from genlab.data.language import ALONE, read_scenes
from genlab.data.scenes import PAPER, draw_scenes, load_objects, print_ink
from genlab.systems.scene_evaluation import (
    SPANS,
    SceneEvaluator,
    centred,
    distorted,
    kept_facts,
    measure_ink,
    places,
    read_pictures,
    scene_distance,
    windows_of,
)


@pytest.fixture(autouse=True)
def _single():
    torch.set_default_dtype(torch.float32)


class Oracle(torch.nn.Module):
    """Answers the digits that it was given, in the order of the windows."""

    def __init__(self, digits):
        super().__init__()
        self.digits = digits

    def forward(self, windows):
        assert windows.shape[1:] == (1, 20, 20)
        return self.digits.flatten()


def scenes(n=300, p_two=0.7, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return draw_scenes(load_objects("reference"), n, generator, p_two=p_two)


def test_the_halves_are_those_of_the_relation():
    captions = [f"a red one {r} a blue two" for r in ("left of", "right of", "above", "below")]
    first, second = places(read_scenes([*captions, "a red one"])[:, 2])
    corners = [(0, 0), (0, 31), (0, 0), (31, 0)]
    for k, (row, column) in enumerate(corners):
        assert first[k, row, column]
        assert not second[k, row, column]
        assert first[k].sum() == second[k].sum() == 512
        assert not (first[k] & second[k]).any()
    assert first[4].all()
    assert second[4].all()


def test_an_object_alone_is_seen_through_the_larger_window():
    """A disc of known radius: its window shows it as large as 32 / span says."""
    i = torch.arange(32.0) - 15.5
    disc = (i[:, None] ** 2 + i**2 < 5.0**2).to(i)
    x = print_ink(disc[None].expand(2, -1, -1), torch.tensor([0, 0]))
    facts = torch.tensor([[1, 0, ALONE, 0, 0], [1, 0, 0, 2, 0]])
    _, windows = windows_of(x, facts)
    area = windows[0, 0].sum() * (SPANS[1] / 20) ** 2  # in pixels of the picture
    assert SPANS[1] > SPANS[0]
    assert float(area) == pytest.approx(float(disc.sum()), rel=0.03)


def test_every_colour_of_real_scenes_is_measured():
    x, facts = scenes()
    found = read_pictures(x, facts, Oracle(torch.zeros(len(x), 2, dtype=torch.int64)))
    two = facts[:, 2] != ALONE
    assert (found.colour[:, 0] == facts[:, 1]).all()
    assert (found.colour[two, 1] == facts[two, 4]).all()


def test_the_grey_picture_comes_back_from_its_print():
    grey = torch.rand(6, 32, 32, generator=torch.Generator().manual_seed(1))
    colour, back = measure_ink(print_ink(grey, torch.arange(6)), torch.ones(6, 32, 32).bool())
    assert colour.tolist() == list(range(6))
    torch.testing.assert_close(back, grey, atol=1e-5, rtol=0)


def test_a_window_is_around_the_middle_of_the_ink():
    grey = torch.zeros(2, 32, 32)
    grey[0, 4:8, 20:24] = 1
    grey[1, 4:8, 20:24] = 1
    small, large = centred(grey, torch.tensor([20.0, 30.0]))[:, 0]
    assert small[8:12, 8:12].min() > 0.99
    assert small.sum() == pytest.approx(16, abs=0.1)
    assert large.sum() == pytest.approx(16 * (20 / 30) ** 2, rel=0.2)


def test_paper_alone_gives_an_empty_window_and_no_nan():
    x = torch.tensor(PAPER)[:, None, None].expand(2, 3, 32, 32)
    _, windows = windows_of(x, read_scenes(["a red one", "a red one above a red two"]))
    assert windows.abs().max() == 0


def test_a_word_counts_at_its_own_object_only():
    x, facts = scenes(100, p_two=1.0)
    truth = Oracle(facts[:, [0, 3]])
    assert all(right.all() for right in kept_facts(x, facts, truth).values())
    for column, kind in ((0, "digit"), (3, "digit"), (1, "colour"), (4, "colour")):
        other = facts.clone()
        other[:, column] = (other[:, column] + 1) % 6
        kept = kept_facts(x, other, truth)
        assert not kept["all"].any()
        assert not kept[kind].any()
    exchanged = facts[:, [3, 1, 2, 0, 4]]  # the digits change places, the colours do not
    differ = facts[:, 0] != facts[:, 3]
    kept = kept_facts(x, exchanged, truth)
    assert kept["colour"].all()
    assert not kept["all"][differ].any()


def test_a_second_object_that_is_not_there_is_not_asked_for():
    x, facts = scenes(50, p_two=0.0)
    wrong = torch.stack([facts[:, 0], facts[:, 0] + 1], 1)
    assert kept_facts(x, facts, Oracle(wrong))["all"].all()


def test_distortion_is_seeded_keeps_the_shape_and_changes_the_picture():
    x, facts = scenes(20)
    windows = windows_of(x, facts)[1][:, 0]
    one, two = (distorted(windows, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(one, two)
    assert one.shape == windows.shape
    assert (one - windows).abs().flatten(1).amax(1).min() > 0.1
    assert one.min() >= 0


def test_the_evaluator_learns_from_windows():
    torch.manual_seed(0)
    model, (x, facts) = SceneEvaluator(width=8), scenes(64, p_two=0.0)
    windows = windows_of(x, facts)[1][:, 0]
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    first = model.loss(windows, cond=facts[:, 0]).item()
    for _ in range(15):
        optimizer.zero_grad()
        loss = model.loss(windows, cond=facts[:, 0])
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.6 * first


def test_real_scenes_are_nearer_to_real_ones_than_paper_with_noise():
    model = SceneEvaluator(width=8).eval()
    x, facts = scenes(400, p_two=0.0)
    noisy = (x + 0.3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(3))).clamp(0, 1)
    near, far = (scene_distance(images, facts, model) for images in (x, noisy))
    assert near < 0.3 * far
