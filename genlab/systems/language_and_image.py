r"""One causal language model that writes captions and reads pictures.

$$p(w_{1:n}, \langle\text{image}\rangle) = \prod_i p(w_i \mid w_{<i}), \qquad
p(w_{1:n}, \langle\text{end}\rangle \mid x) = \prod_i p(w_i \mid x, w_{<i})$$

A sentence and a picture can stand in either order in one sequence. *Writing*: begin, words, and the
token `<image>`, which says that a picture follows: whoever draws it reads the states of the words.
*Reading*: begin, `<image>`, the picture as sixteen vectors, then words and `<end>`. The same blocks
serve both; a picture enters by a few convolutions, as a word enters by a row of a table.

Lesson: notebooks/systems/language_and_image.ipynb
Sources: Radford et al. 2018 (the language model); Dosovitskiy et al. 2020 (arXiv:2010.11929),
    eq. 1 (pictures as a sequence); Koh, Fried and Salakhutdinov 2023 (arXiv:2305.17216),
    section 3 (image tokens).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.decoding import Reshape, Written, reshape_logits, used, write_until
from genlab.autoregressive.likelihood import token_log_probs
from genlab.autoregressive.lm import TransformerLM
from genlab.core import last
from genlab.core.tensors import randn
from genlab.data.captions import MAX_WORDS, PAD, WORDS, encode
from genlab.nn.transformer import Cache, Text, TransformerConfig
from genlab.score.diffusion import Bins, ddpm_vlb, posterior_variances
from genlab.score.edm import edm_sigmas
from genlab.systems.text_diffusion import CaptionedPainter

IMAGE_TOKEN, END_TOKEN = "<image>", "<end>"
VOCABULARY = (*WORDS, IMAGE_TOKEN, END_TOKEN)
IMAGE, END, FILL = VOCABULARY.index(IMAGE_TOKEN), VOCABULARY.index(END_TOKEN), WORDS.index(PAD)
LENGTH = MAX_WORDS + 1  # words and the token that ends them
N_PLACES = 16  # of a picture, for the reader: four by four

Pictures = Float[Tensor, " b 3 16 16"]
Rows = Int[Tensor, " b t"]


def rows_of(captions: Sequence[str] | Rows, stop: int = IMAGE) -> Int[Tensor, " b 7"]:
    """Captions as tokens, each with the token that ends it, filled up to seven.

    Args:
        captions: of the words in `WORDS`, at most six each; or their numbers, `(b, 6)`.
        stop: `IMAGE` for captions that a picture follows, `END` for those that follow one.

    Returns:
        `(b, 7)`, indices into `VOCABULARY`.

    Example:
        >>> [VOCABULARY[k] for k in rows_of(["a red one"])[0]]
        ['a', 'red', 'one', '<image>', '<pad>', '<pad>', '<pad>']
    """
    rows = F.pad(captions if isinstance(captions, Tensor) else encode(captions), (0, 1))
    return rows.scatter(1, (rows != FILL).sum(1, keepdim=True), stop)


def words_of(rows: Rows) -> list[str]:
    """Tokens as text, the special ones included, the padding left out.

    Args:
        rows: indices into `VOCABULARY`.

    Returns:
        One text for each row.

    Example:
        >>> words_of(rows_of(["a red one"]))
        ['a red one <image>']
    """
    return [" ".join(VOCABULARY[k] for k in row if k != FILL) for row in rows.tolist()]


@final
class Eye(nn.Module):
    """A picture as sixteen vectors, row by row: three convolutions, halved twice in between.

    Args:
        d: width of the vectors.

    Example:
        >>> Eye(8)(torch.zeros(2, 3, 16, 16)).shape
        torch.Size([2, 16, 8])

    Source: Xiao et al. 2021 (arXiv:2106.14881), section 4: convolutions in place of raw patches.
    """

    def __init__(self, d: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2),
            nn.Conv2d(24, 48, 3, padding=1), nn.SiLU(), nn.AvgPool2d(2),
            nn.Conv2d(48, d, 3, padding=1),
        )  # fmt: skip

    def forward(self, images: Pictures) -> Float[Tensor, " b 16 d"]:
        """Look at pictures, in [-1, 1]."""
        places: Tensor = self.net(images)
        return places.flatten(2).mT


@final
class CaptionLM(nn.Module):
    """The language model: exact probabilities of texts, and of texts about pictures.

    Args:
        config: sizes of the transformer.

    Example:
        >>> lm = CaptionLM(TransformerConfig(d_model=8, n_head=2, n_kv_head=1))
        >>> rows = rows_of(["a red one", "a thin red seven leaning right"])
        >>> lm.log_prob(rows).shape, lm.states(rows).shape
        (torch.Size([2]), torch.Size([2, 7, 8]))

    Source: Radford et al. 2018, section 3.1, eq. 1; pictures as a sequence: Dosovitskiy et al.
        2020, eq. 1.
    Lesson: notebooks/systems/language_and_image.ipynb
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.net = TransformerLM(len(VOCABULARY), LENGTH, config).net
        self.see = Eye(config.d_model)
        self.place = nn.Parameter(0.02 * torch.randn(N_PLACES, config.d_model))

    @property
    def begin(self) -> int:
        """The token in front of everything; it is never predicted."""
        return len(VOCABULARY)

    def read(self, tokens: Rows, cache: Cache = ()) -> tuple[Tensor, Cache]:
        """States of new tokens, given the cache of those before; and the new cache."""
        states, cache = self.net.body(self.net.embedding(tokens), cache)
        return states, cache

    def head(self, states: Float[Tensor, " *b c"]) -> Float[Tensor, " *b k"]:
        """Logits of the token after each state."""
        logits: Tensor = self.net.head(states)[..., : self.begin]
        return logits

    def _begun(self, rows: Rows) -> Int[Tensor, " b t+1"]:
        return F.pad(rows, (1, 0), value=self.begin)

    def states_and_log_probs(
        self, rows: Rows
    ) -> tuple[Float[Tensor, " b t c"], Float[Tensor, " b t"]]:
        """Both things that one pass over whole texts gives, zero at the padding.

        Args:
            rows: from `rows_of(captions)`, or any beginning of a text.

        Returns:
            The state after each token, and the log-probability of each token at its turn.
        """
        h = self.read(self._begun(rows))[0]
        mine = used(rows, IMAGE)
        log_p = token_log_probs(self.head(h[:, :-1]), rows) * mine
        return h[:, 1:] * mine[:, :, None], log_p

    def states(self, rows: Rows) -> Float[Tensor, " b t c"]:
        """States of whole texts, each after its token has been read; zero at the padding."""
        return self.states_and_log_probs(rows)[0]

    def log_prob(self, rows: Rows) -> Float[Tensor, " b"]:
        """Exact log-probability of each text with the token that ends it, in nats."""
        return self.states_and_log_probs(rows)[1].sum(1)

    def look(self, images: Pictures) -> tuple[Tensor, Cache]:
        """Read pictures: begin, `<image>` and sixteen vectors."""
        start = torch.tensor([[self.begin, IMAGE]], device=images.device).expand(len(images), 2)
        seen = self.see(images) + self.place
        states, cache = self.net.body(torch.cat([self.net.embedding(start), seen], 1))
        return states, cache

    def log_prob_given(self, images: Pictures, rows: Rows) -> Float[Tensor, " b"]:
        """Exact log-probability of texts about pictures, in nats.

        Args:
            images: in [-1, 1].
            rows: from `rows_of(captions, END)`.
        """
        seen, cache = self.look(images)
        after = torch.cat([seen[:, -1:], self.read(rows[:, :-1], cache)[0]], 1)
        return (token_log_probs(self.head(after), rows) * used(rows, END)).sum(1)

    def write(
        self,
        prompts: Sequence[str],
        *,
        reshape: Reshape = reshape_logits,
        generator: Generator | None = None,
    ) -> Iterator[Written]:
        """Complete prompts of equal length; a text ends with `<image>`, or after seven tokens.

        Args:
            prompts: beginnings of captions with the same number of words, which may be none.
            reshape: changes the logits before each draw.
            generator: source of the draws.

        Returns:
            The texts after each new token; the begin token and its state are left out.

        Raises:
            ValueError: prompts of different lengths, or of unknown words.
        """
        lengths = {len(p.split()) for p in prompts}
        if len(lengths) != 1:
            raise ValueError(f"prompts must have equally many words, got {sorted(lengths)}")
        n_words = lengths.pop()
        rows = self._begun(encode(prompts)[:, :n_words])
        for step in write_until(
            self.read, self.head, rows, LENGTH - n_words,
            stop=IMAGE, pad=FILL, reshape=reshape, generator=generator,
        ):  # fmt: skip
            yield Written(step.tokens[:, 1:], step.states[:, 1:], step.stopped)

    @torch.no_grad()
    def describe(
        self,
        images: Pictures,
        *,
        reshape: Reshape = reshape_logits,
        generator: Generator | None = None,
    ) -> Int[Tensor, " b t"]:
        """Say what pictures show: texts drawn from the model, or greedy ones with top_k = 1."""
        seen, cache = self.look(images)

        def read(new: Tensor, past: Cache) -> tuple[Tensor, Cache]:
            return self.read(new, past) if past else (seen[:, -1:], cache)

        start = torch.full((len(images), 1), FILL, device=images.device)  # stands for the picture
        texts = write_until(
            read, self.head, start, LENGTH, stop=END, pad=FILL, reshape=reshape,
            generator=generator,
        )  # fmt: skip
        tokens: Tensor = last(texts).tokens[:, 1:]
        return tokens


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


GREY = Bins(width=2 / 1020, low=-1.0, high=1.0)  # means of four grey levels, scaled to [-1, 1]
GUIDED_ABOVE = 0.5  # noise level below which the painter is not guided
FINEST = 0.1  # least noise of the chain that is bounded; below, the network is not trained to see
FAINT = 0.05  # of full colour: less than that is paper


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
