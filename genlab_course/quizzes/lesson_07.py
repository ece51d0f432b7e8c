"""Quiz of lesson 07: GANs, the minimax game."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        r"At some $x$ the data have density 0.6, the generator 0.2. The best critic says $D(x)=$",
        (
            Option("0.6", "That is the data's density; the critic also weighs the generator's."),
            Option("0.75", r"$0.6/(0.6+0.2)$.", right=True),
            Option("3", r"Those are the odds $p/q$; $D$ is a probability."),
            Option("0.5", "Only where the two densities are equal."),
        ),
    ),
    Question(
        r"The critic's loss stands at $\log 4 \approx 1.386$ and does not move. What follows?",
        (
            Option(
                "The generator's law equals the data's",
                r"It would follow for the *best* critic. A weak critic sits at $\log 4$ as well.",
            ),
            Option(
                "Training should stop",
                "In this lesson the samples improved several times over while it stood there.",
            ),
            Option(
                "This critic cannot tell real from fake, and no more",
                "The loss measures a pair of players, not the generator alone.",
                right=True,
            ),
        ),
    ),
    Question(
        r"A critic gives a fake $D = 0.01$. The sizes of the slopes in the logit of "
        r"$\log(1-D)$ and of $-\log D$ are",
        (
            Option("0.01 and 0.99", r"They are $D$ and $1-D$.", right=True),
            Option("0.99 and 0.01", "Exchanged: the first loss is the one that saturates."),
            Option("1.01 and 100", r"Those are slopes in $D$; the network puts out the logit."),
        ),
    ),
    Question(
        "Do the two generator losses pull a generator in the same direction?",
        (
            Option(
                "Yes, always: one is a positive multiple of the other",
                r"For one sample the multiple is $(1-D)/D$. It differs from sample to sample.",
            ),
            Option(
                "For each sample yes, for the average over a batch not necessarily",
                "The weights differ, so the sums can even point in opposite directions.",
                right=True,
            ),
            Option(
                "No, they have opposite signs",
                "Both fall when a sample looks more real: for one sample the directions agree.",
            ),
        ),
    ),
    Question(
        "A generator has lost five of eight modes. Which explanation survives this lesson?",
        (
            Option(
                "Jensen-Shannon divergence prefers few modes",
                "At the best critic it falls strictly with every mode that is gained.",
            ),
            Option(
                "The generator is too small to make eight modes",
                "The same network covered all eight with other learning rates and momentum.",
            ),
            Option(
                "The alternating updates do not follow the minimum over generators of that "
                "divergence",
                "Against a critic that lags behind, the best reply is a single point.",
                right=True,
            ),
        ),
    ),
    Question(
        r"In $\min_x\max_y\,xy$ both players step at once with rate $\eta$. The distance from "
        "the equilibrium",
        (
            Option(
                r"falls, for $\eta$ small enough",
                r"The factor is $\sqrt{1+\eta^2}$, above 1 for every $\eta$.",
            ),
            Option(
                "stays the same",
                "That is the flow in continuous time; a finite step leaves along the tangent.",
            ),
            Option(
                r"grows by $\sqrt{1+\eta^2}$ a step",
                "The field is perpendicular to the position: Pythagoras.",
                right=True,
            ),
        ),
    ),
    Question(
        r"What does `gan.log_prob(x)` do in this course?",
        (
            Option(
                "It returns the critic's logit",
                r"That estimates $\log p - \log q$, if the critic is at its best.",
            ),
            Option(
                "It is an `AttributeError`: there is no such method",
                "A capability is the presence of its method; a GAN draws samples and no more.",
                right=True,
            ),
            Option("It returns NaN", "A missing capability is never dressed up as a number."),
        ),
    ),
)
