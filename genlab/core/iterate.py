r"""How a sampler that yields every state becomes a sample, or a film.

A sampler of this course is a generator: it yields the state after each step. One function
then serves the sample, the animation, the widget and the test:

$$x_T \to x_{T-1} \to \dots \to x_0, \qquad x_0 = \texttt{last(sampler(...))}.$$

Lesson: notebooks/01_four_paradigm_map.ipynb
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def last(iterable: Iterable[T]) -> T:
    r"""The final item: what a sampler samples.

    Args:
        iterable: any iterable with at least one item.

    Returns:
        Its last item.

    Raises:
        ValueError: the iterable is empty.

    Example:
        >>> last(x * x for x in range(4))
        9

    Lesson: notebooks/01_four_paradigm_map.ipynb
    """
    empty = True
    for item in iterable:
        empty, result = False, item
    if empty:
        raise ValueError("last: the iterable is empty, expected at least one item")
    return result


def every(k: int, iterable: Iterable[T]) -> Iterator[T]:
    r"""Items number 0, k, 2k, ... and always the final one: the frames of a film.

    Args:
        k: distance between two frames, at least 1.
        iterable: what to thin out.

    Yields:
        The chosen items, each once, in order.

    Raises:
        ValueError: `k` is less than 1.

    Example:
        >>> list(every(3, range(8)))
        [0, 3, 6, 7]

    Lesson: notebooks/01_four_paradigm_map.ipynb
    """
    if k < 1:
        raise ValueError(f"every: k is {k}, expected at least 1")
    return _every(k, iterable)


def _every(k: int, iterable: Iterable[T]) -> Iterator[T]:
    pending: list[T] = []
    for index, item in enumerate(iterable):
        pending = [] if index % k == 0 else [item]
        if index % k == 0:
            yield item
    yield from pending
