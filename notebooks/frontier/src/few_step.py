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
import json
from pathlib import Path

import numpy as np
import torch

import genlab_course as course
from genlab_course.figures import few_step as draw
from genlab_course.figures import film

course.begin("few_step")
DATA = Path(course.__file__).with_name("data")
record = json.loads((DATA / "few_step.json").read_text(encoding="utf-8"))
pictures = torch.from_numpy(np.load(DATA / "few_step.npz")["opening"])
names = ("noise", "flow matching,\n1 evaluation", "its student,\n1 evaluation")
draw.rows(
    dict(zip(names, pictures / 127.5 - 1, strict=True)),
    title="one evaluation: flow matching gives a mean, its student a digit",
    alt="Three rows of ten squares: noise; what a flow matching network makes of it "
    "with one evaluation, ten blurs; and what its student makes of it with one "
    "evaluation, sharp strokes: eight digits can be read, the 5 and the 9 hardly.",
)

# %% [markdown]
# The last two rows were drawn with **one** evaluation of a network, from the same noise. Flow matching needs many steps, so its single step gives little more than the mean picture of each label. The last row shows a copy of the same network after consistency distillation (section 3) trained it to *jump*. Its 5 and its 9 stay doubtful.
# (Loss and sampler are those of this page. For a clearer picture the networks are twice as wide and train five to seven times as long, with small changes in learning rate and averaging.)
#
# A product that draws pictures pays for each evaluation of its network, and fifty of them cost fifty times as much as one. Few-step models are how image generators
# became interactive. The question of this notebook: *what must a network learn so that one evaluation is enough, and what does it cost?*
#
# **After this notebook you will be able to**
#
# - *explain* why a few Euler steps fail;
# - *explain* the MeanFlow identity, and *check* it against an exact flow;
# - *build* the losses of consistency models and MeanFlow, and *train* digits with them;
# - *compare* four few-step models over six seeds, and *break* one of them to find what its training needs.
#
# You need lesson 09's Fréchet distance and the notebook on [flow matching](flow_matching.ipynb): its velocity $v^*(x,t)$, its training loop, and its notation. Data are $x_0$ at $t=0$, noise is $\epsilon$ at $t=1$,
# $x_t=(1-t)x_0+t\epsilon$, and the velocity of one training line is $\epsilon-x_0$.
#
# Two sittings of about 74 and 75 minutes, exercises included; the cells run in 50 seconds.

# %% [markdown]
# ## Predict first
#
# 1. Four networks, the *students*, begin as copies of one trained flow matching network, their *teacher*, and train for 300 more steps. The best of them then draws with **one** evaluation. How many Euler steps does the *teacher* need to draw as well?
# 2. A network is asked where a path ends, once from a point $x$ and once from a point of the same path that is nearer to the data. It is trained until both answers agree. Which is the easiest way to agree perfectly and draw nothing: the same `constant` answer to everything, giving back the `input`, or answering with fresh `noise`?
# 3. One student goes on asking its `teacher` for directions. Another goes on with `data` alone. Which one draws better with one evaluation?

# %%
course.exercise("few.predict-steps", ...)  # a number of steps in place of the dots

# %%
course.exercise("few.predict-agree", ...)  # "constant", "input" or "noise"

# %%
course.exercise("few.predict-better", ...)  # "teacher" or "data"

# %%
course.draw_map("few_step", slim=True)

# %% [markdown]
# ## 1. Why do few steps fail?
#
# Begin with the smallest data set there is: two points, $-1$ and $1$, equally likely. Solve the equation of a training line for $\epsilon$ and put it into the velocity of the flow:
# $$v^*(x,t)=\mathbb E[\epsilon-x_0\mid x_t=x]=\mathbb E\Big[\frac{x_t-x_0}t\,\Big|\,x_t=x\Big]=\frac{x-\mathbb E[x_0\mid x_t=x]}t ,\qquad\text{here}\quad\mathbb E[x_0\mid x_t=x]=\tanh\frac{x(1-t)}{t^2}. \tag{1}$$
# (The guess weighs $\pm1$ by two normal densities; the difference of the weights over their sum is a $\tanh$.) The velocity points away from this guess. Paths of a flow on the line never cross, so each path keeps its **quantile**, the fraction of all paths below it. That gives us exact paths without any solver. (In the code each point is a narrow bump, so that everything is smooth.)

# %%
from torch.func import jvp

from genlab.oracles import GaussianMixture
from genlab.score import exact_flow_1d

torch.set_default_dtype(torch.float64)  # exact numbers first
half, tenth = torch.full((2,), 0.5), torch.full((2,), 0.1)
two_points = GaussianMixture(half, torch.tensor([[-1.0], [1.0]]), tenth)


def velocity(x, t, data=two_points):
    """Equation (1): away from the best guess of the data."""
    return (x - data.denoiser(x, 1 - t[:, 0], t[:, 0])) / t  # (b, 1)


def path(q, t, data=two_points):
    """Where the paths with quantiles q are at time t."""
    return exact_flow_1d(data, q, 1 - t, max(t, 1e-9))  # (b, 1)


# %% jupyter={"source_hidden": true}
def euler(x, n):
    """The end points of n Euler steps from noise x."""
    for k in range(n, 0, -1):
        x = x - velocity(x, torch.full_like(x, k / n)) / n
    return x


q, all_q = torch.linspace(0.04, 0.96, 12), (torch.arange(200) + 0.5) / 200
times = torch.linspace(1, 0, 101).tolist()
noise = path(all_q, 1.0)
draw.why_few_steps_fail(
    times,
    torch.stack([path(q, t) for t in times])[..., 0],
    path(q, 1.0) - velocity(path(q, 1.0), torch.ones(12, 1)),
    noise,
    {n: euler(noise, n) for n in (1, 2, 4)} | {"exact": path(all_q, 0.0)},
)

# %% [markdown]
# On the left the grey paths bend. Near the noise, $x$ hardly says which data point it was made from, so the best guess, and with it the velocity, aims close to the mean. Later the guess moves to one of the two points, and the path bends towards it. Euler's single step follows the dotted **tangents**. They all end at 0, since pure noise says nothing about $x_0$: there the guess is the mean, and a step of length 1 lands at the guess. On the right, one step sends all noise to the mean, and four steps come near to the exact staircase.
#
# **Your turn 1 · two steps** *(compute, 5 minutes)*
#
# Do the curve labelled *2 steps* by hand, with the formula (1) for two sharp points: two Euler steps of length $\tfrac12$ from $\epsilon=1$. Where does the second step land? Three digits. (Three tempting answers are wrong: where the *first* step lands, where *one* step of length 1 lands, and where the exact path ends.)

# %%
course.exercise("few.two-steps", ...)  # your number in place of the dots


# %% [markdown]
# **Step 1. The error of one step.** A path $y_t$ of the flow obeys $\dot y_t=v^*(y_t,t)$. Go down from $t$ to $r<t$. The exact displacement is an integral along the path, Euler's step uses the first velocity
# only. Integrate by parts, with the **acceleration** $a_\tau=\frac{d}{d\tau}v^*(y_\tau,\tau)$:
# $$y_t-y_r=\int_r^tv^*(y_\tau,\tau)\,d\tau=(t-r)\,v^*(y_t,t)-\int_r^t(\tau-r)\,a_\tau\,d\tau . \tag{2}$$
# The first term is Euler's step, so the last one is its error. The weight $\tau-r$ says that a bend near the noise, far from where you land, costs most. **No acceleration, no error**, however long the step.
#
# **Step 2. The acceleration is a derivative along the path.** Both arguments of $v^*(y_t,t)$ change: the place with velocity $v^*$, and the time with velocity 1. By the chain rule
# $$a_t=\frac{d}{dt}v^*(y_t,t)=(v^*\cdot\nabla_x)\,v^*+\partial_tv^* . \tag{3}$$
# This is a **Jacobian-vector product (JVP)**: the Jacobian of a function times one direction, here $(v^*,1)$. `jvp(f, (x, t), (dx, dt))` returns `f(x, t)` and its rate of change when `x` and `t` change
# at the rates `dx` and `dt`, in one sweep forward and without writing down the Jacobian. You will build MeanFlow with it.

# %%
def acceleration(x, t, data):
    """Equation (3): the second output of jvp is the rate of change."""
    along = velocity(x, t, data), torch.ones_like(t)
    return jvp(lambda x, t: velocity(x, t, data), (x, t), along)[1]  # (b, 1)


# %% [markdown]
# Does (2) hold? We try 25 paths of a lopsided mixture, with exact end points from quantiles on the left and an integral over `acceleration` on the right. Suppose you had weighted the bends with $t-\tau$ instead, the distance from where you *start*. Which of the 25 errors would give you away?

# %% jupyter={"source_hidden": true}
from genlab_course import check, check_range, more_checks, widgets

lopsided = GaussianMixture(
    torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.3, 0.5])
)
q, t, r = torch.linspace(0.02, 0.98, 25), 0.9, 0.2
column = lambda t: torch.full((25, 1), float(t))
nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(30))
when = r + (t - r) * (nodes + 1) / 2
along_path = lambda tau: (path(q, tau, lopsided), column(tau), lopsided)
bends = [acceleration(*along_path(tau)) for tau in when.tolist()]
error_by = lambda weight: torch.cat(bends, 1) @ (weight * weights * (t - r) / 2)
start = path(q, t, lopsided)
euler_step = start - (t - r) * velocity(start, column(t), lopsided)
check(
    "error of one Euler step = weighted acceleration",
    (path(q, r, lopsided) - euler_step)[:, 0],
    error_by(when - r),
    atol=1e-6,
    unlike={"weight t - tau": error_by(t - when)},
)
off = (error_by(when - r) - error_by(t - when)).abs().min()
print(f"with the weight t - tau each of the 25 is off by at least {off:.3f}")

# %% [markdown]
# Your two steps landed at $\tanh 1$, which is 0.762: the first at $\tfrac12$, and the second at the best guess from there. Reflow, in the previous notebook, straightens the paths. Here we keep the bent paths and **train a network to jump along them**.
#
# ## 2. What would a network have to know?
#
# **Step 3. A name for the jump.** Take the path that is at $x$ at time $t$, and let $y_r$ be its place at a time $r<t$, nearer to the data. The map from $x$ to $y_r$ is the **flow map**. The **average velocity** between the two times is displacement over time:
# $$u(x,r,t)=\frac{x-y_r}{t-r}=\frac1{t-r}\int_r^tv^*(y_\tau,\tau)\,d\tau\qquad\Longleftrightarrow\qquad y_r=x-(t-r)\,u(x,r,t). \tag{4}$$
# The right-hand form is a sampler. If a network knew $u$, one evaluation would take you from any $t$ to any $r$ without an error, and one jump from pure noise to $r=0$ would give a sample. When $r\to t$ the average becomes
# the velocity itself.

# %% jupyter={"source_hidden": true}
one, many = torch.tensor([0.6]), torch.linspace(0.04, 0.96, 12)


def jump(q, t, r):
    """The paths with quantiles q at t; where chord and tangent end at time r."""
    start = path(q, t)
    tangent = start - (t - r) * velocity(start, torch.full_like(start, t))
    return t, r, start[:, 0], path(q, r)[:, 0], tangent[:, 0]


tracks = [torch.cat([path(q, t) for t in times], 1).T for q in (one, many)]
film(
    (
        draw.chords(times, tracks, [jump(one, 0.9, r), jump(many, 1.0, r)])
        for r in (0.0, *torch.linspace(0.85, 0, 18).tolist())
    ),
    alt=draw.CHORDS,
    seconds=4,
    width=720,
)


# %% [markdown]
# A jump is a **chord** of the path, with the average velocity as its slope. Euler's step is a tangent. In the film $r$ moves away from $t$. A short chord is nearly the tangent, and a long one still ends on the path. At $r=0$ all tangents from pure noise end at the mean, and each chord ends at the data point that its path reaches. So we want the chords. From here on there is one network $u_\theta$ with *two* times, and several ways to train it:
#
# | model | which pairs of times | what it demands |
# |---|---|---|
# | flow matching | $r=t$ | the velocity, $u=v^*$ |
# | consistency | $r=0$ | neighbours on a path see the same end |
# | shortcut | a few gaps $t-r$ | one jump = two half jumps |
# | MeanFlow | all | an identity for the derivative along the path |
#
# **Your turn 2 · an average in closed form** *(derive, 5 minutes)*
#
# Let the data be normal with mean 0 and standard deviation $\sigma$. Then $x_t$ is normal with variance $\sigma_t^2=(1-t)^2\sigma^2+t^2$, and a path keeps its quantile, so $y_t/\sigma_t$ does not change along a path. Write $u(x,r,t)$. In the code `x`, `r`, `t` are tensors and `std` is $\sigma$, a number. (Tempting: the displacement without dividing by the time; the velocity at $t$.)

# %%
def my_average(x, r, t, std):
    """Average velocity between r and t of the path that is at x at time t."""
    ...


course.exercise("few.normal-average", my_average)
normal_average = course.yours("few.normal-average")

# %% jupyter={"source_hidden": true}
course.solution("few.normal-average")
normal = GaussianMixture(torch.ones(1), torch.zeros(1, 1), 0.5 * torch.ones(1))
x, r, t = path(q, 0.8, normal), column(0.3), column(0.8)
with more_checks():
    check(
        "your average velocity = quantiles of the exact flow",
        normal_average(x, r, t, 0.5),
        (x - path(q, 0.3, normal)) / 0.5,
        atol=1e-6,
        unlike={"the velocity at t": velocity(x, t, normal)},
    )
two, data, pure = (torch.tensor([[a]]) for a in (2.0, 0.0, 1.0))
mine, step = normal_average(two, data, pure, 0.5), velocity(two, pure, normal)
print(f"from noise 2: one jump lands at {2 - mine.item():.3f}, ", end="")
print(f"one Euler step at {(two - step).item():.3f}")

# %% [markdown]
# For data with standard deviation $0.5$ the noise 2, two standard deviations out, becomes the sample 1, also two standard deviations out. One Euler step lands at the mean, 0.
#
# This sampler is in use. The step of `FlowMapEulerDiscreteScheduler` in the library `diffusers` is the right-hand side of (4), and a video model of 2026, AnyFlow, draws with it.

# %% [markdown]
# ## 3. Can neighbours agree on the end?
#
# **Step 4. The consistency function.** Fix $r=0$ and look only at where paths end. Two facts determine this **consistency function** $f$ (Song et al. 2023):
# $$f(x,t)=x-t\,u(x,0,t),\qquad f(y_t,t)=f(y_s,s)\ \text{ along one path},\qquad f(x,0)=x . \tag{5}$$
# The last is the **boundary condition**. Without it a constant $f$ satisfies the second perfectly and draws nothing, which answers question 2. In our form the factor $t$ enforces it at $t=0$ itself, as long as $u$ stays finite. Whether training also *uses* it at larger times is the question of section 7.

# %% jupyter={"source_hidden": true}
course.predicted("few.predict-agree", "constant")


# %% [markdown]
# **Step 5. Consistency distillation.** *Distillation* trains one network, the student, on the answers of a trained one, the teacher. Cut the time into **levels** $i/n$. Take a point $x$ at a level $t$, let the teacher take one Euler step down to the next level $s$, and ask for the end from both points. The point at $s$ is nearer to the data, where $f$ is known, so its answer is the target. It gets no gradient, and it comes from a slow copy of the student: the **exponential moving average (EMA)** $\bar\theta$ of its weights.
# $$\ell_{\text{CD}}=\big\lVert f_\theta(x,t)-f_{\bar\theta}(y,s)\big\rVert^2,\qquad y=x-(t-s)\,v_{\text{teacher}}(x,t). \tag{6}$$
# So what is known at the data spreads from level to level, up to the noise.
#
# **Your turn 3 · a loss with faults** *(repair, 8 minutes)*
#
# The function below runs without an error and has **three** faults. Compare it with steps 4 and 5. `u(x, r, t)` is the student, `slow(x, r, t)` its slow copy, `v` the velocity at $(x,t)$. All times have shape `(b, 1)`, a batch of pictures `(b, d)`. Return the mean over all entries, a tensor.
# Both students of this section are trained with *your* loss.
#
# ```python
# def broken(u, slow, x, s, t, v):
#     f = lambda x, t: x - u(x, 0 * t, t)
#     return (f(x, t) - f(x - (t - s) * v, s)).square().mean()
# ```

# %%
def my_consistency(u, slow, x, s, t, v):
    """The end seen from x at t, against the target: the end seen from s."""
    ...


course.exercise("few.consistency", my_consistency)
consistency = course.yours("few.consistency")

# %% jupyter={"source_hidden": true}
course.solution("few.consistency")

# %% [markdown]
# Now data and networks. The data are those of the flow matching notebook: 8,000 MNIST digits at $16\times16$ without their empty border (0.2 % of the ink lies there), values in $[-1,1]$, each a vector of $12\times12=144$ numbers. The network, in the folded cell, is small: two residual blocks of
# linear layers, with the label and sines and cosines of $t$ and of the gap $t-r$ added in each block. It estimates the data, and like the exact velocity (1) its output points away from this estimate $\hat x_\theta$. That is called **$x_0$-prediction**:
# $$u_\theta(x,r,t)=\frac{x-\hat x_\theta(x,r,t)}{\max(t,\,0.05)} . \tag{7}$$
# The 0.05 keeps the division finite. At $r=0$ and $t\ge0.05$ the consistency function of this network is $f_\theta=\hat x_\theta$: it predicts the end of the path directly, so there the boundary condition is not built in. Does that favour consistency models, which need only ends of paths? The race repeats everything with a network that outputs $u_\theta$ itself (**velocity prediction**).

# %% jupyter={"source_hidden": true}
import copy
import math
from functools import partial

from torch.optim.lr_scheduler import OneCycleLR

from genlab.data.digits import load_mnist, to_unit
from genlab.train import EMA

torch.set_default_dtype(torch.float32)
images, labels = load_mnist("train", 16)
images = to_unit(images, 255)[..., 2:14, 2:14].float().flatten(1)


# %% jupyter={"source_hidden": true}
class Jump(torch.nn.Module):
    def __init__(self, width=256):
        super().__init__()
        self.read, self.write = torch.nn.Linear(144, width), torch.nn.Linear(width, 144)
        self.condition = torch.nn.Linear(26, 2 * width)
        self.layers = torch.nn.ModuleList(
            torch.nn.Linear(width, width) for _ in range(4)
        )

    def guess(self, x, r, t, label):
        waves = torch.cat([t, t - r], 1)[..., None] * torch.arange(1, 5) * math.pi / 2
        kind = torch.nn.functional.one_hot(label, 10)
        known = torch.cat([waves.sin().flatten(1), waves.cos().flatten(1), kind], 1)
        h = self.read(x)
        for k, shift in enumerate(self.condition(known).chunk(2, 1)):
            inner = self.layers[2 * k](torch.nn.functional.layer_norm(h, h.shape[1:]))
            h = h + self.layers[2 * k + 1](torch.nn.functional.silu(inner + shift))
        return self.write(h)

    def forward(self, x, r, t, label):
        return (x - self.guess(x, r, t, label)) / t.clamp(min=0.05)


# %% [markdown]
# The training loop is that of flow matching, for any loss. Besides the batch it gives each loss the network `u` and its slow copy, the EMA from which we sample in the end.

# %%
def fit(start, loss, seed, n_steps=300, lr=1e-3, history=None, decay=0.99):
    """A copy of `start` after training: the EMA of its weights."""
    net, average = copy.deepcopy(start).requires_grad_(True), EMA(start, decay)
    g = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(net.parameters(), lr)
    schedule = OneCycleLR(optimizer, lr, n_steps, pct_start=0.1)
    for _ in range(n_steps):
        drawn = torch.randint(len(images), (64,), generator=g)
        x0, label = images[drawn], labels[drawn]  # (64, 144), (64,)
        eps = torch.randn(64, 144, generator=g)
        u, slow = (partial(n, label=label) for n in (net, average.average))
        value = loss(u, slow, x0, eps, label, g)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        average.update(net)
        if history is not None:
            history.append(value.item())
    return average.average


# %% [markdown]
# Five losses will be handed to `fit`. The first is flow matching: $r=t$, and the target is the velocity of the line. It weights each time with $t$, since the network divides by $t$, which makes errors near the data large. A weight does not change what a perfect network learns.

# %%
def match(u, slow, x0, eps, label, g):
    """Flow matching: the velocity at r = t, mostly at times in the middle."""
    t = torch.sigmoid(torch.randn(len(x0), 1, generator=g))  # (b, 1)
    v = u((1 - t) * x0 + t * eps, t, t)
    return (t * (v - (eps - x0)).square()).mean()


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


def neighbours(x0, eps, g, n=16):
    """A point of a line, and two neighbouring times of n levels."""
    i = torch.randint(1, n + 1, (64, 1), generator=g)
    s, t = (i - 1) / n, i / n
    return (1 - t) * x0 + t * eps, s, t


# %% [markdown]
# `train_alone` looks wrong. It is **consistency training**, which has no teacher at all: it steps down along the line's own velocity $\epsilon-x_0$, though the line does not follow the path.
#
# **Step 6. Why that is allowed.** Expand the target for a small step $\Delta=t-s$:
# $$f\big(x-\Delta(\epsilon-x_0),\,t-\Delta\big)=f(x,t)-\Delta\Big[\big((\epsilon-x_0)\cdot\nabla_x\big)f+\partial_tf\Big]+O(\Delta^2). \tag{8}$$
# To first order the target is *linear* in $\epsilon-x_0$. Regression finds conditional means, so what is learned has $\mathbb E[\epsilon-x_0\mid x_t]=v^*$ in its place, and with $v^*$ the bracket is $\frac d{dt}f$ along the path, which is 0. Two things remain: each target is noisy, with a standard deviation of order $\Delta$, and the neglected terms of order $\Delta^2$ give a bias (*Going further* computes both). We keep 16 levels.
#
# Now train: the teacher by flow matching, 1,200 steps, and two students that begin as its copies, 300 steps each. (The teacher has seen gap 0 only. Its copy, asked at $r=0$, answers much as at $r=t$.)

# %%
torch.manual_seed(0)
teacher = fit(Jump(), match, seed=0, n_steps=1200, lr=4e-3)
students = {
    "consistency distillation": fit(teacher, distil(teacher), seed=1),
    "consistency training": fit(teacher, train_alone, seed=1),
}

# %% jupyter={"source_hidden": true}
noise = torch.randn(500, 144, generator=torch.Generator().manual_seed(9))
asked = torch.arange(10).repeat(50)
start, end = torch.ones(10, 1), torch.zeros(10, 1)


def one_jump(net, r=end):
    with torch.no_grad():
        return noise[:10] - net(noise[:10], r, start, asked[:10])


draw.rows(
    {"teacher": one_jump(teacher, start)}
    | {name.replace(" ", "\n"): one_jump(net) for name, net in students.items()},
    title="one evaluation: 300 steps of your loss sharpen the blur",
    alt="Three rows of the digits 0 to 9 with one evaluation each: the teacher's are "
    "blurred; those of the two consistency models are sharper, mostly digits.",
)


# %% [markdown]
# Rows two and three are what 300 steps of *your* loss make of row one. The networks are tiny and trained for seconds, so some digits stay doubtful.
#
# **Pause.** You have trained a generator that draws with one evaluation. The second sitting takes the step size to zero, races four students, and breaks one of them.
#
# ## 4. Can short jumps teach long ones?
#
# **Step 7. Displacements add up.** With the middle time $m=\frac{r+t}2$ the way from $t$ to $r$ is the way to $m$ and on to $r$. Divide by $t-r$; each half lasts half of the time:
# $$u(x,r,t)=\tfrac12\,u(x,m,t)+\tfrac12\,u(y_m,r,m),\qquad y_m=x-(t-m)\,u(x,m,t). \tag{9}$$
# **Shortcut models** (Frans et al. 2024) train on this equation in one run; *progressive distillation* (Salimans and Ho 2022) does it halving by halving. The gap $t-r$ is 1, 1/2, 1/4 or 1/8. At the smallest gap the two halves are Euler steps with $u(x,t,t)$, which three quarters of a batch train by flow matching. The right-hand side comes from the slow copy. So short jumps
# are learned from data and long ones from shorter ones.

# %%
def two_halves(u, slow, x0, eps, label, gap, t):
    """One jump over the gap = two half jumps of the slow copy."""
    u, slow = (partial(net, label=label) for net in (u, slow))
    r, m = t - gap, t - gap / 2
    x = (1 - t) * x0 + t * eps
    euler = gap < 0.2  # both halves of the smallest gap are Euler steps
    first = slow(x, torch.where(euler, t, m), t)
    second = slow(x - gap / 2 * first, torch.where(euler, m, r), m)
    return (t * (u(x, r, t) - (first + second).detach() / 2).square()).mean()


def shortcut(u, slow, x0, eps, label, g):
    """48 samples of flow matching, 16 samples of jumps."""
    flow = match(partial(u, label=label[:48]), slow, x0[:48], eps[:48], label, g)
    gap = 0.5 ** torch.randint(0, 4, (16, 1), generator=g)
    t = gap * torch.ceil(torch.rand(16, 1, generator=g) / gap)  # a multiple of gap
    far = two_halves(u, slow, x0[48:], eps[48:], label[48:], gap, t)
    return 0.75 * flow + 0.25 * far


students["shortcut"] = fit(teacher, shortcut, seed=1)


# %% [markdown]
# The shortcut model's digits are at the end of section 5, next to those of the last student.
#
# ## 5. What if the step has no size?
#
# Consistency and shortcut models need small steps somewhere. **MeanFlow** (Geng et al. 2025) takes the limit: `jvp` is the infinitely small step.
#
# **Step 8. Differentiate the definition.** Write (4) as $(t-r)\,u=\int_r^tv^*d\tau$. Hold $r$ fixed, move $t$ along the path, and differentiate both sides. The right gives the velocity at the upper limit, the left gives two terms by the product rule:
# $$u(y_t,r,t)+(t-r)\,\frac{d}{dt}u(y_t,r,t)=v^*(y_t,t). \tag{10}$$
# Solve for $u$. This is the **MeanFlow identity**:
# $$u(x,r,t)=v^*(x,t)-(t-r)\,\frac{d}{dt}u(x,r,t),\qquad \frac{d}{dt}u=(v^*\cdot\nabla_x)\,u+\partial_tu . \tag{11}$$
# As in step 2, the derivative is along the path. Conversely, a $u$ that obeys (11) has $\frac{d}{dt}\big[(t-r)\,u\big]=v^*$. Integrate from $r$, where $(t-r)\,u$ is 0: it is the average velocity, *if (11) holds all the way down to $t=r$*.
#
# **Your turn 4 · along the path** *(build, 10 minutes)*
#
# The first half of MeanFlow: one call of `jvp` that returns two tensors, $u(x,r,t)$ and its rate of change $\frac d{dt}u$ along the path. `u(x, r, t)` is a function of three tensors and `v` is the velocity, shaped like `x`. Ask of each of the three arguments whether it moves along the path, and at what rate.

# %%
def my_along(u, x, r, t, v):
    """u at (x, r, t), and its rate of change when t moves along the path."""
    ...


course.exercise("few.along", my_along)
along = course.yours("few.along")

# %% jupyter={"source_hidden": true}
course.solution("few.along")

# %% [markdown]
# In direction $(v,0,1)$, then: $x$ moves with velocity $v$, $r$ stays, and $t$ moves with rate 1. Does *your* derivative satisfy (11) on an exact flow? On the left, $u$ from quantiles. On the right a solver of fourth order (Runge-Kutta) follows the path in 96 steps, and your `jvp` differentiates through all of them. At how many of the 75 points would a derivative that holds $x$ fixed pass?

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
v_at = partial(velocity, data=lopsided)


def average(x, r, t, n=96):
    """The average velocity of the path through x, by fourth-order Runge-Kutta steps."""
    y, tau, h = x, t, (r - t) / n
    for _ in range(n):
        a = v_at(y, tau)
        b = v_at(y + h / 2 * a, tau + h / 2)
        c = v_at(y + h / 2 * b, tau + h / 2)
        y, tau = y + h / 6 * (a + 2 * b + 2 * c + v_at(y + h * c, tau + h)), tau + h
    return (x - y) / (t - r)


pairs = ((0.1, 0.5), (0.3, 0.9), (0.1, 0.9))
x = torch.cat([path(q, t, lopsided) for _, t in pairs])
lower = torch.cat([path(q, r, lopsided) for r, _ in pairs])
r, t = (
    torch.tensor(a).repeat_interleave(25)[:, None] for a in zip(*pairs, strict=True)
)
right = lambda v: v_at(x, t) - (t - r) * along(average, x, r, t, v)[1]

# %% jupyter={"source_hidden": true}
check(
    "MeanFlow identity on the exact flow",
    (x - lower) / (t - r),
    right(v_at(x, t)),
    atol=1e-6,
    unlike={"x held fixed": right(0 * x), "moves with u": right((x - lower) / (t - r))},
)
miss = (right(0 * x) - (x - lower) / (t - r)).abs().min()
print(f"x held fixed: the smallest miss is {miss:.4f}, so no point would pass")
middle = (r + t) / 2
first = average(x, middle, t)
second = lambda start: average(start, r, middle)
with more_checks():
    check(
        "one jump = mean of two half jumps",
        (x - lower) / (t - r),
        (first + second(x - (t - middle) * first)) / 2,
        atol=1e-6,
        unlike={"second half from x": (first + second(x)) / 2},
    )
torch.set_default_dtype(torch.float32)


# %% [markdown]
# **Step 9. Learn it from training lines.** For the distribution of digits nobody knows $v^*$. But the right-hand side of (11) is *linear* in $v^*$, which occurs twice: alone, and as the direction of the JVP. Put in the line's $\epsilon-x_0$ both times. For a target that gets no gradient, regression finds the conditional mean, and $\mathbb E[\epsilon-x_0\mid x_t]=v^*$. So at the exact $u$ the expected update is zero, and this time *no* order of $\Delta$ is neglected. But the target holds the network's own derivative, so nothing guarantees that training moves towards this $u$. With sg (**stop-gradient**) for a value that gets no gradient:
# $$\ell_{\text{MF}}=\Big\lVert u_\theta(x_t,r,t)-\operatorname{sg}\Big[(\epsilon-x_0)-(t-r)\,\tfrac{d}{dt}u_\theta(x_t,r,t)\Big]\Big\rVert^2 . \tag{12}$$
# At $r=t$ it *is* the flow matching loss, and near it almost. At $r=0$ the identity says $\frac d{dt}f=0$: neighbours see the same end, in the limit $\Delta\to0$.
#
# **Your turn 5 · the MeanFlow loss** *(build, 10 minutes)*
#
# The second half: the point on the line and its velocity, your `along`, the target without gradient (`.detach()`), the mean squared error over all entries. `u(x, r, t)` is the network, all times have shape `(b, 1)`. The training below uses *your* loss.

# %%
def my_mean_flow(u, x0, eps, r, t):
    """Mean squared error of the MeanFlow identity, a tensor."""
    ...


course.exercise("few.mean-flow", my_mean_flow)
mean_flow_loss = course.yours("few.mean-flow")

# %% jupyter={"source_hidden": true}
course.solution("few.mean-flow")


# %%
def mean_flow(u, slow, x0, eps, label, g, spread=True, quarter=True, loss=None):
    """MeanFlow: mostly long jumps from t >= 0.1, r spread; a quarter has r = t."""
    t = 1 - 0.9 * torch.rand(64, 1, generator=g) ** 2  # the square: mostly near 1
    r = t * torch.rand(64, 1, generator=g) ** 2 if spread else 0 * t  # mostly near 0
    r = torch.where(torch.arange(64)[:, None] < 16, t, r) if quarter else r
    return (loss or mean_flow_loss)(u, x0, eps, r, t)


sound = []  # the loss of each step
students["MeanFlow"] = fit(teacher, mean_flow, seed=1, history=sound)

# %% jupyter={"source_hidden": true}
draw.rows(
    {"teacher": one_jump(teacher, start)}
    | {name: one_jump(students[name]) for name in ("shortcut", "MeanFlow")},
    title="one evaluation: two more students sharpen the blur",
    alt="Three rows of the digits 0 to 9 with one evaluation each: the teacher's are "
    "blurred; those of the shortcut model are a little sharper, those of MeanFlow more "
    "so; the 5 and the 9 stay doubtful.",
)


# %% [markdown]
# ## 6. Who wins, and what does it pay?
#
# **Flow matching** takes Euler steps with $u(x,t,t)$. **Shortcut and MeanFlow** jump by (4), with equal gaps. A **consistency** model always jumps to the end. For a second evaluation its answer is noised again, with *fresh* noise, and it jumps once more.

# %%
def jumps(net, x, n, label, euler=False):
    """n jumps of length 1 / n from noise to data, equation (4), or Euler steps."""
    for k in range(n, 0, -1):
        t = torch.full((len(x), 1), k / n)
        x = x - net(x, t if euler else t - 1 / n, t, label) / n
    return x


flow_steps = partial(jumps, euler=True)  # r = t asks for the velocity


def renoise(net, x, n, label, times=None):
    """Jump to the end; for each further evaluation noise the answer and jump again."""
    g = torch.Generator().manual_seed(0)
    for k, t in enumerate(times or [1 - k / n for k in range(n)]):
        t = torch.full((len(x), 1), t)
        x = (1 - t) * x + t * torch.randn(x.shape, generator=g) if k else x
        x = x - t * net(x, 0 * t, t, label)
    return x


SAMPLERS = {"flow matching": flow_steps, "consistency distillation": renoise}
SAMPLERS |= {"consistency training": renoise, "shortcut": jumps, "MeanFlow": jumps}

# %% jupyter={"source_hidden": true}
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import WaveletFeatures


def grey(x):
    return (x.reshape(-1, 12, 12).clamp(-1, 1) + 1) / 2


features = WaveletFeatures(grey(images))
real = features(grey(images[:1000]))


def distance(x):
    """Fréchet distance of drawn to 1,000 training digits, in wavelet features."""
    return float(frechet_distance(real, features(grey(x))))


# %% [markdown]
# The measure is the **Fréchet distance** of lesson 09 between 500 drawn digits and 1,000 training digits, in wavelet features: brightness and roughness of small patches (smaller is better). It sees only their means and covariances, and neither copies nor whether a digit is the one asked for. What a drawing costs is its **number of function evaluations (NFE)**, here evaluations of the network.
#
# A seed trains one teacher and four students. You have trained the first seed. The table has means and standard errors over the six seeds of a stored record, which the code of this page has made (`benchmarks/few_step.py`). *Your* students come first. Each check divides the best distance of one kind of student by the best of all others: below 1 it wins. What if you asked the winner for a velocity, $r=t$, and took Euler steps? And does a classifier see the digit that was asked for?

# %%
def scores(count, samplers):
    """Distances of your networks, by name, with `count` evaluations."""
    nets = ({"flow matching": teacher} | students).items()
    return {k: distance(samplers[k](net, noise, count, asked)) for k, net in nets}


at_one, at_two = scores(1, SAMPLERS), scores(2, SAMPLERS)

# %% jupyter={"source_hidden": true}
EULER = dict.fromkeys(SAMPLERS, flow_steps)


def against(best, found, others):
    """The best distance of some models, over the best of all others."""
    return min(found[n] for n in best) / min(others[n] for n in others if n not in best)


both = ("consistency distillation", "consistency training")
check_range(
    "one evaluation: a consistency model / best other",
    against(both, at_one, at_one),
    0.4,
    0.9,
    unlike={"Euler steps": against(both, scores(1, EULER), at_one)},
)
check_range(
    "two evaluations: MeanFlow / best other",
    against(("MeanFlow",), at_two, at_two),
    0.6,
    0.98,
    unlike={"Euler steps": against(("MeanFlow",), scores(2, EULER), at_two)},
)

# %% jupyter={"source_hidden": true}
from genlab.zoo import load_model

reader = load_model("digit16_evaluator_b").float()


def as_asked(x):
    """The fraction in which a classifier of digits sees the digit asked for."""
    x = torch.nn.functional.pad(255 * grey(x)[:, None], (2, 2, 2, 2))
    with torch.no_grad():
        return (reader(x).argmax(1) == asked).float().mean().item()


print("first seed, one evaluation: a classifier sees the digit asked for in")
for name, net in ({"flow matching": teacher} | students).items():
    print(f"  {name:<24} {as_asked(SAMPLERS[name](net, noise, 1, asked)):4.0%}")

# %% [markdown]
# With Euler steps (in brackets) both ratios rise above 1: a network that has learned to jump must be asked for jumps. The classifier, in this one seed, prefers the teacher's blurs: a mean picture shows its label clearly. Of the students the consistency models, first by distance, miss the label most often. One number does not judge a sampler.

# %% jupyter={"source_hidden": true}
import time


def paid(loss, n=40):
    """Seconds of one training batch."""
    net = copy.deepcopy(teacher).requires_grad_(True)
    g = torch.Generator().manual_seed(8)
    label, started = labels[:64], []
    for _ in range(n + 5):  # five to warm up
        started.append(time.process_time())
        given = partial(net, label=label), partial(teacher, label=label)
        eps = torch.randn(64, 144, generator=g)
        loss(*given, images[:64], eps, label, g).backward()
    return (time.process_time() - started[5]) / n


losses = {"flow matching": match, "consistency distillation": distil(teacher)}
losses |= {"consistency training": train_alone, "shortcut": shortcut}
costs = {name: paid(loss) for name, loss in (losses | {"MeanFlow": mean_flow}).items()}
exact = dict.fromkeys(both, 64 / 16) | {"flow matching": 0, "shortcut": 16 / 4}
exact["MeanFlow"] = 48 * math.asin(1 / 4) / (4 * 0.9**0.5)  # t > 15/16 and r < 1/16

# %% jupyter={"source_hidden": true}
seeds = record["seeds"]


def cell(values):
    return f"{np.mean(values):6.2f} ±{np.std(values, ddof=1) / len(values) ** 0.5:4.2f}"


def lines(kind):
    """Print means and errors of each model; which is best with one, with two?"""
    for name in costs:
        values = zip(*(seed[kind][name] for seed in seeds), strict=True)
        print(f"{name:<24}", *map(cell, values), end="   ")
        ratio = costs[name] / costs["flow matching"]
        print(f"{exact[name]:3.1f}   ~{ratio:.1f}" if kind == "guess" else "")
    for k in (0, 1):
        best = [min(costs, key=lambda name, s=s: s[kind][name][k]) for s in seeds]
        for name in sorted(set(best)):
            print(f"best, NFE {k + 1}: {name} in {best.count(name)} of {len(seeds)}")


print("x0-prediction, NFE:          1            2            4            8", end="")
print("     samples  time")
lines("guess")

# %% jupyter={"source_hidden": true}
print("velocity prediction:")
lines("velocity")
print("x0-prediction, NFE 2, the second jump from the best of six times:")
for name in ("consistency distillation", "consistency training"):
    found = [seed["second"][name] for seed in seeds]
    by_time = {t: [values[t] for values in found] for t in found[0]}
    t = min(by_time, key=lambda t: np.mean(by_time[t]))
    print(f"{name:<24}", cell(by_time[t]), f"  (t = {t})")
more = cell([s["one"]["flow matching, +300 steps"] for s in seeds])
print(f"x0-prediction, NFE 1, flow matching with 300 more steps: {more}")

# %% jupyter={"source_hidden": true}
draw.race(
    record,
    floor=distance(images[1000:1500]),
    title="with this network, consistency wins at one evaluation, MeanFlow at two",
    alt="Fréchet distance against 1, 2, 4 and 8 evaluations for five models, with "
    "small error bars. Flow matching falls from about 14 to 4. The consistency models "
    "start near 4 and do not fall. Shortcut falls from 7 to 3.5; MeanFlow starts at 6, "
    "is the lowest at two evaluations, and rises again. Two dotted lines: flow "
    "matching in 32 steps, near 3, and 500 other training digits, near 1.",
)

# %% [markdown]
# *Samples* counts how many of a batch of 64 train, on average, nearly the jump that the first column measures ($t>15/16$, $r<1/16$). *Time* is that of a training batch, in units of flow matching (one thread; Geng et al. 2025 report less than 20 % for a JVP, which costs more in so small a network).
#
# The dotted lines: other real digits score about 1.0, the floor, and the teacher reaches 3.0 in 32 Euler steps.
#
# **One evaluation.** Each student is far better than its teacher, which 300 more steps of flow matching do not help. Consistency distillation is best in all six seeds, by 0.28 ± 0.05 over consistency training, which never asked the teacher. (It did start from the teacher's weights; we have not trained it from scratch.)

# %% jupyter={"source_hidden": true}
course.predicted("few.predict-steps", "between 4 and 8 Euler steps")
course.predicted("few.predict-better", "teacher, by a little, with this network")

# %% [markdown]
# **More evaluations.** MeanFlow is the best of all at two, and then gets worse; its times were drawn for long jumps, which may be why (not tested). The shortcut model improves with each doubling. With this network neither consistency model gains from a second evaluation. (The best of six intermediate times does not measurably help either; see the table's last lines.) At eight evaluations plain flow matching, which needed no second training, beats every student but the shortcut model, in all six seeds and with both networks.
#
# **Is it the network's form?** With $x_0$-prediction the network outputs the end of a path, which could favour consistency models. So the lower half of the table repeats everything with velocity prediction. It changes half of the answer. The consistency models lose their lead: with one evaluation they and MeanFlow are now within 0.6 of each other, and which of them is best varies with the seed (the teacher still helps consistency in five of six, by 0.11 ± 0.04). Both consistency models now gain from a second evaluation, in all six seeds, but with two MeanFlow stays the best. So "consistency wins with one" is a statement about a loss *and* a network, and "MeanFlow wins with two" held for both networks.
#
# **What this race does not say.** It has one small network, one data set, 300 steps from a warm start at equal *steps*, not equal time, and for each model one choice of times, levels and weights. The factor $t$ in the shortcut loss is ours. MeanFlow's default has $r\ne t$ in a quarter of its samples, not in three quarters, and divides each sample's loss by its own error. The papers train far longer, MeanFlow and shortcut models from scratch; Geng et al. 2025 report a Fréchet inception distance (FID) of 3.43 on ImageNet at 256 pixels in one evaluation.
#
# | model | needs | while training, also | what it costs |
# |---|---|---|---|
# | consistency distillation | a teacher | the teacher, an EMA | a second training; at best it equals 16 Euler steps of its teacher |
# | consistency training | data | an EMA | noisy targets, bias at coarse levels |
# | shortcut | data | an EMA | errors of short jumps add up in long ones |
# | MeanFlow | data | nothing | a JVP a step, noisy targets |
#
# All four imitate one map from noise to data, pair by pair. The matching term of **distribution matching distillation** (DMD, Yin et al. 2024) asks only that the *distribution* of the pictures be the teacher's (*Going further*).
#
# ## 7. It fails: every sample on the jump that we measure
#
# Only about three of MeanFlow's 64 samples train the jump from noise to data. With all samples at $r=0$ it would be those with $t>15/16$, 17 of 64. The identity (11) holds there as well. So why spread $r$?
#
# Here is the training with neither the spread of $r$ nor the quarter with $r=t$. (Later batches change, too.)

# %%
lost = []
all_at_zero = partial(mean_flow, spread=False, quarter=False)
broken = fit(teacher, all_at_zero, seed=1, history=lost)

# %% jupyter={"source_hidden": true}
draw.losses(
    {"all r = 0": lost, "r spread": sound},
    title="the same loss and network: with all r = 0 it explodes",
    alt="The MeanFlow loss in 300 training steps on a logarithmic axis. With r spread "
    "it stays near one; with all r = 0 it rises by orders of magnitude.",
)

# %% [markdown]
# **Your turn 6 · four samples** *(predict, 3 minutes)*
#
# Keep $r=0$ everywhere, and leave 60 samples as they are, with $t\ge0.1$. Only the last four get other times: near the data ($t=0.01$ to $0.04$), in the middle ($0.51$ to $0.54$), or near the noise ($0.96$ to $0.99$). Does one choice make the training stable in all six seeds: `"data"`, `"middle"`, `"noise"` or `"none"`? At $r=0$, (11) says that $f$ does not change along a path. Which functions do that from $t=0.1$ upwards?

# %%
course.exercise("few.four-samples", ...)  # one of the four words


# %%
def four_at(start):
    """The MeanFlow loss, the last four times at start + 0.01 to start + 0.04."""
    four = start + torch.arange(1, 5)[:, None] / 100  # (4, 1)
    times = lambda t: torch.cat([t[:60], four])  # the other 60 stay
    return lambda u, x0, eps, r, t: mean_flow_loss(u, x0, eps, r, times(t))


near_data = fit(teacher, partial(all_at_zero, loss=four_at(0.0)), seed=1)

# %% jupyter={"source_hidden": true}
near_noise = fit(teacher, partial(all_at_zero, loss=four_at(0.95)), seed=1)
one_step = at_one["flow matching"]
over_teacher = lambda net: distance(jumps(net, noise, 1, asked)) / one_step
check_range(
    "r = 0, four samples near the data: one evaluation / the teacher's",
    over_teacher(near_data),
    0.2,
    0.8,
    unlike={"near the noise": over_teacher(near_noise), "none": over_teacher(broken)},
)


# %% jupyter={"source_hidden": true}
def line(name, kind, shown):
    """Print one evaluation of a model in each seed."""
    values = [seed[kind][name] for seed in seeds]
    found = values if kind == "one" else [value[0] for value in values]
    print(f"  {shown:<37}", " ".join(f"{value:6.1f}" for value in found))


print("Fréchet distance, NFE 1, seed by seed")
line("flow matching", "guess", "the teacher")
print("MeanFlow, all r = 0: which times does it need?")
line("MeanFlow, r = 0", "one", "t from 0.1 to 1")
line("MeanFlow, r = 0, four near the noise", "one", "four samples near the noise")
line("MeanFlow, r = 0, four in the middle", "one", "four samples in the middle")
line("MeanFlow, r = 0, four near the data", "one", "four samples near the data")
line("MeanFlow, r = 0, t uniform", "one", "t uniform from 0 to 1")
print("MeanFlow, t from 0.1 to 1: which r does it need?")
line("MeanFlow", "guess", "r spread, a quarter with r = t")
line("MeanFlow, no quarter", "one", "r spread, no quarter")
line("MeanFlow, r up to t / 2, no quarter", "one", "r spread up to t / 2, no quarter")
line("MeanFlow, r = 0 and quarter", "one", "r = 0, a quarter with r = t")

# %% jupyter={"source_hidden": true}
print("MeanFlow with velocity prediction")
line("MeanFlow, r = 0, writes its velocity", "one", "all r = 0, t from 0.1 to 1")
print("consistency training")
line("consistency training", "guess", "16 levels")
line("training above the lowest level", "one", "without the lowest level")
line("training from itself", "one", "16 levels, target without slow copy")
print("shortcut")
line("shortcut", "guess", "48 flow matching, 16 jumps")
line("shortcut, jumps to r = 0", "one", "48 flow matching, 16 jumps to r = 0")
line("shortcut, no flow rows", "one", "64 jumps")
line("shortcut, r = 0", "one", "64 jumps to r = 0")


# %% [markdown]
# The answer is *data*. Four samples of 64 near $t=0$ decide between a model far better than its teacher and a divergence, in all six seeds; elsewhere four samples help in none.
#
# **Step 10. A derivative does not say where to begin.** (11) says how $(t-r)\,u$ changes along a path. Its value comes from the start: 0 at $t=r$. At $r=0$ these are the two facts of (5), neighbours that agree and the boundary condition. With $t\ge0.1$ only the first is trained, and *every* $f$ that is constant along each path satisfies it, even the constant answer of question 2. The boundary condition held, but no sample trained it. Near $t=r$ the target is almost $\epsilon-x_0$: there the data enter.
#
# Does the spread matter, then? With times uniform down to 0, all $r=0$ draws about as well as the consistency models. In the MeanFlow of section 5 the spread does the same work: $r$ comes near every $t$. Kept below $t/2$, it ends worse than the teacher in all six seeds. The quarter with $r=t$ meets the boundary only in jumps of length 0; with all other $r=0$ its result depends on the seed. (This does not say why such a training *explodes* instead of resting at a wrong $f$. Velocity prediction, where the factor $t$ builds the boundary in, explodes as well.)
#
# **The other students** have their boundary in the batch. In consistency training one sample in 16 has $s=0$, with the data point as its target. Without this level it is worse in all six seeds, though the slow copy, which starts as the teacher, keeps it from diverging in 300 steps. Shortcut models need their 48 samples of flow matching: without them no target names the data, and (9) alone holds for $u=0$, too. With them, even if all 16 jumps end at $r=0$, they draw a little better than before in five of six seeds.
#
# **A slip that raises no error.** MeanFlow's derivative is *along the path*. It is easy to differentiate in $t$ alone, with direction $(0,0,1)$ in place of $(v,0,1)$. Better or worse than the teacher's one step?

# %%
def forgetful(u, x0, eps, r, t):
    """The MeanFlow loss with x held fixed: direction (0, 0, 1)."""
    x, v = (1 - t) * x0 + t * eps, eps - x0
    average, change = jvp(u, (x, r, t), (0 * v, 0 * r, 1 + 0 * t))
    return (average - (v - (t - r) * change).detach()).square().mean()


# %% jupyter={"source_hidden": true}
slip = fit(teacher, partial(mean_flow, loss=forgetful), seed=1)
draw.rows(
    {"teacher": one_jump(teacher, start), "x held fixed": one_jump(slip)}
    | {"all r = 0": one_jump(broken), "MeanFlow": one_jump(students["MeanFlow"])},
    title="x held fixed: the digits fall apart; all r = 0: one blot for every noise",
    alt="Four rows of the digits 0 to 9 with one evaluation each. The teacher's are "
    "blurred; with x held fixed they fall apart; with all r = 0 the same white strokes "
    "stand in all ten squares; those of MeanFlow are mostly clear.",
)
line("flow matching", "guess", "the teacher")
line("MeanFlow, x held fixed", "one", "MeanFlow, x held fixed")
line("MeanFlow", "guess", "MeanFlow")

# %% [markdown]
# The picture shows the first seed. In four seeds of six the jump with $x$ held fixed is worse than the teacher's blur, and in all six far behind the sound loss. The integration of step 8 says what such a network learns: $u=\frac1{t-r}\int_r^tv^*(x,\tau)\,d\tau$, the mean of the velocities *at one place*, not along the path. At $r=0$ this $u$ need not even be finite: off the data $v^*(x,\tau)$ grows like $\frac1\tau$ by (1). The repair is the direction $(v,0,1)$ that your `along` uses.
#
# ## Summary
#
# 1. One Euler step misses by an integral of the acceleration along the path. Straight paths at constant speed need one step.
# 2. The acceleration is a derivative along the path, and a Jacobian-vector product computes it.
# 3. The average velocity $u(x,r,t)$ is displacement over time. A network that knows it jumps without error. At $r=t$ it is the velocity, at $r=0$ it gives the consistency function $x-t\,u$.
# 4. Consistency: neighbours on a path see the same end, the one nearer to the data is the target, and the boundary condition forbids the constant answer (question 2).
# 5. Without a teacher the line's own velocity replaces the path's: right on average to first order in the step. At one evaluation the student with a teacher is a little better, with $x_0$-prediction in all six seeds (question 3).
# 6. Shortcut: a jump is the mean of two half jumps. Short jumps teach long ones.
# 7. MeanFlow: $u=v^*-(t-r)\frac d{dt}u$, with the derivative along the path, direction $(v,0,1)$. No step size is left. It fixes only a derivative, so training must also see where the answer is known: four of 64 samples near the boundary decided between a working model and a divergence, in all six seeds.
# 8. On our digits, with $x_0$-prediction, consistency distillation is best at one evaluation, worth between four and eight Euler steps of its teacher (question 1). With velocity prediction there is no clear winner at one evaluation. At two evaluations MeanFlow is best with either network. At eight, plain flow matching beats all students but the shortcut model.
# 9. Each method has its cost: a teacher, a noisier target or a costlier step. None gives a likelihood for free.
#
# | paradigm | objective | sampler | NFE | likelihood | costs |
# |---|---|---|---|---|---|
# | few-step model | agreement along a path, or of distributions | jumps | 1 to 4 | none from the jump | a longer training, some quality or variety |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz("few_step")

# %% [markdown]
# ## Project: a better single evaluation
#
# *(2 to 3 hours)* Improve one of the four students. The rules: it starts from this notebook's teacher, it has 600 training steps of 64 pictures, and its network is `Jump`. Ideas: more levels as training proceeds (consistency); the pseudo-Huber distance of `genlab.score.consistency.huber_distance`; a JVP along the network's own
# $u(x,t,t)$ in place of $\epsilon-x_0$ (Geng et al. 2025b); all $r=0$ with a normalised derivative (Lu and Song 2024). **Target, for three training seeds: one evaluation with a Fréchet distance below that of the same seed's teacher in eight Euler steps.** Hand in a table with the three seeds next to this notebook's values, twenty digits, and a paragraph on which change helped and
# which only seemed to.
#
# The lesson ends here. If you have time for more:
#
# - *The noise and the bias of consistency training*, 8 minutes: step 6 with numbers.
# - *Match the distribution, not the path*, 8 minutes: the gradient of distribution matching distillation, derived and checked.
#
# ## Going further: the noise and the bias of consistency training
#
# On the lopsided mixture the exact $f$ is a quantile, and all pairs $(x_0,\epsilon)$ through one point can be integrated. So the standard deviation of the target of step 6 and its bias are known exactly, here at $x=0.2$, $t=0.7$.

# %%
torch.set_default_dtype(torch.float64)
z, w = (torch.from_numpy(a) for a in np.polynomial.hermite_e.hermegauss(60))
w = w / w.sum()  # nodes and weights for a standard normal number


def end_of_path(x, t):
    """The consistency function: the data point with the quantile that x has at t."""
    std = (((1 - t) * lopsided.stds) ** 2 + t**2).sqrt()
    off = (x - (1 - t) * lopsided.means[:, 0]) / std
    q = torch.special.ndtr(off) @ lopsided.weights
    return path(q.clamp(1e-14, 1 - 1e-14), 0.0, lopsided)


def targets(x, t, gap):
    """Mean and std of consistency training's target; the target of distillation."""
    m, std = lopsided.means[:, 0], lopsided.stds
    var = ((1 - t) * std) ** 2 + t**2
    off = x - (1 - t) * m
    log_p = lopsided.weights.log() - off**2 / (2 * var) - var.log() / 2
    which = torch.softmax(log_p, 0)
    mean = m + (1 - t) * std**2 * off / var
    x0 = mean[:, None] + (std * t / var.sqrt())[:, None] * z  # (2, 60): each component
    below = x - gap * (x - x0) / t  # down the line, whose velocity is (x - x0) / t
    ends = end_of_path(below.reshape(-1, 1), t - gap).reshape(x0.shape)
    weight = which[:, None] * w
    mean = (weight * ends).sum()
    place = torch.tensor([[x]])
    down = place - gap * velocity(place, torch.tensor([[t]]), lopsided)
    noise_std = (weight * (ends - mean) ** 2).sum().sqrt()
    return mean, noise_std, end_of_path(down, t - gap).squeeze()


# %% jupyter={"source_hidden": true}
truth, found = end_of_path(torch.tensor([[0.2]]), 0.7).squeeze(), []
print("step      std of target        bias, training   bias, distillation")
for gap in (0.2, 0.1, 0.05, 0.025):
    mean, noise_std, down = targets(0.2, 0.7, gap)
    found.append([noise_std, (mean - truth).abs(), (down - truth).abs()])
    print(f"{gap:<9} {noise_std:.4f}               {mean - truth:+.4f}", end="")
    print(f"          {down - truth:+.4f}")
halving = torch.tensor(found[-2]) / torch.tensor(found[-1])
summed = torch.tensor(found[-2]) / 0.05 / (torch.tensor(found[-1]) / 0.025)
check(
    "from 0.05 to 0.025: std / 2, both biases / 4",
    halving,
    torch.tensor([2.0, 4.0, 4.0]),
    atol=0.5,
    unlike={"summed over all levels, 1 / gap": summed},
)
torch.set_default_dtype(torch.float32)

# %% [markdown]
# The standard deviation falls like $\Delta$, the bias of one step like $\Delta^2$. A student chains $1/\Delta$ levels, so its bias adds up to order $\Delta$. Fine levels are more exact, but what is known at the data has to pass through all of them before it reaches the noise, and each level adds an error of its own. So one begins with few levels and adds more (Song et al. 2023, section 5).
#
# ## Going further: match the distribution, not the path
#
# The matching term of distribution matching distillation needs no path. (DMD itself still held the pairs together, with a regression on noises and the teacher's pictures; DMD2, Yin et al. 2024b, removed it.) With $p_G$ for the distribution of its samples $x=G_\theta(\epsilon)$ and $p$ for the teacher's, it lowers $\mathrm{KL}(p_G\,\Vert\,p)$, whose gradient needs only two scores:
# $$\nabla_\theta\,\mathrm{KL}(p_G\,\Vert\,p)=\mathbb E_\epsilon\Big[\big(\nabla\log p_G(x)-\nabla\log p(x)\big)\cdot\frac{\partial x}{\partial\theta}\Big],\qquad x=G_\theta(\epsilon). \tag{13}$$
#
# **Step 11. Why.** $\mathrm{KL}=\mathbb E_\epsilon[\log p_G(x)-\log p(x)]$. Differentiate inside the mean: $\theta$ moves $x$, which gives the formula, and it changes the function $\log p_G$ itself. The second part is $\mathbb E_{p_G}[\partial_\theta\log p_G]=0$, as for every density (lesson 03).
#
# In practice both scores are taken at noised $x_t$, where they exist (this lowers a mean of KLs over $t$): the teacher knows $\nabla\log p_t=-\big(x+(1-t)\,v^*\big)/t$, and a second network, trained all along on the generator's *own* samples, estimates $\nabla\log p_{G,t}$. For a generator $G(\epsilon)=b+c\,\epsilon$ and data $\mathcal N(\mu,\sigma^2)$ everything is in closed form:

# %%
torch.set_default_dtype(torch.float64)
b, c = (torch.tensor(a, requires_grad=True) for a in (0.5, 0.8))
mu, sigma = 2.0, 1.5
kl = torch.log(sigma / c) + (c**2 + (b - mu) ** 2) / (2 * sigma**2) - 0.5
by_autograd = torch.stack(torch.autograd.grad(kl, (b, c)))


def by_scores(own=1.0):
    """Equation (13): dx/db = 1 and dx/dc = z; own scales the generator's own score."""
    x = b.detach() + c.detach() * z
    scores = own * -(x - b.detach()) / c.detach() ** 2 + (x - mu) / sigma**2
    return torch.stack([(w * scores).sum(), (w * scores * z).sum()])


check(
    "slopes of the KL in b and c = difference of two scores",
    by_scores(),
    by_autograd,
    atol=1e-9,
    unlike={"the teacher's score alone": by_scores(own=0.0)},
)
torch.set_default_dtype(torch.float32)

# %% [markdown]
# With the teacher's score alone the generator would climb to the teacher's most likely picture and stay there ($c\to0$). The score of its own distribution pushes the samples apart. What it costs: a teacher, and a network trained all along for $p_G$. And $\mathrm{KL}(p_G\Vert p)$ punishes samples where $p$ is small, not what is missing, so variety can be lost.
#
# ## What production systems add
#
# - **The limit at $r=0$, made stable.** Continuous-time consistency models of 1.5 billion parameters (Lu and Song 2024) mix data and noise by cosine and sine of one angle (TrigFlow), embed that angle so that the network's derivative in it stays small, switch the derivative term on gradually and divide it by its norm plus a constant (**tangent normalisation**). Peng et al. 2025 keep $r=0$ and add flow matching to the loss, as the quarter with $r=t$ does here. rCM (Zheng et al. 2025) adds a matching of distributions and reports one to four steps for video models of up to 14 billion parameters.
# - **MeanFlow at scale.** Latent spaces, and guidance inside the target (Geng et al. 2025). Geng et al. 2025b recast the loss as a regression on the velocity, with the network's own estimate as the direction of the JVP.
# - **Distributions.** DMD2 (Yin et al. 2024b) drops DMD's regression and adds a discriminator, as adversarial distillation does (Sauer et al. 2023). Inductive moment matching (Zhou et al. 2025) matches moments, without a teacher. Deng et al. 2026 match distributions without a path or a teacher and report an FID of 1.54 on ImageNet at 256 pixels with one evaluation.
# - **One family.** Boffi et al. 2025 derive consistency, shortcut and MeanFlow losses as cases of learning the flow map; Kim et al. 2023 already gave one network both times, so that more evaluations help. Align Your Flow (Sabour et al. 2025) distils a flow map from text-to-image models.
#
# ## Sources
#
# - Geng, Deng, Bai, Kolter and He 2025, "Mean Flows for One-step Generative Modeling" (arXiv:2505.13447): average velocity, the MeanFlow identity, algorithms 1 and 2. There, too, data are at $t=0$.
# - Geng, Lu, Wu, Shechtman, Kolter and He 2025b, "Improved Mean Flows" (arXiv:2512.02012).
# - Song, Dhariwal, Chen and Sutskever 2023, "Consistency Models" (arXiv:2303.01469): eq. 5 (boundary), 7 (distillation), 10 (training), algorithm 1; Song and Dhariwal 2023, "Improved Techniques for Training Consistency Models" (arXiv:2310.14189).
# - Frans, Hafner, Levine and Abbeel 2024, "One Step Diffusion via Shortcut Models" (arXiv:2410.12557); Salimans and Ho 2022, "Progressive Distillation for Fast Sampling of Diffusion Models" (arXiv:2202.00512).
# - Yin et al. 2024, "One-step Diffusion with Distribution Matching Distillation" (arXiv:2311.18828); 2024b, "Improved Distribution Matching Distillation" (arXiv:2405.14867); Sauer, Lorenz, Blattmann and Rombach 2023, "Adversarial Diffusion Distillation" (arXiv:2311.17042).
# - Lu and Song 2024, "Simplifying, Stabilizing and Scaling Continuous-Time Consistency Models" (arXiv:2410.11081); Peng et al. 2025, "Flow-Anchored Consistency Models" (arXiv:2507.03738); Zheng et al. 2025, "Large Scale Diffusion Distillation via Score-Regularized Continuous-Time Consistency" (arXiv:2510.08431).
# - Zhou, Ermon and Song 2025, "Inductive Moment Matching" (arXiv:2503.07565); Kim et al. 2023, "Consistency Trajectory Models" (arXiv:2310.02279); Deng, Li, Li, Du and He 2026, "Generative Modeling via Drifting" (arXiv:2602.04770).
# - Boffi, Albergo and Vanden-Eijnden 2025, "How to build a consistency model" (arXiv:2505.18825); Sabour, Fidler and Kreis 2025, "Align Your Flow: Scaling Continuous-Time Flow Map Distillation" (arXiv:2506.14603); "AnyFlow: Any-Step Video Diffusion Model with On-Policy Flow Map Distillation" (arXiv:2605.13724), with the scheduler of section 2 in the documentation of `diffusers`.
