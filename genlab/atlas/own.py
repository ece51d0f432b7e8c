"""Which phrases stand where a text says what its own release is, has or is built on.

"It is a latent diffusion model", "a GAN whose generator is a flow", "the encoder itself serves as
a discriminator", "Model type: diffusion": what is said so is no mention, even beside results.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from functools import lru_cache

from .role_table import DECLARES

KNOWN = re.compile(  # systems that everybody knows, and families: what they are is said of others
    r"stable diffusion(?: \w+)?|sdxl|sd [\d.]+|dall-e(?: \d)?|imagen|midjourney|flux|parti|muse|"
    r"gpt-\d|llamas?|wavenet|wavegan|stylegan-?\d?|biggan|glow|real ?nvp|nice|ddpm|pixelcnn\+*|"
    r"vqgan|vq-gan|vq-?vae(?:-2)?|maskgit|(?:[\w-]+ ){0,2}(?:diffusion|flow|matching|training|"
    r"learning|sampling|decoding|generation|modell?ing|synthesis|models?|networks?|gans?|vaes?|"
    "flows?)"
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
    if " is our " in m.group():
        return True
    subject = re.split(r" (?:is|are|adapts|extends|employs|uses|utili[sz]es|leverages|adopts|"
                       r"harnesses|consists|combines|couples|marries) ",
                       m.group().lstrip("-*•+ "))[0]  # fmt: skip
    return not KNOWN.fullmatch(subject)
