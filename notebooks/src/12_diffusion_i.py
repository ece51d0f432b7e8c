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
# # 12 · Diffusion I: the forward and the reverse process
#
# **After this lesson you will be able to**
#
# - *write* the chain from data to noise, *jump* to any of its steps, and *condition* it to go one step back;
# - *carry out* the whole bound on $\log p(x_0)$, term by term, and *evaluate* it on real digits in bits per dimension;
# - *convert* between four names for the same prediction, and *say* what each loss weighs;
# - *build* the training step and the ancestral sampler, and *test* the sampler with a perfect network;
# - *learn* the noise schedule, and *produce*, *measure* and *repair* the ways in which a diffusion model fails.
#
# About 80 minutes to read, about 35 seconds to run. You need the ELBO of lesson 05, bits per dimension from lesson 02 and, for one section, the
# score of lesson 11.

# %% tags=["keep-output"]
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch.distributions import Normal, kl_divergence

import genlab_course as course
from genlab import score
from genlab_course import widgets
from genlab.core import bits_per_dim, dequantize, last, likelihood_kind, log_likelihood
from genlab_course import check, check_close_mc, check_range
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.oracles import Gaussian, GaussianMixture
from genlab.zoo import find
from genlab.zoo.scores import GREY

course.begin(lesson=12)
torch.set_default_dtype(torch.float64)  # exact numbers first; training will switch to float32
course.draw_map(lesson=12);

# %% [markdown]
# Lessons 05 and 06 had one layer of latents, and a network that had to guess their posterior. Suppose instead that the latents are the data itself
# with more and more noise, a hundred layers of it, and that nothing about the way *up* is learned: adding noise needs no network. Then every posterior
# on the way is known in closed form, the bound falls apart into a hundred small regressions, and the way down is all there is to learn.
#
# ## Predict first
#
# Write your answers down. Each question returns, with a number.
#
# 1. A digit of $8\times8$ pixels gets noise in 100 steps until nothing is left. An observer who knows all training images and Bayes' rule looks at each
#    step. When is the digit lost: around step 30, 60 or 90?
# 2. A network predicts the noise as well as any function can. Is its loss zero?
# 3. You replace a linear schedule by a cosine one that starts and ends at the same noise. Infinitely many steps, perfect network: what happens to the bound?
# 4. A perfect network again, but you walk back in 10 steps instead of 200. Is the result nearly right, too blurred, or too sharp?

# %% [markdown]
# ## 1. Towards noise
#
# **Step 1. One small exchange.** Let $\beta_t\in(0,1)$ be small. Each step gives up a little of the signal for fresh noise:
# $$q(x_t\mid x_{t-1})=\mathcal N\big(\sqrt{1-\beta_t}\,x_{t-1},\ \beta_t I\big),\qquad x_t=\sqrt{1-\beta_t}\,x_{t-1}+\sqrt{\beta_t}\,z_t .$$
# The square roots are chosen so that data of variance 1 keep variance 1: $(1-\beta_t)\cdot1+\beta_t=1$. With $\alpha_t=1-\beta_t$ write
# $\bar\alpha_t=\prod_{s\le t}\alpha_s$. (Beware: this $\alpha_t$ is DDPM's. Everywhere else in the course $\alpha$ is the *scale* of the signal, here
# $\sqrt{\bar\alpha_t}$.)
#
# **Step 2. All steps at once.** Insert the formula into itself. The signal's factors multiply to $\sqrt{\bar\alpha_t}$. The noises are independent
# normals, so their variances add; two steps give $(1-\beta_2)\beta_1+\beta_2=1-(1-\beta_1)(1-\beta_2)=1-\bar\alpha_2$, and by induction
# $$\boxed{\;x_t=\sqrt{\bar\alpha_t}\,x_0+\sqrt{1-\bar\alpha_t}\,\epsilon,\qquad\epsilon\sim\mathcal N(0,I)\;}$$
# We check it twice: by carrying the coefficient of every single noise through the chain, and by running the chain 100,000 times.

# %%
betas = torch.linspace(0.01, 0.3, 10)
alphas_bar = score.alphas_bar_from_betas(betas)

state = torch.eye(11)[0]  # coefficients of (x_0, z_1, ..., z_10) in the present state
for k, beta in enumerate(betas):
    state = (1 - beta).sqrt() * state + beta.sqrt() * torch.eye(11)[k + 1]
check(
    "after ten steps: signal, and variance of all noises",
    torch.stack([state[0], (state[1:] ** 2).sum()]),
    torch.stack([alphas_bar[-1].sqrt(), 1 - alphas_bar[-1]]),
    unlike={
        "noises added, not variances": torch.stack([state[0], state[1:].sum() ** 2])
    },
)

generator = torch.Generator().manual_seed(12)
x0 = torch.full((100_000, 1), 2.0)
x = last(score.noising_chain(x0, betas, generator=generator))
noise = x - 2 * alphas_bar[-1].sqrt()
variance = 1 - alphas_bar[-1].item()
product_of_two = torch.randn(2, 100_000, generator=generator).prod(0) * variance**0.5
check_close_mc(
    "running the chain: mean",
    x,
    2 * alphas_bar[-1].sqrt().item(),
    unlike={"alpha bar for its root": 2 * alphas_bar[-1].item()},
)
check_close_mc(
    "running the chain: fourth moment of the noise",
    noise**4,
    3 * variance**2,
    unlike={"noise drawn twice": product_of_two**4},
)

# %% [markdown]
# The fourth moment is there for a reason. If code draws noise twice, once inside the coefficient, mean and variance are still right; but a product
# of two normals has kurtosis 9 instead of 3.
#
# **Step 3. Numbers to hold on to.** With a constant $\beta$, $\bar\alpha_t=(1-\beta)^t$. The schedule that made these models famous grows linearly from $10^{-4}$ to
# $0.02$ over $T=1000$ steps.

# %%
for beta in (0.1, 0.01):
    for t in (1, 5, 10):
        a = score.alphas_bar_from_betas(torch.full((10,), beta))[t - 1].item()
        print(f"beta {beta}, t = {t:2d}: alpha bar {a:.6f}, ", end="")
        print(f"signal x {a**0.5:.6f}, noise x {(1 - a) ** 0.5:.6f}")

usual = score.linear_betas(1000)
by_hand = torch.linspace(1e-4, 0.02, 1000)
check(
    "linear, T = 1000: alpha bar at the end",
    score.alphas_bar_from_betas(usual)[-1],
    torch.log1p(-by_hand).sum().exp(),
    atol=0,
    rtol=1e-9,
    unlike={"e^(-sum of betas)": torch.exp(-by_hand.sum())},
)

# %% [markdown]
# **Step 4. The one number that matters.** What an observer can know about $x_0$ depends on signal against noise alone:
# $$\mathrm{SNR}_t=\frac{\bar\alpha_t}{1-\bar\alpha_t},\qquad \gamma_t=-\log\mathrm{SNR}_t .$$
# A schedule is the order and speed in which these levels are visited. Below are three: linear with the rate raised so that 100 steps suffice (the
# one we shall train with), the cosine of Nichol and Dhariwal, and the 1000-step numbers used, by mistake, with 100 steps.

# %%
T = 100
schedules = {
    "linear, made for 100": score.linear_rate_betas(T),
    "cosine": score.cosine_betas(T),
    "linear, made for 1000": score.linear_betas(T),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.0))
for name, table_of_betas in schedules.items():
    a = score.alphas_bar_from_betas(table_of_betas)
    left.plot(range(1, T + 1), a, label=name)
    right.plot(range(1, T + 1), score.log_snr(a), label=name)
left.set(xlabel="step t", ylabel="signal's share $\\bar\\alpha_t$", title="what is left of the variance")
right.set(xlabel="step t", ylabel="log SNR", title="the same, on the scale that matters")
right.legend(loc="lower left");

# %%
images, labels = load_digits("train")
test_images, test_labels = load_digits("test")
figure, axes = plt.subplots(2, 1, figsize=(8.5, 2.6))
a = score.alphas_bar_from_betas(schedules["linear, made for 100"])
digit = to_unit(images[[3]])
eps = torch.randn(digit.shape, generator=generator)
for ax, chosen in zip(axes, (("linear, made for 100"), ("cosine")), strict=True):
    a = score.alphas_bar_from_betas(schedules[chosen])
    strip = torch.cat([digit] + [score.add_noise(digit, a[t].sqrt(), (1 - a[t]).sqrt(), eps) for t in range(9, 100, 10)])
    course.show_images(ax, strip.clamp(-1.5, 1.5), n_columns=11, title=f"{chosen}: steps 0, 10, 20, ..., 100")

# %% [markdown]
# **Before you move the slider:** at which step does the green curve fall below one half, for the linear schedule and for the cosine? And at which *log SNR*? The
# observer in the widget knows every training image and applies Bayes' rule exactly; nothing in it is trained.

# %% tags=["keep-output"]
widgets.forward_process()

# %%
from genlab.score.exact import LEVELS, DigitObserver

known = DigitObserver().curve()
half = float(np.interp(0.5, known, LEVELS))  # where the curve crosses one half
a = score.alphas_bar_from_betas(schedules["linear, made for 100"])
reached = lambda betas: int(
    (score.log_snr(score.alphas_bar_from_betas(betas)) > half).sum()
) + 1
step = {name: reached(betas) for name, betas in schedules.items()}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 2.7), sharey=True)
for name in ("linear, made for 100", "cosine"):
    ratio = score.log_snr(score.alphas_bar_from_betas(schedules[name]))
    at = np.interp(ratio, LEVELS, known)
    left.plot(range(1, T + 1), at, label=name)
    right.plot(ratio, at, label=name)
left.set(xlabel="step t", ylabel="P(right digit)", title="two schedules lose it at two times")
right.set(xlabel="log SNR", title="and at one log SNR", xlim=(7, -11))
left.legend()
print(f"half recognised at log SNR ~{half:.1f}; cosine: step ~{step['cosine']}")
check_range(
    "linear: step at which half are recognised",
    step["linear, made for 100"],
    25,
    42,
    digits=0,
    unlike={"cosine": step["cosine"]},
)


# %% [markdown]
# The digit is lost around step 34 of 100, at a log SNR near $-0.8$, where the noise has more than twice the signal's share of the variance. Sixty-four pixels vote, so a
# picture survives noise that would drown one pixel. The cosine schedule reaches the same level around step 62 and knows exactly as much there.
#
# ## 2. One step back
#
# **Step 5. If somebody told you $x_0$.** Given $x_0$, the pair $(x_{t-1},x_t)$ is jointly normal. Its means are $\sqrt{\bar\alpha_{t-1}}x_0$ and
# $\sqrt{\bar\alpha_t}x_0$, its variances $1-\bar\alpha_{t-1}$ and $1-\bar\alpha_t$, and its covariance $\sqrt{\alpha_t}(1-\bar\alpha_{t-1})$, because $x_t$
# repeats $\sqrt{\alpha_t}$ of $x_{t-1}$ and adds something independent. A normal pair is conditioned by regression:
# $$\mathbb E[x_{t-1}\mid x_t]=m_{t-1}+\frac{\mathrm{cov}}{\mathrm{var}_t}(x_t-m_t),\qquad \mathrm{var}=\mathrm{var}_{t-1}-\frac{\mathrm{cov}^2}{\mathrm{var}_t}.$$
# **Step 6. Tidy up.** Collect $x_0$ and $x_t$, and use $1-\bar\alpha_t=\beta_t+\alpha_t(1-\bar\alpha_{t-1})$ twice:
# $$q(x_{t-1}\mid x_t,x_0)=\mathcal N(\tilde\mu_t,\tilde\beta_tI),\quad
# \tilde\mu_t=\frac{\sqrt{\bar\alpha_{t-1}}\,\beta_t}{1-\bar\alpha_t}x_0+\frac{\sqrt{\alpha_t}(1-\bar\alpha_{t-1})}{1-\bar\alpha_t}x_t,\quad
# \tilde\beta_t=\frac{1-\bar\alpha_{t-1}}{1-\bar\alpha_t}\beta_t .$$
# The check knows none of this. It builds the joint law of *all* states by running the chain on unit vectors and conditions it with a linear solver,
# on $x_0$ and on everything from $x_t$ upward at once.

# %%
def my_posterior(x0, x_t, t):
    """Mean and variance of x_{t-1} given x_t and x_0; t counts from 1."""
    before = alphas_bar[t - 2] if t > 1 else torch.tensor(1.0)
    beta, after = betas[t - 1], alphas_bar[t - 1]
    mean = (before.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - before) * x_t) / (1 - after)
    return mean, (1 - before) / (1 - after) * beta


coefficients = [torch.eye(11)[0]]
for k, beta in enumerate(betas):
    coefficients.append((1 - beta).sqrt() * coefficients[-1] + beta.sqrt() * torch.eye(11)[k + 1])
coefficients = torch.stack(coefficients)  # row t: x_t in terms of (x_0, z_1, ..., z_10)
signal, covariance = coefficients[:, 0], coefficients[:, 1:] @ coefficients[:, 1:].T

path = torch.randn(11, generator=generator)  # any numbers for x_0 and for what was seen
by_solver, ours, with_beta = [], [], []
for t in (1, 2, 5, 10):
    seen = list(range(t, 11))  # x_t, ..., x_10: only x_t should matter
    gain = torch.linalg.solve(covariance[seen][:, seen], covariance[seen, t - 1])
    mean = signal[t - 1] * path[0] + gain @ (path[seen] - signal[seen] * path[0])
    variance = covariance[t - 1, t - 1] - gain @ covariance[seen, t - 1]
    by_solver.append(torch.stack([mean, variance]))
    ours.append(torch.stack(my_posterior(path[0], path[t], t)))
    with_beta.append(torch.stack([ours[-1][0], betas[t - 1]]))
check(
    "t = 1, 2, 5, 10: conditioning all later states",
    torch.stack(ours),
    torch.stack(by_solver),
    unlike={"variance beta": torch.stack(with_beta)},
)

at = {"beta": betas[4], "alpha_bar": alphas_bar[4], "alpha_bar_before": alphas_bar[3]}
mean = score.posterior_mean(path[:1, None], path[5:6, None], **at)[0, 0]
check(
    "genlab's posterior_mean and posterior_variances",
    torch.stack([mean, score.posterior_variances(betas)[4]]),
    by_solver[2],
    unlike={"step off by one": torch.stack(my_posterior(path[0], path[5], 6))},
)

# %% [markdown]
# **Step 7. Nobody tells you $x_0$.** What the sampler needs is $p(x_{t-1}\mid x_t)$, an average of the above over everything that $x_0$ might have been. Write $p_{t-1}$ for the law of data noised
# $t-1$ times; Bayes' rule says $p(x_{t-1}\mid x_t)\propto p_{t-1}(x_{t-1})\,\mathcal N(x_t;\sqrt{\alpha_t}x_{t-1},\beta_t)$, and that is *not* normal. But the second factor
# has width $\sqrt{\beta_t}$: if it is narrow, the first looks like $e^{\text{linear}}$ across it, and a normal times an exponential of a line is a normal.
# So small steps are what buys a normal reverse step. Two narrow peaks as data, and one step back, exactly, on a grid:

# %%
data = GaussianMixture(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.tensor([0.1, 0.1]))
grid = torch.linspace(-3, 3, 3001)
p_before = data.noised(math.sqrt(0.8), math.sqrt(0.2)).log_prob(grid[:, None])
figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.6))
misfit = []
for ax, beta in zip(axes, (0.02, 0.3, 0.8), strict=True):
    log_p = p_before + Normal((1 - beta) ** 0.5 * grid, beta**0.5).log_prob(torch.tensor(0.1))
    p = (log_p - log_p.max()).exp()
    p = p / torch.trapezoid(p, grid)
    mean = torch.trapezoid(p * grid, grid)
    sd = torch.trapezoid(p * (grid - mean) ** 2, grid).sqrt()
    normal = Normal(mean, sd)
    misfit.append(torch.trapezoid(p * (p.clamp(min=1e-300).log() - normal.log_prob(grid)), grid).item())
    ax.plot(grid, p, color="#0072B2", label="exact $p(x_{t-1}|x_t)$")
    ax.plot(grid, normal.log_prob(grid).exp(), color="#E69F00", linestyle="--", label="normal, same moments")
    ax.set(xlabel="$x_{t-1}$", xlim=(-2, 2), title=f"$\\beta_t$ = {beta}: KL {misfit[-1]:.4f} nats")
axes[0].set_ylabel("density")
axes[2].legend(loc="upper center", fontsize=8)
axes[2].set_ylim(0, 0.9)
check_range(
    "KL of the normal step, beta 0.02",
    misfit[0],
    0.0008,
    0.001,
    digits=5,
    unlike={"beta 0.3": misfit[1], "beta 0.8": misfit[2]},
)

# %% [markdown]
# Remember this figure. It is the whole reason why diffusion models are slow, and section 8 will let it do its worst.
#
# ## 3. The whole bound
#
# **Step 8. It is lesson 05.** The model is $p_\theta(x_{0:T})=p(x_T)\prod_tp_\theta(x_{t-1}\mid x_t)$ with $p(x_T)=\mathcal N(0,I)$; the latents are $x_{1:T}$; the
# guess at their posterior is the fixed chain $q(x_{1:T}\mid x_0)$. Jensen's inequality as before:
# $$\log p_\theta(x_0)\ \ge\ \mathbb E_q\Big[\log p(x_T)+\sum_{t=1}^T\log\frac{p_\theta(x_{t-1}\mid x_t)}{q(x_t\mid x_{t-1})}\Big].$$
# **Step 9. Turn $q$ around.** Numerator and denominator point in opposite directions, so no ratio is a divergence yet. For $t\ge2$, conditioning on $x_0$ changes nothing in
# a Markov chain, and Bayes' rule turns the factor around:
# $$q(x_t\mid x_{t-1})=q(x_t\mid x_{t-1},x_0)=q(x_{t-1}\mid x_t,x_0)\,\frac{q(x_t\mid x_0)}{q(x_{t-1}\mid x_0)} .$$
# **Step 10. The product telescopes.** In $\prod_{t\ge2}$ the fractions on the right cancel down to $q(x_T\mid x_0)/q(x_1\mid x_0)$, and the $q(x_1\mid x_0)$ left over from $t=1$ cancels too:
# $$q(x_{1:T}\mid x_0)=q(x_T\mid x_0)\prod_{t=2}^Tq(x_{t-1}\mid x_t,x_0).$$

# %%
forward = sum(
    Normal((1 - betas[t]).sqrt() * path[t], betas[t].sqrt()).log_prob(path[t + 1]) for t in range(10)
)
backward = Normal(alphas_bar[-1].sqrt() * path[0], (1 - alphas_bar[-1]).sqrt()).log_prob(path[10])
for t in range(2, 11):
    mean, variance = my_posterior(path[0], path[t], t)
    backward = backward + Normal(mean, variance.sqrt()).log_prob(path[t - 1])
steps_only = backward - Normal(
    alphas_bar[-1].sqrt() * path[0], (1 - alphas_bar[-1]).sqrt()
).log_prob(path[10])
check(
    "log q of a whole path, forward = turned around",
    forward,
    backward,
    unlike={"q(x_T | x_0) forgotten": steps_only},
)

# %% [markdown]
# **Step 11. Collect.** Each ratio now compares two laws of the same $x_{t-1}$, so its average is a divergence, and the bound is a sum of three kinds of terms:
# $$\boxed{-\log p_\theta(x_0)\ \le\ \underbrace{\mathrm{KL}\big(q(x_T\mid x_0)\,\|\,p(x_T)\big)}_{\text{prior}}
# +\sum_{t=2}^T\underbrace{\mathbb E_q\,\mathrm{KL}\big(q(x_{t-1}\mid x_t,x_0)\,\|\,p_\theta(x_{t-1}\mid x_t)\big)}_{L_{t-1}}
# \underbrace{-\,\mathbb E_q\log p_\theta(x_0\mid x_1)}_{L_0}}$$
# **Step 12. Choose the shape of a step back.** Let $p_\theta(x_{t-1}\mid x_t)=\mathcal N(\mu_\theta,v_tI)$. What should $\mu_\theta$ look like? Put $x_0=(x_t-\sqrt{1-\bar\alpha_t}\,\epsilon)/\sqrt{\bar\alpha_t}$
# into $\tilde\mu_t$. Everything but $\epsilon$ is known at sampling time, so let the network predict $\epsilon$ and use the same formula:
# $$\tilde\mu_t=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon\Big),\qquad
# \mu_\theta=\frac1{\sqrt{\alpha_t}}\Big(x_t-\frac{\beta_t}{\sqrt{1-\bar\alpha_t}}\,\epsilon_\theta(x_t,t)\Big).$$
# **Step 13. Subtract.** The divergence of two normals with variances $\tilde\beta_t$ and $v_t$ is $\lVert\tilde\mu-\mu_\theta\rVert^2/2v_t$ plus a constant, and the means differ only in the noise ($D$ is the number of dimensions):
# $$L_{t-1}=\frac{\beta_t^2}{2v_t\alpha_t(1-\bar\alpha_t)}\,\lVert\epsilon-\epsilon_\theta\rVert^2+\frac D2\Big(\frac{\tilde\beta_t}{v_t}-1-\log\frac{\tilde\beta_t}{v_t}\Big).$$
# (The code counts steps from 0, so its index $t$ is $t+1$ here and its $L_0$ is the same $L_0$.)

# %%
x0, eps = torch.randn(2, 1, 3, generator=generator)
network = lambda x, t: 0.4 * x  # any function will do
t, variance = 5, betas[4]
x_t = score.add_noise(x0, alphas_bar[4].sqrt(), (1 - alphas_bar[4]).sqrt(), eps)
with_true_noise = (x_t - betas[4] / (1 - alphas_bar[4]).sqrt() * eps) / (1 - betas[4]).sqrt()
mean, tilde = my_posterior(x0, x_t, t)
naive = x_t / alphas_bar[4].sqrt()  # x_0 as if there were no noise
check(
    "posterior mean in terms of the noise",
    with_true_noise,
    mean,
    unlike={"noise forgotten in x_0": my_posterior(naive, x_t, t)[0]},
)

mu = (x_t - betas[4] / (1 - alphas_bar[4]).sqrt() * network(x_t, t)) / (1 - betas[4]).sqrt()
posterior, model_step = Normal(mean, tilde.sqrt()), Normal(mu, variance.sqrt())
by_library = kl_divergence(posterior, model_step).sum()
weight = betas[4] ** 2 / (2 * variance * (1 - betas[4]) * (1 - alphas_bar[4]))
ratio = tilde / variance
by_hand = weight * ((eps - network(x_t, t)) ** 2).sum() + 1.5 * (ratio - 1 - ratio.log())
term = score.ddpm_vlb_term(network, x0, torch.tensor([4]), eps, betas=betas, variances=betas)
check(
    "L_4: step 13 and genlab's term = torch's KL",
    torch.stack([by_hand, term[0]]),
    by_library,
    unlike={"KL turned around": kl_divergence(model_step, posterior).sum()},
)
course.show_source(score.ddpm_vlb_term)

# %% [markdown]
# **Step 14. The simple loss is a reweighting.** The network appears in one place, inside a square. Drop its weight, drop the constants, draw $t$ at random:
# $$L_{\text{simple}}=\mathbb E_{t,\epsilon}\,\lVert\epsilon-\epsilon_\theta(\sqrt{\bar\alpha_t}x_0+\sqrt{1-\bar\alpha_t}\,\epsilon,\,t)\rVert^2 .$$
# A network good enough to be best *at every $t$ separately* minimises both. A real one has to divide its strength, and the weights decide how: the bound cares
# most about the first steps, where pixels are settled to fractions of a grey level; the simple loss moves the attention to where shapes are decided. With $v_t=\beta_t$ the weight is
# $\beta_t/2\alpha_t(1-\bar\alpha_t)$. At small $t$ the divisor $1-\bar\alpha_t$ is tiny and the weight is large. Later that divisor is nearly 1, and the weight grows again with $\beta_t$: hence the U in the figure.

# %%
a = score.alphas_bar_from_betas(schedules["linear, made for 100"])
b = schedules["linear, made for 100"]
weights = b**2 / (2 * b * (1 - b) * (1 - a))
figure, ax = plt.subplots(figsize=(6.5, 2.8))
ax.plot(range(1, T + 1), weights, label="weight in the bound, $v_t=\\beta_t$ (nats)")
ax.plot(range(1, T + 1), weights.mean().expand(T), label="what the simple loss gives to every step")
ax.set(xlabel="step t", ylabel="weight of $\\|\\epsilon-\\epsilon_\\theta\\|^2$", yscale="log",
       title="the bound looks at the first steps, and a little at the last")
ax.legend()
check(
    "weight of the first and, nearly, of the last step",
    torch.stack([weights[0], weights[-1]]),
    torch.stack([1 / (2 * (1 - b[0])), b[-1] / (2 * (1 - b[-1]))]),
    rtol=1e-4,  # at the last step 1 - alpha bar is not quite 1
    unlike={"alpha_t forgotten": torch.stack([torch.tensor(0.5), b[-1] / 2])},
)
lowest, above = (
    int(weights.argmin()) + 1,
    (weights > weights.mean()).nonzero()[:, 0] + 1,
)
print(
    f"the bound weighs step 1 {weights[0] / weights[lowest - 1]:.1f} times as much as step {lowest}"
)
print(f"more than the simple loss: up to step {above[above < lowest].max()}, ", end="")
print(f"and again from step {above[above > lowest].min()}")

# %% [markdown]
# **Step 15. How wide should a step be?** Average $L_{t-1}$ over data and noise with $m_t=\frac1D\mathbb E\lVert\epsilon-\epsilon_\theta\rVert^2$, and set its derivative in $v_t$ to zero:
# $$v_t^*=\tilde\beta_t+\frac{\beta_t^2}{\alpha_t(1-\bar\alpha_t)}\,m_t .$$
# The posterior's variance, plus what the network cannot know. The two classic choices are its ends. If the data are one single point, the noise can be read off exactly, $m_t=0$ and
# $v^*_t=\tilde\beta_t$. If they are standard normal, $m_t=\bar\alpha_t$ (section 4) and $v_t^*=\beta_t$. Digits lie between.

# %%
ends = [score.optimal_variances(m, betas) for m in (torch.zeros(10), alphas_bar)]
check(
    "small variance: a point; large: standard normal data",
    torch.stack(ends),
    torch.stack([score.posterior_variances(betas), betas]),
    unlike={
        "the two exchanged": torch.stack([betas, score.posterior_variances(betas)])
    },
)

s = 0.5  # normal data of standard deviation s: the best network is known, and so is its error
error = alphas_bar * s**2 / (alphas_bar * s**2 + 1 - alphas_bar)
best = score.optimal_variances(error, betas)


def mean_bound(variances):
    """Average of the whole bound over N(0, s^2) data, exactly: one number of nats."""
    weight = betas**2 / (2 * variances * (1 - betas) * (1 - alphas_bar))
    ratio = score.posterior_variances(betas) / variances
    constant = 0.5 * (ratio - 1 - ratio.log())
    constant[0] = 0.5 * (2 * math.pi * variances[0]).log()
    left = alphas_bar[-1]
    prior = 0.5 * (left * s**2 + (1 - left) - 1 - (1 - left).log())
    return -(weight * error + constant).sum() - prior


entropy = Gaussian(torch.zeros(1), torch.tensor([[s**2]])).entropy()
end = alphas_bar[-1] * s**2 + 1 - alphas_bar[-1]  # variance of x_T
check(
    "gap with the best variances = KL(p(x_T) || prior)",
    -entropy - mean_bound(best),
    0.5 * (end - 1 - end.log()),
    atol=1e-12,
    unlike={"with beta": -entropy - mean_bound(betas)},
)


# %% [markdown]
# For normal data the reverse steps *are* normal, so with the right mean and the right width nothing is lost on the way, and all that remains of the gap is that the chain
# does not quite end in $\mathcal N(0,1)$. Ten steps, no approximation, an equality to twelve digits: the algebra above is right.
#
# Now a single $x_0$ instead of an average. For this linear model its likelihood is known, because every step is linear; and the mean of the bound over the noise is known, because
# $\epsilon-c\,x_t$ is normal. So the gap can be computed without one random number. It must never be negative.

# %%
def linear_network(x, t):
    a = alphas_bar[t][:, None]
    return (1 - a).sqrt() * x / (a * s**2 + 1 - a)


def model_variance(variances):
    """Variance of x_0 under the model: every step multiplies, and adds."""
    total = torch.tensor(1.0)
    for t in range(9, -1, -1):
        slope = (1 - betas[t] / (alphas_bar[t] * s**2 + 1 - alphas_bar[t])) / (1 - betas[t]).sqrt()
        total = slope**2 * total + variances[t]
    return total


def bound_at(x0, variances):
    """Mean over the noise of the bound at x0 (a column), in closed form."""
    a, c = alphas_bar, (1 - alphas_bar).sqrt() / (alphas_bar * s**2 + 1 - alphas_bar)
    square = c**2 * a * x0**2 + (1 - c * (1 - a).sqrt()) ** 2
    ratio = score.posterior_variances(betas) / variances
    constant = 0.5 * (ratio - 1 - ratio.log())
    constant[0] = 0.5 * (2 * math.pi * variances[0]).log()
    weight = betas**2 / (2 * variances * (1 - betas) * (1 - a))
    left = a[-1]
    return -(weight * square + constant).sum(1) - 0.5 * (left * x0[:, 0] ** 2 - left - (1 - left).log())


# %%
draws = score.ddpm_vlb(linear_network, torch.full((20_000, 1), 0.8), torch.randn(10, 20_000, 1, generator=generator),
                       betas=betas, variances=best)  # fmt: skip
at = torch.tensor([[0.8]])
check_close_mc(
    "genlab's random bound at x_0 = 0.8",
    draws,
    bound_at(at, best).item(),
    unlike={"widths beta": bound_at(at, betas)},
)
line = torch.linspace(-1.5, 1.5, 61)[:, None]
smallest = {}
for name, v in {"best": best, "beta": betas}.items():
    gap = Normal(0.0, model_variance(v).sqrt()).log_prob(line[:, 0]) - bound_at(line, v)
    smallest[name] = gap.min().item()
check_range(
    "log p(x_0) minus the bound, best widths: smallest",
    smallest["best"],
    0.004,
    0.0045,
    digits=4,
    unlike={"widths beta": smallest["beta"]},
)

# %% [markdown]
# **Step 16. A valid number for a discrete image.** A digit's pixels are 17 grey levels, and a density may be arbitrarily high at 17 points. Two honest ways out. *Cut the last step into bins* (Ho et al.): level
# $g$ gets the mass that the last normal puts on its bin, the outermost bins reaching to infinity. Then $L_0=-\log P(x_0\mid x_1)$ and the whole is a bound on $\log P(x_0)$. Or *dequantise*: add uniform noise, bound the density, and subtract
# $\log$ of the bin's width; by Jensen once more this is a bound on a bound. We shall print both, each with its kind.

# %%
levels = to_unit(torch.arange(17).reshape(17, 1, 1, 1).expand(17, 1, 8, 8))[:, :, 0, 0]
mass = lambda mean: score.bin_log_prob(
    levels, torch.full((17, 1), mean), torch.tensor(0.05), GREY
)
grid_ends = torch.tensor([-1.0625, 1.0625])
check(
    "mean 0.98: the 17 bins share all the mass",
    mass(0.98).logsumexp(0).exp(),
    1.0,
    unlike={"outermost bins cut": Normal(0.98, 0.05).cdf(grid_ends).diff()},
)
step_at = Normal(0.31, 0.05)
check(
    "level 11 sits at 0.375: its bin is [0.3125, 0.4375]",
    mass(0.31)[11].exp(),
    step_at.cdf(torch.tensor([0.3125, 0.4375])).diff(),
    unlike={"density times width": step_at.log_prob(torch.tensor(0.375)).exp() / 8},
)

# %% [markdown]
# ## 4. Four names for one prediction
#
# **Step 17. Given $x_t$, one tells the others.** On a path with $\alpha^2+\sigma^2=1$ (here $\alpha=\sqrt{\bar\alpha_t}$), a guess of the noise is a guess of the data, of the rotated target $v$, and of the score:
# $$\hat x_0=\frac{x_t-\sigma\hat\epsilon}{\alpha},\qquad \hat v=\alpha\hat\epsilon-\sigma\hat x_0,\qquad \hat s=-\frac{\hat\epsilon}{\sigma}.$$
# $v$ is $x_t$ turned by a quarter: with $\alpha=\cos\phi$ and $\sigma=\sin\phi$, $v=dx_t/d\phi$.

# %%
x0, eps = torch.randn(2, 4, 3, generator=generator)
alpha, sigma = torch.tensor(0.8), torch.tensor(0.6)
x_t = score.add_noise(x0, alpha, sigma, eps)
v = score.v_from_eps(x_t, eps, alpha, sigma)
phi = torch.atan2(sigma, alpha)
turned = lambda phi: phi.cos() * x0 + phi.sin() * eps
check(
    "v is the derivative of x_t by the angle",
    v,
    torch.autograd.functional.jvp(turned, phi)[1],
    unlike={
        "sign of x_0": alpha * eps + sigma * x0,
        "turned back": sigma * x0 - alpha * eps,
    },
)


def from_each(a, s):
    """Noise and data from each other, from v and from the score."""
    noise = [score.eps_from_x0(x_t, x0, a, s), score.eps_from_v(x_t, v, a, s)]
    noise.append(score.eps_from_score(-eps / sigma, s))
    clean = [score.x0_from_eps(x_t, eps, a, s), score.x0_from_v(x_t, v, a, s)]
    return torch.stack([*noise, *clean])


check(
    "noise and data, from each other, v and score",
    from_each(alpha, sigma),
    torch.stack([eps, eps, eps, x0, x0]),
    unlike={"alpha and sigma exchanged": from_each(sigma, alpha)},
)

# %%
guess = x0 + 0.1 * torch.randn(4, 3, generator=generator)  # some other guess of the data
eps_hat = score.eps_from_x0(x_t, guess, alpha, sigma)
v_hat = score.v_from_eps(x_t, eps_hat, alpha, sigma)
snr = alpha**2 / sigma**2
size = lambda a: (a**2).sum(1)
s_error = score.score_from_eps(eps, sigma) - score.score_from_eps(eps_hat, sigma)
weights = lambda snr: torch.stack([snr, snr + 1, snr / sigma**2])[:, None]
check(
    "loss in eps, v, score = SNR, SNR + 1, SNR / sigma^2",
    torch.stack([size(eps - eps_hat), size(v - v_hat), size(s_error)]),
    weights(snr) * size(x0 - guess),
    unlike={"alpha / sigma for the SNR": weights(alpha / sigma) * size(x0 - guess)},
)

# %% [markdown]
# The four trainings differ in two ways only: in the weight of each noise level, and in what the network has to do near the ends. An error in $\hat\epsilon$ becomes an error in $\hat x_0$ that is
# $\sigma/\alpha$ times as large, which explodes where nothing but noise is left; an error in $\hat v$ becomes $\sigma$ times as large, never more than itself. Section 8 makes use of that.
#
# **Step 18. The loss does not go to zero.** Many $x_0$ lead to the same $x_t$, so $\epsilon$ cannot be known; the best prediction is its mean, $\epsilon^*=\mathbb E[\epsilon\mid x_t]=-\sigma\nabla\log p_t(x_t)$, and what is left is its conditional variance.
# For standard normal data $x_t$ is standard normal, too, $\epsilon^*=\sigma x_t$, and the remainder is $1-\sigma^2=\bar\alpha_t$.

# %%
x0, eps = torch.randn(2, 100_000, 1, generator=generator)
t = torch.full((100_000,), 4)
perfect = lambda x, t: (1 - alphas_bar[t]).sqrt()[:, None] * x
losses = score.ddpm_loss(perfect, x0, t, eps, alphas_bar=alphas_bar)
check_close_mc(
    "floor of the loss at t = 5: alpha bar",
    losses,
    alphas_bar[4].item(),
    unlike={"a network that says 0": eps**2, "zero": (eps - eps) ** 2},
)

# %% [markdown]
# **A common misconception:** *the network learns to predict the noise, so a perfect network has loss zero.* For a single draw the loss can be zero, but a network that achieves this for *every* draw
# does not exist. The floor is what the picture still hides. (That was question 2.)
#
# **Is $L_{\text{simple}}$ denoising score matching?** Yes, up to a weight and a change of scale. With $s=-\hat\epsilon/\sigma$ the summed square is $2\sigma^2$ times lesson 11's
# $J_{DSM}=\frac12\mathbb E\lVert s+\epsilon/\sigma\rVert^2$. And lesson 11 adds noise without shrinking the data: its $\tilde x$ is our $x_t/\sqrt{\bar\alpha_t}$, its noise level for the same picture is
# $\tilde\sigma=\sqrt{(1-\bar\alpha_t)/\bar\alpha_t}$, and its score is $\sqrt{\bar\alpha_t}$ times ours, so in lesson 11's own terms the factor is $2\tilde\sigma^2$. The check takes lesson 11's loss, which adds its own noise, in three dimensions.

# %%
a = alphas_bar[4].item()
x0, eps = torch.randn(2, 1000, 3, generator=generator)
t = torch.full((1000,), 4)
some_network = lambda x, t: torch.sin(x)
level = math.sqrt((1 - a) / a)  # the noise of lesson 11's path
its_score = lambda y: -some_network(math.sqrt(a) * y, t) / level
summed = 3 * score.ddpm_loss(some_network, x0, t, eps, alphas_bar=alphas_bar)
its_loss = score.dsm_loss(its_score, x0, eps, sigma=level)
check(
    "L_simple, summed = 2 sigma^2 J_DSM of lesson 11",
    summed,
    2 * level**2 * its_loss,
    unlike={"sigma of this lesson's path": 2 * (1 - a) * its_loss},
)
shrinking = data.noised(math.sqrt(a), math.sqrt(1 - a))  # this lesson's path
growing = data.noised(1.0, math.sqrt((1 - a) / a))  # lesson 11's path
places = torch.linspace(-2, 2, 9)[:, None]
check(
    "same score, after the change of scale",
    shrinking.score(places),
    growing.score(places / math.sqrt(a)) / math.sqrt(a),
    unlike={"not divided again": growing.score(places / math.sqrt(a))},
)


# %% [markdown]
# ## 5. The equations become code
#
# Both algorithms are three lines. Training: draw a step, draw noise, take a square. Sampling: start from noise, and walk the mean of step 12 with fresh noise of variance $v_t$, none at the end.

# %%
def my_loss(eps_model, x0, t, eps, alphas_bar):
    a = alphas_bar[t][:, None]
    x_t = a.sqrt() * x0 + (1 - a).sqrt() * eps
    return ((eps - eps_model(x_t, t)) ** 2).mean(1)


def my_sample(eps_model, x, betas, variances, generator):
    alphas_bar = (1 - betas).cumprod(0)
    for t in range(len(betas) - 1, -1, -1):
        eps_hat = eps_model(x, torch.full((len(x),), t))
        x = (x - betas[t] / (1 - alphas_bar[t]).sqrt() * eps_hat) / (1 - betas[t]).sqrt()
        if t > 0:
            x = x + variances[t].sqrt() * torch.randn(x.shape, generator=generator)
    return x


x0, eps = torch.randn(2, 6, 3, generator=generator)
t = torch.tensor([0, 1, 4, 5, 8, 9])
check(
    "my_loss = genlab.score.ddpm_loss",
    my_loss(linear_network, x0, t, eps, alphas_bar),
    score.ddpm_loss(linear_network, x0, t, eps, alphas_bar=alphas_bar),
    unlike={
        "alpha bar for its root": my_loss(linear_network, x0, t, eps, alphas_bar**2)
    },
)
start = torch.randn(6, 3, generator=generator)
seed = lambda: torch.Generator().manual_seed(1)
options = {"betas": betas, "variances": best, "generator": seed()}
check(
    "my_sample = genlab.score.ddpm_sample",
    my_sample(linear_network, start, betas, best, seed()),
    last(score.ddpm_sample(linear_network, start, **options)),
    unlike={
        "steps of width beta": my_sample(linear_network, start, betas, betas, seed())
    },
)

# %% [markdown]
# **Test the sampler before there is a network.** With normal data the exact network is linear, and mean and variance of what comes out obey a recursion. For the two peaks of step 7 nothing is linear, but they live on a line: the sampler's law can be
# pushed through all its steps on a grid, each step one matrix product, and the samples must follow *that* law, steps few or many. What remains is the difference between that law and the data: the sampler's own error, computed without a single draw.

# %%
start = torch.randn(50_000, 1, generator=generator)
x = my_sample(linear_network, start, betas, best, generator)
check_close_mc(
    "normal data: variance of samples = its recursion",
    x**2,
    (model_variance(best) - best[0]).item(),
    unlike={"noise at the last step, too": model_variance(best)},
)


def sampler_law(T, small=False, n=601, stretch=1.0):
    """Places y and exact P(x_0 <= y) of the ancestral sampler with a perfect network."""
    b = score.linear_rate_betas(T)
    a = score.alphas_bar_from_betas(b)
    network = score.exact_eps_model(data, a)
    v = stretch * (score.posterior_variances(b) if small else b)
    x = torch.linspace(-5, 5, n)
    density = Normal(0.0, 1.0).log_prob(x).exp()
    for t in range(T - 1, -1, -1):
        eps_hat = network(x[:, None], torch.full((n,), t))
        mean = score.ddpm_step(x[:, None], eps_hat, 0 * eps_hat, beta=b[t], alpha_bar=a[t], variance=v[t])
        if t > 0:  # the last step is a map without noise: it moves the places
            density = density * (x[1] - x[0]) @ Normal(mean, v[t].sqrt()).log_prob(x).exp()
    return mean[:, 0], torch.cat([torch.zeros(1), torch.cumulative_trapezoid(density, x)])


def gap_to_data(law):
    """Largest difference to the distribution function of the two peaks."""
    y, below = law
    return (below - 0.5 * (Normal(-1.0, 0.1).cdf(y) + Normal(1.0, 0.1).cdf(y))).abs().max().item()


# %%
b, n = score.linear_rate_betas(20), 100_000
network = score.exact_eps_model(data, score.alphas_bar_from_betas(b))
y, below = sampler_law(20)


def gap_of_samples(variances):
    """Largest difference between the samples' distribution function and the exact one."""
    x = my_sample(
        network, torch.randn(n, 1, generator=generator), b, variances, generator
    )
    return (torch.searchsorted(x.flatten().sort().values, y) / n - below).abs().max()


check_range(
    "20 steps: gap between samples and their exact law",
    gap_of_samples(b),
    0.0,
    0.006,
    digits=4,
    unlike={"variance 10 % too large": gap_of_samples(1.1 * b)},
)
own_error = {steps: gap_to_data(sampler_law(steps)) for steps in (20, 200)}
print(f"error of the sampler itself: 200 steps {own_error[200]:.4f}")
check_range(
    "20 steps: error of the sampler itself",
    own_error[20],
    0.0338,
    0.0348,
    digits=4,
    unlike={"variance 5 % too large": gap_to_data(sampler_law(20, stretch=1.05))},
)

# %% [markdown]
# ## 6. Real digits
#
# One U-Net of 128,000 weights is told the step and the digit to draw; in a tenth of the rows the digit is withheld, so the same network also knows the law of all digits together. Its weights jitter, because each loss is a random step and a
# random noise; for sampling we use their running average (`genlab.train.fit`). 600 steps, a quarter of a minute or so.

# %%
torch.set_default_dtype(torch.float32)
recipe = find("digit_diffusion")
model = recipe.untrained()
first_rate, last_rate = recipe.settings["first"], recipe.settings["last"]
records = widgets.watch(recipe.train(model, to_unit(images), labels), total=recipe.settings["n_steps"], label="mean square")
final = sum(r.loss for r in records[-100:]) / 100
print("weights:", sum(p.numel() for p in model.parameters()), "| likelihood:", likelihood_kind(model))
check_range(
    "loss, mean of the last 100 steps",
    final,
    0.065,
    0.095,
    unlike={"first 20 steps": sum(r.loss for r in records[:20]) / 20},
)

# %% [markdown]
# The loss started near 1, which is what predicting nothing costs, and has stopped near 0.08. Is that good? By itself the number says nothing: its floor is unknown. So look at the samples, and ask a judge that has never seen a diffusion model: a support-vector
# machine fitted to the real training images. We sample ten of each digit, once as the network says, $\epsilon_\theta(x_t,t,c)$, and once *guided*: the difference between told and not told, doubled. Lesson 13 derives that; here it is one line.

# %%
from sklearn.svm import SVC

judge = SVC(gamma=0.001).fit(images.flatten(1).numpy(), labels.numpy())
accuracy = lambda levels, said: float((judge.predict(levels.flatten(1).numpy()) == said.numpy()).mean())
print(f"judge on real test digits: ~{accuracy(test_images, test_labels):.3f}")

asked = torch.arange(10).repeat(10)


def draw(eps_model, variances, seed=0):
    g = torch.Generator().manual_seed(seed)
    start = torch.randn(len(asked), 1, 8, 8, generator=g)
    return score.ddpm_sample(eps_model, start, betas=model.betas, variances=variances, generator=g)


told, untold = model.eps_model(asked), model.eps_model()
guided = lambda x, t: untold(x, t) + 2 * (told(x, t) - untold(x, t))
plain = last(draw(told, model.betas))
film = list(draw(guided, model.betas))
sharp = film[-1]
check_range(
    "conditional samples recognised",
    accuracy(from_unit(plain), asked),
    0.88,
    1.0,
    digits=2,
    unlike={
        "not told the digit": accuracy(
            from_unit(last(draw(untold, model.betas))), asked
        )
    },
)
print(f"guided samples recognised: ~{accuracy(from_unit(sharp), asked):.2f}")

# %%
figure, (left, middle, right) = plt.subplots(1, 3, figsize=(10, 1.9))
real = torch.stack([to_unit(images)[labels == c][k] for k in range(4) for c in range(10)])
course.show_images(left, real, title="real digits")
course.show_images(middle, plain[:40].clamp(-1, 1), title="samples, told the digit")
course.show_images(right, sharp[:40].clamp(-1, 1), title="samples, guided")
figure, ax = plt.subplots(figsize=(9, 1.8))
frames = torch.cat([film[k][3:4] for k in (0, 40, 60, 65, 70, 75, 80, 85, 90, 95, 99)])
course.show_images(ax, frames.clamp(-1.5, 1.5), n_columns=11, title="one guided sample after 1, 41, 61, 66, 71, ..., 96, 100 steps back")


# %% [markdown]
# **The bound, in bits per dimension.** First the kind, then the number, then where it comes from. The network's errors $m_t$, measured on training images, give the best step widths of step 15.

# %%
def bits(nats):
    return bits_per_dim(nats.double().mean(), 64).item()


x_test = to_unit(test_images)
generator = torch.Generator().manual_seed(12)
seen = {}


def remember(x, t):
    """The network without the class, each step computed once: both widths need the same answers."""
    if int(t[0]) not in seen:
        seen[int(t[0])] = untold(x, t)
    return seen[int(t[0])]


with torch.no_grad():
    some = to_unit(images[:100])
    eps = torch.randn((T, *some.shape), generator=generator)
    errors = score.noise_errors(untold, some, eps, alphas_bar=model.alphas_bar)
    eps = torch.randn((T, *x_test.shape), generator=generator)
    terms = {}
    tilde = score.posterior_variances(model.betas)
    best = score.optimal_variances(errors, model.betas)
    for name, v in {"beta": model.betas, "best": best}.items():
        terms[name] = score.ddpm_vlb_terms(remember, x_test, eps, betas=model.betas, variances=v, bins=GREY)
    kind, values = log_likelihood(model, x_test[:20], generator=generator)
print(f"kind: {kind}; the model's own estimate on 20 images: ~{bits(-values):.2f} bits/dim")
check_range(
    "bits/dim (bound), steps of the best width",
    bits(terms["best"].sum(0)),
    2.2,
    2.4,
    digits=2,
    unlike={"width beta": bits(terms["beta"].sum(0))},
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.1))
share = [bits(row) for row in terms["best"]]
left.bar(range(T), share[:-1], color="#0072B2", width=1.0)
left.set(xlabel="step t (0 is the last step of sampling)", ylabel="bits per dimension", title="where the bits of a digit are paid", xlim=(-1, 50))
right.plot(range(T), best / model.betas, color="#009E73", label="best width, measured")
right.plot(range(T), tilde / model.betas, color="#E69F00", linestyle="--", label="$\\tilde\\beta_t$, known $x_0$")
right.axhline(1, color="#222222", linewidth=1, linestyle="-")
right.text(60, 0.93, "$\\beta_t$", va="top")
right.set(xlabel="step t", ylabel="variance / $\\beta_t$", title="how wide a step back", ylim=(0, 1.08))
right.legend(loc="lower right")
check_range(
    "share of the bits paid in the first ten steps",
    sum(share[:10]) / sum(share),
    0.7,
    0.9,
    digits=2,
    unlike={"steps that cost alike": 10 / len(share)},
)
print(f"bits/dim of the prior's term: ~{share[-1]:.5f}")

# %% [markdown]
# Most of the bits are spent in the first tenth of the chain, on grey levels that nobody would miss; what the simple loss looks at costs almost none. A better bound and better pictures are different aims, and this figure is why.
# The step widths alone move the number by a quarter of a bit, without touching the network.
#
# **Conditional, and dequantised.** Two more numbers, each of its own kind. Told the digit, the bound improves. By how much *may* it? A digit has ten values, so knowing it is worth at most $\log10=2.30$ nats on average, if both numbers were likelihoods.

# %%
with torch.no_grad():
    told_terms = score.ddpm_vlb_terms(model.eps_model(test_labels), x_test, eps, betas=model.betas, variances=best, bins=GREY)
    y = dequantize(test_images, 17, generator=generator)  # in [0, 1)
    spread = (17 * y - 0.5) / 8 - 1  # each level's own bin, in the model's units
    density = score.ddpm_vlb_terms(untold, spread, eps, betas=model.betas, variances=best)
gain = (terms["best"].sum(0) - told_terms.sum(0)).mean()
print(f"told the digit: bits/dim (bound) ~{bits(told_terms.sum(0)):.2f}")
check_range("gain in nats", gain, 4, 11, digits=1, unlike={"log 10": math.log(10)})

check_range(
    "choose a digit, then draw it: bits/dim (bound)",
    bits(told_terms.sum(0)) + math.log2(10) / 64,
    2.1,
    2.26,
    digits=2,
    unlike={"never told": bits(terms["best"].sum(0))},
)
check_range(
    "dequantised: bits/dim (bound on a bound)",
    bits(density.sum(0)) + 3,
    2.38,
    2.65,
    digits=2,
    unlike={
        "with bins": bits(terms["best"].sum(0)),
        "log 8 forgotten": bits(density.sum(0)),
    },
)

# %% [markdown]
# The gain is *more* than $\log10$. So the two numbers cannot belong to one joint law with likelihoods in place of bounds: without the digit, the bound is looser, or the network (which practised that case on a tenth of its rows) is a worse model, or both; a bound cannot say which.
# It can be mended for free. A model that first draws the digit and then the image has $P(x)=\sum_c\frac1{10}P(x\mid c)\ge\frac1{10}P(x\mid c)$ for the true $c$, so its bound is the conditional one minus $\log10$: the third line, and better than the network that is never told. The dequantised number pays a second gap, and the network never saw values between the levels. (The width of a bin is $1/8$, hence the $\log_28=3$.)
#
# PixelCNN's *exact* number in lesson 02 is better than all of these. A bound of a model trained with another weighting is not where diffusion shines; that is said of its samples, and lesson 15 will measure both.
#
# ## 7. Schedules, and learning one
#
# **Step 19. Infinitely many steps.** With $v_t=\tilde\beta_t$ the weight of step 13 is $\frac12(\mathrm{SNR}_{t-1}/\mathrm{SNR}_t-1)=\frac12(e^{\gamma_t-\gamma_{t-1}}-1)$ and the constant is zero. Let the steps shrink: the bracket becomes $d\gamma$, and the sum an integral
# over the noise level,
# $$\mathcal L_\infty=\tfrac12\int_{\gamma_0}^{\gamma_1}\mathbb E\,\lVert\epsilon-\hat\epsilon(x_\gamma,\gamma)\rVert^2\,d\gamma .$$
# Time has disappeared. Schedules with the same end points have *the same bound*, as a substitution does not change an integral. (Question 3.) For normal data the integrand is $1/(1+e^\gamma/s^2)$, so the integral is elementary:
# $\frac12\log\frac{1+s^2e^{-\gamma_0}}{1+s^2e^{-\gamma_1}}$.

# %%
torch.set_default_dtype(torch.float64)
gamma_0, gamma_1 = -6.0, 6.0
closed = 0.5 * math.log((1 + s**2 * math.exp(-gamma_0)) / (1 + s**2 * math.exp(-gamma_1)))
u = torch.linspace(0, 1, 20_001)
shapes = {"straight": u, "slow start": u**3, "slow middle": 0.5 + 0.5 * (2 * u - 1) ** 3}
in_time, without_slope = [], []
for shape in shapes.values():
    gamma = gamma_0 + (gamma_1 - gamma_0) * shape
    integrand = 0.5 / (1 + gamma.exp() / s**2)
    in_time.append(torch.trapezoid(integrand, gamma).item())
    without_slope.append(torch.trapezoid(integrand, u).item())
check(
    "integral in time: straight, slow start, slow middle",
    in_time,
    closed,
    atol=1e-6,
    unlike={"gamma'(t) forgotten": without_slope},
)

totals = []
for n in (10, 20, 40, 80):
    gamma = torch.linspace(gamma_0, gamma_1, n + 1)
    totals.append(0.5 * (torch.expm1(gamma.diff()) / (1 + gamma[1:].exp() / s**2)).sum().item() - closed)
print("nats above the integral with 10, 20, 40, 80 steps:", "  ".join(f"{x:.4f}" for x in totals))
check_range(
    "halving the step divides the excess by",
    totals[2] / totals[3],
    1.9,
    2.2,
    unlike={"a quarter of the step": totals[1] / totals[3]},
)

# %% [markdown]
# Deeper is tighter, at first order in the step.
#
# **Step 20. What a schedule can still do.** In training, the integral is estimated from random times: $\frac12\gamma'(t)\lVert\cdot\rVert^2$ has the same *mean* for every schedule and a different *variance*. Its second moment is $\frac14\int\gamma'\,\mathbb E\lVert\cdot\rVert^4\,d\gamma$, and with density of levels $p=1/\gamma'$ it
# is least for $p\propto\sqrt{\mathbb E\lVert\cdot\rVert^4}$: look where the error is. Variational diffusion models learn $\gamma(t)$ with a monotone network; ours is a histogram of 20 bins, learned by gradient descent on the second moment. The network is the one trained above: it is
# asked at real-valued times, and at levels between those of its 100 steps.

# %%
torch.set_default_dtype(torch.float32)
left = score.log_snr(model.alphas_bar)
ends = -left[0].item(), -left[-1].item()


def at_level(x, gamma):
    """The trained network at a noise level gamma: find the time of that level on its schedule."""
    area = torch.nn.functional.softplus(gamma)  # -log alpha_bar
    slope = last_rate - first_rate
    u = ((first_rate**2 + 2 * slope * area).sqrt() - first_rate) / slope
    return untold(x, T * u - 1)


def estimates(schedule, x, generator):
    """One estimate of the integral for each image, from one random level each."""
    n = len(x)
    t = (torch.rand(1, generator=generator) + torch.arange(n) / n) % 1
    gamma = schedule(t[torch.randperm(n, generator=generator)]).detach()
    with torch.no_grad():
        noise = torch.randn(x.shape, generator=generator)
        return gamma, score.vdm_term(at_level, x, noise, gamma, schedule.slope(gamma))


class AsTrained:
    """The linear schedule between the same two ends, as a map from time to level."""

    def __call__(self, t):
        u = (1 + (T - 1) * t) / T  # the first of 100 steps to the last
        area = first_rate * u + 0.5 * (last_rate - first_rate) * u**2
        return torch.log(torch.expm1(area))

    def slope(self, gamma):
        area = torch.nn.functional.softplus(gamma)
        rate = (first_rate**2 + 2 * (last_rate - first_rate) * area).sqrt()
        return (T - 1) / T * rate / -torch.expm1(-area)  # d gamma / d area = 1 / (1 - e^-area)


# %%
generator = torch.Generator().manual_seed(12)
train_x = to_unit(images)
histogram = score.LevelHistogram(*ends, 20)
optimizer = torch.optim.Adam(histogram.parameters(), lr=0.1)
for _ in range(40):
    rows = torch.randint(len(train_x), (64,), generator=generator)
    gamma, term = estimates(histogram, train_x[rows], generator)
    now = histogram.slope(gamma)
    loss = score.second_moment(term, now.detach(), now).mean() / 1000  # Adam does not care
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

# %%
repeated = x_test.repeat(10, 1, 1, 1)
results = {}
for name, schedule in {"as trained": AsTrained(), "even in gamma": score.LevelHistogram(*ends, 20), "learned": histogram}.items():
    _, term = estimates(schedule, repeated, generator)
    results[name] = (bits(term), (term / (64 * math.log(2))).std().item())
    print(f"{name:14} mean ~{results[name][0]:.2f} bits/dim   standard deviation ~{results[name][1]:.2f}")
with torch.no_grad():
    steps = score.ddpm_vlb_terms(remember, x_test, eps, betas=model.betas, variances=tilde.clamp(min=1e-8), bins=GREY)
between = {"small": steps, "beta": terms["beta"], "best": terms["best"]}
between = {name: bits(rows[1:-1].sum(0)) for name, rows in between.items()}
infinite = results["learned"][0]
print(
    "between the ends, 100 steps:",
    ", ".join(f"{k} width ~{v:.2f}" for k, v in between.items()),
)
check_range(
    "what 100 steps of the best width cost, bits/dim",
    between["best"] - infinite,
    0.1,
    0.25,
    unlike={name: between[name] - infinite for name in ("small", "beta")},
)
ratio = lambda name, k: results[name][k] / results["learned"][k]
check_range(
    "same mean, even / learned",
    ratio("even in gamma", 0),
    0.93,
    1.07,
    digits=2,
    unlike={"100 steps, best width": between["best"] / infinite},
)
check_range(
    "variance, even / learned",
    ratio("even in gamma", 1) ** 2,
    8.0,
    30.0,
    digits=1,
    unlike={"ratio of the deviations": ratio("even in gamma", 1)},
)
print(f"variance, as trained / learned: ~{ratio('as trained', 1) ** 2:.0f}")

# %%
figure, ax = plt.subplots(figsize=(6.5, 2.8))
levels = torch.linspace(ends[0] + 0.01, ends[1] - 0.01, 400)
ax.plot(levels, 1 / histogram.slope(levels).detach(), color="#009E73", drawstyle="steps-mid", linestyle="-", label="learned")
ax.plot(levels, 1 / AsTrained().slope(levels), color="#0072B2", linestyle="--", label="as trained")
ax.set(xlabel="noise level $\\gamma = -\\log$ SNR", ylabel="density of visits", title="where to look, if the bound is the aim")
ax.legend();

# %% [markdown]
# The trained schedule spends its visits on noisy levels, where pictures are decided; the bound's variance comes from the other end. With the learned one, the same number is known from a small fraction of the draws. The *pictures* would not thank you for it: this is a schedule for
# likelihoods.
#
# *And what does a chain of only 100 steps pay for being finite?* That depends on the width of its steps. With step 15's widths it is one sixth of a bit per pixel between the same two ends (0.16 to 0.17 over three training seeds). The classic widths make it look worse: a third of a bit with $\beta_t$, more than half a bit with $\tilde\beta_t$, most of
# which is the wrong width and not the finite chain.
#
# ## 8. It fails: what goes wrong, on purpose
#
# **Too few steps.** A perfect network and too few ancestral steps, on the two peaks of step 7. The exact step is two-humped, the sampler's is one normal. All numbers here are exact laws, not samples.

# %%
torch.set_default_dtype(torch.float64)
steps = (5, 10, 20, 50, 100, 200)
gaps = {"$v_t=\\beta_t$": [gap_to_data(sampler_law(k)) for k in steps],
        "$v_t=\\tilde\\beta_t$": [gap_to_data(sampler_law(k, small=True)) for k in steps]}  # fmt: skip
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.0))
for name, values in gaps.items():
    left.plot(steps, values, "o-", label=name)
left.set(xscale="log", yscale="log", xlabel="steps of the sampler", ylabel="largest gap of the CDFs", title="a perfect network, walked too fast")
left.legend()
for k, colour, style in ((10, "#D55E00", "-"), (200, "#009E73", "--")):
    y, below = sampler_law(k, small=True)
    right.plot(0.5 * (y[1:] + y[:-1]), below.diff() / y.diff().clamp(min=1e-9), color=colour, linestyle=style, label=f"{k} steps, $\\tilde\\beta_t$")
places = torch.linspace(-2, 2, 401)
right.plot(places, data.log_prob(places[:, None]).exp(), color="#222222", linewidth=1, linestyle="-", label="the law")
right.set(xlabel="x", ylabel="density", xlim=(-1.7, 1.7), ylim=(0, 9), title="what comes out")
right.legend()
large, small = gaps.values()
check_range(
    "gap with 10 steps, small width",
    small[1],
    0.148,
    0.15,
    digits=4,
    unlike={
        "variance 5 % too large": gap_to_data(sampler_law(10, small=True, stretch=1.05))
    },
)
check_range(
    "gap with 10 steps over gap with 200, large width",
    large[1] / large[-1],
    21,
    23,
    digits=1,
    unlike={"small width": small[1] / small[-1]},
)

# %% [markdown]
# On the digits: the same network, walked back in 5, 10, 20 and 100 steps. A network for 100 steps serves a shorter chain as well, if it is asked at the right times; `linear_rate_betas` cuts the same noise into fewer pieces, so that step $k$ of $S$ is step $kT/S$ of $T$.
# The judge measures legibility, the Fréchet distance of lesson 09 (here in the course's own features) everything at once.

# %%
torch.set_default_dtype(torch.float32)
from genlab.metrics.features import load_classifier
from genlab.metrics.distances import frechet_distance

features = load_classifier().features
real_features = features(images).double()
distance = lambda x: frechet_distance(real_features, features(8 * (x.clamp(-1, 1) + 1)).double()).item()


def walked_in(S):
    """Told the digit, in S steps instead of 100."""
    b = score.linear_rate_betas(S)
    g = torch.Generator().manual_seed(1)
    stretched = lambda x, t: told(x, (t + 1) * T / S - 1)
    start = torch.randn(len(asked), 1, 8, 8, generator=g)
    return last(score.ddpm_sample(stretched, start, betas=b, variances=b, generator=g))


quality = {S: walked_in(S) for S in (5, 10, 20)}
quality[100] = plain
for S, x in quality.items():
    print(f"{S:4} steps: recognised ~{accuracy(from_unit(x), asked):.2f}, Fréchet distance ~{distance(x):.2f}")
check_range(
    "Fréchet distance, 5 steps over 100 steps",
    distance(quality[5]) / distance(plain),
    1.7,
    3.5,
    digits=1,
    unlike={"20 steps over 100": distance(quality[20]) / distance(plain)},
)
figure, axes = plt.subplots(1, 4, figsize=(10, 1.4))
for ax, (S, x) in zip(axes, quality.items(), strict=True):
    course.show_images(ax, x[:10].clamp(-1, 1), n_columns=5, title=f"{S} steps")

# %% [markdown]
# The digits are legible at any number of steps. What is wrong is their distribution, and only a distributional metric notices. *Repair:* more steps; or a sampler that does not pretend that one long step is normal. That is DDIM, lesson 13, on the same network.
#
# **A schedule that does not arrive.** Take the famous numbers, $10^{-4}$ to $0.02$, with $T=100$: $\bar\alpha_T=0.36$. A third of the picture's variance is still there at the last step, but sampling starts from pure noise. The prior's term sees it at once.

# %%
with torch.no_grad():
    prior = {}
    for name, b in schedules.items():
        b = b.float()
        end = score.alphas_bar_from_betas(b)[-1]
        nothing = lambda x, t: 0 * x
        prior[name] = score.ddpm_vlb_terms(nothing, x_test, eps, betas=b, variances=b)[-1].mean().item()
        print(f"{name:22} alpha bar at the end {end:.1e}, prior's term {prior[name]:10.4f} nats")
check_range(
    "prior's term, made for 1000 steps and cut at 100",
    prior["linear, made for 1000"],
    9,
    13,
    digits=1,
    unlike={"made for 100": prior["linear, made for 100"]},
)

# %% [markdown]
# *Repair:* keep $T\beta$, as `linear_rate_betas` does, or look at $\bar\alpha_T$ before training, or print the prior's term.
#
# **Too much noise at the end, for this parameterisation.** Now the opposite: the cosine schedule ends at $\log\mathrm{SNR}\approx-15$. Its first step back has $\beta_T=0.999$, and an error of $\hat\epsilon$ enters the next state multiplied by
# $\beta_T/\sqrt{\alpha_T(1-\bar\alpha_T)}\approx32$. We walk our own network down a cosine of 50 steps, asking it at the levels it knows.

# %%
b = score.cosine_betas(50)
a = score.alphas_bar_from_betas(b)
slope = last_rate - first_rate
times = T * ((first_rate**2 - 2 * slope * a.log()).sqrt() - first_rate) / slope - 1
on_cosine = lambda x, t: told(x, times.clamp(max=T - 1)[t])


def clipped(x, t):
    """The same network, its guess of the data kept inside the range of the data."""
    alpha, sigma = a[t].sqrt(), (1 - a[t]).sqrt()
    x0_hat = score.x0_from_eps(x, on_cosine(x, t), alpha, sigma).clamp(-1, 1)
    return score.eps_from_x0(x, x0_hat, alpha, sigma)


amplified = lambda b, a: (b[-1] / ((1 - b[-1]) * (1 - a[-1])).sqrt()).item()
check_range(
    "an error of the noise, after one step back, grows by",
    amplified(b, a),
    31,
    32.5,
    digits=1,
    unlike={"on the schedule of the training": amplified(model.betas, model.alphas_bar)},
)
walks = {}
for name, network in {"as it is": on_cosine, "clipped": clipped}.items():
    g = torch.Generator().manual_seed(0)
    start = torch.randn(len(asked), 1, 8, 8, generator=g)
    states = list(score.ddpm_sample(network, start, betas=b, variances=b, generator=g))
    walks[name] = states[0].std().item(), accuracy(from_unit(states[-1]), asked)

# %%
check_range(
    "as it is: standard deviation after one step (not 1)",
    walks["as it is"][0],
    1.4,
    2.4,
    digits=2,
    unlike={"clipped": walks["clipped"][0]},
)
check_range(
    "clipped: recognised",
    walks["clipped"][1],
    0.88,
    1.0,
    digits=2,
    unlike={"as it is": walks["as it is"][1]},
)

# %% [markdown]
# The network's error of a few per cent has nearly doubled the state's spread in one step; the network has never seen such inputs, and the pictures suffer. *Repairs*, all in use: clip the guess of $x_0$ to the data's range, as here; predict $v$, whose error is never amplified
# (section 4); or end the schedule earlier, as ours does. It is also why our U-Net was not trained on the cosine.
#
# **Noise at the last step.** Forgetting "none at the end" adds noise of standard deviation $\sqrt{\beta_0}$ to finished pictures, less than half a grey level. Nobody sees it. But four pixels are blank in every training image, and there it can be measured.

# %%
blank = (images == 0).all(0)[0]
off = lambda x: (x[:, 0, blank] + 1).square().mean().sqrt().item()
g = torch.Generator().manual_seed(3)
spoilt = plain + model.betas[0].sqrt() * torch.randn(plain.shape, generator=g)
print("pixels that are always blank:", int(blank.sum()))
check(
    "ink in blank pixels: variances add",
    off(spoilt),
    math.sqrt(off(plain) ** 2 + model.betas[0].item()),
    rtol=0.1,  # 400 pixels
    unlike={
        "as sampled": off(plain),
        "noise of variance beta^2": math.hypot(off(plain), model.betas[0].item()),
    },
)
shift = from_unit(spoilt) != from_unit(plain)
print(f"fraction of pixels whose level it changes: ~{shift.double().mean():.2f}")

# %% [markdown]
# *Repair:* no noise at $t=0$. The bound must keep it (a normal of width zero has no density), so sampler and bound differ in this one step; both say so in `genlab`.
#
# ## Predict first, again
#
# 1. Around step 34 of 100, at a log SNR near $-0.8$ (section 1).
# 2. No. For standard normal data it is $\bar\alpha_t$ (step 18).
# 3. Nothing: only the ends of the SNR matter (step 19). The variance of its estimate changes a lot (step 20).
# 4. Too sharp and misplaced: the peaks are too narrow, and some of the mass is stranded between them (section 8).
#
# ## Exercises
#
# Replace each `...`; an untouched exercise prints "not attempted". `course.hint("12....")` gives up to three hints. Worked solutions are in `solutions/`.

# %%
x_5 = ...  # x_0 = 2, beta = 0.1 in every step, eps = 0.3

course.exercise("12.shortcut", x_5)


# %%
def weight(beta, alpha_bar, v):
    """Weight of the squared noise error (summed over dimensions) in the bound, in nats."""
    ...


course.exercise("12.bound-weight", weight)


# %%
def loss_ratio(alpha_bar):
    """Squared error of v divided by squared error of eps, for the same guess of x_0."""
    ...


course.exercise("12.v-against-eps", loss_ratio)


# %%
def noise_loss(eps_model, x0, t, eps, betas):
    """Mean square error of the predicted noise, one number for each example."""
    ...


course.exercise("12.training-step", noise_loss)


# %%
def walk_back(eps_model, x_T, z, betas):
    """Ancestral sampler with v = beta; z[t] is the fresh noise of step t, z has shape (T, b, d)."""
    ...


course.exercise("12.sampler", walk_back)

# %% [markdown]
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(12)

# %% [markdown]
# ## Summary
#
# 1. The chain trades signal for noise; any of its steps is reached in one jump, $x_t=\sqrt{\bar\alpha_t}x_0+\sqrt{1-\bar\alpha_t}\epsilon$.
# 2. Given $x_0$, one step back is normal: condition a joint normal law.
# 3. Without $x_0$ it is normal only in the limit of small steps; hence the many passes.
# 4. A diffusion model is a deep latent model whose guess at the posterior is fixed; its ELBO is a prior term, $T-1$ divergences and a last step.
# 5. Each divergence is a weighted square of the noise error; $L_{\text{simple}}$ drops the weights.
# 6. The best width of a step is the posterior's plus the network's ignorance: $\tilde\beta_t$ if the data are a single point, $\beta_t$ if they are standard normal; digits lie between.
# 7. A discrete image gets a valid number from bins at the last step, or from dequantisation, and both are bounds.
# 8. Noise, data, $v$ and score are the same prediction under different weights.
# 9. In the limit only the ends of the SNR matter for the bound; the schedule decides the variance.
# 10. The loss has a floor above zero: it is what the noise hides.
#
# | paradigm | objective | sampler | passes | likelihood | pays |
# |---|---|---|---|---|---|
# | diffusion (DDPM) | noise prediction at random levels, a reweighted ELBO | ancestral chain | $T$ | bound | many passes |
#
# **What production systems add.** Larger U-Nets or transformers; latents instead of pixels; $v$- or flow-targets and weights chosen by SNR; samplers of 1 to 50 steps; guidance. The mathematics is the one above.
#
# ## Sources
#
# - Sohl-Dickstein et al. 2015, "Deep Unsupervised Learning using Nonequilibrium Thermodynamics" (arXiv:1503.03585): the chain and its bound, section 2.
# - Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models" (arXiv:2006.11239): eq. 2 to 8, 12 to 14, algorithms 1 and 2, appendix A for the telescoping.
# - Nichol and Dhariwal 2021, "Improved Denoising Diffusion Probabilistic Models" (arXiv:2102.09672): eq. 17, the cosine.
# - Kingma et al. 2021, "Variational Diffusion Models" (arXiv:2107.00630): eq. 11 to 20, the bound in continuous time and the learned SNR.
# - Salimans and Ho 2022, "Progressive Distillation" (arXiv:2202.00512): section 4 and appendix D, the $v$ target.
# - Bao et al. 2022, "Estimating the Optimal Covariance with Imperfect Mean" (arXiv:2206.07309): the best width for a given network.
# - Song et al. 2021 (arXiv:2011.13456): eq. 33, the linear rate in continuous time.
