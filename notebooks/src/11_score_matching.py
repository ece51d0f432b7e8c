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
# # 11 · Score matching and score-based generation
#

# %% jupyter={"source_hidden": true}
import math

import torch

import genlab_course as course
from genlab import score, solvers
from genlab.core import integrate, kl_on_grid, last
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.nn.layers import MLP
from genlab.oracles import Empirical, Gaussian, GaussianMixture
from genlab_course import check, check_range, widgets
from genlab_course.figures import film, lesson_11, show

course.begin(lesson=11)


# %% jupyter={"source_hidden": true}
def islands(share):
    """Two round normals at -2 and 2, a fraction `share` of the mass in the left one."""
    return GaussianMixture(
        torch.tensor([share, 1 - share]),
        torch.tensor([[-2.0, 0.0], [2.0, 0.0]]),
        torch.tensor([0.5, 0.5]),
    )


def exactly(mixture):
    """The same mixture in double precision."""
    numbers = mixture.weights, mixture.means, mixture.stds
    return GaussianMixture(*(v.double() for v in numbers))


data = islands(0.8)
on_left = lambda x: (x[:, 0] < 0).float().mean().item()
sigmas = score.noise_ladder(6.0, 0.1, 16)
score_at = lambda sigma: data.noised(1.0, sigma).score
exact = lambda x, level: score_at(float(level[0]))(x)  # (n, 2), one level for all
rng = torch.Generator().manual_seed(11)
start = sigmas[0] * torch.randn(2000, 2, generator=rng)


@torch.no_grad()
def walk(slope, step_size):
    """Where 2,000 walkers are after 600 Langevin steps from a wide start."""
    begin = 5 * torch.randn(2000, 2, generator=rng)
    options = {"step_size": step_size, "n_steps": 600, "generator": rng}
    return last(solvers.langevin(slope, begin, **options))


# %% tags=["keep-output"] jupyter={"source_hidden": true}
options = {"step_size": 0.02, "n_steps": 320, "generator": rng}
single = [start, *solvers.langevin(score_at(0.1), start, **options)]
options = {"rate": 0.3, "n_steps": 20, "generator": rng}
many = [start, *score.annealed_langevin(exact, start, sigmas, **options)]
frames = range(0, 321, 16)
level = lambda k: float(sigmas[min(max(k - 1, 0) // 20, 15)])
film(
    lesson_11.pour(
        {"One level": [(0.1, single[k]) for k in frames],
         "Sixteen levels": [(level(k), many[k]) for k in frames]}, score_at
    ),
    "Two thousand walkers follow arrows, 400 of them drawn as dots. On the left the "
    "arrows lead to the nearer of two islands, and about half of the walkers end on "
    "either. On the right the arrows first lead to one middle, then part as the noise "
    "falls from 6 to 0.1; nearly four in five walkers end on the left island.",
    seconds=6.0,
    width=540,
)  # fmt: skip

# %% [markdown]
# Two thousand walkers, and arrows that tell each of them where to go. The data are two islands: 80 % of them lie on the left one, 20 % on the right. In the left film every arrow is exactly right, and yet half of the walkers end on the right island, where one in five belongs. In the right film the arrows belong to *blurred* data, and the blur shrinks as the walkers go. They part nearly as the data do.
#
# The arrows are the **score**, the slope of the log-density. Lesson 10 trained energies by chains inside the training loop. Here no chain is needed: add noise to the data, ask a network to point back, and its best answer is the score of the noisy data. How can pointing at noise, which nobody can guess, teach anything exact? And why is one amount of noise never enough?
#
# **After this lesson you will be able to**
#
# - *derive* the loss that learns a score from samples alone, and the value below which no network can bring it;
# - *turn* a score into a denoiser and back;
# - *explain*, with numbers, three ways in which a single noise level fails;
# - *build* the loss over many levels and annealed Langevin sampling, and *draw* islands and digits with them;
# - *explain* why a perfect network would only return its training examples.
#
# You need Langevin steps (lesson 10), normal densities and Bayes' rule (lesson 05), and PyTorch.
#
# Two sittings of about 74 and 75 minutes, exercises included; the cells run in 40 seconds.

# %% [markdown]
# ## Predict first
#
# Write your guess in place of the dots and run the cell. Each one is shown to you again where the lesson answers it.
#
# 1. Data from the standard normal, noise of the same size. A *perfect* network is asked which noise was added. Its loss is half the mean squared error. Is that 0, 0.25, 0.5 or 1?

# %%
course.exercise("11.predict-floor", ...)  # 0, 0.25, 0.5 or 1

# %% [markdown]
# 2. In the left film half of the walkers are on the left island after 320 steps. Let such walkers go on along exact arrows. Which fraction of them is on the left after 10,000 steps? (A number from 0 to 1. The data have 0.8.)

# %%
course.exercise("11.predict-share", ...)

# %% [markdown]
# 3. Each island has the standard deviation 0.5. You train on data with noise of standard deviation 1, and your network is perfect. How wide is an island of its samples: 0.5, 0.75, 1 or 1.12?

# %%
course.exercise("11.predict-width", ...)  # 0.5, 0.75, 1 or 1.12

# %% tags=["keep-output"] jupyter={"source_hidden": true}
course.draw_map(lesson=11, slim=True)

# %% [markdown]
# ## 1. What does a score know?
#
# **Step 1. The constant is gone.** A density $p=e^{-E}/Z$ has the score
# $$s(x)=\nabla_x\log p(x)=-\nabla_xE(x),\tag{1}$$
# because $\log Z$ does not depend on $x$. The score points uphill, towards data, and it is all that lesson 10's Langevin step asks for: $x\leftarrow x+\eta\,s(x)+\sqrt{2\eta}\,z$. Whoever has the score can sample.
#
# *The tiny case of this lesson:* data from $\mathcal N(0,1)$. Then $\log p=-\frac12x^2+\text{const}$ and $s(x)=-x$: from everywhere it points to 0.
#
# **Step 2. The loss that needs the answer.** A network $s_\theta$ should be close to the score where the data are:
# $$J(\theta)=\tfrac12\,\mathbb E_{x\sim p}\,\big\lVert s_\theta(x)-\nabla\log p(x)\big\rVert^2.\tag{2}$$
# This is **explicit score matching**. It contains $\nabla\log p$, which is what we are looking for. We have samples of $p$, and nothing else.

# %% [markdown]
# ## 2. How can noise give the answer?
#
# **Step 3. Spoil the data on purpose.** Take a clean example $x_0$ and add noise of known size: $\tilde x=x_0+\sigma\epsilon$ with $\epsilon\sim\mathcal N(0,I)$. *Given* $x_0$, the density of $\tilde x$ is a normal, and the slope of its logarithm needs no network:
# $$\nabla_{\tilde x}\log q(\tilde x\mid x_0)=-\frac{\tilde x-x_0}{\sigma^2}=-\frac{\epsilon}{\sigma}.\tag{3}$$
# It points from the noisy example back to the clean one. In the tiny case with $\sigma=1$: the clean $2$ gets the noise $0.5$ and becomes $2.5$; the slope there is $-0.5$. Other clean examples can become $2.5$ as well, with other slopes:

# %% jupyter={"source_hidden": true}
x0, eps = torch.randn(2, 3000, generator=rng)
line = torch.linspace(-4.5, 4.5, 200)
show(
    lesson_11.targets(x0 + eps, -eps, line, -line / 2),
    "A cloud of 3,000 dots: noisy inputs from -4 to 4 against targets from -3 to 3, "
    "slanting downwards. A straight line through the middle of the cloud, minus half "
    "of the input, is their mean. At the input 2.5 one row has the target -0.5; the "
    "mean there is -1.25.",
)


# %% [markdown]
# Every dot is a slope from (3), and the black line is their mean at each input: $-\tilde x/2$. At $2.5$ it is $-1.25$, and the row from above is one of many. Now look at what that line is. The *noised* data are $\mathcal N(0,2)$, and $-\tilde x/2$ is their score. Is this an accident of the normal?
#
# **Step 4. The mean of these slopes is a score.** Forget $x_0$. The noisy examples have the density $p_\sigma(\tilde x)=\int p(x_0)\,q(\tilde x\mid x_0)\,dx_0$, a blurred copy of the data's. Differentiate under the integral, with $\nabla q=q\,\nabla\log q$:
# $$\nabla\log p_\sigma(\tilde x)=\frac{\int p(x_0)\,q(\tilde x\mid x_0)\,\nabla\log q(\tilde x\mid x_0)\,dx_0}{p_\sigma(\tilde x)}=\mathbb E\Big[-\frac{\epsilon}{\sigma}\;\Big|\;\tilde x\Big].\tag{4}$$
# The weights $p(x_0)\,q(\tilde x\mid x_0)/p_\sigma(\tilde x)$ are Bayes' rule: how likely each clean example is to stand behind the noisy one. So each single slope is as random as the noise. Their average, given what you see, is exact.
#
# **Step 5. So regress.** The function of $\tilde x$ with the least mean squared distance from a random target is the target's conditional mean. By (4) that is the score. This is **denoising score matching** (Vincent 2011):
# $$J_{\mathrm{DSM}}(\theta)=\tfrac12\,\mathbb E\,\big\lVert s_\theta(x_0+\sigma\epsilon)+\epsilon/\sigma\big\rVert^2.\tag{5}$$
# No unknown is left in it.
#
# **Your turn 11.1 · the loss** *(build, 10 minutes)*. Write (5) for a batch: `x0` and `eps` have the shape $(n,d)$, `sigma` is a number, and `score(x)` answers with a slope for each row. Return one number for each row. Slips to avoid: $\epsilon$ for $\epsilon/\sigma$; the clean example shown to the network; a mean over the $d$ numbers, where a squared length is a sum. **Your** loss trains the next networks.

# %%
def my_loss(score, x0, eps, sigma):
    """The denoising loss of each row."""
    ...


course.exercise("11.dsm-loss", my_loss)
course.solution("11.dsm-loss")

# %%
dsm_loss = course.yours("11.dsm-loss")


def train(model, loss_of, draw, n_steps, rate):
    """Steps of Adam on batches `draw()`, at a rate that falls in the second half."""
    adam = torch.optim.Adam(model.parameters(), lr=rate)
    for step in range(n_steps):
        adam.param_groups[0]["lr"] = rate * min(1, 2 - 2 * step / n_steps)
        loss = loss_of(draw()).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()


bumps = GaussianMixture(
    torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.4, 0.5])
)
torch.manual_seed(0)
net, sigma = MLP(1, 1, 64, 2), 0.5
noise = lambda x0: torch.randn(x0.shape, generator=rng)
with_yours = lambda x0: sigma**2 * dsm_loss(net, x0, noise(x0), sigma)
train(net, with_yours, lambda: bumps.sample(512, generator=rng), 400, 1e-2)

# %% jupyter={"source_hidden": true}
line = torch.linspace(-4, 4, 401)[:, None]
blurred = bumps.noised(1.0, sigma)
learned = net(line).detach()
curves = {"yours": learned, "noised data": blurred.score(line),
          "clean data": bumps.score(line)}  # fmt: skip
show(
    lesson_11.slopes(line[:, 0], {name: c[:, 0] for name, c in curves.items()}),
    "Three curves of the score against x. Yours and that of the noised data lie on one "
    "another between -3 and 3; that of the clean data is about twice as steep.",
)
density = blurred.log_prob(line).exp()
gap = lambda s: integrate(density * (learned - s)[:, 0].square(), line[:, 0]).item()
size = integrate(density * blurred.score(line)[:, 0].square(), line[:, 0]).item()
check_range("your network's squared error, over the score's size",
            gap(blurred.score(line)) / size, 0.0, 0.05, digits=3,
            unlike={"the clean data's": gap(bumps.score(line)) / size})  # fmt: skip


# %% [markdown]
# From 200,000 random targets, each as wrong as its noise, your network has found a curve that was never among them. (The factor $\sigma^2$ in the cell only keeps the loss of order one; it moves no minimum.)
#
# ## 3. How low can the loss get?
#
# **Step 6. What has been matched.** Compare (5) with (2), written for the *noised* data. Expand both squares:
#
# $$\begin{aligned}J_{\mathrm{DSM}}&=\tfrac12\mathbb E\lVert s_\theta\rVert^2+\mathbb E\big[s_\theta\cdot\tfrac{\epsilon}{\sigma}\big]+\tfrac12\mathbb E\big\lVert\tfrac{\epsilon}{\sigma}\big\rVert^2,\\J_\sigma&=\tfrac12\mathbb E\lVert s_\theta\rVert^2-\mathbb E\big[s_\theta\cdot\nabla\log p_\sigma\big]+\tfrac12\mathbb E\lVert\nabla\log p_\sigma\rVert^2.\end{aligned}$$
#
# The first terms are the same. So are the middle ones: average $-\epsilon/\sigma$ for fixed $\tilde x$ first, and (4) turns one into the other. The last terms differ, and in $D$ dimensions $\mathbb E\lVert\epsilon\rVert^2=D$:
# $$J_{\mathrm{DSM}}=J_\sigma+C_\sigma,\qquad C_\sigma=\frac{D}{2\sigma^2}-\tfrac12\,\mathbb E\,\lVert\nabla\log p_\sigma\rVert^2.\tag{6}$$
# $C_\sigma$ does not contain the network. It is a **floor**: the loss of a perfect network.
#
# **Your turn 11.2 · the floor** *(derive, 5 minutes)*. What is $C_\sigma$ for data from $\mathcal N(0,s^2)$ on a line? First write down the score of the noised data.

# %%
def my_floor(s, sigma):
    """The least denoising loss on data N(0, s^2) with noise sigma."""
    ...


course.exercise("11.floor", my_floor)
course.solution("11.floor")

# %% [markdown]
# The check asks your loss from 11.1 for the value at the best answer of the tiny case, $-\tilde x/2$, with 200,000 draws. How many times the floor does it give at the score of the *clean* data, $-x$?

# %%
floor = course.yours("11.floor")
x0, eps = torch.randn(2, 200_000, 1, generator=rng)
loss_with = lambda a: dsm_loss(lambda x: -a * x, x0, eps, 1.0).mean().item()

# %% jupyter={"source_hidden": true}
check_range("your loss at the best answer, over your floor",
            loss_with(0.5) / floor(1.0, 1.0), 0.98, 1.02, unlike={
                "at the clean score": loss_with(1.0) / floor(1.0, 1.0)})  # fmt: skip
course.predicted("11.predict-floor", floor(1.0, 1.0))
a = torch.linspace(-0.2, 2.2, 100)
show(
    lesson_11.parabolas(a, (1 - a) ** 2 / 2, (a - 0.5) ** 2 + floor(1.0, 1.0)),
    "Two parabolas of the loss against a. The distance from the clean score is lowest "
    "at a = 1, with the value 0; the denoising loss at a = 0.5, with 1/4.",
)

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
side, weight = torch.linspace(-8, 8, 321), 0.05**2
pairs = torch.cartesian_prod(side, side)  # every x0 with every noise
joint = (exactly(bumps).log_prob(pairs[:, :1]) - pairs[:, 1] ** 2 / 2).exp() * weight
joint = joint / math.sqrt(2 * math.pi)
fine, blurred = torch.linspace(-8, 8, 1601)[:, None], exactly(bumps).noised(1.0, 0.6)
mean = lambda values: integrate(blurred.log_prob(fine).exp() * values, fine[:, 0])
constant = 1 / (2 * 0.6**2) - mean(blurred.score(fine)[:, 0] ** 2) / 2
left, right, no_floor = [], [], []
for model in (torch.cos, lambda x: 0 * x, blurred.score):
    left.append((joint * dsm_loss(model, pairs[:, :1], pairs[:, 1:], 0.6)).sum().item())
    explicit = mean((model(fine) - blurred.score(fine))[:, 0] ** 2) / 2
    right.append((explicit + constant).item())
    no_floor.append(explicit.item())
with course.more_checks():
    check("(6), by integrals over the plane and the line", left, right, atol=1e-6,
          unlike={"no floor": no_floor})  # fmt: skip
torch.set_default_dtype(torch.float32)


# %% [markdown]
# Twice the floor: 0.5.
#
# **A common misconception:** *a well trained network has a denoising loss of zero.* It cannot: from $\tilde x$ nobody can tell which $\epsilon$ was drawn. The row of step 3, with the target $-0.5$ at the input $2.5$, looks as if $s(x)=-0.2\,x$ were perfect; that answer costs 0.34 on average. And losses at different $\sigma$ cannot be compared: in the tiny case the floor is 49.5 at $\sigma=0.1$ and 0.00005 at $\sigma=10$.
#
# ## 4. What stands behind the noise?
#
# **Step 7. Ask for the clean example.** Equation (4) also says what the noise was on average: $\mathbb E[\epsilon\mid\tilde x]=-\sigma\,\nabla\log p_\sigma(\tilde x)$. Whoever knows the mean noise can subtract it.
#
# **Your turn 11.3 · the clean guess** *(derive, 5 minutes)*. From lesson 12 on, the data are shrunk as well: $x_t=\alpha x_0+\sigma\epsilon$, and (4) stays as it is. What is $\mathbb E[x_0\mid x_t]$, given `x_t` and the score there?

# %%
def my_clean_guess(x_t, score, alpha, sigma):
    """The mean of x0 behind x_t = alpha x0 + sigma eps."""
    ...


course.exercise("11.tweedie", my_clean_guess)
course.solution("11.tweedie")

# %% [markdown]
# With $\alpha=1$ it reads
# $$\mathbb E[x_0\mid\tilde x]=\tilde x+\sigma^2\,\nabla\log p_\sigma(\tilde x),\tag{7}$$
# **Tweedie's formula**. It assumes nothing about the data. In the tiny case, behind $2.5$ stands $2.5-1.25=1.25$ on average: half of what is seen. The check compares it with a posterior mean over the islands' components, which contains no score.

# %% jupyter={"source_hidden": true}
clean_guess = course.yours("11.tweedie")
x = 2 * torch.randn(50, 2, generator=rng)
slope, by_bayes = score_at(0.8)(x), data.denoiser(x, 1.0, 0.8)
check("(7) = the posterior mean", clean_guess(x, slope, 1.0, 0.8), by_bayes,
      atol=1e-5, unlike={"sigma for sigma squared": x + 0.8 * slope})  # fmt: skip

# %% [markdown]
# ## 5. Is one level enough?
#
# Choose a noise, train, run Langevin. It fails in three ways, and a larger network mends none of them. The data are the two islands of the film.
#
# **First failure: exact arrows, wrong shares.** Close to the left island the density is $0.8\,\mathcal N_1$, everything else being negligible, and $\nabla\log(0.8\,\mathcal N_1)=\nabla\log\mathcal N_1$. The share is a constant, and constants are gone. Only between the islands does the score know of both, and there is hardly any density. How long does a chain need to cross? The two coordinates move independently, so lesson 10's matrix of one Langevin step on a line tells the fraction on the left after any number of steps, without a draw.

# %%
ends = walk(data.score, 0.02)  # 600 Langevin steps with the exact score, (2000, 2)

# %% jupyter={"source_hidden": true}
places = torch.linspace(-15, 15, 601).double()
flat = torch.stack([places, torch.zeros_like(places)], 1)
slope = exactly(data).score(flat)[:, 0]
matrix = solvers.langevin_matrix(slope, places, step_size=0.02)
begin = (-(places**2) / 50).softmax(0)
power = torch.linalg.matrix_power
after = lambda n: (begin @ power(matrix, n))[places < 0].sum().item()
shares = {n: after(n) for n in (600, 10_000, 100_000)}
for n, there in shares.items():
    print(f"{n:7,d} steps: fraction on the left {there:.3f}")
course.predicted("11.predict-share", shares[10_000])
with course.more_checks():
    check_range("your walkers after 600 steps", on_left(ends), 0.47, 0.57, digits=2,
                unlike={"after 100,000": shares[100_000]})  # fmt: skip


# %% [markdown]
# After 600 steps the fraction is that of the *start*, about one half; within each island everything is right. After 10,000 it is 0.64, and it takes 100,000 steps to come near 0.8.
#
# **Second failure: much noise learns another distribution.** Train at $\sigma=1$. The network learns the score of $p_1$, whose islands have the variance $0.5^2+1^2$.
#
# **Third failure: little noise leaves deserts.** Train at $\sigma=0.1$. Now $p_\sigma$ is nearly $p$. But the loss is an average over $p_\sigma$: where no data fall, nobody corrects the network, and there the chains begin. Five trainings, which differ only in their seed:

# %%
def at_one_level(sigma, seed):
    """A network trained with your loss at one level, on the islands."""
    torch.manual_seed(seed)
    net = MLP(2, 2, 64, 2)
    loss_of = lambda x0: sigma**2 * dsm_loss(net, x0, noise(x0), sigma)
    train(net, loss_of, lambda: data.sample(256, generator=rng), 400, 5e-3)
    return net


coarse = at_one_level(1.0, 0)
wide = walk(coarse, 0.05)
fines = [at_one_level(0.1, seed) for seed in range(5)]
by_fine = [on_left(walk(net, 0.02)) for net in fines]

# %% jupyter={"source_hidden": true}
grid = lesson_11.lattice(91, 4.5)
true = score_at(0.1)(grid)
wrong = ((fines[0](grid) - true).norm(dim=1) / (1 + true.norm(dim=1))).detach()
show(
    lesson_11.one_level(coarse, wrong, data, ends, on_left(ends)),
    "Left: arrows learned at noise 1, pointing at two islands that are too wide. "
    "Middle: the error of those learned at 0.1, dark near the islands, bright between "
    "and far from them. Right: chains with the exact score, half on either island.",
)
print("learned at 0.1, five seeds, on the left:", *[f"~{f:.2f}" for f in by_fine])
course.predicted("11.predict-width", math.sqrt(0.5**2 + 1))
of_data = data.sample(2000, generator=rng)[:, 1].std()
check_range("learned at 1: width of an island", wide[:, 1].std(), 1.03, 1.22,
            unlike={"of the data": of_data})  # fmt: skip
x = data.noised(1.0, 1.0).sample(4000, generator=rng)
error = lambda s: ((coarse(x) - s).square().sum() / s.square().sum()).item()
with course.more_checks():
    check_range("learned at 1: error", error(score_at(1.0)(x)), 0.0, 0.02, digits=3,
                unlike={"from the data's score": error(data.score(x))})  # fmt: skip

# %% [markdown]
# At $\sigma=1$ the network is right about the wrong distribution. At $\sigma=0.1$ the five disagree, because each filled the desert in a way of its own. Some come close to 0.8. That is luck: the exact score of that level gives 0.5.
#
# **Pause.** A good place to stop. You have a loss that any network can be trained on, and its best value; and you have seen it fail at a large noise, at a small one, and with no noise at all. A question to carry: could several levels mend what each of them breaks?

# %% [markdown]
# ## 6. Why not all levels at once?
#
# Use many levels, and *one* network that is told its level.
#
# **Step 8. Noise makes islands meet.** Take two equal islands at $\mp a$ of variance $s^2$. With noise the variance is $v=s^2+\sigma^2$. On the line between them $p_\sigma\propto e^{-(x+a)^2/2v}+e^{-(x-a)^2/2v}$, and so
# $$\nabla\log p_\sigma(x)=\frac{a\tanh(ax/v)-x}{v}\approx\frac{a^2-v}{v^2}\,x\quad\text{near }0.\tag{8}$$
# While $v<a^2$, the arrows in the middle point *outwards*: there is a valley. From $\sigma^2=a^2-s^2$ on there is one hill, and walkers cross freely. For equal islands here that is $\sigma=1.94$; with shares of 80 and 20 % the smaller hill is gone at 1.3, as drawn below.

# %% jupyter={"source_hidden": true}
line = torch.linspace(-4, 4, 201)
across = torch.stack([line, torch.zeros(201)], 1)
heights = {s: data.noised(1.0, s).log_prob(across) for s in (0.1, 0.7, 1.3, 2.0, 4.0)}
show(
    lesson_11.hills(line, heights),
    "The log-density along the line through both islands: at noise 0.1 a deep valley, "
    "at 0.7 a shallow one, from 1.3 on a single hill that leans to the left.",
)
even, h = exactly(islands(0.5)), torch.tensor([[1e-4, 0.0]]).double()
bend = lambda s: even.noised(1.0, s).score(h)[0, 0] / h[0, 0]
v = 0.5**2 + torch.tensor([0.7, 1.9366, 3.0]).double() ** 2
with course.more_checks():
    check("(8): the slope in the middle", [bend(s).item() for s in (0.7, 1.9366, 3.0)],
          (4 - v) / v**2, atol=1e-5,
          unlike={"one island": -1 / v})  # fmt: skip


# %% [markdown]
# **Step 9. One network, one loss.** Draw a level for each row, and average the losses (5) with a weight $\lambda$:
# $$\tfrac12\,\mathbb E_{\sigma,x_0,\epsilon}\;\lambda(\sigma)\,\big\lVert s_\theta(x_0+\sigma\epsilon,\ \sigma)+\epsilon/\sigma\big\rVert^2.\tag{9}$$
# Why a weight? Without one, the smallest level drowns the others: its floor is about $D/2\sigma^2$. With $\lambda=\sigma^2$ each floor is at most $D/2$. High up, though, mistakes cost almost nothing: by (7) a clean guess that is wrong by $e$ has a slope that is wrong by $e/\sigma^2$, which costs $\sigma^2\cdot\frac12\lVert e\rVert^2/\sigma^4=\lVert e\rVert^2/2\sigma^2$. So we take $\lambda=\sigma^2(1+\sigma^2/s^2)$, with $s$ the standard deviation of the data. Then it costs at least $\lVert e\rVert^2/2s^2$ on every level, and the floor of normal data, yours times $\lambda$, is $\frac12$ a coordinate on each.
#
# **Your turn 11.4 · the loss over levels** *(build, 10 minutes)*. As 11.1, but each row has a level and a weight of its own: `sigma` and `weight` have the shape $(n,)$, and `score(x, sigma)` is told the levels. `x0` may be $(n,2)$ or $(n,1,8,8)$, so the levels must be given further axes: `sigma.reshape(-1, 1, ...)`, as many as `x0` has. Return one number for each row. **Your** loss trains everything below.

# %%
def my_level_loss(score, x0, eps, sigma, weight):
    """The weighted denoising loss of each row, at its own level."""
    ...


course.exercise("11.level-loss", my_level_loss)
course.solution("11.level-loss")

# %%
level_loss = course.yours("11.level-loss")


def over_levels(model, s):
    """The loss of a batch at random levels of the model's ladder."""

    def loss_of(x0):
        rung = torch.randint(len(model.sigmas), (len(x0),), generator=rng)
        sigma = model.sigmas[rung]  # (n,)
        weight = sigma**2 * (1 + sigma**2 / s**2)
        return level_loss(model.score, x0, noise(x0), sigma, weight)

    return loss_of


torch.manual_seed(0)
sigmas = score.noise_ladder(6.0, 0.1, 16)  # equal ratios, the largest first
body = score.LevelMLP(2, width=64, depth=2)
ladder = score.NCSN(body, sigmas, event_shape=(2,), data_std=1.5)
draw = lambda: data.sample(256, generator=rng)
train(ladder, over_levels(ladder, 1.5), draw, 1200, 5e-3)


# %% [markdown]
# This is a **noise-conditional score network**, NCSN (Song and Ermon 2019). `ladder.score` begins as the score of one normal, $-x/(s^2+\sigma^2)$, and the perceptron learns what is to be added.
#
# **Step 10. How long is a step?** By (7), $\sigma^2s$ leads from $x$ all the way to the clean guess. One Langevin step moves by $\eta\,s$ and shakes by $\sqrt{2\eta}\,z$. It goes the same fraction $r$ of that way on every level if
# $$\eta=r\,\sigma^2,\tag{10}$$
# with one rate $r$ for the whole ladder. Its shaking, $\sqrt{2r}\,\sigma z$, then shrinks in step with the noise that is still there. With $\eta=r\,\sigma$ and $r=0.3$ a step would go a twentieth of that way at $\sigma=6$, and three times the whole way at 0.1.
#
# **Your turn 11.5 · annealed Langevin** *(build, 12 minutes)*. Begin at `x`, noise of the first level. On each level of `sigmas` (falling) take `n_steps` Langevin steps with (10), and pass the points down to the next. At the end, remove the noise of the last level by Tweedie's formula. `score(x, level)` wants one level for each row: `sigma.expand(len(x))`. Draw the noise with `generator=rng`, and do not change `x` in place. **Your** function draws every sample below.

# %%
def my_annealed(score, x, sigmas, rate, n_steps, rng):
    """From noise at the first level down to samples."""
    ...


course.exercise("11.annealed", my_annealed)
course.solution("11.annealed")

# %%
annealed = course.yours("11.annealed")


@torch.no_grad()
def draw_with(score, sigmas, shape, rate, n_steps):
    x = sigmas[0] * torch.randn(shape, generator=rng)
    return annealed(score, x, sigmas, rate, n_steps, rng)


walkers = draw_with(ladder.score, sigmas, (2000, 2), 0.3, 20)

# %% jupyter={"source_hidden": true}
curves, stills = {}, {}
options = {"rate": 0.3, "n_steps": 20, "generator": rng}
for name, slope in (("exact scores", exact), ("your network", ladder.score)):
    x = sigmas[0] * torch.randn(4000, 2, generator=rng)
    states = [x, *score.annealed_langevin(slope, x, sigmas, **options)]
    curves[name] = [on_left(x) for x in states[::20]]
for k in (1, 6, 10, 13, 16):
    stills[f"σ = {sigmas[k - 1]:.2f}"] = states[20 * k]
curves["the data"] = [0.8] * 17
show(
    lesson_11.found(curves, stills, "Half and half becomes four to one"),
    "Walkers after levels 6, 1.5, 0.5 and so on: a cloud that draws in, leans to the "
    "left and parts. Below, the fraction on the left rises on the way down from one "
    "half to about four fifths, with your network as with exact scores.",
)
below = lambda x: (1 + torch.erf(x / math.sqrt(2))) / 2
for s in (6.0, 2.0, 0.89):
    reach = below(torch.tensor(2 / math.sqrt(0.5**2 + s**2)))
    print(f"data blurred by {s:g}: {0.2 + 0.6 * reach:.2f} of them on the left")
check_range("your ladder: on the left", on_left(walkers), 0.73, 0.86, digits=2,
            unlike={"one level, exact score": on_left(ends)})  # fmt: skip
with course.more_checks():
    check_range("your ladder: width of an island", walkers[:, 1].std(), 0.45, 0.55,
                digits=2, unlike={"learned at 1": wide[:, 1].std()})  # fmt: skip

# %% [markdown]
# The walkers end nearly as the data do. What decides the shares? The fraction of the *blurred* data on the left rises as the blur falls. The walkers follow it as long as they can cross the middle, and by then it is nearly 0.8. With exact scores a point or two is missing: the walkers do not quite keep up. Five trainings each, the fraction on the left (`python benchmarks/scores_11.py plane`):
#
# | trained at | on the left (data 0.80) | width of an island (data 0.50) |
# |---|---|---|
# | one level, $\sigma=0.1$ | 0.95, 0.75, 0.64, 0.64, 0.78 | 0.52 to 0.54 |
# | one level, $\sigma=1$ | 0.80, 0.77, 0.78, 0.78, 0.77 | 1.11 to 1.15 |
# | one level, $\sigma=2$ | 0.71, 0.69, 0.69, 0.69, 0.70 | 2.03 to 2.10 |
# | **the ladder** | 0.77, 0.79, 0.76, 0.81, 0.82 | 0.48 to 0.50 |
#
# A level of 1 comes close to the shares and misses the width, one of 0.1 the other way round. The ladder has both.
#
# Now walk with them: three islands with 60, 30 and 10 % of the data. Questions before you press play: how will the walkers divide at $\sigma=0.1$ with *one level*? How with *annealing*? And five walkers that you drop on one point, where do they end in either walk?

# %% tags=["keep-output"]
widgets.score_walk()

# %% [markdown]
# <details><summary>Answers</summary>
#
# With one level about a third ends on each island, and five from one point stay together: the arrows know only which island is near. With annealing 56, 30 and 13 %, close to the data, and the five go different ways.
# </details>
#
# ## 7. Does it draw digits?
#
# The digits have 64 pixels, scaled to $[-1,1]$, with a standard deviation of 0.75 a pixel. The farthest two are 9.6 apart, so the ladder begins at $\sigma_1=10$, where all digits are one hill. It ends at 0.2, one and a half grey levels. Fourteen levels have the ratio 1.35: noise in $D$ dimensions has the length $\sigma\sqrt D$, with a scatter of $1/\sqrt{2D}$ of it, 9 % for our 64 pixels, and a walker that comes down must look like what the next level was trained on.

# %%
digits = to_unit(load_digits("train").images)  # (1397, 1, 8, 8)
held_out = to_unit(load_digits("test").images)  # (200, 1, 8, 8)
torch.manual_seed(11)
levels = score.noise_ladder(10.0, 0.2, 14)
body = score.LevelMLP(64, width=256, depth=3)
model = score.NCSN(body, levels, event_shape=(1, 8, 8), data_std=0.75)
batch = lambda: digits[torch.randint(len(digits), (128,), generator=rng)]
train(model, over_levels(model, 0.75), batch, 1000, 2e-3)
drawn = draw_with(model.score, levels, (1000, 1, 8, 8), 0.1, 10)  # 141 evaluations

# %% jupyter={"source_hidden": true}
classifier = load_classifier()
features = lambda x: classifier.features(from_unit(x, whole=False))
reference = features(digits)
frechet = lambda x: frechet_distance(reference, features(x)).item()
pixels = digits.flatten(1)
normal = Gaussian(pixels.mean(0), torch.cov(pixels.T) + 1e-4 * torch.eye(64))
plain = normal.sample(1000, generator=rng).reshape(-1, 1, 8, 8)
show(
    lesson_11.digit_rows({"yours": drawn[:12], "": drawn[12:24],
                          "one normal": plain[:12], "digits": digits[:12]}),
    "Two rows of twelve of your samples, about half of them easy to read; a row of "
    "samples of one normal, mostly smears; a row of digits.",
)  # fmt: skip
quality = {"yours": frechet(drawn), "one normal": frechet(plain),
           "new digits": frechet(held_out)}  # fmt: skip
print(f"spread of a pixel: {digits.std():.2f}")
for name, distance in quality.items():
    print(f"Fréchet distance of {name}: ~{distance:.2f}")
check_range("yours: Fréchet distance", quality["yours"], 0.12, 0.32, digits=2,
            unlike={"one normal": quality["one normal"]})  # fmt: skip

# %% tags=["keep-output"] jupyter={"source_hidden": true}
x = levels[0] * torch.randn(12, 1, 8, 8, generator=rng)
options = {"rate": 0.1, "n_steps": 10, "denoise": True, "generator": rng}
states = list(score.annealed_langevin(model.score, x, levels, **options))
frames = [(f"σ = {levels[k]:.2f}", states[10 * k + 9] / (1 + levels[k] / 3))
          for k in range(14)] + [("denoised", states[-1])]  # fmt: skip
film(
    lesson_11.descent(frames),
    "Twelve walkers go down the ladder: static at noise 10, strokes in grey below 1, "
    "and at the end, denoised, digits; about half of them are easy to read.",
    seconds=5.0,
    width=440,
)

# %% [markdown]
# 141 network evaluations a sample, from noise that no training has seen. (New digits come out no nearer than yours, which flatters you: 200 samples make a Fréchet distance, lesson 09's, too large.)
#
# Was the second factor of the weight worth it? Two smaller networks that differ only in it were asked for the clean digit behind noise of 10. Compared with the best *linear* guess, three seeds each, their errors were 1.06, 1.06 and 1.07 times as large with the factor, and 1.62, 1.59 and 1.63 times without (`python benchmarks/scores_11.py top`).
#
# ## 8. Why is it no copying machine?
#
# **Step 11. The perfect network memorises.** The loss (9) is an average over 1,397 training digits. For these the minimum is known: by (4) it is the score of 1,397 blurred *points*, and its clean guess (7) is an average of training digits, each weighted by how near it is. At the end of its ladder that is one training digit. Call it the **memoriser**. We compare three denoisers on the digits of the training and on new ones: yours, the memoriser, and the best linear one.

# %%
memoriser = Empirical(digits)  # its score and denoiser are those of blurred points


# %% jupyter={"source_hidden": true}
def errors_at(sigma, x0):
    """Mean squared error of three denoisers, a pixel."""
    rows = torch.full((len(x0),), sigma)
    x = x0 + sigma * torch.randn(x0.shape, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        yours = clean_guess(x, model.score(x, rows), 1.0, sigma)
    linear = normal.denoiser(x.flatten(1), 1.0, sigma).reshape(x.shape)
    guesses = yours, linear, memoriser.denoiser(x, 1.0, sigma)
    return [(guess - x0).square().mean().item() for guess in guesses]


print("error a pixel            yours     linear    memoriser")
table = {}
for name, x0 in {"training digits": digits[:200], "new digits": held_out}.items():
    for sigma in (0.2, 0.5, 1.0):
        table[name, sigma] = row = errors_at(sigma, x0)
        print(f"{name:15} σ = {sigma}  " + "   ".join(f"~{e:.4f}" for e in row))
worse = {name: row[2] / row[0] for (name, sigma), row in table.items() if sigma == 0.2}
check_range("σ = 0.2, new digits: memoriser over yours", worse["new digits"], 2.5, 6.0,
            digits=1, unlike={"training digits": worse["training digits"]})  # fmt: skip

# %% [markdown]
# At small noise the memoriser makes no error on training digits, and on new ones four times yours. At $\sigma=1$ it averages over many digits, and beats yours on new ones too, so yours is not the best possible there. What each of them answers:

# %% jupyter={"source_hidden": true}
shown = (0.5, 1.0, 1.5, 2.2, 3.0)
x0, same = held_out[5:6], torch.randn(1, 1, 8, 8, generator=rng)
noisy = torch.cat([x0 + s * same for s in shown])
with torch.no_grad():
    slopes = model.score(noisy, torch.tensor(shown))  # a level for each row
recalled, guesses = [], []
for k, s in enumerate(shown):
    guesses.append(clean_guess(noisy[k], slopes[k], 1.0, s))
    recalled.append(memoriser.denoiser(noisy[k : k + 1], 1.0, s)[0])
faint = noisy / noisy.abs().amax((1, 2, 3), keepdim=True)
rows = {"noisy": faint, "yours": torch.stack(guesses),
        "memoriser": torch.stack(recalled)}  # fmt: skip
show(
    lesson_11.digit_rows({name: torch.cat([x0, row]) for name, row in rows.items()},
                         ["a new digit", *[f"σ = {s:g}" for s in shown]]),
    "A new digit with noise of 0.5 to 3; your guesses, sharp at 0.5 and a blur at 3; "
    "the memoriser's, a training digit at small noise and a blur at 3.",
)  # fmt: skip


# %% [markdown]
# At small noise, whatever you show the memoriser, it answers with the nearest digit that it knows. So a *lower training loss is not a better model*. That networks draw new digits at all is due to what they cannot fit: a smooth function of $\tilde x$ with a limited number of weights cannot jump from one training digit to the next.

# %% [markdown]
# ## 9. It fails
#
# **Noise taken for the slope.** Many networks are trained to answer with the noise $\epsilon$. A colleague has loaded one, `predict(x, level)`, into the sampler, with the function below, and gets `nan`.
#
# **Your turn 11.6 · from noise to slope** *(repair, 5 minutes)*. Repair the function. `level` has the shape $(n,)$, `x` is $(n,2)$ or $(n,1,8,8)$.

# %%
def colleagues_score(predict, x, level):
    return predict(x, level)


def my_score(predict, x, level):
    return ...


course.exercise("11.noise-for-slope", my_score)
course.solution("11.noise-for-slope")

# %% jupyter={"source_hidden": true}
slope_of = course.yours("11.noise-for-slope")
predict = lambda x, level: -level[:, None] * exact(x, level)  # an exact one
broken = {
    "as it was": lambda x, level: predict(x, level),
    "the sign alone": lambda x, level: -predict(x, level),
    "yours": lambda x, level: slope_of(predict, x, level),
}
width = {}
print("                width of an island (0.50)   on the left (0.80)")
for name, slope in broken.items():
    x = draw_with(slope, sigmas, (2000, 2), 0.3, 20)
    width[name] = x[:, 1].square().mean().sqrt().item()
    if not math.isfinite(width[name]):
        print(f"{name:14}          none: the walkers run away")
        continue
    print(f"{name:14}          ~{width[name]:<18.3g}   ~{on_left(x):.2f}")
check_range("yours: width of an island", width["yours"], 0.46, 0.56, digits=2,
            unlike={"the sign alone": width["the sign alone"]})  # fmt: skip

# %% [markdown]
# With the function as it was the walkers run away: the noise points away from the data. With the sign alone they stay, but at small levels the arrows are too weak by the factor $\sigma$, and the islands come out too wide.
#
# **A gap in the ladder.** Is it the number of levels that helps, or where they stand? The control has the *exact* scores, so no training can be blamed, and the same 320 steps each time.

# %%
upper = torch.logspace(math.log10(6.0), math.log10(3.0), 8)
lower = torch.logspace(math.log10(0.4), math.log10(0.1), 8)
ladders = {
    "two levels": score.noise_ladder(6.0, 0.1, 2),
    "three: 6, 0.77, 0.1": score.noise_ladder(6.0, 0.1, 3),
    "sixteen, none in 3 to 0.4": torch.cat([upper, lower]),
    "sixteen, equal ratios": sigmas,
}
ends_of = {}
for name, rungs in ladders.items():
    ends_of[name] = draw_with(exact, rungs, (4000, 2), 0.3, 320 // len(rungs))

# %% jupyter={"source_hidden": true}
print("                            on the left (0.80)   width (0.50)")
for name, x in ends_of.items():
    print(f"{name:27} ~{on_left(x):.2f}                ~{x[:, 1].std():.2f}")
shares = {name: on_left(x) for name, x in ends_of.items()}
with course.more_checks():
    check_range("equal ratios", shares.pop("sixteen, equal ratios"), 0.75, 0.83,
                digits=2, unlike={name: shares[name] for name in (
                    "two levels", "sixteen, none in 3 to 0.4")})  # fmt: skip

# %% [markdown]
# Sixteen levels are of little use if none stands where the hills part: the walkers come from one wide hill straight to two with a deep valley between them, and each climbs the nearer. A single level in the right place does more for the shares than thirteen in the wrong ones. Where hills part is not known in advance. So the levels have equal ratios, and no gap.
#
# ## Summary
#
# 1. The score $\nabla\log p$ does not contain $Z$, and Langevin steps need nothing else.
# 2. Add noise, regress on $-\epsilon/\sigma$: the mean of these targets, given the noisy input, is the score of the *noised* data.
# 3. The loss has a floor that no network can pass. Prediction 1: 0.25 in the tiny case.
# 4. Tweedie: $\mathbb E[x_0\mid\tilde x]=\tilde x+\sigma^2s$. A score is a denoiser.
# 5. One level fails. The exact score of the data gives chains the shares of their start (prediction 2: 0.64 after 10,000 steps, where the data have 0.80); much noise learns islands that are too wide (prediction 3: 1.12); little noise leaves deserts in which networks of other seeds differ.
# 6. Noise makes hills meet, and so a ladder of levels, with one network that is told its level and one loss, finds the shares. The weight $\sigma^2(1+\sigma^2/s^2)$ keeps all levels in sight.
# 7. Annealed Langevin: on each level a few steps of $r\sigma^2$, then down, and Tweedie at the end.
# 8. The perfect minimiser on finitely many examples memorises. What generalises is what a network cannot fit.
#
# | the cheat sheet's row | objective | sampler | evaluations | $\log p(x)$ | pays with |
# |---|---|---|---|---|---|
# | score (NCSN) | $\sum_i\lambda_i\,\tfrac12\mathbb E\lVert s_\theta+\epsilon/\sigma_i\rVert^2$ | annealed Langevin | levels × steps: 141 here | none | many evaluations a sample |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(11)


# %% [markdown]
# ## Project: sixty evaluations, and no copies
#
# *(2 to 3 hours.)* Draw digits nearly as well as above, with less than half of the evaluations, and show that they are no copies.
#
# **Target:** a Fréchet distance of at most 0.30 to the training digits, from 600 samples with at most 60 evaluations each, after each of three training seeds. The ladder, the rate, the steps a level and the training are yours to choose. With 1,500 training steps and the page's ladder we measured:
#
# | evaluations | rate $r$ | Fréchet distance, three seeds |
# |---|---|---|
# | 141 | 0.1 | 0.17, 0.21, 0.15 |
# | 57 | 0.1 | 1.04, 0.96, 0.96 |
# | 57 | 0.2 | 0.20, 0.28, 0.19 |
# | 57 | 0.3 | 0.23, 0.33, 0.21 |
#
# (`python benchmarks/scores_11.py project`.) Why do four steps at the rate 0.1 fail so badly? Compare the length of your walkers with that of noised data, level by level, before you change anything.
#
# **No copies:** print the median distance from a sample to its nearest training digit. Ours had 2.8 to 2.9; new digits have 2.05.
#
# **Now copies on purpose:** train on the first 50 digits only. After 400, 1,600 and 6,400 steps the median distance to the nearest of them was 3.5, 1.1 and 0.2, within 0.1 over three seeds, where new digits have 3.4. With 200 digits it was 3.7, 2.4 and 1.3 (new: 2.7), with all of them 3.7, 2.7 and 2.2 (`python benchmarks/scores_11.py copies`). So a network does become the memoriser, the sooner the fewer digits it has. Where would you stop the training?
#
# **Deliver** the table of what you tried, also of what lost; one row of samples, each above its nearest training digit; and a sentence on what you would not claim.
#
# The lesson ends here. Two optional sections:
#
# - *A score without noise*, 25 minutes
# - *What the levels know together*, 15 minutes
#
# ## Going further: a score without noise
#
# **Expand (2)** instead of adding noise. The middle term is $-\mathbb E_p[s\cdot\nabla\log p]$. On a line, $p\,(\log p)'=p'$, and by parts
# $$\mathbb E_p\big[s\,(\log p)'\big]=\int s\,p'\,dx=\big[s\,p\big]_{-\infty}^{\infty}-\int s'\,p\,dx=-\,\mathbb E_p[s'].\tag{11}$$
# The derivative has moved from the density, which we do not know, to the network, which we do. The same for each coordinate gives **Hyvärinen's objective** (2005),
# $$J_{\mathrm H}=\mathbb E_p\Big[\operatorname{tr}\nabla s(x)+\tfrac12\lVert s(x)\rVert^2\Big]=J-\tfrac12\,\mathbb E_p\lVert\nabla\log p\rVert^2.\tag{12}$$
# It needs that $s\,p$ vanishes at the border; for $p=e^{-x}$ on $x\ge0$ it is off by $p(0)\,s(0)$. And over finitely many points it has no minimum: let $s$ cross zero at each of them ever more steeply. In the tiny case with $s=-ax$ it is $-a+\frac12a^2$: lowest at $a=1$.
#
# The trace costs $D$ backward passes: 64 for a digit, 196,608 for a colour image of $256\times256$. A random direction $v$ with $\mathbb E[vv^\top]=I$ makes it one: $\mathbb E[v^\top\nabla s\,v]=\sum_{ij}\partial_is_j\,\mathbb E[v_iv_j]=\operatorname{tr}\nabla s$. That is **sliced score matching** (Song et al. 2019).
#
# **Your turn 11.7 · one slice** *(build, 10 minutes)*. Return $v^\top\nabla s(x)\,v+\frac12\lVert s(x)\rVert^2$ for each row of `x`, with the direction in the same row of `v`, and one backward pass. Training must be able to differentiate the result: `create_graph=True`.

# %%
def my_sliced(score, x, v):
    """Hyvarinen's objective along one direction for each row."""
    ...


course.exercise("11.sliced", my_sliced)
course.solution("11.sliced")

# %%
sliced = course.yours("11.sliced")
torch.manual_seed(0)
smooth = GaussianMixture(
    torch.tensor([0.4, 0.6]), torch.tensor([[-1.0, 0.0], [1.0, 0.5]]),
    torch.tensor([0.6, 0.8]),
)  # fmt: skip
free = MLP(2, 2, 64, 2)
signs = lambda x: torch.randint(2, x.shape, generator=rng) * 2.0 - 1  # +1 or -1
draw = lambda: smooth.sample(512, generator=rng)
train(free, lambda x: sliced(free, x, signs(x)), draw, 800, 1e-2)

# %% jupyter={"source_hidden": true}
x = smooth.sample(4000, generator=rng)
miss = lambda s: ((s - smooth.score(x)).square().sum()
                  / smooth.score(x).square().sum()).item()  # fmt: skip
normal_2d = smooth.moment_match().score(x)
check_range("without noise: squared error over the score's size", miss(free(x)),
            0.0, 0.08, digits=3, unlike={"one normal": miss(normal_2d)})  # fmt: skip
show(
    lesson_11.without_noise(free, smooth),
    "Two fields of arrows on the contours of a density with two merging hills. The "
    "exact arrows and those learned without noise agree nearly everywhere; at the "
    "lower edge, far from the data, a few of yours are turned.",
)
bent = lambda x: torch.sin(x) - 0.3 * x.flip(1)
x = torch.randn(6, 3, generator=rng)
all_signs = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 3)  # (8, 3)
over_all = torch.stack([sliced(bent, x, v.expand(6, 3)) for v in all_signs]).mean(0)
jacobian = torch.func.vmap(torch.func.jacrev(lambda x: bent(x[None])[0]))(x)
traces = jacobian.diagonal(dim1=1, dim2=2).sum(1)
with course.more_checks():
    half = bent(x).square().sum(1) / 2
    check("mean over all signs = the exact trace", over_all, traces + half, atol=1e-5,
          unlike={"all entries": jacobian.sum((1, 2)) + half})  # fmt: skip

# %% [markdown]
# It works, for smooth densities in few dimensions, without any noise. Where the data fill only a thin part of space, as images do, noise is what makes the score exist at all.
#
# **With noise, the same Jacobian says how sure a denoiser is.** The posterior of $x_0$ has the factor $e^{x_0\cdot\tilde x/\sigma^2}$, so its mean moves with $\tilde x$ at the rate of its covariance over $\sigma^2$. Differentiate Tweedie's formula:
# $$\mathrm{Cov}[x_0\mid\tilde x]=\sigma^2\big(I+\sigma^2\,\nabla\nabla^\top\log p_\sigma(\tilde x)\big).\tag{13}$$
# The floor of section 3 is this uncertainty: $C_\sigma=\mathbb E\operatorname{tr}\mathrm{Cov}[x_0\mid\tilde x]\,/\,2\sigma^4$. It vanishes only if the data are one single point.

# %% jupyter={"source_hidden": true}
points = Empirical(torch.randn(12, 2, generator=rng).double())
at = torch.tensor([[0.3, -0.4]]).double()
posterior = (-((at - points.points) ** 2).sum(1) / (2 * 0.8**2)).softmax(0)
away = points.points - posterior @ points.points
covariance = torch.einsum("n,ni,nj->ij", posterior, away, away)
blurred = points.noised(1.0, 0.8)
by_slope = score.posterior_covariance(blurred.score, at, alpha=1.0, sigma=0.8)[0]
check("(13): covariance behind the noise", by_slope, covariance, atol=1e-6,
      unlike={"all alike": torch.cov(points.points.T, correction=0)})  # fmt: skip

# %% [markdown]
#
# ## Going further: what the levels know together
#
# No small level sees the shares. Do all levels together? Let $\tau=\sigma^2$. Adding noise smears a density by the heat equation, $\partial_\tau p=\frac12\Delta p$. For two densities $p$ and $q$ that are noised alike, two integrations by parts give
# $$\partial_\tau\,\mathrm{KL}(p\,\Vert\,q)=\int\partial_\tau p\,\log\tfrac pq-\int\tfrac pq\,\partial_\tau q=-\tfrac12\,\mathbb E_p\big\lVert\nabla\log p-\nabla\log q\big\rVert^2=-J_\sigma.\tag{14}$$
# At infinite noise the KL is 0. Add up on the way down, with $d\tau=2\sigma^2\,d\log\sigma$:
# $$\mathrm{KL}(p\,\Vert\,q)=\int_{-\infty}^{\infty}2\sigma^2\,J_\sigma\;d\log\sigma.\tag{15}$$
# So explicit losses with the weight $\sigma^2$, on levels with equal ratios, add up to half of a KL. That is where the weight of (9) comes from. It is also why a score model can be good although no single level knows the shares.

# %%
torch.set_default_dtype(torch.float64)
uneven, even = exactly(islands(0.8)), exactly(islands(0.5))


def on_line(sigma):
    """J and KL of the two sets of islands at one level; the second axis cancels."""
    x = (5 + 9 * sigma) * torch.linspace(-1, 1, 2001)
    flat = torch.stack([x, torch.zeros_like(x)], 1)
    p, q = uneven.noised(1.0, sigma), even.noised(1.0, sigma)
    log_p, log_q = p.log_prob(flat), q.log_prob(flat)
    log_p, log_q = (v - integrate(log_p.exp(), x).log() for v in (log_p, log_q))
    gap = (p.score(flat) - q.score(flat)).square().sum(1) / 2
    return integrate(log_p.exp() * gap, x), kl_on_grid(log_p, log_q, x)


log_sigma = torch.linspace(math.log(0.01), math.log(300), 301)
j = torch.stack([on_line(s)[0] for s in log_sigma.exp().tolist()])
area = integrate(2 * log_sigma.exp() ** 2 * j, log_sigma).item()

# %% jupyter={"source_hidden": true}
whole = on_line(0.01)[1].item()
show(
    lesson_11.area(log_sigma, 2 * log_sigma.exp() ** 2 * j, whole),
    "A curve over the levels from 0.01 to 300: zero below 0.3, one hump between 0.5 "
    "and 10 with its top near 1.8, and zero above. Its area is the KL, 0.193 nats.",
)
print(f"J at σ = 0.1: {on_line(0.1)[0]:.6f}; KL of the two: {whole:.4f} nats")
check("(15): area over all levels = KL", area, whole, rtol=0.01,
      unlike={"weight 1": integrate(j, log_sigma).item()})  # fmt: skip
step = [on_line(math.sqrt(1 + d))[1] for d in (1e-4, -1e-4)]
with course.more_checks():
    check("(14) at σ = 1", (step[0] - step[1]) / 2e-4, -on_line(1.0)[0], atol=1e-7,
          unlike={"no half": -2 * on_line(1.0)[0]})  # fmt: skip
torch.set_default_dtype(torch.float32)

# %% [markdown]
# ## What production systems add
#
# U-Nets or transformers in place of perceptrons, averaged weights, a continuum of levels, and better samplers than Langevin: the chain of lesson 12, the solvers of lesson 13, the differential equations of lesson 14. The loss is (9), up to its weight. Where the *clean* score is known, as in physics, its own mean is a target with little variance at small noise (De Bortoli et al. 2024). Why networks generalise is under study: networks trained on two halves of the data come to the same denoiser once the halves are large (Kadkhodaie et al. 2024), and two limits, seeing locally and treating all places alike, predict much of what small convolutional models draw (Kamb and Ganguli 2025).
#
# ## Sources
#
# - Hyvärinen 2005, *JMLR* 6, eq. 2 and theorem 1. Song, Garg, Shi and Ermon 2019, "Sliced Score Matching" (arXiv:1905.07088), section 3.1.
# - Vincent 2011, "A Connection Between Score Matching and Denoising Autoencoders", *Neural Computation* 23, section 4 and appendix.
# - Efron 2011, "Tweedie's Formula and Selection Bias", *J. Amer. Statist. Assoc.* 106, eq. 2.8.
# - Song and Ermon 2019 (arXiv:1907.05600), sections 3 and 4, eqs. 5 and 6, algorithm 1; 2020 (arXiv:2006.09011), techniques 1, 2 and 4: the ladder, its ends and its ratio.
# - Karras et al. 2022 (arXiv:2206.00364), table 1 and appendix B: the weight, the scales and the memoriser.
# - Wenliang and Kanagawa 2020 (arXiv:2008.10087): why a score is blind to the shares of far modes. Lyu 2009, *UAI*, theorem 1: (14).
# - De Bortoli et al. 2024 (arXiv:2402.08667). Kadkhodaie et al. 2024 (arXiv:2310.02557). Kamb and Ganguli 2025 (arXiv:2412.20292).
# - Courses: Stanford CS236, lecture 13; Berkeley CS294-158.
