"""Quiz of the language-and-image lab: one model writes, its states tell a painter."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "What does the painter receive of the caption?",
        (
            Option("The words, as a row of numbers", "They stop at the language model."),
            Option(
                "The probabilities of the next words",
                "They are a shadow of the states, and say little of the words that were read.",
            ),
            Option(
                "The hidden states of words and image token: by cross-attention, and as a sum",
                "The states in which the caption was written; no second text encoder reads it.",
                right=True,
            ),
            Option(
                "A picture that the language model drew in tokens",
                "That is the other design: an autoregressive model of image tokens.",
            ),
        ),
    ),
    Question(
        r"What kind of number is $\log p(w) + \mathrm{bound}(x\mid h(w))$?",
        (
            Option(
                "Exact: the first part is",
                "A sum is only as exact as its weakest part.",
            ),
            Option(
                "A lower bound on the joint log-likelihood",
                "Exact for the words, a bound for the picture: together a bound.",
                right=True,
            ),
            Option(
                "Unnormalised", "Both parts are normalised: the text exactly, the chain by design."
            ),
            Option(
                "An upper bound, as the words are drawn first",
                "The order does not matter; the picture's part is at most its log-likelihood.",
            ),
        ),
    ),
    Question(
        "A language model is trained on text alone. Which word is hardest to find in its *last* "
        "state?",
        (
            Option(
                "The colour",
                "Nothing that can follow depends on it, so the text gives no reason to carry it.",
                right=True,
            ),
            Option(
                "The digit", "The slant depends on the digit, so its trace is of use further on."
            ),
            Option(
                "None: a causal model's last state contains everything",
                "It may attend to everything; it keeps what its objective pays for.",
            ),
            Option(
                "The last word",
                "It was read a moment ago, and says whether the caption can end.",
            ),
        ),
    ),
    Question(
        "The states are shuffled among captions. All words are then right in a few pictures of a "
        "thousand. Why not in none?",
        (
            Option(
                "The painter remembers the right caption",
                "It has never seen it: it sees states, and they are somebody else's.",
            ),
            Option(
                "The judge is wrong sometimes",
                "That moves the figure a little; the chance remains with a perfect judge.",
            ),
            Option(
                "Guidance repairs some of them", "Guidance obeys the caption that it was given."
            ),
            Option(
                "Two independent captions agree that often",
                "The sum over all captions and all attributes says exactly how often.",
                right=True,
            ),
        ),
    ),
    Question(
        "You paint a batch whose longest caption has twenty tokens, with zero states as padding. "
        "Training had seven positions. What happens to a short caption?",
        (
            Option(
                "Nothing: zeros have no value",
                "Their value is zero, but they take a share of the softmax from the words.",
            ),
            Option(
                "Its words lose weight: each zero adds 1 to the softmax's denominator",
                r"The words keep $Z/(Z + n_0)$ of the attention, and the painter hears less.",
                right=True,
            ),
            Option(
                "Its picture is drawn twice",
                "Positions of the text are no positions of the picture.",
            ),
            Option("Its noise changes", "The noise belongs to the picture, not to the text."),
        ),
    ),
    Question(
        "When has the image token's own state been computed?",
        (
            Option(
                "When the token is drawn",
                "Drawing needs the state *before* it; the token itself has not been read then.",
            ),
            Option(
                "One pass later, when the token is fed back",
                "A state exists only once its token has gone through the network.",
                right=True,
            ),
            Option(
                "When the painter asks for it",
                "The painter asks for states that exist; it does not run the language model.",
            ),
            Option(
                "Never: special tokens have no state",
                "Every token that is read has one, whatever it stands for.",
            ),
        ),
    ),
    Question(
        "At a high temperature the model often draws nothing at all. Why?",
        (
            Option(
                "The painter's noise is too strong",
                "The temperature is that of the words; the painter does not know it.",
            ),
            Option(
                "The picture is drawn, in black",
                "Nobody starts it: black paper is what is left when nothing is drawn.",
            ),
            Option(
                "The image token becomes one of many, and may not come before the text is cut",
                r"In the limit every draw hits it once in 30, so seven draws miss it four times in "
                "five.",
                right=True,
            ),
            Option("The cache overflows", "It holds seven tokens; that is what it was built for."),
        ),
    ),
)
