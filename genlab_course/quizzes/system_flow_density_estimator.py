"""Quiz of the flow density estimator's lab: neural posterior estimation."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "The network never sees a likelihood. Where does it learn the posterior from?",
        (
            Option(
                "From pairs: parameters drawn from the prior, data simulated from them",
                r"The pairs follow the joint law, and the best $q(\theta\mid x)$ under it is "
                "the posterior.",
                right=True,
            ),
            Option(
                "From the observation, over and over",
                "One observation alone says nothing of which parameters make which data.",
            ),
            Option(
                "From many draws of the posterior of one observation",
                "If you had those, you would be finished. Each pair holds one, of its own x.",
            ),
            Option(
                "From the gradient of the simulator",
                "The epidemic draws whole numbers: it has no gradient, and none is needed.",
            ),
        ),
    ),
    Question(
        r"The loss $-\log q(\theta\mid x)$, averaged over pairs, has stopped falling at 0.83 nats. "
        "Is the estimate good?",
        (
            Option("Yes: it is below 1", "The unit of a density is arbitrary; so is 1."),
            Option(
                "No: a good loss is 0",
                "The floor is the entropy of the posterior, which may be any number, even "
                "negative.",
            ),
            Option(
                "The loss cannot tell: its floor, the mean entropy of the posterior, is unknown",
                "Only where the posterior is known is the excess a KL divergence that you can "
                "read off; elsewhere you need ranks.",
                right=True,
            ),
            Option(
                "Yes, if the training loss equals it",
                "That says that nothing was memorised, not that the flow is rich enough.",
            ),
        ),
    ),
    Question(
        "The histogram of ranks has the shape of a U. The posterior is",
        (
            Option("too wide", "Then the truth would sit in the middle of its draws: a hill."),
            Option("shifted", "A shift tilts the histogram: one end full, the other empty."),
            Option(
                "exact, as both ends are equally full",
                "Symmetry only says that it is not shifted; uniform means flat.",
            ),
            Option(
                "too narrow",
                "The truth falls outside of the draws too often, below or above all of them.",
                right=True,
            ),
        ),
    ),
    Question(
        "All rank histograms are flat. What follows?",
        (
            Option(
                "The posterior is exact",
                "The prior, which ignores the data, has flat histograms too.",
            ),
            Option(
                "On average over data, each parameter's spread is honest",
                "That is what the ranks test; sharpness, and single observations, they do not.",
                right=True,
            ),
            Option(
                "The simulator describes the world",
                "The ranks were made with simulated data: the world was never asked.",
            ),
            Option(
                "The classifier test would give 1/2",
                "The prior passes the ranks, and a classifier tells it from the posterior.",
            ),
        ),
    ),
    Question(
        "Why is the last layer a fixed map onto the prior's square, and not a learned one?",
        (
            Option(
                "So that no mass can lie where the prior is zero, and the start is the prior",
                "Every flow before it stays inside by construction; zero layers give the prior.",
                right=True,
            ),
            Option(
                "Because a spline cannot reach the edge",
                "A spline reaches everything; an unbounded flow reaches beyond the edge as well.",
            ),
            Option(
                "Because its log-determinant is zero",
                "It is not: the square is bent, and each point pays its slope.",
            ),
            Option(
                "To make sampling faster",
                "Rejection would cost draws, but the reason is the density: what leaks is "
                "missing inside.",
            ),
        ),
    ),
    Question(
        "Training took a minute. A thousand new observations arrive. You need",
        (
            Option(
                "a thousand trainings",
                "That is what a flow fitted to one posterior would need; this one reads the data.",
            ),
            Option(
                "a thousand chains of Langevin or Metropolis steps",
                "Those need a likelihood for every step, and there is none.",
            ),
            Option(
                "one pass through the network for each: the training is shared",
                "Amortised: the cost was paid once, over all data that the prior can make.",
                right=True,
            ),
            Option(
                "new simulations around each observation",
                "A sequential method would make them, and then serve that observation alone.",
            ),
        ),
    ),
    Question(
        "Which flow do you choose to draw ten million posterior samples of 15 parameters?",
        (
            Option(
                "an autoregressive one: its triangles are full",
                "Fifteen passes for each batch, one after the other.",
            ),
            Option(
                "a coupling one: one pass for a batch, density included",
                "Both directions cost one evaluation of each layer's network.",
                right=True,
            ),
            Option(
                "a continuous one", "Its solver takes dozens of steps, and its density a trace."
            ),
            Option(
                "it does not matter: all have exact densities",
                "Exactness is the same; the number of passes is not.",
            ),
        ),
    ),
)
