"""Quiz of lesson 10: energies and their constant."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Somebody replaces $E(x)$ by $E(x) + 5$. What changes?",
        (
            Option(
                "The density: every $x$ becomes less likely.",
                "$Z$ shrinks by the same factor $e^{-5}$, and the density is their ratio.",
            ),
            Option(
                "Only $Z$.",
                "An energy has no zero: density, score and samples depend on differences alone.",
                right=True,
            ),
            Option(
                "The score: it points elsewhere.",
                "The score is $-\\nabla E$, and a constant has no slope.",
            ),
        ),
    ),
    Question(
        "Which gradient of $\\log p_\\theta(x) = -E_\\theta(x) - \\log Z_\\theta$ needs "
        "$Z_\\theta$?",
        (
            Option(
                "The one in $x$.",
                "$Z$ is a number that does not contain $x$: it drops out. This is why Langevin "
                "steps are possible.",
            ),
            Option(
                "The one in $\\theta$.",
                "$Z_\\theta$ changes with the parameters; its gradient is the negative phase.",
                right=True,
            ),
            Option("Both.", "In $x$ the constant drops out."),
            Option(
                "Neither: $Z$ is a constant.",
                "Constant in $x$, yes. Leave it out in $\\theta$ and the energy becomes flat: you "
                "saw it happen.",
            ),
        ),
    ),
    Question(
        "You halve the step of an unadjusted Langevin chain. What do you get?",
        (
            Option(
                "Half the bias, twice the time to forget the start.",
                "The excess variance is about $\\eta/2$, the memory about $1/\\eta$ steps.",
                right=True,
            ),
            Option(
                "No bias: it was rounding.",
                "The bias belongs to the step size. Only Metropolis' test, or $\\eta\\to0$, "
                "removes it.",
            ),
            Option(
                "Half the bias at the same cost.",
                "Each step moves less, so more steps are needed for the same journey.",
            ),
        ),
    ),
    Question(
        "Between two deep valleys, what does Metropolis' test do for a Langevin chain?",
        (
            Option(
                "It makes crossings frequent.",
                "It only ever refuses moves. The wait is exponential in the barrier with or "
                "without it.",
            ),
            Option(
                "It makes the chain settle on the right law, as slowly as before.",
                "It corrects where, not when.",
                right=True,
            ),
            Option(
                "Nothing.",
                "Without it even an endless chain settles on a law that is a little wrong.",
            ),
        ),
    ),
    Question(
        "All data lie in the right valley, and CD-1 trains the model. Its loss looks excellent. "
        "The left valley",
        (
            Option(
                "disappears, since there are no data in it.",
                "Nothing in the loss asks about places that neither the data nor the chains visit.",
            ),
            Option(
                "may hold most of the model's mass.",
                "Chains that start at the data never get there, so nothing pushes its energy up.",
                right=True,
            ),
            Option(
                "holds just what it held before.",
                "It *gained* mass: raising the energy around the data makes the rest relatively "
                "better.",
            ),
        ),
    ),
    Question(
        "Why may noise-contrastive estimation treat $\\log Z$ as a parameter, and maximum "
        "likelihood not?",
        (
            Option(
                "Because the noise is Gaussian.",
                "Any noise that can be drawn and evaluated will do, if it covers the data.",
            ),
            Option(
                "Because a classifier is punished for calling everything data.",
                "Too small a $c$ raises the log-odds of the noise as well; likelihood looks at the "
                "data only and would lower $c$ for ever.",
                right=True,
            ),
            Option(
                "Because its estimate of $Z$ is exact.",
                "It is exact at the population's optimum. From samples it has a variance, which "
                "explodes when the noise is far from the data.",
            ),
        ),
    ),
    Question(
        "An unbiased $\\hat Z$ from annealed importance sampling is used in "
        "$-E(x) - \\log\\hat Z$. On average this number",
        (
            Option(
                "is the log-likelihood.",
                "The mean of $\\hat Z$ is right, the mean of its logarithm is not.",
            ),
            Option(
                "is too low: a safe bound.",
                "The other way round: $\\log\\hat Z$ is too low, so this is too *high*.",
            ),
            Option(
                "is too high: it flatters the model.",
                "By Jensen. Print it as an estimate and say so; it is neither exact nor a bound "
                "on the safe side.",
                right=True,
            ),
        ),
    ),
    Question(
        "Where do energy-based models stand on the map of four paradigms?",
        (
            Option(
                "They are a fifth one.",
                "They have no sampler of their own: what draws is a chain that follows the score.",
            ),
            Option(
                "With the latent-variable models, since both leave an integral.",
                "The same kind of integral, but over $x$ and not over $z$; there is no bound that "
                "trains them.",
            ),
            Option(
                "Beside the score models: an energy is a density without its constant.",
                "What one uses of it is its slope. Every exact density is an energy too, with "
                "$Z = 1$.",
                right=True,
            ),
        ),
    ),
)
