"""How many steps a text says a sample takes.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass

from .phrases import NUMBERS, compiled, number
from .roles import MENTION
from .scope import ASSERTED, scopes, strongest
from .text import Sentence, sentences


@dataclass(frozen=True)
class Steps:
    """A number of passes of the sampler, as the text says it."""

    low: int
    high: int
    default: bool
    phrase: str
    start: int
    end: int


TRAINING = compiled(
    "train*|tuned|fine tun*|warm up|learning rate|batch*|gradient steps|for \\d+k|pre train*"
)
TRAINED = compiled("(training|optimi[sz]ation|optimi[sz]er|gradient|fine tuning|warm up) steps?")
INFERENCE = compiled("inference|sampl*|denois*|solver|generat*|draw*")
DEFAULT = compiled(
    "defaults?|recommend*|use exactly|exactly|enough|suffice*|we use|works best|suggested"
)
COUNTED = (  # the words between a number and what it counts: "each one needs an evaluation" is none
    "((?!(no|not|nor|never|without|than|unlike|instead|rather|but|which|who|while|because|the|"
    "our|its|their|we|they|it|with|from|by|in|on|for|an?(?! few| handful| dozen)|needs?|takes?|"
    "requires?|costs?|uses?|is|are|was|were|has|next|times|until|till)"
    "\\b)[\\w,'%/\\x28\\x29]+ ){0,4}?"
)
STEPS = compiled(
    "({n}) (~ )?steps? (down )?to ({n})|default (of|is) ({n})|students? of ({n})|(?<!\\d[.])({n})"
    f"(( to| or| and|,) ({{n}}))? {COUNTED}({{step}}|step|"
    "pass|evaluation|call|nfes?|forwards)|(nfes?|function evaluations)( ?= ?|: ?| of )({n})|"
    "(num.)?(inference|sampling|denoising|diffusion|sampler|solver|generation).steps? ?[:=]? "
    "?({n})|"
    "(number of|recommended|default) (~ )?steps? (is|are|of) ({n})|"
    "(num.)?(inference.)?steps ?=? ?(set )?(to|at|between) ({n})|"
    r"(num.|n.)?steps?.(inference|sampling|denoising|diffusion|sampler|solver|generation) ?[:=]? "
    r"?(\d{1,4})|(nfes?|function evaluations)( ?= ?|: | of )(\d{1,4})|"
    r"(num.)?(inference.|sampling.)?steps?( ?= ?|: )(\d{1,3})(?![,\d])"
)
# "In the first step a network predicts the mean": steps that are parts of the system
FASTER = r"(?:distilled|turbo|lightning|few-step|one-step|faster|accelerated)"
EDITION = r"(?:variant|version|edition|checkpoint|flavou?r|sibling|lora|adapter|option|model)"
VARIANT = re.compile(  # what is offered beside the release: "A distilled version runs live"
    rf"\balso (?:[\w-]+ ){{0,4}}{FASTER} (?:[\w-]+ ){{0,2}}{EDITION}s?\b(?! of\b)|"
    r"(?:^(?:[-*•+] )?|[,;:.(] |\b(?:and|but|play|offer|offers|provide|add|ship) )(?:an?|another|"
    r"several|some|"
    rf"two|three|optional|additional|separate|further) (?:[\w-]+ ){{0,2}}{FASTER} (?:[\w-]+ )"
    rf"{{0,2}}{EDITION}s?\b(?! of\b)(?=,? [a-z])|"
    rf"(?:^|[;:,] ){FASTER}(?:,? [\w-]+){{0,4}} {EDITION}s (?:are|were|will|can|exist|follow|"
    rf"come)\b|"
    r"\b(?:undistilled|non-distilled|not distilled|distillation (?:code|scripts?|recipes?|support|"
    r"examples?|is (?:planned|possible|supported)))\b"
)
STAGED = compiled(
    "(in|during|at|as) (the|its|our|a) (first|second|third|final|last) (step|stage),? (~ )?(we|"
    "an?|the|it|model|network)|(split*|factori[sz]*|decompos*|divid*|break*|separat*|proceed*|"
    "consist*) (~ )?(~ )?({n}) (main )?(steps|stages|phases|parts)|^(first|second|third) step:?|"
    "step (1|2|one|two):|(two|three|"
    "four|2|3|4) (consecutive |successive |separate |simple |main |distinct )?(steps|stages|"
    "passes|rounds):"
)
# "in four steps, even in one": what is possible, not what is usual
EXTREME = re.compile(
    r"(?:\beven|\bdown to|\bas (?:low|few|little) as)\s+(?:(?:in|with|at|after|for|just|only|"
    r"a)\s+){0,2}$"
)
SAMPLED = compiled("sampl*|denois*|inference|diffusion|solver|evaluations?|nfe|generation")


def counts(text: str) -> list[Steps]:
    """Read the numbers of sampling steps that a text asserts.

    Args:
        text: that passed `checked`.

    Returns:
        All of them; steps of training are left out.

    Example:
        >>> [(s.low, s.high) for s in counts("Trained for 900 steps. It needs one to four steps.")]
        [(1, 4)]
    """
    cut = sentences(text)
    staged = any(STAGED.search(sentence.text) for sentence in cut)
    found = [s for sentence in cut for s in _counts(text, sentence)]
    found = [s for s in found if not (staged and s.high <= 3 and is_stage(s.phrase))]
    usual = [s for s in found if not EXTREME.search(text[max(0, s.start - 30) : s.start].lower())]
    return usual or found


def is_stage(phrase: str) -> bool:
    """Say whether a number of steps may be one of the parts of a system, by its own words.

    Args:
        phrase: such as "two steps".

    Returns:
        False where it speaks of sampling.

    Example:
        >>> is_stage("two steps"), is_stage("two denoising steps")
        (True, False)
    """
    return not SAMPLED.search(phrase.lower())


def _counts(text: str, sentence: Sentence) -> list[Steps]:
    found, around = [], scopes(sentence.text)
    if VARIANT.search(sentence.text):
        return []
    for m in STEPS.finditer(sentence.text):
        words = _numbers([*RANGE.finditer(m.group())][-1].group())
        before = sentence.text[max(0, m.start() - 40) : m.start()]
        near = before + sentence.text[m.start() : m.end() + 25]
        trained = bool(TRAINING.search(near) and not INFERENCE.search(near))
        trained = trained or bool(TRAINED.search(m.group()))
        if (
            not words
            or trained
            or PIECES.search(m.group())
            or OF_THEM.search(m.group())
            or PRONOUN.match(m.group())
            or NEWS.search(m.group())
            or OFFERED.match(sentence.text, m.end())
            or (min(words) > 1 and RECIPE.match(sentence.text, m.end()))
            or EACH.match(sentence.text, m.end())
            or HALVED.match(sentence.text, m.end())
            or strongest(around, m.start(), m.end()) not in (ASSERTED, MENTION)
        ):
            continue
        start, end = sentence.span(m.start(), m.end())
        chosen = bool(DEFAULT.search(sentence.text[max(0, m.start() - 40) : m.end() + 40]))
        found.append(Steps(min(words), max(words), chosen, text[start:end], start, end))
    return found


PIECES = compiled("tokens?|words?|bytes?|layers?|heads?|times|twice")
EACH = re.compile(
    r" (?:per|in each|at each|a) (?:(?:noise )?level|step|iteration|token|layer|scale|sigma)"
)
# "in one step what its teacher does in two": a round of training, not of sampling
HALVED = re.compile(
    r" (?:the same |exactly |just )?(?:what|as) (?:its|the|their|a) (?:teacher|predecessor|"
    r"original|"
    r"previous \w+|last \w+)\b[^.,;:]{0,30} (?:two|2)\b"
)
# "the 1-step model is experimental"
OFFERED = re.compile(
    r"(?: [\w-]+){0,3} (?:is|are|remains?|looks?|gives?|yields?|produces?|leaves?|seems?|has|"
    r"have|results?|images|samples|quality) (?:(?:in|still|only|more|highly|visibly|clearly|"
    r"noticeably|rather|too|much|a (?:bit|little|lot)|to|images|samples|results|pictures) )*"
    r"(?:experimental|not (?:yet )?(?:recommended|good|usable|enough)|discouraged|a preview|"
    r"blurr\w+|arti?e?facts?|poor\w*|worse|soft|mush\w*|degrade\w*|be desired|insufficient|"
    r"suffers?|lower quality)\b"
)
# "our three-step pipeline"
RECIPE = re.compile(
    r"(?<=step) (?:pipeline|approach|procedure|recipe|process|framework|strategy|curriculum|"
    r"training|scheme|workflow|protocol|guide)"
)
# "where one samples at every step": nobody's number
PRONOUN = re.compile(
    r"one (?:samples?|draws|must|may|might|can|could|would|should|wants|runs|trains|starts|begins|"
    r"makes|gets|generates|denoises|adds|chooses|at every|for each)\b"
)
# "two research updates", "three phone calls": what is no pass of a network
NEWS = compiled(
    "(~ )?(research|product|software|security|quality|weekly|daily|major|minor|api|phone|tool|"
    "policy|weight|parameter|gradient|training|optimi[sz]er|review|funding|feedback) (~ "
    ")?(updates?|calls?|rounds?|iterations?|passes|steps)"
)
OF_THEM = compiled("({n}) of (them|those|these)")
RANGE = compiled("({n})(( to| or| and|,) ({n}))?")
NUMBER = compiled("{n}")


def _numbers(phrase: str) -> list[int]:
    return [number(m.group()) for m in NUMBER.finditer(phrase) if _is_number(m.group())]


def _is_number(word: str) -> bool:
    return word.replace(",", "").isdigit() or word in NUMBERS
