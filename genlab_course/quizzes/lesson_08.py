"""Quiz of lesson 08: Wasserstein distance and the gradient penalty."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Two point masses move from distance 3 to distance 1. What happens to JS and to $W_1$?",
        (
            Option(
                "Both fall.",
                "JS depends on which outcomes are shared, and none is at either distance: it "
                "stays at $\\log 2$.",
            ),
            Option(
                "JS stays at $\\log 2$, $W_1$ falls from 3 to 1.",
                "JS asks only whether the two can be told apart, $W_1$ how far mass must travel.",
                right=True,
            ),
            Option(
                "JS falls, $W_1$ stays.",
                "It is the other way round: $W_1$ is mass times distance.",
            ),
        ),
    ),
    Question(
        "What is the number that a WGAN critic gives to an image?",
        (
            Option(
                "The probability that the image is real.",
                "That is a GAN's discriminator. A critic is not squashed to $[0, 1]$; adding 5 to "
                "all its values changes nothing.",
            ),
            Option(
                "The distance of the image from the data.",
                "A distance to a set is never negative and zero on it; the critic is neither. "
                "Only the gap between its two means estimates a distance, between *laws*.",
            ),
            Option(
                "A price, of which only differences mean anything.",
                "Kantorovich's potential: the gap between its means over real and generated "
                "images is what approaches $W_1$.",
                right=True,
            ),
        ),
    ),
    Question(
        "Where does the gradient penalty look at the critic's slope?",
        (
            Option(
                "At real images.",
                "That is $R_1$, which moreover pulls the slope to 0 and not to 1.",
            ),
            Option(
                "At generated images.",
                "The critic could then be as steep as it likes on the way to the real ones.",
            ),
            Option(
                "At a random point between a real and a generated image.",
                "Between points that the best plan couples, the best critic has slope 1. The plan "
                "is unknown, so pairs are drawn at random: a heuristic that works.",
                right=True,
            ),
            Option(
                "Everywhere in space.",
                "That is what the theorem wants, but nobody can sample all of space; the penalty "
                "settles for the segments.",
            ),
        ),
    ),
    Question(
        "With penalty weight $\\lambda$, the trained critic's gap is compared with the true "
        "$W_1 = W$. On two point masses it is",
        (
            Option(
                "a little too large: $W(1 + W/2\\lambda)$.",
                "A penalty is a price, not a wall: the critic overshoots slope 1 until the next "
                "bit of steepness costs as much as it earns.",
                right=True,
            ),
            Option(
                "exactly $W$, once trained.",
                "It would be under a hard constraint. Here slope 1 is not the optimum.",
            ),
            Option(
                "a little too small.",
                "A penalty on slopes above and below 1 is flat at 1, while the reward for "
                "steepness is not: the balance lies above.",
            ),
        ),
    ),
    Question(
        "Weights clipped to $[-0.01, 0.01]$ make the critic Lipschitz. Why is this a poor cure?",
        (
            Option(
                "Because the critic is then not Lipschitz.",
                "It is: bounded weights bound the slope. The bound is just not 1.",
            ),
            Option(
                "Because the achieved constant is an accident of depth and width.",
                "It may be a thousand times too small, and the estimate of $W_1$ shrinks with it.",
                right=True,
            ),
            Option(
                "Because clipping costs too much time.",
                "It is the cheapest of all; the gradient penalty costs a second backward pass.",
            ),
        ),
    ),
    Question(
        "Which of these does the Wasserstein loss *not* repair?",
        (
            Option(
                "The vanishing gradient on disjoint supports.",
                "It repairs that: the critic's slope is about 1 between them. (So does the "
                "non-saturating loss of lesson 07, with a slope that nothing bounds.)",
            ),
            Option(
                "A loss that says nothing about progress.",
                "It helps: the critic's gap tracks the distance, with the bias you measured.",
            ),
            Option(
                "The missing likelihood.",
                "The generator is still $x = G(z)$: no formula gives $p(x)$.",
                right=True,
            ),
        ),
    ),
    Question(
        "Which loss does the StyleGAN family of face generators use?",
        (
            Option(
                "WGAN-GP.",
                "True of ProGAN before them; StyleGAN and its successors use "
                "the non-saturating loss with $R_1$.",
            ),
            Option(
                "The non-saturating logistic loss with an $R_1$ penalty.",
                "$R_1$ only asks for a flat critic at the data, which makes the game settle.",
                right=True,
            ),
            Option(
                "The saturating minimax loss.",
                "It gives the generator no gradient where it is losing (lesson 07).",
            ),
        ),
    ),
)
