"""What every autoregressive model promises: one contract, tested on all of them."""

import pytest
import torch

from genlab.autoregressive.images import ImageTransformer, PixelCNN, RasterStack, TwoStacks
from genlab.autoregressive.lm import TransformerLM
from genlab.core import Sampleable, Trainable, likelihood_kind
from genlab.nn.transformer import TransformerConfig

TINY = TransformerConfig(d_model=8, n_layer=2, n_head=2, n_kv_head=1, d_hidden=12)
IMAGE = (1, 2, 3)
MODELS = {
    "pixelcnn": lambda: PixelCNN(TwoStacks(1, 8, 3), 8, n_levels=3, event_shape=IMAGE),
    "pixelcnn raster": lambda: PixelCNN(RasterStack(1, 8, 3), 8, n_levels=3, event_shape=IMAGE),
    "image transformer": lambda: ImageTransformer(3, IMAGE, TINY),
    "image transformer, other order": lambda: ImageTransformer(
        3, IMAGE, TINY, order=[5, 0, 3, 1, 4, 2]
    ),
    "language model": lambda: TransformerLM(3, 6, TINY),
}


@pytest.fixture(params=MODELS)
def model(request):
    torch.manual_seed(0)
    made = MODELS[request.param]()
    with torch.no_grad():  # away from the start, where everything is nearly uniform
        for p in made.parameters():
            p.add_(0.5 * torch.randn_like(p))
    return made.eval()


def examples(model, n, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, (n, *model.event_shape), generator=generator)


def test_probabilities_of_all_examples_sum_to_one(model):
    x = torch.cartesian_prod(*[torch.arange(3)] * 6).reshape(-1, *model.event_shape)
    # 729 terms of double precision
    assert model.log_prob(x).exp().sum().item() == pytest.approx(1, abs=1e-10)


def test_samples_follow_the_log_prob(model, generator):
    n = 4000
    x = model.sample(n, generator=generator)
    surprise = -model.log_prob(x).detach()
    every = torch.cartesian_prod(*[torch.arange(3)] * 6).reshape(-1, *model.event_shape)
    every = -model.log_prob(every).detach()
    entropy = ((-every).exp() * every).sum()
    # the mean surprise of samples estimates the entropy; Monte Carlo, 5 standard errors
    assert (surprise.mean() - entropy).abs() < 5 * surprise.std() / n**0.5


def test_it_satisfies_the_protocols(model):
    assert isinstance(model, Sampleable)
    assert isinstance(model, Trainable)
    assert likelihood_kind(model) == "exact"


def test_log_prob_is_one_number_per_example_and_does_not_mix_them(model):
    x = examples(model, 5)
    whole = model.log_prob(x)
    assert whole.shape == (5,)
    torch.testing.assert_close(whole[2:3], model.log_prob(x[2:3]))


def test_the_loss_is_the_mean_negative_log_prob_per_piece(model):
    x = examples(model, 5)
    torch.testing.assert_close(model.loss(x), -model.log_prob(x).mean() / 6)


def test_samples_are_integers_of_the_right_shape_that_follow_their_seed(model):
    a, b, c = (model.sample(8, generator=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert a.shape == (8, *model.event_shape)
    assert a.dtype == torch.int64
    assert 0 <= int(a.min()) <= int(a.max()) < 3
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_every_parameter_is_trained(model):
    model.loss(examples(model, 8)).backward()
    # the row of the begin token in the output is cut off, nothing else may be idle
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
