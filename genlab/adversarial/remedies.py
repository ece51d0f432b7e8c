r"""Other losses and inputs that were tried against lost modes.

$$\text{feature matching: } \big\lVert \mathbb E_p\,\phi(x) - \mathbb E_q\,\phi(x) \big\rVert^2,
\qquad \text{minibatch statistics: } x \mapsto (x, s), \quad
s_j = \text{standard deviation of } x_j \text{ over the batch}$$

The first gives the generator a target that does not run away; the second lets the critic see a
whole batch, so that a batch of copies looks wrong although each copy looks right.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Salimans et al. 2016 (arXiv:1606.03498), sections 3.1 and 3.2; Karras et al. 2018
(arXiv:1710.10196), section 3, for the simpler statistic used here.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn


def feature_matching_loss(
    real: Float[Tensor, " n d"], fake: Float[Tensor, " m d"]
) -> Float[Tensor, " d"]:
    r"""Squared difference of two mean features, one value for each feature.

    $$\big(\tfrac1n\textstyle\sum_i \phi_j(x_i) - \tfrac1m\sum_i \phi_j(G(z_i))\big)^2$$

    A statistic of whole batches: it has no value for a single example. Zero when the means agree,
    whatever else differs.

    Args:
        real: features of real examples.
        fake: features of generated ones.

    Returns:
        `(d,)`; sum it for the loss of the paper.

    Example:
        >>> feature_matching_loss(torch.tensor([[1.0], [3.0]]), torch.tensor([[5.0]]))
        tensor([9.])

    Source: Salimans et al. 2016 (arXiv:1606.03498), section 3.1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return (real.mean(0) - fake.mean(0)) ** 2


def with_spread(x: Float[Tensor, " b d"]) -> Float[Tensor, " b two_d"]:
    r"""Append to each example the standard deviation of every coordinate over the batch.

    $$x_i \mapsto (x_i, s), \qquad s_j^2 = \tfrac1b\sum_i (x_{ij} - \bar x_j)^2$$

    Args:
        x: a batch that is all real or all fake, never mixed.

    Returns:
        `(b, 2 d)`; every row ends with the same d numbers.

    Example:
        >>> with_spread(torch.tensor([[0.0], [2.0]]))
        tensor([[0., 1.],
                [2., 1.]])

    Source: Karras et al. 2018 (arXiv:1710.10196), section 3, before its average over features.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    spread = x.var(0, correction=0, keepdim=True).clamp_min(1e-12).sqrt()
    return torch.cat([x, spread.expand_as(x)], 1)


def append_spread(
    h: Float[Tensor, " b c h w"], *, hold: bool = False
) -> Float[Tensor, " b c1 h w"]:
    r"""Append one channel that says how much the examples of a batch differ.

    $$s = \frac{1}{chw}\sum_{jyx} \sqrt{\tfrac1b\textstyle\sum_i (h_{ijyx} - \bar h_{jyx})^2}$$

    A batch of copies has $s = 0$, and a critic that reads it sees the copies.

    Args:
        h: features of a batch that is all real or all fake.
        hold: whether gradients stop at s, so that each example's logit depends on itself alone.

    Returns:
        `(b, c + 1, h, w)`; the last channel is s everywhere.

    Example:
        >>> append_spread(torch.tensor([0.0, 2.0]).reshape(2, 1, 1, 1)).flatten(1)
        tensor([[0., 1.],
                [2., 1.]])

    Source: Karras et al. 2018 (arXiv:1710.10196), section 3.
    Lesson: notebooks/systems/stylegan.ipynb
    """
    source = h.detach() if hold else h
    s = source.var(0, correction=0).clamp_min(1e-8).sqrt().mean()
    return torch.cat([h, s.expand(len(h), 1, *h.shape[2:])], 1)


@final
class BatchAware(nn.Module):
    """A critic that sees each example together with the spread of its batch.

    Its logits are not a function of one example, so the $R_1$ penalty does not apply to it.

    Args:
        critic: `(b, 2 d) -> (b, 1)`.
    """

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, x: Float[Tensor, " b d"]) -> Float[Tensor, " b 1"]:
        """Logits of a batch that is all real or all fake."""
        out: Tensor = self.critic(with_spread(x))
        return out
