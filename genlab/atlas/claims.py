"""The flags: claims of a release that deserve a second look.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re

from .draft import (
    ADV,
    AR,
    FEW,
    FLOW,
    SCORE,
    Draft,
    Reason,
    distilled_from,
    few_steps,
    flag,
    order_of_a_flow,
)
from .findings import Finding
from .phrases import compiled
from .steps import STAGED, VARIANT, is_stage

DROPPED = compiled(
    "(heads?|modules?|layers|losses|branch(es)?) (~ )?(is|are|was|were) (~ )?(dropped|discarded|"
    "removed|unused|thrown|deleted|ignored|not used)|(ordinary|standard|plain|usual) decoding|"
    "decoding (is|stays|remains) (~ )?(ordinary|standard|plain|usual|unchanged)"
)
KERNELS = compiled("(~ )?(moments?|mmd|mean discrepancy|kernels?)(~ )?")
KEPT = compiled("draft*|speculat*|verif*|accept*")
VARIES = compiled("turbo|lightning|few step|a few steps", commas=True)


def claims(draft: Draft) -> None:
    """Conclude the flags that depend on the components and on signs alone."""
    here = draft.paradigms
    if SCORE in here and (canvas := draft.sign("canvas")):
        flag(draft, "discrete-diffusion", *canvas)
    if AR in here and "discrete-diffusion" not in draft.flags and (many := _several(draft)):
        flag(draft, "parallel-autoregression", *many)
    if SCORE in here and (few := _few(draft)):
        flag(draft, "few-step-diffusion", *few)
    if {SCORE, ADV} <= here and (game := _trains_the_denoiser(draft)):
        flag(draft, "adversarial-diffusion", *game)
    if FLOW in here and (loop := flow_loop(draft)):
        flag(draft, "many-pass-flow", *loop)
    if "not-generative" not in draft.flags and (descent := draft.sign("optimisation")):
        flag(draft, "outside-map", *descent)
    for name in ("free-lunch", "outside-map"):
        if said := draft.said("flag", name):
            odd = (here and not _moments(draft, said)) or "not-generative" in draft.flags
            if name != "outside-map" or not odd:
                flag(draft, name, *said)


def _moments(draft: Draft, said: list[Finding]) -> bool:
    """Say whether a game is played over a kernel's moments, on which the text dwells."""
    kernels = {f.sentence for f in said if KERNELS.search(f.phrase.lower())}
    return draft.paradigms == {ADV} and len(kernels) > 1


def _several(draft: Draft) -> list[Finding]:
    """Return why several pieces come in a pass; heads that help only in training do not count."""
    many = draft.sign("many pieces per pass")
    if SCORE in draft.paradigms and draft.sign("blockwise") and not draft.sign("language"):
        return []  # the pieces of a block come by an inner loop, not from one pass
    kept = any(KEPT.search(f.phrase.lower()) for f in many)
    return many if kept or not any(DROPPED.search(f.context) for f in many) else []


def flow_loop(draft: Draft) -> list[Finding]:
    """Return why samples of the flow need many passes."""
    solver = draft.sign("solver flow") if SCORE not in draft.paradigms else []
    fixed = draft.sign("fixed-point flow")
    ordered = [] if draft.sign("inverse autoregressive") else order_of_a_flow(draft)
    return solver + fixed + ordered


def _few(draft: Draft) -> list[Reason]:
    told = [s for s in draft.steps if s.high <= FEW]
    if draft.sign("optimisation") or draft.sign("energy"):
        return []
    n, distilled = few_steps(draft), distilled_from(draft)
    many = [s for s in draft.steps if s.default and s.low > FEW]
    if n is not None and n <= FEW and told and (distilled or not many):
        single = n == 1 and not distilled
        long = any(s.low > FEW for s in draft.steps) or FLOW in draft.paradigms
        if not single or (draft.sign("one step") and not long):
            return [*told]
    staged = any(STAGED.search(f.context) for f in draft.findings)
    words = [f for f in draft.sign("few steps") if not (staged and is_stage(f.phrase))]
    beside = any(VARIANT.search(f.context) for f in draft.findings)
    words = [f for f in words if not (beside and VARIES.search(f.phrase.lower()))]
    if words and not draft.steps:
        return [*words]
    other = draft.sign("guidance distillation") + draft.sign("smaller student")
    if distilled and not draft.steps and not other:
        return [*distilled]
    return []


def _player(f: Finding) -> str:
    """Say which part a game trains: the last one that its clause names before, or the first."""
    phrase = " ".join(f.phrase.lower().split())
    if OF_DECODERS.search(phrase):
        return "decoder"
    at = f.context.find(phrase)
    begin = max((m.end() for m in CLAUSE.finditer(f.context, 0, max(at, 0))), default=0)
    end = CLAUSE.search(f.context, at)
    clause = f.context[begin : end.start() if end else len(f.context)]
    parts = [m for m in PARTS.finditer(clause) if m.start() != at - begin]
    before = [m for m in parts if m.start() < at - begin]
    named = before[-1:] or parts[:1]
    if not named:
        return "unknown"
    return "decoder" if DECODER.fullmatch(named[0].group()) else "denoiser"


COMPRESSES = (
    "auto ?encod\\w*|vq|vaes?|\\w*vae|codecs?|decoders?|tokeni[sz]ers?|compress\\w*|first stage|"
    "vocoders?|reconstruct\\w*|up ?samplers?|upscalers?|code ?books?|(vq|kl) \\w+"
)
DECODER = compiled(COMPRESSES)
PARTS = compiled(
    f"{COMPRESSES}|students?|denois\\w*|u ?nets?|diffusion|steps?|distill?\\w*|velocity|"
    "consistency|flow matching|transformers?|generators?|samplers?|post train\\w*|fine tun\\w*|"
    "score|teachers?"
)
CLAUSE = re.compile(
    r"[;:] |, then | then |, and (?:an?|the) (?=[^,]* (?:is|are|then|works|runs))|"
    r"(?:,| and) (?:and )?(?:the|an?|our|its) (?=(?:[\w-]+ ){1,4}?(?:is|are|was|were|then|denoises|"
    r"works|runs|turns|maps|decodes|generates|predicts|takes|draws|samples|learns|operates|paints|"
    r"renders|models|follows|enlarges|converts)\b)"
)
OF_DECODERS = compiled("hifi gan|big ?v ?gan|(real )?esr ?gan|vq ?gan|vocoder\\w*|patch ?gan")


def _trains_the_denoiser(draft: Draft) -> list[Finding]:
    games = draft.said("paradigm", ADV)
    players = {_player(f) for f in games}
    if players - {"unknown"} == {"decoder"}:
        return []
    denoiser, decoder = draft.sign("denoiser game"), draft.sign("decoder game")
    apart = [f for f in denoiser if f.sentence not in {g.sentence for g in decoder}]
    if apart or (denoiser and not decoder):
        return apart or denoiser
    return [] if decoder else games


def overclaims(draft: Draft) -> None:
    """Flag a likelihood that the map denies."""
    exact = draft.said("likelihood", "exact")
    if draft.likelihood == "exact" or "not-generative" in draft.flags or not draft.paradigms:
        return
    parts = [p for p in (AR, FLOW) if p in draft.paradigms]
    for f in exact:
        owners = [g for p in parts for g in draft.said("paradigm", p) if g.sentence == f.sentence]
        if not owners:
            flag(draft, "likelihood-overclaim", f)
