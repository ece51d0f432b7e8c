"""Every valid call again on another device, with noise from the CPU: the same numbers, there."""

import contextlib
import copy
import dataclasses

import pytest
import torch
from elsewhere import GPU, Elsewhere
from torch import Tensor, nn

from genlab.autoregressive.speculative import SpeculativeLM, draft_from_ngram
from genlab.autoregressive.tokens import NGram
from genlab.data.scenes import compose
from genlab.systems.scene_evaluation import distorted, measure_ink, places
from tests.hostile import calls, models
from tests.hostile.test_public_functions import CALLED, PUBLIC, close, numbers

pytestmark = pytest.mark.usefixtures("as_a_user")

CANNOT = {  # what the pretence itself cannot do
    "adversarial.gan.power_iteration": "vector @ matrix is squeezed in place: a wrapper cannot",
    "score.consistency.mean_flow_loss": "forward-mode derivatives end the process on it",
}


@pytest.fixture(autouse=True)
def single_precision():
    """As in a notebook, and as the models were made."""
    torch.set_default_dtype(torch.float32)
    yield
    torch.set_default_dtype(torch.float64)


def moved(value):
    """The same value with each of its tensors on the other device."""
    if isinstance(value, Tensor):
        return value.to(GPU)
    if isinstance(value, nn.Module):
        return value.to(GPU)
    if dataclasses.is_dataclass(value):
        fields = {f.name: moved(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return dataclasses.replace(value, **fields)
    if isinstance(value, dict):
        return {key: moved(part) for key, part in value.items()}
    if isinstance(value, list):
        return [moved(part) for part in value]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(moved, value))
    return tuple(map(moved, value)) if isinstance(value, tuple) else value


def function_of(name, there):
    """A function, or a method of a model that is on the device where it is asked."""
    if name not in models.OWNERS:
        return PUBLIC[name]
    model, asked = models.OWNERS[name]
    model = copy.deepcopy(model)
    return getattr(moved(model) if there else model, asked)


def asked(name, there):
    arguments = calls.example(name, PUBLIC[name])
    torch.manual_seed(0)
    function = function_of(name, there)
    answer = function(**(moved(arguments) if there else arguments))
    return [x.here if hasattr(x, "here") else x for x in numbers(answer)]


@pytest.mark.parametrize("name", [n for n in CALLED if n not in CANNOT])
def test_a_valid_call_gives_the_same_numbers_on_another_device(name):
    expected = asked(name, there=False)
    with Elsewhere():
        found = asked(name, there=True)
    assert close(found, expected, 1e-5)


def drafted():
    counts = NGram(torch.tensor([0, 1, 2, 0, 1, 1, 2, 0]), 3, order=1)
    return SpeculativeLM(models.TransformerLM(3, 3, models.CONFIG), draft_from_ngram(counts), k=2)


MORE = {  # calls that hostile arguments are not made from: a model, how it is asked, what for
    "CategoricalVAE.mean_image": lambda there: moved_if(
        there, copy.deepcopy(models.models()["CategoricalVAE"][0])
    ).mean_image(moved_if(there, torch.ones(2, 2))),
    "SpeculativeLM.sample": lambda there: moved_if(there, drafted()).sample(
        3, generator=torch.Generator().manual_seed(0)
    ),
    "places": lambda there: places(moved_if(there, torch.arange(5))),
    "measure_ink": lambda there: measure_ink(
        moved_if(there, torch.rand(2, 3, 32, 32)), moved_if(there, torch.ones(2, 32, 32) > 0)
    ),
    "distorted": lambda there: distorted(
        moved_if(there, torch.rand(2, 1, 20, 20)), torch.Generator().manual_seed(0)
    ),
    "compose": lambda there: compose(
        *(moved_if(there, torch.rand(2, 20, 20)) for _ in range(2)),
        moved_if(there, torch.tensor([[1, 2, 4, 0, 0], [3, 1, 2, 7, 5]])),
        torch.Generator().manual_seed(0),
    ),
}


def moved_if(there, value):
    return moved(value) if there else value


@pytest.mark.parametrize("name", MORE)
def test_these_too_give_the_same_numbers_on_another_device(name):
    answers = []
    for there in (False, True):
        torch.manual_seed(0)
        with Elsewhere() if there else contextlib.nullcontext():
            found = numbers(MORE[name](there))
        answers.append([x.here if hasattr(x, "here") else x for x in found])
    assert close(*answers, 1e-5)
