"""Phrases that place a flow.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

from .names import FLOW

FLOWS = (
    Rule(
        FLOW,
        "normali[sz]ing flows?|(spline|coupling|pretrained|residual|conditional|invertible|"
        "autoregressive|planar|radial|glow|sylvester|neural|discrete|density|conjoint|"
        "continuous|inverse autoregressive|masked autoregressive|multi scale|multiscale|"
        "generative|equivariant|graph|deep|plain|quadratic|image|audio|speech|mixture|"
        "convolutional|"
        "transformer|small|learned|triangular) ((?!models\\b|networks\\b|and\\b|or\\b)\\w+ "
        "){0,2}flows?|flow based|flow (prior|priors|"
        "layers?|decoder|posterior|models?|density|likelihood|component|part|network|step|"
        "steps|stack|variant|head|estimator|emulator|encoder|blocks?|architectures?|"
        "families)|(by|with|is|as|through|our|its|the|called) (a|an|one) flow|"
        "flows (with|of)|generative flows?|(layers|stacks?|blocks|steps) of flows?",
        4,
        "The prior is a normalizing flow.",
        unless=(
            "flow like|flow networks|gflow ?nets?|flow matching|rectified( image| text)? flows?|"
            "matching flow|optical|mean "
            "?flow|consistency flow|flow (of|rate) (water|air|traffic|people|data|"
            "information|blood|money|tokens|time|cash|gradient*|passengers|gas|liquid|"
            "heat)|(traffic|water|cash|air|blood|fluid|gradient|data|control|work|"
            "passenger|lava|turbulent|river|gas|information|user|network|conversation*|"
            "motion|dense|subsurface|groundwater|cell|laminar|power) flows?|flow (field|"
            "fields|simulation|rates?|around|meter|chart|solver)|score and flow|neural "
            "rectified|diffusion flow|generative flow net*"
        ),
    ),
    Rule(
        FLOW,
        "coupling (layers?|blocks?|transforms?|architecture|flows?)|(affine|spline|"
        "additive|rational quadratic|equivariant|gauge|stack of|volume preserving) (~ "
        ")?couplings?|real ?nvp|glow|nice model|ffjord|i resnet|masked autoregressive flow|"
        "maf|iaf|neural spline|invertible (~ )?(1|one) ?(by|x) ?(1|one) convolutions?|act "
        "?norm",
        4,
        "Twelve affine coupling layers.",
        unless="glow (of|in)|cross attention coupling",
    ),
    Rule(
        FLOW,
        "change of variables|log (absolute )?(~ )?determinants?|log det|jacobians? (~ "
        ")?(determinants?|triangular|trace)|determinant of (the|its) jacobian|triangular "
        "(~ )?jacobian|integrating the divergence|divergence of the (vector field|velocity|"
        "dynamics)|trace of (the|its) jacobian|(trace|divergence) estimator|volume (change|"
        "correction|preserving)",
        4,
        "The loss contains the log determinant of the map.",
        unless="probability flow|score",
    ),
    Rule(
        FLOW,
        "(invertible|bijective|reversible) (~ )?(networks?|models?|generator|maps?|mapping|"
        "transform*|functions?|layers?|blocks?|architecture|neural|residual|generative|"
        "decoder|without)|invertible (residual )?nets?|bijection*|invertible by construction|"
        "diffeomorphism",
        4,
        "An invertible network maps noise to data.",
        unless=(
            "reversible (markov|chain|jump|diffusion)|reversible residual|to save memory|"
            "saves? memory|reversible (networks?|layers?|blocks?|transformers?|architecture) (~ )?"
            "(memory|depth|backprop*|activations?|sparse|attention)|memory (~ )?reversible|"
            "reversible ?="
        ),
    ),
    Rule(
        FLOW,
        "(residual|each) (~ )?blocks? ~ (be )?inverted|fixed point iteration ~ (invert*|"
        "inverse)|inver(se|ted|sion) ~ (fixed point|newton)|lipschitz (constant )?below one",
        4,
        "Each residual block is inverted by fixed-point iteration.",
    ),
    Rule(
        FLOW,
        "flows?",
        4,
        "The flow gives the density of every point.",
        hint=True,
        unless=(
            "flow matching|rectified( image| text)? flows?|matching flow|optical|mean "
            "?flow|work|flow (of|rate|through|into|from|to)|(traffic|water|cash|air|blood|"
            "fluid|gradients?|data|control|probability|information|user|network|"
            "conversation*|motion|cell|power) flows?|flow (field|fields|simulation|rates?|"
            "around|meter|chart|solver)|flows? (back|through|into|from|to|past|along|at)"
        ),
    ),
    Rule(
        FLOW,
        "real valued non volume preserving|normali[sz]ing (transformations?|maps?|transforms?)|"
        "integrated divergence|(planar|radial) maps?|integral of (a|the) (trace|"
        "divergence)|affine (map|function|transform*) of (a|the|each|every) {piece}|log densit(y|"
        "ies) (~ )?(~ )?(chang*|evolv*) (~ "
        ")?(rate|trace|divergence)|(chang*|evolv*) (~ )?rate (~ )?trace|layers (~ )?alternating "
        "(sites|dimensions|coordinates|halves)|invertible (map|mapping|transformation)s? between|"
        "densit(y|ies) of (each|every) (~ )?(proposal|sample|configuration|output|draw) (~ )?(is|"
        "are) (~ )?known",
        4,
        "The log-density changes at a rate given by a trace.",
        unless="score|probability flow",
    ),
    Rule(
        FLOW,
        "change in (the )?log densit(y|ies)|unbiased trace|(change|chang*) half (~ )?(variables|"
        "dimensions|pixels)|half (~ )?(variables|dimensions) by an amount (~ )?(other half|"
        "others)",
        4,
        "The change in log-density is accumulated.",
        unless="score|probability flow",
    ),
    Rule(
        FLOW,
        "nfs|nf models?|nsf|rq nsf|umnn|naf|flow[+]+|wave ?glow|tarflow|star ?flow|i ?resnets?|"
        "cnfs?|made "
        "blocks?|"
        "bijectors?|boltzmann generators?|conditional couplings|split coupling|log jacobian*",
        4,
        "Five MADE blocks and a bijector.",
    ),
)  # fmt: skip
