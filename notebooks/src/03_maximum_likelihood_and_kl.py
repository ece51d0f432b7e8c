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
# # 03 · Maximum likelihood and the two directions of KL
#

# %% jupyter={"source_hidden": true}
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.autograd.functional import hessian, jacobian
from torch.distributions import Normal

import genlab_course as course
from genlab import core
from genlab.data.digits import load_digits
from genlab.oracles import GaussianMixture
from genlab_course import check, check_close_mc, check_range, widgets
from genlab_course.figures import film, lesson_03, show

course.begin(lesson=3)

# %% tags=["keep-output"] jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)  # exact numbers first; training will use float32
hills = GaussianMixture(
    torch.tensor([0.6, 0.4]), torch.tensor([[-2.0], [2.0]]), torch.tensor([0.6, 0.6])
)
line = torch.linspace(-8, 8, 801)
ranks = (torch.arange(200) + 0.5) / 200
noise = Normal(0.0, 1.0).icdf(ranks)  # 200 evenly likely places
places = hills.sample(2000, generator=core.make_generator(3))[:, 0]  # where data live


def let_go(loss, m, s, steps=80):
    """The path of (m, s) downhill on loss(m, s)."""
    v = torch.tensor([m, math.log(s)], requires_grad=True)
    optimizer = torch.optim.Adam([v], lr=0.1)
    path = [(m, s)]
    for _ in range(steps):
        optimizer.zero_grad()
        loss(v[0], v[1].exp()).backward()
        optimizer.step()
        path.append((v[0].item(), v[1].exp().item()))
    return path


# %% tags=["keep-output"] jupyter={"source_hidden": true}
def log_hills(z):
    return hills.log_prob(z[:, None])


def one_way(m, s):
    return -Normal(m, s).log_prob(places).mean()


def other_way(m, s):
    z = m + s * noise
    return (Normal(m, s).log_prob(z) - log_hills(z)).mean()


paths = {
    "one way": let_go(one_way, 0.0, 0.6, 160),
    "the other way": let_go(other_way, 0.0, 0.6, 160),
}
alt = (
    "The same bell curve is released on two grey hills twice. Above, it grows as wide "
    "as both hills, and a quarter of its dots, drawn in orange, lie where hardly any "
    "data live. Below, it shrinks onto the left hill and hardly a dot is orange; the "
    "right hill is ignored."
)
film(lesson_03.two_hills(line, log_hills, paths, noise, 16), alt, seconds=5.0)

# %% [markdown]
# The grey hills are data. One bell curve is released on them twice, and each time it walks downhill on a loss until it stops. The dots are 200 evenly likely places under it, orange outside of where 99 % of the data live. Both losses are a divergence between data and model, and they have the same formula. They differ only in *who comes first* in it. Above, the curve covers everything, and a quarter of its samples land where there is nothing. Below, nearly every sample is a good one, and the curve forgets two fifths of the data.
#
# The first loss is the one that nearly every model of this course is trained with: maximum likelihood. Where does it come from, which mistakes does it forgive, and what does its number tell you about a model?
#
# **After this lesson you will be able to**
#
# - *derive* maximum likelihood from the wish to be close to the data;
# - *derive* and *use* its gradient;
# - *predict* what a model that is too simple will do, from the direction of the divergence;
# - *report* a likelihood, and the difference of two models, with an error bar;
# - *repair* a training run that keeps the wrong model, and *say* what leaked data do to a loss.
#
# You need lesson 01, bits per dimension (lesson 02), expectations, and PyTorch with autograd and Adam.
#
# Two sittings of about 72 and 75 minutes, exercises included; the cells run in 30 seconds.

# %% [markdown]
# ## Predict first
#
# Write your guess in place of the dots and run the cell. Each one is shown to you again where the lesson answers it.
#
# 1. The lower curve ignores 40 % of the data for good. What does its *own* loss charge for that, in nats: `"0.5"`, `"5"` or `"infinite"`?

# %%
course.exercise("03.predict-price", ...)

# %% [markdown]
# 2. A model predicts 199 held-out pictures perfectly and gives the 200th probability zero. Its held-out loss, a mean over the 200, is `"a little larger"` than without that picture, `"twice"` as large or `"infinite"`?

# %%
course.exercise("03.predict-zero", ...)

# %% [markdown]
# 3. You store your 1,397 training digits and "predict" each of them by looking it up. How many bits per dimension does that cost on the training digits, which have 64 pixels: `0.00`, `0.16` or `2.3`?

# %%
course.exercise("03.predict-memory", ...)

# %%
course.draw_map(lesson=3, slim=True)

# %% [markdown]
# ## 1. How surprised are you?
#
# A forecaster says the same every day: sun with probability 0.5, clouds 0.3, rain 0.2. You keep a diary for ten days: four of sun, four of clouds, two of rain. How good is the forecast?
#
# **Step 1. Surprise.** On a rainy day you are more surprised than on a sunny one. The **surprise** at an outcome $x$ that was given probability $q(x)$ is $-\log q(x)$: nothing for a certainty, more and more for what was called unlikely. Why a logarithm? Because surprises of independent events should add up, while their probabilities multiply. The mean surprise over the diary is
# $$\frac{4\cdot0.693+4\cdot1.204+2\cdot1.609}{10}=1.081\ \text{nats},\qquad\text{in general}\quad -\frac1N\sum_{i=1}^N\log q(x_i)=-\sum_x\hat p(x)\log q(x)=:H(\hat p,q).\tag{1}$$
# On the left every day counts once. In the sum on the right the days are sorted by outcome, and $\hat p$ is the fraction of each outcome in the diary, here $(0.4, 0.4, 0.2)$. It is called the **empirical distribution**, and $H(\hat p,q)$ the **cross-entropy**. The left side you know from lesson 02: the negative log-likelihood, divided by the number of days.

# %%
diary = torch.tensor([0, 1, 0, 2, 1, 1, 0, 0, 2, 1])  # 0 sun, 1 clouds, 2 rain
q = torch.tensor([0.5, 0.3, 0.2])  # the forecast
p_hat = torch.bincount(diary) / len(diary)  # (0.4, 0.4, 0.2)
surprise = -q[diary].log()  # (10,)
cross_entropy = -(p_hat * q.log()).sum()
print(f"mean surprise {surprise.mean():.4f}, cross-entropy {cross_entropy:.4f}")

# %% jupyter={"source_hidden": true}
show(
    lesson_03.diary(diary, surprise, -p_hat[diary].log()),
    "Two bars for each of ten days: the surprise under the forecast, and under the "
    "fractions of the diary. On sunny days the forecast is the better of the two, on "
    "cloudy days the worse. Their means are 1.08 and 1.05 nats.",
)
with course.more_checks():
    check(
        "(1): your diary, day by day and by fractions",
        [surprise.mean(), cross_entropy],
        F.nll_loss(q.log().expand(10, 3), diary).item(),
        unlike={"p and q exchanged": core.cross_entropy(q, p_hat).item()},
    )

# %% [markdown]
# **Step 2. The excess.** No forecast can avoid all surprise. The best one for this diary says $\hat p$ itself, and has the mean surprise 1.055. What the forecaster adds to that by being wrong is small, 0.026 nats. This excess is the **Kullback-Leibler divergence (KL)** of a belief $q$ from what happens, $p$:
# $$\mathrm{KL}(p\,\|\,q)=\sum_xp(x)\log\frac{p(x)}{q(x)}=\underbrace{-\sum_xp(x)\log q(x)}_{\text{cross-entropy }H(p,q)}-\underbrace{\Big(-\sum_xp(x)\log p(x)\Big)}_{\text{entropy }H(p)}.\tag{2}$$
# Here it is $0.4\log\frac{0.4}{0.5}+0.4\log\frac{0.4}{0.3}+0=-0.089+0.115=0.026$. We average over what happens, so that distribution comes *first*. For densities the sums become integrals.
#
# **Your turn 03.1 · another town** *(compute, 3 minutes)*. In another town the weather follows $p=(0.6,0.3,0.1)$, and its forecaster says $q=(0.3,0.3,0.4)$. What is $\mathrm{KL}(p\,\|\,q)$ in nats, to three digits?

# %%
excess = ...

course.exercise("03.kl-value", excess)
course.solution("03.kl-value")


# %% [markdown]
# **Step 3. Never below zero.** One term of the tiny case was negative: on sunny days the forecaster was *less* surprised than the truth would be. Can the whole sum be negative? For $r>0$ we have $\log r\le r-1$, equal only at $r=1$. Let $p(x)>0$ for every outcome, and put $r=q/p$. Both distributions sum to 1, so $r-1$ has mean zero under $p$:
# $$\mathrm{KL}(p\,\|\,q)=\sum_xp(x)\,\big(\underbrace{r_x-1-\log r_x}_{\ge0}\big)\ \ge0,\qquad\text{in the diary}\quad0.4\cdot0.0269+0.4\cdot0.0377+0.2\cdot0=0.026 .\tag{3}$$
# So the KL is zero only if $q=p$. (If $q$ gives probability to outcomes that $p$ excludes, $r-1$ has a negative mean, and the KL is larger still.) Keep the three terms of (3) in mind. They come back in section 6, as a trick.
#
# **A common misconception** is that the KL is a distance. It is not symmetric: in the diary the other order gives 0.0253, in exercise 03.1 0.347. Nor does it obey the triangle inequality: from a fair coin to one that shows heads in 90 % of its throws it is 0.51 nats, but over a coin of 70 % the two parts add up to only 0.24.
#
# ## 2. Why do we maximise the likelihood?
#
# Now let the forecast have knobs, the parameters $\theta$. We want $p_\theta$ close to the distribution of the data, which nobody knows. How can you approach something that you cannot see?
#
# **Step 4. The unknown part does not move.** In (2) the entropy of the data contains no $\theta$. So the two goals have the same minimum:
# $$\arg\min_\theta\ \mathrm{KL}(p_{\text{data}}\,\|\,p_\theta)=\arg\min_\theta\ H(p_{\text{data}},p_\theta)=\arg\max_\theta\ \mathbb E_{x\sim p_{\text{data}}}\big[\log p_\theta(x)\big].\tag{4}$$
# What is left is an average under the data, and for an average, *samples are enough*. Replace it by the mean over $N$ examples, equation (1), and you minimise the **negative log-likelihood (NLL)**. That is **maximum likelihood**. It is like finding the lowest house in a foggy valley: you need not know the height above sea, only the differences.
#
# **Step 5. The gradient.** Let the model be a table, with logits $\theta$ and $q=\mathrm{softmax}(\theta)$. Lesson 02 found the slope of one surprise. Now average it over the data.
#
# **Your turn 03.2 · the gradient** *(derive, 4 minutes)*. Write the slope of the mean NLL, in the logits, for a stack of tables. `theta` has a row of logits for each table, `counts` a row that says how often each outcome was seen there. The mean in each row is over that row's observations. The next fit goes downhill with **your** gradient.

# %%
def my_gradient(theta, counts):
    """Slope of each row's mean NLL; theta and counts are (n_tables, k)."""
    ...


course.exercise("03.gradient", my_gradient)
course.solution("03.gradient")

# %% [markdown]
# Use it on real data. A digit has 64 pixels of 17 grey levels. Give each pixel a table of its own. All 64 start out flat and learn from 1,397 training digits.

# %%
gradient = course.yours("03.gradient")
digits = {
    part: load_digits(part).images.flatten(1) for part in ("train", "val", "test")
}
counts = F.one_hot(digits["train"], 17).sum(0).double()  # (64, 17)
theta, learned = torch.zeros(64, 17), {}
for step in range(1, 401):
    theta = theta - 3.0 * gradient(theta, counts)  # (64, 17)
    if step in (1, 10, 400):
        learned[step] = theta.softmax(1)

# %% jupyter={"source_hidden": true}
counted = counts / counts.sum(1, keepdim=True)
show(
    lesson_03.tables(learned, counted, pixel=36),
    "The table of one pixel after 1, 10 and 400 of your steps: flat, then taking "
    "shape, then on the dots, which are the fractions counted in the data.",
)
apart, never = (learned[400] - counted).abs().max(), counted == 0
print(f"largest difference from the counts: ~{apart:.3f}")
print(f"{int(never.sum())} levels never seen in their pixel: counted 0,", end=" ")
print(f"learned ~{learned[400][never].mean():.4f} on average")
share = lambda part: [np.bincount(x, minlength=17) / len(x) for x in digits[part].T]
with course.more_checks():
    check(
        "descent ends at count and divide",
        learned[400],
        np.array(share("train")),
        atol=0.005,
        unlike={"ten steps": learned[10], "of validation": np.array(share("val"))},
    )

# %% [markdown]
# You told it nothing about counting, and yet it ends at **count and divide**. That is what (3) says must happen: if the table may be anything, the loss is least where $\mathrm{KL}(\hat p\,\|\,q)=0$, that is, $q=\hat p$. Now read the second line that is printed. Levels that were never seen in a pixel have probability zero by counting. The descent has not quite reached zero there, and never will. Section 8 shows why this matters.
#
# Does your slope agree with autograd? The check draws six rows at random, with a different number of observations in each; a sum in place of the mean would show.

# %% jupyter={"source_hidden": true}
generator = core.make_generator(2)
logits = torch.randn(6, 5, generator=generator, requires_grad=True)
seen = torch.randint(1, 9, (6, 5), generator=generator).double()
total = -(seen * logits.log_softmax(1)).sum(1)
mean = total / seen.sum(1)
(slope,) = torch.autograd.grad(mean.sum(), logits, retain_graph=True)
(of_sum,) = torch.autograd.grad(total.sum(), logits)
check(
    "your gradient = autograd, six tables",
    gradient(logits.detach(), seen),
    slope,
    unlike={"sum for mean": of_sum},
)

# %% jupyter={"source_hidden": true}
draws = torch.multinomial(p_hat, 10_000, True, generator=generator)
found, ratio = torch.bincount(draws, minlength=3) / len(draws), q / p_hat
with course.more_checks():
    check(
        "(1): mean over days = cross-entropy of the fractions",
        -q[draws].log().mean(),
        core.cross_entropy(found, q),
        unlike={"p for its estimate": core.cross_entropy(p_hat, q)},
    )
    check(
        "(2) = (3) = genlab's KL",
        [-(p_hat * ratio.log()).sum(), (p_hat * (ratio - 1 - ratio.log())).sum()],
        core.kl_categorical(p_hat, q).item(),
        unlike={"the other order": core.kl_categorical(q, p_hat).item()},
    )
    coins = torch.tensor([[0.5, 0.5], [0.7, 0.3], [0.9, 0.1]])
    detour = core.kl_categorical(coins[:2], coins[1:]).sum()
    direct = core.kl_categorical(coins[0], coins[2])
    check_range(
        "a detour costs less than half",
        detour / direct,
        0,
        0.5,
        unlike={"as if it were a distance": direct / direct},
    )


# %% [markdown]
# ## 3. Which mistakes does it forgive?
#
# So far the model could match the data. Real models cannot. Take the two hills of the opening, the **modes** of the data, with weights 0.6 and 0.4, and one Gaussian $q=\mathcal N(m,s^2)$. We average under the distribution that comes first in the divergence, and that decides what is punished.
#
# **Step 6. Data first: mode-covering.** In the **forward KL**, $\mathrm{KL}(p\,\|\,q)$, only the cross-entropy contains $m$ and $s$. Set its slopes to zero:
# $$H(p,q)=\log s+\frac{\mathbb E_p[(x-m)^2]}{2s^2}+\text{const};\qquad m=\mathbb E_p[x]=-0.4,\qquad s^2=\mathrm{Var}_p[x]=0.6^2+0.6\cdot0.4\cdot4^2=4.2.\tag{5}$$
# (The variance is that inside a hill plus that between the two.) This is **moment matching**: the same mean and the same variance, whatever $p$ looks like. A place where data live and $q$ is tiny costs dearly; a place that $q$ fills and data do not costs nothing directly.
#
# **Step 7. Model first: mode-seeking.** The **reverse KL** averages under $q$:
# $$\mathrm{KL}(q\,\|\,p)=\mathbb E_{z\sim q}\big[\log q(z)-\log p(z)\big],\qquad z=m+s\,\epsilon,\quad\epsilon\sim\mathcal N(0,1).\tag{6}$$
# Be spread out ($\log q$ small), but only where $p$ is high. Nothing asks whether you visit all of $p$. There is no closed form, so average over draws of $\epsilon$. Written as $z=m+s\epsilon$, a sample moves when $m$ and $s$ move, and autograd can follow it. (Lesson 06 says more about this **reparameterisation**.)
#
# **Your turn 03.3 · the reverse loss** *(build, 12 minutes)*. Write (6) as a mean over the draws `eps`, of shape $(n,)$. `log_p` is a function that takes such places and returns their log-densities. `m` and `s` are tensors of one number each. Return a tensor from which gradients flow to `m` and to `s`. **Your** loss draws the next film.

# %%
def my_reverse_loss(m, s, eps, log_p):
    """Mean of log q(z) - log p(z) over z = m + s eps."""
    ...


course.exercise("03.reverse-loss", my_reverse_loss)
course.solution("03.reverse-loss")

# %%
reverse_loss = course.yours("03.reverse-loss")


def let_go(loss, m, s, steps=80, lr=0.1):
    """The path of (m, s) downhill on loss(m, s)."""
    v = torch.tensor([m, math.log(s)], requires_grad=True)  # log s: s stays positive
    optimizer = torch.optim.Adam([v], lr=lr)
    path = [(m, s)]
    for _ in range(steps):
        optimizer.zero_grad()
        loss(v[0], v[1].exp()).backward()
        optimizer.step()
        path.append((v[0].item(), v[1].exp().item()))
    return path


def downhill(m, s):
    return reverse_loss(m, s, noise, log_hills)  # noise: 200 quantiles of N(0, 1)


starts = {
    "from the left": (-1.0, 1.0),
    "from the right": (1.0, 1.0),
    "from between": (0.5, 1.0),
}
paths = {name: let_go(downhill, *start) for name, start in starts.items()}
ends = {name: path[-1] for name, path in paths.items()}

# %% tags=["keep-output"] jupyter={"source_hidden": true}
alt = (
    "Your loss lets three bell curves go. Two shrink onto the hill on their side; the "
    "third starts between, stays wide and ends across both hills."
)
film(lesson_03.two_hills(line, log_hills, paths, noise, 12), alt, seconds=4.0)


def price(m, s):
    """Both divergences of N(m, s^2) from the hills, by quadrature."""
    log_p, log_q = log_hills(line), Normal(m, s).log_prob(line)
    both = core.kl_on_grid(log_p, log_q, line), core.kl_on_grid(log_q, log_p, line)
    return [value.item() for value in both]


fits = {"forward": (-0.4, 4.2**0.5)} | ends
print(f"{'':16} {'m':>6} {'s':>6} {'KL(p||q)':>9} {'KL(q||p)':>9}")
for name, fit in fits.items():
    print(f"{name:16} " + " ".join(f"{v:6.2f}" for v in fit), end=" ")
    print(" ".join(f"{v:9.2f}" for v in price(*fit)))

# %% [markdown]
# The start decided everything. Two of your curves each end on one hill and are as narrow as it is. The third began between the hills and stopped wide, across both, at 1.14 nats. That is the worst of the three by the loss itself, and still the bottom of a valley of the loss: no small step leads out of it. So "mode-seeking" describes the *best* answers of the reverse KL, here 0.51 and 0.91. Descent without noise finds the nearest valley, and this loss has three.
#
# There was no noise, since your 200 quantiles were the same in every step. Fresh draws in each step shake the curve, and this valley is shallow: its lowest pass is 0.02 nats up. Below, runs of 32 draws are counted. With fresh draws most get out. With draws held fixed few do, since each set of 32 has valleys of its own; and with a smaller step of Adam, 0.03 for 0.1, fresh draws do not shake enough.
#
# **Step 8. The price of a forgotten hill.** On the left hill $q$ is nearly the left component, so there $p\approx0.6\,q$:
# $$\mathrm{KL}(q\,\|\,p)\approx\mathbb E_q\Big[\log\frac q{0.6\,q}\Big]=-\log0.6=0.51,\qquad\text{on the right hill}\quad-\log0.4=0.92.\tag{7}$$
# *The price of ignoring the rest is minus the logarithm of the fraction that you keep.* Forgetting two fifths of all data costs half a nat; forgetting nine tenths of them 2.3. The forward KL charges the same curve about eight nats, because data in the other hill are almost impossible under it.

# %% jupyter={"source_hidden": true}
course.predicted("03.predict-price", price(*ends["from the left"])[1])
kept = torch.tensor([0.6, 0.4])
check(
    "reverse KL of your two narrow fits = -log of what is kept",
    [price(*end)[1] for end in [*ends.values()][:2]],
    -kept.log(),
    atol=0.015,
    unlike={"-log of the fraction lost": -(1 - kept).log()},
)
wide = torch.tensor([-0.4, 4.2**0.5])
with course.more_checks():
    check(
        "the opening's other way = the reverse KL",
        other_way(*wide),
        price(*wide)[1],
        atol=0.02,
        unlike={"no entropy": -log_hills(wide[0] + wide[1] * noise).mean()},
    )

# %% jupyter={"source_hidden": true}
by_descent = let_go(one_way, 1.0, 1.0, 400)[-1]
of_data = [places.mean().item(), places.std(correction=0).item()]
weights, centres = hills.weights, hills.means[:, 0]
between = (weights * (centres - weights @ centres) ** 2).sum()
with course.more_checks():
    check(
        "(5): descent on the forward loss = moments",
        by_descent,
        of_data,
        atol=1e-3,
        unlike={"std inside the hills": [of_data[0], 0.6]},
    )
    check(
        "moments in closed form",
        hills.moment_match().cov.item(),
        0.6**2 + between,
        unlike={"between the hills alone": between},
    )


# %% jupyter={"source_hidden": true}
def on_line(v):  # the reverse KL at (m, log s), by quadrature
    log_q = Normal(v[0], v[1].exp()).log_prob(line)
    return core.kl_on_grid(log_q, log_hills(line), line)


def shaken(m, s):  # your loss, with 32 fresh draws in every step
    fresh = torch.randn(32, generator=generator)
    return reverse_loss(m, s, fresh, log_hills)


def held():  # your loss, with 32 draws for a whole run
    eps = torch.randn(32, generator=generator)
    return lambda m, s: reverse_loss(m, s, eps, log_hills)


def out(losses, lr=0.1):  # how many runs from between end on a hill
    start = starts["from between"]
    return sum(let_go(loss, *start, 400, lr)[-1][1] < 1.2 for loss in losses)


# %% jupyter={"source_hidden": true}
generator = core.make_generator(8)
left, left_held = out([shaken] * 8), out([held() for _ in range(8)])
left_slow = out([shaken] * 8, lr=0.03)
print("from between, 32 draws, runs of eight that left the wide valley:")
print(f"fresh draws ~{left}, held fixed ~{left_held}, a smaller step ~{left_slow}")
with course.more_checks():
    check_range(
        "runs of eight that leave the third valley with fresh draws",
        left,
        5,
        8,
        unlike={"held fixed": left_held, "a smaller step": left_slow},
    )

# %% jupyter={"source_hidden": true}
flat = []  # slope zero: the bottom of the third valley, a pass
for m, s in (ends["from between"], (1.2, 1.37)):
    v = torch.tensor([m, math.log(s)])
    for _ in range(10):  # Newton's steps
        v = v - torch.linalg.solve(hessian(on_line, v), jacobian(on_line, v))
    flat.append(v)
bend, over = [torch.linalg.eigvalsh(hessian(on_line, v))[0] for v in flat]
valley, a_pass = [[v[0], v[1].exp(), on_line(v)] for v in flat]
with course.more_checks():
    check_range("it curves upwards everywhere", bend, 0.1, 2, unlike={"a pass": over})
    check(
        "its place and its price",
        valley,
        [-0.31, 1.76, 1.144],
        atol=0.006,
        unlike={"a pass": a_pass},
    )

# %% [markdown]
# The lower panel of the next figure shows *where* on the axis each divergence is paid. Predict before you touch it: (a) put the mean at 2 and the standard deviation at 0.6. Where is the forward cost paid? (b) Keep it narrow and walk from one hill to the other. What happens to the reverse cost on the way? Then let the play button run each method. (c) Can you find a Gaussian for which both are small? (d) Draw a target of your own in the upper panel. For which shapes do the two fits agree?

# %% tags=["keep-output"]
widgets.kl_fit()


# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) On the left hill, all of it: data that the model called impossible. (b) It climbs to 3.5 nats. Widen it on the way, and you cross a pass at 1.16 nats, the wide third valley at 1.14, and a second pass at 1.38. Without noise, descent stays in the valley where it began: from mean 0 and standard deviation 1 the play button ends in the third valley, from mean 1 on the right hill. (c) There is none: no Gaussian is close to two hills, and the direction chooses *which kind of wrong* you get. (d) For one bump that is nearly a Gaussian.
# </details>
#
# **Who can train on which?** The forward KL needs *samples* of $p$ and a model whose $\log q$ you can compute: learning from data. Autoregressive models and flows use it exactly, VAEs and diffusion models through bounds. The reverse KL needs $\log p$ itself and samples of $q$: a posterior (lesson 05), an energy (lesson 10), or another model that can score samples (section 6).
#
# **Pause.** You have the loss, its gradient and its character. A good place to stop.

# %% [markdown]
# ## 4. What does the number tell?
#
# Suppose a model has a test loss of 2.3 bits per dimension. Is that good?
#
# **Step 9. It contains the entropy of the data.** By (2), the expected loss is $H(p)$ plus the KL, and only the KL is the model's fault. Model A predicts a fair eight-sided die perfectly: its loss is $\log8=2.08$ nats. Model B takes a coin of 90 to 10 for a fair one: its loss is $\log2=0.69$, of which 0.37 are its own fault. B has the smaller loss and is the worse model. So *losses on different data cannot be compared*. On the same data they can: in the difference of two models, the unknown entropy cancels.
#
# For a continuous quantity the loss may even be negative, because a density may exceed 1. A normal of standard deviation 0.01 metres has entropy $-3.19$ nats; in millimetres, $\log1000$ more, 3.72. The unit sits inside the number. A KL compares densities by their ratio, so the unit cancels.
#
# **Step 10. It has an error bar.** The loss on $N$ test examples is a mean of independent surprises. Its **standard error** is their standard deviation, divided by the root of $N$. Is a second model better? Then look at the *difference* on each example, and treat it the same way:
# $$\mathrm{se}=\frac{\mathrm{std}(\ell_1,\dots,\ell_N)}{\sqrt N},\qquad\mathrm{se}_{\text{paired}}=\frac{\mathrm{std}(\ell_1-\ell_1',\dots,\ell_N-\ell_N')}{\sqrt N}.\tag{8}$$
# Here $\ell_i$ is the surprise at example $i$, and $\ell_i'$ the rival's. In the diary, a model that says $\hat p$ has $1.05\pm0.09$, and its rival, the forecaster, $1.08\pm0.12$. (Counted on these very days, the model is flattered; below we draw new ones.) If you combined these two bars like independent errors (root of the sum of squares), the difference would be $0.03\pm0.15$. But it rained for both on the same days: paired, it is $0.03\pm0.08$. It is like weighing two people on one shaky scale: the shaking is common, and cancels.
#
# **Your turn 03.4 · a report** *(build, 10 minutes)*. You are given the log-probabilities, in nats, that a model and its rival assign to the same $N$ pictures of `n_dims` pixels each. Return four numbers: the model's mean bits per dimension and its standard error; the mean difference (rival minus model, so that positive means *the model is better*) and its paired standard error. Every table below is made by **your** report.

# %%
def my_report(log_p, rival_log_p, n_dims):
    """(bits, standard error, gain over the rival, paired standard error)."""
    ...


course.exercise("03.report", my_report)
course.solution("03.report")

# %% [markdown]
# Is the paired bar honest? Make 2,000 new diaries of 100 days, with $\hat p$ as the truth, and let your function compare the two forecasters on each. Your gains scatter, and your bar should say by how much, without having seen the other diaries.

# %% jupyter={"source_hidden": true}
report = course.yours("03.report")


def reports(rows, rival_rows, n_dims):
    """Your report of each row, as a table of four columns."""
    pairs = zip(rows, rival_rows, strict=True)
    return torch.tensor([[float(v) for v in report(*two, n_dims)] for two in pairs])


days = torch.multinomial(p_hat, 200_000, True, generator=generator).reshape(2000, 100)
better, worse = p_hat.log()[days], q.log()[days]  # (2000, 100): the rival is q
_, se, gains, paired = reports(better, worse, 1).T
se_rival = reports(worse, better, 1)[:, 1]
rms = lambda bars: bars.square().mean().sqrt()
check(
    "your paired bar = scatter of 2,000 gains",
    rms(paired),
    gains.std(),
    rtol=0.08,
    unlike={"unpaired": rms((se**2 + se_rival**2).sqrt())},
)

# %% jupyter={"source_hidden": true}
truth = core.kl_categorical(p_hat, q) / math.log(2)
unpaired = rms((se**2 + se_rival**2).sqrt())
show(
    lesson_03.two_bars(gains, rms(paired), unpaired),
    "A histogram of 2,000 gains. Beneath it two bars: the paired one is as wide as the "
    "heap's standard deviation, the unpaired one twice as wide.",
)
within = lambda bars: ((gains - truth).abs() < bars).double().mean()

# %% jupyter={"source_hidden": true}
day = torch.stack([p_hat, q]).log2()  # minus each forecaster's surprises, in bits
var = (p_hat * day**2).sum(1) - (p_hat * day).sum(1) ** 2
with course.more_checks():
    check(
        "the unpaired bar, in closed form",
        rms((se**2 + se_rival**2).sqrt()),
        (var.sum() / 100).sqrt(),
        rtol=0.04,
        unlike={"one forecaster twice": (2 * var[0] / 100).sqrt()},
    )
    check_range(
        "two bars hold the truth",
        within(2 * paired),
        0.93,
        0.975,
        unlike={"one bar": within(paired)},
    )
    check_close_mc(
        "the mean gain is the KL, in bits",
        gains,
        truth.item(),
        unlike={"in nats": truth.item() * math.log(2)},
    )
tiny = reports(p_hat.log()[diary][None], q.log()[diary][None], 1)[0] * math.log(2)
print(f"the ten days, in nats: gain of the fractions {tiny[2]:.3f} +- {tiny[3]:.3f}")


# %% [markdown]
# The gains scatter as far as the paired bar says; the unpaired one promises twice as much. And on ten days the error of 0.08 nats is larger than the gain of 0.03: for a gain of two paired bars you need more than 300 days. What no bar can see: whether the test data are the right ones (section 8), and what another training would have given.
#
# ## 5. Does it learn digits, or *these* digits?
#
# Choose one of $K=100$ **prototypes**, then draw every pixel from that prototype's own table:
# $$p_\theta(x)=\sum_{k=1}^{K}\pi_k\prod_{j=1}^{64}p_{kj}(x_j).\tag{9}$$
# It has 102,499 free numbers (100 tables of 64 pixels with 16 free levels, and 99 weights), and we have 1,397 pictures.

# %%
class Prototypes(nn.Module):
    """The mixture (9): log-probabilities of digits x (n, 64)."""

    def __init__(self, n_prototypes=100):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(n_prototypes))
        self.tables = nn.Parameter(0.3 * torch.randn(n_prototypes, 64, 17))

    def log_prob(self, x):
        seen = F.one_hot(x, 17).flatten(1).float()  # (n, 64 * 17)
        tables = self.tables.log_softmax(-1).flatten(1)  # (K, 64 * 17)
        log_p = seen @ tables.T  # (n, K): log of the product in (9)
        return (self.weights.log_softmax(0) + log_p).logsumexp(1)  # (n,)


# %% jupyter={"source_hidden": true}
def trainer(model):
    """A function that takes ten steps of maximum likelihood."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.06)

    def ten_steps(model):
        for _ in range(10):
            rows = torch.randint(len(digits["train"]), (256,))
            loss = -model.log_prob(digits["train"][rows]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return ten_steps


# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float32)


@torch.no_grad()
def bits_of(model, part):
    return core.bits_per_dim(-model.log_prob(digits[part]), 64).mean().item()


curves, last = [], []
for seed in range(3):
    torch.manual_seed(seed)
    model = Prototypes()
    ten_steps = trainer(model)
    curves.append([])
    for _ in range(25):
        ten_steps(model)
        curves[-1].append((bits_of(model, "train"), bits_of(model, "val")))
    last.append(model)
curves = torch.tensor(curves)  # (seed, round, train or val)

# %% jupyter={"source_hidden": true}
smooth = ((counts + 0.3) / (counts + 0.3).sum(1, keepdim=True)).float()  # (64, 17)
pixels = torch.arange(64)
histogram = {part: smooth.log()[pixels, x].sum(1) for part, x in digits.items()}
by_table = core.bits_per_dim(-histogram["val"], 64).mean().item()
show(
    lesson_03.over_fitting(10 * torch.arange(1, 26), curves, by_table),
    "Bits per dimension over 250 steps, three trainings. Left, the training loss "
    "falls to the end. Right, enlarged, the validation loss turns around near step 70 "
    "to 120, at the stars, and climbs.",
)

# %% jupyter={"source_hidden": true}
lowest = curves[..., 1].min(1)
with course.more_checks():
    check_range(
        "best validation loss, mean of three",
        lowest.values.mean(),
        2.28,
        2.35,
        unlike={"one table a pixel": by_table},
    )
    check_range(
        "validation, end - best: smallest of three",
        (curves[:, -1, 1] - lowest.values).min(),
        0.01,
        0.1,
        unlike={"training": (curves[:, -1, 0] - curves[:, 5, 0]).max()},
    )


# %% jupyter={"source_hidden": true}
def smoothed(pseudo):  # bits of a histogram on validation
    tables = torch.distributions.Categorical(counts + pseudo)  # divides by the sums
    return -tables.log_prob(digits["val"]).mean().item() / math.log(2)


with course.more_checks():
    check(
        "the smoothed histogram is as good as the best of five",
        by_table,
        min(map(smoothed, (0.1, 0.2, 0.5, 1, 3))),
        atol=1e-3,
        unlike={"too smooth": smoothed(3)},
    )


# %% [markdown]
# In all three trainings the training loss falls to the end. The validation loss, on digits that were not trained on, turns around near step 100: from there on the model learns *these* 1,397 pictures. This is **over-fitting**. A simple repair is **early stopping**: keep the model from the turning point.
#
# **Your turn 03.5 · the wrong model is kept** *(repair, 6 minutes)*. A colleague's early stopping reports 0.62 bits per dimension on validation, better than any model in this course, and then hands you a model that is no better than the over-fitted one. It has two bugs. Neither raises an error, and if you mend only one, you still get the wrong model. (`ten_steps` trains the model in place.) Return the function without them.

# %%
def broken_stop(model, ten_steps, x_val, rounds):
    """The model with the lowest mean NLL on x_val, and that NLL in nats."""
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        with torch.no_grad():
            p = model.log_prob(x_val).exp()
            nll = -(p + 1e-12).log().mean().item()
        if nll < lowest:
            lowest, best = nll, model.state_dict()
    model.load_state_dict(best)
    return model, lowest


# %% jupyter={"source_hidden": true}
torch.manual_seed(0)
model = Prototypes()
model, said = broken_stop(model, trainer(model), digits["val"], 25)
said, again = said / 64 / math.log(2), bits_of(model, "val")
print(f"reported ~{said:.2f} bits; scored again, the model has ~{again:.3f}")
print(f"last step ~{curves[0, -1, 1]:.3f}, best step ~{curves[0, :, 1].min():.3f}")


# %%
def my_stop(model, ten_steps, x_val, rounds):
    """The same without its two bugs."""
    ...


course.exercise("03.early-stopping", my_stop)
course.solution("03.early-stopping")

# %% [markdown]
# Now the table that a paper would print, on the test digits, which chose nothing. The rival is the histogram of section 2, smoothed: 0.3 is added to every count. (From 0.1 to 0.5, validation is flat.)

# %%
stop = course.yours("03.early-stopping")
stopped = []
for seed in range(3):
    torch.manual_seed(seed)
    model = Prototypes()
    stopped.append(stop(model, trainer(model), digits["val"], 25)[0])

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    on_test = {
        name: [model.log_prob(digits["test"]) for model in models]
        for name, models in (("last step", last), ("stopped", stopped))
    }
print("bits per dimension on 200 test digits; gain over the histogram, paired bar")
for name, found in on_test.items():
    for seed, row in enumerate(reports(found, 3 * [histogram["test"]], 64)):
        bits, se, gain, paired = row.tolist()
        print(f"{name:10} seed {seed}: ~{bits:.2f} +- ~{se:.3f}", end="   ")
        print(f"~{gain:.2f} +- ~{paired:.3f}")
saved = reports(on_test["stopped"], on_test["last step"], 64)[:, 2:]  # gain, bar
print("stopping gained", ", ".join(f"~{g:.3f} +- ~{e:.3f}" for g, e in saved.tolist()))
again = reports(on_test["last step"], on_test["stopped"], 64)[:, 2:]
with course.more_checks():
    check_range(
        "smallest gain of stopping, in paired bars",
        (saved[:, 0] / saved[:, 1]).min(),
        2,
        40,
        unlike={"the two exchanged": (again[:, 0] / again[:, 1]).min()},
    )

# %% jupyter={"source_hidden": true}
of = lambda part: [bits_of(model, part) for model in stopped]
with course.more_checks():
    check(
        "the table's losses are those of the test digits",
        reports(on_test["stopped"], on_test["last step"], 64)[:, 0],
        of("test"),
        atol=1e-5,
        unlike={"of validation": of("val")},
    )


# %% [markdown]
# In the last line, stopping gains about 0.03 bits, and the paired bar is 0.007 or less: no doubt about these two *fixed* models. The seed moves the stopped losses as far, so only three trainings that agree speak for the *method*. The *unpaired* bar would be 0.03, as large as the gain, and hide a true improvement.
#
# ## 6. How far has a model moved?
#
# Language models are tuned further by reinforcement learning, often from human feedback (**RLHF**). A **KL penalty** in the loss, the reverse KL, is the leash that keeps the tuned model $q$ near the model $p$ that it was. Nobody can sum over all answers. What you have is a batch of answers $z$ drawn from $q$, and both log-probabilities of each. Three estimates are in use (Schulman 2020), each a mean over the batch. Here $r=p/q$ at a sample: as in (3), the distribution that averages stands below.
# $$k_1:\ -\log r,\qquad k_2:\ \tfrac12(\log r)^2,\qquad k_3:\ r-1-\log r .\tag{10}$$
#
# **Step 11. All three are right, or nearly.** $k_1$ is the definition. $k_3$ has the form of the terms in (3): it adds $r-1$, whose mean under $q$ is zero, so it has the same mean; but no term is negative. $k_2$ is the start of the series of $k_3$ around $r=1$: not exact, close if $q$ and $p$ are close. Take the diary's forecast as $q$ and $\hat p$ as $p$. The exact divergence is 0.0253. A single day scatters by 0.222 for $k_1$, and by 0.016 for $k_3$. For the same error, $k_1$ needs 190 times as many days.
#
# **Your turn 03.6 · three estimates** *(build, 10 minutes)*. You are given samples of *both* models, and two functions that return log-probabilities. Which samples does the reverse KL, with $q$ first, ask for? Return the three means, in the order of (10).

# %%
def my_estimates(z_p, z_q, log_p, log_q):
    """k1, k2 and k3 of KL(q || p); z_p and z_q are samples (n, d) of p and of q."""
    ...


course.exercise("03.estimates", my_estimates)
course.solution("03.estimates")

# %% [markdown]
# Try them where the truth is known. The "answers" are pictures of 64 independent pixels. The old model $p$ is the smoothed histogram, and tuning has sharpened it, with a temperature $\tau$ below 1 in the softmax of each pixel. The exact KL is a sum of 64 small sums. Each batch has 32 pictures, and we draw 1,000 batches.

# %%
estimates = course.yours("03.estimates")


def log_old(z):
    return smooth.log()[pixels, z].sum(1)  # (n,)


def drifted(tau, n_batches=1000, n=32):
    """The exact KL(q || p), and the three estimates of each batch."""
    q = (smooth.log() / tau).softmax(1)  # (64, 17)
    exact = core.kl_categorical(q, smooth).sum().item()
    z_p, z_q = (torch.multinomial(t, n_batches * n, True).T for t in (smooth, q))
    log_q = lambda z: q.log()[pixels, z].sum(1)
    pairs = zip(z_p.split(n), z_q.split(n), strict=True)
    return exact, torch.tensor(
        [[float(k) for k in estimates(a, b, log_old, log_q)] for a, b in pairs]
    )


torch.manual_seed(3)
near_by, far_away = drifted(0.95), drifted(0.6)

# %% jupyter={"source_hidden": true}
tuned = (smooth.log() / 0.6).softmax(1)
z = torch.multinomial(tuned, 32_000, True).T  # (32000, 64)
log_r = (smooth.log() - tuned.log())[pixels, z]  # of each pixel
in_pieces = (log_r.exp() - 1 - log_r).sum(1).reshape(1000, 32).mean(1)
show(
    lesson_03.estimators(near_by, far_away, in_pieces),
    "Left, a model that moved little: k1 scatters widely around the truth, some "
    "batches below zero; k2 and k3 are close. Right, far away: k1 is right, k2 far "
    "too high, nearly every batch of k3 too low; k3 of each pixel, summed, is right.",
)
for name, (exact, k) in (("near", near_by), ("far", far_away)):
    shown = "  ".join(
        f"k{i + 1} ~{m:.2f} +- {s:.2f}"
        for i, (m, s) in enumerate(zip(k.mean(0), k.std(0), strict=True))
    )
    print(f"{name:5} exact {exact:.3f}:  {shown}")
pieces = f"~{in_pieces.mean():.2f} +- {in_pieces.std():.2f}"
print(f"far, k3 of each pixel, summed: {pieces}")

# %% jupyter={"source_hidden": true}
log_r = (p_hat / q).log().double()
one_day = [-log_r, log_r.exp() - 1 - log_r]  # k1, k3 of one day of the forecast
scatter = [((q * k**2).sum() - (q * k).sum() ** 2).sqrt() for k in one_day]
with course.more_checks():
    check(
        "one day's k1 and k3: both have the mean KL(q || p)",
        [(q * k).sum() for k in one_day],
        core.kl_categorical(q, p_hat).item(),
        atol=1e-6,
        unlike={"KL(p || q)": core.kl_categorical(p_hat, q).item()},
    )
    check_range(
        "k1 needs so many times the days",
        (scatter[0] / scatter[1]) ** 2,
        189,
        194,
        unlike={"without the square": scatter[0] / scatter[1]},
    )

# %% jupyter={"source_hidden": true}
exact, k = near_by
a_pixel = core.kl_categorical((smooth.log() / 0.95).softmax(1), smooth).mean().item()
slip = {"mean over the pixels, not their sum": a_pixel}
with course.more_checks():
    check_close_mc("near: k1 has the right mean", k[:, 0], exact, unlike=slip)
    check_close_mc("near: k3 too", k[:, 2], exact, unlike=slip)
    check_range(
        "near: std of k1 / std of k3",
        k[:, 0].std() / k[:, 2].std(),
        2,
        30,
        unlike={"k2 against k3": k[:, 1].std() / k[:, 2].std()},
    )

# %% jupyter={"source_hidden": true}
exact, k = far_away
with course.more_checks():
    too_low = (k < exact).float().mean(0)
    check_range(
        "far: fraction of batches in which k3 is too low",
        too_low[2],
        0.8,
        0.97,
        unlike={"k1": too_low[0]},
    )
    check_close_mc(
        "far: k3 of each pixel, summed, has the right mean",
        in_pieces,
        exact,
        unlike={"mean over pixels": core.kl_categorical(tuned, smooth).mean().item()},
    )
print(f"far away, k3 is too low in ~{100 * too_low[2]:.0f} of 100 batches")

# %% [markdown]
# Near home $k_3$ has the right mean and a small scatter. Far away, $k_2$ is far too high, and $k_3$ misleads. Its expectation is still right, because that of $r$ is still 1. But nearly all of this 1 now comes from pictures that $q$ hardly ever draws. In about nine batches of ten all $r$ are tiny, and $k_3$ shows about $k_1-1$. *One batch cannot tell you its own error.* The cure is small pieces: $k_3$ of each *pixel*, summed, has the right mean and a modest scatter, though here $k_1$ has less. GRPO (group relative policy optimisation) takes $k_3$ of each *token* (Shao et al. 2024).
#
# **Step 12. A good estimate is not yet a good loss.** Now hold the samples of $q$ fixed, differentiate each estimate in the logits of $q$, and average. The probabilities of $q$ sum to 1, so the mean of $\nabla\log q$ under $q$ is zero. The second line uses the product rule. In the third, the slope of $\log q_x$ is the one-hot vector $e_x$ minus $q$:
# $$\begin{aligned}\mathbb E_q[\nabla k_1]&=\mathbb E_q[\nabla\log q]=0,\\ \mathbb E_q[\nabla k_2]&=\mathbb E_q\big[-\log r\,\nabla\log q\big]=\sum_x\nabla q_x\,\log\tfrac{q_x}{p_x}+0=\nabla\mathrm{KL}(q\,\|\,p),\\ \mathbb E_q[\nabla k_3]&=\mathbb E_q\big[(1-r)\nabla\log q\big]=0-\sum_xp_x\,(e_x-q)=q-p.\end{aligned}\tag{11}$$
# The first loss does not pull at all, just as (6) would not if you cut $z$ off from $m$ and $s$. The second, the worst estimate far from home, pulls exactly as the reverse KL does. The third is *your* gradient of section 2, prediction minus target: the pull of the **forward** KL. Three losses of nearly the same value near home, three different forces (Tang and Munos 2025).

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
own = q.log().requires_grad_()  # logits of the forecast; the target is the diary
log_r = p_hat.log() - own.log_softmax(0)
terms = (-log_r, log_r**2 / 2, log_r.exp() - 1 - log_r)  # one number for each outcome
pulls = [torch.autograd.grad((q * k).sum(), own, retain_graph=True)[0] for k in terms]
mine = own.softmax(0)
(reverse,) = torch.autograd.grad((mine * (mine.log() - p_hat.log())).sum(), own)
forward = gradient(own.detach()[None], p_hat[None])[0]  # your gradient of section 2
check(
    "(11): slopes of k1, k2, k3 = nothing, reverse KL, forward KL",
    torch.stack(pulls),
    torch.stack([torch.zeros(3), reverse, forward]),
    unlike={"all three the reverse KL": reverse.expand(3, 3)},
)
torch.set_default_dtype(torch.float32)

# %% [markdown]
# Does the penalty make a tuned model seek one mode? Not by itself: section 3 needed a model that is too simple. If $q$ may be anything, then for a reward $R$ and a penalty of weight $\beta$ reward minus penalty is $-\beta$ times the KL from $q$ to $p\,e^{R/\beta}$, normalised, plus a constant. So that is the best $q$: answers of equal reward keep their proportions. But the penalty charges little for lost variety: by (7), dropping half of all answers costs 0.69 nats.
#
# ## 7. What does it say at scale?
#
# Pretraining a language model is maximum likelihood on text. Large runs follow a **scaling law** with a floor. With $P$ parameters and $D$ tokens the loss is about $E+A/P^a+B/D^b$ (Hoffmann et al. 2022, quoted; see the notebook *Predict the large run*). The falling terms are the part of the KL that more parameters and more data can remove. What remains, $E$, bounds the entropy of text $H(p)$ from above, and would equal it if the family could express everything. As a number it is only as good as the fit. Hoffmann et al. find $E=1.69$ nats a token; a refit of the same points finds about 1.8 (Besiroglu et al. 2024). As long as every token is seen once, the training loss *is* a held-out loss, and over-fitting is not an issue; when data run out, it returns.
#
# ## 8. It fails
#
# **One zero.** Take the histogram as maximum likelihood wants it, counted and not smoothed, and score the 200 validation digits. Then the same with a tiny constant inside the logarithm, as many programs have it.

# %%
counted = (counts / counts.sum(1, keepdim=True)).double()
seen = counted[pixels, digits["val"]]  # (200, 64): probability of each pixel
for tiny in (0, 1e-12, 1e-30, 1e-100):
    nll = -(seen + tiny).log().sum(1)  # (200,)
    bits = core.bits_per_dim(nll, 64).mean()
    print(f"log(p + {tiny:g}): {bits:.3f} bits per dimension")

# %% jupyter={"source_hidden": true}
loss = -seen.log().sum(1).mean()
course.predicted("03.predict-zero", "infinite" if loss.isinf() else "a little larger")
impossible = int((seen == 0).any(1).sum())
levels = [set(column.tolist()) for column in digits["train"].T]
by_sets = sum(
    any(v not in levels[j] for j, v in enumerate(image))
    for image in digits["val"].tolist()
)
check(
    "validation digits with probability 0 = with an unseen level",
    impossible,
    by_sets,
    unlike={"pixels, not digits": int((seen == 0).sum())},
)
each = -(seen + tiny).log2()  # (200, 64): bits of each pixel
with course.more_checks():
    check(
        "the last line printed = mean bits of a pixel",
        bits,
        each.mean(),
        unlike={"of a digit": each.sum(1).mean()},
    )


# %% [markdown]
# The true loss is **infinite**: three of the 200 digits show a grey level that was never seen in its place. With a constant you get a healthy-looking number, hardly worse than that of an honest model, but *which* number depends on the constant. Your colleague reported nothing but a constant: 0.62 is minus the base-2 logarithm of $10^{-12}$, divided by 64. The repair is to say what you believe about unseen levels: add a pseudo-count to each *before* dividing, as the smoothed table did, choose it on validation data, and report it. The smoothed histogram has 2.44 bits.
#
# **Copies.** Everything above rests on one promise: what you score was not in what you fitted. Breaking it is called **contamination**. Take a model that only remembers. It picks one of $N$ stored digits and copies each pixel with probability $c$; otherwise it draws the pixel from the smoothed histogram. This is the mixture (9) again, with one prototype for each digit.

# %%
def memory(x, stored, c, leave_out=False):
    """Log-probability of digits x (n, 64) under noisy copies of `stored` (m, 64)."""
    other = (1 - c) * smooth.double()  # (64, 17): not copied
    gain = ((other + c) / other).log().flatten()  # a match: log other + gain
    hit = F.one_hot(x, 17).flatten(1).double()  # (n, 64 * 17)
    known = F.one_hot(stored, 17).flatten(1).double()  # (m, 64 * 17)
    log_p = other.log()[pixels, x].sum(1, keepdim=True) + (hit * gain) @ known.T
    if leave_out:  # each digit without its own entry
        log_p = log_p.fill_diagonal_(-math.inf)
    return log_p.logsumexp(1) - math.log(len(stored) - leave_out)


# %% jupyter={"source_hidden": true}
chances = torch.tensor(
    [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-6]
).double()  # of copying a pixel
bits = lambda log_p: core.bits_per_dim(-log_p, 64).mean().item()
train, val = digits["train"], digits["val"]
few = train[:200]  # stand for all of the training digits
scan = {
    "training": [bits(memory(few, train, c)) for c in chances],
    "validation": [bits(memory(val, train, c)) for c in chances],
    "training, itself left out": [bits(memory(few, train, c, True)) for c in chances],
}
twice = train.repeat(2, 1)  # every digit has a twin
scan["left out, a twin stored"] = [bits(memory(few, twice, c, True)) for c in chances]

# %% jupyter={"source_hidden": true}
show(
    lesson_03.memory(1 - chances, scan, math.log2(len(train)) / 64),
    "Bits per dimension against the chance of not copying. Training falls to 0.16, and "
    "with every digit stored twice leave-one-out does too. Beside it, enlarged, "
    "validation and leave-one-out have the same minimum, at 0.3 copied.",
)
course.predicted("03.predict-memory", scan["training"][-1])
check(
    "memory, training: log2(N) / 64",
    [bits(memory(few, train, 1 - 1e-9)), scan["training"][-1]],
    math.log2(len(train)) / 64,
    atol=1e-5,
    unlike={"200 stored": bits(memory(few, few, 1 - 1e-9))},
)

# %% jupyter={"source_hidden": true}
s = smooth.double()[pixels, val[:10]][:, None]  # (10, 1, 64)
match = val[:10, None] == train  # (10, N, 64)
written = (0.3 * match + 0.7 * s).log().sum(2).logsumexp(1) - math.log(len(train))
improper = torch.where(match, 1.0, 0.7 * s).log().sum(2).logsumexp(1)
with course.more_checks():
    check(
        "ten digits: noisy copies, written out",
        memory(val[:10], train, 0.3),
        written,
        atol=1e-6,
        unlike={"a match is certain": improper - math.log(len(train))},
    )

# %% jupyter={"source_hidden": true}
names = ("validation", "training, itself left out", "training")
chosen, alone, itself = (chances[int(np.argmin(scan[name]))] for name in names)
with course.more_checks():
    check(
        "leave-one-out chooses the same chance as validation",
        alone,
        chosen,
        unlike={"itself kept": itself},
    )
    check(
        "left out, a twin stored: one of the 2N - 1 others",
        scan["left out, a twin stored"][-1],
        math.log2(len(twice) - 1) / 64,
        atol=1e-5,
        unlike={"itself kept": bits(memory(few, twice, 1 - 1e-9))},
    )

# %% [markdown]
# On its own training digits the memory needs 0.16 bits per dimension, that is $\log_2N=10.4$ bits a digit: just enough to *name* one of the stored pictures. No model in this lesson is better on training data, and none has learned less. Validation sees it: the best chance of copying is moderate, 0.3 (the star). So does **leave-one-out**, which scores each training digit with its own entry removed, and needs no extra data. But store every digit *twice*, and leave-one-out is fooled: it finds the twin.
#
# Now let some of the 200 validation digits leak into the memory. Is the damage a matter of luck, of *which* digits leak? We make twenty draws of 20 validation digits, and as a control of 20 test digits, which are new to both.

# %% jupyter={"source_hidden": true}
best = int(np.argmin(scan["validation"]))
honest = memory(val, train, chances[best])
generator = core.make_generator(33)
gains = {"20 validation digits leaked": [], "20 test digits added": []}
for _ in range(20):
    leaked = val[torch.randperm(200, generator=generator)[:20]]
    new = digits["test"][torch.randperm(200, generator=generator)[:20]]
    for name, more in zip(gains, (leaked, new), strict=True):
        log_p = memory(val, torch.cat([train, more]), chances[best])
        gains[name].append(reports([log_p], [honest], 64)[0, 2:])  # gain, paired bar
gains = {name: torch.stack(found) for name, found in gains.items()}  # (20, 2)
for name, (gain, bar) in ((name, found.T) for name, found in gains.items()):
    print(f"{name:28} gain ~{gain.min():.4f} to ~{gain.max():.4f} bits,", end=" ")
    print(f"paired bar ~{bar.mean():.4f}")

# %%
dirty = torch.cat([train, leaked])  # the last of the twenty draws
copy = (dirty[:, None] == val[None]).all(2).any(1)  # (1417,): is it a validation digit?
cleaned = memory(val, dirty[~copy], chances[best])
print(f"{int(copy.sum())} copies found", end="; ")
print(f"{bits(honest):.4f} bits honest, {bits(cleaned):.4f} cleaned")

# %% jupyter={"source_hidden": true}
leaks, control = (found[:, 0] for found in gains.values())
fixed = len(leaks) * [leaks[-1]]  # as if one draw stood for twenty
with course.more_checks():
    check_range(
        "smallest gain of twenty leaks, in bits",
        leaks.min(),
        0.11,
        0.13,
        unlike={"control": control.max(), "the memory's own": by_table - bits(honest)},
    )
    check_range(
        "the gains differ from draw to draw",
        leaks.std(),
        0.001,
        0.006,
        unlike={"one draw for all": torch.tensor(fixed).std()},
    )

# %% jupyter={"source_hidden": true}
wrong = memory(val, train, chances[int(np.argmin(scan["training"]))])
with course.more_checks():
    check(
        "the honest memory is the best on validation",
        bits(honest),
        min(scan["validation"]),
        unlike={"chosen on training": bits(wrong)},
    )
    check(
        "copies removed: the honest loss again",
        cleaned,
        honest,
        unlike={"with the copies": memory(val, dirty, chances[best])},
    )

# %% [markdown]
# Every one of the twenty leaks makes the model look better by about 0.12 bits, more than the whole memory gains on the histogram (0.10); new digits add less than 0.002. The repair is to search for copies *before* splitting. Exact ones are easy, as here; in a text, a copy may differ by a comma.
#
# ## Summary
#
# 1. Surprise is minus the log of the probability that was given. Its mean over data is the cross-entropy: entropy of the data plus KL.
# 2. The entropy does not depend on the model, so the least KL from the data is the greatest likelihood, and samples are enough.
# 3. In logits, the gradient is prediction minus observation. Free tables end at count and divide.
# 4. Forward KL, data first: mode-covering, never forgives a forgotten outcome; a Gaussian matches moments. Reverse KL, model first: mode-seeking; the best answer is one hill, and descent without noise may stop in a worse valley. Prediction 1: forgetting 40 % costs it only 0.51 nats, minus the log of the fraction kept.
# 5. A loss contains the entropy of its data, and for densities the unit. Compare models on the same data, by their paired difference and its error bar.
# 6. Training loss says nothing about over-fitting. Stop early, and keep a *copy*.
# 7. Three estimates of the KL of a tuned model to its origin agree near home; far away, $k_3$ of whole answers is nearly always too low.
# 8. Prediction 2: one impossible outcome makes the loss infinite, and a constant in the logarithm only hides it.
# 9. Prediction 3: a memory pays $\log_2N$ bits a digit to name it, 0.16 bits per dimension. Copies fool validation and leave-one-out alike; remove them before splitting.
#
# | objective | what it needs | what it does when the model is too simple |
# |---|---|---|
# | forward KL = maximum likelihood | samples of $p$, $\log q$ | covers everything, puts mass between the hills |
# | reverse KL | $\log p$, samples of $q$ | seeks one hill, drops others silently |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(3)


# %% [markdown]
# ## Project: predict a loss before you have the data
#
# *(2 to 3 hours.)* What would more digits be worth? Take the memory of section 8 as the model. Draw $N=100, 200, 400$ and $800$ of the training digits, the smaller sets inside the larger. Each time count the histogram anew and choose the chance $c$ and the pseudo-count on the validation digits. Fit $L(N)=E+A\,N^{-a}$ to the four test losses, and write down a prediction, *with an error bar*, for all 1,397 digits. Only then measure it.
#
# - **Target**: in each of three draws of the digits, the measured loss lies within two paired standard errors of your prediction, and your bar is at most 0.006 bits. (For a given $a$ the prediction is a weighted sum of the four losses, so it exists for each test digit, and your report applies.)
# - **It can be done**: with the $a$ that fits the four sizes best, we were off by 0.005, 0.008 and 0.007 bits, with a bar of 0.004 to 0.005; in six draws by 0.0 to 1.9 bars. "No better than 800 digits" is off by 0.021, and $a=1/4$ by 0.009 to 0.014.
# - **Look at** how badly four sizes determine the law: in our six draws $a$ ran from 0.35 to 0.75, and $E$ from 2.20 to 2.29 bits. $E$ is no entropy of digits, either: 20 early-stopped prototypes reached 2.21, 2.21 and 2.22 bits on the same test digits. It is the floor of one family of models.
# - **A law that does not work**: try the 100 prototypes. Over three trainings, the test loss of ours fell by 0.07, 0.16 and 0.19 bits with the doublings from 100 to 800: the curve grows *steeper*, and no $a>0$ does that. Why? And what if the number of prototypes grows with $N$?
# - **Submit** your prediction with its date, the table (sizes by draws), one figure, and one law that failed.
#
# The lesson ends here. Two optional sections:
#
# - *How sure is the estimate?*, 15 minutes
# - *What singles out the logarithm?*, 10 minutes
#
# ## Going further: how sure is the estimate?
#
# Other data would have given another $\hat\theta$. How far do they scatter? Near the truth $\theta^*$ the KL is a bowl. The steeper it is, the better the data hold $\theta$ in place. Its curvature is the **Fisher information** $I$:
# $$I=\frac{\partial^2}{\partial\theta^2}\mathrm{KL}(p_{\theta^*}\|\,p_\theta)\Big|_{\theta^*}=\mathbb E\Big[\big(\tfrac\partial{\partial\theta}\log p_\theta(x)\big)^2\Big],\qquad\mathrm{Var}(\hat\theta)\approx\frac1{NI}.\tag{12}$$
# *Why are the two equal?* $\int p_\theta\,dx=1$ for every $\theta$. Differentiate under the integral: the **score** $u=\partial_\theta\log p_\theta$ has mean zero. Differentiate once more, by the product rule, and you find that the mean of $\partial_\theta u$ plus the mean of $u^2$ is zero. Minus the mean of $\partial_\theta u$ is the curvature.
#
# *Why the variance?* At $\hat\theta$ the mean score of the $N$ examples is zero. Expand it around $\theta^*$: the mean score there, which has variance $I/N$, equals $I$ times the error. Divide by $I$.
#
# **Your turn 03.7 · photons** *(derive, 4 minutes)*. The number of photons in a second is Poisson, $p_\lambda(n)=e^{-\lambda}\lambda^n/n!$. What is its Fisher information about $\lambda$?

# %%
def fisher_poisson(rate): ...


course.exercise("03.fisher-poisson", fisher_poisson)
course.solution("03.fisher-poisson")

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
information = course.yours("03.fisher-poisson")
generator = core.make_generator(5)
photons = torch.poisson(torch.full((20_000, 50), 1.7), generator=generator)
worlds = photons.mean(1)
show(
    lesson_03.scatter({n: photons[:, :n].mean(1) for n in (5, 15, 50)}, 1.7,
                      information(1.7)),
    "Histograms of 20,000 estimated rates around the true 1.7, from 5, 15 and 50 "
    "seconds each, ever narrower, and normals of variance 1/NI, which fit them; from "
    "5 seconds the histogram still leans.",
)  # fmt: skip
with course.more_checks():
    check_close_mc(
        "N times the variance of the estimate = 1 / I",
        50 * (worlds - 1.7) ** 2,
        1 / information(1.7),
        unlike={"I itself": information(1.7)},
    )

# %% [markdown]
# The bowl also says by how much training flatters. On fresh data $\hat\theta$ loses half of $I$ times the squared error against the truth, on average $1/2N$. On the training data the truth loses as much against $\hat\theta$. With $k$ free parameters,
# $$\text{held-out NLL}-\text{training NLL}\approx\frac kN\qquad(k\ll N).\tag{13}$$

# %% jupyter={"source_hidden": true}
truth = torch.tensor([0.3, 0.2, 0.2, 0.1, 0.1, 0.1])
sorted_ = torch.multinomial(truth, 4_000 * 200, True, generator=generator)
shares = F.one_hot(sorted_.reshape(4_000, 200), 6).double().mean(1)
shares = shares[(shares > 0).all(1)]
gap = (
    core.cross_entropy(truth.expand_as(shares), shares) - core.entropy(shares)
).mean()
with course.more_checks():
    check_range(
        "held-out - training, in units of k/N",
        gap * 200 / 5,
        0.97,
        1.08,
        unlike={"k = 6, as if they need not sum to 1": gap * 200 / 6},
    )

# %% [markdown]
# For our prototypes the rule would say $102{,}499/1{,}397=73$ nats, 1.65 bits per dimension; the gap at the end was about 0.54. With more parameters than examples it must be measured.
#
# ## Going further: what singles out the logarithm?
#
# Would the squared difference of two densities have been worse as a loss? It splits, too:
# $$\int(p-q)^2dx=\underbrace{\int p^2dx}_{\text{constant}}-2\,\mathbb E_p[q(x)]+\int q^2dx .\tag{14}$$
# So it can be minimised from samples. A score that is best on average for the true distribution is called **proper**, and all proper scores can be used this way. Three things speak for the logarithm. It is **local**: it needs $q$ at the observed outcome only, while $\int q^2$ runs over all pictures. Among scores that look at nothing but that one probability it is the only proper one, up to constants, if there are three outcomes or more (Bernardo 1979). It is **additive**: for independent parts the KLs add up. And what is lost by it, the KL, has **no unit**. It is also efficient, but not alone: minimum Hellinger estimates are, too. And the logarithm has a rival once a score may look at the *slope* of $q$ at the observed point: Hyvärinen's score is proper, needs no normaliser, and carries lesson 11. What the squared difference has instead is robustness: an outlier where $q\approx0$ hardly moves it (Basu et al. 1998).

# %% jupyter={"source_hidden": true}
a = torch.arange(101)
beliefs = torch.cartesian_prod(a, a, a)
beliefs = beliefs[beliefs.sum(1) == 100] / 100  # all beliefs in whole per cents
truth = torch.tensor([0.6, 0.3, 0.1])
scores = {
    "logarithm": torch.xlogy(truth, beliefs).sum(1),
    "quadratic": beliefs @ (2 * truth) - (beliefs**2).sum(1),
    "local": -((1 - beliefs) ** 2) @ truth,
}
best_of = {name: beliefs[score.argmax()] for name, score in scores.items()}
show(
    lesson_03.beliefs(beliefs, scores, truth, best_of),
    "Three triangles of beliefs about three outcomes, darker where one earns more. "
    "By logarithm and by quadratic score the best belief is the truth. By the local "
    "score that is not proper it lies elsewhere.",
)
print("best belief by -(1 - q_x)^2, local but not proper:", best_of["local"].tolist())
check(
    "best belief by logarithm, by quadratic score",
    torch.stack([best_of["logarithm"], best_of["quadratic"]]),
    truth.expand(2, 3),
    unlike={"-(1 - q_x)^2": best_of["local"].expand(2, 3)},
)

# %% [markdown]
# ## What production systems add
#
# Tokens that are mostly seen once, and laws for what happens when they must be repeated (Muennighoff et al. 2023, arXiv:2305.16264). The model as a compressor, the reading of (1) taken literally (Delétang et al. 2023, arXiv:2309.10668). A small model learns from a large one by reverse KL on its own samples, **on-policy distillation** (Gu et al. 2023, arXiv:2306.08543; Agarwal et al. 2023, arXiv:2306.13649), and pays with variety: where the teacher is unsure, newer work mixes the forward KL back in (Jin et al. 2026, arXiv:2603.07079). $k_3$ as the penalty of GRPO (Shao et al. 2024, arXiv:2402.03300). Which estimate may stand where: $k_2$ in the loss, or $k_1$ in the *reward*, which multiplies $\nabla\log q$, pull as the reverse KL does (Liu et al. 2025, arXiv:2510.01555). What goes wrong when an estimate is differentiated, or token by token with the earlier tokens held fixed (Tang and Munos 2025, arXiv:2506.09477). Removing near-duplicates, and test questions, from training data, for the reason of section 8.
#
# ## Sources
#
# - Kullback and Leibler 1951, *Ann. Math. Statist.* 22, eq. 2.4; Cover and Thomas, *Elements of Information Theory*, 2nd ed., eq. 2.26, 2.90.
# - Goodfellow, Bengio and Courville, *Deep Learning*, section 5.5 (maximum likelihood as KL). Bishop, *Pattern Recognition and Machine Learning*, section 10.1.2 and figure 10.3 (the two directions).
# - Schulman 2020, *Approximating KL divergence*, joschu.net/blog/kl-approx.html (the three estimates).
# - Hoffmann et al. 2022 (arXiv:2203.15556), eq. 2 and 10; Besiroglu et al. 2024 (arXiv:2404.10102).
# - Bernardo 1979, *Ann. Statist.* 7; Gneiting and Raftery 2007, *JASA* 102; Basu et al. 1998, *Biometrika* 85; Beran 1977, *Ann. Statist.* 5 (minimum Hellinger estimates).
# - van der Vaart, *Asymptotic Statistics*, theorem 5.39; Akaike 1974, *IEEE TAC* 19 (the rule $k/N$).
# - Theis, van den Oord and Bethge 2015 (arXiv:1511.01844), section 3: what a likelihood of images does and does not say.
