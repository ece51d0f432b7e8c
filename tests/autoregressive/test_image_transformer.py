"""The image transformer: any order, and the cache."""

import pytest
import torch

from genlab.autoregressive.image_transformer import ImageTransformer
from genlab.nn.transformer import TransformerConfig

TINY = TransformerConfig(d_model=8, n_layer=2, n_head=2, n_kv_head=1, d_hidden=12)
ORDER = [5, 0, 3, 1, 4, 2]


def make(order=ORDER):
    torch.manual_seed(0)
    return ImageTransformer(17, (1, 2, 3), TINY, order=order)


def test_image_undoes_sequence():
    x = torch.randint(17, (4, 1, 2, 3))
    assert torch.equal(make().image(make().sequence(x)), x)


def test_the_first_pixel_of_the_sequence_is_the_first_of_the_order():
    x = torch.arange(6).reshape(1, 1, 2, 3)
    assert make().sequence(x)[0].tolist() == ORDER


def test_a_turn_depends_on_earlier_turns_only():
    model = make()
    x = torch.randint(17, (1, 1, 2, 3))
    for turn, pixel in enumerate(ORDER):
        y = x.flatten(1).clone()
        y[0, pixel] = (y[0, pixel] + 5) % 17
        changed = (model.logits(y.reshape(x.shape)) - model.logits(x))[0].abs().amax(-1) > 0
        assert changed.tolist() == [i > turn for i in range(6)]


def test_extending_with_the_cache_gives_the_same_logits():
    model = make()
    tokens = torch.tensor([[17, 3, 16, 0, 8, 8]])
    first, cache = model.extend(tokens[:, :2])
    rest, _ = model.extend(tokens[:, 2:], cache)
    # other order of summation: rounding
    torch.testing.assert_close(
        torch.cat([first, rest], dim=1), model.next_logits(tokens), atol=1e-12, rtol=1e-12
    )


def test_an_order_must_be_a_permutation():
    with pytest.raises(ValueError, match="permutation"):
        make(order=[0, 0, 1, 2, 3, 4])
