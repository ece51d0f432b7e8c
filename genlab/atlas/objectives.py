"""What was minimised: what the text says, or the card of each component.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re

from .draft import ADV, AR, FLOW, LATENT, SCORE, Draft, Reason, distilled_from
from .findings import Finding
from .phrases import compiled

BY = re.compile(
    r"\b(?:train|learn|optimi[sz]|fit)\w* (?:[\w-]+ ){0,5}(?:by|with|through|using|via|"
    r"on) (?:an? |the |plain )?$"
)
FROM_TEACHER = compiled("teacher's|from (its|the|a) teacher|soft targets|logits of")


MATCHED = compiled(
    "score matching|(direction|regression|prediction) (~ )?noise|noise (regression|prediction)"
)
CONTRAST = compiled("contrast*|own samples|persistent|negatives|nce|replay|positive and negative")
DIFFUSES = compiled("diffusions?|(latent|stable) diffusion|ddpm|ddim|denois*|flow matching|edm")
SCALAR = compiled("(scalar|learned) energ*|energy (based|network|model|function)s?")
DISCRETE = compiled(  # what a softmax is over
    "tokens?|codes?|words?|characters?|letters?|bytes?|symbols?|vocabular*|softmax|categorical|"
    "text|language|notes?|events?|residues?|indices|gpt\\w*|llamas?|llms?|lms?|cross entropy|"
    "code ?books?|quanti[sz]ed|captions?|answers?|scripts?|lyrics|midi|prompts?"
)
TOKENS = compiled("tokens?|codes?|words?|characters?|letters?|bytes?|symbols?|notes?|residues?")
ADDED = compiled(  # how a loss comes on top of another
    "in addition|additional(ly)?|also|as well|besides|combin*|joint(ly)?|alongside|together with|"
    "hybrid|mix*|on top|weighted sum|auxiliary|extra|plus|further(more)?|both|added|adding"
)
TARGET = compiled(
    "(task |training |model )?(loss|losses|target|targets|objective|regression|term) ?"
)


def objectives(draft: Draft) -> None:
    """Conclude what was minimised: what the text says, or the card of each component."""
    here = draft.paradigms
    if AR in here and not (SCORE in here and _inner_only(draft)) and not per_step(draft):
        _of_pieces(draft)
    if LATENT in here and not (draft.sign("embedding code") and not draft.sign("code")):
        _objective(draft, "elbo", draft.said("objective", "elbo"), LATENT)
    if ADV in here:
        _objective(draft, "adversarial", draft.said("paradigm", ADV), ADV)
    if FLOW in here:
        exact, taught = draft.said("objective", "change-of-variables"), distilled_from(draft)
        if taught and SCORE not in here:
            _objective(draft, "distillation", taught, FLOW)
        elif exact or here != {FLOW, ADV} or draft.sign("decoder game") or _added_game(draft):
            _objective(draft, "change-of-variables", exact, FLOW)
    if SCORE in here:
        _of_scores(draft)


def _added_game(draft: Draft) -> bool:
    """Say whether a game comes on top of a flow's own loss, as in "adversarial losses as well"."""
    return any(ADDED.search(f.context) for f in draft.said("paradigm", ADV))


def _inner_only(draft: Draft) -> bool:
    """Say whether the pieces are drawn by an inner loop, so that only its loss is left."""
    inner = draft.sign("inner loop") + draft.sign("blockwise")
    denied = any(f.rule.says == "sign: no softmax" for f in draft.findings)
    if not denied and not draft.sign("inner loop") and not draft.sign("canvas"):
        steps = draft.sign("blockwise")
        if steps and all(TOKENS.search(f.phrase.lower()) for f in steps):
            return False  # the pieces are tokens, and another part goes on when all are there
    if draft.sign("blockwise") and draft.sign("canvas") and LATENT not in draft.paradigms:
        return True  # blocks of tokens, each filled like a canvas
    spoken = draft.said("objective", "cross-entropy")
    if draft.sign("side by side") and (draft.sign("discrete pieces") or not denied):
        return False  # words by the one, pictures by the other
    if draft.sign("token head") and not spoken:
        return True
    pieces = draft.sign("discrete pieces") and draft.sign("inner loop")
    discrete = any(DISCRETE.search(f.context) for f in draft.said("paradigm", AR))
    whole = not (discrete or draft.sign("language") or draft.sign("energy") or pieces)
    return denied or whole or bool(inner and not draft.sign("language") and not pieces)


def per_step(draft: Draft) -> bool:
    """Say whether each piece is drawn by a code, or a flow, of its own, as in a recurrent VAE.

    Args:
        draft: what is known so far.

    Returns:
        True where only the bound of such codes, or the density of such flows, is left to train by.

    Example:
        >>> from genlab.atlas.findings import find
        >>> text = "A variational recurrent network draws frame after frame."
        >>> per_step(Draft(find(text), [], paradigms={AR, LATENT}))
        True
    """
    told = draft.sign("language") + draft.said("objective", "cross-entropy")
    if any(DISCRETE.search(f.context) for f in draft.said("paradigm", AR)) or told:
        return False
    return bool(step_signs(draft))


def step_signs(draft: Draft) -> list[Finding]:
    """Return what says that each piece is drawn by a code or a flow of its own.

    Args:
        draft: what is known so far.

    Returns:
        The signs; none where there are further components.

    Example:
        >>> step_signs(Draft([], [], paradigms={AR, LATENT}))
        []
    """
    name = {LATENT: "latent per step", FLOW: "flow per step"}
    return [f for p, sign in name.items() if draft.paradigms == {AR, p} for f in draft.sign(sign)]


def _of_pieces(draft: Draft) -> None:
    said = draft.said("objective", "cross-entropy")
    taught = [f for f in distilled_from(draft) if FROM_TEACHER.search(f.context)]
    if taught and SCORE not in draft.paradigms:
        _objective(draft, "distillation", taught, AR)
    if said or not taught or SCORE in draft.paradigms:
        _objective(draft, "cross-entropy", said, AR)


def _of_scores(draft: Draft) -> None:
    taught, matching = distilled_from(draft), draft.said("objective", "flow-matching")
    noise = draft.said("objective", "denoising")
    if draft.sign("optimisation"):
        _objective(draft, "distillation" if taught else "denoising", taught or noise, SCORE)
    elif taught:
        _objective(draft, "distillation", taught, SCORE)
        for name, said in (("flow-matching", matching), ("denoising", noise)):
            if own := [f for f in said if _is_target(f)]:
                _objective(draft, name, own, SCORE)
    elif canvas := draft.sign("canvas"):
        _objective(draft, "masked-prediction", canvas, SCORE)
    elif (energy := draft.sign("energy")) and not _by_noise(draft, energy, noise):
        _objective(draft, "energy", energy, SCORE)
    elif matching or (not noise and (matching := draft.mentioned("objective", "flow-matching"))):
        _objective(draft, "flow-matching", matching, SCORE)
        if both := draft.sign("both regressions") + draft.sign("two losses"):
            _objective(draft, "denoising", both, SCORE)
    elif "adversarial-diffusion" in draft.flags and not [f for f in noise if _is_loss(f)]:
        draft.conclude("objective: adversarial", "the denoiser is trained by the game alone")
    else:
        _objective(draft, "denoising", noise, SCORE)


def _is_loss(f: Finding) -> bool:
    """Say whether the phrase names a loss, not only that a clean image is predicted."""
    return "clean" not in f.phrase.lower()


def _by_noise(draft: Draft, energy: list[Finding], noise: list[Finding]) -> bool:
    """Say whether an energy is learned from noise, or is none at all."""
    if _loose(energy) and draft.said("paradigm", SCORE) and not _only_energies(draft):
        return True
    matched = any(MATCHED.search(f.context) for f in noise)
    contrast = any(CONTRAST.search(f.context) for f in energy)
    return bool(noise) and (_loose(energy) or (matched and not contrast))


def _only_energies(draft: Draft) -> bool:
    """Say whether nothing but energies, and chains that draw from them, places a score."""
    return not any(DIFFUSES.search(f.phrase.lower()) for f in draft.said("paradigm", SCORE))


def scalar(energy: list[Finding]) -> bool:
    """Say whether the text names a network that is an energy, not only some energy."""
    return any(SCALAR.search(f.phrase.lower()) for f in energy)


def _loose(energy: list[Finding]) -> bool:
    """Say whether the text only speaks of some energy, not of a model that is one."""
    return all(f.phrase.lower().split()[0] in ("the", "an", "its", "this") for f in energy)


def _is_target(f: Finding) -> bool:
    """Say whether the phrase names a loss that is added, as in "a flow-matching target"."""
    phrase = " ".join(f.phrase.lower().split())
    after = f.context[f.context.find(phrase) + len(phrase) :]
    before = f.context[: f.context.find(phrase)]
    return bool(TARGET.match(after.strip()) or TARGET.search(phrase) or BY.search(before[-60:]))


def _objective(draft: Draft, name: str, said: list[Finding], card: str) -> None:
    draft.objective.add(name)
    card_says = f"the text does not say; it is on the card of {card}"
    reasons: list[Reason] = [*said] or [card_says]
    draft.conclude(f"objective: {name}", *reasons)
