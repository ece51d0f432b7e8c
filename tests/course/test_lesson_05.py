"""What lesson 05 claims, held by enumeration and closed forms; its answers; its pictures."""

import itertools
import math

import matplotlib.pyplot as plt
import pytest
import torch
import torch.nn.functional as F

from genlab_course.exercises import lesson_05 as bank
from genlab_course.figures import BLUE, RED, lesson_05
from genlab_course.grading import assess, find_exercise


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture
def pictures():
    g = torch.Generator().manual_seed(1)
    return F.one_hot(torch.randint(3, (40, 5), generator=g), 3).double()


def scattered(n, k, seed=2):
    q = torch.rand(n, k, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return q / q.sum(1, keepdim=True)


def test_the_e_step_is_bayes_rule_picture_by_picture():
    weights, tables = bank._mixture(3, 3, 2, 4)
    x = torch.tensor(list(itertools.product(range(4), repeat=2)))
    q, log_px = bank.e_step(F.one_hot(x, 4).double(), weights, tables)
    for digit, row, found in zip(x, q, log_px, strict=True):
        ways = [math.exp(w + t[0, digit[0]] + t[1, digit[1]])
                for w, t in zip(weights, tables, strict=True)]  # fmt: skip
        assert math.isclose(float(found), math.log(sum(ways)), rel_tol=1e-9)
        assert row.tolist() == pytest.approx([way / sum(ways) for way in ways])
    assert float(log_px.exp().sum()) == pytest.approx(1)


def by_broadcasting(x, log_weights, log_tables):
    log_joint = (x[:, None] * log_tables[None]).sum((2, 3)) + log_weights
    return log_joint.softmax(1), log_joint.logsumexp(1)


def by_gathering_levels(x, log_weights, log_tables):
    levels = x.argmax(-1).T[None].expand(len(log_tables), -1, -1)  # (k, d, n)
    log_joint = log_tables.gather(2, levels).sum(1).T + log_weights
    return log_joint.softmax(1), log_joint.logsumexp(1)


def template_by_template(x, log_weights, log_tables):
    columns = [(x * table).sum((1, 2)) for table in log_tables]
    log_joint = torch.stack(columns, 1) + log_weights
    return log_joint.softmax(1), log_joint.logsumexp(1)


def pixel_by_pixel_in_float32(x, log_weights, log_tables):
    log_joint = log_weights.float().repeat(len(x), 1)
    for pixel in range(x.shape[1]):
        log_joint += (x[:, pixel] @ log_tables[:, pixel].T).float()
    return log_joint.softmax(1), log_joint.logsumexp(1)


@pytest.mark.parametrize(
    "answer",
    [by_broadcasting, by_gathering_levels, template_by_template, pixel_by_pixel_in_float32],
)
def test_a_right_e_step_is_right_in_whatever_order_it_adds_the_pixels(answer):
    assert assess(find_exercise("05.e-step"), answer) == "right"


@pytest.mark.parametrize("kind", [tuple, list])
def test_of_a_pair_with_one_part_of_a_wrong_shape_that_part_is_named(kind):
    def with_a_column(x, log_weights, log_tables):
        q, log_px = bank.e_step(x, log_weights, log_tables)
        return kind((q, log_px[:, None]))

    said = assess(find_exercise("05.e-step"), with_a_column)
    assert "result 2 of 2: expected shape (6,), got (6, 1)" in said


def test_em_never_lowers_the_likelihood_plus_the_share_of_the_pseudo_counts(pictures):
    q, climb = scattered(40, 4), []
    for _ in range(40):
        weights, tables = bank.m_step(pictures, q, 0.3)
        q, log_px = bank.e_step(pictures, weights, tables)
        climb.append(float(log_px.sum() + 0.3 * tables.sum()))
    assert torch.tensor(climb).diff().min() > -1e-9


def test_equal_templates_stay_equal(pictures):
    q = torch.full((40, 4), 0.25, dtype=torch.float64)
    for _ in range(5):
        weights, tables = bank.m_step(pictures, q, 0.3)
        q, _ = bank.e_step(pictures, weights, tables)
    assert float((tables - tables[0]).abs().max()) < 1e-12


def joint_of_codes(delta):
    codes = torch.tensor([[0.5 - delta, 0.5 + delta], [0.5 + delta, 0.5 - delta]]).double()
    return codes, (codes / codes.sum(0)).log() - math.log(2)  # the decoder that matches them


@pytest.mark.parametrize("delta", [0.01, 0.2, 0.49])
def test_on_the_line_of_optima_the_elbo_says_nothing_of_the_information(delta):
    codes, log_joint = joint_of_codes(delta)
    found = bank.guesser_elbo(codes.log(), log_joint).mean()
    assert float(found) == pytest.approx(-math.log(2))
    entropy = -sum(p * math.log(p) for p in (0.5 - delta, 0.5 + delta))
    assert float(bank.information(codes)) == pytest.approx(math.log(2) - entropy)


@pytest.mark.parametrize(("codes", "tables"), [(0.01, 0.03), (0.02, -0.01), (0.0, 0.02)])
def test_near_silence_the_elbo_charges_the_disagreement_of_codes_and_tables_alone(codes, tables):
    q = torch.tensor([[0.5 + codes, 0.5 - codes], [0.5 - codes, 0.5 + codes]]).double()
    ink = torch.tensor([[1 + tables, 1 - tables], [1 - tables, 1 + tables]]).double() / 2
    short = -math.log(2) - bank.guesser_elbo(q.log(), ink.log() - math.log(2))
    assert short.tolist() == pytest.approx(2 * [(2 * codes - tables) ** 2 / 2], rel=1e-2)


def test_a_used_latent_stays_used_and_one_that_whispers_is_not_taken_up_within_250_steps():
    assert bank._trained((0.5,) * 200 + (1.0,) * 1000) > 0.68
    assert bank._trained((1.0,) * 250) < 0.1


def test_a_bound_of_a_sure_guesser_trains_where_the_log_of_a_softmax_is_nan():
    logits, log_joint = torch.tensor([[0.0, -900.0]]), torch.tensor([[-3.0, -4.0]])
    slopes = []
    for bound in (bank.guesser_elbo, bank.took_the_log_of_the_softmax):
        given = logits.clone().requires_grad_()
        slopes.append(torch.autograd.grad(bound(given, log_joint).sum(), given)[0])
    assert slopes[0].isfinite().all()
    assert slopes[1].isnan().any()


def test_a_bound_without_a_gradient_is_told_from_one_with_half_of_it():
    task = find_exercise("05.guesser-elbo")
    assert bank.NOT_PULLED in assess(task, bank.detached_the_guess)
    assert bank.HALF_PULLED in assess(task, bank.detached_q_in_front)


def test_a_bound_in_numpy_is_told_that_the_logits_get_no_gradient():
    def in_numpy(logits, log_joint):
        return bank.guesser_elbo(logits.detach(), log_joint).numpy()

    assert bank.NOT_PULLED in assess(find_exercise("05.guesser-elbo"), in_numpy)


def with_xlogy(logits, log_joint):
    q = logits.softmax(-1)
    return (q * log_joint - torch.xlogy(q, q)).sum(-1)


def with_where(logits, log_joint):
    q = logits.softmax(-1)
    return torch.where(q > 0, q * (log_joint - q.log()), 0.0).sum(-1)


@pytest.mark.parametrize("answer", [with_xlogy, with_where])
def test_a_bound_whose_slope_is_nan_for_a_sure_guesser_is_not_right(answer):
    assert bank.SLOPE_LOST in assess(find_exercise("05.guesser-elbo"), answer)


def test_the_film_shows_the_heaviest_template_first_and_its_bits():
    tables = torch.zeros(20, 64, 17).log_softmax(-1)
    weights = torch.arange(20.0).log_softmax(0)
    frames = list(lesson_05.film_of(30 * [(weights, tables, 2.4321)]))
    assert len(frames) == len(lesson_05.KEPT)
    assert "2.43 bits" in frames[0].axes[0].get_title()
    assert lesson_05.order_of(weights)[0] == 19
    assert float(lesson_05.mean_ink(tables).mean()) == pytest.approx(8)  # levels 0 to 16


def test_the_arch_names_the_gap_at_each_guess():
    q = torch.linspace(0.1, 0.9, 9)
    elbo = -((q - 0.8) ** 2) - 0.7
    figure = lesson_05.arch(q, elbo, -0.7, {0.5: -0.79})
    said = [text.get_text() for text in figure.axes[0].texts]
    assert "guess 0.5: gap 0.090" in said
    assert "posterior 0.8: no gap" in said


def test_pictures_with_a_lead_are_in_another_colour_than_those_without():
    figure = lesson_05.leads({"ELBO": [(-0.1, 0.02)], 4: [(0.1, 0.02)]})
    behind, ahead = (c.lines[0].get_color() for c in figure.axes[0].containers)
    assert (behind, ahead) == (RED, BLUE)


def test_the_other_pictures_are_drawn():
    z = torch.linspace(-1, 1, 5)
    k = torch.arange(1, 41)
    behind = dict.fromkeys("ab", (torch.zeros(5), torch.tensor([0.0, -0.1, -2.0, 0.0, 0.0])))
    runs = dict.fromkeys("ab", (torch.zeros(3, 12), torch.zeros(3, 12)))
    cov = torch.tensor([[1.0, 0.5], [0.5, 1.0]])
    figures = [
        lesson_05.wall(z, z.exp(), z.exp(), k, 2.6**k),
        lesson_05.staircase([0.0, 1.0, 2.0, 2.5], [0.0, 1.5, 2.0, 2.6]),
        lesson_05.missed(behind),
        lesson_05.more_draws((1, 4), [0.3, 0.0], [0.3, 0.3]),
        lesson_05.turned(cov, torch.linspace(0, 3, 5), z, 1.0),
        lesson_05.uptake(torch.arange(3), runs),
        lesson_05.spectrum(torch.linspace(100, 10, 10), (3.0, 6.0, 9.0)),
    ]
    assert all(isinstance(figure, plt.Figure) for figure in figures)
