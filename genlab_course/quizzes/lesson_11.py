"""Quiz of lesson 11: score matching and score-based generation."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Why does a score model not need the partition function $Z$?",
        (
            Option(
                "Because it estimates $Z$ on the way.",
                "It never does: from a score alone, $Z$ would cost an integral over all of space.",
            ),
            Option(
                "Because $\\log Z$ does not depend on $x$, so its gradient in $x$ is zero.",
                "The gradient in $\\theta$ is another matter: there $\\log Z$ stays, and with it "
                "the negative phase of lesson 10.",
                right=True,
            ),
            Option(
                "Because $Z = 1$ for normalised data.",
                "The data's density has $Z = 1$; a model's has not, unless someone sees to it.",
            ),
        ),
    ),
    Question(
        "Hyvarinen's objective comes out as $-3.2$. What is wrong?",
        (
            Option(
                "A square was computed with the wrong sign.",
                "It contains a trace besides the square, and a good trace is negative.",
            ),
            Option(
                "Nothing: it is a mean square *minus a constant*.",
                "$J_H = J_{SM} - \\frac12\\mathbb E\\lVert\\nabla\\log p\\rVert^2$: at the true "
                "score it is minus that constant.",
                right=True,
            ),
            Option(
                "The network overfits.",
                "It may: over finitely many points the objective has no lower bound. But the sign "
                "alone does not show it.",
            ),
        ),
    ),
    Question(
        "A denoising score network on real images has the training loss 31 and it no longer falls.",
        (
            Option(
                "It has not converged: a perfect network reaches 0.",
                "No network does: which noise was drawn cannot be told from the noisy image.",
            ),
            Option(
                "It may be as good as a network can be; the loss alone does not tell.",
                "The loss is $J_{SM}$ of the noised data plus a positive constant that nobody "
                "knows for real data.",
                right=True,
            ),
            Option(
                "Lower the noise, then the loss falls.",
                "It rises: the floor grows like $D/2\\sigma^2$.",
            ),
        ),
    ),
    Question(
        "What does a network learn from denoising score matching at the single level $\\sigma$?",
        (
            Option(
                "The score of the data.",
                "Only in the limit of no noise, where the target's variance is infinite.",
            ),
            Option(
                "The score of the data blurred by $\\sigma$.",
                "The regression target's conditional mean is $\\nabla\\log p_\\sigma$.",
                right=True,
            ),
            Option(
                "The score of the noise kernel $q(\\tilde x \\mid x)$.",
                "That is the target of each single row; the network sees $\\tilde x$ only and must "
                "average over all $x$.",
            ),
        ),
    ),
    Question(
        "Two far modes hold 80 % and 20 % of the data. Langevin with the exact score at a tiny "
        "noise level stands at 50 : 50 after some hundred steps. Why?",
        (
            Option(
                "The step size is too large.",
                "Smaller steps cross the valley even less often.",
            ),
            Option(
                "Near a mode the weight is a factor of the density, and its gradient is gone; and "
                "in that time hardly a chain crosses the valley.",
                "Nearly every chain is still on the side where it started. In the lesson it takes "
                "17,000 steps to forget the side; after 100,000 it is 80 : 20.",
                right=True,
            ),
            Option(
                "The network has not learned the weights.",
                "There was no network: the score was exact.",
            ),
        ),
    ),
    Question(
        "Tweedie's formula $\\hat x_0 = x_t + \\sigma^2 s(x_t)$ is exact",
        (
            Option(
                "for normal data.",
                "There it is linear; but nothing in the derivation uses the data's shape.",
            ),
            Option(
                "for small noise.",
                "It holds at every level: it is one line of Bayes.",
            ),
            Option(
                "for any data, if the noise is normal and $s$ the noised score.",
                "The left side is then the posterior mean; it may still look like no example, "
                "as means do.",
                right=True,
            ),
        ),
    ),
    Question(
        "Why are the Langevin steps on the ladder proportional to $\\sigma_i^2$?",
        (
            Option(
                "So that every level takes the same time.",
                "The number of steps is the same anyway.",
            ),
            Option(
                "So that drift and noise of a step keep one proportion on all rungs.",
                "The score is about $1/\\sigma$ long: the drift $\\eta s$ and the noise "
                "$\\sqrt{2\\eta}$ then both go with $\\sigma$.",
                right=True,
            ),
            Option(
                "Because the loss is weighted by $\\sigma^2$.",
                "The two squares have one root (the score's size), but neither causes the other.",
            ),
        ),
    ),
    Question(
        "Your score network has a higher denoising loss on the *training* images than the exact "
        "score of the blurred training set.",
        (
            Option(
                "Train longer until they are equal.",
                "Then it can only give training images back.",
            ),
            Option(
                "Good: the exact minimiser is the memoriser.",
                "Compare on held-out images instead: at small noise the memoriser is far worse.",
                right=True,
            ),
            Option(
                "Impossible: a network with enough weights is at least as good.",
                "With enough weights and time it would be equal, which is what nobody wants.",
            ),
        ),
    ),
)
