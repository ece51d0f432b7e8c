"""The language model that writes captions and reads pictures: exact, causal, cached."""

import itertools
import math

import pytest
import torch

from genlab.core import last
from genlab.data.language import WORDS, encode
from genlab.nn.attention import CrossAttention
from genlab.nn.transformer import TransformerConfig
from genlab.score.edm import edm_sigmas
from genlab.systems.language_and_image import (
    END,
    FILL,
    FINEST,
    GREY,
    IMAGE,
    VOCABULARY,
    CaptionLM,
    context,
    on_paper,
    only_last,
    rows_of,
    words_of,
)
from genlab.zoo import find

CAPTIONS = ["a red one", "a thin blue seven leaning left", "a bold cyan two"]


@pytest.fixture
def lm():
    model = CaptionLM(TransformerConfig(d_model=16, n_layer=2, n_head=4, n_kv_head=2))
    for p in model.parameters():
        p.data += 0.2 * torch.randn_like(p)
    return model.eval().requires_grad_(False)


@pytest.fixture
def images(generator):
    return torch.rand(3, 3, 16, 16, generator=generator) * 2 - 1


# Rows and patches


def test_rows_hold_the_words_the_end_and_padding():
    assert words_of(rows_of(CAPTIONS, END)) == [c + " <end>" for c in CAPTIONS]
    assert rows_of(["a red one"])[0].tolist() == [
        WORDS.index("a"), WORDS.index("red"), WORDS.index("one"), IMAGE, FILL, FILL, FILL,
    ]  # fmt: skip


def test_a_picture_is_encoded_row_by_row(lm, images):
    """A change in the upper right corner moves vector 3 and not vector 12, the lower left one."""
    other = images.clone()
    other[:, :, 0, 15] += 1.0
    moved = (lm.see(other) - lm.see(images)).abs().sum((0, 2)) > 0
    assert bool(moved[3])
    assert not bool(moved[12])


# Writing: exact


def test_the_probability_is_the_product_of_next_word_probabilities(lm):
    rows = rows_of(CAPTIONS)
    for row, log_p in zip(rows, lm.log_prob(rows), strict=True):
        n = int((row == IMAGE).nonzero()) + 1
        total = 0.0
        for i in range(n):
            read = torch.cat([torch.tensor([lm.begin]), row[:i]])[None]
            total += lm.head(lm.read(read)[0][:, -1]).log_softmax(-1)[0, row[i]].item()
        assert log_p.item() == pytest.approx(total)


# States


def test_states_have_read_their_word_and_nothing_after(lm):
    rows = rows_of(["a thin blue seven leaning left", "a thin blue nine upright"])
    states = lm.states(rows)
    torch.testing.assert_close(states[0, :3], states[1, :3])
    assert not torch.allclose(states[0, 3], states[1, 3])


def test_the_states_of_writing_are_those_of_reading_the_finished_text(lm, generator):
    written = last(lm.write(["a red"] * 6, generator=generator))
    assert written.tokens[:, :2].tolist() == [[WORDS.index("a"), WORDS.index("red")]] * 6
    whole = lm.states(written.tokens)
    torch.testing.assert_close(written.states, whole)


def test_prompts_of_different_lengths_are_refused(lm):
    with pytest.raises(ValueError, match=r"equally many words, got \[1, 2\]"):
        next(lm.write(["a", "a red"]))


# Reading pictures


def test_the_probability_of_a_description_sees_the_picture_and_the_words_before(lm, images):
    rows = rows_of(CAPTIONS, END)
    log_p = lm.log_prob_given(images, rows)
    seen, _ = lm.encode_images(images)
    by_hand = lm.head(seen[:, -1]).log_softmax(-1)[torch.arange(3), rows[:, 0]]
    one_word = lm.log_prob_given(images, rows[:, :1])
    torch.testing.assert_close(one_word, by_hand)
    assert not torch.allclose(log_p, lm.log_prob_given(images.flip(0), rows))


def test_reading_is_exact_too(lm, images):
    n = len(VOCABULARY)
    ended = torch.tensor([[END, FILL]])
    others = [pair for pair in itertools.product(range(n), range(n)) if pair[0] != END]
    rows = torch.cat([ended, torch.tensor(others)])
    picture = images[:1].expand(len(rows), -1, -1, -1)
    assert lm.log_prob_given(picture, rows).exp().sum().item() == pytest.approx(1.0)


ROWS = rows_of(CAPTIONS)  # with the image token: 4, 7 and 5 tokens
N_TOKENS = (4, 7, 5)


@pytest.fixture
def states():
    return torch.randn(3, 7, 16) * (ROWS != 0)[:, :, None]


def test_states_go_through_unchanged_with_zeros_up_to_the_length(states):
    assert torch.equal(context(states), states)
    assert torch.equal(context(states[:, :4]), torch.cat([states[:, :4], torch.zeros(3, 3, 16)], 1))


@pytest.mark.parametrize("n_zero", [1, 5])
def test_zero_states_take_the_share_of_attention_that_the_docstring_says(states, n_zero):
    """One head, by hand: the words' values, times Z / (Z + n0)."""
    layer = CrossAttention(8, 16, n_head=1)
    x, words = torch.randn(1, 3, 8), states[:1, :4]
    scores = layer.w_q(x)[0] @ layer.w_k(words)[0].T / math.sqrt(8)
    z = scores.exp()
    wanted = layer.w_o(z @ layer.w_v(words)[0] / (z.sum(1, keepdim=True) + n_zero))
    found = layer(x, context(words, 4 + n_zero))[0]
    torch.testing.assert_close(found, wanted)


def test_more_states_than_the_denoiser_knows_are_refused():
    with pytest.raises(ValueError, match="8 states, but the denoiser was trained with 7"):
        context(torch.zeros(1, 8, 16))


def test_only_the_image_tokens_state_is_kept(states):
    kept = only_last(states, ROWS)
    for row, n in enumerate(N_TOKENS):
        assert torch.equal(kept[row, n - 1], states[row, n - 1])
        assert bool((kept[row, : n - 1] == 0).all())
        assert bool((kept[row, n:] == 0).all())


SMALL = find("language_and_image").but(
    d_model=16, n_layer=1, width=8, mults=(1, 1), p_alone=0.0, p_drop=0.0
)


@pytest.fixture
def model():
    model = SMALL.untrained()
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
    words = -model.lm.log_prob(rows).mean()
    read = -model.lm.log_prob_given(x[:2], rows_of(CAPTIONS[:2], END)).mean()  # of half the rows
    text = context(model.lm.states(rows))
    picture = model.painter.loss(x, cond=text, generator=seeded())
    found = model.loss(x, cond=encode(CAPTIONS), generator=seeded())
    torch.testing.assert_close(found, words + read + 3.0 * picture)


def gradients(model, x, joint):
    model.joint = joint
    model.zero_grad()
    model.loss(x, cond=encode(CAPTIONS), generator=seeded()).backward()
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


def test_the_denoisers_gradient_reaches_the_language_model_through_its_states_only(model, x):
    """Joint minus frozen = the denoiser's slope at each state, carried back by the chain rule."""
    joint, frozen = gradients(model, x, True), gradients(model, x, False)
    states = model.lm.states(rows_of(CAPTIONS))
    leaf = states.detach().requires_grad_(True)
    model.painter.loss(x, cond=context(leaf), generator=seeded()).backward()
    model.zero_grad()
    (states * leaf.grad).sum().backward()
    moved = 0.0
    for name, p in model.lm.named_parameters(prefix="lm"):
        carried = SMALL.settings["weight"] * (torch.zeros_like(p) if p.grad is None else p.grad)
        torch.testing.assert_close(joint[name] - frozen[name], carried, msg=name)
        moved += carried.abs().sum().item()
    assert moved > 1e-3


def test_in_training_some_rows_show_the_last_state_only(model, x):
    model.train()
    model.p_alone = 1.0
    rows = rows_of(CAPTIONS)
    text = context(only_last(model.lm.states(rows), rows))
    g = seeded()
    torch.rand(3, 1, 1, generator=g)
    picture = model.painter.loss(x, cond=text, generator=g)
    read = model.lm.log_prob_given(x[:2], rows_of(CAPTIONS[:2], END))
    words = model.lm.log_prob(rows).mean() + read.mean()
    found = model.loss(x, cond=encode(CAPTIONS), generator=seeded())
    torch.testing.assert_close(found, SMALL.settings["weight"] * picture - words)


def test_in_evaluation_no_row_shows_less(model, x):
    model.p_alone = 1.0
    alone = model.loss(x, cond=encode(CAPTIONS), generator=seeded())
    model.p_alone = 0.0
    torch.testing.assert_close(alone, model.loss(x, cond=encode(CAPTIONS), generator=seeded()))


# What the denoiser reads


def test_the_painter_is_told_by_the_states(model):
    states = model.lm.states(rows_of(["a red one", "a blue two"]))

    def picture(told):
        return model.draw(told, n_steps=2, guidance_scale=1.0, generator=seeded())

    assert not torch.allclose(picture(states), picture(states.flip(0)))


def test_a_picture_does_not_depend_on_its_neighbours_captions(model):
    rows = rows_of(CAPTIONS)
    both = model.draw(model.lm.states(rows), n_steps=2, generator=seeded())
    cut = model.lm.states(rows[:1, :4])  # as long as the caption itself
    alone = model.draw(cut, n_steps=2, generator=seeded())
    torch.testing.assert_close(alone[0], both[0])


def test_guidance_acts_above_a_level_of_noise_only(model):
    states = model.lm.states(rows_of(CAPTIONS))

    def picture(**options):
        return model.draw(states, n_steps=4, generator=seeded(), **options)

    everywhere = model.painter.draw(
        context(states), guidance_scale=3.0, n_steps=4, generator=seeded()
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
    torch.testing.assert_close(drawn.images, model.draw(states, n_steps=2, generator=g))


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


def test_samples_are_of_captions_of_its_own_or_of_those_that_were_asked_for(model):
    own = model.sample(2, generator=seeded())
    assert torch.equal(own, model.complete([""] * 2, generator=seeded()).images)
    asked = model.sample(3, cond=encode(CAPTIONS), generator=seeded())
    states = model.lm.states(rows_of(CAPTIONS))
    assert torch.equal(asked, model.draw(states, generator=seeded()))
    assert asked.shape[1:] == model.event_shape


# The likelihood


def test_the_bound_of_both_is_the_sum(model, x):
    found = model.elbo(x, cond=encode(CAPTIONS), generator=seeded())
    states = model.lm.states(rows_of(CAPTIONS))
    picture = model.picture_bound(x, states, generator=seeded())
    torch.testing.assert_close(found, model.lm.log_prob(rows_of(CAPTIONS)) + picture)


def test_a_denoiser_that_knows_the_picture_pays_for_the_last_step_only(model, monkeypatch):
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
