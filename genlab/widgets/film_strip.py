"""Write a caption, choose a seed, and page through the film that is made of them."""

import html
from functools import lru_cache

import ipywidgets
import matplotlib.pyplot as plt
import torch
from jaxtyping import Float
from matplotlib.patches import Rectangle
from torch import Tensor

from ..course.figures import ORANGE
from ..data.moving import MOTIONS, measure_motion, read_moving
from ..systems.film_judging import motion_residual
from ..systems.text_to_video import FilmMaker
from .explorer import Explorer, explore

TOGETHER, ALONE, SHARED = "together", "each alone", "each alone, same noise"
N_STEPS, GUIDANCE, GAP = 3, 3.0, 1  # few, to be quick; no motion is lost


def canvas(film: Float[Tensor, " 3 f h w"]) -> Float[Tensor, " h wide 3"]:
    """Lay the frames of a film side by side, with a white line between neighbours.

    Args:
        film: in [0, 1].

    Returns:
        One picture.

    Example:
        >>> canvas(torch.zeros(3, 8, 16, 16)).shape
        torch.Size([16, 135, 3])
    """
    wide = torch.nn.functional.pad(film, (0, GAP), value=1.0)
    return wide.permute(2, 1, 3, 0).flatten(1, 2)[:, :-GAP]


def film_strip(maker: FilmMaker, prompt: str = "a red seven moving left") -> Explorer:
    """Make a film of a caption live, show its frames, and one of them large.

    A new film takes a few passes of the network (some tenths of a second); films already made are
    remembered, so that paging through the frames is immediate.

    Args:
        maker: a trained film maker.
        prompt: what stands in the box at first.

    Returns:
        The widget; controls `frame`, `seed`, `how` (all frames together, each alone, or each alone
        from the same noise) and `prompt` (read when you press Enter).
    """
    n_frames, side, _ = maker.event_shape[1:]
    pitch = side + GAP
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(9.2, 1.9), width_ratios=[1, 5.6], layout="constrained"
    )
    blank = torch.zeros(3, n_frames, side, side)
    large = left.imshow(blank[:, 0].permute(1, 2, 0).numpy(), vmin=0, vmax=1)
    strip = right.imshow(canvas(blank).numpy(), vmin=0, vmax=1)
    corner = (-0.5, -0.5)
    mark = right.add_patch(Rectangle(corner, side, side, fill=False, ec=ORANGE, lw=2.5))
    left.set_axis_off()
    right.set(yticks=[], xlabel="frame", xticks=[pitch * f + side / 2 for f in range(n_frames)])
    right.set_xticklabels([str(f) for f in range(n_frames)])

    @lru_cache(maxsize=64)
    def film(prompt: str, seed: int, how: str) -> Tensor:
        like = maker.no_caption.state
        shape = (1, *maker.event_shape)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=like.dtype)
        noise = noise[:, :, :1].expand(shape) if how == SHARED else noise
        made: Tensor = maker.sample(
            [prompt.lower().strip().rstrip(".")], guidance_scale=GUIDANCE, n_steps=N_STEPS,
            joined=how == TOGETHER, noise=noise,
        )[0]  # fmt: skip
        return made

    def update(frame: int, seed: int, how: str, prompt: str) -> str:
        try:
            read_moving(prompt)
        except ValueError as error:
            return f"This network knows another language: {html.escape(str(error))}"
        made = film(prompt, seed, how)
        large.set_data(made[:, frame].permute(1, 2, 0).numpy())
        strip.set_data(canvas(made).numpy())
        mark.set_x(pitch * frame - 0.5)
        grey = made.amax(0)[None]
        motion = int(measure_motion(grey))
        seen = "nothing moves" if motion < 0 else MOTIONS[motion]
        return (
            f"Measured: {seen}. The best of seven motions leaves "
            f"{100 * float(motion_residual(grey)):.0f} % of the next frame unexplained."
        )

    return explore(
        figure,
        update,
        frame=ipywidgets.IntSlider(value=0, min=0, max=n_frames - 1, description="frame"),
        seed=ipywidgets.IntSlider(value=1, min=1, max=30, description="seed"),
        how=ipywidgets.Dropdown(
            options=(TOGETHER, ALONE, SHARED), value=TOGETHER, description="frames made"
        ),
        prompt=ipywidgets.Text(value=prompt, description="prompt", continuous_update=False),
    )
