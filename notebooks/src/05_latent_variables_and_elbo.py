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
# # 05 · Latent variables and the ELBO
#

# %% jupyter={"source_hidden": true}
import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Categorical, Normal

import genlab_course as course
from genlab import core, latent
from genlab.data.digits import load_digits
from genlab.oracles import LinearLatent
from genlab_course import check, check_close_mc, check_range, widgets
from genlab_course.figures import film, lesson_05, show

course.begin(lesson=5)

# %% tags=["keep-output"] jupyter={"source_hidden": true}
train, val, test = (load_digits(part) for part in ("train", "val", "test"))
BITS = 64 * math.log(2)  # nats in one bit per dimension


def scattered(n_templates, seed):
    """A random guess (1397, k): each digit leans to a few templates."""
    generator = core.make_generator(seed)
    q = torch.rand(len(train.images), n_templates, generator=generator) ** 3
    return q / q.sum(1, keepdim=True)


def opening_e(mixture):
    return latent.discrete_posterior(mixture.log_joint(train.images))


def opening_m(q):
    return latent.categorical_m_step(train.images, q, n_levels=17, pseudo_count=0.3)


# %% tags=["keep-output"] jupyter={"source_hidden": true}
opening = []
with torch.no_grad():
    for h in latent.em(opening_m(scattered(20, 5)), opening_e, opening_m, n_steps=30):
        if h.half == "E":
            bits = -h.model.log_prob(train.images).mean().item() / BITS
            tables = h.model.log_probs.log_softmax(-1).flatten(1, 2)
            opening.append((h.model.log_prior(), tables, bits))
film(
    lesson_05.film_of(opening),
    "Twenty pictures of 8 x 8 pixels, all the same grey blur at first, turn within a "
    "few steps of EM into soft pictures, many of them clearly digits. Over 29 steps "
    "the bits per dimension fall from 2.43 to 2.05.",
    seconds=5.0,
)

# %% [markdown]
# Twenty grey blurs, nearly alike, become digits. Nobody told the model which picture is a 3, or that there are such things as digits. It only assumes that every picture was made from one of twenty hidden templates, and asks, again and again, two questions: *which template did this picture come from?* and *then what should the templates look like?* How can the answers improve, if both are unknown at the start?
#
# One quantity makes it work, the **evidence lower bound (ELBO)**. It also trains variational autoencoders (lesson 06) and diffusion models (lesson 12).
#
# **After this lesson you will be able to**
#
# - *derive* the bound, its two terms and its gap;
# - *build* EM, and *train* a network that guesses what is hidden;
# - *compute* a tighter bound from many draws, where probabilities are as small as $e^{-1000}$;
# - *explain* why an ELBO cannot rank two models, and *repair* the ranking;
# - *measure* whether a model uses its latent, and *repair* one that does not.
#
# You need the KL divergence, error bars and the mixture of prototypes (lesson 03), bits per dimension (lesson 02), and PyTorch with autograd and Adam.
#
# Two sittings of about 74 and 75 minutes, exercises included; the cells run in 25 seconds.

# %% [markdown]
# ## Predict first
#
# Write your guess in place of the dots and run the cell. Each one is shown to you again where the lesson answers it.
#
# 1. A hidden coin shows heads with probability 0.8, given what you saw. You guess 0.7. How many nats does your bound on $\log p(x)$ lose by that: `0.3`, `0.03` or `0.003`?

# %%
course.exercise("05.predict-loss", ...)

# %% [markdown]
# 2. Two models of the same pictures report their ELBOs: A has $-101$ nats a picture, B has $-100$. Which of them gives the pictures the higher probability: `"A"`, `"B"` or `"cannot say"`?

# %%
course.exercise("05.predict-better", ...)

# %% [markdown]
# 3. A model with a hidden $z$ and a powerful decoder is trained from twelve small random starts, for 2,000 steps. All twelve reach the best possible ELBO, to a thousandth of a nat. In how many does $z$ say at least half of what it could about the picture: `12`, `6` or `0`?

# %%
course.exercise("05.predict-used", ...)

# %%
course.draw_map(lesson=5, slim=True)

# %% [markdown]
# ## 1. Where did this pixel come from?
#
# The smallest such model has two templates and one pixel. It tosses a fair coin, $z=0$ or $1$, for the template. Template 0 inks the pixel with probability 0.2, template 1 with probability 0.8. You see ink, $x=1$. The coin stays hidden.
#
# **Step 1. All the ways it could have happened.** A quantity that is part of the story but not of the data is a **latent variable**. Its distribution $p(z)$ is the **prior**, and $p(x\mid z)$ is called the **decoder**. To sample, you play the story: draw $z$, then $x$. To find the probability of what you saw, the **evidence** or **marginal likelihood**, add up all ways in which it could have happened. To find out which way it was, divide one way by all of them (Bayes' rule). The result is the **posterior**:
# $$p(x)=\sum_zp(z)\,p(x\mid z)=0.5\cdot0.2+0.5\cdot0.8=0.5,\qquad p(z{=}1\mid x)=\frac{p(z{=}1)\,p(x\mid z{=}1)}{p(x)}=\frac{0.4}{0.5}=0.8 .\tag{1}$$
# For a continuous $z$ the sum is an integral.
#
# **Step 2. Why the sum is a wall.** Two templates are two terms. Ten latents with eight values each are a billion terms. Could you average $p(x\mid z)$ over $n$ draws from the prior instead? That estimate is unbiased, but almost every draw explains *this* $x$ badly. Take $k$ latents that are standard normal, and let each coordinate of $x$ be one of them plus noise of standard deviation one half. For independent coordinates the mean square of one draw, relative to the truth, is a product, so the relative error of $n$ draws is
# $$\sqrt{\frac1n\Big(\frac{\mathbb E_{p(z)}\big[p(x\mid z)^2\big]}{p(x)^2}-1\Big)}=\sqrt{\frac{r^k-1}n}\qquad r=\frac{\mathbb E\big[p(x_j\mid z_j)^2\big]}{p(x_j)^2}\ \text{ the same for each } j.\tag{2}$$
# Here is $r$ for an $x$ that lies one standard deviation from its mean in each coordinate.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)  # exact numbers first; training uses float32
z = torch.linspace(-8, 8, 4001)
p_z = Normal(0.0, 1.0).log_prob(z).exp()
x = torch.tensor(1.25).sqrt()  # one standard deviation from the mean
p_x_given_z = Normal(z, 0.5).log_prob(x).exp()
p_x = torch.trapezoid(p_z * p_x_given_z, z)
r = torch.trapezoid(p_z * p_x_given_z**2, z) / p_x**2
print(f"r = {r:.3f}; draws for an error of 10 %:")
for k in (1, 10, 20, 40):
    print(f"{k:2d} latents: {(r**k - 1) / 0.1**2:.1e}")

# %% jupyter={"source_hidden": true}
k = torch.arange(1, 41)
show(
    lesson_05.wall(z, p_z, p_z * p_x_given_z / p_x, k, (r**k - 1) / 0.1**2),
    "Left: a wide prior, and within it a narrow posterior on one side. Right, on a "
    "logarithmic axis, the draws for an error of 10 per cent rise along a straight "
    "line, from 160 for one latent to 4e18 for forty.",
)
of_square = Normal(0.0, (1 + 0.5**2 / 2) ** 0.5).log_prob(x).exp() / math.pi**0.5
with course.more_checks():
    check(
        "(2): r in closed form",
        r,
        of_square / Normal(0.0, 1.25**0.5).log_prob(x).exp() ** 2,
        unlike={"the square of the mean": p_x**2},
    )

# %% [markdown]
# Forty latents is a small model, and would need more than $10^{18}$ draws. (What counts is how far the posterior narrows. If $x$ tells you about only three of forty latents, $k$ is three.) We need draws that know about $x$.
#
# ## 2. What can you compute instead?
#
# **Step 3. Draw from a guess, and correct.** Let $q(z\mid x)$ be a distribution that you *can* draw from, your guess of the posterior. It must not exclude any $z$ that could have made $x$. Multiply and divide by it. The sum becomes an average of **weights** $w$. Then exchange average and logarithm. The logarithm bends downwards, so the log of an average is at least the average of the logs (**Jensen's inequality**):
# $$\log p(x)=\log\sum_zq(z\mid x)\underbrace{\frac{p(x,z)}{q(z\mid x)}}_{w(z)}=\log\mathbb E_q[w]\ \ge\ \mathbb E_q[\log w]=:\mathrm{ELBO}(q).\tag{3}$$
# In the tiny case, guess 0.7 for $z=1$. The weights are 0.1/0.3 = 1/3 and 0.4/0.7 = 4/7. Their average under $q$ is 0.1 + 0.4 = 0.5, which is $p(x)$ again, with logarithm $-0.693$. The average of their logarithms is $-0.721$, a little lower.
#
# **Step 4. Two terms that you can compute.** Split the joint into decoder and prior, and put the prior together with $q$:
# $$\mathrm{ELBO}(q)=\underbrace{\mathbb E_q\big[\log p(x\mid z)\big]}_{\text{reconstruction}}-\underbrace{\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big)}_{\text{price of the code}} .\tag{4}$$
# The first term wants guesses of $z$, or **codes**, that explain $x$. The second charges for each nat by which they depart from the prior. Neither contains $p(x)$.
#
# **Step 5. What the bound leaves out.** Subtract the ELBO from $\log p(x)$. The joint is also posterior times $p(x)$, so $p(x)$ cancels, and a divergence is left:
# $$\log p(x)-\mathrm{ELBO}(q)=\mathbb E_q\Big[\log p(x)-\log\frac{p(z\mid x)\,p(x)}{q(z\mid x)}\Big]=\mathrm{KL}\big(q(z\mid x)\,\|\,p(z\mid x)\big)\ \ge0 .\tag{5}$$
# So the bound is tight exactly when your guess *is* the posterior. Here are the tiny case and a second decoder, each with a wrong guess and with the right one.

# %%
p_x_given_z = torch.tensor([[0.2, 0.8], [0.2, 0.8], [0.3, 0.9], [0.3, 0.9]])  # x = 1
q = torch.tensor([[0.3, 0.7], [0.2, 0.8], [0.4, 0.6], [0.25, 0.75]])  # (row, z)
log_joint = (0.5 * p_x_given_z).log()  # (row, z): prior of one half
log_px = log_joint.logsumexp(1)  # (row,)
reconstruction = (q * p_x_given_z.log()).sum(1)
price = (q * (q / 0.5).log()).sum(1)
elbo = reconstruction - price

# %% jupyter={"source_hidden": true}
print("decoder   guess  log p(x)  reconstruction   price     ELBO     gap")
for row in range(4):
    said = f"{p_x_given_z[row, 0]}, {p_x_given_z[row, 1]}   {q[row, 1]:5}"
    said += f"{log_px[row]:10.4f}{reconstruction[row]:15.4f}{price[row]:9.4f}"
    print(said + f"{elbo[row]:9.4f}{log_px[row] - elbo[row]:8.4f}")

# %% [markdown]
# Three divergences could stand in (5): from the guess to the posterior, from the posterior to the guess, or from the guess to the prior. Which of them is the gap? The check computes it without the bound.

# %% jupyter={"source_hidden": true}
posterior = (log_joint - log_px[:, None]).exp()  # (row, z)
check(
    "(5): log p(x) - ELBO = KL(guess || posterior)",
    log_px - elbo,
    core.kl_categorical(q, posterior),
    atol=1e-12,
    unlike={
        "KL(posterior || guess)": core.kl_categorical(posterior, q),
        "KL(guess || prior)": price,
    },
)

# %% jupyter={"source_hidden": true}
with course.more_checks():
    story = (torch.rand(100_000, generator=core.make_generator(5)) < 0.5).long()
    ink = torch.rand(100_000, generator=core.make_generator(6)) < p_x_given_z[0, story]
    check_close_mc(
        "(1): the posterior, by playing the story and counting",
        story[ink].double(),
        posterior[0, 1].item(),
        unlike={"all stories counted": story.double()},
    )
    check(
        "(3) = (4)",
        (q * (log_joint - q.log())).sum(1),
        elbo,
        unlike={"the log of the average": log_px},
    )

# %% [markdown]
# **Your turn 05.1 · no ink** *(compute, 4 minutes)*. Take the second decoder, 0.3 and 0.9, and the guess 0.6 for $z=1$. But now the pixel is *blank*, $x=0$. Give reconstruction, price, ELBO and gap, in this order, to three digits.

# %%
my_row = ...

course.exercise("05.other-side", my_row)
course.solution("05.other-side")

# %% [markdown]
# **Step 6. Nearly right is cheap.** In the first row the guess was off by $\delta=0.1$. As a function of the guess, the gap (5) is zero at the posterior $p$ and has slope zero there. So near its lowest point it is a parabola, $\delta^2/2p(1-p)$, here 0.031. An error in the guess costs its *square*.

# %% jupyter={"source_hidden": true}
guess = torch.linspace(0.01, 0.99, 99)
both = torch.stack([1 - guess, guess], 1)
curve = (both * (log_joint[0] - both.log())).sum(1)
by_hand = curve[39].item()  # at 0.4
show(
    lesson_05.arch(guess, curve, log_px[0].item(), {0.7: elbo[0].item(), 0.4: by_hand}),
    "The ELBO against the guess is an arch below the dashed line of log p(x), -0.693 "
    "nats, and touches it at 0.8. At the guess 0.7 a gap of 0.028 is left, at the "
    "guess 0.4 one of 0.38.",
)
course.predicted("05.predict-loss", 0.03)
bend = (curve[80] - 2 * curve[79] + curve[78]) / 0.01**2  # at 0.8
with course.more_checks():
    check(
        "curvature of the ELBO at the posterior",
        bend,
        -1 / (0.8 * 0.2),
        rtol=1e-2,
        unlike={"at the guess 0.7": (curve[70] - 2 * curve[69] + curve[68]) / 0.01**2},
    )

# %% [markdown]
# Now find a posterior by hand. Here $z$ is a standard normal number, and $x$ is $z$ plus noise of standard deviation 0.6. You saw 1.5. Drag the guess $q$ by its peak: sideways it moves, upwards it narrows. The blue line is the ELBO. (a) Where is the gap zero? (b) Put $q$ where the *reconstruction* is best. Is the ELBO best there, too? (c) Choose the decoder `folded`, which shows $z^2$ in place of $z$ and so hides its sign. How small can the gap become now?

# %% tags=["keep-output"]
widgets.elbo_gap()

# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) At mean 1.10 and standard deviation 0.51, the exact posterior. (b) No. The reconstruction is best for a very narrow $q$ at $z=1.5$, and there the price takes back more than was won. (c) About 0.75 nats. The posterior has two hills and a normal $q$ covers one of them. You know that price from lesson 03: minus the log of the fraction kept, $\log2=0.69$, and a little more because a hill is not quite normal.
# </details>

# %% jupyter={"source_hidden": true}
line = LinearLatent(torch.tensor([[1.0]]), torch.tensor([0.0]), std=0.6)
seen = torch.tensor([[1.5]])


def gap_at(mean, std):
    log_var = 2 * torch.tensor([[std]]).log()
    return line.log_prob(seen) - line.elbo_of(seen, torch.tensor([[mean]]), log_var)


grid = torch.linspace(-5, 5, 2001)
hills = -0.5 * grid**2 - 0.5 * ((1.5 - grid**2) / 0.6) ** 2
hills = hills - torch.trapezoid(hills.exp(), grid).log()
pairs = itertools.product(range(40, 76), range(10, 40))
guesses = [Normal(m / 50, s / 50).log_prob(grid) for m, s in pairs]
folded_gaps = [core.kl_on_grid(log_q, hills, grid).item() for log_q in guesses]
with course.more_checks():
    check(
        "(a): no gap at 1.5 / 1.36 and 0.6 / sqrt(1.36)",
        gap_at(1.5 / 1.36, 0.6 / math.sqrt(1.36)),
        [0.0],
        unlike={"at the best reconstruction": gap_at(1.5, 0.2)},
    )
    check(
        "(c): the smallest gap of one normal on two hills",
        min(folded_gaps),
        0.75,
        atol=5e-3,
        unlike={"log 2": math.log(2)},
    )


# %% [markdown]
# ## 3. How do you climb if both are unknown?
#
# The ELBO has two arguments: the guess $q$, and the parameters $\theta$ of the model. In the opening both were unknown. The way out is to improve one at a time.
#
# **Step 7. Expectation-maximisation (EM).** Hold the model, and make the guess perfect: the **E-step**. Then hold the guess, and make the model as good as it can be: the **M-step**.
# $$\text{E: }\ q(z\mid x)\leftarrow p_\theta(z\mid x),\qquad\qquad\text{M: }\ \theta\leftarrow\arg\max_\theta\ \sum_i\mathbb E_{q(z\mid x_i)}\big[\log p_\theta(x_i,z)\big].\tag{6}$$
# After the E-step, (5) says that the bound *equals* the log-likelihood. The M-step raises the bound, and the log-likelihood cannot lie below it. So the likelihood never falls, although you never maximised it directly.
#
# **Step 8. The E-step for templates.** Take the mixture of lesson 03. The latent $z=k$ picks one of 20 templates with probability $\pi_k$. Given the template, the 64 pixels are independent, and each has a table $p_{kj}$ of probabilities for its 17 grey levels:
# $$\log p(x,z{=}k)=\log\pi_k+\sum_{j=1}^{64}\log p_{kj}(x_j).\tag{7}$$
# Bayes' rule (1) wants $p(x,z)$ divided by its sum over $z$. But a product of 64 probabilities is about $e^{-100}$, and for larger pictures $e^{-1000}$, which is zero in floating point. So stay in logarithms: $\log p(x)$ is the `logsumexp` of (7) over $k$, and the posterior is $e$ to the difference.
#
# **Your turn 05.2 · the E-step** *(build, 10 minutes)*. The pictures come as one-hot rows: `x` has shape $(n,64,17)$, with a 1 at the level of each pixel. Return the posterior $q$, of shape $(n,20)$, and $\log p(x)$, of shape $(n,)$.

# %%
def my_e_step(x, log_weights, log_tables):
    """q (n, k) and log p(x) (n,); log_weights are (k,), log_tables (k, 64, 17)."""
    ...


course.exercise("05.e-step", my_e_step)
course.solution("05.e-step")


# %% [markdown]
# **Step 9. The M-step: count fractions of pictures.** Let $N_{kj\ell}$ count how often template $k$ showed level $\ell$ in pixel $j$. A picture that belongs to it by 30 % counts as 0.3 of a picture. Put (7) into (6), and collect the terms of one table: they are the counts times the log-probabilities, summed over the levels. That is a log-likelihood of counts, and you know where it is largest: count and divide (lesson 03, step 5). As there, a pseudo-count $a$ keeps unseen levels possible. With $q_{ik}$ for the guess that picture $i$ came from template $k$,
# $$N_{kj\ell}=\sum_iq_{ik}\,[x_{ij}=\ell],\qquad p_{kj}(\ell)=\frac{a+N_{kj\ell}}{\sum_{\ell'}(a+N_{kj\ell'})},\qquad\pi_k=\frac1n\sum_iq_{ik}.\tag{8}$$
#
# **Your turn 05.3 · the M-step** *(build, 10 minutes)*. Return the logarithms of the weights and of the tables. **Your** two steps then make the film again.

# %%
def my_m_step(x, q, pseudo_count):
    """log_weights (k,) and log_tables (k, 64, 17) from x (n, 64, 17) and q (n, k)."""
    ...


course.exercise("05.m-step-tables", my_m_step)
course.solution("05.m-step-tables")

# %%
e_step, m_step = course.yours("05.e-step"), course.yours("05.m-step-tables")
torch.set_default_dtype(torch.float32)


def one_hot(part):
    return F.one_hot(part.images.flatten(1).long(), 17).float()  # (n, 64, 17)


def run_em(q, n_steps=30, e_step=e_step):
    """(log_weights, log_tables, bits per dimension) before each of the steps."""
    climb = []
    for _ in range(n_steps):
        log_weights, log_tables = m_step(pixels, q, 0.3)  # (k,), (k, 64, 17)
        q, log_px = e_step(pixels, log_weights, log_tables)  # (1397, k), (1397,)
        climb.append((log_weights, log_tables, -log_px.mean().item() / BITS))
    return climb


pixels = one_hot(train)
climb = run_em(scattered(20, 5))
log_weights, log_tables, bits = climb[-1]

# %% tags=["keep-output"] jupyter={"source_hidden": true}
film(
    lesson_05.film_of(climb),
    "The film of the opening, made by your two steps: twenty grey blurs become soft "
    "pictures of digits.",
    seconds=5.0,
)


# %% [markdown]
# There they are, made by your own two functions of a few lines. Is it the film of the opening, number for number? And would k-means do, assigning each picture wholly to its likeliest template?

# %% jupyter={"source_hidden": true}
def hard(x, log_weights, log_tables):  # the E-step's argmax
    q, log_px = e_step(x, log_weights, log_tables)
    return F.one_hot(q.argmax(1), q.shape[1]).to(q), log_px


def bits_of(climb):
    return torch.tensor([step[2] for step in climb])


check(
    "your 30 values = those of the opening",
    bits_of(climb),
    bits_of(opening),
    atol=2e-4,
    unlike={"k-means": bits_of(run_em(scattered(20, 5), e_step=hard))},
)

# %% [markdown]
# What did the templates find? Give each template the label that most of its training digits have, and then use the templates to name *held-out* digits. (The labels are used only here, to look at what was found.)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    belongs = e_step(pixels, log_weights, log_tables)[0]  # (1397, 20)
    name = (F.one_hot(train.labels.long()).float().T @ belongs).argmax(0)  # (20,)
    nearest = e_step(one_hot(test), log_weights, log_tables)[0].argmax(1)  # (200,)
named = (name[nearest] == test.labels).float().mean()
print(f"held-out digits named rightly: ~{100 * named:.0f} % (chance: 10 %)")


# %% jupyter={"source_hidden": true}
def halves(climb, n):
    """Bound and log p(x), nats a picture, after each half of the first n steps."""
    found = []
    for before, after in itertools.pairwise(climb[: n + 1]):
        q = e_step(pixels, *before[:2])[0]
        for weights, tables, _ in (before, after):  # after the E-step, after the M-step
            joint = torch.einsum("ndl,kdl->nk", pixels, tables) + weights
            bound = latent.discrete_elbo(q, joint).mean().item()
            found.append((bound, joint.logsumexp(1).mean().item()))
    return torch.tensor(found, dtype=torch.float64).T


bound, truth = halves(climb, 29)
show(
    lesson_05.staircase(bound[4:16].tolist(), truth[4:16].tolist()),
    "Bound and log-likelihood over six steps of your EM: the bound meets the "
    "likelihood after each E-step and falls behind it after each M-step; both climb.",
)

# %% [markdown]
# The picture shows six steps of your run. Black is $\log p(x)$, which you can compute here because twenty terms are few. Each M-step lifts both. (With pseudo-counts, what provably never falls is the bound plus their share, the pseudo-count times the sum of all log tables.) Where do the two curves meet: after each E-step, after each M-step, or only at the end?

# %% jupyter={"source_hidden": true}
check(
    "gap after each of 29 E-steps",
    (truth - bound)[::2],
    0.0,
    atol=1e-3,
    unlike={"after each M-step": (truth - bound)[1::2]},
)
same = run_em(torch.full((len(pixels), 20), 0.05))  # a start without differences
starts = (5, 6, 7)
held_out = {
    (k, seed): -e_step(one_hot(val), *run_em(scattered(k, seed))[-1][:2])[1] / BITS
    for k in (10, 20)
    for seed in starts
}
gains = [held_out[20, seed] - held_out[10, seed] for seed in starts]

# %% jupyter={"source_hidden": true}
with course.more_checks():
    check(
        "twenty equal templates stay equal for 30 steps",
        same[-1][1] - same[-1][1][:1],
        0.0,
        atol=1e-4,
        unlike={"a scattered start": log_tables - log_tables[:1]},
    )
    check_range(
        "held-out digits named rightly",
        named,
        0.5,
        0.85,
        unlike={"the likeliest label for all": (test.labels == 1).float().mean()},
    )
print(f"twenty equal templates: {same[0][2]:.2f} bits, after 29 steps", end=" ")
print(f"{same[-1][2]:.2f}")
print("10 templates instead of 20, gain on validation digits, paired bar:")
print(", ".join(f"~{g.mean():.3f} +- ~{g.std() / len(g) ** 0.5:.3f}" for g in gains))


# %% [markdown]
# **A common misconception: "EM finds the maximum-likelihood fit."** It finds a point where neither half can improve, and the start decides which. Start all twenty templates *equal*, and the E-step has no reason to prefer one. Every M-step makes them equal again, and they stay one template for ever, at 2.44 bits. Remember that start: it comes back in section 6. More templates are not always better. On validation digits ten beat twenty in each of three starts, by 0.02 bits on average (one of the three lies within its bar). We keep twenty for the pictures.
#
# Keep only the likeliest template, and let it be a vector: `z = (x - vectors).square().sum(-1).argmin()`. That line looks a vector up in the **codebook** of a VQ-VAE, the start of many image tokenizers. Lesson 06 builds one.
#
# **Pause.** You have the bound, and an algorithm that climbs it. A good place to stop.

# %% [markdown]
# ## 4. What if a network guesses?
#
# Your E-step visited every $z$ for every picture. With forty latents you cannot. Could a network look at the picture and guess?
#
# **Step 10. Amortised inference.** Such a network, with parameters $\phi$, is an **encoder**, and its guess an **approximate posterior**. Fitting a guess is **variational inference**; here one network serves all pictures, and the inference is **amortised**. Raise the ELBO in $\theta$ and in $\phi$ together, by its gradient:
# $$\max_{\theta,\phi}\ \frac1n\sum_i\mathrm{ELBO}_i,\qquad\mathrm{ELBO}_i=\sum_zq_\phi(z\mid x_i)\,\big[\log p_\theta(x_i,z)-\log q_\phi(z\mid x_i)\big].\tag{9}$$
# It is EM with both steps cut short. With a continuous $z$ and a draw in place of the sum it is the **variational autoencoder (VAE)** of lesson 06.
#
# **Your turn 05.4 · the loss of a guesser** *(build, 10 minutes)*. The encoder returns `logits`, one for each $z$, and $q$ is their softmax. Return the ELBO of each picture. A trained guesser can be very sure, with logits of 0 and $-900$. Your bound must survive that.

# %%
def my_elbo(logits, log_joint):
    """The ELBO, nats: (..., k) and (..., k) in, (...) out."""
    ...


course.exercise("05.guesser-elbo", my_elbo)
course.solution("05.guesser-elbo")

# %%
bound_of = course.yours("05.guesser-elbo")


def joint_of(x, weights, tables):
    log_tables = tables.log_softmax(-1)  # (20, 64, 17)
    return torch.einsum("ndl,kdl->nk", x, log_tables) + weights.log_softmax(0)


def train_guesser(seed, seen=slice(None), n_steps=300):
    torch.manual_seed(seed)
    encoder = nn.Linear(pixels[0, seen].numel(), 20)  # one-hot pixels to logits
    start = m_step(pixels, scattered(20, seed), 0.3)
    model = [part.clone().requires_grad_() for part in start]
    adam = torch.optim.Adam([*encoder.parameters(), *model], lr=0.03)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, n_steps)
    for _ in range(n_steps):
        x = pixels[torch.randint(len(pixels), (128,))]  # (128, 64, 17)
        logits = encoder(x[:, seen].flatten(1))  # (128, 20)
        loss = -bound_of(logits, joint_of(x, *model)).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        slower.step()
    return encoder, [part.detach() for part in model]


encoder, model = train_guesser(5)


# %% [markdown]
# Since $z$ has only twenty values, you can look behind the bound: sum over $z$, and compare.

# %% jupyter={"source_hidden": true}
@torch.no_grad()
def looked_behind(encoder, model, part):
    """Log p(x) and ELBO of each picture."""
    joint = joint_of(one_hot(part), *model)
    return joint.logsumexp(1), bound_of(encoder(one_hot(part).flatten(1)), joint)


parts = {"1,397 training digits": train, "200 test digits": test}
behind = {n: looked_behind(encoder, model, part) for n, part in parts.items()}
gaps = [(exact - elbo).mean().item() for exact, elbo in behind.values()]
exact, elbo = behind["200 test digits"]
print(f"test digits, bits per dimension: at most ~{-elbo.mean() / BITS:.3f}", end=", ")
print(f"exactly ~{-exact.mean() / BITS:.3f}")
show(
    lesson_05.missed(behind),
    "What the ELBO loses against log p(x), a dot a picture. Training digits lie on the "
    "line of zero. Of the test digits some lie above it, a few by several nats.",
)

# %% [markdown]
# On training digits the guesser is nearly perfect. On test digits it loses a third of a nat, most of it on a few pictures. The *model* is no worse for that, only its bound. What a network loses against the best guess for each picture is called the **amortisation gap**.
#
# **Step 11. Is the network too small?** One linear layer and a softmax look like a weak guesser. But look at (7): it is *linear* in the one-hot pixels, and the softmax removes $\log p(x)$. So a linear layer can be the exact posterior. Its weights are the log tables, and its biases the log weights. The layer was fitted to 1,397 pictures and learned something that answers *those*: here the gap comes from fitting, not from sharing. If you write the tables into the layer, what gap is left on the test digits?

# %% jupyter={"source_hidden": true}
bayes = nn.Linear(64 * 17, 20)
with torch.no_grad():
    bayes.weight.copy_(model[1].log_softmax(-1).flatten(1))
    bayes.bias.copy_(model[0].log_softmax(0))
check(
    "the layer made of tables: ELBO = log p(x)",
    looked_behind(bayes, model, test)[1],
    exact,
    atol=1e-3,
    unlike={"the trained layer": elbo},
)
with course.more_checks():
    check_range(
        "mean gap on test digits, nats",
        gaps[1],
        0.15,
        1.0,
        unlike={"training digits": gaps[0]},
    )


# %% [markdown]
# ## 5. Do more draws help?
#
# **Step 12. Average first, then take the log.** Draw $K$ codes from $q$. The mean of their weights still has the expectation $p(x)$, but it scatters less, and Jensen's exchange costs less. This is the **importance-weighted bound** (Burda et al. 2015):
# $$\mathcal L_K=\mathbb E\Big[\log\frac1K\sum_{k=1}^Kw_k\Big],\qquad\mathrm{ELBO}=\mathcal L_1\le\mathcal L_2\le\dots\le\log p(x),\qquad\log p(x)-\mathcal L_K\approx\frac{\mathrm{Var}(w)}{2K\,p(x)^2}.\tag{10}$$
# *Why it never falls.* The mean of $K+1$ weights is the average of the $K+1$ means that leave one of them out. The log of that average is at least the average of their logs. *Why $1/K$.* Expand the log of the mean around $p(x)$. The linear term has expectation zero, and the square gives the variance of the mean, once $K$ is large enough for the mean to be near $p(x)$.
#
# **Your turn 05.5 · log of the mean** *(build, 10 minutes)*. Given `log_w`, of shape $(K,n)$, return the log of the mean weight for each of $n$ pictures. Log-weights of real pictures lie near $-1000$.

# %%
def my_log_mean(log_w):
    """(K, n) log-weights in, (n,) bounds out."""
    ...


course.exercise("05.log-mean-weight", my_log_mean)
course.solution("05.log-mean-weight")

# %%
log_mean = course.yours("05.log-mean-weight")


def log_weights_of(logits, joint, n_draws):
    """log p(x, z) - log q(z | x) for z drawn from the guess: (K, n)."""
    z = Categorical(logits=logits).sample((n_draws,))  # (K, n)
    return (joint - logits.log_softmax(1)).gather(1, z.T).T


with torch.no_grad():
    x = one_hot(test)
    logits, joint = encoder(x.flatten(1)), joint_of(x, *model)  # (200, 20) both

# %% jupyter={"source_hidden": true}
log_w = log_weights_of(logits, joint, 64)
lost = log_w.exp().mean(0).log().isinf().float().mean()
print(f"log(mean(exp(log_w))) is -inf for ~{100 * lost:.0f} % of the test digits")

# %% [markdown]
# The log-weights of these small pictures lie between $-60$ and $-150$, and in 32-bit arithmetic $e^{-104}$ is already zero. Typed as written, the formula fails for one digit in four. Now a slip that raises no error: average the *logarithms* of the weights. Before you look: with 64 draws, is that still a bound, and where does it end?

# %% jupyter={"source_hidden": true}
torch.manual_seed(5)
KS, exact = (1, 4, 16, 64), joint.logsumexp(1)
repeats = {k: [log_weights_of(logits, joint, k) for _ in range(40)] for k in KS}
short = lambda how, k: [(exact - how(log_w)).mean() for log_w in repeats[k]]
right = {k: torch.stack(short(log_mean, k)) for k in KS}
wrong = {k: torch.stack(short(lambda log_w: log_w.mean(0), k)) for k in KS}
show(
    lesson_05.more_draws(
        KS, [right[k].mean().item() for k in KS], [wrong[k].mean().item() for k in KS]
    ),
    "What is left below log p(x) against the number of draws. Log of the mean: from "
    "0.35 nats to nearly nothing at 64. Mean of the logs: 0.35 nats at any number.",
)
check_close_mc(
    "64 draws, mean of the logs: the gap of the ELBO, still",
    wrong[64],
    gaps[1],
    unlike={"log of the mean": right[64]},
)


# %% jupyter={"source_hidden": true}
def listed(n_draws):  # gap of L_K of the tiny case: every outcome, nothing drawn
    coins = torch.tensor(list(itertools.product((0, 1), repeat=n_draws)))
    chance = torch.tensor([0.3, 0.7]).double()[coins].prod(1)
    log_w = torch.tensor([1 / 3, 4 / 7]).double().log()[coins]
    return (math.log(0.5) - (chance * log_mean(log_w.T)).sum()).item()


variance = 0.3 * (1 / 3 - 0.5) ** 2 + 0.7 * (4 / 7 - 0.5) ** 2
with course.more_checks():
    check(
        "(10): gap of the tiny case with 12 draws, all outcomes listed",
        listed(12),
        variance / (2 * 12 * 0.5**2),
        rtol=0.02,
        unlike={"1 draw": listed(1), "11 draws": listed(11)},
    )

# %% [markdown]
# The mean of the logs is a bound, too, and one can train with it. But it is the ELBO, for any number of draws. The log of the mean closes nearly all of the gap, at the cost of 64 evaluations of the decoder.
#
# ## 6. It fails
#
# **The better model has the lower ELBO.** Train model A like the last one, but with a cheaper encoder that sees only the left half of each picture. Model B is a smaller mixture, seven templates, trained by your EM; its E-step is exact, so its ELBO has no gap. Compare them on 400 held-out digits, for three seeds.

# %%
left = torch.arange(64).view(8, 8)[:, :4].flatten()
x = torch.cat([one_hot(val), one_hot(test)])  # (400, 64, 17)
leads = {"ELBO": [], 4: [], 16: [], 64: [], 256: [], "likelihood": []}  # draws
for seed in (5, 6, 7):
    encoder, model = train_guesser(seed, seen=left)
    with torch.no_grad():
        logits, joint = encoder(x[:, left].flatten(1)), joint_of(x, *model)
    _, log_px_b = e_step(x, *run_em(scattered(7, seed))[-1][:2])  # (400,)
    for how, found in leads.items():
        if how == "ELBO":
            a = bound_of(logits, joint)
        elif how == "likelihood":
            a = joint.logsumexp(1)
        else:
            a = log_mean(log_weights_of(logits, joint, how))
        found.append((a - log_px_b) / BITS)  # A's lead on each digit

# %% jupyter={"source_hidden": true}
said = {
    how: [(v.mean().item(), v.std().item() / len(v) ** 0.5) for v in found]
    for how, found in leads.items()
}
show(
    lesson_05.leads(said),
    "A's lead over B in bits per dimension, three seeds, with bars of two paired "
    "errors: by ELBO A is behind, by 4 draws about level, and from 64 draws on ahead, "
    "as it is by likelihood.",
)
for how, pairs in said.items():
    name = how if isinstance(how, str) else f"{how} draws"
    each = ", ".join(f"~{mean:.3f} +- ~{bar:.3f}" for mean, bar in pairs)
    print(f"A's lead by {name:10}: {each}")
course.predicted("05.predict-better", "cannot say")

# %% [markdown]
# By ELBO, B is the better model in all three pairs. By likelihood, A is, in all three. The difference of two ELBOs is the difference of two likelihoods minus the difference of two *gaps* that you do not see. So two ELBOs cannot be ranked. What you may say is that the likelihood is *at least* that high. The repair: take many draws, watch whether the difference still moves as $K$ grows, and give it a paired error bar. That alone does not help: it measures how the pictures scatter, not the gap.

# %% jupyter={"source_hidden": true}
mean_of = lambda how: torch.stack(leads[how]).mean(0)  # (400,): of three pairs
in_bars = lambda v: v.mean() / (v.std() / len(v) ** 0.5)
with course.more_checks():
    check_range(
        "A's lead by likelihood, in paired bars, mean of three pairs",
        in_bars(mean_of("likelihood")),
        3,
        15,
        unlike={"by ELBO": in_bars(mean_of("ELBO"))},
    )
    check_range(
        "A's lead by ELBO, in paired bars, mean of three pairs",
        in_bars(mean_of("ELBO")),
        -8,
        -1.5,
        unlike={"256 draws": in_bars(mean_of(256))},
    )


# %% [markdown]
# **$z$ is hardly used.** A model can reach the best possible bound with a $z$ that says nothing about $x$. This is called **posterior collapse**.
#
# **Step 13. A line of optima.** What does a perfect ELBO ask for? Take $n$ different pictures, each with $\hat p(x)=1/n$, average (3) over them, and multiply numerator and denominator of its fraction by $\hat p(x)$:
# $$\sum_x\hat p(x)\,\mathrm{ELBO}(x)=\sum_{x,z}\hat p(x)\,q(z\mid x)\log\frac{p(z)\,p(x\mid z)}{q(z\mid x)}=-\log n-\mathrm{KL}\big(\hat p(x)\,q(z\mid x)\,\|\,p(z)\,p(x\mid z)\big).\tag{11}$$
# The best value is $-\log n$. It is reached whenever the two joint distributions in the KL are equal. A decoder that is strong enough can match *any* codes whose average is the prior: codes that identify the picture, say a little, or say nothing. All have the same ELBO.
#
# So you need another number. How much does the code say about *which* picture it came from? Compare each code with the average code $q(z)$, the mean of $q(z\mid x)$ over the pictures. This is the **mutual information**:
# $$I(x;z)=\sum_x\hat p(x)\,\mathrm{KL}\big(q(z\mid x)\,\|\,q(z)\big).\tag{12}$$
# It is tempting to take the price in (4) for it. But a model can pay a price for codes that are all alike and merely differ from the prior.
#
# **Your turn 05.6 · what does the code say?** *(derive, 3 minutes)*. Write (12) for codes `q` of shape $(n,k)$. Mind a code that is certain: zero times log zero is 0.

# %%
def my_information(q):
    """I(x; z) in nats, one number."""
    ...


course.exercise("05.information", my_information)
course.solution("05.information")

# %% [markdown]
# Now train. There are two pictures of two pixels, 00 and 11, and a fair coin $z$. The *weak* decoder draws the two pixels independently, given $z$. The *strong* one has, for each $z$, a table of all four pictures. There are twelve starts, with **your** bound. The weight `beta` of the price is 1 for now.

# %%
information = course.yours("05.information")


def weak(tables):  # (12, z, pixel, level): the pixels are independent
    return tables.log_softmax(-1).sum(2).transpose(1, 2)  # (12, picture, z)


def strong(tables):  # (12, z, picture): one table of 00, 01, 10, 11
    return tables.log_softmax(-1)[..., [0, 3]].transpose(1, 2)  # (12, picture, z)


def train_tiny(decoder, shape, betas, scale=0.1, seed=1):
    """ELBO and codes of twelve trainings after each step."""
    generator = core.make_generator(seed)
    tables = scale * torch.randn(12, 2, *shape, generator=generator)
    logits = scale * torch.randn(12, 2, 2, generator=generator)  # (12, picture, z)
    adam = torch.optim.Adam([tables.requires_grad_(), logits.requires_grad_()], lr=0.1)
    history = []
    for beta in betas:
        recon = decoder(tables)  # (12, picture, z)
        elbo = bound_of(logits, recon - math.log(2))  # (12, picture)
        price = (logits.softmax(-1) * recon).sum(-1) - elbo  # (4), solved for the price
        adam.zero_grad()
        (beta * price - price - elbo).sum().backward()  # beta = 1: minus the ELBO
        adam.step()
        history.append((elbo.detach().mean(1), logits.detach().softmax(-1)))
    return history


plain = [1.0] * 2001
runs = {
    "weak decoder": train_tiny(weak, (2, 2), plain),
    "strong decoder": train_tiny(strong, (4,), plain),
    "strong, wilder start": train_tiny(strong, (4,), plain, scale=1.0),
}


# %% jupyter={"source_hidden": true}
def every_tenth(history):
    """ELBO and information of each training, every tenth step: two of (steps, 12)."""
    elbos = torch.stack([elbo for elbo, _ in history[::10]])
    told = [[information(q) for q in codes] for _, codes in history[::10]]
    return elbos, torch.tensor(told)


seen = {name: every_tenth(history) for name, history in runs.items()}
show(
    lesson_05.uptake(torch.arange(0, 2001, 10), seen),
    "Three columns, twelve trainings each: above the ELBO, below the information in z. "
    "Weak decoder: all reach log 2. Strong decoder: most stay near zero, the highest "
    "creeps up to 0.25. Strong decoder from a wilder start: values all over, all "
    "creeping up. The ELBO ends at -0.69 in every one.",
)
for name, (elbos, told) in seen.items():
    print(f"{name:20}: ELBO ~{elbos[-1].min():.2f} to ~{elbos[-1].max():.2f};", end=" ")
    print(f"information ~{told[-1].min():.2f} to ~{told[-1].max():.2f} nats")
speaks = int((seen["strong decoder"][1][-1] > math.log(2) / 2).sum())
course.predicted("05.predict-used", str(speaks))


# %% [markdown]
# After 2,000 steps the strong decoder's $z$ says half of what it could, $\tfrac12\log2$ nats, in none of twelve starts, and its ELBO is perfect. (In five sets of twelve starts, at most one start of a set does, and one to five pass 0.1 nats.) *Why?* Let the two pictures' codes be one half plus and minus a small $\delta$, and let the decoder expect $d$ in place of $\delta$. The ELBO then falls short of $-\log2$ by the parabola of step 6, $2(\delta-d)^2$. It asks codes and decoder to *agree*, not to speak: a flat valley. The runs reach its floor near where they began, so the start decides. Then they creep along it: nearly all gain information, slowly, and the ELBO a thousandth of a nat. A start that is exactly silent stays so, like the twenty equal templates of section 3. The weak decoder has no such valley: without $z$ it cannot say that the two pixels agree, and using $z$ gains log 2 nats.
#
# If the start decides, change the start. With a weight $\beta$ on the price, you raise the ELBO plus $(1-\beta)$ times the price. On the line of (11) the average code is the prior, and there the price is the information (12). So for $\beta<1$ the codes that say most are the best.
#
# **Your turn 05.7 · a schedule** *(repair, 6 minutes)*. A colleague's schedule returns $\beta=1$ in every step, and after 400 steps the codes say next to nothing. Return weights that make them speak. In the last tenth of the training $\beta$ must be 1, so that you report the ELBO.

# %%
def my_schedule(step, n_steps):
    """The weight of the price in this step; the first step is 0."""
    ...


course.exercise("05.warm-start", my_schedule)
course.solution("05.warm-start")

# %%
schedule = course.yours("05.warm-start")
betas = [schedule(step, 400) for step in range(400)] + 1601 * [1.0]
warmed = train_tiny(strong, (4,), betas)  # starts and steps as without a schedule

# %% jupyter={"source_hidden": true}
for step in (400, 2000):
    elbo, codes = warmed[step]
    told = torch.stack([information(q) for q in codes])
    print(f"after {step:4} steps: information at least ~{told.min():.3f}", end=" ")
    print(f"nats, ELBO at least ~{elbo.min():.3f}")

# %% [markdown]
# From the same twelve starts, in as many steps, all twelve now use $z$, and 1,600 steps at the true bound do not undo it. This is a **warm start**, or **KL annealing**. Its relatives: a weight other than 1 for ever, the **β-VAE**, and **free bits**, a few nats of price that cost nothing.
#
# Back to (11): make codes with probabilities one half plus and minus $\delta$, and the decoder that matches them. Is the ELBO really the same for every $\delta$?

# %% jupyter={"source_hidden": true}
delta = torch.tensor([[0.05], [0.2], [0.35], [0.49]])
codes = torch.stack([torch.cat([0.5 - delta, 0.5 + delta], 1),
                     torch.cat([0.5 + delta, 0.5 - delta], 1)], 1)  # fmt: skip
matching = (codes / codes.sum(1, keepdim=True)).log()  # p(x | z): (delta, picture, z)
check(
    "(11): four points on the line, ELBO = -log 2",
    bound_of(codes.log(), matching - math.log(2)).mean(1),
    -math.log(2),
    atol=1e-5,
    unlike={
        "a decoder that ignores z": bound_of(
            codes.log(), torch.full_like(codes, 0.25).log()
        ).mean(1)
    },
)

# %% jupyter={"source_hidden": true}
ends = {name: told[-1] for name, (_, told) in seen.items()}
with course.more_checks():
    check(
        "weak decoder: log 2 nats",
        ends["weak decoder"],
        math.log(2),
        atol=0.02,
        unlike={"strong decoder": ends["strong decoder"]},
    )
    check_range(
        "strong decoder: most of twelve after 2,000 steps, nats",
        ends["strong decoder"].max(),
        0,
        math.log(2) / 2,
        unlike={"a wilder start": ends["strong, wilder start"].max()},
    )
    check(
        "your schedule, 1,600 steps later: log 2 nats",
        told,
        math.log(2),
        atol=0.02,
        unlike={"without it": ends["strong decoder"]},
    )

# %% [markdown]
# ## Summary
#
# 1. A latent-variable model explains $x$ by a hidden $z$. Its $p(x)$ sums over every $z$, and draws from the prior cannot estimate that sum: how many you need grows like $r^k$.
# 2. For any guess $q$, the ELBO is the average of $\log w$, and at most $\log p(x)$. It is reconstruction minus the price of the code.
# 3. The gap is the KL from the guess to the posterior. It is quadratic in the error. Prediction 1: about 0.03 nats.
# 4. EM climbs the ELBO in two directions. E closes the gap, M lifts the bound; the likelihood never falls, and the start decides where it ends.
# 5. A network can guess the code of any picture. What it loses against the best guess for each is the amortisation gap, here nearly all of it on unseen pictures.
# 6. Many draws: the log of the mean tightens the bound, the mean of the logs stays the ELBO.
# 7. Prediction 2: cannot say. In three pairs the better model had the lower ELBO. Many draws and a paired bar repair the order.
# 8. Prediction 3: in none of twelve, within 2,000 steps. All have the best ELBO, which is the same on a whole line from silent to speaking codes. Measure $I(x;z)$. A warm start repairs it here, and a $z$ that is used stays in use.
#
# | paradigm | minimises | samples by | likelihood | pays with |
# |---|---|---|---|---|
# | latent-variable | minus reconstruction plus price of the code | a draw from the prior, then one from the decoder | a lower bound (exact only where $z$ can be summed) | a gap you do not see; a $z$ that may stay unused |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(5)

# %% [markdown]
# ## Project: templates that share
#
# *(2 to 3 hours.)* Your mixture has 20,000 free numbers and 1,397 pictures. Make it better, and keep its likelihood *exact*.
#
# - **Target**: at most 2.15 bits per dimension on the 200 test digits, in each of three trainings from different starts. Choose everything on the validation digits.
# - **It can be done**: your EM reaches about 2.19. Pseudo-counts that are shared out like the levels of the pixel histogram (one in all for each level on average, in place of 0.3 for each) reach 2.16 to 2.18, in nine starts. The average of three such mixtures is again a mixture, of sixty templates, and reaches 2.13 to 2.14, in three sets.
# - **Ideas**: how a template should borrow from the others; a second latent, a shift by a pixel; splitting and merging templates; averaging.
# - **Look at** what did not help us: shifts by one pixel as a second latent changed less than the error bar.
# - **Submit** a table with paired bars (lesson 03), a picture of your templates, and one idea that failed.
#
# The lesson ends here. Two optional sections:
#
# - *A guess of the wrong shape*, 18 minutes
# - *A better bound, a worse gradient*, 12 minutes
#
# ## Going further: a guess of the wrong shape
#
# Encoders of continuous codes nearly always guess independent entries, $q=\mathcal N(m,\mathrm{diag}(v))$, a **mean-field** guess. What if the posterior is correlated? Take a decoder where everything is known: $z\sim\mathcal N(0,I)$ in two dimensions, $x\mid z\sim\mathcal N(Wz,\sigma^2I)$ in three. This is **probabilistic PCA**, and $x\sim\mathcal N(0,WW^\top+\sigma^2I)$ exactly. As a function of $z$ the log of the joint is a quadratic, so the posterior is normal. Read its inverse covariance $\Lambda$, the **precision**, off the square terms, and its mean off the linear ones:
# $$\log p(x,z)=-\tfrac12z^\top\underbrace{\big(I+W^\top W/\sigma^2\big)}_{\Lambda}z+z^\top W^\top x/\sigma^2+\text{const},\qquad m=\Lambda^{-1}W^\top x/\sigma^2 .\tag{13}$$
# With the right mean, the KL of the two normals is the first line below (quoted). Its slope in $v_j$ is zero at $v_j=1/\Lambda_{jj}$. Insert that, and the gap is left:
# $$\begin{aligned}\mathrm{KL}(q\,\|\,p)&=\tfrac12\Big(\sum_j\Lambda_{jj}v_j-2-\sum_j\log v_j-\log\det\Lambda\Big),\\ \text{gap}&=\tfrac12\Big(\sum_j\log\Lambda_{jj}-\log\det\Lambda\Big).\end{aligned}\tag{14}$$
# $1/\Lambda_{jj}$ is the variance of $z_j$ when the *other* entry is known, less than the variance of $z_j$. The guess comes first in (5), so it avoids places where the posterior is small: mode-seeking, as in lesson 03.
#
# Now rotate the latent space, $W\to WR$. Then $WW^\top$ stays as it is, and so does every $p(x)$. But $\Lambda$ does not.

# %%
torch.set_default_dtype(torch.float64)
W, std, zero = torch.tensor([[1.0, 0.7], [0.9, -0.3], [0.4, 0.8]]), 0.6, torch.zeros(3)


def turn(angle):
    c, s = math.cos(angle), math.sin(angle)
    return W @ torch.tensor([[c, -s], [s, c]])  # (3, 2)


def gap_of(W):
    L = torch.eye(2) + W.T @ W / std**2  # Lambda of (13)
    return 0.5 * (L.diagonal().log().sum() - torch.logdet(L))  # (14)


angles = torch.linspace(0, math.pi, 181)
gaps_at = torch.stack([gap_of(turn(angle.item())) for angle in angles])
worst = LinearLatent(turn(angles[gaps_at.argmax()].item()), zero, std)
x = worst.sample(2000, generator=core.make_generator(7))

# %% jupyter={"source_hidden": true}
mean, cov = worst.posterior(x)
level = worst.log_prob(x).mean()
show(
    lesson_05.turned(cov, angles, level - gaps_at, level.item()),
    "Left: a tilted ellipse, the posterior, and a smaller upright one within it, the "
    "best independent guess. Right: as the latent space turns, the ELBO waves below "
    "the dashed line of log p(x) and touches it twice.",
)
by_elbo = lambda v: worst.log_prob(x) - worst.elbo_of(x, mean, v.log().expand(2000, 2))
with course.more_checks():
    check(
        "(14): log p(x) - ELBO of the best independent guess",
        by_elbo(1 / torch.linalg.inv(cov).diagonal()),
        gap_of(worst.weight).item(),
        unlike={"variances of the posterior": by_elbo(cov.diagonal())},
    )
    check(
        "(13): the posterior's precision",
        torch.eye(2) + worst.weight.T @ worst.weight / std**2,
        torch.linalg.inv(cov),
        unlike={"the prior's I forgotten": worst.weight.T @ worst.weight / std**2},
    )

# %% [markdown]
# It is one model, with one likelihood. Its ELBO loses up to 0.1 nats, or nothing where the axes of the posterior line up with those of $z$. *The bound depends on a choice that the likelihood cannot see.* (A decoder may rotate its latent space at no cost in likelihood, so training turns the axes to where the bound is best.)
#
# Turn the latent space until the guess can be right. How large do its two standard deviations become?

# %% tags=["keep-output"]
widgets.posterior_ellipse()

# %% [markdown]
# <details><summary>Answer</summary>
#
# Along its own axes the posterior is not correlated, and the guess *is* the posterior. Its standard deviations are 0.36 and 0.57, half of the half axes of the two-sigma ellipse.
# </details>
#
# Is a poor guess, or a bad start, always to blame when a latent stays unused? Take ten latents and the digits, with the exact posterior and the best $W$, known in closed form from the eigenvalues $\lambda_j$ of the data's covariance (Tipping and Bishop 1999). Hold the noise at $\sigma$. Then a latent survives only if its eigenvalue exceeds $\sigma^2$ (quoted). The information below is that of pictures drawn from the model; of 1,397 given pictures, (12) can tell at most $\log1397=7.24$ nats:
# $$I(x;z)=\tfrac12\sum_j\log\max\Big(1,\frac{\lambda_j}{\sigma^2}\Big).\tag{15}$$
# Here is collapse at the very maximum of the likelihood, with no gap at all.

# %%
ink = train.images.flatten(1).double()
spectrum = torch.linalg.eigvalsh(torch.cov(ink.T, correction=0)).flip(0)
for std in (1.0, 3.0, 6.0, 9.0):
    nats = 0.5 * (spectrum[:10] / std**2).clamp_min(1).log().sum()
    alive = int((spectrum[:10] > std**2).sum())
    print(f"noise {std:.0f}: {alive:2d} of 10 latents alive, I(x; z) = {nats:.2f} nats")

# %% jupyter={"source_hidden": true}
show(
    lesson_05.spectrum(spectrum[:20], (3.0, 6.0, 9.0)),
    "The first twenty eigenvalues of the digits, falling from 180 to 11 on a "
    "logarithmic axis, and dashed lines of the noise: all twenty lie above the noise "
    "3, ten above 6, four above 9.",
)

# %% jupyter={"source_hidden": true}
W_start = torch.randn(64, 10, generator=torch.Generator().manual_seed(2))
*_, last = latent.em(
    LinearLatent(W_start, ink.mean(0), 9.0),
    lambda m: m.posterior(ink),
    lambda q: latent.ppca_m_step(ink, *q, std=9.0),
    n_steps=150,
)
W_em = last.model.weight  # EM computes no eigenvalue of the covariance
by_em = 0.5 * torch.logdet(torch.eye(10) + W_em.T @ W_em / 81)
living = lambda m: int(((m.weight**2).sum(0) > 1e-9).sum())
with course.more_checks():
    check(
        "(15) at noise 9 = EM from a random start",
        by_em,
        0.5 * (spectrum[:10] / 81).clamp_min(1).log().sum(),
        rtol=1e-3,
        unlike={"without the max": 0.5 * (spectrum[:10] / 81).log().sum()},
    )
    check(
        "latents alive with the learned noise",
        living(latent.ppca_ml(ink, 10)),
        10,
        unlike={"noise held at 9": living(latent.ppca_ml(ink, 10, std=9.0))},
    )

# %% [markdown]
# The repair is to *learn* the noise. Its best value is the mean of the left-out eigenvalues, which lies below every kept one, so all ten latents live. Lesson 06 learns it for a VAE.
#
# ## Going further: a better bound, a worse gradient
#
# As $K$ grows, $\mathcal L_K$ depends less and less on $q$; in the limit it is $\log p(x)$ whatever $q$ is. So the gradient in the parameters $\phi$ of $q$ shrinks like $1/K$, while its scatter shrinks only like $1/\sqrt K$ (Rainforth et al. 2018). Let $\tilde w_k=w_k/\sum_jw_j$, and write the draws as $z_k=m+\sigma\epsilon_k$. Then $\phi$ acts on $\log w_k=\log p(x,z_k)-\log q_\phi(z_k)$ through $z_k$, and directly:
# $$\nabla_\phi\mathcal L_K=\mathbb E\sum_k\tilde w_k\Big(\frac{\partial\log w_k}{\partial z_k}\frac{\partial z_k}{\partial\phi}-\nabla_\phi\log q_\phi(z_k)\Big)=\mathbb E\sum_k\tilde w_k^2\,\frac{\partial\log w_k}{\partial z_k}\frac{\partial z_k}{\partial\phi}.\tag{16}$$
# *Why are the two equal?* $\mathbb E_q[g(z)\nabla_\phi\log q_\phi(z)]$ and $\mathbb E_q[g'(z)\,\partial z/\partial\phi]$ are two formulas for the gradient of $\mathbb E_q[g]$ with $g$ held fixed. Apply this to $g=\tilde w_k$ as a function of $z_k$, whose derivative is $\tilde w_k(1-\tilde w_k)\,\partial\log w_k/\partial z_k$, and subtract. The right-hand side is the **doubly reparameterised** gradient (Tucker et al. 2018).

# %%
upright = LinearLatent(turn(angles[gaps_at.argmin()].item()), zero, std)
seen = x[:1]
right_mean, right_cov = upright.posterior(seen)
m0, v0 = right_mean + 0.3, right_cov.diagonal().log()[None] + 0.3  # off on purpose
generator = core.make_generator(9)


def gradients(n_draws, how, n=4000):
    """n estimates of the gradient in the first entry of q's mean."""
    m = m0.expand(n, 2).clone().requires_grad_()  # a copy for each estimate
    eps = torch.randn(n_draws * n, 2, generator=generator)
    log_w = latent.log_weight(
        seen.expand(n_draws * n, 3),
        m.repeat(n_draws, 1),
        v0.expand(n_draws * n, 2),
        eps,
        decoder_log_prob=upright.cond_log_prob,
        through_z_only=how == "doubly",
    ).view(n_draws, n)
    weight = log_w.detach().softmax(0)
    value = (weight**2 * log_w).sum(0) if how == "doubly" else log_mean(log_w)
    return torch.autograd.grad(value.sum(), m)[0][:, 0]


snr = {how: {} for how in ("plain", "doubly")}
for how, found in snr.items():
    for n_draws in (1, 4, 16, 64):
        g = gradients(n_draws, how)
        found[n_draws] = (g.mean().abs() / g.std()).item()
    print(how, "  ".join(f"K = {k}: ~{value:.2f}" for k, value in found.items()))

# %% jupyter={"source_hidden": true}
both = {how: gradients(4, how, n=20_000) for how in ("plain", "doubly")}
single = m0.clone().requires_grad_()
upright.elbo_of(seen, single, v0).sum().backward()
with course.more_checks():
    check_close_mc(
        "(16): plain - doubly reparameterised, K = 4",
        both["plain"] - both["doubly"],
        0.0,
        unlike={"the slope of the ELBO": both["plain"] - single.grad[0, 0]},
    )
    check_range(
        "plain: signal over noise, K = 64 / K = 4",
        snr["plain"][64] / snr["plain"][4],
        0.1,
        0.6,
        unlike={"doubly": snr["doubly"][64] / snr["doubly"][4]},
    )

# %% [markdown]
# The table shows the mean of one estimate over its standard deviation. The plain gradient drowns as the bound tightens. The doubly reparameterised one, with the same mean, gets cleaner.
#
# ## What production systems add
#
# The ELBO is at work in places that look different. Diffusion models are trained by it, usually reweighted, with a *fixed* $q$ that adds noise (lesson 12). Masked diffusion language models have no exact $\log p$ of an answer, only an ELBO that is estimated from draws. Preference tuning needs *differences* of such numbers, between a model and its reference. The noise of the estimates was the obstacle, and LLaDA 1.5 spends more draws and uses the *same* masks for both models (Zhu et al. 2025, arXiv:2505.19223): the paired difference of section 6. Codes that are chosen by `argmax` from a learned codebook are the tokens of many autoregressive image models (lesson 06). And in language models a powerful decoder that ignores its $z$ is the classic case of collapse (Bowman et al. 2015, arXiv:1511.06349).
#
# ## Sources
#
# - Dempster, Laird and Rubin 1977, *J. R. Stat. Soc. B* 39; Wu 1983, *Ann. Statist.* 11 (EM, and what it converges to); Neal and Hinton 1998, theorem 2 (EM as coordinate ascent).
# - Bishop, *Pattern Recognition and Machine Learning*, eq. 9.56 to 9.60 (mixtures of discrete pixels), 9.70 to 9.72 (bound and gap), 12.45 and 12.46 (probabilistic PCA). Tipping and Bishop 1999, *J. R. Stat. Soc. B* 61.
# - Kingma and Welling 2013 (arXiv:1312.6114), eq. 1 to 3. Cremer, Li and Duvenaud 2018 (arXiv:1801.03558): the amortisation gap.
# - Burda, Grosse and Salakhutdinov 2015 (arXiv:1509.00519), eq. 8 and theorem 1. Rainforth et al. 2018 (arXiv:1802.04537), theorem 1. Tucker et al. 2018 (arXiv:1810.04152).
# - Bowman et al. 2015 (arXiv:1511.06349): collapse, and KL annealing. Alemi et al. 2018, *Fixing a Broken ELBO* (arXiv:1711.00464): the line of equal bounds. Lucas et al. 2019 (arXiv:1911.02469): collapse in linear VAEs.
# - Stanford CS236, lecture 5; Berkeley CS294-158, lecture 4.
