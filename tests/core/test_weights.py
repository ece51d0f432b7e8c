"""Weights come back as they were written, and what is no such file is refused."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from genlab.core.weights import load_weights, read_card, save_weights

CARD = {"recipe": "genlab train a", "seed": 1, "data": "none", "metrics": {}, "seconds": 0.5}


class Net(nn.Module):
    """A weight, a buffer of integers, and dropout to tell training from evaluation."""

    def __init__(self, width=3):
        super().__init__()
        self.layer = nn.Linear(2, width)
        self.drop = nn.Dropout(0.5)
        self.register_buffer("count", torch.tensor(7))


class Tied(nn.Module):
    """Two names for one weight."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)
        self.b.weight = self.a.weight


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.safetensors"


@pytest.mark.parametrize("missing", sorted(CARD))
def test_a_card_that_leaves_something_out_is_refused(path, missing):
    card = {name: value for name, value in CARD.items() if name != missing}
    with pytest.raises(ValueError, match=f"the card lacks {missing}"):
        save_weights(Net(), path, card)


def test_one_weight_with_two_names_stays_one(path):
    save_weights(Tied(), path, CARD)
    assert read_card(path)["parameters"] == 4
    again = load_weights(Tied(), path)
    assert again.a.weight is again.b.weight


def test_a_missing_file_names_the_command_that_makes_it(path):
    with pytest.raises(FileNotFoundError, match="`genlab train a` writes it again"):
        load_weights(Net(), path)
    with pytest.raises(FileNotFoundError, match="`python -m mine` writes it again"):
        load_weights(Net(), path, recipe="python -m mine")
    save_weights(Net(), path, {**CARD, "recipe": "genlab train other"})
    path.unlink()
    with pytest.raises(FileNotFoundError, match="`genlab train other` writes it again"):
        load_weights(Net(), path)


@pytest.mark.parametrize("digest", [None, 0, "", "missing"])
def test_a_card_without_the_digest_of_the_weights_is_refused(path, digest):
    save_weights(Net(), path, CARD)
    card = read_card(path) | {"sha256": digest}
    if digest == "missing":
        del card["sha256"]
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="sha256"):
        load_weights(Net(), path)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_card_holds_finite_numbers_and_a_refused_one_leaves_no_file(path, value):
    with pytest.raises(ValueError, match=f"'fraction': {value}"):
        save_weights(Net(), path, CARD | {"metrics": {"fraction": value}})
    assert list(path.parent.iterdir()) == []


def test_a_refused_file_leaves_the_module_as_it_was(path):
    save_weights(Net(4), path, CARD)
    net = Net()
    before = net.layer.weight.clone()
    with pytest.raises(ValueError, match="is not a Net"):
        load_weights(net, path, dtype=torch.float32)
    assert torch.equal(net.layer.weight, before)
    assert net.layer.weight.dtype == torch.float64


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        (lambda w: w.pop("layer.bias"), r"layer\.bias"),
        (lambda w: w.update(extra=torch.zeros(1)), "extra"),
        (lambda w: w.update({"layer.weight": torch.zeros(2, 3)}), r"layer\.weight"),
    ],
    ids=["a name is missing", "a name too many", "another shape"],
)
def test_the_weights_of_another_network_are_named(path, change, odd):
    save_weights(Net(), path, CARD)
    weights = load_file(path)
    change(weights)
    save_file(weights, path)
    card = read_card(path) | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match=rf"is not a Net: {odd} differ.*`genlab train a`"):
        load_weights(Net(), path)


@pytest.mark.parametrize("text", ["{", "[1]", "[" * 100_000], ids=["broken", "a list", "deep"])
def test_a_damaged_card_is_refused(path, text):
    save_weights(Net(), path, CARD)
    path.with_suffix(".json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.json is damaged.*`genlab train a --force --out .+`"):
        read_card(path)
    with pytest.raises(ValueError, match=r"a\.json is damaged"):
        load_weights(Net(), path)


def test_a_disk_that_is_full_leaves_the_earlier_pair(path, monkeypatch):
    save_weights(Net(), path, CARD)
    before = {p.name: p.read_bytes() for p in path.parent.iterdir()}
    written = []

    def full(descriptor):
        written.append(descriptor)
        if len(written) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_weights(Net(), path, {**CARD, "seed": 2})
    assert {p.name: p.read_bytes() for p in path.parent.iterdir()} == before


def test_a_kill_between_the_two_files_leaves_no_weights_without_a_card(path, monkeypatch):
    moved = []

    def killed(self, target):
        moved.append(target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        save_weights(Net(), path, CARD)
    assert moved == [path.with_suffix(".json")]


def test_weights_survive_a_round_trip_in_single_precision_and_are_ready_to_evaluate(path):
    net, other = Net(), Net().train()
    save_weights(net, path, CARD)
    assert {w.dtype for w in load_file(path).values()} == {torch.float32, torch.int64}
    assert load_weights(other, path) is other
    assert not other.drop.training
    for name, weight in other.state_dict().items():
        expected = net.state_dict()[name]
        expected = expected.float().double() if expected.is_floating_point() else expected
        torch.testing.assert_close(weight, expected, rtol=0, atol=0)
    single = load_weights(Net(), path, dtype=torch.float32)
    assert (single.layer.weight.dtype, single.count.dtype) == (torch.float32, torch.int64)


def test_the_same_weights_give_the_same_two_files_that_everybody_may_read(tmp_path):
    path = tmp_path / "new" / "a.safetensors"
    written = []
    for _ in range(2):
        torch.manual_seed(3)
        save_weights(Net(), path, CARD)
        written.append({p.name: p.read_bytes() for p in path.parent.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"a.json", "a.safetensors"}
    assert all(p.stat().st_mode & 0o777 == 0o644 for p in path.parent.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "one bit flipped"])
def test_a_damaged_file_is_noticed(path, damage):
    save_weights(Net(), path, CARD)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data[:-5] if damage == "truncated" else data)
    with pytest.raises(ValueError, match=r"a\.safetensors is damaged.*sha256.*`genlab train a`"):
        load_weights(Net(), path)


def test_the_card_counts_parameters_and_bytes_in_text_that_a_person_reads(path):
    save_weights(Net(), path, CARD)
    card = read_card(path)
    assert card["parameters"] == 2 * 3 + 3 + 1  # weight, bias and the counter
    assert card["bytes"] == path.stat().st_size
    assert {name: card[name] for name in CARD} == CARD
    assert path.with_suffix(".json").read_text(encoding="utf-8").endswith("}\n")


def test_other_formats_are_refused(path):
    with pytest.raises(ValueError, match=r"\.safetensors, got net\.pt"):
        save_weights(Net(), path.with_name("net.pt"), CARD)
    with pytest.raises(ValueError, match=r"torch\.float64"):
        save_weights(Net(), path, CARD, dtype=torch.float64)
    net = nn.Linear(1, 1)
    nn.init.constant_(net.weight, 1e6)
    with pytest.raises(ValueError, match=r"weight is not finite in float16"):
        save_weights(net, path, CARD, dtype=torch.float16)
    assert list(path.parent.iterdir()) == []
