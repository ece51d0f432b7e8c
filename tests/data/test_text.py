"""The manual as text: no paragraph in two parts, nothing but plain characters."""

import hashlib
import importlib
import math
import platform
from collections import Counter

import pytest
import torch

from genlab.data import text
from genlab.data.text import Grammar, agreement_rules, load_text, paragraphs, unique_paragraphs


def test_a_repeated_paragraph_is_dropped_whatever_its_spacing():
    assert unique_paragraphs(["a b\n c\n\nd", "d\n \n\na  b c"]) == ["a b\n c", "d"]


PARTS = {  # of Python 3.11.7, whose text trained the shipped models: characters, SHA-256
    "train": (338045, "49ad67c272a0014b910741d3949df033553a4ad86bbcdd8cb4765e6280961218"),
    "val": (19124, "eadfe1d6985d3719385e149c4bfa1787642d3bbf11f3f1cc6289e1d785df8a12"),
    "test": (15929, "f7e461eeaf84eeeb18410bcc078181ce47d414ef984473a991464b5601dba36b"),
}


@pytest.mark.parametrize("split", text.SPLITS)
def test_a_part_has_the_same_characters_whatever_python_runs(split):
    found = load_text(split)
    assert (len(found), hashlib.sha256(found.encode()).hexdigest()) == PARTS[split]


@pytest.mark.skipif(platform.python_version() != "3.11.7", reason="another Python's manual")
def test_the_shipped_manual_is_that_of_python_3_11_7():
    topics = importlib.import_module("pydoc_data.topics").topics
    assert text.load_topics() == topics


def keys(split):
    return {" ".join(p.split()) for p in load_text(split).split("\n\n")}


def test_a_paragraph_keeps_its_part_when_the_manual_changes(monkeypatch):
    before, topics = {split: keys(split) for split in text.SPLITS}, text.load_topics()
    kept = [name for k, name in enumerate(topics) if k % 3]
    other = {name: f"New here.\n\n{topics[name]}" for name in kept}
    monkeypatch.setattr(text, "load_topics", lambda: other)
    text.paragraphs.cache_clear()
    try:
        for split in text.SPLITS:
            assert keys(split) - {"New here."} < before[split]
    finally:
        text.paragraphs.cache_clear()


def test_paragraphs_that_begin_alike_share_a_part():
    begin = "Changed in version 3: the name of the"
    assert len({text.part_of(f"{begin}\n  {rest}") for rest in range(200)}) == 1
    counts = Counter(text.part_of(f"paragraph number {k}") for k in range(20_000))
    assert counts["val"] == pytest.approx(1000, abs=150)  # five standard deviations
    assert counts["test"] == pytest.approx(1000, abs=150)


COIN = {"S": ((0.25, ("A", ".")), (0.75, ("A", "A", "."))), "A": ((0.9, ("x",)), (0.1, ("y",)))}


def every_sentence(grammar, symbol):
    """All derivations with their probabilities: an independent route to both answers."""
    if symbol not in grammar.rules:
        return [((symbol,), 1.0)]
    found = []
    for p, body in grammar.rules[symbol]:
        partial = [((), p)]
        for b in body:
            partial = [
                (words + more, q * r)
                for words, q in partial
                for more, r in every_sentence(grammar, b)
            ]
        found += partial
    return found


GRAMMARS = [Grammar(COIN), Grammar(agreement_rules(0))]
each_grammar = pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])


def test_samples_have_the_entropy_as_mean_surprise(generator):
    grammar = Grammar()
    surprise = -grammar.log_prob(grammar.sample(600, generator=generator))
    # Monte Carlo: 5 standard errors
    assert abs(surprise.mean() - grammar.entropy()) < 5 * surprise.std() / 600**0.5


@pytest.mark.parametrize("grammar", [*GRAMMARS, Grammar()], ids=["coin", "flat", "nested"])
def test_the_conditionals_multiply_to_the_probability(grammar, generator):
    x = grammar.sample(30, generator=generator)
    probs = grammar.next_probs(x)
    torch.testing.assert_close(probs.sum(-1), torch.ones(x.shape))
    chosen = probs.gather(2, x[..., None]).squeeze(2).log().sum(1)
    torch.testing.assert_close(chosen, grammar.log_prob(x), atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    "sentence",
    [
        "the cats that see a dog sleeps .",  # the verb agrees with the nearer noun
        "a cats sleep .",
        "the cat sleeps",
        "sleeps the cat .",
    ],
)
def test_what_is_no_sentence_has_probability_zero(sentence):
    grammar = Grammar()
    numbers = [grammar.words.index(w) for w in sentence.split()]
    x = torch.full((1, grammar.max_length), grammar.words.index("that"))
    x[0, : len(numbers)] = torch.tensor(numbers)
    assert grammar.log_prob(x).item() == -math.inf
    assert grammar.log_prob(torch.tensor([numbers[:3]])).item() == -math.inf  # nor its beginning


@each_grammar
def test_answers_are_those_of_the_list_of_all_sentences(grammar):
    listed = every_sentence(grammar, "S")
    words, probs = zip(*listed, strict=True)
    assert len(set(words)) == len(words)  # no sentence has two derivations
    assert math.fsum(probs) == pytest.approx(1, abs=1e-12)
    entropy = -math.fsum(p * math.log(p) for p in probs)
    assert grammar.entropy() == pytest.approx(entropy, abs=1e-10)  # rounding of a long sum
    assert grammar.max_length == max(map(len, words))
    x = grammar.encode([" ".join(w) for w in words[::17]])
    expected = torch.tensor([math.log(p) for p in probs[::17]])
    torch.testing.assert_close(grammar.log_prob(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: load_text("dev"), "'dev'"),
        (lambda: Grammar({"S": ((0.5, (".",)),)}), r"S sum to 0\.5"),
        (lambda: agreement_rules(-1), "depth is -1"),
    ],
)
def test_what_does_not_exist_is_named(call, named):
    with pytest.raises(ValueError, match=named):
        call()


def test_no_paragraph_of_the_held_out_parts_is_in_the_training_part_and_none_is_lost():
    # repeats are dropped before splitting: afterwards the held-out text would be known by heart
    texts = [load_text(split) for split in text.SPLITS]
    assert all(c == "\n" or " " <= c <= "~" for part in texts for c in part)
    parts = [[" ".join(p.split()) for p in part.split("\n\n")] for part in texts]
    assert sum(map(len, parts)) == len(set().union(*parts)) == len(paragraphs())
