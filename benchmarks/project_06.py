"""Lesson 06's project: 16 tokens of 64 codes, and a transformer on them.

    python benchmarks/project_06.py

Three training seeds. A reconstruction is recognised if evaluator B names the digit's own label; a
sample, if both evaluators give one digit a probability above 0.9. Both are told beside what real
black-and-white digits reach.
"""

import time

import torch
import torch.nn.functional as F
from torch import nn

from genlab import latent
from genlab.autoregressive.lm import TransformerLM
from genlab.data.digits import binarize, load_mnist
from genlab.nn.transformer import TransformerConfig
from genlab.train import EMA
from genlab.zoo import load_model

N_TOKENS, N_CODES, DIM, LEVELS = 16, 64, 3, (4, 4, 4)
SEEDS = (0, 1, 2)
CONFIG = TransformerConfig(d_model=64, n_layer=3, n_head=4, n_kv_head=4, d_hidden=128, dropout=0.1)


class Tokenizer(nn.Module):
    """The page's two networks, wider, around rounding."""

    def __init__(self, width=256):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(256, width), nn.SiLU(), nn.Linear(width, N_TOKENS * DIM),
            nn.LayerNorm(N_TOKENS * DIM), nn.Unflatten(1, (N_TOKENS, DIM)),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Flatten(), nn.Linear(N_TOKENS * DIM, width), nn.SiLU(), nn.Linear(width, 256)
        )

    def codes(self, x):
        return latent.finite_scalar_quantize(self.encoder(x), LEVELS)


def steps(parameters, n, lr, weight_decay=0.0):
    """An optimiser and its schedule."""
    optimizer = torch.optim.AdamW(parameters, lr, weight_decay=weight_decay)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=n)


def shifted(x, generator):
    """Each picture moved by at most one pixel each way."""
    dy, dx = torch.randint(-1, 2, (2,), generator=generator).tolist()
    return x.view(-1, 16, 16).roll((dy, dx), (1, 2)).flatten(1)


def tokenizer_of(x, seed, n=2500):
    """Train the tokenizer on pictures and pictures moved by a pixel."""
    torch.manual_seed(seed)
    generator, model = torch.Generator().manual_seed(seed), Tokenizer()
    optimizer, rate = steps(model.parameters(), n, 3e-3, 0.02)
    for _ in range(n):
        batch = x[torch.randint(len(x), (64,), generator=generator)]
        if torch.rand((), generator=generator) < 0.5:
            batch = shifted(batch, generator)
        logits = model.decoder(model.codes(batch))
        loss = F.binary_cross_entropy_with_logits(logits, batch, reduction="none").sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
    return model.eval()


def prior_of(tokens, seed, n=2500):
    """Train lesson 02's transformer on the tokens of the training pictures."""
    torch.manual_seed(seed)
    generator, model = torch.Generator().manual_seed(seed), TransformerLM(64, 16, CONFIG)
    average = EMA(model, 0.998)
    optimizer, rate = steps(model.parameters(), n, 3e-3, 0.1)
    for _ in range(n):
        loss = model.loss(tokens[torch.randint(len(tokens), (64,), generator=generator)])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        rate.step()
        average.update(model)
    return average.average.eval()


@torch.no_grad()
def named(images):
    """Evaluator B's digit, and whether both are sure of the same one."""
    grey = 255 * images.view(-1, 1, 16, 16)
    (sure_a, a), (sure_b, b) = (
        load_model(f"digit16_evaluator_{name}")(grey).softmax(1).max(1) for name in "ab"
    )
    return b, (a == b) & (sure_a > 0.9) & (sure_b > 0.9)


def main():
    """Print reconstruction, bits of the tokens and recognised samples of each seed."""
    torch.set_num_threads(1)
    (train, _), (test, labels) = (load_mnist(split, 16) for split in ("train", "test"))
    x, x_test = (binarize(part).flatten(1).float() for part in (train, test))
    digit, sure = named(x_test)
    print(f"real digits: B right {(digit == labels).float().mean():.3f},", end=" ")
    print(f"both sure {sure.float().mean():.3f}")
    for seed in SEEDS:
        begin = time.process_time()
        model = tokenizer_of(x, seed)
        with torch.no_grad():
            tokens, held_out = (
                latent.finite_scalar_index(model.codes(part), LEVELS) for part in (x, x_test)
            )
            logits = model.decoder(model.codes(x_test))
        nats = F.binary_cross_entropy_with_logits(logits, x_test, reduction="none").sum(1).mean()
        digit, sure = named(logits.sigmoid())
        first = time.process_time() - begin
        print(f"seed {seed}: tokenizer {first:.0f} s, {nats:.1f} nats,", end=" ")
        print(f"B right {(digit == labels).float().mean():.3f},", end=" ")
        print(f"used {latent.codebook_usage(held_out, 64):.1f} of 64", flush=True)
        prior = prior_of(tokens, seed)
        with torch.no_grad():
            rate = -prior.log_prob(held_out).mean()
            seen = -prior.log_prob(tokens[:1000]).mean()
        said = []
        for draw in (1, 2):
            drawn = prior.sample(200, generator=torch.Generator().manual_seed(draw))
            z = torch.stack([(drawn // n) % 4 for n in (1, 4, 16)], -1) / 2 - 1.0
            with torch.no_grad():
                pictures = model.decoder(z).sigmoid()
            said.append(f"{named(pictures)[1].float().mean():.3f}")
        print(
            f"    transformer {time.process_time() - begin - first:.0f} s: {rate:.1f} nats", end=""
        )
        print(f" ({seen:.1f} seen) of {16 * torch.tensor(64.0).log():.1f};", end=" ")
        print(f"both sure of {', '.join(said)} of the samples", flush=True)


if __name__ == "__main__":
    main()
