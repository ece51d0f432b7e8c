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
from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from genlab.autoregressive.chain_rule import token_log_probs
from genlab.autoregressive.decoding import Reshape, reshape_logits
from genlab.autoregressive.transformer_lm import TransformerLM
from genlab.autoregressive.until import Written, used, write_until
from genlab.core import last
from genlab.data.captions import MAX_WORDS, PAD, WORDS, encode
from genlab.nn.transformer import Cache, TransformerConfig

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
