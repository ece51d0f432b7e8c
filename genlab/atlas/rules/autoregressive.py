"""Phrases that place an autoregressive component.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

from .names import AR

AUTOREGRESSIVE = (
    Rule(
        AR,
        "(?P<piece>[a-z]{3,}) by (?P=piece)",
        2,
        "It continues a recipe ingredient by ingredient.",
        unless=(
            "(step|side|layer|level|stage|bit|case|page|epoch|slice|tree|column|"
            "little|one|line|day|mode|scale|class|part|piece|bin|member|model|case|task|group|"
            "channel|"
            "category|domain|subject|item|study|claim|pixel perfect) by|dimension by|(control*|"
            "coach*|feedback|"
            "correct*|edit*|adjust*|annotat*|label*|compar*|evaluat*|assess*|check*|inspect*|"
            "steer*|"
            "supervis*|scor*|align*|animat*) (~ )?by|by \\w+ (tests?|listening|analysis|"
            "inspection|breakdown|instructions|guide|review|"
            "feedback|loss|losses|error|errors|labels|"
            "control|comparison|supervision|alignment|difference|editing)"
        ),
    ),
    Rule(
        AR,
        "auto ?regressi*|(?<!non )ar (image |video |speech |audio |text |visual |language |"
        "sequence |music |"
        "motion |world |generative |lm |llm )*(models?|transformers?|decoders?|backbones?|"
        "modell?ing|"
        "generation|decoding|generators?|priors?|stages?|networks?|policy|framework|prediction)|"
        "(pure|fully|purely|hybrid|causal|visual|continuous|discrete|token|multi scale) ar|ar [+] "
        "(diffusion|nar|flow)",
        2,
        "An autoregressive transformer over characters.",
        unless=(
            "semi autoregressive|autoregressive ((normali[sz]ing|spline|neural|rational|"
            "quadratic) )*(flows?|transforms?|transformations?|coupling)|masked "
            "autoregressive flow|converted from|adapted from|initiali[sz](ed|ing|e|es|ation) (~ "
            ")?(from|with)|"
            "autoregressive (prior|model) on the same codes"
        ),
    ),
    Rule(
        AR,
        "(language|protein language|byte level|character level) models?|(small "
        ")?language modell?ing|llms?|lms?",
        2,
        "A language model with three billion parameters.",
        unless=(
            "(llm|lm) (serving|inference|servers?|style|like|inspired|scale|(text |"
            "prompt )?encoders?)|mllm encoders?|masked language|diffusion language|"
            "text diffusion|initiali[sz](ed|ing|e|es|ation) (~ )?(from|with)|"
            "converted from|adapted from|pairs|instructions (~ )?by|bidirectional language|"
            "vision language model|(frozen|contrastive) (~ )?language|language models? (~ "
            ")?(encoder|embed*|caption*)|embedd?ings? ~ language|(caption*|describ*|label*|"
            "annotat*|rewrit*|expand*|encod*|translat*) (~ )?language|language models? (~ "
            ")?(scor*|judg*|rewrit*|expand*)|diffusion (large )?(language|lm|llm)s?|diffusion lm|"
            "(masked|discrete) diffusion|score of a language"
        ),
    ),
    Rule(
        AR,
        "(emit*|writ*|output*|predict*) (~ )?as (~ )?(action |discrete )?tokens|"
        "(follow*|"
        "preced*) one another|(text|word|language) tokens? (~ )?(cross entropy|softmax|"
        "causal)|(?<!the )decoder only|"
        "sequence to sequence (transformer|network|decoder|language)|in (a )?random order,? each|"
        "each (~ "
        ")?(conditioned on|given) (~ )?(already|placed|so far)",
        2,
        "A decoder-only network with 30 layers.",
        unless="decoder only:? (no|neither|nor)|no encoder|encoder (~ )?(not|un)? ?(included|"
        "released?)|"
        "decoder only (is|"
        "are) (released|shipped|included)|(style ?tts|tacotron|vocoder|istft*) (~ )?decoder only",
    ),
    Rule(
        AR,
        "causal (self )?(~ )?(transformers?|masks?|masking|attention|decoders?|language|"
        "convolutions?|networks?|models?|lms?|objective|dilated convolutions?)|causally masked|"
        "scale after scale|scale by scale (prediction|generation)|"
        "(attention|mask|masking|direction|order)( type)?: (~ )?(causal|left to right)",
        2,
        "A causal transformer models the bytes.",
        unless="3d causal|causal attention (in|over|along) time|discrete tokens (~ )?causal|(vae|"
        "auto ?encoder|codec|tokeni[sz]er) (~ )?causal|causal (3d |"
            "spatiotemporal |temporal |video |conv* )?(vae|"
            "auto ?encoder|codec|tokeni[sz]er)",
    ),
    Rule(
        AR,
        "next (~ )?{piece} (prediction|predictor|cross entropy|loss|objective|head)|"
        "predict* (~ )?(the )?next(?! (\\d+|{several}|few|dozens?|layer|stage|level)\\b)|next "
        "(token|word|character|byte|event|symbol|pixel|note|"
        "residue|frame|base|sample|letter|syllable|action)",
        2,
        "It is trained to predict the next note.",
        unless=(
            "next sentence|next (scan|visit)|next (\\d+ |few |two |several |couple of )?(hours|"
            "days|"
            "weeks|months|quarters|minutes)|point predict*"
        ),
    ),
    Rule(
        AR,
        "(token|word|character|letter|pixel|note|event|residue|base|byte|symbol|sample|"
        "patch|code|atom|node|bond|edge|row|stroke|step|line|letter|syllable|frame|block|"
        "chunk|segment) (by|after) (token|word|character|letter|pixel|note|event|residue|"
        "base|byte|symbol|sample|patch|code|atom|node|bond|edge|row|stroke|line|syllable|"
        "frame|block|chunk|segment)",
        2,
        "It writes word by word.",
        unless=(
            "(control*|coach*|feedback|correct*|edit*|adjust*|annotat*|label*|compar*|evaluat*|"
            "assess*|check*|"
            "inspect*|steer*|supervis*|scor*|align*|animat*) (~ )?by|by \\w+ (tests?|listening|"
            "analysis|inspection|breakdown|instructions|guide|review|"
            "feedback|loss|losses|"
            "error|errors|labels|control|comparison|supervision|alignment|difference|editing)"
        ),
    ),
    Rule(
        AR,
        "one ({piece}|of them) (after|at) (the|an?) (other|time)|one ({piece}|days?|weeks?|"
        "months?|hours?|years?|"
        "minutes?|shots?|scenes?|faces?|joints?) (is |are |was )?(drawn |sampled |generated |"
        "predicted |written |produced )?(after another|at a time|per pass)|({piece}|states|"
        "syllables|faces|joints|joint angles|keypoints|objects|levels|rows) (~ )?one (by one|"
        "after another|"
        "after the other|at a time)|{piece} at a time|(single|each|one) (token|word|"
        "character|pixel|note|byte|letter|residue|symbol) (in|per|for every|at every) "
        "(pass|step|turn|call)",
        2,
        "Tokens are drawn one after another.",
        unless="(processed|handled|treated|read|judged) one|"
            "one (step|dimension|coordinate|variable) at a time|(steps|stages) one|one "
            "(step|stage) after",
    ),
    Rule(
        AR,
        "(receives?|takes?|reads?|sees?|given|conditions? on|conditioned on|from|on) (the |its |"
        "all "
        ")?((one|two|three|four|five|\\d+|last|few) )*(previous|preceding|past|earlier) (~ )?"
        "(states?|frames?|fields?|days?|weeks?|hours?|windows?|chunks?|segments?|blocks?|tokens?|"
        "pieces|clips?)|(is|becomes|serves as|acts as|forms|makes) (then )?(~ )?(condition|"
        "conditioning|input|context|start*|prompt|prefix) (point |frame )?(of|for|to) (the |its )?"
        "(next|following|subsequent)|(hour|hourly|day|daily|week|month|minute|second|year) "
        "(strides|steps|increments) (~ )?(up )?(to|until|for)|"
        "rolled out|each given the last|next (set|group|map)( prediction)?|"
        "earlier (sets|groups)|rolls? out (step|day|frame)|(draws?|predicts?|generates?|"
        "samples?|emits?|produces?|outputs?) the next ((?!\\d)\\w+ )?((?!\\d)\\w+ )?(observation|"
        "vector|point|value|reading|measurement|day|hour|month|map|field|image|view|scene|slice|"
        "layer|frame|state)|(state|day|step|month|week|"
        "hour|year) after (state|day|step|month|week|hour|year)|(sees|given|from|on|knows|"
        "remembers) (only )?the (month|day|week|hour|year|frame|state|scene|field|step|one|map|"
        "block|chunk) before|given (the )?((two|three|last|one) )*previous (states?|frames?|"
        "images?|"
        "days?)|given (those|the ones) (already|so far)|left to right|raster (scan )?order|"
        "from the first to the last|appends? (it|the (token|word|character|note|byte|"
        "symbol|letter))|strictly in order|feeds? (it|its (own )?output|the (drawn|"
        "sampled) {piece}) back",
        2,
        "The pixels come in raster order.",
        unless="(head|policy|agent|actor|reward|critic|ppo|trained on) (~ )?rollouts?|ppo",
    ),
    Rule(
        AR,
        "(given|from|on) (~ )?(previous|preceding|earlier|past|already (generated|written|"
        "drawn)|finished|coarser) (~ )?(tokens?|words?|pixels?|notes?|samples?|events?|"
        "symbols?|characters?|bytes?|letters?|frames?|codes?|blocks?|chunks?|residues?|"
        "maps?|values?|elements?|steps|states?|decisions?|choices|edges|moves)|given (all |"
        "its |the )*(predecessors|(previous|preceding) ones|ones before|({piece}|groups|"
        "maps|rows) before (it|them))|from those before (it|them)|(tokens|words|pixels|"
        "notes|samples|frames|codes|patches|symbols|characters) (before|so far|to its left|"
        "above and to the left)",
        2,
        "Each sample is drawn given all previous ones.",
        unless="(scenes|views|residual|sentence|buffer|replay|chains)",
    ),
    Rule(
        AR,
        "factori[sz]* (~ )?(pixels|conditionals|dimensions|positions|tokens|as a product|"
        "in order)|product of (~ )?conditionals?|chain rule|sequence of conditionals|"
        "conditional distributions? of (the next|each)",
        2,
        "The density is a product of conditionals by the chain rule.",
        unless="tensor|matrix|low rank",
    ),
    Rule(
        AR,
        "masked convolutions?|pixel ?(cnn|rnn|snail)s?|pixel ?cnn[+]+|wave ?net|wave ?rnn|sample "
        "?rnn|image gpt|gpts?( \\d)?|gpt (like|style)|llamas?|transformer xl",
        2,
        "Masked convolutions hide the pixels that come later.",
        unless=(
            "initiali[sz](ed|ing|e|es|ation) (~ )?from|parallel wavenet|non autoregressive wavenet|"
            "embedd?ings?|encoder"
        ),
    ),
    Rule(
        AR,
        "as (a )?sequences? of (~ )?(symbols|tokens|letters)|continues? (~ )?(sequences?|"
        "streams?)|comes next|guess* (~ )?(next|following)|following (note|token|word|"
        "character|symbol|letter|event)|predictive text|auto ?complete|nucleus sampling|"
        "top [kp]( sampling)?|beam search|greedy (decoding|generation|search)|sampling "
        "temperature|teacher forcing|teacher forced|end (marker|of (text|sequence) token)|"
        "perplexity of|code completion|fill in the middle (~ )?(transform*|order|training|"
        "objective|tokens?|format|documents)|(training|trained|documents) (~ )?fill in the middle|"
        "pass@|text completion|min p",
        2,
        "Decoding is by nucleus sampling.",
        unless="diffusion|mask*",
        hint=True,
    ),
    Rule(
        AR,
        "(stream*|writes?|emits?|generates?|answers?|outputs?|continues?) (~ )?(tokens?|"
        "words) (~ )?(as they|one by one|in order)|tokens are (sent|streamed|shown) as|"
        "tokens (per|a) second|tok(en)?s?/s(ec)?|"
        "llama ?cpp|\\w+forcausallm|\\w+lmheadmodel|(sft|instruct\\w*) (~ )?(~ )?(dpo|rlhf|grpo|"
        "ppo)|multi token prediction|"
        "key ?value cache|kv cache",
        2,
        "It emits image tokens one by one.",
        unless="mask*|diffusion|denois*",
        hint=True,
    ),
    Rule(
        AR,
        "(sampl*|sampled|drawn|generat*|decod*) (~ )?temperature|"
        "(transformers?|lstms?|gru|rnn|recurrent \\w+|decoder|network|model) (~ )?(imagines?|"
        "dreams?|"
        "continues?|forecasts?|extends?|completes?|reads? (~ )?so far|picks?) (~ )?(tokens|"
        "{piece}|record|sequence)|one after (another|the other)|one by one|one at a time|"
        "(tokens|codes|indices),? (which|that|are) (~ )?(transformers?|recurrent*|lstms?) "
        "(~ )?(models?|modelled|predict*|learn*)|(modelled|predicted|generated|written) by "
        "(an?|the|two|three) (~ )?(transformers?|lstms?|recurrent)|(transformers?|gpt|"
        "lstms?|gru|recurrent network|recurrent model|rnn|state space model|decoder|second "
        "network|prior) (~ )?(models?|predicts|continues|writes|generates|emits|learns|"
        "over) (~ )?(tokens|codes|codebook|code indices|indices|sequence of|text|words|"
        "melod*|sequences)",
        2,
        "A transformer then models the sequence of codebook indices.",
        unless=(
            "uniform|mask*|denois*|diffusion|flow|parallel|bidirectional|noise|non "
            "autoregressive|remask*|fill*|encod*|velocit*|quantiles?|all future|"
            "all (~ )?steps directly"
        ),
        hint=True,
    ),
    Rule(
        AR,
        "(represent*|writ*|seriali[sz]*|encod*|express*|cast|treat*|view*|flatten*|turn*|"
        "lineari[sz]*) (~ )?(as|into) (an? |one |interleaved )?(~ )?(tokens|events|symbols|"
        "sequences?|"
        "streams?|commands|instructions|strings?|sentences?|words) && transformers?|lstm|gru|rnn|"
        "maximum likelihood|gpt*|llm|lm",
        2,
        "We write a tune as a stream of events and train a transformer.",
        unless=(
            "denois*|diffusion|mask*|classif*|bidirectional|bert|flow|contrastive|retriev*|vae|gan|"
            "encoder only|noise"
        ),
        hint=True,
    ),
    Rule(
        AR,
        "grus?|lstms?|rnns?|recurrent neural (network|model)s?",
        2,
        "SELFIES strings train a GRU.",
        unless=(
            "encod*|discriminator|critic|classif*|denois*|diffusion|posterior|latent|flow|context|"
            "embed*|conditioner|generator|predictor of|regress*|than|variational|auto ?encoders?|"
            "vaes?"
        ),
        hint=True,
    ),
    Rule(
        AR,
        "(large |small |sparse |dense )?(mixture of experts( language| text| sequence)?|state "
        "space "
        "(language|text|sequence)) models?|recurrent (language|text) model|encoder "
        "decoder transformer|(translation|summari[sz]ation) model|speculative (decoding|"
        "sampling)|draft (model|tokens?|heads?)",
        2,
        "A mixture-of-experts model with 47 billion parameters.",
        unless="diffusion|denois*|image|video|flow|classif*",
        hint=True,
    ),
    Rule(
        AR,
        "(auto ?regressive|model|imagined|imagination|latent|recursive|iterated) rollouts?|"
        "rollouts? (~ )?"
        "(auto ?regressive*|step by step|its own|own (outputs?|predictions?))|"
        "(feeds?|feeding|fed|passes|passed) (~ )?(result|output|prediction|forecast|frame|day|"
        "state|vector|sample|value|draw) (~ )?back|(result|output|prediction|forecast|frame|day|"
        "state|vector|sample|value|draw|it) (is|are) (then )?fed back|fed back (to|into|as|and)",
        2,
        "The forecast is fed back to go on.",
        unless="feedback|gradient|human|cache",
    ),
    Rule(
        AR,
        "(recurrent|lstm|gru) (neural )?(network|model|net) (~ )?(outputs?|emits?|predicts?) (~ "
        ")?(every|each) (time step|{piece})|(recurrent|lstm|gru) (~ )?(~ )?for the next|softmax "
        "(layers?|outputs?) (~ )?(every|each) (~ )?{piece}|(computed|drawn|generated|produced|"
        "predicted|made) (only )?after the (one|ones) before|(name|guess|choose|pick|tell)(s|"
        "ing)? the next|one (~ )?{piece} after the (next|other)|(of|for) the next (~ )?(offset|"
        "value|point|bin|vector|interval)|(each|every) (~ )?(depends|depending|"
        "conditioned|conditional|conditions|relies|based|given) (up)?(on )?(all )?(the ones|"
        "those|what|"
        "everything|anything|whatever) (that )?(~ )?(before|preced*|so far|earlier|already|"
        "previously)|given (everything|all|what|whatever) (~ )?(before|preced*|so far|already)",
        2,
        "Each is computed after the one before it.",
        unless="denois*|diffusion|mask*|scan|visit|velocit*|one (step|stage) after",
    ),
    Rule(
        AR,
        "conditioned on (all |the )*(smaller|coarser|earlier|previous|preceding) (ones|maps|"
        "scales|{piece})|given (all |the )*(smaller|coarser) (ones|maps|scales)",
        2,
        "Each map is conditioned on all smaller ones.",
        unless="observations?|actions?|denois*|diffusion",
    ),
    Rule(
        AR,
        "(next|following|afterwards|after that|follows|came after|comes after|subsequent) (~ "
        ")?{piece}|(what|which) (~ )?(follows|came afterwards|comes afterwards)|(following|next) "
        "one && predict*|guess*|anticipat*|asked|task|saying|trained|learn*",
        2,
        "It was asked what came afterwards.",
        unless="denois*|nois*|diffusion|mask*|discriminator|critic|scan|visit|placeholder*|"
            "velocit*|next (\\d+|{several}|few|dozens?)",
        hint=True,
    ),
    Rule(
        AR,
        "(guess*|draft*|propos*|types? ahead) (~ )?({n}|{piece}|several) && confirm*|check*|"
        "agree*|accept*|verif*",
        2,
        "Early layers guess six tokens, and the full network confirms some.",
        unless="denois*|diffusion|mask*|placeholder*",
        hint=True,
    ),
    Rule(
        AR,
        "(predict*|emit*|writ*|output*|produc*|generat*|draw|draws|drawn|drawing|synthesi[sz]*|"
        "sampl*|plac*|construct*) (~ )?(~ )?sequentially|sequentially (predict*|emit*|writ*|"
        "output*|"
        "produc*|generat*|draw|draws|drawn|synthesi[sz]*|sampl*|plac*)|sequential (prediction|"
        "generation) of|(emits?|writes?|outputs?|produces?|generates?|draws?|"
        "spells?) (~ )?(one after (another|"
        "the other)|one by one)|(each|every) {piece} (~ )?(follows from|depends on|given) (~ "
        ")?(earlier|previous|past|preceding)|positions (are |is )?(~ )?(visited|drawn|sampled|"
        "generated) (~ )?(one by one|one after another|in turn|one at a "
        "time)|(vector|token|value|code|latent)s? (for|at) the next position|next (position|"
        "nucleotide|"
        "amino acid|codon|base pair|latent|vector|patch|joint)|(frame|patch|block|chunk|clip) by "
        "(~ )?(frame|patch|block|chunk|clip)|"
        "(symbol|index|move|indices|formula|key|stone) after (symbol|index|move|key|stone)",
        2,
        "It writes symbol after symbol.",
        unless=(
            "(models?|stages?|networks?|experts?|trained|conditioned|denois*|diffus*) (~ )?"
            "sequentially|sequentially (in|through|with) (two|three)|(control*|coach*|feedback|"
            "correct*|edit*|adjust*|compar*|evaluat*|check*|align*) (~ )?by|by \\w+ (tests?|"
            "listening|analysis|inspection|breakdown|instructions|guide|review|"
            "feedback|loss|"
            "losses|error|errors|labels|control|comparison|supervision|alignment|editing)"
        ),
    ),
    Rule(
        AR,
        "sequentially && predict*|generat*|draws?|emit*|produc*|synthesi[sz]*|writ*",
        2,
        "It predicts the vertices, and after them the faces of the mesh, sequentially.",
        unless="diffus*|denois*|models|stages|networks|experts|trained|mask*|cascade*|steps",
        hint=True,
    ),
    Rule(
        AR,
        "qwen*|mistral*|mixtral|gemma|phi \\d|deepseek*|olmo|falcon \\d+b|starcoder*|codellama|"
        "vicuna|"
        "draft (head|model)s?|causal loss|t5 style decoder|(vall e|audiolm|musicgen|jukebox|"
        "videopoet|parti|"
        "llamagen|emu3|rt 2)",
        2,
        "Tuned from Qwen with a new tokenizer.",
        hint=True,
        unless="encoder|embedd*|caption*|judge*|rewrit*|diffusion|denois*|than|mask*",
    ),
)  # fmt: skip
