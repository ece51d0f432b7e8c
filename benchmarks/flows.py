"""Lesson 04: what a scaling layer gives NICE, and what steepness costs, over three training seeds.

    python benchmarks/flows.py moons     # KL(moons || flow) in nats, at four numbers of steps
    python benchmarks/flows.py islands   # mass in the channel, and the largest stretch

The recipes are the lesson's; one learning rate for every model.
"""

import sys

import torch

from genlab import flow
from genlab.core import last
from genlab.data.toys import Moons, plane
from genlab.oracles.continuous import GaussianMixture
from genlab.train import cosine, fit, minibatches

SEEDS = (4, 5, 6)


def scaled_nice(d, n_layers):
    """NICE with the diagonal scaling of its section 3.3: one stretch for each coordinate."""
    couplings = flow.nice(d, n_layers=n_layers)
    scaling = flow.ElementwiseLayer(flow.Affine(), (d,))
    return flow.Flow(couplings.base, [*couplings.transforms, scaling])


def trained(model, data, n_steps, seed, lr=6e-3):
    """Train as the lesson does."""
    batches = minibatches(data, 256, generator=torch.Generator().manual_seed(seed))
    last(fit(model, batches, n_steps=n_steps, lr=cosine(lr, n_steps, warmup=20), clip=10.0))
    return model


def row(name, values, digits=4):
    """Print the mean and every seed's value."""
    mean = sum(values) / len(values)
    print(f"{name:<34} {mean:.{digits}f}  ", *(f"{v:.{digits}f}" for v in values), flush=True)


def moons():
    """Print KL(moons || flow) by model and number of steps."""
    g = torch.Generator().manual_seed(4)
    data = Moons().sample(20_000, generator=g), Moons().sample(5_000, generator=g)
    entropy = -Moons().log_prob(data[1]).mean().item()
    makers = {
        "NICE": lambda: flow.nice(2, n_layers=8),
        "NICE + scaling": lambda: scaled_nice(2, 8),
        "RealNVP": lambda: flow.real_nvp(2, n_layers=8),
    }
    for n_steps in (200, 300, 600, 2000):
        for name, make in makers.items():
            gaps = []
            for seed in SEEDS:
                torch.manual_seed(seed)
                model = trained(make(), data[0], n_steps, seed)
                with torch.no_grad():
                    gaps.append(-model.log_prob(data[1]).mean().item() - entropy)
            row(f"{n_steps} steps, {name}", gaps, 3)


def islands():
    """Print the mass between the islands and the largest stretch, by model."""
    half, wide = torch.tensor([0.5, 0.5]), torch.tensor([[-2.5, 0.0], [2.5, 0.0]])
    data = GaussianMixture(half, wide, torch.tensor([0.35, 0.35]))
    pieces = GaussianMixture(half, 1.2 * wide, torch.tensor([0.5, 0.5]))
    shores = data.sample(10_000, generator=torch.Generator().manual_seed(5))
    points, area = plane(5.0, 300)
    channel = points[:, 0].abs() < 1
    affine, spline = flow.Affine(), flow.RationalQuadratic(8, bound=4.0)
    for name, element, n_layers, base, n_steps in (
        ("RealNVP, 2 layers", affine, 2, None, 250),
        ("RealNVP, 4 layers", affine, 4, None, 250),
        ("RealNVP, 8 layers", affine, 8, None, 250),
        ("splines, 2 layers", spline, 2, None, 250),
        ("splines, 4 layers", spline, 4, None, 250),
        ("RealNVP 4, two-piece base", affine, 4, pieces, 250),
        ("RealNVP 4, 3,000 steps", affine, 4, None, 3000),
    ):
        masses, stretches = [], []
        for seed in SEEDS:
            torch.manual_seed(seed)
            plain = flow.coupling_flow(2, element, n_layers=n_layers, width=32)
            model = trained(flow.Flow(base or plain.base, plain.transforms), shores, n_steps, 4)
            with torch.no_grad():
                masses.append((model.log_prob(points).exp().double() * area)[channel].sum().item())
            stretches.append(largest_stretch(model))
        row(f"{name}: mass", masses)
        row(f"{name}: largest stretch", stretches, 0)


def largest_stretch(model, extent=4.0, n_side=400):
    """Return the largest singular value of dx/dz on a lattice of z."""
    z = plane(extent, n_side)[0].requires_grad_()
    x = model(z)[0]
    rows = [torch.autograd.grad(x[:, i].sum(), z, retain_graph=True)[0] for i in (0, 1)]
    return torch.linalg.matrix_norm(torch.stack(rows, 1), ord=2).max().item()


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"moons": moons, "islands": islands}[sys.argv[1]]()
