"""Normalizing flows: an exact log p(x) by change of variables, sampled by an invertible map."""

from typing import TYPE_CHECKING

from genlab.on_demand import on_demand

if TYPE_CHECKING:  # what editors and type checkers read
    from genlab.flow.autoregressive import *  # noqa: F403
    from genlab.flow.continuous import *  # noqa: F403
    from genlab.flow.coupling import *  # noqa: F403
    from genlab.flow.dequantization import *  # noqa: F403
    from genlab.flow.model import *  # noqa: F403
    from genlab.flow.spline import *  # noqa: F403
    from genlab.flow.transforms import *  # noqa: F403

OFFERS = {  # module: what the package takes from it
    "autoregressive": ("IAF", "MAF", "masked_flow", "one_pass", "sequential"),
    "continuous": ("Continuous", "ride"),
    "coupling": ("Coupling", "alternating_mask", "couple", "coupling_flow", "nice", "real_nvp"),
    "dequantization": ("DequantisedFlow", "UniformNoise", "pixel_histograms"),
    "model": ("Flow", "StandardNormal"),
    "spline": ("RationalQuadratic", "rq_spline_forward", "rq_spline_inverse", "spline_parameters"),
    "transforms": (
        "Affine", "ElementwiseLayer", "HistogramMarginals", "Linear", "Permutation",
        "Transform", "affine_forward", "affine_inverse", "dense_log_det", "flow_log_prob",
        "push_forward",
    ),
}  # fmt: skip
__all__ = [name for names in OFFERS.values() for name in names]
__getattr__ = on_demand(__name__, OFFERS)
