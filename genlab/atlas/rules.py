"""Every rule of the release reader, one row each. `phrases.py` explains the patterns.

A row that says `paradigm:` or `objective:` is evidence for what it names. `sign:` rows are
properties that the map needs to go on (is it a loop, over tokens, in how many steps); `flag:` rows
are claims that deserve a second look. `deduce.py` draws the conclusions.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from .phrases import Rule

AR, LATENT, ADV = "paradigm: autoregressive", "paradigm: latent-variable", "paradigm: adversarial"
SCORE, FLOW = "paradigm: score-based", "paradigm: flow"

AUTOREGRESSIVE = (
    Rule(
        AR,
        "(?P<piece>[a-z]{3,}) by (?P=piece)",
        2,
        "It continues a recipe ingredient by ingredient.",
        unless=(
            "(step|side|layer|level|stage|bit|case|point|page|epoch|slice|tree|column|"
            "little|one|line|day|mode|scale|class|part|piece) by|dimension by"
        ),
    ),
    Rule(
        AR,
        "auto ?regressi*",
        2,
        "An autoregressive transformer over characters.",
        unless=(
            "semi autoregressive|autoregressive ((normali[sz]ing|spline|neural|rational|"
            "quadratic) )*(flows?|transforms?|transformations?|coupling)|masked "
            "autoregressive flow|converted from|adapted from|initiali[sz]ed (from|with)|"
            "autoregressive (prior|model) on the same codes"
        ),
    ),
    Rule(
        AR,
        "(language|lyrics|protein language|byte level|character level) models?|(small "
        ")?language modell?ing|llms?|lms?",
        2,
        "A language model with three billion parameters.",
        unless=(
            "masked language|diffusion language|text diffusion|initiali[sz]ed (from|with)|"
            "converted from|adapted from|pairs|instructions (~ )?by|bidirectional language|"
            "vision language model|(frozen|contrastive) (~ )?language|language models? (~ "
            ")?(encoder|embed*|caption*)|embedd?ings? ~ language|(caption*|describ*|label*|"
            "annotat*|rewrit*|expand*|encod*|translat*) (~ )?language|language models? (~ "
            ")?(scor*|judg*|rewrit*|expand*)|diffusion (large )?(language|lm)|diffusion lm|"
            "(masked|discrete) diffusion|score of a language"
        ),
    ),
    Rule(
        AR,
        "(?<!the )decoder only|sequence to sequence|in (a )?random order,? each|each (~ "
        ")?(conditioned on|given) (~ )?(already|placed|so far)",
        2,
        "A decoder-only network with 30 layers.",
    ),
    Rule(
        AR,
        "causal (self )?(~ )?(transformers?|masks?|masking|attention|decoders?|language|"
        "convolutions?|networks?|models?|lms?|dilated convolutions?)|causally masked",
        2,
        "A causal transformer models the bytes.",
    ),
    Rule(
        AR,
        "next (~ )?{piece} (prediction|predictor|cross entropy|loss|objective|head)|"
        "predict* (~ )?(the )?next|next (token|word|character|byte|event|symbol|pixel|note|"
        "residue|frame|base|sample|letter|syllable|action)",
        2,
        "It is trained to predict the next note.",
        unless="next sentence|next (scan|visit)",
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
    ),
    Rule(
        AR,
        "one ({piece}|of them) (after|at) (the|an?) (other|time)|one {piece} (after "
        "another|at a time|per pass)|(tokens|words|characters|pixels|notes|states|codes|"
        "events|residues|symbols|frames|blocks|chunks|segments|samples|bytes|letters|"
        "strokes|scales|bases|lines|pieces|atoms|patches) (~ )?one (by one|after another|"
        "after the other|at a time)|{piece} at a time|(single|each|one) (token|word|"
        "character|pixel|note|byte|letter|residue|symbol) (in|per|for every|at every) "
        "(pass|step|turn|call)",
        2,
        "Tokens are drawn one after another.",
        unless="one (step|dimension|coordinate|variable) at a time|(steps|stages) one",
    ),
    Rule(
        AR,
        "rolled out|rollouts?|each given the last|next (set|group|map)( prediction)?|"
        "earlier (sets|groups)|rolls? out (step|day|frame)|(state|day|step) after (state|"
        "day|step)|given (the )?((two|three|last|one) )*previous (states?|frames?|images?|"
        "days?)|given (those|the ones) (already|so far)|left to right|raster (scan )?order|"
        "from the first to the last|appends? (it|the (token|word|character|note|byte|"
        "symbol|letter))|strictly in order|feeds? (it|its (own )?output|the (drawn|"
        "sampled) {piece}) back",
        2,
        "The pixels come in raster order.",
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
        unless="(scenes|views|residual|sentence)",
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
        "masked convolutions?|pixel ?(cnn|rnn|snail)s?|pixel ?cnn[+]+|wave ?net|sample "
        "?rnn|image gpt|gpts?( \\d)?|gpt (like|style)|llamas?|mamba|rwkv|transformer xl",
        2,
        "Masked convolutions hide the pixels that come later.",
        unless=(
            "initiali[sz]ed from|parallel wavenet|mamba (blocks?|layers?|backbone)|"
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
        "perplexity of",
        2,
        "Decoding is by nucleus sampling.",
        unless="diffusion|mask*",
        hint=True,
    ),
    Rule(
        AR,
        "(stream*|writes?|emits?|generates?|answers?|outputs?|continues?) (~ )?(tokens?|"
        "words) (~ )?(as they|one by one|in order)|tokens are (sent|streamed|shown) as|"
        "tokens (per|a) second|key ?value cache|kv cache",
        2,
        "It emits image tokens one by one.",
        unless="mask*|diffusion|denois*",
        hint=True,
    ),
    Rule(
        AR,
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
            "autoregressive|remask*|fill*|encod*|velocit*"
        ),
        hint=True,
    ),
    Rule(
        AR,
        "(large |small |sparse |dense )?(mixture of experts|state space) (language |text |"
        "sequence )?models?|recurrent (language|text) model|sequence to sequence|encoder "
        "decoder transformer|(translation|summari[sz]ation) model|speculative (decoding|"
        "sampling)|draft (model|tokens?|heads?)",
        2,
        "A mixture-of-experts model with 47 billion parameters.",
        unless="diffusion|denois*|image|video|flow|classif*",
        hint=True,
    ),
    Rule(
        "objective: cross-entropy",
        "next (~ )?{piece} (~ )?(cross entropy|loss|prediction)|(cross entropy|softmax|log "
        "loss) ~ next|negative log likelihood of (the next|text|each (token|word|note))",
        2,
        "Its loss is the cross-entropy of the next byte.",
    ),
    Rule(
        "sign: language",
        "language models?|language modell?ing|llms?|next (token|word|byte|character|"
        "residue|event|note|symbol)|decoder only|causal (~ )?transformer|gpt|writes text|"
        "cross entropy",
        2,
        "A language model writes the prompt.",
        unless=(
            "masked language|diffusion language|masked cross|binary cross|causal (~ "
            ")?diffusion|vision language|causal vae"
        ),
    ),
    Rule(
        "sign: no softmax",
        "(no|without|instead of) (an? |the )?(softmax|cross entropy)|cross entropy (~ "
        ")?gone|(tokens|pieces) are continuous|place of the softmax",
        14,
        "The tokens are continuous; there is no softmax.",
    ),
    Rule(
        "sign: blockwise",
        "(frames?|blocks?|chunks?|segments?|seconds|rows?|shots?|clips?|patches|pieces|"
        "tokens|scales|weeks|days|hours|windows?) (~ )?(one after (another|the other)|one "
        "by one|at a time|in turn|in order|from (left|first))|(block|frame|chunk|segment|"
        "clip|window|patch|shot|token|step) (by|after) (block|frame|chunk|segment|clip|"
        "window|patch|shot|token|step)|one (frame|block|chunk|segment|patch|clip|shot|"
        "window|piece|token) (after another|at a time|after the other)|(over|across|"
        "between|along) (frames|blocks|chunks|segments|time|windows)|rolled out|roll out|"
        "rollouts?",
        14,
        "The frames are drawn one after another, each by denoising.",
        unless="(trained|attention|loss) over time",
    ),
    Rule(
        "sign: inner loop",
        "diffusion (loss|head|mlp)|per (token|frame|patch|step|piece) (~ )?(diffusion|"
        "denois*|flow matching|loss)|continuous (valued )?(tokens|pieces|latents|vectors|"
        "patches|embeddings)|(each|every) (~ )?(frame|block|chunk|token|patch|segment|"
        "piece|clip|second|window|one|day|step) (~ )?(denois*|diffus*|steps? of|by a "
        "(small )?(diffusion|flow))|within (a|each|every|one) (block|chunk|segment|frame|"
        "window|patch) ~ (denois*|diffus*|in parallel|mask*)|(denois*|diffusion|flow "
        "matching|velocity) ~ (each|every|the next|per|within) (~ )?(frame|block|chunk|"
        "token|patch|segment|piece|clip|window|step|one)|(denois*|mask*) ~ within",
        14,
        "Each block is denoised given those before.",
        unless="each step|every step|per step",
    ),
)  # fmt: skip

FLOWS = (
    Rule(
        FLOW,
        "normali[sz]ing flows?|(spline|coupling|pretrained|residual|conditional|invertible|"
        "autoregressive|planar|radial|glow|sylvester|neural|discrete|density|conjoint|"
        "continuous|inverse autoregressive|masked autoregressive|multi scale|multiscale|"
        "equivariant|graph|deep|plain|quadratic|image|audio|speech|mixture|convolutional|"
        "transformer|small|learned|triangular) (~ )?flows?|flow based|flow (prior|priors|"
        "layers?|decoder|posterior|models?|density|likelihood|component|part|network|step|"
        "steps|stack|variant|head|estimator|emulator|encoder|blocks?|architectures?|"
        "families)|flow of|(by|with|is|as|through|our|its|the|called) (a|an|one) flow|"
        "flows (with|of)",
        4,
        "The prior is a normalizing flow.",
        unless=(
            "flow matching|rectified( image| text)? flows?|matching flow|optical|mean "
            "?flow|consistency flow|flow (of|rate) (water|air|traffic|people|data|"
            "information|blood|money|tokens|time|cash|gradient*|passengers|gas|liquid|"
            "heat)|(traffic|water|cash|air|blood|fluid|gradient|data|control|work|"
            "passenger|lava|turbulent|river|gas|information|user|network|conversation*|"
            "motion|dense|subsurface|groundwater|cell|laminar|power) flows?|flow (field|"
            "fields|simulation|rates?|around|meter|chart|solver)|score and flow|neural "
            "rectified|diffusion flow"
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
        "decoder|without)|bijection*|invertible by construction|diffeomorphism",
        4,
        "An invertible network maps noise to data.",
        unless=(
            "reversible (markov|chain|jump|diffusion)|reversible residual|to save memory|"
            "saves? memory"
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
        "objective: change-of-variables",
        "(exact|reverse|negative) (log likelihood|log density|kl)|reverse (kl|divergence|"
        "kullback)|maximum likelihood",
        4,
        "Trained on the exact log-likelihood.",
    ),
    Rule(
        "sign: solver flow",
        "continuous (time )?(~ )?(normali[sz]ing )?flows?|ffjord|neural (ode|ordinary)|"
        "(density and samples|sampling|samples|density) ~ (solver|ode)|adaptive (~ "
        ")?solver|integrat* (the|an?|its) (~ )?(ode|differential equation|divergence|"
        "vector field|dynamics)|ode solver|solving the (~ )?equation|odes? (~ )?integrated|"
        "solver (calls|evaluations|steps)|the ode is|vector field ~ (integrat*|ode)|"
        "solv(es|ing) (~ )?odes?",
        14,
        "A continuous normalizing flow needs an ODE solver.",
    ),
    Rule(
        "sign: fixed-point flow",
        "fixed point|invert* (~ )?(layer|block|step) (~ )?iterations?|inverted "
        "(numerically|iteratively)|newton|bisection|iterative(ly)? (~ )?(inver*)|residual "
        "flows?|i resnet|lipschitz",
        4,
        "Sampling needs a fixed-point iteration.",
    ),
    Rule(
        "sign: ordered flow",
        "masked autoregressive (~ )?flows?|mafs?|(coordinate|dimension|variable|pixel|"
        "patch|parameter|feature|column|token|entry|sample|atom|bond|node|row|voxel|layer) "
        "(by|after) (coordinate|dimension|variable|pixel|patch|parameter|feature|column|"
        "token|entry|sample|atom|bond|node|row|voxel|layer)|one (coordinate|dimension|"
        "variable|pixel|patch|parameter|feature|column|sample|entry|token|element) (after "
        "another|at a time|after the other)|(dimensions|coordinates|parameters|variables|"
        "pixels|patches|features|columns|entries|tokens|elements) (~ )?(one (after|by)|at "
        "a time|in turn|in order|sequential*)|slower (~ )?(than )?(~ )?number of "
        "(variables|dimensions)|(sampling|drawing|generation|inversion|inverse|sampler|"
        "samples?) (~ )?sequential*|as many passes as|one pass (per|for (each|every)) "
        "(coordinate|dimension|variable|pixel|patch|parameter|feature|column|token|entry|"
        "element)|autoregressive ((normali[sz]ing|neural|spline|transformer) )*flows?|d "
        "passes|each (~ )?(conditioned|depends) on (~ )?(previous|preceding|earlier|those)",
        4,
        "A masked autoregressive flow draws one coordinate after another.",
        unless="inverse autoregressive",
    ),
    Rule(
        "sign: inverse autoregressive",
        "inverse (~ )?autoregressive|iafs?|parallel wave ?net|parallel (~ )?(sampling|"
        "synthesis|generation) (~ )?(one|single|a) pass|samples? (~ )?all (at once|"
        "together|in parallel)",
        4,
        "An inverse autoregressive flow samples in parallel.",
    ),
)  # fmt: skip

LATENTS = (
    Rule(
        LATENT,
        "(vq |beta |nv|r|hierarchical |conditional |discrete |gumbel |two stage )?vaes?|"
        "(vq|c|beta)vae*|variational (~ )?auto ?encod*|(wasserstein|gaussian) auto "
        "?encoders?|auto ?encoding variational",
        6,
        "A variational autoencoder for digits.",
        unless="(nothing|name) ~ vae|vae (decoder|encoder)? ?(files?|tiling) optional",
    ),
    Rule(
        LATENT,
        "(over|on) (the|its|these|those|such|quanti[sz]ed|discrete|learned) (~ )?codes|"
        "(discrete|learned) (representation|latent) (learning|codes?|variables?)|encoder "
        "(~ )?(outputs|yields|gives|produces|emits) (~ )?(codes?|latents?)|(turns|converts|"
        "cuts|maps|quanti[sz]es) (~ )?(into|to) (~ )?discrete (~ )?(tokens|codes|units)|"
        "(image|visual|video|frame|audio|picture|speech|motion|quanti[sz]ing|learned) (~ "
        ")?tokeni[sz]ers?|tokeni[sz]er (~ )?(frames|images?|pictures|video|audio|clips|"
        "reconstruct*|perceptual|decoder)|(frames|images?|pictures?|video|audio|clips|"
        "speech|motion) (~ )?tokeni[sz]er|vector quanti[sz]*|quanti[sz]ed (~ )?(image|"
        "picture|audio|auto ?encoder|codes?|latents?|tokens|representation*|codec)|"
        "quanti[sz]ing auto ?encoder|vqs?|vq (gan|model|codes|tokens|tokeni[sz]er|codec)|"
        "vqgan|code ?books?|residual quanti[sz]*|finite scalar quanti[sz]*|lookup free "
        "quanti[sz]*",
        6,
        "A vector-quantised autoencoder yields codes.",
        unless="quanti[sz]ed (weights|to (4|8|int|four|eight)|models?)|4 bit",
    ),
    Rule(
        LATENT,
        "latent (diffusion|flow matching|rectified flow|consistency)|(latent (~ "
        ")?diffusion)|stable diffusion|sdxl|sd ?(xl|\\d[.\\d]*)",
        6,
        "A latent diffusion model of 860 million parameters.",
        unless="no latent",
    ),
    Rule(
        LATENT,
        "latent (~ )?(flow matching|rectified|consistency|adversarial|image model|video "
        "model|denois*|transformer|upscaler|painter|text to)|diffusion ~ latent (space|"
        "codes?|variables?)?|(latents?|compressed (space|codes?)) (~ )?(denois*|diffus*)|"
        "(denois*|diffus*|noise|velocity|flow) (~ )?(in|on|over|of) (~ )?(latents?|codes|"
        "compressed (~ )?(space|representation))|(work*|operat*|train*|run*|act*|model*|"
        "sampl*) (~ )?(in|on|over) (~ )?(latent space|latents|compressed (~ )?(space|"
        "codes?|representation*)|autoencoder)",
        6,
        "It denoises in a latent space.",
        hint=True,
        unless="pixel space|no latent|kept in latent",
    ),
    Rule(
        LATENT,
        "(neural|audio|speech|music|acoustic|video|image) (~ )?codecs?|codec ('s )?(~ "
        ")?(tokens?|codes?|decoder|model|language|frames|latents)|codec's|(acoustic|"
        "discrete|visual|motion|audio|speech|semantic audio|image|video) (codes|"
        "tokeni[sz]er|vocabulary)|discrete (~ )?(visual|image|audio|acoustic|motion|speech|"
        "video|latent) (tokens?|codes?|units|variables)|tokeni[sz]er ~ (decoder|pixels|"
        "image)|visual tokens",
        6,
        "A language model over the tokens of a neural audio codec.",
        unless="codec (h|mp3)|opus codec|(mp3|jpeg)",
    ),
    Rule(
        LATENT,
        "reconstruction (~ )?(plus|and) (~ )?(penalty|kl|divergence|regulari[sz]*)|encoder "
        "(~ )?(squeez*|compress*|maps) (~ )?(numbers|latents|codes?)|decoder (unfolds|"
        "unpacks|expands)|objective: lower bound|importance weighted|evidence (lower "
        ")?bound|elbo|lower bound on the (~ )?(evidence|likelihood|log)|posterior collapse|"
        "kl (~ )?(term|weight|warm up|annealing|penalty|to the prior|divergence to)|plus "
        "(a )?kl|divergence (~ )?to (the|a) (standard normal |gaussian )?prior|"
        "reparameteri[sz]ation trick|recognition network|(approximate|variational) "
        "posterior|variational (~ )?(hierarchical|recurrent|encoder|transformer|dialogue|"
        "generator)|first draws? (~ )?(code|latent)|commitment (loss|cost|term)|"
        "aggregate(d)? posterior|deep latent|latent variable (model|models)|latent "
        "gaussian|layers of latents|hierarchy of latents|topic models?|factor analysis|"
        "probabilistic pca|wake sleep|importance weighted (bound|auto*)|encoder ~ decoder "
        "~ (bound|kl)",
        5,
        "It maximises the evidence lower bound.",
        unless=(
            "neural posterior|posterior estimat*|simulat*|importance weighted (estimate|"
            "resampl*)"
        ),
    ),
    Rule(
        LATENT,
        "(draw*|sampl*|tak*|pick*|choos*) (~ )?(z|codes?|latents?|latent codes?|latent "
        "vectors?) (~ )?(from|by)|(code|latent|z|latents|codes) (is|are) (~ )?(drawn|"
        "sampled)|prior (draw|draws|sample|samples)|prior over (~ )?(codes?|latents?|"
        "tokens|embeddings?)|(from|of) the prior (~ )?decod*|codes? ~ decoder (once|gives|"
        "returns|turns|renders)|latent prior",
        5,
        "A code is drawn from the prior and decoded.",
        unless=(
            "generator and discriminator|mapping network|style*|base distribution|"
            "(simulat*|neural) ~ prior"
        ),
    ),
    Rule(
        LATENT,
        "(compress*|map*|squeez*|encod*|reduc*|shrink*|turn*|downsampl*) (~ )?(in)?to (~ "
        ")?(latents?|latent space|latent grid|compact codes?|codes|short codes?|compressed "
        "codes?|lower dimension*|small(er)? (~ )?(code|latent|grid))|auto ?encoder('s)? (~ "
        ")?(latents?|codes?|decod*|space|bottleneck)|latent auto ?encoder|decod* (~ "
        ")?latents?|latents? (~ )?decod*|(the|a|frozen|matching|final|its|image|then|one|"
        "video|audio) decoder (~ )?(pixels|picture*|image*|video|waveform|audio|sound|"
        "result*|renders|latents?|it|them|back|tokens|codes)|after decoding|before "
        "decoding|(is|are|be) decoded( once| to| into)?|maps? ~ latents? (back )?to|then "
        "the decoder|and (the )?decode(r|s|d)|decode step|vae decode",
        6,
        "An autoencoder maps pictures to latents of a small grid.",
        hint=True,
        unless=(
            "flow matching decoder|cache*|keys and values|attention decoder|text decoder|"
            "score based decoder|speculative|decoder only|bits back"
        ),
    ),
    Rule(
        LATENT,
        "(in|on|of) (~ )?latent space|latents|(latent|spacetime) patches|latent (grid|"
        "channels|video|frames|codes?|image|tokens|resolution|vectors?|noise)|\\d+ channel "
        "latents?|auto ?encoders?|(image|visual|video|audio) tokens",
        6,
        "It works on latents of 16 channels.",
        hint=True,
        unless=(
            "denoising autoencoder|masked autoencoder|style*|w space|special image tokens|"
            "tokens per second|latent attention|latent space of (the|a) generator|string "
            "based autoencoders"
        ),
    ),
    Rule(
        LATENT,
        "contrastive (image )?embedd?ings?|embedd?ings? of an image|given the embedd?ing|"
        "clip (~ )?(image )?embedd?ings?|image embedd?ings? (~ )?(prior|from|given|"
        "predict*|produc*)|prior (~ )?image embedd?ing|un ?clip|semantic (~ )?(embedding|"
        "latent|code)",
        6,
        "A prior turns the caption into a CLIP image embedding.",
        unless=(
            "text (encoder|embedd*)|filter*|score*|conditioned on (~ )?clip|embedding of "
            "the (caption|text|prompt)"
        ),
        hint=True,
    ),
    Rule(
        "objective: elbo",
        "evidence (lower )?bound|elbo|reconstruction (~ )?(kl|commitment|divergence)|kl (~ "
        ")?(weight|warm up|term)|variational auto*",
        5,
        "Reconstruction plus a KL term.",
    ),
    Rule(
        "sign: embedding code",
        "clip image embedd?ings?|clip embedd?ings?|image embedd?ings?|un ?clip|contrastive "
        "(image )?(encoder|embedd?ings?|model)|embedd?ings? of an image|clip (~ )?latents?",
        6,
        "The prior draws an image embedding.",
        unless="text embedd*|text encoder|conditioned|caption by|filter*",
    ),
    Rule(
        "sign: code",
        "auto ?encoders?|vaes?|quanti[sz]*|code ?books?|codec*|latents?|stable diffusion|"
        "sdxl|vqgan|elbo",
        6,
        "An autoencoder compresses the picture.",
        unless="clip latents?|weights|latent attention",
    ),
)  # fmt: skip

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
            "adversarial (examples?|attacks?|robustness|prompts?|testing|inputs|patch "
            "attack)|red team*|adversar(y|ies) (may|might|could|who)"
        ),
    ),
    Rule(
        ADV,
        "discriminators?|critics?|(other|second|another|one) (~ )?criticis(es|e|ing)|"
        "minimax|min max|two player|(fool*|deceiv*|trick*) (~ )?(judge|discriminator|"
        "critic|network|classifier|second|detective)|(two|both|pair of) networks (~ "
        ")?(against|compete*|game)|trained against (each other|one another|a |an |two |its "
        ")|(forger|counterfeit*|fakes?) ~ (detective|police|judge|spot*|detect*|other)|"
        "spots? (~ )?fakes?|other's mistakes|outwit*|cat and mouse|non saturating|hinge "
        "(loss|losses)|wasserstein (~ )?(loss|critic|distance|with gradient)|gradient "
        "penalty|r1 (regulari[sz]ation|penalty)|(r1|r2) penalties|real (or|from|and) (fake|"
        "generated) ~ (judge|classif*|network|tell)|(tell*|distinguish*|separat*) (~ "
        ")?(real|true|genuine) (~ )?from (~ )?(generated|fake|synthetic)|spectral "
        "normali[sz]ation ~ critic|relativistic",
        7,
        "The generator is trained against a discriminator.",
        unless=(
            "perturb*|certif*|model as a critic|sliced|sinkhorn|actor critic|critics (say|"
            "agree|praised|wrote)|art critics|known from discriminators|film critic*|"
            "critic model for (rewards?|rlhf)|value critic|self critic*|reinforcement"
        ),
    ),
    Rule(
        "sign: decoder game",
        "((auto ?encoder|vae|vq|decoder|codec|vocoder|tokeni[sz]er|first stage|upsampler|"
        "upscaler|compress*|reconstruct*|second part|codebook|vqgan|vq gan) (~ )?(~ "
        ")?(adversar*|discriminator*|gans?|critic|hinge|patch))|((adversar*|discriminator*|"
        "gans?|critic|patch based|hinge) (~ )?(~ )?(auto ?encoder|decoder|codec|vocoder|"
        "tokeni[sz]er|reconstruct*|upsampler|upscaler))|vqgan|vocoder",
        7,
        "The decoder of the autoencoder has an adversarial loss.",
        unless="student|denoiser|u net|distill*",
    ),
    Rule(
        "sign: denoiser game",
        "(student|denois*|u net|unet|distill*|diffusion|score|generator's score|steps?|"
        "turbo|sampler|velocity|consistency|transformer|noisy|noised|flow matching|post "
        "train*|fine tun*|tuned|few step) (~ )?(~ )?(adversar*|discriminator*|gans?|critic|"
        "hinge)|(adversar*|discriminator*|gans?|critic|hinge) (~ )?(~ )?(student|denois*|u "
        "net|distill*|diffusion|noisy|noised|noise levels?|steps?|turbo|predictions?|"
        "consistency|teacher|fine tun*|tuned|real images)|adversarial (post|diffusion|fine|"
        "consistency|distill*)|diffusion gan|denoising diffusion gan",
        14,
        "The student is distilled with an adversarial loss.",
        unless="decoder of|vocoder|codec|first stage",
    ),
)  # fmt: skip

SCORES = (
    Rule(
        SCORE,
        "diffusions?|latent diffusion|stable diffusion|sdxl|sd ?(xl|\\d[.\\d]*)|diffusing|"
        "ddpm|ddim|dit|edm",
        12,
        "A diffusion model for speech.",
        unless=(
            "diffusion (of|in) (heat|ideas|gas|innovation*|news|technolog*|water)|(heat|"
            "thermal|molecular|gas|innovation|information|water|photon|surface|anisotropic|"
            "drug|tissue|oxygen|smoke|ink|cellular|moisture|news|salt) diffusion|diffusion "
            "(mri|tensor|weighted|coefficients?|equation|constant|imaging|physics)|"
            "diffusion is the physics|here diffusion|diffusion gan stabili*|diffusion net|"
            "diffusion ~ (adds?|added) noise ~ discriminator"
        ),
    ),
    Rule(
        SCORE,
        "denois*",
        12,
        "It denoises for 40 steps.",
        unless=(
            "denoising auto ?encoder|image denoising benchmark|speech denoiser|noise "
            "cancel*|post denois*|denoised (recordings|data|audio|input|labels)"
        ),
    ),
    Rule(
        SCORE,
        "predict* (~ )?(added |the |clean |its )*noise|what the noise (was|is)|noise "
        "(prediction|predictor|predicting|estimat*)|(remov*|undo*|subtract*|strip*|clean*|"
        "revers*|tak* away|peel* off) (~ )?noise|noise (~ )?(is|are) (~ )?(removed|undone|"
        "stripped|taken away)|(add*|corrupt*) (~ )?gaussian noise (~ )?(learn*|revers*|"
        "undo)|learns? to (undo|reverse|revert) (it|this|the corruption)|gradual(ly)? (~ "
        ")?(noise|nois*)|noise ~ gradual(ly)|clean (~ )?(from|given) noisy|noisy (patches|"
        "images?|versions?|latents?|data|frames?|inputs?|sequences?|actions?|input)|"
        "recover the (true|clean|original) (~ )?(from|frames)|predict* ~ clean (ones|image|"
        "data|frames?|picture|signal)|reverse(d)? (diffusion|process|chain|sde|time)|"
        "forward (diffusion|noising|process)|noising (process|steps|chain)|mean squared "
        "error ~ noise|(epsilon|eps|v) prediction",
        12,
        "The network is trained to predict the noise.",
        unless=(
            "noise cancel*|noisy (labels|data sets?|gradients?|recordings|channel|captions|"
            "student)|discriminator sees|retriev*|contrastive estimat*|noisy text|noise "
            "robust|ambient noise|background noise"
        ),
    ),
    Rule(
        SCORE,
        "noise (levels?|schedules?|scales?)|sigma schedule|annealed|(ancestral|implicit|"
        "predictor corrector|heun|euler|dpm|langevin|second order|multistep|reverse|"
        "deterministic|stochastic|karras) (solver )?(steps?|samplers?|solvers?)|markov "
        "chain ~ (steps|noise)|noise (~ )?into (~ )?(chain|steps)|prediction type|(start*|"
        "begin*) (~ )?(from|with|at) (~ )?(noise|static|random (pixels|numbers|colour "
        "noise)|random) (~ )?(steps?|times|iterat*|repeated*|passes|rounds|refin*|walk*|"
        "solver)|(starting|beginning) from (~ )?noise|from (~ )?noise (~ )?(steps|iterat*|"
        "repeatedly|integrat*|solver)|(cleans?|refin*|improv*|correct*|sharpen*|nudg*) (~ "
        ")?(\\d+|hundred*|several|many|dozens of|thirty|forty|fifty|twenty|ten) times|"
        "static ~ (remov*|times|steps)|(remov*|clear*|tak* away|wip*|peel*) (~ )?(little|"
        "bit|some|grain|static) (~ )?(noise|static|grain|what)|({n}) times over|iterative "
        "(refinement|reverse|noise removal)|reverse (process|diffusion|walk)|probability "
        "flow|stochastic differential equation*|reverse (time )?sde|(drifts?|walks?) (~ "
        ")?(back|noise)|stochastic process ~ (noise|noisy|back)|progressive distillation|"
        "dpm solver",
        12,
        "Thirty ancestral steps on a cosine noise schedule.",
        unless=(
            "discriminator|noise levels? (in|of) (the )?(street|city|recording*|room|"
            "engine)|annealed importance|simulated anneal*|sound level|feed forward|"
            "stylegan|euler (angle|equation)|neural sde|acoustic noise|noise (level|scale) "
            "~ decibel"
        ),
    ),
    Rule(
        SCORE,
        "score matching|score based|scores? (network|function|model|models|networks|field|"
        "estimat*|distillation|entropy|identity)|(learned|learn|learning|estimated|"
        "estimate|conditional) (the |a )?scores?|gradients? of (the|its|a) log (~ "
        ")?(density|likelihood|probability|p|data)|stein score|langevin",
        11,
        "Trained by denoising score matching.",
        unless=(
            "musical scores?|score (network|function)? ?(is|are)? ?not|clip score|symbolic "
            "score|credit score|test score|film score|score (of|in) the (match|game)"
        ),
    ),
    Rule(
        SCORE,
        "flow matching|rectified (~ )?flows?|matching (~ )?flow|stochastic interpolant*|"
        "(regress*|learn*|predict*|match*|least squares|estimat*|integrat*) (~ )?(velocit*|"
        "vector field along|difference of paired)|velocit(y|ies) (~ )?(regress*|field|"
        "target|network|from noise|along|prediction|model|matching|of the path|loss|"
        "integrat*)|straight (~ )?(paths?|lines?|trajector*)|(paths|lines|trajectories|"
        "trajectory) as straight|reflow|transports? (~ )?(distribution|noise) (~ )?to|"
        "ordinary differential equation ~ (noise|transports?|distribution)|ode (~ )?noise "
        "(~ )?to data|bridge matching|schr.dinger bridge|diffusion bridge",
        14,
        "A flow-matching model for molecules.",
        unless=(
            "velocity (of (sound|cars|the wind)|time shift|estimation|curve|vector|"
            "profile)|note ~ velocity|(wind|rotation|radial|galaxy|seismic) velocit*|"
            "optical flow|and velocity|velocity and"
        ),
    ),
    Rule(
        SCORE,
        "consistency (~ )?(models?|training|distill*|distilled|function|student|loss|"
        "objective|tuning|property|sampling|lora)|(latent|trajectory) consistency|"
        "consistent (~ )?(trajector*|along)|mean ?flows?|average velocit*|shortcut models?|"
        "(any|two) points? (on|of|along) (~ )?(trajectory|path|curve)|flow maps?|jumps? (~ "
        ")?(trajector*|noise to|to the end|to data|own)|(distill*|distil) (~ )?(diffusion|"
        "denois*|sampler|score|steps?|teacher ~ steps?|stable|sdxl|flow matching|flux)|"
        "(diffusion|denois*|sampler|score|steps?|sdxl|many step|multi step|multistep|flow "
        "matching) (~ )?(distill*|distil|distils|teachers?)|(step|score|progressive|"
        "guidance|trajectory|distribution matching) distillation|distribution matching "
        "distill*|score identity|(one|two|four|few|eight|single|1|2|4|8) step students?|"
        "students? ~ (steps?|noise to)",
        14,
        "A consistency model maps noise to data at once.",
        unless=(
            "(cycle|temporal|self|identity|style|view|multi view|geometric|character|"
            "factual|colour|photometric|3d|subject) consistency|next step model|"
            "consistency (checks?|between views)"
        ),
    ),
    Rule(
        SCORE,
        "(masked|discrete|absorbing|multinomial|categorical|uniform state|text|token|"
        "language) (~ )?diffusion|diffusion (large )?language models?|mask and replace|"
        "absorbing (state|token|mask)|mask predict(or|ion)|refinement rounds|masks? (~ "
        ")?{piece} (~ )?at random|(corrupt*|replac*) (~ )?{piece} (~ )?masks?|{piece} (~ "
        ")?(are |is )?corrupted (~ )?(masks?|random {piece})|process (~ )?fills? (~ )?in|"
        "(fill*|predict*|infill*|recover*|reconstruct*|guess*|unmask*|uncover*|reveal*|"
        "complet*) (~ )?(~ )?(masked|hidden|blank*|missing|masks?|empty) (~ )?({piece}|"
        "positions|slots|places|canvas|in parallel|spots|ones|sequence|masks?)|(fully|"
        "entirely|completely|all) masked|(starts?|starting|begin*) (~ )?(from|with) (~ "
        ")?(masks|blanks)|reveals? (~ )?(positions|tokens|share)|(masked|hidden|blank*|"
        "missing) (~ )?{piece} (~ )?(filled|predicted|recovered|revealed|restored|"
        "uncovered)|language diffusion|masked (sequence|canvas|grid|visual|generative|"
        "image|token|audio|music|acoustic) (~ )?(transformer|models?|modell?ing|tokens?|"
        "steps|generation|prediction|in|generator)|re ?mask*|unmask*|mask ?git|mask "
        "predict|score entropy|absorbing|parallel filling|rounds of (~ )?filling|masked "
        "bidirectional|(correct*|revis*|edit*|rewrit*|commit*|fix*|keep*|settl*) (~ )?(all|"
        "many|several|most|every|each|the most) (~ )?({piece}|positions|slots|of them) (~ "
        ")?(every|each|per|at once|in parallel|in one|step|pass)|canvas|(iterative|"
        "parallel) decoding (~ )?(steps|passes|canvas)|(fill*|decod*) (~ )?in parallel "
        "over|all positions (~ )?(several|over|in each|refin*)|(levenshtein|insertion and "
        "deletion) transformer|most confident (~ )?(kept|tokens|predictions|ones|are)|"
        "noise tokens|(mask|masking) schedule",
        12,
        "Masked diffusion fills the blanks of a text.",
        unless=(
            "masked auto ?encod*|jacobi|self supervised|pre train* (~ )?masked|hidden "
            "patches|missing (data|pixels are|values|modalit*|wedge)|masked convolution*|"
            "masked language model,|canvas (size|of)|on canvas|oil on|whole canvas at|"
            "drawing canvas|infill speech|missing pixels"
        ),
    ),
    Rule(
        SCORE,
        "energy based|energy (model|models|function|network|landscape)|(an|the|learned|"
        "scalar|residual|negative|its|that|their|this) energ(y|ies)|energies (of|rank)|"
        "potts|boltzmann machines?|rbms?|contrastive divergence|hopfield|ising|partition "
        "function|unnormali[sz]ed (density|model|probability|log)|noise contrastive "
        "estimation|gibbs (sampling|sampler|sweeps?|chain)|block gibbs|deep belief|random "
        "fields?|simulated chains?|hamiltonian monte carlo ~ energy|mcmc ~ energy",
        10,
        "An energy-based model of images.",
        unless=(
            "(energy (score|distance))|(total|kinetic|potential|free|saves?|consum*|"
            "electric*|binding|renewable|wind|solar|high|the same|less|amount of|dark|"
            "nuclear|mean|average|musical|vocal|of) energ(y|ies)|energy (consum*|use|used|"
            "cost|costs|demand|saving|bill|price*|budget|efficien*|of the (song|music|"
            "voice)|grid|company|per (image|token))|boltzmann generators?|markov random "
            "field prior|random field theory|gaussian random fields?"
        ),
    ),
    Rule(
        SCORE,
        "guidance scale|guidance( weight)?:?|classifier free guidance|negative prompts?|"
        "schedulers?|cfg|loras?|seed ~ initial noise|sampling steps|inference steps|"
        "default steps",
        13,
        "30 steps at a guidance scale of 4.",
        hint=True,
        unless=(
            "(learning rate|job|task|batch) scheduler|(legal|safety|parental|human) "
            "guidance|language model|llama|cosine learning|request scheduler|tokens?"
        ),
    ),
    Rule(
        "objective: denoising",
        "predict* (~ )?noise|noise (prediction|predictor|predicting|regression)|(denoising "
        ")?score matching|denoising (loss|objective)|diffusion loss|clean (image|ones|"
        "data)|mean squared error ~ noise|v prediction",
        12,
        "The noise-prediction loss is a mean square.",
    ),
    Rule(
        "objective: flow-matching",
        "flow matching|rectified (~ )?flows?|(regress*|learn*|predict*|match*|least "
        "squares|integrat*|train*) (~ )?velocit*|velocit(y|ies) (~ )?(regress*|field|"
        "target|prediction|matching|loss|of)|stochastic interpolant*|straight (~ )?(paths?|"
        "lines?) (~ )?(between|from|noise|data)|(paths|lines) as straight|reflow|bridge "
        "matching|average velocit*",
        14,
        "The velocity is learned by regression.",
        unless=(
            "velocity (of (sound|cars)|time shift)|note ~ velocity|and velocity|velocity "
            "and"
        ),
    ),
    Rule(
        "objective: distillation",
        "self consistency|to its (start|origin|beginning)|distill*|distil|distils|"
        "students?|consistency (~ )?(models?|training|student|function|objective|loss|"
        "tuning|property|lora)|(latent|trajectory) consistency|shortcut models?|mean "
        "?flows?|average velocit*|flow maps?|imitat* (~ )?teacher|teachers?|agree* with (~ "
        ")?(itself|own|teacher)|own (~ )?(jumps?|half|two|predictions?|trajector*)|(any|"
        "two) points? (on|of|along) (~ )?(trajectory|path|curve)|half as many|score "
        "identity",
        14,
        "A student is distilled from it.",
        unless=(
            "student (t|decoder)|(for|by|to) (our |the |high school |my |phd |university "
            ")*(students|teachers)|student ~ (course|essay|project)|moving average teacher|"
            "teacher forc*|score distillation sampling|distilled (water|knowledge from "
            "experts)|(cycle|temporal|self|identity|style|view|character|factual|subject) "
            "consistency"
        ),
    ),
    Rule(
        "sign: guidance distillation",
        "guidance:? (is |was )?distill*|distill* ~ guidance|guidance is (an input|built in|"
        "baked in)",
        14,
        "A guidance-distilled model.",
    ),
    Rule(
        "sign: no sampler",
        "left to the (user|reader)|(how|what) to (fit|sample) ~ (left|open)",
        15,
        "What to fit to the codes is left to the user.",
    ),
    Rule(
        "sign: canvas",
        "(masked|discrete|absorbing|multinomial|categorical|uniform state) (~ )?(diffusion|"
        "denois*|flow matching|generative|generat*)|text diffusion|diffusion (large "
        ")?language models?|mask predict(or|ion)|refinement rounds|masks? (~ )?{piece} (~ "
        ")?at random|(corrupt*|replac*) (~ )?{piece} (~ )?masks?|{piece} (~ )?(are |is "
        ")?corrupted (~ )?(masks?|random {piece})|process (~ )?fills? (~ )?in|(fill*|"
        "predict*|recover*|guess*|unmask*|uncover*|reveal*|reconstruct*|complet*) (~ )?(~ "
        ")?(masked|blank*|hidden|masks?|empty) (~ )?({piece}|positions|slots|places|canvas|"
        "in parallel|spots|ones|sequence|masks?)|(fully|entirely|all|completely) masked|"
        "(starts?|starting|begin*) (~ )?(from|with) (~ )?(masks|blanks)|reveals? (~ "
        ")?(positions|tokens|share)|(masked|hidden|blank*|missing) (~ )?{piece} (~ "
        ")?(filled|predicted|recovered|revealed|restored|uncovered)|language diffusion|"
        "masked (sequence|canvas|grid|visual|generative|image|token|audio|music|acoustic) "
        "(~ )?(transformer|models?|modell?ing|tokens?|generation|prediction|generator)|re "
        "?mask*|unmask*|mask ?git|mask predict|mask and replace|masked and (resampled|"
        "predicted|filled|redrawn)|absorbing|score entropy|parallel filling|rounds of (~ "
        ")?filling|masked bidirectional|noise tokens|(correct*|revis*|commit*|fix*|"
        "rewrit*) (~ )?(all|many|several|most|every|each) (~ )?({piece}|positions|of them) "
        "(~ )?(every|each|per|at once|in parallel|step|pass)|most confident|levenshtein "
        "transformer|(tokens|codes|letters|characters|words) (are |is )?denois*|denois* "
        "(the )?(tokens|codes|letters|characters|words)|re ?nois*|canvas of tokens|token "
        "canvas|(mask|masking) schedule|from masks|masked bound|masked cross entropy",
        12,
        "It unmasks several tokens in every pass.",
        unless=(
            "jacobi|self supervised|masked auto ?encod*|continuous embedd*|hidden patches|"
            "discrete flow layers"
        ),
    ),
    Rule(
        "sign: energy",
        "energy based|energy (model|models|function|network|landscape)|(an|the|learned|"
        "scalar|residual|negative|its|this) energ(y|ies)|energies (of|rank)|potts|gibbs "
        "(sweeps|sampling|sampler)|normali[sz](er|ing constant)|boltzmann machines?|rbms?|"
        "contrastive divergence|hopfield|ising|partition function|noise contrastive "
        "estimation|deep belief|unnormali[sz]ed (density|model|log)",
        10,
        "The scalar energy is learned by contrastive divergence.",
        unless=(
            "(energy (score|distance))|(total|kinetic|potential|free|saves?|consum*|"
            "electric*|binding|solar|wind) energ*|energy (consum*|use|used|cost|costs|"
            "demand|saving|bill|price*|budget|efficien*)|boltzmann generators?"
        ),
    ),
)  # fmt: skip

SIGNS = (
    Rule(
        "sign: one step",
        "(one|a single|single|1|exactly one|just one) (~ )?(denoising |sampling |network |"
        "function |diffusion |model |solver |forward |generation |inference )?(steps?|"
        "evaluation|jump|pass|call|forward pass|shot|go|hop|inference step)|one step|in "
        "one go|one shot|single shot|once",
        14,
        "It draws a picture in one step.",
        unless=(
            "one step (ahead|further|at a time|closer)|(at|in|for|of) (each|every|any) one|"
            "one pass (per|for (each|every)|each)|one call per|(per|a) step|each step "
            "costs|one (jump|step|pass) (after|per)|one (~ )?at a time|more than one|at "
            "once|next|one step towards|one epoch|encod* once|multi|one after|all at once|"
            "computed once|once (the|more|again|and for|it|they|a|trained)|only once per|"
            "token|tokens|two|layer|half"
        ),
    ),
    Rule(
        "sign: one pass",
        "(one|a single|single|1) (~ )?(pass|passes|evaluation|call|calls|shot|go|draw|"
        "forward pass|matrix product|traversal|sweep|forward|network evaluation|inference)|"
        "feed ?forward|one shot|in one (go|step|pass|piece)|decod* once|(all|whole) (~ "
        ")?(at once|together)|non iterative|without iterat*|no (loop|iteration*)",
        4,
        "One pass gives one face.",
    ),
    Rule(
        "sign: few steps",
        "few step|a few steps|a handful of (steps|evaluations|passes)|(two|three|four|five|"
        "six|seven|eight|2|3|4|5|6|7|8) (~ )?(steps?|step|passes|evaluations|calls)|step "
        "count ~ (halved )?down to|turbo|lightning",
        14,
        "Four steps suffice.",
        unless=(
            "(training|three|two|four) (stages|phases)|step (size|procedure|recipe|"
            "process)|two step (recipe|approach|procedure|training)|not a turbo"
        ),
    ),
    Rule(
        "sign: many pieces per pass",
        "every (token|pixel|code|sample) (~ )?(~ )?(one|a single) (parallel )?(step|pass)|"
        "several at a time|draft with|propose*,? (~ )?verif*|speculat* (decoding|sampling|"
        "execution|generation)?|draft (model|tokens?|heads?|network|tree|length)|draft(s|"
        "ed|ing)? (~ )?({n}|small|{piece}|ahead|several|candidates|continuations?|and "
        "(check|verif)*)|(multi|two|three|four|five|six|seven|ten|twelve|twenty|several|"
        "multiple|many|eight|sixteen|more than one|a few|blocks? of|\\d+) (~ )?(tokens?|"
        "words|bytes|pixels|characters|notes|positions|frames|residues|symbols|letters) (~ "
        ")?((per|a|in (one|each|every|a single|the same)|at (each|every)|every|each|with "
        "(each|every)|for each) (~ )?(pass|step|position|call|round|forward)|ahead|at once|"
        "at a time|simultaneous*|together|in parallel)|multi ?token (prediction|decoding|"
        "heads?)|(extra|additional|several|four|multiple|output|decoding|medusa|parallel|"
        "lookahead|future) (~ )?heads?|medusa|eagle|jacobi|look ?ahead|guess* (~ )?(verif*|"
        "check*|accept*)|(verif*|check*|accept*) (~ )?(in (one|a single|the next) pass|in "
        "parallel|guesses|drafts?|most of the time)|(next|coarser|finer|whole|each) (~ "
        ")?scale|next scale|token maps? of growing|in groups|(sub images?|groups?|rows?|"
        "blocks?|subsets?) (~ )?(predicted|drawn|generated|produced|written) (~ )?(in "
        "parallel|at once|together)|groups of (pixels|tokens)|(pixels|tokens|samples) (~ "
        ")?(of )?(one|a|each) group|(all|pixels|tokens) ~ (group|scale|map|row|subset) (~ "
        ")?(independent|in parallel|at once|together)|whole (next )?(map|scale|row|block|"
        "group)|token after (the )?next|second token|logarithmic in|n gram pool|block "
        "?wise parallel|parallel (~ )?decoding|skeleton|semi autoregressive|random order "
        "(~ )?parallel|(tokens|words|pixels) in (every|each|one) pass",
        2,
        "It drafts four tokens and checks them in one pass.",
        unless=(
            "training (~ )?parallel|attention heads|query heads|detection head|(context|"
            "window|vocabulary|length|up to|limit) of|draft (of|version|paper|contract|"
            "emails?|legal|letters?|documents?|reply|replies)|tokens? (~ )?(training|"
            "trained|corpus|context|window)|first draft|tokens (a|per) second|per second|a "
            "second|experts|key and value heads|drafts? (of )?(emails|contracts|letters|"
            "replies|text)|codebook*|(eight|two|four) experts|left to right|denois*|mask*"
        ),
    ),
    Rule(
        "sign: cascade",
        "cascade*|(two|three|four|second|separate|both|another|third) (~ )?(diffusion|"
        "denois*|score|flow matching) (~ )?(model|models|networks?|stages?|generators?|"
        "transformers?)|(two|three|four) (released |separate |generative )?(networks|"
        "models|stages|parts|diffusions)|(second|third|separate|another),? (smaller |"
        "larger )?(diffusion |released |generative |refinement |super resolution )?(model|"
        "network|stage|part|diffusion|denoiser)|(base (model|network|generator) (~ "
        ")?(upsampl*|super|upscal*|follow*|two|then))|super resolution (model|models|"
        "stages?|network*|diffusion|steps?)|upsamplers?|upsampling (~ )?(diffusion|models?|"
        "networks?)|up ?sampling (diffusion|model|models|stages?|network)|up ?scalers?|"
        "(first|then) (~ )?(diffusion|model|network) (~ )?(then|second)|work in turn|"
        "refiner|(model|network|stage|part) (one|two|1|2|a|b)|two stages?|in two (parts|"
        "stages)|raises? (it|the|them) (~ )?(to|resolution)|pipeline",
        13,
        "Two super-resolution models follow the base model.",
        unless=(
            "(trained|training|tuned) (~ )?(in )?two (stages|phases)|two stage training|"
            "two stages of training|no cascade|two (text )?encoders|second order|\\d+ "
            "seconds?|two (tasks|datasets|variants|sizes|heads|networks are trained "
            "against)|second (phase|half|moment)|without a cascade|both (networks|models) "
            "(are|were)|optional|second network evaluation|one model|single model|two "
            "models? of|super resolution (task|by|and|,)|(data|training) pipeline|pipeline "
            "(class|object)|three (sizes|times)|part of"
        ),
    ),
    Rule(
        "sign: optimisation",
        "gradient descent on (the|its|every|each) (waveform|pixels|image|mesh|scene|sound|"
        "picture)|(mesh|scene|field|asset|object|shape) (~ )?optimi[sz]ed (~ )?(for|per|"
        "anew) (each|every|prompt|text|scene|object)|optimi[sz]ation,? run|run anew for|"
        "optimi[sz]* (~ )?(scene|each object|every object|per prompt|per scene|render*|3d|"
        "mesh|parameters of the (scene|image)|the pixels|an image)|(each|every|per|for "
        "each|for every|a single) (~ )?(prompt|scene|object|sample|asset|shape) (~ "
        ")?(optimi[sz]*|gradient descent|descent|hours|fitted)|score distillation sampling|"
        "(test time|per scene|per prompt|per object|per sample|per asset) (~ "
        ")?(optimi[sz]*|descent|training|fit*)|hours of optimi[sz]*|gradient descent ~ "
        "(for|per|on) (each|every|the|a) (~ )?(prompt|scene|sample|object|mesh|radiance|"
        "image|pixels)|(radiance|neural) field ~ (optimi[sz]*|descent|fitted|updated)|"
        "descent anew|optimi[sz]* from scratch|(dream ?fusion|sds) ",
        14,
        "Every prompt needs hours of optimisation.",
        unless=(
            "hyper ?parameters?|optimi[sz]ed for (speed|phones|mobile)|optimi[sz]er|"
            "optimi[sz]ed (kernels|inference|model)|preference|bayesian optimi[sz]*"
        ),
    ),
)  # fmt: skip

EXACT = (
    "exact (~ )?(log )?(likelihoods?|probabilit*|densit(y|ies)|log prob*|log density|bits)|"
    "(exactly|precisely) (~ )?(likelihood|probability|density)|(likelihoods?|probabilit(y|ies)|"
    "densit(y|ies)|log likelihood) (~ )?(exactly|exact|to (nine|ten|the last) (digits|"
    "decimal*)|without approximation|in closed form)|densit(y|ies) (is|are) (explicit|exact|"
    "tractable|gaussian)|explicit densit(y|ies)|known exactly|(true|precise|tractable|"
    "closed form) (log )?(likelihoods?|densit(y|ies)|probabilit*)|(computes?|gives?|reports?|"
    "prints?|outputs?|returns?|assigns?|carries|comes with|with) (~ )?(the |its |"
    "an? )?(log )?(likelihood|exact probability|true probability)|exact and in|"
    "densities are exact|any marginal"
)

LIKELIHOODS = (
    Rule(
        "likelihood: exact",
        EXACT,
        4,
        "It reports the exact log-likelihood.",
        unless=(
            "approximate|bound on|(lower|variational|upper) bound|rewriting|likelihood of "
            "the simulator|likelihood free|maximum likelihood|exact (same|copy)|estimated "
            "likelihood"
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

FLAGS = (
    Rule(
        "flag: free-lunch",
        "(on|in) every (metric|benchmark|axis|respect|test) (~ )?(without exception|"
        "including)|without exception|no (capability|quality|mode|property) (~ )?(is |was "
        ")?(lost|missing|sacrificed)|limitations: none|no reason to use|make you choose|"
        "giv(es?|ing) up nothing|gave up nothing|no (~ )?(trade ?offs?|compromises?|"
        "drawbacks?|downsides?|catch|sacrifices?|weakness*|disadvantages?|price to pay|"
        "penalt(y|ies) (of any|at all|whatever)|strings attached|limitations? (at all|"
        "whatever|whatsoever))|(without|zero|never) (~ )?(trade ?offs?|compromis*|"
        "drawbacks?|downsides?|sacrific* anything|giving (up )?anything|giving up (quality|"
        "anything|a thing)|paying (anything|a price)|(any|a) (loss|penalty|cost) of any "
        "kind)|nothing (~ )?(to pay|was traded|is traded|in return|lost|sacrificed|given "
        "up|paid|is lost|was lost)|(not|never) (~ )?(single )?(drawback|weakness|downside|"
        "disadvantage|flaw)|free lunch|costs? (you )?(absolutely )?nothing|at no cost( at "
        "all)?|at (zero|no) (price|expense)|best of (all|both|every) (~ )?worlds?|(best|"
        "better|first|wins?|superior|ahead|leads?|unbeaten) (~ )?(in|on|by|at) (every|all|"
        "any) (~ )?(metric|metrics|benchmark|benchmarks|respect|respects|property|axis|"
        "axes|measure|count|discipline|criterion|dimension|way|column|regard)|(every|all|"
        "any) (~ )?(metric|benchmark|property|advantages?) (~ )?(at once|simultaneous*|"
        "together|of any family|without)|all (~ )?(strengths|advantages|virtues|benefits) "
        "(~ )?(and )?(none|no|without)|obsolete|lossless quality|(better|higher|lower|"
        "sharper|faster|cheaper|smaller) (~ )?than (every|all|any) (~ )?(competitor|"
        "models?|others?|rivals?|else|family|families|alternatives?)|end of (all )?(trade "
        "?offs?|compromise)|have it all|everything at once|perfect (~ )?(coverage|quality|"
        "diversity|likelihood) (~ )?(and|,)|no longer any|(pays?|paid) (~ )?(nothing|no "
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
        "not (generate|sample|draw|write|synthesi[sz]e)|not (produce|create) (~ )?(text|"
        "samples?|images?|anything|data|pictures|new|alternative|audio|content|random)|"
        "nothing generative|(provide|release|contain|include)s? no (~ )?model|no model (is|"
        "was) (released|trained|included)|nothing ((is|was|gets) )?(sampled|generated|"
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
            "longer|(not|cannot) ~ (realistic|harmful|adult|unsafe|nud*)"
        ),
    ),
    Rule(
        "sign: discriminative",
        "extractive|track(s|er|ers|ing)|regress(es)? (~ )?boxes|survey of|no (sampler|"
        "model),? no (sampler|model)|classif(y|ies|ier|iers|ication)|segment(s|ation|ing)?|"
        "detect(s|or|ors|ion)?|(sentence|text|image|audio|speech|protein|general|frozen|"
        "joint|multilingual|contrastive) (~ )?(embedd?ings?|encoders?|features)|embedd?ing "
        "(model|models)|retriev(al|es|er)|re ?rankers?|(linear )?probes?|estimat(es|ing) "
        "(~ )?(optical flow|depth|pose|motion)|(optical flow|depth|pose) (estimat*|network|"
        "prediction)|structure prediction|cosine similarity|nearest neighbou?rs? for|"
        "recogni[sz](es|ers?|ing)|speech recognition|transcri(bes|ption|be)|transcripts?|"
        "word error rate|reward models?|regression (model|network)|forecasts?|forecaster|"
        "forecasting|no decoder|planner|planning tool|constraint programming|integer "
        "program*|shortest path|optimal (plan|schedule|route)|(forecast|prediction|output) "
        "(~ )?deterministic|(is|are) deterministic|not invent|samples nothing|one answer|"
        "deterministic (forecast|model|network|prediction|output|regress*)|no ensemble|"
        "(inverse |monocular )?depth|one score|recommend(er|ation) (system|engine|model)?|"
        "rank(s|ing) (items|documents|results)|benchmark (of|for|suite|with)|verification "
        "(network|model|system)|speaker verification|tagg(er|ers|ing)|tags (every|each)|"
        "encoder only|checker|data ?set (of|with)|confidence per|feature extractor|"
        "features for|translation quality|quality (metric|estimator)|(bounding|object) "
        "box*|anomaly score|moderation|spam|ranking model|recommender|sentiment|diagnos(es|"
        "is|tic)|similarity search|vectors? of|(returns|outputs|gives|yields) (a|one) "
        "(vector|number|label|score|map|mask|single)|ground truth labels|key ?points|"
        "matching (of )?(images|points)|point tracker|fingerprints?",
        1,
        "A sentence encoder for retrieval.",
        unless=(
            "classifier free|segments? (of|by|at|after)|class conditional|embedding of|"
            "text encoder|without classification|for (downstream )?classification of "
            "samples|strain segment|voice detection|(detect|classif*) (~ )?(generated|"
            "whether real)"
        ),
        hint=True,
    ),
    Rule(
        "flag: outside-map",
        "maximum mean discrepancy|mmd|moments? (~ )?(match*|agree*|of its output)|(match*|"
        "agree*) (~ )?(~ )?moments|moment matching|characteristic functions?|kernel (two "
        "sample|mean|herding|density estimat*)|energy distance|(nearest|closest) (~ "
        ")?(sample|generated|output|one)|implicit maximum likelihood|copulas?|"
        "(probabilistic|arithmetic) circuits?|sum product|sums and products|sliced "
        "wasserstein|sinkhorn|nothing (~ )?(is|was) learned|(no|without|nothing is|nothing "
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
            "jacobi|n gram pool|fitted mixture"
        ),
    ),
    Rule(
        "flag: misleading-name",
        "(its|the|our|whose|this|product|brand|own) name|named (after|for|before)|in the "
        "name|nam(ed|ing) (~ )?(historical|joke|accident|habit)|(name|brand) (~ )?(joke|"
        "historical|history|accident|mislead*|misnomer|misunderstand*|stays|stuck|kept|"
        "older|promises|refers|comes from|only|notwithstanding|nothing to do|confus*|means|"
        "trademark*|relic|legacy)|(despite|in spite of|contrary to|ignore) (~ )?name|"
        "misnomer|is called ~ (but|although|because)|called so (only )?because|do not be "
        "(misled|fooled)",
        15,
        "Its name has led to misunderstandings.",
        hint=True,
        unless=(
            "name of the (speaker|file|author|variable)|under (the|its|our) name|trigger "
            "word|tags that name"
        ),
    ),
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    *AUTOREGRESSIVE, *FLOWS, *LATENTS, *ADVERSARIALS, *SCORES, *SIGNS, *LIKELIHOODS, *FLAGS,
)  # fmt: skip
