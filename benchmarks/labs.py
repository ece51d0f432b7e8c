"""The league of the labs: latent diffusion and GLIDE on the captions that both know.

    python benchmarks/labs.py

Captions: "a red seven" in the three inks that both labs have, less the pairs of digit and colour
that latent diffusion never saw. One evaluator for both: the scene lab's, trained again from
another seed on digits that neither generator saw; it reads windows of the grey picture under the
ink. The record, with its settings, is `genlab_course/data/labs.json` (about ten minutes).
"""

import itertools
import json
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from genlab.data import scenes
from genlab.data.captions import grey_of, load_captioned, measure_colour, paint
from genlab.data.language import ALONE, COLOURS, INKS, write_scenes
from genlab.metrics.cost import Passes
from genlab.systems.glide import Glide
from genlab.systems.scene_evaluation import centred, windows_of
from genlab.zoo import find, load_model
from genlab.zoo.latent_diffusion import SCENE_EVALUATOR
from genlab.zoo.recipe import seeded

RECORD = Path(__file__).parents[1] / "genlab_course" / "data" / "labs.json"
PARTS = {
    "latent_diffusion": ("latent_diffusion", "latent_vae"),
    "glide": ("glide_base", "glide_upsampler"),
}
SHARED = [k for k, ink in enumerate(INKS) if ink in COLOURS]
AS_COLOUR = torch.tensor([list(COLOURS).index(i) if i in COLOURS else -1 for i in INKS])
TIMES, SEEDS, GUIDANCE = 40, (0, 1, 2), 3.0  # pictures a caption and seed of drawing
EVALUATOR_SEED = 77


def captions():
    """Facts of the captions that both know."""
    digit, colour = torch.cartesian_prod(torch.arange(10), torch.tensor(SHARED)).T
    kept = ~scenes.held_out_pair(digit, colour)
    alone = torch.tensor([ALONE, 0, 0]).expand(int(kept.sum()), 3)
    return torch.cat([digit[kept, None], colour[kept, None], alone], 1)


def reference(name, n=1000):
    """Real pictures in a lab's style, of digits that nothing here was trained on; and their facts.

    Every colour is one of the shared.
    """
    if name == "latent_diffusion":
        objects, generator = scenes.load_objects("reference"), torch.Generator().manual_seed(0)
        _, facts = scenes.draw_scenes(objects, n, generator, p_two=0.0)
        grey = objects.grey[:n]
        facts[:, 0] = objects.digit[:n]
        facts[:, 1] = torch.tensor(SHARED)[torch.arange(n) % len(SHARED)]
        return scenes.compose(grey, grey, facts, generator), facts
    grey, attributes = load_captioned("test", 32)
    colour = torch.tensor(SHARED)[torch.arange(len(grey)) % len(SHARED)]
    zeros = torch.zeros_like(colour)
    facts = torch.stack([attributes.digit, colour, zeros + ALONE, zeros, zeros], 1)
    return paint(grey, AS_COLOUR[colour]), facts


def seen(name, x, facts, evaluator):
    """Proportion of pictures with digit and colour as captioned, and with the digit."""
    if name == "latent_diffusion":
        inks, both = windows_of(x.clamp(0, 1), facts)
        colour, windows = inks[:, 0] == facts[:, 1], both[:, 0]
    else:  # its digits are 20 pixels wide, not 22: the window is as much smaller
        colour = measure_colour(x) == AS_COLOUR[facts[:, 1]]
        span = torch.full((len(x),), 30.0 * scenes.BOX / scenes.LARGE)
        windows = centred(grey_of(x).clamp(0, 1), span)
    with torch.no_grad():
        digit = evaluator(windows) == facts[:, 0]
    return (digit & colour).double().mean().item(), digit.double().mean().item()


def megabytes(field):
    """What Linux says of this process's memory."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def measured(name, evaluator):
    """One lab's figures, in a process of its own."""
    torch.set_num_threads(1)
    if name == "latent_diffusion":
        model = load_model("latent_diffusion")
        networks = {model.net: model.vae.latent_shape, model.vae: model.event_shape}
    else:
        model = Glide(load_model("glide_base"), load_model("glide_upsampler"))
        networks = {m.net: m.event_shape for m in (model.base, model.upsampler.painter)}

    def draw(texts, generator):
        drawn = model.draw(texts, guidance_scale=GUIDANCE, generator=generator)
        return drawn if name == "latent_diffusion" else drawn[1]

    facts = captions()
    texts = write_scenes(facts)
    before = megabytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the peak until now
    draw(texts, torch.Generator().manual_seed(0))
    peak = megabytes("VmHWM")
    clock = itertools.count()
    watched = [Passes(net, shape, clock) for net, shape in networks.items()]
    draw(texts, torch.Generator().manual_seed(0))
    for handle in (h for w in watched for h in w.handles):
        handle.remove()
    found, seconds = [], []
    for seed in SEEDS:
        generator, pictures = torch.Generator().manual_seed(seed), []
        for _ in range(TIMES):
            begin = time.perf_counter()
            pictures.append(draw(texts, generator))
            seconds.append(time.perf_counter() - begin)
        found.append(seen(name, torch.cat(pictures), facts.repeat(TIMES, 1), evaluator))
    cards = [find(part).card() for part in PARTS[name]]
    right, digit = zip(*found, strict=True)
    return {
        "name": name, "right": right, "digit": digit,
        "real": seen(name, *reference(name), evaluator),
        "seconds": statistics.median(seconds) / len(texts), "megabytes": peak - before,
        "evaluations": sum(w.evaluations(len(texts)) for w in watched),
        "passes": sum(w.passes for w in watched),
        "train_seconds": sum(card["seconds"] for card in cards),
        "parameters": sum(p.numel() for part in PARTS[name]
                          if part != "latent_vae" for p in load_model(part).parameters()),
    }  # fmt: skip


def main():
    """Train the evaluator, measure both labs, write the record."""
    row = SCENE_EVALUATOR.but(seed=EVALUATOR_SEED)
    torch.set_num_threads(1)
    evaluator = row.untrained()
    with seeded(EVALUATOR_SEED):  # dropout draws from torch's global noise
        for _ in row.train(evaluator):
            pass
    evaluator.eval().requires_grad_(False)
    labs = []
    for name in PARTS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            labs.append(pool.submit(measured, name, evaluator).result())
        print(labs[-1], flush=True)
    record = {
        "command": "python benchmarks/labs.py", "captions": len(captions()), "times": TIMES,
        "seeds": SEEDS, "guidance": GUIDANCE, "evaluator_seed": EVALUATOR_SEED,
        "torch": torch.__version__, "labs": labs,
    }  # fmt: skip
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
