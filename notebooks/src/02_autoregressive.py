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
# # 02 · Autoregressive models: one pixel at a time
#

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.colors import ListedColormap
from torch import nn

import genlab_course as course
from genlab.autoregressive import decoding
from genlab.autoregressive.likelihood import seen_pixels
from genlab.core import make_generator
from genlab.data.digits import load_digits
from genlab.data.text import Grammar
from genlab.nn.layers import rope_angles
from genlab.nn.attention import SelfAttention
from genlab.nn.attention import causal_mask as genlab_mask
from genlab.zoo import load_model
from genlab_course import check, check_close_mc, check_range, widgets
from genlab_course.figures import film, show, show_images

course.begin(lesson=2)
LATER, CURSOR = torch.tensor([0.27, 0.31, 0.38]), torch.tensor([0.90, 0.62, 0.0])


def sheet(pictures, done, n_columns=8):
    """A wall of digits: `done` pixels drawn, the next one orange, later ones slate."""
    x = pictures.reshape(-1, 64, 1).expand(-1, -1, 3) / 16.0
    x = torch.where(torch.arange(64)[:, None] < done, x, LATER)
    if done < 64:
        x[:, done] = CURSOR
    x = F.pad(x.reshape(-1, n_columns, 8, 8, 3), (0, 0, 0, 1, 0, 1), value=1.0)
    return x.permute(0, 2, 1, 3, 4).flatten(2, 3).flatten(0, 1)[:-1, :-1].numpy()


shipped = load_model("digit_pixelcnn", dtype=torch.float32)
digits = shipped.sample(24, generator=make_generator(5))
alt = "Twenty-four digits appear pixel by pixel, from top left to bottom right."
film([sheet(digits, done) for done in range(1, 65)], alt, seconds=5)

# %% [markdown]
# No label or rule told this network what a digit is. During training it answered one question, some 900,000 times: *given the pixels so far, what comes next?*
# To draw, it answers that question 64 times, and each answer becomes part of the next question. The same idea, with words instead of pixels, is behind nearly every large language model.
#
# **After this lesson you will be able to**
#
# - *derive* the likelihood of a picture or a text from next-token probabilities, and give it in nats, bits and perplexity;
# - *write* the loss and the mask of a causal transformer, and *test* it and a PixelCNN for leaks;
# - *train* both with one loop, and *repair* a sampler that draws from them;
# - *explain* why a key-value cache changes nothing but the cost;
# - *diagnose* a causal leak, and say how small errors add up over a long text.
#
# About 95 minutes, exercises included; the cells run in 38 seconds. You need lesson 01, the softmax, convolutional
# layers, and basic PyTorch.

# %%
course.draw_map(lesson=2, slim=True)

# %% [markdown]
# **Predict first.** Write down three numbers; each is answered where it comes up.
#
# 1. Our digits have 64 pixels of 17 grey levels. Guessing blindly costs $\log_2 17 = 4.1$ bits a pixel. What will a small network need for digits
#    that it has never seen, after a few seconds of training: about 3, 2 or 1?
# 2. A bug lets that network read the very pixel that it should predict, in training and at test time. Its bits on
#    *held-out* digits: (a) worse, about 2.5; (b) the same as without the bug; (c) below 0.3? And what will its samples look like?
# 3. A language model gives 3 % of its probability, at each word, to words that are impossible there. What fraction of its ten-word sentences
#    contains a mistake: 3 %, 26 % or 60 %?
#
# ## 1. A picture is a sentence of pixels
#
# A picture of 64 pixels with 17 levels is one of $17^{64}$ possibilities, a number with 79 digits. No table can hold a probability for each. How can a
# network?
#
# By deciding only one pixel at a time. Read the picture like a page, line by line (**raster order**), as a sequence $x_1, \dots, x_n$ of **tokens**, and write
# $x_{<i}$ for the tokens before $x_i$. The definition of a conditional probability says $p(a, b) = p(a)\,p(b\mid a)$. Split off the first token, then the
# second, and so on:
# $$p(x_{1:n}) = p(x_1)\,p(x_2\mid x_1)\cdots p(x_n\mid x_{<n}) = \prod_{i=1}^{n} p(x_i \mid x_{<i}). \tag{1}$$
# This is the **chain rule**, which lesson 01 checked on three binary variables. Nothing was assumed and nothing was dropped, since each factor is conditioned on *everything* before it. So a network
# that outputs one distribution over 17 levels, given the pixels so far, defines a probability for every picture. A model of this form is called
# **autoregressive**: each value is predicted from the values before it.
#
# Equation (1) is also a recipe for drawing, called **ancestral sampling**: draw $x_1$ from $p(x_1)$, then $x_2$ from $p(x_2\mid x_1)$, and so on.
# Does the order matter? Take words of three letters from $\{A, B, C\}$, with $p(B)=0.4$, $p(A\mid B)=0.5$ and $p(C\mid BA)=0.6$, so that
# $p(BAC) = 0.4\cdot 0.5\cdot 0.6 = 0.12$. The next cell draws 20,000 words and counts, first from left to right, then beginning
# with the second letter and ending with the first.

# %% jupyter={"source_hidden": true}
A, B, C = 0, 1, 2
rng = np.random.default_rng(2)
p1 = torch.tensor([0.35, 0.4, 0.25])
p2 = torch.tensor(rng.dirichlet(np.ones(3), 3)).float()
p3 = torch.tensor(rng.dirichlet(np.ones(3), (3, 3))).float()
p2[B], p3[B, A] = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])
joint = p1[:, None, None] * p2[:, :, None] * p3  # all 27 words


def draw_words(order, n=20_000, generator=None):
    """Draw words one letter at a time, the letter at position order[0] first."""
    table = joint.permute(order)
    first = torch.multinomial(table.sum((1, 2)), n, True, generator=generator)
    second = torch.multinomial(table.sum(2)[first], 1, generator=generator)[:, 0]
    third = torch.multinomial(table[first, second], 1, generator=generator)[:, 0]
    words = torch.empty(n, 3, dtype=torch.int64)
    words[:, order] = torch.stack([first, second, third], 1)
    return words


BAC = torch.tensor([B, A, C])
alone = joint.sum((1, 2))[B] * joint.sum((0, 2))[A] * joint.sum((0, 1))[C]
for order in ([0, 1, 2], [1, 2, 0]):
    drawn = (draw_words(order, generator=make_generator(1)) == BAC).all(1).double()
    check_close_mc(
        f"fraction of BAC, letters drawn in order {order}", drawn, 0.12,
        unlike={"each letter by itself": alone},
    )  # fmt: skip


# %% [markdown]
# Both orders give 0.12, up to chance. **Any order gives the same joint distribution.** What the order changes is how hard the factors are to learn.
#
# A product of many probabilities is a tiny number, so we work with its logarithm. The **negative log-likelihood** (NLL) of a sequence is
# $$-\log p(x_{1:n}) = -\sum_{i=1}^n \log p(x_i\mid x_{<i}). \tag{2}$$
# Each term is the *surprise* at one token: 0 if it was certain, large if it was thought unlikely. With natural logarithms the unit is the **nat**. For
# BAC the terms are $0.92 + 0.69 + 0.51 = 2.12$ nats.
#
# **Your turn 02.1 · surprise of a word** *(compute, 3 minutes)*. Write the NLL in nats of a sequence, given the list of conditional
# probabilities that its tokens received. (For DOG with 0.3, 0.5, 0.4 you should find 2.81.) If you are stuck, `course.hint("02.sequence-nll")` gives three
# hints, one at a time. The last line of the cell, here as in every exercise, shows one solution once yours is right, or after the third hint.

# %%
def sequence_nll(conditionals): ...


course.exercise("02.sequence-nll", sequence_nll)
course.solution("02.sequence-nll")

# %% [markdown]
# ## 2. What should training minimise?
#
# We have pictures $x^{(1)},\dots,x^{(N)}$ and a network with weights $\theta$. **Maximum likelihood** looks for the weights under which the data are most probable. (Lesson 03 says
# why.) Take the logarithm, change the sign, divide by the number of tokens, and insert (2):
# $$\mathcal L(\theta) = -\frac1{Nn}\sum_{m=1}^N \log p_\theta\big(x^{(m)}\big) = -\frac1{Nn}\sum_{m=1}^N\sum_{i=1}^n \log p_\theta\big(x^{(m)}_i\mid x^{(m)}_{<i}\big). \tag{3}$$
# Look at one term. The network outputs $K=17$ numbers $a_1,\dots,a_K$, the **logits**, and the softmax turns them into probabilities. The term is
# minus the log-probability of the right class: exactly the **cross-entropy** of a classifier whose label is the next pixel. So
# *maximum likelihood, next-token cross-entropy and average surprise are one number.* No one has to label anything, because the data are their own labels.
#
# How does a term push the logits? Write it out and differentiate, with $[c=x]$ for 1 where $c$ is the observed token and 0 elsewhere (a **one-hot** vector):
# $$-\log p(x) = -a_x + \log\sum_{c} e^{a_c}, \qquad \frac{\partial(-\log p(x))}{\partial a_c} = \mathrm{softmax}(a)_c - [c = x]. \tag{4}$$
# The gradient is "what the network believed" minus "what happened". A step *against* it raises the logit of the observed token and lowers all others. Averaged over the true distribution of the next token, the gradient vanishes when the softmax equals it.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
a = torch.randn(5, 17, generator=make_generator(1), requires_grad=True)
x = torch.tensor([2, 0, 16, 3, 1])
believed = a.softmax(-1)
(by_autograd,) = torch.autograd.grad(-believed.log()[torch.arange(5), x].sum(), a)
check(
    "(4): autograd = softmax - one-hot",
    by_autograd,
    believed - F.one_hot(x, 17),
    unlike={"softmax alone": believed},
)
torch.set_default_dtype(torch.float32)

# %% [markdown]
# **One quantity, four units.** Divide nats by $\log 2$ and you have **bits**: what an ideal compressor would need. Divide by the number of tokens, and texts of
# different length become comparable, *if they are cut into the same tokens*: **bits per dimension** for pixels, bits per byte for text. Exponentiate the nats per token
# and you have the **perplexity**, the number of equally likely choices that would be as surprising:
# $$\text{bits per dimension} = \frac{-\log p(x_{1:n})}{n\log 2}, \qquad \mathrm{PPL} = \exp\Big(-\tfrac1n\log p(x_{1:n})\Big). \tag{5}$$
# For BAC that is 3.06 bits in all, 1.02 bits per letter and a perplexity of $0.12^{-1/3} = 2.03$ letters.
#
# Now the data, and a baseline that uses no network. Our 1,797 handwritten digits, scikit-learn's, are split into
# 1,397 for training, 200 for **validation** (used in the project) and 200 for testing. The **histogram** model counts, for each pixel separately, how often each level occurred. It knows where ink tends to be and nothing about strokes.

# %%
train_x, test_x = (load_digits(p).images.flatten(1) for p in ("train", "test"))
counts = F.one_hot(train_x, 17).sum(0) + 0.3  # (64, 17); no level is impossible
histogram = (counts / counts.sum(1, keepdim=True)).log()
baseline = -histogram[torch.arange(64), test_x].mean() / math.log(2)

# %% jupyter={"source_hidden": true}
blind = math.log2(17)
check_range(
    "histogram, bits per dimension on test digits",
    baseline, 2.38, 2.45, digits=2, unlike={"blind guessing": blind},
)  # fmt: skip


# %% [markdown]
# **2.4 bits is the number to beat.** A network can do better only by reading the pixels before.
#
# **Your turn 02.2 · the loss** *(build, 10 minutes)*. Write equation (3) for one batch. `logits` has shape `(b, n, K)` and `x`, with whole numbers, `(b, n)`. Row
# `logits[:, i]` belongs to token `x[:, i]`. Return the mean over batch and tokens, in nats, with torch functions, so that autograd can follow. Every
# network in this lesson will learn with **your** loss.

# %%
def next_token_loss(logits, x): ...


course.exercise("02.loss", next_token_loss)
loss = course.yours("02.loss")
course.solution("02.loss")


# %% [markdown]
# ## 3. What may the network see?
#
# The loss asks for all $n$ conditionals. Running the network $n$ times per picture, once per prefix, would be slow. Could *one* pass return all $n$
# rows of logits at once? In training we know the whole picture and feed its true prefix at every position, not the model's own draws (**teacher forcing**). So yes, provided that row $i$, $A_i$, is computed from $x_{<i}$ alone:
# $$\frac{\partial\, A_{i}}{\partial x_j} = 0 \qquad\text{for every } j\ge i. \tag{6}$$
# A network with this property is called **causal**. If row $i$ can see $x_i$, it copies the answer, and (3) is no
# longer a likelihood: a perfect copier gives *each* of the $17^{64}$ pictures a "probability" near 1.
#
# For a sequence, two ingredients make (6) true, whatever the weights are.
#
# 1. **Shift.** Delay the input by one: position $i$ of the network holds $x_{i-1}$, and position 1 holds only a mark for *begin* (elsewhere a **beginning-of-sequence token**, BOS).
# 2. **Mask.** Wherever positions exchange information, forbid the flow from later to earlier ones.
#
# **Your turn 02.3 · the mask** *(derive, 3 minutes)*. Return an `n x n` array with 1 where position `i` may read position `j` of the *shifted* input, and 0
# elsewhere. Think about the diagonal. The transformer below will use your mask.

# %%
def causal_mask(n): ...


course.exercise("02.causal-mask", causal_mask)
visible = torch.as_tensor(course.yours("02.causal-mask")(64)) > 0
course.solution("02.causal-mask")

# %% [markdown]
# **Draw a mask of your own.** In the figure the data are words of eight letters from a to f. After each letter comes the next one of the alphabet (a after f) with probability
# 0.9, and each other one with 0.02, so that their entropy is known: 0.65 nats a token. There is no shift here: output $i$ predicts token $i$, and the diagonal is the token itself. Tap a cell
# to open or close it; pale cells are reached through further layers. The bars show the surprise of the *best* network that reads these tokens, on the right are words drawn with it, and a letter that is not drawn yet reads as an a.
#
# Predict before you look. (a) The mask *diagonal too* forgets the shift: what does it cost, and what does it draw? (b) In *all but itself* with one layer no output sees its own token. Is its
# score a likelihood? What does a second layer change? (c) *Right to left* breaks (6) in seven rows. Is it wrong?

# %% tags=["keep-output"]
widgets.causal_mask()


# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) It costs 0 nats, and the words are aaaaaaaa: each output copies what stands in its place. (b) No. Its 0.26 nats a token are less than the entropy, which no distribution over words can beat: the outputs read each
# other in circles, so their product is no chain rule in any order, and there is no order to draw in. With two layers every output reaches itself through another one, and the score falls to 0.
# (c) No. It is the chain rule in the order 8, 7, ..., 1, with the same 0.65 nats. (6) asks for one order; *a mask is right if some order exists*, that is if no path of open cells leads back to where it began.
# </details>

# %% [markdown]
# ## 4. Attention, from scratch
#
# To guess the next pixel you want to look at particular earlier ones: the one to the left, the one above. Which ones depends on the picture. **Attention**
# is a lookup with learned addresses. Each position holds a vector $h_i$ and makes three others from it, by three matrices:
#
# - a **query** $q_i = W_q h_i$: what am I looking for?
# - a **key** $k_i = W_k h_i$: what do I have on offer?
# - a **value** $v_i = W_v h_i$: what do I hand over if somebody looks?
#
# Position $i$ compares its query with all keys that it may see, turns the scores into weights by a softmax, and takes the weighted mean of the values:
# $$w_{ij} = \frac{\exp\big(q_i^\top k_j/\sqrt{d_h}\big)}{\sum_{l\le i}\exp\big(q_i^\top k_l/\sqrt{d_h}\big)}\quad (j\le i), \qquad o_i = \sum_{j\le i} w_{ij}\,v_j. \tag{7}$$
# Position $j$ of the shifted input holds $x_{j-1}$. So $j\le i$ here is $x_{<i}$, as (6) demands.
#
# *Why $\sqrt{d_h}$?* Here $d_h$ is the length of $q$. If the entries of $q$ and $k$ are independent with mean 0 and variance 1, then $q^\top k$ is a sum of $d_h$ terms of variance 1, so
# its variance is $d_h$. Without the division, long queries and keys give scores so large that nearly everything goes to one key, where the gradient is almost zero.
#
# *Why several heads?* One softmax gives one mean. A pixel may need its left neighbour *and* the one above, separately. So the features are
# cut into $H$ groups, each group does (7) on its own, and a matrix $W_o$ mixes the results. The groups are called **heads**.
#
# **Where does a key stand?** One layer of (7) does not know the order of the past: exchange two earlier positions, keys and values together, and nothing changes. We want scores that know the *distance*
# between query and key. **Rotary position embeddings** (RoPE) get that from one fact about rotations: angles add up. Take two features
# as a point of the plane, and let $R_i$ turn it by the angle $i\omega$. Turn the query at position $i$ by $R_i$ and the key at position $j$ by $R_j$. The transpose of
# a rotation turns back, so
# $$(R_i q)^\top (R_j k) = q^\top R_i^\top R_j\, k = q^\top R_{j-i}\, k . \tag{8}$$
# For a given $q$ and $k$ the score depends on the distance $j-i$ alone. A head of $d_h$ features is $d_h/2$ planes, each with its own frequency
# $\omega$. Planes that turn fast separate neighbours; those that turn slowly still separate positions far apart. Values are not turned.

# %%
def rotate(x, start=0, base=100.0):
    """Turn the vector at position m by the angles m * omega, plane by plane: (8)."""
    t, half = x.shape[-2], x.shape[-1] // 2
    omega = base ** (-torch.arange(half) / half)  # from 1 down towards 1 / base
    angle = torch.arange(start, start + t)[:, None] * omega
    a, b = x.chunk(2, dim=-1)  # feature j and feature j + half share a plane
    return torch.cat(
        [a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=-1
    )


class Attention(nn.Module):
    """Causal self-attention with several heads: (7)."""

    def __init__(self, d, n_head):
        super().__init__()
        self.n_head, self.mask = n_head, visible  # made by your function
        self.to_qkv = nn.Linear(d, 3 * d, bias=False)  # W_q, W_k and W_v in one
        self.to_out = nn.Linear(d, d, bias=False)  # W_o

    def project(self, h, start=0):
        """Queries, keys and values of every head: (b, heads, t, d / heads)."""
        parts = self.to_qkv(h).chunk(3, dim=-1)
        q, k, v = (a.unflatten(-1, (self.n_head, -1)).transpose(1, 2) for a in parts)
        return rotate(q, start), rotate(k, start), v

    def read(self, q, k, v, mask=None):
        """Weighted means of the values, heads side by side again, mixed by W_o."""
        scores = q @ k.mT / math.sqrt(q.shape[-1])
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf)
        self.weights = scores.softmax(dim=-1)
        return self.to_out((self.weights @ v).transpose(1, 2).flatten(2))

    def forward(self, h):
        t = h.shape[1]
        return self.read(*self.project(h), self.mask[:t, :t])


# %% jupyter={"source_hidden": true}
q, k = torch.randn(2, 4000, 64, generator=make_generator(3)).double()
dot = (q * k).sum(1)
check_close_mc(
    "variance of q.k / sqrt(64)", dot**2 / 64, 1.0, unlike={"without sqrt(d)": dot**2}
)
mine, theirs = Attention(32, 4), SelfAttention(32, 4, 4)
with torch.no_grad():
    parts = (*mine.to_qkv.weight.chunk(3), mine.to_out.weight)
    for layer, weight in zip(theirs.children(), parts, strict=True):
        layer.weight.copy_(weight)
h, mask = torch.randn(2, 10, 32, generator=make_generator(4)), genlab_mask(10, 10)
angles = rope_angles(torch.arange(10), 8, h, base=100.0)
turns = angles.cos(), angles.sin()
check(
    "(7) and (8): my attention = genlab's",
    mine(h), theirs(h, turns, mask)[0], atol=1e-5,
    unlike={
        "no mask": theirs(h, turns, None)[0], "no rotation": theirs(h, None, mask)[0],
    },
)  # fmt: skip


# %% [markdown]
# **The block and the network.** Attention moves information between positions. A small **multi-layer perceptron** (MLP), two linear maps with a smooth ReLU (GELU) between them, then works on each position by itself. Two devices keep a
# deep stack trainable:
#
# - a **residual connection**: attention and MLP *add* their result to the vector that they read (the bent grey arrow in the figure below);
# - **RMSNorm**: each reads a copy of that vector, divided by its root mean square and rescaled by learned gains.
#
# Stack two such **blocks**. Before them put a table with one vector for each level (the **token embedding**), after them one more RMSNorm and a linear map to 17 logits. That is the **transformer**. A second table has one vector for each position (a **learned position
# embedding**): rotations say how *far* a key is, this vector says *where* we are, which matters because a row ends after 8 pixels. At position 1, where the shift has left nothing else to read, it acts as the *begin* mark.

# %%
class Block(nn.Module):
    """Attention between the positions, then an MLP at each one."""

    def __init__(self, d, n_head):
        super().__init__()
        self.norm_1, self.norm_2 = nn.RMSNorm(d), nn.RMSNorm(d)
        self.attention = Attention(d, n_head)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, h):
        h = h + self.attention(self.norm_1(h))
        return h + self.mlp(self.norm_2(h))


class Transformer(nn.Module):
    """Logits of every token, row i from the tokens before i."""

    def __init__(self, n_levels, length, d=32, n_head=4, n_layer=2):
        super().__init__()
        self.n_levels = n_levels
        self.table = nn.Parameter(0.5 * torch.randn(n_levels, d))
        self.place = nn.Parameter(0.5 * torch.randn(length, d))
        self.blocks = nn.Sequential(*[Block(d, n_head) for _ in range(n_layer)])
        self.head = nn.Sequential(nn.RMSNorm(d), nn.Linear(d, n_levels))

    def forward(self, x):
        return self.read(F.one_hot(x, self.n_levels).to(self.table))

    def read(self, rows):
        """From one-hot rows, (b, n, K): shift by one, look up, run the blocks."""
        shifted = F.pad(rows[:, :-1], (0, 0, 1, 0))
        h = shifted @ self.table + self.place[: rows.shape[1]]
        return self.head(self.blocks(h))


# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(8.0, 3.9))
ax.set(xlim=(-1.9, 8.1), ylim=(-0.6, 6.4))
ax.set_title("One block: information moves up and to the right, never to the left")
ax.set_axis_off()


def box(x, y, words, colour, w=1.5, h=0.62):
    patch = plt.Rectangle((x - w / 2, y - h / 2), w, h, fc=colour, ec="#333333", lw=1)
    ax.add_patch(patch)
    ax.text(x, y, words, ha="center", va="center", fontsize=10)


def arrow(x0, y0, x1, y1, colour="#555555", width=1.2):
    style = {"arrowstyle": "-|>", "color": colour, "lw": width}
    ax.annotate("", (x1, y1), (x0, y0), arrowprops=style | {"shrinkA": 0, "shrinkB": 0})


for i in range(4):
    x = 2.0 * i + 0.8
    box(x, 0.9, "begin" if i == 0 else f"$x_{i}$", "#F2F2F2")
    box(x, 2.3, "", ("#56B4E9", 0.28))
    box(x, 4.0, f"$+\\,o_{i + 1}$, then MLP", ("#E69F00", 0.27))
    box(x, 5.7, f"$p(x_{i + 1}|x_{{<{i + 1}}})$" if i else "$p(x_1)$", ("#009E73", 0.2))
    for y, end in ((1.2, 1.98), (4.32, 5.38)):
        arrow(x, y, x, end)
    side = x - 0.9  # the residual connection passes beside the attention
    ax.plot([x - 0.6, side, side], [1.22, 1.4, 3.3], color="#555555", lw=1.2, ls="-")
    arrow(side, 3.3, x - 0.6, 3.68)
    ax.text(x, 2.3, "q   k   v", ha="center", va="center", fontsize=9.5)
    for j in range(i + 1):  # its own value, too
        arrow(2.0 * j + 1.0, 2.62, x + 0.15 * (j - i) + 0.15, 3.66, "#0072B2", 1.6)
names = ("shifted\ninput", "queries,\nkeys, values", "attention,\nMLP", "output")
for y, words in zip((0.9, 2.3, 4.0, 5.7), names, strict=True):
    ax.text(-0.35, y, words, ha="right", va="center", fontsize=10, color="#555555")
ax.text(
    3.8, -0.35,
    "blue: values, weighted by query and key · grey: the vector itself, passed on",
    ha="center", fontsize=10, color="#555555",
)  # fmt: skip
show(
    figure,
    "A transformer block drawn for four positions. The input is begin, x1, x2, x3; "
    "each makes a query, a key and a value; arrows hand values from earlier to later "
    "positions only; an MLP follows; the outputs are p(x1), p(x2|x1) and so on.",
)


# %% [markdown]
# ## 5. The masked convolution
#
# The transformer must learn which pixels are neighbours. A convolution knows it from the start, and it can be causal too. A 3 x 3 kernel mixes a pixel with its eight neighbours; in raster order four of them are past, one is the pixel itself, four are still to come.
# So multiply the kernel by a mask of zeros and ones. The *first* layer must hide the centre (**type A**), since there the centre is
# the pixel to be predicted. Later layers may see it (**type B**), because what stands there now was computed from earlier pixels. This is the
# **PixelCNN**. (It needs no shift: type A does that work. SiLU, between its layers, is one more smooth ReLU.)

# %%
class MaskedConv(nn.Conv2d):
    """A 3 x 3 convolution that sees only the neighbours where the mask is 1."""

    def __init__(self, c_in, c_out, mask):
        super().__init__(c_in, c_out, 3, padding=1)
        self.register_buffer("mask", torch.tensor(mask).float())

    def forward(self, x):
        return F.conv2d(x, self.weight * self.mask, self.bias, padding=1)


TYPE_A, TYPE_B = [[1, 1, 1], [1, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 0], [0, 0, 0]]


# %% [markdown]
# Is that all? It never looks ahead. But does it see *everything* before? Take the prediction at row 7, column 3 (counted from 0, as in the code). Which pixels can
# influence it? We differentiate, for stacks of two, four and seven layers.

# %% jupyter={"source_hidden": true}
class OneStack(nn.Sequential):
    """The obvious PixelCNN: type A once, then type B."""

    def __init__(self, width, n_layer):
        layers = [MaskedConv(1, width, TYPE_A)]
        for _ in range(n_layer - 1):
            layers += [nn.SiLU(), MaskedConv(width, width, TYPE_B)]
        super().__init__(*layers)


def draw_fields(build, title, alt):
    """What the prediction at row 7, column 3 can read, at three depths."""
    torch.manual_seed(1)
    figure, axes = plt.subplots(1, 3, figsize=(7.6, 3.3))
    past = (torch.arange(64) < 7 * 8 + 3).reshape(8, 8)
    colours = ListedColormap(["#EDEDED", "#CC79A7", "#56B4E9", "#222222"])
    for ax, n_layer in zip(axes, (2, 4, 7), strict=True):
        shade = past.int() + (past & seen_pixels(build(n_layer), 7, 3)).int()
        shade[7, 3] = 3
        ax.imshow(shade, cmap=colours, vmin=0, vmax=3)
        ax.set(title=f"{n_layer} layers", xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        ax.set_xticks(np.arange(0.5, 7), minor=True)
        ax.set_yticks(np.arange(0.5, 7), minor=True)
        ax.grid(which="minor", color="white", linewidth=2)
        ax.tick_params(which="both", length=0)
    figure.suptitle(title)
    says = "black: to be predicted · blue: read · pink: not read · grey: later"
    figure.supxlabel(says, fontsize=10)
    show(figure, alt)


draw_fields(
    lambda n: OneStack(4, n),
    "One stack: deeper, but the triangle at the right stays pink",
    "Three 8 x 8 grids, for 2, 4 and 7 layers. With depth one stack reads all rows "
    "above, but a triangle of earlier pixels to the right stays out of reach.",
)  # fmt: skip

# %% [markdown]
# However deep the stack, a triangle of pixels above and to the right is missing: the **blind spot**. In its own row a layer looks only to the left. To the right it looks only in the row above, by one pixel. So
# with each row up, the stack gains a single pixel to the right.
#
# The cure is to split the work between two stacks of layers.
#
# - A **vertical stack** `v` reads the rows above, and nothing of the current row. Its first layer (`ABOVE`) reads three pixels of the previous row. Its later layers (`ROWS`)
#   may read `v` to the left, to the right *and* in the middle: all that stands there came from above.
# - A **horizontal stack** `u` reads the current row, to the left only: first without the centre (`LEFT`), then with it (`ROW`). In each layer it also receives what `v` has found (`across` is a 1 x 1 convolution).
#   Not the reverse: `u` knows pixels of the current row, and `v`, which looks to the right, would carry them to the left.
#
# Each layer climbs one row and moves one pixel, so in seven layers the first pixel's influence reaches the last one. (Section 6 tests it.)

# %%
ABOVE, ROWS = [[1, 1, 1], [0, 0, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1], [0, 0, 0]]
LEFT, ROW = [[0, 0, 0], [1, 0, 0], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 0]]


class PixelCNN(nn.Module):
    """Logits of every pixel from a vertical stack v that feeds a horizontal stack u."""

    def __init__(self, width=24, n_layer=7, masks=(ABOVE, ROWS, LEFT, ROW)):
        super().__init__()
        sizes = [1] + [width] * (n_layer - 1)

        def stack(first, later):
            kinds = [first] + [later] * (n_layer - 1)
            return nn.ModuleList(map(MaskedConv, sizes, [width] * n_layer, kinds))

        self.v, self.u = stack(*masks[:2]), stack(*masks[2:])
        self.across = nn.ModuleList([nn.Conv2d(width, width, 1) for _ in sizes[1:]])
        self.place = nn.Parameter(torch.zeros(width, 8, 8))  # where: see section 4
        self.head = nn.Sequential(
            nn.SiLU(), nn.Conv2d(width, 64, 1), nn.SiLU(), nn.Conv2d(64, 17, 1)
        )

    def features(self, image):
        v = self.v[0](image)
        u = self.u[0](image) + v
        later = zip(self.v[1:], self.u[1:], self.across, strict=True)
        for down, right, across in later:
            v = v + down(F.silu(v))
            u = u + right(F.silu(u)) + across(F.silu(v))
        return u

    def forward(self, x):
        image = x.reshape(-1, 1, 8, 8) / 8 - 1  # levels 0 to 16 become -1 to 1
        return self.head(self.features(image) + self.place).flatten(2).mT


# %% [markdown]
# ## 6. A test for leaks, before any training
#
# Equation (6) can be tested: differentiate every output with respect to every input (a pixel's grey level, or the one-hot vector that a transformer reads). Row $i$, column $j$ of the picture is coloured if the prediction of pixel $i$ responds to
# pixel $j$. Anything on or above the diagonal is a leak. Here are four networks; **which of them may be trained?** (1) our transformer; (2) the same
# without its mask; (3) our PixelCNN; (4) an ordinary 3 x 3 convolution.
#
# **Your turn 02.4 · predict the leaks** *(predict, 3 minutes)*. In (4), how many of the 2,080 pairs with $j\ge i$ leak? Mind the borders. The derivatives below will test your number.

# %%
leaks = ...

course.exercise("02.leaks", leaks)
leaks = course.yours("02.leaks")
course.solution("02.leaks")


# %%
def responds(network, x):
    """J[i, j] > 0 where the logits of token i respond to token j; x: (n, d)."""

    def size(x):
        return network(x).square().sum(-1)  # one number for each token's logits

    return torch.autograd.functional.jacobian(size, x).abs().sum(-1)  # (n, n)


# %% jupyter={"source_hidden": true}
torch.manual_seed(3)
transformer, pixelcnn = Transformer(17, 64), PixelCNN()
plain = nn.Conv2d(1, 17, 3, padding=1)
networks = {
    "(1) transformer": lambda x: transformer.read(x[None])[0],
    "(3) PixelCNN": lambda x: pixelcnn(x[None, :, 0])[0],
    "(4) plain convolution": lambda x: plain(x.reshape(1, 1, 8, 8)).flatten(2)[0].mT,
}
rows, column = torch.rand(64, 17), torch.rand(64, 1)
inputs = (rows, column, column)
found = {
    name: responds(f, x) for (name, f), x in zip(networks.items(), inputs, strict=True)
}
for block in transformer.blocks:
    block.attention.mask = torch.ones(64, 64, dtype=torch.bool)
found["(2) transformer, no mask"] = responds(networks["(1) transformer"], rows)
at_all = {name: j > 0 for name, j in sorted(found.items())}
check(
    "forbidden connections of (1) to (4): measured, predicted",
    [int(j.triu().sum()) for j in at_all.values()],
    # (2) all but the last pixel, which the shift cuts off; (4) your prediction
    [0, 63 * 64 // 2, 0, leaks],
    unlike={"the diagonal allowed": [int(j.triu(1).sum()) for j in at_all.values()]},
)
used = int(at_all["(3) PixelCNN"].tril(-1).sum())
print(f"(3) uses {used} of the {63 * 64 // 2} allowed pairs j < i")
figure, axes = plt.subplots(2, 4, figsize=(10.4, 5.8))
colours = ListedColormap(["#F2F2F2", "#0072B2", "#D55E00"])
for below, n in enumerate((64, 10)):  # all pixels, and the first ten
    edges = (0.5, n + 0.5, n + 0.5, 0.5)
    for ax, (name, j) in zip(axes[below], at_all.items(), strict=True):
        coded = (j.int() + j.triu().int())[:n, :n]
        ax.imshow(coded, cmap=colours, vmin=0, vmax=2, extent=edges)
        ax.plot(edges[:2], edges[:2], c="#222222", lw=0.6, ls="-")
        says = f"{name}\n{'leaks' if j.triu().any() else 'passes'}"
        ax.set(xticks=[1, n], yticks=[1, n], title="" if below else says)
    axes[below, 0].set_ylabel(f"prediction $i$, up to {n}")
figure.supxlabel("input pixel $j$ · blue: allowed · orange: a leak", fontsize=10)
show(
    figure,
    "Four matrices, 64 x 64, and their first ten rows. Transformer and PixelCNN fill "
    "the lower triangle only; without mask, and in the convolution, the upper, too.",
)


# %% [markdown]
# Networks 1 and 3 pass, 2 and 4 do not. The lower row enlarges the corner: in 1 and 3 the diagonal itself is empty. (Below it 3 is full: no blind spot.) One orange dot proves a leak. A map without one proves nothing, since a derivative may be zero by chance at one input; the proof is the mask.
#
# ## 7. Train
#
# Here is all of training, for every network in this lesson: draw a batch, compute the loss, step against its gradient. (`AdamW` is Adam that also shrinks the weights a little.) `loss` is your function from section 2.

# %%
def train(network, data, n_steps, batch_size, lr=1e-2, seed=2):
    """Minimise the loss; return its value at each step, in bits."""
    generator, curve = make_generator(seed), []
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(  # up to lr, then down to 0
        optimizer, lr, total_steps=n_steps, pct_start=0.1
    )
    for _ in range(n_steps):
        x = data[torch.randint(len(data), (batch_size,), generator=generator)]
        value = loss(network(x), x)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        curve.append(value.item() / math.log(2))
    return curve


@torch.no_grad()
def bits(network, x=test_x):
    return loss(network(x), x).item() / math.log(2)


torch.manual_seed(2)
pixelcnn, transformer = PixelCNN(), Transformer(17, 64)
curves = {
    "PixelCNN": train(pixelcnn, train_x, n_steps=200, batch_size=32),
    "transformer": train(transformer, train_x, n_steps=320, batch_size=16),
}

# %% jupyter={"source_hidden": true}
for name, network in (("PixelCNN", pixelcnn), ("transformer", transformer)):
    check_range(
        f"{name}, bits per dimension on test digits",
        bits(network), 1.7, 2.1, digits=2, unlike={"histogram": baseline},
    )  # fmt: skip

figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.2))
for name, curve in curves.items():
    smooth = np.convolve(curve, np.ones(20) / 20, mode="valid")
    left.plot(np.arange(20, len(curve) + 1), smooth, label=name)
left.axhline(baseline, color="#777777", linewidth=1, linestyle="-")
left.text(320, baseline + 0.05, "histogram", fontsize=9, color="#555555", ha="right")
left.set(xlabel="training step", ylim=(1.5, 4.2), title="Both beat the histogram")
left.set_ylabel("training loss (bits per dimension)")
left.legend()
scores = {
    "blind guessing": blind, "histogram": float(baseline),
    "transformer": bits(transformer), "PixelCNN": bits(pixelcnn),
}  # fmt: skip
colours = ["#BBBBBB", "#BBBBBB", "#E69F00", "#0072B2"]
right.barh(list(scores), list(scores.values()), color=colours)
for i, value in enumerate(scores.values()):
    right.text(value + 0.05, i, f"{value:.2f}", va="center")
right.set(xlabel="bits per dimension on test digits (lower is better)", xlim=(0, 4.8))
right.set_title("Half a bit below the histogram")
show(
    figure,
    "Left: the training losses of PixelCNN and transformer fall from above three "
    "bits to below two. Right: bars of the bits on test digits: blind guessing 4.1, "
    "histogram 2.4, the two networks below 2.",
)


# %% [markdown]
# **Question 1: about 2.** Both networks save half a bit on each of 64 pixels, compared with the histogram. (It is no race: one seed each, and the transformer saw fewer pictures.) The PixelCNN has neighbourhoods built in. The transformer has
# no information about the plane. It had to discover from 1,397 pictures that pixel 12 lies below pixel 4. (*Going further* shows the head that did.)
#
# ## 8. Draw
#
# Here is a fast sampler: it runs the network once for the whole picture. Look at what it draws from your PixelCNN.

# %%
@torch.no_grad()
def fast_sample(network, x, start, generator):
    """Draw tokens start, start + 1, ... of every row of x; earlier ones are given."""
    x = x.clone()
    rows = network(x).softmax(-1)
    for i in range(start, x.shape[1]):
        x[:, i] = torch.multinomial(rows[:, i - 1], 1, generator=generator)[:, 0]
    return x


# %% jupyter={"source_hidden": true}
empty = torch.zeros(20, 64, dtype=torch.int64)
hasty = fast_sample(pixelcnn, empty, 0, make_generator(7))
figure, ax = plt.subplots(figsize=(7.6, 1.7))
show_images(ax, hasty.reshape(-1, 1, 8, 8), n_columns=10, title="drawn by fast_sample")
show(figure, "Twenty pictures of scattered grey specks, no digits.")


# %% [markdown]
# **Your turn 02.5 · repair the sampler** *(repair, 7 minutes)*. `fast_sample` has two bugs. Copy it here and fix it. All pictures below are drawn by **your** function. (Section 1 had
# the recipe, and section 3 says which row is whose.) Leave the caller's `x` as it is, and hand the network all of `x` each time: the PixelCNN needs 64 pixels.

# %%
def sample(network, x, start, generator): ...


course.exercise("02.sampler", sample)
sample = course.yours("02.sampler")
by_pixelcnn = sample(pixelcnn, empty, 0, make_generator(7))
by_transformer = sample(transformer, empty, 0, make_generator(7))
course.solution("02.sampler")

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(3, 1, figsize=(7.6, 5.6))
walls = {"test digits": test_x[:20], "PixelCNN": by_pixelcnn}
walls["transformer"] = by_transformer
for ax, (name, x) in zip(axes, walls.items(), strict=True):
    show_images(ax, x.reshape(-1, 1, 8, 8), n_columns=10, title=name)
show(
    figure,
    "Three walls of twenty digits: real test digits, digits drawn by the PixelCNN and "
    "by the transformer. About half of the drawn ones can be read.",
)


# %% [markdown]
# These digits did not exist before; your loss and your sampler made them. Not all are good, after seconds of training. The draw is *exact*: no
# approximation stands between the samples and the model's own distribution. It takes 64 network evaluations, one after the other (a batch shares them).
#
# ## 9. The key-value cache
#
# To draw pixel 50, your sampler reads pixels 1 to 49 again, although it has read them all before. What of that work could be kept?
#
# Look at (7). The output at the *new* position needs its own query, and the keys and values of *all* positions. The key $k_j$ and the value $v_j$ were computed from $h_j$, and $h_j$
# depends on $x_{<j}$ only, because the mask keeps everything later out. So **once computed, keys and values never change**. Keep them in a **key-value cache**, and each new token costs one
# row instead of a picture. Old queries are never asked again, so they are not kept.
#
# `read_one` below is the whole cache. It needs no mask, because nothing later exists yet. The check compares its logits with those of the pass over the whole picture, on the digits that you have just drawn.

# %%
def read_one(network, row, position, cache):
    """Logits of the token at `position`; row: one-hot of the token before it."""
    h = (row @ network.table + network.place[position])[:, None]
    for block, (k, v) in zip(network.blocks, cache, strict=True):
        q, new_k, new_v = block.attention.project(block.norm_1(h), start=position)
        k.append(new_k)
        v.append(new_v)
        h = h + block.attention.read(q, torch.cat(k, dim=2), torch.cat(v, dim=2))
        h = h + block.mlp(block.norm_2(h))
    return network.head(h)[:, 0]


# %% jupyter={"source_hidden": true}
@torch.no_grad()
def read_cached(network, x, remember=True):
    """All logits of x, one token at a time."""
    rows = F.pad(F.one_hot(x, 17).to(network.table), (0, 0, 1, 0))
    cache, logits = [([], []) for _ in network.blocks], []
    for i in range(x.shape[1]):
        if not remember:
            cache = [([], []) for _ in network.blocks]
        logits.append(read_one(network, rows[:, i], i, cache))
    return torch.stack(logits, 1)


with torch.no_grad():
    at_once = transformer(by_transformer)
check(
    "cached logits = uncached logits",
    read_cached(transformer, by_transformer), at_once, atol=1e-4,
    unlike={"a cache that is emptied": read_cached(transformer, by_transformer, False)},
)  # fmt: skip

# %% [markdown]
# Equal logits mean equal draws: given the same random numbers, a sampler built on `read_one` draws the same picture, up to rounding. For each new token, one query meets the keys so far; without the cache, all queries meet all keys again. (*Going further* lets you predict what that saves.) The price is memory: the keys and
# values of every position, in every layer. And sampling is still one token after another.
#
# ## 10. It fails
#
# **Failure 1: the leak.** We build the PixelCNN once more and forget the masks: every kernel is full. Data, loss and training loop are as before; two layers and 100 steps are enough. We train three seeds, and a masked network to compare. *What was your answer to question 2?*

# %% jupyter={"source_hidden": true}
FULL = [[1, 1, 1]] * 3


def small(seed, **masks):
    torch.manual_seed(seed)
    network = PixelCNN(n_layer=2, **masks)
    train(network, train_x, n_steps=100, batch_size=32, seed=seed)
    return bits(network), sample(network, empty[:10], 0, make_generator(seed))


masked, masked_digits = small(1)
leaky = [small(seed, masks=(FULL, FULL, FULL, FULL)) for seed in (1, 2, 3)]
check_range(
    "held-out bits of the leaky networks, worst of three seeds",
    max(score for score, _ in leaky), 0.0, 0.35, digits=2, unlike={"masked": masked},
)  # fmt: skip
ink = torch.cat([drawn for _, drawn in leaky]).float().mean()
check_range(
    "mean grey level of their samples", ink, 0.0, 1.0, digits=2,
    unlike={"masked": masked_digits.float().mean()},
)  # fmt: skip
figure, axes = plt.subplots(4, 1, figsize=(7.0, 3.2))
figure.suptitle("A leak: excellent scores, empty pictures")
rows = [("masked", masked, masked_digits)]
rows += [(f"mask forgotten, seed {i + 1}", *pair) for i, pair in enumerate(leaky)]
for ax, (name, score, drawn) in zip(axes, rows, strict=True):
    ax.imshow(sheet(drawn, 64, n_columns=10))
    ax.set_axis_off()
    says = f"{name}\n{score:.2f} bits"
    ax.text(-3, 4, says, ha="right", va="center", fontsize=10)
show(
    figure,
    "First row: ten digits of a masked network with about 2.1 bits. Below: ten nearly "
    "black squares of each of three leaky networks, with less than 0.35 bits.",
)

# %% [markdown]
# **Question 2: (c), and the samples are empty.** A held-out score is no protection, because the answer is visible at test time too. The network has learned to copy the pixel
# that it should predict. When you sample, that pixel is not there yet, so it copies what stands there instead: zeros. **The repair** is the mask, and the test of section 6 would have found the bug before any training.
#
# **Failure 2: small errors add up.** Every chat program continues its own words, as your sampler continues its own pixels. Nobody knows the true conditionals of a handwritten 7, so we take a source for which we do: a small grammar of 22 words and the full stop, whose verbs agree with their nouns across relative clauses ("the cats that see a dog sleep"). We train your transformer, with one block, on it for 60 steps, with three seeds.

# %% jupyter={"source_hidden": true}
grammar = Grammar()
sentences = grammar.sample(8000, generator=make_generator(1))
writers = {}
for seed in (1, 2, 3):
    torch.manual_seed(seed)
    writers[seed] = Transformer(len(grammar.words), grammar.max_length, n_layer=1)
    train(writers[seed], sentences, n_steps=60, batch_size=64, seed=seed)
blanks = torch.zeros(1000, grammar.max_length, dtype=torch.int64)
written = {s: sample(net, blanks, 0, make_generator(s)) for s, net in writers.items()}
print("\n".join(grammar.decode(written[1][:6])))

# %% [markdown]
# Only the first is correct. (After the full stop of the fifth the model went on writing; that is not shown, but it counts.) Call a sentence *correct so far* after $i$ words if some correct sentence begins that way.
# Suppose that after each prefix the model puts a probability $\varepsilon$ on words that are impossible there. Each word is a new chance to fail, so after $i$ words a fraction of $(1-\varepsilon)^i$ is still correct.
#
# The grammar knows which words are impossible after a prefix. So we measure $\varepsilon$ after every prefix of *true* sentences, multiply the factors $1-\varepsilon$, and compare with what the networks write.

# %% jupyter={"source_hidden": true}
true = grammar.sample(4000, generator=make_generator(9))
truth = grammar.next_probs(true)  # the exact conditionals after every prefix
real = F.pad(true != 0, (1, -1), value=True)  # without the full stops that fill up


def correct(x):
    """1 while a written sentence is correct so far."""
    possible = grammar.next_probs(x).gather(2, x[..., None])[..., 0] > 0
    return possible.double().cumprod(1)


@torch.no_grad()
def epsilons(network):
    """Probability of the impossible words after each prefix of the true sentences."""
    return (network(true).softmax(-1) * (truth == 0)).sum(-1)


oks = {s: correct(x) for s, x in written.items()}
epsilon = {s: epsilons(net) for s, net in writers.items()}
by_epsilon = {s: (1 - e).cumprod(1).double() for s, e in epsilon.items()}
trained, draws = {}, {}  # the same networks after a second run, of 90 steps
for seed, network in writers.items():
    trained[seed] = Transformer(len(grammar.words), grammar.max_length, n_layer=1)
    trained[seed].load_state_dict(network.state_dict())
    train(trained[seed], sentences, n_steps=90, batch_size=64, seed=seed)
    draws[seed] = sample(trained[seed], blanks, 0, make_generator(seed))
before, from_true, longer = (
    torch.stack([curve.mean(0) for curve in curves])  # (seeds, words)
    for curves in (oks.values(), by_epsilon.values(), map(correct, draws.values()))
)
for i, seed in enumerate(writers):
    print(f"seed {seed}: epsilon ~{epsilon[seed][real].mean():.3f} a word.", end=" ")
    print(f"Correct at the end: predicted ~{from_true[i, -1]:.2f},", end=" ")
    print(f"written ~{before[i, -1]:.2f}")
check_range(
    "predicted - written, at the end, largest of three seeds",
    (from_true - before)[:, -1].abs().max(), 0.0, 0.08, digits=2,
    unlike={"errors never add up": (from_true[:, 0] - before[:, -1]).abs().min()},
)  # fmt: skip
check_range(
    "correct at the end, 150 steps, worst of three seeds",
    longer[:, -1].min(), 0.8, 1.0, digits=2, unlike={"60 steps": before[:, -1].mean()},
)  # fmt: skip

figure, ax = plt.subplots(figsize=(7.0, 3.3))
shown = 8
steps = np.arange(1, shown + 1)
for name, curve, colour, style in (
    ("150 steps, written", longer, "#009E73", "-"),
    ("60 steps, predicted", from_true, "#222222", ":"),
    ("60 steps, written", before, "#0072B2", "-"),
):
    ax.plot(steps, curve.mean(0)[:shown], style, c=colour, label=name)
ax.set(xlabel="words written", ylabel="fraction correct so far", ylim=(0, 1.02))
ax.set_title("Errors compound, as the product of $1-\\varepsilon$ predicts")
ax.legend(loc="lower left")
show(
    figure,
    "The fraction of sentences that are correct so far against words written, mean of "
    "three seeds. With 60 steps of training it falls to about 0.4, as predicted from "
    "true prefixes; 150 steps keep it above 0.9.",
)

# %% [markdown]
# **Question 3: 26 %**, since $1-0.97^{10}=0.26$.
# Our networks of 60 steps err more often. Seed 1 puts 11 % on impossible words, a sentence has 7.2 words on average, the full stop included, and $0.89^{7.2}\approx0.43$ is about what is left. (Shorter sentences are filled up with full stops, so the curves level off.) This is **compounding**. *The repair* is a smaller $\varepsilon$: a second run, to 150 steps in all, keeps more than nine sentences in ten correct.
#
# The prediction saw true prefixes only, as the loss of section 2 does; the sampler continues its own words. This mismatch is called
# **exposure bias**. Before the first error it does little harm here, since the two curves nearly agree. *Going further* measures what happens after it.

# %% [markdown]
# ## Going further · how far a stack sees
#
# Is the blind spot of section 5 gone? Here is what our two stacks read, again for the pixel at row 7, column 3.

# %% jupyter={"source_hidden": true}
draw_fields(
    lambda n: PixelCNN(4, n).features, "Two stacks: with depth, everything before",
    "Three 8 x 8 grids, for 2, 4 and 7 layers. Two stacks of two layers reach two "
    "rows up and two columns to each side; with seven layers nothing is out of reach.",
)  # fmt: skip

# %% [markdown]
# With seven layers nothing is out of reach. For these digits the view beyond four pixels is worth only 0.006 ± 0.004 bits per pixel, at equal depth (`benchmarks/pixelcnn_depth.py`). The widget shows any pixel.
#
# *With two stacks of four layers, as in the shipped network, how many earlier pixels does the last one, (7, 7), read? And which forbidden pixels does a plain convolution without mask read at
# depth 1?* Move the sliders.

# %% tags=["keep-output"]
widgets.receptive_field()

# %% [markdown]
# <details><summary>Answer</summary>
#
# 24 of 63: four rows up and four columns to the left, 5 x 5 pixels without itself (the columns to the right do not exist there). Without a mask a prediction reads itself, its right neighbour
# and the three pixels below, wherever they exist.
# </details>

# %% [markdown]
# ## Going further · where the heads look
#
# What did the transformer discover? Here is where each of its heads looks, on average over the test digits, when it
# predicts the pixel at row 4, column 3. (The weight on *begin* is not shown.)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    transformer(test_x)
looks = torch.cat([block.attention.weights.mean(0) for block in transformer.blocks])
places = torch.arange(8, 64)
above = looks[:, places, places - 7].mean(1)  # position i - 7 holds pixel i - 8
check_range(
    "attention to the pixel above, all pixels, best head",
    above.max(), 0.15, 1.0, digits=2,
    unlike={"evenly spread": (1 / (places + 1)).mean()},
)  # fmt: skip
target = 4 * 8 + 3
figure, axes = plt.subplots(2, 4, figsize=(7.6, 4.2))
for number, (ax, weight) in enumerate(zip(axes.flat, looks[:, target], strict=True)):
    canvas = torch.full((64,), torch.nan)
    canvas[:target] = weight[1 : target + 1]  # position j holds pixel j - 1
    ax.imshow(canvas.reshape(8, 8), cmap="Blues", vmin=0, vmax=0.5)
    ax.add_patch(plt.Rectangle((2.5, 3.5), 1, 1, fc="#E69F00", ec="none"))
    ax.set_title(f"block {number // 4 + 1}, head {number % 4 + 1}")
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set(visible=True, color="#AAAAAA")
best = int(above.argmax())
figure.suptitle(f"Block {best // 4 + 1}, head {best % 4 + 1} looks straight up")
says = "orange: to be predicted · darkest: attention 0.5 or more"
figure.supxlabel(says, fontsize=10)
show(
    figure,
    "Eight maps of the 8 x 8 canvas, one for each attention head: the mean attention "
    "of the pixel at row 4, column 3 to earlier pixels. One head looks straight up.",
)

# %% [markdown]
# It discovered "above": in this run head 4 of block 2 looks straight up, and the check finds it on average over all pixels. "Eight tokens back" has become an address. No head needs to look one pixel to the left, which is the position's own input. (In block 2 a position holds more than its
# own pixel, so the maps show where information is fetched, not all that it contains.) Without the rotations (let `project` return `q, k, v`) none of three seeds has such a head (with them two have), and a pixel costs about 0.1 bits more (`docs/measurements.md`).

# %% [markdown]
# ## Going further · finish what somebody began
#
# Because the model is made of conditionals, it can *finish* a picture: give it the upper half, set `start=32`, and it draws the rest. (It must be a beginning in raster order. The upper half *given the lower* is in (1) too, but only as $p(x)$ over a sum of $17^{32}$ terms.)

# %% jupyter={"source_hidden": true}
begun = test_x[[3, 8, 11, 14, 21, 33, 40, 52]]
finished = sample(pixelcnn, begun.repeat(3, 1), 32, make_generator(8))
gap = np.ones((2, 71, 3))
film(
    [
        np.concatenate([sheet(begun, 64), gap, sheet(finished, done)])
        for done in [32] * 4 + list(range(33, 65))
    ],
    alt="First row: eight test digits. Below, three rows with the same upper halves; "
    "the lower halves are drawn pixel by pixel, and differ from row to row.",
    seconds=4,
)


# %% [markdown]
# The first row is real; below it, three endings of each upper half. Some endings agree, some differ, and a few are not digits at all.

# %% [markdown]
# ## Going further · what the cache saves
#
# Let us count the scores $q_i^\top k_j$, the part of the work that grows fastest.
#
# **Your turn 02.6 · predict the cost** *(predict, 4 minutes)*. Your sampler always reads all $n$ positions, $n^3$ pairs in all. Count for a thriftier one, still without a cache: its pass for token $t$ reads $t$ positions only and computes all pairs of a query and a key among them, hidden pairs
# included, since the mask comes afterwards. How many pairs does one head compute for $n$ tokens? Write the function; the next cell runs these passes, counts and compares.

# %%
def pairs_without_cache(n): ...


course.exercise("02.pairs", pairs_without_cache)
predicted = course.yours("02.pairs")
course.solution("02.pairs")

# %% jupyter={"source_hidden": true}
attention = transformer.blocks[0].attention
computed = {"no cache": 0, "cache": 0}
with torch.no_grad():
    cache = [([], []) for _ in transformer.blocks]
    for t in range(1, 65):
        transformer(by_transformer[:1, :t])
        computed["no cache"] += attention.weights[0, 0].numel()
        read_one(transformer, torch.zeros(1, 17), t - 1, cache)
        computed["cache"] += attention.weights[0, 0].numel()
check(
    "pairs for 64 tokens: counted, predicted",
    computed["no cache"], predicted(64), unlike={"with a cache": computed["cache"]},
)  # fmt: skip
print(f"the cache saves a factor of {computed['no cache'] / computed['cache']:.0f}")

# %% [markdown]
# Without a cache the pairs grow like $n^3/3$, with one like $n^2/2$: a factor of $2n/3$, 43 for our digits and 667 for a text of 1,000 tokens. (These are pairs. The matrix products of all positions but the last are saved as well, a factor of $n/2$.)

# %% [markdown]
# ## Going further · exposure bias
#
# Exposure bias could show in two places. *Before the first error:* $\varepsilon$ might be larger after correct prefixes that the model wrote than after true ones. To find out, compute the probability that a sentence is correct so far *without letting the model write*. It is the total probability $p_\theta$ of all possible
# beginnings, those to which the grammar itself gives $p>0$, and that is an average over true sentences:
# $$P(\text{correct after } i) = \sum_{x_{\le i}\ \text{possible}} p_\theta(x_{\le i}) = \sum_{x_{\le i}} p(x_{\le i})\,\frac{p_\theta(x_{\le i})}{p(x_{\le i})} = \mathbb E_{x\sim p}\left[\frac{p_\theta(x_{\le i})}{p(x_{\le i})}\right]. \tag{9}$$
# Now let the model write with the impossible words struck out: each remaining probability is divided by $1-\varepsilon$. Multiply by $1-\varepsilon$ at each of the first $i$ words of such a sentence, and the division is undone: the mean of this product over the sentences is (9) again. So the gap between (9) and
# the same product along *true* sentences, the prediction of section 10, is what the model's own correct prefixes cost.
#
# *After the first error* the grammar gives no conditionals any more. But some pairs of words never stand side by side in any correct sentence ("the sleeps"). How much
# probability does the model put on such a pair: after a true prefix, and after its own wrong one? Is it the error that harms, or the unfamiliar prefix? We split the wrong prefixes in two: their last word occurred at that position in training (*usual*), or it never did (*new*).

# %% jupyter={"source_hidden": true}
neighbours = torch.zeros(len(grammar.words), len(grammar.words), dtype=torch.bool)
neighbours[sentences[:, :-1], sentences[:, 1:]] = True
places = torch.arange(grammar.max_length)
usual = torch.zeros(len(places), len(grammar.words), dtype=torch.bool)
usual[places, sentences] = True  # this word stood at this position in training


@torch.no_grad()
def by_equation_9(network):
    """The mean over true sentences that (9) asks for, before it is taken."""
    q = network(true).softmax(-1)
    ratio = q.gather(2, true[..., None]) / truth.gather(2, true[..., None])
    return ratio[..., 0].double().cumprod(1)


@torch.no_grad()
def bad_pairs(network, x, where):
    """Mean probability of a next word that never follows the last one."""
    p = (network(x).softmax(-1)[:, 1:] * ~neighbours[x[:, :-1]]).sum(-1)
    return p[(where & (x != 0))[:, :-1]].mean().item()


def by_prefix(network, own, ok):
    """After true prefixes; after wrong ones: all, last word usual, last word new."""
    wrong, known = ok == 0, usual[places, own]
    wheres = (wrong, wrong & known, wrong & ~known)
    at_true = bad_pairs(network, true, torch.ones_like(true) > 0)
    return [at_true] + [bad_pairs(network, own, where) for where in wheres]


by_ratio = {s: by_equation_9(net) for s, net in writers.items()}
at_end = torch.cat([ok[:, -1] for ok in oks.values()])
parts = [slice(1000 * i, 1000 * (i + 1)) for i in range(3)]  # other sentences a seed
guessed = [r[part] for r, part in zip(by_ratio.values(), parts, strict=True)]
check_close_mc(
    "correct at the end: written - equation (9)",
    at_end - torch.cat(guessed)[:, -1],
    0.0,
    unlike={"errors never add up": at_end - torch.cat(guessed)[:, 0]},
)
gaps, pairs = [], {"60 steps": [], "150 steps": []}
for s in writers:
    gap = (by_epsilon[s] - by_ratio[s])[:, -1]
    gaps.append(gap.mean())
    a, b = by_ratio[s][:, -1].mean(), by_epsilon[s][:, -1].mean()
    print(f"seed {s}: correct at the end: (9) ~{a:.2f}, from true prefixes", end=" ")
    print(f"~{b:.2f}, gap ~{gap.mean():.3f} +- ~{gap.std() / len(gap) ** 0.5:.3f}")
    pairs["60 steps"].append(by_prefix(writers[s], written[s], oks[s]))
    pairs["150 steps"].append(by_prefix(trained[s], draws[s], correct(draws[s])))
check_range(
    "correct at the end: from true prefixes - (9), largest gap",
    max(gaps), 0.01, 0.05, digits=3,
    unlike={"all that goes wrong": 1 - a},
)  # fmt: skip

# %% jupyter={"source_hidden": true}
cut = []
for seed, network in writers.items():

    def likely(x, network=network):
        return decoding.keep_top_p(network(x), 0.9)

    cut.append(correct(sample(likely, blanks, 0, make_generator(seed))).mean(0))
cut = torch.stack(cut)  # (seeds, words)
saved = (cut - torch.stack([r.mean(0) for r in by_ratio.values()]))[:, -1].mean()
print(f"correct at the end: top-p 0.9 - equation (9), mean of seeds: ~{saved:.2f}")
for (name, found), least in zip(pairs.items(), (0.2, 0.04), strict=True):
    at_true, wrong, known, new = np.transpose(found)  # three seeds each
    check_range(
        f"{name}: impossible pairs after a new last word, least of three seeds",
        new.min(), least, 0.5, digits=3,
        unlike={"true prefix": at_true.max(), "usual last word": known.max()},
    )  # fmt: skip
    says = "    mean of seeds: true ~{:.4f}, wrong ~{:.4f}; usual ~{:.4f}, new ~{:.3f}"
    fraction = ((wrong - known) / (new - known)).mean()
    print(says.format(*np.mean(found, 0)), f"(~{fraction:.0%} of the wrong ones)")

figure, (left, right) = plt.subplots(
    1, 2, figsize=(9.6, 3.5), gridspec_kw={"width_ratios": [3, 2]}
)
ratio_curve = torch.stack([r.mean(0) for r in by_ratio.values()])
for name, curve, colour, style in (
    ("150 steps", longer, "#009E73", "-"), ("60 steps, top-p 0.9", cut, "#CC79A7", "-"),
    ("60 steps, from true prefixes", from_true, "#222222", ":"),
    ("60 steps, equation (9)", ratio_curve, "#0072B2", "-"),
):  # fmt: skip
    left.plot(steps, curve.mean(0)[:shown], style, c=colour, label=name)
left.set(xlabel="words written", ylabel="fraction correct so far", ylim=(0, 1.02))
left.legend(fontsize=9, loc="lower left")
left.set_title("Before the first error: compounding")
right.set_title("After it: exposure bias")
kinds = (
    (0, "#222222", "true"), (2, "#56B4E9", "wrong, last word usual"),
    (3, "#D55E00", "wrong, last word new"),
)  # fmt: skip
for i, found in enumerate(pairs.values()):
    for at, (kind, colour, label) in enumerate(kinds):
        values, x = [pair[kind] for pair in found], i + 0.27 * (at - 1)
        right.bar(x, np.mean(values), 0.25, color=colour, label=label)
        right.plot([x] * 3, values, "o", c="#999999", ms=4)
right.set_xticks([0, 1], list(pairs))
right.set(ylabel="probability of an impossible pair", ylim=(0, 0.62))
handles, labels = right.get_legend_handles_labels()
right.legend(handles[:3], labels[:3], title="after a prefix", fontsize=9)
show(
    figure,
    "Left: the fraction of sentences that are correct so far against words written. "
    "By (9), with 60 steps, it falls to about 0.4, nearly as from true prefixes; "
    "top-p lifts it, 150 steps keep it above 0.9. Right: an impossible pair is a "
    "little more probable after an own wrong prefix than after a true one, and far "
    "more where the last word is new at its position.",
)


# %% [markdown]
# *Before the first error* exposure bias is small: the gap is at most three sentences in a hundred, and for one seed none. Nearly all of the harm is plain **compounding**; He et al. (2021) also found it small in real language models. *After the first error* it is there. At 60 steps an impossible pair is 1.7 times as probable as after a true prefix, at 150 steps 7 times (matching the last words hardly changes this). Training mends what it shows (the black bar shrinks to a ninth)
# more than what it never shows (the orange bar keeps more than half; grey dots: seeds). At least four fifths of the excess come from the one or two wrong prefixes in ten whose last word is new at its position.
#
# **Repairs.** *More training* (a second run, of 90 steps) lowers $\varepsilon$, so that fewer sentences reach a wrong prefix at all. **Top-p** (nucleus sampling) keeps only the likeliest words that together reach probability 0.9. It needs no training, but it only cuts off the tail, and here it saves about 15 sentences in a hundred at the end: after so little training, impossible words are among the likely ones, too. It also draws from another distribution. *Training on the model's own words*, as in scheduled sampling
# (Bengio et al. 2015) or in reinforcement learning, attacks exposure bias itself, but its optimum need not be the distribution of the data (Huszár 2015).

# %% [markdown]
# ## Going further · comparing language models
#
# **A common misconception** is that perplexities of two language models can be compared directly. But
# perplexity is *per token*. Cut the same text into tokens twice as long and the NLL of the text stays, while the perplexity is squared. Compare bits per byte instead.
#
# **Your turn 02.7 · perplexity** *(compute, 3 minutes)*. One model has a perplexity of 3 per character, another of 20 per word. To compare them on the same text, give the first one's perplexity *per word*, from its perplexity per character and the mean number of characters in a word.

# %%
def per_word(per_character, characters): ...


course.exercise("02.perplexity", per_word)
course.solution("02.perplexity")

# %% [markdown]
# ## Going further · the family
#
# Other networks with the same equation (1) and another way to keep (6):
#
# - **FVSBN**, the fully visible sigmoid belief network (Neal 1992): each pixel is a logistic regression on the pixels before it. **NADE** (2011) shares one hidden layer among all of them.
# - **MADE** (2015): an ordinary multi-layer perceptron with masked weight matrices. Number the variables in any order and give each hidden unit a number too; a hidden unit reads only smaller or equal
#   numbers, an output only smaller ones (`genlab.nn.layers.MaskedMLP`).
# - **WaveNet** (2016): for sound, convolutions over time that end one sample before the predicted one. They are **dilated**: the gap between the two inputs of a kernel doubles from layer to layer, so that $L$ layers see $2^L$ samples.
#
# "Autoregressive" names the factorisation. The transformer is only its most successful network.

# %% [markdown]
# ## Project · the best digits in ten minutes *(2 to 3 hours)*
#
# A PixelCNN of seven layers with 32 channels, trained for half a minute, reaches 1.766 bits per dimension on the test digits (mean of three seeds, 1.762 to 1.769; `benchmarks/pixelcnn_depth.py`). **Beat
# 1.766, as a mean of three seeds, with at most ten minutes of training on one processor core.** Everything is allowed except training on the validation or test digits: a wider network, dropout, shifted copies of the data, averaged weights, or another order of the pixels. Choose with the validation digits and open the test set once. Two hundred digits are few: retrain the reference, take the difference digit by digit, report it with its standard error, and call less than two standard errors a tie. Submit your code, a table of at least five attempts with validation bits and
# seconds, the test figure of each seed, twenty samples, and the picture of section 6 for your final network.
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(lesson=2)

# %% [markdown]
# ## Summary
#
# 1. The chain rule writes any distribution as a product of next-token conditionals, exactly and in any order.
# 2. So the log-likelihood is a sum, and drawing goes token by token: ancestral sampling.
# 3. Maximum likelihood, next-token cross-entropy and average surprise are one number; its gradient is softmax minus one-hot.
# 4. Nats, bits per dimension and perplexity are that number in other units; perplexity depends on the tokens.
# 5. One pass gives all conditionals if output $i$ has zero derivative in tokens $i$ and later: shift and mask.
# 6. Attention is a lookup by queries, keys and values; rotations make its scores depend on distance.
# 7. Masked convolutions hide the future in the kernel; one stack has a blind spot, two stacks have none.
# 8. Keys and values of the past never change, so a cache makes every step cheaper but does not save a single one.
# 9. A leak shows as brilliant held-out numbers and useless samples. Differentiating finds it before training.
# 10. Errors of three per cent per token compound: after ten tokens a quarter of the sequences are broken.
#
# Your three predictions: about 2 bits; (c), with empty samples; 26 %.
#
# | paradigm | objective | sampler | evaluations per sample | likelihood | pays with |
# |---|---|---|---|---|---|
# | autoregressive | next-token cross-entropy | one token after another | one per token | **exact** | latency that grows with length |

# %% [markdown]
# ## Going further · what production systems add
#
# *Tokens* are learned: parts of words for text, codes of a learned quantiser for images, or whole scales, coarse to fine, as in VAR (Tian et al. 2024, arXiv:2404.02905). OpenAI describes the
# image generation of GPT-4o as autoregressive (addendum to the system card, March 2025).
# *Caches* shrink: groups of query heads share keys and values (**grouped-query attention**); both are stored as one short vector (**multi-head latent attention**, DeepSeek-V3, 2024, arXiv:2412.19437); or most layers carry a state of fixed size instead (**linear attention**: Kimi Linear, 2025, arXiv:2510.26692). *Several tokens at once*:
# a cheap draft proposes, the large model verifies in one pass (**speculative decoding**, in frontier: *discrete and parallel*); DeepSeek-V3 also trains **multi-token prediction**. *Continuous tokens* without a quantiser, each drawn by a small
# diffusion model: MAR (Li et al. 2024, arXiv:2406.11838). And a rival: **masked diffusion**, which fills in many positions per step, as in LLaDA (Nie et al. 2025, arXiv:2502.09992). VAR, MAR and LLaDA still use the chain rule: VAR over scales and MAR over sets of tokens, drawn independently within a unit; the loss of LLaDA is an average of (2) over random orders (Ou et al. 2024, arXiv:2406.03736).

# %% [markdown]
# ## Sources
#
# Data: Alpaydin and Kaynak 1998 (UCI, Optical Recognition of Handwritten Digits). Chain rule and neural language model: Bengio et al. 2003 (JMLR 3), eq. 1. NADE: Larochelle and Murray 2011. FVSBN: Neal 1992; Frey, Hinton and Dayan 1996. MADE: Germain et al. 2015 (arXiv:1502.03509), eqs. 8 and 9. PixelCNN and masks A and B: van den Oord et al. 2016
# (arXiv:1601.06759), eq. 1 and section 3.4. Blind spot and two stacks: van den Oord et al. 2016 (arXiv:1606.05328), section 2.2. WaveNet: van den Oord et al. 2016 (arXiv:1609.03499), eq. 1. Attention and heads: Vaswani et al. 2017
# (arXiv:1706.03762), eq. 1 and section 3.2.2. RMSNorm: Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4. Rotary positions: Su et al. 2021 (arXiv:2104.09864), eqs. 13 to 16 and 34. Pixels as tokens of a transformer: Chen et al. 2020. Exposure bias: Bengio et al. 2015 (arXiv:1506.03099); Ranzato et al. 2016 (arXiv:1511.06732); Huszár 2015 (arXiv:1511.05101); He et al. 2021 (arXiv:1905.10617). Top-p: Holtzman et al. 2019 (arXiv:1904.09751), eqs. 2 and 3. Lectures: Stanford CS236, lecture 3; Berkeley CS294-158, lecture 2.
