r"""What a painter is told: the states of a text, and where each pixel is.

$$\text{text} = \big(h_1, \dots, h_n, 0, \dots, 0;\ \tfrac1{\sqrt n}\textstyle\sum_j h_j\big)$$

Lesson: notebooks/systems/language_and_image.ipynb
Sources: Nichol et al. 2021 (arXiv:2112.10741), section 4 (a text by cross-attention and as one
    vector); Liu et al. 2018 (arXiv:1807.03247), section 3 (coordinates).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from genlab.nn.text_encoder import Text

from .caption_lm import IMAGE, LENGTH

States = Float[Tensor, " b t c"]


def waves(size: int, n: int) -> Float[Tensor, " c h w"]:
    r"""Pictures of where a pixel is: $\sin$ and $\cos$ of $\pi k u / 2$, $\pi k v / 2$.

    A convolution does the same everywhere, and so does a shift or a scale of whole channels: of
    itself the painter can turn "seven" into a colour or a contrast, and hardly into a shape. Beside
    these pictures it can say *here*, and learns what digits look like in a third of the time.

    Args:
        size: pixels on a side; $u, v \in (-1, 1)$ at their centres.
        n: waves in each direction, $k = 1, \dots, n$.

    Returns:
        `(4 n, size, size)`.

    Example:
        >>> waves(16, 2).shape
        torch.Size([8, 16, 16])

    Source: Liu et al. 2018 (arXiv:1807.03247), section 3 (coordinates beside the picture).
    """
    u = (torch.arange(size) + 0.5) * (2 / size) - 1
    angles = torch.pi / 2 * torch.arange(1, n + 1)[:, None] * u
    rows = torch.cat([angles.sin(), angles.cos()])
    across, down = rows[:, None].expand(-1, size, -1), rows[:, :, None].expand(-1, -1, size)
    return torch.cat([across, down])


def context(states: States, length: int = LENGTH, *, pooled: bool = True) -> Text:
    r"""What the painter reads: every state by cross-attention, their sum with the time, too.

    $$\sum_j \frac{e^{s_j}}{\sum_k e^{s_k} + n_0}\,v_j, \qquad s_j = q^\top k_j / \sqrt d$$

    Keys and values are linear in the states, so a zero state has score 0 and value 0: each of the
    $n_0$ of them takes a share of the attention and says nothing. The number of positions must
    therefore be that of the training, whatever the longest caption of a batch is.

    Args:
        states: zero where there is no word; at most `length` positions.
        length: positions that the painter sees.
        pooled: whether the states' sum (over the root of their number, so that its variance is
            that of one) is also added to the embedding of the time; without it all that the
            painter knows comes through cross-attention.

    Returns:
        The states, filled up with zeros, and their sum over the root of their number.

    Raises:
        ValueError: more positions than `length`.

    Source: Nichol et al. 2021 (arXiv:2112.10741), section 4: both ways in, at once.
    """
    if states.shape[1] > length:
        raise ValueError(f"{states.shape[1]} states, but the painter was trained with {length}")
    n = (states != 0).any(-1).sum(1, keepdim=True).clamp(min=1)
    whole = states.sum(1) / n.to(states.dtype).sqrt()
    filled = F.pad(states, (0, 0, 0, length - states.shape[1]))
    return Text(filled, whole if pooled else torch.zeros_like(whole))


def only_last(states: States, rows: Int[Tensor, " b t"]) -> States:
    """Keep the state of the image token, and set those of the words to zero.

    Args:
        states: of whole captions.
        rows: their tokens.

    Returns:
        Like `states`.
    """
    return states * (rows == IMAGE)[:, :, None]
