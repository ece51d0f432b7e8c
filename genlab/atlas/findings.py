"""Where the rules fire in a text, and what is asserted, mentioned or denied there.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

from .others import other_names, their_clauses
from .own import declared
from .phrases import Rule, compiled
from .reach import reach_of
from .role_table import ROLES, SECTIONS
from .roles import MENTION, loner, passing
from .rules import ADV, AR, FLOW, LATENT, RULES, SCORE
from .scope import ASSERTED, scopes, strongest
from .text import Sentence, sentences

NEAR = 40  # characters to either side in which `unless` is looked for
WEAK = (  # what a mention does not count for
    "paradigm", "objective", "language", "canvas", "energy", "decoder game", "denoiser game",
    "solver flow", "code", "both regressions", "optimisation",
)  # fmt: skip
TAKES_UP = compiled(  # how a sentence takes up the family that the one before spoke of
    "(here )?(we|ours|our) (~ )?(train|take|use|apply|adapt|build|distil|scale|study|choose|is|"
    "extend|fit) (~ )?"
    "(one|them|such|the latter|the former|these models|this family)"
)
THEY = re.compile(  # how a sentence goes on to speak of those of which the one before spoke
    r"(?:(?:but|yet|however,|still,|typically,|in general,) )?(?:they|(?:both|all|most|some|many) "
    r"of (?:them|these)|(?:these|such|those) (?:models|methods|approaches|works|systems|"
    r"techniques|frameworks|networks|generators|pipelines))(?= (?!all |our )[\w-]+)"
)
INSTEAD = re.compile(  # how a sentence begins that turns away from what the one before spoke of
    r"(?:instead|rather|by contrast|in contrast|conversely), (?:we|our|ours)\b|(?:we|ours|our "
    r"\w+) (?:\w+ )?(?:instead|rather)\b|we (?:turn|reverse|invert|flip) (?:the|this|that)\b|"
    r"we (?:take|follow|go|choose) (?:a different|another|the opposite|the other)\b"
)
OURS = re.compile(r"\b(?:we|our|ours|this (?:work|paper|model)|here|i)\b")
BACKDROP = compiled(  # how an abstract begins that comes to its own work later
    "often|usually|typically|commonly|widely|recent*|modern|existing|current*|popular|(have|"
    "has) (~ "
    ")?(been|become|shown|led|made)|suffer*|challeng*|difficult|slow|costly|expensive|crucial|"
    "essential|traditional*|conventional*|despite"
)
COMES_TO = re.compile(  # with what a text comes to its own work
    r"\b(?:we|our|ours|i|my|this (?:paper|work|article|report|letter|study|release|model|"
    r"repository|repo|page|card|thesis|post|package|library)|in this|introduc\w+|propos\w+|"
    r"present\w*|announc\w+|releas\w+)\b"
)
NAMED = re.compile(  # "NovaFlow is a ...": a system of its own
    r"\b[A-Z][a-z]*[A-Z0-9]\w*\b(?<!GANs)(?<!VAEs)[^.]{0,20}\b(?:is|are) (?:an?|the)\b"
)
COLON = re.compile(  # after which the release speaks of itself
    r"^: (?:an?|we|our|it|this)\b|\b(?:we|our|ours|this|here)\b"
)
RESUMES = re.compile(r"\b(?:the|these|those|such) $")
FIELD = next(role for role in ROLES if role.name == "field")
DESCRIBED = (AR, SCORE, FLOW)  # whose hints say how something is made
DRAWERS = (AR, SCORE)  # what may draw a code
CODES = compiled("(vector )?quanti[sz]*|code ?books?|tokens?|codecs?|vq\\w*")
UNORDERED = compiled(  # how a release says that it draws its pieces in no order
    "(an?|our|this|is|are|fully|new|novel|first|propose|present|introduce|train|develop) (~ )?non "
    "?auto ?regressive|(does|do|work*|model*|generat*|network|translat*|method|approach|decod*) "
    "(~ )?"
    "without (~ )?auto ?regressi*|(is|are) not auto ?regressive|predicted non ?auto ?regressively|"
    "(generat|predict|decod|emit|produc|synthesi[sz])\\w* (~ )?non ?auto ?regressively"
)
UNORDERED_RIVAL = compiled(
    "(than|over|unlike|outperform*|among|against|to|like) (~ )?non ?auto ?regressive (models|"
    "methods|"
    "baselines|systems|ones|approaches|works?|counterparts)"
)
LOOSE_ORDER = compiled(  # what a network without an order may be called as well
    "(non autoregressive |large |small )*(language|translation|sequence) models?|language "
    "modell?ing|"
    "llms?|lms?|gpts?( \\d)?|left to right|decoder only|llamas?"
)
ELSEWHERE = ("flag: outside-map", "flag: not-generative", "sign: optimisation")
OWN_DENIAL = compiled("no|not|nothing|never|without|zero")


@dataclass(frozen=True)
class Finding:
    """A rule that fired: the phrase, its place, and whether the release asserts it."""

    rule: Rule
    phrase: str  # as it stands in the text that was read
    start: int
    end: int
    polarity: str
    sentence: int
    context: str  # the whole sentence, in lower case
    loner: bool = False  # the indefinite subject of a sentence that builds nothing with it
    at: int = 0  # where the phrase begins in the sentence

    @property
    def axis(self) -> str:
        """What kind of thing the rule is about: paradigm, objective, sign, flag, likelihood."""
        return self.rule.says.split(": ")[0]

    @property
    def value(self) -> str:
        """What the rule says of it."""
        return self.rule.says.split(": ")[1]

    @property
    def asserted(self) -> bool:
        """Whether it counts; a teacher's own method is the student's, unless it is another's."""
        passed_on = self.polarity == "teacher" and self.rule.says not in (AR, ADV)
        denial = self.axis == "flag" and OWN_DENIAL.match(self.phrase.lower())
        boast = self.rule.says == "flag: free-lunch" and (
            self.polarity == "compared" or self.phrase.lower().startswith(("who ", "why "))
        )
        only = self.polarity == MENTION and not (self.axis in WEAK or self.value in WEAK)
        return (
            self.polarity == ASSERTED
            or passed_on
            or only
            or boast
            or bool(denial and self.polarity == "negated")
        )


def find(text: str) -> list[Finding]:
    """Apply every rule to every sentence.

    Args:
        text: that passed `checked`.

    Returns:
        All findings, those that are denied or only compared with among them.

    Example:
        >>> [(f.value, f.polarity) for f in find("No GAN.") if f.axis == "paradigm"]
        [('adversarial', 'negated')]
    """
    found, rivals = [], ""
    cut = sentences(text)
    field = _background(text, cut)
    names = other_names(text, cut)
    for n, sentence in enumerate(cut):
        around = scopes(sentence.text)
        if rivals and (they := THEY.match(sentence.text)):
            around.append((*reach_of("far", sentence.text, *they.span()), rivals))
        else:
            rivals = _others(sentence.text, around)
        around += their_clauses(sentence.text, names)
        around += _explained(sentence.text)
        aside = bool(SECTIONS.finds.match(sentence.section))
        for rule in RULES:
            for start, end in _matches(rule, sentence.text):
                first, last = sentence.span(start, end)
                sense = strongest(around, start, end)
                if sense == MENTION and declared(sentence.text, start):
                    sense = ASSERTED
                if sense == ASSERTED and (aside or passing(sentence.text, start, end)):
                    sense = MENTION
                if sense == ASSERTED and n < field and rule.says.startswith("objective"):
                    sense = MENTION
                found.append(
                    Finding(rule, text[first:last], first, last, sense, n, sentence.text,
                            loner(sentence.text, start, end), start)
                )  # fmt: skip
    return _resumed(_turned_from(found, cut))


def _turned_from(found: list[Finding], cut: list[Sentence]) -> list[Finding]:
    """Turn what a sentence says of others to comparison, if the next one says "we instead"."""
    left = {
        n
        for n, (sentence, then) in enumerate(pairwise(cut))
        if INSTEAD.match(then.text) and not OURS.search(sentence.text)
    }
    return [
        replace(f, polarity="compared") if f.sentence in left and f.polarity == ASSERTED else f
        for f in found
    ]


def _background(text: str, cut: list[Sentence]) -> int:
    """Return how many sentences an abstract spends on the field before it comes to its own work."""
    own = next((n for n, s in enumerate(cut) if COMES_TO.search(s.text)), 0)
    prose = all(
        len(s.text.split()) > 3 and s.text.endswith((".", "?", "!")) and s.text[0] not in "-*•+|#"
        for s in cut[:own]
    )
    named = own and NAMED.search(text[: cut[own].origin[0]])
    field = own and (BACKDROP.search(cut[0].text) or _others(cut[0].text, scopes(cut[0].text)))
    return own if prose and field and not named else 0


def _resumed(found: list[Finding]) -> list[Finding]:
    """Take "the GANs" for those of which the text spoke before, if it only compared with them."""
    return [
        replace(f, polarity="compared")
        if f.polarity == ASSERTED and RESUMES.search(f.context[: f.at]) and f.phrase.endswith("s")
        and (before := [g for g in found if g.rule.says == f.rule.says and g.sentence < f.sentence])
        and all(g.polarity == "compared" for g in before)
        else f
        for f in found
    ]  # fmt: skip


def _explained(sentence: str) -> list[tuple[int, int, str]]:
    """Find what follows a colon after a remark on the field, and only explains the remark."""
    m = FIELD.finds.match(sentence)
    colon = sentence.find(": ", m.end()) if m else -1
    if colon < 0 or COLON.search(sentence[colon:]):
        return []
    return [(colon, len(sentence), MENTION)]


def _others(sentence: str, around: list[tuple[int, int, str]]) -> str:
    """Return the polarity of what a sentence begins with, if it speaks of other systems."""
    if any(start == 0 and sense == "compared" for start, _, sense in around):
        return "compared"
    return MENTION if FIELD.finds.search(sentence) else ""


def promoted(found: list[Finding]) -> list[Finding]:
    """Let mentions count where nothing plainer names a component.

    Args:
        found: what `find` returned.

    Returns:
        The same findings; those that are only mentioned are asserted if no other component is.
    """
    found = _without_order(found)
    taken_up = {f.sentence - 1 for f in found if TAKES_UP.search(f.context)}
    found = [_asserted(f) if f.sentence in taken_up else f for f in found]
    found = _without_loners(found)
    plain = any(f.axis == "paradigm" and f.asserted and not f.rule.hint for f in found)
    described = any(f.rule.says in DESCRIBED and f.asserted for f in found)
    tasks = sum(f.rule.says == "sign: discriminative" and f.asserted for f in found)
    if not any(f.rule.says in DRAWERS and f.asserted for f in found) and _pieces(found):
        return [_asserted(f) if f.rule.says in DRAWERS and not f.rule.hint else f for f in found]
    if plain or tasks > 2 or any(f.rule.says in ELSEWHERE and f.asserted for f in found):
        return found
    hinted = {f.value for f in found if f.axis == "paradigm" and f.asserted}
    return [
        f if described and not f.rule.hint and f.value not in hinted else _asserted(f)
        for f in found
    ]


def _without_order(found: list[Finding]) -> list[Finding]:
    """Deny the loose names of a language model where the release says that it has no order."""
    if not any(f.rule.says == AR and UNORDERED.search(f.context[: f.at + 40]) and not f.asserted
               and not UNORDERED_RIVAL.search(f.context) for f in found):  # fmt: skip
        return found
    own = [f for f in found if f.rule.says == AR and f.asserted and not f.rule.hint]
    if not all(LOOSE_ORDER.fullmatch(f.phrase.lower()) for f in own):
        return found
    return [
        replace(f, polarity="negated") if f.rule.says == AR and f.asserted else f for f in found
    ]


def _pieces(found: list[Finding]) -> bool:
    """Say whether the text has discrete codes, and nothing yet that draws them."""
    own = [f for f in found if f.axis == "paradigm" and f.asserted and not f.rule.hint]
    return {f.rule.says for f in own} == {LATENT} and any(CODES.search(f.context) for f in own)


def _without_loners(found: list[Finding]) -> list[Finding]:
    """Turn the indefinite subjects of later sentences to mentions, after another component."""
    plain = [f for f in found if f.axis == "paradigm" and f.asserted and not f.rule.hint]
    first = min((f.sentence for f in plain if not f.loner), default=len(found))
    return [
        replace(f, polarity=MENTION)
        if f.loner and f.polarity == ASSERTED and first < f.sentence
        else f
        for f in found
    ]


def _asserted(f: Finding) -> Finding:
    return replace(f, polarity=ASSERTED) if f.polarity == MENTION else f


def _matches(rule: Rule, text: str) -> list[tuple[int, int]]:
    first, *others = rule.pattern.split(" && ")  # all in one sentence, in any order
    if not all(compiled(other, commas=True).search(text) for other in others):
        return []
    if others and rule.unless and compiled(rule.unless, commas=True).search(text):
        return []
    found = []
    for m in compiled(first, commas=True).finditer(text):
        near = text[max(0, m.start() - NEAR) : m.end() + NEAR]
        if not (rule.unless and compiled(rule.unless, commas=True).search(near)):
            found.append(m.span())
    return found
