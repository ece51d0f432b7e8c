"""Vector and finite scalar quantisation beside those of diffusers."""

import pytest
import torch

from genlab import latent

pytestmark = [
    pytest.mark.reference,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
ROUNDING = {"rtol": 1e-5, "atol": 1e-6}  # their levels are in single precision


def test_a_codebook_of_diffusers_chooses_and_costs_alike(generator):
    theirs = pytest.importorskip("diffusers.models.autoencoders.vae").VectorQuantizer(
        7, 3, beta=0.4, legacy=False
    )
    picture = torch.randn(2, 3, 4, 4, generator=generator)  # channels are the vector
    z, cost, (_, _, index) = theirs.double()(picture)
    x, book = picture.permute(0, 2, 3, 1), theirs.embedding.weight.detach()
    ours, chosen = latent.vector_quantize(x, book)
    torch.testing.assert_close(ours.permute(0, 3, 1, 2), z.detach(), **ROUNDING)
    assert chosen.flatten().tolist() == index.flatten().tolist()
    priced = latent.codebook_loss(x, book, chosen, commitment=0.4).mean() / 3  # theirs: a mean
    torch.testing.assert_close(priced, cost.detach(), **ROUNDING)


@pytest.mark.parametrize("levels", [[4, 4, 4], [8, 5], [3, 2, 7]])
def test_rounding_is_that_of_diffusers(levels, generator):
    vidtok = pytest.importorskip("diffusers.models.autoencoders.autoencoder_vidtok")
    theirs = vidtok.FSQRegularizer(levels).double()
    x = 2 * torch.randn(50, len(levels), generator=generator)
    z = latent.finite_scalar_quantize(x, levels)
    torch.testing.assert_close(z, theirs.quantize(x), **ROUNDING)
    index = latent.finite_scalar_index(z, levels)
    assert index.tolist() == theirs.codes_to_indices(z).tolist()
