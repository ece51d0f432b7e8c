"""Step 1 of the procedure: phrases that name an objective.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

OBJECTIVES = (
    Rule(
        "objective: cross-entropy",
        "next (~ )?{piece} (~ )?(cross entropy|loss|prediction)|(cross entropy|softmax|log "
        "loss) ~ next|negative log likelihood of (the next|text|each (token|word|note))",
        2,
        "Its loss is the cross-entropy of the next byte.",
    ),
    Rule(
        "objective: change-of-variables",
        "(exact|reverse|negative) (log likelihood|log density|kl)|reverse (kl|divergence|"
        "kullback)|maximum likelihood",
        4,
        "Trained on the exact log-likelihood.",
    ),
    Rule(
        "objective: elbo",
        "evidence (lower )?bound|elbo|reconstruction (~ )?(kl|commitment|divergence)|kl (~ "
        ")?(weight|warm up|term)|variational auto*",
        5,
        "Reconstruction plus a KL term.",
    ),
    Rule(
        "objective: denoising",
        "(its|the|usual|plain|ordinary|own) (regression|denoising) (loss|error|objective)|"
        "predict* (~ )?noise|noise (prediction|predictor|predicting|regression)|(direction|"
        "regression|"
        "estimat*) (of|to) (~ )?noise|(denoising "
        ")?score matching|(denoising|diffusion) (task |training |model |reconstruction |"
        "matching )?(loss|"
        "losses|objective)|clean (image|ones|"
        "data|trajector*|frames?|latents?)|(epsilon|eps) (loss|objective|target|regression)|"
        "velocity parameteri[sz]*|mean squared error ~ noise|v prediction",
        12,
        "The noise-prediction loss is a mean square.",
        unless="noise injection|input noise",
    ),
    Rule(
        "objective: flow-matching",
        "(latent )?flow (transformers?|dit)|flow matching|rectified (~ )?flows?|(regress*|learn*|"
        "predict*|match*|least "
        "squares|integrat*|train*) (~ )?velocit*|velocit(y|ies) (~ )?(regress*|field|"
        "target|prediction|matching|loss|of (an?|the|this|its) (~ )?(flow|path|probability|"
        "interpolant|ode|trajectory|process|particles?|noise))|stochastic interpolant*|straight "
        "(~ )?(paths?|"
        "lines?) (~ )?(between|from|noise|data)|(paths|lines) as straight|reflow|bridge "
        "matching|(average|mean) velocit*",
        14,
        "The velocity is learned by regression.",
        unless=(
            "turbulen*|fluid*|velocity parameteri[sz]*|velocity models?|velocity (of (sound|"
            "cars)|time shift)|"
            "note ~ velocity|and velocity|velocity "
            "and"
        ),
    ),
    Rule(
        "objective: distillation",
        "self consistency|to its (start|origin|beginning)|distill*|distil|distils|"
        "student|students of|(step|distilled|diffusion) students|consistency (~ )?(models?|"
        "training|student|function|objective|loss|"
        "tuning|property|lora|polic(y|ies))|(latent|trajectory) consistency|shortcut (models?|"
        "polic(y|ies)|flows?|networks?|training|objective)|mean "
        "?flows?|(average|mean) velocit*|flow maps?|imitat* (~ )?teacher|teachers?|agree* with (~ "
        ")?(itself|own|teacher)|own (~ )?(jumps?|half|two|predictions?|trajector*)|(any|"
        "two) points? (on|of|along) (~ )?(trajectory|path|curve)|half as many|score "
        "identity",
        14,
        "A student is distilled from it.",
        unless=(
            "student (t|decoder)|distilled[ _](siblings?|variants?|versions?|releases?):|no "
            "distillation|distillation (data|sets?|examples|corpus)|self "
            "distillation (data|features)|student from last|(for|by|to) (our |the |high "
            "school |my |phd |university "
            ")*(students|teachers)|student ~ (course|essay|project)|moving average teacher|"
            "teacher forc*|distilled (water|knowledge from "
            "experts)|(cycle|temporal|self|identity|style|view|character|factual|subject) "
            "consistency"
        ),
    ),
    Rule(
        "objective: distillation",
        "(teach*|train*) (~ )?(second|smaller|student|another) (~ )?(network|model) to (jump|"
        "imitate|skip|reproduce)|jumps? along (~ )?trajector*|(outputs|answers|predictions) (~ "
        ")?(~ )?(same )?trajector* (~ )?agree",
        15,
        "We teach a second network to jump.",
        unless="speculat*|draft*",
    ),
    Rule(
        "objective: distillation",
        "(point|neighbour|state)s? (~ )?(further |farther )?along (~ )?trajector(y|ies) && same|"
        "agree|mapped",
        15,
        "Neighbours along the teacher's trajectory are mapped to the same picture.",
    ),
    Rule(
        "objective: flow-matching",
        "tangent vectors?|regress* (~ )?vector fields?|(which|what) direction (~ )?(push|move|"
        "go)|regress* (~ )?(displacement|"
        "direction)s?",
        14,
        "A network regresses the tangent vectors.",
    ),
)  # fmt: skip
