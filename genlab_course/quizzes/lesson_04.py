"""Quiz of lesson 04: normalizing flows."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        r"$z$ is uniform on $[0, 1]$ and $x = 0.1\,z$. What is the density of $x$ at $0.05$?",
        (
            Option("0.1", "That would spread the mass out; this map squeezes it into a tenth."),
            Option("10", "A tenth of the length, so ten times the density.", right=True),
            Option("1", "That ignores the map: the total over [0, 0.1] would be 0.1."),
            Option(
                "It cannot be 10, since no probability exceeds 1",
                "A density is not a probability; the probability of any set still is at most 1.",
            ),
        ),
    ),
    Question(
        r"Your inverse returns $z$ and $\log|\det \partial z/\partial x|$. Then $\log p_X(x)$ is",
        (
            Option(
                r"$\log p_Z(z) + \log|\det \partial z/\partial x|$",
                "The Jacobian of the direction from data to base is added.",
                right=True,
            ),
            Option(
                r"$\log p_Z(z) - \log|\det \partial z/\partial x|$",
                r"The minus belongs to $\log|\det \partial x/\partial z|$, the other direction.",
            ),
            Option(
                r"$\log p_Z(x) + \log|\det \partial z/\partial x|$",
                "The base must be asked at the z that x came from.",
            ),
            Option(
                r"$\log p_Z(z)$",
                "True only when volume is preserved, as in an additive coupling.",
            ),
        ),
    ),
    Question(
        "Why may the network inside a coupling layer be any network, even one without an inverse?",
        (
            Option(
                "Because training makes it invertible",
                "Nothing in training does, and nothing needs to.",
            ),
            Option(
                "Because what it reads passes through unchanged, so it is computed again, "
                "never inverted",
                "The half that stays is there on the way back, and its block of the Jacobian "
                "lies beside the diagonal.",
                right=True,
            ),
            Option(
                "Because its Jacobian is diagonal",
                "Its Jacobian is the block that may be anything; the determinant skips it.",
            ),
            Option(
                "Because its last layer starts at zero",
                "That only makes the flow start as the identity.",
            ),
        ),
    ),
    Question(
        "You need a million samples a second and never score anybody else's data. You choose",
        (
            Option(
                "MAF",
                "MAF scores in one pass; to sample it must visit the coordinates one by one.",
            ),
            Option(
                "IAF",
                "Its parameters read z, which you have whole: one pass to sample.",
                right=True,
            ),
            Option(
                "either, since both have triangular Jacobians",
                "The triangle makes determinants cheap in both; which pass is short differs.",
            ),
            Option(
                "a continuous flow",
                "Every sample would solve an ODE, dozens of evaluations one after another.",
            ),
        ),
    ),
    Question(
        "The round trip through your flow misses by 0.01 in single precision. You should",
        (
            Option(
                "loosen the tolerance: floating point is inexact",
                "Perhaps it is rounding, perhaps a missing factor; loosening hides which.",
            ),
            Option(
                "run it in double precision: rounding shrinks by a factor of some 10^8, a bug "
                "does not",
                "The one experiment that tells the two apart.",
                right=True,
            ),
            Option("train longer", "Training cannot repair an inverse that is not one."),
            Option(
                "compare the losses before and after",
                "The loss uses one direction only; it cannot see a wrong inverse.",
            ),
        ),
    ),
    Question(
        "A flow with a Gaussian base is trained on two islands. What of the water between them?",
        (
            Option(
                "It can become exactly empty with enough layers",
                "A smooth invertible map gives every point of its image a positive density, and "
                "carries the connected plane onto something connected.",
            ),
            Option(
                "Some mass always stays there; more layers make it less",
                "Every point keeps a positive density. With a largest stretch L the map leaves a "
                "share of order 1/L there, and depth buys stretch.",
                right=True,
            ),
            Option(
                "Its density is not defined, as the map has no inverse there",
                "The map is invertible everywhere, which is just what forbids emptiness.",
            ),
            Option(
                "Half of the mass lies there",
                "Likelihood pushes most of it out; measure, and it is a small share.",
            ),
        ),
    ),
    Question(
        "You fit a density to grey levels stored as exact multiples of 1/17, adding no noise. "
        "The training NLL",
        (
            Option(
                "converges to the entropy of the images",
                "A discrete entropy is no limit for a density: a spike may be ever higher.",
            ),
            Option(
                "falls without limit as spikes form on the levels",
                "Seventeen points have no width, so nothing bounds the density on them.",
                right=True,
            ),
            Option(
                "is the same number of bits as with uniform noise",
                "With noise the density has to fill a bin; without, it may fill a point.",
            ),
            Option(
                "cannot be computed, as discrete data have no density",
                "It can be computed at the points, and that is the trouble: it means nothing.",
            ),
        ),
    ),
)
