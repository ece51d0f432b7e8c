"""Lesson 02's transformer with one part switched off: bits per dimension on the test digits.

    python benchmarks/switched_off.py

The page's network and training loop, 500 steps, three seeds for each row.
"""

import math

import torch
import torch.nn.functional as F  # noqa: F401 - of the page
from page import define
from torch import nn  # noqa: F401 - of the page

from genlab.core import make_generator  # noqa: F401 - of the page
from genlab.data.digits import load_digits
from genlab.nn.attention import join_heads, split_heads  # noqa: F401 - of the page
from genlab_course.exercises.lesson_02 import causal_mask
from genlab_course.exercises.lesson_02 import next_token_loss as loss
from genlab_course.exercises.lesson_02 import read as attend

SEEDS = 2, 3, 4
visible = causal_mask(64) > 0
read = attend

OF_PAGE = "Block", "Transformer", "train"
define("02_autoregressive", OF_PAGE, globals())


def plain_mean(q, k, v, mask):
    """Every score 0: the mean of all values so far."""
    return attend(0 * q, k, v, mask)


def without_the_root(q, k, v, mask):
    """Scores that are not divided by the root of d."""
    return attend(q * math.sqrt(q.shape[-1]), k, v, mask)


def without_positions(network):
    """No vector for a position, and none to be learned."""
    network.place.requires_grad_(False).zero_()


def beginning_alone(network):
    """No vector for a position but the first, which marks the beginning."""
    first = torch.zeros_like(network.place)
    first[0] = 1.0
    network.place.data.mul_(first)
    network.place.register_hook(lambda grad: grad * first)


def one_pixel(q, k, v, mask):
    """Each position reads its own token alone: the pixel before."""
    t, s = q.shape[-2], k.shape[-2]
    return attend(q, k, v, torch.eye(s, dtype=torch.bool)[s - t :])


def with_one_head(network):
    """One softmax over all 32 features."""
    for block in network.blocks:
        block.n_head = 1


ROWS = {
    "as it stands": {},
    "plain mean": {"reader": plain_mean},
    "no positions": {"change": without_positions},
    "beginning alone": {"change": beginning_alone},
    "one pixel": {"reader": one_pixel},
    "one head": {"change": with_one_head},
    "no root of d": {"reader": without_the_root},
    "one block": {"n_block": 1},
}


def bits(seed, reader=attend, change=lambda network: None, n_block=2):
    """Train one network and return its bits per dimension on the test digits."""
    global read  # the page's Block calls it
    read = reader
    torch.manual_seed(seed)
    network = Transformer(17, 64, n_block=n_block)  # noqa: F821 - of the page
    change(network)
    train(network, train_x, n_steps=500, batch_size=16, seed=seed)  # noqa: F821 - of the page
    with torch.no_grad():
        return loss(network(test_x), test_x).item() / math.log(2)


train_x, test_x = (load_digits(part).images.flatten(1) for part in ("train", "test"))


def main():
    """Print one line a row: the bits of every seed."""
    torch.set_num_threads(1)
    for name, switches in ROWS.items():
        found = [bits(seed, **switches) for seed in SEEDS]
        print(f"{name:15}", *(f"{value:.3f}" for value in found), flush=True)


if __name__ == "__main__":
    main()
