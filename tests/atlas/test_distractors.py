"""A sentence about rivals, failures, data, use or safety changes nothing of what is read."""

from functools import cache

import pytest

from genlab.atlas.reader import read_release

BASES = (
    "We train a decoder-only transformer on 2T tokens of web text.",
    "We train a normalizing flow with 12 affine coupling layers.",
    "A hierarchical VAE with 78 stochastic layers generates faces.",
    "The generator is trained against a multi-scale discriminator with hinge loss.",
    "A U-Net predicts the noise added to a mel spectrogram; sampling takes 50 DDIM steps.",
    "A masked diffusion language model, 8B, denoises a response of 256 tokens in 128 steps.",
    "A VQ-VAE compresses images to 32 x 32 codes; a PixelSNAIL models the codes.",
)
DISTRACTORS = (
    "Unlike GANs, it does not suffer from mode collapse.",
    "Instead of the velocity of a flow we let the network represent something better.",
    "Normalizing flows are restricted by invertibility, while VAEs give blurry samples.",
    "Captions of the training images were produced by a vision-language model.",
    "Prompt rewriting by an LLM is strongly recommended.",
    "We compare against a VAE, a GAN, a normalizing flow, a diffusion model and a transformer.",
    "Future work includes speculative decoding.",
    "A concurrent work uses flow matching for the same task.",
    "The energy meter on the wall shows what it costs.",
    "We also evaluated a one-step consistency model, which was worse.",
    "We did consider a VAE, whose bound was too loose, and dropped it.",
    "A GAN trained on the same data collapsed after 20k iterations.",
    "Attempts to train a normalizing flow failed.",
    "Samples by a language model were used as a control in the user study.",
    "We refer to Ho et al. for an introduction to diffusion models.",
    "A safety classifier checks every output.",
    "A classifier trained on real data recognises 92 % of the samples.",
    "The dataset was cleaned with a CLIP filter and deduplicated with embeddings.",
    "A reward model trained on 20k comparisons ranks outputs.",
    "For comparison, a GAN of equal size was trained.",
    "In a side experiment it serves as a VAE posterior.",
)


@pytest.mark.parametrize("distractor", DISTRACTORS)
def test_a_sentence_beside_the_method_changes_no_conclusion(distractor):
    for base in BASES:
        alone = _conclusions(base)
        assert alone[0], base
        assert _conclusions(f"{base} {distractor}") == alone, base
        assert _conclusions(f"{distractor} {base}") == alone, base


@cache
def _conclusions(text):
    r = read_release(text)
    return r.paradigms, r.objective, r.sampling, r.likelihood, r.flags
