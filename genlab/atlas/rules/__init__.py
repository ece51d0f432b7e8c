"""Every rule of the release reader, one row each, in a table for each step of the procedure.

`phrases.py` explains the patterns. Five tables say which components are named (`paradigm:`), then
come objectives, signs of the sampler (is it a loop, over tokens, in how many steps), likelihoods
and flags. `deduce.py` draws the conclusions.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

from .adversarial import ADVERSARIALS
from .autoregressive import AUTOREGRESSIVE
from .flags import FLAGS
from .flow import FLOWS
from .latent import LATENTS
from .likelihood import LIKELIHOODS
from .names import ADV as ADV
from .names import AR as AR
from .names import FLOW as FLOW
from .names import LATENT as LATENT
from .names import SCORE as SCORE
from .objective import OBJECTIVES
from .sampling import SIGNS
from .score import SCORES

COMPONENTS = (*AUTOREGRESSIVE, *FLOWS, *LATENTS, *ADVERSARIALS, *SCORES)
RULES: tuple[Rule, ...] = (*COMPONENTS, *OBJECTIVES, *SIGNS, *LIKELIHOODS, *FLAGS)
