"""Distributions whose every answer is known: what models and samplers are held against."""

from typing import TYPE_CHECKING

from genlab.on_demand import on_demand

if TYPE_CHECKING:  # what editors and type checkers read
    from genlab.oracles.continuous import *  # noqa: F403
    from genlab.oracles.discrete import *  # noqa: F403

OFFERS = {  # module: what the package takes from it
    "continuous": ("Empirical", "Gaussian", "GaussianMixture", "LinearLatent", "kl_gaussian"),
    "discrete": ("TokenTable", "total_correlation"),
}  # fmt: skip
__all__ = [name for names in OFFERS.values() for name in names]
__getattr__ = on_demand(__name__, OFFERS)
