"""Quiz of lesson 01: the four-paradigm map."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "A classifier gives $p(y\\mid x)$ for every photo $x$. Can it draw a new photo?",
        (
            Option(
                "Yes: pick a $y$ and invert the classifier.",
                "There is nothing to invert: many different $p(x)$ share one $p(y\\mid x)$, as the "
                "first checks of this lesson show.",
            ),
            Option(
                "No: it says nothing about which photos are likely.",
                "Sampling needs $p(x)$ or $p(x\\mid y)$, and $p(y\\mid x)$ determines neither.",
                right=True,
            ),
            Option(
                "Only if its accuracy is perfect.",
                "Accuracy is about $y$ given $x$. A perfect classifier still knows no $p(x)$.",
            ),
        ),
    ),
    Question(
        "The chain rule $p(x_{1:n})=\\prod_i p(x_i\\mid x_{<i})$ is",
        (
            Option(
                "an approximation that is good for text.",
                "It is an identity, for every joint distribution; what is approximate is the "
                "network that stands in for each factor.",
            ),
            Option(
                "exact, for every distribution and every order.",
                "Pieces drawn in two orders had the frequencies of the table. The order changes "
                "only how hard each factor is to learn.",
                right=True,
            ),
            Option(
                "exact only if the pieces are independent.",
                "Independence would make every factor $p(x_i)$; the rule holds without it.",
            ),
        ),
    ),
    Question(
        "Two models report on the same held-out set: A has $-1.20$ nats (exact), B $-1.43$ nats "
        "(bound). What follows?",
        (
            Option(
                "A fits better.",
                "Not proved: the likelihood of B is *at least* $-1.43$, and may exceed $-1.20$.",
            ),
            Option(
                "B fits better.",
                "Nothing here favours B: its bound is lower than A's value.",
            ),
            Option(
                "Nothing yet: B may be anywhere above $-1.43$.",
                "A bound orders two models only when it already exceeds the other's exact value. "
                "Tighten it first, or compare samples.",
                right=True,
            ),
        ),
    ),
    Question(
        "Why does `gan.log_prob` not exist in this course?",
        (
            Option(
                "The samples of a GAN follow no distribution.",
                "They do: that of $G(z)$. It just has no formula that one could evaluate.",
            ),
            Option(
                "To evaluate $p(x)$ one would need every $z$ with $G(z)=x$, and nobody can find "
                "them.",
                "In one dimension we found them with a polynomial solver; for a deep network with "
                "fewer latents than pixels most $x$ have none at all.",
                right=True,
            ),
            Option(
                "The critic could be used instead, but it is thrown away.",
                "The best critic knows the *ratio* of the data's density to the generator's, not "
                "either of them.",
            ),
        ),
    ),
    Question(
        "An image model starts from noise and asks its network 30 times, twice per step because of "
        "guidance. How many passes for a batch of 8 images?",
        (
            Option("30", "Guidance doubles it: each step asks with and without the condition."),
            Option("60", "Two passes for each of 30 steps; a batch shares them.", right=True),
            Option(
                "480", "A batch goes through the network together: passes are not multiplied by 8."
            ),
        ),
    ),
    Question(
        "What does the score $\\nabla_x\\log p(x)$ *not* tell you?",
        (
            Option(
                "In which direction $p$ grows.",
                "That is exactly what it tells.",
            ),
            Option(
                "How large $p(x)$ is.",
                "A constant factor of $p$ vanishes in the slope of its logarithm: that is why the "
                "score needs no normalisation, and why it gives no likelihood by itself.",
                right=True,
            ),
            Option(
                "Which noise was probably added.",
                "It does: the expected noise is $-\\sigma$ times the score of the noised density.",
            ),
        ),
    ),
    Question(
        "Where do energy-based models stand on the map?",
        (
            Option(
                "They are a fifth paradigm with its own row.",
                "The map has no row for them: an energy is a density without its constant.",
            ),
            Option(
                "Beside the score models: an energy gives a score, and an unnormalised density.",
                "$\\nabla_x\\log p=-\\nabla_x E$: the constant drops out. Lesson 10 stands before "
                "the diffusion lessons for that reason.",
                right=True,
            ),
            Option(
                "With the flows, because both have a density.",
                "A flow's density is normalised by construction; an energy's is not.",
            ),
        ),
    ),
)
