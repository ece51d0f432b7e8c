"""Lesson 12's worked answers are those of closed forms and of genlab; its replies name the slip."""

import pytest
import torch

from genlab.core import last
from genlab.score import ddpm_loss, ddpm_sample
from genlab_course.figures import lesson_12
from genlab_course.grading import assess, find_exercise

BETAS = torch.linspace(0.05, 0.4, 5, dtype=torch.float64)


def right(name):
    return find_exercise(f"12.{name}").right


@pytest.mark.parametrize("t", [1, 2, 4, 5])
def test_the_posterior_is_the_chain_conditioned_on_its_start_and_all_later_states(t):
    maps = [torch.eye(6, dtype=torch.float64)[0]]  # rows: (x_0, z_1, ..., z_5)
    for k, beta in enumerate(BETAS):
        fresh = torch.eye(6, dtype=torch.float64)[k + 1]
        maps.append((1 - beta).sqrt() * maps[-1] + beta.sqrt() * fresh)
    chain = torch.stack(maps)
    signal, cov = chain[:, 0], chain[:, 1:] @ chain[:, 1:].T
    path = torch.tensor([0.7, -0.2, 1.1, 0.4, -1.3, 0.6], dtype=torch.float64)
    seen = list(range(t, 6))
    gain = torch.linalg.solve(cov[seen][:, seen], cov[seen, t - 1])
    mean = signal[t - 1] * path[0] + gain @ (path[seen] - signal[seen] * path[0])
    variance = cov[t - 1, t - 1] - gain @ cov[seen, t - 1]
    got = right("posterior")(path[0], path[t], t - 1, BETAS)
    torch.testing.assert_close(torch.stack(got), torch.stack([mean, variance]))


def by_regression(x0, x_t, k, betas):
    alphas_bar = (1 - betas).cumprod(0)
    before = alphas_bar[k - 1] if k else 1.0
    cov = (1 - betas[k]) ** 0.5 * (1 - before)
    gain = cov / (1 - alphas_bar[k])
    return before**0.5 * x0 + gain * (x_t - alphas_bar[k] ** 0.5 * x0), 1 - before - gain * cov


def in_a_loop(x0, x_t, k, betas):
    before = 1.0
    for beta in betas[:k]:
        before = before * (1 - beta)
    after = before * (1 - betas[k])
    mean = before**0.5 * betas[k] * x0 + (1 - betas[k]) ** 0.5 * (1 - before) * x_t
    return [mean / (1 - after), (1 - before) / (1 - after) * betas[k]]


def by_precisions(x0, x_t, k, betas):
    bars = torch.cat([torch.ones(1, dtype=betas.dtype), torch.cumprod(1 - betas, 0)])
    if k == 0:
        return x0, torch.zeros_like(x0)
    variance = 1 / ((1 - betas[k]) / betas[k] + 1 / (1 - bars[k]))
    told = (1 - betas[k]).sqrt() * x_t / betas[k] + bars[k].sqrt() * x0 / (1 - bars[k])
    return variance * told, variance


@pytest.mark.parametrize("answer", [by_regression, in_a_loop, by_precisions])
def test_a_posterior_in_another_idiom_is_right(answer):
    assert assess(find_exercise("12.posterior"), answer) == "right"


def test_the_loss_and_the_walk_are_genlabs():
    def network(x, k):
        return x.tanh() * (1 + k.reshape(-1, *[1] * (x.ndim - 1)))

    g = torch.Generator().manual_seed(1)
    x0, eps = torch.randn(2, 3, 1, 2, 2, generator=g, dtype=torch.float64)
    k, bars = torch.tensor([0, 2, 4]), (1 - BETAS).cumprod(0)
    want = ddpm_loss(network, x0, k, eps, alphas_bar=bars).mean()
    torch.testing.assert_close(right("training-step")(network, x0, k, eps, bars), want)
    z = [torch.randn(4, 3, generator=g.manual_seed(9)) for _ in range(1)]
    z += [torch.randn(4, 3, generator=g) for _ in range(4)]  # as ddpm_sample draws them
    walk = ddpm_sample(
        network, x0 := torch.ones(4, 3), betas=BETAS.float(), variances=BETAS.float(),
        generator=g.manual_seed(9),
    )  # fmt: skip
    noise = torch.stack([torch.zeros(4, 3), *reversed(z[:4])])
    torch.testing.assert_close(last(walk), right("sampler")(network, x0, noise, BETAS.float()))


def in_floats(x0, x_t, k, betas):
    mean, variance = by_regression(x0, x_t, k, betas)
    return mean.tolist(), float(variance)


def with_an_int(network, x, z, betas):
    for k in reversed(range(len(betas))):
        x = x - network(x, k)
    return x


def with_its_own_noise(network, x0, k, eps, alphas_bar):
    a = alphas_bar[k][:, None, None, None]
    eps = torch.randn_like(x0)
    return ((network(a.sqrt() * x0 + (1 - a).sqrt() * eps, k) - eps) ** 2).mean()


def with_its_own_steps(network, x0, k, eps, alphas_bar):
    k = torch.tensor([1, 1, 4, 0])
    a = alphas_bar[k][:, None, None, None]
    return ((network(a.sqrt() * x0 + (1 - a).sqrt() * eps, k) - eps) ** 2).mean()


def with_fresh_noise(network, x, z, betas):
    bars = (1 - betas).cumprod(0)
    for k in reversed(range(len(betas))):
        eps = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - bars[k]).sqrt() * eps) / (1 - betas[k]).sqrt()
        x = x + betas[k].sqrt() * torch.randn_like(x) if k else x
    return x


def with_a_plus(x0, x_t, k, betas):
    mean, variance = by_regression(x0, x_t, k, betas)
    before = torch.cat([torch.ones(1), (1 - betas).cumprod(0)])[k]
    return mean, 2 * (1 - before) - variance


def swapped(x0, x_t, k, betas):
    return by_regression(x_t, x0, k, betas)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("training-step", with_its_own_noise),
        ("training-step", with_its_own_steps),
        ("sampler", with_fresh_noise),
        ("sampler", with_an_int),
    ],
)
def test_what_is_not_asked_for_is_refused_in_a_sentence_and_not_as_a_crash(name, answer):
    said = assess(find_exercise(f"12.{name}"), answer)
    assert said.startswith("not yet: ")
    assert "could not run" not in said


@pytest.mark.parametrize(
    ("name", "answer", "says"),
    [
        ("sampler", with_fresh_noise, "use z[k]"),
        ("posterior", with_a_plus, "wrong sign"),
        ("posterior", swapped, "swapped their weights"),
        ("bound-weight", lambda beta, bar, v: 1 / (2 * v), "gap of the *means*"),
        (
            "bound-weight",
            lambda beta, bar, v: beta / (2 * v * ((1 - beta) * (1 - bar)) ** 0.5),
            "squared, all of it",
        ),
        ("posterior", in_floats, "return tensors"),
        ("sampler", with_an_int, "one k for each row"),
        ("training-step", with_its_own_noise, "use the one you are given"),
        ("training-step", with_its_own_steps, "use the k given"),
        ("shortcut", 2 * 0.59049 + 0.3 * 0.40951**0.5, "the signal by a fraction"),
        ("shortcut", 1.7, "three digits"),
        ("few-steps", "wide", "vary more or less"),
        ("few-steps", "both", "choose one of"),
    ],
)
def test_a_slip_that_comes_first_to_mind_is_named(name, answer, says):
    assert says in assess(find_exercise(f"12.{name}"), answer)


def test_too_narrow_is_accepted_in_the_questions_own_words():
    assert assess(find_exercise("12.few-steps"), "Too narrow") == "right"


def test_the_chain_wants_five_states():
    with pytest.raises(ValueError, match="five states"):
        lesson_12.chain(torch.zeros(4, 1, 6, 6))


def test_the_pictures_of_the_lesson_can_be_drawn():
    states = torch.zeros(5, 1, 6, 6)
    assert len(lesson_12.chain(states).axes) == 1
    assert len(lesson_12.chain_and_bits(states, torch.rand(9) + 0.1, 0.0, (3, 5)).axes) == 2
    assert (
        len(
            lesson_12.guesses(
                torch.zeros(3, 5, 1, 6, 6), torch.zeros(3, 5, 1, 6, 6), (1, 2, 3)
            ).axes
        )
        == 6
    )
    assert len(lesson_12.unet().axes) == 1
