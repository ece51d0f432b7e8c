"""Normalizing flows: an exact log p(x) by change of variables, sampled by an invertible map."""

from genlab.flow.autoregressive import IAF, MAF, masked_flow, one_pass, sequential
from genlab.flow.bounded import HistogramMarginals, Sigmoid
from genlab.flow.change_of_variables import (
    Transform,
    dense_log_det,
    flow_log_prob,
    pull_back,
    push_forward,
)
from genlab.flow.continuous import Continuous, continuous_flow, ride
from genlab.flow.coupling import Coupling, alternating_mask, couple, coupling_flow, nice, real_nvp
from genlab.flow.dequantization import (
    DequantisedFlow,
    UniformNoise,
    VariationalNoise,
    dequantised_bound,
    tightened_bound,
)
from genlab.flow.elementwise import (
    Affine,
    Elementwise,
    ElementwiseLayer,
    Shift,
    affine_forward,
    affine_inverse,
)
from genlab.flow.linear import Linear, Permutation
from genlab.flow.model import Base, Flow, StandardNormal
from genlab.flow.pixels import pixel_flow, pixel_histograms
from genlab.flow.spline import (
    RationalQuadratic,
    rq_spline_forward,
    rq_spline_inverse,
    spline_parameters,
)

__all__ = [
    "IAF",
    "MAF",
    "Affine",
    "Base",
    "Continuous",
    "Coupling",
    "DequantisedFlow",
    "Elementwise",
    "ElementwiseLayer",
    "Flow",
    "HistogramMarginals",
    "Linear",
    "Permutation",
    "RationalQuadratic",
    "Shift",
    "Sigmoid",
    "StandardNormal",
    "Transform",
    "UniformNoise",
    "VariationalNoise",
    "affine_forward",
    "affine_inverse",
    "alternating_mask",
    "continuous_flow",
    "couple",
    "coupling_flow",
    "dense_log_det",
    "dequantised_bound",
    "flow_log_prob",
    "masked_flow",
    "nice",
    "one_pass",
    "pixel_flow",
    "pixel_histograms",
    "pull_back",
    "push_forward",
    "real_nvp",
    "ride",
    "rq_spline_forward",
    "rq_spline_inverse",
    "sequential",
    "spline_parameters",
    "tightened_bound",
]
