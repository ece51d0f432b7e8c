"""Consistency sampling against diffusers, speculative verification against transformers."""

import pytest
import torch

from genlab.autoregressive.speculative import residual, verify
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


def test_verification_is_that_of_assisted_generation(monkeypatch, generator):
    utils = pytest.importorskip("transformers.generation.utils")
    theirs = getattr(utils, "_speculative_sampling", None)
    if theirs is None:
        pytest.skip("this transformers verifies drafts elsewhere")
    k, v, kept = 3, 5, set()
    for _ in range(40):
        logits_q, logits_p = (2 * torch.randn(1, n, v, generator=generator) for n in (k, k + 1))
        q, p = logits_q.softmax(-1), logits_p.softmax(-1)
        drafted = torch.randint(v, (1, k), generator=generator)
        u = torch.rand(1, k, generator=generator)
        laws = []
        first = lambda law, num_samples, laws=laws: laws.append(law) or law.argmax(-1, True)
        monkeypatch.setattr(torch, "rand_like", lambda a, u=u: u.reshape(a.shape))
        monkeypatch.setattr(torch, "multinomial", first)
        _, n_theirs = theirs(drafted, logits_q, k, logits_p)
        monkeypatch.undo()
        tokens, n = verify(drafted, q, p, u, torch.tensor([0.5]))
        assert int(n) == int(n_theirs)
        i = int(n)
        law = residual(p[0, i], q[0, i]) if i < k else p[0, k]
        torch.testing.assert_close(laws[0].flatten(), law)
        assert tokens[0, :i].tolist() == drafted[0, :i].tolist()
        kept.add(i)
    assert kept == set(range(k + 1))  # every case has occurred
