"""Quiz of lesson 14: score SDEs, probability flow and flow matching."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "The reverse SDE and the probability-flow ODE start from the same 1,000 points. With the "
        "exact score and tiny steps, what agrees at t = 0?",
        (
            Option(
                "Each point ends at the same place.",
                "The ODE's end is a function of its start; the SDE has forgotten it. You measured "
                "the correlation.",
            ),
            Option(
                "The distribution of the ends.",
                "Both obey the same Fokker-Planck equation, so all marginals agree, and nothing "
                "else needs to.",
                right=True,
            ),
            Option(
                "The trajectories, on average.",
                "Agreement of marginals says nothing about who goes where; joint laws of two "
                "times differ.",
            ),
        ),
    ),
    Question(
        "Why does the score count with $\\tfrac12 g^2$ in the ODE and $g^2$ in the reverse SDE?",
        (
            Option(
                "Because the ODE takes smaller steps.",
                "Both are statements about the limit of infinitely small steps.",
            ),
            Option(
                "Because the SDE's fresh noise spreads the points again, and the second half of "
                "the score undoes that.",
                "Noise of strength $\\lambda g$ must be paid for with $\\tfrac12\\lambda^2g^2$ of "
                "score: $\\tfrac{1+\\lambda^2}2$ in all.",
                right=True,
            ),
            Option(
                "It is a convention.",
                "Forget the half and the variance of normal data is multiplied by $e^{-T}$.",
            ),
        ),
    ),
    Question(
        "DDIM is which solver of which equation?",
        (
            Option(
                "Euler-Maruyama of the reverse SDE.",
                "That is DDPM, up to $O(h^2)$ in a step. DDIM draws no noise.",
            ),
            Option(
                "Euler of the ODE in the time t.",
                "Same order, other numbers: a step in t treats the drift $a\\,x$ as constant.",
            ),
            Option(
                "Euler of the ODE for $x/\\alpha$ against $\\sigma/\\alpha$.",
                "There the slope is the predicted noise itself, and the equality holds to "
                "rounding.",
                right=True,
            ),
        ),
    ),
    Question(
        "An ODE likelihood with $\\mathcal N(0, I)$ as prior is off by 0.007 nats at 100 steps. At "
        "1,000 steps it is off by",
        (
            Option(
                "0.0007 nats or less.",
                "If it were the solver's error. But that was already smaller at 100 steps.",
            ),
            Option(
                "0.007 nats.",
                "It is the exact likelihood of a model with another prior: the law of the noised "
                "data at $T$ still remembers the data.",
                right=True,
            ),
            Option(
                "0.07 nats.",
                "Errors of the solver do not add up like this; and this one is none.",
            ),
        ),
    ),
    Question(
        "A trained chain has an ELBO of -1.55 nats, the ODE on the same network $\\log p=-1.70$. "
        "What follows?",
        (
            Option(
                "There is a bug: a lower bound cannot exceed the likelihood.",
                "It cannot exceed the likelihood *of the chain*. The ODE is another distribution.",
            ),
            Option(
                "The score is not exact.",
                "With the exact score both distributions are the data's. Their difference "
                "measures the error of the score.",
                right=True,
            ),
            Option(
                "The ODE's solver needs more steps.",
                "Look first at which distribution each number is about; here the ODE's value was "
                "exact.",
            ),
        ),
    ),
    Question(
        "Which of these numbers for digits of 17 grey levels is *not* a bound on the log-"
        "probability of an image?",
        (
            Option(
                "The ODE's density with uniform dequantisation.",
                "A bound, by Jensen's inequality over the noise in a bin.",
            ),
            Option(
                "The chain's ELBO whose last step is cut into bins.",
                "A bound on the chain's probability of the grey levels.",
            ),
            Option(
                "The ODE's log-density of the noised image.",
                "It is exact, but for a real-valued image: a density, which changes with the "
                "scale of the pixels. It belongs into no column with the others.",
                right=True,
            ),
        ),
    ),
    Question(
        "On the digits, with 50 steps and unclipped guesses, the reverse SDE beats the ODE. What "
        "does that show?",
        (
            Option(
                "That the ODE needs fresh noise.",
                "Clip the guess and most of the difference is gone: its cause is the division by "
                "$\\alpha_1=0.0066$, whose errors the ODE keeps.",
            ),
            Option(
                "Nothing yet: remove the division by $\\alpha_1$ and take enough steps first.",
                "Then a much smaller advantage of fresh noise remains, and it needs many steps.",
                right=True,
            ),
            Option(
                "That Euler's method is too coarse for the ODE.",
                "RK4 finds as many broken images; it is the SDE that 50 steps are too few for.",
            ),
        ),
    ),
    Question(
        "Flow matching trains on straight lines. Why are the learned trajectories bent?",
        (
            Option(
                "The network is too small.",
                "The exact velocity bends them too; you can measure its straightness.",
            ),
            Option(
                "Where lines cross, the best velocity is the mean of theirs.",
                "A velocity has one value at each place and time. Reflow chooses pairs whose "
                "lines hardly cross.",
                right=True,
            ),
            Option(
                "Euler's method bends them.",
                "Finer steps show the same bends. Coarse steps *cut* them, which is the trouble.",
            ),
        ),
    ),
)
