"""Small models of every family, and their public methods as functions: fit, score, draw, code."""

import copy
import inspect

import torch
from jaxtyping import Float
from torch import Tensor, nn

from genlab.adversarial.gan import GAN, WGAN
from genlab.autoregressive.images import GridAutoregressive, ImageTransformer, PixelCNN, TwoStacks
from genlab.autoregressive.lm import TransformerLM
from genlab.core.tensors import last
from genlab.data.text import Grammar
from genlab.flow.autoregressive import IAF, MAF, masked_flow
from genlab.flow.continuous import Continuous
from genlab.flow.coupling import coupling_flow
from genlab.flow.dequantization import pixel_flow
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.spline import RationalQuadratic
from genlab.latent.em import CategoricalMixture
from genlab.latent.vae import VAE, CategoricalVAE, ImageVAE, ImageVAEConfig
from genlab.nn.layers import MLP
from genlab.nn.transformer import TransformerConfig
from genlab.oracles import Empirical, Gaussian, GaussianMixture, LinearLatent, TokenTable
from genlab.score.diffusion import DDPM
from genlab.score.edm import EDM
from genlab.score.energy import EBM, NCE, PersistentChains
from genlab.score.flow_matching import FlowMatching, TimedMLP
from genlab.score.masked import MaskedDiffusion
from genlab.score.matching import NCSN, LevelMLP
from genlab.score.sde import VP, NormalPrior, ProbabilityFlow
from genlab.train.fit import fit

ASKED = (
    "log_prob", "elbo", "energy", "score", "loss", "discriminator_loss", "generator_loss",
    "encode", "decode", "sample",
)  # fmt: skip
SHAPE, CONFIG = (1, 2, 2), TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=1)


class Filler(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(4, 3)

    def forward(self, x):
        return self.table(x)


def vector(b):
    return torch.randn(b, 2)


def tokens(b):
    return torch.randint(0, 3, (b, 3))


def grey(b):
    return torch.randint(0, 3, (b, *SHAPE))


def flat(b):
    return torch.randint(0, 3, (b, 4))


def colour(b):
    return 0.1 + 0.8 * torch.rand(b, 3, 8, 8)


def pixels_of(z):
    return nn.Sequential(nn.Flatten(), nn.Linear(z, 4 * 5), nn.Unflatten(1, (4, 5)))


def models():
    """Return (model, how its examples are made) by name."""
    two = {"event_shape": (2,)}
    mixture = CategoricalMixture(torch.zeros(2), torch.randn(2, 4, 3))
    chains = PersistentChains(20, (2,))
    prior = NormalPrior.standard((2,))
    ts = torch.linspace(0.01, 1, 5)
    straight = GaussianMixture(torch.tensor([0.3, 0.7]), torch.eye(2), torch.ones(2))
    code = nn.Sequential(nn.Flatten(), nn.Linear(4, 4))
    return {
        "coupling_flow": (coupling_flow(2, RationalQuadratic(3), n_layers=2, width=8), vector),
        "MAF": (masked_flow(MAF, 2, n_layers=2, width=8), vector),
        "IAF": (masked_flow(IAF, 2, n_layers=2, width=8), vector),
        "Continuous": (
            Flow(StandardNormal((2,)), [Continuous(2, width=8, n_steps=2)]),
            vector,
        ),
        "DequantisedFlow": (pixel_flow(flat(9), 3, n_layers=1, width=8), flat),
        "VAE": (VAE(nn.Linear(2, 4), nn.Linear(2, 2), latent_dim=2, **two), vector),
        "CategoricalVAE": (
            CategoricalVAE(code, pixels_of(2), nn.Linear(5, 3), latent_dim=2, event_shape=SHAPE),
            grey,
        ),
        "ImageVAE": (ImageVAE(ImageVAEConfig(size=8, width=8)), colour),
        "CategoricalMixture": (mixture, flat),
        "DDPM": (DDPM(TimedMLP(2, width=8), torch.linspace(0.1, 0.5, 3), **two), vector),
        "EDM": (EDM(TimedMLP(2, width=8), sigma_data=1.0, n_steps=3, **two), vector),
        "FlowMatching": (FlowMatching(TimedMLP(2, width=8), n_steps=3, **two), vector),
        "NCSN": (NCSN(LevelMLP(2, width=8), torch.tensor([2.0, 1.0]), n_steps=2, **two), vector),
        "ProbabilityFlow": (ProbabilityFlow(straight_score, VP(), prior, ts, (2,)), vector),
        "MaskedDiffusion": (
            MaskedDiffusion(Filler(), n_tokens=3, n_steps=2, event_shape=(3,)),
            tokens,
        ),
        "EBM": (EBM(MLP(2, 1, 8, 1), step_size=0.1, n_steps=2, chains=chains, **two), vector),
        "NCE": (NCE(MLP(2, 1, 8, 1), Gaussian(torch.zeros(2), torch.eye(2))), vector),
        "GAN": (GAN(nn.Linear(2, 2), nn.Linear(2, 1), latent_dim=2, **two), vector),
        "WGAN": (WGAN(nn.Linear(2, 2), nn.Linear(2, 1), latent_dim=2, **two), vector),
        "TransformerLM": (TransformerLM(3, 3, CONFIG), tokens),
        "PixelCNN": (PixelCNN(TwoStacks(1, 4, 2), 4, n_levels=3, event_shape=SHAPE), grey),
        "ImageTransformer": (ImageTransformer(3, SHAPE, CONFIG), grey),
        "GridAutoregressive": (GridAutoregressive(nn.Linear(5, 4), n_bins=4, extent=4.0), vector),
        "Gaussian": (Gaussian(torch.zeros(2), torch.eye(2)), vector),
        "GaussianMixture": (straight, vector),
        "Empirical": (Empirical(vector(4)), vector),
        "LinearLatent": (LinearLatent(torch.eye(2), torch.zeros(2), 0.5), vector),
        "TokenTable": (
            TokenTable(torch.rand(3, 3, 3).flatten().softmax(0).reshape(3, 3, 3)),
            tokens,
        ),
        "Grammar": (Grammar(), None),
    }  # fmt: skip


def straight_score(x, t):
    return -x


def method(model, name):
    """A method of a fresh copy of the model: chains do not outlive a call."""
    own = inspect.signature(getattr(model, name))

    def call(**arguments):
        return getattr(copy.deepcopy(model), name)(**arguments)

    call.__signature__ = own
    return call


def fitted(x: Float[Tensor, " b d"], n_steps: int = 2, lr: float = 0.01) -> list[Tensor]:
    """The weights of a flow after a few steps on one batch."""
    torch.manual_seed(0)
    flow = coupling_flow(2, RationalQuadratic(3), n_layers=2, width=8)
    last(fit(flow, iter([x] * 9), n_steps=n_steps, lr=lr))
    return [p.detach() for p in flow.parameters()]


def methods():
    """Return (function, arguments for b examples) by the name "model.method"."""
    torch.manual_seed(0)
    found = {"fit": (fitted, lambda b=4: {"x": vector(b)})}
    for name, (model, make) in models().items():
        for asked in ASKED:
            if not hasattr(type(model), asked) or (make is None and asked != "sample"):
                continue
            function = method(model, asked)
            first = next(iter(inspect.signature(function).parameters))
            codes = {"z": lambda b=4, name=name: {"z": torch.randn(b, *CODES[name])}}
            given = codes.get(first) or (lambda b=4, first=first, make=make: {first: make(b)})
            if first == "n":
                given = lambda: {"n": 3}
            found[f"{name}.{asked}"] = function, given
            OWNERS[f"{name}.{asked}"] = model, asked
    return found


OWNERS = {}  # (model, its method) by the same names
CODES = {"ImageVAE": (4, 2, 2), "LinearLatent": (2,)}
METHODS = methods()
