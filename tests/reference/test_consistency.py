"""Consistency sampling against diffusers."""

import pytest
import torch

from genlab.core import last
from genlab.score.consistency import consistency_function, consistency_sample

pytestmark = [
    pytest.mark.reference,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
SINGLE = {"rtol": 1e-5, "atol": 1e-5}  # their table of levels is in single precision


@pytest.fixture
def scheduler():
    diffusers = pytest.importorskip("diffusers")
    return diffusers.CMStochasticIterativeScheduler(
        num_train_timesteps=18, sigma_min=0.02, sigma_max=20.0, sigma_data=0.75, clip_denoised=False
    )


def net(x, c_noise):
    """A network that depends on the state and on the level."""
    return torch.tanh(x) * (1 + c_noise.reshape(-1, *[1] * (x.ndim - 1)))


@pytest.mark.parametrize("indices", [[0], [0, 9], [0, 4, 11]])
def test_samples_of_one_and_more_steps_are_theirs(scheduler, indices, generator):
    scheduler.set_timesteps(timesteps=sorted(indices, reverse=True))
    levels = scheduler.sigmas[:-1].tolist()
    x_T = levels[0] * torch.randn(3, 1, 4, 4, generator=generator)
    f = lambda x, sigma: consistency_function(net, x, sigma, sigma_data=0.75, sigma_min=0.02)
    seeded = lambda: torch.Generator().manual_seed(1)
    ours = last(consistency_sample(f, x_T, levels, sigma_min=0.02, generator=seeded()))
    x, noise = x_T, seeded()
    for t in scheduler.timesteps:
        raw = net(scheduler.scale_model_input(x, t), (t / 1000).expand(3))
        x = scheduler.step(raw, t, x, generator=noise).prev_sample
    torch.testing.assert_close(ours, x, **SINGLE)
