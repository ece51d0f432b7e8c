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
# # Predict the large run
#

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch

import genlab_course as course
from genlab_course.figures import BLUE, GREEN, RED, SKY, show

course.begin("predict_the_large_run")
place = Path(course.__file__).parent / "data" / "large_run.json"
record = json.loads(place.read_text(encoding="utf-8"))


def recorded(kind, width, **more):
    """Losses of the record's runs of one kind and width, one for each seed."""
    asked = {"kind": kind, "width": width} | more
    found = [r["loss"] for r in record["runs"] if asked.items() <= r.items()]
    return torch.tensor(found, dtype=torch.float64)


widths, large = (16, 24, 32, 40, 48), 128
operations = lambda width: 120.0 * (5 * width**2 + 96 * width) ** 2
figure, ax = plt.subplots(figsize=(8, 4))
seen = np.array([[operations(w), recorded("ladder", w).mean()] for w in widths])
c, mean = seen.T
line = np.geomspace(c[0] / 2, operations(large) * 2, 100)
for floor, colour, style in ((0.0, BLUE, "-"), (0.7, GREEN, "--"), (1.2, RED, ":")):
    slope, start = np.polyfit(np.log(c), np.log(mean - floor), 1)
    curve = floor + np.exp(start + slope * np.log(line))
    ax.plot(line, curve, color=colour, linestyle=style, label=f"floor at {floor}")
ax.plot(c, mean, "o", color="#222222", label="five small runs")
ax.axvspan(operations(large) * 0.8, operations(large) * 1.25, color="#CCCCCC", lw=0)
ax.text(operations(large), 2.35, "?", ha="center", fontsize=22)
ax.set(
    xscale="log",
    xlabel="compute of the training run (operations)",
    ylabel="loss (nats a character)",
    title="Three laws pass near five small runs, and part before the large one",
)
ax.legend(loc="lower left")
show(
    figure,
    alt="Loss against compute on a logarithmic axis. Five dots fall from 2.6 to 1.9 "
    "nats. Three curves with different floors pass near all of them and separate "
    "towards a grey bar with a question mark, 34 times further to the right.",
)

# %% [markdown]
# Each dot is a small language model, trained for a few seconds (a mean of five trainings). Each curve is a power law that levels off at a **floor**, a loss below which no model gets; by eye the dots hardly tell the three apart (section 6 will). The question mark stands for a run that costs 34 times as much as the largest of these. It has been made, but its loss will not be shown before you have written down what you expect.
#
# This is how large models are planned. The run that matters can be paid for only once, so its loss is predicted from runs that cost almost nothing. The question of this notebook: *how do you predict a run that you cannot afford to try, and how far can you trust the prediction?*
#
# **After this notebook you will be able to**
#
# - *derive* what a training run costs, $C=6ND$, and *check* it with a counter;
# - *derive* how a budget should be split between model and data;
# - *fit* a scaling law with its error, and *bet* on a run before you see it;
# - *name* what makes a ladder of small runs predict badly, and *measure* two such cases;
# - *say* how many bytes a training run needs, and *show* that sharding divides them.
#
# You need lesson 02 (language models, cross-entropy) and the normal likelihood of lesson 03.
#
# About 95 minutes, exercises included; the cells run in 40 seconds.

# %%
course.draw_map("predict_the_large_run", slim=True)

# %% [markdown]
# ## Predict first
#
# Write down three answers.
#
# 1. You have twice the compute. How much larger should the model be: twice, 1.4 times, or should all of it go into more data?
# 2. Five small runs lie within a few hundredths of a nat of a curve. How well do they say where a run of 34 times the compute will end: to a hundredth, a tenth, or half a nat?
# 3. A model has 7 billion parameters and is trained in float32 with Adam. How many gigabytes hold its weights, gradients and Adam's moments: 28, 56 or 112?
#
# ## 1. Why anyone predicts
#
# A large run is paid for only once. Its width, its data and its learning rate cannot be tuned by trying, so they are chosen on small runs and carried over. OpenAI (2023, section 3) reports that the final loss of GPT-4 was predicted, by a power law with a floor, from runs with up to 10,000 times less compute. Such a prediction serves three purposes: it says whether the run is worth its price, it chooses between two recipes, and it raises an alarm when the large run leaves its curve, because then something is broken.
#
# The plan of this notebook is that of such a project. A **ladder** of small runs that differ in size only; a **scaling law** fitted to it; a bet; the large run.
#
# ## 2. One model in all sizes
#
# We need a model that can be made larger by turning one knob. Take a network after one of the first neural language models (Bengio et al. 2003): look up a vector for each of the last 16 characters, put the vectors side by side, and pass them through hidden layers, here two, and a layer norm (which gives a layer's units mean 0 and variance 1), to the scores of the next character. The knob is the width $w$ of the hidden layers; a character's vector has $w/4$ numbers.
#
# The text is Python's reference manual (that of 3.11.7, which is shipped), as in the [language model lab](../systems/language_model.ipynb); a twentieth of its paragraphs is held out. Its 96 possible characters are numbered from 0.

# %%
from torch import nn
from torch.nn import functional as F

from genlab.data.text import load_text


def encode(text):
    """Characters as numbers: newline 0, space 1, ..., ~ 95."""
    return (torch.tensor(list(text.encode("ascii"))) - 31).clamp(min=0)


# %%
train_text, held_out = encode(load_text("train")), encode(load_text("val"))


def network(width):
    """Scores for the next character, from the last 16."""
    return nn.Sequential(
        nn.Embedding(96, width // 4),
        nn.Flatten(),
        nn.Linear(16 * (width // 4), width),
        nn.GELU(),
        nn.Linear(width, width),
        nn.GELU(),
        nn.LayerNorm(width, elementwise_affine=False),
        nn.Linear(width, 96),
    )


# %% [markdown]
# The three matrices of this network hold
# $$N=\underbrace{4w\cdot w}_{\text{first}}+\underbrace{w\cdot w}_{\text{second}}+\underbrace{96\,w}_{\text{scores}}=5w^2+96\,w$$
# weights. This is the $N$ of the whole notebook. The embedding's $96\cdot w/4=24\,w$ numbers are not in it, because looking them up is no multiplication, and neither are the $2w+96$ biases. (Kaplan et al. 2020 leave out the embedding, Hoffmann et al. 2022 count it. On small models this choice changes the fitted exponents: Pearce and Song 2024.)
#
# **The rules of the ladder.** What changes with the width must change by a rule, the same for the large run:
#
# - *Data.* Each run reads $D=20N$ characters. Twenty tokens for each parameter is the ratio of Hoffmann et al. (2022); section 4 says why a fixed ratio is sensible, and tests this one.
# - *Steps.* One step reads a batch of 64 characters, each with the 16 before it.
# - *Learning rate.* $0.8/w$. With Adam every weight moves by about the learning rate at each step, and a unit sums over $w$ inputs; the changes of its $w$ weights push the same way. So the change of the unit grows with $w$, unless the rate falls like $1/w$ (Yang et al. 2022, table 3, for the hidden layers). The factor 0.8 comes from a few runs of widths 16 and 48; section 10 checks it.
#
# **Your turn 1 · a ladder with faults** *(repair, 8 minutes)*
#
# The function below plans a run: the number of weights $N$, the number of characters $D$, the number of steps (a whole number, rounded down) and the learning rate. It runs without an error, and it breaks **three** of the rules above. Mend it. The runs of this notebook follow *your* plan.

# %%
def broken_plan(width):
    """Weights, characters to read, steps, learning rate."""
    n = 5 * width**2 + 96 * width + 24 * width
    characters = 20 * n
    steps = characters
    rate = 0.00625
    return n, characters, steps, rate


def my_plan(width):
    """Weights, characters to read, steps, learning rate."""
    ...


course.exercise("large.plan", my_plan)
plan = course.yours("large.plan")
course.solution("large.plan")


# %% [markdown]
# Training is the loop of lesson 02. The rate rises over the first twentieth of the steps and falls linearly to 0, because a run is compared at its *end*: a loss read off half-way down a longer schedule is too high. Each pass over the text takes its characters in a new random order. The loss of a run is the mean over the whole held-out text.

# %%
def train(width, seed=0, text=train_text, rate=None, characters=None):
    """A trained network, and its loss on the held-out text in nats a character."""
    _, planned, _, usual = plan(width)
    rate, characters = rate or usual, int(characters or planned)
    steps = characters // 64
    torch.manual_seed(seed)
    net = network(width)
    optimizer = torch.optim.Adam(net.parameters(), betas=(0.9, 0.95), fused=True)
    windows = text.unfold(0, 17, 1)  # 16 characters, and the one that follows
    passes = -(-characters // len(windows))  # rounded up
    order = torch.cat([torch.randperm(len(windows)) for _ in range(passes)])
    for i in range(steps):
        batch = windows[order[64 * i : 64 * (i + 1)]]
        warm, left = min(1, (i + 1) / (0.05 * steps)), 1 - i / steps
        optimizer.param_groups[0]["lr"] = rate * warm * left
        loss = F.cross_entropy(net(batch[:, :-1]), batch[:, -1])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    windows = held_out.unfold(0, 17, 1)
    with torch.no_grad():
        loss = F.cross_entropy(net(windows[:, :-1]), windows[:, -1])
    return net, loss.item()


# %% [markdown]
# ## 3. What a run costs
#
# Seconds depend on the machine, so compute is counted in **floating-point operations (FLOPs)**, additions and multiplications. How many does a run need?
#
# **Step 1. Forward.** One layer computes $y=Wx$. Each weight takes part in one multiplication and one addition: 2 operations a weight for each example.
#
# **Step 2. Backward.** Let $g=\partial\ell/\partial y$. Two products are needed. The weights' gradient $g\,x^\top$ multiplies once for each weight and adds it to the sum over the batch; the gradient handed to the layer below, $W^\top g$, is again a matrix times a vector. Each costs 2 operations a weight: 4 in all.
#
# With $D$ examples, here one for each character that is predicted,
# $$\boxed{\;C=\underbrace{2ND}_{\text{forward}}+\underbrace{4ND}_{\text{backward}}=6ND\;}$$
# (Kaplan et al. 2020, section 2.1). Activations, normalisation, biases and Adam are neglected; they cost a few operations for each *unit* or, once a step, for each weight. In a transformer attention adds a term that grows with the context.
#
# PyTorch can count the operations of all matrix products while they run. Is the formula exact for one step of our network?

# %% jupyter={"source_hidden": true}
from torch.utils.flop_counter import FlopCounterMode

from genlab_course import check, check_range, widgets

net, batch = network(32), train_text[: 64 * 17].view(64, 17)
with FlopCounterMode(display=False) as counter:
    F.cross_entropy(net(batch[:, :-1]), batch[:, -1]).backward()
with FlopCounterMode(display=False) as forward, torch.no_grad():
    net(batch[:, :-1])
formula = lambda weights: 6 * weights * len(batch)
every = sum(p.numel() for p in net.parameters())
check(
    "operations of one step: counted = 6 N x batch",
    counter.get_total_flops(),
    formula(plan(32)[0]),
    unlike={
        "embedding and biases counted": formula(every),
        "backward as cheap as forward": 2 * forward.get_total_flops(),
    },
)


# %% [markdown]
# It is exact, since the first layer, too, hands a gradient down, to the embedding. With $D=20N$ a run costs $C=120N^2$: on our ladder twice the width is about three times the weights and nine times the compute, because the $96w$ of the scores still count; for wide networks it is four and sixteen times. From $w=16$ to $w=48$ compute grows 33-fold, and from there to $w=128$ 34-fold. So on a logarithmic axis we extrapolate by as much again as the whole ladder spans.
#
# ## 4. How to split a budget
#
# Compute $C$ is given. It buys a large model that reads little, or a small one that reads much. Which?
#
# **Step 3. Two sources of error.** Hoffmann et al. (2022, eq. 2) describe the loss by
# $$L(N,D)=E+\frac A{N^\alpha}+\frac B{D^\beta}.$$
# The floor $E$ is the entropy of the text: no model does better. The second term says that a model with $N$ weights cannot express the best predictor, the third that $D$ characters do not determine it. The formula is a description that fits their 400 runs; it is not derived from anything.
#
# **Step 4. The condition.** Minimise $L$ with $6ND=C$ held fixed. Change $\log N$ by a small $\delta$; then $\log D$ changes by $-\delta$. Since $\frac{d}{d\log N}N^{-\alpha}=-\alpha N^{-\alpha}$,
# $$\frac{dL}{d\log N}=-\alpha\frac A{N^\alpha}+\beta\frac B{D^\beta}=0\qquad\Longleftrightarrow\qquad\boxed{\;\alpha\,\frac A{N^\alpha}=\beta\,\frac B{D^\beta}\;}$$
# At the best split one per cent more model gains as much as one per cent more data. (With a Lagrange multiplier $\lambda$ for $\log N+\log D$, both sides equal $\lambda$.)
#
# **Your turn 2 · the split** *(derive, 7 minutes)*
#
# Put $D=C/(6N)$ into the condition, solve for $N$, and write the function. All arguments are numbers.

# %%
def my_split(c, a, b, alpha, beta):
    """The best N and D for c operations; a and b are the factors A and B."""
    ...


course.exercise("large.split", my_split)
best_split = course.yours("large.split")
course.solution("large.split")

# %% [markdown]
# **Step 5. What the best split gives.** Your $N$ grows like $C^{\beta/(\alpha+\beta)}$ and $D$ like $C^{\alpha/(\alpha+\beta)}$. Put them into the two error terms: both become a constant times the same power of $C$, and so
# $$L_{\text{best}}(C)=E+k\,C^{-\gamma},\qquad\gamma=\frac{\alpha\beta}{\alpha+\beta}.$$
# This is the **scaling law** that we shall fit: a power law with a floor, three numbers. If $\alpha=\beta$, then $N$ and $D$ both grow like $\sqrt C$, and $D/N$ is the same at every size. That answers question 1 (1.4 times), as long as the two exponents are nearly equal; Hoffmann et al. estimate 0.34 and 0.28 (their eq. 10). Even away from the best split, a *fixed* ratio $D/N$ with $\alpha=\beta$ gives a law of this form, with another $k$. So our ladder needs a fixed ratio, but it need not be the best one.
#
# The check finds the best $N$ by numerical search with the numbers of Hoffmann et al., and compares.

# %% jupyter={"source_hidden": true}
from scipy.optimize import minimize_scalar

E, A, B, alpha, beta = 1.69, 406.4, 410.7, 0.34, 0.28  # Hoffmann et al. 2022, eq. 10
loss_of = lambda n, c: E + A / n**alpha + B / (c / (6 * n)) ** beta


def searched(c):
    """log N and loss at the best split, by Brent's method on log N."""
    found = minimize_scalar(
        lambda log_n: loss_of(np.exp(log_n), c),
        bounds=(5, 40),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return found.x, found.fun


budgets = np.array([1e19, 1e21, 1e23])
log_n, least = np.array([searched(c) for c in budgets]).T
best = lambda *given: float(best_split(*torch.tensor(given, dtype=torch.float64))[0])
closed = lambda *law: np.log([best(c, *law) for c in budgets])
check(
    "log N of the best split = numerical search",
    closed(A, B, alpha, beta),
    log_n,
    atol=1e-4,
    unlike={
        "exponents exchanged": closed(A, B, beta, alpha),
        "equal errors, not equal slopes": closed(A / alpha, B / beta, alpha, beta),
    },
)
check(
    "exponent of the best loss = alpha beta / (alpha + beta)",
    -np.diff(np.log(least - E)) / np.diff(np.log(budgets)),
    alpha * beta / (alpha + beta),
    atol=1e-6,
    unlike={"a quarter of the sum": np.mean([alpha, beta]) / 2},
)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
n = np.geomspace(3e7, 3e11, 200)
for c, colour in zip(budgets, (SKY, BLUE, "#222222"), strict=True):
    left.plot(n, loss_of(n, c), color=colour, linestyle="-", label=f"C = {c:.0e}")
left.plot(np.exp(log_n), least, "o", color=RED, label="the best split")
left.set(xscale="log", ylim=(1.8, 4), xlabel="weights N", ylabel="loss (nats a token)")
left.set_title("published law: each budget has a best size")
left.legend()
tried = (16, 24, 32, 48, 64)
runs = [recorded("ladder" if w == 32 else "isoflop", w)[:3] for w in tried]
mean = [float(r.mean()) for r in runs]
error = [float(r.std() / len(r) ** 0.5) for r in runs]
ratio = [20 * (plan(32)[0] / plan(w)[0]) ** 2 for w in tried]
right.errorbar(ratio, mean, error, fmt="o-", color=BLUE, capsize=3)
right.axvline(20, color="#999999", linewidth=1)
right.set(xscale="log", xlabel="characters a weight, D / N")
right.minorticks_off()
right.set_xticks([2, 5, 20, 50, 170], "2 5 20 50 170".split())
right.set(ylabel="loss (nats a character)")
right.set_title("our network: 20 characters a weight is best (3 seeds)")
show(
    figure,
    alt="Left: three U-shaped curves of loss against model size, one for each budget; "
    "the minimum moves right and down as the budget grows. Right: loss of our network "
    "at the compute of width 32 against characters a weight.",
)

# %% [markdown]
# On the right, the compute of our run of width 32 is spent in five ways, from a narrow network that reads much to a wide one that reads little. Twenty characters a weight is the best of the five; 5 or 50 lose 0.03 to 0.04 nats, about ten times too many or too few, over 0.1. (The learning rate follows the width throughout; a longer or shorter run might want another. The narrowest network passes 1.4 times over the text.)
#
# ## 5. Five runs
#
# Now the ladder. The next cell trains the five small networks, first seed each; a record holds four more seeds, made by the same cells (`benchmarks/large_run.py`, Python 3.11, torch 2.13). The manual grows with Python's versions, so your losses may differ from the record's by some hundredths.

# %%
live = torch.tensor([train(width)[1] for width in widths], dtype=torch.float64)

# %% jupyter={"source_hidden": true}
seeds = torch.stack([recorded("ladder", w) for w in widths])  # (5 widths, 5 seeds)
print("width       N          D          C    this run   record: mean, sd of 5 seeds")
for w, loss, row in zip(widths, live, seeds, strict=True):
    n, d, *_ = plan(w)
    told = f"{row.mean():.3f} +- {row.std():.3f}"
    print(f"{w:>5} {n:>7,} {d:>10,} {6 * n * d:>10.2e}      ~{loss:.2f}   {told}")
away = lambda found: (found - seeds.mean(1)).abs().max()
check_range(
    "largest distance from the record's mean",
    away(live),
    0.0,
    0.15,
    unlike={"widths in the wrong order": away(live.flip(0))},
)


# %% [markdown]
# ## 6. A law with its error
#
# Put the mean loss $L_i$ of each size, and its standard error $s_i$, into
# $$\chi^2(E,k,\gamma)=\sum_{i=1}^5\Big(\frac{L_i-E-k\,C_i^{-\gamma}}{s_i}\Big)^2 .$$
# If the law is right and the errors are normal and known, $e^{-\chi^2/2}$ is proportional to the likelihood (lesson 03). Three unknowns need no gradient descent: **for a fixed $\gamma$ the law is a straight line** in $x=C^{-\gamma}$, with intercept $E$ and slope $k$. So solve for the line and search over $\gamma$ alone. We measure $C$ in units of the smallest run.
#
# **Your turn 3 · the fit** *(build, 10 minutes)*
#
# For one `gamma`, return $E$, $k$ and $\chi^2$ of the best law. `c`, `loss` and `error` are tensors of equal length. Divide each equation $E+k\,x_i=L_i$ by its error and solve the least squares problem (`torch.linalg.lstsq(matrix, vector).solution`, or the formulas of a weighted line). A loss is never negative, so if $E<0$, set it to 0 and find $k$ again, $k=\sum x_iL_is_i^{-2}\big/\sum x_i^2s_i^{-2}$.

# %%
def my_fit(gamma, c, loss, error):
    """The floor E >= 0 and k of the best law E + k c^-gamma, and its chi squared."""
    ...


course.exercise("large.fit", my_fit)
fit_at = course.yours("large.fit")
course.solution("large.fit")

# %%
compute = lambda width: 6 * plan(width)[0] * plan(width)[1]
c = torch.tensor([compute(w) / compute(16) for w in widths], dtype=torch.float64)
target = compute(large) / compute(16)


def mean_and_error(runs):
    """Mean of each row's seeds, and its standard error."""
    return runs.mean(1), runs.std(1) / runs.shape[1] ** 0.5


def best_law(c, loss, error):
    """E, k, chi squared and gamma of the best law."""
    gammas = torch.linspace(0.01, 0.6, 591).tolist()
    laws = [(*map(float, fit_at(g, c, loss, error)), g) for g in gammas]
    return min(laws, key=lambda law: law[2])


loss, error = mean_and_error(torch.cat([live[:, None], seeds[:, 1:]], 1))
E, k, chi2, gamma = best_law(c, loss, error)
print(f"L = ~{E:.2f} + ~{k:.2f} c^-~{gamma:.3f}, chi squared ~{chi2:.1f}")
slopes = -loss.log().diff() / c.log().diff()
print("exponent from one size to the next:", *[f"~{v:.3f}" for v in slopes])

# %% [markdown]
# Does the search find what it should? Take five points from a law that we know, at the same compute, and fit them: floor 1, factor 1.5, exponent 0.2.

# %% jupyter={"source_hidden": true}
at = lambda c, E, k, gamma: E + k * c**-gamma
known = at(c, 1.0, 1.5, 0.2)
found = best_law(c, known, torch.full_like(c, 0.01))
slope, start = np.polyfit(np.log(c), np.log(known), 1)
straight = torch.tensor([0.0, np.exp(start), -slope])
check(
    "a known law comes back: E, k, gamma",
    [found[0], found[1], found[3]],
    [1.0, 1.5, 0.2],
    atol=1e-3,
    unlike={"a straight line on log axes": straight},
)


# %% [markdown]
# **Does the law fit at all?** If it is right, $\chi^2$ is on average the number of points minus the number of unknowns, here 2. Ours is about 13. With known errors chance would give that about once in 800 times ($e^{-13.4/2}$, the tail of $\chi^2$ with two degrees of freedom). Our errors are estimated from five seeds each, which makes large values likelier: about once in 35 to 70 times, by simulation, depending on the true floor. The law is doubtful all the same. The exponents printed with the fit show the reason. From one size to the next the exponent *rises*, from 0.08 to 0.10, and under a law with a floor it can only fall: its local exponent is $\gamma\,(1-E/L)$, and $L$ falls. So the fit pushes the floor down until it meets the bound of your exercise, 0, though the entropy of a text is not 0.
#
# The spread between seeds does not contain this misfit. We do what is common where nothing better is known, and enlarge all errors by the same factor until $\chi^2$ is 2. This counts the misfit as noise. It is a stopgap, and section 8 will show whether it was enough.
#
# Which laws fit within these errors? Take a grid of floors and exponents, for each pair its best $k$, and look at $\chi^2$.

# %%
def valley(c, loss, error, target, floors=None):
    """Exponents, floors, chi squared and the loss at `target` on a grid of laws."""
    gammas = torch.linspace(0.01, 0.6, 300, dtype=torch.float64)
    if floors is None:
        floors = torch.linspace(0, 0.999 * loss.min(), 300)
    g, floor = gammas[:, None, None], floors[None, :, None].double()
    x, w = c**-g, error**-2
    k = (w * x * (loss - floor)).sum(-1, keepdim=True)
    k = k / (w * x**2).sum(-1, keepdim=True)
    chi2 = (w * (loss - floor - k * x) ** 2).sum(-1)
    return gammas, floors, chi2, (floor + k * target**-g)[..., 0]


def forecast(c, loss, error, target, floors=None, enlarge=True):
    """Mean and standard deviation at `target`, over all laws by their likelihood."""
    *_, chi2, predicted = valley(c, loss, error, target, floors)
    scale = max(1, chi2.min() / (len(c) - (3 if floors is None else 2)))
    scale = scale if enlarge else 1
    weight = torch.softmax(-chi2.flatten() / scale / 2, 0).view_as(chi2)
    mean = (weight * predicted).sum()
    return mean, (weight * (predicted - mean) ** 2).sum().sqrt()


# %% jupyter={"source_hidden": true}
gammas, floors, chi2_of, predicted = valley(c, loss, error, target)
chi2_of = (chi2_of - chi2_of.min()) / max(1, chi2_of.min() / 2)  # errors enlarged
inside = chi2_of < 3.84
ends = predicted[inside].min(), predicted[inside].max()
print(f"floors of the laws that fit: ~{floors[inside.any(0)].min():.2f}"
      f" to ~{floors[inside.any(0)].max():.2f} nats")  # fmt: skip
print(f"exponents: ~{gammas[inside.any(1)].min():.3f} to "
      f"~{gammas[inside.any(1)].max():.3f}")  # fmt: skip
print(f"their predictions for the large run: ~{ends[0]:.3f} to ~{ends[1]:.3f} nats")
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
left.contourf(gammas, floors, chi2_of.T, (0, 1, 3.84, 10),
              colors=(BLUE, SKY, "#E5E5E5"))  # fmt: skip
left.plot(gamma, E, "o", color=RED, label="best law", clip_on=False, zorder=5)
left.set(xlim=(0.05, 0.3), xlabel="exponent $\\gamma$", ylabel="floor E (nats)")
left.set_title("a valley: a higher floor, a steeper law")
left.legend(loc="lower right")
grid = torch.logspace(-0.2, float(np.log10(target)) + 0.2, 80, dtype=torch.float64)
near = inside.nonzero()
for i, j in near[:: max(1, len(near) // 60)]:
    x, w = c ** -gammas[i], error**-2
    slope = (w * x * (loss - floors[j])).sum() / (w * x**2).sum()
    curve = floors[j] + slope * grid ** -gammas[i]
    right.plot(grid, curve, color=SKY, linestyle="-", linewidth=0.6)
right.plot(grid, E + k * grid**-gamma, color=RED, linestyle="-", label="best law")
right.errorbar(c, loss, error, fmt="o", color="#222222", capsize=3, markersize=4)
right.axvspan(target * 0.85, target * 1.18, color="#CCCCCC", lw=0)
right.set(xscale="log", xlabel="compute, in units of the smallest run")
right.set(ylabel="loss (nats a character)")
right.set_title("the laws of the valley, carried on to the large run")
right.legend()
show(
    figure,
    alt="Left: contours of chi squared in exponent and floor form a long narrow band "
    "from low left to high right. Right: sixty laws from the band pass near the "
    "five points and spread out towards the large run.",
)

# %% [markdown]
# On the left, floor and exponent trade off along a narrow valley: a law with a higher floor must fall more steeply to pass near the same points. (From dark blue to grey, $\chi^2$ with enlarged errors exceeds its least value by at most 1, 3.84 and 10; 3.84 is the usual bound of 95 % for one number.) Floors from 0 to almost 1 nat lie within the bound; the runs are too close to one another in compute to tell them apart. On the right, the same laws agree wherever there is a run, and part by 0.14 nats at the large one. So **neither the floor nor the exponent should be quoted alone**, but the forecast is narrower than either: it is a mean over the valley.
#
# ## 7. The bet
#
# **Your turn 4 · a straight line** *(predict, 4 minutes)*
#
# The simplest prediction has no floor: on two logarithmic axes the loss falls on a straight line. Say the loss falls from 2.6 to 1.9 nats while compute grows 33-fold, and compute then grows 33-fold once more. Predict the loss at the end of the line, with three digits.

# %%
course.exercise("large.line", ...)  # your number in place of the dots

# %% [markdown]
# Now two forecasts from *your* five runs: over all laws with a floor, weighted by their likelihood, and over straight lines only. (All floors and exponents of the grid count as equally likely beforehand. That is a choice: with floors from 0.3 to 1.2 only, the forecast is 1.42.) Both are for one single run, so the spread between seeds, as in the largest small run, is added. (We shall score them on the mean of three, which makes them a little too cautious.) (The line falls a little below your 1.39: it is fitted to all five sizes by their errors, and the noisy first one counts least.) Then write your own: a loss in nats, and a standard deviation that says how sure you are.

# %%
one_run = seeds[-1].std()  # seeds of width 48
spread = lambda mean, std: (float(mean), float((std**2 + one_run**2).sqrt()))
bets = {
    "laws with a floor": spread(*forecast(c, loss, error, target)),
    "straight lines": spread(*forecast(c, loss, error, target, torch.zeros(1))),
}
my_bet = None  # yours, for example (1.5, 0.1): the loss, and its standard deviation
bets["yours"] = my_bet or bets["laws with a floor"]
for name, (mean, std) in bets.items():
    print(f"{name:<18} ~{mean:.3f} +- ~{std:.3f}")


# %% [markdown]
# As long as `my_bet` is `None`, the law with a floor bets in your place. Do not read on before you have written your own.
#
# ## 8. Opening the envelope: the large run
#
# How should a bet be scored? It has two numbers, and both should count: a bet of $1.5\pm0.5$ can hardly be wrong, and says little. The **log score** is the log of the density that the forecast gave to what happened; larger is better, and over many bets nobody gains by saying anything but what they believe: it is a **proper scoring rule** (lesson 03: cross-entropy is least for the true distribution).
#
# **Your turn 5 · the score** *(compute, 5 minutes)*
#
# Write the log score, in nats, of a normal forecast with mean `mean` and standard deviation `std` at `outcome`. All three are numbers.

# %%
def my_score(mean, std, outcome):
    """The log of the forecast's density at the outcome."""
    ...


course.exercise("large.score", my_score)
your_score = course.yours("large.score")
log_score = lambda *bet: float(your_score(*torch.tensor(bet, dtype=torch.float64)))
course.solution("large.score")

# %% jupyter={"source_hidden": true}
result = recorded("large", large)
outcome = float(result.mean())
print(f"The large run: {outcome:.3f} nats (sd {result.std():.3f}, {len(result)} seeds)")
bets["floor, errors as they are"] = spread(
    *forecast(c, loss, error, target, enlarge=False)
)
last = float(loss[-1])
bets["the last loss stays"] = (last, abs(last - outcome))  # the best sd, in hindsight
print("forecast                   mean      sd    error  error / sd   log score")
for name, (mean, std) in bets.items():
    off, score = outcome - mean, log_score(mean, std, outcome)
    print(
        f"{name:<25} ~{mean:.3f}  ~{std:.3f}   ~{off:+.3f}    "
        f"~{off / std:+5.1f}    ~{score:+6.1f}"
    )

# %% jupyter={"source_hidden": true}
said = [(1.5, 0.1), (1.4, 0.02), (1.6, 0.3)]
normal = torch.distributions.Normal(*torch.tensor(said).T)
check(
    "log score = log density of a normal distribution, three bets",
    [log_score(*bet, 1.45) for bet in said],
    normal.log_prob(torch.tensor(1.45)),
    atol=1e-4,
    unlike={"the density itself": normal.log_prob(torch.tensor(1.45)).exp()},
)
figure, ax = plt.subplots(figsize=(8, 3.2))
axis = torch.linspace(1.2, 1.75, 600)
colours = (GREEN, BLUE, RED, SKY, "#999999")
for (name, bet), colour in zip(bets.items(), colours, strict=True):
    density = torch.distributions.Normal(*bet).log_prob(axis).exp()
    style = ":" if name == "yours" else "-"
    ax.plot(axis, density, color=colour, linestyle=style, label=name)
ax.axvline(outcome, color="#222222", linewidth=2)
ax.plot(result, [0.5] * len(result), "|", color="#222222", markersize=12)
ax.set(xlabel="loss of the large run (nats a character)", ylabel="forecast density")
ax.set_title("Of the laws, only those with enlarged errors reach the run")
ax.legend()
show(
    figure,
    alt="Densities of the forecasts along the loss axis and the outcome as a line at "
    "1.47. Straight lines give a narrow peak near 1.36, far from it; laws with a floor "
    "a wide one near 1.40 that reaches it; the last loss a flat one to the right.",
)


# %% [markdown]
# Straight lines missed by 0.10 nats, which is six of their standard deviations, and score far below the bet that nothing changes, even though that one was given its best standard deviation in hindsight. The laws with a floor missed by 0.06, one and a half of theirs. The two means are not so different; what separates the scores is the standard deviation that each forecast claimed. The same laws *without* the enlarged errors would have been as badly wrong as the straight lines. Question 2: to about a tenth of a nat, and not to a hundredth.
#
# Look at the direction. The large run is *worse* than all forecasts from a law. Why?
#
# ## 9. A difference that nobody planned
#
# The ladder should differ from the large run in size only. It does not. The training text has 338,045 characters. The small runs read 56,000 to 323,000 of them and see none twice; the large run reads 1.9 million and passes over the text 5.6 times. Repeated text teaches less than new text. (Muennighoff et al. 2023 find up to four passes nearly as good as new text, and much less gained after about sixteen.) So the error of section 8 has two suspects: the law, and the repetition.
#
# To separate them, change the small runs. Give each a text so short that it, too, makes 5.6 passes: $1/5.6$ of the characters that it reads, whole paragraphs in random order. Now weights, characters and text all grow in proportion, from the smallest run to the large one, whose training is as before. Three seeds each, from the record.

# %% jupyter={"source_hidden": true}
def ladder(kind):
    """Mean and standard error of the record's small runs of one kind."""
    return mean_and_error(torch.stack([recorded(kind, w) for w in widths]))


ladders = {"new text": "ladder", "read 5.6 times": "repeated", "one rate": "one rate"}
told = {}
print("small runs      width 16   width 48   chi squared   forecast           error")
for name, kind in ladders.items():
    points = ladder(kind)
    mean, std = told[name] = spread(*forecast(c, *points, target))
    first, *_, final = points[0]
    chi2 = best_law(c, *points)[2]
    print(f"{name:<15} {first:.3f}      {final:.3f}    {chi2:8.1f}      "
          f"{mean:.3f} +- {std:.3f}   {outcome - mean:+.3f}")  # fmt: skip
price = ladder("repeated")[0] - ladder("ladder")[0]
print("repeated text costs, by width:", *[f"{v:.3f}" for v in price])

# %% [markdown]
# Now the forecast errs to the other side: it is too high by 0.16 nats, two standard deviations. This ladder does differ from the large run in size only, so the law itself is wrong by that much: a law with a floor flattens, and this ladder, like the first, does not flatten yet. The $\chi^2$ of 27 had warned of it, since the exponent again rises from one size to the next.
#
# The last line tells more. The two ladders differ only in how much of the text they read is new, and at each size repetition costs about 0.15 nats (each with an error of 0.01 to 0.02). That is much more than Muennighoff et al. would predict: by their law 5.6 passes count as about 5 passes of new text. Their models are far larger transformers, and their fit need not hold here. **If** repetition costs the large run as much as the run of width 48, 0.135 nats, then with new text the large run would have ended near 1.33, *below* the forecast of 1.40. **Then** the forecast was not as good as it looked. For new text it would have been about 0.07 nats too high, because a law with a floor flattens and this ladder does not yet; repetition would have made the run 0.135 nats worse, and section 8 saw only the difference of the two. Only a large run on new text could decide. A single large run cannot tell a good forecast from a lucky one.
#
# ## 10. It fails: one learning rate for all
#
# The last row of the table is a ladder with a common mistake. The large run's rate, $0.8/128=0.00625$, serves the large run; so give it to every size, and keep everything else equal. (Three seeds.) The large run itself is unchanged. Only its prediction gets worse.

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8))
for w, colour, style in ((16, SKY, "o:"), (48, BLUE, "s--")):
    factors = (0.25, 0.5, 1, 2, 4) if w == 16 else (0.5, 1, 2)
    other = lambda f: recorded("rates", w, rate=f * plan(w)[3])
    found = [(other(f) if f != 1 else recorded("ladder", w)[:3]) for f in factors]
    found = torch.stack([r.mean() for r in found])
    low = recorded("one rate", w).mean() - found.min()
    found = found - found.min()
    left.plot(factors, found, style, color=colour, label=f"width {w}")
    left.plot(0.00625 / plan(w)[3], low, "^", color=RED)
left.plot([], [], "^", color=RED, label="one rate for all")
left.axvline(1, color="#999999", linewidth=1)
left.set(xscale="log", xlabel="learning rate, in units of 0.8 / width")
left.set(ylabel="loss above the best (nats)")
left.set_title("the rule is near the best rate at both ends")
left.minorticks_off()
left.set_xticks([1 / 8, 1 / 4, 1 / 2, 1, 2, 4], "1/8 1/4 1/2 1 2 4".split())
left.legend()
looks = ((BLUE, "o", 0.85), (GREEN, "s", 1.0), (RED, "^", 1.18))
for name, (colour, mark, shift) in zip(ladders, looks, strict=True):
    style = {"fmt": mark, "color": colour, "markersize": 5}
    right.errorbar(c, *ladder(ladders[name]), label=name, **style)
    m, s = told[name]
    right.errorbar(target * shift, m, 2 * s, capsize=4, mfc="white", **style)
right.plot(target, outcome, "*", color="#222222", markersize=13, label="the large run")
right.set(xscale="log", xlabel="compute, in units of the smallest run")
right.set(ylabel="loss (nats a character)")
right.set_title("three ladders, three forecasts (open marks, 2 sd)")
right.legend()
show(
    figure,
    alt="Left: loss above the best against learning rate; width 16 has its minimum at "
    "the rule, width 48 is flat around it, and one rate for all lies far to the left "
    "for width 16. Right: loss against compute for three ladders, with open marks for "
    "their forecasts and a star for the large run, between the first two.",
)

# %% [markdown]
# This ladder fits the law **best** of the three ($\chi^2$ of 0.8 with three seeds; the first ladder has 7.6 with three), and its forecast is off by 0.14 nats, seven of its standard deviations. The rate accounts for 0.08 of them: this forecast lies that far below the first ladder's, and apart from the number of seeds the two ladders differ in nothing else. The other 0.06 is the miss of section 8, repetition included. (If section 9 is right that new text would have given about 1.33, this forecast would even have hit it: two errors that cancel.) At a rate of 0.00625 width 16 learns at an eighth of its rule and ends 0.17 to 0.18 nats too high, width 48 at three eighths and loses next to nothing. So the ladder is too steep, it happens to be straight, and its forecast is too low. Nothing in the fit reveals this. A test of the rate at both ends of the ladder does; it is shown in the left panel.
#
# There the rule is the best of five rates at width 16, and within 0.01 nats of the best of three at width 48 (three seeds each). The large run's own rate was not varied. If another one is better, the large run is a little worse than it could have been: that would be one more difference between it and the ladder.
#
# ## 11. A run that does not fit: sharding
#
# Prediction tells you that the large run is worth its price. Does it fit into memory?
#
# **Step 6. Bytes of a training run.** Adam keeps two numbers for each parameter, the running means of its gradient and of its square. In float32 a number has 4 bytes:
# $$\underbrace{4}_{\text{weight}}+\underbrace{4}_{\text{gradient}}+\underbrace{4+4}_{\text{Adam}}=16\ \text{bytes a parameter}.$$
# Here every parameter counts, embedding and biases included. (In mixed precision it is 16 as well: $2+2$ for weight and gradient, and $12$ for Adam and a float32 copy; Rajbhandari et al. 2020, section 3.1.) Question 3: $7\cdot10^9\times16$ bytes are 112 GB, before a single activation.
#
# **Step 7. Cut it.** With $P$ processes that each hold a copy, the whole 16 bytes are held $P$ times for nothing. Under **fully sharded data parallelism (FSDP)** each process keeps $1/P$ of every weight, of its gradient and of its moments. Before a layer computes, the processes send each other their parts of its weights (*all-gather*), and forget them after use. In the backward pass the gradients are averaged over the processes, and each keeps its own part (*reduce-scatter*). Each process computes on its own part of the batch. The mean over the batch is the mean of the means over equal parts, and so is its gradient, so the training is the same as in one process.
#
# What it costs: with plain data parallelism each process sends and receives about $2$ numbers for each parameter and step (an all-reduce), here about $3$: an all-gather in the forward pass, another in the backward pass, and the reduce-scatter (Rajbhandari et al. 2020, section 7). What sharding does not divide: the activations of one example (a process has fewer only because it takes fewer examples), and the one layer that is gathered at the time.
#
# **Your turn 6 · your share** *(predict, 4 minutes)*
#
# The model with 7 billion parameters is trained in float32 with Adam by 64 processes. A colleague suggests cutting only Adam's moments, since they are half of everything, and leaving weights and gradients whole in each process (stage 1 of Rajbhandari et al.). How many gigabytes ($10^9$ bytes) of weights, gradients and moments does each process then hold? Three digits.

# %%
course.exercise("large.bytes", ...)  # your number in place of the dots

# %% [markdown]
# With everything cut, it would be $112/64=1.75$ GB. In the colleague's plan the 8 bytes that are not divided make up nearly all of what each process holds.
#
# Now try it. The script in the folded cell below trains a network of the large run's size for 20 steps and writes down how many bytes its process holds. Started alone it shards nothing; started by `torch.distributed.run` it finds its number and that of all processes in the environment. On a cluster of GPUs `cpu` becomes `cuda`, and the rest stays. (It needs torch 2.6.)

# %% jupyter={"source_hidden": true}
script = '''
import json, os, sys
import torch
import torch.nn as nn

rank, size = (int(os.environ.get(k, d)) for k, d in (("RANK", 0), ("WORLD_SIZE", 1)))
torch.set_num_threads(1)
torch.manual_seed(0)
net = nn.Sequential(
    nn.Embedding(96, 32), nn.Flatten(), nn.Linear(512, 128), nn.GELU(),
    nn.Linear(128, 128), nn.GELU(), nn.LayerNorm(128, elementwise_affine=False),
    nn.Linear(128, 96))
if size > 1:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    mesh = init_device_mesh("cpu", (size,))  # all processes, in one row
    for layer in (*[m for m in net if list(m.parameters())], net):
        fully_shard(layer, mesh=mesh)
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
windows, losses = torch.load(f"{sys.argv[1]}/text.pt").unfold(0, 17, 1), []
generator = torch.Generator().manual_seed(1)  # the same in all processes
for _ in range(20):
    rows = torch.randint(len(windows), (64,), generator=generator)
    batch = windows[rows[rank::size]]  # this process's part
    loss = nn.functional.cross_entropy(net(batch[:, :-1]), batch[:, -1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
local = lambda w: w.to_local() if hasattr(w, "to_local") else w
held = lambda tensors: sum(local(t).numel() * local(t).element_size() for t in tensors)
weights = list(net.parameters())
kept = [optimizer.state[w][m] for w in weights for m in ("exp_avg", "exp_avg_sq")]
found = [held(weights), held(w.grad for w in weights), held(kept)]
with open(f"{sys.argv[1]}/{size}-{rank}.json", "w") as file:
    json.dump({"bytes": found, "losses": losses}, file)
if size > 1:
    torch.distributed.destroy_process_group()
'''

# %% jupyter={"source_hidden": true}
import os
import subprocess
import sys
import tempfile

folder = Path(tempfile.mkdtemp())
(folder / "train.py").write_text(script)
torch.save(train_text, folder / "text.pt")
launch = "-m torch.distributed.run --standalone --nproc-per-node"
sizes = (1, 2)  # try (1, 2, 4)
for size in sizes:
    how = [*launch.split(), str(size)] if size > 1 else []
    done = subprocess.run(
        [sys.executable, *how, "train.py", str(folder)],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if done.returncode:  # an old torch, or a system without gloo
        print(size, "processes did not start here:", done.stderr.splitlines()[-1])
read = lambda path: json.loads(path.read_text())
runs = {n: list(map(read, sorted(folder.glob(f"{n}-*.json")))) for n in sizes}

# %% jupyter={"source_hidden": true}
parameters = sum(p.numel() for p in network(large).parameters())
print(f"{parameters:,} parameters; bytes in each process:")
print("processes    weights    gradients    moments        all")
for size, found in runs.items():
    for row in sorted({tuple(r["bytes"]) for r in found}):
        a, b, d = row
        print(f"{size:>9} {a:>10,} {b:>12,} {d:>10,} {sum(row):>10,}")
most = sizes[-1]
if runs[most]:
    held = lambda size: [sum(r["bytes"]) for r in runs[size]]
    ideal = lambda cut, whole: parameters * (cut / most + whole)
    check(
        "bytes of each process = 16 x parameters / processes",
        held(most),
        ideal(16, 0),
        unlike={"only Adam's moments cut": ideal(8, 8)},
    )
    course_of = lambda size: np.mean([r["losses"] for r in runs[size]], 0)
    check(
        "losses of all processes = losses of one",
        course_of(most),
        course_of(1),
        atol=1e-4,
        unlike={"the first process's part alone": np.array(runs[most][0]["losses"])},
    )

# %% [markdown]
# Two processes hold a half each, to the byte, and the losses of all 20 steps agree up to rounding. (Every weight is cut by rows, and all row counts here are divisible by 4, so four processes hold a quarter each: try it. Otherwise the last process would hold a little less.) The course's own training does the same: `torchrun --nproc-per-node 8 -m genlab.cli train digits16 --size XL` shards its model with the same `fully_shard`.
#
# ## Predict first, again
#
# 1. 1.4 times, if the two exponents are equal (section 4); data then grow by 1.4, too.
# 2. To about a tenth (section 8). The law with a floor missed by only 0.06 nats, and that was partly luck (section 9).
# 3. 112 (section 11).

# %% [markdown]
# ## Going further: make the record again
#
# `python benchmarks/large_run.py` trains every run that the record lacks, with the cells of this notebook, and writes each when it ends. Delete `genlab_course/data/large_run.json` and start it: about six minutes of one processor. Each run in the file has its kind, width, seed, loss and seconds.
#
# ## Project: predict a larger run
#
# *(2 to 3 hours)* Predict a run of width 192, 4.6 times the compute of the large one (about three minutes on one processor), from the runs of this notebook and the record, *before* you make it. Write down mean and standard deviation, and which runs you use. Then train it with `train(192)`, three seeds. **Target: a log score above 2 nats**, which asks for an error below 0.033 nats and a standard deviation that says so. (The course has not made this run.) Hand in the forecast with its date, the script, the score, and a paragraph: this run passes 12 times over the text. What did you do about it? (Muennighoff et al. 2023 replace the number of characters by a smaller *effective* one.)
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz("predict_the_large_run")

# %% [markdown]
# ## Summary
#
# 1. A large run is paid for only once, so it is planned on small ones that differ from it in size only.
# 2. Forward costs 2 operations for each weight and example, backward 4: $C=6ND$.
# 3. At the best split of a budget, $\alpha A/N^\alpha=\beta B/D^\beta$. For nearly equal exponents model and data grow alike.
# 4. Then the loss is a power law with a floor, $L=E+k\,C^{-\gamma}$.
# 5. For a fixed exponent the law is a straight line, so the fit is a search over one number.
# 6. Floor and exponent trade off along a valley. The prediction is a mean over the valley, with an error.
# 7. A bet has a mean and a standard deviation, and the log score counts both.
# 8. What the ladder does not share with the large run (repeated text, a rate that fits one size) moves the prediction, and no error bar of the fit includes it.
# 9. The learning rate needs a rule for the width; $1/w$ serves Adam.
# 10. A training run in float32 with Adam holds 16 bytes a parameter; sharding divides them by the number of processes.
#
# | paradigm | objective | sampler | NFE | likelihood | costs |
# |---|---|---|---|---|---|
# | autoregressive, at any size | cross-entropy | token by token | one a token | exact | $6ND$ operations, 16 bytes a parameter |
#
# **What production systems add.** Batch size and its own scaling (Kaplan et al. 2020, section 5.1); training far beyond twenty tokens a parameter, because a smaller model is cheaper to serve (Sardana et al. 2024, Gadre et al. 2024); forecasts of benchmark scores, not only of the loss (Ruan et al. 2024); scaling laws for the number of bits (Kumar et al. 2024). Fits disagree more often than their error bars admit: Besiroglu et al. (2024) refitted the published points of Hoffmann et al. and found nearly equal exponents, 0.35 and 0.37, and intervals that were far too narrow; Porian et al. (2024) trace the disagreement between Kaplan et al. and Hoffmann et al. to the last layer's cost, the warm-up, and rates that were not tuned for each size.
#
# ## Sources
#
# - Bengio, Ducharme, Vincent and Jauvin 2003, "A Neural Probabilistic Language Model" (JMLR 3): the network.
# - Hestness et al. 2017, "Deep Learning Scaling is Predictable, Empirically" (arXiv:1712.00409): power laws with a floor, in four fields.
# - Kaplan et al. 2020, "Scaling Laws for Neural Language Models" (arXiv:2001.08361): section 2.1 ($C\approx6N$ operations a token), eqs. 1.1 to 1.3.
# - Hoffmann et al. 2022, "Training Compute-Optimal Large Language Models" (arXiv:2203.15556): eq. 2 (the law), 4 (the best split), 10 (the fitted numbers).
# - Yang et al. 2022, "Tensor Programs V" (arXiv:2203.03466): table 3, rates by width.
# - Muennighoff et al. 2023, "Scaling Data-Constrained Language Models" (arXiv:2305.16264).
# - OpenAI 2023, "GPT-4 Technical Report" (arXiv:2303.08774): section 3.
# - Besiroglu, Erdil, Barnett and You 2024, "Chinchilla Scaling: A replication attempt" (arXiv:2404.10102); Porian et al. 2024, "Resolving Discrepancies in Compute-Optimal Scaling of Language Models" (arXiv:2406.19146); Pearce and Song 2024, "Reconciling Kaplan and Chinchilla Scaling Laws" (arXiv:2406.12907).
# - Sardana et al. 2024 (arXiv:2401.00448), Gadre et al. 2024 (arXiv:2403.08540), Ruan, Maddison and Hashimoto 2024 (arXiv:2405.10938), Kumar et al. 2024 (arXiv:2411.04330).
# - Rajbhandari, Rasley, Ruwase and He 2020, "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models" (arXiv:1910.02054): sections 3.1 and 7; Zhao et al. 2023, "PyTorch FSDP" (arXiv:2304.11277).
