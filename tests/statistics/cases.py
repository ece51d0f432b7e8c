"""The table: samplers whose distribution is known, estimators whose mean and variance are.

`draw(generator)` is what one seed gives. A sampler's `law` turns the draws of all seeds into
numbers that are uniform if it is right; an estimator's law is its mean and, where theory has one,
its variance.
"""

import copy
import importlib
import itertools
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import scipy.stats
import torch
from torch import Tensor, nn

from genlab.autoregressive import decoding, images, lm, speculative
from genlab.core import stats, tensors
from genlab.core.tensors import last, randn
from genlab.data import simulators
from genlab.flow import autoregressive, continuous, coupling, dequantization, spline, transforms
from genlab.flow.model import Flow, StandardNormal
from genlab.latent import vae
from genlab.latent.em import CategoricalMixture
from genlab.metrics import calibration, distances
from genlab.nn.transformer import TransformerConfig
from genlab.oracles import Empirical, Gaussian, GaussianMixture, LinearLatent, TokenTable
from genlab.score import (
    consistency,
    diffusion,
    edm,
    energy,
    exact,
    flow_matching,
    guidance,
    masked,
    matching,
    samplers,
    sde,
)
from genlab.solvers import mcmc, ode
from genlab.solvers import sde as stochastic

elbo = importlib.import_module("genlab.latent.elbo")  # its package has a function of that name
SEEDS, ROWS = 200, 200
PHI = torch.special.ndtr


@dataclass(frozen=True)
class Uniform:
    """All draws together, and the 200 p-values of the seeds, which are uniform themselves."""

    of: Callable[[Tensor], Tensor]  # the draws of all seeds to numbers in (0, 1)

    def p_values(self, draws):
        u = self.of(torch.cat(draws)).double().reshape(len(draws), -1)
        assert bool(((u >= 0) & (u <= 1)).all()), "a draw outside the support"
        return {"pooled": kolmogorov(u.reshape(1, -1))[0], "seeds": kolmogorov(kolmogorov(u))}


@dataclass(frozen=True)
class Mean:
    """The mean by Student's t, the variance by its own standard error."""

    mean: float
    variance: float | None = None

    def p_values(self, draws):
        x = torch.cat(draws).detach().double()
        n, gap = len(x), x - x.mean()
        variance = float((gap**2).mean())
        t = (float(x.mean()) - self.mean) / math.sqrt(variance / (n - 1))
        found = {"mean": 2 * scipy.stats.t.sf(abs(t), n - 1)}
        if self.variance is not None:
            error = math.sqrt(float((gap**4).mean()) - variance**2) / math.sqrt(n)
            found["variance"] = 2 * scipy.stats.norm.sf(abs(variance - self.variance) / error)
        return found


def kolmogorov(u):
    """P-values of the Kolmogorov-Smirnov test, one for each row (or one for one row)."""
    u = torch.as_tensor(u)
    rows = u.reshape(-1, u.shape[-1]).sort(-1).values
    n = rows.shape[-1]
    i = torch.arange(n, dtype=rows.dtype)
    gap = torch.maximum((rows - i / n).amax(-1), ((i + 1) / n - rows).amax(-1))
    p = scipy.stats.kstwo.sf(gap.numpy(), n)
    return float(p[0]) if u.ndim == 1 else torch.from_numpy(p)


# Laws


def normal(mean, variance):
    return Uniform(lambda x: PHI((x.flatten() - mean) / math.sqrt(variance)))


def along(mean, cov):
    """Normal draws in a plane, each seed seen along a direction of its own."""

    def of(x):
        angle = torch.arange(SEEDS).repeat_interleave(len(x) // SEEDS) * 2.4  # of a sunflower
        way = torch.stack([angle.cos(), angle.sin()], 1)
        return PHI(((x - mean) * way).sum(1) / ((way @ cov) * way).sum(1).sqrt())

    return Uniform(of)


def mixed(data, run=lambda x: x):
    """A mixture on the line; what a sampler without noise makes of its start is `run`."""
    return Uniform(lambda x: PHI((run(x) - data.means[:, 0]) / data.stds) @ data.weights)


def counted(p):
    """Whole numbers with these probabilities, spread evenly over their step of the CDF."""
    p = torch.as_tensor(p).double().flatten()
    assert abs(float(p.sum()) - 1) < 1e-9
    upper = p.cumsum(0)

    def of(index):
        v = torch.rand(len(index), generator=tensors.make_generator(1), dtype=torch.float64)
        return (upper - p)[index] + v * p[index]

    return Uniform(of)


def on_grid(log_prob, d, reach=9.0):
    """A density in one or two dimensions, integrated on a grid: a coordinate for each half."""
    n = 4001 if d == 1 else 501
    axis = torch.linspace(-reach, reach, n)
    with torch.no_grad():
        points = axis[:, None] if d == 1 else torch.cartesian_prod(axis, axis)
        density = log_prob(points).exp().reshape([n] * d)
    step = float(axis[1] - axis[0])
    tables = []
    for j in range(d):
        p = density.sum([k for k in range(d) if k != j]) if d > 1 else density
        f = torch.cat([p.new_zeros(1), (p[1:] + p[:-1]).cumsum(0) / 2]) * step**d
        assert abs(float(f[-1]) - 1) < 1e-3
        tables.append(f / f[-1])

    def of(x):
        halves = x.chunk(d)
        parts = [
            np.interp(h[:, j], axis, f) for j, (h, f) in enumerate(zip(halves, tables, strict=True))
        ]
        return torch.from_numpy(np.concatenate(parts))

    return Uniform(of)


def place(tokens, v):
    """The number of a sequence in the order of `itertools.product`."""
    tokens = tokens.flatten(1)
    return tokens @ v ** torch.arange(tokens.shape[1] - 1, -1, -1)


def chain(mean, variance, moves):
    """A normal after moves x -> A x + B + sqrt(V) z."""
    for a, b, v in moves:
        mean, variance = float(a * mean + b), float(a**2 * variance + v)
    return normal(mean, variance)


def expect(f, d=1):
    """E f(eps) for d standard normal numbers, by Gauss and Hermite."""
    x, w = map(torch.from_numpy, np.polynomial.hermite_e.hermegauss(60))
    w = w / w.sum()
    points = torch.stack([g.flatten() for g in torch.meshgrid([x] * d, indexing="ij")])
    weight = w if d == 1 else torch.outer(w, w).flatten()
    return (weight * f(*points)).sum()


def moments(f, d=1):
    mean = expect(f, d)
    return Mean(float(mean), float(expect(lambda *e: (f(*e) - mean) ** 2, d)))


# What is sampled from


def bold(model, spread=0.6):
    """Weights so large that no distribution stays even."""
    generator = tensors.make_generator(7)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(spread * torch.randn(p.shape, generator=generator))
    return model.eval()


def start(generator, d=1, n=ROWS):
    return randn((n, d), generator=generator)


def sequences(model, v, n, shape=None):
    """A model of tokens against its own log-probability of every sequence."""
    every = torch.tensor(list(itertools.product(range(v), repeat=n)))
    with torch.no_grad():
        p = model.log_prob(every if shape is None else every.reshape(-1, *shape)).exp()
    return lambda g: place(model.sample(ROWS, generator=g), v), counted(p)


def bigrams():
    return torch.tensor(
        [
            [0.1, 0.2, 0.3, 0.4],
            [0.55, 0.05, 0.3, 0.1],
            [0.25, 0.35, 0.15, 0.25],
            [0.4, 0.1, 0.2, 0.3],
        ]
    )


def pairs(p):
    """The two tokens after a first 0."""
    return counted(p[0][:, None] * p)


def nucleus(row, temperature, k, top_p):
    """Sharpened, the k largest, and of these the fewest that reach `top_p`: in plain numbers."""
    row = [x ** (1 / temperature) for x in row.tolist()]
    keep = sorted(range(len(row)), key=lambda i: -row[i])[:k]
    total, kept, mass = sum(row[i] for i in keep), [], 0.0
    for i in keep:
        if mass < top_p:
            kept.append(i)
            mass += row[i] / total
    return torch.tensor(
        [row[i] / sum(row[j] for j in kept) if i in kept else 0 for i in range(len(row))]
    )


def language():
    p = bigrams()
    log_p, first = p.log(), torch.zeros(ROWS, 1, dtype=torch.int64)
    of = lambda x: log_p[x]
    extend = lambda x, cache: (log_p[x], cache)
    reshape = lambda a: decoding.reshape_logits(a, temperature=0.8, top_k=3, top_p=0.7)
    narrow = torch.stack([nucleus(row, 0.8, 3, 0.7) for row in p])
    draft = lambda x, length: p.roll(1, 0)[x[torch.arange(len(x)), length - 1]]
    until = p[0][:, None] * p
    until[3] = p[0, 3] * torch.tensor([1.0, 0, 0, 0])
    guess = lambda g, k: speculative.speculative_sample(of, draft, first, 2, k=k, generator=g)
    two = lambda x: place(x[:, 1:3], 4)
    written = lambda g: decoding.write_until(extend, lambda h: h, first, 2, stop=3, generator=g)

    def kept(g):
        round_ = speculative.speculative_round(
            of, draft, first, torch.ones(ROWS, dtype=torch.int64), 1, generator=g
        )
        return round_.kept.double()

    overlap = float(torch.minimum(p[0], p[3]).sum())
    yield (
        "decoding.generate_naive",
        lambda g: two(last(decoding.generate_naive(of, first, 2, generator=g))),
        pairs(p),
    )
    yield (
        "decoding.generate_cached",
        lambda g: two(last(decoding.generate_cached(extend, first, 2, generator=g))),
        pairs(p),
    )
    yield (
        "decoding.reshape_logits",
        lambda g: two(last(decoding.generate_naive(of, first, 2, reshape=reshape, generator=g))),
        pairs(narrow),
    )
    yield "decoding.write_until", lambda g: two(last(written(g)).tokens), counted(until)
    for k in (0, 1, 3):
        yield (
            f"speculative.speculative_sample, k = {k}",
            lambda g, k=k: two(last(guess(g, k)).tokens),
            pairs(p),
        )
    yield "speculative.acceptance", kept, Mean(overlap, overlap * (1 - overlap))
    config = TransformerConfig(d_model=8, n_layer=1, n_head=2, n_kv_head=1)
    model = bold(lm.TransformerLM(3, 3, config))
    yield "lm.TransformerLM.sample", *sequences(model, 3, 3)
    target = SimpleNamespace(next_logits=of, begin=lambda n: first[:n], event_shape=(2,))
    fast = speculative.SpeculativeLM(target, draft, 2)
    yield (
        "speculative.SpeculativeLM.sample",
        lambda g: place(fast.sample(ROWS, generator=g), 4),
        pairs(p),
    )
    cnn = images.PixelCNN(images.TwoStacks(1, 6, 2), 6, n_levels=2, event_shape=(1, 2, 2))
    yield "images.PixelCNN.sample", *sequences(bold(cnn), 2, 4, (1, 2, 2))
    gpt = images.ImageTransformer(2, (1, 2, 2), config, order=[2, 0, 3, 1])
    yield "images.ImageTransformer.sample", *sequences(bold(gpt), 2, 4, (1, 2, 2))


def table():
    p = torch.rand(3, 3, generator=tensors.make_generator(3)) ** 3
    return TokenTable(p / p.sum())


def hidden_tokens():
    law = table()
    p = law.joint
    filler = lambda x: law.conditionals(x).log()
    apart = p.sum(1)[:, None] * p.sum(0)
    for k in (1, 3):  # two tokens appear in the same of k steps once in k times
        yield (
            f"masked.masked_sample, {k} steps",
            lambda g, k=k: place(
                last(
                    masked.masked_sample(filler, torch.full((ROWS, 2), 3), k, mask=3, generator=g)
                ),
                3,
            ),
            counted(apart / k + (1 - 1 / k) * p),
        )
    model = masked.MaskedDiffusion(_Module(filler), event_shape=(2,), n_tokens=3)
    x = torch.tensor([[0, 2]]).expand(ROWS, 2)
    unit = lambda g: model.nll_term(x, generator=g).mean()[None]  # its rows share their counts
    yield "masked.MaskedDiffusion.nll_term", unit, Mean(-float(p[0, 2].log()))
    yield "oracles.TokenTable.sample", lambda g: place(law.sample(ROWS, generator=g), 3), counted(p)


class _Module(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, *x):
        return self.function(*x)


def laws():
    """The oracles themselves, simulators, and models of one step."""
    plane = Gaussian(torch.tensor([1.0, -0.5]), torch.tensor([[1.0, 0.6], [0.6, 0.8]]))
    yield (
        "oracles.Gaussian.sample",
        lambda g: plane.sample(ROWS, generator=g),
        along(plane.mean, plane.cov),
    )
    line = mixture()
    yield "oracles.GaussianMixture.sample", lambda g: line.sample(ROWS, generator=g), mixed(line)
    points = Empirical(torch.arange(5.0)[:, None])
    yield (
        "oracles.Empirical.sample",
        lambda g: points.sample(ROWS, generator=g).long().flatten(),
        counted([0.2] * 5),
    )
    latent = LinearLatent(torch.tensor([[1.5], [-0.5]]), torch.tensor([0.5, 0.0]), 0.7)
    whole = latent.marginal()
    yield (
        "oracles.LinearLatent.sample",
        lambda g: latent.sample(ROWS, generator=g),
        along(whole.mean, whole.cov),
    )
    linear = nn.Linear(1, 2)
    with torch.no_grad():
        linear.weight.copy_(latent.weight)
        linear.bias.copy_(latent.mean)
    model = vae.VAE(nn.Identity(), linear, latent_dim=1, event_shape=(2,), log_scale=math.log(0.7))
    yield "vae.VAE.sample", lambda g: model.sample(ROWS, generator=g), along(whole.mean, whole.cov)
    kinds = bold(CategoricalMixture(torch.zeros(2), torch.zeros(2, 2, 3)), 1.5)
    yield "em.CategoricalMixture.sample", *sequences(kinds, 3, 2)
    world = simulators.LinearGaussian()

    def seen(g):
        theta = world.prior(ROWS, generator=g)
        mean, cov = world.posterior(world.simulate(theta, generator=g))
        return torch.linalg.solve_triangular(
            torch.linalg.cholesky(cov), (theta - mean).T, upper=False
        ).T

    yield "simulators.LinearGaussian.posterior", seen, along(torch.zeros(2), torch.eye(2))
    moons = simulators.TwoMoons()

    def angle(theta):  # of the crescent point that explains an observation at the origin
        first, second = theta.T / math.sqrt(2)
        return torch.atan2(first - second, (first + second).abs() - 0.25) / math.pi + 0.5

    draw = lambda g: moons.posterior_sample(torch.zeros(2), ROWS, generator=g)
    yield "simulators.TwoMoons.posterior_sample", draw, Uniform(angle)
    grey = torch.full((ROWS, 1), 2)
    yield (
        "stats.dequantize",
        lambda g: stats.dequantize(grey, 5, generator=g),
        Uniform(lambda y: 5 * y - 2),
    )
    kernel = lambda a, b: distances.rbf_kernel(a, b)

    def p_value(g):
        test = calibration.mmd_permutation_test
        some = [
            test(start(g, n=9), start(g, n=9), kernel, n_permutations=19, generator=g)
            for _ in range(5)
        ]
        return torch.tensor([round(20 * r.p_value) - 1 for r in some])

    yield "calibration.mmd_permutation_test", p_value, counted([0.05] * 20)

    def of_ranks(g):
        ranks = torch.randint(0, 10, (2, 40), generator=g)
        return torch.tensor(
            [calibration.kolmogorov_smirnov_test(r, 9, generator=g).p_value for r in ranks]
        )

    yield "calibration.kolmogorov_smirnov_test", of_ranks, Uniform(lambda p: p)


def flows():
    models = {
        "coupling.coupling_flow": (
            coupling.coupling_flow(2, transforms.Affine(), n_layers=2, width=8),
            2,
        ),
        "spline.RationalQuadratic": (
            coupling.coupling_flow(2, spline.RationalQuadratic(4, bound=4.0), n_layers=2, width=8),
            2,
        ),
        "autoregressive.MAF": (
            autoregressive.masked_flow(autoregressive.MAF, 2, n_layers=2, width=8),
            2,
        ),
        "autoregressive.IAF": (
            autoregressive.masked_flow(autoregressive.IAF, 2, n_layers=2, width=8),
            2,
        ),
        "continuous.Continuous": (
            Flow(StandardNormal((1,)), [continuous.Continuous(1, width=8)]),
            1,
        ),
    }
    for name, (model, d) in models.items():
        bold(model, 0.4)
        law = on_grid(model.log_prob, d)  # a flow draws its start alone: it runs once
        run = lambda z, m=model: _without_slope(m.forward, z)[0]
        yield (
            f"{name}: sample",
            lambda g, d=d: start(g, d),
            Uniform(lambda z, law=law, run=run: law.of(run(z))),
        )


@torch.no_grad()
def _without_slope(f, x):
    return f(x)


# Chains: the data are N(2, 1/4), whose noised guesses are linear


M, C = 2.0, 0.25


def mixture():
    return GaussianMixture(
        torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.4, 0.6])
    )


def data():
    return Gaussian(torch.tensor([M]), torch.tensor([[C]]))


def guess(a):
    """E[x0 | x_t] = k x_t + l at a signal variance a."""
    k = math.sqrt(a) * C / (a * C + 1 - a)
    return k, M - k * math.sqrt(a) * M


def posterior(a_t, a_s, eta):
    """A step of q(x_s | x_t, x0) with the guess for x0, its noise eta times as large."""
    k, shift = guess(a_t)
    beta = 1 - a_t / a_s
    v = eta**2 * (1 - a_s) / (1 - a_t) * beta
    if eta == 1:  # Ho et al., eq. 7
        left, right = (
            math.sqrt(a_s) * beta / (1 - a_t),
            math.sqrt(a_t / a_s) * (1 - a_s) / (1 - a_t),
        )
    else:
        right = math.sqrt(1 - a_s - v) / math.sqrt(1 - a_t)
        left = math.sqrt(a_s) - right * math.sqrt(a_t)
    return left * k + right, left * shift, v


def chains():
    betas = torch.linspace(0.05, 0.5, 8)
    bar = diffusion.alphas_bar_from_betas(betas)
    eps, down = exact.exact_eps_model(data(), bar), [*bar.tolist()[::-1], 1.0]
    moves = [posterior(t, s, 1.0) for t, s in itertools.pairwise(down)]
    run = lambda g: last(
        diffusion.ddpm_sample(
            eps, start(g), betas=betas, variances=diffusion.posterior_variances(betas), generator=g
        )
    )
    yield "diffusion.ddpm_sample, small variance", run, chain(0, 1, moves)
    wide = [(a, b, beta) for (a, b, _), beta in zip(moves, betas.tolist()[::-1], strict=True)]
    wide[-1] = (*wide[-1][:2], 0)
    run = lambda g: last(
        diffusion.ddpm_sample(eps, start(g), betas=betas, variances=betas, generator=g)
    )
    yield "diffusion.ddpm_sample, large variance", run, chain(0, 1, wide)
    model = diffusion.DDPM(_Module(eps), betas, event_shape=(1,))
    yield "diffusion.DDPM.sample", lambda g: model.sample(ROWS, generator=g), chain(0, 1, wide)
    steps = torch.tensor([7, 4, 2, 0])
    levels = [*bar[steps].tolist(), 1.0]
    for eta in (0.0, 0.5, 1.0):
        run = lambda g, eta=eta: last(
            samplers.ddim_sample(eps, start(g), steps, alphas_bar=bar, eta=eta, generator=g)
        )
        law = chain(0, 1, [posterior(t, s, eta) for t, s in itertools.pairwise(levels)])
        yield f"samplers.ddim_sample, eta = {eta}", run, law
    path, ts = sde.VP(), torch.linspace(0.6, 0.05, 5)
    slope = exact.exact_score(data(), path)

    def at(t):
        """Rate, squared diffusion coefficient, and the score as p x + q."""
        beta, whole = 0.1 + 19.9 * t, math.exp(-(0.1 * t + 19.9 * t**2 / 2))
        v = whole * C + 1 - whole
        return -beta / 2, beta, -1 / v, math.sqrt(whole) * M / v

    def reverse(t, s, noise):
        rate, g2, p, q = at(t)
        pull = (1 + noise**2) / 2 * g2
        return 1 + (s - t) * (rate - pull * p), (t - s) * pull * q, noise**2 * g2 * (t - s)

    for noise in (0.5, 1.0):
        run = lambda g, noise=noise: last(
            sde.reverse_sde_sample(path, slope, start(g), ts, noise=noise, generator=g)
        )
        law = chain(0, 1, [reverse(t, s, noise) for t, s in itertools.pairwise(ts.tolist())])
        yield f"sde.reverse_sde_sample, noise {noise}", run, law
    push = 0.03
    moves = []
    for t, s in itertools.pairwise(ts.tolist()):
        _, _, p, q = at(s)
        moves += [reverse(t, s, 1.0), *[(1 + push * p, push * q, 2 * push)] * 2]
    run = lambda g: last(
        sde.predictor_corrector_sample(
            path, slope, start(g), ts, n_corrector=2, step_size=lambda *_: push, generator=g
        )
    )
    yield "sde.predictor_corrector_sample", run, chain(0, 1, moves)
    run = lambda g: last(
        mcmc.langevin(
            lambda x: (M - x) / C, start(g), step_size=0.1, n_steps=6, temperature=0.8, generator=g
        )
    )
    yield "mcmc.langevin", run, chain(0, 1, [(1 - 0.1 / C, 0.1 * M / C, 0.2 * 0.8)] * 6)
    run = lambda g: last(
        mcmc.mala(data().log_prob, data().score, start(g), step_size=0.12, n_steps=16, generator=g)
    )
    yield "mcmc.mala, from afar", run, normal(M, C)
    run = lambda g: last(
        mcmc.mala(
            mixture().log_prob,
            mixture().score,
            mixture().sample(ROWS, generator=g),
            step_size=0.4,
            n_steps=5,
            generator=g,
        )
    )
    yield "mcmc.mala, at rest", run, mixed(mixture())
    run = lambda g: last(
        stochastic.euler_maruyama(
            lambda t, x: -t * x, lambda t: 1 + t, start(g), torch.linspace(0, 1, 6), generator=g
        )
    )
    yield (
        "solvers.euler_maruyama",
        run,
        chain(0, 1, [(1 - 0.2 * t, 0, 0.2 * (1 + t) ** 2) for t in (0, 0.2, 0.4, 0.6, 0.8)]),
    )
    ladder = torch.tensor([2.0, 1.0, 0.5])
    score = lambda x, level: (M - x) / (C + level[:, None] ** 2)
    moves = []
    for level in ladder.tolist():
        eta, v = 0.3 * level**2, C + level**2
        moves += [(1 - eta / v, eta * M / v, 2 * eta)] * 2
    moves.append((C / (C + 0.25), 0.25 * M / (C + 0.25), 0))
    run = lambda g: last(
        matching.annealed_langevin(
            score, 2 * start(g), ladder, rate=0.3, n_steps=2, denoise=True, generator=g
        )
    )
    yield "matching.annealed_langevin", run, chain(0, 4, moves)
    end = lambda x, level: M + (x - M) * math.sqrt((C + 0.01) / (C + float(level[0]) ** 2))
    run = lambda g: last(
        consistency.consistency_sample(
            end, M + math.sqrt(C + 4) * start(g), [2.0, 0.7, 0.3], sigma_min=0.1, generator=g
        )
    )
    yield "consistency.consistency_sample", run, normal(M, C + 0.01)


def noiseless():
    """Samplers that draw their start alone: run once, on the starts of all seeds."""
    law = mixture()
    path, ts = sde.VP(), torch.linspace(0.5, 0.0, 41)
    top = law.noised(float(path.alpha(ts[0])), float(path.sigma(ts[0])))
    slope = exact.exact_score(law, path)
    flow = lambda x: last(sde.probability_flow_sample(path, slope, x, ts))
    yield "sde.probability_flow_sample", lambda g: top.sample(ROWS, generator=g), mixed(law, flow)

    def whole(x):
        given = copy.copy(top)  # a prior whose draws are x
        object.__setattr__(given, "sample", lambda n, generator: x)
        return sde.ProbabilityFlow(slope, path, given, ts.flip(0), (1,)).sample(len(x))

    yield "sde.ProbabilityFlow.sample", lambda g: top.sample(50, generator=g), mixed(law, whole)
    bar = torch.sigmoid(2 * torch.linspace(4.0, -2.0, 301))
    noisy = law.noised(float(bar[-1].sqrt()), float((1 - bar[-1]).sqrt()))
    eps = exact.exact_eps_model(law, bar)
    for order in (1, 2):
        steps = samplers.log_snr_timesteps(bar, 300 if order == 1 else 60)
        run = lambda x, o=order, s=steps: last(
            samplers.dpm_solver_sample(eps, x, s, alphas_bar=bar, order=o)
        )
        yield (
            f"samplers.dpm_solver_sample, order {order}",
            lambda g: noisy.sample(100, generator=g),
            mixed(law, run),
        )
    up = torch.arange(300, -1, -1)
    invert = lambda x: last(samplers.ddim_invert(eps, x, up, alphas_bar=bar, n_refine=2))
    yield "samplers.ddim_invert", lambda g: law.sample(50, generator=g), mixed(noisy, invert)
    denoiser = lambda x, sigma: law.denoiser(x, 1.0, sigma)
    far = law.noised(1.0, 10.0)
    heun = lambda x: last(edm.edm_sample(denoiser, x, edm.edm_sigmas(40, sigma_max=10.0)))
    yield "edm.edm_sample", lambda g: far.sample(ROWS, generator=g), mixed(law, heun)
    straight = lambda x: last(
        flow_matching.flow_sample(
            exact.exact_velocity(law), x, torch.linspace(1, 0, 21), method=ode.rk4
        )
    )
    yield "flow_matching.flow_sample", start, mixed(law, straight)
    fine = torch.sigmoid(2 * torch.linspace(5.0, -6.0, 401))
    given = exact.exact_eps_model(Gaussian(torch.tensor([1.0]), torch.tensor([[0.3]])), fine)
    free = exact.exact_eps_model(Gaussian(torch.zeros(1), torch.eye(1)), fine)
    guided = lambda x, t: guidance.cfg_eps(free(x, t), given(x, t), guidance_scale=2.0)
    ends = guidance.guided_gaussian(1.0, 0.3, guidance_scale=2.0)
    run = lambda x: last(
        samplers.dpm_solver_sample(guided, x, torch.arange(400, -1, -1), alphas_bar=fine)
    )
    z = lambda x: PHI((run(x)[:, 0] - ends.mean) / ends.cov[0].sqrt())
    yield "guidance.cfg_eps, scale 2", lambda g: start(g, n=100), Uniform(z)


def carried(x, r, t):
    """The straight path's exact flow of N(M, C), from time t to r."""
    spread = [math.sqrt((1 - s) ** 2 * C + s**2) for s in (r, t)]
    return (1 - r) * M + spread[0] / spread[1] * (x - (1 - t) * M)


# Estimators


def bounds():
    """One latent number seen with noise: x = 1.5 z + 0.5 + 0.7 eps, at x = 1.2, a wrong q."""
    model = LinearLatent(torch.tensor([[1.5]]), torch.tensor([0.5]), 0.7)
    x, mu, log_var = (
        torch.full((ROWS, 1), 1.2),
        torch.full((ROWS, 1), 0.3),
        torch.full((ROWS, 1), -0.4),
    )
    given, s, w = model.cond_log_prob, math.exp(-0.2), 1.5
    truth = float(model.log_prob(x[:1]))
    off = 1.2 - 0.5 - w * 0.3
    spread = (off * w * s / 0.49) ** 2 + (w * s) ** 4 / (2 * 0.49**2)
    one = lambda g: elbo.elbo(x, mu, log_var, start(g), decoder_log_prob=given)
    yield "elbo.elbo", one, Mean(float(model.elbo_of(x, mu, log_var)[0]), spread)

    def log_w(e, m=0.3):
        """Log of the weight, from the densities of scipy's letters."""
        z = m + s * e
        likelihood = -0.5 * ((0.7 - w * z) / 0.7) ** 2 - math.log(0.7) - 0.5 * math.log(2 * math.pi)
        return likelihood - 0.5 * z**2 + 0.5 * e**2 + math.log(s)

    weight = lambda g: (
        elbo.log_weight(x, mu, log_var, start(g), decoder_log_prob=given) - truth
    ).exp()
    law = moments(lambda e: (log_w(e) - truth).exp())
    assert abs(law.mean - 1) < 1e-9  # unbiased for the evidence
    yield "elbo.log_weight", weight, law
    two = lambda a, b: torch.logaddexp(log_w(a), log_w(b)) - math.log(2)
    law = moments(two, 2)
    assert float(model.elbo_of(x, mu, log_var)[0]) < law.mean < truth
    tight = lambda g: elbo.importance_bound(
        x, mu, log_var, randn((2, ROWS, 1), generator=g), decoder_log_prob=given
    )
    yield "elbo.importance_bound, 2 draws", tight, law
    centre = torch.tensor(0.3, requires_grad=True)
    climbs = expect(lambda a, b: torch.logaddexp(log_w(a, centre), log_w(b, centre)), 2)
    (slope,) = torch.autograd.grad(climbs, centre)

    def doubly(g):
        m = mu.clone().requires_grad_(True)
        rows = [
            elbo.log_weight(x, m, log_var, start(g), decoder_log_prob=given, through_z_only=True)
            for _ in range(2)
        ]
        return torch.autograd.grad(elbo.doubly_reparameterized(torch.stack(rows)).sum(), m)[0][:, 0]

    yield "elbo.doubly_reparameterized", doubly, Mean(float(slope))

    def gradient(g, how, k=1):
        """Of E z^2 in the mean: 2 mu, whatever the estimator."""
        m = mu.expand(k, ROWS, 1).clone().requires_grad_(True)
        z = elbo.reparameterize(m, log_var, randn((k, ROWS, 1), generator=g))
        if how == "path":
            return torch.autograd.grad((z**2).sum(), m)[0].flatten()
        z = z.detach()[..., 0]
        log_q = torch.stack([stats.normal_log_prob(z[i][:, None], m[i], s) for i in range(k)])
        value = elbo.score_function(log_q, z**2).sum()
        return torch.autograd.grad(value, m)[0][..., 0].mean(0)

    yield "elbo.reparameterize", lambda g: gradient(g, "path"), Mean(0.6, 4 * s**2)
    law = moments(lambda e: (0.3 + s * e) ** 2 * e / s)
    yield "elbo.score_function", lambda g: gradient(g, "score"), law


def constants():
    """Unbiased estimates of a constant, of a trace, of a probability."""
    z = math.sqrt(2 * math.pi * C)
    e = lambda x: (x[:, 0] - 1) ** 2 / (2 * C)
    base = Gaussian(torch.zeros(1), torch.eye(1))

    def weights(g):
        x = start(g, n=5 * ROWS)
        return (-e(x) - base.log_prob(x) - math.log(z)).reshape(ROWS, 5)

    one = moments(lambda x: (-((x - 1) ** 2) / (2 * C) + x**2 / 2).exp() / math.sqrt(C))
    assert abs(one.mean - 1) < 1e-9
    yield (
        "energy.log_mean_exp",
        lambda g: energy.log_mean_exp(weights(g)).exp(),
        Mean(1.0, one.variance / 5),
    )

    def partition(g):
        x = start(g, n=5 * ROWS)
        logs = (-base.log_prob(x) - math.log(5)).reshape(ROWS, 5)
        return (energy.log_partition(e(x).reshape(ROWS, 5), logs) - math.log(z)).exp()

    yield "energy.log_partition", partition, Mean(1.0, one.variance / 5)

    def annealed(g):
        found = last(
            energy.annealed_importance(
                base.log_prob, e, start(g), torch.linspace(0, 1, 5), step_size=0.1, generator=g
            )
        )
        return (found.log_w - math.log(z)).exp()

    yield "energy.annealed_importance", annealed, Mean(1.0)

    def contrast(g):  # the slope of the loss in log Z, at the truth
        log_z = torch.full((ROWS,), math.log(z), requires_grad=True)
        x, noise = 1 + math.sqrt(C) * start(g), start(g, n=2 * ROWS)
        g_x = energy.nce_logits(-e(x) - log_z, base.log_prob(x), ratio=2)
        g_n = energy.nce_logits(
            -e(noise) - log_z.repeat_interleave(2), base.log_prob(noise), ratio=2
        )
        loss = energy.nce_loss(g_x, g_n.reshape(ROWS, 2)).sum()
        return torch.autograd.grad(loss, log_z)[0]

    yield "energy.nce_loss", contrast, Mean(0.0)
    a = torch.tensor([[0.5, 1.0, -0.3], [0.2, -0.7, 0.4], [0.6, -1.1, 0.9]])
    field, cross = lambda x: x @ a.T, float(((a + a.T).triu(1) ** 2).sum())

    def trace(g, k=2):
        x = start(g, 3)
        return ode.hutchinson_divergence(
            field, x, ode.rademacher((k, *x.shape), like=x, generator=g)
        )[1]

    yield "ode.hutchinson_divergence", trace, Mean(float(a.trace()), cross / 2)
    level = float(a.trace() + 0.5 * (a**2).sum())
    yield (
        "matching.hyvarinen_loss",
        lambda g: matching.hyvarinen_loss(field, start(g, 3)),
        Mean(level),
    )
    yield (
        "matching.sliced_loss",
        lambda g: matching.sliced_loss(field, start(g, 3), randn((2, ROWS, 3), generator=g)),
        Mean(level),
    )
    score = lambda x: -x / 1.25
    yield (
        "matching.dsm_loss",
        lambda g: matching.dsm_loss(score, start(g), start(g), sigma=0.5),
        Mean(2 - 1 / 2.5),
    )
    yield (
        "matching.dsm_floor",
        lambda g: matching.dsm_floor(score(math.sqrt(1.25) * start(g)), sigma=0.5),
        Mean(2 - 1 / 2.5),
    )
    bar = torch.tensor([0.9, 0.6, 0.3])
    eps = exact.exact_eps_model(base, bar)
    t = torch.full((ROWS,), 1)
    yield (
        "diffusion.ddpm_loss",
        lambda g: diffusion.ddpm_loss(eps, start(g), t, start(g), alphas_bar=bar),
        Mean(0.6, 2 * 0.6**2),
    )
    b = a[:2, :2]
    x = torch.tensor([[0.4, -0.9]]).expand(ROWS, 2)
    ts = torch.linspace(0, 1, 6)

    def density(g):
        probes = ode.rademacher((1, ROWS, 2), like=x, generator=g)
        return sde.ode_log_prob(
            lambda y, _: y @ b.T, x, ts, prior_log_prob=stats.std_normal_log_prob, probes=probes
        )

    there = x[0] @ torch.linalg.matrix_exp(b).T
    level = float(-0.5 * there @ there - math.log(2 * math.pi) + b.trace())
    yield "sde.ode_log_prob, one probe", density, Mean(level, float((b[0, 1] + b[1, 0]) ** 2))
    grey = torch.zeros(ROWS, 1, dtype=torch.int64)

    def bin_probability(g):  # of the lower of two levels under the density 2 y
        y = stats.dequantize(grey, 2, generator=g)[:, 0]
        return dequantization.dequantised_bound((2 * y).log(), 0.0, n_dims=1, levels=2).exp()

    yield "dequantization.dequantised_bound", bin_probability, Mean(0.25, 1 / 48)


def distances_of_samples():
    """Two samples of 8 on the line, three times a seed."""
    n = 8

    def three(f, shift=0.0):
        return lambda g: torch.stack([f(start(g, n=n), start(g, n=n) + shift) for _ in range(3)])

    raw = lambda m: [1, m, 1 + m**2, m**3 + 3 * m]
    kernel = lambda m, n: sum(
        c * p * q for c, p, q in zip((1, 3, 3, 1), raw(m), raw(n), strict=True)
    )
    gap = kernel(0, 0) + kernel(0.5, 0.5) - 2 * kernel(0, 0.5)
    yield "distances.kid", three(distances.kid, 0.5), Mean(gap)
    yield "distances.kid, no difference", three(distances.kid), Mean(0.0)
    c4 = math.sqrt(2 / (n - 1)) * math.exp(math.lgamma(n / 2) - math.lgamma((n - 1) / 2))
    yield (
        "distances.frechet_distance",
        three(distances.frechet_distance),
        Mean(2 / n + 2 * (1 - c4**2)),
    )
    spread = lambda x, _: distances.mean_and_cov(x)[1][0, 0]
    yield "distances.mean_and_cov", three(spread), Mean(1.0, 2 / (n - 1))
    yield (
        "distances.energy_distance",
        three(distances.energy_distance),
        Mean(2 / n * 2 / math.sqrt(math.pi)),
    )


def cases():
    """Return the table: (draw, law) by name."""
    parts = [laws, language, hidden_tokens, flows, chains, noiseless, bounds, constants]
    rows = [row for part in [*parts, distances_of_samples] for row in part()]
    found = {name: (draw, law) for name, draw, law in rows}
    assert len(found) == len(rows)
    return found


def p_values(name, draw, law):
    """Return the p-values of one row over all seeds, which no other row shares."""
    first = zlib.crc32(name.encode())
    return law.p_values([draw(tensors.make_generator(first + seed)) for seed in range(SEEDS)])
