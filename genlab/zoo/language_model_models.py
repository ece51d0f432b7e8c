r"""Recipe of the language model of Python's manual: data, schedule, figures of the card.

$$\min_\theta\ \mathbb E_{x}\Big[-\tfrac1n\sum_{i=1}^n \log p_\theta(x_i \mid x_{<i})\Big]$$

340,000 bytes are little: a network of a million weights knows them by heart after some twenty
readings. Four things hold that back. Every reading spells the text anew (BPE dropout), the windows
begin elsewhere, a tenth of what each block writes is dropped, and what ships are averaged weights.
Most steps are taken on short windows, which cost less; the last third on the full context. The
matrices move by Muon: at equal cost AdamW was 0.4 bits per byte behind after a minute.

Lesson: notebooks/systems/language_model.ipynb
Sources: Provilkov, Emelianenko and Voita 2020 (arXiv:1910.13267); Press, Smith and Lewis 2021
    (arXiv:2012.15832), section 4 (short windows first).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.autoregressive.tokens import BPE, train_bpe
from genlab.data.text import load_text
from genlab.nn.transformer import TransformerConfig
from genlab.systems.language_model import LanguageModel
from genlab.train import Run, cosine, fit
from genlab.train.fit import EMA
from genlab.train.muon import Muon
from genlab.zoo.cards import Figures
from genlab.zoo.lessons import TEXT, text_digest
from genlab.zoo.train import Training


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    n_tokens: int = 1024  # vocabulary: 256 bytes and 768 merges
    context: int = 512  # tokens in a window, some 1,450 bytes
    short: int = 128  # tokens in a window of the first steps; divides the context
    short_share: float = 0.7  # of the steps
    d_model: int = 192  # width of the residual stream
    n_layer: int = 3
    n_head: int = 6  # query heads
    n_kv_head: int = 2  # key-value heads
    d_hidden: int = 576  # width inside the gated MLP
    dropout: float = 0.1
    bpe_dropout: float = 0.1  # probability to overlook a merge, drawn anew at every reading
    n_steps: int = 1200
    batch_size: int = 4  # windows of `context` tokens
    lr: float = 6e-3  # highest rate: 100 steps of rise, then half a cosine to zero
    weight_decay: float = 0.1
    decay: float = 0.99  # of the averaged weights
    seed: int = 1  # of weights, order of the data and spellings


@final
class SpelledWindows(Iterator[Tensor]):
    """Endless batches of windows of a text that is spelled anew at every reading.

    Args:
        text: what to read.
        tokenizer: how to spell it.
        recipe: window, batch and dropout of merges.
        generator: decides spellings, where the first window begins, and the order.
    """

    def __init__(self, text: str, tokenizer: BPE, recipe: Recipe, generator: Generator) -> None:
        self.text, self.tokenizer, self.recipe = text, tokenizer, recipe
        self.generator = generator
        self._start = generator.get_state()  # where the noise stood before this reading
        self._rows, self._next = torch.empty(0, recipe.context, dtype=torch.int64), 0

    def __next__(self) -> Int[Tensor, " b n"]:
        if self._next + self.recipe.batch_size > len(self._rows):
            self._start = self.generator.get_state()
            self._rows, self._next = self._read(), 0
        batch = self._rows[self._next : self._next + self.recipe.batch_size]
        self._next += self.recipe.batch_size
        return batch

    def _read(self) -> Int[Tensor, " m n"]:
        """Spell the text and cut it into windows, in a random order; the ends are left out."""
        n, g = self.recipe.context, self.generator
        tokens = self.tokenizer.encode(self.text, drop=self.recipe.bpe_dropout, generator=g)
        tokens = tokens[int(torch.randint(n, (), generator=g)) :]
        rows = tokens[: len(tokens) // n * n].reshape(-1, n)
        return rows[torch.randperm(len(rows), generator=g)]

    def state_dict(self) -> dict[str, Any]:
        """Where the noise stood before this reading, and the place in it."""
        return {"start": self._start, "next": self._next, "begun": len(self._rows) > 0}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go back to where `state_dict` was called.

        Args:
            state_dict: of a stream over the same text.
        """
        self.generator.set_state(state_dict["start"])
        self._start, self._next = state_dict["start"], state_dict["next"]
        if state_dict["begun"]:
            self._rows = self._read()


def language_model(recipe: Recipe = Recipe()) -> LanguageModel:
    """Make the untrained model, without merges; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A language model.

    Example:
        >>> model = language_model(Recipe(d_model=24))
        >>> model.sample(2).shape
        torch.Size([2, 512])
    """
    config = TransformerConfig(
        d_model=recipe.d_model,
        n_layer=recipe.n_layer,
        n_head=recipe.n_head,
        n_kv_head=recipe.n_kv_head,
        d_hidden=recipe.d_hidden,
        dropout=recipe.dropout,
        fused=True,
        tied=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return LanguageModel(recipe.n_tokens, recipe.context, config)


def train_language_model(
    model: LanguageModel, text: str, recipe: Recipe = Recipe(), *, merges: bool = True
) -> Run:
    """Learn the merges, then the weights; afterwards it holds the averages and is evaluated.

    Args:
        model: from `language_model`, changed in place.
        text: the training part, and nothing of what is held out.
        recipe: steps, rates and seed.
        merges: whether the merges are learned here; False keeps those of the model.

    Returns:
        The run of `fit`, the loss in nats per token; nothing happens until it is consumed.

    Raises:
        ValueError: the text is too short for so many merges.
    """
    if merges:
        learned = train_bpe(text, recipe.n_tokens)
        if len(learned) < len(model.merges):
            raise ValueError(f"the text yields {len(learned)} merges, not {len(model.merges)}")
        model.merges.copy_(torch.tensor(learned))
    inner = [p for p in model.lm.net.body.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if all(p is not matrix for matrix in inner)]
    average = EMA(model, recipe.decay)
    generator = Generator().manual_seed(recipe.seed)

    def choose_length(step: int) -> None:
        short = step < recipe.short_share * recipe.n_steps
        model.train_length = recipe.short if short else recipe.context

    def finish() -> None:
        average.copy_to(model)
        model.eval()

    model.train()
    return fit(
        model,
        SpelledWindows(text, model.tokenizer, recipe, generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(100, recipe.n_steps)),
        clip=1.0,
        optimizer=Muon(inner, others, weight_decay=recipe.weight_decay),
        before=choose_length,
        after=lambda _: average.update(model),
        finish=finish,
        keep={"average": average},
    )


def _measure(model: LanguageModel) -> Figures:
    """Bits per byte of both held-out parts, by windows that overlap by three quarters."""
    return {
        "bits_per_byte": model.bits_per_byte(load_text("test")),
        "bits_per_byte_val": model.bits_per_byte(load_text("val")),
        "kind": "exact",
    }


TRAININGS: tuple[Training, ...] = (
    Training(
        name="language_model",
        what="language model of Python's manual: byte pairs, rotary positions, grouped queries",
        lesson=2,
        seconds=600,
        settings=Recipe(),
        build=language_model,
        start=lambda model, recipe: train_language_model(model, load_text("train"), recipe),
        measure=_measure,
        data=TEXT,
        digest=text_digest,
        dtype=torch.float16,
    ),
)
