"""Other systems that a text names: what a clause says of one of them is not said of the release.

A name is known as another's where the text says so once: "our earlier Brush 2", "unlike Pixie". A
later clause that has it as its subject, "Brush 2 is a diffusion model", is then about the other.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from collections.abc import Sequence

from .text import Sentence

INTRODUCED = re.compile(
    r"\b(?:(earlier|previous|former|older|preceding|predecessors?,?)|unlike|whereas|than|compared "
    r"(?:with|to)|outperforms|beats|surpasses|in contrast to) (?:(?:our|the|its|their) "
    r")?(?:(?:earlier|"
    r"previous|original|older) )?(?:(?:models?|versions?|systems?) )?"
    r"(?=((?:[a-z][\w.-]*\w)(?: v?\d(?:[\d.]*\d)?\w?|-\w+)*))"
)
FAMILY = re.compile(  # a name that is a whole family's
    r"(?:\w*gan|\w*vae|llm|lm|rnn|lstm|cnn|transformer|diffusion|flow|gpu|cpu|mcmc|ebm)s?"
)
VERBS = (
    "(?:is|was)(?! (?:used|taken|kept|frozen|fine-?tuned|our|the|part|included|trained by us))|"
    "operates?|operated|uses?|used|works?|worked|relies|relied|draws?|drew|samples?|sampled|"
    "needs?|needed|denoises|generates?|generated|writes?|wrote|trains?|runs?|employs?"
)


def other_names(text: str, cut: Sequence[Sentence]) -> dict[str, str]:
    """Find the names of earlier and of compared systems.

    Args:
        text: that is read.
        cut: its sentences.

    Returns:
        Each name in lower case, with the polarity of what is said of it.

    Example:
        >>> from genlab.atlas.text import sentences
        >>> text = "It replaces our earlier Brush 2."
        >>> other_names(text, sentences(text))
        {'brush 2': 'past', 'brush': 'past'}
    """
    found = {}
    for sentence in cut:
        for m in INTRODUCED.finditer(sentence.text):
            start, end = sentence.span(*m.span(2))
            name = text[start:end]
            if re.match(r"[A-Z]", name) and not FAMILY.fullmatch(m[2]):
                found[m[2]] = "past" if m[1] else "compared"
                stem = m[2].split(" ")[0]
                if stem not in text[:start].lower():  # else it may be the release's own
                    found[stem] = found[m[2]]
    return found


def their_clauses(sentence: str, others: dict[str, str]) -> list[tuple[int, int, str]]:
    """Find the clauses of a sentence whose subject is another system.

    Args:
        sentence: in lower case.
        others: what `other_names` returned.

    Returns:
        Start, end and polarity of each.

    Example:
        >>> their_clauses("brush is a gan; ours is a flow.", {"brush": "past"})
        [(0, 14, 'past')]
    """
    found = []
    for name, polarity in others.items():
        subject = re.compile(
            rf"(?:^|[;,] |\b(?:while|whereas|and|but) )(?={re.escape(name)} (?:{VERBS})\b)"
        )
        for m in subject.finditer(sentence):
            stop = re.compile(r"[;:]|, |(?: while| whereas| but) ").search(sentence, m.end())
            found.append((m.end(), stop.start() if stop else len(sentence), polarity))
    return found
