"""A valid call of every public function of genlab: what hostile arguments are made from.

Shapes are read off the annotations, values off the names of the arguments; what neither says stands
in `CALLS`. A function without a call stands in `WITHOUT`, with the reason.
"""

import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable

import torch
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

import genlab
from genlab.data import language
from genlab.flow.autoregressive import MAF
from genlab.flow.spline import spline_parameters
from genlab.flow.transforms import Affine, Permutation
from genlab.nn.transformer import TransformerConfig
from genlab.oracles import Gaussian, GaussianMixture
from genlab.score.diffusion import Bins
from genlab.score.sde import VP
from tests.hostile.models import METHODS

NOT_KERNELS = ("cli", "files", "map", "on_demand", "systems", "zoo")
SIZES = dict(  # noqa: C408
    b=4, n=6, m=5, k=3, d=3, h=8, w=8, t=5, T=10, s=5, l=5, v=7, c=2, i=2, o=3, r=4, g=2, e=3, p=3,
    f=8, q=4, latent=3, layers=3, half=2, nu=2,
)  # fmt: skip
MANY = {"event": (3,), "latent": (3,), "k": (2,), "p": (3,), "n": (4,), "b": (4,)}


def public():
    """Return every public function of the kernels by its name without `genlab.`."""
    found = {}
    for module in pkgutil.walk_packages(genlab.__path__, "genlab."):
        if module.name.split(".")[1] in NOT_KERNELS:
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            own = getattr(value, "__module__", None) == module.name
            if own and inspect.isfunction(value) and not name.startswith("_"):
                found[f"{module.name.removeprefix('genlab.')}.{name}"] = value
    return found


def shape_of(dims, sizes):
    shape = []
    for dim in dims.split():
        if dim.startswith("*"):
            shape += sizes.get(dim, MANY.get(dim[1:], (3,)))
        else:
            shape.append(int(dim) if dim.isdigit() else sizes.get(dim, SIZES.get(dim, 3)))
    return tuple(shape)


def hint_of(annotation):
    """Return (kind, dims): a tensor's Float, Int, Bool or Shaped with its dims; or a scalar's."""
    if hasattr(annotation, "dim_str"):
        kind = annotation.dtype.__name__
        return "Float" if kind == "Real" else kind, annotation.dim_str
    if annotation is Tensor:
        return "Float", None
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = [a for a in typing.get_args(annotation) if a is not type(None)]
        return hint_of(max(parts, key=lambda a: len(getattr(a, "dim_str", "").split())))
    if annotation in (float, int, bool):
        return annotation.__name__, None
    if typing.get_origin(annotation) is Callable or annotation is Callable:
        return "call", None
    return "other", None


def noise(*shape):
    return torch.randn(shape)


def uniform(*shape):
    return 0.1 + 0.8 * torch.rand(shape)


def probabilities(*shape):
    return torch.randn(shape).softmax(-1)


def falling(*shape):
    return torch.linspace(0.95, 0.05, shape[-1]).expand(shape).clone()


def rising(*shape):
    return torch.linspace(0.05, 0.95, shape[-1]).expand(shape).clone()


def covariance(*shape):
    root = torch.randn(shape)
    return root @ root.mT / shape[-1] + torch.eye(shape[-1])


def log_probabilities(*shape):
    return torch.randn(shape).log_softmax(-1)


DISTRIBUTIONS = ("p", "q", "probs", "weights", "p_c", "base_p")
ANY_MASS = {  # arguments of these names that need not sum to 1, with the reason
    "core.tensors.draw_indices.p": "weights",
    "nn.attention.attention.q": "queries",
    "nn.attention.attention_weights.q": "queries",
}

VALUES = {  # what an argument of this name holds
    **dict.fromkeys(
        [
            "u",
            "u_when",
            "u_what",
            "u_keep",
            "u_draw",
            "alpha",
            "confidence",
            "images",
            "grey",
            "videos",
            "a_t",
            "strength",
        ],
        uniform,
    ),
    **dict.fromkeys(
        ["sigma", "sigma1", "sigma2", "radii", "spread", "variance", "s", "std"], uniform
    ),
    **dict.fromkeys(DISTRIBUTIONS, probabilities),
    **dict.fromkeys(["log_p", "log_q", "log_joint"], log_probabilities),
    **dict.fromkeys(["alphas_bar", "sigmas"], falling),
    **dict.fromkeys(["betas", "variances", "ts", "x_grid"], rising),
    **dict.fromkeys(["cov", "cov1", "cov2", "precision"], covariance),
}


def first(*arguments):
    """The first argument with an event: what fields and networks are asked about."""
    return max((a for a in arguments if isinstance(a, Tensor)), key=lambda a: a.ndim)


def pull(*arguments):
    return -0.5 * first(*arguments)


def energy(x, *_):
    return (0.5 * x**2).flatten(1).sum(1)


def density(x, *_):
    return -energy(x)


def token_logits(x, *_):
    x = x.to(torch.get_default_dtype())
    return torch.stack([(k + 1.3 * x).sin() for k in range(7)], -1)


FUNCTIONS = {
    **dict.fromkeys(["energy", "critic"], energy),
    **dict.fromkeys(["log_base", "log_prob", "prior_log_prob", "base_log_prob", "f"], density),
    **dict.fromkeys(["model", "logits_of"], token_logits),
    "f": density,
    "diffusion": lambda t: 0.5,
    "decoder_log_prob": lambda x, z: density(z) + density(x),
    "kernel": lambda x, y: (x @ y.mT / 3 + 1) ** 3,
    "move": lambda a, p: (a + p.mean(-1) if p.ndim > a.ndim else a + p, torch.zeros_like(a)),
    "inverse": lambda x: (x / 2, x.new_zeros(len(x))),
    "step_size": lambda *_: 0.05,
    "step": lambda z: 0.9 * z,
    "field": lambda z: torch.stack([z[..., 1], -z[..., 0]], -1),
}

NUMBERS = dict(  # noqa: C408
    n_steps=4, n_dims=3, levels=17, n_levels=17, n_tokens=3, top_k=2, top_p=0.9, temperature=0.7,
    n_new=2, guidance_scale=2.0, sigma_data=0.5, sigma_min=0.1, sigma_max=10.0, rate=0.5,
    step_size=0.05, n_bins=4, p_drop=0.1, null=3, mask=99, n_bytes=4, level=0.9, size=4, k=2,
    n_layers=3, lr=0.05, n_train=100, answers_each=5, bound=4.0, limit=3.0, context=4, stride=2,
    ratio=0.5, bandwidth=1.0, n_head=2, dim=8, max_period=100.0, head_dim=4, n_blocks=2,
    correlation=0.3, eta=0.5, t=0.7, s=0.4, alpha=0.6, sigma=0.5, std=0.5, snr=0.2, p_two=0.5,
    n_draws=9, n=20, m=5, d=3, interval=4,
)  # fmt: skip


def mixture(d=1):
    means = torch.linspace(-1, 1, 2 * d).reshape(2, d)
    return GaussianMixture(torch.tensor([0.3, 0.7]), means, torch.full((2,), 0.5))


def gaussian(d=3):
    return Gaussian(torch.zeros(d), torch.eye(d))


def attributes():
    return language.Attributes(*torch.tensor([[0, 1, 2], [0, 1, 2], [0, 1, 2], [2, 1, 0]]))


def cost(n=6, m=5):
    return uniform(n, m)


def chain(n=6):
    return torch.randn(n, n).softmax(-1)


def level(value):
    return torch.tensor(value)


def spline(name, n=4):
    raw = torch.randn(n, 8)
    widths, heights, slopes = spline_parameters(raw, 4.0)
    return {name: torch.randn(n), "widths": widths, "heights": heights, "slopes": slopes}


def drafted(b=4):
    return {
        "drafted": torch.randint(0, 7, (b, 3)),
        "q": probabilities(b, 3, 7),
        "p": probabilities(b, 4, 7),
        "u_keep": uniform(b, 3),
        "u_draw": uniform(b),
    }


def tokens(b=4):
    return torch.randint(0, 7, (b, 3))


def of_tokens(x, cache):
    return token_logits(x), cache


def draft(x, length):
    return token_logits(length).softmax(-1)


def to_lower(b=4):
    return {"sigma": 0.6 + uniform(b), "sigma_next": 0.5 * uniform(b)}


def of_masked(b=4, **rest):
    return {"x0": torch.randint(0, 7, (b, 3)), "mask": 99} | rest


STEPS = torch.tensor([9, 5, 0])
GREY = torch.randint(0, 17, (12, 6))
SDE = {"sde": VP(), "ts": torch.linspace(1, 0.1, 5)}
CONFIG = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=1)

CALLS = {
    "autoregressive.decoding.generate_cached": lambda b=4: {
        "extend": of_tokens,
        "tokens": tokens(b),
    },
    "autoregressive.decoding.generate_naive": lambda b=4: {"tokens": tokens(b)},
    "autoregressive.decoding.write_until": lambda b=4: {
        "read": of_tokens,
        "head": lambda h: h,
        "prompt": torch.randint(0, 3, (b, 3)),
        "stop": 6,
    },
    **{
        f"autoregressive.decoding.{name}": lambda: {
            "config": CONFIG,
            "n_tokens": 7,
            "n_prompt": 2,
            "n_new": 3,
            "n_positions": 4,
        }
        for name in ("multiplications", "naive_cost", "cached_cost", "cache_numbers")
    },
    "autoregressive.likelihood.seen_pixels": lambda: {"stack": lambda x: x},
    "autoregressive.speculative.verify": drafted,
    "autoregressive.speculative.speculative_round": lambda b=4: {
        "draft": draft,
        "tokens": torch.randint(0, 7, (b, 8)),
        "length": torch.full((b,), 3),
        "k": 2,
    },
    "autoregressive.speculative.speculative_sample": lambda b=4: {
        "draft": draft,
        "tokens": tokens(b),
    },
    "core.stats.normal_log_prob": lambda: {"mean": 0.3, "std": 0.7},
    "core.stats.integrate": lambda: {"x": torch.linspace(-1, 1, 6)},
    "core.stats.kl_on_grid": lambda: {
        "log_p": torch.zeros(4, 6),
        "log_q": torch.zeros(4, 6),
        "x": torch.linspace(0, 1, 6),
    },
    "core.stats.dequantize": lambda: {"levels": 5},
    "core.tensors.randn": lambda: {"shape": (4, 3), "like": noise(2)},
    "data.scenes.held_out_pair": lambda: {"digit": torch.arange(4), "colour": torch.arange(4) % 3},
    "data.toys.plane": lambda: {"extent": 2.0, "n_side": 4},
    "data.moving.animate": lambda b=4: {"motion": torch.arange(b) % 4, "grey": uniform(b, 14, 14)},
    "flow.coupling.couple": lambda b=4: {
        "a": noise(b, 4),
        "stays": torch.tensor([True, False, True, False]),
        "conditioner": lambda a: 0.5 * a[:, :2],
        "move": lambda a, p: (a + p[..., 0], torch.zeros_like(a)),
    },
    "flow.autoregressive.masked_flow": lambda: {"layer": MAF},
    "flow.coupling.coupling_flow": lambda: {"element": Affine()},
    "flow.dequantization.pixel_flow": lambda: {"train": torch.randint(0, 17, (12, 6))},
    "flow.spline.find_bin": lambda: spline("a"),
    "flow.spline.rq_spline_forward": lambda: spline("z"),
    "flow.spline.rq_spline_inverse": lambda: spline("x"),
    "flow.spline.spline_parameters": lambda: {"raw": noise(4, 8)},
    "flow.transforms.dense_log_det": lambda b=4: {"f": lambda a: 2 * a + a.sin(), "a": noise(b, 3)},
    "flow.transforms.push_forward": lambda: {"layers": [Permutation(torch.tensor([2, 0, 1]))]},
    "flow.transforms.pull_back": lambda: {"layers": [Permutation(torch.tensor([2, 0, 1]))]},
    "flow.transforms.lu_forward": lambda: {"lower": covariance(3, 3), "upper": covariance(3, 3)},
    "flow.transforms.lu_inverse": lambda: {
        "lower": covariance(3, 3).tril(-1) + torch.eye(3),
        "upper": covariance(3, 3).triu(),
    },
    "latent.elbo.refine": lambda: {"n_steps": 2},
    "latent.quantize.finite_scalar_quantize": lambda: {"levels": (5, 4, 3)},
    "latent.quantize.finite_scalar_index": lambda: {"levels": (5, 4, 3)},
    "latent.em.ppca_ml": lambda: {"x": noise(12, 3), "n_latent": 1},
    "latent.em.one_hot_levels": lambda: {"n_levels": 5},
    "latent.em.categorical_m_step": lambda: {"n_levels": 5},
    "latent.vae.bernoulli_log_prob": lambda b=4: {"x": torch.randint(0, 2, (b, 3)).float()},
    "metrics.calibration.chi_square_test": lambda: {
        "ranks": torch.randint(0, 10, (30,)),
        "n_draws": 9,
        "n_bins": 5,
    },
    "metrics.calibration.c2st": lambda: {
        "x": noise(10, 3),
        "y": noise(10, 3),
        "classifier": KNeighborsClassifier(1),
    },
    "metrics.calibration.classifier_two_sample_test": lambda: {
        "x": noise(10, 3),
        "y": noise(10, 3),
        "classifier": KNeighborsClassifier(1),
    },
    "metrics.calibration.mmd_permutation_test": lambda: {"n_permutations": 5},
    "metrics.cost.new_positions": lambda b=4: {"before": noise(b, 3), "now": noise(b, 3)},
    "metrics.distances.transport_plan": lambda: {
        "p": torch.tensor([2, 2, 1, 1, 1, 1]) / 8,
        "q": torch.tensor([2, 2, 2, 1, 1]) / 8,
    },
    "metrics.distances.sqrt_psd": lambda: {"a": covariance(3, 3)},
    "metrics.distances.eigh_psd": lambda: {"a": covariance(3, 3)},
    "metrics.distances.frechet_by_size": lambda: {
        "x": noise(12, 2),
        "y": noise(12, 2),
        "sizes": [4, 6],
        "n_repeats": 2,
    },
    "metrics.distances.extrapolate": lambda: {"sizes": [4, 6, 8, 10, 12]},
    "metrics.distances.transport_prices": lambda: {
        "distance": torch.cdist(GREY.float(), GREY.float()),
        "p": probabilities(12),
        "q": probabilities(12),
    },
    "metrics.features.haar_details": lambda: {"grey": uniform(6, 8, 8)},
    "metrics.features.upright": lambda: {"grey": uniform(6, 8, 8)},
    "metrics.features.gradient_histograms": lambda: {"grey": uniform(6, 8, 8)},
    "metrics.features.degrade": lambda: {"images": uniform(6, 1, 8, 8)},
    "metrics.features.repeat_few": lambda: {"n": 6, "n_distinct": 2},
    "nn.attention.attention_weights": lambda b=4: {"q": noise(b, 2, 5, 3), "k": noise(b, 2, 5, 3)},
    "nn.attention.attention": lambda b=4: {
        "q": noise(b, 4, 5, 3),
        "k": noise(b, 2, 5, 3),
        "v": noise(b, 2, 5, 3),
    },
    "score.guidance.drop_condition": lambda: {"null": 3},
    "nn.layers.rotate": lambda: {"x": noise(4, 5, 4), "angles": noise(5, 2)},
    "nn.layers.turn": lambda: {"x": noise(2, 3, 8), "cos": noise(3, 4), "sin": noise(3, 4)},
    "nn.attention.split_heads": lambda: {"x": noise(4, 5, 6)},
    "oracles.continuous.kl_gaussian": lambda: {"p": gaussian(), "q": gaussian()},
    "oracles.discrete.total_correlation": lambda: {
        "joint": torch.rand(2, 3, 2, dtype=torch.float64).flatten().softmax(0).reshape(2, 3, 2)
    },
    "score.consistency.consistency_distillation_loss": to_lower,
    "score.consistency.consistency_sample": lambda: {"levels": [0.8, 0.4]},
    "score.consistency.mean_flow_loss": lambda b=4: {"r": 0.1 * uniform(b), "t": uniform(b)},
    "score.diffusion.ddpm_loss": lambda b=4: {"t": torch.arange(b)},
    "score.diffusion.ddpm_step": lambda: {
        "beta": level(0.1),
        "alpha_bar": level(0.5),
        "variance": level(0.1),
    },
    "score.diffusion.bin_log_prob": lambda: {
        "bins": Bins(0.5, -1.0, 1.0),
        "std": level(0.5),
        "x": torch.linspace(-1, 1, 5)[torch.randint(0, 5, (4, 3))],
    },
    "score.diffusion.ddpm_vlb_terms": lambda b=4: {"eps": noise(10, b, 3)},
    "score.diffusion.ddpm_vlb": lambda b=4: {"eps": noise(10, b, 3)},
    "score.edm.edm_step": to_lower,
    "score.guidance.guided_eps_model": lambda: {"null": 3},
    "score.exact.exact_eps_model": lambda: {"data": gaussian()},
    "score.exact.exact_flow_1d": lambda: {"data": mixture()},
    "score.flow_matching.flow_matching_loss": lambda b=4: {"t": uniform(b)},
    "score.masked.mask_count": lambda b=4: of_masked(b, u=uniform(b, 3)),
    "score.masked.masked_nll": lambda b=4: {
        "t": uniform(b),
        "x0": torch.randint(0, 3, (b, 3)),
        "logits": noise(b, 3, 3),
        "hidden": torch.ones(b, 3) > 0,
    },
    "score.masked.turns_log_prob": lambda b=4: of_masked(b, turn=torch.randint(0, 3, (b, 3))),
    "score.masked.unmask_step": lambda b=4: {
        "u_when": uniform(b, 3),
        "u_what": uniform(b, 3),
        "x_t": torch.tensor([[0, 99, 99]] * b),
        "logits": noise(b, 3, 7),
    },
    "score.masked.within_budget": lambda b=4: {"hidden": torch.ones(b, 3) > 0},
    "score.masked.masked_sample": lambda b=4: {"x_T": torch.full((b, 3), 99)},
    "score.matching.ladder_overlap": lambda: {"ratio": 1.5},
    "score.matching.noise_ladder": lambda: {"n_levels": 5},
    "score.samplers.ddim_step": lambda: {"a_t": level(0.4), "a_s": level(0.7)},
    "score.samplers.ddim_invert_step": lambda: {"a_t": level(0.4), "a_s": level(0.7)},
    "score.samplers.dpm_solver_step": lambda: {"a_t": level(0.4), "a_s": level(0.7)},
    "score.samplers.dpm_solver_2m_step": lambda: {
        "a_r": level(0.2),
        "a_t": level(0.4),
        "a_s": level(0.7),
    },
    **{
        f"score.samplers.{name}": lambda: {"timesteps": STEPS}
        for name in ("ddim_sample", "dpm_solver_sample")
    },
    "score.samplers.ddim_invert": lambda: {"timesteps": STEPS, "n_refine": 1},
    **{
        f"score.sde.{name}": lambda b=4: SDE | {"t": uniform(b)}
        for name in (
            "reverse_drift",
            "probability_flow",
            "reverse_sde_sample",
            "probability_flow_sample",
            "predictor_corrector_sample",
        )
    },
    "score.matching.posterior_covariance": lambda: {"score": lambda x: -(x**3)},
    "score.samplers.half_log_snr": lambda: {"a": uniform(4)},
    "solvers.mcmc.langevin_matrix": lambda: {
        "x": torch.linspace(-1, 1, 9),
        "score": torch.linspace(1, -1, 9),
        "step_size": 0.5,
    },
    "solvers.mcmc.mala_matrix": lambda: {
        "x": torch.linspace(-1, 1, 9),
        "score": torch.linspace(1, -1, 9),
        "step_size": 0.5,
        "log_prob": -(torch.linspace(-1, 1, 9) ** 2) / 2,
    },
    "solvers.mcmc.stationary": lambda: {"matrix": chain()},
    "solvers.mcmc.relaxation_time": lambda: {"matrix": chain()},
    **{
        f"solvers.ode.{name}_step": lambda: {"t": level(0.0), "s": level(0.2), "y": noise(4, 3)}
        for name in ("euler", "heun", "rk4")
    },
    "solvers.sde.euler_maruyama_step": lambda: {
        "t": level(0.0),
        "s": level(0.2),
        "x": noise(4, 3),
        "z": noise(4, 3),
    },
    **{f"solvers.ode.{name}": lambda: {"y0": noise(4, 3)} for name in ("euler", "heun", "rk4")},
    "solvers.sde.euler_maruyama": lambda: {"x0": noise(4, 3)},
    "solvers.ode.rademacher": lambda: {"shape": (4, 3), "like": noise(2)},
}

WORDS = "reads or writes words, no numbers"
FILES = "reads or writes a file: tests/core/test_weights.py, tests/data"
MODULE = "changes a network, which is no number"
WITHOUT = {
    "adversarial.gan.r1_penalty": "its logits must depend on its x",
    "adversarial.gan.spectral_normalize": MODULE,
    "solvers.ode.walk": "euler, heun, rk4 and euler_maruyama are tried, which check its times",
    "autoregressive.speculative.draft_from_ngram": "returns a function of a model",
    **dict.fromkeys(
        [
            "autoregressive.tokens.words",
            "autoregressive.tokens.merge",
            "autoregressive.tokens.train_bpe",
            "data.language.write_captions",
            "data.language.read_caption",
            "data.language.encode",
            "data.language.caption_distribution",
            "data.language.next_word_probs",
            "data.language.chance",
            "data.language.read_moving",
            "data.language.read_scenes",
            "data.text.unique_paragraphs",
            "nn.text.encode_captions",
            "data.text.part_of",
        ],
        WORDS,
    ),
    **dict.fromkeys(
        [
            "core.weights.save_weights",
            "core.weights.load_weights",
            "core.weights.read_card",
            "data.captions.load_captioned",
            "data.digits.load_digits",
            "data.digits.load_mnist",
            "data.digits.split_indices",
            "data.moving.load_moving",
            "data.moving.small_digits",
            "data.scenes.load_objects",
            "data.text.load_text",
            "metrics.features.load_classifier",
            "nn.pretrained.from_llama",
            "nn.pretrained.from_gpt2",
            "nn.pretrained.load_pretrained",
            "train.resume.store",
            "train.resume.restore",
        ],
        FILES,
    ),
    **dict.fromkeys(
        [
            "core.capabilities.likelihood_kind",
            "core.capabilities.log_likelihood",
            "latent.em.em",
            "metrics.cost.network_passes",
            "metrics.cost.multiply_adds",
            "metrics.cost.read_positions",
            "train.fit.fit",
            "train.fit.fit_adversarial",
        ],
        "asks a model: tests/hostile/models.py",
    ),
    **dict.fromkeys(["flow.coupling.start_at_zero", "nn.transformer.init_weights"], MODULE),
    "train.muon.inner": "lists the weights of a network",
    **dict.fromkeys(["core.checked.check_public", "core.checked.checked"], "wraps functions"),
    **dict.fromkeys(
        [
            "core.tensors.expand",
            "core.tensors.require_alike",
            "core.tensors.require_rows",
            "core.tensors.require_finite",
            "core.tensors.require_positive",
            "core.tensors.require_between",
            "core.tensors.require_uniform",
            "core.tensors.require_probabilities",
            "core.tensors.require_index",
            "core.tensors.last",
            "solvers.ode.require_times",
            "core.tensors.make_generator",
            "core.tensors.drawn",
            "train.fit.keep_freed_memory",
        ],
        "is itself a guard, takes no number, or answers a shape: tests/core",
    ),
    "data.scenes.compose": "takes pictures of objects from a file: tests/data/test_scenes.py",
    "data.scenes.draw_scenes": "takes pictures of objects from a file: tests/data/test_scenes.py",
    "nn.attention.n_seen": "counts what a cache holds",
    "score.exact.exact_score": "returns a function of a law",
    "score.exact.exact_velocity": "returns a function of a law",
}


def _value(key, parameter, seed, sizes):
    """Return a value for one argument; None leaves it to its default."""
    kind, dims = hint_of(parameter.annotation)
    if key == "generator":
        return torch.Generator().manual_seed(seed)
    if parameter.default is not inspect.Parameter.empty:
        return parameter.default if kind in ("float", "int") else None
    if dims is None and kind != "Float":
        known = {"call": FUNCTIONS.get(key, pull), "float": 0.5, "int": 3, "bool": True}
        return NUMBERS.get(key, known[kind]) if kind in ("float", "int") else known[kind]
    shape = shape_of("b" if dims is None else dims, sizes)
    if kind == "Int":
        return torch.randint(0, 3, shape)
    return torch.rand(shape) < 0.5 if kind == "Bool" else VALUES.get(key, noise)(*shape)


def example(name, function, seed=0, **sizes):
    """Return the arguments of a valid call of `function` by name."""
    torch.manual_seed(seed)
    make = METHODS[name][1] if name in METHODS else CALLS.get(name, lambda: {})
    own = inspect.signature(make).parameters
    given = make(**{dim: size for dim, size in sizes.items() if dim in own})
    arguments = {}
    for key, parameter in inspect.signature(function).parameters.items():
        value = given[key] if key in given else _value(key, parameter, seed, sizes)
        if value is not None:
            arguments[key] = value
    return arguments


READS_PART = {  # what a NaN may stand in without being read
    "GAN.generator_loss.x": "how many there are",
    "WGAN.generator_loss.x": "how many there are",
    "flow.transforms.lu_forward.lower": "one triangle",
    "flow.transforms.lu_inverse.lower": "one triangle",
    **dict.fromkeys(
        [
            f"flow.spline.{f}.{key}"
            for f in ("find_bin", "rq_spline_forward", "rq_spline_inverse")
            for key in ("widths", "heights", "slopes")
        ],
        "the bin in which a number lies",
    ),
    "adversarial.stylegan.mix_styles.coarse": "the layers that take it",
    "adversarial.stylegan.mix_styles.fine": "the layers that take it",
    "metrics.distances.frechet_by_size.x": "the rows that are drawn",
    "metrics.distances.frechet_by_size.y": "the rows that are drawn",
    "metrics.distances.kid_blocks.x": "the rows that are drawn",
    "metrics.distances.kid_blocks.y": "the rows that are drawn",
    "flow.spline.find_bin.a": "the spline makes it NaN: tests/hostile/test_public_functions.py",
    "metrics.cost.new_positions.before": "a NaN is a new position",
    "metrics.cost.new_positions.now": "a NaN is a new position",
    "score.masked.unmask_step.u_when": "a step: masked_sample draws it",
    "solvers.mcmc.mala_step.z": "a step: mala draws it",
    "solvers.mcmc.mala_step.u": "a step: mala draws it",
    "score.diffusion.ddpm_loss.alphas_bar": "the levels of its t",
    "score.diffusion.ddpm_vlb_term.betas": "the levels of its t",
    "score.diffusion.ddpm_vlb_term.variances": "the levels of its t",
    "score.matching.annealed_langevin.sigmas": "the levels of the states that are looked at",
    "score.samplers.ddim_sample.alphas_bar": "the levels that it visits",
    "score.samplers.ddim_invert.alphas_bar": "the levels that it visits",
    "score.samplers.dpm_solver_sample.alphas_bar": "the levels that it visits",
}


def annotation(function, key):
    return inspect.signature(function).parameters[key].annotation
