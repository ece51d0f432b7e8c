"""How a sample is made, and what can be said about p(x), by the map.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from .draft import (
    ADV,
    AR,
    FLOW,
    LATENT,
    SCORE,
    Draft,
    Reason,
    distilled_from,
    few_steps,
    order_of_a_flow,
)
from .objectives import per_step, scalar, step_signs
from .phrases import compiled

LINKS = ("none", "unnormalised", "bound", "indirect", "exact")  # the weakest first
DENIED = compiled(
    "(no|without an?|without|nor|not have an?|not define an?) (explicit |tractable "
    "|exact )?(likelihoods?|density|densities|probabilit*)|in the statistical"
)
NEVER = compiled(
    "(densit(y|ies)|likelihoods?|probabilit*) (~ )?(cannot|can not|can never|never|are not|is not|"
    "is never) (~ )?(evaluated|computed|available|known|tractable|expressed|written|calculated|"
    "obtained|accessed|given|stated|read)|(densit(y|ies)|likelihoods?( functions?)?) (~ )?(is|are|"
    "remains?|stays?) (~ )?(intractable|implicit|inaccessible|unavailable|unknown|undefined|out of "
    "reach)|(does not|cannot|never) (~ )?(require|need) (~ )?likelihood(?! free)|implicit "
    "(probabilistic |generative )models?"
)
REPORTS = compiled(
    "report*|bits|nats|perplexity|tight*|state of the art|best|measur*|print*|values?"
)


def sampling(draft: Draft) -> None:
    """Conclude how a sample is made."""
    here = draft.paradigms
    if "not-generative" in draft.flags:
        return
    way, *reasons = _way(draft, here)
    draft.sampling = str(way)
    draft.conclude(f"sampling: {way}", *reasons)


def _way(draft: Draft, here: set[str]) -> tuple[Reason, ...]:
    alone = [] if here else draft.mentioned("sign", "optimisation")
    if descent := draft.sign("optimisation") or alone:
        return "optimisation", *descent
    if not here:
        one = draft.sign("one pass")
        return ("one-pass", *one) if one else ("cannot tell", "the text names no sampler")
    if AR in here:
        return _in_order(draft, here)
    if SCORE in here:
        return _loop(draft, here)
    if draft.sign("no sampler"):
        return "cannot tell", "the text leaves open how codes are drawn"
    if loop := draft.because.get("flag: many-pass-flow"):
        if LATENT in here:
            return "two-stage", "a loop draws the code, a decoder finishes it"
        ordered = order_of_a_flow(draft) and not draft.sign("solver flow")
        return ("sequential" if ordered else "multi-step"), *loop
    return "one-pass", "noise or a code is drawn, and each network runs once"


def _in_order(draft: Draft, here: set[str]) -> tuple[Reason, ...]:
    if here == {AR}:
        return "sequential", "autoregressive alone: one piece after another"
    if here == {AR, ADV} and not draft.sign("decoder game"):
        return "sequential", "a game trains what draws one piece after another"
    if per_step(draft):
        return "sequential", *step_signs(draft)
    return "two-stage", "autoregressive and another component: one works after the other"


def _loop(draft: Draft, here: set[str]) -> tuple[Reason, ...]:
    n, one = few_steps(draft), draft.sign("one step")
    two = draft.sign("cascade")
    if FLOW in here:
        return "two-stage", "two generative parts, at least one of them a loop"
    if "few-step-diffusion" in draft.flags and (n == 1 or (n is None and distilled_from(draft))):
        if one:
            return "one-pass", *one
        return "one-pass", "a student without a number of steps takes one"
    if LATENT in here:
        return "two-stage", "a loop draws the code, a decoder finishes it"
    if ADV in here and "adversarial-diffusion" not in draft.flags:
        return "two-stage", "a loop, then a network trained by a game"
    if two:
        return "two-stage", *two
    if "discrete-diffusion" in draft.flags:
        return "parallel-refinement", "a loop over a canvas of tokens"
    return "multi-step", "score-based: a loop over the whole object"


def likelihood(draft: Draft) -> None:
    """Conclude what can be said about p(x): the weakest link of the components."""
    here = draft.paradigms
    if "not-generative" in draft.flags:
        return
    if not here:
        _by_the_text(draft)
        return
    links = _links(draft, here)
    kind = min(links, key=LINKS.index)
    draft.likelihood = kind
    draft.conclude(f"likelihood: {kind}", f"the weakest link: {links[kind]}")


def _links(draft: Draft, here: set[str]) -> dict[str, str]:
    links = {}
    if here & {AR, FLOW}:
        links["exact"] = "a product of conditionals, or a change of variables"
    if here == {FLOW, ADV} and not draft.sign("decoder game"):
        return {"exact": "an invertible generator keeps its density, whatever trained it"}
    if SCORE in here:
        links["indirect"] = "score-based: through the ODE or the chain's bound, at extra cost"
        told = draft.said("likelihood", "bound") + draft.mentioned("likelihood", "bound")
        bounds = [f for f in told if REPORTS.search(f.context) or draft.sign("bits")]
        plain = draft.sign("bits") or not draft.sign("bound derived")
        if (bounds and plain) or "discrete-diffusion" in draft.flags:
            links["bound"] = "of this kind of diffusion a bound is reported"
        if "energy" in draft.objective or scalar(draft.sign("energy")):
            links["unnormalised"] = "an energy has no known normaliser"
    if LATENT in here:
        links["bound"] = "latent-variable: the integral over codes is only bounded"
    if ADV in here:
        links["none"] = "adversarial: x = G(z) without a density"
    if draft.sampling == "optimisation":
        links["none"] = "what descends anew for each sample has no density"
    if "few-step-diffusion" in draft.flags and distilled_from(draft):
        links["none"] = "a few-step student no longer follows the ODE of its teacher"
    return links


def _by_the_text(draft: Draft) -> None:
    exact = draft.said("likelihood", "exact")
    denied = [f for f in draft.findings if f.rule.says == "likelihood: none"
              and f.polarity == "negated" and DENIED.search(f.context)]  # fmt: skip
    if exact:
        draft.likelihood = "exact"
        draft.conclude("likelihood: exact", *exact)
    elif (
        denied
        or any(NEVER.search(f.context) for f in draft.findings)
        or draft.sampling == "optimisation"
    ):
        draft.likelihood = "none"
        draft.conclude(
            "likelihood: none", *denied, *([] if denied else ["a descent has no density"])
        )
    else:
        draft.conclude("likelihood: cannot tell", "no component is named, so the map cannot say")
