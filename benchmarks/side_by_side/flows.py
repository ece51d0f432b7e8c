"""Flows on 16 numbers, batches of 256: four layers, conditioners of two hidden layers of 64."""

from functools import partial

import torch

from benchmarks.side_by_side.other_flows import HERE, others
from benchmarks.side_by_side.row import Row, Runs, alike
from genlab import flow

D, N, LAYERS, WIDTH, BINS = 16, 256, 4, 64, 8


def both(kind: str):
    """Our flow, and the peers' of the same number of parameters, each with its sampler."""
    import zuko
    from zuko.transforms import MonotonicRQSTransform

    torch.manual_seed(0)
    net = {"hidden_features": (WIDTH, WIDTH), "activation": torch.nn.SiLU}
    spline = flow.RationalQuadratic(BINS, bound=5.0)
    if kind == "coupling spline":
        ours = flow.coupling_flow(D, spline, n_layers=LAYERS, width=WIDTH)
        theirs = zuko.flows.NICE(
            D, transforms=LAYERS, univariate=MonotonicRQSTransform,
            shapes=[(BINS,), (BINS,), (BINS - 1,)], **net,
        )  # fmt: skip
    elif kind == "RealNVP":
        ours = flow.real_nvp(D, n_layers=LAYERS, width=WIDTH)
        theirs = zuko.flows.NICE(D, transforms=LAYERS, **net)
    elif kind == "MAF":
        ours = flow.masked_flow(flow.MAF, D, n_layers=LAYERS, width=WIDTH)
        theirs = zuko.flows.MAF(D, transforms=LAYERS, **net)
    else:
        layers = [flow.MAF(D, spline, width=WIDTH) for _ in range(LAYERS)]
        ours = flow.Flow(flow.StandardNormal((D,)), layers)
        theirs = zuko.flows.NSF(D, transforms=LAYERS, bins=BINS, **net)
    alike(ours, theirs)
    generator = torch.Generator().manual_seed(0)
    for p in ours.parameters():  # ours starts as the identity, whose splines are straight
        p.data += 0.1 * torch.randn(p.shape, generator=generator)
    rest = others(kind, D, LAYERS, WIDTH, BINS)
    for _, _, module in rest.values():
        alike(ours, module)
    zukos = lambda x: theirs().log_prob(x), lambda n: theirs().sample((n,)), theirs
    return ours, {"zuko": zukos} | rest


def scoring(kind: str) -> Runs:
    """Log p of a batch, and its gradients."""
    ours, peers = both(kind)
    x = torch.randn(N, D, generator=torch.Generator().manual_seed(1))

    def score(module, log_prob):
        module.zero_grad(set_to_none=True)
        log_prob(x).mean().backward()

    runs = {name: partial(score, module, log) for name, (log, _, module) in peers.items()}
    return {"ours": lambda: score(ours, ours.log_prob)} | runs


def sampling(kind: str) -> Runs:
    """A batch of samples; ours lie where the density says that they came from."""
    ours, peers = both(kind)
    z = ours.base.sample(N)
    with torch.no_grad():
        torch.testing.assert_close(ours.inverse(ours(z)[0])[0], z, atol=1e-2, rtol=1e-2)

    runs = {name: partial(torch.no_grad()(draw), N) for name, (_, draw, _) in peers.items()}
    return {"ours": lambda: ours.sample(N)} | runs


ROWS = tuple(
    Row(f"{kind}, {what}", 0.8, ("zuko", *HERE), f"{says}; {like}", partial(build, kind))
    for kind, like in (
        ("coupling spline", "four couplings with splines of 8 bins, equal parameters"),
        ("autoregressive spline", "four masked layers with splines of 8 bins, equal parameters"),
        ("MAF", "four masked affine layers, equal parameters"),
        ("RealNVP", "four affine couplings, equal parameters"),
    )
    for what, says, build in (
        ("log_prob + backward", "log p of 256 rows of 16 numbers and its gradients", scoring),
        ("sampling", "256 samples of 16 numbers", sampling),
    )
)
