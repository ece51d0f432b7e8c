"""The manual as text: no paragraph in two parts, nothing but plain characters."""

import math
from collections import Counter

import pytest
import torch

from genlab.data import text
from genlab.data.text import Grammar, agreement_rules, load_text, paragraphs, unique_paragraphs


def test_a_repeated_paragraph_is_dropped_whatever_its_spacing():
    assert unique_paragraphs(["a b\n c\n\nd", "d\n \n\na  b c"]) == ["a b\n c", "d"]


def keys(split):
    return {" ".join(p.split()) for p in load_text(split).split("\n\n")}


def test_a_paragraph_keeps_its_part_when_the_manual_changes(monkeypatch):
    # weights that one Python trained are measured on the text of another
    before = {split: keys(split) for split in text.SPLITS}
    kept = [name for k, name in enumerate(text.topics) if k % 3]
    monkeypatch.setattr(text, "topics", {n: f"New here.\n\n{text.topics[n]}" for n in kept})
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
    # between Python versions the manual grows by a few per cent a year
    sizes = [len(part) for part in texts]
    assert 250_000 < sum(sizes) < 700_000
    assert all(0.02 < size / sum(sizes) < 0.1 for size in sizes[1:])
