"""Cost of one more token at position 448 beside position 64, with the cache and without.

    python benchmarks/decoding.py

The shipped language model, one thread; the ratio of two medians measured alternately in one run.
The issue's bound is 1.3 for the cached loop. Multiplications are exact; seconds are the
processor's, which other programs on the machine do not lengthen.
"""

import statistics
import time

import torch

from genlab.autoregressive.decoding import multiplications
from genlab.zoo import load_model

NEAR, FAR, ROUNDS = 64, 448, 200


def main():
    """Print both ratios."""
    torch.set_num_threads(1)
    model = load_model("language_model", dtype=torch.float32)
    config, k = model.lm.net.config, model.lm.net.n_tokens
    tokens = torch.randint(1024, (1, FAR), generator=torch.Generator().manual_seed(0))
    new = tokens[:, :1]
    with torch.no_grad():
        caches = {n: model.lm.extend(tokens[:, : n - 1])[1] for n in (NEAR, FAR)}
        times = {("cache", n): [] for n in caches} | {("naive", n): [] for n in caches}
        for round_ in range(ROUNDS):
            for n, cache in caches.items():
                start = time.process_time()
                model.lm.extend(new, cache)
                times["cache", n].append(time.process_time() - start)
                if round_ % 10 == 0:
                    start = time.process_time()
                    model.lm.next_logits(tokens[:, :n])
                    times["naive", n].append(time.process_time() - start)
    counts = {
        "cache": [multiplications(config, k, 1, n - 1) for n in (NEAR, FAR)],
        "naive": [multiplications(config, k, n) for n in (NEAR, FAR)],
    }
    print(f"{'loop':<8}{'ms at 64':>10}{'ms at 448':>11}{'ratio':>8}{'multiplications':>17}")
    for loop, (few, many) in counts.items():
        near, far = (1000 * statistics.median(times[loop, n]) for n in (NEAR, FAR))
        print(f"{loop:<8}{near:>10.2f}{far:>11.2f}{far / near:>8.2f}{many / few:>16.2f}x")


if __name__ == "__main__":
    main()
