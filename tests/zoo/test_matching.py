"""The recipe of the score network: its ladder of noise."""

import torch

from genlab.data.digits import load_digits, to_unit
from genlab.score.matching import ladder_overlap
from genlab.zoo import find


def test_the_ladder_starts_at_the_widest_distance_and_its_rungs_overlap_by_half():
    x = to_unit(load_digits("train").images).flatten(1)
    sizes, widest = find("digit_ncsn").sizes, torch.cdist(x, x).max().item()
    assert widest < sizes["sigma_max"] < 1.1 * widest
    ratio = (sizes["sigma_max"] / sizes["sigma_min"]) ** (1 / (sizes["n_levels"] - 1))
    assert 0.4 < ladder_overlap(ratio, 64) < 0.6
