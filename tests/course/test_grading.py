"""Exercises name the likely mistake, accept any idiom, and never raise because of an answer."""

import ast
import dataclasses
import inspect
import itertools
import math
import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import torch

from genlab_course import grading
from genlab_course.grading import Exercise, Mistake, all_exercises, assess, exercise, find_exercise

NLL = Exercise(
    id="00.nll",
    right=lambda p: -sum(math.log(q) for q in p),
    cases=(([0.5, 0.25],), ([0.1],)),
    mistakes=(
        Mistake(lambda p: sum(math.log(q) for q in p), "the sign is flipped"),
        Mistake(lambda p: -sum(math.log2(q) for q in p), "these are bits"),
    ),
    hints="a\nb\nc",
)


def shapes(p):
    return np.ones(3) * np.ones(2)


def off_by_a_lot(p):
    return math.log(-sum(p))


def greedy(p):
    return -sum(math.log(p.pop()) for _ in range(len(p)))


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda p: -np.log(p).sum(), "right"),
        (greedy, "right"),  # each case gets its own copy
        (lambda p: np.log(p).sum(), "not yet: the sign is flipped"),
        (lambda p: -np.log2(p).sum(), "not yet: these are bits"),
        (None, "not attempted"),
        (..., "not attempted"),
        (lambda p: None, "not attempted"),
        (lambda p: ..., "not attempted"),
        (lambda p: 3.0, "hint('00.nll')"),
        (lambda p: [1.0, 2.0], "expected shape (), got (2,)"),
        (lambda p: {"nats": 1.0}, "what your function returns could not be read"),
        (torch.ones(2, 3), "expected a function, got a tensor of shape (2, 3)"),
        (2.0, "expected a function"),
        (lambda p: 1 / 0, "ZeroDivisionError"),
        (off_by_a_lot, "in the line `return math.log(-sum(p))`: you take the logarithm or root"),
        (lambda p: nump.log(p), "'nump' is not defined: import it"),  # noqa: F821
        (lambda: 1.0, "called with 1 argument, but its definition names 0: see the text"),
        (shapes, "two shapes do not fit together"),
        (lambda p: p[9], "an index lies beyond the end"),
        (lambda p: p.nothing, "has no attribute 'nothing'"),
    ],
)
def test_the_verdict_on_an_answer_says_what_is_wrong(answer, says):
    assert says in assess(NLL, answer)


def test_a_function_that_returns_nothing_on_one_of_its_paths_is_not_a_blank():
    halves = Exercise(id="00.halves", right=lambda n: n / 2, cases=((2.0,), (3.0,)))
    assert "a `return` is missing" in assess(halves, lambda n: n / 2 if n == 2 else None)
    assert assess(halves, lambda n: None) == "not attempted"
    assert assess(halves, lambda n: ...) == "not attempted"


def test_a_mistake_that_the_exercise_knows_is_named_first():
    known = Exercise(
        id="00.known", right=1.5, mistakes=(Mistake(-1.5, "the sign belongs to the loss"),)
    )
    assert assess(known, -1.5) == "not yet: the sign belongs to the loss"


def test_a_judge_decides_where_the_answer_is_not_unique():
    even = Exercise(id="00.even", judge=lambda n: "odd" if n % 2 else "")
    assert assess(even, 4) == "right"
    assert assess(even, 3) == "not yet: odd"
    assert assess(even, None) == "not attempted"


def _drawn(change=lambda logits: logits.softmax(-1), clone=True, use_seed=True, whole=True):
    def sampler(network, x, start, generator):
        x = x.clone() if clone else x
        for i in range(start, x.shape[1]):
            p = change(network(x if whole else x[:, : i + 1])[:, i])
            g = generator if use_seed else None
            x[:, i] = torch.multinomial(p, 1, generator=g)[:, 0]
        return x

    return sampler


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (_drawn(), "right"),
        (_drawn(lambda logits: logits), "softmax first"),
        (_drawn(lambda logits: (3 * logits).softmax(-1)), "0.2, 0.3, 0.5 came with"),
        (_drawn(clone=False), "clone it first"),
        (_drawn(use_seed=False), "one seed, two results"),
        (_drawn(whole=False), "hand it all of x"),
    ],
)
def test_a_sampler_has_to_sample(answer, says):
    assert says in assess(find_exercise("02.sampler"), answer)


def test_the_goal_of_a_jump_must_not_learn():
    def consistency(u, slow, x, s, t, v):
        lower = x - (t - s) * v
        return (x - t * u(x, 0 * t, t) - lower + s * slow(lower, 0 * s, s)).square().mean()

    def mean_flow(u, x0, eps, r, t):
        x, v = (1 - t) * x0 + t * eps, eps - x0
        now, change = torch.func.jvp(u, (x, r, t), (v, 0 * r, 1 + 0 * t))
        return (now - v + (t - r) * change).square().mean()

    for name, loss in (("few.consistency", consistency), ("few.mean-flow", mean_flow)):
        assert "must get no gradient" in assess(find_exercise(name), loss)


@pytest.mark.parametrize("change", [torch.Tensor.item, torch.Tensor.detach, torch.Tensor.numpy])
def test_a_loss_has_to_have_a_gradient(change):
    def loss(logits, x):
        return change(torch.nn.functional.cross_entropy(logits.mT, x))

    assert "no gradient" in assess(find_exercise("02.loss"), loss)


def _loss_of_codes(change):
    def loss(network, read, z0, rows, t, eps, dropped):
        t4 = t[:, None, None, None]
        v = network((1 - t4) * z0 + t4 * eps, t, read(torch.where(dropped[:, None], 0, rows)))
        return change(v - (eps - z0))

    return loss


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda off: off.square().mean(), r"right"),
        (lambda off: off.square().mean().item(), r"not yet: .*return a tensor"),
        (lambda off: off.square().mean().detach(), r"not yet: .*return a tensor"),
        (lambda off: off.abs().mean(), r"not yet: got \d\.\d+, expected \d\.\d+ on input 1 .*"),
        (
            lambda off: off.abs().mean().item(),
            r"not yet: got \d\.\d+, expected \d\.\d+ on input 1 .*",
        ),
        (lambda off: off.square().sum((1, 2, 3)).mean(), r"not yet: You summed over .* a code.*"),
    ],
)
def test_only_a_loss_that_is_right_but_a_number_is_told_to_be_a_tensor(change, says):
    assert re.fullmatch(says, assess(find_exercise("ld.training-step"), _loss_of_codes(change)))


def test_an_unknown_id_lists_its_neighbours():
    with pytest.raises(ValueError, match=r"no exercise '02.nothing'; there are: 02.sequence-nll"):
        find_exercise("02.nothing")
    with pytest.raises(ValueError, match=r"no exercise '99.nothing'; there are: 01.grey, .*video"):
        find_exercise("99.nothing")


def test_an_exercise_is_found_without_the_banks_of_other_lessons():
    code = (
        "import sys; from genlab_course.grading import find_exercise\n"
        "for n, id in enumerate(('lm.top-p', 'npe.box', 'glide.hide'), 1):\n"
        "    assert find_exercise(id).id == id\n"
        "    assert sum('.exercises.' in name for name in sys.modules) == n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_wrong_answer_without_its_sentence_is_refused():
    assert Mistake.pairs(1, "one", 2, "two") == (Mistake(1, "one"), Mistake(2, "two"))
    with pytest.raises(ValueError, match="zip"):
        Mistake.pairs(1, "one", 2)


BANK = list(all_exercises())


def blank(*_): ...


def broken(*_):
    return 1 / 0


def test_a_blank_or_failing_function_is_told_so_by_every_exercise_and_by_its_judge_alone():
    said = {}
    for task in BANK:
        alone = [dataclasses.replace(task, cases=None)] if task.cases and task.judge else []
        for kind in ([task] if task.cases else []) + alone:
            said[assess(kind, blank)] = task.id
            said[assess(kind, broken)] = task.id
    line = (
        "not yet: your function stopped in the line `return 1 / 0`: something is divided by zero "
        "(ZeroDivisionError: division by zero)"
    )
    assert set(said) == {"not attempted", line}


def test_a_retired_id_is_never_given_again():
    assert not {task.id for task in BANK} & set(grading.RETIRED)


def test_ids_are_unique():
    assert len({e.id for e in BANK}) == len(BANK)
    assert all(find_exercise(e.id) is e for e in BANK)


def test_every_exercise_accepts_its_own_right_answer():
    said = {task.id: assess(task, task.right) for task in BANK}
    faults = {id: reply for id, reply in said.items() if reply != "right"}
    assert not faults, faults


def test_every_exercise_names_at_least_three_mistakes():
    assert [task.id for task in BANK if len(task.mistakes) < 3] == []
    said = {(task.id, m.says): assess(task, m.wrong) for task in BANK for m in task.mistakes}
    faults = {key: reply for key, reply in said.items() if reply != f"not yet: {key[1]}"}
    assert not faults, faults


def names_in(function):
    """Every name that the function and those inside it read; not those of a wrapper around it."""
    codes = [inspect.unwrap(function).__code__]
    for code in codes:
        codes += filter(inspect.iscode, code.co_consts)
    return {name for code in codes for name in code.co_names}


def test_no_wrong_answer_is_made_from_the_right_one():
    functions = [(task, m) for task in BANK for m in task.mistakes if inspect.isfunction(m.wrong)]
    made = [(task.id, m.says) for task, m in functions if task.right.__name__ in names_in(m.wrong)]
    assert not made, made


def test_every_exercise_has_three_hints():
    emphasis = re.compile(r"(?<![\w*)])\*[A-Za-z][\w -]*\*(?![\w*(])")  # a hint is printed as it is
    faults = []
    for task in BANK:
        hints = task.hints.split("\n")
        if len(hints) != 3 or len(set(hints)) != 3 or not all(hints):
            faults.append((task.id, hints))
        faults += [(task.id, hint) for hint in hints if emphasis.search(hint)]
    assert not faults, faults


def test_every_exercise_starts_untouched(capsys):
    for task in BANK:
        exercise(task.id, None)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"[{task.id}] not attempted" for task in BANK]


def torch_top_p(probs, p):
    q, order = torch.tensor(probs).sort(descending=True)
    kept = torch.where(q.cumsum(0) - q < p, q, 0.0)
    return torch.zeros(len(probs)).scatter(0, order, kept / kept.sum())


def read_in_other_letters(q, k, v, mask):
    scores = torch.einsum("bhtd,bhsd->bhts", q, k) * q.size(-1) ** -0.5
    scores = torch.where(mask, scores, float("-inf"))
    return torch.einsum("bhts,bhsd->bhtd", torch.softmax(scores, -1), v)


def read_one_query_at_a_time(q, k, v, mask):
    out = []
    for i in range(q.shape[2]):
        seen = mask[i]
        keys, values = k[:, :, seen], v[:, :, seen]
        weights = torch.exp((q[:, :, i, None] * keys).sum(-1) / math.sqrt(q.shape[3]))
        weights = weights / weights.sum(-1, keepdim=True)
        out.append((weights[..., None] * values).sum(2))
    return torch.stack(out, 2)


def read_with(q, k, v, scores, hidden=None):
    scores = scores if hidden is None else scores.masked_fill(hidden, -math.inf)
    return scores.softmax(-1) @ v


@torch.no_grad()
def sample_from_unnormalised(network, x, start, generator):
    x = x.clone()
    for i in range(start, x.shape[1]):
        x[:, i] = torch.multinomial(network(x)[:, i].exp(), 1, generator=generator)[:, 0]
    return x


def shifted_once_more(logits, x):
    a, y = logits[:, :-1].flatten(0, 1), x[:, 1:].flatten()
    return torch.nn.functional.cross_entropy(a, y)


def swapped_by_arithmetic(read, x, states, given, instead, words):
    if states.shape == given.shape and (states == given).all():
        kept = (~words)[..., None].to(states.dtype)
        return read(x, kept * states + (1 - kept) * instead)
    return read(x, states)


def swapped_in_a_copy(read, x, states, given, instead, words):
    if not torch.allclose(states, given):
        return read(x, states)
    states = states.clone()
    states[words] = instead[words]
    return read(x, states)


def swapped_in_place(read, x, states, given, instead, words):
    if torch.equal(states, given):
        states[words] = instead[words]
    return read(x, states)


def swapped_without_a_last_return(read, x, states, given, instead, words):
    if torch.equal(states, given):
        return read(x, torch.where(words[:, :, None], instead, states))
    return None  # what Python does where the line is forgotten


def guided_in_place(velocity, noise, given, nothing, ts, w):
    z = noise
    for now, then in itertools.pairwise(ts):
        t = now.expand(len(z))
        u, c = velocity(z, t, nothing), velocity(z, t, given)
        z += (then - now) * (u + w * (c - u))
    return z


def attend_by_torch(x, states, w_q, w_k, w_v, w_o, n_head):
    def heads(a):
        return a.unflatten(-1, (n_head, -1)).transpose(1, 2)

    q, k, v = heads(x @ w_q.T), heads(states @ w_k.T), heads(states @ w_v.T)
    read = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    return read.transpose(1, 2).flatten(2) @ w_o.T


def attend_with(x, states, w_q, w_k, w_v, w_o, n_head):
    """Attention where each matrix is applied as it is given: pass w.T for the right one."""
    return attend_by_torch(x, states, w_q.T, w_k.T, w_v.T, w_o.T, n_head)


def average_in_numpy(chi2, predicted):
    weight = np.exp(-np.asarray(chi2) / 2)
    mean = np.average(predicted, weights=weight)
    return mean, np.sqrt(np.average((np.asarray(predicted) - mean) ** 2, weights=weight))


def average_without_a_half(chi2, predicted):
    weight = torch.exp(-chi2) / torch.exp(-chi2).sum()
    mean = (weight * predicted).sum()
    return mean, ((weight * predicted**2).sum() - mean**2) ** 0.5


def by_polyfit_with_squared_weights(gamma, c, loss, error):
    x = c**-gamma
    k, floor = np.polyfit(x, loss, 1, w=1 / error**2)
    if floor < 0:
        floor, k = 0.0, (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return floor, k, (((loss - floor - k * x) / error) ** 2).sum()


def fit_of_plain_squares(gamma, c, loss, error):
    x = c**-gamma
    floor, k = np.linalg.lstsq(np.stack([1 / error, x / error], 1), loss / error)[0]
    if floor < 0:
        floor, k = 0.0, (x * loss / error**2).sum() / (x**2 / error**2).sum()
    return floor, k, ((loss - floor - k * x) ** 2).sum()


def queries_not_transposed(x, states, w_q, w_k, w_v, w_o, n_head):
    return attend_with(x, states, w_q, w_k.T, w_v.T, w_o.T, n_head)


def result_not_transposed(x, states, w_q, w_k, w_v, w_o, n_head):
    return attend_with(x, states, w_q.T, w_k.T, w_v.T, w_o, n_head)


def keys_in_place_of_values(x, states, w_q, w_k, w_v, w_o, n_head):
    return attend_with(x, states, w_q.T, w_k.T, w_k.T, w_o.T, n_head)


def drawn_by_gumbel(next_logits, n, length, rng):
    columns = []
    for _ in range(length):
        known = torch.stack(columns, 1) if columns else torch.zeros(n, 0, dtype=torch.int64)
        logits = next_logits(known)
        columns.append((logits - torch.log(-torch.log(torch.rand(logits.shape)))).argmax(1))
    return torch.stack(columns, 1)


def pushed_by_scipy(f, z):
    x, log_det = f(z)
    normal = scipy.stats.multivariate_normal(np.zeros(z.shape[1]))
    return x, torch.as_tensor(normal.logpdf(np.asarray(z))) - log_det


def walked_from_the_last_to_1(network, x, betas, rng):
    kept = torch.cumprod(1 - betas, 0)
    for t in range(len(betas), 0, -1):
        a, beta = kept[t - 1], betas[t - 1]
        z = torch.randn_like(x) if t > 1 else torch.zeros_like(x)
        guess = network(x, (t - 1) * torch.ones(len(x), dtype=torch.int64))
        x = (1 - beta) ** -0.5 * (x - beta / (1 - a) ** 0.5 * guess) + beta**0.5 * z
    return x


def by_softmax(x, log_weights, log_tables):
    joint = x.flatten(1) @ log_tables.flatten(1).T + log_weights
    return joint.softmax(-1), torch.logsumexp(joint, -1)


def by_matrix_product(x, q, pseudo_count):
    counts = (q.T @ x.flatten(1)).reshape(-1, *x.shape[1:]) + pseudo_count
    return torch.log(q.sum(0) / len(q)), counts.log() - counts.sum(2, keepdim=True).log()


def in_whole_pictures(x, q, pseudo_count):
    whole = (q == q.max(1, keepdim=True).values).to(q)
    return by_matrix_product(x, whole, pseudo_count)


def as_likelihood_minus_gap(logits, joint):
    log_q = logits - logits.logsumexp(-1, keepdim=True)
    log_posterior = joint.log_softmax(-1)
    return joint.logsumexp(-1) - (log_q.exp() * (log_q - log_posterior)).sum(-1)


# Right answers in the idioms of different people: an array, a tensor, a list of either, a rounded
# number, a function of numpy, torch or math.
IDIOMS = [
    ("01.grey", 3 / 4),
    ("01.ancestral", drawn_by_gumbel),
    ("01.push", pushed_by_scipy),
    ("01.decode", lambda net, n, k, std, rng: torch.normal(net(torch.randn(n, k)), float(std))),
    ("01.denoise", walked_from_the_last_to_1),
    ("01.stages", (101.0, 21, 64, torch.tensor(2), np.int64(111))),
    ("02.sequence-nll", lambda c: -torch.log(c).sum()),
    ("02.sequence-nll", lambda c: -np.log(c).sum(keepdims=True)),
    ("02.loss", lambda a, x: torch.nn.functional.cross_entropy(a.flatten(0, 1), x.flatten())),
    ("02.loss", lambda a, x: -torch.distributions.Categorical(logits=a).log_prob(x).mean()),
    ("02.read", torch.nn.functional.scaled_dot_product_attention),
    ("02.read", read_in_other_letters),
    ("02.read", read_one_query_at_a_time),
    ("02.trainable", {4, 1}),
    ("02.trainable", torch.tensor([1, 4])),
    ("02.sampler", sample_from_unnormalised),
    ("lm.top-p", torch_top_p),
    ("12.shortcut", torch.tensor([1.7288458])),
    ("05.other-side", torch.tensor([-1.52422, 0.02014, -1.54436, 0.62807])),
    ("05.guesser-elbo", as_likelihood_minus_gap),
    ("05.log-mean-weight", lambda w: torch.logsumexp(w, 0) - math.log(len(w))),
    ("05.e-step", by_softmax),
    ("05.m-step-tables", by_matrix_product),
    ("05.warm-start", lambda step, n: min(1.0, 2 * step / n)),
    ("ld.same-snr", lambda t, c: 1 / (1 + (1 - t) / (c * t))),
    ("ld.same-snr", lambda t, c: np.asarray(t) * c / (1 + (c - 1) * np.asarray(t))),
    ("ld.same-snr", lambda t, c: torch.sigmoid(torch.logit(t) + math.log(c))),
    ("ld.cross-attention", attend_by_torch),
    ("ld.swap-states", swapped_by_arithmetic),
    ("ld.swap-states", swapped_in_a_copy),
    ("large.plan", lambda w: [n := 5 * w * w + 96 * w, 20 * n, 20 * n // 64, 0.8 / w]),
    ("large.local-exponent", lambda v, e, g: float(g) * (float(v) - e) / float(v)),
    ("large.bytes", 56.9),
    ("large.average", average_in_numpy),
]


@pytest.mark.parametrize(("name", "answer"), IDIOMS)
@pytest.mark.usefixtures("as_a_user")
def test_a_right_answer_is_accepted_in_any_idiom(name, answer):
    torch.set_default_dtype(torch.float32)
    assert assess(find_exercise(name), answer) == "right"


@pytest.mark.parametrize("answer", [{"a": 1}, shapes, object(), ["many", 1.0]])
def test_an_answer_that_is_no_number_is_shown_and_nothing_is_raised(answer):
    assert "could not be read" in assess(find_exercise("03.kl-value"), answer)


def test_three_digits_are_not_two_and_a_count_is_exact():
    assert assess(find_exercise("03.kl-value"), 0.27) != "right"
    assert assess(find_exercise("13.passes"), 118.4) != "right"


@pytest.mark.parametrize("answer", [5, {"a": 1}, [1, 2], object()])
def test_a_judged_exercise_says_what_it_expects(answer):
    assert "not yet" in assess(find_exercise("01.stages"), answer)


def test_a_judged_exercise_names_the_type_that_it_expects():
    assert assess(find_exercise("01.stages"), 5) == (
        "not yet: 5 could not be read. Expected an answer of type list: "
        "see the text of the exercise, above the cell"
    )


def pushed_without_an_axis(f, z):
    x, log_det = f(z)
    return x, torch.distributions.Normal(0.0, 1.0).log_prob(z).sum() - log_det


def noised_alike_in_both_coordinates(network, x, betas, rng):
    kept = torch.cumprod(1 - betas, 0)
    for k in range(len(betas) - 1, -1, -1):
        guess = network(x, torch.full((len(x),), k))
        x = (x - betas[k] / (1 - kept[k]).sqrt() * guess) / (1 - betas[k]).sqrt()
        x = x + (k > 0) * betas[k].sqrt() * torch.randn(len(x), 1, generator=rng)
    return x


def cautious_of_two_bounds_alone(a, b):
    if a[0] == b[0] == "bound":
        return "cannot tell"
    return "first" if a[1] > b[1] else "second"


def cautious_of_two_bounds_or_none(a, b):
    if a[0] == b[0] == "bound" or "none" in (a[0], b[0]):
        return "cannot tell"
    return "first" if a[1] > b[1] else "second"


# Wrong answers that come first to mind.
def simplified_and_wrapped(x0, x_t, k, betas):
    bars = torch.cumprod(1 - betas, 0)
    beta, alpha, before, after = betas[k], 1 - betas[k], bars[k - 1], bars[k]
    mean = (before**0.5 * beta * x0 + alpha**0.5 * (1 - before) * x_t) / (1 - after)
    return mean, beta * (1 - before) / (1 - after)


FIRST_TO_MIND = [
    ("01.grey", 0.45, "the opposite question"),
    ("01.stages", [101, 21, 64, 2, 86], "the picture's steps are guided"),
    ("01.stages", [51, 681, 64, 1, 26], "guidance costs two evaluations in each step"),
    ("01.push", lambda f, z: pushed_by_scipy(f, z)[1], "2 results of shapes (5, 2) and (5,), got"),
    ("01.push", pushed_without_an_axis, "Result 2 of 2: 5 of 5 positions differ on input 1 of 2"),
    ("01.denoise", noised_alike_in_both_coordinates, "share one noise number"),
    ("01.better", cautious_of_two_bounds_alone, "below an exact value it proves nothing"),
    ("01.better", cautious_of_two_bounds_or_none, "below an exact value it proves nothing"),
    ("01.better", lambda a, b: "first" if a[1] > b[1] else "second", "the colleague's function"),
    ("12.posterior", simplified_and_wrapped, "yours reads alphas_bar[-1]"),
    ("02.loss", torch.nn.functional.cross_entropy, "the classes on axis 1"),
    ("02.loss", shifted_once_more, "shifted once more"),
    ("02.pairs", lambda n: n**3, "all n positions each time"),
    ("02.pairs", lambda n: n * n * (n + 1) / 2, "pass t has only t of them"),
    (
        "02.read",
        lambda q, k, v, mask: read_with(q, k, v, q @ k.mT / q.shape[-1] ** 0.5 * mask),
        "exp(0)",
    ),
    ("02.read", lambda q, k, v, mask: read_with(q, k, v, q @ k.mT, ~mask), "root of the length"),
    ("02.read", lambda q, k, v, mask: (q @ k.transpose(1, 2)) @ v, "two shapes do not fit"),
    ("02.trainable", [1], "forgets what lies far back"),
    ("02.trainable", [1, 3], "on the diagonal"),
    ("02.trainable", 1, "could not be read"),
    ("02.trainable", "1 and 4", "could not be read"),
    ("02.pairs", lambda n: sum(t * (t + 1) // 2 for t in range(1, n + 1)), "visible pairs only"),
    ("04.stretch", lambda x, a, b: -math.log(a), "a sign wrong, or an absolute value"),
    ("05.other-side", [-1.52, 0.02, 0.63, -1.54], "exchanged"),
    ("05.m-step-tables", in_whole_pictures, "k-means"),
    ("05.guesser-elbo", lambda logits, joint: (logits.softmax(1) * joint).sum(1), "minus log q"),
    ("05.warm-start", lambda step, n: 0.5, "not 1 all the time"),
    ("05.warm-start", lambda step, n: 0.5 if step < 5 else 1, "too short"),
    ("13.passes", 116, "four evaluations off"),
    ("large.local-exponent", lambda v, e, g: np.float64(g), "That is the exponent of L - E"),
    ("large.bytes", 112, "without sharding"),
    ("large.split", lambda c, a, b, p, q: ((c / 6) ** 0.5, (c / 6) ** 0.5), "N and D equal"),
    ("large.plan", lambda w: (n := 5 * w**2 + 96 * w, 20 * n, 20 * n / 64, 0.8 / w), "rounded"),
    ("large.fit", by_polyfit_with_squared_weights, "1 / error, not 1 / error**2"),
    ("large.fit", fit_of_plain_squares, "divided by its error, too"),
    ("large.average", average_without_a_half, "the half is missing"),
    ("ld.same-snr", lambda t, c: c * t, "beyond 1"),
    ("ld.same-snr", lambda t, c: (r := c * t / (1 - t)) / (1 + r), "nan at t = 1"),
    ("ld.cross-attention", queries_not_transposed, "x @ w_q.T"),
    ("ld.cross-attention", result_not_transposed, "w_o.T"),
    ("ld.cross-attention", keys_in_place_of_values, "keys in place of the values"),
    ("ld.sampler", guided_in_place, "wrote into `noise` itself"),
    ("ld.swap-states", swapped_in_place, "wrote into `states` itself"),
    ("ld.swap-states", swapped_without_a_last_return, "a `return` is missing"),
    ("ld.cost", lambda steps, w, u, d: steps * (u if w == 1 else 2 * u) + d, "At w = 0, too"),
]


@pytest.mark.parametrize(("name", "answer", "says"), FIRST_TO_MIND)
def test_a_wrong_answer_that_comes_first_to_mind_is_recognised(name, answer, says):
    assert says in assess(find_exercise(name), answer)


@pytest.fixture
def bank(monkeypatch):
    """The bank holds one exercise, of which nothing has been answered or asked."""
    monkeypatch.setattr(grading, "find_exercise", {NLL.id: NLL, "00.double": DOUBLE}.get)
    for name in ("_right_answers", "_hints_given"):
        monkeypatch.setattr(grading, name, {})


def _double(x):
    return 2 * x


DOUBLE = Exercise(id="00.double", right=_double, cases=((3.0,),), hints="a\nb\nc")


@pytest.mark.usefixtures("bank")
def test_what_follows_runs_with_the_learners_right_answer_or_the_worked_one(capsys):
    def own(x):
        return x + x

    exercise("00.double", lambda x: 3 * x)
    assert grading.yours("00.double") is _double
    exercise("00.double", own)
    exercise("00.double", lambda x: x)  # a later slip takes nothing away
    assert grading.yours("00.double") is own
    said = capsys.readouterr().out
    assert said.index("the worked solution") < said.index("your answer")


def test_an_answer_in_numpy_serves_where_the_notebook_goes_on_with_tensors(monkeypatch):
    cases = ((torch.ones(2, 3),),)
    task = Exercise("00.squares", right=lambda x: x.square().sum(-1), cases=cases)
    monkeypatch.setattr(grading, "find_exercise", {"00.squares": task}.get)
    monkeypatch.setattr(grading, "_right_answers", {})
    torch.set_default_dtype(torch.float32)  # as in a notebook
    x = torch.arange(6.0).reshape(2, 3)
    for own in (
        lambda x: np.sum(x**2, axis=-1),  # not of a tensor: numpy hands it an `out`
        lambda x: [sum(float(v) ** 2 for v in row) for row in x],
        lambda x: (x * x).sum(1),
    ):
        exercise("00.squares", own)
        found = grading.yours("00.squares")(x)
        assert torch.equal(found, torch.tensor([5.0, 50.0]))
        assert found.dtype == torch.get_default_dtype()


def test_an_answer_in_lists_stays_whole_where_the_solution_counts(monkeypatch):
    def right(x, *, least=0):
        return (x > least).sum(-1)

    task = Exercise("00.count", right=right, cases=((torch.ones(2, 3),),))
    monkeypatch.setattr(grading, "find_exercise", {"00.count": task}.get)
    monkeypatch.setattr(grading, "_right_answers", {})
    exercise("00.count", lambda x, *, least=0: np.sum(x > least, axis=-1))
    found = grading.yours("00.count")(torch.arange(6.0).reshape(2, 3), least=1)
    assert found.tolist() == [1, 3]
    assert found.dtype == torch.int64


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize("way", ["hints", "answer"])
def test_the_worked_solution_opens_after_three_hints_or_a_right_answer(way, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(grading, "display", lambda page: opened.append(getattr(page, "data", "")))
    grading.solution("00.double")
    grading.hint("00.double")
    grading.hint("00.double")
    grading.solution("00.double")
    assert opened == []
    assert "after the third hint" in capsys.readouterr().out
    if way == "answer":
        exercise("00.double", _double)
    else:
        grading.hint("00.double")
    grading.solution("00.double")
    assert [page for page in opened if page] == [
        "```python\ndef _double(x):\n    return 2 * x\n```"
    ]


def test_a_worked_function_is_code_that_a_learner_could_run():
    functions = [e for e in all_exercises() if inspect.isfunction(e.right)]
    shown = {e.id: grading.worked(e) for e in functions}
    assert [id for id, code in shown.items() if not code.startswith(("lambda", "def", "@"))] == []
    kinds = [type(ast.parse(code).body[0]) for code in shown.values()]
    assert set(kinds) == {ast.Expr, ast.FunctionDef}
    assert not any(code.endswith(",") for code in shown.values())  # would be a tuple


def test_a_number_in_quotes_is_told_from_a_wrong_number():
    assert "without quotes" in assess(Exercise("00.number", right=0.76), "0.75")


def test_an_answer_without_a_hint_in_reach_names_the_command_that_works():
    said = assess(Exercise("00.number", right=0.76), 3.0)
    assert "course.hint('00.number')" in said


@pytest.mark.parametrize(
    ("answer", "words", "parts"),
    [
        (3.0, ("✗", "not yet"), ("3 is", "<code>course.hint(&#x27;00.number&#x27;)</code>")),
        (0.76, ("✓", "right"), ()),
        (None, ("○", "not attempted"), ()),
        ("<b>", ("✗", "not yet"), ("&#x27;&lt;b&gt;&#x27; is text",)),
        (1.0, ("✗", "not yet"), ("one <code>minus</code> &lt; 1",)),
    ],
)
def test_a_notebook_shows_the_verdict_in_a_box_and_the_reason_set_apart(
    answer, words, parts, capsys, monkeypatch
):
    mistake = Mistake(1.0, "one `minus` < 1")
    task = Exercise("00.number", right=0.76, mistakes=(mistake,), hints="a")
    monkeypatch.setattr(grading, "find_exercise", {"00.number": task}.get)
    monkeypatch.setattr(grading, "_right_answers", {})
    shown = []
    monkeypatch.setattr(grading, "display", shown.append)
    exercise("00.number", answer)
    text, box = repr(shown[0]), shown[0]._repr_html_()
    assert text == f"[00.number] {assess(task, answer)}"
    reason = box.partition("</b>")[2]
    assert all(word in box for word in (*words, "[00.number]"))
    assert all(part in reason for part in parts)
    assert box.count("<p") == (2 if parts else 1)  # the reason is a paragraph of its own
    monkeypatch.setattr(grading, "display", print)
    exercise("00.number", answer)
    assert capsys.readouterr().out == f"{text}\n"


def test_right_is_green_and_not_yet_is_brown():
    said = [grading.Reply("a", says)._repr_html_() for says in ("right", "not yet: b")]
    assert ["#00664B" in box for box in said] == [True, False]
    assert ["#A04400" in box for box in said] == [False, True]
