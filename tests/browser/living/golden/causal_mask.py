"""The joint law of all 6^8 words as a table: entropies and conditionals by summing it out."""

import graphlib
import heapq
from functools import cache

import numpy as np
import torch
from scipy.sparse.csgraph import connected_components

from genlab.core.stats import entropy
from genlab.nn.attention import causal_mask
from tests.browser.living.replay import Normals

N, K, WORDS = 8, 6, 60
STEP = torch.full((K, K), 0.02, dtype=torch.float64)
STEP[torch.arange(K), (torch.arange(K) + 1) % K] = 0.9
CHANCE = Normals(2)
DRAWS = torch.tensor([CHANCE.uniform() for _ in range(WORDS * N)], dtype=torch.float64)
LOWER = causal_mask(N, N)
PRESETS = {
    "causal": LOWER & LOWER.T.logical_not(), "left neighbour": torch.eye(N).bool().roll(1, 0),
    "diagonal too": LOWER, "all but itself": ~torch.eye(N).bool(),
    "right to left": ~LOWER, "nothing": torch.zeros(N, N).bool(),
}  # fmt: skip
PRESETS["left neighbour"][0] = False


def some_mask(rng):
    """Cells at random, half of the time only those that some hidden order allows."""
    place, density = rng.sample(range(N), N), rng.choice((0.1, 0.3, 0.6))
    free = rng.random() < 0.5
    return [
        int((free or place[j] < place[i]) and rng.random() < density)
        for i in range(N)
        for j in range(N)
    ]


HIDDEN = {"mask": some_mask}


@cache
def table(kept):
    """Joint probabilities of the tokens in a set, (6, ..., 6) in the order of the word."""
    if len(kept) == N:
        joint = torch.full((K,), 1 / K, dtype=torch.float64)
        for _ in range(N - 1):
            joint = joint[..., None] * STEP
        return joint
    gone = next(i for i in range(N) if i not in kept)
    more = sorted({*kept, gone})
    return table(tuple(more)).sum(more.index(gone))


@cache
def surprise(kept):
    return entropy(table(kept).flatten())


def choose(word, i, seen, u):
    """Draw x_i given the tokens seen, from the joint table, by its distribution function."""
    if i in seen:
        return word[:, i]
    kept = tuple(sorted((*seen, i)))
    joint = table(kept).movedim(kept.index(i), -1)
    p = joint[tuple(word[:, j] for j in seen)].expand(len(word), K)
    below = (p / p.sum(-1, keepdim=True)).cumsum(-1)[:, :-1].contiguous()
    return torch.searchsorted(below, u[:, None].contiguous(), right=True)[:, 0]


def reached(mask, layers):
    """Dependences of a linear network with the mask in each layer, by autograd."""
    weights = mask.double()

    def network(x):
        h = weights @ x
        for _ in range(layers - 1):
            h = h + weights @ h
        return h

    return torch.autograd.functional.jacobian(network, torch.zeros(N, dtype=torch.float64)) != 0


def first_order(reach):
    """The first of the topological orders; ValueError (graphlib's): there is none."""
    sorter = graphlib.TopologicalSorter({i: reach[i].nonzero()[:, 0].tolist() for i in range(N)})
    sorter.prepare()
    ready, order = [], []
    while sorter.is_active():
        for i in sorter.get_ready():
            heapq.heappush(ready, i)
        order.append(heapq.heappop(ready))
        sorter.done(order[-1])
    return order


def expected(settings):
    drawn = torch.tensor(settings["mask"]).reshape(N, N).bool()
    mask = PRESETS.get(settings["preset"], drawn)
    reach = reached(mask, settings["layers"])
    _, circle = connected_components(mask.numpy(), connection="strong")
    leak = reach & torch.from_numpy(circle[:, None] == circle)
    try:
        order, honest = first_order(reach), 1
    except graphlib.CycleError:
        order, honest = list(range(N)), 0
    seen = [tuple(row.nonzero()[:, 0].tolist()) for row in reach]
    costs = torch.stack([
        surprise(tuple(sorted({*s, i}))) - surprise(s) if s else surprise((i,))
        for i, s in enumerate(seen)
    ])  # fmt: skip
    words, u = torch.zeros(WORDS, N, dtype=torch.int64), DRAWS.reshape(WORDS, N)
    for i in order:
        words[:, i] = choose(words, i, seen[i], u[:, i])
    follows = ((words.diff(dim=1) - 1) % K == 0).double().mean()
    return {
        "mask": mask.flatten(), "reach": reach.flatten(), "leak": leak.flatten(),
        "honest": honest, "order": np.array(order), "costs": costs, "score": costs.mean(),
        "entropy": surprise(tuple(range(N))) / N, "words": words, "follows": follows,
    }  # fmt: skip
