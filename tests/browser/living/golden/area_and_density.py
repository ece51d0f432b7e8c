"""Lesson 04's tiny case and two bent couplings, as flows of genlab."""

import math

import torch

from genlab.flow.coupling import alternating_mask, couple
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.transforms import affine_forward, affine_inverse, push_forward

HIDDEN = {"stage": lambda rng: rng.uniform(0, 8)}
Z = torch.tensor([[0.5, 1.0]], dtype=torch.float64)


class Layer(torch.nn.Module):
    """An affine coupling of genlab: log-scale and shift are functions of the other coordinate."""

    def __init__(self, k, log_scale, shift):
        super().__init__()
        self.stays, self.says = alternating_mask(2, k), (shift, log_scale)

    def conditioner(self, stay):
        return torch.cat([say(stay) for say in self.says], 1)

    def forward(self, z, cond=None):
        move = lambda v, knobs: affine_forward(v, knobs[..., 0], knobs[..., 1])
        return couple(move, self.conditioner, z, self.stays)

    def inverse(self, x, cond=None):
        move = lambda v, knobs: affine_inverse(v, knobs[..., 0], knobs[..., 1])
        return couple(move, self.conditioner, x, self.stays)


def bent(walked):
    """The two couplings of the sheet, `walked` of them, the last in part."""
    one, two = (min(1.0, max(0.0, walked - k)) for k in range(2))
    arch = lambda u: one * (1.1 * (1.2 * u).cos() - 0.4)
    wave = lambda u: two * 0.5 * (1.2 * u).sin()
    return [
        Layer(0, lambda u: one * 0.6 * (1.3 * u).sin(), arch),
        Layer(1, lambda u: two * 0.4 * (1.3 * u).sin(), wave),
    ]


def scaled(k, factor, shift):
    """A layer of the tiny case."""
    return Layer(k, lambda u: torch.full_like(u, math.log(factor)), shift)


TINY = [scaled(1, 2, torch.ones_like), scaled(0, 3, lambda u: u)]


def lattice(side):
    """A square of places, row by row from the bottom."""
    return torch.cartesian_prod(side, side).flip(1)


EDGE = torch.linspace(-2, 2, 21, dtype=torch.float64)
CORNERS, CENTRES = lattice(EDGE), lattice((EDGE[1:] + EDGE[:-1]) / 2)


def pushed(layers, z):
    """Points after all layers, and the log-determinants on the way."""
    *_, found = push_forward(layers, z)
    return found


def pulled(layers, x):
    """The way back, and its log-determinants."""
    total = x.new_zeros(len(x))
    for layer in reversed(layers):
        x, log_det = layer.inverse(x)
        total = total + log_det
    return x, total


def grown(side):
    """How many times the area of a square round z has grown in the first coupling."""
    u = torch.linspace(-side / 2, side / 2, 2001, dtype=torch.float64)
    _, log_det = pushed(bent(1), torch.stack([Z[0, 0] + u, Z[0, 1].expand(2001)], 1))
    return torch.trapezoid(log_det.exp(), u) / side


def account(layers, x):
    """Of some layers and their outcome: log p(z), and what each layer takes, the last first."""
    parts = []
    for layer in reversed(layers):
        x, log_det = layer.inverse(x)
        parts.append(log_det)
    return Flow(StandardNormal((2,)), []).log_prob(x)[0], [part[0] for part in parts[::-1]]


def sums():
    """For each stage with a sum: what z brings, what the layers take, as they are shown."""
    zero, line = Z.new_zeros(()), Flow(StandardNormal((1,)), [])
    tiny_z, tiny = account(TINY, pushed(TINY, Z)[0])
    one_z, one = account(bent(1)[:1], pushed(bent(1)[:1], Z)[0])
    two_z, two = account(bent(2), pushed(bent(2), Z)[0])
    return torch.stack([torch.stack(row) for row in (
        [line.log_prob(Z[:, :1])[0], tiny[0], zero],
        [tiny_z, sum(tiny), zero],
        [one_z, one[0], zero],
        [two_z, *two],
        [two_z, sum(two), zero],
    )])  # fmt: skip


def sweeps(n):
    """From zeros, all coordinates remade from the last guess (lesson 04, (7))."""
    states = [torch.zeros_like(Z)]
    for _ in range(n):
        guess = states[-1]
        shift = torch.stack([torch.ones(1), guess[:, 0]], 1).double()
        states.append(affine_forward(Z, shift, Z.new_tensor([[2.0, 3.0]]).log())[0])
    return torch.cat(states)


def expected(settings):
    stage, rows = settings["stage"], sums()
    walked = 1.0
    if stage < 4.5:
        walked = min(1.0, max(0.0, stage - 1)) + min(1.0, max(0.0, stage - 2))
    (first, one), (last, two) = pushed(bent(1), Z), pushed(bent(2), Z)
    back, back_area = pulled(bent(2), CORNERS)[0], pulled(bent(2), CENTRES)[1]
    jacobian = torch.autograd.functional.jacobian(lambda z: pushed(bent(1), z[None])[0][0], Z[0])
    k = min(len(rows) - 2, int(stage))
    return {
        "corners": pushed(bent(walked), CORNERS)[0].flatten(),
        "area": pushed(bent(walked), CENTRES)[1],
        "back": back.flatten(), "backArea": back_area, "first": first[0], "last": last[0],
        "home": pulled(bent(2), last)[0][0], "grown": torch.stack([grown(1.0), grown(0.25)]),
        "logs": torch.stack([one[0], two[0] - one[0], pulled(bent(2), last)[1][0]]),
        "tangent": jacobian[1], "tiny": pushed(TINY, Z)[0][0], "sweeps": sweeps(3),
        "sums": torch.lerp(rows[k], rows[k + 1], min(1.0, stage - k)),
    }  # fmt: skip
