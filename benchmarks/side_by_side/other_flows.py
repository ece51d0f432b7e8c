"""The same flows in nflows and normflows, which take part where they are installed."""

from importlib.util import find_spec

import torch
from torch import nn

HERE = tuple(name for name in ("nflows", "normflows") if find_spec(name))


class Conditioner(nn.Sequential):
    """Two hidden layers; nflows hands a context to its networks, here always none."""

    def __init__(self, n_in: int, n_out: int, width: int) -> None:
        layers = nn.Linear(n_in, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        super().__init__(*layers, nn.Linear(width, n_out))
        self.hidden_features = width  # nflows scales its softmax by it

    def forward(self, x, context=None):
        return super().forward(x)


def nflows(kind: str, d: int, layers: int, width: int, bins: int) -> nn.Module:
    """By nflows: all four kinds."""
    from nflows import transforms
    from nflows.distributions import StandardNormal
    from nflows.flows import Flow
    from nflows.utils.torchutils import create_alternating_binary_mask as mask

    spline = {"num_bins": bins, "tails": "linear", "tail_bound": 5.0}
    masked = {"features": d, "hidden_features": width, "num_blocks": 1,
              "use_residual_blocks": False, "activation": nn.functional.silu}  # fmt: skip

    def layer(k):
        net = mask(d, even=k % 2 == 0), lambda n_in, n_out: Conditioner(n_in, n_out, width)
        if kind == "coupling spline":
            return transforms.PiecewiseRationalQuadraticCouplingTransform(*net, **spline)
        if kind == "RealNVP":
            return transforms.AffineCouplingTransform(*net)
        if kind == "MAF":
            return transforms.MaskedAffineAutoregressiveTransform(**masked)
        return transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
            **masked, **spline
        )

    stack = transforms.CompositeTransform([layer(k) for k in range(layers)])
    return Flow(stack, StandardNormal([d]))


def normflows(d: int, layers: int, width: int) -> nn.Module:
    """RealNVP by normflows. Its splines are those of nflows, and its MAF is used as an IAF."""
    import normflows as nf

    stack = []
    for _ in range(layers):
        stack += [nf.flows.AffineCouplingBlock(Conditioner(d // 2, d, width)),
                  nf.flows.Permute(d, mode="swap")]  # fmt: skip
    return nf.NormalizingFlow(nf.distributions.DiagGaussian(d, trainable=False), stack)


def others(kind: str, d: int, layers: int, width: int, bins: int) -> dict:
    """(log p, sampler, module) of each library that is there and has the kind."""
    torch.manual_seed(0)
    found = {}
    if "nflows" in HERE:
        flow = nflows(kind, d, layers, width, bins)
        found["nflows"] = flow.log_prob, flow.sample, flow
    if "normflows" in HERE and kind == "RealNVP":
        flow = normflows(d, layers, width)
        found["normflows"] = flow.log_prob, flow.sample, flow
    return found
