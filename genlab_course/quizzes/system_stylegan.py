"""Quiz of the StyleGAN lab: styles, the lazy penalty, truncation, and what has no likelihood."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "What does the first layer of the synthesis network read?",
        (
            Option(
                "The latent draw z",
                "z is read by the mapping network alone; no layer of the synthesis sees it.",
            ),
            Option(
                "The style w", "w scales that layer's weights; what the layer *reads* is not w."
            ),
            Option(
                "A learned constant, the same for every picture",
                "All that differs between pictures comes in as style or as noise.",
                right=True,
            ),
            Option("A picture of noise", "Noise is added behind the convolution, not put into it."),
        ),
    ),
    Question(
        "A style is multiplied by 100 in one layer. With demodulation, that layer's output",
        (
            Option("is 100 times as large", "That would be modulation alone."),
            Option(
                "is the same",
                "The norm by which the weights are divided has grown by the same factor: only "
                "ratios between channels count.",
                right=True,
            ),
            Option("has its mean removed", "Demodulation divides; nothing is subtracted."),
            Option(
                "is the same only if the input has unit variance",
                "The division is by the weights' norm, whatever the input is.",
            ),
        ),
    ),
    Question(
        "Modulated convolution can be computed as a grouped convolution, or by scaling input and "
        "output of an ordinary one. The two",
        (
            Option(
                "are equal, up to rounding",
                "The scales are constants of an example: they may be applied to weights or "
                "features.",
                right=True,
            ),
            Option(
                "agree only without demodulation",
                "The divisor belongs to an output channel: it can be applied to the output.",
            ),
            Option("differ at the border", "Zeros stay zeros, scaled or not."),
            Option(
                "are two approximations of one thing",
                "Nothing is approximated: it is one sum, written in two orders.",
            ),
        ),
    ),
    Question(
        "Why may R1 be computed in every 16th step only, with 16 times the weight?",
        (
            Option(
                "Its gradient is small",
                "Then it could be left out, and this lab shows what happens then.",
            ),
            Option(
                "Because the critic is frozen in between",
                "The critic moves in every step; the penalty alone is rare.",
            ),
            Option(
                "Averaged over 16 steps its gradient is the same, and weights move slowly",
                "The cost of the second derivative falls to a sixteenth.",
                right=True,
            ),
            Option(
                "Adam divides by the gradient's size anyway",
                "Adam blurs the effect; the reason is the mean.",
            ),
        ),
    ),
    Question(
        "You sample with truncation 0.7 instead of 1. You expect",
        (
            Option(
                "higher precision, lower recall",
                "Styles nearer to their mean paint the ordinary, and less of everything.",
                right=True,
            ),
            Option("higher recall, lower precision", "That is the way to larger truncations."),
            Option("both higher", "Nothing was learned by it: one is paid with the other."),
            Option(
                "a sharper distribution p(x) at temperature 0.7",
                "No p(x) can be evaluated, so none is cooled: the styles are drawn together, and "
                "what that does to pictures must be measured.",
            ),
        ),
    ),
    Question(
        "A colleague calls the critic's logit of a held-out digit its log-likelihood. It is",
        (
            Option(
                "right up to a constant",
                "An energy would be; a logit compares data with *this* generator.",
            ),
            Option(
                r"at best $\log p(x) - \log q(x)$, a ratio with the generator's own density",
                "At equilibrium it is 0 for every x: it says nothing of how likely x is.",
                right=True,
            ),
            Option("a lower bound on it", "No bound is derived in a GAN; a VAE has one."),
            Option("right if R1 is used", "R1 flattens the logit; it gives it no other meaning."),
        ),
    ),
    Question(
        "A direction in W raises the slant. What must be measured before it is called *the* slant "
        "direction?",
        (
            Option(
                "Its length",
                "The unit of w is the network's own; a length alone says nothing.",
            ),
            Option(
                "That the slant rises with every step along it, and what else changes",
                "Monotone in the measured attribute, with the digit and the ink watched beside.",
                right=True,
            ),
            Option(
                "That it is orthogonal to the other directions",
                "Attributes that are correlated in the data have directions that are not.",
            ),
            Option(
                "The critic's logit along it",
                "The critic judges realism, and knows no attribute.",
            ),
        ),
    ),
)
