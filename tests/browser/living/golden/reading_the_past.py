"""Lesson 02's reading of a 5 x 5 picture, with genlab's attention."""

import math

import torch

from genlab.nn.attention import attention, attention_weights

SIDE, ASKED = 5, 14
HIDDEN = {"stage": lambda rng: rng.uniform(0, 8)}
INK = torch.tensor(
    [[0.1, 0.8, 1, 0.7, 0], [0.3, 0.2, 0.1, 0.9, 0.2], [0, 0, 0.5, 0.8, 0],
     [0, 0.4, 0.9, 0.2, 0], [0.3, 1, 1, 0.9, 0.8]], dtype=torch.float64,
).flatten()  # fmt: skip
N = SIDE**2


def clock(row, column):
    """Places on two clocks of ten hours, hands three long, `(n, 4)`."""
    angles = 2 * math.pi / 10 * torch.stack([row, row, column, column], 1).double()
    return 3 * torch.stack([f(angles[:, k]) for k, f in enumerate((torch.cos, torch.sin) * 2)], 1)


def expected(settings):
    row, column = torch.arange(N) // SIDE, torch.arange(N) % SIDE
    q, k = clock(row - 1, column), torch.zeros(N, 4, dtype=torch.float64)
    k[1:] = clock(row, column)[:-1]
    v = torch.cat([INK.new_zeros(1), INK[:-1]])[:, None]
    visible = torch.ones(N, N).tril().bool()
    q, k, v = (x[None, None] for x in (q, k, v))
    every = torch.zeros_like(q)  # equal scores: the plain mean
    i = ASKED - 1
    return {
        "open": torch.ones(N, N).tril(-1 if settings["stage"] < 2.5 else 0),
        "means": attention_weights(every, k, visible)[0, 0],
        "weights": attention_weights(q, k, visible)[0, 0],
        "scores": (q[0, 0, i] @ k[0, 0].T / 2)[:ASKED],
        "output": attention(q, k, v, visible)[0, 0, i, 0],
        "average": attention(every, k, v, visible)[0, 0, i, 0],
        "drawn": round(N * min(1.0, max(0.0, settings["stage"] - 7))),
    }
