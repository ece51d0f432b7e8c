"""Measuring who sees whom: on maps whose dependence is known."""

import torch

from genlab.autoregressive.causality import dependence, peeks, seen_pixels
from genlab.nn.transformer import TransformerBody, TransformerConfig


def test_a_linear_map_depends_as_its_matrix_says():
    matrix = torch.tensor([[0.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, -3.0, 0.0]])
    x = torch.randn(3, 1)
    torch.testing.assert_close(dependence(lambda a: matrix @ a, x), matrix.abs())


def test_contributions_of_opposite_sign_do_not_cancel():
    # the sum of the outputs does not depend on x at all, yet each output does
    j = dependence(lambda x: torch.cat([x, -x], dim=1), torch.randn(2, 1))
    torch.testing.assert_close(j, 2 * torch.eye(2))


def test_a_causal_body_is_triangular_and_an_encoder_is_full():
    def measured(causal):
        torch.manual_seed(0)
        config = TransformerConfig(
            d_model=8, n_layer=2, n_head=2, n_kv_head=2, d_hidden=8, causal=causal
        )
        body = TransformerBody(config)
        shift = torch.eye(5).roll(1, 0).tril()  # row i of the output reads the rows before i
        return dependence(lambda x: body((shift @ x)[None])[0][0], torch.randn(5, 8))

    assert peeks(measured(causal=True)) == 0
    assert peeks(measured(causal=False)) == 10  # all 15 but the 5 of the piece shifted out


def test_the_diagonal_counts_as_peeking():
    assert peeks(torch.eye(3)) == 3


def test_a_plain_convolution_sees_its_neighbourhood():
    torch.manual_seed(0)
    seen = seen_pixels(torch.nn.Conv2d(1, 2, 3, padding=1), 0, 7)
    assert seen.nonzero().tolist() == [[0, 6], [0, 7], [1, 6], [1, 7]]
