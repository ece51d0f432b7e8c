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
# # 09 · Evaluation: worked solutions
#
# Try each exercise of the lesson first, and ask for its three hints.

# %%
import torch
from torch.nn import functional as F

import genlab_course as course
from genlab.metrics import distances
from genlab_course import check

course.begin(lesson=9)
torch.set_default_dtype(torch.float64)

# %% [markdown]
# **09.1, three boxes.** (a) Each picture is certain and the average is uniform: KL is $\log10$, the score 10. That there are ten pictures only does not enter. (b) Picture and average are the same distribution: KL 0, score 1. (c) The average is uniform. One half has KL $\log10$, the other 0; the mean is $\frac12\log10$, the score $\sqrt{10}$.

# %%
course.exercise("09.three-boxes", (10, 1, 10**0.5))


# %% [markdown]
# **09.2, the cheapest pairing.** With the largest covariance, $\sigma_1\sigma_2$, the last three terms of (3) are a square.

# %%
def cheapest(mu1, sigma1, mu2, sigma2):
    return (mu1 - mu2) ** 2 + (sigma1 - sigma2) ** 2


course.exercise("09.cheapest", cheapest)


# %% [markdown]
# **09.3, the distance.** The eigenvalues of a product of two covariances are real and not negative, because they are those of the symmetric $\Sigma_1^{1/2}\Sigma_2\Sigma_1^{1/2}$; rounding can make them complex or slightly negative. The check compares with the package, which takes that symmetric form.

# %%
def frechet(x, y):
    cov_x, cov_y = torch.cov(x.T), torch.cov(y.T)  # (d, d)
    eigenvalues = torch.linalg.eigvals(cov_x @ cov_y).real.clamp(min=0)
    gap = (x.mean(0) - y.mean(0)).square().sum()
    return gap + cov_x.trace() + cov_y.trace() - 2 * eigenvalues.sqrt().sum()


course.exercise("09.frechet", frechet)
rng = torch.Generator().manual_seed(0)
x, y = torch.randn(2, 60, 5, generator=rng)
y = y @ torch.randn(5, 5, generator=rng)
gap, both = (x.mean(0) - y.mean(0)).square().sum(), torch.cov(x.T) @ torch.cov(y.T)
no_roots = gap + torch.cov(x.T).trace() + torch.cov(y.T).trace() - 2 * both.trace()
check("genlab's distance", frechet(x, y), distances.frechet_distance(x, y),
      unlike={"the roots forgotten": no_roots})  # fmt: skip


# %% [markdown]
# **09.4, the attack.** An ordinary training loop, in which the pixels are the parameters. The clamp belongs into the loop, so that each step starts from a box that can exist; rounding comes last, since in the loop it would swallow small steps.

# %%
def attack(images, loss, n_steps):
    x = images.clone().requires_grad_()
    adam = torch.optim.Adam([x], lr=1.0)
    for _ in range(n_steps):
        value = loss(x)
        adam.zero_grad()
        value.backward()
        adam.step()
        with torch.no_grad():
            x.clamp_(0, 16)
    return x.detach().round()


course.exercise("09.attack", attack)


# %% [markdown]
# **09.5, infinitely many.** In $x=1/n$ the expected value is a straight line, and infinite $n$ is $x=0$: the intercept of the least-squares line.

# %%
def limit(sizes, values):
    x = 1 / torch.tensor(sizes, dtype=values.dtype)
    slope = ((x - x.mean()) * (values - values.mean())).sum() / (x - x.mean()).square().sum()
    return values.mean() - slope * x.mean()


course.exercise("09.infinite-samples", limit)


# %% [markdown]
# **09.6, two fractions.** One function serves both: draw the balls of one set, ask the other. In the sorted distances column 0 is the point itself, so column `k` is the $k$-th neighbour.

# %%
def precision_recall(real, fake, k):
    def inside(query, centres):
        radius = torch.cdist(centres, centres).sort(1).values[:, k]
        return (torch.cdist(query, centres) <= radius).any(1).double().mean()

    return torch.stack([inside(fake, real), inside(real, fake)])


course.exercise("09.precision-recall", precision_recall)


# %% [markdown]
# **09.7, stolen and moved.** The smallest distance over nine shifts replaces the distance, on *both* sides. Given to the training side alone, nine chances would find something near for any box.

# %%
def shifted(box, dx, dy):
    padded = F.pad(box, (1, 1, 1, 1))
    return torch.roll(padded, (dy, dx), (2, 3))[:, :, 1:-1, 1:-1]


def probe(box, train, held_out):
    def nearest(others):
        found = [
            torch.cdist(shifted(box, dx, dy).flatten(1), others.flatten(1)).amin(1)
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
        ]
        return torch.stack(found).amin(0)  # (n,)

    return (nearest(train) < nearest(held_out)).double().mean()


course.exercise("09.shifts", probe)


# %% [markdown]
# **09.8, strengths.** Expected votes are all votes of the pair times $\sigma(s_i-s_j)$. The step divides by the number of votes, so that its size does not depend on how many there were.

# %%
def strengths(wins, n_steps):
    s = torch.zeros(len(wins))
    votes = wins + wins.T
    for _ in range(n_steps):
        slope = (wins - votes * torch.sigmoid(s[:, None] - s)).sum(1)
        s = s + 2 * slope / votes.sum(1)
    return s - s.mean()


course.exercise("09.votes", strengths)
