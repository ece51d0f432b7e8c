"""The latent diffusion lab's project: a fifth relation, "inside", taught to the shipped model.

    python benchmarks/project_inside.py

The second object is a zero with an empty hole, stretched over the paper; the first is within it.
The evaluator looks at the middle for the first, around it for the second. The word is a new row of
the text encoder's table; the VAE stays; 8 of 32 scenes of a batch are new. Printed: marks of real
scenes, plain and through the VAE, and of 500 drawings of each kind of caption, standard errors.
"""

import copy
import time

import torch
import torch.nn.functional as F
from torch import nn

from genlab.data import scenes
from genlab.data.language import ALONE, SCENE_WORDS, encode_scenes
from genlab.data.scenes import SIZE, SMALL, print_ink
from genlab.systems.scene_evaluation import SPANS, centred, kept_facts, measure_ink
from genlab.zoo import load_model
from genlab.zoo.latent_diffusion import GUIDANCE, N_DRAWN, P_TWO, real_scenes, scenes_of
from genlab.zoo.recipe import Plan, by_loss

STEPS, LR, SEEDS, INSIDE, K = 1500, 3e-4, (0, 1, 2), ALONE + 1, 9  # K: margin of the middle


def stretch(grey, side):
    """Grey objects (n, h, w) scaled to a square."""
    return F.interpolate(grey[:, None], (side, side), mode="bilinear", antialias=True)[:, 0]


def large_zeros(objects):
    """The zeros whose middle is empty once their ink is stretched over the whole paper."""
    found = objects.grey[objects.digit == 0]
    rings = torch.cat([stretch(a[a.amax(1) > 0.2][None, :, a.amax(0) > 0.2], SIZE) for a in found])
    return rings[rings[:, K:-K, K:-K].mean((1, 2)) < 0.03]


def inside(grey, digit, zeros, g):
    """Scenes of the new relation, a digit in a zero, and what their captions say."""
    n, k, zero = len(grey), (SIZE - SMALL) // 2, 0 * digit
    first, second = scenes.draw_colours(torch.stack([digit, zero], 1), g).T
    facts = torch.stack([digit, first, zero + INSIDE, zero, second], 1)
    free = torch.randint(-1, 2, (n, 2), generator=g).tolist()
    small = zip(stretch(grey, SMALL), free, strict=True)
    inner = torch.stack([F.pad(a, (k + x, k - x, k + y, k - y)) for a, (x, y) in small])
    outer = zeros[torch.randint(len(zeros), (n,), generator=g)] * (1 - inner)
    paper = print_ink(0 * inner, first)
    return (print_ink(inner, first) + print_ink(outer, second) - paper).clamp(0, 1), facts


def encode(facts):
    """Rows of word numbers; the new word stands where "above", relation 2, would."""
    new = (facts[:, 2] == INSIDE)[:, None]
    rows = encode_scenes(torch.where(new & (torch.arange(5) == 2), 2, facts))
    return torch.where(new & (torch.arange(8) == 3), len(SCENE_WORDS), rows)


def kept_inside(x, facts, evaluator):
    """Which pictures of the new kind show every word: digit, zero and both colours."""
    right, middle = True, F.pad(torch.ones(SIZE - 2 * K, SIZE - 2 * K), (K, K, K, K)).bool()
    for mask, span, at in ((middle, SPANS[0], 0), (~middle, SPANS[1] * SIZE / 22, 3)):
        colour, grey = measure_ink(x.clamp(0, 1), mask.expand(len(x), SIZE, SIZE))
        seen = evaluator(centred(grey, torch.full((len(x),), float(span))))
        right = right & (seen == facts[:, at]) & (colour == facts[:, at + 1])
    return right.double()


def mark(who, model, tests, evaluator):
    """Print words right, of drawings of each kind of caption."""
    for kind, facts in tests.items():
        g = torch.Generator().manual_seed(0)
        x = model.draw(encode(facts), guidance_scale=GUIDANCE, generator=g)
        kept = kept_inside if kind == "inside" else lambda *a: kept_facts(*a)["all"]
        p = kept(x, facts, evaluator).mean().item()
        print(f"{who} {kind:<7}{p:.3f} +- {(p * (1 - p) / len(x)) ** 0.5:.3f}", flush=True)


def trained(shipped, seed):
    """A copy of the shipped model that has learned the word."""
    model, objects = copy.deepcopy(shipped), scenes.load_objects("generator")
    zeros = large_zeros(objects)
    model.net.requires_grad_(True), model.text_encoder.requires_grad_(True)

    def mixed(batch, g):
        x, facts = scenes_of([a[8:] for a in batch], g, p_two=P_TWO)
        new, said = inside(*(a[:8] for a in batch), zeros, g)
        return model.encode(torch.cat([new, x])), encode(torch.cat([said, facts]))

    plan = Plan(STEPS, batch_size=32, lr=LR, warmup=50, clip=1.0, average=0.99, seed=seed)
    for _ in by_loss(model, *objects, plan=plan, change=mixed):
        pass
    return model


def main():
    """Print the marks of real scenes, of the shipped model, and of students of it."""
    torch.set_num_threads(1)
    evaluator, model = load_model("scene_evaluator"), load_model("latent_diffusion")
    words = model.text_encoder.words.weight
    new = words[-5:].mean(0, keepdim=True)  # of left, right, of, above, below
    model.text_encoder.words = nn.Embedding.from_pretrained(torch.cat([words, new]))
    objects, g = scenes.load_objects("reference"), torch.Generator().manual_seed(1)
    rows = torch.randint(len(objects.digit), (N_DRAWN,), generator=g)
    x, facts = inside(objects.grey[rows], objects.digit[rows], large_zeros(objects), g)
    for name, v in (("real scenes", x), ("through the VAE", model.decode(model.encode(x)))):
        print(f"{name}: {kept_inside(v, facts, evaluator).mean():.3f}")
    tests = {"inside": facts, "one": real_scenes(N_DRAWN, p_two=0.0)[1]}
    tests["two"] = real_scenes(N_DRAWN, p_two=1.0)[1]
    mark("shipped:", model, tests, evaluator)
    for seed in SEEDS:
        begin = time.process_time()
        student = trained(model, seed)
        took = time.process_time() - begin
        mark(f"seed {seed}, {took:.0f} s of one thread:", student, tests, evaluator)


if __name__ == "__main__":
    main()
