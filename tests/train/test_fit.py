"""Batches, rates, averages, and runs that go on where they were stored."""

import io
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from genlab.train import EMA, Hooks, cosine, fit, fit_adversarial, minibatches
from genlab.train.fit import keep_freed_memory


@pytest.mark.parametrize("size", [0, 9])
def test_a_batch_that_the_data_cannot_fill_is_refused(size):
    with pytest.raises(ValueError, match=f"got {size}"):
        minibatches(torch.zeros(8, 2), size)


def test_an_epoch_shows_every_example_once(generator):
    batches = minibatches(torch.arange(12), 4, generator=generator)
    for _ in range(3):
        epoch = torch.cat([next(batches) for _ in range(3)])
        assert sorted(epoch.tolist()) == list(range(12))


def test_examples_keep_their_conditions(generator):
    x = torch.arange(12)
    batches = minibatches(x, 4, cond=10 * x, generator=generator)
    for _ in range(5):
        batch, cond = next(batches)
        assert torch.equal(cond, 10 * batch)


def test_a_place_in_other_data_is_refused(generator):
    batches = minibatches(torch.arange(6), 2, generator=generator)
    next(batches)
    with pytest.raises(ValueError, match="of 6 examples, not of 7"):
        minibatches(torch.arange(7), 2).load_state_dict(batches.state_dict())


def test_the_rate_warms_up_is_held_and_falls_to_zero_along_a_cosine():
    rate = cosine(0.5, 100, hold=20)
    assert [rate(step) for step in (0, 19, 20)] == [0.5, 0.5, 0.5]
    assert rate(70) == pytest.approx(0.25)  # half of the fall
    assert rate(21) < 0.5
    assert rate(120) == rate(500) == pytest.approx(0.0)
    assert cosine(1.0, 100, warmup=10)(0) == pytest.approx(0.1)


def number(value):
    """A module with one weight."""
    net = nn.Linear(1, 1, bias=False)
    nn.init.constant_(net.weight, value)
    return net


def test_average_is_the_geometrically_weighted_sum_of_the_past():
    decay, values = 0.8, [1.0, -2.0, 0.5, 3.0, 7.0, -1.0]
    ema = EMA(number(4.0), decay)
    for value in values:
        ema.update(number(value))
    # Unroll the recursion: each value's weight is (1 - d_k) times the later shares kept.
    keeps = [min(decay, (1 + k) / (10 + k)) for k in range(len(values))]
    expected = 4.0 * math.prod(keeps)
    for k, value in enumerate(values):
        expected += (1 - keeps[k]) * math.prod(keeps[k + 1 :]) * value
    assert abs(ema.average.weight.item() - expected) < 1e-12


def test_a_tied_weight_is_averaged_once():
    """Its two names in the state are one tensor: moving it twice would forget twice as fast."""
    pair = nn.ModuleList([number(0.0), number(0.0)])
    pair[1].weight = pair[0].weight
    ema = EMA(pair, 0.5)
    nn.init.ones_(pair[0].weight)
    ema.update(pair)
    assert abs(ema.average[1].weight.item() - 0.9) < 1e-12  # the first update keeps a tenth


class Mean(nn.Module):
    """Learns the mean of its data: the loss has its minimum there."""

    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.zeros(2))

    def loss(self, x, *, cond=None, generator=None):
        return (x - self.m if cond is None else x - cond - self.m).square().sum(1).mean()


class Bilinear(nn.Module):
    """Critic w, generator v, value w * v: a game whose only solution is (0, 0)."""

    def __init__(self):
        super().__init__()
        self.w, self.v = nn.Parameter(torch.ones(1)), nn.Parameter(torch.ones(1))

    def discriminator_loss(self, x, *, generator=None):
        return (-self.w * self.v.detach()).sum()

    def generator_loss(self, x, *, generator=None):
        return (self.w.detach() * self.v).sum()

    def discriminator_parameters(self):
        return [self.w]

    def generator_parameters(self):
        return [self.v]


def test_fit_reaches_the_minimum(generator):
    x = torch.randn(256, 2, generator=generator) + torch.tensor([1.0, -2.0])
    model = Mean()
    batches = minibatches(x, 256, generator=generator)
    records = list(fit(model, batches, n_steps=500, lr=cosine(0.1, 500)))
    torch.testing.assert_close(model.m.data, x.mean(0), atol=1e-3, rtol=0)  # Adam near its optimum
    assert records[-1].loss < records[0].loss
    assert [r.step for r in records] == list(range(1, 501))


def test_conditions_reach_the_loss(generator):
    x, cond = torch.zeros(64, 2), torch.ones(64, 2)
    model = Mean()
    batches = minibatches(x, 64, cond=cond, generator=generator)
    for _ in fit(model, batches, n_steps=400, lr=cosine(0.1, 400)):
        pass
    torch.testing.assert_close(model.m.data, -torch.ones(2), atol=1e-2, rtol=0)


def test_the_gradient_norm_is_recorded_before_clipping(generator):
    model = Mean()
    batches = minibatches(torch.full((8, 2), 100.0), 8, generator=generator)
    record = next(fit(model, batches, n_steps=1, clip=1.0))
    expected = 200 * 2**0.5  # gradient of |100 - m|^2 at m = 0, two coordinates
    assert record.grad_norm == pytest.approx(expected)


def test_an_exploding_loss_stops_with_advice(generator):
    model = Mean()
    batches = minibatches(torch.full((8, 2), float("inf")), 8, generator=generator)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        list(fit(model, batches, n_steps=1))


@pytest.mark.parametrize(
    ("lr", "w", "v"),
    [((0.1, 0.0), 1.1, 1.0), ((0.0, 0.1), 1.0, 0.9)],  # Adam's first step is the learning rate
    ids=["discriminator", "generator"],
)
def test_each_player_moves_only_its_own_parameters(lr, w, v, generator):
    model = Bilinear()
    batches = minibatches(torch.zeros(4, 1), 4, generator=generator)
    record = next(fit_adversarial(model, batches, n_steps=1, lr=lr))
    assert (model.w.item(), model.v.item()) == pytest.approx((w, v))
    assert set(record.losses) == {"discriminator", "generator"}


def test_the_critic_takes_its_extra_steps(generator):
    model = Bilinear()
    batches = minibatches(torch.zeros(4, 1), 4, generator=generator)
    list(fit_adversarial(model, batches, n_steps=1, n_critic=3, lr=(0.1, 0.0)))
    assert model.w.item() == pytest.approx(1.3, abs=1e-6)  # constant gradient: Adam steps by lr


def test_each_player_may_have_a_rate_that_changes(generator):
    """Constant gradient: the steps of the critic's Adam are its rates, 0.3 and then 0.1."""
    model = Bilinear()
    batches = minibatches(torch.zeros(4, 1), 4, generator=generator)
    rates = (lambda step: 0.3 - 0.2 * step, lambda step: 0.0)
    list(fit_adversarial(model, batches, n_steps=2, lr=rates))
    assert (model.w.item(), model.v.item()) == pytest.approx((1.4, 1.0), abs=1e-6)


def test_players_that_share_parameters_are_refused():
    model = Bilinear()
    model.v = model.w
    with pytest.raises(ValueError, match="share parameters"):
        fit_adversarial(model, [], n_steps=1)


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
            self.generator_net = nn.Linear(2, 3)

    def _fake(self, n, generator):
        return self.generator_net(torch.randn(n, 2, generator=generator))

    def discriminator_loss(self, x, *, generator=None):
        return (self.critic(self._fake(len(x), generator).detach()) - self.critic(x)).mean()

    def generator_loss(self, x, *, generator=None):
        return -self.critic(self._fake(len(x), generator)).mean()

    def discriminator_parameters(self):
        return self.critic.parameters()

    def generator_parameters(self):
        return self.generator_net.parameters()


def start(kind):
    """A new run of one kind, and its model, which ends with averaged weights."""
    torch.manual_seed(1)
    noise, order = torch.Generator().manual_seed(2), torch.Generator().manual_seed(4)
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(3))
    batches = minibatches(x, 4, generator=order)
    options = {"n_steps": N_STEPS, "generator": noise, "average": 0.5}
    if kind == "game":
        model = Game()
        return fit_adversarial(model, batches, n_critic=2, **options), model
    model, rate = Noisy(), cosine(0.1, N_STEPS)
    return fit(model, batches, lr=rate, clip=1.0, weight_decay=0.1, **options), model


def on_disk(state):
    """The state after a way through a file."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=True)


@pytest.mark.parametrize("kind", ["loss", "game"])
@given(stop=st.integers(0, N_STEPS))
def test_a_run_taken_up_again_ends_where_an_uninterrupted_one_ends(kind, stop):
    whole, expected = start(kind)
    expected_records = list(whole)
    first, _ = start(kind)
    records = [next(first) for _ in range(stop)]
    state = on_disk(first.state_dict())
    second, model = start(kind)
    torch.manual_seed(99)  # another process has other noise
    second.load_state_dict(state)
    records += list(second)
    assert records == expected_records
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(weight, expected.state_dict()[name], rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["loss", "game"])
def test_what_is_stored_does_not_move_with_the_run(kind):
    run, _ = start(kind)
    next(run), next(run)
    state = run.state_dict()
    expected = [next(run) for _ in range(3)]
    run.load_state_dict(state)
    assert [next(run) for _ in range(3)] == expected


@pytest.mark.parametrize("kind", ["loss", "game"])
def test_a_run_ends_with_the_average_of_the_weights_in_evaluation_mode(kind):
    run, model = start(kind)
    part = model if kind == "loss" else model.generator_net
    mean = torch.cat([p.detach().flatten() for p in part.parameters()])
    for k, _ in enumerate(run):
        assert part.training
        now = torch.cat([p.detach().flatten() for p in part.parameters()])
        keep = min(0.5, (1 + k) / (10 + k))
        mean = keep * mean + (1 - keep) * now
    assert not part.training
    found = torch.cat([p.detach().flatten() for p in part.parameters()])
    torch.testing.assert_close(found, mean)
    assert not torch.equal(found, now)


def test_the_hooks_see_every_step_and_the_end_once():
    seen = []
    run = fit(
        Noisy(), minibatches(torch.zeros(4, 3), 4), n_steps=2,
        hooks=Hooks(
            before=lambda k: seen.append(("before", k)),
            after=lambda k: seen.append(("after", k)),
            finish=lambda: seen.append("end"),
        ),
    )  # fmt: skip
    assert seen == []  # nothing happens until the records are consumed
    assert len(list(run)) == 2
    assert list(run) == []
    assert seen == [("before", 0), ("after", 1), ("before", 1), ("after", 2), "end"]


def test_batches_without_a_place_are_refused_when_it_is_asked_for():
    run = fit(Noisy(), (torch.zeros(4, 3) for _ in range(3)), n_steps=3)
    with pytest.raises(ValueError, match="batches cannot be resumed"):
        run.state_dict()


@pytest.mark.parametrize("decay", [-0.1, 1.0, 1.5])
def test_a_decay_that_forgets_nothing_or_grows_is_refused(decay):
    with pytest.raises(ValueError, match=r"decay must lie in \[0, 1\)"):
        EMA(torch.nn.Linear(1, 1), decay)


@pytest.mark.parametrize("counts", [{"n_steps": 0}, {"n_steps": 1, "n_critic": 0}])
def test_a_game_without_steps_is_refused(counts):
    with pytest.raises(ValueError, match="is 0, expected at least 1"):
        fit_adversarial(object(), iter(()), lr=0.1, **counts)


@pytest.mark.parametrize("refused", [None, -1, -3])
def test_512_mib_of_freed_memory_are_kept_in_blocks_of_32_where_the_c_library_agrees(
    refused, monkeypatch
):
    """M_TRIM_THRESHOLD is -1 and M_MMAP_THRESHOLD -3 in <malloc.h>; mallopt returns 1, or 0."""
    asked = {}

    class Glibc:
        def mallopt(self, name, value):
            asked[name] = value
            return int(name != refused)

    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr("ctypes.CDLL", lambda name: Glibc())
    assert keep_freed_memory() is (refused is None)
    assert refused or asked == {-1: 512 * 1024**2, -3: 32 * 1024**2}
    monkeypatch.setattr("platform.libc_ver", lambda: ("", ""))
    assert keep_freed_memory() is False


def test_the_rate_rises_by_equal_steps_and_wrong_lengths_are_refused():
    warm, plain = cosine(1.0, 100, warmup=10), cosine(1.0, 100)
    shares = [warm(step) / plain(step) for step in range(12)]
    assert shares == pytest.approx([*(k / 10 for k in range(1, 11)), 1.0, 1.0])
    assert cosine(0.5, 1)(0) == 0.5
    for sizes in ({"n_steps": 0}, {"n_steps": 1, "hold": -1}):
        with pytest.raises(ValueError, match="expected at least"):
            cosine(0.5, **sizes)


def test_counters_are_copied_and_the_average_is_for_use_only():
    net = nn.BatchNorm1d(2)
    ema = EMA(net, 0.9)
    net(torch.randn(4, 2))
    net(torch.randn(4, 2))
    ema.update(net)
    assert ema.average.num_batches_tracked == 2
    assert not ema.average.training
    assert not any(p.requires_grad for p in ema.average.parameters())
    other = nn.BatchNorm1d(2)
    ema.copy_to(other)
    torch.testing.assert_close(other.running_mean, ema.average.running_mean)


class Slope(nn.Module):
    """A weight that starts at 1 and costs its value."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))

    def loss(self, x, *, generator=None):
        return self.w.sum()


def test_by_default_the_rate_is_a_thousandth_and_nothing_decays():
    model, game = Slope(), Bilinear()
    (record,) = fit(model, [torch.zeros(1)], n_steps=1)
    assert 1 - model.w.item() == pytest.approx(1e-3)  # Adam's first step is the learning rate
    (played,) = fit_adversarial(game, [torch.zeros(1)], n_steps=1)
    assert (game.w.item(), game.v.item()) == pytest.approx((1.001, 0.999))
    assert record.step == played.step == 1


def test_a_clipped_step_has_the_length_of_the_clip():
    model, data = Mean(), [torch.tensor([[3.0, 4.0]])]
    plain = torch.optim.SGD(model.parameters())
    (record,) = fit(model, data, n_steps=1, lr=0.1, clip=2.0, optimizer=plain)
    assert record.grad_norm == pytest.approx(10.0)
    torch.testing.assert_close(
        model.m.data, 0.1 * 2.0 * torch.tensor([0.6, 0.8]), rtol=1e-5, atol=0
    )
    with pytest.raises(ValueError, match="n_steps is 0, expected at least 1"):
        fit(model, data, n_steps=0)


def test_the_betas_of_both_optimisers_are_those_of_the_papers():
    """Adam with betas of 0.5 (Radford et al. 2016) and 0.9 (Gulrajani et al. 2017)."""
    game, w, v = Bilinear(), *(nn.Parameter(torch.ones(1)) for _ in "wv")
    adam = {p: torch.optim.Adam([p], lr=0.3, betas=(0.5, 0.9)) for p in (w, v)}
    for _ in range(6):
        for p, loss in ((w, lambda: -w * v.detach()), (v, lambda: w.detach() * v)):
            adam[p].zero_grad()
            loss().sum().backward()
            adam[p].step()
    list(fit_adversarial(game, [torch.zeros(1)] * 6, n_steps=6, lr=0.3))
    assert (game.w.item(), game.v.item()) == pytest.approx((w.item(), v.item()))


@pytest.mark.parametrize("loop", [fit, fit_adversarial])
def test_a_mistyped_argument_is_answered_where_it_was_typed(loop):
    # not by Run.__init__(), of which nobody has heard; a watched function does not say its name
    said = rf"^({loop.__name__}\(\) )?got an unexpected keyword argument 'avergae'"
    with pytest.raises(TypeError, match=said):
        loop(Noisy(), minibatches(torch.zeros(4, 3), 4), n_steps=2, avergae=0.9)
