"""Step 2 of the procedure: properties of the sampler that the map needs to go on.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

SIGNS = (
    Rule(
        "sign: language",
        "language models?|language modell?ing|llms?|next (token|word|byte|character|"
        "residue|event|note|symbol)|decoder only|gpt|writes text|"
        "cross entropy",
        2,
        "A language model writes the prompt.",
        unless=(
            "masked language|diffusion language|(masked|hidden) (tokens|positions|pieces)|cross "
            "entropy (~ )?(masked|hidden)|masked token|masked cross|binary cross|causal (~ "
            ")?diffusion|vision language|causal vae"
        ),
    ),
    Rule(
        "sign: no softmax",
        "(no|without|instead of|in place of|replac* ~) (an? |the )?(softmax|cross entropy)|cross "
        "entropy (~ "
        ")?gone|(tokens|pieces) are continuous|place of the softmax",
        14,
        "The tokens are continuous; there is no softmax.",
    ),
    Rule(
        "sign: side by side",  # both draw, each its own pieces
        "(unif*|unite*|combin*|blend*|mix*|merg*|marr*|integrat*|join*|bring*|fus(e|es|ing)|"
        "coupl*|pair*) (~ )?(autoregressi*|next token|language modell?ing) (~ )?(and|with|plus|"
        "alongside) (~ )?(diffus*|denois*|flow matching|rectified flow*)|(unif*|unite*|"
        "combin*|blend*|mix*|merg*|marr*|integrat*|join*|bring*|fus(e|es|ing)) (~ )?(diffus*|"
        "flow matching|rectified flow*) (~ )?(and|with|plus|into|in) (~ )?(autoregressi*|language "
        "modell?ing|(large )?language models?)|(autoregressi*|next token prediction) (~ )?for (~ "
        ")?(text|language|words|understanding|discrete)|(discrete|text) (~ )?and continuous (~ "
        ")?tokens|hybrid tokeni[sz]ers?",
        14,
        "One transformer unifies autoregressive and diffusion modelling.",
        unless="order agnostic|any order|absorbing",
    ),
    Rule(
        "sign: side by side",
        "discrete (data|modalit*|inputs|ones) && continuous (data|modalit*|inputs|ones)",
        14,
        "It handles discrete data such as text and continuous data such as audio.",
    ),
    Rule(
        "sign: flow per step",  # an autoregressive network that draws each piece from a flow
        "(each|every) (time ?)?(step|frame|piece) (~ )?(normali[sz]ing |conditional )?flows?|"
        "flows? (~ )?"
        "(models?|draws?|represents?|describes?|gives|generates?|outputs?) (~ )?(next|each|every) "
        "(time ?)?(step|frame|observation|vector|state|day)|flows? (~ )?(conditioned|conditional) "
        "on (~ )?"
        "(hidden|recurrent|its|rnn|lstm|transformer|past|history) (~ )?states?|(flow|coupling) "
        "(output )?"
        "heads?|(auto ?regressive|recurrent) (~ )?(network|transformer|model|lstm|rnn) (~ )?(with|"
        "and) (~ "
        ")?normali[sz]ing flows?",
        4,
        "At each time step a normalizing flow represents the data.",
        unless="coordinate|dimension|masked autoregressive",
    ),
    Rule(
        "sign: latent per step",  # a code is drawn and decoded anew for every piece
        "variational (~ )?(recurrent|rnn|lstm|gru)|s?vrnns?|(recurrent|auto ?regressive|"
        "sequential) (~ "
        ")?(variational auto ?encoder|c?vae)|(variational auto ?encod*|c?vaes?) (~ )?(recurren*|"
        "next (pose|frame|state|observation))|(each|every) (time ?)?(step|frame) (~ )?latents? (~ "
        ")?"
        "(is |are )?(drawn|sampled)|latents? (~ )?(is |are )?(drawn|sampled) (~ )?(at|for) (each|"
        "every) "
        "(time ?)?(step|frame)|recurrent state space|rssm|stochastic (recurrent|video)",
        5,
        "A variational recurrent network predicts the frames.",
        unless="quanti[sz]*|code ?books?|vq*",
    ),
    Rule(
        "sign: discrete pieces",
        "discrete (~ )?(tokens?|codes|ar|autoregressi*|indices|symbols|units)|code ?books?|text "
        "tokens|vector quanti[sz]*|vocabular*",
        6,
        "The big picture is in discrete tokens.",
    ),
    Rule(
        "sign: token head",  # its loss takes the place of a softmax
        "next token diffusion|per token (diffusion|flow matching)|(diffusion|denoising|flow "
        "matching|flow) (~ )?heads?|heads? (~ )?(denoises|diffuses)|(diffusion|flow matching) loss "
        "(~ )?(each|every|per|the|its) (~ )?(token|patch|vector|latent)",
        14,
        "A diffusion head on the language model draws each latent.",
    ),
    Rule(
        "sign: blockwise",
        "(frame|block|chunk) by (~ )?(frame|block|chunk)|(blocks?|chunks?|frames?|segments?) (~ "
        ")?(autoregressive*|follow one another|before it|in turn)|(frames?|blocks?|chunks?|"
        "segments?|seconds|rows?|shots?|clips?|patches|pieces|"
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
        "denois* (~ )?given (the |all )?(previous|earlier|preceding|last|{n}|frames|blocks|ones)|"
        "inside (the|a|each|every) (block|chunk|frame|segment|window)|diffusion (loss|head|mlp)|"
        "per (token|frame|patch|step|piece) (~ )?(diffusion|"
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
        unless="fixed point (procedure|theor*|arithmetic|weights|numbers?|representations?|"
            "precision|quanti*)",
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
        "element)|(each|every|one) (~ )?(coordinate|dimension|variable|pixel|feature|entry|"
        "output) (~ "
        ")?(needs|depends (only )?on|requires|given|conditioned on|waits for) (~ )?(before|"
        "previous|"
        "earlier|preceding)|as many (~ )?(passes|steps|evaluations|calls) as (~ )?(dimensions|"
        "variables|coordinates|pixels)|(runs|goes|proceeds|works) (one by one|sequential*|in "
        "sequence|serially)|autoregressive ((normali[sz]ing|neural|spline|"
        "transformer) )*flows?|(d|n|t|k|many|"
        "several|{n}) (sequential )?(passes|steps|evaluations) to (draw|sample|generate|invert)|"
        "sequential (passes|evaluations|inversion)|d "
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
    Rule(
        "sign: latent variables",  # what is inferred of each object, where only a bound is named
        "latent variables?|(amorti[sz]ed|variational) inference",
        5,
        "The uncertainty of the latent variables is modelled.",
        unless="no latent|posterior estimat*|simulat*",
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
        "sdxl|vqgans?|elbo",
        6,
        "An autoencoder compresses the picture.",
        unless="clip latents?|weights|latent attention",
    ),
    Rule(
        "sign: decoder game",
        "((auto ?encoder|vae|vq|decoder|codec|vocoder|tokeni[sz]er|first stage|upsampler|"
        "upscaler|compress*|reconstruct*|second part|codebook|vqgans?|vq gans?) (~ )?(~ "
        ")?(adversar*|discriminator*|gans?|critic|hinge|patch))|((adversar*|discriminator*|"
        "gans?|critic|patch based|hinge) (~ )?(~ )?(auto ?encoder|decoder|codec|vocoder|"
        "tokeni[sz]er|reconstruct*|upsampler|upscaler))|vqgans?|vocoder",
        7,
        "The decoder of the autoencoder has an adversarial loss.",
        unless="student|denoiser|u net|distill*",
    ),
    Rule(
        "sign: denoiser game",
        "(student|denois*|(u net|unet)(?! (style |based |shaped |like )?discriminator)|distill*|"
        "diffusion|score|generator's score|steps?|"
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
    Rule(
        "sign: guidance distillation",
        "guidance:? (is |was )?distill*|distill* ~ guidance|guidance is (an input|built in|"
        "baked in)",
        14,
        "A guidance-distilled model.",
    ),
    Rule(
        "sign: both regressions",
        "(diffusion|score based|score matching|denoising) (models? |modell?ing |sdes? |processes )?"
        "(and|or|as well as|plus|alongside|/) (by |with |through )?(conditional |rectified |latent "
        "|"
        "optimal transport )*flow matching|(conditional )?flow matching (models? )?(and|or|as well "
        "as|plus|alongside|/) (by |with |through )?(score based |conditional )*(diffusion|score "
        "matching|denoising)",
        14,
        "Rows are drawn by score-based diffusion and conditional flow matching.",
        unless="unif*|generali[sz]*|special cases?|such as|like|between|relation*|recent*|success*",
    ),
    Rule(
        "sign: undistilled",
        "undistilled|un distilled|non distilled|(is|was|are|has|been) not (been )?(~ )?distilled|"
        "not a distilled|before (any )?distillation|without (any )?distillation|(base|full|"
        "original),? (undistilled|non distilled)",
        14,
        "The samples come from the undistilled base model.",
    ),
    Rule(
        "sign: cascade",
        "(mean|picture|image|estimate*|forecast|output|field|signal|spectrogram) (~ )?by (a )?"
        "regression|(regression|predictive|deterministic|discriminative|regressor|initial|coarse) "
        "(~ "
        ")?(model|network|unet|u net|part|stage|approach|predictor|estimate|prediction) && "
        "(diffusion|denois*|generative|flow matching|score) (~ )?(residual*|corrects?|refines?|"
        "regenerat*|follows?|removes|takes over|on top)|stochastic regeneration|(mean|estimate) "
        "(~ )?(regression|predictive) (model|network)|guides? the diffusion (that|which) follows",
        13,
        "A regression model gives the mean, and diffusion models the residual.",
    ),
    Rule(
        "sign: smaller student",  # it has fewer weights, and as many steps
        "(distill*|distil) (~ )?(smaller|compact|lighter|tiny|pruned|slimmer|half the "
        "(size|parameters))|(\\d+%|half|times|x) smaller|(layers|blocks|channels) (~ )?(~ "
        ")?(removed|pruned|dropped|cut)|(prun*|remov*) (~ )?(layers|blocks|channels)|knowledge "
        "distill*|(smaller|compact|lightweight|pruned|compressed|tiny|small) students?|feature "
        "(level )?distill*",
        14,
        "A compact student, 40% smaller, with layers of the U-Net removed.",
    ),
    Rule(
        "sign: no sampler",
        "left to the (user|reader)|(how|what) to (fit|sample) ~ (left|open)",
        15,
        "What to fit to the codes is left to the user.",
    ),
    Rule(
        "sign: canvas",
        "iterative (~ )?(non autoregressive|parallel|masked) (sampling|decoding|generation|"
        "filling|refinement)|(non autoregressive|parallel) iterative|mask tokens? loss|"
        "[(](discrete|masked)[)] (denoising )?diffusion|(masked|discrete|absorbing|multinomial|"
        "categorical|"
        "uniform state) (~ )?(diffusion|"
        "denois*|flow matching)|masked (?!(regions?|areas?|parts?|pixels|"
        "portions?)\\b)(~ )?generat*|"
        "text diffusion|diffusion (large "
        ")?(language models?|llms?)|mask (state|symbol)|absorb* (~ )?masks?|mask predict(or|ion)|"
        "refinement rounds|masks? (~ )?{piece} (~ "
        ")?at random|(corrupt*|replac*) (~ )?{piece} (~ )?masks?|{piece} (~ )?(are |is "
        ")?corrupted (~ )?(masks?|random {piece})|process (~ )?fills? (~ )?in|(fill*|"
        "predict*|recover*|guess*|unmask*|uncover*|reveal*|reconstruct*|complet*) (~ )?(~ "
        ")?(masked|blank*|hidden|masks?|empty) (~ )?({piece}|positions|slots|places|canvas|"
        "in parallel|spots|ones|sequence|masks?)|(fully|entirely|all|completely) masked|"
        "(starts?|starting|begin*) (~ )?(from|with) (~ )?(masks|blanks)|reveals? (~ "
        ")?(positions|tokens|share)|(masked|hidden|blank*|missing) (~ )?{piece} (~ "
        ")?(filled|predicted|recovered|revealed|restored|uncovered)|language diffusion|"
        "mask(ed)? (sequence|canvas|grid|visual|generative|image|token|audio|music|acoustic) "
        "(~ )?(transformer|models?|modell?ing|tokens?|generation|prediction|generator)|re "
        "?mask*|unmask*(?! (~ )?(regions?|areas?|parts?|pixels|background|portions?|faces?))|"
        "mask ?git|(bidirectional )?masked (bidirectional )?transformers?|mask "
        "predict|mask and replace|masked and (resampled|"
        "predicted|filled|redrawn)|absorbing|score entropy|parallel filling|rounds of (~ "
        ")?filling|masked bidirectional|noise tokens|(correct*|revis*|commit*|fix*|"
        "rewrit*) (~ )?(all|many|several|most|every|each) (~ )?({piece}|positions|of them) "
        "(~ )?(every|each|per|at once|in parallel|step|pass)|most confident|levenshtein "
        "transformer|(tokens|codes|letters|characters|words) (are |is )?denois*|denois* "
        "(the )?(tokens|codes|letters|characters|words)|canvas of tokens|token "
        "canvas|masked canvas|masked ones|refinement (passes|iterations)|cross entropy (~ )?"
        "(masked|hidden) (ones|{piece}|positions|places|entries)|(loss|likelihood|cross entropy) "
        "(on|over|of|at) (only )?(the )?(masked|hidden)|(mask|masking) schedule|from masks|"
        "masked bound|masked cross entropy",
        12,
        "It unmasks several tokens in every pass.",
        unless=(
            "jacobi|self supervised|masked auto ?encod*|continuous embedd*|hidden patches|"
            "discrete flow layers|after re nois*"
        ),
    ),
    Rule(
        "sign: energy",
        "nce|deep energy|log ?sum ?exp of the logits|joint energy|persistent contrastive|"
        "products? of experts|"
        "energy based|ebms?|energy (model|models|function|network|landscape)|(an|the|learned|"
        "scalar|residual|negative|its|this) energ(y|ies)"
        "(?= (of|is|are|that|which|whose|to|by|over|at|with|from|for|as|in|on|and|per|between|"
        "through|when|so|it|function|model|net|network|surface|gap|gradient|landscape|low|term)|"
        "[,.;:)]|$)|energies (of|rank)|potts|gibbs "
        "(sweeps|sampling|sampler)|normali[sz](er|ing constant)|boltzmann machines?|rbms?|"
        "contrastive divergence|hopfield|ising|partition function|noise contrastive "
        "estimation|deep belief|unnormali[sz]ed (density|model|log)",
        10,
        "The scalar energy is learned by contrastive divergence.",
        unless=(
            "calorimeter*|gev|mev|kev|showers?|incident|energy (is|are) (back|high|low)|energy "
            "(up|down)|(energy (score|distance))|(total|"
            "kinetic|potential|"
            "free|saves?|consum*|electric*|binding|solar|wind) energ*|energy (consum*|use|used|"
            "cost|costs|"
            "demand|saving|bill|price*|budget|efficien*)|boltzmann generators?"
        ),
    ),
    Rule(
        "sign: one step",
        "(?<!denoise )(?<!denoises )(a single|single|1|exactly one|just one|one(?! "
        "(samples?|needs|takes|requires|costs|uses|is|has|must|may|might|can|would|should|wants|"
        "runs|"
        "trains|starts|makes|gets|of (those|these|them|many))\\b)) (~ )?(denoising |sampling "
        "|network |"
        "function |diffusion |model |solver |forward |generation |inference )?(steps?|"
        "evaluation|jump|pass|call|forward pass|shot|go|hop|inference step)|in "
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
            "process)|two step (recipe|approach|procedure|training)|lightning (fast|quick|speed|"
            "bolt|strikes?|ai|talk|trainer|module|network)|(pytorch|torch|with|of|like|white) "
            "lightning|turbo ?charg*|training step|(steps?|updates|"
            "iterations) "
            "(per|at each) (noise )?(level|scale)|forward passes "
            "instead|not a turbo"
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
        "heads?)|(?<!as )(extra|additional|several|four|multiple|output|decoding|medusa|parallel|"
        "lookahead|future) (~ )?heads?|medusa|eagle|jacobi|look ?ahead|guess* (~ )?(verif*|"
        "check*|accept*)|(verif*|check*|accept*) (~ )?(in (one|a single|the next) pass|in "
        "parallel|guesses|drafts?|most of the time)|(next|coarser|finer|whole|each) (~ "
        ")?scale|next scale|token maps? of growing|in(to)? groups|group(s|ed|ing)? (~ )?"
        "(codes?|tokens?|codebooks?)|grouped (code|token) modell?ing|(sub images?|groups?|rows?|"
        "blocks?|subsets?) (~ )?(predicted|drawn|generated|produced|written) (~ )?(in "
        "parallel|at once|together)|groups of (~ )?(pixels|tokens|patches|codes)|(pixels|tokens|"
        "samples) (~ "
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
            "trained|corpus|context|window)|first draft|(compress*|encod*|reads?|shrinks?) (~ "
            ")?at a time|tokens (a|per) second|per second|a "
            "second|experts|key and value heads|drafts? (of )?(emails|contracts|letters|"
            "replies|text)|(eight|two|four) experts|left to right|denois*|mask*|(control|"
            "environment|training|gradient|optimi[sz]er) steps?"
        ),
    ),
    Rule(
        "sign: cascade",
        "cascade*(?! (~ )?(attention|blocks?|layers?|decoder|fusion|transformer|encoder))|"
        "diffusion (model )?(~ )?(and|then|followed by|with) (~ )?reconstruct(ion|"
        "or) (model|network|"
        "transformer)s?|(two|three|four|second|third|separate|(both|another)(?!,)) (?!(stages?|"
        "steps?|phases|"
        "times|ways|years)\\b)(~ )?(diffusion|"
        "denois*|score|flow matching) (~ )?(model|models|networks?|stages?|generators?|"
        "transformers?)|(two|three|four) (released |separate |generative )?(networks|"
        "models|stages|parts|diffusions)|(second|third|separate|another),? (smaller |"
        "larger )?(diffusion |released |generative |refinement |super resolution )?(model|"
        "network|stage|part|diffusion|denoiser)|(base (model|network|generator) (~ "
        ")?(upsampl*|super|upscal*|follow*|two|then))|super resolution (model|models|"
        "stages?|network*|diffusion|steps?)|upsamplers?|upsampling (~ )?(diffusion|models?|"
        "networks?)|up ?sampling (diffusion|model|models|stages?|network)|up ?scalers?|"
        "(first|then) (~ )?(diffusion|model|network) (~ )?(then|second)|work in turn|"
        "hierarchical (diffusion|diffusers?|denois*|flow matching)|hierarch(y|"
        "ies) of (~ )?(diffus*|"
        "denois*|flow matching|score based)|(low|lower|high|higher|upper|top|"
        "coarse|fine) (level|scale) (~ )?(diffusion|denois*|flow matching|score) (~ )?(models?|"
        "planners?|polic(y|ies)|networks?|stages?|diffusers?)|"
        "refiner|(model|network|stage|part)[ ](1|2|b)(?![.,]?\\d)(?! (billion|million))|"
        "two stages?|in two (parts|"
        "stages|steps(?=:))|raises? (it|the|them) (~ )?(to|resolution)|(two|three|2|3|multi) (step|"
        "stage|part) pipeline|(generation|generative|synthesis|sampling|inference) pipeline|"
        "pipeline of|"
        "^(the |our )?pipeline:?$",
        13,
        "Two super-resolution models follow the base model.",
        unless=(
            "stages? (curriculum|recipe|training|schedule|distillation)|(trained|training|"
            "tuned) (~ "
            ")?(in )?two (stages|phases)|two stage training|"
            "two stages of training|no cascade|two (text )?encoders|second order|\\d+ "
            "seconds?|two (tasks|datasets|variants|sizes|heads|networks are trained "
            "against)|second (phase|half|moment)|without a cascade|both (networks|models) "
            "(are|were)|optional|second network evaluation|(teach*|train*) (~ )?second network|"
            "one model|single model|two "
            "models? of|super resolution (task|by|and|,)|super.resolution,|(data|training) "
            "pipeline|pipeline "
            "(class|object)|three (sizes|times)|part of|another (~ )?to (train|load|"
            "maintain|tune|store|fit|run|host)|(initiali[sz]ed|initiali[sz]ation|"
            "initiali[sz]ing|starting|fine tuned|finetuned|warm started|adapted|derived|merged|"
            "distilled) (~ )?(from|with) (~ )?(two|three|four|both)|(two|three|four) (~ "
            ")?(variants|checkpoints|sizes|versions|backbones|baselines|flavou?rs|teachers|"
            "benchmarks)|(applied|apply|applies|added|tested|evaluated|validated|demonstrated|"
            "works|shown) (~ )?(to|on|with|for|in) (two|three|four|both)"
        ),
    ),
    Rule(
        "sign: cascade",
        "(coarse|sparse|rough|low resolution|high level) (~ )?(planner|model|network|generator|"
        "stage|"
        "diffusion|denoiser|polic(y|ies))s? && (fine|finer|dense|detailed|high resolution|"
        "low level) (~ "
        ")?(planner|model|network|generator|stage|diffusion|denoiser|polic(y|ies))s?",
        13,
        "A coarse planner denoises the waypoints, a fine planner the motion between them.",
        unless="coarse to fine|a single (model|network)|one (model|network)|same (model|network)",
    ),
    Rule(
        "sign: cascade",
        "(discriminative|regression|deterministic|predictive) (~ )?(network|model|stage|"
        "predictor) && "
        "(then|followed by|afterwards|before|second) (~ )?(diffusion|score based|flow matching|"
        "generative|denoising) (~ )?(model|network|stage|refiner)",
        13,
        "A discriminative network comes first, then a diffusion model for the detail.",
        unless="than|unlike|outperform*|compared",
    ),
    Rule(
        "sign: cascade",
        "(first|second|third|final|last) (stage|step|phase) (~ )?(~ )?(turns|generates|predicts|"
        "draws|synthesi[sz]es|maps|converts|samples|creates|produces|denoises|lifts|upsamples|"
        "refines|paints|renders)",
        13,
        "In the second stage a transformer turns the points into a mesh.",
        unless="train*|fine tun*|learn*|curriculum|data",
    ),
    Rule(
        "sign: canvas",
        "(generat*|model*|synthesi*|sampl*) (~ )?discrete (data|sequences|structures|objects|"
        "symbols)|"
        "discrete data (~ )?(~ )?generat* && diffus*|flow*|denois*|paths?|corrupt*",
        12,
        "A flow paradigm for the generation of discrete data.",
        unless="continuous|real (numbers|bits)|analog|embedd*|simplex|autoregressive|"
            "language models?",
    ),
    Rule(
        "sign: two losses",  # a diffusion and a flow matching, each in a part of its own
        "(an?|one|the|frozen|small|base|pre ?trained|first) (~ )?diffusion (model|network|prior|"
        "stage|"
        "planner|policy|decoder|upsampler)s? && (an?|the|our|introduc*|insert*|then|second|"
        "another) (~ "
        ")?(flow matching|rectified flow*)",
        14,
        "A small diffusion model draws the layout, and a flow matching model the details.",
        unless="flow matching (based )?(latent )?diffusion|diffusion (~ )?(with|by|using|via|"
            "through) (~ )?flow matching|outperform*|than|unlike|compared|"
            "trained (with|by|using) (~ )?flow "
            "matching|distill*|teacher|flow matching (loss|objective)",
    ),
    Rule(
        "sign: two losses",
        "(score (based|matching)|diffusion|ddpm|noise prediction|(vp|ve)( sde)?|denois*) (~ "
        ")?(or|as well as|alongside) (~ )?(flow matching|rectified flow*)|(flow matching|rectified "
        "flow*) (~ )?(~ )?(or|as well as|alongside) (~ )?(score (based|matching)|diffusion|ddpm|"
        "noise "
        "prediction|vp|ve|denois*)|(with|using|via|both|either) (~ )?(score based|diffusion|"
        "denois*) (~ "
        ")?(and|or) (~ )?(flow matching|rectified flow*)",
        14,
        "The objective is flow matching or score matching, as you like.",
        unless="than|unlike|compared|most|popular|recent|such as|whether|and/or",
    ),
    Rule(
        "sign: optimisation",
        "(pixels|image|picture|waveform|points) (themselves )?(is|are) (~ )?(optimi[sz]ed|"
        "updated) (~ )?(by|with|until|so)|l bfgs|gradient descent on (the|its|every|each) "
        "(waveform|pixels|image|mesh|scene|sound|"
        "picture)|(mesh|scene|field|asset|object|shape) (~ )?optimi[sz]ed (~ )?(for|per|"
        "anew) (each|every|prompt|text|scene|object)|optimi[sz]ation,? run|run anew for|"
        "optimi[sz]* (?!on )(~ )?(scene|each object|every object|per prompt|per scene|render*|3d|"
        "(?<!on the )mesh|parameters of the (scene|image)|the pixels|an image)|(each|every|per|for "
        "each|for every|a single) (~ )?(prompt|scene|object|sample|asset|shape) (~ "
        ")?(optimi[sz]*|gradient descent|descent|hours|fitted)|score distillation sampling|"
        "(per scene|per prompt|per object|per sample|per asset) (~ "
        ")?(optimi[sz]*|descent|training|fit*)|test time (latent |gradient |guided )?(optimi[sz]*|"
        "descent|training|fit*)|(anew|afresh|from scratch) for (each|every) (new |single |given )?"
        "(prompt|scene|image|picture|photo|photograph|sample|object|film|video|clip|shape|caption|"
        "output|drawing|asset|request|result|song|description|sentence|sketch|text|draw|one)|"
        "optimi[sz](e|es|ing) (~ )?(neural )?((neural )?radiance fields?|nerfs?|gaussian splats?|"
        "splats|signed distance fields?|voxel grids?|b.zier curves|strokes) (~ )?(from|so|to|until|"
        "through|via|by|with|using|against|under|guided)|"
        "optimi[sz](e|es|ing) (the |a |an |each |its |this |random |resulting |input |latent )*"
        "(amino acid sequences?|sequences?|image pixels|pixel values|latent codes?|latent vectors?|"
        "curves|strokes|point cloud|molecule|waveform) (~ )?(by|with|via|through|"
        "until|so that|such that|to maximi[sz]e|to minimi[sz]e|under|against|for each|for every)|"
        "(descent|gradient) "
        "(steps|iterations) (~ )?(for|per) (each|every|prompt|object|scene|sample)|hours of "
        "optimi[sz]*|gradient descent ~ "
        "(for|per|on) (each|every|the|a) (~ )?(prompt|scene|sample|object|mesh|radiance|"
        "image|pixels)|(radiance|neural) field ~ (optimi[sz]*|descent|fitted|updated)|"
        "descent anew|optimi[sz]* from scratch|(dream ?fusion|sds) ",
        14,
        "Every prompt needs hours of optimisation.",
        unless=(
            "hyper ?parameters?|optimi[sz]ed for (speed|phones|mobile)|optimi[sz]er|"
            "optimi[sz]ed (kernels|inference|model)|preference|training more|training set|"
            "bayesian optimi[sz]*"
        ),
    ),
    Rule(
        "sign: canvas",
        "(guess*|restor*|recover*|predict*|infer*) (~ )?(behind|under) (~ )?(masks?|blanks?)|"
        "(restor*|recover*|fill*|guess*) (~ )?{piece} (~ )?(hidden|masked|covered)|{piece} (~ "
        ")?(hidden|masked|covered) at random|mask(s|ing|ed)? (a |some )?(random|varying|"
        "changing) (share|fraction|part|subset|number)|(row|grid|page|line|sheet) of (masks|"
        "blanks)|(all|every) {piece} (start|begin)s? (~ )?(hidden|masked|blank)|(most|least) "
        "(certain|confident|sure) (~ )?(guess*|predict*|{piece}|last|first|fixed|kept|ones|"
        "{piece} (are|is))|masked (again|out|anew|afresh|back)( and|,| then) (re*|predicted|"
        "filled)|"
        "masked again|(partly|partially|randomly) (hidden|masked) and "
        "(predicted|restored|recovered|guessed)|blank (sheet|score|canvas|sequence)|(erase|hide|"
        "blank|mask)s? (~ )?(share|fraction|part) (~ )?again|{piece} (~ )?(are|is) (~ )?(hidden|"
        "masked) and (predicted|restored|guessed|recovered)|random subset of (the )?{piece}|"
        "masked (model|network|decoder|stage|generator)s? (~ )?(fill|complet|predict|infill)s?|"
        "(fraction|share|subset|portion|part) of (the |all )?{piece} (~ )?(is|are) (~ )?(masked|"
        "hidden|replaced)|{piece} (are |is )?(~ )?(start|begin)s? as masks?|mask tokens|masked "
        "token (loss|cross entropy|prediction)|(types?|"
        "categor*|symbols?|labels?|entries|tokens) (~ )?(change|flip|jump|mutate)s? (~ )?at "
        "random|(predict*|names?|guess*|recover*|restor*|reconstruct*|infer*) (~ )?(original|true|"
        "clean|correct|uncorrupted|undamaged) (types?|categor*|symbols?|entries|graph|labels|"
        "tokens?|"
        "words?|characters?|letters?|bytes?|codes?|residues?|nucleotides?|bases|amino acids?|"
        "indices|notes)",
        12,
        "All codes start hidden.",
        unless="auto ?encod*|masked language model|jacobi|self supervised|draft*|speculat*",
    ),
    Rule(
        "sign: blockwise",
        "(feeds?|feeding|fed|passes|passed) (~ )?(result|output|prediction|forecast|frame|day|"
        "state|vector|sample|value|draw) (~ )?back|(result|output|prediction|forecast|frame|day|"
        "state|vector|sample|value|draw|it) (is|are) (then )?fed back|fed back (to|into|as|and)",
        14,
        "The frame is fed back to go on.",
        unless="feedback|gradient|human|cache",
    ),
    Rule(
        "sign: inner loop",
        "(produces?|generates?|draws?|predicts?|makes?) the next (~ )?(frame|block|chunk|clip|"
        "segment|state|vector) (~ )?(by|through|with) (~ )?(denois*|diffusion|remov*|refin*)|"
        "diffusion model (~ )?the next (~ )?(frame|block|vector|state|day)",
        14,
        "It produces the next frame by denoising it.",
    ),
    Rule(
        "sign: many pieces per pass",
        "(each|every) group (~ )?in parallel|(whole|entire|one|full) codebook (per|in (each|"
        "every|one)|at (a time|once))|(tree|candidate) attention|(tree|trees) of (~ "
        ")?(candidates|continuations|guesses)|heads? (~ )?(ahead|further|future)|further (~ "
        ")?(position|ahead)|future (tokens?|positions?)|"
        "(types?|writes?|runs?|guess*|proposes?|thinks?) ahead (~ )?{piece}|accepts? (~ )?(those|"
        "the ones|guesses|proposals)|all (~ )?{piece} (~ )?(out of|in|from) (one|a single|the "
        "same) (step|pass)|(predicts?|draws?|generates?|writes?) (each|every|the next) (~ )?(map|"
        "scale|row|block|group) (as a whole|at once|in parallel)|all (~ )?(codebooks?|{piece}) "
        "(are |is )?(~ )?(predicted|drawn|emitted|generated) (~ )?(in parallel|at "
        "once|together|in (one|a single|the same) (step|pass))|(several|many|some|two|three|"
        "four) (future|later|coming) (positions|{piece}) (~ )?(together|at once|in parallel)",
        2,
        "A small model types ahead a handful of tokens.",
        unless="denois*|diffusion|mask*|imagin*|dream*|world model",
    ),
    Rule(
        "sign: many pieces per pass",
        "(each|every|one|a|a single|per) (decoding |forward |network |model |generation )?(pass|"
        "step|"
        "call|forward|round|iteration|evaluation) (~ )?(emits?|yields?|gives?|produces?|draws?|"
        "writes?|decides?|outputs?|predicts?|returns?|generates?|decodes?|commits?|fills?|"
        "delivers?|settles?) (~ )?({n}|several|many|multiple|group|groups|block|set|bunch|batch|"
        "row|all|a few|up to|whole|entire) (~ )?({piece}|of {n}|ones|of them|at once)|"
        "({piece}|ones|they|codes) (~ )?(are|is) (emitted|drawn|generated|predicted|produced|"
        "written|decoded|sampled) (~ )?(together|simultaneously|in parallel|in one (pass|step)|at "
        "the same time|jointly)",
        2,
        "Every pass yields a group of 16.",
        unless="denois*|diffusion|mask*|unmask*|reads?|encod*|compress*",
    ),
    Rule(
        "sign: optimisation",
        "(every|each) (~ )?(is|needs|takes) a (new|fresh|separate) (~ )?(descent|optimi[sz]ation)|"
        "(adjusted|optimi[sz]ed|updated|changed) by (~ )?(backpropagat*|gradient descent|"
        "descent) (~ )?through|(gradient|descent) (~ )?with respect to (the|its) (~ )?(pixels|"
        "image|picture|scene|"
        "waveform)|(every|each) (~ )?(picture|image|scene|sample|output|result) is (a new|an) "
        "optimi[sz]ation",
        15,
        "Every picture is a new optimisation.",
    ),
    Rule(
        "sign: optimisation",
        "(gradient descent|gradients?|backpropagat*|descent|adam) (~ )?(through|via|with|from) (~ "
        ")?(renderer|rasteri[sz]er|frozen (~ )?(weights|network|model|predictor)|structure "
        "(predictor|prediction)|oracle|simulator|alphafold*) (~ )?(alters?|moves?|changes?|"
        "adjusts?|"
        "updates?|shapes?|refines?|of|sequence|pixels|curves|strokes)|gradients? (alters?|moves?|"
        "changes?|adjusts?|updates?|shapes?|refines?) (the|its|their|every|each) (~ )?(sequence|"
        "pixels?|strokes?|curves?|points?|shape|positions?|scene|waveform|molecule|design|"
        "coordinates|colou?rs)|(alters?|moves?|changes?|adjusts?|updates?|shapes?|refines?) (the|"
        "its|their|every|each) (~ )?(sequence|pixels?|strokes?|curves?|points?|shape|positions?|"
        "scene|waveform|molecule|design|coordinates|colou?rs) by (gradient|gradients|descent|"
        "backpropagat*)|(synthesis|design|drawing|generation|composition) (by|through|via) (pure |"
        "direct |gradient |iterative )*optimi[sz]ation|hallucinat* by (~ )?(backpropagat*|"
        "gradient*|"
        "descent|monte carlo|optimi[sz]*)|backpropagating (~ )?(error|loss|gradients?) (~ "
        ")?(through|"
        "into|to) (~ )?(frozen|weights of|input|sequence|pixels)|(monte carlo|simulated annealing|"
        "hill climbing|random mutations?|metropolis|evolution*) (~ )?(sampling |search |moves )*"
        "(in|over|of|through) (the |all )?(sequence|design|input|latent|structure) (space|"
        "landscape)|(accept|keep)(s|ed)? (the |a |every |each )?(change|mutation|move|swap|edit) "
        "(only )?(if|when)|change (one|a|single) (~ )?(residue|letter|pixel|position|amino acid),? "
        "(~ )?(predict|score|evaluate|fold) (~ )?again",
        15,
        "Gradients update the sequence through the frozen predictor.",
        unless=(
            "hyper ?parameters?|training set|preference|weights of the (student|policy|generator)|"
            "langevin|energy|bayesian|architecture search|encoder (~ )?(trained|learned) by"
        ),
    ),
    Rule(
        "sign: one pass",
        "(drawn|sampled|generated|made) (~ )?(and )?at once|(runs?|used|called|evaluated|needed) "
        "(only |just )?once (per|for|a) (each |every |an? )?(picture|image|sample|clip|photo|"
        "member|"
        "draw|prompt|molecule|result|output|song|utterance)",
        4,
        "Rows are drawn independently and at once.",
        unless="mask*|token*|codes",
    ),
    Rule(
        "sign: canvas",
        "placeholders?|infill*|corrupted (~ )?(programs?|text|sequences?|tokens) && kept?|keeps?|"
        "restor*|repair*|propos*|sweeps|turns|rounds",
        12,
        "It repairs all placeholders in a few sweeps.",
        unless="discriminator*|auto ?encoder|classif*",
    ),
    Rule(
        "sign: many pieces per pass",
        "({piece}|codebooks?|codes|ones|they|them|which) (~ )?(be|being|are|is|get) (~ )?(emitted|"
        "drawn|"
        "generated|predicted|produced|written|decoded|sampled|filled|finali[sz]ed) (~ )?(together|"
        "simultaneously|concurrently|in parallel|at once|in (one|a single) (shot|go|sweep|step|"
        "pass|"
        "call|evaluation))|(generat|predict|emit|draw|sampl|decod|produc|writ)(es?|s|ing) (~ )?(~ "
        ")?"
        "(tokens|pixels|codes|words|codebooks|patches|notes|bytes|characters) (~ )?(in parallel|"
        "simultaneously|concurrently|in one shot)|parallel(i[sz]ed)? (autoregress*|token "
        "(generation|"
        "prediction)|next token)|(single|one|each|every) (network |model )?(call|pass|evaluation|"
        "step) "
        "(~ )?(confirm|verif|accept|validat|settl)\\w+ (~ )?(many|several|multiple|all|run|block|"
        "{piece}|them)|(emits?|yields?|gives?|predicts?|draws?|produces?) (a|one) {piece} (for|in|"
        "of|"
        "from) (each|every|all) (~ )?(rows?|groups?|blocks?|windows?|codebooks?|streams?|scales?|"
        "columns?|levels?|regions?|sub ?images?)|(rows|columns|blocks|windows|lines|chunks|"
        "sub ?sequences|regions|diagonals) (~ )?(advance|proceed|grow|progress|move) (~ )?"
        "(together|in parallel|at once|simultaneously|concurrently)|(\\d+|{several}) "
        "samples (per|in (each|every|one)|each|every) (step|pass|call)",
        2,
        "A small delay lets the codebooks be predicted in parallel.",
        unless="denois*|diffusion|mask*|unmask*|train* (~ )?parallel|reads?|encod*|compress*|"
        "(control|training|environment|gradient) step",
    ),
    Rule(
        "sign: many pieces per pass",
        "(guess*|draft*|propos*) (~ )?({n}|{piece}|several)|proposals && confirm*|check*|agree*|"
        "accept*|verif*",
        2,
        "Up to eight proposals are checked in a call.",
        unless="denois*|diffusion|mask*|placeholder*",
    ),
    Rule(
        "sign: solver flow",
        "(adaptive )?integrators? (~ )?(needs?|takes?|calls?)|trace estimat*",
        14,
        "The adaptive integrator needs forty evaluations.",
    ),
    Rule(
        "sign: optimisation",
        "(for|per) (each|every|one|a single) (film|scene|shape|image|picture|prompt|object|video|"
        "clip|"
        "signal|drawing|sample|asset) (~ )?(network|field|code|mesh|model|"
        "representation) (~ )?(is |are "
        ")?(fitted|optimi[sz]ed|trained|learned)|follow the gradient of|(each|"
        "every) (~ )?(drawing|picture|image|sample|scene) starts "
        "(anew|from scratch|afresh)",
        15,
        "Each drawing starts anew.",
    ),
    Rule(
        "sign: one pass",
        "one (descent|traversal)|(maps?|turns?|transforms?|pushes|carries) (~ )?(noise|random "
        "(inputs?|numbers|vectors?|draws?)) (~ )?(to|into)|(noise|vector|input|code|draw|it) (is|"
        "are) (then )?(pushed|passed|sent|fed|run|mapped) (just |only )?once (through|to|by)|(a |"
        "one "
        ")?single (interpolation|lookup|product|regression|resampling) (~ )?(for|per|gives|makes) "
        "(each|every|a)|replaced by (~ )?nearest neighbou?rs?|"
        "(new|synthetic) (sample|point|row|record)s? (~ )?(is|are) (put|placed|interpolated|"
        "drawn|taken) "
        "(at|on|between|from)",
        4,
        "A row is drawn by one descent from the root.",
    ),
    Rule(
        "sign: decoder game",
        "discriminator*|adversar*|gans?|critic|hinge && auto ?encoder*|vaes?|codecs?|decoder|"
        "tokeni[sz]er|"
        "vocoder|first stage",
        7,
        "The autoencoder sees, from step 200k on, a discriminator.",
        unless="student|denoiser|u net|distill*|denois*|diffusion transformer",
    ),
    Rule(
        "sign: canvas",
        "continuous time markov chains?|ctmcs?|tau leap*|(diffusion|denois*|flow matching|noising|"
        "corruption) (~ )?(of|over|on|for|in) (~ )?(discrete|categorical) (data|(state )?spaces?|"
        "states?|variables?|sequences|tokens|structures)|(predict*|recover*|restor*) (~ )?(clean|"
        "original|uncorrupted) {piece} (~ )?from (~ )?(corrupted|noisy|noised|perturbed)|"
        "mask and predict|fills? {n} (positions|tokens|slots|places)|random mask(ing)? ratios?|"
        "masked "
        "modell?ing (of|over)|maskgit|magvit(?! ?v?2)|soundstorm|vampnet|muse|d3pm|sedd|mdlm|udlm|"
        "llada|mage|masked (visual|"
        "music|acoustic) modell?ing",
        12,
        "A MaskGIT for music tokens.",
        unless="continuous (diffusion|flow matching|embedd?ings?|relaxation|space|bits)|real "
            "(numbers|bits)|analog|frames? (~ )?from|simplex",
    ),
)  # fmt: skip
