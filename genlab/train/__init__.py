"""Training as an iterator: one record a step, so that a bar, a curve or a test can watch it.

`fit` minimises a loss and `fit_adversarial` plays a game; both return a `Run`, which can be stopped
at any step, stored, and taken up again with the same result. Lesson: every lesson from 01 on.
"""

from genlab.train.batches import Minibatches, minibatches
from genlab.train.checkpoint import Checkpoint, resumable
from genlab.train.loops import fit, fit_adversarial
from genlab.train.rates import cosine, hold_then_cosine
from genlab.train.records import (
    AdversarialModule,
    Batch,
    Rate,
    Record,
    Stateful,
    TrainableModule,
)
from genlab.train.run import Run

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
