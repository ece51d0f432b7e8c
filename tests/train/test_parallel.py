"""Two processes take the steps of one with the joined batch; alone, nothing changes."""

import os
import pickle
import socket
from functools import partial

import processes
import pytest
import torch
from torch import nn

from genlab.train import fit, fit_adversarial, minibatches, parallel

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


class Line(nn.Module):
    """Least squares, with noise of a stated size added to the data."""

    def __init__(self, noise=0.0):
        super().__init__()
        torch.manual_seed(0)
        self.net, self.noise = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3)), noise

    def loss(self, x, *, generator=None):
        error = self.net(x) - x
        if self.noise:
            error = error + self.noise * torch.randn(x.shape, generator=generator)
        return error.square().sum(1).mean()


class Game(nn.Module):
    """A critic and a generator that repaints what it is shown: nothing random."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.critic, self.painter = nn.Linear(3, 1), nn.Linear(3, 3)

    def critic_loss(self, x, *, generator=None):
        fake = self.painter(x).detach()
        return (self.critic(fake) - self.critic(x)).mean() + self.critic.weight.square().sum()

    def generator_loss(self, x, *, generator=None):
        return -self.critic(self.painter(x)).mean()

    def critic_parameters(self):
        return self.critic.parameters()

    def generator_parameters(self):
        return self.painter.parameters()


def train(kind, noise=0.0, n_steps=6):
    """Train one of the two; return its losses and its weights."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(2))
    batches = minibatches(x, 6, generator=generator)
    if kind == "game":
        model = Game()
        run = fit_adversarial(model, batches, n_steps=n_steps, lr=0.05, generator=generator)
    else:
        model = Line(noise)
        # gradients are clipped after they have been averaged
        run = fit(model, batches, n_steps=n_steps, lr=0.05, clip=0.5, generator=generator)
    losses = [list(record.losses.values()) for record in run]
    return losses, {name: w.detach().numpy() for name, w in model.state_dict().items()}


@pytest.fixture
def in_processes(tmp_path):
    """Do `work()` in `n` processes that `torchrun` could have started; return their results."""

    def run(n, work):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]

        def one(rank):
            torch.set_num_threads(1)
            address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
            os.environ.update(address, RANK=str(rank), WORLD_SIZE=str(n), LOCAL_RANK=str(rank))
            with parallel.group():
                try:
                    result = work()
                except ValueError as error:
                    result = str(error)
                (tmp_path / str(rank)).write_bytes(pickle.dumps(result))

        children = [processes.start(partial(one, rank)) for rank in range(n)]
        assert [processes.wait(child) for child in children] == [0] * n
        return [pickle.loads((tmp_path / str(rank)).read_bytes()) for rank in range(n)]

    return run


@pytest.mark.parametrize("kind", ["loss", "game"])
@pytest.mark.parametrize("n", [2, 3])
def test_several_processes_take_the_steps_of_one(in_processes, kind, n):
    losses, weights = train(kind)
    for their_losses, their_weights in in_processes(n, lambda: train(kind)):
        # a sum in another order; Adam's first steps divide by the gradient and amplify rounding
        if kind == "loss":
            torch.testing.assert_close(their_losses, losses, rtol=1e-9, atol=1e-12)
        for name, weight in weights.items():
            torch.testing.assert_close(their_weights[name], weight, rtol=1e-9, atol=1e-12)


def test_processes_see_the_same_order_and_different_noise(in_processes):
    def look():
        batches = minibatches(torch.arange(8), 4, generator=(g := torch.Generator().manual_seed(3)))
        seen = []
        for _ in range(4):
            batch = next(batches)
            noise = parallel.own_noise(g)
            seen.append((batch.tolist(), parallel.share(batch).tolist(), noise.initial_seed(),
                         torch.rand(1).item()))  # fmt: skip
        return seen

    first, second = in_processes(2, look)
    for (whole, share1, seed1, global1), (again, share2, seed2, global2) in zip(
        first, second, strict=True
    ):
        assert whole == again
        assert sorted(share1 + share2) == sorted(whole)
        assert seed1 != seed2
        assert global1 != global2


def test_processes_end_with_the_same_weights_although_their_noise_differs(in_processes):
    (_, first), (_, second) = in_processes(2, lambda: train("loss", noise=0.3))
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], rtol=0, atol=0)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(in_processes):
    said = in_processes(2, lambda: parallel.share(torch.zeros(5, 1)))
    assert said == ["a batch of 5 cannot be shared evenly by 2 processes"] * 2


def test_pairs_are_shared_row_by_row(in_processes):
    def shares():
        x, cond = parallel.share((torch.arange(4), 10 * torch.arange(4)))
        return x.tolist(), cond.tolist()

    assert in_processes(2, shares) == [([0, 2], [0, 20]), ([1, 3], [10, 30])]


def test_the_first_process_gives_its_weights_to_all(in_processes):
    def weights():
        torch.manual_seed(parallel.rank())
        layer = nn.Linear(2, 2)
        parallel.agree(layer)
        return layer.weight.tolist()

    first, second = in_processes(2, weights)
    torch.manual_seed(0)
    assert first == second == nn.Linear(2, 2).weight.tolist()


def test_alone_there_is_one_process_with_all_rows_and_its_own_noise(generator):
    with parallel.group():
        x = torch.arange(5)
        assert (parallel.size(), parallel.rank()) == (1, 0)
        assert parallel.share(x) is x
        assert parallel.own_noise(generator) is generator
        parallel.average([x])
        assert x.tolist() == [0, 1, 2, 3, 4]
