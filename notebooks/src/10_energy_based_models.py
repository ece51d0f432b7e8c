# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 10 · Energy-based models and the partition function
#
# **After this lesson you will be able to**
#
# - *turn* any function into a density, and *say* what the constant $Z$ costs in one dimension and in twenty;
# - *derive* the gradient of $\log p$ in $x$, where $Z$ drops out, and in $\theta$, where it does not;
# - *sample* with Langevin steps, *compute* the bias of the step, and *remove* it with Metropolis' test;
# - *train* by contrastive divergence and by persistent chains, and *measure* what each gets wrong;
# - *estimate* $\log Z$ after all, by noise-contrastive estimation and by annealed importance sampling.
#
# About 80 minutes to read, about 25 seconds to run. You need the KL divergence (lesson 03) and importance weights (lesson 05).

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import math
from itertools import islice

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

import genlab_course as course
from genlab import score, solvers
from genlab_course import widgets
from genlab.core import last, likelihood_kind, normal_log_prob, std_normal_log_prob
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import show, show_images
from genlab.data.digits import load_digits, to_unit
from genlab.metrics.features import load_classifier
from genlab.metrics.distances import frechet_distance
from genlab.oracles import Gaussian, GaussianMixture
from genlab.zoo import find
from genlab.zoo.energy import denoise, fresh_samples

course.begin(lesson=10)
torch.set_default_dtype(torch.float64)  # exact numbers first; training: float32
course.draw_map(lesson=10, slim=True)

# %% [markdown]
# Every density so far was built so that it sums to one: a product of softmaxes, a bent Gaussian, an average over latents. That requirement shaped
# the networks. Now drop it. Let a network say of each $x$ how *unlikely* it is, by any number it likes, and worry about the sum later. The
# physicists' name for that number is energy. This is an **energy-based model** (EBM), and training it already needs the sum.
#
# ## Predict first
#
# Write your answers down; each returns with a number.
#
# 1. You may evaluate $e^{-E}$ a million times, on a grid. Up to how many dimensions is $\int e^{-\sum_j x_j^4}dx$ right to one per cent: 3, 6 or 20?
# 2. Langevin steps of size $\eta=0.5$ on the energy of $\mathcal N(0,1)$, run for ever. Is the variance of the samples below 1, exactly 1, or above?
# 3. All data lie in the right one of two valleys. The model starts with both, and you train it with chains that begin at the data. What becomes of the
#    left valley?
# 4. An unbiased estimate $\hat Z$ of $Z$: is $\log\hat Z$ on average too low, right, or too high?

# %% [markdown]
# ## 1. Any function is a density, once divided
#
# **Step 1. The definition.** Take a function $E_\theta(x)$ and make it positive, then make it sum to one:
# $$p_\theta(x)=\frac{e^{-E_\theta(x)}}{Z_\theta},\qquad Z_\theta=\int e^{-E_\theta(x)}\,dx .$$
# Low energy is high probability: mind the sign. Adding a constant to $E$ multiplies $Z$ and changes nothing else, so an energy has no zero, only
# differences. The **partition function** $Z$ must be finite, which is not guaranteed: with $E=0$ it is infinite.
#
# With $E=\tfrac12(x-\mu)^2$ it is $\sqrt{2\pi}$ for *every* $\mu$: moving a hill does not change what it weighs. With $E=x^4$, substitute
# $u=x^4$ and find $Z=2\int_0^\infty \tfrac14u^{-3/4}e^{-u}du=2\,\Gamma(5/4)$. On the left the integral by a fine grid, on the right the formula.

# %%
grid = torch.linspace(-9, 9, 3601)
dx = 18 / 3600
by_grid = lambda energy: score.log_partition(energy, math.log(dx)).exp()

check(
    "Z of (x - mu)^2 / 2 for three mu: sqrt(2 pi)",
    torch.stack([by_grid((grid - mu) ** 2 / 2) for mu in (-2.0, 0.0, 1.7)]),
    math.sqrt(2 * math.pi),
    unlike={"E without its half": by_grid(grid**2)},
)
check(
    "Z of x^4 = 2 Gamma(5/4)",
    by_grid(grid**4),
    2 * math.gamma(5 / 4),
    unlike={"x > 0 only": math.gamma(5 / 4)},
)
density = (-((grid - 1.7) ** 2) / 2 - by_grid((grid - 1.7) ** 2 / 2).log()).exp()
check(
    "e^-E / Z is the normal density",
    density,
    normal_log_prob(grid, 1.7, 1.0).exp(),
    unlike={"divided by Z": torch.exp(-((grid - 1.7) ** 2) / 2)},
)



# %% [markdown]
# **Step 2. One sum, four names.** Every way to compute $Z$ in this lesson is a weighted sum over points,
# $$Z\approx\sum_{i=1}^n w_i\,e^{-E(x_i)} .$$
# Enumeration has $w=1$. A grid has the volume of its cell. Uniform draws from a region of volume $V$ have $V/n$. Draws from a density $q$ have
# $1/(n\,q(x_i))$: lesson 05's importance weights. Sums of exponentials overflow, so we add in the log domain. The check compares our function and
# the package's with the plain sum, on numbers that do not overflow yet.

# %%
def my_log_partition(energy, log_weights):
    return torch.logsumexp(log_weights - energy, dim=-1)


energies = 50 * torch.randn(4, 1000, generator=torch.Generator().manual_seed(10))
log_w = torch.randn(4, 1000, generator=torch.Generator().manual_seed(11))
plain_sum = (log_w.exp() * torch.exp(-energies)).sum(1).log()
check(
    "log-sum-exp = log of the plain sum",
    torch.stack([f(energies, log_w) for f in (my_log_partition, score.log_partition)]),
    plain_sum.expand(2, 4),
    unlike={"sign of E": my_log_partition(-energies, log_w).expand(2, 4)},
)
course.show_source(score.log_partition)

# %% [markdown]
# Enumeration first, where the idea comes from. Twelve magnetic spins $s_i=\pm1$ in a ring, neighbours liking to agree: $E(s)=-J\sum_i s_is_{i+1}$
# (Ising's model). There are 4,096 states, so we can add them all. The second route multiplies $2\times2$ matrices around the ring; the trace of the
# product, from the eigenvalues, is $(2\cosh J)^{12}+(2\sinh J)^{12}$. The trick dies when the ring becomes a three-dimensional block.

# %%
J = 0.7
states = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 12)
ring_energy = -J * (states * states.roll(1, dims=1)).sum(1)
check(
    "ring of 12 spins: 4096 states, or 2 eigenvalues",
    score.log_partition(ring_energy, 0.0),
    math.log((2 * math.cosh(J)) ** 12 + (2 * math.sinh(J)) ** 12),
    unlike={"open chain, no ring": math.log(2 * (2 * math.cosh(J)) ** 11)},
)
print(f"an 8 x 8 image of black and white pixels has 2^64 = {2**64:.2g} states")

# %% [markdown]
# *Three relatives that you will meet by name.* A **Boltzmann machine** is this energy with a free coupling for every pair. A **restricted Boltzmann machine** (RBM)
# couples hidden units to visible ones only: $E(v,h)=-b^\top v-c^\top h-\sum_jh_jW_j^\top v$. Sum each hidden unit out. If it is 0 or 1, it contributes
# $\log(1+e^{a_j})=\mathrm{softplus}(a_j)$ with $a_j=c_j+W_j^\top v$; if it is a spin $\pm1$, it contributes $\log(e^{-a_j}+e^{a_j})=\log2\cosh a_j$:
# $$E(v)=-b^\top v-\sum_j\mathrm{softplus}(a_j)\quad\text{(units 0 or 1)},\qquad E(v)=-b^\top v-\sum_j\log2\cosh a_j\quad\text{(spins)} .$$
# Either way the energy is a network with one hidden layer. A **Hopfield network** is the Boltzmann machine at temperature zero: nothing is drawn, and the state
# rolls downhill into *a* local minimum. That may be a stored pattern, the negative of one or a mixture of several, and it is often not the pattern nearest to the start. The
# cell sums the RBM both ways, and stores ten random patterns in 100 spins.

# %%
generator = torch.Generator().manual_seed(10)
W, b, c = (torch.randn(*n, generator=generator) for n in ((6, 8), (6,), (8,)))
softplus = torch.nn.functional.softplus
log_2cosh = lambda a: torch.log(2 * torch.cosh(a))
for low, right, wrong in ((0.0, softplus, log_2cosh), (-1.0, log_2cosh, softplus)):
    v, h = (torch.cartesian_prod(*[torch.tensor([low, 1.0])] * n) for n in (6, 8))
    joint = -(v @ b)[:, None] - h @ c - v @ W @ h.T  # energy of each pair (v, h)
    a = v @ W + c
    check(
        f"RBM, units {low:g} or 1: hidden units summed out",
        -torch.logsumexp(-joint, 1),
        -(v @ b) - right(a).sum(1),
        unlike={"the other kind of unit": -(v @ b) - wrong(a).sum(1)},
    )

spins = lambda *n: 2.0 * torch.randint(0, 2, n, generator=generator) - 1
patterns, begun = (
    spins(20, 10, 100),
    spins(20, 100, 100),
)  # 20 networks, 100 starts each
couplings = patterns.mT @ patterns / 100 * (1 - torch.eye(100))  # Hebb's rule
state = begun.clone()
for i in list(range(100)) * 15:  # one spin after the other turns to the lower energy
    field = (state @ couplings[:, :, i, None])[..., 0]
    state[..., i] = torch.where(field >= 0, 1.0, -1.0)
overlap = state @ patterns.mT / 100
nearest = (begun @ patterns.mT).argmax(2, keepdim=True)
anywhere = (overlap.abs() == 1).any(2).double().mean()
check_range(
    "Hopfield: starts that reach the nearest pattern",
    (overlap.gather(2, nearest) == 1).double().mean(),
    0.06,
    0.25,
    digits=2,
    unlike={"any pattern, or its negative": anywhere},
)

# %% [markdown]
# ## 2. The wall
#
# **Step 3. What each sum costs in $d$ dimensions.** Take $E(x)=\sum_{j=1}^d x_j^4$, whose truth is known, $Z_d=(2\,\Gamma(5/4))^d$. For this separable energy even
# the methods' errors are known.
#
# *Grid.* With $m$ points an axis the budget is $m^d$. The sum factorises here, so its value is the 1-D sum to the power $d$; we verify that once, by
# brute force. A million points are 100 an axis in three dimensions, 10 in six, not even 2 in twenty.
#
# *Uniform draws* from $[-a,a]^d$. One draw $Y=V e^{-E}$ has mean $Z_d$ and relative variance $r^d-1$, where, with $\int e^{-2x^4}dx=2^{-1/4}Z_1$,
# $$r=\frac{2a\int e^{-2x^4}dx}{Z_1^2}=\frac{2a\,2^{-1/4}}{Z_1}.$$
# It takes $(r^d-1)/\varepsilon^2$ draws for a relative error $\varepsilon$. *Importance draws* from $\mathcal N(0,s^2I)$ obey the same formula with another $r$; the best $s$ makes it
# small, but it is above 1, and $r^d$ grows all the same. The **effective sample size** of $n$ weights, $(\sum w_i)^2/\sum w_i^2$, is about $n\,r^{-d}$: so many of the draws count.

# %%
a, Z1 = 2.5, 2 * math.gamma(5 / 4)
centres = lambda m: (torch.arange(m) + 0.5) * (2 * a / m) - a  # of m equal cells
cube = torch.cartesian_prod(centres(12), centres(12), centres(12))
brute = score.log_partition((cube**4).sum(1), 3 * math.log(2 * a / 12))
one_axis = score.log_partition(centres(12) ** 4, math.log(2 * a / 12))
check(
    "12^3 grid points = 12-point sum cubed",
    brute,
    3 * one_axis,
    unlike={"three sums added": one_axis + math.log(3)},
)


def r_of(s):
    """E[w^2] / E[w]^2 of one coordinate, for draws from N(0, s^2): by quadrature."""
    log_terms = -2 * grid**4 - normal_log_prob(grid, 0.0, s)
    return torch.logsumexp(log_terms, 0).exp().item() * dx / Z1**2


r_uniform = 2 * a * 2**-0.25 / Z1
s_best = min(np.arange(0.4, 1.2, 0.01), key=r_of)
draws = 2 * a * (torch.rand(200_000, 3, generator=generator) - 0.5)
y = (2 * a) ** 3 * torch.exp(-(draws**4).sum(1)) / Z1**3
check_close_mc(
    "3-D, uniform: mean square of Y / Z = r^3",
    y**2,
    r_uniform**3,
    unlike={"2^-1/4 forgotten": (2 * a / Z1) ** 3, "r for r^3": r_uniform},
)
print(f"r: box {r_uniform:.4f}, N(0, 1) {r_of(1.0):.4f}, ", end="")
print(f"best normal {r_of(s_best):.4f} (s = {s_best:.2f})")

# %% [markdown]
# Now the budget: a million evaluations of $E$ for each method, and the relative error that it buys.

# %%
budget = 1e6
grid_error = {}
for d in range(2, 21):
    m = int(budget ** (1 / d) + 1e-9)
    one_axis = score.log_partition(centres(m) ** 4, math.log(2 * a / m)).item()
    grid_error[d] = abs(math.exp(d * (one_axis - math.log(Z1))) - 1)
dims = np.arange(1, 101)
errors = {f"uniform in [-{a}, {a}]": r_uniform,
          "N(0, 1)": r_of(1.0), "best normal": r_of(s_best)}

# %%
shown = {d: f"{grid_error[d]:.1g}" for d in (5, 6, 7, 20)}
print("grid, a million points: error", shown)
share = {}
for d in (1, 5, 10, 20, 40, 60):
    x = torch.randn(2000, 4, d, generator=generator)
    log_q = normal_log_prob(x.reshape(-1, d), 0.0, 1.0).reshape(2000, 4)
    weights = -(x**4).sum(2) - log_q
    share[d] = score.effective_sample_size(weights.T).mean().item() / 2000
within = lambda errors: next(d for d in range(1, 101) if errors(d + 1) >= 0.01)
uniform_error = lambda d: math.sqrt((r_uniform**d - 1) / budget)
check(
    "grid: largest d with an error below 1 %",
    within(grid_error.get),
    6,
    unlike={"uniform draws": within(uniform_error)},
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4))
clipped = np.clip(list(grid_error.values()), 1e-8, None)
left.plot(list(grid_error), clipped, "o-", markersize=4, label="grid")
for name, r in errors.items():
    left.plot(dims, np.sqrt((r**dims - 1) / budget), label=name)
left.axhline(0.01, color="#999999", linewidth=1, linestyle="-")
left.set(yscale="log", ylim=(1e-7, 1e7), xlabel="dimensions d",
         ylabel="relative error of Z",
         title="a million evaluations; grey: one per cent")  # fmt: skip
measured = "2,000 draws of N(0, 1)"
right.plot(*zip(*share.items(), strict=True), "o-", color="#CC79A7", label=measured)
right.plot(dims, r_of(1.0) ** -dims.astype(float), color="#222222", linestyle="--",
           label="$r^{-d}$")  # fmt: skip
right.axhline(1 / 2000, color="#999999", linewidth=1, linestyle="-")
right.set(yscale="log", ylim=(1e-4, 1.3), xlim=(0, 62), xlabel="dimensions d",
          ylabel="effective sample size / n",
          title="in the end one draw carries the sum")  # fmt: skip
left.legend(loc="upper left", bbox_to_anchor=(-0.1, -0.2), ncols=2)
right.legend(loc="upper left", bbox_to_anchor=(0, -0.2), ncols=2)
show(figure, "Left: relative error of Z against the dimension; the grid's jumps above "
     "one per cent at 7 and beyond every bound, uniform draws and draws of N(0, 1) "
     "follow later, the best normal last. Right: the fraction of draws that count "
     "falls to 1 in 2,000.")  # fmt: skip


# %% [markdown]
# So question 1: six. The grid is superb while it has ten points an axis and worthless soon after (10 % off in seven dimensions); at $d=20$ a single point, the centre, has to
# stand for the whole cube. Uniform draws are within one per cent up to five dimensions. A good normal lasts for long *here*, because each coordinate looks like a normal; an image does not, and
# $s$ is unknown.
#
# **A proposal that is too narrow fails silently.** With target $\mathcal N(0,1)$ and draws from $\mathcal N(0,s^2)$, $r=s^2/\sqrt{2s^2-1}$, which is infinite for
# $s^2\le\tfrac12$: rare draws in the tails carry weights without bound. The estimate is still unbiased, and four times in five too low: the missing
# mass arrives in rare, huge instalments.

# %%
def r_normals(s):
    return s**2 / math.sqrt(2 * s**2 - 1)


log_terms = 2 * normal_log_prob(grid, 0.0, 1.0) - normal_log_prob(grid, 0.0, 0.8)
check(
    "r of N(0, .8^2) for N(0, 1)",
    torch.logsumexp(log_terms, 0).exp() * dx,
    r_normals(0.8),
    atol=1e-8,
    unlike={"variance .8": r_normals(math.sqrt(0.8))},
)
too_low = {}
for s in (1.2, 0.4):
    x = s * torch.randn(1000, 1000, generator=generator)
    log_q = normal_log_prob(x.reshape(-1), 0.0, s).reshape(x.shape)
    z_hat = score.log_partition(x**2 / 2, -log_q - math.log(1000)).exp()
    too_low[s] = (z_hat < math.sqrt(2 * math.pi)).double().mean().item()
    median = z_hat.median().item() / math.sqrt(2 * math.pi)
    print(f"s = {s}: median of 1000 estimates / Z is ~{median:.3f}")
check_range(
    "fraction of estimates too low, s = 0.4",
    too_low[0.4],
    0.74,
    0.85,
    unlike={"s = 1.2": too_low[1.2]},
)

# %% [markdown]
# Even a sound estimate errs in one direction once you take its logarithm, because the logarithm bends downwards (Jensen, as in lesson 05):
# $\mathbb E\log\hat Z\le\log\mathbb E\hat Z=\log Z$. So $-E(x)-\log\hat Z$ is on average too *high* a log-likelihood: the flattering side. (Question 4: too low.)

# %%
x = 0.8 * torch.randn(20_000, 20, generator=generator)
# 2,000 estimates by 10 draws
log_w = -normal_log_prob(x, 0.0, 0.8).reshape(2000, 10) - math.log(10)
off = score.log_partition((x**4).sum(1).reshape(2000, 10), log_w) - 20 * math.log(Z1)
check_range(
    "mean of log Z-hat - log Z, nats",
    off.mean(),
    -1.1,
    -0.8,
    unlike={"log of the mean": off.exp().mean().log()},
)

# %% [markdown]
# ## 3. Two gradients, one with $Z$ and one without
#
# **Step 4. In $x$ the constant drops out.** $\log p_\theta(x)=-E_\theta(x)-\log Z_\theta$, and $Z_\theta$ does not contain $x$:
# $$\nabla_x\log p_\theta(x)=-\nabla_xE_\theta(x).$$
# This is the **score**. For the Gaussian energy it is $\mu-x$. To test it where the normalised density is known, hide a constant in a mixture's
# energy, $E=-\log p+17$, and compare with the mixture's own formula for its score.

# %%
mixture = GaussianMixture(torch.tensor([0.3, 0.7]),
                          torch.tensor([[-1.0, 0.5], [1.0, 0.0]]),
                          torch.tensor([0.6, 0.9]))
x = torch.randn(50, 2, generator=generator)
found = score.score_from_energy(lambda x: -mixture.log_prob(x) + 17.0, x)
check(
    "-grad E = score, whatever the constant",
    found,
    mixture.score(x),
    unlike={"sign of E": score.score_from_energy(mixture.log_prob, x)},
)

# %% [markdown]
# **Step 5. In $\theta$ it does not.** Differentiate $\log Z_\theta=\log\int e^{-E_\theta}$: the logarithm puts $1/Z$ in front, the exponential brings down
# $-\nabla_\theta E$, and $e^{-E}/Z$ is the model's own density:
# $$\nabla_\theta\log Z_\theta=\frac1{Z_\theta}\int e^{-E_\theta(x')}\big(-\nabla_\theta E_\theta(x')\big)dx'=-\mathbb E_{x'\sim p_\theta}\nabla_\theta E_\theta(x').$$
# Put it into $\log p_\theta=-E_\theta-\log Z_\theta$:
# $$\nabla_\theta\log p_\theta(x)=\underbrace{-\nabla_\theta E_\theta(x)}_{\text{positive phase}}+\underbrace{\mathbb E_{x'\sim p_\theta}\nabla_\theta E_\theta(x')}_{\text{negative phase}} .$$
# Push the energy down where the data are and up where the model's own samples are; when both agree, rest. The check differentiates $\log Z$ by
# autograd *through* the quadrature, and takes the expectation on the right by weighting the grid with the density.

# %%
theta = torch.tensor([0.3, -0.5, 0.2], requires_grad=True)
features = torch.stack([grid, grid**2, grid**4])
log_z = score.log_partition(theta @ features, math.log(dx))
(by_autograd,) = torch.autograd.grad(log_z, theta)
p = (-(theta @ features)).softmax(0).detach()
unnormalised = torch.exp(-(theta @ features)).detach() * dx
check(
    "grad log Z = -E_p grad E, three parameters",
    by_autograd,
    -(features @ p),
    atol=1e-10,
    unlike={"1/Z forgotten": -(features @ unnormalised)},
)

# %% [markdown]
# As code it is one subtraction. With the samples $x'$ held still, the gradient of $E_\theta(x)-E_\theta(x')$ is the one above, sign reversed for descent.
# Its *value* is not a likelihood: it hovers around zero when the model is right, and when it is wrong in a way that its samples do not show.

# %%
data = torch.tensor([-1.2, 0.4, 0.5, 2.0])
energy = lambda x: theta @ torch.stack([x, x**2, x**4])
nll = energy(data).mean() + score.log_partition(energy(grid), math.log(dx))
weights = (-energy(grid)).softmax(0).detach()
phases = score.contrastive_loss(energy(data),
                                (weights * energy(grid)).sum().expand(4)).mean()
gradient = lambda loss: torch.autograd.grad(loss, theta, retain_graph=True)[0]
check(
    "grad of the loss = grad of the exact NLL",
    gradient(phases),
    gradient(nll),
    atol=1e-10,
    unlike={"no negative phase": gradient(energy(data).mean())},
)
course.show_source(score.contrastive_loss)


# %% [markdown]
# **It fails: $Z$ treated as a constant, and the sign.** Fit $E=\tfrac12\lambda(x-\mu)^2$ to data of mean 1 and variance $\tfrac14$, so that the right answer is
# $\lambda=4$. The negative phase is known here, $\mathbb E_{p}\tfrac12(x'-\mu)^2=1/2\lambda$, so nothing below is random. Three descents: the right one; one that
# leaves the negative phase out ("$Z$ is just a constant"); one with the phases exchanged.

# %%
def descend(positive, negative, n_steps=500, rate=0.1):
    """Descend on log lambda and mu with these weights of the phases; keep the NLL."""
    log_lam, mu, losses = 0.0, 0.0, []
    for _ in range(n_steps):
        lam, square = math.exp(log_lam), 0.25 + (1 - mu) ** 2  # E_data (x - mu)^2
        losses.append(0.5 * lam * square + 0.5 * math.log(2 * math.pi / lam))
        log_lam -= rate * lam * (positive * square / 2 - negative / (2 * lam))
        mu -= rate * positive * lam * (mu - 1)
    return losses, math.exp(log_lam), mu


runs = {"both phases": descend(1, 1), "Z as a constant": descend(1, 0),
        "phases exchanged": descend(-1, -1, 8)}
best = 0.5 + 0.5 * math.log(2 * math.pi * 0.25)
ended = {name: [lam, losses[-1]] for name, (losses, lam, _) in runs.items()}
check(
    "both phases: lambda is 4, the NLL the entropy",
    ended["both phases"],
    [4.0, best],
    atol=1e-6,
    unlike={name: ended[name] for name in ("Z as a constant", "phases exchanged")},
)
print(f"lambda with Z as a constant: {ended['Z as a constant'][0]:.3f} after 500 steps")

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(6.6, 3.4))
for name, (losses, _, _) in runs.items():
    ax.plot(losses, label=name)
ax.axhline(best, color="#999999", linewidth=1, linestyle="-")
ax.set(xlabel="step", ylabel="true NLL (nats)", xlim=(0, 150), ylim=(0.5, 4),
       title="one of three learns (grey: the entropy)")  # fmt: skip
ax.legend(loc="upper right")
show(figure, "True negative log-likelihood against steps: with both phases it falls to "
     "the entropy and stays; with Z as a constant it turns and rises; with the phases "
     "exchanged it leaves the picture within ten steps.")  # fmt: skip

# %% [markdown]
# Without the negative phase the energy at the data falls and falls, and so does the energy everywhere else: it becomes flat, which is the laziest way of being
# low at the data. The normalising constant $Z$ is what forbids this.
#
# ## 4. Sampling with the slope: Langevin
#
# **Step 6. Roll downhill, and shake.** The score is all that a sampler needs. Take a step of size $\eta$ down the energy and add noise of variance $2\eta$:
# $$x\leftarrow x-\eta\,\nabla E(x)+\sqrt{2\eta}\,z,\qquad z\sim\mathcal N(0,I).$$
# *Why this noise?* Start with $x\sim p=e^{-E}/Z$ and ask how the average of any smooth $f$ changes in one step. Expand $f$ to second order and use $\nabla p=-p\,\nabla E$:
# $$\mathbb E f(x')-\mathbb E f(x)=\eta\,\mathbb E_p\big[-\nabla E\cdot\nabla f+\Delta f\big]+O(\eta^2)
# =\eta\int\big(\nabla p\cdot\nabla f+p\,\Delta f\big)dx+O(\eta^2)=\eta\int\nabla\cdot(p\,\nabla f)\,dx+O(\eta^2)=O(\eta^2),$$
# because the last integral is one over a boundary where $p$ vanishes. Drift and noise cancel at first order, and they do so only if the variance is $2\eta$. The error that remains is
# of order $\eta^2$ a step, and a unit of time takes $1/\eta$ steps, so in the limit of small steps $p$ is left exactly as it is. (In continuous time this is the **Langevin equation**
# $dx=\nabla\log p\,dt+\sqrt2\,dW$ with $W$ a **Brownian motion**. Its **Fokker-Planck equation** $\partial_tq=-\nabla\cdot(q\,\nabla\log p)+\Delta q$ has a right side of zero at
# $q=p$; lesson 14 derives it.) The check takes $E=x^4$ and $f=\cos$, for which the average over $z$ is $\mathbb E\cos(m+sz)=e^{-s^2/2}\cos m$: halve $\eta$, and the change
# must fall to a quarter.
#
# For a finite step, work one case by hand. On $E=\tfrac12x^2$ the step is
# $x'=(1-\eta)x+\sqrt{2\eta}\,z$, so variances obey $v'=(1-\eta)^2v+2\eta$. Set $v'=v$ and divide by $\eta$:
# $$v=\frac{2\eta}{1-(1-\eta)^2}=\frac1{1-\eta/2}>1 .$$
# The chain settles on the wrong distribution: its variance is too large by about half a step. (Question 2: above.) Three routes: the recursion, a chain written down as a matrix on a grid
# of points, whose left eigenvector is the distribution where it settles, and 20,000 chains.

# %%
quartic_law = (-(grid**4)).softmax(0)


def change(eta, variance):
    """Change of E cos x in one step with noise of this variance, from e^(-x^4) / Z."""
    after = math.exp(-variance / 2) * torch.cos(grid - eta * 4 * grid**3)
    return (quartic_law * (after - torch.cos(grid))).sum()


check(
    "half the step, a quarter of the change",
    change(1e-4, 2e-4) / change(5e-5, 1e-4),
    4.0,
    rtol=0.01,
    unlike={"noise of variance eta": change(1e-4, 1e-4) / change(5e-5, 5e-5)},
)


# %%
def my_langevin_step(x, slope_of_energy, z, eta):
    return x - eta * slope_of_energy + math.sqrt(2 * eta) * z


def settled(eta, noise):
    """Variance after 400 steps that multiply by 1 - eta and add `noise`."""
    v = 1.0
    for _ in range(400):
        v = (1 - eta) ** 2 * v + noise
    return v


places = torch.linspace(-9, 9, 361)
etas = (0.1, 0.5)
matrices = [solvers.langevin_matrix(-places, places, step_size=eta) for eta in etas]
by_hand = [1 / (1 - eta / 2) for eta in etas]
by_matrix = [(solvers.stationary(matrix) @ places**2).item() for matrix in matrices]
check(
    "eta = 0.1, 0.5: variance by recursion and by matrix",
    [[settled(eta, 2 * eta) for eta in etas], by_matrix],
    [by_hand, by_hand],
    atol=1e-6,
    unlike={"noise of variance eta": [[settled(eta, eta) for eta in etas]] * 2},
)
x = torch.zeros(20_000, 1)
for _ in range(60):
    x = my_langevin_step(x, x, torch.randn(x.shape, generator=generator), 0.5)
check_close_mc(
    "eta = 0.5: 20,000 chains, x^2",
    x**2,
    by_hand[1],
    unlike={"noise of variance eta": settled(0.5, 0.5)},
)

# %% [markdown]
# **Step 7. Bias against memory.** A smaller step has less bias and a longer memory: $x'=(1-\eta)x+\dots$ keeps the fraction $1-\eta$ of where it was, which is also
# the matrix's second eigenvalue. Halve the bias and you double the time. And beyond $\eta=2$ the factor exceeds one in size: the chain explodes.

# %%
check(
    "steps to forget, both etas: -1 / log(1 - eta)",
    [solvers.relaxation_time(matrix) for matrix in matrices],
    [-1 / math.log(1 - eta) for eta in etas],
    atol=1e-5,
    unlike={"memory of the variance": [-0.5 / math.log(1 - eta) for eta in etas]},
)
options = {"step_size": 2.2, "n_steps": 30, "generator": generator}
wild = (
    last(solvers.langevin(lambda x: -x, torch.ones(20_000, 1), **options))
    .square()
    .mean()
)
predicted = (1.2**2) ** 30 + 4.4 * ((1.2**2) ** 30 - 1) / (1.2**2 - 1)
print(f"eta = 2.2: mean square after 30 steps ~{wild:.2g}, recursion {predicted:.2g}")

# %% [markdown]
# **Step 8. Metropolis removes the bias.** A chain leaves $p$ alone if the traffic between any two points is the same both ways, $p(x)P(x\to x')=p(x')P(x'\to x)$: **detailed balance**. Langevin's
# proposal $q(x'\mid x)$ does not balance; so accept it with probability
# $$\alpha=\min\Big(1,\ \frac{e^{-E(x')}\,q(x\mid x')}{e^{-E(x)}\,q(x'\mid x)}\Big),$$
# and otherwise stay and count the old point again. Then $p(x)\,q(x'\mid x)\,\alpha=\min\big(p(x)q(x'\mid x),\,p(x')q(x\mid x')\big)$, which is symmetric. $Z$ cancels in the
# ratio. The price: you need the energy itself; a score alone will not do. Langevin steps with this test are the **Metropolis-adjusted Langevin algorithm** (MALA).

# %%
pi = (-(places**2) / 2).softmax(0)
log_p, slope = -(places**2) / 2, -places
adjusted = [solvers.mala_matrix(log_p, slope, places, step_size=eta) for eta in etas]
check(
    "eta = 0.1, 0.5: adjusted, variance by eigenvector",
    [(solvers.stationary(matrix) @ places**2).item() for matrix in adjusted],
    [1.0, 1.0],
    atol=1e-8,
    unlike={"plain chain": by_matrix},
)
imbalance = lambda matrix: pi[:, None] * matrix - (pi[:, None] * matrix).T
check(
    "eta = 0.5: the traffic is the same both ways",
    imbalance(adjusted[1]),
    torch.zeros(361, 361),
    atol=1e-12,
    unlike={"plain chain": imbalance(matrices[1])},
)
begin = torch.randn(20_000, 1, generator=generator)
options = {"step_size": 0.5, "n_steps": 30, "generator": generator}
chain = solvers.mala(std_normal_log_prob, lambda x: -x, begin, **options)
check_close_mc(
    "eta = 0.5: 20,000 adjusted chains, x^2",
    last(chain) ** 2,
    1.0,
    unlike={"plain chain": settled(0.5, 1.0)},
)

# %%
etas = np.array([0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.6, 1.9])
plain, adjusted, accepted = [], [], []
for eta in etas:
    chain = solvers.langevin(lambda x: -x, torch.zeros(4000, 1),
                             step_size=eta, n_steps=120, generator=generator)
    plain.append(last(chain).var().item())
    x, rate = torch.randn(4000, 1, generator=generator), 0.0
    for _ in range(40):
        z = torch.randn(4000, 1, generator=generator)
        u = torch.rand(4000, generator=generator)
        x, yes = solvers.mala_step(std_normal_log_prob,
                                   lambda x: -x, x, z, u, step_size=eta)
        rate += yes.double().mean().item() / 40
    adjusted.append(x.var().item())
    accepted.append(rate)

# %% jupyter={"source_hidden": true}
fine = np.linspace(0.01, 1.92, 200)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.3))
left.plot(fine, 1 / (1 - fine / 2),
          color="#222222", linestyle="-", label="$1/(1-\\eta/2)$")
left.plot(etas, plain, "o", linestyle="", color="#D55E00", label="plain, 4,000 chains")
left.plot(etas, adjusted, "s", linestyle="", color="#009E73", label="adjusted")
left.set(yscale="log", xlabel="step size η", ylabel="variance (truth: 1)",
         title="the bias, and its removal")  # fmt: skip
left.legend(loc="upper left")
right.plot(etas, accepted, "s-", color="#009E73")
right.set(xlabel="step size η", ylabel="fraction of moves accepted", ylim=(0, 1.05),
          title="what the removal costs")  # fmt: skip
show(figure, "Left: the variance of plain chains grows with the step along the "
     "formula's curve, from 1 to 20; that of adjusted chains stays at 1. Right: the "
     "fraction of accepted moves falls from 1 to one half.")  # fmt: skip

# %% [markdown]
# **A question for the figure.** All chains start from the target distribution. Press play to see what becomes of them; the lower panel shows their distribution, computed on a grid. On the two valleys, raise $\eta$ slowly with the *plain* chain: which goes wrong first, the standard deviation of each mode, or the fraction of the mass in it? Then choose *Metropolis* at the largest $\eta$: is the distribution right, and is the *chain* any good? Last, tap the right valley, so that all chains start there, and set $\eta$ to 0.032: how much of the mass is still there after 100 steps?

# %% tags=["keep-output"]
widgets.langevin_bias()

# %%
x = torch.linspace(-3, 3, 241)
energy, slope = 2 * (x**2 - 1) ** 2 + 0.5 * x, -(8 * x * (x**2 - 1) + 0.5)


def right_valley(law):
    """Fraction of the mass right of 0, and the standard deviation there."""
    part = law * (x > 0)
    mean = (part * x).sum() / part.sum()
    variance = (part * (x - mean) ** 2).sum() / part.sum()
    return part.sum().item(), variance.sqrt().item()


truth = right_valley((-energy).softmax(0))
print(f"target:            fraction right {truth[0]:.4f}, std {truth[1]:.4f}")
for eta in (0.01, 0.02, 0.04):
    share, width = right_valley(
        solvers.stationary(solvers.langevin_matrix(slope, x, step_size=eta)))
    print(f"plain, eta = {eta:.2f}:  fraction right {share:.4f}, std {width:.4f}")
adjusted = right_valley(
    solvers.stationary(solvers.mala_matrix(-energy, slope, x, step_size=0.04)))
check(
    "adjusted, eta = 0.04: both are right",
    adjusted,
    truth,
    atol=1e-8,
    unlike={"plain chain": [share, width]},
)

# %% [markdown]
# The standard deviation of each mode goes first, then the fractions of the mass; and from $\eta\approx0.06$ the walls, steeper than any parabola, throw the chain out for good. (Far enough out, *no* fixed step is short enough for such walls.) With Metropolis the distribution is right at any $\eta$, given patience. You need a lot of it: at the largest $\eta$ about 96 moves in 100 are refused. And from the right valley it takes a while to learn of the left one: after 100 steps with $\eta=0.032$ about half of the mass, in place of 30 per cent, is still there.
#
# > **A common misconception:** *the chains of an image model sample its density.* Du and Mordatch (2019) train energies of images with steps like $x\leftarrow x-10\,\nabla E+0.005\,z$. That noise is far below $\sqrt{2\cdot10}$. With temperature $T$ a Langevin step is
# > $x-\eta\nabla E+\sqrt{2\eta T}\,z$, and this is *exactly* a step of size $\eta T$ on the energy $E/T$. So such chains aim at $p^{1/T}$ with $T=0.005^2/20\approx10^{-6}$: they
# > look for the bottoms of valleys. It makes good-looking images, and it does not fit $p$ to the data.

# %%
x, z = torch.randn(2, 100, 2, generator=generator)
cold = solvers.langevin_step(x, -4 * x**3, z, step_size=0.1, temperature=0.05)
check(
    "eta, T on E = eta T, 1 on E / T",
    cold,
    my_langevin_step(x, 4 * x**3 / 0.05, z, 0.1 * 0.05),
    atol=1e-12,
    unlike={"step eta on E / T": my_langevin_step(x, 4 * x**3 / 0.05, z, 0.1)},
)


# %% [markdown]
# **It fails: slow mixing.** Two valleys, $E=b(x^2-1)^2+\tfrac12x$, separated by a barrier of height about $b$. Downhill steps never climb it; noise must, and the wait is exponential
# in the height. Kramers' formula puts the rate of leaving a valley at $\frac{\sqrt{E''(\text{valley})\,|E''(\text{top})|}}{2\pi}e^{-\Delta E}$; both valleys are left, and the two rates add. The matrix knows the truth. Metropolis does not help. It corrects
# *where* the chain settles, not *when*; because it refuses moves, it even waits longer, by 42 per cent at the highest barrier below.

# %%
def valleys(b):
    energy = lambda x: b * (x**2 - 1) ** 2 + 0.5 * x
    return energy, lambda x: -(4 * b * x * (x**2 - 1) + 0.5)


def kramers(b, eta, both=True):
    """Steps to forget by Kramers' rates of both valleys, or of the deep one alone."""
    energy, _ = valleys(b)
    left, top, right = np.sort(np.roots([4 * b, 0, -4 * b, 0.5]).real)
    bend = lambda x: abs(12 * b * x**2 - 4 * b)
    rate = lambda v: math.sqrt(bend(v) * bend(top)) * math.exp(energy(v) - energy(top))
    return 2 * math.pi / (eta * (rate(left) + both * rate(right)))


line, waits = torch.linspace(-1.8, 1.8, 145), {}
for b in (1, 2, 3, 4, 5, 6):
    energy, slope = valleys(b)
    adjusted = solvers.mala_matrix(-energy(line), slope(line), line, step_size=0.01)
    unadjusted = solvers.langevin_matrix(slope(line), line, step_size=0.01)
    waits[b] = solvers.relaxation_time(unadjusted), solvers.relaxation_time(adjusted)
    print(f"barrier {b}: steps to forget {waits[b][0]:6.0f}, ", end="")
    print(f"with Metropolis {waits[b][1]:6.0f}, Kramers {kramers(b, 0.01):6.0f}")
check_range(
    "barrier 6: wait of the plain chain / Kramers",
    waits[6][0] / kramers(6, 0.01),
    0.9,
    1.0,
    unlike={"deep valley's rate alone": waits[6][0] / kramers(6, 0.01, both=False)},
)
check_range(
    "barrier 6: with Metropolis / without",
    waits[6][1] / waits[6][0],
    1.4,
    1.44,
    digits=2,
    unlike={"at barrier 1": waits[1][1] / waits[1][0]},
)

# %% [markdown]
# ## 5. Training without $Z$: chains for the negative phase
#
# **Step 9. Contrastive divergence.** The negative phase wants samples of a model that changes at every step. CD-$k$ (Hinton 2002) does not wait: it starts chains *at the
# data* and runs $k$ steps. If the model were right, the data would already be its samples, and the chains would have nowhere to go. How much of the gradient does that see? For
# $E=\tfrac12(x-\mu)^2$ and data of mean $m$, one step moves the mean from $m$ to $\mu+(1-\eta)(m-\mu)$, so after $k$ steps
# $$\mathbb E\,[x-x^{(k)}]=\big(1-(1-\eta)^k\big)(m-\mu):$$
# the right direction, shortened.

# %%
mu, m, eta = 2.0, -1.0, 0.2
data = m + 0.5 * torch.randn(20_000, 1, generator=generator)
options = {"step_size": eta, "n_steps": 5, "generator": generator}
negatives = score.contrastive_negatives(lambda x: mu - x, data, **options)
check_close_mc(
    "CD-5: the gradient for mu",
    data - negatives,
    (1 - (1 - eta) ** 5) * (m - mu),
    unlike={"exact gradient": m - mu, "CD-1": (1 - (1 - eta)) * (m - mu)},
)

# %% [markdown]
# **Step 10. Where CD settles.** A shortened step in the right direction would be harmless. In general CD-$k$ rests where
# $\mathbb E_{p_d}\phi=\mathbb E_{p_dP_\theta^k}\phi$ ($\phi$ the features that $\theta$ multiplies), and maximum likelihood where $\mathbb E_{p_d}\phi=\mathbb E_{p_\theta}\phi$. If the model contains the data's distribution and $P_\theta$ leaves
# $p_\theta$ alone exactly, the truth is a resting place of both. With plain Langevin it is not: the chain's own bias is learned into the model. We take the data to be normally distributed, and let
# the matrix be the chain, so that no number below is random.

# %%
x = torch.linspace(-9, 9, 361)
phi = torch.stack([x, x**2 / 2], 1)
normal = (-(x**2) / 2).softmax(0)
exact_chain = solvers.mala_matrix(-(x**2) / 2, -x, x, step_size=0.5)
plain_chain = solvers.langevin_matrix(-x, x, step_size=0.5)
pull_at_truth = lambda chain: normal @ phi - normal @ chain @ phi
check(
    "CD-1 at the truth, adjusted chain: gradient",
    pull_at_truth(exact_chain),
    [0.0, 0.0],
    unlike={"plain chain": pull_at_truth(plain_chain)},
)

# %% [markdown]
# Now data that the model *cannot* match: two unequal bumps, against $E=\theta_1x+\theta_2x^2+\theta_3x^4/4$. We solve for the resting place of each by Newton's method.

# %%
x = torch.linspace(-4, 4, 161)
bumps = GaussianMixture(torch.tensor([0.7, 0.3]),
                        torch.tensor([[-1.2], [1.5]]), torch.tensor([0.5, 0.3]))
data_law = bumps.log_prob(x[:, None]).softmax(0)
phi = torch.stack([x, x**2, x**4 / 4], 1)
law = lambda theta: (-(phi @ theta)).softmax(0)


def pull(theta, k):
    """E_model phi - E_data phi; k chain steps for the model, or all if k is None."""
    negative = law(theta)
    if k is not None:
        slope = -(theta[0] + 2 * theta[1] * x + theta[2] * x**3)
        step = solvers.mala_matrix(-(phi @ theta), slope, x, step_size=0.1)
        negative = data_law
        for _ in range(k):
            negative = negative @ step
    return (negative - data_law) @ phi


def resting_place(k):
    theta = torch.tensor([0.0, 0.5, 0.3])
    for _ in range(30):
        here = pull(theta, k)
        jacobian = torch.stack(
            [(pull(theta + 1e-5 * e, k) - here) / 1e-5 for e in torch.eye(3)], 1)
        move = torch.linalg.solve(jacobian, -here)
        theta = theta + move * min(1.0, 0.5 / move.abs().max().item())
    return theta


# %%
fits = {k: resting_place(k) for k in (1, 2, 5, 10, 30, 100, None)}
kl = {k: (data_law * (data_law / law(theta)).log()).sum().item()
      for k, theta in fits.items()}
for k, value in kl.items():
    name = "maximum likelihood" if k is None else f"CD-{k}"
    print(f"{name:<19} KL(data || model) = {value:.6f}")
check(
    "exact likelihood rests where the moments agree",
    law(fits[None]) @ phi,
    data_law @ phi,
    unlike={"CD-1": law(fits[1]) @ phi, "CD-100": law(fits[100]) @ phi},
)


# %%
def by_bump(law):
    """Mass left of 0, and KL(data || model) within either side."""
    within = []
    for side in (x < 0, x >= 0):
        p, q = data_law[side] / data_law[side].sum(), law[side] / law[side].sum()
        within.append((p * (p / q).log()).sum().item())
    return [law[x < 0].sum().item(), *within]


bumps_of = {"data": data_law, "CD-1": law(fits[1]), "exact gradient": law(fits[None])}
bumps_of = {name: by_bump(q) for name, q in bumps_of.items()}
for name, (mass, left_kl, right_kl) in bumps_of.items():
    print(f"{name:<15} mass left of 0: {mass:.2f}, KL on either side ", end="")
    print(f"{left_kl:.2f} and {right_kl:.2f}")
check_range(
    "CD-1: mass on the left",
    bumps_of["CD-1"][0],
    0.3,
    0.35,
    unlike={name: bumps_of[name][0] for name in ("data", "exact gradient")},
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
left.fill_between(x, data_law / 0.05, color="#999999", alpha=0.4, label="data")
for k, colour, dash in ((1, "#D55E00", ":"),
                        (10, "#E69F00", "--"), (None, "#009E73", "-")):
    label = "exact gradient" if k is None else f"CD-{k}"
    left.plot(x, law(fits[k]) / 0.05, color=colour, linestyle=dash, label=label)
left.set(xlim=(-3, 3), xlabel="x", ylabel="density",
         title="where each training comes to rest")  # fmt: skip
ks = [k for k in kl if k]
right.plot(ks, [kl[k] for k in ks], "o-", color="#222222")
right.axhline(kl[None], color="#009E73", linestyle="-")
right.set(xscale="log", xlabel="k, steps in each negative phase",
          ylabel="KL(data || model), nats",
          title="the bias of CD-k, exactly")  # fmt: skip
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=4)
show(figure, "Left: the data's two bumps and three fits; CD-1 puts far too much on "
     "the right, the exact gradient a little; CD-10 lies between. Right: the KL "
     "divergence of CD-k falls with k to that of the exact gradient, at about "
     "30 steps.")  # fmt: skip

# %% [markdown]
# Look at the numbers above the figure. Within either side CD-1 fits *better* than the exact gradient (a KL of 0.07 and 0.13 nats against 0.09 and 0.23). What it gets wrong are the masses: it puts 0.32 on the left, where
# the data have 0.70. One step from the data never asks how much mass there should be on the other side.
#
# **It fails: a valley that no chain visits.** This is the same blindness at its worst, and it is question 3. The energy is a flexible one (25 bumps that can be raised or lowered) on top of two equal valleys; all
# data lie in the right one. Persistent chains are the repair (**persistent contrastive divergence**, Tieleman 2008): keep the chains from one update to the next and never restart them at the data. They began everywhere, so some sit in the left valley, and raise it.
# Again we compute with whole distributions instead of samples: the data's distribution times $P^k$ for CD, and a distribution that is carried on from update to update for the persistent chains.

# %%
x = torch.linspace(-2, 2, 101)
centres_x = torch.linspace(-1.8, 1.8, 25)
lumps = torch.exp(-((x[:, None] - centres_x) ** 2) / (2 * 0.2**2))
lump_slopes = -(x[:, None] - centres_x) / 0.2**2 * lumps
data_law = (-((x - 1) ** 2) / (2 * 0.3**2)).softmax(0)
law = lambda theta: (-(4 * (x**2 - 1) ** 2 + lumps @ theta)).softmax(0)


def train(negative_phase, k=1, rate=1.0, n_steps=400):
    """Gradient steps; return theta and, by step, KL(data || model) and left mass."""
    theta, trace = torch.zeros(25), []
    chains = law(theta)  # persistent chains begin everywhere
    for _ in range(n_steps):
        slope = -(16 * x * (x**2 - 1) + lump_slopes @ theta)
        step = solvers.mala_matrix(law(theta).log(), slope, x, step_size=0.02)
        start = {"exact": law(theta), "data": data_law,
                 "persistent": chains}[negative_phase]
        many = torch.linalg.matrix_power(step, k)
        chains = start if negative_phase == "exact" else start @ many
        theta = theta - rate * (data_law - chains) @ lumps
        now = law(theta)
        trace.append([(data_law * (data_law / now).log()).sum().item(),
                      now[x < 0].sum().item()])
    return theta, np.array(trace)


runs = {
    "exact": train("exact"),
    "CD-1": train("data"),
    "persistent, 5 steps": train("persistent", k=5),
    "persistent, rate 10": train("persistent", k=5, rate=10.0, n_steps=100),
}
for name, (_, trace) in runs.items():
    print(f"{name:<20} after {len(trace):3d} updates: KL ~{trace[-1, 0]:.3f}, "
          f"mass in the left valley ~{trace[-1, 1]:.3f}")

# %%
left_of = {name: trace[-1, 1] for name, (_, trace) in runs.items()}
check_range(
    "CD-1: mass of the empty valley after training",
    left_of["CD-1"],
    0.84,
    0.88,
    unlike={
        "before": law(torch.zeros(25))[x < 0].sum(),
        "persistent chains": left_of["persistent, 5 steps"],
    },
)
check_range(
    "persistent, rate 10: KL after 100 updates",
    runs["persistent, rate 10"][1][99, 0],
    1.5,
    4,
    unlike={"rate 1": runs["persistent, 5 steps"][1][99, 0]},
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.6))
left.fill_between(x, data_law / 0.04, color="#999999", alpha=0.4, label="data")
looks = (("#009E73", "-"), ("#D55E00", ":"), ("#0072B2", "--"), ("#CC79A7", "-."))
for (name, (theta, trace)), (colour, dash) in zip(runs.items(), looks, strict=True):
    if "10" not in name:
        left.plot(x, law(theta) / 0.04, color=colour, linestyle=dash, label=name)
    right.plot(trace[:, 0], color=colour, linestyle=dash, label=name)
left.set(xlabel="x", ylabel="density",
         title="CD-1 deepens the valley that it never visits")
right.set(yscale="log", xlabel="update", ylabel="KL(data || model), nats",
          title="persistent chains, and too fast an update")  # fmt: skip
figure.legend(*right.get_legend_handles_labels(), loc="outside lower center", ncols=4)
show(figure, "Left: the data's bump on the right; the exact gradient and persistent "
     "chains lie on it, CD-1 has most of its mass in a peak on the left. Right: the KL "
     "of these two falls, CD-1's rises, and with ten times the rate it swings "
     "high up.")  # fmt: skip


# %% [markdown]
# CD-1 does not merely leave the hole: it *fills* it, from one half to six sevenths of the mass, because raising the energy around the data, where its chains go, makes the left valley the better place. Its own loss
# cannot show this: no chain goes there. The pink line in the right panel is the other named instability: with ten times the learning rate the model runs away from its chains, the pool describes a model of long ago, and the updates overshoot again and again.
# The repairs are the ones you would guess: slower updates, more chain steps, some chains begun afresh. We need all three in section 7.

# %% [markdown]
# ## 6. $Z$ after all
#
# **Step 11. Noise-contrastive estimation.** Could $c=\log Z$ simply be one more parameter? Not by maximum likelihood: $-E(x)-c$ grows for ever as $c\to-\infty$. Gutmann and Hyvärinen ask another question. Mix the data with as many
# draws of a noise $q$ that you know, and let the model tell them apart. By Bayes the log-odds that $x$ is data are $G(x)=\log p(x)-\log q(x)$, so use
# $G_\theta(x)=-E_\theta(x)-c-\log q(x)$ in logistic regression. Its minimum is where $G_\theta$ is the true log-odds, and that fixes $c$ too. (With $\nu$ noise draws for each example, subtract $\log\nu$.)

# %%
def my_nce_loss(logits_data, logits_noise):
    softplus = torch.nn.functional.softplus
    return softplus(-logits_data) + softplus(logits_noise).sum(1)


g = torch.randn(50, generator=generator)
g_noise = torch.randn(50, 3, generator=generator)
logits = torch.cat([g[:, None], g_noise], 1)
labels = torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(50, 4)
cross_entropy = nn.functional.binary_cross_entropy_with_logits
each = cross_entropy(logits, labels, reduction="none")
check(
    "NCE = cross-entropy of the labels",
    torch.stack([my_nce_loss(g, g_noise), score.nce_loss(g, g_noise)]),
    each.sum(1).expand(2, 50),
    unlike={"mean over the noise": (each[:, 0] + each[:, 1:].mean(1)).expand(2, 50)},
)
ratio, p_x, q_x = 3.0, 0.3, 0.2
odds = score.nce_logits(torch.tensor(p_x).log(), torch.tensor(q_x).log(), ratio=ratio)
check(
    "the logit is Bayes' rule for the label",
    odds.sigmoid(),
    p_x / (p_x + ratio * q_x),
    unlike={"log nu forgotten": p_x / (p_x + q_x)},
)

# %%
truth = torch.tensor([0.2, 0.3])  # E = 0.2 x^2 + 0.3 x^4
log_z = score.log_partition(truth[0] * grid**2 + truth[1] * grid**4, math.log(dx))
log_data = -truth[0] * grid**2 - truth[1] * grid**4 - log_z
log_noise = normal_log_prob(grid, 0.0, 1.5)
def nce_minimum(log_noise_in_logit):
    """Minimise the expected NCE loss over two energies and c, by quadrature."""
    guess = torch.tensor([0.5, 0.1, 0.0], requires_grad=True)
    options = {"max_iter": 100, "tolerance_grad": 1e-10, "tolerance_change": 1e-15}
    optimizer = torch.optim.LBFGS([guess], line_search_fn="strong_wolfe", **options)

    def expected_loss():
        optimizer.zero_grad()
        log_model = -guess[0] * grid**2 - guess[1] * grid**4 - guess[2]
        g = score.nce_logits(log_model, log_noise_in_logit, ratio=1.0)
        losses = log_data.exp() * softplus(-g) + log_noise.exp() * softplus(g)
        loss = losses.sum() * dx
        loss.backward()
        return loss

    optimizer.step(expected_loss)
    return guess.detach()


check(
    "NCE's minimum: two energies, and log Z by quadrature",
    nce_minimum(log_noise),
    torch.cat([truth, log_z[None]]),
    atol=1e-5,
    unlike={"log q left out of the logit": nce_minimum(torch.zeros_like(grid))},
)

# %% [markdown]
# That was the loss in expectation. From 20,000 draws it is logistic regression in the plain sense, so scikit-learn can solve it: the features are $x^2$ and $x^4$, and since $\log q$ is a parabola, its intercept and slope are known shifts. The
# intercept is $-c$ plus the noise's own constant.

# %%
cdf = (log_data.exp() * dx).cumsum(0)
place = torch.searchsorted(cdf, torch.rand(20_000, generator=generator))
data = grid[place.clamp(max=len(grid) - 1)]
noise = 1.5 * torch.randn(20_000, generator=generator)
both = torch.cat([data, noise])[:, None] ** torch.tensor([2.0, 4.0])
regression = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
fit = regression.fit(both, np.repeat([1, 0], 20_000))
c_hat = math.log(1.5 * math.sqrt(2 * math.pi)) - fit.intercept_[0]
check_range(
    "log Z from 20,000 draws, minus the truth",
    c_hat - log_z.item(),
    -0.06,
    0.06,
    unlike={"the noise's constant forgotten": -fit.intercept_[0] - log_z.item()},
)
found = 1 / (2 * 1.5**2) - fit.coef_[0, 0], -fit.coef_[0, 1]
print(f"energies found: ~{found[0]:.2f} and ~{found[1]:.2f} (truth 0.2 and 0.3)")


# %% [markdown]
# **It fails: noise that is too easy.** If only $c$ is unknown, the error of $\hat c$ from $n$ draws of each is known (this is bridge sampling, Meng and Wong 1996): $\operatorname{Var}\hat c\approx\frac1n\big(1/\!\int\!\frac{pq}{p+q}-2\big)$. Move the noise away
# and the overlap integral dies. On the left the spread of 300 fits, on the right the formula by quadrature.

# %%
def fit_c(log_ratio_data, log_ratio_noise):
    """Solve the NCE equation for c by bisection; rows are independent repetitions."""
    low = torch.full((len(log_ratio_data),), -30.0)
    high = -low
    for _ in range(60):
        c = (low + high) / 2
        taken_for_noise = (c[:, None] - log_ratio_data).sigmoid().sum(1)
        slope = taken_for_noise - (log_ratio_noise - c[:, None]).sigmoid().sum(1)
        low, high = torch.where(slope < 0, c, low), torch.where(slope < 0, high, c)
    return (low + high) / 2


n, spread, without_2 = 200, {}, []
for shift in (0.0, 1.0, 2.0, 3.0):
    x = torch.randn(300, n, generator=generator)  # data N(0, 1) with E = x^2 / 2
    y = shift + 1.2 * torch.randn(300, n, generator=generator)
    log_peak = -math.log(1.2 * math.sqrt(2 * math.pi))
    log_q = lambda v: -((v - shift) ** 2) / (2 * 1.2**2) + log_peak
    c = fit_c(-(x**2) / 2 - log_q(x), -(y**2) / 2 - log_q(y))
    p, q = normal_log_prob(grid, 0.0, 1.0).exp(), log_q(grid).exp()
    overlap = (p * q / (p + q)).sum() * dx
    spread[shift] = c.std().item(), math.sqrt((1 / overlap - 2) / n)
    without_2.append(math.sqrt(1 / overlap / n))
    print(f"noise at {shift:g}: spread of log Z-hat ~{spread[shift][0]:.3f}, ", end="")
    print(f"by the formula {spread[shift][1]:.3f}")
measured, formula = zip(*spread.values(), strict=True)
check(
    "spread of 300 estimates = formula, four noises",
    measured,
    formula,
    rtol=0.25,  # 300 repetitions know a standard deviation to 4 %
    unlike={"- 2 forgotten": without_2},
)

# %% [markdown]
# **Step 12. Annealed importance sampling** (AIS). The other repair for a bad proposal is to approach the target gradually. Join $q$ to the target by levels $f_\beta=q^{1-\beta}e^{-\beta E}$, $0=\beta_0<\beta_1<\dots<\beta_n=1$. Draw $x_0$ from $q$. Then, for $k=1,\dots,n$, multiply the weight by
# $$\frac{f_{\beta_k}(x_{k-1})}{f_{\beta_{k-1}}(x_{k-1})},\qquad\text{that is}\qquad\log w\leftarrow\log w+(\beta_k-\beta_{k-1})\big(-E(x_{k-1})-\log q(x_{k-1})\big),$$
# and take a Metropolis-adjusted step $T_k$ from $x_{k-1}$ to $x_k$ that leaves $f_{\beta_k}$ alone. Why is $\mathbb E\,w=Z$, even when the step hardly mixes? Compare two distributions of the whole path: our walk up from $q$, and the walk down from the target $f_1/Z$ with the same steps. Detailed balance, $f_{\beta_k}(x_k)\,T_k(x_k\to x_{k-1})=f_{\beta_k}(x_{k-1})\,T_k(x_{k-1}\to x_k)$, turns each step around:
# $$\frac{\text{down}}{\text{up}}=\frac{\frac1Zf_1(x_n)\prod_kT_k(x_k\to x_{k-1})}{q(x_0)\prod_kT_k(x_{k-1}\to x_k)}=\frac{f_1(x_n)}{Z\,q(x_0)}\prod_{k=1}^n\frac{f_{\beta_k}(x_{k-1})}{f_{\beta_k}(x_k)}=\frac1Z\prod_{k=1}^n\frac{f_{\beta_k}(x_{k-1})}{f_{\beta_{k-1}}(x_{k-1})}=\frac wZ .$$
# A ratio of two densities has mean 1 under the one in the denominator. No approximation entered, but the order matters: the step must leave the *new* level alone. With the old one the mean is wrong, and the check sees it with 20,000 particles in two dimensions.

# %%
quartic = lambda x: (x**4).sum(1)
levels = torch.linspace(0, 1, 6)


def my_ais(n, move_at="new"):
    """Log weights of n particles in the plane, from N(0, I) to e^(-sum x^4) / Z."""
    x, log_w = torch.randn(n, 2, generator=generator), torch.zeros(n)
    for old, new in zip(levels[:-1], levels[1:], strict=True):
        log_w = log_w + (new - old) * (-quartic(x) - std_normal_log_prob(x))
        at = new if move_at == "new" else old
        log_f = lambda x, at=at: (1 - at) * std_normal_log_prob(x) - at * quartic(x)
        slope = lambda x, at=at: -(1 - at) * x - at * 4 * x**3
        z = torch.randn(n, 2, generator=generator)
        u = torch.rand(n, generator=generator)
        x, _ = solvers.mala_step(log_f, slope, x, z, u, step_size=0.1)
    return log_w


x0 = torch.randn(20_000, 2, generator=generator)
options = {"step_size": 0.1, "generator": generator}
ais = score.annealed_importance
package = last(ais(std_normal_log_prob, quartic, x0, levels, **options)).log_w
old_level = my_ais(20_000, move_at="old").exp()
for name, log_w in {"mine": my_ais(20_000), "genlab's": package}.items():
    check_close_mc(
        f"AIS in the plane, {name}: mean weight = Z",
        log_w.exp(),
        Z1**2,
        unlike={"moves at the old level": old_level},
    )

# %% [markdown]
# **A sandwich.** By Jensen the average of $\log w$ lies below $\log Z$. Walk *back*, from exact samples of the target at $\beta=1$ down to $q$, and the weights estimate $1/Z$; so minus their average logarithm lies above. Exact samples are available here, since $|x|^4$ has a Gamma
# distribution. Fifty dimensions, where importance sampling from the same $q=\mathcal N(0,I)$ would need $r^{50}\approx10^6$ draws for one that counts:

# %%
d, exact = 50, 50 * math.log(Z1)
torch.manual_seed(10)
size = torch.distributions.Gamma(0.25, 1.0).sample((200, d)) ** 0.25
samples = size * (2.0 * torch.randint(0, 2, (200, d), generator=generator) - 1)

sandwich = {}
options = {"step_size": 0.03, "generator": generator}
annealed = lambda x, at: last(ais(std_normal_log_prob, quartic, x, at, **options))
for n_levels in (10, 30, 100, 300):
    # smaller steps where q and f differ most
    levels = torch.linspace(0, 1, n_levels + 1) ** 2
    up = annealed(torch.randn(200, d, generator=generator), levels)
    down = annealed(samples, levels.flip(0))
    low, high = up.log_w.mean().item(), -down.log_w.mean().item()
    sandwich[n_levels] = high - low
    print(f"{n_levels:3d} levels: ~{low:.2f} < {exact:.6f} < ~{high:.2f}")
check_range(
    "300 levels: gap of the sandwich, nats",
    sandwich[300],
    1.5,
    3.5,
    digits=2,
    unlike={"100 levels": sandwich[100]},
)
check_range(
    "300 levels: log of the mean weight - log Z",
    score.log_mean_exp(up.log_w) - exact,
    -0.6,
    0.6,
    digits=2,
    unlike={"mean of the logs": up.log_w.mean() - exact},
)

# %% [markdown]
# **Back to the two valleys.** Annealing also repairs what Metropolis could not. Barrier 6, chains begun in the *left* valley: after 300 steps hardly any have crossed, and the matrix says how many should have. Particles that come down from a wide $q$ fall
# into both, and their weights correct the fractions. The truth is a quadrature.

# %%
energy, slope = valleys(6)
truth = (-energy(line)).softmax(0)[line > 0].sum()
step = torch.linalg.matrix_power(
    solvers.mala_matrix(-energy(line), slope(line), line, step_size=0.01), 300)
begin = (line - line[32]).abs().argmin()  # the place x = -1
options = {"step_size": 0.01, "generator": generator}
at_minus_1 = torch.full((4000, 1), line[32].item())
summed = lambda x: energy(x).sum(1)
stuck = last(
    solvers.mala(lambda x: -summed(x), slope, at_minus_1, n_steps=300, **options)
)
check_close_mc(
    "after 300 steps: fraction right, against the matrix",
    (stuck > 0).double(),
    step[begin][line > 0].sum().item(),
    unlike={"settled": truth},
)
wide = lambda x: normal_log_prob(x, 0.0, 1.2)
x0 = 1.2 * torch.randn(20_000, 1, generator=generator)
levels = torch.linspace(0, 1, 201)
end = last(ais(wide, summed, x0, levels, **options))
right = (end.x[:, 0] > 0).double()
weighted = (end.log_w.softmax(0) * right).sum()
print(f"truth {truth:.4f}; plain chains ~{(stuck > 0).double().mean():.3f}; ", end="")
print(f"annealed ~{right.mean():.3f}, and weighted ~{weighted:.3f}")
z_valleys = torch.trapezoid((-energy(line)).exp(), line)
check_close_mc(
    "mean weight over Z, Z by quadrature",
    end.log_w.exp() / z_valleys,
    1.0,
    unlike={"the sum of -E for its integral": (-energy(line)).exp().sum() / z_valleys},
)
check_range(
    "annealed and weighted, minus the truth",
    weighted - truth,
    -0.015,  # four standard errors
    0.015,
    unlike={"weights forgotten": right.mean() - truth},
)


# %% [markdown]
# ## 7. Real data: an energy of the digits
#
# Now everything at once, on the $8\times8$ digits. The energy is a perceptron with two hidden layers plus a quadratic, $E(x)=f_\theta(x)+\lVert x\rVert^2/2s^2$; the negative phase is 20 Langevin steps of persistent chains that begin in *noise*, at temperature 1. Five stabilisers,
# each with a reason that you have met:
#
# | stabiliser | reason |
# |---|---|
# | noise $\sigma=0.3$ on the data | grey levels are points and the paper is always white: without noise the distribution has walls of infinite steepness |
# | the quadratic | $Z$ is finite, and runaway chains come back |
# | 20 chain steps for each update | the pool must keep up with the model (the pink line) |
# | a rate that fades to nothing | the same, at the end |
# | 5 % of the chains begun afresh | they look for valleys in which no chain is (question 3) |
#
# **Which step may the chain take?** The steepest direction is a pixel that is always white: data variance $\sigma^2$. On $E=\tfrac12\lambda x^2$ the computation of step 6 gives the chain's variance $1/\lambda(1-\eta\lambda/2)$. Training matches it to the data's, so the learned curvature $\lambda$ solves $\lambda(1-\eta\lambda/2)=1/\sigma^2$: the bias of the step is learned
# into the energy. With $\eta=\sigma^2/2$ the solution is $\lambda=2/\sigma^2$, a model whose white pixels have half the variance that they should; with a longer step, or with less noise, there is no solution and training has nowhere to settle. We take $\eta=0.02$ and lose an eighth of the variance.

# %%
def learned_curvature(eta, sigma):
    return (1 - math.sqrt(1 - 2 * eta / sigma**2)) / eta


def chain_variance(eta, curvature, n_steps=500):
    """Where the variance of a chain on E = curvature x^2 / 2 settles."""
    v = 1.0
    for _ in range(n_steps):
        v = (1 - eta * curvature) ** 2 * v + 2 * eta
    return v


sigma, both = 0.3, (0.02, 0.045)
curvatures = [learned_curvature(eta, sigma) for eta in both]
check(
    "eta = .02, .045: the biased chain matches the data",
    [chain_variance(eta, lam) for eta, lam in zip(both, curvatures, strict=True)],
    [sigma**2, sigma**2],
    unlike={"curvature 1/sigma^2": [chain_variance(eta, 1 / sigma**2) for eta in both]},
)
for eta, lam in zip(both, curvatures, strict=True):
    print(f"eta = {eta}: variance of a white pixel {1 / lam:.4f}, ", end="")
    print(f"in the data {sigma**2:.4f}")

# %%
torch.set_default_dtype(torch.float32)
train, test = load_digits("train"), load_digits("test")
recipe = find("digit_ebm")
ebm, data_noise = recipe.untrained(), recipe.settings["data_noise"]
records = widgets.watch(recipe.train(ebm),
                        total=recipe.settings["n_steps"], label="phase difference")
judge = load_classifier()
generator = torch.Generator().manual_seed(10)
noise_like = lambda images: torch.randn(images.shape, generator=generator)
noisy = lambda images: to_unit(images) + data_noise * noise_like(images)
features = lambda x: judge.features(8 * (x + 1))
pool = ebm.chains.states
losses = [r.loss for r in records]
check_range(
    "mean of the last 50 losses",
    np.mean(losses[-50:]),
    -1.5,
    1.5,
    digits=1,
    unlike={"first 5": np.mean(losses[:5]), "updates 11 to 30": np.mean(losses[10:30])},
)

# %% [markdown]
# The live curve (energy at the data minus energy at the chains) is what energy models are notorious for: it says nothing about progress. It starts near 20, because the chains begin in noise of small norm where the quadratic is low; it falls below zero (to about $-4$ in this smoothed curve) as the network learns to tell noise from digits, and then it hovers around zero *because* the two phases balance. Judge the samples.
#
# The model's distribution is that of *noisy* digits, so its samples are noisy. One step with the slope removes the noise: the average clean image behind $x$ is $x-\sigma^2\nabla E(x)$. That formula (Tweedie's) is derived in lesson 11. For comparison we do the same with one normal distribution that has the mean and the covariance of the noisy digits.

# %%
pixels = to_unit(train.images).flatten(1)
blurred = torch.cov(pixels.T) + data_noise**2 * torch.eye(64)
base = Gaussian(pixels.mean(0), blurred)
clean = denoise(ebm, pool, sigma=data_noise)
pictures = {
    "digits with noise σ = 0.3": noisy(train.images[:24]),
    "states of the chains": pool[:24],
    "the same, denoised by the slope": clean[:24],
}

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(11, 3.3))
figure.get_layout_engine().set(wspace=0.06)
for ax, (title, x) in zip(axes, pictures.items(), strict=True):
    show_images(ax, x[:20].clamp(-1.3, 1.3), n_columns=5, title=title)
show(figure, "Twenty noisy digits; twenty states of the chains, as noisy, most with "
     "strokes like a digit's; and the same states denoised: pale digits, some of them "
     "doubtful.")  # fmt: skip

# %%
distance = lambda a, b: frechet_distance(features(a), features(b)).item()
real, digits_only = noisy(train.images), to_unit(train.images)
as_image = lambda x: x.reshape(-1, 1, 8, 8)
of_normal = []
for _ in range(4):  # a single set of 1,024 draws is off by some hundredths
    x = base.sample(1024, generator=generator)
    x_clean = x + data_noise**2 * base.score(x)
    x, x_clean = as_image(x), as_image(x_clean)
    of_normal.append([distance(real, x), distance(digits_only, x_clean)])
normal_noisy, normal_clean = np.mean(of_normal, 0)
check_range(
    "Fréchet distance of the pool, noise on both",
    distance(real, pool),
    0.2,
    0.33,
    digits=2,
    unlike={"normal distribution": normal_noisy},
)
check_range(
    "both denoised, against clean digits",
    distance(digits_only, clean),
    0.33,
    0.45,
    digits=2,
    unlike={"normal distribution": normal_clean},
)
restored = denoise(ebm, noisy(train.images), sigma=data_noise)
print(f"real digits, noised and denoised alike: ~{distance(digits_only, restored):.2f}")

# %% [markdown]
# The chains' digits are closer to the data than one normal distribution is, by a modest margin, and they are far from perfect: real digits that went through the same noise and the same denoiser are at 0.05. (Over three training seeds the pool had 0.26 to 0.31 with the noise and 0.38 to 0.45 without; the normal
# distribution has about 0.35 and 0.47.)

# %% [markdown]
# **What the energy ranks.** A trained energy can be asked about any image: high energy, unlikely. We ask it about test digits, about the same digits upside down, and about the same pixels in a fixed random order, which have the same histogram of ink. The checks give the fraction of
# pairs in which the real digit has the lower energy; against the model's own samples it should be about one half.

# %%
order = torch.randperm(64, generator=generator)
shuffled = test.images.flatten(1)[:, order].reshape(test.images.shape)
asked = {
    "test digits": test.images,
    "upside down": test.images.flip(2),
    "pixels shuffled": shuffled,
}
with torch.no_grad():
    energies = {name: ebm.energy(noisy(x)) for name, x in asked.items()}
    energies["chains"] = ebm.energy(pool)
below = lambda other: (
    energies["test digits"][:, None] < energies[other]).double().mean()
print(f"pairs ranked right, against shuffled pixels: ~{below('pixels shuffled'):.3f}")
check_range(
    "pairs ranked right, against upside down",
    below("upside down"),
    0.7,
    0.85,
    unlike={"against the chains": below("chains")},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3.8))
for (name, e), dash in zip(energies.items(), ("-", "--", "-.", ":"), strict=True):
    relative = (e - energies["test digits"].mean()).clamp(max=60)
    ax.hist(relative, np.linspace(-25, 60, 40), density=True, histtype="step",
            linewidth=2, linestyle=dash, label=name)  # fmt: skip
ax.set(xlabel="energy minus the mean of test digits (nats; beyond 60 at 60)",
       ylabel="density", title="low energy where the digits are",
       ylim=(0, 0.09))  # fmt: skip
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
show(figure, "Histograms of the energy: test digits and the model's chains cover each "
     "other around 0, digits upside down lie about ten nats higher, and all images of "
     "shuffled pixels beyond 60.")  # fmt: skip

# %% [markdown]
# **Its likelihood, with its kind.** The model's likelihood is *unnormalised*, so `log_likelihood` refuses. With $\log Z$ from annealed importance sampling we get an estimate. As $q$ we take the normal distribution with the mean and covariance of the noisy digits: a good start makes good weights.

# %%
log_base = lambda x: base.log_prob(x.flatten(1))
for parameter in ebm.parameters():
    parameter.requires_grad_(False)
x0 = as_image(base.sample(200, generator=generator))
levels, options = torch.linspace(0, 1, 201), {"step_size": 0.03, "generator": generator}
end = last(score.annealed_importance(log_base, ebm.energy, x0, levels, **options))
log_z = score.log_mean_exp(end.log_w).item()
held_out = noisy(test.images)
estimate = (-ebm.energy(held_out) - log_z).mean().item()
print(f"kind: {likelihood_kind(ebm)}; log Z-hat ~{log_z:.0f}, "
      f"average of log w ~{end.log_w.mean():.0f}")
print(f"noisy test digits: estimated nats ~{estimate:.1f}")
plain_weights = -ebm.energy(x0) - log_base(x0)
check_range(
    "effective sample size of 200 particles",
    score.effective_sample_size(end.log_w).item(),
    45,
    130,
    digits=0,
    unlike={"plain importance weights": score.effective_sample_size(plain_weights)},
)
check_range(
    "estimated nats above the normal distribution q",
    estimate - log_base(held_out).mean(),
    0.2,
    1.6,
    digits=1,
)


# %% [markdown]
# Report such a number with its kind and its direction: *estimated, and if anything too high*. It concerns noisy digits, so it cannot be compared with the bits per dimension of lessons 02 to 06. And it is sobering: all this training buys about one nat over a single normal distribution (0.7 to 1.2 over training seeds and noise draws).
#
# **It fails, with the stabilisers off.** The first updates again (180, or 120 where the runs explode sooner), with the same network and the same rate: without the noise on the data; with one chain step for each update in place of twenty; and without either and without the quadratic.

# %%
def first_updates(n=120, **changes):
    """The first `n` phase differences with some stabilisers off, and the model."""
    changed = recipe.but(**changes)
    model = changed.untrained()
    return [r.loss for r in islice(changed.train(model), n)], model


runs = {
    "all on": (losses[:180], ebm),
    "no noise": first_updates(n=180, data_noise=0.0),
    "one chain step": first_updates(chain_steps=1),
    "three off": first_updates(base_std=None, chain_steps=1, data_noise=0.0),
}
wildest = {}
for name, (curve, _) in runs.items():
    wildest[name] = np.log10(np.abs(curve[60:]).max())
    print(f"log10 of the largest |loss| after update 60, {name}: ~{wildest[name]:.1f}")
check_range(
    "log10 of the largest |loss|, all on",
    wildest.pop("all on"),
    0,
    1.6,
    digits=1,
    unlike={name: wildest[name] for name in ("no noise", "one chain step")},
)
far = runs["three off"][1].chains.states.abs().max()
print(f"largest |x| of the last run's chains: ~{far:.0f}")

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3.6))
looks = (("#009E73", "-"), ("#0072B2", "-."), ("#E69F00", "--"), ("#D55E00", ":"))
for (name, (curve, _)), (colour, dash) in zip(runs.items(), looks, strict=True):
    ax.plot(np.abs(curve), color=colour, linestyle=dash, label=name)
ax.set(yscale="log", xlabel="update", ylabel="|phase difference|",
       title="the same network, the same rate")  # fmt: skip
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
show(figure, "Size of the phase difference against updates, on a logarithmic scale: "
     "with all stabilisers it stays near 1; with one chain step or three off it climbs "
     "from update 60, without noise from 120, beyond ten million.")  # fmt: skip

# %% [markdown]
# Removing either one alone sends the loss up by seven orders of magnitude. Without noise the energy gets steeper and steeper where the paper is white, until the chain's step is too long for it, just as the curvature equation said; with one step the pool is left behind. (Which of the other stabilisers does this small run survive
# without? Try it.)
#
# **It fails, more quietly: the pool flatters.** The pool's chains were there while the energy was shaped around them. The honest test is chains that training never saw: from noise, 600 steps. Which digits do they become?

# %%
fresh = fresh_samples(ebm, 500, n_steps=600, generator=torch.Generator().manual_seed(1))
shares = {}
for name, x in (("pool", pool[:1000]), ("fresh", fresh)):
    votes = judge(8 * (denoise(ebm, x, sigma=data_noise) + 1)).argmax(1)
    shares[name] = torch.bincount(votes, minlength=10) / len(x)
shares["data"] = torch.bincount(train.labels, minlength=10) / len(train.labels)
few = train.labels[torch.randint(len(train.labels), (500,), generator=generator)]
shares["500 of the data"] = torch.bincount(few, minlength=10) / 500
off = lambda name: 0.5 * (shares[name] - shares["data"]).abs().sum()
check_range(
    "500 fresh chains: total variation of the digits",
    off("fresh"),
    0.14,
    0.4,
    unlike={"the pool": off("pool"), "500 of the data": off("500 of the data")},
)
start = ebm.base_std * torch.randn(500, 1, 8, 8, generator=generator)
above = lambda x: ebm.energy(x).mean() - energies["chains"].mean()
check_range(
    "fresh: energy minus the pool's, nats",
    above(fresh),
    -3,
    1.5,
    digits=1,
    unlike={"the noise they began in": above(start)},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3.4))
for k, name in enumerate(("pool", "fresh", "data")):
    ax.bar(np.arange(10) + 0.27 * (k - 1), shares[name], width=0.25, label=name)
ax.set(xlabel="digit, as the classifier reads it", ylabel="fraction", xticks=range(10),
       title="fresh chains fall into the nearest valleys")  # fmt: skip
figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=3)
show(figure, "Fractions of the ten digits: near one tenth each in the data and in the "
     "pool; among fresh chains the ones are twice as frequent and some "
     "digits rare.")  # fmt: skip

# %% [markdown]
# These fresh chains end at energies like the pool's: they have *not* found holes. But they end on the digits in the wrong proportions (a total variation of 0.20 to 0.33 over three training seeds, the pool's 0.05 to 0.11). Each slides into the valley nearest to its noise and stays there; 600 steps are nothing against the barriers between a one and an
# eight. The pool has the proportions right because it was steered during training; the fresh chains show what sampling from this energy really costs. Slow mixing is the unsolved problem of this lesson, and the reason for the next: lesson 11 anneals over *noise levels*, as we annealed over $\beta$.
#
# ## 8. Where energy-based models stand
#
# Energy-based models have a lesson in this course and no row on the map of lesson 01. They have no sampler of their own: a chain follows their slope, so they stand beside the score models, in `genlab.score`. And every exact density *is* an energy, $E=-\log p$ with $Z=1$: the
# autoregressive models and flows of lessons 02 and 04 are energies whose constant was arranged beforehand. What sets an EBM apart is the *kind* of its likelihood.

# %%
side = torch.linspace(-7, 7, 281, dtype=torch.float64)
points = torch.cartesian_prod(side, side)
as_energy = -mixture.log_prob(points)
check(
    "an exact density is an energy with Z = 1",
    score.log_partition(as_energy, 2 * math.log(0.05)).exp(),
    1.0,
    unlike={"volume of one axis": score.log_partition(as_energy, math.log(0.05)).exp()},
)
noise_model = score.NCE(nn.Linear(1, 1), Gaussian(torch.zeros(1), torch.eye(1)))
print("kinds:",
      {type(m).__name__: likelihood_kind(m) for m in (mixture, ebm, noise_model)})
print("has log_prob:", [hasattr(m, "log_prob") for m in (mixture, ebm, noise_model)])

# %% [markdown]
# Giving up the constant buys two things. *Any architecture*: no triangular Jacobians, no masks, no bottleneck. And *addition*: the sum of two energies is the product of two densities, "this and that", with a constant that nobody needs in order to sample. For normal distributions the product is known: precisions add.

# %%
first, second = grid**2 / 2, (grid - 2) ** 2 / 2


def moments(p):
    mean = (p * grid).sum()
    return torch.stack([mean, (p * (grid - mean) ** 2).sum()])


check(
    "N(0,1) and N(2,1): moments of the product",
    moments((-(first + second)).softmax(0)),
    [1.0, 0.5],
    unlike={"a mixture": moments(((-first).softmax(0) + (-second).softmax(0)) / 2)},
)


# %% [markdown]
# ## Predict first, again
#
# 1. Six dimensions; in seven the grid is off by ten per cent, in twenty by a factor of $6\cdot10^8$ (section 2).
# 2. Above: $1/(1-0.25)=1.333$ (step 6).
# 3. It does not vanish: CD-1 let it grow from a half to six sevenths of the mass. Persistent chains emptied it (section 5).
# 4. Too low, by Jensen; so likelihoods come out too high (section 2).
#
# ## Exercises
#
# Replace each `...`; an untouched exercise prints "not attempted". `course.hint("10.quadratic-z")` gives up to three hints. Worked solutions are in `solutions/`.

# %%
def quadratic_z(c, mu):
    """Z of E(x) = c/2 (x - mu)^2."""
    ...


course.exercise("10.quadratic-z", quadratic_z)


# %%
def settled_variance(eta, c):
    """Where unadjusted Langevin settles on E(x) = c/2 x^2."""
    ...


course.exercise("10.settled-variance", settled_variance)


# %%
def gradient_in_c(x, c):
    """d log p(x) / dc for E(x) = c/2 x^2, at each of the points x (a numpy array)."""
    ...


course.exercise("10.gradient-in-c", gradient_in_c)


# %%
def log_acceptance(x, y, energy, slope, eta):
    """log min(1, ratio) of a Langevin move from x to y; slope: the energy's slope."""
    ...


course.exercise("10.acceptance", log_acceptance)


# %%
def log_weight(betas, log_q, energy):
    """log w of an annealed particle: k + 1 levels, log q and E at k points."""
    ...


course.exercise("10.annealed-weights", log_weight)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(10)

# %% [markdown]
# ## Summary
#
# 1. $p=e^{-E}/Z$: any function with a finite integral is a density; low energy is high probability.
# 2. $Z$ is a sum over everything. A million grid points reach about six dimensions; draws need about $r^d/\varepsilon^2$ evaluations.
# 3. In $x$ the constant drops out: the score is $-\nabla E$.
# 4. In $\theta$ it does not: energy down at the data, up at the model's own samples.
# 5. Langevin steps sample with the score alone. In the limit of small steps they leave $p$ alone; on the normal a finite step settles at the variance $1/(1-\eta/2)$.
# 6. Metropolis' test removes that bias and not the wait between valleys.
# 7. CD-$k$ starts at the data and cannot see valleys without data; persistent chains can, if the model moves slowly.
# 8. NCE learns $\log Z$ by classification; it needs noise that overlaps the data.
# 9. Annealed importance sampling is unbiased for $Z$ however it mixes; $\log\hat Z$ is too low on average.
# 10. The likelihood is of the unnormalised kind; with $\hat Z$ it becomes an estimate, on the flattering side.
#
# | model | objective | sampler | evaluations | likelihood | pays |
# |---|---|---|---|---|---|
# | energy-based (next to the score-based row) | energy at data minus energy at own samples | Langevin chain | hundreds, each forward and backward | unnormalised; estimate with $\hat Z$ | chains in training, slow mixing |
#
# **What production systems add.** Convolutional or residual energies, replay buffers of ten thousand states, spectral normalisation, cold chains (the box of section 4), multi-scale sampling; and often not an EBM at all but its offspring: the denoisers of lessons 11 to 14, classifiers read as energies,
# reward models whose exponential tilts a language model, and force fields in chemistry, where $E$ is the energy.
#
# ## Sources
#
# - Song and Kingma 2021, "How to Train Your Energy-Based Models" (arXiv:2101.03288): eqs. 1 to 7, sections 2 to 4.
# - Roberts and Tweedie 1996, "Exponential convergence of Langevin distributions and their discrete approximations", *Bernoulli* 2: eqs. 3 and 4, section 1.4.
# - Hinton 2002, "Training products of experts by minimizing contrastive divergence", *Neural Computation* 14: eq. 5. Tieleman 2008, "Training RBMs using approximations to the likelihood gradient", *ICML*: section 3.
# - Gutmann and Hyvärinen 2012, "Noise-contrastive estimation of unnormalized statistical models", *JMLR* 13: eqs. 4 to 8, theorem 1. Meng and Wong 1996, "Simulating ratios of normalizing constants", *Statistica Sinica* 6, for the spread.
# - Neal 2001, "Annealed importance sampling", *Statistics and Computing* 11: eqs. 2 to 10. Grosse, Ghahramani and Adams 2015 (arXiv:1511.02543), for the sandwich.
# - Du and Mordatch 2019 (arXiv:1903.08689) and Nijkamp et al. 2020 (arXiv:1903.12370), for energies of images and their failures; Kramers 1940, *Physica* 7, for the wait.
