"""The digits' diffusion model: its scale, its seed, the withheld classes, and that it learns."""

import dataclasses
import math

import pytest
import torch
from genlab.zoo.digit_diffusion import (
    NO_CLASS,
    Recipe,
    digit_diffusion,
    scale,
    schedule,
    to_levels,
    train_digit_diffusion,
)

from genlab.core import HasElbo, Sampleable, Trainable, last
from genlab.data.digits import load_digits

SMALL = dataclasses.replace(Recipe(), T=10, width=8, n_steps=5)


def trained(recipe):
    model = digit_diffusion(recipe)
    images, labels = load_digits("train")
    records = list(train_digit_diffusion(model, images, labels, recipe))
    return model, records


def test_grey_levels_survive_the_scale():
    images = load_digits("test").images
    x = scale(images)
    assert (x.min().item(), x.max().item()) == (-1, 1)
    assert torch.equal(to_levels(x), images)
    assert torch.equal(to_levels(x + 0.06), images)  # up to half a level away
    assert torch.equal(to_levels(5 * x).unique(), to_levels(x * 5).clamp(0, 16).unique())


def test_the_schedule_ends_in_almost_pure_noise_whatever_the_number_of_steps():
    for T in (5, 100, 1000):
        left = (1 - schedule(dataclasses.replace(Recipe(), T=T))).prod().item()
        assert left == pytest.approx(math.exp(-(0.1 + 20) / 2))


def test_the_same_recipe_gives_the_same_model_and_leaves_the_global_seed_alone():
    torch.manual_seed(3)
    (a, _), drawn = trained(SMALL), torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    b, _ = trained(SMALL)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0)


def test_training_ends_with_averaged_weights_in_evaluation_mode():
    model = digit_diffusion(SMALL)
    images, labels = load_digits("train")
    path = []
    for record in train_digit_diffusion(model, images, labels, SMALL):
        step = record.step
        assert model.training
        path.append(model.eps_net.stem.weight.detach().clone())
    assert step == SMALL.n_steps
    assert not model.training
    mean = digit_diffusion(SMALL).eps_net.stem.weight.detach()
    for k, weight in enumerate(path):
        keep = min(SMALL.decay, (1 + k) / (10 + k))
        mean = keep * mean + (1 - keep) * weight
    torch.testing.assert_close(model.eps_net.stem.weight.detach(), mean)


def test_a_tenth_of_the_rows_is_not_told_its_class():
    seen = []

    class Spy(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(()))

        def forward(self, x, t, label=None):
            seen.append(label)
            return self.weight * x

    recipe = dataclasses.replace(SMALL, n_steps=100)
    model = digit_diffusion(recipe)
    model.eps_net = Spy()
    images, labels = load_digits("train")
    last(train_digit_diffusion(model, images, labels, recipe))
    withheld = (torch.cat(seen) == NO_CLASS).double()
    # 6,400 rows: five standard errors of a share of 0.1 are 0.019.
    assert abs(withheld.mean().item() - recipe.p_drop) < 0.019
    per_batch = withheld.reshape(100, -1).sum(1)
    assert 0 < per_batch.min() < per_batch.max() < 64  # some rows of each batch, never all


def test_the_model_can_be_told_a_class_or_none():
    model, _ = trained(SMALL)
    _b: HasElbo = model
    _s: Sampleable = model
    _t: Trainable = model

    def draw(cond):
        return model.sample(4, cond=cond, generator=torch.Generator().manual_seed(0))

    none = draw(None)
    torch.testing.assert_close(draw(torch.full((4,), NO_CLASS)), none)
    assert not torch.allclose(draw(torch.tensor([0, 1, 2, 3])), none)


def test_a_training_taken_up_again_ends_with_the_same_average():
    whole, _ = trained(SMALL)
    images, labels = load_digits("train")
    first = train_digit_diffusion(digit_diffusion(SMALL), images, labels, SMALL)
    next(first), next(first)
    model = digit_diffusion(SMALL)
    second = train_digit_diffusion(model, images, labels, SMALL)
    second.load_state_dict(first.state_dict())
    assert len(list(second)) == SMALL.n_steps - 2
    for p, q in zip(model.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0)


@pytest.mark.slow
def test_some_training_lowers_the_loss_and_raises_the_bound():
    torch.set_default_dtype(torch.float32)  # as users train it, and twice as fast
    images = scale(load_digits("test").images[:50])
    recipe = dataclasses.replace(Recipe(), T=20, width=8, n_steps=100)
    model, records = trained(recipe)
    assert sum(r.loss for r in records[-20:]) < 0.7 * sum(r.loss for r in records[:20])
    bounds = [
        m.elbo(images, generator=torch.Generator().manual_seed(0)).mean()
        for m in (digit_diffusion(recipe), model)
    ]
    assert bounds[1] > bounds[0] + 64  # a nat for each pixel
