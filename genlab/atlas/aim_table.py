"""The rows by which `aim.py` weighs what a release is for: to judge, or to make something.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re
from dataclasses import dataclass

from .role_table import Role

_MADE = (
    "(images?|pictures?|samples?|videos?|texts?|speech|audio|music|content|media|faces?|voices?)"
)
_PEOPLE = "(people|humans?|listeners|experts?|raters|annotators|users|participants|radiologists)"


@dataclass(frozen=True)
class Aim(Role):
    """A row with its weight: positive where a release judges, negative where it makes something."""

    weight: int = 2


JUDGES_BY = (
    Aim(
        "recognition reported",
        "results in the measures of recognition",
        "top (1|5)|\\d+ m?ap|m?ap (of )?\\d+|m?ap50|auroc|auc roc|auprc|fpr95|fpr|m?iou|eer|"
        "equal error rate|f1|pck|"
        "word error rate|wer|min ?dcf|ndcg|recall at \\d+|r@\\d+|linear (prob\\w*|evaluation|"
        "classif\\w+|eval|layer|readout)|knn|k nn|spearman|pearson|imagenet (1k )?(accuracy|error)|"
        "mteb|beir|glue|superglue|matbench|moleculenet|coco (detection|val)|mvtec|ade20k|sintel|"
        "kitti|spair|voxceleb\\d?|"
        "asvspoof|average precision|"
        "(classification|detection|recognition|verification|test|zero shot) (accuracy|errors?)|"
        "({n}) (labels|labell?ed (~ )?(examples|images|digits|samples))|false (positives?|alarms?|"
        "negatives?)|true positive rate|sensitivity|specificity",
        "It reaches 83 % [top-1] accuracy.",
        weight=3,
    ),
    Aim(
        "recognition named",
        "the tasks of recognition",
        "(image|text|audio|zero shot|semi supervised|few shot|sequence|token|scene|video|graph|"
        "node|document|sentiment|topic|genre|open vocabulary|fine grained|binary|multi label|"
        "robust|"
        "degraded image|cross generator) "
        "classification|(panoptic|semantic|instance|open vocabulary|referring|medical|organ) "
        "segmentation|(semantic|geometric|temporal|visual|dense|non rigid|image) correspondences?|"
        "(object|anomaly|outlier|novelty|defect|out of distribution|ood|event|keypoint|edge|fraud|"
        "intrusion|lane|key|beat|onset|change) detection|(action|speech|face|speaker|emotion|"
        "activity|entity|gesture|character|intent) recognition|(image|text|cross modal|passage|"
        "document|video|audio|image text|text to (image|audio|video|music)) retrieval|"
        "(monocular |stereo )?depth (estimation|prediction)|monocular depth|pose estimation|"
        "speaker verification|"
        "(property|affinity|contact|quality|relevance|link) prediction|re ?identification|"
        "zero shot (recognition|transfer)|semantic (search|similarity)|reranking|tagging",
        "It is tested on [zero-shot classification].",
        weight=3,
    ),
    Aim(
        "representations learned",
        "what is learned is a representation, or features are taken out",
        "(visual|image|speech|audio|text|protein|molecular|graph|video|music|feature|"
        "unsupervised|self supervised|multimodal|contrastive|robust|general|transferable) "
        "representations?( learning)?|(making|learn\\w*|study) (~ )?(good |"
        "useful )?representations|"
        "representation learning|pretext tasks?|self supervised|self supervision|"
        "(take|use|extract|read|using|uses|get|reads|takes|return)\\w* (~ )?(out )?(the |its |"
        "their |of )*"
        "(features|hidden states|embedd?ings?|activations)|(internal|intermediate|frozen|dense|"
        "deep|diffusion|generative|pooled|semantic) (~ )?features|feature (extractors?|extraction|"
        "embedding|vectors?|pyramids?)|"
        "downstream (tasks?|classif\\w+|recognition|use|performance)|fine tun\\w+ on imagenet|"
        "(joint|shared|common|single) (~ )?(embedding|space)|drop in replacement|"
        "(sentence|text|image|word|speaker|protein|audio) embedd?ings?|\\d+ (numbers|"
        "dimensional|dimensions)( out)?|similarity scores?",
        "We compare [self-supervised] methods.",
    ),
    Aim(
        "judgement compared with people",
        "a number that is held against what people say",
        f"(agrees?|agreement|agreeing|correlat\\w+|accord\\w*|align\\w*|match\\w*) (~ )?with (~ )?"
        f"({_PEOPLE}|judge?ments|ratings?|opinions?|perception|preferences?)|"
        "(pairwise|human) (votes|comparisons)|predicts? (~ )?which|"
        "human (judge?ments?|ratings?|preferences?|evaluations?|annotations?|perception|opinion|"
        f"votes)|(preferences?|choices|judge?ments|ratings|votes) (~ )?(of|by) {_PEOPLE}|"
        f"as {_PEOPLE} (do|rank|judge|would)|(expert|crowd|mean) (opinion|preferences?)",
        "It [agrees with listeners].",
    ),
    Aim(
        "measure described",
        "what a measure is like",
        "(higher|lower) is (~ )?(better|worse)|(higher|lower) means (~ )?\\w+|lower (is )?better|"
        "reference free|no reference (metric|quality|measure\\w*)|(new|automatic|our|evaluation|"
        "perceptual|objective|"
        "quality|explainable|distributional|learned|better|standard|diversity|similarity|this) "
        "(metrics?|measures?)|(metric|measure) (for|of|that|which)|fr(e|\u00e9)chet \\w+ distance|"
        "frechet (~ )?distance|evaluat(e|ing|ion) (~ )?(of )?(your|generative|generated|text to "
        "\\w+|language|open ended|these|such|the) (~ )?(models?|systems?|generators?|text|samples|"
        "images)|evaluation (framework|toolkit|kit|metrics?|code|suite|harness|method|"
        "set|server|platform)|"
        "measur(es?|ing) (~ )?(gap|distance|similarity|difference|divergence|agreement|diversity|"
        "alignment|quality|fidelity|coverage|realism)|evaluat(e|es|ing) (~ )?the (diversity|"
        "quality|"
        "fidelity|realism)|(score|metric|measure) is (the|an?)|two (lists|sets|folders) of|"
        "scor(es|ing) (function|model|candidates|images|systems)|score between (0|zero)|"
        "between 0 and 1|precision and recall|perceptual distance|(two|both) sets (of)?|"
        "bootstrap|significance",
        "[Lower is better].",
        weight=3,
    ),
    Aim(
        "benchmark described",
        "what a benchmark is like",
        "leader ?boards?|benchmark(s)? (~ )?(for|of|suite|platform|contains|consists|comprises|"
        "covers|with|dataset|data set|track|that|is)|(we|to|can|and) (benchmark|(evaluate|test|"
        "compare|assess|rank|score|audit|probe) (~ )?({n}|several|many|existing|current|recent|"
        "popular|leading|open source|state of the art|various|proprietary|widely used|today's) "
        "(~ )?(models|"
        "llms|lmms|systems|generators|methods|vlms|detectors|gans|samplers))|across "
        "({n}|several|many) (~ )?(llms|models|systems|generators)|put (~ )?(models|llms|systems|"
        "generators|methods|detectors) to the test|"
        "(evaluate|test|score|submit|rank) your (own )?(model|system|results)|submissions?|"
        "submit\\w*|"
        "held out test set|hidden (test|images)|test (cases|items|questions|suite|prompts)|"
        "(questions|problems|tasks|prompts) (~ )?(in|from|across|over|cover\\w*) ({n}|several|"
        "many) "
        "(~ )?(categories|subjects|domains|disciplines|skills|dimensions|languages)|"
        "challenging benchmark for|failure modes|pass@\\w",
        "[We evaluate fourteen models].",
    ),
    Aim(
        "forgeries found",
        "generated things are told from real ones",
        "(detect\\w*|spot\\w*|identif\\w+|distinguish\\w*|discriminat\\w+|flag\\w*|recogni[sz]\\w+|"
        "classif\\w+|expos\\w+|trac(e|es|ing)|attribut\\w+|separat\\w+|tell\\w*) (~ )?"
        "(gan |diffusion |ai |machine |llm |computer |synthetic\\w* |fully )*"
        "(generated|fakes?|synthetic|deep ?fakes?|"
        f"manipulated|forged|forger\\w+|written|spoofed|ai written) (~ )?({_MADE}|ones|from|by|"
        "passages|speech)?|real (from|or|versus|vs\\.?|and) (fake|generated|synthetic|"
        "ai generated)|(deep ?fake|forgery|fake|spoof\\w*|manipulation|synthetic \\w+) "
        "(detection|detectors?)|forensics?|forensic|(model|image|source) attribution|"
        "fingerprints?|traces (~ )?(left|leave|of (~ )?(generat\\w+|vocoders))|(name|find|"
        "identify) (~ )?"
        "(generator|source)|(decid|say|tell|predict|estimat|judg|check)\\w* whether|"
        "whether (~ )?(was|were|is) "
        "(~ )?(written|generated|made|produced|synthetic|real|fake)",
        "It tells [real from fake].",
        weight=3,
    ),
    Aim(
        "data described",
        "what a data set is like",
        "(we |and |are )?(collect|collected|gather\\w*|crawl\\w*|curat\\w+|annotat\\w+|"
        "crowd ?sourc\\w+"
        ") (~ )?(pairs|clips|images|recordings|choices|ratings|prompts|captions|questions|"
        "examples|pictures|videos|conversations|million)|annotators?|annotated by|labell?ed by|"
        "(hours|pairs|clips|images|entries|examples|rows|recordings|choices) (~ )?(in total|were "
        "collected|each with|from the web|with captions|with labels|of human)|(holds|contains|"
        "comprises|consists of|includes|covers) (~ )?\\d[\\d,]{2,}(k| million)? (~ )?"
        "(questions|"
        "conversations|items|pairs|clips|images|prompts|tasks|problems|examples|recordings|hours)|"
        "each (entry|item|"
        "record|sample|clip|example) (~ )?(has|carries|consists|comes|contains|is labelled)|"
        "(data ?set|corpus|collection) (of|with|contains|consists|holds|comprises|for|has|card)|"
        "open (data ?set|corpus)|(large scale|large|new|first|open|our|this|public|synthetic) (~ )?"
        "(data ?set|corpus)|train and (val|test) (folders|splits?)|(usernames|people|faces) are "
        "(hashed|blurred|anonymi[sz]ed)|dataset name|data ?sheet|inter annotator",
        "[Each entry has] a caption.",
    ),
    Aim(
        "study",
        "a question that is put to models, or an attack on them, or a guard against them",
        "(we|to) (probe|ask|study|examine|analy[sz]e|investigate|measure|test|quantify) (~ )?"
        "(whether|which|how|where|if|what|why)|memori[sz](e|es|ation|ed|ing)|membership inference|"
        "training data extraction|(our|the|an) attacks?|(expected )?calibration error|"
        "temperature scaling|(adversarial|small|imperceptible|protective) (~ )?perturbations?|"
        "cloak\\w*|protect\\w* (~ )?(artists?|works?|photos|portraits|faces|privacy|copyright)|"
        "interpretab\\w+|sparse auto ?encoders?|what (a|the) model represents",
        "[We probe whether] it knows depth.",
    ),
    Aim(
        "no generation",
        "that nothing is made",
        "(no|nothing) (~ )?(is|are|was|were|gets?|has to be) (ever )?(generated|sampled|drawn|"
        "synthesi[sz]ed)|"
        "(makes?|generates?|produces?|contains?|holds?) no (pictures?|images?|text|audio|"
        "generators?|samples)|"
        "(feature )?(extractors?|encoders?) only|(no|without) (images?|samples?|audio|pictures?) "
        "(~ )?come|(head|decoder) (~ )?(dropped|thrown|discarded|removed|no longer|unused)|"
        "not (meant|intended|suited|made|built|able) (~ )?(to|for) generat\\w+|discriminative "
        "(use|task|model|approach)\\w*",
        "[Nothing is generated].",
        weight=2,
    ),
)

MAKES_BY = (
    Aim(
        "making reported",
        "results in the measures of generation",
        "(fid|fvd|kid|inception score|is|fad|nll|bpd) (score )?(of |is |= |: |drops to |falls "
        "to )?\\d+\\.\\d+|fid (of|from|drops|falls|improves|is|on|at)|bits per (dimension|pixel|"
        "dim|"
        "byte)|"
        "\\d+ (~ )?(sampling|denoising|inference|diffusion|ddim|euler) steps|sampling (steps|speed|"
        "time)|guidance scale|classifier free|"
        "(mean opinion score|mos) (of|is|\\d)|designab\\w+|novelty|validity (and|,)",
        "The [FID is] 3.1.",
        weight=-2,
    ),
    Aim(
        "making claimed",
        "that the release makes something",
        "(we|it|which|that|and|our (\\w+ ){1,3}?|this (\\w+ ){1,2}?|the (model|system|network|"
        "method|"
        "generator|decoder|user)|"
        "can|to|you|users) "
        "(can |then |also |now |first |automatically |jointly |directly |be used to )*(generates?|"
        "synthesi[sz]es?|"
        "paints?|"
        "composes?|renders?|hallucinates?|upsamples?|animates?|edits?|samples?(?= (from|images|new|"
        "\\w+ly))|draws? (samples|images|new)|"
        "writes?|designs?|"
        "creates? (~ )?(images?|videos?|music|scenes?|samples|"
        "pictures|clips)|turns? (~ )?into|produces? (~ )?(images?|samples?|speech|videos?|text|"
        "molecules|"
        "conformations|audio|music))|(high (quality|fidelity|resolution)|realistic|diverse|"
        "photo ?realistic|"
        "novel|new|coherent) (~ )?(samples|generations?|synthesis|images|videos|results|structures|"
        "molecules)",
        "It [generates] clips.",
        weight=-2,
    ),
    Aim(
        "making named",
        "that the release is a generator, by its noun",
        "(present|propos|introduc|develop|releas|describ|train|is|publish|design|build|built)\\w* "
        "(~ )?"
        "(generative|generator|generation|synthesis|sampler|vocoder|text to (image|video|speech|"
        "music|3d)|editing|super resolution|translation|inpainting|decoder only|language|voice|"
        "diffusion|flow|gans?|vae|compression|augmentation|captioning) "
        "(~ )?(model|framework|method|system|network|approach|models|architecture|engine|"
        "pipeline|process|technique)|"
        "(decoders?|generators?|samplers?) (that|which|is|are|then|turns?|maps?|produces?|and)",
        "We [propose a generative model].",
        weight=-1,
    ),
    Aim(
        "conversation",
        "what talks about pictures or answers questions makes text",
        "(vision|visual|audio|speech|multimodal|medical) (and )?(~ )?language models?|"
        "(vlms?|lmms?|mllms?|multimodal (ai )?models?) (that|which|with|for|family)|"
        "answers? (~ )?(questions?|queries)|visual question answering|in context|"
        "chat (assistant|model|template)|"
        "describes? (~ )?(images?|pictures?|scenes?|videos?)|instruction (tuned|following)|"
        "family of (~ )?multimodal (~ )?models|ocr free",
        "A small [vision language model].",
        weight=-2,
    ),
    Aim(
        "way of making",
        "how samples are drawn, or how a generator is trained",
        "predicts? (~ )?next {piece}|(train\\w*|play\\w*) (~ )?(against|adversarially)|(a|the|our|"
        "whose|conditional) (~ )?"
        "discriminators?|unconditional (~ )?generation|as generative modell?ing|(reverse|reversed|"
        "denoising|sampling) process|image to image translation|combining (~ )?(vae|gan|"
        "autoencoder|adversarial|diffusion|flow)|(samples|poses|images|candidates) (~ )?(drawn|"
        "sampled|are generated)|from (~ )?(gaussian |white )?noise|ancestral|langevin|"
        "(our|the|its|conditional) (~ )?generators?|"
        "(is|are|propose|present|introduce|train|develop|with|use) (~ )?(an?|our) (~ )?(\\w*gan|"
        "\\w*vae|"
        "diffusion model|normali[sz]ing flow|generative adversarial network|variational auto ?"
        "encoder|generative model)",
        "A [discriminator] judges it.",
        weight=-2,
    ),
    Aim(
        "method of making",
        "terms that belong to how generators are trained and drawn from",
        "variational|introspective|amorti[sz]ed inference|evidence lower|invertible|"
        "coupling layers?|"
        "(conditional |rectified )?flow matching|rectified flow|score matching|log likelihoods? of|"
        "maximum likelihood|differential equations?|noise schedules?|deep generative model|"
        "(generative|conditional) generation|probability flow|change of variables|"
        "mode (collapse|coverage)|(encoder|critic|network) itself",
        "The bound is [variational].",
        weight=-2,
    ),
)
AIMS = (*JUDGES_BY, *MAKES_BY)
CALLED = re.compile(  # where a noun may stand by which a release is called
    r"(?:^|(?<=\w): |\b(?:is|are|from (?:it|them|these)|introduc\w+|present\w*|propos\w+|"
    r"publish\w*|releas\w+|build|built|"
    r"develop\w*|describ\w+|offer\w*|call|called|provid\w+|contribut\w+|creat\w+|construct\w*|"
    r"explore|compil\w+|curate\w*|collect\w*|train\w*|deriv\w+|design\w*|made?|as) )"
    r"(?:[\w.+'-]+(?: [\w.+'-]+){0,3}, )?(?=(?:an?|our|the first|this) )"
)
OWNER = re.compile(  # how a sentence begins that speaks of the release
    r"(?:[\w ,'-]{0,60}?\b)?(?:we|our|i|this (?:paper|work|report|repository|post|study|release|"
    r"package)|here|today|introducing|announcing|presenting|meet|it)\b"
)
KEY = re.compile(r"[\w ]{2,16}: ")
# "lilac is a measure": what begins with one or two words is a name
SUBJECT = re.compile(
    r"(?!(?:the|an?|this|that|there|what|which|one|each|every|another|such|research|evaluation|"
    r"[\w ]*(?:is|are))\b)"
    r"[\w.+'-]+(?: [\w.+'-]+){0,2} "
)
KEYED = re.compile(  # "dataset_name: ...", "metric: ..."
    r"(?:data ?set|benchmark|metric|corpus|leader ?board|detector|classifier|"
    r"encoder)(?:[_ ]name)?: "
)
ALSO = re.compile(  # data and measures that come with something else
    r"\b(?:also|further|furthermore|additionally|moreover|addition|besides|finally|lastly|"
    r"accompan\w+|together with|along with|trained on|on our|as well as|instead of|rather than)\b"
)
YARDSTICK = re.compile(  # nouns that name a judge here, though they may end other phrases elsewhere
    r"\b(?:measure|distance|scoring (?:function|rule)|"
    r"(?:quality|preference) (?:predictor|estimator)|"
    r"feature extractor|evaluation (?:kit|toolkit|package|protocol)|attack|probe)$"
)
