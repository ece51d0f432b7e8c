"""Lesson 01: one distribution on the plane, learned in five ways, and the picture of it.

Each paradigm gets a network of about the same size, its own objective and a few seconds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from genlab.adversarial import GAN
from genlab.autoregressive.images import GridAutoregressive
from genlab.core.tensors import make_generator, randn
from genlab.flow.coupling import coupling_flow
from genlab.flow.model import Flow
from genlab.flow.spline import RationalQuadratic
from genlab.latent import VAE
from genlab.nn.layers import MLP, time_embedding
from genlab.score import DDPM, ddpm_sample, linear_betas
from genlab.train import Record, cosine, fit, fit_adversarial, minibatches
from genlab_course.figures import BLUE, GREEN, ORANGE, RED, SKY

EXTENT = 2.6  # every point of the data lies in [-EXTENT, EXTENT]^2
Points = Float[Tensor, " n 2"]


class NoiseNet(nn.Module):
    """Predicts the noise in points of the plane from waves of the point and of the step."""

    turns: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("turns", torch.arange(1, 4).to(torch.get_default_dtype()))
        self.mlp = MLP(2 + 4 * 3 + 16, 2, width=128, depth=3)

    def forward(self, x: Points, t: Int[Tensor, " n"]) -> Points:
        """Predicted noise, like `x`."""
        angles = (x[:, :, None] * self.turns).flatten(1)
        time = time_embedding(t, 16, max_period=1000.0).to(x.dtype)
        return self.mlp(torch.cat([x, angles.sin(), angles.cos(), time], 1))


def autoregressive() -> nn.Module:
    """Two tokens, the coordinates; a softmax over 64 bins for each."""
    return GridAutoregressive(MLP(65, 64, width=128, depth=2), n_bins=64, extent=EXTENT)


def flow() -> nn.Module:
    """Four couplings with rational-quadratic splines."""
    return coupling_flow(2, RationalQuadratic(n_bins=8, bound=3.0), n_layers=4, width=64)


def vae() -> nn.Module:
    """Two latent numbers, Gaussian encoder and decoder."""
    encoder, decoder = (MLP(2, d, width=64, depth=2, activation=nn.Tanh) for d in (4, 2))
    return VAE(encoder, decoder, latent_dim=2, event_shape=(2,), log_scale=-1.5)


def gan(gamma: float = 0.2) -> nn.Module:
    """Four latent numbers; non-saturating game with an R1 penalty."""
    generator_net = MLP(4, 2, width=128, depth=2, activation=nn.ReLU)
    discriminator = MLP(2, 1, width=128, depth=2, activation=nn.ReLU)
    return GAN(generator_net, discriminator, latent_dim=4, event_shape=(2,), gamma=gamma)


def diffusion() -> nn.Module:
    """A noise predictor for a hundred levels of noise."""
    return DDPM(NoiseNet(), linear_betas(100, first=0.002, last=0.12), event_shape=(2,))


@dataclass(frozen=True)
class Recipe:
    """How one paradigm is trained here."""

    title: str  # as the figures name it
    build: Callable[[], nn.Module]
    n_steps: int  # gradient steps (of the generator, in a game)
    batch_size: int
    lr: float  # highest learning rate
    game: bool = False  # two losses instead of one


RECIPES: dict[str, Recipe] = {
    "autoregressive": Recipe("autoregressive", autoregressive, 300, 400, 8e-3),
    "flow": Recipe("flow", flow, 450, 250, 6e-3),
    "vae": Recipe("latent-variable (VAE)", vae, 1500, 250, 1e-2),
    "gan": Recipe("adversarial (GAN)", gan, 1000, 250, 1e-3, game=True),
    "diffusion": Recipe("diffusion", diffusion, 1500, 500, 4e-3),
}


def learn(name: str, data: Points, *, seed: int = 0) -> tuple[Any, Iterator[Record]]:
    """A paradigm's model and the run that trains it by `RECIPES`; consume the records to train.

    The seed decides the first weights, the minibatches and the noise.
    """
    recipe = RECIPES[name]
    generator = make_generator(seed)
    torch.manual_seed(seed)  # the first weights
    model: Any = recipe.build()
    batches = minibatches(data, recipe.batch_size, generator=generator)
    how: dict[str, Any] = {"n_steps": recipe.n_steps, "generator": generator}
    if recipe.game:
        return model, fit_adversarial(model, batches, lr=recipe.lr, betas=(0.0, 0.99), **how)
    return model, fit(model, batches, lr=cosine(recipe.lr, recipe.n_steps), clip=10.0, **how)


@torch.no_grad()
def film(model: Any, n: int, *, seed: int = 0) -> list[Tensor]:
    """States `(n, 2)` of a sampler at work: the noise, then the state after each evaluation."""
    generator = make_generator(seed)
    if isinstance(model, GridAutoregressive):
        noise = model.extent * (2 * torch.rand(n, 2, generator=make_generator(seed)) - 1)
        done = model.sample(n, generator=generator)
        return [noise, torch.stack([done[:, 0], noise[:, 1]], 1), done]
    if isinstance(model, Flow):
        z = model.base.sample(n, generator=generator)
        return [z, model(z)[0]]
    if isinstance(model, VAE):
        z = randn((n, 2), generator=generator)
        mean = model.decoder(z)
        return [z, mean + model.log_scale.exp() * randn((n, 2), generator=generator)]
    if isinstance(model, GAN):
        z = randn((n, model.latent_dim), generator=generator)
        return [z[:, :2], model.generator_net(z)]
    if not isinstance(model, DDPM):
        raise ValueError(f"no animation for {type(model).__name__}")
    x_T, v = randn((n, 2), generator=generator), model.betas
    return [x_T, *ddpm_sample(model.eps_net, x_T, betas=v, variances=v, generator=generator)]


COLOURS = {"autoregressive": BLUE, "flow": SKY, "vae": ORANGE, "gan": RED, "diffusion": GREEN}
