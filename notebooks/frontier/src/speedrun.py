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
# # The speed-run: better digits in the same time
#

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import json
import math
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

import genlab_course as course
from genlab_course.figures import speedrun as draw

course.begin("speedrun")
DATA = Path(course.__file__).with_name("data")
record = json.loads((DATA / "speedrun.json").read_text(encoding="utf-8"))
drawn = np.load(DATA / "speedrun.npz")
draw.rows(
    {"old recipe": drawn["former"], "new recipe": drawn["average"]},
    title="One network, the same noise, 140 training steps by two recipes",
    alt="Two rows of ten handwritten digits, 0 to 9, drawn by networks that trained "
    "for 140 steps. In the upper row, of the old recipe, strokes are broken and the "
    "background is noisy; in the lower row, of the new recipe, most can be read.",
)

# %% [markdown]
# Both rows come from one U-Net with 413,377 weights after 140 training steps, about 20 seconds of one processor core. The network and the sampler are the same. What differs is the *recipe*. Five ideas were added to the old one, in this order:
#
# 1. *drop no label*: the old recipe hides one label in ten, for the sake of guidance, which the speed-run does not use;
# 2. *Muon*: another optimiser, in place of AdamW;
# 3. *fall late*: the learning rate stays high until half-time;
# 4. *higher levels*: training looks at larger noise;
# 5. *longer average*: the weights used for sampling are averaged over more steps.
#
# The question of this notebook: *which of the five made the difference, in so short a run and in one of a minute, and how would you know?*
#
# You will build one of them and derive the others. Not every row of the table that we recorded shows what it seems to show.
#
# **After this notebook you will be able to**
#
# - *explain* why a score that you tuned against can no longer be trusted, and *measure* how much luck a score contains;
# - *derive* the step of the Muon optimiser, *build* it, *train* with it, and *compute* what it costs;
# - *derive* from a noisy quadratic when the learning rate should fall;
# - *measure* at which noise levels a diffusion model decides which digit it draws;
# - *design* the control that a table of speed-ups needs.
#
# You need lesson 13: the denoiser $D(x,\sigma)$ of Karras et al. (EDM), which guesses the clean picture in $x=x_0+\sigma\epsilon$, and its sampler. You also need Tweedie's formula from lesson 11 and the Fréchet distance from lesson 09.
#
# Two sittings of about 75 and 70 minutes, exercises included; the cells run in 30 seconds.

# %% [markdown]
# ## Predict first
#
# 1. Two hundred *perfect* generators each draw 1,000 real digits, and an evaluator scores them. By how many per cent does the luckiest of them beat the average score?
# 2. Noise of standard deviation $\sigma$ is added to a digit whose pixels lie in $[-1,1]$. At which $\sigma$ is half of the information about its *class*, which of the ten digits it is, gone?
# 3. One row of our table changes the optimiser from AdamW to Muon, and three other settings along with it. The score, a distance, falls by half. How much of this gain would you credit to the three other settings, in per cent? (Below 0, if they do harm.)

# %%
course.exercise("speed.predict-luck", ...)  # a number of per cent

# %%
course.exercise("speed.predict-noise", ...)  # a standard deviation

# %%
course.exercise("speed.predict-control", ...)  # per cent, -100 to 100

# %%
course.draw_map("speedrun", slim=True)

# %% [markdown]
# ## 1. How much luck is in a score?
#
# A speed-run needs a clock and a score. Our clock counts **processor seconds**, the time spent on this process alone (a busy machine still needs more of them for a step). For the score, a small frozen classifier describes each picture by 32 features, and the **Fréchet distance** compares the features of 1,000 samples, 100 of each class, with those of 1,000 real digits. There are two such evaluators, with different architectures, training data and real digits. Recipes are tuned with **evaluator A**. **Evaluator B** is opened once for each recipe that is reported, and chooses nothing.
#
# **Step 1. A thought experiment that we can run.** Take 200 **perfect generators**: each draws real digits from the training set, 100 of each class. They are equally good, by construction. Score all of them by A, pick the best, and score that one by B. (They copy the training set, which this distance does not notice. Lesson 09 has measures that do.)

# %% jupyter={"source_hidden": true}
from genlab.data.digits import from_unit, load_mnist, to_unit
from genlab.metrics.distances import frechet_distance
from genlab.zoo import card, load_model
from genlab_course import check, check_close_mc, check_range, more_checks, widgets

A, B = (load_model(f"digit16_evaluator_{k}", dtype=torch.float32) for k in "ab")
training, val, test = (load_mnist(part, 16) for part in ("train", "val", "test"))


@torch.no_grad()
def features(evaluator, images):
    """32 numbers for each picture of grey levels 0 to 255."""
    return torch.cat([evaluator.features(x).double() for x in images.split(1000)])


real_a, real_b = features(A, val.images), features(B, test.images)
pool_a, pool_b = (features(e, training.images) for e in (A, B))

# %%
g, scores = torch.Generator().manual_seed(1), []
for _ in range(200):
    order = torch.randperm(8000, generator=g)
    each = [order[training.labels[order] == c][:100] for c in range(10)]
    rows = torch.cat(each)  # (1000,): 100 of each class
    by_a = frechet_distance(real_a, pool_a[rows])
    by_b = frechet_distance(real_b, pool_b[rows])
    scores.append([by_a, by_b])
scores = torch.tensor(scores)  # (200, 2)
best = scores[:, 0].argmin()

# %% tags=["keep-output"] jupyter={"source_hidden": true}
floor_a, floor_b = scores.mean(0).tolist()
luck = scores[:, 0].std().item()
draw.luck(scores, int(best))
print(f"A: mean {floor_a:.3f}, standard deviation {luck:.3f}; B: mean {floor_b:.3f}")

# %% [markdown]
# The mean over perfect generators is the **floor** of a score: nobody who draws like the data can expect less. It is not zero, because means and covariances of two samples differ by chance. In this notebook, "the floor" always means this one. The best of the 200 beats it by a good quarter (question 1). If that were skill, how would B rate the winner? If it is luck?

# %% jupyter={"source_hidden": true}
ratio_a, ratio_b = (scores[best] / scores.mean(0)).tolist()
check_range(
    "the luckiest by A, over the mean of A",
    ratio_a,
    0.55,
    0.82,
    digits=2,
    unlike={"the same generator by B": ratio_b},
)
course.predicted("speed.predict-luck", 100 * (1 - ratio_a))

# %% [markdown]
# B sees nothing special in the winner. The more recipes you try, the larger the gap between the score you chose by and the truth.
#
# **Step 2. Goodhart's law.** Choosing is a mild form of optimising. The strong form: start from 200 pictures of pure *noise*, and move their pixels down the gradient of A's Fréchet distance. No digits are needed. How will B rate what A was made to like?

# %%
tricks = (255 * torch.rand(200, 1, 16, 16, generator=g)).requires_grad_(True)
adam = torch.optim.Adam([tricks], lr=8.0)
warnings.filterwarnings("ignore", "Converting a tensor with requires_grad")
for _ in range(60):
    distance = frechet_distance(real_a, A.features(tricks.clamp(0, 255)).double())
    adam.zero_grad()
    distance.backward()
    adam.step()
noise = tricks.detach().clamp(0, 255).round()

# %% tags=["keep-output"] jupyter={"source_hidden": true}
by_a = frechet_distance(real_a, features(A, noise))
by_b = frechet_distance(real_b, features(B, noise))
draw.tricks(noise[:10], training.images[:10], (by_a, floor_a), (by_b, floor_b))
check_range(
    "tuned noise by A, over the floor of A",
    by_a / floor_a,
    0.0,
    0.8,
    digits=2,
    unlike={"by B, over the floor of B": by_b / floor_b},
)

# %% [markdown]
# The squares hold no digit, and A rates them above real digits. B played no part in making them, and rates them dozens of times worse than its floor. This is **Goodhart's law** (Charles Goodhart 1975, in Marilyn Strathern's words of 1997): when a measure becomes a target, it ceases to be a good measure. Choosing a learning rate by its score from A is a small step in this direction.
#
# Keep one number, the **standard deviation between samples**: 0.018 by A, the luck of one score. Two equal generators differ by $\sqrt2$ times that, about 0.025, and luck in training comes on top.
#
# ## 2. What is a fair step for a matrix?
#
# Most weights of a network are entries of *matrices*. Adam does not know that: it treats a matrix as a bag of numbers. What would an optimiser do that does know?
#
# **Step 3. Steepest descent needs a norm.** Let $G$ be the gradient of the loss at a weight matrix, and move the weights by $-\eta X$. To first order the loss falls by $\eta\,\langle G,X\rangle$, where the product sums over all entries. To find the best $X$ we must say which $X$ are equally *long*. A matrix multiplies vectors, so a natural length is how much it can stretch one: the **spectral norm**, its largest singular value. Write the singular value decomposition of $G$ with orthonormal $u_i$ and $v_i$. Then for every $X$ with spectral norm at most 1
# $$\langle G,X\rangle=\sum_is_i\;u_i^\top X\,v_i\;\le\;\sum_is_i\qquad\text{for}\qquad G=\sum_is_i\,u_iv_i^\top, \tag{1}$$
# because $u_i$ and $v_i$ have length 1 and $X$ makes no vector longer. Equality holds if $Xv_i=u_i$ for each $i$:
# $$\boxed{\;X=\sum_iu_iv_i^\top=UV^\top\;} \tag{2}$$
# The directions of the gradient stay, and its singular values are all replaced by 1.
#
# A case to try by hand: $G=\binom{2\;\;1}{1\;\;2}$ has the singular values 3 and 1, and $UV^\top$ is the identity. The descent along it is $2+2=4=3+1$. A step along $G$ itself, shrunk to spectral norm 1, gives $\tfrac{10}3$. A step along the signs of the entries, Adam's first step, gives 3.
#
# How far ahead is (2) for real gradients? We take those of a $3\times3$ convolution in the middle of the shipped U-Net, on two batches of 64 digits, as matrices of 48 rows and 432 columns. The left side of the check computes (2) without an SVD of $G$, as $(GG^\top)^{-1/2}G$. How close would the step along the signs come?

# %% jupyter={"source_hidden": true}
unet = load_model("mnist16_diffusion", dtype=torch.float32).train().requires_grad_(True)
data, labels = to_unit(training.images, 255).float().flatten(1), training.labels
pictures = data.view(-1, 1, 16, 16)
g, kernel = torch.Generator().manual_seed(0), unet.net.middle_1.conv_1.weight
gradients = []
for x, c in zip(pictures[:128].split(64), labels[:128].split(64), strict=True):
    gradients += torch.autograd.grad(unet.loss(x, cond=c, generator=g), kernel)
matrices = [x.flatten(1).double() for x in gradients]  # two of 48 x 432


def polar(G):
    values, vectors = torch.linalg.eigh(G @ G.T)
    return (vectors / values.sqrt()) @ vectors.T @ G


unit = lambda X: X / torch.linalg.matrix_norm(X, 2)  # spectral norm 1
descents = lambda step: torch.stack([(G * step(G)).sum() for G in matrices])

# %% jupyter={"source_hidden": true}
signs = lambda G: unit(G.sign())
spectra = torch.stack([torch.linalg.svdvals(G) for G in matrices])
check(
    "descent along U V^T = sum of the singular values",
    descents(polar),
    spectra.sum(1),
    atol=1e-8,
    unlike={"along the gradient": descents(unit), "along the signs": descents(signs)},
)
G, s = matrices[0], spectra[0]
of_all = lambda step: descents(step)[0] / spectra[0].sum()
print(f"of the sum: along the gradient ~{of_all(unit):.0%}, ", end="")
print(f"along the signs ~{of_all(signs):.0%}")
part = (s[:5] ** 2).sum() / (s**2).sum()
print(f"of {len(s)} singular values, 5 hold ~{part:.0%} of the squared norm")


# %% [markdown]
# A step along the gradient reaches a third of the sum, and one along the signs even less. The last line says why (2) promises more: **the gradient has nearly low rank.** A handful of directions make up most of it. A step along $G$ improves these and hardly moves along the 40 others, though learning a digit may need them. A caution: the weak directions are noisier, too. Muon averages the gradient over about 20 steps *before* it makes it orthogonal; the race below shows whether that helps.
#
# **Step 4. Without a decomposition.** An SVD for every matrix in every step is slow. **Newton-Schulz iteration** needs products only. An odd polynomial of a matrix acts on its singular values and leaves $U$ and $V$, since $XX^\top X=U\,S^3\,V^\top$:
# $$X\leftarrow aX+b\,(XX^\top)X+c\,(XX^\top)^2X\qquad\text{does}\qquad s\leftarrow as+bs^3+cs^5 . \tag{3}$$
# First divide by the Frobenius norm, so that no $s$ exceeds 1. The classical choice of coefficients, 1.5, $-0.5$ and 0, converges to 1, but a small $s$ grows only by half in each iteration. Jordan et al. (2024) gave up convergence for speed: with $a=3.4445$, $b=-4.7750$, $c=2.0315$ a small $s$ grows 3.4-fold, and five iterations bring nearly every $s$ into a band around 1, where it wanders.
#
# **Your turn 1 · orthogonal in five iterations** *(build, 10 minutes)*
#
# Write it: divide by the Frobenius norm, then iterate (3). `g` is a matrix with at least as many columns as rows. This is the first half of Muon, and everything below runs with *your* function. (Tempting: powers of the entries, `x**3`, in place of products of matrices.)

# %%
def my_newton_schulz(g, n_steps=5):
    """A matrix with the directions of g and singular values near 1."""
    ...


course.exercise("speed.newton-schulz", my_newton_schulz)
newton_schulz = course.yours("speed.newton-schulz")

# %% [markdown]
# Suppose you stop one iteration early. By how much could an entry change, relative to the largest, on a gradient whose singular values spread over a factor of a hundred?

# %% jupyter={"source_hidden": true}
course.solution("speed.newton-schulz")


def scalar(s, n_steps=5, a=3.4445, b=-4.7750, c=2.0315):
    """What the iteration does to one singular value."""
    for _ in range(n_steps):
        s = a * s + b * s**3 + c * s**5
    return s


U, S, Vt = torch.linalg.svd(G, full_matrices=False)
by_svd = lambda **how: U @ torch.diag(scalar(S / S.norm(), **how)) @ Vt
check(
    "iteration on the matrix = polynomial on its singular values",
    newton_schulz(G),
    by_svd(),
    atol=1e-8,
    unlike={"4 steps": by_svd(n_steps=4), "classical": by_svd(a=1.5, b=-0.5, c=0.0)},
)
off = (by_svd() - by_svd(n_steps=4)).abs().max() / by_svd().abs().max()
print(f"4 steps: off by up to ~{off:.0%} of the largest entry")

# %% tags=["keep-output"] jupyter={"source_hidden": true}
line = torch.logspace(-3, 0, 400)
draw.orthogonal(
    line,
    {"classical": scalar(line, 5, 1.5, -0.5, 0.0)}
    | {n: scalar(line, n) for n in (1, 3, 5)},
    {
        "gradient": torch.linalg.svdvals(G),
        "signs": torch.linalg.svdvals(G.sign()),
        "Muon": torch.linalg.svdvals(newton_schulz(G)),
    },
)


# %% [markdown]
# On the left, five of Muon's iterations bring every value above 0.0015 into the shaded band $[0.68, 1.21]$; five classical ones leave 0.01 at less than 0.1. Exactly 1 is not needed. On the right, all 48 directions of a real gradient end at nearly the same size.
#
# **Step 5. Kernels are matrices.** A convolution multiplies each patch of its input by one matrix with a row for each output channel, so a kernel is flattened to these rows. The order of its columns does not matter: exchange columns of $G$, and those of $UV^\top$ are exchanged in the same way.
#
# **Step 6. The size of a step.** An orthogonal matrix of $m$ rows and $n$ columns has the squared Frobenius norm $\min(m,n)$, so the root mean square of its entries is one over the root of the longer side. Liu et al. (2025, eq. 4) multiply by that root and by 0.2. Every entry then moves by about 0.2, the size that Liu et al. measured for AdamW's steps, and one rate serves both. With the averaged gradient $M$, the whole of Muon is
# $$M\leftarrow\mu M+(1-\mu)\,G,\qquad W\leftarrow W-\eta\;0.2\sqrt{\max(m,n)}\;\operatorname{orth}\big(\mu M+(1-\mu)\,G\big). \tag{4}$$
# The bracket blends the gradient in once more: it looks one step ahead (Nesterov's momentum).
#
# **Your turn 2 · the step of Muon** *(build, 10 minutes)*
#
# Return two tensors shaped like `grad`: the step without the rate $\eta$, and the new average. `grad` is a matrix or a kernel: flatten it to its rows with `.flatten(1)`, and give the step its shape again with `.view_as(grad)`. (Three slips come first to mind: to forget the look ahead, to make each gradient orthogonal before averaging, to add gradients where they should be averaged.)

# %%
def my_muon_step(grad, m, mu=0.95):
    """The step before the rate, and the new average of gradients."""
    ...


course.exercise("speed.muon-step", my_muon_step)
muon_step = course.yours("speed.muon-step")


class MyMuon(torch.optim.Optimizer):
    """Equation (4) for matrices and kernels."""

    def __init__(self, matrices, rule=muon_step):
        super().__init__(matrices, {"lr": 1.0})
        self.rule = rule

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for w in group["params"]:
                m = self.state[w].get("m", torch.zeros_like(w))
                step, self.state[w]["m"] = self.rule(w.grad, m)
                w.sub_(group["lr"] * step)


# %% [markdown]
# Your optimiser and `genlab`'s now take two steps along the two gradients. A step that does not look ahead has nearly the same direction. Would one kernel show the difference?

# %% jupyter={"source_hidden": true}
course.solution("speed.muon-step")
from genlab.train.muon import Muon


def after_two_steps(optimizer_of):
    w = nn.Parameter(kernel.detach().clone())
    optimizer = optimizer_of([w])
    for w.grad in gradients:
        optimizer.param_groups[0]["lr"] = 0.01
        optimizer.step()
    return w - kernel


def no_look_ahead(grad, m):
    m = 0.95 * m + 0.05 * grad
    return muon_step(m, m, 0.0)[0], m


check(
    "two steps of mine = two of genlab's",
    after_two_steps(MyMuon),
    after_two_steps(lambda w: Muon(w, [])),
    atol=1e-4,
    unlike={"no look ahead": after_two_steps(lambda w: MyMuon(w, no_look_ahead))},
)

# %% jupyter={"source_hidden": true}
x = torch.randn(2, 48, 8, 8, generator=g)
patches = nn.functional.unfold(x, 3, padding=1)  # each position: 48 x 9 numbers
order = torch.randperm(432, generator=g)
mixed = G.view(432, 48).T  # rows and columns mixed: another matrix
with more_checks():
    check(
        "a convolution is a matrix times patches",
        nn.functional.conv2d(x, kernel, padding=1).flatten(2),
        kernel.flatten(1) @ patches,
        atol=1e-4,
        unlike={"rows for columns": kernel.transpose(0, 1).flatten(1) @ patches},
    )
    check(
        "columns in another order: the same step",
        newton_schulz(G)[:, order],
        newton_schulz(G[:, order]),
        atol=1e-8,
        unlike={"entries regrouped": newton_schulz(mixed)[:, order]},
    )


# %% [markdown]
# What is not a matrix between hidden features stays with AdamW: biases, gains, embeddings, and by custom the first and the last layer, whose inputs and outputs are pixels.
#
# **A laboratory that takes a second.** To try an idea we need a run that ends while you watch. The laboratory network, in the folded cell, has two residual blocks of linear layers with 128 units. It reads the 256 pixels, the label and the noise level; `EDM` of lesson 13 wraps it, with its loss and its sampler. Its digits are poor, with distances of about 2 to 10. It is there to show *differences*.

# %% jupyter={"source_hidden": true}
class Small(nn.Module):
    """A raw network for EDM: pixels, noise level and label in, 256 numbers out."""

    def __init__(self, width=128):
        super().__init__()
        self.read, self.write = nn.Linear(256, width), nn.Linear(width, 256)
        self.condition = nn.Linear(19, width)
        self.blocks = nn.ModuleList(nn.Linear(width, width) for _ in range(4))
        self.write.weight.data.mul_(0.1)  # at 0 no gradient has a direction

    def forward(self, x, level, label):
        waves = level[:, None] * torch.arange(1, 5) * math.pi / 2
        kind = nn.functional.one_hot(label, 11)  # the eleventh: no class
        known = self.condition(torch.cat([waves.sin(), waves.cos(), kind], 1))
        norm = lambda h: nn.functional.layer_norm(h, h.shape[1:])
        h = self.read(x) + known
        for k in (0, 2):
            inner = nn.functional.silu(self.blocks[k](norm(h)) + known)
            h = h + self.blocks[k + 1](inner)
        return self.write(norm(h))


# %%
from genlab.score import EDM
from genlab.train import EMA


def adamw(net):
    return [torch.optim.AdamW(net.parameters(), weight_decay=0.0)]


def muon(net, rule=muon_step):
    """Your Muon for the matrices between hidden features, AdamW for the rest."""
    hidden = [p for p in net.blocks.parameters() if p.ndim == 2]
    others = [p for p in net.parameters() if not any(p is h for h in hidden)]
    return [MyMuon(hidden, rule), torch.optim.AdamW(others, weight_decay=0.0)]


def train(seed, optimizers, peak, p_mean=-1.2, n_steps=200):
    """A trained EDM: its weights averaged, its rate along a cosine."""
    torch.manual_seed(seed)
    edm = EDM(
        Small(), event_shape=(256,), sigma_data=0.5, null=10, n_steps=12, p_mean=p_mean
    )
    g, average = torch.Generator().manual_seed(seed), EMA(edm, 0.998)
    all_of_them = optimizers(edm.net)
    for k in range(n_steps):
        rows = torch.randint(len(data), (64,), generator=g)
        loss = edm.loss(data[rows], cond=labels[rows], generator=g)
        edm.zero_grad()
        loss.backward()
        cosine = (1 + math.cos(math.pi * k / n_steps)) / 2
        for optimizer in all_of_them:
            optimizer.param_groups[0]["lr"] = peak * min(1, (k + 1) / 20) * cosine
            optimizer.step()
        average.update(edm)
    return average.average


# %% [markdown]
# **A race.** Each optimiser gets its best rate of four, on training seed 0 (recorded; Muon's two largest tie, and it gets the smaller). Then both start from other seeds, with the same weights, batches and noise: three seeds while you watch, and ten that we recorded. If the optimiser made no difference, how many of ten paired differences would favour Muon?

# %% jupyter={"source_hidden": true}
import time


def score(edm):
    """The Fréchet distance of 1,000 samples, 100 of each class, by evaluator A."""
    asked, g = torch.arange(1000) % 10, torch.Generator().manual_seed(0)
    made = edm.sample(1000, cond=asked, generator=g).view(-1, 1, 16, 16)
    return frechet_distance(real_a, features(A, from_unit(made, 255))).item()


def three(**options):
    start = time.process_time()
    nets = [train(seed, **options) for seed in (1, 2, 3)]
    return [score(net) for net in nets], time.process_time() - start


# %%
slow, seconds_slow = three(optimizers=adamw, peak=0.01)
fast, seconds_fast = three(optimizers=muon, peak=0.04)


# %% jupyter={"source_hidden": true}
def recorded(optimizer, n_steps, p_mean=-1.2):
    """Distances of the record's ten seeds."""
    wanted = {"optimizer": optimizer, "n_steps": n_steps, "p_mean": p_mean}
    runs = [r for r in record["laboratory"] if wanted.items() <= r.items()]
    return np.array([r["frechet_a"] for r in runs if r["seed"] > 0])


def paired(name, new, old):
    d = np.subtract(new, old)
    error = 2.26 * d.std(ddof=1) / len(d) ** 0.5  # 95 %: nine degrees of freedom
    print(f"{name}: {np.mean(old):.2f} to {np.mean(new):.2f}, ", end="")
    print(f"change {d.mean():+.2f} +- {error:.2f}, {(d < 0).sum()} of {len(d)} better")


two, one = (recorded(name, 200)[:3].mean() for name in ("AdamW, two rates", "AdamW"))
check_range(
    "Muon over AdamW, 200 steps, mean of three seeds",
    np.mean(fast) / np.mean(slow),
    0.3,
    0.75,
    digits=2,
    unlike={"AdamW with two rates, over one": two / one},
)
print(f"a run with Muon takes ~{seconds_fast / seconds_slow:.1f} times as long")
print("Muon after 200 steps, ten recorded seeds with 95 % intervals, against")
rivals = ("AdamW", "AdamW, two rates", "signs", "equal lengths", "Muon, no average")
for rival in rivals:
    paired(f"  {rival:<22}", recorded("Muon", 200), recorded(rival, 200))
paired("  AdamW after 400 steps ", recorded("Muon", 200), recorded("AdamW", 400))

# %% [markdown]
# By chance about five of ten would favour Muon. At an equal number of steps it wins in all ten, and halves the distance on average. Is the race fair?
#
# Look at `muon` again: *two* optimisers share the network, and AdamW trains its part at Muon's rate, 0.04. AdamW alone has to train everything at 0.01, since a larger rate harms its hidden matrices. Give it the same freedom, a second rate for these matrices (the row *two rates*), and three quarters of Muon's lead are gone. The remaining lead, 0.5, appears in all ten seeds.
#
# The other rows take Muon apart. A step of the same root mean square along the averaged gradient (*equal lengths*) or along its *signs* is no better than AdamW with one rate, so the size of the step does not explain the gain. Nor does the average over 20 steps: without it, Muon is better still in nine seeds of ten.
#
# And in the laboratory a step of Muon is expensive. Give AdamW twice as many steps, about what the clock would allow, and even with one rate nine tenths of Muon's lead are gone. **Which optimiser is better depends on how each was tuned, and on what a step of each costs.**
#
# **Step 7. What does it cost?** A product of a $p\times q$ and a $q\times r$ matrix takes $2pqr$ operations. To train a layer with an $m\times n$ matrix, each row of its input takes three products with it: one forward, one for the gradient of the weights, one for that of the input, $6mn$ in all. Newton-Schulz iteration does not see the rows of the batch. So its relative price falls with their number: in the laboratory, with 64 rows and $m=n=128$, it does ten times the work of the layer. (The clock says less, since small products are not what takes the time there.)
#
# **Your turn 3 · the price in the U-Net** *(compute, 5 minutes)*
#
# Take the kernel of step 3, $48\times432$, with 64 pictures in the batch. A convolution uses its kernel at every position of its map, here $8\times8$. What is the work of five iterations of (3), over that of training the layer? Three digits. (Tempting: 64 rows; one iteration; and the square of $XX^\top$ is smaller than the other two products.)

# %%
course.exercise("speed.price", ...)  # a fraction

# %% [markdown]
# About four per cent. The clock agrees, within its noise: in the recorded runs Muon takes some five per cent fewer steps in the same time, and two runs of one recipe differ by as much. So the laboratory, where Muon gains next to nothing at equal time, is the wrong place to judge its price, and the right one to see its effect per step. Section 6 has the U-Net.
#
# Equation (1) shows what follows from the spectral norm, not that it is the right norm. Bernstein and Newhouse (2024) argue for it: it bounds how much a step can change a layer's output. They also show that Shampoo, an older optimiser, makes this step when its averages are switched off.
#
# **Pause.** You have built Muon, trained with it, and know when it pays. The second sitting looks at the last three ideas, and then asks what the table of all five can prove.
#
# ## 3. When should the learning rate fall?
#
# The old recipe raises the rate during the first 100 steps and lets it fall along a cosine. The new one rises in 3 % of the time, stays at its peak until half-time, and falls to zero in a straight line. Does it matter? On the simplest problem with noisy gradients we can compute it.
#
# **Step 8. A noisy quadratic.** Let the loss be $\tfrac12hw^2$, and let each gradient carry independent noise, $g=hw+\tau\,\xi$ with standard normal $\xi$. One step of gradient descent with rate $\eta$ changes the mean $b$ and the variance $v$ of $w$ by
# $$b\leftarrow(1-\eta h)\,b,\qquad v\leftarrow(1-\eta h)^2\,v+\eta^2\tau^2. \tag{5}$$
# The expected loss is $\tfrac12h\,(b^2+v)$: a **bias**, because we have not arrived yet, and a **noise** term, because noisy gradients keep the weights moving.
#
# **Step 9. What each part remembers.** The bias shrinks by a factor $e^{-h\eta}$ in each step, nearly, so it depends on the *sum* of all rates, whatever their order. At a constant rate the noise settles where $v$ no longer changes in (5):
# $$v_\infty=\frac{\eta\,\tau^2}{h\,(2-\eta h)} . \tag{6}$$
# It is proportional to a small rate, and forgets what happened more than a few times $1/(\eta h)$ steps ago. **The bias remembers every rate, the noise only the last ones.** So keep the rate high for as long as you can, and lower it at the end.
#
# With $\eta=0.8$, $h=0.5$ and $\tau=1$ equation (6) gives exactly 1. The usual approximation leaves out $\eta h$ in the bracket. Could 20,000 simulated runs tell the two apart?

# %%
torch.set_default_dtype(torch.float64)


def expected(rates, h, tau):
    """Bias and noise of the loss from w = 1, by (5), summed over curvatures."""
    b, v = torch.ones_like(h), torch.zeros_like(h)
    for eta in rates:
        b, v = (1 - eta * h) * b, (1 - eta * h) ** 2 * v + eta**2 * tau**2
    return torch.stack([(h * b**2).sum(-1), (h * v).sum(-1)]) / 2


def simulated(rates, h, tau=1.0, n=20_000):
    """n runs of gradient descent from w = 1 on a noisy quadratic: where they end."""
    w, g = torch.ones(n), torch.Generator().manual_seed(7)
    for eta in rates:
        w = w - eta * (h * w + tau * torch.randn(n, generator=g))
    return w


# %% jupyter={"source_hidden": true}
def settled(eta, h, left_out=0.0):
    return eta / (h * (2 - (1 - left_out) * eta * h))


eta, h = 0.8, 0.5
check_close_mc(
    "variance at a constant rate",
    simulated([eta] * 200, h) ** 2,
    settled(eta, h),
    unlike={"without eta h in the bracket": settled(eta, h, left_out=1.0)},
)


# %% [markdown]
# **Your turn 4 · a schedule with faults** *(repair, 6 minutes)*
#
# `part` is the fraction of the time that is over, from 0 to 1. The rate, in units of its peak, should rise in a straight line during the first `rise`, stay at 1, and fall in a straight line to 0 during the last `fall`. The function below was meant to do that, but it starts at 2, climbs to almost 17, and is never level. Return a number. The comparison below runs with *your* schedule.
#
# ```python
# def broken(part, rise=0.03, fall=0.5):
#     return max(part / rise, 1.0) * (1 - part) / fall
# ```

# %%
def my_rate(part, rise=0.03, fall=0.5):
    """The rate over its peak: up, level, down."""
    ...


course.exercise("speed.rate", my_rate)
late = course.yours("speed.rate")

# %% jupyter={"source_hidden": true}
course.solution("speed.rate")

# %% [markdown]
# This shape is called a **trapezoid**, or warmup-stable-decay (WSD). Its area, the sum of the rates, is about $\tfrac34$ of the peak, and that of a cosine $\tfrac12$. Compare four schedules on 31 curvatures between 0.001 and 1 at once: a network has steep and flat directions, and a rate must serve them all. Each schedule may have *its own peak*.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
curvatures, n = torch.logspace(-3, 0, 31), 400
shapes = {
    "constant": lambda part: 1.0,
    "early fall": lambda part: max(0.05, 1 - 2 * part),
    "cosine": lambda part: (1 + math.cos(math.pi * part)) / 2,
    "late fall": late,
}
peaks = torch.logspace(-1.4, 0, 43)  # all of them at once
rates = {k: torch.tensor([f(i / n) for i in range(n)]) for k, f in shapes.items()}
tried = {name: rate[:, None, None] * peaks[:, None] for name, rate in rates.items()}
ends = {name: expected(rate, curvatures, 0.17) for name, rate in tried.items()}
draw.schedules(rates, peaks, {name: end.sum(0) for name, end in ends.items()})
print("schedule     area   best peak   area x peak   bias + noise = loss")
for name, end in ends.items():
    k, area = end.sum(0).argmin(), rates[name].mean()
    print(f"{name:<11}  {area:.2f}   {peaks[k]:.3f}       ", end="")
    print(f"{peaks[k] * area:.3f}         ", end="")
    print(f"{end[0, k]:.4f} + {end[1, k]:.4f} = {end[:, k].sum():.4f}")
for name in ("cosine", "late fall"):
    steep = expected(tried[name], curvatures, 0.5 * curvatures.sqrt())
    print(f"{name:<11}  with more noise in steep directions: {steep.sum(0).min():.4f}")
torch.set_default_dtype(torch.float32)


# %% [markdown]
# Falling at the end is worth a sixth of the loss. A constant rate must be low to end with little noise, so most of its excess is bias. An early fall leaves noise in flat directions, which hardly decays at the low rate that follows.
#
# But *between* cosine and late fall only 3 % are left, once each has its best peak, and the best peaks are in the inverse ratio of the areas. **With equal noise in all directions a late fall acts like a cosine with a higher peak.** In the last two lines steep directions are noisier, $\tau^2=h/4$, and the late fall ends a fifth *higher*.
#
# In the recorded runs the peak was not tuned again, so a gain of this row may come from its area alone, which is twice that of the old recipe. (The old cosine is multiplied by 100 steps of warm-up, a quarter of the run; this row shortens the warm-up, too.) What remains in its favour is practical: the plateau does not depend on when you will stop (Hägele et al. 2024 fit scaling laws this way).
#
# ## 4. Which noise levels teach most?
#
# In training, EDM draws $\log\sigma$ from a normal distribution with mean $P$ and standard deviation 1.2. Karras et al. (2022, table 1) chose $P=-1.2$, for photographs. The fourth idea moves it up. Where *are* digits decided?
#
# **Step 10. How uncertain is the class?** Let $c$ be the class of a digit and $x_\sigma$ the digit with noise. What is still uncertain is the conditional entropy $H(c\mid x_\sigma)$: 0 without noise, and $\log10$, about 2.30 nats, when nothing can be seen. How fast does it grow? Adding noise of variance $t=\sigma^2$ turns every density into a solution of the heat equation $\partial_tp=\tfrac12\Delta p$. Differentiate $\int p\log\frac pq$ for two densities that spread together, put in the heat equation, and integrate by parts:
# $$\frac{d}{dt}\,\mathrm{KL}(p\,\Vert\,q)=-\tfrac12\int p\,\Big\lVert\nabla\log\frac pq\Big\rVert^2 . \tag{7}$$
#
# **Step 11. In terms of denoisers.** Take $p=p(x_\sigma\mid c)$ and $q=p(x_\sigma)$. Averaged over $c$, their KL is the information that $x_\sigma$ holds about $c$. Tweedie's formula (lesson 11) gives the score as $(D-x)/\sigma^2$, so the difference of the two scores is $(D_c-D)/\sigma^2$, where $D_c$ is the denoiser that knows the class. With $dt=2\sigma^2\,d\log\sigma$:
# $$\boxed{\;\frac{d}{d\log\sigma}\,H(c\mid x_\sigma)=\frac{\mathbb E\,\lVert D_c(x_\sigma)-D(x_\sigma)\rVert^2}{\sigma^2}\;} \tag{8}$$
# **The class is being decided where the two denoisers disagree**, and over all levels their disagreement must add up to $\log10$.
#
# For 8,000 real digits everything is known: if the data *are* the training set, the posterior of each digit given $x_\sigma$ is a softmax of squared distances, and both denoisers are means under it. The cell computes both sides of (8) separately. Last, it asks the shipped U-Net for its guesses on digits that it has never seen, and evaluator A says how many are of another class.

# %%
def posterior(x, sigma):
    """The probability of each of the 8,000 training digits, given noisy pictures."""
    return torch.softmax((x @ data.T - data.square().sum(1) / 2) / sigma**2, 1)


def both_sides(x0, label, sigma, g):
    """H(c | x), and the disagreement of the two denoisers."""
    x = x0 + sigma * torch.randn(x0.shape, generator=g)  # (b, 256)
    p = posterior(x, sigma)  # (b, 8000)
    p_own = p * (label[:, None] == labels)
    known = p_own.sum(1, keepdim=True)  # (b, 1): the probability of the right class
    D, D_c = p @ data, p_own / known @ data  # (b, 256)
    disagreement = (D_c - D).square().sum(1) / sigma**2
    return torch.stack([-known[:, 0].log(), disagreement]).mean(1)


# %% tags=["keep-output"] jupyter={"source_hidden": true}
g, rows = torch.Generator().manual_seed(5), torch.arange(0, 8000, 32)
unseen, asked = to_unit(val.images[:120], 255).float(), val.labels[:120]
unet = unet.eval()
levels, table = torch.linspace(-1.25, 3.5, 20), []
for sigma in levels.exp():
    exact = both_sides(data[rows], labels[rows], sigma, g)
    with torch.no_grad():
        noisy = unseen + sigma * torch.randn(unseen.shape, generator=g)
        guess = unet.denoiser()(noisy, sigma.expand(120))
        wrong = (A(from_unit(guess, 255)).argmax(1) != asked).float().mean()
    table.append(torch.cat([exact, wrong[None]]))
entropy, disagreement, wrong = torch.stack(table).T
whole = torch.trapezoid(disagreement, levels)
draw.decided(levels, entropy / math.log(10), wrong / 0.9, disagreement / whole)
half = math.exp(np.interp(math.log(10) / 2, entropy, levels))
print(f"the disagreement adds up to ~{whole:.2f} nats; log 10 = {math.log(10):.2f}")

# %% jupyter={"source_hidden": true}
course.predicted("speed.predict-noise", half)
with more_checks():
    check_range(
        "disagreement over all levels, over log 10",
        whole / math.log(10),
        0.87,
        1.13,
        digits=2,
        unlike={"with dt = sigma^2 d log sigma": whole / 2 / math.log(10)},
    )

# %% [markdown]
# Half of the information about the class is gone near $\sigma=1.9$ (question 2). Such a range of levels, in which one feature is decided, is called a **critical window** (Li and Chen 2024), or speciation (Biroli et al. 2024). A $\sigma$ of 1.9 is almost as large as the step from black, $-1$, to white, $1$. Half of the information survives it, because it is spread over 256 pixels. A blind guess of the class is wrong nine times in ten, so the dots are divided by 0.9. The U-Net, on digits that it has not seen, loses the class at nearly the same levels. (Error rate and entropy are different measures: compare where they rise, not their heights.)
#
# So the old recipe trains mostly below the levels that decide the class. Should we move $P$ right onto them, to 0.5? There is an objection: in the speed-run the label is given, and the network has to learn how a seven *looks*. For 8,000 stored pictures that is easy to see as soon as the noise is small, and for a network that must draw new ones it is not. So (8) is a reason to try; only an experiment can decide.
#
# In the laboratory, with Muon and 200 steps, this helps a great deal.
#
# **Your turn 5 · the same shift with AdamW** *(predict, 4 minutes)*
#
# AdamW trains the same network with the same data for the same 200 steps. Muon stands at a distance of 2.4 by then, AdamW at 4.7. Does the shift from $-1.2$ to $0.5$ help AdamW, or does it hurt? Write `"helps"` or `"hurts"`.

# %%
course.exercise("speed.shift", ...)  # "helps" or "hurts"

# %% [markdown]
# If the shift were right in itself, it would help both optimisers. So we vary the optimiser, and then the length:

# %%
helped, _ = three(optimizers=muon, peak=0.04, p_mean=0.5)
hurt, _ = three(optimizers=adamw, peak=0.01, p_mean=0.5)
patient = [score(train(1, adamw, 0.01, p_mean, 800)) for p_mean in (-1.2, 0.5)]

# %% tags=["keep-output"] jupyter={"source_hidden": true}
check_range(
    "Muon, 200 steps: P = 0.5 over P = -1.2",
    np.mean(helped) / np.mean(fast),
    0.5,
    0.95,
    digits=2,
    unlike={"AdamW": np.mean(hurt) / np.mean(slow)},
)
print(f"AdamW, 800 steps, seed 1: ~{patient[0]:.2f} to ~{patient[1]:.2f}")
draw.crossing(record["laboratory"])
for name, steps in (("Muon", 200), ("AdamW", 200), ("AdamW", 800), ("Muon", 50)):
    shifted, usual = (recorded(name, steps, p_mean) for p_mean in (0.5, -1.2))
    paired(f"P to 0.5, {name}, {steps} steps", shifted, usual)
trials = [r for r in record["laboratory"] if r["seed"] == 0 and r["p_mean"] == 0.5]
tuned = [r["frechet_a"] for r in trials if r["optimizer"] == "AdamW"]
print(f"AdamW, 200 steps, P = 0.5, at {len(tuned)} rates: {min(tuned):.1f} or worse")

# %% [markdown]
# With AdamW the shift about doubles the distance at 200 steps. It does harm in all ten seeds, and none of four rates repairs that. At 800 steps it *helps* AdamW, in all ten. And if Muon trains for only 50 steps, the shift hurts it as well, in all ten. In the figure each point is a run of its own, with its rate fallen to zero at the end (medians, and bands over all ten seeds). The curves cross near 350 steps with AdamW and near 100 with Muon. So it is not Muon that makes the idea work. **The same idea hurts in short runs and helps in long ones, with either optimiser**, and Muon merely gets further in 200 steps. We have not isolated why it hurts in short ones.
#
# An experiment at one length would have "shown" that the idea depends on the optimiser, and one with a single optimiser that it simply works. The new recipe uses $-0.8$. We have not tried 0.5 on the U-Net; the project asks you to.
#
# ## 5. What does a longer average change?
#
# The last idea changes one number. Samples are drawn with an exponential moving average (EMA) of the weights, $\bar w\leftarrow d\,\bar w+(1-d)\,w$. It looks back over a **horizon** of about $1/(1-d)$ steps: 200 for $d=0.995$, 500 for $d=0.998$. The old recipe has the first, the new one the second. (*Going further* derives what averaging can do.)
#
# **Step 12. The ramp.** At the start the average would remember the untrained weights. So `genlab`, like many libraries, begins with a short memory. After $k$ updates the decay in force is
# $$d_k=\min\Big(d,\ \frac{1+k}{10+k}\Big). \tag{9}$$
#
# **Your turn 6 · where two averages part** *(derive, 4 minutes)*
#
# One run has $d=0.995$ and another $d=0.998$, and everything else is the same. After how many updates do their averages begin to differ? Then compare with the number of steps of our 60-second runs, about 400. (Tempting: a horizon; the update at which 0.998 itself comes into force.)

# %%
course.exercise("speed.memory", ...)  # a number of updates


# %% jupyter={"source_hidden": true}
def averages(cap, n_steps):
    """The EMA of a weight that equals k at step k, after every step."""
    module, found = nn.Linear(1, 1, bias=False).double(), []
    module.weight.data.fill_(0.0)
    ema = EMA(module, cap)
    for k in range(1, n_steps + 1):
        module.weight.data.fill_(k)
        ema.update(module)
        found.append(ema.average.weight.item())
    return np.array(found)


short, long_memory = averages(0.995, 2000), averages(0.998, 2000)
parted = int(np.argmax(short != long_memory))
print(f"equal to the last bit for {parted} updates; ", end="")
print(f"after 400 steps both are {400 - short[399]:.0f} steps old on average")
at = np.arange(200, 1600, 200)
age = lambda cap: at - averages(cap, 1600)[at - 1]
with more_checks():
    check(
        "mean age under the ramp: a tenth of the run",
        age(0.995),
        at / 10,
        atol=1.2,
        unlike={"a decay of 0.98 at most": age(0.98)},
    )

# %% [markdown]
# Whether you count 1790 or 1791, our runs end long before the two averages part. **The fifth idea did nothing at all.** So the table holds, by accident, what a medical trial adds on purpose: a **placebo**. What it gains shows how far a score moves when nothing was changed but the number of steps that the clock allowed.
#
# ## 6. It fails: what can the table not tell?
#
# Here is the table: five ideas, one added after the other, 60 processor seconds of U-Net training each, two training seeds, scored by A.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
ladder = {}  # the ideas one after the other: the runs of each, one a seed
for result in record["steps"]:
    ladder.setdefault(result["name"], []).append(result)
by_row = {name: [r["frechet_a"] for r in runs] for name, runs in ladder.items()}
print("recipe           steps   seed 0   seed 1   mean    gain, seed by seed")
before = by_row["former"]
for name, values in by_row.items():
    steps = np.mean([r["steps"] for r in ladder[name]])
    a, b = np.subtract(before, values)
    print(f"{draw.ROWS[name]:<16} {steps:<6.0f}  ", end="")
    print(f"{values[0]:.3f}    {values[1]:.3f}    ", end="")
    print(f"{np.mean(values):.3f}   {a:+.3f}, {b:+.3f}")
    before = values
draw.rows(
    {draw.ROWS[name]: drawn[name] for name in by_row},
    title="140 steps each: Muon halves the speckle, and a late fall ends it",
    alt="Six rows of the digits 0 to 9 from the same noise. In the first two, old "
    "recipe and no dropped label, strokes are broken and the background is speckled; "
    "in the third, Muon, it is darker; from the fourth on, strokes join. The last two "
    "rows are the same pictures.",
)

# %% [markdown]
# In the table the large drop comes with Muon. The pictures are of shorter runs, 140 steps, and there it takes two rows: with Muon half of the speckle goes, and with the late fall the rest, and strokes join. In so short a run the warm-up of 100 steps, which this row shortens, is most of the training. The last two rows of pictures are the same, bit for bit. At an equal number of steps the placebo is exactly nothing; in the table its two runs still move by about 0.01.
#
# But the row *Muon* is no clean experiment. It changes the optimiser, and with it three other settings:

# %%
labels_row = {"optimizer": "AdamW", "rate": 0.003, "clip": 1.0, "beta2": 0.999}
muon_row = {"optimizer": "Muon", "rate": 0.005, "clip": None, "beta2": 0.99}
same = {"p_drop": 0.0, "p_mean": -1.2}  # in both rows
labels_row, muon_row = labels_row | same, muon_row | same

# %% [markdown]
# **Your turn 7 · the control** *(derive, 5 minutes)*
#
# Consider this claim: "It was the higher rate, no clipping of long gradients, and Adam's shorter memory $\beta_2$ that gained; Muon did nothing." Which *one* run would show whether that is so? Write its settings as a dictionary (`{**muon_row, ...}` copies a row and changes entries). Which distance do you expect of it? The row *drop no label* has 0.51, the row *Muon* 0.25.

# %%
my_control = ...
course.exercise("speed.control", my_control)

# %% [markdown]
# We ran it, for as many steps as Muon's runs took:

# %% tags=["keep-output"] jupyter={"source_hidden": true}
control = [r["frechet_a"] for r in record["controls"]]
both = ", ".join(f"{value:.3f}" for value in control)
print(f"AdamW with the other settings of Muon's row, seeds 0 and 1: {both}")
start, stop = (np.mean(by_row[name]) for name in ("labels", "muon"))
kept = (start - np.mean(control)) / (start - stop)
course.predicted("speed.predict-control", 100 * kept)
draw.ladder(by_row, control, floor_a, luck)
three_rows = {draw.ROWS[name]: drawn[name] for name in ("labels", "muon")}
draw.rows(
    three_rows | {"the control": drawn["control"]},
    title="The control, after 140 steps: more speckle than before Muon, not less",
    alt="Three rows of the digits 0 to 9 from the same noise: without dropped labels "
    "the background is speckled, with Muon it is dark, and in the control, AdamW with "
    "Muon's settings, it is the most speckled.",
)

# %% [markdown]
# None of the gain remains (question 3): in both seeds the control is no better than the row before it. So the settings alone gain nothing. Whether Muon needs them is not tested: a cumulative table credits what two changes do *together* to the later one. And AdamW with a second rate, the strongest rival of section 2, has not been run on the U-Net: the control has *one* rate, 0.005, for everything. Two seeds are enough here only because the difference, 0.3, is more than ten times the luck of a score, and more than twice the largest distance between two seeds of one recipe.
#
# What of the small rows? *Drop no label*, *fall late* and *higher levels* each gained in both seeds, by 0.01 to 0.05. The luck of a difference of two scores is 0.025, the seeds of the old recipe lie 0.127 apart, and section 4 has shown that the sign of *higher levels* may depend on the length of the run. Two seeds cannot prove them, and do not disprove them. To establish a gain of 0.02 at five standard errors, if luck is that of section 1 and scores are independent, takes
# $$n=2\,\Big(\frac{5\cdot0.018}{0.02}\Big)^2\approx40\ \text{pairs of runs}, \tag{10}$$
# and more with the luck of training. (This gives the size, no more. Scores far from the floor carry more luck; and recipes that draw from the same noise, as ours do, share most of it.) Near the floor, 0.13, A can hardly tell two recipes apart. Remember section 1, too: the table is scored by A, by which the recipes were tuned. Luck and tuning of this kind are worth a few hundredths here, and Muon's gain is 0.26.
#
# So of five ideas in a table in which every row but one improves, **one** stands out in runs of a minute (by both seeds, against an AdamW whose rate was not tuned), one is a placebo, and three are plausible. How much did all five gain together? After 180 seconds, by the evaluator that chose nothing:

# %% jupyter={"source_hidden": true}
runs = record["record"]
by_b = [result["frechet_b"] for result in runs]
print("the new recipe, 180 processor seconds, evaluator B, seeds 0 to 4")
print("  " + ", ".join(f"{d:.3f}" for d in by_b) + f"; median {np.median(by_b):.3f}")
print(f"  floor {floor_b:.3f}, standard deviation {scores[:, 1].std():.3f}")
inside = [result["precision_b"] for result in runs]
of_real = card("digit16_evaluator_b")["metrics"]["precision_of_real"]
print(f"  precision {min(inside):.2f} to {max(inside):.2f}; real digits {of_real:.2f}")
old = record["verdict"]["former_b_seeds"]
print("the old recipe, 240 processor seconds, evaluator B, seeds 0 to 2")
print("  " + ", ".join(f"{d:.3f}" for d in old), end="; ")
d = np.subtract(by_b[:3], old)
error = 4.30 * d.std(ddof=1) / 3**0.5  # 95 %: two degrees of freedom
print(f"new - old, seed by seed: {d.mean():.3f} +- {error:.3f}")
print("tried while tuning by A, on a busier machine, so with fewer steps:")
for trial in record["tried"]:
    print(f"  {trial['frechet_a']:.2f}  {trial['steps']} steps: {trial['what']}")

# %% [markdown]
# The new recipe comes near the floor, and B can still tell it from real digits: each of its runs lies above, and precision sees the difference, too. The old recipe, with a third more time, ends higher in all three seeds, about twice as far above the floor on average. (At equal time, 60 seconds, we have only the table above, by A.) The last list shows what was **tried**, including what was not kept. When you read about a record, ask how many attempts came before it.
#
# ## Summary
#
# 1. Scores from samples have a floor and luck. The best of 200 equal generators looks better than it is by a good quarter (question 1).
# 2. Tune with one evaluator and report with another that no choice has seen. An optimised measure can be satisfied by noise.
# 3. Steepest descent depends on the norm. For the spectral norm of a matrix it is $UV^\top$: the directions of the gradient, all at equal size.
# 4. Newton-Schulz iteration computes it with products: an odd polynomial acts on the singular values alone. Muon averages the gradient, looks ahead, makes it orthogonal, and scales it.
# 5. In our laboratory three quarters of its lead at equal steps were a second rate, which AdamW had not been given. Its price is paid once a step, whatever the batch: a few per cent for convolutions, more than the layer itself in the laboratory, where it gains next to nothing at equal time.
# 6. Bias remembers the sum of all rates, noise only the last ones. A late fall acts like a cosine with a higher peak if all directions are equally noisy.
# 7. The class of a digit is decided where the conditional and the unconditional denoiser disagree. Half of the information about it is gone at $\sigma$ near 1.9 (question 2).
# 8. More training at those levels hurts in short runs and helps in long ones, with either optimiser. An experiment at one length can show either sign.
# 9. Under a ramp two averages are the same until the ramp reaches the smaller setting. That made one row a placebo.
# 10. A row that changes four things needs a control. AdamW with Muon's other settings, at one rate, keeps nothing of the gain (question 3).
# 11. Which of the five made the difference? In runs of a minute, *Muon*: it alone stands out. In the pictures of 140 steps, one run each, Muon and then *fall late*. *Longer average* is a placebo; for the rest, two seeds are too few.
#
# | paradigm | objective | sampler | NFE | likelihood | costs |
# |---|---|---|---|---|---|
# | diffusion, trained fast | unchanged: weighted denoising error | Heun, 18 steps | 35 | as in lesson 13 | a more expensive step, an evaluator that must stay unseen |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz("speedrun")


# %% [markdown]
# ## Project: beat it
#
# *(2 to 3 hours)* The command is
#
# ```bash
# genlab speedrun digits16 --seed 0 --seconds 60 --out mine.safetensors   # by A
# ```
#
# and the recipe is ten lines of `genlab_course/speedrun.py` (`Settings`, `RECORD`); `python benchmarks/speedrun.py steps` in a clone repeats the table. (Beside its scores it prints that of one unlucky set of 1,000 real digits, 0.171 by A. Compare with the floor of section 1.) The rules: the network and the sampler stay, 60 processor seconds, tune by A on training seed 0, report by B (`--report`) once, on seeds 1 to 5, together with everything that you tried. **Target: a median by B below that of the shipped recipe on the same machine, by more than twice the standard error of the difference.** Leads from this notebook:
#
# - $P$ of 0 or 0.5, at the length of *these* runs (section 4);
# - an average that really reaches back (section 5), or a shorter one, now that the rate falls to zero;
# - a higher peak with an earlier fall: the bias feels only the area, but does the noise stay low?
# - a larger batch: Muon's price is paid once a step, whatever the batch.
#
# Hand in the table with all seeds, twenty digits, the list of attempts, the control of your largest change, and a paragraph on which change you would bet on for a run ten times as long.
#
# The lesson ends here. If you have time for more:
#
# - *What averaging can do*, 8 minutes: the variance of an average of weights, derived and checked.
# - *The floor in a formula*, 10 minutes: how the floor falls with the number of samples.
#
# ## Going further: what averaging can do
#
# Go back to the noisy quadratic at a constant rate. Neighbouring steps are similar: $w_{k+1}=a\,w_k+\text{noise}$ with $a=1-\eta h$, so their covariance is $v\,a^{|i-j|}$. A step that is $j$ steps old has the weight $(1-d)\,d^j$ in the average. Sum over all pairs of steps:
# $$\frac{\operatorname{Var}\bar w}{v}=(1-d)^2\sum_{i,j\ge0}d^{\,i+j}a^{|i-j|}=\frac{1-d}{1+d}\cdot\frac{1+ad}{1-ad}. \tag{11}$$
# (For each distance $l=|i-j|$ the sum over the smaller index gives $d^{\,l}/(1-d^2)$; then sum $a^ld^{\,l}$ over $l$, twice for $l>0$.) The first factor is what averaging does to *independent* values. The second undoes much of it: in a flat direction the steps of a whole horizon are nearly the same step, and the ratio is close to 1.

# %% jupyter={"source_hidden": true}
def ratio(d, a):
    """Variance of the average over that of the weights."""
    return (1 - d) / (1 + d) * (1 + a * d) / (1 - a * d)


d, a = 0.98, 0.9
j = torch.arange(1500, dtype=torch.float64)
weights = (1 - d) * d**j
check(
    "variance of the average: formula, all pairs summed",
    ratio(d, a),
    weights @ (a ** (j[:, None] - j).abs()) @ weights,
    atol=1e-6,
    unlike={"as if steps were independent": ratio(d, 0.0)},
)
print("eta h      " + "".join(f"d = {d:<7}" for d in (0.98, 0.995, 0.998)))
for eta_h in (0.3, 0.03, 0.003, 0.0003):
    found = [f"{ratio(d, 1 - eta_h):>8.3f}" for d in (0.98, 0.995, 0.998)]
    print(f"{eta_h:<9}" + "   ".join(found))

# %% [markdown]
# In steep directions the average removes nearly all of the noise, in flat ones almost nothing. So averaging quiets the steep directions as a lower rate would, without giving up the speed in flat ones. The ramp (9) is a good average as well: its weights grow like the eighth power of the step, so its memory grows with the run. Karras et al. (2024, section 3) recommend such power functions.
#
# ## Going further: the floor in a formula
#
# **Your turn 8 · the floor of the means** *(derive, 5 minutes)*
#
# Let the features be 32 independent standard normal numbers. Two independent samples of $n=1{,}000$ pictures have means $m_1$ and $m_2$. What is the expected squared distance $\mathbb E\lVert m_1-m_2\rVert^2$, which enters the Fréchet distance as it is? Three digits. (Tempting: only one of the means is random; one coordinate alone.)

# %%
course.exercise("speed.floor", ...)  # your number in place of the dots


# %% [markdown]
# For normal features whose covariance has the eigenvalues $\lambda_i$, the expected Fréchet distance of two independent samples of $n$ is, to first order in $1/n$ (quoted; the second term comes from the curvature of the distance in the covariance),
# $$\mathbb E\,d^2\approx\frac1n\Big(2\sum_i\lambda_i+\sum_{i,j}\frac{\lambda_i\lambda_j\,(1+\delta_{ij})}{\lambda_i+\lambda_j}\Big). \tag{12}$$
# Here $\delta_{ij}$ is 1 for $i=j$ and 0 otherwise. The check draws 600 pairs of samples with eight unequal variances. Would it notice if $\delta_{ij}$ were left out?

# %% jupyter={"source_hidden": true}
def floor_of(variances, n):
    """Expected Fréchet distance of two samples of n normal features."""
    a, b = variances[:, None], variances[None]
    same = torch.eye(len(variances))
    return (2 * variances.sum() + (a * b * (1 + same) / (a + b)).sum()) / n


variances, g = torch.linspace(0.5, 2, 8), torch.Generator().manual_seed(0)
pairs = torch.randn(600, 2, 1000, 8, generator=g).double() * variances.sqrt()
means = (pairs[:, 0].mean(1) - pairs[:, 1].mean(1)).square().sum(1)  # (600,)
twice = (variances / 2).sum() / 1000  # what delta adds: the terms i = j once more
check_close_mc(
    "floor of 8 normal features, variances 0.5 to 2",
    torch.stack([frechet_distance(x, y) for x, y in pairs]),
    floor_of(variances, 1000).item(),
    unlike={
        "without delta": floor_of(variances, 1000) - twice,
        "the means alone": means,
    },
)
spectrum = torch.linalg.eigvalsh(torch.cov(real_a.T)).clamp(min=1e-9)
print(f"for normal features with the variances of A: {floor_of(spectrum, 1000):.3f}")

# %% [markdown]
# Both terms are divided by $n$: with 250 pictures in both sets the floor is four times as high. Features of real digits are neither normal nor independent of the class, and balanced classes lower the floor further, so for them the formula only gives the size of the effect.
#
# ## What production systems add
#
# Muon trains language models with up to a trillion weights: Moonlight (Liu et al. 2025) and Kimi K2 (2025), which also shrinks query and key weights wherever attention logits grow too large (QK-clip); `torch.optim.Muon` is the library's. Amsel et al. (2025) replace the fixed coefficients of (3) by the best ones for each iteration. Wen et al. (2025) tune ten optimisers with equal care: over a well-tuned AdamW the best train 1.4 times as fast at 0.1 billion weights and 1.1 times at 1.2 billion, and rankings change during training. Muon was born in another speed-run, that of NanoGPT. For diffusion transformers on ImageNet, representation alignment (REPA, Yu et al. 2024) saves a factor of ten or more by changing the objective rather than the optimiser. Esser et al. (2024, section 5.3.2) move the noise levels up with the resolution, since more noise is needed to hide a larger picture of the same object.
#
# ## Sources
#
# - Jordan, Jin, Boza, You, Cesista, Newhouse and Bernstein 2024, "Muon: An optimizer for hidden layers in neural networks" (blog post, kellerjordan.github.io/posts/muon): the iteration, its coefficients, which weights it is for.
# - Bernstein and Newhouse 2024, "Old Optimizer, New Norm: An Anthology" (arXiv:2409.20325): Adam, Shampoo and Prodigy as steepest descent; its part on Shampoo is our step 3.
# - Carlson, Cevher and Carin 2015, "Stochastic Spectral Descent for Restricted Boltzmann Machines" (AISTATS): steepest descent under the spectral norm, before Muon.
# - Amsel, Persson, Musco and Gower 2025, "The Polar Express: Optimal Matrix Sign Methods and Their Application to the Muon Algorithm" (arXiv:2505.16932).
# - Liu et al. 2025, "Muon is Scalable for LLM Training" (arXiv:2502.16982): eq. 4, the size of the step. Kimi Team 2025, "Kimi K2: Open Agentic Intelligence" (arXiv:2507.20534).
# - Wen, Hall, Ma and Liang 2025, "Fantastic Pretraining Optimizers and Where to Find Them" (arXiv:2509.02046): equal tuning for all.
# - Hägele et al. 2024, "Scaling Laws and Compute-Optimal Training Beyond Fixed Training Durations" (arXiv:2405.18392): constant rate with cooldown.
# - Karras, Aittala, Aila and Laine 2022, "Elucidating the Design Space of Diffusion-Based Generative Models" (arXiv:2206.00364): table 1 and eq. 8. Karras et al. 2024, "Analyzing and Improving the Training Dynamics of Diffusion Models" (arXiv:2312.02696): section 3, power-function averages.
# - Esser et al. 2024, "Scaling Rectified Flow Transformers for High-Resolution Image Synthesis" (arXiv:2403.03206): section 5.3.2, shifting the levels with resolution.
# - Guo, Shamai and Verdú 2005, "Mutual Information and Minimum Mean-Square Error in Gaussian Channels" (arXiv:cs/0412108): the relation between information and mean squared error; step 11 is the difference of two of its cases.
# - Biroli, Bonnaire, de Bortoli and Mézard 2024, "Dynamical Regimes of Diffusion Models" (arXiv:2402.18491); Li and Chen 2024, "Critical windows: non-asymptotic theory for feature emergence in diffusion models" (arXiv:2403.01633); Kynkäänniemi et al. 2024, "Applying Guidance in a Limited Interval Improves Sample and Distribution Quality in Diffusion Models" (arXiv:2404.07724): guidance at the deciding levels only.
# - Dowson and Landau 1982, the Fréchet distance of normal distributions; Heusel et al. 2017 (arXiv:1706.08500), eq. 6, its use on features.
# - Yu et al. 2024, "Representation Alignment for Generation" (arXiv:2410.06940).
