"""Lesson 02's writers: sentences correct at the end, predicted from true prefixes and written.

    python benchmarks/exposure_bias.py

Twelve trainings of 60 steps of the page's transformer with the page's loop, 4,000 true sentences
and 4,000 written ones each. Predicted minus written is what the writer's own prefixes cost.
"""

import math

import torch
import torch.nn.functional as F  # noqa: F401 - of the page
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab.core import make_generator
from genlab.data.text import Grammar
from genlab.nn.attention import join_heads, split_heads  # noqa: F401 - of the page
from genlab_course.exercises.lesson_02 import causal_mask, read, sample  # noqa: F401 - of the page
from genlab_course.exercises.lesson_02 import next_token_loss as loss  # noqa: F401 - of the page

SEEDS, N = range(1, 13), 4000
visible = causal_mask(64) > 0

OF_PAGE = "Block", "Transformer", "train", "writer", "correct_so_far"
define("02_autoregressive", OF_PAGE, globals())

grammar = Grammar()
sentences = grammar.sample(8000, generator=make_generator(1))


def main():
    """Print both fractions for every seed, then the mean of the differences with its error."""
    torch.set_num_threads(1)
    true = grammar.sample(N, generator=make_generator(9))
    impossible = grammar.next_probs(true) == 0
    blanks, gaps = torch.zeros(N, grammar.max_length, dtype=torch.int64), []
    for seed in SEEDS:
        network = writer(seed)  # noqa: F821 - of the page
        with torch.no_grad():
            epsilon = (network(true).softmax(-1) * impossible).sum(-1)
        predicted = (1 - epsilon).prod(1).mean().item()
        text = sample(network, blanks, 0, make_generator(seed))
        written = correct_so_far(text)[-1].item()  # noqa: F821 - of the page
        gaps.append(predicted - written)
        print(f"seed {seed}: predicted {predicted:.3f}, written {written:.3f}", flush=True)
    gap = torch.tensor(gaps)
    error = gap.std() / math.sqrt(len(gap))
    print(f"predicted - written: {gap.mean():.4f} +- {error:.4f}, largest {gap.max():.3f}")


if __name__ == "__main__":
    main()
