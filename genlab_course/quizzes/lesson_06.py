"""Quiz of lesson 06: the VAE in practice."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Why is $z$ written as $\\mu + \\sigma\\epsilon$?",
        (
            Option(
                "So that $z$ becomes deterministic.",
                "It stays random; but its randomness now enters as an input without parameters.",
            ),
            Option(
                "So that the gradient can pass through $z$ to $\\mu$ and $\\sigma$.",
                "$\\epsilon$ has no parameters, so $z$ is a differentiable function of both.",
                right=True,
            ),
            Option(
                "So that the divergence has a closed form.",
                "That comes from both laws being normal, however $z$ is drawn.",
            ),
        ),
    ),
    Question(
        "Which of the two gradient estimators is unbiased for a smooth $f$?",
        (
            Option(
                "Only the reparameterised one.",
                "The score-function estimator is unbiased too, with any baseline that does not "
                "look at its own draw.",
            ),
            Option(
                "Only the score-function estimator.",
                "Both: for smooth $f$, derivative and integral may change places.",
            ),
            Option(
                "Both; they differ in variance.",
                "Here by orders of magnitude, and more with every dimension.",
                right=True,
            ),
            Option("Neither.", "Both have the true gradient as their mean; you checked it."),
        ),
    ),
    Question(
        "Your reconstruction is a *mean* over 64 pixels, your divergence a *sum* over latents. "
        "What do you train?",
        (
            Option(
                "The same model with a smaller learning rate.",
                "Dividing the *whole* loss would do that; you divided one term.",
            ),
            Option(
                "A VAE with $\\beta = 64$.",
                "Up to a factor of the whole loss. On the digits it collapses completely.",
                right=True,
            ),
            Option(
                "A VAE with $\\beta = 1/64$.",
                "The reconstruction lost weight, so the divergence gained it.",
            ),
        ),
    ),
    Question(
        "A VAE reports 4 nats of KL per image. Does it use its latent?",
        (
            Option(
                "Yes: a collapsed model has KL 0.",
                "Collapse gives a small KL, but not the other way round: an encoder that sends "
                "every image to $\\mathcal N(3, 1)$ pays 4.5 nats and says nothing.",
            ),
            Option(
                "One cannot tell; compare the codes of different images.",
                "Mutual information and active units ask whether $q(z\\mid x)$ depends on $x$.",
                right=True,
            ),
            Option("No: it should be 0.", "KL 0 is collapse: every code is the prior."),
        ),
    ),
    Question(
        "Which of these numbers may stand beside the PixelCNN's exact bits per dimension, on the "
        "17-level digits?",
        (
            Option(
                "Binary cross-entropy of the grey values, in bits.",
                "It is the logarithm of no distribution: the would-be probabilities of the 17 "
                "levels do not add up to 1.",
            ),
            Option(
                "The Gaussian decoder's mean square error.",
                "It has no unit of information until a scale and a bin width are stated.",
            ),
            Option(
                "The categorical decoder's ELBO in bits, marked as a bound.",
                "Same data, same unit; the true bits are at most this many.",
                right=True,
            ),
        ),
    ),
    Question(
        "You climb the bound for each test image by itself, model fixed, and gain some nats. "
        "What have you measured?",
        (
            Option(
                "The whole gap to $\\log p(x)$.",
                "The best diagonal Gaussian is usually still not the posterior.",
            ),
            Option(
                "The amortisation gap.",
                "What is lost because one network guesses all codes at once.",
                right=True,
            ),
            Option(
                "How much the decoder overfits.",
                "The decoder was not touched.",
            ),
        ),
    ),
    Question(
        "Why are the mean images of a VAE smoother than its data?",
        (
            Option(
                "Because the loss is a squared error.",
                "Ours is a categorical log-probability and its means are smooth all the same.",
            ),
            Option(
                "Because a mean over everything that shares a code has less variance than the "
                "data, at every frequency.",
                "The law of total variance, pixel by pixel and wave by wave.",
                right=True,
            ),
            Option(
                "Because the latent is too small for sharp edges.",
                "Edges cost no latents; *not knowing where they are* does.",
            ),
        ),
    ),
)
