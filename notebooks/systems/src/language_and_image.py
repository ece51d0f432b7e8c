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
# # System 6 · Language and image: one model writes, its states condition a denoiser
#
# **After this lab you will be able to**
#
# - *derive* why a language model and a denoiser that attends to its states are one joint model, and which part of its likelihood is exact;
# - *build* the loop that writes with a key-value cache and returns the hidden states of that same forward pass;
# - *predict* what cross-attention can know: order, padding, and the attention that each word gets;
# - *measure* the text against a distribution that is known exactly, and the pictures with an independent evaluator;
# - *decide* whether the denoiser's gradient should reach the language model, and show what changes when it does.
#
# About 60 minutes to read, about 45 seconds to run. You need lessons 02 (autoregressive models) and 13 (guidance, few-step samplers);
# the GLIDE-style lab shows an image model with a text encoder of its own.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import copy
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

import genlab_course as course
from genlab_course import widgets
from genlab.autoregressive.decoding import apply_temperature, draw, keep_top_k
from genlab.autoregressive.decoding import cached_cost, naive_cost
from genlab.core import last, likelihood_kind
from genlab_course import check, check_close_mc, check_range
from genlab.data.captions import load_captioned
from genlab.data.language import (
    END, chance, encode, next_word_probs, read_caption,
)
from genlab.zoo import card, find, load_model
from genlab.systems.evaluation import (
    claims_of, drawn_scores, held_out_pictures, read_scores,
)
from genlab.systems.language_and_image import (
    GUIDED_ABOVE, IMAGE, LENGTH, VOCABULARY, LanguageAndImage, context, on_paper,
    only_last, rows_of, words_of,
)
from genlab.systems.text_diffusion import captioned_batch
from genlab.zoo.language_and_image import text_gap, training_captions
from genlab.train import cosine, fit, minibatches

course.begin("language_and_image")
# exact numbers first; networks will be in float32
torch.set_default_dtype(torch.float64)
course.draw_map("language_and_image", slim=True)


def cards(axes, pictures, texts):
    """Pictures with their captions above them, in two lines."""
    for ax, picture, text in zip(axes, pictures, texts, strict=False):
        words = text.split()
        halves = [
            (" ".join(words[:k]), " ".join(words[k:])) for k in range(1, len(words))
        ]
        ax.imshow(((picture + 1) / 2).clamp(0, 1).permute(1, 2, 0))
        ax.set_title("\n".join(min(halves, key=lambda h: max(map(len, h)))), fontsize=8)
        ax.axis("off")


# %% [markdown]
# A chat model that draws is two models with one boundary between them. A language model writes: text, and now and then a special token that
# means *a picture goes here*. A denoiser, the network of a diffusion model as in lesson 13, makes the picture. What crosses the boundary is not the words but the **hidden
# states** of the language model, which the denoiser reads by cross-attention. This lab builds all of it in miniature: `<image>` is the
# token, captions of coloured handwritten digits are the language, and every word can be checked on the picture afterwards.
#
# ## Predict first
#
# 1. "a red seven". To predict what can come next, must the language model still know the colour after "seven"? What does your answer mean for a denoiser that sees only the *last* state?
# 2. We shuffle the states among hundreds of captions, so that every picture is drawn from the states of another caption. In what fraction of them are all claimed words right: none, one in 720 captions, or more?
# 3. Short captions are filled up with zero vectors. Can these change the picture?
# 4. The prompt is "a seven red". No caption begins like that. What will the model write, and what will it draw?

# %% [markdown]
# ## 1. One joint model
#
# **Step 1. The chain rule, once more.** For words $w$ and a picture $x$ the model is $q(w, x) = q(w)\,q(x\mid w)$: write first, then draw. Let the true distribution be $p(w, x)$. The logarithm of a product is a sum, and so is the divergence:
# $$\mathrm{KL}\big(p(w,x)\,\|\,q(w,x)\big) = \mathrm{KL}\big(p(w)\,\|\,q(w)\big) + \mathbb E_{p(w)}\,\mathrm{KL}\big(p(x\mid w)\,\|\,q(x\mid w)\big).$$
# So the two losses simply add, and each part can be perfect without the other. Check by enumeration, with four sentences and five pictures.
#
# **Step 2. Through the states.** The denoiser does not see $w$ but $h(w)$. If $h$ sends two sentences to the same states, the best denoiser can only sample from their mixture. Its loss rises by exactly the information that $h$ has lost:
# $$\min_q\ \mathbb E[-\log q(x\mid h(w))] - \mathbb E[-\log p(x\mid w)] = I(x; w) - I(x; h(w)) \ge 0.$$
#
# **Step 3. The states of another caption.** Shuffle them: the picture belongs to $w$, the states to an independent $w'$. The loss of a perfect denoiser rises by
# $$\mathbb E_{p(x)p(w')}[-\log p(x\mid w')] - \mathbb E_{p(x,w)}[-\log p(x\mid w)] = I(x; w) + \mathbb E_{p(w')}\,\mathrm{KL}\big(p(x)\,\|\,p(x\mid w')\big):$$
# *more* than the information. A wrong caption is worse than none.

# %%
g = torch.Generator().manual_seed(1)
p = torch.rand(4, 5, generator=g) ** 2
p = p / p.sum()  # p(w, x): rows are sentences
q = torch.rand(4, 5, generator=g)
q = q / q.sum()
p_w, p_x, p_x_w = p.sum(1), p.sum(0), p / p.sum(1, keepdim=True)
q_w, q_x_w = q.sum(1), q / q.sum(1, keepdim=True)
parts = (p_w * (p_w / q_w).log()).sum() + (p * (p_x_w / q_x_w).log()).sum()
unweighted = (p_w * (p_w / q_w).log()).sum() + (p_x_w * (p_x_w / q_x_w).log()).sum()
check(
    "KL of the joint = KL of words + KL of pictures", (p * (p / q).log()).sum(), parts,
    atol=1e-12,
    unlike={"not averaged over the words": unweighted},
)


def information(joint):
    outer = joint.sum(1, keepdim=True) * joint.sum(0, keepdim=True)
    return (joint * (joint / outer).log()).sum()


merged = torch.stack([p[0] + p[1], p[2], p[3]])  # h cannot tell sentences 0 and 1 apart
best = merged / merged.sum(1, keepdim=True)  # the best image model given h
loss_h = -(p * best[[0, 0, 1, 2]].log()).sum()
loss_w = -(p * p_x_w.log()).sum()
mixed_evenly = (p_x_w[0] + p_x_w[1]) / 2  # as if both sentences were equally frequent
at_even_odds = torch.stack([mixed_evenly, mixed_evenly, p_x_w[2], p_x_w[3]])
check(
    "price of merged states = information lost", loss_h - loss_w,
    information(p) - information(merged), atol=1e-12,
    unlike={"both sentences weighed alike": -(p * at_even_odds.log()).sum() - loss_w},
)
shuffled = -(p_w[:, None] * p_x * p_x_w.log()).sum()
wrong = (p_w[:, None] * p_x * (p_x / p_x_w).log()).sum()
check(
    "price of shuffled states", shuffled - loss_w, information(p) + wrong, atol=1e-12,
    unlike={"the information alone": information(p)},
)

# %% [markdown]
# **Step 4. Two kinds of likelihood in one sum.** The words have an exact log-probability, the picture has a bound (lesson 12), so their sum is a
# bound on $\log q(w, x)$. In our miniature, an untrained one for now, that is one line of code; the loss that is *minimised* replaces the
# bound by the weighted noise error of lesson 13, which is not in nats, and adds a third term for captioning, called *reading* in the code: $-\log q(w\mid x)$, the same network with the
# picture in front of the words.

# %%
tiny = (
    find("language_and_image")
    .but(d_model=16, n_layer=1, width=8, mults=(1, 1))
    .untrained()
    .eval()
)
with torch.no_grad():
    for weight in tiny.parameters():
        weight += 0.1 * torch.randn(weight.shape, generator=g)
captions = ["a red one", "a thin blue seven leaning left", "a bold cyan two"]
x = 2 * torch.rand(3, 3, 16, 16, generator=g) - 1
rows = rows_of(captions)
with torch.no_grad():
    total = tiny.elbo(
        x, cond=encode(captions), generator=torch.Generator().manual_seed(2)
    )
    words = tiny.lm.log_prob(rows)
    picture = tiny.picture_bound(
        x, tiny.lm.states(rows), generator=torch.Generator().manual_seed(2)
    )
    untold = tiny.picture_bound(x, None, generator=torch.Generator().manual_seed(2))
check(
    "bound of both = words exactly + bound of the picture", total, words + picture,
    unlike={"the picture without its words": words + untold},
)
print("words:", likelihood_kind(tiny.lm), "· words and picture:", likelihood_kind(tiny))
course.show_source(LanguageAndImage.loss)

# %% [markdown]
# ## 2. The distribution of captions is known
#
# Captions follow a small grammar, *a [stroke] colour digit [slant]*. A digit of the training set is drawn, a colour, and whether
# to speak of stroke and slant. There are 720 captions, and each one's probability is a finite sum: so the true distribution, which the language model is trained to match, can be written down. Its entropy is the smallest value that the text loss can reach. Compute it by two routes: over whole captions, and over the conditional
# distributions of the next word, one for each beginning (lesson 02's chain rule for entropies).

# %%
law = training_captions()
entropy = -(law.p * law.p.log()).sum()
beginnings = {}
for caption, weight in zip(law.captions, law.p.tolist(), strict=True):
    for i in range(len(caption.split()) + 1):
        beginning = " ".join(caption.split()[:i])
        beginnings[beginning] = beginnings.get(beginning, 0.0) + weight
by_words = sum(
    -weight * sum(v * math.log(v) for v in next_word_probs(law, beginning).values())
    for beginning, weight in beginnings.items()
)
print(f"{len(law.captions)} captions, {len(beginnings)} beginnings")
evenly = sum(
    -sum(v * math.log(v) for v in next_word_probs(law, beginning).values())
    for beginning in beginnings
)
check(
    "entropy of captions: whole = word by word, nats", entropy, by_words, atol=1e-9,
    unlike={"beginnings not weighed": evenly},
)
grey, attributes = load_captioned("painter", 16)
columns = torch.stack(attributes, 1)
g = torch.Generator().manual_seed(3)
drawn = torch.cat(
    [
        captioned_batch((grey, columns), g, p_stroke=0.75, p_slant=0.75)[1]
        for _ in range(4)
    ]
)
six = sum(
    w for c, w in zip(law.captions, law.p.tolist(), strict=True) if len(c.split()) == 6
)
check_close_mc(
    "fraction of captions with six words: drawn, enumerated",
    (drawn[:, 5] != 0).double(), six,
    unlike={
        "fraction of the 720": sum(len(c.split()) == 6 for c in law.captions)
        / len(law.captions)
    },
)

# %% [markdown]
# **Live training.** Train a fresh language model on captions alone. It starts at $\log 30$ nats a token, as an untrained one must, and falls towards the floor that you
# have just computed. The divergence from the true distribution is not estimated: all 720 captions are scored.

# %%
torch.set_default_dtype(torch.float32)


class TextOnly(torch.nn.Module):
    """The language model with the loss of its words alone."""

    def __init__(self):
        super().__init__()
        self.lm = find("language_and_image").but(seed=11).untrained().lm

    def loss(self, rows, *, generator=None):
        return -self.lm.log_prob(rows_of(rows)).mean()


live = TextOnly()
start = live.loss(drawn[:500]).item()
run = fit(
    live, minibatches(drawn, 64, generator=torch.Generator().manual_seed(4)),
    n_steps=250, lr=cosine(4e-3, 250, warmup=25), clip=1.0,
)  # fmt: skip
records = widgets.watch(run, total=250, label="-log p(words), nats")
text_lm = live.lm.eval().requires_grad_(False)

# %%
# the image token is one of them
n_tokens = (rows_of(law.captions) != 0).sum(1).double()
fresh_gap = text_gap(TextOnly().lm.eval(), law)[0]
check_range(
    "loss at the start, nats a token (log 30 = 3.40)", start / (law.p @ n_tokens), 3.2,
    3.7,
    unlike={"the floor": entropy / (law.p @ n_tokens)},
)
live_gap = text_gap(text_lm, law)[0]
check_range(
    "KL(true || live), nats a caption", live_gap, 0.0, 0.2, digits=3,
    unlike={"untrained": fresh_gap},
)
model = load_model("language_and_image")
lm, facts = model.lm, card("language_and_image")["metrics"]
kl, off_grammar = text_gap(lm, law)
check_range(
    "KL(true || shipped), nats a caption", kl, 0.0, 0.04, digits=3,
    unlike={"live, 250 steps": live_gap},
)
check_range(
    "probability that the shipped model leaves the grammar", off_grammar, 0.0, 0.02,
    digits=4,
    unlike={"untrained": text_gap(TextOnly().lm.eval(), law)[1]},
)

# %%
errors, panels = [], []
for prompt in ("a", "a thin red", "a thin red seven"):
    exact = next_word_probs(law, prompt)
    names = list(exact)
    with torch.no_grad():
        after = lm.head(
            lm.read(
                torch.cat(
                    [
                        torch.tensor([[lm.begin]]),
                        encode([prompt])[:, : len(prompt.split())],
                    ],
                    1,
                )
            )[0]
        )
    p_next = after[0, -1].softmax(-1)
    mine = [p_next[IMAGE if w == END else VOCABULARY.index(w)].item() for w in names]
    panels.append((prompt, names, list(exact.values()), mine))
    worst = max(abs(a - b) for a, b in zip(mine, exact.values(), strict=True))
    errors.append([worst, max(abs(1 / len(exact) - v) for v in exact.values())])
worst, evenly = (max(column) for column in zip(*errors, strict=True))
check_range(
    "largest error of a probability", worst, 0.0, 0.08, digits=3,
    unlike={"all words alike": evenly},
)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(9.4, 3.4), width_ratios=(1.2, 2, 1.2))
for ax, (prompt, names, bars, dots) in zip(axes, panels, strict=True):
    ax.bar(range(len(names)), bars, color="#BBBBBB", label="true distribution")
    ax.plot(
        range(len(names)), dots, "o", color="#0072B2", linestyle="", label="the model"
    )
    ax.set_xticks(range(len(names)), [w or "<image>" for w in names], rotation=60)
    ax.set(title=f"“{prompt} …”", ylim=(0, None))
axes[0].set_ylabel("probability of the next word")
lines, names = axes[1].get_legend_handles_labels()
figure.legend(lines, names, loc="outside lower center", ncols=2)
course.show(
    figure,
    "Probabilities of the next word after 'a', 'a thin red' and 'a thin red seven': "
    "the model's dots stand near the tops of the true distribution's bars, for colours and strokes, "
    "for the ten digits, and for leaning, upright or the image token.",
)

# %% [markdown]
# ## 3. Writing, and keeping the states
#
# **Step 5. A state exists once its token has been read.** Let $h_i$ be the state after token $i$ went through the network. The token $i+1$ is drawn
# from $h_i$; so when `<image>` is *drawn*, the last state in memory is still that of the word before. One more forward pass is needed, and the loop must not stop before it. With a key-value cache every token is read exactly once, and the states that the denoiser needs come at no extra cost. Write the
# loop yourself, for one text, and compare it with `genlab`'s on the same random numbers.

# %%
torch.set_default_dtype(torch.float64)
exact_lm = copy.deepcopy(lm).double()


def my_writer(lm, prompt, uniforms):
    """One text: tokens and states, until the image token has been read."""
    unread, cache, tokens, states = (
        torch.cat([torch.tensor([[lm.begin]]), prompt], 1), (), prompt, [],
    )
    for u in uniforms:
        h, cache = lm.read(unread, cache)
        states.append(h)
        if tokens.shape[1] and tokens[0, -1] == IMAGE:
            break
        unread = draw(lm.head(h[:, -1]), u[None])[:, None]
        tokens = torch.cat([tokens, unread], 1)
    # the begin token's state is not handed on
    return tokens, torch.cat(states, 1)[:, 1:]


# %%
prompt = encode(["a thin red"])[:, :3]
uniforms = torch.rand(5, generator=torch.Generator().manual_seed(5))
mine, my_states = my_writer(exact_lm, prompt, uniforms)
theirs = last(
    exact_lm.write(["a thin red"], generator=torch.Generator().manual_seed(5))
)
print("written:", words_of(mine)[0])
check(
    "my tokens = genlab's", mine, theirs.tokens,
    unlike={"without the last pass": mine[:, :-1]},
)
one_pass = exact_lm.states(theirs.tokens)
predicting = exact_lm.read(torch.cat([torch.tensor([[lm.begin]]), theirs.tokens], 1))[
    0
][:, :-1]
late = {"the states that predicted the tokens": predicting}
check("my states = genlab's", my_states, theirs.states, atol=1e-12, unlike=late)
check(
    "states of writing = states of one pass over the text", theirs.states, one_pass,
    atol=1e-12,
    unlike=late,
)
config, n = lm.net.config, mine.shape[1] - 3
without, with_cache = (
    f(config, len(VOCABULARY), 4, n) for f in (naive_cost, cached_cost)
)
print(
    f"multiplications for {n} new tokens: {sum(without):,} without the cache, "
    f"{sum(with_cache):,} with it"
)

# %% [markdown]
# ## 4. What cross-attention can know
#
# Inside the denoiser, at its lowest resolution, every position $i$ of the picture attends to the states: $w_{ij}\propto\exp(q_i^\top k_j/\sqrt d)$ with $k_j = W_k h_j$, and takes
# $\sum_j w_{ij} W_v h_j$.
#
# **Step 6. It cannot know the order.** A sum over $j$ does not change when the states are permuted. That a word stood *third* can be known only if
# its state says so; the language model's states do, for they were made by rotary positions and a causal mask. Shuffle the *states* of one caption, and the picture is the
# same; shuffle the *words* before they are read, and it is not.
#
# **Step 7. Zero states take attention, too.** $W_k$ and $W_v$ have no bias, so a zero state has score 0 and value 0. With $n_0$ of them the words keep the fraction
# $$\frac{Z_i}{Z_i + n_0}, \qquad Z_i = \sum_{j\in\text{words}} e^{q_i^\top k_j/\sqrt d},$$
# of what they would have alone. The denoiser was trained with seven positions, so `context` always fills up to seven, whatever the other
# captions of the batch need.
#
# Cross-attention is the only way in: no vector of the whole caption is added to the time's embedding. One training row in ten shows the denoiser only the state of the image token, the others zero. Section 6 measures what each set of states carries alone.

# %%
denoiser = copy.deepcopy(model.painter).double()
layer = denoiser.net.attention.read_text
states = exact_lm.states(rows_of(["a thin red seven leaning right"]))
places = torch.randn(
    1, 9, layer.w_q.in_features, generator=torch.Generator().manual_seed(6)
)
order = torch.tensor([6, 2, 0, 5, 1, 4, 3])
other = exact_lm.states(rows_of(["a red thin seven leaning right"]))
check(
    "states in another order: the same answer", layer(places, states[:, order]),
    layer(places, states), atol=1e-12,
    unlike={"words in another order": layer(places, other)},
)

n_head, d = layer.n_head, layer.w_q.out_features // layer.n_head
q, k = (
    m(a).reshape(-1, n_head, d)
    for m, a in ((layer.w_q, places[0]), (layer.w_k, states[0]))
)
Z = (torch.einsum("ihd,jhd->ijh", q, k) / math.sqrt(d)).exp().sum(1)  # places by heads
# before the last map
alone = torch.linalg.solve(layer.w_o.weight, layer(places, states)[0].T).T
for n_zero in (1, 13):
    diluted = layer.w_o((Z / (Z + n_zero)).repeat_interleave(d, 1) * alone)
    found = layer(places, F.pad(states, (0, 0, 0, n_zero)))[0]
    check(
        f"{n_zero} zero states: closed form = attention", diluted, found, atol=1e-9,
        unlike={"zeros that do nothing": layer(places, states)[0]},
    )


# %% [markdown]
# **Step 8. Which gradient does the language model get?** The denoiser's loss $\ell$ depends on the language model's parameters $\theta$ through the states and in no other way:
# $$\nabla_\theta\big(-\log q(w) + \lambda\,\ell\big) = -\nabla_\theta\log q(w) + \lambda\sum_j\Big(\frac{\partial h_j}{\partial\theta}\Big)^{\!\top}\frac{\partial\ell}{\partial h_j}.$$
# Cut the second term (`detach`) and the language model gets no gradient from the pictures: its text cannot get worse, and its states hold what text needs.
# Keep it, and the states learn to hold what the denoiser needs. We keep it; section 6 shows the difference. First check the identity on the tiny model: the joint gradient minus the frozen one, against the gradients of the denoiser's loss, propagated back by hand.

# %%
def gradient(joint):
    tiny.joint = joint
    tiny.zero_grad()
    tiny.loss(
        x, cond=encode(captions), generator=torch.Generator().manual_seed(7)
    ).backward()
    return torch.cat([w.grad.flatten() for w in tiny.lm.parameters()])


torch.manual_seed(0)
through = gradient(joint=True) - gradient(joint=False)
states = tiny.lm.states(rows)
leaf = states.detach().requires_grad_(True)
told, g = context(leaf), torch.Generator().manual_seed(7)
tiny.painter.loss(x, cond=told, generator=g).backward()
tiny.zero_grad()
(tiny.weight * states * leaf.grad).sum().backward()
by_hand = torch.cat(
    [
        (torch.zeros_like(w) if w.grad is None else w.grad).flatten()
        for w in tiny.lm.parameters()
    ]
)
tiny.zero_grad()
(tiny.lm.states(rows) * leaf.grad).sum().backward()
unweighted = torch.cat(
    [
        (torch.zeros_like(w) if w.grad is None else w.grad).flatten()
        for w in tiny.lm.parameters()
    ]
)
check(
    "joint - frozen = the denoiser's slopes, carried back", through, by_hand, atol=1e-9,
    unlike={"lambda forgotten": unweighted},
)

# %% [markdown]
# **How the shipped model was trained.** Its denoiser starts from the pretrained one of the GLIDE-style lab, without its text encoder; the language model starts from random weights. So the denoiser knows what digits look like, and has to learn what the states *mean*. Two details decided how fast, measured after 300 steps on the digits of 150 captions of its own (with an earlier version,
# whose denoiser was also given the sum of the states):
#
# - *The weight $\lambda$ of the picture's loss.* Adam divides every gradient by its own size, so only the ratio of the two terms of step 8 counts. With $\lambda = 5$ the text's gradient drowns the denoiser's: 28 % of the digits were right; with $\lambda = 20$, 48 %; with $\lambda = 80$, 88 %, while the text lags behind (0.26 nats from the true distribution, not 0.16). We take $\lambda = 60$.
# - *Embeddings of variance one.* Every block adds to the state what helps to predict the next word, and that is the same after "three" and after "seven". A large embedding keeps the word itself visible in the state:
#   with the usual $0.02$, at $\lambda = 5$, 49 % of the slants were right, with $1$, 73 %.
#
# ## 5. From end to end
#
# Give the model nothing but the begin token. It writes a caption, emits `<image>`, and generates the picture from the states of that same forward pass, in ten steps of DPM-Solver++, with
# guidance $w = 3$ at high noise and none at low noise, where it would only add contrast, hence ink, and make thin strokes bold. Pixels under 5 % of full colour are set to the background, since the residue of three channels adds up to a tenth of a digit's ink. The evaluator of the digits is a support vector machine that shares nothing with the denoiser; colour, stroke and slant
# are measured as on real pictures. On 1,000 real held-out pictures of this size evaluator and measurements agree with every word in 974 cases: that is the ceiling.
#
# Now question 2. If every picture is drawn *well* but from another caption's states, its words are right as often as two independent draws agree:
# a sum over the captions drawn and the 540 combinations of attributes, without any simulation.

# %%
torch.set_default_dtype(torch.float32)
N, W, STEPS = 240, 3.0, 10
g = torch.Generator().manual_seed(8)
result = model.complete([""] * N, guidance_scale=W, n_steps=STEPS, generator=g)
texts, rows, states = result.captions, result.written.tokens, result.written.states
kept = drawn_scores(texts, (result.images + 1) / 2)
print(
    f"right, {N} captions of its own:", *(f"{kind} ~{kept[kind]:.2f}" for kind in kept)
)


def scored(conditions, n=N, w=W, seed=9):
    """Score of pictures drawn from other states, for the first n captions."""
    images = model.draw(
        conditions[:n], guidance_scale=w, n_steps=STEPS,
        generator=torch.Generator().manual_seed(seed),
    )
    return drawn_scores(texts[:n], (images + 1) / 2), images


at_random = chance(law, [text for text in texts if claims_of(text)])
elsewhere, _ = scored(states[torch.randperm(N, generator=g)])
for kind, low in (("digit", 0.93), ("colour", 0.98), ("all", 0.8)):
    check_range(
        f"{kind} right, {N} captions of its own", kept[kind], low, 1.0, digits=2,
        unlike={"states shuffled": elsewhere[kind]},
    )
for kind, low, high in (("digit", 0.03, 0.2), ("all", 0.0, 0.025)):
    check_range(
        f"{kind}, states shuffled (by chance, exactly: {at_random[kind]:.4f})",
        elsewhere[kind], low, high, digits=2,
        unlike={"its own states": kept[kind]},
    )
check_range(
    "all words, model card, 600 captions", facts["kept_all"], 0.8, 1.0, digits=2,
    unlike={"states shuffled": facts["kept_all_shuffled"]},
)

# %% jupyter={"source_hidden": true}
prompts = ("a thin red", "a bold", "a cyan seven")
figure, axes = plt.subplots(3, 8, figsize=(9.4, 4.9))
for row, beginning in zip(axes, prompts, strict=True):
    some = model.complete(
        [beginning] * 8, guidance_scale=W, n_steps=STEPS,
        generator=torch.Generator().manual_seed(10),
    )
    cards(row, some.images, some.captions)
course.show(
    figure,
    "Three prompts completed eight times each, every caption above its picture: 'a "
    "thin red' becomes thin red digits of several kinds, 'a bold' bold digits of "
    "several colours, 'a cyan seven' eight cyan sevens, upright or leaning as their "
    "words say.",
)

# %% [markdown]
# Each row completes one prompt eight times: what the prompt fixes is the same in all eight, the rest is drawn, first by the language model (which
# digit, which slant), then by the denoiser (which handwriting). Now try it yourself. Type a beginning, press Enter, and watch the tokens come; then type one that breaks the
# grammar, and look at the heights of the grey bars.

# %% tags=["keep-output"]
widgets.write_and_draw(model)

# %% [markdown]
# **Guidance** does here what it does everywhere: pictures keep more of their words, up to a point, and vary less.

# %%
scales = (1.0, 3.0, 6.0)
scores = [scored(states, n=120, w=w)[0] for w in scales]
check_range(
    "all words at w = 1", scores[0]["all"], 0.4, 0.72, digits=2,
    unlike={"w = 3": scores[1]["all"]},
)
check_range(
    "all words at w = 3", scores[1]["all"], 0.75, 1.0, digits=2,
    unlike={"w = 1": scores[0]["all"]},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(6.4, 3))
for kind, colour in (
    ("digit", "#0072B2"), ("stroke", "#E69F00"), ("slant", "#009E73"),
    ("all", "#222222"),
):
    ax.plot(scales, [s[kind] for s in scores], "o-", color=colour, label=kind)
ax.set(xlabel="guidance scale w", ylabel="fraction of words kept", ylim=(0.2, 1.02))
ax.set_title("guidance keeps more words")
figure.legend(loc="outside right upper")
course.show(
    figure,
    "Fractions of words kept at guidance scales 1, 3 and 6. All words together rise "
    "from 0.58 to 0.83 and 0.88; digit, stroke and slant, each alone, lie above and "
    "rise from about 0.8 to above 0.9.",
)

# %% [markdown]
# ## 6. What is in the last state
#
# Question 1. After "a red seven" the colour has no influence on what can follow: no word depends on it. A language model that was trained on text alone has no reason to keep it prominent later on. Two measurements of the image token's state, over all 720 captions, for the live model (text alone) and for the shipped
# one (the denoiser's gradient runs through its states): how well a linear map *reads* each kind of word, fitted on half of the captions and tested on the others; and how *large* that kind of word is in the state, measured by the fraction of the state's variance that lies between the means of its words,
# $$\sum_k p_k\lVert\bar h_k - \bar h\rVert^2\Big/\ \mathbb E\lVert h - \bar h\rVert^2.$$

# %%
claims = [read_caption(c) for c in law.captions]
everyone = rows_of(law.captions)
half = torch.randperm(720, generator=torch.Generator().manual_seed(11)) < 360


def read_linearly(h, target):
    """Accuracy of a linear map, on the captions that it was not fitted on."""
    fitted, new = half & (target >= 0), ~half & (target >= 0)
    design = torch.cat([h, torch.ones(len(h), 1)], 1).double()
    wanted = F.one_hot(target.clamp(min=0)).double()
    ridge = (
        design[fitted].T @ design[fitted] + 1e-2 * torch.eye(design.shape[1]).double()
    )
    solved = torch.linalg.solve(ridge, design[fitted].T @ wanted[fitted])
    return ((design[new] @ solved).argmax(1) == target[new]).double().mean().item()


def fraction_of_variance(h, target):
    """Variance between the means of the words, in that of all captions that say one."""
    h, target = h[target >= 0].double(), target[target >= 0]
    means = torch.stack([h[target == k].mean(0) for k in target])
    return ((means - h.mean(0)) ** 2).sum().item() / ((h - h.mean(0)) ** 2).sum().item()


kinds = ("colour", "digit", "stroke", "slant")
targets = [
    torch.tensor([-1 if getattr(c, k) is None else getattr(c, k) for c in claims])
    for k in kinds
]

# %%
found = {}
for name, lm_of in (("text alone", text_lm), ("with the denoiser", lm)):
    with torch.no_grad():
        end = lm_of.states(everyone)[everyone == IMAGE]
    for f in (read_linearly, fraction_of_variance):
        found[name, f.__name__] = [f(end, t) for t in targets]
before, after = (
    found[name, "fraction_of_variance"][0]
    for name in ("text alone", "with the denoiser")
)
check_range(
    "colour's fraction of the last state's variance, text alone", before, 0.0, 0.08,
    digits=2,
    unlike={"with the denoiser": after},
)
check_range(
    "... with the denoiser", after, 0.3, 0.9, digits=1, unlike={"text alone": before}
)
read_alone, read_joint = (
    found[name, "read_linearly"][0] for name in ("text alone", "with the denoiser")
)
check_range(
    "colour read, text alone", read_alone, 0.3, 0.97, digits=1,
    unlike={"with the denoiser": read_joint},
)
check_range(
    "colour read, with the denoiser", read_joint, 0.975, 1.0, digits=2,
    unlike={"text alone": read_alone},
)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.3))
for i, (name, colour) in enumerate(
    (("text alone", "#BBBBBB"), ("with the denoiser", "#0072B2"))
):
    for ax, f in zip(axes, ("read_linearly", "fraction_of_variance"), strict=True):
        ax.bar(
            torch.arange(4) + 0.4 * i, found[name, f], 0.38, color=colour, label=name
        )
        ax.set_xticks(torch.arange(4) + 0.2, kinds)
axes[0].set(ylabel="read rightly by a linear map", ylim=(0, 1.05))
axes[0].set_title("every word can be read in both")
axes[1].set(ylabel="fraction of the state's variance")
axes[1].set_title("the denoiser's gradient makes the colour large")
lines, names = axes[0].get_legend_handles_labels()
figure.legend(lines, names, loc="outside lower center", ncols=2)
course.show(
    figure,
    "Bars for colour, digit, stroke and slant in the image token's state, text alone "
    "against trained with the denoiser. Left: a linear map reads all four in 0.85 or "
    "more of captions. Right: with the denoiser colour holds two thirds of the "
    "variance; with text alone it holds a few percent, and slant nearly half.",
)

# %% [markdown]
# Text alone leaves the colour in the state as a residue, some percent of its variance, that a linear map still finds in most captions; nothing was trained to remove it, and nothing to
# keep it. The denoiser's gradient makes it large: more than half of what varies in the image token's state is now the colour, which the language model itself has no use for.
#
# The denoiser in turn can be shown less: the image token's state alone (one row in ten of its training was of that kind), the states of the words without it (training never showed that), or
# the states of the next caption. If the states are the only path, the pictures of the last row must follow the caption that was read, and match the other one no better than chance.

# %%
following = [*texts[1:], texts[0]]
shown = {
    "all states": states,
    "the image token's state only": only_last(states, rows),
    "the words' states only": states - only_last(states, rows),
    "the next caption's states": states.roll(-1, 0),
}
ways, images = {}, {}
print(f"{'':<30}" + "".join(f"{kind:>9}" for kind in kept))
for name, told in shown.items():
    ways[name], images[name] = scored(told)
    print(f"{name:<30}" + "".join(f"{f'~{ways[name][kind]:.2f}':>9}" for kind in kept))

# %%
right = {name: score["all"] for name, score in ways.items()}
follows = drawn_scores(following, (images["the next caption's states"] + 1) / 2)["all"]
only = ways["the image token's state only"]
check_range(
    "the image token's state only: colour", only["colour"], 0.95, 1.0, digits=2,
    unlike={"digit": only["digit"]},
)
check_range(
    "... all words", only["all"], 0.06, 0.3, digits=2,
    unlike={
        "the words' states only": right["the words' states only"],
        "the next caption's": right["the next caption's states"],
    },
)
check_range(
    "the next caption's states: pictures follow them, less than their own",
    right["all states"] - follows, -0.1, 0.1, digits=2,
    unlike={
        "the caption that was asked for": right["all states"]
        - right["the next caption's states"]
    },
)
on_card = {
    key: facts[key] for key in ("kept_all", "kept_all_last_state", "kept_all_shuffled")
}
print(
    "all words, model card, 600 captions:",
    *(f"{key} ~{value:.2f}" for key, value in on_card.items()),
)


# %% [markdown]
# Pictures follow the states that are read, whatever caption was meant: cross-attention carries all of it. The image token's state comes after the whole caption, but gives this denoiser the colour and little else. Digit, stroke and slant
# are read from the states of their own words, and no term of the loss rewards the language model for storing them twice. Without the image token's state most pictures stay right, although training never showed that.

# %% [markdown]
# ## 7. What a caption says, in nats, and what it costs to share one network
#
# The third term of the loss trains the same network to caption pictures (*read*): begin, `<image>`, the picture as sixteen vectors (three convolutions make them, one
# for each square of $4\times4$ pixels), words, `<end>`. That is the other factorisation of a joint distribution, $q(x)\,q(w\mid x)$, of which it knows the second half: exactly, in nats.
#
# **Step 9. How much does a caption say about its picture?** Words are functions of the picture but for one freedom: whether they were said. So
# $I(w; x) = H(w) - H(w\mid x)$, and $H(w\mid x)$ is the entropy of two coins, of which the first is only tossed where the stroke has a word
# (two thirds of the pictures). Route one is that formula. Route two enumerates $H(w, a) - H(a)$ over captions and attributes. Then two figures from networks. The captioning direction gives $H(w) - \mathbb E[-\log q(w\mid x)]$, which cannot exceed the truth on average. The denoiser gives a difference of two *bounds*, with and without the caption. Is that an estimate, too?

# %%
def coin(p):
    return -p * math.log(p) - (1 - p) * math.log(1 - p)


p_middle = law.attributes.sum((0, 1, 3))[1].item()
freedom = coin(0.75) * (1 - p_middle) + coin(0.75)
joint_terms = 0.0  # -E log p(w, a), term by term
for attribute in law.attributes.nonzero():
    weight = law.attributes[tuple(attribute)].item()
    # no word: nothing to decide
    strokes = (1.0,) if attribute[2] == 1 else (0.75, 0.25)
    for a in strokes:
        for b in (0.75, 0.25):
            joint_terms -= weight * a * b * math.log(weight * a * b)
H_a = -(law.attributes * law.attributes.clamp(min=1e-300).log()).sum().item()
check(
    "H(w | picture): two coins = H(w, a) - H(a)", freedom, joint_terms - H_a, atol=1e-9,
    unlike={"the first coin always tossed": coin(0.75) + coin(0.75)},
)
exact_information = entropy.item() - freedom
print(f"nats that a caption carries, exactly: {exact_information:.3f}")

# %%
pictures, truths = held_out_pictures()
pictures = 2 * pictures - 1
g = torch.Generator().manual_seed(12)
test_grey, test_attributes = load_captioned("test", 16)
test_batch = test_grey[:400], torch.stack(test_attributes, 1)[:400]
numbers = captioned_batch(test_batch, g, p_stroke=0.75, p_slant=0.75)
with torch.no_grad():
    ended = rows_of(numbers[1], stop=VOCABULARY.index("<end>"))
    by_captions, by_others = (
        entropy.item() + lm.log_prob_given(x, ended)
        for x in (numbers[0], numbers[0].roll(1, 0))
    )
check_range(
    "by captioning, held-out, nats", by_captions.mean(), 0.5, exact_information,
    digits=1,
    unlike={"pictures of other captions": by_others.mean()},
)

# %%
few, own = numbers[0][:32], lm.states(rows_of(numbers[1][:32]))
bounds = {
    name: model.picture_bound(
        few, told, n_levels=40, generator=torch.Generator().manual_seed(13)
    )
    for name, told in (
        ("own", own), ("no caption", None), ("another's", own.roll(1, 0)),
    )
}
claimed = {
    name: (bounds["own"] - bounds[name]).mean().item()
    for name in ("no caption", "another's")
}
check_range(
    "by the denoiser: with caption - without", claimed["no caption"], 7.0, 40.0,
    digits=0,
    unlike={"the truth": exact_information},
)
check_range(
    "with caption - with another's", claimed["another's"], 150.0, 1500.0, digits=0,
    unlike={"without a caption": claimed["no caption"]},
)
print(
    "bits per channel of a pixel, at most: "
    f"~{-bounds['own'].mean() / (768 * math.log(2)):.1f}"
)

# %% [markdown]
# The captioning direction stays below the truth, as it must. It stays far below, at little more than the $\log 6 = 1.8$ nats of the colour. The denoiser's difference is twice what a caption can say. This is no contradiction: each bound is loose by its own amount, the unconditional one by more (one row in ten trained it), and 768 channels add up. *A difference of two bounds is not an estimate of anything*; that is why every likelihood of this course is labelled with its kind. What remains valid is the order: the right caption, no caption, a wrong caption. The last is far behind, as step 3 says: a wrong caption is worse than none.
#
# **The price of $\lambda$.** Why is the captioning so poor? Ask the model for descriptions of a thousand held-out digits, drawn greedily.

# %%
greedy = lm.describe(pictures, reshape=lambda logits: keep_top_k(logits, 1))
said = read_scores(words_of(greedy), truths)
check_range(
    "colour read rightly, of 1,000", said["colour"], 0.75, 0.95, digits=2,
    unlike={"digit": said["digit"]},
)
check_range(
    "digit read rightly, of 1,000", said["digit"], 0.05, 0.35, digits=2,
    unlike={"colour": said["colour"]},
)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 8, figsize=(9.4, 1.7))
cards(axes, pictures, [text.removesuffix(" <end>") for text in words_of(greedy)])
course.show(
    figure,
    "Eight held-out digits under the model's descriptions: all eight colours are "
    "named rightly, five digits of eight wrongly: a yellow four is called a seven, a "
    "green two a zero.",
)


# %% [markdown]
# It reads most colours and guesses the digits. This is no bug: an earlier version of this network, trained from random weights for 4,500 steps with $\lambda = 5$, read 92 % of the digits and 85 % of whole
# descriptions rightly, and *drew* only 61 % of its captions with every word right (quoted). Three losses share one set of weights, and their ratio decides which of them wins. The shipped model draws well what it writes, and it captions pictures poorly. Production models use a separate, trained image encoder for that, and far more steps.

# %% [markdown]
# ## 8. It fails
#
# **Failure 1: shuffled states.** Measured in section 5: all words fall to chance, since the states are the denoiser's *only* condition.
#
# **Failure 2: the image token never comes.** The denoiser is called only when `<image>` is drawn, and a high temperature can make that token rare. An untrained model gives all 30 tokens the same probability, so within
# seven draws it hits `<image>` with probability $1 - (29/30)^7$; raising the temperature of a trained model, $\tau\to\infty$, leads to the same number.

# %%
def fraction_that_ends(lm, temperature, n=600, seed=14):
    steps = lm.write(
        [""] * n, reshape=lambda logits: apply_temperature(logits, temperature),
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    return last(steps).stopped.double()


limit = 1 - (29 / 30) ** 7
fresh = TextOnly().lm.eval()
fresh.net.head.weight.data.zero_()  # all logits equal
untrained = [fraction_that_ends(fresh, 1.0, 4000, seed) for seed in range(5)]
check_close_mc(
    "untrained: fraction of texts with an image token", torch.cat(untrained), limit,
    unlike={"seven times one in 30": 7 / (len(VOCABULARY) + 0.0)},
)
temperatures = (0.3, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 100.0)
shares = [fraction_that_ends(lm, t).mean().item() for t in temperatures]
check_range(
    "temperature 1: fraction that gets drawn", shares[1], 0.97, 1.0, digits=2,
    unlike={"at 3": shares[4]},
)
check_range(
    "temperature 100", shares[-1], 0.14, 0.29, digits=2,
    unlike={"temperature 2": shares[3]},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(6.4, 3))
ax.semilogx(temperatures, shares, "o-", color="#0072B2", label="shipped model")
ax.axhline(limit, color="#D55E00", ls=":", label=r"$1-(29/30)^7$")
ax.set(xlabel="temperature", ylabel="fraction of texts that get drawn", ylim=(0, 1.05))
ax.set_title("hot texts seldom ask for a picture")
figure.legend(loc="outside lower center", ncols=2)
course.show(
    figure,
    "Fraction of texts with an image token against the temperature: nearly 1 up to "
    "1.5, then falling through 0.65 at 3 towards the dotted limit of 0.21, nearly "
    "reached at 100.",
)


# %% [markdown]
# **Failure 3: padding that is seen.** Here are two mistakes. Which one costs more? *More zeros* than in training (a batch padded to its longest text): step 7 says that the words
# lose weight. *Raw states* at the padding, in place of zeros: the language model has states there, of padding tokens that it was never trained to read.

# %%
def padded(n_positions):
    images = model.painter.draw(
        context(states[:100], n_positions), guidance_scale=W,
        interval=(GUIDED_ABOVE, math.inf), n_steps=STEPS,
        generator=torch.Generator().manual_seed(15),
    )
    return drawn_scores(texts[:100], (on_paper(images) + 1) / 2)["all"]


with torch.no_grad():
    raw = lm.read(F.pad(rows, (1, 0), value=lm.begin))[0][:, 1:]
exposed, _ = scored(raw, n=100, seed=15)
lengths = (7, 14, 28, 112)
by_length = [padded(n) for n in lengths]
check_range(
    "7 positions, as in training", by_length[0], 0.8, 1.0, digits=2,
    unlike={"112 positions": by_length[-1]},
)
check_range(
    "lost with 112 positions", by_length[0] - by_length[-1], 0.07, 0.4, digits=2,
    unlike={"with raw states of padding": by_length[0] - exposed["all"]},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(6.4, 3))
ax.semilogx(lengths, by_length, "o-", color="#0072B2", label="zero states")
ax.plot([7], [exposed["all"]], "s", color="#D55E00", label="raw states of padding")
ax.set(
    xlabel="positions that the denoiser sees", ylabel="fraction, all words right",
    ylim=(0, 1.05), title="many zeros cost a little, raw states nothing",
)
ax.set_xticks(lengths, lengths)
ax.minorticks_off()
figure.legend(loc="outside lower center", ncols=2)
course.show(
    figure,
    "Fraction of pictures with all words right: 0.83 with seven positions, falling "
    "slowly to 0.66 with 112 positions of zeros; raw states of padding, at seven "
    "positions, lie on the first point.",
)


# %% [markdown]
# The zeros cost one picture in six when there are sixteen times as many as in training. The raw states cost nothing that a hundred pictures could show: this denoiser attends to states that look like words, and these do not.

# %% [markdown]
# **Failure 4: one position off.** Pass on the state that *predicted* each token in place of the one that has *read* it: `h[:, :-1]` where `h[:, 1:]` belongs. All shapes fit, and every word has still been read by some state; only the image token has not. Before you look: which words does the denoiser miss?

# %%
def lagging(lag, n=160):
    with torch.no_grad():
        h = lm.read(F.pad(rows[:n], (1, 0), value=lm.begin))[0]
    told = F.pad(h, (0, 0, lag - 1, 0))[:, :LENGTH] if lag else h[:, 1:]
    return scored(told * (states[:n] != 0).any(-1, keepdim=True), n=n)[0]


behind = {lag: lagging(lag) for lag in (0, 1, 2)}
print(
    f"{'':<16}" + "".join(f"{kind:>9}" for kind in ("colour", "digit", "slant", "all"))
)
for lag, score in behind.items():
    print(
        f"states {lag} behind "
        + "".join(
            f"{f'~{score[kind]:.2f}':>9}"
            for kind in ("colour", "digit", "slant", "all")
        )
    )
check_range(
    "one behind: colour", behind[1]["colour"], 0.95, 1.0, digits=2,
    unlike={"digit": behind[1]["digit"]},
)
check_range(
    "one behind: digit", behind[1]["digit"], 0.65, 0.95, digits=2,
    unlike={"in step": behind[0]["digit"]},
)
check_range(
    "two behind: digit", behind[2]["digit"], 0.45, 0.85, digits=2,
    unlike={"one behind": behind[1]["digit"]},
)
check_range(
    "two behind: slant", behind[2]["slant"], 0.2, 0.65, digits=2,
    unlike={"one behind": behind[1]["slant"]},
)

# %% [markdown]
# The colour is not affected: the denoiser's gradient has written it into the states of all later words. One behind, some digits are lost; two behind, the slant goes as well. One position off still looks
# like a working system with a mediocre denoiser, so this mistake is hard to notice. A check of the states against one pass over the text, as in section 3, finds it in a second.

# %% [markdown]
# **Failure 5: a prompt against the grammar.** The model has never seen "a seven red". It cannot refuse. But its log-probability of the prompt is exact, and shows that something is wrong: every grammatical caption of that length is far likelier. Then it writes on, and the denoiser draws some compromise. The third prompt leaves no room for the image token when the model adds two more words: then the picture stays black. (Question 4.)

# %%
least_likely = -lm.log_prob(rows_of(law.captions)).min().item()
bad = ("a seven red", "a red blue two", "a thin bold red one", "a red seven three")
pairs = []
for prompt in bad:
    given = encode([prompt])[:, : len(prompt.split())]
    with torch.no_grad():
        surprise = -lm.states_and_log_probs(given)[1].sum().item()
    two = model.complete(
        [prompt] * 2, guidance_scale=W, n_steps=STEPS,
        generator=torch.Generator().manual_seed(16),
    )
    pairs.append(two)
    check_range(
        f"surprise at “{prompt}”, nats", surprise, 11.0, 40.0, digits=0,
        unlike={"at the least likely of 720 captions": least_likely},
    )

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 8, figsize=(9.4, 1.7))
for i, two in enumerate(pairs):
    cards(axes[2 * i : 2 * i + 2], two.images, two.captions)
course.show(
    figure,
    "What ungrammatical prompts become: 'a seven red' a red two and a red four, 'a "
    "red blue two' two blue twos, 'a thin bold red one' two black squares, 'a red "
    "seven three' a red seven and a red shape between a seven and a three.",
)

# %% [markdown]
# ## Exercises
#
# Replace `...` and run the cell. If your answer is wrong, the checker names the likely mistake; `course.hint("language_and_image.share")` gives three
# hints, one at a time. Solutions stand in `notebooks/solutions/`.
#
# **language_and_image.chance** (compute). Ten digits and six colours, all equally likely and always said; three slants, equally likely, said three
# times in four. A perfect denoiser gets shuffled states. How often are all the words right?

# %%
chance_of_all = ...
course.exercise("language_and_image.chance", chance_of_all)


# %% [markdown]
# **language_and_image.joint** (derive). `log_p` holds the log-probability of each token at its turn, `mine` is 1 for the tokens of the text and 0 for padding, `bound` holds the
# bounds of the pictures. Return the bound on $\log q(w, x)$ of each row.

# %%
def log_joint(log_p, mine, bound): ...


course.exercise("language_and_image.joint", log_joint)


# %% [markdown]
# **language_and_image.share** (derive). `scores` holds $q^\top k_j/\sqrt d$ of the words. Return the part of the attention that falls on the words when `n_zero` zero states are concatenated with them.

# %%
def share(scores, n_zero): ...


course.exercise("language_and_image.share", share)


# %% [markdown]
# **language_and_image.used** (build). Rows of tokens, each text up to its first `stop`, that one included. Return True where a token belongs to its text.

# %%
def used(tokens, stop): ...


course.exercise("language_and_image.used", used)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz("language_and_image")

# %% [markdown]
# ## Summary
#
# 1. $q(w, x) = q(w)\,q(x\mid h(w))$: words and picture are one model, their divergences add, and so do their losses.
# 2. The words' part is exact, the picture's a bound: the sum is a bound. The trained loss is neither, since its picture part has no unit.
# 3. The denoiser is given states, not words; what the states have lost, no denoiser can recover: $I(x; w) - I(x; h)$ nats. The states are read by cross-attention, and that is the only way in.
# 4. Here the distribution of captions is a finite sum, so the language model is evaluated by enumeration: two hundredths of a nat from the truth.
# 5. With a cache each token is read once, and the states come for free; the image token must be read once more after it was drawn.
# 6. Cross-attention does not know order, the states do. Zero states take part of the softmax's weight: keep their number fixed.
# 7. The denoiser's gradient through the states makes large what training on text alone leaves as a residue, such as the colour.
# 8. End to end, nine captions in ten come out right in every word; with shuffled states a few in a thousand, which chance allows and a sum predicts.
# 9. A caption carries 5.5 nats about its picture. No difference of two bounds says so, and the ratio of the losses decides which of its tasks the language model does well.
# 10. Only the image token starts the denoiser: at a high temperature, most prompts are never drawn.
#
# **Back to your predictions.** 1: no, and a last state trained on text alone hardly shows it. 2: six in a thousand, four times 1 in 720: captions leave words out. 3: yes, zero vectors take attention from the words. 4: it writes on, and its log-probability shows, in nats, that the prompt is wrong.
#
# | its row on the map | objective | sampler | evaluations | $\log p$ | pays with |
# |---|---|---|---|---|---|
# | language and image | cross-entropy of words + noise error of the picture | words one by one until `<image>`, then denoise | one a token, then one (guided: two) a step | exact for words, a bound for both | two samplers in a row; states that serve two tasks |
#
# **What production systems add.** *Scale* on both sides, and often a language model that was trained first and is kept frozen, with a few learned picture tokens and a small mapping from its
# states to what the denoiser expects. *Many pictures in one document*, each picture read back in before the next words. *Encoders* trained on picture-text pairs in place of our three convolutions. *One transformer for
# both*: either the picture becomes discrete tokens that the language model predicts like words, or the denoiser shares its weights. *Editing*: the picture to be changed is read, and its states condition the denoiser together with the words. *Instruction tuning*, and refusals, which no likelihood provides.
#
# ## Sources
#
# - A language model's states as condition of an image model: Koh, Fried and Salakhutdinov 2023 (arXiv:2305.17216), section 3; Sun et al. 2023 (arXiv:2307.05222); Pan et al. 2023 (arXiv:2310.02992);
#   gradients into the language model: Dong et al. 2023 (arXiv:2309.11499), section 3.
# - One transformer for both: Zhou et al. 2024 (arXiv:2408.11039), section 3; picture tokens: Chameleon team 2024 (arXiv:2405.09818).
# - Cross-attention as the condition of a denoiser: Rombach et al. 2022 (arXiv:2112.10752), section 3.3; attention: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1.
# - Pictures as a sequence: Dosovitskiy et al. 2020 (arXiv:2010.11929), eq. 1; convolutions first: Xiao et al. 2021 (arXiv:2106.14881). Guidance: Ho and Salimans 2022 (arXiv:2207.12598). Sampler: Lu et al. 2022 (arXiv:2211.01095), algorithm 2. Scales of the denoiser: Karras et al. 2022 (arXiv:2206.00364), table 1.
# - Information and its loss: Cover and Thomas 2006, section 2.8 (data processing); Palomar and Verdu 2008, eq. 2 (the term of step 3).
