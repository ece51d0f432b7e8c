"""Weights in the formats of Llama and of GPT-2, read into `Transformer`.

GPT-2 stores its matrices transposed, those of queries, keys and values in one.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from genlab.nn.transformer import Transformer, TransformerConfig

Weights = Mapping[str, Tensor]
Config = Mapping[str, Any]  # what config.json holds
EXAMPLES = Path(__file__).parent / "formats"  # gpt2/ and llama/, see the README there

LLAMA_NAMES = {
    "model.embed_tokens": "embedding", "model.layers": "body.blocks", "input_layernorm": "norm_1",
    "post_attention_layernorm": "norm_2", "self_attn.q_proj": "attention.w_q",
    "self_attn.k_proj": "attention.w_k", "self_attn.v_proj": "attention.w_v",
    "self_attn.o_proj": "attention.w_o", "mlp.gate_proj": "mlp.w_1", "mlp.down_proj": "mlp.w_2",
    "mlp.up_proj": "mlp.w_3", "model.norm": "body.norm", "lm_head": "head",
}  # fmt: skip
GPT2_NAMES = {
    "wte": "embedding", "wpe": "positions", "ln_1": "norm_1", "ln_2": "norm_2",
    "attn.c_proj": "attention.w_o", "mlp.c_fc": "mlp.w_1", "mlp.c_proj": "mlp.w_2",
    "ln_f": "body.norm", "lm_head": "head",
}  # fmt: skip


def from_llama(config: Config, weights: Weights) -> Transformer:
    """A model in the format of Llama: Touvron et al. 2023 (arXiv:2302.13971), section 2.2."""
    n_head = config["num_attention_heads"]
    d = config["hidden_size"]
    rope = (config.get("rope_parameters") or {}) | (config.get("rope_scaling") or {})
    _only(config, model_type="llama", hidden_act="silu", head_dim=d // n_head)
    _only(config, attention_bias=False, mlp_bias=False)
    _only(rope, rope_type="default")
    ours = TransformerConfig(
        d_model=d,
        n_layer=config["num_hidden_layers"],
        n_head=n_head,
        n_kv_head=config.get("num_key_value_heads") or n_head,
        d_hidden=config["intermediate_size"],
        rope_base=rope.get("rope_theta") or config.get("rope_theta") or 10_000.0,
        norm_eps=config["rms_norm_eps"],
        tied=bool(config.get("tie_word_embeddings")),
        fused=True,
    )
    renamed = {_renamed(name, LLAMA_NAMES): w for name, w in weights.items()}
    return _filled(config["vocab_size"], ours, renamed)


def from_gpt2(config: Config, weights: Weights) -> Transformer:
    """A model in the format of GPT-2: Radford et al. 2019, section 2.3."""
    d = config["n_embd"]
    gelu = config.get("activation_function")
    if gelu != "gelu_pytorch_tanh":  # another name of the same function
        _only(config, activation_function="gelu_new")
    _only(config, model_type="gpt2", scale_attn_weights=True)
    _only(config, scale_attn_by_inverse_layer_idx=False)
    ours = TransformerConfig(
        d_model=d,
        n_layer=config["n_layer"],
        n_head=config["n_head"],
        n_kv_head=config["n_head"],
        d_hidden=config.get("n_inner") or 4 * d,
        norm_eps=config["layer_norm_epsilon"],
        tied=config.get("tie_word_embeddings") is not False,
        n_positions=config["n_positions"],
        gpt2=True,
        fused=True,
    )
    renamed: dict[str, Tensor] = {}
    for name, w in weights.items():
        name = re.sub(r"^h\.", "body.blocks.", name.removeprefix("transformer."))
        if name.endswith((".attn.bias", ".attn.masked_bias")):
            continue  # the causal mask, which old files store as a weight
        if ".c_" in name and name.endswith("weight"):
            w = w.T  # theirs is y = x W
        if ".attn.c_attn." in name:
            for letter, part in zip("qkv", w.chunk(3), strict=True):
                renamed[name.replace("attn.c_attn", f"attention.w_{letter}")] = part
        else:
            renamed[_renamed(name, GPT2_NAMES)] = w
    return _filled(config["vocab_size"], ours, renamed)


def load_pretrained(folder: Path) -> Transformer:
    """Read a model that `transformers` saved: `config.json` and `model.safetensors`."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = load_file(folder / "model.safetensors")
    read = {"llama": from_llama, "gpt2": from_gpt2}.get(config["model_type"])
    if read is None:
        raise ValueError(f"model_type is {config['model_type']!r}, expected 'llama' or 'gpt2'")
    return read(config, weights)


def _only(config: Config, **supported: Any) -> None:
    """Refuse a setting that is there and is not what our class can do."""
    for name, value in supported.items():
        if config.get(name) not in (None, value):
            raise ValueError(f"{name} is {config[name]!r}, but only {value!r} is supported")


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for theirs, ours in names.items():
        name = name.replace(theirs, ours)
    return name


def _filled(n_tokens: int, config: TransformerConfig, weights: dict[str, Tensor]) -> Transformer:
    """The model with every weight in its place; none may be missing or left over."""
    with torch.random.fork_rng(devices=[]):
        net = Transformer(n_tokens, config)
    if config.tied:
        weights.setdefault("head.weight", weights["embedding.weight"])
    found = {name: tuple(w.shape) for name, w in weights.items()}
    wanted = {name: tuple(w.shape) for name, w in net.state_dict().items()}
    if found != wanted:
        odd = sorted(name for name in wanted | found if wanted.get(name) != found.get(name))
        raise ValueError(f"these weights do not fit the configuration: {', '.join(odd)}")
    net.to(next(iter(weights.values())).dtype).load_state_dict(weights)
    return net.eval()
