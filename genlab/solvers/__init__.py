"""Numerics that know no model: differential equations, Langevin chains, divergences."""

from genlab.solvers import divergence
from genlab.solvers.adaptive import dopri5
from genlab.solvers.mcmc import langevin, langevin_step, mala, mala_step
from genlab.solvers.mixing import (
    langevin_matrix,
    langevin_variance,
    mala_matrix,
    relaxation_time,
    stationary,
)
from genlab.solvers.ode import euler, heun, rk4
from genlab.solvers.sde import euler_maruyama, euler_maruyama_step

__all__ = [
    "divergence",
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
