r"""The character transformer of Python's manual: architecture and recipe in one place.

$$p(x_{1:64}) = \prod_{i=1}^{64} \mathrm{softmax}\big(f_\theta(\text{begin}, x_1, \dots,
x_{i-1})\big)_{x_i}, \qquad x_i \in \{\text{newline}, \text{printable ASCII}\}$$

One block, windows of 64 characters, some seconds of training: the writer of lesson 02, not the
language-model lab. Characters are bytes here, so bits per character are bits per byte.

Lesson: notebooks/02_autoregressive.ipynb
Source: Radford et al. 2018 ("Improving language understanding by generative pre-training"),
    section 3.1.
"""

from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from genlab.autoregressive.lm import TransformerLM
from genlab.autoregressive.tokens import CharTokenizer
from genlab.nn.transformer import TransformerConfig
from genlab.train import Run, cosine, fit, minibatches

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))  # newline and printable ASCII


@final
@dataclass(frozen=True)
class Recipe:
    """Every number that decides what the trained model is."""

    length: int = 64  # characters in a window
    d_model: int = 64  # width of the residual stream
    n_layer: int = 1
    n_head: int = 4
    d_hidden: int = 128  # width inside the gated MLP
    n_steps: int = 600
    batch_size: int = 16
    lr: float = 3e-3  # highest rate: 20 steps of rise, then half a cosine to zero
    weight_decay: float = 0.01
    seed: int = 2  # of weights and order of the data


def windows(text: str, length: int = Recipe.length) -> Int[Tensor, " n length"]:
    """Cut a text into windows of equal length, as tokens; what is left over is dropped.

    Args:
        text: newlines and printable ASCII.
        length: characters in a window.

    Returns:
        `(n, length)`, tokens of `CharTokenizer(ALPHABET)`.

    Example:
        >>> windows("one two", 3).shape
        torch.Size([2, 3])
    """
    tokens = CharTokenizer(ALPHABET).encode(text)
    return tokens[: len(tokens) // length * length].reshape(-1, length)


def text_transformer(recipe: Recipe = Recipe()) -> TransformerLM:
    """Make the untrained model; torch's global random state is left as it was.

    Args:
        recipe: sizes and seed.

    Returns:
        A language model of characters.

    Example:
        >>> model = text_transformer(Recipe(d_model=8))
        >>> model.log_prob(windows("two windows", 5)).shape
        torch.Size([2])
    """
    config = TransformerConfig(
        d_model=recipe.d_model,
        n_layer=recipe.n_layer,
        n_head=recipe.n_head,
        n_kv_head=recipe.n_head,
        d_hidden=recipe.d_hidden,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        return TransformerLM(len(ALPHABET), recipe.length, config)


def train_text_transformer(
    model: TransformerLM, tokens: Int[Tensor, " n length"], recipe: Recipe = Recipe()
) -> Run:
    """Train it on windows of text; afterwards it is in evaluation mode.

    Args:
        model: from `text_transformer`, changed in place.
        tokens: `windows` of the training text.
        recipe: steps, rates and seed.

    Returns:
        The run of `fit`, the loss in nats per character; nothing happens until it is consumed.
    """
    generator = Generator().manual_seed(recipe.seed)
    return fit(
        model,
        minibatches(tokens, recipe.batch_size, generator=generator),
        n_steps=recipe.n_steps,
        lr=cosine(recipe.lr, recipe.n_steps, warmup=min(20, recipe.n_steps)),
        weight_decay=recipe.weight_decay,
        finish=model.eval,
    )
