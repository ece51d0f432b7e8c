"""Quiz of lesson 09: judging a generative model."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Two models of 64-pixel images: A has 0.1 bits per dimension less than B. "
        "What does that say about their samples?",
        (
            Option(
                "A's samples look better, though only a little.",
                "Nothing of the kind follows: mixing 99 % noise into a model costs only about 0.1 "
                "bits per dimension here, so A may score better and still draw nearly all noise.",
            ),
            Option(
                "Nothing: it says that A gives held-out images a higher probability.",
                "Yes. Probability of the data and look of the samples are different questions, "
                "and the lesson builds a counter-example in both directions.",
                right=True,
            ),
            Option(
                "B must have dropped modes.",
                "A dropped mode would cost B an enormous likelihood on the images of that mode, "
                "not a tenth of a bit; but a small difference has many possible causes.",
            ),
        ),
    ),
    Question(
        "A generator produces one perfect picture for each of ten classes, over and over. Its "
        "Inception score is",
        (
            Option(
                "about 10, the ceiling.",
                "Yes: every sample is certain and the classes are balanced. The score never looks "
                "inside a class.",
                right=True,
            ),
            Option(
                "about 1, since the samples repeat.",
                "It is 1 when all samples get the *same* class probabilities; here ten different "
                "classes occur equally often.",
            ),
            Option(
                "undefined, since there is no diversity.",
                "It is defined for any list of class probabilities, and repetition does not change "
                "their average.",
            ),
        ),
    ),
    Question(
        "Frechet distance 0 between two sets of features (exact, infinitely many samples) means",
        (
            Option(
                "the two laws of the features are equal.",
                "A coin on $\\pm1$ and the standard normal have distance 0 and nothing else in "
                "common beyond two moments.",
            ),
            Option(
                "the images are the same.",
                "Not even the features need be the same, and the features are only a summary of "
                "the images.",
            ),
            Option(
                "mean and covariance of the features agree.",
                "Yes, and no more than that. The formula contains nothing else.",
                right=True,
            ),
        ),
    ),
    Question(
        "You halve the number of samples on both sides. The expected Frechet distance between two "
        "sets from *one* law",
        (
            Option(
                "stays, but is noisier.",
                "It is noisier, and it also moves: the distance is never negative, so errors of "
                "mean and covariance can only add to it.",
            ),
            Option(
                "about doubles.",
                "Yes: to leading order it is a constant times $1/n$ on each side.",
                right=True,
            ),
            Option(
                "grows by $\\sqrt2$.",
                "That is how a standard error grows. This is the mean of a squared error, "
                "and grows like $1/n$.",
            ),
        ),
    ),
    Question(
        "Why can the KID of two sets be negative?",
        (
            Option(
                "Because the cubic kernel is not positive definite.",
                "It is positive definite, and the population value is never negative.",
            ),
            Option(
                "Because the estimate is unbiased, and the truth it estimates may be 0.",
                "Yes: an estimate that is right on average around 0 must fall on both sides.",
                right=True,
            ),
            Option(
                "Because of rounding errors.",
                "The negative values are far larger than rounding: $-218$ among the 36 estimates "
                "of step 7, whose average is 25.5.",
            ),
        ),
    ),
    Question(
        "A generator returns exact copies of its training images. Which of these notices?",
        (
            Option(
                "Precision and recall.",
                "Copies of real images are realistic and varied; both are as high as for fresh "
                "real images.",
            ),
            Option(
                "The Frechet distance to held-out images.",
                "Copies have the mean and covariance of real data; the distance is what fresh "
                "real images get.",
            ),
            Option(
                "Whether samples are nearer to training images than held-out ones would lead "
                "you to expect.",
                "Yes: it is the only one of the three that knows which images were trained on.",
                right=True,
            ),
        ),
    ),
    Question(
        "A two-sample test gives $p = 0.4$. You may conclude that",
        (
            Option(
                "with probability 0.4 the generator is perfect.",
                "A p-value is the probability of such data if the laws are equal, not of equal "
                "laws given the data.",
            ),
            Option(
                "the two laws are equal.",
                "A test that sees nothing may lack samples, or look in the wrong place; in the "
                "lesson one classifier misses a noise that another sees almost surely.",
            ),
            Option(
                "this test, with these samples, found no difference.",
                "Yes, and no more. Say which test and how many samples.",
                right=True,
            ),
        ),
    ),
    Question(
        "Twenty reviewers each judge ten images, and 60 % of the 200 answers are right. Is the "
        "binomial interval for 200 answers honest?",
        (
            Option(
                "Yes, human judgement is the unbiased reference.",
                "Reviewers differ in skill and attention, and answers of one reviewer resemble "
                "each other; the interval would be too short.",
            ),
            Option(
                "No: the answers of one reviewer are not independent; the unit is the reviewer.",
                "Yes. With correlation $\\rho$ the variance is larger by the factor $1+9\\rho$.",
                right=True,
            ),
            Option(
                "No, since binomial intervals need more than 1,000 answers.",
                "The exact interval holds at every number of *independent* answers; independence "
                "is what fails.",
            ),
        ),
    ),
)
