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
# # 06 · The VAE in practice: solutions
#
# Try each exercise first, and ask for its three hints. Every solution is followed by one check that the reply does not make.

# %%
import itertools
import math

import torch
import torch.nn.functional as F

import genlab_course as course
from genlab import core
from genlab_course import check

course.begin(lesson=6)
torch.set_default_dtype(torch.float64)
generator = core.make_generator(6)


# %% [markdown]
# **06.1, back to the encoder.** The loss is $\frac12(x-z)^2+\frac12(\mu^2+\sigma^2-1-\log\sigma^2)$ with $z=\mu+\sigma\epsilon$ and $\sigma=e^{\frac12\log\sigma^2}$. The slope in $z$ is $-(x-z)$. Then
# $$\frac{\partial z}{\partial\mu}=1,\qquad\frac{\partial z}{\partial\log\sigma^2}=\tfrac12\sigma\epsilon,\qquad\frac{\partial\,\mathrm{KL}}{\partial\mu}=\mu,\qquad\frac{\partial\,\mathrm{KL}}{\partial\log\sigma^2}=\tfrac12(\sigma^2-1).$$

# %%
def slopes(x, mu, log_var, eps):
    sigma = math.exp(log_var / 2)
    z = mu + sigma * eps
    d_mu = -(x - z) + mu
    d_log_var = -(x - z) * sigma * eps / 2 + (sigma**2 - 1) / 2
    return d_mu, d_log_var


course.exercise("06.slopes", slopes)


def loss(x, mu, log_var, eps):
    z = mu + math.exp(log_var / 2) * eps
    return 0.5 * (x - z) ** 2 + 0.5 * (mu**2 + math.exp(log_var) - 1 - log_var)


h = 1e-5
by_differences = [
    (loss(0.3, 0.8 + h, -0.6, 1.4) - loss(0.3, 0.8 - h, -0.6, 1.4)) / (2 * h),
    (loss(0.3, 0.8, -0.6 + h, 1.4) - loss(0.3, 0.8, -0.6 - h, 1.4)) / (2 * h),
]
check(
    "slopes by differences",
    slopes(0.3, 0.8, -0.6, 1.4),
    by_differences,
    rtol=1e-6,
    unlike={"at another log_var": slopes(0.3, 0.8, -0.3, 1.4)},
)


# %% [markdown]
# **06.2, draw, describe, price.** Three lines for three words. The sums run over axis 1, over the pixels of a picture and over the numbers of its code.

# %%
def parts(x, mu, log_var, eps, decode):
    z = mu + torch.exp(log_var / 2) * eps
    nats = F.binary_cross_entropy_with_logits(decode(z), x, reduction="none").sum(1)
    price = 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum(1)
    return nats, price


course.exercise("06.parts", parts)
pictures = torch.tensor(list(itertools.product((0.0, 1.0), repeat=5)))  # all 32
weight = torch.randn(3, 5, generator=generator)
same = torch.randn(1, 3, generator=generator).expand(32, 3)
nats, _ = parts(pictures, same, 0 * same, 0 * same, lambda z: z @ weight)
check(
    "probabilities of all pictures given one code",
    (-nats).exp().sum(),
    1.0,
    unlike={"a mean over the pixels": (-nats / 5).exp().sum()},
)


# %% [markdown]
# **06.3, a colleague's loss.** Three faults: it divides by $s$ where (7) has $s^2$; the normaliser $\log s+\frac12\log2\pi$ is missing, so that the largest $s$ would always be best; and it averages over the pixels.

# %%
def grey_nats(x, mean, log_s):
    squares = (x - mean).square() / (2 * (2 * log_s).exp())
    return (squares + log_s + 0.5 * math.log(2 * math.pi)).sum(1)


course.exercise("06.grey-nats", grey_nats)
x, mean = torch.rand(2, 4, 6, generator=generator)
log_s = torch.tensor(-0.7)
pixels = torch.distributions.Normal(mean, log_s.exp()).log_prob(x)
check(
    "torch.distributions",
    grey_nats(x, mean, log_s),
    -pixels.sum(1),
    unlike={"a mean": -pixels.mean(1)},
)


# %% [markdown]
# **06.4, a quantiser.** The distances have the shape (b, t, k). In $z$ the whole bracket is detached. In the pull each part holds one side still.

# %%
def quantise(e, codebook):
    apart = (e[:, :, None] - codebook).square().sum(-1)
    index = apart.argmin(-1)
    chosen = codebook[index]
    z = e + (chosen - e).detach()
    pull = (e.detach() - chosen).square() + 0.25 * (e - chosen.detach()).square()
    return z, index, pull.sum((1, 2))


course.exercise("06.quantise", quantise)
e = torch.randn(5, 6, 2, generator=generator)
book = torch.zeros(1, 2, requires_grad=True)
(slope,) = torch.autograd.grad(quantise(e, book)[2].sum(), book)
(both,) = torch.autograd.grad(1.25 * (e - book[0]).square().sum(), book)
check(
    "one entry is pulled to the mean of all vectors",
    slope[0] / -60,
    e.flatten(0, 1).mean(0),
    unlike={"the commitment moves it, too": both[0] / -60},
)


# %% [markdown]
# **06.5, a rounding quantiser.** The shift makes $e=0$ give $b=0$: $\frac{L-1}2\tanh s=o$.

# %%
def rounding(e, n_levels):
    half = (n_levels - 1) / 2
    offset = 0.5 if n_levels % 2 == 0 else 0.0
    shift = math.atanh(offset / half)
    b = half * torch.tanh(e + shift) - offset
    rounded = b + (b.round() - b).detach()
    return rounded / (n_levels // 2)


course.exercise("06.rounding", rounding)
line = torch.linspace(-9, 9, 2001)
found = [len(rounding(line, n).mul(n).round().unique()) for n in (3, 4, 5, 8)]
without = [len((torch.tanh(line) * (n - 1) / 2).round().unique()) for n in (3, 4, 5, 8)]
check("levels that are reached", found, [3, 4, 5, 8], unlike={"no half": without})

# %% [markdown]
# **06.6, how short is the sentence?** $32{,}768=2^{15}$, so a token has 15 bits. The picture has $512\cdot512\cdot24=6{,}291{,}456$ bits, the sentence $4{,}096\cdot15=61{,}440$.

# %%
ratio = 512 * 512 * 24 / (64 * 64 * 15)
course.exercise("06.rate", ratio)
bytes_of = lambda bits: bits / 8
check(
    "in bytes: 768 kB against 7.5 kB",
    ratio,
    768 / 7.5,
    unlike={"nats": 512 * 512 * 24 / (64 * 64 * math.log(32768))},
)
print(f"{bytes_of(61_440):.0f} bytes")
