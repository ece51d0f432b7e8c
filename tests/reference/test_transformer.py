"""Our decoder beside `transformers`, built from tiny configurations with weights copied across."""

import pytest
import torch

from genlab.nn.attention import attention, causal_mask, join_heads, split_heads
from genlab.nn.embedding import rope_angles, rotate
from genlab.nn.transformer import Transformer, TransformerConfig

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
    """Our transformer with the weights of a Llama, matched by name."""
    ours = Transformer(29, CONFIG).double().eval()
    names = {
        "self_attn.q_proj": "attention.w_q",
        "self_attn.k_proj": "attention.w_k",
        "self_attn.v_proj": "attention.w_v",
        "self_attn.o_proj": "attention.w_o",
        "mlp.gate_proj": "mlp.w_1",
        "mlp.down_proj": "mlp.w_2",
        "mlp.up_proj": "mlp.w_3",
        "post_attention_layernorm": "norm_2",
        "input_layernorm": "norm_1",
        "model.layers": "body.blocks",
        "model.embed_tokens": "embedding",
        "model.norm": "body.norm",
        "lm_head": "head",
    }
    state = {}
    for name, value in theirs.state_dict().items():
        for old, new in names.items():
            name = name.replace(old, new)
        state[name] = value
    ours.load_state_dict(state)
    return ours


def test_logits_equal_those_of_a_llama_with_the_same_weights():
    theirs = llama()
    tokens = torch.randint(29, (2, 17))
    with torch.no_grad():
        expected, got = theirs(tokens).logits, copy_weights(theirs)(tokens)
    # its rotary tables are float32: angles up to 17 radians carry an error of about 1e-6
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_our_cache_reaches_the_logits_of_a_llama_that_reads_the_whole_text():
    theirs = llama()
    ours = copy_weights(theirs)
    tokens = torch.randint(29, (1, 9))
    with torch.no_grad():
        expected = theirs(tokens).logits[:, 5:]
        _, cache = ours.extend(tokens[:, :5])
        got, _ = ours.extend(tokens[:, 5:], cache)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)  # float32 tables, as above


def test_rotary_positions_equal_those_of_llama():
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    q, k = torch.randn(1, 2, 7, 8), torch.randn(1, 2, 7, 8)
    angles = rope_angles(torch.arange(7), 8, q)
    doubled = torch.cat([angles, angles], dim=-1)[None]
    their_q, their_k = apply_rotary_pos_emb(q, k, doubled.cos(), doubled.sin())
    torch.testing.assert_close(rotate(q, angles), their_q)
    torch.testing.assert_close(rotate(k, angles), their_k)


def test_attention_equals_that_of_a_gpt2_layer():
    from transformers.models.gpt2.modeling_gpt2 import GPT2Attention

    torch.manual_seed(0)
    config = transformers.GPT2Config(
        n_embd=16, n_head=4, attn_pdrop=0.0, resid_pdrop=0.0, initializer_range=0.5
    )
    config._attn_implementation = "eager"
    layer = GPT2Attention(config, layer_idx=0).double().eval()
    x = torch.randn(2, 6, 16)
    q, k, v = (split_heads(a, 4) for a in layer.c_attn(x).chunk(3, dim=-1))
    ours = layer.c_proj(join_heads(attention(q, k, v, causal_mask(6, 6))))
    hidden = torch.zeros(2, 1, 6, 6).masked_fill(~causal_mask(6, 6), torch.finfo(x.dtype).min)
    theirs = layer(x, attention_mask=hidden)[0]
    torch.testing.assert_close(ours, theirs)
