"""Remake genlab/nn/formats: two tiny random models as `transformers` saves them, and their logits.

python tests/reference/make_formats.py
"""

import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

FOLDER = Path(__file__).parents[2] / "genlab" / "nn" / "formats"
SPECIAL = {"bos_token_id": 0, "eos_token_id": 0}


def models():
    """Yield (name, model): the library's own classes, random weights, large enough to matter."""
    torch.manual_seed(0)
    yield (
        "gpt2",
        transformers.GPT2LMHeadModel(
            transformers.GPT2Config(
                vocab_size=64,
                n_embd=16,
                n_layer=2,
                n_head=4,
                n_positions=32,
                initializer_range=0.3,
                **SPECIAL,
            )
        ),
    )
    yield "llama", transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=64, hidden_size=16, intermediate_size=40, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
            initializer_range=0.3, **SPECIAL,
        )
    )  # fmt: skip


def main():
    """Write config.json, model.safetensors and logits.safetensors of each."""
    for name, model in models():
        place = FOLDER / name
        model.eval().save_pretrained(place)
        (place / "generation_config.json").unlink(missing_ok=True)
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        tokens = torch.randint(64, (2, 24), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            logits = model(tokens).logits
        save_file({"tokens": tokens, "logits": logits}, place / "logits.safetensors")


if __name__ == "__main__":
    main()
