r"""A mixture of categorical pixels: a latent with K values, so the likelihood is a short sum.

$$z \sim \pi, \qquad x_j \mid z \sim \mathrm{Categorical}(p_{zj}) \ \text{independently}, \qquad
\log p(x) = \log\sum_z \pi_z \prod_j p_{zj}(x_j)$$

The same model is here twice. `CategoricalMixture` sums over z and knows $\log p(x)$.
`AmortizedMixture` refuses the sum and lets a network guess z, as a VAE has to: it knows a bound.

Lesson: notebooks/05_latent_variables_and_elbo.ipynb
Source: Bishop, Pattern Recognition and Machine Learning, section 9.3.3 (for two levels).
"""

from collections.abc import Callable, Iterator
from typing import Generic, Literal, NamedTuple, TypeVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.core.tensors import PerExample, require_index, require_rows
from genlab.latent.elbo import LogJoint, discrete_elbo, log_marginal
from genlab.oracles import GaussianMixture, LinearLatent


def one_hot_levels(x: Int[Tensor, " n *event"], n_levels: int) -> Float[Tensor, " n dl"]:
    """Write each pixel as L numbers, 1 for its level and 0 elsewhere, all in one row an example.

    Args:
        x: integers in 0..L-1, `(n, *event)`.
        n_levels: L.

    Returns:
        `(n, D * L)`, torch's default dtype.

    Raises:
        ValueError: a level is outside 0..L-1.

    Example:
        >>> one_hot_levels(torch.tensor([[1, 0]]), n_levels=2)
        tensor([[0., 1., 1., 0.]])
    """
    require_index(n_levels, x=x)
    return F.one_hot(x, n_levels).flatten(1).to(torch.get_default_dtype())


@final
class CategoricalMixture(nn.Module):
    r"""K components, each a table of pixel probabilities; the likelihood by enumeration.

    Args:
        log_weights: $\log\pi_k$ up to a constant, `(k,)`.
        log_probs: $\log p_{kj\ell}$ up to a constant for each pixel, `(k, *event, levels)`.

    Raises:
        ValueError: the shapes do not fit.

    Example:
        >>> mixture = CategoricalMixture(torch.zeros(3), torch.zeros(3, 2, 5))
        >>> mixture.log_prob(torch.zeros(1, 2, dtype=torch.long)).exp()
        tensor([0.0400], grad_fn=<ExpBackward0>)

    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """

    def __init__(self, log_weights: Tensor, log_probs: Tensor) -> None:
        super().__init__()
        if log_weights.ndim != 1 or log_probs.ndim < 3 or len(log_probs) != len(log_weights):
            raise ValueError(
                f"CategoricalMixture: log_weights {tuple(log_weights.shape)} and log_probs "
                f"{tuple(log_probs.shape)}, expected (k,) and (k, *event, levels)"
            )
        self.event_shape: tuple[int, ...] = tuple(log_probs.shape[1:-1])
        self.n_levels = log_probs.shape[-1]
        self.log_weights = nn.Parameter(log_weights.detach().clone())
        self.log_probs = nn.Parameter(log_probs.detach().clone())

    def log_prior(self) -> Float[Tensor, " k"]:
        r"""Log-probability of each component, $\log\pi$, in nats."""
        return self.log_weights.log_softmax(0)

    def cond_log_prob(self, x: Int[Tensor, " n *event"]) -> LogJoint:
        r"""$\log p(x\mid z)$ for every z, `(n, k)`, summed over the pixels, in nats."""
        table = self.log_probs.log_softmax(-1).clamp_min(_LOG_ZERO).flatten(1)
        return one_hot_levels(x, self.n_levels).to(table) @ table.T

    def log_joint(self, x: Int[Tensor, " n *event"]) -> LogJoint:
        r"""$\log p(x, z)$ for every z, `(n, k)`, in nats."""
        return self.cond_log_prob(x) + self.log_prior()

    def log_prob(self, x: Int[Tensor, " n *event"]) -> PerExample:
        r"""Exact $\log p(x)$, `(n,)`, in nats."""
        return log_marginal(self.log_joint(x))

    def loss(
        self, x: Tensor, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Negative log-likelihood, mean over the batch, nats. `cond` must be None."""
        _refuse(cond)
        return -self.log_prob(x).mean()

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n *event"]:
        """Draw a component (or take `cond`, `(n,)`, as the choice), then each pixel by itself."""
        z = cond
        if z is None:
            z = torch.multinomial(self.log_prior().exp(), n, True, generator=generator)
        probs = self.log_probs.softmax(-1)[z].flatten(0, -2)
        return torch.multinomial(probs, 1, generator=generator).reshape(n, *self.event_shape)


@final
class AmortizedMixture(nn.Module):
    r"""The same mixture seen through a network that guesses z: a bound instead of a likelihood.

    $$\mathrm{ELBO}_\beta = \mathbb E_{q(z|x)}\log p(x\mid z)
      - \beta\,\mathrm{KL}\big(q(z\mid x)\,\|\,\pi\big)$$

    Args:
        mixture: the model.
        encoder: one-hot pixels `(n, D * L)` to `(n, k)` logits of $q(z\mid x)$.
        beta: weight of the divergence in `loss`; 1 for the bound. `elbo` always uses 1.

    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """

    def __init__(self, mixture: CategoricalMixture, encoder: nn.Module, beta: float = 1.0) -> None:
        super().__init__()
        self.mixture, self.encoder, self.beta = mixture, encoder, beta
        self.event_shape = mixture.event_shape

    def encode(self, x: Int[Tensor, " n *event"]) -> LogJoint:
        r"""Guess $q(z\mid x)$: probabilities, `(n, k)`."""
        logits: Tensor = self.encoder(one_hot_levels(x, self.mixture.n_levels))
        return logits.softmax(-1)

    def elbo(self, x: Tensor, *, generator: Generator | None = None) -> PerExample:
        """Bound on log p(x), `(n,)`, nats; the expectation over z is a sum, so nothing is drawn."""
        return discrete_elbo(self.encode(x), self.mixture.log_joint(x))

    def loss(
        self, x: Tensor, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, ""]:
        """Negative bound with the divergence weighted by beta, mean over the batch, nats."""
        _refuse(cond)
        q = self.encode(x)
        recon = (q * self.mixture.cond_log_prob(x)).sum(-1)
        return (self.beta * (recon - discrete_elbo(q, self.mixture.log_joint(x))) - recon).mean()

    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Int[Tensor, " n *event"]:
        """Draw from the mixture: the encoder plays no part in sampling."""
        return self.mixture.sample(n, cond=cond, generator=generator)


_LOG_ZERO = -1e4  # stands for log 0: 0 * log 0 must be 0 in a product with one-hot rows


def _refuse(cond: Tensor | None) -> None:
    if cond is not None:
        raise ValueError("the mixture is unconditional: cond must be None")


Q = TypeVar("Q")
M = TypeVar("M")


class HalfStep(NamedTuple, Generic[Q, M]):
    """Where the climb stands after one half of an iteration."""

    step: int  # 1, 2, ...: the iteration that this half belongs to
    half: Literal["E", "M"]  # which of the two was just improved
    q: Q  # the guess
    model: M  # the model


def gaussian_m_step(x: Float[Tensor, " n d"], q: Float[Tensor, " n k"]) -> GaussianMixture:
    r"""Best round Gaussian mixture for given responsibilities.

    $$N_k = \sum_i q_{ik}, \quad \pi_k = \frac{N_k}{n}, \quad
      m_k = \frac{1}{N_k}\sum_i q_{ik}x_i, \quad
      s_k^2 = \frac{1}{N_k d}\sum_i q_{ik}\lVert x_i - m_k\rVert^2$$

    Args:
        x: the data, `(n, d)`.
        q: responsibilities $q(z{=}k\mid x_i)$, `(n, k)`, rows sum to 1.

    Returns:
        The mixture. A component whose points coincide has no width: its likelihood has no maximum.

    Raises:
        ValueError: a component lost all its data, or its width is 0.

    Example:
        >>> import torch
        >>> x = torch.tensor([[-3.0], [-1.0], [2.0], [4.0]])
        >>> q = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> gaussian_m_step(x, q).means.flatten()
        tensor([-2.,  3.])

    Source: Bishop, Pattern Recognition and Machine Learning, eqs. 9.24 to 9.27, one variance for
    each component.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    count = q.sum(0)
    means = q.T @ x / count[:, None]
    squared = ((x[:, None] - means) ** 2).sum(-1)
    variances = (q * squared).sum(0) / (count * x.shape[1])
    return GaussianMixture(count / len(x), means, variances.sqrt())


def categorical_m_step(
    x: Int[Tensor, " n *event"],
    q: Float[Tensor, " n k"],
    *,
    n_levels: int,
    pseudo_count: float = 0.0,
) -> CategoricalMixture:
    r"""Best mixture of independent categorical pixels for given responsibilities.

    $$\pi_k = \frac{N_k}{n}, \qquad
      p_{kj\ell} = \frac{a + \sum_i q_{ik}\,[x_{ij} = \ell]}{La + N_k}$$

    Counting, with each example shared out among the components. A grey level that a pixel of a
    component never showed has probability 0 unless $a > 0$; then what the step maximises is the
    bound plus $a\sum_{kj\ell}\log p_{kj\ell}$.

    Args:
        x: integers in 0..L-1, `(n, *event)`.
        q: responsibilities, `(n, k)`, rows sum to 1.
        n_levels: L.
        pseudo_count: a, imaginary sightings of each level in each pixel of each component.

    Returns:
        The mixture.

    Raises:
        ValueError: a level is outside 0..L-1, or the pseudo-count is negative.

    Example:
        >>> import torch
        >>> x, q = torch.tensor([[0], [0], [1], [1]]), torch.full((4, 1), 1.0)
        >>> categorical_m_step(x, q, n_levels=2).log_prob(x).exp()
        tensor([0.5000, 0.5000, 0.5000, 0.5000], grad_fn=<ExpBackward0>)

    Source: Bishop, Pattern Recognition and Machine Learning, eqs. 9.59 and 9.60, for L levels.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    if not pseudo_count >= 0:
        raise ValueError(f"categorical_m_step: pseudo_count is {pseudo_count}, expected >= 0")
    seen = one_hot_levels(x, n_levels).to(q)
    counts = (q.T @ seen).reshape(q.shape[1], *x.shape[1:], n_levels) + pseudo_count
    log_probs = (counts / counts.sum(-1, keepdim=True)).log()
    return CategoricalMixture((q.mean(0)).log(), log_probs)


def em(
    model: M,
    e_step: Callable[[M], Q],
    m_step: Callable[[Q], M],
    *,
    n_steps: int,
) -> Iterator[HalfStep[Q, M]]:
    """Coordinate ascent on the bound; yields after *each half*, so that both can be watched.

    Args:
        model: where to start; EM only finds the top of the hill that it starts on.
        e_step: the best guess for a model, usually its exact posterior given the data.
        m_step: the best model for a guess.
        n_steps: iterations, each an E-step and an M-step.

    Yields:
        `HalfStep`, twice an iteration. After "E" the bound is tight; after "M" it has a gap again.

    Raises:
        ValueError: `n_steps` is not positive.

    Example:
        >>> halves = em(1.0, lambda m: m / 2, lambda q: q + 1, n_steps=2)
        >>> [(h.half, h.q, h.model) for h in halves]
        [('E', 0.5, 1.0), ('M', 0.5, 1.5), ('E', 0.75, 1.5), ('M', 0.75, 1.75)]

    Source: Neal and Hinton 1998, theorem 2.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    if n_steps < 1:
        raise ValueError(f"em: n_steps is {n_steps}, expected at least 1")

    def halves() -> Iterator[HalfStep[Q, M]]:
        current = model
        for step in range(1, n_steps + 1):
            q = e_step(current)
            yield HalfStep(step, "E", q, current)
            current = m_step(q)
            yield HalfStep(step, "M", q, current)

    return halves()


def ppca_elbo(
    model: LinearLatent,
    x: Float[Tensor, " b d"],
    mu: Float[Tensor, " b k"],
    cov: Float[Tensor, " k k"],
) -> PerExample:
    r"""The bound for $q(z\mid x_i) = \mathcal N(\mu_i, S)$ with a full covariance, no sampling.

    $$\log\mathcal N(x; W\mu_i + \mu, \sigma^2 I) - \frac{\operatorname{tr}(WSW^\top)}{2\sigma^2}
      - \mathrm{KL}\big(\mathcal N(\mu_i, S)\,\|\,\mathcal N(0, I)\big)$$

    Equal to $\log p(x)$ when $(\mu_i, S)$ is `model.posterior(x)`.

    Args:
        model: probabilistic PCA.
        x: examples, `(b, d)`.
        mu: means of q, `(b, k)`.
        cov: covariance S of q, shared by the examples, `(k, k)`, positive definite.

    Returns:
        `(b,)` nats.

    Example:
        >>> model = LinearLatent(torch.ones(2, 1), torch.zeros(2), std=1.0)
        >>> x = torch.zeros(1, 2)
        >>> ppca_elbo(model, x, *model.posterior(x)) - model.log_prob(x)
        tensor([0.])

    Source: Bishop, Pattern Recognition and Machine Learning, eq. 12.53, plus the entropy of q.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    spread = (model.weight @ cov @ model.weight.T).trace() / (2 * model.std**2)
    kl = 0.5 * ((mu**2).sum(1) + cov.trace() - len(cov) - torch.logdet(cov))
    return model.cond_log_prob(x, mu) - spread - kl


def ppca_m_step(
    x: Float[Tensor, " n d"],
    mu: Float[Tensor, " n k"],
    cov: Float[Tensor, " k k"],
    *,
    std: float | None = None,
) -> LinearLatent:
    r"""The model that maximises the mean bound while q is held fixed.

    $$[W\ \mu] = \Big[\sum_i x_i\, \mathbb E\tilde z_i^\top\Big]
      \Big[\sum_i \mathbb E\tilde z_i\tilde z_i^\top\Big]^{-1}, \qquad
      \sigma^2 = \frac{1}{nd}\sum_i\mathbb E\,\lVert x_i - Wz_i - \mu\rVert^2,
      \qquad \tilde z = (z, 1)$$

    A least-squares fit of x to a code that is only known up to its uncertainty S.

    Args:
        x: the data, `(n, d)`.
        mu: means of $q(z\mid x_i)$, `(n, k)`.
        cov: their common covariance S, `(k, k)`.
        std: hold the noise at this value instead of fitting it.

    Returns:
        The new model; the mean bound is never lower than before.

    Example:
        >>> z = torch.tensor([[-1.0], [1.0]])
        >>> ppca_m_step(torch.cat([2 * z, z], 1), z, 1e-6 * torch.eye(1)).weight.flatten()
        tensor([2.0000, 1.0000])

    Source: Bishop, Pattern Recognition and Machine Learning, eqs. 12.56 and 12.57, with the mean
    fitted together with W rather than before it.
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    require_rows(x=x, mu=mu)
    n, d = x.shape
    code = torch.cat([mu, torch.ones_like(mu[:, :1])], 1)
    second = code.T @ code
    second[:-1, :-1] += n * cov
    fit: Tensor = torch.linalg.solve(second, code.T @ x)
    weight, mean = fit[:-1].T, fit[-1]
    squares = ((x - code @ fit) ** 2).sum() + n * (weight @ cov @ weight.T).trace()
    return LinearLatent(weight, mean, float((squares / (n * d)).sqrt()) if std is None else std)


def ppca_ml(x: Float[Tensor, " n d"], n_latent: int, *, std: float | None = None) -> LinearLatent:
    r"""Maximum-likelihood model in one step, from the eigenvalues of the covariance.

    $$W = U_k(\Lambda_k - \sigma^2 I)_+^{1/2}, \qquad
      \sigma^2 = \frac{1}{d-k}\sum_{j>k}\lambda_j \ \text{ unless given}$$

    With the noise given, a direction with $\lambda_j \le \sigma^2$ gets a zero column: its
    latent is ignored, although the likelihood is at its maximum.

    Args:
        x: the data, `(n, d)`.
        n_latent: k, from 1 to d (to d - 1 when the noise is to be fitted).
        std: hold the noise at this value.

    Returns:
        The best model; W is unique up to a rotation of the latent, here with orthogonal columns.

    Raises:
        ValueError: `n_latent` out of range, or the data have no variance left for the noise.

    Example:
        >>> x = torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
        >>> model = ppca_ml(x, 1)
        >>> round(model.std**2, 4), model.marginal().cov
        (0.5, tensor([[2.0000, 0.0000],
                [0.0000, 0.5000]]))

    Source: Tipping and Bishop 1999, eqs. 7 and 8; PRML eqs. 12.45 and 12.46 (with R = I).
    Lesson: notebooks/05_latent_variables_and_elbo.ipynb
    """
    d = x.shape[1]
    if not 1 <= n_latent <= (d if std else d - 1):
        raise ValueError(f"ppca_ml: n_latent is {n_latent}, expected 1..{d if std else d - 1}")
    require_rows(x=x)
    mean = x.mean(0)
    values: Tensor
    vectors: Tensor
    values, vectors = torch.linalg.eigh((x - mean).T @ (x - mean) / len(x))
    noise = std**2 if std else float(values[: d - n_latent].mean())
    lengths = (values[d - n_latent :] - noise).clamp_min(0).sqrt()
    return LinearLatent((vectors[:, d - n_latent :] * lengths).flip(1), mean, noise**0.5)
