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
# # 15 · The four-paradigm landscape: a clinic for reading releases
#

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import dataclasses
import itertools
import math
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
from IPython.display import HTML, Markdown, display

import genlab_course as course
from genlab.data.digits import from_unit
from genlab.score import cfg_eps, ddim_sample, ddim_timesteps, guided_eps_model
from genlab.score.masked import masked_sample
from genlab.zoo import load_model
from genlab_course.figures import COLOURS, film, show, show_images

course.begin(lesson=15)
generator = torch.Generator().manual_seed(13)
torch.set_default_dtype(torch.float32)
AT = (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 80, 100)


def after(states):
    """The states after AT evaluations, the last one kept."""
    return [states[min(k, len(states) - 1)].reshape(4, 1, 8, 8).float() for k in AT]


def painted():
    """Four digits of each model as they come into being, by evaluations."""
    blank, draw = torch.zeros(4, 1, 8, 8), lambda name: load_model(name).sample(
        4, generator=generator)
    done = draw("digit_pixelcnn").reshape(4, 1, 8, 8).float()
    order = torch.arange(64).reshape(8, 8)
    yield "PixelCNN", after([done * (order < k) for k in range(65)])
    for name, scaled in (("flow", False), ("vae", False), ("gan", True)):
        x = draw(f"digit_{name}")
        yield name.upper() if len(name) < 4 else name, after(
            [blank, from_unit(x, whole=False) if scaled else x])
    diffusion, label = load_model("digit_diffusion"), torch.tensor([2, 0, 8, 5])
    chain = ddim_sample(lambda x, t: diffusion.eps_net(x, t, label),
                        torch.randn(4, 1, 8, 8, generator=generator),
                        ddim_timesteps(100, 100), alphas_bar=diffusion.alphas_bar)
    yield "diffusion", after([8 * (x.clamp(-1, 1) + 1) for x in chain])
    masked = load_model("digit_masked_diffusion")
    hidden = torch.full((4, 1, 8, 8), 17)
    steps = masked_sample(masked.filler, hidden, 16, mask=17, generator=generator)
    seen = [torch.where(x == 17, 5, x) for x in (hidden, *steps)]
    yield "masked diffusion", after(seen)


with torch.no_grad():
    reels = dict(painted())


def frame(k):
    """All six models after AT[k] evaluations, one after the other."""
    figure, axes = plt.subplots(1, 6, figsize=(10.2, 2.1))
    figure.get_layout_engine().set(wspace=0.16)
    for ax, (name, states) in zip(axes, reels.items(), strict=True):
        x = states[k].clamp(0, 16) / 8 - 1  # as colour: one scale for all frames
        show_images(ax, x.expand(-1, 3, -1, -1), n_columns=2, title=name)
    figure.suptitle(f"after {AT[k]} sequential evaluations", fontsize=11)
    return figure


film((frame(k) for k in range(len(AT))), seconds=6, width=760,
     alt="Six models draw four digits each. Flow, VAE and GAN are done after one "
     "evaluation, masked diffusion after 16, PixelCNN writes pixels row by row until "
     "64, and diffusion clears noise until 100.")

# %% [markdown]
# Six models of this course at work. Forget the names: one writes row by row, one clears noise, one fills in pixels anywhere, and the three that are done at once look alike. (We chose the seed: with others, a digit of the diffusion model may end as noise.) **A sampler gives away a lot, though not everything.** But nobody lets you watch the samplers of a company. You get a text, and the text wants to impress you. The
# question of this lesson: *what can you find out about a model from the words of its release, and what does it take to be sure?*
#
# **After this lesson you will be able to**
#
# - *read* any release in four steps, and say of each conclusion whether it was disclosed, inferred, or not said;
# - *place* real releases of 2024 and 2025 on the map of lesson 01, and name the phrase that decides;
# - *measure* where a model stands by watching it sample, and *fool* the measurement;
# - *refuse* comparisons that bounds do not allow;
# - *use* one sheet that holds the course.
#
# It uses every lesson; 02, 05, 12 and 13 most. The two odd claims of the map, *diffusion in one step* and *autoregression in parallel*, have notebooks of their own: [few steps](frontier/few_step.ipynb), and [discrete and parallel](frontier/discrete_and_parallel.ipynb).
#
# About 92 minutes, exercises included; the cells run in 30 seconds.

# %%
course.draw_map(lesson=15, slim=True)

# %% [markdown]
# ## Predict first
#
# Write your answers down. Each question returns, with a number.
#
# 1. Twelve releases of 2024 and 2025: language, images, video, molecules. How many of the twelve *texts* tell you what kind of likelihood the model has?
# 2. Eight guided diffusion steps ask the network for two predictions each. How many sequential calls of the network does that take at least?
# 3. A program has read 1,878 labelled release texts. Of the four releases of section 2 it places one wrongly. How sure is it of that answer: 40, 70 or 95 percent?
#
# ## 1. Four steps
#
# **Step 1. Objective.** What was minimised? **Step 2. Sampler.** How is one sample made: token by token, in one evaluation, in a loop, in stages?
# **Step 3. Costs and likelihood.** What follows from both: what does a sample cost, and what can the model, as trained, say about $p(x)$ (the blank `gives`)? **Step 4. Place.** Put it on the map: five rows for four paradigms, since autoregressive models and flows share one objective, the exact likelihood. A
# claim that does not fit its place is the interesting part of the text.
#
# With each answer, say *how you know*. **Disclosed**: the words are there. **Inferred**: they are not, but the map leaves no other choice. **Not said**: neither. Here is an invented release, and a form filled in by the four steps:
#
# > Tessera turns sentences into pictures. An autoencoder compresses images eightfold; a transformer, trained to predict noise on the codes, draws in 50 guided DDIM
# > steps, and the decoder makes the pixels. Unlike GANs, it needs no discriminator, and it outperforms autoregressive baselines. The weights are open.
#
# ```python
# {
#     "phrase": "trained to predict noise on the codes",   # copied from the text: it decides
#     "objective": ("denoising", "disclosed"),             # or ("ELBO + denoising", "inferred")
#     "sampler": ("two-stage", "disclosed"),               # a loop over codes, then a decoder
#     "gives": ("none", "inferred"),                       # none as trained: section 6
#     "place": ("latent-variable + score", "inferred"),
# }
# ```
#
# This text sets three traps, and you will meet them all day. What follows *unlike* or *outperforms* places nothing. *Transformer* is an architecture, not a paradigm. And *open weights* is a
# fact that does not matter here. The words of the map, for your forms:

# %%
from genlab.map import FAMILIES, LIKELIHOODS, OBJECTIVES, SAMPLERS, SYSTEMS

words = {"objective": OBJECTIVES, "sampler": SAMPLERS, "gives": LIKELIHOODS,
         "place": dict.fromkeys(FAMILIES, "")}
for blank, known in words.items():
    print(f"{blank}:")
    for word, meaning in known.items():
        print(f"    {word:<20} {meaning}".rstrip())
print("everywhere: cannot tell")

# %% [markdown]
# **Your turn 15.1 · five in one line each** *(compute, 5 minutes)*
#
# Name the families of five short descriptions. Use the map's names, or AR, VAE, GAN, flow and diffusion, joined by `+` for a hybrid.
#
# (a) A text model of 70 billion parameters, trained to predict the next token of two trillion; a key-value cache speeds up generation.
#
# (b) An autoencoder compresses photographs eightfold; a network removes noise from the codes in 50 DDIM steps with classifier-free guidance, and the decoder turns the result into pixels.
#
# (c) Unlike diffusion models, ours needs no loop: 512 numbers become a face of 1024 x 1024 pixels. A critic with a gradient penalty is its only teacher.
#
# (d) A language model writes what is to be seen; its hidden states steer a denoiser that works on the pixels directly.
#
# (e) A diffusion model is distilled until one step suffices, and a discriminator joins in the last phase of training.

# %%
families = ...  # for example ["flow", "AR + GAN", "VAE", "VAE + flow", "AR"]

course.exercise("15.read", families)
course.solution("15.read")

# %% [markdown]
# ## 2. The clinic: four releases in full
#
# Now real ones, retold in our own words from the sources that each key lists (for some an abstract, or reports by others). *Not said* means: not in the text before you. Each text has a phrase that points to the wrong family and a fact that does not matter. For every release, **copy the phrase that decides (3 to 25 words; `"cannot tell"` if none does), fill in the four
# blanks with how you know, and write one question to the authors on paper.** If something is wrong, the checker explains the first mistake. The key with its evidence opens after your form is right, or after three calls of `course.hint`.
#
# **Your turn 15.2 · DeepSeek-V3** *(compute, 8 minutes)*

# %% tags=["keep-output"] jupyter={"source_hidden": true}
from genlab.core import last
from genlab_course.exercises.lesson_15 import BLANKS, CLINIC, HOW, NOTHING, parts, shown

display(Markdown(shown("deepseek_v3")))

# %%
deepseek = ...  # {"phrase": "...", "objective": ("...", "disclosed"), "sampler": ...}

course.exercise("15.deepseek-v3", deepseek)
course.solution("15.deepseek-v3")

# %% [markdown]
# <details><summary>After your form is right</summary>
#
# A common mistake here is to go by what is new. Several tokens are predicted at once, which suggests parallel generation. But a draft that is checked from left to right is
# still autoregression. The exactness of that check is proved in [discrete and parallel](frontier/discrete_and_parallel.ipynb).
#
# </details>
#
# **Two rules for hybrids.** One part that has to be inferred makes the blank inferred. An autoencoder's own training may be left out of the objective; if you list an ELBO that no sentence names, the blank is inferred.
# **And one for what comes after.** Reinforcement learning from preferences or from checks is a *reward*. It trains a finished model of any row and moves it to no other, so you may leave it out. (An exact likelihood is then that of the trained policy, no longer an estimate of the data's.)
#
# **Your turn 15.3 · FLUX.1 [schnell]** *(compute, 8 minutes)*

# %% tags=["keep-output"] jupyter={"source_hidden": true}
display(Markdown(shown("flux_schnell")))

# %%
flux = ...

course.exercise("15.flux-schnell", flux)
course.solution("15.flux-schnell")

# %% [markdown]
# <details><summary>After your form is right</summary>
#
# The word *flow* means two things in this field. A **normalizing flow** is an invertible network with an exact likelihood. **Flow matching** and **rectified flow** are regressions on a
# velocity, and stand with the diffusion models. The map keeps them in different rows, and many texts do not.
#
# </details>
#
# **Your turn 15.4 · LLaDA** *(compute, 8 minutes)*

# %% tags=["keep-output"] jupyter={"source_hidden": true}
display(Markdown(shown("llada")))

# %%
llada = ...

course.exercise("15.llada", llada)
course.solution("15.llada")

# %% [markdown]
# <details><summary>After your form is right</summary>
#
# *Language model*, *next token*, *GPT*: words that pull towards the autoregressive row, and none of them says how LLaDA is trained or sampled. The authors name the family, once.
#
# </details>
#
# **Your turn 15.5 · Midjourney V7** *(compute, 8 minutes)*

# %% tags=["keep-output"] jupyter={"source_hidden": true}
display(Markdown(shown("midjourney_v7")))

# %%
midjourney = ...

course.exercise("15.midjourney-v7", midjourney)
course.solution("15.midjourney-v7")

# %% [markdown]
# **Does a program do better?** `genlab read` is a log-linear model of words, letters and 24 hand-written patterns, fitted to 1,878 texts of the **bank** (written for the course: `genlab_course/data/releases.md`). Product names are removed first, so it cannot recognise a product.
# Where its confidence is below a threshold, it abstains: "(unsure)". "None named" is its word for your *cannot tell*: the text names no family. Use it as a *highlighter*: it shows which phrases pull, and in which direction.

# %%
from genlab_course.reader import highlight, read, releases, truth

for key in ("deepseek_v3", "flux_schnell", "llada", "midjourney_v7"):
    answer = read(CLINIC[key]["text"]).paradigms
    # a string in place of families: it abstains
    told = "(unsure)" if isinstance(answer.value, str) else " + ".join(answer.value)
    print(f"{CLINIC[key]['name']:<18} {told or 'none named':<16}"
          f" confidence {answer.confidence:.2f}")
for old, new in (("a language model", "a model"),
                 ("LLaDA is", "LLaDA (large language diffusion with masking) is")):
    edited = read(CLINIC["llada"]["text"].replace(old, new, 1)).paradigms
    print(f"with {new!r}: {' + '.join(edited.value)} ({edited.confidence:.2f})")

# %% tags=["keep-output"] jupyter={"source_hidden": true}
text = " ".join(CLINIC["llada"]["text"].split())
STYLE = "<style>.genlab-reading mark { color: #222222; }</style>"
HTML(f"{STYLE}<div class='genlab-reading'>{highlight(text, read(text))}</div>")

# %% [markdown]
# On LLaDA it is wrong, and nearly certain: 0.95 (question 3), although the text says *a diffusion model*. Strike out *language model*, and it is still wrong. Add the spelled-out name, five words in brackets, and it is right. Look at what it marked (darker: heavier): *language model*, and *autoregressive* and *next token* from what is said of others. Such words *accompany* autoregressive models in the texts it was fitted to. You did better if you asked what was
# minimised. (*Going further* shows how such a model is built, and what it has merely memorised.)
#
# **What do texts disclose?** Here are the keys of all twelve releases of the clinic, counted (eight are in *Going further*). They count our retellings of releases chosen to fill the map: the papers themselves may say more.

# %%
print(f"{'blank':<10} disclosed  inferred not said")
for blank in BLANKS:
    how = Counter(one[blank]["how"][0] for one in CLINIC.values())
    print(f"{blank:<10}", *(f"{how[word]:>9}" for word in HOW))
either = [len(one[blank]["how"]) > 1 for one in CLINIC.values() for blank in BLANKS]
print(f"(the first answer; {sum(either)} of {len(either)} blanks accept a second)")
places = [parts(one["place"]["is"][0]) - {NOTHING} for one in CLINIC.values()]
for family in FAMILIES:
    alone = sum(place == {family} for place in places)
    hybrids = sum(family in place for place in places) - alone
    print(f"{family:<18} alone {alone}, in hybrids {hybrids}")

# %% [markdown]
# Two things to see. Most of these texts name an objective; **one in twelve says what kind of likelihood the model has** (question 1), and for the others you infer it or cannot. And no release belongs to the latent-variable row alone: among those that we found, none samples from a variational autoencoder by itself. Autoencoders serve as the *codec* of something else.
#
# ## 3. Why the objective decides
#
# Why ask for the objective first? Because everything that ties a model to its data is in it. The objectives of the four paradigms looked different; each estimates a distance between the data's distribution $p$ and the model's $q$, and not the same one.
#
# | paradigm | what training brings down | lesson |
# |---|---|---|
# | autoregressive, flow | forward KL, exactly | 03 |
# | latent-variable | forward KL, from above | 05 |
# | adversarial | Jensen-Shannon or Wasserstein, from below, by a discriminator or a critic | 07, 08 |
# | score | Fisher divergence at every noise level | 11 |
#
# Read the second column. *Exactly* promises an exact likelihood, *from above* a bound, *by a discriminator* none. The last row is less plain: summed over all noise levels with the right weight, the Fisher divergence *is* the forward KL, but a network need not be the score of any one density, and lesson 12's plain loss has another weight. (*Going further* computes all four for one pair.)
#
# ## 4. Count instead of reading
#
# A text can claim anything. A sampler can be watched. Put a counter on every layer and sample. What is **counted** belongs to the run:
#
# - **calls** (sequential evaluations): how often the network is run, one call after the other. This sets the latency, as long as a batch takes no more time than a row;
# - **evaluations**: the rows of the batch that belong to one sample, added up over the calls. This is the work;
# - the **fraction of new positions** in a call (in the code: `share`; calls are `passes`): one of $n$ if the model writes token by token, all if it redraws everything;
# - **growth**: what happens to the calls when the output is twice as long, or the number of steps is doubled.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
from matplotlib.colors import ListedColormap


@torch.no_grad()
def new_pixels():
    """For four models: which of 64 pixels are new in which call, (64, calls)."""
    g, hidden = torch.Generator().manual_seed(4), torch.full((1, 1, 8, 8), 17)
    yield "PixelCNN: one by one", torch.eye(64)  # its loop: pixel k in call k
    masked, clear = load_model("digit_masked_diffusion"), load_model("digit_diffusion")
    fill = masked_sample(masked.filler, hidden, 16, mask=17, generator=g)
    noise = torch.randn(1, 1, 8, 8, generator=g)
    chain = ddim_sample(lambda x, t: clear.eps_net(x, t, torch.tensor([3])), noise,
                        ddim_timesteps(100, 40), alphas_bar=clear.alphas_bar)
    for name, states in (("masked\ndiffusion", (hidden, *fill)),
                         ("diffusion: all, again and again", (noise, *chain))):
        both = itertools.pairwise(states)
        yield name, torch.stack([(a != b).flatten() for a, b in both], 1)
    yield "GAN", torch.ones(64, 1)  # one call writes all


marks = dict(new_pixels())
figure, axes = plt.subplots(1, 4, figsize=(10, 3.2), sharey=True,
                            width_ratios=[64, 16, 40, 5])
family = "autoregressive", "score / diffusion", "score / diffusion", "adversarial"
for ax, (name, new), row in zip(axes, marks.items(), family, strict=True):
    ax.imshow(new, cmap=ListedColormap(["#F3F3F3", COLOURS[row]]), vmin=0, vmax=1,
              aspect="auto", interpolation="nearest",
              extent=(0.5, new.shape[1] + 0.5, 64.5, 0.5))
    ax.set(title=name, xlabel="call", xticks=sorted({1, new.shape[1]}))
axes[0].set(ylabel="pixel, row by row", yticks=[1, 64])
show(figure, alt="Four panels of 64 pixels against calls, coloured where new. "
     "PixelCNN: a diagonal over 64 calls. Masked diffusion: scattered dashes over 16 "
     "calls. Diffusion: a full block over 40 calls. GAN: one full column.")

# %% [markdown]
# A column is a call, and colour marks the pixels that are new in it (diffusion and masked diffusion as watched, the other two drawn from their loops). Flow and VAE would look like the GAN.
#
# What is **declared** belongs to the object and is taken on trust: which settings it offers (its **dials**, such as the number of steps), and which likelihood (`log_prob`, `elbo`, or neither). Together they are its **fingerprint**. Count by hand for one model:

# %%
import genlab_course.fingerprint as subjects
from genlab_course import check, check_range, widgets
from genlab_course.fingerprint import fingerprint

pixelcnn, calls = load_model("digit_pixelcnn"), Counter()
note = lambda layer, *_: calls.update([layer])
hooks = [layer.register_forward_hook(note) for layer in pixelcnn.head]
pixelcnn.sample(2, generator=torch.Generator().manual_seed(0))
for hook in hooks:
    hook.remove()
(seen,) = fingerprint(subjects.pixelcnn())
check("PixelCNN: calls by hand = by the fingerprint = pixels",
      [max(calls.values()), seen.passes], [64, 64],
      unlike={"all layers added": [sum(calls.values()), seen.passes]})
print(f"twice the rows of pixels: calls grow by {seen.growth_with_length:.1f}")

# %% [markdown]
# And both counts for 8 guided steps of the digit diffusion (question 2): once with a call for each of the two predictions, once with both in one batch.

# %%
diffusion, label = load_model("digit_diffusion"), torch.tensor([3, 8])
net, no_class = diffusion.eps_net, torch.full((2,), 10)


def in_one_batch(x, t):
    """The guided noise, from one call on twice the rows."""
    eps = net(torch.cat([x, x]), torch.cat([t, t]), torch.cat([no_class, label]))
    return cfg_eps(*eps.chunk(2), guidance_scale=2.0)


def evaluations_and_calls(eps_model):
    """Rows for each of the two samples, and calls, counted at the first convolution."""
    rows = []
    first = next(m for m in net.modules() if isinstance(m, torch.nn.Conv2d))
    hook = first.register_forward_hook(lambda _, given, __: rows.append(len(given[0])))
    start, steps = torch.randn(2, 1, 8, 8), ddim_timesteps(100, 8)
    last(ddim_sample(eps_model, start, steps, alphas_bar=diffusion.alphas_bar))
    hook.remove()
    return [sum(rows) // 2, len(rows)]


in_two_calls = guided_eps_model(net, label, null=10, guidance_scale=2.0)
counts = {"two calls": evaluations_and_calls(in_two_calls),
          "one batch": evaluations_and_calls(in_one_batch)}
for name, (work, wait) in counts.items():
    print(f"{name}: {work} evaluations a sample, in {wait} sequential calls")
check("8 guided steps in one batch: evaluations, sequential", counts["one batch"],
      [16, 8], unlike={"in two calls": counts["two calls"]})

# %% [markdown]
# **Your turn 15.6 · the bill of a hybrid** *(compute, 3 minutes)*
#
# A language model writes 100 tokens. A denoiser then takes 30 guided DDIM steps on codes, both predictions of a step in one batch, and a decoder turns the codes into an image. How many evaluations does one image take, and how many sequential calls?

# %%
bill = ...  # (evaluations, calls)

course.exercise("15.passes", bill)
course.solution("15.passes")


# %% [markdown]
# **Your turn 15.7 · the last column** *(repair, 8 minutes)*
#
# Can the family be computed from the fingerprint? A first attempt is below. It misplaces three kinds of model: a text model whose interface hides its likelihood, a
# distilled model run with one step, and a diffusion model sold with the exact likelihood of its ODE. Repair it. `calls` is the number of sequential calls; `fraction` is the fraction of positions that are new in a call; `follows_steps` says whether the calls grow with a dial of steps; `kind` is one
# of `exact`, `bound`, `unnormalised`, `none`. Your function fills the table below.

# %%
def broken(calls, fraction, follows_steps, kind):
    """Family by two facts."""
    if calls > 1:
        return "autoregressive" if kind == "exact" else "score"
    return {"exact": "flow", "bound": "latent-variable"}.get(kind, "adversarial")


def my_place(calls, fraction, follows_steps, kind):
    """One of autoregressive, flow, latent-variable, adversarial, score."""
    ...


course.exercise("15.place", my_place)
place = course.yours("15.place")
course.solution("15.place")

# %%
every = {}
head = "model", "calls", "fraction", "x2 length", "x2 steps"
print("{:<23}{:>6}{:>10}{:>11}{:>10}".format(*head), " likelihood    placed")
for make, where in (*subjects.LESSONS, *subjects.ODD_CLAIMS):
    subject = make()
    (f,) = fingerprint(subject)
    fraction = 1.0 if math.isnan(f.share) else f.share
    found = place(f.passes, fraction, f.follows_steps, f.kind)
    every[subject.name] = (f, found)
    growth = f.growth_with_length, f.growth_with_steps
    length, steps = (f"x{g:.1f}" if g else "-" for g in growth)
    print(f"{subject.name:<23}{f.passes:>6}{fraction:>10.3f}{length:>11}{steps:>10}"
          f"  {f.kind:<13} {found}")
    assert where.startswith(found), f"the lessons place it at {where}"

# %% [markdown]
# Columns 2 to 5 are counted (of one call the fraction is 1 by definition; a dash: nothing longer, or no dial, is declared), the sixth is declared, the last is computed by the function. Every model lands where its lesson put it; the rule was written with them in view. The distilled model takes one call and reveals itself only by its dial, and masked diffusion writes each pixel once, like PixelCNN (whose 0.013 is less than 1/64 because a pixel drawn black looks unchanged), while its calls follow the dial. (`digit_flow` is asked for the density before rounding, which is exact; of whole pixels it gives a bound.)
#
# But the likelihood, and whether a dial is offered at all, are only declared: the program only looks for a method `log_prob` or `elbo`, so what an ODE could give counts as `none`. **What is declared can be false.**
#
# **Your turn 15.8 · three disguises** *(predict, 3 minutes)*
#
# Predict what the function says of (a) the course's GAN, sold with a dial of steps that runs the generator several times and returns the last picture; (b) the distilled model, sold without its dial; (c) the flow, sold by someone who hides `log_prob`. Write the three families, then run the cell below.

# %%
disguises = ...  # three of autoregressive, flow, latent-variable, adversarial, score

course.exercise("15.disguises", disguises)

# %% jupyter={"source_hidden": true}
gan = load_model("digit_gan")


def gan_with_dial(n_steps=2):
    """A generator that is run n_steps times; only the last picture is kept."""
    draw = lambda n, g: [gan.sample(n, generator=g) for _ in range(n_steps)][-1]
    stages = (subjects.Stage("model", gan, gan.event_shape, gan),)
    return subjects.Subject("GAN with a dial", stages, draw,
                            more_steps=lambda: gan_with_dial(2 * n_steps))


def without_likelihood():
    """The flow, declared as an object that owns no log_prob."""
    open_one = subjects.flow()
    silent = dataclasses.replace(open_one.stages[0], model=object())
    return dataclasses.replace(open_one, stages=(silent,))


sold = {"(a) GAN with a dummy dial": gan_with_dial(),
        "(b) distilled, dial removed": dataclasses.replace(
            subjects.consistency(), more_steps=None),
        "(c) flow, log_prob hidden": without_likelihood()}
for name, subject in sold.items():
    (f,) = fingerprint(subject)
    fraction = 1.0 if math.isnan(f.share) else f.share
    print(f"{name:<28} calls: {f.passes}, {f.kind:<6} placed: "
          f"{place(f.passes, fraction, f.follows_steps, f.kind)}")

# %% [markdown]
# All three are misplaced, and no number was miscounted. Honest models can be, too: an autoregressive flow (lesson 04) would be placed with PixelCNN, a continuous flow with score, a flow of whole pixels with the VAE. (The function answers one family, the usual one; `genlab.map.place` lists all that agree.) So a fingerprint is evidence about *how a sample is made*, and hearsay about everything else. (About sampling, counting can expose a false claim: *Going further* catches one.)
#
# ## 5. It fails: numbers of different kinds
#
# Reading and counting give you a place. Now suppose you get a table of numbers as well, sorted by bits per dimension, and the VAE stands behind the transformer. Is it the worse model? Its number is a *bound* (lesson 05): the true value is smaller by an unknown amount. **On the same data, a bound below an exact value ranks the two; one above it does not.** The VAE's own bound moves when it is computed with 500 draws, not one:

# %%
from genlab_course.rows import card

vae, writer = (card(f"digit_{name}")["metrics"] for name in ("vae", "transformer"))
print(f"VAE: <= {vae['bits_per_dim']:.3f} with one draw of the code, "
      f"<= {vae['bits_per_dim_500_draws']:.3f} with 500")
print(f"transformer: = {writer['bits_per_dim']:.3f}")
check_range("transformer minus the VAE's bound, 500 draws",
            writer["bits_per_dim"] - vae["bits_per_dim_500_draws"], 0.01, 0.06,
            unlike={"with one draw": writer["bits_per_dim"] - vae["bits_per_dim"]})

# %% [markdown]
# Nothing about *this* model changed, and it overtook *this* transformer (in the league of *Going further*, five trainings of the transformer spread over 0.03, as much as the gap). The repair is a habit: write the sign before the number. **Two exact values can be ranked, and a bound that lies below an exact value; two bounds cannot.**
#
# ## 6. The seven systems
#
# A system is a composition of parts that you have derived. Each lab is watched as it samples, stage by stage. The networks are untrained and the settings small (12 tokens, a few steps), since the place does not depend on weights or
# length: read growth and kind, not the counts themselves. (*Language and image* is guided in three of its five steps: 8 evaluations in 5 calls.)

# %%
systems = {name: fingerprint(make()) for name, make in subjects.SUBJECTS.items()}
head = "system, stage", "evaluations", "calls", "x2 length", "x2 steps"
print("{:<36}{:>12}{:>7}{:>11}{:>10}".format(*head), " likelihood  placed")
for name, stages in systems.items():
    title, made_of = SYSTEMS[name]
    for f in stages:
        fraction = 1.0 if math.isnan(f.share) else f.share
        found = place(f.passes, fraction, f.follows_steps, f.kind)
        growth = f.growth_with_length, f.growth_with_steps
        length, steps = (f"x{g:.0f}" if g else "-" for g in growth)
        print(f"{title + ', ' + f.stage:<36}{f.evaluations:>12}{f.passes:>7}"
              f"{length:>11}{steps:>10}  {f.kind:<11} {found}")
    assert sorted({f.families[0] for f in stages}) == sorted(made_of), f"{made_of}"

# %% [markdown]
# | system | objective | a sample is made | likelihood | it pays with |
# |---|---|---|---|---|
# | [language model](systems/language_model.ipynb) | next-token cross-entropy | a call a token, with a cache | exact | latency that grows with the text |
# | [latent diffusion](systems/latent_diffusion.ipynb) | ELBO, then flow matching on codes | a loop over codes, one decoder call | at most a bound; none as trained | detail that the encoder drops |
# | [GLIDE-style](systems/glide.ipynb) | noise prediction, twice | two loops, small then large | through the ODE, if at all | two loops of evaluations |
# | [StyleGAN-style](systems/stylegan.ipynb) | non-saturating game with R1 | one call | none | modes: recall below precision |
# | [text to video](systems/text_to_video.ipynb) | noise prediction on all frames at once | one loop over the whole video | through the ODE, if at all | memory that grows with the video |
# | [language and image](systems/language_and_image.ipynb) | cross-entropy and noise prediction | tokens one by one, then a loop | exact for the words, none for the picture | both costs |
# | [flow density estimator](systems/flow_density_estimator.ipynb) | exact log-likelihood | one call | exact | only invertible layers |
#
# A hybrid needs no new row: it stands in several, its costs add up, and it has **at most the likelihood of its weakest part**. Latent diffusion shows why *at most*. Its autoencoder has a bound with a normal prior, and the whole would have one with the denoiser's own bound (lesson 12) in that prior's place (Vahdat et al. 2021 train it so). The usual recipe trains the parts apart (and a product's decoder by perceptual and adversarial losses, which define no density), so the cards say *none*.
#
# Here are two columns of lesson 01's map, sampler and likelihood, as axes, filled with what was counted and declared; the colour is the row. Two places were not counted: the ancestral chain (*diffusion*) has no dial, and its $T$ steps are known; the writer of *language and image* was not run at twice the length.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
columns = ("one call", "calls follow the length", "calls follow steps")
kinds = ("exact", "bound", "unnormalised", "none")
cells_of = {}
proper = {"gan": "GAN", "wgan": "WGAN", "vae": "VAE", "ebm": "EBM", "ncsn": "NCSN",
          "pixelcnn": "PixelCNN"}
plain = lambda name: proper.get(
    found := name.removeprefix("digit_"), found.replace("_", " "))
drawn = [(plain(name), f, found) for name, (f, found) in every.items()]
drawn += [(f"{SYSTEMS[n][0].split('-style')[0]}: {f.stage}", f, place(
    f.passes, 1.0 if math.isnan(f.share) else f.share, f.follows_steps, f.kind))
    for n, stages in systems.items() for f in stages]
for name, f, found in drawn:
    across = 2 if f.follows_steps else 0 if f.passes == 1 else 1
    if across == 1 and found == "score":
        across = 2  # the ancestral chain: T steps, for any length
    cells_of.setdefault((across, f.kind), []).append((name, found))
figure, ax = plt.subplots(figsize=(10, 5.6))
colour = {family.split(" ")[0]: c for family, c in COLOURS.items()}
in_cell = lambda across, kind: cells_of.get((across, kind), [])
heights = [max(1, *(len(in_cell(c, kind)) for c in range(3))) for kind in kinds]
top = 0.0
for kind, height in zip(kinds, heights, strict=True):
    for across in range(3):
        for k, (name, found) in enumerate(in_cell(across, kind)):
            y = -top - k - 0.5
            ax.plot(across + 0.06, y, "s", color=colour[found], markersize=7)
            ax.text(across + 0.11, y, name, va="center", fontsize=10.5)
    ax.text(-0.03, -top - height / 2, kind, ha="right", va="center", fontsize=10)
    top += height
    ax.axhline(-top, color="#BBBBBB", linewidth=0.8)
for across, title in enumerate(columns):
    ax.text(across + 0.04, 0.45, title, fontsize=11, fontweight="bold")
    ax.plot([across, across], [0.7, -top], "-", color="#BBBBBB", linewidth=0.8)
for family, c in colour.items():
    ax.plot([], [], "s", color=c, markersize=7, label=family)
ax.legend(ncol=5, loc="lower center", bbox_to_anchor=(0.5, -0.03), frameon=False)
ax.set_title("One call and an exact likelihood: only flows", fontsize=12)
ax.set(xlim=(-0.35, 3.05), ylim=(-top - 1.2, 1))
ax.set_axis_off()
show(figure, alt="A table of all models: one call, calls that follow the length, calls "
     "that follow a dial, against exact, bound, unnormalised and no likelihood. Only "
     "flows stand at one call with an exact likelihood.")

# %% [markdown]
# Only flows combine one call with an exact likelihood. (*Consistency* takes one call, too, but its calls follow a dial.)
#
# ## 7. The course on two pages
#
# This sheet is generated from the map and the models' cards. To print it: `genlab cheatsheet > cheatsheet.md`. The equations have a sheet of their
# own: `genlab cheatsheet --equations`.

# %%
from genlab_course.cheatsheet import cheat_sheet

Markdown(cheat_sheet())

# %% [markdown]
# ## Predict first, again
#
# 1. One: LLaDA's text says that its loss is a bound. (Two, if you count TarFlow's *likelihood estimation*.) For the others you have to infer the kind, or cannot (section 2).
# 2. Sixteen evaluations, in eight sequential calls if the two predictions share a batch (section 4).
# 3. 95 percent. It takes LLaDA for an autoregressive model, although the text says *a diffusion model* (section 2).

# %% [markdown]
# ## Going further: eight more releases
#
# The same form, eight times: images, text with images, molecules and video.

# %% [markdown]
# **Your turn · VAR** *(compute, 8 minutes)*

# %%
display(Markdown(shown("var")))
card_of_var = ...
course.exercise("15.var", card_of_var)
course.solution("15.var")

# %% [markdown]
# **Your turn · Transfusion** *(compute, 8 minutes)*

# %%
display(Markdown(shown("transfusion")))
card_of_transfusion = ...
course.exercise("15.transfusion", card_of_transfusion)
course.solution("15.transfusion")

# %% [markdown]
# **Your turn · R3GAN** *(compute, 8 minutes)*

# %%
display(Markdown(shown("r3gan")))
card_of_r3gan = ...
course.exercise("15.r3gan", card_of_r3gan)
course.solution("15.r3gan")

# %% [markdown]
# **Your turn · TarFlow** *(compute, 8 minutes)*

# %%
display(Markdown(shown("tarflow")))
card_of_tarflow = ...
course.exercise("15.tarflow", card_of_tarflow)
course.solution("15.tarflow")

# %% [markdown]
# **Your turn · AlphaFold 3** *(compute, 8 minutes)*

# %%
display(Markdown(shown("alphafold3")))
card_of_alphafold3 = ...
course.exercise("15.alphafold3", card_of_alphafold3)
course.solution("15.alphafold3")

# %% [markdown]
# **Your turn · MeanFlow** *(compute, 8 minutes)* (afterwards: [few steps](frontier/few_step.ipynb) derives its loss.)

# %%
display(Markdown(shown("meanflow")))
card_of_meanflow = ...
course.exercise("15.meanflow", card_of_meanflow)
course.solution("15.meanflow")

# %% [markdown]
# **Your turn · Wan2.1** *(compute, 8 minutes)*

# %%
display(Markdown(shown("wan")))
card_of_wan = ...
course.exercise("15.wan", card_of_wan)
course.solution("15.wan")

# %% [markdown]
# **Your turn · Sora 2** *(compute, 8 minutes)*

# %%
display(Markdown(shown("sora2")))
card_of_sora2 = ...
course.exercise("15.sora2", card_of_sora2)
course.solution("15.sora2")

# %% [markdown]
# **More of them.** The widget deals more texts of the bank. Its labels call a latent diffusion *bound*, since its codec has a bound; our cards call it *none*, since the usual recipe, as trained, has no bound of the whole (section 6). Where a codec is one part of a hybrid, the widget takes either. After ten texts: which step do you
# get wrong most often, and which answer do you give instead?

# %% tags=["keep-output"]
widgets.clinic(seed=15)

# %% [markdown]
# <details><summary>For comparison</summary>
#
# There is no key to this question but your own score. `genlab read`, when it must answer every test text, is right on the objective in 77 %, on the sampler in 81 %, on the likelihood in 84 % (as the bank labels it) and on all the families at once in 79 % of them (quoted from its card).
#
# </details>

# %% [markdown]
# ## Going further: a reader of your own, and what it has memorised
#
# Can a program learn to read releases? Begin with fifteen rules that anybody can check. Each is a pattern and a family; a text gets the families of all patterns that occur in it.

# %%
import re

RULES = {
    r"next[- ](token|word)|autoregressive|language model": "autoregressive",
    r"token by token|left to right|causal": "autoregressive",
    r"normali[sz]ing flow|coupling layer": "flow",
    r"invertible|jacobian": "flow",
    r"change of variables|exact likelihood": "flow",
    r"\bvae\b|autoencoder": "latent-variable",
    r"\belbo\b|evidence lower bound|posterior": "latent-variable",
    r"codebook|vector[- ]quanti": "latent-variable",
    r"latent": "latent-variable",
    r"discriminator|\bgans?\b|adversarial": "adversarial",
    r"critic|wasserstein|minimax": "adversarial",
    r"diffusion|denois": "score / diffusion",
    r"score matching|langevin|energy[- ]based": "score / diffusion",
    r"flow matching|rectified flow": "score / diffusion",
    r"noise schedule|guidance": "score / diffusion",
}
hit = lambda rule, text: re.search(rule, text.lower())
by_rules = lambda text: tuple(
    f for f in FAMILIES if any(f == RULES[r] and hit(r, text) for r in RULES))
families_of = lambda row: tuple(f for f in FAMILIES if f in truth(row, "paradigms"))
train, test, aside = (releases(part) for part in ("train", "test", "aside"))
right = np.mean([by_rules(row["text"]) == families_of(row) for row in test])
print(f"fifteen rules: exactly the right families in {right:.1%} of {len(test)} texts")
for key in ("deepseek_v3", "llada", "tarflow", "r3gan"):
    print(f"    {CLINIC[key]['name']:<12}", " + ".join(by_rules(CLINIC[key]["text"])))

# %% [markdown]
# Break them: *multi-head latent attention* makes DeepSeek-V3 a latent-variable model, *compares favourably with diffusion models* makes R3GAN a diffusion model. Each repair is one more rule, and the next text needs another.
#
# So let a program weigh all words. A linear model of words and pairs of words takes ten lines. How good is it? Here it is measured in two ways: on **random** test texts from all 2,579, and on the 358 about **systems** that occur in no training text.

# %%
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC


def linear_reader(rows):
    """Fitted words and weights of the rows."""
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    x = words.fit_transform([row["text"] for row in rows])
    return words, LinearSVC(random_state=0).fit(
        x, [" + ".join(families_of(row)) for row in rows])


def hits(model, rows):
    """Which of the rows get exactly the right families."""
    words, weights = model
    said = weights.predict(words.transform([row["text"] for row in rows]))
    return said == np.array([" + ".join(families_of(row)) for row in rows])


fitted = linear_reader(train)
apart = hits(fitted, test)
off = Counter()  # texts about one system err together
for row, right in zip(test, apart, strict=True):
    off[row["system"]] += right - apart.mean()
error = sum(v**2 for v in off.values()) ** 0.5 / len(apart)
splits = []
for seed in range(3):
    shuffled = np.random.default_rng(seed).permutation(len(train + test + aside))
    mixed = [(train + test + aside)[k] for k in shuffled]
    some, others = mixed[: len(test)], mixed[len(test) : len(test) + len(train)]
    splits.append((others, some, hits(linear_reader(others), some)))
accuracy = [found.mean() for *_, found in splits]
print(f"systems apart:  ~{apart.mean():.1%}, standard error over {len(off)} systems "
      f"~{error:.1%}")
print(f"random splits:  ~{np.mean(accuracy):.1%}, standard deviation over "
      f"{len(accuracy)} splits ~{np.std(accuracy, ddof=1):.1%}")


# %% [markdown]
# The random split looks better, with the same amount of training text. Which is the number for the next release? Look at the data before you decide: many texts describe the *same* system in other words.
#
# **Your turn · leakage** *(build, 10 minutes)*
#
# Each row has a key `system`. Write the fraction of test texts whose system is also described by a training text.

# %%
def my_leaked(train, test):
    """Fraction of the test rows whose system occurs among the training rows."""
    ...


course.exercise("15.leakage", my_leaked)
leaked = course.yours("15.leakage")
course.solution("15.leakage")

# %%
print(f"leaked, systems apart: {leaked(train, test):.0%}")
rng, gaps, control = np.random.default_rng(0), [], []
for seed, (others, some, found) in enumerate(splits):
    known, asked = ({row["system"] for row in rows} for rows in (others, some))
    met = np.array([row["system"] in known for row in some])
    print(f"random split {seed}: leaked {leaked(others, some):.0%}; right on these "
          f"~{found[met].mean():.0%}, on others ~{found[~met].mean():.0%}")
    without = [row for row in others if row["system"] not in asked]
    fewer = [others[k] for k in rng.permutation(len(others))[: len(without)]]
    again, same = (hits(linear_reader(rows), some)[met].mean()
                   for rows in (without, fewer))
    print(f"    refitted without texts about them ~{again:.0%}, "
          f"without as many others ~{same:.0%}")
    gaps.append(found[met].mean() - again)
    control.append(found[met].mean() - same)
check_range("what texts about the same systems add, least of three splits", min(gaps),
            0.07, 0.25, digits=2, unlike={"as many other texts": max(control)})

# %% [markdown]
# On systems it has met, the program is right about nine times in ten, on new ones about three in four. And those that it has met are no easier: fitted without the texts about them, it is right on about three in four of them, too, while leaving out as many other texts costs little. A release of next month is a new system, so the split by system is the honest one.
#
# **What has it learned?** The largest weights are readable, and some are shortcuts: *model*, *attention* name no family.

# %%
vocabulary, weights = fitted
names = vocabulary.get_feature_names_out()
for label in ("autoregressive", "adversarial", "flow", "score / diffusion"):
    row = weights.coef_[list(weights.classes_).index(label)]
    print(f"{label:<18}", ", ".join(names[k] for k in row.argsort()[::-1][:5]))

# %% [markdown]
# **When should it speak?** `genlab read` is a larger relative, its confidence calibrated on texts of the bank, and its threshold is a choice. Its card holds the curve.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
reader_card = card("reader")
figure, ax = plt.subplots(figsize=(7, 3))
for field, curve in reader_card["curve"].items():
    ends = {tuple(point): None for point in curve}  # the last: it answers every text
    ends[1.0, reader_card["metrics"][field]["forced"]] = None
    label = {"paradigms": "place", "sampling": "sampler"}
    ax.plot(*np.array(sorted(ends)).T, color="0.25", label=label.get(field, field))
ax.set(xlabel="fraction of the test texts that are answered",
       ylabel="right, of the answers", ylim=(0.7, 1.0),
       title="The more texts it answers, the more answers are wrong")
ax.legend(fontsize=9)
show(figure, alt="Accuracy falls from 97 percent or more when a tenth of the texts is "
     "answered to between 77 and 84 percent when all are, one curve for each blank.")

# %% [markdown]
# And the twelve releases of the clinic. (The training texts describe R3GAN, and LLaDA-V, which is built on LLaDA.) The reader's *place* first, then what the key accepts:

# %%
for one in CLINIC.values():
    answer = read(one["text"]).paradigms
    told = "(unsure)" if isinstance(answer.value, str) else " + ".join(answer.value)
    print(f"{one['name']:<18} {told or 'none named':<34} "
          f"key: {', or '.join(one['place']['is'])}")

# %% [markdown]
# Seven are right (two of them *none named*), one is wrong, and four times it is unsure, even on R3GAN. Paste a text of your own. Which phrases does it mark, and would you have marked them?

# %% tags=["keep-output"]
widgets.release_reader(" ".join(CLINIC["meanflow"]["text"].split()))

# %% [markdown]
# ## Going further: four distances, computed
#
# Section 3 says which distance each objective estimates. Take one pair, $p=\mathcal N(0,1)$ and $q=\mathcal N(m, 1)$, and compute all four. On one side stands a closed form or a definition, on the other the form in which the paradigm meets it: an average log-ratio, the value of the best discriminator, the area between the distribution functions (possible in one dimension only; a critic stands in for it), a sum over noise levels.

# %%
from genlab.core.stats import integrate, normal_log_prob
from genlab.oracles import Gaussian
from genlab.oracles.continuous import kl_gaussian

torch.set_default_dtype(torch.float64)  # exact numbers
m, grid = 0.7, torch.linspace(-12, 12, 24_001)
log_p, log_q = normal_log_prob(grid, 0.0, 1.0), normal_log_prob(grid, m, 1.0)
p, q = log_p.exp(), log_q.exp()
normal = lambda mean, variance: Gaussian(torch.tensor([mean]), variance * torch.eye(1))
closed = kl_gaussian(normal(0.0, 1), normal(m, 1))
check("forward KL: average log-ratio, closed form",
      integrate(p * (log_p - log_q), grid), closed, atol=1e-9,
      unlike={"KL to a q of twice the variance":
              kl_gaussian(normal(0.0, 1), normal(m, 2))})

best = (log_p - log_q).sigmoid()  # D*, lesson 07
value_of = lambda d: integrate(p * d.log() + q * (1 - d).log(), grid)
middle = ((p + q) / 2).log()
js = 0.5 * integrate(p * (log_p - middle) + q * (log_q - middle), grid)
check("value of the best discriminator = 2 JS - log 4", value_of(best),
      2 * js - math.log(4), atol=1e-9, unlike={
          "a discriminator twice as sure": value_of((2 * (log_p - log_q)).sigmoid())})

step = grid[1] - grid[0]
w1 = (p.cumsum(0) - q.cumsum(0)).abs().sum() * step**2
check("W1: distribution functions, closed form m", w1, m, atol=1e-4,
      unlike={"between the densities": (p - q).abs().sum() * step})

levels = torch.logspace(-3, 4, 4001)
fisher = (m / (1 + levels**2)) ** 2 / 2  # half the mean square of the scores' gap
check("KL = sum of Fisher divergences over noise",
      integrate(2 * levels * fisher, levels), closed, atol=1e-4,
      unlike={"weight 1": integrate(fisher, levels)})

# %% [markdown]
# The last line is an identity of lesson 11: summed over all noise levels with weight $2\sigma$, half the mean squared gap between the *scores* of $p$ and $q$, noised alike, *is* the forward KL. In a regression on the *noise*, whose error is $\sigma$ times the score's, it becomes the squared error with weight $1/\sigma$, which is uniform in $\log\sigma$. A network need not be the score of any one density. For the samples of its reverse SDE, the sum is then an upper bound on the KL, apart from the mismatch at the start (Song et al. 2021); lesson 12's plain loss has another weight.

# %% [markdown]
# ## Going further: a claim that counting refutes
#
# Here is an object, and what its seller says of it.

# %%
torch.set_default_dtype(torch.float32)


class Oracle(torch.nn.Module):
    """Sold as a diffusion model with an exact likelihood."""

    event_shape = (16,)

    def __init__(self):
        super().__init__()
        layers = torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 16)
        self.unet = torch.nn.Sequential(*layers)

    def sample(self, n, *, generator=None):
        return self.unet(torch.randn(n, 4, generator=generator))


claim = read("Oracle is a diffusion model. It denoises in 50 steps and reports an "
             "exact likelihood through the probability flow ODE.")
(fact,) = fingerprint(subjects.whole("Oracle", Oracle()))
print("the text says:   ", claim.sampling.value, "| likelihood", claim.likelihood.value)
print("the counter says:", fact.production, "| likelihood, declared:", fact.kind)
assert fact.passes == 1, "no loop, whatever the text says"

# %% [markdown]
# The count refutes the 50 steps, and leaves the family open.

# %% [markdown]
# ## Going further: the league of the recipes
#
# Eleven recipes were trained on the same 1,397 digits and are evaluated on others: the bits on 200, the rest on 400. **Five trainings each**, from five seeds, all else equal (`benchmarks/league.py` repeats it in half an hour). A cell is their mean ± standard deviation, the luck of drawing 1,000 samples included. *Evaluations* are the rows that a network computes for one sample, *sequential* its calls.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
from genlab_course.league import COLUMNS, cells, load_league

rows = load_league()
top_row = "".join(f"<th>{name}</th>" for name in COLUMNS)
tilde = lambda c: (*c[:8], f"~{c[8]}", *c[9:])  # speeds depend on the machine
lines = ("".join(f"<td>{cell}</td>" for cell in tilde(cells(row))) for row in rows)
body = "".join(f"<tr>{line}</tr>" for line in lines)
table = f"<table><tr>{top_row}</tr>{body}</table>"
HTML(table.replace("<=", "&le;").replace("+-", "&plusmn;"))

# %% [markdown]
# Which differences are more than luck? Ask for complete separation: *every* training of one recipe below *every* training of the other. Two equally good recipes would be separated, one way or the other, in 2 of the $\binom{10}{5}=252$ orders of their ten numbers. **Predict** before you run: order the eleven recipes by their mean distance. How many of the ten pairs of neighbours are separated?

# %%
short = lambda row: plain(row.name)
below = lambda a, b: max(a) < min(b)
ordered = sorted(rows, key=lambda row: np.mean(row.frechet))
for a, b in itertools.pairwise(ordered):
    if below(a.frechet, b.frechet):
        gap = min(b.frechet) - max(a.frechet)
        print(f"separated neighbours: {short(a)} below {short(b)}, by {gap:.4f}")
pairs = list(itertools.combinations(ordered, 2))
print(f"of all {len(pairs)} pairs:", sum(below(a.frechet, b.frechet) for a, b in pairs))

# %% [markdown]
# Now three wishes: a likelihood or a bound, one evaluation, a place among the three best. Which can be had together?

# %%
front, rest = ordered[:3], ordered[3:]
wishes = {
    "a likelihood or a bound": {short(r) for r in rows if r.bits_per_dim},
    "one evaluation": {short(r) for r in rows if r.evaluations == 1},
    "among the three best": {short(r) for r in front},
}
granted = []
for (a, who), (b, too) in itertools.combinations(wishes.items(), 2):
    granted.append(len(who & too))
    print(f"{a} and {b}: {', '.join(sorted(who & too))}")
check("all three wishes: models", len(set.intersection(*wishes.values())), 0,
      unlike={"the pair that is granted least": min(granted)})
by_name = {short(row): row for row in rows}
check_range("three best against the rest: gap between the nearest two trainings",
            min(min(r.frechet) for r in rest) - max(max(r.frechet) for r in front),
            0.1, 0.3, digits=2, unlike={"consistency and diffusion": min(
                by_name["diffusion"].frechet) - max(by_name["consistency"].frechet)})

# %% jupyter={"source_hidden": true}
from genlab_course.widgets.landscape import MARK

figure, ax = plt.subplots(figsize=(8.5, 4.2))
for y, row in enumerate(reversed(ordered)):
    ax.plot(row.frechet, [y] * 5, MARK[row.family], color=COLOURS[row.family],
            markersize=9, alpha=0.65, linestyle="", label=row.family)
ends = max(max(row.frechet) for row in front), min(min(row.frechet) for row in rest)
ax.axvspan(*ends, color="#EEEEEE")
names = [f"{short(row)} ({row.passes})" for row in reversed(ordered)]
ax.set_yticks(range(len(rows)), names)
ax.set_ylabel("recipe (sequential evaluations)")
ax.set(xlabel="Fréchet distance (lower is better)", xlim=(0, 0.95),
       title="Five trainings of each recipe: one gap that none of them crosses")
families = dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
ax.legend(families.values(), families.keys(), ncols=5, loc="upper center", fontsize=9,
          bbox_to_anchor=(0.4, -0.16), frameon=False)
show(figure, alt="One line of five marks a recipe, its sequential evaluations in "
     "brackets. Consistency (1), diffusion (100) and masked diffusion (16) lie between "
     "0.13 and 0.24; all others between 0.39 and 0.87, their lines overlapping.")

# %% [markdown]
# Of the ten pairs of neighbours two are separated, one of them by 0.0003. Recipes farther apart are separated more often (36 of all 55 pairs): PixelCNN lies below six of the seven after it, though below WGAN by 0.0001 only. One training would have misled you: the five GANs alone reach from 0.40 to 0.73.
#
# - **One gap, and it does not separate families.** The three recipes before it are the only U-Nets and the only ones with averaged weights, and two of them are given labels. NCSN and EBM, of the same family, lie behind it. A league of recipes does not rank paradigms.
# - **Three wishes.** Any two can be had; no recipe has all three. (The *trilemma* of Xiao et al. 2022 is another: quality, coverage and speed. Here the student has all three.)
# - **Few evaluations.** The one-step student's recall (0.88 to 0.91) is above that of the diffusion model with a hundred evaluations (0.81 to 0.86) in every training. But counting its teacher it took seven times the training. And that teacher, not in the league, reaches a distance of 0.10 with 32 evaluations. In this one training the step from 32 evaluations to one cost distance (0.10 to 0.17); the teacher's recall was not measured.
# - **Where bits may be compared.** Masked diffusion's *bound* lies below the *exact* value of both autoregressive models in every training (1.769 at most, against 1.778 at least; the bound is estimated from 80 masks a digit, the same in all five). So the ranking holds. Masked diffusion has six times the PixelCNN's parameters, and nearly seventeen times its training time. (The bound is for 64 evaluations, not 16.)

# %% [markdown]
# ## Going further: the league of the labs
#
# Latent diffusion and GLIDE draw pictures of $32\times32$ pixels from captions, each in its own colours and style. Both know captions like *a red seven* in red, green and blue; 24 of them are left when the pairs that one never saw are taken out. Each draws 40 pictures a caption from each of three seeds, with its lab's settings and guidance $w=3$ (latent diffusion guides all 20 steps, GLIDE five of 18). One evaluator scores both: a classifier trained from one seed, in latent diffusion's style, on digits that neither has seen; it gets the grey picture under the ink (`benchmarks/labs.py`).

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import json
from pathlib import Path

labs = json.loads((Path(course.__file__).parent / "data" / "labs.json").read_text())
heads = ("lab", "all words right", "the same, real pictures", "ms a picture",
         "MB while drawing", "evaluations", "sequential", "training, s", "parameters")
lines = []
for lab in labs["labs"]:
    right = f"{np.mean(lab['right']):.3f} &plusmn; {np.std(lab['right'], ddof=1):.3f}"
    cost = f"~{1000 * lab['seconds']:.0f}", f"~{lab['megabytes']:.0f}"
    cost += f"{lab['evaluations']}", f"{lab['passes']}", f"{lab['train_seconds']:.0f}"
    line = lab["name"], right, f"{lab['real'][0]:.3f}", *cost, f"{lab['parameters']:,}"
    lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>")
HTML("<table><tr>" + "".join(f"<th>{h}</th>" for h in heads)
     + f"</tr>{''.join(lines)}</table>")

# %%
latent, glide = (lab["right"] for lab in labs["labs"])
check_range("latent diffusion keeps more: nearest two seeds of drawing",
            min(latent) - max(glide), 0.02, 0.1, digits=3,
            unlike={"two drawings of one lab": max(latent) - min(latent)})

# %% [markdown]
# Latent diffusion keeps all words in more pictures, for each pair of seeds (the ink is always right: every miss is a digit). GLIDE is about two and a half times as fast, with little more than half the evaluations. Neither is "better": one training each, of unequal length, on unequal tasks (captions of this form were three in ten of latent diffusion's training, one in fifteen of GLIDE's). What the table does show is how to compare two releases: captions that both know, an independent evaluator, its own limit beside the numbers (0.994 and 0.997), seeds, and the cost in time and in evaluations.

# %% [markdown]
# ## Project: three releases of this month
#
# *(2 to 3 hours, in pairs; alone: twice, a week apart)* Choose three releases of the last month, one of them a product without a paper. Each of you fills in a form for every release *without talking*, then compare. **Target: the same value in at least 9 of the 12 blanks, and the same "how you know" in at least 8**, before any discussion. For every
# disagreement, find the sentence that settles it, or write down that none does. Submit the six forms, the count, and one page: what you had to infer, the question you would put to the authors, and one experiment with nothing but an interface (time against length, against
# steps, or the same seed twice) that would separate the two likeliest places.
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(15)

# %% [markdown]
# ## Summary
#
# 1. Read in four steps: objective, sampler, costs and likelihood, place. What does not fit there is what is new.
# 2. Every answer is disclosed, inferred or not said. "Cannot tell" is a result: it names your question.
# 3. What is denied, compared or outperformed places nothing. Neither does an architecture.
# 4. *Rectified flow* is not *normalizing flow*; *latent attention* is not a latent variable; *several tokens at once* is not another row.
# 5. Each objective estimates a distance from the data's distribution, and with it decides what the model can say about $p(x)$.
# 6. Evaluations count work, sequential calls latency. Guidance in one batch doubles the first only.
# 7. Counted: calls, new positions, growth. Declared: dials and likelihood. What is declared can be false.
# 8. Two exact values can be ranked, and a bound that lies below an exact value; two bounds cannot.
# 9. (*Going further*) A program that reads releases was right about nine times in ten on systems it had met, and three in four on new ones. Error bars over samples omit training luck.
# 10. Seven systems, five rows: no new row is needed.
#
# | paradigm | objective | sampler | evaluations | likelihood | pays |
# |---|---|---|---|---|---|
# | hybrids (this lesson) | one for each part | stages in turn | the sum of the parts | at most that of the weakest part; latent diffusion as trained: none | for each of its parts |
#
# **What production systems add.** Routers that choose a model for each request, safety filters, caches, a language model that rewrites the prompt (Wan2.1 recommends one), distilled variants of the same name (FLUX.1 [dev] and [schnell]).
#
# ## Sources
#
# - The twelve releases: see their keys, and `docs/decisions/015-releases.md` for what was read of each.
# - Song, Durkan, Murray and Ermon 2021, "Maximum Likelihood Training of Score-Based Diffusion Models" (arXiv:2101.09258): theorems 1 (the bound) and 2 (when it is an equality).
# - Kingma and Gao 2023, "Understanding Diffusion Objectives as the ELBO with Simple Data Augmentation" (arXiv:2303.00848): section 3, the weights in the noise's error.
# - Vahdat, Kreis and Kautz 2021, "Score-based Generative Modeling in Latent Space" (arXiv:2106.05931): a bound for the whole.
# - Xiao, Kreis and Vahdat 2022, "Tackling the Generative Learning Trilemma with Denoising Diffusion GANs" (arXiv:2112.07804): figure 1.
