"""A setting of a row changes the training, or is refused: none is taken and then ignored."""

import pytest
import torch

from genlab.train import fit
from genlab.train.muon import Muon
from tests.support.recipes import tiny


@pytest.mark.parametrize("name", ["mnist16_diffusion", "digit_ebm"])
def test_a_warmup_is_refused_where_the_rate_is_a_function_already(name):
    row = tiny(name, warmup=3)
    with pytest.raises(ValueError, match="warmup=3 changes nothing"):
        row.train(row.untrained())


def test_a_video_models_two_cosines_both_rise():
    row = tiny("text_to_video", warmup=2, n_steps=4, n_stills=2)
    assert row.plan.warmup == 2
    assert len(list(row.train(row.untrained()))) == 4


@pytest.mark.parametrize(
    ("name", "more"), [("mnist16_diffusion", {}), ("latent_dit", {"warmup": 0, "rescale": False})]
)
def test_weights_decay_under_muon_too(name, more):
    row = tiny(name, **more)
    with_it, without = row.untrained(), row.untrained()
    for model, decay in ((with_it, 0.5), (without, 0.0)):
        next(row.but(weight_decay=decay).train(model))
    norms = [
        torch.cat([p.flatten() for p in model.net.parameters()]).norm()
        for model in (with_it, without)
    ]
    assert norms[0] < norms[1]


def test_a_decay_beside_an_optimizer_is_refused():
    net = torch.nn.Linear(2, 2)
    chosen = Muon([net.weight], net.parameters())
    with pytest.raises(ValueError, match=r"weight_decay=0.1 changes nothing: give it to Muon"):
        fit(net, [], n_steps=1, optimizer=chosen, weight_decay=0.1)
