"""Quiz of the GLIDE-style lab: text to picture in pixel space."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Why are a tenth of the captions hidden in training?",
        (
            Option(
                "So that the same network also learns the unconditional guess",
                r"Guidance subtracts it: without hidden captions, $D(x,\varnothing)$ is never "
                "trained.",
                right=True,
            ),
            Option(
                "To keep the text encoder from overfitting",
                "There are 720 captions in all; overfitting them is not the danger.",
            ),
            Option("To make training faster", "A hidden caption costs exactly as much."),
            Option(
                "Because some pictures have no caption",
                "Every picture of ours has one; we hide it on purpose.",
            ),
        ),
    ),
    Question(
        "At which guidance scale do samples follow the law of real pictures with that caption?",
        (
            Option("w = 0", "That ignores the caption: all real pictures, of any caption."),
            Option(
                "w = 1",
                "The conditional guess alone, up to the network's errors. Larger w trades "
                "variety for obedience.",
                right=True,
            ),
            Option(
                "at the w with the most words right",
                "Obedience is not likeness: real pictures are less extreme than those.",
            ),
            Option("w to infinity", "That climbs to the most typical pictures, and beyond."),
        ),
    ),
    Question(
        "Words right: 96, 100, 100 % at w = 1, 3, 8. Recall: 0.8, 0.6, 0.3. Which w is best?",
        (
            Option(
                "8: it ties for the most words",
                "At half of the recall: it draws the same few pictures again and again.",
            ),
            Option(
                "1: it has the highest recall",
                "One picture in 25 shows something else; somebody ordered it.",
            ),
            Option(
                "The numbers do not say: it depends on what a wrong word and a lost variety cost",
                "The curve is the result; a point on it is a decision. This lab draws with a "
                "w that keeps its promises.",
                right=True,
            ),
            Option(
                "The mean of the three",
                "No property of the curve is optimal at the middle of the w that were tried.",
            ),
        ),
    ),
    Question(
        "Classifier guidance needs a classifier that",
        (
            Option(
                "was trained on clean pictures, as accurate as possible",
                "It is asked about states that are mostly noise: its slope there is arbitrary.",
            ),
            Option(
                "was trained on noisy pictures and is told how noisy",
                r"Bayes' rule at level $\sigma$ holds for $p(c\mid x_\sigma)$, so that is the law "
                "to learn.",
                right=True,
            ),
            Option(
                "shares its weights with the painter",
                "It may; the two are trained for different things and usually do not.",
            ),
            Option(
                "judges the finished samples",
                "Then the same network teaches and examines: its errors become invisible.",
            ),
        ),
    ),
    Question(
        r"Splitting $p(x_{32}\mid c)$ into small picture and enlargement is",
        (
            Option(
                "an approximation, since small pictures lose detail",
                "What is lost is exactly what the second factor draws.",
            ),
            Option(
                "exact: the small picture is a function of the large one, and the chain rule holds",
                "The approximation is in the two networks, not in the split.",
                right=True,
            ),
            Option(
                "exact only without noise on the small picture",
                "The noise is put on what the network is shown; it is one more condition.",
            ),
            Option(
                "a variational bound",
                "Nothing is bounded: there is no encoder to be wrong about.",
            ),
        ),
    ),
    Question(
        "A regression that minimises the squared error of the large picture would be",
        (
            Option(
                "sharper than a diffusion model, since its error is smaller",
                "Its error is smaller because it answers the mean of all sharp pictures: a blur.",
            ),
            Option(
                "the same: diffusion minimises a squared error too",
                "Of the noise, at every level; the samples then differ from the mean.",
            ),
            Option(
                "blurred: it answers the mean of all large pictures that fit",
                "The law of total variance: what the mean lacks is the variance that is left "
                "given the small picture.",
                right=True,
            ),
            Option(
                "impossible to train",
                "It is the easiest of all, and the oldest super-resolution network.",
            ),
        ),
    ),
    Question(
        "Why does the upsampler train on small pictures with noise of a told strength?",
        (
            Option(
                "So that it does not trust details that only real small pictures have",
                "The base's samples have errors of their own; noise hides the difference, and "
                "the strength says how much to believe.",
                right=True,
            ),
            Option(
                "Because the diffusion of the large picture needs noise",
                "That noise is put on the large picture, and goes to zero; this one stays.",
            ),
            Option(
                "To enlarge the training set",
                "It does, and would even if it were not told; the strength is told so that it "
                "can be chosen when sampling.",
            ),
            Option(
                "To hide the caption",
                "The caption goes in by another door, and is hidden by another draw.",
            ),
        ),
    ),
)
