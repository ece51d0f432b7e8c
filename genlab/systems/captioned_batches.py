r"""Minibatches of captioned digits whose colours and words are drawn afresh at every step.

$$x = 2\,g\,c - 1, \qquad c \text{ uniform, each word about stroke and slant said or not}$$

5,000 grey digits give 30,000 pictures and, with words left out, several true captions each.

Lesson: notebooks/systems/glide.ipynb
Source: our own.
"""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.data.captioned import Attributes, paint
from genlab.data.captions import MAX_WORDS, encode, write


def captioned_batch(
    p_stroke: float, p_slant: float, generator: Generator
) -> Callable[[tuple[Tensor, Tensor]], tuple[Tensor, Tensor]]:
    """Fresh colours and fresh captions for a minibatch: the `change` of `minibatches`.

    Args:
        p_stroke: share of captions that say a word about the stroke, where there is one.
        p_slant: share that says a word about the slant.
        generator: of the minibatches, too.

    Returns:
        (grey digits `(b, s, s)`, attributes as columns `(b, 4)`) to (pictures in [-1, 1], rows of
        word numbers).

    Example:
        >>> from genlab.data.captioned import load_captioned
        >>> grey, attributes = load_captioned("test", 16)
        >>> change = captioned_batch(1.0, 1.0, torch.Generator().manual_seed(0))
        >>> x, rows = change((grey[:2], torch.stack(attributes, 1)[:2]))
        >>> x.shape, rows.shape
        (torch.Size([2, 3, 16, 16]), torch.Size([2, 6]))
    """
    table = _caption_table()

    def change(batch: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        grey, columns = batch
        digit, _, stroke, slant = columns.unbind(1)
        colour = torch.randint(6, (len(grey),), generator=generator)
        u = torch.rand(2, len(grey), generator=generator)
        stroke = torch.where(u[0] < p_stroke, stroke, 1)  # the middle third has no word
        slant = torch.where(u[1] < p_slant, slant, 3)
        return 2 * paint(grey, colour) - 1, table[digit, colour, stroke, slant]

    return change


def _caption_table() -> Int[Tensor, " 10 6 3 4 6"]:
    """Rows of all captions by digit, colour, stroke and slant, where slant 3 is "unsaid"."""
    parts = torch.cartesian_prod(*(torch.arange(n) for n in (10, 6, 3, 4))).unbind(1)
    said = parts[3] < 3
    shown = Attributes(parts[0], parts[1], parts[2], parts[3].clamp(max=2))
    captions = write(shown, say_slant=said)
    return encode(captions).reshape(10, 6, 3, 4, MAX_WORDS)
