r"""Language and image: one causal language model that writes captions, reads pictures and draws.

$$p(w_{1:n}, \langle\text{image}\rangle) = \prod_i p(w_i \mid w_{<i}), \qquad
p(w_{1:n}, \langle\text{end}\rangle \mid x) = \prod_i p(w_i \mid x, w_{<i})$$

Koh, Fried and Salakhutdinov 2023 (arXiv:2305.17216), section 3 (here one image token).
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.decoding import Reshape, Written, reshape_logits, used, write_until
from genlab.autoregressive.likelihood import token_log_probs
from genlab.autoregressive.lm import TransformerLM
from genlab.core.tensors import PerExample, Rng, drawn, last, randn
from genlab.data.language import MAX_WORDS, PAD, WORDS, encode
from genlab.nn.attention import Cache
from genlab.nn.transformer import TransformerConfig
from genlab.score.diffusion import Bins, ddpm_vlb, posterior_variances
from genlab.score.edm import edm_sigmas
from genlab.systems.text_diffusion import TextDiffusion, eps_from_denoiser

IMAGE_TOKEN, END_TOKEN = "<image>", "<end>"
VOCABULARY = (*WORDS, IMAGE_TOKEN, END_TOKEN)
IMAGE = VOCABULARY.index(IMAGE_TOKEN)
END = VOCABULARY.index(END_TOKEN)
FILL = WORDS.index(PAD)
LENGTH = MAX_WORDS + 1  # words and the token that ends them
N_PATCHES = 16  # vectors that stand for a picture: four by four


def rows_of(
    captions: Sequence[str] | Int[Tensor, " b t"], stop: int = IMAGE
) -> Int[Tensor, " b 7"]:
    """Captions as tokens, filled up to seven; `stop` is `END` for those that follow a picture.

    >>> [VOCABULARY[k] for k in rows_of(["a red one"])[0]]
    ['a', 'red', 'one', '<image>', '<pad>', '<pad>', '<pad>']
    """
    rows = F.pad(captions if isinstance(captions, Tensor) else encode(captions), (0, 1))
    return rows.scatter(1, (rows != FILL).sum(1, keepdim=True), stop)


def words_of(rows: Int[Tensor, " b t"]) -> list[str]:
    """Tokens as text, the special ones included, the padding left out."""
    return [" ".join(VOCABULARY[k] for k in row if k != FILL) for row in rows.tolist()]


class ImageEncoder(nn.Module):
    """A picture in [-1, 1] as sixteen vectors, row by row, by convolutions (arXiv:2106.14881)."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2),
            nn.Conv2d(48, d, 3, padding=1),
        )  # fmt: skip

    def forward(self, images: Float[Tensor, " b 3 16 16"]) -> Float[Tensor, " b 16 d"]:
        """Sixteen vectors of each picture."""
        return self.net(images).flatten(2).mT


class CaptionLM(nn.Module):
    """The language model: exact probabilities of texts, and of texts about pictures."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.net = TransformerLM(len(VOCABULARY), LENGTH, config).net
        self.see = ImageEncoder(config.d_model)
        self.place = nn.Parameter(0.02 * torch.randn(N_PATCHES, config.d_model))

    @property
    def begin(self) -> int:
        """The token in front of everything; it is never predicted."""
        return len(VOCABULARY)

    def read(self, tokens: Int[Tensor, " b t"], cache: Cache = ()) -> tuple[Tensor, Cache]:
        """States of new tokens, given the cache of those before; and the new cache."""
        return self.net.body(self.net.embedding(tokens), cache)

    def head(self, states: Float[Tensor, " *b c"]) -> Float[Tensor, " *b k"]:
        """Logits of the token after each state."""
        return self.net.head(states)[..., : self.begin]

    def _begun(self, rows: Int[Tensor, " b t"]) -> Int[Tensor, " b t+1"]:
        return F.pad(rows, (1, 0), value=self.begin)

    def states_and_log_probs(
        self, rows: Int[Tensor, " b t"]
    ) -> tuple[Float[Tensor, " b t c"], Float[Tensor, " b t"]]:
        """The state after each token and its log-probability at its turn; zero at the padding."""
        h = self.read(self._begun(rows))[0]
        mine = used(rows, IMAGE)
        log_p = token_log_probs(self.head(h[:, :-1]), rows) * mine
        return h[:, 1:] * mine[:, :, None], log_p

    def states(self, rows: Int[Tensor, " b t"]) -> Float[Tensor, " b t c"]:
        """States of whole texts, each after its token has been read; zero at the padding."""
        return self.states_and_log_probs(rows)[0]

    def log_prob(self, rows: Int[Tensor, " b t"]) -> Float[Tensor, " b"]:
        """Exact log-probability of each text with the token that ends it, in nats."""
        return self.states_and_log_probs(rows)[1].sum(1)

    def encode_images(self, images: Float[Tensor, " b 3 16 16"]) -> tuple[Tensor, Cache]:
        """States and cache after begin, `<image>` and the sixteen vectors of each picture."""
        start = torch.tensor([[self.begin, IMAGE]]).to(images.device).expand(len(images), 2)
        seen = self.see(images) + self.place
        return self.net.body(torch.cat([self.net.embedding(start), seen], 1))

    def log_prob_given(
        self, images: Float[Tensor, " b 3 16 16"], rows: Int[Tensor, " b t"]
    ) -> Float[Tensor, " b"]:
        """Exact log-probability, in nats, of texts (`rows_of(captions, END)`) about pictures."""
        seen, cache = self.encode_images(images)
        after = torch.cat([seen[:, -1:], self.read(rows[:, :-1], cache)[0]], 1)
        return (token_log_probs(self.head(after), rows) * used(rows, END)).sum(1)

    def write(
        self, prompts: Sequence[str], *, reshape: Reshape = reshape_logits, generator: Rng = None
    ) -> Iterator[Written]:
        """Complete prompts, token by token; a text ends with `<image>`, or at seven tokens."""
        lengths = {len(p.split()) for p in prompts}
        if len(lengths) != 1:
            raise ValueError(f"prompts must have equally many words, got {sorted(lengths)}")
        n_words = lengths.pop()
        rows = self._begun(encode(prompts)[:, :n_words]).to(self.place.device)
        steps = partial(write_until, stop=IMAGE, pad=FILL, reshape=reshape, generator=generator)
        for step in steps(self.read, self.head, rows, LENGTH - n_words):
            yield Written(step.tokens[:, 1:], step.states[:, 1:], step.stopped)

    @torch.no_grad()
    def describe(
        self,
        images: Float[Tensor, " b 3 16 16"],
        *,
        reshape: Reshape = reshape_logits,
        generator: Rng = None,
    ) -> Int[Tensor, " b t"]:
        """Say what pictures show: texts drawn from the model, or greedy ones with top_k = 1."""
        seen, cache = self.encode_images(images)

        def read(new: Tensor, past: Cache) -> tuple[Tensor, Cache]:
            return self.read(new, past) if past else (seen[:, -1:], cache)

        start = torch.full((len(images), 1), FILL, device=images.device)  # stands for the picture
        texts = write_until(
            read, self.head, start, LENGTH, stop=END, pad=FILL, reshape=reshape,
            generator=generator,
        )  # fmt: skip
        return last(texts).tokens[:, 1:]


def context(
    states: Float[Tensor, " b t c"], length: int = LENGTH
) -> Float[Tensor, " b {length} c"]:
    r"""What the denoiser reads by cross-attention: the states, and zeros up to `length`.

    $$\sum_j \frac{e^{s_j}}{\sum_k e^{s_k} + n_0}\,v_j, \qquad s_j = q^\top k_j / \sqrt d$$

    The $n_0$ zero states that fill up to `length` take a part of the attention.
    """
    if states.shape[1] > length:
        raise ValueError(f"{states.shape[1]} states, but the denoiser was trained with {length}")
    return F.pad(states, (0, 0, 0, length - states.shape[1]))


def only_last(
    states: Float[Tensor, " b t c"], rows: Int[Tensor, " b t"]
) -> Float[Tensor, " b t c"]:
    """Keep the state of the image token, and set those of the words to zero."""
    return states * (rows == IMAGE)[:, :, None]


GREY = Bins(width=2 / 1020, low=-1.0, high=1.0)  # means of four grey levels, scaled to [-1, 1]
GUIDED_ABOVE = 0.5  # noise level below which the denoiser is not guided
FINEST = 0.1  # least noise of the chain that is bounded; below, the network is not trained to see
FAINT = 0.05  # of full colour: less than that is paper


class Drawn(NamedTuple):
    """Completed captions and what was drawn of them."""

    captions: list[str]  # without the image token
    images: Float[Tensor, " b 3 16 16"]  # in [-1, 1]; paper where no image token was written
    written: Written  # tokens, the states drawn from, and which texts end with the image token


def on_paper(x: Float[Tensor, " b 3 h w"]) -> Float[Tensor, " b 3 h w"]:
    """Cut to [-1, 1], and make paper of pixels whose strongest channel is under 5 % of full."""
    faint = x.amax(1, keepdim=True) < 2 * FAINT - 1
    return x.clamp(-1, 1).masked_fill(faint, -1.0)


class LanguageAndImage(nn.Module):
    """A language model, a diffusion model that reads its states, and one loss.

    The picture's loss has a `weight` against nats of text; if `joint`, its gradient reaches the
    language model. Training shows a fraction `p_alone` of the rows only the last state.
    """

    def __init__(
        self,
        lm: CaptionLM,
        denoiser: TextDiffusion,
        *,
        weight: float = 1.0,
        p_alone: float = 0.1,
        joint: bool = True,
    ) -> None:
        super().__init__()
        self.lm, self.painter, self.event_shape = lm, denoiser, denoiser.event_shape
        self.weight, self.p_alone, self.joint = weight, p_alone, joint

    def loss(
        self,
        x: Float[Tensor, " b 3 16 16"],
        *,
        cond: Int[Tensor, " b w"],
        generator: Generator | None = None,
    ) -> Float[Tensor, ""]:
        r"""$-\log p(w) - \log p(w\mid x) + \lambda\,\ell(x\mid h(w))$, mean over the batch.

        `x` in [-1, 1], `cond` captions as word numbers.
        """
        rows = rows_of(cond)
        states, log_p = self.lm.states_and_log_probs(rows)
        n = (len(x) + 1) // 2  # reading costs as much as drawing: half of the rows will do
        read = self.lm.log_prob_given(x[:n], rows_of(cond[:n], END))
        text = context(states if self.joint else states.detach())
        if self.training:
            alone = (
                drawn(torch.rand, len(x), 1, 1, device=x.device, generator=generator) < self.p_alone
            )
            text = torch.where(alone, only_last(text, rows), text)
        picture = self.painter.loss(x, cond=text, generator=generator)
        return self.weight * picture - log_p.sum(1).mean() - read.mean()

    @torch.no_grad()
    def draw(
        self,
        states: Float[Tensor, " b t c"],
        *,
        guidance_scale: float = 3.0,
        guided_above: float = GUIDED_ABOVE,
        n_steps: int = 10,
        generator: Rng = None,
    ) -> Float[Tensor, " b 3 16 16"]:
        """Draw one picture in [-1, 1] for each row of states, guided down to `guided_above`."""
        x = self.painter.draw(
            context(states), guidance_scale=guidance_scale, interval=(guided_above, math.inf),
            n_steps=n_steps, generator=generator,
        )  # fmt: skip
        return on_paper(x)

    @torch.no_grad()
    def complete(
        self,
        prompts: Sequence[str],
        *,
        reshape: Reshape = reshape_logits,
        guidance_scale: float = 3.0,
        n_steps: int = 10,
        generator: Rng = None,
    ) -> Drawn:
        """Complete equally long prompts, and draw where the image token comes; paper elsewhere."""
        written = last(self.lm.write(prompts, reshape=reshape, generator=generator))
        images = -torch.ones(len(prompts), *self.painter.event_shape).to(written.states)
        if bool(written.stopped.any()):
            images[written.stopped] = self.draw(
                written.states[written.stopped],
                guidance_scale=guidance_scale, n_steps=n_steps, generator=generator,
            )  # fmt: skip
        texts = words_of(written.tokens.masked_fill(written.tokens == IMAGE, 0))
        return Drawn(texts, images, written)

    @torch.no_grad()
    def sample(
        self, n: int, *, cond: Tensor | None = None, generator: Rng = None
    ) -> Float[Tensor, " b 3 16 16"]:
        """Draw `n` pictures of captions of its own, or of the rows of word numbers in `cond`."""
        if cond is None:
            return self.complete([""] * n, generator=generator).images
        return self.draw(self.lm.states(rows_of(cond)), generator=generator)

    @torch.no_grad()
    def picture_bound(
        self,
        x: Float[Tensor, " b 3 16 16"],
        states: Float[Tensor, " b t c"] | None,
        *,
        n_levels: int = 100,
        generator: Rng = None,
    ) -> Float[Tensor, " b"]:
        r"""Bound on $\log P(x\mid h)$ of 1,021 grey levels by `n_levels` steps, nats."""
        levels = edm_sigmas(n_levels, sigma_min=FINEST, sigma_max=self.painter.sigma_max)
        sigmas = levels[:-1].flip(0).to(x)
        bar = 1 / (1 + sigmas**2)
        betas = 1 - bar / torch.cat([bar.new_ones(1), bar[:-1]])
        text = None if states is None else context(states)
        denoiser = self.painter.denoiser(text)
        eps_model = eps_from_denoiser(denoiser, sigmas, lambda guess: guess.clamp(-1, 1))
        eps = randn((n_levels, *x.shape), like=x, generator=generator)
        v = posterior_variances(betas)
        v = torch.cat([v[1:2], v[1:]])  # the last step's would be zero
        return ddpm_vlb(eps_model, x, eps, betas=betas, variances=v, bins=GREY)

    def elbo(
        self, x: Float[Tensor, " b 3 16 16"], *, cond: Int[Tensor, " b w"], generator: Rng = None
    ) -> PerExample:
        r"""Bound on $\log p(w, x)$ in nats: the text's part exact, the picture's a bound."""
        states, log_p = self.lm.states_and_log_probs(rows_of(cond))
        return log_p.sum(1) + self.picture_bound(x, states, generator=generator)
