"""Quiz of lesson 02: autoregressive models."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        r"The factorisation $p(x_{1:n}) = \prod_i p(x_i \mid x_{<i})$ is",
        (
            Option(
                "an approximation that assumes a short memory",
                r"Nothing is left out: each factor conditions on all of $x_{<i}$. A Markov model "
                "that forgets would be an approximation.",
            ),
            Option(
                "an identity, for every distribution and every order",
                "Each factor is a ratio of two marginals, and the product telescopes.",
                right=True,
            ),
            Option(
                "an identity only if the pieces come in their natural order",
                "The product telescopes in any order; only how easily a network learns the factors "
                "depends on it.",
            ),
        ),
    ),
    Question(
        "A new image model reports 0.2 bits per dimension where the best known reach 1.8, and its "
        "samples are noise. What do you suspect first?",
        (
            Option(
                "It has learned the training images by heart",
                "Then the held-out figure would be bad and the samples would look like training "
                "images.",
            ),
            Option(
                "Its sampling temperature is too high",
                "Temperature touches samples, never the reported bits.",
            ),
            Option(
                "Some output can see the pixel that it predicts",
                "Then the numbers are no conditionals, their products need not sum to 1 over all "
                "images, and in sampling the pixel to be copied is not there.",
                right=True,
            ),
        ),
    ),
    Question(
        "Which of these is causal for pixels in raster order?",
        (
            Option(
                "a plain 3 x 3 convolution, if the last layer is masked",
                "The first layers have already carried later pixels backwards; a mask at the end "
                "cannot take them out.",
            ),
            Option(
                "3 x 3 convolutions that see the rows above and the left, the first one not the "
                "centre",
                "The first layer excludes the pixel itself; later layers may see their own place, "
                "because its features come from earlier pixels.",
                right=True,
            ),
            Option(
                "the same, with the centre visible in every layer",
                "The first layer would then show each pixel to its own prediction.",
            ),
            Option(
                "a transformer without mask, trained on the sum over all positions",
                "Every position reads every other, including the piece that it predicts.",
            ),
        ),
    ),
    Question(
        "Why may keys and values be kept, and queries not need to be?",
        (
            Option(
                "Queries are larger",
                "They have the same size (or more heads), but size is not the reason.",
            ),
            Option(
                "Keys and values of a position never change, and a query is used only at its own "
                "turn",
                "With a causal mask nothing later can alter them, and every later position asks "
                "with its own query.",
                right=True,
            ),
            Option(
                "Keys and values do not depend on the tokens",
                "They do, through all layers below; they just do not depend on *later* tokens.",
            ),
        ),
    ),
    Question(
        r"Model A has perplexity 3 per character, model B 20 per word. Which predicts better?",
        (
            Option("A, since 3 < 20", "The two count choices about different pieces."),
            Option("B, since words are harder", "Harder or not, the numbers have different units."),
            Option(
                "One cannot say without converting both to nats (or bits) per text",
                "The nats of the whole text do not depend on how it was cut: at 5.5 characters a "
                "word A spends 6.0 nats per word and B 3.0.",
                right=True,
            ),
        ),
    ),
    Question(
        r"Probabilities are $0.45, 0.30, 0.15, 0.10$ and $p = 0.7$. Top-p keeps",
        (
            Option("the first piece only", "0.45 does not reach 0.7."),
            Option(
                "the first two pieces",
                "0.45 does not reach 0.7, so the second piece is needed; with it the set reaches "
                "0.75 and stops.",
                right=True,
            ),
            Option("the first three pieces", "The first two already hold 0.75."),
            Option(
                "all pieces above 0.3",
                "Top-p looks at the running total, not at a floor for each probability.",
            ),
        ),
    ),
    Question(
        "Sampling each token at temperature 0.5 draws whole texts from",
        (
            Option(
                r"$p(x)^2$, renormalised over all texts",
                "That would need one normaliser for all texts; sampling renormalises at every "
                "token, which weighs the prefixes differently.",
            ),
            Option(
                "another distribution, of which each conditional is sharpened",
                r"$\prod_i p(x_i \mid x_{<i})^2 / Z_i(x_{<i})$: the normalisers depend on the "
                "prefix and do not cancel.",
                right=True,
            ),
            Option(
                "the model's distribution, only with less noise",
                "The distribution itself has changed: each conditional is sharpened, and prefixes "
                "are weighted differently.",
            ),
        ),
    ),
)
