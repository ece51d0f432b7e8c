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
# # 04 · Normalizing flows
#
# **After this lesson you will be able to**
#
# - *derive* the density of $x = f(z)$ in one dimension and in many, and say which Jacobian goes where;
# - *build* an invertible layer whose determinant is cheap, and prove it against the full Jacobian;
# - *tell*, for a coupling, MAF, IAF or continuous flow, which direction is fast and why;
# - *fit* a density to images made of whole numbers, and report bits per dimension that mean something;
# - *recognise* four ways in which a flow fails, by a measurement and not by a picture.
#
# About 120 minutes to read, about 40 seconds to run. You need lesson 02 (bits per dimension), lesson 03 (maximum likelihood) and the
# determinant as the volume of a box.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import itertools
import math
from unittest import mock

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.distributions import Normal

import genlab_course as course
from genlab import flow
from genlab_course import widgets
from genlab.core import bits_per_dim, last
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import film, show, show_images
from genlab.data.digits import load_digits
from genlab.data.toys import Moons, plane
from genlab.zoo import find
from genlab.metrics import coverage
from genlab.oracles.continuous import GaussianMixture
from genlab.solvers.ode import exact_divergence, rk4
from genlab.train import cosine, fit, minibatches

course.begin(lesson=4)
# exact numbers first; training will switch to float32
torch.set_default_dtype(torch.float64)
course.draw_map(lesson=4, slim=True)

# %% [markdown]
# An autoregressive model gets an exact $\log p(x)$ by splitting $x$ into tokens. A **normalizing flow** gets it in another way: it starts from noise
# that you understand completely and bends it, by a map that can be undone, until it looks like data. The likelihood is then bookkeeping:
# where did this $x$ come from, and how much was space stretched on the way?
#
# ## Predict first
#
# Write your answers down. You will meet each question again, with a number.
#
# 1. $z$ is uniform on $[0, 1]$ and you squeeze it, $x = z / 10$. What is $p(0.05)$? May it exceed 1?
# 2. To draw one batch of 64-pixel images, how often must the network of *one layer* run in a flow of the kind "RealNVP"? And in one of the kind "MAF"?
# 3. A smooth invertible map bends one Gaussian onto two islands. Can the water between them be left empty? Nearly empty?
# 4. Lesson 02 measured digits in bits per dimension: 2.42 for a histogram of each pixel. Will a flow beat that? Will it beat a Gaussian
#    mixture?

# %% [markdown]
# ## 1. One dimension: mass is conserved
#
# **Step 1. Follow a sliver of probability.** Take all the $z$ in a short interval of length $dz$. They carry mass $p_Z(z)\,dz$. The map
# $f$ lays them down on an interval of length $|f'(z)|\,dz$, and the mass is the same, because no point was made or lost:
# $$p_X(x)\,|f'(z)|\,dz = p_Z(z)\,dz \qquad\Longrightarrow\qquad p_X(x) = \frac{p_Z\big(f^{-1}(x)\big)}{|f'(z)|},\quad z = f^{-1}(x).$$
# This is the **change-of-variables formula**. Where the map stretches, the density thins out; where it squeezes, the density piles up. The picture shows the same five per cent of
# the mass before and after, for $f(z) = z + 0.45 \sin 2z$ and a normal base.

# %% jupyter={"source_hidden": true}
z = torch.linspace(-3, 3, 1201)
x = z + 0.45 * torch.sin(2 * z)
p_z = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
p_x = p_z / (1 + 0.9 * torch.cos(2 * z))

figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10.0, 3.1))
left.plot(z, p_z)
middle.plot(z, x, color="#222222")
right.plot(x, p_x)
for low, colour in ((-0.1, "#E69F00"), (1.2, "#009E73")):
    level = torch.special.ndtr(torch.tensor(low)) + 0.05  # equal mass: 5 % each
    sliver = (z >= low) & (z <= torch.special.ndtri(level))
    left.fill_between(z[sliver], p_z[sliver], color=colour, alpha=0.7)
    middle.plot(z[sliver], x[sliver], color=colour, linewidth=5, linestyle="-")
    right.fill_between(x[sliver], p_x[sliver], color=colour, alpha=0.7)
left.set(title="base density: 5 % of the mass, twice", xlabel="z", ylabel="density")
middle.set(title="the map: steep spreads, flat piles up", xlabel="z", ylabel="x = f(z)")
right.set(title="density of x: the same mass", xlabel="x", ylabel="density")
show(
    figure,
    "A normal density over z, a wavy rising map from z to x, and the density of x. "
    "Two slivers of 5 % of the mass are marked: where the map is steep, the sliver is "
    "wide and low; where it is flat, narrow and high, at one of two spikes near -1.6 "
    "and 1.6.",
)

# %% [markdown]
# **Step 2. Why the absolute value?** A length is positive even when the map turns the line round. For $x = 1 - 2z$ the derivative is
# $-2$; without the bars the "density" of a uniform $z$ would be $-\tfrac12$, and integrate to $-1$.
#
# Three maps by hand. For $z$ uniform on $[0,1]$ the density of $x = 3z + 1$ must be $\tfrac13$, that of $x = 4z + 2$ must be $\tfrac14$,
# and that of $x = 1 - 2z$ must be $\tfrac12$. The second route uses no formula: it counts which fraction of evenly spaced $z$ lands in a
# window of length 1 in the middle of the image.

# %%
z = (torch.arange(12_000) + 0.5) / 12_000
slopes, shifts = torch.tensor([3.0, 4.0, -2.0]), torch.tensor([1.0, 2.0, 1.0])
x = slopes * z[:, None] + shifts  # one column for each map
in_window = (x - (slopes / 2 + shifts)).abs() < 0.5
check(
    "three straight maps: 1/|slope| = counted density",
    1 / slopes.abs(),
    in_window.double().mean(0),
    unlike={
        "multiplied by the slope": slopes.abs().clone(),
        "no bars": slopes.reciprocal(),
    },
)

# %% [markdown]
# A map that is not a straight line has a stretch that differs from place to place. Let $x = e^z$ with $z$ normal. The formula says
# $p_X(x) = \varphi(\log x)/x$. The second route differentiates the distribution function $P(X \le x) = \Phi(\log x)$ numerically.

# %%
x, h = torch.linspace(0.2, 5, 25), 1e-5
base_density = torch.exp(-(x.log() ** 2) / 2) / math.sqrt(2 * math.pi)
slope_of_cdf = (
    torch.special.ndtr((x + h).log()) - torch.special.ndtr((x - h).log())
) / (2 * h)
check(
    "lognormal: formula = slope of the CDF",
    base_density / x,
    slope_of_cdf,
    atol=1e-8,
    unlike={"stretch forgotten": torch.exp(Normal(0.0, 1.0).log_prob(x.log()))},
)


# %% [markdown]
# May a density exceed 1? A *probability* cannot. A density can, and squeezing is how: for $x = z/10$ it is 10 on $[0, \tfrac1{10}]$, its
# negative log-likelihood is negative, and nothing is wrong. (That was question 1.)

# %%
def squeezed(log_det):
    """The density of x = z / 10 at 0.05, from the map x -> (z, its log-determinant)."""
    uniform = lambda z: torch.zeros(len(z))
    inverse = lambda x: (10 * x, torch.full((len(x),), log_det))
    return flow.flow_log_prob(uniform, inverse, torch.tensor([[0.05]])).exp().item()


counted = ((z / 10 - 0.05).abs() < 0.01).double().mean() / 0.02
check(
    "density of z / 10 = counted density",
    squeezed(math.log(10)),
    counted,
    unlike={"log-determinant subtracted": squeezed(-math.log(10))},
)


# %% [markdown]
# ## 2. Many dimensions: volume takes the place of length
#
# **Step 3. Straight maps.** A matrix $A$ carries the unit square onto a parallelogram of area $|\det A|$, so a uniform density becomes
# $1/|\det A|$ on it. For $A = \begin{pmatrix}2&0\\0&1\end{pmatrix}$ that is $\tfrac12$; for $A = \begin{pmatrix}3&1\\0&2\end{pmatrix}$ it
# is $\tfrac16$, on the parallelogram with corners $(0,0), (3,0), (4,2), (1,2)$; for $A = \begin{pmatrix}1&2\\1&-1\end{pmatrix}$, which turns
# the square over, it is $\tfrac13$. Compare the determinant with the area of the image, computed from its corners by the shoelace formula.

# %%
def shoelace(corners):
    """Area of a polygon from its corners, in order."""
    a, b = corners.T
    return 0.5 * abs(sum(a * np.roll(b, -1) - b * np.roll(a, -1)))


square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=float)
matrices = np.array(
    [[[2, 0], [0, 1]], [[3, 1], [0, 2]], [[1, 2], [1, -1]]], dtype=float
)
areas = [shoelace(square @ A.T) for A in matrices]
check(
    "three matrices: |det A| = area of the image",
    np.abs(np.linalg.det(matrices)),
    areas,
    unlike={
        "product of the diagonal": [abs(A.diagonal().prod()) for A in matrices],
        "no bars": np.linalg.det(matrices),
    },
)


# %% [markdown]
# **Step 4. Bent maps are straight when you look closely.** Near $z$ a smooth map acts as its Jacobian matrix
# $J_f(z) = \partial f / \partial z$, and a tiny cube becomes a tiny parallelepiped of volume $|\det J_f(z)|$ times as large. The
# one-dimensional argument goes through word for word:
# $$\log p_X(x) = \log p_Z(z) - \log|\det J_f(z)| = \log p_Z\big(f^{-1}(x)\big) + \log|\det J_{f^{-1}}(x)|.$$
# Two Jacobians, two signs; they are the same statement because $J_{f^{-1}}(x) = J_f(z)^{-1}$. The choice of sign goes with the choice of
# direction, and the two are easily mixed. In `genlab` one rule settles it: *a map returns the log-determinant of the direction it has
# just travelled.* `forward` goes $z \to x$, `inverse` goes $x \to z$.
#
# You have used such a flow without knowing. The Box-Muller recipe turns two uniform numbers into two normal ones,
# $x = \sqrt{-2\log u_1}\,(\cos 2\pi u_2, \sin 2\pi u_2)$. If the formula above is right, the density of $x$ must come out as exactly
# $\mathcal N(0, I)$.

# %%
def box_muller(u):
    radius = torch.sqrt(-2 * torch.log(u[:, 0]))
    return torch.stack(
        [
            radius * torch.cos(2 * math.pi * u[:, 1]),
            radius * torch.sin(2 * math.pi * u[:, 1]),
        ],
        1,
    )


u = 0.02 + 0.96 * torch.rand(200, 2, generator=torch.Generator().manual_seed(0))
by_flow = 0.0 - flow.dense_log_det(box_muller, u)  # log p_U = 0, minus log|det dx/du|
by_formula = Normal(0.0, 1.0).log_prob(box_muller(u)).sum(1)
check(
    "Box-Muller is a flow onto N(0, I)",
    by_flow,
    by_formula,
    atol=1e-12,
    unlike={"log-determinant added": flow.dense_log_det(box_muller, u)},
)


# %% [markdown]
# **Step 5. Stack them.** If $f = f_K \circ \dots \circ f_1$, the Jacobian is a product of matrices, the determinant of a product is the
# product of determinants, and logarithms turn that into a sum:
# $$\log|\det J_f(z)| = \sum_{k=1}^K \log|\det J_{f_k}(z_{k-1})|.$$
# So a complicated map may be assembled from simple ones, each accounting for itself. Here are three layers that you will meet
# below, with random parameters. Route one adds their own log-determinants; route two differentiates the whole composition at once.

# %%
def stirred(module, seed, spread=0.3):
    """Random parameters, so that no layer is the identity."""
    g = torch.Generator().manual_seed(seed)
    for p in module.parameters():
        p.data = spread * torch.randn(p.shape, generator=g)
    return module


d = 5
stack = [
    stirred(flow.Coupling(flow.alternating_mask(d), flow.Affine(), width=16), seed=1),
    stirred(flow.Linear(d), seed=2),
    stirred(
        flow.Coupling(flow.alternating_mask(d, 1), flow.RationalQuadratic(5), width=16),
        seed=3,
    ),
]
z = torch.randn(8, d, generator=torch.Generator().manual_seed(4))
*_, (x, added_up) = flow.push_forward(stack, z)
at_once = flow.dense_log_det(lambda z: stack[2](stack[1](stack[0](z)[0])[0])[0], z)
check(
    "log-dets of a stack add up",
    added_up,
    at_once,
    atol=1e-10,
    unlike={"every layer asked at z": sum(layer(z)[1] for layer in stack)},
)


# %% [markdown]
# **The equation as code.** Training a flow is maximum likelihood (lesson 03) with this density, so the negative log-likelihood is
# $\mathrm{NLL}(x) = -\log p_Z(z) + \log|\det J_f(z)|$. Here it is in six lines, checked against the full Jacobian of the whole inverse.

# %%
def my_log_prob(x, layers):
    log_det = 0
    for layer in reversed(layers):
        x, log_det_k = layer.inverse(x)
        log_det = log_det + log_det_k
    return (-0.5 * x**2 - 0.5 * math.log(2 * math.pi)).sum(1) + log_det


model = flow.Flow(flow.StandardNormal((d,)), stack)
x = torch.randn(8, d, generator=torch.Generator().manual_seed(5))
torch.testing.assert_close(my_log_prob(x, stack), model.log_prob(x))
base = Normal(0.0, 1.0).log_prob(model.inverse(x)[0]).sum(1)
check(
    "my log-density = base + slogdet of the inverse",
    my_log_prob(x, stack),
    base + flow.dense_log_det(lambda x: model.inverse(x)[0], x),
    atol=1e-10,
    unlike={"that slogdet subtracted": base - model.inverse(x)[1]},
)
course.show_source(flow.flow_log_prob)

# %% [markdown]
# ## 3. Determinants that you can afford
#
# The formula holds for every invertible network, and two things stop you from using just any. Someone must invert it; and the
# determinant of a $d \times d$ matrix costs $O(d^3)$, after $d$ backward passes to obtain the matrix. For a $256 \times 256$ colour image
# $d = 196{,}608$, and training would need that determinant for every image at every step.
#
# **Step 6. A triangle is enough.** If coordinate $i$ of the output depends only on coordinates $1..i$ of the input, the Jacobian is
# triangular and its determinant is the product of its diagonal: $O(d)$, and nothing off the diagonal is ever computed.

# %%
J = torch.randn(64, 64, generator=torch.Generator().manual_seed(6)).tril()
check(
    "triangular: slogdet = sum of log |diagonal|",
    torch.linalg.slogdet(J).logabsdet,
    J.diagonal().abs().log().sum(),
    atol=1e-10,
    unlike={"log of the |trace|": J.trace().abs().log()},
)

# %% [markdown]
# Everything below is a way to arrange for triangles (or, in section 7, to get away without). Four Jacobians, as pictures:

# %% jupyter={"source_hidden": true}
d = 8
layers = {
    "coupling": flow.Coupling(torch.arange(d) < d // 2, flow.Affine(), width=16),
    "MAF": flow.MAF(d, flow.Affine(), width=32),
    "six couplings": flow.real_nvp(d, n_layers=6, width=16),
    "continuous": flow.Continuous(d, width=16),
}
figure, axes = plt.subplots(1, 4, figsize=(11.0, 3.0))
z = torch.randn(1, d, generator=torch.Generator().manual_seed(7))
for ax, (name, layer) in zip(axes, layers.items(), strict=True):
    stirred(layer, seed=8, spread=0.3 if name == "six couplings" else 0.5)
    J = torch.autograd.functional.jacobian(lambda z: layer(z)[0][0], z)[:, 0]
    logs = J.abs().clamp(min=1e-12).log10()
    drawn = ax.imshow(logs, cmap="viridis", vmin=-3, vmax=0.5)
    title = f"{name}\n{int((J == 0).sum())} of {d * d} entries are 0"
    ax.set(title=title, xlabel="input j", ylabel="output i")
figure.colorbar(drawn, ax=axes, label="log10 |J|", shrink=0.8, extend="min")
show(
    figure,
    "Four Jacobians of 8 x 8 entries as colours. The coupling has a diagonal and one "
    "filled block below it, 40 zeros; the MAF a filled lower triangle, 28 zeros; six "
    "couplings and the continuous flow are full.",
)

# %% [markdown]
# The third picture is the point of stacking: every layer is triangular in some order, and their product is not. It can be as dense as it
# likes, and its determinant is still a sum of cheap terms (step 5).
#
# ## 4. Coupling: half stays, and tells the other half how to move
#
# **Step 7. Additive couplings (NICE).** Split $z$ into $z_A$ and $z_B$. Keep $z_A$; shift $z_B$ by a network that reads $z_A$:
# $$x_A = z_A, \qquad x_B = z_B + t(z_A), \qquad J = \begin{pmatrix} I & 0 \\ \partial t/\partial z_A & I\end{pmatrix}, \qquad \det J = 1.$$
# To invert, note that $x_A = z_A$ is still there: compute $t$ *again* and subtract it. The network is never inverted, so it may be any
# network. The price is that $\det J = 1$: an additive coupling moves volume about and never changes it, so no stack of them can raise a
# density above that of the base, $1/2\pi$ on the plane, however long you train.
#
# For this reason NICE (Dinh et al. 2014, section 3.3) ends in a **scaling layer**, $x_i = e^{s_i} z_i$ with one learned number $s_i$ for each
# coordinate and log-determinant $\sum_i s_i$. It stretches all of space alike. `flow.nice` is the couplings alone; the cell adds the
# scaling, and section 8 measures what it is worth. (`flow.Affine` softly limits each $s$ to $3\tanh(s/3)$; section 10 says why, and step 8 switches it off.)

# %%
additive = stirred(flow.nice(2, n_layers=6, width=32), seed=9, spread=0.4)
# parameters: shift and s of each coordinate
scaling = flow.ElementwiseLayer(flow.Affine(), (2,))
scaling.params.data = torch.tensor([[0.0, -0.5], [0.0, -0.9]])
scaled = flow.Flow(additive.base, [*additive.transforms, scaling])
points, area = plane(12.0, 600)
some = points[::30_000]
check(
    "additive couplings preserve volume",
    flow.dense_log_det(lambda z: additive(z)[0], some),
    0.0,
    unlike={"with a scaling layer": flow.dense_log_det(lambda z: scaled(z)[0], some)},
)


def highest(model):
    with torch.no_grad():
        return model.log_prob(points).exp().max().item()


check_range(
    "highest density on a grid, additive couplings",
    highest(additive),
    0.99 / (2 * math.pi),
    1 / (2 * math.pi),
    unlike={"with a scaling layer": highest(scaled)},
)


# %% [markdown]
# **Step 8. RealNVP** lets the network stretch as well, $x_B = e^{s(z_A)} \odot z_B + t(z_A)$. The diagonal of $J$ now holds $e^{s_i}$,
# so $\log|\det J| = \sum_{i \in B} s_i$; the exponential keeps every stretch positive, hence invertible *by construction*. The
# network that reads $z_A$ and gives $t$ and $s$ is called the *conditioner*. Write the layer, and compare it with the package, with its own inverse and with the full Jacobian.

# %%
def my_coupling(z, stays, net):
    z_A, z_B = z[:, stays], z[:, ~stays]
    t, s = net(z_A).unflatten(1, (-1, 2)).unbind(-1)
    x = z.clone()
    x[:, ~stays] = torch.exp(s) * z_B + t
    return x, s.sum(1)


d, stays = 6, flow.alternating_mask(6)
layer = stirred(flow.Coupling(stays, flow.Affine(limit=math.inf), width=16), seed=10)
z = torch.randn(8, d, generator=torch.Generator().manual_seed(11))
x, log_det = my_coupling(z, stays, layer.conditioner)
torch.testing.assert_close(x, layer(z)[0])
t, s = layer.conditioner(z[:, stays]).unflatten(1, (-1, 2)).unbind(-1)
check(
    "coupling: sum of s = slogdet of the Jacobian",
    log_det,
    flow.dense_log_det(lambda z: layer(z)[0], z),
    atol=1e-10,
    unlike={"sum of exp(s)": s.exp().sum(1), "mean of s": s.mean(1)},
)
wrong_order = z.clone()
wrong_order[:, ~stays] = torch.exp(-s) * x[:, ~stays] - t
check(
    "coupling: inverse(forward(z)) = z",
    layer.inverse(x)[0],
    z,
    atol=1e-12,
    unlike={"stretch undone before the shift": wrong_order.clone()},
)

# %% [markdown]
# Half of the coordinates have not moved. The next layer keeps the other half, and after two layers all have. One kernel serves both
# directions; only its elementwise map changes.

# %%
course.show_source(flow.couple)

# %% [markdown]
# Build one by hand. Four affine couplings in the plane, $s(u) = a\cos 1.2u$ and $t(u) = b\sin 1.2u$ of the coordinate $u$ that stays; each pad
# below the pictures holds one layer's $a$ (across) and $b$ (up and down). Questions before you press play: with *shifts alone*, can any place
# become denser than the middle of the bell was, 0.159? With *two moons*, what has happened to the area where the density is high?

# %% tags=["keep-output"]
widgets.flow_grid()


# %% [markdown]
# <details><summary>The answer</summary>
#
# Shifts bend the grid and change no area: it stays without colour, the mark says × 1.00 wherever you put it, and 0.159 remains the maximum. Scales
# change area: blue cells have shrunk, orange ones have grown, and the density moves by the inverse factor. In the two moons the area at the mark is
# multiplied by 0.53, so the density by 1.90. A bridge between the moons stays: a continuous map with a continuous inverse cannot tear the plane.
# </details>

# %% [markdown]
# ## 5. Autoregressive flows: who is fast, and in which direction
#
# **Step 9.** Lesson 02's idea, continuous. Let the shift and stretch of coordinate $i$ read the coordinates before it. But before it in
# *which* vector, the data or the noise? Both give a triangle, and two different models, the **masked autoregressive flow** (MAF) and the
# **inverse autoregressive flow** (IAF):
# $$\text{MAF:}\quad x_i = t_i(x_{<i}) + e^{s_i(x_{<i})} z_i, \qquad\qquad \text{IAF:}\quad x_i = t_i(z_{<i}) + e^{s_i(z_{<i})} z_i .$$
# In both the diagonal of $\partial x/\partial z$ holds $e^{s_i}$, so $\log|\det \partial x/\partial z| = \sum_i s_i$. MAF *is* lesson 02 with
# Gaussian conditionals: given $x_{<i}$, the next coordinate is normal with mean $t_i$ and standard deviation $e^{s_i}$. What you may compute in
# one go follows from what the parameters read:
#
# | | parameters read | given $x$, score it | given $z$, sample |
# |---|---|---|---|
# | MAF | $x_{<i}$ | everything is there: one evaluation | $x_1$, then $x_2$, ...: $d$ evaluations |
# | IAF | $z_{<i}$ | $z_1$, then $z_2$, ...: $d$ evaluations | everything is there: one evaluation |
#
# The cell counts how often the network runs, and how many backward passes autograd makes, while each flow draws or scores a batch of
# 64-dimensional points; the size of the batch does not matter. Question 2 again: what did you write for RealNVP and for MAF? The last row
# is section 7's continuous flow, which moves points with an ODE solver. To draw samples it has only the points to move. To score it also
# needs a trace, and that is where its backward passes come from (step 11).

# %%
def work(network, run):
    """Evaluations of `network`, and backward passes, while `run()` works."""
    calls, grad = [], torch.autograd.grad
    handle = network.register_forward_hook(lambda *_: calls.append(1))
    with mock.patch("torch.autograd.grad", side_effect=grad) as backward:
        run()
    handle.remove()
    return len(calls), backward.call_count


# %%
d = 64
z = torch.randn(256, d, generator=torch.Generator().manual_seed(12))
ode = flow.Continuous(d, n_steps=8)
v = lambda t, x: ode.velocity()(x, t.expand(len(x)))
contenders = {
    "coupling": flow.Coupling(flow.alternating_mask(d), flow.Affine()),
    "MAF": flow.MAF(d, flow.Affine()),
    "IAF": flow.IAF(d, flow.Affine()),
}
counts = {}
with torch.no_grad():
    for name, layer in contenders.items():
        net = layer.conditioner
        counts[name] = work(net, lambda: layer(z))
        counts[name] += work(net, lambda: layer.inverse(z))
    draw = lambda: last(rk4(v, z, torch.linspace(1, 0, 9)))  # the points alone
    scored = work(ode.net, lambda: ode.inverse(z))
    counts["continuous, 8 RK4 steps"] = work(ode.net, draw) + scored
print(f"{'':<24}      to sample             to score")
print(f"{'':<24}" + "  evaluations  backward" * 2)
for name, row in counts.items():
    print(f"{name:<24}  {row[0]:>11}  {row[1]:>8}  {row[2]:>11}  {row[3]:>8}")
counted = torch.tensor(list(counts.values()))
check(
    "the table above, counted",
    counted,
    [[1, 0, 1, 0], [d, 0, 1, 0], [1, 0, d, 0], [4 * 8, 0, 4 * 8, 4 * 8 * d]],
    unlike={"MAF and IAF exchanged": counted[[0, 2, 1, 3]]},
)

# %% [markdown]
# So a flow does not always sample with one network evaluation: couplings and IAF do; MAF needs as many as there are dimensions, one after another,
# and a continuous flow as many as its solver takes. Which of MAF and IAF should you pick? Maximum likelihood scores data at every training step, so
# MAF, which scores with one evaluation, trains fast and samples slowly. IAF is the reverse.
#
# Three checks: the determinants of both; that MAF's density is the product of its Gaussian conditionals; and MAF's sampler on a hand-made
# example, $x_1 = 1 + 2z_1$ and $x_2 = x_1 + 3z_2$.

# %%
z = torch.randn(8, 6, generator=torch.Generator().manual_seed(14))
for name, kind in (("IAF", flow.IAF), ("MAF", flow.MAF)):
    layer = stirred(kind(6, flow.Affine(), width=32), seed=13)
    x, log_det = layer(z)
    torch.testing.assert_close(layer.inverse(x)[0], z)
    check(
        f"{name}: log-det = slogdet of the Jacobian",
        log_det,
        flow.dense_log_det(lambda z: layer(z)[0], z),
        atol=1e-10,
        unlike={"of the other direction": layer.inverse(x)[1]},
    )
t, s = layer.conditioner(x).unbind(-1)  # of MAF, which reads x
s = 3 * torch.tanh(s / 3)  # the clamp of flow.Affine (section 10)
check(
    "MAF: log-density = sum of normal conditionals",
    flow.Flow(flow.StandardNormal((6,)), [layer]).log_prob(x),
    Normal(t, s.exp()).log_prob(x).sum(1),
    atol=1e-10,
    unlike={"variance exp(s)": Normal(t, (s / 2).exp()).log_prob(x).sum(1)},
)


def by_hand(x):  # parameters of coordinate 1: (1, log 2); of coordinate 2: (x_1, log 3)
    shift = torch.stack([torch.ones(len(x)), x[:, 0]], 1)
    return torch.stack([shift, torch.tensor([2.0, 3.0]).log().expand(len(x), 2)], 2)


move, z = flow.Affine(math.inf).forward, torch.tensor([[0.5, 1.0]])
x, log_det = last(flow.sequential(move, by_hand, z))
check(
    "MAF by hand: z = (0.5, 1) goes to x = (2, 5)",
    x,
    [[2.0, 5.0]],
    unlike={"parameters read z": flow.one_pass(move, by_hand, z)[0]},
)

# %% [markdown]
# ## 6. Splines: a better elementwise map
#
# **Step 10.** Coupling and MAF say *who sets the parameters*; nothing obliges the moving part to be a straight line. Any increasing
# function of one variable with a known slope and a known inverse will do. Put knots at $(z^k, x^k)$ with slopes $\delta^k > 0$; within a
# bin of width $w$ and height $h$, with $s = h/w$ and $\xi = (z - z^k)/w$, a ratio of two quadratics joins them:
# $$x = x^k + \frac{h\,[s\,\xi^2 + \delta^k\,\xi(1-\xi)]}{s + [\delta^{k+1} + \delta^k - 2s]\,\xi(1-\xi)},\qquad
# \frac{dx}{dz} = \frac{s^2\,[\delta^{k+1}\xi^2 + 2s\,\xi(1-\xi) + \delta^k(1-\xi)^2]}{(s + [\delta^{k+1}+\delta^k-2s]\,\xi(1-\xi))^2}.$$
# At the knots it takes the values $x^k$ and the slopes $\delta^k$. In between the slope is positive whatever the knots: its numerator is a
# sum of positive terms, and the denominator is the square of $s[1 - 2\xi(1-\xi)] + (\delta^k + \delta^{k+1})\,\xi(1-\xi)$, which is positive because
# $\xi(1-\xi) \le \tfrac14$. Solving for $\xi$ means solving a quadratic. Outside $[-B, B]$ the map is the identity. The checks: the slope against
# autograd, values and slopes at the knots, and the inverse against sixty halvings of an interval.

# %%
raw = 0.7 * torch.randn(
    14, generator=torch.Generator().manual_seed(15)
)  # 5 widths, 5 heights, 4 slopes
knots = flow.spline_parameters(raw, bound=3.0)


def spline(z, way=flow.rq_spline_forward):
    return way(z, *(k.expand(len(z), -1) for k in knots))


z = torch.linspace(-3, 3, 60_001).requires_grad_()
x, log_slope = spline(z)
w, h, slopes = knots
at_z, at_x = (torch.cat([torch.tensor([-3.0]), k.cumsum(0) - 3]) for k in (w, h))
secant = (h / w)[torch.bucketize(z.detach(), at_z[1:-1])]
check(
    "slope of the spline = autograd's",
    log_slope.exp(),
    torch.autograd.grad(x.sum(), z)[0],
    atol=1e-9,
    unlike={"the secant h/w of each bin": secant.clone()},
)
x, log_slope = spline(at_z)
check(
    "at the knots: its values and its slopes",
    torch.stack([x, log_slope.exp()]),
    torch.stack([at_x, slopes]),
    atol=1e-9,
    unlike={"widths and heights exchanged": torch.stack([at_z, slopes])},
)

# %%
target = torch.linspace(-2.9, 2.9, 50)
low, high = torch.full((50,), -3.0), torch.full((50,), 3.0)
for _ in range(60):
    half = (low + high) / 2
    below = spline(half)[0] < target
    low, high = torch.where(below, half, low), torch.where(below, high, half)
check(
    "inverse of the spline = bisection",
    spline(target, flow.rq_spline_inverse)[0],
    low,
    atol=1e-10,
    unlike={"forward once more": spline(target)[0]},
)

# %% jupyter={"source_hidden": true}
wide = torch.linspace(-4, 4, 801)
x, log_slope = spline(wide)
figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.2))
left.plot(wide, x)
left.plot(at_z, at_x, "o", color="#D55E00", label="knots")
left.plot(wide, wide, color="#999999", linewidth=1, linestyle=":", label="identity")
left.set(title="a rational-quadratic spline", xlabel="z", ylabel="x")
left.legend(loc="upper left")
base = torch.exp(-(wide**2) / 2) / math.sqrt(2 * math.pi)
right.plot(wide, base, label="base: normal")
right.plot(x, base * torch.exp(-log_slope), label="after the spline")
right.set(title="what it does to a normal density", xlabel="value", ylabel="density")
right.set_ylim(0, 0.95)
right.legend(loc="upper center", ncols=2, fontsize=9)
show(
    figure,
    "Left: a rising spline through six knots, steep in some bins and flat in others, "
    "equal to the identity outside -3 to 3. Right: a normal density becomes one with "
    "four bumps, two of them sharp where the spline is flat.",
)

# %% [markdown]
# ## 7. Continuous flows: no triangle at all
#
# **Step 11.** Take a step so small that it cannot fold anything: $x \mapsto x + h\,v(x)$. Its Jacobian is $I + h\,\partial v/\partial x$,
# and $\log\det(I + hM) = h\,\mathrm{tr}\,M + O(h^2)$. Make the steps infinitely many and the sum of log-determinants becomes an integral of a
# trace, the divergence $\nabla\cdot v = \mathrm{tr}\,\partial v/\partial x$. Along a path the density thins out as fast as the flow spreads its
# points (this is a **continuous normalizing flow**):
# $$\frac{dx_t}{dt} = v(x_t, t), \qquad \frac{d}{dt}\log p_t(x_t) = -\nabla\cdot v(x_t, t).$$
# Time runs as everywhere in this course, with data at $t = 0$ and noise at $t = 1$. Integrate from 0 to 1 and solve for the data's end:
# $$\log p_0(x_0) = \log p_1(x_1) + \int_0^1 \nabla\cdot v(x_t, t)\,dt .$$
# Read the sign: where the way to the noise spreads the points, the data were denser than the noise is. For a linear velocity $v = Mx$
# everything is known: $x_0 = e^{-M} x_1$, so $x_0$ is normal with covariance $e^{-M} e^{-M^\top}$.

# %%
M = torch.tensor([[0.5, 1.0], [-0.7, -1.1]])
z = torch.randn(8, 2, generator=torch.Generator().manual_seed(16))
x, _ = flow.ride(lambda x, t: x @ M.T, z, torch.linspace(1, 0, 201))
check(
    "linear velocity: x_0 = expm(-M) x_1",
    x,
    z @ torch.matrix_exp(-M).T,
    atol=1e-8,
    unlike={"time not reversed": z @ torch.matrix_exp(M).T},
)
shrink = torch.matrix_exp(-M)
data_law = torch.distributions.MultivariateNormal(torch.zeros(2), shrink @ shrink.T)
noise = Normal(0.0, 1.0).log_prob(z).sum(1)
check(
    "linear velocity: log p_0 = log p_1 + integral",
    noise + M.trace(),
    data_law.log_prob(x),
    atol=1e-8,
    unlike={"minus the integral": noise - M.trace()},
)

layer = stirred(flow.Continuous(2, width=16), seed=17, spread=0.6)
velocity = layer.velocity()
ride = lambda z: flow.ride(velocity, z, torch.linspace(1, 0, 97))
at_start = exact_divergence(lambda x: velocity(x, torch.ones(len(x))), z)[1]
check(
    "integrated trace = slogdet of the whole ride",
    ride(z)[1],
    flow.dense_log_det(lambda z: ride(z)[0], z),
    atol=1e-6,  # solver error
    unlike={"the trace at the start for all times": at_start.neg()},
)


# %% [markdown]
# **What the trace costs.** The $O(d^3)$ determinant is gone, but the trace is not free: each of its $d$ terms $\partial v_j/\partial x_j$
# needs a backward pass of its own, and no cheaper exact way is known for a general network. Section 5 counted
# $4 \cdot 8 \cdot 64 = 2{,}048$ backward passes to score one batch.
#
# **Hutchinson's estimate** (Hutchinson 1990) replaces the $d$ backward passes of each evaluation by one. Take a random vector $\epsilon$ whose coordinates are independent with mean 0 and variance 1, so
# that $\mathbb E[\epsilon_i\epsilon_j]$ is 1 for $i = j$ and 0 otherwise. Then
# $$\mathbb E\big[\epsilon^\top J\,\epsilon\big] = \sum_{ij} J_{ij}\,\mathbb E[\epsilon_i\epsilon_j] = \mathrm{tr}\,J ,$$
# and the row $\epsilon^\top J$ is what a single backward pass returns. The estimate is unbiased, and its noise averages out over the batches of a
# training run. This is how FFJORD trains continuous flows on images.

# %%
def one_probe(v, x, eps):
    """An unbiased estimate of the divergence of v at x, by one backward pass."""
    x = x.requires_grad_()
    (row,) = torch.autograd.grad(v(x), x, eps)  # eps^T J
    return (row * eps).sum(1)


layer = stirred(flow.Continuous(8, width=16), seed=18, spread=0.6)
v = lambda x: layer.velocity()(x, torch.ones(len(x)))
x = torch.randn(1, 8, generator=torch.Generator().manual_seed(19))
J = torch.autograd.functional.jacobian(lambda x: v(x)[0], x)[:, 0]
g = torch.Generator().manual_seed(20)
signs, uniform = (
    2.0 * torch.randint(2, (20_000, 8), generator=g) - 1,
    torch.rand(20_000, 8, generator=g),
)
many = x.expand(20_000, 8).clone()
check_close_mc(
    "Hutchinson's estimate, 20,000 probes",
    one_probe(v, many, signs),
    J.trace().item(),
    unlike={"probes of variance 1/3": one_probe(v, many, 2 * uniform - 1)},
)

# %% [markdown]
# ## 8. Training: two moons, six flows
#
# The data are two interleaved half circles with a blur, whose density we know, and with it the entropy $H = -\mathbb E\log p$. By lesson
# 03 the NLL of a model exceeds $H$ by exactly $\mathrm{KL}(p\,\|\,\text{model})$, so each flow gets a score in nats whose zero means
# perfect. Watch the spline flow train.

# %%
torch.set_default_dtype(torch.float32)
moons = Moons()
g = torch.Generator().manual_seed(4)
train, held_out = moons.sample(20_000, generator=g), moons.sample(5_000, generator=g)
entropy = -moons.log_prob(held_out).mean().item()


def training(model, data, n_steps=300, lr=6e-3):
    """A training run, step by step: nothing happens until its records are consumed."""
    g = torch.Generator().manual_seed(4)
    return fit(
        model,
        minibatches(data, 256, generator=g),
        n_steps=n_steps,
        lr=cosine(lr, n_steps, warmup=20),
        clip=10.0,
    )


torch.manual_seed(4)
spline_flow = flow.coupling_flow(2, flow.RationalQuadratic(8, bound=3.0), n_layers=4)
records = widgets.watch(
    training(spline_flow, train, n_steps=400, lr=8e-3), total=400, label="NLL (nats)"
)


# %%
def gap(model):
    with torch.no_grad():
        return -model.log_prob(held_out).mean().item() - entropy


def nice(d, n_layers):
    """Additive couplings and, last, the scaling layer of step 7."""
    couplings = flow.nice(d, n_layers=n_layers)
    scaling = flow.ElementwiseLayer(flow.Affine(), (d,))
    return flow.Flow(couplings.base, [*couplings.transforms, scaling])


recipes = {  # model, steps, learning rate
    "additive couplings alone": (lambda: flow.nice(2, n_layers=8), 200, 6e-3),
    "NICE: the same, scaled": (lambda: nice(2, n_layers=8), 200, 6e-3),
    "RealNVP": (lambda: flow.real_nvp(2, n_layers=8), 200, 6e-3),
    "MAF, 8 layers": (lambda: flow.masked_flow(flow.MAF, 2, n_layers=8), 250, 1e-2),
    "continuous": (lambda: flow.continuous_flow(2, n_steps=3), 150, 2e-2),
}
rivals = {}
for name, (make, n_steps, lr) in recipes.items():
    torch.manual_seed(4)
    rivals[name] = make()
    list(training(rivals[name], train, n_steps, lr))
rivals["splines, 4 layers"] = spline_flow
gaps = {name: gap(rival) for name, rival in rivals.items()}
for name in rivals:
    print(f"KL(moons || {name}): ~{gaps[name]:.2f} nats")

# %%
start = gap(flow.nice(2, n_layers=8))  # untrained: the base itself
check_range(
    "additive couplings alone",
    gaps["additive couplings alone"],
    0.85,
    1.2,
    unlike={"untrained": start},
)
check_range(
    "NICE: what the scaling layer takes off, nats",
    gaps["additive couplings alone"] - gaps["NICE: the same, scaled"],
    0.12,
    0.5,
    unlike={"off an untrained flow": start - gap(nice(2, n_layers=8))},
)
check_range(
    "splines",
    gaps["splines, 4 layers"],
    0.03,
    0.13,
    unlike={"RealNVP": gaps["RealNVP"]},
)

# %% [markdown]
# Additive couplings trail because they cannot raise a density (step 7): the moons are thinner than a normal, and to get rid of the rest such a
# flow hides mass in long threads far away. A scaling layer of two useful numbers removes a good part of that. What does RealNVP's *local*
# stretch add? The first three flows had the same 200 steps, and at such a budget single runs go both ways. Over three training seeds the KL is, in nats
# (`python benchmarks/flows.py moons`, see docs/measurements.md):
#
# | steps | additive couplings | NICE, with scaling | RealNVP |
# |---|---|---|---|
# | 200 | 0.98 | 0.69 | 0.55 |
# | 300 | 0.85 | 0.45 | 0.49 |
# | 600 | 0.80 | 0.24 | 0.18 |
# | 2,000 | 0.77 | 0.15 | 0.07 |
#
# Additive couplings stall near 0.77. One stretch for all of space removes most of that, and a stretch that differs from place to place
# halves the rest, given time: at 2,000 steps RealNVP is ahead in all three seeds.
#
# Next a test for which you need not know the true density: *a density integrates to one.* It uses the inverse and the log-determinant and nothing else, and a
# wrong sign in either would show. The cell prints the four totals in the order in which the models were trained, and the splines' on a finer lattice.

# %%
points, area = plane(4.0, 200)
totals, wrong_sign = [], []
for name, rival in rivals.items():
    if name.startswith(("additive", "NICE")):
        continue  # their threads leave every window
    with torch.no_grad():
        z, log_det = rival.inverse(points)
        for sign, sums in ((1, totals), (-1, wrong_sign)):
            log_p = rival.base.log_prob(z) + sign * log_det
            sums.append((log_p.exp().double().sum() * area).item())
print("integrals:", "  ".join(f"~{total:.3f}" for total in totals))
finer, area = plane(4.0, 400)  # does it recover what the splines' total misses?
with torch.no_grad():
    parts = [
        spline_flow.log_prob(part).exp().double().sum() for part in finer.split(20_000)
    ]
print(f"splines, on a lattice twice as fine: ~{float(sum(parts)) * area:.4f}")
check(
    "integrals of the other four densities",
    totals,
    1.0,
    atol=0.01,
    unlike={"log-determinant subtracted": wrong_sign},
)

# %% jupyter={"source_hidden": true}
points, area = plane(3.0, 160)
shown = {"truth": moons} | {
    k: rivals[k] for k in ("additive couplings alone", "RealNVP", "splines, 4 layers")
}
figure, axes = plt.subplots(1, 4, figsize=(11.0, 3.0), sharey=True)
for ax, (name, rival) in zip(axes, shown.items(), strict=True):
    with torch.no_grad():
        image = rival.log_prob(points).exp().reshape(160, 160)
    look = {"extent": (-3, 3, -3, 3), "vmax": 0.75, "interpolation": "nearest"}
    drawn = ax.imshow(image, origin="lower", **look)
    ax.set(title=f"{name}", xlabel="first coordinate")
axes[0].set_ylabel("second coordinate")
figure.colorbar(drawn, ax=axes, label="density", shrink=0.8, extend="max")
show(
    figure,
    "Densities in the plane: the truth, two thin interleaved arcs; additive couplings "
    "alone, one broad bent cloud; RealNVP, two arcs joined by a smear; four spline "
    "layers, two separate arcs as in the truth.",
)

# %% [markdown]
# How does one Gaussian become two moons? **Before you move the slider:** each layer moves only one of the two coordinates. After how many
# of the four layers will the density have a bend in it? After how many will there be two arms?

# %% tags=["keep-output"]
widgets.flow_warp(spline_flow)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    g = torch.Generator().manual_seed(1)
    z = flow.StandardNormal((2,)).sample(250, generator=g)
    states = [state for state, _ in flow.push_forward(spline_flow.transforms, z)]
origin = np.where(z[:, 0] < 0, "#0072B2", "#E69F00")


def at(state, title):
    """The 250 points as one frame."""
    figure, ax = plt.subplots(figsize=(4.2, 4.2))
    ax.scatter(*state.T, s=9, c=origin, linewidths=0)
    ax.set(xlim=(-3.2, 3.2), ylim=(-3.2, 3.2), aspect="equal", title=title)
    ax.set(xlabel="first coordinate", ylabel="second coordinate")
    return figure


def frames():
    """To sample, forwards through the layers; to score, back, twice as fast."""
    yield from [at(states[0], "base")] * 2
    for k, (old, new) in enumerate(itertools.pairwise(states), 1):
        which = ("first", "second")[int((new != old).sum(0).argmax())]
        for s in (0.33, 0.67):
            state = old + s * (new - old)
            yield at(state, f"to sample: layer {k} moves the {which} coordinate")
        yield from [at(new, f"after layer {k}")] * (4 if k == 4 else 2)
    for k in range(4, 0, -1):
        for s in (0.5, 0.0):
            state = states[k - 1] + s * (states[k] - states[k - 1])
            yield at(state, f"to score: layer {k} undone")


film(
    frames(),
    "Two hundred and fifty points of a round normal cloud, blue where they start on "
    "the left and orange on the right, move through four layers, up or down in layers "
    "1 and 3 and sideways in 2 and 4, and become two interleaved arcs, each of both "
    "colours; then they go the same way back.",
    seconds=7,
    width=380,
)

# %% [markdown]
# <details><summary>The answer</summary>
#
# Layer 1 keeps the first coordinate and moves the second, so from then on a density can bend: the spread of the points above and below
# already depends on how far left or right they are. Two arms need one bend in each coordinate at least. Here they begin to show after
# the third layer, and the fourth, which moves the first coordinate once more, pulls them apart. The colours tell where in the base each point came from:
# each arm is made of both halves of the base.
# </details>
#
# ## 9. Images are whole numbers
#
# A pixel of our digits takes one of $L = 17$ levels. A density fitted to such data can be made arbitrarily high, as section 10 shows on purpose. The way out
# is to ask the density only for the probability of a whole *bin*.
#
# **Step 12. Dequantise.** Spread level $x$ over its bin, $y = (x + u)/L$ with $u$ uniform on $[0,1)^D$, and fit a density $p$ to $y$. It
# defines an honest discrete model, and Jensen's inequality (the logarithm is concave) bounds its likelihood:
# $$\log P(x) = \log\int_{[0,1)^D} p\Big(\tfrac{x+u}{L}\Big) L^{-D}\,du \;\ge\; \mathbb E_u\Big[\log p\Big(\tfrac{x+u}{L}\Big)\Big] - D\log L.$$
# The constant is the volume of a bin: $64 \log_2 17$ bits for an image, 4.087 for each pixel. In bits per dimension
# $\big(\mathrm{NLL} + 64\log 17\big)/(64 \log 2)$ is in the unit of lesson 02, and an *upper bound* on bits.
#
# Check it where everything is known: $y = \sigma(1.2 z + 0.3)$ in one dimension with $L = 5$. The probability of a bin is a difference of
# normal CDFs, in closed form. The bound is an integral over $u$, by quadrature.

# %%
torch.set_default_dtype(torch.float64)
L, scale, shift = 5, 1.2, 0.3
edges = torch.logit(torch.arange(L + 1) / L)
exact = torch.special.ndtr((edges - shift) / scale).diff().log()

u = (torch.arange(20_000) + 0.5) / 20_000
y = (torch.arange(L)[:, None] + u) / L  # (level, u)
z = (torch.logit(y) - shift) / scale
log_p = (
    -(z**2) / 2
    - 0.5 * math.log(2 * math.pi)
    - math.log(scale)
    - y.log()
    - torch.log1p(-y)
)
uniform_bound = log_p.mean(1) - math.log(L)
check(
    "average of p over a bin, times its width = P(x)",
    log_p.exp().mean(1) / L,
    exact.exp(),
    atol=1e-8,
    unlike={"width of the bin forgotten": log_p.exp().mean(1)},
)
print("level            ", "  ".join(f"{k:>7}" for k in range(L)))
for name, row in (
    ("exact log P(x)", exact),
    ("uniform bound", uniform_bound),
    ("gap, nats", exact - uniform_bound),
):
    print(f"{name:<17}", "  ".join(f"{v:7.4f}" for v in row.tolist()))


# %% [markdown]
# **Step 13. Choose the noise.** Nothing forced $u$ to be uniform. For any density $q(u \mid x)$ that is positive on the whole bin,
# $$\log P(x) \;\ge\; \mathbb E_{q}\Big[\log p\Big(\tfrac{x+u}{L}\Big) - D\log L - \log q(u\mid x)\Big],$$
# with equality when $q$ is proportional to $p$ across the bin. **Variational dequantisation** learns $q$, as a small flow conditioned on the
# image; it starts out as uniform noise, and the best $q$ of that family is at least as good. (Lesson 05 builds a whole family of models on this inequality.)
# In the same example, take for each level the best *logit-normal* $q$, the distribution of $u = \sigma(m + s\,e)$ with $e$ standard normal, found by a grid search over $m$ and $s$, and measure what is left of the gap on average over the
# levels. (This family does not contain uniform noise, so it may lose a little at levels where uniform noise was nearly perfect.)

# %%
def learned_bound(level, m, s):
    """The bound with u = sigmoid(m + s e), by quadrature over e."""
    e = torch.linspace(-8, 8, 801)
    weight = torch.exp(-(e**2) / 2) / math.sqrt(2 * math.pi) * (e[1] - e[0])
    v = m + s * e
    y = (level + torch.sigmoid(v)) / L
    z = (torch.logit(y, eps=1e-15) - shift) / scale
    log_p = (
        -(z**2) / 2
        - 0.5 * math.log(2 * math.pi)
        - math.log(scale)
        - y.log()
        - torch.log1p(-y)
    )
    log_slope = -torch.nn.functional.softplus(v) - torch.nn.functional.softplus(-v)
    log_q = -(e**2) / 2 - 0.5 * math.log(2 * math.pi) - math.log(s) - log_slope
    return (weight * (log_p - math.log(L) - log_q)).sum().item()


best = torch.tensor(
    [
        max(
            learned_bound(k, m, s)
            for m in np.linspace(-2, 2, 21)
            for s in (0.8, 1.1, 1.4, 1.7)
        )
        for k in range(L)
    ]
)
check_range(
    "mean gap of the best bound, nats",
    (exact - best).mean(),
    0.0,
    0.03,
    digits=4,
    unlike={"uniform bound": (exact - uniform_bound).mean()},
)

# %% [markdown]
# **Step 14. The digits.** The flow is a stack: four spline couplings, each followed by a learned linear map
# (`flow.Linear`, a product of two triangles), and last a fixed layer that carries each coordinate onto the histogram of its pixel,
# $y_j = F_j^{-1}(\Phi(z_j))$. That last layer is step 1 and nothing else, and it makes a clean bet: with the other layers untrained
# the flow *is* the pixel histogram of lesson 02, in the same bits, so whatever training gains is what pixels know about each other.
# ($F_j$ is the distribution function of pixel $j$'s histogram, piecewise linear.) `model` is this flow with its noise $u$, and `model.elbo`
# (evidence lower bound, lesson 05) the bound of step 12 in nats, with one draw of $u$ for each image.

# %%
torch.set_default_dtype(torch.float32)
train, val, test = (
    load_digits(part).images.flatten(1) for part in ("train", "val", "test")
)


def bits(model, x, draws=8, seed=0):
    """Bits per dimension of each image, one row for each draw of the noise."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        bounds = torch.stack([model.elbo(x, generator=g) for _ in range(draws)])
    return -bounds / (64 * math.log(2))


recipe = find("digit_flow")
model = recipe.untrained()
histogram = coverage.pixel_histogram(train, val, test)
with torch.no_grad():  # one image, by hand: its density on [0, 1]^64, then the constant
    nll = -model.flow.log_prob((test[:1] + 0.5) / 17).item()
by_hand = (nll + 64 * math.log(17)) / (64 * math.log(2))
table = flow.pixel_histograms(train, 17).log2()[torch.arange(64), test[0]]
check(
    "untrained flow, image 0 = its histogram bits",
    round(by_hand, 3),
    round(-table.mean().item(), 3),
    atol=2e-3,
    unlike={"64 log 17 forgotten": bits_per_dim(torch.tensor(nll), 64)},
)
untrained_bits = bits(model, test).mean()

# %%
records = widgets.watch(
    recipe.train(model, train), total=400, label="minus the bound (nats)"
)

# %% [markdown]
# Now the noise. The flow is frozen, and a small conditioned flow learns where in its bin each pixel should lie. Any improvement is
# a tightening of the bound and nothing else, because the density has not moved. The gain is small, so it is measured with care: the
# untrained noise flow *is* uniform noise, and handing both the same draws lets the luck of the draw cancel.

# %%
for p in model.flow.parameters():
    p.requires_grad_(False)
torch.manual_seed(4)
learned = flow.DequantisedFlow(
    model.flow, flow.VariationalNoise(64, 17, flow.Affine()), levels=17
)
uniform_bits = bits(learned, test, draws=16)  # before training: u is uniform
g = torch.Generator().manual_seed(4)
noise_run = fit(
    learned,
    minibatches(train, 128, generator=g),
    n_steps=120,
    lr=cosine(5e-3, 120, warmup=40),
    generator=g,
    clip=50.0,
)
list(noise_run)
learned_bits = bits(learned, test, draws=16)
averaged = -flow.tightened_bound(-uniform_bits * 64 * math.log(2)) / (64 * math.log(2))

# %%
check_range(
    "uniform dequantisation, test bits per dim",
    uniform_bits.mean(),
    1.88,
    1.97,
    unlike={"untrained": untrained_bits},
)
gain = uniform_bits.mean(0) - learned_bits.mean(0)
check_range("gain of learned noise, bits per dim", gain.mean(), 0.001, 0.01, digits=4)
check_range(
    "that gain in standard errors",
    gain.mean() / (gain.std() / len(gain) ** 0.5),
    3.0,
    60.0,
    digits=0,
)
check_range(
    "16 draws averaged inside the log",
    averaged.mean(),
    1.80,
    1.90,
    unlike={"averaged outside": uniform_bits.mean()},
)

# %% [markdown]
# The mean of 16 unbiased estimates of $P(x)$ is unbiased too and varies less, so averaging *inside* the logarithm gives a tighter bound (lesson 05). It shows
# that at least 0.06 bits per dimension of the uniform figure are *slack*, the distance between the bound and $\log P(x)$, and do not measure how well the flow fits; learned noise recovers only a little of it, 0.002. Untrained, the flow is flat within each bin and its bound exact, so slack can come only from
# the trained layers, which bend the density inside the bins; after 120 training steps this small noise flow has hardly learned that shape. In step 13 the shape inside a bin was simple, and learned noise closed nine tenths of the gap. Beside
# the histogram of lesson 02 and two simpler densities, on the same split, each density dequantised in the same way:

# %%
g = torch.Generator().manual_seed(4)
rows = [
    histogram,
    coverage.kernel_density(train, val, test, generator=g),
    coverage.gaussian_mixture(
        train,
        val,
        test,
        shapes=(("diag", 40), ("diag", 80)),
        floors=(1e-4,),
        generator=g,
    ),
    coverage.Baseline(
        "spline flow, uniform noise",
        "",
        "bound",
        bits(model, val).mean().item(),
        uniform_bits.mean().item(),
    ),
    coverage.Baseline(
        "spline flow, learned noise",
        "",
        "bound",
        bits(learned, val).mean().item(),
        learned_bits.mean().item(),
    ),
]
print("bits per dimension           kind       val      test")
for row in rows:
    sign = "= " if row.kind == "exact" else "<="
    print(f"{row.name:<29}{row.kind:<6} {sign} ~{row.val:.2f}    ~{row.test:.2f}")
check_range(
    "flow below the best baseline by, bits per dim",
    min(r.test for r in rows[:3]) - rows[3].test,
    0.4,
    0.6,
    unlike={"below the mixture": rows[2].test - rows[3].test},
)

# %% jupyter={"source_hidden": true}
model_digits = model.sample(40, generator=torch.Generator().manual_seed(2))
histograms = torch.distributions.Categorical(flow.pixel_histograms(train, 17))
independent = histograms.sample((40,))
groups = {
    "held-out digits": test,
    "samples of the flow": model_digits,
    "samples of the pixel histogram": independent,
}
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.2))
figure.get_layout_engine().set(w_pad=0.12)
for ax, (title, images) in zip(axes, groups.items(), strict=True):
    show_images(ax, images[:20].reshape(-1, 8, 8), n_columns=5, title=title)
show(
    figure,
    "Three grids of twenty images of 8 x 8 pixels: held-out digits; samples of the "
    "flow, with clumsy strokes that only sometimes make a digit; samples of the pixel "
    "histogram, clouds of speckle.",
)

# %% [markdown]
# Half a bit per pixel below the histogram, 32 bits per image, all of it dependence between pixels; and its bound is well below
# the mixture's, so far as two bounds dequantised alike may be compared, which answers question 4. The samples have strokes, if clumsy ones. Lesson 02's PixelCNN stays ahead (about 1.78) and its
# transformer is about level (1.96 on one run): a discrete softmax has no bin to dequantise, loses nothing to a bound, and need not be
# invertible. Mind the kind when you compare them: theirs are exact, this is a bound.
#
# ## 10. It fails
#
# **Failure 1: no dequantisation.** Train a density directly on the levels, $x/17$, as if they were real numbers. Before any network:
# put a normal of standard deviation $\epsilon$ on each of the 17 levels. Every halving of $\epsilon$ gains $\log 2$ nats *per pixel*, without end, and
# nothing about digits was learned.

# %%
torch.set_default_dtype(torch.float64)


def spikes(std):
    """NLL of a pixel, one of 17 equal levels, under 17 normals of this std."""
    return math.log(17) + math.log(std) + 0.5 * math.log(2 * math.pi)


levels = (torch.arange(17) + 0.5)[:, None] / 17
needles = GaussianMixture(torch.full((17,), 1 / 17), levels, torch.full((17,), 1e-6))
check(
    "std 1e-6: formula = NLL of the mixture itself",
    spikes(1e-6),
    -needles.log_prob(levels).mean(),
    unlike={"spikes twice as wide": spikes(2e-6)},
)
narrowest = bits_per_dim(torch.tensor(spikes(1e-6)), 1, levels=17)
print(f"'bits per dim' at that standard deviation: {narrowest:.2f}")

# %% [markdown]
# Minus ten bits for a pixel that needs four to write down. Now a real flow, whose training loss you would have been proud of.

# %%
torch.set_default_dtype(torch.float32)


def to_line(x, u):
    """Levels, with noise or not, near the base's own scale; a bin is 1/4 wide."""
    return (x + u) / 4 - 2


def as_bits(nll):
    return (nll + 64 * math.log(4)) / (64 * math.log(2))


curves, honest = {}, {}
for name, noisy in (("levels as they are", False), ("levels + uniform noise", True)):
    torch.manual_seed(4)
    naive = flow.coupling_flow(64, flow.Affine(), n_layers=4)
    g = torch.Generator().manual_seed(4)
    u = lambda x: torch.rand(x.shape, generator=g) if noisy else 0.5
    data = (to_line(x, u(x)) for x in minibatches(train, 128, generator=g))
    run = fit(naive, data, n_steps=300, lr=cosine(2e-2, 300, warmup=20), clip=100.0)
    curves[name] = [as_bits(record.loss) for record in run]
    with torch.no_grad():  # what the model gives to whole bins
        whole_bins = to_line(test, torch.rand(test.shape, generator=g))
        honest[name] = as_bits(-naive.log_prob(whole_bins).mean())

# %%
bare, blurred = (np.mean(curve[-10:]) for curve in curves.values())
check_range(
    "'bits per dim' trained without noise",
    bare,
    0.5,
    1.7,
    unlike={"with noise": blurred},
)
on_bins, on_bins_noisy = honest.values()
check_range(
    "asked for whole bins: trained with noise",
    on_bins_noisy,
    2.2,
    2.7,
    unlike={"trained without": on_bins},
)
check_range(
    "asked for whole bins: trained without",
    on_bins,
    6.0,
    1e6,
    digits=0,
    unlike={"trained with noise": on_bins_noisy},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(8.0, 3.2))
for name, curve in curves.items():
    ax.plot(curve, label=name)
ours = uniform_bits.mean()
ax.axhline(ours, color="#999999", linewidth=1, linestyle=":")
label = "our spline flow of section 9, honestly"
ax.text(180, ours + 0.06, label, color="#555555", fontsize=9)
ax.set(
    xlabel="step",
    ylabel="'bits per dimension'",
    title="without noise the loss only says how narrow the spikes are",
    ylim=(1, 5),
)
ax.legend(loc="upper right")
show(
    figure,
    "Training loss in bits per dimension over 300 steps: with uniform noise it levels "
    "off near 2.3, above the dotted line of the spline flow at 1.9; on the levels as "
    "they are it falls through that line to 1.3 and goes on falling.",
)

# %% [markdown]
# The plain RealNVP without noise sails past every model of this course, and it would go on sinking. Ask the same model for whole
# bins and it falls apart. The repair is step 12, one line.
#
# **Failure 2: an inverse that exists on paper only.** In exact arithmetic every scale $e^s$ is invertible. In floating point,
# $e^{s} z + t$ rounds to a spacing of about $\varepsilon\,|t|$, and undoing the scale multiplies that by $e^{-s}$. The error of a round
# trip should therefore grow like $\varepsilon\,e^{-s}$, whatever the code. A *bug* behaves otherwise: forget the inverse of the scale, and
# the error is the same in both precisions. That is how you tell rounding from a mistake, and why "floating point is inexact" may
# never be the end of an investigation.

# %%
log_scales = torch.arange(0.0, 41.0, 2.0)


def round_trip_error(s, dtype, buggy=False):
    z = torch.linspace(0.1, 0.9, 99, dtype=dtype)
    t, s = torch.ones_like(z), torch.full_like(z, -float(s))
    x, _ = flow.affine_forward(z, t, s)
    back = (x - t) if buggy else flow.affine_inverse(x, t, s)[0]
    return max(float((back - z).abs().max()), 1e-17)


# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(8.0, 3.3))
over_bound, bug_over_bound = [], []
for dtype, marker in ((torch.float32, "o"), (torch.float64, "s")):
    errors = [round_trip_error(s, dtype) for s in log_scales]
    bugs = [round_trip_error(s, dtype, buggy=True) for s in log_scales]
    name = str(dtype).removeprefix("torch.")
    look = {"marker": marker, "markersize": 4}
    ax.semilogy(log_scales, errors, label=f"{name},\ncorrect inverse", **look)
    look = {"marker": marker, "markersize": 7, "linewidth": 1}
    look |= {"markerfacecolor": "none", "label": f"{name},\nscaling not undone"}
    ax.semilogy(log_scales, bugs, **look)
    bound = torch.finfo(dtype).eps * log_scales.double().exp()
    over_bound.append((torch.tensor(errors) / bound).max())
    bug_over_bound.append((torch.tensor(bugs) / bound).max())
ax.set(
    xlabel="|log-scale|",
    ylabel="worst error of a round trip",
    ylim=(1e-17, 10),
    title="rounding depends on precision; a bug does not",
)
figure.legend(loc="outside right center", fontsize=9)
show(
    figure,
    "Worst error of a round trip against the log-scale, 0 to 40: with the correct "
    "inverse it rises along straight lines, in float32 from 1e-7 to 1 at 16, in "
    "float64 from 1e-16 to 1 at 36; with the bug it is near 1 in both precisions from "
    "2 on.",
)

# %%
check_range(
    "largest error over eps * exp(|s|)",
    max(over_bound),
    0,
    1,
    unlike={"scaling not undone": min(bug_over_bound)},
)


def digits_gained(buggy):
    """How many decimal digits a round trip gains from double precision, at s = -8."""
    types = (torch.float32, torch.float64)
    single, double = (round_trip_error(8, t, buggy) for t in types)
    return math.log10(single / double)


check_range(
    "digits gained by double precision",
    digits_gained(buggy=False),
    7.5,
    9.5,
    digits=1,
    unlike={"scaling not undone": digits_gained(buggy=True)},
)

# %% [markdown]
# At $|s| = 16$ single precision keeps one bit, at 18 nothing. The repair is to forbid such scales: `flow.Affine(limit=3)` passes the log-scale
# through $3\tanh(s/3)$, which leaves small values alone and keeps every factor between $e^{-3}$ and $e^{3}$.

# %%
wild = torch.tensor([[1.0, -40.0]]).double()  # shift 1, log-scale -40
z = torch.tensor([0.3]).double()


def there_and_back(element):
    x, _ = element.forward(z, wild)
    back, _ = element.inverse(x, wild)
    there = f"limit {element.limit}: z = 0.3  ->  x = {x.item():.6f}"
    print(f"{there}  ->  z = {back.item():.6f}")
    return back


check(
    "clamped at 3: the round trip",
    there_and_back(flow.Affine(limit=3.0)),
    z,
    atol=1e-12,
    unlike={"unclamped": there_and_back(flow.Affine(limit=math.inf))},
)

# %% [markdown]
# **Failure 3: steepness.** The data are two Gaussian islands, five units apart, with $10^{-5}$ of their mass in the channel between
# them. Can a smooth invertible map of one Gaussian get there? (Question 3.)
#
# *Exactly empty: never.* Such a map gives every point of its image a positive density, and it carries the connected plane onto something
# connected. For data whose support falls into separate components, two discs say, no flow from a Gaussian is exact (Cornish et al. 2020).
#
# *Nearly empty: yes.* A Gaussian mixture has a positive density everywhere, so its support is connected, and step 1 even names a map that
# hits it exactly. The two coordinates of our islands are independent. Let $F$ be the distribution function of the first:
# $$x_1 = F^{-1}\big(\Phi(z_1)\big), \qquad x_2 = 0.35\,z_2 .$$

# %%
torch.set_default_dtype(torch.float64)
half = torch.tensor([0.5, 0.5])
islands = GaussianMixture(
    half, torch.tensor([[-2.5, 0.0], [2.5, 0.0]]), torch.tensor([0.35, 0.35])
)


def to_base(x):
    F = 0.5 * (
        torch.special.ndtr((x + 2.5) / 0.35) + torch.special.ndtr((x - 2.5) / 0.35)
    )
    return torch.stack([torch.special.ndtri(F[:, 0]), x[:, 1] / 0.35], 1)


def by_map(x, undo):
    return Normal(0.0, 1.0).log_prob(undo(x)).sum(1) + flow.dense_log_det(undo, x)


x, _ = plane(3.5, 60)
check(
    "the exact map: its log-density = the islands'",
    by_map(x, to_base),
    islands.log_prob(x),
    atol=1e-6,
    unlike={"one island": by_map(x, lambda x: x / 0.35)},
)
at_centre = (
    1
    / math.sqrt(2 * math.pi)
    / (islands.log_prob(torch.zeros(1, 2)).exp() * 0.35 * math.sqrt(2 * math.pi))
)
print(f"slope of the exact map in the middle of the channel: {at_centre.item():.1e}")

# %% [markdown]
# So topology does not forbid this target. What it takes is a slope of $4\cdot10^{10}$, and there the trouble lies: *how steep can the map be?*
# Suppose that it stretches no distance by more than a factor $L$, and that it leaves mass $m$ in the channel and $(1-m)/2$ on each shore. The
# shores are 2 apart, so the two sets of $z$ that land on them are at least $2/L$ apart. The Gaussian isoperimetric inequality says how fast a set must
# grow: a set of mass $\Phi(a)$, widened by $r$, has at least mass $\Phi(a + r)$ (Borell 1975; Sudakov and Tsirelson 1974). Widen the one set by $2/L$; it still misses
# the other, so with $\Phi(a) = (1-m)/2$
# $$\Phi\big(a + \tfrac2L\big) \le 1 - \Phi(a) = \Phi(-a) \quad\Longrightarrow\quad a \le -\tfrac1L \quad\Longrightarrow\quad
# m \;\ge\; 2\,\Phi\big(\tfrac1L\big) - 1 \;\approx\; \frac{0.8}{L} .$$
# An affine coupling is a straight line in the coordinate that it moves, so a RealNVP becomes steep only layer by layer. A spline can be steep within
# one layer. And a base that already has two components needs no steepness at all. The bands below come from three training seeds.

# %%
torch.set_default_dtype(torch.float32)
half = torch.tensor([0.5, 0.5])
islands = GaussianMixture(
    half, torch.tensor([[-2.5, 0.0], [2.5, 0.0]]), torch.tensor([0.35, 0.35])
)
two_piece_base = GaussianMixture(
    half, torch.tensor([[-3.0, 0.0], [3.0, 0.0]]), torch.tensor([0.5, 0.5])
)
points, area = plane(5.0, 300)
channel = points[:, 0].abs() < 1


def mass_in_channel(model):
    with torch.no_grad():
        return (model.log_prob(points).exp().double() * area)[channel].sum().item()


def largest_stretch(model):
    """The largest singular value of dx/dz on a lattice of z."""
    z = plane(4.0, 200)[0].requires_grad_()
    x, _ = model(z)
    rows = [torch.autograd.grad(x[:, i].sum(), z, retain_graph=True)[0] for i in (0, 1)]
    return torch.linalg.matrix_norm(torch.stack(rows, 1), ord=2).max().item()


shores = islands.sample(10_000, generator=torch.Generator().manual_seed(5))
affine, bent = flow.Affine(), flow.RationalQuadratic(8, bound=4.0)
candidates = {}
for name, element, n_layers, base in (
    ("RealNVP, 2 layers", affine, 2, None),
    ("RealNVP, 4 layers", affine, 4, None),
    ("RealNVP, 8 layers", affine, 8, None),
    ("splines, 4 layers", bent, 4, None),
    ("RealNVP 4, two-part base", affine, 4, two_piece_base),
):
    torch.manual_seed(4)
    stacked = flow.coupling_flow(2, element, n_layers=n_layers, width=32)
    candidates[name] = flow.Flow(base or stacked.base, stacked.transforms)
    list(training(candidates[name], shores, n_steps=250))

# %%
floor = lambda L: math.erf(1 / L / math.sqrt(2))  # = 2 Phi(1 / L) - 1
mass = {name: mass_in_channel(model) for name, model in candidates.items()}
over_floor = {}
for name, model in candidates.items():
    L = largest_stretch(model)
    over_floor[name] = mass[name] / floor(L)
    print(
        f"{name:<26} stretch ~{L:<6.0f} floor ~{floor(L):.4f}   mass ~{mass[name]:.4f}"
    )
print(f"{'the data':<26} {'':<29} mass  {mass_in_channel(islands):.6f}")
bands = ((0.11, 0.25), (0.05, 0.105), (0.02, 0.045), (0.003, 0.012), (0.0, 0.001))
for k, (name, band) in enumerate(zip(mass, bands, strict=True)):
    other = list(mass)[k - 1] if k else "RealNVP, 4 layers"
    check_range(
        f"channel: {name}", mass[name], *band, digits=4, unlike={other: mass[other]}
    )
two_piece = over_floor.pop("RealNVP 4, two-part base")
check_range(
    "Gaussian base: least mass over its floor",
    min(over_floor.values()),
    1,
    100,
    digits=1,
    unlike={"two-part base": two_piece},
)

# %% [markdown]
# Read the last lines. Each flow with a Gaussian base stays above its floor, and the two-part base, to which the inequality does not
# apply, lies far below. Depth helps, and so do more steps: steepness is learned slowly. (With 3,000 steps the four-layer RealNVP leaves about one
# per cent.) Whether a thin bridge matters depends on what you need; on data with a true gap it can never vanish.

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 4, figsize=(11.0, 2.3), sharey=True)
points, _ = plane(4.0, 160)
for ax, (name, model) in zip(axes, list(candidates.items())[1:], strict=True):
    with torch.no_grad():
        image = model.log_prob(points).reshape(160, 160) / math.log(10)
    look = {"extent": (-4, 4, -4, 4), "interpolation": "nearest"}
    drawn = ax.imshow(image, origin="lower", vmin=-5, vmax=0, **look)
    ax.set(title=name, xlabel="first coordinate", ylim=(-2.5, 2.5))
axes[0].set_ylabel("second coordinate", fontsize=8)
figure.colorbar(drawn, ax=axes, label="log10 density", shrink=0.9)
show(
    figure,
    "Logarithm of four densities with two modes on a line: RealNVP with 4 and with 8 "
    "layers joins the modes by a bright curved bridge, the splines by a dimmer one; "
    "on a base of two parts the modes stand apart.",
)

# %% [markdown]
# **Failure 4: the other Jacobian.** Flip the sign of the log-determinant and train. The loss still falls. It even falls *further*, because
# stretching $x$ is now rewarded instead of charged for, without end. Fit $z = (x - m)/\sigma$ to data from $\mathcal N(2, \tfrac14)$: the
# expected NLL can never be below the entropy, $\tfrac12\log(2\pi e/4) = 0.7258$ nats. The integral shows the mistake: a density with the
# wrong sign integrates to $\sigma^2$.

# %%
torch.set_default_dtype(torch.float64)
data = 2 + 0.5 * torch.randn(4000, 1, generator=torch.Generator().manual_seed(6))
entropy = 0.5 * math.log(2 * math.pi * math.e * 0.25)
losses = {}
for name, sign in (("right sign", 1), ("wrong sign", -1)):
    m, log_sigma = (
        torch.zeros(1, requires_grad=True),
        torch.zeros(1, requires_grad=True),
    )
    optimiser = torch.optim.Adam([m, log_sigma], lr=0.05)
    losses[name] = []
    for _ in range(200):
        z, log_det = (data - m) * torch.exp(-log_sigma), -log_sigma
        loss = (0.5 * z**2 + 0.5 * math.log(2 * math.pi)).mean() - sign * log_det.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses[name].append(loss.item())
honest, flipped = (curve[-1] for curve in losses.values())
check_range(
    "NLL with the right sign",
    honest,
    entropy - 0.03,
    entropy + 0.03,
    unlike={"wrong sign": flipped},
)

sigma, x = 3.0, torch.linspace(-60, 60, 40_001)
bell = torch.exp(-((x / sigma) ** 2) / 2) / math.sqrt(2 * math.pi)
check(
    "integral of the wrong-sign density at sigma = 3",
    torch.trapezoid(bell * sigma, x),
    sigma**2,
    atol=1e-8,
    unlike={"right sign": torch.trapezoid(bell / sigma, x)},
)

# %% [markdown]
# The falling loss said nothing about the sign, and the integral did. But an integral of 1 cannot see whether sampler and density belong to
# the same map: for that you need the round trip. Keep both in your tests, in two dimensions, for every flow that you write, and the
# autograd Jacobian with them. All three are in `tests/flow`.
#
# ## Exercises
#
# Replace `...` and run the cell. If your answer is wrong, the checker names the likely mistake; `course.hint("04.stretch")` gives three hints, one
# at a time. Solutions are in `notebooks/solutions/`.
#
# **04.parallelogram** (compute). A point is uniform on the unit square. What is its density after
# $A = \begin{pmatrix}2&1\\1&3\end{pmatrix}$?

# %%
parallelogram = ...
course.exercise("04.parallelogram", parallelogram)


# %% [markdown]
# **04.stretch** (derive). $z$ is standard normal and $x = az + b$ with $a \ne 0$. Write the log-density of $x$, in nats.

# %%
def log_density(x, a, b): ...


course.exercise("04.stretch", log_density)


# %% [markdown]
# **04.log-det** (derive). A layer moves $x_i = e^{s_i} z_i + t_i$, and you are given the array of $s$, one row for each example.
# Return $\log|\det \partial z/\partial x|$: mind the direction.

# %%
def log_det_inverse(log_scale): ...


course.exercise("04.log-det", log_det_inverse)


# %% [markdown]
# **04.evaluations** (compute). How many network evaluations, one after another, does one layer need? `kind` is `"coupling"`, `"maf"` or
# `"iaf"`, `direction` is `"sample"` or `"score"`, and `d` the number of dimensions.

# %%
def evaluations_needed(kind, direction, d): ...


course.exercise("04.evaluations", evaluations_needed)


# %% [markdown]
# **04.coupling-inverse** (build). Undo $x_B = e^{s(z_A)} \odot z_B + t(z_A)$. You are given both halves of $x$ as arrays and the two networks
# as functions; return $z_B$ ($z_A$ is $x_A$).

# %%
def inverse(x_A, x_B, s, t): ...


course.exercise("04.coupling-inverse", inverse)


# %% [markdown]
# **04.bits** (build). A density on $[0,1]^D$ gives an image `nll_nats`. The image has `levels` grey levels. How many bits per dimension?

# %%
def bits_of_image(nll_nats, n_dims, levels): ...


course.exercise("04.bits", bits_of_image)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(4)

# %% [markdown]
# ## Summary
#
# 1. Mass is conserved: $p_X(x) = p_Z(z) / |\det J_f(z)|$. Stretching thins a density, squeezing raises it, past 1 if need be.
# 2. From data to base the log-determinant is *added*; from base to data, subtracted. Say which you hold.
# 3. Log-determinants of a stack add up, so complicated maps are built of simple ones.
# 4. A triangular Jacobian costs its diagonal. Couplings and masked networks are two ways to be triangular.
# 5. Additive couplings preserve volume. NICE adds one stretch for all of space, RealNVP stretches that differ from place to place, splines
#    a bend. The conditioner may be any network: it is never inverted.
# 6. MAF scores with one network evaluation and samples with $d$; IAF is the reverse; a coupling needs one for either. A continuous flow integrates a trace, at $d$ backward
#    passes for each evaluation, or one with Hutchinson's random probe.
# 7. Whole numbers need noise before a density: uniform noise gives a bound, learned noise a tighter one.
# 8. Bits per dimension $= (\mathrm{NLL} + D\log L)/(D\log 2)$: without the constant the unit is wrong.
# 9. Between islands a map from a Gaussian with largest stretch $L$ leaves at least $2\Phi(1/L) - 1 \approx 0.8/L$ of the mass (for two islands of equal mass, 2 apart). It can be made
#    small, never zero; a base of several parts needs no stretch.
# 10. Trust the integral, the autograd Jacobian and a round trip in two precisions; never a falling loss alone.
#
# **Back to your predictions.** 1: ten, and yes. 2: once, and 64 times, for each layer. 3: not exactly. Nearly, if the map is steep enough: with two layers RealNVP leaves about a sixth of
# the mass, with eight a thirtieth, and four spline layers leave less than a hundredth. 4: its bound is below all three baselines, about half a bit below the best of them
# (the histogram), though not below the PixelCNN of lesson 02.
#
# | the cheat sheet's row | objective | sampler | evaluations | $\log p(x)$ | pays with |
# |---|---|---|---|---|---|
# | normalizing flow | NLL by change of variables | $z \sim p_Z$, $x = f(z)$ | 1 (coupling, IAF), $d$ (MAF), 4 per RK4 step | exact | invertibility: no fewer dimensions, no tearing |
#
# **What production systems add.** Multi-scale stacks that retire half of the dimensions early (RealNVP, Glow), convolutional conditioners and
# $1 \times 1$ convolutions for images, Hutchinson's estimate in place of the exact trace (FFJORD), and, in the
# sciences, a condition: `cond` in every layer of `genlab.flow` turns these flows into posteriors.
#
# ## Sources
#
# - Change of variables as a model: Rezende and Mohamed 2015 (arXiv:1505.05770), eq. 5 to 7; Papamakarios et al. 2021 (arXiv:1912.02762).
# - Couplings: Dinh et al. 2014 (NICE, arXiv:1410.8516), eq. 5 to 7; Dinh et al. 2016 (RealNVP, arXiv:1605.08803), eq. 4 to 8.
# - Autoregressive: Kingma et al. 2016 (IAF, arXiv:1606.04934), eq. 10; Papamakarios et al. 2017 (MAF, arXiv:1705.07057), eq. 3 to 5.
# - Splines: Durkan et al. 2019 (arXiv:1906.04032), eq. 4 to 8. Continuous: Chen et al. 2018 (arXiv:1806.07366), eq. 8; Grathwohl et al.
#   2019 (FFJORD, arXiv:1810.01367), eq. 3, 4 and 7; Hutchinson 1990.
# - Dequantisation: Theis et al. 2015 (arXiv:1511.01844), section 3.1; Ho et al. 2019 (arXiv:1902.00275), eq. 11 and 12.
# - Separate components: Cornish et al. 2020 (arXiv:1909.13833). Isoperimetry: Borell 1975; Sudakov and Tsirelson 1974. Courses: Stanford CS236 lecture 7; Berkeley CS294-158 lecture 3.
