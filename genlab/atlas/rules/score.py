"""Phrases that place a score-based component.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

from .names import SCORE

SCORES = (
    Rule(
        SCORE,
        "diffusions?|(we|it|which|that|to) (instead )?diffuse(s)? (the |whole |over |in |directly |"
        "jointly )*(sequences?|tokens|latents?|pixels|residues|codes|embeddings?|frames|images|"
        "waveforms?|coordinates|atoms|poses|motions?|trajector(y|ies)|graphs?|text|words|"
        "spectrograms?|backbones?)|latent diffusion|stable diffusion|sdxl|sd ?(xl|\\d[.\\d]*)|"
        "diffusing|"
        "ddpm|ddim|dit|edm",
        12,
        "A diffusion model for speech.",
        unless=(
            "diffusion (of|in) (heat|ideas|gas|innovation*|news|technolog*|water)|(heat|"
            "thermal|molecular|gas|innovation|information|water|photon|surface|anisotropic|"
            "drug|tissue|oxygen|smoke|ink|cellular|moisture|news|salt) diffusion|diffusion "
            "(mri|tensor|weighted|coefficients?|equation|constant|imaging|physics)|"
            "diffusion is the physics|here diffusion|(graph|label|feature|personali[sz]ed) "
            "diffusion|"
            "diffusion (layers?|operators?|time) (~ )?(on|across|over|suffices|surface*|mesh*|"
            "graphs?)|"
            "diffusion spreads|diffusion (maps?|distances?|limited|curvature)|diffusion gan "
            "stabili*|diffusion net|"
            "diffusion ~ (adds?|added) noise ~ discriminator|discriminator (is|uses?|based on|"
            "from|with) (~ )?diffusion|diffusion (chain|process) (~ )?(~ )?discriminator"
        ),
    ),
    Rule(
        SCORE,
        "denois*",
        12,
        "It denoises for 40 steps.",
        unless=(
            "denoising auto ?encoder|image denoising benchmark|speech denoiser|noise "
            "cancel*|post (training )?denois*|denois* (~ )?after training|dncnn|bm3d|(also|can|"
            "even|able to|used to|help*|"
            "serve*|help to) denoises? (?!from|noise|step|in|random)|denoisers? (~ )?(trained on|"
            "(from|in) the literature|benefits?|improves?|performs?)|denois* (~ )?(tasks?|"
            "benchmarks?|"
            "baselines?|methods? such)|(deblurring|inpainting|dehazing|colou?ri[sz]ation|super "
            "resolution|"
            "segmentation|compression|interpolation),? ((and|or) )?(\\w+ )?denois*(?! (steps?|"
            "diffusion|score|model|process))|denoising,? ((and|or) )?(\\w+ )?(deblurring|"
            "inpainting|"
            "dehazing|colou?ri[sz]ation|super resolution|compression|segmentation|interpolation|"
            "completion)|denois* (procedure|step|pass|stage) (~ )?(after training|afterwards)|(one|"
            "a|single|final|last|an optional) (final )?denois* (procedure|step|"
            "pass) (~ )?(after|at the end|"
            "applied)|(model|network|it|method) (also )?denoises? (the )?(motions?|recordings?|"
            "photographs?|scans?|signals?|measurements?)[.,]|denois* (~ )?post ?process*|"
            "denoised (recordings|"
            "data|audio|input|labels)|denois(e|ing) strength|mixture of denoisers|"
            "span denois*|denois* (~ )?(span corruption|sequence to sequence|pre ?training "
            "(objective|task) of)|denois* (plug ?ins?|filters?|nodes?|options?|sliders?|"
            "checkbox\\w*|knobs?)"
        ),
    ),
    Rule(
        SCORE,
        "predict* (~ )?(added |the |clean |its )*noise|what the noise (was|is)|noise "
        "(prediction|predictor|predicting|estimat*)|(remov*|undo*|subtract*|strip*|clean*|refin*|"
        "revers*|tak* away|peel* off) (~ )?noise|noise (~ )?(is|are) (~ )?(removed|undone|"
        "stripped|taken away)|(add*|corrupt*) (~ )?gaussian noise (~ )?(learn*|revers*|"
        "undo)|learns? to (undo|reverse|revert) (it|this|the corruption)|gradual(ly)? (~ "
        ")?(noise|nois*)|noise ~ gradual(ly)|(convert|turn|transform|map)\\w* (~ )?noise (~ "
        ")?(in)?to (~ )?(through|by|via|with) (~ )?markov chain|clean (~ )?(from|given) noisy|"
        "noisy (patches|"
        "images?|versions?|latents?|data|frames?|inputs?|sequences?|actions?|input)|"
        "recover the (true|clean|original) (~ )?(from|frames)|predict* ~ clean (ones|image|"
        "data|frames?|picture|signal)|reverse(d)? (diffusion|process|chain|sde|time)|"
        "forward (diffusion|noising|process)|noising (process|steps|chain)|mean squared "
        "error ~ noise|(epsilon|eps|v) (prediction|loss|objective|target|regression)|velocity "
        "parameteri[sz]ation",
        12,
        "The network is trained to predict the noise.",
        unless=(
            "noise cancel*|noisy (labels|data sets?|gradients?|recordings|channel|captions|"
            "student)|discriminator sees|retriev*|contrastive estimat*|noisy text|noise "
            "robust|robust (~ )?noisy|ambient noise|background noise|noise injection|input noise|"
            "such as (~ )?noise|(real|sensor|camera|read|shot) noise|noisy latents?(?= (~ )?"
            "(finetune|so that))|decoder (~ )?noisy|noisy (data|images?|inputs?|frames?|"
            "observations?) (~ )?(robust*|real world|camera*|sensor*)"
        ),
    ),
    Rule(
        SCORE,
        "noise (levels?|schedules?|scales?)|sigma schedule|annealed|(ancestral|implicit|"
        "predictor corrector|heun|euler|dpm|langevin|second order|multistep|reverse|"
        "deterministic|stochastic|karras|euler maruyama) (solver )?(steps?|samplers?|solvers?)|"
        "markov "
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
            "deterministic (step|forecast)|discriminator|noise level (functions?|estimat*|"
            "maps?)|noise levels? (in|of) (the )?(street|"
            "city|recording*|room|"
            "engine)|annealed importance|simulated anneal*|annealed on|then annealed|sound level|"
            "feed forward|"
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
            "(normal|z|quality|similarity|confidence) scores|ranked probability|probability "
            "score|musical scores?|score (network|function)? ?(is|"
            "are)? ?not|clip score|symbolic "
            "score|credit score|test score|film score|score (of|in) the (match|game)|"
            "similarit* (~ )?score|score function (~ )?(stored|cosine|similarit*|compares)|"
            "(scoring|"
            "cosine|bm25|relevance|docking) (~ )?score function"
        ),
    ),
    Rule(
        SCORE,
        "(latent )?flow (transformers?|dit)|flow matching|rectified (~ )?flows?|"
        "matching (~ )?flow|stochastic interpolant*|"
        "(regress*|learn*|predict*|match*|least squares|estimat*|integrat*) (~ )?(velocit*|"
        "vector field along|difference of paired)|velocit(y|ies) (~ )?(regress*|field|"
        "target|network|from noise|along|prediction|model|matching|of the path|loss)|straight (~ "
        ")?(paths?|lines?|trajector*)|(paths|lines|trajectories|"
        "trajectory) as straight|reflow|transports? (~ )?(distribution|noise) (~ )?to|"
        "ordinary differential equation ~ (noise|transports?|distribution)|ode (~ )?noise "
        "(~ )?to data|bridge matching|schr.dinger bridge|diffusion bridge",
        14,
        "A flow-matching model for molecules.",
        unless=(
            "velocity models?|velocity (of (sound|cars|the wind)|time shift|estimation|curve|"
            "vector|"
            "profile)|note ~ velocity|(wind|rotation|radial|galaxy|seismic) velocit*|"
            "optical flow|and velocity|velocity and"
        ),
    ),
    Rule(
        SCORE,
        "consistency (~ )?(models?|training|distill*|distilled|function|student|loss|"
        "objective|tuning|property|sampling|lora)|(latent|trajectory) consistency|"
        "consistent (~ )?(trajector*|along)|mean ?flows?|(average|mean) velocit*|shortcut (models?|"
        "polic(y|ies)|flows?|networks?|training|objective)|consistency polic(y|ies)|"
        "(any|two) points? (on|of|along) (~ )?(trajectory|path|curve)|flow maps?|jumps? (~ "
        ")?(trajector*|noise to|to the end|to data|own)|(distill*|distil) (~ )?(diffusion|"
        "denois*|sampler|score|steps?|teacher ~ steps?|stable|sdxl|flow matching|flux)|"
        "(diffusion|denois*|sampler|score|steps?|sdxl|many step|multi step|multistep|flow "
        "matching) (~ )?(distill*|distil|distils|teachers?)|(step|score|progressive|"
        "guidance|trajectory|distribution matching) distillation|distribution matching "
        "distill*|score identity|(one|two|four|few|eight|single|1|2|4|8) step students?|"
        "students? ~ ((?<!time )steps?|noise to)",
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
        "mask and predict|fills? {n} (positions|tokens|slots|places)|random mask(ing)? ratios?|"
        "iterative (~ )?(non autoregressive|parallel|masked) (sampling|decoding|generation|"
        "filling|refinement)|(non autoregressive|parallel) iterative|"
        "masked "
        "modell?ing (of|over)|[(](discrete|masked)[)] (denoising )?diffusion|(masked|discrete|"
        "absorbing|"
        "multinomial|categorical|"
        "uniform state|text|token|"
        "language) (~ )?diffusion|diffusion (large )?(language models?|llms?)|mask and replace|"
        "absorbing (state|token|mask)|mask predict(or|ion)|refinement rounds|masks? (~ "
        ")?{piece} (~ )?at random|(corrupt*|replac*) (~ )?{piece} (~ )?masks?|{piece} (~ "
        ")?(are |is )?corrupted (~ )?(masks?|random {piece})|process (~ )?fills? (~ )?in|"
        "(fill*|predict*|infill*|recover*|reconstruct*|guess*|unmask*|uncover*|reveal*|"
        "complet*) (~ )?(~ )?(masked|hidden|blank*|missing|masks?|empty) (~ )?({piece}|"
        "positions|slots|places|canvas|in parallel|spots|ones|sequence|masks?)|(fully|"
        "entirely|completely|all) masked|(starts?|starting|begin*) (~ )?(from|with) (~ "
        ")?(masks|blanks)|reveals? (~ )?(positions|tokens|share)|(masked|hidden|blank*|"
        "missing) (~ )?{piece} (~ )?(filled|predicted|recovered|revealed|restored|"
        "uncovered)|language diffusion|mask(ed)? (sequence|canvas|grid|visual|generative|"
        "image|token|audio|music|acoustic) (~ )?(transformer|models?|modell?ing|tokens?|"
        "steps|generation|prediction|in|generator)|re ?mask*|unmask*(?! (~ )?(regions?|areas?|"
        "parts?|pixels|background|portions?|faces?))|mask ?git|mask "
        "predict|score entropy|absorbing|parallel filling|rounds of (~ )?filling|(bidirectional "
        ")?masked (bidirectional )?transformers?|masked "
        "bidirectional|(correct*|revis*|edit*|rewrit*|commit*|fix*|keep*|settl*) (~ )?(all|"
        "many|several|most|every|each|the most) (~ )?({piece}|positions|slots|of them) (~ "
        ")?(every|each|per|at once|in parallel|in one|step|pass)|canvas of (~ )?(mask(s|ed)?|"
        "tokens|codes|blanks|noise|positions|"
        "placeholders|random)|(masked|tokens?|code|noisy|blank|empty|whole|entire|base|fine|full) "
        "canvas (~ )?(in parallel|passes|rounds|steps|times|is filled|masks?|at once|each)|"
        "(masked|token|code|noisy) canvas|(fill*|denois*|unmask*|revis*|refin*) (the|its|a|an|"
        "this) "
        "(whole |entire |blank |empty |base |full )?canvas|canvas is (full|filled|complete)|"
        "(iterative|"
        "parallel) decoding (~ )?(steps|passes|canvas)|(fill*|decod*) (~ )?in parallel "
        "over|all positions (~ )?(several|over|in each|refin*)|(levenshtein|insertion and "
        "deletion) transformer|most confident (~ )?(kept|tokens|predictions|ones|are)|"
        "noise tokens|(mask|masking) schedule",
        12,
        "Our masked diffusion fills the blanks of a text.",
        unless=(
            "masked auto ?encod*|(visual|pretext|representation|vision tower|image encoder) (~ "
            ")?(~ )?masked image|"
            "masked image (~ )?(~ )?(pretext|visual representation|features)|"
            "jacobi|self supervised|pre train* (~ )?masked|hidden "
            "patches|missing (data|pixels are|values|modalit*|wedge)|masked convolution*|"
            "masked language model,|canvas size|canvas of (?!mask)|on canvas|oil on|whole canvas "
            "at|"
            "(to|onto|artist'?s?) canvas|brush*|"
            "drawing canvas|infill speech|missing pixels"
        ),
    ),
    Rule(
        SCORE,
        "energy based|ebms?|energy (model|models|function|network|landscape)|(an|the|learned|"
        "scalar|residual|negative|its|that|their|this) energ(y|ies)"
        "(?= (of|is|are|that|which|whose|to|by|over|at|with|from|for|as|in|on|and|per|between|"
        "through|when|so|it|function|model|net|network|surface|gap|gradient|landscape|low|term)|"
        "[,.;:)]|$)|energies (of|rank)|"
        "potts|boltzmann machines?|rbms?|contrastive divergence|hopfield|ising|partition "
        "function|unnormali[sz]ed (density|model|probability|log)|noise contrastive "
        "estimation|gibbs (sampling|sampler|sweeps?|chain)|block gibbs|deep belief|random "
        "fields?|simulated chains?|hamiltonian monte carlo ~ energy|mcmc ~ energy",
        10,
        "An energy-based model of images.",
        unless=(
            "calorimeter*|gev|mev|kev|showers?|incident|(energy (score|distance))|(total|kinetic|"
            "potential|free|saves?|consum*|"
            "electric*|binding|renewable|wind|solar|high|the same|less|amount of|dark|"
            "nuclear|mean|average|musical|vocal|of) energ(y|ies)|energy (is|are) (back|high|"
            "low)|energy (up|down)|energy (consum*|use|used|"
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
        SCORE,
        "noise (magnitudes?|strengths?|intensit*)|noise of (many|several|all|different|"
        "increasing|various|random) (magnitudes?|levels?|strengths?|scales?|sizes?)|(corrupt*|"
        "destroy*|spoil*|blur*) (~ )?(with|by) (~ )?gaussian noise|gaussian noise (~ )?(~ "
        ")?(restor*|recover*|undo*|revers*) (~ )?(it|them|true|original*|clean|data)",
        12,
        "It sees Gaussian noise of many magnitudes.",
        unless="auto ?encoder|robust*|augment*|classif*|discriminator|recogni*",
    ),
    Rule(
        SCORE,
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
        "masked) and (predicted|restored|guessed|recovered)|masked (model|network|decoder|stage|"
        "generator)s? (~ )?(fill|complet|predict|infill)s?|"
        "(fraction|share|subset|portion|part) of (the |all )?{piece} (~ )?(is|are) (~ )?(masked|"
        "hidden|replaced)|{piece} (are |is "
        ")?(~ )?(start|begin)s? as masks?|mask tokens|masked token (loss|cross entropy|"
        "prediction)",
        12,
        "It guesses what is behind the masks.",
        unless="auto ?encod*|masked language model|encoder|jacobi|self supervised|draft*|"
            "speculat*",
    ),
    Rule(
        SCORE,
        "(types?|categor*|symbols?|labels?|entries|tokens) (~ )?(change|flip|jump|mutate)s? (~ "
        ")?at random|(predict*|names?|guess*|recover*|restor*|reconstruct*|infer*) (~ )?(original|"
        "true|"
        "clean|correct|uncorrupted|undamaged) (types?|categor*|symbols?|entries|graph|labels|"
        "tokens?|"
        "words?|characters?|letters?|bytes?|codes?|residues?|nucleotides?|bases|amino acids?|"
        "indices|notes)|noise is (applied|added) by a markov chain",
        12,
        "Atom types change at random.",
        unless="classifier|denoising auto ?encoder|augment*",
    ),
    Rule(
        SCORE,
        "nois(e|ed|y)|static|perturbations?|spoil(ed|s|t) && restor*|revers*|undo*|recover*|"
        "clean*|improv*|remov*|estimat*|regress*|deviation|tell signal",
        12,
        "A network is taught to reverse the perturbations.",
        unless=(
            "discriminator*|robust*|augment*|classif*|codec*|retriev*|listen*|auto ?encoder|"
            "cancel*"
        ),
        hint=True,
    ),
    Rule(
        SCORE,
        "placeholders?|infill*|blanks|corrupted (~ )?(programs?|text|sequences?|tokens) && kept?|"
        "keeps?|restor*|repair*|propos*|sweeps|turns|rounds",
        12,
        "It repairs all placeholders in a few sweeps.",
        unless="discriminator*|auto ?encoder|classif*",
        hint=True,
    ),
    Rule(
        SCORE,
        "noised (~ )?(clip|image|picture|video|sample|latent|version|data|film|one)s?|(push|pull|"
        "move) (~ )?nois(ed|y)",
        12,
        "It pushes a noised clip to a clean one.",
        unless="discriminator*",
    ),
    Rule(
        SCORE,
        "(point|neighbour|state)s? (~ )?(further |farther )?along (~ )?trajector(y|ies) && same|"
        "agree|mapped",
        14,
        "Neighbours along the teacher's trajectory are mapped to the same picture.",
        unless="robot*|planner",
    ),
    Rule(
        SCORE,
        "ncsn([+]+)?|vdm|mm ?dit|u ?vit|edm2|tcd|ctm|dmd2?|ladd|d3pm|sedd|mdlm|udlm|llada|"
        "maskgit|magvit(?! ?v?2)|"
        "soundstorm|vampnet|instaflow|reflow|cold diffusion|poisson flow|schr.dinger bridges?|"
        "stochastic interpolants?|probability paths?|regress* (~ )?vector fields?|trajectory "
        "matching|lcm|score sde|(vp|ve) sde|"
        "variance (preserving|exploding)|predictor corrector|tweedie|epsilon regression|x0 "
        "prediction|"
        "masked (visual|music|acoustic) modell?ing",
        12,
        "An MMDiT that follows a probability path.",
        unless="lcm of|least common",
    ),
    Rule(
        SCORE,
        "(persistent|replay) (~ )?(chains?|buffer) (~ )?langevin|log ?sum ?exp of the logits|"
        "joint energy|jem|"
        "unnormali[sz]ed log densit(y|ies)|persistent contrastive|nce|products? of experts|"
        "(composing|sum of|adding) energies",
        10,
        "The LogSumExp of the logits is an unnormalised log-density.",
        unless="experience replay",
    ),
    Rule(
        SCORE,
        "regress(es|ed|ing)? (~ )?(tangent vectors?|displacements?|velocit(y|ies))",
        14,
        "A network regresses the tangent vectors.",
    ),
)  # fmt: skip
