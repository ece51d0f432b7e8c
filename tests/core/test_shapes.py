import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError

from genlab.core.shapes import expand, mean_event, sum_event

event_shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)


@given(b=st.integers(1, 4), event=event_shapes)
@settings(deadline=None, max_examples=25)
def test_expand_multiplies_each_example_by_its_own_number(b, event):
    x = torch.ones(b, *event)
    a = torch.arange(1.0, b + 1)
    product = expand(a, x) * x
    assert product.shape == x.shape
    for i in range(b):
        assert bool((product[i] == i + 1).all())


def test_expand_lets_a_single_number_through():
    assert expand(torch.tensor(2.0), torch.ones(3, 4)).ndim == 0


@pytest.mark.parametrize("bad", [torch.ones(2), torch.ones(3, 1)])
def test_expand_refuses_a_length_that_is_not_the_number_of_examples(bad):
    with pytest.raises(ValueError, match="expand: a has shape"):
        expand(bad, torch.ones(3, 4))


@given(b=st.integers(1, 4), event=event_shapes)
@settings(deadline=None, max_examples=25)
def test_sum_is_mean_times_the_number_of_dimensions(b, event):
    x = torch.rand(b, *event)
    n_dims = x[0].numel()
    assert sum_event(x).shape == (b,)
    torch.testing.assert_close(sum_event(x), n_dims * mean_event(x))


def test_reductions_never_mix_examples():
    x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[10.0, 20.0], [30.0, 40.0]]])
    torch.testing.assert_close(sum_event(x), torch.tensor([10.0, 100.0]))
    torch.testing.assert_close(mean_event(x), torch.tensor([2.5, 25.0]))


@pytest.mark.parametrize("reduce", [sum_event, mean_event])
def test_reductions_refuse_a_number_without_examples(reduce):
    # the run-time type check of the tests may speak first
    with pytest.raises((ValueError, TypeCheckError)):
        reduce(torch.tensor(1.0))
