"""Whole texts of the shipped language model, read again from their beginning for each token.

Both sides compute in doubles from the same half-precision weights; sums in another order differ by
1e-15 of a number, and the exponents of a softmax at temperature 0.1 make 1e-12 of that at the most.
"""

import math
from functools import lru_cache

import torch

from genlab.autoregressive.decoding import draw, reshape_logits
from genlab.zoo import load_model
from tests.browser.living.replay import Normals

FIRST = {"length": 5}  # tokens written at the ends of the other controls
N_RANDOM = 16
SHORT = {"length": 6}  # a text of many tokens takes a second
PROMPTS = ["The function returns", "If the object is", "A class can", "New in version 3"]
HIDDEN = {
    "chosen": lambda rng: [
        [rng.randrange(8), rng.randrange(1024), rng.choice(PROMPTS)] for _ in range(3)
    ]
}


@lru_cache(maxsize=1)
def model():
    return load_model("language_model", dtype=torch.float64)


@torch.no_grad()
def expected(settings):
    written = model().tokenizer.encode(settings["prompt"])
    start, cost, noise = len(written), [], Normals(settings["seed"])
    for n in range(settings["length"] + 1):
        logits = model().lm.next_logits(torch.cat([model().lm.begin(1)[0], written])[None])[:, -1]
        shaped = reshape_logits(logits, temperature=settings["temperature"], top_p=settings["top"])
        plain = logits.softmax(-1)[0]
        if n == settings["length"]:
            break
        token = draw(shaped, torch.tensor([noise.uniform()], dtype=torch.float64))
        for place, hand, prompt in settings["chosen"][::-1]:  # of two at one place, the first
            if (place, prompt) == (n, settings["prompt"]):
                token = torch.tensor([hand])
        cost.append(-plain[token[0]].log2())
        written = torch.cat([written, token])
    bits = -torch.xlogy(plain, plain).sum() / math.log(2)
    return {
        "tokens": written, "start": start, "cost": cost, "plain": plain,
        "p": shaped.softmax(-1)[0], "bits": bits,
    }  # fmt: skip
