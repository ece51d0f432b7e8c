"""Lesson 12's walk on the line: bells of pairs of normals, guesses of genlab's mixture."""

import torch

from genlab.core.stats import normal_log_prob
from genlab.oracles import Gaussian, GaussianMixture, kl_gaussian
from genlab.score.diffusion import ddpm_step, posterior_variances
from tests.browser.living.replay import Normals

T, NOW, FAR = 20, 11, 4
HIDDEN = {"stage": lambda rng: rng.uniform(0, 9)}
BAR = torch.sigmoid(torch.linspace(4.5, -5, T, dtype=torch.float64))  # after steps 1 to T
BEFORE = torch.cat([BAR.new_ones(1), BAR[:-1]])
BETA = 1 - BAR / BEFORE
ALL = torch.cat([BAR.new_ones(1), BAR])
DATA = GaussianMixture(
    BAR.new_full((2,), 0.5), BAR.new_tensor([[-1.0], [1.0]]), BAR.new_full((2,), 0.1)
)
STANDARD = (BAR.new_zeros(()), BAR.new_ones(()))
X = torch.linspace(-3, 3, 1201, dtype=torch.float64)


def walk():
    """The states x_0 to x_T."""
    fresh, states = Normals(27).tensor(T), [BAR.new_tensor(1.0)]
    for k in range(T):
        states.append((1 - BETA[k]).sqrt() * states[-1] + BETA[k].sqrt() * fresh[k])
    return torch.stack(states)


PATH = walk()


def given(origin):
    """Mean and variance of x_t where the walk stood at `origin`."""
    kept = ALL[NOW] / ALL[origin]
    return torch.stack([kept.sqrt() * PATH[origin], 1 - kept])


def between(marks, at):
    """A value that passes through `marks` at 0, 1, 2, ..., and stays at the ends."""
    at = min(max(at, 0.0), len(marks) - 1.0)
    k = min(int(at), len(marks) - 2)
    return torch.lerp(marks[k], marks[k + 1], BAR.new_tensor(at - k))


def posterior(t, x):
    """Of x_{t-1} given x_0 and x_t, from the covariance of the pair (lesson 12, (4) and (5))."""
    a, b = ALL[t - 1], ALL[t]
    gain = (b / a).sqrt() * (1 - a) / (1 - b)
    mean = a.sqrt() * PATH[0] + gain * (x - b.sqrt() * PATH[0])
    return torch.stack([mean, posterior_variances(BETA)[t - 1]])


def best_noise(t, x):
    """The noise that the best network sees in states `x`, `(n,)`."""
    a, s = float(ALL[t] ** 0.5), float((1 - ALL[t]) ** 0.5)
    return (x - a * DATA.denoiser(x[:, None], a, s)[:, 0]) / s


def step_back(s):
    """The exact density of x_s given x_t alone, its two moments, and the divergence."""
    a = float(ALL[s])
    log_p = DATA.noised(a**0.5, (1 - a) ** 0.5).log_prob(X[:, None])
    kept = ALL[NOW] / ALL[s]
    seen = PATH[NOW].expand(len(X))[:, None]
    log_p = log_p + normal_log_prob(seen, kept.sqrt() * X[:, None], (1 - kept).sqrt())
    p = log_p.exp() / torch.trapezoid(log_p.exp(), X)
    mean = torch.trapezoid(p * X, X)
    variance = torch.trapezoid(p * (X - mean) ** 2, X)
    log_normal = normal_log_prob(X[:, None], mean, variance.sqrt())
    misfit = torch.trapezoid(torch.where(p > 0, p * (p.log() - log_normal), 0.0), X)
    return p, mean, variance, misfit


def one_step(t, x, z):
    """What the sampler does with states `x` at step t."""
    k = t - 1
    return ddpm_step(x, best_noise(t, x), z, beta=BETA[k], alpha_bar=BAR[k], variance=BETA[k])


def divergence(p, q):
    """KL between two normals on the line, given as (mean, variance)."""
    return kl_gaussian(*(Gaussian(m.reshape(1), v.reshape(1, 1)) for m, v in (p, q)))


def expected(settings):
    stage = settings["stage"]
    models = [BAR.new_tensor(0.0)]
    models += [one_step(t, PATH[t : t + 1], BAR.new_zeros(1))[0] for t in range(1, T + 1)]
    prices = [
        divergence(posterior(t, PATH[t]), (models[t], BETA[t - 1])) if t > 1 else BAR.new_zeros(())
        for t in range(T + 1)
    ]
    x = Normals(6).tensor(9)
    fresh, walks = Normals(8).tensor(T, 9), [x]
    for t in range(T, 0, -1):
        x = one_step(t, x, fresh[T - t] * (t > 1))
        walks.append(x)
    known, (one, large) = posterior(NOW, PATH[NOW]), (step_back(NOW - 1), step_back(FAR))
    before = torch.stack([ALL[NOW - 1].sqrt() * PATH[0], 1 - ALL[NOW - 1]])
    guessed = best_noise(NOW, PATH[NOW : NOW + 1])[0]
    return {
        "bar": ALL, "path": PATH, "one": one[0], "large": large[0],
        "after": between([given(NOW - 1), given(NOW - 2), given(0)], stage),
        "before": between([before, known], stage - 3),
        "eps": (PATH[NOW] - ALL[NOW].sqrt() * PATH[0]) / (1 - ALL[NOW]).sqrt(),
        "guessed": guessed, "mean": known[0], "model": torch.stack(models),
        "best": (PATH[NOW] - (1 - ALL[NOW]).sqrt() * guessed) / ALL[NOW].sqrt(),
        "prices": torch.stack(prices),
        "prior": divergence((ALL[T].sqrt() * PATH[0], 1 - ALL[T]), STANDARD),
        "moments": torch.stack([*one[1:3], *large[1:3]]),
        "misfits": torch.stack([one[3], large[3]]), "walks": torch.stack(walks[::-1]),
    }  # fmt: skip
