"""Transformers of 0.9 million parameters, in the layouts of GPT-2 and of Llama."""

from functools import partial

import torch

from benchmarks.side_by_side.row import Row, Runs, alike, training_step
from genlab.autoregressive.decoding import generate_cached, reshape_logits
from genlab.autoregressive.likelihood import sequence_log_prob
from genlab.core import last
from genlab.nn.pretrained import from_gpt2, from_llama

VOCABULARY, WIDTH, LAYERS, HEADS, CONTEXT = 512, 128, 4, 4, 256
PROMPT, NEW = 16, 128


def both(layout: str, **settings):
    """The peer's model, and ours with its weights."""
    import transformers

    torch.manual_seed(0)
    if layout == "GPT-2":
        config = transformers.GPT2Config(
            vocab_size=VOCABULARY, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=CONTEXT,
            resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
        )  # fmt: skip
        theirs = transformers.GPT2LMHeadModel(config)
        ours = from_gpt2(config.to_dict(), theirs.state_dict())
    else:
        config = transformers.LlamaConfig(
            vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=344,
            num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=HEADS,
            max_position_embeddings=CONTEXT, tie_word_embeddings=True, bos_token_id=None,
            eos_token_id=None, pad_token_id=None,
        )  # fmt: skip
        theirs = transformers.LlamaForCausalLM(config)
        ours = from_llama(config.to_dict(), theirs.state_dict())
    alike(ours, theirs)
    return ours, theirs


def training(layout: str) -> Runs:
    """16 rows of 128 tokens: the losses are equal, then each takes its steps."""
    ours, theirs = both(layout)
    x = torch.randint(VOCABULARY, (16, 128), generator=torch.Generator().manual_seed(0))

    def our_loss():
        return -sequence_log_prob(ours(x)[:, :-1], x[:, 1:]).mean() / (x.shape[1] - 1)

    def their_loss():
        return theirs(x, labels=x, use_cache=False).loss

    torch.testing.assert_close(our_loss(), their_loss(), atol=1e-5, rtol=1e-5)
    ours.train(), theirs.train()
    return {
        "ours": training_step(ours, our_loss),
        "transformers": training_step(theirs, their_loss),
    }


def decoding(layout: str, n: int) -> Runs:
    """128 new tokens after 16: the most likely ones are the same, then they are drawn."""
    ours, theirs = both(layout)
    theirs.eval()
    tokens = torch.randint(VOCABULARY, (n, PROMPT), generator=torch.Generator().manual_seed(0))

    def write(**how):
        return theirs.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=NEW, pad_token_id=0,
            eos_token_id=None, **how,
        )  # fmt: skip

    greedy = partial(reshape_logits, top_k=1)
    assert torch.equal(
        last(generate_cached(ours.extend, tokens, NEW, reshape=greedy)), write(do_sample=False)
    )
    return {
        "ours": lambda: last(generate_cached(ours.extend, tokens, NEW)),
        "transformers": lambda: write(do_sample=True, top_k=0),
    }


ROWS = (
    *(
        Row(
            f"transformer training step, {layout} layout", 0.7, ("transformers",),
            "loss, gradients and AdamW on 16 rows of 128 tokens; 0.9 M weights copied from the "
            "peer, equal losses",
            partial(training, layout),
        )
        for layout in ("GPT-2", "Llama")
    ),
    *(
        Row(
            f"cached decoding, {layout} layout, batch {n}", 0.5, ("transformers",),
            "128 tokens drawn after 16, same weights, equal greedy text; the peer's `generate`",
            partial(decoding, layout, n),
        )
        for n in (1, 16)
        for layout in ("GPT-2", "Llama")
    ),
)  # fmt: skip
