"""Rows of the zoo that train in a second, for tests."""

import torch

from genlab.core import last
from genlab.data.text import load_text
from genlab.zoo import find

TEXT = load_text("val")[:6000]
TINY = {  # settings of rows that train in a second
    "width": 8, "d_text": 8, "n_layer": 1, "batch_size": 4, "n_steps": 4,
    "d_model": 16, "n_head": 2, "n_kv_head": 1, "d_hidden": 24, "n_tokens": 300, "context": 32,
    "short": 8, "n_simulations": 400, "d_latent": 4, "d_style": 4, "n_mapping": 1,
    "channels": (3, 3, 3), "discriminator_channels": (3, 3, 3), "discriminator_width": 4,
    "n_stills": 2, "batch_stills": 6, "inflated": False, "pretrained": False,
}  # fmt: skip
KEPT = {"latent_vae": {"width"}, "latent_dit": {"width"}}  # the shipped VAE's; a multiple of 16


def tiny(name, **changes):
    row = find(name)
    small = {k: v for k, v in TINY.items() if k in row.settings and k not in KEPT.get(name, ())}
    return row.but(**(small | changes))


def run_of(row, model):
    """The run of a row; the language model's on a short text."""
    return row.train(model, TEXT) if row.name == "language_model" else row.train(model)


def trained(row, *data):
    model = row.untrained()
    last(row.train(model, *data))
    return model


def seed(k=0):
    return torch.Generator().manual_seed(k)
