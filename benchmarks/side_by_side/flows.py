"""Flows on 16 numbers, batches of 256: four layers, conditioners of two hidden layers of 64."""

from functools import partial

import torch

from benchmarks.side_by_side.row import Row, Runs, alike
from genlab import flow

D, N, LAYERS, WIDTH, BINS = 16, 256, 4, 64, 8


def both(kind: str):
    """Our flow, and the peer's of the same number of parameters."""
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
    return ours, theirs


def scoring(kind: str) -> Runs:
    """Log p of a batch, and its gradients."""
    ours, theirs = both(kind)
    x = torch.randn(N, D, generator=torch.Generator().manual_seed(1))

    def score(module, log_prob):
        module.zero_grad(set_to_none=True)
        log_prob(x).mean().backward()

    return {
        "ours": lambda: score(ours, ours.log_prob),
        "zuko": lambda: score(theirs, lambda x: theirs().log_prob(x)),
    }


def sampling(kind: str) -> Runs:
    """A batch of samples; ours lie where the density says that they came from."""
    ours, theirs = both(kind)
    z = ours.base.sample(N)
    with torch.no_grad():
        torch.testing.assert_close(ours.inverse(ours(z)[0])[0], z, atol=1e-2, rtol=1e-2)

    def sample():
        with torch.no_grad():
            return theirs().sample((N,))

    return {"ours": lambda: ours.sample(N), "zuko": sample}


ROWS = tuple(
    Row(f"{kind}, {what}", 0.8, ("zuko",), f"{says}; {like}", partial(build, kind))
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
