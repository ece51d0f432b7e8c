"""Interactive figures: they drive genlab's functions and hold no mathematics of their own.

Those of `living` move without a kernel; their mathematics is in JavaScript, held to genlab's.

A figure's module, and the models that it needs, are imported when it is first asked for.
"""

import importlib
from typing import Any

from genlab_course.widgets.explorer import Explorer, explore, later, project
from genlab_course.widgets.quiz import quiz

FIGURES = {  # figure: its module
    name: module
    for module, names in {
        "adversarial": ("gan_game", "style_mixer"),
        "autoregressive": ("decoding", "prompt_box", "receptive_field"),
        "flow": ("epidemic_posterior", "flow_warp"),
        "frontier": ("large_run", "parallel_pixels", "recipe_ladder"),
        "landscape": ("five_samplers", "paradigm_map"),
        "living": (
            "causal_mask", "digits_live", "draw_a_shape", "earth_mover", "elbo_gap", "flow_grid",
            "forward_process", "game_orbit", "guidance", "kl_fit", "langevin_bias", "latent_walk",
            "next_token", "sampler_steps", "score_walk", "straight_flow",
        ),
        "latent": ("latent_plane", "posterior_ellipse"),
        "metrics": ("metric_room",),
        "releases": ("clinic", "release_reader"),
        "score": ("score_field", "sde_paths"),
        "training": ("watch",),
        "systems": ("caption_sampler", "video_frames", "latent_sampler", "write_and_draw"),
    }.items()
    for name in names
}  # fmt: skip
__all__ = [*FIGURES, "Explorer", "explore", "later", "project", "quiz"]


def __getattr__(name: str) -> Any:
    if name not in FIGURES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{FIGURES[name]}"), name)
