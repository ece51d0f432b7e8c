r"""Writing until a token says stop, and handing on the states in which the text was written.

$$h_{1:t} = \mathrm{body}(x_{1:t}), \qquad x_{t+1} \sim \mathrm{softmax}(W h_t), \qquad
\text{until } x_{t+1} = \text{stop}$$

The cache holds the past, so each token is read once. What another network wants to know of the
text is then there already: the states of the very pass that wrote it. The last token is *read*
too, though nothing is drawn after it: a state exists only once its token has gone through.

Lesson: notebooks/systems/language_and_image.ipynb
Sources: Koh, Fried and Salakhutdinov 2023 (arXiv:2305.17216), section 3.1 (an image token whose
    states condition a painter); Dong et al. 2023 (arXiv:2309.11499), section 3.1.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from genlab.core.guards import require_between

from .decoding import Reshape, draw, reshape_logits

Read = Callable[[Tensor, Any], tuple[Tensor, Any]]  # new tokens and cache to states and cache
Head = Callable[[Tensor], Tensor]  # states (b, c) to logits (b, k)


class Written(NamedTuple):
    """Texts on their way: what has been read so far, and where each text has ended."""

    tokens: Int[Tensor, " b t"]  # with padding after the token that stopped
    states: Float[Tensor, " b t c"]  # zero at the padding
    stopped: Bool[Tensor, " b"]  # whose last word has been said


def used(tokens: Int[Tensor, " b t"], stop: int) -> Bool[Tensor, " b t"]:
    """Whether each token belongs to its text: up to the first `stop`, that one included.

    Args:
        tokens: texts.
        stop: the token that ends one.

    Returns:
        True for the text, False for what fills up the row.

    Example:
        >>> used(torch.tensor([[5, 9, 0, 9], [1, 2, 3, 4]]), 9).int().tolist()
        [[1, 1, 0, 0], [1, 1, 1, 1]]
    """
    ended = (tokens == stop).cumsum(1)
    return ended - (tokens == stop).long() == 0


@torch.no_grad()
def write_until(
    read: Read,
    head: Head,
    prompt: Int[Tensor, " b t"],
    n_new: int,
    *,
    stop: int,
    pad: int = 0,
    reshape: Reshape = reshape_logits,
    generator: Generator | None = None,
) -> Iterator[Written]:
    r"""Continue texts until each has drawn `stop`, or has `n_new` more tokens.

    $$x_{t+1} \sim p(\cdot \mid x_{\le t}) \text{ if } x_t \ne \text{stop},
    \qquad x_{t+1} = \text{pad} \text{ afterwards}$$

    Args:
        read: a causal network with a cache, `read(new_tokens, cache) -> (states, cache)`.
        head: from states to logits of the next token.
        prompt: `(b, t)`, at least one token each, without `stop`.
        n_new: how many tokens may be added.
        stop: ends a text.
        pad: fills up the rows of texts that have ended.
        reshape: changes the logits before each draw.
        generator: source of the uniform numbers, one per new token and text, ended ones included,
            so that a text does not depend on when its neighbours end.

    Yields:
        What has been written after each new token, its state included; no more once all have ended.

    Raises:
        ValueError: no prompt, or one that has ended already.

    Example:
        >>> read = lambda x, cache: (torch.nn.functional.one_hot((x + 1) % 5, 5).float(), ())
        >>> for written in write_until(read, lambda h: 99 * h, torch.tensor([[1], [2]]), 9, stop=4):
        ...     print(written.tokens.tolist())
        [[1, 2], [2, 3]]
        [[1, 2, 3], [2, 3, 4]]
        [[1, 2, 3, 4], [2, 3, 4, 0]]

    Lesson: notebooks/systems/language_and_image.ipynb
    """
    if prompt.shape[1] == 0 or bool((prompt == stop).any()):
        raise ValueError("a prompt needs at least one token, and none that stops")
    require_between(0, math.inf, n_new=n_new)
    states, cache = read(prompt, ())
    tokens, stopped = prompt, torch.zeros(len(prompt), dtype=torch.bool, device=prompt.device)
    for _ in range(n_new):
        u = torch.rand(len(prompt), dtype=torch.float64, generator=generator).to(prompt.device)
        new = draw(reshape(head(states[:, -1])), u).masked_fill(stopped, pad)
        state, cache = read(new[:, None], cache)
        tokens = torch.cat([tokens, new[:, None]], 1)
        states = torch.cat([states, state.masked_fill(stopped[:, None, None], 0)], 1)
        stopped = stopped | (new == stop)
        yield Written(tokens, states, stopped)
        if bool(stopped.all()):
            return
