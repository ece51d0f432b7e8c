"""Numerics that know no model: differential equations, Langevin chains, divergences."""

from typing import TYPE_CHECKING

from genlab.on_demand import on_demand

if TYPE_CHECKING:  # what editors and type checkers read
    from genlab.solvers.mcmc import *  # noqa: F403
    from genlab.solvers.ode import *  # noqa: F403
    from genlab.solvers.sde import *  # noqa: F403

OFFERS = {  # module: what the package takes from it
    "mcmc": (
        "langevin", "langevin_matrix", "langevin_step", "mala", "mala_matrix", "mala_step",
        "relaxation_time", "stationary",
    ),
    "ode": ("euler", "heun", "rk4"),
    "sde": ("euler_maruyama", "euler_maruyama_step"),
}  # fmt: skip
__all__ = [name for names in OFFERS.values() for name in names]
__getattr__ = on_demand(__name__, OFFERS)
