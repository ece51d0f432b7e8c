r"""Captioned scenes, 32 x 32: one or two digits, "a red seven left of a blue three".

Each object is a digit of MNIST, cut out by its ink, scaled, and printed in one of six inks.
Of the 10,000 digits 6,000 train generators, 2,500 the evaluators, and 1,500 are the real reference.
"""

from functools import cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from genlab.core.checked import check_public
from genlab.core.tensors import as_real, draw_indices, drawn, require_between
from genlab.data.digits import load_mnist
from genlab.data.language import ALONE, INKS, RELATIONS

SIZE = 32
PAPER = (0.97, 0.95, 0.89)
PARTS = {
    "generator": slice(0, 6000), "evaluator": slice(6000, 8500), "reference": slice(8500, 10_000)
}  # fmt: skip
BOX, LARGE, SMALL = 20, 22, 14  # pixels on a side of an object: as cut out, alone, one of two
FREE = (4, 2, 4)  # pixels that it may move: alone, towards the other, across


class Objects(NamedTuple):
    """Digits cut out by their ink, and their labels."""

    grey: Float[Tensor, " n 20 20"]
    digit: Int[Tensor, " n"]


@cache
def _all_objects() -> Objects:
    parts = [load_mnist(split) for split in ("train", "val", "test")]
    images = torch.cat([p.images[:, 0] for p in parts])
    cut = torch.zeros(len(images), BOX, BOX, dtype=torch.float32)
    for k, image in enumerate(images.float() / 255):
        rows, columns = (image.amax(d).nonzero() for d in (1, 0))
        found = image[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        h, w = found.shape
        top = (BOX - h) // 2
        left = (BOX - w) // 2
        cut[k, top : top + h, left : left + w] = found
    return Objects(cut, torch.cat([p.labels for p in parts]))


def load_objects(part: str = "generator") -> Objects:
    """The digits of one part of the fixed split, in the default dtype."""
    if part not in PARTS:
        raise ValueError(f"part must be one of {sorted(PARTS)}, got {part!r}")
    grey, digit = (a[PARTS[part]] for a in _all_objects())
    return Objects(grey.to(torch.get_default_dtype()), digit)


def held_out_pair(digit: Int[Tensor, " *n"], colour: Int[Tensor, " *m"]) -> Bool[Tensor, " *pairs"]:
    """The 12 of 60 pairs of digit and colour (broadcast) that no generator is trained on."""
    return (digit + colour) % 5 == 0


def draw_colours(
    digit: Int[Tensor, " *n"], generator: Generator, *, held_out: bool = False
) -> Int[Tensor, " *n"]:
    """A colour for each digit, uniform among the pairs that are trained on, or held out."""
    every = torch.arange(len(INKS), device=digit.device)
    allowed = held_out_pair(digit[..., None], every) == held_out
    flat = draw_indices(allowed.flatten(0, -2).float(), 1, generator=generator)
    return flat.reshape(digit.shape)


def draw_facts(
    digit: Int[Tensor, " n 2"], generator: Generator, *, p_two: float, held_out: bool = False
) -> Int[Tensor, " n 5"]:
    """Colours and relations for pairs of digits; one object alone with probability 1 - `p_two`."""
    require_between(0, 1, p_two=p_two)
    n = len(digit)
    colour = draw_colours(digit, generator, held_out=held_out)
    here: dict[str, Any] = {"device": digit.device, "generator": generator}
    relation = drawn(torch.randint, len(RELATIONS), (n,), **here)
    two = drawn(torch.rand, n, **here) < p_two
    facts = torch.stack([digit[:, 0], colour[:, 0], relation, digit[:, 1], colour[:, 1]], 1)
    facts[~two, 2:] = facts.new_tensor([ALONE, 0, 0])
    return facts


def _placed(grey: Tensor, size: int, corner: Int[Tensor, " n 2"]) -> Float[Tensor, " n 32 32"]:
    """Objects scaled to `size` pixels, each with its upper left pixel at its corner."""
    small = F.interpolate(
        grey[:, None], (size, size), mode="bilinear", antialias=True, align_corners=False
    )
    canvas = grey.new_zeros(len(grey), SIZE, SIZE)
    steps = torch.arange(size, device=grey.device)
    rows, columns = (corner[:, d, None] + steps for d in (0, 1))
    which = torch.arange(len(grey), device=grey.device)[:, None, None]
    canvas[which, rows[:, :, None], columns[:, None, :]] = small[:, 0]
    return canvas


def _corners(relation: Int[Tensor, " n"], generator: Generator) -> Int[Tensor, " n 2 2"]:
    """Upper left pixels of two objects: first or second object, row or column."""
    n = len(relation)
    here: dict[str, Any] = {"device": relation.device, "generator": generator}
    along, across = (drawn(torch.randint, free + 1, (n, 2), **here) for free in FREE[1:])
    swapped = (relation % 2 == 1)[:, None]
    far = swapped ^ torch.arange(2, device=relation.device).bool()  # right or lower half
    along = along + SIZE // 2 * far
    across = across + (SIZE - SMALL - FREE[2]) // 2
    beside = (relation < 2)[:, None]
    return torch.stack([torch.where(beside, across, along), torch.where(beside, along, across)], -1)


def print_ink(
    grey: Float[Tensor, " n h w"], colour: Int[Tensor, " n"]
) -> Float[Tensor, " n 3 h w"]:
    r"""Print grey objects on paper: $x = (1 - g)\,\text{paper} + g\,\text{ink}$."""
    inks = as_real(grey).new_tensor(list(INKS.values()))[colour][:, :, None, None]
    paper = as_real(grey).new_tensor(PAPER)[:, None, None]
    return paper + grey[:, None] * (inks - paper)


def compose(
    first: Float[Tensor, " n 20 20"],
    second: Float[Tensor, " n 20 20"],
    facts: Int[Tensor, " n 5"],
    generator: Generator,
) -> Float[Tensor, " n 3 32 32"]:
    """Scenes of grey objects (n, 20, 20) at random places that keep the relation."""
    n = len(facts)
    alone = facts[:, 2] == ALONE
    here: dict[str, Any] = {"device": facts.device, "generator": generator}
    free = drawn(torch.randint, FREE[0] + 1, (n, 2), **here)
    corners = _corners(facts[:, 2].clamp(max=ALONE - 1), generator)
    large = _placed(first, LARGE, free)
    small = [_placed(g, SMALL, corners[:, k]) for k, g in enumerate((first, second))]
    paper = first.new_tensor(PAPER)[:, None, None]
    a = torch.where(alone[:, None, None], large, small[0])
    x = print_ink(a, facts[:, 1])
    return torch.where(alone[:, None, None, None], x, x + print_ink(small[1], facts[:, 4]) - paper)


def draw_scenes(
    objects: Objects, n: int, generator: Generator, *, p_two: float = 0.5, held_out: bool = False
) -> tuple[Float[Tensor, " n 3 32 32"], Int[Tensor, " n 5"]]:
    """`n` scenes of random objects, as pictures in [0, 1], and what their captions say."""
    here: dict[str, Any] = {"device": objects.digit.device, "generator": generator}
    which = drawn(torch.randint, len(objects.digit), (n, 2), **here)
    facts = draw_facts(objects.digit[which], generator, p_two=p_two, held_out=held_out)
    first, second = (objects.grey[which[:, k]] for k in (0, 1))
    return compose(first, second, facts, generator), facts


check_public(__name__)
