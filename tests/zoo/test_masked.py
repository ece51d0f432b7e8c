"""The recipe of masked diffusion: what it sees, and that some steps help."""

import math

import torch

from genlab.core import last
from genlab.data.digits import load_digits
from genlab.zoo import find

MASKED = find("digit_masked_diffusion").but(width=8, n_steps=3, batch_size=8)


def test_the_network_cannot_see_what_is_hidden():
    model = MASKED.untrained()
    last(MASKED.train(model))  # weights off zero
    x = load_digits("test").images[:2]
    hidden = torch.rand(x.shape) < 0.5
    other = torch.where(hidden, 16 - x, x)
    torch.testing.assert_close(
        *(model.filler(torch.where(hidden, 17, image)) for image in (x, other))
    )
    assert not torch.equal(model.filler(x), model.filler(16 - x))


def test_training_the_masked_diffusion_raises_its_bound(generator):
    images = load_digits("train").images[:200]
    row = MASKED.but(n_steps=40, batch_size=32, lr=1e-2)
    model = row.untrained()
    bound = lambda: float(model.elbo(images, generator=generator).mean().detach()) / 64
    assert abs(bound() + math.log(17)) < 0.05  # starts at even guesses
    last(row.train(model))
    assert bound() > 0.3 - math.log(17)
