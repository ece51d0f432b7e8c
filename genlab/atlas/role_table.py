"""The table of what only mentions a family: sentences about results, and words around a name.

`roles.py` applies it. The patterns of kind "words" are in the language of `phrases.py`, those of
kind "expression" are regular expressions that match at a place or end there.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass

from .phrases import compiled


@dataclass(frozen=True)
class Role:
    """A row: what it recognises in a sentence, by which pattern, and what follows from it."""

    name: str
    says: str  # in plain words
    pattern: str
    example: str  # the phrase in [ ] is what is only mentioned, or what the pattern finds
    kind: str = "words"  # or "expression"
    lesson: int = 15

    @property
    def finds(self) -> re.Pattern[str]:
        """The pattern as a regular expression."""
        return compiled(self.pattern) if self.kind == "words" else re.compile(self.pattern)


ROLES = (
    Role(
        "result",
        "a sentence about results: families in it are only mentioned",
        "(far |much |slightly |clearly |about |roughly )?(better|worse|faster|slower|sharper|"
        "smoother|crisper|cheaper|closer|larger|shorter|longer|stronger|weaker|richer|broader|"
        "higher|lower|smaller|fewer|blurrier|nearer|finer|more \\w+) (~ )?(than|that of|those of)|"
        "prefer(s|red)?|wins?|won|loses? (to|against)|ties? with|on par|trail(s|ed|ing)?|lag(s|"
        "ged|"
        "ging)?|agree(s|d)? (better |well |closely )?with|leads?|led|lead over|"
        "better|worse|superior|inferior|nicer|similar|rated|ranked|readily|sharper|"
        "slower|faster|for comparison|alike|leaves? ~ behind|"
        "(drops?|dropped|falls?|fell|rises?|rose|improves?|improved|halves|halved) (~ )?from|"
        "twice (as|the|that)|thrice|times (the|as|that|those)|(reach|attain|achiev|obtain|get|"
        "score)(e?s|e?d)? "
        "(~ )?(fid|"
        "fvd|fad|mos|bleu|auc|auroc|elo|\\d+)",
        "A [GAN] of equal size reaches an FID of 9.",
    ),
    Role(
        "field",
        "a sentence about the field: families in it are only mentioned",
        "^(most|many|much|existing|current|recent|prior|previous|earlier|today's|modern|"
        "popular|typical|usual|conventional|traditional|classical|standard) (~ )?(models|"
        "networks|methods|"
        "gans|vaes|flows|systems|approaches|work|generators|samplers|policies|autoencoders|"
        "techniques)|"
        "^(?!(our|we|these|this|its|the|both|two|three|four|five|several|each|every|one|all|"
        "samples|an?|in|for|with|here)\\b)([\\w'()]+ ){0,6}?(models|networks|"
        "policies|methods|approaches|systems|gans|vaes|flows|lms|llms|autoencoders|diffusions|"
        "samplers|generators|decoders|vocoders|simulators) (over [\\w ]+ )?(?!(for|of|in|with|on|"
        "from|by|and|or|at|to)\\b|are \\w+ed\\b)\\w+|"
        "^\\w+ing (~ )?(loses?|forces?|costs?|remains?|suffers?|hurts?) |"
        "^((\\w+ )?diffusion|(\\w+ )?flow matching|adversarial (training|learning)|maximum "
        "likelihood|\\w+( \\w+)? based (\\w+ )?(generation|synthesis|modell?ing|sampling|editing|"
        "decoding|training)|"
        "(autoregressive|speculative) (decoding|modell?ing|generation)|score matching|rectified "
        "flow) "
        "((of|for|in) \\w+ )?(\\w{2,}s(?! (it|our|the (model|network|decoder|prior|generator))\\b)|"
        "is|has|cannot|must|can) ",
        "Popular [GANs] miss modes.",
    ),
)  # fmt: skip
FAMILY = (  # nouns that in the plural, without an article or a number, mean everybody's
    "models|networks|nets|systems|methods|approaches|policies|gans|vaes|flows|lms|llms|vocoders|"
    "samplers|"
    "autoencoders|generators|baselines|diffusions|techniques|families|engines|(?<=adversarial "
    ")ones|(?<=autoregressive )ones|(?<=based )ones|rnns|"
    "processes|priors|planners|agents|pipelines|simulators|synthesi[sz]ers|upscalers|solvers|"
    "assistants|translators|predictors|restorers|avatars|codecs|"
    "based \\w+s"
)
METHOD = Role(
    "words of making",
    "words with which a sentence says how something is made; in such a sentence nothing is only "
    "mentioned",
    "train*|fine ?tun*|learn*|work(s|ing) (on|in)|operat*|consist*|compos*|compress*|"
    "condition(ed|s)|"
    "adds?|added|uses?|using|built|build|based on|architecture|loss|objective|regress*|predict*|"
    "decod(es?|er|ed)|encod(es?|er|ed)|denoises?|combin*|distill*|propos*|introduc*|present*|"
    "integrat*",
    "The flow is [train]ed on rows.",
)
PLURAL = Role(
    "a family in the plural",
    "a plural without article or number means everybody's: it is only mentioned",
    rf"(?:[\w+']*(?:[ -](?:and |or )?[\w'+()]+){{0,4}}?[ -](?:{FAMILY})|"
    rf"(?:{FAMILY}))\b"
    r"(?! (?:the|an?|its|each|every|this|these|our|which tokens)\b)",
    "rows from [GANs]",
    kind="expression",
)
THEIRS = Role(
    "somebody's model",
    "a well-known model's bare name is only mentioned",
    r"(?!patch-?gan)(?:\w+(?:gan|vae|rnn|nvp)s?[-+\d]*|pixel ?cnn[+]*|wavenet|glow|maskgit|"
    r"muse|llada|sedd|mdlm|imagen|parti|sdxl|flux|d3pm)(?!\w)",
    "rows like those of [CTGAN]",
    kind="expression",
)
COUNTED = Role(
    "whose plural",
    "words before a plural that make it the release's own",
    r"(?:\b(?:we|our|ours|its|it|these|both|two|three|four|the|this|here|is|are|propose\w*|"
    r"release\w*|introduc\w+|"
    r"present\w*|stack\w*|suite of|family of|small|open)[ -](?:(?!(?:of|to|than|from|over|by|"
    r"with|for|as|on|though|while|but|and)[ ])[\w'/.]+[ -]){0,4}?|(?:: |^[-*•+] )(?:[\w.-]+ )?|"
    r"\b(?:we|our|here|this|it|is|as|propose\w*|present\w*|introduc\w*|explor\w*|stud\w+|"
    r"architecture:)[ ]"
    r"(?:[\w'-]+ ){0,4}?(?:use|potential|variants?|versions?|types?|kinds?|class|family|form|"
    r"extensions?|instances?|combination) of (?:[\w-]+[ -]){0,3}?|"
    r"\b(?:improv\w*|accelerat\w*|extend\w*|scal\w*|fine-?tun\w*|distil(?:s|l|led|ling)?|train\w*|"
    r"appl(?:y|ies|ied|ying)|"
    r"revisit\w*|stud(?:y|ies)|remov\w*|speed\w* up)[ -](?:(?!(?:to|than|from|over|by|with|for|"
    r"as|on)[ ])[\w'/.]+[ -]){0,6}?|\b(?:augmented|enriched|built|modelled|generated|written|"
    r"drawn|trained|combined|"
    r"using|via|through|made|flexible|"
    r"expressive|parameteri[sz]ed|represented|estimated|transformed|refined|followed|"
    r"implemented) (?:by |with |from |on |upon )?)$",
    "[we train ]GANs",
    kind="expression",
)
SEVERAL = Role(
    "several",
    "words before a family that make it everybody's",
    r"\b(?:several|many|most|all|other|various|earlier|existing|\d{2,}(?= )"
    r"(?!(?: \w+){1,3} (?:an?|the|our|its) ))[ -]"
    r"(?!(?:layers|blocks|steps|stages|levels|stacks) of )(?:[\w']+[ -]){0,3}$",
    "[several ]diffusion models",
    kind="expression",
)
ARTICLE = Role(
    "whose name",
    "words before a bare name that make it the release's own",
    r"(?:\b(?:an?|our|the|this|its|own|conditional|based on|from|with|of|on|over)[ "
    r"-](?:[\w'/.]+[ -]){0,2}?|^|: |"
    r"(?:lora|adapter|controlnet|checkpoint|fine-?tune|tuned|weight|merge|derivative|version|"
    r"distilled)s?\b[^.;,]{0,30} (?:for|of|from|on|upon|with) |"
    r"(?:\b(?:is|are|was|uses?|using|runs?|takes?|apply|adopts?|trains?|trained|fine-tuned?)|"
    r"[+=&/(]) ?|"
    r"\b(?:tokeni[sz]|encod|compress|quanti[sz]|decod|draw|generat|model|sampl|render|predict|"
    r"synthesi[sz])\w* (?:by|with|through) (?:vit-)?)$",
    "[a ]CTGAN is trained",
    kind="expression",
)
SECTIONS = Role(
    "section",
    "headings and keys under which the method is not described",
    "results?|evaluations?|quality|performance|benchmarks?|metrics?|measured|numbers|scores?|"
    "limits|limitations?|"
    "known (problems|issues|limits|limitations|weaknesses)|safety|licen[cs]e|ethics|bias*|risks?|"
    "intended use*|uses?|out of scope|not for|related( work)?|comparison*|citation|acknowledg*|"
    "data|"
    "training data|dataset|speed|reception|caveats?|compared|other( changes| fixes| news)?|"
    "misc\\w*|"
    "(bug ?)?fixes|fixed|(\\w+ )?(text|prompt|caption) (re-?)?(encoders?|writ\\w+|writers?)|"
    "embeddings|feature extractors?|requirements?|requires|dependencies|baselines?|rivals?|"
    "prompt (enhanc|expan)\\w+|captioners?|captioning",
    "[Results]",
)
BARE = Role(
    "name of a family",
    "names that say nothing of how something works",
    "((conditional|latent|variational|deep|masked|text|image|pixel|small|plain) )?(gans?|"
    "\\w*gans?|\\w*vaes?|"
    "(variational )?auto ?encoders?|diffusions?|flows?|normali[sz]ing flows?|autoregressi\\w*|"
    "adversarial|"
    "(\\w+ )?language models?|llms?|lms?|potts|gibbs( sampling)?|energy (based|models?)|score "
    "(based|matching)|"
    "pixel ?cnns?|wave ?nets?|gpts?( \\d)?|stylegans?\\d?|boltzmann machines?|"
    "latent diffusion|masked (token |diffusion |language )?models?|flow matching|consistency "
    "models?)",
    "[GAN]",
)
OWN = Role(
    "own subject",
    "words that make the rest of a clause speak of the release, in a sentence about results",
    r"(?<![\w-])(?:(?:we|our|ours|this|its|it|i|here|ourselves)(?![\w-])|"
    r"(?:is|are|was|were|as) (?:an? |the )(?!\w+ baseline)|^(?:the|this) |(?<=, )the )",
    "[our] flow wins",
    kind="expression",
)
STOP = Role(
    "end of what is own",
    "where that stretch ends",
    r"[;:()]|, | (?:than|against|over|versus|vs|to (?:those|that)|with (?:those|that|an?)|by "
    r"(?:an?|the)|"
    r"but|while|whereas|and (?:an?|the)) ",
    "our flow wins[, but ]a GAN is faster",
    kind="expression",
)
BUILDS = Role(
    "building",
    "verbs and links by which a sentence gives a part its place in the release",
    "(is|are) (~ )?(trained|used|fitted|applied|followed|added|conditioned|learned|optimi[sz]ed)|"
    "these|our|ours|we|"
    "its|resulting|then|turns?|maps?|decodes?|denoises?|generates?|predicts?|writes?|draws?|"
    "(models?|captures?|handles?|describes?) (the|"
    "their|what|how|each|local|global|fine|coarse|long|short)|(tokens|codes|latents|vectors|"
    "pieces) (come|of|from)|works? (on|in|over|with)|"
    "(gives?|yields?|suppl(y|ies)|provides?) (the |its |us |them )?((discrete|audio|speech|image|"
    "visual|"
    "acoustic|semantic) )?(tokens|codes|latents)|over (the )?(codes|tokens|latents)|"
    "(fills?|infills?|completes?|unmasks?|finishes|polishes|sharpens?|corrects?|enhances?|"
    "upscales?|enlarges?|vocodes?|emits?|animates?|warps?|lifts?) (the|its|an?|all|"
    "each|every|them|these|it|what)|"
    "from an?|paints?|runs|follows|produces|converts?|completes?|compress*|(suppl(y|ies)|provides?|"
    "delivers?|yields?|emits?|encodes?|reconstructs?|renders?|synthesi[sz]es?|quanti[sz]es?|"
    "tokeni[sz]es?|refines?|upsamples?|restores?) (the|its|all|these|this|images?|audio|video|"
    "pictures?|codes?|tokens?|latents?|waveforms?)|samples? (~ )?(codes?|"
    "latents?|tokens?)",
    "a GAN [turns] the codes to pixels",
)
WORKS = Role(
    "fragment",
    "what says nothing of others (no verb, or one of being and sampling) builds, too",
    r"^(?!.*\b(?:includ\w+|contains?|exists?|has|have|need\w*|took|gives?|gave|shows?|"
    r"report\w*|beats?|ours)\b)",
    "[a GAN for faces]",
    kind="expression",
)
LINE = Role(
    "line of a list",
    "a line of a list builds, too",
    r"(?:[-*•+|] |[\w /()-]{1,40}: )",
    "[- ]a GAN",
    kind="expression",
)
LONER = Role(
    "indefinite subject",
    "the indefinite subject of a sentence that builds nothing is a remark, once another "
    "component is known",
    r"(?:[-*•+] )?(?:an?|another|one) (?:[\w'/.]+[ -]){0,4}?$",
    "[a ]GAN was unstable",
    kind="expression",
)
SUBJECT = (  # of a clause about the release: a pronoun, a part that is known, or its name
    r"(?:it|this|we|ours|both(?: (?:models|parts|networks|stages|variants|versions|checkpoints))?|"
    r"(?:the|our|this|its|whose) (?:[\w/-]+ ){0,3}?"
    r"(?!baseline|predecessor|teacher|evaluator|competitor|alternative|problem|task|goal|idea|name|"
    r"metric|classifier|filter|judge)[\w-]+(?: itself)?)"
)
NAME = (
    r"(?!(?:an?|the|one|another|each|every|no|there|what|which|such|most|some)\b)"
    r"[\w.+'-]+(?: [\w.+'-]+){0,2}?(?: \([^()]{1,40}\)|, [^,;:]{3,50},)?"
)
LINK = (  # how a predicate begins that says what something is or is made of
    r"(?:is|are) (?:(?:itself|now|thus|therefore|essentially|simply|also|in effect|technically) )?"
    r"(?:(?:an?|one|the|our) |(?:based|built|founded|centred|centered|modelled) (?:up)?on |"
    r"(?:made|composed|built) (?:up )?(?:of|from) )|"
    r"(?:itself |also |then |thus |simply )?(?:serves?|acts?|functions?|works|doubles?) as "
    r"(?:an?|the|our|its) |"
    r"(?:adapts?|extends?|employs?|adopts?|leverages?|couples?|marries|pairs|consists? of|"
    r"uses?|utili[sz]es?|applies|apply|harness(?:es)?|integrates?|incorporates?|"
    r"comprises?|builds? (?:up)?on|rests? on|relies on|is|are) "
)
# "Model type: ..."; words of a bare result or comparison end what is said of the release
CLEAN = (
    r"(?:[\w-]+, ){0,3}(?:(?!(?:than|not|no|without|unlike|over|against|versus|vs|like|for|as|"
    r"and (?:an?|the)|but|while|whereas|trained on|outperform\w*|code|library|wrapper|plugin|"
    r"survey|review|tool|alternative|detector|classifier|metric|benchmark|data ?set|comparison)\b)"
    r"[\w/+.'()-]+ ){0,12}?"
)
DECLARES = Role(
    "what the release is",
    "words before a family with which a sentence says what the release itself is or is built on",
    rf"(?:(?:^|[,;:(] |[ ](?:and|because|as|since|so|that|while|where) ){SUBJECT} "
    rf"(?:{LINK}){CLEAN}|"
    rf"^(?:[-*•+] )?{NAME} (?:is (?:an?|the|our) |(?:is|are) (?:based|built) (?:up)?on |adapts |"
    rf"extends |employs |uses |utili[sz]es |leverages |adopts |harnesses |consists of |combines |"
    rf"couples |marries ){CLEAN}|"
    r"^(?:[-*•+] )?(?:model )?(?:type|kind|class|family|architecture|model type)s?: "
    r"(?:[\w/+.()-]+ ){0,8}?)$",
    "[it is a ]GAN",
    kind="expression",
)
WORDS = (
    METHOD,
    PLURAL,
    THEIRS,
    COUNTED,
    SEVERAL,
    ARTICLE,
    SECTIONS,
    BARE,
    OWN,
    STOP,
    BUILDS,
    WORKS,
    LINE,
    LONER,
    DECLARES,
)
