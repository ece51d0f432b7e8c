"""Normalizing flows: an exact log p(x) by change of variables, sampled by an invertible map."""

from genlab.flow.autoregressive import IAF, MAF, masked_flow, one_pass, sequential
from genlab.flow.continuous import Continuous, continuous_flow, ride
from genlab.flow.coupling import Coupling, alternating_mask, couple, coupling_flow, nice, real_nvp
from genlab.flow.dequantization import (
    DequantisedFlow,
    UniformNoise,
    VariationalNoise,
    pixel_histograms,
    tightened_bound,
)
from genlab.flow.model import Flow, StandardNormal
from genlab.flow.spline import (
    RationalQuadratic,
    rq_spline_forward,
    rq_spline_inverse,
    spline_parameters,
)
from genlab.flow.transforms import (
    Affine,
    ElementwiseLayer,
    HistogramMarginals,
    Linear,
    Permutation,
    Transform,
    affine_forward,
    affine_inverse,
    dense_log_det,
    flow_log_prob,
    push_forward,
)
