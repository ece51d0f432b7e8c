"""Exercises of the latent diffusion lab: weights, scales, the pipeline and its cost."""

import math
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from genlab_course.grading import Exercise, Mistake, bank

Array = NDArray[np.float64]


# ld.pipeline: from noise to a picture
def _denoise(x: Array) -> Array:  # a sampler whose result is easy to recognise
    return 0.5 * np.tanh(x)


def _decode(z: Array) -> Array:
    return 1 / (1 + np.exp(-z * z - z))


_NOISE = np.array([[0.3, -1.2], [2.0, 0.4]])


# ld.training-step, ld.cross-attention, ld.sampler: plain torch, as a learner writes it
def training_loss(network, read, z0, rows, t, eps, dropped):
    """Mean squared error of the velocity of scaled codes."""
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().mean()


def cross_attention(x, states, w_q, w_k, w_v, w_o, n_head):
    """What each position reads from the words."""

    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def guided_sampler(velocity, noise, given, nothing, ts, w):
    """Guided Euler steps from noise to a code."""
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i + 1] - ts[i]) * (u + w * (c - u))
    return z


def _loss_but(target=lambda z0, eps: eps - z0, make=torch.lerp, read_all=False):
    """The loss with one thing else."""

    def wrong(network, read, z0, rows, t, eps, dropped):
        states = read(torch.where(dropped[:, None] & (not read_all), 0, rows))
        states = states * ~dropped[:, None, None] if read_all else states
        v = network(make(z0, eps, t[:, None, None, None]), t, states)
        return (v - target(z0, eps)).square().mean()

    return wrong


def _attention_but(scale=None, dim=-1, back=True):
    """Cross-attention with one thing else."""

    def wrong(x, states, w_q, w_k, w_v, w_o, n_head):
        def heads(a):
            return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

        q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
        divisor = q.shape[-1] ** 0.5 if scale is None else scale(q, x)
        out = (q @ k.mT / divisor).softmax(dim) @ v
        out = out.transpose(1, 2).flatten(2) if back else out.reshape(x.shape)
        return out @ w_o.T

    return wrong


def _sampler_but(blend, sign=1.0, late=False):
    """The sampler with another blend, in the other direction, or asked too late."""

    def wrong(velocity, noise, given, nothing, ts, w):
        z = noise
        for t, s in pairwise(ts):
            now = (s if late else t).expand(len(z))
            u, c = velocity(z, now, nothing), velocity(z, now, given)
            z = z + sign * (s - t) * blend(u, c, w)
        return z

    return wrong


def _case(seed):
    """A batch of three codes with everything that one training step needs."""
    g = torch.Generator().manual_seed(seed)
    table = torch.randn(9, 2, generator=g).requires_grad_()  # what is trained
    z0, eps = torch.randn(2, 3, 2, 4, 4, generator=g)
    rows, t = torch.randint(1, 9, (3, 5), generator=g), torch.rand(3, generator=g)

    def network(z, t, states):
        return z.tanh() * t[:, None, None, None] + states.mean(1)[:, :, None, None]

    return network, lambda r: table[r], z0, rows, t, eps, torch.tensor([False, True, False])


def _attention_case(seed):
    g = torch.Generator().manual_seed(seed)
    shapes = ((2, 6, 8), (2, 5, 4), (8, 8), (8, 4), (8, 4), (8, 8))
    return (*(torch.randn(*s, generator=g) for s in shapes), 2)


def _pull(z, t, target):
    return z - target + t[:, None]


_ONE, _TWO = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
_TIMES = torch.tensor([1.0, 0.7, 0.2, 0.0])


CAPTIONS = Exercise(
    id="ld.captions",
    right=0.36,
    mistakes=Mistake.pairs(
        0.2,
        "That is the fraction for one object; a caption of two has two chances.",
        0.4,
        "You added the two chances; captions with two unseen pairs were counted twice.",
        0.64,
        "That is the fraction in which both pairs are known.",
        0.04,
        "That is the fraction in which both pairs are unseen; one is enough.",
    ),
)
TRAINING_STEP = Exercise(
    id="ld.training-step",
    right=training_loss,
    cases=(_case(0), _case(1)),
    mistakes=Mistake.pairs(
        _loss_but(lambda z0, eps: z0 - eps),
        "Your velocity points from noise to code; time grows towards noise here.",
        _loss_but(lambda z0, eps: eps),
        "You asked for the noise; the target is the velocity of the line.",
        _loss_but(lambda z0, eps: z0),
        "You asked for the clean code; the target is the velocity of the line.",
        _loss_but(make=lambda z0, eps, t: t * z0 + (1 - t) * eps),
        "At t = 0 you have noise: code and noise are exchanged on the line.",
        _loss_but(make=lambda z0, eps, t: (1 - t).sqrt() * z0 + t.sqrt() * eps),
        "Your path is curved: on a straight line the weights are 1 - t and t themselves.",
        lambda n, r, z0, rows, t, e, d: training_loss(n, r, z0, rows, t, e, d & False),
        "Every caption was read: without dropped ones there is nothing to guide away from.",
        lambda n, r, z0, rows, t, e, d: training_loss(n, r, z0, rows, t, e, ~d),
        "You dropped the captions that should stay, and read those that are dropped.",
        _loss_but(read_all=True),
        "You set the states to zero; the empty caption is a row of zeros that is *read*.",
        lambda n, r, z0, *case: z0.numel() * training_loss(n, r, z0, *case),
        "You summed; the loss is a mean over batch and numbers.",
        lambda n, r, z0, *case: z0[0].numel() * training_loss(n, r, z0, *case),
        "You summed over the numbers of a code; the loss is a mean over these, too.",
    ),
)
CROSS_ATTENTION = Exercise(
    id="ld.cross-attention",
    right=cross_attention,
    cases=(_attention_case(0), _attention_case(1)),
    mistakes=Mistake.pairs(
        _attention_but(dim=-2),
        "Your weights sum to 1 over the positions; each position shares its own among the words.",
        _attention_but(scale=lambda q, x: 1.0),
        "The scores are not divided by the root of the width of a head.",
        _attention_but(scale=lambda q, x: x.shape[-1] ** 0.5),
        "You divided by the root of the full width; each head has its own, smaller one.",
        _attention_but(scale=lambda q, x: q.shape[-1]),
        "You divided by the width of a head, not by its root.",
        _attention_but(back=False),
        "Move the heads back before you join them: transpose(1, 2), then flatten(2).",
        lambda x, s, q, k, v, o, n: cross_attention(x, s, q, k, v, o, 1),
        "You attend once over the full width: split into heads first.",
        lambda x, s, q, k, v, o, n: cross_attention(x, s, q, k, v, torch.eye(len(o)).to(o), n),
        "The heads are joined, but not multiplied by w_o.",
        lambda x, *case: x + cross_attention(x, *case),
        "You added x, which the network does around your function: return what was read.",
    ),
)
SAMPLER = Exercise(
    id="ld.sampler",
    right=guided_sampler,
    cases=(
        (_pull, torch.zeros(1, 2), _ONE, _TWO, _TIMES, 2.0),
        (_pull, torch.ones(3, 2), _TWO, _ONE, _TIMES[:3], 0.5),
    ),
    mistakes=Mistake.pairs(
        _sampler_but(lambda u, c, w: c + w * (u - c), -1.0),
        "Both faults are still there: follow one step from t = 1 by hand.",
        _sampler_but(lambda u, c, w: c + w * (u - c)),
        "The direction of time is right; at w = 1 the blend should be the caption's answer.",
        _sampler_but(lambda u, c, w: u + w * (c - u), -1.0),
        "The blend is right; the step still leads to more noise: what is the sign of t' - t?",
        _sampler_but(lambda u, c, w: u + w * c),
        "You add the caption's answer; guidance adds its *difference* from the unconditional one.",
        _sampler_but(lambda u, c, w: (1 + w) * c - w * u),
        "That is the convention of Ho and Salimans; our w is theirs plus 1.",
        _sampler_but(lambda u, c, w: u + w * (c - u), late=True),
        "You ask at the time where the step ends; Euler asks where it begins.",
    ),
)
BAG = Exercise(
    id="ld.bag",
    right=0.25,
    mistakes=Mistake.pairs(
        0.5,
        "That is the chance of one choice; count both: which digit stands where, and which colour.",
        1.0,
        "It knows the words, but not which colour belongs to which digit.",
        1 / 3600,
        "It does know all the words: nothing has to be guessed but their places.",
        0.125,
        "Given the relation, there are two choices of two, not three.",
    ),
)
PIXEL_STD = Exercise(
    id="ld.pixel-std",
    right=lambda weight, n_pixels: math.sqrt(weight * n_pixels / 2),
    cases=((1e-6, 3072), (2e-3, 64), (0.5, 12)),
    mistakes=Mistake.pairs(
        lambda weight, n_pixels: math.sqrt(weight / 2),
        "You took the loss for a *sum* of squares; a mean is a sum divided by D, the KL is not.",
        lambda weight, n_pixels: weight * n_pixels / 2,
        "You gave the variance s^2; the answer should be the standard deviation.",
        lambda weight, n_pixels: math.sqrt(weight * n_pixels),
        "You forgot the half in the exponent of the normal distribution.",
        lambda weight, n_pixels: math.sqrt(weight / (2 * n_pixels)),
        "You divided by D where you should multiply: a mean is smaller than a sum.",
    ),
)
PIPELINE = Exercise(
    id="ld.pipeline",
    right=lambda noise, sample, decode, shift, spread: decode(shift + spread * sample(noise)),
    cases=((_NOISE, _denoise, _decode, 0.4, 5.5), (_NOISE, _denoise, _decode, -1.0, 0.2)),
    mistakes=Mistake.pairs(
        lambda noise, sample, decode, shift, spread: decode(sample(noise)),
        "You decoded scaled codes: the decoder has never seen numbers of that size.",
        lambda noise, sample, decode, shift, spread: decode((sample(noise) - shift) / spread),
        "You scaled a second time instead of undoing it: codes were divided, so multiply.",
        lambda noise, sample, decode, shift, spread: decode(spread * (shift + sample(noise))),
        "You undid the two steps in the wrong order: what came last is undone first.",
        lambda noise, sample, decode, shift, spread: decode(spread * sample(noise)),
        "You undid the division; the codes were shifted, too.",
    ),
)
COST = Exercise(
    id="ld.cost",
    right=lambda steps, w, unet, decoder: steps * (1 if w in (0, 1) else 2) * unet + decoder,
    cases=((12, 2.0, 1000, 700), (50, 1.0, 10, 3000), (4, 0.0, 200, 90), (3, 0.5, 9, 4)),
    mistakes=Mistake.pairs(
        lambda steps, w, unet, decoder: steps * unet + decoder,
        "You forgot that guidance asks twice in every step: with the caption and without.",
        lambda steps, w, unet, decoder: 2 * steps * unet + decoder,
        "You charged two evaluations where one is enough: at w = 1 or 0 only one answer counts.",
        lambda steps, w, unet, decoder: steps * (1 if w == 1 else 2) * unet + decoder,
        "At w = 0, too, one of the two answers has weight zero.",
        lambda steps, w, unet, decoder: steps * ((1 if w in (0, 1) else 2) * unet + decoder),
        "You ran the decoder in every step; diffusion stays among the codes until the end.",
        lambda steps, w, unet, decoder: steps * (1 if w in (0, 1) else 2) * unet + 2 * decoder,
        "You charged the encoder, or the decoder twice: nothing is encoded when sampling.",
    ),
)

EXERCISES = bank(globals())
