"""Quiz of the latent diffusion lab: a VAE, a scale, and diffusion among codes."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Which of the networks run while a picture is painted?",
        (
            Option(
                "Encoder, U-Net and decoder, each once",
                "One pass of the U-Net is one step, and nothing is encoded: there is no picture "
                "yet.",
            ),
            Option(
                "The U-Net in every step, the decoder once",
                "Diffusion stays among the codes; the decoder translates the last one. The "
                "encoder is for the training.",
                right=True,
            ),
            Option(
                "U-Net and decoder in every step",
                "That would pay the price of pixels again; no step needs to look at the picture.",
            ),
            Option(
                "The decoder alone: a VAE is a generator",
                "With so light a divergence, codes drawn from the prior decode to blotches.",
            ),
        ),
    ),
    Question(
        "The divergence of the VAE weighs 0.002 beside the sum of squares. In terms of a "
        "likelihood, this says",
        (
            Option(
                "nothing: the weight leaves the theory behind",
                r"It is the bound of a decoder with $s=\sqrt{0.002/2}$, times a constant.",
            ),
            Option(
                "that the prior is narrower than a normal law",
                "The prior stays standard normal; the weight changes how well a pixel is known.",
            ),
            Option(
                "that a pixel is known to about 0.03, given its code",
                r"$2 s^2 = 0.002$: a Gaussian decoder of that width. A heavier weight assumes "
                "noisier pixels.",
                right=True,
            ),
            Option(
                "that the code holds 0.002 nats",
                "It holds hundreds; the weight is a price for each of them.",
            ),
        ),
    ),
    Question(
        "Why are codes divided by their standard deviation before they are diffused?",
        (
            Option(
                "So that the decoder works",
                "The decoder wants them as they were: the division is undone before it.",
            ),
            Option(
                "So that they become standard normal",
                "They get variance 1; their law stays as rich as the pictures are. If it were "
                "normal, no diffusion would be needed.",
            ),
            Option(
                "So that the schedule's signal-to-noise ratio means what it says",
                "Noise is added on an absolute scale; codes of spread c are seen with a ratio "
                r"$c^2$ times as high.",
                right=True,
            ),
            Option(
                "So that the KL divergence becomes 0",
                "The VAE is finished and its divergence is what it is.",
            ),
        ),
    ),
    Question(
        "Two VAEs reconstruct equally well, one with codes ten times as large as the other's. "
        "Which is the better one?",
        (
            Option("The one with large codes: more signal", "Divide by ten: it is the same code."),
            Option("The one with small codes: closer to the prior",
                   "Closer perhaps, but the decoder does not mind, and the scale is divided out."),
            Option(
                "Neither: the scale of a code is free, and is divided out",
                "Encoder times c and decoder by c cancel exactly. Only the divergence notices.",
                right=True,
            ),
            Option("The one whose codes are nearer to pixels", "Codes have no unit of pixels."),
        ),
    ),
    Question(
        "Real digits are encoded and decoded, and 3 of 100 lose a word of their caption that they "
        "had before. What does this number measure?",
        (
            Option(
                "The words that *guided samples* can keep, from above",
                "Not strictly. Real digits lie close to the edges of words; guidance moves "
                "samples away from them, so that the same decoder loses less.",
            ),
            Option(
                "What the decoder costs on pictures like the real ones",
                "No diffusion is in this chain: what is lost here is the codec's, on real data.",
                right=True,
            ),
            Option(
                "The error of the U-Net",
                "It did not run: nothing is diffused in this chain.",
            ),
            Option(
                "The error of the judge",
                "The judge's own errors are measured without the codec, and are smaller.",
            ),
        ),
    ),
    Question(
        "The U-Net runs on 8 x 8 instead of 32 x 32. How much cheaper is one of its convolutions?",
        (
            Option("4 times", "That is the ratio of the sides; a picture has two of them."),
            Option("12 times", "That is the ratio of all numbers, with channels; a convolution "
                   "inside of the network does not see those of the picture."),
            Option(
                "16 times",
                "Its cost is the number of places times channels in, channels out and the kernel.",
                right=True,
            ),
            Option("256 times", "Attention over all pairs of places would be; a convolution is "
                   "linear in the places."),
        ),
    ),
    Question(
        "With very high guidance colours glare and strokes break up, although each step follows "
        "the same U-Net. What is special about *latent* diffusion here?",
        (
            Option(
                "Guidance does not work among codes",
                "It does, up to a point: accuracy rises first.",
            ),
            Option(
                "The codes leave the region where the decoder was trained",
                "In pixels a value can be clipped to what is allowed. A code has no known "
                "bounds, and the decoder extrapolates.",
                right=True,
            ),
            Option(
                "The schedule has too few steps",
                "More steps end at the same extreme code.",
            ),
            Option(
                "The encoder was not asked",
                "It never is; but asking it afterwards is a good test of being at home.",
            ),
        ),
    ),
)  # fmt: skip
