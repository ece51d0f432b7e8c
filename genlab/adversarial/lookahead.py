r"""Steps for a game that look ahead, and therefore settle where plain gradient steps turn.

$$z_{k+1} = z_k + \eta\, v\big(z_k + \eta\, v(z_k)\big) \quad\text{(extragradient)}, \qquad
z_{k+1} = z_k + \eta\,\big(2\,v(z_k) - v(z_{k-1})\big) \quad\text{(optimistic)}$$

The second is the first with a field value saved: the last one stands in for the look ahead.

Lesson: notebooks/07_gans_minimax.ipynb
Sources: Korpelevich 1976, Matecon 12; Daskalakis et al. 2018 (arXiv:1711.00141), eq. 1.
"""

from collections.abc import Iterator

from .games import Field, State


def extragradient_step(z: State, *, field: Field, lr: float) -> State:
    r"""Look one step ahead, and step with the direction found there.

    $$z_{k+1} = z_k + \eta\, v\big(z_k + \eta\, v(z_k)\big)$$

    In the bilinear game the distance shrinks by $\sqrt{1 - \eta^2a^2 + \eta^4a^4}$, for
    $\eta a < 1$.

    Args:
        z: both players, `(*b, 2)`.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        Like `z`.

    Example:
        >>> import torch
        >>> from genlab.adversarial.games import bilinear_field
        >>> extragradient_step(torch.tensor([1.0, 0.0]), field=bilinear_field, lr=0.5)
        tensor([0.7500, 0.5000])

    Source: Korpelevich 1976, Matecon 12, the method of its title.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    return z + lr * field(z + lr * field(z))


def optimistic_step(z: State, v_before: State, *, field: Field, lr: float) -> tuple[State, State]:
    r"""Step along the direction extrapolated from the last one: one field value a step.

    $$z_{k+1} = z_k + \eta\,\big(2\,v(z_k) - v(z_{k-1})\big)$$

    Args:
        z: both players, `(*b, 2)`.
        v_before: $v(z_{k-1})$, like `z`; `field(z)` at the first step.
        field: directions of both players.
        lr: $\eta$.

    Returns:
        $z_{k+1}$ and $v(z_k)$.

    Example:
        >>> import torch
        >>> from genlab.adversarial.games import bilinear_field
        >>> z, v = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        >>> optimistic_step(z, v, field=bilinear_field, lr=0.5)
        (tensor([1.0000, 0.5000]), tensor([-0., 1.]))

    Source: Daskalakis et al. 2018 (arXiv:1711.00141), eq. 1.
    Lesson: notebooks/07_gans_minimax.ipynb
    """
    v = field(z)
    return z + lr * (2 * v - v_before), v


def play_optimistic(z: State, *, field: Field, lr: float, n_steps: int) -> Iterator[State]:
    """Yield the state after each optimistic step; the first one is a plain step.

    Args:
        z: where both players start, `(*b, 2)`.
        field: directions of both players.
        lr: learning rate.
        n_steps: how many.

    Yields:
        Like `z`.
    """
    v = field(z)
    for _ in range(n_steps):
        z, v = optimistic_step(z, v, field=field, lr=lr)
        yield z
