"""Numerics that know no model: differential equations, Langevin chains, divergences."""

# fmt: off
# ruff: noqa: I001
from genlab.solvers.mcmc import (
    langevin, langevin_matrix, langevin_step, mala, mala_matrix, mala_step, relaxation_time,
    stationary
)
from genlab.solvers.ode import euler, heun, rk4
from genlab.solvers.sde import euler_maruyama, euler_maruyama_step
