"""Quiz of lesson 12: the forward and the reverse process."""

from genlab_course.quiz import Option, Question

QUESTIONS: tuple[Question, ...] = (
    Question(
        "Why is one step back drawn from a *normal* law?",
        (
            Option(
                "Because $q(x_{t-1} \\mid x_t)$ is normal whenever the noise is.",
                "Only $q(x_{t-1} \\mid x_t, x_0)$ is. Averaged over the possible $x_0$, it "
                "is a mixture, with two humps if the data have two.",
            ),
            Option(
                "Because it is nearly normal when $\\beta_t$ is small.",
                "Across a narrow width the logarithm of the marginal is nearly a line, and a "
                "normal times an exponential of a line is a normal.",
                right=True,
            ),
            Option(
                "Because the central limit theorem applies to many steps.",
                "The steps are normal from the start, and none of them is a sum of many things.",
            ),
        ),
    ),
    Question(
        "The noise-prediction loss of a perfect network at level $t$ is",
        (
            Option(
                "the conditional variance of the noise given $x_t$, per dimension.",
                "For standard normal data it is $\\bar\\alpha_t$.",
                right=True,
            ),
            Option(
                "zero.",
                "It would have to know the noise, but many clean examples lead to the same $x_t$.",
            ),
            Option(
                "$-\\log p(x_0)$ up to a constant.",
                "It is one term's square without its weight; only the weighted sum of all levels "
                "bounds the likelihood.",
            ),
        ),
    ),
    Question(
        "What is learned in the ELBO of a diffusion model, compared with a VAE's?",
        (
            Option(
                "The posterior $q$ and the decoder, as in a VAE.",
                "There is nothing to learn in $q$: adding noise needs no network.",
            ),
            Option(
                "Only $q$; the way back follows from Bayes' rule.",
                "Bayes' rule for the way back needs the marginals of the data, which nobody has.",
            ),
            Option(
                "Only the way back; $q$ is a fixed chain.",
                "That is why every term is a divergence between normals in closed form, and why "
                "no posterior can collapse.",
                right=True,
            ),
        ),
    ),
    Question(
        "You train with $\\beta$ from $10^{-4}$ to $0.02$ and reduce $T$ from 1000 to 100. What "
        "goes wrong?",
        (
            Option(
                "Nothing: the sampler is merely ten times faster.",
                "Then $\\bar\\alpha_T = 0.36$: the last training level still shows the picture, "
                "but sampling starts from pure noise.",
            ),
            Option(
                "The chain does not reach the noise from which sampling starts.",
                "The prior's term of the bound shows it: 11 nats a digit. Keep $T\\beta$ instead.",
                right=True,
            ),
            Option(
                "The steps become too large to be normal.",
                "They have the same size as before; there are only fewer of them.",
            ),
        ),
    ),
    Question(
        "Two schedules start and end at the same SNR. In the limit of many steps, their bounds",
        (
            Option(
                "are equal, and so are the variances of their estimates.",
                "The variance of a one-level estimate depends on how often each level is visited.",
            ),
            Option(
                "differ: the slower one is tighter.",
                "With finitely many steps they do differ, but neither is the slower one; the "
                "difference vanishes as steps are added.",
            ),
            Option(
                "are equal; the variances of their estimates differ.",
                "Time is substituted away; what is left is an integral over the SNR.",
                right=True,
            ),
        ),
    ),
    Question(
        "A paper reports 2.3 bits per dimension for grey-level images from a chain whose last "
        "step is cut into bins. What is this number?",
        (
            Option(
                "An upper bound on the negative log-likelihood of the discrete image.",
                "The bins make the last step a probability; everything before it is the ELBO.",
                right=True,
            ),
            Option(
                "The exact negative log-likelihood.",
                "The latents $x_1, \\dots, x_T$ were not integrated out: Jensen's inequality was "
                "used.",
            ),
            Option(
                "A density, so it can be made as small as one likes.",
                "Without bins or dequantisation that would be so: a spike on each level. The bins "
                "prevent it.",
            ),
        ),
    ),
    Question(
        "Near pure noise ($\\bar\\alpha_t \\to 0$), a small error of the predicted noise",
        (
            Option(
                "is harmless, since there the noise is easy to predict.",
                "Easy, yes; but $\\hat x_0$ divides the error by $\\sqrt{\\bar\\alpha_t}$, "
                "which is nearly zero.",
            ),
            Option(
                "becomes a huge error of the implied $x_0$.",
                "A factor $\\sigma/\\alpha$. Predicting $v$, clipping $\\hat x_0$ or ending the "
                "schedule earlier are the usual repairs.",
                right=True,
            ),
            Option(
                "is divided by $\\sqrt{\\bar\\alpha_t}$ in $v$ but not in $x_0$.",
                "In both: for one guess the error of $v$ is $1/\\alpha$ times that of the noise. "
                "What is never amplified is an error that the network makes *in* $v$: in the data "
                "it is $\\sigma$ times as large.",
            ),
        ),
    ),
)
