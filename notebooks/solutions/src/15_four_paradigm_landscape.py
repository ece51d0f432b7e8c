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
# # 15 · The four-paradigm landscape: worked solutions
#
# Try the exercises of the lesson first. Each answer below is followed by the reason, and each is run: the line under a cell says "right".

# %%
import numpy as np
import torch

import genlab_course as course
from genlab_course.fingerprint import fingerprint
from genlab_course.fingerprint import masked_diffusion, pixelcnn, vae
from genlab.autoregressive.speculative import expected_tokens, residual
from genlab_course import check
from genlab.oracles.discrete import total_correlation

course.begin(lesson=15)
torch.set_default_dtype(torch.float64)

# %% [markdown]
# ## 15.read
#
# (a) Next-token prediction: autoregressive; a cache makes each pass cheaper, not fewer. (b) Codes and a denoiser of codes: two parts, two
# objectives. (c) What follows *unlike* places nothing; a critic is the only teacher. (d) A writer and a painter in turn, and no code of the
# picture. (e) One step or fifty, it was distilled from a diffusion model; the discriminator's gradient trains it too.

# %%
course.exercise("15.read", ["AR", "VAE + diffusion", "GAN", "AR + diffusion", "diffusion + GAN"])

# %% [markdown]
# ## 15.passes
#
# The parts work one after the other, so their passes add up: one for each token, one for each step, one for the decoder. A guided step evaluates
# the network on two rows (with the text and without), so its 30 passes are 60 evaluations.

# %%
course.exercise("15.passes", (100 + 30 * 2 + 1, 100 + 30 + 1))


# %% [markdown]
# ## 15.residual
#
# A kept token carries $\min(p,q)$. What is missing to $p$ is $p-\min(p,q)=\max(p-q,0)$, and its sum is just the probability that something
# is refused. So the law of the replacement is the missing part, normalised.

# %%
def replacement(p, q):
    missing = np.maximum(p - q, 0)
    return missing / missing.sum()


course.exercise("15.residual", replacement)
p, q = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.2, 0.7])
check("genlab's residual", residual(torch.tensor(p), torch.tensor(q)), replacement(p, q),
      unlike={"q over p": replacement(q, p)})
refused = 1 - np.minimum(p, q).sum()
check("kept + refused times replacement = p", np.minimum(p, q) + refused * replacement(p, q), p,
      unlike={"replaced from p itself": np.minimum(p, q) + refused * p})


# %% [markdown]
# ## 15.tokens-a-pass
#
# The $i$-th drafted token counts only if the first $i$ were all kept: probability $a^i$. The expected number of kept tokens is
# $a+a^2+\dots+a^k$, and each pass yields one more, the replacement or the token after the last. The geometric sum is $(1-a^{k+1})/(1-a)$.

# %%
def tokens_a_pass(kept, k):
    return (1 - kept ** (k + 1)) / (1 - kept)


course.exercise("15.tokens-a-pass", tokens_a_pass)
check("genlab's expectation", expected_tokens(0.8, 4), tokens_a_pass(0.8, 4),
      unlike={"the extra token forgotten": tokens_a_pass(0.8, 3)})


# %% [markdown]
# ## 15.price-of-parallel
#
# One pass draws each variable from its own marginal. $\mathrm{KL}(p\,\|\,\prod_ip_i)=\mathbb E\log p-\sum_i\mathbb E\log p_i=\sum_iH(x_i)-H(x)$.

# %%
def entropy(law):
    law = law[law > 0]
    return -(law * np.log(law)).sum()


def price_in_nats(joint):
    axes = range(joint.ndim)
    margins = [joint.sum(tuple(a for a in axes if a != i)) for i in axes]
    return sum(entropy(m) for m in margins) - entropy(joint)


course.exercise("15.price-of-parallel", price_in_nats)
joint = np.random.default_rng(0).dirichlet(np.ones(12)).reshape(2, 2, 3)
check("genlab's total correlation", total_correlation(torch.tensor(joint)), price_in_nats(joint),
      unlike={"of the first two alone": price_in_nats(joint.sum(2))})


# %% [markdown]
# ## 15.place
#
# First how the output comes into being, then what the passes follow, and the likelihood last. Asked in another order, a distilled model
# passes for a GAN, and a language model behind an interface that hides its likelihood for one as well.

# %%
def placed(passes, share, follows_steps, kind):
    if passes > 1 and share > 0.5:
        return "score"
    if follows_steps or kind == "unnormalised":
        return "score"
    if passes > 1:
        return "autoregressive"
    return {"exact": "flow", "bound": "latent-variable", "none": "adversarial"}[kind]


course.exercise("15.place", placed)
for make, family in ((pixelcnn, "autoregressive"), (vae, "latent-variable"), (masked_diffusion, "score")):
    (seen,) = fingerprint(make())
    follows = (seen.growth_with_steps or 1.0) > 1.5
    share = 1.0 if np.isnan(seen.share) else seen.share
    print(family, placed(seen.passes, share, follows, seen.kind) == family)
