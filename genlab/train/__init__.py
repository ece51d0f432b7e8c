"""Training as an iterator: one record a step, so that a bar, a curve or a test can watch it.

`fit` minimises a loss and `fit_adversarial` plays a game; both return a `Run`, which can be stopped
at any step, stored, and taken up again with the same result. Lesson: every lesson from 01 on.
"""

from genlab.train.fit import (
    AdversarialModule,
    Batch,
    Minibatches,
    Rate,
    Record,
    Run,
    Stateful,
    TrainableModule,
    cosine,
    fit,
    fit_adversarial,
    hold_then_cosine,
    minibatches,
)
from genlab.train.resume import Checkpoint, resumable

__all__ = [
    "AdversarialModule",
    "Batch",
    "Checkpoint",
    "Minibatches",
    "Rate",
    "Record",
    "Run",
    "Stateful",
    "TrainableModule",
    "cosine",
    "fit",
    "fit_adversarial",
    "hold_then_cosine",
    "minibatches",
    "resumable",
]
