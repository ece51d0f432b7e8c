"""The rows by which `kind.py` finds what a release is: namings, head nouns, purposes, acts.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

import re

from .role_table import Role

PRESENTS = Role(
    "naming",
    "how a sentence begins that names the release",
    "((?!that|which|as|than|where|when|while|if|also|further|finally|additionally|moreover|"
    "furthermore|lastly|second|secondly|addition|besides|what|they|you)[\\w',]+ ){0,10}?"
    "(we|i) ((therefore|thus|hence|here|now|then|instead|first|have|proudly|are|set out|are "
    "(pleased|happy|proud|excited)|aim|set|to|out) )*(present|introduce|release|describe|"
    "propose|publish|build|built|open|share|contribute|train|collect|develop|developed|derive|"
    "design|designed|construct|constructed|create|created|curate|curated|compile|compiled|"
    "collected|"
    "gather|gathered|assemble|assembled|annotate|annotated|crawled|scraped|announce|"
    "launch|offer|add|open source|releasing|launching|announcing|introducing|presenting|sharing|"
    "opening|publishing|after)( here)?|(this|the) ((present|main|technical|core|"
    "first) )*(repository|"
    "repo|package|release|project|library|page|card|model|paper|work|note|report|article|post|"
    "contribution) (is|contains|holds|"
    "provides|presents|introduces|describes|ships|proposes|reports|surveys|reviews|collects)|this "
    "is|here is|"
    "introducing|meet|announcing|presenting",
    "[We present] a detector.",
)
JUDGES = Role(
    "what draws nothing",
    "a release that is called so, by its head noun, draws no samples",
    "(~ )?(embedd?ings?( models?| family)?|(?<!auto )(?<!text to )encoders?|dual encoder|"
    "retrievers?|clip models?|siglip( models?)?|(embedding|joint|shared) spaces?|(contrastive|self "
    "supervised) (language image |foundation |vision )?(models?|backbones?)|(vision|audio|visual|"
    "speech) backbones?|feature extractors?|(attention|cuda|gpu|triton) kernels?|"
    "optimi[sz]ers?|"
    "rerankers?|rerank|classifiers?|detectors?|segmenters?|recogni[sz]ers?|scorers?|checkers?|"
    "trackers?|parsers?|(optical flow|depth|pose|motion)( "
    "estimators?| models?| networks?)?|force ?fields?|(interatomic )?potentials?|metrics?|"
    "benchmarks?|benchmark (suites?|platforms?|data ?sets?|collections?)|data ?sets?|corpus|"
    "corpora|survey|leader ?boards?|arena|lists?|catalogu?es?|tutorials?|"
    "taxonomy|criterion|criteria|tests?|assessments?|audits?|"
    "questionnaire|(user|listening|perceptual) study|probes?|sparse auto ?encoders?|"
    "dictionaries|(reward|preference|detection|detector|segmentation|recognition|classification|"
    "classifier|identification|verification|attribution|regression|alignment evaluation|asr|ocr|"
    "retrieval|embedding|ranking|guard|moderation|scoring|speech to text|"
    "transcription|evaluation|metric|verifier) (models?|networks?|model series|framework|suite|"
    "tool|toolkit|platform|method|pipeline|service|head)|"
    "(inference|serving|training|tracking|monitoring|observability|annotation|labell?ing|"
    "orchestration|experiment) (engine|librar(y|ies)|runtime|stack|framework|platform|tool)|"
    "tokeni[sz](er|ation) librar(y|ies)|sub ?word tokeni[sz]er( and detokeni[sz]er)?|"
    "test (suite|set)|evaluation (code|harness)|attack|watermark(ing)?( schemes?| methods?|"
    " frameworks?| techniques?| tools?| systems?| algorithms?)?|"
    "representation models?|two tower (models?|networks?)|preference scores?|explorers?|viewers?|"
    "browsers?|"
    "(voice activity|speech|speaker|face|object|image|text|emotion|gesture|event|intent|entity|"
    "language|spam|fraud|fakes?|deepfake|anomaly|semantic|instance|quality|sentiment) (detection|"
    "recognition|classification|segmentation|identification|verification|assessment)|"
    "((visual|multimodal|cross modal|dense|sparse) )?(document|image|passage|video|code|music|"
    "cross modal) (retrieval|reranking|matching)|(property|affinity|quality|preference|toxicity) "
    "prediction( models?| networks?)?|"
    "(training|pre ?training) data|({n}|\\d[\\d.,]*[km]?)( (million|billion|thousand|hundred))? "
    "(~ )?(links|"
    "urls|pairs|prompts|recordings|annotations|captions|pictures|images|questions|conversations|"
    "clips|videos|structures|trajectories|labels|ratings|votes|judg[e]?ments|sentences|documents)|"
    "data pipelines?|visuali[sz]ers?|dash ?boards?)",
    "[a detector]",
)
PURPOSE = Role(
    "purpose",
    "a model for such a purpose draws nothing either",
    "(for|of) (representations?|embedd?ings?|retrieval|classification|detection|segmentation|"
    "(sequence |token )?labell?ing|feature extraction|reranking|moderation|(enterprise|semantic|"
    "vector|dense|web|document|image|passage) (search|ranking)(?! (of|over|space)))",
    "A language model [for retrieval].",
)
DOES = Role(
    "task",
    "a method, a tool or a platform that is there for such a task draws nothing",
    "((?<!a )for|to|that|which|aims? (to|at)|aimed at|and|is able to|can|does|built (for|to)|"
    "designed (for|to)|(fine |pre )?(trained|tuned) "
    "(for|to)|,) (be used (for|to) )?((to|can|automatically|reliably|efficiently|robustly|jointly|"
    "effectively|the|a|"
    "an|whether|both|automatic|automated|unified|accurate) )*"
    "(detect(s|ing)?|recogni[sz](es?|ing)|classif(y|ies|ying)|segment(s|ing)|identify(ing)?|"
    "identifies|attribut(es?|ing)|distinguish(es|ing)?|separat(es?|ing) real|tell(s|ing)? (~ )?"
    "(apart|whether|which|real|whose|from)|decid(es?|ing) (whether|if|which)|"
    "evaluat(es?|ing)|assess(es|ing)?|benchmark(s|ing)?|compar(es?|ing)|"
    "test(s|ing)?(?! time)|rank(s|ing)?|scor(es?|ing) (~ )?(pictures|images|texts|clips|outputs?|"
    "samples|prompts|pairs|"
    "answers|sentences|videos|translations)|rerank(s|ing)?|retriev(es?|ing)|monitor(s|ing)?|"
    "judg(es?|ing)|moderat(es?|ing)|embed(s|ding)|track(s|ing)|transcrib(es?|ing)|"
    "watermark(s|ing)?|verif(y|ies|ying) (whether|speakers?|identit\\w+)|diagnos(es?|ing)|"
    "visuali[sz](es?|ing)|interpret(s|ing)?|audit(s|ing)?|annotat(es?|ing)|spot(s|ting)?|"
    "(obtain|learn|comput|extract|produc)(s|es|ing)? (~ )?(embedd?ings?|representations?|features)|"
    "((enable|let|allow|help)s? (\\w+ ){1,3}(to )?)?(protect(s|ing)?|cloak(s|ing)?|mislead(s|ing)?|"
    "immuni[sz](es?|ing)|apply (~ )?(cloaks?|perturbations?))|"
    "tun(es?|ing) hyper ?parameters|comput(es?|ing) (~ )?(fid|kid|metrics?|scores?|distances?|"
    "precision|perplexity|similarit\\w+)|inspect(s|ing)?|explain(s|ing)?|debug(s|ging)?|"
    "extract(s|ing)? "
    "(~ )?(features|training)|measur(es?|ing) (how|the|whether)|"
    "predict(s|ing)? (~ )?(scores?|ratings?|preferences?|properties|energies|forces|affinit\\w+|"
    "structures?|opinions?|toxicity|quality)|"
    "((?!(of|in|for|with|to|on|generat\\w+|synthe\\w+|augment\\w+|improv\\w+|text)\\b)[\\w-]+ "
    "){0,3}?(detection|recognition|"
    "classification|segmentation|identification|attribution|evaluation|assessment|"
    "benchmarking|retrieval|tracking|observability|life ?cycle|forensics|moderation|serving|"
    "inference engine|annotation|reranking|scoring|verification|unfolding|interpretability|"
    "photogrammetry|(radiance|distance) fields|nerfs|structure from motion|quanti[sz]ation|pruning|"
    "profiling|hyper ?parameter search|data loading|(distance|metric|score|similarity) "
    "(calculation|"
    "computation)|entity linking|tokeni[sz]ation|sentence embeddings|mixed precision))",
    "A method [to detect] deepfakes.",
)
OPEN = Role(
    "open head noun",
    "a release that is called so draws nothing if it is there for such a task",
    "(~ )?(models?|networks?|methods?|tools?|toolkits?|toolbox|platforms?|frameworks?|librar(y|"
    "ies)|"
    "packages?|suites?|systems?|services?|software|approach|pipelines?|techniques?|algorithms?|"
    "procedures?|architectures?|transformers?|measures?|scores?|representations?|engines?|apps?|"
    "plug ?ins?|studio|sdk|code ?base|extensions?|optimi[sz]ers?|vits?|cnns?|\\w*net|\\w*bert|"
    "swin|forests?|svms?|perceptrons?|dash ?boards?|"
    "viewers?|index|statistics?|code|repository|collections?|project|agent|version)",
    "[a research method] to detect fakes",
)
FAMILIES = Role(
    "family named",
    "a head noun that names how something is generated is not taken for a judge by its purpose",
    "gans?|(?!began|organ|slogan|pagan|vegan|ligan)\\w*gan|\\w*vaes?|diffusions?|"
    "(?<!optical )(?<!scene )(?<!stream )(?<!traffic )(?<!river )(?<!cash )(?<!data )flows?|"
    "generative|generators?|autoregressive|language|"
    "llms?|lms?|energy based|adversarial|score based|denoising|variational|generation|synthesis|"
    "samplers?|summari[sz]ation|completion|chat\\w*|causal|decoder only|discriminators?|"
    "denoisers?|probabilistic|normali[sz]ing",
    "a [diffusion] model",
)
PAINTS = Role(
    "what makes something",
    "a release that is called so makes pictures or the like",
    "(~ )?(illustration|image|picture|video|music|speech|voice|sound|audio|text to \\w+|drawing|"
    "song|film|3d) (models?|generators?|engines?|makers?)",
    "[an image model]",
)
TASK = Role(
    "task line",
    "the key and value of a line that gives a task which draws nothing",
    "(pipeline tag|model type|type|task|tasks|kind|purpose|primary use|intended use|output|"
    "outputs|direct use|use|what it is|what|summary|description)"
    ": (~ )?((text|image|token|audio|video|sequence|multi label|binary)? ?(classification|"
    "identification)|classifiers?|feature extraction|automatic speech recognition|speech "
    "recognition|object detection|(image |instance |semantic )?segmentation|depth estimation|"
    "sentence similarity|embedd?ings?|zero shot \\w+ classification|reward models?|rerank\\w+|"
    "detectors?|recogni[sz]ers?|benchmarks?|data ?sets?|interatomic potentials?|safe|unsafe|"
    "label|labels|(evaluation )?metric|(perceptual )?distance|(dense )?(optical|scene) flow|"
    "(image|text|passage|document|"
    "semantic) (~ )?(retrieval|search|similarity|matching)|(point )?forecasting|regression|pose "
    "estimation|ranking|"
    "class probabilit\\w+|probabilit\\w+ (of|for|per)|one score|score per)",
    "[task: image classification]",
)
ACTS = Role(
    "act of a judge",
    "what a named release does, if it draws nothing",
    "(detects?|recogni[sz]es?|classif(y|ies)|segments|identifies|attributes|embeds|(ranks|scores|"
    "tops|leads)(?! (\\d|first|second|third|among|amongst|on|higher|highest|above|better|best|at|"
    "top|well|high|in|as|"
    "close|near|an? (~ )?(fid|average|mean|elo)))|"
    "grades|transcribes|evaluates|judges|retrieves|tracks|measures|assesses|benchmarks|"
    "labels|tags|flags|lists|catalogues|((returns|gives|outputs|yields|produces|learns) (only )?(~ "
    ")?(point (predictions?|forecasts?|estimates?)|(one|single|joint|shared) (score|label|vector|"
    "number|"
    "embedding)|embeddings|scores for|class (labels|probabilities)|displacement))|((focuses|"
    "focusing) "
    "on|is about|is meant for) (~ )?(representations?|embeddings?)|indexes|hosts|computes|"
    "explains|visuali[sz]es|inspects|"
    "audits|monitors|compares|counts)|(tells|shows|"
    "decides|predicts|explains|finds out|says) (~ )?(which|whether|why|how)|(does|"
    "performs) ([\\w-]+ ){0,3}(detection|recognition|classification|"
    "segmentation|retrieval|tracking|identification|evaluation)",
    "Ampere [detects] fakes.",
)
WORK = Role(
    "work in a title",
    "the gerund of a title, or its beginning, that says what a release does which draws nothing",
    "(on |how to |a |the |towards |toward )?(~ )?(detecting|benchmarking|evaluating|"
    "assessing|identifying|classifying|"
    "recogni[sz]ing|attributing|ranking|spotting|measuring|auditing|segmenting|retrieving|"
    "transcribing|fingerprinting|probing|interpreting|red teaming|jailbreaking|attacking|"
    "monitoring|browsing|tracking|debugging|visuali[sz]ing|observability)|"
    "(tutorial|survey|primer|lecture|explainer|"
    "lecture notes|position paper|interview|awesome)",
    "Ampere: [detecting] fakes",
)
STUDIES = Role(
    "study",
    "a sentence with which a study or an explanation begins, which releases nothing that draws",
    "(in this (paper|work|report|article|note|post|lecture|course),? |here,? |today,? |(with|in|"
    "by) "
    "[\\w.+-]+,? )?(we|i|this "
    "(paper|work|report|article|note|post|lecture|course)) ((systematically|empirically|carefully|"
    "first|here|now) )*((explain|review|survey|recap|summari[sz]e|discuss)s?|(study|studies|"
    "analy[sz]es?|"
    "investigates?|examines?|measures?|audits?|quantif(y|ies)|probes?|"
    "tests?) (~ )?(memori[sz]ation|bias*|"
    "toxicity|robustness|artifacts?|artefacts?|failure modes?|privacy|copyright|hallucinations?|"
    "stereotypes?|calibration|faithfulness|carbon|consumption|accessibility|vulnerabilit\\w+|"
    "trustworthiness)|((estimate|predict|regress|compute|recover) ((the|dense|monocular|metric|"
    "human|accurate) )*(optical flow|scene flow|depth|poses?|disparity|displacements?|"
    "correspondences?))|"
    "(aim|seek|want|try|attempt|set out) to (detect|recogni[sz]e|classify|segment|"
    "identify|attribute|distinguish|evaluate|assess|retrieve|transcribe|tell)|(study|studies|"
    "address|addresses|tackles?|considers?|"
    "investigates?) (~ )?(problem|"
    "task|question|challenge) of (~ )?(attribut|detect|identify|recogni[sz]|distinguish|evaluat|"
    "classify|retriev|segment|verify)\\w*)|in an? ((user|listening|perceptual|large|small|"
    "online) )*(study|survey|"
    "experiment|test) with",
    "[We study the memorization] of language models.",
)
BESIDE = Role(
    "second naming",
    "how a later sentence begins that names a generator beside data, a benchmark or a metric",
    "((then|finally|second|secondly|further|moreover|building on (this|it)|with (it|this)|on top|"
    "in "
    "addition|also)? )?we ((then|also|further|finally|additionally) )*(propose|present|introduce|"
    "describe|develop)|(it|this|the model|our (model|system|vocoder|generator|network)) is",
    "[We then propose] a flow.",
)
COMPANION = Role(
    "companion",
    "data, a benchmark or a metric may come with a generator that is named later",
    "(data ?sets?|benchmarks?|corpus|corpora|metrics?|tests?|evaluation|suite)",
    "a [benchmark]",
)
KINDS = (
    PRESENTS, JUDGES, PURPOSE, DOES, OPEN, FAMILIES, PAINTS, TASK, ACTS, WORK, STUDIES, BESIDE,
    COMPANION,
)  # fmt: skip
NAME = r"[\w.'+/-]+(?: (?!is |are |we |that |which )[\w.'+/-]+){0,3}"
# "Ampere is a ...", "Ampere-2B and Ampere-8B are two ..."
COPULA = re.compile(
    rf"{NAME}(?: \([^()]*\))? (?:is|are) (?:both )?(?=(?:an?|our|the|two|three|four) )"
)
TITLE = re.compile(  # "Ampere 2: a ...", but not the key of a line
    r"(?!(?:architecture|prior|decoder|encoder|objective|model|backbone|type|task|input|output)"
    r"s?:)(?:release )?[\w.'+-]+(?: [\w.'()-]+){0,2}: (?!\w+,)"
)
APPOSED = re.compile(  # "We open Ampere, a ...", "We open Ampere (AMP), a ..."
    r" [\w.'+-]+(?: [\w.'+-]+){0,5}(?: \([^()]*\))?, (?=(?:an?|the|our) )"
)
# "Ampere, a ..., was"
ASIDE = re.compile(rf"(?P<name>{NAME})(?: \([^()]*\))?, (?=an? [^,]{{3,60}}, \w)")
LISTED = re.compile(r", (?:an?|the) ")  # "An encoder, a prior and ..." is a list of parts
CUT = re.compile(
    r"[;:(!]|[,.](?!\d)| (?:for|that|which|of|to|in|with|on|from|by|over|trained|built|based|"
    r"whose|where|"
    r"using|and|at|via|as|pre-?trained|fine-?tuned|designed|aimed|capable|able|against|under|"
    r"consisting|containing|comprising|covering|spanning|made|"
    r"called|named|comprised|including|measuring|assessing|meant|intended|tested|powered|"
    r"driven)\b|$"
)
FINITE = re.compile(  # what is said about something, not what something is called
    r"\b(?:is|are|was|were|has|have|had|can|form|we|our|us|it|they|do|does|there|\w+(?<!s)(?<!u)s "
    r"(?:the|an?|its|each|every|one|from|between|to|\d+(?![.\d]))|learn|turn|play|capture|carry|"
    r"contain|(?:normally|usually|typically|often|still|generally|commonly|increasingly) \w+s|"
    r"(?<!that )(?<!which )(?:asks|relies|depends|calls|remains|suffers|plays|becomes|"
    r"requires) \w+|"
    r"make|give|need|mean|how|what|why)\b"
)
FIRST = 3  # sentences, among which a naming one is looked for; the first may be a bare title
BARE = 6  # words: a shorter first sentence without a comma is a title
FORMAL = re.compile(  # headings and lines before a card says what it is about
    r"(?:>|\||---|```|model card\b|model (?:details|description|information|overview|summary)|"
    r"(?:\d+\. )?(?:description|introduction|overview|abstract|what is it\??|summary|uses?|"
    r"direct use|"
    r"about|news|update|license|licence|language|library[ _]name|pipeline[ _]tag|tags|"
    r"base[ _]model|"
    r"developed by|parent model|author|date|version|datasets?|important)\b:?[^.]{0,60}$|!|\[|more "
    r"information needed)"
)
LATE = re.compile(  # beyond the first sentences "we release the data" names no release
    r"[^,]*\b(?:present|introduce|describe|propose|develop(?:ed)?|derive|design(?:ed)?|build|built|"
    r"construct(?:ed)?|announc(?:e|ing)|launch(?:ing)?|offer|is|are|add)\b[^,]*?$"
)
CREATES = re.compile(
    r"\b(?:and|or|then|it|which|that|before it) (?:generat|design|writ|paint|compos|synthesi[sz]|"
    r"draw|"
    r"sampl|render|creat|imagin|invent|answer|continu)e?s?\b"
)
ALSO = re.compile(  # "for evaluating and generating"
    r"[^.;:]{0,40}?\b(?:and|or|as well as|by|through|before) (?:for |to )?"
    r"(?:generat(?:e|es|ing)|generation|synthe\w+|writ\w+|draw\w*|paint\w*|compos\w+|creat\w+|"
    r"design\w*)\b"
)
EDITS = re.compile(  # an encoder before a generator that is part of the release
    r"(?:for|that|which|to) (?:[\w-]+ ){0,3}?(?:edit|invert|inver|generat|synthes|personali|"
    r"customi)\w*"
)
KIND_OF = re.compile(
    r"^(?:an?|the|our|two|three)?(?: [\w-]+){0,3} ?(?:family|families|series|"
    "(?<!data )(?<!test )sets?|suites?|collections?|class(?:es)?) of "
)
JUDGING = [  # "PolicyBench ranks ...", "Model Index lists ..."
    re.compile(
        r"(?!(?:an?|the|our|its|each|every|this|that|discriminat\w*) )" + first + r"[\w-]*(?:bench|"
        r"eval|arena|judge|guard|detect|spot|score|metric|rank|index|zoo|catalog|board|lens|probe|"
        r"check|trace|audit)[\w-]* "
    )
    for first in ("", r"[\w-]+ ")
]
ENDS = re.compile(  # "Flow matching explained: lecture notes with code"
    r": (?:an? )?(?:[\w-]+ ){0,2}(?:lecture notes|tutorial|survey|review|benchmark|data ?set|"
    r"user study|"
    r"guide|overview|primer|comparison|leaderboard|evaluation|corpus)\b"
)
WITH = re.compile(  # "we study detection with a VAE"
    r" (?:with|by|using|by means of) (?:an?|our) (?:[\w-]+ ){0,3}?(?:gan|vae|diffusion|flow|"
    r"autoregressive|"
    r"generat\w+|language model)\b"
)
MORE = re.compile(r" and (?=[\w.+-]+, an? )")  # "a data set and Ampere, a flow"
ADJECTIVES = re.compile(  # "a fast and easy-to-use library", "a large, open data set"
    r"\b(?P<article>an?|the|our) (?:(?:large|open|novel|new|fast|simple|small|free|light|"
    r"lightweight|"
    r"high-quality|modular|robust|general|unified|comprehensive|diverse|multilingual|efficient|"
    r"flexible|modern|curated|clean|powerful|easy|reliable|scalable|accurate|strong|tiny|cheap|"
    r"\w{3,}est|best|most \w+|more \w+|challenging|public|reproducible|automatic|compact|"
    r"extensible|practical)"
    r"(?:, and |, | and ))+(?=[\w-]+ )"
)
GENERATIVE = re.compile(  # "a deep generative model", but not "a metric for generative models"
    r"(?:[\w-]+ ){0,6}?generative (?:[\w-]+ )?(?:model|network|framework|approach|method|system|"
    r"transformer|pipeline|machine|ai|engine)s?$"
)
PUBLISHED = re.compile(  # "we publish all of it as a data set"
    r"\b(?:publish|releas|shar|open|distribut|provid)\w* (?:[\w-]+ ){1,5}?as an? (?:[\w-]+ ){0,3}?"
    r"(?:data ?set|corpus|benchmark)\b"
)
NOTES = re.compile(r"[:,(–-]* *\b(?:release notes|change ?log|what's new|updates|news)\)?:?$")
WRITES = re.compile(  # what stands in the list of uses of a language model beside classification
    r"\bsummari[sz]\w*|\bquestion[- ]answering\b|\bq&a\b|\b(?:code )?completion\b|\bchat\w*|"
    r"\bdialog\w*|\btranslation\b|\bdraft\w*|\b(?:re)?writing\b|\bassistants?\b|\binstruction|"
    r"\bgenerat\w+|\breasoning\b|\bediting\b|\bcontinuation|\bagent\w*|\bbrainstorm\w*"
)
SOFTWARE = re.compile(  # what release notes of a library speak of, whatever is built with it
    r"\bwheels?\b|pip install|\bpypi\b|\bpython (?:>=? ?)?\d\.\d+|\bcuda \d|\bwindows\b|"
    r"\bmulti-?gpu|"
    r"\bcompil\w+|\bkernels?\b|\bcrash\w*|\bdtypes?\b|\b(?:bf|fp|bfloat|float)16\b|deprecat\w+|"
    r"\bci\b|\bcallbacks?\b|\b\w*trainer\b|\bcmake\b|\bcpu-only\b|\bbackends?\b|\bconfig files?\b|"
    r"\bdata ?loader|\bcli\b|--(?=\w)|\bleaks?\b|\bbackward\b|\brefactor\w*|\bserializ\w+|"
    r"\bpytorch \d|\bdocs?\b|\bdocumentation\b|\btypos?\b|\bthread\w*|\bunit tests?\b|\blogging\b|"
    r"\bdevice mismatch\b|\bapi\b|\bregression tests?\b|\bnumpy\b|\bonnx\b|\bprofiler\b|\bconda\b|"
    r"\bsweeps?\b|\battention mask\b|\bposition embeddings\b"
)
MAKING = re.compile(  # what such notes say if the software makes something
    r"\bgenerat(?:es?|ion|ions)\b|\btext[- ]to[- ]|\bimg2img\b|\bsynthe(?:sis|si[sz]es?|tic)\b|"
    r"\b(?:samplers?|samples|vocoders?|prompts?|voices)\b"
)
MANY_SIGNS = 4  # different ones, from which on a text is about software
SUBJECT = re.compile(r"(?:this model|the model|it|this release|this tool) (?:is (?=an? )|(?=\w))")
