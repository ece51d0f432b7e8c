"""Quiz of the text-to-video lab."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "A perfect image model is told the caption and the number of the frame, and draws each "
        "frame of a film by itself. What is wrong with the film?",
        (
            Option(
                "The digit moves the wrong way",
                "Where it stands in frame f is part of that frame's own law: the way is right.",
            ),
            Option(
                "Nothing: every frame has the right law",
                "The product of the right marginals is not the right joint law.",
            ),
            Option(
                "Each frame shows another handwriting of the same digit",
                "What the caption leaves open is decided anew in every frame; what is lost is "
                "the mutual information of the frames.",
                right=True,
            ),
            Option(
                "Frames are blurred",
                "Each is a sharp draw; averaging would blur, and nothing is averaged.",
            ),
        ),
    ),
    Question(
        "What does the training objective of a film model say about time?",
        (
            Option(
                "It punishes differences between neighbouring frames",
                "Then standing still would be best. There is no such term.",
            ),
            Option(
                "Nothing: it is the noise-prediction error over all pixels of the film",
                "Only the network knows which pixels belong to which frame; the error of the "
                "best network is smaller because frames tell it about each other.",
                right=True,
            ),
            Option(
                "It weighs the first frame most",
                "Every pixel of every frame counts alike.",
            ),
            Option(
                "It predicts each frame from those before",
                "That would be an autoregressive film model; here all frames are made together.",
            ),
        ),
    ),
    Question(
        "Space-then-time attention costs FN(N + F) pairs. What does it give up against full "
        "attention?",
        (
            Option(
                "One place of one frame cannot look at another place of another frame in one step",
                "It takes two: along time to the same place, then across the frame. Two layers "
                "reach everything.",
                right=True,
            ),
            Option(
                "The direction of time",
                "Positions give that, in either kind of attention.",
            ),
            Option(
                "Distant frames: only neighbours are seen",
                "Temporal attention sees all F frames; a temporal convolution would not.",
            ),
            Option(
                "Nothing: it computes the same numbers",
                "It computes fewer weights, and other ones.",
            ),
        ),
    ),
    Question(
        'You remove every position from the frames. How often will "moving left" move left?',
        (
            Option(
                "As often as before: the text says left",
                "The text says which axis of motion; nothing says which frame is the first.",
            ),
            Option(
                "At most every second time, whatever the weights",
                "The network then commutes with reversing time, so a film and its reverse are "
                "equally likely.",
                right=True,
            ),
            Option(
                "One time in five, as often as any motion",
                "Up and turning can still be told from left; only the order of frames is lost.",
            ),
            Option(
                "Always, if it is trained longer",
                "A symmetry of the network holds at every step of the training.",
            ),
        ),
    ),
    Question(
        "Why do temporal layers start at zero?",
        (
            Option(
                "So that gradients vanish at first",
                "The last map's gradient is not zero: it leaves zero at the first step.",
            ),
            Option(
                "To save computing",
                "They are computed all the same.",
            ),
            Option(
                "So that frames are equal at first",
                "They are independent at first, which is the opposite.",
            ),
            Option(
                "So that the film model starts as the image model on every frame",
                "A trained image model can be extended without breaking what it knows.",
                right=True,
            ),
        ),
    ),
    Question(
        "Frames of a still film are noised independently. Against a single frame, the film at the "
        "same noise level is",
        (
            Option(
                "equally hard to recognise",
                "Each frame is; but all of them show the same digit, so their mean is clearer.",
            ),
            Option(
                "clearer, as a single frame at the noise divided by the root of F",
                "Averaging F independent noises divides the standard deviation by that root, so "
                "films are trained and sampled from noisier levels.",
                right=True,
            ),
            Option(
                "clearer, as a single frame at the noise divided by F",
                "The variance is divided by F, the standard deviation by its root.",
            ),
            Option(
                "noisier: there is more noise in it",
                "There is more signal, too, and it is the same signal in every frame.",
            ),
        ),
    ),
    Question(
        "A frame-by-frame sampler starts every frame from the same noise. The film is then",
        (
            Option(
                "a draw from the joint law",
                "The dependence of the frames is then the sampler's, not the data's.",
            ),
            Option(
                "as inconsistent as before",
                "Equal noise makes equal choices: the frames become much more alike.",
            ),
            Option(
                "more alike, with a dependence that no training chose",
                "For two normal frames the correlation becomes 1, whatever it is in the data.",
                right=True,
            ),
            Option(
                "blurred",
                "Each frame keeps its own law, sharp as before.",
            ),
        ),
    ),
)
