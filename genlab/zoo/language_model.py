"""The language model (its lab): every reading spells the text anew."""

import torch
from torch import Generator, Tensor

from genlab.autoregressive.tokens import train_bpe
from genlab.data.text import load_text
from genlab.nn.transformer import TransformerConfig
from genlab.systems.language_model import LanguageModel, SpelledWindows
from genlab.train import Hooks, Run, fit
from genlab.train.muon import Muon
from genlab.zoo.cards import Figures
from genlab.zoo.recipe import Plan, Recipe
from genlab.zoo.texts import TEXT


def language_model(
    n_tokens: int,
    context: int,
    d_model: int,
    n_layer: int,
    n_head: int,
    n_kv_head: int,
    d_hidden: int,
    dropout: float,
) -> LanguageModel:
    """The untrained model, without merges."""
    config = TransformerConfig(
        d_model, n_layer, n_head, n_kv_head, d_hidden=d_hidden, dropout=dropout, fused=True,
        tied=True,
    )  # fmt: skip
    return LanguageModel(n_tokens, context, config)


def by_spellings(
    model: LanguageModel, text: str, *, plan: Plan, bpe_dropout: float, short: int, p_short: float
) -> Run:
    """Learn the merges, then the weights: matrices by Muon, a part of the steps on short windows.

    Press, Smith and Lewis 2021 (arXiv:2012.15832), section 4 (short windows first).
    """
    learned = train_bpe(text, len(model.merges) + 256)
    if len(learned) < len(model.merges):
        raise ValueError(f"the text yields {len(learned)} merges, not {len(model.merges)}")
    model.merges.copy_(torch.tensor(learned))
    inner = [p for p in model.lm.net.body.parameters() if p.ndim == 2]
    generator = Generator().manual_seed(plan.seed)
    windows = SpelledWindows(
        text, model.tokenizer, model.context, plan.batch_size, bpe_dropout, generator
    )

    length = model.context

    def choose(step: int) -> None:
        nonlocal length
        length = short if step < p_short * plan.n_steps else model.context

    def loss(x: Tensor, *, generator: Generator | None) -> Tensor:
        return model.loss(x, length=length, generator=generator)

    model.train()
    muon = Muon(inner, model.parameters(), weight_decay=plan.weight_decay)
    return fit(
        model, windows, n_steps=plan.n_steps, lr=plan.cosine(), clip=plan.clip, optimizer=muon,
        bfloat16=plan.bfloat16, loss=loss, average=plan.average, hooks=Hooks(before=choose),
    )  # fmt: skip


def _measure_language_model(model: LanguageModel) -> Figures:
    """Bits per byte of both held-out parts, by windows that overlap by three quarters."""
    test, val = (model.bits_per_byte(load_text(part)) for part in ("test", "val"))
    return {"bits_per_byte": test, "bits_per_byte_val": val, "kind": "exact"}


LANGUAGE_MODEL = Recipe(
    "language_model",
    "language model of Python's manual: byte pairs, rotary positions, grouped queries",
    lesson=2, seconds=600, seed=1,
    build=language_model,
    sizes={"n_tokens": 1024, "context": 512, "d_model": 192, "n_layer": 3, "n_head": 6,
           "n_kv_head": 2, "d_hidden": 576, "dropout": 0.1},
    data=lambda: (load_text("train"),), **TEXT,
    plan=Plan(n_steps=1200, batch_size=4, lr=6e-3, warmup=100, clip=1.0, weight_decay=0.1,
              average=0.99),
    more={"bpe_dropout": 0.1, "short": 128, "p_short": 0.7},
    loop=by_spellings, measure=_measure_language_model,
)  # fmt: skip
RECIPES = (LANGUAGE_MODEL,)
