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
# # 06 · The VAE in practice, and codes made of tokens
#

# %% jupyter={"source_hidden": true}
import math

import torch
import torch.nn.functional as F
from torch import nn

import genlab_course as course
from genlab import core, latent
from genlab.data.digits import binarize, load_mnist
from genlab.zoo import load_model
from genlab_course import check, check_close_mc, check_range, widgets
from genlab_course.figures import film, lesson_06, show

course.begin(lesson=6)

# %% tags=["keep-output"] jupyter={"source_hidden": true}
black_white = {
    part: binarize(load_mnist(part, 16).images).flatten(1) for part in ("train", "test")
}
digits, test = (black_white[part].float() for part in ("train", "test"))  # (n, 256)
labels = load_mnist("test", 16).labels
shipped = load_model("mnist_vae")
with torch.no_grad():
    code = shipped.encode(black_white["test"].view(-1, 1, 16, 16))[0]
    ends = torch.tensor([[1, 5], [3, 11], [8, 2], [4, 7]])
    part = torch.linspace(0, 1, 10)[:, None]
    mixed = torch.stack([(1 - part) * code[i] + part * code[j] for i, j in ends])
    along = shipped.mean_image(mixed.flatten(0, 1)).view(4, 10, 256)
faded = torch.stack([(1 - part) * test[i] + part * test[j] for i, j in ends])
alt = (
    "Four digits turn into four others and back. Above, through codes, the strokes "
    "bend and there is one digit at a time; below, through pixels, one digit shines "
    "through the other."
)
film(lesson_06.walks(along, faded), alt, seconds=4.5, width=520)

# %% [markdown]
# Four digits become four others. Below, the pixels are mixed, and one digit shines through the other. Above, each digit was first turned into a **code** of 16 numbers. The codes are mixed, and a network draws what they say. The strokes bend, and you mostly see one digit.
#
# Nobody told that network which pictures are alike. It was trained with the evidence lower bound of lesson 05, by gradient descent *through a random draw*. How can a gradient pass through a draw? And what if the code is to be made not of numbers but of *tokens*, as a language model needs them: how can a gradient pass through a choice?
#
# **After this lesson you will be able to**
#
# - *walk* one training step of a VAE by hand, gradients included;
# - *write* its loss, *train* it, and *say* what its number means;
# - *write* two quantisers, and *train* tokenizers with them;
# - *tell* what a code costs from what it carries;
# - *produce*, *diagnose* and *repair* the collapse of a code, and of a codebook.
#
# You need lesson 05 (the ELBO and its gap), bits per dimension (lesson 02), and PyTorch with autograd.
#
# Two sittings of about 74 and 75 minutes, exercises included; the cells run in 45 seconds.

# %% [markdown]
# ## Predict first
#
# Write your guess in place of the dots and run the cell. Each one is shown to you again where the lesson answers it.
#
# 1. There are two unbiased estimates of the same gradient through a draw of 64 numbers. The noisier one has `"2"`, `"50"` or `"2000"` times the variance of the other?

# %%
course.exercise("06.predict-variance", ...)

# %% [markdown]
# 2. A colleague's loss takes the *mean* over the 256 pixels, and adds the divergence of the code, a *sum* over its numbers. What will training give: `"the same pictures"`, `"sharper pictures"` or `"an unused code"`?

# %%
course.exercise("06.predict-mean", ...)

# %% [markdown]
# 3. A dictionary of 64 vectors is trained together with two networks that may use any of them. How many of the 64 are in use at the end?

# %%
course.exercise("06.predict-codes", ...)

# %%
course.draw_map(lesson=6, slim=True)

# %% [markdown]
# ## 1. One training step by hand
#
# Lesson 05 had latents that could be enumerated. Now a network, the **decoder**, turns a code $z$ into a distribution of pictures, and another one, the **encoder**, guesses the code of a picture: a normal distribution $q(z\mid x)$ with mean $\mu$ and standard deviation $\sigma$ for each number of the code. Codes of new pictures come from the prior, the standard normal $p(z)$. The pair is a **variational autoencoder (VAE)**. Its loss is the negative ELBO:
# $$\text{loss}=\mathbb E_{q(z\mid x)}\big[-\log p(x\mid z)\big]+\mathrm{KL}\big(q(z\mid x)\,\|\,p(z)\big).\tag{1}$$
# The first part asks how well the code *describes* the picture, the second how much it *costs* to say the code. They are the **reconstruction term** and the **KL term**.
#
# **Step 1. The price needs no draws.** Write a draw as its mean plus $\sigma$ times standard normal noise $\epsilon$. The mean of $\epsilon^2$ is 1, and that of $z^2$ is $\mu^2+\sigma^2$. So
# $$\mathrm{KL}=\mathbb E_q\Big[\log\frac{q(z\mid x)}{p(z)}\Big]=\mathbb E\big[-\log\sigma-\tfrac12\epsilon^2+\tfrac12z^2\big]=\tfrac12\big(\mu^2+\sigma^2-1-\log\sigma^2\big),\tag{2}$$
# and for a code of many numbers the sum over them. It is zero for $\mu=0$, $\sigma=1$, the code that says nothing.
#
# **Step 2. One pixel.** The picture is one number, $x=1.2$. The encoder answers $\mu=0.5$ and $\log\sigma^2=0$, and the decoder is normal around $z$, with variance 1. You draw once, and the noise comes out as $\epsilon=-0.3$:
# $$z=0.5-0.3=0.2,\qquad-\log p(x\mid z)=\tfrac12(1.2-0.2)^2+\tfrac12\log2\pi=1.419,\qquad\mathrm{KL}=\tfrac12\cdot0.5^2=0.125 .\tag{3}$$
# The loss is 1.544. One draw is enough for a step of training, because the next step draws again.

# %% jupyter={"source_hidden": true}
show(
    lesson_06.one_step(),
    "Two bells on a line: the prior around 0 and the encoder's guess around 0.5. The "
    "draw 0.2 lies between them, and the pixel 1.2 to its right; arrows mark the "
    "distance that is described and the shift that is paid for.",
)


# %% [markdown]
# Why does the encoder give $\log\sigma^2$ and not $\sigma^2$? The output of a network may be any number, and a variance may not: one long step, and it is negative. Its logarithm may be any number, too.
#
# **Your turn 06.1 · back to the encoder** *(derive, 6 minutes)*. The noise is held fixed. How does the loss of (3) change with $\mu$, and how with $\log\sigma^2$? Write both slopes for any numbers. Each has a part from the description and a part from the price.

# %%
def my_slopes(x, mu, log_var, eps):
    """Slopes of the loss of one pixel in mu and in log_var, for a decoder N(z, 1)."""
    ...


course.exercise("06.slopes", my_slopes)
course.solution("06.slopes")

# %% [markdown]
# In the tiny case the slopes are $-0.5$ and $0.15$. The description alone would pull $\mu$ up by 1, since $z$ was too small by 1. The price pulls it back by 0.5. Forget that second part: would you see it in $\log\sigma^2$ too? In the tiny case you would not, because there $\sigma=1$ and the price is flat. The check therefore draws codes at random.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
generator = core.make_generator(6)
slopes = course.yours("06.slopes")
seen, *given, noise = torch.randn(4, 5, generator=generator)
mu, log_var = (v.requires_grad_() for v in given)


def of_one_pixel(price):
    """Autograd's slopes of (1) for five pixels with codes of their own."""
    z = mu + (log_var / 2).exp() * noise
    nats = 0.5 * (seen - z).square()
    return torch.stack(
        torch.autograd.grad((nats + price(mu, log_var)).sum(), (mu, log_var))
    )


by_hand = [
    [float(v) for v in slopes(*(n.item() for n in row))]
    for row in zip(seen, mu, log_var, noise, strict=True)
]
of_kl = lambda m, v: latent.kl_per_unit(m[:, None], v[:, None])[:, 0]
check(
    "your slopes = autograd, five random codes",
    torch.tensor(by_hand).T,
    of_one_pixel(of_kl),
    unlike={"the price forgotten": of_one_pixel(lambda m, v: 0 * m * v)},
)

# %% [markdown]
# ## 2. Why may a gradient pass through a draw?
#
# You held the noise fixed and moved $\mu$. Was that allowed? The loss is an *average* over draws, and the distribution of the draws depends on the very parameters that you move.
#
# **Step 3. Move the sample.** Let $f(z)$ be what a code costs. The noise $\epsilon$ has a distribution without parameters, so average and derivative may change places:
# $$\nabla_{\!\mu}\,\mathbb E_{z\sim q}\,f(z)=\nabla_{\!\mu}\,\mathbb E_\epsilon\,f(\mu+\sigma\epsilon)=\mathbb E_\epsilon\big[f'(z)\big].\tag{4}$$
# This is **reparameterisation**. The noise is drawn first; then you ask how the outcome moves.
#
# **Step 4. Or move the odds.** You may also leave the samples where they are and change their probabilities. The slope of a logarithm is the slope divided by the value, so
# $$\nabla_{\!\mu}\,\mathbb E_{z\sim q}\,f(z)=\int f(z)\,\nabla_{\!\mu}\,q(z)\,dz=\mathbb E_{z\sim q}\big[f(z)\,\nabla_{\!\mu}\log q(z)\big],\qquad\nabla_{\!\mu}\log q(z)=\frac{z-\mu}{\sigma^2}.\tag{5}$$
# This is the **score-function estimator**, also called REINFORCE. It never differentiates $f$, so it works for any $f$ and for choices as well as for numbers. Reinforcement learning is built on it.
#
# In the tiny case $f$ is half the squared distance to 1.2, and both averages are $0.5-1.2=-0.7$. With the one draw $\epsilon=-0.3$, (4) says $-1$, the slope of $f$ at 0.2. And (5) says $-0.15$, the cost 0.5 times the noise. Now let the picture have $d$ pixels and the code $d$ numbers, all like this one. The slope in the *first* number stays the same. What becomes of the two estimates? We draw both 20,000 times and compare their variances.

# %% jupyter={"source_hidden": true}
variance, based = {}, {}
for d in (1, 4, 16, 64):
    noise = torch.randn(20_000, d, generator=generator)
    z = 0.5 + noise  # (n, d): mu = 0.5, sigma = 1
    cost = 0.5 * (1.2 - z).square().sum(1)  # (n,)
    moved = z[:, 0] - 1.2  # (n,), equation (4)
    odds = cost * noise[:, 0]  # (n,), equation (5)
    variance[d] = (odds.var() / moved.var()).item()
    less = (cost - cost.mean()) * noise[:, 0]  # (n,), (5) with a baseline
    based[d] = (less.var() / moved.var()).item()
    print(f"d = {d:2}: variance of (5) / that of (4) = ~{variance[d]:.0f}", end="; ")
    print(f"mean cost subtracted: ~{based[d]:.0f}")

# %% jupyter={"source_hidden": true}
course.predicted("06.predict-variance", variance[64])
with course.more_checks():
    first = 0.5 * (1.2 - z[:, 0]).square()
    for name, found, wrong in (
        ("samples", moved, 1.2 - z[:, 0]),
        ("odds", first * noise[:, 0], first * (0.5 - z[:, 0])),
    ):
        sign = {"the sign": wrong.mean()}
        check_close_mc(f"mean slope, moving the {name}", found, -0.7, unlike=sign)
    a = 1.2 - 0.5
    square = (a**4 + 18 * a**2 + 15) / 4  # even moments of a normal: 1, 3, 15
    ratio = variance[1] / (square - a**2)
    other = {"mean square for variance": variance[1] / square}
    check_range("d = 1: ratio / closed form", ratio, 0.9, 1.1, unlike=other)
    check_range(
        "ratio, 64 numbers", variance[64], 1500, 3200, unlike={"d = 16": variance[16]}
    )
    other = {"no baseline": variance[64]}
    check_range("the same, mean subtracted", based[64], 45, 95, unlike=other)
    wave = 0.5 + noise[:, 0]  # f(z) = cos 8z, for the misconception below
    quick = (wave * 8).cos() * noise[:, 0], -8 * (wave * 8).sin()
    label = "cos 8z: variance of (5) / variance of (4)"
    other = {"cos z": ((wave.cos() * noise[:, 0]).var() / wave.sin().var()).item()}
    check_range(label, quick[0].var() / quick[1].var(), 0.01, 0.05, unlike=other)


# %% [markdown]
# (5) has about 2,000 times the variance, and needs so many times more draws. Nearly all of it is a constant: the cost of 64 numbers is near 48, whatever is drawn, and (5) multiplies it by the noise. Subtract the mean cost, a **baseline**, as is usual: the mean of (5) stays, and the ratio falls to about 65. It comes from the costs of the 63 other numbers, which have nothing to do with the first. In (4) each number sees only its part of the cost.
#
# **A common misconception** is that reparameterisation always wins. It does for costs that change slowly, as a VAE's do. If $f$ oscillates quickly, $f'$ is large and (5) is the quieter one. And if $f$ *jumps*, (4) is wrong: the derivative misses the jump. Remember the jump, it comes back in section 6.
#
# ## 3. The whole machine
#
# Two networks with one hidden layer each, on digits of 16 x 16 pixels, black and white. The decoder gives a number $l_j$ for each pixel, the logit of its probability of ink, $\pi_j$.

# %%
class VAE(nn.Module):
    """Pictures (b, 256) of zeros and ones; codes (b, n_latents)."""

    def __init__(self, n_latents=16, width=256):
        super().__init__()
        self.n_latents = n_latents
        self.encoder = nn.Sequential(
            nn.Linear(256, width), nn.SiLU(), nn.Linear(width, 2 * n_latents)
        )
        self.decoder = nn.Sequential(
            nn.Linear(n_latents, width), nn.SiLU(), nn.Linear(width, 256)
        )

    def encode(self, x):
        return self.encoder(x).chunk(2, dim=1)  # (b, 256) -> mu, log_var (b, k)

    def decode(self, z, x=None):
        return self.decoder(z)  # (b, k) -> (b, 256), the logits of ink

    def sample(self, n, generator):
        z = torch.randn(n, self.n_latents, generator=generator)  # from the prior
        return self.decode(z).sigmoid()  # (n, 256), probabilities of ink


# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float32)
prices = "price of the code (2)", "description (6)"
show(
    lesson_06.machine("draw\nz = μ + σ ε", prices),
    "A chain of boxes: picture, encoder, draw of the code, decoder, probability of "
    "ink. Noise enters the draw from outside. The price is paid at the draw, the "
    "description at the end; from there the gradient returns to the encoder.",
)


# %% [markdown]
# **Step 5. Description of a black-and-white picture.** Given the code the pixels are independent coins, so their log-probabilities add up:
# $$-\log p(x\mid z)=-\sum_{j=1}^{256}\big[x_j\log\pi_j+(1-x_j)\log(1-\pi_j)\big].\tag{6}$$
# This is the binary cross-entropy, *summed over the pixels*. It is a true number of nats: the probabilities of all $2^{256}$ pictures add up to one.
#
# **Your turn 06.2 · draw, describe, price** *(build, 12 minutes)*. Write the loss for a batch: draw one code for each picture with the noise that is given, describe the picture by (6), price the code by (2). Return both numbers for each picture. Three mistakes are tempting. A standard deviation is not `exp(log_var)`. A mean over the pixels is not (6). And `detach` would cut the encoder off. The training below runs with **your** function.

# %%
def my_parts(x, mu, log_var, eps, decode):
    """Description and price of each picture, nats: two tensors (b,).

    x (b, d) is 0 or 1; mu, log_var, eps are (b, k); decode(z) gives logits (b, d).
    """
    ...


course.exercise("06.parts", my_parts)
course.solution("06.parts")

# %%
parts = course.yours("06.parts")


def negative_elbo(model, x, generator, step):  # (1), mean over the batch
    mu, log_var = model.encode(x)
    eps = torch.randn(mu.shape, generator=generator)
    nats, price = parts(x, mu, log_var, eps, lambda z: model.decode(z, x))
    return (nats + price).mean()


def train(model, loss_of, n_steps, seed, lr=3e-3, batch=64):
    """Adam on batches of training digits, with a step size that rises and falls."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=n_steps)
    for step in range(n_steps):
        x = digits[torch.randint(8000, (batch,), generator=generator)]  # (b, 256)
        loss = loss_of(model, x, generator, step)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()


# %%
torch.manual_seed(6)
vae = VAE()
train(vae, negative_elbo, 1200, seed=6)

# %% jupyter={"source_hidden": true}
generator = torch.Generator().manual_seed(1)
with torch.no_grad():
    bound = negative_elbo(vae, test.repeat(5, 1), generator, 0).item()
    rebuilt = vae.decode(vae.encode(test)[0]).sigmoid()  # (1000, 256)
    samples = vae.sample(1000, generator)
print(f"at most ~{bound:.1f} nats = ~{bound / 256 / math.log(2):.2f} bits per pixel")
show(
    lesson_06.rows(
        {
            "held-out digits": test[:10],
            "from their codes": rebuilt[:10],
            "from prior codes": samples[:10],
        },
        "Your VAE after 1,200 steps",
    ),
    "Three rows of ten digits: held-out digits, softer versions of them decoded "
    "from their codes, and pictures decoded from prior codes, many of them digits.",
)

# %% [markdown]
# The first row shows digits that the VAE never saw, the second what it draws from their codes, and the third is new. Some come back as other digits, a 7 as a 9: sixteen numbers, cheaply told, do not say everything. All pictures show the *probability* of ink, and grey means that the code leaves a pixel open. A fair coin for each pixel would cost 177 nats.
#
# One habit to keep: the number printed is a **bound**. The true $-\log p(x)$ is smaller by the gap of lesson 05, so do not rank it against an exact likelihood. Does your function compute the same bound as the package? Forget the half in (2), and it is off by a whole KL term, about 9 nats.

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    mu, log_var = vae.encode(test[:50])
    eps = torch.randn(mu.shape, generator=generator)
    nats, price = parts(test[:50], mu, log_var, eps, vae.decode)
    theirs = latent.elbo(
        test[:50],
        mu,
        log_var,
        eps,
        decoder_log_prob=lambda x, z: latent.bernoulli_log_prob(x, vae.decode(z)),
    )
check(
    "your description + price = - genlab's ELBO",
    nats + price,
    -theirs,
    rtol=1e-4,
    unlike={"the half forgotten": nats + price + price},
)

# %% jupyter={"source_hidden": true}
blank = negative_elbo(VAE(), test, generator, 0).item()
with course.more_checks():
    check_range("bound, nats", bound, 33, 39, unlike={"before training": blank})
    pictures = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)  # all 16
    logits = torch.randn(4, generator=generator)
    total = lambda keep: (
        -F.binary_cross_entropy_with_logits(
            logits.expand(16, 4), pictures, weight=keep, reduction="none"
        ).sum(1)
    ).exp().sum()  # fmt: skip
    check(
        "(6): probabilities of all 16 pictures",
        total(None),
        1.0,
        rtol=1e-5,
        unlike={"white pixels forgotten": total(pictures)},
    )

# %% [markdown]
# ## 4. What does the code know?
#
# The opening film walked in a straight line between two codes of 16 numbers. With *two* numbers you can see the whole space, and hold both ends. Play `walk` below: what happens to the stroke in the plane, and in the pixels? Drag the right-hand end down to a 0: is the walk still clearer than the fade? And what stands in the corners when `plane up to` is 6?

# %% tags=["keep-output"]
widgets.latent_walk()

# %% [markdown]
# <details><summary>Answer</summary>
#
# In the plane the 1 stands up and grows a roof; in the pixels one digit shines through the other: halfway 28 bits of the pixels are open against 43. From the 1 down to a 0 at $(-1.5,-1.4)$ the walk crosses something that is neither 5 nor 8, then a 2, and on such borders it is as undecided as the fade (halfway 57 against 54 bits). In the corners, where the prior has next to nothing, the decoder is *sure*: 4 to 17 bits. A clear picture is no evidence that anything like it was in the data.
#
# </details>
#
# Can the impression be measured? Take 500 pairs of held-out digits and both midpoints: the picture decoded from the middle of the two *codes*, and the middle of the two decoded *pictures*. Ask two questions. How many bits do the pixels leave open, $\sum_jH(\pi_j)$? And how often are *two* classifiers, built differently, both more than 90 % sure of the same digit? (On real black-and-white digits they are in four of five.)

# %% jupyter={"source_hidden": true}
evaluators = [load_model(f"digit16_evaluator_{name}") for name in "ab"]


@torch.no_grad()
def sure(pictures):
    """Whether both evaluators give one digit more than 0.9: zeros and ones (n,)."""
    grey = 255 * pictures.view(-1, 1, 16, 16)
    (p, first), (q, second) = (net(grey).softmax(1).max(1) for net in evaluators)
    return ((first == second) & (p > 0.9) & (q > 0.9)).float()


def open_bits(p):
    """Entropy of the pixels of each picture, in bits: (n, 256) -> (n,)."""
    p = p.clamp(1e-6, 1 - 1e-6)
    return -(p * p.log2() + (1 - p) * (1 - p).log2()).sum(1)


def in_bars(gain):
    """A mean gain in units of its standard error."""
    return gain.mean() / (gain.std() / len(gain) ** 0.5)


print(f"real digits: sure of ~{100 * sure(test).mean():.0f} %")

# %% jupyter={"source_hidden": true}
found = {}
with torch.no_grad():
    for name, codes, decode in (
        ("shipped VAE", code, lambda z: shipped.mean_image(z).flatten(1)),
        ("your VAE", vae.encode(test)[0], lambda z: vae.decode(z).sigmoid()),
    ):
        middle = decode((codes[:500] + codes[500:]) / 2)
        fade = (decode(codes[:500]) + decode(codes[500:])) / 2
        gain = open_bits(fade) - open_bits(middle)
        more = sure(middle) - sure(fade)
        found[name] = gain, more
        for what, p in {"codes": middle, "pictures": fade}.items():
            bits, share = open_bits(p).mean(), 100 * sure(p).mean()
            print(f"{name:12} middle of {what:9}", end="")
            print(f"~{bits:.0f} bits open, sure of ~{share:.0f} %")
with course.more_checks():
    for name, pair in found.items():
        for what, gain in zip(("bits", "sure"), pair, strict=True):
            low = 4 if name == "shipped VAE" else 0.5
            label = f"{name}, {what}, gain in paired bars"
            other = {"the other way round": in_bars(-gain)}
            check_range(label, in_bars(gain), low, 60, unlike=other)

# %% [markdown]
# In both models the midpoint of the codes is clearer and is recognised more often, by a wide margin in the shipped model, which is larger and trained five times as long. Neither question can see whether a midpoint *resembles handwriting*.
#
# ## 5. What does a decoder's number mean?
#
# A loss is minus a log-likelihood only if something adds up to one. Two mistakes are so common that they have been found in published code, and neither raises an error.
#
# **Step 6. Cross-entropy on grey levels.** The picture has 17 levels from 0 to 1 in steps of a sixteenth, and someone puts them into (6). Then the "probability" of a level is the exponential of minus its cost. For one pixel the 17 of them should add up to one. Do they?

# %% jupyter={"source_hidden": true}
levels = torch.arange(17) / 16
for p in (0.3, 0.01):
    total = (p**levels * (1 - p) ** (1 - levels)).sum().item()  # over 17 levels
    print(f"ink {p}: the 17 would-be probabilities add up to {total:.2f}")


# %% [markdown]
# They add up to 8 for one $\pi$, and to 4 for another. The missing constant moves with what is learned, so this is the likelihood of nothing (Loaiza-Ganem and Cunningham 2019 call it a pervasive error). A softmax over the 17 levels is a distribution; so is a Gaussian, if it is used as one:
#
# **Step 7. The scale belongs to the model.** Let each of the $d$ pixels be normal, with mean $m_j$ and standard deviation $s$. Then
# $$-\log p(x\mid z)=\frac1{2s^2}\sum_{j=1}^d(x_j-m_j)^2+d\log s+\frac d2\log2\pi .\tag{7}$$
# The "MSE loss" is this with $s=1$: as if each pixel were wrong by as much as the whole range from black to white. Set the slope in $s$ to zero, and the best $s^2$ is the mean squared error. So $s$ can be learned with the rest, or read off.
#
# **Your turn 06.3 · a colleague's loss** *(repair, 5 minutes)*. This one runs, and it trains something. It is not (7). Find its three faults.

# %%
def broken_nats(x, mean, log_s):
    """Should be (7): nats of grey pictures x (b, d) around the decoder's means."""
    return ((x - mean).square() / (2 * log_s.exp())).mean(1)


def my_grey_nats(x, mean, log_s): ...


course.exercise("06.grey-nats", my_grey_nats)
course.solution("06.grey-nats")

# %% jupyter={"source_hidden": true}
grey_nats = course.yours("06.grey-nats")
grey = load_mnist("test", 16).images.flatten(1)
grey = (grey + torch.rand(grey.shape, generator=generator)) / 256  # a density on [0, 1)
best = (grey - rebuilt).square().mean().sqrt()  # the root of the mean squared error
scales = torch.logspace(-1.5, 0.5, 101)
nats = torch.stack([grey_nats(grey, rebuilt, s.log()).mean() for s in scales])
bits = core.bits_per_dim(nats, 256, levels=256)
show(
    lesson_06.best_scale(scales, bits, best.item(), 8.0),
    "Bits per pixel against s from 0.03 to 3, a bowl: 6.9 at its lowest point, s = "
    "0.12, where s squared is the mean squared error; 9.3 at s = 1, above the dotted "
    "line of a blind guess, 8 bits.",
)

# %% jupyter={"source_hidden": true}
log_s = best.log().double().requires_grad_()
slope = lambda at: torch.autograd.grad(
    grey_nats(grey.double(), rebuilt.double(), at).mean(), at
)[0]
with course.more_checks():
    check("slope of (7) in log s, at s^2 = MSE", slope(log_s), 0.0, atol=1e-3,
          unlike={"at s = MSE": slope(2 * log_s)})  # fmt: skip
    ratio = (0.3 / 0.7) ** (1 / 16)
    check(
        "would-be probabilities at 0.3: a geometric series",
        (0.3**levels * 0.7 ** (1 - levels)).sum().double(),
        0.7 * (1 - ratio**17) / (1 - ratio),
        rtol=1e-5,
        unlike={"sixteen levels": 0.7 * (1 - ratio**16) / (1 - ratio)},
    )


# %% [markdown]
# The grey digits have 256 levels, and guessing blindly costs 8 bits. With $s=1$ the decoder is *worse than guessing*, although its pictures are the same ones.
#
# **Pause.** You have trained a VAE with your own loss, and you know what its number means. Next, the code is made of tokens.
#
# ## 6. How can a gradient pass through a choice?
#
# Lesson 02's transformer writes pictures token by token. If a code were made of tokens, one transformer could handle words and pictures. So let the code be 16 **tokens**, each one of 64. That is six bits a token and 96 bits a picture.
#
# **Step 8. The nearest vector.** Keep a **codebook** of 64 vectors $c_k$. The encoder outputs a vector $e$, and the token is the number of the nearest entry:
# $$i=\arg\min_k\lVert e-c_k\rVert,\qquad z=c_i.\tag{8}$$
# This is **vector quantisation (VQ)**. Take the tiny case: the encoder says $e=0.5$, and the codebook has $-1$, $0.2$ and $1.5$. The nearest is $z=0.2$, the same $z$ as in (3), so the description costs the same 1.419 and its slope in $z$ is $-1$ again. But what is the slope in $e$? Move $e$ a little, and the choice stays. The true slope is zero everywhere, except where the choice jumps. This is the case that (4) could not handle.
#
# **Step 9. Straight through.** Pretend. Let $\mathrm{sg}$ mean "this value, but no gradient" (stop-gradient, `detach` in code), and write
# $$z=e+\mathrm{sg}[c_i-e].\tag{9}$$
# Going forwards, $e$ cancels and $z=c_i$. Going backwards, the bracket is a constant, so the slope passes to $e$ unchanged: $-1$. Compare with the draw of (3). There the noise was $-0.3$, here the rounding error is $-0.3$, and both are treated as something that came from outside. For the noise that is true, and (4) is unbiased. For the rounding error it is a pretence, the **straight-through estimator**, and it works well enough that nearly all tokenizers use it.
#
# **Step 10. The codebook learns, too.** No gradient reaches the codebook through (9). So the vectors are pulled together by a term of their own, in both directions and with different force:
# $$\text{pull}=\lVert\mathrm{sg}[e]-c_i\rVert^2+\tfrac14\,\lVert e-\mathrm{sg}[c_i]\rVert^2 .\tag{10}$$
# The first part moves the entry to the mean of the vectors that chose it. (Choose the nearest, move to the mean: the hard version of lesson 05's EM.) The second, the **commitment**, keeps the encoder from running away.
#
# **Your turn 06.4 · a quantiser** *(build, 12 minutes)*. Write (8), (9) and (10). The tokenizer below trains with **your** function. Autograd will not complain if the gradient goes nowhere, so the checker looks where it goes.

# %%
def my_quantise(e, codebook):
    """(z, index, pull) of vectors e (b, t, d) and a codebook (k, d).

    z is (b, t, d), the index (b, t), the pull (b,), summed over t and d.
    """
    ...


course.exercise("06.quantise", my_quantise)
course.solution("06.quantise")

# %%
quantise = course.yours("06.quantise")


class Tokenizer(nn.Module):
    """Pictures (b, 256) to 16 vectors of 3 numbers, quantised, and back."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, 48), nn.LayerNorm(48)
        )
        self.decoder = nn.Sequential(nn.Linear(48, 256), nn.SiLU(), nn.Linear(256, 256))
        self.codebook = nn.Parameter((2 * torch.rand(64, 3) - 1) / 64)  # small

    def tokens(self, x):
        e = self.encoder(x).view(-1, 16, 3)  # (b, 256) -> (b, 16, 3)
        return quantise(e, self.codebook)

    def decode(self, z):
        return self.decoder(z.flatten(1))  # (b, 16, 3) -> (b, 256)


def token_loss(model, x, generator, step):
    z, index, pull = model.tokens(x)
    nats = F.binary_cross_entropy_with_logits(model.decode(z), x, reduction="none")
    return (nats.sum(1) + pull).mean()


# %%
torch.manual_seed(0)
vq = Tokenizer()
train(vq, token_loss, 400, seed=0)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    z, index, _ = vq.tokens(test)
    by_vq = vq.decode(z).sigmoid()
print(f"{len(index.unique())} of 64 codes are in use on 1,000 test digits")
course.predicted("06.predict-codes", len(index.unique()))

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
book, far = torch.tensor([[-1.0], [0.2], [1.5]]), 1e-4
at = torch.tensor([[[0.5]], [[-0.45]], [[1.3]]], requires_grad=True)  # (3, 1, 1)


def described(e, through):
    """The description of x = 1.2 in the tiny case."""
    return 0.5 * (1.2 - through(e)).square().sum()


rough = lambda e: book[(e - book.view(1, 1, 3)).abs().argmin(-1)]
(pretended,) = torch.autograd.grad(described(at, lambda e: quantise(e, book)[0]), at)
still = at.detach()
true = [
    described(still + far * side, rough) - described(still - far * side, rough)
    for side in torch.eye(3).view(3, 3, 1, 1)
]
check(
    "your slope in e = the slope in z, at three places",
    pretended.flatten(),
    (rough(at.detach()) - 1.2).flatten(),
    unlike={"the true slope": torch.stack(true) / (2 * far)},
)

# %% jupyter={"source_hidden": true}
with course.more_checks():
    e = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    entries = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    z, index, pull = quantise(e, entries)
    theirs, chosen = latent.vector_quantize(e, entries)
    check("(8): genlab's choice", index, chosen, unlike={"first axis": chosen.flip(1)})
    cost = latent.codebook_loss(e, entries, chosen).sum(1)
    bare = (e - entries[chosen]).square().sum((1, 2))
    check("(10): genlab's pull", pull, cost, unlike={"no commitment": bare})
torch.set_default_dtype(torch.float32)


# %% [markdown]
# A gradient does pass. But most of the codebook is idle. The entries began close together near zero, which is the usual start. A few were nearest to something, and (10) pulled those away; the others were never chosen, so nothing ever moved them. Section 9 measures the damage and repairs it.
#
# ## 7. Can one do without a codebook?
#
# **Step 11. Round each number.** Let the token be a few *small* numbers, each rounded to one of $L$ levels. Three numbers with four levels each make $4^3=64$ codes. To have exactly $L$ levels, first squeeze the number into an interval of length $L-1$ by a $\tanh$:
# $$b=\frac{L-1}2\tanh(e+a)-o,\qquad z=\frac{\mathrm{round}(b)}{\lfloor L/2\rfloor},\qquad o=\tfrac12\text{ if }L\text{ is even, else }0 .\tag{11}$$
# For $L=3$ the interval is $(-1,1)$, and rounding gives $-1,0,1$. For $L=4$ it would be $(-1.5,1.5)$, whose whole numbers are again only $-1,0,1$. So it is moved down by a half, to $(-2,1)$, which rounds to four levels. The shift $a$ undoes this for the encoder: choose it such that $e=0$ gives $b=0$, and solve for $\tanh a$. The gradient passes straight through the rounding, as in (9). This is **finite scalar quantisation (FSQ)**.
#
# **Your turn 06.5 · a rounding quantiser** *(build, 10 minutes)*. Write (11) for three levels or more, in about six lines. Mind the even ones. The next tokenizer trains with it.

# %%
def my_rounding(e, n_levels):
    """Each number of e rounded to one of n_levels in [-1, 1], straight-through."""
    ...


course.exercise("06.rounding", my_rounding)
course.solution("06.rounding")

# %%
rounding = course.yours("06.rounding")


class Rounder(Tokenizer):  # the same networks; its codebook is never used
    def tokens(self, x):
        z = rounding(self.encoder(x).view(-1, 16, 3), 4)  # (b, 16, 3)
        return z, latent.finite_scalar_index(z, (4, 4, 4)), torch.zeros(len(x))


torch.manual_seed(0)
fsq = Rounder()
train(fsq, token_loss, 400, seed=0)

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    z, index, _ = fsq.tokens(test)
    by_fsq = fsq.decode(z).sigmoid()
    any_tokens = rounding(torch.randn(10, 16, 3, generator=generator) * 2, 4)
    nonsense = fsq.decode(any_tokens).sigmoid()
print(f"{len(index.unique())} of 64 codes are in use;", end=" ")
by_name = {"FSQ": by_fsq, "VQ": by_vq}
said = [f"~{100 * sure(p).mean():.0f} % by {name}" for name, p in by_name.items()]
print("both evaluators are sure of", ", ".join(said))

# %% jupyter={"source_hidden": true}
show(
    lesson_06.rows(
        {
            "held-out digits": test[:10],
            "their FSQ tokens": lesson_06.tiles(z[:10]),
            "from FSQ": by_fsq[:10],
            "from VQ": by_vq[:10],
            "random tokens": nonsense,
        },
        "96 bits are enough for most digits, but not every sentence is one",
    ),
    "Five rows: ten digits; their sixteen tokens as coloured squares; the digits "
    "decoded from rounded codes, clear; from the codebook with few codes in use, "
    "blurred; and pictures decoded from random tokens, which are no digits.",
)

# %% jupyter={"source_hidden": true}
with course.more_checks():
    e = 2 * torch.randn(4, 5, 3, generator=generator)
    for n in (3, 4):
        check(
            f"(11), {n} levels = genlab's",
            rounding(e, n),
            latent.finite_scalar_quantize(e, (n, n, n), eps=0.0),
            unlike={"other levels": latent.finite_scalar_quantize(e, (7 - n,) * 3)},
        )

# %% [markdown]
# In the second row a token is a colour: its three numbers are red, green and blue. A tokenizer can *read* and *rebuild* pictures, but not invent any: the last row shows random sentences. A second model must learn which sentences are pictures. That is the project, and it is how many image generators are built.
#
# What would such a pair score as *one* model? It has a bound, too. Give the tokens a distribution $p(i)$. The encoder's choice is a $q$ without any spread, so its KL is $-\log p(i)$, and (1) reads
# $$-\log p(x)\ \le\ -\log p(i_1,\dots,i_{16})-\log p(x\mid z).\tag{12}$$
# With all sentences equally likely the first term is 96 bits, or 66.5 nats. Your VAE's whole bound was lower than that. (Equation (1) decodes draws, and so does this row.) So each nat that the second model saves on the tokens is a nat of likelihood.

# %% jupyter={"source_hidden": true}
with torch.no_grad():
    five = test.repeat(5, 1)
    mu, log_var = vae.encode(five)
    eps = torch.randn(mu.shape, generator=torch.Generator().manual_seed(7))
    nats, price = (v.mean().item() for v in parts(five, mu, log_var, eps, vae.decode))
    described = lambda p: F.binary_cross_entropy(p, test, reduction="sum").item() / 1000
    for name, rate, rest in (
        ("your VAE", price, nats),
        ("FSQ, all tokens alike", 96 * math.log(2), described(by_fsq)),
    ):
        print(f"{name:22} price of the code ~{rate:.1f} nats,", end=" ")
        print(f"then ~{rest:.1f} for the picture: ~{rate + rest:.1f}")
with course.more_checks():
    other = {"decoded the mean code": price + described(rebuilt) - bound}
    extra = price + nats - bound
    check_range("your VAE: sum - bound of section 3", extra, -0.5, 0.5, unlike=other)

# %% [markdown]
# ## 8. What do tokenizers of 2022 to 2025 do?
#
# Three questions distinguish them: how much does the code cost (**rate**), what counts as a good reconstruction (**distortion**), and how easy is the code for the second model?
#
# | system | code of a picture | how it is made discrete or kept small | second model |
# |---|---|---|---|
# | latent diffusion 2022 | grid of vectors of 4 numbers (FLUX.2, 2025: 32) | KL with a *tiny* weight, perceptual and adversarial losses | diffusion |
# | Chameleon 2024 | 8,192 codes of 256 numbers | VQ, (8) to (10) | one transformer for words and pictures |
# | Emu3 2024, Janus 2024 | 32,768 codes of 4 numbers; 16,384 codes of 8 | VQ with few numbers a code | the same |
# | MAGVIT-v2 2023 | $2^{18}$ codes | the sign of 18 numbers: rounding to two levels | masked transformer |
# | VidTok 2024 | video, FSQ or KL | (11) | either |
# | TiTok 2024 | 32 tokens in a row, no grid | VQ | masked transformer |
# | representation autoencoder 2025 | features of a frozen image encoder | nothing; only the decoder is trained | diffusion |
#
# Emu3 has more codes than Chameleon, of 4 numbers in place of 256: with few numbers, every region of the space is close to some entry. And a tokenizer that reconstructs better can make generation *harder* (Yao et al. 2025), so codes are now aligned with, or taken from, encoders that recognise what a picture shows.
#
# **Your turn 06.6 · how short is the sentence?** *(compute, 3 minutes)*. Emu3 turns a picture of $512\times512$ pixels, 24 bits each, into $64\times64$ tokens out of 32,768. How many times fewer bits is that?

# %%
ratio = ...

course.exercise("06.rate", ratio)
course.solution("06.rate")


# %% [markdown]
# ## 9. It fails: codes that say nothing, and codes that nobody says
#
# **Failure 1: one word.** Write `mean` for `sum` in (6). The description now has weight $\frac1{256}$, while the price is unchanged. Up to a factor of the whole loss, which Adam hardly notices, you train
# $$\text{description}+\beta\cdot\text{price}\quad\text{with }\beta=256.\tag{13}$$
# The objective is known as the **$\beta$-VAE**. What does this $\beta$ do?
#
# To see it you need to know what a code *carries*. Averaged over $n$ pictures, what is paid splits exactly. Let $\bar q$ be the mixture of all $n$ codes. Then
# $$\underbrace{\tfrac1n\textstyle\sum_i\mathrm{KL}\big(q(z\mid x_i)\,\|\,p\big)}_{\text{paid}}=\underbrace{\tfrac1n\textstyle\sum_i\mathrm{KL}\big(q(z\mid x_i)\,\|\,\bar q\big)}_{\text{carried: information about }x}+\ \mathrm{KL}\big(\bar q\,\|\,p\big).\tag{14}$$
# To see it, add and subtract $\log\bar q$ inside the average. An encoder that sends *every* picture to mean 3 and variance 1 pays 4.5 nats a number and carries none. So a large KL proves nothing; ask whether the codes of different pictures differ.

# %%
class Strong(VAE):
    """A VAE whose decoder also sees, for each pixel, the true pixels before it."""

    def __init__(self, depth):
        super().__init__(8, 64)
        deep = [nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU()]
        first, last = self.decoder[:2], self.decoder[2]  # depth 2: as in the VAE
        self.decoder = nn.Sequential(*first, *deep[: 2 * depth - 4], last)
        self.past = nn.Parameter(torch.zeros(256, 256))

    def decode(self, z, x=None):
        return self.decoder(z) + x @ self.past.tril(-1).T  # pixel j sees those before j


def weighted(beta=1.0, floor=0.0, warm=1):
    """A loss with weight beta, risen to in `warm` steps; `floor` nats are free."""

    def loss(model, x, generator, step):
        mu, log_var = model.encode(x)
        eps = torch.randn(mu.shape, generator=generator)
        nats, _ = parts(x, mu, log_var, eps, lambda z: model.decode(z, x))
        price = latent.kl_per_unit(mu, log_var).mean(0)  # (k,)
        return nats.mean() + beta * min(1, step / warm) * price.clamp(min=floor).sum()

    return loss


# %% jupyter={"source_hidden": true}
@torch.no_grad()
def measured(model, seed):
    """Bound, paid and carried nats on test digits; how many numbers are active."""
    generator = torch.Generator().manual_seed(seed)
    mu, log_var = model.encode(test)
    eps = torch.randn(4, *mu.shape, generator=generator)
    nats, price = parts(test, mu, log_var, eps[0], lambda z: model.decode(z, test))
    carried = torch.stack([latent.code_information(mu, log_var, e).mean() for e in eps])
    found = [v.mean().item() for v in (nats + price, price, carried)]
    return found, int(latent.active_units(mu).sum())


def three_runs(build, loss):
    """One training from three seeds: (3, 3) of bound, paid, carried; active numbers."""
    rows, active = [], []
    for seed in (0, 1, 2):
        torch.manual_seed(seed)
        model = build()
        train(model, loss, 300, seed, lr=1e-2, batch=32)
        row, n = measured(model, seed)
        rows.append(row)
        active.append(n)
    return torch.tensor(rows), active


# %%
runs = {
    "sum over pixels": three_runs(lambda: VAE(8, 64), weighted()),
    "mean over pixels": three_runs(lambda: VAE(8, 64), weighted(beta=256)),
    "decoder sees the past": three_runs(lambda: Strong(depth=4), weighted()),
    "the same, annealed": three_runs(lambda: Strong(depth=4), weighted(warm=240)),
    "the same, free bits": three_runs(lambda: Strong(depth=4), weighted(floor=0.5)),
    "the same, short path": three_runs(lambda: Strong(depth=2), weighted()),
}

# %% jupyter={"source_hidden": true}
for name, (found, active) in runs.items():
    nats, paid, carried = found.mean(0)
    print(f"{name:22} bound ~{nats:.1f}, paid ~{paid:.2f},", end=" ")
    print(f"carried ~{carried:.2f}, active ~{min(active)} to ~{max(active)} of 8")
empty = bool(runs["mean over pixels"][0][:, 2].max() < 0.02)  # nats carried
came = "an unused code" if empty else "the same pictures"
course.predicted("06.predict-mean", came)
show(
    lesson_06.paid_and_carried({name: found for name, (found, _) in runs.items()}),
    "Bars for six trainings, paid in grey and carried in blue: the plain VAE pays and "
    "carries most; the mean over pixels nothing; a decoder that sees the past pays and "
    "carries little, also when annealed; free bits pay over twice what they carry; a "
    "short path pays and carries more.",
)

# %% [markdown]
# **What you see.** The mean over pixels trains a model whose code is empty, in all three seeds. It pays nothing and carries nothing, and it draws the same grey average for each $z$. Write `sum`.
#
# **Failure 2: a decoder that can do without.** In the other rows the decoder also sees the true pixels before each pixel, a small autoregressive model. Its neighbours tell a pixel most of what the code would. After these 300 steps the code is hardly used (**posterior collapse**), at the lowest bound of these four rows, tied with annealing. Does the bound *want* an empty code? After ten times the steps the emptiest code has the *highest* of the four (`benchmarks/collapse_06.py`, means of three seeds):
#
# | 3,000 steps | bound | paid | carried |
# |---|---|---|---|
# | decoder sees the past | 33.7 | 1.2 | 1.1 |
# | annealed | 32.8 | 3.9 | 3.8 |
# | free bits | 33.6 | 4.6 | 3.7 |
# | short path | 32.9 | 4.1 | 3.9 |
# | no past, a plain VAE | 34.5 | 8.3 | 6.2 |
#
# The first two are one model with one bound, and annealing ends nearly a nat lower. So here training had failed to find a code that pays. Three repairs:
#
# - **KL annealing** lets the weight of the price rise slowly from 0. In 300 steps it adds a quarter of a nat; in 3,000 the code carries over three times as much.
# - **Free bits** charge nothing for the first half nat of each number, so the encoder uses it, and all eight are active. But after 300 steps less than half is carried; after 3,000, four fifths. An active number moves with the picture; that does not tell you how much it says.
# - A **short path** from the code to the pixels, one hidden layer in place of three, carries three to four times as much, in both trainings.

# %% jupyter={"source_hidden": true}
torch.set_default_dtype(torch.float64)
line = torch.linspace(-12, 12, 4001)
m, v = torch.tensor([[-1.0, 0.3, 2.0], [0.0, -1.0, 0.5]])[..., None]  # three codes
q = torch.distributions.Normal(m, (v / 2).exp()).log_prob(line).exp()  # (3, 4001)
prior = torch.distributions.Normal(0.0, 1.0).log_prob(line)
kl = lambda a, log_b: torch.trapezoid(torch.xlogy(a, a) - a * log_b, line)
mixed = q.mean(0)
carried, rest = kl(q, mixed.log()).mean(), kl(mixed, prior)
draws = torch.randn(4000, 3, 1, generator=torch.Generator().manual_seed(2))
told = torch.stack([latent.code_information(m, v, e).mean() for e in draws])
check(
    "(14): paid = carried + the rest, three codes",
    latent.kl_per_unit(m, v).mean(),
    carried + rest,
    unlike={"the rest forgotten": carried},
)
torch.set_default_dtype(torch.float32)

# %% jupyter={"source_hidden": true}
plain, pixel_mean, past, annealed, free, short = (found for found, _ in runs.values())
kept = lambda found: found[:, 2] / found[:, 1]  # the fraction of what is paid
more = lambda found: (found[:, 2] / past[:, 2]).min()  # times what `past` carries
cost = lambda found: found[:, 0] - past[:, 0]  # of the bound, nats
with course.more_checks():
    other = {"paid": (carried + rest).item()}
    check_close_mc("code_information", told, carried.item(), unlike=other)
    check_range(
        "mean over pixels: most carried",
        pixel_mean[:, 2].max(),
        -0.02,
        0.02,
        unlike={"sum": plain[:, 2].min()},
    )
    label = "free bits, 300 steps: largest fraction carried"
    check_range(label, kept(free).max(), 0.2, 0.55, unlike={"short": kept(short).max()})
    label = "short path: carries at least this many times as much"
    check_range(label, more(short), 1.5, 6, unlike={"annealed": more(annealed)})
    label = "free bits, 300 steps: least loss of bound, nats"
    other = {"annealed": cost(annealed).max()}
    check_range(label, cost(free).min(), 0.5, 6, unlike=other)
    label = "short path, 300 steps: least loss of bound, nats"
    check_range(label, cost(short).min(), 0.2, 4, unlike=other)


# %% [markdown]
# **Failure 3: codes that nobody says.** Your first tokenizer used a fraction of its codebook. The cause was a start from which most entries were never nearest, and what is never chosen is never moved: **codebook collapse**. So every 25 steps, put each entry that was not chosen onto a vector that the encoder just produced. This is **reseeding dead codes**.

# %%
class Reseeded(Tokenizer):
    def reseed(self, x, generator):
        e = self.encoder(x).view(-1, 3)  # (b * 16, 3)
        _, index, _ = quantise(e[None], self.codebook)
        idle = torch.bincount(index.flatten(), minlength=64) == 0  # (64,)
        rows = torch.randint(len(e), (int(idle.sum()),), generator=generator)
        self.codebook.data[idle] = e[rows].detach()


def reseeding_loss(model, x, generator, step):
    if step % 25 == 0 and step < 280:  # then let them settle
        model.reseed(x, generator)
    return token_loss(model, x, generator, step)


# %% jupyter={"source_hidden": true}
def tokenised(build, loss, seed):
    """Tokens of the test digits and the pictures decoded from them."""
    torch.manual_seed(seed)
    model = build()
    train(model, loss, 400, seed)
    with torch.no_grad():
        z, index, _ = model.tokens(test)
        pictures = model.decode(z).sigmoid()
    return index, pictures


used, seen = {}, {}
first = {"plain codebook": (vq.tokens(test)[1], by_vq), "FSQ": (index, by_fsq)}
for name, build, loss in (
    ("plain codebook", Tokenizer, token_loss),
    ("dead codes reseeded", Reseeded, reseeding_loss),
    ("FSQ", Rounder, token_loss),
):
    found = [first[name]] if name in first else [tokenised(build, loss, 0)]
    found += [tokenised(build, loss, seed) for seed in (1, 2)]
    count = lambda i: torch.bincount(i.flatten(), minlength=64) / i.numel()
    used[name] = torch.stack([count(i) for i, _ in found])
    seen[name] = torch.stack([sure(p).mean() for _, p in found])
    alike = [f"{latent.codebook_usage(i, 64):.0f}" for i, _ in found]
    said = ", ".join(f"~{100 * s:.0f} %" for s in seen[name])
    print(f"{name:20} as if ~{', ~'.join(alike)} codes were used alike; sure of {said}")

# %% jupyter={"source_hidden": true}
show(
    lesson_06.usage(used),
    "Fraction of the tokens that each code makes up, sorted, three seeds each: with a "
    "plain codebook a few codes are all; with reseeding and FSQ all 64 are used.",
)
with course.more_checks():
    in_use = {name: (found > 0).sum(1) for name, found in used.items()}
    few, before = in_use["plain codebook"], seen["plain codebook"]
    label = "plain codebook: most codes in use"
    check_range(label, few.max(), 4, 45, unlike={"FSQ": in_use["FSQ"].max()})
    for name in ("dead codes reseeded", "FSQ"):
        least = in_use[name].min()
        other = {"plain": few.max()}
        check_range(f"{name}: fewest codes in use", least, 56, 64, unlike=other)
        label = f"{name}: least gain in sure pictures"
        gain, other = seen[name].min() - before.max(), before.min() - before.max()
        check_range(label, gain, 0.06, 0.8, unlike={"plain": other})

# %% [markdown]
# Both repairs work in all three seeds, and both evaluators are most often sure of the reseeded codebook's pictures. The number printed is the **perplexity** of the codes, the exponential of their entropy: 64 if all are used alike. It cannot see whether the codes are *useful*, so the pictures are judged as well.
#
# ## Summary
#
# 1. A VAE's loss is description plus price, both in nats, both sums: over pixels, and over the numbers of the code.
# 2. Reparameterisation draws the noise first, so the gradient passes through the sample. Prediction 1: the score-function estimate has about 2,000 times the variance at 64 numbers, about 65 times with a baseline; but it needs no derivative.
# 3. A decoder's output is a likelihood only if something adds up to one, and a Gaussian's scale is part of it.
# 4. Midpoints of codes are clearer and better recognised than midpoints of pictures. A clear picture is no proof that the data held anything like it.
# 5. A quantiser makes tokens. Its true slope is zero; the straight-through estimator treats the rounding error like noise from outside.
# 6. Rate and description together are a bound. Tokens need a second model.
# 7. Prediction 2: with a mean over pixels the code is unused. What is paid and what is carried are two numbers; neither the KL nor the active units tell you the second.
# 8. In a short training a strong decoder left the code nearly empty, at a low bound. After ten times the steps its bound was the highest of the four, and annealing or a short path carried three times as much.
# 9. Prediction 3: a codebook of 64 that starts near zero uses a quarter or so. Reseeding, or rounding, uses all.
#
# | paradigm | minimises | samples by | likelihood | pays with |
# |---|---|---|---|---|
# | latent-variable (VAE) | $-\mathbb E_q\log p(x\mid z)+\mathrm{KL}(q\,\Vert\,p)$ | one prior draw, one evaluation of the decoder | a lower bound | soft means, collapse, a gap |
#
# ## Quiz

# %% tags=["keep-output"]
widgets.quiz(6)

# %% [markdown]
# ## Project: digits that a transformer writes
#
# *(2 to 3 hours.)* Build both stages. First a tokenizer for these $16\times16$ black-and-white digits, of at most **96 bits** a picture (16 tokens of 64 codes, or 12 of 256, or 32 of 8). Then lesson 02's transformer on its tokens, `genlab.autoregressive.lm.TransformerLM`, trained on the 8,000 training digits. Sample tokens, decode them, and look.
#
# - **Targets**, in each of three training seeds: evaluator B names at least 90 % of the test digits correctly from their tokens (94 % from the digits themselves), and both evaluators are sure of at least half of 200 samples (82 % of real digits).
# - **It can be done**: with rounding, 2,500 steps and the networks of this page, B named 91 % in each of three seeds. A transformer of three layers and 64 channels, trained for 2,500 steps, brought the tokens from 66.5 down to about 49 nats, and the evaluators were sure of 50 to 59 % of its samples (`benchmarks/project_06.py`, two draws of 200 for each seed).
# - **Look at** the bound (12) of your pair, and compare it with your VAE's. Whose is lower? And does the tokenizer with the best reconstruction also give the best samples?
# - **Submit** a table with both stages of each seed, forty samples that were not chosen, and one idea that did not work.
#
# The lesson ends here. Two optional sections:
#
# - *Blur, measured*, 10 minutes
# - *The amortisation gap*, 8 minutes
#
# ## Going further: blur, measured
#
# The pictures of a VAE look soft. Is a squared error to blame? There is none in (6). Split a picture into waves, its discrete Fourier transform, and average the energy of each frequency. The mean picture of a code averages all that share the code, and by the law of total variance
# $$\mathrm{Var}\,x=\mathrm{Var}\,\mathbb E[x\mid z]+\mathbb E\,\mathrm{Var}[x\mid z],\tag{15}$$
# for every wave. So a conditional mean *cannot* have the energy of the data. Where does the rest go? If you *draw* black or white from the probabilities, the pixels are independent given the code, and all waves get the same energy, $\frac1{256}\sum_j\pi_j(1-\pi_j)$. That is speckle: draws have the energy of handwriting, at the wrong pixels.

# %%
wave = torch.fft.fftfreq(16)
radius = (wave[:, None] ** 2 + wave**2).sqrt()  # (16, 16), waves per pixel
edges = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
rings = [(radius > edges[i]) & (radius <= edges[i + 1]) for i in range(5)]


def power(images):
    """Energy of each wave, (n, 256) -> (n, 16, 16)."""
    return torch.fft.fft2(images.view(-1, 16, 16), norm="ortho").abs() ** 2


drawn = torch.bernoulli(rebuilt, generator=torch.Generator().manual_seed(5))

# %% jupyter={"source_hidden": true}
shown = {"data": test, "means": rebuilt, "draws": drawn}
curve = lambda p: torch.stack([power(p)[:, r].mean() for r in rings])
curves = {name: curve(p) for name, p in shown.items()}
show(
    lesson_06.energy([0.05, 0.15, 0.25, 0.35, 0.45], curves),
    "Energy against frequency, three falling lines: the data; the means, which fall "
    "below it at fast waves; draws from the means, which end above the means.",
)
speckle = (rebuilt * (1 - rebuilt)).mean()
fast = torch.stack(rings[2:]).any(0)
data, means, draws = (power(p)[:, fast].mean(1) for p in shown.values())
with course.more_checks():
    label = "fast waves: means / data"
    other = {"draws": draws.mean() / data.mean()}
    check_range(label, means.mean() / data.mean(), 0.2, 0.75, unlike=other)
    ink = rebuilt.mean()
    other = {"one coin for all pixels": (ink * (1 - ink)).item()}
    more, right = draws - means, speckle.item()
    check_close_mc("energy of draws - means = speckle", more, right, unlike=other)

# %% [markdown]
# To sharpen a sample, let the code carry more, or let the pixels depend on each other, or judge pictures by a discriminator (lesson 07). Production systems do all three.
#
# ## Going further: the amortisation gap
#
# One encoder guesses the codes of all pictures at once. Hold the decoder fixed, and give each test picture a $\mu$ and a $\log\sigma^2$ of its own; climb the bound from the encoder's guess. What you gain is the **amortisation gap** (Cremer, Li and Duvenaud 2018), the part of the loss for which sharing one encoder is to blame.

# %%
some = test[:100]
log_prob = lambda x, z: latent.bernoulli_log_prob(x, vae.decode(z))
with torch.no_grad():
    start = vae.encode(some)
climb = latent.refine(
    some,
    *start,
    decoder_log_prob=log_prob,
    n_steps=80,
    generator=torch.Generator().manual_seed(3),
)
better = core.last(climb)  # a mu and a log_var for each picture

# %% jupyter={"source_hidden": true}
noise = torch.randn(20, *start[0].shape, generator=torch.Generator().manual_seed(4))
with torch.no_grad():
    value = lambda m, v: torch.stack(
        [latent.elbo(some, m, v, e, decoder_log_prob=log_prob) for e in noise]
    ).mean(0)
    before, after = value(*start), value(better.mu, better.log_var)
    many = torch.randn(500, *start[0].shape, generator=generator)
    tight = latent.importance_bound(some, *start, many, decoder_log_prob=log_prob)
gain = after - before
again = torch.stack(
    [latent.elbo(some, *start, e, decoder_log_prob=log_prob) for e in many[:20]]
).mean(0)  # the encoder's codes once more, with other draws
print(f"amortisation gap at least ~{gain.mean():.1f} nats a picture;", end=" ")
print(f"from there to the bound of 500 draws ~{(tight - after).mean():.1f}")
with course.more_checks():
    label = "gain of climbing, in paired bars"
    other = {"only other draws": in_bars(again - before).item()}
    check_range(label, in_bars(gain), 4, 200, unlike=other)

# %% [markdown]
# "At least", since 80 steps may not have reached the top. The gap is part of a bad ELBO for which the *model* is not to blame: for a few good codes, optimise each.
#
# ## What production systems add
#
# Convolutions or transformers in place of our two layers; a perceptual loss and a discriminator (Esser et al. 2021, arXiv:2012.09841; lesson 07), because the sum of pixel errors is a poor judge of pictures; a KL weight so small that the code is close to a plain autoencoder's (Rombach et al. 2022, arXiv:2112.10752); codes aligned with, or taken from, encoders that recognise (Yao et al. 2025, arXiv:2501.01423; Zheng et al. 2025, arXiv:2510.11690). The lab on latent diffusion trains the second stage on continuous codes.
#
# ## Sources
#
# - Stanford CS236, lecture 6; Berkeley CS294-158, lecture 4. Kingma and Welling 2013 (arXiv:1312.6114), eq. 3 and 10, section 2.4, appendices B and C; 2019 (arXiv:1906.02691), chapter 2.
# - Williams 1992 (REINFORCE); Mohamed et al. 2020 (arXiv:1906.10652), sections 4, 5 and 7 (both estimators compared).
# - Loaiza-Ganem and Cunningham 2019 (arXiv:1907.06845): the missing constant. Rybkin, Daniilidis and Levine 2021 (arXiv:2006.13202): the learned scale.
# - Bengio, Léonard and Courville 2013 (arXiv:1308.3432): straight-through. Van den Oord, Vinyals and Kavukcuoglu 2017 (arXiv:1711.00937), eq. 1 to 3: VQ. Mentzer et al. 2023 (arXiv:2309.15505): FSQ.
# - Section 8: Yu et al. 2023 (arXiv:2310.05737), MAGVIT-v2; Yu et al. 2024 (arXiv:2406.07550), TiTok; Zheng et al. 2025 (arXiv:2510.11690). The sizes of Chameleon, Emu3 and Janus are those of their configurations in transformers 5.24; VidTok and FLUX.2 as in diffusers 0.42.1.
# - Bowman et al. 2015 (arXiv:1511.06349): annealing. Kingma et al. 2016 (arXiv:1606.04934), appendix C.8: free bits. Higgins et al. 2017: $\beta$-VAE. Burda et al. 2015 (arXiv:1509.00519): active units. Hoffman and Johnson 2016: equation (14).
# - Cremer, Li and Duvenaud 2018 (arXiv:1801.03558), eq. 5 and 6: the amortisation gap.
