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
# # 02 · Autoregressive models
#
# ## After this lesson you will be able to
#
# - *derive* the likelihood of a text or a picture from next-piece probabilities, and give it in nats, bits and perplexity;
# - *test* by differentiation whether a network is causal, and say why the mask proves it;
# - *train* a PixelCNN and a transformer and compare their held-out bits with honest baselines;
# - *decode* with temperature, top-k, top-p and a key-value cache, and say what each changes and what it costs;
# - *diagnose* a causal leak and accumulating errors by a measurement.
#
# About 70 minutes to read, about 50 seconds to run. You need lesson 01, the softmax, and to have seen a convolution and attention once.

# %%
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import genlab_course as course
from genlab_course import widgets
from genlab.autoregressive import likelihood, decoding
from genlab.autoregressive.likelihood import dependence, peeks, seen_pixels
from genlab.zoo import find
from genlab.autoregressive.tokens import NGram
from genlab.autoregressive.images import PixelCNN, RasterStack, TwoStacks
from genlab.zoo.lessons import ALPHABET, windows
from genlab.autoregressive.tokens import CharTokenizer
from genlab.autoregressive.lm import TransformerLM
from genlab.core import bits_per_dim, entropy, last, make_generator
from genlab_course import check, check_close_mc, check_range
from genlab.data.digits import load_digits
from genlab.data.text import Grammar
from genlab.data.text import load_text
from genlab.metrics import coverage
from genlab.nn.transformer import attention, causal_mask
from genlab.nn.transformer import Transformer, TransformerBody, TransformerConfig
from genlab.train import cosine, fit, minibatches

course.begin(lesson=2)
torch.set_num_threads(1)  # networks this small are slower when threads wait for each other

# %% tags=["keep-output"]
figure = course.draw_map(lesson=2)

# %% [markdown]
# ## 1 · Predict first
#
# Write your answers down; you will meet each of them again.
#
# 1. Somebody trains a new image model. Its loss on *held-out* digits is tens of times lower than anything published. Its samples are empty
#    pages. What is the bug, and which one-line test would have found it before training?
# 2. A transformer writes 500 tokens. Without a cache it reads the growing text again for each one. Does a cache save a factor of about 3,
#    30 or 300 of the multiplications?
# 3. You have 1,397 digits of 8 x 8 pixels. Which needs fewer bits for a digit it has never seen: a small convolutional network or a small
#    transformer? By how much do they beat counting grey levels pixel by pixel?
# 4. A language model puts 3 % of its probability, at each word, on words that are impossible there. What fraction of its ten-word sentences is
#    broken?

# %% [markdown]
# ## 2 · The derivation
#
# **Step 1. The chain rule is exact.** By the definition of a conditional probability $p(a, b) = p(a)\,p(b\mid a)$. Apply it to the last piece of
# a sequence, then to the last but one, and so on:
# $$p(x_{1:n}) = \prod_{i=1}^{n} p(x_i \mid x_{<i}), \qquad -\log p(x_{1:n}) = -\sum_{i=1}^{n}\log p(x_i\mid x_{<i}).$$
# No independence was assumed and nothing was dropped: the condition is *everything* before. So a machine that outputs one distribution per
# position, each a function of the pieces before it, defines a normalised model of whole sequences, and its exact likelihood is a sum of $n$ numbers.
# No other paradigm of this course gets it so cheaply.
#
# Take the alphabet $\{A, B, C\}$ and a model that gives $p(B)=0.4$, $p(A\mid B)=0.5$, $p(C\mid BA)=0.6$. We write all its conditionals down as
# tables and compute the probability of BAC twice: by the log-sum above, and by building the table of all 27 joint probabilities and looking it up.

# %%
torch.set_default_dtype(torch.float64)
A, B, C = 0, 1, 2
rng = np.random.default_rng(2)
p1 = torch.tensor([0.35, 0.4, 0.25])
p2, p3 = (torch.from_numpy(rng.dirichlet(np.ones(3), size=s)) for s in ((3,), (3, 3)))
p2[B] = torch.tensor([0.5, 0.3, 0.2])
p3[B, A] = torch.tensor([0.1, 0.3, 0.6])


def abc_logits(x):
    """Row i holds log p(. | x_1 .. x_(i-1)): what a causal network would output."""
    return torch.stack(
        [p1.log().expand(len(x), 3), p2[x[:, 0]].log(), p3[x[:, 0], x[:, 1]].log()], dim=1
    )


bac = torch.tensor([[B, A, C]])
joint = torch.einsum("a,ab,abc->abc", p1, p2, p3)
log_prob = likelihood.sequence_log_prob(abc_logits(bac), bac)
alone = [joint.sum((1, 2)), joint.sum((0, 2)), joint.sum((0, 1))]  # each piece by itself
check(
    "p(BAC): chain rule, joint table",
    log_prob.exp(),
    joint[B, A, C],
    unlike={"conditions ignored": alone[0][B] * alone[1][A] * alone[2][C]},
)
check(
    "p(. | B) from the joint table, and as put in",
    joint[B].sum(1) / joint[B].sum(),
    p2[B],
    unlike={"the joint p(B, .)": joint[B].sum(1)},
)

# %% [markdown]
# **Step 2. Any order will do.** The last piece played no special role, so you may peel the pieces off in any order $\pi$ and get the same joint. Below,
# a random table over three variables is taken apart in all six orders: sum out what comes later, then normalise over the piece whose turn it is.
# Multiplied together again, the conditionals must give the table. For the same reason the entropies of the conditionals add up to the same total, whichever comes first.
#
# What the order *does* change is how hard the factors are to learn. A book read backwards has exactly the same
# total surprise; but whether its conditionals are functions that a given network can find is another matter.

# %%
table = torch.from_numpy(rng.dirichlet(np.ones(24))).reshape(2, 3, 4)


def conditional(piece, earlier):
    """p(piece | earlier), of shape (2, 3, 4) with axes of length 1 where nothing is read."""
    later = [axis for axis in range(3) if axis != piece and axis not in earlier]
    marginal = table.sum(dim=later, keepdim=True) if later else table
    return marginal / marginal.sum(dim=piece, keepdim=True)


def rebuilt(order):
    return math.prod(conditional(piece, order[:turn]) for turn, piece in enumerate(order))


orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
check(
    "joint rebuilt in all six orders",
    torch.stack([rebuilt(order) for order in orders]),
    table.expand(6, 2, 3, 4),
    atol=1e-12,
    unlike={"conditions ignored": math.prod(conditional(i, ()) for i in range(3))},
)
px, py = table.sum(dim=(1, 2)), table.sum(dim=(0, 2))
pxy = table.sum(dim=2)
x_first = entropy(px) + (px * entropy(pxy / px[:, None])).sum()
y_first = entropy(py) + (py * entropy((pxy / py).T)).sum()
check(
    "H(X) + H(Y|X) = H(Y) + H(X|Y)",
    x_first,
    y_first,
    unlike={"H(X) + H(Y)": entropy(px) + entropy(py)},
)

# %% [markdown]
# **Step 3. One quantity, four units.** The negative log-likelihood (NLL) is measured in *nats* with natural logarithms and in *bits* with base 2. Divide by
# the number of pieces and it can be compared across lengths; exponentiate that, and it becomes the *perplexity*, the number of equally likely choices
# that would be as surprising:
# $$\mathrm{PPL} = \exp\!\Big(\!-\tfrac1n\log p(x_{1:n})\Big), \qquad \text{bits per dimension} = \frac{-\log p(x)}{D\log 2}.$$
# For BAC, $-\log 0.12 = 2.12$ nats, or $3.06$ bits, and a perplexity of $0.12^{-1/3} = 2.03$. And a trap: perplexity is *per token*. Cut the same text into tokens
# twice as long, and the total NLL stays while the perplexity is squared. Never compare perplexities across tokenisers; bits per byte does not depend on them.
# The cell does it with 64 pixels of 17 equally likely grey levels, which it then reads as 32 pairs of pixels, with $17^2$ possible values each.

# %%
check(
    "perplexity of BAC: formula, 0.12^(-1/3)",
    likelihood.perplexity(log_prob, 3),
    0.12 ** (-1 / 3),
    unlike={"not divided by n": likelihood.perplexity(log_prob, 1)},
)


def uniform(n, k):
    """Log-probability of n tokens, each one of k equally likely ones."""
    return likelihood.sequence_log_prob(torch.zeros(1, n, k), torch.zeros(1, n).long())


check(
    "64 tokens of 17, 32 of 17^2: bits per dimension",
    torch.cat([bits_per_dim(-uniform(64, 17), 64), bits_per_dim(-uniform(32, 17**2), 64)]),
    math.log2(17),
    unlike={"nats": torch.cat([-uniform(64, 17) / 64, -uniform(32, 17**2) / 64])},
)
check(
    "... but the perplexity is squared",
    likelihood.perplexity(uniform(32, 17**2), 32),
    17**2,
    unlike={"as before": likelihood.perplexity(uniform(64, 17), 64)},
)

# %% [markdown]
# **Step 4. Training is next-piece cross-entropy.** Maximum likelihood minimises the NLL of the data. With $p(\cdot\mid x_{<i})=\mathrm{softmax}(a_i)$ each term is a
# classification loss, "which piece comes next?", with the data as its own labels, and its gradient in the logits is as simple as in any classifier:
# $$\frac{\partial}{\partial a_{ik}}\big(-\log p(x_{1:n})\big) = \mathrm{softmax}(a_i)_k - [k = x_i].$$
# All $n$ terms come from *one* pass, since in training every $x_{<i}$ is known beforehand. This is called **teacher forcing**, and section 8 shows a problem that comes with it.

# %%
logits = torch.randn(1, 5, 4, generator=make_generator(1), requires_grad=True)
x = torch.tensor([[2, 0, 3, 3, 1]])
(by_autograd,) = torch.autograd.grad(-likelihood.sequence_log_prob(logits, x).sum(), logits)
by_hand = logits.detach().exp() / logits.detach().exp().sum(-1, keepdim=True)
by_hand[0, torch.arange(5), x[0]] -= 1
check(
    "gradient = softmax - one-hot",
    by_autograd,
    by_hand,
    atol=1e-12,
    unlike={"softmax alone": logits.detach().softmax(-1)},
)

# %% [markdown]
# **Step 5. Causality lives in the connections.** The rows of the network's output are the conditionals of step 1 only if row $i$ ignores $x_i$ and everything after:
# $$J_{ij} = \Big|\frac{\partial a_i}{\partial x_j}\Big| = 0 \qquad\text{for every } j\ge i .$$
# Small is not enough: it must be *zero*, for all weights, by construction. (Tokens are discrete, so for a text read $x_j$ as the vector that stands for token $j$.) Two constructions are in use.
#
# - **Attention with a mask.** Weights $w_{ij}\propto \exp(q_i^\top k_j/\sqrt d)$ for $j\le i$ and $0$ otherwise. The input is the sequence shifted by a *begin*
#   token, so that position $i$ holds $x_{i-1}$ and may look at itself.
# - **Masked convolution.** For pixels in raster order the kernel keeps the rows above and the left of its own row. The first layer must hide the centre (type A);
#   later layers may see it (type B), because the features there already come from earlier pixels.
#
# Here are four networks on sixteen pieces (for the convolutions, the pixels of a 4 x 4 image). Which of them can be trained? Decide before you look.
# 1. a transformer with a causal mask; 2. a transformer without; 3. a PixelCNN; 4. a plain 3 x 3 convolution.

# %%
config = TransformerConfig(d_model=16, n_layer=2, n_head=2, n_kv_head=2, d_hidden=16)
causal_body = TransformerBody(config)
open_body = TransformerBody(TransformerConfig(**{**vars(config), "causal": False}))
plain_conv = torch.nn.Conv2d(1, 4, 3, padding=1)
pixelcnn_stack = TwoStacks(1, 4, n_layer=4)


def shifted(h):
    """Put a begin vector in front and leave the last piece off."""
    return torch.cat([torch.zeros_like(h[:1]), h[:-1]])


networks = {
    "1 · causal transformer": (lambda h: causal_body(shifted(h)[None])[0][0], 16),
    "2 · bidirectional transformer": (lambda h: open_body(shifted(h)[None])[0][0], 16),
    "3 · PixelCNN": (lambda h: pixelcnn_stack(h.reshape(1, 1, 4, 4)).reshape(-1, 16).T, 1),
    "4 · plain 3 x 3 convolution": (
        lambda h: plain_conv(h.reshape(1, 1, 4, 4)).reshape(-1, 16).T,
        1,
    ),
}
measured = {
    name: dependence(f, torch.randn(16, d, generator=make_generator(3)))
    for name, (f, d) in networks.items()
}
figure, axes = plt.subplots(1, 4, figsize=(11, 3.1))
for ax, (name, j) in zip(axes, measured.items(), strict=True):
    forbidden = (j > 0) & torch.ones(16, 16, dtype=torch.bool).triu()
    ax.imshow(
        (j > 0).int() + forbidden.int(),
        cmap=plt.matplotlib.colors.ListedColormap(["#F2F2F2", "#0072B2", "#D55E00"]),
        vmin=0,
        vmax=2,
    )
    ax.set(title=name, xlabel="depends on piece j", xticks=[0, 5, 10, 15], yticks=[0, 5, 10, 15])
axes[0].set_ylabel("prediction of piece i")
_ = figure.suptitle(
    "measured by differentiation: blue = allowed and used, orange = forbidden", y=1.04, fontsize=10
)

# %% [markdown]
# Networks 1 and 3 are strictly triangular. Networks 2 and 4 peek. We can count the orange squares and compare with a count that differentiates nothing: an unmasked
# transformer sees all pieces except the one that the shift cut off, and a 3 x 3 kernel at pixel $(r, c)$ sees itself and whichever of its four later neighbours exist.
# An orange square convicts a network. Their absence at one random input is strong evidence; the proof is the mask, which makes these derivatives zero whatever the weights are.

# %%
later = [(0, 0), (0, 1), (1, -1), (1, 0), (1, 1)]
by_geometry = sum(
    0 <= r + i < 4 and 0 <= c + j < 4 for r in range(4) for c in range(4) for i, j in later
)
unshifted = dependence(
    lambda h: causal_body(h[None])[0][0], torch.randn(16, 16, generator=make_generator(3))
)
check(
    "forbidden links of the networks 1 to 4",
    [peeks(j) for j in measured.values()],
    [0, 16 * 17 // 2 - 16, 0, by_geometry],
    unlike={"network 1 unshifted": [peeks(unshifted), 16 * 17 // 2 - 16, 0, by_geometry]},
)

# %% [markdown]
# A second test needs no derivatives, and it examines a whole model with its own shift: if a model is causal, its "probabilities" of *all* sequences sum to 1. The extreme leak is a network that copies: it
# gives logit 3 to the very piece that it is asked about and 0 to the two others. Each factor is then $f=e^3/(e^3+2)$ whatever the sequence, and all $3^4$ sequences together get $(3f)^4$, which is 55 and not 1.
# Such a model assigns every text a wonderful likelihood, because it has fifty times more probability to spend than there is. With logit $-3$ it would have almost none.
#
# This test works in one direction only. A sum other than 1 proves that the model peeks; a sum of 1 does not prove that it is causal. Here is a model that is causal in *no* order and sums to 1: $x_3$ is a
# fair coin, $x_1$ prefers to equal $x_2$, and $x_2$ prefers to equal $x_1$ if $x_3=1$ and to differ from it if $x_3=0$. The excess for one value of $x_3$ is exactly what is missing for the other.

# %%
torch.manual_seed(0)
tiny = TransformerLM(3, 4, config)
f = math.exp(3) / (math.exp(3) + 2)
check(
    "causal transformer: sum over 81 sequences",
    likelihood.total_probability(tiny.logits, 3, 4),
    1.0,
    unlike={"without its shift": likelihood.total_probability(tiny.next_logits, 3, 4)},
)
copying = [
    likelihood.total_probability(lambda x, a=a: a * torch.nn.functional.one_hot(x, 3), 3, 4)
    for a in (3.0, -3.0)
]
less = math.exp(-3) / (math.exp(-3) + 2)
check(
    "copying, and avoiding a copy: sums",
    copying,
    [(3 * f) ** 4, (3 * less) ** 4],
    unlike={"one factor for the whole sequence": [81 * f, 81 * less]},
)


def circle(x, turned=True):
    """Logits of the three binary pieces of a model in which x1 and x2 read each other."""
    x1, x2, x3 = (2 * x - 1).double().T
    p = 0.5 + 0.3 * torch.stack([x2, x1 * (x3 if turned else 1), 0 * x3], dim=1)
    return torch.stack([1 - p, p], dim=2).log()


check(
    "x1 and x2 read each other: sum over 8 sequences",
    likelihood.total_probability(circle, 2, 3),
    1.0,
    unlike={"x3 ignored": likelihood.total_probability(lambda x: circle(x, False), 2, 3)},
)

# %% [markdown]
# **Step 6. Causal is not the same as complete: the blind spot.** A stack of raster-masked kernels never looks ahead, but does it see *everything* before? To reach a pixel in an
# earlier row it must climb, and each row it climbs lets it drift at most one pixel to the right. What stands further to the upper right is out of reach at any depth. The cure is to split the work: a
# *vertical* stack reads whole rows above, a *horizontal* one the rest of the current row, and the first feeds the second. We measure both at row 4, column 3.

# %%
torch.manual_seed(1)
fields = {
    "one raster stack": RasterStack(1, 4, n_layer=8),
    "vertical + horizontal stack": TwoStacks(1, 4, n_layer=8),
}
seen = {name: seen_pixels(stack, 4, 3) for name, stack in fields.items()}
figure, axes = plt.subplots(1, 2, figsize=(7, 3.2))
past = (torch.arange(64) < 4 * 8 + 3).reshape(8, 8)
for ax, (name, reached) in zip(axes, seen.items(), strict=True):
    shade = past.int() + (past & reached).int()
    shade[4, 3] = 3
    ax.imshow(
        shade,
        cmap=plt.matplotlib.colors.ListedColormap(["#F2F2F2", "#E69F00", "#56B4E9", "#222222"]),
        vmin=0,
        vmax=3,
    )
    ax.set(title=name, xlabel="column", ylabel="row", xticks=range(8), yticks=range(8))
figure.suptitle(
    "black: predicted, blue: can be read, orange: blind, grey: later", y=1.05, fontsize=10
)
kinds = (RasterStack, TwoStacks)
reachable = (
    sum(min(8, 3 + k + 1) for k in range(1, 5)) + 3
)  # k rows up: columns 0 .. 3 + k; then 3 on the left
check(
    "raster stack, two stacks: pixels read, by geometry",
    [int(reached.sum()) for reached in seen.values()],
    [reachable, 4 * 8 + 3],
    unlike={"three layers": [int(seen_pixels(s(1, 4, n_layer=3), 4, 3).sum()) for s in kinds]},
)

# %% [markdown]
# So at most pixels one raster stack misses a part of the past, however deep it is, and two stacks see all of it *if they are deep enough*: each layer reaches one row further up and one pixel further left.
#
# Use the widget to answer: with two stacks, how many layers does the last pixel $(7, 7)$ need before the first one $(0, 0)$ can influence it? And which forbidden pixels does the unmasked network read at depth 1?

# %% tags=["keep-output"]
torch.set_default_dtype(torch.float32)
widgets.receptive_field()

# %% [markdown]
# <details><summary>Answer</summary>
#
# Seven layers, one for each row and column on the way; with seven, $(7,7)$ reads all 63 pixels before it. At depth 1 the unmasked network reads five forbidden pixels, wherever they exist:
# the predicted pixel itself, its right neighbour, and the three below.
# </details>
#
# **Where the classics stand.** The first models of this family had pixels as pieces and no convolutions. *FVSBN* gives each pixel its own logistic regression on the pixels before it. *NADE* shares one hidden layer among all of them.
# *MADE* takes an ordinary multi-layer perceptron and sets weights to zero: number the variables in any order, give each hidden unit a number too, and let a hidden unit read only those with smaller or equal numbers, an output only those with smaller ones (`genlab.nn.layers`). *WaveNet*
# does for sound what PixelCNN does for pictures: convolutions over time, shifted so that they end one sample before the predicted one, with gaps between the taps that double from layer to layer, so that $L$ layers see $2^L$ samples.
# "Autoregressive" names the factorisation; the transformer is only its most successful network.

# %% [markdown]
# ## 3 · The equation becomes code
#
# A few lines each, written out here and then compared with the package: the chain rule on logits, and attention with a mask.

# %%
torch.set_default_dtype(torch.float64)


def my_sequence_log_prob(logits, x):
    log_p = logits - logits.exp().sum(-1, keepdim=True).log()
    return sum(log_p[:, i].gather(1, x[:, [i]])[:, 0] for i in range(x.shape[1]))


def my_causal_attention(q, k, v):
    out = torch.zeros_like(v)
    for i in range(q.shape[2]):  # one query at a time, over the keys up to its own position
        weight = torch.softmax(
            (k[:, :, : i + 1] @ q[:, :, i, :, None])[..., 0] / math.sqrt(q.shape[-1]), dim=-1
        )
        out[:, :, i] = (weight[..., None] * v[:, :, : i + 1]).sum(2)
    return out


logits, x = (
    torch.randn(8, 6, 5, generator=make_generator(4)),
    torch.randint(5, (8, 6), generator=make_generator(5)),
)
check(
    "my chain rule = genlab's",
    my_sequence_log_prob(logits, x),
    likelihood.sequence_log_prob(logits, x),
    atol=1e-12,
    unlike={"the bare logits": logits.gather(2, x[..., None]).sum((1, 2))},
)
q, k, v = torch.randn(3, 2, 4, 7, 8, generator=make_generator(6))
check(
    "my attention = genlab's",
    my_causal_attention(q, k, v),
    attention(q, k, v, causal_mask(7, 7)),
    atol=1e-12,
    unlike={"attention without mask": attention(q, k, v)},
)
course.show_source(likelihood.token_log_probs)

# %% [markdown]
# ## 4 · Train on the digits
#
# The data set of the whole course: 1,797 images of 8 x 8 pixels with 17 grey levels, split once and for all into 1,397 to learn from, 200 to choose with and 200 to report on. Before any network, three honest baselines.
#
# - A **histogram** of each pixel's grey levels, smoothed. It describes where ink tends to be, and nothing about strokes. Its likelihood is exact.
# - scikit-learn's **kernel density** and **Gaussian mixture**. These are densities, so the integers are first spread evenly over their bins, $y=(x+u)/17$, and $\log_2 17 = 4.087$ bits per dimension are
#   added for the width of a bin. What results is, on average over $u$, an upper bound on the bits of the discrete model that the density implies (lesson 04 proves it).
#
# All hyperparameters were chosen on the 200 validation images.

# %%
torch.set_default_dtype(torch.float32)
train, val, test = (load_digits(part).images for part in ("train", "val", "test"))
rows = [
    coverage.pixel_histogram(train, val, test),
    coverage.kernel_density(train, val, test, generator=make_generator(0)),
    coverage.gaussian_mixture(train, val, test, generator=make_generator(0)),
]
nothing = bits_per_dim(-uniform(64, 17), 64)
for row, (low, high) in zip(rows, ((2.38, 2.45), (3.0, 3.4), (2.45, 2.7)), strict=True):
    label = f"{row.name} ({row.kind}), test bits/dim"
    check_range(label, row.test, low, high, digits=2, unlike={"17 equal levels": nothing})
white = (train == 0).float()
print(f"{white.mean():.1%} of the grey values are 0,", end=" ")
always = int((white.mean((0, 1)) > 0.95).sum())
print(f"and {always} of 64 pixels are 0 in over 95 % of the images")

# %% [markdown]
# The densities lose to a histogram. Half of all grey values are exactly 0, more than half of these in pixels that hold ink in at least every twentieth image, and a smooth bump cannot sit tightly in a bin. Discrete data want a discrete model.
#
# Now the PixelCNN: two stacks as in step 6, with 4 layers of 32 channels, and a softmax over 17 levels at each pixel; 47,000 weights. Watch the held-out figure, not the training loss.

# %%
pixelcnn = find("digit_pixelcnn").untrained()
records_pixelcnn = widgets.watch(
    find("digit_pixelcnn").train(pixelcnn, train), total=440, label="nats per pixel"
)


@torch.no_grad()
def test_bits(model, images=test):
    return float(bits_per_dim(-model.log_prob(images), 64).mean())


best = min(row.test for row in rows)
check_range(
    "PixelCNN (exact), test bits/dim",
    test_bits(pixelcnn),
    1.70,
    1.85,
    digits=2,
    unlike={"the best baseline": best},
)

# %% [markdown]
# Four layers are fewer than the seven that the widget asked for. So this network does not see its whole past, and nothing in its likelihood betrays it: it is a *local* model, exact and
# normalised. How much does it miss? We differentiate the trained network at every pixel, and count by geometry what four layers can reach: four rows up, four columns to either side.

# %%
seen = [seen_pixels(pixelcnn.stack, r, c) for r in range(8) for c in range(8)]
reach = [(i, j) for i in range(-4, 1) for j in range(-4, 5) if (i, j) < (0, 0)]
by_geometry = sum(
    r + i >= 0 and 0 <= c + j < 8 for r in range(8) for c in range(8) for i, j in reach
)
check(
    "links to earlier pixels: measured, by geometry",
    int(sum(s.sum() for s in seen)),
    by_geometry,
    unlike={"all of them": sum(range(64))},
)
print(f"pixel (7, 7) reads {int(seen[-1].sum())} of 63 pixels,", end=" ")
print(f"all pixels together {by_geometry} of {sum(range(64))}")

# %% [markdown]
# What does this blindness cost? Retraining takes too long for this page, so here is what it gave, with the same recipe and three seeds (`docs/measurements.md` has the command). Four layers: 1.781 bits per dimension. Seven layers,
# which see all 63 pixels: 1.766. Seven layers whose upper three may not look around, so that they see the same 24 pixels: 1.771. Most of the small gain is therefore depth. The distant past itself is worth
# 0.006 ± 0.004 bits. On images of 8 x 8 pixels the neighbourhood is nearly everything; on larger ones, and in text, it is not.
#
# And the transformer: the same 64 pixels as a sequence of 64 tokens. Its input says which pixel it predicts and which grey level came last. That pixel 12 lies *below* pixel 4, it has to learn.

# %%
transformer = find("digit_transformer").untrained()
records_transformer = widgets.watch(
    find("digit_transformer").train(transformer, train), total=440, label="nats per pixel"
)
check_range(
    "transformer (exact), test bits/dim",
    test_bits(transformer),
    1.78,
    2.08,
    digits=2,
    unlike={"the best baseline": best},
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
for name, rs in (("PixelCNN", records_pixelcnn), ("transformer", records_transformer)):
    smooth = np.convolve([r.loss / math.log(2) for r in rs], np.ones(20) / 20, mode="valid")
    left.plot(np.arange(20, len(rs) + 1), smooth, label=name)
left.set(xlabel="training step", ylabel="training loss (bits per dimension)", ylim=(1.4, 3.5))
left.axhline(best, color="#555555", linewidth=1, linestyle="-")
left.text(430, best + 0.04, "best baseline (test)", ha="right", fontsize=8, color="#555555")
left.legend()
names = [*(row.name for row in rows), "transformer", "PixelCNN"]
bits = [*(row.test for row in rows), test_bits(transformer), test_bits(pixelcnn)]
right.barh(names, bits, color=["#BBBBBB"] * 3 + ["#E69F00", "#0072B2"])
for i, value in enumerate(bits):
    right.text(value + 0.04, i, f"{value:.2f}", va="center", fontsize=9)
right.set(xlabel="held-out bits per dimension (lower is better)", xlim=(0, 4.2))
right.axvline(math.log2(17), color="#555555", linewidth=1)
_ = right.text(4.04, 3.9, "17 equal levels", ha="right", fontsize=8, color="#555555")

# %% [markdown]
# Both leave the baselines far behind, by about half a bit for each of 64 pixels. The convolution wins here: that neighbours matter, and that a stroke looks alike wherever it
# stands, is built into its connections, while the transformer must learn it from 1,397 pictures.
#
# To sample, walk the chain rule from left to right: draw the first pixel, condition on it, draw the second, and so on. That is one network evaluation per pixel. Count them, and look at the samples; those of the histogram show what ignoring the neighbours means.

# %%
passes = []
hook = pixelcnn.stack.register_forward_hook(lambda *_: passes.append(1))
drawn = pixelcnn.sample(20, generator=make_generator(7))
whole = len(passes)
last(pixelcnn.steps(test[:1], 32, generator=make_generator(7)))
hook.remove()
check(
    "passes for an image (or a batch), for a lower half",
    [whole, len(passes) - whole],
    [64, 32],
    unlike={"half an image as a whole one": [whole, whole]},
)
levels = coverage.histogram_log_probs(train, 17, 0.1).exp()
independent = torch.multinomial(
    levels, 20, replacement=True, generator=make_generator(7)
).T.reshape(20, 1, 8, 8)
figure, axes = plt.subplots(2, 2, figsize=(10, 2.9))
grids = {
    "test images": test[:20],
    "PixelCNN": drawn,
    "transformer": transformer.sample(20, generator=make_generator(7)),
    "pixel histogram": independent,
}
for ax, (name, images) in zip(axes.flat, grids.items(), strict=True):
    course.show_images(ax, images, title=name)

# %% [markdown]
# Because the factors are conditionals, a model of whole images also *completes* them: keep the upper half as the given $x_{<i}$ and draw the rest. Each column has one upper half, and four lower halves drawn for it.

# %%
upper = test[[3, 8, 11, 14, 21, 33, 40, 52, 60, 75, 90, 101]]
completed = last(pixelcnn.steps(upper.repeat(4, 1, 1, 1), 32, generator=make_generator(8)))
hidden = upper.clone()
hidden[:, :, 4:] = 0
figure, ax = plt.subplots(figsize=(8, 4.2))
course.show_images(
    ax,
    torch.cat([upper, hidden, completed]),
    n_columns=12,
    title="first row: test images; second: what the model is given; below: four completions",
)

# %% [markdown]
# ## 5 · Text, and a source whose entropy is known
#
# How good *can* a model be? On real data nobody knows the entropy. So we start with a source whose entropy we do know: a small grammar whose sentences have exactly computable probabilities. Its verb agrees with its noun *across* a relative clause
# ("the **cats** that see a dog **sleep**"), which a short memory cannot manage. Its entropy follows by recursion over the rules; as a second route we average the exact surprise of fresh samples.

# %%
grammar = Grammar()
draws = make_generator(2)
sentences, fresh = grammar.sample(8000, generator=draws), grammar.sample(600, generator=draws)
for sentence in grammar.decode(fresh[[0, 3, 5]]):
    print(sentence)
check_close_mc(
    "entropy, nats per sentence",
    -grammar.log_prob(fresh),
    grammar.entropy(),
    unlike={"all words equally likely": grammar.mean_length() * math.log(len(grammar.words))},
)
torch.manual_seed(2)
speaker = TransformerLM(
    len(grammar.words),
    grammar.max_length,
    TransformerConfig(d_model=32, n_layer=1, n_head=4, n_kv_head=4, d_hidden=64),
)
batches = minibatches(sentences, 64, generator=draws)
for _ in fit(speaker, batches, n_steps=60, lr=5e-3):
    pass
early = {name: value.clone() for name, value in speaker.state_dict().items()}  # kept for section 8
records = widgets.watch(
    fit(speaker, batches, n_steps=300, lr=cosine(1e-2, 300, warmup=20), weight_decay=0.01),
    total=300,
    label="nats per word",
)

# %% [markdown]
# The grammar can also say what the *perfect* next-word distribution is after any prefix, so the gap between model and source needs no sampling noise in the next word:
# $$\mathbb E_{x}\sum_i \mathrm{KL}\big(p(\cdot\mid x_{<i})\,\|\,p_\theta(\cdot\mid x_{<i})\big) = \text{cross-entropy} - \text{entropy} \ge 0 .$$
# It is the chain rule once more, this time for the KL divergence. The competitor is a *counter*: an order-$k$ model that looks up how often each word followed the last $k$.

# %%
perfect = grammar.next_probs(fresh)


@torch.no_grad()
def excess_nats(model):
    log_q = model.logits(fresh).log_softmax(-1)
    return float((torch.xlogy(perfect, perfect) - perfect * log_q).sum((1, 2)).mean())


def stream(rows):
    return torch.cat(
        [torch.tensor([0]), *[row[: int((row == 0).nonzero()[0]) + 1] for row in rows]]
    )


counters = [
    -NGram(stream(sentences), len(grammar.words), k).token_log_probs(stream(fresh))[1:].sum()
    / len(fresh)
    for k in range(7)
]
best_counter = min(counters) - grammar.entropy()
check_range(
    "transformer: nats above the entropy",
    excess_nats(speaker),
    0.0,
    0.15,
    digits=2,
    unlike={"best counter": best_counter},
)

# %% [markdown]
# The transformer comes within a few hundredths of a nat of the best that is possible; the best counter stays almost a whole nat away, and longer memories make it *worse*, because long contexts were seen too rarely to be counted.
#
# Now real text: the reference manual that every Python carries, 370,000 characters after dropping repeated paragraphs *before* splitting (else the held-out part would be known by heart). The pieces are characters; since the text is ASCII, bits per
# character are bits per byte. The manual changes a little with Python's version, so all of these figures are ranges.

# %%
tokenizer = CharTokenizer(ALPHABET)  # newline and printable ASCII
book, page = tokenizer.encode(load_text("train")), tokenizer.encode(load_text("test"))
writer = find("text_transformer").untrained()
records_text = widgets.watch(
    find("text_transformer").train(writer, windows(load_text("train"), 64)),
    total=600,
    label="nats per character",
)
with torch.no_grad():
    log_probs = writer.log_prob(windows(load_text("test"), 64))
    writer_bits = float(likelihood.bits_per_byte(log_probs, 64).mean())
orders = [
    float(
        likelihood.bits_per_byte(
            NGram(book, tokenizer.n_tokens, k).token_log_probs(page).sum(), len(page)
        )
    )
    for k in range(6)
]
print("counters of order 0 to 5:", ", ".join(f"~{bits:.2f}" for bits in orders))
check_range(
    "order-5 counter, bits per byte",
    orders[5],
    1.5,
    2.2,
    digits=2,
    unlike={"transformer": writer_bits},
)
check_range(
    "order-2 counter - transformer, bits per byte",
    orders[2] - writer_bits,
    0.0,
    0.4,
    digits=2,
    unlike={"order 3 - transformer": orders[3] - writer_bits},
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
left.plot(range(7), [float(c) for c in counters], marker="o", label="counter")
left.axhline(grammar.entropy() + excess_nats(speaker), color="#E69F00", label="transformer")
left.axhline(grammar.entropy(), color="#222222", linestyle=":", label="entropy of the source")
left.set(
    title="grammar",
    xlabel="memory of the counter (words)",
    ylabel="nats per sentence",
    ylim=(8.8, 13),
)
right.plot(range(6), orders, marker="o", label="counter")
right.axhline(writer_bits, color="#E69F00", label="transformer, a few seconds of training")
right.set(
    title="Python's manual",
    xlabel="memory of the counter (characters)",
    ylabel="bits per byte",
    ylim=(1.5, 5),
)
left.legend(fontsize=8)
_ = right.legend(fontsize=8)

# %% [markdown]
# So where structure is long-range the transformer wins at once. On a repetitive manual, a few seconds of training are worth a counter with two to three characters of memory, and the order-5 counter is ahead. The language-model lab trains for minutes instead of seconds and passes it.

# %% [markdown]
# ## 6 · Decoding
#
# **Step 7. Reshaping the distribution.** A sampler may change the next-piece distribution before it draws. *Temperature* $\tau$ divides the logits: $p_\tau(k)\propto p(k)^{1/\tau}$. *Top-k* keeps the $k$ likeliest pieces. *Top-p* (nucleus) keeps the smallest set of likeliest pieces
# whose probability reaches $p$; the piece that crosses the threshold **stays**. Cooling every step does *not* sample whole sequences from $p(x)^{1/\tau}$: each step is renormalised by itself, so the sequences are weighted differently. A two-piece example shows it.

# %%
torch.set_default_dtype(torch.float64)
p = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
check(
    "temperature 1/2 squares the probabilities",
    decoding.apply_temperature(p.log(), 0.5).softmax(-1),
    p**2 / (p**2).sum(),
    unlike={"the square root": p**0.5 / (p**0.5).sum()},
)
likeliest = decoding.keep_top_k(p.log(), 1).softmax(-1)
check(
    "top-p 0.5 keeps 0.4 and 0.3, top-k 1 keeps 0.4",
    torch.cat([decoding.keep_top_p(p.log(), 0.5).softmax(-1), likeliest]),
    torch.tensor([[0, 4 / 7, 3 / 7, 0], [0, 1, 0, 0]]),
    unlike={"the crossing piece dropped": torch.cat([likeliest, likeliest])},
)

# %%
first, second = torch.tensor([0.6, 0.4]), torch.tensor([[0.5, 0.5], [1.0, 0.0]])
cooled = (first[:, None] * second) ** 2  # whole sequences, not yet normalised


def two_pieces(t):
    return first.log().expand(len(t), 1, 2) if t.shape[1] == 1 else second[t[:, 1:]].log()


pairs = last(
    decoding.generate_naive(
        two_pieces,
        torch.zeros(20_000, 1).long(),
        2,
        reshape=lambda a: decoding.apply_temperature(a, 0.5),
        generator=make_generator(16),
    )
)
check_close_mc(
    "cooling each step: share of first = 0",
    (pairs[:, 1] == 0).double(),
    0.36 / 0.52,
    unlike={"cooling whole sequences": cooled[0].sum() / cooled.sum()},
)
many = bac.expand(20_000, -1)[:, :1]
texts = last(
    decoding.generate_naive(
        lambda t: abc_logits(t.repeat(1, 3))[:, : t.shape[1] + 1],
        many,
        2,
        generator=make_generator(9),
    )
)
check_close_mc(
    "share of BAC among texts that begin with B",
    (texts == bac).all(1).double(),
    0.5 * 0.6,
    unlike={"conditions ignored": alone[1][A] * alone[2][C]},
)

# %% [markdown]
# In the widget, take the context `the val`. How low must the temperature be before one letter holds 99 %? Which top-p keeps exactly two letters after `Py`? Grey bars without a blue one inside have been cut off.

# %% tags=["keep-output"]
torch.set_default_dtype(torch.float32)
contexts = ["the val", "Py", "If the ", "\n\n", "class "]
with torch.no_grad():
    after = torch.cat(
        [
            writer.next_logits(torch.cat([writer.begin(1), tokenizer.encode(c)[None]], 1))[:, -1]
            for c in contexts
        ]
    )
letters = ["\\n" if c == "\n" else "␣" if c == " " else c for c in tokenizer.alphabet]
widgets.decoding(after, letters, [c.replace("\n", "\\n") for c in contexts])

# %% [markdown]
# <details><summary>Answer</summary>
#
# The first letter holds 99 % below a temperature of about 0.5. Top-p keeps exactly two letters when $p$ lies between the probability of the first, about 0.24 after `Py`, and that of the first two
# together, about 0.41. (The numbers belong to one training and move a little with the version of the manual.)
# </details>
#
# What the settings do to whole samples: the same transformer, three temperatures. Cold samples are the model's favourites and more alike; hot ones fall apart. We measure both ends: the surprise of the samples under the *unchanged* model, and their spread.

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 2.0))
spread = {}
for ax, temperature in zip(axes, (0.4, 1.0, 1.6), strict=True):
    tokens = last(
        transformer.steps(
            60,
            reshape=lambda a, t=temperature: decoding.apply_temperature(a, t),
            generator=make_generator(10),
        )
    )
    images = transformer.image(tokens[:, 1:])
    spread[temperature] = float(images.double().std(0).mean()), test_bits(transformer, images)
    course.show_images(ax, images[:12], n_columns=6, title=f"temperature {temperature}")
for temperature, low, high in ((0.4, 1.0, 1.6), (1.6, 2.4, 3.3)):
    label = f"temperature {temperature}: bits/dim of samples"
    as_it_is = {"temperature 1": spread[1.0][1]}
    check_range(label, spread[temperature][1], low, high, digits=2, unlike=as_it_is)
check_range(
    "mean std of a pixel at 0.4, over that at 1.0",
    spread[0.4][0] / spread[1.0][0],
    0.7,
    0.95,
    digits=2,
    unlike={"at 1.6, over that at 1.0": spread[1.6][0] / spread[1.0][0]},
)

# %% [markdown]
# ## 7 · The key-value cache
#
# **Step 8. What need not be computed twice.** To draw token $t+1$ we need the last row of the network only. In each layer that row is $\sum_{j\le t} w_{tj} v_j$: the query of the *new* position, and keys and values of *all* positions. But $k_j$ and $v_j$ are functions of $x_{\le j}$, because the mask
# keeps everything later out of them. Once computed they never change. So keep them; per new token only its own query, key and value are new. The argument fails for a bidirectional network, whose keys change with every new token.
#
# The check runs both loops with the same random numbers, on grouped-query attention, and compares every token; then the logits behind them.

# %%
torch.set_default_dtype(torch.float64)
torch.manual_seed(3)
small = TransformerConfig(d_model=32, n_layer=2, n_head=4, n_kv_head=2, d_hidden=64)
net = Transformer(50, small)
with torch.no_grad():
    for weight in net.parameters():
        weight.mul_(6 if weight.ndim > 1 else 1)  # far from uniform, as after training
prompt = torch.tensor([[7, 1, 42]])
naive = last(decoding.generate_naive(net, prompt, 120, generator=make_generator(11)))
cached = last(decoding.generate_cached(net.extend, prompt, 120, generator=make_generator(11)))
forgetful = last(
    decoding.generate_naive(lambda t: net(t[:, -1:]), prompt, 120, generator=make_generator(11))
)
check(
    "cached = naive, token for token",
    cached,
    naive,
    atol=0,
    unlike={"only the last token read": forgetful},
)
_, cache = net.extend(naive[:, :-1])
check(
    "last logits: cache, whole text",
    net.extend(naive[:, -1:], cache)[0][0, 0],
    net(naive)[0, -1],
    atol=1e-9,
    unlike={"an empty cache": net.extend(naive[:, -1:])[0][0, 0]},
)
check(
    "numbers kept in the cache: 2 L d_kv a position",
    sum(kv.k.numel() + kv.v.numel() for kv in cache),
    2 * 2 * 16 * 122,
    unlike={"groups ignored: 2 L d": 2 * small.n_layer * small.d_model * 122},
)


# %% [markdown]
# **Step 9. What it saves.** One pass over $n$ new positions with $m$ in the cache multiplies, in $L$ layers of width $d$ with MLPs of width $d_h$,
# $$C(n, m) = L\,n\,(2d^2+2d\,d_{kv}+3d\,d_h) + n\,d\,V \;+\; 2L\,d\,n\,(m+n).$$
# The first part counts positions, the last one pairs of positions. Token $t$ costs $C(t,0)$ without a cache and $C(1,t-1)$ with one: the *pairs* of the whole text grow as $t^3$ against $t^2$, the positions as $t^2$ against $t$. PyTorch can count multiplications itself while the two loops run, and must agree to the last one.

# %%
def counted(run):
    with FlopCounterMode(display=False) as counter:
        last(run)
    return counter.get_total_flops() // 2  # PyTorch counts a multiplication and an addition


d, d_kv = 32, 16
per_position, per_pair = 2 * (2 * d * d + 2 * d * d_kv + 3 * d * 64) + d * 50, 2 * 2 * d


def by_hand(n_new, position=per_position, pair=per_pair):
    """Multiplications without and with a cache; the text grows from 3 positions."""
    t = np.arange(3, 3 + n_new)
    no_cache = position * t + pair * t**2
    cache = position + pair * t
    cache[0] = 3 * position + 9 * pair  # the prompt is read at once
    return [int(no_cache.sum()), int(cache.sum())]


loops = decoding.generate_naive(net, prompt, 40), decoding.generate_cached(net.extend, prompt, 40)
check(
    "40 tokens, no cache and cache: PyTorch's counter",
    [counted(loop) for loop in loops],
    by_hand(40),
    unlike={
        "pairs forgotten": by_hand(40, pair=0),
        "positions forgotten": by_hand(40, position=0),
    },
)

# %%
without, with_cache = (
    np.array(cost(small, 50, 3, 500)) for cost in (decoding.naive_cost, decoding.cached_cost)
)
positions, pairs = (by_hand(500, **{part: 0}) for part in ("pair", "position"))
check_range(
    "500 tokens: multiplications saved, a factor",
    without.sum() / with_cache.sum(),
    300,
    306,
    digits=0,
    unlike={
        "positions alone": positions[0] / positions[1],
        "pairs alone": pairs[0] / pairs[1],
    },
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3))
for ax, reduce, title in ((left, lambda c: c, "one token"), (right, np.cumsum, "the text so far")):
    ax.plot(reduce(without), label="no cache")
    ax.plot(reduce(with_cache), label="cache")
    ax.set(yscale="log", xlabel="tokens written", ylabel="multiplications", title=title)
_ = left.legend()

# %% [markdown]
# Question 2 is answered: a factor of about 300, and it grows with the length. Writing $n$ tokens, the naive loop reads $\sum t\approx n^2/2$ positions where the cached one reads $n$, which saves a factor of $n/2=250$; it computes $\sum t^2\approx n^3/3$ pairs
# where the cached one needs $\sum t\approx n^2/2$, which saves $2n/3=333$. In this small network both matter, so the factor lies between. The price is memory, $2L\,d_{kv}$ numbers per position and sequence; grouped queries divide it by the group size, which is why today's models have them. The cache does *not* make sampling parallel: 500 tokens still need 500 network evaluations, one after another.

# %% [markdown]
# ## 8 · It fails
#
# **Failure 1: the causal leak.** Train two plain 3 x 3 convolutions, like the one of step 5, as if they were a PixelCNN: the same data, the same loss, fewer layers and steps, and no mask.

# %%
torch.set_default_dtype(torch.float32)
torch.manual_seed(2)
unmasked = torch.nn.Sequential(
    torch.nn.Conv2d(1, 32, 3, padding=1), torch.nn.SiLU(), torch.nn.Conv2d(32, 32, 3, padding=1)
)
leaky = PixelCNN(unmasked, 32)
leak_records = list(
    fit(leaky, minibatches(train, 32, generator=make_generator(2)), n_steps=240, lr=3e-3)
)
check_range(
    "leaky network, 'test bits/dim'",
    test_bits(leaky),
    0.0,
    0.2,
    digits=2,
    unlike={"masked network": test_bits(pixelcnn)},
)
pages = leaky.sample(20, generator=make_generator(7))
check_range(
    "mean ink of a leaky sample (levels)",
    pages.double().mean(),
    0.0,
    0.3,
    digits=2,
    unlike={"test images": test.double().mean()},
)
noise = torch.randint(17, (20, 1, 8, 8), generator=make_generator(12))
kept, by_chance = (
    (last(m.steps(noise, generator=make_generator(13))) == noise).double().mean()
    for m in (leaky, pixelcnn)
)
check_range(
    "started on noise: fraction of pixels copied",
    kept,
    0.5,
    1.0,
    digits=2,
    unlike={"masked network": by_chance},
)

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 2.4))
for name, rs in (("masked", records_pixelcnn), ("leaky", leak_records)):
    axes[0].plot([r.loss / math.log(2) for r in rs[:240]], label=name, linewidth=1)
axes[0].set(
    xlabel="step", ylabel="loss (bits/dim)", ylim=(0, 4.2), title="training looks brilliant"
)
axes[0].legend()
course.show_images(axes[1], pages[:15], n_columns=5, title="its samples: empty pages")
course.show_images(axes[2], drawn[:15], n_columns=5, title="samples of the masked network")

# %% [markdown]
# The held-out figure is no protection, since the leak is there at test time too: the network looks tens of times better than the masked one. In sampling, the pixel to be copied has not been drawn yet, so the network copies the empty page. **Repair and prevention:** the mask, and the Jacobian
# test of step 5, which costs a second and needs no training: 58 orange squares for the plain convolution there, none for the masked network. This answers question 1.
#
# **Failure 2: errors accumulate.** In training the network only ever saw *true* prefixes. When it writes, it reads its own words. This mismatch is called **exposure bias**. Our speaker of section 5, as it was after 60 steps, puts a small probability $\varepsilon_i$ on words that no sentence can have there. A sentence survives $n$ words if they are
# a possible prefix. The fraction that survives is therefore the probability that the model gives to all possible prefixes together, and we can compute it without letting the model write, as an average over true sentences:
# $$P(\text{survive } n)=\sum_{x_{\le n}\text{ possible}}p_\theta(x_{\le n})=\mathbb E_{x\sim p}\left[\frac{p_\theta(x_{\le n})}{p(x_{\le n})}\right]=\mathbb E_{x\sim p_\theta\text{, possible words only}}\Big[\prod_{i\le n}(1-\varepsilon_i)\Big].$$
# The last form says what happens: at every word a fraction $\varepsilon_i$ is lost. Its prefixes come from the *model*, with impossible words ruled out at each step. On true prefixes the same product has another average, usually a similar one.

# %%
beginner = TransformerLM(len(grammar.words), grammar.max_length, speaker.net.config)
beginner.load_state_dict(early)


@torch.no_grad()
def survival(model, n=600, **settings):
    """For n written sentences and each length: is it still possible?"""
    x = last(
        model.continue_text(
            model.begin(n)[:, :0],
            grammar.max_length,
            reshape=lambda a: decoding.reshape_logits(a, **settings),
            generator=make_generator(14),
        )
    )
    possible = grammar.next_probs(x).gather(2, x[..., None])[..., 0] > 0
    return possible.long().cumprod(1).double()


@torch.no_grad()
def impossible_mass(model, x, truth):
    """Probability that the model gives to impossible words, after each true prefix."""
    return (model.logits(x).softmax(-1) * (truth == 0)).sum(-1)


more = grammar.sample(3000, generator=make_generator(15))
truth = grammar.next_probs(more)
with torch.no_grad():
    log_q = likelihood.token_log_probs(beginner.logits(more), more)
ratios = (log_q - truth.gather(2, more[..., None])[..., 0].log()).cumsum(1).exp()
wrong, predicted = impossible_mass(beginner, more, truth), ratios.mean(0)

# %%
sentences_written = survival(beginner, n=3000)
written = sentences_written.mean(0)
repaired, trained = survival(beginner, top_p=0.9).mean(0), survival(speaker).mean(0)
check_close_mc(
    "survive, beginner: written - E[ratio]",
    sentences_written[:, -1] - ratios[:, -1],
    0.0,
    unlike={"errors added up": sentences_written[:, -1] - (1 - wrong.sum(1))},
)
check_range(
    "beginner: impossible mass per word, words 1 to 7",
    wrong[:, :7].mean(),
    0.02,
    0.09,
    unlike={"360 steps": impossible_mass(speaker, more, truth)[:, :7].mean()},
)
for label, survive in (("with top-p 0.9", repaired), ("trained six times longer", trained)):
    label = f"sentences that survive, {label}"
    check_range(label, survive[-1], 0.93, 1.0, unlike={"beginner as it is": written[-1]})
print(f"of the beginner's sentences ~{written[-1]:.3f} survive,", end=" ")
print(f"of ten in a row all ten with probability ~{written[-1] ** 10:.3f};", end=" ")
print(f"the product of (1 - eps) on true prefixes is ~{(1 - wrong).prod(1).mean():.3f}")

# %%
figure, ax = plt.subplots(figsize=(7, 3))
ax.plot(range(1, 15), predicted, label="60 steps: computed on true sentences", linewidth=1.5)
ax.plot(range(1, 15), written, label="60 steps: written freely", marker="o")
ax.plot(range(1, 15), repaired, label="60 steps, top-p 0.9")
ax.plot(range(1, 15), trained, label="360 steps")
ax.set(xlabel="words written", ylabel="sentences still possible", ylim=(0.5, 1.02))
_ = ax.legend(fontsize=8, loc="lower left")

# %% [markdown]
# About four per cent per word, a third of the sentences broken, and of ten sentences in a row almost never all ten right. (Question 4, with its round numbers: $1-0.97^{10}=0.26$.) The two curves agree, as the
# equation says that they must: one was computed on true sentences, the other written freely and counted. What a model does *after* its first error no training example ever showed. Two repairs, both measured: *more training* lowers the $\varepsilon_i$ on average; *top-p* cuts off the improbable tail, where most
# impossible words live. It helps at once, but it samples from another distribution, with less diversity. Greedy decoding, the extreme case, ends in repetitions, as the last figure shows.
#
# **Failure 3: longer than it has ever read.** The writer of section 5 was trained on windows of 64 characters. Nothing stops you from letting it read 256, and the cache makes that cheap. But the transformer knows positions as angles (rotary embeddings), and those beyond 64 it has never met. Measure the bits per byte by position; then repair it by letting it
# read the last 63 characters only, with the begin token in front, as in training.

# %%
long_windows = page[: len(page) // 256 * 256].reshape(-1, 256)
short_windows = page.unfold(0, 64, 1)[::32]


@torch.no_grad()
def bits_at(windows, start, stop):
    return float(
        -likelihood.token_log_probs(writer.logits(windows), windows)[:, start:stop].mean()
        / math.log(2)
    )


def window_logits(tokens):
    """Logits of the next character from the last 63 ones: what the network was trained for."""
    return writer.next_logits(torch.cat([writer.begin(len(tokens)), tokens[:, -63:]], dim=1))


inside, beyond = bits_at(long_windows, 32, 64), bits_at(long_windows, 192, 256)
check_range(
    "characters 193-256, never trained: bits per byte",
    beyond,
    3.0,
    9.0,
    digits=2,
    unlike={"characters 33-64": inside},
)
check_range(
    "repaired: each from its last 63",
    bits_at(short_windows, 63, 64),
    2.0,
    2.8,
    digits=2,
    unlike={"never trained": beyond},
)

# %%
seed = tokenizer.encode("The ")[None]
settings = {
    "greedy": {"top_k": 1},
    "temperature 0.7, top-p 0.95": {"temperature": 0.7, "top_p": 0.95},
    "the model as it is": {},
}
texts = {
    name: last(
        decoding.generate_naive(
            window_logits,
            seed,
            240,
            reshape=lambda a, s=s: decoding.reshape_logits(a, **s),
            generator=make_generator(15),
        )
    )[0]
    for name, s in settings.items()
}


def repeated(x, n=8):
    runs = x.unfold(0, n, 1)
    return 1 - len(torch.unique(runs, dim=0)) / len(runs)


check_range(
    "greedy text: fraction of repeated 8-grams",
    repeated(texts["greedy"]),
    0.3,
    1.0,
    digits=2,
    unlike={
        "the model as it is": repeated(texts["the model as it is"]),
        "the manual": repeated(page[:240]),
    },
)

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 1.9))
for ax, (name, x) in zip(axes, texts.items(), strict=True):
    text = tokenizer.decode(x).replace("\n", "⏎")
    ax.text(
        0,
        1,
        "\n".join(text[i : i + 40] for i in range(0, 244, 40)),
        va="top",
        family="monospace",
        fontsize=8.5,
    )
    ax.set_title(name)
    ax.set_axis_off()


# %% [markdown]
# ## 9 · Exercises
#
# Replace the `...`. The reply names the mistake, never the answer; `course.hint("02.top-p")` gives one of three hints each time you call it. Worked solutions are in `solutions/02_autoregressive.ipynb`.
#
# **Exercise 1 (compute).** The NLL in nats of a sequence, from the list of conditionals that its pieces received. **Exercise 2 (compute).** Perplexity from the total NLL in nats and the number of tokens.

# %%
def sequence_nll(conditionals):
    return ...


def perplexity(nll_nats, n_tokens):
    return ...


course.exercise("02.sequence-nll", sequence_nll)
course.exercise("02.perplexity", perplexity)


# %% [markdown]
# **Exercise 3 (derive).** The attention mask of a transformer whose input was shifted by a begin token: an `n x n` array with 1 where query $i$ may look at key $j$.
# **Exercise 4 (derive).** How many pairs (query, key) does one attention layer compute to write $n$ tokens *without* a cache? The pass that writes token $t$ reads $t$ positions (the begin token included), and hidden pairs are computed too.

# %%
def causal_attention_mask(n):
    return ...


def pairs_without_cache(n):
    return ...


course.exercise("02.causal-mask", causal_attention_mask)
course.exercise("02.pairs", pairs_without_cache)


# %% [markdown]
# **Exercise 5 (build).** Top-p on a list of probabilities: return the new probabilities, in the old order.

# %%
def top_p_probs(probs, p):
    return ...


course.exercise("02.top-p", top_p_probs)

# %% [markdown]
# ## 10 · Quiz

# %% tags=["keep-output"]
widgets.quiz(lesson=2)

# %% [markdown]
# ## Summary
#
# *Your four predictions.* 1: a leak, found by one Jacobian. 2: about 300. 3: the PixelCNN, some 0.6 bits per pixel below the histogram; the transformer, about 0.5. 4: about a quarter.
#
# 1. The chain rule writes any distribution as a product of next-piece conditionals, exactly and in any order.
# 2. So the exact log-likelihood is a sum, and training is next-piece cross-entropy, all positions in one pass.
# 3. Nats, bits per dimension and perplexity are one number in three units; perplexity depends on the tokeniser.
# 4. A network's outputs are the conditionals of the chain rule only if output $i$ has *zero* derivative in pieces $i$ and later: a mask in attention, a mask in the kernel.
# 5. A network that copies has "probabilities" that sum to far more than 1, looks brilliant on held-out data, and samples empty pages. A sum other than 1 proves a leak; a sum of 1 does not exclude one.
# 6. Causal is not complete: one raster stack has a blind spot at any depth, two stacks have none if they are deep enough. Seven layers would be here; the trained network has four and sees 24 of the 63 pixels before the last.
# 7. On the digits PixelCNN and transformer need about 1.8 and 1.9 to 2.0 bits per dimension, the best baseline 2.4.
# 8. Sampling takes one pass per piece. The cache makes each pass small; it does not make them parallel.
# 9. A low temperature, top-k and top-p change the distribution: fewer mistakes, less variety. A high temperature does the opposite.
# 10. Errors of a few per cent per piece compound; long outputs drift.
#
# | paradigm | objective | sampler | passes per sample | likelihood | pays with |
# |---|---|---|---|---|---|
# | autoregressive | next-piece cross-entropy | one piece after another | one per piece | **exact** | latency that grows with length |
#
# **What production systems add.** Tokens from a learned vocabulary (byte-pair encoding) instead of characters; thousands of tokens of context, fused attention kernels that never store the weight matrix, caches in pages shared between users; drafts by a small model that a large one verifies; fine-tuning on instructions. For images, pieces are codes of a learned quantiser rather than pixels. The equations of this lesson are unchanged by any of it.
#
# **Sources.** Chain rule and neural language model: Bengio, Ducharme, Vincent, Jauvin 2003, eq. 1. FVSBN: Gan, Henao, Carlson, Carin 2015. NADE: Larochelle, Murray 2011. MADE: Germain, Gregor, Murray, Larochelle 2015 (arXiv:1502.03509), eqs. 8, 9. PixelCNN: van den Oord, Kalchbrenner, Kavukcuoglu 2016
# (arXiv:1601.06759), eq. 1 and section 3.4. Blind spot and two stacks: van den Oord et al. 2016 (arXiv:1606.05328), section 2.2. WaveNet: van den Oord et al. 2016 (arXiv:1609.03499), eq. 1. Transformer: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1. Rotary positions: Su et al. 2021 (arXiv:2104.09864), eq. 34. Grouped
# queries: Ainslie et al. 2023 (arXiv:2305.13245). Image transformer: Chen et al. 2020. Top-k: Fan, Lewis, Dauphin 2018 (arXiv:1805.04833). Top-p and repetition: Holtzman et al. 2019 (arXiv:1904.09751), eqs. 2, 3. Dequantisation: Theis, van den Oord, Bethge 2015 (arXiv:1511.01844), section 3.1. Lectures: Stanford CS236, lecture 3; Berkeley CS294-158, lecture 2.
