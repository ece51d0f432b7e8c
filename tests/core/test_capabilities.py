"""The kind of a likelihood is read from the methods, and what has none says what to do."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from genlab.core.capabilities import NoLikelihoodError, likelihood_kind, log_likelihood
from genlab.core.stats import std_normal_log_prob

ROOT = Path(__file__).parents[2]


class Normal:
    event_shape: tuple[int, ...] = (2,)

    def log_prob(self, x: Tensor) -> Tensor:
        return std_normal_log_prob(x)


class Bound:
    def elbo(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return std_normal_log_prob(x) - torch.rand(len(x), generator=generator)


class Both(Normal, Bound):
    """An exact likelihood outranks a bound."""


class Energy:
    def energy(self, x: Tensor) -> Tensor:
        return 0.5 * x.flatten(1).square().sum(1)


class Game:
    def discriminator_loss(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return x.mean()

    def generator_loss(self, x: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        return -x.mean()


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (Normal(), "exact"),
        (Both(), "exact"),
        (Bound(), "bound"),
        (Energy(), "unnormalised"),
        (Game(), "none"),
    ],
)
def test_the_kind_of_likelihood_is_read_from_the_methods(model, kind):
    assert likelihood_kind(model) == kind


@pytest.mark.parametrize(
    ("model", "advice"),
    [(Game(), r"Game has no likelihood.*genlab\.metrics"), (Energy(), "unknown constant log Z")],
)
def test_what_has_no_likelihood_is_refused_with_advice(model, advice):
    with pytest.raises(NoLikelihoodError, match=advice):
        log_likelihood(model, torch.zeros(1, 2))


def test_the_kind_travels_with_the_value_and_a_stochastic_bound_receives_the_generator():
    x = torch.zeros(3, 2)
    kind, values = log_likelihood(Normal(), x)
    assert kind == "exact"
    torch.testing.assert_close(values, std_normal_log_prob(x))
    first, second = (
        log_likelihood(Bound(), x, generator=torch.Generator().manual_seed(1)) for _ in range(2)
    )
    assert first[0] == "bound"
    assert torch.equal(first[1], second[1])


@pytest.mark.slow
@pytest.mark.verify
def test_asking_a_game_for_its_log_prob_does_not_type_check(tmp_path):
    pytest.importorskip("mypy")
    program = tmp_path / "program.py"
    program.write_text(
        "from torch import Tensor\n"
        "from genlab.core.capabilities import HasLogProb\n"
        "class Game:\n"
        "    def discriminator_loss(self, x: Tensor) -> Tensor: return x\n"
        "def score_with(model: HasLogProb) -> None: ...\n"
        "score_with(Game())\n"
        "Game().log_prob\n"
    )
    settings = ROOT / "pyproject.toml"  # those of `make types`, so that its cache serves here too
    command = [sys.executable, "-m", "mypy", f"--config-file={settings}", program]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False).stdout
    assert 'expected "HasLogProb"' in said
    assert '"Game" has no attribute "log_prob"' in said
