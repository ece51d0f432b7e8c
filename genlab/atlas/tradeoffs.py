"""What a release is predicted to pay, from its place on the map.

Lesson: notebooks/15_four_paradigm_landscape.ipynb
"""

PAYS = (  # component, sampling or flag: what is paid, and why
    ("autoregressive", "latency grows with the length of the output",
     "one pass a piece, each waiting for the last (lesson 02)"),
    ("parallel-autoregression",
     "more arithmetic for each accepted piece, or blocks drawn as if independent",
     "pieces in one pass are guessed before they are known; guesses are verified, or their "
     "dependence is lost"),
    ("flow", "every layer must be invertible, and the code is as large as the data",
     "the change of variables needs a map with a tractable determinant (lesson 04)"),
    ("many-pass-flow", "many passes in one direction",
     "only coupling layers are cheap both ways (lesson 04)"),
    ("latent-variable", "only a bound on the likelihood, and detail that the code drops is lost",
     "the integral over codes is bounded, and the decoder averages what it is not told "
     "(lessons 05, 06)"),
    ("adversarial", "no likelihood; modes may go missing; training needs care",
     "the game rewards samples that pass, not coverage of the data (lessons 07, 08)"),
    ("score-based", "passes for every denoising step",
     "the sampler follows the score through the noise levels (lessons 12, 13)"),
    ("few-step-diffusion",
     "no likelihood of the teacher's kind, some quality or variety, and a second training",
     "large steps leave the path of the ODE; a student is trained to jump (lesson 14)"),
    ("discrete-diffusion", "only a bound, and pieces filled in one pass ignore one another",
     "positions that are filled together are drawn as if independent"),
    ("adversarial-diffusion", "variety, and the likelihood",
     "the denoiser now also has to win a game (lessons 07, 08)"),
    ("two-stage", "the parts add their costs, and the weakest link sets the likelihood",
     "hybrids inherit from every component (lesson 15)"),
    ("optimisation", "minutes or hours for each sample, and little variety",
     "a descent is run anew for every sample"),
    ("free-lunch", "something that the text does not mention",
     "no place on the map has every advantage; ask which of the costs above was measured"),
    ("likelihood-overclaim", "the exact likelihood that is claimed",
     "no component of this kind has one; ask which number was computed"),
    ("outside-map", "what the map cannot predict",
     "an element of it has no card on the map; look for how it is measured"),
)  # fmt: skip


def trade_offs(
    paradigms: set[str], sampling: str, likelihood: str, flags: set[str]
) -> tuple[tuple[str, str], ...]:
    """Predict what a release pays.

    Args:
        paradigms: its components.
        sampling: how a sample is made.
        likelihood: its kind.
        flags: what is odd about it.

    Returns:
        Pairs of what is paid and why.

    Example:
        >>> trade_offs({"flow"}, "one-pass", "exact", set())[0][0]
        'every layer must be invertible, and the code is as large as the data'
    """
    present = paradigms | flags | {sampling}
    if "few-step-diffusion" in flags:
        present = present - {"score-based"}  # its usual price is what the few steps save
    found = [(pays, why) for name, pays, why in PAYS if name in present]
    if not paradigms and "not-generative" not in flags and "outside-map" not in flags:
        found.append(("cannot tell", "the text names no component, and a price belongs to one"))
    return tuple(found)
