"""Step 3 of the procedure: phrases about a likelihood and its kind.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

EXACT = (
    "exact (~ )?(log )?(likelihoods?|probabilit*|densit(y|ies)|log prob*|log density|bits)|"
    "(exactly|precisely) (~ )?(likelihood|probability|density)|(likelihoods?|probabilit(y|ies)|"
    "densit(y|ies)|log likelihood) (~ )?(exactly|exact|to (nine|ten|the last) (digits|"
    "decimal*)|without approximation|in closed form)|densit(y|ies) (is|are) (explicit|exact|"
    "tractable|gaussian)|explicit densit(y|ies)|known exactly|(true|precise|tractable|"
    "closed form) (log )?(likelihoods?|densit(y|ies)|probabilit*)|(computes?|gives?|reports?|"
    "prints?|outputs?|returns?|assigns?|carries|comes with|with an?) (~ )?(the |its |"
    "an? )?(log )?(likelihood|exact probability|true probability)|exact and in|"
    "densities are exact|(likelihoods?|densit(y|ies)) [(]?(still |always |of course )?exact|"
    "(any|every) marginal|answered exactly|(inference|routines?|quer(y|ies)|"
    "marginals?|conditionals?) (~ )?(is|are|stay|stays|remains?) (both )?(exact|tractable)|"
    "(tractable|"
    "exact) (~ )?(inference|marginals?|marginali[sz]ation|conditioning)(?! (networks?|is "
    "intractable))"
)

LIKELIHOODS = (
    Rule(
        "likelihood: exact",
        EXACT,
        4,
        "It reports the exact log-likelihood.",
        unless=(
            "approximate|bound on|(lower|variational|upper) bound|rewriting|likelihood of "
            "the simulator|likelihood free|pseudo|maximum likelihood|exact (same|copy)|estimated "
            "likelihood|(is|are|being|remains?|was|were) (~ )?(intractable|infeasible|unavailable|"
            "impossible|out of reach|unknown|prohibitive|too (expensive|costly))"
        ),
    ),
    Rule(
        "likelihood: bound",
        "(variational|lower|upper|likelihood|perplexity|density) (~ )?bounds?|bounds? (on|"
        "in bits|in continuous)|reported bounds?|(negative|validation) bound|elbo|bits "
        "(back|per dimension) ~ bound",
        5,
        "We report a variational bound in bits per dimension.",
        unless=(
            "derived|derive|turns the|up to|avoid*|lipschitz|upper bound on the (steps|"
            "cost|time)"
        ),
    ),
    Rule(
        "sign: bits",
        "bits? (per |/ ?)(dim*|pixels?|characters?|tokens?|bytes?|sub ?pixels?)|bits.dim|bpd|"
        "nats|perplexit(y|ies)|state of the art (log )?likelihoods?|test (log )?likelihoods?",
        5,
        "We report 2.5 bits per dimension.",
    ),
    Rule(
        "sign: bound derived",
        "(parameteri[sz]ation|rewrit*|turns?|becomes|reduces?) (~ )?(variational )?bound|"
        "bound (~ )?(turns|becomes|reduces)",
        12,
        "The variational bound becomes a regression on the noise.",
    ),
    Rule(
        "likelihood: none",
        "(statistical|probabilistic) (sense|model)|model in the statistical|likelihoods?|"
        "densit(y|ies)|probabilit(y|ies)",
        7,
        "There is no likelihood.",
    ),
    Rule(
        "sign: ode",
        "ode|ordinary differential|probability flow",
        14,
        "The probability-flow ODE gives it.",
    ),
)  # fmt: skip
