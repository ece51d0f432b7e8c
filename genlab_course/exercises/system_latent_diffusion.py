"""Exercises of the latent diffusion lab: scale, training step, attention, swap, cost."""

import torch

from genlab_course.grading import Exercise, Mistake, bank
from genlab_course.predictions import Prediction

PREDICT_LAYER = Prediction("ld.predict-layer", between=(0, 100), unit="%")
PREDICT_WORD = Prediction("ld.predict-word", between=(0, 100), unit="%")
PREDICT_UNSEEN = Prediction("ld.predict-unseen", choices=("as well", "half as well", "not at all"))
PREDICT_CELL = Prediction("ld.predict-cell", between=(0, 100), unit="%")


def same_snr(t, c):
    """The time at which codes of standard deviation c have the ratio that others have at t."""
    return c * t / (1 - t + c * t)


def multiplied_the_time(t, c):
    return c * t


def divided_the_time(t, c):
    return t / c


def moved_the_other_way(t, c):
    return t / (t + c * (1 - t))


def used_the_variance(t, c):
    return c**2 * t / (1 - t + c**2 * t)


def took_a_root_too_many(t, c):
    return c**0.5 * t / (1 - t + c**0.5 * t)


def stopped_at_the_ratio(t, c):
    return c * t / (1 - t)


def went_through_the_infinite_ratio(t, c):
    r = c * t / (1 - t)
    return r / (1 + r)


SAME_SNR = Exercise(
    id="ld.same-snr",
    right=same_snr,
    cases=(
        (torch.tensor([0.75, 0.2, 0.5]), 5.5),
        (torch.tensor([0.9, 0.3]), 0.4),
        (torch.tensor([0.0, 1.0]), 5.5),
    ),
    mistakes=Mistake.pairs(
        multiplied_the_time,
        "Time itself is not multiplied: at c = 5.5 and t = 3/4 that would lie beyond 1.",
        divided_the_time,
        "Large codes need more noise, a later time; and at t = 1 all is noise for any c.",
        moved_the_other_way,
        "You moved the times the other way: larger codes reach the same depth later.",
        used_the_variance,
        "c stands in the ratio with its square: take the root of both sides before you solve.",
        took_a_root_too_many,
        "You took one root too many: after the root of both sides c stands there as it is.",
        stopped_at_the_ratio,
        "That is t' / (1 - t'), not yet t'.",
        went_through_the_infinite_ratio,
        "Right inside, but nan at t = 1, where drawing begins: multiply r / (1 + r) by (1 - t) "
        "above and below.",
    ),
)


# ld.training-step, ld.cross-attention, ld.sampler: plain torch, as a learner writes it
def training_loss(network, read, z0, rows, t, eps, dropped):
    """Mean squared error of the velocity of scaled codes."""
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().mean()


def _case(seed):
    """A batch of three codes with everything that one training step needs."""
    g = torch.Generator().manual_seed(seed)
    table = torch.randn(9, 2, generator=g).requires_grad_()  # what is trained
    z0, eps = torch.randn(2, 3, 2, 4, 4, generator=g)
    rows, t = torch.randint(1, 9, (3, 5), generator=g), torch.rand(3, generator=g)

    def network(z, t, states):
        return z.tanh() * t[:, None, None, None] + states.mean(1)[:, :, None, None]

    return network, lambda r: table[r], z0, rows, t, eps, torch.tensor([False, True, False])


def asked_for_the_way_to_the_code(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (z0 - eps)).square().mean()


def asked_for_the_noise(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - eps).square().mean()


def asked_for_the_code(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - z0).square().mean()


def exchanged_the_ends_of_the_line(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = t4 * z0 + (1 - t4) * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().mean()


def bent_the_path(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4).sqrt() * z0 + t4.sqrt() * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().mean()


def read_every_caption(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(rows)
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().mean()


def dropped_the_others(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(~dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().mean()


def set_the_states_to_zero(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = torch.where(dropped[:, None, None], 0, read(rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().mean()


def summed_everything(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().sum()


def summed_over_a_code(network, read, z0, rows, t, eps, dropped):
    t4 = t[:, None, None, None]
    z_t = (1 - t4) * z0 + t4 * eps
    states = read(torch.where(dropped[:, None], 0, rows))
    v = network(z_t, t, states)
    return (v - (eps - z0)).square().sum((1, 2, 3)).mean()


TRAINING_STEP = Exercise(
    id="ld.training-step",
    right=training_loss,
    cases=(_case(0), _case(1)),
    mistakes=Mistake.pairs(
        asked_for_the_way_to_the_code,
        "Your velocity points from noise to code; time grows towards noise here.",
        asked_for_the_noise,
        "You asked for the noise; the target is the velocity of the line.",
        asked_for_the_code,
        "You asked for the clean code; the target is the velocity of the line.",
        exchanged_the_ends_of_the_line,
        "At t = 0 you have noise: code and noise are exchanged on the line.",
        bent_the_path,
        "Your path is curved: on a straight line the weights are 1 - t and t themselves.",
        read_every_caption,
        "Every caption was read: without dropped ones there is nothing to guide away from.",
        dropped_the_others,
        "You dropped the captions that should stay, and read those that are dropped.",
        set_the_states_to_zero,
        "You set the states to zero; the empty caption is a row of zeros that is *read*.",
        summed_everything,
        "You summed; the loss is a mean over batch and numbers.",
        summed_over_a_code,
        "You summed over the numbers of a code; the loss is a mean over these, too.",
    ),
)


def cross_attention(x, states, w_q, w_k, w_v, w_o, n_head):
    """What each position reads from the words."""

    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def _attention_case(seed):
    g = torch.Generator().manual_seed(seed)
    shapes = ((2, 6, 8), (2, 5, 4), (8, 8), (8, 4), (8, 4), (8, 8))
    return (*(torch.randn(*s, generator=g) for s in shapes), 2)


def normalised_over_the_positions(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-2)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def did_not_scale(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def divided_by_the_full_width(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / x.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def divided_without_a_root(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1]).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def joined_heads_as_they_lay(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).reshape(x.shape) @ w_o.T


def used_one_head(x, states, w_q, w_k, w_v, w_o, n_head):
    q, k, v = x @ w_q.T, states @ w_k.T, states @ w_v.T
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return weights @ v @ w_o.T


def left_out_the_last_matrix(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2)


def added_what_the_network_adds(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return x + (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def asked_with_the_untransposed_matrix(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o.T


def joined_with_the_untransposed_matrix(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o


def transposed_neither_square_matrix(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q), heads(states @ w_k.T), heads(states @ w_v.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ v).transpose(1, 2).flatten(2) @ w_o


def averaged_the_keys(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k = heads(x @ w_q.T), heads(states @ w_k.T)
    weights = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1)
    return (weights @ k).transpose(1, 2).flatten(2) @ w_o.T


CROSS_ATTENTION = Exercise(
    id="ld.cross-attention",
    right=cross_attention,
    cases=(_attention_case(0), _attention_case(1)),
    mistakes=Mistake.pairs(
        normalised_over_the_positions,
        "Your weights sum to 1 over the positions; each position shares its own among the words.",
        did_not_scale,
        "The scores are not divided by the root of the width of a head.",
        divided_by_the_full_width,
        "You divided by the root of the full width; each head has its own, smaller one.",
        divided_without_a_root,
        "You divided by the width of a head, not by its root.",
        joined_heads_as_they_lay,
        "Move the heads back before you join them: transpose(1, 2), then flatten(2).",
        used_one_head,
        "You attend once over the full width: split into heads first.",
        left_out_the_last_matrix,
        "The heads are joined, but not multiplied by w_o.",
        added_what_the_network_adds,
        "You added x, which the network does around your function: return what was read.",
        asked_with_the_untransposed_matrix,
        "Your queries are x @ w_q; each matrix acts transposed, as x @ w_q.T.",
        joined_with_the_untransposed_matrix,
        "Your last product is with w_o; each matrix acts transposed, with w_o.T.",
        transposed_neither_square_matrix,
        "w_q and w_o are square, so they fit either way; each matrix acts transposed: x @ w_q.T.",
        averaged_the_keys,
        "You averaged the keys in place of the values, states @ w_v.T.",
    ),
)


def guided_sampler(velocity, noise, given, nothing, ts, w):
    """Guided Euler steps from noise to a code."""
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i + 1] - ts[i]) * (u + w * (c - u))
    return z


def _pull(z, t, target):
    return z - target + t[:, None]


_ONE, _TWO = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 3.0]])
_TIMES = torch.tensor([1.0, 0.7, 0.2, 0.0])


def guided_as_it_stood(velocity, noise, given, nothing, ts, w):
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i] - ts[i + 1]) * (c + w * (u - c))
    return z


def mended_the_time_only(velocity, noise, given, nothing, ts, w):
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i + 1] - ts[i]) * (c + w * (u - c))
    return z


def mended_the_blend_only(velocity, noise, given, nothing, ts, w):
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i] - ts[i + 1]) * (u + w * (c - u))
    return z


def added_the_captions_answer(velocity, noise, given, nothing, ts, w):
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i + 1] - ts[i]) * (u + w * c)
    return z


def counted_w_from_the_caption(velocity, noise, given, nothing, ts, w):
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i + 1] - ts[i]) * ((1 + w) * c - w * u)
    return z


def asked_where_the_step_ends(velocity, noise, given, nothing, ts, w):
    z = noise
    for i in range(len(ts) - 1):
        now = ts[i + 1].expand(len(z))
        u, c = velocity(z, now, nothing), velocity(z, now, given)
        z = z + (ts[i + 1] - ts[i]) * (u + w * (c - u))
    return z


def _leaves_the_noise_alone(answer):
    noise = torch.zeros(1, 2)
    answer(_pull, noise, _ONE, _TWO, _TIMES, 2.0)
    if not noise.any():
        return ""
    return "You wrote into `noise` itself, which is used again: z = z + ... makes a new tensor."


SAMPLER = Exercise(
    id="ld.sampler",
    right=guided_sampler,
    judge=_leaves_the_noise_alone,
    cases=(
        (_pull, torch.zeros(1, 2), _ONE, _TWO, _TIMES, 2.0),
        (_pull, torch.ones(3, 2), _TWO, _ONE, _TIMES[:3], 0.5),
    ),
    mistakes=Mistake.pairs(
        guided_as_it_stood,
        "Both faults are still there: follow one step from t = 1 by hand.",
        mended_the_time_only,
        "The direction of time is right; at w = 1 the blend should be the caption's answer.",
        mended_the_blend_only,
        "The blend is right; the step still leads to more noise: what is the sign of t' - t?",
        added_the_captions_answer,
        "You add the caption's answer; guidance adds its *difference* from the unconditional one.",
        counted_w_from_the_caption,
        "That is the convention of Ho and Salimans; our w is theirs plus 1.",
        asked_where_the_step_ends,
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


# ld.swap-states: activation patching of one layer
def swap_states(read, x, states, given, instead, words):
    """What a layer reads if some words of the given caption are exchanged, and of no other."""
    if torch.equal(states, given):
        states = torch.where(words[:, :, None], instead, states)
    return read(x, states)


def _swap_case(seed, empty):
    g = torch.Generator().manual_seed(seed)
    x, w = torch.randn(2, 6, 3, generator=g), torch.randn(4, 3, generator=g)
    given, instead, nothing = torch.randn(3, 2, 5, 4, generator=g)
    words = torch.tensor([[True, False, True, False, False], [False, True, True, False, False]])

    def read(x, states):
        return x + (x @ w.T @ states.mT).softmax(-1) @ states @ w

    return read, x, nothing if empty else given, given, instead, words


def swapped_the_empty_caption_too(read, x, states, given, instead, words):
    states = torch.where(words[:, :, None], instead, states)
    return read(x, states)


def swapped_every_word(read, x, states, given, instead, words):
    if torch.equal(states, given):
        states = instead
    return read(x, states)


def swapped_the_other_words(read, x, states, given, instead, words):
    if torch.equal(states, given):
        states = torch.where(words[:, :, None], states, instead)
    return read(x, states)


def swapped_what_is_not_the_caption(read, x, states, given, instead, words):
    if not torch.equal(states, given):
        states = torch.where(words[:, :, None], instead, states)
    return read(x, states)


def compared_by_is(read, x, states, given, instead, words):
    if states is given:
        states = torch.where(words[:, :, None], instead, states)
    return read(x, states)


def emptied_the_words(read, x, states, given, instead, words):
    if torch.equal(states, given):
        states = torch.where(words[:, :, None], 0, states)
    return read(x, states)


def added_the_other_words(read, x, states, given, instead, words):
    if torch.equal(states, given):
        states = states + words[:, :, None] * instead
    return read(x, states)


def forgot_to_read(read, x, states, given, instead, words):
    if torch.equal(states, given):
        states = torch.where(words[:, :, None], instead, states)
    return states


def _leaves_the_states_alone(answer):
    read, x, states, *rest = _swap_case(2, empty=False)
    before = states.clone()
    answer(read, x, states, *[a.clone() for a in rest])
    if torch.equal(states, before):
        return ""
    return "You wrote into `states` itself, which the other layers read, too: make a new tensor."


SWAP_STATES = Exercise(
    id="ld.swap-states",
    right=swap_states,
    judge=_leaves_the_states_alone,
    cases=(_swap_case(0, empty=False), _swap_case(1, empty=True)),
    mistakes=Mistake.pairs(
        swapped_the_empty_caption_too,
        "You also patched the question with the empty caption; guidance would cancel half of it.",
        swapped_every_word,
        "You exchanged every word; only those where `words` is true should be.",
        swapped_the_other_words,
        "You kept the words that should be exchanged, and exchanged the others.",
        swapped_what_is_not_the_caption,
        "You patched the empty caption and left the given one: the condition is upside down.",
        compared_by_is,
        "Nothing is exchanged: `is` asks for the same object; torch.equal compares the numbers.",
        emptied_the_words,
        "You set the words to zero; they should come from `instead`.",
        added_the_other_words,
        "You added the other states to the given ones; exchange them.",
        forgot_to_read,
        "You return states; return what the layer makes of them: read(x, states).",
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
