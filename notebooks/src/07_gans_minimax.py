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
# # 07 · GANs: the minimax game
#

# %% jupyter={"source_hidden": true}
import math

import torch
from torch import nn

import genlab_course as course
from genlab import adversarial, core
from genlab.data.digits import from_unit, load_digits, to_unit
from genlab.data.toys import GaussianRing
from genlab.metrics.coverage import precision_recall
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import load_classifier
from genlab.oracles import Gaussian, GaussianMixture
from genlab.train import fit_adversarial
from genlab_course import check, check_range, widgets
from genlab_course.figures import film, lesson_07, show

course.begin(lesson=7)


# %% tags=["keep-output"] jupyter={"source_hidden": true}
def perceptron(n_in, n_out, width=64):
    layers = (nn.Linear(n_in, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU())
    return nn.Sequential(*layers, nn.Linear(width, n_out))


ring = GaussianRing()
points = ring.sample(5000, generator=torch.Generator().manual_seed(0))  # (5000, 2)
z_shown = torch.randn(300, 2, generator=torch.Generator().manual_seed(1))
opening = {"The bare game": {}, "The same game with R1": {}}
for seen, gamma in zip(opening.values(), (0.0, 1.0), strict=True):
    torch.manual_seed(0)
    nets = perceptron(2, 2), perceptron(2, 1)
    gan = adversarial.GAN(*nets, latent_dim=2, event_shape=(2,), gamma=gamma)
    rng = torch.Generator().manual_seed(0)
    batches = (points[torch.randint(5000, (128,), generator=rng)] for _ in range(600))
    for r in fit_adversarial(
        gan, batches, n_steps=600, betas=(0.9, 0.99), generator=rng
    ):
        if r.step % 30 == 0:
            seen[r.step] = lesson_07.look(nets[0], lambda x: nets[1](x)[:, 0], z_shown)

# %% tags=["keep-output"] jupyter={"source_hidden": true}
film(
    lesson_07.game(opening, ring.means),
    "Blue dots, the samples, among eight black circles, the data. The ground is orange "
    "where the discriminator believes and blue where it doubts. On the left the dots "
    "run after the orange from one side of the ring to the other and never stay. On "
    "the right they spread and settle on all eight circles.",
    seconds=6.0,
    width=540,
)  # fmt: skip

# %% [markdown]
# The circles mark data: eight small clusters. The dots are the samples of one network, the *generator*. The colour is the opinion of another, the *discriminator*: orange where it believes that data live, pale where it is in two minds, blue where it suspects a fake. The samples climb towards the orange. The discriminator looks where they have gone and repaints. On the left, the two chase each other round the ring. On the right are the same two networks, from the same start, on the same data, and they settle. One term in one loss is the difference, and you will write it.
#
# Nobody evaluates a density here. How can a model learn without a likelihood? And why do two networks that learn from each other run in circles?
#
# **After this lesson you will be able to**
#
# - *derive* the best discriminator, and what the game measures when it is played well;
# - *build* both losses, the loop of two players and the penalty, and *train* a ring and digits with them;
# - *explain* with two numbers why the game circles, and what stops it;
# - *read* the two losses: what they give away, and what they do not;
# - *repair* a measure of coverage that a blob would pass.
#
# You need the KL divergence (lesson 03), the map (lesson 01), and PyTorch with autograd and Adam.
#
# Two sittings of about 73 and 75 minutes, exercises included; the cells run in 35 seconds.

# %% [markdown]
# ## Predict first
#
# Write your guess in place of the dots and run the cell. Each one is shown to you again where the lesson answers it.
#
# 1. A fake has been recognised: the discriminator says "real with probability 0.01". The generator may lower $\log(1-D)$ or $-\log D$. How many times as steep is the second, seen from the output of the discriminator's last layer: 1, 10 or 99?

# %%
course.exercise("07.predict-slope", ...)  # 1, 10 or 99

# %% [markdown]
# 2. Two numbers play. One wants $xy$ small and moves $x$; the other wants it large and moves $y$. Both take small gradient steps at the same time, for ever. What becomes of them: `"they settle"` at $(0, 0)$, `"they circle"` round it, or `"they leave"`?

# %%
course.exercise("07.predict-game", ...)

# %% [markdown]
# 3. Two networks play for digits. From round 100 to round 1,000 the discriminator's loss moves by less than 10 %. By what factor does the distance between samples and data still fall in the 900 rounds that follow: 1 (not at all), 1.5 or 5?

# %%
course.exercise("07.predict-flat", ...)  # 1, 1.5 or 5

# %% tags=["keep-output"] jupyter={"source_hidden": true}
course.draw_map(lesson=7, slim=True)

# %% [markdown]
# ## 1. What is the game?
#
# A forger prints banknotes. A clerk is handed notes, half of them genuine, and says of each how likely it is to be real. The forger never sees a genuine note. All he learns is how suspicious the clerk was.

# %% jupyter={"source_hidden": true}
show(
    lesson_07.players(
        points, torch.cat([seen[600].samples for seen in opening.values()])
    ),
    "Noise goes through a generator to fakes; fakes and data go to one discriminator, "
    "which says of each how likely it is to be real.",
)


# %% [markdown]
# **Step 1. The clerk's score.** The **generator** $G$ turns standard normal noise $z$ into a sample $G(z)$. Call the distribution of the data $p$ and that of the samples $q$. The **discriminator** $D(x)$, between 0 and 1, is its probability that $x$ is real. Score it as lesson 03 scored a forecaster, by the log-probability that it gave to the truth, on real and fake examples alike:
# $$\min_G\,\max_D\ V(D,G),\qquad V(D,G)=\mathbb E_{x\sim p}\big[\log D(x)\big]+\mathbb E_{z}\big[\log\big(1-D(G(z))\big)\big].\tag{1}$$
# The discriminator wants $V$ large, the generator wants it small: a **minimax game**. The pair is a **generative adversarial network**, or **GAN** (Goodfellow et al. 2014). No formula for $q$ is needed, only samples of it.
#
# *The tiny case of this lesson:* two outcomes, heads and tails. The data show heads with probability 0.5, the generator with 0.7. A clerk who always says $D=\frac12$ scores $-\log4$, that is $-1.386$. Can he do better?
#
# **Step 2. One outcome at a time.** Hold the generator still. For outcomes that can be counted, $V$ is a sum, and the discriminator may choose its answer at each outcome freely:
# $$V=\sum_x\Big[p(x)\log D(x)+q(x)\log\big(1-D(x)\big)\Big].\tag{2}$$
# **Your turn 07.1 · the best discriminator** *(derive, 3 minutes)*. Which $D$ makes the bracket in (2) largest? `p` and `q` are tensors of positive numbers, one for each outcome. **Your** formula paints the next picture.

# %%
def my_best(p, q):
    """The best D at each outcome."""
    ...


course.exercise("07.best-discriminator", my_best)
course.solution("07.best-discriminator")

# %% [markdown]
# **Step 3. It is Bayes' rule.** The slope of each term is $p/D-q/(1-D)$. It is zero at
# $$D^*(x)=\frac{p(x)}{p(x)+q(x)},\qquad l^*(x)=\log\frac{D^*}{1-D^*}=\log p(x)-\log q(x).\tag{3}$$
# If half of the notes are genuine, this is the probability that the one in your hand is. In the tiny case $D^*$ is 0.417 for heads and 0.625 for tails: even the best clerk is far from sure. The second form is the **logit** $l$, with $D=\sigma(l)$, where $\sigma$ is the sigmoid. It is any real number, and at its best the difference of two log-densities.

# %%
best = course.yours("07.best-discriminator")

# %% jupyter={"source_hidden": true}
line = torch.linspace(-5, 9, 281)
hills = GaussianMixture(
    torch.tensor([0.4, 0.6]), torch.tensor([[-1.5], [1.0]]), torch.tensor([0.5, 0.7])
)
p = hills.log_prob(line[:, None]).exp()  # (281,): the data
fakes = {
    f"the generator at {m:g}": Gaussian(torch.tensor([m]), torch.eye(1))
    for m in (0.0, 2.0, 6.0)
}
pairs = {}
for name, fake in fakes.items():
    q = fake.log_prob(line[:, None]).exp()
    pairs[name] = p, q, best(p, q)  # D*, at every place
show(
    lesson_07.duel(line, pairs),
    "Data with two hills, and a generator with one, at three places. Below each, the "
    "best D: above one half where p exceeds q; far apart, it is 1 "
    "on the data and 0 on the generator, with a cliff between.",
)

# %% [markdown]
# The best discriminator is a map of where the generator makes too much and where too little. On the right the two hardly overlap: $D^*$ is a cliff, and flat everywhere else. Keep that picture in mind for section 3.
#
# ## 2. What does the game measure?
#
# Against the best clerk, what does a forger gain by improving?
#
# **Step 4. Put $D^*$ back.** Write $m=\frac12(p+q)$ for the mixture that the clerk sees. Then $D^*$ is half of $p/m$, and each logarithm is that of a ratio to $m$, less $\log2$:
# $$V(D^*,G)=\mathbb E_p\log\frac pm+\mathbb E_q\log\frac qm-2\log2=2\,\mathrm{JS}(p,q)-\log4,\qquad\mathrm{JS}=\tfrac12\mathrm{KL}(p\,\|\,m)+\tfrac12\mathrm{KL}(q\,\|\,m).\tag{4}$$
# JS is the **Jensen-Shannon divergence**. In the tiny case the two KLs are 0.0204 and 0.0216, so JS is 0.0210, and the best clerk scores $-1.344$. JS is zero only if $q=p$. So *against the best discriminator the generator descends a divergence*, though nobody ever computes one.
#
# **Step 5. A ceiling.** Where only $p$ has mass, $p/m=2$. So if the two nowhere overlap, both KLs are $\log2$, and they can never be larger. JS is at most $\log2$, which is 0.693. All pairs that do not overlap are equally far apart. JS says *that* the forgery is bad, but not whether it is getting better.
#
# Do (3) and (4) hold together? The check plays the game with **your** $D^*$ on two cases and compares with entropies, which know no discriminator. Ask yourself first: forget the factor 2, as if only one of the two expectations counted. What would the tiny case give?

# %% jupyter={"source_hidden": true}
cases = [([0.5, 0.5], [0.7, 0.3]), ([0.5, 0.3, 0.2], [0.2, 0.2, 0.6])]
cases = [[torch.tensor(side, dtype=torch.float64) for side in pair] for pair in cases]
played, js = [], []
for p, q in cases:
    d = best(p, q)
    played.append((p * d.log() + q * (1 - d).log()).sum())
    js.append(core.entropy((p + q) / 2) - core.entropy(p) / 2 - core.entropy(q) / 2)
check(
    "the game with your D* = 2 JS - log 4",
    torch.stack(played),
    2 * torch.stack(js) - math.log(4),
    unlike={"JS once": torch.stack(js) - math.log(4)},
)
grid = torch.linspace(-20, 30, 5001).double()


def on_grid(mean, std=1.0):  # a normal density, as probabilities of cells
    return core.normal_log_prob(grid[:, None], mean, std).softmax(0)


far = [adversarial.jensen_shannon(on_grid(0.0), on_grid(m)) for m in (1.0, 3.0, 8.0)]
print("JS of two unit normals at distance 1, 3, 8:", *(f"{v:.4f}" for v in far))
with course.more_checks():
    tries = (torch.arange(100_000) + 0.5).double() / 100_000
    for p, q in cases:
        value = p[:, None] * tries.log() + q[:, None] * (1 - tries).log()
        found = tries[value.argmax(1)]
        check("(3): the best of 100,000 tries", found, best(p, q), atol=1e-5,
              unlike={"the chance of a fake": best(q, p)})  # fmt: skip


# %% [markdown]
# ## 3. What does the generator feel?
#
# The generator sees the discriminator only through one number, the logit $l$ of its own sample. By the chain rule, its gradient is the slope of its loss in $l$, times the slope of $l$ in the sample. The second says *where to go*: uphill on the coloured ground of the film. The first says *how strongly*.
#
# **Your turn 07.2 · two slopes** *(derive, 3 minutes)*. What are the slopes in $l$ of $\log(1-D)$, the generator's part of (1), and of $-\log D$, where $D=\sigma(l)$ is `d`? You may use $dD/dl=D(1-D)$. Return the pair.

# %%
def my_slopes(d):
    """Slope of log(1 - D) and of -log D, in the logit."""
    ...


course.exercise("07.slopes", my_slopes)
course.solution("07.slopes")

# %% [markdown]
# **Step 6. Same direction, different strength.**
# $$\frac{d}{dl}\log(1-D)=-D,\qquad\frac{d}{dl}\big(-\log D\big)=-(1-D).\tag{5}$$
# Both losses fall when $D$ rises. For a recognised fake the loss of the game is flat: a forger whose notes are all rejected learns nothing from it. The second loss is the **non-saturating** one. Goodfellow et al. proposed it in the same paper, and nearly everybody uses it.
#
# **One sample, a batch.** For one sample the two pull the same way. For a batch they weigh the samples differently, and may pull *opposite* ways. Let a parameter $w$ of the generator raise the logit of one fake, with $D=0.01$, and lower that of another, with $D=0.9$:
# $$\text{slope in }w:\qquad\tfrac12(-0.01+0.9)=+0.445\ \ (\text{minimax}),\qquad\tfrac12(-0.99+0.1)=-0.445\ \ (\text{non-saturating}).\tag{6}$$
# The first polishes the fake that is already believed; the second rescues the one that is not.
#
# **What follows, and what does not.** Below, a generator for the ring is held still while a discriminator trains against it. The better the discriminator, the flatter the minimax loss.

# %% jupyter={"source_hidden": true}
frozen, rival = perceptron(2, 2), nn.Sequential(perceptron(2, 1), nn.Flatten(0))
adam = torch.optim.Adam(rival.parameters(), lr=3e-3)
rng = torch.Generator().manual_seed(0)
lengths = {}
for step in range(301):
    if step in (30, 100, 300):
        for loss in (
            adversarial.minimax_generator_loss,
            adversarial.non_saturating_generator_loss,
        ):
            value = loss(rival(frozen(z_shown))).mean()
            slopes = torch.autograd.grad(value, list(frozen.parameters()))
            length = math.sqrt(sum(float(s.square().sum()) for s in slopes))
            lengths[step, loss.__name__[:3]] = length
    x = points[torch.randint(5000, (128,), generator=rng)]
    fake = frozen(torch.randn(128, 2, generator=rng)).detach()
    adam.zero_grad()
    adversarial.discriminator_loss(rival(x), rival(fake)).mean().backward()
    adam.step()
print("generator's gradient after 30, 100, 300 steps of the discriminator alone")
for key, name in (("min", "minimax"), ("non", "non-saturating")):
    print(f"{name:15}", *(f"~{lengths[step, key]:.1g}" for step in (30, 100, 300)))
course.predicted("07.predict-slope", (1 - 0.01) / 0.01)

# %% jupyter={"source_hidden": true}
slope_of = course.yours("07.slopes")
d = torch.tensor([0.01, 0.3, 0.9], dtype=torch.float64)
logit = (d / (1 - d)).log().requires_grad_()
by_autograd = [torch.autograd.grad(loss(logit).sum(), logit)[0] for loss in
               (adversarial.minimax_generator_loss,
                adversarial.non_saturating_generator_loss)]  # fmt: skip
mine = [torch.stack([torch.as_tensor(slope_of(v)[k]) for v in d]) for k in (0, 1)]
wishes = torch.tensor([1.0, -1.0]).double()
both = torch.stack([(slope[[0, 2]] * wishes).mean() for slope in by_autograd])
with course.more_checks():
    check("(5): your slopes = autograd", torch.stack(by_autograd), torch.stack(mine),
          unlike={"in D, not in l": torch.stack([-1 / (1 - d), -1 / d])})  # fmt: skip
    check("(6): the two batches", both, [0.445, -0.445],
          unlike={"one factor for both": [both[0], 99 * both[0]]})  # fmt: skip
    grown = [lengths[300, key] / lengths[30, key] for key in ("min", "non")]
    check_range("minimax gradient, after 300 over after 30 steps", grown[0], 0.0, 0.5,
                unlike={"non-saturating": grown[1]})  # fmt: skip


# %% [markdown]
# That is a fact about a generator that stands still. In play the discriminator does not get so far ahead, and Adam, which divides each gradient by its usual size, undoes a loss that is flat for *everyone*. In six games on the ring with R1, which itself holds the discriminator back, the minimax loss did as well as the other (section 10 has the table). Use the non-saturating loss because it is safe when the discriminator does run ahead, not because the other one must fail.
#
# **Your turn 07.3 · two losses** *(build, 10 minutes)*. From the logits of a batch of real and of fake examples, return two tensors, both means over the batch: the discriminator's loss, which is $-V$, and the generator's non-saturating loss. A trained discriminator gives logits of $\pm40$ and more, and your losses must survive that: $-\log\sigma(l)$ is `softplus(-l)` in `torch.nn.functional`, which never overflows. **Your** losses train everything below.

# %%
def my_losses(l_real, l_fake):
    """(loss of the discriminator, loss of the generator)."""
    ...


course.exercise("07.losses", my_losses)
course.solution("07.losses")

# %% [markdown]
# Does a network that minimises your loss find (3)? It sees 400 samples a step of the two hills and of a normal with standard deviation 2, and never a density.

# %%
losses = course.yours("07.losses")
torch.manual_seed(7)
rng = torch.Generator().manual_seed(7)
wide = Gaussian(torch.zeros(1), 4.0 * torch.eye(1))
network = nn.Sequential(perceptron(1, 1), nn.Flatten(0))  # (n, 1) -> logits (n,)
adam = torch.optim.Adam(network.parameters(), lr=5e-3)
for _ in range(400):
    x, fake = hills.sample(400, generator=rng), wide.sample(400, generator=rng)
    loss, _ = losses(network(x), network(fake))
    adam.zero_grad()
    loss.backward()
    adam.step()

# %% jupyter={"source_hidden": true}
near = torch.linspace(-3, 3, 121)[:, None]
truth = hills.log_prob(near) - wide.log_prob(near)
with torch.no_grad():
    learned = network(near)
show(
    lesson_07.ratio(near[:, 0], truth, learned, fake[:80, 0].clamp(-3, 3)),
    "The trained network's logit lies on the difference of the two log-densities, with "
    "two humps and a dip between.",
)
weight = hills.log_prob(near).exp() + wide.log_prob(near).exp()
off = lambda logit: (weight * (logit - truth).abs()).sum() / weight.sum()
wrong = {"its sigmoid": off(learned.sigmoid()), "0 everywhere": off(0 * learned)}
check_range("mean distance of your network's logit from log p - log q", off(learned),
            0.0, 0.2, unlike=wrong)  # fmt: skip

# %% [markdown]
# It does, from samples alone. A discriminator is a *density ratio*, learned by classification, and that trick has a life outside GANs: estimating how far two sets of samples differ (lesson 09) or weighing simulations.
#
# ## 4. How do two networks learn from each other?
#
# They take turns. One **round** is one step of each.

# %% jupyter={"source_hidden": true}
show(
    lesson_07.machine(),
    "The game as a machine, twice. In the discriminator's turn data and fakes go "
    "through D to a loss, and the gradient runs back through D only; a bar marked "
    "detach stops it before the generator. In the generator's turn the gradient runs "
    "back through D into G, and only G moves.",
)


# %% [markdown]
# **Step 7. Who moves, who holds still.** In PyTorch, `backward()` leaves a gradient in *every* parameter that the loss depends on, and adds it to what is already there. An optimizer moves its own parameters only. Two things follow. In the discriminator's turn the fakes are a given, so cut them off: `.detach()`. In the generator's turn the gradient must pass *through* the discriminator, and it leaves a heap of gradients there on its way. So clear a player's gradients right before its own `backward()`.
#
# **Your turn 07.4 · a round** *(build, 12 minutes)*. Write one round: the discriminator's step on `x` and on fakes from the noise `z`; then the generator's step on new fakes from `z_new`. The losses are given as functions of the discriminator, the real examples and the fakes: `d_loss(discriminator, x, fake)` and `g_loss(discriminator, x, fake)`. Return both losses as numbers. The likely slips: fakes not detached, or detached in *both* turns; gradients cleared at the wrong moment; both players moving at once. **Your** round plays every game below.

# %%
def my_round(generator, discriminator, opt_g, opt_d, x, z, z_new, d_loss, g_loss):
    """One step of the discriminator, then one of the generator."""
    ...


course.exercise("07.round", my_round)
course.solution("07.round")

# %%
game_round = course.yours("07.round")


def bare(D, x, fake):
    return losses(D(x), D(fake))[0]


def believed(D, x, fake):
    return losses(D(x), D(fake))[1]


def play(G, D, data, d_loss, g_loss, n_rounds, *, n_z=2, seed=0,
         rates=(1e-3, 1e-3), betas=(0.9, 0.99)):  # fmt: skip
    """Play the rounds; after each, hand out its number and both losses."""
    opt_d = torch.optim.Adam(D.parameters(), lr=rates[0], betas=betas)
    opt_g = torch.optim.Adam(G.parameters(), lr=rates[1], betas=betas)
    rng = torch.Generator().manual_seed(seed)
    for step in range(1, n_rounds + 1):
        x = data[torch.randint(len(data), (128,), generator=rng)]
        z, z_new = torch.randn(2, 128, n_z, generator=rng)  # (128, n_z) each
        yield step, game_round(G, D, opt_g, opt_d, x, z, z_new, d_loss, g_loss)


def on_ring(d_loss, g_loss, seed=0, **settings):
    """The generator after 600 rounds, what was seen on the way, all losses."""
    torch.manual_seed(seed)
    G, D = perceptron(2, 2), nn.Sequential(perceptron(2, 1), nn.Flatten(0))
    seen, history = {}, []
    rounds = play(G, D, points, d_loss, g_loss, 600, seed=seed, **settings)
    for step, both in rounds:
        history.append(both)
        if step % 150 == 0:
            seen[step] = lesson_07.look(G, D, z_shown)
    return G, seen, torch.tensor(history)  # (600, 2)


# %%
_, seen, history = on_ring(bare, believed)

# %% jupyter={"source_hidden": true}
show(
    lesson_07.stills(seen, ring.means, "Your game chases round the ring"),
    "Your bare game after 150, 300, 450 and 600 rounds: the samples are a crowd that "
    "has moved to another part of the ring each time, the orange always ahead of it.",
)

# %% [markdown]
# This is the left half of the film, played by **your** losses and **your** round. The crowd runs to where the discriminator sees too few samples; the discriminator notices; the crowd runs on. (At round 600, two of six seeds covered all eight modes.)
#
# **Pause.** You have built a GAN, and it does not settle. A good place to stop, with a question: why?

# %% [markdown]
# ## 5. Why does it circle?
#
# Shrink the game until nothing is left but two numbers (Mescheder et al. 2018 call it the Dirac GAN). All data lie at 0. The generator makes one single point, $\theta$. The discriminator is a straight line through the origin with slope $\psi$: its logit is $l(x)=\psi x$.
#
# **Step 8. The field.** The generator climbs the logit, so it moves in the direction of $\psi$. The discriminator wants $l$ small at the fake, so it moves against $\theta$. Both are weighed by the discriminator's $D$ at the fake:
# $$\dot\theta=\sigma(\psi\theta)\,\psi,\qquad\dot\psi=-\sigma(\psi\theta)\,\theta;\qquad\text{so}\quad\theta\dot\theta+\psi\dot\psi=0.\tag{7}$$
# The direction is always perpendicular to the position $(\theta,\psi)$, as for a planet on a circle. It never points at $(0,0)$, where both would be content. (Here the generator has the minimax loss, so that it shares the factor; near the middle both losses give $\frac12$.)
#
# **Step 9. A step along the tangent leaves the circle.** Take a step of length $\eta\sigma r$ from distance $r$, at a right angle. By Pythagoras,
# $$r_{\text{new}}^2=r^2\,\big(1+\eta^2\sigma^2\big)>r^2\quad\text{for every rate }\eta>0.\tag{8}$$
# If both players move at once, they *leave*, at any rate; a smaller one only delays it. For $\min_x\max_yxy$ it is the same with $\sigma=1$. If they take turns, as your round does, each answers the other's newest position. For $xy$, and for (7) at small rates, that is just enough to stay on a closed curve.
#
# **Step 10. Friction.** Charge the discriminator for its slope: add $\gamma\psi^2/2$ to its loss. Then $\dot\psi$ loses $\gamma\psi$. Near the middle, where $\sigma=\frac12$, the field is a matrix, and its eigenvalues say what happens:
# $$\begin{pmatrix}\dot\theta\\\dot\psi\end{pmatrix}=\begin{pmatrix}0&\frac12\\-\frac12&-\gamma\end{pmatrix}\begin{pmatrix}\theta\\\psi\end{pmatrix},\qquad\lambda^2+\gamma\lambda+\tfrac14=0,\qquad\lambda=\frac{-\gamma\pm\sqrt{\gamma^2-1}}2.\tag{9}$$
# Up to $\gamma=1$ both have the real part $-\gamma/2$: the orbit spirals in, faster with more friction. Beyond, nothing turns any more, and one of the two directions gets *slower*, like a door with too strong a closer.
#
# Does the matrix agree with the field (7)? The check differentiates the field automatically, at $\gamma=0.4$ and at 2. What would you find if the penalty were forgotten?

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)


def rates_of(gamma):
    """Real and imaginary parts of both eigenvalues of the field at the middle."""
    field = lambda z: adversarial.dirac_field(z, gamma=gamma)
    values = torch.linalg.eigvals(torch.func.jacrev(field)(torch.zeros(2)))
    values = sorted(values.tolist(), key=lambda v: (v.real, v.imag))
    return [part for v in values for part in (v.real, v.imag)]


def by_formula(gamma):
    root = complex(gamma**2 - 1) ** 0.5
    values = sorted([(-gamma + s * root) / 2 for s in (1, -1)],
                    key=lambda v: (v.real, v.imag))  # fmt: skip
    return [part for v in values for part in (v.real, v.imag)]


check("(9): eigenvalues of the field, friction 0.4 and 2",
      [*rates_of(0.4), *rates_of(2.0)], [*by_formula(0.4), *by_formula(2.0)],
      unlike={"without the penalty": [*rates_of(0.0), *rates_of(0.0)]})  # fmt: skip

# %% jupyter={"source_hidden": true}
start, ends = torch.tensor([1.0, 0.5]), {}
for lr in (0.4, 0.1, 0.02):
    z = start
    for _ in range(round(60 / lr)):
        z = adversarial.simultaneous_step(z, field=adversarial.dirac_field, lr=lr)
    ends[lr] = (z.norm() / start.norm()).item()
print("both at once, distance after time 60, as a multiple of the start:",
      ", ".join(f"{v:.2f} at rate {lr}" for lr, v in ends.items()))  # fmt: skip
course.predicted("07.predict-game", "they leave, at every rate")
turned = adversarial.dirac_field(start)
z = adversarial.simultaneous_step(start, field=adversarial.dirac_field, lr=0.4)
sure = (start[0] * start[1]).sigmoid()
with course.more_checks():
    check("(7): perpendicular to the position", turned @ start, 0.0,
          unlike={"both fall": turned @ (start * torch.tensor([1, -1]))})  # fmt: skip
    check("(8): one step, by Pythagoras", (z @ z) / (start @ start),
          1 + 0.4**2 * sure**2, unlike={"not squared": 1 + 0.4 * sure})  # fmt: skip
torch.set_default_dtype(torch.float32)

# %% [markdown]
# Now drive it yourself. Besides moving at once (*simultaneous*) and in turns (*alternating*), two cleverer steps are offered: look one step ahead and use the direction found there (*extragradient*), or extrapolate from the last two directions (*optimistic*). Predict before you press play: (a) with $\gamma=0$, who leaves, who circles, who arrives? (b) Is there a rate at which simultaneous steps settle without $\gamma$? (c) Which $\gamma$ settles fastest, and what do you see beyond it?

# %% tags=["keep-output"]
widgets.game_orbit()


# %% [markdown]
# <details><summary>Answers</summary>
#
# (a) Simultaneous steps leave, alternating ones stay on a closed curve (at small rates), the other two spiral in. (b) None: (8) holds for every rate. (c) Near $\gamma=1$. Beyond it the orbit no longer turns: it drops quickly onto a line and creeps along it.
# </details>
#
# ## 6. What stops it?
#
# In the small game the slope of the discriminator was one number. In a network it is the gradient of the logit with respect to its *input*, and that differs from place to place. Where should it be small?
#
# **Step 11. At the data.** When the game is over, $q=p$, and by (3) the best logit is 0 everywhere: a flat discriminator. So charge it for slope where the data are:
# $$R_1=\frac\gamma2\;\mathbb E_{x\sim p}\,\big\lVert\nabla_xl(x)\big\rVert^2.\tag{10}$$
# This is **R1** (Mescheder, Geiger and Nowozin 2018). It is zero at the end of the game, so it does not move the goal. Until then it flattens the hill that the samples climb, so they overshoot less.
#
# **Your turn 07.5 · the penalty** *(build, 10 minutes)*. Return (10) for a batch `x` of data, points $(n,2)$ or pictures $(n,1,8,8)$, as a tensor. `discriminator(x)` gives $n$ logits. `torch.autograd.grad` differentiates with respect to `x`. Three slips: the mean over pixels where the squared length is their sum; the slope for its square; a slope without a graph of its own, from which the discriminator can learn nothing.

# %%
def my_r1(discriminator, x, gamma):
    """gamma / 2 times the mean squared slope of the logit at x."""
    ...


course.exercise("07.r1", my_r1)
course.solution("07.r1")

# %%
r1 = course.yours("07.r1")


def with_r1(D, x, fake):
    return bare(D, x, fake) + r1(D, x, 1.0)


G, seen, calm = on_ring(with_r1, believed)

# %% jupyter={"source_hidden": true}
show(
    lesson_07.stills(seen, ring.means, "With your penalty it settles"),
    "The same game with R1 after 150, 300, 450 and 600 rounds: the samples spread over "
    "the ring, gather at the eight circles and stay; the ground turns pale.",
)
D = nn.Sequential(perceptron(2, 1), nn.Flatten(0)).double()
x = points[:50].double()
y = x.clone().requires_grad_()
named = adversarial.r1_penalty(D(y), y)
with course.more_checks():
    check("your R1 = genlab's", r1(D, x, 0.3), 0.15 * named.mean(),
          unlike={"gamma for half of it": 0.3 * named.mean()})  # fmt: skip


# %% [markdown]
# The same networks, the same data, the same seed, one more term. The ground has turned pale: the discriminator is nearly always in two minds, which is what the end of the game looks like.
#
# **How many modes?** A colleague counts the modes that a generator covers, those that hold at least 1 % of its samples, by sending each sample to its nearest mode. She reports eight of eight for your R1 game. Then she tries a plain round blob over the whole ring, and gets eight of eight again.
#
# **Your turn 07.6 · a measure that a blob passes** *(repair, 3 minutes)*. Repair her function: a sample counts for its nearest mode only if it lies within three standard deviations, `std`, of the centre. The 1 % are of *all* samples.

# %%
def her_coverage(x, centres, std):
    distance, nearest = torch.cdist(x, centres).min(1)  # (n,), (n,)
    fraction = nearest.bincount(minlength=len(centres)) / len(x)
    return int((fraction >= 0.01).sum())


def my_coverage(x, centres, std):
    return ...


course.exercise("07.coverage", my_coverage)
course.solution("07.coverage")

# %% jupyter={"source_hidden": true}
coverage = course.yours("07.coverage")


def report(x):
    """Modes covered; KL of their fractions to even, in nats; fraction within 3 std."""
    distance, nearest = torch.cdist(x, ring.means).min(1)
    share = nearest.bincount(minlength=8) / len(x)
    kl = torch.xlogy(share, 8 * share).sum().item()
    return (
        coverage(x, ring.means, ring.std),
        kl,
        (distance < 3 * ring.std).float().mean().item(),
    )


# %% jupyter={"source_hidden": true}
rng = torch.Generator().manual_seed(9)
crowds = {"data": ring.sample(2000, generator=rng),
          "a round blob": torch.randn(2000, 2, generator=rng)}  # fmt: skip
with torch.no_grad():
    crowds["your game, R1"] = G(torch.randn(2000, 2, generator=rng))
crowds["one point"] = ring.means[:1].expand(2000, 2)
print(f"{'':14} covered   KL to even   within 3 std")
rows_of_ring = {name: report(x) for name, x in crowds.items()}
for name, (covered, kl, close) in rows_of_ring.items():
    print(f"{name:14}      ~{covered}        ~{kl:.2f}          ~{close:.2f}")
with course.more_checks():
    check_range("R1: modes covered", rows_of_ring["your game, R1"][0], 8, 8, digits=0,
                unlike={"one point": rows_of_ring["one point"][0]})  # fmt: skip
    close = {name: row[2] for name, row in rows_of_ring.items()}
    check_range("R1: fraction within 3 std", close["your game, R1"], 0.45, 0.8,
                unlike={k: close[k] for k in ("a round blob", "data")})  # fmt: skip

# %% [markdown]
# Only the repaired count tells the blob from the data, and it does not tell everything. Three numbers are needed: modes covered, how evenly (the KL of lesson 03, zero for even and $\log8=2.08$ for a single mode), and the fraction of samples within three standard deviations of any mode. Your game covers all eight, evenly, and still a good third of its samples lie between the modes: a continuous network cannot tear its noise apart, and 600 rounds do not stretch it thin enough.
#
# ## 7. Does it draw digits?
#
# Nothing in your round knows that the data are points in a plane. Give it pictures: 1,397 digits of 8 x 8 pixels, 16 numbers of noise, and wider networks.

# %%
digits = to_unit(load_digits("train").images)  # (1397, 1, 8, 8), in [-1, 1]


def digit_nets(seed, width=192):
    torch.manual_seed(seed)
    leaky = lambda: nn.LeakyReLU(0.2)
    G = nn.Sequential(
        nn.Linear(16, width),
        leaky(),
        nn.Linear(width, width),
        leaky(),
        nn.Linear(width, 64),
        nn.Tanh(),
        nn.Unflatten(1, (1, 8, 8)),
    )  # (n, 16) -> (n, 1, 8, 8)
    D = nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, width),
        leaky(),
        nn.Linear(width, width),
        leaky(),
        nn.Linear(width, 1),
        nn.Flatten(0),
    )  # (n, 1, 8, 8) -> (n,)
    return G, D


# %% [markdown]
# There is no likelihood to report, so measure the *samples*. The **Fréchet distance** compares means and covariances of generated and held-out digits, in the features of a small classifier. *Precision* is the fraction of samples that look like data; *recall* the fraction of data that some sample comes near. Lesson 09 takes all three apart. None of them can see a copy, so we also look at the nearest training digit.

# %% jupyter={"source_hidden": true}
held_out = torch.cat([load_digits(part).images for part in ("val", "test")])
classifier = load_classifier()
describe = lambda images: classifier.features(images.double()).detach()
reference = describe(held_out)
z_digits = torch.randn(1000, 16, generator=torch.Generator().manual_seed(1))
floor = frechet_distance(reference, describe(load_digits("train").images[:1000])).item()


@torch.no_grad()
def drawn(G, n=1000):
    return from_unit(G(z_digits[:n]), whole=False)


def distance(G):
    return frechet_distance(reference, describe(drawn(G))).item()


def quality(images):
    found = precision_recall(reference, describe(images[:400]))
    return found.precision, found.recall


# %%
G, D = digit_nets(0)
frechet, shots, history = {}, {}, []
rounds = play(G, D, digits, with_r1, believed, 1000, n_z=16, betas=(0.5, 0.9))
for step, both in rounds:
    history.append(both)
    if step in (30, 100, 200, 400, 700, 1000):
        frechet[step] = distance(G)
        shots[step] = drawn(G, 12)  # the same twelve draws of noise
history = torch.tensor(history)  # (1000, 2)

# %% jupyter={"source_hidden": true}
apart = torch.cdist(to_unit(shots[1000]).flatten(1), digits.flatten(1))
rows = {f"round {step:,}": shots[step] for step in (30, 100, 1000)}
rows |= {"the nearest training digits": from_unit(digits[apart.argmin(1)], whole=False)}
rows |= {"held-out digits": held_out[:12]}
show(
    lesson_07.digits(rows),
    "Twelve draws of noise as digits: blots after 30 rounds, strokes after 100, mostly "
    "digits after 1,000. Below them the nearest training digits, which are similar and "
    "not the same, and held-out digits.",
)
for name, images in {"your GAN": drawn(G), "real": load_digits("train").images}.items():
    precision, recall = quality(images)
    print(f"{name:9} precision ~{precision:.2f}, recall ~{recall:.2f}")

# %% jupyter={"source_hidden": true}
show(
    lesson_07.flat(history[:, 0], frechet, floor),
    "The discriminator's loss is nearly flat from round 100 on, below log 4. On "
    "logarithmic scales: log 4 less the loss shrinks, and the Fréchet distance falls.",
)
early, late = history[80:180, 0].mean(), history[-100:, 0].mean()
print(
    f"discriminator's loss, rounds 80 to 180: ~{early:.2f}, the last 100: ~{late:.2f}"
)
course.predicted("07.predict-flat", f"~{frechet[100] / frechet[1000]:.1f} times")
with course.more_checks():
    check_range("Fréchet distance after 1,000 rounds", frechet[1000], 0.3, 1.6,
                unlike={"after 100": frechet[100], "real": floor})  # fmt: skip
    check_range("by what factor it fell since round 100",
                frechet[100] / frechet[1000], 2.5, 20,
                unlike={"the loss": early / late})  # fmt: skip
    gaps = [math.log(4) - loss for loss in (early, late)]
    check_range("and log 4 less the loss", gaps[0] / gaps[1], 2.0, 8.0,
                unlike={"the loss": early / late})  # fmt: skip


# %% [markdown]
# Your own losses, round and penalty draw digits. The loss only looks flat. By (4), read $\log4$ minus the loss: at the best discriminator it is $2\,\mathrm{JS}$. In three seeds it shrank 3 to 5 times while the distance fell 5 to 7 times. But it is only a *lower bound*: a discriminator that is not the best, or pays a penalty, gives less. In section 10 a loss stands at $\log4$ with one or two modes of eight. **The losses of a game measure a pair of players.** If you train a GAN, look at samples too.
#
# ## 8. What if real and fake are compared in pairs?
#
# Your discriminator judges each note by itself.
#
# **Step 12. A pair at a time.** Show the clerk one genuine note and one forgery, and ask: *which is the real one?* The probability that the answer is right depends on the difference of the logits, and the two players want opposite things of it:
# $$L_D=\mathbb E\big[-\log\sigma\big(l(x)-l(G(z))\big)\big],\qquad L_G=\mathbb E\big[-\log\sigma\big(l(G(z))-l(x)\big)\big].\tag{11}$$
# This is the **relativistic pairing loss** (Jolicoeur-Martineau 2018). Calling a whole region fake is no longer enough: every real example must outrank its partner, even one in an abandoned mode. R3GAN (Huang et al. 2024) combines it with R1 and with R2, the same penalty at the fakes, and needs no other tricks.
#
# **Your turn 07.7 · two lines** *(build, 10 minutes)*. Return $L_D$ and $L_G$ from the logits of a batch, the $i$-th real example paired with the $i$-th fake, as means. Large logits need the same care as before.

# %%
def my_pair_losses(l_real, l_fake):
    """(loss of the discriminator, loss of the generator), relativistic."""
    ...


course.exercise("07.relativistic", my_pair_losses)
course.solution("07.relativistic")

# %%
pair_losses = course.yours("07.relativistic")


def paired(D, x, fake):  # R1 at the data, R2 at the fakes
    return pair_losses(D(x), D(fake))[0] + r1(D, x, 1.0) + r1(D, fake, 1.0)


def paired_believed(D, x, fake):
    return pair_losses(D(x), D(fake))[1]


G, seen, history = on_ring(paired, paired_believed)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    covered, kl, close = report(G(torch.randn(2000, 2, generator=rng)))
print(f"in pairs, ring: ~{covered} modes, KL ~{kl:.2f}, within 3 std ~{close:.2f}")
left, right = torch.tensor([40.0, -2.0, 0.3]), torch.tensor([-40.0, 1.0, 0.1])
by_sigmoid = [
    -(gap.double().sigmoid().log()).mean() for gap in (left - right, right - left)
]
with course.more_checks():
    check("(11): your pair = the logarithms", torch.stack(pair_losses(left, right)),
          torch.stack(by_sigmoid), rtol=1e-5,
          unlike={"the players exchanged": torch.stack(by_sigmoid[::-1])})  # fmt: skip
    check_range("in pairs: modes of the ring", covered, 8, 8, digits=0,
                unlike={"one point": rows_of_ring["one point"][0]})  # fmt: skip

# %% [markdown]
# On the ring this is as good as R1: eight modes are too easy. So we built a harder stage, a grid of 25 modes, and played it for 2,500 rounds, three seeds for each loss.
#
# | 25 modes, three seeds | modes covered | KL to even (nats) | within 3 std |
# |---|---|---|---|
# | bare | 8, 12, 14 | 0.14 to 0.33 | 0.23 to 0.30 |
# | R1 | 10, 15, 20 | 0.04 to 0.14 | 0.26 to 0.30 |
# | pairs, no penalty | 12, 14, 23 | 0.01 to 0.28 | 0.26 to 0.38 |
# | pairs, R1 and R2 | 14, 15, 18 | 0.12 to 0.21 | 0.21 to 0.32 |
#
# The seeds of one loss differ as much as the losses do. None of the four can be called the best here.
#
# ## 9. Where do adversarial losses live today?
#
# The best-known image and video models of 2024 to 2026 are diffusion models and flows. Yet many were *finished* by a discriminator. A squared error asks for the average of all pictures that are possible, which is a blur. A discriminator asks for one that could be real.
#
# | what is trained | where the discriminator comes in |
# |---|---|
# | R3GAN (Huang et al. 2024) | the whole model: the pair of section 8 and a plain modern network |
# | few-step image models: adversarial diffusion distillation (Sauer et al. 2023), DMD2 (Yin et al. 2024) | a diffusion model is distilled to one to four steps; a discriminator keeps them sharp |
# | one-step video: adversarial post-training (Lin et al. 2025) | a pretrained video model, finished against *real* videos, with an approximate R1 |
# | picture tokenizers since VQGAN (Esser et al. 2020) | one term beside squared error and a perceptual loss |
#
# ## 10. It fails
#
# **A generator that runs ahead.** Leave your R1 game as it was, and change one number: the generator's rate, ten times the discriminator's. What is the best reply of a forger to a clerk who hardly moves? To print only the note that the clerk trusts most.

# %%
G, seen, history = on_ring(with_r1, believed, rates=(1e-3, 1e-2))

# %% jupyter={"source_hidden": true}
show(
    lesson_07.stills(seen, ring.means, "A generator ten times as fast: lost modes"),
    "The game with R1 and a fast generator: after 150, 300, 450 and 600 rounds nearly "
    "all samples sit in one or two places, and in other places each time.",
)
with torch.no_grad():
    lost = report(G(torch.randn(2000, 2, generator=rng)))
print(f"modes ~{lost[0]}, KL ~{lost[1]:.2f}, within 3 std ~{lost[2]:.2f}")
lag, fair = history[-300:, 0].mean(), calm[-300:, 0].mean()
print(f"discriminator's loss, last 300 rounds: ~{lag:.3f}; equal rates: ~{fair:.3f}")
check_range("fast generator: KL to even", lost[1], 0.5, 2.08,
            unlike={"equal rates": rows_of_ring["your game, R1"][1]})  # fmt: skip
check_range("fast generator: discriminator's loss, less log 4", lag - math.log(4),
            0.0, 0.1, unlike={"equal rates": fair - math.log(4)})  # fmt: skip

# %% [markdown]
# This is **mode collapse**, and it moves: wherever the crowd sits, the discriminator learns to reject it, and off it goes. The ground is white here, too: a discriminator that lags knows nothing. In effect the order of play is swapped, $\max_D\min_G$.
#
# **Is the divergence to blame?** That GANs lose modes because of the Jensen-Shannon divergence is **a common misconception** (Goodfellow 2016, section 3.2.5). Let the data have eight equal modes, and let $q$ cover $k$ of them evenly. On the $k$ modes the mixture $m$ is the mean of $1/8$ and $1/k$, on the others $1/16$, and (4) becomes
# $$\mathrm{JS}(k)=\tfrac12\Big[\tfrac k8\log\tfrac{2k}{k+8}+\big(1-\tfrac k8\big)\log2+\log\tfrac{16}{k+8}\Big].\tag{12}$$

# %% jupyter={"source_hidden": true}
k = torch.arange(1, 9).double()
q = (torch.arange(8) < k[:, None]) / k[:, None]
p = torch.full((8, 8), 1 / 8).double()
shared = k / 8 * (2 * k / (k + 8)).log() + (16 / (k + 8)).log()
closed = (shared + (1 - k / 8) * math.log(2)) / 2
check("(12): JS of k modes = its definition", closed, adversarial.jensen_shannon(p, q),
      unlike={"the modes that q misses forgotten": shared / 2})  # fmt: skip
print("JS for 1 to 8 modes:", " ".join(f"{v:.3f}" for v in closed))

# %% [markdown]
# It falls with every mode that is gained. So the *minimum* of the divergence is not to blame. Its landscape can be: by step 5 it is flat far from the data. Here the *play* drops the modes.
#
# **The diagnosis.** A discriminator that knows nothing says $D=\frac12$ and pays $\log4=1.386$. One with a higher *mean* loss is worse than a coin: it reacts to where the samples were. It **lags**. We measured six seeds of each game (`python benchmarks/gan_games.py`):
#
# | game on the ring, six seeds | modes covered | discriminator's mean loss | its swing (std) |
# |---|---|---|---|
# | bare | 0 to 8 | 1.24 to 1.35 | 0.11 to 0.21 |
# | R1 | 8, six times | 1.365 to 1.377 | 0.010 to 0.016 |
# | R1, minimax | 8, six times | 1.365 to 1.377 | 0.010 to 0.016 |
# | no R1, momentum 0.5 for 0.9 | 8, six times | 1.342 to 1.361 | 0.012 to 0.019 |
# | R1, generator ten times as fast | 1 to 2 | **1.394 to 1.411** | 0.011 to 0.040 |
#
# The last row is above $\log4$ every time, and only that row. The bare game fails in another way: its loss swings ten times as widely as a healthy one's, round a mean *below* $\log4$. R1 alone does not save a fast generator. R1 with equal rates of $10^{-3}$ does; so does less momentum without R1.
#
# ## Summary
#
# 1. A GAN is a sampler $G(z)$ and a discriminator. The density of $G(z)$ exists and is never evaluated: no likelihood.
# 2. The best discriminator is $p/(p+q)$. Its logit is the log-ratio of the densities, and a network finds it from samples.
# 3. Against it the game is worth $2\,\mathrm{JS}-\log4$, with JS between 0 and $\log2$: zero for equal distributions, flat for distant ones.
# 4. Prediction 1: at $D=0.01$ the non-saturating loss is 99 times as steep. That protects a generator that has fallen behind; on the ring, where it had not, the minimax loss did as well.
# 5. A round is a step of the discriminator on detached fakes, then one of the generator through the discriminator; each clears its gradients first.
# 6. Prediction 2: two players who move at once leave, at any rate, by the factor $\sqrt{1+\eta^2}$. In turns they circle. Friction at the data, R1, lets them settle.
# 7. Modes are lost in play, when the generator runs ahead; the divergence's minimum has them all. Count covered modes, evenness *and* the fraction near a mode.
# 8. Prediction 3: the distance fell several times over while the loss moved by less than 10 %. $\log4$ less the loss shrank with it, but it is a lower bound of $2\,\mathrm{JS}$: a weak discriminator makes it small as well. One above $\log4$ lags.
# 9. The relativistic pair replaces two lines. Today a discriminator seldom stands alone and often finishes other models: few-step models, tokenizers.
#
# | the cheat sheet's row | objective | sampler | evaluations | $\log p(x)$ | pays with |
# |---|---|---|---|---|---|
# | GAN | $\min_G\max_DV$; in practice $-\log D(G(z))$ | $z\sim\mathcal N(0,I)$, $x=G(z)$ | 1 | none | dynamics: lost modes, no stopping rule |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(7)

# %% [markdown]
# ## Project: digits that pass for real
#
# *(2 to 3 hours.)* The digits of section 7 have a Fréchet distance near 1 and a precision of about 0.6. Make them better, with a GAN: any loss, any network, at most five minutes of training on two cores.
#
# - **Target**: with each of three training seeds, a Fréchet distance of at most 0.20 from 1,000 samples (real training digits: 0.10) and a recall of at least 0.8 from 400, measured as in section 7.
# - **It can be done**: with the networks of the page, R1, 2,500 rounds and a running mean of the generator's weights we reached 0.14, 0.15 and 0.13, with a recall of 0.89, 0.83 and 0.89; the last weights themselves had 0.41, 0.39 and 0.31 (`python benchmarks/project_07.py`).
# - **Ideas**: play longer; sample with a running mean of the generator's weights (lesson 12's EMA: a game that circles has a calm middle); falling rates; pairs with R1 and R2; a wider generator.
# - **Look at** what the losses said while the distance fell, at ten samples beside their nearest training digits, and at which digits are rare among 1,000 samples.
# - **Submit** a table (three seeds, each idea switched off once), one figure, and one idea that did not work.
#
# The lesson ends here. Two optional sections:
#
# - *What does the practical loss descend?*, 10 minutes
# - *Any convex function gives a game*, 20 minutes
#
# ## Going further: what does the practical loss descend?
#
# The non-saturating generator no longer plays (1), so (4) no longer says what it minimises. Hold the discriminator at $D^*$ and take the slope of $\mathbb E_q[-\log D^*]$ in the generator's parameters. Only $q$ moves, and $-\log D^*=\log\frac{p+q}p$. Now compare two slopes that you know, where the other terms integrate to zero:
# $$\nabla\mathrm{KL}(q\,\|\,p)=\int\nabla q\,\log\frac qp,\qquad\nabla\,2\,\mathrm{JS}=\int\nabla q\,\log\frac{2q}{p+q}.\tag{13}$$
# Their difference is $\int\nabla q\,\log\frac{p+q}{2p}$, and that is ours, up to a constant that integrates to zero:
# $$\nabla\,\mathbb E_q[-\log D]\,\Big|_{D=D^*}=\nabla\big[\mathrm{KL}(q\,\|\,p)-2\,\mathrm{JS}(p,q)\big].\tag{14}$$
# A *reverse* KL, which seeks modes (lesson 03), less a term that pushes the two apart (Arjovsky and Bottou 2017, theorem 2.5). So its pull does not fade with distance. For two normals at distance $\mu$ the reverse KL is $\mu^2/2$.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
cells = on_grid(0.0)


def slopes_at(mu):
    """Slopes of both losses in the mean, at the best discriminator, held still."""
    found = []
    for loss in (
        adversarial.minimax_generator_loss,
        adversarial.non_saturating_generator_loss,
    ):
        shift = torch.tensor(mu, requires_grad=True)
        x = (grid + shift)[:, None]
        logits = core.normal_log_prob(x, 0.0, 1.0) - core.normal_log_prob(x, mu, 1.0)
        found.append(torch.autograd.grad((cells * loss(logits)).sum(), shift)[0])
    return torch.stack(found)


def slope_of(divergence, mu):
    return (divergence(mu + 1e-4) - divergence(mu - 1e-4)) / 2e-4


# %% jupyter={"source_hidden": true}
js_at = lambda mu: adversarial.jensen_shannon(on_grid(0.0), on_grid(mu))
both = torch.stack([slopes_at(mu) for mu in (1.0, 4.0)])
wanted = [
    [
        slope_of(lambda m: 2 * js_at(m), mu),
        slope_of(lambda m: m**2 / 2 - 2 * js_at(m), mu),
    ]
    for mu in (1.0, 4.0)
]
without = [[slope_of(js_at, mu), slope_of(lambda m: m**2 / 2, mu)] for mu in (1.0, 4.0)]
check("(14): slopes of both losses, distance 1 and 4", both, torch.tensor(wanted),
      atol=1e-6, unlike={"JS once; KL alone": torch.tensor(without)})  # fmt: skip

# %% [markdown]
# Move the generator and watch the best discriminator answer. At which mean is the minimax slope largest, and what has become of it at 6? Shrink `std` to 0.4: what is the discriminator sure of now?

# %% tags=["keep-output"]
widgets.gan_game()


# %% [markdown]
# <details><summary>Answers</summary>
#
# The minimax slope is largest near a mean of 1.6 and has nearly vanished at 6, while the other goes on growing. With `std` at 0.4 the generator is a narrow peak. The discriminator is sure that everything *beside* the peak is real, and at the peak it leans to "fake".
# </details>
#
# ## Going further: any convex function gives a game
#
# JS is one member of a family. For a convex $f$ with $f(1)=0$, $D_f(p,q)=\mathbb E_q\,f(p/q)$ is an **f-divergence**. A convex function is the upper envelope of its tangents, $f(u)=\max_t[ut-f^*(t)]$, with the **conjugate** $f^*(t)=\max_u[ut-f(u)]$. Choose one $t=T(x)$ at each $x$; any choice but the best can only lose:
# $$D_f(p,q)\ \ge\ \mathbb E_p\,T(x)-\mathbb E_q\,f^*\big(T(x)\big),\qquad\text{equal at}\quad T^*(x)=f'\Big(\frac{p(x)}{q(x)}\Big).\tag{15}$$
# The right side needs samples only. So there is a GAN for every $f$, the **f-GAN** (Nowozin, Cseke and Tomioka 2016). The game (1) is the case $T=\log D$, where $f^*(t)=-\log(1-e^t)$ and $f(1)=-\log4$ instead of 0.
#
# **Your turn 07.8 · another game** *(derive, 5 minutes)*. For Pearson's divergence $f(u)=(u-1)^2$. What is $f^*(t)$?

# %%
def my_conjugate(t): ...


course.exercise("07.pearson", my_conjugate)
course.solution("07.pearson")

# %% jupyter={"source_hidden": true}
conjugate_of = course.yours("07.pearson")
p, q = torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.2, 0.2, 0.6])
best_t = 2 * (p / q - 1)
bound = lambda t: (p * t).sum() - sum(q[i] * conjugate_of(t[i]) for i in range(3))
moved = torch.stack([bound(best_t + step) for step in (0.3, -0.3)])
check("(15): your bound at T* = Pearson's divergence", bound(best_t),
      ((p - q) ** 2 / q).sum(), unlike={"T too large": moved[0]})  # fmt: skip
torch.set_default_dtype(torch.float32)

# %% [markdown]
# ## What production systems add
#
# Convolutions with modulated styles, R1 in every sixteenth step only, an average of the generator's weights for sampling, and augmentation of what the discriminator sees (all four in the StyleGAN lab). A condition on class or text, in both players. A discriminator that stands on the features of a pretrained network, as in adversarial diffusion distillation (Sauer et al. 2023), or that *is* a pretrained video model, as in adversarial post-training (Lin et al. 2025), where the gradient of R1 is replaced by a finite difference.
#
# ## Sources
#
# - Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1 to 6, proposition 1, theorem 1: the game, $D^*$, its value, the non-saturating loss. Goodfellow 2016 (arXiv:1701.00160), sections 3.2.5 and 7.
# - Arjovsky and Bottou 2017 (arXiv:1701.04862), theorem 2.5. Nowozin, Cseke and Tomioka 2016 (arXiv:1606.00709), eq. 2 to 6.
# - Mescheder, Geiger and Nowozin 2018 (arXiv:1801.04406), definition 2.1 and eq. 9: the Dirac GAN, R1. Korpelevich 1976 (extragradient); Daskalakis et al. 2018 (arXiv:1711.00141), eq. 1 (optimistic).
# - Jolicoeur-Martineau 2018 (arXiv:1807.00734); Huang, Gokaslan, Kuleshov and Tompkin 2024, "The GAN is dead; long live the GAN!" (arXiv:2501.05441).
# - Sauer, Lorenz, Blattmann and Rombach 2023 (arXiv:2311.17042); Yin et al. 2024 (arXiv:2405.14867); Lin et al. 2025 (arXiv:2501.08316), abstract; Esser, Rombach and Ommer 2020 (arXiv:2012.09841).
# - Courses: Stanford CS236, lecture 9; Berkeley CS294-158, lecture 5.
