"""The check at the public API: what it refuses, lets through, and must not touch."""

import copy
import inspect
import pickle
import re
import sys

import pytest
import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

from genlab.core import kl_diag_normal, last, normal_log_prob
from genlab.core.checked import checked
from genlab.core.tensors import Event, PerExample
from genlab.oracles import Gaussian
from genlab.score.diffusion import add_noise
from genlab.score.samplers import ddim_sample
from tests.hostile.calls import public

pytestmark = pytest.mark.usefixtures("as_a_user")


def refused(what):
    return pytest.raises(ValueError, match=re.escape(what))


@checked
def weighted(x: Event, weight: PerExample, label: Int[Tensor, " b"] | None = None) -> Event:
    return x


def test_a_named_dimension_has_one_size_over_all_arguments():
    weighted(torch.ones(4, 3), torch.ones(4))
    with refused("weighted: weight has shape (3,), expected (4,), since x has (4, 3)"):
        weighted(torch.ones(4, 3), torch.ones(3))
    with refused("label has shape (2,), expected (4,), since x has (4, 3) and weight has (4,)"):
        weighted(torch.ones(4, 3), weight=torch.ones(4), label=torch.arange(2))


def test_the_sentence_says_what_to_try():
    with refused("expected (4,), since x has (4, 3); try weight.squeeze(-1)"):
        weighted(torch.ones(4, 3), torch.ones(4, 1))
    with refused("try x[None]"):
        Gaussian(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(2))


def test_an_event_has_one_shape_over_all_arguments():
    wrong = "kl_diag_normal: log_var has shape (4, 3), expected (4, 1, 3), since mu has (4, 1, 3)"
    with refused(wrong):
        kl_diag_normal(torch.ones(4, 1, 3), torch.zeros(4, 3))


def test_a_model_knows_the_shape_of_its_events():
    wrong = "x has shape (4, 1), expected (b, 2), since the event_shape of the Gaussian is (2,)"
    with refused(wrong):
        Gaussian(torch.zeros(2), torch.eye(2)).log_prob(torch.zeros(4, 1))


@checked
def kinds(
    x: Float[Tensor, " n"], i: Int[Tensor, " n"], yes: Bool[Tensor, " n"], r: Real[Tensor, " n"]
) -> Tensor:
    return x


def test_kinds_of_numbers_are_those_of_the_annotation():
    whole, real, yes = torch.arange(3), torch.ones(3), torch.ones(3) > 0
    for any_real in (whole, real, whole.to(torch.uint8)):
        kinds(real, whole, yes, any_real)
    with refused("x holds torch.uint8, expected floating-point numbers: try x.float()"):
        kinds(whole.to(torch.uint8), whole, yes, real)
    with refused("x holds torch.bool"):
        kinds(yes, whole, yes, real)
    with refused("i holds torch.float64, expected whole numbers, int64: try i.long()"):
        kinds(real, real, yes, real)
    with refused("i holds torch.uint8"):  # as an index it would be a mask
        kinds(real, whole.to(torch.uint8), yes, real)
    with refused("yes holds torch.int64, expected true and false"):
        kinds(real, whole, whole, real)
    with refused("r holds torch.bool, expected numbers"):
        kinds(real, whole, yes, yes)


@checked
def shapes(
    x: Float[Tensor, " *b k k+1 2"], level: Float[Tensor, ""] | Float[Tensor, " *b"], n: int = 0
) -> Tensor:
    return x


def test_numbers_sums_and_alternatives_are_dimensions_too():
    shapes(torch.ones(5, 4, 3, 4, 2), torch.ones(()))
    shapes(torch.ones(5, 4, 3, 4, 2), torch.ones(5, 4))
    shapes(torch.ones(3, 4, 2), torch.ones(()))
    with refused("x has shape (3, 3, 2), expected (..., k, k+1, 2)"):
        shapes(torch.ones(3, 3, 2), torch.ones(()))
    with refused("x has shape (3, 4, 3)"):
        shapes(torch.ones(3, 4, 3), torch.ones(()))
    with refused("level has shape (4,), expected () or (5,), since x has (5, 3, 4, 2)"):
        shapes(torch.ones(5, 3, 4, 2), torch.ones(4))


@checked
def rows(n: int, cond: Int[Tensor, " {n}"] | None = None) -> Tensor:
    return torch.zeros(n)


def test_a_dimension_may_be_the_value_of_an_argument():
    rows(3), rows(3, torch.arange(3)), rows(n=3, cond=torch.arange(3))
    with refused("rows: cond has shape (2,), expected (3,)"):
        rows(3, torch.arange(2))


def test_what_is_no_tensor_is_left_to_the_function():
    assert normal_log_prob(torch.zeros(2, 3), 0.0, 1.0).shape == (2,)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        weighted(torch.ones(4, 3))
    with pytest.raises(TypeError, match="unexpected keyword"):
        weighted(torch.ones(4, 3), torch.ones(4), wieght=1)


def test_only_the_outermost_call_is_checked():
    @checked
    def outer(x: Event) -> Event:
        return weighted(x, torch.ones(99))

    outer(torch.ones(4, 3))
    with refused("weight has shape (99,)"):
        weighted(outer(torch.ones(4, 3)), torch.ones(99))


def test_an_error_within_opens_the_door_again():
    @checked
    def fails(x: Event) -> Event:
        raise KeyError("a mistake within")

    with pytest.raises(KeyError):
        fails(torch.ones(4, 3))
    with refused("weight has shape (3,)"):
        weighted(torch.ones(4, 3), torch.ones(3))


def test_a_sampler_is_checked_when_it_is_called_and_not_in_its_loop():
    table, steps = torch.linspace(0.9, 0.1, 5), torch.tensor([4, 2, 0])
    with refused("timesteps holds torch.float64"):
        ddim_sample(lambda x, t: x, torch.zeros(4, 3), steps.double(), alphas_bar=table)
    inside = []

    def model(x, t):
        inside.append(weighted(x, torch.ones(99)))
        return x

    for _ in ddim_sample(model, torch.zeros(4, 3), steps, alphas_bar=table):
        with refused("weight has shape (99,)"):  # the reader of a sampler is outside of it
            weighted(torch.ones(4, 3), torch.ones(99))
    assert len(inside) == 3


def test_a_sampler_that_is_left_early_is_closed():
    closed = []

    @checked
    def sampler(x: Event):
        try:
            yield x
            yield x
        finally:
            closed.append(True)

    states = sampler(torch.ones(4, 3))
    next(states)
    states.close()
    assert closed == [True]


def test_a_checked_function_reads_copies_and_pickles_as_itself():
    assert "return sum_event(0.5" in inspect.getsource(kl_diag_normal)
    assert list(inspect.signature(kl_diag_normal).parameters) == ["mu", "log_var"]
    assert kl_diag_normal.__doc__.startswith("KL of a normal")
    assert pickle.loads(pickle.dumps(kl_diag_normal)) is kl_diag_normal
    copied = copy.deepcopy(Gaussian(torch.zeros(2), torch.eye(2)))
    assert copied.log_prob(torch.zeros(4, 2)).shape == (4,)


def test_transforms_of_functions_go_through_the_door():
    x, log_var = torch.randn(4, 3), torch.randn(4, 3)
    by_rows = torch.func.vmap(lambda m, v: kl_diag_normal(m[None], v[None])[0])(x, log_var)
    torch.testing.assert_close(by_rows, kl_diag_normal(x, log_var))
    slope = torch.func.grad(lambda m: kl_diag_normal(m, log_var).sum())(x)
    torch.testing.assert_close(slope, x)  # d/dmu of mu^2 / 2
    _, change = torch.func.jvp(lambda m: kl_diag_normal(m, log_var), (x,), (x,))
    torch.testing.assert_close(change, (x**2).sum(1))


def test_a_compiled_function_is_one_graph():
    graphs = []

    def backend(graph, _):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(add_noise, backend=backend, fullgraph=True)
    x, one = torch.ones(4, 3), torch.ones(4)
    torch.testing.assert_close(compiled(x, one, one, x), 2 * x)
    assert len(graphs) == 1


def test_the_last_state_of_a_sampler_is_its_sample():
    @checked
    def halves(x: Event):
        for _ in range(3):
            x = x / 2
            yield x

    torch.testing.assert_close(last(halves(torch.ones(4, 3))), torch.ones(4, 3) / 8)


def test_every_module_of_the_kernels_that_reads_a_tensor_ends_with_its_check():
    reading = {
        function.__module__
        for function in public().values()
        if any(hasattr(a, "dim_str") for a in function.__annotations__.values())
    } - {"genlab.train.muon"}  # which a training step calls once a parameter
    assert len(reading) > 40
    for name in sorted(reading):
        source = inspect.getsource(sys.modules[name])
        assert source.endswith("\n\n\ncheck_public(__name__)\n"), name
