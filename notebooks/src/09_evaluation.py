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
# # 09 · Evaluating a generative model
#
# **After this lesson you will be able to**
#
# - **compute** likelihoods in bits per dimension, the Inception score, the Fréchet distance, KID, precision and recall, by hand on small
#   cases and with `genlab` on images;
# - **derive** the Fréchet distance as the cheapest way to turn one Gaussian into another, and **predict** its bias at finite sample size;
# - **fool** each of these metrics on purpose, and name for each one that sees through it;
# - **test** whether two sets of samples differ, whether a generator copies its training images, and how sure a human study is;
# - **choose** the metric that answers the question you were asked.
#
# About 60 minutes to read, about 15 seconds to run. You need lesson 03 (KL, cross-entropy) and lesson 08 (Wasserstein distance); lessons
# 02, 05 and 07 supply the kinds of models that are evaluated here.

# %% tags=["keep-output"] jupyter={"source_hidden": true}
import itertools
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from scipy import stats

import genlab_course as course
from genlab_course import widgets
from genlab.core.stats import bits_per_dim, entropy
from genlab_course import check, check_close_mc, check_range
from genlab_course.figures import show, show_images
from genlab.data.digits import load_digits
from genlab.metrics import coverage, calibration, features, distances
from genlab.metrics import coverage as inception

course.begin(lesson=9)
# metrics are small sums: do them in double precision
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)  # and on one thread: two would mostly wait for each other
course.draw_map(lesson=9, slim=True)

# %% [markdown]
# ## Predict first
#
# Ten boxes of 400 small digit images stand in front of you. One holds real images. One holds copies of a training set. One holds forty
# copies each of ten pictures, one per digit. One holds images of *noise*, tuned until a classifier is sure of every one.
#
# Write down your answers before you read on; we return to them at the end.
#
# 1. Which of these four has the **highest Inception score**?
# 2. By Fréchet distance to held-out images, do the **copies** come out near the real images, or far from them?
# 3. A model draws from a good model 1 % of the time and from pure noise 99 % of the time. By how much is its likelihood worse: about
#    0.1, 1 or 10 **bits per dimension**?

# %% [markdown]
# ## Step 1. Likelihood, and the unit it is measured in
#
# If a model gives held-out data a probability, start there: $-\log p(x)$ needs no feature network and no samples. But it has a unit. A whole
# image has an NLL in *nats*; divided by $D\log 2$ it is in *bits per dimension*, and that is comparable across image sizes. A density and a
# discrete probability are different things: a density on data scaled to $[0,1]$ has bins of width $1/L$, so
#
# $$\text{bits/dim} = \frac{-\log p(x)}{D\log 2} + \log_2 L .$$
#
# Forget the second term and every density model looks four bits too good on our 17 grey levels. For sequences one reports the perplexity,
# $\exp(\mathrm{NLL}/\text{token})$: the number of equally likely choices that would be as surprising.

# %%
# density 1 on [0, 1]^64
uniform_density = bits_per_dim(torch.tensor(0.0), n_dims=64, levels=17)
uniform_discrete = -math.log2(17.0**-64) / 64  # each of 17^64 images equally likely
check(
    "uniform noise, bits per dimension",
    uniform_density,
    uniform_discrete,
    unlike={"width of a bin forgotten": bits_per_dim(torch.tensor(0.0), n_dims=64)},
)

steps = np.array([0.4, 0.5, 0.6])  # the sequence BAC of lesson 2
check(
    "perplexity of BAC",
    np.exp(-np.log(steps).mean()),
    np.prod(steps) ** (-1 / 3),
    unlike={"not divided by the length": np.exp(-np.log(steps).sum())},
)
check(
    "a density may exceed 1: its NLL is negative",
    -stats.norm.logpdf(0, 0, 0.1),
    math.log(0.1) + 0.5 * math.log(2 * math.pi),
    unlike={"variance for standard deviation": -stats.norm.logpdf(0, 0, 0.1**2)},
)

# %% [markdown]
# The negative log-likelihood of *discrete* data is never negative, since a probability is at most 1. A density can exceed 1, and the last line
# above is $-1.38$ nats. Rescale the data and the number moves again, so always ask for the unit.

# %% [markdown]
# ## Step 2. Likelihood and sample quality are two questions
#
# Two constructions show that neither decides the other. First, **good likelihood, bad samples**. Let $p$ be any model and mix it with noise,
# $q = 0.01\,p + 0.99\,u$. Since $q(x)\ge 0.01\,p(x)$ for every $x$,
#
# $$-\log q(x) \le -\log p(x) + \log 100 ,$$
#
# and 4.6 nats spread over 64 pixels is $0.104$ bits per dimension. Yet 99 of 100 samples are noise. We take for $p$ the per-pixel
# histogram of lesson 2, whose probabilities are exact. The training images of this lesson are 997 of the digits' training part; the other
# 400 are put aside and play a *perfect generator* later. The reference is the 400 validation and test images.

# %%
images, labels = load_digits("train")
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(9))
train, train_labels = images[order[400:]], labels[order[400:]]
fresh = images[order[:400]]
held_out = torch.cat([load_digits("val").images, load_digits("test").images])

log_p = coverage.histogram_log_probs(train, 17, 0.1)  # (64, 17)
pixels = held_out.flatten(1)
nll_p = -log_p.gather(1, pixels.T).sum(0)  # nats, one number per held-out image
nll_noise = torch.full_like(nll_p, 64 * math.log(17))
nll_mix = -torch.logaddexp(math.log(0.01) - nll_p, math.log(0.99) - nll_noise)
price = bits_per_dim(nll_mix - nll_p, 64).mean()
print(
    f"histogram {bits_per_dim(nll_p, 64).mean():.4f}, "
    f"mixture {bits_per_dim(nll_mix, 64).mean():.4f} bits per dimension"
)
check(
    "price of 99 % noise, bits per dimension",
    price,
    math.log2(100) / 64,
    atol=1e-6,
    unlike={"nats": (nll_mix - nll_p).mean() / 64},
)


# %% [markdown]
# Second, **good samples, bad likelihood**. A model that stores its $N$ training images returns one of them 99 % of the time, and
# uniform noise otherwise, so that nothing has probability zero. Its samples are real images 99 times in 100. What does it say about an image that it has not
# stored? We evaluate the model on every held-out image: route 1 looks each one up in the list; route 2 is arithmetic.

# %%
def memory_nll(x, stored):
    """-log(0.99 * fraction of stored images equal to x + 0.01 / 17^64), in nats."""
    equal = (x.flatten(1)[:, None] == stored.flatten(1)).all(-1).double().mean(1)
    return -torch.logaddexp(
        (0.99 * equal).log(), torch.tensor(math.log(0.01) - 64 * math.log(17))
    )


unseen, stored = memory_nll(held_out, train), memory_nll(train, train)
found = [bits_per_dim(nll, 64).mean() for nll in (unseen, stored)]
levels, n_stored = 17, len(train)
check(
    "perfect copies: bits on held-out, on stored",
    torch.stack(found),
    [
        math.log2(levels) + math.log2(100) / 64,
        (math.log2(n_stored) - math.log2(0.99)) / 64,
    ],
    unlike={
        "factors 0.01 and 0.99 left out": [math.log2(levels), math.log2(n_stored) / 64]
    },
)
print(f"held-out ~{found[0]:.2f}, stored ~{found[1]:.2f} bits per dimension")


# %% [markdown]
# The model with perfect samples pays *more than uniform noise* (the first check of this lesson), while on its own training images it claims next to
# nothing. That gap between training and held-out likelihood is what memorisation looks like from the likelihood's side. From the samples' side
# it looks like excellence, as you will see.
#
# So likelihood answers "does the model expect the data?" For a GAN the question cannot even be asked. What follows needs samples only.

# %% [markdown]
# ## Step 3. The Inception score
#
# The **Inception score** (IS) takes a classifier $p(y\mid x)$. A good sample should be *certain* (peaked $p(y\mid x)$), a good set should be *varied* (flat average
# $p(y)$). One number for both is the mean divergence of the one from the other:
#
# $$\mathrm{IS}=\exp\,\mathbb E_x\,\mathrm{KL}\big(p(y\mid x)\,\|\,p(y)\big)=\exp\Big(H\big[p(y)\big]-\mathbb E_x H\big[p(y\mid x)\big]\Big).$$
#
# The second form is the mutual information between image and class: expand the logarithm of the ratio and the terms separate. Before the next
# cell: four samples, classified as cat, dog, bird, cat, each with probability 0.9 and 0.05 for the other two. The ceiling for three classes is
# 3. Is the score nearer to 2 or to 3?

# %%
def animals(*seen):
    return torch.tensor([[0.9 if k == c else 0.05 for k in range(3)] for c in seen])


zoo = animals(0, 1, 2, 0)
average = np.array([0.475, 0.2625, 0.2625])  # of the four rows, by hand
by_hand = [
    0.9 * math.log(0.9 / a)
    + 0.05 * sum(math.log(0.05 / b) for b in np.delete(average, c))
    for c, a in zip((0, 1, 2, 0), average[[0, 1, 2, 0]], strict=True)
]
print("KL of each sample:", np.round(by_hand, 7))
reverse = (zoo.mean(0) * (zoo.mean(0) / zoo).log()).sum(1)
check(
    "KL of each sample, nats",
    inception.inception_kl(zoo),
    by_hand,
    atol=1e-12,
    unlike={"KL the other way round": reverse},
)
check(
    "mean KL = difference of entropies",
    np.mean(by_hand),
    entropy(zoo.mean(0)) - entropy(zoo).mean(),
    atol=1e-12,
    unlike={"entropy of the average alone": entropy(zoo.mean(0))},
)
check(
    "Inception score of the four",
    inception.inception_score(zoo),
    math.exp(np.mean(by_hand)),
    atol=1e-12,
    unlike={"mean of the exponentials": np.mean(np.exp(by_hand))},
)

# %%
sets = [animals(0, 0, 0, 0), animals(0, 1, 2), torch.eye(3)]
# uniform average: log 3 minus the entropy of a row
one_each = 3 * math.exp(0.9 * math.log(0.9) + 0.1 * math.log(0.05))
check(
    "identical; one of each; certain and balanced",
    torch.stack([inception.inception_score(seen) for seen in sets]),
    [1.0, one_each, 3.0],
    atol=1e-12,
    unlike={
        "variety alone": torch.stack([entropy(seen.mean(0)).exp() for seen in sets])
    },
)

# %% [markdown]
# Notice what never appeared: a real image. The score cannot know what is missing.

# %% [markdown]
# ## Step 4. The Fréchet distance on the line
#
# Compare two Gaussians by the cheapest way to move the mass of one onto the other. The cost is now the *squared* distance (in lesson 8 it was
# the distance itself), and the cheapest total is called $W_2^2$. Pair $x$ and $y$ jointly in any way and expand:
#
# $$\mathbb E(x-y)^2=(\mu_1-\mu_2)^2+\sigma_1^2+\sigma_2^2-2\,\mathrm{Cov}(x,y).$$
#
# Only the covariance depends on the pairing, and by Cauchy-Schwarz it is at most $\sigma_1\sigma_2$. That bound is reached by moving along a
# straight line, $y=\mu_2+\frac{\sigma_2}{\sigma_1}(x-\mu_1)$. Hence
#
# $$d^2=(\mu_1-\mu_2)^2+(\sigma_1-\sigma_2)^2 .$$
#
# Six cases from the standard normal. Route 1 is the formula. Route 2 knows nothing of it: it integrates the squared gap of the two *quantile
# functions*, the sorted pairing of lesson 8, which is the cheapest for this cost as well, numerically.

# %%
cases = [(0, 1), (1, 1), (1, 1.5), (2, 1), (0, 2), (2, 2)]
mu, sigma = torch.tensor(cases, dtype=torch.float64).T
formula = distances.frechet_1d(torch.zeros(6), torch.ones(6), mu, sigma)
u = (np.arange(200_000) + 0.5) / 200_000
quantiles = [
    np.mean((stats.norm.ppf(u) - stats.norm.ppf(u, m, s)) ** 2) for m, s in cases
]
print("distances:", formula.tolist())
# 1e-4 leaves room for the tails beyond the last midpoint
check(
    "formula = integral over quantiles",
    formula,
    quantiles,
    atol=1e-4,
    unlike={"difference of variances": mu**2 + (sigma**2 - 1) ** 2},
)
# Gaussian pairings of N(0, 1) and N(2, 2^2) with correlation rho
rho = np.linspace(-1, 1, 201)
costs = 2**2 + 1 + 4 - 2 * rho * 1 * 2
check(
    "no correlated pairing is cheaper",
    costs.min(),
    formula[5],
    unlike={"independent": costs[100]},
)

# %% [markdown]
# ## Step 5. The Fréchet distance in d dimensions
#
# The same argument leaves $\max \mathrm{Tr}\,C$ over cross-covariances $C$ that fit between $\Sigma_1$ and $\Sigma_2$. One fact we quote: $C$ fits
# exactly if $C=\Sigma_1^{1/2}K\Sigma_2^{1/2}$ with a matrix $K$ that stretches no vector. (On the line, $K$ is the correlation.) The rest follows:
# $\mathrm{Tr}\,C=\mathrm{Tr}(K\,\Sigma_2^{1/2}\Sigma_1^{1/2})$ is at most the sum of the singular values of $M=\Sigma_2^{1/2}\Sigma_1^{1/2}$, reached when $K$ turns
# each left singular vector of $M$ into the right one. Those singular values are the roots of the eigenvalues of $M^\top M$, hence
#
# $$d^2=\lVert\mu_1-\mu_2\rVert^2+\mathrm{Tr}\big(\Sigma_1+\Sigma_2-2(\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2})^{1/2}\big).$$
#
# The best plan is again linear, $y-\mu_2=T(x-\mu_1)$, with the symmetric positive $T$ for which $T\Sigma_1T=\Sigma_2$. With the features of a large
# classifier, the Inception network, in place of $x$, this is the **Fréchet inception distance (FID)**. Heusel et al. (2017) print the formula with
# $(\Sigma_1\Sigma_2)^{1/2}$. Its trace is the same, but $\Sigma_1\Sigma_2$ is not symmetric, and a general
# matrix square root of it comes back with an imaginary part made of rounding errors, which code then discards. Inside the symmetric product
# all eigenvalues are real and not negative, so `genlab` uses an eigen-decomposition. Three routes: our function, the eigenvalues of the plain
# product, and the best $K$; and then the cost of the plan itself.

# %%
g = torch.Generator().manual_seed(1)
a, b = (torch.randn(5, 8, generator=g) for _ in range(2))
cov_a, cov_b, zero = a @ a.T / 8, b @ b.T / 8, torch.zeros(5)
ours = distances.frechet_gaussian(zero, cov_a, zero, cov_b)
plain = np.linalg.eigvals((cov_a @ cov_b).numpy())
traces, (root_a, root_b) = (
    cov_a.trace() + cov_b.trace(),
    map(distances.sqrt_psd, (cov_a, cov_b)),
)
U, _, Vh = torch.linalg.svd(root_b @ root_a)


def cost_of(k):  # of the pairing with C = root_a k root_b
    return traces - 2 * (root_a @ k @ root_b).trace()


check(
    "symmetric root = plain product = best K",
    [traces - 2 * np.sqrt(plain.real).sum(), cost_of((U @ Vh).T)],
    ours,
    atol=1e-8,
    unlike={"K = 1, as if the roots commuted": cost_of(torch.eye(5))},
)
turns = torch.linalg.qr(torch.randn(2000, 5, 5, generator=g)).Q
dearer = bool(all(cost_of(k) >= ours for k in turns))
check("2,000 random rotations K cost no less", dearer, True)

# %%
# T solves T A T = B; Newton's iteration needs no eigenvalues
# (T is the geometric mean of A^-1 and B)
plan, partner = cov_b, cov_a
for _ in range(60):
    plan, partner = (
        (plan + torch.linalg.inv(partner)) / 2,
        (partner + torch.linalg.inv(plan)) / 2,
    )


def move_cost(m):
    m = m - torch.eye(5)
    return (m @ cov_a @ m.T).trace()


lower = torch.linalg.cholesky(cov_b) @ torch.linalg.inv(torch.linalg.cholesky(cov_a))
check(
    "the plan T turns A into B",
    plan @ cov_a @ plan.T,
    cov_b,
    atol=1e-8,
    unlike={"the inverse plan": partner @ cov_a @ partner},
)
check(
    "cost of the plan = distance",
    move_cost(plan),
    ours,
    atol=1e-8,
    unlike={"another map of A to B": move_cost(lower)},
)

# %% [markdown]
# > **A common misconception: "FID = 0 means that the model is perfect."** It tempts because $W_2^2 = 0$ would mean that. The distance of the fitted
# > Gaussians contains means and covariances of *features*, nothing else.
# > Let $P$ be the standard normal and $Q$ a fair coin on $\pm1$. Both have mean 0 and variance 1, so their Fréchet distance is exactly 0, although
# > a draw from $P$ hits $\pm1$ with probability 0. The true $W_2^2$ is $2-2\,\mathbb E|x|=2-2\sqrt{2/\pi}$.

# %%
# nodes and weights for expectations under N(0, 1)
x, w = np.polynomial.hermite_e.hermegauss(80)
w = w / w.sum()
coin = np.array([-1.0, 1.0])
one = torch.ones(1, 1)
coin_frechet = lambda variance: distances.frechet_gaussian(
    zero[:1], one, zero[:1], one * variance
)
check(
    "Fréchet distance of normal and coin",
    coin_frechet(coin.var()),
    0.0,
    unlike={"variance divided by n - 1": coin_frechet(coin.var(ddof=1))},
)
sorted_pairs = np.mean((stats.norm.ppf(u) - np.sign(u - 0.5)) ** 2)
check(
    "true W2^2 of normal and coin",
    sorted_pairs,
    2 - 2 * math.sqrt(2 / math.pi),
    atol=1e-4,
    unlike={"pairs drawn independently": (w * x**2).sum() + coin.var()},
)

# %% [markdown]
# ## Step 6. The distance of finite samples is too large
#
# Even if generator and data agree, the *estimated* means and covariances do not, and a squared distance cannot average its errors away.
# The mean's error costs $\mathrm{Tr}\,\Sigma/n$. For the covariance expand the distance around equality, for unit covariance and $\hat\Sigma=1+E$: since
# $(1+E)^{1/2}\approx1+\tfrac12E-\tfrac18E^2$, what is left of $\mathrm{Tr}(1+\hat\Sigma-2\hat\Sigma^{1/2})$ is $\tfrac14\lVert E\rVert_F^2$. Each of the $d(d-1)$ entries of $E$
# beside the diagonal has variance $1/n$, each of the $d$ on it has $2/n$, so $\mathbb E\lVert E\rVert_F^2=d(d+1)/n$. Together
#
# $$\mathbb E\,\widehat d^2\approx\frac1n\Big(d+\frac{d(d+1)}4\Big)=\frac{d(d+5)}{4n}\qquad\text{for each finite side.}$$
#
# Quadratic in the number of features: $84/n$ for $d=16$, and more than $10^6/n$ for the 2,048 features of the Inception network if each had
# variance 1, which is why tens of thousands of samples are customary. And since the leading term is a straight line in $1/n$, we can
# measure at several $n$ and read the line off at $1/n=0$.

# %%
g = torch.Generator().manual_seed(2)
sizes, truth = (100, 150, 250, 500), (torch.zeros(16), torch.eye(16))
values = torch.tensor(
    [
        [
            distances.frechet_gaussian(
                *truth, *distances.mean_and_cov(torch.randn(n, 16, generator=g))
            )
            for _ in range(60)
        ]
        for n in sizes
    ]
)
more = torch.stack(
    [
        distances.frechet_gaussian(
            *truth, *distances.mean_and_cov(torch.randn(500, 16, generator=g))
        )
        for _ in range(400)
    ]
)
d = len(truth[1])
check_close_mc(
    "n times the measured bias, n = 500",
    500 * more,
    d * (d + 5) / 4,
    unlike={
        "variance 1/n on the diagonal, too": d + d**2 / 4,
        "the mean's error forgotten": d * (d + 1) / 4,
    },
)
at_infinity, slope = distances.extrapolate(sizes, values.mean(1))
check_range(
    "extrapolated to infinite n (truth: 0)",
    at_infinity,
    -0.03,
    0.03,
    unlike={"the largest n taken for infinite": values[3].mean()},
)

# %% jupyter={"source_hidden": true}
at_100, scatter = values[0].mean().item(), values[0].std().item()
print(
    f"equal distributions, n = 100: mean of 60 estimates ~{at_100:.2f}, "
    f"one scatters by ~{scatter:.2f}"
)
figure, ax = plt.subplots(figsize=(7.5, 3.2))
label = "estimated from n samples\n(bar: one std)"
look = {"fmt": "o", "label": label}
ax.errorbar(1 / np.array(sizes), values.mean(1), values.std(1), **look)
ax.plot([0, 0.0105], [0, 84 * 0.0105], label="predicted: d(d + 5) / 4n")
look = {"linestyle": "", "markersize": 8, "label": "line read off at 1/n = 0"}
ax.plot([0], [at_infinity], "s", **look)
ax.set(
    xlabel="1 / n",
    ylabel="Fréchet distance",
    title="Equal distributions: every estimate is positive",
)
figure.legend(loc="outside right center", fontsize=9)
show(
    figure,
    "Fréchet distance against 1/n for equal distributions: four estimates with error "
    "bars lie on a line through zero, from 0.17 at n = 500 to 0.86 at n = 100, "
    "and the line read off at 1/n = 0 is 0.",
)

# %% [markdown]
# Few samples make the distance noisy, but that is the smaller trouble. Look at the figure: at $n=100$ the estimates scatter, and the place where
# they scatter is many times that far from the truth, which is 0. The estimate is *biased upwards*, and averaging repetitions does not help. Two
# values are comparable only at the same $n$, on both sides, with the same feature network.

# %% [markdown]
# ## Step 7. KID: an unbiased alternative
#
# The **maximum mean discrepancy** (MMD) compares averages of a kernel within and across the two sets:
#
# $$\mathrm{MMD}^2=\mathbb E\,k(x,x')+\mathbb E\,k(y,y')-2\,\mathbb E\,k(x,y).$$
#
# It is linear in each expectation, so it can be estimated without bias at every $n$: just never pair a point with itself. With the cubic kernel
# $k(x,y)=(x^\top y/d+1)^3$ on features this is the **kernel inception distance** (KID). "Unbiased" is a statement about an average over all possible samples, so let us take
# all of them: two small distributions, every ordered sample of two from each.

# %%
# uniform on these points
p, q = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[1.0], [2.0]])
every_p = torch.cartesian_prod(torch.arange(3), torch.arange(3))
every_q = torch.cartesian_prod(torch.arange(2), torch.arange(2))
estimates = torch.stack([distances.kid(p[i], q[j]) for i in every_p for j in every_q])
moment_gaps = [((p**r).mean() - (q**r).mean()).item() for r in range(4)]
# the kernel, multiplied out
population = sum(math.comb(3, r) * moment_gaps[r] ** 2 for r in range(4))
cube = lambda s, t: (s @ t.T + 1) ** 3
self_paired = [
    cube(p[i], p[i]).mean() + cube(q[j], q[j]).mean() - 2 * cube(p[i], q[j]).mean()
    for i in every_p
    for j in every_q
]
check(
    "average over all 36 sample pairs = population",
    estimates.mean(),
    population,
    atol=1e-12,
    unlike={"points paired with themselves": torch.stack(self_paired).mean()},
)
print(
    f"smallest of the 36 estimates: {estimates.min():.3f}  "
    "(unbiased estimates may be negative)"
)


# %% [markdown]
# Route 2 multiplied the kernel out: in one dimension the KID is $\sum_r\binom3r\,(\mathbb E x^r-\mathbb E y^r)^2$, a comparison of the first
# **three moments**. Normal and coin share those (0, 1, 0) and first differ in the fourth (3 against 1): the KID is blind to the pair as well.
# A Gaussian kernel compares all moments at once. Its expectations are short integrals:
# $\mathrm{MMD}^2=\tfrac1{\sqrt3}+\tfrac12(1+e^{-2})-\sqrt2\,e^{-1/4}$ at bandwidth 1.

# %%
def discrepancy(k):
    return (
        w @ k(x[:, None], x) @ w
        + k(coin[:, None], coin).mean()
        - 2 * (w @ k(x[:, None], coin)).mean()
    )


check(
    "KID of normal and coin",
    discrepancy(lambda s, t: (s * t + 1) ** 3),
    0.0,
    unlike={"a kernel of degree four": discrepancy(lambda s, t: (s * t + 1) ** 4)},
)
closed = 1 / math.sqrt(3) + 0.5 * (1 + math.exp(-2)) - math.sqrt(2) * math.exp(-0.25)
check(
    "Gaussian-kernel MMD^2 of normal and coin",
    discrepancy(lambda s, t: np.exp(-((s - t) ** 2) / 2)),
    closed,
    atol=1e-8,
    unlike={
        "the 2 of the exponent forgotten": discrepancy(
            lambda s, t: np.exp(-((s - t) ** 2))
        )
    },
)

# %% [markdown]
# ## Step 8. Precision, recall, density, coverage
#
# One number cannot say *how* a model is bad: are the samples wrong, or are some kinds missing? Around each real point draw the ball that reaches
# its $k$-th nearest real neighbour; the union of the balls stands for "the real region", and likewise for the samples.
#
# - **precision**: fraction of samples inside the real region. **recall**: fraction of real points inside the samples' region.
# - A real outlier has a huge ball that makes precision generous. **density** counts *how many* real balls a sample is in (divided by $k$);
#   **coverage** is the fraction of real balls that hold a sample.
#
# For equal distributions the expected density is 1. The expected coverage follows from a draw without replacement: a ball stays empty exactly when the
# $k$ nearest of the other $n+m-1$ points are all real, so it is $1-\binom{n-1}k\big/\binom{n+m-1}k$. Check by counting, on a line you can draw,
# and the expected coverage by drawing both sets many times from one distribution:

# %%
real = torch.tensor([[0.0], [1.0], [2.0], [10.0]])
fake = torch.tensor([[0.5], [0.6], [5.0], [30.0]])
# real balls (k = 1): [-1, 1], [0, 2], [1, 3], [2, 18]
# sample balls: [0.4, 0.6], [0.5, 0.7], [0.6, 9.4], [5, 55]
check(
    "precision, recall: 3 of 4 and 3 of 4",
    coverage.precision_recall(real, fake, k=1),
    [3 / 4, 3 / 4],
    unlike={"the second neighbour": coverage.precision_recall(real, fake, k=2)},
)
check(
    "density, coverage: 5 hits, 3 of 4 balls",
    coverage.density_coverage(real, fake, k=1),
    [5 / 4, 3 / 4],
    unlike={"real and fake exchanged": coverage.density_coverage(fake, real, k=1)},
)
g, n_drawn = torch.Generator().manual_seed(8), 20
drawn = [torch.randn(2, n_drawn, 2, generator=g) for _ in range(3000)]
coverages = [coverage.density_coverage(*sets, k=3).coverage for sets in drawn]
check_close_mc(
    "coverage of a perfect model, n = m = 20, k = 3",
    coverages,
    1 - math.comb(19, 3) / math.comb(39, 3),
    unlike={"infinitely many samples": coverage.expected_coverage(10**6, 10**6, k=3)},
)
expected = coverage.expected_coverage(400, 400, k=5)
print(f"expected at n = m = 400, k = 5: {expected:.3f}")

# %% [markdown]
# ## Step 9. From a distance to evidence
#
# Is a distance of 0.2 large, or chance? A **permutation test** decides by shuffling. If both sets come from one distribution, all ways to split the pool are equally likely, so
# $p=\frac{1+\#\{\text{shuffles at least as large}\}}{1+B}$ is a valid p-value for *any* statistic. For three points a side there are
# $\binom63=20$ splits, and we can enumerate them; two of them (the real one and its mirror image) are as extreme as possible.
#
# The second way trains a classifier to tell the two sets apart and counts its hits on *unseen* examples (a **classifier two-sample test**): if the two distributions are equal, it is right half of the time.

# %%
left = torch.tensor([[0.0], [1.0], [2.0]])
right = torch.tensor([[10.0], [11.0], [12.0]])
pool = torch.cat([left, right])
splits = [list(s) for s in itertools.combinations(range(6), 3)]
rest = [[i for i in range(6) if i not in s] for s in splits]
both = zip(splits, rest, strict=True)
between = lambda s, r: distances.mmd2(pool[s], pool[r], distances.rbf_kernel)
every = torch.stack([between(s, r) for s, r in both])
extreme = (every >= every[0] - 1e-12).double()
check(
    "exact permutation p-value",
    extreme.mean(),
    2 / 20,
    unlike={"the observed split left out": extreme[1:].mean()},
)
shuffled = calibration.mmd_permutation_test(
    left,
    right,
    distances.rbf_kernel,
    n_permutations=5000,
    generator=torch.Generator().manual_seed(0),
)
check_range(
    "the same from 5,000 random shuffles",
    shuffled.p_value,
    0.08,
    0.12,
    unlike={"the observed split left out": extreme[1:].mean()},
)
tail = sum(math.comb(100, j) for j in range(60, 101)) / 2**100
check(
    "60 of 100 hits: p-value",
    stats.binom.sf(59, 100, 0.5),
    tail,
    atol=1e-12,
    unlike={"more than 60": stats.binom.sf(60, 100, 0.5)},
)

# %% [markdown]
# ## Step 10. Is it copying?
#
# Pool $n$ training and $m$ held-out images. If the samples are independent of both, each pooled image is equally likely to be a
# sample's nearest neighbour, and so it is a training image with probability $n/(n+m)$. A large excess means copying. (A small one is no crime: a generator
# that has *learned from* the training set is never quite independent of it.) A second comparison asks whether samples lie closer to the training set than *held-out images* do (Mann-Whitney; a very negative $z$ accuses).

# %%
g = torch.Generator().manual_seed(3)
shares, copied = [], []
for _ in range(150):  # an honest generator in five dimensions
    points = torch.randn(120, 5, generator=g)
    shares.append(
        coverage.memorization_probe(
            points[:30], points[30:90], points[90:]
        ).share_closer_to_train
    )
    copied.append(
        coverage.memorization_probe(
            points[30:60], points[30:90], points[90:]
        ).share_closer_to_train
    )
check_close_mc(
    "honest fraction of nearest training images",
    shares,
    60 / 90,
    unlike={"a generator that copies": copied},
)

# %% [markdown]
# ## Step 11. Asking people
#
# Show people real and generated images; 50 % correct means that they cannot tell. The answer is a count, so it needs an interval. The exact one
# collects all rates that would not make the count surprising. Say 120 of 200 answers were right:

# %%
low, rate, high = calibration.binomial_interval(120, 200)
print(f"rate {rate:.2f}, 95 % interval [{low:.4f}, {high:.4f}]")
upper_tail = sum(
    math.comb(200, j) * low**j * (1 - low) ** (200 - j) for j in range(120, 201)
)
lower_tail = sum(
    math.comb(200, j) * high**j * (1 - high) ** (200 - j) for j in range(121)
)
wald = 0.6 - 1.96 * math.sqrt(0.6 * 0.4 / 200), 0.6 + 1.96 * math.sqrt(0.6 * 0.4 / 200)
check(
    "P(120 or more), P(120 or fewer) at the limits",
    [upper_tail, lower_tail],
    0.025,
    unlike={
        "the normal interval": [
            stats.binom.sf(119, 200, wald[0]),
            stats.binom.cdf(120, 200, wald[1]),
        ]
    },
)

# %%
# reviewers of two kinds, 40 % and 80 % right, equally frequent; ten answers each:
# enumerate the counts
m, skills = 10, (0.4, 0.8)
count = np.arange(m + 1)
probs = np.mean([stats.binom.pmf(count, m, s) for s in skills], 0)
variance = (probs * count**2).sum() - (probs * count).sum() ** 2
answer_correlation = np.var(skills) / (0.6 * 0.4)  # between two answers of one reviewer
effect = calibration.design_effect(m, answer_correlation)
check(
    "variance grows by 1 + (m - 1) rho",
    variance / (m * 0.6 * 0.4),
    effect,
    unlike={"1 + m rho": 1 + m * answer_correlation},
)
worth = round(200 / effect)  # independent answers that say as much
narrow = calibration.binomial_interval(120, 200)
wide = calibration.binomial_interval(48, worth)
for name, interval in (("200 answers", narrow), (f"worth {worth} answers", wide)):
    ends = f"[{interval.low:.3f}, {interval.high:.3f}]"
    print(f"{name:<17} rate {interval.estimate:.2f} in {ends}")

g = torch.Generator().manual_seed(7)
skill = torch.tensor(skills)[torch.randint(2, (20, 1), generator=g)]  # twenty reviewers
answers = torch.rand(20, m, generator=g) < skill
by_person = calibration.reviewer_interval(answers)
by_answer = calibration.binomial_interval(int(answers.sum()), answers.numel())
widths = [i.high - i.low for i in (by_person, by_answer)]
independent = math.sqrt(calibration.design_effect(m, 0.0))
check_range(
    "interval by reviewers / by answers",
    widths[0] / widths[1],
    1.2,
    2.0,
    digits=2,
    unlike={"rho = 0": independent},
)


# %% [markdown]
# Human judgement is no unbiased reference. Reviewers differ: here two answers of one reviewer correlate by
# $\rho=1/6$, and ten answers are worth only four independent ones. With a factor 2.5 in the variance, 200 answers are worth 80, and the interval
# above reaches down to chance. Instructions, fatigue, payment and the choice of pictures bias the rate as well, and *no* interval contains that.
# `calibration.reviewer_interval` takes the reviewer as the unit and needs to know no $\rho$.

# %% [markdown]
# ## The equation becomes code
#
# Write the two workhorses yourself, in a few lines, and hold them against the package.

# %%
def my_frechet(x, y):
    """Squared distance of the fitted Gaussians, by singular values of factors."""
    cx, cy = x - x.mean(0), y - y.mean(0)
    scale = math.sqrt((len(x) - 1) * (len(y) - 1))
    cross = torch.linalg.svdvals(cx @ cy.T).sum() / scale  # = trace of the root
    return (
        ((x.mean(0) - y.mean(0)) ** 2).sum()
        + (cx**2).sum() / (len(x) - 1)
        + (cy**2).sum() / (len(y) - 1)
        - 2 * cross
    )


def my_precision(real, fake, k):
    radius = (real[:, None] - real).norm(dim=-1).sort(1).values[:, k]
    return ((fake[:, None] - real).norm(dim=-1) <= radius).any(1).double().mean()


s, t = torch.randn(60, 6, generator=g), 1.3 * torch.randn(50, 6, generator=g) + 0.2
over_n = [(x.mean(0), torch.cov(x.T, correction=0)) for x in (s, t)]
check(
    "my Fréchet distance = genlab's",
    my_frechet(s, t),
    distances.frechet_distance(s, t),
    atol=1e-9,
    unlike={"covariances over n": distances.frechet_gaussian(*over_n[0], *over_n[1])},
)
theirs = coverage.precision_recall(s, t, 3)
check(
    "my precision = genlab's",
    my_precision(s, t, 3),
    theirs.precision,
    unlike={"recall": theirs.recall},
)
course.show_source(distances.frechet_gaussian)

# %% [markdown]
# ## Training: a feature network of our own
#
# FID, KID, precision and recall compare *features*. The literature takes them from a large network trained on photographs; for 8 × 8 digits we
# train a small classifier and use the 32 numbers under its last layer. Watch one learn; the accuracy on the test images must end above 93 %.

# %%
from genlab.zoo import find
from genlab.zoo.classifiers import accuracy
from genlab.train import cosine, fit, minibatches

row = find("digit_classifier").but(seed=5)
mine = row.untrained()
untrained = accuracy(row.untrained(), "test")
mine.NOISE = 0.0  # the shipped network sees noisy images in training; yours does not
g = torch.Generator().manual_seed(5)
batches = minibatches(train, 100, cond=train_labels, generator=g)
learning = fit(mine, batches, n_steps=250, lr=cosine(4e-3, 250), generator=g)
records = widgets.watch(learning, total=250, label="cross-entropy (nats)")
mine.set_scale(train)
mine.eval().requires_grad_(False)
check_range(
    "test accuracy of your network",
    accuracy(mine, "test"),
    0.93,
    1.0,
    unlike={"untrained": untrained},
)
# the shipped one: 1,000 steps, noisy pixels, all 1,397 images
net = features.load_classifier()
check_range(
    "test accuracy of the shipped network",
    accuracy(net, "test"),
    0.97,
    1.0,
    unlike={"untrained": untrained},
)
sure, guess = net.probs(held_out).max(1)
right = guess == torch.cat([load_digits("val").labels, load_digits("test").labels])
check_range(
    "its calibration error on held-out images",
    calibration.expected_calibration_error(sure, right),
    0.0,
    0.03,
    unlike={"half as sure": calibration.expected_calibration_error(sure / 2, right)},
)

# %% [markdown]
# The classifier must be evaluated as well. The last line compares the network's stated confidence with its hit rate: when it says 90 %, it had better be
# right nine times in ten, since the Inception score takes its probabilities at their word.
#
# From here on the shipped network is *the* feature network: the league table of lesson 15 uses it too. Now the ten boxes of the prediction.
# Two of them come from models that you know: a Gaussian mixture of scikit-learn fitted to the pixels, and the per-pixel histogram.

# %%
from sklearn.mixture import GaussianMixture

g = torch.Generator().manual_seed(9)
n = 400
# one picture per class: the one that the classifier is surest of
surest = net.probs(train).amax(1)
best = [(surest * (train_labels == c)).argmax() for c in range(10)]
one_per_class = train[torch.stack(best)]
eps = torch.randn(n, 1, 8, 8, generator=g)
mixture = GaussianMixture(10, reg_covar=1.0, max_iter=30, tol=1e-2, random_state=0)
mixture.fit(train.flatten(1).double().numpy())
drawn = torch.tensor(mixture.sample(n)[0])
by_component = drawn.reshape(n, 1, 8, 8).round().clamp(0, 16)
# scikit-learn returns its samples one component after the other: shuffle them
shuffle = torch.randperm(n, generator=torch.Generator().manual_seed(9))
from_mixture = by_component[shuffle]
levels = lambda row: torch.multinomial(row.exp(), n, replacement=True, generator=g)
from_histogram = torch.stack([levels(row) for row in log_p], 1)

# %%
tuned = torch.randint(0, 17, (n, 1, 8, 8), generator=g).double().requires_grad_(True)
optimizer = torch.optim.Adam([tuned], lr=0.5)
# change the pixels of noise until the classifier is sure of a given class
for _ in range(30):
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(net(tuned), torch.arange(n) % 10).backward()
    optimizer.step()

boxes = {
    "fresh real images": fresh.double(),
    "copies of training images": train[:n].double(),
    "Gaussian mixture": from_mixture,
    "per-pixel histogram": from_histogram.reshape(n, 1, 8, 8).double(),
    "blurred": features.degrade(fresh.double(), eps, blur_std=0.8),
    "noise of 2 grey levels": features.degrade(fresh.double(), eps, noise_std=2.0),
    "digits 0 to 4 only": fresh[features.only_classes(labels[order[:400]], 5)].double(),
    "one image per class": one_per_class.repeat(40, 1, 1, 1).double(),
    "uniform noise": torch.randint(0, 17, (n, 1, 8, 8), generator=g).double(),
    "noise tuned to the classifier": tuned.detach().round().clamp(0, 16),
}

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(5, 2, figsize=(11.0, 5.0))
figure.get_layout_engine().set(w_pad=0.15)
for ax, (name, box) in zip(axes.flat, boxes.items(), strict=True):
    show_images(ax, box[:8], n_columns=8, title=name)
show(
    figure,
    "Eight images from each of the ten boxes: real digits, copies, the mixture's and "
    "the per-pixel histogram's grainy ones, blurred and slightly noisy digits, only "
    "zeros to fours, one clear image of each class, and two boxes of noise that look "
    "alike, plain and tuned to the classifier.",
)

# %%
first = (net.probs(x[:15]) for x in (from_mixture, by_component))
kinds, unshuffled = (len(probs.argmax(1).unique()) for probs in first)
check_range(
    "kinds of digits among 15 of the mixture",
    kinds,
    4,
    10,
    digits=0,
    unlike={"in scikit-learn's order": unshuffled},
)

# %%
reference = net.features(held_out)


def evaluate(box):
    f = net.features(box)
    quality = coverage.precision_recall(reference, f)
    spread = coverage.density_coverage(reference, f)
    probe = coverage.memorization_probe(
        box.flatten(1), train.flatten(1).double(), held_out.flatten(1).double()
    )
    return {
        "IS": inception.inception_score(net.probs(box)).item(),
        "Fréchet": distances.frechet_distance(reference, f).item(),
        "KID": distances.kid(reference, f).item(),
        **quality._asdict(), **spread._asdict(),
        "near train": probe.share_closer_to_train, "z copy": probe.z_copy,
    }  # fmt: skip


scores = {name: evaluate(box) for name, box in boxes.items()}
print(f"{'':30}" + "".join(f"{column[:9]:>11}" for column in scores["uniform noise"]))
for name, row in scores.items():
    mark = (
        "~" if name in ("Gaussian mixture", "noise tuned to the classifier") else ""
    )  # fitted: known as a range
    print(
        f"{name:30}"
        + "".join(f"{mark + format(value, '.3f'):>11}" for value in row.values())
    )
honest = len(train) / (len(train) + len(held_out))
print(f"\nhonest fraction of nearest training images: {honest:.3f}")

# %% [markdown]
# Read the table row by row. The first row is what a *perfect* generator scores at $n=400$: no metric reads 0 or 1, and that row,
# not the ideal value, is the yardstick. Two caveats. The network was trained on the first two rows' images and not on the reference, so part of
# their distance is its own generalisation gap. And "near train" scatters more than 400 coin flips would: blurred images have a few
# nearest neighbours in common, so a fraction that lies a few points above the honest one is no proof of copying. Look at both of the last two columns before you accuse.

# %% [markdown]
# ## What to look at
#
# Move one slider at a time and **predict before you move**: which metric notices noise first? Which notices blur and which the missing digits? Can you
# find a setting in which precision *rises* while the set gets worse? Which single slider moves nothing but the last bar?

# %% tags=["keep-output"]
widgets.metric_room()


# %% [markdown]
# The next figure shows four ways to spoil 400 real digits, and what four metrics say. The leftmost points are the unspoilt digits.

# %%
def curve(spoil, amounts):
    rows = []
    for amount in amounts:
        f = net.features(spoil(amount))
        quality = coverage.precision_recall(reference, f)
        cover = coverage.density_coverage(reference, f).coverage
        rows.append((distances.frechet_distance(reference, f).item(), *quality, cover))
    return np.array(rows)


ways = {
    "noise (grey levels)": (
        (0, 1, 2, 3, 4, 6),
        lambda v: features.degrade(fresh.double(), eps, noise_std=v),
    ),
    "blur (pixels)": (
        (0, 0.4, 0.5, 0.6, 0.8, 1.2),
        lambda v: features.degrade(fresh.double(), eps, blur_std=v),
    ),
    "classes kept": (
        (10, 8, 6, 4, 2, 1),
        lambda v: fresh[features.only_classes(labels[order[:400]], v)].double(),
    ),
    "distinct images": (
        (400, 200, 100, 50, 20, 10),
        lambda v: fresh[features.repeat_few(400, v)].double(),
    ),
}

# %% jupyter={"source_hidden": true}
curves = {name: curve(spoil, amounts) for name, (amounts, spoil) in ways.items()}
lines = (
    ("root of Fréchet / 5", "o"),
    ("precision", "s"),
    ("recall", "^"),
    ("coverage", "v"),
)
figure, axes = plt.subplots(1, 4, figsize=(11.0, 3.5), sharey=True)
for ax, (name, rows) in zip(axes, curves.items(), strict=True):
    columns = (np.sqrt(rows[:, 0]) / 5, *rows[:, 1:].T)
    for column, (label, marker) in zip(columns, lines, strict=False):
        look = {"marker": marker, "markersize": 4, "lw": 1.5, "label": label}
        ax.plot(range(6), column, **look)
    ax.set(xlabel=name, xticks=range(6), xticklabels=ways[name][0], ylim=(-0.02, 1.1))
axes[0].set_ylabel("fraction, or distance / 5")
figure.suptitle("Precision misses what is missing, recall misses noise", fontsize=11)
handles = axes[0].get_legend_handles_labels()
figure.legend(*handles, loc="outside lower center", ncols=4)
show(
    figure,
    "Four panels: more noise, more blur, fewer classes, fewer distinct images. With "
    "noise precision falls and recall stays; with fewer classes or images recall and "
    "coverage fall and precision stays; blur lowers all three. The Fréchet distance "
    "rises in every panel.",
)

# %% [markdown]
# The answers to the four questions, from these curves and from the room itself:

# %%
noise, blurring, kept = (
    curves[name] for name in ("noise (grey levels)", "blur (pixels)", "classes kept")
)
loss = noise[0] - noise[3]  # Fréchet, precision, recall, coverage
check_range(
    "noise of 3 levels: loss of precision",
    loss[1],
    0.05,
    0.25,
    unlike={"of coverage": loss[3]},
)
loss = blurring[0] - blurring[2]
check_range(
    "blur of 0.5 pixels: loss of recall",
    loss[2],
    0.15,
    0.5,
    unlike={"of precision": loss[1]},
)
loss = kept[0] - kept[4]
check_range(
    "two digits kept: gain of precision",
    -loss[1],
    0.03,
    0.15,
    unlike={"of recall": -loss[2]},
)
room = widgets.metric_room()
honest_text = room.text
room.set(copied=1.0)
print("unspoilt:", honest_text.split("; ")[-1])
print("copied:  ", room.text.split("; ")[-1])

# %% [markdown]
# Noise is noticed first by the two that ask about samples, density and precision; blur and missing digits by recall. Precision *rises* when a set loses digits: fewer kinds, and the ones that are left are
# the easier ones. Copying moves the last bar, and nothing else by more than chance.
#
# ## It fails: each metric fooled on purpose
#
# **The Inception score** prefers ten repeated pictures, and even noise, to real images. It never saw a real image and cannot look inside a class.
# *Repair*: recall and coverage, which need real data, expose both at once.

# %%
fresh_row, ten, noise = (
    scores[k]
    for k in (
        "fresh real images",
        "one image per class",
        "noise tuned to the classifier",
    )
)
copies = scores["copies of training images"]
gain = {name: row["IS"] - fresh_row["IS"] for name, row in scores.items()}
check_range(
    "IS of ten pictures less IS of real images",
    gain["one image per class"],
    0.1,
    1.0,
    unlike={"copies": gain["copies of training images"]},
)
check_range(
    "IS of tuned noise less IS of real images",
    gain["noise tuned to the classifier"],
    0.05,
    1.0,
    unlike={"untuned": gain["uniform noise"]},
)
check_range(
    "recall of ten pictures",
    ten["recall"],
    0.0,
    0.02,
    unlike={"of real images": fresh_row["recall"]},
)
further = {name: row["Fréchet"] / fresh_row["Fréchet"] for name, row in scores.items()}
check_range(
    "Fréchet of tuned noise / of real images",
    further["noise tuned to the classifier"],
    5,
    60,
    unlike={"copies": further["copies of training images"]},
)

# %% [markdown]
# **The Fréchet distance** is content with any features of the right mean and covariance. Draw 400 feature vectors from the Gaussian fitted to the
# *training* features. They are features of no image. The Fréchet distance hardly objects, and KID, which compares one moment more, does not see them
# through its own scatter either; precision does.

# %%
mean, cov = distances.mean_and_cov(net.features(train))
chance = distances.kid_blocks(
    reference,
    net.features(fresh),
    size=200,
    n_blocks=20,
    generator=torch.Generator().manual_seed(5),
).std()
g = torch.Generator().manual_seed(4)
invented = mean + torch.randn(400, 32, generator=g) @ distances.sqrt_psd(cov)
check_range(
    "Fréchet distance of invented features",
    distances.frechet_distance(reference, invented),
    0.1,
    0.5,
    unlike={"tuned noise": noise["Fréchet"]},
)
tuned_kid = (
    distances.kid(reference, net.features(boxes["noise tuned to the classifier"]))
    / chance
)
check_range(
    "their KID, in units of its own scatter",
    distances.kid(reference, invented) / chance,
    -3,
    3,
    digits=1,
    unlike={"tuned noise": tuned_kid},
)
check_range(
    "their precision (real images: about 0.9)",
    coverage.precision_recall(reference, invented).precision,
    0.05,
    0.3,
    unlike={"real images": fresh_row["precision"]},
)

# %% [markdown]
# **Every feature metric inherits the blind spots of its network.** A classifier keeps what tells digits apart and throws the rest away, pixel noise
# included. Noise of two grey levels is plain to the eye, and hardly a feature metric moves. That is not because the shipped network met noise in
# training: yours did not, and is as blind. *Repair*: train a classifier on the pixels, and get a p-value. But choose the classifier well: the
# nearest neighbours on the same pixels see next to nothing.

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

noisy = scores["noise of 2 grey levels"]
check_range(
    "Fréchet, noisy / unspoilt",
    further["noise of 2 grey levels"],
    0.8,
    2.5,
    unlike={"uniform noise": further["uniform noise"]},
)
sides = (
    held_out.flatten(1).double() / 16,
    boxes["noise of 2 grey levels"].flatten(1) / 16,
)

# %%
hits = []
for classifier in (LogisticRegression(max_iter=300), KNeighborsClassifier(5)):
    g = torch.Generator().manual_seed(0)
    hit_rate, p_value = calibration.classifier_two_sample_test(
        *sides, classifier, generator=g
    )
    hits.append(hit_rate)
    print(f"{type(classifier).__name__}: hits ~{hit_rate:.3f}, p-value ~{p_value:.1e}")
check_range(
    "hits of logistic regression, pixels",
    hits[0],
    0.8,
    1.0,
    unlike={"neighbours": hits[1]},
)

# %%
width = distances.median_bandwidth(*sides)  # of the pool: it must not know who is who
p_values = []
for other in (sides[1], fresh.flatten(1).double() / 16):
    g = torch.Generator().manual_seed(0)
    test = calibration.mmd_permutation_test(
        sides[0], other, lambda s, t: distances.rbf_kernel(s, t, width), generator=g
    )
    p_values.append(test.p_value)
check_range(
    "permutation p-value, fresh real images",
    p_values[1],
    0.05,
    1.0,
    unlike={"noisy": p_values[0]},
)


# %% [markdown]
# **Two networks, two numbers.** Your own network is nearly as good a classifier as the shipped one. The same images, and the same formula:

# %%
def by_yours(box):
    return distances.frechet_distance(
        mine.features(held_out), mine.features(box)
    ).item()


same_box = by_yours(boxes["blurred"]) / scores["blurred"]["Fréchet"]
check_range("blurred digits: your network / shipped", same_box, 0.4, 0.95)
clean = by_yours(boxes["fresh real images"])
blind, seeing = (
    by_yours(boxes[k]) / clean for k in ("noise of 2 grey levels", "uniform noise")
)
check_range(
    "noisy / unspoilt, your network", blind, 1.0, 2.5, unlike={"uniform noise": seeing}
)

# %% [markdown]
# **Precision** is as high for one picture per class as for real images (every sample *is* real), and **recall** survives a model that mixes good
# samples with rubbish. Neither is to be quoted alone; quote the pair. **Everything** is fooled by copies: their row is as good as the first
# in every column but the last two. *Repair*: those two, and a training set that you can look up. **Density** is as high for ten pictures as for
# real images, and **coverage** does not mind the rubbish among them: each of the four counts needs its partner.

# %%
half_rubbish = net.features(
    torch.cat([boxes["fresh real images"], boxes["uniform noise"]])
)
rubbish = coverage.precision_recall(reference, half_rubbish)
spread = coverage.density_coverage(reference, half_rubbish)
half = scores["digits 0 to 4 only"]
check_range(
    "recall of real images plus as much noise",
    rubbish.recall,
    0.85,
    1.0,
    unlike={"their precision": rubbish.precision},
)
print(
    f"coverage: real plus noise ~{spread.coverage:.2f}, "
    f"ten pictures ~{ten['coverage']:.2f}"
)
check_range(
    "density of ten pictures (real images: 1.01)",
    ten["density"],
    0.9,
    1.3,
    unlike={"real plus noise": spread.density},
)

# %%
check_range(
    "recall of digits 0 to 4 (precision stays)",
    half["recall"],
    0.3,
    0.7,
    unlike={"precision": half["precision"]},
)
check_range(
    "Fréchet of copies / of real images",
    further["copies of training images"],
    0.6,
    1.6,
    unlike={"tuned noise": further["noise tuned to the classifier"]},
)

# %%
check(
    "copies whose nearest image is a training image",
    copies["near train"],
    1.0,
    unlike={"real images": fresh_row["near train"]},
)
check_range(
    "z of the copies",
    copies["z copy"],
    -40,
    -15,
    unlike={"of fresh real images": fresh_row["z copy"]},
)


# %% [markdown]
# **The probe for copies** looks at pixels, so it is fooled by a thief who moves what he stole. Shift every copy by one pixel: no pixel fits any more, and both
# columns call it innocent. Noise of three levels hides a copy from the score, not from the fraction. *Repair*: look for the nearest image in a space where the disguise does not
# count, here by shifting back and forth and keeping the smallest distance.

# %%
def shifted(box, dx, dy):
    return torch.roll(torch.nn.functional.pad(box, (1, 1, 1, 1)), (dy, dx), (2, 3))[
        :, :, 1:-1, 1:-1
    ]


def probe_of(*sets):
    return coverage.memorization_probe(*(x.flatten(1).double() for x in sets))


moves = [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
stolen = train[:n].double()
hidden = {
    "shifted": shifted(stolen, 1, 0),
    "noisy": features.degrade(stolen, eps, noise_std=3.0),
}
probes = {name: probe_of(box, train, held_out) for name, box in hidden.items()}
near = {name: probe.share_closer_to_train for name, probe in probes.items()}
z = {name: probe.z_copy for name, probe in probes.items()}
print("z of shifted and of noisy copies:", " ".join(f"~{v:.1f}" for v in z.values()))
check_range(
    "shifted copies: fraction nearest to training",
    near["shifted"],
    0.6,
    0.82,
    unlike={"noisy": near["noisy"]},
)


# %%
def undone(box, to):
    """Distance of each image to the nearest one, over nine shifts of the image."""
    flat = to.flatten(1).double()
    return torch.stack(
        [coverage.nearest_distance(shifted(box, *m).flatten(1), flat) for m in moves]
    ).amin(0)


caught = (
    (undone(hidden["shifted"], train) < undone(hidden["shifted"], held_out))
    .double()
    .mean()
)
check_range(
    "shifted copies, nearest over nine shifts",
    caught,
    0.95,
    1.0,
    unlike={"without shifting back": near["shifted"]},
)

# %% [markdown]
# **Small samples.** On the digits themselves, with two halves of the training part: how far apart are two sets of *real* images?

# %%
g = torch.Generator().manual_seed(6)
halves = net.features(images[order[:698]]), net.features(images[order[698:1396]])
sizes = (100, 200, 349, 698)
by_size = distances.frechet_by_size(*halves, sizes, n_repeats=10, generator=g).mean(1)
print("n:", sizes, "  distance:", " ".join(f"~{v:.3f}" for v in by_size))
at_infinity = distances.extrapolate(sizes, by_size)[0]
check_range(
    "extrapolated to infinite n",
    at_infinity,
    -0.08,
    0.08,
    unlike={"n = 698": by_size[3]},
)


# %% [markdown]
# ## The fingerprint: which paradigm is asked what
#
# | paradigm | ask first | ask next | mind |
# |---|---|---|---|
# | autoregressive | perplexity, bits per dimension (exact) | Fréchet distance (images), overlap scores (text: BLEU, ROUGE) | one evaluation per token to sample |
# | flow | bits per dimension (exact) | Fréchet distance | step 2: the two may disagree |
# | VAE | ELBO (a bound: write ≤) | Fréchet distance, reconstruction error | a bound ranks nothing beside exact values |
# | GAN, WGAN-GP | Fréchet, precision and recall, human study | for a WGAN: the critic's gap as a sign of training health | no likelihood at all |
# | diffusion | Fréchet distance *at each step count* | bound, or exact NLL by the ODE at extra cost; text agreement (CLIP score) | state the evaluations with every number |
#
# Crossing paradigms, only sample-based metrics are left; inside one, likelihood is the sharper tool. Named once, for other data: FAD is the Fréchet
# distance on audio features, BERTScore compares texts by embeddings.

# %% [markdown]
# ## Exercises
#
# **1 (compute).** Return the Inception score of class probabilities `probs`, a tensor `(n, k)`.

# %%
def my_inception_score(probs):
    return ...  # your code here


course.exercise("09.inception-score", my_inception_score)
# course.hint("09.inception-score")

# %% [markdown]
# **2 (compute).** The Fréchet distance of two Gaussians with diagonal covariances: means `m1`, `m2` and *variances* `v1`, `v2`.

# %%
def my_diagonal_frechet(m1, v1, m2, v2):
    return ...  # your code here


course.exercise("09.frechet-diagonal", my_diagonal_frechet)


# %% [markdown]
# **3 (derive).** You measured the Fréchet distance at several sample sizes. Return the value at infinite $n$. `sizes` is a list, `values` a tensor.

# %%
def at_infinite_n(sizes, values):
    return ...  # your code here


course.exercise("09.infinite-samples", at_infinite_n)


# %% [markdown]
# **4 (build).** Return precision and recall of `fake` against `real` as a tensor of two numbers; both are `(n, d)`, and `k` sets the balls.

# %%
def my_precision_recall(real, fake, k):
    return ...  # your code here


course.exercise("09.precision-recall", my_precision_recall)

# %% [markdown]
# **5 (decide).** Seven questions, and eight tools: `bits`, `inception`, `frechet`, `kid`, `precision`, `recall`, `two-sample`, `memorisation`. Each tool answers
# at most one of them.
#
# - a: Which of two language models over the same tokens expects held-out text better?
# - b: Has this generator stored its training images?
# - c: Are the individual samples believable, however few kinds there are?
# - d: Are there kinds of real images that the generator never makes?
# - e: Is there any difference between these two sets of samples? Give a p-value.
# - f: Rank a GAN and a diffusion model by one number; there are 50,000 samples of each.
# - g: The same, but there are only 300 samples of each.

# %%
decisions = ...  # {"a": "...", "b": "...", and so on to "g"}

course.exercise("09.which-metric", decisions)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(9)

# %% [markdown]
# ## Your prediction, again
#
# 1. The ten repeated pictures. Tuned *noise* comes second; both beat the real images.
# 2. The copies come out where fresh real images do. Only the probe, which knows the training set, tells them apart.
# 3. About 0.1 bits per dimension. A leaderboard in likelihood can be led by a model whose samples are noise, and the model with perfect copies
#    for samples is worse than uniform noise on it.
#
# ## Summary
#
# 1. Likelihood in bits per dimension is comparable only with its unit, its levels and its kind (exact or bound) stated.
# 2. Likelihood and sample quality decouple in both directions, by construction.
# 3. IS = exp of the information between sample and class. It uses no real data, and ten pictures reach the ceiling.
# 4. The Fréchet distance is $W_2^2$ between fitted Gaussians: means and covariances of features, nothing else.
# 5. From $n$ samples it is too large by about $c/n$, $c$ growing like $d^2/4$; extrapolate in $1/n$, or compare at equal $n$.
# 6. KID is unbiased, hence sometimes negative, and compares three moments.
# 7. Precision asks about samples, recall about real points; density and coverage do so without trusting outliers.
# 8. Every feature metric shares its network's blind spots. Evaluate on the pixels too, with a p-value.
# 9. Copies fool everything but a comparison with the training set.
# 10. A human rate needs an interval, and its unit is the reviewer.
#
# **Cheat sheet.** $\mathrm{IS}=e^{\mathbb E\,\mathrm{KL}(p(y|x)\|p(y))}$ · $d^2=\lVert\Delta\mu\rVert^2+\mathrm{Tr}(\Sigma_1+\Sigma_2-2(\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2})^{1/2})$ ·
# bias $\approx d(d+5)/4n$ a side · coverage of a perfect model $\to 1-2^{-k}$ · honest fraction $n/(n+m)$ · design effect $1+(m-1)\rho$.
#
# **What production systems add.** Features of large networks (Inception v3, CLIP, DINOv2) in place of ours, 10,000 to 50,000 samples, fixed image
# resizing (a resized image moves FID more than many a model does), preference studies with thousands of raters, and text-image agreement.
# The formulas are the ones above.
#
# ## Sources
#
# - Theis, van den Oord, Bethge 2015 (arXiv:1511.01844), section 3: both counter-examples of step 2.
# - Salimans et al. 2016 (arXiv:1606.03498), section 4; Barratt and Sharma 2018 (arXiv:1801.01973): the score and its limits.
# - Dowson and Landau 1982, eq. 4; Heusel et al. 2017 (arXiv:1706.08500), eq. 6: the Fréchet distance.
# - Chong and Forsyth 2020 (arXiv:1911.07023), section 3: the bias and its extrapolation. Binkowski et al. 2018 (arXiv:1801.01401), section 3: KID.
# - Gretton et al. 2012 (JMLR 13), eqs. 2-3; Lopez-Paz and Oquab 2017 (arXiv:1610.06545), section 3: two-sample tests.
# - Sajjadi et al. 2018 (arXiv:1806.00035); Kynkäänniemi et al. 2019 (arXiv:1904.06991), eqs. 1-3; Naeem et al. 2020 (arXiv:2002.09797), eqs. 3-5 and lemma 2.
# - Meehan, Chaudhuri, Dasgupta 2020 (arXiv:2004.05675): copying. Clopper and Pearson 1934; Kish 1965, eq. 5.4.1: intervals and reviewers.
# - CS236, lecture 15 (evaluation of generative models).
