"""What lesson 03 claims, held by enumeration and closed forms; its answers; its pictures."""

import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.distributions import Categorical, Normal

from genlab.core import kl_categorical
from genlab_course.exercises import lesson_03 as bank
from genlab_course.figures import lesson_03
from genlab_course.grading import assess, find_exercise
from tests.notebooks import build

NOTEBOOK = build.ROOT / "notebooks/src/03_maximum_likelihood_and_kl.py"


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def defined(name, **known):
    """A function or class of the notebook, alone, with the names that it uses."""
    cells = [c.source for c in build.read_text(NOTEBOOK).cells if c.cell_type == "code"]
    (cell,) = [source for source in cells if f" {name}(" in source and _defines(source, name)]
    names = {"torch": torch, "F": F, "nn": torch.nn, "math": math} | known
    exec(cell, names)
    return names[name]


def _defines(source, name):
    return f"def {name}(" in source or f"class {name}(" in source


def small(n):
    generator = torch.Generator().manual_seed(n)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_prototypes_weigh_their_tables_as_the_double_sum_says():
    torch.set_default_dtype(torch.float32)
    model, draw = defined("Prototypes")(3), small(1)
    with torch.no_grad():
        model.weights.copy_(draw(3))
        model.tables.copy_(draw(3, 64, 17))
    x = torch.randint(17, (5, 64), generator=torch.Generator().manual_seed(2))
    weights, tables = (
        model.weights.detach().double().softmax(0),
        model.tables.detach().double().softmax(-1),
    )
    for digit, found in zip(x, model.log_prob(x).detach(), strict=True):
        terms = [w * torch.stack([t[j, v] for j, v in enumerate(digit)]).prod()
                 for w, t in zip(weights, tables, strict=True)]  # fmt: skip
        assert math.isclose(float(found), math.log(float(sum(terms))), rel_tol=1e-5)


def memory_of(smooth):
    return defined("memory", smooth=smooth, pixels=torch.arange(len(smooth)))


def test_a_memory_is_a_mixture_of_noisy_copies():
    smooth = small(3)(4, 17).softmax(1)
    g = torch.Generator().manual_seed(4)
    stored = torch.randint(17, (6, 4), generator=g)
    x = torch.cat([stored[:2], torch.randint(17, (3, 4), generator=g)])
    found = memory_of(smooth)(x, stored, 0.3)
    for digit, log_p in zip(x, found, strict=True):
        chances = [math.prod(0.3 * (s == v) + 0.7 * float(smooth[j, v])
                             for j, (s, v) in enumerate(zip(kept, digit.tolist(), strict=True)))
                   for kept in stored.tolist()]  # fmt: skip
        assert math.isclose(float(log_p), math.log(sum(chances) / 6), rel_tol=1e-9)


def test_leaving_out_is_storing_the_others():
    smooth = small(5)(4, 17).softmax(1)
    stored = torch.randint(17, (6, 4), generator=torch.Generator().manual_seed(6))
    memory = memory_of(smooth)
    found = memory(stored, stored, 0.4, leave_out=True)
    for k in range(6):
        others = torch.cat([stored[:k], stored[k + 1 :]])
        assert math.isclose(float(found[k]), float(memory(stored[k : k + 1], others, 0.4)))


def test_a_detour_costs_less_than_half_of_the_direct_way():
    coins = torch.tensor([[0.5, 0.5], [0.7, 0.3], [0.9, 0.1]], dtype=torch.float64)
    by_torch = torch.distributions.kl_divergence
    first, second, direct = (by_torch(Categorical(coins[i]), Categorical(coins[j]))
                             for i, j in ((0, 1), (1, 2), (0, 2)))  # fmt: skip
    assert first + second < direct / 2
    assert first != by_torch(Categorical(coins[1]), Categorical(coins[0]))


def test_the_reverse_kl_has_three_valleys_and_two_passes():
    line = torch.linspace(-14, 14, 4001, dtype=torch.float64)
    log_p = torch.logaddexp(math.log(0.6) + Normal(-2.0, 0.6).log_prob(line),
                            math.log(0.4) + Normal(2.0, 0.6).log_prob(line))  # fmt: skip

    def reverse(v):
        log_q = Normal(v[0], v[1]).log_prob(line)
        return torch.trapezoid(log_q.exp() * (log_q - log_p), line)

    flat = {(-2.0, 0.6): 0.51, (2.0, 0.6): 0.92, (-0.31, 1.76): 1.144,
            (-0.90, 1.56): 1.162, (1.20, 1.37): 1.380}  # fmt: skip
    bends = []
    for place, price in flat.items():
        v = torch.tensor(place, dtype=torch.float64)
        for _ in range(8):
            slope = torch.autograd.functional.jacobian(reverse, v)
            bend = torch.autograd.functional.hessian(reverse, v)
            v = v - torch.linalg.solve(bend, slope)
        assert slope.norm() < 1e-6
        torch.testing.assert_close(v, torch.tensor(place, dtype=torch.float64), atol=0.01, rtol=0)
        assert abs(float(reverse(v)) - price) < 0.006
        bends.append(float(torch.linalg.eigvalsh(bend)[0]))
    assert min(bends[:3]) > 0.2
    assert max(bends[3:]) < -0.2


def gradient_by_one_hots(theta, counts):
    slopes = []
    for row, seen in zip(theta, counts, strict=True):
        one_hots = torch.eye(len(row), dtype=row.dtype).repeat_interleave(seen.long(), 0)
        slopes.append((row.softmax(0) - one_hots).mean(0))
    return torch.stack(slopes)


def gradient_by_autograd(theta, counts):
    theta = theta.detach().clone().requires_grad_()
    target = counts / counts.sum(1, keepdim=True)
    return torch.autograd.grad(F.cross_entropy(theta, target, reduction="sum"), theta)[0]


def report_in_numpy(log_p, rival_log_p, n_dims):
    bits, rival = (-v.numpy() / math.log(2) / n_dims for v in (log_p, rival_log_p))
    gain, n = rival - bits, len(bits)
    return [bits.mean(), bits.std(ddof=1) / n**0.5, gain.mean(), gain.std() / n**0.5]


def reverse_loss_by_hand(m, s, eps, log_p):
    log_q = -(eps**2) / 2 - torch.log(s) - math.log(2 * math.pi) / 2
    return torch.mean(log_q - log_p(m + s * eps))


def reverse_loss_by_sums(m, s, eps, log_p):
    z = torch.add(m, torch.mul(s, eps))
    q = Normal(loc=m, scale=s)
    return q.log_prob(z).sum() / len(eps) - log_p(z).sum() / len(eps)


def reverse_loss_in_a_loop(m, s, eps, log_p):
    total = 0.0
    for e in eps:
        z = m + s * e
        total = total + Normal(m, s).log_prob(z) - log_p(z)
    return total / len(eps)


def reverse_loss_of_columns(m, s, eps, log_p):
    z = m + s * eps[:, None]
    return (Normal(m, s).log_prob(z) - log_p(z)).mean()


def stopping_with_clones(model, ten_steps, x_val, rounds):
    best = (math.inf, None)
    for _ in range(rounds):
        ten_steps(model)
        nll = -model.log_prob(x_val).mean()
        if nll < best[0]:
            best = (nll.item(), {k: v.clone() for k, v in model.state_dict().items()})
    model.load_state_dict(best[1])
    return model, best[0]


def estimates_in_a_list(z_p, z_q, log_p, log_q):
    log_r = log_p(z_q) - log_q(z_q)
    return [log_r.neg().mean(), 0.5 * log_r.pow(2).mean(), (log_r.expm1() - log_r).mean()]


IDIOMS = [
    ("03.kl-value", 0.277),
    ("03.kl-value", torch.tensor(0.4) * math.log(2)),
    ("03.gradient", gradient_by_one_hots),
    ("03.gradient", gradient_by_autograd),
    ("03.reverse-loss", reverse_loss_by_hand),
    ("03.reverse-loss", reverse_loss_by_sums),
    ("03.reverse-loss", reverse_loss_in_a_loop),
    ("03.reverse-loss", reverse_loss_of_columns),
    ("03.report", report_in_numpy),
    ("03.early-stopping", stopping_with_clones),
    ("03.estimates", estimates_in_a_list),
]


@pytest.mark.parametrize(("name", "answer"), IDIOMS)
def test_right_answers_in_other_idioms_are_right(name, answer):
    assert assess(find_exercise(name), answer) == "right"


def variance_for_spread(log_p, rival_log_p, n_dims):
    bits = -log_p / (n_dims * math.log(2))
    gain = -rival_log_p / (n_dims * math.log(2)) - bits
    return bits.mean(), bits.var() / len(bits), gain.mean(), gain.var() / len(gain)


def never_loaded(model, ten_steps, x_val, rounds):
    lowest = math.inf
    for _ in range(rounds):
        ten_steps(model)
        lowest = min(lowest, -model.log_prob(x_val).mean().item())
    return model, lowest


def only_the_model(model, ten_steps, x_val, rounds):
    return bank.early_stopping(model, ten_steps, x_val, rounds)[0]


def in_bits_per_dimension(model, ten_steps, x_val, rounds):
    model, nll = bank.early_stopping(model, ten_steps, x_val, rounds)
    return model, nll / 64 / math.log(2)


def density_cut_off(m, s, eps, log_p):
    return (Normal(m.detach(), s.detach()).log_prob(m + s * eps) - log_p(m + s * eps)).mean()


def by_the_entropy(m, s, eps, log_p):
    return -Normal(m, s).entropy() - log_p(m + s * eps).mean()


def drawn_anew(m, s, eps, log_p):
    q = Normal(m, s)
    z = q.sample((1000,))
    return (q.log_prob(z) - log_p(z)).mean()


def drawn_anew_as_many(m, s, eps, log_p):
    q = Normal(m, s)
    z = q.rsample(eps.shape)
    return (q.log_prob(z) - log_p(z)).mean()


def better_in_both(log_p, rival_log_p, n_dims):
    bits, rival = -log_p / n_dims / math.log(2), -rival_log_p / n_dims / math.log(2)
    gain, root = rival - bits, math.sqrt(len(bits))
    return bits.mean(), bits.std() / root, abs(gain.mean()), gain.std() / root


FIRST_TO_MIND = [
    ("03.report", better_in_both, "keep its sign"),
    ("03.reverse-loss", drawn_anew, "Use the draws `eps` that you are given"),
    ("03.reverse-loss", drawn_anew_as_many, "Use the draws `eps` that you are given"),
    ("03.kl-value", 0.12041, "base 10"),
    (
        "03.gradient",
        lambda theta, counts: theta.softmax(1) - counts / counts.sum(0),
        "sums of the columns",
    ),
    ("03.report", variance_for_spread, "square root"),
    ("03.early-stopping", never_loaded, "last weights"),
    ("03.early-stopping", only_the_model, "two things"),
    ("03.early-stopping", in_bits_per_dimension, "in nats per picture"),
    ("03.reverse-loss", density_cut_off, "the samples move"),
    ("03.reverse-loss", by_the_entropy, "a fair estimate"),
    ("03.estimates", bank.averaged_over_samples_of_p, "it is q that does the averaging"),
]


@pytest.mark.parametrize(("name", "answer", "says"), FIRST_TO_MIND)
def test_a_first_wrong_answer_is_told_what_it_is(name, answer, says):
    said = assess(find_exercise(name), answer)
    assert said.startswith("not yet")
    assert says in said


def test_a_loss_whose_samples_stand_still_is_not_accepted_for_its_value():
    def cut(m, s, eps, log_p):
        return bank.reverse_loss(m.detach(), s.detach(), eps, log_p) + 0 * m + 0 * s

    assert "m and s" in assess(find_exercise("03.reverse-loss"), cut)


def test_the_slopes_of_the_three_estimates_by_enumeration():
    q, p = (small(n)(6).softmax(0) for n in (7, 8))
    logits = q.log().requires_grad_()
    log_r = p.log() - logits.log_softmax(0)
    k3 = torch.autograd.grad((q * (log_r.exp() - 1 - log_r)).sum(), logits)[0]
    torch.testing.assert_close(k3, q - p)


def test_the_estimates_have_the_right_mean_by_enumeration():
    p, q = torch.tensor([0.6, 0.3, 0.1]).double(), torch.tensor([0.3, 0.3, 0.4]).double()
    z = torch.arange(3).repeat_interleave(torch.tensor([3, 3, 4]))[:, None]  # q, exactly
    k1, _, k3 = bank.estimates(z, z, lambda v: p.log()[v].sum(-1), lambda v: q.log()[v].sum(-1))
    exact = kl_categorical(q, p)
    torch.testing.assert_close(torch.stack([k1, k3]), exact.expand(2))


def test_a_dot_is_red_where_one_per_cent_of_the_data_live():
    line = torch.linspace(-8, 8, 16_001, dtype=torch.float64)
    found = lesson_03.threshold(line, Normal(0.0, 1.0).log_prob, 0.01)
    edge = Normal(0.0, 1.0).icdf(torch.tensor(0.995))  # two tails of half a per cent
    assert abs(found - float(Normal(0.0, 1.0).log_prob(edge))) < 0.01


def test_a_frame_counts_its_red_dots():
    line, noise = torch.linspace(-8, 8, 801), torch.linspace(-1, 1, 10)
    fits = {"inside": (0.0, 0.1), "outside": (6.0, 0.1)}
    figure = lesson_03.hills_and_curves(line, Normal(0.0, 1.0).log_prob, fits, noise)
    said = [ax.texts[1].get_text() for ax in figure.axes]
    assert [text.split()[0] for text in said] == ["0", "100"]


def test_a_film_runs_from_the_first_step_to_the_last():
    line, noise = torch.linspace(-8, 8, 101), torch.linspace(-1, 1, 5)
    paths = {"way": [(0.1 * k, 1.0) for k in range(41)]}
    frames = list(lesson_03.two_hills(line, Normal(0.0, 1.0).log_prob, paths, noise, 5))
    highest = [float(f.axes[0].lines[0].get_xdata()[f.axes[0].lines[0].get_ydata().argmax()])
               for f in frames]  # fmt: skip
    assert len(frames) == 5
    assert abs(highest[0]) < 0.2
    assert abs(highest[-1] - 4.0) < 0.2


def test_the_diary_shows_both_means():
    days = torch.tensor([0, 1, 2])
    figure = lesson_03.diary(days, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 1.0, 1.0]))
    said = " ".join(text.get_text() for text in figure.axes[0].texts)
    assert "2.00" in said
    assert "1.00" in said


def test_a_bar_reaches_as_far_as_it_says():
    gains = torch.linspace(-1, 3, 101)  # around 1
    figure = lesson_03.two_bars(gains, torch.tensor(0.5), torch.tensor(0.75))
    ends = [line.get_xdata() for line in figure.axes[0].lines if line.get_linewidth() == 3]
    assert [[round(float(x), 6) for x in pair] for pair in ends] == [[0.5, 1.5], [0.25, 1.75]]


def test_the_star_stands_at_the_lowest_validation_loss():
    curves = torch.tensor([[[3.0, 3.0], [2.0, 2.1], [1.9, 2.5]]])  # (seed, round, part)
    figure = lesson_03.over_fitting(torch.tensor([10, 20, 30]), curves, 2.6)
    stars = [line for line in figure.axes[1].lines if line.get_marker() == "*"]
    assert [float(star.get_xdata()[0]) for star in stars] == [20.0]


def test_the_other_pictures_are_drawn_from_what_they_are_given():
    tables = lesson_03.tables({1: torch.rand(64, 17), 9: torch.rand(64, 17)}, torch.rand(64, 17), 3)
    assert tables.axes[0].get_title() == "after 1 step"
    k = torch.rand(50, 3) + 5
    assert len(lesson_03.estimators((5.5, k), (5.5, k), k[:, 0]).axes) == 2
    names = ("training", "validation", "left out", "twins")
    scan = {name: [2.0, 1.0] for name in names}
    drawn = lesson_03.memory(torch.tensor([1.0, 0.1]), scan, 0.16)
    assert [text.get_text() for text in drawn.axes[0].texts][:4] == list(names)


def test_the_star_of_the_memory_stands_at_the_best_chance_of_copying():
    names = ("training", "validation", "training, itself left out", "twins")
    scan = {name: [3.0, 2.0, 2.5] for name in names}
    _, enlarged = lesson_03.memory(torch.tensor([1.0, 0.7, 0.5]), scan, 0.16).axes
    (star,) = (line for line in enlarged.lines if line.get_marker() == "*")
    assert math.isclose(float(star.get_xdata()[0]), 0.3, abs_tol=1e-6)
    assert len(enlarged.lines) == 3  # validation, leave-one-out, the star


def test_estimates_scatter_as_narrowly_as_the_information_says():
    found = {n: torch.linspace(1.0, 2.4, 50) for n in (5, 15, 50)}
    ax = lesson_03.scatter(found, 1.7, 1 / 1.7).axes[0]
    heights = [line.get_ydata().max() for line in ax.lines[:3]]
    assert np.allclose(
        heights, [math.sqrt(n / 1.7 / (2 * math.pi)) for n in (5, 15, 50)], rtol=1e-3
    )
    assert [text.get_text() for text in ax.texts] == ["N = 5", "N = 15", "N = 50"]


def test_the_triangle_marks_the_truth_and_the_best_belief():
    a = torch.arange(11)
    places = torch.cartesian_prod(a, a, a)
    places = places[places.sum(1) == 10] / 10
    truth = torch.tensor([0.6, 0.3, 0.1])
    scores = {"one": -((places - truth) ** 2).sum(1), "two": places[:, 1]}
    best = {name: places[score.argmax()] for name, score in scores.items()}
    one, two = lesson_03.beliefs(places, scores, truth, best).axes
    assert np.allclose(one.lines[0].get_xydata(), one.lines[1].get_xydata())
    assert np.allclose(two.lines[1].get_xydata(), [[1.0, 0.0]])
    assert np.allclose(two.lines[0].get_xydata(), [[0.3 + 0.05, 0.1 * 3**0.5 / 2]])
