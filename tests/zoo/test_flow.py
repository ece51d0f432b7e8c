"""The recipe of the flow: where it starts, and that some steps help."""

import torch

from genlab.data.digits import load_digits
from genlab.data.toys import Moons
from genlab.flow.dequantization import pixel_histograms
from genlab.zoo import find
from tests.support.recipes import trained


def test_the_flow_begins_as_the_histogram_of_each_pixel_and_some_steps_beat_it():
    row = find("digit_flow").but(n_layers=2, width=16, n_steps=60)
    train, x = (load_digits(part).images.flatten(1) for part in ("train", "val"))

    @torch.no_grad()
    def bound(model):
        return model.elbo(x, generator=torch.Generator().manual_seed(0)).mean()

    before = bound(find("digit_flow").untrained())
    expected = pixel_histograms(train, 17).log()[torch.arange(64), x].sum(1).mean()
    # splines start near the identity, not at it
    torch.testing.assert_close(before, expected, rtol=1e-6, atol=0.05)
    assert bound(trained(row)) > before + 5  # nats per image


def test_the_shipped_moons_flow_has_learned_them_and_an_untrained_one_has_not():
    moons = Moons()
    x = moons.sample(4000, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        gaps = [
            (moons.log_prob(x) - flow.log_prob(x)).mean().item()
            for flow in (find("moons_flow").load(), find("moons_flow").untrained())
        ]
    assert 0 < gaps[0] < 0.09  # the card: .061 on others; one standard error is .0044
    assert gaps[1] > 0.5
