"""Quiz of lesson 05: latent variables and the ELBO."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        r"The gap $\log p(x)-\mathrm{ELBO}(q)$ is",
        options=(
            Option(
                r"$\mathrm{KL}(q(z\mid x)\,\|\,p(z))$",
                why="That is the price of the code, one of the two terms inside the ELBO. It is "
                "not zero even when the bound is tight: 0.193 nats in row 2.",
            ),
            Option(
                r"$\mathrm{KL}(q(z\mid x)\,\|\,p(z\mid x))$",
                why="Yes. It vanishes exactly when q is the posterior.",
                right=True,
            ),
            Option(
                r"$\mathrm{KL}(p(z\mid x)\,\|\,q(z\mid x))$",
                why="The two are the right ones and the direction is not: the ELBO is an average "
                "under q, so its gap is one too.",
            ),
            Option(
                r"$\log p(x)-\log q(x)$",
                why="q is a distribution over z; there is no q(x).",
            ),
        ),
    ),
    Question(
        r"Why not estimate $p(x)$ by averaging $p(x\mid z)$ over draws from the prior?",
        options=(
            Option(
                "Because that average is biased",
                why="It is unbiased for every number of draws. Its logarithm is biased, but that "
                "is not what makes it useless.",
            ),
            Option(
                "Because the prior cannot be sampled",
                why="Drawing from the prior is the easiest step of all.",
            ),
            Option(
                "Because the number of draws needed grows exponentially with the latents",
                why="Yes: almost no prior draw explains this x, and the relative variance is a "
                "product over the latents.",
                right=True,
            ),
        ),
    ),
    Question(
        "On the same images, model A has a higher ELBO than model B. Then",
        options=(
            Option(
                "A has the higher likelihood",
                why="Only if B's gap exceeds A's by less than A's lead. In section 7 the order of "
                "the likelihoods is the opposite one.",
            ),
            Option(
                "A's likelihood is at least A's ELBO, and nothing follows about B's",
                why="Yes. A lower bound on one number says nothing about another number.",
                right=True,
            ),
            Option(
                "B has a larger gap",
                why="It may, or it may simply have a lower likelihood.",
            ),
            Option(
                "A has better samples",
                why="Neither the bound nor the likelihood promises that; see lesson 09.",
            ),
        ),
    ),
    Question(
        "In EM, after an M-step and before the next E-step, the bound",
        options=(
            Option(
                "equals the log-likelihood",
                why="That holds after each E-step. The M-step moves the posterior away from q.",
            ),
            Option(
                "has risen, and lies below the log-likelihood",
                why="Yes: the model was improved for a q that is no longer its posterior.",
                right=True,
            ),
            Option(
                "may have fallen",
                why="The M-step maximises it over the model while q stands still: it cannot fall.",
            ),
        ),
    ),
    Question(
        r"You average $\log w_k$ over 64 draws instead of taking the log of the average. You get",
        options=(
            Option(
                "an upper bound",
                why="The average of logs is below the log of the average, not above it.",
            ),
            Option(
                "the 64-draw bound, with less noise",
                why="The order of log and average is the whole difference between the two bounds.",
            ),
            Option(
                "a good estimate of the ELBO",
                why="Yes. It is a bound, training works, and the 63 extra draws only made it "
                "less noisy. No plot shows the slip.",
                right=True,
            ),
            Option(
                "something that is no bound",
                why="It is one, which is why the slip survives. It does not tighten.",
            ),
        ),
    ),
    Question(
        "With more draws K, the plain gradient for the parameters of q",
        options=(
            Option(
                "gets a worse ratio of signal to noise",
                why=r"Yes: the signal falls like $1/K$ and the noise only like $1/\sqrt K$.",
                right=True,
            ),
            Option(
                "gets a better ratio, as every Monte Carlo average does",
                why="So does the decoder's. But q's own signal vanishes, since in the limit "
                "the bound does not depend on q.",
            ),
            Option(
                "becomes biased",
                why="It stays an unbiased gradient of the K-draw bound.",
            ),
        ),
    ),
    Question(
        "Which measurement shows posterior collapse?",
        options=(
            Option(
                "The ELBO is low",
                why="Four runs of section 7 have the same ELBO; one of them has collapsed.",
            ),
            Option(
                "The gap is large",
                why="At collapse q is the prior, and if z is ignored so is the posterior: the gap "
                "is zero.",
            ),
            Option(
                r"$I_q(x;z)$ is zero",
                why="Yes: the codes of all x are the same, so they say nothing about x.",
                right=True,
            ),
            Option(
                "The reconstruction is bad",
                why="A strong decoder reconstructs as well as the data's entropy allows, "
                "without z.",
            ),
        ),
    ),
)
