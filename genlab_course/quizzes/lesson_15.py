"""Quiz of lesson 15: the landscape, its odd claims and its instruments."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        'A release says: "unlike diffusion models, ours needs no denoising loop". What does that '
        "sentence place?",
        (
            Option(
                "It is a diffusion model.",
                "The mention is in the scope of *unlike*: it says what the model is not.",
            ),
            Option(
                "Nothing yet: it rules out one sampler, and the objective is still unknown.",
                "Flow, VAE and GAN all sample in one pass. Read on for the objective.",
                right=True,
            ),
            Option(
                "It is a GAN.",
                "Three families sample without a loop; the likelihood would tell them apart.",
            ),
        ),
    ),
    Question(
        "In speculative decoding the draft model is replaced by a much worse one. What changes?",
        (
            Option(
                "The texts get slightly worse.",
                "$\\min(p,q)$ and the residual add up to $p$ for *every* $q$.",
            ),
            Option(
                "Only the number of passes of the target.",
                "The acceptance is $1-\\mathrm{TV}(p,q)$; the law of the text does not see $q$.",
                right=True,
            ),
            Option(
                "The texts get worse, but their likelihood is still exact.",
                "The law is the target's own; nothing about the texts changes.",
            ),
        ),
    ),
    Question(
        "A masked diffusion model with a *perfect* network draws 64 tokens in one pass. Its error "
        "is",
        (
            Option(
                "zero, since the network is perfect.",
                "It knows each conditional; it draws the tokens independently all the same.",
            ),
            Option(
                "the entropy of the data.",
                "One pass gets every marginal right: only the dependence is lost.",
            ),
            Option(
                "the total correlation of the tokens.",
                "KL from the joint law to the product of its marginals: no network can remove it.",
                right=True,
            ),
        ),
    ),
    Question(
        "Why does a consistency model need the boundary condition $f(x,\\sigma_{\\min})=x$?",
        (
            Option(
                "Without it, a function that always answers the same is perfectly consistent.",
                "Consistency only says that answers along a path agree; the boundary says what "
                "they are.",
                right=True,
            ),
            Option(
                "Because the network's output has to be in $[-1,1]$.",
                "The range has nothing to do with it; the scales carry the condition.",
            ),
            Option(
                "To make the likelihood exact.",
                "A consistency model has no likelihood: it keeps neither chain nor ODE.",
            ),
        ),
    ),
    Question(
        "You watch a sampler: 50 passes, in each of them every position changes, and twice the "
        "steps make twice the passes. The object has `log_prob`. What is it?",
        (
            Option(
                "An autoregressive model, since the likelihood is exact.",
                "It would write each position once; this one repaints everything.",
            ),
            Option(
                "A score model run as an ODE, or a continuous flow: watching cannot tell which.",
                "They differ in how they were trained, and training leaves no trace in passes.",
                right=True,
            ),
            Option(
                "A coupling flow.",
                "A coupling flow samples in one pass.",
            ),
        ),
    ),
    Question(
        "The league table lists a VAE at $\\le1.97$ and PixelCNN at $=1.78$ bits per dimension. "
        "What follows?",
        (
            Option(
                "PixelCNN gives the held-out digits a higher probability than the VAE's *bound*.",
                "That is all: how loose the bound is stands in another column, or nowhere.",
                right=True,
            ),
            Option(
                "PixelCNN's likelihood is better by 0.19 bits per dimension.",
                "The VAE's likelihood is unknown; it is at least what its bound says.",
            ),
            Option(
                "PixelCNN's samples are better.",
                "Likelihood and samples are different questions (lesson 09).",
            ),
        ),
    ),
)
