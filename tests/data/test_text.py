"""The manual as text: no paragraph in two parts, nothing but plain characters."""

import math
from collections import Counter

import pytest
import torch

from genlab.data import text
from genlab.data.text import Grammar, agreement_rules, load_text, paragraphs, unique_paragraphs


def test_a_repeated_paragraph_is_dropped_whatever_its_spacing():
    assert unique_paragraphs(["a b\n c\n\nd", "d\n \n\na  b c"]) == ["a b\n c", "d"]


def test_no_paragraph_of_the_held_out_parts_is_in_the_training_part():
    # repeats are dropped before splitting: afterwards the held-out text would be known by heart
    train = {" ".join(p.split()) for p in load_text("train").split("\n\n")}
    for split in ("val", "test"):
        held_out = [" ".join(p.split()) for p in load_text(split).split("\n\n")]
        assert not train.intersection(held_out)


def test_the_parts_hold_every_paragraph_once():
    parts = [p for s in ("train", "val", "test") for p in load_text(s).split("\n\n")]
    assert len(parts) == len(paragraphs())
    assert len({" ".join(p.split()) for p in paragraphs()}) == len(paragraphs())


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


def test_the_text_is_plain_ascii():
    assert all(c == "\n" or " " <= c <= "~" for c in load_text("train"))


def test_sizes_are_those_of_the_manual():
    # between Python versions the manual grows by a few per cent a year
    total = sum(len(load_text(s)) for s in ("train", "val", "test"))
    assert 250_000 < total < 700_000
    for split in ("val", "test"):
        assert 0.02 < len(load_text(split)) / total < 0.1


def test_an_unknown_part_is_named():
    with pytest.raises(ValueError, match="'dev'"):
        load_text("dev")


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


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_the_entropy_is_that_of_the_list_of_all_sentences(grammar):
    probs = [p for _, p in every_sentence(grammar, "S")]
    assert math.fsum(probs) == pytest.approx(1, abs=1e-12)
    entropy = -math.fsum(p * math.log(p) for p in probs)
    assert grammar.entropy() == pytest.approx(entropy, abs=1e-10)  # rounding of a long sum


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_no_sentence_has_two_derivations(grammar):
    sentences = [words for words, _ in every_sentence(grammar, "S")]
    assert len(set(sentences)) == len(sentences)


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_log_probs_are_those_of_the_derivations(grammar):
    listed = every_sentence(grammar, "S")[::17]
    x = grammar.encode([" ".join(words) for words, _ in listed])
    expected = torch.tensor([math.log(p) for _, p in listed])
    torch.testing.assert_close(grammar.log_prob(x), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("grammar", GRAMMARS, ids=["coin", "agreement"])
def test_lengths_are_those_of_the_list(grammar):
    listed = every_sentence(grammar, "S")
    assert grammar.max_length == max(len(words) for words, _ in listed)
    mean = math.fsum(p * len(words) for words, p in listed)
    assert grammar.mean_length() == pytest.approx(mean)


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


def test_nothing_follows_what_starts_no_sentence():
    grammar = Grammar()
    x = grammar.encode(["a cats"])
    assert torch.equal(grammar.next_probs(x)[0, 2], torch.zeros(len(grammar.words)))
    assert grammar.next_probs(x)[0, 1].argmax() == grammar.words.index("cat")


def test_decoding_undoes_encoding():
    grammar = Grammar()
    sentences = ["the cats that see a dog sleep .", "a bird sings ."]
    assert grammar.decode(grammar.encode(sentences)) == sentences


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
    x = torch.full((1, grammar.max_length), grammar.words.index("that"))
    words = sentence.split()
    x[0, : len(words)] = torch.tensor([grammar.words.index(w) for w in words])
    assert grammar.log_prob(x).item() == -math.inf


def test_the_beginning_of_a_sentence_is_no_sentence():
    grammar = Grammar()
    x = torch.tensor([[grammar.words.index(w) for w in ("the", "cat", "sees")]])
    assert grammar.log_prob(x).item() == -math.inf


def test_filling_up_costs_nothing():
    grammar = Grammar()
    x = grammar.encode(["a bird sings ."])
    assert (x[0, 4:] == grammar.words.index(".")).all()
    # 1/2 singular, no clause .6, "a" .4, "bird" .2, intransitive .4, "sings" .3
    p = 0.5 * 0.6 * 0.4 * 0.2 * 0.4 * 0.3
    assert grammar.log_prob(x).item() == pytest.approx(math.log(p), abs=1e-12)


def test_deeper_grammars_only_add_sentences():
    entropies = [Grammar(agreement_rules(d)).entropy() for d in range(4)]
    assert entropies == sorted(entropies)


def test_rules_that_do_not_sum_to_one_are_refused():
    with pytest.raises(ValueError, match=r"S sum to 0\.5"):
        Grammar({"S": ((0.5, (".",)),)})


def test_impossible_requests_are_refused():
    with pytest.raises(ValueError, match="negative"):
        agreement_rules(-1)
    with pytest.raises(ValueError, match="cond"):
        Grammar().sample(1, cond=torch.tensor([0]))


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_every_symbol_that_is_used_has_rules(depth):
    rules = agreement_rules(depth)
    used = {b for choices in rules.values() for _, body in choices for b in body}
    # symbols start with a capital, words do not
    assert {b for b in used if b[0].isupper()} <= set(rules)


def test_a_singular_noun_phrase_meets_a_singular_verb_phrase():
    for _, body in agreement_rules(1)["S"]:
        assert body[0][:4] == "NP." + body[1][3]


def test_a_negative_depth_is_refused():
    with pytest.raises(ValueError, match="-1"):
        agreement_rules(-1)
