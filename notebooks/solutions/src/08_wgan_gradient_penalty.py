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
# # 08 · WGAN: worked solutions
#
# Try each exercise of the lesson first, and ask for its three hints.

# %%
import math

import torch
from torch import nn

import genlab_course as course
from genlab import adversarial
from genlab.metrics import distances
from genlab_course import check

course.begin(lesson=8)
torch.set_default_dtype(torch.float64)

# %% [markdown]
# **08.1, the old distance.** On 0 and 1 only $p$ has mass, so $p/m=2$ there; on 2 the two agree, $p/m=q/m=1$; on 3 and 4 only $q$ has mass. Each divergence is $2\cdot\frac13\log2$, and so is their mean.

# %%
js_of_thirds = 2 / 3 * math.log(2)

course.exercise("08.js-of-thirds", js_of_thirds)
p = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0]) / 3
check("JS by its definition", js_of_thirds, adversarial.jensen_shannon(p, p.flip(0)),
      unlike={"the ceiling": math.log(2)})  # fmt: skip


# %% [markdown]
# **08.2, an area.** The cumulative sum of $p-q$ up to `x[i]` is what crosses the gap between `x[i]` and `x[i + 1]`. The last sum is 0 and has no gap.

# %%
def w1(x, p, q):
    crossing = (p - q).cumsum(0)[:-1]
    return (crossing.abs() * x.diff()).sum()


course.exercise("08.w1-on-a-line", w1)
x = torch.tensor([0.0, 0.5, 2.0, 5.0, 6.0])
q = torch.tensor([0.4, 0.0, 0.0, 0.2, 0.4])
check("the cheapest plan", w1(x, p, q),
      distances.transport_plan((x[:, None] - x).abs(), p, q).cost,
      unlike={"the means": (x @ (p - q)).abs()})  # fmt: skip


# %% [markdown]
# **08.3, the best slope.** The integrand of (5) is $f'$ times a number that does not depend on $f$. Where the number is positive, the largest slope allowed earns the most, 1; where it is negative, $-1$. Where it is zero, any slope will do.

# %%
def best_slope(F_p, F_q):
    return torch.sign(F_q - F_p)


course.exercise("08.best-slope", best_slope)


# %% [markdown]
# **08.4, the gradient penalty.** Each pair has its own $u$, with as many axes as the examples have. Each value of the critic depends on its own point alone, so the gradient of the *sum* holds, row by row, the slope at each point. `create_graph=True` keeps the graph of that slope, so that the critic's weights feel the penalty.

# %%
def penalty(critic, real, fake, u):
    u = u.reshape(-1, *[1] * (real.ndim - 1))
    between = (u * real + (1 - u) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    return (slope.flatten(1).norm(dim=1) - 1) ** 2


course.exercise("08.gradient-penalty", penalty)
straight = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
length = straight[0].weight.norm()
real, fake = torch.randn(2, 6, 3)
check("a straight critic has one slope everywhere",
      penalty(straight, real, fake, torch.rand(6)), (length - 1) ** 2,
      unlike={"squared": (length**2 - 1) ** 2})  # fmt: skip


# %% [markdown]
# **08.5, a critic on the loose.** A sigmoid bounds the gap by 1, so it cannot grow with the distance. And the penalty has to look where the samples walk, between the pairs.

# %%
def critic_loss(critic, x, fake, u):
    gap = critic(x).mean() - critic(fake).mean()
    return -gap + 10 * penalty(critic, x, fake, u).mean()


course.exercise("08.critic-loss", critic_loss)


# %% [markdown]
# **08.6, a soft slope.** $aW-\lambda(a-1)^2$ is a parabola in $a$. Its slope $W-2\lambda(a-1)$ is zero at $a=1+W/2\lambda$.

# %%
def soft_slope(w, lam):
    return 1 + w / (2 * lam)


course.exercise("08.soft-slope", soft_slope)


# %% [markdown]
# **08.7, the field.** The generator's loss $-\psi\theta$ has the slope $-\psi$ in $\theta$, so $\dot\theta=\psi$. The critic's loss has the slope $\theta+2\lambda(|\psi|-1)\,\mathrm{sign}\,\psi$ in $\psi$.

# %%
def field(theta, psi, lam):
    side = 1.0 if psi > 0 else -1.0
    return psi, -theta - 2 * lam * (abs(psi) - 1) * side


course.exercise("08.field", field)
state = torch.tensor([-0.6, -1.7]).requires_grad_()
losses = (-state[0] * state[1], state[0] * state[1] + 0.5 * (state[1].abs() - 1) ** 2)
slopes = [torch.autograd.grad(loss, state, retain_graph=True)[0][k]
          for k, loss in enumerate(losses)]  # fmt: skip
check("minus the slopes of the losses, by autograd",
      torch.stack(field(*state.detach(), 0.5)), -torch.stack(slopes),
      unlike={"uphill": torch.stack(slopes)})  # fmt: skip
