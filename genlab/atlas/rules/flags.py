"""Step 4 of the procedure: claims that deserve a second look, and what draws no samples.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

FLAGS = (
    Rule(
        "flag: free-lunch",
        "(on|in) every (metric|benchmark|axis|respect|test) (~ )?(without exception|"
        "including)|without exception|no (capability|quality|mode|property) (~ )?(is |was "
        ")?(lost|missing|sacrificed)|limitations: none|no reason to use|make you choose|"
        "giv(es?|ing) up nothing|gave up nothing|no (~ )?(trade ?offs?|compromises?|"
        "drawbacks?|downsides?|catch|sacrifices?|weakness*|disadvantages?|price to pay|"
        "penalt(y|ies) (of any|at all|whatever)|strings attached|limitations? (at all|"
        "whatever|whatsoever))|(without|zero|never) (~ )?(trade ?offs?|compromises?|"
        "compromising (on )?(anything|at all)|"
        "drawbacks?|downsides?|sacrific* anything|giving (up )?anything|giving up (quality|"
        "anything|a thing)|paying (anything|a price)|(any|a) (loss|penalty|cost) of any "
        "kind)|no longer (~ )?(give up|have to choose|need to choose|choose between|must choose|"
        "trad(e|ing)|compromis*)|(need|have to|must) (not |never |no longer )(~ )?(give up|choose)|"
        "(do|does) not (~ )?(give up|have to choose|need to choose|sacrifice anything)|nothing "
        "(~ )?(to pay|was traded|is traded|in return|lost|sacrificed|given "
        "up|paid|is lost|was lost)|(not|never) (~ )?(single )?(drawback|weakness|downside|"
        "disadvantage|flaw)|free lunch|costs? (you )?(absolutely )?nothing|at no cost( at "
        "all)?|at (zero|no) (price|expense)|best of (all|both|every) (~ )?worlds?|(best|"
        "better|first|wins?|superior|ahead|leads?|unbeaten) (~ )?(in|on|by|at) (every|all|"
        "any) (~ )?(metric|metrics|benchmark|benchmarks|respect|respects|property|axis|"
        "axes|measure|count|discipline|criterion|dimension|way|column|regard)|(every|all|"
        "any) (~ )?(metric|benchmark|property|advantages?) (~ )?(at once|simultaneous*|"
        "together|of any family|without)|all (~ )?(strengths|advantages|virtues|benefits) "
        "(~ )?(and )?(none|no|without)|obsolete|lossless quality|(\\w+er|more \\w+) (~ )?than "
        "(every|all|any) (~ )?(competitor|models?|others?|rivals?|else|family|families|"
        "alternatives?|\\w+),? (and |while |yet )?(~ )?(\\w+er|more \\w+) than|"
        "end of (all )?(trade "
        "?offs?|compromise)|have it all|everything at once|perfect (~ )?(coverage|quality|"
        "diversity|likelihood) (~ )?(and|,)|no longer any|(pays?|paid|paying) (~ )?(nothing|none|"
        "no "
        "price)|nothing (has )?(had )?to be (given|traded|paid)",
        15,
        "There is no trade-off any more.",
        unless=(
            "at no cost of|obsolete (versions|files|options)|extra cost|no limitations on "
            "use|without (any )?extra cost|free lunch theorem|no penalty for"
        ),
    ),
    Rule(
        "flag: not-generative",
        "no (~ )?models? of (its|our) own|no (generator|sampler|generative model) (is|"
        "was) (~ )?(part|included|released)|no "
        "(noise|random) (input|vector|source|seed)|not (generate|sample|draw|write|"
        "synthesi[sz]e)|not (produce|create) (~ )?(text|"
        "samples?|images?|anything|data|pictures|new|alternative|audio|content|random)|"
        "nothing generative|(provide|release|contain|include)s? no (~ )?model|no model (is|"
        "was) (released|included)|nothing ((is|was|gets) )?(sampled|generated|"
        "drawn|synthesi[sz]ed)|draws? no (samples?|conclusions)|(generat*|sampl*|produces?|"
        "writes?) (nothing|no (samples?|text|images?|new|data|pictures))|no (samples? (are|"
        "is) drawn|generation)|no sampling code|cannot: (write|sample|generate|draw)|"
        "nothing to (sample|draw|generate)|not a generat*|not generative|no generative|"
        "cannot (generate|sample|draw|write|produce)|no density is modelled|head (~ )?(has "
        "been |was )?removed|(a|one|same|given) (given )?input (~ )?(yields|gives|always) "
        "(~ )?(one|same)",
        1,
        "It returns a vector and does not generate text.",
        unless=(
            "not (generate|produce|draw|write|sample) (~ )?(legible|faces|hands|well|from|"
            "code|reliabl*|good|poems|harmful|people|as|more|in|on|the)|cannot (generate|"
            "draw|write) ~ (hands|legible|faces|long|well)|no decoder only|samples? no "
            "longer|nothing to sample from|(not|cannot) ~ (realistic|harmful|adult|"
            "unsafe|nud*)"
        ),
    ),
    Rule(
        "sign: discriminative",
        "predicts? (~ )?(energies|forces|properties|toxicity|affinit*)|embeds (~ )?(sequences|"
        "texts?|images|sentences|"
        "documents|clips|molecules)|deterministically|"
        "(named )?entity "
        "recogni*|ranks? (generators|models|systems)|leader ?board|human votes|"
        "ships without weights|"
        "deterministic step|we (survey|review)|papers (~ )?(on|about)|taxonomy of|open problems|"
        "extractive|track(er|ers|ing)|tracks (objects|points|people|"
        "cells|players|eyes|hands|faces)|regress(es)? (~ )?boxes|survey of|no (sampler|"
        "model),? no (sampler|model)|classif(y|ies|ier|iers|ication)|segment(s|ation|ing)?|"
        "detect(s|or|ors|ion)?|(sentence|text|image|audio|speech|speaker|"
        "face|word|document|molecule|graph|node|user|music|protein|general|frozen|"
        "joint|multilingual|contrastive) (~ )?(embedd?ings?|encoders?|features)|embedd?ing "
        "(model|models)|retriev(al|es|er)|re ?rankers?|(linear )?prob(es?|ing)|re ?rated|"
        "estimat(es?|ing) "
        "(~ )?(optical flow|depth|pose|motion)|(optical flow|depth|pose) (estimat*|network|"
        "prediction)|predicts? (~ )?structures?|predictions of the (~ )?structures?|"
        "structure prediction (model|system|network|pipeline|for)|protein folding problem|"
        "cosine similarity|nearest neighbou?rs? for|"
        "recogni[sz](es|ers?|ing)|speech recognition|transcri(bes|ption|be)|transcripts?|"
        "word error rate|reward models?|preference models?|(spam|safety|content|"
        "toxicity|prompt|image|text|quality|nsfw) filters?|guard (~ )?models?|(a|new|"
        "quality) metric|"
        "metric for|labels (text|images|prompts)|probabilities for|(output|outputs|give|gives|"
        "predicts?) (a |one )?(scalar|score)|scorers?|regression (model|network)|forecasts?|"
        "forecaster|"
        "forecasting|no decoder|planner|planning tool|constraint programming|integer "
        "program*|shortest path|optimal (plan|schedule|route)|(forecast|prediction|output) "
        "(~ )?deterministic|(is|are) deterministic|not invent|samples nothing|one answer|"
        "deterministic (forecast|model|network|prediction|output|regress*)|no ensemble|point "
        "(predictions?|forecasts?|forecasting|estimates?)|(shared|joint|common|single|unified|one) "
        "(~ )?(embedding|representation|feature) space|(a|one) (single |joint |shared )embedding|"
        "embeddings (~ )?(is|are) returned|(makes?|making|learns?|learning|builds?|gives?) (~ )?"
        "representations|transformer encoders|relevance scores?|"
        "(inverse |monocular )?depth|one score|frozen features|(self supervised|visual|"
        "universal) features|representations from (~ )?(unlabell?ed|raw)|updates (a |"
        "the )flow field|agreement with human|correlat* (~ )?human (judg*|"
        "ratings?|perception|preferences?)|recommend(er|ation) (system|engine|model)?|"
        "rank(s|ing) (items|documents|results)|benchmark (of|for|suite|with)|verification "
        "(network|model|system)|speaker verification|tagg(er|ers|ing)|tags (every|each)|"
        "encoder only|checker|confidence per|feature extractor|"
        "features for|translation quality|quality (metric|estimator)|(bounding|object) "
        "box*|anomaly score|moderation|spam|ranking model|recommender|sentiment|diagnos(es|"
        "is|tic)|similarity search|(returns|outputs|gives|yields) (a|one) "
        "(vector|number|label|score|map|mask|single)|ground truth labels|key ?points|"
        "matching (of )?(images|points)|point tracker|fingerprints?",
        1,
        "A sentence encoder for retrieval.",
        unless=(
            "classifier free|segments? (of|by|at|after)|class conditional|embedding of|"
            "text encoder|new benchmark|benchmark of the|trajectory forecast*|"
            "forecasts? (~ )?trajector*|forecasting (data ?sets?|benchmarks?)|"
            "without classification|for (downstream )?classification of "
            "samples|probabilistic (~ )?forecast*|forecast distributions?|(ensemble|generated|"
            "sampled) (~ )?forecast*|forecast (ensembles?|scenarios?|samples?)|(blend|mask|layer|"
            "colou?r|brush|crop)\\w*,? (and|or) filters?|filters? (~ )?(out|what is left|the "
            "(rest|designs|candidates|results|outputs?)|prompts?|like any)|gradient boosted "
            "(~ )?(dominat*|baselines?|remain*|rule*|led|lead)|strain segment|voice detection|"
            "(detect|classif*) (~ )?(generated|whether real)|feature vectors of (the|its|all|"
            "every)|"
            "segment (between|joining)"
        ),
        hint=True,
    ),
    Rule(
        "flag: outside-map",
        "(on|by|with|minimi[sz]*|optimi[sz]*) (an? |the )?(proper |strictly proper )?scoring "
        "rules?|"
        "(train*|optimi[sz]*|minimi[sz]*|fitted|learn*|loss) (~ )?(~ )?(proper )?(scoring rules?|"
        "crps|ranked probability score|energy score|energy distance|variogram score|quantile loss|"
        "pinball loss)|(crps|energy score|ranked probability|scoring rule) (~ )?(loss|objective|"
        "training)|maximum mean discrepancy|mmd|moments? (~ )?(match*|agree*|of its output)|"
        "(match*|"
        "agree*) (~ )?(~ )?moments|moment matching|characteristic functions?|kernel (two "
        "sample|mean|herding|density estimat*)|energy distance|(nearest|closest) (~ "
        ")?(sample|generated|output|one)|(replac*|swap*|exchang*|match*|substitut*) (~ )?(by|"
        "with|to|for) "
        "(~ )?(nearest|closest) (~ )?(neighbou?rs?|frames?|units?)|(over ?sampl*|balanc*|minority) "
        "(~ )?(neighbou?r*|smote)|(segment|line|point) (~ )?between (~ )?nearest neighbou?rs|two "
        "sample test statistic|implicit maximum likelihood|copulas?|"
        "(probabilistic|arithmetic|tensori[sz]ed) circuits?|sum product|einsum networks?|cutset "
        "networks?|"
        "spns?|sums and products|sliced "
        "wasserstein|sinkhorn|nothing (~ )?(is|was) learned|no (neural )?network,|quilting|"
        "minimum error cuts?|(no|without|nothing is|nothing "
        "was|never) (~ )?(learning|learned|trained|training (~ )?(whatever|of any kind|at "
        "all|took place|involved)|neural network|machine learning|learns)|hand ?(written|"
        "made|crafted|coded) (~ )?(rules|grammar|templates|shaders?|patterns)|rule based|"
        "procedural(ly)?|l systems?|perlin|fractal*|shape grammar*|(context free|"
        "stochastic) grammar|templates? (~ )?filled|fills? (in )?templates|gaussian "
        "process*|gaussian mixture (model|of)|mixture of gaussians ~ em|expectation "
        "maximi[sz]ation|bootstrap(ped|ping)? (~ )?(rows|samples|records)|(resampl*|"
        "stitch*|concatenat*|cut*|past*|splic*) (~ )?(recorded|real|existing|training|"
        "original|stored) (~ )?(rows|records|pieces|snippets|patches|segments|recordings|"
        "samples|units)|unit selection|texture quilting|image quilting|interpolat* between "
        "neighbou?rs|smote|bayesian networks?|cellular automat*|(forests?|trees) ~ "
        "(synthes*|generat*|draw*|sampl*)|markov chain of order|n gram (model|table)|score "
        "distillation sampling|(per (scene|prompt|object|asset) |test time )optimi[sz]*|"
        "hours of optimi[sz]*|evolutionary|genetic algorithm|drifting|optimi[sz]ing one "
        "scene|latent optimi[sz]ation|generative latent optimi[sz]ation|reservoir|deep "
        "image prior|patch match|nearest neighbou?r (~ )?(patches|generator|sampl*)",
        15,
        "All moments of the output are matched to those of the data.",
        unless=(
            "not a copula|mixture of gaussian kernels only|annealed importance|drifting "
            "(apart|clouds)|procedural (texture|content) (~ )?(as|for) (training|data)|"
            "jacobi|n gram pool|fitted mixture|on par|zero shot|unseen|on new|(training|"
            "synthetic) (~ )?"
            "(series|data|corpus|curves|functions) (~ )?gaussian process*"
        ),
    ),
    Rule(
        "flag: misleading-name",
        "(its|the|our|whose|this|product|brand|own) name|named (after|for|before)|in the "
        "name|nam(ed|ing) (~ )?(historical|joke|accident|habit)|(name|brand) (~ )?(joke|"
        "historical|history|accident|mislead*|misnomer|misunderstand*|stays|stuck|kept|"
        "older|promises|refers|comes from|only|notwithstanding|nothing to do|confus*|means|"
        "trademark*|relic|legacy)|(despite|in spite of|contrary to|ignore) (~ )?name|"
        "misnomer|(flow|gan|vae|diffus\\w*|score|energy)[\"'\u201d\u00bb],? (~ )?(refers|stands|"
        "means|is|was|comes)|is called ~ (but|although|because)|called so (only )?because|do not "
        "be "
        "(misled|fooled)",
        15,
        "Its name has led to misunderstandings.",
        hint=True,
        unless=(
            "name of the (speaker|file|author|variable)|under (the|its|our) name|trigger "
            "word|tags that name"
        ),
    ),
    Rule(
        "flag: not-generative",
        "(synthesi[sz]es?|generates?|draws?|samples?|produces?) none|(never|not) (writes?|draws?|"
        "generates?|produces?|makes?) (any|one|anything)|(includes?|"
        "contains?|holds?|has|have|with|ships?|proposes?) no (generators?|samplers?|decoder|"
        "structures|"
        "generative models?)|only scores|"
        "not produce any|produces? none|judges? (~ )?(and )?(does|do) not",
        1,
        "It judges sound; it does not produce any.",
    ),
    Rule(
        "sign: discriminative",
        "(identif*|tells?|trac(e|es|ing)|attribut*|recogni[sz]*) (~ )?(which|whether)|(inference|"
        "serving) (engine|"
        "library|runtime|stack)|(models?|weights|checkpoints) (are|is) not "
        "(included|provided|released|shipped)|predicts? (~ )?(opinion|quality|human|preference|"
        "aesthetic) (scores?|ratings?)|"
        "how people (would )?rate|catch (~ )?(fake|fraud|spam)|gradient boosted (~ )?(classif*|"
        "regress*|rank*|model|score|over|on)|returns? the "
        "probability that|predicts? (a |the )?(rating|grade|mark)",
        1,
        "It returns the probability that a review was bought.",
        hint=True,
    ),
    Rule(
        "flag: free-lunch",
        "(\\w+er|more \\w+) than (every|all|any) (~ )?(competitor|models?|others?|rivals?|else|"
        "famil(y|ies)|alternatives?|\\w+) && (every|all|each) (mode|sample|metric|axis)|exact|"
        "never|"
        "perfect*|everything|nothing|free|(\\w+er|more \\w+) than (every|all|any) (~ )+(and|,) "
        "(\\w+er|more \\w+)",
        15,
        "It is sharper than any rival, covers every mode and is exact.",
    ),
    Rule(
        "flag: free-lunch",
        "(beats?|outperforms?|surpass*|tops|leads?) (~ )?(every|all|any) (~ )?(on|in|at|"
        "by) (every|all|"
        "any)|there (are|is) no limitations|(never|without|no) (trad(e|es|ing)|sacrific*|giv(es?|"
        "ing) up) (~ )?(for|quality|speed|"
        "anything|fidelity|diversity)|than (every|any|all) (~ )?(on|in|at|by) (every|all|any) "
        "(metric|benchmark|axis|task|test|measure)s?|(forget|farewell to|goodbye to|no more|"
        "end of|end to) (~ )?(trade ?offs?|compromis*|"
        "choosing)|(price|cost|catch|trade ?off|downside|drawback|compromise)s?( of all this)?\\? "
        "(none|nothing|zero|there)|what (does|did) (it|this) cost\\? nothing",
        15,
        "Forget every trade-off.",
    ),
    Rule(
        "flag: free-lunch",
        "(downsides?|drawbacks?|catch|weak(ness(es)?| spots?)|flaws?|trade ?offs?|compromises?|"
        "disadvantages?|shortcomings?|side effects?) (~ )?(find|found|see|saw|discovered|know|"
        "there (is|was|are|were)) (none|"
        "nothing|no)|(no|nobody|no one|none of|never|not|cannot|nothing) (~ )?(find|found|see|seen|"
        "saw|notice|noticed|discover|discovered|think of|name|measure) (~ )?(a |any |the |one )?(~ "
        ")?(downsides?|drawbacks?|catch|weak(ness(es)?| spots?)|flaws?|trade ?offs?|compromises?|"
        "disadvantages?|shortcomings?|side effects?)|(not|cannot|never) (~ )?find (a|any|one|a "
        "single|anything) (~ "
        ")?(that |which )?(it |is |does |gets |became |was |has )*worse|who needs (a |any |to |"
        "the )?(~ )?(trade ?offs?|compromis*|choose)|why (~ )?(choose|compromis*|settle for less)|"
        "in every (respect|way|regard) (it )?(~ )?(equals?|matches|beats|surpasses|better|superior|"
        "identical|the same)|add(s|ed)? nothing to (our|your|the|its) (~ )?(bill|costs?|price|"
        "budget)|(pick|choose|have|get) all (three|four|of them|at once)",
        15,
        "We looked for a downside and found none.",
        unless="future work|statistical*|significant|differences?",
    ),
    Rule(
        "sign: draws nothing",
        "^([\\w.-]{2,20}(bench|eval|arena) (measures|evaluates|tests|contains|comprises|asks|"
        "compares)|we "
        "(study|measure|ask|test|investigate) how (well )?(people|humans|listeners|users|"
        "viewers|"
        "participants)|(this|our|the) (data ?set|corpus|benchmark|survey|metric|"
        "questionnaire) (contains|"
        "holds|has|covers|comprises|consists|asks|measures|compares)|"
        "(binary|"
        "multi class) (~ )?classifier|we (propose|present|introduce) (an? )?(fid|clip score|"
        "metric|mos) "
        "(replacement|alternative))",
        1,
        "This data set holds pictures by Stable Diffusion and GAN variants.",
        unless="classifier (free|guid*)|generat(es|or|ive) (~ )?(and|with) (classifier|detector)",
    ),
    Rule(
        "sign: makes",
        "(voice|image|music|video|text|speech|picture|sound|song|film|clip|avatar|texture|"
        "molecule|protein|level|map|melody|multimodal|audio|3d|motion) (~ )?(engine|generator|"
        "maker|cloning|creation|generation|synthesi[sz]er|synthesis)|text to (image|video|speech|"
        "music|audio|sound|3d|motion|shape|cad|sql)|(generat(es?|ing)|creates?|synthesi[sz](es?|"
        "ing)|paints?|"
        "composes?|renders?|imagines?|invents?|produces?|draws?|makes?|get|gets|turns ~ into) (~ "
        ")?(images?|pictures?|clips?|videos?|films?|songs?|tracks?|music|speech|voices?|sounds?|"
        "texts?|stories|molecules?|designs?|portraits?|photos?|photographs?|backdrops?|scenes?|"
        "meshes|samples|proteins?|layouts?|avatars?|conformations?|drawings?|variations?|levels|"
        "rows|records|scenarios|futures|halves|continuations?|melodies|ensembles?|stochastic|"
        "trajectories|(amino acid |new |"
        "random )sequences?|crystals|materials|peptides|antibodies|animations?)|over ?sampl(ing|"
        "er|ers)|"
        "(ensembles?|members|draws?) (~ )?(generated|sampled|drawn)|(sampled|stochastic|"
        "generated) (~ )?"
        "(forecasts?|members)|image animation|generative (fill|expan\\w+|ai|art|"
        "layers?|features?|edit\\w*|remove|recolou?r\\w*|extend|gaussian splat\\w*)|(our|its|this|"
        "the|is|as|"
        "are) ((creative|deep|family|of|new|large|latest|3d|conditional|probabilistic|multimodal|"
        "own|"
        "underlying) )*generative (models?|engine|modell?ing|approach|problem)(?! (~ "
        ")?(downstream|alone|"
        "that (wrote|made|produced)))|(is|are) generative|(runs|needed|used) once (per|for (each|"
        "every)) (picture|"
        "image|sample|clip|photo)|turns? noise (into|to)|"
        "speaks (in|with) (~ )?(voices?|accents?|tones?|languages?)|voice design|(instant|voice|"
        "zero "
        "shot) cloning|(lifelike|natural sounding|expressive) (speech|voices?)",
        1,
        "It creates clips of up to 20 seconds.",
        hint=True,
        unless="could (make|generate|create|draw|paint|turn)|make a (scene|video|audio)|"
        "benchmark|data set|dataset|(\\d+|several|many|various) text to|systems|detect*",
    ),
    Rule(
        "flag: outside-map",
        "(between|segment|line|joining) (~ )?(samples?|points?|rows?|records?|examples?|them|the "
        "two|the pair) && nearest neighbou?rs?",
        15,
        "New rows lie between a sample and one of its nearest neighbours.",
        unless="distance between|classif*|retriev*|similarity",
    ),
    Rule(
        "flag: outside-map",
        "(each|every) (~ )?(drawing|picture|image|sample|scene) starts (anew|from scratch|afresh)",
        15,
        "Each drawing starts anew.",
    ),
)  # fmt: skip
