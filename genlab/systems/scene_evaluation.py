r"""Which words of a caption a picture of one or two objects keeps, each word at its own object."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import Rng, drawn
from genlab.data.language import ALONE, INKS
from genlab.data.scenes import PAPER, SIZE, draw_scenes, load_objects
from genlab.metrics.distances import frechet_distance

WINDOW = 20  # pixels on a side that the classifier sees, around the middle of the ink
SPANS = (20, 30)  # pixels of the picture that they stand for: one of two objects, alone
Classifier = Callable[[Float[Tensor, " n 1 20 20"]], Int[Tensor, " n"]]


def places(
    relation: Int[Tensor, " n"],
) -> tuple[Bool[Tensor, " n 32 32"], Bool[Tensor, " n 32 32"]]:
    """Where the first and the second object of each caption should be."""
    columns = (torch.arange(SIZE, device=relation.device) < SIZE // 2).expand(SIZE, SIZE)
    rows, everywhere = columns.T, torch.ones_like(columns)
    masks = torch.stack([columns, ~columns, rows, ~rows, everywhere])  # in the order of RELATIONS
    return masks[relation], masks[relation.new_tensor([1, 0, 3, 2, 4])[relation]]


def measure_ink(
    images: Float[Tensor, " n 3 32 32"], mask: Bool[Tensor, " n 32 32"]
) -> tuple[Int[Tensor, " n"], Float[Tensor, " n 32 32"]]:
    r"""The ink nearest to that within the mask, and the grey picture that was printed with it.

    With $d = x - \text{paper}$ the ink is the $k$ whose direction $\text{ink}_k - \text{paper}$
    makes the smallest angle with $\sum_{ij} \lVert d_{ij}\rVert\,d_{ij}$.
    """
    paper = images.new_tensor(PAPER)[:, None, None]
    d = (images - paper) * mask[:, None]
    mean = (d * d.square().sum(1, keepdim=True).sqrt()).sum((2, 3))
    inks = images.new_tensor(list(INKS.values())) - paper[:, 0, 0]
    colour = (F.normalize(mean, dim=1) @ F.normalize(inks, dim=1).T).argmax(1)
    ink = inks[colour]
    grey = torch.einsum("nchw,nc->nhw", d, ink / ink.square().sum(1, keepdim=True))
    return colour, grey.clamp(0, 1)


def centred(
    grey: Float[Tensor, " n 32 32"], span: Float[Tensor, " n"]
) -> Float[Tensor, " n 1 20 20"]:
    """Windows of `span` pixels around the middle of the ink, read off on a 20 x 20 grid."""
    weight = grey.square()
    total = weight.sum((1, 2)).clamp(min=1e-6)
    at = (torch.arange(SIZE).to(grey) + 0.5) * 2 / SIZE - 1
    x, y = ((weight.sum(d) * at).sum(1) / total for d in (1, 2))
    scale = span / SIZE
    return _resampled(grey[:, None], _affine(scale, 0 * x, x, 0 * y, scale, y))


def _affine(a: Tensor, b: Tensor, x: Tensor, c: Tensor, d: Tensor, y: Tensor) -> Tensor:
    """Matrices with the rows (a, b, x) and (c, d, y): where each pixel of a window is read."""
    return torch.stack([torch.stack([a, b, x], -1), torch.stack([c, d, y], -1)], 1)


def _resampled(images: Tensor, theta: Tensor) -> Float[Tensor, " n 1 20 20"]:
    grid = F.affine_grid(theta, [len(images), 1, WINDOW, WINDOW], align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def distorted(
    windows: Float[Tensor, " n 1 20 20"], generator: Generator
) -> Float[Tensor, " n 1 20 20"]:
    """Turned, sheared, stretched and shifted at random, with a thinner or bolder stroke."""
    n = len(windows)
    turn, shear, wide, high, x, y, stroke = (
        (2 * drawn(torch.rand, n, device=windows.device, generator=generator) - 1) * most
        for most in (0.25, 0.25, 0.15, 0.15, 0.12, 0.12, 0.35)
    )
    a = turn.cos() * (1 + wide)
    d = turn.cos() * (1 + high)
    b = shear - turn.sin() * (1 + wide)
    c = turn.sin() * (1 + high)
    changed = _resampled(windows, _affine(a, b, x, c, d, y))
    return changed.clamp(min=0) ** (1 + stroke)[:, None, None, None]


class SceneEvaluator(nn.Module):
    """Classifies the digit in a window: three blocks of convolutions, and what it is trained by."""

    def __init__(self, width: int = 16, dropout: float = 0.3) -> None:
        super().__init__()

        def block(c_in: int, c_out: int, padding: int = 1) -> list[nn.Module]:
            conv = nn.Conv2d(c_in, c_out, 3, padding=padding)
            return [conv, nn.BatchNorm2d(c_out), nn.ReLU()]

        w = width
        self.body = nn.Sequential(
            *block(1, w), *block(w, w), nn.MaxPool2d(2),
            *block(w, 2 * w), *block(2 * w, 2 * w), nn.MaxPool2d(2),
            *block(2 * w, 4 * w, 0), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(36 * w, 10))

    def loss(
        self, x: Float[Tensor, " n 1 20 20"], *, cond: Int[Tensor, " n"], generator: Rng = None
    ) -> Float[Tensor, ""]:
        """Cross-entropy with a twentieth of the probability spread over all digits, nats."""
        return F.cross_entropy(self.head(self.body(x)), cond, label_smoothing=0.05)

    def forward(self, windows: Float[Tensor, " n 1 20 20"]) -> Int[Tensor, " n"]:
        """The digit in each window."""
        return self.head(self.body(windows)).argmax(1)


class Reading(NamedTuple):
    """What is seen where a caption says to look; columns: first and second object."""

    digit: Int[Tensor, " n 2"]
    colour: Int[Tensor, " n 2"]


def windows_of(
    images: Float[Tensor, " n 3 32 32"], facts: Int[Tensor, " n 5"]
) -> tuple[Int[Tensor, " n 2"], Float[Tensor, " n 2 1 20 20"]]:
    """Colour and window of both objects of every picture; alone, both are the same one."""
    alone = facts[:, 2] == ALONE
    span = torch.where(alone, float(SPANS[1]), float(SPANS[0])).to(images)
    found = [measure_ink(images, mask) for mask in places(facts[:, 2])]
    colours = torch.stack([colour for colour, _ in found], 1)
    return colours, torch.stack([centred(grey, span) for _, grey in found], 1)


@torch.no_grad()
def read_pictures(
    images: Float[Tensor, " n 3 32 32"], facts: Int[Tensor, " n 5"], evaluator: Classifier
) -> Reading:
    """Digit and colour that pictures in [0, 1] show at the places that the facts name."""
    colours, windows = windows_of(images.clamp(0, 1), facts)
    digits = evaluator(windows.flatten(0, 1)).reshape(-1, 2)
    return Reading(digits, colours)


def kept_facts(
    images: Float[Tensor, " n 3 32 32"], facts: Int[Tensor, " n 5"], evaluator: Classifier
) -> dict[str, Float[Tensor, " n"]]:
    """For each picture 1 where all digits are right, all colours, every word ("all"), else 0."""
    found = read_pictures(images, facts, evaluator)
    alone = facts[:, 2] == ALONE
    right = {}
    for kind, seen, columns in (("digit", found.digit, [0, 3]), ("colour", found.colour, [1, 4])):
        agree = seen == facts[:, columns]
        right[kind] = (agree[:, 0] & (agree[:, 1] | alone)).double()
    right["all"] = right["digit"] * right["colour"]
    return right


@torch.no_grad()
def _features(
    images: Float[Tensor, " n 3 32 32"], facts: Int[Tensor, " n 5"], evaluator: SceneEvaluator
) -> Float[Tensor, " n f"]:
    windows = windows_of(images.clamp(0, 1), facts)[1][:, 0]
    return evaluator.body(windows)


def scene_distance(
    images: Float[Tensor, " n 3 32 32"], facts: Int[Tensor, " n 5"], evaluator: SceneEvaluator
) -> float:
    """Squared Fréchet distance of first objects to those of 2,000 real scenes of as many objects.

    On 32 axes of the evaluator's features, in units of the real ones' variance along each.
    """
    p_two = float((facts[:, 2] < ALONE).any())
    generator = Generator().manual_seed(1)
    real = draw_scenes(load_objects("evaluator"), 2000, generator, p_two=p_two)
    seen = _features(*real, evaluator).double()
    mean = seen.mean(0)
    _, lengths, axes = torch.linalg.svd(seen - mean, full_matrices=False)
    axes = axes[:32].T * (len(seen) - 1) ** 0.5 / lengths[:32]
    drawn = _features(images, facts, evaluator).double()
    return frechet_distance((seen - mean) @ axes, (drawn - mean) @ axes).item()
