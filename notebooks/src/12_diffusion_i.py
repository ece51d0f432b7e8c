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
# # 12 · Diffusion I: forward and reverse
#

# %% jupyter={"source_hidden": true}
import copy
import math
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal, kl_divergence

import genlab_course as course
from genlab import score
from genlab.core import bits_per_dim
from genlab.data.digits import load_mnist, to_unit
from genlab.oracles import GaussianMixture
from genlab.score.diffusion import Bins, bin_log_prob
from genlab.train import EMA
from genlab.zoo import find
from genlab_course import check, check_close_mc, check_range, widgets
from genlab_course.figures import film, lesson_12, show

course.begin(lesson=12)

# %% tags=["keep-output"] jupyter={"source_hidden": true}
T = 100
betas = torch.linspace(0.001, 0.2, T)
alphas_bar = (1 - betas).cumprod(0)

# %% tags=["keep-output"] jupyter={"source_hidden": true}
shipped = find("mnist16_diffusion").load().eval()
for_digit = shipped.denoiser(torch.arange(10))


def shipped_noise(x, k):
    """The noise that the course's shipped model sees in x."""
    signal, noise = alphas_bar[k].sqrt(), (1 - alphas_bar[k]).sqrt()
    clean = for_digit(x / signal[:, None, None, None], noise / signal)
    return score.eps_from_x0(x, clean, signal, noise)


def sheet(x):
    """Ten pictures in two rows, ten grey levels in [0, 1], with white gutters."""
    x = ((x[:, 0].clamp(-1, 1) + 1) * 4.5).round().reshape(2, 5, 16, 16) / 9
    x = F.pad(x, (0, 1, 0, 1), value=1.0)
    return x.permute(0, 2, 1, 3).flatten(2).flatten(0, 1)


generator = torch.Generator().manual_seed(39)
start = torch.randn(10, 1, 16, 16, generator=generator)
walk = score.ddpm_sample(
    shipped_noise, start, betas=betas, variances=betas, generator=generator
)
kept = [*range(0, 60, 30), *range(60, 100, 4), 99]
film(
    [sheet(x) for k, x in enumerate(walk) if k in kept],
    alt="Ten squares of noise turn, step by step, into the digits 0 to 9.",
    seconds=5.5, width=640,
)  # fmt: skip

# %% [markdown]
# Every digit above began as pure static. In training, the network was asked one question thousands of times: *what is under this noise?* Why is answering it the same as learning to draw? You will derive the loss and the sampler, write both, and train a model of your own on this page, in half a minute. The larger one above trained for five minutes.
#
# **After this lesson you will be able to**
#
# - *write* the chain from data to noise, *jump* to any of its steps, and *reverse* one step;
# - *derive* the bound on $\log p(x_0)$ term by term, and the simple loss from it;
# - *build* a training step and a sampler, and *train* a network with them;
# - *explain* why the perfect network would copy, and *repair* a broken sampler.
#
# You need bits per dimension (lesson 02), the KL divergence (03) and the evidence lower bound (05).
# Two sittings of about 75 and 75 minutes, exercises included; the cells run in 48 seconds.
#
# ## Predict first
#
# Write down three guesses.
#
# 1. We add noise to a digit in 100 steps. By eye it is lost near step 25. An observer who knows every training image applies Bayes' rule. Around which step does the probability of the right *label* fall below one half: 35, 60 or 90?

# %%
course.exercise("12.predict-lost", ...)  # 35, 60 or 90

# %% [markdown]
# 2. A network predicts the noise in pictures of the data distribution as well as any function can. What is its loss: `"zero"` or `"more"`?

# %%
course.exercise("12.predict-loss", ...)  # "zero" or "more"

# %% [markdown]
# 3. The final noising step has $\beta_T=0.999$: it removes almost everything. In the first reverse step, a network's guess of the noise is slightly wrong. How many times as large is that error in the next state: 1, 5 or 30?

# %%
course.exercise("12.predict-error", ...)  # 1, 5 or 30

# %% tags=["keep-output"] jupyter={"source_hidden": true}
course.draw_map(lesson=12, slim=True)

# %% [markdown]
# ## 1. How do you destroy a picture slowly?
#
# Copy a photograph on a bad machine. It fades a little, and some dust settles on it. Copy the copy, a hundred times. Only dust is left, but no single copy did much harm, so each might be undone. In step $t$, keep a little less of the picture and add fresh standard normal noise $z_t$, both set by a small number $\beta_t$:
# $$x_t=\sqrt{1-\beta_t}\;x_{t-1}+\sqrt{\beta_t}\;z_t,\qquad\text{that is}\qquad q(x_t\mid x_{t-1})=\mathcal N\big(\sqrt{1-\beta_t}\,x_{t-1},\ \beta_tI\big).\tag{1}$$
# This is the **forward process**; the list of all $\beta_t$ is the **noise schedule**. With the square roots, a picture of variance 1 keeps it.
#
# **Step 1. Take two steps at once.** Insert (1) into itself. The picture is scaled by the product of the two roots. The two noises are independent normals, so their *variances* add, to exactly what the picture lost; the second line of (2) shows it.
#
# **Step 2. Take all steps at once.** The same argument, repeated, gives, with $\alpha_t$ for $1-\beta_t$,
# $$\begin{gathered}\boxed{\;x_t=\sqrt{\bar\alpha_t}\;x_0+\sqrt{1-\bar\alpha_t}\;\epsilon,\quad\epsilon\sim\mathcal N(0,I)\;}\qquad\bar\alpha_t=\alpha_1\alpha_2\cdots\alpha_t,\quad\bar\alpha_0=1;\\
# \text{two steps, variance of the noise:}\quad(1-\beta_2)\,\beta_1+\beta_2=1-(1-\beta_2)(1-\beta_1).\end{gathered}\tag{2}$$
# You can **jump** to any step. If the data have variance 1, the fraction $\bar\alpha_t$ of the variance is picture and the rest is noise. In lessons 01, 13 and 14, $\alpha_t$ is the root of this $\bar\alpha_t$.

# %%
betas = torch.linspace(0.001, 0.2, T)  # (T,); betas[k] is beta_t for t = k + 1
alphas_bar = (1 - betas).cumprod(0)  # (T,); in code the index k = t - 1 counts from 0

# %% [markdown]
# Here is the jump on five test digits of MNIST, averaged to 16 x 16 pixels. Beside them stands the guess of the shipped network, which was not told the digit. It expects unfaded pictures, so we divide.

# %%
images, names = load_mnist("test", 16)
images = to_unit(images, 255)  # (n, 1, 16, 16), in [-1, 1]
chosen = torch.stack([images[names == c][20] for c in (0, 8, 5, 7, 2)])
denoise = shipped.denoiser()  # (x, noise scale) -> a guess of the clean picture
eps = torch.randn(3, *chosen.shape, generator=torch.Generator().manual_seed(4))
a = alphas_bar[[9, 29, 59]].reshape(3, 1, 1, 1, 1)  # t = 10, 30, 60
x_t = a.sqrt() * chosen + (1 - a).sqrt() * eps  # (3, 5, 1, 16, 16)
scale = ((1 - a) / a).sqrt().expand(3, 5, 1, 1, 1).flatten()  # (15,)
with torch.no_grad():
    guess = denoise((x_t / a.sqrt()).flatten(0, 1), scale)  # (15, 1, 16, 16)

# %% jupyter={"source_hidden": true}
show(
    lesson_12.guesses(x_t, guess.unflatten(0, (3, 5)), (10, 30, 60)),
    "Five digits under noise and the network's guesses: sharp and right at step 10, "
    "sharp but partly wrong at step 30, blurs with nearly no detail at step 60.",
)

# %% [markdown]
# At $t=10$ the guess is the digit. At $t=30$ you hardly see anything, and the network still finds most. At $t=60$ it paints blurs with nearly no detail. That is no clumsiness: it is the **average** of all digits that may hide under this noise, and no guess has a smaller squared error. So a network trained by squared error on $x_0$ cannot draw from noise in one go (a GAN has another loss, and can). A sampler takes a small step towards the blur, adds a little noise and asks again.
#
# Try it in the plane, where the best guess is known exactly. *Ancestral sampling*, the loop of section 8, adds fresh noise in each step back; the *probability-flow ODE* of lesson 14 adds none. (Its schedule is not ours.) On the way back, colour says where a point *will land*. Predict: (a) for which of the two are the colours already separated in pure noise, just after the turn? (b) How many points of the spiral land in the colour that they came from?

# %% tags=["keep-output"]
widgets.forward_process()

# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) For the ODE: without fresh noise the start decides the end, so each colour has its own region of the noise. In ancestral sampling the fresh noise decides, and later: on the spiral the colours are still mixed with 70 steps to go, and sorted with 30 to go. (b) About one in three, as many as by chance among three colours. Both bring back the *distribution*, not the points.
# </details>
#
# **Your turn 12.1 · a jump by hand** *(compute, 3 minutes)*. Let $x_0=2$, let $\beta_t=0.1$ in every step, and suppose the noise of the jump is $\epsilon=0.3$. What is $x_5$, to three digits? Remember it.

# %%
x_5 = ...

course.exercise("12.shortcut", x_5)
course.solution("12.shortcut")

# %% [markdown]
# Is (2) true for all hundred steps? Yes, and the check, which carries the coefficient of every single noise, would see the slip that is easy in step 1: adding standard deviations where variances add.

# %% jupyter={"source_hidden": true}
exact_betas = betas.double()
exact_bars = (1 - exact_betas).cumprod(0)
unit = torch.eye(T + 1, dtype=torch.float64)
rows = [unit[0]]
for k in range(T):
    step = (1 - exact_betas[k]).sqrt() * rows[-1] + exact_betas[k].sqrt() * unit[k + 1]
    rows.append(step)
steps = torch.stack(rows)  # row t: x_t in terms of (x_0, z_1, ..., z_T)
signal, noises = steps[1:, 0], steps[1:, 1:]
check(
    "all steps = one jump: signal, noise variance",
    torch.stack([signal, (noises**2).sum(1)]),
    torch.stack([exact_bars.sqrt(), 1 - exact_bars]),
    unlike={"standard deviations added": torch.stack([signal, noises.sum(1) ** 2])},
)

# %% [markdown]
# ## 2. When is the digit lost?
#
# Which $\beta_t$ should you take? Whoever tries to see the picture cares only about the **signal-to-noise ratio (SNR)**, $\bar\alpha_t$ to $1-\bar\alpha_t$. A schedule decides at which step each ratio is reached, like the dimmer of a lamp.
#
# *Linear* (Ho et al. 2020): $\beta_t$ grows evenly, from 0.0001 to 0.02 over 1000 steps. With 100 steps, ours are ten times as large. *Cosine* (Nichol and Dhariwal 2021): $\bar\alpha_t$ follows a squared cosine, and $\beta_t$ is cut off at 0.999. The third schedule is a common mistake: the famous 0.0001 to 0.02 with only 100 steps.

# %% jupyter={"source_hidden": true}
schedules = {
    "linear": betas,
    "cosine": score.cosine_betas(T),
    "linear, too short": torch.linspace(1e-4, 0.02, T),
}
arrived = {name: f"{(1 - rates).prod():.1e}" for name, rates in schedules.items()}
print("alpha bar at the end:", arrived)


# %% [markdown]
# The short one never arrives: 36 % of the picture's variance is left, while sampling will start from pure noise. *Going further* measures the damage.
#
# Suppose an observer knows our 8,000 training digits $x^i$ and believes that $x_t$ was made from one of them. By (2) and Bayes' rule,
# $$P(i\mid x_t)\propto\exp\Big(-\frac{\lVert x_t-\sqrt{\bar\alpha_t}\,x^{i}\rVert^2}{2(1-\bar\alpha_t)}\Big).\tag{3}$$
# From now on, digits are cut to the 12 x 12 pixels in the middle, where the ink is.

# %% jupyter={"source_hidden": true}
def middle(split):
    """Digits of 12 x 12 pixels in [-1, 1], and their labels."""
    images, labels = load_mnist(split, 16)
    return to_unit(images, 255)[:, :, 2:14, 2:14].contiguous(), labels


digits, labels = middle("train")
test_digits, test_labels = middle("test")


# %%
def observer(x_t, k, label=None):
    """P(each training digit | x_t), by Bayes' rule (3)."""
    a = alphas_bar[k]
    gap = torch.cdist(x_t.flatten(1), a.sqrt() * digits.flatten(1))  # (n, 8000)
    log_p = -(gap**2) / (2 * (1 - a))
    if label is not None:  # only digits of the label that is asked for
        log_p = log_p.masked_fill(labels != label[:, None], -torch.inf)
    return log_p.softmax(1)  # (n, 8000)


# %% [markdown]
# We show it 200 noisy *test* digits. The probability of the right *label* is the sum of (3) over the pictures that carry it.

# %% jupyter={"source_hidden": true}
probe, right = test_digits[:200], test_labels[:200]
noise = torch.randn(probe.shape, generator=torch.Generator().manual_seed(2))


def certainty(k):
    """P(right label | x_t), a mean over 200 test digits."""
    a = alphas_bar[k]
    p = observer(a.sqrt() * probe + (1 - a).sqrt() * noise, k)
    return p[labels == right[:, None]].sum() / len(right)


asked_at = torch.arange(3, T, 4)
known = torch.stack([certainty(k) for k in asked_at]).numpy()
half = float(np.interp(-0.5, -known, score.log_snr(alphas_bar[asked_at]).numpy()))
lost = {name: int((score.log_snr((1 - rates).cumprod(0)) > half).sum()) + 1
        for name, rates in schedules.items()}  # fmt: skip
noisier = math.exp(-half) / digits.var(0).mean().item()
print(f"P(right label) is 1/2 at step ~{lost['linear']}; cosine: ~{lost['cosine']}")
print(f"variance of the noise / of the picture there: ~{noisier:.0f}")

# %% jupyter={"source_hidden": true}
course.predicted("12.predict-lost", f"step ~{lost['linear']}")
a, (one, other) = alphas_bar[36], digits[:2].flatten(1)
x_t = a.sqrt() * one + (1 - a).sqrt() * noise[0].flatten()
odds = lambda scale, spread: (
    ((x_t - scale * other) ** 2).sum() - ((x_t - scale * one) ** 2).sum()
) / (2 * spread)
p = observer(x_t.reshape(1, 1, 12, 12), 36)[0]
with course.more_checks():
    check_range("linear: the digit is lost at step", lost["linear"], 33, 41)
    check(
        "two training digits: log odds by hand",
        (p[0] / p[1]).log(), odds(a.sqrt(), 1 - a), rtol=2e-3,
        unlike={"variance of the noise forgotten": odds(a.sqrt(), 1),
                "digits not scaled": odds(1, 1 - a)},
    )  # fmt: skip


# %% [markdown]
# With our schedule the digits are lost near step 37, when the noise has about eleven times the variance of the picture. Many pixels vote together, so a picture survives noise that would drown a single pixel.
#
# ## 3. What is the exact step back?
#
# Can each step be undone? Begin with an easy case. You stand at $x_t$ in the fog, and somebody tells you $x_0$, where the walk began. Where were you one step ago?
#
# **Step 3. Given $x_0$, two neighbours are a pair of normals.** By (2) both means and variances are known. By (1), $x_t$ is a multiple of $x_{t-1}$ plus independent noise, which gives the covariance:
# $$\mathbb E\,x_{t-1}=\sqrt{\bar\alpha_{t-1}}\,x_0,\quad\mathbb E\,x_t=\sqrt{\bar\alpha_t}\,x_0,\quad\mathrm{var}_{t-1}=1-\bar\alpha_{t-1},\quad\mathrm{var}_t=1-\bar\alpha_t,\quad\mathrm{cov}=\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1}).\tag{4}$$
#
# **Step 4. Regression.** Take from $x_{t-1}$ the multiple of $x_t$ that makes the rest $r$ uncorrelated with $x_t$. The two are *jointly* normal, and then uncorrelated means independent. So seeing $x_t$ tells nothing about $r$, and only the multiple of $x_t$ moves:
# $$r=x_{t-1}-\tfrac{\mathrm{cov}}{\mathrm{var}_t}x_t\quad\Rightarrow\quad\mathbb E[x_{t-1}\mid x_t]=\mathbb E\,x_{t-1}+\tfrac{\mathrm{cov}}{\mathrm{var}_t}\,(x_t-\mathbb E\,x_t),\qquad\mathrm{var}[x_{t-1}\mid x_t]=\mathrm{var}_{t-1}-\tfrac{\mathrm{cov}^2}{\mathrm{var}_t}.\tag{5}$$
#
# **Your turn 12.2 · the step back** *(build, 10 minutes)*. This is the heart of the lesson. Insert (4) into (5) and write it as a function of about four lines, which returns the mean and the variance as tensors. You may simplify first, or let Python do it. The index is $k=t-1$, so `betas[k]` is $\beta_t$; at `k = 0`, remember $\bar\alpha_0=1$. Everything below steps back with **your** function.

# %%
def my_posterior(x0, x_t, k, betas):
    """Mean and variance of x_{t-1} given x_t and x_0, for t = k + 1."""
    ...


course.exercise("12.posterior", my_posterior)
course.solution("12.posterior")

# %%
posterior = course.yours("12.posterior")
tenths = torch.full((5,), 0.1)  # the five steps of exercise 12.1
mean, variance = posterior(torch.tensor(2.0), torch.tensor(1.729), 4, tenths)
print(f"x_4 given x_0 = 2 and x_5 = 1.729: mean {mean:.3f}, variance {variance:.3f}")

# %% [markdown]
# If you simplify, with the identity in the first line, you find the **forward process posterior**:
# $$\begin{gathered}\beta_t+\alpha_t(1-\bar\alpha_{t-1})=1-\bar\alpha_t:\\
# q(x_{t-1}\mid x_t,x_0)=\mathcal N(\tilde\mu_t,\tilde\beta_tI),\quad
# \tilde\mu_t=\frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}\,x_0+\frac{\sqrt{\alpha_t}\,(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}\,x_t,\quad
# \tilde\beta_t=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\,\beta_t ;\\
# \text{in the tiny case}\quad0.1978\cdot2+0.7967\cdot1.729=1.773 .\end{gathered}\tag{6}$$
# The mean is a compromise between where you are and where you came from. The variance, 0.084, is less than the 0.1 of a forward step, because $x_0$ is known.
#
# Does a later state help, too? No: conditioning the whole chain on $x_0$ and *all* later states with a linear solver gives the same.

# %% jupyter={"source_hidden": true}
generator = torch.Generator().manual_seed(12)
signal, cov = steps[:, 0], steps[:, 1:] @ steps[:, 1:].T
path = torch.randn(T + 1, dtype=torch.float64, generator=generator)  # any x_0, ..., x_T
ours, by_solver, slip = [], [], []
for t in (1, 2, 30, 100):
    seen = list(range(t, T + 1))  # x_t, ..., x_T: only x_t should matter
    gain = torch.linalg.solve(cov[seen][:, seen], cov[seen, t - 1])
    mean = signal[t - 1] * path[0] + gain @ (path[seen] - signal[seen] * path[0])
    by_solver.append(torch.stack([mean, cov[t - 1, t - 1] - gain @ cov[seen, t - 1]]))
    ours.append(torch.stack(posterior(path[0], path[t], t - 1, exact_betas)))
    slip.append(torch.stack([ours[-1][0], exact_betas[t - 1]]))
check(
    "posterior = conditioning on x_0 and all later states",
    torch.stack(ours), torch.stack(by_solver), atol=1e-8,
    unlike={"variance beta": torch.stack(slip)},
)  # fmt: skip

# %% [markdown]
# ## 4. Why must the steps be small?
#
# **Step 5. But $x_0$ is unknown.** A sampler needs the step back given $x_t$ alone, an average of the normals (6) over everything that $x_0$ might have been. Is that average normal? By Bayes' rule it is proportional to a product: the distribution of all noisy pictures at $t-1$, times the forward step (1), read as a function of $x_{t-1}$. The second factor is a normal of standard deviation about $\sqrt{\beta_t}$. If that is narrow, you look at the first factor through a keyhole: its logarithm is nearly a straight line there, and a normal times the exponential of a line is a normal.
#
# The figure takes two narrow peaks as data, at $-1$ and $1$, already noised until 0.8 of the signal's variance is left. We observe $x_t=0.1$ and take one step back exactly.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
peaks = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]),
                        torch.tensor([0.1, 0.1]))  # fmt: skip
grid = torch.linspace(-3, 3, 3001)
p_before = peaks.noised(math.sqrt(0.8), math.sqrt(0.2)).log_prob(grid[:, None])


def step_back(beta):
    """The exact density of one reverse step, the normal of equal moments, their KL."""
    noising = Normal((1 - beta) ** 0.5 * grid, beta**0.5)
    log_p = p_before + noising.log_prob(torch.tensor(0.1))
    p = (log_p - log_p.max()).exp()
    p = p / torch.trapezoid(p, grid)
    mean = torch.trapezoid(p * grid, grid)
    normal = Normal(mean, torch.trapezoid(p * (grid - mean) ** 2, grid).sqrt())
    gap = p * (p.clamp(min=1e-300).log() - normal.log_prob(grid))
    return p, normal.log_prob(grid).exp(), torch.trapezoid(gap, grid).item()


# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(1, 3, figsize=(9.0, 2.9), sharey=True)
misfit = {}
for ax, beta in zip(axes, (0.02, 0.3, 0.8), strict=True):
    p, normal, misfit[f"beta {beta}"] = step_back(beta)
    ax.plot(grid, p_before.exp(), "-", color="#999999", label="$q(x_{t-1})$")
    ax.plot(grid, p, "-", color="#0072B2", label=r"$q(x_{t-1}\mid x_t)$, exact")
    ax.plot(grid, normal, "--", color="#D55E00", label="normal, same moments")
    seen = "nearly normal" if beta < 0.1 else "two humps"
    ax.set(xlabel="$x_{t-1}$", xlim=(-2, 2), title=f"$\\beta_t$ = {beta}: {seen}")
axes[0].set_ylabel("density")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
show(figure, "The exact density of one reverse step and a normal of equal moments: "
     "equal for beta 0.02; for 0.3 and 0.8 the exact one has two humps.")  # fmt: skip
with course.more_checks():
    check_range(
        "KL from the normal, beta 0.02", misfit["beta 0.02"], 0.0008, 0.001,
        unlike={"beta 0.3": misfit["beta 0.3"], "beta 0.8": misfit["beta 0.8"]},
    )  # fmt: skip
torch.set_default_dtype(torch.float32)

# %% [markdown]
# **Normal steps must be small steps**, and this is why the sampler needs many of them. "Small" is measured against the detail of the first factor. Grey levels are 256 sharp spikes, so for the last reverse step no $\beta_1$ is small enough. Section 10 treats that step separately.
#
# ## 5. What should the network learn?
#
# We cannot compute the step back given $x_t$ alone, so we fit a normal to it, with a variance $\tau_t^2$ of our choice. The model is a chain that runs the other way, the **reverse process**:
# $$p_\theta(x_{0:T})=p(x_T)\prod_{t=1}^Tp_\theta(x_{t-1}\mid x_t),\qquad p(x_T)=\mathcal N(0,I),\qquad p_\theta(x_{t-1}\mid x_t)=\mathcal N(\mu_\theta(x_t,t),\tau_t^2I).\tag{7}$$

# %% jupyter={"source_hidden": true}
eps = torch.randn(5, 1, 16, 16, generator=torch.Generator().manual_seed(6))
bars = torch.tensor([1.0, alphas_bar[0], alphas_bar[11], alphas_bar[14], 0.0])
bars = bars[:, None, None, None]
states = bars.sqrt() * chosen[3:4] + (1 - bars).sqrt() * eps  # (5, 1, 16, 16)
show(
    lesson_12.chain(states),
    "The chain of a digit: q leads from the clean digit to noise, p theta back; under "
    "it the three terms of the bound.",
)


# %% [markdown]
# This is lesson 05's latent-variable model with all noisy states as latents. Their posterior is guessed by the fixed chain $q$, so there is no encoder to learn.
#
# **Step 6. The evidence lower bound (ELBO).** Multiply and divide by $q$, and use Jensen's inequality: the logarithm is concave, so the logarithm of a mean is at least the mean of the logarithm:
# $$\log p_\theta(x_0)=\log\mathbb E_q\frac{p_\theta(x_{0:T})}{q(x_{1:T}\mid x_0)}\ \ge\ \mathbb E_q\Big[\log p(x_T)+\sum_{t=1}^T\log\frac{p_\theta(x_{t-1}\mid x_t)}{q(x_t\mid x_{t-1})}\Big].\tag{8}$$
#
# **Step 7. Turn $q$ around.** Numerator and denominator point in opposite directions. Once $x_{t-1}$ is known, $x_0$ adds nothing. So for all but the first step, Bayes' rule gives
# $$\begin{gathered}q(x_t\mid x_{t-1})=q(x_t\mid x_{t-1},x_0)=q(x_{t-1}\mid x_t,x_0)\,\frac{q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)},\quad t\ge2;\\
# \prod_{t=1}^Tq(x_t\mid x_{t-1})=q(x_1\mid x_0)\prod_{t=2}^Tq(x_{t-1}\mid x_t,x_0)\,\frac{q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)}=q(x_T\mid x_0)\prod_{t=2}^Tq(x_{t-1}\mid x_t,x_0).\end{gathered}\tag{9}$$
# The fractions telescope: each denominator cancels the numerator before it, and the lowest cancels the first step, which was set aside.
#
# **Step 8. Collect.** Each ratio now compares two distributions of the *same* $x_{t-1}$, so its average is a Kullback-Leibler divergence:
# $$\boxed{-\log p_\theta(x_0)\le\underbrace{\mathrm{KL}\big(q(x_T|x_0)\,\|\,p(x_T)\big)}_{\text{prior: nothing to learn}}
# +\sum_{t=2}^T\underbrace{\mathbb E_q\,\mathrm{KL}\big(q(x_{t-1}|x_t,x_0)\,\|\,p_\theta(x_{t-1}|x_t)\big)}_{L_{t-1}}
# \;\underbrace{-\,\mathbb E_q\log p_\theta(x_0|x_1)}_{L_0}}\tag{10}$$
# The prior asks whether the chain really ends in noise. Each $L_{t-1}$ compares the model's step with *your* exact step, and $L_0$ is the last step, to the picture itself.
#
# **Step 9. Predict the noise.** Your exact step needs $x_0$, which we are looking for. If a network could tell us the noise in $x_t$, we could solve (2) for $x_0$ and put that into (6); the two terms in $x_t$ add up by the same identity. The model uses the same formula with a guess of the noise:
# $$\begin{gathered}x_0=\frac{x_t-\sqrt{1-\bar\alpha_t}\,\epsilon}{\sqrt{\bar\alpha_t}},\qquad
# \tilde\mu_t=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon\Big),\qquad
# \mu_\theta=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon_\theta(x_t,t)\Big);\\
# \text{in the tiny case}\quad\tilde\mu_5=\big(1.729-\tfrac{0.1}{0.640}\cdot0.3\big)\big/0.949=1.773.\end{gathered}\tag{11}$$
# From the noise 0.3 you get the same mean as from $x_0=2$. The division in the first formula will cause trouble in section 11.
#
# **Step 10. Subtract.** Take two normals with variances $\tilde\beta_t$ and $\tau_t^2$ in $D$ dimensions and average their log ratio under the first:
# $$\text{with}\quad\mathbb E\lVert x-\mu_\theta\rVert^2=\lVert\tilde\mu_t-\mu_\theta\rVert^2+D\tilde\beta_t:\qquad L_{t-1}=\mathbb E_q\,\frac{\lVert\tilde\mu_t-\mu_\theta\rVert^2}{2\tau_t^2}+c_t,\qquad c_t=\frac D2\Big(\frac{\tilde\beta_t}{\tau_t^2}-1-\log\frac{\tilde\beta_t}{\tau_t^2}\Big).\tag{12}$$
# Insert (11), and the first part is a weight times the squared error of the noise.
#
# **Your turn 12.3 · the weight** *(derive, 4 minutes)*. What is that weight, as a function of the arguments below?

# %%
def my_weight(beta, alpha_bar, variance):
    """What multiplies ||eps - eps_theta||^2, a sum over pixels, in nats."""
    ...


course.exercise("12.bound-weight", my_weight)
course.solution("12.bound-weight")

# %% jupyter={"source_hidden": true}
weight = course.yours("12.bound-weight")
true, guessed = ((1.729 - 0.1 / 0.40951**0.5 * eps) / 0.9**0.5 for eps in (0.3, 0.5))
print(f"mean from the noise 0.3: {true:.3f}, from a guess of 0.5: {guessed:.3f}")
print(f"squared gap / (2 tau^2): {(true - guessed) ** 2 / (2 * 0.1):.5f}")
print(f"your weight * 0.2^2:     {weight(0.1, 0.59049, 0.1) * 0.2**2:.5f}")

# %% [markdown]
# Both roads give the same price for a guess that is off by 0.2. Does the whole of (12) agree with a library's divergence? Yes, and with the KL the wrong way round it would not.

# %% jupyter={"source_hidden": true}
x0, eps = torch.randn(2, 3, dtype=torch.float64, generator=generator)
a, beta, k = exact_bars[40], exact_betas[40], 40
x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
eps_hat = 0.4 * x_t  # any network will do
mean, tilde = posterior(x0, x_t, k, exact_betas)
mean_of = lambda noise: (x_t - beta / (1 - a).sqrt() * noise) / (1 - beta).sqrt()
exact, model = Normal(mean, tilde.sqrt()), Normal(mean_of(eps_hat), beta.sqrt())
c_t = 1.5 * (tilde / beta - 1 - (tilde / beta).log())
by_hand = weight(beta, a, beta) * ((eps - eps_hat) ** 2).sum() + c_t
check(
    "L = weighted noise error + constant = torch's KL", by_hand,
    kl_divergence(exact, model).sum(),
    unlike={"KL the wrong way round": kl_divergence(model, exact).sum()},
)  # fmt: skip
jumps = Normal((1 - exact_betas).sqrt() * path[:-1], exact_betas.sqrt())
jumps = jumps.log_prob(path[1:])
last = exact_bars[-1]
end = Normal(last.sqrt() * path[0], (1 - last).sqrt()).log_prob(path[-1])
back = [posterior(path[0], path[k + 1], k, exact_betas) for k in range(1, T)]
back = sum(Normal(m, v.sqrt()).log_prob(path[k]) for k, (m, v) in enumerate(back, 1))
with course.more_checks():
    check("log q of a path, forwards = from its end", jumps.sum(), end + back,
          unlike={"q(x_T | x_0) forgotten": back})  # fmt: skip
    check("mean from the noise = mean from x_0", mean_of(eps), mean,
          unlike={"mean from the guess": mean_of(eps_hat)})  # fmt: skip

# %% [markdown]
# **Step 11. The simple loss.** Ho et al. (2020) dropped the weight and drew $t$ at random. Their **denoising diffusion probabilistic model (DDPM)** minimises
# $$L_{\text{simple}}=\mathbb E_{t,\,x_0,\,\epsilon}\ \big\lVert\epsilon-\epsilon_\theta\big(\sqrt{\bar\alpha_t}\,x_0+\sqrt{1-\bar\alpha_t}\,\epsilon,\ t\big)\big\rVert^2 .\tag{13}$$
# A network that is best at *every* $t$ minimises both. For a real network the weights matter. The sum (13) over $D$ pixels is $D$ times the mean that code and plots show. With the forward step's variance your weight is 0.38 at $t=2$, 0.05 at $t=30$ and 0.13 at $t=100$. The bound cares most about small $t$, where grey levels are settled. The simple loss cares more about where shapes are decided.
#
# **Pause.** You have turned "draw a digit" into "guess the noise". A good place to stop.

# %% [markdown]
# ## 6. What does the network look like?
#
# The network gets an image and a step, and returns an image. The **time embedding** writes the step as waves of many speeds, like the hands of a clock: the fast waves tell neighbouring steps apart, the slow ones say roughly where in the chain we are. A small network turns the waves into a vector $e$ that every block reads, and a learned vector for each label is added.
#
# A **residual block** computes a correction and adds it to its input, so gradients find a short way through many blocks. **Group normalisation** keeps activations at unit scale, and SiLU is a smooth ReLU. The vector $e$ shifts and scales each channel: the same filters behave differently at different noise levels.
#
# The **U-Net** looks at the picture in several sizes. At the bottom each number sees the whole digit. Going up, each size is **concatenated** with the features of that size from the way down, the *skip connections*, so no detail is lost.

# %% jupyter={"source_hidden": true}
show(
    lesson_12.unet(),
    "The U-Net: three blocks going down, a middle block, three going up, skip "
    "connections across; every block reads the vector of step and label.",
)


# %%
def time_embedding(k, width=64):
    speeds = 1000 ** (-torch.arange(width // 2) / (width // 2))  # from 1 to 1/1000
    angles = k[:, None] * speeds  # (n, 32)
    return torch.cat([angles.sin(), angles.cos()], dim=1)  # (n, 64)


class ResBlock(nn.Module):
    """Two convolutions, added to their input; e shifts and scales in between."""

    def __init__(self, c_in, c_out):
        super().__init__()
        self.norm_1, self.norm_2 = nn.GroupNorm(8, c_in), nn.GroupNorm(8, c_out)
        self.conv_1 = nn.Conv2d(c_in, c_out, 3, padding=1)
        self.conv_2 = nn.Conv2d(c_out, c_out, 3, padding=1)
        self.shift_scale = nn.Linear(64, 2 * c_out)
        self.shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()
        nn.init.zeros_(self.conv_2.weight)  # the block begins as its shortcut
        nn.init.zeros_(self.conv_2.bias)

    def forward(self, h, e):
        shift, scale = self.shift_scale(e)[:, :, None, None].chunk(2, dim=1)
        # each (n, c_out, 1, 1)
        a = self.norm_2(self.conv_1(F.silu(self.norm_1(h))))  # (n, c_out, h, w)
        a = self.conv_2(F.silu((1 + scale) * a + shift))
        return self.shortcut(h) + a


# %% [markdown]
# The U-Net is the drawing in code; open the cell to read it.

# %% jupyter={"source_hidden": true}
class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_step = nn.Sequential(nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 64))
        self.embed_label = nn.Embedding(10, 64)
        self.stem = nn.Conv2d(1, 16, 3, padding=1)
        pairs = (16, 16), (16, 32), (32, 64)
        self.down = nn.ModuleList([ResBlock(*pair) for pair in pairs])
        self.middle = ResBlock(64, 64)
        pairs = (64 + 64, 64), (64 + 32, 32), (32 + 16, 16)  # what comes up + the skip
        self.up = nn.ModuleList([ResBlock(*pair) for pair in pairs])
        self.norm, self.out = nn.GroupNorm(8, 16), nn.Conv2d(16, 1, 3, padding=1)
        for p in self.out.parameters():
            nn.init.zeros_(p)  # its first guess: no noise

    def forward(self, x, k, label):
        e = self.embed_step(time_embedding(k)) + self.embed_label(label)  # (n, 64)
        h, skips = self.stem(x), []  # (n, 16, 12, 12)
        for block in self.down:  # 12, 6 and 3 pixels wide
            h = block(F.avg_pool2d(h, 2) if skips else h, F.silu(e))
            skips.append(h)
        h = self.middle(h, F.silu(e))  # (n, 64, 3, 3)
        for block in self.up:  # 3, 6 and 12 pixels wide
            h = h if len(skips) == 3 else F.interpolate(h, scale_factor=2.0)
            h = block(torch.cat([h, skips.pop()], dim=1), F.silu(e))
        return self.out(F.silu(self.norm(h)))  # (n, 1, 12, 12)


# %% [markdown]
# ## 7. How does it learn?
#
# **Your turn 12.4 · one training step** *(build, 10 minutes)*. Write the simple loss of one batch. You are given clean digits `x0` of shape $(n,1,h,w)$, an index `k` for each of them, noise `eps`, and the table `alphas_bar`. The network is called as `network(x_t, k)`. Return the mean over digits and pixels, as a tensor. The training below runs with **your** function.

# %%
def my_loss(network, x0, k, eps, alphas_bar):
    """Mean square error of the predicted noise."""
    ...


course.exercise("12.training-step", my_loss)
course.solution("12.training-step")

# %% [markdown]
# `partial` gives the network the labels of the batch, so your function sees a network of $x_t$ and $k$. And each loss sees only 32 random digits, steps and noises, so the weights jitter like a compass needle in a moving car. We sample with their **exponential moving average (EMA)**, a copy that moves by 2 % towards the weights in each step, and faster at first.

# %%
loss = course.yours("12.training-step")
torch.manual_seed(12)
generator = torch.Generator().manual_seed(12)
network = UNet()
average = EMA(network, 0.98)  # it remembers about 1 / (1 - 0.98) = 50 steps
n_steps, losses, snapshots = 640, [], {}
optimizer = torch.optim.Adam(network.parameters())
rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=n_steps)

for step in range(1, n_steps + 1):
    rows = torch.randint(len(digits), (32,), generator=generator)
    k = torch.randint(T, (32,), generator=generator)
    eps = torch.randn(32, 1, 12, 12, generator=generator)
    value = loss(partial(network, label=labels[rows]), digits[rows], k, eps, alphas_bar)
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    rate.step()  # the rate rises, then falls to 0
    average.update(network)
    losses.append(value.item())
    if step in (50, 200, n_steps):
        snapshots[step] = copy.deepcopy(average.average)
average = average.average  # the network that draws from now on

# %% jupyter={"source_hidden": true}
ticks = torch.arange(0, T, 4)


@torch.no_grad()
def loss_at(x0, label, model=average, seed=3):
    """The loss of a network at every fourth step, on digits that share one noise."""
    eps = torch.randn(x0.shape, generator=torch.Generator().manual_seed(seed))
    told = partial(model, label=label)
    rows = [loss(told, x0, torch.full((len(x0),), k), eps, alphas_bar) for k in ticks]
    return torch.stack(rows)


at_k = loss_at(test_digits[:200], test_labels[:200])
final = sum(losses[-100:]) / 100
told = partial(average, label=labels[:64])
eps = torch.randn(64, 1, 12, 12, generator=generator)
early = digits[:64], torch.arange(64), eps
late = digits[:64], torch.arange(36, 100), eps
with torch.no_grad(), course.more_checks():
    check_range("loss, mean of the last 100 steps", final, 0.05, 0.08,
                unlike={"mean of the first 20": sum(losses[:20]) / 20})  # fmt: skip
    check("this loss = genlab's ddpm_loss",
          torch.stack([loss(told, *these, alphas_bar) for these in (early, late)]),
          torch.stack([score.ddpm_loss(told, *these, alphas_bar=alphas_bar).mean()
                       for these in (early, late)]), rtol=1e-5)  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.0))
smooth = np.convolve(losses, np.ones(25) / 25, mode="valid")
left.plot(np.arange(len(smooth)) + 25, smooth)
left.set(xlabel="training step", ylabel="loss, mean of 25 steps", yscale="log",
         title="The loss falls, then levels off near 0.06")  # fmt: skip
left.set_yticks([0.06, 0.1, 0.3, 1], ["0.06", "0.1", "0.3", "1"])
left.minorticks_off()
right.plot(ticks + 1, at_k, color="#0072B2")
right.plot(range(1, T + 1), alphas_bar, "--", color="#222222")
right.text(52, 0.35, r"best for $\mathcal{N}(0,I)$ data: $\bar\alpha_t$")
right.text(8, 0.012, "our network,\ntest digits", color="#0072B2")
right.set(xlabel="step t", ylabel="loss at step t", yscale="log",
          title="Late steps: our network could do better")  # fmt: skip
show(
    figure,
    "Left: the loss falls from 1 to about 0.06. Right: it is large at the first steps; "
    "from about step 70 on it stays above the curve alpha bar.",
)
raw = [loss_at(test_digits[:200], test_labels[:200], net).mean()
       for net in (network, average)]
print(f"mean of the last 100 losses: ~{final:.3f}; on test digits by the weights "
      f"~{raw[0]:.4f}, by their EMA ~{raw[1]:.4f}")

# %% [markdown]
# **Why does the loss stop?** At first the network answers "no noise", and its mean squared error is 1, the variance of the noise. Now it is about 0.065. (The 0.074 averages every fourth step, and the first costs most.) The curve is flat partly because the learning rate has fallen to zero. But there is a floor that no network can pass. In the world, many clean pictures lead to the same $x_t$, so $\epsilon$ cannot be known. The best prediction is its mean given $x_t$, and what is left is the variance around it:
# $$\min_{\epsilon_\theta}\ \mathbb E\,\lVert\epsilon-\epsilon_\theta(x_t,t)\rVert^2=\mathbb E\,\big\lVert\epsilon-\mathbb E[\epsilon\mid x_t]\big\rVert^2;\qquad\text{for }x_0\sim\mathcal N(0,1):\quad1-\frac{\mathrm{cov}(\epsilon,x_t)^2}{\mathrm{var}\,x_t}=1-\frac{(\sqrt{1-\bar\alpha_t})^2}{1}=\bar\alpha_t.\tag{14}$$
# The last value is (5) again, and the dashed curve. The pixels of digits vary less, 0.28 in the mean, so the noise on them is easier to tell, and their floor lies lower. From about $t=70$ on our network is above even the dashed curve, at 0.003; section 11 shows when that has a price.
#
# The check draws 100,000 such pairs at $t=21$, where "no noise" would score 1.

# %% jupyter={"source_hidden": true}
course.predicted("12.predict-loss", "more")
x0, eps = torch.randn(2, 100_000, 1, generator=generator)
a = alphas_bar[20].item()
x_t = a**0.5 * x0 + (1 - a) ** 0.5 * eps
check_close_mc(
    "floor of the loss for N(0, 1) data: alpha bar",
    (eps - (1 - a) ** 0.5 * x_t) ** 2, a,
    unlike={"saying 'no noise'": eps**2},
)  # fmt: skip


# %% [markdown]
# **A common misconception**: *a perfect network has loss zero*. A regression without noise can reach zero; here the variance of $\epsilon$ given $x_t$ is left, for pictures of the data distribution. On 8,000 training digits the floor is another one (section 9).
#
# ## 8. How does it draw?
#
# Start from pure noise $x_T$ and draw each step from the model (7): take the mean $\mu_\theta$ of (11) and add fresh noise of variance $\tau_t^2$. This is **ancestral sampling**: each state is drawn given its ancestor. For $\tau_t^2$ there are two classic choices, $\beta_t$ and the smaller $\tilde\beta_t$. The first is exact for standard normal data: in (5) both variances are 1 and the squared covariance is $\alpha_t$. The second is exact for a single point, where $x_0$ is known. We take $\beta_t$. The last step adds no noise: its result is the finished picture.
#
# **Your turn 12.5 · the sampler** *(build, 10 minutes)*. Write the loop, with $\bar\alpha_t$ computed from the argument `betas`. The index `k` runs from the last entry down to 0. `z[k]` is the fresh standard normal noise to use at `k`, so that results can be compared, and `network(x, k)` wants one `k` for each row. Return a tensor. All samples below are drawn by **your** function.

# %%
def my_walk(network, x, z, betas):
    """From pure noise x to data, with step variances beta."""
    ...


course.exercise("12.sampler", my_walk)
course.solution("12.sampler")

# %% [markdown]
# Now draw, for each of the ten labels. A sample is *recognised* if its label is the commonest among its five nearest training digits. This score cannot see copies: a stolen digit is recognised as well as a new one.

# %% jupyter={"source_hidden": true}
walk = course.yours("12.sampler")


@torch.no_grad()
def draw(network, shape, seed, walk=walk, betas=betas):
    """Samples, and the states that the network saw on the way."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    z = torch.randn(len(betas), *shape, generator=generator)
    states = []

    def watched(x, k):
        states.append(x)
        return network(x, k)

    return torch.as_tensor(walk(watched, x, z, betas)), states


# %% jupyter={"source_hidden": true}
def recognised(images, label):
    """Fraction whose five nearest real digits carry the label asked for most often."""
    near = torch.cdist(images.flatten(1), digits.flatten(1)).topk(5, largest=False)
    return (labels[near.indices].mode(1).values == label).float().mean().item()


asked = torch.arange(10).repeat(4)
made = {step: draw(partial(model, label=asked), (40, 1, 12, 12), seed=1)
        for step, model in snapshots.items()}  # fmt: skip
samples, _ = made[n_steps]
real = recognised(test_digits, test_labels)
print(f"recognised: ~{recognised(samples, asked):.2f}; of real digits ~{real:.2f}")
with course.more_checks():
    check_range(
        "recognised, of 40 samples", recognised(samples, asked), 0.65, 0.98,
        unlike={"after 50 steps of training": recognised(made[50][0], asked)},
    )  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, axes = plt.subplots(3, 1, figsize=(9.0, 6.6))
for ax, (step, (x, _)) in zip(axes, made.items(), strict=True):
    title = f"Asked for 0 to 9, after {step} training steps"
    course.show_images(ax, x[:20].clamp(-1, 1), n_columns=10, title=title)
show(figure, "Twenty samples each after 50, 200 and all steps of training: black and "
     "white speckle, then strokes, then digits.")  # fmt: skip


# %% [markdown]
# These are yours. Of 200 samples, three trainings had 76 to 82 % recognised, and other noise moves such a number by about 3; so these forty, of which twenty are shown, are lucky.
#
# **Your turn 12.6 · a broken sampler** *(repair, 4 minutes)*. Many implementations write the mean as in (6), because a guess of $x_0$ can be **clipped** to the range of pixels, $[-1,1]$. Here is such a sampler with two bugs. Both give wrong numbers, but with one of them the pictures below still look like digits. Return it without the bugs.

# %%
def broken_walk(network, x, z, betas):
    alphas_bar = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        a, beta, before = alphas_bar[k], betas[k], alphas_bar[k - 1]
        eps_hat = network(x, torch.full((len(x),), k)).clamp(-1, 1)
        x0_hat = (x - (1 - a).sqrt() * eps_hat) / a.sqrt()
        x = before.sqrt() * beta * x0_hat + (1 - beta).sqrt() * (1 - before) * x
        x = x / (1 - a)
        if k > 0:
            x = x + beta.sqrt() * z[k]
    return x


def clipped_walk(network, x, z, betas):
    """The same without its two bugs."""
    ...


course.exercise("12.repair", clipped_walk)
course.solution("12.repair")

# %% jupyter={"source_hidden": true}
clipped = course.yours("12.repair")
plain = partial(average, label=torch.tensor([0, 2, 3]))
limited = lambda x, k: plain(x, k).clamp(-1, 1)  # the second bug alone, in any sampler
repaired, seen = draw(plain, (3, 1, 12, 12), seed=1, walk=clipped)
drawn = {  # the first bug alone changes only the last step of the repaired walk
    "First bug alone": alphas_bar[-1].sqrt() * repaired
    + (1 - betas[0]).sqrt() * (1 - alphas_bar[-1]) / betas[0] * seen[-1],
    "Second bug alone": draw(limited, (3, 1, 12, 12), seed=1)[0],
    "Repaired": repaired,
}
figure, axes = plt.subplots(1, 3, figsize=(9.0, 1.3))
figure.get_layout_engine().set(wspace=0.06)
for ax, (name, x) in zip(axes, drawn.items(), strict=True):
    course.show_images(ax, x.clamp(-1, 1), n_columns=3, title=name)
show(figure, "Three samples each: with the first bug alone digits in pure black and "
     "white, with the second speckle, repaired: digits with grey.")  # fmt: skip
stds = [f"{name}: ~{float(f'{x.std():.2g}'):g}" for name, x in drawn.items()]
print("standard deviation of a pixel, " + ", ".join(stds))


# %% [markdown]
# **Look at the numbers of your samples, not only at the pictures.** The first bug makes every pixel about a thousand times too large, and a clipped figure shows a crisp digit all the same.
#
# ## 9. What would the perfect network draw?
#
# Which function makes the loss on *our 8,000 training digits* as small as it can be? By (14) it answers with the mean noise given $x_t$, where $x_0$ is one of these digits. You have met it: it is the observer of section 2, who averages the training digits with the probabilities (3):
# $$\epsilon^*(x_t,t)=\frac{x_t-\sqrt{\bar\alpha_t}\;\mathbb E[x_0\mid x_t]}{\sqrt{1-\bar\alpha_t}},\qquad\mathbb E[x_0\mid x_t]=\sum_iP(i\mid x_t)\,x^{i}.\tag{15}$$
# No training is needed. Which pictures will it draw? Stop and guess. Then let your own sampler walk with it.

# %%
def perfect(x_t, k, label):
    """The noise that is best for the training digits, and for nothing else (15)."""
    a = alphas_bar[int(k[0])]
    p = observer(x_t, int(k[0]), label)  # (n, 8000)
    mean_x0 = (p @ digits.flatten(1)).reshape(x_t.shape)  # (n, 1, 12, 12)
    return (x_t - a.sqrt() * mean_x0) / (1 - a).sqrt()


copies, _ = draw(partial(perfect, label=asked), (40, 1, 12, 12), seed=1)


# %% jupyter={"source_hidden": true}
def nearest(images):
    """Distance of each picture to its nearest training digit, and that digit."""
    gap, row = torch.cdist(images.flatten(1), digits.flatten(1)).min(1)
    return gap, digits[row]


print("distance to the nearest training digit, mean:")
for name, x in {"perfect": copies, "yours": samples, "test": test_digits}.items():
    print(f"{name:8} ~{nearest(x)[0].mean():.2f}")
figure, axes = plt.subplots(2, 2, figsize=(9.0, 2.7))
pairs = {"The perfect network's samples ...": copies, "Yours ...": samples}
for column, (title, x) in zip(axes.T, pairs.items(), strict=True):
    course.show_images(column[0], x[:6].clamp(-1, 1), n_columns=6, title=title)
    course.show_images(column[1], nearest(x[:6])[1], n_columns=6,
                       title="... and the training digits nearest to them")  # fmt: skip
show(
    figure,
    "Left: six samples of the perfect network, each equal to a training digit. "
    "Right: six samples of the trained network, which differ from the nearest ones.",
)

# %% [markdown]
# They are training digits, each one, to the last pixel. *This is what your loss asks for.* A student who learns the answers by heart has no error on the exercises. How would it fare in the exam? Give both networks noisy digits that neither has seen.

# %%
at_train = loss_at(digits[:200], labels[:200])  # your network, digits it trained on
by_heart = loss_at(test_digits[:200], test_labels[:200], perfect)
by_heart_train = loss_at(digits[:200], labels[:200], perfect)

# %% jupyter={"source_hidden": true}
lead = (by_heart / at_k).log()  # > 0: by heart is worse
crossing = 1 + float(np.interp(0, -lead[:16], ticks[:16]))
figure, ax = plt.subplots(figsize=(8.0, 3.4))
for y, style, colour, words, place in (
    (by_heart, "-", "#D55E00", "by heart, new digits", (7, 6)),
    (at_k, "-", "#0072B2", "your network, new digits", (45, 0.05)),
    (by_heart_train, "--", "#D55E00", "by heart, training digits", (32, 0.00003)),
):
    ax.plot(ticks + 1, y.clamp(min=1e-6), style, color=colour)
    ax.text(*place, words, color=colour)
ax.axvline(crossing, color="#777777", linewidth=1)
ax.text(crossing + 1, 3, "the curves cross", color="#555555")
ax.set(xlabel="step t", ylabel="loss at step t", yscale="log", ylim=(2e-6, 30),
       title="By heart, a new digit under light noise is a catastrophe")  # fmt: skip
show(
    figure,
    "Loss against the step. On new digits the perfect network is far worse under light "
    "noise, a little better from step 28 on; late, the trained one stays at 0.003.",
)

# %% jupyter={"source_hidden": true}
print(f"on new digits, by heart is worse up to step ~{crossing:.0f}")
better = (at_k / by_heart)[[12, 24]]
print(f"your loss / by heart, t = 49: ~{better[0]:.1f}; t = 97: ~{better[1]:.0f}")
print(f"loss at t = 9, new digits: by heart ~{by_heart[2]:.2f}, yours ~{at_k[2]:.2f}")
print(f"mean over t, training digits: by heart ~{by_heart_train.mean():.3f}")
print(f"yours: training digits ~{at_train.mean():.3f}, new ones ~{at_k.mean():.3f}")
with course.more_checks():
    check_range("the curves cross at step", crossing, 21, 33,
                unlike={"where the digit is lost": lost["linear"]})  # fmt: skip
    check_range(
        "yours: training / new digits", at_train.mean() / at_k.mean(), 0.85, 1.15,
        unlike={"by heart": by_heart_train.mean() / by_heart.mean()},
    )  # fmt: skip
    check_range(
        "largest distance of a copy", nearest(copies)[0].max(), 0, 0.1,
        unlike={"yours, smallest": nearest(samples)[0].min()},
    )  # fmt: skip

# %% jupyter={"source_hidden": true}
# The same question to the shipped model, which trained longer, on 16 x 16 pixels.
held, held_label = load_mnist("train", 16)
unseen, unseen_label = (part[:200] for part in load_mnist("test", 16))
held, unseen = (to_unit(x, 255).float().flatten(1) for x in (held, unseen))
noise_256 = torch.randn(200, 256, generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def shipped_over_by_heart(k):
    """The loss of the shipped model over the perfect network's, on new digits."""
    scale = ((1 - alphas_bar[k]) / alphas_bar[k]).sqrt()
    noisy = unseen + scale * noise_256  # x_t over sqrt(alpha bar)
    fit = -torch.cdist(noisy, held).square() / (2 * scale**2)
    fit[unseen_label[:, None] != held_label] = -torch.inf
    by_heart = torch.softmax(fit, 1) @ held
    square = noisy.view(200, 1, 16, 16)
    trained = shipped.denoiser(unseen_label)(square, scale.expand(200)).flatten(1)
    return (trained - unseen).square().mean() / (by_heart - unseen).square().mean()


times = (25, 29, 37, 49, 65)
ratios = [f"t = {t}: ~{shipped_over_by_heart(t - 1):.2f}" for t in times]
print("shipped / by heart, " + ", ".join(ratios))

# %% [markdown]
# When the noise is light, learning by heart is a catastrophe: it moves every new digit towards one that it knows. The curves cross near step 28. Under heavy noise the right answer is an average of many digits. That memorising is *better* there, 1.3 times at $t=49$, is your small network's fault: the shipped one, larger and longer trained, crosses near step 37 and then stays within a few per cent.
#
# Seven eighths of your network's loss on the training digits could be removed, by copying. Why did it not copy? Our conjecture, from one training: *no time*. Its loss is equal on training and on new digits, and 640 batches are two and a half passes over the data. Bonnaire et al. (2025) find that good samples come after a time that does not depend on the number of training images, and copies after one that grows in proportion to it. Two more findings from elsewhere:
#
# - Kamb and Ganguli (2025): the best network that compares patches only, alike at all places, paints mosaics of training patches, new as a whole.
# - Kadkhodaie et al. (2024): two networks, trained on halves of the data that share no image, draw nearly the same picture from the same noise if the halves are large. If they are small, each copies its own.
#
# None of this is a guarantee: your project must look for copies.
#
# ## 10. How likely is a digit?
#
# The bound (10) gives a number for every test digit. Our network is told the label, so the bound is on the probability *given the label*; to tell it costs at most 0.023 bits per dimension, $\log_2 10$ over 144. One thing is missing: pixels are 256 grey levels, and a *density* can be made arbitrarily high at 256 points. So cut the last step into bins around the levels. With $\Phi$ the standard normal distribution function, a pixel of level $x$ gets
# $$P_\theta(x\mid x_1)=\Phi\Big(\frac{x+\frac1{255}-\mu_\theta}{\sqrt{\beta_1}}\Big)-\Phi\Big(\frac{x-\frac1{255}-\mu_\theta}{\sqrt{\beta_1}}\Big),\tag{16}$$
# and the outermost bins reach to infinity. All other steps are (12): your weight times the squared error, plus $c_t$. We measure the error of each step on 100 test digits, and, for later, on 100 others.

# %% jupyter={"source_hidden": true}
bins, D = Bins(2 / 255, -1.0, 1.0), 144
eps = torch.randn(T, 200, 1, 12, 12, generator=torch.Generator().manual_seed(5))
told = partial(average, label=test_labels[:200])
errors = []
with torch.no_grad():
    for k in range(T):
        a = alphas_bar[k]
        x_t = a.sqrt() * test_digits[:200] + (1 - a).sqrt() * eps[k]
        missed = eps[k] - told(x_t, torch.full((200,), k))
        errors.append(missed.square().flatten(1).sum(1))
errors = torch.stack(errors)  # (T, 200), sums over pixels
tilde = torch.stack([posterior(0.0, 0.0, k, betas)[1] for k in range(T)])  # (T,)


# %%
def later_steps(variance, error):
    """Bits per dimension of L_1, ..., L_{T-1} by (12), a mean over the digits."""
    ratio = (tilde / variance)[1:]
    c = D / 2 * (ratio - 1 - ratio.log())
    terms = weight(betas, alphas_bar, variance)[1:] * error.mean(1)[1:] + c
    return bits_per_dim(terms, D)  # (T - 1,)


# %% jupyter={"source_hidden": true}
x, label = test_digits[:100], test_labels[:100]
with torch.no_grad():
    x_1 = alphas_bar[0].sqrt() * x + betas[0].sqrt() * eps[0, :100]
    guess = average(x_1, torch.zeros(100, dtype=torch.long), label)
    mean = (x_1 - betas[0].sqrt() * guess) / alphas_bar[0].sqrt()
    each = bits_per_dim(-bin_log_prob(x, mean, betas[0].sqrt(), bins), D)  # (100,)
    first = each.mean()
    few = score.ddpm_vlb_terms(
        partial(average, label=label[:10]), x[:10], eps[:, :10],
        betas=betas, variances=betas, bins=bins,
    )  # fmt: skip
later = later_steps(betas, errors[:, :100])
weights = weight(betas, alphas_bar, betas)[1:, None]
each = each + bits_per_dim((weights * errors[1:, :100]).sum(0), D)  # without all c_t
bits = torch.cat([first.reshape(1), later])
prior = bits_per_dim(few[-1].mean(), D)

# %% jupyter={"source_hidden": true}
level = lambda images: ((images + 1) * 127.5).round().long().flatten(1)
counts = torch.stack([row.bincount(minlength=256) for row in level(digits).T]) + 0.1
p = counts / counts.sum(1, keepdim=True)  # (pixel, grey level)
by_histogram = -p.log2().gather(1, level(x).T).mean(0)  # (100,)
baseline = by_histogram.mean().item()
black = (level(digits) == 0).float().mean()
spread = [f"{bits_of.std() / 10:.2f}" for bits_of in (each, by_histogram)]
print(f"all steps: ~{bits.sum():.2f}, standard error ~{spread[0]}, bits per dimension")
print(f"histograms: ~{baseline:.2f}, standard error {spread[1]}")
print(f"steps t = 1 to 10: ~{100 * bits[:10].sum() / bits.sum():.0f} % of the bits")
print(f"pixels that are exactly black: {100 * black:.0f} %")

# %% jupyter={"source_hidden": true}
low, high = (int(np.interp(-p, -known, asked_at.numpy())) + 1 for p in (0.9, 0.2))
show(
    lesson_12.chain_and_bits(states, bits, prior, (low, high)),
    "The chain with the price of each term: the last step costs half, the prior "
    "nothing. Under it the bits of steps 1 to t: a jump, then a curve, soon flat.",
)
shaded = slice(low - 1, high)
print(f"the shaded steps: ~{bits[shaded].sum():.2f} bits, "
      f"~{bits[shaded].sum() / bits.sum():.0%} of all; "
      f"~{errors[shaded].sum() / errors.sum():.0%} of the simple loss")

# %% jupyter={"source_hidden": true}
narrow = Bins(1 / 255, -1.0, 1.0)  # half as wide
halved = -bin_log_prob(x, mean, betas[0].sqrt(), narrow).mean()
ten = errors[:, :10]
with course.more_checks():
    check(
        "L_1, ..., L_{T-1} = genlab's", later_steps(betas, ten),
        bits_per_dim(few[1:-1].mean(1), D), rtol=2e-3,
        unlike={"errors of the step before": later_steps(betas, ten.roll(1, 0))},
    )  # fmt: skip
    check_range("bits, all steps", bits.sum(), 4.05, 4.35, unlike={
        "bins half as wide": later.sum() + bits_per_dim(halved, D),
        "histograms": baseline})  # fmt: skip
    check_range("bits, the last step", bits[0], 1.95, 2.2, unlike={
        "bins half as wide": bits_per_dim(halved, D)})  # fmt: skip
    check_range("fraction in steps 1 to 10", bits[:10].sum() / bits.sum(), 0.87, 0.93,
                unlike={"L_0 forgotten": later[:9].sum() / later.sum()})  # fmt: skip

# %% [markdown]
# The bound is 4.19 bits per dimension, with a standard error of 0.05 over the digits. A histogram for each pixel, which knows nothing of shapes or labels, needs only 3.49 (0.08), though its samples would not look like digits. **A low number of bits and good pictures are different aims.** Nine tenths of the bits go to the steps $t=1$ to 10, for grey levels that nobody would miss; $t=1$ alone costs half. Two thirds of the pixels are exactly black, and the last normal has a standard deviation of four grey levels. The shaded steps, in which the observer's probability of the label falls from 0.9 to 0.2, cost 0.2 bits, a twentieth. The simple loss gives them a third of its attention.
#
# **Could another variance save bits?** Set the derivative of (12) to zero, and the best variance of a step is $\tilde\beta_t$ plus the mean squared gap of the means in a pixel: the variance that would be left *if you knew* $x_0$, plus what the network does not know. We fit it on the other hundred digits, beside their geometric mean, which needs no fit. Step 1 keeps $\beta_1$ throughout, since $\tilde\beta_t$ is zero there.

# %%
gap = betas**2 / ((1 - betas) * (1 - alphas_bar)) * errors[:, 100:].mean(1) / D
variances = {
    "beta": betas, "beta tilde": tilde,
    "geometric mean of both": (betas * tilde).sqrt(), "best, fitted": tilde + gap,
}  # fmt: skip
total = {}
for name, v in variances.items():
    total[name] = first + later_steps(v, errors[:, :100]).sum()
    print(f"{name:24} ~{total[name]:.2f} bits per dimension")

# %% jupyter={"source_hidden": true}
saved = {name: (total["beta"] - value).item() for name, value in total.items()}
on_fit = lambda part: later_steps(tilde + part * gap, errors[:, 100:]).sum().item()
with course.more_checks():
    check_range("the best variance saves, bits per dimension",
                saved["best, fitted"], 0.3, 0.45,
                unlike={"beta tilde": saved["beta tilde"]})  # fmt: skip
    check_range("on the fitted digits, a tenth more or less costs bits",
                min(on_fit(0.9), on_fit(1.1)) - on_fit(1), 1e-5, 0.01,
                unlike={"around half": min(on_fit(0.4), on_fit(0.6)) - on_fit(0.5)},
    )  # fmt: skip

# %% [markdown]
# The two classic choices differ by a few hundredths of a bit, and other digits flip the sign. The best variance is at most $\beta_t$ exactly where the loss per pixel is at most $\bar\alpha_t$, the dashed curve of section 7; so up to about $t=70$ it lies between the two. Over six trainings it saves 0.37 bits, and even the geometric mean saves 0.35. So a fit adds only 0.02. Nichol and Dhariwal (2021) learn a variance for each pixel.
#
# ## 11. It fails
#
# Zoom thirtyfold into a photograph, and a speck of dust fills the screen. The cosine schedule ends in pure noise with $\beta_T=0.999$. By (11), an error of the noise in its first reverse step enters the next state multiplied by all that stands before $\epsilon$. Since $\beta_T$ and $1-\bar\alpha_T$ are nearly 1, that is $1/\sqrt{0.001}$. We nudge the noise in *your* walk to see it. Then we sample from your network with a cosine schedule of 50 steps, with three seeds of the noise. At each step we give the network our index of the same noise; the noisiest step gets $t=100$. As a control, we clip the guess of $x_0$ in the *first* step only and change nothing else.

# %% jupyter={"source_hidden": true}
cosine = score.cosine_betas(50)
level = lambda rates: score.log_snr((1 - rates).cumprod(0)).numpy()
matching = np.interp(level(cosine), level(betas)[::-1], np.arange(T)[::-1])
matching = torch.tensor(matching, dtype=torch.float32)  # (50,), indices of our schedule
a = (1 - cosine).prod()  # alpha bar at T


def plain(x, k):
    return average(x, matching[k], asked)


def first_error(rates):
    """How far a nudge of 1 in the first guess of the noise moves your next state."""
    nudged = lambda by: lambda x, k: by * (k == len(rates) - 1) * torch.ones_like(x)
    one, other = (draw(nudged(by), (1,), 0, betas=rates)[1][1] for by in (0.0, 1.0))
    return (one - other).abs().item()


# %%
def first_clipped(x, k):
    eps = plain(x, k)
    if k[0] == len(cosine) - 1:
        x0_hat = ((x - (1 - a).sqrt() * eps) / a.sqrt()).clamp(-1, 1)
        eps = (x - a.sqrt() * x0_hat) / (1 - a).sqrt()
    return eps


# %% jupyter={"source_hidden": true}
course.predicted("12.predict-error", first_error(cosine))
found = {}
for name, model in (("plain", plain), ("first step clipped", first_clipped)):
    runs = [draw(model, (40, 1, 12, 12), seed, betas=cosine) for seed in range(3)]
    rates = [recognised(x, asked) for x, _ in runs]
    found[name] = np.mean(rates), np.mean([states[1].std() for _, states in runs])
    print(f"{name:18} recognised:", "  ".join(f"~{r:.2f}" for r in rates),
          f"  std after one step: ~{found[name][1]:.1f}")  # fmt: skip

# %% jupyter={"source_hidden": true}
clip = found["first step clipped"]
check_range(
    "first reverse step multiplies an error by", first_error(cosine), 31, 32.5,
    digits=1, unlike={"on our linear schedule": first_error(betas)},
)  # fmt: skip
with course.more_checks():
    check_range("plain: recognised", found["plain"][0], 0.15, 0.5,
                unlike={"clipped": clip[0]})  # fmt: skip
    check_range("first step clipped: recognised", clip[0], 0.72, 0.92,
                unlike={"plain": found["plain"][0]})  # fmt: skip
    check_range("plain: std after one step", found["plain"][1], 1.6, 2.6,
                unlike={"clipped": clip[1]})  # fmt: skip

# %% [markdown]
# Your network's mean squared error near pure noise is 0.003, and 31.6 squared is 1000. So this error adds a variance of 3 to the 1 that the state should have: together 4, a standard deviation of 2. The network has never seen such a state, and only about one sample in three is recognised.
#
# With the guess clipped in the *first* step only, about four in five are recognised: this one division did the harm. On our linear schedule, the first step multiplies an error by only a fifth. *Repairs* in use: clip, predict another target (Salimans and Ho 2022), or end the schedule more gently.
#
# ## Summary
#
# 1. The forward process exchanges signal for noise; the jump (2) reaches any step at once.
# 2. Only the signal-to-noise ratio decides what can be seen; a schedule says when. Prediction 1: our digits are lost near step 37, so 35.
# 3. Given $x_0$, the reverse step is normal with the mean and variance that you wrote. Without $x_0$ it is nearly normal only for small steps; hence the many steps.
# 4. The ELBO is a prior term, $T-1$ divergences of normals, and a last step. Each divergence is a weighted squared error of the noise; the simple loss drops the weights.
# 5. The network is a U-Net that reads the step; one samples with the moving average (EMA) of its weights.
# 6. Prediction 2: the loss has a floor above zero, the variance of the noise given $x_t$.
# 7. The function that is best on the training digits copies them. Yours does not reach it, probably for want of time.
# 8. Most bits encode fine grey levels. $\tilde\beta_t$ and $\beta_t$ cost nearly the same; the best variance, $\tilde\beta_t$ plus what the network does not know, saves a third of a bit.
# 9. A schedule must end in noise. Prediction 3: near pure noise a small error of the predicted noise can grow thirtyfold in one step.
#
# | paradigm | objective | sampler | evaluations | likelihood | pays |
# |---|---|---|---|---|---|
# | diffusion (DDPM) | noise prediction at random levels, a reweighted ELBO | ancestral chain | $T$ | bound | many evaluations |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(12)

# %% [markdown]
# ## Project: ten minutes to better digits
#
# *(2 to 3 hours.)* Improve the model of this page with at most ten minutes of training on two cores. Of 200 samples, twenty of each digit, `recognised` accepts 76 to 82 % today, depending on the training, with a standard error of 3 for the noise.
#
# - **Target**: at least 85 %, for each of three training seeds.
# - **No copies**: take each test digit's distance to its nearest training digit, and let $r$ be the 1 % quantile of these distances. At most six samples may be closer than $r$ to a training digit.
# - **It can be done**: three runs of 4,000 steps, with an EMA of 0.995 and three minutes each, reached 89 to 94 %, with no sample that close.
# - **Ideas**: train longer with a larger batch; draw $t$ more often where shapes are decided; use a variance between $\tilde\beta_t$ and $\beta_t$; add attention at the bottom of the U-Net.
# - **Submit** your loop, a table with one row for each change and three seeds in each row, forty samples, and the one change that did *not* help.
#
# The lesson ends here. Two optional sections:
#
# - *Too few steps*, 10 minutes
# - *A schedule that never arrives*, 6 minutes
#
# ## Going further: too few steps
#
# The data are the two narrow peaks of section 4, of standard deviation 0.1. The network is perfect, and no sample is drawn: the whole density is pushed through each step on a grid. Take 10 reverse steps, each as large as ten of the linear schedule's, with $\tau_t^2=\tilde\beta_t$.
#
# **Your turn 12.7 · too few steps** *(predict, 3 minutes)*. Look at the core of each peak that the sampler makes, the middle half of its mass. Compared with the data's, is it too narrow, too wide or about right, or is there only one peak? Answer `"narrow"`, `"wide"`, `"right"` or `"one"` before you look at the figure.

# %%
prediction = ...

course.exercise("12.few-steps", prediction)


# %% jupyter={"source_hidden": true}
def sampler_cdf(data, betas, variances, n=601, draw_last=False):
    """Places y and exact P(x_0 <= y) of the sampler with a perfect network."""
    bar = (1 - betas).cumprod(0)
    network = score.exact_eps_model(data, bar)
    x = torch.linspace(-5, 5, n)
    density = Normal(0.0, 1.0).log_prob(x).exp()
    for k in reversed(range(len(betas))):
        eps_hat = network(x[:, None], torch.full((n,), k))[:, 0]
        mean = (x - betas[k] / (1 - bar[k]).sqrt() * eps_hat) / (1 - betas[k]).sqrt()
        if k > 0:  # push the whole density through the step: a matrix product
            kernel = Normal(mean[:, None], variances[k].sqrt()).log_prob(x).exp()
            density = density * (x[1] - x[0]) @ kernel
    if draw_last:  # x_0 from its exact distribution given x_1, not its mean
        y = torch.linspace(-2, 2, n)
        seen = Normal(bar[0].sqrt() * y, (1 - bar[0]).sqrt()).log_prob(x[:, None])
        mass = density @ (data.log_prob(y[:, None]) + seen).softmax(1)
        return y, mass.cumsum(0) / mass.sum()
    return mean, torch.cat([torch.zeros(1), torch.cumulative_trapezoid(density, x)])


def right_peak(cdf):
    """Mass right of 0, and the standard deviation read off its middle half."""
    y, below = (a.numpy() for a in cdf)
    mass = 1 - np.interp(0.0, y, below)
    low, high = np.interp([1 - 0.75 * mass, 1 - 0.25 * mass], below, y)
    return mass, (high - low) / 1.349  # quartiles of a normal: 1.349 std apart


# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
counts = (10, 20, 50, 100, 200)
cdfs = {}
for n in counts:
    b_n = score.linear_rate_betas(n)  # the linear schedule's levels in n steps
    tilde_n = score.posterior_variances(b_n)
    cdfs[n, "small"] = sampler_cdf(peaks, b_n, tilde_n)
    cdfs[n, "drawn"] = sampler_cdf(peaks, b_n, tilde_n, draw_last=True)
    cdfs[n, "large"] = sampler_cdf(peaks, b_n, b_n)
core = {key: right_peak(cdf)[1] for key, cdf in cdfs.items()}
true_peaks = peaks.log_prob(grid[:, None]).exp()
torch.set_default_dtype(torch.float32)
print("std of a core, beta tilde; and with the last step drawn exactly:")
for n in counts[:4]:
    print(f"{n:4} steps: {core[n, 'small']:.3f}   {core[n, 'drawn']:.3f}")
with course.more_checks():
    check_range("10 steps, small variance: core", core[10, "small"], 0.03, 0.045,
                unlike={"variance beta": core[10, "large"]})  # fmt: skip
    check_range("10 steps, last step drawn: core", core[10, "drawn"], 0.095, 0.11,
                unlike={"last step returns the mean": core[10, "small"]})  # fmt: skip

# %% jupyter={"source_hidden": true}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.1))
for which, colour, name in (
    ("large", "#0072B2", r"$\tau_t^2=\beta_t$"),
    ("small", "#D55E00", r"$\tau_t^2=\tilde\beta_t$"),
):
    y, below = cdfs[10, which]
    places, heights = 0.5 * (y[1:] + y[:-1]), below.diff() / y.diff().clamp(min=1e-9)
    left.plot(places, heights, color=colour, linestyle="-", label=name)
    right.plot(counts, [core[n, which] for n in counts], "o-", color=colour, label=name)
left.plot(grid, true_peaks, "--", color="#222222", label="the data")
left.set(xlim=(-1.7, 1.7), ylim=(0, None), xlabel="x", ylabel="density",
         title="10 steps: both peaks too narrow")  # fmt: skip
right.axhline(0.1, color="#222222", linestyle="--")
right.set(xscale="log", xlabel="steps", ylabel="standard deviation", ylim=(0, 0.12),
          title="More steps: the core widens towards 0.1")  # fmt: skip
right.set_xticks(counts, [str(n) for n in counts], minor=False)
figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3)
show(
    figure,
    "Left: after ten steps the peaks are too narrow with the small variance. Right: "
    "the standard deviation of a peak's core against the number of steps.",
)

# %% [markdown]
# <details><summary>Answer</summary>
#
# The core is too narrow, by more than half. The cause is the *last* step. It adds no noise and returns $\mathbb E[x_0\mid x_1]$, an average over all $x_0$ that are possible, and an average varies less than what it averages. The control changes only this: it draws $x_0$ from its exact distribution given $x_1$. Then at 10 and 20 steps the core is as wide as the data's. From 50 steps on the earlier steps show, too: the exact variance is $\tilde\beta_t$ *plus* the uncertainty about $x_0$, and they leave that part out. With $\beta_t$ ten steps are too few for the same reason; from 50 to 200 steps the core is 3 to 5 % too wide, because for narrow data $\beta_t$ is more than the exact variance.
# </details>
#
# *Repairs*: more steps; smaller ones at the end; a variance that includes the uncertainty, as in section 10, or computed (Bao et al. 2022); or a sampler that does not treat a long step as normal. That is lesson 13.
#
# ## Going further: a schedule that never arrives
#
# Take the third schedule of section 2. At $t=T$ we still have $\bar\alpha_T=0.36$, but sampling starts from pure noise. We give the two peaks unequal masses, 0.2 and 0.8, and take a perfect network again.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
uneven = GaussianMixture(torch.tensor([0.2, 0.8]), peaks.means, peaks.stds)
mass, prior_term = {}, {}
for name, rates in schedules.items():
    rates = rates.double()
    mass[name] = right_peak(sampler_cdf(uneven, rates, rates))[0]
    kept = (1 - rates).prod()
    signal_left = kept * (uneven.weights @ (uneven.means[:, 0] ** 2 + uneven.stds**2))
    prior_term[name] = 0.5 * (signal_left - kept - torch.log1p(-kept)).item()
    print(f"{name:18} mass right {mass[name]:.2f}   prior {prior_term[name]:.4f} nats")
ends = Normal(kept.sqrt() * grid, (1 - kept).sqrt())  # q(x_T | x_0), too short
gap = kl_divergence(ends, Normal(0.0, 1.0)) * uneven.log_prob(grid[:, None]).exp()
as_points = 0.5 * (kept * uneven.means.square().mean() - kept - torch.log1p(-kept))
with course.more_checks():
    check_range(
        "too short: mass of the right peak", mass["linear, too short"], 0.6, 0.75,
        unlike={"linear": mass["linear"]},
    )  # fmt: skip
    check("prior term = torch's KL, averaged over the data",
          prior_term["linear, too short"], torch.trapezoid(gap, grid),
          unlike={"peaks as two points": as_points})  # fmt: skip
torch.set_default_dtype(torch.float32)

# %% [markdown]
# Both peaks are there, but in the wrong proportions. At $t=T$ a good part of $x_T$ is still signal, so the true $x_T$ leans towards the peak that it came from. A start from pure noise loses that. The prior term of the bound, here the mean of $\frac12\big(\bar\alpha_Tx_0^2-\bar\alpha_T-\log(1-\bar\alpha_T)\big)$ over the data, shows the mismatch before you sample: 0.23 nats instead of 0. The best-known case is Stable Diffusion: trained with $\bar\alpha_T=0.0047$, it could not draw very dark or very bright pictures (Lin et al. 2023, arXiv:2305.08891). *Repair*: look at $\bar\alpha_T$ before you train.

# %% [markdown]
# ## What production systems add
#
# Transformers in place of U-Nets, and straight paths with times drawn where shapes are decided (Esser et al. 2024, arXiv:2403.03206); latents of a pretrained image encoder in place of pixels (Zheng et al. 2025, arXiv:2510.11690), or again pixels, with a plain transformer that predicts $x_0$ (Li and He 2025, arXiv:2511.13720); guidance by a weaker version of the model (Karras et al. 2024, arXiv:2406.02507); samplers of 1 to 50 steps (lesson 13; Geng et al. 2025, arXiv:2505.13447).
#
# ## Sources
#
# - Sohl-Dickstein et al. 2015 (arXiv:1503.03585), section 2: the chain and its bound.
# - Ho, Jain and Abbeel 2020 (arXiv:2006.11239): eq. 2 and 4 (chain, jump), 5 to 7 (bound, posterior), 11 and 12 (noise), 13 (bins), 14 (simple loss), section 3.2 (the two variances), algorithms 1 and 2.
# - Nichol and Dhariwal 2021 (arXiv:2102.09672): eq. 15, the learned variance; eq. 17, the cosine. Bao et al. 2022 (arXiv:2201.06503): the variance computed.
# - Kadkhodaie et al. 2024 (arXiv:2310.02557), Kamb and Ganguli 2025 (arXiv:2412.20292), Bonnaire et al. 2025 (arXiv:2505.17638): why a trained network does not copy.
# - Kingma et al. 2021 (arXiv:2107.00630): eq. 11 to 20, the bound in continuous time: two schedules with the same first and last SNR have the same bound.
# - Salimans and Ho 2022 (arXiv:2202.00512): section 4 and appendix D, other targets.
# - Ronneberger et al. 2015 (arXiv:1505.04597): the U-Net. Dhariwal and Nichol 2021 (arXiv:2105.05233): its residual block.
