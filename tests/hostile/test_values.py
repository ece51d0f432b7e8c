"""Values that are no such thing: each is refused by a sentence that names it."""

import itertools
import math

import pytest
import torch
from torch import nn

from genlab.autoregressive.speculative import acceptance, residual, verify
from genlab.core.tensors import draw
from genlab.data.simulators import Epidemic, TwoMoons
from genlab.data.toys import blurred_log_prob
from genlab.flow.autoregressive import IAF, MAF, masked_flow
from genlab.flow.continuous import Continuous
from genlab.flow.coupling import coupling_flow
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import Affine
from genlab.latent.em import categorical_m_step
from genlab.metrics.distances import kid_blocks
from genlab.nn.dit import DiTConfig
from genlab.nn.unet import UNetConfig
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.edm import EDM
from genlab.score.masked import masked_sample
from genlab.score.sde import VE, VP, SubVP, snr_step_size
from genlab.train import cosine, fit, fit_adversarial
from tests.hostile import calls, models

pytestmark = pytest.mark.usefixtures("as_a_user")


@pytest.fixture(autouse=True)
def single_precision():
    """As in a notebook, and as the models were made."""
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(torch.float64)


NAN = math.nan
HALF = torch.tensor([[0.5, 0.5]])
TWICE = 2 * HALF
KEPT = torch.zeros(1, 1, dtype=torch.int64), torch.full((1, 1), 0.5), torch.full((1,), 0.5)


def verified(p, q):
    x, u, v = KEPT
    return verify(x, q[:, None], p.expand(2, -1)[None], u, v)


def words(x):
    return torch.zeros(*x.shape, 7)


def flow():
    return coupling_flow(2, Affine(), n_layers=1, width=4)


REFUSED = {
    "acceptance": (lambda: acceptance(TWICE, TWICE), "p sums to 2"),
    "acceptance: q": (lambda: acceptance(HALF, TWICE), "q sums to 2"),
    "acceptance: negative": (lambda: acceptance(torch.tensor([[-1.0, 2.0]]), HALF), "p holds -1"),
    "acceptance: NaN": (lambda: acceptance(NAN * HALF, HALF), "p holds nan"),
    "residual": (lambda: residual(HALF, TWICE), "q sums to 2"),
    "verify": (lambda: verified(TWICE, HALF), "p sums to 2"),
    "verify: q": (lambda: verified(HALF, TWICE), "q sums to 2"),
    "categorical_m_step": (
        lambda: categorical_m_step(torch.zeros(1, 3, dtype=torch.int64), TWICE, n_levels=2),
        "q sums to 2"),
    "blurred_log_prob": (
        lambda: blurred_log_prob(torch.ones(1, 2), torch.ones(2, 2), TWICE[0], std=1.0),
        "weights sums to 2"),
    "draw: u below 0": (lambda: draw(HALF, torch.tensor([-1.0])), r"u holds -1, .*\[0, 1\)"),
    "draw: u of 1": (lambda: draw(HALF, torch.tensor([1.0])), "u holds 1"),
    "draw: u of 10 000": (lambda: draw(HALF, torch.tensor([1e4])), "u holds 10000"),
    "coupling_flow": (lambda: coupling_flow(2, Affine(), n_layers=-1), "n_layers is -1"),
    "masked_flow: MAF": (lambda: masked_flow(MAF, 2, n_layers=0), "n_layers is 0"),
    "masked_flow: IAF": (lambda: masked_flow(IAF, 2, n_layers=-3), "n_layers is -3"),
    "Continuous": (lambda: Continuous(2, n_steps=-1), "n_steps is -1"),
    "fit": (lambda: fit(flow(), itertools.repeat(torch.ones(3, 2)), n_steps=NAN), "n_steps is nan"),
    "fit_adversarial": (
        lambda: fit_adversarial(models.models()["GAN"][0], iter([]), n_steps=NAN), "n_steps is n"),
    "fit_adversarial: n_critic": (
        lambda: fit_adversarial(models.models()["GAN"][0], iter([]), n_steps=1, n_critic=0),
        "n_critic is 0"),
    "cosine": (lambda: cosine(0.1, NAN), "n_steps is nan"),
    "cosine: hold": (lambda: cosine(0.1, 5, hold=-1), "hold is -1"),
    "cosine: warmup": (lambda: cosine(0.1, 5, warmup=NAN), "warmup is nan"),
    "masked_sample: another mask": (
        lambda: next(masked_sample(words, torch.full((2, 3), 99), 4, mask=-1)), "x_T holds 99"),
    "snr_step_size: at a mode": (
        lambda: snr_step_size(torch.zeros(3, 2), torch.ones(3, 2), snr=0.2), "the score is 0"),
    "kid_blocks": (
        lambda: kid_blocks(torch.rand(9, 2), torch.rand(9, 2), size=4, n_blocks=2**40),
        r"n_blocks is 1.*10000"),
    "Gaussian: mean": (lambda: Gaussian(torch.tensor([NAN]), torch.eye(1)), "mean holds nan"),
    "GaussianMixture: weights": (
        lambda: GaussianMixture(torch.tensor([NAN, 0.5]), torch.zeros(2, 1), torch.ones(2)),
        "weights holds nan"),
    "GaussianMixture: means": (
        lambda: GaussianMixture(HALF[0], torch.tensor([[NAN], [0.0]]), torch.ones(2)),
        "means holds nan"),
    "VE: levels that fall": (lambda: VE(2.0, 1.0), "sigma_min < sigma_max"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_value_that_is_no_such_thing_is_named(name):
    call, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        call()


def edm(**options):
    return EDM(nn.Linear(1, 1), event_shape=(1,), sigma_data=1.0, **options)


NEVER = ("x", None, NAN, -1)
CONSTRUCTED = [  # class, field
    *((c, field) for c in (VP, SubVP) for field in ("beta_min", "beta_max")),
    *((VE, field) for field in ("sigma_min", "sigma_max")),
    (Affine, "limit"),
    *((RationalQuadratic, field) for field in ("n_bins", "bound")),
    *((TwoMoons, field) for field in ("radius", "spread")),
    *((Epidemic, field) for field in ("population", "infected", "weeks", "reported")),
    *((UNetConfig, f) for f in ("c_in", "width", "n_block", "n_head", "time_scale", "n_classes")),
    *((UNetConfig, field) for field in ("d_context", "dropout", "side")),
    *((DiTConfig, f) for f in ("c_in", "side", "patch", "width", "n_layer", "n_head", "mlp")),
    *((DiTConfig, field) for field in ("time_scale", "d_context")),
    (edm, "p_drop"),
]


@pytest.mark.parametrize("value", NEVER)
@pytest.mark.parametrize(("made", "field"), CONSTRUCTED)
def test_a_constructor_names_what_it_cannot_be(made, field, value):
    with pytest.raises(ValueError, match=f"{field} "):
        made(**{field: value})


LOSSES = [n for n in models.OWNERS if n.split(".")[1] in ("loss", "discriminator_loss")]


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_of_an_empty_batch_is_refused(name):
    model, asked = models.OWNERS[name]
    arguments = calls.example(name, models.METHODS[name][0], b=0)
    with pytest.raises(ValueError, match="is an empty batch"):
        getattr(model, asked)(**arguments)
