"""Training as an iterator of records: `fit` minimises a loss, `fit_adversarial` plays a game."""

from genlab.train.fit import EMA, Hooks, Record, Run, cosine, fit, fit_adversarial, minibatches

__all__ = ["EMA", "Hooks", "Record", "Run", "cosine", "fit", "fit_adversarial", "minibatches"]
