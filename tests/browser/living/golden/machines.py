"""The five machines of the opening stage in torch: the same parameters, points and noise.

Networks are torch's layers, gradients autograd's, steps `torch.optim.Adam`'s: of the machines'
JavaScript only the order of the parameters is known here, layer by layer, weights before biases.

`python -m tests.browser.living.golden.machines` trains each with seven seeds on a ring; writes
down mean and spread of its loss over the last 40 of 200 steps (machines.json).
"""

import json
import math
import statistics
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

KINDS = ("autoregressive", "flow", "vae", "gan", "diffusion")
SIDE, COUPLINGS, REACH, GAMMA = 48, 8, 1.0, 0.3
EDGES = (-3.0, 3.0, -3.0, 3.0)


class Waves(nn.Module):
    """Numbers, then cosine and sine of the first `seen` of them at each frequency."""

    def __init__(self, frequencies, seen):
        super().__init__()
        self.frequencies, self.seen = frequencies, seen

    def forward(self, x):
        waves = [
            torch.stack([torch.cos(w * x[:, i]), torch.sin(w * x[:, i])], 1)
            for w in self.frequencies
            for i in range(self.seen)
        ]
        return torch.cat([x, *waves], 1)


def network(told, hidden, out, frequencies=(), seen=None):
    """Two hidden layers with SiLU between them, in double precision."""
    seen = told if seen is None else seen
    wide = told + 2 * seen * len(frequencies)
    return nn.Sequential(
        Waves(frequencies, seen), nn.Linear(wide, hidden), nn.SiLU(), nn.Linear(hidden, hidden),
        nn.SiLU(), nn.Linear(hidden, out),
    ).double()  # fmt: skip


def networks(kind):
    """The networks of a machine, in the order in which it lists them."""
    if kind == "autoregressive":
        return [network(SIDE + 1, 64, SIDE)]
    if kind == "flow":
        return [network(1, 32, 2, (1.5,)) for _ in range(COUPLINGS)]
    if kind == "vae":
        width = nn.ParameterList([nn.Parameter(torch.zeros(1, dtype=torch.float64))])
        return [network(2, 64, 4, (3,)), network(2, 64, 2, (3,)), width]
    if kind == "gan":
        return [network(2, 64, 1), network(2, 64, 2)]
    return [network(8, 64, 2, (3, 6), 2)]


def load(nets, thetas):
    """Put flat lists of numbers into the parameters."""
    for net, theta in zip(nets, thetas, strict=True):
        theta = torch.as_tensor(theta, dtype=torch.float64)
        nn.utils.vector_to_parameters(theta, net.parameters())


def flat(net, what):
    """Parameters or gradients as one list."""
    if what == "grad":
        return torch.cat([p.grad.flatten() for p in net.parameters()])
    return nn.utils.parameters_to_vector(net.parameters()).detach()


def log_normal(x, mean=0.0, log_std=0.0):
    """Log density of independent normals, summed over the last axis."""
    log_std = torch.as_tensor(log_std, dtype=torch.float64)
    return torch.distributions.Normal(mean, log_std.exp()).log_prob(x).sum(-1)


def bins(v):
    """The bin of each coordinate."""
    return ((v - EDGES[0]) / (EDGES[1] - EDGES[0]) * SIDE).floor().clamp(0, SIDE - 1).long()


def autoregressive(nets, x, noise):
    """-log p(x) - log p(y | x) of piecewise flat densities."""
    (net,) = nets
    a, b = bins(x[:, 0]), bins(x[:, 1])
    tokens = torch.cat([torch.full_like(a, SIDE), a])
    said = net(F.one_hot(tokens, SIDE + 1).double()).log_softmax(1)
    log_p = said[: len(a)].gather(1, a[:, None]) + said[len(a) :].gather(1, b[:, None])
    return -log_p.mean() + 2 * math.log((EDGES[1] - EDGES[0]) / SIDE)


def flow_forward(nets, x):
    """To the base, and log |det| summed over couplings."""
    columns, total = [x[:, 0], x[:, 1]], 0.0
    for k, net in enumerate(nets):
        told = net(columns[k % 2][:, None])
        s = REACH * torch.tanh(told[:, 0] / REACH)
        columns[1 - k % 2] = columns[1 - k % 2] * s.exp() + told[:, 1]
        total = total + s
    return torch.stack(columns, 1), total


def flow(nets, x, noise):
    """-log p(x) by the change of variables."""
    z, log_det = flow_forward(nets, x)
    return -(log_normal(z) + log_det).mean()


def vae(nets, x, noise):
    """Minus the evidence lower bound, of one latent a point."""
    encoder, decoder, (log_width,) = nets
    (eps,) = noise
    told = encoder(x)
    q = torch.distributions.Normal(told[:, :2] + x, (0.5 * (told[:, 2:] - 3)).exp())
    z = q.mean + q.stddev * eps
    prior = torch.distributions.Normal(torch.zeros_like(z), 1.0)
    kl = torch.distributions.kl_divergence(q, prior).sum(1)
    return (kl - log_normal(x, decoder(z) + z, log_width)).mean()


def generated(generator, z):
    """The generator adds to its noise."""
    return generator(z) + z


def gan_critic(nets, x, noise):
    """The discriminator's cross-entropy, and half GAMMA times its squared slope at the data."""
    critic, generator = nets
    x = x.clone().requires_grad_()
    real, made = critic(x), critic(generated(generator, noise[0]).detach())
    (slope,) = torch.autograd.grad(real.sum(), x, create_graph=True)
    bce = F.binary_cross_entropy_with_logits
    loss = bce(real, torch.ones_like(real)) + bce(made, torch.zeros_like(made))
    return loss + 0.5 * GAMMA * slope.square().sum(1).mean()


def gan(nets, x, noise):
    """-log sigmoid(D(G(z)))."""
    critic, generator = nets
    return -F.logsigmoid(critic(generated(generator, noise[1]))).mean()


def diffusion(nets, x, noise):
    """Mean squared error of the velocity on the quarter circle from data to noise."""
    (net,), (t, eps) = nets, noise
    angle = 0.5 * math.pi * t[:, None]
    mixed = angle.cos() * x + angle.sin() * eps
    velocity = angle.cos() * eps - angle.sin() * x
    clock = torch.cat([f(w * angle) for w in (1, 2, 4) for f in (torch.cos, torch.sin)], 1)
    return F.mse_loss(net(torch.cat([mixed, clock], 1)), velocity)


LOSSES = {"autoregressive": autoregressive, "flow": flow, "vae": vae, "gan": gan,
          "diffusion": diffusion}  # fmt: skip
BETAS = {"gan": (0.0, 0.99)}
STORED = Path(__file__).with_suffix(".json")
PEN, RADIUS, STEPS, LAST = 0.025, 0.62, 200, 40
RECIPES = {  # points of a step, learning rate
    "autoregressive": (128, 0.01), "flow": (128, 0.005), "vae": (128, 0.008), "gan": (64, 0.006),
    "diffusion": (128, 0.01),
}  # fmt: skip
BEGIN = {  # of a network's layers: first weight's gain, its biases' spread, last gain
    "autoregressive": [(7, 0, 0)], "flow": [(1, 0, 0.02)] * COUPLINGS, "vae": [(1, 0, 0.1)] * 2,
    "gan": [(3, 2, 1), (4, 2, 0.1)], "diffusion": [(1, 0, 0.1)],
}  # fmt: skip


def begin(nets, kind):
    """Normal weights of the machines' scales, biases at 0 but for the first layer's."""
    for net, (first, spread, last) in zip(nets, BEGIN[kind], strict=False):
        layers = [layer for layer in net if isinstance(layer, nn.Linear)]
        for layer, gain in zip(layers, (first, 1.4, last), strict=True):
            nn.init.normal_(layer.weight, std=gain / math.sqrt(layer.in_features))
            nn.init.zeros_(layer.bias)
        nn.init.normal_(layers[0].bias, std=spread)
    if kind == "vae":
        nn.init.constant_(nets[2][0], -1.0)


def trained(kind, seed):
    """The mean loss over the last steps of a training on a ring, at mean 0 and variance 1."""
    global EDGES
    torch.manual_seed(seed)
    nets, (n, rate) = networks(kind), RECIPES[kind]
    begin(nets, kind)
    unit = math.sqrt(RADIUS**2 / 2 + PEN**2)
    EDGES = (-(RADIUS + 4 * PEN) / unit, (RADIUS + 4 * PEN) / unit) * 2
    betas = BETAS.get(kind, (0.9, 0.99))
    parts = {LOSSES[kind]: nets} if kind != "gan" else {gan_critic: nets[:1], gan: nets[1:]}
    adams = {loss: torch.optim.Adam([p for net in some for p in net.parameters()], betas=betas)
             for loss, some in parts.items()}  # fmt: skip
    losses = []
    for step in range(STEPS):
        part = max(0.0, (step / STEPS - 0.4) / 0.6)
        now = min(1, (step + 1) / 30) * rate * (0.02 + 0.49 * (1 + math.cos(math.pi * part)))
        angle = 2 * math.pi * torch.rand(n, dtype=torch.float64)
        ring = RADIUS * torch.stack([angle.cos(), angle.sin()], 1)
        x = (ring + PEN * torch.randn_like(ring)) / unit
        if kind == "diffusion":
            noise = [torch.rand(n, dtype=torch.float64), torch.randn_like(x)]
        else:
            noise = [torch.randn_like(x), torch.randn_like(x)][: 2 if kind == "gan" else 1]
        for loss, adam in adams.items():
            adam.param_groups[0]["lr"] = now
            adam.zero_grad()
            value = loss(nets, x, noise)
            value.backward()
            adam.step()
        losses.append(value.item())
    EDGES = (-3.0, 3.0, -3.0, 3.0)
    return statistics.mean(losses[-LAST:])


if __name__ == "__main__":
    stored = {}
    for kind in KINDS:
        found = [trained(kind, seed) for seed in range(7)]
        stored[kind] = {"mean": statistics.mean(found), "spread": statistics.stdev(found)}
        print(kind, stored[kind], flush=True)
    STORED.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
