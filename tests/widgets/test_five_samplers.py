"""Five samplers side by side: noise at the left end of the slider, samples at the right."""

import torch

from genlab.course import first_map
from genlab.data.toys import GaussianRing
from genlab.widgets import five_samplers


def test_the_slider_leads_from_noise_to_samples_and_back(generator):
    torch.set_default_dtype(torch.float32)
    data = GaussianRing().sample(600, generator=generator)
    models = {name: first_map.learn(name, data)[0] for name in first_map.RECIPES}
    widget = five_samplers(models, n_points=20)
    noise = widget.picture
    widget.set(share=0.5)
    middle = widget.picture
    widget.set(share=1.0)
    assert len({noise, middle, widget.picture}) == 3
    widget.set(share=0.0)
    assert widget.picture == noise
