"""The same four couplings as a flow of genlab, which pushes forward and scores by its inverse."""

import math

import torch

from genlab.flow.coupling import alternating_mask, couple
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import affine_forward, affine_inverse, push_forward

SHAPES = {
    "two moons": [0.1, -1.8, 1, 0.2, 0.2, 1.35, 0, -1.15],
    "shifts alone": [0, -1, 0, 1.1, 0, 0.9, 0, -0.9],
    "scales alone": [0.9, 0, 0.9, 0, -0.7, 0, 0.5, 0],
    "nothing yet": [0] * 8,
}
HIDDEN = {
    "knobs": lambda rng: [rng.uniform(-1.9, 1.9) for _ in range(8)],
    "at": lambda rng: [rng.uniform(-2, 2), rng.uniform(-2, 2)],
}


class Layer(torch.nn.Module):
    """An affine coupling of genlab whose conditioner is a wave of the coordinate that stays."""

    def __init__(self, k, scale, shift):
        super().__init__()
        self.stays, self.knobs = alternating_mask(2, k), (scale, shift)

    def conditioner(self, stay):
        scale, shift = self.knobs
        return torch.cat([shift * (1.2 * stay).sin(), scale * (1.2 * stay).cos()], 1)

    def forward(self, z, cond=None):
        move = lambda v, knobs: affine_forward(v, knobs[..., 0], knobs[..., 1])
        return couple(move, self.conditioner, z, self.stays)

    def inverse(self, x, cond=None):
        move = lambda v, knobs: affine_inverse(v, knobs[..., 0], knobs[..., 1])
        return couple(move, self.conditioner, x, self.stays)


def lattice(side):
    """A square of places, row by row from the bottom."""
    return torch.cartesian_prod(side, side).flip(1)


EDGE = torch.linspace(-2.2, 2.2, 41, dtype=torch.float64)
CORNERS, CENTRES = lattice(EDGE), lattice((EDGE[1:] + EDGE[:-1]) / 2)
PLACES = lattice(torch.linspace(-3.6, 3.6, 60, dtype=torch.float64))


def expected(settings):
    knobs = SHAPES.get(settings["shape"], settings["knobs"])
    parts = [min(1.0, max(0.0, settings["walked"] - k)) for k in range(4)]
    knobs = [[part * v for v in knobs[2 * k : 2 * k + 2]] for k, part in enumerate(parts)]
    flow = Flow(StandardNormal((2,)), [Layer(k, *pair) for k, pair in enumerate(knobs)])
    at = torch.tensor([settings["at"]], dtype=torch.float64)
    *_, (corners, _) = push_forward(flow.transforms, CORNERS)
    *_, (_, area) = push_forward(flow.transforms, CENTRES)
    *_, (mark, _) = push_forward(flow.transforms, at)
    by_autograd = torch.autograd.functional.jacobian(
        lambda z: list(push_forward(flow.transforms, z))[-1][0][0], at
    )
    return {
        "layers": knobs, "corners": corners.flatten(), "area": area,
        "density": flow.log_prob(PLACES).exp(), "mark": mark[0],
        "logDet": torch.linalg.slogdet(by_autograd[:, 0])[1], "here": flow.log_prob(mark)[0].exp(),
        "before": (-at.square().sum() / 2).exp() / (2 * math.pi),
    }  # fmt: skip
