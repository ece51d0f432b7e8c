"""The labs' systems, asked live: a caption is drawn, filmed, or completed and drawn."""

import html
from functools import lru_cache, partial
from itertools import chain
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from torch import Generator, Tensor

from genlab.autoregressive.decoding import apply_temperature
from genlab.core import last
from genlab.data.language import MOTIONS, read_caption, read_moving, read_scenes, write_scenes
from genlab.data.moving import measure_motion
from genlab.systems import language_and_image as lab
from genlab.systems import scene_evaluation
from genlab.systems.evaluation import Classifier, kept_words, motion_residual
from genlab.systems.glide import Glide
from genlab.systems.language_and_image import IMAGE, LENGTH, LanguageAndImage
from genlab.systems.latent_diffusion import LatentDiffusion
from genlab.systems.text_to_video import TextToVideo
from genlab_course.figures import BLACK, BLUE, ORANGE, RED
from genlab_course.widgets.explorer import Explorer, entry, explore, menu, panels, powers, slider

N, STEPS, STEPS_UP = 3, 8, 2  # few, to be quick; with 6 and w = 6 the ink is gone
KINDS = ("digit", "colour", "stroke", "slant")


def _plain(prompt: str) -> str:
    return " ".join(prompt.lower().strip().rstrip(".").split())


def _paint(artist: AxesImage, picture: Tensor) -> None:
    artist.set_data(picture.clamp(0, 1).permute(1, 2, 0).double().numpy())


def caption_sampler(
    glide: Glide, judge: Classifier, prompt: str = "a thin red seven leaning right"
) -> Explorer:
    """Draw three pictures of a caption in both stages of GLIDE, and say which words they keep.

    `w` is the guidance of the small pictures, `s` the noise on them for the second stage. Eight
    steps below and two above, instead of twelve and six, so that it follows your hand.
    """
    figure, axes = panels(5.6, 3.9, 2, N)
    sides = glide.base.event_shape[-1], glide.upsampler.painter.event_shape[-1]
    shown = [[ax.imshow(np.zeros((side, side, 3))) for ax in row]
             for row, side in zip(axes, sides, strict=True)]  # fmt: skip
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    for row, side in zip(axes, sides, strict=True):
        row[0].set_ylabel(f"{side} x {side}")

    @lru_cache(1)  # drawn anew only when one of its own controls has moved
    def small_pictures(caption: str, w: float, seed: int) -> Tensor:
        how: dict[str, Any] = {"n_steps": STEPS, "generator": Generator().manual_seed(seed)}
        how |= {"guidance_scale": w, "interval": glide.interval}
        return glide.base.draw([caption] * N, **how)

    @torch.inference_mode()
    def update(prompt: str, w: float, s: float, seed: int) -> str:
        try:
            claims = read_caption(prompt)
        except ValueError as error:
            return f"<b>Not drawn.</b> {html.escape(str(error))}"
        captions = [_plain(prompt)] * N
        small = small_pictures(_plain(prompt), w, seed)
        how: dict[str, Any] = {"n_steps": STEPS_UP, "generator": Generator().manual_seed(seed)}
        images = ((glide.upsampler.draw(captions, small, s=s, **how) + 1) / 2).clamp(0, 1)
        kept = kept_words(images, [claims] * N, judge)
        for artist, picture in zip(chain(*shown), chain((small + 1) / 2, images), strict=True):
            _paint(artist, picture)
        for k, ax in enumerate(axes[1]):
            broken = [kind for kind in KINDS if kept[kind][k] == 0]
            said = f"not its {', '.join(broken)}" if broken else "every word kept"
            ax.set_xlabel(said, color=RED if broken else BLACK, fontsize=8)
        return (
            f"{int(kept['all'].sum())} of {N} keep every word; spread of the pixels between the "
            f"three {float(images.std(0).mean()):.3f}"
        )

    return explore(figure, update, prompt=entry("prompt", prompt),
                   w=slider("guidance w", 3.0, 0, 10, 0.5),
                   s=slider("noise for stage two", 0.1, 0, 0.5, 0.05),
                   seed=slider("seed", 1, 1, 30, 1))  # fmt: skip


def latent_sampler(model: LatentDiffusion, evaluator: scene_evaluation.Classifier) -> Explorer:
    """Draw a caption by a few steps of DDIM on codes: each code decoded, and the verdict."""
    figure, grid = panels(8.4, 5.4, 2, 3)
    axes = grid.ravel()
    shown = [ax.imshow(np.zeros((*model.event_shape[1:], 3))) for ax in axes]
    for ax in axes:
        ax.set_axis_off()

    @torch.inference_mode()
    def update(prompt: str, w: float, steps: int, noise: int) -> str:
        words = _plain(prompt)
        try:
            facts = read_scenes([words])
        except ValueError as error:
            return f"<b>Not drawn.</b> {html.escape(str(error))}"
        how: dict[str, Any] = {"n_steps": steps, "generator": Generator().manual_seed(noise)}
        states = list(model.codes([words], 1, guidance_scale=w, **how))
        chosen = [round(k * steps / (len(axes) - 1)) for k in range(len(axes))]
        images = model.decode(torch.cat([states[k] for k in chosen])).clamp(0, 1)
        for ax, artist, k, image in zip(axes, shown, chosen, images, strict=True):
            _paint(artist, image)
            ax.set_title(f"after {k} steps", fontsize=9)
        seen = scene_evaluation.read_pictures(images[-1:], facts, evaluator)
        said = facts.clone()
        said[:, [0, 3]], said[:, [1, 4]] = seen.digit, seen.colour
        kept = scene_evaluation.kept_facts(images[-1:], facts, evaluator)
        broken = [kind for kind in ("digit", "colour") if kept[kind][0] == 0]
        verdict = f"broken: {', '.join(broken)}" if broken else "every word kept"
        cost = f"{steps if w == 1 else 2 * steps} evaluations of the network, one of the decoder"
        return f"the evaluator reads: {write_scenes(said)[0]}; {verdict}; {cost}"

    return explore(figure, update, prompt=entry("prompt", "a red seven left of a blue three"),
                   w=slider("guidance w", 3.0, 0, 8, 0.5), steps=slider("steps", 10, 5, 20, 1),
                   noise=slider("noise", 1, 1, 20, 1))  # fmt: skip


TOGETHER, ALONE, SHARED = "together", "each alone", "each alone, same noise"
N_STEPS, GUIDANCE, GAP = 3, 3.0, 1  # few, to be quick; no motion is lost


def canvas(video: Float[Tensor, " 3 f h w"]) -> Float[Tensor, " h wide 3"]:
    """The frames of a video in [0, 1] side by side, with a white line between neighbours."""
    wide = torch.nn.functional.pad(video, (0, GAP), value=1.0)
    return wide.permute(2, 1, 3, 0).flatten(1, 2)[:, :-GAP]


def video_frames(maker: TextToVideo, prompt: str = "a red seven moving left") -> Explorer:
    """Make a video of a caption live, show its frames, and one of them large.

    A new video takes a few evaluations of the network; those already made are remembered.
    """
    n_frames, side, _ = maker.event_shape[1:]
    pitch = side + GAP
    figure, (left, right) = panels(9.2, 1.9, width_ratios=[1, 5.6])
    blank = torch.zeros(3, n_frames, side, side)
    large = left.imshow(blank[:, 0].permute(1, 2, 0).numpy(), vmin=0, vmax=1)
    strip = right.imshow(canvas(blank).numpy(), vmin=0, vmax=1)
    mark = right.add_patch(Rectangle((-0.5, -0.5), side, side, fill=False, ec=ORANGE, lw=2.5))
    left.set_axis_off()
    right.set(yticks=[], xlabel="frame", xticks=[pitch * f + side / 2 for f in range(n_frames)])
    right.set_xticklabels([str(f) for f in range(n_frames)])

    @lru_cache(maxsize=64)
    def video(prompt: str, seed: int, how: str) -> Tensor:
        like = maker.no_caption.state
        shape = (1, *maker.event_shape)
        noise = torch.randn(shape, generator=Generator().manual_seed(seed), dtype=like.dtype)
        noise = noise[:, :, :1].expand(shape) if how == SHARED else noise
        few: dict[str, Any] = {"guidance_scale": GUIDANCE, "n_steps": N_STEPS}
        return maker.draw([_plain(prompt)], joined=how == TOGETHER, noise=noise, **few)[0]

    def update(frame: int, seed: int, how: str, prompt: str) -> str:
        try:
            read_moving(prompt)
        except ValueError as error:
            return f"This network knows another language: {html.escape(str(error))}"
        made = video(prompt, seed, how)
        _paint(large, made[:, frame])
        strip.set_data(canvas(made).numpy())
        mark.set_x(pitch * frame - 0.5)
        grey = made.amax(0)[None]
        motion = int(measure_motion(grey))
        seen = "nothing moves" if motion < 0 else MOTIONS[motion]
        first = f"Measured: {seen}. The best of seven motions leaves "
        return first + f"{100 * float(motion_residual(grey)):.0f} % of the next frame unexplained."

    return explore(figure, update, play="frame", frame=slider("frame", 0, 0, n_frames - 1, 1),
                   seed=slider("seed", 1, 1, 30, 1),
                   how=menu("frames made", (TOGETHER, ALONE, SHARED), TOGETHER),
                   prompt=entry("prompt", prompt))  # fmt: skip


STEPS_WRITE_AND_DRAW = 7  # two evaluations each when guided
GREY = "#BBBBBB"  # bars of words that the prompt gave


def write_and_draw(model: LanguageAndImage) -> Explorer:
    """Complete a prompt and draw it: the probability of each word, and the picture."""
    figure, (left, right) = panels(8.8, 3.2, width_ratios=(2.4, 1))
    bars = left.bar(range(LENGTH), [0.0] * LENGTH, width=0.7)
    said = [left.text(k, 0.0, "", ha="center", va="bottom", fontsize=8) for k in range(LENGTH)]
    left.set_xticks(range(LENGTH), [lab.IMAGE_TOKEN] * LENGTH, fontfamily="monospace", rotation=20)
    left.set(ylabel="probability at its turn", ylim=(0, 1.12), title="what is written")
    for colour, label in ((GREY, "given"), (BLUE, "drawn"), (ORANGE, "image token")):
        left.bar([0], [0], color=colour, label=label)
    left.legend(loc="upper left", fontsize=8, ncols=3)
    picture = right.imshow(np.zeros((16, 16, 3)))
    right.set(xticks=[], yticks=[], title="what is drawn")
    absent = right.text(7.5, 7.5, "", color="white", ha="center", va="center")

    def show_words(tokens: torch.Tensor, n_given: int) -> None:
        row = tokens[0].tolist()
        p = model.lm.states_and_log_probs(tokens)[1][0].exp().tolist()
        names = [lab.VOCABULARY[k] for k in row] + [""] * (LENGTH - len(row))
        for k, (bar, label) in enumerate(zip(bars, said, strict=True)):
            height = p[k] if k < len(row) else 0.0
            given = k < n_given
            image = k < len(row) and row[k] == IMAGE
            bar.set_height(height)
            bar.set_color(ORANGE if image else GREY if given else BLUE)
            label.set(y=height, text=f"{height:.2g}" if k < len(row) else "", color=BLACK)
        left.set_xticklabels(names)

    @torch.no_grad()
    def update(prompt: str, temperature: float, guidance: float, seed: int) -> str:
        generator = Generator().manual_seed(seed)
        words = prompt.lower().split()[: LENGTH - 1]
        try:
            reshape = partial(apply_temperature, temperature=temperature)
            start = [" ".join(words)]
            written = last(model.lm.write(start, reshape=reshape, generator=generator))
        except ValueError as error:
            return f"{error}".split("; known")[0] + "; nothing is written"
        show_words(written.tokens, len(words))
        text = lab.words_of(written.tokens.masked_fill(written.tokens == IMAGE, lab.FILL))[0]
        if not bool(written.stopped):
            picture.set_data(np.zeros((16, 16, 3)))
            absent.set_text("no image token:\nnobody draws")
            return f"written: “{text}”; seven words and no image token"
        absent.set_text("")
        how: dict[str, Any] = {"n_steps": STEPS_WRITE_AND_DRAW, "guidance_scale": guidance}
        _paint(picture, (model.draw(written.states, generator=generator, **how)[0] + 1) / 2)
        return f"written: “{text}”; drawn from {len(text.split()) + 1} states"

    return explore(figure, update, prompt=entry("prompt", "a thin red"),
                   guidance=slider("guidance w", 3.0, 0, 6, 0.5), seed=slider("seed", 1, 0, 30, 1),
                   temperature=powers("temperature", 1.0, -1, 1, 0.1))  # fmt: skip
