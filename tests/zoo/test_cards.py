"""The figures of a card: measured in one way, and right where the answer is known."""

import math

import pytest
import torch

from genlab.data.digits import load_digits
from genlab.zoo.cards import digest, digit_distance, held_out_bits


class Uniform:
    """Every one of 17 levels is equally likely."""

    def log_prob(self, x):
        return torch.full((len(x),), -x[0].numel() * math.log(17))


class Bound:
    """A bound that misses by an exponential draw of mean 1 nat."""

    def elbo(self, x, *, generator=None):
        return -(torch.rand(len(x), generator=generator).log().neg() + 2)


def test_a_model_that_knows_nothing_needs_log2_17_bits():
    figures = held_out_bits(Uniform(), load_digits("test").images)
    assert figures == {"bits_per_dim": pytest.approx(math.log2(17)), "kind": "exact"}


def test_a_bound_is_averaged_over_its_draws_and_says_that_it_is_one():
    figures = held_out_bits(Bound(), torch.zeros(500, 4), n_draws=20)
    assert figures["kind"] == "bound"
    nats = figures["bits_per_dim"] * 4 * math.log(2)
    assert abs(nats - 3) < 5 / math.sqrt(20 * 500)  # the draws have standard deviation 1


def test_real_images_are_near_the_held_out_ones_and_noise_is_far():
    train = load_digits("train").images

    def real(n, generator):
        return train[torch.randperm(len(train), generator=generator)[:n]]

    def noise(n, generator):
        return torch.randint(17, (n, 64), generator=generator)

    assert 0.05 < digit_distance(real)["frechet"] < 0.15
    assert digit_distance(noise)["frechet"] > 5


@pytest.mark.parametrize(
    "other",
    [torch.arange(5), torch.arange(6).flip(0), torch.arange(6).reshape(2, 3)],
    ids=["fewer", "another order", "another shape"],
)
def test_other_data_have_another_name(other):
    assert digest(other) != digest(torch.arange(6))
