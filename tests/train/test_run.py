"""A run says where it stands, and another run goes on from there, bit for bit."""

import io

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from genlab.train import Run, cosine, fit, fit_adversarial, minibatches

N_STEPS = 7


class Noisy(nn.Module):
    """Draws from both kinds of noise: its own generator's, and torch's global one (dropout)."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(5)
            self.net = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.4), nn.Linear(8, 3))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def loss(self, x, *, generator=None):
        self.seen += len(x)
        noise = torch.randn(x.shape, generator=generator)
        return (self.net(x + noise) - x).square().sum(1).mean()


class Game(nn.Module):
    """A critic and a generator of one layer each."""

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(6)
            self.critic = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
            self.painter = nn.Linear(2, 3)

    def _fake(self, n, generator):
        return self.painter(torch.randn(n, 2, generator=generator))

    def critic_loss(self, x, *, generator=None):
        return (self.critic(self._fake(len(x), generator).detach()) - self.critic(x)).mean()

    def generator_loss(self, x, *, generator=None):
        return -self.critic(self._fake(len(x), generator)).mean()

    def critic_parameters(self):
        return self.critic.parameters()

    def generator_parameters(self):
        return self.painter.parameters()


class Average:
    """An average of the weights, kept beside them."""

    def __init__(self, model):
        self.model, self.weights = model, [p.detach().clone() for p in model.parameters()]

    def update(self, _):
        for mean, p in zip(self.weights, self.model.parameters(), strict=True):
            mean.lerp_(p.detach(), 0.5)

    def state_dict(self):
        return dict(enumerate(self.weights))

    def load_state_dict(self, state_dict):
        self.weights = [w.clone() for w in state_dict.values()]


def start(kind):
    """A new run of one kind, and the tensors that it changes."""
    torch.manual_seed(1)
    noise, order = torch.Generator().manual_seed(2), torch.Generator().manual_seed(4)
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(3))
    batches = minibatches(x, 4, generator=order)
    if kind == "game":
        model = Game()
        run = fit_adversarial(model, batches, n_steps=N_STEPS, n_critic=2, generator=noise)
        return run, lambda: model.state_dict()
    model = Noisy()
    average = Average(model)
    run = fit(
        model, batches, n_steps=N_STEPS, lr=cosine(0.1, N_STEPS), generator=noise, clip=1.0,
        weight_decay=0.1, after=average.update, keep={"average": average},
    )  # fmt: skip
    return run, lambda: {
        **model.state_dict(),
        "average": torch.cat([*map(torch.flatten, average.weights)]),
    }


def on_disk(state):
    """The state after a way through a file."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize("kind", ["loss", "game"])
@given(stop=st.integers(0, N_STEPS))
def test_a_run_taken_up_again_ends_where_an_uninterrupted_one_ends(kind, stop):
    whole, weights = start(kind)
    expected_records, expected = list(whole), weights()
    first, _ = start(kind)
    records = [next(first) for _ in range(stop)]
    state = on_disk(first.state_dict())
    second, weights = start(kind)
    torch.manual_seed(99)  # another process has other noise
    second.load_state_dict(state)
    records += list(second)
    assert records == expected_records
    for name, weight in weights().items():
        torch.testing.assert_close(weight, expected[name], rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["loss", "game"])
def test_what_is_stored_does_not_move_with_the_run(kind):
    run, _ = start(kind)
    next(run), next(run)
    state = run.state_dict()
    expected = list(run)
    run.load_state_dict(state)
    assert list(run) == expected


def test_the_hooks_see_every_step_and_the_end_once():
    seen = []
    run = fit(
        Noisy(), minibatches(torch.zeros(4, 3), 4), n_steps=2,
        before=lambda k: seen.append(("before", k)), after=lambda k: seen.append(("after", k)),
        finish=lambda: seen.append("end"),
    )  # fmt: skip
    assert seen == []  # nothing happens until the records are consumed
    assert len(list(run)) == 2
    assert list(run) == []
    assert seen == [("before", 0), ("after", 1), ("before", 1), ("after", 2), "end"]


def test_a_run_ends_with_its_batches():
    ended = []
    run = fit(Noisy(), [torch.zeros(4, 3)] * 3, n_steps=9, finish=lambda: ended.append(1))
    assert len(list(run)) == 3
    assert ended == [1]


def test_batches_without_a_place_are_refused_when_it_is_asked_for():
    run = fit(Noisy(), (torch.zeros(4, 3) for _ in range(3)), n_steps=3)
    with pytest.raises(ValueError, match="batches cannot be taken up again"):
        run.state_dict()


def test_the_state_of_another_kind_of_run_is_refused():
    game, _ = start("game")
    run, _ = start("loss")
    with pytest.raises(ValueError, match="not this run's"):
        run.load_state_dict(game.state_dict())


def test_a_run_knows_how_far_it_is():
    run, _ = start("loss")
    assert isinstance(run, Run)
    assert (run.step, run.n_steps) == (0, N_STEPS)
    next(run)
    assert run.step == 1
