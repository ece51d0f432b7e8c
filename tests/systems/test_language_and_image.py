"""One model that writes, draws and reads: its loss, its gradients, what the painter may know."""

import math

import pytest
import torch

from genlab.autoregressive.decoding import keep_top_k
from genlab.core import likelihood_kind
from genlab.data.captions import encode
from genlab.score.edm import edm_sigmas
from genlab.systems.caption_lm import END, IMAGE, rows_of
from genlab.systems.language_and_image import FINEST, GREY, on_paper
from genlab.systems.language_and_image_models import Recipe, language_and_image
from genlab.systems.told import context, only_last

CAPTIONS = ["a red one", "a thin blue seven leaning left", "a bold cyan two"]
SMALL = Recipe(d_model=16, n_layer=1, width=8, mults=(1, 1), p_alone=0.0, p_cross=0.0, p_drop=0.0)


@pytest.fixture
def model():
    model = language_and_image(SMALL)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))  # the zero-started layers, too
    return model.eval()


@pytest.fixture
def x(generator):
    return torch.rand(3, 3, 16, 16, generator=generator) * 2 - 1


def seeded():
    return torch.Generator().manual_seed(5)


# The loss and its gradient


def test_the_loss_is_the_sum_of_its_three_parts(model, x):
    model.weight = 3.0
    rows = rows_of(CAPTIONS)
    text = -model.lm.log_prob(rows).mean()
    read = -model.lm.log_prob_given(x[:2], rows_of(CAPTIONS[:2], END)).mean()  # of half the rows
    told = context(model.lm.states(rows))
    picture = model.painter.loss(x, cond=told, beside=model.beside(3), generator=seeded())
    found = model.loss(x, cond=encode(CAPTIONS), generator=seeded())
    torch.testing.assert_close(found, text + read + 3.0 * picture)


def gradients(model, x, joint):
    model.joint = joint
    model.zero_grad()
    model.loss(x, cond=encode(CAPTIONS), generator=seeded()).backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_the_painters_gradient_reaches_the_language_model_through_its_states_only(model, x):
    """Joint minus frozen = the painter's slope at each state, carried back by the chain rule."""
    joint, frozen = gradients(model, x, True), gradients(model, x, False)
    states = model.lm.states(rows_of(CAPTIONS))
    leaf = states.detach().requires_grad_(True)
    told = context(leaf)
    model.painter.loss(x, cond=told, beside=model.beside(3), generator=seeded()).backward()
    model.zero_grad()
    (states * leaf.grad).sum().backward()
    moved = 0.0
    for name, p in model.lm.named_parameters(prefix="lm"):
        carried = SMALL.weight * (torch.zeros_like(p) if p.grad is None else p.grad)
        torch.testing.assert_close(joint[name] - frozen[name], carried, msg=name)
        moved += carried.abs().sum().item()
    assert moved > 1e-3


def test_frozen_or_not_the_painter_learns_the_same(model, x):
    joint, frozen = gradients(model, x, True), gradients(model, x, False)
    for name in joint:
        if name.startswith("painter"):
            torch.testing.assert_close(joint[name], frozen[name])


@pytest.mark.parametrize(("alone", "cross"), [(1.0, 0.0), (0.0, 1.0), (1.0, 1.0)])
def test_in_training_some_rows_are_told_less(model, x, alone, cross):
    """The last state only, or nothing beside cross-attention, or both at once."""
    model.train()
    model.p_alone, model.p_cross = alone, cross
    rows = rows_of(CAPTIONS)
    states = model.lm.states(rows)
    told = context(only_last(states, rows) if alone else states, pooled=not cross)
    g = seeded()
    torch.rand(2, 3, 1, generator=g)
    picture = model.painter.loss(x, cond=told, beside=model.beside(3), generator=g)
    read = model.lm.log_prob_given(x[:2], rows_of(CAPTIONS[:2], END))
    words = model.lm.log_prob(rows).mean() + read.mean()
    found = model.loss(x, cond=encode(CAPTIONS), generator=seeded())
    torch.testing.assert_close(found, SMALL.weight * picture - words)


def test_in_evaluation_nobody_is_told_less(model, x):
    model.p_alone = model.p_cross = 1.0
    alone = model.loss(x, cond=encode(CAPTIONS), generator=seeded())
    model.p_alone = model.p_cross = 0.0
    torch.testing.assert_close(alone, model.loss(x, cond=encode(CAPTIONS), generator=seeded()))


# What the painter reads


def test_each_way_in_alone_tells_the_painter_something(model):
    states = model.lm.states(rows_of(["a red one", "a blue two"]))

    def picture(text):
        return model.paint(text, n_steps=2, guidance_scale=1.0, generator=seeded())

    for told in (
        context(states, pooled=False),
        context(states)._replace(states=torch.zeros(2, 7, 16)),
    ):
        swapped = type(told)(told.states.flip(0), told.pooled.flip(0))
        assert not torch.allclose(picture(told), picture(swapped))


def test_zero_states_take_a_share_of_the_attention_that_has_a_closed_form(model):
    """The words' share is Z / (Z + n0), Z the sum of their exponentials."""
    layer = model.painter.net.attention.read_text
    states = model.lm.states(rows_of(CAPTIONS[:1]))[:, :4]
    x = torch.randn(1, 5, layer.w_q.in_features)
    d = layer.w_q.out_features // layer.n_head
    short, long = (layer(x, context(states, n).states) for n in (4, 12))
    q = layer.w_q(x).reshape(5, layer.n_head, d)
    k = layer.w_k(states).reshape(4, layer.n_head, d)
    z = (torch.einsum("ihd,jhd->ijh", q, k) / math.sqrt(d)).exp().sum(1)
    share = (z / (z + 8)).repeat_interleave(d, 1)
    unmixed = torch.linalg.solve(layer.w_o.weight, short[0].T).T
    torch.testing.assert_close(layer.w_o(share * unmixed), long[0])


def test_a_picture_does_not_depend_on_its_neighbours_captions(model):
    rows = rows_of(CAPTIONS)
    both = model.paint(model.lm.states(rows), n_steps=2, generator=seeded())
    cut = model.lm.states(rows[:1, :4])  # as long as the caption itself
    alone = model.paint(cut, n_steps=2, generator=seeded())
    torch.testing.assert_close(alone[0], both[0])


def test_guidance_acts_above_a_level_of_noise_only(model):
    states = model.lm.states(rows_of(CAPTIONS))

    def picture(**options):
        return model.paint(states, n_steps=4, generator=seeded(), **options)

    everywhere = model.painter.sample(
        context(states), guidance_scale=3.0, n_steps=4, beside=model.beside(3), generator=seeded()
    )
    everywhere = on_paper(everywhere)
    torch.testing.assert_close(picture(guidance_scale=3.0, guided_above=0.0), everywhere)
    plain = picture(guidance_scale=1.0)
    torch.testing.assert_close(picture(guidance_scale=3.0, guided_above=100.0), plain)
    between = picture(guidance_scale=3.0, guided_above=1.0)
    assert not torch.allclose(between, plain)
    assert not torch.allclose(between, everywhere)


def test_faint_pixels_are_paper_and_the_others_stay():
    x = torch.tensor([[-0.96, -0.99, -1.02], [-0.96, -0.85, -0.99], [0.5, 1.3, -1.5]])
    found = on_paper(x.reshape(3, 3, 1, 1)).flatten(1)
    wanted = torch.tensor([[-1.0, -1.0, -1.0], [-0.96, -0.85, -0.99], [0.5, 1.0, -1.0]])
    torch.testing.assert_close(found, wanted)


# Completing a prompt


def test_what_is_completed_is_drawn_from_the_states_that_wrote_it(model):
    drawn = model.complete(
        ["a red"] * 8, reshape=to_image_after(model, 4), n_steps=2, generator=seeded()
    )
    assert all(caption.startswith("a red ") for caption in drawn.captions)
    assert bool(drawn.written.stopped.all())
    states = model.lm.states(rows_of(drawn.captions))
    torch.testing.assert_close(drawn.written.states, states[:, :4])
    g = seeded()
    torch.rand(2, 8, dtype=torch.float64, generator=g)  # two tokens were drawn for each text
    torch.testing.assert_close(drawn.images, model.paint(states, n_steps=2, generator=g))


def to_image_after(model, n):
    """Force the image token at the n-th draw, and forbid it and the special tokens before."""
    calls = []

    def reshape(logits):
        calls.append(1)
        wanted = torch.full_like(logits, -math.inf)
        if len(calls) == n - 2:
            return wanted.index_fill(-1, torch.tensor([IMAGE]), 0.0)
        return logits.index_fill(-1, torch.tensor([0, IMAGE, END]), -math.inf)

    return reshape


def test_without_the_image_token_the_paper_stays_empty(model):
    never = lambda logits: logits.index_fill(-1, torch.tensor([IMAGE]), -math.inf)
    drawn = model.complete(["a"] * 2, reshape=never, generator=seeded())
    assert not bool(drawn.written.stopped.any())
    assert bool((drawn.images == -1).all())


def test_the_prompt_steers_the_picture(model):
    """Greedy, so that only the prompt differs."""
    greedy = lambda logits: keep_top_k(logits.index_fill(-1, torch.tensor([IMAGE]), 1e4), 1)
    red, blue = (
        model.complete([f"a {c} one"], reshape=greedy, n_steps=2, generator=seeded()).images
        for c in ("red", "blue")
    )
    assert not torch.allclose(red, blue)


def test_samples_are_of_captions_of_its_own_or_of_those_that_were_asked_for(model):
    own = model.sample(2, generator=seeded())
    assert torch.equal(own, model.complete([""] * 2, generator=seeded()).images)
    asked = model.sample(3, cond=encode(CAPTIONS), generator=seeded())
    states = model.lm.states(rows_of(CAPTIONS))
    assert torch.equal(asked, model.paint(states, generator=seeded()))
    assert asked.shape[1:] == model.event_shape


# The likelihood


def test_its_likelihood_is_a_bound_and_the_texts_alone_is_exact(model):
    assert likelihood_kind(model) == "bound"
    assert likelihood_kind(model.lm) == "exact"


def test_the_bound_of_both_is_the_sum(model, x):
    found = model.elbo(x, cond=encode(CAPTIONS), generator=seeded())
    states = model.lm.states(rows_of(CAPTIONS))
    picture = model.picture_bound(x, states, generator=seeded())
    torch.testing.assert_close(found, model.lm.log_prob(rows_of(CAPTIONS)) + picture)


def test_a_painter_that_knows_the_picture_pays_for_the_last_step_only(model, monkeypatch):
    """Every divergence is zero; log P is that of a normal step's bin around the right level."""
    levels = torch.randint(1, 1020, (2, 3, 16, 16))
    x = levels / 510 - 1  # no level at the ends, whose bins are half-lines
    knows = lambda text, **_: lambda noisy, sigma: x
    monkeypatch.setattr(model.painter, "denoiser", knows)
    found = model.picture_bound(x, None, generator=seeded())
    # step variance of the last step: posterior variance of the second level

    sigmas = edm_sigmas(100, sigma_min=FINEST, sigma_max=model.painter.sigma_max)[:-1].flip(0)
    bar = 1 / (1 + sigmas**2)
    v = (1 - bar[0]) / (1 - bar[1]) * (1 - bar[1] / bar[0])
    one = math.log(math.erf(GREY.width / 2 / math.sqrt(2 * v.item())))
    prior = 0.5 * (bar[-1] * x**2 + (1 - bar[-1]) - 1 - (1 - bar[-1]).log()).flatten(1).sum(1)
    torch.testing.assert_close(found, 768 * one - prior, rtol=1e-6, atol=1e-3)
