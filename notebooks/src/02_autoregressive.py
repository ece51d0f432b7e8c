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
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import genlab_course as course
from genlab.core import make_generator
from genlab.data.digits import load_digits
from genlab.data.text import Grammar
from genlab.nn import attention as reference
from genlab.nn.attention import join_heads, split_heads
from genlab.zoo import load_model
from genlab_course import check, check_close_mc, check_range, widgets
from genlab_course.figures import film, lesson_02, show

course.begin(lesson=2)
shipped = load_model("digit_pixelcnn", dtype=torch.float32)
digits = shipped.sample(24, generator=make_generator(5))
alt = "Twenty-four digits appear pixel by pixel, from top left to bottom right."
film([lesson_02.sheet(digits, done, 8) for done in range(1, 65)], alt, seconds=5)

# %% [markdown]
# This film was drawn by a PixelCNN that the course ships; you will build a transformer that draws in the same way. No label or rule told the network what a digit is. In training it answered one question, again and again: *given the pixels so far, what comes next?* To draw, it answers that question 64 times, and
# each answer becomes part of the next question. The same idea, with words instead of pixels, is behind nearly every large language model. How can so small a question be enough?
#
# **After this lesson you will be able to**
#
# - *derive* the likelihood of a picture or a text from next-token probabilities, and give it in nats, bits and perplexity;
# - *write* the loss, the mask and the attention of a causal transformer;
# - *test* a network for causal leaks before you train it;
# - *repair* a sampler, and *explain* why a key-value cache changes nothing but the cost;
# - *say* how small errors add up over a long text.
#
# You need lesson 01, the softmax, convolutional layers and basic PyTorch.
#
# Two sittings of about 72 and 74 minutes, exercises included; the cells run in 30 seconds.

# %% [markdown]
# ## Predict first
#
# Write your guess in place of the dots and run the cell. Each one is shown to you again where the lesson answers it.
#
# 1. Our digits have 64 pixels of 17 grey levels. A blind guess costs $\log_2 17 = 4.1$ bits a pixel. What will a small network need for digits that it has never seen, after a few seconds of training: about `3`, `2` or `1`?

# %%
course.exercise("02.predict-bits", ...)

# %% [markdown]
# 2. A bug lets a network read the very pixel that it should predict, in training and in testing. Its bits on *held-out* digits become `"a"` worse than without the bug, `"b"` the same, or `"c"` less than half?

# %%
course.exercise("02.predict-leak", ...)

# %% [markdown]
# 3. A language model gives 3 % of its probability, at each word, to words that are impossible there. What percentage of its ten-word sentences contains a mistake?

# %%
course.exercise("02.predict-sentences", ...)

# %%
course.draw_map(lesson=2, slim=True)

# %% [markdown]
# ## 1. A picture is a sentence of pixels
#
# A picture of 64 pixels with 17 levels is one of $17^{64}$ possibilities, a number with 79 digits. No table can hold a probability for each. So how can a program give a probability to every picture?
#
# **Step 1. One pixel at a time.** Read the picture like a page, from left to right and line by line. This **raster order** makes it a sequence $x_1, \dots, x_n$ of **tokens**. Write
# $x_{<i}$ for the tokens before $x_i$. A conditional probability is defined by $p(a, b) = p(a)\,p(b\mid a)$. Split off the first token, then the second, and so on:
# $$p(x_{1:n}) = p(x_1)\,p(x_2\mid x_1)\cdots p(x_n\mid x_{<n}) = \prod_{i=1}^{n} p(x_i \mid x_{<i}). \tag{1}$$
# This is the **chain rule** of lesson 01. Nothing is assumed and nothing is left out, because each factor is conditioned on *everything* before it. A model that answers the small question, "given the pixels so far, how
# likely is each level next?", therefore gives a probability to every picture. Such a model is called **autoregressive**: each value is predicted from the values before it.
#
# **Step 2. Draw with the same rule.** Draw $x_1$ from $p(x_1)$, then $x_2$ from $p(x_2\mid x_1)$, and so on, as you write a sentence word by word. This is **ancestral sampling**.
#
# How much of the past does a model need? Begin with models that fit into a table. The **histogram** remembers nothing: it counts, at each place, how often each level occurred in 1,397 training digits. The **bigram** remembers one pixel: it counts which level followed which.

# %% jupyter={"source_hidden": true}
train_x, test_x = (load_digits(part).images.flatten(1) for part in ("train", "test"))
counts = F.one_hot(train_x, 17).sum(0) + 0.3  # (64, 17); no level is impossible
histogram = counts / counts.sum(1, keepdim=True)  # (64, 17): p(x_i)
followed = torch.zeros(64, 17, 17)  # how often level a was followed by b, at each place
for a, b in zip(F.pad(train_x[:, :-1], (1, 0)), train_x, strict=True):  # (64,) each
    followed[torch.arange(64), a, b] += 1
bigram = followed + 10 * histogram[:, None]  # after a rare level, the histogram
bigram = bigram / bigram.sum(-1, keepdim=True)  # (64, 17, 17): p(x_i | x_{i-1})


# %%
def draw_from_table(table, n, generator):
    x = torch.zeros(n, 65, dtype=torch.int64)  # a 0 before the first pixel
    for i in range(64):
        p = table[i, x[:, i]]  # (n, 17)
        x[:, i + 1] = torch.multinomial(p, 1, generator=generator)[:, 0]
    return x[:, 1:]  # (n, 64)


# %% jupyter={"source_hidden": true}
no_memory = histogram[:, None].expand(64, 17, 17)
rows = {"remembers nothing": draw_from_table(no_memory, 10, make_generator(1))}
rows["remembers one pixel"] = draw_from_table(bigram, 10, make_generator(1))
rows["real digits"] = test_x[:10]
show(
    lesson_02.walls(rows, "Ink in the right places is not yet a digit"),
    "Three rows of ten pictures. Drawn without memory: grey specks around the middle. "
    "With a memory of one pixel: much the same. Real digits have strokes.",
)

# %% [markdown]
# These are your first samples. The histogram knows where ink tends to be. The bigram sees one step to the left and never the row above, and its pictures look hardly better. To draw strokes, a model has to look further back. The rest of the lesson builds such a model.
#
# **Step 3. A tiny case.** One small word will stay with us through the lesson: BAC, made of three letters from $\{A, B, C\}$. Let $p(B)=0.4$, $p(A\mid B)=0.5$ and $p(C\mid BA)=0.6$. By (1) its probability is
# $0.4\cdot 0.5\cdot 0.6 = 0.12$. Does the order matter? The next cell makes a table of all 27 words with these conditionals and draws 20,000 words from right to left: the last letter first, then the middle one.

# %% jupyter={"source_hidden": true}
A, B, C = 0, 1, 2
rng = np.random.default_rng(2)
p1 = torch.tensor([0.35, 0.4, 0.25])
p2 = torch.tensor(rng.dirichlet(np.ones(3), 3)).float()
p3 = torch.tensor(rng.dirichlet(np.ones(3), (3, 3))).float()
p2[B], p3[B, A] = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.3, 0.6])
joint = p1[:, None, None] * p2[:, :, None] * p3  # all 27 words


def draw_backwards(n=20_000, alone=False):
    """Third letter, then second, then first; `alone`: without looking at the others."""
    g, table = make_generator(1), joint.permute(2, 1, 0)  # (third, second, first)
    if alone:
        sides = (table.sum((1, 2)), table.sum((0, 2)), table.sum((0, 1)))
        letters = [torch.multinomial(p, n, True, generator=g) for p in sides]
        return torch.stack(letters[::-1], 1)
    third = torch.multinomial(table.sum((1, 2)), n, True, generator=g)
    second = torch.multinomial(table.sum(2)[third], 1, generator=g)[:, 0]
    first = torch.multinomial(table[third, second], 1, generator=g)[:, 0]
    return torch.stack([first, second, third], 1)


bac = torch.tensor([B, A, C])
is_bac = [(draw_backwards(alone=a) == bac).all(1).double() for a in (False, True)]

# %% jupyter={"source_hidden": true}
check_close_mc(
    "fraction of BAC among words drawn backwards", is_bac[0], 0.4 * 0.5 * 0.6,
    unlike={"each letter by itself": is_bac[1]},
)  # fmt: skip


# %% [markdown]
# Again 0.12, up to chance. No accident: Step 1 split off one token after another and never used which one was called $x_1$. Number the letters from the right, and (1) holds as it stands: **every order gives the same joint distribution.** The order only changes how hard the factors are to learn.
#
# **Step 4. Take the logarithm.** A product of 64 probabilities is a tiny number, so we work with its logarithm. The **negative log-likelihood** (NLL) of a sequence is
# $$-\log p(x_{1:n}) = -\sum_{i=1}^n \log p(x_i\mid x_{<i}). \tag{2}$$
# Each term is the *surprise* at one token: 0 if the model was certain of it, large if the model thought it unlikely. With natural logarithms the unit is the **nat**. For BAC the surprises are 0.92, 0.69 and 0.51, together 2.12 nats.
#
# **Your turn 02.1 · surprise of a word** *(compute, 3 minutes)*. Write the NLL in nats of a sequence, given the conditional probabilities of its tokens as a list. For DOG with 0.3, 0.5, 0.4 you should find 2.81. If you are stuck,
# `course.hint("02.sequence-nll")` gives up to three hints, one at a time. The last line of the cell shows a solution once yours is right, or after the third hint.

# %%
def sequence_nll(conditionals): ...


course.exercise("02.sequence-nll", sequence_nll)
course.solution("02.sequence-nll")

# %% [markdown]
# ## 2. What should training minimise?
#
# A good model is seldom surprised. Can we turn that sentence into a loss?
#
# **Step 5. Maximum likelihood.** We have pictures $x^{(1)},\dots,x^{(N)}$ and a network with weights $\theta$. **Maximum likelihood** looks for the weights under which the data are most probable; lesson 03 says why. Take the logarithm, change the sign, divide by the number of tokens, and insert (2):
# $$\mathcal L(\theta) = -\frac1{Nn}\sum_{m=1}^N\sum_{i=1}^n \log p_\theta\big(x^{(m)}_i\mid x^{(m)}_{<i}\big). \tag{3}$$
# Look at one term. The network outputs $K=17$ numbers $a_1,\dots,a_K$, the **logits**, and the softmax turns them into probabilities. The term is
# minus the log-probability of the class that came: exactly the **cross-entropy** of a classifier whose label is the next pixel. So
# *maximum likelihood, next-token cross-entropy and average surprise are one number.* Nobody has to label anything, because the data are their own labels. For the two tables of section 1 it is an average over these pixels, here in bits (nats divided by $\log2$):

# %% jupyter={"source_hidden": true}
eight, place = test_x[:8], torch.arange(64)
p_of = {"no memory": histogram[place, eight],
        "one pixel": bigram[place, F.pad(eight[:, :-1], (1, 0)), eight]}  # fmt: skip
show(
    lesson_02.surprises(eight, {name: -p.log2() for name, p in p_of.items()}),
    "Eight new digits, and below them how surprising each pixel is. At the edges, "
    "which are always blank, nothing is. Within strokes and along their borders every "
    "pixel costs 3 to 6 bits, a little less with a memory of one pixel.",
)


# %% [markdown]
# **Step 6. How does a term push the logits?** Write it out and differentiate. Let $x$ be the observed token, and let $[c=x]$ be 1 where $c$ is $x$ and 0 elsewhere:
# $$-\log \mathrm{softmax}(a)_x = -a_x + \log\sum_{c} e^{a_c}, \qquad \frac{\partial}{\partial a_c}\Big(-a_x + \log\sum_{c'} e^{a_{c'}}\Big) = \mathrm{softmax}(a)_c - [c = x]. \tag{4}$$
# The gradient is "what the network believed" minus "what happened". A step against it raises the logit of the observed token and lowers all others. For the third letter of BAC a network that believes
# $(0.1, 0.3, 0.6)$ gets the gradient $(0.1, 0.3, -0.4)$. The next cell asks autograd, five times at random. If you forget the logarithm of the sum, the softmax is gone from the gradient: the network would raise all observed logits for ever.

# %% jupyter={"source_hidden": true}
def by_autograd(normalised=True):
    a = torch.randn(5, 17, generator=make_generator(1)).double().requires_grad_()
    score = a.log_softmax(-1) if normalised else a
    (slope,) = torch.autograd.grad(-score[torch.arange(5), observed].sum(), a)
    return slope, a.detach().softmax(-1)


observed = torch.tensor([2, 0, 16, 3, 1])
slope, believed = by_autograd()
check(
    "(4): autograd = softmax - one-hot", slope, believed - F.one_hot(observed, 17),
    unlike={"without the normaliser": by_autograd(normalised=False)[0]},
)  # fmt: skip


# %% [markdown]
# **Your turn 02.2 · the loss** *(build, 10 minutes)*. Write equation (3) for one batch. `logits` has shape `(b, n, K)`, and `x`, with whole numbers, `(b, n)`. Row
# `logits[:, i]` belongs to token `x[:, i]`. Return the mean over batch and tokens, in nats, with torch functions, so that autograd can follow. Every
# network in this lesson will learn with **your** loss.

# %%
def next_token_loss(logits, x): ...


course.exercise("02.loss", next_token_loss)
loss = course.yours("02.loss")
course.solution("02.loss")


# %% [markdown]
# **Step 7. One quantity, three units.** Divide nats by $\log 2$ and you have **bits**, the length of the file that an ideal compressor would write *if it believed this model*. For pixels, divide by their number $n$: **bits per dimension**. For text, divide by the number of its *bytes*, however it was cut into tokens: **bits per byte**.
# Exponentiate the nats per token and you have the **perplexity**, the number of equally likely choices that would be as surprising:
# $$\text{bits per dimension} = \frac{-\log p(x_{1:n})}{n\log 2}, \qquad \mathrm{PPL} = \exp\Big(-\tfrac1n\log p(x_{1:n})\Big). \tag{5}$$
# BAC costs 3.06 bits in all, 1.02 bits per letter, and its perplexity is $0.12^{-1/3} = 2.03$ letters.
#
# Now your loss can grade the two tables of section 1. It takes logits, and the logarithms of probabilities are logits, since $\mathrm{softmax}(\log p)=p$.

# %%
def bits(logits):
    return loss(logits, test_x).item() / math.log(2)  # logits: (200, 64, 17)


p_bigram = bigram[torch.arange(64), F.pad(test_x[:, :-1], (1, 0))]  # (200, 64, 17)
bits_of = {"histogram": bits(histogram.log().expand(200, 64, 17))}
bits_of["bigram"] = bits(p_bigram.log())
print({name: f"~{value:.2f} bits" for name, value in bits_of.items()})

# %% jupyter={"source_hidden": true}
with course.more_checks():
    for name, low, high in (("histogram", 2.38, 2.45), ("bigram", 2.22, 2.31)):
        check_range(
            f"{name}, bits per dimension", bits_of[name], low, high,
            unlike={"nats": bits_of[name] * math.log(2)},
        )  # fmt: skip
    in_table = -math.log(joint[B, A, C])
    check("BAC in nats, table and product", in_table, -math.log(0.12), atol=1e-6,
          unlike={"each letter by itself": -math.log(is_bac[1].mean())})  # fmt: skip

# %% [markdown]
# Your first two rows of pictures have a number now: **2.42 and 2.27 bits**. One pixel of memory is worth 0.15 bits in such a table. What is all of the past worth?
#
# **A common misconception** is that perplexities of two language models can be compared directly. Perplexity is *per token*, so it depends on how the text was cut; bits per byte do not. A model with perplexity 3 per character has $3^{5.5}=421$ per word, if a word has 4.5 letters and the space behind it: the space is a character, and the model pays for it.

# %% [markdown]
# ## 3. What may the network see?
#
# The loss asks for all $n$ conditionals of a picture. Running the network once per prefix would be slow. Can *one* pass return all $n$ rows of logits? In training we know the whole picture, so every position can be given its true past, like a pupil who gets each earlier answer corrected before the next question (**teacher forcing**).
#
# **Step 8. The rule.** It works if row $i$ of the logits, now called $a_i(x)$, is computed from $x_{<i}$ alone. Change tokens $i$ and later as you like, and the row stays:
# $$a_i(x) = a_i(x') \qquad\text{whenever } x_{<i} = x'_{<i}. \tag{6}$$
# A network with this property is called **causal**. For BAC: the row for $p(B)$ reads no letter, the row for $p(A\mid B)$ reads the B, and the row for $p(C\mid BA)$ reads the B and the A.
#
# **Draw a mask of your own.** Rows are predictions, columns are the letters themselves, not shifted. A cross marks the square where a prediction meets its own letter. The data are words of eight letters from a to f. All first letters are equally likely. After each letter comes the next one of the alphabet (after f comes a) with probability 0.9, and each of the other five with 0.02. So the entropy is known: 0.65 nats a letter. Tap a cell to open or close it. Networks stack such layers, and each reads what the one below has gathered: pale
# cells are reached through further layers. The bars show the surprise of the *best* network that reads the open cells. On the right are words drawn with it; a letter that is not drawn yet reads as an a.
#
# Predict before you look. (a) *Diagonal too* lets each output read its own letter. What does that cost, and what does it draw? (b) In *all but itself*, with one layer, no output sees its own letter. Is its score a likelihood? What does a second layer change? (c) *Right to left* breaks (6) in seven rows. Is it wrong?

# %% tags=["keep-output"]
widgets.causal_mask()


# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) It costs 0 nats, and the words are aaaaaaaa: each output copies what stands in its place. (b) No. Its 0.26 nats a letter are less than the entropy, which no distribution over words can beat. The outputs read each
# other in circles, so their product is a chain rule in no order, and there is no order to draw in. With two layers every output reaches itself through another one, and the score falls to 0.
# (c) No. It is the chain rule in the order 8, 7, ..., 1, with the same 0.65 nats. (6) asks for one particular order; a mask is right if *some* order exists, that is, if no path of open cells leads back to where it began.
# </details>

# %% [markdown]
# **Step 9. Shift, then mask.** In the figure the first row reads nothing at all, and a network needs *some* input there. So delay the input by one: position 1 holds a mark for *begin* (elsewhere a **beginning-of-sequence token**, BOS), and position $i$ holds $x_{i-1}$. For BAC the input is now *begin, B, A*, and the targets are *B, A, C*. Each
# column of the figure moves one place to the right, and its crosses move along. After the shift, only one thing is left to do: wherever positions exchange information, forbid the flow from later to earlier ones. That is the **causal mask**.
#
# **Your turn 02.3 · the mask** *(derive, 4 minutes)*. The text counts positions from 1, code from 0. Return an `n x n` array with 1 where position `i` may read position `j` of the *shifted* input, and 0
# elsewhere. Where is the diagonal now: allowed or forbidden? Every network below uses your mask.

# %%
def causal_mask(n): ...


course.exercise("02.causal-mask", causal_mask)
visible = torch.as_tensor(course.yours("02.causal-mask")(64)) > 0  # (64, 64)
course.solution("02.causal-mask")

# %% [markdown]
# ## 4. How does a position read its past?
#
# Each position may now look back. How should it sum up what it sees? You will build the answer, **attention**, in three versions, two here and the third in section 5. Each changes one thing in the version before.
#
# **Step 10. Version 1: a mean, by a loop.** Give each position of the shifted input a vector, its **value**. For BAC we take two numbers that say "a B was here" and "an A was here". The simplest summary is the mean of all values so far.

# %%
v = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])  # begin, B, A: (n, d)
by_loop = torch.stack([v[: i + 1].mean(dim=0) for i in range(3)])  # (n, d)

# %% [markdown]
# **Step 11. Version 2: the same without a loop.** A mean is a weighted sum, and the weights of all positions form a matrix. Your mask $M$ says who counts, and each row is divided by its sum:
# $$o_i = \sum_{j} w_{ij}\,v_j, \qquad w_{ij} = \frac{M_{ij}}{\sum_l M_{il}} . \tag{7}$$
# There is a second way to the same weights: write 0 where $M$ is 1 and $-\infty$ where it is 0, and take a softmax along each row. Since $e^0=1$ and $e^{-\infty}=0$, the softmax of equal scores *is* the plain mean.

# %%
mask = visible[:3, :3]  # (n, n)
by_matrix = (mask / mask.sum(dim=1, keepdim=True)) @ v  # (n, d)
scores = torch.zeros(3, 3).masked_fill(~mask, -math.inf)  # (n, n)
by_softmax = scores.softmax(dim=-1) @ v  # (n, d)
print(by_loop, by_matrix, by_softmax, sep="\n")

# %% jupyter={"source_hidden": true}
with course.more_checks():
    for name, found in (("mask", by_matrix), ("softmax", by_softmax)):
        check(f"means of the past: loop, {name}", found, by_loop, atol=1e-6,
              unlike={"the whole word": v.mean(0).expand(3, 2)})  # fmt: skip

# %% [markdown]
# Three times the same matrix. The last row, $(1/3, 1/3)$, is what position 3 knows: there was a B, and there was an A.

# %% [markdown]
# ## 5. Which part of the past matters?
#
# The plain mean gives *begin* as much weight as the letters, and it would be the same after AB as after BA. How could each position choose?
#
# **Step 12. Version 3: queries and keys.** Think of a library. You come with a question, each book has a title on its spine, and you read most in the books whose titles fit your question. So each position makes three vectors:
#
# - a **query** $q_i$: what am I looking for?
# - a **key** $k_j$: what do I have on offer?
# - a **value** $v_j$: what do I hand over if somebody reads me?
#
# The score of position $j$ for position $i$ is the inner product $q_i^\top k_j$. It is large where the two vectors point the same way. Here is position 3 of BAC, which must predict the C.

# %% jupyter={"source_hidden": true}
q = torch.tensor([[1.0, 0.0], [1.0, 1.0], [2.0, 1.0]])  # queries of begin, B, A: (n, d)
k = torch.tensor([[-0.5, 1.0], [-0.1, 1.18], [1.2, 0.352]])  # keys: (n, d)
show(
    lesson_02.draw_query(q[2], k, v, ("begin", "B", "A")),
    "Left: an orange query arrow and three blue key arrows; A's key points most "
    "nearly the same way. Middle: weights 0.1, 0.2, 0.7 of begin, B, A. Right: a "
    "triangle of the three values, with the output inside it, near A's value.",
)


# %% [markdown]
# Follow one query by hand: $(2, 1)$ meets the keys $(-0.5, 1)$, $(-0.1, 1.18)$ and $(1.2, 0.352)$. The inner products are 0, 0.98 and 2.75. Divided by $\sqrt2$ they are 0, 0.69 and 1.95, their exponentials are 1, 2 and 7, and the weights are 0.1, 0.2 and 0.7. The output is $0.1\,v_1+0.2\,v_2+0.7\,v_3=(0.2, 0.7)$. In general:
# $$w_{ij} = \frac{\exp\big(q_i^\top k_j/\sqrt{d}\big)}{\sum_{l\le i}\exp\big(q_i^\top k_l/\sqrt{d}\big)}\quad (j\le i), \qquad o_i = \sum_{j\le i} w_{ij}\,v_j. \tag{8}$$
# Position $j$ of the shifted input holds $x_{j-1}$. So $j\le i$ means: only $x_{<i}$ is read, as (6) demands.
#
# **Step 13. Why $\sqrt d$?** Here $d$ is the length of a query. If the entries of $q$ and $k$ are independent with mean 0 and variance 1, then $q^\top k$ is a sum of $d$ terms of variance 1, so its variance is $d$. Without the division, long queries and keys give scores so large that nearly all the weight goes to one key, and there the gradient of the softmax is almost zero.
#
# **Pause.** You can draw with a chain of conditionals, you have written the loss and the mask, and you have followed one query by hand to its output. This is a good place for a break. The second sitting begins with your own code for (8). Then it builds a network around it, tests it, trains it and draws.
#
# **Your turn 02.4 · read** *(build, 10 minutes)*. Write (8) for all queries at once. `q`, `k` and `v` have shape `(b, heads, t, d)`: for each of `b` pictures and each of several independent copies, the heads of section 6, `t` vectors of length `d` (`t` is $n$, or less while you draw). `mask` has shape `(t, t)`, with `True` where query `i` may read key `j`. (With the cache of section 10 a single new query meets $t$ keys; then it has shape $(1, t)$.) Return the outputs, one for each query.
# Four lines are enough: scores, mask, softmax, mean. Everything below reads with **your** function.

# %%
def read(q, k, v, mask): ...


course.exercise("02.read", read)
read = course.yours("02.read")
course.solution("02.read")

# %% [markdown]
# First comes BAC, then a batch against the attention of `genlab`. Suppose the mask is left out of the call. Would you notice it in the last row of BAC? In the first?

# %%
print(read(q[None, None], k[None, None], v[None, None], mask)[0, 0])  # (n, d)

# %% jupyter={"source_hidden": true}
qkv, ten = torch.randn(3, 2, 4, 10, 8, generator=make_generator(4)), visible[:10, :10]
check(
    "(8): your attention = genlab's",
    read(*qkv, ten), reference.attention(*qkv, ten), atol=1e-5,
    unlike={"the mask left out": read(*qkv, ten | True)},
)  # fmt: skip
with course.more_checks():
    first, last = (read(q[None, None], k[None, None], v[None, None], m)[0, 0, [0, 2]]
                   for m in (mask, mask | True))  # fmt: skip
    check("BAC without the mask: the last row", first[1], last[1], atol=1e-6,
          unlike={"the first row": last[0]})  # fmt: skip
    long_q, long_k = torch.randn(2, 4000, 64, generator=make_generator(3)).double()
    dot = (long_q * long_k).sum(1)
    check_close_mc("variance of q.k / sqrt(64)", dot**2 / 64, 1.0,
                   unlike={"without the root": dot**2})  # fmt: skip

# %% [markdown]
# The last position may read everything anyway, so only the earlier rows give the missing mask away. That is why section 7 tests *every* row. You have written the heart of nearly every large language model, in four lines, and it agrees with a reference.

# %% [markdown]
# ## 6. What else is in a transformer?
#
# **Step 14. Where do $q$, $k$ and $v$ come from?** In BAC we chose them; from here on they are learned. Each position holds a vector $h_i$ and makes its query, key and value by three matrices, $q_i = W_q h_i$, $k_i = W_k h_i$ and $v_i = W_v h_i$. Training finds the matrices.
#
# **Step 15. Several heads.** One softmax gives one mean. A pixel may need its left neighbour *and* the one above, separately. So the features are
# cut into groups, each group reads on its own with your function, and a matrix $W_o$ mixes the results. The groups are called **heads**.
#
# **Step 16. A block.** Attention moves information *between* positions. A small **multi-layer perceptron** (MLP), two linear maps with a smooth ReLU (GELU) between them, then works on each position *by itself*. Two devices keep a
# deep stack trainable. A **residual connection** *adds* each result to the vector that was read, like a note in the margin of a page that stays as it is. **RMSNorm** hands attention and MLP a copy of the vector, divided by its root mean square and rescaled by learned gains.

# %% jupyter={"source_hidden": true}
show(
    lesson_02.draw_block(),
    "A transformer block over begin, B, A. Each makes a query, a key and a value; blue "
    "arrows hand values to the same and to later positions only; a grey line carries "
    "the vector past the attention; an MLP follows; outputs p(B), p(A|B), p(C|BA).",
)


# %%
class Block(nn.Module):
    def __init__(self, width, n_head):
        super().__init__()
        self.n_head, self.norm = n_head, nn.RMSNorm(width)
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)  # W_q, W_k, W_v in one
        self.to_out = nn.Linear(width, width, bias=False)  # W_o
        layers = nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        self.mlp = nn.Sequential(nn.RMSNorm(width), *layers)

    def project(self, h):
        parts = self.to_qkv(self.norm(h)).chunk(3, dim=-1)  # three of (b, t, width)
        # (b, heads, t, d) each
        return [split_heads(part, self.n_head) for part in parts]

    def finish(self, h, outputs):
        h = h + self.to_out(join_heads(outputs))  # (b, t, width)
        return h + self.mlp(h)  # (b, t, width)

    def forward(self, h, mask):
        return self.finish(h, read(*self.project(h), mask))  # your function


# %% [markdown]
# **Step 17. The network.** Stack two blocks. Below them stand two tables: one vector for each level (the **token embedding**), and one for each position (a **position embedding**). The second is needed because a mean does not care about order: exchange two earlier positions in (8), keys and values together, and in one block nothing changes. Deeper networks can recover some of the order from the mask, since each position sees a different number of tokens (Haviv et al. 2022); ours gets little from it (section 8). At position 1, where the shift has
# left nothing to look up, the position embedding acts as the *begin* mark. Above the blocks stand one more RMSNorm and a linear map to 17 logits. That is the **transformer**. Its last two arguments let us break it on purpose.

# %%
class Transformer(nn.Module):
    def __init__(self, n_levels, length, n_block=2, mask=visible, shift=True):
        super().__init__()
        self.n_levels, self.mask, self.shift = n_levels, mask, shift  # your mask
        self.token = nn.Parameter(0.1 * torch.randn(n_levels, 32))
        self.place = nn.Parameter(0.1 * torch.randn(length, 32))
        self.blocks = nn.ModuleList([Block(width=32, n_head=4) for _ in range(n_block)])
        self.head = nn.Sequential(nn.RMSNorm(32), nn.Linear(32, n_levels))

    def forward(self, x):
        t, rows = x.shape[1], F.one_hot(x, self.n_levels).float()  # (b, t, K)
        before = F.pad(rows[:, :-1], (0, 0, 1, 0)) if self.shift else rows
        h = before @ self.token + self.place[:t]  # (b, t, width); begin is all zeros
        for block in self.blocks:
            h = block(h, self.mask[:t, :t])  # (b, t, width)
        return self.head(h)  # (b, t, K)


# %% jupyter={"source_hidden": true}
mine, theirs = Block(32, 4), reference.SelfAttention(32, 4, 4)
with torch.no_grad(), course.more_checks():
    parts = (*mine.to_qkv.weight.chunk(3), mine.to_out.weight)
    for layer, weight in zip(theirs.children(), parts, strict=True):
        layer.weight.copy_(weight)
    h = torch.randn(2, 10, 32, generator=make_generator(4))
    for name, m in (("mask", ten), ("window", ten.triu(-2))):
        heads = [read(*mine.project(h), seen) for seen in (m, m | True)]
        by_me, unmasked = (mine.to_out(join_heads(o)) for o in heads)
        check(f"four heads with a {name}: mine = genlab's", by_me,
              theirs(mine.norm(h), None, m)[0], atol=1e-5,
              unlike={"no mask": unmasked})  # fmt: skip

# %% [markdown]
# ## 7. A test for leaks, before any training
#
# A leak ruins everything and looks like success, so test for it first. Rule (6) is a test as it stands: change one pixel and see which rows of logits change. `responds` does so for each pixel of a random picture.
# In the pictures, row $i$, column $j$ is coloured if the prediction of pixel $i$ responds to pixel $j$. Four networks take the test:
#
# 1. our transformer, with shift and mask;
# 2. the same without the mask;
# 3. the same without the shift, one line forgotten;
# 4. the same with a narrower mask: each position reads itself and the seven positions before it. Large language models use such a **sliding window** in some layers, to save work.
#
# **Your turn 02.5 · which may be trained?** *(predict, 4 minutes)*. Give the numbers of the networks that may be trained. The test will test you, too.

# %%
trainable = ...

course.exercise("02.trainable", trainable)
course.solution("02.trainable")


# %%
def responds(network):
    x, own = torch.randint(17, (64,)), torch.eye(64) > 0
    changed = torch.where(own, (x + 1) % 17, x)  # (64, 64): in copy j, pixel j
    with torch.no_grad():
        moved = network(changed) != network(x.expand(64, 64))  # (64, 64, 17)
    return moved.any(-1).T  # (64, 64): does row i respond to pixel j?


torch.manual_seed(3)
networks = {
    "(1) shift and mask": Transformer(17, 64),
    "(2) no mask": Transformer(17, 64, mask=visible | True),
    "(3) no shift": Transformer(17, 64, shift=False),
    "(4) window of 8": Transformer(17, 64, mask=visible.triu(-7)),
}
found = {name: responds(network) for name, network in networks.items()}

# %% jupyter={"source_hidden": true}
show(
    lesson_02.draw_leaks(found),
    "Four matrices, 64 x 64, and their first ten rows. (1) fills the triangle below "
    "the diagonal. (2) fills nearly everything, the upper triangle in orange. (3) is "
    "like (1) with an orange diagonal. (4) is a band below the diagonal.",
)


# %% [markdown]
# **1 and 4 may be trained.** One orange square proves a leak. Network 3 needs the enlargement: its leak is the diagonal alone, one square in each row. That is the bug of question 2, and section 11 trains it. Network 4 forgets what lies far back: each of two blocks reaches seven positions back and the shift adds one, so its band is 15 pixels wide. It is an honest chain rule with a short memory, like the bigram.
#
# A picture without orange proves nothing, since it tries one change of one picture. The proof is the mask. The opposite fault is *too little* blue: a test that counts leaks only would take network 4 for our transformer. So the next cell counts both.

# %% jupyter={"source_hidden": true}
def forbidden_and_used(j):
    return [int(j.triu().sum()), int(j.tril(-1).sum())]


counted = {name: forbidden_and_used(j) for name, j in found.items()}
check(
    "(1): forbidden pairs, and allowed pairs in use", counted["(1) shift and mask"],
    [0, 64 * 63 // 2], unlike={"a window of 8": counted["(4) window of 8"]},
)  # fmt: skip
print({name: f"{bad} leaks, {used} used" for name, (bad, used) in counted.items()})
on_or_above, above = (
    [n for n, j in enumerate(found.values(), 1) if not j.triu(d).any()] for d in (0, 1)
)
with course.more_checks():
    check("which may be trained: solution, test",
          sorted(course.yours("02.trainable")), on_or_above,
          unlike={"without a look at the diagonal": above})  # fmt: skip


# %% [markdown]
# ## 8. Train
#
# Here is all of training, for every network in this lesson: draw a batch, compute **your** loss, step against its gradient. `AdamW` is Adam that also shrinks the weights a little, and the schedule lets the step size rise to `lr` and fall to 0. The transformer was told nothing about the plane. It has to find out from 1,397 pictures that pixel 12 lies below pixel 4.

# %%
def train(network, data, n_steps, batch_size, lr=1e-2, seed=2):
    generator, curve = make_generator(seed), []
    optimizer = torch.optim.AdamW(network.parameters(), lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=n_steps)
    for _ in range(n_steps):
        x = data[torch.randint(len(data), (batch_size,), generator=generator)]
        value = loss(network(x), x)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        curve.append(value.item() / math.log(2))
    return curve


torch.manual_seed(2)
transformer = Transformer(17, 64)
curve = train(transformer, train_x, n_steps=500, batch_size=16)
bits_of["transformer"] = bits(transformer(test_x))

# %% jupyter={"source_hidden": true}
show(
    lesson_02.draw_bits(curve, {"blind guessing": math.log2(17)} | bits_of),
    "Left: the training loss of the transformer falls from above three bits to about "
    "two. Right: bars of the bits on test digits: blind guessing 4.1, histogram 2.4, "
    "bigram 2.3, transformer about 2.",
)
with course.more_checks():
    check_range(
        "transformer, bits per dimension on test digits", bits_of["transformer"],
        1.85, 2.02, digits=2, unlike={"bigram": bits_of["bigram"]},
    )  # fmt: skip
course.predicted("02.predict-bits", 2)


# %% [markdown]
# **Question 1: about 2 bits.** In the same network all of the past is worth more than twice as much as one pixel of it (2.22, below). For a whole picture of 64 pixels the transformer saves about 30 bits against the histogram: it gives an unseen digit about a billion times the probability.
#
# **What is each part worth?** Here is the same training with one part switched off, for seeds 2, 3 and 4 (made by `benchmarks/switched_off.py`):
#
# | switched off | bits per dimension |
# |---|---|
# | nothing | 1.93, 1.96, 1.95 |
# | queries and keys: the plain mean of version 2 | 2.11, 2.08, 2.12 |
# | position embedding, start mark included | 2.48, 2.52, 2.53 |
# | position embedding, start mark kept | 2.40, 2.46, 2.37 |
# | four heads: one of length 32 | 1.99, 2.00, 2.01 |
# | the root of $d$ | 1.95, 1.94, 1.93 |
# | the second block | 1.94, 1.96, 1.94 |
# | all of the past; one pixel is left | 2.22, 2.22, 2.22 |
#
# Choosing from the past, rather than averaging it, is worth about 0.16 bits. Without positions the network is no better than the histogram (2.42). Four heads are worth about 0.05. Losing the root or the second block shows no effect at $d=8$. Our check, 1.85 to 2.02, notices only what costs more than 0.1.
#
# ## 9. Draw
#
# Here is a fast sampler: it runs the network once for the whole picture. Look at what it draws from your transformer.

# %%
@torch.no_grad()
def fast_sample(network, x, start, generator):
    x = x.clone()  # (b, n); draw tokens start, start + 1, ...
    p = network(x).softmax(-1)  # (b, n, K)
    for i in range(start, x.shape[1]):
        x[:, i] = torch.multinomial(p[:, i - 1], 1, generator=generator)[:, 0]
    return x


# %% jupyter={"source_hidden": true}
empty = torch.zeros(10, 64, dtype=torch.int64)
hasty = fast_sample(transformer, empty, 0, make_generator(7))
show(
    lesson_02.walls({"fast_sample": hasty}, "Specks, no digits"),
    "Ten pictures of scattered grey specks, no digits.",
)


# %% [markdown]
# **Your turn 02.6 · repair the sampler** *(repair, 8 minutes)*. `fast_sample` has two bugs. Copy it here and fix it. All pictures below are drawn by **your** function. Section 1 had
# the recipe, and section 3 says which row is whose. Leave the caller's `x` as it is, and hand the network all of `x` each time.

# %%
def sample(network, x, start, generator): ...


course.exercise("02.sampler", sample)
sample = course.yours("02.sampler")
course.solution("02.sampler")

# %% jupyter={"source_hidden": true}
empty = torch.zeros(30, 64, dtype=torch.int64)
by_transformer = sample(transformer, empty, 0, make_generator(7))
begun = test_x[[3, 8, 11, 14, 21, 33, 40, 52, 60, 75]]
ended = sample(transformer, begun, 32, make_generator(8))
drawn = dict(zip(("your transformer", "", " "), by_transformer.chunk(3), strict=True))
drawn |= {"real digits": begun, "upper half real,\nlower half yours": ended}
show(
    lesson_02.walls(drawn, "With the whole past come strokes", half=4),
    "Three rows of ten pictures that the transformer drew, with strokes, some of them "
    "digits; a row of real digits; their upper halves, an orange line, and lower "
    "halves drawn by it.",
)


# %% [markdown]
# Your loss, your attention and your sampler made these. Not all are good, after seconds of training. The pixels that are not drawn yet hold zeros, the level of black; no row reads them, as your test for leaks has shown. The last row shows what a chain of conditionals gives for free: hand it the beginning of a picture, with `start=32`, and it writes an ending. The draw itself is *exact*: no
# approximation stands between the samples and the model's own distribution. Its price is 64 network evaluations, one after the other.
#
# ## 10. What can be kept from one token to the next?
#
# To draw pixel 50, your sampler reads pixels 1 to 49 again, although it has read them all before. It is like reading a novel from page one for every new word. What of that work could be kept?
#
# **Step 18. Keys and values stay.** Look at (8). The output at the *new* position needs its own query, and the keys and values of *all* positions so far. The key $k_j$ and the value $v_j$ were computed from $h_j$, and $h_j$
# depends on $x_{<j}$ only, because the mask keeps everything later out. So once computed, keys and values never change. When BAC gets its C, the keys of *begin* and B are those that were made for the A. Keep them in a **key-value cache**, and each new token costs one
# row. Old queries are never asked again, so they are not kept.

# %%
def read_one(network, row, position, cache):
    h = (row @ network.token + network.place[position])[:, None]  # (b, 1, width)
    so_far = network.mask[position : position + 1, : position + 1]  # (1, t)
    for block, (keys, values) in zip(network.blocks, cache, strict=True):
        q, k, v = block.project(h)  # (b, heads, 1, d) each
        keys.append(k)
        values.append(v)
        k, v = torch.cat(keys, dim=2), torch.cat(values, dim=2)  # (b, heads, t, d)
        h = block.finish(h, read(q, k, v, so_far))  # (b, 1, width)
    return network.head(h)[:, 0]  # (b, K)


# %% [markdown]
# The whole cache is in this function. `row`, of shape `(b, K)`, is the token before `position` as a one-hot vector. Its logits should equal those of one pass over the whole picture, on the digits that you have just drawn. Then `read_one` draws thirty pictures, from the same random numbers as your sampler.

# %% jupyter={"source_hidden": true}
@torch.no_grad()
def read_cached(network, x, shift=True):
    """All logits of x, one token at a time."""
    rows = F.one_hot(x, 17).float()  # (b, n, K)
    rows = F.pad(rows, (0, 0, 1, 0)) if shift else rows
    cache, logits = [([], []) for _ in network.blocks], []
    for i in range(x.shape[1]):
        logits.append(read_one(network, rows[:, i], i, cache))
    return torch.stack(logits, 1)


with torch.no_grad():
    at_once = transformer(by_transformer)
check(
    "cached logits = uncached logits",
    read_cached(transformer, by_transformer), at_once, atol=1e-4,
    unlike={"the shift forgotten": read_cached(transformer, by_transformer, False)},
)  # fmt: skip


# %% jupyter={"source_hidden": true}
@torch.no_grad()
def sample_cached(network, n, generator):
    row, cache, drawn = torch.zeros(n, 17), [([], []) for _ in network.blocks], []
    for i in range(64):
        p = read_one(network, row, i, cache).softmax(-1)  # (b, K)
        drawn.append(torch.multinomial(p, 1, generator=generator)[:, 0])
        row = F.one_hot(drawn[-1], 17).float()
    return torch.stack(drawn, 1)


times = [time.process_time()]
for draw in (lambda g: sample(transformer, empty, 0, g),
             lambda g: sample_cached(transformer, 30, g)):  # fmt: skip
    by_cache = draw(make_generator(7))
    times.append(time.process_time())
same = (by_cache == by_transformer).all(1).sum()
slow, fast = times[1] - times[0], times[2] - times[1]
print(f"~{same} of 30 pictures are equal")
print(f"seconds: ~{slow:.2f} without the cache, ~{fast:.2f} with it")


# %% [markdown]
# Equal logits mean equal draws, up to rounding, and they come several times faster. *Going further* counts what the cache saves. The price is memory, the keys and
# values of every position in every block. And sampling is still one token after another.

# %% [markdown]
# ## 11. It fails
#
# **Failure 1: the leak.** Forget one line, the shift: network 3 of section 7. Data, loss and training loop are as before; 100 steps are enough. Three seeds, and the same network with the shift to compare.

# %%
def trained(shift, seed):
    torch.manual_seed(seed)
    network = Transformer(17, 64, shift=shift)
    train(network, train_x, n_steps=100, batch_size=16, seed=seed)
    return bits(network(test_x)), sample(network, empty[:10], 0, make_generator(seed))


shifted, shifted_digits = trained(True, seed=1)
leaky = [trained(False, seed) for seed in (1, 2, 3)]

# %% jupyter={"source_hidden": true}
leaks = {f"with the shift\n{shifted:.2f} bits": shifted_digits}
leaks |= {f"without, seed {n}\n{b:.2f} bits": x for n, (b, x) in enumerate(leaky, 1)}
show(
    lesson_02.walls(leaks, "One line forgotten: excellent scores, empty pictures"),
    "First row: ten rough digits of a network with the shift. Below: ten black squares "
    "of each of three networks without it, a few with a speck; bits nearly 0.",
)
check_range(
    "held-out bits with the leak, worst of three seeds",
    max(b for b, _ in leaky), 0.0, 0.5, digits=2, unlike={"with the shift": shifted},
)  # fmt: skip
with course.more_checks():
    ink = torch.cat([x for _, x in leaky]).float().mean()
    check_range("mean grey level of its samples", ink, 0.0, 1.0, digits=2,
                unlike={"with the shift": shifted_digits.float().mean()})  # fmt: skip
course.predicted("02.predict-leak", "c")

# %% [markdown]
# **Question 2: (c).** A held-out score is no protection, because the answer is visible in the test, too. The network has learned to copy the pixel
# that it should predict. When you sample, that pixel is not there yet, so it copies what stands there instead: zeros (a few pictures show a speck, where chance drew something else). A perfect copier would give *each* of the $17^{64}$ pictures a "probability" of 1, so its number is no likelihood at all. **The repair** is the shift, and the first row is the control, which differs in nothing else.
#
# **Failure 2: small errors add up.** Every chat program continues its own words, as your sampler continues its own pixels. Nobody knows the true conditionals of a handwritten 7. So we take a source for which we do: a small grammar of 22 words and the full stop, whose verbs agree with their nouns ("the cats that see a dog sleep"). Your transformer, with one block, learns it for 60 steps.

# %%
grammar = Grammar()
sentences = grammar.sample(8000, generator=make_generator(1))  # (8000, 14)


def writer(seed, n_steps=60):
    torch.manual_seed(seed)
    network = Transformer(len(grammar.words), grammar.max_length, n_block=1)
    train(network, sentences, n_steps, batch_size=64, seed=seed)
    return network


writers = [writer(seed) for seed in range(1, 7)]

# %% jupyter={"source_hidden": true}
blanks = torch.zeros(500, 14, dtype=torch.int64)


def correct_so_far(x):
    """Fractions of sentences that are correct so far, after 1, 2, ... words."""
    chosen = grammar.next_probs(x).gather(2, x[..., None])[..., 0]  # (b, 14)
    return (chosen > 0).float().cumprod(1).mean(0)  # (14,)


texts = [
    sample(network, blanks, 0, make_generator(s)) for s, network in enumerate(writers)
]
print("\n".join(grammar.decode(texts[0][:6])))

# %% [markdown]
# Call a sentence *correct so far* if some correct sentence begins that way.
# Suppose that after each prefix the model puts a probability $\varepsilon$ on words that are impossible there. Each word is a new chance to fail, like one more coin that must not show tails. If $\varepsilon$ is the same everywhere, then after $n$ words
# $$P(\text{still correct}) = (1-\varepsilon)^n . \tag{9}$$
# With $\varepsilon=0.03$ a sentence of ten words is correct with probability 0.74: **question 3: 26 %**.
#
# A real $\varepsilon$ changes from prefix to prefix. The grammar knows which words are impossible after each. So we measure $\varepsilon$ after every prefix of *true* sentences, multiply the factors $1-\varepsilon$, take the mean over the sentences, and compare with what six networks write.

# %%
true = grammar.sample(1000, generator=make_generator(9))  # (1000, 14)
impossible = grammar.next_probs(true) == 0  # (1000, 14, 23)
with torch.no_grad():
    epsilon = [(f(true).softmax(-1) * impossible).sum(-1) for f in writers]
epsilon = torch.stack(epsilon)  # (6, 1000, 14)
predicted = (1 - epsilon).cumprod(2).mean(1)  # (6, 14)
written = torch.stack([correct_so_far(text) for text in texts])  # (6, 14)

# %% jupyter={"source_hidden": true}
longer = torch.stack(
    [
        correct_so_far(sample(writer(s, 150), blanks, 0, make_generator(s)))
        for s in (1, 2, 3)
    ]
)
curves = {"150 steps, written": longer.mean(0)}
curves |= {
    "60 steps, predicted": predicted.mean(0),
    "60 steps, written": written.mean(0),
}
show(
    lesson_02.draw_compounding(curves),
    "The fraction of sentences that are correct so far against words written. With 60 "
    "steps of training it falls to about 0.55, as predicted from true prefixes; with "
    "150 steps it stays near 0.9.",
)

# %% jupyter={"source_hidden": true}
over = ((true == 0).cumsum(1) - (true == 0).long()) > 0  # a full stop before
going = (epsilon * ~over).sum((0, 1)) / (6 * (~over).sum(0))
print("epsilon at words 1 to 7:", *(f"~{e:.2f}" for e in epsilon.mean((0, 1))[:7]))
print("of those that still run:", *(f"~{e:.2f}" for e in going[:7]))
print("sentences over before:", *(f"{x:.2f}" for x in over.float().mean(0)[:7]))
for name, ends in (("predicted:", predicted[:, -1]), ("written:  ", written[:, -1])):
    print("correct at the end,", name, *(f"~{end:.2f}" for end in ends))
gap = (predicted - written)[:, -1].mean()
check_range(
    "correct at the end: predicted - written, mean of six", gap, -0.04, 0.04,
    unlike={"errors never add up": (predicted[:, 0] - written[:, -1]).mean()},
)  # fmt: skip
with course.more_checks():
    check_range(
        "correct at the end after 150 steps, worst of three", longer[:, -1].min(),
        0.8, 1.0, unlike={"60 steps": written[:, -1].max()},
    )  # fmt: skip
course.predicted("02.predict-sentences", 26)

# %% [markdown]
# This is **compounding**. The assumption of (9) fails: after 60 steps $\varepsilon$ is about 2 % at the first word and 12 % at the seventh; half of the sentences are over by then, and among the others it is 23 %. The product prefix by prefix works all the same: about 0.62 after seven words, 0.56 at the end. Then only full stops follow, and the curves level off. *The repair* is a smaller $\varepsilon$: 150 steps instead of 60 keep about nine sentences in ten correct.
#
# The prediction saw true prefixes only, as the loss of section 2 does, while the sampler continues its own words. This mismatch is called **exposure bias**. Before the first error it hardly shows: over twelve trainings, predicted minus written is 0.5 ± 0.7 sentences in a hundred (`benchmarks/exposure_bias.py`). Single networks differ either way, by up to 7 sentences in a hundred, and the check of six networks sees a mean of 4 or more. But *correct so far* ends at the first error, so it cannot see what happens after one, where the literature looks for exposure bias. He et al. (2021) gave language models spoiled beginnings and found that they mostly recover.

# %% [markdown]
# ## Summary
#
# 1. The chain rule writes any distribution as a product of next-token conditionals, exactly and in any order. Drawing goes token by token.
# 2. Maximum likelihood, next-token cross-entropy and average surprise are one number; its gradient is softmax minus one-hot.
# 3. Nats, bits per dimension and perplexity are that number in other units. Perplexity depends on how the text is cut.
# 4. One pass gives all conditionals if output $i$ does not depend on tokens $i$ and later: shift, then mask.
# 5. Attention is a weighted mean of the past: queries and keys make the weights, values are mixed.
# 6. A window is a short memory. It costs bits but is no leak.
# 7. Changing one token at a time finds a leak before training. Trained, it shows as excellent held-out numbers and empty samples.
# 8. Keys and values of the past never change, so a cache makes every step cheaper but does not save a single one.
# 9. Errors compound: with 3 % at each word, a quarter of all ten-word sentences is broken.
#
# Your three predictions: about 2 bits; (c), less than half; 26 %.
#
# | paradigm | objective | sampler | evaluations per sample | likelihood | pays with |
# |---|---|---|---|---|---|
# | autoregressive | next-token cross-entropy | one token after another | one per token | **exact** | latency that grows with length |

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(lesson=2)


# %% [markdown]
# ## Project · the best digits in ten minutes *(2 to 3 hours)*
#
# A **PixelCNN**, the causal convolution of *Going further*, with two stacks of seven layers and 32 channels reaches 1.766 bits per dimension on the test digits after half a minute of training. That is the mean of three seeds, 1.762 to 1.769, made by `benchmarks/pixelcnn_depth.py`. **Beat
# 1.766, as a mean of three seeds, with at most ten minutes of training on one processor core.** Everything is allowed except training on the validation or test digits: a wider network, dropout, shifted copies of the data, averaged weights, or another order of the pixels. Choose with the 200 validation digits, `load_digits("val")`, and open the test set once. Two hundred digits are few: retrain the reference, take the difference digit by digit, report it with its standard error, and call less than two standard errors a tie. Hand in your code, a table of at least five attempts with validation bits and
# seconds, the test bits of each seed, twenty samples, and the picture of section 7 for your final network.

# %% [markdown]
# The lesson ends here. Optional:
#
# - *Going further: what the cache saves*, 10 minutes: count, derive, compare.
# - *Going further: a causal convolution*, 10 minutes: the PixelCNN, its blind spot, and a figure to explore.

# %% [markdown]
# ## Going further: what the cache saves
#
# What does the cache of section 10 save? Count the scores $q_i^\top k_j$, the part of the work that grows fastest.
#
# **Your turn 02.7 · the cost without a cache** *(derive, 5 minutes)*. Take a sampler without a cache that is as thrifty as possible: its pass for token $t$ reads only the $t$ positions that exist so far. Each pass computes all pairs of a query and a key among them, hidden pairs
# included, since the mask comes afterwards. How many pairs does one head compute for $n$ tokens in all? The next cell runs these passes, counts and compares.

# %%
def pairs_without_cache(n): ...


course.exercise("02.pairs", pairs_without_cache)
expected_pairs = course.yours("02.pairs")
course.solution("02.pairs")

# %% jupyter={"source_hidden": true}
your_read, computed = read, {"no cache": 0, "cache": 0}


def counting(way):
    def read_and_count(q, k, v, mask):
        computed[way] += q.shape[2] * k.shape[2]
        return your_read(q, k, v, mask)

    return read_and_count


with torch.no_grad():
    cache = [([], []) for _ in transformer.blocks]
    for t in range(1, 65):
        read = counting("no cache")
        transformer(by_transformer[:1, :t])
        read = counting("cache")
        read_one(transformer, torch.zeros(1, 17), t - 1, cache)
read = your_read
computed = {way: pairs // len(transformer.blocks) for way, pairs in computed.items()}
check(
    "pairs for 64 tokens: counted, your formula",
    computed["no cache"], expected_pairs(64),
    unlike={"with a cache": computed["cache"]},
)  # fmt: skip
print(f"the cache saves a factor of {computed['no cache'] / computed['cache']:.0f}")

# %% [markdown]
# Without a cache the pairs grow like $n^3/3$, with one like $n^2/2$: a factor of 43 for our digits, and of 667 for a text of 1,000 tokens. (The clock of section 10 shows a factor of 3 to 5: in so small a network other work takes most of the time.)

# %% [markdown]
# ## Going further: a causal convolution
#
# The transformer must learn which pixels are neighbours. A convolution knows it from the start, and it can be causal, too. A 3 x 3 kernel mixes a pixel with its eight neighbours. In raster order four of them are past, one is the pixel itself, and four are still to come.
# So multiply the kernel by zeros and ones. In the *first* layer the centre is the pixel to be predicted and must be hidden (**type A**). In later layers the centre may be read (**type B**), since what stands there now was computed from earlier pixels. This is the
# **PixelCNN**. It needs no shift, because type A does that work.
#
# One stack of such layers never looks ahead, but it does not see everything before. In its own row a layer looks to the left only. To the right it looks only in the row above, by one pixel, so with each row up the stack gains a single pixel to the right. A triangle stays out of reach: the **blind spot**. It is no leak, only a short memory.
#
# The cure is to split the work between two stacks. A **vertical stack** reads the rows above and nothing of the current row. Since all that it holds came from above, its later layers may read it to the left, to the right and in the middle. A **horizontal stack** reads the current row, to the left only, and in each layer it also receives what the vertical stack has found.
# Not the other way round: the horizontal stack knows pixels of the current row, and the vertical one, which looks to the right, would carry them to the left.
#
# In the figure choose a network, its depth and a pixel. *With one raster stack of seven layers, which earlier pixels does (7, 3) miss? With two stacks of four layers, how many earlier pixels does the last one, (7, 7), read, and how many layers does it take to read all? Which forbidden pixels does a convolution without mask read at
# depth 1?*

# %% tags=["keep-output"]
widgets.receptive_field()

# %% [markdown]
# <details><summary>Answers</summary>
#
# One stack misses a triangle of six pixels at the right: three in row 6, two in row 5 and one in row 4. With two stacks of four layers, 24 of 63: four rows up and four columns to the left, 5 x 5 pixels without itself. Each layer climbs one row and moves one pixel, so seven layers reach the first pixel. Without a mask a prediction reads itself, its right neighbour
# and the three pixels below, wherever they exist.
# </details>
#
# For these digits the view beyond four pixels is worth only 0.006 ± 0.004 bits per pixel, at equal depth (`benchmarks/pixelcnn_depth.py`).

# %% [markdown]
# ## What production systems add
#
# *Positions.* Instead of a learned vector for each position, most language models turn queries and keys by angles that grow with their position, so that a score depends on the distance between them. This is called **rotary position embedding** (RoPE); the lab *language model* derives it in step 5.
# *Sampling* is seldom left to the probabilities as they are. A **temperature** below 1 or a cut of the unlikely tail (**top-p**) makes $\varepsilon$ of section 11 smaller without any training, and pays with diversity; the lab *language model* has both.
# *Tokens* are learned: parts of words for text, codes of a learned quantiser for images, or whole scales, coarse to fine, as in VAR (Tian et al. 2024, arXiv:2404.02905). OpenAI describes the
# image generation of GPT-4o as autoregressive (addendum to the system card, March 2025).
#
# *Caches* shrink. Groups of query heads share keys and values in **grouped-query attention**; both are stored as one short vector in **multi-head latent attention** (DeepSeek-V2, 2024, arXiv:2405.04434); most layers carry a state of fixed size in **linear attention** (Kimi Linear, 2025, arXiv:2510.26692).
#
# *Several tokens at once.* A cheap draft proposes, the large model verifies in one pass (**speculative decoding**, in the frontier notebook on discrete and parallel generation). DeepSeek-V3 (2024, arXiv:2412.19437) also trains **multi-token prediction**.
#
# *Continuous tokens.* MAR (Li et al. 2024, arXiv:2406.11838) needs no quantiser: a small diffusion model draws each token. *Many positions at once.* **Masked diffusion**, as in LLaDA (Nie et al. 2025, arXiv:2502.09992), is the rival that fills in many positions per step. Both, and VAR, still use the chain rule. VAR multiplies over scales and MAR over sets of tokens, and draws the tokens of one scale or set independently. The loss of LLaDA is an average of (2) over random orders (Ou et al. 2024, arXiv:2406.03736).

# %% [markdown]
# ## Sources
#
# Data: Alpaydin and Kaynak 1998 (UCI, Optical Recognition of Handwritten Digits). Chain rule and neural language model: Bengio et al. 2003 (JMLR 3), eq. 1. PixelCNN and masks A and B: van den Oord et al. 2016
# (arXiv:1601.06759), eq. 1 and section 3.4. Blind spot and two stacks: van den Oord et al. 2016 (arXiv:1606.05328), section 2.2. Attention and heads: Vaswani et al. 2017
# (arXiv:1706.03762), eq. 1 and section 3.2.2. Attention grown from a mean by a loop: Karpathy 2023, *Let's build GPT* (lecture). Order without positions: Haviv et al. 2022 (arXiv:2203.16634). RMSNorm: Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4. Pixels as tokens of a transformer: Chen et al. 2020. Exposure bias: Bengio et al. 2015 (arXiv:1506.03099); Ranzato et al. 2016 (arXiv:1511.06732); Huszár 2015 (arXiv:1511.05101); He et al. 2021 (arXiv:1905.10617). Other networks with equation (1): FVSBN, Neal 1992; NADE, Larochelle and Murray 2011; MADE, Germain et al. 2015 (arXiv:1502.03509); WaveNet, van den Oord et al. 2016 (arXiv:1609.03499). Lectures: Stanford CS236, lecture 3; Berkeley CS294-158, lecture 2.
