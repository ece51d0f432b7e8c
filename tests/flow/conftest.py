"""Every transform of the package, with parameters stirred so that none is the identity."""

import pytest
import torch

from genlab.flow.autoregressive import IAF, MAF
from genlab.flow.coupling import Coupling, alternating_mask, real_nvp
from genlab.flow.spline import RationalQuadratic
from genlab.flow.transforms import (
    Affine,
    ElementwiseLayer,
    HistogramMarginals,
    Linear,
    Permutation,
    Shift,
)

D = 5

MAKERS = {
    "elementwise-affine": lambda: ElementwiseLayer(Affine(), (D,)),
    "elementwise-spline": lambda: ElementwiseLayer(RationalQuadratic(5, 3.0), (D,)),
    "nice": lambda: Coupling(alternating_mask(D), Shift(), width=8),
    "realnvp": lambda: Coupling(alternating_mask(D, 1), Affine(), width=8),
    "spline-coupling": lambda: Coupling(alternating_mask(D), RationalQuadratic(5, 3.0), width=8),
    "maf": lambda: MAF(D, Affine(), width=16),
    "maf-spline": lambda: MAF(D, RationalQuadratic(4, 3.0), width=16),
    "iaf": lambda: IAF(D, Affine(), width=16),
    "linear": lambda: Linear(D),
    "permutation": lambda: Permutation(torch.tensor([2, 0, 4, 1, 3])),
    "histogram": lambda: HistogramMarginals(torch.rand(D, 17) + 0.1, tail=0.0),
    "stack": lambda: real_nvp(D, n_layers=3, width=8),
}


@pytest.fixture(name="stirred")
def _stirred():
    return stirred


def stirred(module, spread=0.3):
    """Move every parameter, so that no layer is the identity."""
    for p in module.parameters():
        p.data += spread * torch.randn_like(p)
    return module


@pytest.fixture(params=MAKERS, ids=str)
def transform(request):
    return stirred(MAKERS[request.param]())


@pytest.fixture
def z(generator):
    return 1.3 * torch.randn(6, D, generator=generator)
