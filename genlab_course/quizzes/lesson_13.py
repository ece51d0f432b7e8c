"""Quiz of lesson 13: sampling in few steps, and guidance."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Why may DDIM use a network that was trained for DDPM's chain?",
        (
            Option(
                "Because DDIM's forward process is the same Markov chain.",
                "With $\\eta < 1$ it is not even Markov: $x_t$ still tells something about $x_0$ "
                "when $x_s$ is known.",
            ),
            Option(
                "Because the loss depends on each $q(x_t\\mid x_0)$ alone, and these agree.",
                "Every joint law with these marginals has the same loss and the same best network.",
                right=True,
            ),
            Option(
                "Because the network is retrained for few steps.",
                "Nothing is retrained; that would be distillation.",
            ),
        ),
    ),
    Question(
        "You halve the step of a second-order sampler. With the network of this lesson, the error",
        (
            Option(
                "falls to a quarter, always.",
                "The solver's part does, once the steps are small; the network's part stays.",
            ),
            Option(
                "falls to a quarter until the network's own error is what is left.",
                "A solver brings you to the end of the network's flow, which is not the data's.",
                right=True,
            ),
            Option(
                "falls to a half: fresh noise is added.",
                "The second-order samplers of this lesson add none, and their order is 2.",
            ),
        ),
    ),
    Question(
        "“20 steps” of which sampler cost 40 network evaluations, without guidance (or 39)?",
        (
            Option("DDIM.", "One pass a step: 20."),
            Option(
                "DPM-Solver++ (2M).",
                "It remembers the guess before instead of asking again: 20.",
            ),
            Option(
                "Heun (EDM).",
                "Two slopes a step, one in the step to zero noise: 39. A step count without the "
                "sampler says nothing.",
                right=True,
            ),
        ),
    ),
    Question(
        "The guided score is that of $p_t(x)^{1-w}p_t(x\\mid c)^w$ at every level. So guided "
        "sampling draws from",
        (
            Option(
                "$p(x)^{1-w}p(x\\mid c)^w$.",
                "These level-by-level densities are not the noised versions of that one density, "
                "so the flow does not arrive there.",
            ),
            Option(
                "another law: for a normal class its variance is $v^w$.",
                "Raising to a power and adding noise do not commute; the samples end further out "
                "and closer together than the sharpened law.",
                right=True,
            ),
            Option(
                "$p(x\\mid c)$, only faster.",
                "That is $w = 1$; guidance changes the law, not the speed (it costs twice).",
            ),
        ),
    ),
    Question(
        "A program's guidance scale is 7.5. In the formula of the classifier-free guidance paper, "
        "$w'$ is",
        (
            Option("7.5.", "The paper writes $(1+w')\\epsilon_c - w'\\epsilon_u$."),
            Option("6.5.", "$w = 1 + w'$: the paper's zero is plain conditional.", right=True),
            Option("8.5.", "The other direction: the program's 1 is the paper's 0."),
        ),
    ),
    Question(
        "As $w$ grows from 1 to 8 on our digits, which measurement gets *better*?",
        (
            Option("Recall.", "It collapses: the samples of a class become one sample."),
            Option("The Fréchet distance.", "It grows about tenfold."),
            Option(
                "The share that a classifier recognises.",
                "Which is why it must never be the only one: guidance optimises exactly that.",
                right=True,
            ),
        ),
    ),
    Question(
        "Why does a noise-predicting network give a bad guess of $x_0$ near pure noise?",
        (
            Option(
                "Because $\\hat x_0$ divides by $\\alpha_t$: its error is multiplied by "
                "$\\sigma_t/\\alpha_t$.",
                "About 152 at the top of our schedule. EDM's scales keep that factor below "
                "the data's own width, $v$ below 1.",
                right=True,
            ),
            Option(
                "Because noise is harder to predict there.",
                "It is easier: near pure noise the input is the answer.",
            ),
            Option(
                "Because the network never saw such levels.",
                "They are drawn as often as any other.",
            ),
        ),
    ),
    Question(
        "What does it cost to forget the averaged weights (EMA) when sampling?",
        (
            Option(
                "An error message.",
                "If only. Everything runs; the samples are a little worse.",
            ),
            Option(
                "Sample quality, quietly: about a factor 2 in Fréchet distance at mid-training.",
                "The moving weights shake around a good place; the average sits in it.",
                right=True,
            ),
            Option(
                "Nothing, the loss is the same.",
                "The training loss is hardly a witness: most of it is noise that no network can "
                "predict.",
            ),
        ),
    ),
)
