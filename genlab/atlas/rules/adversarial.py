"""Phrases that place an adversarial component.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

from .names import ADV

ADVERSARIALS = (
    Rule(
        ADV,
        "(style|w|wasserstein |dc|big|cycle|info|pro|c|conditional |patch|vq|vit vq|least "
        "squares |ls|gigap?|text |time|tab|ct|hifi|hifi |projected |image |vocoder |sketch|"
        "progressive |3d )?(gans?)( \\d)?|gans?|(generative )?adversarial (~ )?nets?|"
        "generative adversarial|stylegan\\d?|vqgans?|hifi gan|biggan|cyclegan|pix2pix|gaugan",
        7,
        "A GAN for faces.",
        unless="gan ~ (name|joke)|(name|called) ~ gan|gan (inversion|dissection)",
    ),
    Rule(
        ADV,
        "adversarial (~ )?(loss|losses|term|terms|training|objective|network|networks|"
        "generator|fine tuning|finetuning|post training|distillation|game|phase|refinement|"
        "upscaler|model|models|component|part|signal|gradient|supervision|learning|feature|"
        "hinge|vocoder|diffusion|decoder|tuning|head|stage|step|criterion|error|auto*|"
        "manner|setup|fashion)|adversarial(ly)?|adversar(y|ies)|trained adversarially",
        7,
        "Tuned with an adversarial loss.",
        unless=(
            "adversarial (perturbations?|purification|defen[cs]es?|inverse rl|imitation|noise|"
            "watermarks?|examples?|attacks?|robustness|"
            "prompts?|testing|inputs?|patch|textures?|text|"
            "texts|users?|"
            "questions?|queries|suffix*|evaluation|benchmarks?|conditions?|settings?|use|misuse|"
            "actors?|"
            "attack)|red team*|adversar(y|ies) (may|might|could|who)"
        ),
    ),
    Rule(
        ADV,
        "(its|an|the) opponent|discriminators?|critics?|(other|second|another|"
        "one) (~ )?criticis(es|e|ing)|"
        "minimax|min max|two player|(fool*|deceiv*|trick*) (~ )?(judge|discriminator|"
        "critic|network|classifier|second|detective)|(two|both|pair of) networks (~ "
        ")?(against|compete*|game)|trained against (each other|one another|a |an |two |its "
        ")|(forger|counterfeit*|fakes?) ~ (detective|police|judge|spot*|detect*|other)|"
        "spots? (~ )?fakes?|other's mistakes|outwit*|cat and mouse|non saturating|hinge "
        "(loss|losses)|wasserstein (loss|critic|objective|game|with gradient)|gradient "
        "penalty|r1 (regulari[sz]ation|penalty)|(r1|r2) penalties|real (or|from|and) (fake|"
        "generated) ~ (judge|classif*|network|tell)|(tell*|distinguish*|separat*) (~ "
        ")?(real|true|genuine) (~ )?from (~ )?(generated|fake|synthetic)|spectral "
        "normali[sz]ation ~ critic|relativistic",
        7,
        "The generator is trained against a discriminator.",
        unless=(
            "reparameteri*|langevin|scalar network|perturb*|certif*|model as a critic|sliced|"
            "sinkhorn|actor critic|"
            "critics (say|"
            "agree|praised|wrote)|art critics|(independent|professional|food|theatre|"
            "music) critics|comparison by (~ )?critics|known from discriminators|film critic*|"
            "critic model for (rewards?|rlhf)|value critic|critic (~ )?(value|values|returns?)|"
            "ppo|self critic*|reinforcement"
        ),
    ),
    Rule(
        ADV,
        "ttur|lsgan|ls gan|w ?gan( gp)?|bigan|cyclegan|spade|(real )?esrgan|gfpgan|gigagan|"
        "projected gan|"
        "patch ?gan|multi (period|scale|resolution) discriminators?",
        7,
        "A PatchGAN with hinge loss.",
        unless="gan ~ (name|joke)",
    ),
)  # fmt: skip
