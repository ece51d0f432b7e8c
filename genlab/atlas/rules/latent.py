"""Phrases that place a latent-variable component.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from genlab.atlas.phrases import Rule

from .names import LATENT

LATENTS = (
    Rule(
        LATENT,
        "(vq |beta |nv|r|hierarchical |conditional |discrete |gumbel |two stage )?vaes?|"
        "(vq|c|beta)vae*|variational (~ )?auto ?encod*|(wasserstein|gaussian) auto "
        "?encoders?|auto ?encoding variational",
        6,
        "A variational autoencoder for digits.",
        unless="(nothing|name) ~ vae|vae like|vae (decoder|encoder)? ?(files?|tiling) optional",
    ),
    Rule(
        LATENT,
        "(over|on) (the|its|these|those|such|quanti[sz]ed|discrete|learned) (~ )?codes|"
        "(discrete|learned) (representation|latent) (learning|codes?|variables?)|(diffusion|flow "
        "matching|rectified flow|prior) (~ )?(on|over|of|to) (the )?(outputs?|features|"
        "embedd?ings?|representations?|codes?) of (the|an?|this|our) (~ )?(auto )?encoder|encoder "
        "(~ )?(outputs|yields|gives|produces|emits) (~ )?(codes?|latents?)|(turn|convert|cut|map|"
        "encod|compress|discreti[sz]|transform|quanti[sz]|abstract)\\w* (~ )?(into|to) (~ "
        ")?discrete (~ )?(tokens|codes|units)|"
        "de tokeni[sz]ers?|(discrete|visual|latent|image) token (space|sequences?)|vocabulary of "
        "(~ )?(embedd?ings|codes|latents|vectors)|"
        "(image|visual|video|frame|audio|picture|speech|motion|quanti[sz]ing|learned) (~ "
        ")?tokeni[sz]ers?|tokeni[sz]er (~ )?(frames|images?|pictures|video|audio|clips|"
        "reconstruct*|perceptual|decoder)|(frames|images?|pictures?|video|audio|clips|"
        "speech|motion) (~ )?tokeni[sz]er|vector quanti[sz]*|quanti[sz]ed (~ )?(image|"
        "picture|audio|auto ?encoder|codes?|latents?|tokens|representation*|codec|embedd?ings?|"
        "features|vectors)|"
        "quanti[sz]ing auto ?encoder|vqs?|vq (gan|model|codes|tokens|tokeni[sz]er|codec)|"
        "vqgans?|code ?books?|residual quanti[sz]*|finite scalar quanti[sz]*|lookup free "
        "quanti[sz]*",
        6,
        "A vector-quantised autoencoder yields codes.",
        unless="uniform (grid|bins?)|motion tokens|action tokens|quanti[sz]ed (weights|to (4|8|"
        "int|four|eight)|models?)|4 bit",
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
        unless="pixel space|no latent|kept in latent|latent variable models?",
    ),
    Rule(
        LATENT,
        "hyper ?priors?|(learned|neural) (image |video |audio )?compression|"
        "(neural|audio|speech|music|acoustic|video|image) (~ )?codecs?|codec ('s )?(~ "
        ")?(tokens?|codes?|decoder|model|language|frames|latents)|codec's|(acoustic|"
        "discrete|visual|audio|speech|semantic audio|image|video) (codes|"
        "tokeni[sz]er|vocabulary)|discrete (~ )?(visual|image|audio|acoustic|speech|"
        "video|latent) (tokens?|codes?|units|variables)|compressed (discrete )?(music|audio|"
        "speech|sound|"
        "image|visual|motion) (representations?|tokens?|codes?)|tokeni[sz]er ~ (decoder|pixels|"
        "image)",
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
        "discrete (~ )?motion (tokens?|codes?|units)|"
        "(in|on|of) (~ )?latent space|latents|(latent|spacetime) patches|latent (grid|"
        "channels|video|frames|codes?|image|tokens|resolution|vectors?)|\\d+ channel "
        "latents?|auto ?encoders?|(image|visual|video|audio) tokens",
        6,
        "It works on latents of 16 channels.",
        hint=True,
        unless=(
            "denoising autoencoder|masked autoencoder|style*|w space|special image tokens|clip "
            "latent*|latent (~ )?(of|from) (clip|t5)|(fewer|number of|all|reduc*|compress*|merg*|"
            "prun*|input|vision language|multimodal) (~ )?(visual|image|video|audio) tokens|"
            "(visual|"
            "image|video|audio) tokens (~ )?(reduc*|encoder|prun*|merg*|llm|projector)|"
            "interpolat*|arithmetics?|travers*|latent walks?|tokens per second|latent attention|"
            "latent space of (the|a) generator|string "
            "based autoencoders"
        ),
    ),
    Rule(
        LATENT,
        "latents? (~ )?(representations?|features)(?! learning) && decod*",
        6,
        "A structured latent representation is decoded into meshes.",
        hint=True,
        unless="latents? (~ )?of (the )?(text|prompt|caption)|masked",
    ),
    Rule(
        LATENT,
        "contrastive (image )?embedd?ings?|embedd?ings? of an image|given the embedd?ing|"
        "clip ((?!and\\b|or\\b|text\\b)\\w+ ){0,2}embedd?ings?|image embedd?ings? (~ )?(prior|"
        "from|given|"
        "predict*|produc*)|prior (~ )?image embedd?ing|un ?clip|semantic (~ )?(embedding|"
        "latent|code)",
        6,
        "A prior turns the caption into a CLIP image embedding.",
        unless=(
            "text (encoder|embedd*)|filter*|score*|conditioned on (~ )?clip|embedding of "
            "the (caption|text|prompt)|per (prompt|caption|text)|condition(s|ed|ing)?( on| by|"
            " with| as)? (~ )?(clip|t5)"
        ),
        hint=True,
    ),
    Rule(
        LATENT,
        "reconstruction (~ )?(~ )?(minus|less) (~ )?(divergence|kl)|divergence of the codes? "
        "from|(plus|minus) the divergence (from|to|of) (~ )?(prior|normal|gaussian|code|codes)",
        5,
        "Reconstruction minus the divergence of the code from a Gaussian.",
        unless="posterior estimat*|simulat*",
    ),
    Rule(
        LATENT,
        "reconstruction (~ )?[+] (~ )?kl|[+] (beta |weighted |a )?kl|(beta|weighted|annealed) kl|"
        "(gaussian|normal) latents?|(discrete|categorical|binary|stochastic) auto ?encoders?|"
        "variational (inference|bayes|training|objective|bound|learning)|deep (markov|generative) "
        "models? (~ )?(latent|posterior|variational)|latents? (~ )?(drawn|sampled) (~ )?(learned |"
        "standard |gaussian )?prior|"
        "(residual |scalar |vector )?quanti[sz]ers?|(a|our|the) codec (~ )?(gives?|yields?|"
        "turns?|compress*|"
        "quanti[sz]*)|inference network|variational lower bound|(drawn|draws?|"
        "sampled) (~ )?(out of|from) the "
        "prior",
        5,
        "An inference network gives a Gaussian over the state.",
        unless="posterior estimat*|simulator|flow|diffusion|noise|neural posterior|"
            "invertible|bijective|inverse",
    ),
    Rule(
        LATENT,
        "(with|by|through|via|us(es|ing)|introduc\\w+|employ\\w*|add(s|ing)?|captured? by|"
        "hierarchy of|layers? of) ((a|the|its|set of|continuous|discrete|stochastic|binary|"
        "categorical|gaussian|global|local|sequential|hierarchical|learned|structured|auxiliary|"
        "additional|shared|independent) ){0,3}latent variables?(?! models?)|(prior|posterior) (~ "
        ")?(over|of|on|for) (the |these |its |all )?((sequential|discrete|continuous|global|local) "
        ")?(latent (variables?|vectors?|representations?|codes?|space|embedd?ings?)|latents)",
        5,
        "A translator with discrete latent variables.",
        unless="no latent|without|neither|diffusion probabilistic|invertibl*|bijecti*|simulat*|"
            "denois*|bayesian|gaussian process|mcmc|expose|parameters",
    ),
    Rule(
        LATENT,
        "(multi scale|discrete|visual|vision|image|audio|video|speech|motion) tokeni[sz]ers?|"
        "quanti[sz]es? (~ "
        ")?residuals?|commitment,|posterior encoder|vits|with the kl|plus kl|and (a |the )?kl|"
        "(rq|vq|fsq|lfq|dvae|hvae|cvae|iwae|info|factor|beta tc|ladder) ?vaes?( 2)?|iwae|dvae|"
        "nvae|vdvae|"
        "vampprior|soundstream|encodec|dac tokens|mimi|dc ae|kl f\\d+|f(8|16|32) (tokeni[sz]er|"
        "auto ?encoder)|"
        "residual (vector )?quanti[sz]*|rvq|titok|scvi|free bits|"
        "(standard normal|learned|hierarchical) prior (~ )?decod*|top down (path|network|pass)|"
        "stochastic layers|deep (ladder|hierarchical) latent*",
        5,
        "EnCodec gives the tokens.",
        unless="posterior estimation",
    ),
)  # fmt: skip
