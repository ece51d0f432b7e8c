"""Which families a text only names, and which it builds with: clause by clause.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import replace

from .findings import Finding
from .own import declared
from .phrases import compiled
from .role_table import BUILDS, LINE, METHOD, WORKS
from .roles import MENTION
from .rules import AR, LATENT, SCORE

SPLIT = re.compile(r";|, (?:but|while|whereas|though|although)\b| (?:while|whereas)\b")
# "the VAE" is a part of the release
KNOWN = re.compile(r"(?<!of )\b(?:the|our|its|this) (?:\w+[ -]){0,2}$")


def supported(found: list[Finding]) -> list[Finding]:
    """Turn the families with which no clause builds anything to mentions, if another is built.

    Args:
        found: all findings.

    Returns:
        The same findings; those of the kinds that a mention takes away may be mentions now.
    """
    plain = [f for f in found if f.axis == "paradigm" and f.asserted and not f.rule.hint]
    built = {f.value for f in plain if _builds(f)}
    loose = {f.value for f in plain} - built
    if built == {LATENT}:
        loose -= {SCORE, AR}  # something has to draw the code
    if not built or not loose:
        return found
    at = {(f.sentence, f.start) for f in plain if f.value in loose}
    near = {(f.sentence, f.value) for f in plain if f.value in loose}  # hints beside them
    return [
        replace(f, polarity=MENTION)
        if f.asserted and ((f.sentence, f.start) in at or (f.sentence, f.value) in near)
        else f
        for f in found
    ]


EMBEDDED = compiled(
    "embedd?ing space|(continuous|gaussian) (~ )?(vectors|embedd?ings|diffusion|representations?)|"
    "(word|token|clean|noisy|text|sentence) (~ )?embedd?ings (~ )?(denois*|diffus*|noise*)|"
    "(denois*|diffus*|noise*|predict*) (~ )?(clean |noisy |word |token |text |sentence )?"
    "embedd?ings|round(s|ed|ing) to the nearest"
)
ANY_TEXT = compiled(
    "(text|token|language) (~ )?diffusion|diffusion (large )?(language models?|llms?)|"
    "(generat|model|synthesi|sampl)\\w* (~ )?discrete (data|sequences|structures|objects|symbols)"
)


def continuous(found: list[Finding]) -> list[Finding]:
    """Take a diffusion over embeddings of words for no canvas.

    Args:
        found: all findings.

    Returns:
        The same findings, without the canvas that only the words "language diffusion" speak of.
    """
    canvas = [f for f in found if f.value == "canvas" and f.asserted]
    loose = all(ANY_TEXT.fullmatch(_spaced(f)) for f in canvas)
    if not loose or not any(EMBEDDED.search(f.context) for f in found if f.rule.says == SCORE):
        return found
    return [f for f in found if f.value != "canvas"]


def _spaced(f: Finding) -> str:
    return " ".join(f.phrase.lower().split())


def _builds(f: Finding) -> bool:
    """Say whether the clause in which a phrase stands builds something with it."""
    clause = clause_of(f)
    verb = METHOD.finds.search(clause) or BUILDS.finds.search(clause) or WORKS.finds.search(clause)
    if declared(f.context, f.at) or LINE.finds.match(f.context):
        return True
    return bool(verb or KNOWN.search(f.context[: f.at]))


def clause_of(f: Finding) -> str:
    """Return the clause in which a phrase stands.

    Args:
        f: a finding.

    Returns:
        Its part of the sentence, between semicolons and words such as "while".
    """
    begin = max((m.end() for m in SPLIT.finditer(f.context, 0, f.at)), default=0)
    end = SPLIT.search(f.context, f.at)
    return f.context[begin : end.start() if end else len(f.context)]
