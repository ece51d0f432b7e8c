"""Which phrases stand where a text says what its own release is, has or is built on.

"It is a latent diffusion model", "a GAN whose generator is a flow", "the encoder itself serves as
a discriminator", "Model type: diffusion": what is said so is no mention, even beside results.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from functools import lru_cache

from .role_table import Role

SUBJECT = (  # of a clause about the release: a pronoun, a part that is known, or its name
    r"(?:it|this|we|ours|(?:the|our|this|its|whose) (?:[\w/-]+ ){0,3}?"
    r"(?!baseline|predecessor|teacher|evaluator|competitor|alternative|problem|task|goal|idea|name|"
    r"metric|classifier|filter|judge)[\w-]+(?: itself)?)"
)
NAME = r"(?!(?:an?|the|one|another|each|every|no|there|what|which|such|most|some)\b)[\w.+'-]+(?: [\w.+'-]+){0,2}?(?: \([^()]{1,40}\)|, [^,;:]{3,50},)?"
LINK = (  # how a predicate begins that says what something is or is made of
    r"(?:is|are) (?:(?:itself|now|thus|therefore|essentially|simply|also|in effect|technically) )?"
    r"(?:(?:an?|one|the|our) |(?:based|built|founded|centred|centered|modelled) (?:up)?on |"
    r"(?:made|composed|built) (?:up )?(?:of|from) )|"
    r"(?:itself |also |then |thus |simply )?(?:serves?|acts?|functions?|works|doubles?) as (?:an?|the|our|its) |"
    r"(?:adapts?|extends?|employs?|adopts?|leverages?|couples?|marries|pairs|consists? of|"
    r"comprises?|builds? (?:up)?on|rests? on|relies on|is) "
)
# "Model type: ..."; words of a bare result or comparison end what is said of the release
CLEAN = r"(?:[\w-]+, ){0,3}(?:(?!(?:than|not|no|without|unlike|over|against|versus|vs|like|for|as|and (?:an?|the)|but|" \
    r"while|whereas|trained on|outperform\w*|code|library|wrapper|plugin|survey|review|tool|" \
    r"alternative|detector|classifier|metric|benchmark|data ?set|comparison)\b)[\w/+.'()-]+ ){0,12}?"
DECLARES = Role(
    "what the release is",
    "words before a family with which a sentence says what the release itself is or is built on",
    rf"(?:(?:^|[,;:(] |[ ](?:and|because|as|since|so|that|while|where) ){SUBJECT} (?:{LINK}){CLEAN}|"
    rf"^(?:[-*•+] )?{NAME} (?:is (?:an?|the|our) |(?:is|are) (?:based|built) (?:up)?on |adapts |"
    rf"extends |employs |consists of |combines |couples |marries ){CLEAN}|"
    r"^(?:[-*•+] )?(?:model )?(?:type|kind|class|family|architecture|model type)s?: "
    r"(?:[\w/+.()-]+ ){0,8}?)$",
    "[it is a ]GAN",
    kind="expression",
)
KNOWN = re.compile(  # systems that everybody knows, and families: what they are is said of others
    r"stable diffusion(?: \w+)?|sdxl|sd [\d.]+|dall-e(?: \d)?|imagen|midjourney|flux|parti|muse|"
    r"gpt-\d|llamas?|wavenet|wavegan|stylegan-?\d?|biggan|glow|real ?nvp|nice|ddpm|pixelcnn\+*|"
    r"vqgan|vq-gan|vq-?vae(?:-2)?|maskgit|(?:[\w-]+ ){0,2}(?:diffusion|flow|matching|training|"
    r"learning|sampling|decoding|generation|modell?ing|synthesis|models?|networks?|gans?|vaes?|flows?)"
)


@lru_cache(maxsize=256)
def declared(sentence: str, start: int) -> bool:
    """Say whether a phrase stands in the predicate of a clause about the release.

    Args:
        sentence: in lower case.
        start: of the phrase.

    Returns:
        True for the families in "It is a GAN whose generator is a flow".

    Example:
        >>> text = "it is a gan whose generator is a flow, faster than a vae."
        >>> [declared(text, text.index(word)) for word in ("gan", "flow", "vae")]
        [True, True, False]
    """
    m = DECLARES.finds.search(sentence[:start])
    if not m:
        return False
    subject = re.split(r" (?:is|are|adapts|extends|employs|consists|combines|couples|marries) ",
                       m.group().lstrip("-*•+ "))[0]  # fmt: skip
    return not KNOWN.fullmatch(subject)
