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
# # 03 · Maximum likelihood and the KL view
#
# ## Objectives: after this lesson you will be able to
#
# - *derive* maximum likelihood from the wish to be close to the data, in one line, and say what "close" means;
# - *compute* forward and reverse KL, entropy and cross-entropy by hand, and convert between them;
# - *predict* what a model that is too simple will do with two modes, from the direction of the KL alone;
# - *put an error bar* on an estimated likelihood, and on an estimated parameter;
# - *read* over-fitting, infinite losses and leaked data off the numbers, and repair them.
#
# About 60 minutes to read, about 15 seconds to run. You need lesson 01, the logarithm, and what an expectation is.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

import genlab_course as course
from genlab import core, oracles
from genlab_course import widgets
from genlab_course import check, check_close_mc, check_range
from genlab.data.digits import load_digits
from genlab.metrics.coverage import histogram_log_probs
from genlab.train import fit, minibatches
from genlab_course.figures import show, show_images

course.begin(lesson=3)
# exact numbers first; training will switch to float32
torch.set_default_dtype(torch.float64)
course.draw_map(lesson=3, slim=True)

# %% [markdown]
# Lesson 02 trained a network by making $-\log p_\theta(x)$ small, and you may have taken that loss for granted. Why the logarithm? Why not
# the squared difference of two densities? And when a model *cannot* match the data, which mistakes does this loss forgive, and which does
# it punish? This lesson answers all three questions, and you will meet its main quantity in every lesson from here on.
#
# ## Predict first
#
# Write your answers down before you run anything. Each question returns with a number.
#
# 1. Data have two well separated modes. Your model is a single Gaussian. You minimise $\mathrm{KL}(p\,\|\,q)$, a friend minimises
#    $\mathrm{KL}(q\,\|\,p)$. Where does each Gaussian end up, and how wide is it?
# 2. Can the average negative log-likelihood of a correct model be *negative*?
# 3. You double the amount of test data. By which factor does the error bar on the test loss shrink?
# 4. A model gives one of the 200 held-out images probability zero and predicts the other 199 perfectly. What is its held-out loss?

# %% [markdown]
# ## 1. The derivation
#
# ### Step 1. The average surprise that a wrong belief adds
#
# Say that outcomes come from $p$ while you believe in $q$. When $x$ happens, you are surprised by $-\log q(x)$; with the right belief it
# would have been $-\log p(x)$. Averaged over what really happens, the excess is the **Kullback-Leibler divergence**
#
# $$\mathrm{KL}(p\,\|\,q) = \mathbb E_{x\sim p}\left[\log\frac{p(x)}{q(x)}\right] = \sum_x p(x)\log\frac{p(x)}{q(x)}. \tag{1}$$
#
# The average is taken under the *first* argument. With natural logarithms the unit is the **nat**. Take a fair coin $p$ and the belief
# $q = (0.7, 0.3)$. For a fair coin the sum collapses to $-\tfrac12\log\big(4\,q_1 q_2\big)$, which gives a second route. In the other
# direction the average runs under $q$, and then the fair coin's logarithm is a constant: $\log 2 - H(q)$.

# %%
p, q = np.array([0.5, 0.5]), np.array([0.7, 0.3])

forward = np.sum(p * np.log(p / q))  # the definition
reverse = np.sum(q * np.log(q / p))  # arguments exchanged
check(
    "KL(p || q) = -1/2 log(4 q1 q2)",
    forward,
    -0.5 * np.log(4 * q[0] * q[1]),
    unlike={"averaged under q": reverse},
)
check(
    "KL(q || p) = log 2 - H(q)",
    reverse,
    np.log(2) - core.entropy(torch.tensor(q)).item(),
    unlike={"averaged under p": forward},
)

# %% [markdown]
# Two directions, two numbers. They are close here because $p$ and $q$ are close. Move $q_1$ from 0 to 1 and they become very different.

# %% jupyter={"source_hidden": true}
heads = torch.linspace(0.001, 0.999, 999)
beliefs = torch.stack([heads, 1 - heads], 1)
coin = torch.tensor([0.5, 0.5]).expand_as(beliefs)
curves = {
    r"forward, $\mathrm{KL}(p\,\|\,q)$": core.kl_categorical(coin, beliefs),
    r"reverse, $\mathrm{KL}(q\,\|\,p)$": core.kl_categorical(beliefs, coin),
}

figure, ax = plt.subplots(figsize=(7.0, 3.0))
for name, values in curves.items():
    ax.plot(heads, values, label=name)
ax.axhline(math.log(2), color="#222222", linewidth=0.8, linestyle="-")
ax.annotate(r"$\log 2$", (0.5, math.log(2)), xytext=(0.485, 0.74))
ax.set(
    xlabel="believed probability of heads $q_1$",
    ylabel="divergence (nats)",
    ylim=(0, 2),
    title="The forward KL has no ceiling; the reverse KL ends at log 2",
)
ax.legend(loc="upper center", bbox_to_anchor=(0.5, 0.92))
show(
    figure,
    "Two curves over the believed probability of heads, both zero at one half. The "
    "forward KL rises without bound at 0 and 1, the reverse KL stops at log 2.",
)

# %% [markdown]
# The forward curve shoots to infinity at both ends: there, $q$ calls something impossible that happens half of the time. The reverse curve
# stops at $\log 2$: a belief that is *too narrow* costs little as long as what it believes in is likely. Keep this picture in mind. Everything
# in this lesson that is about two modes is already there.
#
# ### Step 2. Never negative, and zero only for equals
#
# For every $r>0$ we have $\log r \le r - 1$, with equality only at $r = 1$. Suppose first that $p(x)>0$ for every $x$. Put $r = q(x)/p(x)$ and use
# that $\sum_x (q(x) - p(x)) = 0$:
#
# $$\mathrm{KL}(p\,\|\,q) = \sum_x p(x)\,\big(\underbrace{r_x - 1 - \log r_x}_{\ge 0}\big) \ge 0. \tag{2}$$
#
# A sum of non-negative terms is zero only if each term is, that is, $q = p$. (Where $p(x)=0$ the sum in (2) leaves $q(x)$ out, and the KL equals
# the sum *plus* the probability that $q$ puts there: the conclusion is the same.) The rewritten sum has to equal the original one although
# every single term has changed. One example would not test an inequality, so we take ten thousand random pairs. We also compare them with a
# sharper inequality, which we do not derive: **Pinsker's bound**, $\mathrm{KL} \ge \tfrac12\big(\sum_x|p-q|\big)^2$.

# %%
rng = np.random.default_rng(3)
many_p, many_q = (
    torch.tensor(rng.dirichlet(np.ones(5), size=10_000)) for _ in range(2)
)

kl = core.kl_categorical(many_p, many_q)
ratio = many_q / many_p
terms, upside_down = ratio - 1 - ratio.log(), 1 / ratio - 1 + ratio.log()
check(
    "KL as a sum of terms >= 0",
    kl,
    (many_p * terms).sum(1),
    rtol=1e-9,
    unlike={"r = p / q": (many_p * upside_down).sum(1)},
)
l1 = (many_p - many_q).abs().sum(1)
check(
    "terms below zero, pairs that break Pinsker's bound",
    [int((terms < 0).sum()), int((kl < 0.5 * l1**2).sum())],
    [0, 0],
    unlike={
        "terms of (1) as they are": [int((ratio.log() > 0).sum()), 0],
        "Pinsker without the 1/2": [0, int((kl < l1**2).sum())],
    },
)

# %% [markdown]
# > **A common misconception: "KL is the distance between two distributions".** The word is tempting, as KL is zero only for equals, and textbooks
# > use it with the warning that it is no true distance (Cover and Thomas, section 2.3). It is not symmetric, as you saw, and a detour can be
# > *shorter* than the direct way. In a metric a detour over a third point is never shorter. In a *squared* metric it can be, down to one half of the
# > direct way, since $(a+b)^2\le 2(a^2+b^2)$. From a fair coin over a 25 % coin to a 10 % coin the KL takes less than one half, so it is not a squared
# > metric either.

# %%
fair, quarter, tenth = (torch.tensor([h, 1 - h]) for h in (0.5, 0.25, 0.1))
direct = core.kl_categorical(fair, tenth).item()
detour = (
    core.kl_categorical(fair, quarter) + core.kl_categorical(quarter, tenth)
).item()
steps = (fair, quarter), (quarter, tenth), (fair, tenth)
squared = [((a - b) ** 2).sum().item() for a, b in steps]
check_range(
    "detour / direct way (squared metric: >= 1/2)",
    detour / direct,
    0.0,
    0.499,
    unlike={"squared distance": (squared[0] + squared[1]) / squared[2]},
)

# %% [markdown]
# ### Step 3. Cross-entropy is entropy plus KL
#
# Split the logarithm in (1). One part does not contain $q$, and the other does not contain $\log p$:
#
# $$\mathrm{KL}(p\,\|\,q) = \underbrace{-\sum_x p(x)\log q(x)}_{\text{cross-entropy } H(p,q)} \;-\; \underbrace{\Big(-\sum_x p(x)\log p(x)\Big)}_{\text{entropy } H(p)}. \tag{3}$$
#
# The worked example has three outcomes, $p=(0.4, 0.4, 0.2)$ and $q=(0.5, 0.3, 0.2)$. Before you run it: one of the three terms of (1) is
# negative. Which one, and why is that no contradiction to step 2?

# %%
p3, q3 = np.array([0.4, 0.4, 0.2]), np.array([0.5, 0.3, 0.2])
terms = p3 * np.log(p3 / q3)
entropy, cross = -np.sum(p3 * np.log(p3)), -np.sum(p3 * np.log(q3))

print(f"terms of the KL {terms.round(4)}, H(p) {entropy:.6f}, H(p, q) {cross:.6f} nats")
check(
    "H(p, q) - H(p) = KL(p || q)",
    cross - entropy,
    terms.sum(),
    unlike={"the reverse KL": np.sum(q3 * np.log(q3 / p3))},
)


# %% [markdown]
# The first term is negative: $q$ believes in that outcome *more* than it deserves, and is less surprised by it than the right belief would be. Step 2 is
# about the sum. $q$ has to take the extra probability from somewhere else, and there it costs more than it saved.
#
# ### Step 4. Maximum likelihood falls out
#
# Now let $p$ be the data, and let the model $p_\theta$ have a knob $\theta$. In (3) the entropy of the data does not contain $\theta$. So turning the knob to
# bring $p_\theta$ closest to the data *is* turning it to make the data likely:
#
# $$\arg\min_\theta \mathrm{KL}(p_{\text{data}}\,\|\,p_\theta) = \arg\max_\theta\; \mathbb E_{x\sim p_{\text{data}}}[\log p_\theta(x)]. \tag{4}$$
#
# That is the whole derivation. $H(p_{\text{data}})$, which nobody knows, has split off as a constant, and what is left is an expectation under the
# data, so *samples are enough*. (This alone does not explain the logarithm; the aside at the end of this section does.) With $N$ of them,
#
# $$\mathrm{NLL}(\theta) = -\frac1N\sum_{i=1}^N\log p_\theta(x_i) = H(\hat p, p_\theta), \qquad \hat p(x) = \frac{\#\{i : x_i = x\}}{N}. \tag{5}$$
#
# The second equality is exact and not an approximation: the average loss over a data set is the cross-entropy from the *empirical* distribution
# $\hat p$. Here are the two sides as code. Read each line against its equation.

# %%
def mean_nll(log_q, x):
    """Left side of (5): the mean surprise. log_q (k,), x (N,) integers."""
    return -log_q[x].mean()


def my_kl(p, q):
    """Equation (1). Outcomes that never happen cost nothing: 0 log 0 = 0."""
    happens = p > 0
    return (p[happens] * (p[happens] / q[happens]).log()).sum()


x = torch.tensor(rng.choice(3, size=10_000, p=p3))
counts = torch.bincount(x, minlength=3)
p_hat, model = counts / len(x), torch.tensor(q3)

check(
    "mean NLL = H(p_hat, q)",
    mean_nll(model.log(), x),
    core.cross_entropy(p_hat, model),
    unlike={"p for its estimate": core.cross_entropy(torch.tensor(p3), model)},
)
never = torch.tensor([0.5, 0.0, 0.5])  # one outcome that never happens
check(
    "my KL = genlab's, with a probability 0",
    my_kl(never, model),
    core.kl_categorical(never, model),
    unlike={"p and q swapped": my_kl(model[[0, 2]], never[[0, 2]])},
)
course.show_source(core.kl_categorical)

# %% [markdown]
# Which $\theta$ wins when the model may be *any* distribution over the three outcomes? By (2) the one with $\mathrm{KL}(\hat p\,\|\,q)=0$, so $q=\hat p$: **count and
# divide**. Let a network's last layer find out by itself. With logits $\theta$ and $q = \mathrm{softmax}(\theta)$ the gradient of (5) has a beautiful form,
#
# $$\nabla_\theta\,\mathrm{NLL} = q - \hat p, \tag{6}$$
#
# prediction minus observation. We check the formula with autograd, and then see that gradient descent arrives at the counts.

# %%
logits = torch.tensor([0.3, -0.2, 0.5], requires_grad=True)
(gradient,) = torch.autograd.grad(mean_nll(logits.log_softmax(0), x), logits)
(of_the_sum,) = torch.autograd.grad(-logits.log_softmax(0)[x].sum(), logits)
check(
    "gradient of the NLL = q - p_hat",
    gradient,
    logits.softmax(0).detach() - p_hat,
    unlike={"sum for mean": of_the_sum},
)

theta = torch.zeros(3)
for _ in range(200):
    theta = theta - 2.0 * (theta.softmax(0) - p_hat)  # gradient descent with (6)
check(
    "descent ends at the counts",
    theta.softmax(0),
    p_hat,
    atol=1e-12,
    unlike={"at the distribution behind the data": torch.tensor(p3)},
)

# %% [markdown]
# ### Aside. What singles out the logarithm?
#
# Would the squared difference of the two densities have been worse? It splits, too:
#
# $$\int (p-q)^2\,dx = \underbrace{\int p^2\,dx}_{\text{constant}} \;-\; 2\,\mathbb E_p[q(x)] \;+\; \int q^2\,dx .$$
#
# The unknown part is a constant, the middle term is an expectation under the data, and the last one contains the model only. So this loss can be
# minimised from samples alone, and the next cell does it. In general, a score that is best on average for the true distribution is called a **proper
# scoring rule**, and all of them allow this. The logarithm differs from the others in four respects.
#
# - **Locality.** It needs $q$ at the observed outcome only, whereas $\int q^2$ runs over all outcomes, of which an image has astronomically many. With
#   three or more outcomes it is the only proper scoring rule of this kind, up to constants (Bernardo 1979). The cell searches all beliefs about three
#   outcomes, in steps of 1 %: the logarithm and the quadratic score choose the truth, the local score $-(1-q_x)^2$ does not.
# - **Additivity.** For independent variables the KLs add up. This is the chain rule of lesson 02, and what lets a loss be a sum over pixels or tokens.
# - **No unit.** See step 5.
# - **Efficiency.** No other choice scatters less when the model is right and the data are many: see step 10.
#
# In exchange the squared difference is robust: an outlier where $q\approx0$ hardly moves it, and costs maximum likelihood dearly (Basu et al. 1998).

# %%
y = 1.3 + 0.7 * torch.randn(20_000, generator=core.make_generator(4))


def fit_squared(weight):
    """Gaussian of least integral of q^2 minus `weight` times the mean of q(y)."""
    # mean, logarithm of the standard deviation
    v = torch.tensor([0.0, 0.0], requires_grad=True)
    optimiser = torch.optim.LBFGS([v], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        q_of_y = core.normal_log_prob(y[:, None], v[0], v[1].exp()).exp()
        loss = 0.5 / math.sqrt(math.pi) / v[1].exp() - weight * q_of_y.mean()
        loss.backward()
        return loss

    optimiser.step(closure)
    return [v[0].item(), v[1].exp().item()]


check(
    "squared difference, from samples: mean, std",
    fit_squared(weight=2.0),
    [1.3, 0.7],
    atol=0.04,
    unlike={"the 2 of the middle term forgotten": fit_squared(weight=1.0)},
)

# %%
truth, a = torch.tensor([0.6, 0.3, 0.1]), torch.arange(101)
beliefs = torch.cartesian_prod(a, a, a)
beliefs = beliefs[beliefs.sum(1) == 100] / 100  # all beliefs in whole per cents
expected_score = {
    "logarithm": torch.xlogy(truth, beliefs).sum(1),
    "quadratic": beliefs @ (2 * truth) - (beliefs**2).sum(1),
    "local": -((1 - beliefs) ** 2) @ truth,
}
best = {name: beliefs[score.argmax()] for name, score in expected_score.items()}
check(
    "best belief by logarithm, by quadratic score",
    torch.stack([best["logarithm"], best["quadratic"]]),
    torch.stack([truth, truth]),
    unlike={"-(1 - q_x)^2": torch.stack([best["local"], best["local"]])},
)
print("best belief by -(1 - q_x)^2:", best["local"].tolist())


def excess(divergence):
    """Divergence of two independent variables jointly, minus that of each alone."""
    together = divergence(np.outer(p, p3), np.outer(q, q3))
    return together - divergence(p, q) - divergence(p3, q3)


check(
    "KL of two independent variables - sum of KLs",
    excess(lambda p, q: np.sum(p * np.log(p / q))),
    0.0,
    unlike={"squared difference": excess(lambda p, q: np.sum((p - q) ** 2))},
)

# %% [markdown]
# ## 2. What the number means, and what it does not
#
# ### Step 5. Densities may exceed 1, so the NLL may be negative
#
# For continuous $x$ the sums become integrals and $p_\theta(x)$ becomes a density: probability *per unit of* $x$. A density may exceed 1. Take $x$ in metres with a
# spread of one centimetre, $\mathcal N(0, 0.01^2)$.

# %%
grid = torch.linspace(-0.12, 0.12, 2401)
narrow = oracles.Gaussian(torch.zeros(1), torch.tensor([[0.01**2]]))
log_p = narrow.log_prob(grid[:, None])

bell = torch.exp(-(grid**2) / (2 * 0.01**2)) / 0.01
check(
    "its peak, 1 / (sigma sqrt(2 pi)), and its integral",
    torch.stack([log_p.exp().max(), core.integrate(log_p.exp(), grid)]),
    [1 / (0.01 * math.sqrt(2 * math.pi)), 1.0],
    unlike={
        "sqrt(2 pi) forgotten": torch.stack([bell.max(), core.integrate(bell, grid)])
    },
)
print(f"peak {log_p.exp().max():.1f} per metre")
nll_metres = core.integrate(-log_p.exp() * log_p, grid)
check(
    "mean NLL = 1/2 log(2 pi e sigma^2)",
    nll_metres,
    0.5 * math.log(2 * math.pi * math.e * 0.01**2),
    unlike={"the e forgotten": 0.5 * math.log(2 * math.pi * 0.01**2)},
)

# %% [markdown]
# Question 2 is answered. For discrete data each probability is at most 1, so an NLL is never negative. For continuous data it can be: the *correct* model above
# has a mean NLL of about $-3.19$ nats.
#
# The *unit* of $x$ sits inside the number. Measure in millimetres, $y = 1000\,x$: every density is divided by 1000 and every NLL grows by $\log 1000$. A KL does not change,
# because the unit cancels in the ratio $p/q$. The squared difference of the aside has the unit of one over $x$: it becomes a thousand times smaller. That is why a likelihood of images means nothing until the scale of the pixels is stated (lesson 02 did, and
# `core.bits_per_dim` asks for `levels`).

# %%
in_mm = oracles.Gaussian(torch.zeros(1), torch.tensor([[10.0**2]]))
check(
    "NLL grows by log 1000 in millimetres",
    in_mm.entropy() - nll_metres,
    math.log(1000),
    unlike={"the unit of bits": math.log2(1000)},
)

# some wrong model
off = oracles.Gaussian(torch.tensor([0.005]), torch.tensor([[0.02**2]]))
# the same in millimetres
off_mm = oracles.Gaussian(torch.tensor([5.0]), torch.tensor([[20.0**2]]))
kl_metres = oracles.kl_gaussian(narrow, off)
log_q = off.log_prob(grid[:, None])
squared = core.integrate((log_p.exp() - log_q.exp()) ** 2, grid)
unshifted = oracles.Gaussian(off.mean, off_mm.cov)
p_mm, q_mm = (law.log_prob(1000 * grid[:, None]).exp() for law in (in_mm, off_mm))
check(
    "KL in metres: in millimetres, by quadrature",
    torch.stack(
        [oracles.kl_gaussian(in_mm, off_mm), core.kl_on_grid(log_p, log_q, grid)]
    ),
    kl_metres,
    unlike={"the shift left in metres": oracles.kl_gaussian(in_mm, unshifted)},
)
check(
    "squared difference: 1000 times that in mm",
    squared,
    1000 * core.integrate((p_mm - q_mm) ** 2, 1000 * grid),
    unlike={"no unit": core.integrate((p_mm - q_mm) ** 2, 1000 * grid)},
)

# %% [markdown]
# ### Step 6. The absolute NLL contains the entropy of the data
#
# By (3), $\mathrm{NLL} = H(p_{\text{data}}) + \mathrm{KL}$. Only the second part is the model's fault. Model A predicts a fair eight-sided die *perfectly*; model B believes that a
# 90:10 coin is fair. Which of them has the smaller loss, and which is the better model of its data?

# %%
die, biased, fair = (
    torch.full((8,), 1 / 8),
    torch.tensor([0.9, 0.1]),
    torch.tensor([0.5, 0.5]),
)
pairs = {"A: die, perfect model": (die, die), "B: coin, wrong model ": (biased, fair)}
losses = torch.stack([core.cross_entropy(*pair) for pair in pairs.values()])
floors = torch.stack([core.entropy(data) for data, _ in pairs.values()])
check(
    "loss = entropy of the data + KL, for A and B",
    losses,
    floors + torch.stack([my_kl(data, belief) for data, belief in pairs.values()]),
    unlike={
        "KL reversed": floors + torch.stack([my_kl(b, a) for a, b in pairs.values()])
    },
)
for name, loss, floor in zip(pairs, losses, floors, strict=True):
    print(
        f"{name}: loss {loss:.4f} = entropy of the data {floor:.4f} "
        f"+ KL {loss - floor:.4f}"
    )

# %% [markdown]
# Model B has the smaller loss, and A is the better model. On different data two losses cannot be compared at all. On the same data their *difference* is a difference of KLs, and there
# the unknown entropy cancels. This is also why a validation loss does not go to zero, however large the model: on average it cannot fall below $H(p_{\text{data}})$.

# %% [markdown]
# ### Step 7. The error bar
#
# Equation (5) with fresh samples is a Monte Carlo estimate of $H(p, p_\theta)$. It is unbiased, and since the samples are independent its standard deviation is
#
# $$\operatorname{se} = \frac{\sigma}{\sqrt N}, \qquad \sigma^2 = \operatorname{Var}_{x\sim p}\big[\log p_\theta(x)\big]. \tag{7}$$
#
# A loss without this number is half a result. We know $\sigma$ exactly for the three outcomes, so every part of (7) can be tested: the level, the $1/\sqrt N$, and
# whether "plus or minus two standard errors" really covers the truth in 95 of 100 repetitions when $\sigma$ itself has to be estimated.

# %%
log_q = np.log(q3)
sigma = math.sqrt(np.sum(p3 * log_q**2) - cross**2)  # exact, by enumeration
check_close_mc(
    "Monte Carlo cross-entropy",
    -log_q[rng.choice(3, 10_000, p=p3)],
    cross,
    unlike={"drawn from q": -log_q[rng.choice(3, 10_000, p=q3)]},
)

sizes = np.array([10, 30, 100, 300, 1000, 3000])
# 2000 repetitions each
estimates = {n: -log_q[rng.choice(3, (2000, n), p=p3)] for n in sizes}
spread = np.array([estimates[n].mean(1).std() for n in sizes])
check(
    "scatter of the estimates, six sizes: (7)",
    spread,
    sigma / np.sqrt(sizes),
    rtol=0.08,  # five standard errors of a standard deviation from 2000 repetitions
    unlike={
        "the second moment for the variance": math.sqrt(np.sum(p3 * log_q**2))
        / np.sqrt(sizes),
        "N for its root": sigma / sizes,
    },
)

draws = estimates[300]
se = draws.std(1, ddof=1) / math.sqrt(300)
distance = np.abs(draws.mean(1) - cross)
check_range(
    "how often +-2 se covers the truth",
    (distance < 2 * se).mean(),
    0.93,
    0.975,
    unlike={"one standard error": (distance < se).mean()},
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7.0, 3.0))
ax.loglog(sizes, spread, "o", label="2000 repetitions of the estimate")
label = r"$\sigma/\sqrt{N}$, $\sigma$ by enumeration"
ax.loglog(sizes, sigma / np.sqrt(sizes), label=label)
ax.set(
    xlabel="number of examples $N$",
    ylabel="standard error (nats)",
    title="A hundred times the data, a tenth of the error",
)
ax.legend()
show(
    figure,
    "Standard error against the number of examples, both axes logarithmic: six "
    "measured points lie on a falling line of slope minus one half, from 0.11 to "
    "0.006 nats.",
)

# %% [markdown]
# Question 3 is answered: twice the data divides the error bar by $\sqrt 2\approx 1.41$. For one more digit you need a hundred times as many examples.

# %% [markdown]
# ## 3. Two directions, two characters
#
# So far the model could match the data. Now it cannot: the data have two modes and the model is one Gaussian, $q=\mathcal N(m, s^2)$.
#
# ### Step 8. Forward KL covers
#
# In $\mathrm{KL}(p\,\|\,q)$ the part with $q$ is $-\mathbb E_p[\log q]= \log s + \tfrac{1}{2s^2}\,\mathbb E_p[(x-m)^2] + \text{const}$. Set the derivatives to zero: first in $m$, then in $s$,
#
# $$m^\star = \mathbb E_p[x], \qquad s^{\star 2} = \operatorname{Var}_p[x]. \tag{8}$$
#
# This is **moment matching**: the same mean and the same variance, whatever $p$ looks like. To check it, we let a general optimiser minimise the integral, computed by quadrature.

# %%
two_modes = oracles.GaussianMixture(
    weights=torch.tensor([0.6, 0.4]),
    means=torch.tensor([[-2.0], [2.0]]),
    stds=torch.tensor([0.6, 0.6]),
)
line = torch.linspace(-16, 16, 1601)
log_p = two_modes.log_prob(line[:, None])


def log_normal(mean, std):
    """log N(x; mean, std^2) on the grid `line`."""
    return core.normal_log_prob(line[:, None], mean, std)


def minimise(objective, mean, std):
    """Best (mean, std) of a normal from a start; L-BFGS on (mean, log std)."""
    v = torch.tensor([mean, math.log(std)], requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [v], max_iter=200, tolerance_change=1e-14, line_search_fn="strong_wolfe"
    )

    def closure():
        optimiser.zero_grad()
        value = objective(log_normal(v[0], v[1].exp()))
        value.backward()
        return value

    optimiser.step(closure)
    return v[0].item(), v[1].exp().item()


# %%
forward_fit = minimise(
    lambda log_q: core.kl_on_grid(log_p, log_q, line), mean=1.0, std=1.0
)
match = two_modes.moment_match()
check(
    "forward: mean and std = those of the data",
    forward_fit,
    [match.mean.item(), match.cov.sqrt().item()],
    atol=1e-6,
    unlike={"only inside the modes": [match.mean.item(), two_modes.stds.mean().item()]},
)


# %% [markdown]
# ### Step 9. Reverse KL seeks
#
# $\mathrm{KL}(q\,\|\,p)=-H(q)-\mathbb E_q[\log p]$: be spread out, but only where $p$ is high. There is no closed form here, and there is more than one answer, depending
# on where you start. How can we check an optimiser without a formula? By what must hold at *any* optimum. Write $x=m+s\varepsilon$ with $\varepsilon \sim \mathcal N(0,1)$ and differentiate:
#
# $$\mathbb E_q\big[\nabla\log p(x)\big]=0, \qquad \mathbb E_q\big[(x-m)\,\nabla\log p(x)\big]=-1. \tag{9}$$
#
# For the check we use the mixture's score in closed form and another rule of quadrature, **Gauss-Hermite**, which is exact for polynomials under a normal distribution.

# %%
def reverse_objective(log_q):
    return core.kl_on_grid(log_q, log_p, line)


left, right = (minimise(reverse_objective, start, 1.0) for start in (-1.0, 1.0))
nodes, gauss = np.polynomial.hermite_e.hermegauss(150)
gauss = torch.tensor(gauss / gauss.sum())


def averages(m, s):
    """Left sides of (9) for q = N(m, s^2)."""
    x_q = m + s * torch.tensor(nodes)
    score = two_modes.score(x_q[:, None]).squeeze(1)
    return torch.stack([gauss @ score, gauss @ ((x_q - m) * score)])


components = zip(two_modes.means[:, 0], two_modes.stds, strict=True)
check(
    "both equations of (9), left and right",
    torch.stack([averages(*left), averages(*right)]),
    [[0.0, -1.0], [0.0, -1.0]],
    atol=1e-5,
    unlike={
        "q = a component of p": torch.stack([averages(m, s) for m, s in components])
    },
)

# %% [markdown]
# Which value does the reverse KL have at its two answers? On the left mode $q$ is nearly the left component, and there $p\approx 0.6\,q$, so
# $\mathrm{KL}(q\,\|\,p)\approx\log\frac{1}{0.6}$: **the price of ignoring the other modes is minus the logarithm of the fraction that you keep.** Ignoring 40 % of the data costs half a nat.
# What does the forward KL say about the same two fits?

# %%
fits = {
    "forward fit": forward_fit,
    "reverse fit, left": left,
    "reverse fit, right": right,
}
print("                      mean     std   KL(p || q)   KL(q || p)")
for name, (m, s) in fits.items():
    log_q = log_normal(m, s)
    costs = core.kl_on_grid(log_p, log_q, line), core.kl_on_grid(log_q, log_p, line)
    print(f"{name:<20} {m:6.3f}  {s:6.3f}   {costs[0]:10.3f}   {costs[1]:10.3f}")

keep_left, keep_right = (reverse_objective(log_normal(*fit_)) for fit_ in (left, right))
check(
    "price of keeping one mode, left and right",
    torch.stack([keep_left, keep_right]),
    -two_modes.weights.log(),
    atol=0.01,
    unlike={"-log of the fraction that is lost": -(1 - two_modes.weights).log()},
)

# %% [markdown]
# Question 1 is answered. Your Gaussian lies across both modes and is as wide as the data; your friend's sits on one of them and is as narrow. By forward KL the friend's fit
# costs above 8 nats: data in the other mode are almost impossible under it. The next figure shows both divergences as landscapes over all Gaussians.

# %%
means, widths = torch.linspace(-4, 4, 81), torch.linspace(0.3, 3.5, 65)
landscape = {"forward: one valley": [], "reverse: two valleys": []}
for s in widths:
    log_q = torch.stack([log_normal(m, s) for m in means])  # (81, 1601)
    target = log_p.expand_as(log_q)
    landscape["forward: one valley"].append(core.kl_on_grid(target, log_q, line))
    landscape["reverse: two valleys"].append(core.kl_on_grid(log_q, target, line))

reverse_cost = torch.stack(landscape["reverse: two valleys"])  # (65 widths, 81 means)
between = (means > left[0]) & (means < right[0])
lowest = reverse_cost[:, between].min(0)  # over all widths, for each mean on the way
pass_height, where = lowest.values.max(0)
summit = means[between][where], widths[lowest.indices[where]]
narrow = torch.stack(
    [reverse_objective(log_normal(m, 0.6)) for m in means[between]]
).max()
check_range(
    "height of the pass between the valleys (nats)",
    pass_height,
    1.36,
    1.40,
    unlike={"std kept at 0.6": narrow},
)
print(
    f"pass at mean {summit[0]:.2f}, standard deviation {summit[1]:.2f}; "
    f"{narrow:.2f} nats if it stays 0.6"
)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.5), width_ratios=(1.25, 1, 1))
axes[0].fill_between(line, log_p.exp(), color="#BBBBBB", label="data $p$")
for (name, (m, s)), style in zip(fits.items(), ("-", "--", ":"), strict=True):
    axes[0].plot(line, log_normal(m, s).exp(), linestyle=style, label=name)
title = "one Gaussian, two modes"
axes[0].set(xlim=(-6, 6), ylim=(0, 0.72), xlabel="$x$", ylabel="density", title=title)
figure.legend(loc="outside lower left", ncols=4, fontsize=9)
for ax, (name, values) in zip(axes[1:], landscape.items(), strict=True):
    levels = np.array([0.55, 0.7, 0.95, 1.2, 1.6, 2.2, 3.2, 5, 8, 13, 25])
    look = {"cmap": "viridis_r", "norm": "log", "linewidths": 1.2, "linestyles": "-"}
    lines = ax.contour(means, widths, torch.stack(values), levels=levels, **look)
    ax.clabel(lines, levels[[4, 6, 8]], fontsize=8)
    for m, s in [forward_fit] if "forward" in name else [left, right]:
        ax.plot(m, s, "*", color="#D55E00", markersize=12)
    title = name + " (nats)"
    ax.set(xlabel="mean $m$", ylabel="standard deviation $s$", title=title)
axes[2].plot(*summit, "x", color="#D55E00", markersize=9, markeredgewidth=2)
for (m, s), value in ((left, keep_left), (right, keep_right), (summit, pass_height)):
    look = {"xytext": (0, 9), "textcoords": "offset points", "ha": "center"}
    axes[2].annotate(f"{value:.2f}", (m, s), **look)
show(
    figure,
    "Left: data with modes at -2 and 2; the forward fit spans both, each reverse fit "
    "sits on one. Middle: contours of the forward KL over mean and std, one "
    "minimum. Right: contours of the reverse KL, minima of 0.51 and 0.91 nats with a "
    "pass of 1.38 between.",
)

# %% [markdown]
# In the third panel the stars mark the two valleys and the cross marks the pass between them, with their reverse KL in nats.
#
# **Now turn the knobs yourself.** The lower panel shows *where* each divergence is paid. Before you touch it: (a) put the mean at 2 and the standard deviation at 0.6. Where on the axis is the
# forward cost paid? (b) Keep the standard deviation small and walk from one mode to the other: what happens to the reverse cost in between, and what does that mean for a
# gradient method that starts on the wrong mode? Then let the play button run that method, once for each divergence. (c) Can you find a Gaussian for which both divergences are small?
# (d) Draw a target of your own in the upper panel: for which shapes do the two fits agree?

# %% tags=["keep-output"]
widgets.kl_fit()

# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) On the left mode, all of it, as a tall hill: data that the model called impossible. (b) With the standard deviation at 0.6 it climbs to 3.5 nats. If you widen the Gaussian on the way,
# you can cross over the pass, at 1.38 nats. Both valleys are lower, 0.51 and 0.91, so a method that only goes downhill stays in the one where it started.
# (c) There is none. (d) For one bump that is close to a Gaussian; the further the target is from one, the more they differ.
# </details>
#
# The answer to (c) is the point of this section. No single Gaussian is close to two modes, and the direction of the KL decides *which kind of wrong* you get.
#
# **Who can train on which?** The forward KL needs *samples* from $p$ and a model that can evaluate $\log q$. That is the situation of all data-driven learning: autoregressive models and flows
# train on it exactly, a VAE on a bound of it (lesson 05), a diffusion model on a reweighted version (lesson 12), a GAN not at all (lesson 07). The reverse KL needs $\log p$ itself
# and samples from $q$. You have that when $p$ is a formula: the posterior of a latent variable (lesson 05) or an energy (lesson 10).

# %% [markdown]
# ## 4. How sure is the estimate itself?
#
# ### Step 10. The curvature of the KL is the Fisher information
#
# Maximum likelihood hands you $\hat\theta$ from $N$ examples. Other examples would have given another one. How far do they scatter? Let the data come from $p_{\theta^\star}$. Near its minimum
# the KL is a bowl, $\mathrm{KL}(p_{\theta^\star}\,\|\,p_\theta) \approx \tfrac12 I\,(\theta-\theta^\star)^2$, and the steeper the bowl, the better the data hold $\theta$ in place:
#
# $$I = \frac{\partial^2}{\partial\theta^2}\mathrm{KL}(p_{\theta^\star}\,\|\,p_\theta)\Big|_{\theta^\star} = \mathbb E\Big[\big(\tfrac{\partial}{\partial\theta}\log p_\theta(x)\big)^2\Big], \qquad
# \sqrt N\,(\hat\theta-\theta^\star)\;\xrightarrow{\;N\to\infty\;}\;\mathcal N(0,\, I^{-1}). \tag{10}$$
#
# *Why:* $\int p_\theta\,dx=1$ for every $\theta$. Differentiate once: the slope $\partial_\theta\log p_\theta$ has mean zero under $p_\theta$. Differentiate again: its mean square equals the mean of
# $-\partial_\theta^2\log p_\theta$, which is the curvature of the KL. For the scatter, let $g(\theta)$ be the slope of the mean NLL of $N$ examples. The estimate has $g(\hat\theta)=0$, so near the truth
# $0\approx g(\theta^\star)+I\,(\hat\theta-\theta^\star)$. And $g(\theta^\star)$ is an average of $N$ independent slopes of mean 0 and variance $I$: about $\mathcal N(0,I/N)$. Divide by $I$.
#
# Take an example. Waiting times follow $p_\lambda(x)=\lambda e^{-\lambda x}$, and the maximum likelihood estimate is $\hat\lambda = 1/\bar x$. Here $\log p_\lambda = \log\lambda-\lambda x$, so $I = 1/\lambda^2$ on paper. Two more
# routes: autograd on the closed-form KL, $\log\frac{\lambda^\star}{\lambda}+\frac{\lambda}{\lambda^\star}-1$; and the mean square of the slope, by quadrature.

# %%
rate = 1.7
lam = torch.tensor(rate, requires_grad=True)
bowl = math.log(rate) - lam.log() + lam / rate - 1
(slope,) = torch.autograd.grad(bowl, lam, create_graph=True)
(curvature,) = torch.autograd.grad(slope, lam)
wait = torch.linspace(0, 30, 300_001)
density, slope_at = rate * torch.exp(-rate * wait), 1 / rate - wait
mean_square = core.integrate(density * slope_at**2, wait)
check(
    "curvature, and mean squared slope = 1 / lambda^2",
    torch.stack([curvature, mean_square]),
    1 / rate**2,
    atol=1e-7,
    unlike={"mean size of the slope": core.integrate(density * slope_at.abs(), wait)},
)

# %% [markdown]
# Now the scatter itself: 200,000 worlds, each with its own data set. In every world we estimate $\lambda$ and look at $z=\sqrt{N I}\,(\hat\lambda-\lambda)$, which (10) says becomes standard normal. For
# waiting times the exact distribution of $\hat\lambda$ is known too (an inverse gamma), so we can see how far from the limit a *finite* $N$ is: the estimate is biased upward by the factor
# $N/(N-1)$, and the variance of $z$ is $N^3/\big((N-1)^2(N-2)\big)$ instead of 1.

# %%
worlds = {}
limit = rng.standard_normal(200_000)
for n in (5, 50, 500):
    # the sum of n waiting times is a gamma
    total = rng.gamma(n, 1 / rate, size=200_000)
    z = math.sqrt(n) / rate * (n / total - rate)
    worlds[n] = z
    if n == 500:  # too close to its limit for this many worlds to tell
        continue
    check_close_mc(
        f"N = {n}: mean of lambda-hat",
        n / total,
        rate * n / (n - 1),
        unlike={"the unbiased estimate": (n - 1) / total},
    )
    squares = (z - math.sqrt(n) / (n - 1)) ** 2  # about its exact mean
    exact = n**3 / ((n - 1) ** 2 * (n - 2))
    check_close_mc(
        f"N = {n}: variance of z", squares, exact, unlike={"its limit": limit**2}
    )

# %% [markdown]
# How good is that? No unbiased estimate has a smaller variance than $1/(NI)$, a theorem that we do not prove here (**Cramér and Rao**), and maximum likelihood reaches it as $N$
# grows. The squared difference of the aside does not. Let the data be normal with a known standard deviation and estimate their mean. Maximum likelihood takes the average. The squared difference is
# smallest where $\sum_i (x_i-m)\,e^{-(x_i-m)^2/2s^2}=0$, an average that trusts distant points less. The argument above, with this slope in place of the score, gives the
# variance $\frac{8}{3\sqrt3}\,\frac{s^2}{N}$: it needs half as many examples again for the same error.

# %%
# 3,000 worlds, N = 400, s = 1
samples = torch.from_numpy(rng.standard_normal((3_000, 400)))
m = samples.mean(1, keepdim=True)
by_likelihood = m.squeeze(1)
for _ in range(30):  # the condition as a weighted average, repeated until it holds
    weights = torch.exp(-0.5 * (samples - m) ** 2)
    m = (weights * samples).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
check_close_mc(
    "squared difference: N times the variance",
    400 * m.squeeze(1) ** 2,
    8 / (3 * math.sqrt(3)),
    unlike={"maximum likelihood": 400 * by_likelihood**2},
)

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.0), sharey=True)
z = np.linspace(-4, 6, 300)
normal = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
for ax, (n, values) in zip(axes, worlds.items(), strict=True):
    bins = np.linspace(-4, 6, 61)
    ax.hist(values, bins=bins, density=True, color="#56B4E9", label="200,000 worlds")
    ax.plot(z, normal, color="#D55E00", linestyle="-", label="standard normal")
    label = r"$\sqrt{N I}\,(\hat\lambda-\lambda^\star)$"
    ax.set(xlabel=label, title=f"$N = {n}$", xlim=(-4, 6))
axes[0].set_ylabel("density")
handles = axes[0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=2)
show(
    figure,
    "Three histograms of the scaled error of the estimate with the standard normal "
    "curve: skewed to the right for N = 5, hardly skewed for 50, on the curve for "
    "500.",
)

# %% [markdown]
# At $N=5$ the estimate leans to the right; at $N=500$ the histogram looks like the limit.
#
# ### Step 11. The price of fitting: training loss flatters
#
# The bowl has a second consequence, and it is the reason why held-out data exist. Take one parameter. On fresh data $\hat\theta$ loses $\tfrac12 I\,(\hat\theta-\theta^\star)^2$ against the truth, which by (10) is
# $\tfrac{1}{2N}$ nats on average. The training loss is a bowl with nearly the same curvature, but its lowest point is $\hat\theta$: on the training data it is the *truth* that loses
# $\tfrac12 I\,(\hat\theta-\theta^\star)^2$. With $k$ free parameters each of these is about $\tfrac{k}{2N}$. Together:
#
# $$\text{held-out NLL} - \text{training NLL} \;\approx\; \frac kN. \tag{11}$$
#
# Six outcomes have $k=5$ free parameters. We fit by counting in 20,000 worlds with $N=200$, and evaluate each fit exactly.

# %%
truth, n = np.array([0.3, 0.2, 0.2, 0.1, 0.1, 0.1]), 200
p_hat = rng.multinomial(n, truth, size=20_000) / n
p_hat = p_hat[(p_hat > 0).all(1)]  # what a zero would do comes in part 6
# training NLL of the fit
flatter = torch.special.entr(torch.tensor(p_hat)).sum(1).numpy()
of_truth = -p_hat @ np.log(truth)  # training NLL of the truth
honest = -np.log(p_hat) @ truth  # NLL on infinitely many fresh examples
floor = -np.sum(truth * np.log(truth))
gain, loss = (of_truth - flatter).mean(), (honest - floor).mean()
for label, nats in (("training: truth - fit", gain), ("fresh data: fit - truth", loss)):
    check_range(
        f"{label}, in units of k/2N",
        nats * 2 * n / 5,
        0.97,
        1.08,
        unlike={"k = 6, as if they need not sum to 1": nats * 2 * n / len(truth)},
    )


# %% [markdown]
# (The few per cent beyond 1 are what a finite $N$ adds to the limit.) The rule holds while $k\ll N$. With more parameters than examples the gap must be measured.

# %% [markdown]
# ## 5. Real data: train, and watch the two losses part
#
# The digits have $8\times8$ pixels with 17 grey levels. Our model is the simplest one that is more than a table: choose one of $K=100$ **prototypes**, then draw every pixel from the prototype's
# own histogram,
#
# $$p_\theta(x)=\sum_{k=1}^{K}\pi_k\prod_{j=1}^{64}p_{kj}(x_j). \tag{12}$$
#
# Its likelihood is exact, its loss is (5), and it has $100\times64\times16+99 = 102{,}499$ free parameters for 1,397 images. By (11) you should be suspicious. The loss is divided by $64\log 2$:
# bits per dimension, the unit of lesson 02. Beside it stands the model with $K=1$, a smoothed histogram for every pixel.

# %%
class Prototypes(nn.Module):
    """A mixture of tables of pixels, (12); exact likelihood of discrete images."""

    def __init__(self, n_prototypes, *, generator):
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(n_prototypes))
        self.tables = nn.Parameter(
            0.3 * torch.randn(n_prototypes, 64, 17, generator=generator)
        )

    def log_prob(self, x):
        # (b, 64 * 17)
        picked = (
            nn.functional.one_hot(x.flatten(1), 17).to(self.tables.dtype).flatten(1)
        )
        tables = self.tables.log_softmax(-1).flatten(1)  # (K, 64 * 17)
        return (self.weights.log_softmax(0) + picked @ tables.T).logsumexp(1)

    def loss(self, x, *, generator=None):
        return core.bits_per_dim(-self.log_prob(x), 64).mean()


# %%
torch.set_default_dtype(torch.float32)
images = {part: load_digits(part).images for part in ("train", "val", "test")}
generator = core.make_generator(0)
model = Prototypes(100, generator=generator)

few = images["val"][:5]
by_hand = sum(
    w * t[torch.arange(64), few.flatten(1)].double().prod(1)
    for w, t in zip(model.weights.softmax(0), model.tables.softmax(-1), strict=True)
)
log_tables = model.tables.log_softmax(-1)[:, torch.arange(64), few.flatten(1)].sum(2)
check(
    "log p of five images = log of (12)",
    model.log_prob(few),
    by_hand.log(),
    rtol=1e-5,
    unlike={"the weights forgotten": log_tables.logsumexp(0)},
)
print("kind of likelihood:", core.likelihood_kind(model))

# %%
table = histogram_log_probs(images["train"].flatten(1), 17, 0.3)  # (64, 17)
on_val_pixels = table[torch.arange(64), images["val"].flatten(1)].sum(1)
histogram = core.bits_per_dim(-on_val_pixels, 64).mean().item()
check_range(
    "K = 1 on the validation part (bits/dim)",
    histogram,
    2.42,
    2.46,
    unlike={"17 equally likely levels": math.log2(17)},
)

# %% [markdown]
# During training we also ask for the validation loss, every ten steps, and keep a copy of the best model. **Predict**: in which order will three things happen? The training loss falls below 2.0; the
# validation loss reaches its minimum; the training stops making progress.

# %%
curve, best = [], {"val": math.inf}


def with_validation(records):
    """Pass the records on; every ten steps, measure on data not seen in training."""
    for record in records:
        if record.step % 10 == 0:
            with torch.no_grad():
                losses = {
                    part: model.loss(images[part]).item() for part in ("train", "val")
                }
            curve.append((record.step, losses["train"], losses["val"]))
            if losses["val"] < best["val"]:
                weights = {
                    name: value.clone() for name, value in model.state_dict().items()
                }
                best.update(val=losses["val"], step=record.step, weights=weights)
        yield record


batches = minibatches(images["train"], 256, generator=generator)
records = widgets.watch(
    with_validation(fit(model, batches, n_steps=250, lr=0.06)),
    total=250,
    label="bits per dimension",
)

# %% jupyter={"source_hidden": true}
steps, on_train, on_val = zip(*curve, strict=True)
figure, ax = plt.subplots(figsize=(8.0, 3.2))
ax.plot(steps, on_train, label="training")
ax.plot(steps, on_val, label="validation")
look = {"color": "#222222", "linewidth": 1, "linestyle": ":"}
ax.axhline(histogram, label="pixel histogram,\nvalidation", **look)
look = {"linestyle": "", "color": "#D55E00", "markersize": 13}
label = "where we should\nhave stopped"
ax.plot(best["step"], best["val"], marker="*", label=label, **look)
ax.set(
    xlabel="step",
    ylabel="bits per dimension",
    ylim=(1.7, 2.7),
    title="Training goes on falling; validation turns around",
)
figure.legend(loc="outside right center", fontsize=9)
show(
    figure,
    "Bits per dimension over 250 steps: training falls from 2.7 towards 1.8; "
    "validation reaches its minimum of 2.3 near step 60, at the star, and climbs "
    "towards the dotted line of the pixel histogram at 2.44.",
)

# %% [markdown]
# The training loss falls to the end. The validation loss turns around early and climbs: from there on the model learns these 1,397 images and no longer digits. The training curve shows no sign of it.
# (The order was: below 2.0 first, then the minimum of validation, and progress in training never stopped.)
# **Early stopping** is the first repair: keep the model at the star. The test part, which chose nothing, is used once, with the error bar of (7).

# %%
check_range(
    "best validation loss (bits/dim)",
    best["val"],
    2.29,
    2.36,
    unlike={"K = 1": histogram},
)
check_range(
    "validation: end - best (over-fitting)",
    on_val[-1] - best["val"],
    0.04,
    0.15,
    unlike={
        "training: end - there": on_train[-1] - on_train[steps.index(best["step"])]
    },
)

# %%
n_parameters = 100 * 64 * 16 + 99
check_range(
    "gap at the end: validation - training",
    on_val[-1] - on_train[-1],
    0.55,
    0.75,
    unlike={"the rule k/N": core.bits_per_dim(torch.tensor(n_parameters / 1397), 64)},
)

model.load_state_dict(best["weights"])
with torch.no_grad():
    bits = core.bits_per_dim(-model.log_prob(images["test"]), 64)
    on_test_pixels = table[torch.arange(64), images["test"].flatten(1)].sum(1)
check_range(
    "test loss of the model we kept",
    bits.mean(),
    2.24,
    2.34,
    unlike={"K = 1 on the test part": core.bits_per_dim(-on_test_pixels, 64).mean()},
)
print(f"    ... with a standard error of ~{bits.std() / math.sqrt(len(bits)):.3f}")

# %% jupyter={"source_hidden": true}
prototypes = (model.tables.softmax(-1) * torch.arange(17)).sum(-1).reshape(-1, 8, 8)
order = model.weights.argsort(descending=True)[:20]
figure, ax = plt.subplots(figsize=(8.0, 1.9))
show_images(ax, prototypes[order], title="mean image of the 20 heaviest prototypes")
show(
    figure,
    "Twenty grey images of 8 x 8 pixels in two rows: blurred but readable handwritten "
    "digits, several ones, threes and zeros among them.",
)

# %% [markdown]
# ## 6. It fails
#
# ### Failure 1. One zero, infinite loss
#
# Fit a histogram to every pixel by maximum likelihood: count and divide, exactly as step 4 told you. Then evaluate it on the 200 validation images.

# %%
torch.set_default_dtype(torch.float64)
pixels = {part: images[part].flatten(1) for part in images}
counts = nn.functional.one_hot(pixels["train"], 17).sum(0)  # (64, 17)


def histogram_nll(log_table, part):
    """Negative log-probability of each image under independent pixels, nats."""
    return -log_table[torch.arange(64), pixels[part]].sum(1)


raw = (counts / counts.sum(1, keepdim=True)).log()
for part in ("train", "val"):
    bits = core.bits_per_dim(histogram_nll(raw, part), 64).mean()
    print(f"{part:<6} {bits:.4f} bits per dimension")

# second route: sets of levels
seen = [set(column.tolist()) for column in pixels["train"].T]
unseen = [
    [v not in seen[j] for j, v in enumerate(image)] for image in pixels["val"].tolist()
]
lost = int(histogram_nll(raw, "val").isinf().sum())
check(
    "validation images with probability 0",
    lost,
    sum(any(image) for image in unseen),
    unlike={"pixels, not images": sum(map(sum, unseen))},
)
print(
    f"{sum(map(sum, unseen))} pixels of 12,800 show a grey level "
    "that was never seen at that place"
)


# %% [markdown]
# Question 4 is answered: **infinite**. One outcome that the model calls impossible makes the whole average infinite, however good the rest is. This is the forward KL's covering nature again, and it is what a perplexity of `inf` in a language model means. The repair is a prior count:
# pretend to have seen each level $\alpha$ times. The smoothed table is $\frac{N_{jv}+\alpha}{N+17\alpha}$; write it in one line, and compare.

# %%
def smoothed(counts, alpha):
    return ((counts + alpha) / (counts.sum(1, keepdim=True) + 17 * alpha)).log()


check(
    "my smoothing = genlab's",
    smoothed(counts, 0.3),
    histogram_log_probs(pixels["train"], 17, 0.3),
    unlike={"alpha added once below": torch.log((counts + 0.3) / (1397 + 0.3))},
)
alphas = np.geomspace(1e-60, 30, 123)
by_part = {
    part: [
        core.bits_per_dim(histogram_nll(smoothed(counts, a), part), 64).mean().item()
        for a in alphas
    ]
    for part in ("train", "val")
}
chosen = int(np.argmin(by_part["val"]))
repaired = by_part["val"][chosen]
check_range(
    "validation loss, repaired (bits/dim)",
    repaired,
    2.42,
    2.46,
    unlike={
        "too much smoothing": by_part["val"][-1],
        "training": by_part["train"][chosen],
    },
)

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7.0, 3.0))
for part, label in (("train", "training"), ("val", "validation")):
    ax.semilogx(alphas, by_part[part], label=label)
ax.plot(alphas[chosen], repaired, "*", color="#D55E00", markersize=13)
ax.set(
    xlabel=r"pseudo-count $\alpha$",
    ylabel="bits per dimension",
    ylim=(2.39, 2.55),
    title="A tiny pseudo-count hides the infinity; only validation sees it",
)
ax.legend(loc="upper left", bbox_to_anchor=(0.45, 1.0))
show(
    figure,
    "Bits per dimension against the pseudo-count from 1e-60 to 30, logarithmic: "
    "training is flat at 2.41 and rises only at the right; validation falls slowly "
    "from 2.50 to a minimum of 2.44 at the star, then rises as steeply.",
)

# %% [markdown]
# The training loss is best at $\alpha\to0$ and would never have told you to smooth. The validation loss grows to infinity on the left, but as slowly as $-\log\alpha$. Code that hides a tiny constant inside the logarithm
# therefore never shows `inf`, and reports a loss that depends on the constant. Choose $\alpha$ on held-out data, and report it.
#
# ### Failure 2. The mode that is dropped
#
# Your friend's reverse-KL fit looks excellent by its own measure. Measured with *samples of the data*, it is a catastrophe. Your own, covering fit is not good either, and the other direction does not repair it. What does is a
# model that *can* be right. Give it two components and fit by maximum likelihood from 4,000 samples.

# %%
data = two_modes.sample(4000, generator=core.make_generator(5))
fresh = two_modes.sample(4000, generator=core.make_generator(6))


seeker = oracles.Gaussian(torch.tensor([left[0]]), torch.tensor([[left[1] ** 2]]))
draws = match.sample(100_000, generator=core.make_generator(7))
for name, q in (("covering fit", match), ("seeking fit", seeker), ("truth", two_modes)):
    print(f"held-out NLL of the {name:12s} {-q.log_prob(fresh).mean():.3f}")
check_close_mc(
    "seeker's excess loss = its forward KL (nats)",
    two_modes.log_prob(fresh) - seeker.log_prob(fresh),
    core.kl_on_grid(log_p, log_normal(*left), line).item(),
    unlike={"its reverse KL": keep_left.item()},
)
hollow = torch.linspace(-0.8, 0.8, 201)  # between the modes
check_close_mc(
    "samples of the cover between the modes",
    (draws.abs() < 0.8).double(),
    core.integrate(match.log_prob(hollow[:, None]).exp(), hollow).item(),
    unlike={"samples of the data": (fresh.abs() < 0.8).double()},
)

# %%
# logit, two means, two log standard deviations
v = torch.tensor([0.0, -0.5, 0.5, 0.0, 0.0], requires_grad=True)


def two_components(v):
    share = torch.sigmoid(v[0])
    return oracles.GaussianMixture(
        torch.stack([share, 1 - share]), v[1:3, None], v[3:5].exp()
    )


optimiser = torch.optim.Adam([v], lr=0.05)
for _ in range(300):
    optimiser.zero_grad()
    loss = -two_components(v).log_prob(data).mean()
    loss.backward()
    optimiser.step()

with torch.no_grad():
    learned = two_components(v)
    gap = core.kl_on_grid(log_p, learned.log_prob(line[:, None]), line)
check_range(
    "repaired: KL(p || two components), nats",
    gap,
    0.0,
    0.004,
    digits=5,
    unlike={"one component": core.kl_on_grid(log_p, log_normal(*forward_fit), line)},
)
print(f"    ... by step 11 it should be of the order of k/2N = {5 / 8000:.5f}")

# %% [markdown]
# ### Failure 3. A likelihood that goes to infinity
#
# Steps 4 and 5 together are dangerous: maximum likelihood wants densities as high as possible, and a density has no ceiling. Put one narrow Gaussian of standard deviation $h$, the *bandwidth*, on each training image (a **kernel density
# estimate**) and let $h\to0$. Every training image sits on top of its own spike, whose height grows as $h^{-64}$.

# %%
generator = core.make_generator(1)
y = {
    part: core.dequantize(pixels[part], 17, generator=generator)
    for part in ("train", "val")
}
squared = {part: torch.cdist(y[part], y["train"]) ** 2 for part in y}  # (n, 1397)


def kde_bits(squared, h, n_points):
    """Bits per dimension of a KDE, from squared distances (n, points)."""
    log_kernel = -squared / (2 * h**2) - 32 * math.log(2 * math.pi * h**2)
    log_density = log_kernel.logsumexp(1) - math.log(n_points)
    return core.bits_per_dim(-log_density, 64, levels=17).mean().item()


few = oracles.Empirical(y["train"]).noised(1.0, 0.1).log_prob(y["val"][:20])
theirs = core.bits_per_dim(-few, 64, levels=17).mean()
check(
    "my KDE = genlab's",
    kde_bits(squared["val"][:20], 0.1, 1397),
    theirs,
    unlike={"the width of a bin forgotten": core.bits_per_dim(-few, 64).mean()},
)

# %%
widths = np.geomspace(0.01, 0.4, 25)
on_train = [kde_bits(squared["train"], h, 1397) for h in widths]
on_val = [kde_bits(squared["val"], h, 1397) for h in widths]
others = squared["train"] + torch.diag(
    torch.full((1397,), math.inf)
)  # leave each image's own spike out
left_out = [kde_bits(others, h, 1396) for h in widths]
check(
    "leave-one-out and validation: bandwidth, to a step",
    math.log(widths[np.argmin(left_out)]),
    math.log(widths[np.argmin(on_val)]),
    atol=1.01 * math.log(widths[1] / widths[0]),
    unlike={"training": math.log(widths[np.argmin(on_train)])},
)
check_range(
    "training loss at the smallest bandwidth",
    on_train[0],
    -2.2,
    -0.6,
    unlike={"own spike left out": left_out[0], "validation": on_val[0]},
)
print(f"validation loss at the best bandwidth ~{min(on_val):.2f} bits per dimension")

# %% jupyter={"source_hidden": true}
figure, ax = plt.subplots(figsize=(7.0, 3.2))
ax.semilogx(widths, on_train, label="training")
ax.semilogx(widths, on_val, label="validation")
ax.semilogx(widths, left_out, label="training, own spike left out")
ax.axhline(0, color="#222222", linewidth=0.8, linestyle="-")
ax.set(
    xlabel="bandwidth $h$ (pixels scaled to [0, 1])",
    ylabel="bits per dimension",
    ylim=(-2, 7),
    title="Training dives through zero; held-out images see a best bandwidth",
)
ax.legend(loc="upper left")
show(
    figure,
    "Bits per dimension against the bandwidth, logarithmic: training falls "
    "below zero at small bandwidths; validation and leave-one-out lie on each other, "
    "with a minimum of 3.4 near 0.12 and a steep rise to the left.",
)

# %% [markdown]
# On the training data the loss dives through zero and has no minimum: the "best" model is a set of spikes that could not produce a new image. Validation has a minimum. So has the **leave-one-out** loss, which needs no
# extra data: score each training image with its own spike removed. The two agree on the bandwidth to within a step of the scan.
#
# ### Failure 4. Copies
#
# Leave-one-out, validation and test all rest on one promise: *what you score was not in what you fitted*. We break it twice: 20 of the 200 validation images leak into the training part; and, separately, every training
# image is stored twice.

# %%
leaked = torch.cat([y["train"], y["val"][:20]])
to_leaked = torch.cdist(y["val"], leaked) ** 2  # (200, 1417)
leaky = [kde_bits(to_leaked, h, 1417) for h in widths]
check_range(
    "validation loss with a tenth of it leaked",
    min(leaky),
    3.2,
    3.32,
    unlike={"honest": min(on_val)},
)
thin = 8  # a bandwidth too small to be any good
check_range(
    f"what the leak takes off at bandwidth {widths[thin]:.3f}",
    on_val[thin] - leaky[thin],
    0.7,
    1.5,
    unlike={"at the best bandwidth": min(on_val) - min(leaky)},
)

doubled = others.repeat(1, 2)
doubled[:, 1397:].diagonal().zero_()  # the second copy of each image is still there
fooled = [kde_bits(doubled, h, 2 * 1397 - 1) for h in widths]
check(
    "bandwidth that leave-one-out chooses now",
    widths[np.argmin(fooled)],
    widths[0],
    unlike={"without the copies": widths[np.argmin(left_out)]},
)

# %% [markdown]
# With every image stored twice, leave-one-out chooses the *smallest bandwidth we offered*: each image is "predicted" by its twin. The repair is to look for copies before splitting: a copy has distance zero, and the nearest
# honest neighbour is far away. (Lesson 09 returns to this as a test for memorisation.)

# %%
nearest = to_leaked.min(1).values.sqrt()
copies = nearest < 1e-6
honest = squared["val"].min(1).values.sqrt()
check(
    "copies found",
    int(copies.sum()),
    20,
    unlike={"in the honest split": int((honest < 1e-6).sum())},
)
print(f"distance to the nearest image that is no copy: ~{honest.min():.2f}")

kept = ~(to_leaked.sqrt() < 1e-6).any(0)
check(
    "copies removed: the honest loss again",
    kde_bits(to_leaked[:, kept], 0.12, int(kept.sum())),
    kde_bits(squared["val"], 0.12, 1397),
    unlike={"with the copies": kde_bits(to_leaked, 0.12, 1417)},
)

# %% [markdown]
# ## 7. Exercises
#
# Replace each `...`. An untouched exercise is fine: the notebook still runs to its end. `course.hint("03.kl-value")` gives a hint; there are three for each.
#
# **1. Compute.** $p=(0.6, 0.3, 0.1)$ and $q=(0.3, 0.3, 0.4)$. What is $\mathrm{KL}(p\,\|\,q)$ in nats? (Four digits; try it with a pocket calculator first.)

# %%
course.exercise("03.kl-value", ...)


# %% [markdown]
# **2. Compute.** Write the mean NLL, in nats per observation, of a data set that is given as counts.

# %%
def nll_from_counts(counts, q):
    """counts (k,): how often each outcome was seen; q (k,): the model. In nats."""
    ...


course.exercise("03.nll-from-counts", nll_from_counts)


# %% [markdown]
# **3. Derive.** A one-dimensional mixture has weights $\pi_k$, means $m_k$ and standard deviations $s_k$. Which single Gaussian minimises the *forward* KL? Return its mean and its standard deviation.

# %%
def best_gaussian(weights, means, stds):
    """Three arrays (k,). Return (mean, std) of the N closest in forward KL."""
    ...


course.exercise("03.forward-fit", best_gaussian)


# %% [markdown]
# **4. Derive.** The number of photons in a second is Poisson, $p_\lambda(n)=e^{-\lambda}\lambda^n/n!$. Its Fisher information about $\lambda$?

# %%
def fisher_poisson(rate): ...


course.exercise("03.fisher-poisson", fisher_poisson)


# %% [markdown]
# **5. Build.** Given the log-probabilities of $N$ held-out images, return the mean bits per dimension and its standard error.

# %%
def report(log_probs, n_dims):
    """log_probs (N,) in nats. Return (mean bits per dimension, its standard error)."""
    ...


course.exercise("03.error-bar", report)


# %% [markdown]
# **6. Build.** Additive smoothing of a table of counts `(d, k)` with pseudo-count `alpha`. Each row must be a distribution.

# %%
def smooth(counts, alpha): ...


course.exercise("03.smoothing", smooth)

# %% [markdown]
# ## 8. Quiz

# %% tags=["keep-output"]
widgets.quiz(3)

# %% [markdown]
# ## 9. Summary in ten lines
#
# 1. $\mathrm{KL}(p\,\|\,q)$ is the average excess surprise of believing $q$ when $p$ is true; it is $\ge 0$, zero only for equals, not symmetric, not a metric.
# 2. Cross-entropy = entropy + KL. Only the KL is the model's fault.
# 3. Minimising the forward KL to the data *is* maximising the likelihood, because the data's entropy is a constant. Other proper scores split like this; the logarithm alone is local, additive, free of units and efficient.
# 4. The mean NLL over a data set is exactly the cross-entropy from the empirical distribution; for a free table, count and divide.
# 5. The NLL of a density may be negative and depends on the unit of $x$; a KL does not.
# 6. A loss estimated from $N$ examples has the standard error $\sigma/\sqrt N$. Report it.
# 7. Forward KL covers (moment match, infinite on a forgotten outcome); reverse KL seeks (one mode, at the price $-\log$ of the fraction it holds).
# 8. The curvature of the KL at the truth is the Fisher information, and $\hat\theta$ scatters with variance $1/(NI)$.
# 9. Training loss flatters by about $k/N$ nats while $k\ll N$; beyond that, measure on held-out data and stop early.
# 10. Zeros, spikes and copies break likelihoods; smooth, leave out, remove duplicates.
#
# **Predict first, taken up again.** 1: across both modes with standard deviation about 2; on one mode with 0.6. 2: yes, for densities. 3: by $\sqrt2$. 4: infinite.
#
# **Row of the cheat sheet**
#
# | objective | what it needs | what it does when the model is too simple | who trains on it |
# |---|---|---|---|
# | forward KL = maximum likelihood | samples of $p$, $\log q$ | covers everything, puts mass between modes | autoregressive, flows; VAE and diffusion through bounds |
# | reverse KL | $\log p$, samples of $q$ | seeks a mode, drops others silently | variational posteriors, energies given as formulas |
#
# **What production systems add.** The loss is this one, token by token, over so many tokens that few are seen twice and the training loss is nearly a held-out loss. Removing near-duplicates, and test questions, from
# the training set is an engineering effort of its own, because of failure 4. Preference tuning of language models adds a *reverse* KL to a reference model, and the narrowing of step 9 comes with it.
#
# ## 10. Sources
#
# - Kullback and Leibler 1951, *Ann. Math. Statist.* 22, eq. 2.4 (the divergence); Cover and Thomas, *Elements of Information Theory*, 2nd ed., eqs. 2.26, 2.90 (KL, non-negativity), lemma 11.6.1 (Pinsker's bound).
# - Goodfellow, Bengio and Courville, *Deep Learning*, section 5.5, eqs. 5.56 to 5.61 (maximum likelihood as KL).
# - Bernardo 1979, *Ann. Statist.* 7 (the logarithm as the only local proper score); Gneiting and Raftery 2007, *JASA* 102 (proper scoring rules); Basu, Harris, Hjort and Jones 1998, *Biometrika* 85 (the squared difference as a robust loss).
# - Bishop, *Pattern Recognition and Machine Learning*, section 10.1.2 and figure 10.3 (the two directions).
# - van der Vaart, *Asymptotic Statistics*, theorem 5.39 (asymptotic normality); Akaike 1974, *IEEE TAC* 19 (the rule $k/N$).
# - Theis, van den Oord and Bethge 2015, arXiv:1511.01844, section 3 (what a likelihood of images does and does not say).
# - Stanford CS236, lecture 4 (maximum likelihood learning), for the order of the argument.
