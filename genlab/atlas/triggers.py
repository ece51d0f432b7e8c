"""The words that take the sense from what stands near them, one row each; see scope.py.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Trigger:
    """Words that take the sense from what stands near them."""

    polarity: str
    reach: str  # a key of reach.REACHES, or key, question, shield: see scope.py
    pattern: str
    example: str  # the phrase in [ ] has the polarity


TRIGGERS = (
    Trigger(
        "asserted",
        "shield",
        "not (only|just|merely|solely|necessarily)|(nothing|little|no) (~ )?(more|else|other) "
        "than|nothing but|not (necessary|needed|required|essential|indispensable) (for|to)|"
        "no (fewer|less|more|later) "
        "than|no (matter|doubt)|nothing (else )?than|not least|no sooner",
        "Not only [diffusion] but flows.",
    ),
    Trigger(
        "negated",
        "after",
        "no|not|without|neither|nor|none of|cannot|can't|doesn't|don't|isn't|aren't|"
        "wasn't|didn't|won't|nothing(?! and)|free (of|from)|"
        "no longer|lack(s|ing)|"
        "in the absence of|absence of|nowhere|nobody|hardly any",
        "It works without [adversarial training].",
    ),
    Trigger(
        "negated",
        "comma",
        "never",
        "It never saw a [discriminator], a number of use.",
    ),
    Trigger(
        "negated",
        "until from",
        "drop(s|ped|ping)?|remov(e|es|ed|ing)(?! (~ )?noise)|eliminat*|strip(s|ped)?|"
        "delet(e|es|ed)",
        "We remove the [codebook] from the model.",
    ),
    Trigger(
        "negated",
        "after",
        "nothing (~ )?(to do|in common) with|not to be confused with|unrelated to|dispens* "
        "with|abandon*|avoid*|do(es|ing)? away with|obviat*|get(s|ting)? rid of|omit*|"
        "discard*|refrain* from|forgo(es|ing)?|forego*|skips|skipped|spares?|bypass*|"
        "give(s)? up|gave up|reject*|leave(s)? out|say goodbye to|part(s|ed) with|"
        "circumvent*|sidestep*",
        "This dispenses with the [discriminator].",
    ),
    Trigger(
        "negated",
        "after",
        "instead of|rather than|in place of|in lieu of|as opposed to",
        "A flow instead of a [diffusion model].",
    ),
    Trigger(
        "past",
        "until to",
        "replac(e|es|ed|ing)|swap(s|ped)?|exchang*|supersed(e|es|ing)|(mov*|switch*|"
        "migrat*|chang*|went|shift*) (~ )?from|substitut* for",
        "We replace the [GAN] by a diffusion model.",
    ),
    Trigger(
        "past",
        "before",
        "(is|are|was|were|has been|have been|be|being|gets|got) (now |all |finally |also |"
        "since )?(gone|removed|retired|dropped|abandoned|discontinued|deprecated|replaced|"
        "superseded|left out|unnecessary|switched off|omitted|discarded|deleted|thrown "
        "(out|away)|history|history now|out|swapped|moved to|phased out|scrapped|prototyped|"
        "shelved|taken "
        "out)|(make|makes|made|give|gives|gave) way to|retires|disappears|(has|have) (now "
        ")?(retired|gone|left|disappeared)|(replaced|superseded) by|(is|are|was|were) no "
        "longer (used|needed|part|required|available|supported|included|there|present|trained|"
        "shipped|in)|(never|not) (was|were|is|been) (~ )?(part|used|in)|(exchanged|swapped) for|"
        "superseded|(has|have) moved to|switched off|turned off|disabled|(?<!layers )(?<!blocks )"
        "(?<!channels )(?<!parameters )(?<!weights )(removed|dropped|retired|gone|"
        "deprecated|discontinued|deleted)[.;]?$|(and )?not (included|part of|supplied|"
        "shipped|released)|(was|were) (~ )?(considered|tried|rejected|ruled out|discussed)",
        "The [critic] is gone.",
    ),
    Trigger(
        "past",
        "before in line",
        "-+>|→|=>",
        "[40 steps] -> 30",
    ),
    Trigger(
        "negated",
        "before",
        "(is|are|was|were) (not|never|neither|no longer) (used|needed|required|involved|"
        "necessary|part of|included|applied|present|released|trained|shipped|provided|"
        "supplied|covered|distributed)|(is|are) (absent|unnecessary|superfluous|not there|"
        "optional extras)|plays? no (part|role)|ha(s|ve) no (place|part|role)|"
        "(do|does|did) not (~ )?(occur|appear|exist|figure|feature|arise|take place|come (in|"
        "into play)|play (a|any) (part|role)|enter|take part)|(occurs?|appears?|is|are) nowhere|"
        "nowhere to be (found|seen)|(is|are) not (at work|to be found|in (it|play|use|there)|"
        "anywhere)|(is|are) foreign to (it|us|the model)",
        "A [discriminator] is not used.",
    ),
    Trigger(
        "negated",
        "line",
        "removed:|out:|gone:|not:|not included:|what it is not:|not used:|dropped:|absent:|"
        "excluded:|deprecated:|what it lacks:|not needed:|retired:|without:|missing:|not "
        "part:",
        "Removed: the [discriminator], 3 MB",
    ),
    Trigger(
        "negated",
        "key",
        "",
        "[Discriminator]: none",
    ),
    Trigger(
        "negated",
        "after",
        "(statistic|kernel|mmd|divergence|distance|discrepancy|metric|score|rule|formula|test|"
        "features?) (~ )?(plays?|takes?|takes over|fills?|assumes?|serves in) the (role|place|part|"
        "job|seat) of",
        "The statistic plays the role of the [discriminator].",
    ),
    Trigger(
        "negated",
        "word after",
        "non",
        "A non-[autoregressive] network.",
    ),
    Trigger(
        "negated",
        "word before",
        "free",
        "It is [critic]-free.",
    ),
    Trigger(
        "compared",
        "after",
        "unlike|than|prefer* ~ (to|over)|approach* (~ )?(samples|quality|results|scores) "
        "of|(half|third|quarter|tenth|fraction|fewer|times|as many) (~ )?parameters of|"
        "(evaluated|tested|measured|judged|benchmarked|held|assessed|weighed|pitted|checked|"
        "scored) against|"
        "compare(s|d)? (favou?rably |well |badly )?(with|to|against)|in comparison (with|"
        "to)|versus|vs|outperform*|surpass*|beat(s|ing)?|rival(s|ling|led)?|improv* (on|"
        "over|upon)|in contrast (to|with)|as with|contrary to|overtak*|outlast*|outpac*|"
        "outshin*|exceed*|outdo*|"
        "outclass*|outrun*|(lags?|lagged|lagging|trails?|trailed|falls?|fell) (just |slightly |"
        "far )?behind|"
        "comparisons? (~ )?(with|to|against)|for comparison|dominated by|"
        "(?<!by )compar* (~ )?(with|to|against)|"
        "(lies?|lay|falls?|sits?|is|are) (~ )?between|(as|of|between|above|below|beyond|near|over|"
        "from|exceed*|match*|approach*|reach*|equal*|beat*) (that|those) of|within (~ )?(points?|"
        "percent|per cent|reach|decibels?|bits?|"
        "nats?|factor) of|(comparable|close|closer|equal|superior|inferior|similar|"
        "relative|competitive|on par|on a par|alternatives?|answer|akin|analogous) (to|"
        "with)|(comparable|competitive) ([\\w-]+ ){1,3}(to|with)|match* the (quality|speed|"
        "scores?|results?|fidelity) of|reach* the (quality|"
        "level) of|approach* (those|that) of|compet* with(?! (an?|the|its|"
        "one) ([\\w-]+ ){0,3}(discriminator|critic|"
        "adversary|opponent))|(ahead|short) of|whereas|(the "
        ")?same (?!(~ )?either)(~ )?as|catch* up with|stand* up to|distinguish* ~ from|"
        "differ* from|"
        "the same (\\w+ )?(\\w+ )?(that|which|as)|"
        "(rises?|rose|gains?|grows?|increases?|advantage|lead|margin|improve\\w*|higher|lower|"
        "better|"
        "ahead) (by [\\d.]+%? )?(~ )?over|"
        "match(es|ed|ing)? (even )?(our|(much |far )?(larger|bigger)|dedicated|speciali[sz]ed|"
        "leading|"
        "established)(?= )|"
        "against (~ )?(minutes|hours|seconds|days|weeks|\\d+)|as against|contains? every|"
        "special cases? of|on top of what|what ~ (did|do|does) with",
        "Faster than [diffusion models].",
    ),
    Trigger(
        "compared",
        "clause",
        "would (need|take|require|cost|have (needed|taken))|might need|(teacher|"
        "original),? (which|that) (needs|takes)",
        "A [WaveNet] would need minutes.",
    ),
    Trigger(
        "compared",
        "comma",
        "beyond|(about|just|nearly|almost|quite|roughly) as (well|good|much|many|fast|sharp) as|"
        "(rated|ranked|scored|placed|"
        "preferred) (~ )?(above|below|over)|and (above|below) (a|an|the|~ baselines?)|(perform*|"
        "do|does|work*|sample*|score*|just|almost|nearly|quite) as well as|"
        "as (good|fast|sharp|accurate|strong|cheap|long|crisp|stable|simple|"
        "diverse|small|easy|quick) as|like (an?|any|every|other|most)",
        "As sharp as a [GAN], with a likelihood.",
    ),
    Trigger(
        "compared",
        "after",
        "(alternatives|rivals|competitors|relatives|approaches|models|systems|methods|baselines) "
        "(such as|like)|baselines? and|(benchmarks|baselines|competitors|rivals|alternatives|"
        "opponents|entrants|"
        "comparisons) (~ )?(include|are|were|included|comprise*|cover*)|(chose|choose|"
        "prefer*|picked|favou?r*) (~ )?over|(over|to) (strong|the best|earlier|previous|existing|"
        "comparable|"
        "recent)|over "
        "~ baselines?|(that|which) ~ suffers? from|known from|familiar from|borrowed from|"
        "inspired by|reminiscent of|(insights?|ideas?|inspiration|cues?|"
        "lessons?|hints?|motivation|leads?|intuitions?|elements|tricks|a (leaf|page|cue)) (~ )?("
        "from|of|out of)|motivated by|(can|may|could) (also )?be (interpreted|seen|viewed|"
        "understood|regarded|"
        "thought of) as|(?<!well )as in|just as in|mistaken for|looks like|sounds "
        "like|"
        "taken for|in the manner of|in the spirit of|as (known|used) in|(rate|quality|"
        "speed|sharpness|diversity|fidelity|likelihoods?|bounds?|results?) of(?= (the |a |"
        "other |modern |large )?(gans?|diffusion|autoregressive|flows?|adversarial))",
        "Improvements over strong [StyleGAN] baselines.",
    ),
    Trigger(
        "compared",
        "far",
        "([\\w.+-]+ (and|or) )?(most|many|existing|current|other|previous|prior|earlier|"
        "conventional|traditional|"
        "classical|competing|rival|today's|recent|typical|common|popular|public|published|"
        "older|leading) (~ )?(captioners|vocoders|transformers|translators|synthesi[sz]ers|"
        "upscalers|"
        "predictors|llms|systems|models|methods|approaches|assistants|samplers|"
        "generators|work|works|techniques|pipelines|policies|recipes|families|engines|"
        "agents|world models|simulators|codecs|tokeni[sz]ers|denoisers|decoders|planners|designs|"
        "emulators|diffusions|implementations|architectures|applications|services|products|apps|"
        "tools|networks|ones|outputs|proposals|attempts|efforts|solutions|engines|entries|"
        "submissions)|methods that|systems that|approaches that|models that had|^(the )?(usual|"
        "common|standard|ordinary|customary|classical|obvious|conventional|typical) (~ )?(ways?|"
        "answers?|remed(y|ies)|practice|solutions?|routes?|choices?|workaround|cure|fix|strategy|"
        "option|escape) (~ )?(is|are|was|were|has been|have been|remains?|lies?|consists?)|^(the "
        ")?((recent|"
        "latest|rapid|remarkable|great|significant|much|steady) )+(~ )?"
        "(advances?|progress|successes|breakthroughs?|developments?) (in|of|on|with|has|have)|"
        "competitors?|everybody else|the others|people (who|often)|usually|conventionally|"
        "traditionally|^so far|to date|hitherto|until now|(models|methods|approaches|systems|"
        "networks) (so far|to date|until now|still)",
        "Most image models use [diffusion].",
    ),
    Trigger(
        "compared",
        "clause",
        "(?<!the )(?<!our )(?<!this )(?<!its )(?<!that )(models?|networks?|gans?|vaes?|"
        "flows?|training|methods?|samplers?|autoencoders?|decoding|games?|diffusion) (~ "
        ")?(are|is|was|were|have been|has been) (notoriously |often |very |too |known to "
        "be |famously |still |now |(~ )?times )?(slow|unstable|costly|expensive|obsolete|"
        "hard|difficult|limited|brittle|blurry|dead|fragile|restricted|slower|outdated|"
        "infamous|sequential|accurate but|powerful but|sharp but|good but|exact but|fast "
        "but|fickle)|(models|networks|gans|vaes|flows|autoencoders|transformers|"
        "diffusions?|policies|systems|heads|methods|approaches|samplers|vocoders|generators|"
        "surrogates|emulators|codecs|alternatives|techniques|pipelines|planners|simulators) (~ "
        ")?(?<!to )(need|would need|have (taken|become|won|"
        "dominated)|require|suffer|cannot|struggle|fail|lack|pay|work on|spend|accumulate|"
        "collapse|dominate|can't|write from)|(competitors|rivals|counterparts|"
        "alternatives) (~ )?(are|is|were|need|cannot|take)|(gans?|flows?|vaes?|models) of "
        "(the same|equal|that|similar|comparable) (size|quality|capacity)|(adversarial|"
        "autoregressive) (training|decoding|sampling|generation|models?) (suffers?|needs|"
        "requires|accumulates|is slow)",
        "[Adversarial training] is unstable.",
    ),
    Trigger(
        "compared",
        "sentence",
        "^(several|many|various|a (number|variety|range|host) of|there (are|exist)|the (main|"
        "leading|"
        "dominant|major)) (~ )?(families|family|frameworks|classes|kinds|types|paradigms|"
        "approaches|techniques|routes)(?![^.]{0,160}\\b(ours?|we|it|its|here|this)\\b)|"
        "(generative|likelihood based|implicit) (~ )?(models|methods|approaches) (~ )?(fall into|"
        "come "
        "in|(divided|grouped|classified|categori[sz]ed|split) (in)?to)",
        "Several frameworks compete: [normalizing flows], VAEs and energy-based models.",
    ),
    Trigger(
        "compared",
        "clause",
        "(has|have) (since |now |largely |meanwhile |recently )?(taken over|conquered|swept|"
        "eclipsed|"
        "displaced|overtaken|become (~ )?(dominant|standard|norm|default|popular|fashion\\w*|"
        "choice|"
        "facto))",
        "Since then [diffusion] has taken over the field.",
    ),
    Trigger(
        "past",
        "sentence",
        "^(and )?(last (time|week|month|post)|in (the|our|my|a) (last|previous|earlier|first) "
        "(post|"
        "part|chapter|lesson|article|blog post|instal?lment))",
        "Last time, we trained a [VAE].",
    ),
    Trigger(
        "planned",
        "sentence",
        "^(and )?next (time|week|month|up|post)|in (the|a) (next|later|future|coming) (post|part|"
        "chapter|lesson|article|blog post|instal?lment)|topics? of (the |a )?(next|later|future)",
        "Next time: [GANs].",
    ),
    Trigger(
        "aside",
        "two before",
        "(benchmarks?|surveys?|tutorials?|workshops?|lectures?|seminars?|slides|detectors?|zoo|"
        "literature)",
        "Our [GAN] benchmark was cited.",
    ),
    Trigger(
        "aside",
        "after",
        "(talks?|slides|lectures?|courses?|workshops?|seminars?|chapters?|lessons?|posts?) "
        "(about|on)",
        "Slides on [VAEs] and diffusion are in the repository.",
    ),
    Trigger(
        "compared",
        "clause",
        "which(?= (\\w+ ){1,5}(models|networks|methods|gans|vaes|systems) \\w+)|(training|"
        "learning|decoding|gans|models) (has|have) (~ )?(proved|proven|turned out|been) (~ "
        ")?(fickle|unstable|slow|"
        "hard|difficult|costly|delicate|brittle)|(models|methods|systems|"
        "networks|approaches|gans|vaes) (handle|treat|do|capture|model|cover) (~ )?(awkwardly|"
        "badly|poorly|"
        "slowly|worse|only)",
        "It fills gaps, which [left-to-right] models handle awkwardly.",
    ),
    Trigger(
        "past",
        "stretch",
        "versions? [\\d.]+ (was|were|used|relied|had)|(old|older|previous|earlier|former|"
        "outgoing) (model|one|version|versions|release|releases|generation|system|tool|"
        "network|service|method|engine|backend|back end|edition|generator|decoder|pipeline|"
        "recipe)|(its|the|our) predecessors? (~ )?(\\w+ed|was|were|had|is|ran|drew|wrote|took|"
        "made|kept|did|went|held|spoke|built)|"
        "formerly|(?<!be )(?<!is )(?<!are )(?<!was )(?<!been )(?<!were )used to|\\d\\.x|"
        "last year's|in the past|versions [\\d.]+ (to|and|or) [\\d.]+|"
        "started (out )?as|began (life )?as|up to (version|release) [\\d.]+|(its|the) "
        "ancestor|(once|originally) (was|were|used)",
        "Version 3 was a [latent diffusion] model.",
    ),
    Trigger(
        "past",
        "onward",
        "we (had )?(first |originally |initially )?(started|began|begun) (out )?(from|with)(?= "
        "[^.]{0,90}\\b(neither|then (tried|an?)|but|which (was|did|failed|proved)))",
        "We started with a [GAN], then tried a VAE, and neither covered rare cells.",
    ),
    Trigger(
        "past",
        "after",
        "(early|first|initial|preliminary|previous|earlier) (experiments?|attempts?|trials?|tests?|"
        "tries|prototypes?) (with|at|by|using|on)|"
        "(we|i) ((had|have|also|first|once|initially|originally|briefly) ){0,2}(looked at|"
        "considered|tried|"
        "tested|experimented with)|(we|i) thought of",
        "We looked at [diffusion], which fills whole sentences.",
    ),
    Trigger(
        "past",
        "near",
        "(that )?(we|they|others) (have )?(also )?(tried|tested|considered|attempted|evaluated)",
        "Hairs vanish in any [autoencoder] we tried.",
    ),
    Trigger(
        "aside",
        "before",
        "(is|was) (also )?compared(?! (with|to|against))|(is|are) (now )?(an? )?(optional|plug "
        "?ins?|"
        "add ?ons?)|(are|were) (also |all )?(compared|our baselines|(the )?baselines?|behind|"
        "included (for|"
        "as))",
        "LiDARGen and a projected [GAN] are compared.",
    ),
    Trigger(
        "compared",
        "clause",
        "baselines? (fell|(were|are|was|is|did|do|had|have) (~ )?(worse|weaker|slower|behind|not|"
        "lower|"
        "higher|blurr*|unstable)|produc*|need*|lag*|could|cannot|gave|"
        "perform*|"
        "reach*|remain*|collapse*|suffer*|score*|show*|stay*)|(fell|falls?|lags?|lagged|stays?|"
        "stayed|"
        "remains?|trails?) (~ )?behind(?! not)",
        "[Potts] and GAN baselines fell behind.",
    ),
    Trigger(
        "compared",
        "far",
        "(an?|another|the usual|the best) (~ )?(needs?|takes?|requires?|costs?|took|needed|"
        "required) (~ "
        ")?(hours|days|weeks|minutes|much|longer|many|more|thousands|hundreds|twice)",
        "Fits in seconds; a [CTGAN] needs hours.",
    ),
    Trigger(
        "aside",
        "after",
        "(identif*|tells?|trac(e|es|ing)|attribut*|recogni[sz]*|decid*|guess*|"
        "predict*) (~ )?(which|"
        "whether)(?= [^,.;]{0,60}(made|generated|produced|drew|wrote|created|painted|real|fake))",
        "We identify which [GAN] made a picture.",
    ),
    Trigger(
        "past",
        "clause",
        "(has|have) (also |only |once )?been (tried|tested|attempted|explored|prototyped)(?! (on|"
        "in|with|"
        "for|by|at|against))|(is|are|stays?|remains?) (off|disabled|not on|not enabled|switched "
        "off) "
        "by default|"
        "(attempts?|efforts?|trials|experiments) (at|to|with) ~ (failed|fail|unsuccessful|in vain|"
        "abandoned|fruitless)|(?<!not )(?<!had )(collapsed|diverged|overfitted|"
        "failed)(?! to (cover|capture))|did "
        "not (converge|help|work|pay off|improve|train)|never converged",
        "Attempts to train a [normalizing flow] failed.",
    ),
    Trigger(
        "aside",
        "sentence",
        "({n}|several|many|various) (~ )?(systems|models|generators|methods|entries|vocoders)(?= "
        "[^.;]{0,80}(rated|compared|evaluated|benchmarked|ranked|judged|assessed|audited))",
        "20 systems ([autoregressive], diffusion, flow) were rated by 400 listeners.",
    ),
    Trigger(
        "aside",
        "after",
        "(also|further|additionally|in addition|for interest) (evaluat*|test*|tried|try|ran|"
        "benchmark*|compare|compared|report|fit|fitted|train*)(?= [^.;]{0,80}(which (was|is|were|"
        "did)|for "
        "(comparison|reference)|as (an? )?(baselines?|references?|controls?)|(of|from) the "
        "literature|but (it|this|found)|for this task))|"
        "we refer (the reader )?to|(introduction|"
        "overview|review|survey|tutorial|primer)s? (to|of|on)|we (thank|acknowledge)|"
        "builds? (up)?on "
        "(the )?(code|implementation|repository|library)",
        "We refer to Ho et al. for an introduction to [diffusion models].",
    ),
    Trigger(
        "aside",
        "after",
        "(metrics?|benchmarks?|detectors?|classifiers?|survey|stud(y|ies)|review|audit|toolkit|"
        "papers?|articles|publications|literature|taxonomy|tutorial|"
        "(inference|serving|training|rendering) (engine|library|framework|stack|runtime)|"
        "librar(y|ies)|"
        "kernels?|plug ?ins?|wrappers?|extension|nodes?|front ?ends?|interfaces?|"
        "corpus|detection|attribution|evaluation|test suite|leaderboard|watermark*|defen[cs]es?|"
        "attacks?) (for|of|on|against|about)",
        "A quality metric for [neural codecs].",
    ),
    Trigger(
        "compared",
        "clause",
        "(concurrent|parallel|independent|related|follow up|subsequent|another|other|competing) "
        "(works?|papers?|stud(y|ies)|teams?|authors?|preprints?|submissions?|labs?|research "
        "groups?|group(?= \\w+s )|compan(y|ies)|startups?)|in parallel to (us|our)",
        "Another group uses [flow matching].",
    ),
    Trigger(
        "past",
        "sentence",
        "(tried|tested) and (~ )?(dropped|discarded|abandoned|rejected|left out)|(did|also|first|"
        "originally|initially|briefly|seriously) (consider|considered|tried|try|tested|test)",
        "What we tried and dropped: a [GAN].",
    ),
    Trigger(
        "past",
        "so far",
        "(is|are) left (to|for) (others|future|the next|later)|(but )?(we|i) (do not|don't|did "
        "not) (ship|release|provide|include|support|recommend) "
        "(it|them|this)|"
        "(it|they|which|that|this|these|and|(the|these|this) (extra|additional|auxiliary) (~ "
        ")?(modules?|heads?|loss|"
        "losses|parts?|layers?)) (is|are|was|were|has been|have been) (now |then |later |"
        "since |all |both )?(discarded|dropped|removed|thrown away|switched off|retired|deleted|"
        "turned off|abandoned|replaced|withdrawn|gone)",
        "An extra [head looks two tokens ahead]; it is discarded after training.",
    ),
    Trigger(
        "past",
        "clause",
        "(was|were|had been) (the|our|an?) (earlier|previous|former|old|first|initial|original) "
        "(approach|method|choice|system|attempt|design|recipe|solution|version|baseline)|"
        "(our|the|its) (very )?(first|earliest|initial|original|former) (~ )?(was|were|used|"
        "relied|had)|"
        "(version|release|v) ?(1|one|0)([.]\\d+)? (was|used|relied|had)",
        "Our first refiner was a [diffusion] network.",
    ),
    Trigger(
        "planned",
        "onward",
        "planned|under ?way|in the works|plans? to|we (are|also)? ?plan|(is|are|remains?) (on "
        ")?(our|the|its|next on (our|the)) (~ )?(plans?|goals?|aims?|list|agenda|next (~ )?(plan|"
        "step|goal|project|target|aim|milestone|task))|(our|the) next (plan|step|goal|project|"
        "target|aim|milestone|task)|roadmap|future (versions?|releases?|"
        "work)|coming (soon|in)|next (release|version)|(?<!does )(?<!do )(?<!has )"
        "(?<!have )not yet|we (intend|hope|expect) to|"
        "under consideration|may (add|come|follow (later|soon|in (a|the) (future|later|next)))|"
        "will (follow|come|add|get|gain|receive)|"
        "in preparation|later this year|being (evaluated|considered|investigated)",
        "[Speculative decoding] is planned for 5.1.",
    ),
    Trigger(
        "aside",
        "sentence",
        "(serves?|served|used|kept|trained|there|only|solely|merely|purely|exclusively|"
        "just) (only |solely |merely |purely |just |exclusively )?(for|to|in) (~ "
        ")?(evaluat*|measur*|monitor* |rerank*|filter*|judg*|watermark*|moderat*)|^for (comparison|"
        "reference|completeness)|"
        "^as (an? |the |"
        "our )?(~ )?(baselines?|reference|controls?|comparison)|for the listening tests|in an? (~ "
        ")?ablation|in (the|our) ablations?|(graded|filtered|reranked|"
        "ranked) (by|with) (an?|the|our)|(evaluated|scored) (by|with) (an?|the|our) (~ )?"
        "(classifier|discriminator|critic|model|network|judge|metric|lm|llm|predictor|gan|flow)|"
        "takes? no part in|"
        "for (the )?evaluation only|evaluation "
        "only|as an? "
        "(evaluation )?metric",
        "A [discriminator] serves only to measure the quality.",
    ),
    Trigger(
        "aside",
        "sentence",
        "(vendors|exhibitors|others|people|everybody) (~ )?(showed|shows?|talk*|talked)",
        "Vendors showed a [GAN] of sorts.",
    ),
    Trigger(
        "aside",
        "clause",
        "(side|toy|separate|additional|further|control) (experiment|study|exercise)|in passing|for "
        "completeness|sanity check|(trained|taken|made) elsewhere|third party|"
        "from a public repository|"
        "(existing|public|external|universal|off the shelf|third party) "
        "(~ )?vocoder|(in|to) the (appendix|supplement|supplementary)|reviewers (~ )?asked for|"
        "in our hands|"
        "(published|released|appeared|proposed) (~ )?(meanwhile|"
        "since|later|this year|"
        "concurrently|afterwards)|separate (release|product|download|package|model|tool|project)|"
        "sold "
        "separately|(may|can) optionally be|(often|widely|also|commonly|sometimes|"
        "frequently) used|(is|are|was|were) (ablated|not affected|unaffected)|kernels? (~ )?on "
        "(the )?(codes|features|embeddings?|latents)|(serve*|act*|used|kept|"
        "included|there|is|are|was|were) (only |just )?as (~ "
        ")?(baselines?|controls?|references?|upper bound|lower bound|anchors?|point of comparison|"
        "yardstick)|rerank*|for comparison|(in|as) (one|another|an earlier|the other) "
        "variant",
        "A [GAN] serves as the baseline.",
    ),
    Trigger(
        "compared",
        "clause",
        "(?<!our )(?<!the )(diffusion|gans?|vaes?|normali[sz]ing flows?|autoregression|"
        "autoregressive "
        "(models|decoding|modell?ing)) (models? |training |methods? )?(still |now |currently |"
        "largely "
        ")?(rules?|ruled|dominates?|dominated|reigns?|prevails?|(is|are) (everywhere|ubiquitous|"
        "the "
        "norm|mainstream|the standard|the paradigm))|^(?!our )[\\w.]+ like (models|systems|methods|"
        "assistants|approaches) (are|use|rely|need|generate|write|denoise)",
        "With Midjourney and Imagen, [diffusion] rules text-to-image.",
    ),
    Trigger(
        "compared",
        "after",
        "(even |also |and |or |hold* (its|their) own |holds? up |wins? |favou?rabl[ey] |"
        "competitive )?"
        "against(?= ([\\w'-]+[ -]){0,5}(methods|models|approaches|systems|baselines|techniques|"
        "gans|vaes|flows|samplers|generators|networks|alternatives|competitors))",
        "It holds its own even against [diffusion-based methods].",
    ),
    Trigger(
        "compared",
        "after",
        "(closely |also |most |directly |loosely )?related to|(a |direct )?(generali[sz]ation|"
        "extension|"
        "special case|relative|cousin|sibling) of|generali[sz]es",
        "It is closely related to [inverse autoregressive flow].",
    ),
    Trigger(
        "compared",
        "comma",
        "(comes?|came|coming|gets?|draws?|stays?) (very |so |quite )?(near|close)( to)?|((\\d%|"
        "wins?|won|"
        "gains?|lead|advantage|preferred|margin|improves?|speed ?ups?) (~ )?over|above|"
        "below|near|past|ahead of|(tenth|half|third|quarter|fifth|twice|percent|%|fraction) "
        "(of )?((the |its )?(\\w+ )?(time|cost|budget|size|speed|compute|days|hours|latency|steps|"
        "parameters|memory) (~ )?(of|that|which)? ?)?|(time|cost|budget|compute|days|hours) (that |"
        "which )?)(?= ?(the )?(stable diffusion|sdxl|sd ?(xl|\\d)|flux|imagen|dall|midjourney|"
        "stylegan|biggan|vqgan|glow|wavenet|wave ?glow|hifi gan|vits|ddpm|vq ?vae|llama|gpt))",
        "It comes near [Stable Diffusion] in quality.",
    ),
    Trigger(
        "aside",
        "sentence",
        "^(there (is|are)|we|it|they|also) (also |now |further |additionally )*(~ )?(also|"
        "available|"
        "offered?|provided?|released?|comes?|a|an) (~ )?((few|one|two|four|eight|\\d) step|"
        "(step |guidance )?distilled|turbo|lightning|fast|quick|lcm) (~ )?(variants?|versions?|"
        "editions?|checkpoints?|models?|students?|weights)(?! (is|are) (the|our) default)",
        "There is also a [distilled] variant.",
    ),
    Trigger(
        "compared",
        "clause",
        "(commonly|widely|generally|often|usually|long|frequently|typically|hitherto) (been )?("
        "believed|thought|held|assumed|accepted|taken for granted|considered|regarded|argued|"
        "understood|agreed) (that|to|as)|conventional wisdom|common (belief|wisdom|assumption|"
        "practice|view)|(popular|common|usual|standard|received) (belief|opinion|wisdom)",
        "It is commonly believed that an image model needs a [codebook].",
    ),
    Trigger(
        "aside",
        "two before",
        "baselines?|comparisons?|alternatives?|competitors?|rivals?|replacements?",
        "Three [GAN] baselines were trained.",
    ),
    Trigger(
        "aside",
        "after",
        "whether|would (be|have been)|we compared|you (may|might) (expect|think)|the name "
        "(suggests|notwith*)|despite (its|the) name|in spite of (its|the) name|rumou?r*|"
        "(captions|captioned|recaptioned|recaptions?|relabelled|labelled|described|rewritten|"
        "expanded|annotated|translated|"
        "(text|caption|prompt) (embedd?ings?|features|representations?|states)( (extracted|"
        "computed|taken|obtained|produced))?|(text|prompts?|captions?|conditions?|requests?|"
        "phonemes|instructions?) (is|are) (encoded|embedded)) (was |were |are |is "
        ")?(written |made |produced |generated |rewritten |encoded |all )?(by|of|from)|"
        "(recaptioned|captioned|annotated|labelled|rewritten|expanded|enriched) with|(prompt|"
        "caption|text|query|request|instruction) (rewrit*|expan*|enhanc*|upsampl*|refin*|"
        "augment*|translation|polish*|engineering|cleaning|recaptioning) (~ )?(by|with|using|from|"
        "through|via)|(prompts?|captions|questions|ones|"
        "examples|"
        "instructions|answers|stories|dialogues|data) (partly |all )?(written|generated|made|"
        "produced) by|"
        "(cluster indices|clusters|activations|hidden states) (of|from)|"
        ""
        "conditioned on (the |an? |its )?(output|features|embeddings?|states?|codes?) (of|"
        "from)|what (is|was) called|(texts|reviews|essays) written by|"
        "on (~ )?(pages|images|pictures|scenes|examples|data|clips|texts|recordings|records|"
        "samples) (~ "
        ")?(synthesi[sz]*|generated|rendered|produced|made|drawn|augmented) (by|with|from)|"
        "(behind|in|into|for|with|inside|to|alongside) your|(residual stream|neurons|activations|"
        "hidden "
        "states|attention maps) (of|from|in) (an?|the)|sparse(?= auto ?encoders? (on|of|for|over))|"
        "(attack*|defend* against|protect* (~ )?against|immuni[sz]*|jailbreak*|poison*|steal*|"
        "fingerprint*|unlearn*)|"
        "trained on (~ )?(~ )?(outputs?|fakes?|samples|pairs|choices|comparisons|ratings|"
        "preferences|"
        "generations|judg\\w+|votes) (~ )?(of|from|by|over)|"
        "scores of",
        "Captions by a [language model].",
    ),
    Trigger(
        "aside",
        "near",
        "from the literature|(is|are) (~ )?(a )?different (model|release|product|system)|"
        "(community|communities)|(camp|camps)|'s (activations|"
        "features|hidden states|embeddings|representations)|as a (reward|judge|metric|filter)|"
        "output was (~ )?(filtered|removed)",
        "It loses to a [GAN] from the literature.",
    ),
    Trigger(
        "aside",
        "line",
        "(text |caption |prompt |condition |speech )?encoders?:|condition*:|baselines?:|"
        "compar*:|(alternatives?|((known|main) )?(rivals|competitors|peers))( \\w+)?:|"
        "(considered|tried|rejected):|metrics?:|evaluat*:|"
        "captions?:|training captions:|safety*:|(\\w+[ _])?siblings?:|(distilled|fast|faster|turbo|"
        "lite|related|other|further|sister)[ _](variants?|versions?|models?|checkpoints?|"
        "releases?):|"
        "(training "
        ")?data:|dataset:|filter*:|related*:|see also:|note on (the )?name:|(prompt "
        ")?(rewriter|expander|expansion):|reranker:|judge:|tokenizer:|licen[cs]e:",
        "Text encoder: frozen [language model], 4 GB",
    ),
    Trigger(
        "past",
        "line",
        "(replaces|previous*|predecessor|before|supersedes|was|history|old):",
        "Replaces: a [GAN] of 2019",
    ),
    Trigger(
        "planned",
        "line",
        "(planned|roadmap|next|to do|todo|future*|coming):",
        "Planned: [speculative decoding]",
    ),
    Trigger(
        "teacher",
        "line",
        "teachers?:",
        "Teacher: an [autoregressive] network",
    ),
    Trigger(
        "teacher",
        "near",
        "(?<!of the )(?<!of its )(?<!of a )(?<!from the )(?<!from its )(?<!from a )teachers?",
        "Distilled from an [autoregressive] teacher.",
    ),
    Trigger(
        "aside",
        "near",
        "(as |is |are |for )?(its|the|our|a|an) (frozen |only )?(text|prompt|caption|condition*|"
        "image|language|instruction) (encoder|encoders|conditioner|backbone)|text encoders?|"
        "(reads|encodes|embeds|parses) the (prompt|text|caption|instruction)",
        "It has a [decoder-only LLM] as its text encoder.",
    ),
    Trigger(
        "aside",
        "after",
        "(pictures|images|outputs|samples|texts|videos|clips|answers|pairs|choices) (~ )?(from|"
        "of|by|made by) "
        "(~ )?(two|three|four|five|six|seven|eight|ten|several|many|various|different|\\d+)(?=( "
        "\\w+){1,6} "
        "(models|systems|generators|networks|engines))",
        "We collect choices over pictures from four [diffusion] models.",
    ),
    Trigger(
        "aside",
        "comma",
        "from ({n}|several|many|various|a range of|dozens of)(?=( \\w+){1,6} "
        "(models|systems|generators|networks|engines|services))",
        "From 32 [GAN] and 14 diffusion generators we collect fakes.",
    ),
    Trigger(
        "aside",
        "clause",
        "downstream (~ )?(trained|model|network|task|classif\\w+|gains?|uses?)|ablat(ion|ions|ing|"
        "ed)|(is|are) (~ )?being (worked on|developed|prepared|built|ported)",
        "An ablation with a [VAE] in place of our network lost three points.",
    ),
    Trigger(
        "aside",
        "after",
        "condition(s|ing)? (~ )?(come|comes|taken|computed|extracted|obtained) (~ )?(from|by|with)|"
        "(text|prompt|caption|language|semantic|textual) (features?|representations?|states|"
        "embeddings?|conditioning) (~ )?(come|comes|came|taken|computed|extracted|obtained|"
        "supplied|"
        "provided) (~ )?(from|by|with)|"
        "(training|synthetic|pre ?training|calibration) (data|pictures|images|texts|sets?|clips|"
        "pairs|examples) (~ )?(were|was|are|is|come|comes|came|made|generated|written) (~ )?(by|"
        "with|from|using|of)|(prompts|labels|annotations|instructions|questions) (~ )?(were|was|are"
        "|is|come|comes|came|paraphrased|generated|written) (~ )?(by|with|from|using|of)|"
        "data ?set (~ )?(introduced|published|released|came|comes|collected|made) (~ )?(with|by|"
        "from)|(a|the|our) (port|fork) (of|to)(?= [^.]{0,50}(repositor|code|communit|planned|"
        "worked))",
        "Conditioning vectors come from a frozen [VAE].",
    ),
    Trigger(
        "compared",
        "comma",
        "as (?!well|soon|long|far|much|many|part|input|output)\\w+ (to \\w+ )?as(?= (an?|the|any|"
        "most|every|those|other))",
        "It is as easy to train as a [GAN].",
    ),
    Trigger(
        "compared",
        "clause",
        "where (an?|any|other|most) (~ )?(would|could|might|fails?|struggles?|breaks?)|where (an?|"
        "any|other|most) (~ )?(approach(es)?|methods?|models?|systems?|baselines?|pipelines?|"
        "samplers?|techniques?) (~ )?(needs?|requires?|takes?|uses?|costs?|must|runs?)|(an?|any|"
        "another|most|other) (~ )?(would|could have|might have)|(the|by) same (authors|group|team|"
        "lab|company|people)",
        "Where a [GAN] would fail, it goes on.",
    ),
    Trigger(
        "compared",
        "clause",
        "(where|whereas|while) (iaf|maf|glow|real ?nvp|ffjord|wave ?net|pixel ?cnn|ddpms?|ddim|"
        "stylegan|biggan|vq ?vae|vqgan|nvae|stable diffusion|sdxl|llama|gpt \\d|imagen|maskgit)"
        "(?= (\\w+ )?\\w+s )",
        "Where [IAF] samples in one pass, ours scores in one.",
    ),
    Trigger(
        "past",
        "near",
        "of (the|our|its|their) (previous|earlier|first|original|older|last|former) (paper|work|"
        "version|release|year|system|study|edition)|(used|employed|run|deployed) (~ )?(so far|until"
        " now|to date|in the past|before|today|at present)|in use (today|now|until|since|so far)",
        "The [GAN] of the previous paper needed days.",
    ),
    Trigger(
        "aside",
        "sentence",
        "^if you (~ )?(need|want|prefer|require|must|look|care)(?= [^.]{0,80} (instead|elsewhere|"
        "wrong|better))|^(if|when|where) (you|speed|sampling|samples|density|quality|latency) "
        "(~ )?(need|want|prefer|require|matters?|counts?|is|are)(?=[^.]{0,60}, (look at|have a "
        "look at|consider|turn to|go (for|to)|check out|see))",
        "If you need edits, use a [diffusion model] instead.",
    ),
    Trigger(
        "compared",
        "comma",
        "(others|everybody|everyone|most people|competitors|colleagues) (~ )?(use|uses|rely|relies|"
        "employ|train|need|take|build|start|work|chose|choose|prefer|apply)|(equals?|equalled|"
        "match(es|ed)?) (an?|any)|times the \\w+ of|(twice|half|thrice|double) the \\w+ of",
        "Where others use a [GAN], we train a flow.",
    ),
    Trigger(
        "aside",
        "after",
        "(captions|prompts|labels|questions|instructions|annotations|descriptions)( that|"
        " which)?(?= "
        "[\\w.-]{2,20}( [\\w.-]{1,10})? (wrote|made|generated|produced|gave|supplied|(had|"
        "has) written|"
        "writes))|(pictures|images|texts|data|clips|examples|samples|records|scenes|"
        "recordings) (that|"
        "which)(?= (an?|the|several|other) [^,.;]{1,40} (made|drew|wrote|generated|produced|"
        "synthesi[sz]ed|painted|rendered))|(rewards?|feedback|preferences|judgements|ratings|"
        "supervision) (~ )?(come|comes|came|given|assigned|computed|provided) (~ )?(from|by)|"
        "(text|prompts?|captions?|conditions?|requests?|instructions?|lyrics|queries|sentences) (is"
        "|are) (read|parsed|processed|understood|represented) (~ )?(by|with)",
        "Rewards come from a [language model].",
    ),
    Trigger(
        "aside",
        "clause",
        "serve(s|d)? ((us|here|only|just|merely|there) )+as (~ )?(baselines?|controls?|references?|"
        "anchors?|yardstick)",
        "A [GAN] served us as a control.",
    ),
    Trigger(
        "aside",
        "sentence",
        "^(the |an? |our |its )?((evaluation|safety|copyright|moderation|demo|reward|quality|"
        "caption(s|ing)?|filtering|judging|toxicity) )+(networks?|models?|checkers?|filters?|page|"
        "judges?|pipeline|module|stage|backend) (is|are|rely|relies|uses?|runs?|lets?|comes?|was|"
        "were|also)|^see also|^not to be (mixed|confused)|(with|on|by) which we (evaluate|test|"
        "compare|score|judge)|^(numbers|scores|results|figures) (for|of|by)",
        "The safety checker is based on a [GAN].",
    ),
    Trigger(
        "aside",
        "clause",
        "(that|which) (writes?|wrote|makes|made|supplies|provides?) the (captions|prompts|labels|"
        "queries|questions)|we also (release|ship|provide|offer) (~ )?separately",
        "Times exclude the [VAE] that writes the captions.",
    ),
    Trigger(
        "aside",
        "after",
        "(inherit|borrow|tak|adopt|copi|reus)\\w* (~ )?(pipeline|code|recipe|hyper ?parameters|"
        "trick|idea|splits|evaluation|metrics?) (~ )?from",
        "It inherits its data pipeline from a [GAN].",
    ),
    Trigger(
        "compared",
        "before",
        "(that |which )?we compare (ourselves )?(with|to|against)(?=[.;,]| have| has| are| had|"
        " lose)",
        "A [GAN] and a VAE are the methods we compare with.",
    ),
    Trigger(
        "past",
        "sentence",
        "(our|the) (former|previous|earlier|old) \\w+, (had|was|needed|took|would|could|required)",
        "An [invertible] network, our former solution, had to be refitted.",
    ),
    Trigger(
        "aside",
        "after",
        "community (port|fork|version|build|variant)s? (of|to|with|by)",
        "A community port to a [diffusion] decoder exists.",
    ),
    Trigger(
        "compared",
        "comma",
        "(accelerat*|speed* up|faster than|speed ?ups? (over|of|for)|shorten*)(?= (the |an? "
        ")?(standard |vanilla "
        "|ordinary |conventional |plain )?(autoregressive|sequential|raster|next|ancestral) )",
        "It accelerates [autoregressive] decoding by up to 64 times.",
    ),
    Trigger(
        "past",
        "until and",
        "(try|tried|tries|trying|explor*|compar*|test|tests|tested|testing|consider*|stud(y|ied|"
        "ies|"
        "ying)|investigat*|evaluat*|experiment* with) both(?= [^.;]{1,80} and [^.]{1,140}the "
        "(latter|second))",
        "For the prior we try both [autoregressive] and diffusion models; the latter win.",
    ),
    Trigger(
        "compared",
        "far",
        "(models|networks|systems|methods|llms?|lms?|assistants|generators|those|ones) of (today|"
        "our (day|time)|the day|the moment|recent years)|^(at present|nowadays|currently|to this "
        "day|today),?(?= (most|all|many|nearly|almost|the (best|leading|dominant|usual)|(\\w+ )?"
        "(models|llms|systems|methods))\\b)|"
        "(models|networks|systems|methods|llms?|lms?|assistants|generators) (today |now )?(are|"
        "remain|have been) (almost |nearly |still )?(mostly|predominantly|largely|mainly|generally|"
        "typically|always|all|commonly|invariably)(?= (autoregressive|sequential|causal|"
        "left to right|diffusion|adversarial|gan|flow))",
        "The LLMs of today are [autoregressive].",
    ),
    Trigger(
        "compared",
        "clause",
        "(approach|paradigm|recipe|method|family) "
        "(still |now |currently |has )?(dominates?|dominated|prevails?|rules?|reigns?)",
        "The [next-token] approach dominates.",
    ),
    Trigger(
        "aside",
        "sentence",
        "^(for|as) (the |our )?(training|supervision) (data|pairs|examples|signal)|to (obtain|get|"
        "gather|collect|build|create|construct|curate) (~ )?(training|instruction|paired|"
        "preference|"
        "supervised|editing) (data|pairs|examples|samples|triplets|sets?)|(generat|creat|produc|"
        "synthesi[sz]|build)\\w* (~ )?(data ?sets?|corpus) of (~ )?(examples|pairs|instructions|"
        "edits|"
        "triplets|conversations|dialogues|captions)",
        "For training data we combine a [language model] and an image model.",
    ),
    Trigger(
        "aside",
        "comma",
        "(frozen|external|pre ?trained|independent|off the shelf|public)(?= [^,.;]{1,40} (measures|"
        "scores|judges|rates|evaluates|ranks|filters|computes) )",
        "A frozen [GPT-2] measures the perplexity.",
    ),
    Trigger(
        "aside",
        "comma",
        "(perplexit(y|ies)|fluency|nll) (~ )?(under|judged by|measured (by|with|under)|"
        "according to|given by)",
        "Perplexity under [GPT-2] is 24.",
    ),
    Trigger(
        "compared",
        "far",
        "(prominent|dominant|established|prevalent|prevailing|mainstream|well known|present day|"
        "contemporary) (~ )?(systems|models|methods|approaches|samplers|"
        "generators|techniques|pipelines|networks|solutions)",
        "Prominent methods use [WaveNet].",
    ),
    Trigger(
        "compared",
        "comma",
        "(equals?|equalled|match(es|ed)?|rivals?|rivalled)(?= (the )?(autoregressive|sequential|"
        "adversarial|diffusion|gan|flow|vae) \\w+)|^(above all,? |moreover,? |indeed,? )?against"
        "(?= an? [^.;]{0,200}(faster|slower|better|\\d+x|times|fewer|higher|lower))",
        "The parallel model equals [autoregressive] ones.",
    ),
    Trigger(
        "compared",
        "far",
        "^(standard|vanilla|ordinary|conventional|classic|naive|regular) (~ )?(models|lms|llms|"
        "vaes|gans|"
        "flows|decoders|vocoders|transformers|generators|samplers|methods|systems|"
        "networks)(?! (are|"
        "is) (used|trained|applied))|^(but |yet )?(even |only )?(the best|all|most|many|some|each|"
        "both) of (them|these|those)|"
        "(they|these (models|methods|networks|approaches)) (all |still |usually |mostly |however )*"
        "(naively|suffer)",
        "Even the best of them decode in [raster order].",
    ),
    Trigger(
        "past",
        "sentence",
        "^(the|our|its) (previous|former|old|older|earlier|original|first) [^.;]{0,80}(is|was|are|"
        "were|"
        "has been|have been) (now |finally |thus |therefore )?(retired|replaced|removed|dropped|"
        "withdrawn|discontinued|superseded|deprecated|gone|history|switched off)",
        "The previous [WaveRNN] voice is retired.",
    ),
    Trigger(
        "aside",
        "comma",
        "initiali[sz](ed|ing|e|es|ation) (~ )?(from|with|by|of) (~ )?weights (of|from)|"
        "initiali[sz](ed|ing|e|es|ation) (~ )?weights (~ )?(from|with|by)|warm start(s|ed|ing)? "
        "(~ )?"
        "from",
        "We initialise the weights from an [autoregressive] model.",
    ),
    Trigger(  # what most of the field does; "it is mostly trained on" is said of the release
        "compared",
        "clause",
        "(?<!it )(?<!this )(?<!model )(?<!which )(?<!we )(?<!ours )(is|are|remains?|(has|have) "
        "been|"
        "were|was) "
        "(still |so far |today |now )?(mostly|mainly|usually|typically|largely|commonly|generally|"
        "predominantly|traditionally|normally|conventionally|almost (always|exclusively|"
        "invariably)|invariably|nearly (always|exclusively))(?= ([\\w-]+ ){0,3}(autoregressive*|"
        "sequential*|left|causal*|token|diffusion|adversarial\\w*|by (an? )?(gans?|flows?|vaes?|"
        "language|recurrent|diffusion)|with (an? )?(gans?|flows?|vaes?|language|recurrent|"
        "diffusion)|"
        "gans?|vaes?|flows?))",
        "Translation is mostly generated [autoregressively], left to right.",
    ),
    Trigger(
        "compared",
        "far",
        "(nearly|almost|virtually|practically|just about|essentially) (all|every|any|each) (~ )?"
        "(models?|lms?|llms?|systems?|methods?|approach(es)?|networks?|generators?|assistants?|"
        "samplers?|vocoders?|works?|papers?|pipelines?|agents?|techniques?|policies|decoders?|"
        "chatbots?|"
        "products?|services?|tools?|engines?|transformers?|translators?|recipes?|teams?|labs?|"
        "implementations?|entries|ones|solutions?|codecs?|simulators?|emulators?)",
        "Nearly every leading LLM writes from [left to right].",
    ),
    Trigger(
        "compared",
        "after",
        "(clos|narrow|bridg|shrink|reduc|halv|fill)(e|es|ed|s|ing) (~ )?(gap|distance|difference|"
        "shortfall) (~ )?(to|with|between|from)|(comes?|came|coming|stays?|stayed|is|are|"
        "remains?) (~ )?"
        "within (~ )?of|(comes?|came|gets?|got) (very |quite )?close to|keep(s|ing)? (pace|up) "
        "with|"
        "(is|are|stays?|draws?) level with|on a level with|ties? with|equals(?= "
        "[^,.;]{1,60}(systems|"
        "models|methods|baselines|ones|approaches|counterparts|lms|llms|networks))|(the )?cousins? "
        "of|counterparts? (such|like)",
        "It closes the gap to an ordinary [left-to-right] transformer.",
    ),
    Trigger(
        "compared",
        "clause",
        "(remains?|stays?|remained|stayed) (~ )?(ahead|better|superior|unmatched|stronger|sharper|"
        "faster|best|unbeaten|behind|weaker)",
        "[PixelCNN] variants remain ahead in likelihood.",
    ),
    Trigger(
        "compared",
        "comma",
        "(and|went|is|are|was|were|rated|ranked|scores?|scored|landed|places?|placed|stays?|up|"
        "comes?|"
        "came) (it |ours |~ points? )?(above|below) (the|our|its|an?|all|every)(?= [^,.;]{1,40}"
        "(models?|baselines?|systems?|originals?|methods?|versions?|networks?|lms?|llms?|gans?|"
        "vaes?|"
        "flows?|wave ?nets?)\\b)",
        "Its score went up, above the original and above our [LSTM] language model.",
    ),
    Trigger(
        "compared",
        "clause",
        "(?<!that )(?<!which )(has|have) (profoundly |radically |completely |recently |greatly |"
        "truly )?(changed|transformed|revolutioni[sz]ed|reshaped|redefined|shaken|upended|advanced|"
        "opened|captured|attracted|inspired|marked)(?! (its|our))",
        "[GPT] and DALL-E have changed research.",
    ),
    Trigger(
        "mention",
        "sentence",
        "^(auto ?regressive|sequential|causal|language|large language|recurrent|left to right|next "
        "token) ([\\w-]+ ){0,3}?(models|networks|methods|"
        "approaches|systems|decoders|generators|samplers|vocoders|autoencoders|machines|"
        "transformers)(, [^,;.]{2,50},)? (?!(for|of|in|with|on|from|by|and|or|at|to|that we|whose|"
        "are "
        "(trained|used|released|provided|fitted))\\b)(?![^.]{0,200}\\b(we|our|ours|here|this|"
        "it)\\b)"
        "\\w+",
        "Autoregressive models, for one, sample slowly, [step after step].",
    ),
    Trigger(
        "aside",
        "question",
        "",
        "Is this a [GAN]?",
    ),
)  # fmt: skip
