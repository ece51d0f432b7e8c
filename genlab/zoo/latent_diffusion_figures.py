r"""What the latent diffusion's cards say: words that survive, words that are kept, distances.

$$\text{real} \xrightarrow{\text{encode, decode}} \text{words that survive}, \qquad
\text{caption} \xrightarrow{\text{codes, decode}} \text{words that are kept}$$

The first chain has no diffusion in it: what it loses is the decoder's share of the error. Both are
read by the judge of captions, on the 1,000 digits that no training saw.

Lesson: notebooks/systems/latent_diffusion.ipynb
Sources: Heusel et al. 2017 (arXiv:1706.08500), eq. 6; Dalal and Triggs 2005 (the histograms).
"""

import copy
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from genlab.core.stats import kl_diag_normal
from genlab.data.captions import Attributes, grey_of, load_captioned, paint, read, write
from genlab.latent.vae import code_std
from genlab.metrics.distances import frechet_distance
from genlab.metrics.features import gradient_histograms
from genlab.systems.evaluation import digit_judge, word_scores
from genlab.zoo.cards import SEED, Figures, default_dtype

GUIDANCE, N_STEPS = 3.0, 12  # of the figures on the card


@cache
def _real() -> tuple[Tensor, Tensor, Tensor]:
    """Mean, and 32 whitened main axes, of gradient histograms of the judge's 4,000 digits."""
    parts = torch.split(load_captioned("judge", 16).grey.double(), 500)  # their table is large
    seen = torch.cat([gradient_histograms(part) for part in parts])
    mean = seen.mean(0)
    _, lengths, axes = torch.linalg.svd(seen - mean, full_matrices=False)
    axes = axes[:32].T * (len(seen) - 1) ** 0.5 / lengths[:32]
    return mean, axes, (seen - mean) @ axes


def shape_distance(images: Float[Tensor, " n 3 32 32"]) -> float:
    """Frechet distance of pictures to the judge's 4,000 real digits, in gradient histograms.

    Args:
        images: in [0, 1]; values outside are clipped. They are halved first; colour is ignored.

    Returns:
        A squared distance in units of the real digits' variance; no network is asked.
    """
    mean, axes, real = _real()
    small = avg_pool2d(grey_of(images.double().clamp(0, 1))[:, None], 2)[:, 0]
    return frechet_distance(real, (gradient_histograms(small) - mean) @ axes).item()


def held_out_pictures() -> tuple[Tensor, Attributes]:
    """The 1,000 digits that no training saw, coloured, and what is true of them."""
    grey, attributes = load_captioned("test")
    return paint(grey, attributes.colour), attributes


@torch.no_grad()
def measure_vae(model: Any) -> Figures:
    """Reconstructions of the test digits: error, price, words that survive, Frechet distance."""
    x, attributes = held_out_pictures()
    mu, log_var = model.encode(x)
    back = model.decode(mu)
    kept = word_scores(back, [read(c) for c in write(attributes)], digit_judge())
    generator = Generator().manual_seed(SEED)
    return {
        "kind": "bound",
        "rmse": (back - x).square().mean().sqrt().item(),
        "kl_nats": kl_diag_normal(mu, log_var).mean().item(),
        "elbo_nats": model.elbo(x, generator=generator).mean().item(),
        "spread": code_std(mu - mu.mean((0, 2, 3), keepdim=True), log_var).item(),
        **{f"kept_{kind}": share for kind, share in kept.items()},
        "frechet": shape_distance(back),
    }


def measure_painter(model: Any) -> Figures:
    """Words kept by one picture for each of the 1,000 test captions, plain and guided."""
    captions = write(held_out_pictures()[1])
    claims, found = [read(c) for c in captions], Figures()
    with default_dtype(torch.float32):
        small = copy.deepcopy(model).float()
        for w, names in (
            (GUIDANCE, ("digit", "colour", "stroke", "slant", "all")),
            (1.0, ("all",)),
        ):
            x = small.paint(
                captions, guidance_scale=w, n_steps=N_STEPS,
                generator=Generator().manual_seed(SEED),
            )  # fmt: skip
            kept = word_scores(x, claims, digit_judge())
            plain = "" if w != 1 else "_unguided"
            found |= {f"kept_{name}{plain}": kept[name] for name in names}
            found[f"frechet{plain}"] = shape_distance(x)
    return found
