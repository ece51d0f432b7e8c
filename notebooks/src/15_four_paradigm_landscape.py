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
# # 15 · The four-paradigm landscape
#
# **After this lesson you will be able to**
#
# - *read* the announcement of any generative model in four steps, and say from which phrase each conclusion follows;
# - *measure* where a model stands by watching it sample, and catch a text that claims otherwise;
# - *prove* that speculative decoding changes nothing but the time, that masked diffusion is autoregression in every order at once, and what a
#   one-step generator has to learn;
# - *read* the league table of the whole course without comparing numbers of different kinds;
# - *place* the seven systems with evidence, and say what the course has left out.
#
# About 75 minutes to read, about 20 seconds to run. It uses every lesson; 02, 09, 12 and 13 most.

# %% tags=["keep-output"]
import itertools
import math
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import HTML, Markdown, display

import genlab_course as course
from genlab.map import SYSTEMS
from genlab_course import fingerprint as subjects, widgets
from genlab_course.cheatsheet import cheat_sheet
from genlab_course.fingerprint import fingerprint
from genlab_course.league import COLUMNS, cells, draws, load_league, quality
from genlab_course.reader import read
from genlab_course.rows import card
from genlab.core import integrate, kl_categorical, last, log_likelihood, normal_log_prob
from genlab_course import check, check_close_mc, check_range
from genlab.data.digits import load_digits
from genlab.oracles import Gaussian, GaussianMixture
from genlab.oracles.continuous import kl_gaussian
from genlab.oracles.discrete import TokenTable, total_correlation
from genlab.zoo import load_model
from genlab.zoo.scores import draw_masked, draw_student, draw_teacher

course.begin(lesson=15)
torch.set_default_dtype(torch.float64)  # exact numbers first; drawing will switch to float32
course.draw_map(lesson=15);

# %% [markdown]
# Lesson 01 drew a map of four paradigms and a family beside them, and asked you to believe it. Since then you have derived, built, broken and
# measured everything on it. This lesson hands you the map as an *instrument*: it reads, it measures, and it is tried on models that do not
# want to be placed. At the end you fill lesson 01's empty map with measured points and answer its questions again, with finished pieces.
#
# ## Predict first
#
# Write your answers down. Each question returns, with a number.
#
# 1. A large language model lets a table of counts write four characters ahead and keeps what it likes. How far is the law of its texts from
#    its own: not at all, a little, or as far as the table's?
# 2. A perfect model of two copies of one coin draws both *at once*. How many nats does that cost?
# 3. A diffusion model is distilled to one step. Does it pay with sharpness or with variety, measured on our digits?
# 4. Three wishes: some number for the likelihood, samples in one pass, samples as good as the best of the course. Of the three *pairs* of
#    wishes, how many does some model grant? And all three?

# %% [markdown]
# ## 1. What they all share
#
# Every model of the course is a network, an objective that ties it to the data's law, a sampler with a cost, and a price. The objectives
# looked different; each is an estimate of one divergence.
#
# | paradigm | what training brings down | lesson |
# |---|---|---|
# | autoregressive, flow | forward KL, exactly | 03 |
# | latent-variable | forward KL, from above | 05 |
# | adversarial | Jensen-Shannon or Wasserstein, from below, by a discriminator or critic | 07, 08 |
# | score | Fisher divergence at every noise level | 11 |
#
# One pair of laws, $p=\mathcal N(0,1)$ and $q=\mathcal N(m, 1)$, and all four at once. On one side a closed form, on the other what the
# paradigm really computes: an average log-ratio, the value of the best discriminator, a distance of distribution functions, a mean square of scores.

# %%
m, grid = 0.7, torch.linspace(-12, 12, 24_001)
log_p, log_q = normal_log_prob(grid, 0.0, 1.0), normal_log_prob(grid, m, 1.0)
p, q = log_p.exp(), log_q.exp()

closed = kl_gaussian(Gaussian(torch.zeros(1), torch.eye(1)), Gaussian(torch.tensor([m]), torch.eye(1)))
too_wide = kl_gaussian(Gaussian(torch.zeros(1), torch.eye(1)), Gaussian(torch.tensor([m]), 2 * torch.eye(1)))
check("forward KL: average log-ratio, closed form", integrate(p * (log_p - log_q), grid), closed, atol=1e-9,
      unlike={"KL to a q of twice the variance": too_wide})
discriminator = (log_p - log_q).sigmoid()  # D*, lesson 07
value_of = lambda discriminator: integrate(p * discriminator.log() + q * (1 - discriminator).log(), grid)
middle = ((p + q) / 2).log()
js = 0.5 * integrate(p * (log_p - middle), grid) + 0.5 * integrate(q * (log_q - middle), grid)
check("value of the best discriminator = 2 JS - log 4", value_of(discriminator), 2 * js - math.log(4), atol=1e-9,
      unlike={"a discriminator twice as sure": value_of((2 * (log_p - log_q)).sigmoid())})
step = grid[1] - grid[0]
w1 = (p.cumsum(0) - q.cumsum(0)).abs().sum() * step**2
check("W1: distribution functions, closed form m", w1, m, atol=1e-4,
      unlike={"between the densities": (p - q).abs().sum() * step})
levels = torch.logspace(-3, 4, 4001)
fisher = (m / (1 + levels**2)) ** 2 / 2  # half the mean square of the scores' difference, noised alike
check("KL = sum of Fisher divergences over noise", integrate(2 * levels * fisher, levels), closed, atol=1e-4,
      unlike={"weight 1": integrate(fisher, levels)})

# %% [markdown]
# The last line is the identity of lesson 11 ($\mathrm{KL}=\int 2\sigma J_{SM}\,d\sigma$), and it is why a regression on noise can compete with
# maximum likelihood: summed over all levels with weight $2\sigma$, it *is* the forward KL.
#
# ## 2. Reading a release
#
# **Step 1. Objective.** What was minimised? **Step 2. Sampler.** How is one sample made: piece by piece, in one pass, in a loop, in stages?
# **Step 3. Costs.** What follows from both, by the map? **Step 4. Place.** Put it there; whatever is claimed and does not fit its place is
# the interesting part of the text. A small model, `genlab read`, does the same from phrases. Here is a release in the style of a thousand others; read it
# yourself first, and write down its paradigms, its sampler and its likelihood:

# %%
release = """We present Tessera, a text-to-image model. An autoencoder trained with a KL term compresses images eightfold; a
diffusion transformer, trained to predict noise in the latent space, draws them in 50 guided DDIM steps. Unlike GANs, it needs no
discriminator, and it outperforms autoregressive baselines. The weights are open."""
reading = read(release)
for field in ("paradigms", "objective", "sampling", "likelihood"):
    answer = getattr(reading, field)
    value = answer.value if isinstance(answer.value, str) else ", ".join(answer.value)
    print(f"{field:<11} {value:<28} confidence {answer.confidence:.2f}")

# %% [markdown]
# Two more paradigms are *named* in the text and do not count: it is compared with them, or does without them. Each answer comes with its
# **evidence**, the phrases that add most to it, in units of log-odds:

# %%
for phrase in reading.paradigms.evidence:
    print(f'{phrase.weight:+.2f}  "{" ".join(phrase.text.split())}"')

# %% [markdown]
# The second release of the same house makes a claim that its place does not allow. Which one? (Step 4 is for this.)

# %%
turbo = read("Tessera Turbo is distilled from a latent diffusion model. It paints in one step and has an exact likelihood.")
print("sampling:  ", turbo.sampling.value)
print("likelihood:", turbo.likelihood.value)
print("paradigms: ", turbo.paradigms.value)

# %% [markdown]
# The text says "exact", and the reader answers "none": a one-step student of a diffusion model has given up the ordinary differential equation
# through which its teacher could be scored. It cannot tell the paradigms, because the student and its teacher are described in one breath.
#
# The reader is a **linear model**: every word, every pair and triple of words and a few legible patterns carry a weight for each answer, fitted
# by logistic regression to 1,878 labelled descriptions. Names of products are masked, so it cannot recognise a release; it answers only
# where its confidence exceeds a threshold, and says "cannot tell" elsewhere. Here are six more texts. Before you run the cell, place the six yourself.

# %%
SIX = {
    "trained by maximum likelihood, a stack of invertible coupling layers with tractable Jacobians": ("flow",),
    "a generator and a discriminator play a minimax game; samples need a single pass": ("adversarial",),
    "a masked diffusion language model that fills in all hidden tokens in parallel, in 16 steps": ("score / diffusion",),
    "a decoder-only transformer trained on next-token prediction; no diffusion is involved": ("autoregressive",),
    "a VQ-VAE turns images into codes and an autoregressive transformer writes the codes": ("autoregressive", "latent-variable"),
    "our most capable model yet, with stunning quality and a new safety programme": "cannot tell",
}
for text, expected in SIX.items():
    found = read(f"We present a model: {text}.").paradigms.value
    print(f"{text[:52]} ...  {found if isinstance(found, str) else ', '.join(found)}")
    assert found == expected, f"expected {expected}"

# %% [markdown]
# The sixth answer matters most: a text that names no part gets no place. The reader weighs phrases, it does not understand them. Here is a text
# in the words of a real abstract (MeanFlow, Geng et al. 2025). What was it trained by? Decide first, then see what the reader says.

# %%
meanflow = """Our model learns the average velocity of a flow between two times and generates images in one step. It is
trained from scratch, and requires no pre-training, distillation or curriculum."""
answer = read(meanflow).objective
print(f"objective: {answer.value} (confidence {answer.confidence:.2f}; likeliest: {', '.join(answer.best)})")

# %% [markdown]
# It declines. How far can you trust it where it does answer? Its card holds what it got right on texts about systems that none of its training
# texts is about:

# %%
for field, found in card("reader")["metrics"].items():
    print(f"{field:<11} answered {found['coverage']:.0%} of the texts; right in {found['accuracy']:.0%} of these, "
          f"in {found['forced']:.0%} of all when it must answer")

# %% [markdown]
# So it is a second opinion, not a verdict: when it disagrees with you, look at its evidence, and one of you will see why.
#
# **Now you.** Paste the abstract or the model card of a release of this month. Place it by the four steps *before* you look at the reading.
# Then delete sentences one by one: which of them did the reader need, and how many could have been left out? (Exercise 15.read has five more.)
# For Tessera, the next cell does it.

# %% tags=["keep-output"]
widgets.release_reader(release)

# %%
sentences = release.replace("\n", " ").split(". ")
without = {one: read(". ".join(x for x in sentences if x != one)).paradigms.value for one in sentences}
needed = [one for one, found in without.items() if found != reading.paradigms.value]
print(f"sentences without which the paradigms would change: {len(needed)} of {len(sentences)}")
print("needed:", needed[0][:60], "...")

# %% [markdown]
# ## 3. Measuring instead of reading
#
# A text can claim anything. A sampler can be watched. Put a counter on every layer and draw. Two numbers are **counted**: how often the network
# is called, one call after the other (**sequential passes**), and which *share* of its input is new since the pass before. One position out of
# $n$, and it writes piece by piece; all of them, and it repaints the whole. Two things are **declared** by the object, and believed: which
# controls it offers (an output twice as long, twice the steps; whether the passes follow is then counted), and which likelihood it has
# (`log_prob`, `elbo` or neither). A distilled model sold without its dial of steps looks like a GAN, and so does a flow that hides its `log_prob`.
#
# Sequential passes are not the cost. A guided step of lesson 13 asks the network twice; put into one batch of two rows that is *one* sequential
# pass and *two* **network evaluations**. This lesson's column counts sequential passes, the latency; multiply by the rows for the work.
#
# You can do the counting by hand for one model:

# %%
pixelcnn, passes = load_model("digit_pixelcnn"), Counter()
hooks = [layer.register_forward_hook(lambda layer, *_: passes.update([layer])) for layer in pixelcnn.head]
pixelcnn.sample(2, generator=torch.Generator().manual_seed(0))
for hook in hooks:
    hook.remove()
(seen,) = fingerprint(subjects.pixelcnn())
(flow_seen,) = fingerprint(subjects.flow())
check("PixelCNN: passes by hand = by the fingerprint = pixels", [max(passes.values()), seen.passes], [64, 64],
      unlike={"a flow's": [flow_seen.passes, flow_seen.passes]})
print(f"twice the rows: the passes grow by a factor {seen.growth_with_length:.1f}")

# %% [markdown]
# And both counts for 8 guided steps of the digit diffusion, once with a call for each of the two predictions, once with both in one batch:

# %%
from genlab.score import cfg_eps, ddim_sample, ddim_timesteps, guided_eps_model

torch.set_default_dtype(torch.float32)
diffusion, label = load_model("digit_diffusion"), torch.tensor([3, 8])
net, no_class = diffusion.eps_net, torch.full((2,), 10)


def in_one_batch(x, t):
    """The guided noise, from one call on twice the rows."""
    eps = net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([no_class, label]))
    return cfg_eps(*eps.chunk(2), guidance_scale=2.0)


def evaluations_and_passes(eps_model):
    """Rows for each of the two samples, and calls, counted at the first convolution."""
    rows = []
    first = next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d))
    hook = first.register_forward_hook(lambda layer, given, _: rows.append(len(given[0])))
    start, steps = torch.randn(2, 1, 8, 8), ddim_timesteps(100, 8)
    last(ddim_sample(eps_model, start, steps, alphas_bar=diffusion.alphas_bar))
    hook.remove()
    return [sum(rows) // 2, len(rows)]


in_two_calls = guided_eps_model(net, label, null=10, guidance_scale=2.0)
counts = {"two calls": evaluations_and_passes(in_two_calls), "one batch": evaluations_and_passes(in_one_batch)}
for name, (evaluations, calls) in counts.items():
    print(f"{name}: {evaluations} network evaluations, {calls} sequential passes")
check("8 guided steps in one batch: evaluations, passes", counts["one batch"], [16, 8],
      unlike={"in two calls": counts["two calls"]})
torch.set_default_dtype(torch.float64)

# %% [markdown]
# Now everything the course has trained. The last column knows nothing but the entries to its left (in exercise 15.place you write the function
# that fills it), and each row is held against the lessons. Before you run the cell: which two rows will look most like a family they do not
# belong to?

# %%
every = {}
print(f"{'model':<24}passes  share    x2 length  x2 steps  likelihood    placed")
for make, where in (*subjects.LESSONS, *subjects.ODD_CLAIMS):
    subject = make()
    (f,) = fingerprint(subject)
    every[subject.name] = f
    length, steps = ("-" if g is None else f"x{g:.1f}" for g in (f.growth_with_length, f.growth_with_steps))
    share = "-" if math.isnan(f.share) else f"{f.share:.3f}"
    print(f"{subject.name:<24}{f.passes:>6}  {share:<8} {length:<10} {steps:<9} {f.kind:<13} {' or '.join(f.families)}")
    assert where in f.families, f"the lessons place it at {where}"

# %% [markdown]
# Read the two rows at the bottom again. The distilled model makes a digit in one pass and has no likelihood: by these two numbers alone it
# stands where a GAN stands. What gives it away is the dial: ask for twice the steps and it takes them. The masked model writes each pixel
# once, like PixelCNN, and yet its passes follow the dial and not the length. These are the two claims that the map singles out as odd. The
# next two sections take them apart: section 4 the second, section 5 the first.
#
# ## 4. Odd claim: autoregression in parallel
#
# ### Speculative decoding: nothing is paid but work
#
# **Step 5. Draft and verify.** A pass of a large model over five tokens takes hardly longer than over one; what is slow is that they come one
# at a time. So let a cheap *draft* $q$ write $k$ tokens, and let the target read them all in one pass. Keep a drafted $x$ with probability
# $\min(1, p(x)/q(x))$. The first one that is refused is replaced by a draw from the *residual* $p'\propto\max(p-q,0)$, and the rest of the
# draft is thrown away. If all are kept, the same pass pays for one token more.
#
# **Step 6. Why the law is exactly $p$.** A token $y$ can appear in two ways: drafted and kept, with probability
# $q(y)\min(1,p(y)/q(y))=\min(p(y),q(y))$; or as a replacement. Something is refused with probability $1-\beta$, $\beta=\sum_x\min(p,q)$; and
# since $\sum_x\max(p-q,0)=1-\beta$ too, the residual's normaliser cancels against it:
# $$\min(p,q)(y)+(1-\beta)\,\frac{\max(p-q,0)(y)}{1-\beta}=p(y).$$
# No property of $q$ was used. Write it as a table of outcomes and add it up, for a vocabulary of three and a poor draft:

# %%
from genlab.autoregressive.speculative import acceptance, expected_tokens, residual, verify


def my_first_token_law(p, q):
    """Law of the first token of a round, by adding up every way in which it can come about."""
    law = torch.zeros(3)
    for x in range(3):  # the drafted token
        keep = min(1.0, float(p[x] / q[x]))
        law[x] += q[x] * keep
        left = (p - q).clamp(min=0)
        law += q[x] * (1 - keep) * left / left.sum()
    return law


p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.1, 0.2, 0.7])
wrong = torch.minimum(p, q) + (1 - acceptance(p, q)) * p  # a refused token replaced by a draw from p itself
check("law of the token = the target's", my_first_token_law(p, q), p, atol=1e-12,
      unlike={"replaced from p itself": wrong})
check("mine = genlab's residual", (p - q).clamp(min=0) / (p - q).clamp(min=0).sum(), residual(p, q),
      unlike={"q over p": residual(q, p)})
total_variation = lambda a, b: 0.5 * (a - b).abs().sum()
check("share kept = 1 - total variation", acceptance(p, q), 1 - total_variation(p, q),
      unlike={"the expected ratio": (p * torch.minimum(p / q, torch.ones(3))).sum()})
off = (1 - acceptance(p, q)) * total_variation(p, residual(p, q))  # refused, times how far p is from the residual
check("that mistake's total variation from p", total_variation(wrong, p), off, atol=1e-12,
      unlike={"q's": total_variation(q, p)})

# %% [markdown]
# **Step 7. Whole texts.** A round that keeps one token leaves the second to the next round, so a text is assembled from rounds of random
# length. Its law is right all the same: whatever happened before, the next token has law $p(\cdot\mid\text{past})$, and the chain rule
# multiplies them. We add up every way to a text of two tokens, for laws that depend on the past: the first round drafts two, and where it
# stops early a new round begins.

# %%
g = torch.Generator().manual_seed(3)
p1, q1 = torch.rand(3, generator=g).softmax(0), (2 * torch.rand(3, generator=g)).softmax(0)
p2, q2 = torch.rand(3, 3, generator=g).softmax(1), (3 * torch.rand(3, 3, generator=g)).softmax(1)  # row: the token before
law, no_new_round = torch.zeros(3, 3), torch.zeros(3, 3)
for x, y in itertools.product(range(3), repeat=2):  # drafted x, then y
    drafted = q1[x] * q2[x, y]
    keep_x, keep_y = min(1.0, float(p1[x] / q1[x])), min(1.0, float(p2[x, y] / q2[x, y]))
    law[x, y] += drafted * keep_x * keep_y  # both kept
    law[x] += drafted * keep_x * (1 - keep_y) * residual(p2[x], q2[x])  # the second replaced
    for z in range(3):  # the first replaced by z; a new round writes what follows
        replaced = drafted * (1 - keep_x) * residual(p1, q1)[z]
        law[z] += replaced * my_first_token_law(p2[z], q2[z])
        no_new_round[z] += replaced * (q2[z] - my_first_token_law(p2[z], q2[z]))
check("law of two tokens, over all rounds = p(x) p(y|x)", law, p1[:, None] * p2, atol=1e-12,
      unlike={"after a refusal the draft goes on": law + no_new_round})

# %% [markdown]
# And by simulation, through the package's own `verify`: 40,000 rounds with two drafted tokens each. The first token must follow $p$, and each
# round yields $1+\beta+\beta^2=(1-\beta^{3})/(1-\beta)$ tokens on average if the same $p$ and $q$ hold at each place.

# %%
generator, n = torch.Generator().manual_seed(15), 40_000
drafted = torch.multinomial(q, 2 * n, replacement=True, generator=generator).reshape(n, 2)
u = torch.rand(n, 3, generator=generator)
tokens, kept = verify(drafted, q.expand(n, 2, 3), p.expand(n, 3, 3), u[:, :2], u[:, 2])
for y in range(3):
    check_close_mc(f"share of rounds that begin with token {y}", (tokens[:, 0] == y).double(), p[y].item(),
                   unlike={"the draft's": (drafted[:, 0] == y).double()})
check_close_mc("tokens a round", kept.double() + 1, expected_tokens(float(acceptance(p, q)), 2),
               unlike={"kept ones only": kept.double()})

# %% [markdown]
# On a real text: the target is a small transformer that has read Python's manual, the draft a table of counts that costs next to nothing. Two more
# witnesses. With the temperature at zero nothing is random, so the text must be the target's own greedy text, letter for letter, though
# another model drafted it. And at temperature one, the target must find the drafted texts exactly as probable as its own.

# %%
from genlab.autoregressive.decoding import generate_naive, reshape_logits
from genlab.autoregressive.tokens import NGram
from genlab.autoregressive.speculative import SpeculativeLM, draft_from_ngram, speculative_sample
from genlab.zoo.lessons import windows
from genlab.data.text import load_text

text_model = load_model("text_transformer")
manual = windows(load_text("train"), 64)
counts = NGram(manual.flatten(), text_model.n_tokens, order=3)
speculating = SpeculativeLM(text_model, draft_from_ngram(counts), k=4)
rounds = list(speculating.rounds(32, generator=torch.Generator().manual_seed(0)))
written = float((rounds[-1].length - 1).double().mean())
lengths = [torch.ones_like(rounds[0].length)] + [r.length for r in rounds[:-1]]
writing = torch.stack(lengths) < rounds[-1].length.max()  # a finished text waits for the others
kept = float(torch.stack([r.kept for r in rounds])[writing].double().mean()) / 4
each = written * writing.shape[1] / float(writing.sum())
print(f"fraction of drafted characters that count ~{kept:.2f}, characters for each pass of the target ~{each:.1f}")

greedy = lambda logits: reshape_logits(logits, top_k=1)
start, counted = text_model.begin(4), draft_from_ngram(counts)
fast = last(speculative_sample(text_model.next_logits, counted, start, 64, k=4, reshape=greedy, generator=torch.Generator().manual_seed(1)))
slow = last(generate_naive(text_model.next_logits, start, 64, reshape=greedy))
drawn = last(generate_naive(text_model.next_logits, start, 64, generator=torch.Generator().manual_seed(1)))
check("temperature 0: letter for letter the target's text", fast.tokens[:, :65], slow,
      unlike={"temperature 1": drawn})
torch.set_default_dtype(torch.float32)
own = text_model.sample(300, generator=torch.Generator().manual_seed(5))
a, b = (text_model.log_prob(x) / 64 for x in (rounds[-1].tokens[:, 1:65], own))
z = (a.mean() - b.mean()) / (a.var() / len(a) + b.var() / len(b)).sqrt()
by_counts = torch.multinomial(manual.flatten().bincount(minlength=text_model.n_tokens).float(), own.numel(), True)
c = text_model.log_prob(by_counts.reshape(own.shape)) / 64
z_draft = (c.mean() - b.mean()) / (c.var() / len(c) + b.var() / len(b)).sqrt()
check_range("nats a letter: drafted minus own, standard errors", z, -3.5, 3.5, digits=0,
            unlike={"letters by their frequency": z_draft})
(seen,) = fingerprint(subjects.whole("with a draft", speculating))
torch.set_default_dtype(torch.float64)
print(f"fingerprint with a draft: ~{seen.passes} passes for 64 letters, {' or '.join(seen.families)}, {seen.kind}")

# %% [markdown]
# Some three fifths of the target's passes are saved, text by text, by counting letters. (A batch waits for its slowest text: there it is two fifths.) What is paid: the draft's passes, and the target's work on tokens that are thrown away.
# On the map this is *not* a new place: likelihood exact, law unchanged, written piece by piece. Only the number of passes has moved.
#
# ### Masked diffusion: several pieces at once, and what that costs
#
# **Step 8. Hide and guess.** Another way to write in parallel: hide each token with probability $t$, train a network to guess the hidden ones
# from those in sight, and sample from $t=1$ (everything hidden) to $t=0$, several tokens at each pass. Its bound weighs the guesses by $1/t$:
# $$-\log p(x)\le\int_0^1\mathbb E\Big[\frac1t\sum_{i\text{ hidden}}-\log p_\theta(x_i\mid\text{in sight})\Big]dt .$$
# **Step 9. It is autoregression in every order at once.** A set of $m$ hidden tokens out of $n$ turns up at time $t$ with probability
# $t^m(1-t)^{n-m}$. Integrate over $t$, with the weight: $\int t^{m-1}(1-t)^{n-m}dt=\frac1{m\binom nm}$. Now write the tokens one by one in a
# random order. The set that is still hidden before a turn is, for each $m$, any of the $\binom nm$ with equal probability, and the next token
# is any of its $m$ members: again $\frac1{m\binom nm}$ for each guess. So the bound is the average of $-\log p$ over all $n!$ orders, and the
# law of the one-at-a-time sampler is the average of $p$. Jensen's inequality is all that lies between them. Check it for a network whose
# guesses are random numbers and fit no joint law at all: on one side an integral over $t$ and all masks, on the other all orders.

# %%
from genlab.score.masked import masked_nll, turns_log_prob

v, n = 3, 3  # tokens 0, 1, 2; the number 3 means hidden
guesses = torch.randn(4**n, n, v, generator=torch.Generator().manual_seed(9))


def anyhow(x):
    """A network of random guesses: one table of logits for each pattern of what is in sight."""
    return guesses[(x * torch.tensor([16, 4, 1])).sum(1)]


x = torch.cartesian_prod(*[torch.arange(v)] * n)
nodes, weights = np.polynomial.legendre.leggauss(8)  # exact for polynomials of this degree
bound = torch.zeros(27)
for hide in itertools.product((False, True), repeat=n):
    if m := sum(hide):
        hidden = torch.tensor(hide).expand(27, n)
        logits = anyhow(torch.where(hidden, 3, x))
        for node, weight in zip(nodes / 2 + 0.5, weights / 2, strict=True):
            t = torch.full((27,), float(node))
            bound += weight * node**m * (1 - node) ** (n - m) * masked_nll(logits, x, hidden, t)

orders = [torch.tensor(order).expand(27, n) for order in itertools.permutations(range(n))]
each = torch.stack([turns_log_prob(anyhow, x, order, mask=3) for order in orders])
law = each.exp().mean(0)
check("bound: integral over t and masks = mean over orders", bound, -each.mean(0), atol=1e-12,
      unlike={"left to right only": -each[0], "-log of the mean": -law.log()})
check("the sampler's law sums to one", law.sum(), 1.0, atol=1e-12,
      unlike={"exp(-bound)": (-bound).exp().sum()})
print(f"what the orders' disagreement costs: {(law * (bound + law.log())).sum():.2f} nats on average, "
      f"at least {(bound + law.log()).min():.2f}")

# %% [markdown]
# So with one token a pass masked diffusion **is** autoregression, with the order drawn anew for each text (Hoogeboom et al. 2022). What is new
# is that the same network may write several tokens at a pass, and that is not free.
#
# **Step 10. The price in nats.** Drawing all at once replaces $p(x_1,\dots,x_n)$ by $\prod_ip(x_i)$. The KL between the two is the *total
# correlation* $\sum_iH(x_i)-H(x)$. For two copies of one coin it is $\log2$: half the time the two come out different, which copies of one coin never do. A perfect
# network cannot help, and neither can training.

# %%
coins = TokenTable(torch.eye(2) / 2)
pairs = torch.tensor(list(itertools.product((0, 1), repeat=2)))


def ideal(x):
    """The perfect filler: every conditional of the table, as logits."""
    return coins.conditionals(x).log()


at_once = turns_log_prob(ideal, pairs, torch.zeros_like(pairs), mask=2).exp()
in_turn = turns_log_prob(ideal, pairs, torch.tensor([[0, 1]]).expand(4, 2), mask=2).exp()
check("two passes: the law of two copies of a coin", in_turn, [0.5, 0.0, 0.0, 0.5], atol=1e-12,
      unlike={"one pass": at_once})
check("the price: log 2 nats", total_correlation(coins.joint), kl_categorical(torch.tensor([0.5, 0, 0, 0.5]), at_once),
      unlike={"in two passes": kl_categorical(torch.tensor([0.5, 0, 0, 0.5]), in_turn)})
words = TokenTable(torch.tensor(np.random.default_rng(15).dirichlet(0.3 * np.ones(27)).reshape(3, 3, 3)))
states = words.states()
alone = turns_log_prob(lambda x: words.conditionals(x).log(), states, torch.zeros_like(states), mask=3)
gap = kl_categorical(words.joint.flatten(), alone.exp())
check("three tokens at once: KL = total correlation", gap, total_correlation(words.joint),
      unlike={"the first two's": total_correlation(words.joint.sum(2))})
turn = lambda order: torch.tensor([order]).expand(27, 3)
by_turns = lambda order: turns_log_prob(
    lambda x: words.conditionals(x).log(), states, turn(order), mask=3).exp()
check("one at a time, in two orders: exact", torch.stack([by_turns((0, 1, 2)), by_turns((2, 0, 1))]),
      words.joint.flatten().expand(2, 27), atol=1e-12,
      unlike={"two of them at once": torch.stack([by_turns((0, 0, 1)), by_turns((1, 0, 0))])})

# %% [markdown]
# So there is a dial between one pass and $n$, and dependence is what turns it into a price. On real digits, 64 pixels of 17 levels, the price
# shows in the likelihood and in the pictures. A sampler of $K$ passes gives every pixel a random turn out of $K$; the average of
# `turns_log_prob` over such turns is *that sampler's* bound.

# %%
torch.set_default_dtype(torch.float32)
masked, test_images = load_model("digit_masked_diffusion"), load_digits("test").images
generator = torch.Generator().manual_seed(15)
per_dim = 64 * math.log(2)
bits, pays = {}, {}
with torch.no_grad():
    for k in (1, 4, 16):
        turns = torch.randint(k, test_images.shape, generator=generator)
        bits[k] = -turns_log_prob(masked.filler, test_images, turns, mask=17).mean().item() / per_dim
        pays[k] = quality(draw_masked(masked, k)(400, torch.Generator().manual_seed(0)), generator)["frechet"]
    one_by_one = -torch.stack([masked.elbo(test_images, generator=generator) for _ in range(8)]).mean(0) / per_dim
bits[64], pays[64] = one_by_one.mean().item(), card("digit_masked_diffusion")["metrics"]["frechet_64_passes"]
torch.set_default_dtype(torch.float64)
for k in bits:
    print(f"{k:>3} passes for 64 pixels: <= ~{bits[k]:.1f} bits/dim, Fréchet distance ~{pays[k]:.1f}")
check_range("bits/dim that one pass costs, against 64", bits[1] - bits[64], 0.5, 0.8, digits=2,
            unlike={"4 passes": bits[4] - bits[64]})
check_range("bits/dim that 16 passes cost", bits[16] - bits[64], 0.0, 0.06, digits=2,
            unlike={"4 passes": bits[4] - bits[64]})
check_range("Fréchet distance, 1 pass over 64", pays[1] / pays[64], 10.0, 40.0, digits=0,
            unlike={"4 passes over 64": pays[4] / pays[64]})

# %%
figure, axes = plt.subplots(1, 2, figsize=(8.5, 2.8))
for ax, values, label in zip(axes, (bits, pays), ("bits per dimension, $\\leq$", "Fréchet distance"), strict=True):
    ax.plot(list(values), list(values.values()), "o-", color="#CC79A7")
    ax.set(xscale="log", xticks=list(values), xticklabels=list(values), xlabel="passes for 64 pixels", ylabel=label)
axes[0].axhline(card("digit_pixelcnn")["metrics"]["bits_per_dim"], color="#0072B2", linestyle="--", label="PixelCNN, exact, 64 passes")
axes[0].legend(fontsize=8)
axes[1].set_yscale("log");

# %% [markdown]
# The curve of the bound flattens at PixelCNN's exact value, and even passes under it. An *upper* bound under an exact value would settle the
# matter: whatever the slack, the masked model would be better. (Above it, it would settle nothing.) But is the difference real? Both models
# were asked about the same 200 digits, so take the difference digit by digit:

# %%
torch.set_default_dtype(torch.float32)
with torch.no_grad():
    kind, values = log_likelihood(load_model("digit_pixelcnn"), test_images)
exact = -values / per_dim
torch.set_default_dtype(torch.float64)
difference = (one_by_one - exact).double()
error = difference.std() / len(difference) ** 0.5
print(f"masked diffusion (<=) minus PixelCNN (=): ~{difference.mean():.3f} +- {error:.3f} bits/dim")
at_4 = bits[4] - exact.double().mean()
check_range("the difference in standard errors", (difference.mean() / error).abs(), 0.0, 3.0, digits=0,
            unlike={"with 4 passes": at_4 / error})

# %% [markdown]
# On 200 digits nobody can tell. And keep apart what belongs to what: the bound is that of the 64-pass sampler; the pictures of the 16-pass
# sampler, which the league table will show, come from another law, whose own bound is a little worse (lesson 14 had the same trap).
#
# ## 5. Odd claim: diffusion in one step
#
# **Step 11. Learn where the path ends.** Lesson 13's noiseless sampler is a map from noise to image, evaluated by many small steps. A
# *consistency function* $f(x,\sigma)$ is asked for the end of the path through $x$ directly. Two conditions fix it: along one path its answer
# does not change, $f(x_\sigma,\sigma)=f(x_{\sigma'},\sigma')$, and at the bottom it does nothing, $f(x,\sigma_{\min})=x$. Without the second,
# $f=0$ satisfies the first perfectly. The scales of lesson 13, shifted, build the second in:
# $$f(x,\sigma)=c_{\text{skip}}\,x+c_{\text{out}}F_\theta(c_{\text{in}}x),\qquad
# c_{\text{skip}}=\frac{\sigma_d^2}{(\sigma-\sigma_{\min})^2+\sigma_d^2},\quad
# c_{\text{out}}=\frac{(\sigma-\sigma_{\min})\,\sigma_d}{\sqrt{\sigma^2+\sigma_d^2}} .$$
# At $\sigma_{\min}$ they are 1 and 0, whatever the network says.
#
# On the line we know the answer. For normal data of variance $s^2$ the path is $\dot x=\sigma x/(s^2+\sigma^2)$, so $x/\sqrt{s^2+\sigma^2}$ stays
# what it is, and $f(x,\sigma)=x\sqrt{(s^2+\sigma_{\min}^2)/(s^2+\sigma^2)}$. In general a path keeps its quantile. Take a mixture, ride its flow with 400
# small steps, and compare.

# %%
from genlab.score.consistency import (
    consistency_distillation_loss,
    consistency_function,
    exact_consistency_1d,
)
from genlab.score.edm import edm_sample, edm_sigmas
from genlab.score.edm import edm_denoise

s, xs, sigma = 0.8, torch.tensor([[-3.0], [0.5], [2.0]]), torch.tensor([2.0, 0.7, 5.0])
one_normal = GaussianMixture(torch.ones(1), torch.zeros(1, 1), torch.tensor([s]))
by_hand = xs * ((s**2 + 0.1**2) / (s**2 + sigma[:, None] ** 2)).sqrt()
check("normal data: path by hand, quantile kept", by_hand, exact_consistency_1d(one_normal, xs, sigma, sigma_min=0.1),
      atol=1e-6, unlike={"the denoiser": xs * s**2 / (s**2 + sigma[:, None] ** 2)})

law = GaussianMixture(torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.3, 0.5]))
sigma_min, sigma_max = 0.002, 20.0
start = sigma_max * torch.linspace(-1.5, 1.5, 7)[:, None]
ladder = edm_sigmas(401, sigma_min=sigma_min, sigma_max=sigma_max)[:-1]
*_, ridden = edm_sample(lambda x, s: law.denoiser(x, 1.0, s), start, ladder)
jumped = exact_consistency_1d(law, start, torch.full((7,), sigma_max), sigma_min=sigma_min)
mean_guess = law.denoiser(start, 1.0, sigma_max)
check("one jump = 400 steps of the flow", jumped, ridden, atol=2e-3,
      unlike={"the denoiser's one step": mean_guess})
halfway = list(edm_sample(lambda x, s: law.denoiser(x, 1.0, s), start, ladder))[199]
level = ladder[200].expand(7)
check("the same from halfway: consistency", exact_consistency_1d(law, halfway, level, sigma_min=sigma_min), jumped,
      atol=2e-3, unlike={"the denoiser from halfway": law.denoiser(halfway, 1.0, float(ladder[200]))})
x = torch.randn(7, 1, generator=generator)
bottom = consistency_function(lambda x, c: 100 * torch.sin(9 * x), x, torch.full((7,), sigma_min), sigma_data=0.75, sigma_min=sigma_min)
wild = lambda x, c: 100 * torch.sin(9 * x)
unshifted = edm_denoise(wild, x, torch.full((7,), sigma_min), sigma_data=0.75)
check("boundary: any network does nothing at the bottom", bottom, x, atol=1e-12,
      unlike={"lesson 13's scales, unshifted": unshifted})
nothing = lambda x, s: 0 * x
loss = consistency_distillation_loss(nothing, nothing, lambda x, s: law.denoiser(x, 1.0, s), x, x, ladder[100:107], ladder[101:108])
identity = lambda x, s: x
not_consistent = consistency_distillation_loss(
    identity, identity, lambda x, s: law.denoiser(x, 1.0, s), x, x, ladder[100:107], ladder[101:108])
check("without the boundary: f = 0 has loss 0", loss, torch.zeros(7),
      unlike={"f(x) = x": not_consistent})

# %% [markdown]
# **Step 12. Distil.** Take a point on level $\sigma$, let the *teacher* take one step down to $\sigma'$, and ask the student to say the same at
# both: minimise the distance between $f_\theta(x_\sigma,\sigma)$ and $f_{\theta^-}(\hat x_{\sigma'},\sigma')$, where $\theta^-$ is a slowly moving
# average that gets no gradient. Right answers are handed up the ladder, from the bottom, where the answer is known. A student begins as a copy
# of its teacher, which has never been asked to jump. Eighty steps of it, here and now (the one that ships had 1,200):

# %%
from genlab.zoo import find

torch.set_default_dtype(torch.float32)
teacher, short = load_model("digit_edm"), find("digit_consistency").but(n_steps=80)
learning = short.untrained()
records = widgets.watch(short.train(learning), 80, label="distance of two answers")
seed = lambda: torch.Generator().manual_seed(15)
before, after = (quality(draw(400, seed()), seed())["frechet"] for draw in (draw_teacher(teacher, 1), draw_student(learning, 1)))
torch.set_default_dtype(torch.float64)
print(f"one pass, before: Fréchet distance ~{before:.1f}, after 80 steps ~{after:.1f}")
check_range("one pass, after 80 steps", after, 0.2, 0.75, digits=1, unlike={"before": before})

# %% [markdown]
# Watch the loss with suspicion. It compares two answers of the student, and both move: a small value means consistent, not right. The samples
# are the judge. Now the finished student beside its teacher:

# %%
student = load_model("digit_consistency")
torch.set_default_dtype(torch.float32)
drawn = {"teacher, 1 pass": draw_teacher(teacher, 1), "teacher, 32 passes": draw_teacher(teacher, 32),
         "student, 1 pass": draw_student(student, 1), "student, 4 passes": draw_student(student, 4)}  # fmt: skip
images = {name: draw(400, seed()) for name, draw in drawn.items()}
torch.set_default_dtype(torch.float64)
judged = {name: quality(x, seed()) for name, x in images.items()}
figure, axes = plt.subplots(1, 4, figsize=(11, 1.5))
for ax, (name, x) in zip(axes, images.items(), strict=True):
    course.show_images(ax, x[:30].double() / 8 - 1, title=name)
for name, found in judged.items():
    print(f"{name:<19} Fréchet distance ~{found['frechet']:.1f}, precision ~{found['precision']:.1f}, recall ~{found['recall']:.1f}")
student1, teacher32 = judged["student, 1 pass"], judged["teacher, 32 passes"]
check_range("student's 1 pass over the teacher's 32", student1["frechet"] / teacher32["frechet"], 1.0, 3.0, digits=1,
            unlike={"the teacher's 1 pass": judged["teacher, 1 pass"]["frechet"] / teacher32["frechet"]})
check_range("recall, student (1) minus teacher (32)", student1["recall"] - teacher32["recall"], -0.05, 0.15, digits=1,
            unlike={"the teacher's 1 pass": judged["teacher, 1 pass"]["recall"] - teacher32["recall"]})

# %% [markdown]
# One pass of the teacher is a blur: the mean of everything that the noise could become. (Its precision is nearly 1 and its recall 0: a mean
# digit lies amid the real ones and reaches none of them. Never read one without the other.) The student's one pass is a digit. What it pays:
#
# - a second training on top of the first, and the teacher's law as its ceiling, mistakes included (as reflow did in lesson 14);
# - the likelihood: a jump has neither chain nor ODE to read it from;
# - the last bit of quality: its one pass is not its teacher's thirty-two, and here the loss is of precision.
#
# This is one student of one teacher: whether distillation costs sharpness or variety depends on its loss. A distance to the teacher's answers,
# as here, keeps the modes; a discriminator keeps the sharpness. Measure both.
#
# So a one-step claim is *possible*, and the price list is the thing to look for in the text. Five of our models need one pass. The two of
# them that own a likelihood paid for it too: one with its architecture, one by owning only a bound.

# %%
one_pass = {name: f.kind for name, f in every.items() if f.passes == 1}
print("one pass a sample:", ", ".join(f"{name} ({kind})" for name, kind in one_pass.items()))

# %% [markdown]
# ## 6. The league table
#
# Every family on the same 1,397 training digits, judged on the same 400. `genlab league --remake` measures it again, on the shipped weights. Read
# a row before you compare two: is the number exact (=) or a bound ($\le$), of which distribution, at how many sequential passes, and was the
# model told the class? (`digit_diffusion` and `digit_consistency` were.) The figures belong to these *weights*. A recipe is another matter: trained again
# with the same seed on another processor, the GAN came out at .35 instead of .56, since a game amplifies rounding. And the table's error bars
# are those of the drawing alone; section 7 trains again.

# %%
rows = load_league()
head = "".join(f"<th>{name}</th>" for name in COLUMNS)
tilde = lambda c: (*c[:6], f"~{c[6]}", *c[7:])  # speeds depend on the machine
body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in tilde(cells(row))) + "</tr>" for row in rows)
display(HTML(f"<table><tr>{head}</tr>{body}</table>".replace("<=", "&le;").replace("+-", "&plusmn;")))

# %%
row = next(row for row in rows if row.name == "digit_vae")
draw = draws()["digit_vae"]
fresh = [quality(draw(1000, torch.Generator().manual_seed(k)), torch.Generator().manual_seed(k))["frechet"] for k in (1, 2, 3)]
print(f"VAE in the table: {row.frechet:.2f} +- {row.frechet_error:.2f}; three fresh draws: "
      + ", ".join(f"~{value:.2f}" for value in fresh))
exact_bits = [row for row in rows if row.kind == "exact" and row.bits_per_dim is not None]
best = {
    "exact bits per dimension": min(exact_bits, key=lambda r: r.bits_per_dim),
    "Fréchet distance": min(rows, key=lambda r: r.frechet),
    "samples a second": max(rows, key=lambda r: r.samples_per_second),
}
for column, row in best.items():
    print(f"best in {column}: {row.name}")
print("exact on the grey levels themselves:", ", ".join(f"{row.name} ({row.family})" for row in exact_bits))

# %% [markdown]
# The VAE's fresh draws lie below the table's value by up to three of its error bars: for these weights one drawing decided the last place; section 7 trains again. Three winners in three
# columns, and since the distances have error bars, a first place may be shared. Call a model *as good as the best* if its
# distance is within two standard errors of the smallest, and grant the three wishes of question 4:

# %%
first = min(rows, key=lambda r: r.frechet)
wishes = {
    "a likelihood or a bound": {r.name for r in rows if r.bits_per_dim is not None},
    "one pass": {r.name for r in rows if r.passes == 1},
    "as good as the best": {r.name for r in rows if r.frechet - first.frechet < 2 * math.hypot(r.frechet_error, first.frechet_error)},
}
for (a, who), (b, too) in itertools.combinations(wishes.items(), 2):
    print(f"{a} and {b}: {', '.join(sorted(who & too))}")
granted = [len(a & b) for a, b in itertools.combinations(wishes.values(), 2)]
check("all three: models", len(set.intersection(*wishes.values())), 0,
      unlike={"the pair that is granted least": min(granted)})

# %% [markdown]
# Every pair, and never the three. One trade-off behind it you have derived: **an exact likelihood against parallel sampling**, unless every
# layer is invertible, and flows pay for that with their architecture. The table does not support the two others that one often reads of
# (Xiao et al. 2022 call the three a trilemma). *Few passes cost coverage*: three one-pass models (flow, VAE, consistency) reach a recall of .91 to .92 where
# the diffusion model with 100 passes has .85. *No likelihood, sharper samples*: the highest precision of the table belongs to a model with a bound, and the
# GAN's is lower. Nor does a better likelihood mean better samples, or the reverse: of the two models with exact bits PixelCNN is better in both,
# and a bound ranks nobody (section 7).

# %% [markdown]
# Choose two columns. Question: is there a pair in which a single model is unbeaten? And which pairs ring the most models?
#
# <details><summary>Answer</summary>
#
# Yes: passes against Fréchet distance (consistency), against samples a second (WGAN) and against training seconds (VAE); and bits against recall
# (masked diffusion, whose bits are a bound). Most models, six, are unbeaten in training seconds against Fréchet distance.
#
# </details>

# %% tags=["keep-output"]
widgets.league_picture()

# %%
from genlab_course.figures import COLOURS as COLOUR
from genlab_course.widgets.landscape import MARK

figure, axes = plt.subplots(1, 2, figsize=(11, 4.0), sharey=True)
for ax, (field, label) in zip(axes, (("passes", "network passes a sample"), ("samples_per_second", "samples a second")), strict=True):
    for row in rows:
        x, left = getattr(row, field), row.name in ("digit_vae", "digit_gan")
        ax.errorbar([x], [row.frechet], [2 * row.frechet_error], fmt=MARK[row.family], color=COLOUR[row.family], markersize=8, elinewidth=1)
        ax.annotate(row.name.removeprefix("digit_"), (x, row.frechet), xytext=(-7 if left else 7, 4), ha="right" if left else "left",
                    textcoords="offset points", fontsize=8.5)  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel=label)
    ax.margins(0.25, 0.08)
axes[0].set_yticks([0.15, 0.2, 0.3, 0.5, 0.8], ["0.15", "0.2", "0.3", "0.5", "0.8"])
axes[0].minorticks_off()
axes[0].set(ylabel="Fréchet distance (less is better)", title="what quality costs in passes (bars: two errors)")
axes[1].set_title("and in time");


# %% [markdown]
# ## 7. It fails
#
# **A text that lies.** Here is a model and what its authors say of it. The reader believes the text; the fingerprint does not.

# %%
class Oracle(torch.nn.Module):
    """Sold as a diffusion model with an exact likelihood."""

    event_shape = (16,)

    def __init__(self):
        super().__init__()
        self.unet = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16))

    def sample(self, n, *, generator=None):
        return self.unet(torch.randn(n, 4, generator=generator))


claim = read("Oracle is a diffusion model. It denoises in 50 steps and reports an exact likelihood through the probability flow ODE.")
(fact,) = fingerprint(subjects.whole("Oracle", Oracle()))
print("the text:   ", ", ".join(claim.paradigms.value), "|", claim.sampling.value, "|", claim.likelihood.value)
print("the sampler:", ", ".join(fact.families), "|", fact.production, "|", fact.kind)
assert not set(claim.paradigms.value) & set(fact.families), "text and measurement agree on a family"

# %% [markdown]
# **Numbers of different kinds in one column.** Sort the table by bits per dimension and the flow stands behind PixelCNN, the VAE behind the
# transformer. Are they worse models? Their numbers are *bounds* (dequantisation in lesson 04, the ELBO in 05): the true value is smaller by
# an unknown amount. A bound below an exact value decides; above it, it decides nothing. The VAE's own bound moves when you only compute it
# more patiently, and that alone is enough to overtake the transformer:

# %%
vae_card = card("digit_vae")["metrics"]
tight, table = vae_card["bits_per_dim_500_draws"], {row.name: row.bits_per_dim for row in rows}
print(f"VAE <= {table['digit_vae']:.3f}, with 500 draws <= {tight:.3f}; transformer = {table['digit_transformer']:.3f}")
check_range("transformer minus the VAE's bound, 500 draws", table["digit_transformer"] - tight, 0.01, 0.06,
            unlike={"the table's bound": table["digit_transformer"] - table["digit_vae"]})

# %% [markdown]
# **A metric read alone.** The distances have error bars of their own. Which neighbours in the table are really apart?

# %%
ordered = sorted(rows, key=lambda r: r.frechet)
for a, b in itertools.pairwise(ordered):
    z = (b.frechet - a.frechet) / math.hypot(a.frechet_error, b.frechet_error)
    print(f"{a.name:<24} {a.frechet:.2f} +- {a.frechet_error:.2f}   next: {b.name:<24} {z:4.1f} standard errors away")

# %% [markdown]
# Two steps of ten exceed two standard errors, and it is tempting to read three classes of quality. But these errors are those of drawing 1,000
# samples from *one* training. Train each recipe again, with its own seed and three or four others, and draw each model three times
# (`benchmarks/league_seeds.py`):
#
# | | diffusion | PixelCNN | GAN | flow | NCSN | WGAN | transformer | EBM | VAE |
# |---|---|---|---|---|---|---|---|---|---|
# | table | .17 | .46 | .56 | .53 | .57 | .78 | .75 | .73 | .83 |
# | mean over trainings | .17 | .44 | .48 | .52 | .58 | .62 | .70 | .72 | .75 |
# | standard deviation over trainings | .01 | .02 | .04 | .01 | .02 | .09 | .11 | .06 | .01 |
#
# One gap survives, that between diffusion and the rest: twelve standard deviations of a difference. Below it is a continuum. Some pairs in it
# are resolved (PixelCNN before the flow, before NCSN, before the VAE); WGAN, from .53 to .75, and the transformer, from .51 to .78, are not. A ranking
# of *recipes* needs several trainings of each. (Consistency and masked diffusion were drawn again, .12 to .24, and not trained again.)
#
# ## 8. The seven systems, placed with evidence
#
# A system is a composition of the parts that you have derived. Each is watched as it samples, stage by stage, and placed by what is counted and
# declared. The networks are untrained and the settings small (12 tokens, a few steps), since places do not depend on the weights or the length;
# so read growth and kind, not the passes themselves. The last column is what the map says.

# %%
from genlab_course.fingerprint import sampling
from genlab_course.fingerprint import SUBJECTS

torch.set_default_dtype(torch.float32)
systems = {name: fingerprint(make()) for name, make in SUBJECTS.items()}
torch.set_default_dtype(torch.float64)
print(f"{'system, stage':<38} passes  x2 length  x2 steps  likelihood  placed")
for name, stages in systems.items():
    title, parts = SYSTEMS[name]
    for f in stages:
        length, steps = ("-" if g is None else f"x{g:.0f}" for g in (f.growth_with_length, f.growth_with_steps))
        print(f"{title + ', ' + f.stage:<38} {f.passes:>6}  {length:<9}  {steps:<8}  {f.kind:<10}  {' or '.join(f.families)}")
    found = sorted({f.families[0] for f in stages})
    assert found == sorted(parts), f"the map says {parts}"

# %% [markdown]
# Text and measurement, a last time. Here is a release of one sentence for each system, as its authors might write it. Does the reader conclude
# from the text the same sampler that the fingerprint of the whole sees?

# %%
TEXTS = {
    "language_model": "A decoder-only language model, trained on next-token prediction.",
    "latent_diffusion": "A variational autoencoder compresses pictures, and a diffusion model denoises its latents in 20 DDIM steps.",
    "glide": "A diffusion model paints small pictures in pixel space; a second diffusion model enlarges them.",
    "stylegan": "A style-based generator, trained against a discriminator with the non-saturating loss and an R1 penalty.",
    "text_to_video": "A spatio-temporal U-Net denoises all frames of a film together, in ten steps.",
    "language_and_image": "A causal language model writes the words one by one; its hidden states steer a diffusion model that paints.",
    "flow_density_estimator": "A normalizing flow of spline coupling layers with an exact likelihood.",
}
for name, text in TEXTS.items():
    said, seen = read(text).sampling.value, sampling(systems[name])
    print(f"{SYSTEMS[name][0]:<28} text: {said:<12} sampler: {seen}")
    assert said in (seen, "cannot tell"), "text and sampler disagree"

# %% [markdown]
# | system | objective | a sample is made | likelihood | it pays with |
# |---|---|---|---|---|
# | language model | next-token cross-entropy | a pass a token, with a cache | exact | latency that grows with the text |
# | latent diffusion | ELBO, then flow matching on codes | a guided loop, one decoder pass | none as trained; a bound is possible | what the decoder has forgotten |
# | GLIDE-style | noise prediction, twice | two loops, small then large | through the ODE, if at all | the most passes |
# | StyleGAN-style | non-saturating game with R1, *not* WGAN-GP | one pass | none | modes: recall below precision |
# | text to video | noise prediction on all frames at once | one loop over the whole film | through the ODE, if at all | memory that grows with the film |
# | language and image | cross-entropy and noise prediction | tokens one by one, then a loop | exact for the words, none for the picture | both bills |
# | flow density estimator | exact log-likelihood | one pass | exact | only invertible layers |
#
# Latent diffusion deserves a second look. Its autoencoder has a bound, but the lab's denoiser is trained on the *means* of the codes with weights
# that belong to no bound, so the whole has no likelihood, and the fingerprint says "none" for it. A bound is *possible* for this architecture,
# if the prior over codes is trained by one (Vahdat et al. 2021); that is what the reader's "bound" stands for.
#
# Look at the hybrids: the map needs no new row for them, only two of its own, and the bill is the sum. The seven labs show
# what the placing predicts, measured: [language model](systems/language_model.ipynb), [latent diffusion](systems/latent_diffusion.ipynb),
# [GLIDE-style diffusion](systems/glide.ipynb), [StyleGAN](systems/stylegan.ipynb), [text to video](systems/text_to_video.ipynb),
# [language and image](systems/language_and_image.ipynb) and the [flow density estimator](systems/flow_density_estimator.ipynb).
#
# Now the map of lesson 01, filled: every model of the course and every stage of every system. Passes are counted, at the settings of this lesson;
# the kind of likelihood is what the object declares.

# %%
heights = {"none": 0, "unnormalised": 1, "bound": 2, "exact": 3}
dots = [(f.passes, f.kind, f.families[-1], name.removeprefix("digit_")) for name, f in every.items()]
dots += [(f.passes, f.kind, f.families[-1], f"{n.replace('_', ' ')}: {f.stage}") for n, stages in systems.items() for f in stages]
figure, ax = plt.subplots(figsize=(10.5, 6.4))
free = {}  # where on a line the next label may begin
for count, kind, family, name in sorted(dots):
    level = next(k for k in range(9) if free.get((kind, k), -1) < math.log10(count))
    free[kind, level] = math.log10(count) + 0.1 + 0.037 * len(name)
    y = heights[kind] + 0.125 * level
    odd = name in ("consistency", "masked_diffusion")
    ax.plot([count], [y], MARK[family], color=COLOUR[family], markersize=8, markeredgecolor="#111111" if odd else COLOUR[family])
    ax.annotate(name, (count, y), xytext=(8, -3), textcoords="offset points", fontsize=9, fontweight="bold" if odd else "normal")
for family, mark in MARK.items():
    ax.plot([], [], mark, color=COLOUR[family], label=family)
ax.set(xscale="log", xlabel="sequential passes for one sample", ylabel="what it knows of $p(x)$", ylim=(-0.2, 3.6), xlim=(0.8, 500))
ax.set_xticks([1, 10, 100], ["1", "10", "100"])
ax.set_yticks(list(heights.values()), list(heights))
ax.set_title("the map, filled (bold: the two odd claims; labs at small settings)")
ax.legend(loc="upper right", bbox_to_anchor=(1.0, 0.52), fontsize=9);

# %% [markdown]
# The left edge is fast and the upper edge is honest about $p(x)$; flows hold the corner, and paid for it with their layers. What the corner
# lacks is quality, which is the third axis of section 6.
#
# ## 9. Lesson 01, again
#
# Lesson 01 asked four questions about five small models of a ring. Ask them of the finished pieces.

# %%
five = ("digit_pixelcnn", "digit_flow", "digit_vae", "digit_gan", "digit_diffusion")
for name in five:
    f = every[name]
    print(f"{name:<16} passes {f.passes:>3}, likelihood: {f.kind}")
bound, tighter = (card("digit_vae")["metrics"][k] for k in ("bits_per_dim", "bits_per_dim_500_draws"))
print(f"3: the VAE says <= {bound:.2f} bits/dim; of that at least {bound - tighter:.2f} are the bound's fault, not the model's")

from genlab.metrics.features import load_classifier

digits = draws()["digit_gan"](1000, torch.Generator().manual_seed(0))
seen = load_classifier()(digits.double()).argmax(1).bincount(minlength=10) / 1000
gan_row = next(row for row in rows if row.name == "digit_gan")
print(f"4: digits of ten that the GAN draws, at least one in fifty: {(seen >= 0.02).sum()}; "
      f"real digits that it reaches: {gan_row.recall:.2f}")

# %% [markdown]
# Passes are what they were, with pixels for coordinates (question 1), and so are the kinds of likelihood, the GAN's by absence (question 2).
# A bound is still no likelihood (question 3). Only the fourth answer is richer: lesson 01's GAN with the usual momentum lost clusters; the
# finished one draws all ten classes, and still misses a quarter of the digits *inside* them. Counting modes was too coarse a question; recall asks a
# finer one. Go back to [lesson 01](01_four_paradigm_map.ipynb) and read the map once more: there should be no word on it that you cannot derive.
#
# ## 10. The course on one page
#
# Made by code from the map, the docstrings of the kernels and the league table, so that it cannot drift from them. To print it:
# `genlab cheatsheet > cheatsheet.md`.

# %%
page = cheat_sheet()

Markdown(page)

# %% [markdown]
# ## 11. What the course has left out, and where to go
#
# - *Systems*: training on many machines, low precision, serving. Next: the source of a serving engine, with section 4 in hand.
# - *Data*: collection, filtering, licences, what a model remembers of people.
# - *Alignment*: fine-tuning from preferences, red-teaming, policy. The estimator is lesson 06's score function; the objective is new.
# - *Modalities*: audio beyond a mention, molecules, 3-D, robotics. The mathematics is the one you know, the architectures are not.
# - *Theory*: sample complexity, why diffusion models generalise at all, and when they memorise.
# - *Neighbours*: Schrödinger bridges, discrete flow matching, stochastic interpolants, flows at scale. Lesson 14 is the door to all four.
#
# For each of them the four questions are the way in: what is minimised, how is a sample made, what does that cost, and what is claimed that
# should not be possible?
#
# ## Predict first, again
#
# 1. Not at all: $\min(p,q)$ and the residual add up to $p$ exactly (steps 6 and 7). A bad draft costs time.
# 2. $\log 2\approx0.693$ nats: the total correlation (step 10).
# 3. This student: with sharpness, precision fell, recall did not (section 5). And with the likelihood and a second training.
# 4. All three pairs are granted; all three wishes, by no model (section 6).
#
# ## Exercises
#
# Replace each `...`; an untouched exercise prints "not attempted". `course.hint("15....")` gives up to three hints. Worked solutions are in `solutions/`.

# %% [markdown]
# Five releases to place:
#
# (a) A text model of 70 billion parameters, trained to predict the next token of two trillion; a key-value cache speeds up generation.
#
# (b) An autoencoder compresses photographs eightfold; a network removes noise from the codes in 50 DDIM steps with classifier-free guidance,
# and the decoder paints the result.
#
# (c) Unlike diffusion models, ours needs no loop: 512 numbers become a face of 1024 pixels. A critic with a gradient penalty is its only teacher.
#
# (d) A language model writes what is to be seen; its hidden states steer a denoiser that works on the pixels directly.
#
# (e) A diffusion model is distilled until one step suffices, and a discriminator joins in the last phase of training.

# %%
families = ...  # for example ["AR", "VAE + flow", "GAN", "flow", "diffusion"]

course.exercise("15.read", families)

# %%
# 100 tokens by a language model, then 30 guided DDIM steps on codes, then the decoder:
evaluations_and_passes = ...  # (network evaluations, sequential passes), both rows of guidance in one batch

course.exercise("15.passes", evaluations_and_passes)


# %%
def replacement(p, q):
    """Law of the token that replaces a refused one; p and q are arrays that sum to 1."""
    ...


course.exercise("15.residual", replacement)


# %%
def tokens_a_pass(kept, k):
    """Expected tokens for one pass of the target, if each of k drafted ones is kept with probability `kept`."""
    ...


course.exercise("15.tokens-a-pass", tokens_a_pass)


# %%
def price_in_nats(joint):
    """KL from a joint law (an n-dimensional array) to what one parallel pass draws."""
    ...


course.exercise("15.price-of-parallel", price_in_nats)


# %%
def placed(passes, share, follows_steps, kind):
    """Name of the family: "autoregressive", "flow", "latent-variable", "adversarial" or "score".

    share: of the positions, new in a pass; follows_steps: passes grow with a dial of steps.
    """
    ...


course.exercise("15.place", placed)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(15)

# %% [markdown]
# ## Summary
#
# 1. Every objective of the course estimates a divergence from the data's law; summed over noise levels with weight $2\sigma$, the Fisher divergence is the forward KL.
# 2. Read in four steps: objective, sampler, costs, place. What does not fit its place is the news.
# 3. A phrase counts only in its scope: negated, compared and past mentions place nothing; a text that does not say gets no answer.
# 4. Watching a sampler needs no text: passes, share of new positions and growth are counted; the dials and the kind of likelihood are declared.
# 5. Speculative decoding keeps the law exactly: $\min(p,q)$ plus the residual is $p$. It pays in thrown-away work.
# 6. Masked diffusion is autoregression averaged over orders; drawing dependent tokens at once costs their total correlation, in nats.
# 7. A consistency function jumps to the end of the path; the boundary condition is built into its scales. It pays with the likelihood, a second
#    training, and here with precision.
# 8. Likelihood, one pass, best samples: each pair is granted by some model, all three by none.
# 9. An exact value and a bound do not share a column without their signs; a bound below an exact value decides, above it nothing. Error bars
#    of drawing are not those of training.
# 10. Seven systems, five cards: nothing in them that you have not derived.
#
# | paradigm | objective | sampler | passes | likelihood | pays |
# |---|---|---|---|---|---|
# | hybrids (this lesson) | one for each part | stages in turn, or a draft and its verifier | the sum of the parts | that of the weakest link | for each of its parts |
#
# **What production systems add.** Tree-shaped drafts and heads that draft for themselves; distillation with a discriminator, which brings
# paradigm 3 back into 4; guidance distilled into one pass; routers and caches. Each of them is a line that the four questions find.
#
# ## Sources
#
# - Bond-Taylor et al. 2021, "Deep Generative Modelling: A Comparative Review" (arXiv:2103.04922): table 1.
# - Leviathan, Kalman and Matias 2023, "Fast Inference from Transformers via Speculative Decoding" (arXiv:2211.17192): algorithm 1, eq. 1, theorem 3.5, appendix A.1.
# - Chen et al. 2023, "Accelerating Large Language Model Decoding with Speculative Sampling" (arXiv:2302.01318): algorithm 2, theorem 1.
# - Song et al. 2023, "Consistency Models" (arXiv:2303.01469): eq. 5 and 7, algorithms 1 and 2.
# - Hoogeboom et al. 2022, "Autoregressive Diffusion Models" (arXiv:2110.02037): eq. 2 and section 3, any order, several tokens at a time.
# - Sahoo et al. 2024, "Simple and Effective Masked Diffusion Language Models" (arXiv:2406.07524): sections 3.2 and 3.5.
# - Watanabe 1960, "Information theoretical analysis of multivariate correlation": eq. 2, the total correlation.
# - Kingma and Gao 2023, "Understanding Diffusion Objectives as the ELBO with Simple Data Augmentation" (arXiv:2303.00848): section 3.
# - Vahdat, Kreis and Kautz 2021, "Score-based Generative Modeling in Latent Space" (arXiv:2106.05931): a bound for the whole.
# - Geng et al. 2025, "Mean Flows for One-step Generative Modeling" (arXiv:2505.13447): abstract.
# - Xiao, Kreis and Vahdat 2022, "Tackling the Generative Learning Trilemma with Denoising Diffusion GANs" (arXiv:2112.07804): figure 1.
