"""What a prediction may read, how a token is drawn, and a language model that is asked live."""

import html
import math
from collections.abc import Sequence
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from torch import Tensor, nn

from genlab.autoregressive.decoding import reshape_logits
from genlab.autoregressive.images import RasterStack, TwoStacks
from genlab.autoregressive.likelihood import seen_pixels
from genlab.core import entropy, last
from genlab.systems.language_model import LanguageModel
from genlab_course.figures import BLUE, ORANGE
from genlab_course.widgets.explorer import Explorer, entry, explore, menu, panels, powers, slider

N_SHOWN = 24


def decoding(logits: Tensor, pieces: Sequence[str], contexts: Sequence[str]) -> Explorer:
    """How decoding settings reshape a next-token distribution; the likeliest 24 tokens are shown.

    `logits` `(m, k)` follow m `contexts` to choose from; `pieces` are the k names of the tokens.
    """
    if logits.shape != (len(contexts), len(pieces)):
        raise ValueError(
            f"decoding: logits have shape {tuple(logits.shape)}, expected "
            f"({len(contexts)}, {len(pieces)}) for these contexts and pieces"
        )
    logits = logits.detach().double().cpu()
    n = min(N_SHOWN, len(pieces))
    figure, ax = plt.subplots(figsize=(8.0, 3.0), layout="constrained")
    model_bars = ax.bar(range(n), [0.0] * n, width=0.8, color="#BBBBBB", label="the model")
    used_bars = ax.bar(range(n), [0.0] * n, width=0.45, color=BLUE, label="drawn from")
    ax.set(xlabel="next token, likeliest first", ylabel="probability", ylim=(0, 1))
    ax.set_xticks(range(n), [""] * n, fontfamily="monospace")
    ax.legend()
    names = list(contexts)

    def update(context: str, temperature: float, top_k: int, top_p: float) -> str:
        row = logits[[names.index(context)]]
        used = reshape_logits(row, temperature=temperature, top_k=top_k, top_p=top_p)
        p = row.softmax(-1)[0]
        q = used.softmax(-1)[0]
        shown = p.argsort(descending=True, stable=True)[:n]
        for bar, drawn, j in zip(model_bars, used_bars, shown.tolist(), strict=True):
            bar.set_height(float(p[j]))
            drawn.set_height(float(q[j]))
        ax.set_xticklabels([pieces[j] for j in shown.tolist()])
        ax.set_ylim(0, 1.1 * float(torch.maximum(p, q).max()))
        kept = q > 0
        return (
            f"{int(kept.sum())} of {len(pieces)} tokens can be drawn; the model gave them "
            f"{float(p[kept].sum()):.3f}. Entropy {float(entropy(p)):.2f} nats before, "
            f"{float(entropy(q)):.2f} after."
        )

    return explore(figure, update, context=menu("context", names),
                   temperature=powers("temperature", 1.0, -1, 0.6, 0.05),
                   top_k=slider("top-k", len(pieces), 1, len(pieces), 1),
                   top_p=slider("top-p", 1.0, 0.05, 1.0, 0.05))  # fmt: skip


SIZE = 8
COLOURS = ListedColormap(["#F2F2F2", "#CC79A7", "#56B4E9", "#222222", "#D55E00"])
LATER, BLIND, SEEN, ITSELF, LEAK = range(5)


def _plain(n_layer: int) -> nn.Module:
    """Convolutions without mask: the bug to compare with."""
    layers: list[nn.Module] = [nn.Conv2d(1, 4, 3, padding=1)]
    for _ in range(n_layer - 1):
        layers += [nn.SiLU(), nn.Conv2d(4, 4, 3, padding=1)]
    return nn.Sequential(*layers)


NETWORKS = {
    "two stacks": lambda n: TwoStacks(1, 4, n_layer=n),
    "one raster stack": lambda n: RasterStack(1, 4, n_layer=n),
    "no mask (bug)": _plain,
}


def field_map(network: nn.Module, row: int, column: int) -> NDArray[np.int64]:
    """Class of every pixel `(8, 8)` for one prediction: later, unreached, seen, itself, leaking."""
    seen = seen_pixels(network, row, column, SIZE)
    past = (torch.arange(SIZE * SIZE) < row * SIZE + column).reshape(SIZE, SIZE)
    kinds = torch.where(past, torch.where(seen, SEEN, BLIND), torch.where(seen, LEAK, LATER))
    if not seen[row, column]:
        kinds[row, column] = ITSELF
    return kinds.numpy()


def receptive_field() -> Explorer:
    """Choose a network, its depth and a pixel; colours say what the prediction there can read."""
    depths = range(1, SIZE + 1)
    built = {(name, n): make(n) for name, make in NETWORKS.items() for n in depths}
    figure, ax = plt.subplots(figsize=(4.6, 3.6), layout="constrained")
    image = ax.imshow(np.zeros((SIZE, SIZE)), cmap=COLOURS, vmin=0, vmax=4)
    ax.set(xlabel="column", ylabel="row")
    ax.set_xticks(np.arange(-0.5, SIZE), minor=True)
    ax.set_yticks(np.arange(-0.5, SIZE), minor=True)
    ax.grid(which="minor", color="white", linewidth=1.5)
    ax.tick_params(which="minor", length=0)
    bar = figure.colorbar(image, ax=ax, ticks=[0.4, 1.2, 2.0, 2.8, 3.6])
    bar.ax.set_yticklabels(["later", "out of reach", "read", "itself", "leak"])

    def update(network: str, layers: int, row: int, column: int) -> str:
        kinds = field_map(built[network, layers], row, column)
        image.set_data(kinds)
        counts = [int((kinds == k).sum()) for k in (SEEN, BLIND, LEAK)]
        said = f"Pixel ({row}, {column}) comes after {row * SIZE + column} others: {counts[0]} are "
        return said + f"read, {counts[1]} are out of reach. Forbidden pixels read: {counts[2]}."

    return explore(figure, update, network=menu("network", NETWORKS),
                   layers=slider("layers", 4, 1, SIZE, 1), row=slider("row", 5, 0, SIZE - 1, 1),
                   column=slider("column", 3, 0, SIZE - 1, 1))  # fmt: skip


N_BARS, N_NEW, LOG_2 = 8, 10, math.log(2)


def prompt_box(
    model: LanguageModel, prompt: str = "The return value of the", *, n_new: int = N_NEW
) -> Explorer:
    """Complete a prompt live, and show the distribution of the next token.

    Above, the likeliest next tokens, the model's bars behind those that are drawn from; below, how
    much each token that was written surprises the model, in bits.
    """
    tokenizer = model.tokenizer
    figure, (above, below) = panels(8.6, 4.6, 2, 1)
    model_bars = above.bar(range(N_BARS), [0.0] * N_BARS, width=0.8, color="#BBBBBB")
    used_bars = above.bar(range(N_BARS), [0.0] * N_BARS, width=0.45, color=BLUE)
    above.legend([model_bars, used_bars], ["the model", "drawn from"], loc="upper right")
    above.set(ylabel="probability", title="the next token, likeliest first")
    above.yaxis.set_major_locator(MaxNLocator(4))
    above.yaxis.set_major_formatter("{x:.3f}")  # as wide whatever is drawn: the layout stays
    bits_bars = below.bar(range(n_new), [0.0] * n_new, width=0.8, color=ORANGE)
    below.set(ylabel="surprise (bits)", title="what was written")
    for ax, n in ((above, N_BARS), (below, n_new)):
        ax.set_xticks(range(n), ["abc"] * n, rotation=60, ha="right", rotation_mode="anchor")
        ax.tick_params("x", labelsize=8)

    def name(token: int) -> str:
        signs = {b: chr(b) for b in range(33, 127)} | {10: "⏎", 32: "·", 36: r"\$"}
        return "".join(signs.get(b, f"\\x{b:02x}") for b in tokenizer.pieces[token])[:12]

    @torch.no_grad()
    def update(prompt: str, temperature: float, top_k: int, top_p: float, draw: int) -> str:
        reshape = partial(reshape_logits, temperature=temperature, top_k=top_k, top_p=top_p)
        seen: list[torch.Tensor] = []

        def watched(logits: torch.Tensor) -> torch.Tensor:
            seen.append(logits[0])
            return reshape(logits)

        generator = torch.Generator().manual_seed(draw)
        start = model.prompt(prompt, n_new)
        states = model.lm.continue_text(start, n_new, reshape=watched, generator=generator)
        written = last(states)[0, start.shape[1] :]
        p = seen[0].softmax(-1)
        q = reshape(seen[0][None])[0].softmax(-1)
        shown = p.argsort(descending=True)[:N_BARS].tolist()
        for bar, drawn, token in zip(model_bars, used_bars, shown, strict=True):
            bar.set_height(float(p[token]))
            drawn.set_height(float(q[token]))
        above.set_xticklabels([name(token) for token in shown])
        above.set_ylim(0, 1.1 * float(torch.maximum(p, q).max()))
        bits = -torch.stack(seen).log_softmax(-1).gather(1, written[:, None])[:, 0] / LOG_2
        for bar, height in zip(bits_bars, bits.tolist(), strict=True):
            bar.set_height(height)
        below.set_ylim(0, max(6.0, 1.1 * float(bits.max())))
        below.set_xticklabels([name(token) for token in written.tolist()])
        text = html.escape(prompt), html.escape(tokenizer.decode(written))
        return (
            f"<pre style='white-space:pre-wrap'>{text[0]}<b>{text[1]}</b></pre>"
            f"{int((q > 0).sum())} of {len(q)} tokens can come next; what was written costs "
            f"{float(bits.mean()):.2f} bits a token."
        )

    return explore(figure, update, temperature=slider("temperature", 0.7, 0.05, 2.0, 0.05),
                   top_k=slider("top-k", len(tokenizer.pieces), 1, len(tokenizer.pieces), 1),
                   top_p=slider("top-p", 0.95, 0.05, 1.0, 0.05), draw=slider("draw", 1, 1, 20, 1),
                   prompt=entry("prompt", prompt))  # fmt: skip
