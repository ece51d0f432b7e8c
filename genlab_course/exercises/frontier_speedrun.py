"""Exercises of the notebook on the speed-run: Muon, its price, schedules, and a control."""

from typing import Any

import torch
from torch import Tensor

from genlab_course.grading import Exercise, Mistake, bank
from genlab_course.predictions import Prediction

LUCK = Prediction(id="speed.predict-luck", between=(0, 100), unit="% below the mean")
NOISE = Prediction(id="speed.predict-noise", between=(0.01, 100))
KEPT = Prediction(id="speed.predict-control", between=(-100, 100), unit="% of the gain")

FLOOR = Exercise(
    id="speed.floor",
    right=0.064,
    mistakes=Mistake.pairs(
        0.032,
        "Both means are random, not one.",
        0.002,
        "That is one coordinate of the 32.",
        0.253,
        "The Fréchet distance adds the squared distance of the means: no root.",
    ),
)


def newton_schulz(g: torch.Tensor, n_steps: int = 5) -> torch.Tensor:
    """Bring the singular values of a matrix near 1, and leave its directions."""
    x = g / g.norm()
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


G = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


def took_the_classical_coefficients(g, n_steps):
    x = g / g.norm()
    for _ in range(n_steps):
        x = 1.5 * x - 0.5 * x @ x.mT @ x
    return x


def raised_the_entries_to_powers(g, n_steps):
    x = g / g.norm()
    for _ in range(n_steps):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    return x


def divided_by_the_spectral_norm(g, n_steps):
    x = g / torch.linalg.matrix_norm(g, 2)
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


def multiplied_by_the_norm_again(g, n_steps):
    x = g / g.norm()
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x * g.norm()


def took_the_decomposition(g, n_steps):
    u, _, vt = torch.linalg.svd(g, full_matrices=False)
    return u @ vt


def did_not_divide(g, n_steps):
    x = g
    for _ in range(n_steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x


ROOTS = Exercise(
    id="speed.newton-schulz",
    right=newton_schulz,
    cases=((G[0], 1), (G[1], 5)),
    mistakes=Mistake.pairs(
        took_the_classical_coefficients,
        "These are the classical coefficients, slow at the start: take the three of the text.",
        raised_the_entries_to_powers,
        "You raised each entry to a power; the powers are those of matrices, X X^T X.",
        divided_by_the_spectral_norm,
        "You divided by the spectral norm; the Frobenius norm, which the text takes, needs no SVD.",
        multiplied_by_the_norm_again,
        "Do not multiply by the norm again.",
        took_the_decomposition,
        "That is (2) by a decomposition. Write (3), which needs products only and ends near it.",
        did_not_divide,
        "Divide by the Frobenius norm first: singular values above 1 run away.",
    ),
)


def muon_step(grad: Tensor, m: Tensor, mu: float = 0.95) -> tuple[Tensor, Tensor]:
    """The step of Muon for a kernel or a matrix, before the rate, and the new average."""
    m = mu * m + (1 - mu) * grad
    ahead = mu * m + (1 - mu) * grad
    matrix = ahead.flatten(1)
    size = 0.2 * max(matrix.shape) ** 0.5
    return size * newton_schulz(matrix).view_as(grad), m


_K = torch.Generator().manual_seed(4)
_KERNELS = torch.randn(2, 4, 2, 3, 3, generator=_K, dtype=torch.float64)
_MATRICES = torch.randn(2, 3, 5, generator=_K, dtype=torch.float64)


def did_not_look_ahead(grad, m, mu):
    m = mu * m + (1 - mu) * grad
    matrix = m.flatten(1)
    size = 0.2 * max(matrix.shape) ** 0.5
    return size * newton_schulz(matrix).view_as(grad), m


def orthogonalised_before_averaging(grad, m, mu):
    size = 0.2 * max(grad.flatten(1).shape) ** 0.5
    step = size * newton_schulz(grad.flatten(1)).view_as(grad)
    m = mu * m + (1 - mu) * step
    return mu * m + (1 - mu) * step, m


def summed_the_gradients(grad, m, mu):
    m = mu * m + grad
    ahead = mu * m + grad
    matrix = ahead.flatten(1)
    size = 0.2 * max(matrix.shape) ** 0.5
    return size * newton_schulz(matrix).view_as(grad), m


def scaled_with_the_smaller_side(grad, m, mu):
    m = mu * m + (1 - mu) * grad
    ahead = mu * m + (1 - mu) * grad
    matrix = ahead.flatten(1)
    size = 0.2 * min(matrix.shape) ** 0.5
    return size * newton_schulz(matrix).view_as(grad), m


def forgot_the_size(grad, m, mu):
    m = mu * m + (1 - mu) * grad
    ahead = mu * m + (1 - mu) * grad
    return newton_schulz(ahead.flatten(1)).view_as(grad), m


def exchanged_the_two_weights(grad, m, mu):
    m = (1 - mu) * m + mu * grad
    ahead = (1 - mu) * m + mu * grad
    matrix = ahead.flatten(1)
    size = 0.2 * max(matrix.shape) ** 0.5
    return size * newton_schulz(matrix).view_as(grad), m


def left_the_root_out(grad, m, mu):
    m = mu * m + (1 - mu) * grad
    ahead = mu * m + (1 - mu) * grad
    return 0.2 * newton_schulz(ahead.flatten(1)).view_as(grad), m


def used_the_gradient_alone(grad, m, mu):
    m = mu * m + (1 - mu) * grad
    matrix = grad.flatten(1)
    size = 0.2 * max(matrix.shape) ** 0.5
    return size * newton_schulz(matrix).view_as(grad), m


def measured_the_kernel(grad, m, mu):
    m = mu * m + (1 - mu) * grad
    ahead = mu * m + (1 - mu) * grad
    size = 0.2 * max(grad.shape) ** 0.5
    return size * newton_schulz(ahead.flatten(1)).view_as(grad), m


STEP = Exercise(
    id="speed.muon-step",
    right=muon_step,
    cases=((_KERNELS[0], _KERNELS[1], 0.95), (_MATRICES[0], _MATRICES[1], 0.8)),
    mistakes=Mistake.pairs(
        did_not_look_ahead,
        "Your average is right, but the step uses it as it is: blend in the gradient once more.",
        orthogonalised_before_averaging,
        "You made each gradient orthogonal and then averaged. Average first: it removes noise.",
        summed_the_gradients,
        "You add the gradient with weight 1: in an average it has the weight 1 - mu.",
        scaled_with_the_smaller_side,
        "The size of the step asks for the longer side of the flattened matrix.",
        forgot_the_size,
        "The directions are right; the size 0.2 sqrt(longer side) is missing.",
        left_the_root_out,
        "The size is 0.2 times the root of the longer side; the root is missing.",
        used_the_gradient_alone,
        "Your average is right, but the step does not use it.",
        measured_the_kernel,
        "The longer side is that of the flattened matrix, not of the kernel.",
        exchanged_the_two_weights,
        "The old average keeps the weight mu, and the new gradient gets 1 - mu.",
    ),
)
PRICE = Exercise(
    id="speed.price",
    right=5 * (4 * 48**2 * 432 + 2 * 48**3) / (6 * 48 * 432 * 64 * 64),
    mistakes=Mistake.pairs(
        5 * (4 * 48**2 * 432 + 2 * 48**3) / (6 * 48 * 432 * 64),
        "64 is the batch alone. At how many positions is the kernel used in each picture?",
        (4 * 48**2 * 432 + 2 * 48**3) / (6 * 48 * 432 * 64 * 64),
        "That is one iteration; Muon takes five.",
        5 * (4 * 48**2 * 432 + 2 * 48**3) / (2 * 48 * 432 * 64 * 64),
        "That compares with the forward pass alone; the gradient costs two more products.",
        100 * 5 * (4 * 48**2 * 432 + 2 * 48**3) / (6 * 48 * 432 * 64 * 64),
        "Give a fraction, not per cent.",
        5 * 6 * 48**2 * 432 / (6 * 48 * 432 * 64 * 64),
        "Not all three products are alike: X X^T times itself is 48 x 48 times 48 x 48.",
    ),
)


def rate(part: float, rise: float = 0.03, fall: float = 0.5) -> float:
    """The rate over its peak: up in the first `rise` of the time, down to 0 in the last `fall`."""
    return min(1.0, part / rise, (1 - part) / fall)


RATE = Exercise(
    id="speed.rate",
    right=rate,
    cases=((0.01, 0.03, 0.5), (0.05, 0.2, 0.3), (0.4, 0.1, 0.3), (0.9, 0.1, 0.2)),
    mistakes=Mistake.pairs(
        lambda part, rise, fall: max(part / rise, 1) * (1 - part) / fall,
        "At fall = 0.5 it starts at 2 and climbs far above 1: take min, not max.",
        lambda part, rise, fall: min(part / rise, 1) * (1 - part) / fall,
        "It exceeds 1: a product has no ceiling.",
        lambda part, rise, fall: min(1, part / rise, 1 - part),
        "It falls at once; first it should stay at 1.",
        lambda part, rise, fall: min(1, part / rise, (1 - part) / (1 - fall)),
        "It falls too long.",
    ),
)
SHIFT = Exercise(
    id="speed.shift",
    right="hurts",
    synonyms={"hurt": "hurts", "it hurts": "hurts", "help": "helps", "it helps": "helps"},
    mistakes=Mistake.pairs(
        "helps",
        "With Muon it does. But after 200 steps AdamW's network has learnt less.",
        "nothing",
        "It matters a great deal: in ten seeds of ten the sign is the same.",
        "depends",
        "In ten seeds of ten the sign is the same: say which.",
    ),
)
DECAY = Exercise(
    id="speed.memory",
    right=1790.0,
    rtol=1e-3,
    mistakes=Mistake.pairs(
        4490.0,
        "From there on 0.998 itself is in force. But the two runs part earlier: where?",
        200.0,
        "That is the horizon of 0.995. Which decay is in force at step 200?",
        500.0,
        "That is the horizon of 0.998. Which decay is in force at step 500?",
        400.0,
        "That is how long our runs are. Do the averages differ by then? Solve for k.",
        0.0,
        "At the start the ramp is lower than both settings: the two averages are the same.",
    ),
)

MUON_ROW = {
    "optimizer": "Muon", "rate": 0.005, "clip": None, "beta2": 0.99, "p_drop": 0.0, "p_mean": -1.2,
}  # fmt: skip
LABELS_ROW = MUON_ROW | {"optimizer": "AdamW", "rate": 0.003, "clip": 1.0, "beta2": 0.999}
ONE_LEFT = "One of the three settings is still that of `labels_row`."
NOTHING_NEW = "That is `labels_row`, which was run already."
THE_OTHER = "That run shows Muon without the three settings. What do they do without Muon?"
ALL_OF_IT = "That is `muon_row` itself, with the optimiser whose part is in question."
MORE_CHANGED = "`{key}` is {given!r}; in the two rows it is {former!r} and {new!r}."


def judge_control(answer: Any) -> str:
    """What a planned control would leave open; "" for the one that answers the question."""
    row = dict(answer)
    if set(row) != set(MUON_ROW):
        return f"a recipe has the settings {', '.join(MUON_ROW)}"
    if row == MUON_ROW:
        return ALL_OF_IT
    if row == LABELS_ROW:
        return NOTHING_NEW
    for key, given in row.items():
        if given not in (LABELS_ROW[key], MUON_ROW[key]):
            rows = {"former": LABELS_ROW[key], "new": MUON_ROW[key]}
            return MORE_CHANGED.format(key=key, given=given, **rows)
    if row["optimizer"] == "Muon":
        return THE_OTHER
    return "" if row == CONTROL_ROW else ONE_LEFT


CONTROL_ROW = MUON_ROW | {"optimizer": "AdamW"}
CONTROL = Exercise(
    id="speed.control",
    right=CONTROL_ROW,
    judge=judge_control,
    mistakes=Mistake.pairs(
        MUON_ROW,
        ALL_OF_IT,
        LABELS_ROW,
        NOTHING_NEW,
        LABELS_ROW | {"optimizer": "Muon"},
        THE_OTHER,
        MUON_ROW | {"optimizer": "AdamW", "rate": 0.003},
        ONE_LEFT,
        MUON_ROW | {"optimizer": "AdamW", "p_drop": 0.1},
        MORE_CHANGED.format(key="p_drop", given=0.1, former=0.0, new=0.0),
        MUON_ROW | {"optimizer": "adamw"},
        MORE_CHANGED.format(key="optimizer", given="adamw", former="AdamW", new="Muon"),
        MUON_ROW | {"optimizer": "AdamW", "clip": 0},
        MORE_CHANGED.format(key="clip", given=0, former=1.0, new=None),
    ),
)

EXERCISES = bank(globals())
