"""Recipe of the feature network: `python -m genlab.systems.digit_features` rewrites its weights.

The training runs in double precision, so that another machine, or another number of threads,
arrives at the same weights up to rounding to single precision; it takes a few seconds. Only
the training part of the digits is used; validation and test are measured once, at the end.

Lesson: notebooks/09_evaluation.ipynb
"""

import argparse
import time
from pathlib import Path

import torch

from genlab.core.rng import make_generator
from genlab.core.weights import save_weights
from genlab.data.digits import Split, load_digits
from genlab.metrics.features import RECIPE, WEIGHTS, DigitClassifier
from genlab.train import cosine, fit, minibatches

N_STEPS = 1000
BATCH_SIZE = 128
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.01
SEED = 0


def new_digit_classifier(seed: int) -> DigitClassifier:
    """Initialise the network from a seed, in double precision, without touching global noise.

    Args:
        seed: of the initial weights.

    Returns:
        An untrained network.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DigitClassifier(torch.float64)


def train_digit_classifier(seed: int = SEED, *, n_steps: int = N_STEPS) -> DigitClassifier:
    """Train the feature network on the training part of the digits.

    Args:
        seed: decides initial weights, order of the images and noise.
        n_steps: gradient steps; the learning rate falls to zero over them.

    Returns:
        The trained network, double precision, evaluation mode, no gradients.

    Raises:
        ValueError: `n_steps` is not positive.

    Lesson: notebooks/09_evaluation.ipynb
    """
    net, generator = new_digit_classifier(seed), make_generator(seed)
    images, labels = load_digits("train")
    batches = minibatches(images, BATCH_SIZE, cond=labels, generator=generator)
    rate = cosine(LEARNING_RATE, n_steps)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # batches this small are slower when threads wait for each other
    try:
        for _ in fit(
            net, batches, n_steps=n_steps, lr=rate, generator=generator, weight_decay=WEIGHT_DECAY
        ):
            pass
    finally:
        torch.set_num_threads(threads)
    net.set_scale(images)
    return net.eval().requires_grad_(False)


def accuracy(net: DigitClassifier, split: Split) -> float:
    """Share of the images of one part whose digit is recognised.

    Args:
        net: the classifier.
        split: "train", "val" or "test".

    Returns:
        A share in [0, 1].
    """
    images, labels = load_digits(split)
    return float((net(images).argmax(1) == labels).double().mean())


def main() -> None:
    """Train, measure, and write weights and card."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write")
    path: Path = parser.parse_args().out
    start = time.perf_counter()
    net = train_digit_classifier(SEED)
    seconds = time.perf_counter() - start
    splits: tuple[Split, ...] = ("train", "val", "test")
    save_weights(
        net,
        path,
        {
            "model": "genlab.metrics.features.DigitClassifier",
            "recipe": RECIPE,
            "what": "conv 16 - conv 32 (stride 2) - 32 features - 10 logits, SiLU; "
            "AdamW, cosine rate, pixel noise 0.2",
            "seed": SEED,
            "steps": N_STEPS,
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "weight_decay": WEIGHT_DECAY,
            "data": "genlab.data.digits, part 'train' (1,397 images of 8 x 8, 17 grey levels)",
            "metrics": {f"accuracy_{split}": round(accuracy(net, split), 4) for split in splits},
            "seconds": round(seconds, 1),
        },
    )
    print(f"wrote {path.name} and {path.with_suffix('.json').name}")


if __name__ == "__main__":
    main()
