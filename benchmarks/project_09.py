"""Lesson 09's project: twelve sealed boxes.

python benchmarks/project_09.py --seal 1        write boxes_1.pt, a list of 12 boxes (200, 1, 8, 8)
python benchmarks/project_09.py --open 1        print what was in them
python benchmarks/project_09.py --ours 1 2 3    our own rules, and how many boxes they name
"""

import argparse
from collections.abc import Callable

import torch
from sklearn.linear_model import LogisticRegression
from sklearn.mixture import GaussianMixture
from torch import Tensor

from genlab.data.digits import load_digits
from genlab.metrics.calibration import binomial_interval, classifier_two_sample_test
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import blur, load_classifier, only_classes
from genlab_course.exercises.lesson_09 import attack, nearer_to_training, shifted

N, N_BOXES = 200, 12
NAMES = (
    "real", "copies", "moved copies", "half copies", "noise", "blur", "five classes",
    "one picture a class", "mixture", "tuned static", "static",
)  # fmt: skip


def digits() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Training digits and labels, digits put aside for the boxes and labels, held-out digits."""
    images, labels = load_digits("train")
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(9))
    held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
    spare = order[:400]
    train = order[400:]
    own = images[train].double(), labels[train], images[spare].double(), labels[spare]
    return *own, held_out.double()


def boxes(seed: int) -> tuple[list[Tensor], list[str]]:
    """Twelve boxes and what they hold, both in the order that belongs to the seed."""
    torch.set_default_dtype(torch.float64)
    g = torch.Generator().manual_seed(1000 + seed)
    train, labels, spare, spare_labels, _ = digits()
    net = load_classifier()

    def some(of: Tensor) -> Tensor:
        return of[torch.randperm(len(of), generator=g)[:N]]

    def mixed() -> Tensor:
        mixture = GaussianMixture(10, reg_covar=1.0, max_iter=30, tol=1e-2, random_state=seed)
        mixture.fit(train.flatten(1).numpy())
        return torch.tensor(mixture.sample(N)[0]).reshape(N, 1, 8, 8).round().clamp(0, 16)

    def static() -> Tensor:
        return torch.randint(0, 17, (N, 1, 8, 8), generator=g).double()

    target = net.features(train)
    make: dict[str, Callable[[], Tensor]] = {
        "real": lambda: some(spare),
        "copies": lambda: some(train),
        "moved copies": lambda: shifted(some(train), 1, 0),
        "half copies": lambda: torch.cat([some(train)[: N // 2], some(spare)[: N // 2]]),
        "noise": lambda: (
            (some(spare) + 2 * torch.randn(N, 1, 8, 8, generator=g)).round().clamp(0, 16)
        ),
        "blur": lambda: blur(some(spare), 0.6).round().clamp(0, 16),
        "five classes": lambda: some(spare[only_classes(spare_labels, 5)]),
        "one picture a class": lambda: train[
            torch.stack([(labels == c).nonzero()[0, 0] for c in range(10)])
        ].repeat(N // 10, 1, 1, 1),
        "mixture": mixed,
        "tuned static": lambda: attack(
            static(), lambda box: frechet_distance(target, net.features(box)), 50
        ),
        "static": static,
    }
    kinds = ["real", *NAMES]
    kinds = [kinds[i] for i in torch.randperm(N_BOXES, generator=g)]
    return [make[kind]() for kind in kinds], kinds


def ours(box: Tensor) -> str:
    """Name a box, the surest probe first; each accusation beyond the 99 % interval or p < 0.01."""
    train, *_, held_out = digits()
    net = load_classifier()
    sure, guess = net.probs(box).detach().max(1)
    if len(box.flatten(1).unique(dim=0)) < N / 4:
        return "one picture a class"
    if box[..., 0].mean() > 3:  # ink where no digit has any
        near = float(frechet_distance(net.features(held_out), net.features(box)).detach())
        return "tuned static" if near < 1 else "static"
    exact = (torch.cdist(box.flatten(1), train.flatten(1)).amin(1) == 0).double().mean()
    if exact > 0.1:
        return "copies" if exact > 0.9 else "half copies"
    near = round(float(nearer_to_training(box, train, held_out)) * N)
    if binomial_interval(near, N, level=0.99).low > 0.9:
        return "moved copies"
    few = int((guess < 5).sum())
    if binomial_interval(few, N, level=0.99).low > 0.7:
        return "five classes"
    rough = box.diff(dim=-1).abs().mean() / held_out.diff(dim=-1).abs().mean()
    if rough < 0.85:
        return "blur"
    unsure = int((sure < 0.9).sum())
    g = torch.Generator().manual_seed(0)
    rows = torch.randperm(len(held_out), generator=g)[:N]
    sides = held_out[rows].flatten(1) / 16, box.flatten(1) / 16
    test = classifier_two_sample_test(*sides, LogisticRegression(max_iter=2000), generator=g)
    if test.p_value < 0.01:
        return "mixture" if binomial_interval(unsure, N, level=0.99).low > 0.06 else "noise"
    return "real"


def main() -> None:
    """Write boxes, open them, or let our rules name them."""
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--seal", "--open"):
        parser.add_argument(flag, type=int)
    parser.add_argument("--ours", type=int, nargs="+", default=[])
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.seal is not None:
        torch.save(boxes(given.seal)[0], f"boxes_{given.seal}.pt")
    if given.open is not None:
        print("\n".join(boxes(given.open)[1]))
    for seed in given.ours:
        sealed, kinds = boxes(seed)
        named = [ours(box) for box in sealed]
        right = sum(a == b for a, b in zip(named, kinds, strict=True))
        wrong = [f"{b} for {a}" for a, b in zip(kinds, named, strict=True) if a != b]
        print(f"seed {seed}: {right} of {N_BOXES}; {', '.join(wrong) or 'none wrong'}", flush=True)


if __name__ == "__main__":
    main()
