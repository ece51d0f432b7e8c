"""The two small folders in foreign formats: their logits are those of `transformers`, and ours."""

import pytest
import torch
from safetensors.torch import load_file

from genlab.nn.pretrained import EXAMPLES, load_pretrained

pytestmark = pytest.mark.reference
transformers = pytest.importorskip("transformers")
NAMES = pytest.mark.parametrize("name", ["gpt2", "llama"])


@NAMES
def test_the_stored_logits_are_those_that_the_library_computes(name):
    stored = load_file(EXAMPLES / name / "logits.safetensors")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        EXAMPLES / name, local_files_only=True, dtype=torch.float32
    ).eval()
    with torch.no_grad():
        found = theirs(stored["tokens"]).logits
    torch.testing.assert_close(found, stored["logits"], atol=1e-4, rtol=1e-4)  # float32


@NAMES
def test_ours_are_the_same(name):
    stored = load_file(EXAMPLES / name / "logits.safetensors")
    with torch.no_grad():
        found = load_pretrained(EXAMPLES / name)(stored["tokens"])
    torch.testing.assert_close(found, stored["logits"], atol=1e-4, rtol=1e-4)  # float32
