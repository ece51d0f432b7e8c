"""Quiz of lesson 03: maximum likelihood and the KL view."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        r"Why can maximum likelihood minimise $\mathrm{KL}(p_{data}\,\|\,p_\theta)$ although "
        r"nobody knows $p_{data}$?",
        (
            Option(
                r"Because $H(p_{data})$ does not depend on $\theta$, and the rest is an average "
                r"over samples.",
                why="The logarithm splits the unknown part off as a constant.",
                right=True,
            ),
            Option(
                "Because the KL is symmetric, so we may average under the model.",
                why="It is not symmetric, and under the model we would need the log-density of "
                "the data.",
            ),
            Option(
                r"Because $p_{data}$ is estimated first, by a histogram.",
                why="No density of the data is ever estimated: the samples themselves are enough.",
            ),
            Option(
                "Because the KL is zero at the start of training.",
                why="It is zero only when the model equals the data; training hopes to end there.",
            ),
        ),
    ),
    Question(
        "Two teams report a held-out NLL of 2.10 and 0.69 nats, each on its own data set. "
        "What follows?",
        (
            Option(
                "The second model is better.",
                why="Its data may just have less entropy: a wrong coin beat a perfect die.",
            ),
            Option(
                "Nothing about which model is closer to its data.",
                why="Each number contains the entropy of its own data, which is unknown.",
                right=True,
            ),
            Option(
                "The first model over-fits.",
                why="Over-fitting shows in the gap between training and held-out loss.",
            ),
        ),
    ),
    Question(
        "A correct model of a continuous quantity has a mean NLL of $-3.2$ nats. This is",
        (
            Option(
                "a bug: a probability cannot exceed 1.",
                why="A probability cannot, a density can: it is probability per unit of $x$.",
            ),
            Option(
                "possible, and it changes with the unit in which $x$ is measured.",
                why="In millimetres instead of metres every NLL grows by $\\log 1000$.",
                right=True,
            ),
            Option(
                "a sign of over-fitting.",
                why="It was computed for the true model, which cannot over-fit.",
            ),
            Option(
                "possible only in bits, not in nats.",
                why="The unit of the logarithm scales the number; it cannot change its sign.",
            ),
        ),
    ),
    Question(
        r"You fit one Gaussian to two distant modes of weights 0.9 and 0.1 by *reverse* KL, and "
        r"it settles on the smaller mode. Its reverse KL is about",
        (
            Option(
                r"$-\log 0.1 \approx 2.3$ nats",
                why="The price is the negative logarithm of the share that it keeps.",
                right=True,
            ),
            Option(
                r"$-\log 0.9 \approx 0.1$ nats",
                why="That is the price on the larger mode: the share that is kept counts.",
            ),
            Option(
                "infinite, because a mode is missing.",
                why="The average runs over q, which hardly visits the missing mode. The other "
                "direction is large there, though finite for a Gaussian.",
            ),
            Option(
                "zero, because on its mode it fits perfectly.",
                why="The mixture has only a tenth of its mass there, so its density is ten times "
                "lower.",
            ),
        ),
    ),
    Question(
        "A test loss is known to $\\pm 0.04$ bits from 200 images. How many images for "
        "$\\pm 0.01$?",
        (
            Option("400", why="Twice the data divides the error by 1.41 only."),
            Option("800", why="Four times the data halves the error."),
            Option(
                "3200",
                why="A quarter of the error needs sixteen times the data.",
                right=True,
            ),
        ),
    ),
    Question(
        "In 1,000 held-out images one has probability exactly 0 under the model. The mean NLL is",
        (
            Option(
                "a little larger than without that image.",
                why="No finite number of good predictions makes up for an infinite term.",
            ),
            Option(
                "infinite; smoothing the model repairs it.",
                why="The forward KL forgives no outcome that happens and was called impossible.",
                right=True,
            ),
            Option(
                "undefined, so the image should be dropped.",
                why="It is defined, and dropping it hides a real failure of the model.",
            ),
        ),
    ),
    Question(
        "Training loss still falls, validation loss has been rising for a while. Which statement "
        "is wrong?",
        (
            Option(
                "The model has started to learn its training set.",
                why="That statement is right: it is what a rising validation loss says.",
            ),
            Option(
                "Keeping the weights of the best validation step is a repair.",
                why="That statement is right: it is early stopping.",
            ),
            Option(
                r"The gap is $k/N$ nats, with $k$ the number of parameters.",
                why="Here is the wrong one: the rule needs $k$ much smaller than $N$.",
                right=True,
            ),
            Option(
                "Copies of validation images in the training part would hide it.",
                why="That statement is right: failure 4 showed how much they hide.",
            ),
        ),
    ),
)
