"""Reading foreign weights: what does not fit is refused by name. Equality: tests/reference."""

import json

import pytest
import torch
from safetensors.torch import save_file

from genlab.nn.pretrained import from_llama, load_pretrained
from genlab.nn.transformer import Transformer, TransformerConfig

LLAMA = {
    "model_type": "llama", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 12,
    "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
    "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 100.0,
}  # fmt: skip
NAMES = {
    "body.blocks": "model.layers", "body.norm": "model.norm", "norm_1": "input_layernorm",
    "norm_2": "post_attention_layernorm", "embedding": "model.embed_tokens",
    "head": "lm_head", "attention.w_": "self_attn.", "mlp.w_1": "mlp.gate_proj",
    "mlp.w_2": "mlp.down_proj", "mlp.w_3": "mlp.up_proj",
}  # fmt: skip


def llama_weights():
    """One of our transformers, and its weights under Llama's names."""
    config = TransformerConfig(
        d_model=8, n_layer=1, n_head=2, n_kv_head=1, d_hidden=12, rope_base=100.0
    )
    net, found = Transformer(7, config).eval(), {}
    for name, w in net.state_dict().items():
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        found[name.replace(".weight", "_proj.weight") if "self_attn" in name else name] = w
    return net, found


def test_a_folder_is_read_without_touching_the_global_noise_and_a_missing_file_is_named(tmp_path):
    net, weights = llama_weights()
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        load_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(LLAMA))
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors"):
        load_pretrained(tmp_path)
    save_file({name: w.contiguous() for name, w in weights.items()}, tmp_path / "model.safetensors")
    x, before = torch.randint(7, (1, 6)), torch.get_rng_state()
    read = load_pretrained(tmp_path)
    assert torch.equal(before, torch.get_rng_state())
    torch.testing.assert_close(read(x), net(x))
    assert not read.training
    (tmp_path / "config.json").write_text(json.dumps(LLAMA | {"model_type": "bert"}))
    with pytest.raises(ValueError, match="'bert'"):
        load_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'"),
        ({"head_dim": 5}, "head_dim is 5"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "rope_type is 'yarn'"),
        ({"model_type": "mistral"}, "model_type is 'mistral'"),
        ({"intermediate_size": 13}, "body.blocks.0.mlp.w_1.weight"),
    ],
)
def test_what_our_class_cannot_do_is_refused_by_name(change, said):
    with pytest.raises(ValueError, match=said):
        from_llama(LLAMA | change, llama_weights()[1])


def test_the_base_of_the_rotation_is_read_from_either_place():
    weights = llama_weights()[1]
    new = from_llama(LLAMA | {"rope_parameters": {"rope_theta": 50.0}}, weights)
    assert (from_llama(LLAMA, weights).config.rope_base, new.config.rope_base) == (100.0, 50.0)
