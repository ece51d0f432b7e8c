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
# # Flow matching: train on straight lines, follow the flow

# %% jupyter={"source_hidden": true} tags=["keep-output"]
import matplotlib.pyplot as plt
import torch
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

import genlab_course as course
from genlab_course.figures import BLUE, GREEN, ORANGE, RED, film, show, show_images

course.begin("flow_matching")
LETTERS = (BLUE, ORANGE, GREEN, RED)


def word_points(word, n, generator):
    """n random points inside the letters of a word, and the letter that each lies in."""
    points, letter, left = [], [], 0.0
    font = FontProperties(family="DejaVu Sans", weight="bold")
    for k, character in enumerate(word):
        path = TextPath((left, 0), character, size=1, prop=font)
        box = path.get_extents()
        area = torch.rand(20 * n, 2, generator=generator)
        area = area * torch.tensor(box.size) + torch.tensor(box.min)
        inside = area[torch.from_numpy(path.contains_points(area.numpy()))]
        points.append(inside[: n // len(word)])
        letter += [k] * (n // len(word))
        left = box.x1 + 0.12
    points = torch.cat(points)
    points = (points - (points.amin(0) + points.amax(0)) / 2) * 4.4 / left
    return points.float(), torch.tensor(letter)


generator = torch.Generator().manual_seed(3)
points, letter = word_points("flow", 600, generator)
pairs = torch.randint(len(points), (600,), generator=generator)
start = torch.randn(600, 2, generator=generator)


def towards(x, t):
    """The best guess of the dot that x comes from, at one time t."""
    gaps = torch.cdist(x, (1 - t) * points) ** 2
    return torch.softmax(-gaps / (2 * t**2), 1) @ points


states = [start]  # dx/dt = (x - guess) / t: along a step, exact for a guess that stays
for k in range(96, 0, -1):
    t, s = k / 96, (k - 1) / 96
    states.append(states[-1] * s / t + (1 - s / t) * towards(states[-1], t))
ends = letter[torch.cdist(states[-1], points).argmin(1)]


def clouds(k):
    """The frame at time k / 96: pairs on straight lines, and the flow."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 2.9))
    t = k / 96
    lines = (1 - t) * points[pairs] + t * start
    both = (lines, letter[pairs], "what it trains on"), (states[96 - k], ends, "what it learns")
    for ax, (x, kind, title) in zip(axes, both, strict=True):
        ax.scatter(*x.T, s=5, c=[LETTERS[i] for i in kind], linewidths=0)
        ax.set(xlim=(-2.9, 2.9), ylim=(-1.85, 1.85), title=f"{title}   t = {t:.2f}")
        ax.set(xticks=[], yticks=[])
    return figure


film(
    (clouds(k) for k in (96, 88, 80, 72, 64, 56, 48, 40, 34, 28, 22, 16, 10, 4, 0)),
    alt="Two clouds of dots go from noise to the word flow. On the left the dots run on straight "
    "lines and mix; on the right neighbours stay neighbours. The clouds look alike at each time.",
    seconds=4,
    width=620,
)

# %% [markdown]
# Both films begin with the same noise and end in the same word. On the left, each dot was paired with a random dot of the word and runs to it in a
# straight line. Dots pass through one another. On the right, all dots follow one field of arrows, so paths never cross and each colour leaves the
# noise in one piece. Now compare the two *clouds*: **at each moment they have the same distribution.**
#
# That is the theorem behind **flow matching**. It turns generation into a regression with a loss of three lines, and it is how Stable Diffusion 3,
# FLUX and Movie Gen are trained. The question of this notebook: *how can a network learn the arrows on the right when it only ever sees the lines on
# the left?*
#
# **After this notebook you will be able to**
#
# - *derive* the velocity that carries noise to data, and the theorem that makes it learnable;
# - *build* the loss and the sampler, and *train* digits with them;
# - *choose* times, pairs and solver, and *measure* what each choice buys;
# - *translate* a velocity into noise, score or a denoiser, and *say* where the translation stops.
#
# You need lesson 11 (score, Tweedie's formula), lesson 12 (a training loop for a denoiser) and lesson 13 (samplers, guidance).
# About 100 minutes, exercises included; the cells run in 40 seconds.

# %%
course.draw_map("flow_matching", slim=True)

# %% [markdown]
# ## Predict first
#
# Write down three numbers. Each question returns where it is answered.
#
# 1. Data are eight small clusters on a ring of radius 1.5. You know the perfect velocity and take **one** Euler step from noise to data. How far from
#    the centre do the samples land?
# 2. Data and noise are both standard normal numbers, so the target $\epsilon-x_0$ has variance 2. How much of it can a perfect network predict half-way,
#    at $t=\tfrac12$?
# 3. A flow is trained once more, on pairs of a noise and *the sample that it became*. How many times smaller is the bend of the new paths: 2, 10, or more than
#    50?
#
# **Which way time runs.** Data are at $t=0$ and noise at $t=1$, here as in the whole course and in Stable Diffusion 3. Lipman et al. 2023, Liu et al. 2022 and
# the libraries `torchcfm` and `flow_matching` have noise at 0 and data at 1. To translate, replace $t$ by $1-t$ and $v$ by $-v$.

# %% [markdown]
# ## 1. One field of arrows for a crowd
#
# Think of samples as a crowd of walkers. Each has a position $x_t$, which changes with a velocity $\dot x_t$. What happens to the density
# $p_t$ of the crowd?
#
# **Step 1. Watch an average.** Take any smooth function $\varphi$. By the chain rule its mean over the crowd changes at the rate
# $\frac{d}{dt}\,\mathbb E\,\varphi(x_t)=\mathbb E\big[\nabla\varphi(x_t)\cdot\dot x_t\big]$.
#
# **Step 2. Arrows.** If the velocity depends on place and time alone, $\dot x_t=v(x_t,t)$, the walkers follow an **ordinary differential equation** (ODE).
# Write both means as integrals, $\int\varphi\,\partial_tp_t=\int\nabla\varphi\cdot v\,p_t$, and integrate the right one by parts; far out $p_t$ is zero. Since
# $\varphi$ is arbitrary, what multiplies it must agree:
# $$\partial_t p_t=-\nabla\cdot(p_t\,v).$$
# This is the **continuity equation**. The flux $p_tv$ says how much crowd passes, and density falls where more flows out than in.
#
# **Step 3. Many velocities at one place.** Now let walkers run on straight lines. Draw data $x_0$ and noise $\epsilon$, and set
# $$x_t=(1-t)\,x_0+t\,\epsilon,\qquad \dot x_t=\epsilon-x_0 .$$
# Two lines can pass the same place at the same time in different directions, so no arrow at that place suits both. But step 1 needs only the *mean* velocity of
# those who are there: $\mathbb E[\nabla\varphi(x_t)\cdot\dot x_t]=\mathbb E\big[\nabla\varphi(x_t)\cdot\mathbb E[\dot x_t\mid x_t]\big]$. So step 2 goes through with the
# **marginal velocity**
# $$\boxed{\;v^*(x,t)=\mathbb E\big[\epsilon-x_0\mid x_t=x\big]\;}$$
# A second crowd that starts from the same noise and follows $v^*$ obeys the same continuity equation, which has one solution (a fact that we quote; it needs $v^*$ to be
# smooth in $x$). Hence both crowds have the same density at each time, and at $t=0$ that is the density of the data.
#
# **Step 4. What the arrow points at.** Solve $x_t$ for $\epsilon$ and insert:
# $$v^*(x,t)=\frac{x-\mathbb E[x_0\mid x_t=x]}{t}.$$
# The arrow leads away from the best guess of the clean data, at a speed that would cover the way in the time $t$. For a mixture of normals the best guess has a closed form, so
# the continuity equation can be checked.

# %%
from genlab.oracles import GaussianMixture
from genlab_course import check, check_range

torch.set_default_dtype(torch.float64)  # exact numbers first
two = torch.tensor([[-1.5], [1.0]])
line = GaussianMixture(torch.tensor([0.3, 0.7]), two, torch.tensor([0.3, 0.5]))
density = lambda x, t: line.noised(1 - t, t).log_prob(x).exp()
arrow = lambda x, t: (x - line.denoiser(x, 1 - t, t)) / t


def outflow(velocity, x, t, h=1e-4):
    """d(p v)/dx by central differences."""
    flux = [density(y, t) * velocity(y, t)[:, 0] for y in (x - h, x + h)]
    return (flux[1] - flux[0]) / (2 * h)


x, h = torch.linspace(-3, 3, 61)[:, None], 1e-4
change = [(density(x, t + h) - density(x, t - h)) / (2 * h) for t in (0.2, 0.6, 0.9)]
carried = [-outflow(arrow, x, t) for t in (0.2, 0.6, 0.9)]
by_noise = lambda x, t: (x - (1 - t) * line.denoiser(x, 1 - t, t)) / t
check("continuity equation: dp/dt = -d(p v)/dx", torch.stack(change),
      torch.stack(carried), atol=1e-5,
      unlike={"the guess of eps as velocity":
              torch.stack([-outflow(by_noise, x, t) for t in (0.2, 0.6, 0.9)])})

# %% jupyter={"source_hidden": true}
spread = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.full((2,), 0.04))
generator = torch.Generator().manual_seed(1)
noise, ends = torch.randn(60, 1, generator=generator), spread.sample(60, generator=generator)
times = torch.linspace(1, 0, 201)
path, y = [noise], noise
for t, s in zip(times[:-1].tolist(), times[1:].tolist(), strict=True):
    y = y * s / t + (1 - s / t) * spread.denoiser(y, 1 - t, t)
    path.append(y)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.1), sharey=True)
drawn = (ends[:, 0] * (1 - times[:, None]) + noise[:, 0] * times[:, None], ends), (torch.stack(path)[..., 0], y)
for ax, (lines, end), title in zip(axes, drawn, ("training lines cross", "the flow does not"), strict=True):
    for column, last in zip(lines.T, end, strict=True):
        ax.plot(times, column, color=BLUE if last > 0 else RED, linewidth=0.8, linestyle="-")
    ax.set(xlim=(1, 0), xlabel="time t (noise left, data right)", title=title)
axes[0].set_ylabel("x")
show(figure, alt="Left: straight lines from noise to two data points, crossing everywhere. Right: the "
     "paths of the marginal velocity, which fan out to the same two points without crossing.")

# %% [markdown]
# Two data points, sixty pairs. Look at the middle of the left picture: there red and blue lines cross and their mean velocity is about zero, so the flow on the right first
# waits, and then turns towards one of the two. **The lines are straight, the flow is not.** A good part of this notebook is about that bend.
#
# **Your turn 1 · the arrows of a cloud** *(build, 10 minutes)*
#
# Let the data be $n$ equally likely points $x^{(1)},\dots,x^{(n)}$. Given that $x_0$ is the point $x^{(i)}$, $x_t$ is normal with mean $(1-t)\,x^{(i)}$ and variance $t^2I$. Bayes' rule
# gives each point a probability, the mean of the points under these probabilities is the best guess, and step 4 gives the arrow. Write it for `x` of shape `(b, 2)`, `points` of shape
# `(n, 2)` and a number `t`. Your function will move the dots below.

# %%
def my_velocity(x, t, points):
    """The marginal velocity at each row of x, at one time t."""
    ...


course.exercise("fm.marginal-velocity", my_velocity)
velocity = course.yours("fm.marginal-velocity")

# %% jupyter={"source_hidden": true}
course.solution("fm.marginal-velocity")

# %%
torch.set_default_dtype(torch.float32)
generator = torch.Generator().manual_seed(4)
x, snapshots = torch.randn(1000, 2, generator=generator), {}
for k in range(50, 0, -1):
    snapshots[k / 50] = x
    x = x - velocity(x, k / 50, points) / 50
snapshots[0.0] = x
to_the_word = torch.cdist(x, points).min(1).values
check_range("largest distance of a dot from the word", to_the_word.max(), 0.0, 0.05,
            unlike={"at t = 0.3": torch.cdist(snapshots[0.3], points).min(1).values.max()})

# %% jupyter={"source_hidden": true}
owner = letter[torch.cdist(x, points).argmin(1)]
figure, axes = plt.subplots(1, 4, figsize=(10, 2.1))
for ax, t in zip(axes, (1.0, 0.5, 0.3, 0.0), strict=True):
    ax.scatter(*snapshots[t].T, s=1.5, c=[LETTERS[k] for k in owner], linewidths=0)
    ax.set(xlim=(-2.9, 2.9), ylim=(-2.2, 2.2), xticks=[], yticks=[], title=f"t = {t}")
show(figure, alt="A round cloud of dots becomes the word flow in four snapshots; each letter's dots "
     "come from one connected region of the noise.")

# %% [markdown]
# The colours show where each dot will end. Already at $t=1$ they form four regions: the flow cuts the noise into pieces, one for each letter, and moves them without mixing.
#
# ## 2. Learn arrows that nobody has seen
#
# For dots in the plane Bayes' rule is a line of code. For photographs nobody can compute $\mathbb E[x_0\mid x_t]$. But you know what finds conditional means: regression with a squared
# error. We *want* a network $v_\theta$ that minimises the first of these losses; we *can compute* the second, because each pair knows its own velocity:
# $$\mathcal L_{\text{FM}}(\theta)=\mathbb E\,\big\lVert v_\theta(x_t,t)-v^*(x_t,t)\big\rVert^2,\qquad
#   \mathcal L_{\text{CFM}}(\theta)=\mathbb E\,\big\lVert v_\theta(x_t,t)-(\epsilon-x_0)\big\rVert^2 .$$
#
# **The conditional flow matching theorem** (Lipman et al. 2023, theorem 2). The two differ by a constant, so they have the same gradients:
# $$\boxed{\;\mathcal L_{\text{CFM}}(\theta)=\mathcal L_{\text{FM}}(\theta)+F,\qquad F=\mathbb E\,\big\lVert v^*(x_t,t)-(\epsilon-x_0)\big\rVert^2\;}$$
#
# **Step 5. Insert $v^*$.** Write the difference as $(v_\theta-v^*)+(v^*-(\epsilon-x_0))$ and expand the square. The squares of the two brackets are $\mathcal L_{\text{FM}}$ and $F$.
#
# **Step 6. The cross term.** It is $2\,\mathbb E\big[(v_\theta-v^*)\cdot(v^*-(\epsilon-x_0))\big]$. Take the mean in two stages, first for a fixed $x_t$. The left bracket is then a constant, and the
# right one has mean zero: that is what $v^*$ is.
#
# **Step 7. What is left.** $F$ contains no $\theta$. It is the variance of the target that remains when $x_t$ is known, and **no network gets below it**. A flow-matching loss that stops at
# 0.4 may belong to a perfect model.
#
# The check has two sides without a common step. One integrates over pairs $(x_0,\epsilon)$ and never mentions $v^*$; the other integrates over places $x$ with the density $p_t$. The model is
# linear, and autograd differentiates both.

# %%
import numpy as np

nodes, weights = np.polynomial.legendre.leggauss(40)  # for t in (0, 1)
z, w = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(8))  # normals
grid = torch.linspace(-7, 7, 1401, dtype=torch.float64)[:, None]


def losses(theta, sign=1):
    """L_CFM by an integral over pairs, L_FM by one over places, for a linear model."""
    model = lambda x, t: theta[0] + theta[1] * x + theta[2] * t
    over_pairs = over_places = 0.0
    for t, share in zip((nodes + 1) / 2, weights / 2, strict=True):
        for p, m, s in zip(line.weights, line.means[:, 0], line.stds, strict=True):
            x0, eps, mass = (m + s * z)[:, None], z[None], p * w[:, None] * w / w.sum() ** 2
            error = model((1 - t) * x0 + t * eps, t) - sign * (eps - x0)
            over_pairs = over_pairs + share * (mass * error**2).sum()
        error = model(grid, t) - arrow(grid, t)
        over_places = over_places + share * 0.01 * (density(grid, t)[:, None] * error**2).sum()
    return over_pairs, over_places


thetas = torch.tensor([[0.3, -0.8, 0.5], [0.0, 1.0, -0.4]]).double().requires_grad_()
pairs_1, places_1 = losses(thetas[0])
pairs_2, places_2 = losses(thetas[1])
slope = lambda value: torch.autograd.grad(value, thetas, retain_graph=True)[0]
other_way = losses(thetas[0], sign=-1)[0]
check("the same gradient for every model", slope(pairs_1 + pairs_2),
      slope(places_1 + places_2), atol=1e-6,
      unlike={"the target x0 - eps": slope(other_way + pairs_2)})
check("the same difference F for two models", pairs_1 - places_1, pairs_2 - places_2,
      atol=1e-6, unlike={"the target x0 - eps": other_way - places_1})

# %% [markdown]
# **Your turn 2 · the floor** *(derive, 5 minutes)*
#
# Let data and noise be independent standard normal numbers. Write $F$ at a fixed time as a function of $t$. You need one fact: for jointly normal variables,
# $\operatorname{Var}(y\mid x)=\operatorname{Var}y-\operatorname{Cov}(x,y)^2/\operatorname{Var}x$.

# %%
def floor(t):
    """The least loss at time t, for N(0, 1) data."""
    ...


course.exercise("fm.floor", floor)
floor = course.yours("fm.floor")

# %% jupyter={"source_hidden": true}
course.solution("fm.floor")

# %%
unit = GaussianMixture(torch.ones(1).double(), torch.zeros(1, 1).double(), torch.ones(1).double())
x0, eps = torch.randn(2, 100_000, 1, generator=generator, dtype=torch.float64)
for t in (0.0, 0.5, 0.9):
    x = (1 - t) * x0 + t * eps
    best = -x if t == 0 else (x - unit.denoiser(x, 1 - t, t)) / t
    print(f"t = {t}: floor {floor(t):.3f}, measured ~{(best - (eps - x0)).square().mean():.2f}")

# %% [markdown]
# At $t=\tfrac12$ the floor is 2, all of the target's variance: a perfect network predicts *nothing* half-way, because $\epsilon-x_0$ and $\epsilon+x_0$ are independent (question 2). The middle
# is where a loss is largest and says least. Remember this in section 5.
#
# ## 3. Twelve lines: loss, sampler, digits
#
# **Your turn 3 · the loss** *(build, 10 minutes)*
#
# Write the flow-matching loss of one batch in three lines: the point on each line, its velocity, the mean squared error. It must work for points `(b, 2)` and for pictures `(b, 1, h, w)`. Everything that
# is trained below is trained with *your* loss.

# %%
def my_loss(network, x0, eps, t):
    """Mean squared error of network(x_t, t); t has shape (b,)."""
    ...


course.exercise("fm.loss", my_loss)
loss = course.yours("fm.loss")

# %% jupyter={"source_hidden": true}
course.solution("fm.loss")

# %% [markdown]
# **Your turn 4 · a sampler from the other side** *(repair, 8 minutes)*
#
# To sample, draw noise and follow the arrows back to $t=0$. Euler's method takes $n$ equal steps and asks for the velocity at the start of each. The function below was copied from a repository in which time runs from
# noise at 0 to data at 1. It raises no error, and it turns noise into more noise. Repair it for *our* time.

# %%
def my_sample(network, x, n_steps):
    """From noise x at t = 1 to data at t = 0 by Euler steps. Broken."""
    for k in range(n_steps):
        t = torch.full((len(x),), k / n_steps)
        x = x + network(x, t) / n_steps
    return x


course.exercise("fm.sampler", my_sample)
sample = course.yours("fm.sampler")

# %% jupyter={"source_hidden": true}
course.solution("fm.sampler")

# %% [markdown]
# Now the network. Data are 8,000 MNIST digits at $16\times16$, scaled to $[-1,1]$. Step 4 suggests what to learn: the network guesses the clean picture, and $(x-\text{guess})/t$ is its velocity. (Clean pictures are simple, and noise is
# not. Near $t=0$ the division would magnify every error, so $t$ is not allowed below 0.05; section 8 returns to this.) The loop keeps a running average of the weights (EMA, lesson 12) to sample with.

# %%
from torch import nn

from genlab.data.digits import load_mnist, to_unit
from genlab.nn.layers import time_embedding
from genlab.train import EMA


class DigitVelocity(nn.Module):
    """Guesses the clean digit from x_t and t; the velocity is (x_t - guess) / t."""

    def __init__(self, width=512, depth=3):
        super().__init__()
        self.read = nn.Linear(256, width)
        self.time = nn.Sequential(nn.Linear(64, width), nn.SiLU(), nn.Linear(width, width))
        block = lambda: nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.SiLU(),
                                      nn.Linear(width, width))
        self.blocks = nn.ModuleList(block() for _ in range(depth))
        self.write = nn.Linear(width, 256)

    def forward(self, x, t):
        hidden, time = self.read(x.flatten(1)), self.time(time_embedding(t, 64, scale=1000))
        for block in self.blocks:
            hidden = hidden + block(hidden + time)  # residual: each block adds a correction
        guess = self.write(hidden).reshape(x.shape)
        return (x - guess) / t.clamp(min=0.05).reshape(-1, 1, 1, 1)


# %%
torch.set_default_dtype(torch.float32)
digits = to_unit(load_mnist("train", 16).images, 255)
torch.manual_seed(16)
generator, n_steps = torch.Generator().manual_seed(16), 600
network = DigitVelocity()
optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
average, curve = EMA(network, 0.99), []
for step in range(n_steps):
    x0 = digits[torch.randint(len(digits), (128,), generator=generator)]
    eps = torch.randn(x0.shape, generator=generator)
    value = loss(network, x0, eps, torch.rand(128, generator=generator))
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    schedule.step()
    average.update(network)
    curve.append(value.item())
network = average.average

# %%
noise = torch.randn(300, 1, 16, 16, generator=generator)
with torch.no_grad():
    drawn = sample(network, noise, 32)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.2), width_ratios=[1, 2.4])
left.semilogy(np.convolve(curve, np.ones(20) / 20, "valid"), color=BLUE)
left.set(xlabel="step", ylabel="loss, mean of 20 steps", title="this run")
show_images(right, drawn[:30].clamp(-1, 1), n_columns=10, title="its digits: 32 Euler steps")
show(figure, alt="Left: the loss falls and flattens well above zero. Right: thirty digits of 16 by 16 "
     "pixels drawn by the network that was trained in this notebook.")

# %% [markdown]
# DESCRIBE
#
# ## 4. How many evaluations?
#
# The network is the expensive part, so cost is counted in **number of function evaluations** (NFE). Euler pays one for a step. **Heun's method** pays two: it takes an Euler step, asks for the velocity where that step ends, and repeats the step with the
# mean of both. Euler's error falls in proportion to the step, Heun's to its square (lesson 13).
#
# First the extreme case. At $t=1$ the place $x$ is pure noise and says nothing about $x_0$, so $v^*(x,1)=x-\mathbb E[x_0]$. One Euler step from there lands at $\mathbb E[x_0]$, *whatever the noise was*. On the ring of question 1 that is the centre, at
# distance 0, where there are no data at all.
#
# **Your turn 5 · a fair race** *(predict, 3 minutes)*
#
# The ring again, with its exact velocity, so that all error is the solver's. At equal NFE, Euler takes twice as many steps as Heun. With how many evaluations, 2, 4, 8, 16 or 32, is Heun's root mean square error the smaller one for the first time? Commit to a
# number, then run the next cell.

# %%
course.exercise("fm.budget", ...)  # your number in place of the dots

# %%
from genlab import score
from genlab.core import last
from genlab.data.toys import GaussianRing
from genlab.solvers import euler, heun, rk4

ring = GaussianRing()
exact = score.exact_velocity(GaussianMixture(ring.weights, ring.means, ring.stds))
field = lambda t, x: exact(x, t.expand(len(x)))
start = torch.randn(500, 2, generator=generator)
truth = last(rk4(field, start, torch.linspace(1, 0, 129)))
rms = lambda x: (x - truth).square().sum(1).mean().sqrt().item()
budgets, error = (2, 4, 8, 16, 32, 64), {"Euler": [], "Heun": []}
for n in budgets:
    error["Euler"].append(rms(last(euler(field, start, torch.linspace(1, 0, n + 1)))))
    error["Heun"].append(rms(last(heun(field, start, torch.linspace(1, 0, n // 2 + 1)))))
    print(f"{n:2d} evaluations: Euler ~{error['Euler'][-1]:.3f}   Heun ~{error['Heun'][-1]:.3f}")
order = {name: np.log2(e[-2] / e[-1]) for name, e in error.items()}
check_range("order of Euler's method, 32 to 64 evaluations", order["Euler"], 0.85, 1.15,
            unlike={"Heun's": order["Heun"]})
one_step = start - field(torch.ones(()), start)
check_range("one Euler step: distance from the centre", one_step.norm(dim=1).mean(), 0.0, 1e-5,
            unlike={"two steps": last(euler(field, start, torch.linspace(1, 0, 3))).norm(dim=1).mean()})

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), width_ratios=[1, 1.5])
for marker, (name, values) in zip("os", error.items(), strict=True):
    left.loglog(budgets, values, marker=marker, label=name)
left.set(xlabel="evaluations", ylabel="rms error on the ring", title="Heun needs short steps")
left.set_xticks(budgets, budgets)
left.minorticks_off()
left.legend()
counts = (1, 2, 4, 8, 32)
with torch.no_grad():
    rows = torch.cat([sample(network, noise[:10], n) for n in counts])
show_images(right, rows.clamp(-1, 1), n_columns=10, title="the digits: the same noise, more evaluations")
for k, n in enumerate(counts):
    right.text(-3, 17 * k + 8, n, ha="right", va="center")
show(figure, alt="Left: error against evaluations; Euler is better up to eight, Heun from sixteen on. "
     "Right: rows of digits drawn with 1, 2, 4, 8 and 32 Euler steps; the first row shows the same blur ten times.")

# %% [markdown]
# **A higher order is a promise for short steps.** With two evaluations Heun takes one step, whose second evaluation stands at $t=0$ in the middle of the ring, where the arrow is zero: it takes half of the step back. On the right you see question 1 in pictures: one
# evaluation gives the mean digit, ten times. A few more give each noise a digit of its own.
#
# ## 5. Which times?
#
# The loss drew $t$ uniformly. Any other density $\pi(t)$ that is positive everywhere has the same minimiser, since each time is a regression of its own, and $\pi$ only says how much each one counts. A finite network trained for a finite time cannot do them all equally well,
# so $\pi$ decides where it is good.
#
# Close to $t=1$ the answer is nearly the mean of the data, close to $t=0$ nearly the picture itself. Most decisions fall in between. Stable Diffusion 3 (Esser et al. 2024) therefore draws the logit of $t$ from a normal distribution, $t=\operatorname{sigmoid}(m+sz)$ with
# $z\sim\mathcal N(0,1)$. By the change of variables this **logit-normal** density is
# $$\pi(t)=\frac1{s\sqrt{2\pi}}\;\frac1{t(1-t)}\;\exp\!\Big(-\frac{(\operatorname{logit}t-m)^2}{2s^2}\Big),\qquad \operatorname{logit}t=\log\frac t{1-t}.$$
# The loss itself cannot tell whether that helps, because most of it is the floor. On the ring we know $v^*$, so we can measure what matters, the **excess** $\mathbb E\lVert v_\theta-v^*\rVert^2$ at each time. The trainer below is the loop of section 3; it also takes a rule that re-pairs a
# batch, for the next section.

# %%
uniform = lambda n, g: torch.rand(n, generator=g)
logit_normal = lambda n, g: torch.sigmoid(torch.randn(n, generator=g))  # m = 0, s = 1


def fit_ring(seed, times=uniform, pair=lambda x0, eps: eps, data=None, n_steps=400):
    """A small velocity network for the ring, or for given pairs (x0, eps)."""
    torch.manual_seed(seed)
    generator, net = torch.Generator().manual_seed(seed), score.TimedMLP(2, width=64)
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps)
    for _ in range(n_steps):
        if data is None:
            x0, eps = ring.sample(256, generator=generator), torch.randn(256, 2, generator=generator)
        else:
            x0, eps = (a[torch.randint(len(a), (256,), generator=generator)] for a in data)
        value = loss(net, x0, pair(x0, eps), times(256, generator))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
    return net.requires_grad_(False)
