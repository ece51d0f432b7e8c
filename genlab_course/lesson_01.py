"""Lesson 01: one distribution on the plane, learned in five ways, and the picture of it.

Each paradigm gets a network of about the same size, its own objective and a few seconds. The same
is measured of all: network passes for a sample, kind and value of the likelihood, a distance.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import torch
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn

from genlab.adversarial import GAN
from genlab.autoregressive.images import GridAutoregressive
from genlab.core.capabilities import Kind, likelihood_kind, log_likelihood
from genlab.core.tensors import make_generator, randn
from genlab.data.toys import plane
from genlab.flow.coupling import coupling_flow
from genlab.flow.model import Flow
from genlab.flow.spline import RationalQuadratic
from genlab.latent import VAE
from genlab.metrics.cost import network_passes
from genlab.metrics.distances import energy_distance
from genlab.nn.layers import MLP, time_embedding
from genlab.score import DDPM, ddpm_sample, linear_betas, score_from_eps
from genlab.train import Record, cosine, fit, fit_adversarial, minibatches
from genlab_course.figures import BLUE, GREEN, ORANGE, RED, SKY, for_text

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
    unit: str  # what its loss is measured in
    game: bool = False  # two losses instead of one


RECIPES: dict[str, Recipe] = {
    "autoregressive": Recipe("autoregressive", autoregressive, 300, 400, 8e-3, "nats"),
    "flow": Recipe("flow", flow, 450, 250, 6e-3, "nats"),
    "vae": Recipe("latent-variable (VAE)", vae, 1500, 250, 1e-2, "nats, a bound"),
    "gan": Recipe("adversarial (GAN)", gan, 1000, 250, 1e-3, "nats, of a game", game=True),
    "diffusion": Recipe("diffusion", diffusion, 1500, 500, 4e-3, "mean square"),
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


@dataclass(frozen=True)
class Row:
    """What was measured of one model."""

    passes: int  # network evaluations for one batch of samples
    kind: Kind  # of likelihood
    log_likelihood: float | None  # mean over held-out points, nats; None where there is none
    distance: float  # energy distance between its samples and fresh data

    @property
    def likelihood_text(self) -> str:
        """The likelihood as a table shows it: a dash for none, a sign for a bound."""
        if self.log_likelihood is None:
            return "-"
        sign = {"exact": "", "bound": ">= "}[self.kind]
        return f"{sign}~{self.log_likelihood:.2f} ({self.kind})"


def measure(
    model: Any,
    held_out: Points,
    reference: Float[Tensor, " m 2"],
    *,
    generator: Generator | None = None,
) -> Row:
    """Evaluations, likelihood with its kind, and distance of anything that samples."""
    passes = network_passes(model, lambda: model.sample(8, generator=generator))
    samples = model.sample(len(reference), generator=generator)
    distance = energy_distance(samples, reference).item()
    if likelihood_kind(model) not in ("exact", "bound"):
        return Row(passes, "none", None, distance)
    with torch.no_grad():
        kind, values = log_likelihood(model, held_out, generator=generator)
    return Row(passes, kind, values.mean().item(), distance)


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


INK = "#333333"
COLOURS = {"autoregressive": BLUE, "flow": SKY, "vae": ORANGE, "gan": RED, "diffusion": GREEN}
_SIDE = 120  # pixels along a density's axis
_LEVEL = 12  # noise level at which the slope is drawn, 0..T-1


def draw_first_map(truth: Any, models: Mapping[str, Any], rows: Mapping[str, Row]) -> Figure:
    """Draw samples above, density (or its absence) in the middle, numbers below."""
    figure, axes = plt.subplots(2, 6, figsize=(13.2, 5.5), layout="none")
    figure.subplots_adjust(0.008, 0.185, 0.992, 0.925, wspace=0.05, hspace=0.05)
    generator = make_generator(0)
    _points(axes[0, 0], truth.sample(2500, generator=generator), INK)
    _density(axes[1, 0], truth.log_prob)
    axes[0, 0].set_title("the data", color=INK, weight="bold")
    _caption(axes[1, 0], ["evaluations a sample", "log-likelihood / nats", "distance to the data"])
    for column, (name, model) in enumerate(models.items(), 1):
        top, bottom = axes[:, column]
        _points(top, model.sample(2500, generator=generator), COLOURS[name])
        top.set_title(RECIPES[name].title, color=for_text(COLOURS[name]), weight="bold")
        _knowledge(bottom, model)
        row = rows[name]
        said = row.likelihood_text.replace(">= ", "≥ ").replace("-", "−").replace("~", "")
        likelihood = "—" if row.log_likelihood is None else said
        _caption(bottom, [str(row.passes), likelihood, f"{row.distance:.4f}"])
    for ax in axes.flat:
        ax.set(xlim=(-EXTENT, EXTENT), ylim=(-EXTENT, EXTENT), xticks=[], yticks=[], aspect="equal")
        for spine in ax.spines.values():
            spine.set(visible=True, color="#CCCCCC", linewidth=0.8)
    return figure


def _points(ax: Axes, x: Tensor, colour: str) -> None:
    ax.scatter(x[:, 0], x[:, 1], s=2.2, color=colour, alpha=0.45, linewidths=0, rasterized=True)


def _density(ax: Axes, log_prob: Callable[[Tensor], Tensor]) -> None:
    with torch.no_grad():
        values = log_prob(plane(EXTENT, _SIDE)[0]).exp().reshape(_SIDE, _SIDE).numpy()
    box = (-EXTENT, EXTENT, -EXTENT, EXTENT)
    look: dict[str, Any] = {"interpolation": "bilinear", "cmap": "magma", "vmin": 0, "vmax": 0.9}
    ax.imshow(values, origin="lower", extent=box, **look)


def _label(ax: Axes, text: str, colour: str) -> None:
    ax.text(0, 2.3, text, ha="center", va="center", fontsize=9, color=colour)


def _knowledge(ax: Axes, model: Any) -> None:
    """Density, bound, slope or nothing: whatever the model can say about a point."""
    kind = likelihood_kind(model)
    if kind == "none":
        ax.set_facecolor("#F2F2F2")
        ax.text(0, 0, "no density", ha="center", va="center", fontsize=13, color="#888888")
    elif isinstance(model, DDPM):
        _slope(ax, model)
    elif kind == "exact":
        _density(ax, model.log_prob)
        _label(ax, "density, exact", "white")
    else:
        g = make_generator(0)
        _density(ax, lambda x: torch.stack([model.elbo(x, generator=g) for _ in range(16)]).mean(0))
        _label(ax, "exp of the bound", "white")


@torch.no_grad()
def _slope(ax: Axes, model: DDPM) -> None:
    points, _ = plane(EXTENT * 0.8, 18)
    t = torch.full((len(points),), _LEVEL)
    sigma = (1 - model.alphas_bar[_LEVEL]).sqrt()
    slope = score_from_eps(model.eps_net(points, t), sigma)
    length = torch.linalg.vector_norm(slope, dim=1, keepdim=True)
    arrows = slope / length * length.clamp(max=6) ** 0.5
    ax.quiver(points[:, 0], points[:, 1], arrows[:, 0], arrows[:, 1], length[:, 0].sqrt(),
              cmap="viridis_r", scale=42, width=0.007, pivot="mid")  # fmt: skip
    _label(ax, "slope of log p, and a bound", INK)


def _caption(ax: Axes, lines: list[str]) -> None:
    for number, text in enumerate(lines):
        ax.text(0.5, -0.115 - 0.125 * number, text, transform=ax.transAxes, ha="center",
                va="center", fontsize=11, color=INK)  # fmt: skip
