r"""MADE: one masked multi-layer perceptron that outputs all conditionals, in any order.

$$p(x) = \prod_{i=1}^d p\big(x_{\pi(i)} \mid x_{\pi(1)}, \dots, x_{\pi(i-1)}\big), \qquad
\text{logits} = \text{masked network}(x)$$

The oldest models of this family gave every conditional its own logistic regression (FVSBN) or its
own row of a shared hidden layer (NADE); MADE gets all of them from one ordinary network by striking
out connections.

Lesson: notebooks/02_autoregressive.ipynb
Sources: Germain et al. 2015 (arXiv:1502.03509); Larochelle and Murray 2011 (NADE, AISTATS);
    Gan, Henao, Carlson and Carin 2015 (FVSBN, AISTATS).
"""

from collections.abc import Sequence
from typing import final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.chain_rule import sequence_log_prob
from genlab.autoregressive.decoding import draw
from genlab.nn.masked import MaskedMLP


@final
class MADE(nn.Module):
    """Exact model of `d` discrete variables with `n_levels` ordered values each.

    Args:
        d: number of variables.
        n_levels: values of each variable, at least 2.
        order: `order[i]` is the rank at which variable i is visited; None: left to right.
        width: units of each hidden layer.
        depth: number of hidden layers.

    Example:
        >>> model = MADE(4, 2, order=[3, 2, 1, 0])
        >>> model.log_prob(torch.zeros(5, 4, dtype=torch.int64)).shape, model.sample(6).shape
        (torch.Size([5]), torch.Size([6, 4]))

    Source: Germain et al. 2015 (arXiv:1502.03509), section 4, with a softmax over the levels in
        place of a single logit.
    Lesson: notebooks/02_autoregressive.ipynb
    """

    def __init__(
        self,
        d: int,
        n_levels: int,
        *,
        order: Sequence[int] | None = None,
        width: int = 128,
        depth: int = 1,
    ) -> None:
        super().__init__()
        self.n_levels, self.event_shape = n_levels, (d,)
        self.order = list(range(d)) if order is None else list(order)
        self.net = MaskedMLP(d, n_levels, order=self.order, width=width, depth=depth)

    def logits(self, x: Int[Tensor, " b d"]) -> Float[Tensor, " b d k"]:
        """Logits of every variable, each computed from those visited before it."""
        dtype = next(self.net.parameters()).dtype
        out: Tensor = self.net(x.to(dtype) * (2 / (self.n_levels - 1)) - 1)
        return out

    def log_prob(self, x: Int[Tensor, " b d"]) -> Float[Tensor, " b"]:
        """Exact log-probability, `(b,)`, in nats."""
        return sequence_log_prob(self.logits(x), x)

    def loss(
        self,
        x: Int[Tensor, " b d"],
        *,
        cond: Tensor | None = None,
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Mean negative log-probability per variable, nats."""
        if cond is not None:
            raise ValueError("MADE.loss: cond is given, expected None")
        return -self.log_prob(x).mean() / x.shape[1]

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n d"]:
        """Draw `n` examples, one variable and one pass at a time."""
        if cond is not None:
            raise ValueError("MADE.sample: cond is given, expected None")
        x = torch.zeros(n, *self.event_shape, dtype=torch.int64)
        for i in sorted(range(len(self.order)), key=self.order.__getitem__):
            u = torch.rand(n, dtype=torch.float64, generator=generator)
            x[:, i] = draw(self.logits(x)[:, i], u)
        return x
