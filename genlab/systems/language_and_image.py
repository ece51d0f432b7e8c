r"""Language and image: one causal model writes, its hidden states tell a painter what to draw.

$$p(w, x) = \underbrace{\prod_i p(w_i \mid w_{<i})}_{\text{exact}}\;
\underbrace{p\big(x \mid h(w)\big)}_{\text{a bound}}, \qquad
h_i = \text{state of the model after word } i$$

The words never reach the painter. It sees, by cross-attention, the states in which the language
model wrote them, the image token's last; their sum also joins the embedding of the time.
Training minimises $-\log p(w)$, the weighted noise error of the picture, and for reading
$-\log p(w \mid x)$; the painter's gradient runs through the states into the language model, unless
`joint` is False.

Lesson: notebooks/systems/language_and_image.ipynb
Sources: Koh, Fried and Salakhutdinov 2023 (arXiv:2305.17216), section 3; Dong et al. 2023
    (arXiv:2309.11499), eq. 5 (painter's gradient into the language model).
"""

from collections.abc import Sequence
from typing import NamedTuple, final

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.decoding import Reshape, reshape_logits
from genlab.autoregressive.until import Written
from genlab.core import last
from genlab.core.rng import randn
from genlab.nn.text_encoder import Text
from genlab.score.discretized import Bins
from genlab.score.edm import edm_sigmas
from genlab.score.schedules import posterior_variances
from genlab.score.vlb import ddpm_vlb

from .caption_lm import END, IMAGE, CaptionLM, rows_of, words_of
from .captioned_painter import CaptionedPainter
from .told import context, only_last, waves

GREY = Bins(width=2 / 1020, low=-1.0, high=1.0)  # means of four grey levels, scaled to [-1, 1]
GUIDED_ABOVE = 0.5  # noise level below which the painter is not guided
FINEST = 0.1  # least noise of the chain that is bounded; below, the network is not trained to see
FAINT = 0.05  # of full colour: less than that is paper
States = Float[Tensor, " b t c"]


class Drawn(NamedTuple):
    """Completed captions and what was painted of them."""

    captions: list[str]  # without the image token
    images: Float[Tensor, " b 3 16 16"]  # in [-1, 1]; paper where no image token was written
    written: Written  # tokens, the states that were painted from, and who wrote the image token


def on_paper(x: Float[Tensor, " b 3 h w"]) -> Float[Tensor, " b 3 h w"]:
    """Cut to [-1, 1], and make paper of pixels whose strongest channel is under 5 % of full.

    A denoiser leaves a residue of a percent or two. The strongest of three channels of residue is
    never negative, and over a whole picture it adds up to a tenth of the ink of a digit.

    Args:
        x: what the sampler ends with.

    Returns:
        Like `x`.

    Example:
        >>> on_paper(torch.tensor([-1.1, -0.97, 1.2]).reshape(3, 1, 1, 1).expand(3, 3, 1, 1))[:, 0]
        tensor([[[-1.]],
        <BLANKLINE>
                [[-1.]],
        <BLANKLINE>
                [[ 1.]]])
    """
    faint = x.amax(1, keepdim=True) < 2 * FAINT - 1
    return x.clamp(-1, 1).masked_fill(faint, -1.0)


@final
class LanguageAndImage(nn.Module):
    """A language model, a painter that reads its states, and one loss.

    Args:
        lm: writes and reads.
        painter: without a reader of its own, as wide as the language model's states.
        weight: of the picture's loss beside the nats of the text.
        p_alone: share of the rows in training in which the painter sees the last state only.
        p_cross: share in which it is told nothing but by cross-attention.
        joint: whether the painter's gradient reaches the language model.
        n_waves: of the pictures of places that the painter sees beside its own.

    Source: Koh, Fried and Salakhutdinov 2023 (arXiv:2305.17216), section 3, with one picture token
        and every state shown to the painter.
    Lesson: notebooks/systems/language_and_image.ipynb
    """

    def __init__(
        self,
        lm: CaptionLM,
        painter: CaptionedPainter,
        *,
        weight: float = 1.0,
        p_alone: float = 0.1,
        p_cross: float = 0.25,
        joint: bool = True,
        n_waves: int = 2,
    ) -> None:
        super().__init__()
        self.lm, self.painter, self.event_shape = lm, painter, painter.event_shape
        self.weight, self.joint = weight, joint
        self.p_alone, self.p_cross = p_alone, p_cross
        self.where: Tensor
        self.register_buffer("where", waves(painter.event_shape[-1], n_waves), persistent=False)

    def beside(self, n: int) -> Float[Tensor, " n c 16 16"]:
        """What the painter sees beside each of `n` pictures: see `waves`."""
        return self.where.expand(n, -1, -1, -1)

    def loss(
        self,
        x: Float[Tensor, " b 3 16 16"],
        *,
        cond: Int[Tensor, " b w"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        r"""$-\log p(w) - \log p(w\mid x) + \lambda\,\ell(x\mid h(w))$, mean over the batch.

        Args:
            x: pictures in [-1, 1].
            cond: their captions as word numbers.
            generator: noise of the painter, and which rows are told less.
        """
        rows = rows_of(cond)
        states, log_p = self.lm.states_and_log_probs(rows)
        n = (len(x) + 1) // 2  # reading costs as much as painting: half of the rows will do
        read = self.lm.log_prob_given(x[:n], rows_of(cond[:n], END))
        text = context(states if self.joint else states.detach())
        if self.training:
            u = torch.rand(2, len(x), 1, generator=generator).to(x.device)
            alone, unpooled = u[0] < self.p_alone, u[1] < self.p_cross
            last_one = context(only_last(text.states, rows))
            words = torch.where(alone[:, :, None], last_one.states, text.states)
            whole = torch.where(alone, last_one.pooled, text.pooled)
            text = Text(words, whole.masked_fill(unpooled, 0))
        picture = self.painter.loss(x, cond=text, beside=self.beside(len(x)), generator=generator)
        return self.weight * picture - log_p.sum(1).mean() - read.mean()

    @torch.no_grad()
    def paint(
        self,
        told: States | Text,
        *,
        guidance_scale: float = 3.0,
        guided_above: float = GUIDED_ABOVE,
        n_steps: int = 10,
        generator: Generator | None = None,
    ) -> Float[Tensor, " b 3 16 16"]:
        r"""Draw one picture for each row of states.

        $$D = D_w \text{ where } \sigma \ge \sigma_0, \qquad D = D_1 \text{ below}$$

        What is drawn is decided in much noise. Guidance in little noise only adds contrast, hence
        ink, and turns thin strokes into bold ones.

        Args:
            told: states from the language model, or what `context` makes of them.
            guidance_scale: w; 1 is plain conditional.
            guided_above: noise level $\sigma_0$ down to which the guess is guided; 0: everywhere.
            n_steps: of DPM-Solver++.
            generator: source of the first noise.

        Returns:
            Pictures in [-1, 1], on clean paper: see `on_paper`.

        Source: Kynkaanniemi et al. 2024 (arXiv:2404.07724), eq. 5 (guidance in an interval).
        """
        text = told if isinstance(told, Text) else context(told)
        n = len(text.pooled)
        where = self.beside(n)
        plain = self.painter.denoiser(text, beside=where)
        guided = self.painter.denoiser(text, guidance_scale=guidance_scale, beside=where)

        def guess(x: Tensor, sigma: Tensor) -> Tensor:
            return (guided if float(sigma[0]) >= guided_above else plain)(x, sigma)

        states = self.painter.sample_states(guess, n, n_steps=n_steps, generator=generator)
        return on_paper(last(states))

    @torch.no_grad()
    def complete(
        self,
        prompts: Sequence[str],
        *,
        reshape: Reshape = reshape_logits,
        guidance_scale: float = 3.0,
        n_steps: int = 10,
        generator: Generator | None = None,
    ) -> Drawn:
        """Complete prompts, and draw where the image token comes.

        Args:
            prompts: beginnings of captions, equally long.
            reshape: changes the logits before each word is drawn.
            guidance_scale: of the painter.
            n_steps: of the painter.
            generator: source of the words and of the noise.

        Returns:
            Captions and pictures; without an image token there is nothing to start the painter.
        """
        written = last(self.lm.write(prompts, reshape=reshape, generator=generator))
        images = -torch.ones(len(prompts), *self.painter.event_shape).to(written.states)
        if bool(written.stopped.any()):
            images[written.stopped] = self.paint(
                written.states[written.stopped],
                guidance_scale=guidance_scale, n_steps=n_steps, generator=generator,
            )  # fmt: skip
        texts = words_of(written.tokens.masked_fill(written.tokens == IMAGE, 0))
        return Drawn(texts, images, written)

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Generator | None = None
    ) -> Float[Tensor, " n 3 16 16"]:
        """Draw `n` pictures of captions of its own, or of the rows of word numbers in `cond`."""
        if cond is None:
            return self.complete([""] * n, generator=generator).images
        return self.paint(self.lm.states(rows_of(cond)), generator=generator)

    @torch.no_grad()
    def picture_bound(
        self,
        x: Float[Tensor, " b 3 16 16"],
        states: States | None,
        *,
        n_levels: int = 100,
        generator: Generator | None = None,
    ) -> Float[Tensor, " b"]:
        r"""Bound on $\log P(x\mid h)$ of the pictures' 1,021 grey levels, in nats.

        Args:
            x: in [-1, 1].
            states: of their captions; None: the painter is told nothing.
            n_levels: steps of the ancestral chain that is bounded, one pass each.
            generator: its noise.
        """
        levels = edm_sigmas(n_levels, sigma_min=FINEST, sigma_max=self.painter.sigma_max)
        sigmas = levels[:-1].flip(0).to(x)
        bar = 1 / (1 + sigmas**2)
        betas = 1 - bar / torch.cat([bar.new_ones(1), bar[:-1]])
        text = None if states is None else context(states)
        denoiser = self.painter.denoiser(text, beside=self.beside(len(x)))

        def eps_model(x_t: Tensor, t: Tensor) -> Tensor:
            sigma = sigmas[t][:, None, None, None]
            noisy = (1 + sigma**2).sqrt() * x_t
            guess: Tensor = denoiser(noisy, sigmas[t]).clamp(-1, 1)
            return (noisy - guess) / sigma

        eps = randn((n_levels, *x.shape), like=x, generator=generator)
        v = posterior_variances(betas)
        v = torch.cat([v[1:2], v[1:]])  # the last step's would be zero
        return ddpm_vlb(eps_model, x, eps, betas=betas, variances=v, bins=GREY)

    def elbo(
        self,
        x: Float[Tensor, " b 3 16 16"],
        *,
        cond: Int[Tensor, " b w"],
        generator: Generator | None = None,
    ) -> Float[Tensor, " b"]:
        r"""Bound on $\log p(w, x)$ in nats: the text's part exact, the picture's a bound."""
        states, log_p = self.lm.states_and_log_probs(rows_of(cond))
        return log_p.sum(1) + self.picture_bound(x, states, generator=generator)
