"""Quiz of the language model's lab."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Two models of the same text: one reports 2.9 nats per token, the other 3.9. "
        "Which is better?",
        (
            Option(
                "The first",
                "Only if both use the same tokens. With bytes as tokens, 2.9 nats would be a "
                "very bad model.",
            ),
            Option(
                "The second: longer tokens say more",
                "They may, but how much longer must be counted.",
            ),
            Option(
                "One cannot say before nats are divided by bytes",
                "Nats per token times tokens per byte, over log 2: bits per byte compare any two "
                "models, and file compressors.",
                right=True,
            ),
            Option("The one with the lower perplexity", "That is the same number, exponentiated."),
        ),
    ),
    Question(
        "Where may the merges of the tokenizer be learned?",
        (
            Option(
                "On everything: they are not trained weights",
                "They are fitted to data. Merges learned from held-out text give it shorter "
                "spellings.",
            ),
            Option(
                "On the training part alone",
                "Whatever is chosen by looking at data belongs to the training.",
                right=True,
            ),
            Option("On the test part, where they are used", "That is a leak by construction."),
            Option(
                "On random bytes, to be fair",
                "Then no pair would be frequent and nothing would be gained.",
            ),
        ),
    ),
    Question(
        "With the cache, what does the 400th token cost, beside the 40th?",
        (
            Option(
                "Ten times as much",
                "That is the loop without a cache: it reads the text again for every token.",
            ),
            Option(
                "Exactly the same",
                "Nearly. Its query must still be compared with ten times as many keys.",
            ),
            Option(
                "A little more: only the scores and averages over the cached positions grow",
                "The matrices that a token passes through do not depend on its position; at this "
                "size they are most of the work.",
                right=True,
            ),
            Option(
                "Less, as the cache fills up",
                "Nothing is saved by having more to compare with.",
            ),
        ),
    ),
    Question(
        "Grouped queries: 5 query heads share 1 key-value head. What shrinks?",
        (
            Option(
                "The cache, by the factor 5",
                "Keys and values are what is kept, and there is one head of them. The number of "
                "scores is unchanged.",
                right=True,
            ),
            Option(
                "The number of scores, by the factor 5",
                "Every query head still has its own score for every key.",
            ),
            Option("The context", "It is as long as before."),
            Option(
                "The width of the model",
                "The heads' outputs are still put side by side to the full width.",
            ),
        ),
    ),
    Question(
        "A cache works, logits are finite, and text comes out, worse than without. "
        "The first thing to look at:",
        (
            Option(
                "The learning rate",
                "The same weights without the cache are better, so training is not it.",
            ),
            Option(
                "The positions of the new tokens",
                "If they start at 0 again, every distance is wrong. No shape is: only a "
                "comparison with the loop without cache shows it.",
                right=True,
            ),
            Option("The temperature", "It acts on both loops alike."),
            Option(
                "The vocabulary",
                "Both loops read and write the same tokens.",
            ),
        ),
    ),
    Question(
        "Held-out text costs 0.2 bits per byte under xz given the training text. This means:",
        (
            Option("xz is a better model than ours", "On honest held-out text it needs 1.9."),
            Option("English has 0.2 bits per byte", "Estimates lie near 1, not below."),
            Option(
                "The held-out text stands in the training text, almost word for word",
                "A compressor that only knows how to copy is a detector of leaks.",
                right=True,
            ),
            Option(
                "The held-out part is too short",
                "Then its number would be uncertain, not small.",
            ),
        ),
    ),
    Question(
        "At temperature 0 the text runs into a loop. Why?",
        (
            Option(
                "The cache is full",
                "It happens without a cache and long before the context ends.",
            ),
            Option(
                "The likeliest token is always taken: a walk without chance among favourite "
                "phrases comes back to where it has been",
                "And from there it does the same again. Draws with the tail cut off lead out.",
                right=True,
            ),
            Option(
                "The model copies whatever its context repeats",
                "Large models do, and their loops are tighter for it. Ours finds a sentence as "
                "dear after six repetitions as before.",
            ),
            Option(
                "The model was trained too little",
                "Much larger models do the same; it is a property of the decoding.",
            ),
            Option(
                "The probabilities no longer sum to 1",
                "They do; the draw from them has no randomness left.",
            ),
        ),
    ),
)
