"""The likelihood of an ODE, distances between samples, and the time of an import."""

import subprocess
import sys
from functools import partial

import numpy as np
import torch

from benchmarks.side_by_side.row import Row, Runs
from genlab.core.stats import std_normal_log_prob
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance, kid, w1_by_cdf, wasserstein_1d
from genlab.nn.layers import MLP
from genlab.score.sde import ode_log_prob

ERROR = 1e-4  # nats, the largest over the batch


def likelihood(d: int = 8, n: int = 256) -> Runs:
    """Each solver with the fewest steps, or the loosest tolerance, that keeps the error."""
    import torchdiffeq

    torch.manual_seed(0)
    net = MLP(d + 1, d, 64, 2, torch.nn.Tanh).requires_grad_(False)
    x0 = torch.randn(n, d)

    def velocity(x, t):
        return 2 * net(torch.cat([x, t[:, None]], 1))

    def ours(steps):
        ts = torch.linspace(0, 1, steps + 1).to(x0)
        return ode_log_prob(velocity, x0, ts, prior_log_prob=std_normal_log_prob)

    def slope(t, state):  # the trace of torchdiffeq's own example of a continuous flow
        with torch.enable_grad():
            x = state[0].requires_grad_(True)
            v = velocity(x, t.expand(len(x)))
            trace = sum(
                torch.autograd.grad(v[:, i].sum(), x, retain_graph=True)[0][:, i] for i in range(d)
            )
        return v.detach(), trace.detach()

    def theirs(method, tolerance=1e-7, options=None):
        with torch.no_grad():
            ts = torch.tensor([0.0, 1.0]).to(x0)
            x, trace = torchdiffeq.odeint(
                slope, (x0, x0.new_zeros(n)), ts, method=method, rtol=tolerance, atol=tolerance,
                options=options,
            )  # fmt: skip
        return std_normal_log_prob(x[-1]) + trace[-1]

    net, x0 = net.double(), x0.double()
    exact = ours(400)
    net, x0 = net.float(), x0.float()

    def enough(runs):
        return next(run for run in runs if (run() - exact).abs().max() < ERROR)

    adaptive = (10**-e for e in np.arange(2, 8, 0.25))
    tolerances = [float(tolerance) for tolerance in adaptive]
    return {
        "ours": enough(partial(ours, k) for k in range(1, 100)),
        "torchdiffeq, dopri5": enough(partial(theirs, "dopri5", tol) for tol in tolerances),
        "torchdiffeq, bosh3": enough(partial(theirs, "bosh3", tol) for tol in tolerances),
        "torchdiffeq, rk4": enough(
            partial(theirs, "rk4", options={"step_size": 1 / k}) for k in range(1, 100)
        ),
    }


def two_sets(n: int = 2000, d: int = 64):
    """Features of two samples."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(n, d, generator=g) @ torch.randn(d, d, generator=g) / d**0.5
    return x, 1.1 * x[torch.randperm(n, generator=g)] + 0.3 * torch.randn(n, d, generator=g)


def frechet() -> Runs:
    """From features to the distance."""
    import scipy
    from torchmetrics.image.fid import FrechetInceptionDistance

    x, y = two_sets()

    itself = torch.nn.Identity()
    itself.num_features = x.shape[1]
    metric = FrechetInceptionDistance(feature=itself)

    def peer():
        metric.reset()
        metric.update(x, real=True), metric.update(y, real=False)
        return metric.compute()

    def by_scipy():
        a, b = x.double().numpy(), y.double().numpy()
        s, t = np.cov(a.T), np.cov(b.T)
        root = scipy.linalg.sqrtm(s @ t).real
        return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(s + t - 2 * root)

    torch.testing.assert_close(
        frechet_distance(x, y).item(), float(by_scipy()), atol=1e-3, rtol=1e-3
    )
    torch.testing.assert_close(frechet_distance(x, y).item(), peer().item(), atol=1e-3, rtol=1e-3)
    return {"ours": lambda: frechet_distance(x, y), "torchmetrics": peer, "SciPy": by_scipy}


def kernel() -> Runs:
    """KID of all rows at once."""
    from torchmetrics.image.kid import poly_mmd

    x, y = two_sets()
    torch.testing.assert_close(kid(x, y), poly_mmd(x, y), atol=1e-4, rtol=1e-3)
    return {"ours": lambda: kid(x, y), "torchmetrics": lambda: poly_mmd(x, y)}


def manifolds() -> Runs:
    """Precision and recall with k = 3."""
    from scipy.spatial import cKDTree
    from scipy.spatial.distance import cdist

    x, y = two_sets()
    a, b = x.numpy(), y.numpy()

    def share(of, among, radii):
        return float((cdist(of, among) <= radii).any(1).mean())

    def by_scipy():
        r, s = (np.partition(cdist(c, c), 3, axis=1)[:, 3] for c in (a, b))
        return share(b, a, r), share(a, b, s)

    def by_trees():
        r, s = (cKDTree(c).query(c, 4)[0][:, 3] for c in (a, b))
        return share(b, a, r), share(a, b, s)

    torch.testing.assert_close(tuple(precision_recall(x, y)), by_scipy(), atol=1e-3, rtol=0)
    return {
        "ours": lambda: precision_recall(x, y),
        "SciPy, cdist": by_scipy,
        "SciPy, cKDTree": by_trees,
    }


def earth_mover(n: int = 20_000, m: int = 15_000) -> Runs:
    """W1 of two samples on the line."""
    import ot
    from scipy.stats import wasserstein_distance

    g = torch.Generator().manual_seed(0)
    x, y = torch.randn(n, generator=g).double(), 1.5 * torch.randn(m, generator=g).double() + 0.3
    a, b = x.numpy(), y.numpy()
    runs = {
        "ours": lambda: wasserstein_1d(x, y),
        "ours, by distribution functions": lambda: w1_by_cdf(x, y),
        "SciPy": lambda: wasserstein_distance(a, b),
        "POT": lambda: ot.wasserstein_1d(a, b),
    }
    for run in runs.values():
        torch.testing.assert_close(float(run()), float(runs["SciPy"]()), atol=1e-9, rtol=1e-9)
    del runs["ours, by distribution functions"]
    return runs


def imports(what: str) -> Runs:
    """Each in a process of its own, whose start is taken off."""

    def run(module):
        code = (
            f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
        )
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        return 1000 * float(out.stdout)

    return {"ours": partial(run, what), "torch": partial(run, "torch")}


PARADIGMS = "genlab.autoregressive.lm, genlab.flow, genlab.latent, genlab.adversarial, genlab.score"
FEATURES = "two sets of 2,000 rows of 64 features"
ROWS = (
    Row(
        "ODE likelihood at equal error", 0.7, ("torchdiffeq",),
        "log p of 256 rows of 8 numbers, exact trace; each solver with the fewest steps or the "
        "loosest tolerance whose largest error is below 1e-4 nats",
        likelihood,
    ),
    Row("Fréchet distance", 1.0, ("torchmetrics", "scipy"), f"{FEATURES}, equal values", frechet),
    Row("KID", 1.0, ("torchmetrics",), f"{FEATURES}, all rows at once, equal values", kernel),
    Row("precision and recall", 1.0, ("scipy",), f"{FEATURES}, k = 3, equal values", manifolds),
    Row(
        "W1 on the line", 1.0, ("scipy", "POT"),
        "samples of 20,000 and 15,000 numbers, equal values", earth_mover,
    ),
    Row(
        "import genlab", 1.1, (),
        "processor time of a process of its own; the peer is `import torch` (the package itself "
        "loads nothing)",
        partial(imports, "genlab"),
    ),
    Row(
        "import of all five paradigms", 1.1, (),
        "`flow`, `latent`, `adversarial`, `score` and `autoregressive.lm`; the peer is "
        "`import torch`",
        partial(imports, PARADIGMS),
    ),
)  # fmt: skip
