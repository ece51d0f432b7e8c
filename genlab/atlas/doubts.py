"""Which conclusions a reader of flesh and blood should check: those that hang on one phrase.

Of 289 releases that no rule had seen, the components were right in 88 % where nothing is doubted
and in 80 % where something is; of 69 plain descriptions, in 95 and 72 % (docs/reader.md).

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from .draft import ORDER, Draft
from .findings import Finding

JUDGING = 3  # sentences about recognising or measuring, from which on a text may draw nothing


def doubts(draft: Draft) -> tuple[str, ...]:
    """Say what to check in the text itself.

    Args:
        draft: with its conclusions.

    Returns:
        A line for each component that only one phrase names, one where no component is named, and
        one where the text speaks of recognising or measuring so often that it may draw no samples;
        empty where nothing hangs on so little.

    Example:
        >>> from genlab.atlas.reader import read_release
        >>> read_release("A GAN for faces.").doubts
        ('adversarial: only “GAN” says so',)
        >>> read_release("A GAN for faces. The discriminator sees patches.").doubts
        ()
    """
    found = []
    for paradigm in ORDER:
        why = [f for f in draft.because.get(f"paradigm: {paradigm}", ()) if isinstance(f, Finding)]
        plain = [f for f in why if not f.rule.hint]
        if why and len({_said(f.phrase) for f in plain}) < 2:
            one = " ".join((plain or why)[0].phrase.split())
            found.append(f"{paradigm}: only “{one}” says so")
    if not draft.paradigms and "not-generative" not in draft.flags:
        found.append("no component is named: does it draw samples at all?")
    judging = {f.sentence for f in draft.sign("discriminative")}
    if draft.paradigms and len(judging) >= JUDGING:
        found.append(f"{len(judging)} sentences recognise or measure: does it draw samples at all?")
    return tuple(found)


def _said(phrase: str) -> str:
    return " ".join(phrase.lower().replace("-", " ").split()).removesuffix("s")
