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
# # Solutions of lesson 9
#
# One way to solve each exercise, and the thought behind it. Try first: the hints in the lesson go from a nudge to nearly the answer.

# %%
import torch

import genlab_course as course
from genlab_course import check
from genlab.metrics.distances import frechet_gaussian

course.begin(lesson=9)
torch.set_default_dtype(torch.float64)


# %% [markdown]
# ## 1. The Inception score
#
# Two distributions over classes meet: that of one sample, and the average over all samples. The divergence is taken *under the sample's own*
# probabilities, averaged over the samples in nats, and only then exponentiated.

# %%
def my_inception_score(probs):
    average = probs.mean(0)
    kl = (probs * (probs / average).log()).sum(1)
    return kl.mean().exp()


course.exercise("09.inception-score", my_inception_score)


# %% [markdown]
# ## 2. Fréchet distance with diagonal covariances
#
# Independent coordinates are transported independently, so their costs add up. In each, squared difference of means plus squared difference of
# *standard deviations*; the arguments are variances, hence the roots. The full formula agrees, as it must.

# %%
def my_diagonal_frechet(m1, v1, m2, v2):
    return ((m1 - m2) ** 2 + (v1.sqrt() - v2.sqrt()) ** 2).sum()


course.exercise("09.frechet-diagonal", my_diagonal_frechet)
m1, v1, m2, v2 = torch.rand(4, 6, generator=torch.Generator().manual_seed(0))
full = frechet_gaussian(m1, v1.diag(), m2, v2.diag())
check(
    "diagonal case of the full formula",
    my_diagonal_frechet(m1, v1, m2, v2),
    full,
    unlike={"difference of variances": ((m1 - m2) ** 2 + (v1 - v2) ** 2).sum()},
)


# %% [markdown]
# ## 3. Infinitely many samples
#
# The leading bias is $c/n$, so the distance is a straight line in $x = 1/n$. Fit it by least squares; at infinite $n$, $x = 0$ and the intercept is
# left. With two sizes $n$ and $2n$ this is the rule $2d_{2n} - d_n$: for 30 at 500 and 20 at 1,000 it gives 10.

# %%
def at_infinite_n(sizes, values):
    x = 1 / torch.tensor(sizes)
    slope = ((x - x.mean()) * (values - values.mean())).sum() / ((x - x.mean()) ** 2).sum()
    return values.mean() - slope * x.mean()


course.exercise("09.infinite-samples", at_infinite_n)
measured = torch.tensor([30.0, 20.0])
check(
    "two sizes: 2 d(2n) - d(n)",
    at_infinite_n([500, 1000], measured),
    2 * 20 - 30,
    unlike={"a line in n, read off at 0": 2 * measured[0] - measured[1]},
)


# %% [markdown]
# ## 4. Precision and recall
#
# One function serves both: draw the balls of one set, ask the other. The distance of a point to itself is in column 0 of the sorted distances, so
# column `k` is the k-th neighbour. Precision asks the samples about the real balls, recall asks the real points about the samples' balls.

# %%
def my_precision_recall(real, fake, k):
    def inside(query, centres):
        radius = torch.cdist(centres, centres).sort(1).values[:, k]
        return (torch.cdist(query, centres) <= radius).any(1).double().mean()

    return torch.stack([inside(fake, real), inside(real, fake)])


course.exercise("09.precision-recall", my_precision_recall)

# %% [markdown]
# ## 5. Which metric for which question?
#
# Two language models over one vocabulary have exact likelihoods: compare bits (a). Copying is visible only to a comparison that knows the training
# set (b). Realism alone is precision (c); what is missing is recall (d). Evidence is a p-value, so a test (e). Across paradigms with many samples, the
# Fréchet distance at equal n (f); with few samples its bias would decide, so the unbiased KID (g). The Inception score answers none of the seven.

# %%
decisions = {
    "a": "bits",
    "b": "memorisation",
    "c": "precision",
    "d": "recall",
    "e": "two-sample",
    "f": "frechet",
    "g": "kid",
}
course.exercise("09.which-metric", decisions)
