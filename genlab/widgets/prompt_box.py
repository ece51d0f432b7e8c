"""Type a prompt, set temperature, top-k and top-p, and read what the model writes and why."""

import html
import math
from functools import partial

import ipywidgets
import matplotlib.pyplot as plt
import torch
from matplotlib.ticker import MaxNLocator

from ..autoregressive.decoding import reshape_logits
from ..core import last
from ..course.figures import BLUE, ORANGE
from ..systems.language_model import LanguageModel
from .explorer import Explorer, explore

N_BARS, N_NEW, LOG_2 = 8, 10, math.log(2)


def prompt_box(
    model: LanguageModel, prompt: str = "The return value of the", *, n_new: int = N_NEW
) -> Explorer:
    """Complete a prompt live, and show the distribution of the next token.

    Args:
        model: a trained language model.
        prompt: what stands in the box at first.
        n_new: tokens to write.

    Returns:
        The widget; controls `prompt` (read when you press Enter), `temperature` (0.05 is nearly
        greedy), `top_k`, `top_p` and `draw` (other random numbers). Above, the likeliest next
        tokens, the model's bars behind those that are drawn from; below, how much each token that
        was written surprises the model, in bits.
    """
    tokenizer = model.tokenizer
    figure, (above, below) = plt.subplots(2, 1, figsize=(8.6, 4.6), layout="constrained")
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
        marks = {10: "⏎", 32: "·", 36: r"\$"}
        piece = (
            marks.get(b, chr(b) if 32 < b < 127 else f"\\x{b:02x}") for b in tokenizer.pieces[token]
        )
        return "".join(piece)[:12]

    @torch.no_grad()
    def update(prompt: str, temperature: float, top_k: int, top_p: float, draw: int) -> str:
        reshape = partial(reshape_logits, temperature=temperature, top_k=top_k, top_p=top_p)
        seen: list[torch.Tensor] = []

        def watched(logits: torch.Tensor) -> torch.Tensor:
            seen.append(logits[0])
            return reshape(logits)

        generator = torch.Generator().manual_seed(draw)
        start = model.prompt(prompt, n_new)
        written = last(model.lm.continue_text(start, n_new, reshape=watched, generator=generator))[
            0, start.shape[1] :
        ]
        p, q = seen[0].softmax(-1), reshape(seen[0][None])[0].softmax(-1)
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

    return explore(
        figure,
        update,
        temperature=ipywidgets.FloatSlider(
            value=0.7, min=0.05, max=2.0, step=0.05, description="temperature"
        ),
        top_k=ipywidgets.IntSlider(
            value=len(tokenizer.pieces), min=1, max=len(tokenizer.pieces), description="top-k"
        ),
        top_p=ipywidgets.FloatSlider(value=0.95, min=0.05, max=1.0, step=0.05, description="top-p"),
        draw=ipywidgets.IntSlider(value=1, min=1, max=20, description="draw"),
        prompt=ipywidgets.Text(value=prompt, description="prompt", continuous_update=False),
    )
