"""Two ablations that the latent diffusion lab quotes: the scale of the codes, and word positions.

    python benchmarks/latent_ablations.py scale       students of 260 steps, three seeds
    python benchmarks/latent_ablations.py positions   the shipped model trained on, one seed

*scale*: the small U-Net of the lab on codes of standard deviation c, 200 captions of one object. Of
c = 5.5 also with "sizes undone": the network's input is divided by its own standard
deviation and its answer multiplied by that of the target, so that only the signal-to-noise ratio is
left of the scale; and, either way, with "times moved": all times, in training and in drawing, are
those at which codes of standard deviation 5.5 have the ratio that others have. *positions*: 400
more steps with the word positions as they are, or set to zero; 200 captions of two objects of
different digits and colours. Six steps, guidance 3, one thread.
"""

import math
import sys
import time

import torch
from torch import nn

import genlab.systems.latent_diffusion
from genlab.core.tensors import expand
from genlab.data.language import encode_scenes
from genlab.systems.scene_evaluation import kept_facts
from genlab.zoo import find, load_model
from genlab.zoo.latent_diffusion import real_scenes

N, W, N_STEPS = 200, 3.0, 6
ARMS = (  # standard deviation of the codes, sizes undone, times moved
    (1.0, False, False),
    (5.5, False, False),
    (5.5, True, False),
    (5.5, False, True),
    (5.5, True, True),
)
LOG_ODDS = genlab.systems.latent_diffusion.LOG_ODDS


class SizesUndone(nn.Module):
    """A network whose input and answer have variance 1 whatever the codes' standard deviation."""

    def __init__(self, net, c):
        super().__init__()
        self.net, self.c = net, c

    def forward(self, z, t, context):
        """Answer for z of variance (1 - t)^2 c^2 + t^2, in the units of a target of 1 + c^2."""
        size = expand(((1 - t) ** 2 * self.c**2 + t**2).sqrt(), z)
        return (1 + self.c**2) ** 0.5 * self.net(z / size, t, context=context)


def student(c, undone, seed):
    """The lab's small network, trained on codes of standard deviation c."""
    row = find("latent_diffusion").but(
        width=16, d_text=32, n_steps=260, p_two=0.0, muon=False, warmup=20, average=0.9, clip=None,
        rescale=False, seed=seed,
    )  # fmt: skip
    model, shipped = row.untrained(), load_model("latent_diffusion")
    model.shift.copy_(shipped.shift)
    model.spread.copy_(shipped.spread / c)
    if undone:
        model.net = SizesUndone(model.net, c)
    for _ in row.train(model):
        pass
    return model.eval()


def scale(seeds=range(3)):
    """Words right by the standard deviation of the codes."""
    evaluator, facts = load_model("scene_evaluator"), real_scenes(N, p_two=0.0)[1]
    for seed in seeds:
        for c, undone, moved in ARMS:
            begin = time.process_time()
            # log-odds of t' are those of t plus log c: training and sampling both read this
            shift = math.log(c) if moved else 0.0
            genlab.systems.latent_diffusion.LOG_ODDS = LOG_ODDS + shift
            x = drawn(student(c, undone, seed), facts, seed)
            kept = kept_facts(x, facts, evaluator)
            digit, colour = (kept[k].mean().item() for k in ("digit", "colour"))
            took = time.process_time() - begin
            print(
                f"seed {seed} c {c:.2f} {'sizes undone' if undone else '':<12} "
                f"{'times moved' if moved else '':<11} digit {digit:.3f} "
                f"colour {colour:.3f} {took:.0f} s", flush=True,
            )  # fmt: skip
    genlab.systems.latent_diffusion.LOG_ODDS = LOG_ODDS


def trained_on(positions, seed):
    """The shipped model after 400 more steps, with word positions or without."""
    row = find("latent_diffusion").but(
        n_steps=400, lr=1e-3, muon=False, warmup=20, average=0.99, rescale=False, seed=seed
    )
    model = load_model("latent_diffusion")
    model.net.requires_grad_(True), model.text_encoder.requires_grad_(True)
    if not positions:
        model.text_encoder.positions.requires_grad_(False).zero_()
    for _ in row.train(model):
        pass
    return model.eval()


def two_objects(n):
    """What n captions of different digits and different colours say."""
    facts = real_scenes(3 * n, p_two=1.0)[1]
    return facts[(facts[:, 0] != facts[:, 3]) & (facts[:, 1] != facts[:, 4])][:n]


def positions(seeds=(0,)):
    """Words right as asked, and under any of the four ways to bind the same words."""
    evaluator, facts = load_model("scene_evaluator"), two_objects(N)
    orders = [0, 1, 2, 3, 4], [3, 1, 2, 0, 4], [0, 4, 2, 3, 1], [3, 4, 2, 0, 1]
    for seed in seeds:
        for kept in (True, False):
            begin = time.process_time()
            x = drawn(trained_on(kept, seed), facts, seed)
            found = [kept_facts(x, facts[:, o], evaluator)["all"] for o in orders]
            took = time.process_time() - begin
            print(
                f"seed {seed} positions {'kept' if kept else 'none'}: as asked "
                f"{found[0].mean():.3f}, in any of the four ways {sum(found).mean():.3f} "
                f"({', '.join(f'{f.mean():.3f}' for f in found)}), {took:.0f} s", flush=True,
            )  # fmt: skip


def drawn(model, facts, seed):
    """Pictures of captions."""
    generator = torch.Generator().manual_seed(seed)
    return model.draw(encode_scenes(facts), guidance_scale=W, n_steps=N_STEPS, generator=generator)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for name in sys.argv[1:] or ("scale", "positions"):
        {"scale": scale, "positions": positions}[name]()
