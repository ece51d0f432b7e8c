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
# # System 1 · A language model: tokens, a transformer, a cache
#
# **After this lab you will be able to**
#
# - *build* byte pair encoding, and *convert* nats per token into bits per byte, the only unit in which tokenizers can be compared;
# - *rebuild* the block of Llama (RMSNorm, rotary positions, grouped queries, SwiGLU) from its weights, and *load* weights in the formats of Llama and GPT-2;
# - *train* it, and say what the optimiser does to a gradient;
# - *decode* with a cache, count what a token costs, and choose temperature, top-k and top-p;
# - *measure* the model against zlib, bz2 and xz, and *recognise* five ways in which it goes wrong.
#
# About 60 minutes to read, about 40 seconds to run. You need lesson 02 (chain rule, attention, the cache); lesson 03 helps.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import bz2
import lzma
import math
import time
import zlib
from collections import Counter
from functools import partial
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch.utils.flop_counter import FlopCounterMode

import genlab_course as course
from genlab_course import widgets
from genlab.autoregressive import likelihood, decoding
from genlab.autoregressive.tokens import BPE, train_bpe, words
from genlab.autoregressive.tokens import NGram
from genlab.autoregressive.tokens import windowed_log_probs
from genlab.core import last
from genlab_course import check, check_range
from genlab_course.figures import BLUE, RED, show
from genlab.data.text import load_text, load_topics, unique_paragraphs
from genlab.nn.attention import attention, causal_mask, join_heads, split_heads
from genlab.nn.layers import rope_angles, rotate
from genlab.nn.pretrained import EXAMPLES, load_pretrained
from genlab.nn.transformer import rms_norm
from genlab.zoo import card, find, load_model
from genlab.systems.language_model import SpelledWindows
from genlab.train import cosine, fit
from genlab.train.muon import Muon, orthogonalize

course.begin("language_model")
# exact numbers first; the shipped model is in float32
torch.set_default_dtype(torch.float64)
train_text, test_text = load_text("train"), load_text("test")
test_bytes = test_text.encode()
course.draw_map("language_model", slim=True)


# %% [markdown]
# A language model is one equation, $p(x_{1:n}) = \prod_i p(x_i\mid x_{<i})$, and a great deal of care about everything around it: what a
# *token* $x_i$ is, which network computes the conditional, what it costs to draw from it, and how to tell whether the result is any good. Lesson 02
# had the equation, pixels and some seconds of training. Here is the real mechanism in miniature: a
# million and a half weights, trained for some ten minutes on one core, on Python's reference manual (that of 3.11.7, which is shipped).
#
# ## Predict first
#
# 1. xz may read the whole training text before it compresses a page of the same manual. Our network has read it too, and keeps 3 MB of weights. Who
#    needs fewer bits for the page?
# 2. You double the vocabulary. Does the loss per token rise or fall? And the bits per byte?
# 3. With a cache, what does token 448 cost, in units of token 64? And without?
# 4. You always take the likeliest token. What does the text look like after a hundred?

# %% [markdown]
# ## 1. Tokens: from bytes to subwords
#
# **Step 1. Merge the most frequent pair.** Bytes can spell any text, but a text of bytes is long, and length is what attention pays for. **Byte pair
# encoding** (BPE) starts with the 256 bytes, finds the pair of neighbours that occurs most often, gives it the number 256, replaces it
# everywhere from left to right, and repeats. The list of merges *is* the tokenizer. Wikipedia's example, `aaabdaaabac`, must become
# `XdXac` with Z = aa, Y = ab, X = ZY. Count everything again at each turn; `genlab` only recounts the words that changed.

# %%
def my_merge(tokens, pair, new):
    out, i = [], 0
    while i < len(tokens):
        found = tuple(tokens[i : i + 2]) == pair
        out.append(new if found else tokens[i])
        i += 2 if found else 1
    return out


def my_bpe(text, n_merges):
    tokens, merges = list(text.encode()), []
    for new in range(256, 256 + n_merges):
        counts = Counter(pairwise(tokens))
        # ties: the smallest pair
        best = max(counts, key=lambda p: (counts[p], -p[0], -p[1]))
        merges.append(best)
        tokens = my_merge(tokens, best, new)
    return merges, tokens


merges, tokens = my_bpe("aaabdaaabac", 3)
print("".join({256: "Z", 257: "Y", 258: "X"}.get(t, chr(t)) for t in tokens))
check(
    "my merges = genlab's", merges, train_bpe("aaabdaaabac", 259),
    unlike={
        "counts not renewed": [
            pair for pair, _ in Counter(pairwise(b"aaabdaaabac")).most_common(3)
        ]
    },
)
check(
    "my tokens = genlab's", tokens, BPE(merges).encode("aaabdaaabac"),
    unlike={"the first merge alone": my_merge(list(b"aaabdaaabac"), merges[0], 256)},
)

# %% [markdown]
# **Step 2. The real text.** First the text is cut into words, because a merge across words ("of the") would waste the vocabulary on phrases; a
# space belongs to the word *behind* it. Then 768 merges, learned on the training part alone: they are fitted to data like any weight. (Learned on the
# held-out text they would flatter every number below.) The shipped tokenizer learned from the same text, so it
# should have the tokens that your merges give.

# %%
merges = train_bpe(train_text, 1024)
tokenizer = BPE(merges)
model = load_model("language_model", dtype=torch.float32)
shared = len(set(tokenizer.pieces) & set(model.tokenizer.pieces)) / 1024
print(
    "fraction of its tokens that the shipped tokenizer shares with yours: "
    f"{shared:.3f}"
)
print(words("    if x_1 == 'don''t':"))
longest = sorted(tokenizer.pieces, key=len)[-12:]
print("the longest token:", longest[-1])
held_tokens = tokenizer.encode(test_text)
there_and_back = tokenizer.decode(held_tokens).encode() == test_bytes
check(
    "held-out text, encoded and decoded: the same", there_and_back, True,
    unlike={"one token lost": tokenizer.decode(held_tokens[1:]).encode() == test_bytes},
)
ratios = {
    k: len(test_bytes) / len(BPE(merges[: k - 256]).encode(test_text))
    for k in (256, 512, 1024)
}
check(
    "bytes per token, no merges", ratios[256], 1.0, unlike={"256 merges": ratios[512]}
)
check_range(
    "bytes per token, 1,024 tokens", ratios[1024], 2.5, 3.2, digits=2,
    unlike={"512 tokens": ratios[512]},
)


# %% [markdown]
# **Step 3. Bits per byte.** An ideal coder spends $-\log_2 p$ bits on what has probability $p$. Over a whole text of $n$ tokens and $B$ bytes,
# $$\text{bits per byte} = \frac{1}{B\,\log 2}\sum_{i=1}^n -\log p(x_i\mid x_{<i})
# = \frac{\text{nats per token}}{\log 2}\cdot\frac{n}{B}.$$
# The number of tokens cancels: only the text's probability and its length in bytes are left. Nats per token and perplexity depend on how the
# text was cut. Look at the simplest model, each token by its frequency, with three vocabularies. (Question 2.)

# %%
def frequency_nats(tokenizer):
    """Held-out nats per token of the order-0 model, counts plus one."""
    seen, held = tokenizer.encode(train_text), tokenizer.encode(test_text)
    p = (torch.bincount(seen, minlength=tokenizer.n_tokens) + 1.0) / (
        len(seen) + tokenizer.n_tokens
    )
    return -p.log()[held].mean().item(), len(held)


per_token, bits, by_genlab = [], [], []
for k in (256, 512, 1024):
    nats, n = frequency_nats(BPE(merges[: k - 256]))
    per_token.append(nats)
    bits.append(nats / math.log(2) * n / len(test_bytes))
    by_genlab.append(likelihood.bits_per_byte(torch.tensor(-nats * n), len(test_bytes)))
check(
    "bits per byte, by hand and by genlab", bits, torch.stack(by_genlab),
    unlike={"bits per token": [nats / math.log(2) for nats in per_token]},
)
print(
    "nats per token:", *(f"~{nats:.2f}" for nats in per_token), "  bits per byte:",
    *(f"~{b:.2f}" for b in bits),
)
check_range(
    "nats per token: 1,024 tokens minus 256", per_token[2] - per_token[0], 2.2, 3.2,
    digits=2,
    unlike={"in bits per byte": bits[2] - bits[0]},
)
check_range(
    "bits per byte: 256 tokens minus 1,024", bits[0] - bits[2], 1.2, 2.2, digits=2,
    unlike={"in nats per token": per_token[0] - per_token[2]},
)

# %% [markdown]
# The loss per token *rises* with the vocabulary while the model gets *better*: longer tokens are harder to guess, and there are fewer of them. Merging
# alone has taken an order-0 counter from almost 5 bits per byte to little more than 3.

# %% [markdown]
# ## 2. The block, rebuilt from its weights
#
# Four parts of the block are not in the transformer of 2017. Each is one line, and each line has a property that can be checked.
#
# **Step 4. RMSNorm** divides a vector by its root mean square: $y = g \odot x / \sqrt{\tfrac1d\sum_j x_j^2}$. Its output does not change when $x$ is made longer,
# so the gradient has no component along $x$. LayerNorm, which GPT-2 uses, takes the mean away first, and is RMSNorm of the centred vector.
#
# **Step 5. Rotary positions** (rotary position embedding, RoPE). Read a pair of features as a complex number. A query at position $m$ is multiplied by $e^{im\omega}$, a key at $n$ by $e^{in\omega}$.
# Their inner product is $\mathrm{Re}(q\,\bar k\,e^{i(m-n)\omega})$: only the distance is left. No table, nothing to learn, and a shift of both changes nothing.
#
# **Step 6. Grouped queries** (grouped-query attention, GQA). Six query heads read two key-value heads, three to one. The values of attention are those of ordinary attention whose keys and values were written
# out three times; the cache is a third.
#
# **Step 7. SwiGLU** is an MLP with a gate, $W_2(\mathrm{SiLU}(W_1x)\odot W_3x)$: three matrices, so at equal weights its hidden layer is two thirds as wide.

# %%
g = torch.Generator().manual_seed(1)
x, one = torch.randn(5, 8, generator=g), torch.ones(8)
layer_norm = F.layer_norm(x, (8,), eps=0.0)
check(
    "RMSNorm: 3x gives what x gives", rms_norm(3 * x, one, 0.0), rms_norm(x, one, 0.0),
    atol=1e-12,
    unlike={
        "divided once by the sum of squares": 3
        * x / (3 * x).square().sum(1, keepdim=True)
    },
)
x.requires_grad_()
(slope,) = torch.autograd.grad((rms_norm(x, one, 0.0) * torch.arange(8.0)).sum(), x)
(through_sum,) = torch.autograd.grad(
    (x / x.detach().square().mean(1, keepdim=True).sqrt() * torch.arange(8.0)).sum(), x
)
check("RMSNorm: gradient along x", (slope * x).sum(1).detach(), 0.0, atol=1e-12,
      unlike={"the divisor held fixed": (through_sum * x).sum(1).detach()})  # fmt: skip
x = x.detach()
centred = rms_norm(x - x.mean(1, keepdim=True), one, 0.0)
check("LayerNorm = RMSNorm of the centred vector", centred, layer_norm, atol=1e-12,
      unlike={"not centred": rms_norm(x, one, 0.0)})  # fmt: skip

# %%
q, k = torch.randn(2, 6, generator=g)
omega = torch.tensor([10_000.0 ** (-j / 3) for j in range(3)])


def complex_score(m, n):
    q_c, k_c = torch.complex(q[:3], q[3:]), torch.complex(k[:3], k[3:])
    return (q_c * k_c.conj() * torch.polar(torch.ones(3), (m - n) * omega)).real.sum()


def interleaved(m, n):  # neighbours as pairs: the other convention
    q_c, k_c = torch.complex(q[::2], q[1::2]), torch.complex(k[::2], k[1::2])
    return (q_c * k_c.conj() * torch.polar(torch.ones(3), (m - n) * omega)).real.sum()


def rotary_score(m, n):
    angles = rope_angles(torch.tensor([m, n]), 6, q)
    return rotate(q[None], angles[:1])[0] @ rotate(k[None], angles[1:])[0]


wrong = {
    "neighbours as pairs": interleaved(7, 3),
    "distance the other way": complex_score(3, 7),
}
check(
    "rotary score (7, 3), by complex numbers", rotary_score(7, 3), complex_score(7, 3),
    atol=1e-12,
    unlike=wrong,
)
check(
    "the same, 100 positions further", rotary_score(107, 103), complex_score(7, 3),
    atol=1e-12,
    unlike={"the key left behind": rotary_score(107, 3)},
)

# %%
q, k, v = (torch.randn(1, h, 5, 4, generator=g) for h in (6, 2, 2))
full = [
    F.scaled_dot_product_attention(
        q[:, [h]], k[:, [h // 3]], v[:, [h // 3]], is_causal=True
    )
    for h in range(6)
]
in_turn = [
    F.scaled_dot_product_attention(
        q[:, [h]], k[:, [h % 2]], v[:, [h % 2]], is_causal=True
    )
    for h in range(6)
]
check(
    "grouped = six ordinary heads", attention(q, k, v, causal_mask(5, 5)),
    torch.cat(full, 1), atol=1e-12,
    unlike={"heads 0, 1, 0, 1, ...": torch.cat(in_turn, 1)},
)

# %% [markdown]
# Now all of it. The function below reads the shipped weights by name and knows nothing of `genlab`'s classes except the two helpers that cut vectors
# into heads. If it gives the same logits, you know every multiplication of the model. The head is the embedding again (*tied*): a logit is the inner
# product of the stream with a token's vector.

# %%
config, net = model.lm.net.config, model.lm.net
weights = {name: w.double() for name, w in net.state_dict().items()}


def my_logits(tokens, scaled=True):
    h = weights["embedding.weight"][tokens]
    t, head = len(tokens), config.d_model // config.n_head
    turn = rope_angles(torch.arange(t), head, h)
    hidden = torch.ones(t, t, dtype=torch.bool).triu(1)  # the future
    for layer in range(config.n_layer):
        W = {
            n[14:]: w for n, w in weights.items()
            if n.startswith(f"body.blocks.{layer}.")
        }
        x = F.rms_norm(h, (config.d_model,), W["norm_1.weight"], config.norm_eps)
        q = rotate(
            split_heads((x @ W["attention.w_q.weight"].T)[None], config.n_head), turn
        )
        k = rotate(
            split_heads((x @ W["attention.w_k.weight"].T)[None], config.n_kv_head), turn
        )
        v = split_heads((x @ W["attention.w_v.weight"].T)[None], config.n_kv_head)
        k, v = (
            a.repeat_interleave(config.n_head // config.n_kv_head, 1) for a in (k, v)
        )
        scores = (q @ k.mT / (math.sqrt(head) if scaled else 1)).masked_fill(
            hidden, -torch.inf
        )
        h = h + join_heads(scores.softmax(-1) @ v)[0] @ W["attention.w_o.weight"].T
        x = F.rms_norm(h, (config.d_model,), W["norm_2.weight"], config.norm_eps)
        gate = F.silu(x @ W["mlp.w_1.weight"].T)
        h = h + (gate * (x @ W["mlp.w_3.weight"].T)) @ W["mlp.w_2.weight"].T
    h = F.rms_norm(h, (config.d_model,), weights["body.norm.weight"], config.norm_eps)
    return h @ weights["embedding.weight"].T


# %%
some = model.tokenizer.encode("The return value of the function is an integer.")
with torch.no_grad():
    theirs = net.double()(some[None])[0]
net.float()
check("my logits = genlab's", my_logits(some), theirs, atol=1e-9,
      unlike={"scores not scaled": my_logits(some, scaled=False)})  # fmt: skip
d, d_kv, d_h, L = (
    config.d_model, config.d_model // config.n_head * config.n_kv_head, config.d_hidden,
    config.n_layer,
)
by_hand = 1025 * d + L * (2 * d * d + 2 * d * d_kv + 3 * d * d_h + 2 * d) + d
untied = 2 * 1025 * d + L * (2 * d * d + 2 * d * d_kv + 3 * d * d_h + 2 * d) + d
check(
    "weights, counted by hand", by_hand, sum(p.numel() for p in net.parameters()),
    unlike={"head not tied": untied},
)

# %% [markdown]
# **Step 8. The same class reads foreign weights.** Llama's layout is this one under other names. GPT-2 differs in four places: learned positions, LayerNorm, a
# GELU MLP of two matrices, and biases; its files also store every matrix of a block transposed, with queries, keys and values side by side. `load_pretrained`
# renames, transposes and cuts, and refuses by name what the class cannot do. The folders below were written by `transformers`, two tiny random models
# of its own classes with the logits that *it* computes; with that library installed, the tests repeat the comparison on models built on the spot.

# %%
torch.set_default_dtype(torch.float32)
for name in ("gpt2", "llama"):
    stored = load_file(EXAMPLES / name / "logits.safetensors")
    foreign = load_pretrained(EXAMPLES / name)
    with torch.no_grad():
        whole = foreign(stored["tokens"])
        first, cache = foreign.extend(stored["tokens"][:, :9])
        rest, _ = foreign.extend(stored["tokens"][:, 9:], cache)
        forgotten, _ = foreign.extend(stored["tokens"][:, 9:])
        mixed = foreign(stored["tokens"].roll(1, 1))
    check(
        f"{name}: our logits = transformers'", whole, stored["logits"], atol=1e-4,
        unlike={"one token off": mixed},
    )
    check(
        f"{name}: the same through our cache", torch.cat([first, rest], 1),
        stored["logits"], atol=1e-4,
        unlike={"an empty cache": torch.cat([first, forgotten], 1)},
    )

# %% [markdown]
# ## 3. Learning
#
# The loss is next-token cross-entropy, as in lesson 02: nothing new. What is new is how to get far in ten minutes.
#
# **Step 9. Spell the text anew at every reading.** 116,000 tokens are little, and a network that reads them twenty times learns them by heart. *BPE dropout* overlooks each merge with
# probability 0.1 while spelling, so ` return` is sometimes ` ret` + `urn`: the same text, never the same rows. Windows also begin elsewhere each time, and are short (128 tokens) for most of the training.
#
# **Step 10. Which way is down?** A gradient $G$ of a matrix says how the loss changes with the step $X$: by $\langle G, X\rangle$. Under a bound on what the step does to *any* vector, $\lVert X\rVert_2\le 1$, the
# best is found with the singular value decomposition $G = U S V^\top$:
# $$\max_{\lVert X\rVert_2\le1}\langle G, X\rangle = \sum_i s_i, \qquad\text{reached by } X = UV^\top .$$
# Every direction that the gradient has moves by the same amount, the rare ones too. The optimiser **Muon** takes that step, after averaging gradients over time, and finds $UV^\top$ by five steps of a polynomial $a s + b s^3 + c s^5$ that acts on
# every singular value at once and drives it towards 1. Coarsely: between 0.7 and 1.2, which is good enough.

# %%
torch.set_default_dtype(torch.float64)
G = torch.randn(6, 9, generator=torch.Generator().manual_seed(2))
U, s, Vt = torch.linalg.svd(G, full_matrices=False)
check("<G, UV'> = sum of singular values", (G * (U @ Vt)).sum(), s.sum(), atol=1e-9,
      unlike={"root of the sum of squares": G.norm()})  # fmt: skip
X = torch.randn(200, 6, 9, generator=torch.Generator().manual_seed(3))
bounded = X / torch.linalg.matrix_norm(X, 2)[:, None, None]
check_range(
    "best of 200 random steps of norm 1, over that",
    (G * bounded).sum((1, 2)).max() / s.sum(), 0.0, 1.0,
    unlike={"steps of any norm": (G * X).sum((1, 2)).max() / s.sum()},
)
pushed = s / s.norm()
for _ in range(5):
    pushed = 3.4445 * pushed - 4.7750 * pushed**3 + 2.0315 * pushed**5
check(
    "five steps = a polynomial of each s_i", orthogonalize(G),
    U @ torch.diag(pushed) @ Vt, atol=1e-5,
    unlike={"exactly 1": U @ Vt},
)
course.show_source(orthogonalize)

# %% [markdown]
# Live: two small blocks on windows of 64 tokens, 100 steps, each time from the same start with the same batches. AdamW as in every lesson, then Muon for the matrices. An untrained model
# spreads its bets, so both start at $\log 1025 = 6.93$ nats. A rate that suits Muon may not suit AdamW, so AdamW is also given half the rate and twice the rate.

# %%
torch.set_default_dtype(torch.float32)
small = find("language_model").but(
    context=64, d_model=96, n_layer=2, n_head=4, n_kv_head=2, d_hidden=192
)


def live(optimizer_of, rate=6e-3):
    """Train from the same start; return the model and the records of its steps."""
    torch.manual_seed(1)
    learner = small.untrained().train()
    learner.merges.copy_(torch.tensor(merges))
    batches = SpelledWindows(
        train_text, tokenizer, 64, 16, 0.1, torch.Generator().manual_seed(1)
    )
    run = fit(
        learner, batches, n_steps=100, lr=cosine(rate, 100, warmup=20), clip=1.0,
        optimizer=optimizer_of(learner),
    )
    records = widgets.watch(run, total=100, label="nats per token")
    return learner.eval(), records


def adamw(learner):
    return torch.optim.AdamW(learner.parameters(), weight_decay=0.1)


def muon(learner):
    inner = [p for p in learner.lm.net.body.parameters() if p.ndim == 2]
    return Muon(
        inner, [p for p in learner.parameters() if all(p is not m for m in inner)],
        weight_decay=0.1,
    )


by_rate = {rate: live(adamw, rate)[1] for rate in (3e-3, 6e-3, 12e-3)}
adam = by_rate[6e-3]
_, records = live(muon)

# %%
adam_end, muon_end = (np.mean([r.loss for r in rs[-20:]]) for rs in (adam, records))
check_range(
    "first loss: log 1025 = 6.93", records[0].loss, 6.7, 7.2, digits=2,
    unlike={"the last twenty": muon_end},
)
check_range(
    "AdamW after 100 steps, nats per token", adam_end, 5.2, 6.0, digits=2,
    unlike={"Muon": muon_end},
)
check_range(
    "Muon after 100 steps, nats per token", muon_end, 4.2, 5.2, digits=2,
    unlike={"AdamW": adam_end},
)
best = min(np.mean([r.loss for r in rs[-20:]]) for rs in by_rate.values())
check_range(
    "AdamW at the best of three rates, behind Muon by", best - muon_end, 0.4, 1.4,
    digits=2,
    unlike={"AdamW against itself": adam_end - best},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3))
for rs, name in ((adam, "AdamW"), (records, "Muon")):
    ax.plot([r.step for r in rs], [r.loss for r in rs], linewidth=1.2, label=name)
ax.axhline(
    math.log(1025), color="#999999", linewidth=1, linestyle=":", label="uniform"
)
ax.set(xlabel="step (1,024 tokens each)", ylabel="loss (nats per token)")
ax.set_title("same batches: Muon learns faster")
figure.legend(loc="outside right upper")
show(
    figure,
    "Loss against steps for AdamW and Muon: both start at the uniform guess, 6.93 "
    "nats a token; after 100 steps AdamW is near 5.8 and Muon near 5.0.",
)

# %% [markdown]
# The shipped weights are the same recipe, larger and longer: `genlab train language_model`.
#
# ## 4. The cache: what a token costs
#
# **Step 11. Same tokens, less work.** Keys and values of the past never change (lesson 02), so the cached loop must draw the *same tokens* as the loop that reads everything again,
# given the same random numbers. Here on the real model. Then count: one forward pass over $n$ new positions with $m$ in the cache costs
# $$C(n, m) = L\,n\,(2d^2 + 2d\,d_{kv} + 3d\,d_h) + n\,d\,V + 2L\,d\,n\,(m+n)$$
# multiplications. The first terms do not know where the token stands; only the last one grows, by $2Ld$ a position.

# %%
prompt = torch.cat([model.lm.begin(1), model.prompt("If the object")], dim=1)
settings = {"n_new": 100, "reshape": partial(decoding.reshape_logits, temperature=0.8)}
seeded = (torch.Generator().manual_seed(5) for _ in range(2))
naive = last(
    decoding.generate_naive(
        model.lm.next_logits, prompt, generator=next(seeded), **settings
    )
)
cached = last(
    decoding.generate_cached(
        model.lm.extend, prompt, generator=next(seeded), **settings
    )
)
other = last(
    decoding.generate_cached(
        model.lm.extend, prompt, generator=torch.Generator().manual_seed(6), **settings
    )
)
check(
    "cached = naive, 100 tokens", cached, naive, unlike={"other random numbers": other}
)
_, cache = net.extend(naive[:, :-1])
check(
    "numbers in the cache of the text so far",
    sum(kv.k.numel() + kv.v.numel() for kv in cache),
    decoding.cache_numbers(config, naive.shape[1] - 1),
    unlike={
        "as many key-value heads as query heads": 2
        * L * config.d_model * (naive.shape[1] - 1)
    },
)

# %%
for block in net.body.blocks:
    block.attention.fused = False  # PyTorch's counter knows plain products only
with FlopCounterMode(display=False) as counter, torch.no_grad():
    net.extend(naive[:, -1:], cache)
check(
    "multiplications of one more token", counter.get_total_flops() // 2,
    decoding.multiplications(config, 1025, 1, naive.shape[1] - 1),
    unlike={"without a cache": decoding.multiplications(config, 1025, naive.shape[1])},
)
for block in net.body.blocks:
    block.attention.fused = True

# %%
positions = np.arange(1, 513)
with_cache = np.array(
    [decoding.multiplications(config, 1025, 1, int(n) - 1) for n in positions]
)
without = np.array([decoding.multiplications(config, 1025, int(n)) for n in positions])
ratio = with_cache[447] / with_cache[63]
d, pair = config.d_model, 2 * L * config.d_model
once = L * (2 * d * d + 2 * d * d_kv + 3 * d * d_h) + d * 1025
again = without[447] / without[63]
check(
    "token 448 in units of token 64, cached", ratio,
    (once + 448 * pair) / (once + 64 * pair), atol=1e-12,
    unlike={"without a cache": again},
)
check_range("without a cache", again, 7.0, 12.0, digits=2, unlike={"with it": ratio})


@torch.no_grad()
def milliseconds(places, repeats=40):
    """Median processor time of one more token at each position, cached; in turns."""
    tokens = torch.randint(
        1024, (1, max(places)), generator=torch.Generator().manual_seed(0)
    )
    caches = [net.extend(tokens[:, : n - 1])[1] for n in places]
    times = np.empty((repeats, len(places)))
    for r in range(repeats):
        for k, cache in enumerate(caches):
            start = time.process_time()
            net.extend(tokens[:, -1:], cache)
            times[r, k] = time.process_time() - start
    return 1000 * np.median(times, axis=0)


near, far = milliseconds((64, 448))
print(
    f"measured here: ~{near:.1f} ms at position 64, ~{far:.1f} ms at 448, ratio "
    f"~{far / near:.2f}"
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 2.8))
ax.semilogy(positions, without, label="reads the text again")
ax.semilogy(positions, with_cache, label="with the cache")
ax.set(xlabel="position of the token", ylabel="multiplications")
ax.set_title("with the cache, a late token costs hardly more")
figure.legend(loc="outside right upper")
show(
    figure,
    "Multiplications for one more token, on a logarithmic axis, against its position. "
    "Reading the text again, they rise from 1.5 million to a billion at position 512; "
    "with the cache they stay near two million.",
)

# %% [markdown]
# The cached curve is nearly flat: at this size the matrices are most of the work, and the clock, which also pays for starting each product, is flatter still (`python benchmarks/decoding.py` measures
# it with care). Without a cache token 448 costs nine times token 64. (Question 3.) The price is memory: $2Ld_{kv}$ numbers a position.
#
# ## 5. What it has learned
#
# **Bits per byte on held-out text**, beside the compressors that everybody has, alone and with the training text in front: `f(train + test) - f(train)`. zlib looks back 32 kB; bz2 sorts 900 kB; xz
# remembers everything. An order-5 counter, which looks up how often each byte followed the last five, stands for statistics without a network. Our figure is $-\log_2 p$ of the whole text: windows of 512 tokens that overlap, every token
# scored once, beyond the first window with at least half a window before it.

# %%
train_bytes = train_text.encode()
compressors = {
    "zlib": partial(zlib.compress, level=9),
    "bz2": partial(bz2.compress, compresslevel=9),
    "xz": partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME),
}
table = {}
for name, f in compressors.items():
    table[f"{name} alone"] = 8 * len(f(test_bytes)) / len(test_bytes)
    table[f"{name}, given the training text"] = (
        8 * (len(f(train_bytes + test_bytes)) - len(f(train_bytes))) / len(test_bytes)
    )
book, page = (torch.tensor(list(text)) for text in (train_bytes, test_bytes))
counter5 = -NGram(book, 256, 5).token_log_probs(page).sum() / math.log(2) / len(page)
table["order-5 counter"] = float(counter5)
ours = model.bits_per_byte(test_text, stride=256)
table["this model"] = ours

for name, value in table.items():
    print(f"{name:<31} ~{value:.2f} bits per byte")
for name, low, high in (("zlib", 2.5, 3.0), ("bz2", 1.5, 2.0), ("xz", 1.7, 2.2)):
    check_range(
        f"{name}, given the training text", table[f"{name}, given the training text"],
        low, high, digits=2,
        unlike={"alone": table[f"{name} alone"]},
    )
check_range(
    "this model, bits per byte", ours, 1.2, 1.76, digits=2,
    unlike={
        "order-5 counter": table["order-5 counter"],
        "xz, given the training text": table["xz, given the training text"],
    },
)
stated = card("language_model")["metrics"]["bits_per_byte"]
print(f"its card says, with a stride of 128: ~{stated:.2f}")

# %%
held = model.tokenizer.encode(test_text)
lengths, ends = [24, 32, 64, 128, 256, 512], range(512, len(held), 128)
# the same tokens for every window
targets = torch.stack([held[end - 16 : end] for end in ends])
n_bytes = sum(len(model.tokenizer.pieces[t]) for t in targets.flatten().tolist())
by_context = []
for c in lengths:
    rows = torch.stack([held[end - c : end - 1] for end in ends])
    with torch.no_grad():
        rows = torch.cat([model.lm.begin(len(rows)), rows], 1).split(8)
        h = torch.cat([net.hidden(part)[:, -16:] for part in rows])
        nats = -likelihood.token_log_probs(net.head(h)[..., :1024], targets).sum()
    by_context.append(nats.item() / math.log(2) / n_bytes)
best = min(by_context)
check_range(
    "512 tokens: bits per byte above the best window", by_context[-1] - best, 0.05, 0.4,
    digits=2,
    unlike={"64 tokens": by_context[2] - best},
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 3.3), width_ratios=(1.5, 1))
names = sorted(table, key=table.get, reverse=True)
colours = [
    RED if n == "this model" else BLUE if "given" in n else "#BBBBBB" for n in names
]
left.barh(names, [table[n] for n in names], color=colours)
left.set(xlabel="bits per byte of the held-out text", xlim=(0, 3.6))
left.set_title("fewer bits than any compressor")
for y, n in enumerate(names):
    left.text(table[n] + 0.03, y, f"{table[n]:.2f}", va="center", fontsize=9)
right.semilogx(lengths, by_context, marker="o", base=2)
right.set(
    xlabel="window (tokens)", ylabel="bits per byte", xticks=lengths,
    xticklabels=lengths, title="middle windows are best",
)
show(
    figure,
    "Left: bars of bits per byte. This model has the fewest, 1.69; bz2 and xz given "
    "the training text, and the order-5 counter, lie between 1.79 and 1.93; zlib "
    "given it 2.84; all three alone above 3. Right: bits per byte fall to windows of "
    "64 and 128 tokens, then rise to the most at 512.",
)


# %% [markdown]
# (Question 1.) xz can do one thing, copy, and pays for saying from where. bz2, which sorts by context, comes nearer. The network generalises: "the return value of the" may go on in ways that no paragraph of the training text has. All have read
# the training text and nothing else, so the comparison is fair; but the weights are 3 MB for a text of 0.34 MB, so this is a better *model*, not a way to send the text.
#
# The right panel asks how far back the model should look, on the same tokens with windows of several lengths. Windows of 64 and of 128 tokens are equally good and the best; the full window is *worse*. Held-out paragraphs are strangers to each other, so there is little to gain; and the long positions
# were trained in the last three tenths only, while the rate fell to zero. Short windows first is a bargain that this recipe drove too far: look at such a panel before you quote a context length. The figures on the card are those of full windows.
#
# **Exact for what?** The likelihood of a language model is exact for a *sequence of tokens*. A text has many spellings, and its probability is the sum over all of them. What we report, $-\log p$ of
# the usual spelling, is an upper bound on what the text costs. For a short text the sum can be enumerated.

# %%
def spellings(text, pieces):
    """Every sequence of tokens that spells a text."""
    data = text.encode()
    number = {piece: t for t, piece in enumerate(pieces)}
    ways = [[[]]]
    for end in range(1, len(data) + 1):
        cuts = [(start, number.get(data[start:end])) for start in range(end)]
        ways.append(
            [way + [t] for start, t in cuts if t is not None for way in ways[start]]
        )
    return ways[-1]


def n_ways(text, pieces):
    """How many there are, by counting alone."""
    data, known = text.encode(), set(pieces)
    count = [1] + [0] * len(data)
    for end in range(1, len(data) + 1):
        count[end] = sum(count[s] for s in range(end) if data[s:end] in known)
    return count[-1]


# %%
phrase = "The function"
ways = spellings(phrase, model.tokenizer.pieces)
single_bytes = [piece for piece in model.tokenizer.pieces if len(piece) == 1]
check(
    "spellings, enumerated and counted", len(ways),
    n_ways(phrase, model.tokenizer.pieces),
    unlike={"with single bytes": n_ways(phrase, single_bytes)},
)
by_length = {}
for way in ways:
    by_length.setdefault(len(way), []).append(way)
with torch.no_grad():
    every = torch.cat(
        [model.log_prob(torch.tensor(rows)) for rows in by_length.values()]
    )
    usual = model.log_prob(model.tokenizer.encode(phrase)[None])[0]
check_range(
    "bits: usual spelling minus the sum over all",
    (every.logsumexp(0) - usual) / math.log(2), 0.05, 1.5, digits=2,
    unlike={"minus the likeliest": (every.max() - usual) / math.log(2)},
)

# %% [markdown]
# ## 6. Write
#
# **Step 12. Reshape, then draw.** A sampler may change the next-token distribution before it draws from it. **Temperature** $\tau$ divides the logits, which gives $p_\tau(k)\propto p(k)^{1/\tau}$: below 1 it sharpens, above 1 it flattens.
# **Top-k** keeps the $k$ likeliest tokens. **Top-p** (nucleus sampling) keeps the smallest set of likeliest tokens whose probability reaches $p$; the token that crosses the threshold stays. All three renormalise at *each* token. So
# temperature $\tau$ does not draw whole texts from $p(x)^{1/\tau}$: a first token that leads to many texts, none of them likely, keeps a weight that the cooling of whole texts would take from it. Two tokens are enough to see it.

# %%
probs = torch.tensor([[0.1, 0.4, 0.3, 0.2]])
check(
    "temperature 1/2 squares the probabilities",
    decoding.apply_temperature(probs.log(), 0.5).softmax(-1),
    probs**2 / (probs**2).sum(), atol=1e-6,
    unlike={"the square root": probs**0.5 / (probs**0.5).sum()},
)
check(
    "top-p 0.5 keeps 0.4 and 0.3", decoding.keep_top_p(probs.log(), 0.5).softmax(-1),
    torch.tensor([[0, 4 / 7, 3 / 7, 0]]), atol=1e-6,
    unlike={
        "the crossing token dropped": decoding.keep_top_k(probs.log(), 1).softmax(-1)
    },
)
first, second = torch.tensor([0.6, 0.4]), torch.tensor([[0.5, 0.5], [1.0, 0.0]])
whole_texts = (first[:, None] * second) ** 2  # the joint, squared, not yet normalised


def two_tokens(t):
    return (
        first.log().expand(len(t), 1, 2) if t.shape[1] == 1 else second[t[:, 1:]].log()
    )


cold = last(
    decoding.generate_naive(
        two_tokens, torch.zeros(20_000, 1).long(), 2,
        generator=torch.Generator().manual_seed(16),
        reshape=lambda logits: decoding.apply_temperature(logits, 0.5),
    )
)
check_range(
    "cooled token by token: texts that begin with 0", (cold[:, 1] == 0).double().mean(),
    0.672, 0.712,
    unlike={"cooled as whole texts": whole_texts[0].sum() / whole_texts.sum()},
)

# %% [markdown]
# Type a prompt and press Enter. Questions for the widget: at which temperature does the text stop being grammatical? Set top-k to 1 and move `draw`: what changes, and why? Find a prompt after which the
# next token is nearly certain (`New in version 3`), and one after which it is wide open. Below the bars: how many bits each written token costs under the unchanged model.

# %% tags=["keep-output"]
widgets.prompt_box(model)

# %% [markdown]
# The same weights once more, in the page itself, one token at a time. Set `written` to 0 and `top-p` to 0.9: how many tokens stay after "The function returns" and after "New in version 3", at temperature 1 and at 2?
# Then play `written`, or tap a bar to write its token yourself.
#
# <details><summary>Answer</summary>
#
# 80 and 1 at temperature 1; 325 and 236 at 2. Top-p cuts where the model is undecided and leaves the sure token alone. But temperature comes first: at 2 the sure token falls to less than two thirds, and what is cut is measured on the flattened distribution.
#
# </details>

# %% tags=["keep-output"]
widgets.next_token()

# %% [markdown]
# Measured on whole texts: eight prompts from held-out pages, 128 new tokens each. Two numbers: the fraction of token 4-grams that the text has used before, and its mean surprise under the unchanged model. The manual itself is the target for both.

# %%
starts = held[: 8 * 700].reshape(8, 700)[:, :24]
real = held[: 8 * 700].reshape(8, 700)[:, :152]


def repeated(rows, n=4):
    return float(
        np.mean(
            [
                1 - len(torch.unique(r.unfold(0, n, 1), dim=0)) / (len(r) - n + 1)
                for r in rows
            ]
        )
    )


@torch.no_grad()
def surprise(rows):
    """Bits per token after the prompt."""
    return float(
        -likelihood.token_log_probs(model.lm.logits(rows), rows)[:, 24:].mean()
        / math.log(2)
    )


def write(seed=6, **settings):
    g = torch.Generator().manual_seed(seed)
    return last(
        model.lm.continue_text(
            starts, 128, reshape=partial(decoding.reshape_logits, **settings),
            generator=g,
        )
    )


# %%
texts = {
    "greedy": write(top_k=1),
    "temperature 0.7": write(temperature=0.7),
    "top-p 0.9": write(top_p=0.9),
    "top-k 20": write(top_k=20),
    "the model as it is": write(),
    "temperature 1.3": write(temperature=1.3),
    "the manual": real,
}
found = {name: (repeated(rows[:, 24:]), surprise(rows)) for name, rows in texts.items()}
for name, (r, b) in found.items():
    print(f"{name:<22} repeated 4-grams ~{r:.2f}   bits per token ~{b:.2f}")
loops = {name: r for name, (r, _) in found.items()}
check_range(
    "greedy: fraction of repeated 4-grams", loops["greedy"], 0.2, 1.0, digits=2,
    unlike={
        "the model as it is": loops["the model as it is"],
        "the manual": loops["the manual"],
    },
)
model_bits, manual_bits, hot_bits = (
    found[k][1] for k in ("the model as it is", "the manual", "temperature 1.3")
)
check_range(
    "surprise: the manual minus the model as it is", manual_bits - model_bits, 0.4, 2.5,
    digits=2,
    unlike={"top-p 0.9 minus the model": found["top-p 0.9"][1] - model_bits},
)
check_range(
    "temperature 1.3 minus the manual", hot_bits - manual_bits, 0.2, 2.5, digits=2,
    unlike={"the model minus the manual": model_bits - manual_bits},
)

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.1), width_ratios=(1, 1.35))
for name, (r, b) in found.items():
    left.plot(
        b, r, "*" if name == "the manual" else "o",
        markersize=13 if name == "the manual" else 7, linestyle="", label=name,
    )
left.set(xlabel="surprise (bits per token)", ylabel="fraction of repeated 4-grams")
left.set_title("without chance, loops")
figure.legend(loc="outside lower center", ncols=4)


def shown(row, width=62, lines=7):
    text = model.tokenizer.decode(row).replace("\n", "⏎").replace("$", r"\$")
    return "\n".join(text[i : i + width] for i in range(0, width * lines, width))


right.text(
    0, 1, "greedy:\n" + shown(texts["greedy"][2]) + "\n\ntop-p 0.9:\n"
    + shown(texts["top-p 0.9"][2]), va="top", family="monospace", fontsize=8,
)
right.set_axis_off()
show(
    figure,
    "Left: repeated 4-grams against surprise. Greedy decoding stands alone, at 1.6 "
    "bits with a third of its 4-grams repeated; every way of drawing repeats less "
    "than 0.03; the manual lies between the model as it is and temperature 1.3. "
    "Right: a greedy text that says the same words again, and a top-p text that does "
    "not.",
)

# %% [markdown]
# ## 7. It fails
#
# **Failure 1: the loop.** Question 4 is the highest point of that figure. Without chance the text is a walk from favourite to favourite, and such a walk soon passes where it has been. The longer it walks, the more it repeats. You may have read that
# a repeated passage makes its own continuation likelier, because models copy from their context. Large ones do; ask ours before you believe it of ours. Below: the fraction of repeated 4-grams in the first part and in the whole of a longer text; and how many bits a sentence
# costs when the prompt already contains it zero, one or six times.

# %%
walk = last(
    model.lm.continue_text(
        starts, 300, reshape=partial(decoding.reshape_logits, top_k=1)
    )
)
early, whole_walk = repeated(walk[:, 24:88]), repeated(walk[:, 24:])
check_range(
    "greedy, tokens 1-300: repeated 4-grams", whole_walk, early + 0.1, 1.0, digits=2,
    unlike={"tokens 1-64": early},
)
sentence = "The value of this attribute is a tuple.\n"


@torch.no_grad()
def cost_after(times):
    """Bits of the sentence when it has been said before."""
    said = model.tokenizer.encode(sentence * (times + 1))
    n_new = len(said) - len(model.tokenizer.encode(sentence * times))
    nats = -likelihood.token_log_probs(model.lm.logits(said[None]), said[None])[
        0, -n_new:
    ].sum()
    return nats.item() / math.log(2)


costs = [cost_after(n) for n in (0, 1, 6)]
print(
    "bits of the sentence, said before 0, 1 and 6 times:", *(f"~{c:.0f}" for c in costs)
)
copied = NGram(torch.tensor(list((sentence * 6).encode())), 256, 5)
by_copying = -copied.token_log_probs(
    torch.tensor(list(sentence.encode()))
).sum().item() / math.log(2)
check_range(
    "said six times before, over said never", costs[2] / costs[0], 0.6, 1.4, digits=2,
    unlike={"a counter that has read it six times": by_copying / costs[0]},
)

# %% [markdown]
# Said once before it is two bits cheaper, after six repetitions it is dearer: this model has *not* learned to copy. Nothing taught it to, since repeated paragraphs were dropped from its text, and ten minutes are short. (The circuit that copies, the "induction head", is what large models learn early, and it makes their loops
# perfect.) The repair is the same for both: draw. In the figure the manual lies between the model as it is and
# temperature 1.3: pages that people wrote surprise the model more than pages of its own, for it is surer than it is right. Top-p 0.9 and temperature 0.7 are surer still: fewer slips, less variety, and no loop yet.
#
# **Failure 2: the held-out text has leaked.** The manual comes as topics, and it is natural to hold some of them out whole. Here are eight. But topics quote each other, paragraph by paragraph, and a compressor that can only
# copy sees it at once.

# %%
topics = load_topics()
chosen = [
    "class", "function", "return", "with", "try", "del", "lists", "callable-types",
]
kept = "\n\n".join(text for name, text in sorted(topics.items()) if name not in chosen)
apart = "\n\n".join(topics[name] for name in chosen)
xz = compressors["xz"]
leaky = (
    8 * (len(xz((kept + apart).encode())) - len(xz(kept.encode())))
    / len(apart.encode())
)
known = {" ".join(p.split()) for p in unique_paragraphs([kept])}
pieces = unique_paragraphs([apart])
inside = sum(len(p) for p in pieces if " ".join(p.split()) in known) / sum(
    map(len, pieces)
)
ours_xz = table["xz, given the training text"]
shared_text = {" ".join(p.split()) for p in unique_paragraphs([train_text])}
still = unique_paragraphs([test_text])
of_ours = sum(len(p) for p in still if " ".join(p.split()) in shared_text) / sum(
    map(len, still)
)
check_range(
    "xz given the other topics, bits per byte", leaky, 0.05, 0.8, digits=2,
    unlike={"our split": ours_xz},
)
check_range(
    "held-out characters that stand in training", inside, 0.5, 1.0, digits=2,
    unlike={"our split": of_ours},
)

# %% [markdown]
# A network large enough to memorise would have shown the same 0.2 and been celebrated. Repair: drop repeated paragraphs *before* splitting, then let xz be the alarm: if, given the training text, it needs only a small part of what it needs
# alone (here 0.2 bits; on our split 1.9 of 3.2), look again.
#
# **Failure 3: positions that training never saw.** The model was trained on 512 tokens. The cache and the rotations will happily go on to 1,024. The angles there are new, and so are averages over so many keys. Bits per token by
# position, a dozen windows of held-out text; then the repair, a window that slides.

# %%
both = torch.cat([held, model.tokenizer.encode(load_text("val"))])
long = both[: len(both) // 1024 * 1024].reshape(-1, 1024)
with torch.no_grad():
    whole = [
        likelihood.token_log_probs(model.lm.logits(row[None]), row[None])[0]
        for row in long
    ]
per_token = -torch.stack(whole) / math.log(2)
slid = -torch.stack(
    [windowed_log_probs(model.lm.logits, row, 512, 256) for row in long]
) / math.log(2)
by_position = per_token.mean(0).reshape(16, 64).mean(1)
by_sliding = slid.mean(0).reshape(16, 64).mean(1)
inside, beyond = by_position[4:8].mean(), by_position[12:].mean()
print(
    f"bits per token: 257-512 ~{inside:.2f}; 769-1024 ~{beyond:.2f}, with a sliding "
    f"window ~{by_sliding[12:].mean():.2f}"
)
check_range(
    "bits lost per token at untrained positions", beyond - by_sliding[12:].mean(), 0.1,
    9.0, digits=2,
    unlike={"at trained ones": inside - by_sliding[4:8].mean()},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7, 3.1))
places = 64 * np.arange(16) + 32
ax.plot(places, by_position, marker="o", label="one pass of 1,024 tokens")
ax.plot(places, by_sliding, marker="s", label="window that slides")
ax.axvline(512, color="#999999", linewidth=1, linestyle=":")
ax.set(xlabel="position (the trained context ends at 512)", ylabel="bits per token")
ax.set_title("beyond the trained context, bits are lost")
figure.legend(loc="outside lower center", ncols=2)
show(
    figure,
    "Bits per token by position. Up to 512 the two curves agree; beyond, one pass of "
    "1,024 tokens costs about half a bit a token more than a window that slides.",
)


# %% [markdown]
# **Failure 4: the cache that forgets where it is.** The classic bug: new tokens are rotated as if they stood at position 0. No shape is wrong, no number is infinite, text comes out. Feed the model true text, token by token, through a right
# cache and through a wrong one.

# %%
@torch.no_grad()
def cached_bits(rows, right):
    """Bits per token of each row, by a cache with its positions right or all 0."""
    cache, nats, tokens = (
        (), [], torch.cat([model.lm.begin(len(rows)), rows[:, :-1]], 1),
    )
    head = config.d_model // config.n_head
    for t in range(rows.shape[1]):
        h, seen = net.embedding(tokens[:, [t]]), []
        angles = rope_angles(torch.tensor([t if right else 0]), head, h)
        for i, block in enumerate(net.body.blocks):
            turns = angles.cos(), angles.sin()
            h, kv = block(h, turns, None, cache[i] if cache else None)
            seen.append(kv)
        cache = tuple(seen)
        logits = net.head(net.body.norm(h))[:, 0, :1024]
        nats.append(F.cross_entropy(logits, rows[:, t], reduction="none"))
    return torch.stack(nats, 1).mean(1) / math.log(2)


rows = long[:8, :160]
direct = per_token[:8, :160].mean(1)
good, bad = cached_bits(rows, True), cached_bits(rows, False)
check(
    "right cache = one pass, bits per token", good, direct, atol=1e-3,
    unlike={"every token at position 0": bad},
)
check_range("wrong cache: bits per token more", (bad - good).mean(), 0.2, 9.0, digits=2,
            unlike={"right cache": (direct - good).mean()})  # fmt: skip

# %% [markdown]
# Only a comparison finds it: *cached = naive, token for token* is the first test of any decoder, and section 4 ran it.
#
# **Failure 5: a prompt that ends in a space.** Spaces belong to the word behind them, so in training a lone space token hardly ever stands before a word. A prompt cut behind the space forces that spelling. Take some thirty places in the held-out text
# where a word follows a space, and let the model pay for the same characters both ways.

# %%
cut_before, cut_behind, repaired = [], [], []
spots = [
    i for i in range(2000, 15_000, 320) for i in [test_text.find(" ", i)]
    if test_text[i + 1].isalpha() and test_text[i - 1].isalpha()
]
with torch.no_grad():
    for i in spots:
        end = i + 1 + len(words(test_text[i + 1 :])[0])
        prompt, word = test_text[i - 400 : i], test_text[i:end]
        ways = (
            (prompt, word), (prompt + " ", word[1:]),
            ((prompt + " ").rstrip(), " " + word[1:]),
        )
        for costs, parts in zip((cut_before, cut_behind, repaired), ways, strict=True):
            ids = torch.cat([model.tokenizer.encode(part) for part in parts])[None]
            n = len(model.tokenizer.encode(prompt))
            costs.append(
                -likelihood.token_log_probs(model.lm.logits(ids), ids)[0, n:]
                .sum()
                .item() / math.log(2)
            )
lost = np.array(cut_behind) - np.array(cut_before)
print(f"bits for ' word' when the prompt ends in a letter: ~{np.mean(cut_before):.1f}")
check_range(
    "bits lost when the prompt ends in a space", lost.mean(), 2.0, 20.0, digits=1,
    unlike={"trailing space taken off": np.mean(repaired) - np.mean(cut_before)},
)

# %% [markdown]
# Repair: take trailing spaces off the prompt, or draw the last token again under the condition that it begins with what was typed.
#
# ## Exercises
#
# Replace `...` and run the cell. If your answer is wrong, the checker names the likely mistake; `course.hint("lm.bits")` gives three hints, one at a time. Solutions stand in `notebooks/solutions/`.
#
# **lm.bits** (compute). A text of 10,000 bytes is 3,500 tokens, and the model's loss on it is 3.6 nats per token. How many bits per byte?

# %%
bits_per_byte = ...
course.exercise("lm.bits", bits_per_byte)


# %% [markdown]
# **lm.merge** (build). `tokens` is a list of numbers; replace the pair by `new`, from left to right, wherever it occurs.

# %%
def merge(tokens, pair, new): ...


course.exercise("lm.merge", merge)

# %% [markdown]
# **lm.cache** (compute). A model has 6 layers, width 160, 5 query heads and 1 key-value head. How many bytes does its cache of 512 positions hold, at 4 bytes a number?

# %%
cache_bytes = ...
course.exercise("lm.cache", cache_bytes)


# %% [markdown]
# **lm.rotate** (derive). A head of width 2: `q` is a new query at `position`, the rows of `keys` stand at 0, 1, ..., n-1 and are not rotated yet; positions turn them with frequency `omega`. Return the n scaled scores.

# %%
def scores(q, keys, position, omega): ...


course.exercise("lm.rotate", scores)


# %% [markdown]
# **lm.top-p** (build). Top-p on a list of probabilities: return the new probabilities, in the old order.

# %%
def top_p_probs(probs, p): ...


course.exercise("lm.top-p", top_p_probs)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz("language_model")

# %% [markdown]
# ## Summary
#
# 1. Byte pair encoding merges the most frequent pair, again and again; the list of merges is the tokenizer, and belongs to the training.
# 2. Bits per byte is nats per token over $\log 2$, times tokens per byte: the only loss that does not depend on the tokenizer.
# 3. Llama's block: RMSNorm, rotary positions, grouped queries, SwiGLU. GPT-2's: LayerNorm, learned positions, GELU, biases. One class reads both.
# 4. Rotary scores see distances only; grouped queries shrink the cache, and the key and value matrices with it.
# 5. Muon steps along $UV^\top$ of the gradient: every direction alike.
# 6. The cache changes no token; a token then costs nearly the same at every position.
# 7. With ten minutes of training the model needs fewer bits than zlib, and than xz or bz2 that have read the same text.
# 8. Its likelihood is exact for tokens and a bound for texts, which have many spellings.
# 9. Greedy text loops; drawing ends the loop, and temperature and top-p set how surprising the text is.
# 10. Before believing a number: has the held-out text leaked, was the position trained, does the cache agree with the naive loop?
#
# **Back to your predictions.** 1: the network. 2: per token it rises, per byte it falls. 3: less than 1.3; about nine. 4: a loop.
#
# | its row on the map | objective | sampler | evaluations | $\log p$ | pays with |
# |---|---|---|---|---|---|
# | language model | next-token cross-entropy | one token after another, with a cache | one per token | exact, of tokens | latency that grows with length; memory for the cache |
#
# **What production systems add.** Four to six more orders of magnitude in weights and eight in text, filtered and deduplicated with the care of failure 2. Vocabularies of 100,000 tokens. Longer contexts by scaled rotations, caches in pages shared between users, quantised weights
# and caches, fused kernels. Speculative decoding: a small model drafts, the large one verifies in one forward pass, and the distribution of the text is unchanged. Sparse experts in place of the MLP. Then the second half of the work: fine-tuning on instructions, and on preferences.
#
# ## Sources
#
# - Byte pairs: Gage 1994; Sennrich, Haddow and Birch 2016 (arXiv:1508.07909), algorithm 1; bytes and words: Radford et al. 2019 (GPT-2), section 2.2. Dropout: Provilkov, Emelianenko and Voita 2020 (arXiv:1910.13267), algorithm 1.
# - Block: Vaswani et al. 2017 (arXiv:1706.03762), eq. 1; Zhang and Sennrich 2019 (arXiv:1910.07467), eq. 4; Su et al. 2021 (arXiv:2104.09864), eq. 34; Ainslie et al. 2023 (arXiv:2305.13245), section 2.2; Shazeer 2020 (arXiv:2002.05202), eq. 6; Touvron et al. 2023
#   (arXiv:2302.13971), section 2.2; Hendrycks and Gimpel 2016 (arXiv:1606.08415), section 2.
# - Muon: Bernstein and Newhouse 2024 (arXiv:2409.20325), propositions 5 and 6; Jordan et al. 2024; Liu et al. 2025 (arXiv:2502.16982), eq. 4. Short windows first: Press, Smith and Lewis 2021 (arXiv:2012.15832), section 4.
# - Cache: Shazeer 2019 (arXiv:1911.02150), section 2. Fused attention: Dao et al. 2022 (arXiv:2205.14135), algorithm 1. Decoding and loops: Holtzman et al. 2019 (arXiv:1904.09751), eqs. 2 and 3, figure 4.
# - Prediction is compression: Deletang et al. 2023 (arXiv:2309.10668), section 2. Windows that overlap: Baevski and Auli 2019 (arXiv:1809.10853), section 4.4. Spellings: Cao and Rimell 2021 (arXiv:2109.02550), section 2.
