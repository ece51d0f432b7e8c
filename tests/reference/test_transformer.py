"""Our decoder beside `transformers`, built from tiny configurations with weights copied across."""

from functools import partial

import pytest
import torch

from genlab.autoregressive.decoding import generate_cached, reshape_logits
from genlab.core import last
from genlab.nn.pretrained import from_gpt2, from_llama
from genlab.nn.transformer import TransformerConfig

pytestmark = pytest.mark.reference
transformers = pytest.importorskip("transformers")

CONFIG = TransformerConfig(d_model=32, n_layer=2, n_head=4, n_kv_head=2, d_hidden=48)


def llama():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=29,
        hidden_size=CONFIG.d_model,
        intermediate_size=CONFIG.d_hidden,
        num_hidden_layers=CONFIG.n_layer,
        num_attention_heads=CONFIG.n_head,
        num_key_value_heads=CONFIG.n_kv_head,
        rms_norm_eps=CONFIG.norm_eps,
        max_position_embeddings=64,
        tie_word_embeddings=False,
        initializer_range=0.3,  # larger than usual, so that attention is far from uniform
    )
    return transformers.LlamaForCausalLM(config).double().eval()


def copy_weights(theirs):
    """Our transformer with the weights of a Llama."""
    return from_llama(theirs.config.to_dict(), theirs.state_dict())


def test_logits_equal_those_of_a_llama_with_the_same_weights():
    theirs = llama()
    tokens = torch.randint(29, (2, 17))
    with torch.no_grad():
        expected, got = theirs(tokens).logits, copy_weights(theirs)(tokens)
    # its rotary tables are float32: angles up to 17 radians carry an error of about 1e-6
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def gpt2(**settings):
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=31, n_embd=24, n_layer=3, n_head=4, n_positions=40, bos_token_id=0,
        eos_token_id=0, initializer_range=0.3, **settings,
    )  # fmt: skip
    return transformers.GPT2LMHeadModel(config).double().eval()


def test_logits_equal_those_of_a_gpt2_with_the_same_weights():
    theirs = gpt2()
    ours = from_gpt2(theirs.config.to_dict(), theirs.state_dict())
    tokens = torch.randint(31, (2, 40))  # every position of the table
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits)


def test_greedy_text_is_that_of_transformers_generate():
    theirs = gpt2()
    ours = from_gpt2(theirs.config.to_dict(), theirs.state_dict())
    tokens = torch.randint(31, (1, 5))
    expected = theirs.generate(
        tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=20, do_sample=False,
        pad_token_id=30, eos_token_id=None,
    )  # fmt: skip
    greedy = partial(reshape_logits, top_k=1)
    assert torch.equal(last(generate_cached(ours.extend, tokens, 20, reshape=greedy)), expected)


def test_a_tied_llama_with_another_rotary_base_is_read():
    torch.manual_seed(1)
    config = transformers.LlamaConfig(
        vocab_size=29, hidden_size=32, intermediate_size=40, num_hidden_layers=1,
        num_attention_heads=4, num_key_value_heads=1, tie_word_embeddings=True,
        initializer_range=0.3, rope_theta=50.0, rms_norm_eps=1e-5,
    )  # fmt: skip
    theirs = transformers.LlamaForCausalLM(config).double().eval()
    ours = copy_weights(theirs)
    assert ours.head.weight is ours.embedding.weight
    tokens = torch.randint(29, (1, 30))
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens), theirs(tokens).logits, atol=1e-4, rtol=1e-4)
