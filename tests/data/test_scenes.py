"""Scenes: the split, the pairs held out, and pictures that keep their captions."""

import pytest
import torch

from genlab.data.digits import load_mnist
from genlab.data.language import ALONE, INKS, RELATIONS, read_scenes, write_scenes
from genlab.data.scenes import (
    PAPER,
    PARTS,
    Objects,
    _all_objects,
    _corners,
    draw_facts,
    draw_scenes,
    held_out_pair,
    load_objects,
    print_ink,
)
from genlab.systems.scene_evaluation import measure_ink, places


def test_the_parts_are_disjoint_and_have_the_stated_sizes():
    sizes = {name: part.stop - part.start for name, part in PARTS.items()}
    assert sizes == {"generator": 6000, "evaluator": 2500, "reference": 1500}
    rows = [row for part in PARTS.values() for row in range(part.start, part.stop)]
    assert sorted(rows) == list(range(10_000))
    with pytest.raises(ValueError, match="part must be one of"):
        load_objects("painter")


def test_objects_fill_their_box():
    grey, digit = load_objects("reference")
    assert grey.shape == (1500, 20, 20)
    assert grey.min() >= 0
    assert grey.max() <= 1
    rows, columns = grey.amax(2) > 0, grey.amax(1) > 0
    assert torch.maximum(rows.sum(1), columns.sum(1)).min() >= 18  # MNIST scales ink to 20 pixels
    assert set(digit.tolist()) == set(range(10))


def test_a_digit_is_cut_out_whole_and_laid_in_the_middle_of_its_box():
    grey = _all_objects().grey[:500]
    images = load_mnist("train").images[:500, 0] / 255
    torch.testing.assert_close(grey.sum((1, 2)).double(), images.sum((1, 2)), atol=1e-3, rtol=0)
    for axis in (1, 2):
        inked = grey.amax(axis) > 0
        before, behind = inked.int().argmax(1), inked.flip(1).int().argmax(1)
        assert (behind - before).unique().tolist() == [0, 1]  # an odd pixel goes behind


def test_a_fifth_of_the_pairs_is_held_out_and_never_drawn(generator):
    pairs = torch.cartesian_prod(torch.arange(10), torch.arange(6))
    held_out = held_out_pair(pairs[:, 0], pairs[:, 1])
    assert held_out.sum() == 12
    assert held_out.reshape(10, 6).any(1).all()
    assert held_out.reshape(10, 6).any(0).all()
    digit = torch.randint(10, (500, 2), generator=generator)
    for asked in (False, True):
        facts = draw_facts(digit, generator, p_two=1.0, held_out=asked)
        for d, c in ((0, 1), (3, 4)):
            assert (held_out_pair(facts[:, d], facts[:, c]) == asked).all()


@pytest.mark.parametrize("relation", range(len(RELATIONS)))
def test_the_first_object_is_where_the_relation_says(relation, generator):
    x, facts = draw_scenes(load_objects("reference"), 200, generator, p_two=1.0)
    chosen = (facts[:, 2] == relation) & (facts[:, 1] != facts[:, 4])
    x, facts = x[chosen], facts[chosen]
    ink = torch.tensor(list(INKS.values()))[facts[:, 1]]
    paper = torch.tensor(PAPER)
    direction = torch.nn.functional.normalize(ink - paper, dim=1)
    d = x - paper[:, None, None]
    first = torch.nn.functional.cosine_similarity(d, direction[:, :, None, None], dim=1) > 0.999
    strong = d.square().sum(1) > 0.05
    where = (first & strong).nonzero().float()
    along = where[:, 2] if relation < 2 else where[:, 1]
    inside = along < 16 if relation % 2 == 0 else along >= 16
    assert inside.float().mean() > 0.97


def test_pictures_are_ink_on_paper_and_seeded():
    objects = load_objects("reference")
    one, two = (draw_scenes(objects, 20, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert one[0].shape == (20, 3, 32, 32)
    assert one[0].min() >= 0
    assert one[0].max() <= 1
    grey = torch.tensor([[[0.0, 1.0, 0.5]]])
    x = print_ink(grey, torch.tensor([3]))[0, :, 0]
    blue, paper = torch.tensor(INKS["blue"]), torch.tensor(PAPER)
    torch.testing.assert_close(x.T, torch.stack([paper, blue, (paper + blue) / 2]).to(x))


def test_the_digits_follow_the_default_dtype_whichever_was_asked_for_first():
    for dtype in (torch.float32, torch.float64, torch.float32):
        torch.set_default_dtype(dtype)
        assert load_objects("reference").grey.dtype == dtype


@pytest.mark.parametrize("held_out", [False, True])
def test_scenes_are_of_the_pairs_asked_for(held_out, generator):
    objects = load_objects("reference")
    _, facts = draw_scenes(objects, 300, generator, p_two=1.0, held_out=held_out)
    for d, c in ((0, 1), (3, 4)):
        assert (held_out_pair(facts[:, d], facts[:, c]) == held_out).all()


def test_each_digit_is_printed_at_its_own_place(generator):
    digit = torch.arange(10)
    dark = (digit + 1.0) / 10  # squares as dark as their digit
    objects = Objects(dark[:, None, None].expand(10, 20, 20), digit)
    x, facts = draw_scenes(objects, 200, generator, p_two=0.7)
    for mask, column in zip(places(facts[:, 2]), (0, 3), strict=True):
        asked = (facts[:, 2] != ALONE) | (column == 0)
        seen = measure_ink(x, mask)[1].amax((1, 2))[asked]
        torch.testing.assert_close(seen, dark[facts[asked, column]], atol=1e-4, rtol=0)


def test_a_part_holds_its_own_rows_of_pictures_and_labels():
    every = _all_objects()
    for name, rows in PARTS.items():
        grey, digit = load_objects(name)
        torch.testing.assert_close(grey, every.grey[rows].to(grey))
        assert torch.equal(digit, every.digit[rows])


def test_an_object_alone_is_larger_than_one_of_two(generator):
    full = Objects(torch.ones(10, 20, 20), torch.arange(10))
    for p_two, pixels in ((0.0, 22**2), (1.0, 2 * 14**2)):
        x, _ = draw_scenes(full, 20, generator, p_two=p_two)
        inked = (x - torch.tensor(PAPER)[:, None, None]).abs().amax(1) > 0.02
        assert (inked.sum((1, 2)) == pixels).all()


def test_twelve_of_sixty_pairs_are_held_out_and_these_are_they():
    digit, colour = torch.arange(10)[:, None], torch.arange(6)
    found = held_out_pair(digit, colour)
    assert found.sum() == 12
    assert found[0, 0]
    assert found[1, 4]
    assert not found[1, 1]


def test_facts_of_one_object_are_those_that_its_caption_says(generator):
    digit = torch.randint(10, (300, 2), generator=generator)
    facts = draw_facts(digit, generator, p_two=0.5)
    assert torch.equal(read_scenes(write_scenes(facts)), facts)
    assert 100 < (facts[:, 2] == ALONE).sum() < 200


@pytest.mark.parametrize("relation", range(len(RELATIONS)))
def test_two_objects_move_apart_from_each_other_over_all_their_free_places(relation, generator):
    """Along the relation by 0 to 2 pixels in either half, across it by 0 to 4 around the middle."""
    corners = _corners(torch.full((3000,), relation), generator)  # object, (row, column)
    side = 1 if relation < 2 else 0
    places = {tuple(pair) for pair in corners[:, :, side].tolist()}
    first, second = (0, 16) if relation % 2 == 0 else (16, 0)
    assert places == {(first + i, second + j) for i in range(3) for j in range(3)}
    across = {tuple(pair) for pair in corners[:, :, 1 - side].tolist()}
    assert across == {(7 + i, 7 + j) for i in range(5) for j in range(5)}  # 14 of 32 pixels
