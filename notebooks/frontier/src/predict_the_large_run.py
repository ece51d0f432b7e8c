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

import numpy as np
import torch

import genlab_course as course
from genlab_course.figures import predict_the_large_run as draw
from genlab_course.figures import show

course.begin("predict_the_large_run")
place = Path(course.__file__).parent / "data" / "large_run.json"
record = json.loads(place.read_text(encoding="utf-8"))


def recorded(kind, width, **more):
    """Losses of the record's runs of one kind and width, one for each seed."""
    asked = {"kind": kind, "width": width} | more
    found = [r["loss"] for r in record["runs"] if asked.items() <= r.items()]
    return torch.tensor(found, dtype=torch.float64)


widths, large = (16, 24, 32, 40, 48), 128
weights = [5 * w**2 + 96 * w for w in (*widths, large)]
cost = [(n / weights[0]) ** 2 for n in weights]
shown = [float(recorded("ladder", w).mean()) for w in widths]
show(
    draw.three_laws(np.array(cost[:-1]), np.array(shown), cost[-1]),
    alt="Five dots fall from a loss of 2.6 to 1.9 nats. A law with a floor, a power "
    "law and a straight line pass near all of them and part towards a grey bar with a "
    "question mark, 34 times further to the right: they end near 1.6, 1.4 and 1.2.",
)

# %% [markdown]
# Each dot is a small language model, trained for a few seconds. Each curve is a law that passes near all five. The question mark stands for a run that costs 34 times as much as the largest of them. That run has been made. Its loss stays in an envelope until section 8: write down what you expect before you open it.
#
# Large models are planned like this. The run that matters can be paid for only once, so its loss is predicted from runs that cost almost nothing. *How do you predict a run that you cannot afford to try, and how far can you trust the prediction?*
#
# **After this notebook you will be able to**
#
# - *derive* what a training run costs, $C=6ND$, and *check* it with a counter;
# - *derive* how a budget should be split between model and data;
# - *fit* a scaling law with its error, and *bet* on a run before you see it;
# - *name* what makes a ladder of small runs predict badly, and *measure* it.
#
# You need lesson 02 (language models, cross-entropy) and the normal likelihood of lesson 03.
#
# Two sittings of about 70 and 75 minutes, exercises included; the cells run in 35 seconds.
#
# ## Predict first
#
# Three questions. Your answers are kept, and shown again where the notebook answers them.
#
# 1. You have twice the compute. How many times as many weights should the model get: `1` (everything goes into more data), `1.4` or `2`?
# 2. You fit a power law with a floor to five small runs. By how much will its forecast for the large run be off, in nats: about `0.01`, `0.05` or `0.2`?
# 3. The learning rate of our runs falls with their size. Suppose every small run is trained at the large run's rate instead. Compared with the forecast from our small runs, will the new forecast for the large run be `"lower"`, `"higher"` or `"the same"`?

# %%
course.exercise("large.predict-split", ...)  # your answers in place of the dots
course.exercise("large.predict-miss", ...)
course.exercise("large.predict-shift", ...)

# %%
course.draw_map("predict_the_large_run", slim=True)

# %% [markdown]
# ## 1. What does a small run look like?
#
# Before you predict runs, make one. You need a language model that can be made larger by turning one knob. Take a network modelled on one of the first neural language models (Bengio et al. 2003). It looks up a vector for each of the last 16 characters, puts the vectors side by side, and passes them through two hidden layers to 96 **logits**, one for each possible next character. The knob is the **width** $w$ of the hidden layers; a character's vector has $w/4$ numbers.
#
# The text is the reference manual of Python 3.11, 338,045 characters of it for training. A twentieth of its paragraphs is held out, and the loss of a run is always the mean over all of the held-out text.

# %%
from torch import nn
from torch.nn import functional as F

from genlab.data.text import load_text


def encode(text):
    """Characters as numbers: newline 0, space 1, ..., ~ 95."""
    return (torch.tensor(list(text.encode("ascii"))) - 31).clamp(min=0)


train_text, held_out = encode(load_text("train")), encode(load_text("val"))


def network(width):
    """Logits of the next character, from the last 16."""
    return nn.Sequential(
        nn.Embedding(96, width // 4),         # (b, 16, w/4)
        nn.Flatten(),                         # (b, 4 w)
        nn.Linear(16 * (width // 4), width),  # (b, w)
        nn.GELU(),
        nn.Linear(width, width),              # (b, w)
        nn.GELU(),
        nn.LayerNorm(width, elementwise_affine=False),
        nn.Linear(width, 96),                 # (b, 96)
    )


# %% [markdown]
# Training is the loop of lesson 02, with Adam. The rate rises over the first twentieth of the steps and then falls linearly to 0, because a run is compared at its *end*: a loss read off half-way down a longer schedule is too high. Each **epoch**, a pass over the text, takes its characters in a new random order.

# %%
def train(width, rate, steps, seed=0, text=train_text):
    """A trained network, its loss on held-out text, and the loss of each batch."""
    torch.manual_seed(seed)
    net = network(width)
    optimizer = torch.optim.Adam(net.parameters(), betas=(0.9, 0.95), fused=True)
    windows = text.unfold(0, 17, 1)  # (n, 17): 16 characters, and the one that follows
    epochs = -(-64 * steps // len(windows))  # rounded up
    order = torch.cat([torch.randperm(len(windows)) for _ in range(epochs)])
    losses = torch.zeros(steps)
    for i in range(steps):
        batch = windows[order[64 * i : 64 * (i + 1)]]  # (64, 17)
        warm, left = min(1, (i + 1) / (0.05 * steps)), 1 - i / steps
        optimizer.param_groups[0]["lr"] = rate * warm * left
        loss = F.cross_entropy(net(batch[:, :-1]), batch[:, -1])
        losses[i] = loss.detach()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    windows = held_out.unfold(0, 17, 1)
    with torch.no_grad():
        loss = F.cross_entropy(net(windows[:, :-1]), windows[:, -1])
    return net, loss.item(), losses


small, small_loss, falling = train(16, rate=0.05, steps=880)


# %% jupyter={"source_hidden": true}
@torch.no_grad()
def write(net, rows=8, seed=0):
    """Text drawn character by character, in rows of 40."""
    generator = torch.Generator().manual_seed(seed)
    text = encode("The following is an")[:16]
    for _ in range(40 * rows):
        chances = net(text[None, -16:]).softmax(-1)  # (1, 96)
        text = torch.cat([text, torch.multinomial(chances, 1, generator=generator)[0]])
    drawn = "".join(chr(i + 31) for i in text[16:].tolist()).replace("\x1f", " ")
    return "\n".join(drawn[40 * i : 40 * (i + 1)] for i in range(rows))


# %% jupyter={"source_hidden": true}
letters = torch.bincount(train_text, minlength=96) / len(train_text)
levels = {
    "every character alike": float(np.log(96)),
    "the frequency of each character": float(-(letters[held_out] + 1e-9).log().mean()),
    "this run, on the held-out text": small_loss,
}
show(
    draw.first_run(
        64 * 20 * np.arange(1, 45),
        falling.view(44, 20).mean(1).numpy(),
        levels,
        write(small),
    ),
    alt="Left: the loss of the batches falls from 4.1 to 2.5 nats within 56,000 "
    "characters, below the level of letter frequencies. Right: eight lines of letters "
    "and blanks in the lengths of words, with some short English words.",
)

# %% [markdown]
# That was one second of computing. The model knows which letters follow which, and how long a word is. Its last batches lie below the held-out line, although it has read nothing twice: the held-out paragraphs are a little harder. The rest of this notebook asks how much better a run gets, for how much more compute.
#
# ## 2. What does a run cost?
#
# Seconds depend on the machine. So compute is counted in **floating-point operations (FLOPs)**, which are additions and multiplications. Count the weights first. The three matrices of the network hold
# $$N=\underbrace{4w\cdot w}_{\text{first}}+\underbrace{w\cdot w}_{\text{second}}+\underbrace{96\,w}_{\text{logits}}=5w^2+96\,w. \tag{1}$$
# This is the $N$ of the whole notebook. The $24\,w$ numbers of the embedding are not in it, because looking them up multiplies nothing, and neither are the biases. Kaplan et al. (2020) leave out the embedding as well; Hoffmann et al. (2022) count it, which on small models changes the fitted exponents (Pearce and Song 2024).
#
# **Step 1. Forward.** A layer computes $y=Wx$. Each weight takes part in one multiplication and one addition: 2 operations for each example.
#
# **Step 2. Backward.** Let $g=\partial\ell/\partial y$. The gradient of the weights, $g\,x^\top$, takes one multiplication for each weight and one addition to the sum over the batch. The gradient for the layer below, $W^\top g$, is a matrix times a vector again. That makes 4 operations a weight. With $D$ examples, here one for each character that is predicted,
# $$C=\underbrace{2ND}_{\text{forward}}+\underbrace{4ND}_{\text{backward}}=6ND \tag{2}$$
# (Kaplan et al. 2020, section 2.1). Activations, normalisation, biases and Adam are neglected.
#
# PyTorch can count the operations of all matrix products while they run. What would differ if somebody counted the embedding among the weights, or took the backward pass to be as cheap as the forward pass?

# %% jupyter={"source_hidden": true}
from torch.utils.flop_counter import FlopCounterMode

from genlab_course import check, check_range, widgets

net, batch = network(32), train_text[: 64 * 17].view(64, 17)
with FlopCounterMode(display=False) as counter:
    F.cross_entropy(net(batch[:, :-1]), batch[:, -1]).backward()
with FlopCounterMode(display=False) as forward, torch.no_grad():
    net(batch[:, :-1])
every = sum(p.numel() for p in net.parameters())
check(
    "operations of one step: counted = 6 N x batch",
    counter.get_total_flops(),
    6 * weights[2] * len(batch),
    unlike={
        "embedding and biases counted": 6 * 64 * every,
        "backward as cheap as forward": 2 * forward.get_total_flops(),
    },
)


# %% [markdown]
# The formula is exact here, because even the first matrix passes a gradient back, to the embedding. With embedding and biases among the weights it would say 3.5 million operations, and with a backward pass as cheap as the forward pass 2.1 million.
#
# ## 3. How should a budget be split?
#
# A fixed compute $C$ (a **budget**) buys a large model that reads little, or a small one that reads much. It is the choice between a clever student with one book and a dull one with a library. Which is better? The best choice is called the **compute-optimal** one.
#
# **Step 3. Two sources of error.** Hoffmann et al. (2022, eq. 2), in the paper on the model **Chinchilla**, describe the loss by
# $$L(N,D)=E+\frac A{N^\alpha}+\frac B{D^\beta}. \tag{3}$$
# The second term says that a model with $N$ weights cannot express the best predictor, and the third that $D$ characters do not determine it. The **floor** $E$, or **irreducible loss**, is what no model *of this family* gets below. Ours sees 16 characters, so its floor is the uncertainty that is left after 16 characters, which is more than the entropy of the text. The formula describes their 400 runs well; it is not derived from anything.
#
# **Step 4. The condition.** Minimise $L$ with $6ND=C$ held fixed. Change $\log N$ by a small $\delta$; then $\log D$ changes by $-\delta$. Since $\frac{d}{d\log N}N^{-\alpha}=-\alpha N^{-\alpha}$,
# $$\frac{dL}{d\log N}=-\alpha\frac A{N^\alpha}+\beta\frac B{D^\beta}=0\qquad\Longleftrightarrow\qquad\alpha\,\frac A{N^\alpha}=\beta\,\frac B{D^\beta}. \tag{4}$$
# At the best split one per cent more model gains as much as one per cent more data.
#
# **Your turn 1 · the split** *(derive, 8 minutes)*. Put $D=C/(6N)$ into equation (4), solve for $N$, and write the function. All arguments are numbers.

# %%
def my_split(c, a, b, alpha, beta):
    """The best N and D for c operations; a and b are the factors A and B."""
    ...


course.exercise("large.split", my_split)
best_split = course.yours("large.split")
course.solution("large.split")

# %% [markdown]
# **Step 5. What the best split gives.** Your $N$ grows like $C^{\beta/(\alpha+\beta)}$ and $D$ like $C^{\alpha/(\alpha+\beta)}$. Put them into the two error terms of equation (3). Both become a constant times the same power of $C$, so
# $$L_{\text{best}}(C)=E+k\,C^{-\gamma},\qquad\gamma=\frac{\alpha\beta}{\alpha+\beta}. \tag{5}$$
# This is the **scaling law** that you will fit: a power law with a floor, three numbers. If $\alpha=\beta$, then $N$ and $D$ both grow like $\sqrt C$, and the ratio $D/N$ is the same at every size. Hoffmann et al. estimate 0.34 and 0.28 (their eq. 10), which are nearly equal. A fixed ratio that is *not* the best one gives a law of the same form when $\alpha=\beta$, with another $k$.
#
# The check searches for the best $N$ numerically, with their numbers, and compares it with your formula. What would a formula with exchanged exponents give? The check also looks at the losses: does the exponent of equation (5) come out, or rather half the mean of the two exponents?

# %% jupyter={"source_hidden": true}
from scipy.optimize import minimize_scalar

E, A, B, alpha, beta = 1.69, 406.4, 410.7, 0.34, 0.28  # Hoffmann et al. 2022, eq. 10


def law(n, c):
    """Equation (3) at the budget c."""
    return E + A / n**alpha + B / (c / (6 * n)) ** beta


def searched(c):
    """log N and loss at the best split, by Brent's method on log N."""
    tight = {"bounds": (5, 40), "method": "bounded", "options": {"xatol": 1e-10}}
    found = minimize_scalar(lambda log_n: law(np.exp(log_n), c), **tight)
    return found.x, found.fun


def by_formula(*given):
    """log N of your best split at each budget."""
    settings = [torch.tensor((c, *given), dtype=torch.float64) for c in budgets]
    return np.log([float(best_split(*setting)[0]) for setting in settings])


budgets = np.array([1e19, 1e21, 1e23])
log_n, least = np.array([searched(c) for c in budgets]).T

# %% jupyter={"source_hidden": true}
check(
    "log N of the best split = numerical search",
    by_formula(A, B, alpha, beta),
    log_n,
    atol=1e-4,
    unlike={
        "exponents exchanged": by_formula(A, B, beta, alpha),
        "equal errors, not equal slopes": by_formula(A / alpha, B / beta, alpha, beta),
    },
)
check(
    "exponent of the best loss = alpha beta / (alpha + beta)",
    -np.diff(np.log(least - E)) / np.diff(np.log(budgets)),
    alpha * beta / (alpha + beta),
    atol=1e-6,
    unlike={"half the mean of the two": (alpha + beta) / 4},
)

# %% jupyter={"source_hidden": true}
tried = (16, 24, 32, 48, 64)
runs = [recorded("ladder" if w == 32 else "isoflop", w)[:3] for w in tried]
several = [[float(r.mean()), float(r.std() / len(r) ** 0.5)] for r in runs]
sizes = np.geomspace(3e7, 3e11, 200)
show(
    draw.budgets(
        sizes,
        {f"$C=10^{{{np.log10(c):.0f}}}$": law(sizes, c) for c in budgets},
        (np.exp(log_n), least),
        [20 * (weights[2] / (5 * w**2 + 96 * w)) ** 2 for w in tried],
        np.array(several).T,
    ),
    alt="Left: three U-shaped curves of loss against model size, one for each budget; "
    "the minimum moves right and down as the budget grows. Right: loss of our network "
    "at the compute of width 32 against characters a weight, lowest at 20.",
)

# %% jupyter={"source_hidden": true}
course.predicted("large.predict-split", "1.4 times, the square root of 2")


# %% [markdown]
# With the exponents exchanged, the model for $10^{21}$ operations would be 48 times too large. The exponent of equation (5) does come out, 0.154, and not half the mean, 0.155. On the left, a hundred times the budget moves the best size to the right by a factor of 8, and the valley around it is flat: at $10^{21}$ a model of twice the best size loses 0.015 nats.
#
# On the right, the compute of our run of width 32 is spent in five ways, three seeds each. Such a curve is called an **isoFLOP profile**. Twenty characters a weight, the ratio that Chinchilla made a rule of thumb for tokens, is the best of the five; 5 or 50 lose 0.03 to 0.04 nats. Besides the split, two things vary: the learning rate follows the width by the rule of the next section, and the run furthest to the right goes 1.4 times over the text.
#
# ## 4. A ladder of small runs
#
# A **ladder** is a row of small runs that differ from the large one in size only. What has to change with the size must then change by a rule, and the large run must follow it too. Ours are these:
#
# - *Data.* Each run reads $D=20N$ characters, so it costs $C=120N^2$ operations.
# - *Steps.* One step reads a batch of 64 characters, each with the 16 before it.
# - *Learning rate.* $0.8/w$. The next step says why. This is the rule for Adam's hidden matrices in the **maximal update parametrisation (µP)**, given here to all weights, which lets a rate found on a small model serve a large one: **hyperparameter transfer** (Yang et al. 2022, table 3).
#
# **Step 6. Why $1/w$.** A unit computes $y_i=\sum_jW_{ij}\,x_j$ over $w$ inputs. With $g_i=\partial\ell/\partial y_i$, the gradient of the weight $W_{ij}$ is $g_i\,x_j$. Adam moves each weight by about $\eta$ against the sign of its gradient, so
# $$\Delta y_i=\sum_{j=1}^w\Delta W_{ij}\,x_j\approx-\eta\,\operatorname{sign}(g_i)\sum_{j=1}^w|x_j|. \tag{6}$$
# All $w$ terms push the same way. So the change of a unit grows with $w$, unless the rate falls like $1/w$.
#
# **Your turn 2 · a plan with faults** *(repair, 8 minutes)*. The function below plans a run: the number of weights, the number of characters, the number of steps (a whole number, rounded down) and the learning rate. It runs without an error, and it breaks **three** of the rules. Repair it. The steps and rates of all runs below are those of *your* plan.

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
# Now train the ladder. Your five runs take about ten seconds. A record holds five seeds of each, made by the cells of this notebook; in what follows your runs take the place of its seed 0.

# %%
def run(width, seed=0):
    n, characters, steps, rate = plan(width)
    return train(width, rate, steps, seed)[:2]


finished = [run(width) for width in widths]
live = torch.tensor([loss for _, loss in finished], dtype=torch.float64)  # (5,)

# %% jupyter={"source_hidden": true}
seeds = torch.stack([recorded("ladder", w) for w in widths])  # (5 widths, 5 seeds)
print("width       N          D          C    this run   record: mean, sd of 5 seeds")
for w, loss, row in zip(widths, live, seeds, strict=True):
    n, d, *_ = plan(w)
    told = f"{row.mean():.3f} +- {row.std():.3f}"
    print(f"{w:>5} {n:>7,} {d:>10,} {6 * n * d:>10.2e}      ~{loss:.2f}   {told}")


def mean_and_error(runs):
    """Mean of each row's seeds, and its standard error."""
    return runs.mean(1), runs.std(1) / runs.shape[1] ** 0.5


def compute(width):
    """Operations of a planned run, in units of the smallest."""
    return (plan(width)[0] / plan(16)[0]) ** 2


def furthest(found):
    """The largest distance from the record's means, in units of four sd of seeds."""
    return ((found - seeds.mean(1)).abs() / (4 * seeds.std(1))).max()


jumpy = recorded("rates", 16, rate=0.1).mean()  # twice the rule's rate
check_range(
    "largest distance from the record, in units of 4 sd",
    furthest(live),
    0.0,
    1.0,
    unlike={"width 16 at twice its rate": furthest(torch.cat([jumpy[None], live[1:]]))},
)

# %% jupyter={"source_hidden": true}
show(
    draw.written({f"width {w}": write(finished[i][0]) for i, w in ((2, 32), (4, 48))}),
    alt="Eight lines of text each, drawn from the runs of width 32 and 48: more of "
    "their words exist than of those that the run of width 16 wrote.",
)

# %% [markdown]
# Both write more words that exist than your first run did. Twice the width is about three times the weights and nine times the compute here; for wide networks it would be four and sixteen times. From $w=16$ to $w=48$ compute grows 33-fold, and from there to $w=128$ it grows 34-fold. On a logarithmic axis you are about to extrapolate by as much again as the whole ladder spans.
#
# Does the ladder differ in size only? Nearly. Three suspects are easy to see. The output layer holds 55 % of the weights at width 16, 29 % at 48 and 13 % at 128. The seeds of width 16 spread about three times as widely as the others. And 20 characters a weight was the best ratio at width 32; that it is the best at every size is assumed. (The context of 16 characters and the two layers are the same in all runs, the large one included. They belong to the floor.)
#
# **Your turn 3 · a fourth suspect** *(compute, 3 minutes)*. The training text has 338,045 characters. How many epochs does the large run make? The small runs make less than one. Three digits. (Tempting: its weights, or its steps, over the characters.)

# %%
course.exercise("large.epochs", ...)  # your number in place of the dots


# %% [markdown]
# Keep that number in mind for your bet.
#
# End the sitting with two runs on paper. In units of the smallest run's compute: at 1 the loss is 2.6 nats, at 33 it is 1.9. What will it be after another factor of 33? A straight line against $\log C$ takes off 0.7 again: **1.20**. A power law multiplies by $1.9/2.6$ again: **1.39**. A power law with a floor at 1 does this to what lies *above* the floor: $1+1.6\cdot(0.9/1.6)^2$, which is **1.51**.
#
# **Pause.** You have a plan, five runs that follow it, and three answers. Two runs cannot choose between them. Can five? The second sitting turns them into a bet.
#
# ## 5. How do you fit a law?
#
# **Step 7. Measure the misfit.** From here on compute is counted in units of the smallest run and written $c$. That changes $k$, which becomes the loss above the floor at $c=1$, and nothing else. Put the mean loss $L_i$ of each size and its standard error $s_i$ into
# $$\chi^2(E,k,\gamma)=\sum_{i=1}^5\Big(\frac{L_i-E-k\,c_i^{-\gamma}}{s_i}\Big)^2 , \tag{7}$$
# called chi-squared. If the law is right and the errors are normal and known, $e^{-\chi^2/2}$ is proportional to the likelihood of lesson 03.
#
# **Step 8. One number to search.** For a fixed $\gamma$ the law is a straight line in $x=c^{-\gamma}$, with intercept $E$ and slope $k$. Least squares solves a line in closed form, so only $\gamma$ has to be searched. On the two runs of section 4 with $\gamma=0.1646$: $x$ is 1 and $33^{-0.1646}$, which is 0.5625, the slope is $0.7/0.4375=1.6$ and the intercept $2.6-1.6=1$.
#
# **Your turn 4 · the fit** *(build, 12 minutes)*. For one `gamma`, return $E$, $k$ and $\chi^2$ of the best law. `c`, `loss` and `error` are tensors of equal length. Divide each equation $E+k\,x_i=L_i$ by its error and solve the least squares problem, with `torch.linalg.lstsq(matrix, vector).solution` or the formulas of a weighted line. A loss is never negative, so if $E<0$, set it to 0 and find $k$ again, $k=\sum x_iL_is_i^{-2}\big/\sum x_i^2s_i^{-2}$.

# %%
def my_fit(gamma, c, loss, error):
    """The floor E >= 0 and k of the best law E + k c^-gamma, and its chi squared."""
    ...


course.exercise("large.fit", my_fit)
fit_at = course.yours("large.fit")
course.solution("large.fit")


# %%
def best_law(c, loss, error):
    """E, k, chi squared and gamma of the best law."""
    gammas = torch.linspace(0.01, 0.6, 591).tolist()
    laws = [(*map(float, fit_at(g, c, loss, error)), g) for g in gammas]
    return min(laws, key=lambda law: law[2])


c = torch.tensor([compute(w) for w in widths], dtype=torch.float64)  # (5,)
target = torch.tensor(compute(large), dtype=torch.float64)
loss, error = mean_and_error(torch.cat([live[:, None], seeds[:, 1:]], 1))
best = best_law(c, loss, error)
print("L = ~{0:.2f} + ~{1:.2f} c^-~{3:.3f}, chi squared ~{2:.1f}".format(*best))

# %% [markdown]
# Does your search find what it should? Take five points from a law that we know, with unequal errors, and spoil the one point whose error is huge. The law should come back as if nothing had happened. Losses on a straight line against $\log C$, which would need a floor far below 0, should be answered with a floor at 0. What would a fit that ignores the errors say, or one that has no bound?

# %% jupyter={"source_hidden": true}
known = 1 + 1.5 * c**-0.2
spoilt = known + torch.tensor([0.0, 0.3, 0.0, 0.0, 0.0])
errors = torch.tensor([0.02, 1e4, 0.01, 0.01, 0.005], dtype=torch.float64)
found = best_law(c, spoilt, errors)
equal = best_law(c, spoilt, torch.full_like(c, 0.01))
below = best_law(c, 2.6 - 0.2 * c.log(), torch.full_like(c, 0.01))
check(
    "a known law comes back (E, k, gamma), and a floor below 0 as 0",
    [found[0], found[1], found[3], below[0]],
    [1.0, 1.5, 0.2, 0.0],
    atol=1e-2,
    unlike={
        "errors ignored": [equal[0], equal[1], equal[3], below[0]],
        "no bound": [found[0], found[1], found[3], -17.7],
    },
)


# %% [markdown]
# With the errors ignored the spoilt point would drag the law away, and without a bound the floor of the straight line would be $-17.7$.
#
# **Does the law fit?** Each squared error in (7) has the mean 1, and each fitted number uses up one of them. Five points and three unknowns leave 2 **degrees of freedom**, so $\chi^2$ would be about 2 if the errors were known. They are estimated from five seeds each, and one that came out too small counts too much: about 3 is usual, as section 6 will count. Ours is about 13. And the floor of the best law is 0, which is absurd: it says that text can be predicted with certainty. Why does the fit want that? Look at the slope on two logarithmic axes.
#
# **Your turn 5 · the local exponent** *(derive, 5 minutes)*. For the law (5), with floor $E$, what is $-\,d\log L/d\log C$? Write it as a function of $L$, $E$ and $\gamma$. On paper it gives 0.101 at a loss of 2.6 with floor 1 and $\gamma=0.1646$.

# %%
def my_exponent(loss, floor, gamma):
    """- d log L / d log C of the law floor + k C^-gamma, where its value is `loss`."""
    ...


course.exercise("large.local-exponent", my_exponent)
local_exponent = course.yours("large.local-exponent")
course.solution("large.local-exponent")

# %% jupyter={"source_hidden": true}
step = 1e-5
ends = [torch.log(1 + 1.5 * (c * np.exp(s)) ** -0.2) for s in (-step, step)]
slope = (ends[0] - ends[1]) / (2 * step)
check(
    "local exponent = a difference quotient of log L",
    torch.stack([torch.as_tensor(local_exponent(v, 1.0, 0.2)) for v in known]),
    slope,
    atol=1e-8,
    unlike={"the floor forgotten": torch.full_like(c, 0.2)},
)
between = -loss.log().diff() / c.log().diff()
off = ((error / loss)[1:] ** 2 + (error / loss)[:-1] ** 2) ** 0.5 / c.log().diff()
print("measured exponents:", *[f"~{v:.3f}" for v in between])
print("their errors:      ", *[f"~{v:.3f}" for v in off])
middle = (loss[1:] + loss[:-1]) / 2
said = [float(local_exponent(v, 0.7, 0.15)) for v in middle]
print("a law with floor 0.7:", *[f"~{v:.3f}" for v in said])


# %% [markdown]
# Under a law with a floor the local exponent can only *fall*, because $L$ falls towards $E$. Ours *rises*, from 0.08 to 0.10, by three times its error. So our five runs ask for a floor below 0, and your bound refuses it. How strongly do they ask? Fit the straight line against $\log c$, the first law of the two runs on paper. It has two parameters only. Measure $\log c$ from the target, and its forecast is its intercept, whose error `polyfit` knows.

# %%
def log_law(c, loss, error, target):
    """Forecast of a - b log c: its mean, its standard deviation, and chi squared."""
    x = (c / target).log()  # 0 at the target: there the line's value is its intercept
    line, covariance = np.polyfit(x, loss, 1, w=1 / error, cov="unscaled")
    chi2 = (((loss - line[1] - line[0] * x) / error) ** 2).sum()
    return line[1], covariance[1, 1] ** 0.5, chi2


*_, chi2_log = log_law(c, loss, error, target)
print(f"straight line: chi squared ~{chi2_log:.1f} with 3 degrees of freedom")

# %% [markdown]
# Less than 1: the straight line fits the ladder *perfectly*, with one unknown fewer. It also says that some larger run will have a loss of less than nothing. Remember that when you open the envelope with the large run's loss.
#
# ## 6. How sure may you be?
#
# **Step 9. From one law to all that fit.** The best law alone says nothing about the error of a forecast. Take a grid of floors between 0 and the lowest loss, and of exponents between 0.01 and 0.6. Before the runs, all of its laws count alike, which is a flat **prior**. Weight each by its likelihood, with its best $k$, and average their predictions. The first function below finds the best $k$ of each law; the average is yours.

# %%
gammas = torch.linspace(0.01, 0.6, 200, dtype=torch.float64)


def laws_near(c, loss, error, floors):
    """The best k for each exponent and floor, and its chi squared: two tables."""
    x = c ** -gammas[:, None, None]  # (200, 1, 5)
    above = loss - floors[None, :, None]  # (1, f, 5)
    weight = error**-2  # (5,)
    k = (weight * x * above).sum(-1) / (weight * x**2).sum(-1)  # (200, f)
    return k, (weight * (above - k[..., None] * x) ** 2).sum(-1)  # (200, f) both


# %% [markdown]
# **Your turn 6 · the average over the laws** *(compute, 5 minutes)*. `chi2` and `predicted` are tables of equal shape with an entry for each law. Give each law a weight proportional to its likelihood $e^{-\chi^2/2}$, so that all weights sum to 1. Return the mean of the predictions and their standard deviation around it. On paper: two laws with $\chi^2$ of 2 and $2+2\log3$ have the weights $3/4$ and $1/4$. If they predict 1.2 and 1.6, the forecast is $1.3\pm0.173$. Every forecast below is made with *your* average.

# %%
def my_average(chi2, predicted):
    """Mean and standard deviation of the predictions, weighted by the likelihood."""
    ...


course.exercise("large.average", my_average)
average = course.yours("large.average")
course.solution("large.average")


# %% [markdown]
# **Step 10. The misfit counts, too.** With our errors as they are the forecast would be far too sure, because no law of the grid fits. So enlarge all errors by the factor that brings the least $\chi^2$ down to its degrees of freedom. This treats the misfit as noise, which is a stopgap.

# %%
def forecast(c, loss, error, target, floors=None):
    """Mean and standard deviation at `target` over all laws, by their likelihood."""
    unknowns = 3 if floors is None else 2
    if floors is None:
        floors = torch.linspace(0, 0.999, 200, dtype=torch.float64) * loss.min()
    k, chi2 = laws_near(c, loss, error, floors)
    predicted = floors + k * target ** -gammas[:, None]  # (200, f)
    scale = max(1, chi2.min() / (len(c) - unknowns))
    return average(chi2 / scale, predicted)


# %% [markdown]
# Can you trust these error bars *when the law is right*? Make 200 ladders from a known law, five seeds of each size with the spread of ours, and count how often the truth lies within one standard deviation. For an honest normal forecast that is 68 %. We do it for two laws: one with a floor at 1, and one with a floor at 0, like the law that your fit returned. What would you count if the spread over floors were left out?

# %% jupyter={"source_hidden": true}
floors = torch.linspace(0, 0.999, 200, dtype=torch.float64) * loss.min()
draws = torch.randn(200, 5, 5, generator=torch.Generator().manual_seed(5)).double()


def trials(floor, k, gamma, only_best=False):
    """Of 200 ladders: least chi squared; truth within one sd? in band? too high?"""
    x = c**-gamma  # (5,)
    runs = (floor + k * x)[:, None] + seeds.std(1)[:, None] * draws  # (200, 5, 5)
    truth, rows = float(floor + k * target**-gamma), []
    for points in map(mean_and_error, runs):
        chi2 = laws_near(c, *points, floors)[1]
        least = float(chi2.min())
        chosen = floors[chi2.min(0).values.argmin()][None] if only_best else None
        mean, std = map(float, forecast(c, *points, target, chosen))
        above, one = (points[0] - floor) / points[1], x / points[1]
        misfit = float(((above - one * (one @ above) / (one @ one)) ** 2).sum())
        near = misfit - least < 4 * max(1, least / 2)
        rows.append((least, abs(mean - truth) < std, near, mean > truth))
    return np.array(rows).T


# %% jupyter={"source_hidden": true}
with_floor, without = trials(1.0, 1.5, 0.2), trials(0.0, 2.64, 0.094)
check_range(
    "floor at 1: the truth within one sd, of 200",
    with_floor[1].mean(),
    0.5,
    0.8,
    unlike={"the best floor only": trials(1.0, 1.5, 0.2, only_best=True)[1].mean()},
    digits=2,
)
print("law                                 floor at 1   floor at 0")
rows = {
    "truth within one sd": (with_floor[1].mean(), without[1].mean()),
    "forecast above the truth": (with_floor[3].mean(), without[3].mean()),
    "mean of the least chi squared": (with_floor[0].mean(), without[0].mean()),
    "... larger than ours": [(t[0] > best[2]).mean() for t in (with_floor, without)],
    "true law in the light blue band below": (with_floor[2].mean(), without[2].mean()),
}
for name, (one, other) in rows.items():
    print(f"{name:<38} ~{one:.2f}        ~{other:.2f}")

# %% jupyter={"source_hidden": true}
k, chi2_of = laws_near(c, loss, error, floors)
excess = (chi2_of - chi2_of.min()) / max(1, chi2_of.min() / 2)
near = (excess < 4).nonzero()[:: max(1, int((excess < 4).sum()) // 60)]
grid = torch.logspace(-0.2, float(target.log10()), 80, dtype=torch.float64)

# %% jupyter={"source_hidden": true}
show(
    draw.valley(
        (gammas, floors, excess),
        grid,
        [floors[j] + k[i, j] * grid ** -gammas[i] for i, j in near],
        (c, loss, error),
    ),
    alt="Left: contours of chi squared in exponent and floor form a long narrow band "
    "from low left to high right. Right: sixty laws from the band pass near the "
    "five points and spread out towards the large run.",
)

# %% [markdown]
# With a floor at 1 the bars are honest: about two cases in three. With the best floor alone, it would be one case in ten. With a floor at 0 the truth lies inside in about one case in four. Noise would push the floor below 0 in half of these ladders. The prior stops there, so the average errs upwards in nearly all of them. And a $\chi^2$ as large as ours would come up in a few ladders of a hundred: the misfit is hardly luck.
#
# On the left, floor and exponent trade off along a narrow valley: a law with a higher floor must fall more steeply to pass near the same points. Inside the light blue band $\chi^2$, with the enlarged errors, exceeds its least value by less than 4. For two unknowns and known errors, such a band holds the truth in a fraction $1-e^{-4/2}$ of all cases, which is 86 %; the last row of the table counts ours. Floors from 0 to almost 1 nat lie within it. On the right all of its laws miss the first run, which is most of our $\chi^2$. **Neither the floor nor the exponent should be quoted alone**, but the forecast is narrower than either.
#
# ## 7. The bet
#
# You have three forecasts, from *your* five runs and the record's other seeds of them. The envelope holds the mean of three seeds of the large run, so a third of the variance between seeds is added to each.

# %%
makers = {
    "laws with a floor": lambda at: forecast(c, loss, error, at),
    "power laws": lambda at: forecast(c, loss, error, at, torch.zeros(1)),
    "straight line": lambda at: log_law(c, loss, error, at)[:2],
}
bets = {}
for name, make in makers.items():
    mean, std = make(target)
    bets[name] = float(mean), float((std**2 + seeds[-1].var() / 3) ** 0.5)
    print(f"{name:<18} ~{bets[name][0]:.3f} +- ~{bets[name][1]:.3f}")

# %% [markdown]
# **Your turn 7 · your bet** *(predict, 4 minutes)*. Write down a loss for the large run, and a standard deviation that says how sure you are. You know more than the three forecasts do: you know which laws are impossible, and the suspects of section 4.

# %%
my_mean = ...  # nats a character
my_std = ...
course.exercise("large.predict-bet", my_mean)


# %% [markdown]
# Do not read on before you have written your own.
#
# ## 8. What did the large run do?
#
# How should a bet be scored? It has two numbers, and both should count: a bet of $1.5\pm0.5$ can hardly be wrong, and says little. The **log score** is the log of the density that the forecast gave to what happened. In the function below the first term punishes a miss and the second a vague bet. Larger is better. It is a **proper scoring rule**: over many bets nobody gains by saying anything but what they believe, for the reason of lesson 03.

# %%
def log_score(mean, std, outcome):
    """The log of a normal forecast's density at the outcome, in nats."""
    return -(((outcome - mean) / std) ** 2) / 2 - np.log(std * np.sqrt(2 * np.pi))


# %% [markdown]
# Open the envelope. The last row is a bet that nothing changes: the loss of width 48 stays, with the best standard deviation that one could have claimed in hindsight.

# %% jupyter={"source_hidden": true}
result = recorded("large", large)
outcome = float(result.mean())
if ... in (my_mean, my_std) or my_std <= 0:
    print("Your own row needs two numbers, my_mean and my_std, the second above 0.")
else:
    bets["yours"] = (float(my_mean), float(my_std))
last = float(loss[-1])
bets["nothing changes"] = (last, abs(last - outcome))
course.predicted("large.predict-bet", f"{outcome:.3f}, the mean of {len(result)} seeds")
print("forecast             mean      sd     miss   miss / sd   log score")
for name, bet in bets.items():
    off = outcome - bet[0]
    score = log_score(*bet, outcome)
    row = f"~{off:+.3f}    ~{off / bet[1]:+5.1f}    ~{score:+6.1f}"
    print(f"{name:<18} ~{bet[0]:.3f}  ~{bet[1]:.3f}   {row}")

# %% jupyter={"source_hidden": true}
along = torch.logspace(0, float(target.log10()), 60, dtype=torch.float64)
bands = {
    name: np.array([[float(v) for v in make(at)] for at in along]).T
    for name, make in makers.items()
}
after = {f"width {w}": (compute(w), recorded("between", w).numpy()) for w in (64, 96)}
for name, (at, found) in after.items():
    mean = makers["laws with a floor"](torch.tensor(at, dtype=torch.float64))[0]
    print(f"{name}, three seeds: run - laws with a floor = ~{found.mean() - mean:+.2f}")
after["the large run"] = float(target), result.numpy()
show(
    draw.envelope(along, bands, (c, loss, error), after),
    alt="The picture of the opening, with bands of one standard deviation and the runs "
    "of widths 64, 96 and 128 as bars. The large run ends at 1.47, above the laws with "
    "a floor (1.41) and the power laws (1.36), and far above the straight line (1.18). "
    "Below, each run less the laws with a floor: width 64 below, 96 on it, 128 above.",
)
course.predicted("large.predict-miss", "0.06 nats, so about 0.05")


# %% [markdown]
# The law that fitted *best* was the worst forecast, by far: off by 0.29 nats, which is more than 20 of its own standard deviations. **A good fit over the ladder is no evidence beyond it.** What kept the others nearer was knowledge from outside the data: a loss does not fall below zero.
#
# The laws with a floor missed by 0.06 nats, one and a half of their standard deviations, and the power laws by 0.10, which is more than six of theirs. The two means hardly differ; what separates the scores is how sure each forecast was.
#
# Now look at the *direction*, in the lower panel, and at the two sizes in between, which were not used for any fit. Against the laws with a floor, the runs of width 64 lie 0.02 nats *below* the forecast, those of width 96 on it, and those of 128 0.06 *above*. Something pushes the runs up on the way. Which suspect of section 4 could?
#
# ## 9. A difference that nobody planned
#
# The small runs read 56,000 to 323,000 of the 338,045 characters and see none twice. Width 64 makes 1.6 epochs, width 96 3.3, and the large run 5.6. Repeated text teaches less than new text. Muennighoff et al. (2023) find up to four epochs nearly as good as new text, and much less gained after about sixteen. By their formula 5.6 epochs are worth 5.0 of new text. Here that would cost about 0.02 nats, since the loss falls by about 0.2 for each unit of $\log D$.
#
# So the error has two suspects: the law, and the repetition. To separate them, change the small runs. Give each a text so short that it, too, makes 5.6 epochs: whole paragraphs in random order, $1/5.6$ of the characters that it reads. (So short a text is also a narrower sample of the manual.) Three seeds each, from the record.

# %%
def ladder(kind):
    """Mean and standard error of the record's small runs of one kind."""
    return mean_and_error(torch.stack([recorded(kind, w) for w in widths]))


repeated, usual = ladder("repeated"), ladder("ladder")
price = repeated[0] - usual[0]
of_price = (repeated[1] ** 2 + usual[1] ** 2) ** 0.5  # its standard error
print("repeated text costs, by width:", *[f"{v:.3f}" for v in price])
print("with standard errors of:      ", *[f"{v:.3f}" for v in of_price])

# %% [markdown]
# At each size repetition costs about 0.15 nats. That is several times what the formula of Muennighoff et al. says; their models are far larger transformers.
#
# **Your turn 8 · the law's own miss** *(compute, 3 minutes)*. *If* repetition cost the large run as much as it cost the run of width 48, by how much would the laws with a floor have missed it on *new* text? Take the outcome 1.466, the forecast 1.405 and the price 0.135. Return outcome minus forecast, with its sign.

# %%
course.exercise("large.two-errors", ...)  # nats

# %% jupyter={"source_hidden": true}
mean, std = forecast(c, *repeated, target)
chi2 = best_law(c, *repeated)[2]
print(f"forecast from repeated runs: {mean:.3f} +- {std:.3f}, chi squared {chi2:.0f}")
new_text = outcome - float(price[-1])
print(f"the large run on new text, if the price is that of width 48: ~{new_text:.2f}")
for name, bet in bets.items():
    score = log_score(*bet, new_text)
    print(f"  {name:<18} would have scored ~{score:+.1f}")
show(
    draw.two_errors(bets["laws with a floor"], (price[-1], of_price[-1]), outcome),
    alt="A waterfall of four bars: the forecast of about 1.405, give or take 0.040; "
    "repeated text adds 0.135, give or take 0.012; a law too high takes off about "
    "0.074, give or take 0.042; the large run ends at 1.466.",
)

# %% [markdown]
# So on new text the large run would have ended near 1.33. The laws with a floor were about 0.07 nats too *high*, and the miss in section 8 was the sum of two errors of opposite sign. (The 0.07 is less than two standard deviations of the forecast.) The run of width 64 points the same way, since it repeats little and lies below the forecast already. The fit of section 5 had warned of this: the local exponents rise, and a law with a floor cannot follow them. The ladder of repeated runs, which differs from the large run in size only, has the same trouble: a $\chi^2$ of 27, and a forecast that is 0.16 too high.
#
# What of the suspects of section 4? The noise of width 16 is inside its error bar. The other two, the output layer's part of the weights and the ratio of 20, are not cleared. Both would change the loss little by little, so they would bend the ladder itself, and may be why its exponents rise.
#
# With 1.33 as the outcome, the power laws would have scored best, and the laws with a floor second. It is close: had repetition cost 0.145 nats, their order would be that of section 8. The straight line stays worst, off by 0.15. Only a large run on new text could decide, and there is no more text of this kind. **A single large run cannot tell a good forecast from a lucky one.**
#
# ## 10. It fails: one learning rate for all
#
# The large run learns well at its rate, 0.8/128 or 0.00625. Give that rate to every small run and keep everything else. What happens to its forecast?

# %% jupyter={"source_hidden": true}
factors = {16: (0.25, 0.5, 1, 2, 4), 48: (0.5, 1, 2), 128: (0.5, 1, 2)}
sweeps, wrong = {}, {}
lost = recorded("rates", 16, rate=0.1) - recorded("ladder", 16)[:3]
print("width 16 at twice its rate, three seeds:", *[f"{v:+.2f}" for v in lost])
for w, tried in factors.items():
    at = {f: recorded("rates", w, rate=f * plan(w)[3]) for f in tried}
    at[1] = recorded("large" if w == large else "ladder", w)[:3]
    found = [at[f].mean() for f in tried]
    sweeps[f"width {w}"] = np.array(tried), torch.stack(found) - min(found)
    if w != large:
        above = recorded("one rate", w).mean() - min(found)
        wrong[f"width {w}"] = 0.00625 / plan(w)[3], above
ladders = {}
for name, kind in (("rate 0.8 / width", "ladder"), ("one rate for all", "one rate")):
    points = mean_and_error(torch.stack([recorded(kind, w)[:3] for w in widths]))
    mean, std = map(float, forecast(c, *points, target))
    std = (std**2 + float(seeds[-1].var()) / 3) ** 0.5
    ladders[name] = (c, *points), (float(target), mean, std)
    print(f"{name}: {mean:.3f} +- {std:.3f}, off by {outcome - mean:+.3f},", end=" ")
    chi2, score = best_law(c, *points)[2], log_score(mean, std, outcome)
    print(f"log score {score:+.1f}, chi squared of the fit ~{chi2:.1f}")

# %% jupyter={"source_hidden": true}
show(
    draw.rates(sweeps, wrong, ladders, outcome),
    alt="Left: loss against learning rate, three widths. Width 16 is best at the rule "
    "and jumps at twice the rate. Right: two ladders and their forecasts; the one with "
    "one rate starts higher and ends lower, far below the large run, a dashed line.",
)
course.predicted("large.predict-shift", "lower, by 0.10 nats")

# %% [markdown]
# With three seeds each, the faulty ladder fits the law far better, with a $\chi^2$ below 1, and its forecast has moved down by 0.10 nats. It misses the large run by 0.145, more than seven of its own standard deviations: a log score of $-27$, against $+1.6$ for the tuned ladder. (The finding is the shift, not the miss: against 1.33, the outcome on new text, the faulty ladder would have been nearer, since its tilt cancels a law that is too high.) At this rate width 16 learns at an eighth of its rule and ends 0.18 nats too high, while width 48 loses next to nothing. The ladder is tilted, happens to be a pure power law, and nothing in the fit reveals it.
#
# What reveals it is the left panel: **try other rates at both ends of a ladder**. At twice its rate width 16 loses 0.12 to 0.35 nats, seed by seed, so the rule sits just below a cliff there. And the large run was not quite at its own best: at half its rate it ends about 0.01 nats lower, in two seeds of three.
#
# The cure costs a few small runs: a rule for the rate, tested at the smallest size, where a mistake weighs most.
#
# ## Summary
#
# 1. A run of $N$ weights on $D$ characters costs $C=6ND$ operations. (*Predict 1*: with equal exponents twice the compute makes the model 1.4 times as large, and the text as well.)
# 2. At the best split of a budget one per cent more model gains as much as one per cent more data. The loss is then a power law with a floor.
# 3. For a fixed exponent the law is a line, so the fit is a search over one number. Floor and exponent trade off along a valley; a forecast is a mean over the valley, with an error.
# 4. The law that fitted best predicted worst. (*Predict 2*: about 0.05 nats for laws with a floor, and 0.29 for the straight line that fits perfectly.)
# 5. A bet has a mean and a standard deviation, and the log score counts both.
# 6. What the ladder does not share with the large run moves the forecast, and no error bar of the fit includes it: text that is repeated, or one rate for all sizes. (*Predict 3*: lower, by 0.10 nats.)
#
# ## Quiz

# %% tags=["keep-output"] jupyter={"source_hidden": true}
widgets.quiz("predict_the_large_run")

# %% [markdown]
# ## Project: predict a larger run
#
# *(2 to 3 hours)* Predict a run of width 160, 2.3 times the compute of the large one, *before* you make it.
#
# - Write down mean and standard deviation, and which runs you use. You may train small runs of any kind first.
# - Then train `run(160)`, three seeds, about two minutes each on one processor, and score the forecast on their mean.
# - **Target: a log score above 1.5 nats.** Ours was 1.8; the forecasts of section 7 score far below zero here.
# - Hand in the forecast with its date, the script, the score, and a paragraph on the text: this run makes 8.5 epochs. What did you do about that? Muennighoff et al. (2023) replace the number of characters by a smaller *effective* one.
#
# The lesson ends here. One section is optional:
#
# - *Going further: a run that does not fit into memory*, 12 minutes: sixteen bytes a parameter, and how to share them.
#
# ## Going further: a run that does not fit into memory
#
# A forecast tells you that the large run is worth its price. Does it fit into the machine?
#
# **Bytes of a training run.** Adam keeps two numbers for each parameter, the running means of its gradient and of its square. In float32 a number has 4 bytes:
# $$\underbrace{4}_{\text{weight}}+\underbrace{4}_{\text{gradient}}+\underbrace{4+4}_{\text{Adam}}=16\ \text{bytes a parameter}. \tag{8}$$
# Every parameter counts here, embedding and biases included. In mixed precision it is 16 as well: $2+2$ for weight and gradient, and $12$ for Adam and a float32 copy (Rajbhandari et al. 2020, section 3.1). Seven billion parameters take 112 GB, before a single activation.
#
# **Cut it.** With $P$ processes that each hold a copy, the whole 16 bytes are held $P$ times for nothing. Under **fully sharded data parallelism (FSDP)** each process keeps $1/P$ of every weight, of its gradient and of its moments. Before a layer computes, the processes send each other their parts of its weights (*all-gather*), and forget them after use. In the backward pass the gradients are averaged over the processes, and each keeps its own part (*reduce-scatter*). Each process computes on its own part of the batch. The mean over the batch is the mean of the means over equal parts, and so is its gradient, so the training is the same as in one process.
#
# The cost is communication: plain data parallelism moves about 2 numbers for each parameter and step, this about 3 (Rajbhandari et al. 2020, section 7). Sharding divides neither the activations of one example, nor the layer that is gathered at the moment, nor the operations of the whole training: $6ND$ is spent all the same, a part of it in each process.
#
# **Your turn 9 · your share** *(predict, 4 minutes)*. The model with 7 billion parameters is trained in float32 with Adam by 64 processes. A colleague suggests cutting only Adam's moments, since they are half of everything, and leaving weights and gradients whole in each process (stage 1 of Rajbhandari et al.). How many gigabytes ($10^9$ bytes) of weights, gradients and moments does each process then hold? Three digits.

# %%
course.exercise("large.bytes", ...)  # your number in place of the dots

# %% [markdown]
# With everything cut it would be $112/64=1.75$ GB. In the colleague's plan the 8 bytes that are not divided make up nearly all of what each process holds.
#
# Now try it. The script trains a network of the large run's size for 20 steps and writes down how many bytes its process holds. Started alone it shards nothing; started by `torch.distributed.run` it finds its number and that of all processes in the environment. It needs torch 2.6. On a machine with GPUs the line that sets the device selects them; we have run it on CPUs only.

# %%
script = '''
import json, os, sys
import torch
import torch.nn as nn

rank, size = (int(os.environ.get(k, d)) for k, d in (("RANK", 0), ("WORLD_SIZE", 1)))
kind = "cuda" if torch.cuda.device_count() >= size else "cpu"
device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
torch.set_num_threads(1)
torch.manual_seed(0)
net = nn.Sequential(
    nn.Embedding(96, 32), nn.Flatten(), nn.Linear(512, 128), nn.GELU(),
    nn.Linear(128, 128), nn.GELU(), nn.LayerNorm(128, elementwise_affine=False),
    nn.Linear(128, 96)).to(device)
if size > 1:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    mesh = init_device_mesh(kind, (size,))  # all processes, in one row
    for layer in (*[m for m in net if list(m.parameters())], net):
        fully_shard(layer, mesh=mesh)
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
windows, losses = torch.load(f"{sys.argv[1]}/text.pt").unfold(0, 17, 1), []
generator = torch.Generator().manual_seed(1)  # the same in all processes
for _ in range(20):
    rows = torch.randint(len(windows), (64,), generator=generator)
    batch = windows[rows[rank::size]].to(device)  # this process's part
    loss = nn.functional.cross_entropy(net(batch[:, :-1]), batch[:, -1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
local = lambda w: w.to_local() if hasattr(w, "to_local") else w
held = lambda tensors: sum(local(t).numel() * local(t).element_size() for t in tensors)
kept = [s[m] for s in optimizer.state.values() for m in ("exp_avg", "exp_avg_sq")]
found = [held(net.parameters()), held(w.grad for w in net.parameters()), held(kept)]
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
    command = [sys.executable, *how, "train.py", str(folder)]
    alone = os.environ | {"OMP_NUM_THREADS": "1"}
    quiet = {"env": alone, "capture_output": True, "text": True}
    done = subprocess.run(command, cwd=folder, **quiet)
    if done.returncode:  # an old torch, or a system without gloo
        print(size, "processes did not start here:", done.stderr.splitlines()[-1])
runs = {
    n: [json.loads(path.read_text()) for path in sorted(folder.glob(f"{n}-*.json"))]
    for n in sizes
}

# %% jupyter={"source_hidden": true}
parameters = sum(p.numel() for p in network(large).parameters())
print(f"{parameters:,} parameters; bytes in each process:")
print("processes    weights    gradients    moments        all")
for size, of_all in runs.items():
    for a, b, d in sorted({tuple(r["bytes"]) for r in of_all}):
        print(f"{size:>9} {a:>10,} {b:>12,} {d:>10,} {a + b + d:>10,}")
most = sizes[-1]
if runs[most]:
    held = [sum(r["bytes"]) for r in runs[most]]
    check(
        "bytes of each process = 16 x parameters / processes",
        held,
        parameters * 16 / most,
        unlike={"only Adam's moments cut": parameters * (8 / most + 8)},
    )
    check(
        "losses of all processes = losses of one",
        np.mean([r["losses"] for r in runs[most]], 0),
        runs[1][0]["losses"],
        atol=1e-4,
        unlike={"the first process's part alone": np.array(runs[most][0]["losses"])},
    )

# %% [markdown]
# Two processes hold a half each, to the byte, and the losses of all 20 steps agree up to rounding. That check would not notice a sum of gradients in place of their mean, because Adam does not see the scale of a gradient. Every weight is cut by rows, and all row counts here are divisible by 4, so four processes hold a quarter each: try it. The course's own training shards with the same `fully_shard`: `torchrun --nproc-per-node 8 -m genlab.cli train digits16 --size XL --device cuda`.
#
# ## What production systems add
#
# Batch size and its own scaling (Kaplan et al. 2020, section 5.1). Training far beyond twenty tokens a parameter, because a smaller model is cheaper to serve (Sardana et al. 2024, Gadre et al. 2024). Forecasts of benchmark scores, not only of the loss (Ruan et al. 2024), and scaling laws for the number of bits (Kumar et al. 2024). OpenAI (2023, section 3) reports that the final loss of GPT-4 was predicted, by a power law with a floor, from runs with up to 10,000 times less compute. Fits disagree more often than their error bars admit: Besiroglu et al. (2024) refitted the published points of Hoffmann et al. and found nearly equal exponents, 0.35 and 0.37, and intervals that were far too narrow. Porian et al. (2024) trace the disagreement between Kaplan et al. and Hoffmann et al. to the last layer's cost, the warm-up, and rates that were not tuned for each size.
#
# `python benchmarks/large_run.py` reproduces the record of this notebook from its cells, in about twelve minutes on one processor.
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
