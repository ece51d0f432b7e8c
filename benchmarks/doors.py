"""What the check of shapes at the public API costs: python benchmarks/doors.py.

Each call with the check and without it, in turns in one process with one thread, by the processor's
clock; printed are medians of the paired differences and of the ratios.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import time
from collections.abc import Callable

import torch

from genlab.autoregressive.decoding import generate_cached
from genlab.autoregressive.lm import TransformerLM
from genlab.core import checked, last, normal_log_prob
from genlab.nn.transformer import TransformerConfig
from genlab.score.diffusion import ddpm_loss
from genlab.score.edm import EDM
from genlab.score.flow_matching import TimedMLP

ROUNDS = 200


def seconds(call: Callable[[], object], n: int) -> float:
    """Processor time of one call."""
    begin = time.process_time()
    for _ in range(n):
        call()
    return (time.process_time() - begin) / n


def without_check(call: Callable[[], object], n: int) -> float:
    """As if the call came from within another one."""
    checked._state.inside = True
    try:
        return seconds(call, n)
    finally:
        checked._state.inside = False


def nothing(x_t: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """Stand for a network: the noisy data themselves."""
    return x_t


def compare(name: str, call: Callable[[], object], n: int, rounds: int = ROUNDS) -> None:
    """Print what the check adds to one call, in microseconds and as a ratio."""
    call()
    pairs = []
    for k in range(rounds):  # who goes first changes from round to round
        first, second = (seconds, without_check) if k % 2 else (without_check, seconds)
        times = {how: how(call, n) for how in (first, second)}
        pairs.append((times[seconds], times[without_check]))
    added = statistics.median(a - b for a, b in pairs) * 1e6
    ratio = statistics.median(a / b for a, b in pairs)
    base = statistics.median(b for _, b in pairs) * 1e6
    print(f"{name:34s} {base:10.1f} us, with the check {added:+8.1f} us, ratio {ratio:.4f}")


def main() -> None:
    """Two kernels, a sampler and a decoder."""
    torch.manual_seed(0)
    x, t, table = torch.randn(64, 2), torch.randint(0, 10, (64,)), torch.linspace(0.9, 0.1, 10)
    compare("normal_log_prob, (64, 2)", lambda: normal_log_prob(x, x, 1.0), 50)
    compare("ddpm_loss, no network", lambda: ddpm_loss(nothing, x, t, x, alphas_bar=table), 50)
    model = EDM(TimedMLP(2), event_shape=(2,), sigma_data=1.0)
    compare("EDM.sample, 18 steps of an MLP", lambda: model.sample(64), 1, 100)
    config = TransformerConfig(d_model=64, n_layer=2, n_head=4, n_kv_head=2)
    lm = TransformerLM(50, 80, config)
    begin = torch.zeros(1, 1, dtype=torch.int64)
    compare("64 tokens by cache", lambda: last(generate_cached(lm.extend, begin, 64)), 1, 60)


if __name__ == "__main__":
    main()
