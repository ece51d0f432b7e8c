"""Turn temperature, top-k and top-p, and watch the next-piece distribution change its shape."""

from collections.abc import Sequence

import ipywidgets
import matplotlib.pyplot as plt
import torch
from torch import Tensor

from ..autoregressive.decoding import reshape_logits
from ..core import entropy
from ..course.figures import BLUE
from .explorer import Explorer, explore

N_SHOWN = 24


def decoding(logits: Tensor, pieces: Sequence[str], contexts: Sequence[str]) -> Explorer:
    """Explore how decoding settings reshape a model's next-piece distribution.

    Args:
        logits: `(m, k)`, the model's next-piece logits after each of m contexts.
        pieces: what to write under the bars, k of them.
        contexts: the m contexts, to choose from.

    Returns:
        The widget; the likeliest 24 pieces are shown, bars of the model behind those in use.

    Raises:
        ValueError: the numbers of contexts or pieces do not fit the logits.
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
    ax.set(xlabel="next piece, likeliest first", ylabel="probability", ylim=(0, 1))
    ax.set_xticks(range(n), [""] * n, fontfamily="monospace")
    ax.legend()
    names = list(contexts)

    def update(context: str, temperature: float, top_k: int, top_p: float) -> str:
        row = logits[[names.index(context)]]
        used = reshape_logits(row, temperature=temperature, top_k=top_k, top_p=top_p)
        p, q = row.softmax(-1)[0], used.softmax(-1)[0]
        shown = p.argsort(descending=True, stable=True)[:n]
        for bar, drawn, j in zip(model_bars, used_bars, shown.tolist(), strict=True):
            bar.set_height(float(p[j]))
            drawn.set_height(float(q[j]))
        ax.set_xticklabels([pieces[j] for j in shown.tolist()])
        ax.set_ylim(0, 1.1 * float(torch.maximum(p, q).max()))
        kept = q > 0
        return (
            f"{int(kept.sum())} of {len(pieces)} pieces can be drawn; the model gave them "
            f"{float(p[kept].sum()):.3f}. Entropy {float(entropy(p)):.2f} nats before, "
            f"{float(entropy(q)):.2f} after."
        )

    return explore(
        figure,
        update,
        context=ipywidgets.Dropdown(options=names, value=names[0], description="context"),
        temperature=ipywidgets.FloatLogSlider(
            value=1.0, base=10, min=-1, max=0.6, step=0.05, description="temperature"
        ),
        top_k=ipywidgets.IntSlider(value=len(pieces), min=1, max=len(pieces), description="top-k"),
        top_p=ipywidgets.FloatSlider(value=1.0, min=0.05, max=1.0, step=0.05, description="top-p"),
    )
