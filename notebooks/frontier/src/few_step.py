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
# # Few steps: jump along the flow
#

# %% tags=["keep-output"] jupyter={"source_hidden": true}
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import genlab_course as course
from genlab_course.figures import BLUE, GREEN, ORANGE, PINK, RED, show, show_images

course.begin("few_step")
record = np.load(Path(course.__file__).with_name("data") / "few_step.npz")
rows = {"noise": 0, "flow matching": 1, "shortcut": 4, "MeanFlow": 5,
        "consistency\ntraining": 3, "consistency\ndistillation": 2}  # fmt: skip
figure, ax = plt.subplots(figsize=(9, 5.1))
pictures = torch.from_numpy(record["pictures"].astype(np.float32)).view(6, 10, 12, 12)
show_images(ax, pictures[list(rows.values())].reshape(60, 1, 12, 12) / 127.5 - 1)
ax.set_title("one evaluation each: 300 steps of another loss sharpen the blur", pad=26)
for k, name in enumerate(rows):
    ax.text(-2, 13 * k + 6, name, ha="right", va="center", fontsize=10)
for k in range(10):
    ax.text(13 * k + 5.5, -2, k, ha="center", va="bottom", fontsize=10)
ax.text(-2, -2, "asked for", ha="right", va="bottom", fontsize=10)
show(
    figure,
    alt="Six rows of ten squares of 12 by 12 pixels: noise, then what five networks "
    "make of it with one evaluation each, asked for the digits 0 to 9. Flow matching "
    "gives a blur of each digit; the rows below it are sharper, mostly digits.",
)

# %% [markdown]
# Each row below the noise was made with **one** evaluation of a network.
# Flow matching needs many steps; its one step gives a blur near the mean picture of each label. The rows below it, from the weakest to the best (section 6), show what 300 more steps of four other trainings make of copies of this network. The networks are tiny and train in seconds, so
# the 5 stays unreadable, and the 8 and the 9 are doubtful. What matters is the difference from row two.
#
# A product that draws pictures pays for each evaluation of its network, and fifty of them cost fifty times as much as one. Few-step models are how image generators
# became interactive. The question of this notebook: *what must a network learn so that one evaluation is enough, and what does it cost?*
#
# **After this notebook you will be able to**
#
# - *explain* why a few Euler steps fail;
# - *derive* the MeanFlow identity, and *check* it against an exact flow;
# - *build* the losses of consistency models and MeanFlow, and *train* digits with them;
# - *compare* four few-step models at equal training steps, and *name* what each one costs.
#
# You need lesson 09's Fréchet distance and the notebook on [flow matching](flow_matching.ipynb): its velocity $v^*(x,t)$, its training loop, and its notation. Data are $x_0$ at $t=0$, noise is $\epsilon$ at $t=1$,
# $x_t=(1-t)\,x_0+t\,\epsilon$, and the velocity of one training line is $\epsilon-x_0$.
#
# About 92 minutes, exercises included; the cells run in 40 seconds.

# %%
course.draw_map("few_step", slim=True)

# %% [markdown]
# ## Predict first
#
# Write down three answers.
#
# 1. Data are the two points $-1$ and $1$. You know the perfect velocity and take **two** equal Euler steps from the noise $\epsilon=1$. Where do you land: at 0, a half, about three quarters or 1?
# 2. A network answers two questions about a path: where does it end, seen from here, and where does it end, seen from a point nearer to the data? You train the answers to agree. What is the easiest way to
#    agree perfectly and draw nothing?
# 3. Four networks (*students*) start as copies of one trained network (their *teacher*) and train for the same number of steps. Which one draws best with one evaluation: the one that goes on asking the teacher, or one that goes on with data alone?
#
# ## 1. Why few steps fail
#
# **Step 1. The error of one step.** A path $y_t$ of the flow obeys $\dot y_t=v^*(y_t,t)$. Go down from $t$ to $r<t$. The exact displacement is an integral along the path, Euler's step uses the first velocity
# only. Integrate by parts, with the **acceleration** $a(s)=\frac{d}{ds}v^*(y_s,s)$:
# $$y_t-y_r=\int_r^tv^*(y_s,s)\,ds=(t-r)\,v^*(y_t,t)-\int_r^t(s-r)\,a(s)\,ds .$$
# The first term is Euler's step, so the last one is its error. The weight $s-r$ says that a bend near the noise, far from where you land, costs most. **No acceleration, no error**, however long the step. Straight paths at constant speed have $a=0$; on all others Euler needs small steps.
#
# **Step 2. The acceleration is a derivative along the path.** Both arguments of $v^*(y_s,s)$ change, the place with velocity $v^*$ and the time with velocity 1. By the chain rule
# $$a=\frac{d}{dt}v^*(y_t,t)=(v^*\cdot\nabla_x)\,v^*+\partial_tv^* .$$
# This is a **Jacobian-vector product (JVP)**: the Jacobian of a function, times one direction, here $(v^*,1)$. `torch.func.jvp(f, (x, t), (dx, dt))` returns the value of `f` and its rate of change when `x` and `t` change
# at the rates `dx` and `dt`, in one sweep forward, without ever writing down the Jacobian. MeanFlow will be built on it.
#
# Take a mixture of two normals on the line. Its velocity has a closed form, and its paths keep their quantile (no two paths on a line cross), so the flow is known exactly. The check
# compares the two sides of step 1: exact end points from quantiles, and an integral over accelerations from `jvp`.

# %%
from torch.func import jvp

from genlab.oracles import GaussianMixture
from genlab.score import exact_flow_1d
from genlab_course import check, check_range, widgets

torch.set_default_dtype(torch.float64)  # exact numbers first
line = GaussianMixture(
    torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.3, 0.5])
)


def velocity(x, t, data=line):
    """E[eps - x0 | x_t = x] of a mixture; x and t have shape (b, 1)."""
    means, stds = data.means[:, 0], data.stds
    var = ((1 - t) * stds) ** 2 + t**2
    gap = x - (1 - t) * means
    p = torch.softmax(data.weights.log() - gap**2 / (2 * var) - var.log() / 2, 1)
    eps, x0 = t * gap / var, means + (1 - t) * stds**2 * gap / var
    return (p * (eps - x0)).sum(1, keepdim=True)


def acceleration(x, t):
    return jvp(velocity, (x, t), (velocity(x, t), torch.ones_like(t)))[1]


def path(q, t, data=line):
    """Where the paths with quantiles q are at time t, shape (b, 1)."""
    return exact_flow_1d(data, q, 1 - t, max(t, 1e-9))


# %% jupyter={"source_hidden": true}
q = torch.linspace(0.02, 0.98, 25)
t, r = 0.9, 0.2
nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(30))
when = r + (t - r) * (nodes + 1) / 2
column = lambda t: torch.full((25, 1), float(t))
pull = torch.cat([acceleration(path(q, float(s)), column(s)) for s in when], 1)
integral = lambda weight: (pull * weight * weights * (t - r) / 2).sum(1, keepdim=True)
euler_step = path(q, t) - (t - r) * velocity(path(q, t), column(t))
check(
    "error of one Euler step = weighted acceleration",
    path(q, r) - euler_step,
    integral(when - r),
    atol=1e-6,
    unlike={"weight t - s": integral(t - when)},
)

# %% [markdown]
# **Your turn 1 · two steps** *(predict, 5 minutes)*
#
# Question 1 in full. The data are $-1$ and $1$, equally likely. The best guess of $x_0$ is then $\mathbb E[x_0\mid x_t=x]=\tanh\!\big(x(1-t)/t^2\big)$, and $v^*=(x-\text{guess})/t$; at $t=1$ the guess is 0. Take two
# Euler steps of length $\tfrac12$ from $\epsilon=1$. Predict where you land, with three digits.

# %%
course.exercise("few.two-steps", ...)  # your number in place of the dots

# %% jupyter={"source_hidden": true}
q = (torch.arange(400) + 0.5) / 400


def walk(data, n):
    """End points of n Euler steps from the quantiles q of the noise."""
    x = path(q, 1.0, data)
    for k in range(n, 0, -1):
        x = x - velocity(x, torch.full((400, 1), k / n), data) / n
    return x


clusters = lambda half: GaussianMixture(
    torch.ones(2) / 2, torch.tensor([[-half], [half]]), torch.full((2,), 0.1)
)
data = clusters(1.0)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=[1.3, 1])
times = torch.linspace(1, 0, 101)
few = torch.linspace(0.02, 0.98, 24)
tracks = torch.stack([path(few, float(t), data) for t in times])[..., 0]
rate = lambda x, t: jvp(
    lambda x, t: velocity(x, t, data), (x, t), (velocity(x, t, data), 1 + 0 * t)
)[1]
when = times[:, None].expand(-1, 24)
size = rate(tracks.reshape(-1, 1), when.reshape(-1, 1)).abs()
dots = left.scatter(when, tracks, c=size.clamp(max=8), s=5, cmap="copper_r")
figure.colorbar(dots, ax=left, extend="max", label="size of the acceleration")
left.set(
    xlim=(1, 0),
    xlabel="time t (noise left, data right)",
    ylabel="x",
    title="the flow, and where it is bent",
)
start = path(q, 1.0, data)
for n, colour in ((1, RED), (2, ORANGE), (4, GREEN)):
    right.plot(
        start,
        walk(data, n),
        color=colour,
        linestyle="-",
        label=f"{n} step{'s' * (n > 1)}",
    )
right.plot(start, path(q, 0.0, data), color="#222222", linestyle=":", label="exact")
right.set(xlabel="noise", ylabel="sample")
right.set_title("one step: the mean; four: two clusters")
right.legend()
show(
    figure,
    alt="Left: paths of the exact flow from noise to clusters at -1 and 1, coloured by "
    "their acceleration, which is large close to 0. Right: "
    "sample against noise; one step is flat at zero, two steps follow a tanh, four "
    "steps are near the exact staircase.",
)

# %% [markdown]
# On the left, darker dots accelerate more. The flow turns where a point cannot yet tell to which cluster it belongs, close to $x=0$, and once more at the very end, where paths stop closing in on their cluster (there the weight $s-r$ is small). On the
# right, one step sends all noise to the mean (flat line: pure noise says nothing about $x_0$, so $v^*(\epsilon,1)=\epsilon-\mathbb E\,x_0$), and two steps nearly follow $\tanh$: from $\epsilon=1$ they land at $\tanh1\approx0.76$, which is question 1.
#
# Reflow (the previous notebook) straightens the paths. Here we keep the bent paths, and **train a network to jump along them**.
#
# ## 2. The average velocity
#
# **Step 3. A name for the jump.** Take the path of the flow that is at $x$ at time $t$, and let $y_r$ be its place at a time $r<t$, nearer to the data. The map from $x$ to $y_r$ is the **flow map**. The **average velocity** between the two times is displacement over time:
# $$\boxed{\;u(x,r,t)=\frac{x-y_r}{t-r}=\frac1{t-r}\int_r^tv^*(y_s,s)\,ds\;}\qquad\Longleftrightarrow\qquad y_r=x-(t-r)\,u(x,r,t).$$
# The right-hand form is a sampler. If a network knew $u$, one evaluation would take you from any $t$ to any $r$ without an error, and $x_0=\epsilon-u(\epsilon,0,1)$ would be a sample. When $r\to t$ the average becomes
# the velocity itself, $u(x,t,t)=v^*(x,t)$.
#
# In a picture, a jump is a **chord** of the path, with the average velocity as its slope, and Euler's step is a **tangent**:

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
grid = torch.linspace(1, 0, 201)[:, None]
place = lambda q, t: path(q, t, data)[:, 0]
slope = lambda q, t: velocity(path(q, t, data), torch.full((len(q), 1), t), data)[:, 0]


def lines(ax, q, t, r, ends, **style):
    """Straight lines from the paths with quantiles q at time t to `ends` at time r."""
    ax.plot([[t] * len(q), [r] * len(q)], torch.stack([place(q, t), ends]), **style)
    ax.plot([r] * len(q), ends, "o", color=style["color"], markersize=4, clip_on=False)


one, many = torch.tensor([0.6]), torch.linspace(0.04, 0.96, 12)
for ax, q in ((left, one), (right, many)):
    tracks = torch.stack([place(q, float(t)) for t in grid])
    ax.plot(grid, tracks, color="#999999", linestyle="-", linewidth=4, alpha=0.4)
    ax.set(xlim=(1, 0), xlabel="time t (noise left, data right)", ylabel="x")
euler, jump = {"color": RED, "linestyle": ":"}, {"color": BLUE, "linestyle": "-"}
lines(left, one, 0.9, 0.1, place(one, 0.1), **jump)
lines(left, one, 0.9, 0.1, place(one, 0.9) - 0.8 * slope(one, 0.9), **euler)
lines(left, one, 0.9, 0.9, place(one, 0.9), color="#222222")
lines(right, many, 1.0, 0.0, place(many, 0.0), **jump)
lines(right, many, 1.0, 0.0, place(many, 1.0) - slope(many, 1.0), **euler)
for words, x, y, colour in (
    ("$x$ at time $t$", 0.97, 0.12, "#222222"),
    ("chord: ends on\nthe path, at $y_r$", 0.65, 0.62, BLUE),
    ("tangent: Euler's step", 0.6, 0.03, RED),
    ("path of the flow", 0.3, 0.3, "#777777"),
):
    left.text(x, y, words, color=colour, fontsize=10)
left.set(ylim=(-0.1, 1), title="a jump from t to r is a chord of the path")
right.set_title("from noise: tangents end at the mean, chords at samples", size=11)
show(
    figure,
    alt="Left: one bent path of the flow; from a point on it a blue chord to a later "
    "point of the path, and a red dotted tangent that leaves the path. Right: twelve "
    "paths from noise to clusters at -1 and 1; all tangents at the noise meet at 0, "
    "each chord ends in a cluster.",
)


# %% [markdown]
# On the right, all tangents from pure noise end at the mean, and each chord ends at the sample that its path reaches. So we want the chords. Everything in this notebook is one network $u_\theta(x,r,t)$ with *two* times, and several ways to train it:
#
# | model | which pairs $(r,t)$ | what it demands |
# |---|---|---|
# | flow matching | $r=t$ | $u(x,t,t)=v^*(x,t)$ |
# | consistency | $r=0$ | neighbours on a path see the same end |
# | shortcut | halved gaps | one jump = two half jumps |
# | MeanFlow | all | an identity for the derivative along the path |
#
# **Your turn 2 · an average in closed form** *(derive, 5 minutes)*
#
# Let the data be $\mathcal N(0,s^2)$. Then $x_t$ is normal with variance $c_t^2=(1-t)^2s^2+t^2$, and a path keeps its quantile, so $y_t/c_t$ does not change along a path. Write $u(x,r,t)$; `x`, `r`, `t` are tensors, `s` is a number (a root: `** 0.5`).

# %%
def my_average(x, r, t, s):
    """The average velocity between r < t of the path that is at x at time t."""
    ...


course.exercise("few.normal-average", my_average)
normal_average = course.yours("few.normal-average")
course.solution("few.normal-average")

# %% jupyter={"source_hidden": true}
normal = GaussianMixture(torch.ones(1), torch.zeros(1, 1), 0.5 * torch.ones(1))
q = torch.linspace(0.02, 0.98, 25)
t, r = column(0.8), column(0.3)
x = path(q, 0.8, normal)
check(
    "your average velocity = quantiles of the exact flow",
    normal_average(x, r, t, 0.5),
    (x - path(q, 0.3, normal)) / 0.5,
    atol=1e-6,
    unlike={"the velocity at t": velocity(x, t, normal)},
)
two, zero, one = (torch.tensor([[a]]) for a in (2.0, 0.0, 1.0))
jump, step = normal_average(two, zero, one, 0.5), velocity(two, one, normal)
print(f"from noise 2: one jump lands at {2 - jump.item():.3f}, ", end="")
print(f"one Euler step at {(two - step).item():.3f}")


# %% [markdown]
# For data with standard deviation $0.5$ the noise 2, two standard deviations out, becomes the sample 1, also two standard deviations out. One Euler step lands at the mean, 0.
#
# ## 3. Consistency: neighbours see the same end
#
# **Step 4. The consistency function.** Fix $r=0$ and look only at where paths end: $f(x,t)=x-t\,u(x,0,t)$. Two facts determine $f$ (Song et al. 2023):
# $$f(y_t,t)=f(y_s,s)\ \text{ along one path},\qquad f(x,0)=x .$$
# The second is the **boundary condition**. Without it $f=0$ satisfies the first perfectly and draws nothing, which answers question 2. In our form it holds by construction, because the factor $t$ switches the network off at $t=0$.
#
# **Step 5. Consistency distillation.** *Distillation* trains one network, the **student**, on the answers of a trained one, the **teacher**. Cut the time into **levels** $i/n$. Take a point $x$ at a level $t$, let the teacher take one Euler step to the next level $s$, and ask for the end from both points. The point at $s$ is nearer to the data, where $f$ is known, so its answer is the target. It gets no gradient, and it comes from a slow copy of the student: the **exponential moving average (EMA)** $\bar\theta$ of its weights.
# $$\ell_{\text{CD}}=\big\lVert f_\theta(x,t)-f_{\bar\theta}\big(x-(t-s)\,v_{\text{teacher}}(x,t),\ s\big)\big\rVert^2 .$$
# So what is known at the data spreads from level to level, up to the noise.
#
# **Your turn 3 · a loss with faults** *(repair, 10 minutes)*
#
# The function below runs without an error. It has **three** faults: step 4 names one, step 5 two (who gives the target, and that no gradient flows through it: `.detach()`). `u(x, r, t)` is the student, `slow(x, r, t)` its slow copy, `v` the velocity at $(x,t)$. All times have shape `(b, 1)`, pictures are rows of shape `(b, d)`. Return the mean over all entries, a tensor.
# Both students of this section are trained with *your* loss.

# %%
def broken_consistency(u, slow, x, s, t, v):
    """Both ends as the student sees them."""
    f = lambda x, t: x - u(x, 0 * t, t)
    return (f(x, t) - f(x - (t - s) * v, s)).square().mean()


def my_consistency(u, slow, x, s, t, v):
    """The end seen from x at t, against the target: the end seen from s."""
    ...


course.exercise("few.consistency", my_consistency)
consistency = course.yours("few.consistency")
course.solution("few.consistency")

# %% [markdown]
# Now data and networks. The data are those of the flow matching notebook: 8,000 MNIST digits at $16\times16$ without their empty border (0.2 % of the ink lies there), values in $[-1,1]$, here as rows of $12\times12=144$ numbers. The network is small: two residual blocks of
# linear layers, with the label and sines and cosines of $t$ and of the gap $t-r$ added in each block. It is built to *point away from a guess*, $u_\theta=(x-\text{guess})/t$, as the exact velocity does; the guess for $r=0$ is the end of the path. The divisor is clamped at 0.05, so that $t\,u$ still vanishes at $t=0$.

# %%
import copy
import math

from genlab.data.digits import load_mnist, to_unit
from genlab.train import EMA

torch.set_default_dtype(torch.float32)
images, labels = load_mnist("train", 16)
images = to_unit(images, 255)[..., 2:14, 2:14].float().flatten(1)


class Jump(torch.nn.Module):
    """The average velocity between r and t of the path that is at x at time t."""

    def __init__(self, width=256):
        super().__init__()
        self.read, self.write = torch.nn.Linear(144, width), torch.nn.Linear(width, 144)
        self.condition = torch.nn.Linear(26, 2 * width)
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(width, width) for _ in range(4)
        )

    def forward(self, x, r, t, label):
        waves = torch.cat([t, t - r], 1)[..., None] * torch.arange(1, 5) * math.pi / 2
        kind = torch.nn.functional.one_hot(label, 10)
        known = torch.cat([waves.sin().flatten(1), waves.cos().flatten(1), kind], 1)
        h = self.read(x)
        for k, shift in enumerate(self.condition(known).chunk(2, 1)):
            inner = self.layers[2 * k](torch.nn.functional.layer_norm(h, h.shape[1:]))
            h = h + self.layers[2 * k + 1](torch.nn.functional.silu(inner + shift))
        return (x - self.write(h)) / t.clamp(min=0.05)


# %% [markdown]
# The training loop is that of flow matching, for any loss. Besides the batch it gives each loss the network `u` and its slow copy, the EMA from which we sample in the end.

# %%
def fit(start, loss, seed, n_steps=300, lr=1e-3):
    """A copy of `start` after training: the EMA of its weights."""
    net = copy.deepcopy(start).requires_grad_(True)
    g = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, lr, n_steps, pct_start=0.1
    )
    average = EMA(net, 0.99)
    for _ in range(n_steps):
        rows = torch.randint(len(images), (64,), generator=g)
        x0, label = images[rows], labels[rows]
        eps = torch.randn(64, 144, generator=g)
        u = lambda x, r, t, label=label: net(x, r, t, label)
        slow = lambda x, r, t, label=label: average.average(x, r, t, label)
        value = loss(u, slow, x0, eps, label, g)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        average.update(net)
    return average.average.requires_grad_(False)


# %% [markdown]
# Five losses will be handed to `fit`. The first is flow matching: $r=t$, and the target is the velocity of the line. The network divides by $t$, which makes errors near the data large. So this loss, and that of shortcuts, weights each time with $t$. Like a density of times, a weight does not change what a perfect network learns.

# %%
def match(u, slow, x0, eps, label, g):
    """Flow matching: the velocity at r = t, mostly at times in the middle."""
    t = torch.sigmoid(torch.randn(64, 1, generator=g))
    v = u((1 - t) * x0 + t * eps, t, t)
    return (t * (v - (eps - x0)).square()).mean()


def neighbours(x0, eps, g, n=16):
    """A point of a line, and two neighbouring times of n levels."""
    i = torch.randint(1, n + 1, (64, 1), generator=g)
    s, t = (i - 1) / n, i / n
    return (1 - t) * x0 + t * eps, s, t


def distil(teacher):
    """Consistency distillation: the teacher says where the path goes."""

    def loss(u, slow, x0, eps, label, g):
        x, s, t = neighbours(x0, eps, g)
        return consistency(u, slow, x, s, t, teacher(x, t, t, label))

    return loss


def train_alone(u, slow, x0, eps, label, g):
    """Consistency training: the line's own velocity in place of the teacher's."""
    x, s, t = neighbours(x0, eps, g)
    return consistency(u, slow, x, s, t, eps - x0)


# %% [markdown]
# `train_alone` looks wrong. It is **consistency training**, which has no teacher at all: it steps down along the line's own velocity $\epsilon-x_0$, though the line does not follow the path.
#
# **Step 6. Why that is allowed.** To first order in the step $\Delta=t-s$ the target is *linear* in $\epsilon-x_0$. Regression finds conditional means, so what is learned has $\mathbb E[\epsilon-x_0\mid x_t]=v^*$ in its place. Two things remain: each target is noisy, with a standard deviation of order $\Delta$, and the neglected terms of order $\Delta^2$ give a bias (*Going further* computes both). Fine levels are more exact. But what is known at the data has to pass through all levels before it reaches the noise, and each level adds an error of its own. So one begins with few levels and adds more (Song et al. 2023, section 5). We keep 16.
#
# Now train: the teacher by flow matching, 1,200 steps, and two students that begin as its copies, 300 steps each.

# %%
torch.manual_seed(0)
teacher = fit(Jump(), match, seed=0, n_steps=1200, lr=4e-3)
students = {
    "consistency distillation": fit(teacher, distil(teacher), seed=1),
    "consistency training": fit(teacher, train_alone, seed=1),
}


# %% [markdown]
# ## 4. Shortcuts: one jump equals two half jumps
#
# **Step 7. Displacements add up.** With the middle time $m=\frac{r+t}2$ the way from $t$ to $r$ is the way to $m$ and on to $r$. Divide by $t-r$; each half lasts half of the time:
# $$u(x,r,t)=\tfrac12\,u(x,m,t)+\tfrac12\,u(y_m,r,m),\qquad y_m=x-(t-m)\,u(x,m,t).$$
# **Shortcut models** (Frans et al. 2024) train on this equation in one run; *progressive distillation* (Salimans and Ho 2022) does it halving by halving. The gap $t-r$ is $1,\tfrac12,\tfrac14$ or $\tfrac18$. At the smallest gap the two halves are Euler steps with $u(x,t,t)$; three quarters of a batch train that velocity by flow matching, and one quarter the jumps. The right-hand side comes from the slow copy. So short jumps
# are learned from data and long ones from shorter ones, and the network can be asked for any of its step sizes.

# %%
def shortcut(u, slow, x0, eps, label, g):
    """One jump = two half jumps on gaps of 1, 1/2, 1/4, 1/8; and flow matching."""
    data_rows = torch.arange(64)[:, None] < 48
    gap = 0.5 ** torch.randint(0, 4, (64, 1), generator=g)
    t = gap * torch.ceil(torch.rand(64, 1, generator=g) / gap)  # a multiple of gap
    any_time = torch.sigmoid(torch.randn(64, 1, generator=g))
    t = torch.where(data_rows, any_time, t)
    r, m, x = t - gap, t - gap / 2, (1 - t) * x0 + t * eps
    euler = gap < 0.2  # the halves of the smallest gap
    first = slow(x, torch.where(euler, t, m), t)
    second = slow(x - gap / 2 * first, torch.where(euler, m, r), m)
    target = torch.where(data_rows, eps - x0, (first + second) / 2)
    error = u(x, torch.where(data_rows, t, r), t) - target.detach()
    return (t * error.square()).mean()


students["shortcut"] = fit(teacher, shortcut, seed=1)

# %% [markdown]
# ## 5. MeanFlow: an identity instead of small steps
#
# The consistency and shortcut models above need small steps somewhere. **MeanFlow** (Geng et al. 2025) takes the limit: `jvp` is the infinitely small step.
#
# **Step 8. Differentiate the definition.** Write step 3 as $(t-r)\,u(y_t,r,t)=\int_r^tv^*(y_s,s)\,ds$. Hold $r$ fixed, move $t$ along the path, and differentiate both sides. The right gives the velocity at the upper limit, the left gives two terms by the product rule:
# $$u(y_t,r,t)+(t-r)\,\frac{d}{dt}u(y_t,r,t)=v^*(y_t,t).$$
# Solve for $u$. This is the **MeanFlow identity**:
# $$\boxed{\;u(x,r,t)=v^*(x,t)-(t-r)\,\frac{d}{dt}u(x,r,t),\qquad \frac{d}{dt}u=(v^*\cdot\nabla_x)\,u+\partial_tu\;}$$
# As in step 2, $\frac d{dt}$ is along the path: $x$ moves with velocity $v^*$, $r$ stays, $t$ moves with rate 1. So the direction of the JVP is $(v^*,0,1)$. At $r=0$ the identity says $\frac d{dt}f=0$: neighbours see the same end, in the limit $\Delta\to0$. Conversely, a $u$ that obeys the identity has $\frac{d}{dt}\big[(t-r)\,u\big]=v^*$. Integrate from $r$: it is the average velocity, for $(t-r)\,u$ starts at 0 there wherever $u$ stays finite.
#
# In the check, on the left, $u$ comes from quantiles. On the right a fourth-order Runge-Kutta method follows the path, and `jvp` differentiates *through* its 96 steps.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)


def travel(x, r, t, n=96):
    """Where the path through x at t is at time r: Runge-Kutta steps."""
    h = (r - t) / n
    for _ in range(n):
        a = velocity(x, t)
        b = velocity(x + h / 2 * a, t + h / 2)
        c = velocity(x + h / 2 * b, t + h / 2)
        d = velocity(x + h * c, t + h)
        x, t = x + h / 6 * (a + 2 * b + 2 * c + d), t + h
    return x


q = torch.linspace(0.02, 0.98, 25)
pairs = ((0.1, 0.5), (0.3, 0.9), (0.1, 0.9))
x = torch.cat([path(q, t) for _, t in pairs])
lower = torch.cat([path(q, r) for r, _ in pairs])
r, t = (
    torch.tensor(a).repeat_interleave(25)[:, None] for a in zip(*pairs, strict=True)
)
average = lambda x, r, t: (x - travel(x, r, t)) / (t - r)
v, still, one = velocity(x, t), 0 * t, 1 + 0 * t
identity = lambda *way: v - (t - r) * jvp(average, (x, r, t), way)[1]
check(
    "MeanFlow identity on the exact flow",
    (x - lower) / (t - r),
    identity(v, still, one),
    atol=1e-6,
    unlike={
        "x held fixed": identity(0 * v, still, one),
        "r moves, too": identity(v, one, one),
    },
)
torch.set_default_dtype(torch.float32)


# %% [markdown]
# **Step 9. Learn it from lines.** Nobody knows $v^*$ for digits. But the right-hand side of the identity is *linear* in $v^*$, which occurs twice: alone, and as the direction of the JVP. Put in the line's $\epsilon-x_0$ both times. For a target that gets no gradient, regression finds the conditional mean, and $\mathbb E[\epsilon-x_0\mid x_t]=v^*$. So the exact $u$ is a fixed point (not a minimum: the target moves along), and this time *no* order of $\Delta$ is neglected. The loss, where sg (**stop-gradient**) marks a value that gets no gradient:
# $$\ell_{\text{MF}}=\Big\lVert u_\theta(x_t,r,t)-\operatorname{sg}\Big[(\epsilon-x_0)-(t-r)\,\tfrac{d}{dt}u_\theta\Big]\Big\rVert^2 .$$
# At $r=t$ it *is* the flow matching loss. Even at the exact $u$ the loss is not zero: the target is noisy, most of all where the flow pulls neighbours apart and decides between two pictures.
#
# **Your turn 4 · the MeanFlow loss** *(build, 10 minutes)*
#
# Write it: the point on the line, its velocity, $u$ and $\frac{d}{dt}u$ by one call of `jvp`, the target without gradient (`.detach()`), the mean squared error. `u(x, r, t)` is the network, all times have shape `(b, 1)`. The training below uses *your* loss.

# %%
def my_mean_flow(u, x0, eps, r, t):
    """Mean squared error of the MeanFlow identity, a tensor."""
    ...


course.exercise("few.mean-flow", my_mean_flow)
mean_flow_loss = course.yours("few.mean-flow")
course.solution("few.mean-flow")


# %%
def mean_flow(u, slow, x0, eps, label, g, loss=mean_flow_loss):
    """MeanFlow: mostly long jumps (t near 1, r near 0); a quarter is flow matching."""
    t = 1 - 0.9 * torch.rand(64, 1, generator=g) ** 2
    r = t * torch.rand(64, 1, generator=g) ** 2
    return loss(u, x0, eps, torch.where(torch.arange(64)[:, None] < 16, t, r), t)


students["MeanFlow"] = fit(teacher, mean_flow, seed=1)

# %% jupyter={"source_hidden": true}
import time

from genlab.score.consistency import mean_flow_loss as theirs

g = torch.Generator().manual_seed(8)
x0, eps, label = images[:64], torch.randn(64, 144, generator=g), labels[:64]
r, t = torch.rand(2, 64, 1, generator=g).sort(0).values
u = lambda x, r, t: teacher(x, r.reshape(-1, 1), t.reshape(-1, 1), label)
check(
    "your loss = genlab's",
    mean_flow_loss(u, x0, eps, r, t),
    theirs(u, x0, eps, r[:, 0], t[:, 0]).mean(),
    atol=1e-4,
    unlike={
        "x held fixed": mean_flow_loss(
            lambda x, r, t: u(x.detach(), r, t), x0, eps, r, t
        )
    },
)
losses = {
    "flow matching": match,
    "consistency distillation": distil(teacher),
    "consistency training": train_alone,
    "shortcut": shortcut,
    "MeanFlow": mean_flow,
}
net = copy.deepcopy(teacher).requires_grad_(True)
seconds = {}
for name, loss in 2 * list(losses.items()):  # the first round warms up
    tick = time.process_time()
    for _ in range(20):
        student = lambda x, r, t: net(x, r, t, label)
        loss(student, u, x0, eps, label, g).backward()
    seconds[name] = (time.process_time() - tick) / 20
for name, cost in seconds.items():
    print(
        f"{name:<25} ~{1000 * cost:.1f} ms a batch, "
        f"~{cost / seconds['flow matching']:.1f} times flow matching"
    )


# %% [markdown]
# For three students a batch costs 1.3 to 2 times what it costs in flow matching. For MeanFlow it is three to four times. (Geng et al. 2025 report less than 20 % of the training time for the JVP; in so small a network its overhead may dominate.)
#
# ## 6. The race: quality against evaluations
#
# **Flow matching** takes Euler steps with $u(x,t,t)$. **Shortcut and MeanFlow** jump, $x\leftarrow x-(t-r)\,u(x,r,t)$, with equal gaps. A **consistency** model always jumps to the end; for a second evaluation its answer is noised again, with *fresh* noise, $x\leftarrow(1-t)\,\hat x_0+t\,\epsilon'$, and it jumps again.
#
# The measure is the Fréchet distance between 500 drawn digits and 1,000 of the training digits (so copying is not punished) in wavelet features (lesson 09; smaller is better). The numbers of three seeds come from a stored record (*Going further* has its code). This notebook has trained the first seed anew, and the check compares it with the record. Error bars are standard errors over the three seeds.

# %%
def flow_steps(net, noise, n, label):
    return jump_down(lambda x, r, t: net(x, t, t, label), noise, n)


def jumps(net, noise, n, label):
    return jump_down(lambda x, r, t: net(x, r, t, label), noise, n)


def jump_down(u, x, n):
    """n jumps of length 1 / n from noise to data."""
    with torch.no_grad():
        for k in range(n, 0, -1):
            t = torch.full((len(x), 1), k / n)
            x = x - u(x, (t - 1 / n).clamp(min=0), t) / n
    return x


def renoise(net, x, n, label):
    """Jump to the end; for each further evaluation add fresh noise and jump again."""
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for k in range(n, 0, -1):
            t = torch.full((len(x), 1), k / n)
            x = x - t * net(x, 0 * t, t, label)
            if k > 1:
                back = (k - 1) / n
                x = (1 - back) * x + back * torch.randn(x.shape, generator=g)
    return x


SAMPLERS = {
    "flow matching": flow_steps,
    "consistency distillation": renoise,
    "consistency training": renoise,
    "shortcut": jumps,
    "MeanFlow": jumps,
}

# %% jupyter={"source_hidden": true}
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import WaveletFeatures

grey = lambda x: (x.reshape(-1, 12, 12).clamp(-1, 1) + 1) / 2
features = WaveletFeatures(grey(images))
real = features(grey(images[:1000]))
distance = lambda x: float(frechet_distance(real, features(grey(x))))
asked, counts = torch.arange(10).repeat(50), (1, 2, 4, 8)
noise = torch.randn(500, 144, generator=torch.Generator().manual_seed(9))
measure = lambda name, net: [
    distance(SAMPLERS[name](net, noise, n, asked)) for n in counts
]
live = {
    name: measure(name, net)
    for name, net in ({"flow matching": teacher} | students).items()
}
table = record["table"]  # seeds, models, evaluations
mean, error = table.mean(0), table.std(0, ddof=1) / len(table) ** 0.5
print("evaluations                 1               2               4               8")
shown = [*SAMPLERS, "flow matching, +300 steps"]
for k, name in zip((*range(5), 7), shown, strict=True):
    m, e = mean[k], error[k]
    cells = "   ".join(f"{a:5.2f} +- {b:4.2f}" for a, b in zip(m, e, strict=True))
    print(f"{name:<25} {cells}")
print(
    f"flow matching in 32 steps {record['long'].mean():5.2f}; 500 other real digits "
    f"~{distance(images[1000:1500]):.2f}"
)
names = np.array(list(SAMPLERS))
for k in (0, 1):
    print(f"best at {k + 1}, by seed:", *names[table[:, :5, k].argmin(1)], sep="  ")
ratio = np.array([live[name][:2] for name in SAMPLERS]) / table[0, :5, :2]
apart = lambda ratio: np.exp(np.abs(np.log(ratio)).max())
check_range(
    "largest factor between this notebook and the record's first seed",
    apart(ratio),
    1.0,
    1.3,
    unlike={"without training": apart(live["flow matching"][0] / table[0, 1:5, 0])},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3.8))
COLOURS = (RED, BLUE, GREEN, ORANGE, PINK)
for k, (name, colour, mark) in enumerate(zip(SAMPLERS, COLOURS, "osD^v", strict=True)):
    ax.errorbar(
        counts,
        mean[k],
        error[k],
        color=colour,
        marker=mark,
        linestyle="-",
        label=name,
        capsize=3,
    )
label = "flow matching in 32 steps"
ax.axhline(record["long"].mean(), color="#222222", linestyle=":", label=label)
ax.set(xscale="log", yscale="log", xlabel="evaluations")
ax.set_ylabel("Fréchet distance (lower is better)")
ax.set_title("best at one evaluation: consistency; at two: MeanFlow", size=11)
ax.set_xticks(counts, counts)
ax.set_yticks((2, 4, 8, 16), (2, 4, 8, 16))
ax.minorticks_off()
ax.legend(fontsize=9)
show(
    figure,
    alt="Fréchet distance against 1, 2, 4 and 8 evaluations for five models. Flow "
    "matching falls from 14 to 4. The consistency models start near 4 and do not fall. "
    "Shortcut falls from 7 to 3.5, MeanFlow from 6 to 3.5 at two evaluations. All stay "
    "above a dotted line at 2.9, flow matching in 32 steps.",
)


# %% [markdown]
# **One evaluation.** Each student is far better in one step than its teacher, which 300 more steps of flow matching do not help (13.8). Consistency distillation is best in every seed, and consistency training comes close (question 3): it started from the teacher's weights (from scratch we have not tried), but never asked the teacher. With one evaluation these two lie between the teacher's four and eight steps.
#
# **More evaluations.** The shortcut model improves with each doubling. MeanFlow is the best of all at two, in every seed, and then gets worse, perhaps because its times were drawn for long jumps (not tested). Both consistency models draw best with one. They noise a finished picture and jump again. That would cost a perfect $f$ nothing; ours add an error with the second jump, and consistency training with each (at equally spaced times; Song et al. 2023 search for good ones). With these 300 steps no student reaches the teacher's 2.9 in 32 steps (dotted line).
#
# **What this race does not say.** It has one small network, one data set, 300 steps from a warm start, and for each model one choice of times, levels and weights (in Geng et al. 2025 three quarters of a batch have $r=t$, in ours one quarter). The papers train far longer, MeanFlow and shortcut models from scratch; Geng et al. 2025 report a Fréchet inception distance (FID) of 3.43 on ImageNet at 256 pixels in one evaluation. Nor are the batches equal: of 64 rows, a consistency model trains 64 on the end of a path, MeanFlow 48 on jumps to any $r$, a shortcut model 16. (The jump from 1 to 0, which column one measures, gets about 4 rows in consistency and in shortcut models.)
#
# ## 7. It fails: the derivative forgets to move $x$
#
# MeanFlow's derivative is *along the path*. An easy slip, which raises no error, is to differentiate in $t$ alone: the direction $(0,0,1)$ in place of $(v,0,1)$. Before you look: will this student's single jump be better or worse than that of its teacher, whose mean distance is 13.7?

# %%
def held_fixed(u, x0, eps, r, t):
    """The MeanFlow loss with the slip."""
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (0 * v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


slip = fit(teacher, lambda *a: mean_flow(*a, loss=held_fixed), seed=1)

# %% jupyter={"source_hidden": true}
slips = {"MeanFlow, x held fixed": 4, "consistency distillation, no EMA": 1}
numbers = lambda values: "  ".join(f"{value:4.1f}" for value in values)
print("by seed, one evaluation")
print(f"{'teacher':<33} {numbers(table[:, 0, 0])}")
for (name, sound), values in zip(slips.items(), table[:, 5:7, 0].T, strict=True):
    print(f"{name:<33} {numbers(values)}   as it should be: ", end="")
    print(numbers(table[:, sound, 0]))
figure, ax = plt.subplots(figsize=(9, 3.1))
three = {"teacher": teacher, "x held fixed": slip, "x moves": students["MeanFlow"]}
draw = lambda net: flow_steps if net is teacher else jumps
drawn = torch.cat([draw(net)(net, noise[:10], 1, asked[:10]) for net in three.values()])
show_images(ax, drawn.reshape(-1, 1, 12, 12).clamp(-1, 1))
title = "one evaluation, first and worst seed: with x held fixed the digits fall apart"
ax.set_title(title, pad=26)
for k, name in enumerate(three):
    ax.text(-2, 13 * k + 6, name, ha="right", va="center", fontsize=10)
for k in range(10):
    ax.text(13 * k + 5.5, -2, k, ha="center", va="bottom", fontsize=10)
ax.text(-2, -2, "asked for", ha="right", va="bottom", fontsize=10)
show(
    figure,
    alt="Three rows of the digits 0 to 9 with one evaluation each: the teacher's are "
    "blurred, those of MeanFlow with x held fixed are blots, hardly one the digit that "
    "was asked for; those of MeanFlow are clear but for the 5, the 8 and the 9.",
)


# %% [markdown]
# With $x$ held fixed the integration of step 8 gives $u=\frac1{t-r}\int_r^tv^*(x,s)\,ds$: the mean of the velocities *at one place*, where $(x-\text{guess})/s$ grows as $s$ falls, not along the path. In every seed its jump is far behind that of the sound loss (about 6): a little better than the teacher's in two, far worse in the first, which the picture shows. A second slip, in the table's last row, is to take the target of consistency distillation from the student itself in place of its EMA: each seed is worse, though the target gets no gradient. (*Without* a teacher, Song and Dhariwal 2023 drop the EMA and gain.)
#
# ## 8. What each one costs
#
# | model | needs | extra networks while training | what it costs |
# |---|---|---|---|
# | consistency distillation | a teacher | the teacher, an EMA | a second training; at best it equals 16 Euler steps of its teacher |
# | consistency training | data | an EMA | noisy targets, bias at coarse levels |
# | shortcut | data | an EMA | errors of short jumps add up in long ones |
# | MeanFlow | data | none | a JVP a training step, noisy targets where the flow spreads |
# | all | | | no likelihood without the Jacobian of the jump |
#
# All four students imitate one map from noise to data, pair by pair. **Distribution matching distillation** (DMD, Yin et al. 2024) lets that go: its generator may pair noise and pictures as it likes, as long as their *distribution* is that of the teacher (*Going further* shows how).
#
# ## Predict first, again
#
# 1. At $\tanh1\approx0.76$ (section 1): the second step lands on the best guess of $x_0$ from $x=\tfrac12$.
# 2. Answer 0 to everything. The boundary condition forbids it (section 3).
# 3. The one that asks the teacher, in all three seeds, for one evaluation (section 6). Consistency training, which has only the teacher's start, is close behind.

# %% [markdown]
# ## Going further: how bent is a flow?
#
# Section 1 blames the acceleration. One number measures how much of it there is in all.
#
# **Your turn 5 · the bend** *(compute, 5 minutes)*
#
# `states` is a tensor of shape `(n + 1, b, d)`: $b$ paths at the $n+1$ equally spaced times from $t=1$ (first) to $t=0$ (last). The **straightness** (Liu et al. 2022; we call it the bend: it is 0 exactly when no path accelerates) is the mean squared distance of a path's velocity
# from its **chord** $y_1-y_0$, the constant velocity that would join the same ends: $S=\int_0^1\mathbb E\lVert\dot y_t-(y_1-y_0)\rVert^2dt$. Sum over the $d$ coordinates; take the mean over steps and paths.

# %%
def my_straightness(states):
    """The bend of paths, from a tensor of their states at equal steps."""
    ...


course.exercise("few.straightness", my_straightness)
straightness = course.yours("few.straightness")
course.solution("few.straightness")

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
q = (torch.arange(400) + 0.5) / 400
print("in units of the data's standard deviation")
print("              bend S of            rms error after")
print("clusters at   clusters   normal    1, 2, 4, 8 Euler steps")
for half in (0.25, 0.5, 1.0, 2.0):
    data = clusters(half)
    states = torch.stack([path(q, k / 50, data) for k in range(50, -1, -1)])
    states, std = states / states[-1].std(), states[-1].std()
    normal = GaussianMixture(torch.ones(1), torch.zeros(1, 1), std.reshape(1))
    cloud = torch.stack([path(q, k / 50, normal) for k in range(50, -1, -1)]) / std
    rms = [
        (walk(data, n) / std - states[-1]).square().mean().sqrt() for n in (1, 2, 4, 8)
    ]
    print(
        f"+-{half:<10}  {straightness(states):6.3f}    {straightness(cloud):6.3f}    "
        + "  ".join(f"{e:.3f}" for e in rms)
    )
torch.set_default_dtype(torch.float32)

# %% [markdown]
# One step lands at the mean and misses by about 1 whatever the flow; more steps miss by less where $S$ is smaller. A single normal distribution with the same standard deviation has most of $S$ (column *normal*), because its paths, too, first close in and then open to the standard deviation of the data. Measured against their own size, narrow data bend more; without that division $S$ would grow with their size.
#
# ## Going further: the noise and the bias of consistency training
#
# Step 6 in full. To first order in $\Delta$ the target is $f(x,t)-\Delta\,\big[((\epsilon-x_0)\cdot\nabla_x)f+\partial_tf\big]$. With $v^*$ in the place of $\epsilon-x_0$ the bracket is $\frac d{dt}f$ along the path, which is 0 for the true $f$: the target is right on average. The neglected terms give a bias, at the point below about twice that of distillation, since $f$ is averaged over scattered points. On the mixture noise and bias can be computed exactly, with the exact $f$ (a quantile) and integrals over the pairs that pass through one point.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
z, w = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(60))
w = w / w.sum()


def end_of_path(x, t):
    """The consistency function: the data point with the quantile that x has at t."""
    spread = (((1 - t) * line.stds) ** 2 + t**2).sqrt()
    q = torch.special.ndtr((x - (1 - t) * line.means[:, 0]) / spread) @ line.weights
    return path(q.clamp(1e-14, 1 - 1e-14), 0.0)


def targets(x, t, gap):
    """Mean and spread of the target of consistency training; that of distillation."""
    m, s = line.means[:, 0], line.stds
    var = ((1 - t) * s) ** 2 + t**2
    off = x - (1 - t) * m
    p = torch.softmax(line.weights.log() - off**2 / (2 * var) - var.log() / 2, 0)
    x0 = (m + (1 - t) * s**2 * off / var)[:, None] + (s * t / var.sqrt())[:, None] * z
    eps = (x - (1 - t) * x0) / t
    ends = end_of_path((x - gap * (eps - x0)).reshape(-1, 1), t - gap).reshape(x0.shape)
    weight = p[:, None] * w
    mean = (weight * ends).sum()
    at = torch.tensor([[x]]), torch.tensor([[t]])
    down = end_of_path(at[0] - gap * velocity(*at), t - gap)
    return mean, (weight * (ends - mean) ** 2).sum().sqrt(), down.squeeze()


x, t, found = 0.2, 0.7, []
truth = end_of_path(torch.tensor([[x]]), t).squeeze()
print("step      spread of target     bias, training   bias, distillation")
for gap in (0.2, 0.1, 0.05, 0.025):
    mean, spread, down = targets(x, t, gap)
    found.append([spread, (mean - truth).abs(), (down - truth).abs()])
    print(
        f"{gap:<9} {spread:.4f}               {(mean - truth):+.4f}"
        f"          {(down - truth):+.4f}"
    )
halving = torch.tensor(found[-2]) / torch.tensor(found[-1])
check_range(
    "halving the step divides the spread by",
    halving[0],
    1.9,
    2.1,
    unlike={"the bias instead": halving[1]},
)
check(
    "halving the step divides both biases by 4",
    halving[1:],
    torch.full((2,), 4.0),
    atol=0.5,
    unlike={"the spread instead": halving[0]},
)
torch.set_default_dtype(torch.float32)

# %% [markdown]
# The standard deviation (*spread*) falls like $\Delta$, the bias of one step like $\Delta^2$. A student chains $1/\Delta$ levels, so its bias adds up to order $\Delta$.
#
# ## Going further: match the distribution, not the path
#
# Distribution matching distillation needs no path. With $p_G$ for the distribution of its samples $x=G_\theta(\epsilon)$ and $p$ for the teacher's, it lowers $\mathrm{KL}(p_G\,\Vert\,p)$, whose gradient needs only two scores:
# $$\nabla_\theta\,\mathrm{KL}(p_G\,\Vert\,p)=\mathbb E_\epsilon\Big[\big(\nabla\log p_G(x)-\nabla\log p(x)\big)\cdot\frac{\partial x}{\partial\theta}\Big],\qquad x=G_\theta(\epsilon).$$
#
# **Step 10. Why.** $\mathrm{KL}=\mathbb E_\epsilon[\log p_G(x)-\log p(x)]$. Differentiate inside the mean: $\theta$ moves $x$, which gives the formula, and it changes the function $\log p_G$ itself. The second part is $\mathbb E_{p_G}[\partial_\theta\log p_G]=0$, as for every density (lesson 03).
#
# In practice both scores are taken at noised $x_t$, where they exist (this lowers a mean of KLs over $t$): the teacher knows $\nabla\log p_t=-\big(x+(1-t)\,v^*\big)/t$, and a second network, trained all along on the generator's *own* samples, estimates $\nabla\log p_{G,t}$. For a generator $G(\epsilon)=b+\sigma\epsilon$ and data $\mathcal N(m,s^2)$ everything is in closed form:

# %%
torch.set_default_dtype(torch.float64)
b, sigma, m, s = torch.tensor(0.5), torch.tensor(0.8), 2.0, 1.5
x = b + sigma * z  # z and w: nodes and weights for a standard normal number
two_scores = -(x - b) / sigma**2 + (x - m) / s**2
by_scores = torch.stack([(w * two_scores).sum(), (w * two_scores * z).sum()])
by_hand = torch.stack([(b - m) / s**2, sigma / s**2 - 1 / sigma])
check(
    "slopes of the KL in b and sigma = difference of two scores",
    by_scores,
    by_hand,
    atol=1e-9,
    unlike={
        "the teacher's score alone": torch.stack(
            [(w * (x - m) / s**2).sum(), (w * (x - m) / s**2 * z).sum()]
        )
    },
)
torch.set_default_dtype(torch.float32)

# %% [markdown]
# The check catches this mistake: with the teacher's score alone the generator would climb to the teacher's most likely picture and stay there ($\sigma\to0$). The score of its own distribution pushes the samples apart. What it costs: a teacher, and a network trained all along for $p_G$. And $\mathrm{KL}(p_G\Vert p)$ punishes samples where $p$ is small, not what is missing, so variety can be lost.

# %% [markdown]
# ## Going further: make the record again
#
# This cell trained what the record holds: for each seed a teacher, four students, two students with a slip, and the teacher after 300 more steps. Set `remake` to `True` to run it; it takes about a minute, gives the same numbers, and writes `few_step.npz` into the current folder.

# %%
remake = False


def seed_of_record(seed):
    """A teacher and seven copies that were trained on, by name."""
    torch.manual_seed(seed)
    teacher = fit(Jump(), match, seed=seed, n_steps=1200, lr=4e-3)
    losses = {
        "consistency distillation": distil(teacher),
        "consistency training": train_alone,
        "shortcut": shortcut,
        "MeanFlow": mean_flow,
        "MeanFlow, x held fixed": lambda *a: mean_flow(*a, loss=held_fixed),
        "no EMA": lambda u, slow, *a: distil(teacher)(
            u, lambda *b: u(*b).detach(), *a
        ),
        "+300 steps": match,
    }
    nets = {name: fit(teacher, loss, seed=seed + 1) for name, loss in losses.items()}
    return {"flow matching": teacher} | nets


# %%
if remake:
    everything, long, first = [], [], None
    used = SAMPLERS | {"MeanFlow, x held fixed": jumps, "no EMA": renoise}
    used["+300 steps"] = flow_steps
    for seed in (0, 1, 2):
        nets = seed_of_record(seed)
        everything.append(
            [
                [distance(used[name](net, noise, n, asked)) for n in counts]
                for name, net in nets.items()
            ]
        )
        long.append(distance(flow_steps(nets["flow matching"], noise, 32, asked)))
        first = first or nets
    one_each = [
        SAMPLERS[name](first[name], noise[:10], 1, asked[:10]) for name in SAMPLERS
    ]
    shown = torch.cat([noise[:10] / 2.5, *one_each]).clamp(-1, 1).reshape(-1, 12, 12)
    np.savez_compressed(
        "few_step.npz",
        table=np.array(everything),
        long=np.array(long),
        pictures=((shown + 1) * 127.5).round().byte().numpy(),
    )

# %% [markdown]
# ## Project: a better single evaluation
#
# *(2 to 3 hours)* Improve one of the four students. The rules: it starts from this notebook's teacher, it has 600 training steps of 64 pictures, and its network is `Jump`. Ideas: more levels as training proceeds (consistency); the pseudo-Huber distance of `genlab.score.consistency.huber_distance`; a JVP along the network's own
# $u(x,t,t)$ in place of $\epsilon-x_0$ (Geng et al. 2025b); the teacher's velocity in MeanFlow. **Target, for three training seeds: one evaluation with a Fréchet distance below that of the same seed's teacher in eight Euler steps.** Hand in a table with the three seeds next to this notebook's row, twenty digits, and a paragraph on which change helped and
# which only seemed to.
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz("few_step")

# %% [markdown]
# ## Summary
#
# 1. One Euler step misses by an integral of the acceleration along the path. Straight paths at constant speed need one step.
# 2. The acceleration is a derivative along the path, and a Jacobian-vector product computes it.
# 3. The average velocity $u(x,r,t)$ is displacement over time; a network that knows it jumps without error.
# 4. At $r=t$ it is the velocity, at $r=0$ the consistency function $x-t\,u$.
# 5. Consistency: neighbours on a path see the same end, the one nearer to the data is the target, and the boundary condition forbids the empty answer.
# 6. Without a teacher the line's own velocity replaces the path's: right on average to first order in the step.
# 7. Shortcut: a jump is the mean of two half jumps. Short jumps teach long ones.
# 8. MeanFlow: $u=v^*-(t-r)\frac d{dt}u$, with the derivative along the path, direction $(v,0,1)$. No step size is left.
# 9. Distribution matching gives up the pairing of noise and data.
# 10. Each method has its cost: a teacher, a noisier target or a costlier step. None gives a likelihood for free.
#
# | paradigm | objective | sampler | NFE | likelihood | costs |
# |---|---|---|---|---|---|
# | few-step model | agreement along a path, or of distributions | jumps | 1 to 4 | none from the jump | a longer training, some quality or variety |
#
# **What production systems add.** Latent spaces and guidance inside the target (Geng et al. 2025, 2025b). Geng et al. 2025b recast the loss as a regression on the velocity, with the network's own estimate as the direction of the JVP. Continuous-time consistency models scale to 1.5 billion parameters (Lu and Song 2024). DMD2 (Yin et al. 2024b) drops DMD's extra regression loss
# and adds a discriminator, as adversarial distillation does (Sauer et al. 2023). Inductive moment matching (Zhou et al. 2025) matches moments, without a teacher. Boffi et al. 2025 derive consistency, shortcut and MeanFlow losses as cases of learning the flow map; Kim et al. 2023 (CTM) already gave one network both times, so that more evaluations help. Deng et al. 2026 match distributions without a path or a teacher; they report an FID of 1.54 on ImageNet at 256 pixels with one evaluation.
#
# ## Sources
#
# - Geng, Deng, Bai, Kolter and He 2025, "Mean Flows for One-step Generative Modeling" (arXiv:2505.13447): average velocity, the MeanFlow identity, algorithms 1 and 2. There, too, data are at $t=0$.
# - Geng, Lu, Wu, Shechtman, Kolter and He 2025b, "Improved Mean Flows" (arXiv:2512.02012).
# - Song, Dhariwal, Chen and Sutskever 2023, "Consistency Models" (arXiv:2303.01469): eq. 5 (boundary), 7 (distillation), 10 (training), algorithm 1; Song and Dhariwal 2023, "Improved Techniques for Training Consistency Models" (arXiv:2310.14189).
# - Frans, Hafner, Levine and Abbeel 2024, "One Step Diffusion via Shortcut Models" (arXiv:2410.12557); Salimans and Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models" (arXiv:2202.00512).
# - Yin et al. 2024, "One-step Diffusion with Distribution Matching Distillation" (arXiv:2311.18828); 2024b, "Improved Distribution Matching Distillation" (arXiv:2405.14867); Sauer, Lorenz, Blattmann and Rombach 2023, "Adversarial Diffusion Distillation" (arXiv:2311.17042).
# - Lu and Song 2024, "Simplifying, Stabilizing and Scaling Continuous-Time Consistency Models" (arXiv:2410.11081).
# - Zhou, Ermon and Song 2025, "Inductive Moment Matching" (arXiv:2503.07565); Kim et al. 2023, "Consistency Trajectory Models" (arXiv:2310.02279); Deng, Li, Li, Du and He 2026, "Generative Modeling via Drifting" (arXiv:2602.04770).
# - Boffi, Albergo and Vanden-Eijnden 2025, "How to build a consistency model" (arXiv:2505.18825); Liu, Gong and Liu 2022, rectified flow (arXiv:2209.03003): eq. 6, straightness.
