"""Numerics that know no model: differential equations, Langevin chains, divergences."""

from genlab.solvers.mcmc import (
    langevin,
    langevin_matrix,
    langevin_step,
    langevin_variance,
    mala,
    mala_matrix,
    mala_step,
    relaxation_time,
    stationary,
)
from genlab.solvers.ode import dopri5, euler, heun, rk4
from genlab.solvers.sde import euler_maruyama, euler_maruyama_step

__all__ = [
    "dopri5",
    "euler",
    "euler_maruyama",
    "euler_maruyama_step",
    "heun",
    "langevin",
    "langevin_matrix",
    "langevin_step",
    "langevin_variance",
    "mala",
    "mala_matrix",
    "mala_step",
    "relaxation_time",
    "rk4",
    "stationary",
]
