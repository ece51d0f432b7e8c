"""Masked diffusion of three tokens, where bound, distribution and price can be enumerated."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from genlab.core.capabilities import likelihood_kind
from genlab.core.stats import entropy, kl_categorical
from genlab.oracles.discrete import TokenTable, total_correlation
from genlab.score.masked import (
    MaskedDiffusion,
    PixelFiller,
    mask_count,
    masked_nll,
    masked_sample,
    turns_log_prob,
    unmask_step,
    within_budget,
)

N, V = 3, 3  # tokens, and values of each; the value V means hidden
MASK = V
ORDERS = list(itertools.permutations(range(N)))
SUBSETS = [torch.tensor(s, dtype=torch.bool) for s in itertools.product([False, True], repeat=N)]


@pytest.fixture
def data():
    p = torch.rand((V,) * N, generator=torch.Generator().manual_seed(3)) ** 3
    return TokenTable(p / p.sum())


@pytest.fixture
def exact(data):
    """The ideal network: conditionals of one joint distribution."""
    return lambda x: data.conditionals(x).log()


@pytest.fixture
def wild():
    """A network whose guesses are the conditionals of no joint distribution."""
    table = torch.randn((V + 1,) * N + (N, V), generator=torch.Generator().manual_seed(4))
    return lambda x: table[tuple(x.T)]


def states():
    return torch.cartesian_prod(*[torch.arange(V)] * N)


def turns(values):
    return torch.tensor(values).expand(V**N, N)


def order_log_probs(model):
    """Log-probability of every state in each of the six orders."""
    return torch.stack([turns_log_prob(model, states(), turns(o), mask=MASK) for o in ORDERS])


def sampler_distribution(model, n_steps):
    """Distribution of the sampler of K steps: every way to give three tokens their turns."""
    ways = list(itertools.product(range(n_steps), repeat=N))
    logs = torch.stack([turns_log_prob(model, states(), turns(w), mask=MASK) for w in ways])
    return logs.exp().mean(0), logs.mean(0)


def integrated_bound(model):
    """The bound, with the integral over t and the expectation over masks carried out."""
    nodes, weights = np.polynomial.legendre.leggauss(5)  # exact for polynomials of degree 9
    x, total = states(), torch.zeros(V**N)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        for hidden in SUBSETS:
            m = int(hidden.sum())
            where = hidden.expand(V**N, N)
            chance = node**m * (1 - node) ** (N - m)
            t = torch.full((V**N,), node)
            term = masked_nll(model(torch.where(where, MASK, x)), x, where, t)
            total = total + weight * chance * term
    return total


@pytest.mark.parametrize("which", ["exact", "wild"])
def test_the_bound_is_the_average_over_orders_of_an_autoregressive_model(which, request):
    model = request.getfixturevalue(which)
    torch.testing.assert_close(integrated_bound(model), -order_log_probs(model).mean(0))


def test_with_the_conditionals_of_one_joint_distribution_the_bound_is_tight(data, exact):
    torch.testing.assert_close(integrated_bound(exact), -data.log_prob(states()))


@pytest.mark.parametrize("which", ["exact", "wild"])
def test_hiding_a_random_count_has_the_same_bound_as_hiding_for_a_random_time(which, request):
    model = request.getfixturevalue(which)
    x, terms = states(), []
    for order in ORDERS:
        u = (torch.tensor(order) / N).expand(V**N, N)
        for m in range(1, N + 1):
            x_t = mask_count(x, torch.full((V**N,), m), u, mask=MASK)
            t = torch.full((V**N,), m / N)
            terms.append(masked_nll(model(x_t), x, x_t == MASK, t))
    torch.testing.assert_close(torch.stack(terms).mean(0), integrated_bound(model))


@pytest.mark.parametrize("n_steps", [1, 2, 5])
def test_samples_have_the_distribution_that_turns_give(wild, n_steps, generator):
    n = 60_000
    *_, x = masked_sample(wild, torch.full((n, N), MASK), n_steps, mask=MASK, generator=generator)
    found = torch.zeros((V,) * N).index_put_(tuple(x.T), torch.ones(()), accumulate=True) / n
    p, _ = sampler_distribution(wild, n_steps)
    torch.testing.assert_close(p.sum(), torch.tensor(1.0))
    assert bool(((found.flatten() - p).abs() < 5 * (p / n).sqrt() + 1e-9).all())


def test_the_price_falls_with_the_steps_and_ends_at_nothing(data, exact):
    p = data.joint.flatten()
    found = {k: sampler_distribution(exact, k) for k in (1, 2, 3, 6)}
    price = [float(kl_categorical(p, q)) for q, _ in found.values()]
    paid = [float(-(p * elbo).sum() - entropy(p)) for _, elbo in found.values()]  # on average
    assert price == sorted(price, reverse=True)
    assert paid == sorted(paid, reverse=True)
    assert all(a <= b + 1e-12 for a, b in zip(price, paid, strict=True))  # convexity
    assert price[-1] < 0.15 * price[0]
    one_by_one = order_log_probs(exact).exp().mean(0)
    torch.testing.assert_close(one_by_one, p)


def test_what_is_in_sight_is_left_alone(generator):
    x0 = torch.randint(V, (50, 7), generator=generator)
    u = torch.rand(x0.shape, generator=generator)
    x_t = mask_count(x0, torch.full((50,), 3), u, mask=MASK)
    assert torch.equal(x_t[x_t != MASK], x0[x_t != MASK])
    x_s = unmask_step(x_t, torch.randn(50, 7, V), u, u.flip(1), 0.5, 0.25, mask=MASK)
    assert torch.equal(x_s[x_t != MASK], x0[x_t != MASK])


def test_a_token_is_the_first_whose_cumulative_probability_exceeds_the_uniform():
    p = torch.tensor([0.2, 0.5, 0.3]).log().expand(6, 1, 3)
    u_what = torch.tensor([[0.0], [0.199], [0.201], [0.699], [0.701], [0.999]])
    hidden, when = torch.full((6, 1), MASK), torch.full((6, 1), 0.999)
    found = unmask_step(hidden, p, when, u_what, 1.0, 0.0, mask=MASK)
    assert found.flatten().tolist() == [0, 0, 1, 1, 2, 2]
    when = torch.tensor([0.0, 0.249, 0.251, 0.5, 0.9, 0.99])[:, None]  # (0.8 - 0.6) / 0.8 appear
    found = unmask_step(hidden, p, when, 0 * u_what, 0.8, 0.6, mask=MASK)
    assert (found != MASK).flatten().tolist() == [True, True, False, False, False, False]
    one = unmask_step(hidden, 0 * p[..., :1], 0 * when, u_what, 1.0, 0.0, mask=MASK)
    assert torch.equal(one, 0 * hidden)  # a single token needs no choice
    never = torch.tensor([-math.inf, 0.0, 0.0]).expand(6, 1, 3)  # not drawn by u = 0 either
    found = unmask_step(torch.full((6, 1), MASK), never, 0 * u_what, u_what, 1.0, 0.0, mask=MASK)
    assert found.flatten().tolist() == [1, 1, 1, 2, 2, 2]
    # probabilities whose sum is rounded below one: the largest uniform still draws a token
    logits = torch.randn(500, 1, 7)
    hidden = torch.full((500, 1), 7)
    largest = torch.full((500, 1), 1 - 2**-53)
    assert (unmask_step(hidden, logits, 0 * largest, largest, 1.0, 0.0, mask=7) < 7).all()


def test_a_sampler_takes_one_evaluation_a_step_and_keeps_what_it_is_given(exact, generator):
    calls = []
    start = torch.tensor([[1, MASK, MASK], [MASK, MASK, 2]])
    model = lambda x: calls.append(1) or exact(x)
    states_ = list(masked_sample(model, start, 4, mask=MASK, generator=generator))
    assert len(states_) == len(calls) == 4
    assert states_[-1][0, 0] == 1
    assert states_[-1][1, 2] == 2
    assert not bool((states_[-1] == MASK).any())


def test_tokens_that_appear_together_cost_at_most_the_budget(data):
    # all contexts of three tokens; the price is the total correlation of what appears
    x = torch.cartesian_prod(*[torch.arange(V + 1)] * N)
    x = x[(x == MASK).any(1)]
    for budget in (0.0, 0.4, 1.2, 9.0):
        chosen = within_budget(data.conditionals(x).log(), x == MASK, budget)
        assert bool((chosen.any(1) & ~(chosen & (x != MASK)).any(1)).all())
        for state, together in zip(x, chosen, strict=True):
            hidden = (state == MASK).nonzero()[:, 0].tolist()
            others = [a for a, i in enumerate(hidden) if not together[i]]
            assert float(total_correlation(data.given(state).sum(others))) <= budget + 1e-6
    alone, all_of_them = (
        within_budget(data.conditionals(x).log(), x == MASK, b).sum(1) for b in (0.0, 9.0)
    )
    assert torch.equal(alone, torch.ones_like(alone))
    assert torch.equal(all_of_them, (x == MASK).sum(1))


def test_the_surest_tokens_appear_first():
    logits = torch.tensor([[0.0, 0, 0], [3, 0, 0], [0, 9, 0], [50, 0, 0]]).expand(1, 4, 3)
    seen = torch.tensor([[False, True, True, True]])  # the first is in sight
    assert within_budget(logits, seen, 0.0).tolist() == [[False, False, False, True]]
    assert within_budget(logits, seen, 0.1).tolist() == [[False, True, True, True]]
    alike, hidden = torch.zeros(1, 4, 3), torch.ones(1, 4, dtype=torch.bool)  # log 3 = 1.10 each
    for budget, n in ((1.0, 1), (1.5, 2), (2.5, 3), (3.5, 4)):
        assert int(within_budget(alike, hidden, budget).sum()) == n
    sure = torch.tensor([[[0.0, -math.inf], [0, 0]]])
    assert bool(within_budget(sure, torch.ones(1, 2, dtype=torch.bool), 0.0).all())
    x, hidden = torch.randn(2, 6, 3), torch.rand(2, 6) > 0.3
    square = within_budget(x.view(2, 2, 3, 3), hidden.view(2, 2, 3), 1.5)
    assert torch.equal(square.flatten(1), within_budget(x, hidden, 1.5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda x, u: masked_nll(torch.zeros(2, N, V), x, x == 0, torch.tensor([0, 0.5])),
            "t hold",
        ),
        (lambda x, u: masked_nll(torch.zeros(2, N, V), x, x == 0, torch.tensor([0.5, 1.1])), "1.1"),
        (lambda x, u: mask_count(x, x[:, 0] + 1, u, mask=0), "mask is 0, which x0 holds"),
        (
            lambda x, u: mask_count(x + torch.eye(2, N).long(), x[:, 0], u, mask=1),
            "mask is 1, which",
        ),
        (lambda x, u: mask_count(x, x[:, 0] + 1, u / 0, mask=MASK), "u holds nan"),
        (lambda x, u: unmask_step(x, torch.zeros(2, N, V), u, u, 0.5, 0.1, mask=0), r"0\.\.2"),
        (lambda x, u: unmask_step(x, torch.zeros(2, N, V), u, u, 1.1, 0.5, mask=MASK), "t = 1.1"),
        (lambda x, u: unmask_step(x, torch.zeros(2, N, V), u, u, 0.5, -0.1, mask=MASK), "s = -0.1"),
        (lambda x, u: unmask_step(x, torch.zeros(2, N, V), u, u, 0.5, 0.1, mask=2), r"0\.\.2"),
        (lambda x, u: unmask_step(x, u[..., None] / 0, u, u, 0.5, 0.1, mask=MASK), "softmax"),
        (lambda x, u: within_budget(torch.zeros(2, N, V), x == 0, -0.1), "budget is -0.1"),
        (lambda x, u: turns_log_prob(torch.log, x, x - 1, mask=MASK), "turn holds -1"),
        (lambda x, u: unmask_step(x, torch.zeros(2, N, V), u, u, 0.5, 0.5, mask=MASK), "s < t"),
        (lambda x, u: next(masked_sample(torch.log, x, 0, mask=MASK)), "n_steps is 0"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(2, N, dtype=torch.long), torch.zeros(2, N))


# The model


class Oracle(nn.Module):
    """The ideal network as a module."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def forward(self, x):
        return self.data.conditionals(x).log()


@pytest.fixture
def model(data):
    return MaskedDiffusion(Oracle(data), event_shape=(N,), n_tokens=V, n_steps=2)


def test_the_random_bound_of_masked_diffusion_is_right_on_average(data, model, generator):
    # ideal network: the bound's expectation is log p itself
    assert likelihood_kind(model) == "bound"
    for state in ([0, 1, 2], [2, 2, 0]):
        x = torch.tensor(state).expand(6000, 3)
        terms = -model.nll_term(x, generator=generator)
        error = terms.mean() - data.log_prob(x[:1])[0]
        assert abs(float(error)) < 5 * float(terms.std()) / math.sqrt(6000)


def test_counts_are_spread_evenly_over_a_batch(generator):
    # a network that guesses nothing: a hidden token costs log 3, each term n log 3 whatever t is
    even = MaskedDiffusion(nn.Identity(), event_shape=(5,), n_tokens=3)
    seen = []
    even.filler.forward = lambda x: seen.append(x) or torch.zeros(*x.shape, 3)
    terms = even.nll_term(torch.zeros(20, 5, dtype=torch.long), generator=generator)
    torch.testing.assert_close(terms, torch.full((20,), 5 * math.log(3)))
    counts = (seen[0] == 3).sum(1)
    assert torch.bincount(counts, minlength=6).tolist() == [0, 4, 4, 4, 4, 4]


def test_the_loss_is_minus_the_bound_per_token_and_the_bound_averages_over_draws(data, model):
    x = data.sample(64, generator=torch.Generator().manual_seed(1))
    terms = model.nll_term(x, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(
        model.loss(x, generator=torch.Generator().manual_seed(2)), terms.mean() / 3
    )
    g = torch.Generator().manual_seed(0)
    many = -torch.stack([model.nll_term(x, generator=g) for _ in range(4)]).mean(0)
    torch.testing.assert_close(model.elbo(x, generator=torch.Generator().manual_seed(0)), many)


def test_samples_take_the_steps_of_the_model_unless_they_are_given_others():
    calls, filler = [], nn.Identity()
    filler.forward = lambda x: calls.append(len(x)) or torch.zeros(*x.shape, V)
    model = MaskedDiffusion(filler, event_shape=(2, N), n_tokens=V)
    assert model.sample(4).shape == (4, 2, N)
    assert calls == [4] * 16
    model.sample(4, n_steps=3)
    MaskedDiffusion(filler, event_shape=(N,), n_tokens=V, n_steps=5).sample(4)
    assert len(calls) == 16 + 3 + 5


def test_more_steps_are_nearer_to_the_distribution(data, model, generator):
    n, far = 20_000, []
    for n_steps in (1, 8):
        x = model.sample(n, n_steps=n_steps, generator=generator)
        found = torch.zeros(3, 3, 3).index_put_(tuple(x.T), torch.ones(()), accumulate=True) / n
        far.append(float((found - data.joint).abs().sum()) / 2)
    assert far[1] < 0.5 * far[0]


def test_a_network_for_pixels_reads_level_hidden_paper_and_how_much_is_hidden(generator):
    seen = []

    class Net(nn.Module):
        def forward(self, channels, fraction):
            seen[:] = channels, fraction
            return torch.arange(5.0)[:, None, None] + 10 * channels[:, :1]

    filler = PixelFiller(Net(), (1, 2, 2), 5)
    filler.offset.data[0, 1, 0] = torch.tensor([0.0, 0.0, 0.0, 0.0, 7.0])
    x = torch.tensor([[[[0, 1], [4, 5]]], [[[5, 5], [5, 3]]]])  # five levels; 5 is hidden
    logits, (channels, fraction) = filler(x), seen
    assert channels[0].tolist() == [[[-1, -0.5], [1, 0]], [[0, 0], [0, 1]], [[1, 0], [0, 0]]]
    assert fraction.tolist() == [0.25, 0.75]
    assert logits.shape == (2, 1, 2, 2, 5)
    torch.testing.assert_close(logits[0, 0, 0, 1], torch.arange(5.0) - 5)
    torch.testing.assert_close(logits[0, 0, 1, 0], torch.tensor([10.0, 11, 12, 13, 21]))
